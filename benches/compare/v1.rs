//! A network of the shape of the first cosmology network: two levels of strided convolutions down, transposed ones up, connections
//! across, circular padding, batch normalisation, 528 434 parameters.

use cupel::burn;
use cupel::{
    burn::{
        module::Module,
        optim::{AdamConfig, GradientsParams, ModuleOptimizer},
        tensor::{Device, Tensor},
    },
    kernels::{Activation, ConvSpec, ConvTransposeSpec, Pad, nn},
};

#[derive(Module, Debug)]
pub struct Net {
    e1: [nn::ConvBlock3d; 2],
    d1: nn::ConvBlock3d,
    e2: [nn::ConvBlock3d; 2],
    d2: nn::ConvBlock3d,
    middle: [nn::ConvBlock3d; 2],
    u2: nn::ConvTransposeBlock3d,
    r2: [nn::ConvBlock3d; 2],
    u1: nn::ConvTransposeBlock3d,
    r1: [nn::ConvBlock3d; 2],
    head: nn::Conv3d,
}

const FILTERS: usize = 16;

impl Net {
    pub fn new(device: &Device) -> Self {
        let same = ConvSpec::same([3; 3], [Pad::Circular; 3]);
        let block = |input, output, spec| {
            let conv = nn::Conv3dConfig::new([input, output], [3; 3]).with_spec(spec);
            nn::ConvBlock3dConfig { conv, norm: nn::NormConfig::Batch, activation: Activation::SmoothLeaky }
                .init(device)
        };
        let two = |input, output| [block(input, output, same), block(output, output, same)];
        let down = |input, output| block(input, output, ConvSpec { stride: [2; 3], ..same });
        let up = |input, output| {
            let conv = nn::ConvTranspose3dConfig::new([input, output], [3; 3]).with_spec(ConvTransposeSpec {
                stride: [2; 3],
                padding: [[1; 2]; 3],
                output_padding: [1; 3],
                ..ConvTransposeSpec::default()
            });
            nn::ConvTransposeBlock3dConfig { conv, norm: nn::NormConfig::Batch, activation: Activation::SmoothLeaky }
                .init(device)
        };
        let f = FILTERS;
        Self {
            e1: two(2, f),
            d1: down(f, 2 * f),
            e2: two(2 * f, 2 * f),
            d2: down(2 * f, 4 * f),
            middle: two(4 * f, 4 * f),
            u2: up(4 * f, 2 * f),
            r2: two(4 * f, 2 * f),
            u1: up(2 * f, f),
            r1: two(2 * f, f),
            head: nn::Conv3dConfig::new([f, 2], [3; 3]).with_spec(same).init(device),
        }
    }

    pub fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let through = |blocks: &[nn::ConvBlock3d; 2], x| blocks[1].forward(blocks[0].forward(x));
        let a = through(&self.e1, x);
        let b = through(&self.e2, self.d1.forward(a.clone()));
        let y = through(&self.middle, self.d2.forward(b.clone()));
        let y = through(&self.r2, Tensor::cat(vec![self.u2.forward(y), b], 1));
        let y = through(&self.r1, Tensor::cat(vec![self.u1.forward(y), a], 1));
        self.head.forward(y)
    }
}

/// Adam steps on the logarithm of the mean squared error.
pub struct Training {
    net: Option<Net>,
    optimizer: ModuleOptimizer,
    x: Tensor<5>,
    y: Tensor<5>,
}

impl Training {
    pub fn new(net: Net, x: Tensor<5>, y: Tensor<5>) -> Self {
        Self { net: Some(net), optimizer: AdamConfig::new().init(), x, y }
    }

    pub fn step(&mut self) {
        let Some(net) = self.net.take() else { return };
        let difference = net.forward(self.x.clone()) - self.y.clone();
        let loss = (difference.clone() * difference).mean().log();
        let gradients = GradientsParams::from_grads(loss.backward(), &net);
        self.net = Some(self.optimizer.step(1e-4, net, gradients));
    }
}
