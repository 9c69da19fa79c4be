//! Scores of samples and samples of scores: scikit-learn's `transform` and `inverse_transform`.
//!
//! The score on component `v` is `a = v^H (x - mu)`, and `x = mu + sum a v`. In f64, row by row; removing components from
//! large data at speed is the projector's work.

use cupel_data::{Axes, Axis, AxisKind, Cube};
use num_complex::Complex;
use rayon::prelude::*;

use crate::{Basis, Components, Error, Number, Result};

impl Components {
    /// The scores of every sample of `cube`, whose axis of channels becomes an axis of modes, the last one.
    ///
    /// # Errors
    /// [`Error::OtherAxis`]; [`Error::NeedsComplex`] for a real cube under a Hermitian basis.
    pub fn transform<T: Number>(&self, cube: &Cube<T>) -> Result<Cube<T>> {
        self.check_axis(cube.axis(self.axis.kind())?)?;
        let vectors = self.complex_vectors::<T>()?;
        let mean = self.mean_for::<T>();
        let rows = cube.with_last(self.axis.kind())?;
        let axes = replaced(rows.axes(), Axis::new(AxisKind::Mode, self.count()))?;
        by_rows(&rows, self.channels(), self.count(), axes, |row, scores| {
            for (score, vector) in scores.iter_mut().zip(&vectors) {
                let deviations = row.iter().zip(&mean).map(|(value, mean)| complex(*value) - mean);
                let sum: Complex<f64> = deviations.zip(vector).map(|(d, v)| d * v.conj()).sum();
                *score = T::from_parts([sum.re, sum.im]);
            }
        })
    }

    /// The samples that have these scores: the mean and the components, without what was not kept.
    ///
    /// # Errors
    /// A missing axis of modes, or one of another length; [`Error::NeedsComplex`] for real scores of a Hermitian basis.
    pub fn inverse_transform<T: Number>(&self, scores: &Cube<T>) -> Result<Cube<T>> {
        let modes = scores.axis(AxisKind::Mode)?.len();
        if modes != self.count() {
            return Err(Error::ScoreCount { expected: self.count(), got: modes });
        }
        let vectors = self.complex_vectors::<T>()?;
        let mean = self.mean_for::<T>();
        let rows = scores.with_last(AxisKind::Mode)?;
        let axes = replaced(rows.axes(), self.axis.clone())?;
        by_rows(&rows, self.count(), self.channels(), axes, |scores, row| {
            for (channel, value) in row.iter_mut().enumerate() {
                let terms = scores.iter().zip(&vectors).map(|(&score, vector)| complex(score) * vector[channel]);
                let sum = mean[channel] + terms.sum::<Complex<f64>>();
                *value = T::from_parts([sum.re, sum.im]);
            }
        })
    }

    fn complex_vectors<T: Number>(&self) -> Result<Vec<Vec<Complex<f64>>>> {
        match &self.basis {
            Basis::Real(vectors) => Ok(vectors.iter().map(|v| v.iter().map(|&v| Complex::from(v)).collect()).collect()),
            Basis::Hermitian(_) if !T::COMPLEX => Err(Error::NeedsComplex),
            Basis::Hermitian(vectors) => Ok(vectors.clone()),
        }
    }

    /// The mean that samples of this type have.
    fn mean_for<T: Number>(&self) -> Vec<Complex<f64>> {
        match T::COMPLEX {
            true => self.complex_mean(),
            false => self.mean.iter().map(|&mean| Complex::from(mean)).collect(),
        }
    }
}

fn complex<T: Number>(value: T) -> Complex<f64> {
    let [re, im] = value.parts();
    Complex::new(re, im)
}

/// The axes with another last one.
fn replaced(axes: &Axes, last: Axis) -> Result<Axes> {
    let kept = axes.iter().take(axes.rank() - 1).cloned();
    Ok(Axes::new(kept.chain([last]).collect())?)
}

/// `f` of every row of `from` values, each into a row of `to` values.
fn by_rows<T: Number>(
    rows: &Cube<T>,
    from: usize,
    to: usize,
    axes: Axes,
    f: impl Fn(&[T], &mut [T]) + Sync,
) -> Result<Cube<T>> {
    let mut values = vec![T::from_parts([0.0; 2]); axes.value_count()];
    if to > 0 && from > 0 {
        values
            .par_chunks_mut(to)
            .zip(rows.values().par_chunks(from))
            .with_min_len(64)
            .for_each(|(to, from)| f(from, to));
    } else if to > 0 {
        values.par_chunks_mut(to).for_each(|to| f(&[], to));
    }
    Ok(Cube::new(values, axes)?)
}
