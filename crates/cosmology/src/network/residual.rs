//! [`Residual`]: a network that corrects the estimate of a linear filter, and says how far it may be off.
//!
//! `mean = estimate + scale u(inputs)`, and `ln variance = 2 ln scale + s(inputs)` within bounds. The last layer begins at zero, so that the
//! first result is the estimate to the bit, and a training that keeps the best weights cannot end below it on its validation skies.

use burn::{
    module::Module,
    tensor::{Device, FloatDType, Tensor},
};
use cupel_settings::Problem;
use serde::{Deserialize, Serialize};

use super::{
    config::UNet3dV2Config,
    losses::bounded_log_variance,
    parts::zeroed,
    unet3d::{UNet3d, UNet3dConfig},
    unet3d_v2::UNet3dV2,
};
use crate::Result;

/// The shape of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkConfig {
    /// The network of the brief.
    V1(UNet3dConfig),
    /// The configurable one.
    V2(UNet3dV2Config),
}

/// A network of either kind.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "a training has one, and a box is no module")]
pub enum Network {
    /// The network of the brief.
    V1(UNet3d),
    /// The configurable one.
    V2(UNet3dV2),
}

impl NetworkConfig {
    /// Checks that a volume of `extents` goes through.
    ///
    /// # Errors
    /// [`crate::Error::Settings`] for an axis that the levels do not divide, or that is too short for its padding.
    pub fn check_extents(&self, extents: [usize; 3]) -> Result<()> {
        let least = match self {
            Self::V2(config) => return config.check_extents(extents),
            Self::V1(_) => UNet3d::STRIDE,
        };
        match (0..3).find(|&axis| extents[axis] == 0 || !extents[axis].is_multiple_of(least)) {
            None => Ok(()),
            Some(axis) => {
                let got = format!("{} values", extents[axis]);
                Err(Problem::value(format!("axis {axis}"), got, format!("a multiple of {least}")).into())
            }
        }
    }

    /// The network with fresh weights, from so many channels to so many.
    ///
    /// # Errors
    /// Those of [`UNet3dV2Config::check_shape`].
    pub fn init(&self, channels: [usize; 2], device: &Device) -> Result<Network> {
        Ok(match self.clone() {
            Self::V1(config) => Network::V1(UNet3dConfig { channels, ..config }.init(device)),
            Self::V2(config) => Network::V2(UNet3dV2Config { channels, ..config }.init(device)?),
        })
    }

    fn is_complex(&self) -> bool {
        matches!(self, Self::V2(config) if config.complex)
    }
}

impl Network {
    /// Applies the network.
    ///
    /// # Shapes
    /// `x` `[batch, input channels, x, y, z]`; the result `[batch, output channels, x, y, z]`.
    ///
    /// # Panics
    /// As [`UNet3d::forward`] and [`UNet3dV2::forward`].
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        match self {
            Self::V1(network) => network.forward(x),
            Self::V2(network) => network.forward(x),
        }
    }

    /// Lets the network begin with a result of zeros.
    #[must_use]
    pub fn with_zero_head(self, device: &Device) -> Self {
        match self {
            Self::V1(mut network) => {
                network.head = zeroed(network.head, device);
                Self::V1(network)
            }
            Self::V2(network) => Self::V2(network.with_zero_head(device)),
        }
    }
}

/// What a [`Residual`] is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResidualConfig {
    /// The network within.
    pub network: NetworkConfig,
    /// Channels that the network reads.
    pub inputs: usize,
    /// Channels of the estimate.
    pub outputs: usize,
    /// How far the estimate is off, as a standard deviation in its unit: what a network of order 1 is multiplied by.
    pub scale: f64,
    /// Whether the network predicts a variance too.
    pub variance: bool,
    /// Whether the first result is the estimate itself, by a last layer of zeros.
    pub zero_start: bool,
}

/// A network on top of an estimate.
#[derive(Module, Debug)]
pub struct Residual {
    network: Network,
    outputs: usize,
    scale: f64,
    variance: bool,
}

/// What a [`Residual`] says of a sky.
#[derive(Clone, Debug)]
pub struct Estimate {
    /// `[batch, outputs, x, y, z]`, f32 at least.
    pub mean: Tensor<5>,
    /// Logarithm of the variance, of the same shape.
    pub log_variance: Option<Tensor<5>>,
}

impl ResidualConfig {
    /// The network with fresh weights.
    ///
    /// # Errors
    /// [`crate::Error::Settings`] for no channels, a scale that is not above 0, complex numbers with a variance, film-conditioning,
    /// and those of [`UNet3dV2Config::check_shape`].
    pub fn init(&self, device: &Device) -> Result<Residual> {
        let wrong = |name: &str, got: String, expected: &str| Err(Problem::value(name, got, expected).into());
        if self.inputs == 0 || self.outputs == 0 {
            return wrong("channels", format!("{} to {}", self.inputs, self.outputs), "at least 1 each");
        }
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            return wrong("scale", self.scale.to_string(), "a finite number above 0");
        }
        if self.variance && self.network.is_complex() {
            return wrong("variance", "true".to_owned(), "false where the network is complex, or a real network");
        }
        if matches!(&self.network, NetworkConfig::V2(config) if config.film_conditioning) {
            return wrong("film-conditioning", "true".to_owned(), "false: a sky has no features to condition on");
        }
        let outputs = if self.variance { 2 * self.outputs } else { self.outputs };
        let network = self.network.init([self.inputs, outputs], device)?;
        Ok(Residual {
            network: if self.zero_start { network.with_zero_head(device) } else { network },
            outputs: self.outputs,
            scale: self.scale,
            variance: self.variance,
        })
    }
}

impl Residual {
    /// Corrects `estimate` by what the network makes of `inputs`, which may be of low precision.
    ///
    /// # Shapes
    /// `inputs` `[batch, inputs, x, y, z]`, `estimate` `[batch, outputs, x, y, z]`.
    ///
    /// # Panics
    /// As [`Network::forward`].
    pub fn forward(&self, inputs: Tensor<5>, estimate: Tensor<5>) -> Estimate {
        let wide = FloatDType::from(estimate.dtype());
        let output = self.network.forward(inputs).cast(wide);
        let mean = estimate + output.clone().narrow(1, 0, self.outputs).mul_scalar(self.scale);
        let log_variance = self.variance.then(|| {
            let raw = output.narrow(1, self.outputs, self.outputs);
            bounded_log_variance(raw).add_scalar(2.0 * self.scale.ln())
        });
        Estimate { mean, log_variance }
    }
}
