//! The likelihood as slices, with the gradients of each exposure; see the [module above](super).
//!
//! With `q = dL/dI` of a pixel, times its weight,
//! ```text
//! amplitude  q = 1 - sqrt(y) / sqrt(I + epsilon)          dL/df = sum q sum_m |z_m|^2
//! Poisson    q = (a - b) / a                              dL/db = sum q,   dL/dz_m = 2 f q z_m
//! ```

use super::{FLOOR, Kept, Likelihood};
use crate::{
    aperture::{
        lens::{Lens, Parts, STRIP},
        number::Number,
        windows::Windows,
    },
    vectorized::vectorized,
};
use rayon::prelude::*;
use rustfft::num_complex::Complex;

/// Values of a row that are added up side by side.
const LANES: usize = 16;

/// What was measured, and how bright it is.
#[derive(Clone, Copy)]
pub(crate) struct Frames<'a, T> {
    /// `[exposure, row, column]`.
    pub(crate) data: &'a [T],
    /// `[1 or exposure, row, column]`.
    pub(crate) weight: Option<&'a [T]>,
    /// `[exposure]`.
    pub(crate) flux: &'a [T],
    /// `[exposure]`.
    pub(crate) background: &'a [T],
}

impl<'a, T> Frames<'a, T> {
    /// Data and weight of a row of an exposure whose rows have `d` values.
    pub(crate) fn row(&self, exposure: usize, row: usize, d: usize) -> (&'a [T], Option<&'a [T]>) {
        let at = (exposure * d + row) * d;
        let weight = self.weight.map(|weight| {
            let at = if weight.len() == self.data.len() { at } else { row * d };
            &weight[at..at + d]
        });
        (&self.data[at..at + d], weight)
    }
}

/// The likelihood of each exposure and, where it is wanted, what the backward pass needs.
pub(crate) fn run<T: Number>(
    windows: &Windows<'_, T>,
    plane: Parts<'_, T>,
    pupils: Parts<'_, T>,
    frames: Frames<'_, T>,
    likelihood: Likelihood,
    wanted: bool,
) -> (Vec<T>, Kept<Vec<T>>) {
    let (d, modes, exposures) = (windows.detector, windows.modes, windows.centres.len());
    let area = windows.window[0] * windows.window[1];
    // without gradients one value stands for the windows of an exposure, so that there is something to deal out
    let length = if wanted { modes * area } else { 1 };
    let mut kept = [(); 2].map(|()| vec![T::zero(); exposures * length]);
    let [re, im] = &mut kept;
    let sums: Vec<Sums> = re
        .par_chunks_mut(length)
        .zip(im.par_chunks_mut(length))
        .enumerate()
        .map_init(
            || (Lens::new(windows), Rows::new(d, modes)),
            |(lens, rows), (exposure, (re, im))| {
                for mode in 0..modes {
                    let pupil = windows.pupil(pupils, exposure, mode);
                    lens.open(windows, mode, windows.centres[exposure], plane, pupil);
                }
                rows.begin(windows.scale, frames.flux[exposure], frames.background[exposure]);
                for first in (0..d).step_by(STRIP) {
                    for mode in 0..modes {
                        lens.see(mode, first);
                    }
                    for row in first..d.min(first + STRIP) {
                        let (data, weight) = frames.row(exposure, row, d);
                        rows.compare(lens.strips(), row - first, data, weight, likelihood, wanted);
                    }
                    for mode in 0..if wanted { modes } else { 0 } {
                        lens.send_back(mode, first);
                    }
                }
                if wanted {
                    for (mode, (re, im)) in re.chunks_exact_mut(area).zip(im.chunks_exact_mut(area)).enumerate() {
                        lens.close(mode, [re, im]);
                    }
                }
                rows.sums
            },
        )
        .collect();
    let flux_unit = windows.scale.wide() * windows.scale.wide();
    let part = |part: fn(&Sums) -> f64, unit: f64| sums.iter().map(|sums| T::rounded(part(sums) * unit)).collect();
    let (flux, background) = (part(|sums| sums.flux, flux_unit), part(|sums| sums.background, 1.0));
    (part(|sums| sums.value, 1.0), Kept { windows: kept, flux, background })
}

/// Sums over the pixels of an exposure.
#[derive(Clone, Copy, Default)]
struct Sums {
    value: f64,
    /// Of the derivative times the squares.
    flux: f64,
    /// Of the derivative.
    background: f64,
}

/// What a thread needs for a row of an image, and the sums of its exposure.
struct Rows<T> {
    d: usize,
    modes: usize,
    /// Sum of the squares over the modes, then the factor of the images.
    squares: Vec<T>,
    ones: Vec<T>,
    factor: T,
    background: T,
    sums: Sums,
}

impl<T: Number> Rows<T> {
    fn new(d: usize, modes: usize) -> Self {
        let (squares, ones) = (vec![T::zero(); d], vec![T::one(); d]);
        Self { d, modes, squares, ones, factor: T::one(), background: T::zero(), sums: Sums::default() }
    }

    fn begin(&mut self, scale: T, flux: T, background: T) {
        (self.factor, self.background, self.sums) = (scale * scale * flux, background, Sums::default());
    }

    /// Adds row `row` of the strips to the sums and, where it is wanted, makes of its images the gradient.
    fn compare(
        &mut self,
        strips: &mut [Complex<T>],
        row: usize,
        data: &[T],
        weight: Option<&[T]>,
        likelihood: Likelihood,
        wanted: bool,
    ) {
        let d = self.d;
        let Self { modes, squares, ones, factor, background, sums, .. } = self;
        let weight = weight.unwrap_or(ones);
        let (factor, background) = (*factor, *background);
        vectorized(
            #[inline(always)]
            || {
                squares_of(strips, row, *modes, squares);
                let [value, flux, shift] = match likelihood {
                    Likelihood::Amplitude { epsilon } => {
                        let (epsilon, floor) = (T::rounded(epsilon), T::rounded(FLOOR));
                        each(
                            squares,
                            (data, weight),
                            factor,
                            #[inline(always)]
                            |square, y| {
                                let square = factor * square + background + epsilon;
                                let amplitude = at_least(square, floor).sqrt();
                                let difference = amplitude - at_least(y, T::zero()).sqrt();
                                let slope = if square < floor { T::zero() } else { difference / amplitude };
                                (difference * difference, slope)
                            },
                        )
                    }
                    Likelihood::Poisson { variance } => {
                        let (variance, floor) = (T::rounded(variance), T::rounded(FLOOR));
                        each(
                            squares,
                            (data, weight),
                            factor,
                            #[inline(always)]
                            |square, y| {
                                let expected = factor * square + background + variance;
                                let a = at_least(expected, floor);
                                let b = at_least(y + variance, floor);
                                let slope = if expected < floor { T::zero() } else { (a - b) / a };
                                (b * T::excess(a / b, (a - b) / b), slope)
                            },
                        )
                    }
                };
                sums.value += value;
                sums.flux += flux;
                sums.background += shift;
                if wanted {
                    for mode in 0..*modes {
                        let image = &mut strips[(mode * STRIP + row) * d..][..d];
                        for (z, factor) in image.iter_mut().zip(&*squares) {
                            (z.re, z.im) = (z.re * *factor, z.im * *factor);
                        }
                    }
                }
            },
        );
    }
}

/// The sum of the squares over the modes of a row of the strips.
#[inline(always)]
pub(crate) fn squares_of<T: Number>(strips: &[Complex<T>], row: usize, modes: usize, squares: &mut [T]) {
    let d = squares.len();
    for mode in 0..modes {
        let image = &strips[(mode * STRIP + row) * d..][..d];
        for (square, z) in squares.iter_mut().zip(image) {
            let of_mode = z.re * z.re + z.im * z.im;
            *square = if mode == 0 { of_mode } else { *square + of_mode };
        }
    }
}

/// Sums of the values, of slopes times squares and of slopes, by `term` of a square and a datum; the squares become factors of
/// the images.
#[inline(always)]
fn each<T: Number>(
    squares: &mut [T],
    (data, weight): (&[T], &[T]),
    factor: T,
    term: impl Fn(T, T) -> (T, T),
) -> [f64; 3] {
    let mut lanes = [[T::zero(); LANES]; 3];
    let twice = factor + factor;
    let mut squares = squares.chunks_exact_mut(LANES);
    let (mut data, mut weight) = (data.chunks_exact(LANES), weight.chunks_exact(LANES));
    for ((squares, data), weight) in squares.by_ref().zip(data.by_ref()).zip(weight.by_ref()) {
        for lane in 0..LANES {
            let (value, slope) = term(squares[lane], data[lane]);
            let slope = weight[lane] * slope;
            lanes[0][lane] = lanes[0][lane] + weight[lane] * value;
            lanes[1][lane] = lanes[1][lane] + slope * squares[lane];
            lanes[2][lane] = lanes[2][lane] + slope;
            squares[lane] = twice * slope;
        }
    }
    let rest = squares.into_remainder().iter_mut().zip(data.remainder()).zip(weight.remainder());
    for (lane, ((square, y), weight)) in rest.enumerate() {
        let (value, slope) = term(*square, *y);
        let slope = *weight * slope;
        lanes[0][lane] = lanes[0][lane] + *weight * value;
        lanes[1][lane] = lanes[1][lane] + slope * *square;
        lanes[2][lane] = lanes[2][lane] + slope;
        *square = twice * slope;
    }
    let mut sums = [0.0; 3];
    for (sum, lanes) in sums.iter_mut().zip(&lanes) {
        for lane in lanes {
            *sum += lane.wide();
        }
    }
    sums
}

/// The larger one, but what is no number stays so.
#[inline(always)]
pub(crate) fn at_least<T: Number>(x: T, least: T) -> T {
    if x < least { least } else { x }
}
