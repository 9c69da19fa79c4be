//! [`Patch`]: a flat image cut out of the sphere by gnomonic projection.
//!
//! Calabretta & Greisen, "Representations of celestial coordinates in FITS", A&A 395, 1077 (2002), section 5.1.3 (`TAN`): a direction is
//! where the line to it from the middle of the sphere meets the plane that touches the sphere at the centre of the patch.

use cupel_data::{Celestial, CelestialFrame};
use cupel_settings::choices;

use crate::Healpix;

choices! {
    /// How a pixel of a patch is taken from a map.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Interpolation {
        /// From the four pixels around its middle, by distance
        Bilinear = "bilinear",
        /// From the one in which its middle lies
        Nearest = "nearest",
    }
}

/// A square image in the plane that touches the sphere at its centre; rows go north, columns go west.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Patch {
    /// Longitude and latitude of its middle in degrees.
    pub centre_deg: [f64; 2],
    /// Its side in degrees: as many times the side of the pixel in its middle as it has pixels.
    pub side_deg: f64,
    /// Pixels along its side.
    pub pixels: usize,
    /// How they are taken from a map.
    pub interpolation: Interpolation,
}

impl Patch {
    /// Degrees from pixel to pixel in the middle.
    pub fn step_deg(&self) -> f64 {
        self.side_deg / self.pixels as f64
    }

    /// Where it lies, for a FITS header.
    pub fn celestial(&self, frame: CelestialFrame) -> Celestial {
        let [longitude, latitude] = self.centre_deg;
        let step = self.step_deg();
        Celestial::centred(frame, "TAN", [latitude, longitude], [step, -step], [self.pixels; 2])
    }

    /// Longitude, 0 to 360, and latitude in degrees of the middle of a pixel.
    pub fn direction_deg(&self, row: usize, column: usize) -> [f64; 2] {
        let middle = (self.pixels as f64 - 1.0) / 2.0;
        let step = self.step_deg().to_radians();
        let (east, north) = (-(column as f64 - middle) * step, (row as f64 - middle) * step);
        let (sin, cos) = self.centre_deg[1].to_radians().sin_cos();
        let towards = cos - north * sin;
        let longitude = self.centre_deg[0] + east.atan2(towards).to_degrees();
        let latitude = (sin + north * cos).atan2(east.hypot(towards)).to_degrees();
        [longitude.rem_euclid(360.0), latitude]
    }

    /// What each pixel is made of, row by row: pixels of a map along rings or nested, with weights that add up to 1.
    pub fn sources(&self, map: &Healpix, ordering: crate::Ordering) -> Vec<Vec<(u64, f64)>> {
        let of = |i: usize| {
            let [longitude, latitude] = self.direction_deg(i / self.pixels, i % self.pixels);
            match self.interpolation {
                Interpolation::Nearest => vec![(map.pixel(longitude, latitude, ordering), 1.0)],
                Interpolation::Bilinear => map.neighbours(longitude, latitude, ordering).to_vec(),
            }
        };
        (0..self.pixels * self.pixels).map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Ordering;

    fn patch(centre_deg: [f64; 2]) -> Patch {
        Patch { centre_deg, side_deg: 12.0, pixels: 25, interpolation: Interpolation::Nearest }
    }

    /// The angle between two directions in degrees.
    fn apart_deg(a: [f64; 2], b: [f64; 2]) -> f64 {
        let [[l, b1], [m, b2]] = [a, b].map(|pair| pair.map(f64::to_radians));
        let half = ((b1 - b2) / 2.0).sin().powi(2) + b1.cos() * b2.cos() * ((l - m) / 2.0).sin().powi(2);
        2.0 * half.sqrt().asin().to_degrees()
    }

    #[test]
    fn the_distance_from_the_middle_is_the_tangent_of_the_angle() {
        for centre_deg in [[0.0, 0.0], [123.0, 45.0], [10.0, -90.0], [359.5, 89.0]] {
            let patch = patch(centre_deg);
            assert!(apart_deg(patch.direction_deg(12, 12), centre_deg) < 1e-9);
            for (row, column) in [(0, 0), (24, 3), (12, 20), (5, 12)] {
                let plane = (row as f64 - 12.0).hypot(column as f64 - 12.0) * patch.step_deg().to_radians();
                let apart = apart_deg(patch.direction_deg(row, column), centre_deg);
                assert!((apart.to_radians().tan() / plane - 1.0).abs() < 1e-9, "{centre_deg:?} {row} {column}");
            }
        }
    }

    #[test]
    fn rows_go_north_and_columns_west() {
        let patch = patch([100.0, 20.0]);
        assert!(patch.direction_deg(20, 12)[1] > 20.0 && patch.direction_deg(4, 12)[1] < 20.0);
        assert!(patch.direction_deg(12, 20)[0] < 100.0 && patch.direction_deg(12, 4)[0] > 100.0);
    }

    #[test]
    fn every_pixel_is_made_of_pixels_around_its_middle() {
        let map = Healpix::new(32).unwrap();
        for interpolation in [Interpolation::Nearest, Interpolation::Bilinear] {
            let patch = Patch { interpolation, ..patch([200.0, -70.0]) };
            for (i, sources) in patch.sources(&map, Ordering::Nested).into_iter().enumerate() {
                let middle = patch.direction_deg(i / 25, i % 25);
                assert!((sources.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-12);
                for (pixel, _) in sources {
                    // a pixel is 1.83 degrees wide, and near the poles longer than that
                    assert!(apart_deg(map.centre_deg(pixel, Ordering::Nested), middle) < 3.5);
                }
            }
        }
    }
}
