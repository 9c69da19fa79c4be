//! The sweep on slices; see the [module above](super). Nothing is allocated from exposure to exposure.

use super::{DARK, PieSweep};
use crate::{
    aperture::{
        lens::{Lens, STRIP},
        number::Number,
        windows::Windows,
    },
    likelihood::pass::{Frames, at_least, squares_of},
    vectorized::vectorized,
};
use rustfft::num_complex::Complex;

/// Values of a row that are added up side by side.
const LANES: usize = 16;

/// Corrects `plane` and `pupils`; residuals and amplitudes of each exposure.
pub(super) fn run<T: Number>(
    windows: &Windows<'_, T>,
    plane: [&mut [T]; 2],
    pupils: [&mut [T]; 2],
    frames: Frames<'_, T>,
    sweep: &PieSweep,
) -> [Vec<T>; 2] {
    let (d, modes) = (windows.detector, windows.modes);
    let area = windows.window[0] * windows.window[1];
    let mut lens = Lens::new(windows);
    let mut correction = Correction::new(modes, area, d, sweep);
    let mut squares = vec![T::zero(); d];
    let mut sums = [(); 2].map(|()| vec![T::zero(); windows.centres.len()]);
    let [plane_re, plane_im] = plane;
    let [pupils_re, pupils_im] = pupils;
    for &index in &sweep.order {
        for mode in 0..modes {
            let pupil = windows.pupil([&*pupils_re, &*pupils_im], index, mode);
            lens.open(windows, mode, windows.centres[index], [&*plane_re, &*plane_im], pupil);
        }
        let how = Amplitudes {
            factor: windows.scale * windows.scale * frames.flux[index],
            background: frames.background[index],
        };
        let mut sum = [0.0; 2];
        for first in (0..d).step_by(STRIP) {
            for mode in 0..modes {
                lens.see(mode, first);
            }
            for row in first..d.min(first + STRIP) {
                let (data, weight) = frames.row(index, row, d);
                let [residual, amplitude] = how.change(lens.strips(), row - first, modes, data, weight, &mut squares);
                (sum[0], sum[1]) = (sum[0] + residual, sum[1] + amplitude);
            }
            for mode in 0..modes {
                lens.send_back(mode, first);
            }
        }
        for (sums, sum) in sums.iter_mut().zip(sum) {
            sums[index] = T::rounded(sum);
        }
        let [re, im] = &mut correction.change;
        for (mode, (re, im)) in re.chunks_exact_mut(area).zip(im.chunks_exact_mut(area)).enumerate() {
            lens.close(mode, [re, im]);
        }
        correction.correct(windows, index, [plane_re, plane_im], [pupils_re, pupils_im]);
    }
    sums
}

/// How bright an exposure is.
struct Amplitudes<T> {
    /// Of the squares of images without their scale.
    factor: T,
    background: T,
}

impl<T: Number> Amplitudes<T> {
    /// Makes of row `row` of the strips what it lacks to the amplitudes that were measured; sums of residuals and amplitudes.
    fn change(
        &self,
        strips: &mut [Complex<T>],
        row: usize,
        modes: usize,
        data: &[T],
        weight: Option<&[T]>,
        squares: &mut [T],
    ) -> [f64; 2] {
        let d = squares.len();
        vectorized(
            #[inline(always)]
            || {
                squares_of(strips, row, modes, squares);
                let mut lanes = [[T::zero(); LANES]; 2];
                let chunks = squares.chunks_mut(LANES).zip(data.chunks(LANES)).enumerate();
                for (chunk, (squares, data)) in chunks {
                    for (lane, (square, y)) in squares.iter_mut().zip(data).enumerate() {
                        let counts = weight.is_none_or(|weight| weight[chunk * LANES + lane] > T::zero());
                        let counts = if counts { T::one() } else { T::zero() };
                        let measured = at_least(*y, T::zero()).sqrt();
                        let seen = at_least(self.factor * *square + self.background, T::zero()).sqrt();
                        lanes[0][lane] = lanes[0][lane] + counts * (measured - seen).abs();
                        lanes[1][lane] = lanes[1][lane] + counts * measured;
                        let light = self.factor * *square;
                        let wanted = at_least(*y - self.background, T::zero());
                        let ratio = (wanted / light).sqrt() - T::one();
                        *square = if light > T::rounded(DARK) { counts * ratio } else { T::zero() };
                    }
                }
                for mode in 0..modes {
                    let image = &mut strips[(mode * STRIP + row) * d..][..d];
                    for (z, factor) in image.iter_mut().zip(&*squares) {
                        (z.re, z.im) = (z.re * *factor, z.im * *factor);
                    }
                }
                lanes.map(|lanes| lanes.iter().map(|lane| lane.wide()).sum())
            },
        )
    }
}

/// What one exposure changes.
struct Correction<T> {
    modes: usize,
    area: usize,
    /// Of the window of each mode, times the number of pixels: real and imaginary part.
    change: [Vec<T>; 2],
    /// The window as it was.
    plane: [Vec<T>; 2],
    /// What is divided by, then its inverse times the step.
    of_plane: Vec<T>,
    of_pupils: Vec<T>,
    /// Steps over the number of pixels.
    steps: [T; 2],
    pupils_too: bool,
    regularisation: [T; 2],
}

impl<T: Number> Correction<T> {
    fn new(modes: usize, area: usize, detector: usize, sweep: &PieSweep) -> Self {
        let zeros = |length: usize| vec![T::zero(); length];
        let pixels = (detector * detector) as f64;
        Self {
            modes,
            area,
            change: [zeros(modes * area), zeros(modes * area)],
            plane: [zeros(area), zeros(area)],
            of_plane: zeros(area),
            of_pupils: zeros(area),
            steps: [sweep.plane_step, sweep.pupil_step.unwrap_or(0.0)].map(|step| T::rounded(step / pixels)),
            pupils_too: sweep.pupil_step.is_some(),
            regularisation: sweep.regularisation.map(T::rounded),
        }
    }

    fn correct(
        &mut self,
        windows: &Windows<'_, T>,
        index: usize,
        [plane_re, plane_im]: [&mut [T]; 2],
        [pupils_re, pupils_im]: [&mut [T]; 2],
    ) {
        let (area, columns, centre) = (self.area, windows.window[1], windows.centres[index]);
        for mode in 0..self.modes {
            let [re, im] = windows.pupil([&*pupils_re, &*pupils_im], index, mode);
            for (square, (re, im)) in self.of_plane.iter_mut().zip(re.iter().zip(im)) {
                let of_mode = *re * *re + *im * *im;
                *square = if mode == 0 { of_mode } else { *square + of_mode };
            }
        }
        weights(&mut self.of_plane, self.steps[0], self.regularisation[0]);
        for (r, source) in windows.places(centre, 0).enumerate() {
            for (from, to) in windows.stretches(centre) {
                let (at, own) = (source * windows.size[1] + to.start, r * columns + from.start);
                let (re, im) = (&mut plane_re[at..at + to.len()], &mut plane_im[at..at + to.len()]);
                self.plane[0][own..own + re.len()].copy_from_slice(re);
                self.plane[1][own..own + im.len()].copy_from_slice(im);
                for mode in 0..self.modes {
                    let of = mode * area + own..mode * area + own + re.len();
                    let pupil = windows.pupil([&*pupils_re, &*pupils_im], index, mode);
                    let pupil = pupil.map(|part| &part[own..own + re.len()]);
                    let change = self.change.each_ref().map(|part| &part[of.clone()]);
                    add([&mut *re, &mut *im], change, pupil, &self.of_plane[own..]);
                }
            }
        }
        if !self.pupils_too {
            return;
        }
        for (square, (re, im)) in self.of_pupils.iter_mut().zip(self.plane[0].iter().zip(&self.plane[1])) {
            *square = *re * *re + *im * *im;
        }
        weights(&mut self.of_pupils, self.steps[1], self.regularisation[1]);
        let plane = self.plane.each_ref().map(Vec::as_slice);
        for mode in 0..self.modes {
            let pupil = windows.pupil_index(index, mode) * area;
            let change = self.change.each_ref().map(|part| &part[mode * area..(mode + 1) * area]);
            let (re, im) = (&mut pupils_re[pupil..pupil + area], &mut pupils_im[pupil..pupil + area]);
            add([re, im], change, plane, &self.of_pupils);
        }
    }
}

/// Makes of squares the step over what is divided by.
fn weights<T: Number>(squares: &mut [T], step: T, share: T) {
    let largest = squares.iter().fold(T::zero(), |largest, square| if *square > largest { *square } else { largest });
    let dark = T::rounded(DARK);
    for square in squares {
        let divisor = (T::one() - share) * *square + share * largest;
        *square = if divisor > dark { step / divisor } else { T::zero() };
    }
}

/// Adds the change times the conjugate of `of` times the weight.
fn add<T: Number>([re, im]: [&mut [T]; 2], change: [&[T]; 2], of: [&[T]; 2], weight: &[T]) {
    let values = change[0].iter().zip(change[1]).zip(of[0].iter().zip(of[1])).zip(weight);
    for ((re, im), (((a_re, a_im), (b_re, b_im)), weight)) in re.iter_mut().zip(im).zip(values) {
        *re = *re + *weight * (*a_re * *b_re + *a_im * *b_im);
        *im = *im + *weight * (*a_im * *b_re - *a_re * *b_im);
    }
}
