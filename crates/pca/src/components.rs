//! [`Components`]: the principal components along one axis, however they were found.
//!
//! With the covariance `C_ij = E[d_i d_j*]` of the deviations `d = x - mu`, component `v` of variance `lambda` obeys
//! `C v = lambda v`. Variances descend, and the entry of `v` that is largest in absolute value is real and positive, which
//! fixes the sign or phase that the equation leaves open.

use cupel_data::Axis;
use num_complex::Complex;

use crate::{Error, Result, Solver};

/// Unit vectors along an axis, row-major `[mode][channel]`.
#[derive(Clone, Debug, PartialEq)]
pub enum Basis {
    /// Real ones; of complex data they serve real and imaginary parts alike.
    Real(Vec<Vec<f64>>),
    /// Complex ones, eigenvectors of a Hermitian covariance.
    Hermitian(Vec<Vec<Complex<f64>>>),
}

impl Basis {
    /// Number of vectors.
    pub fn len(&self) -> usize {
        match self {
            Self::Real(vectors) => vectors.len(),
            Self::Hermitian(vectors) => vectors.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether its vectors are complex.
    pub fn is_hermitian(&self) -> bool {
        matches!(self, Self::Hermitian(_))
    }

    /// The first `count` vectors, and those after them.
    pub(crate) fn split(self, count: usize) -> (Self, Self) {
        match self {
            Self::Real(mut vectors) => {
                let rest = vectors.split_off(count.min(vectors.len()));
                (Self::Real(vectors), Self::Real(rest))
            }
            Self::Hermitian(mut vectors) => {
                let rest = vectors.split_off(count.min(vectors.len()));
                (Self::Hermitian(vectors), Self::Hermitian(rest))
            }
        }
    }
}

/// Relative difference of coordinates that are the same.
const ROUNDING: f64 = 1e-12;

/// The leading principal components along one axis, with the mean that belongs to them.
///
/// What a user of scikit-learn types is there under its name: [`components_`](Self::basis),
/// [`explained_variance`](Self::explained_variance), [`explained_variance_ratio`](Self::explained_variance_ratio),
/// [`mean_`](Self::mean), [`singular_values`](Self::singular_values), [`noise_variance`](Self::noise_variance),
/// [`transform`](Self::transform), [`inverse_transform`](Self::inverse_transform).
#[derive(Clone, Debug, PartialEq)]
pub struct Components {
    pub(crate) axis: Axis,
    pub(crate) mean: Vec<f64>,
    /// Of a Hermitian basis; otherwise empty.
    pub(crate) mean_imaginary: Vec<f64>,
    pub(crate) basis: Basis,
    /// The other eigenvectors; empty where the solver finds only the leading ones.
    pub(crate) complement: Basis,
    /// Descending; as many as vectors in `basis` and `complement`.
    pub(crate) eigenvalues: Vec<f64>,
    pub(crate) total_variance: f64,
    pub(crate) samples: u64,
    pub(crate) rule: String,
    pub(crate) solver: Solver,
    pub(crate) unit: Option<String>,
    pub(crate) data_hash: Option<String>,
}

impl Components {
    /// Number of components kept.
    #[doc(alias = "n_components_")]
    #[doc(alias = "N_FG")]
    pub fn count(&self) -> usize {
        self.basis.len()
    }

    /// Number of channels.
    #[doc(alias = "n_features_in_")]
    #[doc(alias = "N_freq")]
    pub fn channels(&self) -> usize {
        self.axis.len()
    }

    /// The axis they lie along.
    pub fn axis(&self) -> &Axis {
        &self.axis
    }

    /// Mean per channel; of a Hermitian basis its real part, see [`complex_mean`](Self::complex_mean).
    #[doc(alias = "mean_")]
    #[doc(alias = "mean_per_freq")]
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Mean per channel as complex numbers; one real basis for real and imaginary parts has one mean for both, which
    /// is therefore both parts of this one.
    pub fn complex_mean(&self) -> Vec<Complex<f64>> {
        let imaginary = if self.basis.is_hermitian() { &self.mean_imaginary } else { &self.mean };
        self.mean.iter().zip(imaginary).map(|(&re, &im)| Complex::new(re, im)).collect()
    }

    /// The components kept, by descending variance.
    #[doc(alias = "components")]
    #[doc(alias = "components_")]
    #[doc(alias = "fg_components")]
    pub fn basis(&self) -> &Basis {
        &self.basis
    }

    /// The eigenvectors that were not kept, which with [`basis`](Self::basis) span everything; empty where the
    /// [`solver`](Self::solver) finds only leading ones.
    #[doc(alias = "signal_components")]
    pub fn complement(&self) -> &Basis {
        &self.complement
    }

    /// The components kept where they are real; `None` for a Hermitian basis.
    pub fn vectors(&self) -> Option<&[Vec<f64>]> {
        match &self.basis {
            Basis::Real(vectors) => Some(vectors),
            Basis::Hermitian(_) => None,
        }
    }

    /// Variance along each component kept (divided by n - 1).
    #[doc(alias = "explained_variance_")]
    pub fn variances(&self) -> &[f64] {
        &self.eigenvalues[..self.count()]
    }

    /// [`variances`](Self::variances) under the name that scikit-learn gives them.
    pub fn explained_variance(&self) -> &[f64] {
        self.variances()
    }

    /// All eigenvalues that are known, descending: one per channel, or the leading ones of a randomised solver.
    pub fn eigenvalues(&self) -> &[f64] {
        &self.eigenvalues
    }

    /// Sum of the variances of all channels.
    pub fn total_variance(&self) -> f64 {
        self.total_variance
    }

    /// Fraction of the total variance that each component explains (0 where there is no variance).
    #[doc(alias = "explained_variance_ratio_")]
    pub fn explained_variance_ratio(&self) -> Vec<f64> {
        self.variances().iter().map(|v| if self.total_variance > 0.0 { v / self.total_variance } else { 0.0 }).collect()
    }

    /// Singular values of the centred samples, `sqrt(lambda (n - 1))`.
    #[doc(alias = "singular_values_")]
    pub fn singular_values(&self) -> Vec<f64> {
        let degrees = self.samples.saturating_sub(1) as f64;
        self.variances().iter().map(|variance| (variance * degrees).sqrt()).collect()
    }

    /// Mean variance of what is not kept (Tipping & Bishop 1999, equation 8); 0 where everything is.
    #[doc(alias = "noise_variance_")]
    pub fn noise_variance(&self) -> f64 {
        // Fewer samples than channels leave n - 1 directions with variance, as scikit-learn counts them.
        let directions = self.channels().min(usize::try_from(self.samples).unwrap_or(usize::MAX));
        let left = directions.saturating_sub(self.count());
        if left == 0 {
            return 0.0;
        }
        let known = self.eigenvalues.len() >= directions;
        let rest = match known {
            // summed from the small end: a difference of large numbers would lose the signal
            true => self.eigenvalues[self.count()..].iter().rev().sum(),
            false => (self.total_variance - self.variances().iter().sum::<f64>()).max(0.0),
        };
        rest / left as f64
    }

    /// Variance of the last component kept over that of the next: near 1 the two cannot be told apart, and the subspace
    /// is not stable. `None` where there is no last or no next one.
    pub fn eigen_gap(&self) -> Option<f64> {
        let next = *self.eigenvalues.get(self.count())?;
        let last = *self.eigenvalues.get(self.count().checked_sub(1)?)?;
        Some(if next > 0.0 { last / next } else { f64::INFINITY })
    }

    /// What storing the data in f32 alone costs the cleaned signal, `2^-23 rms(data) / rms(rest)`; infinite without a rest.
    ///
    /// At 0.1 a tenth of the signal is rounding.
    #[doc(alias = "floor")]
    pub fn quantisation_floor(&self) -> f64 {
        let power: f64 = self.mean.iter().chain(&self.mean_imaginary).map(|mean| mean * mean).sum();
        let rest = self.noise_variance() * self.channels().saturating_sub(self.count()) as f64;
        f64::from(f32::EPSILON) * ((self.total_variance + power) / rest).sqrt()
    }

    /// Number of samples that they were fitted on; 0 where a file does not say.
    #[doc(alias = "n_samples_")]
    pub fn samples(&self) -> u64 {
        self.samples
    }

    /// The rule that chose how many there are.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// How they were found.
    #[doc(alias = "svd_solver")]
    pub fn solver(&self) -> Solver {
        self.solver
    }

    /// Unit of the data, where it is known.
    pub fn unit(&self) -> Option<&str> {
        self.unit.as_deref()
    }

    /// BLAKE3 hash of the data they were fitted on in hexadecimal digits, where it is known.
    pub fn data_hash(&self) -> Option<&str> {
        self.data_hash.as_deref()
    }

    /// The same components of data in `unit`.
    #[must_use]
    pub fn with_unit(self, unit: Option<String>) -> Self {
        Self { unit, ..self }
    }

    /// The same components with the hash of their data.
    #[must_use]
    pub fn with_data_hash(self, data_hash: Option<String>) -> Self {
        Self { data_hash, ..self }
    }

    /// The same components along `axis`, for those whose file does not say what their channels are.
    ///
    /// # Errors
    /// [`Error::OtherAxis`] unless it has one position per channel.
    pub fn with_axis(self, axis: Axis) -> Result<Self> {
        if axis.len() != self.channels() {
            return Err(self.other_axis(&axis));
        }
        Ok(Self { axis, ..self })
    }

    /// Passes when data along `axis` may be used with these components: same kind, length, unit and coordinates; of an
    /// axis that nobody named, the same position in the array.
    ///
    /// # Errors
    /// [`Error::OtherAxis`], naming both.
    pub fn check_axis(&self, axis: &Axis) -> Result<()> {
        if agree(&self.axis, axis) { Ok(()) } else { Err(self.other_axis(axis)) }
    }

    /// Passes when these components were fitted on the data of this hash.
    ///
    /// # Errors
    /// [`Error::OtherData`], naming both.
    pub fn check_data(&self, hash: &str) -> Result<()> {
        match &self.data_hash {
            Some(own) if own == hash => Ok(()),
            own => Err(Error::OtherData { expected: hash.into(), got: own.clone().unwrap_or_else(|| "none".into()) }),
        }
    }

    fn other_axis(&self, axis: &Axis) -> Error {
        Error::OtherAxis { expected: describe(&self.axis), got: describe(axis) }
    }
}

/// Whether what was fitted along one axis may be used along the other: the same kind, length and unit, and coordinates that differ by no more
/// than rounding, as when a file keeps the first one and the step.
pub(crate) fn agree(a: &Axis, b: &Axis) -> bool {
    let near = |(x, y): (&f64, &f64)| (x - y).abs() <= ROUNDING * x.abs().max(y.abs());
    let coordinates = match (a.coordinates(), b.coordinates()) {
        (Some(a), Some(b)) => a.iter().zip(b).all(near),
        (a, b) => a.is_none() && b.is_none(),
    };
    coordinates && (a.kind(), a.len(), a.unit()) == (b.kind(), b.len(), b.unit())
}

/// An axis in words, with what its fingerprint hangs on.
pub(crate) fn describe(axis: &Axis) -> String {
    let hash = &hexadecimal(&axis.fingerprint())[..12];
    let coordinates = match (axis.coordinates(), axis.unit()) {
        (Some([first, .., last]), Some(unit)) => format!(" from {first} to {last} {unit}"),
        (Some([only]), Some(unit)) => format!(" at {only} {unit}"),
        _ => " without coordinates".into(),
    };
    format!("{} of {} channels{coordinates} (hash {hash})", axis.kind(), axis.len())
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
