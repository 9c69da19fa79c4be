//! [`Reliability`]: how often what is said with a probability comes true.
//!
//! Expected calibration error over bins of equal width (Guo et al. 2017, arXiv:1706.04599): the sum over bins of the share of
//! rows in it times the distance between the mean probability and the share of hits.

use serde::Serialize;

/// Bins of the expected calibration error.
pub const BINS: usize = 15;

/// Probabilities said, and whether each came true.
#[derive(Clone, Debug, Default)]
pub struct Reliability {
    said: Vec<(f64, bool)>,
}

/// One bin of the reliability table.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Mean probability in the bin.
    pub said: f64,
    /// Share that came true.
    pub true_share: f64,
    /// Rows in it.
    pub rows: u64,
}

impl Reliability {
    /// Adds one.
    pub fn push(&mut self, probability: f64, came_true: bool) {
        self.said.push((probability, came_true));
    }

    /// The bins of equal width that hold rows.
    pub fn bins(&self) -> Vec<Bin> {
        let mut bins = [(0.0, 0_u64, 0_u64); BINS];
        for (said, came_true) in &self.said {
            let bin = ((said * BINS as f64) as usize).min(BINS - 1);
            bins[bin].0 += said;
            bins[bin].1 += u64::from(*came_true);
            bins[bin].2 += 1;
        }
        bins.iter().filter(|bin| bin.2 > 0).map(|bin| summary(*bin)).collect()
    }

    /// Expected calibration error over bins of equal width; `None` without rows.
    pub fn error(&self) -> Option<f64> {
        self.weighted(&self.bins())
    }

    /// The same over bins of equally many rows.
    pub fn adaptive_error(&self) -> Option<f64> {
        let mut said = self.said.clone();
        said.sort_by(|a, b| a.0.total_cmp(&b.0));
        let cut = |bin: usize| bin * said.len() / BINS;
        let of_range = |range: &[(f64, bool)]| {
            let sum = range.iter().map(|(said, _)| said).sum::<f64>();
            summary((sum, range.iter().filter(|(_, came_true)| *came_true).count() as u64, range.len() as u64))
        };
        let ranges = (0..BINS).map(|bin| &said[cut(bin)..cut(bin + 1)]).filter(|range| !range.is_empty());
        let bins: Vec<Bin> = ranges.map(of_range).collect();
        self.weighted(&bins)
    }

    fn weighted(&self, bins: &[Bin]) -> Option<f64> {
        let sum: f64 = bins.iter().map(|bin| bin.rows as f64 * (bin.said - bin.true_share).abs()).sum();
        (!self.said.is_empty()).then(|| sum / self.said.len() as f64)
    }
}

fn summary((said, hits, rows): (f64, u64, u64)) -> Bin {
    Bin { said: said / rows as f64, true_share: hits as f64 / rows as f64, rows }
}
