//! [`Counted`]: logits of what was counted on other rows, by one small network that is asked class by class.
//!
//! Of a row and a class it is told the [target statistics](crate::target_statistics) that boosting is told: of every field, pair and some triples how much
//! more often than by chance the class was seen with these names, `ln(share / prior)`, and how many rows these were. Its weights are those of all classes, so
//! that a class of twenty rows is judged by what thousands of others taught:
//!
//! `z_c = v s_c + w g(W_3 g(norm(W_1 [s_c, ln prior_c] + W_2 n + b_t)) + b_3)`
//!
//! with the shares s_c, the rows n, one shift b_t for each target, GELU g and layer norm. A network that is told names alone has to learn the share of a
//! class from a handful of rows by gradients, and learns these rows by heart before; here it learns how much each share is to be believed.

use crate::{
    field_net::{normalized, through},
    target_statistics::TargetStatistics,
};
use burn::{
    module::{Initializer, Module, Param},
    nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig},
    tensor::{DType, Device, FloatDType, Tensor, TensorData},
};
use cupel_data::Stream;
use cupel_kernels::{Activation, activate, dropout};
use cupel_train::full;
use serde::{Deserialize, Serialize};

/// How much the shares count for at first, each: together about what the best of them says.
const FIRST_TRUST: f64 = 0.02;

/// How many numbers a network of shares is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedWidths {
    /// Shares of each class.
    pub shares: usize,
    /// Counts of rows, each with whether there is any.
    pub levels: usize,
    /// Logits of each target.
    pub heads: Vec<usize>,
}

/// What is counted on other rows, as tensors.
#[derive(Clone, Debug)]
pub struct CountedInputs {
    /// `[row, output, share]`: how much more often than by chance, 0 where nothing is known; at last how common the class is, `ln prior`.
    pub shares: Tensor<3>,
    /// `[row, target, 2 x level]`: `ln(1 + rows)` of each level, then whether there are any.
    pub seen: Tensor<3>,
}

/// A network that is asked class by class.
#[derive(Module, Debug)]
pub(crate) struct Counted {
    shares: Linear,
    seen: Linear,
    /// `[1, target, hidden]`
    targets: Param<Tensor<3>>,
    norm: LayerNorm,
    hidden: Linear,
    head: Linear,
    trust: Linear,
    #[module(skip)]
    heads: Vec<usize>,
}

impl Counted {
    pub(crate) fn new(widths: &CountedWidths, hidden: usize, device: &Device) -> Self {
        let trust = Initializer::Constant { value: FIRST_TRUST };
        Self {
            shares: LinearConfig::new(widths.shares + 1, hidden).init(device),
            seen: LinearConfig::new(2 * widths.levels, hidden).with_bias(false).init(device),
            targets: Initializer::Zeros.init([1, widths.heads.len(), hidden], device),
            norm: LayerNormConfig::new(hidden).init(device),
            hidden: LinearConfig::new(hidden, hidden).init(device),
            head: LinearConfig::new(hidden, 1).with_bias(false).init(device),
            trust: LinearConfig::new(widths.shares, 1).with_bias(false).with_initializer(trust).init(device),
            heads: widths.heads.clone(),
        }
    }

    /// The logits of all targets, `[row, output]`, in f32; a `share` of the activations is dropped by the draws.
    pub(crate) fn forward(&self, inputs: CountedInputs, share: f64, draws: Option<Stream>) -> Tensor<2> {
        let [rows, outputs, width] = inputs.shares.dims();
        let [_, targets, levels] = inputs.seen.dims();
        let hidden = self.norm.gamma.dims()[0];
        let drop = |x: Tensor<2>, layer: u64| match draws.map(|draws| draws.child(layer).philox()) {
            Some((key, counter)) => dropout(x, share, key, counter),
            None => x,
        };
        let shares = inputs.shares.reshape([rows * outputs, width]);
        let seen = of_kind(&self.seen, inputs.seen.reshape([rows * targets, levels]));
        let seen = through(&self.seen, seen).reshape([rows, targets, hidden]);
        let seen = seen.clone() + self.targets.val().cast(seen.dtype());
        // of each output what its target says of the row: [row, output, hidden]
        let of_target = |(target, outputs): (usize, &usize)| seen.clone().narrow(1, target, 1).repeat_dim(1, *outputs);
        let seen = Tensor::cat(self.heads.iter().enumerate().map(of_target).collect(), 1);
        let x = through(&self.shares, of_kind(&self.shares, shares.clone())) + seen.reshape([rows * outputs, hidden]);
        let x = drop(full(x, |x| normalized(&self.norm, x)), 0);
        let x = through(&self.hidden, x);
        let x = drop(full(x, |x| activate(x, Activation::Gelu)), 1);
        // the last of the shares says how common the class is, which is not believed but known
        let plain = of_kind(&self.trust, shares.narrow(1, 0, width - 1));
        let logits = through(&self.head, x).cast(FloatDType::F32) + through(&self.trust, plain).cast(FloatDType::F32);
        logits.reshape([rows, outputs])
    }
}

/// An input in the numbers of the weights of a layer, unless these are quantised.
fn of_kind(layer: &Linear, x: Tensor<2>) -> Tensor<2> {
    match layer.weight.val().dtype() {
        DType::QFloat(_) => x,
        kind => x.cast(kind),
    }
}

/// The numbers of rows of a table.
#[derive(Clone, Debug)]
pub(crate) struct CountedRows {
    widths: CountedWidths,
    /// Where each row of the table stands among those with numbers.
    positions: Vec<usize>,
    /// Row by row as [`CountedInputs::shares`] and [`CountedInputs::seen`].
    shares: Vec<f32>,
    seen: Vec<f32>,
}

impl CountedRows {
    /// Of a table of `rows` rows, of which none has numbers yet.
    pub(crate) fn new(widths: CountedWidths, rows: usize) -> Self {
        Self { widths, positions: vec![usize::MAX; rows], shares: Vec::new(), seen: Vec::new() }
    }

    /// The same with the statistics of these `rows`, target by target.
    #[must_use]
    pub(crate) fn with(mut self, rows: &[usize], statistics: &[TargetStatistics]) -> Self {
        let (shares, seen) = self.row_widths();
        let first = self.seen.len().checked_div(seen).unwrap_or(0);
        self.shares.reserve_exact(rows.len() * shares);
        self.seen.reserve_exact(rows.len() * seen);
        for (i, row) in rows.iter().enumerate() {
            self.positions[*row] = first + i;
            for (statistics, classes) in statistics.iter().zip(&self.widths.heads) {
                (0..*classes).for_each(|class| statistics.push_surprises(i, class, &mut self.shares));
                let counts = statistics.seen(i);
                self.seen.extend_from_slice(counts);
                self.seen.extend(counts.iter().map(|rows| f32::from(u8::from(*rows > 0.0))));
            }
        }
        self
    }

    /// Numbers of a row in [`shares`](Self::shares) and [`seen`](Self::seen).
    fn row_widths(&self) -> (usize, usize) {
        let outputs: usize = self.widths.heads.iter().sum();
        (outputs * (self.widths.shares + 1), self.widths.heads.len() * 2 * self.widths.levels)
    }

    /// The numbers of `rows` on a device.
    pub(crate) fn inputs(&self, rows: &[usize], device: &Device) -> CountedInputs {
        let widths = &self.widths;
        let of_rows = |values: &[f32], width: usize| -> Vec<f32> {
            rows.iter().flat_map(|row| &values[self.positions[*row] * width..][..width]).copied().collect()
        };
        let (shares, seen) = self.row_widths();
        let (shares, seen) = (of_rows(&self.shares, shares), of_rows(&self.seen, seen));
        let outputs: usize = widths.heads.iter().sum();
        let shares = TensorData::new(shares, [rows.len(), outputs, widths.shares + 1]);
        let seen = TensorData::new(seen, [rows.len(), widths.heads.len(), 2 * widths.levels]);
        CountedInputs { shares: Tensor::from_data(shares, device), seen: Tensor::from_data(seen, device) }
    }
}
