//! Shares with a normal distribution, cut off where one would be negative, as
//! [`Truncated`](crate::mixture::truncated::Truncated) has them, by tensors.
//!
//! What is cut off is integrated from its border on by a rule of Gauss and Legendre, without special functions, whose tails f32 does not hold.

use burn::tensor::{Device, Tensor};

use super::tensor;
use crate::mixture::truncated::{AT_REST, LEAST_LEFT, MOST_SWEEPS, NEAR};

/// Nodes of the rule: a normal distribution between its tails has eight digits.
const NODES: usize = 24;
/// A density counts as far as it falls to `exp(-TAIL)` of its largest value.
const TAIL: f64 = 20.0;

/// Two shares, one number between two borders: logarithm of the probability to be there, mean and covariance.
pub(super) fn between(shares: Tensor<3>, covariance: Tensor<3>, rule: &Rule) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
    let first = shares.narrow(1, 0, 1);
    let deviation = covariance.narrow(1, 0, 1).narrow(2, 0, 1).clamp_min(f32::MIN_POSITIVE).sqrt();
    let low = first.clone().neg() / deviation.clone();
    let high = (first.neg() + 1.0) / deviation.clone();
    let Moments { ln_mass, above, variance } = rule.moments(low, Some(high));
    let share = (above * deviation.clone()).clamp(0.0, 1.0);
    let variance = variance * deviation.clone() * deviation;
    let row = |a: &Tensor<3>, b: &Tensor<3>| Tensor::cat(vec![a.clone(), b.clone()], 2);
    let other = variance.clone().neg();
    let covariance = Tensor::cat(vec![row(&variance, &other), row(&other, &variance)], 1);
    (ln_mass, Tensor::cat(vec![share.clone(), share.neg() + 1.0], 1), covariance)
}

/// Several shares, by expectation propagation as [`Truncated`](crate::mixture::truncated::Truncated) has it.
pub(super) fn inside(shares: Tensor<3>, covariance: Tensor<3>, rule: &Rule) -> (Tensor<3>, Tensor<3>, Tensor<3>) {
    let [flat, size, _] = shares.dims();
    let nought = Tensor::<3>::zeros([flat, 1, 1], &shares.device());
    let (mut mean, mut spread) = (shares.clone(), covariance.clone());
    // shift, precision, and the share without its factor: mean, variance and logarithm of the probability above nought
    let mut factors = vec![[(); 5].map(|()| nought.clone()); size];
    let mut resting = nought.clone().greater_elem(1.0);
    for _ in 0..MOST_SWEEPS {
        let (mut moved, mut near) = (nought.clone(), nought.clone().greater_elem(1.0));
        for (at, factor) in factors.iter_mut().enumerate() {
            let [shift, precision, ..] = factor.clone();
            let (here, variance) = place(&mean, &spread, at);
            let left = precision.clone().neg() * variance.clone() + 1.0;
            let lost = left.clone().lower_elem(LEAST_LEFT).bool_or(variance.clone().lower_equal_elem(0.0));
            let left = left.mask_fill(lost.clone(), 1.0);
            let alone = (here.clone() - shift.clone() * variance.clone()) / left.clone();
            let width = (variance / left).clamp_min(f32::MIN_POSITIVE);
            let deviation = width.clone().sqrt();
            let border = alone.clone() / deviation.clone();
            let far = border.clone().greater_elem(NEAR).bool_and(precision.clone().lower_equal_elem(0.0));
            let still = resting.clone().bool_or(lost).bool_or(far);
            let Moments { ln_mass, above, variance: cut } = rule.moments(border.neg(), None);
            let cut = (cut * width.clone()).clamp_min(f32::MIN_POSITIVE);
            let wanted = [
                above * deviation.clone() / cut.clone() - alone.clone() / width.clone(),
                (cut.recip() - width.clone().recip()).clamp_min(0.0),
                alone,
                width,
                ln_mass,
            ];
            let next: Vec<Tensor<3>> = wanted
                .into_iter()
                .zip(factor.iter())
                .map(|(new, old)| new.mask_where(still.clone(), old.clone()))
                .collect();
            let more = [next[0].clone() - shift, next[1].clone() - precision];
            multiply(&mut mean, &mut spread, at, more);
            let turn = (mean.clone().narrow(1, at, 1) - here).abs() / deviation;
            moved = moved.max_pair(turn.mask_fill(still, 0.0));
            factor.iter_mut().zip(next).for_each(|(old, new)| *old = new);
        }
        for (at, factor) in factors.iter().enumerate() {
            let (here, variance) = place(&mean, &spread, at);
            let close = here.lower_equal(variance.clamp_min(0.0).sqrt() * NEAR);
            near = near.bool_or(close.bool_and(factor[1].clone().lower_equal_elem(0.0)));
        }
        resting = resting.bool_or(moved.lower_elem(AT_REST).bool_and(near.bool_not()));
    }
    // once more from the beginning, which gives the probability and leaves no rounding of the sweeps
    let (mut mean, mut spread) = (shares, covariance);
    let mut ln_inside = nought;
    for (at, [shift, precision, alone, width, ln_mass]) in factors.into_iter().enumerate() {
        let (here, variance) = place(&mean, &spread, at);
        let of = |mean: Tensor<3>, variance: Tensor<3>| ln_mean([&shift, &precision], mean, variance);
        let gain = ln_mass - of(alone, width) + of(here, variance);
        ln_inside = ln_inside + gain.mask_fill(precision.clone().lower_equal_elem(0.0), 0.0);
        multiply(&mut mean, &mut spread, at, [shift, precision]);
    }
    let mean = mean.clamp_min(0.0);
    let sum = mean.clone().sum_dim(1).clamp_min(f32::MIN_POSITIVE);
    (ln_inside, mean / sum, spread)
}

/// Mean and variance of one share.
fn place(mean: &Tensor<3>, covariance: &Tensor<3>, at: usize) -> (Tensor<3>, Tensor<3>) {
    (mean.clone().narrow(1, at, 1), covariance.clone().narrow(1, at, 1).narrow(2, at, 1))
}

/// Logarithm of the mean of `exp(shift w - precision w^2 / 2)`.
fn ln_mean([shift, precision]: [&Tensor<3>; 2], mean: Tensor<3>, variance: Tensor<3>) -> Tensor<3> {
    let spread = precision.clone() * variance.clone() + 1.0;
    let power =
        shift.clone() * (shift.clone() * variance + mean.clone() * 2.0) - precision.clone() * mean.clone() * mean;
    (power / spread.clone() - spread.log()) * 0.5
}

/// Multiplies the distribution by `exp(shift w - precision w^2 / 2)` of one share.
fn multiply(mean: &mut Tensor<3>, covariance: &mut Tensor<3>, at: usize, [shift, precision]: [Tensor<3>; 2]) {
    let (here, variance) = place(mean, covariance, at);
    let column = covariance.clone().narrow(2, at, 1);
    let spread = precision.clone() * variance + 1.0;
    *mean = mean.clone() + column.clone() * ((shift - precision.clone() * here) / spread.clone());
    *covariance = covariance.clone() - column.clone() * column.swap_dims(1, 2) * (precision / spread);
}

/// What is left of a standard normal variable between borders.
struct Moments {
    /// Logarithm of the probability.
    ln_mass: Tensor<3>,
    /// Mean, from the lower border on.
    above: Tensor<3>,
    variance: Tensor<3>,
}

/// Nodes and weights of Gauss and Legendre on `[-1, 1]`, along the last axis.
pub(super) struct Rule {
    nodes: Tensor<3>,
    weights: Tensor<3>,
}

impl Rule {
    pub(super) fn new(device: &Device) -> Self {
        // roots of the Legendre polynomial by Newton's method (Abramowitz & Stegun 22.16.6 and 25.4.29)
        let n = NODES as f64;
        let (mut nodes, mut weights) = (Vec::new(), Vec::new());
        for i in 0..NODES {
            let mut x = (std::f64::consts::PI * (i as f64 + 0.75) / (n + 0.5)).cos();
            let mut slope = 1.0;
            for _ in 0..50 {
                let (mut before, mut value) = (1.0, x);
                for k in 2..=NODES {
                    let k = k as f64;
                    (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
                }
                slope = n * (x * value - before) / (x * x - 1.0);
                x -= value / slope;
            }
            nodes.push(x);
            weights.push(2.0 / ((1.0 - x * x) * slope * slope));
        }
        Self { nodes: tensor(&nodes, [1, 1, NODES], device), weights: tensor(&weights, [1, 1, NODES], device) }
    }

    /// Between `low` and `high` standard deviations from the mean, `[.., 1, 1]`; without the second all above the first.
    fn moments(&self, low: Tensor<3>, high: Option<Tensor<3>>) -> Moments {
        // the densest place, and how far from there the density counts
        let middle = low.clone().clamp_min(0.0);
        let middle = high.clone().map_or(middle.clone(), |high| middle.min_pair(high));
        let reach = (middle.clone() * middle.clone() + 2.0 * TAIL).sqrt() + middle.clone().abs();
        let reach = reach.recip() * (2.0 * TAIL);
        let from = (low.clone() - middle.clone()).max_pair(reach.clone().neg());
        let to = high.map_or(reach.clone(), |high| (high - middle.clone()).min_pair(reach));
        let half = (to.clone() - from.clone()) * 0.5;
        let at = (to + from) * 0.5 + half.clone() * self.nodes.clone();
        let density = (at.clone() * (middle.clone() + at.clone() * 0.5)).neg().exp() * self.weights.clone();
        let mass = density.clone().sum_dim(2).clamp_min(f32::MIN_POSITIVE);
        let mean = (density.clone() * at.clone()).sum_dim(2) / mass.clone();
        let apart = at - mean.clone();
        let variance = (density * apart.clone() * apart).sum_dim(2) / mass.clone();
        let ln_root = 0.5 * std::f64::consts::TAU.ln();
        let ln_mass = (mass * half).log() - middle.clone() * middle.clone() * 0.5 - ln_root;
        Moments { ln_mass, above: middle - low + mean, variance }
    }
}
