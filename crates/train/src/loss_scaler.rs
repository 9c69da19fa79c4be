//! Scaling of the loss, so that small gradients survive in half floats.

use crate::{Error, Result};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// Scale at the start: high enough for the first thousands of updates, low enough to lose none of them in most models.
const FIRST: f64 = 4096.0;
/// Largest scale: beyond it f32 gradients near 1e33 would overflow themselves.
const LARGEST: f64 = 16_777_216.0;
/// Overflows in a row after which the trouble is not the scale.
const MOST_OVERFLOWS: u32 = 30;

/// Dynamic loss scaling (P. Micikevicius et al., "Mixed Precision Training", ICLR 2018, arXiv 1710.03740, section 3.2).
///
/// The loss is multiplied before the backward pass and the gradients divided after it. An update whose gradients
/// overflowed is skipped and the scale halved; after many good ones it is doubled.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossScaler {
    scale: f64,
    /// Good updates after which the scale is doubled.
    growth_interval: u32,
    good: u32,
    overflows_in_a_row: u32,
    skipped: u64,
}

impl Default for LossScaler {
    fn default() -> Self {
        Self { scale: FIRST, growth_interval: 2000, good: 0, overflows_in_a_row: 0, skipped: 0 }
    }
}

impl LossScaler {
    /// A scaler that starts at `scale`, a power of two, and doubles it after `growth_interval` good updates.
    pub fn new(scale: f64, growth_interval: u32) -> Self {
        Self { scale, growth_interval, ..Self::default() }
    }

    /// The factor at present.
    pub fn factor(&self) -> f64 {
        self.scale
    }

    /// Updates that were skipped so far.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Multiplies a loss.
    pub fn scale(&self, loss: Tensor<1>) -> Tensor<1> {
        loss.mul_scalar(self.scale)
    }

    /// Takes note of whether the gradients of an update were finite, and says whether to make it.
    ///
    /// # Errors
    /// [`Error::ScalerGaveUp`] when 30 updates in a row overflowed.
    pub fn accept(&mut self, finite: bool) -> Result<bool> {
        if finite {
            self.overflows_in_a_row = 0;
            self.good += 1;
            if self.good >= self.growth_interval {
                self.scale = (2.0 * self.scale).min(LARGEST);
                self.good = 0;
            }
            return Ok(true);
        }
        self.good = 0;
        self.skipped += 1;
        self.overflows_in_a_row += 1;
        self.scale /= 2.0;
        if self.overflows_in_a_row >= MOST_OVERFLOWS {
            return Err(Error::ScalerGaveUp { overflows: self.overflows_in_a_row, scale: self.scale });
        }
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_halves_on_overflow_and_doubles_after_good_updates() {
        let mut scaler = LossScaler::new(1024.0, 3);
        assert!(!scaler.accept(false).unwrap());
        assert_eq!((scaler.factor(), scaler.skipped()), (512.0, 1));
        for _ in 0..3 {
            assert!(scaler.accept(true).unwrap());
        }
        assert_eq!(scaler.factor(), 1024.0);
        // an overflow in between starts the count anew
        scaler.accept(true).unwrap();
        scaler.accept(false).unwrap();
        scaler.accept(true).unwrap();
        scaler.accept(true).unwrap();
        assert_eq!(scaler.factor(), 512.0);
    }

    #[test]
    fn it_gives_up_when_no_scale_helps() {
        let mut scaler = LossScaler::default();
        let error = (0..40).find_map(|_| scaler.accept(false).err()).unwrap().to_string();
        assert!(error.contains("30 updates in a row") && error.contains("bf16"), "{error}");
    }
}
