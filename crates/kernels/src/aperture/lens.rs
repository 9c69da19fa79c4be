//! [`Lens`]: one window after the other seen, and its adjoint, a few rows of an image at a time.
//!
//! Only the columns of a window are not nought, so they are transformed first and the rows after: `W + D` transforms of
//! length `D` in place of `2 D`. Columns lie one after the other, so that a strip of rows is one cache line of each. A strip is
//! transformed, used and, where the adjoint is wanted, transformed back before the next one is begun: no whole image is made.

use super::{Direction, number::Number, windows::Windows};
use crate::fft::plans;
use rustfft::{Fft, num_complex::Complex, num_traits::Zero};
use std::sync::Arc;

/// Rows that are transformed together, as many as a cache line holds values.
pub(crate) const STRIP: usize = 8;

/// Real and imaginary parts.
pub(crate) type Parts<'a, T> = [&'a [T]; 2];

/// What one thread needs for one window of each mode.
pub(crate) struct Lens<T> {
    there: Arc<dyn Fft<T>>,
    back: Arc<dyn Fft<T>>,
    detector: usize,
    /// Rows and columns of the window.
    window: [usize; 2],
    /// `[mode, window column, detector row]`: what is seen, then what is seen back.
    narrow: Vec<Complex<T>>,
    /// `[mode, row of the strip, detector column]`.
    strip: Vec<Complex<T>>,
    /// `[row of the strip, window column]`.
    rows: Vec<Complex<T>>,
    scratch: Vec<Complex<T>>,
    /// Where rows and columns of the window lie on the grid of the detector.
    targets: [Vec<usize>; 2],
    /// Factors of rows and columns that bring the frequency nought to the middle of the detector.
    turns: [Vec<Complex<T>>; 2],
}

impl<T: Number> Lens<T> {
    pub(crate) fn new(windows: &Windows<'_, T>) -> Self {
        let d = windows.detector;
        let inverse = windows.direction == Direction::Inverse;
        let (there, back) = (plans::complex(d, inverse), plans::complex(d, !inverse));
        let scratch = there.get_inplace_scratch_len().max(back.get_inplace_scratch_len());
        let targets = windows.window.map(|window| (0..window).map(|i| (i + d - window / 2) % d).collect::<Vec<_>>());
        let turn = |target: &usize| match inverse {
            true => Complex::new(T::one(), T::zero()),
            false => {
                let angle = std::f64::consts::TAU * (target * (d / 2) % d) as f64 / d as f64;
                // whole and half turns exactly, as nearly all are
                let (sine, cosine) = if 2 * (target * (d / 2) % d) == d { (0.0, -1.0) } else { angle.sin_cos() };
                Complex::new(T::rounded(cosine), T::rounded(sine))
            }
        };
        Self {
            detector: d,
            window: windows.window,
            narrow: vec![Complex::zero(); windows.modes * windows.window[1] * d],
            strip: vec![Complex::zero(); windows.modes * STRIP * d],
            rows: vec![Complex::zero(); STRIP * windows.window[1]],
            scratch: vec![Complex::zero(); scratch],
            turns: [0, 1].map(|axis| targets[axis].iter().map(turn).collect()),
            targets,
            there,
            back,
        }
    }

    /// Looks through the pupil of a mode at the window at `centre`, as far as its columns.
    pub(crate) fn open(
        &mut self,
        windows: &Windows<'_, T>,
        mode: usize,
        centre: [isize; 2],
        plane: Parts<'_, T>,
        pupil: Parts<'_, T>,
    ) {
        let (d, [_, columns]) = (self.detector, self.window);
        let narrow = &mut self.narrow[mode * columns * d..(mode + 1) * columns * d];
        narrow.fill(Complex::zero());
        let mut sources = windows.places(centre, 0);
        for (first, targets) in self.targets[0].chunks(STRIP).enumerate().map(|(s, rows)| (s * STRIP, rows)) {
            // a strip of rows, so that the columns are written by cache lines
            for (r, row) in (first..first + targets.len()).zip(self.rows.chunks_exact_mut(columns)) {
                let start = sources.next().unwrap_or_default() * windows.size[1];
                for (from, to) in windows.stretches(centre) {
                    let seen = plane.map(|part| &part[start + to.start..start + to.end]);
                    let pupil = pupil.map(|part| &part[r * columns + from.start..r * columns + from.end]);
                    let factors = self.turns[1][from.clone()].iter().zip(pupil[0].iter().zip(pupil[1]));
                    let values = seen[0].iter().zip(seen[1]).zip(factors);
                    for (value, ((re, im), (turn, (pupil_re, pupil_im)))) in row[from].iter_mut().zip(values) {
                        let passed = Complex::new(*re, *im) * Complex::new(*pupil_re, *pupil_im);
                        *value = passed * (self.turns[0][r] * *turn);
                    }
                }
            }
            for (c, column) in narrow.chunks_exact_mut(d).enumerate() {
                for (k, target) in targets.iter().enumerate() {
                    column[*target] = self.rows[k * columns + c];
                }
            }
        }
        self.there.process_with_scratch(narrow, &mut self.scratch);
    }

    /// The rows from `first` on of the image of a mode, without its scale; of the strip as many as the image has.
    pub(crate) fn see(&mut self, mode: usize, first: usize) {
        let (d, [_, columns]) = (self.detector, self.window);
        let strip = &mut self.strip[mode * STRIP * d..][..STRIP.min(d - first) * d];
        strip.fill(Complex::zero());
        let narrow = &self.narrow[mode * columns * d..(mode + 1) * columns * d];
        for (column, target) in narrow.chunks_exact(d).zip(&self.targets[1]) {
            for (row, value) in strip.chunks_exact_mut(d).zip(&column[first..]) {
                row[*target] = *value;
            }
        }
        self.there.process_with_scratch(strip, &mut self.scratch);
    }

    /// The strip of a mode, in rows from `first` on.
    pub(crate) fn strip(&mut self, mode: usize, first: usize) -> &mut [Complex<T>] {
        let d = self.detector;
        &mut self.strip[mode * STRIP * d..][..STRIP.min(d - first) * d]
    }

    /// All strips: row `row` of mode `m` begins at `(m * STRIP + row) * D`.
    pub(crate) fn strips(&mut self) -> &mut [Complex<T>] {
        &mut self.strip
    }

    /// The adjoint of [`see`](Self::see) of what is in the strip; what was seen there is written over.
    pub(crate) fn send_back(&mut self, mode: usize, first: usize) {
        let (d, [_, columns]) = (self.detector, self.window);
        let strip = &mut self.strip[mode * STRIP * d..][..STRIP.min(d - first) * d];
        self.back.process_with_scratch(strip, &mut self.scratch);
        let narrow = &mut self.narrow[mode * columns * d..(mode + 1) * columns * d];
        for (column, target) in narrow.chunks_exact_mut(d).zip(&self.targets[1]) {
            for (row, value) in strip.chunks_exact(d).zip(&mut column[first..]) {
                *value = row[*target];
            }
        }
    }

    /// The adjoint of [`open`](Self::open) before the pupil, once all strips were sent back: the window of a mode.
    pub(crate) fn close(&mut self, mode: usize, [re, im]: [&mut [T]; 2]) {
        let (d, [_, columns]) = (self.detector, self.window);
        let narrow = &mut self.narrow[mode * columns * d..(mode + 1) * columns * d];
        self.back.process_with_scratch(narrow, &mut self.scratch);
        for (first, targets) in self.targets[0].chunks(STRIP).enumerate().map(|(s, rows)| (s * STRIP, rows)) {
            for (c, column) in narrow.chunks_exact(d).enumerate() {
                for (k, target) in targets.iter().enumerate() {
                    self.rows[k * columns + c] = column[*target];
                }
            }
            for (r, row) in (first..first + targets.len()).zip(self.rows.chunks_exact(columns)) {
                let own = r * columns..(r + 1) * columns;
                let parts = re[own.clone()].iter_mut().zip(&mut im[own]);
                for ((re, im), (value, turn)) in parts.zip(row.iter().zip(&self.turns[1])) {
                    let value = *value * (self.turns[0][r] * *turn).conj();
                    (*re, *im) = (value.re, value.im);
                }
            }
        }
    }
}
