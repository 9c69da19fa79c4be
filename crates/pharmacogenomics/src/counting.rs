//! [`Counting`]: the counts of training rows that a network is told shares of, see [`Counted`](crate::counted::Counted).

use crate::{
    counted::{CountedRows, CountedWidths},
    counts::Counts,
    error::Result,
    examples::Examples,
    splits::Parts,
    target_statistics::Recipe,
    targets::{Classes, Labels},
};
use std::collections::BTreeSet;

/// What is counted, and the counts of all training rows.
#[derive(Clone, Debug)]
pub(crate) struct Counting {
    pub(crate) recipe: Recipe,
    pub(crate) counts: Counts,
}

impl Counting {
    /// Counts the training rows; `None` where there is nothing to count, or all are of one group, so that none could be counted on others.
    pub(crate) fn fit(
        strength: f64,
        examples: &Examples,
        rows: &[usize],
        classes: &[Classes],
        labels: &[Labels],
    ) -> Result<Option<Self>> {
        let recipe = Recipe::fit(examples, rows, strength)?;
        if recipe.levels.is_empty() || groups(examples, rows) < 2 {
            return Ok(None);
        }
        let counts = Counts::fit(&recipe.counts(), examples, rows, classes, labels)?;
        Ok(Some(Self { recipe, counts }))
    }

    pub(crate) fn widths(&self) -> CountedWidths {
        CountedWidths {
            shares: self.recipe.shares(),
            levels: self.recipe.levels.len(),
            heads: self.counts.tables.iter().map(|table| table.classes.len()).collect(),
        }
    }

    /// The numbers of the training rows, those of each counted on the folds that it is not in, and of the validation rows.
    pub(crate) fn of_parts(
        &self,
        examples: &Examples,
        parts: &Parts,
        classes: &[Classes],
        labels: &[Labels],
        folds: usize,
        seed: u64,
    ) -> Result<CountedRows> {
        let rows = &parts.train;
        let folds = parts.folds_alike(examples, rows, folds.min(groups(examples, rows)), seed)?;
        let statistics = self.recipe.cross_fitted(examples, rows, classes, labels, &folds)?;
        let counted = CountedRows::new(self.widths(), examples.len()).with(rows, &statistics);
        let statistics = self.recipe.of_counts(&self.counts, examples, &parts.validation)?;
        Ok(counted.with(&parts.validation, &statistics))
    }

    /// The numbers of rows that were not counted.
    pub(crate) fn of_rows(&self, examples: &Examples, rows: &[usize]) -> Result<CountedRows> {
        let statistics = self.recipe.of_counts(&self.counts, examples, rows)?;
        Ok(CountedRows::new(self.widths(), examples.len()).with(rows, &statistics))
    }
}

fn groups(examples: &Examples, rows: &[usize]) -> usize {
    let groups = examples.groups_or_rows();
    rows.iter().map(|row| groups[*row]).collect::<BTreeSet<u32>>().len()
}
