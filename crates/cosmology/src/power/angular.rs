//! [`Angular`]: the angular power spectrum of each channel, on a flat patch of sky.
//!
//! `C_l = Omega / n^2 |F|^2` at the multipole `l = |k|` of the patch's Fourier modes, `Omega` its solid angle and `n` its pixels; the sky is flat
//! enough where `l > 2 pi / theta`. A Gaussian beam is divided out by `B_l^2 = exp(-l (l + 1) s^2)`, `s = FWHM / sqrt(8 ln 2)`.
//!
//! Hivon et al., ApJ 567, 2 (2002), for pseudo-spectra under a mask.

use std::f64::consts::{LN_2, TAU};

use cupel_data::{AxisKind, Cube};
use rayon::prelude::*;
use serde::Serialize;

use super::{Band, Binning, Bins, Estimator, Modes, Volume, volume::sky_order};
use crate::{Error, Result};

/// The angular spectrum of each channel.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Angular {
    /// Bands of each channel; `k` is the multipole, and the power in the unit of the sky squared times steradian.
    pub channels: Vec<Vec<Band>>,
}

impl Angular {
    /// Of a cube whose patch has these sides in degrees, in the order [row, column], under weights where they are given; a beam, by its full width at half
    /// maximum in degrees in each channel, is divided out. Each channel loses its mean, and the mode `l = 0` with it.
    ///
    /// # Errors
    /// For a cube without frequency axis, sides that are not above zero, weights of another shape, bins or beams that are none, values that are not
    /// finite and not left out. A channel without any weight has NaN.
    pub fn new(
        sky: &Cube<f32>,
        side_deg: [f64; 2],
        weights: Option<&Cube<f32>>,
        beam_deg: Option<&[f64]>,
        bins: &Bins,
    ) -> Result<Self> {
        let order = sky_order(sky.axes())?;
        let sky = sky.permuted(&order)?;
        let [channels, rows, columns] = [0, 1, 2].map(|axis| sky.shape()[axis]);
        let volume = Volume::patch([rows, columns], side_deg)?;
        let wrong_beam = |got: String| Error::Spectrum { expected: "a width of the beam for each channel", got };
        if let Some(widths) = beam_deg {
            if widths.len() != channels {
                return Err(wrong_beam(format!("{} for {channels} channels", widths.len())));
            }
            if let Some(width) = widths.iter().find(|width| !(width.is_finite() && **width >= 0.0)) {
                return Err(wrong_beam(format!("{width} deg")));
            }
        }
        let of_channel = |channel: usize| {
            let plane = sky.select(AxisKind::Frequency, &[channel])?;
            let weights = weights.map(|weights| weights.select(AxisKind::Frequency, &[channel])).transpose()?;
            let estimator = match weights.map(|weights| Estimator::new(volume).with_weights(&weights)).transpose() {
                // the mask leaves nothing of this channel
                Err(Error::AllFlagged { .. }) => None,
                other => Some(other?.unwrap_or_else(|| Estimator::new(volume))),
            };
            let Some(estimator) = estimator else {
                return Ok(None);
            };
            let mut modes = estimator.modes(&plane)?;
            if let Some(widths) = beam_deg {
                divide_beam(&mut modes, widths[channel].to_radians() / (8.0 * LN_2).sqrt());
            }
            Ok(Some(estimator.power(&modes, &Binning::Spherical(bins.clone()))?))
        };
        let all: Vec<Option<Vec<Band>>> = (0..channels).into_par_iter().map(of_channel).collect::<Result<_>>()?;
        let blank = |bands: &Vec<Band>| {
            let nothing = |band: &Band| Band { power: f64::NAN, sigma: f64::NAN, effective_modes: 0.0, ..*band };
            bands.iter().map(nothing).collect()
        };
        let Some(pattern) = all.iter().flatten().next().map(blank) else {
            return Err(Error::AllFlagged { len: sky.len() });
        };
        Ok(Self { channels: all.into_iter().map(|bands| bands.unwrap_or_else(|| Vec::clone(&pattern))).collect() })
    }

    /// The mean over channels. Its error is the mean of theirs, as of channels that see the same sky.
    pub fn mean(&self) -> Vec<Band> {
        let used: Vec<&Vec<Band>> =
            self.channels.iter().filter(|bands| bands.iter().any(|band| band.power.is_finite())).collect();
        let count = used.len() as f64;
        let mean = |index: usize| {
            let of = |value: fn(&Band) -> f64| used.iter().map(|bands| value(&bands[index])).sum::<f64>() / count;
            Band { power: of(|band| band.power), sigma: of(|band| band.sigma), ..self.channels[0][index] }
        };
        (0..self.channels.first().map_or(0, Vec::len)).map(mean).collect()
    }

    /// `D_l = l (l + 1) C_l / 2 pi` of a band.
    pub fn variance_per_logarithm(band: &Band) -> f64 {
        band.k * (band.k + 1.0) * band.power / TAU
    }
}

/// Takes a Gaussian beam off each mode, not off each bin, over which it varies.
fn divide_beam(modes: &mut Modes, width_rad: f64) {
    let (down, across) = (modes.volume.wave_numbers(1), modes.volume.wave_numbers(2));
    for (place, mode) in modes.values.iter_mut().enumerate() {
        let multipole = across[place / down.len()].hypot(down[place % down.len()]);
        *mode *= (multipole * (multipole + 1.0) * width_rad * width_rad / 2.0).exp();
    }
}
