//! [`Network`]: a trained [`FieldNet`] with the encoder of its rows.

use crate::{
    classifier::Classifier,
    counting::Counting,
    effect_fit::{EffectConfig, EffectFit, Rows, WATCHED, infer},
    encoder::{Encoded, Encoder},
    error::Result,
    examples::Examples,
    field_net::{FieldNet, Widths},
    field_net_config::{FieldNetConfig, NO_NAMES, Reads},
    name_parts::{Attributes, PARTS, STEMS, shared, with_parts},
    predictions::Predictions,
    schema::{FieldKind, TargetKind},
    splits::Parts,
    stored::{Kept, StoredNetwork},
    targets::{Classes, Labels},
};
use burn::tensor::Device;
use cupel_settings::{Range, Settings as _, settings};
use cupel_train::{
    Casting, Clip, EarlyStopping, Goal, Optimizer, Policy, Run, StageConfig, Trainer, TrainerConfig, Watch,
};
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of a [`Network`].
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(from = "StoredNetwork", into = "StoredNetwork")]
    pub struct NetworkConfig in "network" {
        /// Most epochs of the network
        pub epochs: u64 = 20, in Range::at_least(1.0), "N";
        /// Epochs without a better validation loss after which the network is done
        pub patience: u64 = 5, in Range::at_least(1.0), "N";
        /// Learning rate of the network
        pub learning_rate: f64 = 2e-3, in Range::above(0.0), "RATE";
        /// Weight decay of the network, by AdamW
        pub weight_decay: f64 = 1e-2, in Range::at_least(0.0), "DECAY";
        /// Rows that the share of a class among all rows counts for in the share among the rows of a name
        pub strength: f64 = 1.0, in Range::above(0.0), "ROWS";
        /// Folds that the numbers of the training rows are counted on, of boosting and network
        pub folds: usize as "counting-folds" = 5, in Range::at_least(2.0), "FOLDS";
        /// Leave parts and stems of names out of the network
        pub parts: Kept as "no-name-parts" = Kept(true);
    }
    parts {
        /// The shape.
        pub net: FieldNetConfig;
        /// Batches and losses.
        pub effect: EffectConfig;
    }
    beside {
        /// What is known of drugs from elsewhere, such as the levels of their ATC codes, by normalised name; it joins the stems.
        pub attributes: Attributes = Attributes::new();
        /// What else there is to say of the training; epochs, patience and rates are those above.
        pub stage: StageConfig = StageConfig { clip: Clip::GlobalNorm(1.0), ..StageConfig::default() };
    }
    needs {
        ["no-name-parts", "unknown-dropout", "dense-tables"] |own| own.net.reads != Reads::Counts => NO_NAMES;
    }
}

impl NetworkConfig {
    /// The stage with its epochs, patience and rates.
    pub fn stage(&self) -> StageConfig {
        let mut stage = self.stage.clone();
        if let Optimizer::AdamW { weight_decay, .. } = &mut stage.optimizer {
            *weight_decay = self.weight_decay;
        }
        let minimum_delta = stage.early_stopping.map_or(0.0, |stopping| stopping.minimum_delta);
        stage.early_stopping = Some(EarlyStopping { patience: self.patience, minimum_delta });
        StageConfig { learning_rate: self.learning_rate, epochs: self.epochs, ..stage }
    }

    /// What is counted on the training rows, where shares are asked for.
    fn counting(
        &self,
        examples: &Examples,
        rows: &[usize],
        classes: &[Classes],
        labels: &[Labels],
    ) -> Result<Option<Counting>> {
        if self.net.reads == Reads::Names {
            Ok(None)
        } else {
            Counting::fit(self.strength, examples, rows, classes, labels)
        }
    }
}

/// Rows whose shares are held at once.
const BLOCK_ROWS: usize = 4096;

/// A trained network.
#[derive(Clone, Debug)]
pub struct Network {
    pub(crate) config: NetworkConfig,
    pub(crate) encoder: Encoder,
    pub(crate) counting: Option<Counting>,
    pub(crate) widths: Widths,
    pub(crate) heads: Vec<(TargetKind, usize)>,
    pub(crate) net: FieldNet,
    pub(crate) device: Device,
}

/// The rows that a network is fitted to and what it learns of their names.
fn learned(
    config: &NetworkConfig,
    examples: &Examples,
    rows: &[usize],
    counting: Option<&Counting>,
) -> Result<(Encoder, Encoded)> {
    let counted_alone = examples.schema().fields.iter().all(|field| field.kind == FieldKind::Category);
    let names = config.net.reads != Reads::Counts || counting.is_none() || !counted_alone;
    if !config.parts.0 || !names {
        let encoder = Encoder::fit(examples, rows)?;
        let encoded = encoder.encode(examples)?;
        return Ok((encoder, encoded));
    }
    let shared = shared(examples, rows, &config.attributes)?;
    let examples =
        with_parts(examples, &config.attributes, |_, text| shared.get(text).is_some_and(|names| *names > 1))?;
    let encoder = Encoder::fit(&examples, rows)?;
    let encoded = encoder.encode(&examples)?;
    Ok((encoder, encoded))
}

/// What a table and its targets ask of a net.
pub(crate) fn widths(encoder: &Encoder, classes: &[Classes], counting: Option<&Counting>) -> Widths {
    let fields = &encoder.schema().fields;
    let many = (0..fields.len()).filter(|field| fields[*field].kind == FieldKind::Many);
    let lists = many.filter_map(|field| encoder.vocabulary(field).map(|names| names.len() + crate::FIRST_ID as usize));
    Widths {
        categories: encoder.sizes(),
        lists: lists.collect(),
        numbers: fields.iter().filter(|field| field.kind == FieldKind::Number).count(),
        outputs: classes.iter().map(Classes::len).sum(),
        targets: classes.len(),
        counted: counting.map(Counting::widths),
    }
}

impl Network {
    /// Prepares the training of a network; [`Run::drive`] advances it, [`of_trainer`](Self::of_trainer) takes the result.
    ///
    /// # Errors
    /// [`Error::Train`](crate::Error::Train) for a setting out of its range, [`Error::Data`](crate::Error::Data) when a field
    /// is missing.
    #[expect(
        clippy::too_many_arguments,
        reason = "each is a thing of its own; a struct of them would be used here only"
    )]
    pub fn trainer(
        config: &NetworkConfig,
        examples: &Examples,
        parts: &Parts,
        classes: &[Classes],
        labels: &[Labels],
        seed: u64,
        casting: Casting,
        device: &Device,
    ) -> Result<Trainer<EffectFit>> {
        config.check_values()?;
        let counting = config.counting(examples, &parts.train, classes, labels)?;
        let (encoder, encoded) = learned(config, examples, &parts.train, counting.as_ref())?;
        let widths = widths(&encoder, classes, counting.as_ref());
        let counted = |counting: &Counting| counting.of_parts(examples, parts, classes, labels, config.folds, seed);
        let counted = counting.as_ref().map(counted).transpose()?;
        let fit = EffectFit {
            config: config.effect.clone(),
            data: Rows::new(encoded, counted, &widths),
            classes: classes.to_vec(),
            labels: labels.to_vec(),
            train: parts.train.clone(),
            validation: parts.validation.clone(),
            row_weights: (0..examples.len()).map(|row| examples.weight(row)).collect(),
            seed,
            identity: format!(
                "{} {:?} {:?} {} {} {}",
                examples.hash(),
                examples.schema(),
                config.net,
                config.parts.0,
                config.strength,
                config.folds
            ),
            order: None,
        };
        let net = config.net.init(&widths, &device.clone().autodiff());
        let trainer = TrainerConfig {
            name: "network".into(),
            seed,
            stage: config.stage(),
            watch: Watch { metric: WATCHED.into(), goal: Goal::Lowest },
            ..TrainerConfig::default()
        };
        Ok(Trainer::new(fit, net, trainer, casting, device)?)
    }

    /// The best weights of a training.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when a field is missing.
    pub fn of_trainer(
        config: &NetworkConfig,
        trainer: Trainer<EffectFit>,
        examples: &Examples,
        parts: &Parts,
        device: &Device,
    ) -> Result<Self> {
        let heads = trainer.fit().heads();
        let (classes, labels) = (&trainer.fit().classes, &trainer.fit().labels);
        let counting = config.counting(examples, &parts.train, classes, labels)?;
        let (encoder, _) = learned(config, examples, &parts.train, counting.as_ref())?;
        let widths = widths(&encoder, classes, counting.as_ref());
        Ok(Self {
            config: config.clone(),
            encoder,
            counting,
            widths,
            heads,
            net: trainer.into_best(),
            device: device.clone(),
        })
    }

    /// Trains in memory, in f32.
    ///
    /// # Errors
    /// As [`trainer`](Self::trainer), and what the training reports.
    pub fn fit(
        config: &NetworkConfig,
        examples: &Examples,
        parts: &Parts,
        classes: &[Classes],
        labels: &[Labels],
        seed: u64,
        device: &Device,
    ) -> Result<Self> {
        let mut trainer = Self::trainer(config, examples, parts, classes, labels, seed, Casting::f32(), device)?;
        Run::in_memory().drive(&mut trainer, &Policy::default())?;
        Self::of_trainer(config, trainer, examples, parts, device)
    }

    /// The same network with its weights in 8 bits, for prediction only.
    #[must_use]
    pub fn int8(mut self) -> Self {
        self.net = self.net.int8();
        self
    }

    /// The bytes that the weights take.
    pub fn weight_bytes(&self) -> usize {
        self.net.weight_bytes()
    }
}

impl Classifier for Network {
    fn name(&self) -> &'static str {
        "network"
    }

    fn probabilities(&self, examples: &Examples, rows: &[usize]) -> Result<Vec<Predictions>> {
        let encoded = match self.encoder.schema().fields.iter().any(|field| field.name == PARTS) {
            false => self.encoder.encode(examples)?,
            true => {
                let fields = &self.encoder.schema().fields;
                let vocabulary = |list: &str| {
                    let field = fields.iter().position(|field| field.name == list);
                    field.and_then(|field| self.encoder.vocabulary(field))
                };
                let [parts, stems] = [PARTS, STEMS].map(vocabulary);
                let known = |list: &str, text: &str| {
                    let vocabulary = if list == PARTS { parts } else { stems };
                    vocabulary.is_some_and(|vocabulary| vocabulary.position(text).is_some())
                };
                self.encoder.encode(&with_parts(examples, &self.config.attributes, known)?)?
            }
        };
        let mut data = Rows::new(encoded, None, &self.widths);
        let Some(counting) = &self.counting else {
            return Ok(infer(&self.net, &data, &self.heads, rows, &self.device)?);
        };
        let none = infer(&self.net, &data, &self.heads, &[], &self.device)?;
        rows.chunks(BLOCK_ROWS).try_fold(none, |mut said, block| {
            data.counted = Some(counting.of_rows(examples, block)?);
            let own = infer(&self.net, &data, &self.heads, block, &self.device)?;
            said.iter_mut().zip(&own).for_each(|(said, own)| said.append(own));
            Ok(said)
        })
    }
}
