//! Which exposures are held out: no fit sees them, and they decide what is chosen.

use cupel_data::Stream;

use crate::{Exposures, Lights};

/// Fewer exposures decide nothing: none is held out.
const FEWEST: usize = 8;
/// Fewest exposures that decide.
const FEWEST_HELD_OUT: usize = 2;
/// The same of an array of lights, whose exposures differ most.
const FEWEST_LIGHTS: usize = 4;
/// Of the pupil's radius: lights so near to its rim are not held out.
const RIM: std::ops::Range<f64> = 0.85..1.15;

/// Exposures to hold out, in their order; never the one nearest to the middle of a spectrum.
pub(crate) fn held_out(exposures: &Exposures, share: f64, seed: u64) -> Vec<usize> {
    let count = exposures.centres.len();
    if share == 0.0 || count < FEWEST {
        return Vec::new();
    }
    if exposures.lights.is_some() {
        let all: Vec<usize> = (0..count).collect();
        return held_out_lights(exposures, &all, share);
    }
    let bright = crate::start::brightest(exposures);
    let wanted = ((share * count as f64).round() as usize).clamp(FEWEST_HELD_OUT, count / 2);
    let mut held: Vec<usize> = Stream::new(seed, "exposures held out")
        .permutation(count)
        .into_iter()
        .filter(|index| Some(*index) != bright)
        .take(wanted)
        .collect();
    held.sort_unstable();
    held
}

/// Of an array of lights: evenly from the middle outwards by where the lights are said to stand, never the one in the middle.
///
/// What a light shows whose unscattered wave just passes the rim of the pupil is said by no other light, so that it cannot judge.
pub(crate) fn held_out_lights(exposures: &Exposures, which: &[usize], share: f64) -> Vec<usize> {
    let Some(Lights { array, pose, .. }) = &exposures.lights else { return Vec::new() };
    let centres = array.centres(*pose);
    let mut order = middle_out(&centres, which);
    if let Some(radius) = radius_of(exposures) {
        order.retain(|frame| !RIM.contains(&(centres[*frame][0].hypot(centres[*frame][1]) / radius)));
    }
    let count = ((share * which.len() as f64).round() as usize).min(order.len() / 2);
    if count < FEWEST_LIGHTS {
        return Vec::new();
    }
    let mut held: Vec<usize> = (0..count).map(|k| order[(2 * k + 1) * order.len() / (2 * count)]).collect();
    held.sort_unstable();
    held
}

/// Places from the middle of the one pupil to its rim.
pub(crate) fn radius_of(exposures: &Exposures) -> Option<f64> {
    let [pupil] = exposures.optics.pupils.as_slice() else { return None };
    let open = pupil.values().iter().filter(|value| value.norm_sqr() > 0.0).count() as f64;
    Some((open / std::f64::consts::PI).sqrt())
}

/// Exposures by the distance of their centres from the middle.
pub(crate) fn middle_out(centres: &[[f64; 2]], which: &[usize]) -> Vec<usize> {
    let far = |frame: &usize| centres[*frame].iter().map(|c| c * c).sum::<f64>();
    let mut order = which.to_vec();
    order.sort_by(|a, b| far(a).total_cmp(&far(b)).then(a.cmp(b)));
    order
}
