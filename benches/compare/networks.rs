//! Steps and results of the networks of cosmology.

use cupel::{
    burn::{
        module::Module,
        tensor::{Device, Tensor},
    },
    cosmology::network::{Network, NetworkConfig, UNet3dConfig, UNet3dV2Config},
    train::{Advance, Casting, Context, Fit, Loss, Position, Result, Trainer, TrainerConfig},
};

/// The first network: 16 filters, 528 434 parameters.
pub fn v1(device: &Device) -> Network {
    made(&NetworkConfig::V1(UNet3dConfig::default()), device)
}

/// The second one with 8 filters: 1.36 million parameters.
pub fn v2(device: &Device) -> Network {
    made(&NetworkConfig::V2(UNet3dV2Config { filters: 8, ..UNet3dV2Config::default() }), device)
}

fn made(config: &NetworkConfig, device: &Device) -> Network {
    config.init([2, 2], device).expect("settings that belong together")
}

/// One batch, again and again, and the logarithm of the mean squared error.
struct OneBatch {
    x: Tensor<5>,
    y: Tensor<5>,
}

impl Fit for OneBatch {
    type Model = Network;
    type Batch = ();

    fn batch(&mut self, _: &Context<'_>) -> Result<()> {
        Ok(())
    }

    fn loss(&self, net: &Network, (): (), _: &Context<'_>) -> Loss {
        let difference = net.forward(self.x.clone()) - self.y.clone();
        let mean = (difference.clone() * difference).mean().log();
        Loss { mean, weight: self.x.dims()[0] as f64, terms: Vec::new() }
    }

    /// More than any measurement makes: no end of an epoch is in the times.
    fn steps_per_epoch(&self) -> u64 {
        1 << 32
    }
}

/// Updates of the loop that the commands train with, its checks of every number among them.
pub struct Training(Trainer<OneBatch>);

impl Training {
    /// A training of `net`, made on `device` with automatic differentiation, on the volumes `x` and `y`.
    pub fn new(net: Network, x: Tensor<5>, y: Tensor<5>, device: &Device) -> Self {
        let fit = OneBatch { x, y };
        Self(Trainer::new(fit, net, TrainerConfig::default(), Casting::f32(), device).expect("defaults"))
    }

    pub fn step(&mut self) {
        self.0.advance(Position::default()).expect("finite numbers");
    }
}

/// The network for use.
pub fn valid(net: &Network) -> Network {
    net.valid()
}
