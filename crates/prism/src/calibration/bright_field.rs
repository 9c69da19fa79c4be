//! How an array of lights lies, by its bright frames alone: no object is needed.
//!
//! Where the unscattered wave of a light passes the pupil, the transform of its intensities is, for an object that is not too dark, that wave times
//! the spectrum of the object behind two discs,
//! ```text
//! |I~(k)| ~ |S(k) P(k - c) + conj(S(-k)) conj(P(-k - c))|,
//! ```
//! the pupil about `c`, where the light stands in the spectrum, and the same about `-c` (R. Eckert, Z. F. Phillips, L. Waller, Applied Optics 57, 5434
//! (2018), who look for the edges of the discs in one frame at a time). At one frequency all frames whose disc of one side alone holds it see the same
//! `|S|`, whatever aberrations and brightness are, and frames whose discs do not hold it see noise. So frequencies are sorted by the discs that
//! hold them: the pose under which the logarithms within each sort differ least is the one looked for. It falls into no hole that an object made with
//! a wrong pose digs. Sweeps from there made it worse, so that it stands; where too few frames are bright, [`pose`](super::pose) looks for it.

use num_complex::Complex;

use super::forward::amplitudes;
use crate::{
    Exposures, Lights, Pose, Result,
    held_out::radius_of,
    host_fft::{SquareFft, to_middle},
};

/// Fewer bright frames tell nothing.
const FEWEST: usize = 5;
/// Share of the light of the brightest frame from which on a frame is bright: what an object scatters is less.
const BRIGHT: f64 = 0.5;
/// Frequencies so near to an axis are not asked, in places: a frame ends where its object does not, and its edge shines along them.
const AXES: usize = 1;
/// How far an array may be turned, in degrees, and moved, as a share of the radius of the pupil; both ways, in steps. Its distance stays as
/// said: the rim of the pupil, of which half a place is as much as a millimetre of it, would decide.
const TURNED: f64 = 6.0;
const MOVED: f64 = 0.2;
const STEPS: [i32; 2] = [3, 5];
/// Frequencies that the coarse search asks at most.
const ASKED: usize = 2500;
/// A search ends where its steps are this share of the first.
const FINEST: f64 = 0.02;

/// Logarithms of the transforms of bright frames.
struct Frames<'a> {
    exposures: &'a Exposures,
    lights: Vec<usize>,
    radius: f64,
    /// Frequencies `[row, column]`, each with the logarithms of all frames.
    at: Vec<([f64; 2], Vec<f64>)>,
}

/// The turn and the shift from `said` that bright frames want; `None` where too few are bright.
pub(crate) fn bright_pose(exposures: &Exposures, which: &[usize], said: Pose) -> Result<Option<Pose>> {
    let Some(frames) = Frames::of(exposures, which)? else { return Ok(None) };
    let Some(Lights { array, .. }) = &exposures.lights else { return Ok(None) };
    let turn = TURNED.to_radians() / f64::from(STEPS[0]);
    let shift = MOVED * frames.radius / array.places_per_metre() / f64::from(STEPS[1]);
    let first = [turn, shift, shift];
    let of = |[turned, x, y]: [f64; 3]| Pose {
        rotation: said.rotation + turned,
        shift: [said.shift[0] + x, said.shift[1] + y],
        ..said
    };
    let few = frames.at.len().div_ceil(ASKED);
    let (mut best, mut most) = ([0.0; 3], f64::NEG_INFINITY);
    for turn in -STEPS[0]..=STEPS[0] {
        for x in -STEPS[1]..=STEPS[1] {
            for y in -STEPS[1]..=STEPS[1] {
                let trial = [f64::from(turn) * first[0], f64::from(x) * first[1], f64::from(y) * first[2]];
                let alike = frames.alike(of(trial), few);
                if alike > most {
                    (best, most) = (trial, alike);
                }
            }
        }
    }
    most = frames.alike(of(best), 1);
    let mut share = 0.5;
    while share > FINEST {
        let mut better = false;
        for (parameter, sign) in (0..3).flat_map(|parameter| [(parameter, 1.0), (parameter, -1.0)]) {
            let mut trial = best;
            trial[parameter] += sign * share * first[parameter];
            let alike = frames.alike(of(trial), 1);
            if alike > most {
                (best, most, better) = (trial, alike, true);
            }
        }
        if !better {
            share /= 2.0;
        }
    }
    Ok(Some(of(best)))
}

impl<'a> Frames<'a> {
    fn of(exposures: &'a Exposures, which: &[usize]) -> Result<Option<Self>> {
        let (Some(_), Some(radius)) = (&exposures.lights, radius_of(exposures)) else { return Ok(None) };
        let mut light = Vec::with_capacity(which.len());
        for &frame in which {
            light.push(mean(&amplitudes(exposures, frame)?));
        }
        let most = light.iter().copied().fold(0.0, f64::max);
        let bright = which.iter().zip(&light).filter(|(_, light)| **light > BRIGHT * most);
        let lights: Vec<usize> = bright.map(|(frame, _)| *frame).collect();
        if lights.len() < FEWEST {
            return Ok(None);
        }
        let side = exposures.optics.detector;
        let fft = SquareFft::<f32>::new(side);
        let mut work = fft.work();
        let middle = side / 2;
        // one of each pair of opposite frequencies, as intensities are real
        let places = (middle..side).flat_map(|row| (0..side).map(move |column| (row, column)));
        let far = |(row, column): &(usize, usize)| row.abs_diff(middle).min(column.abs_diff(middle));
        let places: Vec<(usize, usize)> = places.filter(|place| far(place) > AXES).collect();
        let from = |(row, column): &(usize, usize)| [*row as f64 - middle as f64, *column as f64 - middle as f64];
        let mut at: Vec<([f64; 2], Vec<f64>)> =
            places.iter().map(|place| (from(place), Vec::with_capacity(lights.len()))).collect();
        for &frame in &lights {
            let seen = amplitudes(exposures, frame)?;
            let mean = mean(&seen).max(f64::MIN_POSITIVE) as f32;
            let relative = |value: &f32| Complex::new(if *value < 0.0 { 0.0 } else { value * value / mean - 1.0 }, 0.0);
            let mut values: Vec<Complex<f32>> = seen.iter().map(relative).collect();
            fft.forward(&mut values, &mut work);
            let values = to_middle(&values, side);
            for ((row, column), (_, logarithms)) in places.iter().zip(&mut at) {
                logarithms.push(f64::from(values[row * side + column].norm().max(f32::MIN_POSITIVE)).ln());
            }
        }
        Ok(Some(Self { exposures, lights, radius, at }))
    }

    /// How much of the squares of the logarithms the means of the sorts are, at every so many-th frequency.
    fn alike(&self, pose: Pose, every: usize) -> f64 {
        let Some(own) = &self.exposures.lights else { return f64::NEG_INFINITY };
        let all = own.array.centres(pose);
        let centres: Vec<[f64; 2]> = self.lights.iter().map(|light| all[*light]).collect();
        let mut alike = 0.0;
        for ([y, x], logarithms) in self.at.iter().step_by(every) {
            let mut sorts = [(0.0, 0.0); 4];
            for ([row, column], logarithm) in centres.iter().zip(logarithms) {
                // by shares within a place of the rim, so that small moves count
                let holds = |y: f64, x: f64| (self.radius + 0.5 - y.hypot(x)).clamp(0.0, 1.0);
                let (own, other) = (holds(y - row, x - column), holds(y + row, x + column));
                let shares = [(1.0 - own) * (1.0 - other), own * (1.0 - other), (1.0 - own) * other, own * other];
                for ((count, sum), share) in sorts.iter_mut().zip(shares) {
                    *count += share;
                    *sum += share * logarithm;
                }
            }
            alike += sorts.iter().filter(|(count, _)| *count > 1e-9).map(|(count, sum)| sum * sum / count).sum::<f64>();
        }
        alike
    }
}

/// Mean intensity of the pixels that count.
fn mean(amplitudes: &[f32]) -> f64 {
    let good = amplitudes.iter().filter(|value| **value >= 0.0);
    let (sum, count) = good.fold((0.0, 0.0), |(sum, count), value| (sum + f64::from(value * value), count + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LightsSceneConfig, simulate_lights};

    #[test]
    fn a_pose_is_seen_in_bright_frames_whatever_the_focus_and_the_brightness() {
        for (seed, defocus_um, brightness_error) in [(1, 0.0, 0.0), (2, 15.0, 0.1)] {
            let wrong = LightsSceneConfig {
                rotation_deg: 2.0,
                shift_mm: vec![0.6, -0.8],
                defocus_um,
                brightness_error,
                ..LightsSceneConfig::default()
            };
            let scene = simulate_lights(&wrong, seed).unwrap();
            let all: Vec<usize> = (0..wrong.lights).collect();
            let found = bright_pose(&scene.exposures, &all, Pose::default()).unwrap().unwrap();
            let by = |parameter: usize| (found.parameters()[parameter] - scene.pose.parameters()[parameter]).abs();
            // half a degree, a quarter of a place
            assert!(by(0) < 0.5_f64.to_radians() && by(1) < 1e-4 && by(2) < 1e-4, "{found:?} {:?}", scene.pose);
            // without bright frames there is nothing to see
            assert_eq!(bright_pose(&scene.exposures, &[0, 1, 2, 80, 100], Pose::default()).unwrap(), None);
        }
    }
}
