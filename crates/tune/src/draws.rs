//! [`Draws`]: the random numbers of one trial, one after the other.

use cupel_data::Stream;
use std::f64::consts::TAU;

/// Reads a [`Stream`] from its start.
pub(crate) struct Draws {
    stream: Stream,
    next: u64,
}

impl Draws {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, next: 0 }
    }

    /// A number in (0, 1), of 53 random bits.
    pub(crate) fn uniform(&mut self) -> f64 {
        let bits = self.stream.u64(self.next);
        self.next += 1;
        ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// A standard normal number (Box and Muller 1958, doi:10.1214/aoms/1177706645).
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = (self.uniform(), self.uniform());
        (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
    }

    /// An index, each with a chance in proportion to its weight; the last one if the weights are not positive.
    pub(crate) fn index(&mut self, weights: &[f64]) -> usize {
        let mut left = self.uniform() * weights.iter().sum::<f64>();
        for (i, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return i;
            }
        }
        weights.len().saturating_sub(1)
    }
}
