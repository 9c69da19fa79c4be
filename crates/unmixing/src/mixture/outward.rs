//! Simplexes that reach further out than the pixels do.
//!
//! Extractors look for endmembers at the outermost pixels, or near them. Where no pixel is pure they all stop short together, and their agreement
//! says nothing of it. Between two materials nothing in a scene does: pixels lie on a line, wherever it ends. Among more, the borders of
//! what pixels fill show where they would meet.

use crate::Endmembers;

/// The largest share of a material in its purest pixel, for all that is known of it.
const PUREST: f64 = 0.75;

/// Endmembers that are moved away from the mean of the others, as far as [`PUREST`] says and spectra stay above their floors.
pub(crate) struct Outward {
    /// `delta_k K / (K - 1)` of endmembers moved by `delta_k` times their distance from the mean of the others.
    reach: Vec<f64>,
    /// How far this is from certain not to be so.
    weight: f64,
}

impl Outward {
    /// None for a single endmember. `floors` are the lowest values of the bands.
    pub(crate) fn new(endmembers: &Endmembers, floors: &[f64]) -> Option<Self> {
        let count = endmembers.count();
        if count < 2 {
            return None;
        }
        let (all, bands) = (count as f64, endmembers.bands());
        let mut sum = vec![0.0; bands];
        endmembers.spectra().for_each(|spectrum| sum.iter_mut().zip(spectrum).for_each(|(sum, s)| *sum += s));
        // a material of the share `(1 + reach / K) / (1 + reach)` has all of the moved simplex
        let most = (1.0 - PUREST) / (PUREST - 1.0 / all);
        let reach = endmembers
            .spectra()
            .map(|spectrum| {
                let down = |band: usize| (sum[band] - spectrum[band]) / (all - 1.0) - spectrum[band];
                let room = |band: usize| (spectrum[band] - floors[band]).max(0.0) / down(band);
                let furthest = (0..bands).filter(|&band| down(band) > 0.0).map(room).fold(f64::INFINITY, f64::min);
                (furthest * all / (all - 1.0)).min(most)
            })
            .collect();
        Some(Self { reach, weight: (all - 1.0).powi(-2) })
    }

    /// By how much shares would be others among the moved endmembers, weighted: shares `a` of where they were are `a_k = (1 + reach_k) b_k - t` of
    /// the `b` among them, with the `t` for which both have one sum.
    pub(crate) fn apart(&self, shares: &[f64], apart: &mut [f64]) {
        let of = || shares.iter().zip(&self.reach);
        let left: f64 = of().map(|(share, reach)| share - share / (1.0 + reach)).sum();
        let t = left / self.reach.iter().map(|reach| 1.0 / (1.0 + reach)).sum::<f64>();
        let moved = of().map(|(share, reach)| self.weight * ((share + t) / (1.0 + reach) - share));
        apart.iter_mut().zip(moved).for_each(|(apart, moved)| *apart = moved);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares among the moved endmembers make the same spectrum.
    #[test]
    fn the_spectrum_stays() {
        let spectra = [[0.9, 0.1, 0.4, 0.5], [0.2, 0.8, 0.3, 0.5], [0.5, 0.5, 0.9, 0.1]];
        let endmembers = Endmembers::new(spectra.concat(), 4).unwrap();
        let outward = Outward::new(&endmembers, &[0.0; 4]).unwrap();
        let delta: Vec<f64> = outward.reach.iter().map(|reach| reach * 2.0 / 3.0).collect();
        let moved = |k: usize, band: usize| {
            let others = (0..3).filter(|&j| j != k).map(|j| spectra[j][band]).sum::<f64>() / 2.0;
            spectra[k][band] + delta[k] * (spectra[k][band] - others)
        };
        assert!((0..12).all(|at| moved(at / 4, at % 4) >= -1e-12), "below the floor");
        assert!(delta.iter().all(|delta| *delta > 0.0));
        for shares in [[1.0, 0.0, 0.0], [0.2, 0.3, 0.5], [0.0, 0.6, 0.4]] {
            let mut apart = [0.0; 3];
            outward.apart(&shares, &mut apart);
            let there: Vec<f64> = shares.iter().zip(apart).map(|(a, d)| a + d / outward.weight).collect();
            assert!((there.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let mixed = |shares: &[f64], spectrum: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
                (0..4).map(|band| shares.iter().enumerate().map(|(k, share)| share * spectrum(k, band)).sum()).collect()
            };
            let (before, after) = (mixed(&shares, &|k, band| spectra[k][band]), mixed(&there, &moved));
            assert!(before.iter().zip(&after).all(|(b, a)| (b - a).abs() < 1e-12), "{before:?} {after:?}");
        }
    }

    #[test]
    fn a_spectrum_at_its_floor_cannot_move() {
        let endmembers = Endmembers::new(vec![0.0, 0.5, 0.6, 0.2], 2).unwrap();
        let outward = Outward::new(&endmembers, &[0.0, 0.0]).unwrap();
        assert_eq!(outward.reach[0], 0.0);
        assert!(outward.reach[1] > 0.0);
        // where dark current was taken off too much, it can
        let outward = Outward::new(&endmembers, &[-0.3, f64::NEG_INFINITY]).unwrap();
        assert!(outward.reach[0] > 0.0);
    }
}
