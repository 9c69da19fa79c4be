//! What leads from level to level: down, up, and across.

use burn::{
    module::{Initializer, Module},
    tensor::{Device, Tensor},
};
use cupel_kernels::{
    Activation, ConvTransposeSpec, Pad, activate, average_pool3d, blur_pool3d,
    nn::{Conv3d, Conv3dConfig, ConvTranspose3d, ConvTranspose3dConfig},
    upsample3d,
};

use super::{
    config::{Downsampling, UNet3dV2Config, Upsampling},
    parts::Convolution,
};

/// The kernel of convolutions that change the level.
const KERNEL: usize = 3;

/// To the level below.
#[derive(Module, Debug)]
pub(super) struct Down {
    conv: Option<Convolution>,
    #[module(skip)]
    kind: Downsampling,
    #[module(skip)]
    stride: [usize; 3],
}

impl Down {
    pub(super) fn new(config: &UNet3dV2Config, channels: usize, stride: [usize; 3], device: &Device) -> Self {
        let kernel = stride.map(|stride| if stride > 1 { KERNEL } else { 1 });
        let conv = || Convolution::with_kernel(config, [channels; 2], (kernel, stride), device);
        Self { conv: (config.downsample_kind == Downsampling::Stride).then(conv), kind: config.downsample_kind, stride }
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        match (&self.conv, self.kind) {
            (Some(conv), _) => conv.forward(x),
            (None, Downsampling::Avgpool) => average_pool3d(x, self.stride),
            (None, _) => blur_pool3d(x, self.stride, [Pad::Replicate; 3]),
        }
    }
}

/// To the level above.
#[derive(Module, Debug)]
pub(super) struct Up {
    conv: Option<Convolution>,
    transposed: Option<ConvTranspose3d>,
    #[module(skip)]
    kind: Upsampling,
    #[module(skip)]
    stride: [usize; 3],
}

impl Up {
    pub(super) fn new(
        config: &UNet3dV2Config,
        [input, output]: [usize; 2],
        stride: [usize; 3],
        device: &Device,
    ) -> Self {
        let same = |output| Convolution::with_kernel(config, [input, output], ([KERNEL; 3], [1; 3]), device);
        let transposed = || {
            // a kernel of twice the stride covers every place as often: no checkerboard
            let kernel = stride.map(|stride| if stride > 1 { 2 * stride } else { KERNEL });
            let padding = stride.map(|stride| if stride > 1 { [stride / 2, stride - stride / 2] } else { [1; 2] });
            let spec = ConvTransposeSpec { stride, padding, ..ConvTransposeSpec::default() };
            ConvTranspose3dConfig::new([input, output], kernel).with_spec(spec).init(device)
        };
        let (conv, transposed) = match config.upsample_kind {
            Upsampling::Trilinear => (Some(same(output)), None),
            Upsampling::PixelShuffle => (Some(same(output * stride.iter().product::<usize>())), None),
            Upsampling::Transpose => (None, Some(transposed())),
        };
        Self { conv, transposed, kind: config.upsample_kind, stride }
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let same = |x| match &self.conv {
            Some(conv) => conv.forward(x),
            None => x,
        };
        match (&self.transposed, self.kind) {
            (Some(conv), _) => conv.forward(x),
            (None, Upsampling::PixelShuffle) => shuffled(same(x), self.stride),
            (None, _) => same(upsample3d(x, self.stride)),
        }
    }
}

/// Channels become places: `[batch, c sx sy sz, x, y, z]` to `[batch, c, x sx, y sy, z sz]` (W. Shi et al. 2016, arXiv:1609.05158).
fn shuffled(x: Tensor<5>, [sx, sy, sz]: [usize; 3]) -> Tensor<5> {
    let [batch, channels, a, b, c] = x.dims();
    let channels = channels / (sx * sy * sz);
    // batch and channel as one axis: a tensor has at most 8
    let x = x.reshape([batch * channels, sx, sy, sz, a, b, c]).permute([0, 4, 1, 5, 2, 6, 3]);
    x.reshape([batch, channels, a * sx, b * sy, c * sz])
}

/// Weighs what comes across by what comes from below, by an additive gate: O. Oktay et al. 2018, arXiv:1804.03999.
#[derive(Module, Debug)]
pub(super) struct AttentionGate {
    across: Conv3d,
    below: Conv3d,
    weight: Conv3d,
}

impl AttentionGate {
    pub(super) fn new(channels: usize, device: &Device) -> Self {
        let hidden = (channels / 2).max(1);
        let of = |channels| Conv3dConfig::new(channels, [1; 3]).init(device);
        Self { across: of([channels, hidden]), below: of([channels, hidden]), weight: of([hidden, 1]) }
    }

    pub(super) fn forward(&self, across: Tensor<5>, below: Tensor<5>) -> Tensor<5> {
        let hidden = activate(self.across.forward(across.clone()) + self.below.forward(below), Activation::Silu);
        across * activate(self.weight.forward(hidden), Activation::Sigmoid)
    }
}

/// Scales and shifts channels by a linear function of features, which begins as no change: E. Perez et al. 2018, arXiv:1709.07871.
#[derive(Module, Debug)]
pub(super) struct Film {
    linear: Conv3d,
}

impl Film {
    pub(super) fn new(features: usize, channels: usize, device: &Device) -> Self {
        let mut linear = Conv3dConfig::new([features, 2 * channels], [1; 3]).init(device);
        linear.weight = Initializer::Zeros.init(linear.weight.lazy_shape(), device);
        linear.bias = linear.bias.map(|bias| Initializer::Zeros.init(bias.lazy_shape(), device));
        Self { linear }
    }

    /// `features` are `[1 or batch, features, 1, 1, z]`.
    pub(super) fn forward(&self, x: Tensor<5>, features: Tensor<5>) -> Tensor<5> {
        let channels = x.dims()[1];
        let line = self.linear.forward(features);
        let (scale, shift) = (line.clone().narrow(1, 0, channels), line.narrow(1, channels, channels));
        x * scale.add_scalar(1.0) + shift
    }
}
