//! [`Frc`]: at which frequencies two images agree.
//!
//! `FRC(q) = sum_ring Re(X conj Y) / sqrt(sum_ring |X|^2 sum_ring |Y|^2)` with rings `round(|k|)`: W. O. Saxton, W. Baumeister, Journal of
//! Microscopy 127, 127 (1982). Thresholds: M. van Heel, M. Schatz, Journal of Structural Biology 151, 250 (2005),
//! doi:10.1016/j.jsb.2005.05.009, with the number of a ring's independent places.

use std::f64::consts::SQRT_2;

use cupel_settings::choices;
use num_complex::Complex;

use crate::{Error, Plane, Result, fourier};

choices! {
    /// Up to which agreement a frequency is resolved.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Threshold {
        /// One seventh, for two halves of the data
        Seventh = "1/7" | "seventh",
        /// One half, against the truth: where two halves of the data agree by one seventh
        Half = "1/2" | "half",
        /// Half a bit of information a place, for two halves of the data
        HalfBit = "half-bit",
        /// One bit a place
        OneBit = "one-bit",
    }
}

/// Correlation of two images ring by ring.
#[derive(Clone, Debug, PartialEq)]
pub struct Frc {
    /// Correlation of each ring of frequencies 0, 1, .. in places; nought where a ring is dark in one image.
    pub rings: Vec<f64>,
    /// Places of each ring; of real images half are independent.
    pub counts: Vec<usize>,
    /// Pixels along a side.
    side: usize,
    real: bool,
}

impl Frc {
    /// The correlation of two square images of one size; with `windowed` both are faded out at the edges by Hann's window, which images cut
    /// from larger ones need.
    ///
    /// # Errors
    /// [`Error::Measurement`] for images of different sizes, and empty or oblong ones.
    pub fn new(first: &Plane, second: &Plane, windowed: bool) -> Result<Self> {
        let (size, other) = ([first.rows(), first.columns()], [second.rows(), second.columns()]);
        if size != other || size[0] != size[1] || size[0] == 0 {
            return Err(Error::Measurement {
                what: "images whose frequencies are compared".into(),
                got: format!("{size:?} and {other:?}"),
                expected: "two square images of one size".into(),
            });
        }
        Ok(Self::among(first, second, windowed, |_| true))
    }

    /// The same of images of any one size, and of the frequencies that `known` holds for, by their place where the frequency nought is at `N / 2`. Rings
    /// are of one frequency step of the longer side.
    pub(crate) fn among(first: &Plane, second: &Plane, windowed: bool, known: impl Fn(usize) -> bool) -> Self {
        let (rows, columns) = (first.rows(), first.columns());
        let side = rows.max(columns);
        let hann =
            |place: usize, side: usize| 0.5 - 0.5 * (std::f64::consts::TAU * (place as f64 + 0.5) / side as f64).cos();
        let faded = |image: &Plane| match windowed {
            true => Plane::from_fn(rows, columns, |row, column| {
                image.values()[row * columns + column] * hann(row, rows) * hann(column, columns)
            }),
            false => image.clone(),
        };
        let (x, y) = (fourier::spectrum(&faded(first)), fourier::spectrum(&faded(second)));
        let away = |place: usize, own: usize| place.abs_diff(own / 2) as f64 * side as f64 / own as f64;
        let ring = |place: usize| away(place / columns, rows).hypot(away(place % columns, columns)).round() as usize;
        let mut sums = vec![(0.0, 0.0, 0.0, 0_usize); ring(0) + 1];
        for (place, (x, y)) in x.values().iter().zip(y.values()).enumerate().filter(|(place, _)| known(*place)) {
            let sum = &mut sums[ring(place)];
            *sum = (sum.0 + (x * y.conj()).re, sum.1 + x.norm_sqr(), sum.2 + y.norm_sqr(), sum.3 + 1);
        }
        let correlation = |&(both, x, y, _): &(f64, f64, f64, usize)| {
            let power: f64 = x * y;
            if power > 0.0 { both / power.sqrt() } else { 0.0 }
        };
        let real =
            [first, second].iter().all(|image| image.values().iter().all(|value: &Complex<f64>| value.im == 0.0));
        let counts = sums.iter().map(|sum| sum.3).collect();
        Self { rings: sums.iter().map(correlation).collect(), counts, side, real }
    }

    /// What a ring has to reach.
    pub fn threshold(&self, ring: usize, threshold: Threshold) -> f64 {
        let places = self.counts[ring] as f64 / if self.real { 2.0 } else { 1.0 };
        let root = places.max(1.0).sqrt();
        match threshold {
            Threshold::Seventh => 1.0 / 7.0,
            Threshold::Half => 0.5,
            Threshold::HalfBit => (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root),
            Threshold::OneBit => (0.5 + 2.4142 / root) / (1.5 + SQRT_2 / root),
        }
    }

    /// The frequency in places at which the correlation falls below the threshold for good: its last crossing, between rings by a straight
    /// line, each ring the median of itself and its neighbours; at most `N / 2`. Nought where nothing agrees.
    pub fn cutoff(&self, threshold: Threshold) -> f64 {
        let last = (self.side / 2).min(self.rings.len() - 1);
        let smooth = |ring: usize| {
            let mut near = [self.rings[ring.saturating_sub(1)], self.rings[ring], self.rings[(ring + 1).min(last)]];
            near.sort_by(f64::total_cmp);
            near[1]
        };
        let excess = |ring: usize| smooth(ring) - self.threshold(ring, threshold);
        match (0..=last).rev().find(|ring| excess(*ring) >= 0.0) {
            None => 0.0,
            Some(ring) if ring == last => last as f64,
            Some(ring) => ring as f64 + excess(ring) / (excess(ring) - excess(ring + 1)),
        }
    }

    /// The least period that is resolved, in pixels: `N` over the [`cutoff`](Self::cutoff); infinite where nothing agrees.
    pub fn resolution_px(&self, threshold: Threshold) -> f64 {
        self.side as f64 / self.cutoff(threshold)
    }
}
