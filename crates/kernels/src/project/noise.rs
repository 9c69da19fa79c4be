//! Standard normal numbers by their place, in vectors.
//!
//! The numbers are those of [`philox_normal`](crate::philox_normal) within f32: the cipher's words are the same, but the
//! logarithm, the sine and the cosine of Box and Muller are polynomials in f32 here, which compile to vectors and take a
//! tenth of the time. Uniform numbers above 1/2 are held as their distance from 1, so that no digits are lost there.

use super::Noise;
use crate::{philox, vectorized::vectorized};

/// Blocks of the cipher that are made side by side.
const BLOCKS: usize = 16;
/// Pairs of numbers of them.
const PAIRS: usize = 2 * BLOCKS;

/// A stream of normal numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Normals {
    pub(crate) key: [u32; 2],
    pub(crate) counter: [u32; 2],
    /// Standard deviation.
    pub(crate) amplitude: f32,
}

impl From<Noise> for Normals {
    fn from(Noise { amplitude, key, counter }: Noise) -> Self {
        Self { key, counter, amplitude: amplitude as f32 }
    }
}

impl Normals {
    /// The numbers from place `first` on.
    pub(crate) fn fill(&self, first: usize, out: &mut [f32]) {
        vectorized(
            #[inline(always)]
            || self.fill_vectors(first, out),
        );
    }

    #[inline(always)]
    fn fill_vectors(&self, first: usize, out: &mut [f32]) {
        let (mut place, mut out) = (first, out);
        while !out.is_empty() {
            let skipped = place % 4;
            let numbers = self.blocks((place / 4) as u64);
            let numbers = &numbers.as_flattened()[skipped..];
            let (head, rest) = out.split_at_mut(out.len().min(numbers.len()));
            match (head.as_chunks_mut::<{ 2 * PAIRS }>(), numbers.as_chunks()) {
                (([whole], _), ([numbers], _)) => *whole = *numbers,
                _ => head.copy_from_slice(&numbers[..head.len()]),
            }
            place += head.len();
            out = rest;
        }
    }

    /// The numbers of [`BLOCKS`] blocks from the `first` on, two pairs each.
    #[inline(always)]
    fn blocks(&self, first: u64) -> [[f32; 2]; PAIRS] {
        let [a, b, c, d] = philox::blocks::<BLOCKS>(first, self.key, self.counter);
        // first and second pair beside each other, as the numbers will be
        let (mut radius, mut angle) = ([0; PAIRS], [0; PAIRS]);
        for i in 0..BLOCKS {
            (radius[2 * i], radius[2 * i + 1]) = (a[i] as u32, c[i] as u32);
        }
        for i in 0..BLOCKS {
            (angle[2 * i], angle[2 * i + 1]) = (b[i] as u32, d[i] as u32);
        }
        let (mut cos, mut sin) = ([0.0; PAIRS], [0.0; PAIRS]);
        for i in 0..PAIRS {
            (cos[i], sin[i]) = pair(radius[i], angle[i], self.amplitude);
        }
        let mut numbers = [[0.0; 2]; PAIRS];
        for i in 0..PAIRS {
            numbers[i] = [cos[i], sin[i]];
        }
        numbers
    }
}

/// Two normal numbers from two words.
#[inline(always)]
fn pair(radius: u32, angle: u32, amplitude: f32) -> (f32, f32) {
    let radius = amplitude * (-2.0 * log_of_uniform(radius)).sqrt();
    let (sin, cos) = sin_cos_of_turns(angle);
    (radius * cos, radius * sin)
}

/// `ln((word + 1/2) / 2^32)`.
#[inline(always)]
fn log_of_uniform(word: u32) -> f32 {
    const HALF: u32 = 1 << 31;
    let near_one = word >= HALF;
    // u below 1/2, or 1 - u above: at most 1/2, and exact to 24 bits of itself
    let small = ((if near_one { !word } else { word }) as i32 as f32 + 0.5) * (1.0 / 4_294_967_296.0);
    // u = 2^exponent (1 + x) with 1 + x between sqrt(1/2) and sqrt(2); above 1/2, x = u - 1 as long as that holds
    let bits = small.to_bits();
    let offset = bits.wrapping_sub(0x3f35_04f3);
    let shifted = ((offset as i32) >> 23) as f32;
    let mantissa = f32::from_bits((offset & 0x007f_ffff).wrapping_add(0x3f35_04f3));
    // above 1/2: u itself lies between 1/2 and 1; below sqrt(1/2) it is 2^-1 times 1 + x with x = 2 u - 1 = 1 - 2 (1 - u)
    let upper = small < 0.292_893_22;
    let (exponent, x) = if !near_one {
        (shifted, mantissa - 1.0)
    } else if upper {
        (0.0, -small)
    } else {
        (-1.0, 1.0 - 2.0 * small)
    };
    exponent * std::f32::consts::LN_2 + log_of_one_and(x)
}

/// `ln(1 + x)` for `1 + x` between sqrt(1/2) and sqrt(2): the series of `2 artanh(x / (2 + x))`, whose argument is below .172.
#[inline(always)]
pub(super) fn log_of_one_and(x: f32) -> f32 {
    let s = x / (2.0 + x);
    let t = s * s;
    // relative error of the first term left out: .172^10 / 11 = 2e-9
    let series = 1.0 / 9.0;
    let series = series * t + 1.0 / 7.0;
    let series = series * t + 0.2;
    let series = series * t + 1.0 / 3.0;
    2.0 * s + 2.0 * s * t * series
}

/// Sine and cosine of `2 pi (word + 1/2) / 2^32`.
#[inline(always)]
fn sin_cos_of_turns(word: u32) -> (f32, f32) {
    // the quarter nearest to the angle, and what is left of it between -1/8 and 1/8 of a turn
    let quarter = word.wrapping_add(1 << 29) >> 30;
    let left = word.wrapping_sub(quarter << 30) as i32;
    let x = (left as f32 + 0.5) * (std::f32::consts::TAU / 4_294_967_296.0);
    let t = x * x;
    // Taylor series up to pi / 4: the first terms left out are 3e-9 and 3e-8
    let sin = ((t * (1.0 / 362_880.0) - 1.0 / 5040.0) * t + 1.0 / 120.0) * t - 1.0 / 6.0;
    let sin = x + x * t * sin;
    let cos = ((t * (1.0 / 40_320.0) - 1.0 / 720.0) * t + 1.0 / 24.0) * t - 0.5;
    let cos = 1.0 + t * cos;
    let (s, c) = if quarter & 1 == 1 { (cos, sin) } else { (sin, cos) };
    // quarters 2 and 3 turn the sine's sign, 1 and 2 the cosine's
    let s = if quarter & 2 == 2 { -s } else { s };
    let c = if (quarter + 1) & 2 == 2 { -c } else { c };
    (s, c)
}

#[cfg(test)]
mod tests {
    use super::{log_of_uniform, sin_cos_of_turns};

    /// Every 65537th word, and the ends.
    fn words() -> impl Iterator<Item = u32> {
        (0..=u32::MAX).step_by(65_537).chain([1, 2, 3, (1 << 31) - 1, 1 << 31, u32::MAX - 1, u32::MAX])
    }

    fn uniform(word: u32) -> f64 {
        (f64::from(word) + 0.5) / (1u64 << 32) as f64
    }

    #[test]
    fn logarithms_keep_their_relative_precision_up_to_one() {
        for word in words() {
            let exact = uniform(word).ln();
            let error = (f64::from(log_of_uniform(word)) - exact).abs() / exact.abs();
            assert!(error < 4e-7, "ln of word {word}: {error:.1e}");
        }
    }

    #[test]
    fn angles_are_right_in_every_quarter() {
        for word in words() {
            let (sin, cos) = (std::f64::consts::TAU * uniform(word)).sin_cos();
            let (s, c) = sin_cos_of_turns(word);
            let error = (f64::from(s) - sin).abs().max((f64::from(c) - cos).abs());
            assert!(error < 2e-7, "angle of word {word}: {error:.1e}");
        }
    }
}
