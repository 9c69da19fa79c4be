//! [`Training`]: linear estimators learned from skies of which the signal is known.
//!
//! Skies are split into folds. What the filter needs are sums over skies, kept for each fold, so that the smoothing is chosen and errors are
//! measured on skies that were left out. Intervals are calibrated, and limits of what is let pass are set, on skies each of which is estimated
//! by what the other folds give.

use cupel_data::Cube;
use rayon::prelude::*;

use super::{
    LinearEstimator, Multipoles, calibrate, check_channels, components,
    linear::Ring,
    plane_modes::{Plane, Shell, centred},
    smooth::{self, Widths},
    sums::{self, RingSums},
};
use crate::{Error, Result, Sky, Unit};

/// Parts into which skies are split.
pub(super) const FOLDS: usize = 5;
/// Skies that are held at once.
const BATCH: usize = 8;
/// Half of the spacing of f32 relative to its value; rounding is even within it.
const ROUNDING: f64 = 6e-8;

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
    folds: Vec<Vec<RingSums>>,
    /// The angular power of rounding in each channel.
    floor: Vec<f64>,
}

impl Training {
    /// Gathers the statistics of `skies` skies that `pair` gives by their number, several in parallel. It is asked again for some of them by
    /// [`fit`](Self::fit); it must give the same.
    ///
    /// # Errors
    /// [`Error::Estimator`] for fewer than 5 skies, values without weight, and skies of different channels, unit or size; what `pair` reports.
    pub fn gather(skies: usize, pair: &(dyn Fn(usize) -> Result<Pair> + Sync)) -> Result<Self> {
        if skies < FOLDS {
            return Err(refused(format!("{skies} skies are too few to learn from"), "give 5 at least, better 100"));
        }
        let first = pair(0)?.observed;
        let (frequencies_mhz, unit, plane) = (first.frequencies_mhz()?.to_vec(), first.unit(), Plane::of(&first)?);
        let shape = first.cube().shape();
        let shells = plane.shells();
        let all = Multipoles::of_patch([shape[1], shape[2]], first.geometry()?.side_deg)?;
        let multipoles = with_modes(&all, &shells)?;
        let rings = rings_of(&multipoles, &shells)?;
        let count = multipoles.len();
        let of_sky = |number: usize| -> Result<(Vec<RingSums>, Vec<f64>)> {
            let Pair { observed, signal } = pair(number)?;
            check_channels("training", &frequencies_mhz, unit, &observed)?;
            let same = observed.cube().shape() == shape && observed.geometry()?.side_deg == first.geometry()?.side_deg;
            if !same || signal.axes() != observed.cube().axes() {
                let problem = format!("sky {number} or its signal has another size than the first sky");
                return Err(refused(problem, "give skies and signals of one size"));
            }
            if observed.weights().is_some_and(|weights| weights.values().contains(&0.0)) {
                return Err(refused(
                    format!("sky {number} has values without weight"),
                    "learn from skies without gaps",
                ));
            }
            let (x, s) = (centred(observed.cube()), centred(&signal));
            let rest: Vec<f64> = x.iter().zip(&s).map(|(x, s)| x - s).collect();
            let squares = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
            let squares = observed.cube().values().chunks_exact(plane.pixels()).map(squares).collect();
            let (signal, rest) = (plane.forward(&s), plane.forward(&rest));
            Ok((sums::of_sky(&plane, &shells, &rings, count, &signal, &rest), squares))
        };
        let channels = frequencies_mhz.len();
        let mut folds = vec![vec![RingSums::empty(channels); count]; FOLDS];
        let mut floor = vec![0.0; channels];
        // a variance per pixel is this much angular power, were it white
        let white = plane.area_sr() / plane.pixels() as f64;
        let scale = ROUNDING * ROUNDING / 3.0 * white / (skies * plane.pixels()) as f64;
        for from in (0..skies).step_by(BATCH) {
            let numbers = from..skies.min(from + BATCH);
            let batch = numbers.clone().into_par_iter().map(of_sky).collect::<Result<Vec<_>>>()?;
            // in the order of the skies, whichever was ready first
            for (number, (sums, squares)) in numbers.zip(batch) {
                folds[number % FOLDS].iter_mut().zip(&sums).for_each(|(all, one)| all.add(one));
                floor.iter_mut().zip(squares).for_each(|(floor, square)| *floor += scale * square);
            }
        }
        Ok(Self { frequencies_mhz, unit, multipoles, skies, folds, floor })
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
            Method::Filter => Chosen::Smoothing(smooth::choose(&self.folds, &others, &self.multipoles, &self.floor)?),
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
        (fitted.margins, fitted.limits) = calibrate::calibrated(&of_others, self.skies, pair)?;
        fitted.chosen = vec![match chosen {
            Chosen::Components { modes, .. } => format!("{modes} components"),
            Chosen::Smoothing(Widths { signal, rest }) => {
                format!("smoothed over ln l: the signal by {signal}, the rest by {rest}")
            }
        }];
        Ok(fitted)
    }

    /// Means over all folds, or over all but one.
    fn means(&self, without: Option<usize>) -> Vec<RingSums> {
        let mut sums = vec![RingSums::empty(self.frequencies_mhz.len()); self.multipoles.len()];
        let kept = self.folds.iter().enumerate().filter(|(fold, _)| Some(*fold) != without);
        kept.for_each(|(_, fold)| sums.iter_mut().zip(fold).for_each(|(all, one)| all.add(one)));
        sums.iter().map(RingSums::mean).collect()
    }

    fn rings(&self, chosen: Chosen, means: &[RingSums]) -> Result<Vec<Ring>> {
        match chosen {
            Chosen::Smoothing(widths) => smooth::filters(means, &self.multipoles, widths, &self.floor),
            Chosen::Components { modes, gain } => components::rings(means, modes, gain, &self.floor),
        }
    }
}

/// What makes the matrices of a method.
#[derive(Clone, Copy)]
enum Chosen {
    Smoothing(Widths),
    Components { modes: usize, gain: bool },
}

fn refused(problem: String, fix: &'static str) -> Error {
    Error::Estimator { name: "training".into(), problem, fix }
}

/// The same rings without those that have no modes, which go to the next.
fn with_modes(all: &Multipoles, shells: &[Shell]) -> Result<Multipoles> {
    let edges = all.edges();
    let mut kept = vec![edges[0]];
    for edge in &edges[1..] {
        let lower = kept[kept.len() - 1];
        if shells.iter().any(|shell| shell.multipole >= lower && shell.multipole < *edge) {
            kept.push(*edge);
        }
    }
    Multipoles::new(kept)
}

fn rings_of(multipoles: &Multipoles, shells: &[Shell]) -> Result<Vec<usize>> {
    let ring = |shell: &Shell| {
        multipoles.ring(shell.multipole).ok_or_else(|| {
            refused(format!("a mode at the multipole {} is in no ring", shell.multipole), "give square pixels")
        })
    };
    shells.iter().map(ring).collect()
}
