//! [`LinearEstimator`]: one matrix over channels per ring of multipoles, and the covariance of what it leaves unknown.
//!
//! With the covariances `S` of the signal and `R` of the rest (foregrounds and noise) of a mode, the best linear estimate is `W = S (S + R)^-1`, and
//! `Sigma = S - W S` is the covariance of its error: Wiener (1949); Rybicki & Press, ApJ 398, 169 (1992). Modes of one ring share their
//! matrices. Covariances are angular powers, in the unit of the sky squared times sr, so that they hold for patches of any size.

use faer::Mat;
use num_complex::Complex;
use rayon::prelude::*;

use super::{
    Margin, Multipoles,
    calibrate::PowerRatio,
    detection::WithoutSignal,
    matrix::{self, matrix, part, symmetric},
    mismatch::Limits,
    plane_modes::{PlaneModes, Shell},
};
use crate::{Error, Result, Unit};

/// Modes that are multiplied at a time.
const BATCH: usize = 64;
/// Largest departure of a covariance from its transpose, as a part of its diagonal.
const SYMMETRY: f64 = 1e-6;

/// The covariances over channels of the modes of one ring: row-major, in the unit of the sky squared times sr (an angular power `C_l`).
#[derive(Clone, Debug, PartialEq)]
pub struct Covariances {
    /// Of the signal as the instrument shows it.
    pub signal: Vec<f64>,
    /// Of everything else: foregrounds, noise and rounding.
    pub rest: Vec<f64>,
}

/// A filter of each ring of multipoles.
///
/// # Example
/// ```
/// use cupel_cosmology::{Sky, Unit, frequency_axis};
/// use cupel_cosmology::estimators::{Covariances, LinearEstimator, Multipoles, SignalEstimator};
/// use cupel_data::{Axes, Axis, AxisKind, Cube};
/// # fn main() -> cupel_cosmology::Result<()> {
/// // white signal and white noise of equal power: half of what is seen is signal
/// let white = vec![1.0, 0.0, 0.0, 1.0];
/// let rings = vec![Covariances { signal: white.clone(), rest: white }];
/// let multipoles = Multipoles::new(vec![1.0, 1e4])?;
/// let estimator = LinearEstimator::from_covariances("wiener", vec![400.0, 401.0], Unit::Kelvin, multipoles, &rings)?;
/// let axes = vec![frequency_axis(vec![400.0, 401.0])?, Axis::new(AxisKind::Row, 2), Axis::new(AxisKind::Column, 2)];
/// let cube = Cube::new(vec![1.0, -1.0, 1.0, -1.0, 3.0, 3.0, -3.0, -3.0], Axes::new(axes)?)?;
/// let sky = Sky::new(cube, Unit::Kelvin, None)?.with_sides([2.0, 2.0])?;
/// let estimate = estimator.estimate(&sky)?;
/// assert!((estimate.signal.cube().values()[4] - 1.5).abs() < 1e-6);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LinearEstimator {
    pub(super) name: String,
    pub(super) frequencies_mhz: Vec<f64>,
    pub(super) unit: Unit,
    pub(super) multipoles: Multipoles,
    pub(super) rings: Vec<Ring>,
    pub(super) margins: Vec<Margin>,
    pub(super) limits: Option<Limits>,
    pub(super) without_signal: Option<WithoutSignal>,
    /// The true power over that of draws, cell by cell; empty where nothing was calibrated.
    pub(super) power: Vec<PowerRatio>,
    pub(super) chosen: Vec<String>,
}

/// The matrices of one ring.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Ring {
    pub(super) filter: Mat<f64>,
    pub(super) posterior: Mat<f64>,
    pub(super) signal: Mat<f64>,
    pub(super) rest: Mat<f64>,
}

impl Ring {
    /// The best filter of two covariances.
    ///
    /// # Errors
    /// Where the sum of both is no covariance.
    pub(super) fn wiener(signal: Mat<f64>, rest: Mat<f64>, number: usize) -> Result<Self> {
        let (filter, posterior) = matrix::wiener(&signal, &rest).ok_or_else(|| Error::Covariance {
            ring: number,
            problem: "signal and rest add to no positive definite matrix; every channel needs some power".into(),
        })?;
        Ok(Self { filter, posterior, signal, rest })
    }

    /// What a filter leaves unknown: the covariance of `s - W x`.
    pub(super) fn filtered(filter: Mat<f64>, signal: Mat<f64>, rest: Mat<f64>, common: &Mat<f64>) -> Self {
        // s - W (s + r) = (1 - W) s - W r
        let kept = Mat::<f64>::identity(filter.nrows(), filter.nrows()) - &filter;
        let cross = &kept * common * filter.transpose();
        let posterior =
            &kept * &signal * kept.transpose() + &filter * &rest * filter.transpose() - &cross - cross.transpose();
        Self { posterior: symmetric(&posterior), filter, signal, rest }
    }
}

impl LinearEstimator {
    /// The best filter where the covariances of each ring are known.
    ///
    /// # Errors
    /// [`Error::Covariance`] for matrices of another size, that are not finite, not symmetric, negative on the diagonal, or whose sum is not positive
    /// definite; [`cupel_data::Error::Count`] unless there is one pair for each ring.
    pub fn from_covariances(
        name: impl Into<String>,
        frequencies_mhz: Vec<f64>,
        unit: Unit,
        multipoles: Multipoles,
        covariances: &[Covariances],
    ) -> Result<Self> {
        if covariances.len() != multipoles.len() {
            let (doing, what) = ("making a linear estimator", "pairs of covariances, one per ring");
            let (expected, got) = (multipoles.len(), covariances.len());
            return Err(cupel_data::Error::Count { doing, what, expected, got }.into());
        }
        let size = frequencies_mhz.len();
        let ring = |(number, pair): (usize, &Covariances)| {
            let checked = |values: &[f64], what: &str| {
                covariance(values, size)
                    .map_err(|problem| Error::Covariance { ring: number, problem: format!("the {what} {problem}") })
            };
            Ring::wiener(checked(&pair.signal, "signal")?, checked(&pair.rest, "rest")?, number)
        };
        let rings = covariances.par_iter().enumerate().map(ring).collect::<Result<Vec<_>>>()?;
        Ok(Self::of_rings(name.into(), frequencies_mhz, unit, multipoles, rings))
    }

    pub(super) fn of_rings(
        name: String,
        frequencies_mhz: Vec<f64>,
        unit: Unit,
        multipoles: Multipoles,
        rings: Vec<Ring>,
    ) -> Self {
        let (margins, limits, power, chosen) = (Vec::new(), None, Vec::new(), Vec::new());
        Self { name, frequencies_mhz, unit, multipoles, rings, margins, limits, without_signal: None, power, chosen }
    }

    /// The rings of multipoles.
    pub fn multipoles(&self) -> &Multipoles {
        &self.multipoles
    }

    /// The filter of a ring, row by row.
    pub fn filter(&self, ring: usize) -> Vec<f64> {
        matrix::row_major(&self.rings[ring].filter)
    }

    /// The covariance of the error in a ring, row by row, in the unit of the sky squared times sr.
    pub fn posterior(&self, ring: usize) -> Vec<f64> {
        matrix::row_major(&self.rings[ring].posterior)
    }

    /// The covariances of signal and rest in a ring.
    pub fn covariances(&self, ring: usize) -> Covariances {
        let ring = &self.rings[ring];
        Covariances { signal: matrix::row_major(&ring.signal), rest: matrix::row_major(&ring.rest) }
    }

    /// How sure the intervals of other probabilities are; empty where nothing was calibrated.
    pub fn margins(&self) -> &[Margin] {
        &self.margins
    }

    /// What was chosen by cross-validation, in words.
    pub fn chosen(&self) -> &[String] {
        &self.chosen
    }

    /// By how much standard deviations are multiplied.
    pub(super) fn stretch(&self) -> f64 {
        /// `|z|` at the ends of the interval of 68 % of a normal distribution.
        const NORMAL_68: f64 = 0.994_457_883_209_753_1;
        let margin = self.margins.iter().find(|margin| margin.coverage == 0.68);
        margin.map_or(1.0, |margin| margin.sigmas / NORMAL_68)
    }

    /// The same for skies in which some channels are not seen: what they hold is put in their place as far as the others tell it.
    ///
    /// For the best filter of known covariances this is the best filter of the channels that are left.
    ///
    /// # Errors
    /// [`Error::Covariance`] where the channels that are left have no positive definite covariance.
    pub(super) fn without(&self, dropped: &[bool]) -> Result<Self> {
        let of = |wanted: bool| (0..dropped.len()).filter(move |channel| dropped[*channel] == wanted).collect();
        let (lost, seen): (Vec<usize>, Vec<usize>) = (of(true), of(false));
        let ring = |(number, ring): (usize, &Ring)| {
            let all = &ring.signal + &ring.rest;
            let solver = matrix::Solver::new(&part(&all, &seen, &seen)).ok_or_else(|| Error::Covariance {
                ring: number,
                problem: "the channels that are left have no positive definite covariance".into(),
            })?;
            let common = part(&all, &seen, &lost);
            let told = solver.solve(&common);
            let unknown = part(&all, &lost, &lost) - common.transpose() * &told;
            let (everywhere, of_lost) = ((0..dropped.len()).collect::<Vec<_>>(), &ring.filter);
            let of_lost = part(of_lost, &everywhere, &lost);
            let put = &of_lost * told.transpose();
            let mut filter = Mat::zeros(dropped.len(), dropped.len());
            for (place, channel) in seen.iter().enumerate() {
                for row in 0..dropped.len() {
                    filter[(row, *channel)] = ring.filter[(row, *channel)] + put[(row, place)];
                }
            }
            let posterior = symmetric(&(&ring.posterior + &of_lost * unknown * of_lost.transpose()));
            // a channel that is not seen is zero, and tells nothing of the others
            let apart = |matrix: &Mat<f64>, own: f64| {
                Mat::from_fn(dropped.len(), dropped.len(), |i, j| match dropped[i] || dropped[j] {
                    true => f64::from(u8::from(i == j)) * own,
                    false => matrix[(i, j)],
                })
            };
            let (signal, rest) = (apart(&ring.signal, 0.0), apart(&ring.rest, 1.0));
            Ok(Ring { filter, posterior, signal, rest })
        };
        let rings = self.rings.par_iter().enumerate().map(ring).collect::<Result<_>>()?;
        Ok(Self { rings, ..self.clone() })
    }

    /// The ring of each shell of modes.
    pub(super) fn rings_of(&self, shells: &[Shell]) -> Result<Vec<usize>> {
        let ring = |shell: &Shell| {
            self.multipoles.ring(shell.multipole).ok_or_else(|| {
                let edges = self.multipoles.edges();
                let (first, last) = (edges[0], edges[edges.len() - 1]);
                let problem = format!(
                    "the sky has modes at the multipole {:.1}, it knows those from {first:.1} to {last:.1}",
                    shell.multipole
                );
                let fix = "give a patch and pixels of sizes like those of the training, or fit on skies like this one";
                Error::Estimator { name: self.name.clone(), problem, fix }
            })
        };
        shells.iter().map(ring).collect()
    }
}

/// The modes times the matrix of their ring; nothing is left of the mean.
pub(super) fn multiplied(shells: &[Shell], rings: &[usize], matrices: &[&Mat<f64>], modes: &PlaneModes) -> PlaneModes {
    let channels = modes.channels;
    let batches: Vec<(usize, &[usize])> = shells
        .iter()
        .zip(rings)
        .flat_map(|(shell, ring)| shell.modes.chunks(BATCH).map(|modes| (*ring, modes)))
        .collect();
    let of_batch = |(ring, numbers): &(usize, &[usize])| {
        // real and imaginary parts side by side
        let lines = Mat::from_fn(channels, 2 * numbers.len(), |channel, column| {
            let value = modes.line(numbers[column / 2])[channel];
            if column % 2 == 0 { value.re } else { value.im }
        });
        matrices[*ring] * &lines
    };
    let products: Vec<Mat<f64>> = batches.par_iter().map(of_batch).collect();
    let mut values = vec![Complex::new(0.0, 0.0); modes.values.len()];
    for ((_, numbers), product) in batches.iter().zip(products) {
        for (place, mode) in numbers.iter().enumerate() {
            let line = &mut values[mode * channels..(mode + 1) * channels];
            line.iter_mut().enumerate().for_each(|(channel, value)| {
                *value = Complex::new(product[(channel, 2 * place)], product[(channel, 2 * place + 1)])
            });
        }
    }
    PlaneModes { channels, values }
}

/// A row-major matrix that could be a covariance, or what is wrong with it.
fn covariance(values: &[f64], size: usize) -> std::result::Result<Mat<f64>, String> {
    if values.len() != size * size {
        return Err(format!("has {} entries, {size} channels have {}", values.len(), size * size));
    }
    if let Some(at) = values.iter().position(|value| !value.is_finite()) {
        return Err(format!("is {} at [{}, {}]", values[at], at / size, at % size));
    }
    if let Some(channel) = (0..size).find(|channel| values[channel * size + channel] < 0.0) {
        return Err(format!("has the variance {} in channel {channel}", values[channel * size + channel]));
    }
    let largest = (0..size).map(|channel| values[channel * size + channel]).fold(0.0, f64::max);
    let found = matrix(values, size);
    let uneven =
        |at: &usize| (found[(at / size, at % size)] - found[(at % size, at / size)]).abs() > SYMMETRY * largest;
    match (0..size * size).find(uneven) {
        Some(at) => Err(format!("is not symmetric at [{}, {}]", at / size, at % size)),
        None => Ok(symmetric(&found)),
    }
}
