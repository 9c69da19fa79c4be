//! Whether matrix products of f32 may be rounded on the way.

use crate::{Error, Result, device::Selected};
use cupel_settings::choices;

choices! {
    /// The arithmetic of f32 matrix products and convolutions, in PyTorch's words.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum MatmulPrecision {
        /// Factors may be rounded to TF32 (10 bits of fraction) where the device has it.
        High = "high",
        /// Every product in f32.
        Highest = "highest",
    }
}

impl MatmulPrecision {
    /// Makes sure that `device` computes as asked.
    ///
    /// # Errors
    /// [`Error::MatmulPrecisionAbsent`] for [`MatmulPrecision::Highest`] on CUDA: there Burn times the kernels it has for a product
    /// and takes the fastest, with TF32 or without, and has no way to leave those with TF32 out.
    pub fn check(self, device: &Selected) -> Result<()> {
        match self {
            Self::Highest if device.name.starts_with("cuda") => {
                Err(Error::MatmulPrecisionAbsent { device: device.name.clone() })
            }
            Self::Highest | Self::High => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device;

    #[test]
    fn only_cuda_may_round() {
        let mut device = device::select("auto").unwrap();
        device.name = "cuda:0".to_string();
        let refused = MatmulPrecision::Highest.check(&device).unwrap_err().to_string();
        assert!(refused.contains("cuda:0") && refused.contains("use high"), "{refused}");
        MatmulPrecision::High.check(&device).unwrap();
        device.name = "cpu".to_string();
        MatmulPrecision::Highest.check(&device).unwrap();
    }
}
