//! Untrained decoders: networks without an input whose weights are the image.
//!
//! A network that is fitted to the exposures of one object, and never to another image, finds images that networks find easily: that is the
//! prior (D. Ulyanov, A. Vedaldi, V. Lempitsky, "Deep Image Prior", CVPR 2018, arXiv 1711.10925). [`ProgressiveDecoder`] grows a point to an
//! image by transposed convolutions, [`DeepDecoder`] mixes few channels and enlarges them.

mod deep_decoder;
mod output;
mod progressive_decoder;

use burn::{
    module::Module,
    tensor::{Device, Tensor},
};
use cupel_settings::choices;

pub use deep_decoder::{DeepDecoder, DeepDecoderConfig};
pub use output::OutputActivation;
pub use progressive_decoder::{FrozenDecoder, ProgressiveDecoder, ProgressiveDecoderConfig};

choices! {
    /// Which decoder.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum DecoderKind {
        /// Transposed convolutions from a point, as in the original
        Progressive = "progressive",
        /// Few channels, mixed and enlarged: far fewer weights than pixels
        Deep = "deep",
    }
}

/// A decoder of either kind.
#[derive(Module, Debug)]
pub enum Decoder {
    /// Transposed convolutions from a point.
    Progressive(ProgressiveDecoder),
    /// Few channels, mixed and enlarged.
    Deep(DeepDecoder),
}

impl Decoder {
    /// A fresh decoder on `device` of what `config` says, whose width and seed are for the deep one alone; `field` is the side of the field
    /// around the object. The parameters are drawn from the device's generator.
    pub fn new(kind: DecoderKind, field: usize, config: DeepDecoderConfig, device: &Device) -> Self {
        match kind {
            DecoderKind::Progressive => {
                let DeepDecoderConfig { images, size, output_activation, .. } = config;
                let usual = ProgressiveDecoderConfig::new(field, size[0].max(size[1]));
                Self::Progressive(ProgressiveDecoderConfig { images, output_activation, ..usual }.init(device))
            }
            DecoderKind::Deep => Self::Deep(config.init(device)),
        }
    }

    /// The images, `[1, image, row, column]`, in f32; square, and at least of the size that was asked for.
    pub fn image(&self) -> Tensor<4> {
        match self {
            Self::Progressive(decoder) => decoder.image(),
            Self::Deep(decoder) => decoder.image(),
        }
    }
}

/// The middle of `x`, `[batch, channel, row, column]`: of `n` places `m` from `n / 2 - m / 2` on, each rounded down.
pub(crate) fn middle(x: Tensor<4>, [rows, columns]: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let x = if height == rows { x } else { x.narrow(2, height / 2 - rows / 2, rows) };
    if width == columns { x } else { x.narrow(3, width / 2 - columns / 2, columns) }
}

/// `x` in the middle of a larger field that is nought elsewhere; the inverse of [`middle`].
pub(crate) fn padded<const D: usize>(x: Tensor<D>, [height, width]: [usize; 2]) -> Tensor<D> {
    let dims = x.dims();
    let [rows, columns] = [dims[D - 2], dims[D - 1]];
    let (top, left) = (height / 2 - rows / 2, width / 2 - columns / 2);
    let (bottom, right) = (height - rows - top, width - columns - left);
    if [top, left, bottom, right] == [0; 4] {
        return x;
    }
    x.pad((left, right, top, bottom), burn::tensor::ops::PadMode::Constant(0.0))
}
