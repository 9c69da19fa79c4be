//! The likelihood of variational inference under every model of the noise.

use burn::tensor::{Tensor, activation};
use cupel_kernels::{mixture_log_likelihood, sum_fixed};

use super::{guide::Batch, model::VariationalModel};
use crate::mixture::NoiseModel;

impl VariationalModel {
    /// Log likelihood of the pixels of a batch with these logits, endmembers and light.
    pub(super) fn likelihood(
        &self,
        noise: NoiseModel,
        batch: &Batch,
        [logits, endmembers]: [Tensor<2>; 2],
        ln_brightness: Tensor<1>,
    ) -> Tensor<1> {
        let (brightness, ln_noise) = (ln_brightness.exp(), self.ln_noise.base());
        let (NoiseModel::LowRank | NoiseModel::Full, Some(factors)) = (noise, &self.noise_factors) else {
            return mixture_log_likelihood(batch.spectra.clone(), logits, endmembers, Some(brightness), ln_noise);
        };
        let [pixels, bands] = batch.spectra.dims();
        let mixed = activation::softmax(logits, 1).matmul(endmembers) * brightness.unsqueeze_dim(1);
        let residuals = batch.spectra.clone() - mixed;
        let scale = ln_noise.clone().neg().exp().unsqueeze_dim::<2>(0);
        let constant = 0.5 * (pixels * bands) as f64 * std::f64::consts::TAU.ln();
        let ln_noises = ln_noise.sum() * pixels as f64;
        if noise == NoiseModel::Full {
            // the factor of the precision, so that nothing has to be solved: one product a step
            let white = residuals.clone() * scale + residuals.matmul(factors.base().tril(-1).transpose());
            return sum_fixed(white.clone() * white).mul_scalar(-0.5) - ln_noises - constant;
        }
        // Woodbury: (D + F^T F)^-1, and the determinant, by a system of as many unknowns as factors
        let (scaled, factors) = (residuals * scale.clone(), factors.base() * scale);
        let along = scaled.clone().matmul(factors.clone().transpose());
        let (ln_determinant, explained) = eliminate(one_plus(factors), along);
        (explained - sum_fixed(scaled.clone() * scaled)).mul_scalar(0.5)
            - ln_noises
            - ln_determinant.mul_scalar(0.5 * pixels as f64)
            - constant
    }
}

/// `1 + F F^T`.
pub(super) fn one_plus(factors: Tensor<2>) -> Tensor<2> {
    let [rank, _] = factors.dims();
    let one = Tensor::eye(rank, &factors.device());
    factors.clone().matmul(factors.transpose()) + one
}

/// `ln |M|` and `sum_n u_n^T M^-1 u_n` for rows `u_n`, by elimination; `M` is symmetric, positive definite and small.
pub(super) fn eliminate(mut matrix: Tensor<2>, mut rows: Tensor<2>) -> (Tensor<1>, Tensor<1>) {
    let ([size, _], [count, _]) = (matrix.dims(), rows.dims());
    let (mut ln_determinant, mut square) = (Tensor::zeros([1], &matrix.device()), Tensor::zeros([1], &matrix.device()));
    for i in 0..size {
        let pivot = matrix.clone().slice([i..i + 1, i..i + 1]);
        let column = matrix.clone().slice([0..size, i..i + 1]);
        let row = matrix.clone().slice([i..i + 1, 0..size]) / pivot.clone();
        let along = rows.clone().slice([0..count, i..i + 1]);
        ln_determinant = ln_determinant + pivot.clone().log().reshape([1]);
        square = square + sum_fixed(along.clone() * along.clone()) / pivot.reshape([1]);
        matrix = matrix - column * row.clone();
        rows = rows - along * row;
    }
    (ln_determinant, square)
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::{mixture::faces::inverse, networks::values};

    #[test]
    fn elimination_gives_determinant_and_solution() {
        let device = Device::flex();
        let matrix = Tensor::<2>::from_floats([[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]], &device);
        let rows = Tensor::<2>::from_floats([[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]], &device);
        let (ln_determinant, square) = eliminate(matrix.clone(), rows.clone());
        let host: Vec<f64> = values(matrix).unwrap();
        let (inverted, expected) = inverse(&host, 3);
        assert!((values(ln_determinant).unwrap()[0] - expected).abs() < 1e-6);
        let rows = values(rows).unwrap();
        let form = |u: &[f64]| (0..9).map(|at| u[at / 3] * inverted[at] * u[at % 3]).sum::<f64>();
        let expected: f64 = rows.chunks_exact(3).map(form).sum();
        assert!((values(square).unwrap()[0] - expected).abs() < 1e-5);
    }
}
