//! [`Session`]: what holds while one command runs.

use std::{
    fmt::Display,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use cupel::train::{Casting, PerformanceMonitor, Precision, Run, Work, device, stop};
use serde::Serialize;

use crate::{
    output::Output,
    shared::{RunFolder, Shared},
};

/// What holds while one command runs: where it computes, where its results go, and who is told.
#[derive(Debug)]
pub struct Session {
    output: Output,
    seed: u64,
    device: Option<device::Selected>,
    precision: Precision,
    force: bool,
    out: Option<PathBuf>,
    run: Run,
    profile: bool,
}

impl Session {
    /// Threads, device and signals as the user asked for them.
    ///
    /// # Errors
    /// A device that was named and is not there, or that does not multiply as asked; threads that the system refuses.
    pub(crate) fn start(shared: &Shared<'_>) -> Result<Self> {
        let output = Output::new(shared.output);
        // elsewhere a signal ends the process, since nothing has to be saved
        if shared.run.is_some() {
            stop::listen();
        }
        if let Some(threads) = shared.threads.and_then(|group| group.threads) {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build_global()
                .with_context(|| format!("starting {threads} threads (choose fewer with --threads)"))?;
        }
        let device = match shared.device {
            None => None,
            Some(group) => {
                let device = device::select(&group.device)?;
                group.matmul_precision.check(&device)?;
                Some(device)
            }
        };
        Ok(Self {
            output,
            seed: shared.seed.map_or(0, |group| group.seed),
            device,
            precision: shared.numbers.map_or(Precision::F32, |group| group.asked()),
            force: shared.writing.is_some_and(|group| group.force),
            out: shared.out.and_then(|group| group.out.clone()),
            run: Run::in_memory(),
            profile: false,
        })
    }

    /// Tells the user something on standard error.
    pub fn note(&self, message: impl Display) {
        self.output.note(message);
    }

    /// Every random draw follows from this.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Where to compute.
    ///
    /// # Errors
    /// For a command that takes no device.
    pub fn device(&self) -> Result<&device::Selected> {
        self.device.as_ref().context("this command computes on no device")
    }

    /// The precision asked for.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The precision to compute such work in on the device, which is told to the user with its reason.
    ///
    /// # Errors
    /// A precision that the device does not have.
    pub fn casting(&self, work: Work) -> Result<Casting> {
        let device = self.device()?;
        let casting = self.precision.resolve(&device.device, work)?;
        let (name, reason) = (casting.name(), casting.reason());
        self.note(format_args!("device: {} ({}), {name} ({reason})", device.name, device.reason));
        Ok(casting)
    }

    /// Where the results go, where the user said so or a run folder was chosen.
    pub fn out(&self) -> Option<&Path> {
        self.out.as_deref()
    }

    /// Whether results that are already there are replaced.
    pub fn force(&self) -> bool {
        self.force
    }

    /// Refuses a file or folder that is there and may not be replaced.
    ///
    /// # Errors
    /// That it is there.
    pub fn may_write(&self, path: &Path) -> Result<()> {
        if path.symlink_metadata().is_ok() && !self.force {
            bail!("{} exists; replace it with --force or choose another name", path.display());
        }
        Ok(())
    }

    /// The run: in its folder for commands that have one, else in memory.
    pub fn run(&mut self) -> &mut Run {
        &mut self.run
    }

    /// The folder of the run.
    ///
    /// # Errors
    /// For a run in memory.
    pub fn dir(&self) -> Result<PathBuf> {
        Ok(self.run.dir().context("this run has no folder")?.to_path_buf())
    }

    pub(crate) fn set_out(&mut self, dir: Option<PathBuf>) {
        self.out = dir.or(self.out.take());
    }

    pub(crate) fn open(&mut self, mut run: Run, asked: &RunFolder) -> Result<()> {
        run.set_quiet(self.output.is_quiet());
        run.set_save_every(asked.checkpoint_every);
        #[cfg(feature = "tui")]
        run.set_dashboard(asked.tui);
        if asked.profile {
            let device = match &self.device {
                Some(device) => device.device.clone(),
                None => device::select("cpu")?.device,
            };
            run.set_monitor(PerformanceMonitor::new(&device));
        }
        (self.run, self.profile) = (run, asked.profile);
        Ok(())
    }

    /// Leaves a run that failed: nothing of it stays unless some of its state was saved.
    pub(crate) fn abandon(&mut self) {
        // what went wrong first is what the user has to know
        let _ = std::mem::replace(&mut self.run, Run::in_memory()).discard();
    }

    /// Ends the run with its summary, and tells where the time went where that was asked for.
    pub(crate) fn finish(&mut self, summary: &impl Serialize) -> Result<()> {
        self.run.finish(summary)?;
        if self.profile {
            self.note(self.run.monitor().log_summary().trim_end());
        }
        Ok(())
    }
}
