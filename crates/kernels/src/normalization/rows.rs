//! Layer norm of rows, `[batch, channels]` with one group: every sample is one line of values with one mean, and every value has scale
//! and shift of its own. The equations are those of the [planes](super::cpu); each row is read from the nearest cache the second time.

use rayon::prelude::*;

use super::cpu::{Affine, Gradients, Moments, inverse_deviation, pair_sums, sums_of};
use crate::{
    activation::{
        Activation,
        curve::{Curve, WithCurve},
    },
    vectorized::vectorized,
};

/// Rows that one task handles, and whose gradients for scale and shift are added in f32.
const ROWS: usize = 32;

/// Mean and variance of each row of `width` values.
pub(super) fn moments(z: &[f32], width: usize) -> Moments {
    let of_row = |row: &[f32]| {
        let [sum, squares] = vectorized(
            #[inline(always)]
            || sums_of(row, |z| [f64::from(z), f64::from(z) * f64::from(z)]),
        );
        let mean = sum / width as f64;
        (mean as f32, (squares / width as f64 - mean * mean).max(0.0) as f32)
    };
    let (mean, variance) = z.par_chunks(width).with_min_len(ROWS).map(of_row).unzip();
    Moments { mean, variance }
}

struct Forward<'a> {
    z: &'a [f32],
    moments: &'a Moments,
    affine: Affine<'a>,
    epsilon: f32,
    y: &'a mut [f32],
}

impl WithCurve for Forward<'_> {
    type Output = ();

    fn with<C: Curve>(self, curve: C) {
        let Self { z, moments, affine: Affine { gamma, beta }, epsilon, y } = self;
        let width = gamma.len();
        let rows = y.par_chunks_mut(width).zip(z.par_chunks(width)).with_min_len(ROWS);
        rows.zip(&moments.mean).zip(&moments.variance).for_each(|(((y, z), &mean), &variance)| {
            let inverse = inverse_deviation(variance, epsilon);
            vectorized(
                #[inline(always)]
                || {
                    for (((y, z), gamma), beta) in y.iter_mut().zip(z).zip(gamma).zip(beta) {
                        *y = curve.value((z - mean) * inverse * gamma + beta);
                    }
                },
            );
        });
    }
}

/// `y`, given the moments.
pub(super) fn forward(
    z: &[f32],
    moments: &Moments,
    affine: Affine<'_>,
    (epsilon, activation): (f32, Activation),
    y: &mut [f32],
) {
    activation.with_curve(Forward { z, moments, affine, epsilon, y });
}

struct Backward<'a> {
    z: &'a [f32],
    /// The gradient for `y`, which that for `z` replaces.
    dz: &'a mut [f32],
    moments: &'a Moments,
    affine: Affine<'a>,
    epsilon: f32,
}

impl WithCurve for Backward<'_> {
    type Output = Gradients;

    fn with<C: Curve>(self, curve: C) -> Gradients {
        let Self { z, dz, moments, affine, epsilon } = self;
        let width = affine.gamma.len();
        let blocks = dz.par_chunks_mut(ROWS * width).zip(z.par_chunks(ROWS * width));
        let means = moments.mean.par_chunks(ROWS).zip(moments.variance.par_chunks(ROWS));
        let sums: Vec<Gradients> = blocks
            .zip(means)
            .map(|((dz, z), (mean, variance))| {
                let mut sums = Gradients { gamma: vec![0.0; width], beta: vec![0.0; width] };
                let rows = dz.chunks_exact_mut(width).zip(z.chunks_exact(width)).zip(mean).zip(variance);
                for (((dz, z), &mean), &variance) in rows {
                    let inverse = inverse_deviation(variance, epsilon);
                    vectorized(
                        #[inline(always)]
                        || row(curve, (z, dz), (mean, inverse), affine, &mut sums),
                    );
                }
                sums
            })
            .collect();
        let total = |of: fn(&Gradients) -> &[f32]| {
            let mut total = vec![0.0_f64; width];
            for sums in &sums {
                total.iter_mut().zip(of(sums)).for_each(|(total, sum)| *total += f64::from(*sum));
            }
            total.into_iter().map(|sum| sum as f32).collect()
        };
        Gradients { gamma: total(|sums| &sums.gamma), beta: total(|sums| &sums.beta) }
    }
}

/// The gradient of one row.
#[inline(always)]
fn row<C: Curve>(
    curve: C,
    (z, dz): (&[f32], &mut [f32]),
    (mean, inverse): (f32, f32),
    Affine { gamma, beta }: Affine<'_>,
    sums: &mut Gradients,
) {
    let (of_gamma, of_beta) = (sums.gamma.iter_mut(), sums.beta.iter_mut());
    for (((((dz, z), gamma), beta), of_gamma), of_beta) in
        dz.iter_mut().zip(z).zip(gamma).zip(beta).zip(of_gamma).zip(of_beta)
    {
        let v = (z - mean) * inverse;
        let g = *dz * curve.slope(v * gamma + beta);
        *of_gamma += g * v;
        *of_beta += g;
        *dz = g * gamma;
    }
    let count = z.len() as f64;
    let [sum, product] = pair_sums(z, dz, |z, g| [f64::from(g), f64::from(g) * f64::from(z - mean)]);
    let inverse = f64::from(inverse);
    let (constant, slope) = ((-sum / count * inverse) as f32, (-product / count * inverse.powi(3)) as f32);
    let inverse = inverse as f32;
    for (dz, z) in dz.iter_mut().zip(z) {
        *dz = inverse * *dz + (constant + slope * (z - mean));
    }
}

/// Gradients for scale and shift, and in `dz` that for `z`, given that for `y` there.
pub(super) fn backward(
    z: &[f32],
    dz: &mut [f32],
    moments: &Moments,
    affine: Affine<'_>,
    (epsilon, activation): (f32, Activation),
) -> Gradients {
    activation.with_curve(Backward { z, dz, moments, affine, epsilon })
}
