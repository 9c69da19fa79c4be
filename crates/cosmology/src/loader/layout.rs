//! Where a value of a file goes in an observation.

use cupel_data::Complex;

/// Bins in right ascension that are turned at a time: a line of the cache of each channel.
const TILE: usize = 16;

/// From `[baseline, frequency, right ascension]` to `[chunk, part, right ascension, baseline, frequency]`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) baselines: usize,
    pub(crate) channels: usize,
    pub(crate) bins: usize,
    pub(crate) chunks: usize,
    /// Bins by which the sky is turned: bin 0 goes here.
    pub(crate) turn: usize,
}

impl Layout {
    /// Calls `put` with the place of each value in the file, and its place in a chunk of `parts` parts.
    fn each(&self, parts: usize, mut put: impl FnMut(usize, usize)) {
        let Self { baselines, channels, bins, chunks, turn } = *self;
        let (len, row) = (bins / chunks, baselines * channels);
        for baseline in 0..baselines {
            for start in (0..bins).step_by(TILE) {
                for channel in 0..channels {
                    let from = (baseline * channels + channel) * bins;
                    for bin in start..bins.min(start + TILE) {
                        let to = (bin + turn) % bins;
                        let place = ((to / len) * parts * len + to % len) * row + baseline * channels + channel;
                        put(from + bin, place);
                    }
                }
            }
        }
    }

    pub(super) fn observe(&self, signal: &[Complex<f32>], foreground: &[Complex<f32>], x: &mut [f32], y: &mut [f32]) {
        let imaginary = self.bins / self.chunks * self.baselines * self.channels;
        self.each(2, |from, to| {
            let (own, added) = (signal[from], foreground[from]);
            (y[to], y[to + imaginary]) = (own.re, own.im);
            (x[to], x[to + imaginary]) = (own.re + added.re, own.im + added.im);
        });
    }

    pub(super) fn weigh(&self, a: Option<&[f32]>, b: Option<&[f32]>, weights: &mut [f32]) {
        let of = |weights: Option<&[f32]>, from: usize| weights.map_or(1.0, |weights| weights[from]);
        self.each(1, |from, to| weights[to] = of(a, from) * of(b, from));
    }

    /// What is observed, as chunks.
    pub(crate) fn divided(&self, values: &[Complex<f32>]) -> Vec<f32> {
        let mut chunks = vec![0.0; 2 * values.len()];
        let imaginary = self.bins / self.chunks * self.baselines * self.channels;
        self.each(2, |from, to| (chunks[to], chunks[to + imaginary]) = (values[from].re, values[from].im));
        chunks
    }

    /// The inverse of [`divided`](Self::divided).
    pub(crate) fn joined(&self, chunks: &[f32]) -> Vec<Complex<f32>> {
        let mut values = vec![Complex::new(0.0, 0.0); chunks.len() / 2];
        let imaginary = self.bins / self.chunks * self.baselines * self.channels;
        self.each(2, |from, to| values[from] = Complex::new(chunks[to], chunks[to + imaginary]));
        values
    }
}
