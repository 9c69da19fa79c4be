//! Where apertures are put: patterns of centres, in places of the spectrum from its middle, rows first.

mod adaptive;
mod line;
mod overlap;
mod pattern;

pub use adaptive::{Adaptive, next_centre, scan};
pub use line::Line;
pub(crate) use line::moving;
pub use overlap::{Overlap, coverage, disc_overlap, overlap, union};
pub(crate) use overlap::{each_place, mark};
pub use pattern::{
    Pattern, SamplingConfig, Sort, fermat, from_file, half_plane, led_spiral, random, rounded, sorted, star,
};
