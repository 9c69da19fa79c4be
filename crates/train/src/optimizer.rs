//! The optimisers that a stage can choose by name.

use crate::{Error, Result, adamw::AdamW};
use burn::{
    module::ParamGroup,
    optim::{
        AdaGradConfig, AdafactorConfig, AdamConfig, AdanConfig, LambConfig, LionConfig, ModuleOptimizer, RmsPropConfig,
        SgdConfig, decay::WeightDecayConfig, momentum::MomentumConfig,
    },
};
use serde::{Deserialize, Serialize};

/// An optimiser with the settings that matter. AdamW is ours, in one pass over memory; the others are Burn's and keep its defaults beside
/// these.
///
/// For anything else, such as Muon on matrices and AdamW on the rest, see [`Fit::optimizer`](crate::Fit::optimizer).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Optimizer {
    /// D. P. Kingma and J. Ba, ICLR 2015, arXiv 1412.6980.
    Adam {
        /// Decays of the two moments.
        betas: [f64; 2],
        /// Added to the root of the second moment.
        epsilon: f64,
    },
    /// Adam with decoupled weight decay (I. Loshchilov and F. Hutter, ICLR 2019, arXiv 1711.05101).
    AdamW {
        /// Decays of the two moments.
        betas: [f64; 2],
        /// Added to the root of the second moment.
        epsilon: f64,
        /// Weight decay per unit of learning rate.
        weight_decay: f64,
    },
    /// Stochastic gradient descent.
    Sgd {
        /// Momentum; 0 for none.
        momentum: f64,
        /// Whether the momentum is Nesterov's.
        nesterov: bool,
        /// Factor of the squared weights in the loss.
        weight_decay: f64,
    },
    /// T. Tieleman and G. Hinton, lecture 6.5 (2012).
    RmsProp,
    /// J. Duchi, E. Hazan, Y. Singer, JMLR 12, 2121 (2011).
    AdaGrad,
    /// N. Shazeer and M. Stern, ICML 2018, arXiv 1804.04235.
    Adafactor,
    /// X. Xie et al., TPAMI 46, 9508 (2024), arXiv 2208.06677.
    Adan,
    /// Y. You et al., ICLR 2020, arXiv 1904.00962.
    Lamb,
    /// X. Chen et al., NeurIPS 2023, arXiv 2302.06675.
    Lion {
        /// Weight decay per unit of learning rate.
        weight_decay: f64,
    },
}

impl Default for Optimizer {
    /// AdamW with the numbers of its paper.
    fn default() -> Self {
        Self::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 1e-2 }
    }
}

impl Optimizer {
    /// Adam with the numbers of its paper.
    pub fn adam() -> Self {
        Self::Adam { betas: [0.9, 0.999], epsilon: 1e-8 }
    }

    /// Plain stochastic gradient descent.
    pub fn sgd() -> Self {
        Self::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 }
    }

    /// The optimiser itself.
    pub fn init(&self) -> ModuleOptimizer {
        match *self {
            Self::Adam { betas: [b1, b2], epsilon } => {
                AdamConfig::new().with_beta_1(b1 as f32).with_beta_2(b2 as f32).with_epsilon(epsilon as f32).init()
            }
            Self::AdamW { betas, epsilon, weight_decay } => {
                AdamW { betas, epsilon, weight_decay, by_rows: false }.into()
            }
            Self::Sgd { momentum, nesterov, weight_decay } => {
                let momentum =
                    MomentumConfig::new().with_momentum(momentum).with_dampening(0.0).with_nesterov(nesterov);
                let decay = WeightDecayConfig::new(weight_decay as f32);
                SgdConfig::new()
                    .with_momentum((momentum.momentum > 0.0).then_some(momentum))
                    .with_weight_decay((weight_decay > 0.0).then_some(decay))
                    .init()
            }
            Self::RmsProp => RmsPropConfig::new().init(),
            Self::AdaGrad => AdaGradConfig::new().init(),
            Self::Adafactor => AdafactorConfig::new().init(),
            Self::Adan => AdanConfig::new().init(),
            Self::Lamb => LambConfig::new().init(),
            Self::Lion { weight_decay } => LionConfig::new().with_weight_decay(weight_decay as f32).init(),
        }
    }

    /// As [`init`](Self::init), but of the parameters `tables`, named by their paths in the module, AdamW leaves rows alone that have no
    /// gradient: rare names neither shrink nor drift where they do not occur, and cost nothing. Their moments decay when they are
    /// next touched, by one step. The other optimisers know no rows and are as they were.
    pub fn init_by_rows(&self, tables: &[&str]) -> ModuleOptimizer {
        match *self {
            Self::AdamW { betas, epsilon, weight_decay } => self.init().with_group(
                ParamGroup::from_paths(tables.to_vec()),
                AdamW { betas, epsilon, weight_decay, by_rows: true },
                None,
            ),
            _ => self.init(),
        }
    }

    /// # Errors
    /// [`Error::Setting`] for a number out of its range.
    pub fn check(&self) -> Result<()> {
        let wrong = |name, got: f64, expected| Err(Error::Setting { name, got: got.to_string(), expected });
        match *self {
            Self::Adam { betas, epsilon } | Self::AdamW { betas, epsilon, .. } => {
                if let Some(beta) = betas.into_iter().find(|beta| !(0.0..1.0).contains(beta)) {
                    return wrong("optimizer.betas", beta, "numbers from 0 to below 1");
                }
                if !(epsilon > 0.0 && epsilon.is_finite()) {
                    return wrong("optimizer.epsilon", epsilon, "a number above 0");
                }
            }
            Self::Sgd { momentum, .. } if !(0.0..1.0).contains(&momentum) => {
                return wrong("optimizer.momentum", momentum, "a number from 0 to below 1");
            }
            _ => {}
        }
        match *self {
            Self::AdamW { weight_decay, .. } | Self::Sgd { weight_decay, .. } | Self::Lion { weight_decay }
                if !(weight_decay >= 0.0 && weight_decay.is_finite()) =>
            {
                wrong("optimizer.weight_decay", weight_decay, "a number of at least 0")
            }
            _ => Ok(()),
        }
    }
}
