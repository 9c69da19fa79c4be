//! Windows of a plane as slices, and their adjoint; see the [module above](super).

use super::{
    Direction,
    lens::{Lens, Parts, STRIP},
    number::Number,
};
use rayon::prelude::*;
use std::ops::Range;

/// Rows of a plane or of a pupil that one task adds the windows to.
const ROWS: usize = 16;

/// Where windows are cut.
#[derive(Clone, Copy)]
pub(crate) struct Windows<'a, T> {
    /// Rows and columns of the plane.
    pub(crate) size: [usize; 2],
    /// Rows and columns of the window.
    pub(crate) window: [usize; 2],
    /// Rows and columns of the images.
    pub(crate) detector: usize,
    /// Row and column of the centre of each window from that of the plane.
    pub(crate) centres: &'a [[isize; 2]],
    /// Pupils that each window is seen through.
    pub(crate) modes: usize,
    /// Whether all windows have the same pupils.
    pub(crate) shared: bool,
    /// Factor of the images, with that of the inverse transform.
    pub(crate) scale: T,
    pub(crate) direction: Direction,
}

/// The gradient of what was asked for.
#[derive(Clone, Copy)]
pub(crate) enum Upstream<'a, T> {
    /// Of real and imaginary part.
    Images([Option<&'a [T]>; 2]),
    /// Of `sqrt(|z|^2 + epsilon)`.
    Amplitudes { gradient: &'a [T], epsilon: T },
}

impl<T: Number> Windows<'_, T> {
    /// Real and imaginary parts of the images of `plane` behind the pupils, `[window, row, column]`, for one mode.
    pub(crate) fn images(self, plane: Parts<'_, T>, pupils: Parts<'_, T>) -> [Vec<T>; 2] {
        let d = self.detector;
        let mut images = [(); 2].map(|()| vec![T::zero(); self.centres.len() * d * d]);
        let [re, im] = &mut images;
        re.par_chunks_mut(d * d).zip(im.par_chunks_mut(d * d)).enumerate().for_each_init(
            || Lens::new(&self),
            |lens, (index, (re, im))| {
                lens.open(&self, 0, self.centres[index], plane, self.pupil(pupils, index, 0));
                let strips = re.chunks_mut(STRIP * d).zip(im.chunks_mut(STRIP * d));
                for (first, (re, im)) in strips.enumerate().map(|(strip, parts)| (strip * STRIP, parts)) {
                    lens.see(0, first);
                    for ((re, im), value) in re.iter_mut().zip(im).zip(lens.strip(0, first)) {
                        (*re, *im) = (value.re * self.scale, value.im * self.scale);
                    }
                }
            },
        );
        images
    }

    /// `sqrt(|z|^2 + epsilon)` of the images, `[window, row, column]`, for one mode.
    pub(crate) fn amplitudes(self, plane: Parts<'_, T>, pupils: Parts<'_, T>, epsilon: T) -> Vec<T> {
        let d = self.detector;
        let mut amplitudes = vec![T::zero(); self.centres.len() * d * d];
        amplitudes.par_chunks_mut(d * d).enumerate().for_each_init(
            || Lens::new(&self),
            |lens, (index, amplitudes)| {
                lens.open(&self, 0, self.centres[index], plane, self.pupil(pupils, index, 0));
                let square = self.scale * self.scale;
                for (first, amplitudes) in
                    amplitudes.chunks_mut(STRIP * d).enumerate().map(|(s, rows)| (s * STRIP, rows))
                {
                    lens.see(0, first);
                    for (amplitude, value) in amplitudes.iter_mut().zip(lens.strip(0, first)) {
                        *amplitude = (value.norm_sqr() * square + epsilon).sqrt();
                    }
                }
            },
        );
        amplitudes
    }

    /// Gradients of the plane and of the pupils, for one mode; those not wanted are empty.
    pub(crate) fn gradients(
        self,
        plane: Parts<'_, T>,
        pupils: Parts<'_, T>,
        upstream: Upstream<'_, T>,
        wanted: [bool; 2],
    ) -> [[Vec<T>; 2]; 2] {
        let (d, area) = (self.detector, self.window[0] * self.window[1]);
        let mut windows = [(); 2].map(|()| vec![T::zero(); self.centres.len() * area]);
        let [re, im] = &mut windows;
        re.par_chunks_mut(area).zip(im.par_chunks_mut(area)).enumerate().for_each_init(
            || Lens::new(&self),
            |lens, (index, (re, im))| {
                if let Upstream::Amplitudes { .. } = upstream {
                    // the images are looked at again: they would take more memory than time
                    lens.open(&self, 0, self.centres[index], plane, self.pupil(pupils, index, 0));
                }
                for first in (0..d).step_by(STRIP) {
                    let own = index * d * d + first * d;
                    match upstream {
                        Upstream::Images([re, im]) => {
                            let part = |part: Option<&[T]>, i: usize| part.map_or(T::zero(), |part| part[own + i]);
                            for (i, value) in lens.strip(0, first).iter_mut().enumerate() {
                                (value.re, value.im) = (part(re, i) * self.scale, part(im, i) * self.scale);
                            }
                        }
                        Upstream::Amplitudes { gradient, epsilon } => {
                            lens.see(0, first);
                            let square = self.scale * self.scale;
                            for (value, gradient) in lens.strip(0, first).iter_mut().zip(&gradient[own..]) {
                                let amplitude = (value.norm_sqr() * square + epsilon).sqrt();
                                *value = *value * (*gradient * square / amplitude);
                            }
                        }
                    }
                    lens.send_back(0, first);
                }
                lens.close(0, [re, im]);
            },
        );
        let windows = windows.each_ref().map(Vec::as_slice);
        [
            if wanted[0] { self.add_to_plane(pupils, windows, None) } else { [vec![], vec![]] },
            if wanted[1] { self.add_to_pupils(plane, windows, None) } else { [vec![], vec![]] },
        ]
    }

    /// Adds the windows, times the factor of each place that has one, behind the conjugate pupils where they were cut: window
    /// by window, and mode by mode, in their order at every place.
    pub(crate) fn add_to_plane(
        &self,
        pupils: Parts<'_, T>,
        windows: Parts<'_, T>,
        factors: Option<&[T]>,
    ) -> [Vec<T>; 2] {
        let ([height, width], [rows, columns]) = (self.size, self.window);
        let mut sums = [(); 2].map(|()| vec![T::zero(); height * width]);
        let [re, im] = &mut sums;
        re.par_chunks_mut(ROWS * width).zip(im.par_chunks_mut(ROWS * width)).enumerate().for_each_init(
            || [(); 2].map(|()| vec![0.0f64; ROWS * width]),
            |wide, (task, (re, im))| {
                wide.iter_mut().for_each(|part| part.fill(0.0));
                let own = task * ROWS..(task * ROWS + ROWS).min(height);
                for (index, centre) in self.centres.iter().enumerate() {
                    let factor = factors.map_or(T::one(), |factors| factors[index]);
                    for (r, target) in self.places(*centre, 0).enumerate().filter(|(_, target)| own.contains(target)) {
                        for mode in 0..self.modes {
                            let line = ((index * self.modes + mode) * rows + r) * columns;
                            let window = windows.map(|part| &part[line..line + columns]);
                            let pupil =
                                self.pupil(pupils, index, mode).map(|part| &part[r * columns..(r + 1) * columns]);
                            for (from, to) in self.stretches(*centre) {
                                let at = (target - own.start) * width + to.start;
                                let [re, im] = wide.each_mut().map(|part| &mut part[at..at + to.len()]);
                                add_products([re, im], window, pupil, factor, from);
                            }
                        }
                    }
                }
                for (sum, wide) in re.iter_mut().zip(&wide[0]).chain(im.iter_mut().zip(&wide[1])) {
                    *sum = T::rounded(*wide);
                }
            },
        );
        sums
    }

    /// Adds the windows, times the factor of each place that has one, times the conjugate plane that they were cut from: to
    /// the pupils that all share in the order of the windows, or to that of each.
    pub(crate) fn add_to_pupils(
        &self,
        plane: Parts<'_, T>,
        windows: Parts<'_, T>,
        factors: Option<&[T]>,
    ) -> [Vec<T>; 2] {
        let [rows, columns] = self.window;
        let count = if self.shared { self.modes } else { self.modes * self.centres.len() };
        let mut sums = [(); 2].map(|()| vec![T::zero(); count * rows * columns]);
        let [re, im] = &mut sums;
        // a task is a row of a pupil
        re.par_chunks_mut(columns).zip(im.par_chunks_mut(columns)).enumerate().for_each_init(
            || [(); 2].map(|()| vec![0.0f64; columns]),
            |wide, (task, (re, im))| {
                wide.iter_mut().for_each(|part| part.fill(0.0));
                let (pupil, r) = (task / rows, task % rows);
                let (seen, mode) = match self.shared {
                    true => (0..self.centres.len(), pupil),
                    false => (pupil / self.modes..pupil / self.modes + 1, pupil % self.modes),
                };
                for index in seen {
                    let centre = self.centres[index];
                    let factor = factors.map_or(T::one(), |factors| factors[index]);
                    let line = ((index * self.modes + mode) * rows + r) * columns;
                    let window = windows.map(|part| &part[line..line + columns]);
                    let Some(source) = self.places(centre, 0).nth(r) else { continue };
                    for (from, to) in self.stretches(centre) {
                        let at = source * self.size[1] + to.start;
                        let plane = plane.map(|part| &part[at..at + to.len()]);
                        let window = window.map(|part| &part[from.clone()]);
                        let [re, im] = wide.each_mut().map(|part| &mut part[from.clone()]);
                        add_products([re, im], window, plane, factor, 0..to.len());
                    }
                }
                for (sum, wide) in re.iter_mut().zip(&wide[0]).chain(im.iter_mut().zip(&wide[1])) {
                    *sum = T::rounded(*wide);
                }
            },
        );
        sums
    }

    /// The number of the pupil of a window and mode.
    pub(crate) fn pupil_index(&self, index: usize, mode: usize) -> usize {
        if self.shared { mode } else { index * self.modes + mode }
    }

    /// The pupil of a window and mode.
    pub(crate) fn pupil<'b>(&self, pupils: Parts<'b, T>, index: usize, mode: usize) -> Parts<'b, T> {
        let area = self.window[0] * self.window[1];
        let pupil = self.pupil_index(index, mode);
        pupils.map(|part| &part[pupil * area..(pupil + 1) * area])
    }

    /// Rows (`axis` 0) or columns of the plane that the window at `centre` covers, in order.
    pub(crate) fn places(&self, centre: [isize; 2], axis: usize) -> impl Iterator<Item = usize> + use<T> {
        let (size, window) = (self.size[axis], self.window[axis]);
        let first = self.first(centre, axis);
        (first..size).chain(0..first).take(window)
    }

    /// Columns of the window and the columns of the plane that they lie on, in at most two stretches.
    pub(crate) fn stretches(&self, centre: [isize; 2]) -> impl Iterator<Item = (Range<usize>, Range<usize>)> + use<T> {
        let (size, window, first) = (self.size[1], self.window[1], self.first(centre, 1));
        let before = window.min(size - first);
        [(0..before, first..first + before), (before..window, 0..window - before)]
            .into_iter()
            .filter(|(from, _)| !from.is_empty())
    }

    fn first(&self, centre: [isize; 2], axis: usize) -> usize {
        let (size, window) = (self.size[axis], self.window[axis]);
        let first = (size / 2) as isize + centre[axis] - (window / 2) as isize;
        first.rem_euclid(size as isize) as usize
    }
}

/// Adds the columns `from` of `factor a conj(b)`.
fn add_products<T: Number>([re, im]: [&mut [f64]; 2], a: Parts<'_, T>, b: Parts<'_, T>, factor: T, from: Range<usize>) {
    let ([a_re, a_im], [b_re, b_im]) = (a.map(|part| &part[from.clone()]), b.map(|part| &part[from.clone()]));
    let values = a_re.iter().zip(a_im).zip(b_re.iter().zip(b_im));
    for ((re, im), ((a_re, a_im), (b_re, b_im))) in re.iter_mut().zip(im).zip(values) {
        *re += (factor * (*a_re * *b_re + *a_im * *b_im)).wide();
        *im += (factor * (*a_im * *b_re - *a_re * *b_im)).wide();
    }
}
