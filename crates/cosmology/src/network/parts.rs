//! What stages are made of: convolutions, normalisation with activation, blocks.

use burn::{
    module::{Initializer, Module},
    tensor::{Device, Tensor},
};
use cupel_kernels::{Activation, ConvSpec, activate, mean_dim_fixed, nn};

use super::{
    complex::{ComplexConv3d, ComplexNormActivation},
    config::{BlockKind, UNet3dV2Config},
};

/// Share of the channels that a squeeze-excitation is squeezed to, and the least of them.
const SQUEEZE: usize = 8;
const LEAST_SQUEEZED: usize = 4;

/// One convolution after the other, which keep the extents at stride 1.
#[derive(Module, Debug)]
pub(super) struct Convolution {
    steps: Vec<Step>,
}

#[derive(Module, Debug)]
enum Step {
    Real(nn::Conv3d),
    Complex(ComplexConv3d),
}

impl Convolution {
    /// With the kernel of the settings, as one or as two factors.
    pub(super) fn new(config: &UNet3dV2Config, channels: [usize; 2], device: &Device) -> Self {
        let [x, y, z] = config.conv_kernel_size.0;
        let [input, output] = channels;
        match config.factored_convs && z > 1 {
            false => Self::with_kernel(config, channels, ([x, y, z], [1; 3]), device),
            true => {
                let mut steps = Self::with_kernel(config, [input, output], ([x, y, 1], [1; 3]), device).steps;
                steps.extend(Self::with_kernel(config, [output, output], ([1, 1, z], [1; 3]), device).steps);
                Self { steps }
            }
        }
    }

    /// With this kernel and stride.
    pub(super) fn with_kernel(
        config: &UNet3dV2Config,
        channels: [usize; 2],
        (kernel, stride): ([usize; 3], [usize; 3]),
        device: &Device,
    ) -> Self {
        let spec = ConvSpec { stride, ..ConvSpec::same(kernel, config.pads()) };
        let step = match config.complex {
            true => Step::Complex(ComplexConv3d::new(channels, kernel, spec, device)),
            false => Step::Real(nn::Conv3dConfig::new(channels, kernel).with_spec(spec).init(device)),
        };
        Self { steps: vec![step] }
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.steps.iter().fold(x, |x, step| match step {
            Step::Real(conv) => conv.forward(x),
            Step::Complex(conv) => conv.forward(x),
        })
    }

    /// Sets all weights of the last step to zero, so that the result is zero.
    pub(super) fn zeroed(mut self, device: &Device) -> Self {
        if let Some(last) = self.steps.pop() {
            self.steps.push(match last {
                Step::Real(conv) => Step::Real(zeroed(conv, device)),
                Step::Complex(conv) => Step::Complex(conv.zeroed(device)),
            });
        }
        self
    }
}

/// A convolution with all weights zero.
pub(super) fn zeroed(mut conv: nn::Conv3d, device: &Device) -> nn::Conv3d {
    conv.weight = Initializer::Zeros.init(conv.weight.lazy_shape(), device);
    conv.bias = conv.bias.map(|bias| Initializer::Zeros.init(bias.lazy_shape(), device));
    conv
}

/// A normalisation, if any, and an activation, of real or of complex numbers.
#[derive(Module, Debug)]
pub(super) struct NormActivation {
    norm: Option<nn::Norm>,
    snake: Option<nn::Snake>,
    complex: Option<ComplexNormActivation>,
    #[module(skip)]
    activation: Activation,
}

impl NormActivation {
    pub(super) fn new(config: &UNet3dV2Config, norm: nn::NormConfig, channels: usize, device: &Device) -> Self {
        let complex = || ComplexNormActivation::new(norm, channels, device);
        let snake = config.activation.function().is_none();
        Self {
            norm: (!config.complex).then(|| norm.init(channels, device)).flatten(),
            snake: snake.then(|| nn::SnakeConfig::new(channels).init(device)),
            complex: config.complex.then(complex),
            activation: config.activation.function().unwrap_or_default(),
        }
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        if let Some(complex) = &self.complex {
            return complex.forward(x);
        }
        let x = match &self.norm {
            Some(norm) => norm.forward(x, self.activation),
            None => activate(x, self.activation),
        };
        match &self.snake {
            Some(snake) => snake.forward(x),
            None => x,
        }
    }
}

/// Weighs channels by a function of their means: J. Hu et al. 2018, arXiv:1709.01507.
#[derive(Module, Debug)]
pub(super) struct SqueezeExcite {
    squeeze: nn::Conv3d,
    excite: nn::Conv3d,
}

impl SqueezeExcite {
    fn new(channels: usize, device: &Device) -> Self {
        let squeezed = (channels / SQUEEZE).max(LEAST_SQUEEZED);
        let of = |channels| nn::Conv3dConfig::new(channels, [1; 3]).init(device);
        Self { squeeze: of([channels, squeezed]), excite: of([squeezed, channels]) }
    }

    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let [batch, channels, a, b, c] = x.dims();
        let means = mean_dim_fixed(x.clone().reshape([batch, channels, a * b * c]), 2);
        let means = means.reshape([batch, channels, 1, 1, 1]);
        let hidden = activate(self.squeeze.forward(means), Activation::Silu);
        x * activate(self.excite.forward(hidden), Activation::Sigmoid)
    }
}

/// Two convolutions with what belongs to them.
#[derive(Module, Debug)]
struct Block {
    norms: [NormActivation; 2],
    convs: [Convolution; 2],
    /// Where the input has other channels than the result.
    projection: Option<Convolution>,
    squeeze: Option<SqueezeExcite>,
    #[module(skip)]
    kind: BlockKind,
}

impl Block {
    fn new(config: &UNet3dV2Config, [input, output]: [usize; 2], device: &Device) -> Self {
        let norm = |channels| NormActivation::new(config, config.norm(), channels, device);
        let residual = config.block == BlockKind::PreactRes;
        Self {
            norms: [norm(if residual { input } else { output }), norm(output)],
            convs: [[input, output], [output; 2]].map(|channels| Convolution::new(config, channels, device)),
            projection: (residual && input != output).then(|| projection(config, [input, output], device)),
            squeeze: config.use_se.then(|| SqueezeExcite::new(output, device)),
            kind: config.block,
        }
    }

    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let ([first, second], [norm1, norm2]) = (&self.convs, &self.norms);
        let weighed = |h| match &self.squeeze {
            Some(squeeze) => squeeze.forward(h),
            None => h,
        };
        match self.kind {
            BlockKind::Conv => weighed(norm2.forward(second.forward(norm1.forward(first.forward(x))))),
            BlockKind::PreactRes => {
                let h = second.forward(norm2.forward(first.forward(norm1.forward(x.clone()))));
                let skip = match &self.projection {
                    Some(projection) => projection.forward(x),
                    None => x,
                };
                weighed(h) + skip
            }
        }
    }
}

/// A sum over channels at each place, without a bias.
fn projection(config: &UNet3dV2Config, channels: [usize; 2], device: &Device) -> Convolution {
    let step = match config.complex {
        true => Step::Complex(ComplexConv3d::new(channels, [1; 3], ConvSpec::default(), device)),
        false => Step::Real(nn::Conv3dConfig::new(channels, [1; 3]).with_bias(false).init(device)),
    };
    Convolution { steps: vec![step] }
}

/// Blocks of one level.
#[derive(Module, Debug)]
pub(super) struct Stage {
    blocks: Vec<Block>,
}

impl Stage {
    pub(super) fn new(config: &UNet3dV2Config, [input, output]: [usize; 2], device: &Device) -> Self {
        let block = |i| Block::new(config, [if i == 0 { input } else { output }, output], device);
        Self { blocks: (0..config.n_blocks_per_stage).map(block).collect() }
    }

    pub(super) fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }
}
