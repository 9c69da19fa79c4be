//! Settings as the headers of models hold them: under the names that format 1 has, whatever the structures look like here.

use crate::{
    effect_fit::EffectConfig, field_net_config::FieldNetConfig, head_loss::HeadLoss, name_parts::Attributes,
    network::NetworkConfig,
};
use cupel_settings::{Kind, Value};
use cupel_train::{Optimizer, StageConfig};
use serde::{Deserialize, Serialize};

/// Something that is there unless it is left out, which is what its setting says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kept(pub bool);

impl Value for Kept {
    fn kind() -> Kind {
        Kind::Switch
    }

    fn parse(text: &str) -> Result<Self, String> {
        bool::parse(text).map(|left_out| Self(!left_out))
    }

    fn show(&self) -> Option<String> {
        Some((!self.0).to_string())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StoredLoss {
    CrossEntropy,
    Focal(f64),
    AdaptiveFocal,
    Poly(f64),
    Asymmetric,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoredEffect {
    batch: usize,
    unknown_dropout: f64,
    smoothing: f64,
    loss: StoredLoss,
    class_weights: bool,
    sparse: Kept,
    uncertainty: bool,
}

impl Default for StoredEffect {
    fn default() -> Self {
        EffectConfig::default().into()
    }
}

impl From<EffectConfig> for StoredEffect {
    fn from(config: EffectConfig) -> Self {
        let EffectConfig { batch, unknown_dropout, smoothing, class_weights, sparse, uncertainty, .. } = config;
        let loss = match config.loss {
            HeadLoss::CrossEntropy => StoredLoss::CrossEntropy,
            HeadLoss::Focal => StoredLoss::Focal(config.gamma),
            HeadLoss::AdaptiveFocal => StoredLoss::AdaptiveFocal,
            HeadLoss::Poly => StoredLoss::Poly(config.epsilon),
            HeadLoss::Asymmetric => StoredLoss::Asymmetric,
        };
        Self { batch, unknown_dropout, smoothing, loss, class_weights, sparse, uncertainty }
    }
}

impl From<StoredEffect> for EffectConfig {
    fn from(stored: StoredEffect) -> Self {
        let StoredEffect { batch, unknown_dropout, smoothing, loss, class_weights, sparse, uncertainty } = stored;
        let Self { mut gamma, mut epsilon, .. } = Self::default();
        let loss = match loss {
            StoredLoss::CrossEntropy => HeadLoss::CrossEntropy,
            StoredLoss::Focal(own) => {
                gamma = own;
                HeadLoss::Focal
            }
            StoredLoss::AdaptiveFocal => HeadLoss::AdaptiveFocal,
            StoredLoss::Poly(own) => {
                epsilon = own;
                HeadLoss::Poly
            }
            StoredLoss::Asymmetric => HeadLoss::Asymmetric,
        };
        Self { batch, unknown_dropout, smoothing, loss, gamma, epsilon, class_weights, sparse, uncertainty }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoredNetwork {
    net: FieldNetConfig,
    effect: EffectConfig,
    stage: StageConfig,
    strength: f64,
    folds: usize,
    parts: Kept,
    attributes: Attributes,
}

impl Default for StoredNetwork {
    fn default() -> Self {
        NetworkConfig::default().into()
    }
}

impl From<NetworkConfig> for StoredNetwork {
    fn from(config: NetworkConfig) -> Self {
        let stage = config.stage();
        let NetworkConfig { net, effect, strength, folds, parts, attributes, .. } = config;
        Self { net, effect, stage, strength, folds, parts, attributes }
    }
}

impl From<StoredNetwork> for NetworkConfig {
    fn from(stored: StoredNetwork) -> Self {
        let StoredNetwork { net, effect, stage, strength, folds, parts, attributes } = stored;
        let weight_decay = match &stage.optimizer {
            Optimizer::AdamW { weight_decay, .. } => *weight_decay,
            _ => 0.0,
        };
        let patience = stage.early_stopping.map_or(u64::MAX, |stopping| stopping.patience);
        let (epochs, learning_rate) = (stage.epochs, stage.learning_rate);
        Self { epochs, patience, learning_rate, weight_decay, strength, folds, parts, net, effect, attributes, stage }
    }
}
