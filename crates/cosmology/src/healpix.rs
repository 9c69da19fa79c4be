//! HEALPix: the sphere in `12 nside^2` pixels of equal area, on rings of equal latitude, numbered along rings or nested.
//!
//! Gorski et al., "HEALPix: a framework for high-resolution discretization and fast analysis of data distributed on the sphere", ApJ 622, 759
//! (2005), doi:10.1086/427976; the equations cited are its. Twelve base pixels, four around each pole and four on the equator; a nested number is
//! that of the base pixel followed by the interleaved bits of the place in it. Angles are longitude and latitude in degrees.

use std::{
    f64::consts::{FRAC_PI_2, PI, TAU},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The finest map: its pixels are 0.4 milliarcseconds wide, and their numbers still fit into a u64.
const FINEST: u64 = 1 << 29;

/// Ring on which the southernmost corner of each base pixel lies, in units of nside.
const BASE_RING: [u64; 12] = [2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4];
/// Longitude of the centre of each base pixel, in units of pi/4.
const BASE_LONGITUDE: [i64; 12] = [1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7];

/// |z| up to which a direction is in the equatorial zone (equation 4).
const EQUATORIAL_Z: f64 = 2.0 / 3.0;

/// How pixels are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ordering {
    /// Along rings of equal latitude, from the north.
    Ring,
    /// By recursive division of twelve base pixels.
    Nested,
}

impl fmt::Display for Ordering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ring => "ring",
            Self::Nested => "nested",
        })
    }
}

impl FromStr for Ordering {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text.trim().to_lowercase().as_str() {
            "ring" => Ok(Self::Ring),
            "nested" | "nest" => Ok(Self::Nested),
            _ => Err("one of ring, nested".into()),
        }
    }
}

/// The pixels of a map of one resolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Healpix {
    nside: u64,
}

/// Where in its base pixel a pixel is: base pixel, and steps to the north-east and the north-west of its southern corner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Place {
    base: u64,
    east: u64,
    west: u64,
}

/// One ring: the first of its pixels, how many they are, the angle of their centres from the north pole and the longitude of the first
/// one, in radians.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Ring {
    start: u64,
    count: u64,
    theta: f64,
    first_longitude: f64,
}

impl Healpix {
    /// The map with `nside` divisions along the side of a base pixel; a power of two, as nested numbers need it.
    ///
    /// # Errors
    /// [`Error::Healpix`] for other numbers.
    pub fn new(nside: u64) -> Result<Self> {
        if nside.is_power_of_two() && nside <= FINEST {
            return Ok(Self { nside });
        }
        Err(Error::Healpix { problem: format!("nside is {nside}, expected a power of two up to {FINEST}") })
    }

    /// The map with this many pixels.
    ///
    /// # Errors
    /// [`Error::Healpix`] unless they are `12 nside^2` with `nside` a power of two.
    pub fn of_pixels(pixels: u64) -> Result<Self> {
        let nside = (pixels / 12).isqrt();
        match Self::new(nside) {
            Ok(map) if map.pixels() == pixels => Ok(map),
            _ => Err(Error::Healpix {
                problem: format!("{pixels} pixels are no map, expected 12 nside^2 with nside a power of two"),
            }),
        }
    }

    /// Divisions along the side of a base pixel.
    pub fn nside(&self) -> u64 {
        self.nside
    }

    /// The number of pixels, `12 nside^2`.
    pub fn pixels(&self) -> u64 {
        12 * self.nside * self.nside
    }

    /// Solid angle of every pixel in sr.
    pub fn pixel_solid_angle_sr(&self) -> f64 {
        4.0 * PI / self.pixels() as f64
    }

    /// The nested number of the pixel with this number along rings.
    ///
    /// # Panics
    /// When there is no such pixel: "pixel 12 of a map of 12".
    pub fn nested_of_ring(&self, pixel: u64) -> u64 {
        self.nested(self.place_of_ring(pixel))
    }

    /// The number along rings of the pixel with this nested number.
    ///
    /// # Panics
    /// When there is no such pixel: "pixel 12 of a map of 12".
    pub fn ring_of_nested(&self, pixel: u64) -> u64 {
        self.ring_number(self.place_of_nested(pixel))
    }

    /// Longitude from 0 to 360 and latitude of the centre of a pixel in degrees (equations 4 to 9).
    ///
    /// # Panics
    /// When there is no such pixel: "pixel 12 of a map of 12".
    pub fn centre_deg(&self, pixel: u64, ordering: Ordering) -> [f64; 2] {
        let pixel = match ordering {
            Ordering::Ring => pixel,
            Ordering::Nested => self.ring_of_nested(pixel),
        };
        self.check(pixel);
        let ring = self.ring(self.ring_index(pixel));
        let longitude = ring.first_longitude + (pixel - ring.start) as f64 * TAU / ring.count as f64;
        [longitude.to_degrees(), 90.0 - ring.theta.to_degrees()]
    }

    /// The pixel in which a direction lies.
    pub fn pixel(&self, longitude_deg: f64, latitude_deg: f64, ordering: Ordering) -> u64 {
        let place = self.place_of_direction(longitude_deg, latitude_deg);
        match ordering {
            Ordering::Ring => self.ring_number(place),
            Ordering::Nested => self.nested(place),
        }
    }

    /// The four pixels around a direction, two on the ring above and two on the ring below, with weights that add up to 1: bilinear
    /// interpolation in latitude and longitude. Beyond the first and the last ring the four pixels of it share what is left.
    pub fn neighbours(&self, longitude_deg: f64, latitude_deg: f64, ordering: Ordering) -> [(u64, f64); 4] {
        let theta = FRAC_PI_2 - latitude_deg.clamp(-90.0, 90.0).to_radians();
        let longitude = longitude_deg.to_radians().rem_euclid(TAU);
        let above = self.ring_above(theta);
        let below = above + 1;
        let last = 4 * self.nside - 1;
        let mut four = [(0, 0.0); 4];
        let mut thetas = [0.0, PI];
        for (half, index) in [above, below].into_iter().enumerate() {
            if index == 0 || index > last {
                continue;
            }
            let ring = self.ring(index);
            thetas[half] = ring.theta;
            let steps = (longitude - ring.first_longitude) / TAU * ring.count as f64;
            let fraction = steps - steps.floor();
            let left = steps.floor().rem_euclid(ring.count as f64) as u64;
            let right = (left + 1) % ring.count;
            four[2 * half] = (ring.start + left, 1.0 - fraction);
            four[2 * half + 1] = (ring.start + right, fraction);
        }
        let share = ((theta - thetas[0]) / (thetas[1] - thetas[0])).clamp(0.0, 1.0);
        if above == 0 {
            // towards the north pole, whose value is the mean of the first ring
            let (near, rest) = (share, (1.0 - share) / 4.0);
            four = self.polar(four[2], four[3], near, rest, 0);
        } else if below > last {
            let (near, rest) = (1.0 - share, share / 4.0);
            four = self.polar(four[0], four[1], near, rest, self.pixels() - 4);
        } else {
            for (half, share) in [1.0 - share, share].into_iter().enumerate() {
                four[2 * half].1 *= share;
                four[2 * half + 1].1 *= share;
            }
        }
        if ordering == Ordering::Nested {
            four.iter_mut().for_each(|(pixel, _)| *pixel = self.nested_of_ring(*pixel));
        }
        four
    }

    /// The four pixels around a pole: two of them with their shares of `near`, and all with `rest`.
    fn polar(&self, left: (u64, f64), right: (u64, f64), near: f64, rest: f64, start: u64) -> [(u64, f64); 4] {
        std::array::from_fn(|i| {
            let pixel = start + i as u64;
            let own =
                [left, right].iter().filter(|(own, _)| *own == pixel).map(|(_, weight)| weight * near).sum::<f64>();
            (pixel, own + rest)
        })
    }

    fn check(&self, pixel: u64) {
        assert!(pixel < self.pixels(), "pixel {pixel} of a map of {}", self.pixels());
    }

    /// Pixels of each polar cap: `2 nside (nside - 1)`.
    fn cap(&self) -> u64 {
        2 * self.nside * (self.nside - 1)
    }

    /// The ring of a pixel, counted from 1 at the north pole.
    fn ring_index(&self, pixel: u64) -> u64 {
        let (cap, nside) = (self.cap(), self.nside);
        if pixel < cap {
            (1 + 2 * pixel).isqrt().div_ceil(2)
        } else if pixel < self.pixels() - cap {
            (pixel - cap) / (4 * nside) + nside
        } else {
            let from_south = self.pixels() - pixel;
            4 * nside - (2 * from_south - 1).isqrt().div_ceil(2)
        }
    }

    fn ring(&self, index: u64) -> Ring {
        let nside = self.nside;
        let northern = index.min(4 * nside - index);
        let side = self.nside as f64;
        if northern < nside {
            // z = 1 - northern^2 / (3 nside^2), and 1 - z = 2 sin^2(theta / 2)
            let theta = 2.0 * (northern as f64 / (6.0_f64.sqrt() * side)).asin();
            let count = 4 * northern;
            let start = 2 * northern * (northern - 1);
            let first_longitude = PI / count as f64;
            if index == northern {
                Ring { start, count, theta, first_longitude }
            } else {
                Ring { start: self.pixels() - start - count, count, theta: PI - theta, first_longitude }
            }
        } else {
            let z = 4.0 / 3.0 - 2.0 * index as f64 / (3.0 * side);
            let shifted = (index - nside).is_multiple_of(2);
            let count = 4 * nside;
            let first_longitude = if shifted { PI / count as f64 } else { 0.0 };
            Ring { start: self.cap() + (index - nside) * count, count, theta: z.acos(), first_longitude }
        }
    }

    /// The last ring that is no farther from the north pole than this angle; 0 where the first one is.
    fn ring_above(&self, theta: f64) -> u64 {
        let (side, z) = (self.nside as f64, theta.cos());
        let index = if z.abs() <= EQUATORIAL_Z {
            (side * (2.0 - 1.5 * z)).floor() as u64
        } else {
            let from_pole = 6.0_f64.sqrt() * side * (theta.min(PI - theta) / 2.0).sin();
            if z > 0.0 { from_pole.floor() as u64 } else { 4 * self.nside - from_pole.ceil().max(1.0) as u64 }
        };
        // the floor of a rounded number may be one too high
        if index > 0 && self.ring(index).theta > theta { index - 1 } else { index }
    }

    fn place_of_direction(&self, longitude_deg: f64, latitude_deg: f64) -> Place {
        let latitude = latitude_deg.clamp(-90.0, 90.0).to_radians();
        let z = latitude.sin();
        // in quarters of the circle
        let turn = (longitude_deg / 90.0).rem_euclid(4.0);
        let (side, most) = (self.nside as f64, self.nside - 1);
        if z.abs() <= EQUATORIAL_Z {
            // lines that rise and fall across the equatorial zone
            let (middle, slope) = (side * (0.5 + turn), side * z * 0.75);
            let (rising, falling) = ((middle - slope) as u64, (middle + slope) as u64);
            let (rising_base, falling_base) = (rising / self.nside, falling / self.nside);
            let base = match rising_base.cmp(&falling_base) {
                std::cmp::Ordering::Equal => rising_base % 4 + 4,
                std::cmp::Ordering::Less => rising_base % 4,
                std::cmp::Ordering::Greater => falling_base % 4 + 8,
            };
            return Place { base, east: falling % self.nside, west: most - rising % self.nside };
        }
        let quarter = (turn as u64).min(3);
        let within = turn - quarter as f64;
        // nside sqrt(3 (1 - |z|)), without the cancellation at the pole
        let scale = 6.0_f64.sqrt() * side * ((FRAC_PI_2 - latitude.abs()) / 2.0).sin();
        let (right, left) = ((within * scale) as u64, ((1.0 - within) * scale) as u64);
        let (right, left) = (right.min(most), left.min(most));
        if z > 0.0 {
            Place { base: quarter, east: most - left, west: most - right }
        } else {
            Place { base: quarter + 8, east: right, west: left }
        }
    }

    fn place_of_nested(&self, pixel: u64) -> Place {
        self.check(pixel);
        let area = self.nside * self.nside;
        let within = pixel % area;
        Place { base: pixel / area, east: even_bits(within), west: even_bits(within >> 1) }
    }

    fn nested(&self, place: Place) -> u64 {
        place.base * self.nside * self.nside + spread_bits(place.east) + (spread_bits(place.west) << 1)
    }

    fn place_of_ring(&self, pixel: u64) -> Place {
        self.check(pixel);
        let nside = self.nside;
        let index = self.ring_index(pixel);
        let ring = self.ring(index);
        // counted from 1
        let position = pixel - ring.start + 1;
        let (base, shift, northern) = if index < nside {
            ((position - 1) / index, 0, index)
        } else if index <= 3 * nside {
            // which of the lines of base pixels a pixel is between
            let shift = (index + nside) % 2;
            let own = index + 1 - nside;
            let rows = 2 * nside + 2 - own;
            let rising = (position + nside - own / 2 - 1) / nside;
            let falling = (position + nside - rows / 2 - 1) / nside;
            let base = match falling.cmp(&rising) {
                std::cmp::Ordering::Equal => falling % 4 + 4,
                std::cmp::Ordering::Less => falling % 4,
                std::cmp::Ordering::Greater => rising + 8,
            };
            (base, shift, nside)
        } else {
            (8 + (position - 1) / (4 * nside - index), 0, 4 * nside - index)
        };
        let vertical = index as i64 - (BASE_RING[base as usize] * nside) as i64 + 1;
        let mut horizontal = 2 * position as i64 - BASE_LONGITUDE[base as usize] * northern as i64 - shift as i64 - 1;
        if horizontal >= 2 * nside as i64 {
            horizontal -= 8 * nside as i64;
        }
        Place { base, east: ((horizontal - vertical) >> 1) as u64, west: ((-horizontal - vertical) >> 1) as u64 }
    }

    fn ring_number(&self, place: Place) -> u64 {
        let nside = self.nside;
        let index = BASE_RING[place.base as usize] * nside - place.east - place.west - 1;
        let ring = self.ring(index);
        let quarter = ring.count / 4;
        // 1 where the first pixel of the ring lies on the meridian
        let shift = i64::from(ring.first_longitude == 0.0);
        let position =
            (BASE_LONGITUDE[place.base as usize] * quarter as i64 + place.east as i64 - place.west as i64 + 1 + shift)
                / 2;
        ring.start + (position - 1).rem_euclid(ring.count as i64) as u64
    }
}

/// The bits of a number moved to the even places.
fn spread_bits(number: u64) -> u64 {
    (0..32).fold(0, |spread, bit| spread | (number >> bit & 1) << (2 * bit))
}

/// The bits at the even places.
fn even_bits(number: u64) -> u64 {
    (0..32).fold(0, |gathered, bit| gathered | (number >> (2 * bit) & 1) << bit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maps() -> impl Iterator<Item = Healpix> {
        (0..=6).map(|level| Healpix::new(1 << level).unwrap())
    }

    #[test]
    fn numbers_turn_into_one_another_and_back() {
        // healpy 1.20.1: sum of i * ring2nest(nside, i), made by tests/fixtures/make.py
        let sums = [506, 34570, 2247512, 144264960, 9234579776, 590868471680, 37807770743552];
        for (map, expected) in maps().zip(sums) {
            let nested: Vec<u64> = (0..map.pixels()).map(|pixel| map.nested_of_ring(pixel)).collect();
            let sum: u64 = nested.iter().zip(0_u64..).map(|(nested, ring)| nested * ring).sum();
            assert_eq!(sum, expected, "nside {}", map.nside());
            for (ring, &nested) in nested.iter().enumerate() {
                assert_eq!(map.ring_of_nested(nested), ring as u64, "nside {}", map.nside());
            }
        }
    }

    #[test]
    fn the_centre_of_every_pixel_lies_in_it() {
        for map in maps() {
            for ordering in [Ordering::Ring, Ordering::Nested] {
                for pixel in 0..map.pixels() {
                    let [longitude, latitude] = map.centre_deg(pixel, ordering);
                    assert_eq!(map.pixel(longitude, latitude, ordering), pixel, "nside {} {ordering}", map.nside());
                    // the same direction, written otherwise
                    assert_eq!(map.pixel(longitude - 360.0, latitude, ordering), pixel);
                }
            }
        }
    }

    #[test]
    fn directions_and_centres_are_those_of_healpy() {
        let longitudes = [10.5, 123.25, 301.7, 359.9, 45.0, 200.0];
        let latitudes = [41.9, -41.7, 77.3, -89.2, 90.0, -63.1];
        for (nside, ring, nested) in [
            (4, [24, 157, 3, 191, 0, 184], [10, 153, 63, 176, 15, 162]),
            (64, [8071, 40919, 672, 49147, 0, 46422], [2709, 39317, 16274, 45057, 4095, 41696]),
            (
                1024,
                [2087043, 10476922, 153832, 12582299, 0, 11903263],
                [693697, 10065261, 4166392, 11534593, 1048575, 10674211],
            ),
        ] {
            let map = Healpix::new(nside).unwrap();
            for (i, (&longitude, &latitude)) in longitudes.iter().zip(&latitudes).enumerate() {
                assert_eq!(map.pixel(longitude, latitude, Ordering::Ring), ring[i], "nside {nside}, {i}");
                assert_eq!(map.pixel(longitude, latitude, Ordering::Nested), nested[i], "nside {nside}, {i}");
            }
        }
        for (nside, pixel, ring, nested) in [
            (1, 5, [90.0, 0.0], [90.0, 0.0]),
            (4, 100, [281.25, 0.0], [202.5, -9.594068226860458]),
            (64, 12345, [260.859375, 30.0], [314.296875, 7.180755781458274]),
            (64, 49151, [315.0, -89.2690292915739], [315.0, -0.5968418305070315]),
            (1024, 3, [315.0, 89.95431463934247], [45.0, 0.11190589050941924]),
        ] {
            let map = Healpix::new(nside).unwrap();
            for (ordering, expected) in [(Ordering::Ring, ring), (Ordering::Nested, nested)] {
                let centre = map.centre_deg(pixel, ordering);
                assert!((0..2).all(|i| (centre[i] - expected[i]).abs() < 1e-11), "{nside} {pixel} {centre:?}");
            }
        }
    }

    #[test]
    fn neighbours_and_their_weights_are_those_of_healpy() {
        let map = Healpix::new(8).unwrap();
        let golden = [
            (
                [10.5, 41.9],
                [84, 85, 112, 113],
                [0.009680280838693926, 0.0044859838031972, 0.558639116702872, 0.427194618655137],
            ),
            (
                [301.7, 77.3],
                [10, 11, 21, 22],
                [0.66277634991973, 0.170322413945854, 0.07399288135292, 0.09290835478148773],
            ),
            (
                [359.9, -89.2],
                [767, 764, 765, 766],
                [0.28433841339231, 0.28403453362778, 0.215813526489952, 0.215813526489952],
            ),
            ([20.0, 89.5], [1, 2, 3, 0], [0.22863345405622, 0.22863345405622, 0.252374060660419, 0.29035903122713946]),
            (
                [123.25, -41.7],
                [602, 603, 634, 635],
                [0.000800473488931, 0.017210180012035, 0.53463864420503, 0.447350702294002],
            ),
            (
                [359.99, 0.1],
                [367, 336, 399, 368],
                [1.8595255531605594e-5, 0.02090106721755, 0.490410462396816, 0.488669875130099],
            ),
        ];
        for ([longitude, latitude], pixels, weights) in golden {
            let found = map.neighbours(longitude, latitude, Ordering::Ring);
            for (pixel, weight) in pixels.into_iter().zip(weights) {
                let own: f64 = found.iter().filter(|(own, _)| *own == pixel).map(|(_, weight)| weight).sum();
                assert!((own - weight).abs() < 1e-9, "{longitude} {latitude} {pixel}: {own} {weight}");
            }
        }
    }

    #[test]
    fn interpolation_is_exact_on_centres_and_keeps_constants_and_what_is_linear_along_a_ring() {
        for map in maps() {
            for ordering in [Ordering::Ring, Ordering::Nested] {
                for pixel in 0..map.pixels() {
                    let [longitude, latitude] = map.centre_deg(pixel, ordering);
                    let own: f64 = map
                        .neighbours(longitude, latitude, ordering)
                        .into_iter()
                        .filter(|(other, _)| *other == pixel)
                        .map(|(_, weight)| weight)
                        .sum();
                    assert!((own - 1.0).abs() < 1e-6, "nside {} pixel {pixel}: {own}", map.nside());
                }
            }
            for step in 0..500 {
                let (longitude, latitude) = (f64::from(step) * 137.508, f64::from(step % 181) - 90.0);
                let four = map.neighbours(longitude, latitude, Ordering::Nested);
                assert!((four.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-12);
                assert!(four.iter().all(|(pixel, weight)| *pixel < map.pixels() && *weight >= -1e-12));
            }
        }
    }

    #[test]
    fn only_powers_of_two_are_maps() {
        for nside in [0, 3, 12, FINEST * 2] {
            assert!(matches!(Healpix::new(nside), Err(Error::Healpix { .. })), "{nside}");
        }
        assert_eq!(Healpix::of_pixels(49152).unwrap().nside(), 64);
        assert_eq!(
            Healpix::of_pixels(49151).unwrap_err().to_string(),
            "this is no HEALPix map: 49151 pixels are no map, expected 12 nside^2 with nside a power of two"
        );
        let map = Healpix::new(64).unwrap();
        assert!((map.pixel_solid_angle_sr() * 49152.0 / (4.0 * PI) - 1.0).abs() < 1e-15);
    }
}
