//! [`Blend`]: several models as one, calibrated.
//!
//! `z = sum_m w_m logit(p_m) + b`: a weighted geometric mean of the models' odds with a shift for each class. With one
//! model it is temperature scaling (`w = 1 / T`, Guo et al. 2017) with a shift; for labels it is Platt's scaling. It is
//! fitted on rows that no model was trained on, with a penalty that pulls it to the plain mean, so that a few rows of a rare
//! class cannot bend it.

use crate::{
    minimise::{Ending, minimise},
    predictions::{Predictions, cross_entropy, link, unlink},
    schema::TargetKind,
    targets::Labels,
};
use serde::{Deserialize, Serialize};

/// Rows' worth of belief in the plain mean of the models.
const WEIGHT_PENALTY: f64 = 1.0;
/// Rows' worth of belief in no shift of a class.
const SHIFT_PENALTY: f64 = 20.0;

/// How the logits of models are put together for one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blend {
    /// Classes or labels.
    pub kind: TargetKind,
    /// `models` weights for classes, the same for every class; `models x labels` for labels.
    pub weights: Vec<f64>,
    /// What is added to the logit of each class.
    pub shifts: Vec<f64>,
}

impl Blend {
    /// The plain mean of the logits of `models` models.
    pub fn mean(kind: TargetKind, width: usize, models: usize) -> Self {
        let count = if kind == TargetKind::Class { models } else { models * width };
        Self { kind, weights: vec![1.0 / models as f64; count], shifts: vec![0.0; width] }
    }

    /// Fits the blend of `models` to the labels of `rows`, for which the models gave their probabilities and of which each counts for its weight.
    pub fn fit(models: &[&Predictions], labels: &Labels, rows: &[usize], weights: &[f64]) -> Self {
        let Some(first) = models.first() else { return Self::mean(TargetKind::Class, 1, 1) };
        let (kind, width, count) = (first.kind(), first.width(), models.len());
        let mut blend = Self::mean(kind, width, count);
        let known: Vec<usize> = (0..rows.len()).filter(|i| labels.is_known(rows[*i])).collect();
        if known.is_empty() {
            return blend;
        }
        let logits: Vec<Vec<f64>> = models.iter().map(|model| logits(model)).collect();
        let mut truth = vec![0.0; width];
        let start: Vec<f64> = blend.weights.iter().chain(&blend.shifts).copied().collect();
        let mut x = start.clone();
        let ending = Ending { iterations: 200, gradient: 1e-9 * known.len() as f64, change: 1e-10 };
        let split = blend.weights.len();
        let mut z = vec![0.0; width];
        minimise(&mut x, ending, |x, gradient| {
            let mut loss = 0.0;
            for (i, (x, start)) in x.iter().zip(&start).enumerate() {
                let penalty = if i < split { WEIGHT_PENALTY } else { SHIFT_PENALTY };
                loss += 0.5 * penalty * (x - start).powi(2);
                gradient[i] = penalty * (x - start);
            }
            for i in &known {
                let range = i * width..(i + 1) * width;
                combine(kind, &x[..split], &x[split..], logits.iter().map(|l| &l[range.clone()]), &mut z);
                labels.write_row(rows[*i], &mut truth);
                loss += weights[*i] * cross_entropy(kind, &z, &truth);
                link(kind, &mut z);
                for (class, (p, y)) in z.iter().zip(&truth).enumerate() {
                    let residual = weights[*i] * (p - y);
                    gradient[split + class] += residual;
                    for (model, logits) in logits.iter().enumerate() {
                        gradient[weight_at(kind, model, class, width)] += residual * logits[range.start + class];
                    }
                }
            }
            loss
        });
        blend.shifts = x.split_off(split);
        blend.weights = x;
        blend
    }

    /// The blended probabilities.
    ///
    /// # Panics
    /// When the models are more or fewer than the blend was made for: "2 models for a blend of 3".
    pub fn apply(&self, models: &[&Predictions]) -> Predictions {
        let width = self.shifts.len();
        let made_for = if self.kind == TargetKind::Class { self.weights.len() } else { self.weights.len() / width };
        assert!(models.len() == made_for, "{} models for a blend of {made_for}", models.len());
        let logits: Vec<Vec<f64>> = models.iter().map(|model| logits(model)).collect();
        let rows = models.first().map_or(0, |model| model.len());
        let mut values = vec![0.0; rows * width];
        for (i, out) in values.chunks_exact_mut(width).enumerate() {
            let range = i * width..(i + 1) * width;
            combine(self.kind, &self.weights, &self.shifts, logits.iter().map(|l| &l[range.clone()]), out);
            link(self.kind, out);
        }
        Predictions::new(self.kind, width, values)
    }
}

fn logits(model: &Predictions) -> Vec<f64> {
    let mut own = model.clone();
    unlink(own.kind(), own.values_mut());
    own.values_mut().to_vec()
}

fn weight_at(kind: TargetKind, model: usize, class: usize, width: usize) -> usize {
    if kind == TargetKind::Class { model } else { model * width + class }
}

fn combine<'a>(
    kind: TargetKind,
    weights: &[f64],
    shifts: &[f64],
    logits: impl Iterator<Item = &'a [f64]>,
    out: &mut [f64],
) {
    let width = out.len();
    out.copy_from_slice(shifts);
    for (model, logits) in logits.enumerate() {
        for (class, (out, logit)) in out.iter_mut().zip(logits).enumerate() {
            *out += weights[weight_at(kind, model, class, width)] * logit;
        }
    }
}
