//! Rows of a table on flex.

use super::{EmbeddingGradients, EmbeddingOps};
use crate::flex::{tensor, with_values};
use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};
use rayon::prelude::*;
use std::sync::Arc;

/// Values of a table whose gradient one task adds up.
const BLOCK: usize = 1 << 18;

impl EmbeddingOps for Flex {
    fn lookup(table: FloatTensor<Self>, ids: Arc<Vec<usize>>, [samples, fields]: [usize; 2]) -> FloatTensor<Self> {
        let [_, width] = table.shape().dims();
        let mut rows = Vec::with_capacity(ids.len() * width);
        with_values(&table, |table: &[f32]| {
            ids.iter().for_each(|id| rows.extend_from_slice(&table[id * width..(id + 1) * width]));
        });
        tensor(rows, [samples, fields, width])
    }
}

impl EmbeddingGradients for Flex {
    fn lookup_gradient(gradient: FloatTensor<Self>, ids: &[usize], rows: usize) -> FloatTensor<Self> {
        let width = gradient.shape()[2];
        let mut sums = vec![0.0; rows * width];
        let held = (BLOCK / width.max(1)).max(1);
        with_values(&gradient, |gradient: &[f32]| {
            sums.par_chunks_mut((held * width).max(1)).enumerate().for_each(|(block, sums)| {
                let own = block * held..(block + 1) * held;
                for (id, gradient) in ids.iter().zip(gradient.chunks_exact(width)).filter(|(id, _)| own.contains(id)) {
                    let at = (id - own.start) * width;
                    sums[at..at + width].iter_mut().zip(gradient).for_each(|(sum, value)| *sum += value);
                }
            });
        });
        tensor(sums, [rows, width])
    }
}
