//! Convolutions in two and three dimensions and their transposes.

mod padding;
mod spec;

pub use padding::Pad;
pub(crate) use spec::Geometry;
pub use spec::{ConvSpec, ConvTransposeSpec};
