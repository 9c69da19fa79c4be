//! [`decode`]: an untrained decoder fitted to measured exposures.
//!
//! By default every step sees measured exposures: the newest one with some of those before it while they come in one by one, and then
//! some of all ([`Rule::Measured`]). [`Rule::Original`] is the rule of the original PRISM: at each exposure the optimiser starts anew, and
//! what holds the image to the earlier exposures is not their data but its own last output, seen through all windows so far at once.

mod fill;
mod fit;
mod of_image;
mod view;

use burn::tensor::Device;
use cupel_settings::{Range, Settings, choices, settings};
use cupel_train::{Advance, Casting, Goal, Policy, Run, Trainer, TrainerConfig, Watch};
use serde::{Deserialize, Serialize};

pub use fill::filled;
pub use fit::{Batch, Progressive, Seen};
use view::View;

use crate::{
    Decoder, DecoderKind, DeepDecoderConfig, Exposures, Film, LossAgg, LossType, LossWeights, Noise, OutputActivation,
    Plane, Result, named::Named, preview::Preview,
};

choices! {
    /// Which exposures a step sees.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Rule {
        /// The newest with some before it, as they come, and then some of all
        Measured = "measured" | "anchor",
        /// Some of all, from the start
        Joint = "joint",
        /// The newest, and the last output through all windows so far, with a new optimiser at each exposure
        Original = "original" | "prism",
    }
}

settings! {
    /// How a decoder is fitted.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct DecoderConfig in "decoder" {
        /// The network; deep unless given, progressive with the rule original
        pub decoder: Option<DecoderKind> = None;
        /// Channels of the deep decoder
        pub width: usize = 32, in Range::at_least(1.0).at_most(4096.0), "CHANNELS";
        /// Which exposures a step sees
        pub rule: Rule = Rule::Measured;
        /// Updates for each exposure
        pub steps: u64 = 30, in Range::at_least(1.0).at_most(1e6), "N";
        /// Updates towards the first exposure's image before that
        pub init_steps: u64 = 100, in Range::at_least(0.0).at_most(1e6), "N";
        /// Measured exposures in a step
        pub batch: usize = 4, in Range::at_least(1.0).at_most(4096.0), "N";
        /// How exposures are compared; l2 unless given, composite with the rule original
        pub loss: Option<LossType> = None;
        /// Shares of a composite loss, which sum to 1
        pub loss_weights: LossWeights = LossWeights::default(), "PART=SHARE,..";
        /// Learning rate; 1e-3 of the progressive decoder, 1e-2 of the deep one unless given
        pub learning_rate: Option<f64> = None, in Range::above(0.0).at_most(10.0), "RATE";
        /// The last function of the decoder
        pub output_activation: OutputActivation = OutputActivation::Sigmoid;
        /// Passes over the exposures without improvement of those held out after which to stop
        pub patience: Option<u64> = None, in Range::at_least(1.0).at_most(1e6), "PASSES";
        /// Decay of the moving average of the weights, which is then what counts
        pub weight_average: Option<f64> = None, in Range::above(0.0).below(1.0), "DECAY";
        /// With the rule original, go on more boldly and then more carefully where an exposure is not met to within this loss
        pub loss_threshold: Option<f64> = None, in Range::above(0.0), "LOSS";
    }
    beside {
        /// Share of the exposures that is held out to choose the best weights by, 0 to 0.5; the original rule holds none out.
        pub held_out: f64 = 0.1;
    }
    needs {
        ["width"] |own| own.kind() == DecoderKind::Deep => "only the deep decoder has a width";
        ["batch"] |own| own.rule != Rule::Original => "the original rule sees one exposure at a time";
        ["patience", "weight-average"] |own| own.rule != Rule::Original && own.held_out > 0.0
            => "it needs exposures that are held out, which the original rule has not";
        ["loss-weights"] |own| own.loss_type() == LossType::Composite => "only the composite loss has parts";
        ["loss-threshold"] |own| own.rule == Rule::Original => "only the original rule has it";
    }
}

impl DecoderConfig {
    /// The network that is used.
    pub fn kind(&self) -> DecoderKind {
        let default = if self.rule == Rule::Original { DecoderKind::Progressive } else { DecoderKind::Deep };
        self.decoder.unwrap_or(default)
    }

    /// The loss that is used.
    pub fn loss_type(&self) -> LossType {
        self.loss.unwrap_or(if self.rule == Rule::Original { LossType::Composite } else { LossType::L2 })
    }

    fn rate(&self) -> f64 {
        self.learning_rate.unwrap_or(match self.kind() {
            DecoderKind::Progressive => 1e-3,
            DecoderKind::Deep => 1e-2,
        })
    }
}

/// What a decoder found.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The object in its field.
    pub object: Plane,
    /// After each pass: update, training loss, and `sum |sqrt n - sqrt I| / sum sqrt n` of the exposures held out, where there are any.
    pub curve: Vec<CurvePoint>,
    /// Which exposures were held out.
    pub held_out: Vec<usize>,
    /// Updates made.
    pub updates: u64,
    /// Exposures that the original rule did not meet to within its threshold.
    pub failed: Vec<usize>,
    /// How the object came to be, where a run with a folder made it.
    pub film: Film,
}

/// A point of [`Decoded::curve`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Updates made.
    pub update: u64,
    /// Mean training loss of the pass.
    pub loss: f64,
    /// Of the exposures held out.
    pub held_out_r: Option<f64>,
}

/// Fits a decoder to `exposures`, in steps that `run` saves, stops and resumes.
///
/// The physics are f32; `casting` is for the decoder alone. A real object lies within its bounds, which are those of nothing and of
/// the brightest frame where none are known; another has an amplitude and a phase.
///
/// # Errors
/// Exposures that contradict themselves, settings that cannot be, what the run reports.
pub fn decode(
    exposures: &Exposures,
    config: &DecoderConfig,
    seed: u64,
    casting: &Casting,
    device: &Device,
    run: &mut Run,
) -> Result<Decoded> {
    let mut trainer = training(exposures, config, seed, casting, device)?;
    let name = trainer.name().to_owned();
    let mut shown = Preview::new(&mut trainer, exposures, run);
    let mut named = Named { name, work: &mut shown, frames: &*exposures.frames };
    // within the pool: a step is many small operations, each of which would else wake it
    let driven = rayon::scope(|_| run.drive(&mut named, &Policy::default()))?;
    let film = shown.film()?;
    let by_held_out = !trainer.fit().held_out().is_empty();
    let model = if by_held_out { trainer.best() } else { trainer.model() };
    let object = trainer.fit().object(&model)?;
    let curve = trainer.history().epochs().iter().map(|epoch| CurvePoint {
        update: epoch.update,
        loss: epoch.metrics.get("loss").unwrap_or(f64::NAN),
        held_out_r: epoch.metrics.get(HELD_OUT_R),
    });
    Ok(Decoded {
        object,
        curve: curve.collect(),
        held_out: trainer.fit().held_out().to_vec(),
        updates: driven.updates,
        failed: trainer.fit().failed().to_vec(),
        film,
    })
}

/// The number that decides which weights are the best.
const HELD_OUT_R: &str = "held_out_r";

/// The training of [`decode`], to be driven by another.
///
/// # Errors
/// As [`decode`].
pub fn training(
    exposures: &Exposures,
    config: &DecoderConfig,
    seed: u64,
    casting: &Casting,
    device: &Device,
) -> Result<Trainer<Progressive>> {
    exposures.check()?;
    config.check()?;
    let view = View::new(exposures, config.rule)?;
    let read_variance = match exposures.noise {
        Noise::Counts { photons, read } => read * read / (photons * view.unit() * view.unit()),
        _ => 0.0,
    };
    let loss = LossAgg { loss_type: config.loss_type(), loss_weights: config.loss_weights, read_variance };
    loss.check(exposures.optics.detector)?;
    let network = DeepDecoderConfig {
        width: config.width,
        output_activation: config.output_activation,
        images: if exposures.known.real { 1 } else { 2 },
        seed,
        ..DeepDecoderConfig::new(view.support())
    };
    let field = exposures.optics.size[0].max(exposures.optics.size[1]);
    let model = Decoder::new(config.kind(), field, network, &device.clone().autodiff());
    let fit = Progressive::new(exposures, config, loss, view, seed)?;
    let watch = match fit.held_out().is_empty() {
        true => Watch::default(),
        false => Watch { metric: HELD_OUT_R.into(), goal: Goal::Lowest },
    };
    let training =
        TrainerConfig { name: "decoder".into(), seed, stage: fit.first_stage(), watch, ..TrainerConfig::default() };
    Ok(Trainer::new(fit, model, training, casting.clone(), device)?)
}
