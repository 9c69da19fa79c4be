//! Sharp images from a few small apertures.
//!
//! An instrument sees an object through a small window, again and again at other places: a telescope or an array of LEDs cuts windows of
//! the object's spectrum (Fourier ptychography), a probe cuts windows of the object itself (ptychography). Each exposure is the intensity
//! behind one window. [`Exposures`] are such measurements with the [`Optics`] that made them and what is known of the object.

mod aperture;
mod error;
mod exposures;
mod fourier;
mod grid;
mod incoherent;
mod measurement_system;
pub mod metrics;
mod microscope;
mod noise;
mod certificate;
mod error;
mod exposures;
mod misfit;
mod moved;
mod optics;
mod parameters;
mod plane;
pub mod propagation;
pub mod sampling;
mod simulate;
mod spectrum_law;
mod telescope;
mod zernike;

pub use aperture::Aperture;
pub use error::{Error, Result};
pub use exposures::{Exposures, Frames, InMemory, Knowledge, Noise};
pub use grid::Grid;
pub use incoherent::Incoherent;
pub use measurement_system::{CACHE_BYTES, CacheStats, Image, Measurement, MeasurementSystem};
pub use microscope::{Microscope, MicroscopeConfig};
pub use noise::NoiseConfig;
mod prepared;
mod reconstruct;
mod search;
mod start;
mod variation;

pub use certificate::{Certificate, Correlation};
pub use error::{Error, Result};
pub use exposures::{Exposures, Frames, InMemory, Knowledge, Noise};
pub use misfit::Misfit;
pub use optics::{Geometry, Optics};
pub use parameters::{Free, Model, Units};
pub use plane::Plane;
pub use propagation::Propagator;
pub use sampling::{Pattern, SamplingConfig};
pub use simulate::observe;
pub use telescope::{ApertureType, Propagation, Telescope, TelescopeConfig};
pub use zernike::{Aberration, HIGHEST_ZERNIKE, noll, zernike};
pub use reconstruct::{Reconstruction, ReconstructionConfig, Solver, reconstruct};
pub use search::{Found, Search, Tried};
