//! [`FieldNet`]: field embeddings, what pairs of them say, a deep tower, and one head for all targets.
//!
//! Let e_1 .. e_F be the embeddings of a row. The logits of all targets are one linear map of
//! * the deep tower: e_1 .. e_F (through the attention encoder where there is one) and the numbers, through layers of
//!   linear, layer norm, GELU and dropout. With a class token the tower sees what attention makes of that alone, which is the
//!   FT-Transformer (Gorishniy et al. 2021, arXiv:2106.11959);
//! * the interaction: the F(F-1)/2 dot products `<e_i, e_j>`, i < j, so that the head learns a weight per pair and class (a
//!   field-weighted factorisation machine, Pan et al. 2018, arXiv:1806.03514), or `<e_i M_ij, e_j>` with a matrix per pair
//!   (field-matrixed, Sun et al. 2021, arXiv:2102.12994), or `((sum e)^2 - sum e^2) / 2` (bi-interaction, He and Chua 2017,
//!   arXiv:1708.05027), or its sum (Rendle 2010), or nothing; of the embeddings before attention;
//! * the cross layers of DCNv2 of low rank, `x_(l+1) = x_0 (U V x_l + b) + x_l` (Wang et al. 2021, arXiv:2008.13535);
//! * the interacting layers of AutoInt, `relu(attention(e) + W e)` with as many heads as attention has (Song et al. 2019,
//!   arXiv:1810.11921), flattened;
//!
//! plus the first-order term of DeepFM (Guo et al. 2017, arXiv:1703.04247): a weight per name and class. All fields share one
//! table, each at its offset, so that one lookup serves all. To these is added what [`Counted`] makes of the shares of classes counted on other rows.

use crate::{
    counted::{Counted, CountedInputs, CountedWidths},
    field_net_config::{FieldNetConfig, Interaction, Reads},
};
use burn::{
    module::{Initializer, Module, ModuleMapper, ModuleVisitor, Param},
    nn::{
        Embedding, EmbeddingConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig,
        transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput},
    },
    tensor::{
        DType, Device, FloatDType, Int, Tensor, TensorData,
        activation::{relu, softmax},
        quantization::{QuantScheme, QuantValue},
    },
};
use cupel_data::Stream;
use cupel_kernels::{
    Activation, Normalization, Share, activate, bi_interaction, dropout, embedding, gram_pairs, linear, normalize,
};
use cupel_train::full;
use serde::{Deserialize, Serialize};

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
    /// What is counted on other rows; `None` where nothing is.
    pub counted: Option<CountedWidths>,
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
    /// What was counted on other rows; `None` where the net is told nothing of it.
    pub counted: Option<CountedInputs>,
    /// The draws of the dropout behind the layers of the tower; `None` where nothing is dropped.
    pub dropout: Option<Stream>,
}

/// Heads of attention: the largest of these that divides the embedding.
const HEADS: [usize; 4] = [8, 4, 2, 1];
/// Added to the variance by layer norms, as Burn's and PyTorch's do.
const EPSILON: f64 = 1e-5;
/// The stream of the draws of the part that is told counts, beside those of the layers of the tower.
const COUNTED: u64 = 1 << 32;
/// Where a row belongs to a name.
pub(crate) const TABLES: [&str; 2] = ["embedding.weight", "first_order.weight"];
/// Standard deviation of new embeddings.
const EMBEDDING_DEVIATION: f64 = 0.05;

/// A network over fields.
#[derive(Module, Debug)]
pub struct FieldNet {
    /// With the head what there is where fields are read.
    embedding: Option<Embedding>,
    first_order: Option<Embedding>,
    attention: Option<TransformerEncoder>,
    /// `[1, 1, component]`
    class_token: Option<Param<Tensor<3>>>,
    /// `[pair, component, component]`
    matrices: Option<Param<Tensor<3>>>,
    interacting: Vec<Interacting>,
    cross: Vec<Cross>,
    tower: Vec<Layer>,
    head: Option<Linear>,
    counted: Option<Counted>,
    /// Logarithms of the uncertainty of the targets, by which their losses may be weighted.
    pub(crate) log_sigma: Param<Tensor<1>>,
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

/// `relu(attention(e) + W e)`
#[derive(Module, Debug)]
struct Interacting {
    query: Linear,
    key: Linear,
    value: Linear,
    residual: Linear,
}

impl Interacting {
    fn new(k: usize, device: &Device) -> Self {
        let linear = || LinearConfig::new(k, k).with_bias(false).init(device);
        Self { query: linear(), key: linear(), value: linear(), residual: linear() }
    }

    /// Fields to fields, `[row, field, component]`; the scores are not scaled, as in the paper's equation 5.
    fn forward(&self, e: Tensor<3>, heads: usize) -> Tensor<3> {
        let [rows, fields, k] = e.dims();
        let split = |x: Tensor<3>| x.reshape([rows, fields, heads, k / heads]).swap_dims(1, 2); // [row, head, field, component]
        let scores = split(self.query.forward(e.clone())).matmul(split(self.key.forward(e.clone())).swap_dims(2, 3));
        let mixed = full(scores, |scores| softmax(scores, 3)).matmul(split(self.value.forward(e.clone())));
        relu(mixed.swap_dims(1, 2).reshape([rows, fields, k]) + self.residual.forward(e))
    }
}

impl FieldNetConfig {
    /// A new net, its weights not yet drawn.
    pub fn init(&self, widths: &Widths, device: &Device) -> FieldNet {
        let counted = widths.counted.as_ref().filter(|_| self.reads != Reads::Names);
        let counted = counted.map(|widths| Counted::new(widths, self.counted, device));
        let log_sigma = Initializer::Zeros.init([widths.targets], device);
        let counts_alone = self.reads == Reads::Counts && counted.is_some();
        if counts_alone && widths.numbers == 0 && widths.lists.is_empty() {
            return FieldNet {
                embedding: None,
                first_order: None,
                attention: None,
                class_token: None,
                matrices: None,
                interacting: Vec::new(),
                cross: Vec::new(),
                tower: Vec::new(),
                head: None,
                counted,
                log_sigma,
                config: self.clone(),
            };
        }
        let ids: usize = widths.categories.iter().chain(&widths.lists).sum();
        let tokens = widths.categories.len() + widths.lists.len();
        let k = self.embedding;
        let flat = tokens * k + 2 * widths.numbers;
        let normal = Initializer::Normal { mean: 0.0, std: EMBEDDING_DEVIATION };
        let with_token = self.class_token && self.attention > 0;
        let mut width = if with_token { k + 2 * widths.numbers } else { flat };
        let mut tower = Vec::new();
        for _ in 0..self.layers {
            tower.push(Layer {
                linear: LinearConfig::new(width, self.hidden).init(device),
                norm: LayerNormConfig::new(self.hidden).init(device),
            });
            width = self.hidden;
        }
        let interaction = match self.interaction {
            Interaction::Pairs | Interaction::Matrices => pairs(tokens),
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
        let interacted = if self.interacting > 0 { tokens * k } else { 0 };
        let attention = (self.attention > 0).then(|| {
            TransformerEncoderConfig::new(k, self.hidden, heads(k), self.attention)
                .with_dropout(self.dropout)
                .with_norm_first(self.norm_first.0)
                .init(device)
        });
        // near the unit matrix, where field-matrixed products are the plain ones
        let matrices = (self.interaction == Interaction::Matrices && tokens > 1).then(|| {
            let unit: Tensor<3> = Tensor::<2>::eye(k, device).unsqueeze();
            Param::from_tensor(unit.repeat_dim(0, pairs(tokens)))
        });
        let zeros = Initializer::Zeros;
        FieldNet {
            embedding: Some(EmbeddingConfig::new(ids, k).with_initializer(normal.clone()).init(device)),
            first_order: self
                .first_order
                .0
                .then(|| EmbeddingConfig::new(ids, widths.outputs).with_initializer(zeros).init(device)),
            attention,
            class_token: with_token.then(|| normal.init([1, 1, k], device)),
            matrices,
            interacting: (0..self.interacting).map(|_| Interacting::new(k, device)).collect(),
            cross,
            tower,
            head: Some(LinearConfig::new(width + interaction + interacted + crossed, widths.outputs).init(device)),
            counted,
            log_sigma,
            config: self.clone(),
        }
    }
}

impl FieldNet {
    /// The logits of all targets, `[row, output]`, in f32.
    ///
    /// # Panics
    /// "a net of shares alone was told none" where it reads no fields and the inputs hold nothing that was counted.
    pub fn forward(&self, inputs: Inputs) -> Tensor<2> {
        self.forward_folded(inputs, None)
    }

    /// What the first layer of the tower makes of each name of the fields of categories, `[id, hidden]`, as long as it sees their
    /// embeddings themselves: that layer is then one sum of rows, at the price of applying it to every name once.
    pub(crate) fn folded(&self, widths: &Widths) -> Option<Tensor<2>> {
        let (layer, table) = (self.tower.first()?, self.embedding.as_ref()?.weight.val());
        let weights = layer.linear.weight.val();
        // In fewer bits the sum of rounded rows would say something else than the layer.
        if [&table, &weights].iter().any(|x| x.dtype() != DType::F32) || self.attention.is_some() {
            return None;
        }
        let (k, mut first) = (self.config.embedding, 0);
        let of_field = |(field, width): (usize, &usize)| {
            let names = table.clone().narrow(0, first, *width);
            first += width;
            linear(names, weights.clone().narrow(0, field * k, k), None)
        };
        let parts: Vec<Tensor<2>> = widths.categories.iter().enumerate().map(of_field).collect();
        (!parts.is_empty()).then(|| Tensor::cat(parts, 0))
    }

    /// As [`forward`](Self::forward), with what [`folded`](Self::folded) gave.
    pub(crate) fn forward_folded(&self, mut inputs: Inputs, folded: Option<&Tensor<2>>) -> Tensor<2> {
        let draws = inputs.dropout.map(|draws| draws.child(COUNTED));
        let counted = self.counted.as_ref().zip(inputs.counted.take());
        let counted = counted.map(|(counted, told)| counted.forward(told, self.config.counted_dropout, draws));
        let fields = self.embedding.as_ref().zip(self.head.as_ref());
        let fields = fields.map(|(table, head)| self.of_fields(table, head, inputs, folded));
        match (fields, counted) {
            (Some(fields), Some(counted)) => fields + counted,
            (Some(logits), None) | (None, Some(logits)) => logits,
            (None, None) => panic!("a net of shares alone was told none"),
        }
    }

    /// The logits of what the fields say.
    fn of_fields(&self, table: &Embedding, head: &Linear, inputs: Inputs, folded: Option<&Tensor<2>>) -> Tensor<2> {
        let [_, categories] = inputs.ids.dims();
        let names = folded.map(|table| embedding(table.clone(), inputs.ids.clone()).sum_dim(1)); // [row, 1, hidden]
        let [rows, _] = inputs.ids.dims();
        let mut tokens = vec![looked_up(table, inputs.ids.clone())]; // [row, field, component]
        let mut first = self.first_order.as_ref().map(|table| looked_up(table, inputs.ids).sum_dim(1));
        for (ids, weights) in inputs.lists {
            let weights: Tensor<3> = weights.unsqueeze_dim(2);
            let bag = looked_up(table, ids.clone());
            tokens.push((bag.clone() * weights.clone().cast(bag.dtype())).sum_dim(1));
            first = first.map(|sum| {
                let own = self.first_order.as_ref().map(|table| looked_up(table, ids));
                own.map_or(sum.clone(), |own| sum + (own.clone() * weights.cast(own.dtype())).sum_dim(1))
            });
        }
        let e = Tensor::cat(tokens, 1);
        let [_, fields, k] = e.dims();
        let encode = |attention: &TransformerEncoder, e| attention.forward(TransformerEncoderInput::new(e));
        // what the tower sees: the fields, or the class token alone
        let seen = match (&self.attention, &self.class_token) {
            (Some(attention), Some(token)) => {
                let token = token.val().cast(e.dtype()).repeat_dim(0, rows);
                encode(attention, Tensor::cat(vec![token, e.clone()], 1)).narrow(1, 0, 1).reshape([rows, k])
            }
            (Some(attention), None) => encode(attention, e.clone()).reshape([rows, fields * k]),
            (None, _) => e.clone().reshape([rows, fields * k]),
        };
        let with_numbers = |flat: Tensor<2>| match &inputs.numbers {
            Some(numbers) => Tensor::cat(vec![flat.clone(), numbers.clone().cast(flat.dtype())], 1),
            None => flat,
        };
        let flat = with_numbers(seen);
        let mut h = flat;
        for (depth, layer) in self.tower.iter().enumerate() {
            let x = match &names {
                Some(names) if depth == 0 => beside(&layer.linear, names.clone(), h, categories * k),
                _ => through(&layer.linear, h),
            };
            let x = full(x, |x| normalized(&layer.norm, x));
            h = match inputs.dropout.map(|draws| draws.child(depth as u64).philox()) {
                Some((key, counter)) => dropout(x, self.config.dropout, key, counter),
                None => x,
            };
        }
        let mut parts = vec![h.cast(FloatDType::F32)];
        // sums of products cancel, so that they stay f32
        let wide = e.clone().cast(FloatDType::F32);
        match self.config.interaction {
            Interaction::Pairs if fields > 1 => parts.push(gram_pairs(wide)),
            Interaction::Matrices if fields > 1 => {
                if let Some(matrices) = &self.matrices {
                    parts.push(matrixed(wide, matrices.val().cast(FloatDType::F32)));
                }
            }
            Interaction::Bi => parts.push(bi_interaction(wide)),
            Interaction::Scalar => parts.push(bi_interaction(wide).sum_dim(1)),
            Interaction::Pairs | Interaction::Matrices | Interaction::None => {}
        }
        if !self.interacting.is_empty() {
            let mixed = self.interacting.iter().fold(e.clone(), |e, layer| layer.forward(e, heads(k)));
            parts.push(mixed.reshape([rows, fields * k]).cast(FloatDType::F32));
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
        let joined = match head.weight.val().dtype() {
            DType::QFloat(_) => joined,
            weights => joined.cast(weights),
        };
        let logits = through(head, joined).cast(FloatDType::F32);
        match first {
            Some(first) => {
                let [_, _, outputs] = first.dims();
                logits + first.reshape([rows, outputs]).cast(FloatDType::F32)
            }
            None => logits,
        }
    }
}

/// Rows of a table, in numbers whatever it is kept in.
fn looked_up(table: &Embedding, ids: Tensor<2, Int>) -> Tensor<3> {
    let rows = embedding(table.weight.val(), ids);
    if matches!(rows.dtype(), DType::QFloat(_)) { rows.dequantize() } else { rows }
}

/// Burn's linear layer by our kernel.
pub(crate) fn through(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    linear(x, layer.weight.val(), layer.bias.as_ref().map(Param::val))
}

/// A linear layer of which `names`, `[row, 1, output]`, is what the first `inputs` of its inputs amount to.
fn beside(layer: &Linear, names: Tensor<3>, flat: Tensor<2>, inputs: usize) -> Tensor<2> {
    let ([rows, width], [_, _, outputs]) = (flat.dims(), names.dims());
    let mut x = names.reshape([rows, outputs]);
    if inputs < width {
        let weights = layer.weight.val().narrow(0, inputs, width - inputs);
        x = x + linear(flat.narrow(1, inputs, width - inputs), weights, None);
    }
    match &layer.bias {
        Some(bias) => x + bias.val().unsqueeze(),
        None => x,
    }
}

/// Burn's layer norm with GELU behind it, by our kernel.
pub(crate) fn normalized(norm: &LayerNorm, x: Tensor<2>) -> Tensor<2> {
    let Some(beta) = &norm.beta else { return activate(norm.forward(x), Activation::Gelu) };
    let how = Normalization { share: Share::Group(1), epsilon: EPSILON, activation: Activation::Gelu };
    normalize(x, norm.gamma.val(), beta.val(), how).output
}

impl FieldNet {
    /// The net with its matrices and tables in 8 bits, each with one scale; the rest stays as it is.
    #[must_use]
    pub fn int8(self) -> Self {
        self.map(&mut Int8)
    }

    /// The bytes that the weights take.
    pub fn weight_bytes(&self) -> usize {
        let mut bytes = Bytes(0);
        self.visit(&mut bytes);
        bytes.0
    }
}

struct Int8;

impl ModuleMapper for Int8 {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D != 2 {
            return param;
        }
        let scheme = QuantScheme::default().with_value(QuantValue::Q8S);
        param.map(|weights| weights.quantize_dynamic(&scheme))
    }
}

struct Bytes(usize);

impl ModuleVisitor for Bytes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0 += param.val().into_data().bytes().len();
    }
}

/// The number of pairs of fields.
fn pairs(fields: usize) -> usize {
    fields * fields.saturating_sub(1) / 2
}

/// Heads of attention over `k` components.
fn heads(k: usize) -> usize {
    HEADS.into_iter().find(|heads| k.is_multiple_of(*heads)).unwrap_or(1)
}

/// `<e_i M_ij, e_j>` of every pair, `[row, pair]`, the pairs in the order (0, 1), (0, 2), ..., (1, 2), ...
fn matrixed(e: Tensor<3>, matrices: Tensor<3>) -> Tensor<2> {
    let [rows, fields, _] = e.dims();
    let device = e.device();
    let of_pairs = |side: fn(i64, i64) -> i64| -> Tensor<1, Int> {
        let all = (0..fields as i64).flat_map(|i| (i + 1..fields as i64).map(move |j| (i, j)));
        let chosen: Vec<i64> = all.map(|(i, j)| side(i, j)).collect();
        let count = chosen.len();
        Tensor::from_data(TensorData::new(chosen, [count]), &device)
    };
    let e = e.swap_dims(0, 1); // [field, row, component]
    let left = e.clone().select(0, of_pairs(|i, _| i)).matmul(matrices); // [pair, row, component]
    let right = e.select(0, of_pairs(|_, j| j));
    (left * right).sum_dim(2).reshape([pairs(fields), rows]).swap_dims(0, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_layer_says_the_same() {
        let device = Device::flex();
        device.seed(3);
        let widths =
            Widths { categories: vec![5, 7], lists: vec![4], numbers: 1, outputs: 3, targets: 1, counted: None };
        let net = FieldNetConfig { embedding: 6, hidden: 16, layers: 2, ..FieldNetConfig::default() };
        let net = net.init(&widths, &device);
        let ids = |values: Vec<i64>, shape: [usize; 2]| -> Tensor<2, Int> {
            Tensor::from_data(TensorData::new(values, shape), &device)
        };
        let inputs = Inputs {
            ids: ids(vec![0, 5, 4, 11, 2, 8], [3, 2]),
            lists: vec![(
                ids(vec![12, 13, 15, 12, 14, 14], [3, 2]),
                Tensor::from_data([[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]], &device),
            )],
            numbers: Some(Tensor::from_data([[0.3, 1.0], [-1.0, 1.0], [0.0, 0.0]], &device)),
            counted: None,
            dropout: None,
        };
        let folded = net.folded(&widths).expect("fields of categories and a tower");
        assert_eq!(folded.dims(), [12, 16]);
        let [plain, fast] = [net.forward(inputs.clone()), net.forward_folded(inputs, Some(&folded))];
        let [plain, fast] = [plain, fast].map(|logits| logits.into_data().try_into_vec::<f32>().expect("f32"));
        for (plain, fast) in plain.iter().zip(&fast) {
            assert!((plain - fast).abs() < 1e-5 * plain.abs().max(1.0), "{plain} {fast}");
        }
    }

    #[test]
    fn counts_alone_are_read_where_nothing_else_is_there() {
        let device = Device::flex();
        let reads_fields = |reads, numbers, lists: &[usize], counted: bool| {
            let counted = counted.then(|| CountedWidths { shares: 3, levels: 2, heads: vec![2] });
            let lists = lists.to_vec();
            let widths = Widths { categories: vec![5], lists, numbers, outputs: 2, targets: 1, counted };
            let net = FieldNetConfig { reads, ..FieldNetConfig::default() }.init(&widths, &device);
            (net.embedding.is_some(), net.counted.is_some())
        };
        assert_eq!(reads_fields(Reads::Counts, 0, &[], true), (false, true));
        assert_eq!(reads_fields(Reads::Counts, 1, &[], true), (true, true));
        assert_eq!(reads_fields(Reads::Counts, 0, &[4], true), (true, true));
        assert_eq!(reads_fields(Reads::Counts, 0, &[], false), (true, false));
        assert_eq!(reads_fields(Reads::Names, 0, &[], true), (true, false));
        assert_eq!(reads_fields(Reads::Both, 0, &[], true), (true, true));
    }
}
