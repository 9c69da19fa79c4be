//! The one loop over [`Advance`]: resume, advance, log, show, save, stop.

use crate::{
    Advance, Checkpoint, Error, Metrics, Position, Progress, Result, Run, Stamp, progress::ProgressLine,
    set::check_name, signal::StopSignals,
};
use std::{io::Stderr, path::PathBuf};

/// How often and how much to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Advances from one checkpoint to the next; at least 1. The end and a signal save in any case.
    pub save_every: u64,
    /// Checkpoints to keep; at least 1, and with 2 a damaged one still has another to fall back to.
    pub keep: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { save_every: 1, keep: 2 }
    }
}

impl Policy {
    fn check(&self) -> Result<()> {
        let wrong = |name, got: String| Err(Error::Setting { name, got, expected: "a number of at least 1" });
        match self {
            Self { save_every: 0, .. } => wrong("save_every", "0".into()),
            Self { keep: 0, .. } => wrong("keep", "0".into()),
            _ => Ok(()),
        }
    }
}

/// How driving ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "stopped work is not complete"]
pub enum Outcome {
    /// Nothing is left to do.
    Finished {
        /// What the work gave as the reason.
        reason: String,
    },
    /// A signal came; the step was finished and the state saved.
    Stopped {
        /// Number of the signal.
        signal: i32,
    },
}

impl Outcome {
    /// The exit code that the shell expects: 0, or 128 and the number of the signal.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Finished { .. } => 0,
            Self::Stopped { signal } => 128_u8.saturating_add(u8::try_from(*signal).unwrap_or(127)),
        }
    }
}

/// A stop in the dashboard counts as Ctrl-C.
const INTERRUPT: i32 = 2;

/// Where the user sees how far the work is.
enum Face {
    Line(ProgressLine<Stderr>),
    #[cfg(feature = "tui")]
    Dashboard(Box<crate::dashboard::Dashboard>),
}

impl Face {
    fn new(run: &Run, work: &dyn Advance, first: u64) -> Self {
        let (name, total) = (work.name(), work.total());
        #[cfg(feature = "tui")]
        if run.dashboard
            && let Some(dashboard) = crate::dashboard::Dashboard::open(name, first, total)
        {
            return Self::Dashboard(Box::new(dashboard));
        }
        Self::Line(ProgressLine::on_standard_error(run.quiet, name, first, total))
    }

    fn show(&mut self, update: u64, metrics: Metrics) {
        match self {
            Self::Line(line) => line.show(update, metrics),
            #[cfg(feature = "tui")]
            Self::Dashboard(dashboard) => dashboard.show(update, &metrics),
        }
    }

    fn stop_requested(&self) -> bool {
        match self {
            Self::Line(_) => false,
            #[cfg(feature = "tui")]
            Self::Dashboard(dashboard) => dashboard.stop_requested(),
        }
    }

    fn end(self, how: &str) {
        match self {
            Self::Line(mut line) => line.end(how),
            // it gives the terminal back when it goes
            #[cfg(feature = "tui")]
            Self::Dashboard(dashboard) => drop(dashboard),
        }
    }
}

/// Writes and finds the checkpoints of one piece of work.
struct Keeper {
    root: PathBuf,
    fingerprint: String,
    policy: Policy,
}

impl Run {
    /// Advances `work` until it is done or a signal asks to stop, from the newest checkpoint where there is one.
    ///
    /// On SIGINT and SIGTERM the step at hand is finished and saved; a second signal ends the process at once. A run in
    /// memory saves nothing and leaves signals alone.
    ///
    /// # Errors
    /// What the work returns; [`Error::OtherWork`] where the checkpoint belongs to another configuration,
    /// [`Error::Damaged`] and [`Error::AllDamaged`] where it cannot be trusted, [`Error::Name`] and [`Error::Setting`]
    /// for a name or a policy that cannot be, [`Error::Io`]. The last checkpoint stays as it is.
    pub fn drive(&mut self, work: &mut dyn Advance, policy: &Policy) -> Result<Outcome> {
        policy.check()?;
        check_name("a piece of work", work.name())?;
        let keeper = match self.dir() {
            None => None,
            Some(dir) => Some(Keeper {
                root: dir.join("checkpoints").join(work.name()),
                fingerprint: blake3::Hash::from(work.fingerprint()?).to_hex().to_string(),
                policy: *policy,
            }),
        };
        let mut at = Position::default();
        if let Some(keeper) = &keeper
            && let Some(found) = self.restore(keeper, work)?
        {
            if let Some(reason) = found.done {
                return Ok(Outcome::Finished { reason });
            }
            at = found.at;
        }
        if let Some(folder) = &mut self.folder {
            folder.log.rewind(work.name(), at.update)?;
        }
        let mut face = Face::new(self, work, at.update);
        let outcome = self.go_on(work, at, keeper.as_ref(), &mut face);
        face.end(&match &outcome {
            Ok(Outcome::Finished { reason }) => format!("finished: {reason}"),
            Ok(Outcome::Stopped { signal }) => format!("stopped by signal {signal}, saved"),
            Err(_) => "failed".to_string(),
        });
        outcome
    }

    /// Gives `work` the state of its newest checkpoint.
    fn restore(&mut self, keeper: &Keeper, work: &mut dyn Advance) -> Result<Option<Stamp>> {
        let Some(found) = Checkpoint::newest(&keeper.root, self.strict)? else {
            return Ok(None);
        };
        for warning in found.warnings() {
            self.warn(format!("{warning}; going on from {}", found.dir().display()));
        }
        let stamp = found.stamp();
        if stamp.fingerprint != keeper.fingerprint {
            let short = |text: &str| text.chars().take(12).collect();
            return Err(Error::OtherWork {
                dir: found.dir().to_path_buf(),
                work: work.name().to_string(),
                found: short(&stamp.fingerprint),
                expected: short(&keeper.fingerprint),
            });
        }
        work.load(found.reader())?;
        Ok(Some(stamp.clone()))
    }

    fn go_on(
        &mut self,
        work: &mut dyn Advance,
        mut at: Position,
        keeper: Option<&Keeper>,
        face: &mut Face,
    ) -> Result<Outcome> {
        let signals = keeper.map(|_| StopSignals::listen()).transpose()?;
        let monitor = self.monitor().clone();
        let save = |work: &dyn Advance, at, done| match keeper {
            Some(keeper) => monitor.phase("checkpoint", || keeper.save(work, at, done)),
            None => Ok(()),
        };
        let mut unsaved = 0;
        loop {
            let asked = face.stop_requested().then_some(INTERRUPT);
            if let Some(signal) = asked.or_else(|| signals.as_ref().and_then(StopSignals::received)) {
                if unsaved > 0 {
                    save(work, at, None)?;
                }
                return Ok(Outcome::Stopped { signal });
            }
            let Progress { metrics, done } = monitor.phase("advance", || work.advance(at))?;
            // Checkpoints are ordered by this number, whatever the work says of stages and epochs.
            at = Position { update: at.update + 1, ..work.next(at) };
            unsaved += 1;
            if let Some(folder) = &mut self.folder {
                monitor.phase("log", || folder.log.append(Some((work.name(), at.update)), metrics.iter()))?;
            }
            face.show(at.update, metrics);
            if done.is_some() || keeper.is_some_and(|keeper| unsaved >= keeper.policy.save_every) {
                save(work, at, done)?;
                unsaved = 0;
            }
            if let Some(reason) = done {
                return Ok(Outcome::Finished { reason: reason.to_string() });
            }
        }
    }
}

impl Keeper {
    fn save(&self, work: &dyn Advance, at: Position, done: Option<&str>) -> Result<()> {
        let fingerprint = self.fingerprint.clone();
        let stamp = Stamp { at, fingerprint, done: done.map(str::to_string) };
        Checkpoint::write(&self.root, stamp, |set| work.save(set))?;
        Checkpoint::prune(&self.root, self.policy.keep)
    }
}
