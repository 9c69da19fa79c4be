//! Units of what a scan looks for, and the maps of the whole scan: what keeps it where it was said to be, and what it follows at once.

use super::{Scan, likelihood::SMALL};
use crate::calibration::forward::{ZERO, frequency};

/// Maps of the whole scan that its object follows at once: turned, and drawn out along two directions. Frames tell them, but object and positions
/// by themselves would follow only slowly.
const WARPS: [[[f64; 2]; 2]; 3] = [[[0.0, -1.0], [1.0, 0.0]], [[0.0, 1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, -1.0]]];
/// Share of the brightest light of places that follow a map.
const LIT: f32 = 0.05;
/// Pixels at the rms radius of the scan by which the curvature along maps is found.
const TRIAL: f64 = 0.05;
/// Share of the brightest light of the object's places that dark ones are taken to have.
const DARK: f32 = 1e-2;

impl Scan {
    /// Units in which the curvature is about one, and the directions that positions keep.
    pub(super) fn measure(&mut self) {
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
    pub(super) fn anchor(&mut self) {
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
pub(super) fn project(directions: &[Vec<f64>], values: &mut [f64]) {
    for direction in directions {
        let along: f64 = direction.iter().zip(values.iter()).map(|(a, b)| a * b).sum();
        values.iter_mut().zip(direction).for_each(|(value, own)| *value -= along * own);
    }
}
