//! [`Boosting`]: gradient-boosted trees on what the names of a row were seen with, one booster for each target.
//!
//! A booster is asked class by class whether a row is of it, and told the [target statistics](crate::target_statistics) of that class and how common the class
//! is: so it learns once for all classes how much each of the shares is to be believed, and a class of twenty rows is judged by what thousands of others
//! taught. Trees are additive, on second-order gains with shrinkage and samples of rows and columns (Chen and Guestrin 2016, arXiv:1603.02754), in
//! the crate hessboost. Its logits `z_c` become `sigma(z_c) / sum_k sigma(z_k)` for classes and `sigma(z_c)` for labels. Of the many classes that a row
//! does not have a sample teaches, each standing for several. How many trees it takes is seen on one of the folds of the training rows, then it is
//! trained on all of them.
//!
//! Every booster is trained on one thread, so that its trees depend on rows, settings and seed alone; those of several targets are trained side by side.

use crate::{
    classifier::Classifier,
    counts::{CountTable, Counts},
    error::{Error, Result},
    examples::Examples,
    forest::Forest,
    predictions::Predictions,
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
        /// Most trees of a booster, of which there is one for each target
        pub trees: usize = 1000, in Range::at_least(1.0).at_most(100_000.0), "N";
        /// Most splits from the root of a tree to a leaf, of boosting
        pub depth: usize = 6, in Range::at_least(1.0).at_most(DEEPEST), "N";
        /// Share of a tree that is added, of boosting
        pub shrinkage: f64 = 0.1, in Range::above(0.0).at_most(1.0), "SHARE";
        /// Least sum of `p (1 - p)` over the rows of a leaf, of boosting
        pub leaf: f64 as "leaf-weight" = 5.0, in Range::at_least(0.0), "WEIGHT";
        /// Classes that a row does not have of which it teaches boosting; each stands for several where there are more
        pub others: f64 as "other-classes" = 3.0, in Range::above(0.0), "CLASSES";
        /// Penalty on the squared weights of leaves, of boosting; 1 weighs as much as four undecided rows
        pub penalty: f64 as "leaf-penalty" = 3.0, in Range::at_least(0.0), "PENALTY";
        /// Share of the rows that each tree sees, of boosting
        pub rows: f64 as "tree-rows" = 0.8, in Range::above(0.0).at_most(1.0), "SHARE";
        /// Share of the numbers that each tree sees, of boosting
        pub columns: f64 as "tree-columns" = 0.2, in Range::above(0.0).at_most(1.0), "SHARE";
        /// Rows that the share of a class among all rows counts for in the share among the rows of a name
        pub strength: f64 = 1.0, in Range::above(0.0), "ROWS";
        /// Folds that the numbers of the training rows are counted on, of boosting and network
        pub folds: usize as "counting-folds" = 5, in Range::at_least(2.0), "FOLDS";
    }
}

/// Trees without a better loss after which a booster is done.
const PATIENCE: usize = 20;
/// Bins of each number.
const BINS: usize = 64;
/// Numbers that each tree sees at least, where there are as many.
const FEWEST_COLUMNS: f64 = 8.0;
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
    /// Of each target; it is asked class by class. `None` where nothing could be told apart, which is answered by the share of each class.
    pub(crate) forests: Vec<Option<Forest>>,
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
        Self::fit_like(None, config, examples, parts, classes, labels, seed)
    }

    /// The same with as many trees as `like` has, which was fitted to more of the same rows: none are watched, and it takes half of the time.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub(crate) fn fit_like(
        like: Option<&Self>,
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
        let mut forests: Vec<Option<Forest>> = vec![None; classes.len()];
        // with one group nothing can be counted on others
        let folds = config.folds.min(groups);
        if folds >= 2 {
            let folds = parts.folds_alike(examples, rows, folds, seed)?;
            let statistics = recipe.cross_fitted(examples, rows, classes, labels, &folds)?;
            let watched: BTreeSet<usize> = folds.iter().take(1).flat_map(|fold| fold.validation.clone()).collect();
            let watched: Vec<bool> = rows.iter().map(|row| watched.contains(row)).collect();
            let weights: Vec<f64> = rows.iter().map(|row| examples.weight(*row)).collect();
            let stream = Stream::new(seed, "boosting");
            forests = side_by_side(classes.len(), |target| {
                let trees = like
                    .and_then(|like| like.forests.get(target)?.as_ref())
                    .map(Forest::trees)
                    .filter(|trees| *trees > 0);
                let asked =
                    Asked::of(config, &classes[target], &labels[target], rows, &weights, stream.child(target as u64));
                boosted(config, &statistics[target], &asked, (&watched, trees), stream.u64(target as u64))
                    .map_err(|problem| Error::Boosting { target: classes[target].target.clone(), problem })
            })
            .into_iter()
            .collect::<Result<_>>()?;
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
            for (((forest, table), statistics), values) in
                self.forests.iter().zip(&self.counts.tables).zip(&statistics).zip(&mut values)
            {
                let of_row = |row: usize| {
                    let Some(forest) = forest else { return table.prior.clone() };
                    let mut features = Vec::new();
                    let logit = |class: usize| {
                        features.clear();
                        features.extend(statistics.features(row, class));
                        forest.logit(&features).clamp(-LARGEST_LOGIT, LARGEST_LOGIT)
                    };
                    let mut p: Vec<f64> = (0..table.prior.len()).map(logit).map(|z| 1.0 / (1.0 + (-z).exp())).collect();
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

/// What a booster is asked: whether a row is of a class.
struct Asked {
    /// Position of the row, and class.
    questions: Vec<(usize, usize)>,
    truths: Vec<f32>,
    weights: Vec<f32>,
}

impl Asked {
    /// Of each row all that is true, and of the rest `others` classes, which weigh as much as all of it.
    fn of(
        config: &BoostingConfig,
        classes: &Classes,
        labels: &Labels,
        rows: &[usize],
        weights: &[f64],
        stream: Stream,
    ) -> Self {
        let width = classes.len();
        let rest = if classes.kind == TargetKind::Class { width - 1 } else { width };
        let share = (config.others / rest.max(1) as f64).min(1.0);
        let mut draws = vec![0.0_f32; rows.len() * width];
        stream.fill_uniform(&mut draws);
        let mut truth = vec![0.0; width];
        let mut asked = Self { questions: Vec::new(), truths: Vec::new(), weights: Vec::new() };
        for (i, row) in rows.iter().enumerate().filter(|(i, row)| weights[*i] > 0.0 && labels.is_known(**row)) {
            labels.write_row(*row, &mut truth);
            for (class, y) in truth.iter().enumerate() {
                if *y > 0.0 || f64::from(draws[i * width + class]) < share {
                    asked.questions.push((i, class));
                    asked.truths.push(*y as f32);
                    asked.weights.push((if *y > 0.0 { weights[i] } else { weights[i] / share }) as f32);
                }
            }
        }
        asked
    }

    /// The `chosen` of the questions as a booster takes them.
    fn matrix(&self, statistics: &TargetStatistics, chosen: &[usize]) -> hessboost::prelude::Result<DMatrix> {
        let mut data = Vec::new();
        for (row, class) in chosen.iter().map(|question| self.questions[*question]) {
            data.extend(statistics.features(row, class));
        }
        let columns = data.len().checked_div(chosen.len()).unwrap_or(0);
        let of_chosen = |values: &[f32]| chosen.iter().map(|question| values[*question]).collect::<Vec<f32>>();
        let matrix = DMatrix::from_dense(&data, chosen.len(), columns)?.with_labels(&of_chosen(&self.truths))?;
        matrix.with_weights(&of_chosen(&self.weights))
    }

    fn has_both(&self, chosen: &[usize]) -> bool {
        let any = |truth: f32| chosen.iter().any(|question| self.truths[*question] == truth);
        any(0.0) && any(1.0)
    }
}

/// A booster of one target, with so many trees or as many as are best for the rows `watched`; `None` where there is nothing to tell apart.
fn boosted(
    config: &BoostingConfig,
    statistics: &TargetStatistics,
    asked: &Asked,
    (watched, trees): (&[bool], Option<usize>),
    seed: u64,
) -> std::result::Result<Option<Forest>, String> {
    let all: Vec<usize> = (0..asked.questions.len()).collect();
    let (held_out, fitted): (Vec<usize>, Vec<usize>) =
        all.iter().partition(|question| watched[asked.questions[**question].0]);
    if !asked.has_both(&fitted) || held_out.is_empty() {
        return Ok(None);
    }
    let columns = statistics.features(0, 0).count();
    let settings = TrainingParams {
        objective: "binary:logistic".into(),
        tree_method: TreeMethod::Hist,
        max_bin: BINS,
        max_depth: config.depth,
        min_child_weight: config.leaf,
        eta: config.shrinkage,
        lambda: config.penalty,
        subsample: config.rows,
        colsample_bytree: config.columns.max(FEWEST_COLUMNS / columns.max(1) as f64).min(1.0),
        nthread: 1,
        seed,
        ..TrainingParams::default()
    };
    let train = || {
        if let Some(trees) = trees {
            return train(&settings, &asked.matrix(statistics, &all)?, trees);
        }
        let (fitted, held_out) = (asked.matrix(statistics, &fitted)?, asked.matrix(statistics, &held_out)?);
        let watched = train_with_eval(&settings, &fitted, config.trees, &[(&held_out, "held out")], Some(PATIENCE))?;
        let trees = watched.model.best_iteration().map_or(config.trees, |best| best + 1);
        train(&settings, &asked.matrix(statistics, &all)?, trees)
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
