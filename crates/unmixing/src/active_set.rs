//! Exact least squares with non-negative weights, and with weights on the unit simplex, by an active set.
//!
//! For a Gram matrix `G = E E^T` and a correlation `b = E y` both minimise `1/2 a^T G a - b^T a` over `a >= 0`;
//! the simplex adds `sum a = 1` with a multiplier. The method is that of Lawson & Hanson, "Solving Least Squares
//! Problems" (1974), chapter 23, on the normal equations (Bro & de Jong, J. Chemometrics 11, 393, 1997), with the
//! equality kept in every subproblem. It ends at the exact minimum after finitely many steps; Heinz & Chang
//! (IEEE TGRS 39, 529, 2001) approximate the same by a heavy row of ones.

/// Gradients this much smaller than the products they are differences of count as zero.
const ROUNDING: f64 = 1e-12;

/// A Gram matrix prepared for many right-hand sides.
#[derive(Clone, Debug)]
pub(crate) struct ActiveSet {
    gram: Vec<f64>,
    count: usize,
    sum_to_one: bool,
    /// Size of the products with weights that sum to one; free weights are as large as the correlation makes them.
    scale: f64,
}

/// Working memory of one thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Workspace {
    passive: Vec<usize>,
    factor: Vec<f64>,
    solution: Vec<f64>,
    ones: Vec<f64>,
    candidate: Vec<f64>,
    banned: Vec<bool>,
}

impl ActiveSet {
    /// `gram` is `count x count`, symmetric, row-major.
    pub(crate) fn new(gram: Vec<f64>, count: usize, sum_to_one: bool) -> Self {
        let largest = (0..count).map(|k| gram[k * count + k]).fold(0.0, f64::max);
        Self { gram, count, sum_to_one, scale: if sum_to_one { largest } else { 0.0 } }
    }

    /// Writes the minimiser for `correlation` into `weights`.
    ///
    /// # Panics
    /// If either slice is not as long as there are columns.
    pub(crate) fn solve(&self, correlation: &[f64], weights: &mut [f64], work: &mut Workspace) {
        let n = self.count;
        assert!(correlation.len() == n && weights.len() == n, "one weight and one correlation a column");
        self.minimise(correlation, weights, work);
        if self.sum_to_one {
            // columns that differ by orders of magnitude leave rounding in the sum
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|w| *w /= sum);
        }
    }

    fn minimise(&self, correlation: &[f64], weights: &mut [f64], work: &mut Workspace) {
        let n = self.count;
        weights.fill(0.0);
        work.passive.clear();
        work.banned.clear();
        work.banned.resize(n, false);
        if self.sum_to_one {
            // the best vertex is feasible and near the answer
            let cost = |k: usize| 0.5 * self.gram[k * n + k] - correlation[k];
            let Some(first) = (0..n).min_by(|&a, &b| cost(a).total_cmp(&cost(b))) else { return };
            weights[first] = 1.0;
            work.passive.push(first);
        }
        let scale = correlation.iter().fold(self.scale, |m, c| m.max(c.abs()));
        let tolerance = ROUNDING * scale;
        // each outer step lowers the cost and there are finitely many sets: the limit only guards against rounding
        for _ in 0..4 * n + 8 {
            let multiplier =
                if self.sum_to_one { self.mean_gradient(correlation, weights, &work.passive) } else { 0.0 };
            let entering = (0..n)
                .filter(|k| !work.banned[*k] && !work.passive.contains(k))
                .map(|k| (k, self.gradient(correlation, weights, k) - multiplier))
                .filter(|(_, gradient)| *gradient > tolerance)
                .max_by(|a, b| a.1.total_cmp(&b.1));
            let Some((entering, _)) = entering else { return };
            work.passive.push(entering);
            self.descend(correlation, weights, work, entering);
        }
    }

    /// Moves to the minimum over the passive set, dropping columns whose weight would turn negative on the way.
    fn descend(&self, correlation: &[f64], weights: &mut [f64], work: &mut Workspace, entering: usize) {
        loop {
            if !self.subproblem(correlation, work) {
                // the entering column depends on the others: it cannot improve the fit
                work.passive.retain(|&k| k != entering);
                work.banned[entering] = true;
                return;
            }
            let blocking = work
                .passive
                .iter()
                .zip(&work.candidate)
                .filter(|(_, candidate)| **candidate <= 0.0)
                .map(|(&k, &candidate)| (k, weights[k] / (weights[k] - candidate)))
                .min_by(|a, b| a.1.total_cmp(&b.1));
            let Some((blocked, step)) = blocking else {
                work.passive.iter().zip(&work.candidate).for_each(|(&k, &w)| weights[k] = w);
                return;
            };
            let step = if step.is_finite() { step } else { 0.0 };
            for (&k, &candidate) in work.passive.iter().zip(&work.candidate) {
                weights[k] += step * (candidate - weights[k]);
            }
            weights[blocked] = 0.0;
            if blocked == entering {
                work.banned[entering] = true; // it came back at once: rounding, not descent
            }
            work.passive.retain(|&k| k != blocked && (weights[k] > 0.0 || k == entering));
            if work.passive.is_empty() {
                return;
            }
        }
    }

    /// Negative gradient `b - G a` of one column.
    fn gradient(&self, correlation: &[f64], weights: &[f64], k: usize) -> f64 {
        let row = &self.gram[k * self.count..(k + 1) * self.count];
        correlation[k] - row.iter().zip(weights).map(|(g, w)| g * w).sum::<f64>()
    }

    /// Multiplier of the equality: the gradient that all passive columns share at a minimum.
    fn mean_gradient(&self, correlation: &[f64], weights: &[f64], passive: &[usize]) -> f64 {
        passive.iter().map(|&k| self.gradient(correlation, weights, k)).sum::<f64>() / passive.len() as f64
    }

    /// Minimum over the passive columns without the sign constraint, into `work.candidate`; false when singular.
    fn subproblem(&self, correlation: &[f64], work: &mut Workspace) -> bool {
        let size = work.passive.len();
        if !self.factorise(work) {
            return false;
        }
        work.solution.clear();
        work.solution.extend(work.passive.iter().map(|&k| correlation[k]));
        solve_factored(&work.factor, size, &mut work.solution);
        work.candidate.clear();
        if self.sum_to_one {
            work.ones.clear();
            work.ones.resize(size, 1.0);
            solve_factored(&work.factor, size, &mut work.ones);
            let excess = work.solution.iter().sum::<f64>() - 1.0;
            let multiplier = excess / work.ones.iter().sum::<f64>();
            work.candidate.extend(work.solution.iter().zip(&work.ones).map(|(s, o)| s - multiplier * o));
        } else {
            work.candidate.extend_from_slice(&work.solution);
        }
        work.candidate.iter().all(|c| c.is_finite())
    }

    /// Cholesky factor of the passive part of the Gram matrix; false when a pivot vanishes.
    fn factorise(&self, work: &mut Workspace) -> bool {
        let size = work.passive.len();
        work.factor.clear();
        work.factor.resize(size * size, 0.0);
        for (i, &row) in work.passive.iter().enumerate() {
            for (j, &column) in work.passive.iter().enumerate().take(i + 1) {
                let done: f64 = (0..j).map(|m| work.factor[i * size + m] * work.factor[j * size + m]).sum();
                let rest = self.gram[row * self.count + column] - done;
                work.factor[i * size + j] = if i == j {
                    if rest <= 1e-14 * self.gram[row * self.count + row] {
                        return false;
                    }
                    rest.sqrt()
                } else {
                    rest / work.factor[j * size + j]
                };
            }
        }
        true
    }
}

/// Solves `L L^T x = b` in place.
fn solve_factored(factor: &[f64], size: usize, x: &mut [f64]) {
    for i in 0..size {
        let done: f64 = (0..i).map(|j| factor[i * size + j] * x[j]).sum();
        x[i] = (x[i] - done) / factor[i * size + i];
    }
    for i in (0..size).rev() {
        let done: f64 = (i + 1..size).map(|j| factor[j * size + i] * x[j]).sum();
        x[i] = (x[i] - done) / factor[i * size + i];
    }
}

#[cfg(test)]
mod tests {
    use cupel_data::Stream;

    use super::*;

    /// Best of all supports by enumeration: the definition of the minimum for small problems.
    fn enumerate(gram: &[f64], n: usize, b: &[f64], sum_to_one: bool) -> (Vec<f64>, f64) {
        let cost = |a: &[f64]| {
            (0..n).map(|i| a[i] * (0.5 * (0..n).map(|j| gram[i * n + j] * a[j]).sum::<f64>() - b[i])).sum::<f64>()
        };
        let mut best = (vec![0.0; n], if sum_to_one { f64::INFINITY } else { 0.0 });
        for support in 1..1usize << n {
            let mut work =
                Workspace { passive: (0..n).filter(|k| support >> k & 1 == 1).collect(), ..Default::default() };
            let solver = ActiveSet::new(gram.to_vec(), n, sum_to_one);
            if !solver.subproblem(b, &mut work) || work.candidate.iter().any(|c| *c < 0.0) {
                continue;
            }
            let mut weights = vec![0.0; n];
            work.passive.iter().zip(&work.candidate).for_each(|(&k, &w)| weights[k] = w);
            let value = cost(&weights);
            if value < best.1 {
                best = (weights, value);
            }
        }
        best
    }

    #[test]
    fn equals_the_enumeration_of_all_supports() {
        for seed in 0..400 {
            let stream = Stream::new(seed, "active set test");
            let n = 1 + (seed % 6) as usize;
            let (rows, mut draws) = (n + 3, vec![0.0f64; (n + 1) * (n + 3)]);
            stream.fill_normal_f64(&mut draws);
            let column = |k: usize| &draws[k * rows..(k + 1) * rows];
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let gram: Vec<f64> = (0..n * n).map(|i| dot(column(i / n), column(i % n))).collect();
            let b: Vec<f64> = (0..n).map(|k| dot(column(k), column(n))).collect();
            for sum_to_one in [false, true] {
                let mut weights = vec![0.0; n];
                let solver = ActiveSet::new(gram.clone(), n, sum_to_one);
                solver.solve(&b, &mut weights, &mut Workspace::default());
                let (expected, _) = enumerate(&gram, n, &b, sum_to_one);
                for (got, expected) in weights.iter().zip(&expected) {
                    assert!((got - expected).abs() < 1e-8, "seed {seed}, one {sum_to_one}: {weights:?} {expected:?}");
                }
                if sum_to_one {
                    assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12);
                }
                assert!(weights.iter().all(|w| *w >= 0.0));
            }
        }
    }

    #[test]
    fn two_equal_columns_still_give_a_minimum() {
        let gram = vec![1.0, 1.0, 0.2, 1.0, 1.0, 0.2, 0.2, 0.2, 1.0];
        let mut weights = vec![0.0; 3];
        ActiveSet::new(gram, 3, true).solve(&[0.9, 0.9, 0.5], &mut weights, &mut Workspace::default());
        assert!((weights.iter().sum::<f64>() - 1.0).abs() < 1e-12, "{weights:?}");
        assert!((weights[0] + weights[1] - 0.75).abs() < 1e-12, "{weights:?}");
    }
}
