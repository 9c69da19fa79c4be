//! Principal components of a [`Covariance`].

use cupel_data::Axis;

use crate::{Covariance, Error, Result, symmetric_eigen};

/// How many components to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Modes {
    /// This many.
    Count(usize),
    /// As many as explain this fraction of the total variance.
    Explained(f64),
}

/// The leading principal components along one axis.
#[derive(Clone, Debug)]
pub struct Components {
    axis: Axis,
    mean: Vec<f64>,
    vectors: Vec<Vec<f64>>,
    variances: Vec<f64>,
    total_variance: f64,
}

impl Components {
    /// Number of components kept.
    pub fn count(&self) -> usize {
        self.vectors.len()
    }

    /// The axis they lie along.
    pub fn axis(&self) -> &Axis {
        &self.axis
    }

    /// Mean per channel.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Unit vectors, one per component, by descending variance.
    pub fn vectors(&self) -> &[Vec<f64>] {
        &self.vectors
    }

    /// Variance along each component (divided by n - 1).
    pub fn variances(&self) -> &[f64] {
        &self.variances
    }

    /// Fraction of the total variance that each component explains (0 where there is no variance).
    pub fn explained(&self) -> Vec<f64> {
        self.variances.iter().map(|v| if self.total_variance > 0.0 { v / self.total_variance } else { 0.0 }).collect()
    }
}

pub(crate) fn leading(covariance: &Covariance, modes: Modes) -> Result<Components> {
    let channels = covariance.axis().len();
    let eigen = symmetric_eigen(&covariance.matrix()?, channels)?;
    // rounding leaves eigenvalues of a rank-deficient matrix a little below zero
    let variances: Vec<f64> = eigen.values.iter().map(|v| v.max(0.0)).collect();
    let total_variance: f64 = variances.iter().sum();
    let count = match modes {
        Modes::Count(count) if (1..=channels).contains(&count) => count,
        Modes::Count(asked) => return Err(Error::ComponentCount { asked, channels }),
        Modes::Explained(fraction) if fraction > 0.0 && fraction <= 1.0 => {
            let mut sum = 0.0;
            let enough = variances.iter().position(|v| {
                sum += v;
                sum >= fraction * total_variance
            });
            enough.map_or(channels, |last| last + 1)
        }
        Modes::Explained(got) => return Err(Error::ExplainedVariance { got }),
    };
    Ok(Components {
        axis: covariance.axis().clone(),
        mean: covariance.mean().to_vec(),
        vectors: eigen.vectors.into_iter().take(count).collect(),
        variances: variances.into_iter().take(count).collect(),
        total_variance,
    })
}

#[cfg(test)]
mod tests {
    use cupel_data::{Axes, AxisKind, Cube, Stream};

    use super::*;

    /// Samples `u * 3 + v * 1` on two known orthogonal directions in three channels.
    fn covariance() -> Covariance {
        let mut draws = vec![0.0f64; 2 * 4000];
        Stream::new(5, "components test").fill_normal_f64(&mut draws);
        let values = draws
            .chunks(2)
            .flat_map(|d| {
                let (a, b) = (3.0 * d[0], d[1]);
                [(a + b) as f32, (a - b) as f32, 0.0]
            })
            .collect();
        let band = Axis::new(AxisKind::Wavelength, 3);
        let axes = Axes::new(vec![Axis::new(AxisKind::Sample, 4000), band.clone()]).unwrap();
        let mut covariance = Covariance::new(&band);
        covariance.update(&Cube::new(values, axes).unwrap()).unwrap();
        covariance
    }

    #[test]
    fn finds_known_directions_and_variances() {
        let components = covariance().components(Modes::Count(3)).unwrap();
        let half = std::f64::consts::FRAC_1_SQRT_2;
        for (got, expected) in components.vectors()[0].iter().zip([half, half, 0.0]) {
            assert!((got - expected).abs() < 0.02, "{:?}", components.vectors());
        }
        // variances of 4000 samples scatter by sqrt(2 / 4000) = 2.2 %
        assert!((components.variances()[0] / 18.0 - 1.0).abs() < 0.1, "{:?}", components.variances());
        assert!((components.variances()[1] / 2.0 - 1.0).abs() < 0.1);
        assert!(components.variances()[2] < 1e-9);
        assert!((components.explained().iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn vectors_are_orthonormal() {
        let components = covariance().components(Modes::Count(3)).unwrap();
        for (i, a) in components.vectors().iter().enumerate() {
            for (j, b) in components.vectors().iter().enumerate() {
                let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn counts_by_explained_variance_and_refuses_nonsense() {
        let covariance = covariance();
        assert_eq!(covariance.components(Modes::Explained(0.8)).unwrap().count(), 1);
        assert_eq!(covariance.components(Modes::Explained(0.95)).unwrap().count(), 2);
        assert!(matches!(covariance.components(Modes::Count(0)), Err(Error::ComponentCount { asked: 0, channels: 3 })));
        assert!(matches!(covariance.components(Modes::Count(4)), Err(Error::ComponentCount { asked: 4, channels: 3 })));
        assert!(matches!(covariance.components(Modes::Explained(0.0)), Err(Error::ExplainedVariance { .. })));
    }
}
