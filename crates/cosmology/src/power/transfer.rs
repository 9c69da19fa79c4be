//! [`transfer`]: how much of a signal a cleaning leaves, found by injecting mock signals into the data.
//!
//! `T(k) = < P(clean(X + m) - clean(X), m) / P(m) >` over mocks `m`. The cleaning is fitted again on `X + m`, as what it takes from the signal is what the
//! signal did to its fit. The auto-power of the cleaned sky and its cross-power with a tracer are both divided by `T` once, not twice: Cunnington
//! et al., MNRAS 523, 2453 (2023), arXiv:2302.07034, sections 3 and 4.

use cupel_data::Cube;
use cupel_statistics::Spread;
use serde::Serialize;

use super::{Band, Binning, Estimator};
use crate::{Error, Result};

/// Least transfer that is undone: what is left below it is rounding of single numbers.
const LEAST: f64 = 1e-4;

/// What a cleaning leaves of a signal, scale by scale.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transfer {
    /// One a bin.
    pub bands: Vec<TransferBand>,
    /// Number of mocks.
    pub mocks: usize,
}

/// Transfer in one bin; NaN, in JSON `null`, where there are no modes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TransferBand {
    /// Mean of what is binned, as in [`Band`].
    pub k: f64,
    /// Number of modes.
    pub modes: u64,
    /// Share of the power that is left.
    pub transfer: f64,
    /// Scatter of one mock around it.
    pub scatter: f64,
    /// Standard deviation of `transfer`: the scatter over the square root of the number of mocks.
    pub sigma: f64,
}

/// Transfer of `clean` on the sky `observed`. It has to fit what it fits on the cube that it is given.
///
/// # Errors
/// Those of `clean`; [`Error::Spectrum`] for fewer than two mocks, which have no scatter; where shapes differ or values are not finite.
pub fn transfer<E: From<Error>>(
    estimator: &Estimator,
    binning: &Binning,
    observed: &Cube<f32>,
    mocks: &[Cube<f32>],
    clean: impl Fn(&Cube<f32>) -> std::result::Result<Cube<f32>, E>,
) -> std::result::Result<Transfer, E> {
    if mocks.len() < 2 {
        let got = mocks.len().to_string();
        return Err(Error::Spectrum { expected: "two mocks at least, for their scatter", got }.into());
    }
    let axes = observed.axes();
    let alone = clean(observed)?;
    let mut of_mocks: Vec<Vec<f64>> = Vec::new();
    let mut own = Vec::new();
    for mock in mocks {
        let mock = mock.permuted(&axes.kinds()).map_err(Error::from)?;
        let with = clean(&combined(observed, &mock, |sky, mock| sky + mock)?)?;
        let left = combined(&with, &alone, |with, without| with - without)?;
        let (mock, left) = (estimator.modes(&mock)?, estimator.modes(&left)?);
        own = estimator.power(&mock, binning)?;
        let common = estimator.cross(&left, &mock, binning)?;
        of_mocks.push(common.iter().zip(&own).map(|(common, own)| common.power / own.power).collect());
    }
    let band = |(index, own): (usize, &Band)| {
        let ratios: Vec<f64> = of_mocks.iter().map(|ratios| ratios[index]).collect();
        let Spread { mean, sd } = Spread::of(&ratios).unwrap_or(Spread { mean: f64::NAN, sd: f64::NAN });
        let sigma = sd / (mocks.len() as f64).sqrt();
        TransferBand { k: own.k, modes: own.modes, transfer: mean, scatter: sd, sigma }
    };
    Ok(Transfer { bands: own.iter().enumerate().map(band).collect(), mocks: mocks.len() })
}

impl Transfer {
    /// The power of a cleaned sky, or its cross-power with a tracer, with what the cleaning took given back; NaN where it left nothing.
    ///
    /// # Errors
    /// [`Error::Compared`] when the bins are others.
    pub fn correct(&self, cleaned: &[Band]) -> Result<Vec<Band>> {
        let same =
            |(band, own): (&Band, &TransferBand)| band.modes == own.modes && (band.k - own.k).abs() <= 1e-9 * own.k;
        let empty = |(band, own): (&Band, &TransferBand)| band.modes == 0 && own.modes == 0;
        let pairs = || cleaned.iter().zip(&self.bands);
        if cleaned.len() != self.bands.len() || !pairs().all(|pair| same(pair) || empty(pair)) {
            return Err(Error::Compared {
                what: "a spectrum in bins",
                got: vec![cleaned.len()],
                with: "the bins of the transfer",
                expected: vec![self.bands.len()],
            });
        }
        Ok(pairs()
            .map(|(band, own)| {
                let transfer = if own.transfer > LEAST { own.transfer } else { f64::NAN };
                let power = band.power / transfer;
                Band { power, sigma: (band.sigma / transfer).hypot(power * own.sigma / transfer), ..*band }
            })
            .collect())
    }
}

fn combined(a: &Cube<f32>, b: &Cube<f32>, f: impl Fn(f32, f32) -> f32) -> Result<Cube<f32>> {
    let b = b.permuted(&a.axes().kinds())?;
    if a.shape() != b.shape() {
        let (got, expected) = (b.shape(), a.shape());
        return Err(Error::Compared { what: "a mock or a cleaned sky", got, with: "the sky", expected });
    }
    let values = a.values().iter().zip(b.values()).map(|(a, b)| f(*a, *b)).collect();
    Ok(Cube::new(values, a.axes().clone())?)
}
