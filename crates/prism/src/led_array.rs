//! [`LedArray`]: where the lights of an array stand, and which part of the spectrum each shows.
//!
//! A light at `(x, y)` in a plane at the distance `H` from the object sends a wave of the direction `s (x, y) / l`, `l = |(x, y)|`. In the
//! slide under the object the ray is bent and leaves it beside where it came in (Snell):
//! ```text
//! s = a / sqrt(a^2 + H^2),   l = a + h s / sqrt(n^2 - s^2)
//! ```
//! for a slide of the thickness `h` and the index `n`. The window of the spectrum lies at `s N p / wavelength` places from its middle, for
//! an object of `N` pixels of the size `p`. Source: Zheng, Horstmeyer, Yang, Nature Photonics 7, 739 (2013), and the code published with it.

use crate::{Error, Result};

/// Steps of the fixed point of Snell's law; each gains two digits where the slide is thin against the distance.
const STEPS: usize = 60;

/// An array of lights under a microscope. All lengths are in metres, `x` along columns and `y` along rows of the image.
#[derive(Clone, Debug, PartialEq)]
pub struct LedArray {
    /// Places of the lights in the array, `[x, y]`, in the order of the frames, before it is turned and moved.
    pub lights: Vec<[f64; 2]>,
    /// From the plane of the lights to the object.
    pub distance: f64,
    /// Of the slide, nought where there is none.
    pub glass_thickness: f64,
    /// Index of refraction of the slide.
    pub glass_index: f64,
    /// Of the light.
    pub wavelength: f64,
    /// From one pixel of the object to the next.
    pub pixel_size: f64,
    /// Pixels of the object along one side.
    pub size: usize,
    /// A light at positive `x` shows frequencies at negative ones. Exposures do not tell which it is: the object seen the other way is
    /// mirrored about its middle and conjugated, and explains them as well.
    pub mirrored: bool,
}

/// How an array of lights lies: turned about its own origin first, then moved.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose {
    /// Radians from `x` towards `y`.
    pub rotation: f64,
    /// Metres along `x` and `y`.
    pub shift: [f64; 2],
    /// Metres that it is farther away than said.
    pub distance: f64,
}

impl Pose {
    /// Numbers of a pose.
    pub const PARAMETERS: usize = 4;

    /// Rotation, shift along x and y, distance.
    pub fn parameters(self) -> [f64; Self::PARAMETERS] {
        [self.rotation, self.shift[0], self.shift[1], self.distance]
    }

    /// The inverse of [`parameters`](Self::parameters).
    pub fn of([rotation, x, y, distance]: [f64; Self::PARAMETERS]) -> Self {
        Self { rotation, shift: [x, y], distance }
    }
}

/// How a centre moves with each number of the pose: `[row, column]` for each of [`Pose::parameters`].
pub type PoseGradient = [[f64; 2]; Pose::PARAMETERS];

impl LedArray {
    /// # Errors
    /// [`Error::Optics`] for lengths that cannot be.
    pub fn check(&self) -> Result<()> {
        let positive = [
            ("distance of the lights", self.distance),
            ("wavelength", self.wavelength),
            ("pixel size", self.pixel_size),
            ("index of the glass", self.glass_index),
        ];
        for (what, value) in positive {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::Optics { what, got: value.to_string(), expected: "a number above 0".into() });
            }
        }
        if !(self.glass_thickness >= 0.0 && self.glass_thickness < self.distance) || self.glass_index < 1.0 {
            return Err(Error::Optics {
                what: "glass under the object",
                got: format!("{} m of index {}", self.glass_thickness, self.glass_index),
                expected: format!(
                    "thinner than the distance of the lights, {} m, and an index of 1 or more",
                    self.distance
                ),
            });
        }
        Ok(())
    }

    /// Row and column of the window that each light shows, in places from the middle of the spectrum.
    pub fn centres(&self, pose: Pose) -> Vec<[f64; 2]> {
        self.centres_with_gradient(pose).into_iter().map(|(centre, _)| centre).collect()
    }

    /// [`centres`](Self::centres), and how each moves with the pose.
    pub fn centres_with_gradient(&self, pose: Pose) -> Vec<([f64; 2], PoseGradient)> {
        let (sin, cos) = pose.rotation.sin_cos();
        self.lights
            .iter()
            .map(|&[x, y]| {
                let (turned_x, turned_y) = (cos * x - sin * y, sin * x + cos * y);
                let (x, y) = (turned_x + pose.shift[0], turned_y + pose.shift[1]);
                let wave = self.wave(x, y, self.distance + pose.distance);
                let along_x = wave.along_x;
                let along_y = wave.along_y;
                let turned = [
                    along_y[0] * turned_x - along_x[0] * turned_y, // x' = -y, y' = x
                    along_y[1] * turned_x - along_x[1] * turned_y,
                ];
                (wave.centre, [turned, along_x, along_y, wave.along_distance])
            })
            .collect()
    }

    /// Sines of the angles at which the lights shine, in the order of the frames.
    pub fn numerical_apertures(&self, pose: Pose) -> Vec<f64> {
        let places = self.scale().abs();
        self.centres(pose).iter().map(|[row, column]| row.hypot(*column) / places).collect()
    }

    /// Places that the window of a light under the object moves, where the array moves by a metre.
    pub(crate) fn places_per_metre(&self) -> f64 {
        self.scale().abs() / (self.distance + self.glass_thickness / self.glass_index)
    }

    /// Places of the spectrum for a sine of 1.
    fn scale(&self) -> f64 {
        let places = self.size as f64 * self.pixel_size / self.wavelength;
        if self.mirrored { -places } else { places }
    }

    fn wave(&self, x: f64, y: f64, height: f64) -> Wave {
        let (thickness, index) = (self.glass_thickness, self.glass_index);
        let lateral = x.hypot(y);
        let mut beside = 0.0;
        for _ in 0..STEPS {
            let sine = (lateral - beside) / (lateral - beside).hypot(height);
            beside = thickness * sine / (index * index - sine * sine).sqrt();
        }
        let in_air = lateral - beside;
        let ray = in_air.hypot(height);
        let sine = in_air / ray;
        // Derivatives of the two equations above, solved for those of the sine.
        let (sine_in_air, sine_height) = (height * height / ray.powi(3), -in_air * height / ray.powi(3));
        let bend = thickness * index * index / (index * index - sine * sine).powf(1.5);
        let sine_lateral = sine_in_air / (1.0 + bend * sine_in_air);
        let sine_distance = sine_height / (1.0 + bend * sine_in_air);
        let scale = self.scale();
        // The sine over the lateral distance, and how it changes; both have a limit under the object.
        let near = lateral < 1e-9 * height;
        let slope = if near { sine_lateral } else { sine / lateral };
        let bent = if near { 0.0 } else { (sine_lateral - slope) / (lateral * lateral) };
        Wave {
            centre: [scale * slope * y, scale * slope * x],
            along_x: [scale * bent * x * y, scale * (slope + bent * x * x)],
            along_y: [scale * (slope + bent * y * y), scale * bent * x * y],
            along_distance: if near {
                [0.0; 2]
            } else {
                [scale * sine_distance * y / lateral, scale * sine_distance * x / lateral]
            },
        }
    }
}

/// Centre of a window and its derivatives, `[row, column]` each.
struct Wave {
    centre: [f64; 2],
    along_x: [f64; 2],
    along_y: [f64; 2],
    along_distance: [f64; 2],
}

/// Steps `[x, y]` of `count` places on a square spiral from the middle: one to +x, one to +y, two to -x, two to -y, three to +x.
pub fn spiral(count: usize) -> Vec<[i32; 2]> {
    let mut places = Vec::with_capacity(count);
    let (mut here, mut length) = ([0_i32, 0_i32], 1);
    let mut directions = [[1, 0], [0, 1], [-1, 0], [0, -1]].into_iter().cycle();
    places.push(here);
    while places.len() < count {
        for direction in directions.by_ref().take(2) {
            for _ in 0..length {
                here = [here[0] + direction[0], here[1] + direction[1]];
                places.push(here);
            }
        }
        length += 1;
    }
    places.truncate(count);
    places
}

/// Steps `[x, y]` of an array row by row, its middle at nought (between two lights where their number is even).
pub fn raster(rows: usize, columns: usize) -> Vec<[f64; 2]> {
    let middle = |count: usize| (count as f64 - 1.0) / 2.0;
    let place = |index: usize| [(index % columns) as f64 - middle(columns), (index / columns) as f64 - middle(rows)];
    (0..rows * columns).map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blood_smear() -> LedArray {
        let lights = spiral(225).into_iter().map(|[x, y]| [4e-3 * f64::from(x), 4e-3 * f64::from(y)]).collect();
        LedArray {
            lights,
            distance: 90.88e-3,
            glass_thickness: 1e-3,
            glass_index: 1.52,
            wavelength: 532e-9,
            pixel_size: 1.845e-6 / 4.0,
            size: 512,
            mirrored: true,
        }
    }

    // Golden numbers of data/prism/fpm_check.json (numpy, own code).
    #[test]
    fn the_geometry_is_that_of_the_reference() {
        let array = blood_smear();
        let pose = Pose { shift: [0.0, 0.35e-3], ..Pose::default() };
        let largest = array.numerical_apertures(pose).into_iter().fold(0.0, f64::max);
        assert!((largest - 0.399_243_390_251_781_3).abs() < 1e-12, "{largest}");
        let centres = array.centres(pose);
        let mut steps: Vec<f64> =
            centres.windows(2).map(|pair| (pair[1][0] - pair[0][0]).hypot(pair[1][1] - pair[0][1])).collect();
        steps.sort_by(f64::total_cmp);
        assert!((steps[112] + steps[111] - 2.0 * 18.606_406_344_484_746).abs() < 1e-9, "{}", steps[112]);
        // The first light stands .35 mm beside the axis; mirrored, its window lies at negative rows.
        assert!(centres[0][0] < -1.0 && centres[0][1] == 0.0);
    }

    #[test]
    fn centres_move_as_their_derivatives_say() {
        let array = blood_smear();
        let at = [0.03, 4e-4, -7e-4, 1.1e-3];
        let gradients = array.centres_with_gradient(Pose::of(at));
        for (parameter, step) in [1e-5, 1e-8, 1e-8, 1e-7].into_iter().enumerate() {
            let moved = |sign: f64| {
                let mut moved = at;
                moved[parameter] += sign * step;
                array.centres(Pose::of(moved))
            };
            let (ahead, behind) = (moved(1.0), moved(-1.0));
            for (light, (_, gradient)) in gradients.iter().enumerate() {
                for axis in 0..2 {
                    let difference = (ahead[light][axis] - behind[light][axis]) / (2.0 * step);
                    let scale = gradients.iter().map(|(_, g)| g[parameter][axis].abs()).fold(0.0, f64::max);
                    assert!(
                        (gradient[parameter][axis] - difference).abs() < 1e-5 * scale,
                        "light {light}, parameter {parameter}: {} {difference}",
                        gradient[parameter][axis]
                    );
                }
            }
        }
    }

    #[test]
    fn a_light_under_the_object_has_the_limit() {
        let array = LedArray { lights: vec![[0.0, 0.0], [1e-7, 0.0]], ..blood_smear() };
        let [(centre, gradient), (_, near)]: [_; 2] = array.centres_with_gradient(Pose::default()).try_into().unwrap();
        assert_eq!(centre, [-0.0, -0.0]);
        assert!((gradient[1][1] / near[1][1] - 1.0).abs() < 1e-9);
    }

    #[test]
    fn a_spiral_fills_the_square_and_a_raster_is_centred() {
        let mut places = spiral(25);
        assert_eq!(places[..7], [[0, 0], [1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1]]);
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), 25);
        assert!(places.iter().all(|place| place.iter().all(|step| step.abs() <= 2)));
        assert_eq!(raster(1, 3), [[-1.0, 0.0], [0.0, 0.0], [1.0, 0.0]]);
        assert_eq!(raster(2, 2)[0], [-0.5, -0.5]);
    }
}
