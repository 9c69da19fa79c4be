//! [`Window`]: how a spectrum fades out at the ends of the band, so that what is smooth does not spill over all delays.
//!
//! Sums of cosines, `w_i = sum_m (-1)^m a_m cos(2 pi m i / (n - 1))`: Harris, Proc. IEEE 66, 51 (1978), doi:10.1109/PROC.1978.10837.

use std::f64::consts::TAU;

use cupel_settings::choices;

choices! {
    /// The taper along frequency before a Fourier transform.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Window {
        /// No taper
        None = "none",
        /// Four terms, side lobes 92 dB down: for bright smooth foregrounds
        BlackmanHarris = "blackman-harris",
        /// Three terms, side lobes 58 dB down
        Blackman = "blackman",
        /// A raised cosine, side lobes 31 dB down
        Hann = "hann",
    }
}

impl Window {
    /// Its weights at `count` channels.
    pub fn weights(self, count: usize) -> Vec<f64> {
        let terms: &[f64] = match self {
            Self::None => &[1.0],
            Self::BlackmanHarris => &[0.35875, 0.48829, 0.14128, 0.01168],
            Self::Blackman => &[0.42, 0.5, 0.08],
            Self::Hann => &[0.5, 0.5],
        };
        if count == 1 {
            return vec![1.0];
        }
        let at = |i: usize| {
            let phase = TAU * i as f64 / (count - 1) as f64;
            terms.iter().enumerate().map(|(m, a)| if m % 2 == 0 { *a } else { -a } * (m as f64 * phase).cos()).sum()
        };
        (0..count).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_symmetric_and_one_in_the_middle() {
        for &window in Window::ALL {
            for count in [1, 2, 33, 64] {
                let weights = window.weights(count);
                let mirrored = weights.iter().rev().zip(&weights).all(|(a, b)| (a - b).abs() < 1e-14);
                assert!(weights.len() == count && mirrored, "{window} {count}");
            }
            assert!((window.weights(33)[16] - 1.0).abs() < 1e-14, "{window}");
        }
        assert!((Window::BlackmanHarris.weights(64)[0] - 6e-5).abs() < 1e-14);
    }
}
