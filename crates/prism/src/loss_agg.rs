//! [`LossAgg`]: how far predicted exposures are from measured ones.
//!
//! Both are amplitudes, of one shape. L1 and L2 are relative to what a prediction of nought would have, Poisson is the deviance of the
//! intensities relative to their mean (both as the likelihood of counts with read-out noise has it, T. Anscombe's shift aside); SSIM and
//! MS-SSIM count as `(1 - S) / 2`, with the largest measured amplitude of the exposure as range. With a range of 1, as in the original, a
//! prediction of nought has a similarity of .80 to a dim exposure.

use burn::tensor::{FloatDType, Tensor};
use cupel_kernels::{ms_ssim, ssim};
use cupel_settings::{Kind, Problem, Value, choices};
use serde::{Deserialize, Serialize};

/// Shortest side that five scales of the window of SSIM fit into.
const MS_SSIM_LEAST: usize = 176;
/// The window of SSIM.
const SSIM_LEAST: usize = 11;
/// How far from 1 the sum of weights may be.
const SUM_TOLERANCE: f64 = 0.01;
/// Added to what is divided by; amplitudes are about 1.
const TINY: f64 = 1e-12;
/// Least intensity of a prediction in the logarithm; intensities are about 1.
const DARK: f64 = 1e-9;

choices! {
    /// How predicted and measured amplitudes are compared.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum LossType {
        /// Mean absolute difference
        L1 = "l1",
        /// Mean square difference
        L2 = "l2",
        /// Structural similarity
        Ssim = "ssim",
        /// Structural similarity over five scales, from 176 pixels on
        MsSsim = "ms-ssim" | "msssim" | "ms_ssim",
        /// A weighted sum of the others
        Composite = "composite",
        /// Deviance of counts
        Poisson = "poisson",
    }
}

/// Shares of the parts of [`LossType::Composite`]; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LossWeights {
    /// Of [`LossType::L1`].
    pub l1: f64,
    /// Of [`LossType::L2`].
    pub l2: f64,
    /// Of [`LossType::Ssim`].
    pub ssim: f64,
    /// Of [`LossType::MsSsim`].
    pub ms_ssim: f64,
    /// Of [`LossType::Poisson`].
    pub poisson: f64,
}

impl Default for LossWeights {
    /// L1 .7, SSIM .3.
    fn default() -> Self {
        Self { l1: 0.7, ssim: 0.3, ..Self::NONE }
    }
}

impl LossWeights {
    /// No part at all.
    pub const NONE: Self = Self { l1: 0.0, l2: 0.0, ssim: 0.0, ms_ssim: 0.0, poisson: 0.0 };

    fn parts(&self) -> [(LossType, f64); 5] {
        [
            (LossType::L1, self.l1),
            (LossType::L2, self.l2),
            (LossType::Ssim, self.ssim),
            (LossType::MsSsim, self.ms_ssim),
            (LossType::Poisson, self.poisson),
        ]
    }

    fn check(&self) -> Result<(), String> {
        let parts = self.parts();
        let sum: f64 = parts.iter().map(|(_, weight)| weight).sum();
        if parts.iter().any(|(_, weight)| !(0.0..=1.0 + SUM_TOLERANCE).contains(weight)) {
            return Err("weights from 0 to 1".into());
        }
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(format!("weights that sum to 1, not to {sum}, such as l1=0.7,ssim=0.3"));
        }
        Ok(())
    }
}

impl Value for LossWeights {
    fn kind() -> Kind {
        Kind::Text
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut weights = Self::NONE;
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').ok_or("parts such as l1=0.7,ssim=0.3")?;
            let weight: f64 = weight.trim().parse().map_err(|_| format!("a number for {name}, not {weight:?}"))?;
            match name.trim() {
                "l1" => weights.l1 = weight,
                "l2" => weights.l2 = weight,
                "ssim" => weights.ssim = weight,
                "ms-ssim" | "ms_ssim" => weights.ms_ssim = weight,
                "poisson" => weights.poisson = weight,
                other => return Err(format!("l1, l2, ssim, ms-ssim or poisson, not {other:?}")),
            }
        }
        weights.check()?;
        Ok(weights)
    }

    fn show(&self) -> Option<String> {
        let shown = self.parts().into_iter().filter(|(_, weight)| *weight != 0.0);
        Some(shown.map(|(part, weight)| format!("{part}={weight}")).collect::<Vec<_>>().join(","))
    }
}

/// How far predicted exposures are from measured ones.
#[derive(Clone, Debug, PartialEq)]
pub struct LossAgg {
    /// What is compared.
    pub loss_type: LossType,
    /// Shares of a composite loss.
    pub loss_weights: LossWeights,
    /// Variance of the read-out over that of photons of one unit of intensity: `read^2 / photons`; for Poisson only.
    pub read_variance: f64,
}

/// Measured amplitudes with what is divided by, ready to be compared with.
#[derive(Clone, Debug)]
pub struct Target {
    /// `[exposure, row, column]`, f32, about 1.
    pub amplitudes: Tensor<3>,
    /// For each exposure its means of amplitude and intensity, at least [`TINY`], `[exposure]` each.
    mean: Tensor<1>,
    mean_square: Tensor<1>,
    /// One over its largest amplitude, `[exposure, 1, 1, 1]`, and the amplitudes times that, `[exposure, 1, row, column]`.
    scale: Tensor<4>,
    scaled: Tensor<4>,
}

impl Target {
    /// Of `amplitudes` `[exposure, row, column]`.
    pub fn new(amplitudes: Tensor<3>) -> Self {
        let count = amplitudes.dims()[0];
        let flat = amplitudes.clone().reshape([count as i32, -1]);
        let least = |x: Tensor<2>| x.add_scalar(TINY).reshape([count]);
        let scale = least(flat.clone().max_dim(1)).recip().reshape([count, 1, 1, 1]);
        Self {
            mean: least(flat.clone().mean_dim(1)),
            mean_square: least((flat.clone() * flat).mean_dim(1)),
            scaled: amplitudes.clone().unsqueeze_dim(1) * scale.clone(),
            scale,
            amplitudes,
        }
    }
}

impl LossAgg {
    /// A loss of this type with the usual weights and no read-out noise.
    pub fn new(loss_type: LossType) -> Self {
        Self { loss_type, loss_weights: LossWeights::default(), read_variance: 0.0 }
    }

    /// # Errors
    /// Weights that do not sum to 1; a detector of `pixels` rows that is too small for a similarity.
    pub fn check(&self, pixels: usize) -> Result<(), Problem> {
        if self.loss_type == LossType::Composite {
            self.loss_weights.check().map_err(|expected| {
                Problem::value("loss-weights", self.loss_weights.show().unwrap_or_default(), expected)
            })?;
        }
        for (part, _) in self.parts() {
            let least = match part {
                LossType::Ssim => SSIM_LEAST,
                LossType::MsSsim => MS_SSIM_LEAST,
                _ => 1,
            };
            if pixels < least {
                let expected = format!("frames of {least} pixels or more for {part}; these have {pixels}");
                return Err(Problem::value("loss", self.loss_type.to_string(), expected));
            }
        }
        Ok(())
    }

    fn parts(&self) -> Vec<(LossType, f64)> {
        match self.loss_type {
            LossType::Composite => self.loss_weights.parts().into_iter().filter(|(_, w)| *w != 0.0).collect(),
            one => vec![(one, 1.0)],
        }
    }

    /// The loss of each exposure, `[exposure]`, of predicted amplitudes `[exposure, row, column]`; in f32.
    ///
    /// # Panics
    /// Where the shapes differ, or are too small for the similarities, see [`check`](Self::check).
    pub fn each(&self, predicted: Tensor<3>, target: &Target) -> Tensor<1> {
        let predicted =
            if predicted.dtype() == burn::tensor::DType::F64 { predicted } else { predicted.cast(FloatDType::F32) };
        let parts = self.parts().into_iter().map(|(part, weight)| {
            let loss = self.part(part, predicted.clone(), target);
            if weight == 1.0 { loss } else { loss.mul_scalar(weight) }
        });
        parts.reduce(|sum, part| sum + part).unwrap_or_else(|| target.mean.zeros_like())
    }

    /// The mean of [`each`](Self::each) over the exposures, `[1]`.
    pub fn mean(&self, predicted: Tensor<3>, measured: &Target) -> Tensor<1> {
        self.each(predicted, measured).mean()
    }

    fn part(&self, part: LossType, predicted: Tensor<3>, target: &Target) -> Tensor<1> {
        let [count, rows, columns] = predicted.dims();
        let mean = |x: Tensor<3>| -> Tensor<1> { x.reshape([count, rows * columns]).mean_dim(1).reshape([count]) };
        match part {
            LossType::L1 => mean((predicted - target.amplitudes.clone()).abs()) / target.mean.clone(),
            LossType::L2 => {
                let difference = predicted - target.amplitudes.clone();
                mean(difference.clone() * difference) / target.mean_square.clone()
            }
            LossType::Poisson => {
                // 2 (I - n + n ln(n / I)), both with the variance of the read-out added: its shifted Poisson
                let shift = self.read_variance + DARK;
                let measured = (target.amplitudes.clone() * target.amplitudes.clone()).add_scalar(shift);
                let said = (predicted.clone() * predicted).add_scalar(shift);
                let deviance = said.clone() - measured.clone() + measured.clone() * (measured.log() - said.log());
                mean(deviance).mul_scalar(2.0) / target.mean_square.clone()
            }
            LossType::Ssim | LossType::MsSsim => {
                // the similarity of images times a factor is that of a range times the factor
                let (x, y) = (predicted.unsqueeze_dim::<4>(1) * target.scale.clone(), target.scaled.clone());
                let similarity = if part == LossType::Ssim { ssim(x, y, 1.0) } else { ms_ssim(x, y, 1.0) };
                (similarity.reshape([count]) - 1.0).mul_scalar(-0.5)
            }
            LossType::Composite => self.each(predicted, target),
        }
    }
}
