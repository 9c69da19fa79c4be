//! `cupel cosmology train`: an estimator of the signal, learned from skies or visibilities of which it is known.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow};
use clap::Args;
use cupel::{
    cosmology::{
        KEYS, ObservationsConfig, ReadConfig, TrainingSkies,
        estimators::GaussianProcessConfig,
        model::{
            EstimatorKind, ModelConfig, ModelTraining, ObservationTraining, Place, Rehearsal, Scores,
            VisibilityTrainConfig,
        },
        network::{ModelVersion, NetworkRehearsal, NetworkTrainConfig},
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

/// Learn to find the signal from skies, or from visibilities, of which it is known; --out is the model's folder
#[derive(Args)]
pub struct Arguments {
    /// Folder of folders with obs.npy and signal_beam.npy, as `cosmology simulate` writes it; FITS, NPZ and HDF5 too
    #[arg(long, value_name = "DIR", conflicts_with_all = ["cosmopath", "galpath"], required_unless_present = "cosmopath")]
    skies: Option<PathBuf>,

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
    observations: Flags<ObservationsConfig>,
    #[command(flatten)]
    visibilities: Flags<VisibilityTrainConfig>,
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

/// What is trained on what.
#[derive(Serialize)]
pub struct Plan {
    method: String,
    train: usize,
    validation: usize,
    #[serde(skip)]
    training: Training,
    #[serde(skip)]
    place: Place,
}

/// On skies or on visibilities.
enum Training {
    Skies(Box<ModelTraining>),
    Observations(Box<ObservationTraining>),
}

/// Settings of networks that are of skies alone.
const OF_SKIES: [&str; 12] = [
    "start",
    "inputs",
    "depths",
    "coarsening",
    "members",
    "patch",
    "patches-per-batch",
    "patches-per-sky",
    "sky-shifts",
    "sky-flips",
    "weights",
    "flags",
];

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
        if self.on_observations() {
            return self.unused_on_observations();
        }
        let mut unused = self.model.settings.unused();
        let kind = self.model.settings.estimator;
        let mut leave = |names: Vec<String>, whose: &str| {
            unused.extend(names.into_iter().map(|name| (name, format!("it is of {whose}, the estimator is {kind}"))));
        };
        if kind != EstimatorKind::Gpr {
            leave(names(&self.process.settings).collect(), "Gaussian processes");
        }
        if kind == EstimatorKind::Unet {
            unused.extend(self.network.settings.unused());
        } else {
            leave(names(&self.network.settings).collect(), "networks");
            leave(OF_NETWORKS.map(str::to_owned).to_vec(), "networks");
        }
        let of_observations = names(&self.observations.settings).chain(names(&self.visibilities.settings));
        let of_observations = of_observations.filter(|name| name != "validation-fraction");
        unused
            .extend(of_observations.map(|name| (name, "it is of visibilities (--cosmopath and --galpath)".to_owned())));
        if self.validation.is_some() {
            unused.push(("validation-fraction".to_owned(), "--validation names the skies".to_owned()));
        }
        unused
    }

    fn stem(&self) -> String {
        self.method().to_string()
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let (training, counts, elements) = match &self.skies {
            Some(skies) => {
                let find = |folder: &Path| TrainingSkies::find(folder, self.input.config());
                let validation = self.validation.as_deref().map(find).transpose()?;
                let (model, process) = (self.model.settings.clone(), self.process.settings.clone());
                let (network, skies) = (self.network.settings.clone(), find(skies)?);
                let training = ModelTraining::new(model, process, network, skies, validation, session.seed())?;
                let elements = if self.method() == EstimatorKind::Unet { training.elements()? } else { 0 };
                let counts = training.counts();
                (Training::Skies(Box::new(training)), counts, elements)
            }
            None => {
                let observations = ObservationsConfig { seed: session.seed(), ..self.observations.settings.clone() };
                let (visibilities, network) = (self.visibilities.settings.clone(), self.network.settings.clone());
                let training = ObservationTraining::new(observations, visibilities, network)?;
                training.notes().iter().for_each(|note| session.note(note));
                self.without_effect().iter().for_each(|note| session.note(note));
                let (counts, elements) = (training.counts(), training.elements());
                (Training::Observations(Box::new(training)), counts, elements)
            }
        };
        let [train, validation] = counts;
        let others = self.devices.iter().map(|name| Ok(device::select(name)?.device)).collect::<Result<_>>()?;
        let casting = match self.method() {
            EstimatorKind::Unet => session.casting(Work { elements, reduced_precision_pays_from: LARGE_WORK })?,
            _ => Casting::f32(),
        };
        let place = Place { device: session.device()?.device.clone(), others, casting };
        Ok(Plan { method: self.method().to_string(), train, validation, training, place })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Outcome> {
        if let Some(rehearsal) = self.rehearsal() {
            return Ok(Outcome::Rehearsed(match &plan.training {
                Training::Skies(training) => training.rehearse(rehearsal?, &plan.place)?,
                Training::Observations(training) => training.rehearse(rehearsal?, &plan.place)?,
            }));
        }
        if self.method() == EstimatorKind::Unet {
            let (device, seed) = (session.device()?.clone(), session.seed());
            session.run().describe(&device, &plan.place.casting, seed)?;
        }
        let run_dir = session.dir()?;
        let learned = |chosen: &[String], validation: &Scores, seconds: f64| Learned {
            method: plan.method.clone(),
            chosen: chosen.to_vec(),
            validation: validation.clone(),
            seconds,
            run_dir: run_dir.clone(),
        };
        let page = || Report::new(run_dir.clone(), "A model of the 21-cm signal");
        let learned = match &plan.training {
            Training::Skies(training) => {
                let trained = training.run(session.run(), &plan.place)?;
                trained.model.save(&run_dir)?;
                let learned = learned(&trained.chosen, &trained.model.about().validation, trained.seconds);
                let mut report = page();
                plan.report(&learned, &mut report)?;
                trained.show(&mut report)?;
                report.save()?;
                learned
            }
            Training::Observations(training) => {
                let trained = training.run(session.run(), &plan.place)?;
                trained.model.save(&run_dir)?;
                let learned = learned(&trained.chosen, &trained.model.about().validation, trained.seconds);
                let mut report = page();
                plan.report(&learned, &mut report)?;
                trained.show(&mut report);
                report.save()?;
                learned
            }
        };
        Ok(Outcome::Trained(Box::new(learned)))
    }
}

impl Plan {
    fn report(&self, learned: &Learned, report: &mut Report<'_>) -> Result<()> {
        report.summary(format!("Learned from {} skies; the numbers are of {} others.", self.train, self.validation));
        report.numbers(learned)?;
        let mut table =
            Table::new().text_column("method").number_column("r", "", 4).number_column("residual / truth", "", 4);
        for (name, score) in &learned.validation {
            table.push([name.as_str().into(), score.r.into(), score.residual_ratio.into()])?;
        }
        report.table("validation", "Means over the validation skies, each channel without its mean.", table);
        Ok(())
    }
}

/// The names of settings.
fn names<S: Settings>(settings: &S) -> impl Iterator<Item = String> + use<S> {
    settings.list().into_iter().map(|setting| setting.name)
}

impl Arguments {
    fn on_observations(&self) -> bool {
        self.observations.settings.cosmopath.is_some()
    }

    /// Visibilities have the network alone.
    fn method(&self) -> EstimatorKind {
        if self.on_observations() { EstimatorKind::Unet } else { self.model.settings.estimator }
    }

    /// The network as it is trained on visibilities, which are v1 unless told otherwise.
    fn network_on_observations(&self) -> NetworkTrainConfig {
        let mut network = self.network.settings.clone();
        network.model_version.get_or_insert(ModelVersion::V1);
        network
    }

    /// What is an error: what visibilities do not have, and what none of the original's files says.
    fn unused_on_observations(&self) -> Vec<(String, String)> {
        let of_skies = OF_SKIES.map(str::to_owned).into_iter().chain(names(&ReadConfig::default()));
        let of_skies = of_skies.chain(names(&GaussianProcessConfig::default()));
        let of_skies = of_skies.map(|name| (name, "it is of skies, and visibilities are trained on".to_owned()));
        let mut unused: Vec<_> = of_skies.collect();
        let why = [
            ("modes", "the components of visibilities are --n-fg"),
            ("validation", "the files for validation are a share of the others, --validation-fraction"),
            ("freq-axis", "it follows from --layout"),
        ];
        unused.extend(why.map(|(name, why)| (name.to_owned(), why.to_owned())));
        if self.model.settings.estimator != EstimatorKind::Unet {
            unused.push(("estimator".to_owned(), "on visibilities there is the network alone, unet".to_owned()));
        }
        if !self.visibilities.settings.use_delay_loss {
            unused.push(("delay-noise".to_owned(), "there is no --use-delay-loss".to_owned()));
        }
        let known: Vec<String> = unused.iter().map(|(name, _)| name.clone()).collect();
        let of_the_original = |name: &str| KEYS.iter().any(|(_, flag)| *flag == Some(name));
        let more = self.network_on_observations().unused().into_iter();
        let skip = |name: &str| known.iter().any(|own| own == name) || name == "delay-noise" || of_the_original(name);
        unused.extend(more.filter(|(name, _)| !skip(name)));
        unused
    }

    /// What is no error: settings of the original's files, which say everything even where it has no effect; those that differ from what holds
    /// unless told otherwise are named.
    fn without_effect(&self) -> Vec<String> {
        let network = self.network_on_observations();
        let list = self.network.settings.list();
        let changed = |name: &str| list.iter().any(|own| own.name == name && own.value != own.default);
        let unused = network.unused().into_iter().filter(|(name, _)| changed(name) && name != "delay-noise");
        unused.map(|(name, why)| format!("warning: --{name} has no effect: {why}")).collect()
    }

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
