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

mod angle;
mod chunks;
mod components;
mod covariance;
mod eigen;
mod error;
mod gradient;
mod groups;
mod layer;
mod modes;
mod moments;
mod number;
mod pca;
mod projector;
mod recovery;
mod refine;
mod solve;
mod spectral_filter;
mod store;
mod streamed;
mod transform;

pub use chunks::{Choice, Chunk, Chunks, Files, Samples};
pub use components::{Basis, Components};
pub use covariance::Covariance;
pub use eigen::{Eigen, HermitianEigen, hermitian_eigen, symmetric_eigen};
pub use error::{Error, Result};
pub use gradient::Share;
pub use groups::{GroupedComponents, GroupedCovariance, Grouping};
pub use layer::{PcaLayer, apply_precomputed_pca_fast};
pub use modes::Modes;
pub use number::Number;
pub use pca::Pca;
pub use projector::{Cleaned, FLOOR_WARNING, Projector};
pub use recovery::{Injection, Recovery};
pub use solve::Solver;
pub use spectral_filter::{Bulk, SpectralFilter, group_count};
pub use store::Stored;
pub use streamed::StreamedFit;
