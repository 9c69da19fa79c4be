//! Patches of skies: where they are cut, and how they are turned.
//!
//! Neither turning nor shifting a flat sky whose edges meet makes another sky, so one sky is many. What a network sees of them follows from
//! the random numbers of the step alone.

use burn::tensor::{Device, Tensor, TensorData};
use cupel_data::Stream;

use super::prepared_sky::PreparedSky;

/// One way to look at a sky: where it begins, which way its axes run, and whether they change places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    origin: [usize; 2],
    backwards: [bool; 2],
    transposed: bool,
}

/// How a sky is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Views {
    /// Extents of the sky in its plane.
    pub(super) sky: [usize; 2],
    /// Extents of a patch.
    pub(super) patch: [usize; 2],
    /// Whether the edges of the sky meet, so that a patch may begin anywhere.
    pub(super) shifts: bool,
    /// Whether it may be mirrored and transposed.
    pub(super) flips: bool,
}

impl Views {
    /// The view of these random numbers.
    pub(super) fn draw(&self, stream: Stream) -> View {
        let mut rng = stream.rng();
        let mut origin = [0; 2];
        for (axis, origin) in origin.iter_mut().enumerate() {
            let places = if self.shifts { self.sky[axis] } else { self.sky[axis] - self.patch[axis] + 1 };
            *origin = rng.below(places as u64) as usize;
        }
        let mut chance = || self.flips && rng.below(2) == 1;
        let backwards = [chance(), chance()];
        // on a sky that is no square the patch has to be one, or what is transposed has another shape
        let transposed = chance() && self.patch[0] == self.patch[1];
        View { origin, backwards, transposed }
    }

    /// Appends the patch of each channel of `values`, `[channel, x, y, frequency]`, to `into`.
    pub(super) fn cut(&self, view: View, values: &[f32], frequencies: usize, into: &mut Vec<f32>) {
        let ([rows, columns], [height, width]) = (self.sky, self.patch);
        let place = |axis: usize, step: usize| {
            let step = if view.backwards[axis] { self.patch[axis] - 1 - step } else { step };
            (view.origin[axis] + step) % self.sky[axis]
        };
        for channel in values.chunks_exact(rows * columns * frequencies) {
            for a in 0..height {
                for b in 0..width {
                    let (row, column) = if view.transposed { (b, a) } else { (a, b) };
                    let at = (place(0, row) * columns + place(1, column)) * frequencies;
                    into.extend_from_slice(&channel[at..at + frequencies]);
                }
            }
        }
    }
}

/// A batch as the network takes it.
#[derive(Clone, Debug)]
pub struct Patches {
    /// `[batch, inputs, x, y, frequency]`.
    pub inputs: Tensor<5>,
    /// `[batch, outputs, x, y, frequency]`.
    pub estimate: Tensor<5>,
    /// The same.
    pub target: Tensor<5>,
}

/// Patches of `skies`, each with its view.
pub(super) fn batch(skies: &[(&PreparedSky, View)], views: &Views, device: &Device) -> Patches {
    let [height, width] = views.patch;
    let of = |values: fn(&PreparedSky) -> &[f32]| {
        let mut cut = Vec::new();
        for (sky, view) in skies {
            views.cut(*view, values(sky), sky.extents()[2], &mut cut);
        }
        let frequencies = skies.first().map_or(1, |(sky, _)| sky.extents()[2]);
        let channels = cut.len() / (skies.len() * height * width * frequencies).max(1);
        Tensor::from_data(TensorData::new(cut, [skies.len(), channels, height, width, frequencies]), device)
    };
    Patches { inputs: of(PreparedSky::inputs), estimate: of(PreparedSky::estimate), target: of(PreparedSky::target) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(views: Views, view: View) -> Vec<f32> {
        let values: Vec<f32> = (0..24).map(|i| i as f32).collect(); // [1, 3, 4, 2]
        let mut patch = Vec::new();
        views.cut(view, &values, 2, &mut patch);
        patch.iter().step_by(2).map(|value| value / 2.0).collect()
    }

    #[test]
    fn a_patch_begins_where_it_is_told_and_goes_on_around_the_sky() {
        let views = Views { sky: [3, 4], patch: [2, 2], shifts: true, flips: true };
        assert_eq!(cut(views, View::default()), [0.0, 1.0, 4.0, 5.0]);
        assert_eq!(cut(views, View { origin: [2, 3], ..View::default() }), [11.0, 8.0, 3.0, 0.0]);
        assert_eq!(cut(views, View { backwards: [true, false], ..View::default() }), [4.0, 5.0, 0.0, 1.0]);
        assert_eq!(cut(views, View { transposed: true, ..View::default() }), [0.0, 4.0, 1.0, 5.0]);
    }

    #[test]
    fn views_without_shifts_stay_within_the_sky() {
        let views = Views { sky: [5, 7], patch: [4, 4], shifts: false, flips: false };
        let seen: Vec<View> = (0..200).map(|i| views.draw(Stream::new(1, "views").child(i))).collect();
        assert!(seen.iter().all(|view| view.origin[0] <= 1 && view.origin[1] <= 3 && !view.transposed));
        for origin in [[0, 0], [1, 3]] {
            assert!(seen.iter().any(|view| view.origin == origin), "{origin:?}");
        }
        let whole = Views { patch: [5, 7], ..views };
        assert_eq!(whole.draw(Stream::new(1, "views")), View::default());
    }
}
