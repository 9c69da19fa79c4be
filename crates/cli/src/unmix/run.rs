//! `cupel unmix run`: one method on one scene, with everything a scientist wants to see.

use anyhow::Result;
use clap::Args;
use cupel::{
    settings::Settings,
    unmixing::{Method, Results, Spatial, UnmixingConfig},
};

use super::scene::{SceneArguments, Task};
use crate::{
    Command, Flags, Session,
    shared::{Computation, Shared},
};

/// Unmix a scene into endmembers and abundances
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    scene: SceneArguments,
    #[command(flatten)]
    unmixing: Flags<UnmixingConfig>,
    #[command(flatten)]
    computation: Computation,
}

impl Command for Arguments {
    type Plan = Task;
    type Outcome = Results;
    const GROWING: &'static [&'static str] = &["runs", "steps"];

    fn shared(&self) -> Shared<'_> {
        self.computation.shared()
    }

    fn unused(&self) -> Vec<(String, String)> {
        self.unmixing.settings.unused()
    }

    fn stem(&self) -> String {
        self.scene.stem()
    }

    fn plan(&self, session: &Session) -> Result<Task> {
        let config = UnmixingConfig { seed: session.seed(), ..self.unmixing.settings };
        // other methods than extractors, and neighbours, need the whole scene at once
        let tiles = Method::EXTRACTORS.contains(&config.method) && config.spatial == Spatial::None;
        self.scene.task(session, (config, &[config.method]), tiles, |unmixing, source| unmixing.plan(source))
    }

    fn work(self, task: Task, session: &mut Session) -> Result<Results> {
        let results = task.unmixing.run(&task.source, session.run())?;
        results.notes.iter().for_each(|note| session.note(note));
        results.suggestion.iter().for_each(|suggestion| session.note(&suggestion.reason));
        Ok(results)
    }
}
