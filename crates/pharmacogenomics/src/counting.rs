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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{planted::planted, split_config::SplitKind};
    use burn::tensor::Device;
    use cupel_data::Fractions;

    #[test]
    fn no_row_is_counted_in_its_own_numbers() {
        let examples = planted(900, 3).unwrap().examples;
        let shares = Fractions { train: 0.7, validation: 0.15, test: 0.15 };
        let parts = Parts::make(&examples, &SplitKind::Group, shares, 1).unwrap();
        let fit = |target| Classes::fit(&examples, target, &parts.train);
        let classes: Vec<Classes> = examples.schema().targets.iter().map(fit).collect::<Result<_>>().unwrap();
        let mut labels: Vec<Labels> = classes.iter().map(|own| own.labels(&examples).unwrap()).collect();
        let told = |labels: &[Labels]| {
            let counting = Counting::fit(1.0, &examples, &parts.train, &classes, labels).unwrap().unwrap();
            let counted = counting.of_parts(&examples, &parts, &classes, labels, 5, 7).unwrap();
            move |row: usize| {
                let shares = counted.inputs(&[row], &Device::flex()).shares;
                shares.into_data().try_into_vec::<f32>().unwrap()
            }
        };
        let groups = examples.groups_or_rows();
        let class = |row: usize| examples.table().category("effect_direction").unwrap().0[row];
        // two training rows of one group exchange their classes, which leaves how common each class is as it was
        let twins = parts.train.windows(2).map(|rows| [rows[0], rows[1]]);
        let [a, b] = twins.into_iter().find(|[a, b]| groups[*a] == groups[*b] && class(*a) != class(*b)).unwrap();
        let before = told(&labels);
        let Labels::Class(own) = &mut labels[1] else { panic!("effect_direction is a class") };
        own.swap(a, b);
        let after = told(&labels);
        let moved = |rows: &[usize]| rows.iter().filter(|row| before(**row) != after(**row)).count();
        let of_group: Vec<usize> = parts.train.iter().copied().filter(|row| groups[*row] == groups[a]).collect();
        assert_eq!(moved(&of_group), 0);
        assert!(moved(&parts.train) > 0 && moved(&parts.validation) > 0, "the classes of the two rows change nothing");
    }

    #[test]
    fn of_one_group_nothing_is_counted() {
        let examples = planted(300, 3).unwrap().examples;
        let all: Vec<usize> = (0..300).collect();
        let fit = |target| Classes::fit(&examples, target, &all);
        let classes: Vec<Classes> = examples.schema().targets.iter().map(fit).collect::<Result<_>>().unwrap();
        let labels: Vec<Labels> = classes.iter().map(|own| own.labels(&examples).unwrap()).collect();
        let groups = examples.groups_or_rows();
        let of_first: Vec<usize> = all.iter().copied().filter(|row| groups[*row] == groups[0]).collect();
        assert!(Counting::fit(1.0, &examples, &of_first, &classes, &labels).unwrap().is_none());
        assert!(Counting::fit(1.0, &examples, &all, &classes, &labels).unwrap().is_some());
    }
}
