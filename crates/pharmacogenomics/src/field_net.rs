//! [`FieldNet`]: field embeddings, what pairs of them say, a deep tower, and one head for all targets.
//!
//! Let e_1 .. e_F be the embeddings of a row. The logits of all targets are one linear map of
//! * the deep tower: e_1 .. e_F (through the attention encoder where there is one) and the numbers, through layers of
//!   linear, layer norm, GELU and dropout;
//! * the interaction: the F(F-1)/2 dot products `<e_i, e_j>`, i < j, so that the head learns a weight per pair and class (a
//!   field-weighted factorisation machine, Pan et al. 2018, arXiv:1806.03514), or `((sum e)^2 - sum e^2) / 2` (bi-interaction,
//!   He and Chua 2017, arXiv:1708.05027), or its sum (Rendle 2010), or nothing; of the embeddings before attention;
//! * the cross layers of DCNv2 of low rank, `x_(l+1) = x_0 (U V x_l + b) + x_l` (Wang et al. 2021, arXiv:2008.13535);
//!
//! plus the first-order term of DeepFM (Guo et al. 2017, arXiv:1703.04247): a weight per name and class. All fields share one
//! table, each at its offset, so that one lookup serves all.

use burn::{
    module::{Initializer, Module, Param},
    nn::{
        Dropout, DropoutConfig, Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
        transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput},
    },
    tensor::{Device, FloatDType, Int, Tensor, TensorData, activation::gelu},
};
use cupel_train::full;
use serde::{Deserialize, Serialize};

/// How pairs of embeddings speak.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interaction {
    /// A dot product per pair.
    #[default]
    Pairs,
    /// The vector of products summed over pairs.
    Bi,
    /// The sum of all dot products.
    Scalar,
    /// Not at all.
    None,
}

/// The shape of a [`FieldNet`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FieldNetConfig {
    /// Components of an embedding.
    pub embedding: usize,
    /// Width of the layers of the tower.
    pub hidden: usize,
    /// Layers of the tower.
    pub layers: usize,
    /// Share of the activations that are dropped in training.
    pub dropout: f64,
    /// What pairs of embeddings say.
    pub interaction: Interaction,
    /// A weight per name and class.
    pub first_order: bool,
    /// Layers of the attention encoder between the embeddings and the tower; 0 for none.
    pub attention: usize,
    /// Normalise before attention instead of after it.
    pub norm_first: bool,
    /// Cross layers; 0 for none.
    pub cross: usize,
    /// Rank of the cross layers.
    pub cross_rank: usize,
}

impl Default for FieldNetConfig {
    fn default() -> Self {
        Self {
            embedding: 32,
            hidden: 256,
            layers: 1,
            dropout: 0.5,
            interaction: Interaction::Pairs,
            first_order: true,
            attention: 0,
            norm_first: true,
            cross: 0,
            cross_rank: 32,
        }
    }
}

/// What a table and its targets ask of the net.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Widths {
    /// Ids of each field of categories.
    pub categories: Vec<usize>,
    /// Ids of each field of lists.
    pub lists: Vec<usize>,
    /// Fields of numbers.
    pub numbers: usize,
    /// Logits of all targets.
    pub outputs: usize,
    /// Number of targets.
    pub targets: usize,
}

/// Rows as tensors.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// `[row, field]`, ids of the shared table.
    pub ids: Tensor<2, Int>,
    /// Of each field of lists ids of the shared table, `[row, place]`, and the weight of each place.
    pub lists: Vec<(Tensor<2, Int>, Tensor<2>)>,
    /// `[row, 2 x number]`: values and whether they are there; `None` without numbers.
    pub numbers: Option<Tensor<2>>,
}

/// Heads of attention: the largest of these that divides the embedding.
const HEADS: [usize; 4] = [8, 4, 2, 1];
/// Standard deviation of new embeddings.
const EMBEDDING_DEVIATION: f64 = 0.05;

/// A network over fields.
#[derive(Module, Debug)]
pub struct FieldNet {
    embedding: Embedding,
    first_order: Option<Embedding>,
    attention: Option<TransformerEncoder>,
    cross: Vec<Cross>,
    tower: Vec<Layer>,
    head: Linear,
    /// Logarithms of the uncertainty of the targets, by which their losses may be weighted.
    pub(crate) log_sigma: Param<Tensor<1>>,
    dropout: Dropout,
    pairs: Vec<usize>,
    #[module(skip)]
    config: FieldNetConfig,
}

#[derive(Module, Debug)]
struct Layer {
    linear: Linear,
    norm: LayerNorm,
}

/// `x_0 (U V x + b) + x`
#[derive(Module, Debug)]
struct Cross {
    down: Linear,
    up: Linear,
}

impl FieldNetConfig {
    /// A new net, its weights not yet drawn.
    pub fn init(&self, widths: &Widths, device: &Device) -> FieldNet {
        let ids: usize = widths.categories.iter().chain(&widths.lists).sum();
        let tokens = widths.categories.len() + widths.lists.len();
        let k = self.embedding;
        let flat = tokens * k + 2 * widths.numbers;
        let normal = Initializer::Normal { mean: 0.0, std: EMBEDDING_DEVIATION };
        let mut width = flat;
        let mut tower = Vec::new();
        for _ in 0..self.layers {
            tower.push(Layer {
                linear: LinearConfig::new(width, self.hidden).init(device),
                norm: LayerNormConfig::new(self.hidden).init(device),
            });
            width = self.hidden;
        }
        let interaction = match self.interaction {
            Interaction::Pairs => tokens * tokens.saturating_sub(1) / 2,
            Interaction::Bi => k,
            Interaction::Scalar => 1,
            Interaction::None => 0,
        };
        let cross: Vec<Cross> = (0..self.cross)
            .map(|_| Cross {
                down: LinearConfig::new(flat, self.cross_rank).with_bias(false).init(device),
                up: LinearConfig::new(self.cross_rank, flat).init(device),
            })
            .collect();
        let crossed = if cross.is_empty() { 0 } else { flat };
        let heads = HEADS.into_iter().find(|heads| k.is_multiple_of(*heads)).unwrap_or(1);
        let attention = (self.attention > 0).then(|| {
            TransformerEncoderConfig::new(k, self.hidden, heads, self.attention)
                .with_dropout(self.dropout)
                .with_norm_first(self.norm_first)
                .init(device)
        });
        // flat positions of the strict upper triangle of the matrix of dot products
        let pairs = (0..tokens).flat_map(|i| (i + 1..tokens).map(move |j| i * tokens + j)).collect();
        let zeros = Initializer::Zeros;
        FieldNet {
            embedding: EmbeddingConfig::new(ids, k).with_initializer(normal).init(device),
            first_order: self
                .first_order
                .then(|| EmbeddingConfig::new(ids, widths.outputs).with_initializer(zeros).init(device)),
            attention,
            cross,
            tower,
            head: LinearConfig::new(width + interaction + crossed, widths.outputs).init(device),
            log_sigma: Initializer::Zeros.init([widths.targets], device),
            dropout: DropoutConfig::new(self.dropout).init(),
            pairs,
            config: self.clone(),
        }
    }
}

impl FieldNet {
    /// The logits of all targets, `[row, output]`, in f32.
    pub fn forward(&self, inputs: Inputs) -> Tensor<2> {
        let [rows, _] = inputs.ids.dims();
        let device = inputs.ids.device();
        let mut tokens = vec![self.embedding.forward(inputs.ids.clone())]; // [row, field, component]
        let mut first = self.first_order.as_ref().map(|table| table.forward(inputs.ids).sum_dim(1));
        for (ids, weights) in inputs.lists {
            let weights: Tensor<3> = weights.unsqueeze_dim(2);
            let bag = self.embedding.forward(ids.clone());
            tokens.push((bag.clone() * weights.clone().cast(bag.dtype())).sum_dim(1));
            first = first.map(|sum| {
                let own = self.first_order.as_ref().map(|table| table.forward(ids));
                own.map_or(sum.clone(), |own| sum + (own.clone() * weights.cast(own.dtype())).sum_dim(1))
            });
        }
        let e = Tensor::cat(tokens, 1);
        let [_, fields, k] = e.dims();
        let seen = match &self.attention {
            Some(attention) => attention.forward(TransformerEncoderInput::new(e.clone())),
            None => e.clone(),
        };
        let with_numbers = |flat: Tensor<2>| match &inputs.numbers {
            Some(numbers) => Tensor::cat(vec![flat.clone(), numbers.clone().cast(flat.dtype())], 1),
            None => flat,
        };
        let flat = with_numbers(seen.reshape([rows, fields * k]));
        let mut h = flat;
        for layer in &self.tower {
            let x = full(layer.linear.forward(h), |x| layer.norm.forward(x));
            h = self.dropout.forward(gelu(x));
        }
        let mut parts = vec![h.cast(FloatDType::F32)];
        // sums of products cancel, so that they stay f32
        let wide = e.clone().cast(FloatDType::F32);
        match self.config.interaction {
            Interaction::Pairs if !self.pairs.is_empty() => {
                let gram = wide.clone().matmul(wide.swap_dims(1, 2)).reshape([rows, fields * fields]);
                let pairs: Vec<i64> = self.pairs.iter().map(|pair| *pair as i64).collect();
                let count = pairs.len();
                parts.push(gram.select(1, Tensor::from_data(TensorData::new(pairs, [count]), &device)));
            }
            Interaction::Pairs | Interaction::None => {}
            Interaction::Bi | Interaction::Scalar => {
                let sum = wide.clone().sum_dim(1);
                let squares = (wide.clone() * wide).sum_dim(1);
                let bi = ((sum.clone() * sum - squares) * 0.5).reshape([rows, k]);
                parts.push(if self.config.interaction == Interaction::Bi { bi } else { bi.sum_dim(1) });
            }
        }
        if !self.cross.is_empty() {
            let start = with_numbers(e.reshape([rows, fields * k]));
            let mut x = start.clone();
            for layer in &self.cross {
                x = start.clone() * layer.up.forward(layer.down.forward(x.clone())) + x;
            }
            parts.push(x.cast(FloatDType::F32));
        }
        let joined = Tensor::cat(parts, 1);
        let weights = self.head.weight.val().dtype();
        let logits = self.head.forward(joined.cast(weights)).cast(FloatDType::F32);
        match first {
            Some(first) => {
                let [_, _, outputs] = first.dims();
                logits + first.reshape([rows, outputs]).cast(FloatDType::F32)
            }
            None => logits,
        }
    }
}
