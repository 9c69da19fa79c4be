//! Where a reconstruction starts.

use cupel_data::Stream;
use num_complex::Complex;

use crate::{Exposures, Geometry, Plane, Result, fourier::Plans};

/// Standard deviation of scattered values, relative to their mean.
const SCATTER: f64 = 1.0 / 3.0;

/// The exposure nearest to the middle of the spectrum: the bright field. There is none among diffraction patterns.
pub(crate) fn brightest(exposures: &Exposures) -> Option<usize> {
    nearest_to_the_middle(exposures, 0..exposures.centres.len())
        .filter(|_| exposures.optics.geometry == Geometry::Spectrum)
}

/// Of the exposures `among`, that whose window is nearest to the middle of the plane; the first of equals.
pub(crate) fn nearest_to_the_middle(exposures: &Exposures, among: impl IntoIterator<Item = usize>) -> Option<usize> {
    let distance = |index: &usize| exposures.centres[*index].iter().map(|c| c * c).sum::<f64>();
    among.into_iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

/// The amplitude of the bright field on the places of the object; of diffraction patterns a constant that is as bright as they are. Only the exposures
/// `among` are looked at, all where there are none.
pub(crate) fn start(exposures: &Exposures, among: Option<&[usize]>) -> Result<Plane> {
    let [rows, columns] = exposures.optics.size;
    let known = exposures.known;
    let all: Vec<usize> = (0..exposures.centres.len()).collect();
    let among = among.unwrap_or(&all);
    let d = exposures.optics.detector;
    let light = |frame: &[f32]| -> Vec<f32> {
        // what is saturated is at least as bright as the brightest place that is not
        let most = frame.iter().copied().filter(|value| value.is_finite()).fold(0.0, f32::max);
        let counts = |place: usize| exposures.good.as_ref().is_none_or(|good| good[place]);
        frame.iter().enumerate().map(|(place, value)| if counts(place) { value.min(most) } else { 0.0 }).collect()
    };
    let object = match exposures.optics.geometry {
        Geometry::Spectrum => {
            let mut among = among.to_vec();
            let frame = loop {
                let nearest = nearest_to_the_middle(exposures, among.iter().copied()).unwrap_or(0);
                let frame = light(&exposures.frames.frame(nearest)?);
                among.retain(|index| *index != nearest);
                // one that shows nothing begins nothing
                if among.is_empty() || frame.iter().any(|value| *value > 0.0) {
                    break frame;
                }
            };
            let amplitude: Vec<f64> = frame.iter().map(|value| f64::from(*value).max(0.0).sqrt()).collect();
            resampled(&amplitude, d, [rows, columns])
        }
        Geometry::Object => {
            let mut sum = 0.0;
            for index in among {
                sum +=
                    light(&exposures.frames.frame(*index)?).iter().map(|value| f64::from(*value).max(0.0)).sum::<f64>();
            }
            let probe: f64 = exposures.optics.pupils.iter().flat_map(Plane::values).map(Complex::norm_sqr).sum();
            let value = (sum / (among.len() as f64 * probe)).sqrt();
            Plane::from_fn(rows, columns, |_, _| Complex::new(value, 0.0))
        }
    };
    let [high, wide] = known.support.unwrap_or([rows, columns]);
    let (top, left) = (rows / 2 - high / 2, columns / 2 - wide / 2);
    Ok(Plane::from_fn(rows, columns, |row, column| {
        let inside = (top..top + high).contains(&row) && (left..left + wide).contains(&column);
        let value = object.values()[row * columns + column];
        match known.bounds.filter(|_| known.real) {
            _ if !inside => Complex::new(0.0, 0.0),
            Some([low, high]) => Complex::new(value.re.clamp(low, high), 0.0),
            None => value,
        }
    }))
}

/// Values within the support that have nothing to do with the object but its brightness, that of `object`; of one with a phase both parts are scattered.
pub(crate) fn scattered(exposures: &Exposures, object: &Plane, stream: Stream) -> Plane {
    let [rows, columns] = exposures.optics.size;
    let known = exposures.known;
    let [high, wide] = known.support.unwrap_or([rows, columns]);
    let (top, left) = (rows / 2 - high / 2, columns / 2 - wide / 2);
    let square: f64 = object.values().iter().map(Complex::norm_sqr).sum();
    let level = (square / (high * wide) as f64).sqrt();
    let mut normal = vec![0.0; 2 * rows * columns];
    stream.fill_normal_f64(&mut normal);
    Plane::from_fn(rows, columns, |row, column| {
        if !((top..top + high).contains(&row) && (left..left + wide).contains(&column)) {
            return Complex::new(0.0, 0.0);
        }
        let place = 2 * (row * columns + column);
        let [re, im] = [0, 1].map(|part| level * SCATTER * normal[place + part]);
        match known.bounds.filter(|_| known.real) {
            Some([low, high]) => Complex::new((level + re).clamp(low, high), 0.0),
            None if known.real => Complex::new(level + re, 0.0),
            None => Complex::new(level + re, im),
        }
    })
}

/// Values on a square of `from` places a side, through their spectrum, on `to` rows and columns; never below nought.
fn resampled(values: &[f64], from: usize, to: [usize; 2]) -> Plane {
    let mut spectrum: Vec<Complex<f64>> = values.iter().map(|value| Complex::new(*value, 0.0)).collect();
    Plans::new(from, from, false).apply(&mut spectrum);
    let mut wide = vec![Complex::new(0.0, 0.0); to[0] * to[1]];
    // frequencies below half of the smaller side, whose own has no direction
    let kept = |to: usize| (from.min(to) - 1) as isize / 2;
    let [high, broad] = to.map(kept);
    let scale = ((to[0] * to[1]) as f64).sqrt() / from as f64;
    for row in -high..=high {
        for column in -broad..=broad {
            let place = |size: [usize; 2]| {
                row.rem_euclid(size[0] as isize) as usize * size[1] + column.rem_euclid(size[1] as isize) as usize
            };
            wide[place(to)] = spectrum[place([from, from])] * scale;
        }
    }
    Plans::new(to[0], to[1], true).apply(&mut wide);
    Plane::from_fn(to[0], to[1], |row, column| Complex::new(wide[row * to[1] + column].re.max(0.0), 0.0))
}
