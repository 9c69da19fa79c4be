//! [`Projector`]: takes the components out of data.
//!
//! ```text
//! y = (x - mu) (I - V* diag(share) V^T)
//! ```
//! for samples `x` as rows, with the modes `V` as columns. A hard cut has shares of 1; a [`SpectralFilter`] takes less
//! of modes that stand little above the rest. The mean is not restored. Of complex samples one real basis takes real
//! and imaginary parts alike, each less the same mean; a Hermitian basis `p + iq` is the real one `(p, q)`, `(-q, p)`
//! of the doubled sample `(Re x, Im x)`, so that everything here is real.
//!
//! On the host all sums are f64, and a low rank is the right form for any number of modes: the result differs from an
//! exact one by the rounding to the type of the output. On a device see [`PcaLayer`](crate::PcaLayer).

mod masked;

pub use masked::Cleaned;

use cupel_data::{Axis, Cube};
use faer::{Accum, Mat, MatMut, MatRef, Par, linalg::matmul::matmul};
use rayon::prelude::*;

use crate::{
    Basis, Components, Error, GroupedComponents, Grouping, Number, Result, SpectralFilter,
    components::{agree, describe},
};

/// Samples of the block that is cleaned at once: in f64 it stays in cache.
const BLOCK: usize = 256;
/// Rounding above this share of the residual is worth a warning: from here on f32 costs a per cent of the signal.
pub const FLOOR_WARNING: f64 = 0.01;
/// Shares below this are none: they change no digit of an f64.
const NO_SHARE: f64 = 1e-17;

/// Takes components out of data along their axis.
///
/// # Example
/// ```
/// use cupel_data::{Axes, Axis, AxisKind, Cube};
/// use cupel_pca::{Covariance, Modes, Projector};
///
/// let band = Axis::new(AxisKind::Frequency, 2);
/// let axes = Axes::new(vec![Axis::new(AxisKind::Sample, 3), band.clone()])?;
/// let sky = Cube::new(vec![0.0f32, 0.0, 1.0, 2.0, 2.0, 4.0], axes)?; // all on one line
/// let mut covariance = Covariance::new(&band);
/// covariance.update(&sky)?;
/// let projector = Projector::new(&covariance.components(Modes::Count(1))?);
/// assert!(projector.apply(&sky)?.values().iter().all(|left| left.abs() < 1e-6));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Projector {
    axis: Axis,
    /// One for all, or one per group.
    directions: Vec<Directions>,
    grouping: Option<Grouping>,
}

/// Directions, and the range of values that they belong to.
type Lines<'a> = (&'a Directions, std::ops::Range<usize>);

/// Real modes of samples of `parts` numbers per channel.
#[derive(Clone, Debug)]
pub(crate) struct Directions {
    /// 2 where the basis is Hermitian: real parts, then imaginary parts.
    pub(crate) parts: usize,
    pub(crate) mean: Vec<f64>,
    /// `[mode, channel]`, orthonormal rows.
    pub(crate) modes: Mat<f64>,
    /// How much of each mode is taken.
    pub(crate) shares: Vec<f64>,
    /// Variance of all channels, how much of it is left, and the power of the mean, all summed over channels.
    total: f64,
    left: f64,
}

impl Projector {
    /// Takes out the components that were kept, wholly.
    pub fn new(components: &Components) -> Self {
        Self::of(components, vec![1.0; components.count()])
    }

    /// Takes out the first `count` of all modes that are known, wholly; of 0 it only takes the mean.
    ///
    /// # Errors
    /// [`Error::ComponentCount`] when so many are not known.
    pub fn leading(components: &Components, count: usize) -> Result<Self> {
        let known = components.basis().len() + components.complement().len();
        if count > known {
            return Err(Error::ComponentCount { asked: count, channels: known });
        }
        Ok(Self::of(components, vec![1.0; count]))
    }

    /// Takes out of each mode the share that `filter` finds for it; of all that are known, kept or not.
    ///
    /// # Errors
    /// As [`SpectralFilter::shares`].
    pub fn filtered(components: &Components, filter: SpectralFilter) -> Result<Self> {
        Ok(Self::of(components, filter.shares(components)?))
    }

    /// Cleans each position of an axis by the components of its group: baselines of similar length share their
    /// foregrounds better than all do.
    ///
    /// # Errors
    /// As [`filtered`](Self::filtered), for the first group that fails.
    pub fn grouped(components: &GroupedComponents, filter: SpectralFilter) -> Result<Self> {
        let of = |group: &Components| Ok(Directions::new(group, filter.shares(group)?));
        Ok(Self {
            axis: components.groups()[0].axis().clone(),
            directions: components.groups().iter().map(of).collect::<Result<_>>()?,
            grouping: Some(components.grouping().clone()),
        })
    }

    fn of(components: &Components, shares: Vec<f64>) -> Self {
        Self { axis: components.axis().clone(), directions: vec![Directions::new(components, shares)], grouping: None }
    }

    /// The axis of the modes.
    pub fn axis(&self) -> &Axis {
        &self.axis
    }

    /// Modes that are taken, wholly or in part; the most of any group.
    pub fn modes(&self) -> usize {
        self.directions.iter().map(|d| d.shares.len() / d.parts).max().unwrap_or(0)
    }

    /// What f32 costs: `2^-23 rms(data) / rms(what is left)` by the variances that the components were fitted on; the
    /// worst of any group.
    ///
    /// No care in the arithmetic removes it, because it is already in data that are stored as f32. Infinite where
    /// nothing is left.
    pub fn floor(&self) -> f64 {
        self.directions.iter().map(Directions::floor).fold(0.0, f64::max)
    }

    /// One sentence where [`floor`](Self::floor) is above [`FLOOR_WARNING`].
    pub fn warning(&self) -> Option<String> {
        let floor = self.floor();
        (floor > FLOOR_WARNING).then(|| {
            format!(
                "rounding to f32 is {:.1} % of what is left after {} modes; keep the data in f64, or subtract their mean in f64 before they are stored",
                100.0 * floor,
                self.modes()
            )
        })
    }

    /// The data without the components, axes as they were.
    ///
    /// # Errors
    /// [`Error::OtherAxis`] when the data's axis is not that of the components, [`Error::NeedsComplex`] for real data
    /// under a complex basis, [`Error::Groups`] when the grouped axis has another length; a missing axis; a value that
    /// is not finite, see [`apply_masked`](Self::apply_masked).
    pub fn apply<T: Number>(&self, data: &Cube<T>) -> Result<Cube<T>> {
        let (mut sorted, ranges) = self.sorted(data)?;
        if let Some(at) = sorted.values.par_iter().position_first(|value| !value.finite()) {
            return Err(not_finite(&sorted.values, at, self.axis.len()));
        }
        for (directions, range) in &ranges {
            let rows = &mut sorted.values[range.clone()];
            rows.par_chunks_mut((BLOCK * self.axis.len()).max(1)).for_each(|rows| {
                let mut block = directions.gather(rows);
                directions.take_out(&mut block);
                directions.scatter(&block, rows);
            });
        }
        sorted.back(data)
    }

    /// The data with the group axis first and the axis of the modes last, and which directions each range of values
    /// has.
    fn sorted<T: Number>(&self, data: &Cube<T>) -> Result<(Sorted<T>, Vec<Lines<'_>>)> {
        let axis = data.axis(self.axis.kind())?;
        self.check_axis(axis)?;
        if !T::COMPLEX && self.directions.iter().any(|directions| directions.parts == 2) {
            return Err(Error::NeedsComplex);
        }
        let mut kinds = data.axes().kinds();
        kinds.retain(|&kind| kind != self.axis.kind());
        kinds.push(self.axis.kind());
        if let Some(grouping) = &self.grouping {
            let (kind, grouped) = (grouping.kind(), grouping.assignment().len());
            let got = data.axis(kind)?.len();
            if got != grouped {
                return Err(Error::Groups {
                    kind,
                    problem: format!("{grouped} positions have a group, the data have {got}"),
                });
            }
            let place = kinds.iter().position(|&other| other == kind).unwrap_or(0);
            kinds[..=place].rotate_right(1);
        }
        let sorted = data.permuted(&kinds)?;
        let axes = sorted.axes().clone();
        let values = sorted.into_values();
        let ranges = match &self.grouping {
            None => vec![(&self.directions[0], 0..values.len())],
            Some(grouping) => {
                let of = grouping.assignment();
                let each = values.len() / of.len().max(1);
                of.iter().enumerate().map(|(i, &g)| (&self.directions[g], i * each..(i + 1) * each)).collect()
            }
        };
        Ok((Sorted { values, axes }, ranges))
    }

    /// Passes when data along `axis` may be cleaned by this: same kind, length, unit and coordinates.
    ///
    /// # Errors
    /// [`Error::OtherAxis`], naming both.
    pub fn check_axis(&self, axis: &Axis) -> Result<()> {
        if agree(&self.axis, axis) {
            return Ok(());
        }
        Err(Error::OtherAxis { expected: describe(&self.axis), got: describe(axis) })
    }

    /// The one set of directions of all data.
    ///
    /// # Errors
    /// [`Error::Groups`] where there are groups.
    pub(crate) fn single(&self) -> Result<&Directions> {
        match &self.grouping {
            None => Ok(&self.directions[0]),
            Some(grouping) => Err(Error::Groups {
                kind: grouping.kind(),
                problem:
                    "a layer has one basis; make one layer per group, or clean the data before they go to the device"
                        .into(),
            }),
        }
    }
}

fn not_finite<T: Number>(values: &[T], at: usize, channels: usize) -> Error {
    let [re, im] = values[at].parts();
    Error::NotFinite { sample: at / channels, channel: at % channels, value: if re.is_finite() { im } else { re } }
}

/// The vectors, those of a Hermitian basis as `(p, q)` and `(-q, p)` of `p + iq`.
fn real_rows(basis: &Basis) -> Vec<Vec<f64>> {
    match basis {
        Basis::Real(vectors) => vectors.clone(),
        Basis::Hermitian(vectors) => vectors
            .iter()
            .flat_map(|vector| {
                let (re, im) = (vector.iter().map(|v| v.re), vector.iter().map(|v| v.im));
                [re.clone().chain(im.clone()).collect(), im.map(|v| -v).chain(re).collect()]
            })
            .collect(),
    }
}

/// Values in another order of axes.
struct Sorted<T> {
    values: Vec<T>,
    axes: cupel_data::Axes,
}

impl<T: Number> Sorted<T> {
    /// In the order of `original`.
    fn back(self, original: &Cube<T>) -> Result<Cube<T>> {
        Ok(Cube::new(self.values, self.axes)?.permuted(&original.axes().kinds())?)
    }
}

impl Directions {
    /// Of all known modes the first of `shares`.
    fn new(components: &Components, shares: Vec<f64>) -> Self {
        let (kept, others) = (components.basis(), components.complement());
        let mut rows = real_rows(kept);
        if others.is_hermitian() == kept.is_hermitian() {
            rows.extend(real_rows(others));
        }
        let mean = components.complex_mean();
        let (parts, mean) = match components.basis() {
            Basis::Real(_) => (1, components.mean().to_vec()),
            Basis::Hermitian(_) => (2, mean.iter().map(|v| v.re).chain(mean.iter().map(|v| v.im)).collect()),
        };
        let taken: f64 = shares.iter().zip(components.eigenvalues()).map(|(s, value)| (1.0 - s).powi(2) * value).sum();
        let unknown = components.total_variance() - components.eigenvalues().iter().sum::<f64>();
        let rest: f64 = components.eigenvalues().iter().skip(shares.len()).rev().sum();
        // where all eigenvalues are known, what the difference leaves is rounding of the largest
        let unknown = if components.eigenvalues().len() < components.channels() { unknown.max(0.0) } else { 0.0 };
        let power: f64 = mean.iter().map(|v| v * v).sum();
        let of_mode = |row: usize| shares[row / parts];
        let used: Vec<usize> = (0..shares.len() * parts).filter(|&row| of_mode(row) > NO_SHARE).collect();
        Self {
            parts,
            modes: Mat::from_fn(used.len(), mean.len(), |row, channel| rows[used[row]][channel]),
            shares: used.iter().map(|&row| of_mode(row)).collect(),
            total: components.total_variance() + power,
            left: taken + rest + unknown,
            mean,
        }
    }

    fn floor(&self) -> f64 {
        f64::from(f32::EPSILON) * (self.total / self.left).sqrt()
    }

    /// Real parts of each row, then its imaginary parts: two samples for a real basis, one for a Hermitian one.
    fn gather<T: Number>(&self, rows: &[T]) -> Vec<f64> {
        let channels = self.mean.len() / self.parts;
        let mut block = Vec::with_capacity(rows.len() * if T::COMPLEX { 2 } else { 1 });
        for row in rows.chunks_exact(channels) {
            block.extend(row.iter().map(|value| value.parts()[0]));
            if T::COMPLEX {
                block.extend(row.iter().map(|value| value.parts()[1]));
            }
        }
        block
    }

    fn scatter<T: Number>(&self, block: &[f64], rows: &mut [T]) {
        let channels = self.mean.len() / self.parts;
        let width = if T::COMPLEX { 2 * channels } else { channels };
        for (row, values) in rows.chunks_exact_mut(channels).zip(block.chunks_exact(width)) {
            let (re, im) = values.split_at(channels);
            for (channel, value) in row.iter_mut().enumerate() {
                *value = T::from_parts([re[channel], im.get(channel).copied().unwrap_or(0.0)]);
            }
        }
    }

    /// Samples less the mean and their part in the modes.
    fn take_out(&self, block: &mut [f64]) {
        self.centre(block);
        let (modes, length) = (self.shares.len(), self.mean.len());
        if modes == 0 {
            return;
        }
        let samples = block.len() / length;
        let mut block = MatMut::from_column_major_slice_mut(block, length, samples);
        let mut amplitudes = vec![0.0; modes * samples];
        let mut columns = MatMut::from_column_major_slice_mut(&mut amplitudes, modes, samples);
        matmul(columns.as_mut(), Accum::Replace, self.modes.as_ref(), block.as_ref(), 1.0, Par::Seq);
        for sample in amplitudes.chunks_exact_mut(modes) {
            sample.iter_mut().zip(&self.shares).for_each(|(amplitude, share)| *amplitude *= share);
        }
        let columns = MatRef::from_column_major_slice(&amplitudes, modes, samples);
        matmul(block.as_mut(), Accum::Add, self.modes.transpose(), columns, -1.0, Par::Seq);
    }

    fn centre(&self, block: &mut [f64]) {
        for sample in block.chunks_exact_mut(self.mean.len()) {
            sample.iter_mut().zip(&self.mean).for_each(|(value, mean)| *value -= mean);
        }
    }
}
