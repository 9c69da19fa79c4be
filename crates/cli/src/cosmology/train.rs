//! `cupel cosmology train`: an estimator of the signal, learned from skies of which it is known.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::Result;
use clap::Args;
use cupel::{
    cosmology::{
        TrainingSkies,
        model::{ModelConfig, ModelTraining, Scores},
    },
    report::{Report, Table},
    settings::Settings,
};
use serde::Serialize;

use super::input::Input;
use crate::{
    Command, Flags, Session,
    shared::{Output, RunFolder, Seed, Shared, Threads},
};

/// Learn to find the signal from skies of which it is known; --out is the model's folder
#[derive(Args)]
pub struct Arguments {
    /// Folder of folders with obs.npy and signal_beam.npy, as `cosmology simulate` writes it; FITS, NPZ and HDF5 too
    #[arg(long, value_name = "DIR")]
    skies: PathBuf,

    /// The same with skies that no fit sees [default: a share of --skies]
    #[arg(long, value_name = "DIR")]
    validation: Option<PathBuf>,

    #[command(flatten)]
    model: Flags<ModelConfig>,
    #[command(flatten)]
    input: Input,

    #[command(flatten)]
    seed: Seed,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    run: RunFolder,
    #[command(flatten)]
    output: Output,
}

/// What is trained on what.
#[derive(Serialize)]
pub struct Plan {
    method: String,
    train: usize,
    validation: usize,
    #[serde(skip)]
    training: ModelTraining,
}

/// What came of it.
#[derive(Serialize)]
pub struct Outcome {
    method: String,
    chosen: Vec<String>,
    validation: Scores,
    seconds: f64,
    run_dir: PathBuf,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Outcome;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).seed(&self.seed).threads(&self.threads).run(&self.run)
    }

    fn unused(&self) -> Vec<(String, String)> {
        let mut unused = self.model.settings.unused();
        if self.validation.is_some() {
            unused.push(("validation-fraction".to_owned(), "--validation names the skies".to_owned()));
        }
        unused
    }

    fn stem(&self) -> String {
        self.model.settings.estimator.to_string()
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let find = |folder: &Path| TrainingSkies::find(folder, self.input.config());
        let validation = self.validation.as_deref().map(find).transpose()?;
        let training = ModelTraining::new(self.model.settings.clone(), find(&self.skies)?, validation, session.seed())?;
        let [train, validation] = training.counts();
        Ok(Plan { method: self.model.settings.estimator.to_string(), train, validation, training })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Outcome> {
        let run_dir = session.dir()?;
        let trained = plan.training.run(session.run())?;
        trained.model.save(&run_dir)?;
        let outcome = Outcome {
            method: plan.method,
            chosen: trained.chosen.clone(),
            validation: trained.model.about().validation.clone(),
            seconds: trained.seconds,
            run_dir,
        };
        let mut report = Report::new(session.dir()?, "A model of the 21-cm signal");
        report.summary(format!("Learned from {} skies; the numbers are of {} others.", plan.train, plan.validation));
        report.numbers(&outcome)?;
        let mut table =
            Table::new().text_column("method").number_column("r", "", 4).number_column("residual / truth", "", 4);
        for (name, score) in &outcome.validation {
            table.push([name.as_str().into(), score.r.into(), score.residual_ratio.into()])?;
        }
        report.table("validation", "Means over the validation skies, each channel without its mean.", table);
        trained.show(&mut report)?;
        report.save()?;
        Ok(outcome)
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, train, validation, .. } = self;
        write!(f, "{train} skies would train {method}, {validation} measure how good it is")
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, chosen, validation, seconds, run_dir } = self;
        writeln!(f, "{method} ({}) in {seconds:.1} s", chosen.join(", "))?;
        writeln!(f, "{:<10} {:>10} {:>16}", "validation", "r", "residual/truth")?;
        for (name, score) in validation {
            writeln!(f, "{name:<10} {:>10.4} {:>16.4}", score.r, score.residual_ratio)?;
        }
        write!(f, "{}", run_dir.display())
    }
}
