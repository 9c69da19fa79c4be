//! Structural similarity on slices of f32, value and gradient in one pass over bands of rows; see the [module above](super).
//!
//! With `F` the windowed mean, every quantity of the similarity is a function of `F x, F y, F xx, F yy, F xy`. A band goes
//! through its rows once: the five products are filtered along the row, the last eleven filtered rows give the five
//! means of one row of the map, these give its value and its derivatives
//! ```text
//! a = dL/d(F xx) = dL/d(F yy),   b = dL/d(F xy),   m = dL/d(F x)
//! ```
//! and, as the transposed filter is the same window, the last eleven rows of derivatives give one row of the gradient
//! ```text
//! dL/dx = F'm + 2 x F'a + y F'b.
//! ```
//! Variances do not change when a constant is taken off an image, so its mean is: `F xx - (F x)^2` would lose the
//! digits that a large mean takes.

use crate::vectorized::vectorized;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::{Similarity, WINDOW_SIZE};

/// Rows of an image that one task goes through.
const BAND: usize = 64;
/// Rows of numbers are padded to whole multiples of this, four of the widest vectors.
const STEP: usize = 64;
/// What the window takes off an image along each axis.
const MARGIN: usize = WINDOW_SIZE - 1;
/// Pixels below which other threads are not worth waking.
const PIXELS_FOR_THREADS: usize = 16 * 1024;

/// Where the derivative of the result with respect to the map comes from.
#[derive(Clone, Copy)]
pub(crate) enum Upstream<'a> {
    /// The result is the mean of the map.
    Mean,
    /// It is given per element of the map.
    Map(&'a [f32]),
}

/// What a pass is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    /// The maps themselves.
    pub(crate) map: bool,
    /// Derivatives with respect to x and to y, of the result that `upstream` describes.
    pub(crate) gradients: [bool; 2],
    pub(crate) upstream: Upstream<'a>,
}

/// What a pass returns; vectors not asked for are empty.
pub(crate) struct Answer {
    /// Mean of the map of every plane.
    pub(crate) means: Vec<f32>,
    pub(crate) map: Vec<f32>,
    pub(crate) gradients: [Vec<f32>; 2],
}

/// One pass over pairs of planes of `rows x columns` values.
pub(crate) fn pass(
    x: &[f32],
    y: &[f32],
    [rows, columns]: [usize; 2],
    similarity: &Similarity,
    request: Request<'_>,
) -> Answer {
    let [map_rows, map_columns] = [rows - MARGIN, columns - MARGIN];
    let (plane, map_plane) = (rows * columns, map_rows * map_columns);
    let planes = x.len() / plane;
    let length = |wanted: bool, plane: usize| if wanted { planes * plane } else { 0 };
    let mut map = vec![0.0f32; length(request.map, map_plane)];
    let [mut gradient_x, mut gradient_y] = request.gradients.map(|wanted| vec![0.0f32; length(wanted, plane)]);
    let taps = super::window().map(|tap| tap as f32);

    let shifts: Vec<[f32; 2]> =
        (0..planes).map(|p| [x, y].map(|image| shift(&image[p * plane..(p + 1) * plane]))).collect();
    let with_gradient = request.gradients.contains(&true);
    let mut map_rest: &mut [f32] = &mut map;
    let mut rest_x: &mut [f32] = &mut gradient_x;
    let mut rest_y: &mut [f32] = &mut gradient_y;
    let mut bands = Vec::new();
    for index in 0..planes {
        for first in (0..rows).step_by(BAND) {
            let last = (first + BAND).min(rows);
            let map_last = last.min(map_rows);
            let own = (last - first) * columns;
            let upstream = match request.upstream {
                Upstream::Mean => None,
                Upstream::Map(values) => Some(&values[index * map_plane..(index + 1) * map_plane]),
            };
            bands.push(Band {
                x: &x[index * plane..(index + 1) * plane],
                y: &y[index * plane..(index + 1) * plane],
                size: [rows, columns],
                shift: shifts[index],
                taps: &taps,
                similarity,
                rows: first..last,
                upstream,
                map: take(&mut map_rest, map_last.saturating_sub(first) * map_columns, request.map),
                gradient_x: take(&mut rest_x, own, request.gradients[0]),
                gradient_y: take(&mut rest_y, own, request.gradients[1]),
                with_gradient,
            });
        }
    }
    let arch = Arch::new();
    let sums: Vec<f64> = if x.len() < PIXELS_FOR_THREADS {
        bands.into_iter().map(|band| arch.dispatch(band)).collect()
    } else {
        bands.into_par_iter().map(|band| arch.dispatch(band)).collect()
    };
    let means = sums
        .chunks_exact(rows.div_ceil(BAND))
        .map(|sums| (sums.iter().sum::<f64>() / map_plane as f64) as f32)
        .collect();
    Answer { means, map, gradients: [gradient_x, gradient_y] }
}

/// The first `length` values of `rest`, which is left with the others; nothing if it is not wanted.
fn take<'a>(rest: &mut &'a mut [f32], length: usize, wanted: bool) -> &'a mut [f32] {
    let length = if wanted { length } else { 0 };
    rest.split_off_mut(..length).unwrap_or_default()
}

/// The mean of an image, or nought where that is no number.
fn shift(image: &[f32]) -> f32 {
    let sum: f64 = image
        .chunks(1024)
        .map(|part| {
            f64::from(vectorized(
                #[inline(always)]
                || lane_sum(part),
            ))
        })
        .sum();
    let mean = (sum / image.len() as f64) as f32;
    if mean.is_finite() { mean } else { 0.0 }
}

/// Sum in 32 lanes, which compiles to vectors.
#[inline(always)]
fn lane_sum(values: &[f32]) -> f32 {
    let (body, tail) = values.as_chunks::<32>();
    let mut lanes = [0.0f32; 32];
    for chunk in body {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value;
        }
    }
    lanes.iter().sum::<f32>() + tail.iter().sum::<f32>()
}

/// Some rows of one plane.
struct Band<'a> {
    x: &'a [f32],
    y: &'a [f32],
    size: [usize; 2],
    shift: [f32; 2],
    taps: &'a [f32; WINDOW_SIZE],
    similarity: &'a Similarity,
    /// Of the image, for the gradient; of the map as far as it has them.
    rows: std::ops::Range<usize>,
    upstream: Option<&'a [f32]>,
    map: &'a mut [f32],
    gradient_x: &'a mut [f32],
    gradient_y: &'a mut [f32],
    with_gradient: bool,
}

impl WithSimd for Band<'_> {
    type Output = f64;

    /// Returns the sum of the map over the rows of the band.
    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) -> f64 {
        let [rows, columns] = self.size;
        let [map_rows, map_columns] = [rows - MARGIN, columns - MARGIN];
        let width = map_columns.next_multiple_of(STEP);
        let mut forward = Forward::new(columns, width);
        let mut adjoint = Adjoint::new(columns, if self.with_gradient { map_columns } else { 0 });
        // a row of the gradient needs the ten rows of the map before it
        let first = if self.with_gradient { self.rows.start.saturating_sub(MARGIN) } else { self.rows.start };
        let last = if self.with_gradient { self.rows.end } else { self.rows.end.min(map_rows) };
        let mut sum = 0.0;
        let mut next_input = first;
        for row in first..last {
            let own = self.rows.contains(&row);
            if row < map_rows {
                while next_input <= row + MARGIN {
                    forward.filter_row(simd, &self, next_input);
                    next_input += 1;
                }
                forward.means(simd, self.taps, row);
                self.evaluate(&mut forward, &mut adjoint, row);
                if own {
                    let value = &forward.value[..map_columns];
                    sum += f64::from(lane_sum(value));
                    if !self.map.is_empty() {
                        let start = (row - self.rows.start) * map_columns;
                        self.map[start..start + map_columns].copy_from_slice(value);
                    }
                }
            }
            if self.with_gradient {
                adjoint.filter_row(simd, self.taps, row, row < map_rows);
                if own {
                    self.gradient_row(simd, &mut adjoint, row);
                }
            }
        }
        sum
    }
}

impl Band<'_> {
    /// Value of one row of the map and its derivatives with respect to the five means.
    #[inline(always)]
    fn evaluate(&self, forward: &mut Forward, adjoint: &mut Adjoint, row: usize) {
        let map_columns = self.size[1] - MARGIN;
        let map_rows = self.size[0] - MARGIN;
        let Similarity { c1, c2, luminance } = *self.similarity;
        let (c1, c2) = (c1 as f32, c2 as f32);
        let [shift_x, shift_y] = self.shift;
        let n = map_columns;
        let [mean_x, mean_y, mean_xx, mean_yy, mean_xy] = forward.means.each_ref().map(|means| &means[..n]);
        let value = &mut forward.value[..n];
        if !self.with_gradient {
            for j in 0..n {
                let point = Point::new(
                    [mean_x[j], mean_y[j], mean_xx[j], mean_yy[j], mean_xy[j]],
                    [shift_x, shift_y],
                    [c1, c2],
                );
                value[j] = if luminance { point.luminance * point.structure } else { point.structure };
            }
            return;
        }
        let upstream = &mut forward.upstream[..n];
        match self.upstream {
            None => upstream.fill((1.0 / (map_rows * map_columns) as f64) as f32),
            Some(map) => upstream.copy_from_slice(&map[row * n..(row + 1) * n]),
        }
        let [a, b, m_x, m_y] = adjoint.derivatives.each_mut().map(|row| &mut row[MARGIN..MARGIN + n]);
        for j in 0..n {
            let point =
                Point::new([mean_x[j], mean_y[j], mean_xx[j], mean_yy[j], mean_xy[j]], [shift_x, shift_y], [c1, c2]);
            let (l, cs) = (point.luminance, point.structure);
            let (outer, of_luminance) =
                if luminance { (upstream[j] * l, upstream[j] * cs) } else { (upstream[j], 0.0) };
            value[j] = if luminance { l * cs } else { cs };
            let da = -outer * cs * point.inverse_variances;
            let db = 2.0 * outer * point.inverse_variances;
            let of_means = 2.0 * of_luminance * point.inverse_means;
            a[j] = da;
            b[j] = db;
            m_x[j] = of_means * (point.mean_y - point.mean_x * l) - 2.0 * mean_x[j] * da - mean_y[j] * db;
            m_y[j] = of_means * (point.mean_x - point.mean_y * l) - 2.0 * mean_y[j] * da - mean_x[j] * db;
        }
    }

    /// One row of the gradients from the last eleven filtered rows of derivatives.
    #[inline(always)]
    fn gradient_row<S: Simd>(&mut self, simd: S, adjoint: &mut Adjoint, row: usize) {
        let columns = self.size[1];
        adjoint.sums(simd, self.taps, row, [!self.gradient_x.is_empty(), !self.gradient_y.is_empty()]);
        let [a, b, m_x, m_y] = adjoint.sums.each_ref().map(|sums| &sums[..columns]);
        let x = &self.x[row * columns..(row + 1) * columns];
        let y = &self.y[row * columns..(row + 1) * columns];
        let [shift_x, shift_y] = self.shift;
        let own = (row - self.rows.start) * columns;
        if !self.gradient_x.is_empty() {
            let gradient = &mut self.gradient_x[own..own + columns];
            for j in 0..columns {
                gradient[j] = m_x[j] + 2.0 * (x[j] - shift_x) * a[j] + (y[j] - shift_y) * b[j];
            }
        }
        if !self.gradient_y.is_empty() {
            let gradient = &mut self.gradient_y[own..own + columns];
            for j in 0..columns {
                gradient[j] = m_y[j] + 2.0 * (y[j] - shift_y) * a[j] + (x[j] - shift_x) * b[j];
            }
        }
    }
}

/// The similarity at one place of the map.
struct Point {
    mean_x: f32,
    mean_y: f32,
    /// `(2 mu_x mu_y + C1) / (mu_x^2 + mu_y^2 + C1)`.
    luminance: f32,
    /// `(2 s_xy + C2) / (s_x^2 + s_y^2 + C2)`.
    structure: f32,
    inverse_means: f32,
    inverse_variances: f32,
}

impl Point {
    /// `means` of the images from which `shift` was taken.
    #[inline(always)]
    fn new([x, y, xx, yy, xy]: [f32; 5], shift: [f32; 2], [c1, c2]: [f32; 2]) -> Self {
        let (mean_x, mean_y) = (x + shift[0], y + shift[1]);
        // rounding can make a variance of a flat place slightly negative
        let variances = (xx - x * x).max(0.0) + (yy - y * y).max(0.0);
        let inverse_means = 1.0 / (mean_x * mean_x + mean_y * mean_y + c1);
        let inverse_variances = 1.0 / (variances + c2);
        Self {
            mean_x,
            mean_y,
            luminance: (2.0 * mean_x * mean_y + c1) * inverse_means,
            structure: (2.0 * (xy - x * y) + c2) * inverse_variances,
            inverse_means,
            inverse_variances,
        }
    }
}

/// The five products filtered along the row, of the last eleven rows of the image.
struct Forward {
    width: usize,
    /// One row of x, y, xx, yy and xy, padded with zeros.
    products: [Vec<f32>; 5],
    /// Eleven rows of each product, row `r` at `r % 11`.
    rings: [Vec<f32>; 5],
    means: [Vec<f32>; 5],
    value: Vec<f32>,
    upstream: Vec<f32>,
}

impl Forward {
    fn new(columns: usize, width: usize) -> Self {
        let rows = |length: usize| std::array::from_fn(|_| vec![0.0; length]);
        Self {
            width,
            products: rows((width + MARGIN).max(columns)),
            rings: rows(WINDOW_SIZE * width),
            means: rows(width),
            value: vec![0.0; width],
            upstream: vec![0.0; width],
        }
    }

    #[inline(always)]
    fn filter_row<S: Simd>(&mut self, simd: S, band: &Band<'_>, row: usize) {
        let columns = band.size[1];
        let x = &band.x[row * columns..(row + 1) * columns];
        let y = &band.y[row * columns..(row + 1) * columns];
        let [shift_x, shift_y] = band.shift;
        let [px, py, pxx, pyy, pxy] = self.products.each_mut().map(|product| &mut product[..columns]);
        for j in 0..columns {
            let (x, y) = (x[j] - shift_x, y[j] - shift_y);
            px[j] = x;
            py[j] = y;
            pxx[j] = x * x;
            pyy[j] = y * y;
            pxy[j] = x * y;
        }
        let slot = row % WINDOW_SIZE * self.width;
        for (product, ring) in self.products.iter().zip(&mut self.rings) {
            filter_along_row(simd, band.taps, product, &mut ring[slot..slot + self.width]);
        }
    }

    #[inline(always)]
    fn means<S: Simd>(&mut self, simd: S, taps: &[f32; WINDOW_SIZE], row: usize) {
        for (ring, means) in self.rings.iter().zip(&mut self.means) {
            filter_rows(simd, taps, ring, row, means);
        }
    }
}

/// The derivatives a, b, m of x and m of y, filtered along the row, of the last eleven rows of the map.
struct Adjoint {
    columns: usize,
    width: usize,
    /// One row of each between margins of zeros.
    derivatives: [Vec<f32>; 4],
    rings: [Vec<f32>; 4],
    sums: [Vec<f32>; 4],
}

impl Adjoint {
    /// Without gradient, `map_columns` is nought and nothing is allocated.
    fn new(columns: usize, map_columns: usize) -> Self {
        let width = if map_columns == 0 { 0 } else { columns.next_multiple_of(STEP) };
        let rows = |length: usize| std::array::from_fn(|_| vec![0.0; length]);
        Self { columns, width, derivatives: rows(width + MARGIN), rings: rows(WINDOW_SIZE * width), sums: rows(width) }
    }

    /// Filters the derivatives of the row `row` of the map into their rings, or zeros below its end.
    #[inline(always)]
    fn filter_row<S: Simd>(&mut self, simd: S, taps: &[f32; WINDOW_SIZE], row: usize, exists: bool) {
        let slot = row % WINDOW_SIZE * self.width;
        for (derivative, ring) in self.derivatives.iter_mut().zip(&mut self.rings) {
            let filtered = &mut ring[slot..slot + self.width];
            if exists {
                debug_assert!(derivative[self.columns..].iter().all(|value| *value == 0.0));
                filter_along_row(simd, taps, derivative, filtered);
            } else {
                filtered.fill(0.0);
            }
        }
    }

    #[inline(always)]
    fn sums<S: Simd>(&mut self, simd: S, taps: &[f32; WINDOW_SIZE], row: usize, wanted: [bool; 2]) {
        let wanted = [true, true, wanted[0], wanted[1]];
        for ((ring, sums), wanted) in self.rings.iter().zip(&mut self.sums).zip(wanted) {
            if wanted {
                // the ring holds the rows up to this one: the oldest is the next to be overwritten
                filter_rows(simd, taps, ring, row + 1, sums);
            }
        }
    }
}

/// `out[j] = sum_k taps[k] source[j + k]`.
#[inline(always)]
fn filter_along_row<S: Simd>(simd: S, taps: &[f32; WINDOW_SIZE], source: &[f32], out: &mut [f32]) {
    let rows = std::array::from_fn(|k| &source[k..k + out.len()]);
    weighted_sum(simd, taps, rows, out);
}

/// Weighted sum of the eleven rows of a ring, of which the one of row `first` comes first.
#[inline(always)]
fn filter_rows<S: Simd>(simd: S, taps: &[f32; WINDOW_SIZE], ring: &[f32], first: usize, out: &mut [f32]) {
    let width = out.len();
    let rows = std::array::from_fn(|k| {
        let slot = (first + k) % WINDOW_SIZE * width;
        &ring[slot..slot + width]
    });
    weighted_sum(simd, taps, rows, out);
}

/// `out = sum_k taps[k] rows[k]`, four vectors at a time.
#[inline(always)]
fn weighted_sum<S: Simd>(simd: S, taps: &[f32; WINDOW_SIZE], rows: [&[f32]; WINDOW_SIZE], out: &mut [f32]) {
    let taps = taps.map(|tap| simd.splat_f32s(tap));
    let out = S::as_mut_simd_f32s(out).0.as_chunks_mut::<4>().0;
    let rows = rows.map(|row| &S::as_simd_f32s(row).0.as_chunks::<4>().0[..out.len()]);
    for (j, out) in out.iter_mut().enumerate() {
        let mut sums = rows[0][j].map(|value| simd.mul_f32s(taps[0], value));
        for k in 1..WINDOW_SIZE {
            for (sum, value) in sums.iter_mut().zip(rows[k][j]) {
                *sum = simd.mul_add_e_f32s(taps[k], value, *sum);
            }
        }
        *out = sums;
    }
}
