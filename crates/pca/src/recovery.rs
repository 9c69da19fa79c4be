//! [`Injection`]: how much of a signal survives, as a function of the number of modes, found with mocks.
//!
//! To data `x` a mock `m` of the signal is added, and the components are fitted again on `y = x + m` (Switzer et al. 2015,
//! arXiv:1504.07527: a basis that does not see the mock hides what the fit itself takes of the signal). With the eigenvectors
//! `u_i` of `C_yy` and `v_i` of `C_xx`, the part of the mock in what is left by `k` modes is
//!
//! `t(k) = sum_{i>k} (u_i^H C_ym u_i - v_i^H C_xm v_i)`, transfer `T(k) = t(k) / tr C_mm`,
//!
//! where the second sum takes out what data and mock have in common by chance. A signal like the mock, of which the data hold
//! one already, is then recovered with the correlation `r(k) = T(k) sqrt(tr C_mm / sum_{i>k} lambda_i)`, `lambda_i` those of
//! `C_xx`: its largest value is the least loss. The power of the mock scales `r` and does not move its maximum. One
//! eigendecomposition answers for all `k`.

use cupel_data::{Axes, Axis, AxisKind, Cube};

use crate::{Covariance, Error, Modes, Number, Result, components::agree, symmetric_eigen};

/// Moments of data and mock together.
#[derive(Clone, Debug)]
pub struct Injection {
    axis: Axis,
    joint: Covariance,
}

impl Injection {
    /// Starts with no samples, along `axis`.
    pub fn new(axis: &Axis) -> Self {
        let joint = Covariance::new(&Axis::new(AxisKind::Dimension(u8::MAX), 2 * axis.len()));
        Self { axis: axis.clone(), joint }
    }

    /// Adds samples of the data, as they are, and of the mock signal that is to be injected into them. Of complex cubes the
    /// real and the imaginary parts are samples of their own.
    ///
    /// # Errors
    /// An axis that is missing or another; a mock of another shape than the data; values that are not finite.
    pub fn update<T: Number, M: Number>(&mut self, data: &Cube<T>, mock: &Cube<M>) -> Result<()> {
        let kind = self.axis.kind();
        for axis in [data.axis(kind)?, mock.axis(kind)?] {
            if !agree(&self.axis, axis) {
                return Err(Error::AxisMismatch {
                    expected_kind: kind,
                    expected_len: self.axis.len(),
                    got_kind: axis.kind(),
                    got_len: axis.len(),
                });
            }
        }
        let (data, mock) = (data.with_last(kind)?, mock.with_last(kind)?);
        if data.axes().kinds() != mock.axes().kinds() || data.shape() != mock.shape() {
            return Err(Error::MockShape { expected: data.shape(), got: mock.shape() });
        }
        let channels = self.axis.len();
        let parts = if T::COMPLEX || M::COMPLEX { 2 } else { 1 };
        let mut values = Vec::with_capacity(2 * parts * data.len());
        for (data, mock) in data.values().chunks_exact(channels).zip(mock.values().chunks_exact(channels)) {
            for part in 0..parts {
                values.extend(data.iter().map(|value| value.parts()[part]));
                values.extend(mock.iter().map(|value| value.parts()[part]));
            }
        }
        let samples = Axis::new(AxisKind::Sample, values.len() / (2 * channels));
        self.joint.update(&Cube::new(values, Axes::new(vec![samples, self.joint.axis().clone()])?)?)
    }

    /// What becomes of the mock under 0, 1, ... modes.
    ///
    /// # Errors
    /// Too few samples; no convergence; [`Error::NoMock`] when the mock has no variance.
    pub fn recovery(&self) -> Result<Recovery> {
        let (channels, joint) = (self.axis.len(), self.joint.matrix()?);
        let block = |row: usize, column: usize| {
            let at = move |i: usize, j: usize| (row * channels + i) * 2 * channels + column * channels + j;
            (0..channels * channels).map(|index| joint[at(index / channels, index % channels)]).collect::<Vec<f64>>()
        };
        let (data, crossed, mock) = (block(0, 0), block(0, 1), block(1, 1));
        let mixed: Vec<f64> = crossed.iter().zip(&mock).map(|(crossed, mock)| crossed + mock).collect();
        let turned = |matrix: &[f64], i: usize| matrix[i % channels * channels + i / channels];
        let injected: Vec<f64> = (0..data.len()).map(|i| data[i] + mixed[i] + turned(&crossed, i)).collect();
        let power: f64 = (0..channels).map(|channel| mock[channel * channels + channel]).sum();
        if power.is_nan() || power <= 0.0 {
            return Err(Error::NoMock);
        }
        let (before, after) = (symmetric_eigen(&data, channels)?, symmetric_eigen(&injected, channels)?);
        let along = |matrix: &[f64], vector: &[f64]| -> f64 {
            let rows = matrix.chunks_exact(channels).zip(vector);
            rows.map(|(row, v)| v * row.iter().zip(vector).map(|(entry, v)| entry * v).sum::<f64>()).sum()
        };
        // from the small end on: a difference of large sums would lose the signal
        let (mut kept, mut left) = (0.0, 0.0);
        let (mut transfer, mut correlation) = (vec![0.0; channels + 1], vec![0.0; channels + 1]);
        for k in (0..channels).rev() {
            kept += along(&mixed, &after.vectors[k]) - along(&crossed, &before.vectors[k]);
            left += before.values[k].max(0.0);
            transfer[k] = kept / power;
            correlation[k] = if left > 0.0 { kept / (power * left).sqrt() } else { 0.0 };
        }
        Ok(Recovery { transfer, correlation })
    }
}

/// What is left of an injected signal; entry `k` is for `k` modes removed.
#[derive(Clone, Debug, PartialEq)]
pub struct Recovery {
    transfer: Vec<f64>,
    correlation: Vec<f64>,
}

impl Recovery {
    /// The mean over several mocks, or none of none.
    pub fn mean(recoveries: &[Self]) -> Option<Self> {
        let average = |of: fn(&Self) -> &Vec<f64>| -> Option<Vec<f64>> {
            let length = of(recoveries.first()?).len();
            let sum =
                |k: usize| recoveries.iter().map(|recovery| of(recovery).get(k).copied().unwrap_or(0.0)).sum::<f64>();
            Some((0..length).map(|k| sum(k) / recoveries.len() as f64).collect())
        };
        Some(Self { transfer: average(|one| &one.transfer)?, correlation: average(|one| &one.correlation)? })
    }

    /// The part of the signal's amplitude that is left.
    pub fn transfer(&self) -> &[f64] {
        &self.transfer
    }

    /// The correlation of the cleaned data with a signal like the mock and of its power.
    pub fn correlation(&self) -> &[f64] {
        &self.correlation
    }

    /// The number of modes of the largest correlation.
    #[doc(alias = "least_loss")]
    pub fn modes(&self) -> Modes {
        let best = self
            .correlation
            .iter()
            .enumerate()
            .fold((0, f64::NEG_INFINITY), |best, (k, &r)| if r > best.1 { (k, r) } else { best });
        Modes::LeastLoss(best.0)
    }
}
