//! [`Predictions`]: probabilities of one target, row by row.

use crate::{
    metrics::CLIP,
    schema::TargetKind,
    targets::{Classes, Labels},
};

/// Row-major probabilities. Those of classes sum to one; those of labels stand each for itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    width: usize,
    kind: TargetKind,
    values: Vec<f64>,
}

impl Predictions {
    /// Probabilities of `values.len() / width` rows.
    ///
    /// # Panics
    /// When the values are no whole number of rows: "7 probabilities are no whole number of rows of 3".
    pub fn new(kind: TargetKind, width: usize, values: Vec<f64>) -> Self {
        let len = values.len();
        assert!(width > 0 && len.is_multiple_of(width), "{len} probabilities are no whole number of rows of {width}");
        Self { width, kind, values }
    }

    /// Classes or labels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Classes or labels.
    pub fn kind(&self) -> TargetKind {
        self.kind
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.values.len() / self.width
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The probabilities of a row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }

    /// Adds the rows of others of the same target.
    pub(crate) fn append(&mut self, other: &Self) {
        self.values.extend_from_slice(&other.values);
    }

    /// The probabilities row after row, in single precision.
    pub(crate) fn to_f32(&self) -> Vec<f32> {
        self.values.iter().map(|p| *p as f32).collect()
    }

    pub(crate) fn values_mut(&mut self) -> &mut [f64] {
        &mut self.values
    }

    /// The mean log-loss of the rows, `rows[i]` of the labels being row i here; `None` where the target is never known.
    pub fn log_loss(&self, labels: &Labels, rows: &[usize]) -> Option<f64> {
        let (mut sum, mut count) = (0.0, 0_usize);
        let mut truth = vec![0.0; self.width];
        for (i, row) in rows.iter().enumerate().filter(|(_, row)| labels.is_known(**row)) {
            labels.write_row(*row, &mut truth);
            let said = self.row(i);
            sum -= match self.kind {
                TargetKind::Class => said.iter().zip(&truth).map(|(p, y)| y * p.max(CLIP).ln()).sum::<f64>(),
                TargetKind::Labels => {
                    let of_label =
                        |(p, y): (&f64, &f64)| if *y > 0.0 { p.max(CLIP).ln() } else { (1.0 - p).max(CLIP).ln() };
                    said.iter().zip(&truth).map(of_label).sum::<f64>() / self.width as f64
                }
            };
            count += 1;
        }
        (count > 0).then(|| sum / count as f64)
    }
}

/// What probabilities are made of: softmax for classes, the logistic function for labels, in place.
pub(crate) fn link(kind: TargetKind, logits: &mut [f64]) {
    match kind {
        TargetKind::Class => {
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let mut sum = 0.0;
            for logit in logits.iter_mut() {
                *logit = (*logit - most).exp();
                sum += *logit;
            }
            logits.iter_mut().for_each(|logit| *logit /= sum);
        }
        TargetKind::Labels => logits.iter_mut().for_each(|logit| *logit = 1.0 / (1.0 + (-*logit).exp())),
    }
}

/// The logits that [`link`] would make `probabilities` of, up to a constant for classes; in place.
pub(crate) fn unlink(kind: TargetKind, probabilities: &mut [f64]) {
    for p in probabilities {
        let clipped = p.clamp(CLIP, 1.0 - CLIP);
        *p = match kind {
            TargetKind::Class => p.max(CLIP).ln(),
            TargetKind::Labels => (clipped / (1.0 - clipped)).ln(),
        };
    }
}

/// The cross-entropy of one row, from logits; summed over labels.
pub(crate) fn cross_entropy(kind: TargetKind, logits: &[f64], truth: &[f64]) -> f64 {
    match kind {
        TargetKind::Class => {
            let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let sum: f64 = logits.iter().map(|z| (z - most).exp()).sum();
            let of_truth: f64 = logits.iter().zip(truth).map(|(z, y)| z * y).sum();
            most + sum.ln() - of_truth
        }
        // ln(1 + e^z) - y z without overflow
        TargetKind::Labels => {
            logits.iter().zip(truth).map(|(z, y)| z.max(0.0) + (-z.abs()).exp().ln_1p() - y * z).sum()
        }
    }
}

/// The share of each class among the training rows, with half a row added to each so that none is impossible.
pub(crate) fn prior(classes: &Classes, labels: &Labels, rows: &[usize]) -> Vec<f64> {
    let known = labels.known(rows);
    let (mut truth, mut counts) = (vec![0.0; classes.len()], vec![0.0; classes.len()]);
    for row in &known {
        labels.write_row(*row, &mut truth);
        counts.iter_mut().zip(&truth).for_each(|(count, y)| *count += y);
    }
    let total = match classes.kind {
        TargetKind::Class => known.len() as f64 + 0.5 * classes.len() as f64,
        TargetKind::Labels => known.len() as f64 + 1.0,
    };
    counts.into_iter().map(|count| (count + 0.5) / total).collect()
}
