//! [`LightSweeps`]: an array of lights, its pupil and the brightness of its lights, found with the object by sweeps over the exposures.
//!
//! Exposures are gone through one after the other, many times. The amplitudes of the field that the object, the pupil and the place of a light
//! give are replaced by those measured, and the difference corrects the spectrum (G. Zheng, R. Horstmeyer, C. Yang, Nature Photonics 7, 739 (2013);
//! EPRY: X. Ou, G. Zheng, C. Yang, Optics Express 22, 4960 (2014)):
//! ```text
//! S += step conj(P) d / max|P|^2,   d = F^-1(sqrt(I) z / |z|) - P S
//! ```
//! The pupil is a smooth function and follows all exposures of a sweep at once ([`smooth_pupil`](crate::smooth_pupil)); so do the pose of the array
//! ([`pose`](super::pose)) and the brightness of each exposure ([`brightness`](super::brightness)).
//!
//! The pose is looked for first, from the lights in the middle outwards, with steps that do not fall; then object, pupil and brightness from the
//! start, with steps that do. More sweeps explain the exposures ever better and, from some sweep on, others worse: after each sweep exposures that
//! are held out are asked, and the sweep that foretells them best is kept.

mod saved;

use std::collections::BTreeMap;

use cupel_settings::Settings;
use num_complex::Complex;
use serde::{Deserialize, Serialize};

use super::{
    Calibrated, LightsConfig, Sought,
    brightness::{fitted, misfit, misfit_across, plain},
    forward::{Forward, Value, ZERO, amplitudes, narrow},
    pose::{moved, wanted_move},
};
use crate::{
    Error, Exposures, Geometry, Lights, Plane, Pose, Result,
    held_out::{middle_out, radius_of},
    host_fft::{SquareFft, to_middle},
    smooth_pupil::SmoothPupil,
};

/// The first sweep after which pupil and brightness are corrected: before, they would take up what the object lacks.
const FROM: usize = 1;
/// The same of brightness: what the object lacks at first is of other sizes at other frequencies.
const BRIGHTNESS_FROM: usize = 8;
/// Sweeps without progress on exposures held out after which none is expected.
const PATIENCE: usize = 10;
/// Sweeps that look for the pose, those of them in which ever more lights are used from the middle on, and the fewest lights.
const POSE_SWEEPS: usize = 40;
const GROWTH: usize = 25;
const FIRST_LIGHTS: usize = 9;
/// Step of the object while the pose is looked for, and share of a correction of the pose that is made at once.
const POSE_STEP: f32 = 0.7;
const POSE_SHARE: f64 = 0.7;
/// Keeps dark fields from being divided by nought.
const EPSILON: f32 = 1e-12;

/// What sweeps are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
enum Purpose {
    /// The pose alone; object and pupil are thrown away.
    Pose,
    /// The object, and what else is free.
    Object { probe: bool, brightness: bool },
}

/// Where sweeps begin.
#[derive(Clone, Debug)]
pub(crate) struct Beginning {
    pub(crate) pose: Pose,
    pub(crate) window: Plane,
}

/// Sweeps over the exposures of an array of lights; one advance is one sweep.
pub(crate) struct LightSweeps<'a> {
    exposures: &'a Exposures,
    lights: &'a Lights,
    which: Vec<usize>,
    /// Exposures that judge.
    held: Vec<usize>,
    purpose: Purpose,
    config: LightsConfig,
    /// Amplitudes of exposures, as many as there is memory for.
    kept: BTreeMap<usize, Vec<f32>>,
    forward: Forward,
    smooth: Option<SmoothPupil>,
    centres: Vec<[f64; 2]>,
    begin: Beginning,
    state: State,
    /// Plane and window of the sweep that foretells the exposures held out best.
    best: Option<(Vec<Value>, Vec<Value>)>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    pose: [f64; Pose::PARAMETERS],
    brightness: Vec<[f64; 2]>,
    curve: Vec<f64>,
    /// R-factor of the exposures held out after each sweep.
    judged: Vec<f64>,
    best_brightness: Vec<[f64; 2]>,
}

/// What some sweeps came to.
#[derive(Clone, Debug)]
pub(crate) struct SweptLights {
    pub(crate) model: Calibrated,
    /// Sweeps after which exposures held out were foretold best, all where none were, and their R-factor.
    pub(crate) sweeps: usize,
    pub(crate) held_out_r: f64,
    /// The same where brightness and background of each exposure held out are found by half of its pixels, and the others are judged.
    pub(crate) across_r: f64,
}

impl Beginning {
    /// All as the exposures say.
    pub(crate) fn of(exposures: &Exposures) -> Result<Self> {
        let [window] = exposures.optics.pupils.as_slice() else { return Err(no_lights()) };
        let lights = exposures.lights.as_ref().ok_or_else(no_lights)?;
        Ok(Self { pose: lights.found.unwrap_or(lights.pose), window: window.clone() })
    }
}

/// Exposures whose light stands on the same side of the pupil's rim where it is as on the whole place at which its window is cut; all where none does.
///
/// One that rounding moves over the rim says that the brightest wave of all is there where it is not, and spoils the object at all frequencies around.
fn on_their_side(which: &[usize], centres: &[[f64; 2]], radius: Option<f64>) -> Vec<usize> {
    let Some(radius) = radius else { return which.to_vec() };
    let bright = |[row, column]: [f64; 2]| row.hypot(column) < radius;
    let stays = |frame: &usize| bright(centres[*frame]) == bright(centres[*frame].map(f64::round));
    let stay: Vec<usize> = which.iter().copied().filter(stays).collect();
    if stay.is_empty() { which.to_vec() } else { stay }
}

fn no_lights() -> Error {
    Error::Measurement {
        what: "exposures to calibrate".into(),
        got: "exposures of no array of lights".into(),
        expected: "frames of an array of lights with one pupil".into(),
    }
}

impl<'a> LightSweeps<'a> {
    /// Sweeps that look for the object, and for pupil and brightness where these are sought.
    pub(crate) fn new(
        exposures: &'a Exposures,
        which: &[usize],
        held: &[usize],
        sought: Sought,
        begin: &Beginning,
        config: &LightsConfig,
    ) -> Result<Self> {
        let purpose = Purpose::Object { probe: sought.probe, brightness: sought.brightness };
        Self::with(exposures, which, held, purpose, begin, config)
    }

    /// Sweeps that look for the pose.
    pub(crate) fn for_pose(
        exposures: &'a Exposures,
        which: &[usize],
        begin: &Beginning,
        config: &LightsConfig,
    ) -> Result<Self> {
        Self::with(exposures, which, &[], Purpose::Pose, begin, config)
    }

    fn with(
        exposures: &'a Exposures,
        which: &[usize],
        held: &[usize],
        purpose: Purpose,
        begin: &Beginning,
        config: &LightsConfig,
    ) -> Result<Self> {
        config.check()?;
        exposures.check()?;
        let lights = exposures.lights.as_ref().ok_or_else(no_lights)?;
        if exposures.optics.geometry != Geometry::Spectrum || which.is_empty() {
            return Err(no_lights());
        }
        let mut forward = Forward::new(&exposures.optics)?;
        forward.window = narrow(&begin.window);
        let smooth = matches!(purpose, Purpose::Object { probe: true, .. })
            .then(|| SmoothPupil::new(&exposures.optics.pupils[0], config.pupil_order, config.pupil_powers));
        let frame = 4 * exposures.optics.detector.pow(2);
        let room = exposures.frames.memory() / frame;
        let kept = which.iter().chain(held).take(room);
        let kept = kept.map(|frame| Ok((*frame, amplitudes(exposures, *frame)?))).collect::<Result<_>>()?;
        let brightness: Vec<[f64; 2]> = (0..exposures.centres.len()).map(|frame| exposures.brightness(frame)).collect();
        let centres = lights.array.centres(begin.pose);
        let mut own = Self {
            exposures,
            lights,
            which: on_their_side(which, &centres, radius_of(exposures)),
            held: held.to_vec(),
            purpose,
            config: config.clone(),
            kept,
            forward,
            smooth,
            centres,
            begin: begin.clone(),
            state: State {
                pose: begin.pose.parameters(),
                best_brightness: brightness.clone(),
                brightness,
                curve: Vec::new(),
                judged: Vec::new(),
            },
            best: None,
        };
        own.start()?;
        Ok(own)
    }

    /// The image nearest to the axis.
    fn start(&mut self) -> Result<()> {
        let Some(&nearest) = middle_out(&self.centres, &self.which).first() else { return Ok(()) };
        let frame = self.wanted(nearest)?;
        let (detector, rows, columns) = (self.forward.detector, self.forward.rows, self.forward.columns);
        if rows == columns && rows.is_multiple_of(detector) {
            // Each pixel is repeated: frequencies beyond those of the frame begin as something, and not as nothing.
            let times = rows / detector;
            let at = |place: usize| frame[place / columns / times * detector + place % columns / times].max(0.0);
            let mut wide: Vec<Value> = (0..rows * columns).map(|place| Complex::new(at(place), 0.0)).collect();
            let fft = SquareFft::new(rows);
            fft.forward(&mut wide, &mut fft.work());
            self.forward.values = to_middle(&wide, rows);
            return Ok(());
        }
        let fft = SquareFft::new(detector);
        let mut first: Vec<Value> = frame.iter().map(|value| Complex::new(value.max(0.0), 0.0)).collect();
        fft.forward(&mut first, &mut fft.work());
        let first = to_middle(&first, detector);
        let scale = detector as f32 / rows as f32;
        let (top, left) = (rows / 2 - detector / 2, columns / 2 - detector / 2);
        for row in 0..detector {
            for column in 0..detector {
                self.forward.values[(top + row) * columns + left + column] = first[row * detector + column] / scale;
            }
        }
        Ok(())
    }

    fn wanted(&self, frame: usize) -> Result<Vec<f32>> {
        match self.kept.get(&frame) {
            Some(kept) => Ok(kept.clone()),
            None => amplitudes(self.exposures, frame),
        }
    }

    fn total(&self) -> usize {
        if self.purpose == Purpose::Pose { POSE_SWEEPS } else { self.config.sweeps }
    }

    /// One sweep, with what follows it; whether it was the last.
    fn advance(&mut self, sweep: usize) -> Result<bool> {
        let mut order = self.which.clone();
        let mut step = self.config.step as f32 / (1.0 + self.config.decay * sweep as f64) as f32;
        if self.purpose == Purpose::Pose {
            let share = ((sweep + 1) as f64 / GROWTH as f64).min(1.0);
            let count = (order.len() as f64 * share * share) as usize;
            order = middle_out(&self.lights.array.centres(self.lights.pose), &order);
            order.truncate(count.max(FIRST_LIGHTS));
            order.sort_unstable();
            step = POSE_STEP;
        }
        let left = self.sweep(&order, step, sweep >= FROM)?;
        self.state.curve.push(left);
        if sweep >= FROM {
            match self.purpose {
                Purpose::Pose => self.correct_pose(&order)?,
                Purpose::Object { brightness, .. } => {
                    if let Some(smooth) = &mut self.smooth {
                        smooth.correct(&mut self.forward.window, 1.0);
                    }
                    if brightness && sweep >= BRIGHTNESS_FROM {
                        self.correct_brightness()?;
                    }
                }
            }
        }
        let mut over = sweep + 1 >= self.total();
        if !self.held.is_empty() {
            let left = self.judged()?;
            if self.state.judged.iter().all(|before| left < *before) {
                self.best = Some((self.forward.values.clone(), self.forward.window.clone()));
                self.state.best_brightness.clone_from(&self.state.brightness);
            }
            self.state.judged.push(left);
            over |= sweep + 1 >= self.best_sweep() + PATIENCE;
        }
        Ok(over)
    }

    /// Sweeps after which exposures held out were foretold best.
    fn best_sweep(&self) -> usize {
        let judged = self.state.judged.iter().enumerate();
        judged.min_by(|a, b| a.1.total_cmp(b.1)).map_or(self.state.curve.len(), |(sweep, _)| sweep + 1)
    }

    /// Goes through exposures; gives the misfit on the way.
    fn sweep(&mut self, order: &[usize], step: f32, smoothly: bool) -> Result<f64> {
        let side = self.forward.side;
        let (mut left, mut all) = (0.0_f64, 0.0_f64);
        let mut change = vec![ZERO; side * side];
        let mut cut = vec![ZERO; side * side];
        let brightest =
            self.forward.window.iter().map(Complex::norm_sqr).fold(0.0_f32, f32::max).max(f32::MIN_POSITIVE);
        for &frame in order {
            let wanted = self.wanted(frame)?;
            let forward = &mut self.forward;
            let centre = self.centres[frame];
            forward.look(centre);
            for (value, wanted) in forward.field.iter_mut().zip(&wanted) {
                if *wanted < 0.0 {
                    *value = ZERO;
                    continue;
                }
                let wanted = plain(*wanted, self.state.brightness[frame]);
                let norm = value.norm();
                left += f64::from((norm - wanted).abs());
                all += f64::from(wanted);
                *value *= wanted / (norm + EPSILON) - 1.0;
            }
            forward.back(&mut change);
            let [top, first] = forward.first(centre);
            for row in 0..side {
                let from = (top + row) * forward.columns + first;
                cut[row * side..][..side].copy_from_slice(&forward.values[from..from + side]);
                for column in 0..side {
                    let at = row * side + column;
                    forward.values[from + column] += forward.window[at].conj() * change[at] * (step / brightest);
                }
            }
            if let (Some(smooth), true) = (&mut self.smooth, smoothly) {
                smooth.add(&cut, &change);
            }
        }
        Ok(if all > 0.0 { left / all } else { f64::NAN })
    }

    fn correct_pose(&mut self, order: &[usize]) -> Result<()> {
        let mut moves = Vec::with_capacity(order.len());
        for &frame in order {
            let wanted = self.wanted(frame)?;
            let (centre, brightness) = (self.centres[frame], self.state.brightness[frame]);
            if let Some(by) = wanted_move(&mut self.forward, centre, &wanted, brightness) {
                moves.push((frame, by));
            }
        }
        let pose = moved(&self.lights.array, self.pose(), &moves, POSE_SHARE);
        self.state.pose = pose.parameters();
        self.centres = self.lights.array.centres(pose);
        Ok(())
    }

    /// Brightness of all exposures; the light of all together stays, as the object may be brighter instead.
    fn correct_brightness(&mut self) -> Result<()> {
        let which = self.which.clone();
        let (mut before, mut after) = (0.0, 0.0);
        for &frame in &which {
            let own = self.brightness_of(frame)?;
            let light = self.forward.field.iter().map(|value| f64::from(value.norm_sqr())).sum::<f64>();
            (before, after) = (before + light, after + own[0] * light);
            self.state.brightness[frame] = own;
        }
        if after > 0.0 {
            which.iter().for_each(|frame| self.state.brightness[*frame][0] *= before / after);
        }
        Ok(())
    }

    fn brightness_of(&mut self, frame: usize) -> Result<[f64; 2]> {
        let wanted = self.wanted(frame)?;
        self.forward.look(self.centres[frame]);
        Ok(fitted(&self.forward.field, &wanted, |_| true))
    }

    /// R-factor of the exposures held out, with the brightness that was said of them.
    fn judged(&mut self) -> Result<f64> {
        self.left(|own, frame, wanted| misfit(&own.forward.field, wanted, own.exposures.brightness(frame), |_| true))
    }

    /// The same where brightness and background of each are found by half of its pixels, and the others are judged.
    fn judged_across(&mut self) -> Result<f64> {
        self.left(|own, _, wanted| misfit_across(&own.forward.field, wanted, own.forward.detector))
    }

    fn left(&mut self, of: impl Fn(&Self, usize, &[f32]) -> (f64, f64)) -> Result<f64> {
        let (mut left, mut all) = (0.0, 0.0);
        for frame in self.held.clone() {
            let wanted = self.wanted(frame)?;
            self.forward.look(self.centres[frame]);
            let (own, sum) = of(self, frame, &wanted);
            left += own;
            all += sum;
        }
        Ok(if all > 0.0 { left / all } else { f64::NAN })
    }

    /// How the array lies.
    pub(crate) fn pose(&self) -> Pose {
        Pose::of(self.state.pose)
    }

    /// What was found: after the best sweep where exposures were held out, else after the last.
    pub(crate) fn swept(mut self) -> Result<SweptLights> {
        if let Some((values, window)) = self.best.take() {
            (self.forward.values, self.forward.window) = (values, window);
            self.state.brightness = std::mem::take(&mut self.state.best_brightness);
        }
        let across_r = self.judged_across()?;
        if matches!(self.purpose, Purpose::Object { brightness: true, .. }) {
            // of those held out, two numbers for all their pixels
            for frame in self.held.clone() {
                self.state.brightness[frame] = self.brightness_of(frame)?;
            }
        }
        let held_out_r = self.state.judged.iter().copied().fold(f64::NAN, f64::min);
        let sweeps = self.best_sweep();
        let model = Calibrated {
            plane: self.forward.plane()?,
            window: self.forward.window_plane()?,
            centres: self.centres.clone(),
            pose: Some(self.pose()),
            brightness: self.state.brightness.clone(),
            curve: self.state.curve.clone(),
        };
        Ok(SweptLights { model, sweeps, held_out_r, across_r })
    }

    /// The object as it stands.
    pub(crate) fn object(&self) -> Result<Plane> {
        let plane = self.forward.plane()?;
        let window = self.forward.window_plane()?;
        Calibrated::known(plane, window, Vec::new()).object(Geometry::Spectrum)
    }
}
