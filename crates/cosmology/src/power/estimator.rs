//! [`Estimator`]: spectra of skies in one volume, under one taper and one set of weights.

use cupel_data::Cube;
use num_complex::Complex;
use rayon::prelude::*;

use super::{
    Band, Binning, Modes, Volume, Window,
    binning::{Layout, Sums, accumulate},
    effective::Correlation,
    fourier::transform,
};
use crate::{Error, Result};

/// How spectra are made.
///
/// ```
/// use cupel_cosmology::power::{Binning, Bins, Estimator, Volume};
/// use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};
/// # fn main() -> cupel_cosmology::Result<()> {
/// let kinds = [AxisKind::Frequency, AxisKind::Row, AxisKind::Column];
/// let mut white = vec![0.0_f32; 16 * 16 * 16];
/// Stream::new(1, "white").fill_normal(&mut white);
/// let sky = Cube::new(white, Axes::new(kinds.map(|kind| Axis::new(kind, 16)).to_vec())?)?;
/// let estimator = Estimator::new(Volume::comoving([16; 3], [100.0; 3])?);
/// let bands = estimator.power(&estimator.modes(&sky)?, &Binning::Spherical(Bins::Logarithmic(6)))?;
/// let cell = (100.0_f64 / 16.0).powi(3);
/// assert!((bands[5].power - cell).abs() < 4.0 * bands[5].sigma);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Estimator {
    volume: Volume,
    taper: Vec<f64>,
    /// In the order [frequency, row, column].
    weights: Option<Vec<f64>>,
    /// Mean square of taper times weights.
    mean_square: f64,
    correlation: Option<Correlation>,
    emptied: bool,
}

impl Estimator {
    /// Of skies in this volume, without taper and weights.
    pub fn new(volume: Volume) -> Self {
        let taper = vec![1.0; volume.shape()[0]];
        Self { volume, taper, weights: None, mean_square: 1.0, correlation: None, emptied: true }
    }

    /// The same under a taper along frequency.
    #[must_use]
    pub fn with_window(mut self, window: Window) -> Self {
        self.taper = window.weights(self.volume.shape()[0]);
        self.prepare()
    }

    /// The same under weights; 0 leaves a cell out, whose value then does not matter, NaN included.
    ///
    /// # Errors
    /// [`Error::Compared`] for weights of another shape, [`Error::Spectrum`] where one is negative or not finite, [`Error::AllFlagged`] where
    /// none is above zero.
    pub fn with_weights<T: Copy + Into<f64> + Send + Sync>(mut self, weights: &Cube<T>) -> Result<Self> {
        let weights = self.volume.values(weights)?;
        if let Some(weight) = weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0)) {
            return Err(Error::Spectrum { expected: "weights that are finite and 0 or more", got: weight.to_string() });
        }
        if !weights.iter().any(|weight| *weight > 0.0) {
            return Err(Error::AllFlagged { len: weights.len() });
        }
        self.weights = Some(weights);
        Ok(self.prepare())
    }

    /// The same without the modes of `k_perp = 0`, which have no power after each channel lost its mean: with them, as published definitions have it,
    /// the power of a bin is low by their share, which is a third in the lowest shells.
    #[must_use]
    pub fn without_emptied_modes(mut self) -> Self {
        self.emptied = false;
        self
    }

    /// The volume.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// The weights in the order [frequency, row, column].
    pub(crate) fn weights(&self) -> Option<&[f64]> {
        self.weights.as_deref()
    }

    /// What must be said of the power under weights.
    pub fn note(&self) -> Option<&'static str> {
        self.weights.as_ref().map(|_| {
            "Weights or a mask make this a pseudo-power: its level is right for white skies, and its modes mix over the inverse extent of the mask."
        })
    }

    /// The modes of a sky.
    ///
    /// # Errors
    /// When its axes or its shape are not those of the volume; [`cupel_data::Error::NonFinite`] where a value that counts is not finite.
    pub fn modes<T: Copy + Into<f64> + Send + Sync>(&self, sky: &Cube<T>) -> Result<Modes> {
        Ok(self.modes_of(self.centred(sky)?))
    }

    /// The modes of values in the order [frequency, row, column] without the mean of each channel.
    pub(crate) fn modes_of(&self, mut values: Vec<f64>) -> Modes {
        let plane = self.plane();
        values.par_chunks_mut(plane).zip(&self.taper).for_each(|(plane, taper)| {
            plane.iter_mut().for_each(|value| *value *= taper);
        });
        if let Some(weights) = &self.weights {
            values.par_iter_mut().zip(weights).for_each(|(value, weight)| *value *= weight);
        }
        Modes { volume: self.volume, values: transform(&values, self.volume.shape()) }
    }

    /// The values of a sky in the order [frequency, row, column] without the mean of each channel, zero where the weight is.
    pub(crate) fn centred<T: Copy + Into<f64> + Send + Sync>(&self, sky: &Cube<T>) -> Result<Vec<f64>> {
        let mut values = self.volume.values(sky)?;
        let plane = self.plane();
        if let Some(weights) = &self.weights {
            values.par_iter_mut().zip(weights).for_each(|(value, weight)| {
                if *weight == 0.0 {
                    *value = 0.0;
                }
            });
        }
        if values.par_iter().any(|value| !value.is_finite()) {
            let count = values.iter().filter(|value| !value.is_finite()).count();
            let first = values.iter().position(|value| !value.is_finite()).unwrap_or(0);
            let columns = self.volume.shape()[2];
            let places = [first / plane, first % plane / columns, first % columns];
            let kinds = super::volume::sky_order(sky.axes())?;
            let first = kinds.into_iter().zip(places).collect();
            return Err(Error::NotFlagged { first, count, len: values.len() });
        }
        values.par_chunks_mut(plane).enumerate().for_each(|(channel, values)| {
            let weights = self.weights.as_ref().map(|weights| &weights[channel * plane..(channel + 1) * plane]);
            let Some(weights) = weights else {
                let mean = values.iter().sum::<f64>() / plane as f64;
                return values.iter_mut().for_each(|value| *value -= mean);
            };
            let (sum, total) = values
                .iter()
                .zip(weights)
                .fold((0.0, 0.0), |(sum, total), (value, weight)| (sum + value * weight, total + weight));
            // a channel that is left out has no mean
            let mean = if total > 0.0 { sum / total } else { 0.0 };
            let kept = values.iter_mut().zip(weights).filter(|(_, weight)| **weight > 0.0);
            kept.for_each(|(value, _)| *value -= mean);
        });
        Ok(values)
    }

    /// The power of a sky in bins.
    ///
    /// # Errors
    /// [`Error::Spectrum`] for bins that are none.
    pub fn power(&self, sky: &Modes, binning: &Binning) -> Result<Vec<Band>> {
        let (layout, sums) = self.sums(&[sky], binning, |place| {
            let power = sky.values[place].norm_sqr();
            [power, power * power]
        })?;
        let shares = self.shares(&layout);
        let band = |(sums, share): (&Sums<2>, &f64)| {
            let [power, square] = sums.values;
            self.band(&layout, sums, *share, power, [power, power], square)
        };
        Ok(sums.iter().zip(&shares).map(band).collect())
    }

    /// The power that two skies have in common, which noise that is independent in them does not raise.
    ///
    /// # Errors
    /// As [`power`](Self::power).
    pub fn cross(&self, a: &Modes, b: &Modes, binning: &Binning) -> Result<Vec<Band>> {
        let (layout, sums) = self.sums(&[a, b], binning, |place| {
            let (a, b) = (a.values[place], b.values[place]);
            let (of_a, of_b) = (a.norm_sqr(), b.norm_sqr());
            [real_product(a, b), of_a, of_b, of_a * of_b]
        })?;
        let shares = self.shares(&layout);
        let band = |(sums, share): (&Sums<4>, &f64)| {
            let [common, of_a, of_b, square] = sums.values;
            self.band(&layout, sums, *share, common, [of_a, of_b], square)
        };
        Ok(sums.iter().zip(&shares).map(band).collect())
    }

    /// Sums over the modes of each bin.
    pub(crate) fn sums<const N: usize>(
        &self,
        skies: &[&Modes],
        binning: &Binning,
        of: impl Fn(usize) -> [f64; N] + Sync,
    ) -> Result<(Layout, Vec<Sums<N>>)> {
        if let Some(other) = skies.iter().find(|sky| sky.volume != self.volume) {
            return Err(Error::Compared {
                what: "a sky",
                got: other.volume.shape().to_vec(),
                with: "the box of its power spectrum",
                expected: self.volume.shape().to_vec(),
            });
        }
        let layout = Layout::new(&self.volume, binning)?;
        let sums = accumulate(&self.volume, &layout, self.emptied, of);
        Ok((layout, sums))
    }

    /// Effective modes per mode in each bin.
    pub(crate) fn shares(&self, layout: &Layout) -> Vec<f64> {
        self.correlation.as_ref().map_or_else(|| vec![1.0; layout.bins()], |correlation| correlation.shares(layout))
    }

    /// `V / n^2` over the mean square of the weights.
    pub(crate) fn norm(&self) -> f64 {
        self.volume.size() / (self.volume.len() as f64).powi(2) / self.mean_square
    }

    /// A band of sums of `Re[F_a F_b*]`, `|F_a|^2`, `|F_b|^2` and `|F_a|^2 |F_b|^2`.
    ///
    /// Modes of a shell or a ring share their power, whence the variance `(P_ab^2 + P_a P_b) / n`. Those of a plane of `k_par` do not: there it is
    /// `sum |F_a|^2 |F_b|^2 / n^2`, which has that mean where they do.
    pub(crate) fn band<const N: usize>(
        &self,
        layout: &Layout,
        sums: &Sums<N>,
        share: f64,
        common: f64,
        own: [f64; 2],
        square: f64,
    ) -> Band {
        let norm = self.norm();
        let power = norm * sums.mean(common);
        let [of_a, of_b] = own.map(|sum| norm * sums.mean(sum));
        let effective_modes = sums.modes * share;
        let variance = match layout {
            Layout::Parallel(_) => norm * norm * sums.mean(square) / effective_modes,
            _ => (power * power + of_a * of_b) / effective_modes,
        };
        Band {
            k: sums.mean(if matches!(layout, Layout::Parallel(_)) { sums.k_par } else { sums.k }),
            k_perp: sums.mean(sums.k_perp),
            k_par: sums.mean(sums.k_par),
            modes: sums.modes as u64,
            effective_modes: if sums.modes > 0.0 { effective_modes } else { 0.0 },
            power,
            sigma: variance.sqrt(),
        }
    }

    fn plane(&self) -> usize {
        self.volume.shape()[1] * self.volume.shape()[2]
    }

    /// What follows from taper and weights.
    fn prepare(mut self) -> Self {
        let plane = self.plane();
        let mut all: Vec<f64> = self.taper.iter().flat_map(|taper| std::iter::repeat_n(*taper, plane)).collect();
        if let Some(weights) = &self.weights {
            all.iter_mut().zip(weights).for_each(|(all, weight)| *all *= weight);
        }
        self.mean_square = all.iter().map(|weight| weight * weight).sum::<f64>() / all.len() as f64;
        let even = all.iter().all(|weight| *weight == all[0]);
        self.correlation = (!even).then(|| Correlation::new(&self.volume, &all));
        self
    }
}

/// `Re[a b*]`.
pub(crate) fn real_product(a: Complex<f64>, b: Complex<f64>) -> f64 {
    a.re * b.re + a.im * b.im
}
