//! [`Driver`]: the works of one fit within its run, and the time they took.

use std::time::Instant;

use cupel_train::{Advance, PerformanceMonitor, Policy, Run};

use crate::Result;

/// Drives works one after the other and keeps the time of all processes that had a part in them.
pub(crate) struct Driver<'a> {
    run: &'a mut Run,
    policy: &'a Policy,
    started: Instant,
    /// Seconds that earlier processes worked.
    before: f64,
}

impl<'a> Driver<'a> {
    pub(crate) fn new(run: &'a mut Run, policy: &'a Policy) -> Self {
        Self { run, policy, started: Instant::now(), before: 0.0 }
    }

    pub(crate) fn drive(&mut self, work: &mut dyn Advance) -> Result<()> {
        let began = Instant::now();
        let driven = self.run.drive(work, self.policy)?;
        self.before += (driven.seconds - began.elapsed().as_secs_f64()).max(0.0);
        Ok(())
    }

    pub(crate) fn monitor(&self) -> PerformanceMonitor {
        self.run.monitor().clone()
    }

    pub(crate) fn phase<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        self.run.monitor().phase(name, work)
    }

    /// Seconds since the start, with those of earlier processes.
    pub(crate) fn seconds(&self) -> f64 {
        self.before + self.started.elapsed().as_secs_f64()
    }
}
