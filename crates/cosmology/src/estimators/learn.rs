//! [`Training`]: linear estimators learned from skies of which the signal is known.
//!
//! Skies are split into folds. What the filter needs are sums over skies, kept for each fold, so that the smoothing is chosen and errors are
//! measured on skies that were left out. Intervals are calibrated, and limits of what is let pass are set, on skies each of which is estimated
//! by what the other folds give.

use cupel_data::Cube;

use super::{
    LinearEstimator, Multipoles, calibrate, components,
    detection::WithoutSignal,
    gathering::Gathering,
    linear::Ring,
    smooth::{self, Smoothing},
    sums::RingSums,
};
use crate::{Error, Result, Sky, Unit};

/// Parts into which skies are split.
pub(super) const FOLDS: usize = 5;

/// How a linear estimator comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// The best filter of the covariances of signal and rest in each ring, smoothed over rings as far as skies that were left out do best.
    Filter,
    /// All but so many principal components of what is seen.
    Components(usize),
    /// The same with a gain for each ring and each wave number along frequency.
    ComponentsWithGain(usize),
}

/// A sky as it is observed, and its signal as the instrument shows it, of the same axes and in the same unit.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Foregrounds, signal and noise.
    pub observed: Sky,
    /// The signal alone.
    pub signal: Cube<f32>,
}

/// What training skies say of signal and rest.
pub struct Training {
    pub(super) frequencies_mhz: Vec<f64>,
    pub(super) unit: Unit,
    pub(super) multipoles: Multipoles,
    pub(super) skies: usize,
    pub(super) folds: Vec<Vec<RingSums>>,
    /// The angular power of rounding in each channel.
    pub(super) floor: Vec<f64>,
}

impl Training {
    /// Gathers the statistics of `skies` skies that `pair` gives by their number, several in parallel. It is asked again for some of them by
    /// [`fit`](Self::fit); it must give the same.
    ///
    /// # Errors
    /// [`Error::Estimator`] for fewer than 5 skies, values without weight, and skies of different channels, unit or size; what `pair` reports.
    pub fn gather(skies: usize, pair: &(dyn Fn(usize) -> Result<Pair> + Sync)) -> Result<Self> {
        let mut gathering = Gathering::new(skies, pair)?;
        while gathering.read() < skies {
            gathering.more()?;
        }
        Ok(gathering.training())
    }

    /// An estimator, calibrated.
    ///
    /// # Errors
    /// [`Error::Estimator`] for as many components as channels, or more; [`Error::Covariance`] where skies leave a channel without power; what `pair`
    /// reports.
    pub fn fit(&self, method: Method, pair: &(dyn Fn(usize) -> Result<Pair> + Sync)) -> Result<LinearEstimator> {
        let channels = self.frequencies_mhz.len();
        if let Method::Components(modes) | Method::ComponentsWithGain(modes) = method
            && modes >= channels
        {
            return Err(refused(format!("{modes} components of {channels} channels leave nothing"), "take fewer"));
        }
        let others: Vec<Vec<RingSums>> = (0..FOLDS).map(|fold| self.means(Some(fold))).collect();
        let chosen = match method {
            Method::Filter => Chosen::Smoothing(self.smoothing(&others)?),
            Method::Components(modes) => Chosen::Components { modes, gain: false },
            Method::ComponentsWithGain(modes) => Chosen::Components { modes, gain: true },
        };
        let fitted = |means: &[RingSums]| self.rings(chosen, means);
        let mut of_others = others.iter().map(|means| fitted(means)).collect::<Result<Vec<_>>>()?;
        let mut rings = fitted(&self.means(None))?;
        for number in 0..rings.len() {
            // what is left unknown because the training was short shows in the skies that were left out
            let (mut found, mut claimed) = (0.0, 0.0);
            for (fold, others) in self.folds.iter().zip(&of_others) {
                found += fold[number].error(&others[number].filter);
                claimed += fold[number].modes * (0..channels).map(|i| others[number].posterior[(i, i)]).sum::<f64>();
            }
            let ratio = found / claimed;
            if ratio.is_finite() && ratio > 0.0 {
                let all = std::iter::once(&mut rings).chain(of_others.iter_mut());
                all.for_each(|rings| rings[number].posterior = faer::Scale(ratio) * &rings[number].posterior);
            }
        }
        let estimator = |rings| {
            let name = match chosen {
                Chosen::Smoothing(_) => "filter",
                Chosen::Components { gain: false, .. } => "pca",
                Chosen::Components { gain: true, .. } => "pca with gain",
            };
            let (frequencies_mhz, multipoles) = (self.frequencies_mhz.clone(), self.multipoles.clone());
            LinearEstimator::of_rings(name.into(), frequencies_mhz, self.unit, multipoles, rings)
        };
        let of_others: Vec<LinearEstimator> = of_others.into_iter().map(estimator).collect();
        let mut fitted = estimator(rings);
        let calibrate::Calibration { margins, limits, power } = calibrate::calibrated(&of_others, self.skies, pair)?;
        (fitted.margins, fitted.limits, fitted.power) = (margins, limits, power);
        fitted.without_signal = WithoutSignal::of(&of_others, self.skies, pair)?;
        fitted.chosen = vec![match chosen {
            Chosen::Components { modes, .. } => format!("{modes} components"),
            Chosen::Smoothing(smoothing) => smoothing.to_string(),
        }];
        Ok(fitted)
    }

    /// The number of components, up to `most`, that leaves the least error on the skies that each fold leaves out, with gains or without.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn best_components(&self, gain: bool, most: usize) -> Result<usize> {
        let others: Vec<Vec<RingSums>> = (0..FOLDS).map(|fold| self.means(Some(fold))).collect();
        let mut best = (f64::INFINITY, 1);
        for modes in 1..=most.min(self.frequencies_mhz.len() - 1) {
            let mut error = 0.0;
            for (fold, others) in self.folds.iter().zip(&others) {
                let rings = self.rings(Chosen::Components { modes, gain }, others)?;
                error += fold.iter().zip(&rings).map(|(sums, ring)| sums.error(&ring.filter)).sum::<f64>();
            }
            if error < best.0 {
                best = (error, modes);
            }
        }
        Ok(best.1)
    }

    /// Means over all folds, or over all but one.
    fn means(&self, without: Option<usize>) -> Vec<RingSums> {
        let mut sums = vec![RingSums::empty(self.frequencies_mhz.len()); self.multipoles.len()];
        let kept = self.folds.iter().enumerate().filter(|(fold, _)| Some(*fold) != without);
        kept.for_each(|(_, fold)| sums.iter_mut().zip(fold).for_each(|(all, one)| all.add(one)));
        sums.iter().map(RingSums::mean).collect()
    }

    fn smoothing(&self, others: &[Vec<RingSums>]) -> Result<Smoothing> {
        smooth::choose(&self.folds, others, &self.multipoles, &self.frequencies_mhz, &self.floor)
    }

    fn rings(&self, chosen: Chosen, means: &[RingSums]) -> Result<Vec<Ring>> {
        match chosen {
            Chosen::Smoothing(smoothing) => smooth::filters(means, &self.multipoles, smoothing, &self.floor),
            Chosen::Components { modes, gain } => components::rings(means, modes, gain, &self.floor),
        }
    }
}

/// What makes the matrices of a method.
#[derive(Clone, Copy)]
enum Chosen {
    Smoothing(Smoothing),
    Components { modes: usize, gain: bool },
}

pub(super) fn refused(problem: String, fix: &'static str) -> Error {
    Error::Estimator { name: "training".into(), problem, fix }
}
