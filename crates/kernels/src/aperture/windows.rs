//! Sub-apertures of a spectrum as slices, and their adjoint; see the [module above](super).
//!
//! Only the columns of a window are not nought, so they are transformed first and the rows after: `W + D` transforms of
//! length `D` in place of `2 D`. Windows are gathered with their axes exchanged, which leaves one transposition.

use crate::fft::plans::{self, Planned};
use rayon::prelude::*;
use rustfft::{
    Fft, FftNum,
    num_complex::Complex,
    num_traits::{Float, Zero},
};

/// Rows of a spectrum or of a pupil that one task adds the windows to.
const ROWS: usize = 16;
/// Rows that are transposed together, as many as a cache line holds values.
const STRIP: usize = 8;

/// Real and imaginary parts.
pub(crate) type Parts<'a, T> = [&'a [T]; 2];

/// Where windows are cut.
#[derive(Clone, Copy)]
pub(crate) struct Windows<'a, T> {
    /// Rows and columns of the spectrum.
    pub(crate) size: [usize; 2],
    /// Rows and columns of the window.
    pub(crate) window: [usize; 2],
    /// Rows and columns of the images.
    pub(crate) detector: usize,
    /// Row and column of the centre of each window from that of the spectrum.
    pub(crate) centres: &'a [[isize; 2]],
    /// Factor of the images, with that of the inverse transform.
    pub(crate) scale: T,
}

/// The gradient of what was asked for.
#[derive(Clone, Copy)]
pub(crate) enum Upstream<'a, T> {
    /// Of real and imaginary part.
    Images([Option<&'a [T]>; 2]),
    /// Of `sqrt(|z|^2 + epsilon)`.
    Amplitudes { gradient: &'a [T], epsilon: T },
}

impl<T: Planned + Float> Windows<'_, T> {
    /// Real and imaginary parts of the images of `spectrum` behind `pupil`, `[window, row, column]`.
    pub(crate) fn images(self, spectrum: Parts<'_, T>, pupil: Parts<'_, T>) -> [Vec<T>; 2] {
        let image = self.detector * self.detector;
        let inverse = plans::complex(self.detector, true);
        let mut images = [(); 2].map(|()| vec![T::zero(); self.centres.len() * image]);
        let [re, im] = &mut images;
        re.par_chunks_mut(image).zip(im.par_chunks_mut(image)).zip(self.centres).for_each_init(
            || Workspace::new(&self, &[&*inverse]),
            |work, ((re, im), centre)| {
                self.look(work, &*inverse, *centre, spectrum, pupil);
                for ((re, im), value) in re.iter_mut().zip(im).zip(&work.wide) {
                    (*re, *im) = (value.re * self.scale, value.im * self.scale);
                }
            },
        );
        images
    }

    /// `sqrt(|z|^2 + epsilon)` of the images, `[window, row, column]`.
    pub(crate) fn amplitudes(self, spectrum: Parts<'_, T>, pupil: Parts<'_, T>, epsilon: T) -> Vec<T> {
        let image = self.detector * self.detector;
        let inverse = plans::complex(self.detector, true);
        let mut amplitudes = vec![T::zero(); self.centres.len() * image];
        amplitudes.par_chunks_mut(image).zip(self.centres).for_each_init(
            || Workspace::new(&self, &[&*inverse]),
            |work, (amplitudes, centre)| {
                self.look(work, &*inverse, *centre, spectrum, pupil);
                let square = self.scale * self.scale;
                for (amplitude, value) in amplitudes.iter_mut().zip(&work.wide) {
                    *amplitude = (value.norm_sqr() * square + epsilon).sqrt();
                }
            },
        );
        amplitudes
    }

    /// Gradients of the spectrum and of the pupil; those not wanted are empty.
    pub(crate) fn gradients(
        self,
        spectrum: Parts<'_, T>,
        pupil: Parts<'_, T>,
        upstream: Upstream<'_, T>,
        wanted: [bool; 2],
    ) -> [[Vec<T>; 2]; 2] {
        let [rows, columns] = self.window;
        let image = self.detector * self.detector;
        let (inverse, forward) = (plans::complex(self.detector, true), plans::complex(self.detector, false));
        let workspace = || Workspace::new(&self, &[&*inverse, &*forward]);
        let mut windows = vec![Complex::zero(); self.centres.len() * rows * columns];
        windows.par_chunks_mut(rows * columns).enumerate().for_each_init(workspace, |work, (index, window)| {
            let own = index * image..(index + 1) * image;
            match upstream {
                Upstream::Images([re, im]) => {
                    let part = |part: Option<&[T]>, i: usize| part.map_or(T::zero(), |part| part[own.start + i]);
                    for (i, value) in work.wide.iter_mut().enumerate() {
                        *value = Complex::new(part(re, i) * self.scale, part(im, i) * self.scale);
                    }
                }
                Upstream::Amplitudes { gradient, epsilon } => {
                    // the images are looked at again: they would take more memory than time
                    self.look(work, &*inverse, self.centres[index], spectrum, pupil);
                    let square = self.scale * self.scale;
                    for (value, gradient) in work.wide.iter_mut().zip(&gradient[own]) {
                        let amplitude = (value.norm_sqr() * square + epsilon).sqrt();
                        *value = *value * (*gradient * square / amplitude);
                    }
                }
            }
            self.look_back(work, &*forward, window);
        });
        [
            if wanted[0] { self.add_to_spectrum(pupil, &windows) } else { [vec![], vec![]] },
            if wanted[1] { self.add_to_pupil(spectrum, &windows) } else { [vec![], vec![]] },
        ]
    }

    /// The image of one window in `work.wide`, without its scale.
    fn look(
        &self,
        work: &mut Workspace<T>,
        inverse: &dyn Fft<T>,
        centre: [isize; 2],
        spectrum: Parts<'_, T>,
        pupil: Parts<'_, T>,
    ) {
        let (d, [_, columns]) = (self.detector, self.window);
        let Workspace { narrow, wide, scratch, targets } = work;
        narrow.fill(Complex::zero());
        for (r, (source, target)) in self.places(centre, 0).zip(&targets[0]).enumerate() {
            for (c, column) in self.places(centre, 1).enumerate() {
                let (from, of) = (source * self.size[1] + column, r * columns + c);
                let value = Complex::new(spectrum[0][from], spectrum[1][from]);
                narrow[c * d + target] = value * Complex::new(pupil[0][of], pupil[1][of]);
            }
        }
        inverse.process_with_scratch(narrow, scratch);
        for (strip, rows) in wide.chunks_mut(STRIP * d).enumerate() {
            rows.fill(Complex::zero());
            for (column, target) in narrow.chunks_exact(d).zip(&targets[1]) {
                for (row, value) in rows.chunks_exact_mut(d).zip(&column[strip * STRIP..]) {
                    row[*target] = *value;
                }
            }
        }
        inverse.process_with_scratch(wide, scratch);
    }

    /// The adjoint of [`look`](Self::look) before the pupil, of what is in `work.wide`.
    fn look_back(&self, work: &mut Workspace<T>, forward: &dyn Fft<T>, window: &mut [Complex<T>]) {
        let (d, [_, columns]) = (self.detector, self.window);
        let Workspace { narrow, wide, scratch, targets } = work;
        forward.process_with_scratch(wide, scratch);
        for (strip, rows) in wide.chunks(STRIP * d).enumerate() {
            for (column, target) in narrow.chunks_exact_mut(d).zip(&targets[1]) {
                for (row, value) in rows.chunks_exact(d).zip(&mut column[strip * STRIP..]) {
                    *value = row[*target];
                }
            }
        }
        forward.process_with_scratch(narrow, scratch);
        for (row, target) in window.chunks_exact_mut(columns).zip(&targets[0]) {
            for (value, column) in row.iter_mut().zip(narrow.chunks_exact(d)) {
                *value = column[*target];
            }
        }
    }

    /// Adds the windows behind the conjugate pupil where they were cut, in their order at every place.
    fn add_to_spectrum(&self, pupil: Parts<'_, T>, windows: &[Complex<T>]) -> [Vec<T>; 2] {
        let ([height, width], [rows, columns]) = (self.size, self.window);
        let mut sums = [(); 2].map(|()| vec![T::zero(); height * width]);
        let [re, im] = &mut sums;
        re.par_chunks_mut(ROWS * width).zip(im.par_chunks_mut(ROWS * width)).enumerate().for_each(
            |(task, (re, im))| {
                let own = task * ROWS..(task * ROWS + ROWS).min(height);
                for (window, centre) in windows.chunks_exact(rows * columns).zip(self.centres) {
                    for (r, target) in self.places(*centre, 0).enumerate().filter(|(_, target)| own.contains(target)) {
                        let line = (target - own.start) * width;
                        for (c, column) in self.places(*centre, 1).enumerate() {
                            let of = r * columns + c;
                            let value = window[of] * Complex::new(pupil[0][of], -pupil[1][of]);
                            re[line + column] = re[line + column] + value.re;
                            im[line + column] = im[line + column] + value.im;
                        }
                    }
                }
            },
        );
        sums
    }

    /// Adds the windows times the conjugate spectrum they were cut from, in their order at every place.
    fn add_to_pupil(&self, spectrum: Parts<'_, T>, windows: &[Complex<T>]) -> [Vec<T>; 2] {
        let [rows, columns] = self.window;
        let mut sums = [(); 2].map(|()| vec![T::zero(); rows * columns]);
        let [re, im] = &mut sums;
        re.par_chunks_mut(ROWS * columns).zip(im.par_chunks_mut(ROWS * columns)).enumerate().for_each(
            |(task, (re, im))| {
                for (window, centre) in windows.chunks_exact(rows * columns).zip(self.centres) {
                    let own = self.places(*centre, 0).enumerate().skip(task * ROWS).take(ROWS);
                    for (line, (r, source)) in own.enumerate() {
                        for (c, column) in self.places(*centre, 1).enumerate() {
                            let (from, place) = (source * self.size[1] + column, line * columns + c);
                            let value = window[r * columns + c] * Complex::new(spectrum[0][from], -spectrum[1][from]);
                            re[place] = re[place] + value.re;
                            im[place] = im[place] + value.im;
                        }
                    }
                }
            },
        );
        sums
    }

    /// Rows (`axis` 0) or columns of the spectrum that the window at `centre` covers, in order.
    fn places(&self, centre: [isize; 2], axis: usize) -> impl Iterator<Item = usize> + use<T> {
        let (size, window) = (self.size[axis], self.window[axis]);
        let first = (size / 2) as isize + centre[axis] - (window / 2) as isize;
        let first = first.rem_euclid(size as isize) as usize;
        (first..size).chain(0..first).take(window)
    }
}

/// Rows or columns of the unshifted spectrum of an image that a window covers.
fn targets(window: usize, detector: usize) -> Vec<usize> {
    (0..window).map(|index| (index + detector - window / 2) % detector).collect()
}

/// What one thread needs for one window.
struct Workspace<T> {
    /// `[window column, detector row]`.
    narrow: Vec<Complex<T>>,
    /// `[detector row, detector column]`.
    wide: Vec<Complex<T>>,
    scratch: Vec<Complex<T>>,
    /// Where rows and columns of the window lie on the detector's spectrum.
    targets: [Vec<usize>; 2],
}

impl<T: FftNum> Workspace<T> {
    fn new(windows: &Windows<'_, T>, transforms: &[&dyn Fft<T>]) -> Self {
        let d = windows.detector;
        let scratch = transforms.iter().map(|fft| fft.get_inplace_scratch_len()).max().unwrap_or(0);
        Self {
            narrow: vec![Complex::zero(); windows.window[1] * d],
            wide: vec![Complex::zero(); d * d],
            scratch: vec![Complex::zero(); scratch],
            targets: windows.window.map(|window| targets(window, d)),
        }
    }
}
