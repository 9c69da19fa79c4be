//! Interactions of the fields of samples as slices of f32; see the [module above](super).

use crate::vectorized::vectorized;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Values of the input that one task goes through, well above the cost of starting it.
const BLOCK: usize = 1 << 15;
/// Fields that are multiplied with another one side by side.
const SIDE_BY_SIDE: usize = 4;

/// Embeddings of the fields of samples, `[sample, field, dimension]`.
#[derive(Clone, Copy)]
pub(crate) struct Embeddings<'a> {
    pub(crate) values: &'a [f32],
    pub(crate) fields: usize,
    pub(crate) dimension: usize,
}

impl<'a> Embeddings<'a> {
    /// The inner products `[sample, pair]`, pairs in lexicographic order, of at least two fields.
    pub(crate) fn gram_pairs(self) -> Vec<f32> {
        self.in_blocks(&[], 0, super::pairs(self.fields), |samples, _, out| {
            Arch::new().dispatch(GramPairs { samples, out });
        })
    }

    /// The gradient of the embeddings from that of the inner products, `[sample, pair]`.
    pub(crate) fn gram_pairs_gradient(self, gradient: &[f32]) -> Vec<f32> {
        self.in_blocks(gradient, super::pairs(self.fields), self.fields * self.dimension, |samples, gradient, out| {
            Arch::new().dispatch(GramPairsGradient { samples, gradient, out });
        })
    }

    /// The sums over pairs of elementwise products, `[sample, dimension]`.
    pub(crate) fn bi_interaction(self) -> Vec<f32> {
        self.in_blocks(&[], 0, self.dimension, |samples, _, out| {
            vectorized(
                #[inline(always)]
                || samples.sum_of_products(out),
            );
        })
    }

    /// The gradient of the embeddings from that of the sums, `[sample, dimension]`.
    pub(crate) fn bi_interaction_gradient(self, gradient: &[f32]) -> Vec<f32> {
        self.in_blocks(gradient, self.dimension, self.fields * self.dimension, |samples, gradient, out| {
            vectorized(
                #[inline(always)]
                || samples.sum_of_products_gradient(gradient, out),
            );
        })
    }

    /// Calls `body` with blocks of samples, of their `gradient` of `width` values per sample, and of the output of
    /// `out_width` per sample. The blocks depend on the shape alone.
    fn in_blocks(
        self,
        gradient: &[f32],
        width: usize,
        out_width: usize,
        body: impl Fn(Embeddings<'a>, &[f32], &mut [f32]) + Sync,
    ) -> Vec<f32> {
        let sample = self.fields * self.dimension;
        if sample == 0 || out_width == 0 {
            return Vec::new();
        }
        let count = self.values.len() / sample;
        let mut out = vec![0.0; count * out_width];
        let rows = (BLOCK / sample).max(1);
        let block = |(index, out): (usize, &mut [f32])| {
            let first = index * rows;
            let last = (first + rows).min(count);
            let samples = Self { values: &self.values[first * sample..last * sample], ..self };
            body(samples, &gradient[first * width..last * width], out);
        };
        if count <= rows {
            out.chunks_mut(rows * out_width).enumerate().for_each(block);
        } else {
            out.par_chunks_mut(rows * out_width).enumerate().for_each(block);
        }
        out
    }

    /// With `s_j` the sum of the fields before `j`, the sum over pairs is that of `s_j e_j`.
    #[inline(always)]
    fn sum_of_products(self, out: &mut [f32]) {
        let mut before = vec![0.0f32; self.dimension];
        for (sample, out) in self.samples().zip(out.chunks_exact_mut(self.dimension)) {
            let (first, others) = sample.split_at(self.dimension);
            before.copy_from_slice(first);
            for field in others.chunks_exact(self.dimension) {
                for ((out, before), value) in out.iter_mut().zip(&mut before).zip(field) {
                    *out += *before * value;
                    *before += value;
                }
            }
        }
    }

    /// The gradient of a field is that of the sum times all other fields: those before it and those after it.
    #[inline(always)]
    fn sum_of_products_gradient(self, gradient: &[f32], out: &mut [f32]) {
        let d = self.dimension;
        let mut others = vec![0.0f32; d];
        for ((sample, gradient), out) in
            self.samples().zip(gradient.chunks_exact(d)).zip(out.chunks_exact_mut(sample_of(self)))
        {
            others.fill(0.0);
            for (field, out) in sample.chunks_exact(d).zip(out.chunks_exact_mut(d)) {
                for ((out, before), value) in out.iter_mut().zip(&mut others).zip(field) {
                    *out = *before;
                    *before += value;
                }
            }
            others.fill(0.0);
            for (field, out) in sample.chunks_exact(d).zip(out.chunks_exact_mut(d)).rev() {
                for (((out, after), value), gradient) in out.iter_mut().zip(&mut others).zip(field).zip(gradient) {
                    *out = (*out + *after) * gradient;
                    *after += value;
                }
            }
        }
    }

    #[inline(always)]
    fn samples(self) -> std::slice::ChunksExact<'a, f32> {
        self.values.chunks_exact(sample_of(self))
    }
}

/// Values per sample.
#[inline(always)]
fn sample_of(embeddings: Embeddings<'_>) -> usize {
    embeddings.fields * embeddings.dimension
}

/// Inner products of a block of samples.
struct GramPairs<'a> {
    samples: Embeddings<'a>,
    out: &'a mut [f32],
}

impl WithSimd for GramPairs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Embeddings { fields, dimension, .. } = self.samples;
        for (sample, out) in self.samples.samples().zip(self.out.chunks_exact_mut(super::pairs(fields))) {
            let field = |i: usize| &sample[i * dimension..(i + 1) * dimension];
            let mut rest = out;
            for i in 0..fields {
                let (products, others) = rest.split_at_mut(fields - 1 - i);
                rest = others;
                let (groups, last) = products.as_chunks_mut::<SIDE_BY_SIDE>();
                let grouped = groups.len() * SIDE_BY_SIDE;
                for (g, products) in groups.iter_mut().enumerate() {
                    let first = i + 1 + g * SIDE_BY_SIDE;
                    *products = inner_products(
                        simd,
                        field(i),
                        [field(first), field(first + 1), field(first + 2), field(first + 3)],
                    );
                }
                for (j, product) in last.iter_mut().enumerate() {
                    [*product] = inner_products(simd, field(i), [field(i + 1 + grouped + j)]);
                }
            }
        }
    }
}

/// Inner products of `x` with each of `rows`.
#[inline(always)]
fn inner_products<S: Simd, const N: usize>(simd: S, x: &[f32], rows: [&[f32]; N]) -> [f32; N] {
    let (body, tail) = S::as_simd_f32s(x);
    let mut bodies: [&[S::f32s]; N] = [&[]; N];
    let mut tails: [&[f32]; N] = [&[]; N];
    for n in 0..N {
        let (body_n, tail_n) = S::as_simd_f32s(rows[n]);
        (bodies[n], tails[n]) = (&body_n[..body.len()], tail_n);
    }
    let mut sums = [simd.splat_f32s(0.0); N];
    for (v, x) in body.iter().enumerate() {
        for n in 0..N {
            sums[n] = simd.mul_add_e_f32s(*x, bodies[n][v], sums[n]);
        }
    }
    if !tail.is_empty() {
        let x = simd.partial_load_f32s(tail);
        for n in 0..N {
            sums[n] = simd.mul_add_e_f32s(x, simd.partial_load_f32s(tails[n]), sums[n]);
        }
    }
    let mut products = [0.0; N];
    for n in 0..N {
        products[n] = simd.reduce_sum_f32s(sums[n]);
    }
    products
}

/// Gradient of a block of samples: `g_i = sum_j g_ij e_j` over the other fields.
struct GramPairsGradient<'a> {
    samples: Embeddings<'a>,
    gradient: &'a [f32],
    out: &'a mut [f32],
}

impl WithSimd for GramPairsGradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Embeddings { fields, dimension, .. } = self.samples;
        let mut matrix = vec![0.0f32; fields * fields];
        let samples = self.samples.samples().zip(self.gradient.chunks_exact(super::pairs(fields)));
        for ((sample, gradient), out) in samples.zip(self.out.chunks_exact_mut(fields * dimension)) {
            let mut pair = gradient.iter();
            for i in 0..fields {
                for (j, gradient) in (i + 1..fields).zip(&mut pair) {
                    matrix[i * fields + j] = *gradient;
                    matrix[j * fields + i] = *gradient;
                }
            }
            for (out, weights) in out.chunks_exact_mut(dimension).zip(matrix.chunks_exact(fields)) {
                combine(simd, weights, sample, out);
            }
        }
    }
}

/// `out = sum_j weights[j] rows[j]`, with rows as long as `out`.
#[inline(always)]
fn combine<S: Simd>(simd: S, weights: &[f32], rows: &[f32], out: &mut [f32]) {
    let dimension = out.len();
    let (body, tail) = S::as_mut_simd_f32s(out);
    let lanes = S::F32_LANES;
    let (groups, single) = body.as_chunks_mut::<4>();
    for (g, out) in groups.iter_mut().enumerate() {
        let mut sums = [simd.splat_f32s(0.0); 4];
        for (weight, row) in weights.iter().zip(rows.chunks_exact(dimension)) {
            let weight = simd.splat_f32s(*weight);
            let row = S::as_simd_f32s(&row[g * 4 * lanes..(g + 1) * 4 * lanes]).0;
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum = simd.mul_add_e_f32s(weight, *value, *sum);
            }
        }
        *out = sums;
    }
    let start = groups.len() * 4 * lanes;
    for (v, out) in single.iter_mut().enumerate() {
        let first = start + v * lanes;
        let mut sum = simd.splat_f32s(0.0);
        for (weight, row) in weights.iter().zip(rows.chunks_exact(dimension)) {
            sum =
                simd.mul_add_e_f32s(simd.splat_f32s(*weight), simd.partial_load_f32s(&row[first..first + lanes]), sum);
        }
        *out = sum;
    }
    if !tail.is_empty() {
        let first = dimension - tail.len();
        let mut sum = simd.splat_f32s(0.0);
        for (weight, row) in weights.iter().zip(rows.chunks_exact(dimension)) {
            sum = simd.mul_add_e_f32s(simd.splat_f32s(*weight), simd.partial_load_f32s(&row[first..]), sum);
        }
        simd.partial_store_f32s(tail, sum);
    }
}
