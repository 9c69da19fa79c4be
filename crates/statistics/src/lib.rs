//! What every science says of its numbers: how they scatter, whether probabilities come true, and sets and intervals
//! that hold the truth as often as promised. On plain slices in f64; knows no tensors and no domain.

mod bootstrap;
pub mod conformal;
mod quantile;
mod reliability;
mod spread;

pub use bootstrap::{Interval, interval};
pub use quantile::quantile;
pub use reliability::{BINS, Bin, Reliability};
pub use spread::Spread;
