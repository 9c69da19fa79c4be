//! [`TargetStatistics`]: names as numbers, for models that split numbers: how often each class was seen with a name.
//!
//! The share of a class among the training rows of a name, drawn to its share among all rows, `(n_y + strength p) / (n + strength)`
//! (Micci-Barreca 2001, doi:10.1145/507533.507538), for every field, every pair of fields, some triples and the levels of [`Counts`], with the
//! number of these rows, and the estimates of [`Counts`] that go through levels. An empty cell is a name like others, and rows of one group, which say
//! much the same, count for less.
//!
//! A training row must not be counted in its own numbers, or a name of one row would give its class away: those of the training rows are
//! counted on the folds that the row's group is not in.

use crate::{
    counts::{Counts, CountsConfig},
    error::Result,
    examples::Examples,
    schema::{FieldKind, Schema},
    splits::Parts,
    targets::{Classes, Labels},
};
use cupel_data::{Column, MISSING};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The most fields whose pairs are counted.
const PAIR_FIELDS: usize = 8;
/// What of annotations is counted beyond pairs: the drug, where it acts, in whom, and what with what is compared.
const MORE: [&[&str]; 8] = [
    &["drug", "gene", "population"],
    &["drug", "variant_haplotypes", "population"],
    &["drug", "genalle", "comparison"],
    &["drug", "gene", "zygosity"],
    &["drug", "population", "comparison"],
    &["gene", "population", "comparison"],
    &["genalle", "population", "comparison"],
    &["drug", "variant_haplotypes", "comparison", "population"],
];
/// Numbers are cut here: a booster takes thresholds beyond them.
const LARGEST: f32 = 1e30;
/// The least share that a logarithm is taken of.
const LEAST_SHARE: f32 = 1e-9;
/// The most names of a list that are told apart.
const LIST_NAMES: usize = 32;

/// What is counted, and which numbers stand beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    /// The fields of each level, every level on its own.
    pub(crate) levels: Vec<Vec<String>>,
    /// Levels one after the other, as [`Counts`] goes through them.
    chains: Vec<Vec<usize>>,
    /// Fields of numbers.
    numbers: Vec<String>,
    /// Fields of lists with their most frequent names in training.
    lists: Vec<(String, Vec<String>)>,
    strength: f64,
}

impl Recipe {
    /// What the schema and the training `rows` allow.
    pub(crate) fn fit(examples: &Examples, rows: &[usize], strength: f64) -> Result<Self> {
        let schema = examples.schema();
        let named = |kind: FieldKind| schema.fields.iter().filter(move |field| field.kind == kind);
        let categories: Vec<&str> = named(FieldKind::Category).map(|field| field.name.as_str()).collect();
        let mut levels: Vec<Vec<String>> = categories.iter().map(|name| vec![name.to_string()]).collect();
        for (i, a) in categories.iter().enumerate().take(PAIR_FIELDS) {
            for b in categories.iter().take(PAIR_FIELDS).skip(i + 1) {
                levels.push(vec![a.to_string(), b.to_string()]);
            }
        }
        let mut chains = Vec::new();
        for wanted in [CountsConfig::levels_for(schema), CountsConfig::sites_for(schema)] {
            let mut chain = Vec::new();
            for level in wanted {
                chain.push(levels.iter().position(|known| same_fields(known, &level)).unwrap_or(levels.len()));
                if chain.last() == Some(&levels.len()) {
                    levels.push(level);
                }
            }
            if !chains.contains(&chain) && !chain.is_empty() {
                chains.push(chain);
            }
        }
        let there = MORE.iter().filter(|level| level.iter().all(|name| categories.contains(name)));
        levels.extend(there.map(|level| level.iter().map(ToString::to_string).collect::<Vec<_>>()));
        let mut lists = Vec::new();
        for field in named(FieldKind::Many) {
            let (offsets, codes, names) = examples.table().many(&field.name)?;
            let mut counts = vec![0_usize; names.len()];
            rows.iter().flat_map(|row| &codes[offsets[*row]..offsets[row + 1]]).for_each(|c| counts[*c as usize] += 1);
            let mut order: Vec<usize> = (0..names.len()).filter(|code| counts[*code] > 0).collect();
            order.sort_by(|a, b| counts[*b].cmp(&counts[*a]).then_with(|| names[*a].cmp(&names[*b])));
            order.truncate(LIST_NAMES);
            lists.push((field.name.clone(), order.into_iter().map(|code| names[code].clone()).collect()));
        }
        let numbers = named(FieldKind::Number).map(|field| field.name.clone()).collect();
        Ok(Self { levels, chains, numbers, lists, strength })
    }

    /// Whether all that it names is in the schema, and its chains are levels: what a file has to be asked.
    pub(crate) fn fits(&self, schema: &Schema) -> bool {
        let is = |name: &str, kind| schema.fields.iter().any(|field| field.name == name && field.kind == kind);
        self.levels.iter().flatten().all(|name| is(name, FieldKind::Category))
            && self.numbers.iter().all(|name| is(name, FieldKind::Number))
            && self.lists.iter().all(|(name, _)| is(name, FieldKind::Many))
            && self.chains.iter().flatten().all(|level| *level < self.levels.len())
            && self.strength > 0.0
            && self.strength.is_finite()
    }

    /// The numbers of a row for one class.
    pub(crate) fn width(&self) -> usize {
        let names: usize = self.lists.iter().map(|(_, names)| names.len()).sum();
        2 * self.levels.len() + self.chains.len() + 1 + self.numbers.len() + names
    }

    /// Shares of a row for one class: of levels, then of chains.
    pub(crate) fn shares(&self) -> usize {
        self.levels.len() + self.chains.len()
    }

    /// The settings of the counts over the levels.
    pub(crate) fn counts(&self) -> CountsConfig {
        CountsConfig {
            levels: self.levels.clone(),
            strength: self.strength,
            missing: true,
            siblings: true,
            ..CountsConfig::default()
        }
    }

    /// The statistics of `rows` by counts of other rows, target by target.
    pub(crate) fn of_counts(
        &self,
        counts: &Counts,
        examples: &Examples,
        rows: &[usize],
    ) -> Result<Vec<TargetStatistics>> {
        let keys = counts.keys(examples, rows)?;
        let shared = self.shared(examples, rows)?;
        let of_table = |table: &crate::counts::CountTable| {
            let (levels, width) = (self.levels.len(), table.prior.len());
            let row_width = levels * (1 + width) + self.chains.len() * width;
            let mut values = vec![f32::NAN; rows.len() * row_width];
            values.par_chunks_mut(row_width.max(1)).zip(&keys).for_each(|(out, keys)| {
                let cells: Vec<Option<&Vec<f32>>> =
                    keys.iter().map(|key| key.and_then(|key| table.cells.get(&key)).filter(|c| c[0] > 0.0)).collect();
                let (seen, rest) = out.split_at_mut(levels);
                let (shares, chained) = rest.split_at_mut(levels * width);
                for (level, cell) in cells.iter().enumerate() {
                    seen[level] = cell.map_or(0.0, |cell| cell[0].ln_1p());
                    let Some(cell) = cell else { continue };
                    let total = f64::from(cell[0]) + self.strength;
                    for (class, prior) in table.prior.iter().enumerate() {
                        let share = (f64::from(cell[1 + class]) + self.strength * prior) / total;
                        shares[level * width + class] = share as f32;
                    }
                }
                for (chain, out) in self.chains.iter().zip(chained.chunks_exact_mut(width)) {
                    for (class, out) in out.iter_mut().enumerate() {
                        let mut p = table.prior[class];
                        for cell in chain.iter().filter_map(|level| cells[*level]) {
                            p = (f64::from(cell[1 + class]) + self.strength * p) / (f64::from(cell[0]) + self.strength);
                        }
                        *out = p as f32;
                    }
                }
            });
            let rarity = table.prior.iter().map(|prior| prior.ln() as f32).collect();
            TargetStatistics { levels, chains: self.chains.len(), rarity, width, values, shared: shared.clone() }
        };
        Ok(counts.tables.iter().map(of_table).collect())
    }

    /// The statistics of the training `rows`, those of each by the rows of other folds.
    pub(crate) fn cross_fitted(
        &self,
        examples: &Examples,
        rows: &[usize],
        classes: &[Classes],
        labels: &[Labels],
        folds: &[Parts],
    ) -> Result<Vec<TargetStatistics>> {
        let mut position = vec![usize::MAX; examples.len()];
        rows.iter().enumerate().for_each(|(i, row)| position[*row] = i);
        let of_fold = |fold: &Parts| {
            let counts = Counts::fit(&self.counts(), examples, &fold.train, classes, labels)?;
            self.of_counts(&counts, examples, &fold.validation)
        };
        let of_folds = folds.par_iter().map(of_fold).collect::<Result<Vec<_>>>()?;
        let mut all: Vec<TargetStatistics> = Vec::new();
        for (fold, own) in folds.iter().zip(of_folds) {
            for (target, own) in own.into_iter().enumerate() {
                if all.len() == target {
                    all.push(own.empty(rows.len()));
                }
                for (i, row) in fold.validation.iter().enumerate() {
                    all[target].take(position[*row], &own, i);
                }
            }
        }
        Ok(all)
    }

    /// `row x number`: numbers as they are and whether a list has a name.
    fn shared(&self, examples: &Examples, rows: &[usize]) -> Result<Vec<Vec<f32>>> {
        let mut columns: Vec<Vec<f32>> = Vec::new();
        for name in &self.numbers {
            let (values, present) = examples.table().number(name)?;
            let number = |value: f64| (value as f32).clamp(-LARGEST, LARGEST);
            columns.push(rows.iter().map(|row| if present[*row] { number(values[*row]) } else { f32::NAN }).collect());
        }
        for (field, wanted) in &self.lists {
            let Column::Many { offsets, codes, names } = examples.table().column(field)? else { continue };
            for name in wanted {
                let code = names.iter().position(|known| known == name).map_or(MISSING, |code| code as u32);
                let has = |row: &usize| codes[offsets[*row]..offsets[row + 1]].contains(&code);
                columns.push(rows.iter().map(|row| f32::from(u8::from(has(row)))).collect());
            }
        }
        Ok((0..rows.len()).map(|row| columns.iter().map(|column| column[row]).collect()).collect())
    }
}

/// The statistics of rows for one target.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TargetStatistics {
    levels: usize,
    chains: usize,
    /// The logarithm of the share of each class among all rows.
    rarity: Vec<f32>,
    /// Classes or labels.
    width: usize,
    /// Of each row `ln(1 + rows)` of each level, then `level x class` shares, then `chain x class` shares; NaN where a level was never seen.
    values: Vec<f32>,
    /// Of each row what does not depend on the class.
    shared: Vec<Vec<f32>>,
}

impl TargetStatistics {
    fn row_width(&self) -> usize {
        self.levels * (1 + self.width) + self.chains * self.width
    }

    fn empty(&self, rows: usize) -> Self {
        let values = vec![f32::NAN; rows * self.row_width()];
        Self { values, shared: vec![Vec::new(); rows], rarity: self.rarity.clone(), ..*self }
    }

    fn take(&mut self, row: usize, other: &Self, other_row: usize) {
        let width = self.row_width();
        let from = &other.values[other_row * width..(other_row + 1) * width];
        self.values[row * width..(row + 1) * width].copy_from_slice(from);
        self.shared[row].clone_from(&other.shared[other_row]);
    }

    /// `ln(1 + rows)` of each level of a row.
    pub(crate) fn seen(&self, row: usize) -> &[f32] {
        &self.values[row * self.row_width()..][..self.levels]
    }

    /// How much more often than by chance a class was seen with the names of a row, `ln(share / prior)` of each level and chain, 0 where a level was
    /// never seen; then how common the class is.
    pub(crate) fn push_surprises(&self, row: usize, class: usize, out: &mut Vec<f32>) {
        let shares = &self.values[row * self.row_width()..][self.levels..self.row_width()];
        let rarity = self.rarity[class];
        out.extend(shares.iter().skip(class).step_by(self.width).map(|share| match share.is_nan() {
            true => 0.0,
            false => share.max(LEAST_SHARE).ln() - rarity,
        }));
        out.push(rarity);
    }

    /// The numbers of a row for one class.
    pub(crate) fn features(&self, row: usize, class: usize) -> impl Iterator<Item = f32> {
        let values = &self.values[row * self.row_width()..(row + 1) * self.row_width()];
        let (seen, rest) = values.split_at(self.levels);
        let shares = rest.chunks_exact(self.width).map(move |of_level| of_level[class]);
        shares.chain(seen.iter().copied()).chain([self.rarity[class]]).chain(self.shared[row].iter().copied())
    }
}

/// Whether two levels have the same fields, in whatever order.
fn same_fields(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().all(|name| b.contains(name))
}
