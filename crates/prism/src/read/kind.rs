//! Whether the numbers of a file are intensities or their roots.
//!
//! Whole numbers are counts. Other images of an array of lights are tried both ways: a few sweeps of the ptychographical iterative engine
//! (Maiden and Rodenburg, Ultramicroscopy 109, 1256 (2009)) over the lights nearest to the axis end where neighbouring frames contradict one
//! another less if the numbers are what they were taken for.

use num_complex::Complex;

use crate::{
    DataKind, Exposures, Geometry, Result,
    host_fft::{SquareFft, to_corner},
    read::stack::FileFrames,
};

/// Lights that are tried.
const LIGHTS: usize = 81;
/// Share of a change that is made at once: the last of several lights that contradict one another shall not win.
const STEP: f32 = 0.5;
/// Sweeps over them.
const SWEEPS: usize = 3;

/// Whether a file has roots of intensities.
pub(super) fn is_amplitude(
    frames: &FileFrames,
    exposures: &Exposures,
    whole: bool,
    format: DataKind,
    said: DataKind,
    found: &mut Vec<String>,
) -> Result<bool> {
    match (said, format) {
        (DataKind::Amplitude, _) => return Ok(true),
        (DataKind::Intensity, _) => return Ok(false),
        (_, DataKind::Amplitude) => return Ok(true),
        (_, DataKind::Intensity) => {
            found.push("frames are intensities, as files of this kind have them".into());
            return Ok(false);
        }
        _ => {}
    }
    if whole {
        found.push("frames are whole numbers: counts, and so intensities".into());
        return Ok(false);
    }
    if exposures.optics.geometry == Geometry::Object {
        found.push("frames are taken as intensities; say `data = \"amplitude\"` if they are not".into());
        return Ok(false);
    }
    let (as_amplitudes, as_intensities) =
        (contradiction(frames, exposures, false)?, contradiction(frames, exposures, true)?);
    let amplitude = as_amplitudes < as_intensities;
    let (best, other) = if amplitude { (as_amplitudes, as_intensities) } else { (as_intensities, as_amplitudes) };
    found.push(format!(
        "frames are taken as {}: {best:.2} of their contrast contradicts one object so, {other:.2} the other way",
        if amplitude { "amplitudes" } else { "intensities" }
    ));
    Ok(amplitude)
}

/// What is left of the differences between frames and one object, a share of what the frames differ from their means: roots are flatter than
/// what they are roots of, and would win by that alone.
fn contradiction(frames: &FileFrames, exposures: &Exposures, root: bool) -> Result<f64> {
    let optics = &exposures.optics;
    let (side, size) = (optics.detector, optics.size[0]);
    let Some(pupil) = optics.pupils.first() else { return Ok(f64::INFINITY) };
    let window = pupil.rows();
    let mut lights: Vec<usize> = (0..exposures.centres.len()).collect();
    let far = |light: usize| exposures.centres[light][0].hypot(exposures.centres[light][1]);
    lights.sort_by(|&a, &b| far(a).total_cmp(&far(b)));
    lights.truncate(LIGHTS);
    lights.sort_unstable(); // neighbours in the array are neighbours in time, and so stay together
    let mut measured = Vec::with_capacity(lights.len());
    for &light in &lights {
        let values = frames.values(light)?;
        // saturated ones are as bright as what is not
        let most = values.iter().copied().filter(|value| value.is_finite()).fold(0.0, f32::max);
        let values = values.iter().map(|value| value.min(most));
        measured.push(values.map(|value| if root { value.sqrt() } else { value }).collect::<Vec<f32>>());
    }
    let fft = SquareFft::<f32>::new(side);
    let mut work = fft.work();
    let zero = Complex::new(0.0_f32, 0.0);
    let pupil: Vec<Complex<f32>> = pupil.values().iter().map(|v| Complex::new(v.re as f32, v.im as f32)).collect();
    // The spectrum has its frequency nought in the middle; it begins as that of the frame nearest to the axis.
    let mut spectrum = vec![zero; size * size];
    let mut first: Vec<Complex<f32>> = measured[0].iter().map(|value| Complex::new(*value, 0.0)).collect();
    fft.forward(&mut first, &mut work);
    let first = crate::host_fft::to_middle(&first, side);
    // An object of ones has the same values in a frame: D / N of the transform.
    let scale = side as f32 / size as f32;
    for row in 0..side {
        let place = (size / 2 - side / 2 + row) * size + size / 2 - side / 2;
        for (value, first) in spectrum[place..place + side].iter_mut().zip(&first[row * side..]) {
            *value = *first / scale;
        }
    }
    let mut field = vec![zero; side * side];
    let place_of = |centre: &[f64; 2], row: usize, column: usize| {
        let at = |centre: f64, own: usize| (size / 2 + own) as i64 - (window / 2) as i64 + centre.round() as i64;
        at(centre[0], row) as usize * size + at(centre[1], column) as usize
    };
    let mut left = 0.0_f64;
    let mut all = 0.0_f64;
    for sweep in 0..=SWEEPS {
        for (light, measured) in lights.iter().zip(&measured) {
            let centre = &exposures.centres[*light];
            field.fill(zero);
            let offset = (side / 2 - window / 2) * (side + 1);
            for row in 0..window {
                for column in 0..window {
                    field[offset + row * side + column] =
                        spectrum[place_of(centre, row, column)] * pupil[row * window + column] * scale;
                }
            }
            let mut image = to_corner(&field, side);
            fft.inverse(&mut image, &mut work);
            if sweep == SWEEPS {
                let mean = measured.iter().sum::<f32>() / measured.len() as f32;
                for (value, measured) in image.iter().zip(measured) {
                    left += f64::from((value.norm() - measured).abs());
                    all += f64::from((measured - mean).abs());
                }
                continue;
            }
            for (value, measured) in image.iter_mut().zip(measured) {
                let norm = value.norm();
                *value = if norm > 0.0 { *value * (STEP * (measured / norm - 1.0)) } else { zero };
            }
            fft.forward(&mut image, &mut work);
            let change = crate::host_fft::to_middle(&image, side);
            for row in 0..window {
                for column in 0..window {
                    spectrum[place_of(centre, row, column)] +=
                        pupil[row * window + column].conj() * change[offset + row * side + column] / scale;
                }
            }
        }
    }
    Ok(if all > 0.0 { left / all } else { f64::INFINITY })
}
