//! [`minimise`]: L-BFGS on the host in f64, for the smooth convex losses of the classical models.
//!
//! D. C. Liu and J. Nocedal, Math. Program. 45, 503 (1989), with a line search that halves until the loss falls by the
//! share that the slope promises (Armijo 1966) and pairs without positive curvature left out.

use std::collections::VecDeque;

/// When [`minimise`] ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    pub(crate) iterations: usize,
    /// Of the largest component of the gradient.
    pub(crate) gradient: f64,
    /// Of the relative change of the loss over [`PATIENCE`] iterations.
    pub(crate) change: f64,
}

/// Differences of points and gradients that stand for the curvature.
const MEMORY: usize = 6;
/// Share of the promised decrease that a step must bring.
const ARMIJO: f64 = 1e-4;
/// Halvings before a direction is given up.
const HALVINGS: usize = 30;
/// Iterations over which the loss must fall.
const PATIENCE: usize = 5;

/// Moves `x` to where `loss` is small and gives the loss there. `loss(x, gradient)` writes the gradient.
pub(crate) fn minimise(x: &mut [f64], ending: Ending, mut loss: impl FnMut(&[f64], &mut [f64]) -> f64) -> f64 {
    let n = x.len();
    let mut gradient = vec![0.0; n];
    let mut value = loss(x, &mut gradient);
    let mut pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)> = VecDeque::new();
    let mut values = VecDeque::from([value]);
    let (mut candidate, mut next) = (vec![0.0; n], vec![0.0; n]);
    for iteration in 0..ending.iterations {
        if gradient.iter().fold(0.0_f64, |most, g| most.max(g.abs())) <= ending.gradient {
            break;
        }
        let mut direction = two_loops(&gradient, &pairs);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            pairs.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = -dot(&gradient, &gradient);
        }
        // without curvature the length of the gradient says nothing about the length of a step
        let mut step = if pairs.is_empty() { (1.0 / norm(&gradient)).min(1.0) } else { 1.0 };
        let mut found = None;
        for _ in 0..HALVINGS {
            for ((candidate, x), d) in candidate.iter_mut().zip(&*x).zip(&direction) {
                *candidate = x + step * d;
            }
            let trial = loss(&candidate, &mut next);
            if trial <= value + ARMIJO * step * slope {
                found = Some(trial);
                break;
            }
            step *= 0.5;
        }
        let Some(trial) = found else {
            if pairs.is_empty() {
                break;
            }
            // the curvature was wrong: once more along the gradient
            pairs.clear();
            continue;
        };
        let moved: Vec<f64> = candidate.iter().zip(&*x).map(|(a, b)| a - b).collect();
        let turned: Vec<f64> = next.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        let curvature = dot(&moved, &turned);
        if curvature > f64::EPSILON * norm(&moved) * norm(&turned) {
            if pairs.len() == MEMORY {
                pairs.pop_front();
            }
            pairs.push_back((moved, turned, 1.0 / curvature));
        }
        x.copy_from_slice(&candidate);
        std::mem::swap(&mut gradient, &mut next);
        value = trial;
        values.push_back(value);
        if values.len() > PATIENCE + 1 {
            values.pop_front();
        }
        if iteration + 1 >= PATIENCE
            && values.len() == PATIENCE + 1
            && (values[0] - value) <= ending.change * value.abs()
        {
            break;
        }
    }
    value
}

/// Minus the approximate inverse curvature times the gradient.
fn two_loops(gradient: &[f64], pairs: &VecDeque<(Vec<f64>, Vec<f64>, f64)>) -> Vec<f64> {
    let mut q = gradient.to_vec();
    let mut shares = Vec::with_capacity(pairs.len());
    for (moved, turned, inverse) in pairs.iter().rev() {
        let share = inverse * dot(moved, &q);
        add(&mut q, -share, turned);
        shares.push(share);
    }
    if let Some((_, turned, inverse)) = pairs.back() {
        let scale = 1.0 / (inverse * dot(turned, turned));
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((moved, turned, inverse), share) in pairs.iter().zip(shares.into_iter().rev()) {
        let other = inverse * dot(turned, &q);
        add(&mut q, share - other, moved);
    }
    q.iter_mut().for_each(|q| *q = -*q);
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn add(a: &mut [f64], scale: f64, b: &[f64]) {
    a.iter_mut().zip(b).for_each(|(a, b)| *a += scale * b);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_valley_of_rosenbrock_is_followed_to_its_end() {
        let mut x = [-1.2, 1.0];
        let ending = Ending { iterations: 500, gradient: 1e-10, change: 0.0 };
        let value = minimise(&mut x, ending, |x, g| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            g[0] = -2.0 * a - 400.0 * x[0] * b;
            g[1] = 200.0 * b;
            a * a + 100.0 * b * b
        });
        assert!(value < 1e-15 && (x[0] - 1.0).abs() < 1e-7, "{value} {x:?}");
    }

    #[test]
    fn a_minimum_is_left_alone() {
        let mut x = [0.0];
        let ending = Ending { iterations: 5, gradient: 0.0, change: 0.0 };
        let value = minimise(&mut x, ending, |x, g| {
            g[0] = 2.0 * x[0];
            x[0] * x[0]
        });
        assert_eq!((value, x[0]), (0.0, 0.0));
    }
}
