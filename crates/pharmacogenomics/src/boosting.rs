//! [`Boosting`]: gradient-boosted trees on what the names of a row were seen with, one booster for each class or label.
//!
//! A booster tells its class from the rest by the [target statistics](crate::target_statistics) of that class: additive trees on second-order gains with
//! shrinkage and samples of rows and columns (Chen and Guestrin 2016, arXiv:1603.02754), in the crate hessboost. Its logits `z_c`
//! become `sigma(z_c) / sum_k sigma(z_k)` for classes and `sigma(z_c)` for labels. How many trees it takes is seen on one of the folds of the training
//! rows, then it is trained on all of them.
//!
//! Every booster is trained on one thread, so that its trees depend on rows, settings and seed alone; boosters of several classes are trained side
//! by side.

use crate::{
    classifier::Classifier,
    counts::{CountTable, Counts},
    error::{Error, Result},
    examples::Examples,
    forest::Forest,
    predictions::{Predictions, prior, unlink},
    schema::{Schema, TargetKind},
    splits::Parts,
    target_statistics::{Recipe, TargetStatistics},
    targets::{Classes, Labels},
};
use cupel_data::Stream;
use cupel_settings::{Range, Settings as _, settings};
use hessboost::prelude::{DMatrix, TrainingParams, TreeMethod, train, train_with_eval};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

settings! {
    /// Settings of [`Boosting`].
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct BoostingConfig in "boosting" {
        /// Most trees of a booster, of which there is one for each class
        pub trees: usize = 300, in Range::at_least(1.0).at_most(100_000.0), "N";
        /// Most splits from the root of a tree to a leaf, of boosting
        pub depth: usize = 4, in Range::at_least(1.0).at_most(DEEPEST), "N";
        /// Share of a tree that is added, of boosting
        pub shrinkage: f64 = 0.1, in Range::above(0.0).at_most(1.0), "SHARE";
        /// Penalty on the squared weights of leaves, of boosting; 1 weighs as much as four undecided rows
        pub penalty: f64 as "leaf-penalty" = 3.0, in Range::at_least(0.0), "PENALTY";
        /// Share of the rows that each tree sees, of boosting
        pub rows: f64 as "tree-rows" = 0.8, in Range::above(0.0).at_most(1.0), "SHARE";
        /// Share of the numbers that each tree sees, of boosting
        pub columns: f64 as "tree-columns" = 0.5, in Range::above(0.0).at_most(1.0), "SHARE";
        /// Rows that the share of a class among all rows counts for in the share among the rows of a name
        pub strength: f64 = 3.0, in Range::above(0.0), "ROWS";
        /// Folds that the numbers of the training rows are counted on, of boosting
        pub folds: usize as "counting-folds" = 5, in Range::at_least(2.0), "FOLDS";
    }
}

/// Trees without a better loss after which a booster is done.
const PATIENCE: usize = 20;
/// Bins of each number.
const BINS: usize = 64;
/// The deepest trees: one of 2^12 leaves fits any table to the row.
const DEEPEST: f64 = 12.0;
/// Logits are cut here: `sigma` of more is 1 within rounding.
const LARGEST_LOGIT: f64 = 30.0;
/// Rows that are asked at once.
const BLOCK_ROWS: usize = 1024;

/// Fitted boosters of all targets.
#[derive(Clone, Debug)]
pub struct Boosting {
    pub(crate) config: BoostingConfig,
    pub(crate) schema: Schema,
    pub(crate) recipe: Recipe,
    pub(crate) counts: Counts,
    /// Of each target a forest for each class or label.
    pub(crate) forests: Vec<Vec<Forest>>,
}

impl Boosting {
    /// Trains the boosters on the training rows; folds, which are as the split is, and samples of columns follow from `seed`.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings that are none; [`Error::Boosting`] when a booster fails.
    pub fn fit(
        config: &BoostingConfig,
        examples: &Examples,
        parts: &Parts,
        classes: &[Classes],
        labels: &[Labels],
        seed: u64,
    ) -> Result<Self> {
        config.check_values()?;
        let rows = &parts.train;
        let recipe = Recipe::fit(examples, rows, config.strength)?;
        let counts = Counts::fit(&recipe.counts(), examples, rows, classes, labels)?;
        let groups = examples.groups_or_rows();
        let groups = rows.iter().map(|row| groups[*row]).collect::<BTreeSet<u32>>().len();
        let mut forests: Vec<Vec<Forest>> = Vec::new();
        let mut tasks = Vec::new();
        for (target, (classes, labels)) in classes.iter().zip(labels).enumerate() {
            let mut base = prior(classes, labels.known(rows).len());
            unlink(TargetKind::Labels, &mut base);
            forests.push(base.into_iter().map(Forest::constant).collect());
            tasks.extend((0..classes.len()).map(|class| (target, class)));
        }
        // with one group nothing can be counted on others
        let folds = config.folds.min(groups);
        if folds >= 2 {
            let folds = parts.folds_alike(examples, rows, folds, seed)?;
            let statistics = recipe.cross_fitted(examples, rows, classes, labels, &folds)?;
            let watched: BTreeSet<usize> = folds.iter().take(1).flat_map(|fold| fold.validation.clone()).collect();
            let watched: Vec<bool> = rows.iter().map(|row| watched.contains(row)).collect();
            let weights: Vec<f64> = rows.iter().map(|row| examples.weight(*row)).collect();
            let stream = Stream::new(seed, "boosting");
            let fitted = side_by_side(tasks.len(), |task| {
                let (target, class) = tasks[task];
                let truth = truths(&labels[target], rows, classes[target].len(), class);
                let seed = stream.u64(task as u64);
                let table = Rows { statistics: &statistics[target], class, truth: &truth, weights: &weights };
                boosted(config, &table, &watched, seed).map_err(|problem| Error::Boosting {
                    target: classes[target].target.clone(),
                    class: classes[target].names[class].clone(),
                    problem,
                })
            });
            for ((target, class), forest) in tasks.into_iter().zip(fitted) {
                if let Some(forest) = forest? {
                    forests[target][class] = forest;
                }
            }
        }
        Ok(Self { config: config.clone(), schema: examples.schema().clone(), recipe, counts, forests })
    }
}

impl Classifier for Boosting {
    fn name(&self) -> &'static str {
        "boosting"
    }

    fn probabilities(&self, examples: &Examples, rows: &[usize]) -> Result<Vec<Predictions>> {
        let mut values: Vec<Vec<f64>> = vec![Vec::new(); self.forests.len()];
        for block in rows.chunks(BLOCK_ROWS) {
            let statistics = self.recipe.of_counts(&self.counts, examples, block)?;
            for (((forests, table), statistics), values) in
                self.forests.iter().zip(&self.counts.tables).zip(&statistics).zip(&mut values)
            {
                let of_row = |row: usize| {
                    let mut features = Vec::new();
                    let logit = |(class, forest): (usize, &Forest)| {
                        features.clear();
                        features.extend(statistics.features(row, class));
                        forest.logit(&features).clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
                    };
                    let mut p: Vec<f64> =
                        forests.iter().enumerate().map(logit).map(|z| 1.0 / (1.0 + (-z).exp())).collect();
                    if table.classes.kind == TargetKind::Class {
                        let sum: f64 = p.iter().sum();
                        p.iter_mut().for_each(|p| *p /= sum);
                    }
                    p
                };
                let of_rows: Vec<Vec<f64>> = (0..block.len()).into_par_iter().map(of_row).collect();
                values.extend(of_rows.into_iter().flatten());
            }
        }
        let of_target =
            |(table, values): (&CountTable, Vec<f64>)| Predictions::new(table.classes.kind, table.prior.len(), values);
        Ok(self.counts.tables.iter().zip(values).map(of_target).collect())
    }
}

/// Whether each row is of the class; NaN where the target is not known.
fn truths(labels: &Labels, rows: &[usize], width: usize, class: usize) -> Vec<f64> {
    let mut truth = vec![0.0; width];
    let of_row = |row: &usize| {
        if !labels.is_known(*row) {
            return f64::NAN;
        }
        labels.write_row(*row, &mut truth);
        truth[class]
    };
    rows.iter().map(of_row).collect()
}

/// The training rows as one booster sees them.
struct Rows<'a> {
    statistics: &'a TargetStatistics,
    class: usize,
    /// NaN where the target is not known.
    truth: &'a [f64],
    weights: &'a [f64],
}

impl Rows<'_> {
    /// Those of `rows` that count, as a booster takes them.
    fn matrix(&self, rows: &[usize]) -> hessboost::prelude::Result<DMatrix> {
        let mut data = Vec::new();
        rows.iter().for_each(|row| data.extend(self.statistics.features(*row, self.class)));
        let columns = data.len().checked_div(rows.len()).unwrap_or(0);
        let of_rows = |values: &[f64]| rows.iter().map(|row| values[*row] as f32).collect::<Vec<f32>>();
        let matrix = DMatrix::from_dense(&data, rows.len(), columns)?.with_labels(&of_rows(self.truth))?;
        let weights = of_rows(self.weights);
        if weights.iter().all(|weight| *weight == 1.0) { Ok(matrix) } else { matrix.with_weights(&weights) }
    }

    fn has_both(&self, rows: &[usize]) -> bool {
        rows.iter().any(|row| self.truth[*row] > 0.0) && rows.iter().any(|row| self.truth[*row] == 0.0)
    }
}

/// A booster of one class, with as many trees as are best for the rows `watched`; `None` where there is nothing to tell apart.
fn boosted(
    config: &BoostingConfig,
    table: &Rows<'_>,
    watched: &[bool],
    seed: u64,
) -> std::result::Result<Option<Forest>, String> {
    let all: Vec<usize> =
        (0..table.truth.len()).filter(|row| !table.truth[*row].is_nan() && table.weights[*row] > 0.0).collect();
    let (held_out, fitted): (Vec<usize>, Vec<usize>) = all.iter().partition(|row| watched[**row]);
    if !table.has_both(&fitted) || held_out.is_empty() || table.statistics.features(0, table.class).next().is_none() {
        return Ok(None);
    }
    let settings = TrainingParams {
        objective: "binary:logistic".into(),
        tree_method: TreeMethod::Hist,
        max_bin: BINS,
        max_depth: config.depth,
        eta: config.shrinkage,
        lambda: config.penalty,
        subsample: config.rows,
        colsample_bytree: config.columns,
        nthread: 1,
        seed,
        ..TrainingParams::default()
    };
    let train = || {
        let (fitted, held_out) = (table.matrix(&fitted)?, table.matrix(&held_out)?);
        let watched = train_with_eval(&settings, &fitted, config.trees, &[(&held_out, "held out")], Some(PATIENCE))?;
        let trees = watched.model.best_iteration().map_or(config.trees, |best| best + 1);
        train(&settings, &table.matrix(&all)?, trees)
    };
    // the decoders of files are guarded for the same reason: code of others that panics is an error, not an end
    match catch_unwind(AssertUnwindSafe(train)) {
        Ok(Ok(model)) => {
            let forest = Forest::of_model(&model).filter(Forest::is_finite);
            forest.ok_or_else(|| "its trees hold numbers that are none".to_string()).map(Some)
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the booster panicked".into()),
    }
}

/// `count` tasks on as many threads as the pool has, each task on one thread, the results in order.
///
/// Not on the pool itself: a task there that waits for a pool of its own takes up another task meanwhile, and the memory of as many boosters
/// would be held as there are classes.
fn side_by_side<T: Send>(count: usize, task: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let results: Mutex<Vec<(usize, T)>> = Mutex::new(Vec::with_capacity(count));
    thread::scope(|scope| {
        for _ in 0..rayon::current_num_threads().min(count) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    let result = task(index);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}
