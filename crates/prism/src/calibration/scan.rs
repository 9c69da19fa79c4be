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

use cupel_train::{Descent, Objective};
use num_complex::Complex;

use super::{
    Calibrated,
    forward::{Value, ZERO, frequency, ramp},
};
use crate::{
    Error, Exposures, Geometry, Noise, Plane, Result,
    host_fft::{SquareFft, Work, to_corner},
    variation::total_variation,
    zernike,
};

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
/// Height of an edge that total variation counts by its square.
const SMOOTHING: f64 = 0.02;
/// Steps on the object alone, then with the probe, then of each round with positions, and of the last round.
const OBJECT_STEPS: usize = 8;
const PROBE_STEPS: usize = 12;
const ROUND_STEPS: usize = 18;
/// Whole pixels around each position that are searched after the first rounds; rounds without a search, and last ones.
const SEARCHES: [isize; 3] = [3, 2, 2];
const ROUNDS: usize = 6;
const LAST_ROUNDS: usize = 12;
/// Maps of the whole scan that its object follows at once: turned, and drawn out along two directions. Frames tell them, but object and positions
/// by themselves would follow only slowly.
const WARPS: [[[f64; 2]; 2]; 3] = [[[0.0, -1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, -1.0]]];
/// Share of the brightest light of places that follow a map.
const LIT: f32 = 0.05;
/// Pixels at the rms radius of the scan by which the curvature along maps is found.
const TRIAL: f64 = 0.05;
/// Most pixels that a position moves in one round.
const LONGEST_MOVE: f64 = 1.5;
/// Pairs that the curvature is known from.
const MEMORY: usize = 10;
/// Share of the brightest light of the object's places that dark ones are taken to have.
const DARK: f32 = 1e-2;
/// The likelihood counts so little that gradients are less than one: a first step is then as long as they are.
const SMALL: f64 = 1e-8;
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

/// What one frame is seen by.
struct Seen {
    /// Transform of the moved probe, the moved probe, the part of the object under it, the wave on the detector.
    spectrum: Vec<Value>,
    probe: Vec<Value>,
    field: Vec<Value>,
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

    /// Units in which the curvature is about one, and the directions that positions keep.
    fn measure(&mut self) {
        let (side, columns) = (self.side, self.columns);
        let spectrum = self.turned(&self.coefficients);
        let mut probe = spectrum.clone();
        self.fft.inverse(&mut probe, &mut self.work);
        let mut light = vec![0.0_f32; self.rows * columns];
        let mut seen = 0.0_f64;
        for k in 0..self.which.len() {
            let from = self.first(k);
            for row in 0..side {
                let at = from + row * columns;
                for column in 0..side {
                    let power = probe[row * side + column].norm_sqr();
                    light[at + column] += power;
                    seen += f64::from(power * self.object[at + column].norm_sqr());
                }
            }
        }
        let power: f64 = spectrum.iter().map(|value| f64::from(value.norm_sqr())).sum();
        let all = seen / power.max(f64::MIN_POSITIVE); // of all frames together, for one unit of the probe's power
        let most = light.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let unit = |curvature: f64| 1.0 / (SMALL * curvature.max(f64::MIN_POSITIVE)).sqrt();
        self.object_units = light.iter().map(|light| unit(0.5 * f64::from(light + DARK * most))).collect();
        self.coefficient_units = self
            .phases
            .iter()
            .map(|phase| {
                let bend: f64 = phase.iter().zip(&spectrum).map(|(z, value)| f64::from(z * z * value.norm_sqr())).sum();
                unit(0.5 * all * bend)
            })
            .collect();
        let bend: f64 = spectrum
            .iter()
            .enumerate()
            .map(|(place, value)| {
                let turn = std::f64::consts::TAU * frequency(place / side, side);
                turn * turn * f64::from(value.norm_sqr())
            })
            .sum();
        self.position_unit = unit(0.5 * all * bend / self.which.len().max(1) as f64);
        self.kept = if self.anchored {
            kept(&self.which.iter().map(|&k| self.centres[k]).collect::<Vec<_>>())
        } else {
            Vec::new()
        };
        self.warp(&light);
    }

    /// Maps of the scan and the units of their sizes.
    fn warp(&mut self, light: &[f32]) {
        self.warps.clear();
        if !(self.free[0] && self.free[2] && self.anchored) {
            return;
        }
        let (rows, columns) = (self.rows, self.columns);
        let most = light.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
        let own: Vec<[f64; 2]> = self.which.iter().map(|&k| self.centres[k]).collect();
        let radius = (own.iter().flatten().map(|c| c * c).sum::<f64>() / own.len().max(1) as f64).sqrt().max(1.0);
        let apply = |map: &[[f64; 2]; 2], at: [f64; 2]| map.map(|row| (row[0] * at[0] + row[1] * at[1]) / radius);
        for map in &WARPS {
            let mut change = vec![ZERO; rows * columns];
            for row in 1..rows - 1 {
                for column in 1..columns - 1 {
                    let place = row * columns + column;
                    // nothing follows where the light that ends there would tear it
                    let share = (light[place] / (LIT * most) - 1.0).clamp(0.0, 1.0);
                    if share == 0.0 {
                        continue;
                    }
                    let [down, along] =
                        apply(map, [row as f64 - (rows / 2) as f64, column as f64 - (columns / 2) as f64]);
                    let slope = |a: usize, b: usize| (self.object[a] - self.object[b]) * 0.5;
                    let slopes = [slope(place + columns, place - columns), slope(place + 1, place - 1)];
                    change[place] = -(slopes[0] * down as f32 + slopes[1] * along as f32) * share;
                }
            }
            self.warps.push((change, own.iter().map(|at| apply(map, *at)).collect()));
        }
        if self.warp_units.is_empty() {
            self.warp_units = vec![1.0; WARPS.len()];
            let x = self.values();
            let mut gradient = vec![0.0; x.len()];
            for warp in 0..WARPS.len() {
                let place = x.len() - WARPS.len() + warp;
                let slopes = [TRIAL, -TRIAL].map(|by| {
                    let mut x = x.clone();
                    x[place] = by;
                    self.evaluate(&x, &mut gradient);
                    gradient[place]
                });
                self.warp_units[warp] = 1.0 / ((slopes[0] - slopes[1]) / (2.0 * TRIAL)).max(SMALL).sqrt();
            }
        }
    }

    /// Takes off what positions are not to have moved: their mean, and their scale.
    fn anchor(&mut self) {
        const TIMES: usize = 5;
        if !self.anchored || !self.free[2] {
            return;
        }
        for _ in 0..TIMES {
            let own: Vec<[f64; 2]> = self.which.iter().map(|&k| self.centres[k]).collect();
            let mut moves: Vec<f64> = self
                .which
                .iter()
                .flat_map(|&k| [0, 1].map(|axis| self.centres[k][axis] - self.said[k][axis]))
                .collect();
            let before = moves.clone();
            project(&kept(&own), &mut moves);
            for (at, (after, before)) in moves.iter().zip(&before).enumerate() {
                self.centres[self.which[at / 2]][at % 2] += after - before;
            }
        }
        let off = self.which.iter().flat_map(|&k| [0, 1].map(|axis| self.centres[k][axis] - self.said[k][axis]));
        self.spread = (off.map(|off| off * off).sum::<f64>() / (2 * self.which.len()) as f64).max(1e-4);
        self.round();
    }

    /// The transform of the probe with these aberrations.
    fn turned(&self, coefficients: &[f64]) -> Vec<Value> {
        let mut spectrum = self.spectrum.clone();
        if coefficients.iter().all(|c| *c == 0.0) {
            return spectrum;
        }
        let mut angle = vec![0.0_f32; spectrum.len()];
        for (phase, c) in self.phases.iter().zip(coefficients) {
            angle.iter_mut().zip(phase).for_each(|(angle, z)| *angle += *c as f32 * z);
        }
        spectrum.iter_mut().zip(&angle).for_each(|(value, angle)| *value *= Complex::cis(*angle));
        spectrum
    }

    /// First place of the object under a frame's window.
    fn first(&self, k: usize) -> usize {
        let at = |axis: usize, len: usize| {
            let first = (len / 2) as f64 + self.whole[k][axis] - (self.side / 2) as f64;
            first.clamp(0.0, (len - self.side) as f64) as usize
        };
        at(0, self.rows) * self.columns + at(1, self.columns)
    }

    fn seen(&mut self, k: usize, object: &[Value], spectrum: &[Value], centre: [f64; 2]) -> Seen {
        let by = [0, 1].map(|axis| centre[axis] - self.whole[k][axis]);
        let mut spectrum = spectrum.to_vec();
        ramp(&mut spectrum, by, self.side);
        let mut probe = spectrum.clone();
        self.fft.inverse(&mut probe, &mut self.work);
        let field = self.behind(k, object, &probe);
        Seen { spectrum, probe, field }
    }

    /// The wave on the detector behind the object under a moved probe.
    fn behind(&mut self, k: usize, object: &[Value], probe: &[Value]) -> Vec<Value> {
        let (side, first) = (self.side, self.first(k));
        let mut field = vec![ZERO; side * side];
        for row in 0..side {
            let under = &object[first + row * self.columns..][..side];
            for (column, under) in under.iter().enumerate() {
                field[row * side + column] = probe[row * side + column] * under;
            }
        }
        self.fft.forward(&mut field, &mut self.work);
        field
    }

    /// A quarter of minus the logarithm of the likelihood of a frame, above its least.
    fn unlike(&self, k: usize, field: &[Value]) -> f64 {
        let each = |(value, count): (&Value, &f32)| {
            if *count < 0.0 {
                return 0.0;
            }
            let (said, made) = (f64::from(value.norm_sqr() + self.dim), f64::from(count + self.dim));
            said - made - made * (said / made).ln()
        };
        0.25 * field.iter().zip(&self.counts[k]).map(each).sum::<f64>()
    }

    /// Moves each position to the one that explains its frame best, of those whole pixels away.
    fn search(&mut self, radius: isize) {
        self.round();
        let object = self.object.clone();
        let spectrum = self.turned(&self.coefficients);
        for k in 0..self.which.len() {
            let centre = self.centres[self.which[k]];
            let seen = self.seen(k, &object, &spectrum, centre);
            let (mut best, mut least) = (centre, self.unlike(k, &seen.field));
            let own = self.whole[k];
            for place in 0..(2 * radius + 1).pow(2) {
                let by = [place / (2 * radius + 1) - radius, place % (2 * radius + 1) - radius].map(|by| by as f64);
                let trial = [centre[0] + by[0], centre[1] + by[1]];
                if by == [0.0; 2] || self.within(trial) != trial {
                    continue;
                }
                self.whole[k] = [own[0] + by[0], own[1] + by[1]];
                let field = self.behind(k, &object, &seen.probe);
                let unlike = self.unlike(k, &field);
                if unlike < least {
                    (best, least) = (trial, unlike);
                }
            }
            self.centres[self.which[k]] = best;
        }
        self.round();
    }

    /// The values that a descent moves: what is away from where it stands, in units.
    fn values(&self) -> Vec<f64> {
        let parts: [fn(&Value) -> f32; 2] = [|value| value.re, |value| value.im];
        let mut values = Vec::with_capacity(self.count());
        if self.free[0] {
            for part in parts {
                values.extend(
                    self.object.iter().zip(&self.object_units).map(|(value, unit)| f64::from(part(value)) / unit),
                );
            }
        }
        if self.free[1] {
            values.extend(self.coefficients.iter().zip(&self.coefficient_units).map(|(c, unit)| c / unit));
        }
        if self.free[2] {
            values.extend(std::iter::repeat_n(0.0, 2 * self.which.len() + self.warps.len()));
        }
        values
    }

    fn count(&self) -> usize {
        let lens = [2 * self.object.len(), self.coefficients.len(), 2 * self.which.len() + self.warps.len()];
        lens.iter().zip(self.free).filter(|(_, free)| *free).map(|(len, _)| len).sum()
    }

    /// Object, coefficients and positions of such values.
    fn of(&self, mut x: &[f64]) -> (Vec<Value>, Vec<f64>, Vec<[f64; 2]>) {
        let mut take = |len: usize| {
            let (part, rest) = x.split_at(len);
            x = rest;
            part
        };
        let mut object = self.object.clone();
        if self.free[0] {
            let (re, im) = (take(object.len()), take(object.len()));
            for (place, value) in object.iter_mut().enumerate() {
                *value = narrow(Complex::new(re[place], im[place]) * self.object_units[place]);
            }
        }
        let mut coefficients = self.coefficients.clone();
        if self.free[1] {
            let own = take(coefficients.len());
            coefficients.iter_mut().zip(own).zip(&self.coefficient_units).for_each(|((c, x), unit)| *c = x * unit);
        }
        let mut centres: Vec<[f64; 2]> = self.which.iter().map(|&frame| self.centres[frame]).collect();
        if self.free[2] {
            let own = take(2 * centres.len());
            centres.iter_mut().flatten().zip(own).for_each(|(c, x)| *c += x * self.position_unit);
            let sizes = take(self.warps.len()).iter().zip(&self.warp_units).map(|(x, unit)| x * unit);
            for (size, (change, moves)) in sizes.zip(&self.warps) {
                object.iter_mut().zip(change).for_each(|(value, change)| *value += change * size as f32);
                let each = centres.iter_mut().flatten().zip(moves.iter().flatten());
                each.for_each(|(c, by)| *c += by * size);
            }
        }
        (object, coefficients, centres)
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

    fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
        let (object, coefficients, centres) = self.of(x);
        let far = |(k, centre): (usize, &[f64; 2])| {
            (0..2).any(|axis| (centre[axis] - self.centres[self.which[k]][axis]).abs() > LONGEST_MOVE)
        };
        if centres.iter().enumerate().any(far) {
            return f64::INFINITY; // too long a step: the descent shortens it
        }
        let (side, columns) = (self.side, self.columns);
        let spectrum = self.turned(&coefficients);
        let mut value = 0.0;
        let mut of_object = vec![ZERO; object.len()];
        let mut of_phase = vec![0.0_f32; side * side];
        let mut of_positions = vec![0.0_f64; 2 * centres.len()];
        let turns: Vec<f32> = (0..side).map(|place| (std::f64::consts::TAU * frequency(place, side)) as f32).collect();
        for (k, centre) in centres.iter().enumerate() {
            let Seen { spectrum: moved, probe, mut field } = self.seen(k, &object, &spectrum, *centre);
            value += self.unlike(k, &field);
            for (wave, count) in field.iter_mut().zip(&self.counts[k]) {
                let share =
                    if *count < 0.0 { 0.0 } else { 0.5 * (1.0 - (count + self.dim) / (wave.norm_sqr() + self.dim)) };
                *wave *= share;
            }
            self.fft.inverse(&mut field, &mut self.work);
            let first = self.first(k);
            if self.free[0] {
                for row in 0..side {
                    let from = first + row * columns;
                    for column in 0..side {
                        let at = row * side + column;
                        of_object[from + column] += probe[at].conj() * field[at];
                    }
                }
            }
            if self.free[1] || self.free[2] {
                for row in 0..side {
                    let under = &object[first + row * columns..][..side];
                    field[row * side..][..side].iter_mut().zip(under).for_each(|(wave, under)| *wave *= under.conj());
                }
                self.fft.forward(&mut field, &mut self.work);
                let mut slope = [0.0_f64; 2];
                for row in 0..side {
                    let (mut down, mut along) = (0.0_f32, 0.0_f32);
                    for (column, turn) in turns.iter().enumerate() {
                        let at = row * side + column;
                        let turned = (moved[at].conj() * field[at]).im;
                        of_phase[at] += turned;
                        down += turned;
                        along += turned * turn;
                    }
                    slope[0] -= f64::from(down * turns[row]);
                    slope[1] -= f64::from(along);
                }
                of_positions[2 * k..2 * k + 2].copy_from_slice(&slope);
            }
        }
        if self.anchored && self.free[2] {
            let weight = 0.25 / self.spread;
            for (k, centre) in centres.iter().enumerate() {
                for axis in 0..2 {
                    let off = centre[axis] - self.said[self.which[k]][axis];
                    value += 0.5 * weight * off * off;
                    of_positions[2 * k + axis] += weight * off;
                }
            }
        }
        let mut out = gradient;
        let mut of_warps = vec![0.0; self.warps.len()];
        if self.free[0] {
            let places = object.len();
            let mut parts: Vec<f64> = object.iter().map(|value| f64::from(value.re)).collect();
            parts.extend(object.iter().map(|value| f64::from(value.im)));
            let (own, rest) = std::mem::take(&mut out).split_at_mut(2 * places);
            own.fill(0.0);
            value += self.prior * total_variation(&parts, columns, 2, SMOOTHING, self.prior, own);
            for (slope, (change, moves)) in of_warps.iter_mut().zip(&self.warps) {
                for (place, change) in change.iter().enumerate() {
                    *slope += f64::from(change.re) * (own[place] + f64::from(of_object[place].re))
                        + f64::from(change.im) * (own[places + place] + f64::from(of_object[place].im));
                }
                *slope += moves.iter().flatten().zip(&of_positions).map(|(by, slope)| by * slope).sum::<f64>();
            }
            for (place, slope) in of_object.iter().enumerate() {
                own[place] = (own[place] + f64::from(slope.re)) * self.object_units[place] * SMALL;
                own[places + place] = (own[places + place] + f64::from(slope.im)) * self.object_units[place] * SMALL;
            }
            out = rest;
        }
        if self.free[1] {
            let (own, rest) = std::mem::take(&mut out).split_at_mut(coefficients.len());
            for ((slot, phase), unit) in own.iter_mut().zip(&self.phases).zip(&self.coefficient_units) {
                *slot = phase.iter().zip(&of_phase).map(|(z, slope)| f64::from(z * slope)).sum::<f64>() * unit * SMALL;
            }
            out = rest;
        }
        if self.free[2] {
            project(&self.kept, &mut of_positions);
            let (own, rest) = std::mem::take(&mut out).split_at_mut(of_positions.len());
            own.iter_mut().zip(&of_positions).for_each(|(slot, slope)| *slot = slope * self.position_unit * SMALL);
            for ((slot, slope), unit) in rest.iter_mut().zip(&of_warps).zip(&self.warp_units) {
                *slot = slope * unit * SMALL;
            }
        }
        value * SMALL
    }
}

impl Objective for Scan {
    fn len(&self) -> usize {
        self.count()
    }

    fn bounds(&self) -> Option<(&[f64], &[f64])> {
        None
    }

    fn value_and_gradient(&mut self, x: &[f64], gradient: &mut [f64]) -> cupel_train::Result<f64> {
        Ok(self.evaluate(x, gradient))
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        cupel_train::fingerprint(&("scan", &self.which, &self.said, self.free))
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

/// Moves along all positions alike, and away from their middle: orthonormal.
fn kept(centres: &[[f64; 2]]) -> Vec<Vec<f64>> {
    let count = centres.len().max(1) as f64;
    let mean = [0, 1].map(|axis| centres.iter().map(|c| c[axis]).sum::<f64>() / count);
    let of = |each: &dyn Fn(&[f64; 2]) -> [f64; 2]| -> Vec<f64> {
        let mut all: Vec<f64> = centres.iter().flat_map(each).collect();
        let size = all.iter().map(|value| value * value).sum::<f64>().sqrt();
        if size > 0.0 {
            all.iter_mut().for_each(|value| *value /= size);
        }
        all
    };
    vec![of(&|_| [1.0, 0.0]), of(&|_| [0.0, 1.0]), of(&|c| [c[0] - mean[0], c[1] - mean[1]])]
}

/// Takes off what lies along these orthonormal directions.
fn project(directions: &[Vec<f64>], values: &mut [f64]) {
    for direction in directions {
        let along: f64 = direction.iter().zip(values.iter()).map(|(a, b)| a * b).sum();
        values.iter_mut().zip(direction).for_each(|(value, own)| *value -= along * own);
    }
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
