//! [`Modes`]: how many components to keep.
//!
//! - Marchenko & Pastur (1967): the covariance of `n` samples of white noise of variance `sigma^2` in `p` channels has no
//!   eigenvalue above `sigma^2 (1 + sqrt(p / n))^2`, asymptotically. `sigma^2` is the median eigenvalue over the median of
//!   their distribution (Gavish & Donoho 2014, arXiv:1305.5870), so that few strong modes do not move it.
//!   A signal that is not white stands above that edge too, and is counted.
//! - Eigen-gap: the last mode, among the first half, with at least twice the variance of the next; none where nothing stands out.
//!   The largest ratio is no rule here: foregrounds fall by factors of a thousand from mode to mode, and the first gap of these says
//!   nothing about the last. On a simulated sky of 32 channels this finds 4 modes, which recover the signal best, where the edge gives
//!   8; on simulated HERA visibilities with a white signal both find the best, 17.

use std::{fmt, str::FromStr};

use crate::{Error, Result};

/// A gap: the variance of one mode over that of the next.
const GAP: f64 = 2.0;
/// Steps of the integral under the density of Marchenko and Pastur.
const STEPS: usize = 20_000;

/// How many components to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Modes {
    /// This many; 0 only takes the mean away.
    #[doc(alias = "n_components")]
    Count(usize),
    /// As many as explain this fraction of the total variance.
    Explained(f64),
    /// Those above the edge of Marchenko and Pastur: what white noise cannot have made.
    MarchenkoPastur,
    /// Those before the last gap between eigenvalues, a factor of 2, in the first half; this is `auto`.
    #[doc(alias = "auto")]
    EigenGap,
    /// The number that lost least of injected mocks, from [`Recovery::modes`](crate::Recovery::modes).
    LeastLoss(usize),
}

impl Modes {
    /// How many of these descending eigenvalues, found on `samples` samples, to keep.
    ///
    /// # Errors
    /// A number above that of channels or samples; a fraction outside (0, 1].
    pub fn choose(self, eigenvalues: &[f64], samples: u64) -> Result<usize> {
        let channels = eigenvalues.len();
        let count = match self {
            Self::Count(count) | Self::LeastLoss(count) => count,
            Self::Explained(fraction) if fraction > 0.0 && fraction <= 1.0 => explained(eigenvalues, fraction),
            Self::Explained(got) => return Err(Error::ExplainedVariance { got }),
            Self::MarchenkoPastur => above_the_edge(eigenvalues, samples),
            Self::EigenGap => before_the_last_gap(eigenvalues, samples),
        };
        if count > channels {
            return Err(Error::ComponentCount { asked: count, channels });
        }
        if count as u64 > samples {
            return Err(Error::TooFewSamples { needed: count as u64, got: samples });
        }
        Ok(count)
    }
}

impl fmt::Display for Modes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(_) => f.write_str("count"),
            Self::Explained(fraction) => write!(f, "explained variance {fraction}"),
            Self::MarchenkoPastur => f.write_str("Marchenko-Pastur edge"),
            Self::EigenGap => f.write_str("eigen-gap"),
            Self::LeastLoss(_) => f.write_str("least loss of injected mocks"),
        }
    }
}

impl FromStr for Modes {
    type Err = Error;

    /// `7`, `0.999` (a fraction of the variance), `auto` or `eigen-gap`, `marchenko-pastur`.
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" | "eigen-gap" => return Ok(Self::EigenGap),
            "marchenko-pastur" => return Ok(Self::MarchenkoPastur),
            _ => {}
        }
        if let Ok(count) = text.parse() {
            return Ok(Self::Count(count));
        }
        match text.parse() {
            Ok(fraction) if fraction > 0.0 && fraction <= 1.0 => Ok(Self::Explained(fraction)),
            _ => Err(Error::Modes { got: text.into() }),
        }
    }
}

fn explained(eigenvalues: &[f64], fraction: f64) -> usize {
    let total: f64 = eigenvalues.iter().sum();
    let mut sum = 0.0;
    let enough = eigenvalues.iter().position(|value| {
        sum += value;
        sum >= fraction * total
    });
    enough.map_or(eigenvalues.len(), |last| last + 1)
}

/// Eigenvalues below this are rounding of the largest.
fn rounding(eigenvalues: &[f64]) -> f64 {
    eigenvalues.first().map_or(0.0, |first| first * f64::EPSILON * eigenvalues.len() as f64)
}

/// n samples around their mean span n - 1 directions; the other eigenvalues are zero and say nothing.
fn directions(eigenvalues: &[f64], samples: u64) -> usize {
    eigenvalues.len().min(usize::try_from(samples.saturating_sub(1)).unwrap_or(usize::MAX))
}

fn above_the_edge(eigenvalues: &[f64], samples: u64) -> usize {
    let floor = rounding(eigenvalues);
    let directions = directions(eigenvalues, samples);
    let Some(&middle) = eigenvalues[..directions].get(directions / 2) else {
        return 0;
    };
    let ratio = eigenvalues.len() as f64 / (samples.saturating_sub(1)) as f64;
    let edge = (middle / marchenko_pastur_median(ratio) * (1.0 + ratio.sqrt()).powi(2)).max(floor);
    eigenvalues.iter().take_while(|&&value| value > edge).count()
}

fn before_the_last_gap(eigenvalues: &[f64], samples: u64) -> usize {
    let floor = rounding(eigenvalues);
    // in the second half gaps are those to channels without variance and to directions without samples
    let half = directions(eigenvalues, samples) / 2;
    let first = &eigenvalues[..(half + 1).min(eigenvalues.len())];
    let gap = |pair: &[f64]| pair[0] > floor && pair[0] >= GAP * pair[1].max(floor);
    first.windows(2).rposition(gap).map_or(0, |last| last + 1)
}

/// The median of the eigenvalues of unit white noise that are not zero, for `ratio` channels per sample.
pub(crate) fn marchenko_pastur_median(ratio: f64) -> f64 {
    let (low, high) = ((1.0 - ratio.sqrt()).powi(2), (1.0 + ratio.sqrt()).powi(2));
    // x = low + (high - low) (1 - cos t) / 2 takes the square roots at both ends out of the integral
    let at = |step: f64| low + (high - low) * (1.0 - (std::f64::consts::PI * step / STEPS as f64).cos()) / 2.0;
    let density = |step: f64| {
        let sine = (std::f64::consts::PI * step / STEPS as f64).sin();
        sine * sine / at(step).max(f64::MIN_POSITIVE)
    };
    let total: f64 = (0..STEPS).map(|step| density(step as f64 + 0.5)).sum();
    let mut sum = 0.0;
    for step in 0..STEPS {
        sum += density(step as f64 + 0.5);
        if sum >= total / 2.0 {
            return at(step as f64 + 0.5);
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    /// scipy.integrate.quad of the density and scipy.optimize.brentq of its half, SciPy 1.17.1: see `tests/oracle.py`.
    #[test]
    fn the_median_of_marchenko_and_pastur_is_that_of_an_integral() {
        for (ratio, expected) in MEDIANS {
            let got = marchenko_pastur_median(ratio);
            assert!((got / expected - 1.0).abs() < 1e-3, "{ratio}: {got} {expected}");
        }
    }

    const MEDIANS: [(f64, f64); 4] =
        [(0.01, 0.996665676338657), (0.1, 0.9665651474027751), (0.5, 0.8304658815813651), (2.0, 1.6609317631627323)];

    #[test]
    fn rules_find_four_modes_where_four_stand_out() {
        // the spectrum of a simulated sky of 32 channels and 1024 lines of sight, and a plain tail
        let mut values = vec![4.86e7, 4.87e4, 63.6, 0.14];
        values.extend((0..28).map(|index| 0.0225 * 0.98_f64.powi(index)));
        assert_eq!(Modes::EigenGap.choose(&values, 1024).unwrap(), 4);
        assert_eq!(Modes::MarchenkoPastur.choose(&values, 1024).unwrap(), 4);
        assert_eq!(Modes::Explained(0.9999).choose(&values, 1024).unwrap(), 2);
        assert_eq!(Modes::LeastLoss(5).choose(&values, 1024).unwrap(), 5);
    }

    #[test]
    fn an_exact_rank_is_found_and_nothing_is_found_in_nothing() {
        let exact = [9.0, 3.0, 1.0, 1e-16, 0.0, 0.0];
        assert_eq!(Modes::EigenGap.choose(&exact, 100).unwrap(), 3);
        assert_eq!(Modes::MarchenkoPastur.choose(&exact, 100).unwrap(), 3);
        // a channel without variance is no gap
        let dead = [9.0, 3.0, 1.0, 0.9, 0.8, 0.7, 0.6, 0.0];
        assert_eq!(Modes::EigenGap.choose(&dead, 100).unwrap(), 2);
        for rule in [Modes::EigenGap, Modes::MarchenkoPastur] {
            assert_eq!(rule.choose(&[0.0; 4], 100).unwrap(), 0);
        }
    }

    #[test]
    fn names_go_there_and_nonsense_is_refused() {
        assert_eq!("7".parse::<Modes>().unwrap(), Modes::Count(7));
        assert_eq!("0.99".parse::<Modes>().unwrap(), Modes::Explained(0.99));
        assert_eq!("auto".parse::<Modes>().unwrap(), Modes::EigenGap);
        assert_eq!("marchenko-pastur".parse::<Modes>().unwrap(), Modes::MarchenkoPastur);
        for wrong in ["1.5", "0.0", "-1", "many", "NaN", ""] {
            assert!(matches!(wrong.parse::<Modes>(), Err(Error::Modes { .. })), "{wrong}");
        }
        assert!(matches!(Modes::Count(5).choose(&[1.0; 4], 9), Err(Error::ComponentCount { asked: 5, channels: 4 })));
        assert!(matches!(Modes::Count(3).choose(&[1.0; 4], 2), Err(Error::TooFewSamples { needed: 3, got: 2 })));
        assert!(matches!(Modes::Explained(0.0).choose(&[1.0], 9), Err(Error::ExplainedVariance { .. })));
    }
}
