//! [`Stream`]: random numbers as a function of where they are used, with nothing to save and nothing to share.
//!
//! A stream is named by a path that begins with (seed, purpose) and is extended by [`at`](Stream::at) and
//! [`child`](Stream::child). The BLAKE3 hash of the path, cut to 128 bits, is its identity: 64 bits are the Philox key
//! and 64 bits the upper half of the Philox counter. The lower half of the counter is the index of the draw, so two
//! streams share numbers only if their identities are equal. Among 2^40 streams (a trillion pixels with a stream each)
//! the chance that any two are is 2^80 / 2^129, about 2e-15; packing epoch, step and child into the counter instead
//! would collide for sure as soon as one of them outgrew its bits.

use crate::philox::philox4x32_10;
use rand::{TryRng, rand_core::utils};
use rayon::prelude::*;
use std::{collections::HashMap, convert::Infallible, f64::consts::TAU};

/// A named sequence of random numbers in which every number can be computed on its own.
///
/// All draws read the same bits from the start: use one stream for one thing, and a [`child`](Self::child) for the next.
///
/// # Example
/// ```
/// use cupel_data::Stream;
/// let noise = Stream::new(7, "noise").at(0, 12);
/// let mut values = [0.0; 4];
/// noise.fill_normal(&mut values);
/// let mut again = [0.0; 2];
/// noise.fill_normal(&mut again);
/// assert_eq!(values[..2], again);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    key: [u32; 2],
    counter: [u32; 2],
}

/// What a step of the path is, so that `at(1, 2)` and `child` never hash the same bytes.
const ROOT: u8 = 0;
const AT: u8 = 1;
const CHILD: u8 = 2;

/// Values per parallel task: a multiple of 4, long enough to outweigh starting the task.
const TASK: usize = 1 << 14;

impl Stream {
    /// The stream of one purpose under one seed; two purposes are as independent as two seeds.
    pub fn new(seed: u64, purpose: &str) -> Self {
        Self::hashed(ROOT, &[&seed.to_le_bytes(), purpose.as_bytes()])
    }

    /// The stream of one step of one epoch below this one.
    pub fn at(self, epoch: u64, step: u64) -> Self {
        Self::hashed(AT, &[&self.identity(), &epoch.to_le_bytes(), &step.to_le_bytes()])
    }

    /// The stream number `index` below this one, for one of many things: a worker's item, a pixel, a restart.
    pub fn child(self, index: u64) -> Self {
        Self::hashed(CHILD, &[&self.identity(), &index.to_le_bytes()])
    }

    /// The `i`-th 64 random bits.
    pub fn u64(&self, i: u64) -> u64 {
        let pairs = pairs(self.block(i / 2));
        pairs[(i % 2) as usize]
    }

    /// Philox's key and the upper half of its counter, for `kernels::philox_uniform` and `kernels::philox_normal`, which give the
    /// numbers of [`fill_uniform`](Self::fill_uniform) and [`fill_normal`](Self::fill_normal) as tensors.
    pub fn philox(&self) -> ([u32; 2], [u32; 2]) {
        (self.key, self.counter)
    }

    /// A generator that reads this stream from its start, for `rand` and `rand_distr`.
    pub fn rng(self) -> StreamRng {
        StreamRng { stream: self, next_block: 0, words: [0; 4], used: 4 }
    }

    /// Fills `out` with uniform values in [0, 1), multiples of 2^-24.
    ///
    /// Element i depends on the stream and i alone, here and in the other `fill_` functions; long slices are filled by
    /// several threads.
    pub fn fill_uniform(&self, out: &mut [f32]) {
        self.fill(out, |words| words.map(|word| (word >> 8) as f32 / (1_u32 << 24) as f32));
    }

    /// Fills `out` with standard normal values (Box and Muller 1958, doi:10.1214/aoms/1177706645), at most 6.8 from 0.
    pub fn fill_normal(&self, out: &mut [f32]) {
        // 2^-33 <= uniform < 1: the half keeps the logarithm finite.
        let uniform = |word: u32| (f64::from(word) + 0.5) / (1_u64 << 32) as f64;
        self.fill(out, |[a, b, c, d]| {
            let (first, second) = (normals(uniform(a), uniform(b)), normals(uniform(c), uniform(d)));
            [first.0 as f32, first.1 as f32, second.0 as f32, second.1 as f32]
        });
    }

    /// Fills `out` with standard normal values from 53 random bits each, at most 8.6 from 0; other values than
    /// [`fill_normal`](Self::fill_normal) gives.
    pub fn fill_normal_f64(&self, out: &mut [f64]) {
        let uniform = |bits: u64| ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        self.fill(out, |words| {
            let [a, b] = pairs(words);
            let (first, second) = normals(uniform(a), uniform(b));
            [first, second]
        });
    }

    /// The numbers 0..n in random order, every order equally likely (Fisher and Yates).
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        let mut rng = self.rng();
        let mut order: Vec<usize> = (0..n).collect();
        for i in 0..n {
            order.swap(i, i + rng.below((n - i) as u64) as usize);
        }
        order
    }

    /// `k` different numbers of 0..n in random order: the first `k` of [`permutation`](Self::permutation), in time and
    /// memory that grow with `k` and not with `n`.
    ///
    /// # Panics
    /// When `k` is more than `n`: "cannot sample 3 of 2 without replacement".
    pub fn sample(&self, n: usize, k: usize) -> Vec<usize> {
        assert!(k <= n, "cannot sample {k} of {n} without replacement");
        let mut rng = self.rng();
        // The entries of 0..n that the shuffle has moved.
        let mut moved: HashMap<usize, usize> = HashMap::with_capacity(k);
        (0..k)
            .map(|i| {
                let j = i + rng.below((n - i) as u64) as usize;
                let here = moved.remove(&i).unwrap_or(i);
                if i == j { here } else { moved.insert(j, here).unwrap_or(j) }
            })
            .collect()
    }

    fn hashed(step: u8, parts: &[&[u8]]) -> Self {
        let mut hash = blake3::Hasher::new_derive_key("cupel random stream, version 1");
        hash.update(&[step]);
        parts.iter().for_each(|part| {
            hash.update(part);
        });
        let digest = hash.finalize();
        let word = |i: usize| {
            let bytes = digest.as_bytes();
            u32::from_le_bytes([bytes[4 * i], bytes[4 * i + 1], bytes[4 * i + 2], bytes[4 * i + 3]])
        };
        Self { key: [word(0), word(1)], counter: [word(2), word(3)] }
    }

    fn identity(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        for (bytes, word) in bytes.chunks_exact_mut(4).zip(self.key.into_iter().chain(self.counter)) {
            bytes.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    fn block(&self, index: u64) -> [u32; 4] {
        let [low, high] = [index as u32, (index >> 32) as u32];
        philox4x32_10([low, high, self.counter[0], self.counter[1]], self.key)
    }

    /// Fills `out` with `N` values per block, `N` a divisor of [`TASK`].
    fn fill<T: Send, const N: usize>(&self, out: &mut [T], values: impl Fn([u32; 4]) -> [T; N] + Sync) {
        out.par_chunks_mut(TASK).enumerate().for_each(|(task, out)| {
            let first = task * (TASK / N);
            for (i, out) in out.chunks_mut(N).enumerate() {
                for (out, value) in out.iter_mut().zip(values(self.block((first + i) as u64))) {
                    *out = value;
                }
            }
        });
    }
}

fn pairs([a, b, c, d]: [u32; 4]) -> [u64; 2] {
    [u64::from(b) << 32 | u64::from(a), u64::from(d) << 32 | u64::from(c)]
}

/// Two independent normal values from two uniform ones in (0, 1).
fn normals(radius: f64, angle: f64) -> (f64, f64) {
    let radius = (-2.0 * radius.ln()).sqrt();
    let (sin, cos) = (TAU * angle).sin_cos();
    (radius * cos, radius * sin)
}

/// A generator over one [`Stream`]; a clone gives the same numbers again.
#[derive(Clone, Debug)]
pub struct StreamRng {
    stream: Stream,
    next_block: u64,
    words: [u32; 4],
    used: usize,
}

impl StreamRng {
    /// A number below `bound`, each equally likely (Lemire 2019, doi:10.1145/3230636); 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        loop {
            let wide = u128::from(self.word64()) * u128::from(bound);
            let low = wide as u64;
            // The first 2^64 mod bound values of `low` would make some results likelier.
            if low >= bound || low >= bound.wrapping_neg().checked_rem(bound).unwrap_or(0) {
                return (wide >> 64) as u64;
            }
        }
    }

    fn word32(&mut self) -> u32 {
        if self.used == self.words.len() {
            self.words = self.stream.block(self.next_block);
            self.next_block = self.next_block.wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    fn word64(&mut self) -> u64 {
        let low = u64::from(self.word32());
        u64::from(self.word32()) << 32 | low
    }
}

impl TryRng for StreamRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word32())
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.word64())
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        utils::fill_bytes_via_next_word(out, || Ok(self.word32()))
    }
}
