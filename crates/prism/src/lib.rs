//! Sharp images from a few small apertures.
//!
//! An instrument sees an object through a small window, again and again at other places: a telescope or an array of LEDs cuts windows of
//! the object's spectrum (Fourier ptychography), a probe cuts windows of the object itself (ptychography). Each exposure is the intensity
//! behind one window. [`Exposures`] are such measurements with the [`Optics`] that made them and what is known of the object.

mod error;
mod exposures;
mod optics;
mod plane;

pub use error::{Error, Result};
pub use exposures::{Exposures, Frames, InMemory, Knowledge, Noise};
pub use optics::{Geometry, Optics};
pub use plane::Plane;
