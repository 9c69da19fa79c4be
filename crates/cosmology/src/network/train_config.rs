//! [`NetworkTrainConfig`]: everything about the training of a network on skies, by the names of the original's settings files.

use cupel_settings::{Problem, Range, Settings, choices, settings};
use cupel_train::{Clip, EarlyStopping, Optimizer, Schedule, StageConfig};
use serde::{Deserialize, Serialize};

use super::{
    config::{NetworkActivation, PadMode, UNet3dV2Config},
    inputs::{self, NetworkInput},
    losses::LossKind,
    residual::{NetworkConfig, ResidualConfig},
    sky_fit::SkyFitConfig,
    unet3d::{UNet3dActivation, UNet3dConfig},
};
use crate::Result;

choices! {
    /// Networks.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ModelVersion {
        /// The configurable one
        V2 = "v2",
        /// That of the brief: two levels, every axis a circle, batch normalisation
        V1 = "v1",
    }
}

choices! {
    /// What a network corrects.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Start {
        /// The estimate of the linear estimator beside it
        Base = "base",
        /// Nothing: it gives the signal by itself
        Zero = "zero" | "none",
    }
}

choices! {
    /// What makes an update of gradients.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum OptimizerKind {
        /// Adam with decoupled weight decay
        AdamW = "adamw",
        /// Adam, without weight decay
        Adam = "adam",
    }
}

choices! {
    /// How the learning rate goes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum RateSchedule {
        /// Up to its value, and down to nothing
        OneCycle = "onecycle" | "one-cycle",
        /// Half a cosine down to a hundredth
        Cosine = "cosine",
        /// Always the same
        None = "none" | "constant",
    }
}

/// Factors at the begin and the end of one cycle: those of the original.
const CYCLE: [f64; 2] = [1.0 / 25.0, 1.0 / 25.0 / 1e4];
/// Factor at the end of a cosine.
const COSINE_END: f64 = 1e-2;
/// The frequency is the last axis of what a network of skies reads.
const FREQUENCY_AXIS: usize = 2;
/// How the axes of a sky go on: those of a simulated flat sky meet.
const SKY_PADS: [PadMode; 3] = [PadMode::Circular, PadMode::Circular, PadMode::Replicate];

settings! {
    /// The training of a network, on skies or on visibilities.
    ///
    /// The settings are the same; where the two differ unless told otherwise, the setting is left open here and says both.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct NetworkTrainConfig in "network training" {
        /// The network; v2 on skies and v1 on visibilities unless given
        pub model_version: Option<ModelVersion> = None;
        /// What follows a normalisation of network v1; that of network v2 on skies, smooth_leaky on visibilities unless given
        pub act: Option<UNet3dActivation> = None;
        /// What it corrects
        pub start: Start = Start::Base;
        /// What it reads
        pub inputs: Vec<NetworkInput> = vec![NetworkInput::Pca, NetworkInput::Estimate], "INPUT,..";
        /// Principal components that are taken off, one input for each number
        pub depths: Vec<usize> = vec![2, 3, 4, 6], "K,..";
        /// Pixels of the sky, on a side, that make one of the network; what is finer than two of them is left as it is
        pub coarsening: usize = 1, in Range::at_least(1.0).at_most(64.0), "N";
        /// Networks of different seeds, whose mean is the estimate
        pub members: u32 = 1, in Range::at_least(1.0).at_most(64.0), "N";
        /// Most epochs of each
        pub epochs: u64 = 60, in Range::at_least(1.0), "N";
        /// Learning rate
        pub learning_rate: f64 = 2e-3, in Range::above(0.0), "RATE";
        /// How it goes; one cycle on skies, always the same on visibilities unless given
        pub lr_schedule: Option<RateSchedule> = None;
        /// What makes an update of gradients
        pub optimizer: OptimizerKind = OptimizerKind::AdamW;
        /// Share of the updates in which the learning rate rises
        pub warmup_frac: f64 = 0.1, in Range::above(0.0).below(1.0), "SHARE";
        /// Weight decay, by AdamW
        pub weight_decay: f64 = 1e-4, in Range::at_least(0.0), "DECAY";
        /// Batches whose gradients make one update
        pub grad_accum_steps: u64 = 1, in Range::at_least(1.0), "N";
        /// Largest norm of all gradients together, on visibilities the largest gradient; 0 for any
        pub gradient_clip: f64 = 1.0, in Range::at_least(0.0), "NORM";
        /// Decay of the moving average of the weights, which is what is validated and kept; 0 for none
        pub ema_decay: f64 = 0.0, in Range::at_least(0.0).below(1.0), "DECAY";
        /// Epochs without improvement on the validation skies after which a network is done; 0 for never
        pub early_stopping_patience: u64 = 0, in Range::at_least(0.0), "N";
        /// Differences of what is left over truth that are no improvement
        pub early_stopping_min_delta: f64 = 0.0, in Range::at_least(0.0), "DELTA";
    }
    parts {
        /// The shape of the network.
        pub network: UNet3dV2Config = UNet3dV2Config {
            filters: 16,
            levels: 2,
            n_blocks_per_stage: 1,
            pad_modes: Vec::new(),
            freq_axis: FREQUENCY_AXIS,
            ..UNet3dV2Config::default()
        };
        /// Patches and the loss.
        pub fit: SkyFitConfig = SkyFitConfig { loss: LossKind::Mse, patches_per_batch: 2, ..SkyFitConfig::default() };
    }
    needs {
        ["depths"] |own| own.inputs.contains(&NetworkInput::Pca) => "pca is none of the inputs";
        ["act"] |own| own.model_version == Some(ModelVersion::V1) => "network v2 has --activation";
        ["weight-decay"] |own| own.optimizer == OptimizerKind::AdamW => "adam has none, adamw does";
        ["warmup-frac"] |own| matches!(own.lr_schedule, None | Some(RateSchedule::OneCycle)) => "only one cycle rises";
        ["early-stopping-min-delta"] |own| own.early_stopping_patience > 0 => "there is no early-stopping-patience";
        [
            "levels", "block", "n-blocks-per-stage", "norm", "norm-groups", "pad-modes", "downsample-kind", "upsample-kind", "strides",
            "conv-kernel-size", "two-conv-head", "attention-gates", "use-se", "factored-convs", "freq-pos-encoding"
        ] |own| own.model_version != Some(ModelVersion::V1) => "network v1 has one shape";
    }
}

impl NetworkTrainConfig {
    /// Checks what belongs together, for skies of so many channels.
    ///
    /// # Errors
    /// [`crate::Error::Settings`] for a number out of its range, no inputs or one named twice, as many components as channels, an activation
    /// that v1 does not have, and what is for other data than skies.
    pub fn check_for(&self, channels: usize) -> Result<()> {
        self.check()?;
        let wrong = |name: &str, got: String, expected: &str| Err(Problem::value(name, got, expected).into());
        let twice = |at: usize| self.inputs[..at].contains(&self.inputs[at]);
        if self.inputs.is_empty() || (0..self.inputs.len()).any(twice) {
            let names: Vec<&str> = self.inputs.iter().map(|input| input.name()).collect();
            return wrong("inputs", names.join(","), "one input at least, each once");
        }
        let pca = self.inputs.contains(&NetworkInput::Pca);
        if pca && (self.depths.is_empty() || self.depths.iter().any(|depth| *depth == 0 || *depth >= channels)) {
            let expected = format!("numbers from 1 to less than the {channels} channels");
            return wrong("depths", format!("{:?}", self.depths), &expected);
        }
        if self.start == Start::Zero && self.inputs.contains(&NetworkInput::Estimate) {
            return wrong("inputs", "estimate with start zero".to_owned(), "no estimate: start zero has none");
        }
        if self.network.complex || self.network.film_conditioning {
            let name = if self.network.complex { "complex" } else { "film-conditioning" };
            return wrong(name, "true".to_owned(), "false: skies are real, and have no features to condition on");
        }
        if self.network.freq_axis != FREQUENCY_AXIS {
            return wrong("freq-axis", self.network.freq_axis.to_string(), "2, which is the frequency of a sky");
        }
        if self.model_version == Some(ModelVersion::V1) && self.v1_activation().is_none() {
            return wrong(
                "activation",
                self.network.activation.name().to_owned(),
                "silu or smooth_leaky, which v1 has",
            );
        }
        self.of_skies().check_shape()
    }

    fn v1_activation(&self) -> Option<UNet3dActivation> {
        match (self.act, self.network.activation) {
            (Some(act), _) => Some(act),
            (None, NetworkActivation::Silu) => Some(UNet3dActivation::Silu),
            (None, NetworkActivation::SmoothLeaky) => Some(UNet3dActivation::SmoothLeaky),
            _ => None,
        }
    }

    /// The shape of the network with the axes of a sky.
    fn of_skies(&self) -> UNet3dV2Config {
        self.with_axes(SKY_PADS, FREQUENCY_AXIS)
    }

    /// The shape of the network; its axes go on as `pads` say unless told otherwise.
    fn with_axes(&self, pads: [PadMode; 3], freq_axis: usize) -> UNet3dV2Config {
        let pad_modes = if self.network.pad_modes.is_empty() { pads.to_vec() } else { self.network.pad_modes.clone() };
        UNet3dV2Config { pad_modes, freq_axis, ..self.network.clone() }
    }

    /// The network on visibilities, of which the axes go on as `pads` say unless told otherwise.
    pub(crate) fn of_visibilities(&self, pads: [PadMode; 3], freq_axis: usize) -> NetworkConfig {
        match self.model_version {
            None | Some(ModelVersion::V1) => NetworkConfig::V1(UNet3dConfig {
                filters: self.network.filters,
                act: self.act.unwrap_or_default(),
                ..UNet3dConfig::default()
            }),
            Some(ModelVersion::V2) => {
                let mut shape = self.with_axes(pads, freq_axis);
                // the original's files say everything, even where it has no effect
                let defaults = UNet3dV2Config::default().list();
                for (name, _) in shape.unused() {
                    let default = defaults.iter().find(|own| own.name == name).and_then(|own| own.value.clone());
                    if let Some(default) = default {
                        // a default is what the setting takes
                        let _ = shape.set(&name, &default);
                    }
                }
                NetworkConfig::V2(shape)
            }
        }
    }

    /// The network on top of the estimate, whose first result is the estimate. Values are in units of `scale`.
    pub(super) fn model(&self) -> ResidualConfig {
        let network = match (self.model_version, self.v1_activation()) {
            (Some(ModelVersion::V1), Some(act)) => {
                NetworkConfig::V1(UNet3dConfig { filters: self.network.filters, act, ..UNet3dConfig::default() })
            }
            _ => NetworkConfig::V2(self.of_skies()),
        };
        ResidualConfig {
            network,
            inputs: inputs::count(&self.inputs, &self.depths),
            outputs: 1,
            scale: 1.0,
            variance: self.fit.loss == LossKind::Nll,
            zero_start: true,
        }
    }

    /// What the loop needs on skies.
    pub(super) fn stage(&self) -> StageConfig {
        let clip = if self.gradient_clip > 0.0 { Clip::GlobalNorm(self.gradient_clip) } else { Clip::None };
        self.loop_of(self.lr_schedule.unwrap_or(RateSchedule::OneCycle), clip)
    }

    /// What the loop needs on visibilities: gradients are clipped value by value, as the original has it.
    pub(crate) fn stage_of_visibilities(&self) -> StageConfig {
        let clip = if self.gradient_clip > 0.0 { Clip::Value(self.gradient_clip) } else { Clip::None };
        self.loop_of(self.lr_schedule.unwrap_or(RateSchedule::None), clip)
    }

    fn loop_of(&self, schedule: RateSchedule, clip: Clip) -> StageConfig {
        let schedule = match schedule {
            RateSchedule::OneCycle => Schedule::OneCycle { up: self.warmup_frac, start: CYCLE[0], end: CYCLE[1] },
            RateSchedule::Cosine => Schedule::Cosine { end: COSINE_END },
            RateSchedule::None => Schedule::Constant,
        };
        let stopping =
            EarlyStopping { patience: self.early_stopping_patience, minimum_delta: self.early_stopping_min_delta };
        StageConfig {
            optimizer: match self.optimizer {
                OptimizerKind::AdamW => {
                    Optimizer::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: self.weight_decay }
                }
                OptimizerKind::Adam => Optimizer::adam(),
            },
            learning_rate: self.learning_rate,
            schedule,
            epochs: self.epochs,
            accumulation: self.grad_accum_steps,
            clip,
            weight_average: (self.ema_decay > 0.0).then_some(self.ema_decay),
            early_stopping: (self.early_stopping_patience > 0).then_some(stopping),
            ..StageConfig::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn settings_have_names_of_their_own_and_survive_a_file() {
        let mut config = NetworkTrainConfig::default();
        let names: Vec<String> = config.list().into_iter().map(|setting| setting.name).collect();
        assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{names:?}");
        for (name, text) in [("inputs", "raw,pca"), ("depths", "2,5"), ("strides", "2x2x1,2"), ("loss", "nll")] {
            config.set(name, text).unwrap();
        }
        config.check_for(8).unwrap();
        assert_eq!((config.model().inputs, config.model().variance), (3, true));
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<NetworkTrainConfig>(&text).unwrap(), config);
    }
}
