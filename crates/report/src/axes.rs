//! The inside of a chart: where points lie, where lines break, and how many points are worth drawing.

use crate::{figure::Frame, scale::Scale};

/// A step of the coordinate this many times the median step is a place where samples were left out.
const GAP_STEPS: f64 = 2.5;
/// More points than this within one column of pixels cannot be told apart.
const POINTS_A_COLUMN: usize = 4;

/// The plot and its two scales.
pub(crate) struct Axes {
    pub(crate) width: f64,
    pub(crate) height: f64,
    pub(crate) plot: Frame,
    pub(crate) x: Scale,
    pub(crate) y: Scale,
}

impl Axes {
    /// Place of a point on the page; `None` where it has none.
    fn place(&self, x: f64, y: f64) -> Option<[f64; 2]> {
        let place = [
            self.plot.x + self.x.position(x) * self.plot.width,
            self.plot.bottom() - self.y.position(y) * self.plot.height,
        ];
        place.iter().all(|length| length.is_finite()).then_some(place)
    }

    /// The unbroken parts of a line.
    pub(crate) fn runs(&self, x: &[f64], y: &[f64], break_gaps: bool) -> Vec<Vec<[f64; 2]>> {
        let widest = if break_gaps { widest_step(x) } else { f64::INFINITY };
        let mut runs: Vec<Vec<[f64; 2]>> = Vec::new();
        let mut previous: Option<f64> = None;
        for (&x, &y) in x.iter().zip(y) {
            let Some(point) = self.place(x, y) else {
                previous = None;
                continue;
            };
            match (previous, runs.last_mut()) {
                (Some(before), Some(run)) if (x - before).abs() <= widest => run.push(point),
                _ => runs.push(vec![point]),
            }
            previous = Some(x);
        }
        runs.into_iter().map(|run| thinned(run, self.plot.width)).collect()
    }

    /// The outlines of a band: along its upper edge and back along its lower one.
    pub(crate) fn band(&self, x: &[f64], low: &[f64], high: &[f64], break_gaps: bool) -> Vec<Vec<[f64; 2]>> {
        let usable: Vec<bool> = x
            .iter()
            .zip(low.iter().zip(high))
            .map(|(&x, (&low, &high))| self.place(x, low).is_some() && self.place(x, high).is_some())
            .collect();
        let edge = |values: &[f64]| {
            let kept: Vec<f64> =
                values.iter().zip(&usable).map(|(&value, &usable)| if usable { value } else { f64::NAN }).collect();
            self.runs(x, &kept, break_gaps)
        };
        let (lower, upper) = (edge(low), edge(high));
        upper
            .into_iter()
            .zip(lower)
            .map(|(upper, lower)| upper.into_iter().chain(lower.into_iter().rev()).collect())
            .collect()
    }
}

/// The longest step of a coordinate that is not a gap.
fn widest_step(x: &[f64]) -> f64 {
    let mut steps: Vec<f64> =
        x.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|step| step.is_finite()).collect();
    if steps.is_empty() {
        return f64::INFINITY;
    }
    let middle = steps.len() / 2;
    let (_, median, _) = steps.select_nth_unstable_by(middle, f64::total_cmp);
    GAP_STEPS * *median
}

/// Keeps the first, lowest, highest and last point of each column of pixels when there are more points than the plot can show.
fn thinned(points: Vec<[f64; 2]>, width: f64) -> Vec<[f64; 2]> {
    if points.len() <= POINTS_A_COLUMN * width as usize || !points.windows(2).all(|pair| pair[0][0] <= pair[1][0]) {
        return points;
    }
    let mut kept = Vec::new();
    for column in points.chunk_by(|a, b| a[0].floor() == b[0].floor()) {
        let mut indices = [0, 0, 0, column.len() - 1];
        for (index, point) in column.iter().enumerate() {
            if point[1] < column[indices[1]][1] {
                indices[1] = index;
            }
            if point[1] > column[indices[2]][1] {
                indices[2] = index;
            }
        }
        indices.sort_unstable();
        let mut previous = None;
        for index in indices {
            if previous != Some(index) {
                kept.push(column[index]);
                previous = Some(index);
            }
        }
    }
    kept
}
