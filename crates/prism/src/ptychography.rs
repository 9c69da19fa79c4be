//! [`simulate_ptychography`]: exposures of a probe that is moved over an object, with the truth.
//!
//! A lens with a round aperture makes the probe, some way behind its focus. At each position the object times the probe is transformed onto
//! the detector, where photons are counted (Rodenburg and Faulkner, Appl. Phys. Lett. 85, 4795 (2004)). Positions lie between pixels: the
//! probe, whose frequencies are bounded by the aperture, is moved by the phase of its transform, which is exact.

use std::{
    f64::consts::{PI, TAU},
    sync::Arc,
};

use cupel_data::Stream;
use cupel_settings::{Range, Settings, choices, settings};
use num_complex::Complex;
use rand_distr::{Distribution, Poisson};
use serde::{Deserialize, Serialize};

use crate::{
    Error, Exposures, Geometry, InMemory, Knowledge, Noise, Optics, Plane, Result,
    host_fft::{SquareFft, to_corner, to_middle},
};

choices! {
    /// The places of a scan.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ScanPattern {
        /// On the spiral of sunflower seeds, evenly over a disc
        Fermat = "fermat",
        /// Row by row
        Raster = "raster",
    }
}

settings! {
    /// A simulated scan of a probe over an object.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct PtychographyConfig in "ptychography" {
        /// Pixels of the detector, and of the probe, along a side
        pub detector: usize = 64, in Range::at_least(8.0).at_most(2048.0), "PIXELS";
        /// Number of positions
        pub positions: usize = 200, in Range::at_least(1.0).at_most(1e6), "N";
        /// Pixels of the object from one position to the next, about
        pub step: f64 = 4.0, in Range::above(0.0).at_most(1000.0), "PIXELS";
        /// Where the positions lie
        pub scan: ScanPattern = ScanPattern::Fermat;
        /// Radius of the lens's aperture in pixels of the detector
        pub aperture_radius: f64 = 9.0, in Range::at_least(1.0).at_most(1000.0), "PIXELS";
        /// Pixels of the detector over which the aperture's edge falls off; the light of a hard edge reaches far beyond the probe
        pub aperture_edge: f64 = 4.0, in Range::at_least(1.0).at_most(1000.0), "PIXELS";
        /// Micrometres from the focus to the object
        pub defocus_um: f64 = 200.0, in Range::at_least(-1e6).at_most(1e6), "UM";
        /// Nanometres
        pub wavelength_nm: f64 = 500.0, in Range::above(0.0).at_most(1e6), "NM";
        /// Micrometres between pixels of the object
        pub pixel_um: f64 = 1.0, in Range::above(0.0).at_most(1e6), "UM";
        /// Photons of a frame in the mean; without noise unless given
        pub photons: Option<f64> = None, in Range::above(0.0).at_most(1e12), "N";
        /// Standard deviation in pixels, along rows and along columns, of the errors of the positions that are said
        pub position_error: f64 = 0.0, in Range::at_least(0.0).at_most(100.0), "PIXELS";
        /// Micrometres that the probe which is said is farther from its focus than the true one
        pub defocus_error_um: f64 = 0.0, in Range::at_least(-1e6).at_most(1e6), "UM";
    }
}

/// Simulated exposures, and what they are of.
#[derive(Clone, Debug)]
pub struct PtychographyScene {
    /// Frames, with the positions and the probe that are said of them.
    pub exposures: Exposures,
    /// The object.
    pub object: Plane,
    /// The probe.
    pub probe: Plane,
    /// The positions.
    pub centres: Vec<[f64; 2]>,
}

/// Most of a probe's light that may fall on the outermost pixels of its window.
const MOST_AT_EDGE: f64 = 1e-3;
/// Pixels of the field beyond the outermost windows.
const MARGIN: f64 = 12.0;
/// Round things that the object is made of, per 1000 pixels.
const THINGS: f64 = 6.0;

/// Simulates a scan.
///
/// # Errors
/// [`Error::Setting`] for settings out of range; [`Error::Optics`] for an aperture that is wider than the detector, and for a probe that does not
/// end within its window.
pub fn simulate_ptychography(config: &PtychographyConfig, seed: u64) -> Result<PtychographyScene> {
    config.check()?;
    let side = config.detector;
    if 2.0 * config.aperture_radius + 1.0 > side as f64 / 2.0 {
        return Err(Error::Optics {
            what: "radius of the aperture",
            got: config.aperture_radius.to_string(),
            expected: format!("at most a quarter of the detector's {side} pixels, so that patterns fit onto it"),
        });
    }
    let (wavelength, pixel) = (config.wavelength_nm * 1e-9, config.pixel_um * 1e-6);
    let focus = focused_by(&soft_disc(side, config.aperture_radius, config.aperture_edge));
    let at = |defocus_um: f64| -> Result<Plane> {
        let probe = propagated(&focus, defocus_um * 1e-6, wavelength, pixel)?;
        ends_within(&probe, defocus_um)?;
        Ok(probe)
    };
    let mut probe = at(config.defocus_um)?;
    let mut said_probe = at(config.defocus_um + config.defocus_error_um)?;

    let mut centres = scan(config);
    let mut size = [0; 2];
    for axis in 0..2 {
        let least = centres.iter().map(|centre| centre[axis]).fold(f64::INFINITY, f64::min);
        let most = centres.iter().map(|centre| centre[axis]).fold(f64::NEG_INFINITY, f64::max);
        size[axis] = (most - least).ceil() as usize + side + 2 * MARGIN as usize;
        let middle = (most + least) / 2.0;
        centres.iter_mut().for_each(|centre| centre[axis] -= middle);
    }
    let object = scan_object(size, seed);

    let fft = SquareFft::<f64>::new(side);
    let mut work = fft.work();
    let mut frames: Vec<Vec<f64>> = Vec::with_capacity(centres.len());
    for centre in &centres {
        let mut wave = exit_wave(&object, &probe, *centre, &fft)?;
        fft.forward(&mut wave, &mut work);
        let intensity: Vec<f64> = wave.iter().map(Complex::norm_sqr).collect();
        frames.push(to_middle(&intensity, side));
    }
    let mean = frames.iter().flatten().sum::<f64>() / frames.len() as f64;
    let photons = config.photons.unwrap_or(1.0);
    let scale = if mean > 0.0 { photons / mean } else { 1.0 };
    for plane in [&mut probe, &mut said_probe] {
        plane.values_mut().iter_mut().for_each(|value| *value *= scale.sqrt());
    }
    let noise = Stream::new(seed, "photons of a scan");
    let mut values = Vec::with_capacity(frames.len() * side * side);
    for (index, frame) in frames.iter().enumerate() {
        let mut rng = noise.child(index as u64).rng();
        for value in frame {
            let mean = value * scale;
            let counted = match config.photons {
                Some(_) if mean > 0.0 => Poisson::new(mean).map_or(mean, |law| law.sample(&mut rng)),
                _ => mean,
            };
            values.push(counted as f32);
        }
    }
    let mut errors = vec![0.0; 2 * centres.len()];
    Stream::new(seed, "errors of positions").fill_normal_f64(&mut errors);
    let said = centres
        .iter()
        .zip(errors.chunks_exact(2))
        .map(|(centre, error)| [0, 1].map(|axis| centre[axis] + config.position_error * error[axis]))
        .map(|centre| {
            // Windows stay in the field whatever is said of them.
            [0, 1].map(|axis| {
                let most = (size[axis] - side) as f64 / 2.0 - 2.0;
                centre[axis].clamp(-most, most)
            })
        })
        .collect();
    let exposures = Exposures {
        optics: Optics {
            geometry: Geometry::Object,
            size,
            pupils: vec![said_probe],
            detector: side,
            pixel_size: Some(pixel),
            wavelength: Some(wavelength),
        },
        centres: said,
        frames: Arc::new(InMemory { pixels: side * side, values }),
        noise: if config.photons.is_some() { Noise::Counts { photons: 1.0, read: 0.0 } } else { Noise::None },
        good: None,
        known: Knowledge::default(),
        lights: None,
    };
    exposures.check()?;
    Ok(PtychographyScene { exposures, object, probe, centres })
}

/// The wave behind the object, its middle in the first corner: `P(u - d) a(c + u)` for a centre `c + d` at the whole place `c`.
pub(crate) fn exit_wave(
    object: &Plane,
    probe: &Plane,
    centre: [f64; 2],
    fft: &SquareFft<f64>,
) -> Result<Vec<Complex<f64>>> {
    let side = probe.rows();
    let whole = centre.map(f64::round);
    let moved = moved(probe, [centre[0] - whole[0], centre[1] - whole[1]], fft);
    let first = |axis: usize, len: usize| (len / 2) as i64 + whole[axis] as i64 - (side / 2) as i64;
    let (top, left) = (first(0, object.rows()), first(1, object.columns()));
    let fits = |first: i64, len: usize| first >= 0 && first + side as i64 <= len as i64;
    if !fits(top, object.rows()) || !fits(left, object.columns()) {
        return Err(Error::Measurement {
            what: "position of the probe".into(),
            got: format!("{centre:?}"),
            expected: format!("its window of {side} pixels in the field of {} x {}", object.rows(), object.columns()),
        });
    }
    let (top, left) = (top as usize, left as usize);
    let wave: Vec<Complex<f64>> = moved
        .iter()
        .enumerate()
        .map(|(place, value)| value * object.values()[(top + place / side) * object.columns() + left + place % side])
        .collect();
    Ok(to_corner(&wave, side))
}

/// A probe moved by part of a pixel, its frequencies taken as bounded.
fn moved(probe: &Plane, by: [f64; 2], fft: &SquareFft<f64>) -> Vec<Complex<f64>> {
    if by == [0.0; 2] {
        return probe.values().to_vec();
    }
    let side = probe.rows();
    let mut work = fft.work();
    let mut spectrum = probe.values().to_vec();
    fft.forward(&mut spectrum, &mut work);
    for (place, value) in spectrum.iter_mut().enumerate() {
        let turn = by[0] * frequency(place / side, side) + by[1] * frequency(place % side, side);
        *value *= Complex::cis(-TAU * turn);
    }
    fft.inverse(&mut spectrum, &mut work);
    spectrum
}

/// Cycles per place, the frequency nought first.
fn frequency(place: usize, side: usize) -> f64 {
    let place = if place < side.div_ceil(2) { place as f64 } else { place as f64 - side as f64 };
    place / side as f64
}

/// A disc of ones of the radius in pixels around the middle, soft over one pixel.
pub(crate) fn disc_probe(side: usize, radius: f64) -> Plane {
    let middle = (side / 2) as f64;
    Plane::from_fn(side, side, |row, column| {
        let far = (row as f64 - middle).hypot(column as f64 - middle);
        Complex::new((radius + 0.5 - far).clamp(0.0, 1.0), 0.0)
    })
}

/// A disc whose edge falls off over so many pixels, half of it within the radius, as the square of a cosine.
fn soft_disc(side: usize, radius: f64, edge: f64) -> Plane {
    let middle = (side / 2) as f64;
    Plane::from_fn(side, side, |row, column| {
        let far = (row as f64 - middle).hypot(column as f64 - middle);
        let within = ((radius - far) / edge + 0.5).clamp(0.0, 1.0);
        Complex::new((PI / 2.0 * within).sin().powi(2), 0.0)
    })
}

/// Refuses a probe that reaches over the edge of its window: there it would come back at the opposite edge, and a probe moved between pixels or
/// by a whole one would not be the same.
fn ends_within(probe: &Plane, defocus_um: f64) -> Result<()> {
    let (rows, columns) = (probe.rows(), probe.columns());
    let at_edge = |place: usize| {
        let (row, column) = (place / columns, place % columns);
        row == 0 || column == 0 || row + 1 == rows || column + 1 == columns
    };
    let power = |keep: &dyn Fn(usize) -> bool| -> f64 {
        probe.values().iter().enumerate().filter(|(place, _)| keep(*place)).map(|(_, value)| value.norm_sqr()).sum()
    };
    let share = power(&at_edge) / power(&|_| true).max(f64::MIN_POSITIVE);
    if share <= MOST_AT_EDGE {
        return Ok(());
    }
    Err(Error::Optics {
        what: "probe",
        got: format!(
            "{share:.1e} of its light on the edge of its window of {rows} pixels, {defocus_um} um from the focus"
        ),
        expected: format!(
            "at most {MOST_AT_EDGE:.0e}, or it comes back at the opposite edge: move it nearer to the focus (defocus-um), soften the aperture \
             (aperture-edge) or take a larger detector"
        ),
    })
}

/// What a lens with a round aperture of the radius, in pixels of the detector, makes in its focus; its squares sum to 1.
pub fn focused_probe(side: usize, radius: f64) -> Plane {
    focused_by(&disc_probe(side, radius))
}

fn focused_by(aperture: &Plane) -> Plane {
    let side = aperture.rows();
    let mut values = to_corner(aperture.values(), side);
    let power: f64 = values.iter().map(Complex::norm_sqr).sum();
    values.iter_mut().for_each(|value| *value /= power.sqrt());
    let fft = SquareFft::new(side);
    fft.inverse(&mut values, &mut fft.work());
    let values = to_middle(&values, side);
    Plane::from_fn(side, side, |row, column| values[row * side + column])
}

/// A square wave some metres further on, by the angular spectrum: each frequency turns by its phase. Power is kept.
///
/// # Errors
/// [`Error::Optics`] for a plane that is not square.
pub fn propagated(plane: &Plane, metres: f64, wavelength: f64, pixel: f64) -> Result<Plane> {
    let side = plane.rows();
    if plane.columns() != side {
        return Err(Error::Optics {
            what: "plane to propagate",
            got: format!("{side} x {}", plane.columns()),
            expected: "as many rows as columns".into(),
        });
    }
    let fft = SquareFft::<f64>::new(side);
    let mut work = fft.work();
    let mut values = to_corner(plane.values(), side);
    fft.forward(&mut values, &mut work);
    let carrier = 1.0 / wavelength;
    for (place, value) in values.iter_mut().enumerate() {
        let (y, x) = (frequency(place / side, side) / pixel, frequency(place % side, side) / pixel);
        let sideways = y * y + x * x;
        if sideways > carrier * carrier {
            *value = Complex::new(0.0, 0.0);
            continue;
        }
        let along = -sideways / (carrier + (carrier * carrier - sideways).sqrt());
        *value *= Complex::cis(TAU * metres * along);
    }
    fft.inverse(&mut values, &mut work);
    Plane::new(side, side, to_middle(&values, side))
}

fn scan(config: &PtychographyConfig) -> Vec<[f64; 2]> {
    let count = config.positions;
    match config.scan {
        ScanPattern::Fermat => {
            // So many seeds on a disc have this mean distance.
            let scale = config.step / PI.sqrt();
            let golden = PI * (3.0 - 5.0_f64.sqrt());
            (0..count)
                .map(|k| {
                    let (radius, angle) = (scale * (k as f64 + 0.5).sqrt(), golden * k as f64);
                    [radius * angle.sin(), radius * angle.cos()]
                })
                .collect()
        }
        ScanPattern::Raster => {
            let columns = (count as f64).sqrt().ceil() as usize;
            (0..count).map(|k| [(k / columns) as f64 * config.step, (k % columns) as f64 * config.step]).collect()
        }
    }
}

/// Round things, dark and thick, on a ground that waves a little: amplitudes from about .4 to 1, phases within a radian or two.
pub(crate) fn scan_object(size: [usize; 2], seed: u64) -> Plane {
    let stream = Stream::new(seed, "object of a scan");
    let pixels = size[0] * size[1];
    let count = (THINGS * pixels as f64 / 1000.0).ceil() as usize;
    let mut draws = vec![0.0_f32; 5 * count + 12];
    stream.fill_uniform(&mut draws);
    let (waves, things) = draws.split_at(12);
    let mut attenuation = vec![0.0; pixels];
    let mut phase = vec![0.0; pixels];
    for (place, phase) in phase.iter_mut().enumerate() {
        let (y, x) = ((place / size[1]) as f64 / size[0] as f64, (place % size[1]) as f64 / size[1] as f64);
        *phase = waves
            .chunks_exact(3)
            .map(|wave| {
                0.2 * (TAU * (3.0 * f64::from(wave[0]) * y + 3.0 * f64::from(wave[1]) * x + f64::from(wave[2]))).sin()
            })
            .sum();
    }
    for thing in things.chunks_exact(5) {
        let thing: Vec<f64> = thing.iter().map(|value| f64::from(*value)).collect();
        let (y, x) = (thing[0] * size[0] as f64, thing[1] * size[1] as f64);
        let radius = 1.5 + 8.0 * thing[2] * thing[2];
        let rows = (y - radius - 2.0).max(0.0) as usize..((y + radius + 3.0) as usize).min(size[0]);
        for row in rows {
            let columns = (x - radius - 2.0).max(0.0) as usize..((x + radius + 3.0) as usize).min(size[1]);
            for column in columns {
                let far = (row as f64 - y).hypot(column as f64 - x);
                let inside = 1.0 / (1.0 + ((far - radius) / 0.5).exp());
                attenuation[row * size[1] + column] += inside * 0.3 * thing[3];
                phase[row * size[1] + column] += inside * 0.8 * (thing[4] - 0.4);
            }
        }
    }
    Plane::from_fn(size[0], size[1], |row, column| {
        let place = row * size[1] + column;
        Complex::from_polar((-attenuation[place]).exp(), phase[place])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn propagation_there_and_back_keeps_the_wave_and_its_power() {
        let focus = focused_probe(48, 7.0);
        let there = propagated(&focus, 3e-4, 500e-9, 1e-6).unwrap();
        let power = |plane: &Plane| plane.values().iter().map(Complex::norm_sqr).sum::<f64>();
        assert!((power(&focus) - 1.0).abs() < 1e-12 && (power(&there) - 1.0).abs() < 1e-12);
        let back = propagated(&there, -3e-4, 500e-9, 1e-6).unwrap();
        assert!(back.values().iter().zip(focus.values()).all(|(a, b)| (a - b).norm() < 1e-12));
    }

    #[test]
    fn a_probe_moves_by_parts_of_a_pixel_and_back_and_by_whole_ones_as_its_values() {
        let fft = SquareFft::new(32);
        let probe = focused_probe(32, 5.0);
        let by = |probe: &Plane, by| Plane::new(32, 32, moved(probe, by, &fft)).unwrap();
        let back = by(&by(&probe, [0.3, -0.45]), [-0.3, 0.45]);
        assert!(back.values().iter().zip(probe.values()).all(|(a, b)| (a - b).norm() < 1e-12));
        let one = by(&by(&probe, [0.5, 0.0]), [0.5, 0.0]);
        let same = (1..32).all(|row| (one.values()[row * 32 + 9] - probe.values()[(row - 1) * 32 + 9]).norm() < 1e-12);
        assert!(same);
    }
}
