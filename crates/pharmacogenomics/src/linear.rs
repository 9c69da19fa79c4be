//! [`Linear`]: logistic regression on sparse tokens, multinomial for classes and one binary model for each label.
//!
//! Loss: the sum over rows of the cross-entropy plus `1 / (2 inverse_penalty)` times the squared weights, intercepts
//! left free; with tokens of value 1 this is scikit-learn's `LogisticRegression(C = inverse_penalty)`.

use crate::{
    classifier::Classifier,
    error::{Error, Result},
    examples::Examples,
    minimise::{Ending, minimise},
    predictions::{Predictions, cross_entropy, link},
    schema::TargetKind,
    sparse::Sparse,
    splits::Parts,
    targets::{Classes, Labels},
    token_config::TokenConfig,
    tokens::{Masks, Tokens},
};
use cupel_data::Stream;
use cupel_settings::{Range, Settings as _, settings};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

settings! {
    /// Settings of [`Linear`].
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct LinearConfig in "linear" {
        /// Most iterations of a logistic regression
        pub iterations: usize = 60, in Range::at_least(1.0), "N";
        /// Inverse of the penalty on the squared weights of a logistic regression
        pub inverse_penalty: f64 = 0.3, in Range::above(0.0), "C";
        /// What a row of the copy with hidden names counts for
        pub copies: f64 = 0.5, in Range::at_least(0.0), "ROWS";
    }
    parts {
        /// What a row says.
        pub tokens: TokenConfig;
    }
    needs {
        ["copies"] |own| own.tokens.unknown > 0.0 => "only with hidden-names are rows copied";
    }
}

impl LinearConfig {
    /// As a split asks for: where the names of a field with stems are a cold start, crosses are learned of what the names have in common and not of
    /// the names themselves.
    ///
    /// # Errors
    /// [`Error::Data`] when a field is missing.
    pub(crate) fn for_split(&self, examples: &Examples, parts: &Parts) -> Result<Self> {
        let mut config = self.clone();
        if config.tokens.crosses > 0.0 {
            let cold = parts.cold_fields(examples)?.into_iter();
            config.tokens.nameless = cold.filter(|field| config.tokens.stem_fields.contains(field)).collect();
        }
        Ok(config)
    }
}

/// Rows of one parallel task: results do not depend on it, for no sum goes across rows.
const TASK_ROWS: usize = 256;
/// Columns of one parallel task of the gradient.
const TASK_COLUMNS: usize = 512;

/// A fitted logistic regression over all targets.
#[derive(Clone, Debug)]
pub struct Linear {
    pub(crate) config: LinearConfig,
    pub(crate) tokens: Tokens,
    pub(crate) heads: Vec<Head>,
}

/// The weights of one target.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) kind: TargetKind,
    pub(crate) width: usize,
    /// `columns x width`, then the intercepts.
    pub(crate) weights: Vec<f32>,
}

impl Linear {
    /// Fits one model per target to the training `rows`; the names that are taken for unknown follow from `seed`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a penalty or a share that is none, [`Error::EmptyPart`] when a target is known in no row.
    pub fn fit(
        config: &LinearConfig,
        examples: &Examples,
        rows: &[usize],
        classes: &[Classes],
        labels: &[Labels],
        seed: u64,
    ) -> Result<Self> {
        config.check_values()?;
        let copied = config.tokens.unknown > 0.0 && config.copies > 0.0;
        let stream = Stream::new(seed, "names taken for unknown");
        let masks = copied.then_some(Masks { share: config.tokens.unknown, stream });
        let tokens = Tokens::fit(&config.tokens, examples, rows, masks)?;
        let mut heads = Vec::new();
        for (classes, labels) in classes.iter().zip(labels) {
            let known = labels.known(rows);
            if known.is_empty() {
                return Err(Error::EmptyPart {
                    part: "train",
                    rows: 0,
                    needed: 1,
                    why: "in which the target is known",
                });
            }
            let mut sparse = tokens.sparse(examples, &known, None)?;
            let mut weighted: Vec<(usize, f64)> = known.iter().map(|row| (*row, examples.weight(*row))).collect();
            if masks.is_some() {
                sparse = sparse.followed_by(&tokens.sparse(examples, &known, masks)?);
                weighted.extend(known.iter().map(|row| (*row, config.copies * examples.weight(*row))));
            }
            heads.push(fit_head(config, &sparse, tokens.len(), &weighted, classes, labels));
        }
        Ok(Self { config: config.clone(), tokens, heads })
    }

    /// How strongly each pair of fields of categories speaks together: the root mean square over `rows` and classes of its
    /// crosses' contributions to the logits, less their mean. One number per pair of the first target, largest first.
    ///
    /// # Errors
    /// [`Error::Data`] when a field is missing.
    pub fn pair_strengths(&self, examples: &Examples, rows: &[usize], target: usize) -> Result<Vec<([usize; 2], f64)>> {
        let head = &self.heads[target];
        let fields = &examples.schema().fields;
        let categories: Vec<usize> =
            (0..fields.len()).filter(|field| fields[*field].kind == crate::schema::FieldKind::Category).collect();
        let mut strengths = Vec::new();
        for (i, a) in categories.iter().enumerate() {
            for b in &categories[i + 1..] {
                let columns = self.tokens.crosses(examples, rows, [*a, *b])?;
                let mut sums = vec![0.0; head.width];
                let mut squares = vec![0.0; head.width];
                for column in columns.iter().flatten() {
                    for class in 0..head.width {
                        let weight = f64::from(head.weights[*column as usize * head.width + class]);
                        sums[class] += weight;
                        squares[class] += weight * weight;
                    }
                }
                let n = rows.len().max(1) as f64;
                let variance = sums.iter().zip(&squares).map(|(sum, square)| square / n - (sum / n).powi(2));
                let strength = (variance.sum::<f64>() / head.width as f64).max(0.0).sqrt() * self.config.tokens.crosses;
                strengths.push(([*a, *b], strength));
            }
        }
        strengths.sort_by(|a, b| b.1.total_cmp(&a.1));
        Ok(strengths)
    }
}

impl Classifier for Linear {
    fn name(&self) -> &'static str {
        if self.config.tokens.crosses > 0.0 { "linear-crosses" } else { "linear" }
    }

    fn probabilities(&self, examples: &Examples, rows: &[usize]) -> Result<Vec<Predictions>> {
        let sparse = self.tokens.sparse(examples, rows, None)?;
        Ok(self.heads.iter().map(|head| head.probabilities(&sparse)).collect())
    }
}

impl Head {
    fn probabilities(&self, sparse: &Sparse) -> Predictions {
        let mut values = vec![0.0; sparse.rows() * self.width];
        let intercepts = &self.weights[self.weights.len() - self.width..];
        values.par_chunks_mut(TASK_ROWS * self.width).enumerate().for_each(|(task, values)| {
            for (i, out) in values.chunks_exact_mut(self.width).enumerate() {
                out.iter_mut().zip(intercepts).for_each(|(out, b)| *out = f64::from(*b));
                for (column, value) in sparse.row(task * TASK_ROWS + i) {
                    let weights = &self.weights[column * self.width..(column + 1) * self.width];
                    out.iter_mut().zip(weights).for_each(|(out, w)| *out += value * f64::from(*w));
                }
                link(self.kind, out);
            }
        });
        Predictions::new(self.kind, self.width, values)
    }
}

fn fit_head(
    config: &LinearConfig,
    sparse: &Sparse,
    columns: usize,
    rows: &[(usize, f64)],
    classes: &Classes,
    labels: &Labels,
) -> Head {
    let width = classes.len();
    let transposed = sparse.transposed(columns);
    let weights_of_rows: Vec<f64> = rows.iter().map(|(_, weight)| *weight).collect();
    let mut truth = vec![0.0; rows.len() * width];
    truth.chunks_exact_mut(width).zip(rows).for_each(|(out, (row, _))| labels.write_row(*row, out));
    // of each row the residual p - y, and the loss
    let mut residuals = vec![0.0; rows.len() * width];
    let mut losses = vec![0.0; rows.len()];
    let mut x = vec![0.0; (columns + 1) * width];
    // a scale at which one tolerance fits tables of every size; the copy counts as rows do
    let scale = 1.0 / weights_of_rows.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    let penalty = scale / config.inverse_penalty;
    let ending = Ending { iterations: config.iterations, gradient: 1e-7, change: 1e-5 };
    minimise(&mut x, ending, |x, gradient| {
        let (weights, intercepts) = x.split_at(columns * width);
        residuals.par_chunks_mut(TASK_ROWS * width).zip(losses.par_chunks_mut(TASK_ROWS)).enumerate().for_each(
            |(task, (residuals, losses))| {
                for (i, (out, loss)) in residuals.chunks_exact_mut(width).zip(losses).enumerate() {
                    let row = task * TASK_ROWS + i;
                    out.copy_from_slice(intercepts);
                    for (column, value) in sparse.row(row) {
                        let weights = &weights[column * width..(column + 1) * width];
                        out.iter_mut().zip(weights).for_each(|(out, w)| *out += value * w);
                    }
                    let truth = &truth[row * width..(row + 1) * width];
                    let own = weights_of_rows[row] * scale;
                    *loss = own * cross_entropy(classes.kind, out, truth);
                    link(classes.kind, out);
                    out.iter_mut().zip(truth).for_each(|(out, y)| *out = own * (*out - y));
                }
            },
        );
        let (weight_gradient, intercept_gradient) = gradient.split_at_mut(columns * width);
        weight_gradient.par_chunks_mut(TASK_COLUMNS * width).enumerate().for_each(|(task, gradient)| {
            for (i, out) in gradient.chunks_exact_mut(width).enumerate() {
                let column = task * TASK_COLUMNS + i;
                let own = &weights[column * width..(column + 1) * width];
                out.iter_mut().zip(own).for_each(|(out, w)| *out = penalty * w);
                for (row, value) in transposed.row(column) {
                    let residual = &residuals[row * width..(row + 1) * width];
                    out.iter_mut().zip(residual).for_each(|(out, r)| *out += value * r);
                }
            }
        });
        intercept_gradient.fill(0.0);
        for residual in residuals.chunks_exact(width) {
            intercept_gradient.iter_mut().zip(residual).for_each(|(out, r)| *out += r);
        }
        losses.iter().sum::<f64>() + 0.5 * penalty * weights.iter().map(|w| w * w).sum::<f64>()
    });
    Head { kind: classes.kind, width, weights: x.into_iter().map(|w| w as f32).collect() }
}
