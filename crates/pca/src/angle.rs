//! The largest angle between the modes of two components.
//!
//! With `R = (I - V V^H) W`, what the modes `W` have outside of `V`, the sine of the largest principal angle is the largest singular value of
//! `R` (Björck & Golub, "Numerical methods for computing angles between linear subspaces", Math. Comp. 27, 579 (1973)): small angles keep
//! their digits, which their cosines have not.

use num_complex::Complex;

use crate::{Basis, Components, Error, Result, hermitian_eigen};

impl Components {
    /// The largest principal angle in radians between the modes that were kept here and there; 0 where there are none.
    ///
    /// # Errors
    /// [`Error::OtherAxis`] for components along another axis, [`Error::ComponentCount`] for another number of them.
    #[doc(alias = "subspace_angles")]
    pub fn angle(&self, other: &Self) -> Result<f64> {
        self.check_axis(other.axis())?;
        if self.count() != other.count() {
            return Err(Error::ComponentCount { asked: other.count(), channels: self.count() });
        }
        let (own, others) = (complex(self.basis()), complex(other.basis()));
        let inner =
            |a: &[Complex<f64>], b: &[Complex<f64>]| a.iter().zip(b).map(|(a, b)| a.conj() * b).sum::<Complex<f64>>();
        let outside: Vec<Vec<Complex<f64>>> = others
            .into_iter()
            .map(|mut vector| {
                // twice, so that what is left is orthogonal to the last digit
                for _ in 0..2 {
                    for mode in &own {
                        let share = inner(mode, &vector);
                        vector.iter_mut().zip(mode).for_each(|(v, m)| *v -= share * m);
                    }
                }
                vector
            })
            .collect();
        let count = outside.len();
        let gram: Vec<_> = (0..count * count).map(|i| inner(&outside[i / count], &outside[i % count])).collect();
        let largest = if count == 0 { 0.0 } else { hermitian_eigen(&gram, count)?.values[0] };
        Ok(largest.max(0.0).sqrt().min(1.0).asin())
    }
}

fn complex(basis: &Basis) -> Vec<Vec<Complex<f64>>> {
    match basis {
        Basis::Real(vectors) => vectors.iter().map(|vector| vector.iter().map(|&v| v.into()).collect()).collect(),
        Basis::Hermitian(vectors) => vectors.clone(),
    }
}

#[cfg(test)]
mod tests {
    use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};

    use crate::{Modes, Pca};

    #[test]
    fn planes_that_are_turned_by_an_angle_have_it_between_them() {
        let mut draws = vec![0.0_f64; 2 * 500];
        Stream::new(4, "angle test").fill_normal_f64(&mut draws);
        let plane = |turn: f64| {
            // the second direction is turned out of the plane, the first stays
            let values =
                draws.chunks(2).flat_map(|d| [3.0 * d[0], d[1] * turn.cos(), d[1] * turn.sin(), 0.0]).collect();
            let axes = vec![Axis::new(AxisKind::Sample, 500), Axis::new(AxisKind::Frequency, 4)];
            let cube = Cube::new(values, Axes::new(axes).unwrap()).unwrap();
            Pca::new(Modes::Count(2)).fit(&cube, AxisKind::Frequency).unwrap()
        };
        let first = plane(0.0);
        for turn in [0.0, 1e-9, 1e-3, 0.5, 1.5] {
            let angle = first.angle(&plane(turn)).unwrap();
            assert!((angle - turn).abs() < 1e-7 * turn.max(1e-7), "{turn} {angle}");
        }
    }
}
