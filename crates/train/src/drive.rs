//! The one loop over [`Advance`]: resume, advance, log, show, save, stop.

use crate::{
    Advance, Checkpoint, Error, Metrics, Position, Progress, Result, Run, Stamp,
    folder::CHECKPOINTS,
    progress::ProgressLine,
    set::check_name,
    stop::{self, Listening},
};
use std::{
    io::Stderr,
    path::{Path, PathBuf},
    time::Instant,
};

/// Most seconds of work that a kill may cost, where saving is cheap.
const MOST_UNSAVED: f64 = 30.0;
/// Most of the time that saving may take.
const SHARE: f64 = 0.03;

/// How often and how much to save.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Advances from one checkpoint to the next, at least 1; `None` to save after 30 seconds of work, and later where saving
    /// would take more than 3 % of the time. The end and a signal save in any case.
    pub save_every: Option<u64>,
    /// Checkpoints to keep; at least 1, and with 2 a damaged one still has another to fall back to.
    pub keep: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { save_every: None, keep: 2 }
    }
}

impl Policy {
    fn check(&self) -> Result<()> {
        let wrong = |name| Err(Error::Setting { name, got: "0".into(), expected: "a number of at least 1" });
        match self {
            Self { save_every: Some(0), .. } => wrong("save_every"),
            Self { keep: 0, .. } => wrong("keep"),
            _ => Ok(()),
        }
    }
}

/// How work came to its end, over all processes that had a part in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Driven {
    /// Why nothing was left to do.
    pub reason: String,
    /// Time taken, in seconds, without what was lost to kills.
    pub seconds: f64,
    /// Advances made.
    pub updates: u64,
}

/// When the next checkpoint is due, by what they cost.
struct Rhythm {
    every: Option<u64>,
    /// Advances and seconds since the last one.
    advances: u64,
    unsaved: f64,
    /// Seconds of work and of saving altogether.
    worked: f64,
    spent: f64,
    /// Seconds that the last one took.
    cost: f64,
}

impl Rhythm {
    fn new(every: Option<u64>) -> Self {
        Self { every, advances: 0, unsaved: 0.0, worked: 0.0, spent: 0.0, cost: 0.0 }
    }

    /// Counts an advance that took so long; whether to save after it.
    fn advanced(&mut self, seconds: f64) -> bool {
        self.advances += 1;
        self.unsaved += seconds;
        self.worked += seconds;
        match self.every {
            Some(every) => self.advances >= every,
            // before it is too late: the next advance may take as long
            None => self.unsaved + seconds > MOST_UNSAVED && self.spent + self.cost <= SHARE * self.worked,
        }
    }

    fn saved(&mut self, seconds: f64) {
        self.cost = seconds;
        self.spent += seconds;
        (self.advances, self.unsaved) = (0, 0.0);
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
    fn new(run: &Run, work: &dyn Advance, first: u64, seconds: f64) -> Self {
        let (name, total) = (work.name(), work.total());
        #[cfg(feature = "tui")]
        if run.dashboard
            && let Some(dashboard) = crate::dashboard::Dashboard::open(name, first, total)
        {
            return Self::Dashboard(Box::new(dashboard));
        }
        Self::Line(ProgressLine::on_standard_error(run.quiet, name, (first, seconds), total))
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
    keep: usize,
}

impl Run {
    /// Advances `work` until it is done or a signal asks to stop, from the newest checkpoint where there is one.
    ///
    /// On SIGINT and SIGTERM the step at hand is finished and saved; a second signal ends the process at once. A run in
    /// memory saves nothing, and stops only where the process [listens](crate::stop::listen).
    ///
    /// # Errors
    /// [`Error::Stopped`] by a signal; what the work returns; [`Error::OtherWork`] and [`Error::CannotGrow`] where the
    /// checkpoint belongs to other work, [`Error::Damaged`] and [`Error::AllDamaged`] where it cannot be trusted, [`Error::Name`] and
    /// [`Error::Setting`] for a name or a policy that cannot be, [`Error::Io`]. The last checkpoint stays as it is.
    pub fn drive(&mut self, work: &mut dyn Advance, policy: &Policy) -> Result<Driven> {
        policy.check()?;
        check_name("a piece of work", work.name())?;
        let keeper = match self.dir() {
            None => None,
            Some(dir) => Some(Keeper {
                root: dir.join(CHECKPOINTS).join(work.name()),
                fingerprint: blake3::Hash::from(work.fingerprint()?).to_hex().to_string(),
                keep: policy.keep,
            }),
        };
        let (mut at, mut before) = (Position::default(), 0.0);
        if let Some(keeper) = &keeper
            && let Some(found) = self.restore(keeper, work)?
        {
            (at, before) = (found.at, found.seconds);
            if let Some(reason) = found.done
                && !work.has_more()
            {
                self.begin(work.computing())?;
                return Ok(Driven { reason, seconds: before, updates: at.update });
            }
        }
        self.begin(work.computing())?;
        if let Some(folder) = &mut self.folder {
            folder.log.rewind(work.name(), at.update)?;
        }
        let _listening = keeper.as_ref().map(|_| Listening::begin()).transpose()?;
        let mut face = Face::new(self, work, at.update, before);
        let driven = self.go_on(work, at, before, keeper.as_ref(), policy.save_every.or(self.save_every), &mut face);
        // work within the work may have been stopped, without knowing of the folder
        let driven = driven.map_err(|error| match error.stopped() {
            Some(signal) => Error::Stopped { signal, dir: self.dir().map(Path::to_path_buf) },
            None => error,
        });
        face.end(&match &driven {
            Ok(driven) => format!("finished: {}", driven.reason),
            Err(Error::Stopped { .. }) => "stopped".to_string(),
            Err(_) => "failed".to_string(),
        });
        let kept = self.keep_profile();
        driven.and_then(|driven| kept.map(|_| driven))
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
            let (dir, name) = (found.dir().to_path_buf(), work.name());
            return Err(self.cannot_grow(name).unwrap_or_else(|| Error::OtherWork { dir, work: name.to_string() }));
        }
        work.load(found.reader())?;
        Ok(Some(stamp.clone()))
    }

    fn go_on(
        &mut self,
        work: &mut dyn Advance,
        mut at: Position,
        seconds_before: f64,
        keeper: Option<&Keeper>,
        save_every: Option<u64>,
        face: &mut Face,
    ) -> Result<Driven> {
        let monitor = self.monitor().clone();
        let started = Instant::now();
        let seconds = || seconds_before + started.elapsed().as_secs_f64();
        let save = |work: &dyn Advance, at, done, seconds| match keeper {
            Some(keeper) => monitor.phase("checkpoint", || keeper.save(work, at, done, seconds)),
            None => Ok(()),
        };
        let mut rhythm = Rhythm::new(save_every);
        loop {
            let asked = face.stop_requested().then_some(INTERRUPT);
            if let Some(signal) = asked.or_else(stop::requested) {
                if rhythm.advances > 0 {
                    save(work, at, None, seconds())?;
                }
                return Err(Error::Stopped { signal, dir: None });
            }
            let began = Instant::now();
            let Progress { metrics, done } = monitor.phase("advance", || work.advance(at))?;
            // Checkpoints are ordered by this number, whatever the work says of stages and epochs.
            at = Position { update: at.update + 1, ..work.next(at) };
            if let Some(folder) = &mut self.folder {
                monitor.phase("log", || folder.log.append(Some((work.name(), at.update)), metrics.iter()))?;
            }
            face.show(at.update, metrics);
            if rhythm.advanced(began.elapsed().as_secs_f64()) || done.is_some() {
                let seconds = seconds();
                let began = Instant::now();
                save(work, at, done, seconds)?;
                rhythm.saved(began.elapsed().as_secs_f64());
                if let Some(reason) = done {
                    return Ok(Driven { reason: reason.to_string(), seconds, updates: at.update });
                }
            }
        }
    }
}

impl Keeper {
    fn save(&self, work: &dyn Advance, at: Position, done: Option<&str>, seconds: f64) -> Result<()> {
        let fingerprint = self.fingerprint.clone();
        let stamp = Stamp { at, fingerprint, done: done.map(str::to_string), seconds };
        Checkpoint::write(&self.root, stamp, |set| work.save(set))?;
        Checkpoint::prune(&self.root, self.keep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seconds of work lost at most, and the share of the time that saving took, over `hours` of advances.
    fn simulate(step: f64, cost: f64, hours: f64) -> (f64, f64) {
        let mut rhythm = Rhythm::new(None);
        let mut lost: f64 = 0.0;
        while rhythm.worked < hours * 3600.0 {
            let due = rhythm.advanced(step);
            lost = lost.max(rhythm.unsaved);
            if due {
                rhythm.saved(cost);
            }
        }
        (lost, rhythm.spent / (rhythm.spent + rhythm.worked))
    }

    #[test]
    fn cheap_checkpoints_come_every_thirty_seconds_and_dear_ones_take_three_per_cent() {
        for (step, cost) in [(0.001, 0.0), (0.02, 0.5), (7.0, 0.8), (29.0, 0.8)] {
            let (lost, share) = simulate(step, cost, 2.0);
            assert!(lost <= MOST_UNSAVED + 1e-6 && share < SHARE, "{step} {cost}: {lost} s, {share}");
        }
        for (step, cost) in [(0.02, 5.0), (1.0, 60.0), (100.0, 1.0), (100.0, 20.0)] {
            let (lost, share) = simulate(step, cost, 24.0);
            assert!(share < SHARE, "{step} {cost}: {share}");
            assert!(lost <= (3.0 * cost / SHARE).max(step) + step, "{step} {cost}: {lost} s");
        }
    }
}
