//! The low-rank projection as tensor operations.

use super::LowRank;
use crate::{
    Projection,
    project::reference::{along_lines, with_noise},
};
use burn::tensor::{DType, Tensor, TensorData};

/// See [`project_low_rank`](crate::project_low_rank).
pub fn project_low_rank<const D: usize>(x: Tensor<D>, low_rank: &LowRank, projection: Projection<D>) -> Tensor<D> {
    let (dtype, device) = (x.dtype(), x.device());
    let wide = if device.supports_dtype(DType::F64) { DType::F64 } else { dtype };
    let (values, rows) = (low_rank.offset.len(), low_rank.basis.len() / low_rank.offset.len().max(1));
    let matrix =
        |numbers: Vec<f64>, shape: [usize; 2]| Tensor::<2>::from_data(TensorData::new(numbers, shape), (&device, wide));
    let offset = matrix(low_rank.offset.to_vec(), [1, values]);
    let axes = low_rank.axes(projection.axis, D);
    let y = along_lines(with_noise(x.cast(wide), projection.noise), &axes, projection.order, |lines| {
        let lines = lines - offset;
        let left = match (rows, wide) {
            (0, _) => lines,
            (_, DType::F64) => {
                let basis = matrix(low_rank.basis.to_vec(), [rows, values]);
                lines.clone() - lines.matmul(basis.clone().transpose()).matmul(basis)
            }
            _ => lines.matmul(matrix(complement(low_rank), [values, values])),
        };
        left * projection.scale
    });
    projection.transform.apply(y.cast(dtype))
}

/// `I - V* V^T`.
fn complement(low_rank: &LowRank) -> Vec<f64> {
    let values = low_rank.offset.len();
    let mut matrix = vec![0.0; values * values];
    for (i, row) in matrix.chunks_exact_mut(values).enumerate() {
        row[i] = 1.0;
        for mode in low_rank.basis.chunks_exact(values) {
            row.iter_mut().zip(mode).for_each(|(cell, value)| *cell -= mode[i] * value);
        }
    }
    matrix
}
