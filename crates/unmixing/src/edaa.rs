//! Archetypal analysis by entropic descent (EDAA): endmembers that are averages of pixels.
//!
//! A. Zouaoui, G. Muhawenayo, B. Rasti, J. Chanussot, J. Mairal, "Entropic Descent Archetypal Analysis for Blind
//! Hyperspectral Unmixing", IEEE Transactions on Image Processing 32, 4649 (2023), arXiv 2209.11002. It minimises
//! `1/2 |X - X B A|^2` with the columns of `A` and of `B` on the simplex, by exponentiated gradient steps in turn
//! (algorithm 1 there), from many random starts.
//!
//! Deviations from the paper: the data come in a signal subspace (the gradient only needs inner products, so this
//! is exact up to what lies outside it), weights below e^-60 are held there, as f32 would lose them for good, and the
//! step is drawn from 1/2 to 8 times the inverse curvature: the paper's 1/8 and 1/4 do not converge in 50 alternations.

use cupel_data::Stream;
use pulp::{Arch, Simd, WithSimd};
use rand::RngExt;

/// Data are padded to whole multiples of the widest vector of any instruction set.
const LANES: usize = 16;
/// Vectors per block of the products with the data, which keeps their operands in the first-level cache.
const BLOCK_VECTORS: usize = 16;
/// Smallest weight of a simplex coordinate, e^-60.
const FLOOR: f32 = 8.756_511e-27;
/// Largest growth of a weight in one step, e^80; beyond, the others are at the floor anyway.
const LARGEST_EXPONENT: f32 = 80.0;

/// Settings of the descent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Edaa {
    /// Number of endmembers.
    pub endmembers: usize,
    /// Alternations between `A` and `B` (the paper's T).
    pub alternations: usize,
    /// Descent steps on each in every alternation (the paper's K_1 = K_2).
    pub steps: usize,
}

/// What one restart found.
#[derive(Clone, Debug, PartialEq)]
pub struct Archetypes {
    /// Weights `B` of the pixels in each endmember (`endmembers x pixels`), rows summing to one.
    pub weights: Vec<f32>,
    /// Abundances `A` (`endmembers x pixels`), columns summing to one.
    pub abundances: Vec<f32>,
}

#[cfg(test)]
impl Archetypes {
    /// Root mean square distance between the data and their archetypal fit.
    pub(crate) fn residual(&self, columns: &Columns) -> f64 {
        let (count, k) = (columns.count, self.weights.len() / columns.count);
        let mut square = 0.0;
        for row in columns.values.chunks_exact(columns.padded) {
            let endmembers: Vec<f64> = self
                .weights
                .chunks_exact(count)
                .map(|w| w.iter().zip(row).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum())
                .collect();
            for (n, x) in row[..count].iter().enumerate() {
                let fit: f64 = (0..k).map(|i| endmembers[i] * f64::from(self.abundances[i * count + n])).sum();
                square += (f64::from(*x) - fit).powi(2);
            }
        }
        f64::from(columns.scale) * (square / count as f64).sqrt()
    }
}

/// Data prepared for many restarts: one row per dimension, padded to whole vectors.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// Divided by `scale`.
    values: Vec<f32>,
    /// A power of two that brings the largest value to between 1 and 2, as f32 holds no products of extreme values.
    #[cfg(test)]
    scale: f32,
    rank: usize,
    count: usize,
    padded: usize,
}

impl Columns {
    /// `rows` holds `count` points of `rank` coordinates each.
    pub(crate) fn new(rows: &[f32], rank: usize) -> Self {
        let count = rows.len() / rank;
        let padded = count.next_multiple_of(LANES);
        let largest = rows.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let exponent = f32::from_bits(largest.to_bits() & f32::INFINITY.to_bits());
        let scale = if exponent.is_normal() { exponent } else { 1.0 };
        let mut values = vec![0.0; rank * padded];
        for (n, row) in rows.chunks_exact(rank).enumerate() {
            row.iter().enumerate().for_each(|(r, v)| values[r * padded + n] = *v / scale);
        }
        Self {
            values,
            #[cfg(test)]
            scale,
            rank,
            count,
            padded,
        }
    }
}

impl Edaa {
    /// One restart on `columns`; the same `stream` gives the same result on any number of threads.
    pub(crate) fn restart(&self, columns: &Columns, stream: Stream) -> Archetypes {
        Arch::new().dispatch(Restart { settings: *self, columns, stream })
    }
}

/// One restart as an operation that runs compiled for the best instruction set of the machine.
struct Restart<'a> {
    settings: Edaa,
    columns: &'a Columns,
    stream: Stream,
}

impl WithSimd for Restart<'_> {
    type Output = Archetypes;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Archetypes {
        let Self { settings: Edaa { endmembers: k, alternations, steps }, columns, stream } = self;
        let (count, padded, rank) = (columns.count, columns.padded, columns.rank);
        let mut rng = stream.rng();
        // B starts near the centre of the simplex, A at it; the step size is a random power of two of the curvature
        let mut weights = vec![0.0f32; k * padded];
        for row in weights.chunks_exact_mut(padded) {
            row[..count].iter_mut().for_each(|w| *w = (0.1 * rng.random::<f32>()).exp());
            let sum: f32 = row.iter().sum();
            row.iter_mut().for_each(|w| *w /= sum);
        }
        let mut abundances = vec![1.0 / k as f32; k * padded];
        let mut endmembers = columns.combine(simd, &weights, k);
        let factor = f32::powi(2.0, rng.random_range(-1..4));
        let step_a = factor / largest_eigenvalue(&gram(&endmembers, rank, k), k).max(f32::MIN_POSITIVE);
        let step_b = step_a * (k as f32 / count as f32).sqrt();

        let mut gradient = vec![0.0f32; k * padded];
        for _ in 0..alternations {
            columns.correlate(simd, &endmembers, k, &mut gradient);
            descend_abundances(simd, &gram(&endmembers, rank, k), &gradient, &mut abundances, k, step_a, steps);
            // padded pixels have no data, so they must have no abundance either
            abundances.chunks_exact_mut(padded).for_each(|row| row[count..].fill(0.0));
            let data_side = columns.combine(simd, &abundances, k);
            let abundance_gram = outer(simd, &abundances, k, padded);
            for _ in 0..steps {
                // descent direction X A^T - E A A^T (rank x k), whose product with the data is minus the gradient
                let direction: Vec<f32> = (0..rank * k)
                    .map(|at| {
                        let (r, i) = (at / k, at % k);
                        let fitted: f32 = (0..k).map(|j| endmembers[r * k + j] * abundance_gram[j * k + i]).sum();
                        data_side[at] - fitted
                    })
                    .collect();
                columns.correlate(simd, &direction, k, &mut gradient);
                for (row, gradient) in weights.chunks_exact_mut(padded).zip(gradient.chunks_exact(padded)) {
                    descend_weights(simd, gradient, row, count, step_b);
                }
                endmembers = columns.combine(simd, &weights, k);
            }
        }
        let unpad = |v: &[f32]| v.chunks_exact(padded).flat_map(|row| row[..count].iter().copied()).collect();
        Archetypes { weights: unpad(&weights), abundances: unpad(&abundances) }
    }
}

impl Columns {
    fn rows<S: Simd>(&self) -> Vec<&[S::f32s]> {
        self.values.chunks_exact(self.padded).map(|row| S::as_simd_f32s(row).0).collect()
    }

    /// `D^T X` (`k x padded`) for a direction `D` (`rank x k`).
    #[inline(always)]
    fn correlate<S: Simd>(&self, simd: S, direction: &[f32], k: usize, product: &mut [f32]) {
        let rows = self.rows::<S>();
        for (group, product) in product.chunks_mut(4 * self.padded).enumerate() {
            let first = 4 * group;
            let column = |r: usize, i: usize| direction[r * k + first + i];
            match product.len() / self.padded {
                1 => correlate_group::<S, 1>(simd, &rows, column, product),
                2 => correlate_group::<S, 2>(simd, &rows, column, product),
                3 => correlate_group::<S, 3>(simd, &rows, column, product),
                _ => correlate_group::<S, 4>(simd, &rows, column, product),
            }
        }
    }

    /// `X W^T` (`rank x k`) for weights `W` (`k x padded`).
    #[inline(always)]
    fn combine<S: Simd>(&self, simd: S, weights: &[f32], k: usize) -> Vec<f32> {
        let rows = self.rows::<S>();
        let mut product = vec![0.0; self.rank * k];
        for (group, weights) in weights.chunks(4 * self.padded).enumerate() {
            let mut store = |r: usize, i: usize, value: f32| product[r * k + 4 * group + i] = value;
            match weights.len() / self.padded {
                1 => combine_group::<S, 1>(simd, &rows, weights, &mut store),
                2 => combine_group::<S, 2>(simd, &rows, weights, &mut store),
                3 => combine_group::<S, 3>(simd, &rows, weights, &mut store),
                _ => combine_group::<S, 4>(simd, &rows, weights, &mut store),
            }
        }
        product
    }
}

/// `G` rows of [`Columns::correlate`]: two vectors of pixels at a time keep the multipliers busy.
#[inline(always)]
fn correlate_group<S: Simd, const G: usize>(
    simd: S,
    rows: &[&[S::f32s]],
    column: impl Fn(usize, usize) -> f32,
    product: &mut [f32],
) {
    let zero = simd.splat_f32s(0.0);
    let factors: Vec<[S::f32s; G]> =
        (0..rows.len()).map(|r| std::array::from_fn(|i| simd.splat_f32s(column(r, i)))).collect();
    let vectors = rows[0].len();
    let product = S::as_mut_simd_f32s(product).0;
    let mut at = 0;
    while at + 2 <= vectors {
        let mut sum = [[zero; 2]; G];
        for (row, factors) in rows.iter().zip(&factors) {
            let x = &row[at..at + 2];
            for i in 0..G {
                sum[i][0] = simd.mul_add_f32s(x[0], factors[i], sum[i][0]);
                sum[i][1] = simd.mul_add_f32s(x[1], factors[i], sum[i][1]);
            }
        }
        for i in 0..G {
            product[i * vectors + at..i * vectors + at + 2].copy_from_slice(&sum[i]);
        }
        at += 2;
    }
    for at in at..vectors {
        for i in 0..G {
            let mut sum = zero;
            for (row, factors) in rows.iter().zip(&factors) {
                sum = simd.mul_add_f32s(row[at], factors[i], sum);
            }
            product[i * vectors + at] = sum;
        }
    }
}

/// `G` columns of [`Columns::combine`], block by block of pixels.
#[inline(always)]
fn combine_group<S: Simd, const G: usize>(
    simd: S,
    rows: &[&[S::f32s]],
    weights: &[f32],
    store: &mut impl FnMut(usize, usize, f32),
) {
    let weights = S::as_simd_f32s(weights).0;
    let vectors = rows[0].len();
    let mut sums = vec![[[simd.splat_f32s(0.0); 2]; G]; rows.len()];
    for start in (0..vectors).step_by(BLOCK_VECTORS) {
        let end = (start + BLOCK_VECTORS).min(vectors);
        let block: [&[S::f32s]; G] = std::array::from_fn(|i| &weights[i * vectors + start..i * vectors + end]);
        for (row, sums) in rows.iter().zip(&mut sums) {
            let (row, mut sum) = (&row[start..end], *sums);
            // even and odd vectors go to sums of their own, so that no addition waits for the one before
            let mut at = 0;
            while at + 2 <= row.len() {
                for i in 0..G {
                    sum[i][0] = simd.mul_add_f32s(row[at], block[i][at], sum[i][0]);
                    sum[i][1] = simd.mul_add_f32s(row[at + 1], block[i][at + 1], sum[i][1]);
                }
                at += 2;
            }
            if at < row.len() {
                for i in 0..G {
                    sum[i][0] = simd.mul_add_f32s(row[at], block[i][at], sum[i][0]);
                }
            }
            *sums = sum;
        }
    }
    for (r, sum) in sums.iter().enumerate() {
        for (i, sum) in sum.iter().enumerate() {
            store(r, i, simd.reduce_sum_f32s(simd.add_f32s(sum[0], sum[1])));
        }
    }
}

/// One exponentiated gradient step on a row of `B`, which stays normalised.
#[inline(always)]
fn descend_weights<S: Simd>(simd: S, gradient: &[f32], weights: &mut [f32], count: usize, step: f32) {
    let (body, tail) = S::as_simd_f32s(&gradient[..count]);
    let largest = body.iter().fold(simd.splat_f32s(f32::MIN), |m, g| simd.max_f32s(m, *g));
    let largest = tail.iter().copied().fold(simd.reduce_max_f32s(largest), f32::max);
    let (step, shift) = (simd.splat_f32s(step), simd.splat_f32s(-step * largest));
    let mut sum = simd.splat_f32s(0.0);
    for (weight, gradient) in S::as_mut_simd_f32s(weights).0.iter_mut().zip(S::as_simd_f32s(gradient).0) {
        // padding has weight zero and keeps it; its gradient of zero may exceed the largest, hence the bound
        let exponent = simd.min_f32s(simd.mul_add_f32s(*gradient, step, shift), simd.splat_f32s(0.0));
        *weight = simd.mul_f32s(*weight, exponential(simd, exponent));
        sum = simd.add_f32s(sum, *weight);
    }
    let (scale, floor) = (simd.splat_f32s(1.0 / simd.reduce_sum_f32s(sum)), simd.splat_f32s(FLOOR));
    for weight in S::as_mut_simd_f32s(weights).0 {
        *weight = simd.max_f32s(simd.mul_f32s(*weight, scale), floor);
    }
    weights[count..].fill(0.0);
}

/// All descent steps on the abundances of one alternation: pixels do not depend on each other.
#[inline(always)]
fn descend_abundances<S: Simd>(
    simd: S,
    gram: &[f32],
    correlation: &[f32],
    abundances: &mut [f32],
    k: usize,
    step: f32,
    steps: usize,
) {
    let zero = simd.splat_f32s(0.0);
    let (floor, most) = (simd.splat_f32s(FLOOR), simd.splat_f32s(LARGEST_EXPONENT));
    let step_vector = simd.splat_f32s(step);
    let gram: Vec<S::f32s> = gram.iter().map(|g| simd.splat_f32s(-step * g)).collect();
    let correlation = S::as_simd_f32s(correlation).0;
    let abundances = S::as_mut_simd_f32s(abundances).0;
    let vectors = abundances.len() / k;
    let (mut target, mut current, mut exponent) = (vec![zero; k], vec![zero; k], vec![zero; k]);
    for at in 0..vectors {
        for i in 0..k {
            target[i] = simd.mul_f32s(correlation[i * vectors + at], step_vector);
            current[i] = abundances[i * vectors + at];
        }
        for _ in 0..steps {
            for ((exponent, target), row) in exponent.iter_mut().zip(&target).zip(gram.chunks_exact(k)) {
                *exponent = row.iter().zip(&current).fold(*target, |sum, (g, a)| simd.mul_add_f32s(*g, *a, sum));
            }
            // relative to the first, which is spared its exponential; the bound keeps the sum finite
            let first = exponent[0];
            let mut total = current[0];
            for (current, e) in current.iter_mut().zip(&exponent).skip(1) {
                let e = simd.min_f32s(simd.sub_f32s(*e, first), most);
                *current = simd.mul_f32s(*current, exponential(simd, e));
                total = simd.add_f32s(total, *current);
            }
            let scale = simd.div_f32s(simd.splat_f32s(1.0), total);
            current.iter_mut().for_each(|a| *a = simd.max_f32s(simd.mul_f32s(*a, scale), floor));
        }
        for i in 0..k {
            abundances[i * vectors + at] = current[i];
        }
    }
}

/// `A A^T`, `k x k`, of rows padded with zeros.
#[inline(always)]
fn outer<S: Simd>(simd: S, rows: &[f32], k: usize, padded: usize) -> Vec<f32> {
    let row = |i: usize| S::as_simd_f32s(&rows[i * padded..(i + 1) * padded]).0;
    (0..k * k)
        .map(|at| {
            let sum = row(at / k)
                .iter()
                .zip(row(at % k))
                .fold(simd.splat_f32s(0.0), |sum, (a, b)| simd.mul_add_f32s(*a, *b, sum));
            simd.reduce_sum_f32s(sum)
        })
        .collect()
}

/// `E^T E`, `k x k`.
fn gram(endmembers: &[f32], rank: usize, k: usize) -> Vec<f32> {
    (0..k * k).map(|at| (0..rank).map(|r| endmembers[r * k + at / k] * endmembers[r * k + at % k]).sum()).collect()
}

/// Largest eigenvalue of a symmetric matrix with non-negative eigenvalues, by power iteration.
fn largest_eigenvalue(matrix: &[f32], size: usize) -> f32 {
    let mut vector = vec![1.0f32; size];
    let mut value = 0.0;
    for _ in 0..100 {
        let product: Vec<f32> =
            matrix.chunks_exact(size).map(|row| row.iter().zip(&vector).map(|(m, v)| m * v).sum()).collect();
        value = product.iter().map(|p| p * p).sum::<f32>().sqrt();
        if value <= 0.0 {
            return 0.0;
        }
        vector = product.iter().map(|p| p / value).collect();
    }
    value
}

/// `e^x` for `x <= 88` to a few parts in ten million; arguments below -87 count as -87.
///
/// Range reduction to `2^n e^r` with `|r| <= ln 2 / 2` and the Taylor polynomial of degree 6, whose truncation error
/// there is 1.2e-7.
#[inline(always)]
fn exponential<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// Adding and subtracting 1.5 * 2^23 rounds to the nearest integer and leaves it in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let constant = |value: f32| simd.splat_f32s(value);
    let x = simd.max_f32s(x, constant(-87.0));
    let shifted = simd.mul_add_f32s(x, constant(std::f32::consts::LOG2_E), constant(ROUND));
    let n = simd.sub_f32s(shifted, constant(ROUND));
    let r = simd.mul_add_f32s(n, constant(-LN_2_HIGH), x);
    let r = simd.mul_add_f32s(n, constant(-LN_2_LOW), r);
    let mut p = constant(1.0 / 720.0);
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        p = simd.mul_add_f32s(p, r, constant(coefficient));
    }
    let exponent = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(23));
    simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(p), exponent))
}

#[cfg(test)]
mod laws;

#[cfg(test)]
mod tests {
    use super::*;

    struct Exponential(Vec<f32>);

    impl WithSimd for Exponential {
        type Output = Vec<f32>;

        #[inline(always)]
        fn with_simd<S: Simd>(mut self, simd: S) -> Vec<f32> {
            S::as_mut_simd_f32s(&mut self.0).0.iter_mut().for_each(|x| *x = exponential(simd, *x));
            self.0
        }
    }

    #[test]
    fn exponential_is_exact_to_f32() {
        let arguments: Vec<f32> = (0..16_000).map(|i| -80.0 + i as f32 * 0.01).collect();
        for (got, x) in Arch::new().dispatch(Exponential(arguments.clone())).iter().zip(&arguments) {
            let expected = f64::from(*x).exp();
            assert!((f64::from(*got) / expected - 1.0).abs() < 1e-6, "e^{x}: {got} {expected}");
        }
        assert!(Arch::new().dispatch(Exponential(vec![-1000.0; LANES])).iter().all(|e| *e < 1e-37));
    }
}
