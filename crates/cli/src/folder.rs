//! The folder of a run: found, opened, resumed and closed.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use cupel::train::{self, Casting, PerformanceMonitor, Run, device::Selected};
use serde::Serialize;

use crate::{options::Options, output::Output};

/// The summary of a run that was finished before.
#[derive(Serialize)]
pub struct Earlier {
    #[serde(flatten)]
    pub summary: serde_json::Value,
    #[serde(skip)]
    pub dir: PathBuf,
}

impl fmt::Display for Earlier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.dir.display();
        write!(f, "the run in {dir} was already finished, and nothing was done; its report: {dir}/report.html")
    }
}

/// The folder asked for, or the first unused one under `runs`.
pub fn run_dir(options: &Options, input: &Path, command: &str) -> Result<PathBuf> {
    if let Some(out) = &options.out {
        return Ok(out.clone());
    }
    if options.resume {
        bail!("--resume needs --out with the folder of the stopped run");
    }
    let stem = input.file_stem().map_or_else(|| "input".into(), |stem| stem.to_string_lossy());
    let first = PathBuf::from("runs").join(format!("{command}-{stem}"));
    let numbered = (2u32..).map(|n| PathBuf::from("runs").join(format!("{command}-{stem}-{n}")));
    std::iter::once(first).chain(numbered).find(|dir| !dir.exists()).context("no folder is left under runs")
}

/// A run folder that is open, or what an earlier process left there.
pub enum Opened {
    Run(Box<Run>),
    Earlier(Earlier),
}

/// Creates or resumes the run folder, and tells it where the run computes. Where there is nothing to resume, the run starts at the
/// beginning; where nothing is left to do, the folder stays closed.
///
/// # Errors
/// A folder that may not be used, or that holds another run.
pub fn open_run(
    dir: &Path,
    settings: &impl Serialize,
    (options, profile): (&Options, bool),
    (device, casting): (&Selected, &Casting),
    output: Output,
) -> Result<Opened> {
    if options.resume
        && let Some(summary) = Run::finished(dir, settings)?
    {
        return Ok(Opened::Earlier(Earlier { summary, dir: dir.to_path_buf() }));
    }
    let resumed = options.resume.then(|| Run::resume(dir, settings, options.strict));
    let mut run = match resumed {
        None => Run::create(dir, settings, options.force)?,
        Some(Err(train::Error::NothingToResume { .. })) => {
            output.note(format_args!("{}: nothing to resume, the run starts at the beginning", dir.display()));
            Run::create(dir, settings, false)?
        }
        Some(resumed) => resumed?,
    };
    run.set_quiet(options.quiet);
    #[cfg(feature = "tui")]
    run.set_dashboard(options.tui);
    if profile {
        run.set_monitor(PerformanceMonitor::new(&device.device));
    }
    run.describe(device, casting, options.seed)?;
    Ok(Opened::Run(Box::new(run)))
}

/// Ends a run with its summary, and tells where the time went where that was asked for.
pub fn close_run(run: &mut Run, profile: bool, summary: &impl Serialize, output: Output) -> Result<()> {
    run.finish(summary)?;
    if profile {
        output.note(run.monitor().log_summary().trim_end());
    }
    Ok(())
}

/// Writes numbers as a file of the run.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value)?;
    cupel::data::write_atomic(path, |file| {
        file.write_all(text.as_bytes()).map_err(cupel::data::Error::io("write", path))
    })?;
    Ok(())
}
