//! Dropout on flex.

use super::{Draws, DropoutOps, TILE};
use crate::{
    flex::compact,
    philox::{LANES, cipher},
};
use burn::backend::{Flex, tensor::FloatTensor};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Values that one task multiplies, whole tiles.
const BLOCK: usize = 256 * TILE;

impl DropoutOps for Flex {
    fn drop_out(x: FloatTensor<Self>, draws: Draws) -> FloatTensor<Self> {
        let mut x = compact(x);
        let values: &mut [f32] = x.storage_mut();
        let arch = Arch::new();
        values.par_chunks_mut(BLOCK).enumerate().for_each(|(block, values)| {
            arch.dispatch(Apply { draws, first: (block * BLOCK / 4) as u64, values });
        });
        x
    }
}

/// Drops of values that begin a tile; `first` is the first block of the draws for them.
struct Apply<'a> {
    draws: Draws,
    first: u64,
    values: &'a mut [f32],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { draws: Draws { share, key, counter }, first, values } = self;
        // the same comparison as that of the uniform number with the share
        let least = (share * (1_u32 << 24) as f32).ceil() as u32;
        let raised = 1.0 / (1.0 - share);
        let factor = |word: u32| if word >> 8 < least { 0.0 } else { raised };
        let (tiles, rest) = values.as_chunks_mut::<TILE>();
        let mut block = first;
        for values in tiles {
            let words = cipher(simd, block, key, counter);
            // lengths that the compiler knows, without which this takes four times as long
            for (values, words) in values.as_chunks_mut::<LANES>().0.iter_mut().zip(&words) {
                for lane in 0..LANES {
                    values[lane] *= factor(words[lane]);
                }
            }
            block += LANES as u64;
        }
        let words = cipher(simd, block, key, counter);
        rest.iter_mut().zip(words.as_flattened()).for_each(|(value, word)| *value *= factor(*word));
    }
}
