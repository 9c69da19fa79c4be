//! Random tensors as a function of a key and a counter.
//!
//! Philox4x32-10 (Salmon, Moraes, Dror and Shaw, SC 2011, doi:10.1145/2063384.2063405, section 3.3): block i of four words is the
//! cipher of the counter (i, counter) under the key, so every value depends on its index alone, on any number of threads and any
//! device. The numbers are made on the host, on flex in the memory of the tensor itself.

use burn::tensor::{DType, Device, Tensor, TensorData};
use pulp::{Arch, Scalar, Simd, WithSimd};
use rayon::prelude::*;
use std::f64::consts::TAU;

/// Multipliers of the two halves (section 3.3 of the paper).
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the key after each round: the golden ratio and the square root of three minus one, times 2^32.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;
/// Values per task: long enough to outweigh starting it.
const TASK: usize = 1 << 14;
/// Blocks that are enciphered side by side.
pub(crate) const LANES: usize = 16;

/// Uniform f32 values in [0, 1), multiples of 2^-24.
///
/// `counter` is the upper half of Philox's counter, the lower half is the index of the block. These are the numbers of
/// `data::Stream::fill_uniform` for the key and counter of a stream.
pub fn philox_uniform<const D: usize>(
    shape: [usize; D],
    key: [u32; 2],
    counter: [u32; 2],
    device: &Device,
) -> Tensor<D> {
    let mut out = vec![0.0; shape.iter().product()];
    fill(&mut out, key, counter);
    Tensor::from_data(TensorData::new(out, shape), (device, DType::F32))
}

/// A uniform value of 24 bits.
#[inline(always)]
fn uniform(word: u32) -> f32 {
    (word >> 8) as f32 / (1_u32 << 24) as f32
}

/// Fills `out` with uniform values.
fn fill(out: &mut [f32], key: [u32; 2], counter: [u32; 2]) {
    let arch = Arch::new();
    out.par_chunks_mut(TASK).enumerate().for_each(|(task, out)| {
        arch.dispatch(Uniform { out, first: (task * TASK / 4) as u64, key, counter });
    });
}

/// Uniform values from the block `first` on.
struct Uniform<'a> {
    out: &'a mut [f32],
    first: u64,
    key: [u32; 2],
    counter: [u32; 2],
}

impl WithSimd for Uniform<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for (index, out) in (self.first..).step_by(LANES).zip(self.out.chunks_mut(4 * LANES)) {
            let words = cipher(simd, index, self.key, self.counter);
            for (lane, out) in out.chunks_mut(4).enumerate() {
                out.iter_mut().zip(words).for_each(|(out, words)| *out = uniform(words[lane]));
            }
        }
    }
}

/// Standard normal f32 values (Box and Muller 1958, doi:10.1214/aoms/1177706645), at most 6.8 from 0.
///
/// `counter` as in [`philox_uniform`]; the numbers of `data::Stream::fill_normal`.
pub fn philox_normal<const D: usize>(
    shape: [usize; D],
    key: [u32; 2],
    counter: [u32; 2],
    device: &Device,
) -> Tensor<D> {
    // 2^-33 <= uniform < 1: the half keeps the logarithm finite.
    let uniform = |word: u32| (f64::from(word) + 0.5) / (1_u64 << 32) as f64;
    let pair = |radius: u32, angle: u32| {
        let radius = (-2.0 * uniform(radius).ln()).sqrt();
        let (sin, cos) = (TAU * uniform(angle)).sin_cos();
        [(radius * cos) as f32, (radius * sin) as f32]
    };
    tensor(shape, device, |index| {
        let [a, b, c, d] = block(index, key, counter);
        let ([first, second], [third, fourth]) = (pair(a, b), pair(c, d));
        [first, second, third, fourth]
    })
}

/// A tensor of four values per block.
fn tensor<const D: usize>(shape: [usize; D], device: &Device, values: impl Fn(u64) -> [f32; 4] + Sync) -> Tensor<D> {
    let mut out = vec![0.0; shape.iter().product()];
    out.par_chunks_mut(TASK).enumerate().for_each(|(task, out)| {
        for (index, out) in ((task * TASK / 4) as u64..).zip(out.chunks_mut(4)) {
            out.copy_from_slice(&values(index)[..out.len()]);
        }
    });
    Tensor::from_data(TensorData::new(out, shape), (device, DType::F32))
}

fn block(index: u64, key: [u32; 2], counter: [u32; 2]) -> [u32; 4] {
    cipher(Scalar, index, key, counter).map(|words| words[0])
}

/// The words of [`LANES`] blocks from `index` on: the first words of all next to each other, then the second.
#[inline(always)]
pub(crate) fn cipher<S: Simd>(simd: S, index: u64, key: [u32; 2], counter: [u32; 2]) -> [[u32; LANES]; 4] {
    let index: [u64; LANES] = std::array::from_fn(|lane| index.wrapping_add(lane as u64));
    let (low, high) = (index.map(|index| index as u32), index.map(|index| (index >> 32) as u32));
    let mut words = [low, high, [counter[0]; LANES], [counter[1]; LANES]];
    let [a, b, c, d] = words.each_mut().map(|words| S::as_mut_simd_u32s(words).0);
    let [first, second] = MULTIPLIERS.map(|multiplier| simd.splat_u32s(multiplier));
    for (((a, b), c), d) in a.iter_mut().zip(b).zip(c).zip(d) {
        let [mut left, mut right] = key;
        for _ in 0..ROUNDS {
            let (low, high) = simd.widening_mul_u32s(first, *a);
            let (other_low, other_high) = simd.widening_mul_u32s(second, *c);
            *a = simd.xor_u32s(simd.xor_u32s(other_high, *b), simd.splat_u32s(left));
            *c = simd.xor_u32s(simd.xor_u32s(high, *d), simd.splat_u32s(right));
            (*b, *d) = (other_low, low);
            left = left.wrapping_add(WEYL[0]);
            right = right.wrapping_add(WEYL[1]);
        }
    }
    words
}

/// The lower half of a word of 64 bits.
pub(crate) const LOW: u64 = 0xffff_ffff;

/// The words of `N` blocks from `index` on, each in the lower half of 64 bits: what a product leaves in the upper half, the next one does
/// not read, so that vectors need no packing between rounds.
#[inline(always)]
pub(crate) fn blocks<const N: usize>(index: u64, key: [u32; 2], counter: [u32; 2]) -> [[u64; N]; 4] {
    let index: [u64; N] = std::array::from_fn(|lane| index.wrapping_add(lane as u64));
    let [mut a, mut b, mut c, mut d] =
        [index, index.map(|index| index >> 32), [u64::from(counter[0]); N], [u64::from(counter[1]); N]];
    let [mut left, mut right] = key;
    for _ in 0..ROUNDS {
        for i in 0..N {
            let [first, second] = [(a[i] & LOW) * u64::from(MULTIPLIERS[0]), (c[i] & LOW) * u64::from(MULTIPLIERS[1])];
            a[i] = (second >> 32) ^ b[i] ^ u64::from(left);
            c[i] = (first >> 32) ^ d[i] ^ u64::from(right);
            (b[i], d[i]) = (second, first);
        }
        left = left.wrapping_add(WEYL[0]);
        right = right.wrapping_add(WEYL[1]);
    }
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::block;

    /// The three `philox4x32 10` lines of `tests/kat_vectors` in the authors' Random123 distribution: counter, key, expected.
    #[test]
    fn known_answers_of_random123() {
        assert_eq!(block(0, [0; 2], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(block(u64::MAX, [!0; 2], [!0; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            block(0x85a3_08d3_243f_6a88, [0xa409_3822, 0x299f_31d0], [0x1319_8a2e, 0x0370_7344]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }
}
