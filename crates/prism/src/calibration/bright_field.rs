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
    own: &'a Lights,
    lights: Vec<usize>,
    radius: f64,
    /// Frequencies `[row, column]`, each with the logarithms of all frames.
    at: Vec<([f64; 2], Vec<f64>)>,
}

/// The turn and the shift from `said` that bright frames want; `None` where too few are bright.
pub(crate) fn bright_pose(exposures: &Exposures, which: &[usize], said: Pose) -> Result<Option<Pose>> {
    Ok(Frames::of(exposures, which)?.map(|frames| frames.pose(said)))
}

/// What of the squares that no sort explains at the pose `said` is left at the pose that other bright frames want: every second of them finds, the
/// rest judge, and both ways round; the larger share. `None` where too few are bright.
///
/// It asks for no object, so that neither a focus nor a brightness that is wrong has a say.
pub(crate) fn left_by_bright_pose(exposures: &Exposures, which: &[usize], said: Pose) -> Result<Option<f64>> {
    let Some(frames) = Frames::of(exposures, which)? else { return Ok(None) };
    let mut most = f64::NEG_INFINITY;
    for first in 0..2 {
        let [find, judge] = [first, 1 - first].map(|first| frames.every_second(first));
        if find.lights.len().min(judge.lights.len()) < FEWEST {
            return Ok(None);
        }
        most = most.max(judge.unexplained(find.pose(said)) / judge.unexplained(said));
    }
    Ok(Some(most))
}

impl<'a> Frames<'a> {
    fn of(exposures: &'a Exposures, which: &[usize]) -> Result<Option<Self>> {
        let (Some(own), Some(radius)) = (&exposures.lights, radius_of(exposures)) else { return Ok(None) };
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
        Ok(Some(Self { own, lights, radius, at }))
    }

    /// The turn and the shift that these frames want.
    fn pose(&self, said: Pose) -> Pose {
        let turn = TURNED.to_radians() / f64::from(STEPS[0]);
        let shift = MOVED * self.radius / self.own.array.places_per_metre() / f64::from(STEPS[1]);
        let first = [turn, shift, shift];
        let of = |[turned, x, y]: [f64; 3]| Pose {
            rotation: said.rotation + turned,
            shift: [said.shift[0] + x, said.shift[1] + y],
            ..said
        };
        let few = self.at.len().div_ceil(ASKED);
        let (mut best, mut most) = ([0.0; 3], f64::NEG_INFINITY);
        for turn in -STEPS[0]..=STEPS[0] {
            for x in -STEPS[1]..=STEPS[1] {
                for y in -STEPS[1]..=STEPS[1] {
                    let trial = [f64::from(turn) * first[0], f64::from(x) * first[1], f64::from(y) * first[2]];
                    let alike = self.alike(of(trial), few);
                    if alike > most {
                        (best, most) = (trial, alike);
                    }
                }
            }
        }
        most = self.alike(of(best), 1);
        let mut share = 0.5;
        while share > FINEST {
            let mut better = false;
            for (parameter, sign) in (0..3).flat_map(|parameter| [(parameter, 1.0), (parameter, -1.0)]) {
                let mut trial = best;
                trial[parameter] += sign * share * first[parameter];
                let alike = self.alike(of(trial), 1);
                if alike > most {
                    (best, most, better) = (trial, alike, true);
                }
            }
            if !better {
                share /= 2.0;
            }
        }
        of(best)
    }

    /// Every second frame, from this one on.
    fn every_second(&self, first: usize) -> Self {
        let at =
            self.at.iter().map(|(at, logarithms)| (*at, logarithms.iter().skip(first).step_by(2).copied().collect()));
        let lights = self.lights.iter().skip(first).step_by(2).copied().collect();
        Self { own: self.own, lights, radius: self.radius, at: at.collect() }
    }

    /// Squares of the logarithms that the means of the sorts are not.
    fn unexplained(&self, pose: Pose) -> f64 {
        let all: f64 = self.at.iter().flat_map(|(_, logarithms)| logarithms).map(|value| value * value).sum();
        all - self.alike(pose, 1)
    }

    /// How much of the squares of the logarithms the means of the sorts are, at every so many-th frequency.
    fn alike(&self, pose: Pose, every: usize) -> f64 {
        let all = self.own.array.centres(pose);
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
            let left = |exposures: &Exposures, which: &[usize]| {
                left_by_bright_pose(exposures, which, Pose::default()).unwrap()
            };
            assert!(left(&scene.exposures, &all).unwrap() < 0.95);
            // frames of an array that lies as is said want no pose but that
            let right = LightsSceneConfig { rotation_deg: 0.0, shift_mm: Vec::new(), ..wrong };
            let as_said = simulate_lights(&right, seed).unwrap().exposures;
            assert!(left(&as_said, &all).unwrap() > 0.995);
            // without bright frames there is nothing to see
            assert_eq!(left(&scene.exposures, &[0, 1, 2, 80, 100]), None);
            assert_eq!(bright_pose(&scene.exposures, &[0, 1, 2, 80, 100], Pose::default()).unwrap(), None);
        }
    }
}
