//! The transpose of a square of 8 x 8 values, between channel-first and channel-last.

use pulp::Simd;
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
use pulp::x86::V3;

/// Values along a side of the square.
pub(super) const SIDE: usize = 8;

pub(super) type Square = [[f32; SIDE]; SIDE];

/// How the processor transposes. Its use belongs inside of a [`pulp::WithSimd`] that runs with the instructions of `S`.
#[derive(Clone, Copy)]
pub(super) struct Transpose {
    #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
    shuffles: Option<V3>,
}

impl Transpose {
    #[inline(always)]
    pub fn new<S: Simd>(_simd: S) -> Self {
        Transpose {
            // Where vectors are shorter than 8 values, the instructions are not enabled around this call.
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            shuffles: if S::F32_LANES >= SIDE { V3::try_new() } else { None },
        }
    }

    /// Rows become columns.
    #[inline(always)]
    pub fn apply(self, rows: [&[f32; SIDE]; SIDE]) -> Square {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if let Some(simd) = self.shuffles {
            return shuffle(simd, rows);
        }
        let mut columns = [[0.0; SIDE]; SIDE];
        for (i, column) in columns.iter_mut().enumerate() {
            for (value, row) in column.iter_mut().zip(rows) {
                *value = row[i];
            }
        }
        columns
    }
}

/// Pairs, then fours, then halves are exchanged.
#[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
#[inline(always)]
fn shuffle(simd: V3, rows: [&[f32; SIDE]; SIDE]) -> Square {
    let avx = simd.avx;
    let mut r = [avx._mm256_setzero_ps(); SIDE];
    for (r, row) in r.iter_mut().zip(rows) {
        *r = pulp::cast(*row);
    }
    let mut pairs = r;
    for i in 0..4 {
        pairs[2 * i] = avx._mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
        pairs[2 * i + 1] = avx._mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
    }
    let mut fours = pairs;
    for half in [0, 4] {
        for i in 0..2 {
            fours[half + 2 * i] = avx._mm256_shuffle_ps::<0x44>(pairs[half + i], pairs[half + i + 2]);
            fours[half + 2 * i + 1] = avx._mm256_shuffle_ps::<0xEE>(pairs[half + i], pairs[half + i + 2]);
        }
    }
    let mut columns = [[0.0; SIDE]; SIDE];
    for i in 0..4 {
        columns[i] = pulp::cast(avx._mm256_permute2f128_ps::<0x20>(fours[i], fours[i + 4]));
        columns[i + 4] = pulp::cast(avx._mm256_permute2f128_ps::<0x31>(fours[i], fours[i + 4]));
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::{Arch, WithSimd};

    struct Run<'a>(&'a Square);

    impl WithSimd for Run<'_> {
        type Output = Square;

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Square {
            Transpose::new(simd).apply(self.0.each_ref())
        }
    }

    #[test]
    fn rows_become_columns_on_every_instruction_set() {
        let rows: Square = std::array::from_fn(|r| std::array::from_fn(|c| (r * SIDE + c) as f32));
        let columns: Square = std::array::from_fn(|r| std::array::from_fn(|c| (c * SIDE + r) as f32));
        assert_eq!(Arch::new().dispatch(Run(&rows)), columns);
        assert_eq!(Run(&rows).with_simd(pulp::Scalar), columns);
    }
}
