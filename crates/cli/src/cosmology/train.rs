//! `cupel cosmology train`: an estimator of the signal, learned from skies of which it is known.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use clap::Args;
use cupel::{
    cosmology::{
        TrainingSkies,
        estimators::GaussianProcessConfig,
        model::{EstimatorKind, ModelConfig, ModelTraining, Place, Rehearsal, Scores},
        network::{NetworkRehearsal, NetworkTrainConfig},
    },
    report::{Report, Table},
    settings::Settings,
    train::{Casting, Work, device},
};
use serde::Serialize;

use super::input::Input;
use crate::{
    Command, Flags, Session,
    shared::{Computation, Shared},
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
    process: Flags<GaussianProcessConfig>,
    #[command(flatten)]
    network: Flags<NetworkTrainConfig>,
    #[command(flatten)]
    input: Input,

    /// Train the network on one batch alone, say how the loss falls, and save nothing
    #[arg(long, value_name = "UPDATES", num_args = 0..=1, default_missing_value = "200", help_heading = "Network training")]
    overfit_one_batch: Option<u64>,

    /// Try learning rates from low to high on the network, name a good one, and save nothing
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', num_args = 0..=1, default_missing_values = ["1e-5", "1"], conflicts_with = "overfit_one_batch", help_heading = "Network training")]
    learning_rate_range: Option<Vec<f64>>,

    /// Devices that share the batches of the network's updates with --device
    #[arg(long, value_name = "DEVICES", value_delimiter = ',', help_heading = "Network training")]
    devices: Vec<String>,

    #[command(flatten)]
    computation: Computation,
}

/// Values of the largest tensor of a step from which on a GPU repays half precision.
const LARGE_WORK: usize = 1 << 22;
/// Flags that only a network obeys, beside its settings.
const OF_NETWORKS: [&str; 7] =
    ["device", "matmul-precision", "precision", "use-amp", "devices", "overfit-one-batch", "learning-rate-range"];

/// The flags of settings.
fn names<S: Settings>() -> Vec<String> {
    S::default().list().into_iter().map(|setting| setting.name).collect()
}

/// What is trained on what.
#[derive(Serialize)]
pub struct Plan {
    method: String,
    train: usize,
    validation: usize,
    #[serde(skip)]
    training: ModelTraining,
    #[serde(skip)]
    place: Place,
}

/// What came of it.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Trained(Box<Learned>),
    Rehearsed(NetworkRehearsal),
}

/// A model that was trained.
#[derive(Serialize)]
pub struct Learned {
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
        let all = self.computation.shared();
        if self.rehearsal().is_some() { Shared { out: None, run: None, ..all } } else { all }
    }

    fn unused(&self) -> Vec<(String, String)> {
        let mut unused = self.model.settings.unused();
        let kind = self.model.settings.estimator;
        let mut leave = |names: Vec<String>, whose: &str| {
            unused.extend(names.into_iter().map(|name| (name, format!("it is of {whose}, the estimator is {kind}"))));
        };
        if kind != EstimatorKind::Gpr {
            leave(names::<GaussianProcessConfig>(), "Gaussian processes");
        }
        if kind == EstimatorKind::Unet {
            unused.extend(self.network.settings.unused());
        } else {
            leave(names::<NetworkTrainConfig>(), "networks");
            leave(OF_NETWORKS.map(str::to_owned).to_vec(), "networks");
        }
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
        let (model, process) = (self.model.settings.clone(), self.process.settings.clone());
        let (network, skies) = (self.network.settings.clone(), find(&self.skies)?);
        let training = ModelTraining::new(model, process, network, skies, validation, session.seed())?;
        let [train, validation] = training.counts();
        let others = self.devices.iter().map(|name| Ok(device::select(name)?.device)).collect::<Result<_>>()?;
        let casting = match self.model.settings.estimator {
            EstimatorKind::Unet => {
                session.casting(Work { elements: training.elements()?, reduced_precision_pays_from: LARGE_WORK })?
            }
            _ => Casting::f32(),
        };
        let place = Place { device: session.device()?.device.clone(), others, casting };
        Ok(Plan { method: self.model.settings.estimator.to_string(), train, validation, training, place })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Outcome> {
        if let Some(rehearsal) = self.rehearsal() {
            return Ok(Outcome::Rehearsed(plan.training.rehearse(rehearsal?, &plan.place)?));
        }
        if self.model.settings.estimator == EstimatorKind::Unet {
            let (device, seed) = (session.device()?.clone(), session.seed());
            session.run().describe(&device, &plan.place.casting, seed)?;
        }
        let run_dir = session.dir()?;
        let trained = plan.training.run(session.run(), &plan.place)?;
        trained.model.save(&run_dir)?;
        let learned = Learned {
            method: plan.method,
            chosen: trained.chosen.clone(),
            validation: trained.model.about().validation.clone(),
            seconds: trained.seconds,
            run_dir,
        };
        let mut report = Report::new(session.dir()?, "A model of the 21-cm signal");
        report.summary(format!("Learned from {} skies; the numbers are of {} others.", plan.train, plan.validation));
        report.numbers(&learned)?;
        let mut table =
            Table::new().text_column("method").number_column("r", "", 4).number_column("residual / truth", "", 4);
        for (name, score) in &learned.validation {
            table.push([name.as_str().into(), score.r.into(), score.residual_ratio.into()])?;
        }
        report.table("validation", "Means over the validation skies, each channel without its mean.", table);
        trained.show(&mut report)?;
        report.save()?;
        Ok(Outcome::Trained(Box::new(learned)))
    }
}

impl Arguments {
    /// What is tried in place of a training, where that is asked for.
    fn rehearsal(&self) -> Option<Result<Rehearsal>> {
        match (self.overfit_one_batch, self.learning_rate_range.as_deref()) {
            (Some(updates), _) => Some(Ok(Rehearsal::OneBatch(updates))),
            (None, Some([low, high])) => Some(Ok(Rehearsal::LearningRates([*low, *high]))),
            (None, Some(_)) => Some(Err(anyhow!("--learning-rate-range takes two rates, such as 1e-5,1"))),
            (None, None) => None,
        }
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
        match self {
            Self::Trained(learned) => learned.fmt(f),
            Self::Rehearsed(rehearsal) => rehearsal.fmt(f),
        }
    }
}

impl fmt::Display for Learned {
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
