//! How an array of lights lies, by where each light would explain its frame best.
//!
//! Each light says which neighbouring place of the spectrum would explain its frame better; the few numbers of the pose follow all of them by least
//! squares with the derivatives of the centres.

use super::{brightness::misfit, forward::Forward};
use crate::{LedArray, Pose};

/// Share of the mean diagonal that is added to it: a distance and a scale of the array are much alike, and what the lights do not tell apart stays.
const RIDGE: f64 = 1e-3;

/// For a light at `centre` the way `[row, column]` to the place beside it, or its own, that explains its frame best, by a parabola through the
/// misfits; `None` where the frame has no light.
pub(super) fn wanted_move(
    forward: &mut Forward,
    centre: [f64; 2],
    wanted: &[f32],
    brightness: [f64; 2],
) -> Option<[f64; 2]> {
    let mut at = |by: [f64; 2]| {
        forward.look([centre[0] + by[0], centre[1] + by[1]]);
        misfit(&forward.field, wanted, brightness, |_| true)
    };
    let (here, all) = at([0.0; 2]);
    if all <= 0.0 {
        return None;
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
    Some(by)
}

/// The pose that follows the moves that lights want, by least squares, by this share of the way.
pub(super) fn moved(array: &LedArray, pose: Pose, wanted: &[(usize, [f64; 2])], share: f64) -> Pose {
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
    for &(light, by) in wanted {
        let gradient = &gradients[light].1;
        for a in 0..N {
            for axis in 0..2 {
                right[a] += gradient[a][axis] / size[a] * by[axis];
                for b in 0..N {
                    normal[a][b] += gradient[a][axis] / size[a] * gradient[b][axis] / size[b];
                }
            }
        }
    }
    let trace: f64 = (0..N).map(|a| normal[a][a]).sum();
    for (a, row) in normal.iter_mut().enumerate() {
        row[a] += RIDGE * trace / N as f64 + f64::MIN_POSITIVE;
    }
    let solved = crate::smooth_pupil::solved(normal.as_flattened().to_vec(), right.to_vec());
    let mut parameters = pose.parameters();
    for a in 0..N {
        parameters[a] += share * solved[a] / size[a];
    }
    Pose::of(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spiral;

    #[test]
    fn a_pose_follows_the_moves_of_its_lights() {
        let array = LedArray {
            lights: spiral(49).into_iter().map(|[x, y]| [4e-3 * f64::from(x), 4e-3 * f64::from(y)]).collect(),
            distance: 0.09,
            glass_thickness: 1e-3,
            glass_index: 1.52,
            wavelength: 532e-9,
            pixel_size: 0.5e-6,
            size: 256,
            mirrored: true,
        };
        let truth = Pose { rotation: 0.02, shift: [4e-4, -6e-4], distance: 1e-3 };
        let (mut pose, there) = (Pose::default(), array.centres(truth));
        for _ in 0..40 {
            let here = array.centres(pose);
            let moves = here.iter().zip(&there).map(|(a, b)| [b[0] - a[0], b[1] - a[1]]).enumerate();
            pose = moved(&array, pose, &moves.collect::<Vec<_>>(), 0.7);
        }
        for (found, truth) in pose.parameters().into_iter().zip(truth.parameters()) {
            assert!((found / truth - 1.0).abs() < 1e-3, "{pose:?}");
        }
    }
}
