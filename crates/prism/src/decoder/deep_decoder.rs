//! [`DeepDecoder`]: few channels, mixed at each pixel and enlarged.
//!
//! R. Heckel, P. Hand, "Deep Decoder: Concise Image Representations from Untrained Non-convolutional Networks", ICLR 2019, arXiv
//! 1810.03982, equation 1: `B_{i+1} = norm(relu(U_i B_i C_i))`, `x = sigmoid(B_d C_d)`, with `C_i` of `k x k` mixing the channels of
//! each pixel, `U_i` bilinear enlargement by 2, the last `C` without one, and a first `B` that is fixed noise. As the mixing and the
//! enlargement commute, the mixing comes first. Width 32 has 4 thousand weights at any size of the image.

use burn::{
    module::{Module, Param},
    tensor::{Device, Tensor, TensorData},
};
use cupel_data::Stream;
use cupel_kernels::{
    Activation, activate,
    nn::{Conv2d, Conv2dConfig, GroupNorm, GroupNormConfig},
    upsample3d,
};

use super::{OutputActivation, middle, progressive_decoder::first_bounded};

/// Largest value of the fixed noise.
const NOISE_SCALE: f32 = 0.1;
/// The side of the noise is a power of two times smaller than the image and near this.
const NOISE_SIDE: usize = 16;

/// Settings of a [`DeepDecoder`].
#[derive(Clone, Debug, PartialEq)]
pub struct DeepDecoderConfig {
    /// Channels.
    pub width: usize,
    /// Rows and columns of the image.
    pub size: [usize; 2],
    /// The last function.
    pub output_activation: OutputActivation,
    /// Images: 1 for a real object, 2 for amplitude and phase. The last function is for the first image alone.
    pub images: usize,
    /// Seed of the fixed noise; the weights come from the device's generator.
    pub seed: u64,
}

impl DeepDecoderConfig {
    /// 32 channels, a sigmoid and the seed 0.
    pub fn new(size: [usize; 2]) -> Self {
        Self { width: 32, size, output_activation: OutputActivation::Sigmoid, images: 1, seed: 0 }
    }

    /// The decoder.
    ///
    /// # Panics
    /// "a deep decoder of no channels or pixels".
    pub fn init(&self, device: &Device) -> DeepDecoder {
        let Self { width, size, .. } = *self;
        assert!(width > 0 && size[0] > 0 && size[1] > 0, "a deep decoder of no channels or pixels");
        let doublings = (size[0].max(size[1]) / NOISE_SIDE).max(2).ilog2() as usize;
        let [rows, columns] = size.map(|side| side.div_ceil(1 << doublings));
        let mix = |to| Conv2dConfig::new([width, to], [1; 2]);
        let mut noise = vec![0.0f32; width * rows * columns];
        Stream::new(self.seed, "noise of a deep decoder").fill_uniform(&mut noise);
        noise.iter_mut().for_each(|value| *value *= NOISE_SCALE);
        let noise = Tensor::<4>::from_data(TensorData::new(noise, [1, width, rows, columns]), device);
        DeepDecoder {
            noise: Param::from_tensor(noise).set_require_grad(false),
            mixes: (0..=doublings).map(|_| mix(width).with_bias(false).init(device)).collect(),
            norms: (0..=doublings).map(|_| GroupNormConfig::new(width, width).init(device)).collect(),
            head: mix(self.images).init(device),
            size,
            output: self.output_activation,
        }
    }
}

/// Few channels, mixed at each pixel and enlarged; it has no input.
#[derive(Module, Debug)]
pub struct DeepDecoder {
    /// The fixed noise, `[1, width, rows, columns]`.
    pub noise: Param<Tensor<4>>,
    /// One for each enlargement, and one behind them.
    pub mixes: Vec<Conv2d>,
    /// Behind each of those; by channel of the one sample.
    pub norms: Vec<GroupNorm>,
    /// To the images.
    pub head: Conv2d,
    size: [usize; 2],
    #[module(skip)]
    output: OutputActivation,
}

impl DeepDecoder {
    /// The images, `[1, image, row, column]`, in f32.
    pub fn image(&self) -> Tensor<4> {
        let last = self.mixes.len() - 1;
        let mut h = self.noise.val();
        for (index, (mix, norm)) in self.mixes.iter().zip(&self.norms).enumerate() {
            h = mix.forward(h);
            if index < last {
                h = enlarged(h);
            }
            h = norm.forward(activate(h, Activation::Relu), Activation::Identity);
        }
        first_bounded(middle(self.head.forward(h), self.size), self.output)
    }
}

/// Bilinear enlargement by 2.
fn enlarged(x: Tensor<4>) -> Tensor<4> {
    let [batch, channels, rows, columns] = x.dims();
    upsample3d(x.unsqueeze_dim(2), [1, 2, 2]).reshape([batch, channels, 2 * rows, 2 * columns])
}
