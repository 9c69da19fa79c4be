//! The likelihood of the frames of a scan, as a function of object, aberrations and positions, and its derivatives.

use cupel_train::Objective;
use num_complex::Complex;

use super::{Scan, narrow, units::project};
use crate::{
    calibration::forward::{Value, ZERO, frequency, ramp},
    variation::total_variation,
};

/// Height of an edge that total variation counts by its square.
const SMOOTHING: f64 = 0.02;
/// Most pixels that a position moves in one round.
const LONGEST_MOVE: f64 = 1.5;
/// The likelihood counts so little that gradients are less than one: a first step is then as long as they are.
pub(super) const SMALL: f64 = 1e-8;

/// What one frame is seen by.
pub(super) struct Seen {
    /// Transform of the moved probe.
    spectrum: Vec<Value>,
    pub(super) probe: Vec<Value>,
    /// The wave on the detector.
    pub(super) field: Vec<Value>,
}

impl Scan {
    /// The values that a descent moves: what is away from where it stands, in units.
    pub(super) fn values(&self) -> Vec<f64> {
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

    pub(super) fn count(&self) -> usize {
        let lens = [2 * self.object.len(), self.coefficients.len(), 2 * self.which.len() + self.warps.len()];
        lens.iter().zip(self.free).filter(|(_, free)| *free).map(|(len, _)| len).sum()
    }

    /// Object, coefficients and positions of such values.
    pub(super) fn of(&self, mut x: &[f64]) -> (Vec<Value>, Vec<f64>, Vec<[f64; 2]>) {
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

    /// The transform of the probe with these aberrations.
    pub(super) fn turned(&self, coefficients: &[f64]) -> Vec<Value> {
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
    pub(super) fn first(&self, k: usize) -> usize {
        let at = |axis: usize, len: usize| {
            let first = (len / 2) as f64 + self.whole[k][axis] - (self.side / 2) as f64;
            first.clamp(0.0, (len - self.side) as f64) as usize
        };
        at(0, self.rows) * self.columns + at(1, self.columns)
    }

    pub(super) fn seen(&mut self, k: usize, object: &[Value], spectrum: &[Value], centre: [f64; 2]) -> Seen {
        let by = [0, 1].map(|axis| centre[axis] - self.whole[k][axis]);
        let mut spectrum = spectrum.to_vec();
        ramp(&mut spectrum, by, self.side);
        let mut probe = spectrum.clone();
        self.fft.inverse(&mut probe, &mut self.work);
        let field = self.behind(k, object, &probe);
        Seen { spectrum, probe, field }
    }

    /// The wave on the detector behind the object under a moved probe.
    pub(super) fn behind(&mut self, k: usize, object: &[Value], probe: &[Value]) -> Vec<Value> {
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
    pub(super) fn unlike(&self, k: usize, field: &[Value]) -> f64 {
        let each = |(value, count): (&Value, &f32)| {
            if *count < 0.0 {
                return 0.0;
            }
            let (said, made) = (f64::from(value.norm_sqr() + self.dim), f64::from(count + self.dim));
            said - made - made * (said / made).ln()
        };
        0.25 * field.iter().zip(&self.counts[k]).map(each).sum::<f64>()
    }

    pub(super) fn evaluate(&mut self, x: &[f64], gradient: &mut [f64]) -> f64 {
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
