//! [`UNet3d`]: the network of the brief, "v1".
//!
//! Two levels down by convolutions of stride 2, two up by transposed convolutions, connections across, batch normalisation behind each of
//! them. Convolutions take every axis as a circle; transposed ones end at its edges, as the original's do. With 2 channels and 16 filters it has 528 434 parameters. The parent of the design: T. L. Makinen et al.,
//! "deep21", JCAP 2021, arXiv 2010.15843.

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use cupel_kernels::{Activation, ConvSpec, ConvTransposeSpec, Pad, nn};
use cupel_settings::{Range, choices, settings};
use serde::{Deserialize, Serialize};

choices! {
    /// The activation of [`UNet3d`].
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum UNet3dActivation {
        /// The cubic between two straight lines
        SmoothLeaky = "smooth_leaky" | "smooth-leaky",
        /// x sigmoid(x)
        Silu = "silu",
    }
}

settings! {
    /// The shape of a [`UNet3d`].
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct UNet3dConfig in "network" {
        /// Channels of the first stage; each level down doubles them
        pub filters: usize = 16, in Range::at_least(1.0).at_most(1024.0), "N";
        /// What follows a normalisation
        pub act: UNet3dActivation = UNet3dActivation::SmoothLeaky;
    }
    beside {
        /// Channels of input and output; not a setting, because the data say it.
        pub channels: [usize; 2] = [2, 2];
    }
}

const KERNEL: [usize; 3] = [3; 3];

/// The U-Net of two levels.
#[derive(Module, Debug)]
pub struct UNet3d {
    first: [nn::ConvBlock3d; 2],
    down1: nn::ConvBlock3d,
    second: [nn::ConvBlock3d; 2],
    down2: nn::ConvBlock3d,
    bottom: [nn::ConvBlock3d; 2],
    up2: nn::ConvTransposeBlock3d,
    join2: [nn::ConvBlock3d; 2],
    up1: nn::ConvTransposeBlock3d,
    join1: [nn::ConvBlock3d; 2],
    /// The last convolution, which nothing follows.
    pub head: nn::Conv3d,
}

impl UNet3dConfig {
    /// The network with fresh weights.
    pub fn init(&self, device: &Device) -> UNet3d {
        let activation = match self.act {
            UNet3dActivation::SmoothLeaky => Activation::SmoothLeaky,
            UNet3dActivation::Silu => Activation::Silu,
        };
        let same = ConvSpec::same(KERNEL, [Pad::Circular; 3]);
        let block = |input, output, spec| {
            let conv = nn::Conv3dConfig::new([input, output], KERNEL).with_spec(spec);
            nn::ConvBlock3dConfig { conv, norm: nn::NormConfig::Batch, activation }.init(device)
        };
        let two = |input, output| [block(input, output, same), block(output, output, same)];
        let down = |input, output| block(input, output, ConvSpec { stride: [2; 3], ..same });
        let up = |input, output| {
            let conv = nn::ConvTranspose3dConfig::new([input, output], KERNEL).with_spec(ConvTransposeSpec {
                stride: [2; 3],
                padding: [[1; 2]; 3],
                output_padding: [1; 3],
                ..ConvTransposeSpec::default()
            });
            nn::ConvTransposeBlock3dConfig { conv, norm: nn::NormConfig::Batch, activation }.init(device)
        };
        let ([input, output], f) = (self.channels, self.filters);
        UNet3d {
            first: two(input, f),
            down1: down(f, 2 * f),
            second: two(2 * f, 2 * f),
            down2: down(2 * f, 4 * f),
            bottom: two(4 * f, 4 * f),
            up2: up(4 * f, 2 * f),
            join2: two(4 * f, 2 * f),
            up1: up(2 * f, f),
            join1: two(2 * f, f),
            head: nn::Conv3dConfig::new([f, output], KERNEL).with_spec(same).init(device),
        }
    }
}

impl UNet3d {
    /// What each axis of the input has to be a multiple of.
    pub const STRIDE: usize = 4;

    /// Applies the network.
    ///
    /// # Shapes
    /// `x` `[batch, input channels, x, y, z]`; the result `[batch, output channels, x, y, z]`.
    ///
    /// # Panics
    /// "UNet3d: axis 0 has 30 values, which is no multiple of 4".
    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let [_, _, extents @ ..] = x.dims();
        for (axis, extent) in extents.into_iter().enumerate() {
            let fits = extent.is_multiple_of(Self::STRIDE);
            assert!(fits, "UNet3d: axis {axis} has {extent} values, which is no multiple of {}", Self::STRIDE);
        }
        let through = |blocks: &[nn::ConvBlock3d; 2], x| blocks[1].forward(blocks[0].forward(x));
        let a = through(&self.first, x);
        let b = through(&self.second, self.down1.forward(a.clone())); // half the extents
        let y = through(&self.bottom, self.down2.forward(b.clone())); // a quarter
        let y = through(&self.join2, Tensor::cat(vec![self.up2.forward(y), b], 1));
        let y = through(&self.join1, Tensor::cat(vec![self.up1.forward(y), a], 1));
        self.head.forward(y)
    }
}
