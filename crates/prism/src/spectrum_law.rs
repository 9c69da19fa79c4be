//! [`PowerLaw`]: how the power of a natural object falls with frequency.
//!
//! D. J. Field, "Relations between the statistics of natural images and the response properties of cortical cells", Journal of the Optical
//! Society of America A 4, 2379 (1987), doi:10.1364/JOSAA.4.002379: amplitudes fall as one over the frequency, powers as its square.

use crate::Plane;

/// Power at frequency `k` in places: `scale k^-exponent`, at nought as at one half.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PowerLaw {
    pub(crate) scale: f64,
    pub(crate) exponent: f64,
}

/// Exponents of objects: from that of noise to that of a smooth one.
const EXPONENTS: [f64; 2] = [0.0, 6.0];
/// Where nothing can be fitted: that of natural images.
const NATURAL: f64 = 2.0;

impl PowerLaw {
    /// Least squares of the logarithms of ring means over places of a square spectrum that were seen, each ring with the number of its places.
    pub(crate) fn fit(spectrum: &Plane, times: &[u32]) -> Self {
        let n = spectrum.rows();
        let mut rings = vec![(0.0, 0_usize); n];
        for (place, value) in spectrum.values().iter().enumerate() {
            let ring = radius(place, n).round() as usize;
            if times[place] > 0 {
                rings[ring].0 += value.norm_sqr();
                rings[ring].1 += 1;
            }
        }
        let points: Vec<(f64, f64, f64)> = rings
            .iter()
            .enumerate()
            .skip(1)
            .filter(|(_, (power, count))| *count > 0 && *power > 0.0)
            .map(|(ring, (power, count))| ((ring as f64).ln(), (power / *count as f64).ln(), *count as f64))
            .collect();
        let weight: f64 = points.iter().map(|point| point.2).sum();
        if points.is_empty() {
            return Self { scale: rings[0].0.max(f64::MIN_POSITIVE), exponent: NATURAL };
        }
        let mean = |f: fn(&(f64, f64, f64)) -> f64| points.iter().map(|point| point.2 * f(point)).sum::<f64>() / weight;
        let (x, y) = (mean(|point| point.0), mean(|point| point.1));
        let spread: f64 = points.iter().map(|point| point.2 * (point.0 - x).powi(2)).sum();
        let together: f64 = points.iter().map(|point| point.2 * (point.0 - x) * (point.1 - y)).sum();
        let exponent = if spread > 0.0 { (-together / spread).clamp(EXPONENTS[0], EXPONENTS[1]) } else { NATURAL };
        Self { scale: (y + exponent * x).exp(), exponent }
    }

    /// The power at a place of a spectrum of `n x n`.
    pub(crate) fn at(&self, place: usize, n: usize) -> f64 {
        self.scale * radius(place, n).max(0.5).powf(-self.exponent)
    }
}

fn radius(place: usize, n: usize) -> f64 {
    let half = (n / 2) as f64;
    ((place / n) as f64 - half).hypot((place % n) as f64 - half)
}
