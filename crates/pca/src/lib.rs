//! Exact principal component analysis of data that arrive in chunks.
//!
//! A [`Covariance`] gathers mean and covariance along one named axis in f64, chunk by chunk, in any number of
//! passes and machines ([`Covariance::merge`]). [`Components`] are its eigenvectors, computed once and exactly.
//!
//! ```
//! use cupel_data::{Axes, Axis, AxisKind, Cube};
//! use cupel_pca::{Covariance, Modes};
//!
//! let band = Axis::new(AxisKind::Wavelength, 2);
//! let axes = Axes::new(vec![Axis::new(AxisKind::Sample, 3), band.clone()])?;
//! let chunk = Cube::new(vec![0.0f32, 0.0, 1.0, 2.0, 2.0, 4.0], axes)?;
//! let mut covariance = Covariance::new(&band);
//! covariance.update(&chunk)?;
//! let components = covariance.components(Modes::Explained(0.99))?;
//! assert_eq!(components.count(), 1); // the points lie on one line
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod components;
mod covariance;
mod eigen;
mod error;

pub use components::{Components, Modes};
pub use covariance::Covariance;
pub use eigen::{Eigen, symmetric_eigen};
pub use error::{Error, Result};
