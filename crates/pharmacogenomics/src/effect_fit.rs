//! [`EffectFit`]: what the trainer needs to know of a network over fields.

use crate::{
    counted::CountedRows,
    encoder::Encoded,
    field_net::{FieldNet, Inputs, TABLES, Widths},
    head_loss::HeadLoss,
    predictions::{Predictions, link},
    schema::TargetKind,
    stored::{Kept, StoredEffect},
    targets::{Classes, Labels},
};
use burn::{
    optim::ModuleOptimizer,
    tensor::{Device, Int, Tensor, TensorData},
};
use cupel_data::Stream;
use cupel_settings::{Range, settings};
use cupel_train::{
    Context, Error, Fit, History, Loss, Metrics, Next, Result, StageConfig, device::is_cpu, fingerprint,
};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::f64::consts::LN_2;

/// Rows of one forward pass where nothing is learned: on a processor a thread's share, whose layers stay in its caches, on other devices a
/// load worth starting for.
const INFERENCE_ROWS: [usize; 2] = [256, 4096];

settings! {
    /// How a network is trained, beside its shape and the stage.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(from = "StoredEffect", into = "StoredEffect")]
    pub struct EffectConfig in "network" {
        /// Rows of a step of the network
        pub batch: usize = 512, in Range::at_least(1.0).at_most(1_048_576.0), "ROWS";
        /// Share of names taken for unknown in training, so that unknown is learned too
        pub unknown_dropout: f64 = 0.1, in Range::at_least(0.0).below(1.0), "SHARE";
        /// Share of the truth spread over the classes
        pub smoothing: f64 = 0.05, in Range::at_least(0.0).below(1.0), "SHARE";
        /// The loss of every head
        pub loss: HeadLoss = HeadLoss::CrossEntropy;
        /// Exponent of the focal loss
        pub gamma: f64 = 2.0, in Range::at_least(0.0).at_most(100.0), "GAMMA";
        /// Factor of the linear term of poly
        pub epsilon: f64 = 1.0, in Range::at_least(0.0), "EPSILON";
        /// Rare classes weigh more: `1 / ln(rows + 2)`, scaled to a mean of 1
        pub class_weights: bool = false;
        /// Every step updates the embeddings of all names, and not only of those in its batch
        pub sparse: Kept as "dense-tables" = Kept(true);
        /// Targets weigh by a learned uncertainty (Kendall, Gal and Cipolla 2018, arXiv:1705.07115)
        pub uncertainty: bool = false;
    }
    needs {
        ["gamma"] |own| own.loss == HeadLoss::Focal => "only the focal loss has it";
        ["epsilon"] |own| own.loss == HeadLoss::Poly => "only the poly loss has it";
    }
}

impl EffectConfig {
    /// The number of the loss that has one.
    pub(crate) fn number(&self) -> f64 {
        if self.loss == HeadLoss::Poly { self.epsilon } else { self.gamma }
    }
}

/// Encoded rows with their targets.
#[derive(Clone, Debug)]
pub(crate) struct Rows {
    pub(crate) encoded: Encoded,
    /// What was counted on other rows, of the rows that will be asked for.
    pub(crate) counted: Option<CountedRows>,
    pub(crate) offsets: Vec<u32>,
    pub(crate) widths: Widths,
}

impl Rows {
    /// Ids of each field begin where those of the field before end.
    pub(crate) fn new(encoded: Encoded, counted: Option<CountedRows>, widths: &Widths) -> Self {
        let mut offsets = vec![0];
        for width in widths.categories.iter().chain(&widths.lists) {
            offsets.push(offsets[offsets.len() - 1] + *width as u32);
        }
        Self { encoded, counted, offsets, widths: widths.clone() }
    }

    /// The rows on a device; with `unknown`, a share of the names is taken for unknown.
    pub(crate) fn inputs(&self, rows: &[usize], unknown: Option<(f64, Stream)>, device: &Device) -> Inputs {
        let fields = self.encoded.ids.len();
        let mut draws = vec![1.0_f32; rows.len() * fields];
        let share = unknown.map_or(0.0, |(share, stream)| {
            stream.fill_uniform(&mut draws);
            share as f32
        });
        let mut ids = Vec::with_capacity(rows.len() * fields);
        for (i, row) in rows.iter().enumerate() {
            for field in 0..fields {
                let source = if draws[i * fields + field] < share { &self.encoded.fallback } else { &self.encoded.ids };
                ids.push(i64::from(source[field][*row] + self.offsets[field]));
            }
        }
        let list = |(list, (offsets, codes)): (usize, &(Vec<usize>, Vec<u32>))| {
            let longest = rows.iter().map(|row| offsets[row + 1] - offsets[*row]).max().unwrap_or(0).max(1);
            let first = self.offsets[fields + list];
            let mut places = Vec::with_capacity(rows.len() * longest);
            let mut weights = Vec::with_capacity(rows.len() * longest);
            for row in rows {
                let own = &codes[offsets[*row]..offsets[row + 1]];
                for place in 0..longest {
                    // an empty list is missing, which has an id; places beyond a list weigh nothing
                    let code = own.get(place).copied().unwrap_or(crate::MISSING_ID);
                    places.push(i64::from(first + code));
                    let counts = place < own.len().max(1);
                    weights.push(if counts { 1.0 / own.len().max(1) as f32 } else { 0.0 });
                }
            }
            let shape = [rows.len(), longest];
            let places: Tensor<2, Int> = Tensor::from_data(TensorData::new(places, shape), device);
            (places, Tensor::from_data(TensorData::new(weights, shape), device))
        };
        let lists = self.encoded.lists.iter().enumerate().map(list).collect();
        let count = self.encoded.numbers.len();
        let numbers = (count > 0).then(|| {
            let of_row = |row: &usize| {
                let own = self.encoded.numbers.iter();
                own.flat_map(|(values, present)| [values[*row], f32::from(u8::from(present[*row]))]).collect::<Vec<_>>()
            };
            let values: Vec<f32> = rows.iter().flat_map(of_row).collect();
            Tensor::from_data(TensorData::new(values, [rows.len(), 2 * count]), device)
        });
        let ids = Tensor::from_data(TensorData::new(ids, [rows.len(), fields]), device);
        let counted = self.counted.as_ref().map(|counted| counted.inputs(rows, device));
        Inputs { ids, lists, numbers, counted, dropout: None }
    }
}

/// The probabilities that a net gives `rows`, target by target.
pub(crate) fn infer(
    net: &FieldNet,
    data: &Rows,
    heads: &[(TargetKind, usize)],
    rows: &[usize],
    device: &Device,
) -> Result<Vec<Predictions>> {
    let widths = &data.widths;
    let outputs: usize = heads.iter().map(|(_, width)| width).sum();
    // Worth it for more rows than names, each of which goes once through a share of the layer.
    let names: usize = widths.categories.iter().sum();
    let folded = if rows.len() * widths.categories.len() > 2 * names { net.folded(widths) } else { None };
    let logits = |rows: &[usize]| -> Result<Vec<f32>> {
        let logits = net.forward_folded(data.inputs(rows, None, device), folded.as_ref()).into_data();
        logits
            .try_into_vec::<f32>()
            .map_err(|error| Error::Device { action: "read the logits", problem: format!("{error:?}") })
    };
    let logits: Vec<Vec<f32>> = if is_cpu(device) {
        rows.par_chunks(INFERENCE_ROWS[0]).map(logits).collect::<Result<_>>()?
    } else {
        rows.chunks(INFERENCE_ROWS[1]).map(logits).collect::<Result<_>>()?
    };
    let mut values: Vec<Vec<f64>> = heads.iter().map(|(_, width)| Vec::with_capacity(rows.len() * width)).collect();
    for row in logits.iter().flat_map(|logits| logits.chunks_exact(outputs)) {
        let mut start = 0;
        for ((kind, width), values) in heads.iter().zip(&mut values) {
            let first = values.len();
            values.extend(row[start..start + width].iter().map(|logit| f64::from(*logit)));
            link(*kind, &mut values[first..]);
            start += width;
        }
    }
    let heads = heads.iter().zip(values);
    Ok(heads.map(|((kind, width), values)| Predictions::new(*kind, *width, values)).collect())
}

/// A batch on the device.
pub struct EffectBatch {
    inputs: Inputs,
    /// Of each target: what is true, what is aimed at, the weight of each row.
    heads: Vec<[Tensor<2>; 3]>,
    weight: f64,
}

/// A table and its targets for the trainer.
pub struct EffectFit {
    pub(crate) config: EffectConfig,
    pub(crate) data: Rows,
    pub(crate) classes: Vec<Classes>,
    pub(crate) labels: Vec<Labels>,
    pub(crate) train: Vec<usize>,
    pub(crate) validation: Vec<usize>,
    pub(crate) row_weights: Vec<f64>,
    pub(crate) seed: u64,
    pub(crate) identity: String,
    /// The order of the rows in the epoch it is for.
    pub(crate) order: Option<(u32, u64, Vec<usize>)>,
}

impl EffectFit {
    pub(crate) fn heads(&self) -> Vec<(TargetKind, usize)> {
        self.classes.iter().map(|classes| (classes.kind, classes.len())).collect()
    }

    fn rows(&mut self, stage: u32, epoch: u64, step: u64) -> Vec<usize> {
        if self.order.as_ref().is_none_or(|(s, e, _)| (*s, *e) != (stage, epoch)) {
            let stream = Stream::new(self.seed, "order of rows").child(u64::from(stage)).at(epoch, 0);
            self.order = Some((stage, epoch, stream.permutation(self.train.len())));
        }
        let order = self.order.as_ref().map_or(&[][..], |(_, _, order)| order);
        let from = step as usize * self.config.batch;
        let to = (from + self.config.batch).min(order.len());
        order[from.min(to)..to].iter().map(|position| self.train[*position]).collect()
    }

    fn head(&self, target: usize, rows: &[usize], device: &Device) -> [Tensor<2>; 3] {
        let (classes, labels) = (&self.classes[target], &self.labels[target]);
        let width = classes.len();
        let raw = |count: &u64| 1.0 / (*count as f64 + 2.0).ln();
        let mean = classes.counts.iter().map(raw).sum::<f64>() / width as f64;
        let by_class = self.config.class_weights && classes.kind == TargetKind::Class;
        let weights: Vec<f64> =
            classes.counts.iter().map(|count| if by_class { raw(count) / mean } else { 1.0 }).collect();
        let mut truth = vec![0.0_f64; rows.len() * width];
        let mut known = Vec::with_capacity(rows.len());
        for (row, out) in rows.iter().zip(truth.chunks_exact_mut(width)) {
            labels.write_row(*row, out);
            known.push(if labels.is_known(*row) { self.row_weights[*row] as f32 } else { 0.0 });
        }
        let s = self.config.smoothing;
        let smooth = |(class, y): (usize, &f64)| {
            let spread = if classes.kind == TargetKind::Class { s / width as f64 } else { 0.5 * s };
            ((1.0 - s) * y + spread) as f32 * weights[class] as f32
        };
        let aim: Vec<f32> = truth.chunks_exact(width).flat_map(|row| row.iter().enumerate().map(smooth)).collect();
        let truth: Vec<f32> = truth.into_iter().map(|y| y as f32).collect();
        let tensor = |values: Vec<f32>, width| Tensor::from_data(TensorData::new(values, [rows.len(), width]), device);
        [tensor(truth, width), tensor(aim, width), tensor(known, 1)]
    }
}

impl Fit for EffectFit {
    type Model = FieldNet;
    type Batch = EffectBatch;

    fn batch(&mut self, ctx: &Context<'_>) -> Result<EffectBatch> {
        let rows = self.rows(ctx.at.stage, ctx.at.epoch, ctx.at.step);
        let unknown = (self.config.unknown_dropout, ctx.stream.child(0));
        let dropout = Some(ctx.stream.child(1));
        let inputs = Inputs { dropout, ..self.data.inputs(&rows, Some(unknown), ctx.device) };
        let heads = (0..self.classes.len()).map(|target| self.head(target, &rows, ctx.device)).collect();
        Ok(EffectBatch { inputs, heads, weight: rows.iter().map(|row| self.row_weights[*row]).sum() })
    }

    fn loss(&self, model: &FieldNet, batch: EffectBatch, _: &Context<'_>) -> Loss {
        let logits = model.forward(batch.inputs);
        let (mut start, mut terms) = (0, Vec::new());
        let mut total: Option<Tensor<1>> = None;
        for (target, (classes, [truth, aim, known])) in self.classes.iter().zip(batch.heads).enumerate() {
            let width = classes.len();
            let own = logits.clone().narrow(1, start, width);
            let rows = self.config.loss.rows(self.config.number(), classes.kind, own, truth, aim);
            let mean = (rows * known.clone()).sum() / known.sum().clamp_min(f32::MIN_POSITIVE);
            terms.push((NAMES[target.min(NAMES.len() - 1)], mean.clone()));
            let weighted = if self.config.uncertainty {
                let s = model.log_sigma.val().narrow(0, target, 1);
                mean * (-s.clone()).exp() + s
            } else {
                mean
            };
            total = Some(match total {
                Some(total) => total + weighted,
                None => weighted,
            });
            start += width;
        }
        let mean = total.unwrap_or_else(|| logits.sum() * 0.0);
        Loss { mean, weight: batch.weight, terms }
    }

    fn next(&mut self, _: &History) -> Result<Next> {
        Ok(Next::Continue)
    }

    fn optimizer(&self, stage: &StageConfig) -> ModuleOptimizer {
        if self.config.sparse.0 { stage.optimizer.init_by_rows(&TABLES) } else { stage.optimizer.init() }
    }

    fn steps_per_epoch(&self) -> u64 {
        self.train.len().div_ceil(self.config.batch) as u64
    }

    fn evaluate(&mut self, model: &FieldNet, ctx: &Context<'_>) -> Result<Metrics> {
        let said = infer(model, &self.data, &self.heads(), &self.validation, ctx.device)?;
        let mut metrics = Metrics::new();
        let (mut sum, mut count) = (0.0, 0);
        for ((classes, labels), said) in self.classes.iter().zip(&self.labels).zip(said) {
            let Some(loss) = said.log_loss(labels, &self.validation) else { continue };
            // the log-loss of guessing, so that a target of many classes does not drown the others
            sum += loss / if classes.kind == TargetKind::Class { (classes.len() as f64).ln() } else { LN_2 };
            count += 1;
            metrics.push(format!("{}_log_loss", classes.target), loss);
        }
        metrics.push(WATCHED, sum / f64::from(count.max(1)));
        Ok(metrics)
    }

    fn fingerprint(&self) -> Result<[u8; 32]> {
        fingerprint(&(&self.config, &self.identity, self.seed, &self.train, &self.validation))
    }
}

/// The number by which the best weights are chosen: the mean over targets of the validation log-loss relative to guessing.
pub(crate) const WATCHED: &str = "validation_loss";

/// Names of the losses of the heads in the log; the log wants names that live for ever.
const NAMES: [&str; 5] = ["loss_1", "loss_2", "loss_3", "loss_4", "loss_more"];
