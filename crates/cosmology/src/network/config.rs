//! [`UNet3dV2Config`]: the shape of the configurable network, by the names of the original's settings files.

use cupel_kernels::{Activation, Pad, nn::NormConfig};
use cupel_settings::{Problem, Range, Settings, choices, settings};
use serde::{Deserialize, Serialize};

use super::triple::Triple;
use crate::Result;

choices! {
    /// What a stage is made of.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum BlockKind {
        /// Normalisation, activation, convolution, twice, and the input added: the pre-activation residual block of He et al. 2016, arXiv:1603.05027
        PreactRes = "preact_res" | "preact-res",
        /// Convolution, normalisation, activation, twice
        Conv = "conv",
    }
}

choices! {
    /// What is normalised together.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum NormKind {
        /// Groups of channels of a sample
        Group = "group",
        /// A channel over the batch
        Batch = "batch",
        /// A channel of a sample
        Instance = "instance",
        /// Nothing
        None = "none",
    }
}

choices! {
    /// What follows a normalisation.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum NetworkActivation {
        /// x sigmoid(x)
        Silu = "silu",
        /// x times the normal distribution function of x
        Gelu = "gelu",
        /// x tanh(ln(1 + exp(x)))
        Mish = "mish",
        /// x, a tenth of it below 0
        Leaky = "leaky" | "leaky_relu",
        /// x above 0
        Relu = "relu",
        /// x + sin^2(a x) / a, with a learnt a per channel
        Snake = "snake",
        /// The cubic between two straight lines
        SmoothLeaky = "smooth_leaky" | "smooth-leaky",
    }
}

choices! {
    /// How an axis goes on beyond its edges.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum PadMode {
        /// As a circle
        Circular = "circular",
        /// Mirrored
        Reflect = "reflect",
        /// By its last value
        Replicate = "replicate",
        /// By zeros
        Zeros = "zeros",
    }
}

choices! {
    /// How a level is left downwards.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Downsampling {
        /// A blur of 1, 2, 1 and every n-th value of it
        Blurpool = "blurpool",
        /// A convolution with a stride
        Stride = "stride",
        /// The means of blocks
        Avgpool = "avgpool",
    }
}

choices! {
    /// How a level is left upwards.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Upsampling {
        /// Trilinear, then a convolution
        Trilinear = "trilinear",
        /// A convolution to so many times the channels, which become places
        PixelShuffle = "pixel_shuffle" | "pixel-shuffle",
        /// A transposed convolution, with a kernel of twice the stride
        Transpose = "transpose",
    }
}

/// Most levels, blocks of a stage and features of a condition.
const MOST: f64 = 64.0;
/// Slope of the leaky unit below 0.
const SLOPE: f64 = 0.1;

settings! {
    /// The shape of a [`UNet3dV2`](super::UNet3dV2).
    ///
    /// Names are those of the original's `model_params`, so that its files are read as they are.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct UNet3dV2Config in "network" {
        /// Levels below the first
        pub levels: usize = 3, in Range::at_least(1.0).at_most(8.0), "N";
        /// Channels of the first convolution; each level doubles them
        pub filters: usize = 32, in Range::at_least(1.0).at_most(1024.0), "N";
        /// What a stage is made of
        pub block: BlockKind = BlockKind::PreactRes;
        /// Blocks of a stage
        pub n_blocks_per_stage: usize = 2, in Range::at_least(1.0).at_most(MOST), "N";
        /// What is normalised together
        pub norm: NormKind = NormKind::Group;
        /// Most groups of channels; fewer where so many do not divide the channels
        pub norm_groups: usize = 8, in Range::at_least(1.0).at_most(1024.0), "N";
        /// What follows a normalisation
        pub activation: NetworkActivation = NetworkActivation::Silu;
        /// How each of the three axes goes on beyond its edges
        pub pad_modes: Vec<PadMode> = vec![PadMode::Circular, PadMode::Reflect, PadMode::Replicate], "X,Y,Z";
        /// How a level is left downwards
        pub downsample_kind: Downsampling = Downsampling::Blurpool;
        /// How a level is left upwards
        pub upsample_kind: Upsampling = Upsampling::Trilinear;
        /// Strides of each level, axis by axis; 2 everywhere unless given
        pub strides: Vec<Triple> = Vec::new(), "2x2x1,..";
        /// Extents of the convolutions, odd
        pub conv_kernel_size: Triple = Triple([3; 3]), "KxKxK";
        /// End with a convolution, an activation and a sum over channels, in place of one convolution
        pub two_conv_head: bool = true;
        /// Weigh what comes across by what comes from below
        pub attention_gates: bool = false;
        /// Weigh the channels of each block by their means
        pub use_se: bool = false;
        /// Make convolutions of one over the first two axes and one over the third
        pub factored_convs: bool = false;
        /// Scale and shift channels by features of the third axis, such as the baselines
        pub film_conditioning: bool = false;
        /// Features of each place of the third axis
        pub film_cond_dim: usize = 2, in Range::at_least(1.0).at_most(MOST), "N";
        /// Give the network waves along the frequency as channels
        pub freq_pos_encoding: bool = false;
        /// How many, sines and cosines together
        pub freq_pos_dim: usize = 8, in Range::at_least(2.0).at_most(MOST), "N";
        /// The axis of the frequency, 0, 1 or 2
        pub freq_axis: usize = 1, in Range::at_least(0.0).at_most(2.0), "AXIS";
        /// Take channels as real and imaginary parts and multiply them as complex numbers
        pub complex: bool = false;
    }
    beside {
        /// Channels of input and output; not a setting, because the data say it.
        pub channels: [usize; 2] = [2, 2];
    }
    needs {
        ["norm-groups"] |own| own.norm == NormKind::Group || own.norm_groups == 8 => "only norm = group has groups";
        ["film-cond-dim"] |own| own.film_conditioning || own.film_cond_dim == 2 => "there is no film-conditioning";
        ["freq-pos-dim"] |own| own.freq_pos_encoding || own.freq_pos_dim == 8 => "there is no freq-pos-encoding";
    }
}

impl UNet3dV2Config {
    /// Checks what belongs together.
    ///
    /// # Errors
    /// [`crate::Error::Settings`] for a number out of its range, strides for other levels, modes for other axes, an even kernel, an odd
    /// number of waves, or complex numbers with an odd number of channels or with parts that are for real ones.
    pub fn check_shape(&self) -> Result<()> {
        self.check()?;
        let wrong = |name: &str, got: String, expected: String| Err(Problem::value(name, got, expected).into());
        if !self.strides.is_empty() && self.strides.len() != self.levels {
            let expected = format!("one stride for each of the {} levels, or none", self.levels);
            return wrong("strides", format!("{} strides", self.strides.len()), expected);
        }
        if self.strides.iter().any(|stride| stride.0.contains(&0)) {
            return wrong("strides", format!("{:?}", self.strides), "numbers of at least 1".to_owned());
        }
        if self.pad_modes.len() != 3 {
            return wrong("pad-modes", format!("{} modes", self.pad_modes.len()), "one for each of 3 axes".to_owned());
        }
        if self.conv_kernel_size.0.iter().any(|extent| extent.is_multiple_of(2)) {
            return wrong("conv-kernel-size", format!("{:?}", self.conv_kernel_size.0), "odd numbers".to_owned());
        }
        if self.freq_pos_encoding && !self.freq_pos_dim.is_multiple_of(2) {
            return wrong("freq-pos-dim", self.freq_pos_dim.to_string(), "an even number".to_owned());
        }
        if self.complex {
            let channels = [self.channels[0], self.channels[1], self.filters];
            if channels.iter().any(|channels| !channels.is_multiple_of(2)) {
                let got = format!("complex with {channels:?} channels in, out and in the first stage");
                return wrong("complex", got, "even numbers: real and imaginary parts".to_owned());
            }
            let real = [
                ("attention-gates", self.attention_gates),
                ("use-se", self.use_se),
                ("film-conditioning", self.film_conditioning),
                ("freq-pos-encoding", self.freq_pos_encoding),
                ("upsample-kind transpose", self.upsample_kind == Upsampling::Transpose),
                ("norm batch", self.norm == NormKind::Batch),
                ("an activation", self.activation != NetworkActivation::default()),
            ];
            if let Some((name, _)) = real.iter().find(|(_, on)| *on) {
                return wrong("complex", format!("true with {name}"), format!("no {name}, which is for real numbers"));
            }
        }
        Ok(())
    }

    /// Checks that a volume of `extents` goes through.
    ///
    /// # Errors
    /// [`crate::Error::Settings`] for an axis that the strides do not divide, or that is too short for its padding at the lowest level.
    pub fn check_extents(&self, extents: [usize; 3]) -> Result<()> {
        self.check_shape()?;
        let product = self.stride_product();
        for axis in 0..3 {
            let (extent, product) = (extents[axis], product[axis]);
            let expected = |what: String| Problem::value(format!("axis {axis}"), format!("{extent} values"), what);
            if extent == 0 || !extent.is_multiple_of(product) {
                return Err(expected(format!("a multiple of {product}, by which the levels divide it")).into());
            }
            // the convolutions behind an upsampling have a kernel of 3
            let padding = self.conv_kernel_size.0[axis].max(3) / 2;
            let (mode, lowest) = (self.pads()[axis], extent / product);
            if padding > mode.limit(lowest) {
                let name = self.pad_modes[axis].name();
                let what =
                    format!("more: {lowest} are left at the lowest level, too few for {name} padding of {padding}");
                return Err(expected(what).into());
            }
        }
        Ok(())
    }

    /// Strides of each level.
    pub(super) fn strides(&self) -> Vec<[usize; 3]> {
        match self.strides.is_empty() {
            true => vec![[2; 3]; self.levels],
            false => self.strides.iter().map(|stride| stride.0).collect(),
        }
    }

    pub(super) fn stride_product(&self) -> [usize; 3] {
        self.strides().iter().fold([1; 3], |product, stride| std::array::from_fn(|axis| product[axis] * stride[axis]))
    }

    pub(super) fn pads(&self) -> [Pad; 3] {
        std::array::from_fn(|axis| match self.pad_modes.get(axis) {
            Some(PadMode::Circular) => Pad::Circular,
            Some(PadMode::Reflect) => Pad::Reflect,
            Some(PadMode::Replicate) => Pad::Replicate,
            Some(PadMode::Zeros) | None => Pad::Zero,
        })
    }

    pub(super) fn norm(&self) -> NormConfig {
        match self.norm {
            NormKind::Group => NormConfig::Group(self.norm_groups),
            NormKind::Batch => NormConfig::Batch,
            NormKind::Instance => NormConfig::Instance,
            NormKind::None => NormConfig::None,
        }
    }
}

impl NetworkActivation {
    /// The function, where nothing is learnt.
    pub(super) fn function(self) -> Option<Activation> {
        Some(match self {
            Self::Silu => Activation::Silu,
            Self::Gelu => Activation::Gelu,
            Self::Mish => Activation::Mish,
            Self::Leaky => Activation::LeakyRelu(SLOPE),
            Self::Relu => Activation::Relu,
            Self::SmoothLeaky => Activation::SmoothLeaky,
            Self::Snake => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl Fn(&mut UNet3dV2Config)) -> String {
        let mut config = UNet3dV2Config::default();
        change(&mut config);
        config.check_shape().unwrap_err().to_string()
    }

    #[test]
    fn settings_that_do_not_belong_together_are_refused() {
        UNet3dV2Config::default().check_shape().unwrap();
        assert_eq!(
            refused(|own| own.set("strides", "2x2x1,2").unwrap()),
            "strides = 2 strides: expected one stride for each of the 3 levels, or none"
        );
        assert!(refused(|own| own.set("pad_modes", "circular").unwrap()).contains("one for each of 3 axes"));
        assert!(refused(|own| own.set("conv-kernel-size", "3x4x1").unwrap()).contains("odd numbers"));
        assert!(refused(|own| own.set("freq-pos-dim", "4").unwrap()).contains("no freq-pos-encoding"));
    }

    #[test]
    fn volumes_that_do_not_go_through_are_refused() {
        let mut config = UNet3dV2Config::default();
        config.set("strides", "2x2x1,2,2").unwrap();
        config.check_extents([16, 16, 12]).unwrap();
        let text = |extents| config.check_extents(extents).unwrap_err().to_string();
        let expected = "axis 2 = 10 values: expected a multiple of 4, by which the levels divide it";
        assert_eq!(text([16, 16, 10]), expected);
        assert!(text([8, 8, 12]).contains("1 are left at the lowest level, too few for reflect padding of 1"));
    }
}
