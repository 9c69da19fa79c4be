//! [`Aperture`]: openings that let light pass, as windows of zeros and ones.

use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{Error, Plane, Result};

/// An opening. Lengths are in places of the plane that it is in, and angles in radians.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Aperture {
    /// Every place whose distance from the centre is at most the radius.
    Circle {
        /// Its radius.
        radius: f64,
    },
    /// A regular hexagon with two corners on the row through its centre, as a segment of a mirror.
    Hexagon {
        /// From the centre to a corner, which is also the length of a side.
        side: f64,
    },
    /// A circle with a round shadow in the middle and straight shadows from there to the edge.
    Obscured {
        /// Radius of the opening.
        radius: f64,
        /// Radius of the shadow of a secondary mirror.
        inner: f64,
        /// Number of the vanes that hold it, at equal angles, the first along the row to the right.
        spiders: usize,
        /// Width of a vane.
        spider_width: f64,
    },
}

impl Aperture {
    /// # Errors
    /// [`Error::Optics`] for an opening without light or with impossible lengths.
    pub fn check(&self) -> Result<()> {
        let (radius, lengths) = match *self {
            Self::Circle { radius } => (radius, true),
            Self::Hexagon { side } => (side, true),
            Self::Obscured { radius, inner, spider_width, .. } => {
                (radius, (0.0..radius).contains(&inner) && (0.0..2.0 * radius).contains(&spider_width))
            }
        };
        if radius > 0.0 && radius.is_finite() && lengths {
            return Ok(());
        }
        Err(Error::Optics {
            what: "aperture",
            got: format!("{self:?}"),
            expected: "a radius above 0, and a shadow of at least 0 that is smaller than it".into(),
        })
    }

    /// The radius of the smallest circle around it.
    pub fn radius(&self) -> f64 {
        match *self {
            Self::Circle { radius } | Self::Obscured { radius, .. } => radius,
            Self::Hexagon { side } => side,
        }
    }

    /// Rows, and columns, of a window that holds it wherever its centre lies: `2 ceil(radius) + 1`.
    pub fn window(&self) -> usize {
        2 * self.radius().ceil() as usize + 1
    }

    /// Whether light passes at so many rows and columns from the centre; an edge belongs to the opening.
    pub fn passes(&self, [row, column]: [f64; 2]) -> bool {
        let distance = row * row + column * column;
        match *self {
            Self::Circle { radius } => distance <= radius * radius,
            Self::Hexagon { side } => {
                let (row, column) = (row.abs(), column.abs());
                let height = side * 3.0_f64.sqrt() / 2.0;
                // An edge that corners touch in theory must not be lost to rounding.
                let slack = 1e-12 * side;
                row <= height + slack && 3.0_f64.sqrt() * column + row <= 2.0 * height + slack
            }
            Self::Obscured { radius, inner, spiders, spider_width } => {
                let open = distance <= radius * radius && (inner == 0.0 || distance > inner * inner);
                let shadowed = |vane: usize| {
                    let (sin, cos) = (std::f64::consts::TAU * vane as f64 / spiders as f64).sin_cos();
                    let (along, across) = (column * cos + row * sin, row * cos - column * sin);
                    spider_width > 0.0 && along > 0.0 && across.abs() <= spider_width / 2.0
                };
                open && !(0..spiders).any(shadowed)
            }
        }
    }

    /// The mask as the window around the place nearest to the centre, which lies `offset` rows and columns from that place.
    pub fn mask(&self, offset: [f64; 2]) -> Plane {
        let window = self.window();
        let middle = (window / 2) as f64;
        Plane::from_fn(window, window, |row, column| {
            let passes = self.passes([row as f64 - middle - offset[0], column as f64 - middle - offset[1]]);
            Complex::new(f64::from(u8::from(passes)), 0.0)
        })
    }

    /// Places that let light pass, with the centre on one of them.
    pub fn area(&self) -> usize {
        self.mask([0.0; 2]).values().iter().filter(|value| value.re > 0.0).count()
    }
}

/// The nearest place, and how far the centre lies from it: rows, then columns. Halves are rounded away from nought.
pub(crate) fn split(centre: [f64; 2]) -> ([isize; 2], [f64; 2]) {
    let place = centre.map(f64::round);
    (place.map(|c| c as isize), [centre[0] - place[0], centre[1] - place[1]])
}
