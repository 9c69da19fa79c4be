//! Training steps of the networks of cosmology as the original makes them.

use cupel::burn::{
    module::AutodiffModule,
    optim::{AdamConfig, GradientsParams, ModuleOptimizer},
    tensor::Tensor,
};

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
