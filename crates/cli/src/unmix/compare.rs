//! `cupel unmix compare`: several methods on one scene, mean and standard deviation over seeds.

use anyhow::Result;
use clap::Args;
use cupel::{
    settings::Settings,
    unmixing::{Comparison, ComparisonConfig, UnmixingConfig},
};

use super::scene::{SceneArguments, Task};
use crate::{
    Command, Flags, Session,
    shared::{Computation, Shared},
};

/// Compare methods on one scene
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    scene: SceneArguments,
    #[command(flatten)]
    comparison: Flags<ComparisonConfig>,
    #[command(flatten)]
    computation: Computation,
}

impl Arguments {
    fn config(&self, session: &Session) -> ComparisonConfig {
        let own = &self.comparison.settings;
        ComparisonConfig::new(own.methods().to_vec(), UnmixingConfig { seed: session.seed(), ..own.unmixing })
    }
}

impl Command for Arguments {
    type Plan = Task;
    type Outcome = Comparison;
    const GROWING: &'static [&'static str] = &["runs"];

    fn shared(&self) -> Shared<'_> {
        self.computation.shared()
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.comparison.settings.unused()
    }

    fn stem(&self) -> String {
        format!("compare-{}", self.scene.stem())
    }

    fn plan(&self, session: &Session) -> Result<Task> {
        let config = self.config(session);
        let common = (config.unmixing, config.methods());
        self.scene.task(session, common, false, |unmixing, source| unmixing.plan_comparison(&config, source))
    }

    fn work(self, task: Task, session: &mut Session) -> Result<Comparison> {
        let comparison = task.unmixing.compare(&self.config(session), &task.source, session.run())?;
        comparison.notes.iter().for_each(|note| session.note(note));
        comparison.suggestion.iter().for_each(|suggestion| session.note(&suggestion.reason));
        Ok(comparison)
    }
}
