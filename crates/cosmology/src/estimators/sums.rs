//! [`RingSums`]: second moments over channels of the modes of each ring, summed over skies.

use faer::Mat;

use super::plane_modes::{Plane, PlaneModes, Shell};

/// Sums over the modes of one ring.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RingSums {
    pub(super) modes: f64,
    pub(super) signal: Mat<f64>,
    pub(super) rest: Mat<f64>,
    /// Of signal times rest: they are independent, but not on a few skies.
    pub(super) common: Mat<f64>,
}

impl RingSums {
    pub(super) fn empty(channels: usize) -> Self {
        let zero = || Mat::zeros(channels, channels);
        Self { modes: 0.0, signal: zero(), rest: zero(), common: zero() }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.modes += other.modes;
        self.signal += &other.signal;
        self.rest += &other.rest;
        self.common += &other.common;
    }

    /// Per mode.
    pub(super) fn mean(&self) -> Self {
        let mean = |sum: &Mat<f64>| faer::Scale(1.0 / self.modes) * sum;
        Self { modes: self.modes, signal: mean(&self.signal), rest: mean(&self.rest), common: mean(&self.common) }
    }

    /// The squared error of a filter, summed over channels: with sums, over modes too.
    pub(super) fn error(&self, filter: &Mat<f64>) -> f64 {
        let kept = Mat::<f64>::identity(filter.nrows(), filter.nrows()) - filter;
        let trace = |a: &Mat<f64>, b: &Mat<f64>| -> f64 {
            (0..a.nrows())
                .map(|row| (0..a.ncols()).map(|column| a[(row, column)] * b[(row, column)]).sum::<f64>())
                .sum()
        };
        trace(&(&kept * &self.signal), &kept) + trace(&(filter * &self.rest), filter)
            - 2.0 * trace(&(&kept * &self.common), filter)
    }
}

/// The sums of one sky, ring by ring.
pub(super) fn of_sky(
    plane: &Plane,
    shells: &[Shell],
    rings: &[usize],
    count: usize,
    signal: &PlaneModes,
    rest: &PlaneModes,
) -> Vec<RingSums> {
    let channels = signal.channels;
    let mut sums = vec![RingSums::empty(channels); count];
    for (ring, sums) in sums.iter_mut().enumerate() {
        let own = shells.iter().zip(rings).filter(|(_, of)| **of == ring);
        let modes: Vec<usize> = own.flat_map(|(shell, _)| shell.modes.iter().copied()).collect();
        // real and imaginary parts side by side, so that complex conjugates need not be there
        let lines = |of: &PlaneModes| {
            Mat::from_fn(channels, 2 * modes.len(), |channel, column| {
                let mode = modes[column / 2];
                let value = of.line(mode)[channel];
                plane.multiplicity(mode).sqrt() * if column % 2 == 0 { value.re } else { value.im }
            })
        };
        let (signal, rest) = (lines(signal), lines(rest));
        sums.modes = modes.iter().map(|mode| plane.multiplicity(*mode)).sum();
        sums.signal = &signal * signal.transpose();
        sums.rest = &rest * rest.transpose();
        sums.common = &signal * rest.transpose();
    }
    sums
}
