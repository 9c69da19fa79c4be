//! [`Forward`]: the field behind the window of one exposure after the other, on the host.

use std::f64::consts::TAU;

use num_complex::Complex;

use super::Calibrated;
use crate::{
    Error, Exposures, Geometry, Optics, Plane, Result,
    host_fft::{SquareFft, Work, to_corner},
};

pub(crate) type Value = Complex<f32>;
pub(crate) const ZERO: Value = Complex { re: 0.0, im: 0.0 };

/// A plane, a window, and the field of the exposure that was looked at last.
pub(crate) struct Forward {
    pub(crate) geometry: Geometry,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) side: usize,
    pub(crate) detector: usize,
    /// What windows are cut from.
    pub(crate) values: Vec<Value>,
    pub(crate) window: Vec<Value>,
    /// The window of the current exposure, moved by what its centre lies between places.
    moved: Vec<Value>,
    /// On the detector, in the order of the transform.
    pub(crate) field: Vec<Value>,
    /// Of a transform from the window to the detector.
    scale: f32,
    fft: SquareFft<f32>,
    work: Work<f32>,
    small: SquareFft<f32>,
    small_work: Work<f32>,
}

impl Forward {
    pub(crate) fn new(optics: &Optics) -> Result<Self> {
        let [side, across] = optics.window();
        let [pupil] = optics.pupils.as_slice() else { return Err(unfit(optics)) };
        if side != across {
            return Err(unfit(optics));
        }
        let (detector, [rows, columns]) = (optics.detector, optics.size);
        let scale = match optics.geometry {
            Geometry::Spectrum => detector as f32 / rows as f32,
            Geometry::Object => 1.0,
        };
        let window = narrow(pupil);
        let (fft, small) = (SquareFft::new(detector), SquareFft::new(side));
        let (work, small_work) = (fft.work(), small.work());
        Ok(Self {
            geometry: optics.geometry,
            rows,
            columns,
            side,
            detector,
            values: vec![ZERO; rows * columns],
            moved: window.clone(),
            window,
            field: vec![ZERO; detector * detector],
            scale,
            fft,
            work,
            small,
            small_work,
        })
    }

    /// The same of a model.
    pub(crate) fn of(optics: &Optics, model: &Calibrated) -> Result<Self> {
        let mut own = Self::new(optics)?;
        let fits = |plane: &Plane, rows: usize, columns: usize| plane.rows() == rows && plane.columns() == columns;
        if !fits(&model.plane, own.rows, own.columns) || !fits(&model.window, own.side, own.side) {
            return Err(Error::Optics {
                what: "model",
                got: format!("a plane of {} x {}", model.plane.rows(), model.plane.columns()),
                expected: format!("the sizes of the exposures, {} x {}", own.rows, own.columns),
            });
        }
        (own.values, own.window) = (narrow(&model.plane), narrow(&model.window));
        Ok(own)
    }

    /// Place of the first value of the window of a centre, kept within the plane.
    pub(crate) fn first(&self, centre: [f64; 2]) -> [usize; 2] {
        let at = |axis: usize, len: usize| {
            let first = (len / 2) as f64 + centre[axis].round() - (self.side / 2) as f64;
            first.clamp(0.0, (len - self.side) as f64) as usize
        };
        [at(0, self.rows), at(1, self.columns)]
    }

    /// The field of a centre. The pupil of lights stays on its places.
    pub(crate) fn look(&mut self, centre: [f64; 2]) {
        let by = match self.geometry {
            Geometry::Spectrum => [0.0; 2],
            Geometry::Object => centre.map(|c| c - c.round()),
        };
        self.moved.copy_from_slice(&self.window);
        if by != [0.0; 2] {
            self.small.forward(&mut self.moved, &mut self.small_work);
            ramp(&mut self.moved, by, self.side);
            self.small.inverse(&mut self.moved, &mut self.small_work);
        }
        let [top, left] = self.first(centre);
        let (side, detector) = (self.side, self.detector);
        if side < detector {
            self.field.fill(ZERO);
        }
        for row in 0..side {
            let from = (top + row) * self.columns + left;
            let to = self.place(row) * detector;
            for column in 0..side {
                let at = to + self.place(column);
                self.field[at] = self.values[from + column] * self.moved[row * side + column] * self.scale;
            }
        }
        match self.geometry {
            Geometry::Spectrum => self.fft.inverse(&mut self.field, &mut self.work),
            Geometry::Object => self.fft.forward(&mut self.field, &mut self.work),
        }
    }

    /// The values behind the window of what the field is now.
    pub(crate) fn back(&mut self, change: &mut [Value]) {
        match self.geometry {
            Geometry::Spectrum => self.fft.forward(&mut self.field, &mut self.work),
            Geometry::Object => self.fft.inverse(&mut self.field, &mut self.work),
        }
        for row in 0..self.side {
            let from = self.place(row) * self.detector;
            for column in 0..self.side {
                change[row * self.side + column] = self.field[from + self.place(column)] / self.scale;
            }
        }
    }

    /// Where a row or column of the window lies in a transform on the detector.
    fn place(&self, at: usize) -> usize {
        (at + self.detector - self.side / 2) % self.detector
    }

    /// What the plane is now.
    pub(crate) fn plane(&self) -> Result<Plane> {
        Plane::new(self.rows, self.columns, self.values.iter().map(wide).collect())
    }

    pub(crate) fn window_plane(&self) -> Result<Plane> {
        Plane::new(self.side, self.side, self.window.iter().map(wide).collect())
    }
}

/// Amplitudes of an exposure in the order of the transform; below nought where a pixel does not count.
pub(crate) fn amplitudes(exposures: &Exposures, frame: usize) -> Result<Vec<f32>> {
    if frame >= exposures.centres.len() {
        return Err(Error::Measurement {
            what: "exposure".into(),
            got: frame.to_string(),
            expected: format!("a number below {}", exposures.centres.len()),
        });
    }
    let values = exposures.frames.frame(frame)?;
    let good = exposures.good.as_ref();
    let root = |(pixel, value): (usize, &f32)| {
        // infinite where it does not count in this exposure
        let counts = good.is_none_or(|good| good[pixel]) && *value != f32::INFINITY;
        if counts { value.max(0.0).sqrt() } else { -1.0 }
    };
    let roots: Vec<f32> = values.iter().enumerate().map(root).collect();
    Ok(match exposures.optics.geometry {
        Geometry::Spectrum => roots,
        Geometry::Object => to_corner(&roots, exposures.optics.detector),
    })
}

/// Moves what a transform is of by so many places.
pub(crate) fn ramp(spectrum: &mut [Value], by: [f64; 2], side: usize) {
    let turns = |by: f64| -> Vec<Value> {
        let turn = |place: usize| Complex::cis(-TAU * by * frequency(place, side));
        (0..side).map(turn).map(|turn| Complex::new(turn.re as f32, turn.im as f32)).collect()
    };
    let (down, along) = (turns(by[0]), turns(by[1]));
    for (row, down) in spectrum.chunks_exact_mut(side).zip(&down) {
        row.iter_mut().zip(&along).for_each(|(value, along)| *value *= down * along);
    }
}

/// Cycles per place, the frequency nought first.
pub(crate) fn frequency(place: usize, side: usize) -> f64 {
    let place = if place < side.div_ceil(2) { place as f64 } else { place as f64 - side as f64 };
    place / side as f64
}

pub(crate) fn narrow(plane: &Plane) -> Vec<Value> {
    plane.values().iter().map(|v| Complex::new(v.re as f32, v.im as f32)).collect()
}

pub(crate) fn wide(value: &Value) -> Complex<f64> {
    Complex::new(f64::from(value.re), f64::from(value.im))
}

fn unfit(optics: &Optics) -> Error {
    let [rows, columns] = optics.window();
    Error::Optics {
        what: "window to calibrate",
        got: format!("{} modes of {rows} x {columns}", optics.pupils.len()),
        expected: "one mode with as many rows as columns".into(),
    }
}
