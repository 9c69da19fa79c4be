//! Files in and out, named axes, splits, loaders and random streams; no training and no models.

mod axes;
mod cube;
mod error;
mod field;

pub use axes::{Axes, Axis, AxisKind};
pub use cube::{Cube, Finite};
pub use error::{Error, Place, Result};
pub use field::Field;
