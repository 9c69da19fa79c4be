//! [`calibrate`]: the pupil or the probe, the positions and the pose of an array of lights, found with the object.
//!
//! Exposures are gone through one after the other, many times. The amplitudes of the field that the object, the window and the position give
//! are replaced by those measured, and the difference corrects each of them (ePIE: Maiden and Rodenburg, Ultramicroscopy 109, 1256 (2009);
//! EPRY: Ou, Zheng, Yang, Optics Express 22, 4960 (2014)):
//! ```text
//! S += step conj(P) d / max|P|^2,   P += window_step conj(S) d / max|S|^2,   d = F^-1(sqrt(I) z / |z|) - P S
//! ```
//! That is how a probe follows; a pupil is a smooth function instead, and follows all exposures of a sweep at once
//! ([`smooth_pupil`](crate::smooth_pupil)). More sweeps explain the exposures ever better and, from some sweep on, others worse: where to end is
//! found by exposures that are held out, and then all are gone through so many times.
//!
//! A probe between pixels is moved by the phase of its transform; its position follows the least squares of `d` on the derivatives of `P`
//! (Dwivedi and others, Ultramicroscopy 192, 29 (2018)). Lights are few numbers in truth: each says in which neighbouring place it would
//! explain its frame better, and the pose of the whole array follows all of them by least squares with the derivatives of the centres.

mod scan;

pub use scan::{ScanFree, calibrate_scan, locate};

use std::f64::consts::TAU;

use cupel_settings::{Range, Settings, settings};
use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{
    Error, Exposures, Geometry, InMemory, LedArray, Plane, Pose, Result,
    host_fft::{SquareFft, Work, to_corner, to_middle},
    smooth_pupil::SmoothPupil,
};

settings! {
    /// How instruments are calibrated.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct CalibrationConfig in "calibration" {
        /// Times that all exposures are gone through
        pub sweeps: usize = 5, in Range::at_least(1.0).at_most(1e6), "N";
        /// Share of a correction of the object that is made at once
        pub step: f64 = 1.0, in Range::above(0.0).at_most(2.0), "SHARE";
        /// Share of a correction of the pupil or the probe that is made at once; 0 keeps it
        pub window_step: f64 = 1.0, in Range::at_least(0.0).at_most(2.0), "SHARE";
        /// The first sweep in which the pupil or the probe is corrected
        pub window_from: usize = 1, in Range::at_least(0.0).at_most(1e6), "SWEEP";
        /// Highest order of the Zernike polynomials in the phase of a pupil
        pub pupil_order: usize = 6, in Range::at_least(0.0).at_most(20.0), "ORDER";
        /// Powers of the squared radius in the absorption of a pupil
        pub pupil_powers: usize = 6, in Range::at_least(0.0).at_most(12.0), "N";
        /// How fast steps become smaller: in sweep t they are divided by 1 + decay t
        pub decay: f64 = 0.3, in Range::at_least(0.0).at_most(100.0), "RATE";
        /// Share of the exposures that is held out at first, to find after which sweep they are explained best; 0 makes all sweeps
        pub held_out: f64 = 0.1, in Range::at_least(0.0).at_most(0.5), "SHARE";
        /// Share of a correction of each position that is made at once; 0 keeps them. Of lights the pose of the array is corrected
        pub position_step: f64 = 0.0, in Range::at_least(0.0).at_most(4.0), "SHARE";
        /// The first sweep in which positions are corrected
        pub position_from: usize = 5, in Range::at_least(0.0).at_most(1e6), "SWEEP";
        /// Pixels around each position of a probe that are searched, now and then, for one that explains its frame better
        pub position_search: usize = 4, in Range::at_least(0.0).at_most(100.0), "PIXELS";
        /// Sweeps in which ever more lights are used, from those in the middle on
        pub growth: usize = 0, in Range::at_least(0.0).at_most(1e6), "SWEEPS";
    }
}

/// What calibration found.
#[derive(Clone, Debug)]
pub struct Calibrated {
    /// The plane that windows are cut from: the spectrum of the object behind lights, the object itself under a probe.
    pub plane: Plane,
    /// The pupil or the probe.
    pub window: Plane,
    /// Positions of all exposures, used or not.
    pub centres: Vec<[f64; 2]>,
    /// How the array of lights lies.
    pub pose: Option<Pose>,
    /// Misfit of the amplitudes in each sweep, while it ran: sum of differences over sum of amplitudes.
    pub curve: Vec<f64>,
}

impl Calibrated {
    /// The object: the plane itself, or what the spectrum is of.
    ///
    /// # Errors
    /// [`Error::Optics`] for a spectrum that is not square.
    pub fn object(&self, geometry: Geometry) -> Result<Plane> {
        if geometry == Geometry::Object {
            return Ok(self.plane.clone());
        }
        let side = square(&self.plane)?;
        let mut values = to_corner(self.plane.values(), side);
        let fft = SquareFft::new(side);
        fft.inverse(&mut values, &mut fft.work());
        Plane::new(side, side, values)
    }
}

/// Most pixels that a position moves in one sweep.
const LONGEST_STEP: f64 = 0.5;
/// Share of the brightest frequency of a probe, squared, above which a lens lets it pass.
const OPEN: f32 = 1e-6;
/// A probe with more of its frequencies open is not bounded by a lens.
const LENS: f64 = 0.5;
/// Keeps dark fields from being divided by nought.
const EPSILON: f32 = 1e-12;

type Value = Complex<f32>;
const ZERO: Value = Complex { re: 0.0, im: 0.0 };

/// Calibrates an instrument on some of its exposures.
///
/// `array` is the array of lights and how it is said to lie; without it positions of lights are kept.
///
/// # Errors
/// Exposures that contradict themselves, and settings out of range.
pub fn calibrate(
    exposures: &Exposures,
    which: &[usize],
    config: &CalibrationConfig,
    array: Option<(&LedArray, Pose)>,
) -> Result<Calibrated> {
    config.check()?;
    exposures.check()?;
    let held = held_out(exposures, which, config.held_out);
    if held.is_empty() {
        let (engine, pose, curve) = swept(exposures, which, config, config.sweeps, array, |_, _| Ok(true))?;
        return found(engine, pose, curve);
    }
    let fitted: Vec<usize> = which.iter().copied().filter(|frame| !held.contains(frame)).collect();
    let mut judge = Engine::new(exposures, &held)?;
    let (mut best, mut least) = (0, f64::INFINITY);
    swept(exposures, &fitted, config, config.sweeps, array, |sweep, engine| {
        let left = judge.judged(engine);
        if left < least {
            (best, least) = (sweep, left);
        }
        Ok(sweep < best + PATIENCE)
    })?;
    let (engine, pose, curve) = swept(exposures, which, config, best + 1, array, |_, _| Ok(true))?;
    found(engine, pose, curve)
}

/// Sweeps without progress on exposures held out after which none is expected.
const PATIENCE: usize = 10;
/// Fewer exposures decide nothing.
const FEWEST_HELD_OUT: usize = 4;

/// Of the pupil's radius: lights so near to its rim are not held out.
const RIM: std::ops::Range<f64> = 0.85..1.15;

/// A share of the exposures, evenly from the middle outwards, never the one in the middle.
///
/// What a light sees whose unscattered wave just passes the rim of the pupil is said by no other light, so that it cannot judge.
fn held_out(exposures: &Exposures, which: &[usize], share: f64) -> Vec<usize> {
    let mut order = middle_out(exposures, which);
    if exposures.optics.geometry == Geometry::Spectrum
        && let [pupil] = exposures.optics.pupils.as_slice()
    {
        let open = pupil.values().iter().filter(|value| value.norm_sqr() > 0.0).count() as f64;
        let radius = (open / std::f64::consts::PI).sqrt();
        order.retain(|k| {
            let [y, x] = exposures.centres[which[*k]];
            !RIM.contains(&(y.hypot(x) / radius))
        });
    }
    let count = ((share * which.len() as f64).round() as usize).min(order.len() / 2);
    if count < FEWEST_HELD_OUT {
        return Vec::new();
    }
    (0..count).map(|k| which[order[(2 * k + 1) * order.len() / (2 * count)]]).collect()
}

/// Places in `which` by the distance from the middle.
fn middle_out(exposures: &Exposures, which: &[usize]) -> Vec<usize> {
    let far = |k: &usize| exposures.centres[which[*k]].iter().map(|c| c * c).sum::<f64>();
    let mut order: Vec<usize> = (0..which.len()).collect();
    order.sort_by(|a, b| far(a).total_cmp(&far(b)).then(a.cmp(b)));
    order
}

fn found(engine: Engine, pose: Option<Pose>, curve: Vec<f64>) -> Result<Calibrated> {
    Ok(Calibrated { plane: engine.plane()?, window: engine.window_plane()?, centres: engine.centres, pose, curve })
}

/// Sweeps over some exposures; `after` each it is asked whether to go on.
fn swept(
    exposures: &Exposures,
    which: &[usize],
    config: &CalibrationConfig,
    sweeps: usize,
    array: Option<(&LedArray, Pose)>,
    mut after: impl FnMut(usize, &Engine) -> Result<bool>,
) -> Result<(Engine, Option<Pose>, Vec<f64>)> {
    let mut engine = Engine::new(exposures, which)?;
    if config.window_step > 0.0 {
        engine.smooth = engine.smooth_pupil(&exposures.optics.pupils[0], config.pupil_order, config.pupil_powers)?;
    }
    let mut pose = array.map(|(_, pose)| pose);
    let mut order: Vec<usize> = (0..which.len()).collect();
    let middle_out = middle_out(exposures, which);
    let mut curve = Vec::with_capacity(sweeps);
    for sweep in 0..sweeps {
        if config.growth > 0 {
            const FIRST: usize = 9;
            let share = ((sweep + 1) as f64 / config.growth as f64).min(1.0);
            let count = (which.len() as f64 * share * share) as usize;
            order = middle_out[..count.clamp(FIRST.min(which.len()), which.len())].to_vec();
            order.sort_unstable();
        }
        let fall = (1.0 + config.decay * sweep as f64) as f32;
        let correcting = sweep >= config.window_from;
        let window_step = if correcting { config.window_step as f32 / fall } else { 0.0 };
        let moving = config.position_step > 0.0 && sweep >= config.position_from;
        let position_step = if moving && engine.geometry == Geometry::Object { config.position_step } else { 0.0 };
        curve.push(engine.sweep(&order, config.step as f32 / fall, window_step, position_step));
        if correcting {
            engine.correct_smoothly(config.window_step);
        }
        if position_step > 0.0 && config.position_search > 0 && (sweep + 1 - config.position_from).is_power_of_two() {
            engine.search_positions(&order, config.position_search as isize);
        }
        if let (Some((array, _)), Some(own)) = (array, &mut pose)
            && moving
        {
            let wanted = engine.wanted_moves(&order);
            *own = moved_pose(array, *own, &wanted, config.position_step);
            let centres = array.centres(*own);
            engine.move_to(&centres);
        }
        if !after(sweep, &engine)? {
            break;
        }
    }
    Ok((engine, pose, curve))
}

/// How much of the amplitudes of some exposures a model leaves: the sum of differences over the sum of amplitudes.
///
/// # Errors
/// Frames that cannot be read, planes that do not fit.
pub fn r_factor(exposures: &Exposures, which: &[usize], model: &Calibrated) -> Result<f64> {
    let mut engine = Engine::new(exposures, which)?;
    engine.load(model)?;
    Ok(engine.r_factor())
}

/// The intensities that a model gives, for simulations.
///
/// # Errors
/// Planes that do not fit.
pub fn predicted(exposures: &Exposures, model: &Calibrated) -> Result<InMemory> {
    let optics = &exposures.optics;
    let pixels = optics.detector * optics.detector;
    let empty = Exposures {
        frames: std::sync::Arc::new(InMemory { pixels, values: vec![0.0; pixels * model.centres.len()] }),
        centres: model.centres.clone(),
        ..exposures.clone()
    };
    let all: Vec<usize> = (0..model.centres.len()).collect();
    let mut engine = Engine::new(&empty, &all)?;
    engine.load(model)?;
    let mut values = Vec::with_capacity(pixels * all.len());
    for k in all {
        engine.forward(k);
        let intensity: Vec<f32> = engine.field.iter().map(Complex::norm_sqr).collect();
        values.extend(match engine.geometry {
            Geometry::Spectrum => intensity,
            Geometry::Object => to_middle(&intensity, optics.detector),
        });
    }
    Ok(InMemory { pixels, values })
}

/// Fourier transform of an object, its frequency nought in the middle: the plane that lights see.
///
/// # Errors
/// [`Error::Optics`] for an object that is not square.
pub fn spectrum_of(object: &Plane) -> Result<Plane> {
    let side = square(object)?;
    let fft = SquareFft::new(side);
    let mut values = object.values().to_vec();
    fft.forward(&mut values, &mut fft.work());
    Plane::new(side, side, to_middle(&values, side))
}

fn square(plane: &Plane) -> Result<usize> {
    if plane.rows() == plane.columns() {
        return Ok(plane.rows());
    }
    Err(Error::Optics {
        what: "spectrum",
        got: format!("{} x {}", plane.rows(), plane.columns()),
        expected: "as many rows as columns".into(),
    })
}

/// Pose that follows the moves `[row, column]` that lights want, by least squares.
fn moved_pose(array: &LedArray, pose: Pose, wanted: &[(usize, [f64; 2], f64)], share: f64) -> Pose {
    const N: usize = Pose::PARAMETERS;
    let gradients = array.centres_with_gradient(pose);
    // Numbers of a pose differ in size by orders of magnitude: each is measured by what it moves.
    let mut size = [0.0; N];
    for (_, gradient) in &gradients {
        for (size, own) in size.iter_mut().zip(gradient) {
            *size += own[0] * own[0] + own[1] * own[1];
        }
    }
    let size = size.map(|sum| if sum > 0.0 { (sum / gradients.len() as f64).sqrt() } else { 1.0 });
    let (mut normal, mut right) = ([[0.0; N]; N], [0.0; N]);
    for &(light, by, weight) in wanted {
        let gradient = &gradients[light].1;
        for a in 0..N {
            for axis in 0..2 {
                right[a] += weight * gradient[a][axis] / size[a] * by[axis];
                for b in 0..N {
                    normal[a][b] += weight * gradient[a][axis] / size[a] * gradient[b][axis] / size[b];
                }
            }
        }
    }
    // A distance and a scale of the array are much alike; what the lights do not tell apart does not move.
    let trace: f64 = (0..N).map(|a| normal[a][a]).sum();
    for (a, row) in normal.iter_mut().enumerate() {
        row[a] += 1e-3 * trace / N as f64 + f64::MIN_POSITIVE;
    }
    let solved = solve(normal, right);
    let mut parameters = pose.parameters();
    for a in 0..N {
        parameters[a] += share * solved[a] / size[a];
    }
    Pose::of(parameters)
}

/// Solves a positive definite system by elimination.
fn solve<const N: usize>(mut matrix: [[f64; N]; N], mut right: [f64; N]) -> [f64; N] {
    for pivot in 0..N {
        for row in pivot + 1..N {
            let factor = matrix[row][pivot] / matrix[pivot][pivot];
            let above = matrix[pivot];
            matrix[row].iter_mut().zip(above).skip(pivot).for_each(|(own, above)| *own -= factor * above);
            right[row] -= factor * right[pivot];
        }
    }
    for pivot in (0..N).rev() {
        for column in pivot + 1..N {
            right[pivot] -= matrix[pivot][column] * right[column];
        }
        right[pivot] /= matrix[pivot][pivot];
    }
    right
}

/// Object, window and positions while they are corrected.
struct Engine {
    geometry: Geometry,
    rows: usize,
    columns: usize,
    values: Vec<Value>,
    side: usize,
    detector: usize,
    window: Vec<Value>,
    /// Of a pupil that is corrected.
    smooth: Option<SmoothPupil>,
    /// `sum conj(S_i) d_i` and `sum |S_i|^2` of a smooth probe, moved back to where it was said to be.
    wanted: Vec<Value>,
    lit: Vec<f32>,
    /// Window of the current exposure, moved.
    moved: Vec<Value>,
    which: Vec<usize>,
    centres: Vec<[f64; 2]>,
    /// Amplitudes in the order of the transform; below nought where a pixel does not count.
    amplitudes: Vec<Vec<f32>>,
    /// Of a transform from the window to the detector.
    scale: f32,
    fft: SquareFft<f32>,
    work: Work<f32>,
    small: SquareFft<f32>,
    small_work: Work<f32>,
    field: Vec<Value>,
}

impl Engine {
    fn new(exposures: &Exposures, which: &[usize]) -> Result<Self> {
        let optics = &exposures.optics;
        let [side, across] = optics.window();
        if side != across || optics.pupils.len() != 1 {
            return Err(Error::Optics {
                what: "window to calibrate",
                got: format!("{} modes of {side} x {across}", optics.pupils.len()),
                expected: "one mode with as many rows as columns".into(),
            });
        }
        let detector = optics.detector;
        let mut amplitudes = Vec::with_capacity(which.len());
        for &frame in which {
            if frame >= exposures.centres.len() {
                return Err(Error::Measurement {
                    what: "exposure".into(),
                    got: frame.to_string(),
                    expected: format!("a number below {}", exposures.centres.len()),
                });
            }
            let values = exposures.frames.frame(frame)?;
            let good = exposures.good.as_ref();
            let roots: Vec<f32> = values
                .iter()
                .enumerate()
                .map(|(pixel, value)| {
                    // infinite where it does not count in this exposure
                    let counts = good.is_none_or(|good| good[pixel]) && *value != f32::INFINITY;
                    if counts { value.max(0.0).sqrt() } else { -1.0 }
                })
                .collect();
            amplitudes.push(match optics.geometry {
                Geometry::Spectrum => roots,
                Geometry::Object => to_corner(&roots, detector),
            });
        }
        let narrow = |plane: &Plane| -> Vec<Value> {
            plane.values().iter().map(|v| Complex::new(v.re as f32, v.im as f32)).collect()
        };
        let window = narrow(&optics.pupils[0]);
        let [rows, columns] = optics.size;
        let scale = match optics.geometry {
            Geometry::Spectrum => detector as f32 / rows as f32,
            Geometry::Object => 1.0,
        };
        let (fft, small) = (SquareFft::new(detector), SquareFft::new(side));
        let (work, small_work) = (fft.work(), small.work());
        let mut engine = Self {
            geometry: optics.geometry,
            rows,
            columns,
            values: vec![ZERO; rows * columns],
            side,
            detector,
            moved: window.clone(),
            window,
            smooth: None,
            wanted: vec![ZERO; side * side],
            lit: vec![0.0; side * side],
            which: which.to_vec(),
            centres: exposures.centres.clone(),
            amplitudes,
            scale,
            fft,
            work,
            small,
            small_work,
            field: vec![ZERO; detector * detector],
        };
        engine.start();
        Ok(engine)
    }

    /// An object of ones, or the image nearest to the axis.
    fn start(&mut self) {
        if self.geometry == Geometry::Object {
            self.values.fill(Complex::new(1.0, 0.0));
            return;
        }
        let far = |k: &usize| self.centres[self.which[*k]].iter().map(|c| c * c).sum::<f64>();
        let Some(nearest) = (0..self.which.len()).min_by(|a, b| far(a).total_cmp(&far(b))) else { return };
        let detector = self.detector;
        let (rows, columns) = (self.rows, self.columns);
        if rows == columns && rows % detector == 0 {
            // Each pixel is repeated: frequencies beyond those of the frame begin as something, and not as nothing.
            let times = rows / detector;
            let frame = &self.amplitudes[nearest];
            let at = |place: usize| frame[place / columns / times * detector + place % columns / times].max(0.0);
            let mut wide: Vec<Value> = (0..rows * columns).map(|place| Complex::new(at(place), 0.0)).collect();
            let fft = SquareFft::new(rows);
            fft.forward(&mut wide, &mut fft.work());
            self.values = to_middle(&wide, rows);
            return;
        }
        let mut first: Vec<Value> =
            self.amplitudes[nearest].iter().map(|value| Complex::new(value.max(0.0), 0.0)).collect();
        self.fft.forward(&mut first, &mut self.work);
        let first = to_middle(&first, detector);
        let (top, left) = (rows / 2 - detector / 2, columns / 2 - detector / 2);
        for row in 0..detector {
            for column in 0..detector {
                self.values[(top + row) * columns + left + column] = first[row * detector + column] / self.scale;
            }
        }
    }

    fn load(&mut self, model: &Calibrated) -> Result<()> {
        let fits = |plane: &Plane, rows: usize, columns: usize| plane.rows() == rows && plane.columns() == columns;
        if !fits(&model.plane, self.rows, self.columns)
            || !fits(&model.window, self.side, self.side)
            || self.which.iter().any(|&frame| frame >= model.centres.len())
        {
            return Err(Error::Optics {
                what: "model",
                got: format!("a plane of {} x {}", model.plane.rows(), model.plane.columns()),
                expected: format!("the sizes of the exposures, {} x {}", self.rows, self.columns),
            });
        }
        let narrow = |plane: &Plane| plane.values().iter().map(|v| Complex::new(v.re as f32, v.im as f32)).collect();
        self.values = narrow(&model.plane);
        self.window = narrow(&model.window);
        self.moved.clone_from(&self.window);
        self.centres.clone_from(&model.centres);
        Ok(())
    }

    /// Place of the first value of the window of a centre, kept within the plane.
    fn first(&self, centre: [f64; 2]) -> [usize; 2] {
        let at = |axis: usize, len: usize| {
            let first = (len / 2) as f64 + centre[axis].round() - (self.side / 2) as f64;
            first.clamp(0.0, (len - self.side) as f64) as usize
        };
        [at(0, self.rows), at(1, self.columns)]
    }

    /// Part of a place that the window is moved by; the pupil of lights stays on its places.
    fn fraction(&self, centre: [f64; 2]) -> [f64; 2] {
        match self.geometry {
            Geometry::Spectrum => [0.0; 2],
            Geometry::Object => centre.map(|c| c - c.round()),
        }
    }

    /// The field on the detector, from the plane, the window and the centre of an exposure.
    fn forward(&mut self, k: usize) {
        let centre = self.centres[self.which[k]];
        let by = self.fraction(centre);
        if by == [0.0; 2] {
            self.moved.copy_from_slice(&self.window);
        } else {
            let mut spectrum = self.window.clone();
            self.small.forward(&mut spectrum, &mut self.small_work);
            ramp(&mut spectrum, by, self.side);
            self.small.inverse(&mut spectrum, &mut self.small_work);
            self.moved = spectrum;
        }
        self.project(self.first(centre));
    }

    fn project(&mut self, [top, left]: [usize; 2]) {
        let (side, detector) = (self.side, self.detector);
        if side < detector {
            self.field.fill(ZERO);
        }
        let place = |at: usize| (at + detector - side / 2) % detector;
        for row in 0..side {
            let from = (top + row) * self.columns + left;
            let to = place(row) * detector;
            for column in 0..side {
                self.field[to + place(column)] =
                    self.values[from + column] * self.moved[row * side + column] * self.scale;
            }
        }
        match self.geometry {
            Geometry::Spectrum => self.fft.inverse(&mut self.field, &mut self.work),
            Geometry::Object => self.fft.forward(&mut self.field, &mut self.work),
        }
    }

    /// Differences of amplitudes and amplitudes, summed.
    fn misfit(&self, k: usize) -> (f64, f64) {
        let (mut left, mut all) = (0.0, 0.0);
        for (value, wanted) in self.field.iter().zip(&self.amplitudes[k]) {
            if *wanted >= 0.0 {
                left += f64::from((value.norm() - wanted).abs());
                all += f64::from(*wanted);
            }
        }
        (left, all)
    }

    fn r_factor(&mut self) -> f64 {
        let (mut left, mut all) = (0.0, 0.0);
        for k in 0..self.which.len() {
            self.forward(k);
            let (own, sum) = self.misfit(k);
            left += own;
            all += sum;
        }
        if all > 0.0 { left / all } else { f64::NAN }
    }

    /// What the state of another engine leaves of the own exposures; their positions are those that were said or that the lights' pose gives.
    fn judged(&mut self, other: &Self) -> f64 {
        self.values.copy_from_slice(&other.values);
        self.window.copy_from_slice(&other.window);
        self.centres.copy_from_slice(&other.centres);
        self.r_factor()
    }

    /// Goes through exposures; gives the misfit on the way.
    fn sweep(&mut self, order: &[usize], step: f32, window_step: f32, position_step: f64) -> f64 {
        let (side, detector) = (self.side, self.detector);
        let (mut left, mut all) = (0.0_f64, 0.0_f64);
        let mut change = vec![ZERO; side * side];
        for &k in order {
            self.forward(k);
            let centre = self.centres[self.which[k]];
            let [top, first] = self.first(centre);
            for (value, wanted) in self.field.iter_mut().zip(&self.amplitudes[k]) {
                if *wanted < 0.0 {
                    *value = ZERO;
                    continue;
                }
                let norm = value.norm();
                left += f64::from((norm - wanted).abs());
                all += f64::from(*wanted);
                *value *= wanted / (norm + EPSILON) - 1.0;
            }
            match self.geometry {
                Geometry::Spectrum => self.fft.forward(&mut self.field, &mut self.work),
                Geometry::Object => self.fft.inverse(&mut self.field, &mut self.work),
            }
            let place = |at: usize| (at + detector - side / 2) % detector;
            for row in 0..side {
                let from = place(row) * detector;
                for column in 0..side {
                    change[row * side + column] = self.field[from + place(column)] / self.scale;
                }
            }
            let brightest = self.moved.iter().map(Complex::norm_sqr).fold(0.0_f32, f32::max).max(f32::MIN_POSITIVE);
            let mut cut = Vec::with_capacity(side * side);
            let mut most = f32::MIN_POSITIVE;
            for row in 0..side {
                let from = (top + row) * self.columns + first;
                cut.extend_from_slice(&self.values[from..from + side]);
            }
            // As far as the detector sees, which is farther than the window: beside the bright middle of a spectrum the window would else
            // follow what is dim.
            let wide = (detector - side) / 2;
            let reach = |first: usize, len: usize| first.saturating_sub(wide)..(first + side + wide).min(len);
            for row in reach(top, self.rows) {
                for column in reach(first, self.columns) {
                    most = most.max(self.values[row * self.columns + column].norm_sqr());
                }
            }
            for row in 0..side {
                let from = (top + row) * self.columns + first;
                for column in 0..side {
                    let at = row * side + column;
                    self.values[from + column] += self.moved[at].conj() * change[at] * (step / brightest);
                }
            }
            if position_step > 0.0 {
                self.move_one(k, &cut, &change, position_step);
            }
            if window_step > 0.0 {
                self.correct_window(&cut, &change, window_step / most, self.fraction(centre));
            }
        }
        if all > 0.0 { left / all } else { f64::NAN }
    }

    fn correct_window(&mut self, cut: &[Value], change: &[Value], step: f32, by: [f64; 2]) {
        if self.geometry == Geometry::Spectrum {
            if let Some(smooth) = &mut self.smooth {
                smooth.add(cut, change);
            }
            return;
        }
        if self.smooth.is_some() {
            let mut wants: Vec<Value> = cut.iter().zip(change).map(|(cut, change)| cut.conj() * change).collect();
            self.move_back(&mut wants, by);
            self.wanted.iter_mut().zip(&wants).for_each(|(sum, wants)| *sum += wants);
            self.lit.iter_mut().zip(cut).for_each(|(sum, cut)| *sum += cut.norm_sqr());
            return;
        }
        let mut correction: Vec<Value> =
            cut.iter().zip(change).map(|(cut, change)| cut.conj() * change * step).collect();
        self.move_back(&mut correction, by);
        self.window.iter_mut().zip(&correction).for_each(|(window, correction)| *window += correction);
    }

    fn move_back(&mut self, values: &mut [Value], by: [f64; 2]) {
        if by != [0.0; 2] {
            self.small.forward(values, &mut self.small_work);
            ramp(values, [-by[0], -by[1]], self.side);
            self.small.inverse(values, &mut self.small_work);
        }
    }

    /// The law of a smooth pupil, or of the transform of a probe where a lens bounds it; none of other probes.
    fn smooth_pupil(&mut self, window: &Plane, order: usize, powers: usize) -> Result<Option<SmoothPupil>> {
        if self.geometry == Geometry::Spectrum {
            return Ok(Some(SmoothPupil::new(window, 1, order, powers)));
        }
        let mut spectrum = self.window.clone();
        self.small.forward(&mut spectrum, &mut self.small_work);
        let spectrum = to_middle(&spectrum, self.side);
        let most = spectrum.iter().map(Complex::norm_sqr).fold(0.0, f32::max);
        let open = |value: &Value| value.norm_sqr() > OPEN * most;
        let count = spectrum.iter().filter(|value| open(value)).count();
        if count < 2 || count as f64 > LENS * (self.side * self.side) as f64 {
            return Ok(None);
        }
        let passed = spectrum.iter().map(|value| if open(value) { 1.0 } else { 0.0 }.into()).collect();
        // a probe that is moved, or turned as a whole, is the same with the positions moved or the object turned
        Ok(Some(SmoothPupil::new(&Plane::new(self.side, self.side, passed)?, 4, order, powers)))
    }

    /// Corrects a smooth window by what the exposures of the sweep wanted of it.
    fn correct_smoothly(&mut self, share: f64) {
        let Some(smooth) = &mut self.smooth else { return };
        if self.geometry == Geometry::Spectrum {
            smooth.correct(&mut self.window, share);
            return;
        }
        let most = self.lit.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let mut change: Vec<Value> =
            self.wanted.iter().zip(&self.lit).map(|(wanted, lit)| wanted / (lit + 0.01 * most)).collect();
        let mut spectrum = self.window.clone();
        for values in [&mut change, &mut spectrum] {
            self.small.forward(values, &mut self.small_work);
            *values = to_middle(values, self.side);
        }
        smooth.add(&vec![Complex::new(1.0, 0.0); change.len()], &change);
        smooth.correct(&mut spectrum, share);
        self.window = to_corner(&spectrum, self.side);
        self.small.inverse(&mut self.window, &mut self.small_work);
        self.wanted.fill(ZERO);
        self.lit.fill(0.0);
    }

    /// Moves each position to the one that explains its frame best, of those whole pixels away.
    fn search_positions(&mut self, order: &[usize], radius: isize) {
        for &k in order {
            let frame = self.which[k];
            let centre = self.centres[frame];
            self.forward(k);
            let (mut best, mut least) = (centre, self.squares(k));
            for place in 0..(2 * radius + 1).pow(2) {
                let by = [place / (2 * radius + 1) - radius, place % (2 * radius + 1) - radius];
                let trial = self.within([centre[0] + by[0] as f64, centre[1] + by[1] as f64]);
                if trial == centre
                    || [0, 1].iter().any(|&axis| (trial[axis] - centre[axis] - by[axis] as f64).abs() > 1e-9)
                {
                    continue; // over the edge of the field
                }
                self.project(self.first(trial));
                let squares = self.squares(k);
                if squares < least {
                    (best, least) = (trial, squares);
                }
            }
            self.centres[frame] = best;
        }
    }

    /// The position itself, or the nearest whose window lies in the field.
    fn within(&self, centre: [f64; 2]) -> [f64; 2] {
        [(0, self.rows), (1, self.columns)].map(|(axis, len)| {
            let most = ((len - self.side) as f64 / 2.0 - 1.0).max(0.0);
            centre[axis].clamp(-most, most)
        })
    }

    /// Squared differences of amplitudes, summed.
    fn squares(&self, k: usize) -> f64 {
        let each = |(value, wanted): (&Value, &f32)| {
            if *wanted >= 0.0 { f64::from((value.norm() - wanted).powi(2)) } else { 0.0 }
        };
        self.field.iter().zip(&self.amplitudes[k]).map(each).sum()
    }

    /// Moves one position by least squares of the change on the derivatives of the moved probe.
    fn move_one(&mut self, k: usize, cut: &[Value], change: &[Value], share: f64) {
        let side = self.side;
        let mut slopes = [Vec::new(), Vec::new()];
        let mut spectrum = self.moved.clone();
        self.small.forward(&mut spectrum, &mut self.small_work);
        for (axis, slope) in slopes.iter_mut().enumerate() {
            let mut own = spectrum.clone();
            for (place, value) in own.iter_mut().enumerate() {
                let at = if axis == 0 { place / side } else { place % side };
                *value *= Complex::new(0.0, -(TAU * frequency(at, side)) as f32);
            }
            self.small.inverse(&mut own, &mut self.small_work);
            *slope = own;
        }
        let mut normal = [[0.0_f64; 2]; 2];
        let mut right = [0.0_f64; 2];
        for place in 0..side * side {
            let [down, along] = [slopes[0][place] * cut[place], slopes[1][place] * cut[place]];
            let inner = |a: Value, b: Value| f64::from(a.re * b.re + a.im * b.im);
            normal[0][0] += inner(down, down);
            normal[1][1] += inner(along, along);
            normal[0][1] += inner(down, along);
            right[0] += inner(down, change[place]);
            right[1] += inner(along, change[place]);
        }
        normal[1][0] = normal[0][1];
        let ridge = 1e-3 * (normal[0][0] + normal[1][1]) + f64::MIN_POSITIVE;
        normal[0][0] += ridge;
        normal[1][1] += ridge;
        let by = solve(normal, right);
        let frame = self.which[k];
        let step = by.map(|by| (share * by).clamp(-LONGEST_STEP, LONGEST_STEP));
        let [row, column] = self.centres[frame];
        self.centres[frame] = self.within([row + step[0], column + step[1]]);
    }

    /// For each light the place beside it, or its own, that explains its frame best, by a parabola through the misfits; with its weight.
    fn wanted_moves(&mut self, order: &[usize]) -> Vec<(usize, [f64; 2], f64)> {
        let mut wanted = Vec::with_capacity(order.len());
        self.moved.copy_from_slice(&self.window);
        for &k in order {
            let frame = self.which[k];
            let centre = self.centres[frame];
            let mut at = |by: [f64; 2]| {
                let first = self.first([centre[0] + by[0], centre[1] + by[1]]);
                self.project(first);
                self.misfit(k)
            };
            let (here, all) = at([0.0; 2]);
            if all <= 0.0 {
                continue;
            }
            let mut by = [0.0; 2];
            for (axis, by) in by.iter_mut().enumerate() {
                let mut step = [0.0; 2];
                step[axis] = 1.0;
                let (ahead, _) = at(step);
                step[axis] = -1.0;
                let (behind, _) = at(step);
                let bend = ahead + behind - 2.0 * here;
                *by = if ahead < here || behind < here {
                    if ahead < behind { 1.0 } else { -1.0 }
                } else if bend > 0.0 {
                    ((behind - ahead) / (2.0 * bend)).clamp(-0.5, 0.5)
                } else {
                    0.0
                };
                // Centres are rounded for the window; what is left of them is part of the way.
                *by += centre[axis].round() - centre[axis];
            }
            wanted.push((frame, by, 1.0));
        }
        wanted
    }

    fn move_to(&mut self, centres: &[[f64; 2]]) {
        self.centres.copy_from_slice(centres);
    }

    fn plane(&self) -> Result<Plane> {
        let wide = self.values.iter().map(|v| Complex::new(f64::from(v.re), f64::from(v.im))).collect();
        Plane::new(self.rows, self.columns, wide)
    }

    fn window_plane(&self) -> Result<Plane> {
        let wide = self.window.iter().map(|v| Complex::new(f64::from(v.re), f64::from(v.im))).collect();
        Plane::new(self.side, self.side, wide)
    }
}

/// Moves what a transform is of by so many places.
fn ramp(spectrum: &mut [Value], by: [f64; 2], side: usize) {
    let turns = |by: f64| -> Vec<Value> {
        (0..side)
            .map(|place| {
                let turn = Complex::cis(-TAU * by * frequency(place, side));
                Complex::new(turn.re as f32, turn.im as f32)
            })
            .collect()
    };
    let (down, along) = (turns(by[0]), turns(by[1]));
    for (row, down) in spectrum.chunks_exact_mut(side).zip(&down) {
        row.iter_mut().zip(&along).for_each(|(value, along)| *value *= down * along);
    }
}

/// Cycles per place, the frequency nought first.
fn frequency(place: usize, side: usize) -> f64 {
    let place = if place < side.div_ceil(2) { place as f64 } else { place as f64 - side as f64 };
    place / side as f64
}
