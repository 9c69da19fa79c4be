//! [`calibrate_scan`]: the positions of a probe and the aberrations of its lens, found with the object by quasi-Newton steps on all at once.
//!
//! Of counts `n` behind the wave `F[P_i O]`, with the probe `P_i` moved to the position `c_i` by the phase of its transform,
//! ```text
//! L = sum (I + e) - (n + e) ln(I + e),   I = |F[P_i O]|^2,   F^-1 P = |F^-1 P| exp(i sum f_k Z_k)
//! ```
//! falls along the object `O`, the positions and the few Zernike coefficients `f`, each in units in which the curvature is about one. The constant
//! `e`, added to what is expected and to what was counted, keeps the pole of dim pixels away and the estimate without bias. Positions that are
//! pixels away from the truth lie in other valleys: now and then each frame is held against the object at all whole pixels around. (Joint
//! refinement by gradients: M. Odstrcil, A. Menzel, M. Guizar-Sicairos, Opt. Express 26, 3108 (2018); of parameters by quasi-Newton steps:
//! P. Thibault, M. Guizar-Sicairos, New J. Phys. 14, 063004 (2012).)
//!
//! Two things no frame tells: where the whole scan lies, and, next to it, how large it is, since a larger scan of a larger object under a probe
//! farther from its focus gives almost the same frames. Both stay as the positions that were said have it: the moves have no mean, and none along
//! the positions that were found; errors of what was said are taken to be normal, as large as they turn out. (Along those that were said they have: errors make a scan look larger than it is.)

mod likelihood;
mod search;
mod units;

use cupel_train::Descent;
use num_complex::Complex;

use super::{
    Calibrated,
    forward::{Value, frequency},
};
use crate::{
    Error, Exposures, Geometry, Noise, Plane, Result,
    host_fft::{SquareFft, Work, to_corner},
    zernike,
};
use likelihood::SMALL;

/// What of a scan is looked for beside the object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanFree {
    /// The positions.
    pub positions: bool,
    /// The phase of the probe's transform.
    pub probe: bool,
}

/// Photons of a frame in the mean where they are not known.
const PHOTONS: f64 = 1e5;
/// Added to counts that are expected and to those that were made; less in the last steps.
const DIM: [f64; 2] = [0.25, 0.02];
/// The highest order of the Zernike polynomials of a probe, as Noll counts: from defocus on, up to the spherical ones.
const ABERRATIONS: std::ops::RangeInclusive<usize> = 4..=15;
/// Weight of the total variation while positions are looked for, and of the last steps; in units of a quarter of the likelihood.
const PRIOR: [f64; 2] = [0.05, 1.0];
/// Steps on the object alone, then with the probe, then of each round with positions, and of the last round.
const OBJECT_STEPS: usize = 8;
const PROBE_STEPS: usize = 12;
const ROUND_STEPS: usize = 18;
/// Whole pixels around each position that are searched after the first rounds; rounds without a search, and last ones.
const SEARCHES: [isize; 3] = [3, 2, 2];
const ROUNDS: usize = 6;
const LAST_ROUNDS: usize = 12;
/// Pairs that the curvature is known from.
const MEMORY: usize = 10;
const TOLERANCE: f64 = 1e-7;
/// Share of the brightest frequency of a probe, squared, above which a lens lets it pass.
const OPEN: f32 = 1e-6;
const EPSILON: f32 = 1e-12;

/// Calibrates a scan on the exposures `which`.
///
/// # Errors
/// Exposures that contradict themselves, of lights, or with several modes of the probe.
pub fn calibrate_scan(exposures: &Exposures, which: &[usize], free: ScanFree) -> Result<Calibrated> {
    exposures.check()?;
    let mut scan = Scan::new(exposures, which)?;
    scan.solve(free)?;
    scan.found()
}

/// Positions of the exposures `which` in what was found without them: all else stays.
///
/// # Errors
/// As [`calibrate_scan`].
pub fn locate(exposures: &Exposures, which: &[usize], model: &Calibrated) -> Result<Calibrated> {
    exposures.check()?;
    let mut scan = Scan::new(exposures, which)?;
    scan.load(model)?;
    scan.free = [false, false, true];
    scan.anchored = false;
    for radius in SEARCHES {
        scan.search(radius);
        scan.descend(ROUND_STEPS)?;
    }
    let mut found = scan.found()?;
    found.plane.clone_from(&model.plane);
    found.window.clone_from(&model.window);
    let centres = found.centres.clone();
    found.centres.clone_from(&model.centres);
    which.iter().for_each(|&frame| found.centres[frame] = centres[frame]);
    Ok(found)
}

/// Object, probe and positions as they stand, with what was counted.
struct Scan {
    rows: usize,
    columns: usize,
    side: usize,
    which: Vec<usize>,
    said: Vec<[f64; 2]>,
    centres: Vec<[f64; 2]>,
    /// Counts in the order of the transform; below nought where a pixel does not count.
    counts: Vec<Vec<f32>>,
    /// Counts of one unit of intensity.
    unit: f64,
    /// Variance of the read-out.
    read: f64,
    dim: f32,
    object: Vec<Value>,
    /// Of the probe, in the order of the transform.
    spectrum: Vec<Value>,
    phases: Vec<Vec<f32>>,
    coefficients: Vec<f64>,
    /// Object, probe, positions.
    free: [bool; 3],
    /// Whether moves have no mean and none along the positions.
    anchored: bool,
    prior: f64,
    /// Variance of the errors of the positions that were said, along an axis.
    spread: f64,
    /// What one unit of each value is: of the object's places, the coefficients, the positions.
    object_units: Vec<f64>,
    coefficient_units: Vec<f64>,
    position_unit: f64,
    /// Directions of the positions that are kept, orthonormal.
    kept: Vec<Vec<f64>>,
    /// What maps of the scan change of the object and of the positions, for a pixel at the rms radius, and their units; none where positions stay.
    warps: Vec<(Vec<Value>, Vec<[f64; 2]>)>,
    warp_units: Vec<f64>,
    /// Whole pixels of the windows while a round lasts.
    whole: Vec<[f64; 2]>,
    fft: SquareFft<f32>,
    work: Work<f32>,
    curve: Vec<f64>,
}

impl Scan {
    fn new(exposures: &Exposures, which: &[usize]) -> Result<Self> {
        let optics = &exposures.optics;
        let side = optics.detector;
        let fits = optics.geometry == Geometry::Object && optics.window() == [side, side];
        let [probe] = optics.pupils.as_slice() else { return Err(unfit(optics.pupils.len(), optics.window())) };
        if !fits {
            return Err(unfit(1, optics.window()));
        }
        let [rows, columns] = optics.size;
        let (mut counts, mut brightest, mut mean) = (Vec::with_capacity(which.len()), 0.0_f64, 0.0);
        for &frame in which {
            let mut values = exposures.frames.frame(frame)?;
            if let Some(good) = &exposures.good {
                values.iter_mut().zip(good).filter(|(_, good)| !**good).for_each(|(value, _)| *value = -1.0);
            }
            let all: f64 = values.iter().map(|value| f64::from(value.max(0.0))).sum();
            brightest = brightest.max(all);
            mean += all / which.len() as f64;
            counts.push(to_corner(&values, side));
        }
        let (unit, read) = match exposures.noise {
            Noise::Counts { photons, read } => (photons, read),
            Noise::None | Noise::Unknown => (if mean > 0.0 { PHOTONS / mean } else { 1.0 }, 0.0),
        };
        counts.iter_mut().flatten().filter(|value| **value >= 0.0).for_each(|value| *value *= unit as f32);
        let fft = SquareFft::new(side);
        let mut work = fft.work();
        let power: f64 = probe.values().iter().map(Complex::norm_sqr).sum();
        let scale = (brightest * unit / power.max(f64::MIN_POSITIVE)).sqrt();
        let mut spectrum: Vec<Value> = probe.values().iter().map(|value| narrow(value * scale)).collect();
        fft.forward(&mut spectrum, &mut work);
        let phases = aberrations(&spectrum, side);
        let count = which.len();
        let mut scan = Self {
            rows,
            columns,
            side,
            which: which.to_vec(),
            said: exposures.centres.clone(),
            centres: exposures.centres.clone(),
            counts,
            unit,
            read: read * read,
            dim: (DIM[0] + read * read) as f32,
            object: vec![Complex::new(1.0, 0.0); rows * columns],
            spectrum,
            coefficients: vec![0.0; phases.len()],
            phases,
            free: [true, false, false],
            anchored: true,
            prior: PRIOR[0],
            spread: f64::INFINITY,
            object_units: vec![1.0; rows * columns],
            coefficient_units: Vec::new(),
            position_unit: 1.0,
            kept: Vec::new(),
            warps: Vec::new(),
            warp_units: Vec::new(),
            whole: vec![[0.0; 2]; count],
            work,
            fft,
            curve: Vec::new(),
        };
        scan.round();
        Ok(scan)
    }

    fn load(&mut self, model: &Calibrated) -> Result<()> {
        let fits = |plane: &Plane, rows, columns| plane.rows() == rows && plane.columns() == columns;
        if !fits(&model.plane, self.rows, self.columns) || !fits(&model.window, self.side, self.side) {
            return Err(unfit(1, [model.window.rows(), model.window.columns()]));
        }
        self.object = model.plane.values().iter().map(|value| narrow(*value)).collect();
        self.spectrum = model.window.values().iter().map(|value| narrow(value * self.unit.sqrt())).collect();
        self.fft.forward(&mut self.spectrum, &mut self.work);
        self.coefficients.fill(0.0);
        self.centres.clone_from(&model.centres);
        self.round();
        Ok(())
    }

    fn solve(&mut self, free: ScanFree) -> Result<()> {
        self.descend(OBJECT_STEPS)?;
        self.free = [true, free.probe, false];
        self.descend(PROBE_STEPS)?;
        self.free[2] = free.positions;
        for round in 0..ROUNDS {
            self.descend(ROUND_STEPS)?;
            if let (Some(radius), true) = (SEARCHES.get(round), free.positions) {
                self.search(*radius);
            }
            self.anchor();
        }
        self.prior = PRIOR[1];
        self.dim = (DIM[1] + self.read) as f32;
        for _ in 0..LAST_ROUNDS {
            self.descend(ROUND_STEPS)?;
            self.anchor();
        }
        Ok(())
    }

    /// Steps down along all that is free.
    fn descend(&mut self, steps: usize) -> Result<()> {
        self.round();
        self.measure();
        let mut descent = Descent::new(self.values(), MEMORY);
        for _ in 0..steps {
            let over = descent.step(self, TOLERANCE)?;
            self.curve.extend(descent.value().map(|value| value / SMALL));
            if over.is_some() {
                break;
            }
        }
        let (object, coefficients, centres) = self.of(descent.x());
        (self.object, self.coefficients) = (object, coefficients);
        for (k, centre) in centres.into_iter().enumerate() {
            self.centres[self.which[k]] = self.within(centre);
        }
        Ok(())
    }

    /// Whole pixels of the windows of all positions.
    fn round(&mut self) {
        let within: Vec<[f64; 2]> = self.which.iter().map(|&frame| self.within(self.centres[frame])).collect();
        for (k, centre) in within.into_iter().enumerate() {
            self.centres[self.which[k]] = centre;
            self.whole[k] = centre.map(f64::round);
        }
    }

    /// The position itself, or the nearest whose window lies in the field wherever it is rounded to.
    fn within(&self, centre: [f64; 2]) -> [f64; 2] {
        [(0, self.rows), (1, self.columns)].map(|(axis, len)| {
            let most = ((len - self.side) as f64 / 2.0 - 1.0).max(0.0);
            centre[axis].clamp(-most, most)
        })
    }

    fn found(&mut self) -> Result<Calibrated> {
        let wide = |value: &Value| Complex::new(f64::from(value.re), f64::from(value.im));
        let mut window = self.turned(&self.coefficients);
        self.fft.inverse(&mut window, &mut self.work);
        let window = window.iter().map(|value| wide(value) / self.unit.sqrt()).collect();
        Ok(Calibrated {
            plane: Plane::new(self.rows, self.columns, self.object.iter().map(wide).collect())?,
            window: Plane::new(self.side, self.side, window)?,
            centres: self.centres.clone(),
            pose: None,
            brightness: Vec::new(),
            curve: self.curve.clone(),
        })
    }
}

fn narrow(value: Complex<f64>) -> Value {
    Complex::new(value.re as f32, value.im as f32)
}

fn unfit(modes: usize, [rows, columns]: [usize; 2]) -> Error {
    Error::Optics {
        what: "probe to calibrate",
        got: format!("{modes} modes of {rows} x {columns}"),
        expected: "one mode of a probe, as large as the detector".into(),
    }
}

/// Aberrations over the frequencies that a probe has, in the order of the transform; beyond them they stay as they are at the rim.
fn aberrations(spectrum: &[Value], side: usize) -> Vec<Vec<f32>> {
    let most = spectrum.iter().map(Complex::norm_sqr).fold(0.0_f32, f32::max);
    let at = |place: usize| [place / side, place % side].map(|place| frequency(place, side));
    let open = spectrum.iter().enumerate().filter(|(_, value)| value.norm_sqr() > OPEN * most + EPSILON * EPSILON);
    let radius = open.map(|(place, _)| at(place)).map(|[y, x]| y.hypot(x)).fold(1.0 / side as f64, f64::max);
    ABERRATIONS
        .map(|j| {
            let of = |place: usize| {
                let [y, x] = at(place).map(|k| k / radius);
                let far = y.hypot(x).max(1.0);
                zernike(j, y / far, x / far) as f32
            };
            (0..side * side).map(of).collect()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PtychographyConfig, simulate_ptychography};

    fn scan() -> Scan {
        let config = PtychographyConfig {
            detector: 32,
            positions: 12,
            step: 3.0,
            aperture_radius: 5.0,
            defocus_um: 50.0,
            photons: Some(1e5),
            position_error: 0.4,
            defocus_error_um: 10.0,
            ..PtychographyConfig::default()
        };
        let scene = simulate_ptychography(&config, 3).unwrap();
        let mut scan = Scan::new(&scene.exposures, &(0..12).collect::<Vec<_>>()).unwrap();
        scan.free = [true; 3];
        scan
    }

    #[test]
    fn derivatives_are_those_of_differences() {
        for anchored in [false, true] {
            let mut scan = scan();
            scan.descend(5).unwrap();
            scan.anchored = anchored;
            scan.measure();
            let x = scan.values();
            let mut gradient = vec![0.0; x.len()];
            scan.evaluate(&x, &mut gradient);
            let object = 2 * scan.object.len();
            let count = scan.coefficients.len();
            // both parts of the object within the light, coefficients; then positions, or maps of all of them
            let middle = scan.rows / 2 * scan.columns + scan.columns / 2;
            let mut places = vec![middle, middle + 3, object / 2 + middle, object, object + 5];
            places.extend(if anchored { x.len() - 3..x.len() } else { object + count + 4..object + count + 7 });
            for place in places {
                let unit = match place {
                    place if place < object => 1e-2 / scan.object_units[place % (object / 2)],
                    place if place < object + count => 1e-2 / scan.coefficient_units[place - object],
                    _ if anchored => 1e-2 / scan.warp_units[place + 3 - x.len()],
                    _ => 1e-2 / scan.position_unit,
                };
                let mut at = |by: f64| {
                    let mut x = x.clone();
                    x[place] += by * unit;
                    scan.evaluate(&x, &mut vec![0.0; gradient.len()])
                };
                let slope = (at(1.0) - at(-1.0)) / (2.0 * unit);
                let largest = gradient.iter().fold(0.0_f64, |largest, slope| largest.max(slope.abs()));
                let error = (slope - gradient[place]).abs();
                assert!(error < 3e-2 * slope.abs() + 1e-3 * largest, "{place}: {slope} {}", gradient[place]);
            }
        }
    }

    #[test]
    fn anchored_positions_keep_their_middle_and_their_scale() {
        let mut scan = scan();
        let said = scan.said.clone();
        for (k, centre) in scan.centres.iter_mut().enumerate() {
            *centre = [1.02 * said[k][0] + 0.3, 1.02 * said[k][1] - 0.2];
        }
        scan.anchor();
        for (found, said) in scan.centres.iter().zip(&said) {
            assert!((0..2).all(|axis| (found[axis] - said[axis]).abs() < 1e-3), "{found:?} {said:?}");
        }
    }
}
