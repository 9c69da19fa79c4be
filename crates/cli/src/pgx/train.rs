//! `cupel pgx train`: models fitted, blended and calibrated in a run folder that is the model's folder too.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use cupel::{
    pharmacogenomics::{
        EffectConfig, EffectFit, Encoder, Evaluation, EvaluationConfig, Evidence, FieldNetConfig, HeadLoss,
        Interaction, Leakage, Member, MemberConfig, Model, Network, NetworkConfig, Origin, TrainConfig, Training,
        atc_levels, model_card, save_report,
    },
    report::write_report,
    train::{Casting, Clip, EarlyStopping, Optimizer, StageConfig, Trainer, Work, device},
};
use serde::Serialize;

use super::{
    evaluate::{STRATA, Shown},
    table::{Loaded, TableArguments},
};
use crate::{
    Ending,
    folder::{Opened, close_run, open_run, run_dir},
    options::Options,
    output::Output,
};

/// Fit models to a table, calibrate them on its validation part, and save them
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    pub table: TableArguments,

    #[command(flatten)]
    pub models: ModelArguments,

    /// Train the network on one batch alone, say how the loss falls, and save nothing
    #[arg(long, value_name = "UPDATES", num_args = 0..=1, default_missing_value = "200")]
    pub overfit_one_batch: Option<u64>,

    /// Try learning rates from low to high on the network, name a good one, and save nothing
    #[arg(long, value_name = "LOW,HIGH", value_delimiter = ',', num_args = 0..=1, default_missing_values = ["1e-5", "1"], conflicts_with = "overfit_one_batch")]
    pub learning_rate_range: Option<Vec<f64>>,

    /// Devices that share the batches of the network's updates with --device
    #[arg(long, value_name = "DEVICES", value_delimiter = ',')]
    pub devices: Vec<String>,

    #[command(flatten)]
    pub options: Options,
}

/// Which models, and how they are fitted.
#[derive(Args, Clone, Debug, Serialize)]
pub struct ModelArguments {
    /// Models that answer together: majority, counts, sites, neighbours, linear, linear-crosses, boosting, network
    #[arg(
        long,
        value_name = "MODELS",
        value_delimiter = ',',
        default_value = "counts,sites,neighbours,linear,linear-crosses,boosting,network"
    )]
    pub models: Vec<String>,

    /// Most iterations of a logistic regression [default: 100]
    #[arg(long, value_name = "N")]
    pub iterations: Option<usize>,

    /// Inverse of the penalty on the squared weights of a logistic regression
    #[arg(long, value_name = "C", default_value_t = 0.3)]
    pub inverse_penalty: f64,

    /// Value of the parts of a name, such as the alleles of a diplotype; 0 for none
    #[arg(long, value_name = "VALUE", default_value_t = 0.5)]
    pub parts: f64,

    /// Value of beginnings and ends of the names of drugs; 0 for none
    #[arg(long, value_name = "VALUE", default_value_t = 0.3)]
    pub stems: f64,

    /// Table with the columns Drug and ATC, whose classes of drugs logistic regressions and networks read; none for none
    /// [default: raw/pypgx_cpic-table.csv beside the table, where it is there]
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub atc: Option<PathBuf>,

    /// Value of two names together, of linear-crosses
    #[arg(long, value_name = "VALUE", default_value_t = 0.5)]
    pub crosses: f64,

    /// Value of a whole allele more than the comparison has, such as 0.7; 0 for none
    #[arg(long, value_name = "VALUE", default_value_t = 0.0)]
    pub contrasts: f64,

    /// Share of names taken for unknown in a second copy of the rows of a logistic regression, such as 0.2; 0 for no copy
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    pub hidden_names: f64,

    /// What a row of that copy counts for
    #[arg(long, value_name = "ROWS", default_value_t = 0.5)]
    pub copies: f64,

    /// Rows that the coarser level counts for, of counts and boosting
    #[arg(long, value_name = "ROWS", default_value_t = 3.0)]
    pub strength: f64,

    /// How much more the nearer rows weigh, of neighbours
    #[arg(long, value_name = "POWER", default_value_t = 0.15)]
    pub sharpness: f64,

    /// Rows without likeness that the prior counts for, of neighbours
    #[arg(long, value_name = "ROWS", default_value_t = 4.0)]
    pub belief: f64,

    /// Most trees of a booster, of which there is one for each class
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub trees: usize,

    /// Most splits from the root of a tree to a leaf, of boosting
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub depth: usize,

    /// Share of a tree that is added, of boosting
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub shrinkage: f64,

    /// Share of truths that the sets of answers are to hold
    #[arg(long, value_name = "SHARE", default_value_t = 0.9)]
    pub coverage: f64,

    /// Folds of the training part by which every model is fitted again, so that training rows too can choose blend, calibration and thresholds;
    /// 0 leaves these to the validation part alone and takes a fifth of the time
    #[arg(long, value_name = "FOLDS", default_value_t = 5)]
    pub cross_fit: usize,

    /// Most epochs of the network
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub epochs: u64,

    /// Epochs without a better validation loss after which the network is done
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub patience: u64,

    /// Rows of a step of the network
    #[arg(long, value_name = "ROWS", default_value_t = 512)]
    pub batch: usize,

    /// Learning rate of the network
    #[arg(long, value_name = "RATE", default_value_t = 2e-3)]
    pub learning_rate: f64,

    /// Weight decay of the network
    #[arg(long, value_name = "DECAY", default_value_t = 1e-2)]
    pub weight_decay: f64,

    /// Components of an embedding
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub embedding: usize,

    /// Width of the layers of the network
    #[arg(long, value_name = "N", default_value_t = 256)]
    pub hidden: usize,

    /// Layers of the network
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub layers: usize,

    /// Share of activations dropped in training
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub dropout: f64,

    /// Share of names taken for unknown in training
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub unknown_dropout: f64,

    /// Share of the truth spread over the classes
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub smoothing: f64,

    /// Leave parts and stems of names out of the network
    #[arg(long)]
    pub no_name_parts: bool,

    /// What pairs of embeddings say
    #[arg(long, value_enum, default_value_t = Pairing::Pairs)]
    pub interaction: Pairing,

    /// Leave out the weight per name and class
    #[arg(long)]
    pub no_first_order: bool,

    /// Layers of the attention encoder
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub attention: usize,

    /// Normalise after attention, as the original does, instead of before it
    #[arg(long)]
    pub norm_last: bool,

    /// The layers of the network see a class token after attention instead of the fields, as in the FT-Transformer
    #[arg(long, requires = "attention")]
    pub class_token: bool,

    /// Interacting layers of AutoInt
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub interacting: usize,

    /// Cross layers of DCNv2
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub cross: usize,

    /// The loss of every head
    #[arg(long, value_enum, default_value_t = Losses::CrossEntropy)]
    pub loss: Losses,

    /// Exponent of the focal loss
    #[arg(long, value_name = "GAMMA", default_value_t = 2.0)]
    pub gamma: f64,

    /// Rare classes weigh more
    #[arg(long)]
    pub class_weights: bool,

    /// Every step updates the embeddings of all names, and not only of those in its batch
    #[arg(long)]
    pub dense_tables: bool,

    /// Targets weigh by a learned uncertainty
    #[arg(long)]
    pub uncertainty: bool,
}

/// Where the classes of drugs are looked for, beside the table.
const DRUG_CLASSES: &str = "raw/pypgx_cpic-table.csv";

/// What pairs of embeddings say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Pairing {
    /// A dot product per pair
    Pairs,
    /// A dot product per pair after a matrix of its own
    Matrices,
    /// The vector of products, summed over pairs
    Bi,
    /// The sum of all dot products
    Scalar,
    /// Nothing
    None,
}

/// The loss of every head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Losses {
    /// Cross-entropy
    CrossEntropy,
    /// Focal
    Focal,
    /// Focal with a gamma that falls as the batch gets better
    AdaptiveFocal,
    /// Cross-entropy with a linear term
    Poly,
    /// Asymmetric, for labels
    Asymmetric,
}

impl ModelArguments {
    /// The settings for the library.
    ///
    /// # Errors
    /// A model that is not known.
    pub fn config(&self, table: Option<&Path>, seed: u64) -> Result<TrainConfig> {
        let mut members = Vec::new();
        let attributes = self.drug_classes(table).map(|path| atc_levels(&path)).transpose()?.unwrap_or_default();
        for name in &self.models {
            let Some(mut member) = MemberConfig::named(name.trim()) else {
                bail!(
                    "--models: there is no model {name:?}; there are majority, counts, sites, neighbours, linear, linear-crosses, boosting and network"
                );
            };
            match &mut member {
                MemberConfig::Linear(linear) => {
                    linear.inverse_penalty = self.inverse_penalty;
                    linear.tokens.parts = self.parts;
                    linear.tokens.stems = self.stems;
                    linear.tokens.attributes.clone_from(&attributes);
                    linear.tokens.contrast.value = self.contrasts;
                    linear.tokens.unknown = self.hidden_names;
                    linear.copies = self.copies;
                    if linear.tokens.crosses > 0.0 {
                        linear.tokens.crosses = self.crosses;
                    }
                    linear.iterations = self.iterations.unwrap_or(linear.iterations);
                }
                MemberConfig::Counts(counts) => counts.strength = self.strength,
                MemberConfig::Neighbours(neighbours) => {
                    (neighbours.sharpness, neighbours.strength) = (self.sharpness, self.belief);
                }
                MemberConfig::Boosting(boosting) => {
                    (boosting.trees, boosting.depth) = (self.trees, self.depth);
                    (boosting.shrinkage, boosting.strength) = (self.shrinkage, self.strength);
                }
                MemberConfig::Network(network) => {
                    **network = NetworkConfig { attributes: attributes.clone(), ..self.network() };
                }
                _ => {}
            }
            members.push(member);
        }
        Ok(TrainConfig { members, coverage: self.coverage, cross_fit: self.cross_fit, seed })
    }

    /// The table of the classes of drugs.
    fn drug_classes(&self, table: Option<&Path>) -> Option<PathBuf> {
        match &self.atc {
            Some(path) => (path != Path::new("none")).then(|| path.clone()),
            None => table.map(|table| table.with_file_name(DRUG_CLASSES)).filter(|path| path.is_file()),
        }
    }

    fn network(&self) -> NetworkConfig {
        let interaction = match self.interaction {
            Pairing::Pairs => Interaction::Pairs,
            Pairing::Matrices => Interaction::Matrices,
            Pairing::Bi => Interaction::Bi,
            Pairing::Scalar => Interaction::Scalar,
            Pairing::None => Interaction::None,
        };
        let loss = match self.loss {
            Losses::CrossEntropy => HeadLoss::CrossEntropy,
            Losses::Focal => HeadLoss::Focal(self.gamma),
            Losses::AdaptiveFocal => HeadLoss::AdaptiveFocal,
            Losses::Poly => HeadLoss::Poly(1.0),
            Losses::Asymmetric => HeadLoss::Asymmetric,
        };
        let stage = StageConfig {
            optimizer: Optimizer::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: self.weight_decay },
            learning_rate: self.learning_rate,
            epochs: self.epochs,
            clip: Clip::GlobalNorm(1.0),
            early_stopping: Some(EarlyStopping { patience: self.patience, minimum_delta: 0.0 }),
            ..StageConfig::default()
        };
        NetworkConfig {
            net: FieldNetConfig {
                embedding: self.embedding,
                hidden: self.hidden,
                layers: self.layers,
                dropout: self.dropout,
                interaction,
                first_order: !self.no_first_order,
                attention: self.attention,
                norm_first: !self.norm_last,
                class_token: self.class_token,
                interacting: self.interacting,
                cross: self.cross,
                ..FieldNetConfig::default()
            },
            effect: EffectConfig {
                batch: self.batch,
                unknown_dropout: self.unknown_dropout,
                smoothing: self.smoothing,
                loss,
                class_weights: self.class_weights,
                sparse: !self.dense_tables,
                uncertainty: self.uncertainty,
            },
            stage,
            parts: !self.no_name_parts,
            ..NetworkConfig::default()
        }
    }
}

/// Everything that decides a run, as `config.toml` keeps it.
#[derive(Clone, Debug, Serialize)]
struct Settings {
    command: &'static str,
    table: TableArguments,
    models: ModelArguments,
    options: Options,
}

/// What `train` prints: the measures on the validation part.
#[derive(Serialize)]
struct Printed {
    run_dir: String,
    part: &'static str,
    leakage: Leakage,
    #[serde(flatten)]
    evaluation: Evaluation,
}

impl Arguments {
    /// Trains.
    ///
    /// # Errors
    /// Bad input before anything is written; a run that fails.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        let output = Output::new(&self.options);
        let config = self.models.config(self.table.table.as_deref(), self.options.seed)?;
        if let Some(classes) = self.models.drug_classes(self.table.table.as_deref()) {
            output.note(format_args!("classes of drugs from {}", classes.display()));
        }
        let loaded = self.table.load(&self.table.schema()?, &[STRATA])?;
        let leakage = Leakage::of(&loaded.examples, &loaded.parts, &[])?;
        if let Err(refusal) = leakage.refuse() {
            output.note(format_args!("warning: {refusal}"));
        }
        let device = device::select(&self.options.device)?;
        let work = Work { elements: self.models.batch * self.models.hidden, reduced_precision_pays_from: LARGE_WORK };
        let casting = self.options.precision().resolve(&device.device, work)?;
        let dir = run_dir(&self.options, self.table.stem(), "pgx")?;
        let mut training = Training::new(&config, &loaded.examples, &loaded.parts, &device.device)?;
        let mut trainer = self.trainer(&config, &loaded, &training, casting.clone(), &device)?;
        if self.overfit_one_batch.is_some() || self.learning_rate_range.is_some() {
            let Some((_, trainer)) = &mut trainer else { bail!("there is no network among --models to try") };
            output.result(&self.rehearse(trainer)?)?;
            return Ok(Ending::Done);
        }
        if self.options.dry_run {
            if let Some((_, trainer)) = &mut trainer {
                let metrics = trainer.dry_run()?;
                output.note(format_args!(
                    "one batch went through the network: loss {:.4}",
                    metrics.get("loss").unwrap_or(f64::NAN)
                ));
            }
            output.note(format_args!(
                "{} rows would train {}, {} calibrate them; the model would go to {}",
                loaded.parts.train.len(),
                self.models.models.join(", "),
                loaded.parts.validation.len(),
                dir.display()
            ));
            return Ok(Ending::Done);
        }
        let settings = Settings { command: "pgx train", table: self.table, models: self.models, options: self.options };
        let mut run = match open_run(&dir, &settings, (&settings.options, false), (&device, &casting), output)? {
            Opened::Earlier(earlier) => {
                output.result(&earlier)?;
                return Ok(Ending::Done);
            }
            Opened::Run(run) => run,
        };
        let policy = settings.options.saving();
        if let Some((index, mut trainer)) = trainer {
            run.drive(&mut trainer, &policy)?;
            let MemberConfig::Network(network) = &config.members[index] else { bail!("no network at {index}") };
            let network = Network::of_trainer(network, trainer, &loaded.examples, &loaded.parts, &device.device)?;
            training = training.with_fitted(index, Member::Network(Box::new(network)));
        }
        run.drive(&mut training, &policy)?;
        let evaluation = save_model(training, &loaded, &leakage, &dir, settings.options.seed)?;
        let printed = Printed { run_dir: dir.display().to_string(), part: "val", leakage, evaluation };
        close_run(&mut run, false, &printed, output)?;
        write_report(&dir)?;
        output.result(&printed)?;
        Ok(Ending::Done)
    }
}

impl Arguments {
    /// The training of the network, where there is one, with its place among the models.
    fn trainer(
        &self,
        config: &TrainConfig,
        loaded: &Loaded,
        training: &Training<'_>,
        casting: Casting,
        device: &device::Selected,
    ) -> Result<Option<(usize, Trainer<EffectFit>)>> {
        let mut networks = config.members.iter().enumerate().filter_map(|(index, member)| match member {
            MemberConfig::Network(network) => Some((index, network)),
            _ => None,
        });
        let Some((index, network)) = networks.next() else { return Ok(None) };
        if networks.next().is_some() {
            bail!("--models names two networks; one is trained at a time");
        }
        let (classes, labels) = (training.classes(), training.labels());
        let (examples, parts, seed) = (&loaded.examples, &loaded.parts, self.options.seed);
        let mut network = (**network).clone();
        let others: Vec<_> = self.devices.iter().map(|name| Ok(device::select(name)?.device)).collect::<Result<_>>()?;
        // an update of n devices takes n batches
        network.stage.accumulation = 1 + others.len() as u64;
        let trainer = Network::trainer(&network, examples, parts, classes, labels, seed, casting, &device.device)?;
        Ok(Some((index, if others.is_empty() { trainer } else { trainer.with_devices(&others) })))
    }

    fn rehearse(&self, trainer: &mut Trainer<EffectFit>) -> Result<Rehearsal> {
        if let Some(updates) = self.overfit_one_batch {
            return Ok(Rehearsal { losses: trainer.overfit_one_batch(updates)?, rates: Vec::new(), suggestion: None });
        }
        let Some([low, high]) = self.learning_rate_range.as_deref() else {
            bail!("--learning-rate-range takes two rates, such as 1e-5,1");
        };
        let range = trainer.learning_rate_range(*low, *high, RANGE_UPDATES)?;
        let (rates, losses) = range.points.iter().map(|point| (point.learning_rate, point.loss)).unzip();
        Ok(Rehearsal { losses, rates, suggestion: Some(range.suggestion) })
    }
}

/// Values of the largest tensor of a step from which on a GPU repays half precision.
const LARGE_WORK: usize = 1 << 22;
/// Updates of a range test.
const RANGE_UPDATES: u64 = 100;

/// What a rehearsal found.
#[derive(Serialize)]
struct Rehearsal {
    losses: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    rates: Vec<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<f64>,
}

impl fmt::Display for Rehearsal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, last) = (self.losses.first().copied(), self.losses.last().copied());
        match self.suggestion {
            Some(rate) => writeln!(f, "the loss falls fastest at a learning rate of {rate:.2e}"),
            None => writeln!(
                f,
                "on one batch the loss went from {:.4} to {:.4} in {} updates",
                first.unwrap_or(f64::NAN),
                last.unwrap_or(f64::NAN),
                self.losses.len()
            ),
        }
    }
}

/// Writes the model with its card and what the report tells, and gives the measures on the validation part.
fn save_model(training: Training<'_>, loaded: &Loaded, leakage: &Leakage, dir: &Path, seed: u64) -> Result<Evaluation> {
    let Loaded { examples, parts, split } = loaded;
    let predictor = training.finish()?;
    let rows = &parts.validation;
    let strata = examples.table().column(STRATA).is_ok().then_some(STRATA);
    let config = EvaluationConfig { bootstrap: 0, seed, strata };
    let evaluation = Evaluation::of(&predictor, examples, rows, &config)?;
    let members = Evaluation::of_members(&predictor, examples, rows, &config)?;
    let origin = Origin {
        table: examples.source().to_owned(),
        table_hash: examples.hash().to_owned(),
        split: split.clone(),
        rows: [parts.train.len(), rows.len()],
        leaky: leakage.leaky,
        seed,
    };
    let encoder = Encoder::fit(examples, &parts.train)?;
    let evidence = Evidence::of(examples, &parts.train)?;
    let card = model_card(&predictor, &origin, &evaluation);
    let model = Model { predictor, encoder, evidence, origin };
    model.save(dir, &card)?;
    save_report(dir, &model, &evaluation, &members)?;
    Ok(evaluation)
}

impl fmt::Display for Printed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "on the {} part, on which thresholds and calibration were chosen:", self.part)?;
        write!(f, "{}", Shown(&self.evaluation))?;
        writeln!(f, "model and report in {}", self.run_dir)
    }
}
