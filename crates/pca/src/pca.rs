//! [`Pca`]: the front door for a cube in memory, with scikit-learn's verbs.

use cupel_data::{AxisKind, Cube};

use crate::{
    Components, Covariance, Modes, Number, Result,
    covariance::in_rows,
    refine::{complex_gaps, real_gaps},
    solve,
};

/// A principal component analysis that has not seen data.
///
/// # Example
/// ```
/// use cupel_data::{Axes, Axis, AxisKind, Cube};
/// use cupel_pca::{Modes, Pca};
///
/// let axes = Axes::new(vec![Axis::new(AxisKind::Sample, 4), Axis::new(AxisKind::Frequency, 2)])?;
/// let cube = Cube::new(vec![0.0f32, 0.1, 1.0, 2.0, 2.0, 3.9, 3.0, 6.0], axes)?;
/// let components = Pca::new(Modes::Count(1)).fit(&cube, AxisKind::Frequency)?;
/// assert!(components.explained_variance_ratio()[0] > 0.999);
/// let scores = components.transform(&cube)?;
/// let restored = components.inverse_transform(&scores)?;
/// assert!(restored.values().iter().zip(cube.values()).all(|(a, b)| (a - b).abs() < 0.1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[doc(alias = "PCA")]
#[doc(alias = "sklearn")]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pca {
    modes: Modes,
    hermitian: bool,
}

impl Pca {
    /// An analysis that keeps as many components as `modes` says, with real vectors.
    pub fn new(modes: Modes) -> Self {
        Self { modes, hermitian: false }
    }

    /// The same with complex vectors, eigenvectors of the Hermitian covariance. Without this, real and imaginary parts of
    /// complex data are samples of their own with one mean and one real basis.
    #[must_use]
    pub fn hermitian(self) -> Self {
        Self { hermitian: true, ..self }
    }

    fn covariance<T: Number>(self, cube: &Cube<T>, along: AxisKind) -> Result<Covariance> {
        let axis = cube.axis(along)?;
        Ok(if self.hermitian { Covariance::hermitian(axis) } else { Covariance::new(axis) })
    }

    /// The components of `cube` along one of its axes; every position along the others is a sample.
    ///
    /// With fewer samples than channels they come from singular vectors of the samples, otherwise from the covariance.
    ///
    /// # Errors
    /// A missing axis; values that are not finite; fewer than 2 samples, or fewer than modes; no convergence.
    pub fn fit<T: Number>(self, cube: &Cube<T>, along: AxisKind) -> Result<Components> {
        let mut covariance = self.covariance(cube, along)?;
        covariance.update(cube)?;
        let channels = covariance.axis().len();
        if covariance.samples() >= channels as u64 {
            return covariance.components(self.modes);
        }
        let rows = cube.with_last(along)?;
        let rows = in_rows(rows.values(), channels, T::COMPLEX || self.hermitian, Number::parts);
        solve::of_samples(&covariance, &rows, self.modes)
    }

    /// The same with a weight for each value; see [`Covariance::update_weighted`], whose components these begin with. Then what is
    /// flagged is filled by the modes, and the modes are fitted again, until they stay.
    ///
    /// # Errors
    /// As [`fit`](Self::fit), and for weights that do not belong to the cube.
    pub fn fit_weighted<T: Number>(self, cube: &Cube<T>, weights: &Cube<f32>, along: AxisKind) -> Result<Components> {
        let mut covariance = self.covariance(cube, along)?;
        covariance.update_weighted(cube, weights)?;
        let start = covariance.components(self.modes)?;
        let channels = start.channels();
        let (rows, weights) = (cube.with_last(along)?, weights.with_last(along)?);
        let (rows, weights) = (rows.values(), weights.values());
        if self.hermitian {
            return complex_gaps(rows, weights, channels).refine(start);
        }
        let values = in_rows(rows, channels, T::COMPLEX, Number::parts);
        let weights = in_rows(weights, channels, T::COMPLEX, |weight| [f64::from(weight); 2]);
        real_gaps(values, &weights, channels).refine(start)
    }

    /// [`fit`](Self::fit) and [`transform`](Components::transform) in one.
    ///
    /// # Errors
    /// As these two.
    pub fn fit_transform<T: Number>(self, cube: &Cube<T>, along: AxisKind) -> Result<(Components, Cube<T>)> {
        let components = self.fit(cube, along)?;
        let scores = components.transform(cube)?;
        Ok((components, scores))
    }
}
