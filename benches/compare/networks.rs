//! Steps and results of the networks of cosmology.

use cupel::{
    burn::{
        module::Module,
        optim::{AdamConfig, GradientsParams, ModuleOptimizer},
        tensor::{Device, Tensor},
    },
    cosmology::network::{Network, NetworkConfig, UNet3dConfig, UNet3dV2Config},
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

/// Adam steps on the logarithm of the mean squared error.
pub struct Training {
    net: Option<Network>,
    optimizer: ModuleOptimizer,
    x: Tensor<5>,
    y: Tensor<5>,
}

impl Training {
    pub fn new(net: Network, x: Tensor<5>, y: Tensor<5>) -> Self {
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

/// The network for use.
pub fn valid(net: &Network) -> Network {
    net.valid()
}
