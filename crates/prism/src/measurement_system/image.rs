//! [`Image`]: an image that knows which version of itself it is.

use std::sync::atomic::{AtomicU64, Ordering};

use burn::tensor::Tensor;
use num_complex::Complex;

use crate::{Plane, Result};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// An image and the number of its version: unlike every other image's, and another after each change.
///
/// A clone is the same version, for it has the same pixels, until one of both changes.
#[derive(Clone, Debug)]
pub struct Image {
    plane: Plane,
    id: u64,
    version: u64,
}

impl Image {
    /// An image of amplitudes.
    pub fn new(plane: Plane) -> Self {
        Self { plane, id: NEXT.fetch_add(1, Ordering::Relaxed), version: 0 }
    }

    /// A real image of amplitudes from any device.
    ///
    /// # Errors
    /// None for a tensor; it is a result because planes check their shape.
    pub fn from_tensor(amplitude: Tensor<2>) -> Result<Self> {
        let [rows, columns] = amplitude.dims();
        let values = amplitude.into_data().iter::<f64>().map(|value| Complex::new(value, 0.0)).collect();
        Ok(Self::new(Plane::new(rows, columns, values)?))
    }

    /// The values.
    pub fn plane(&self) -> &Plane {
        &self.plane
    }

    /// The values, to be changed: the image becomes another version, whose measurements are new.
    pub fn plane_mut(&mut self) -> &mut Plane {
        // A new number rather than the next version: of two clones that change each is another image.
        self.id = NEXT.fetch_add(1, Ordering::Relaxed);
        self.version += 1;
        &mut self.plane
    }

    /// The number of the image and how often it was changed.
    pub fn version(&self) -> [u64; 2] {
        [self.id, self.version]
    }
}

impl From<Plane> for Image {
    fn from(plane: Plane) -> Self {
        Self::new(plane)
    }
}
