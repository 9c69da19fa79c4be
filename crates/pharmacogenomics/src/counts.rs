//! [`Counts`]: shares of classes among training rows that agree in some fields, backed off from the many fields to the few.
//!
//! From level to level `p = (n_y + strength p_before) / (n + strength)`: the Dirichlet estimate whose prior is the level
//! before (MacKay and Bauman Peto 1995, doi:10.1017/S1351324900000218). The first level is the share of each class among all
//! rows; a level whose fields were never seen together leaves the estimate as it is.

use crate::{
    classifier::Classifier,
    error::Result,
    examples::Examples,
    names::hash,
    predictions::{Predictions, prior},
    schema::{FieldKind, Schema},
    targets::{Classes, Labels},
};
use cupel_settings::{Range, Settings as _, settings};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};

settings! {
    /// Settings of [`Counts`].
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct CountsConfig in "counts" {
        /// Rows that the coarser level counts for, of counts and boosting
        pub strength: f64 = 3.0, in Range::above(0.0), "ROWS";
    }
    beside {
        /// The fields of each level, from the coarsest to the finest; empty for [`CountsConfig::levels_for`].
        pub levels: Vec<Vec<String>> = Vec::new();
        /// Levels from the site instead of the drug: what is compared with what, where, and in whom.
        pub sites: bool = false;
        /// An empty cell is a name like others; without it a level of which a row lacks a field leaves the estimate as it is.
        pub missing: bool = false;
        /// Rows of one group count together for as much as they differ: a row of `m` for `1 / (1 + (m - 1) rho)`, `rho` being how alike the rows of a
        /// group are (the design effect of Kish 1965, *Survey Sampling*).
        pub siblings: bool = false;
    }
}

impl CountsConfig {
    /// Levels for a schema: of annotations gene, allele, drug, drug with gene and drug with allele; of others each field
    /// and then all together.
    pub fn levels_for(schema: &Schema) -> Vec<Vec<String>> {
        let categories = schema.fields.iter().filter(|field| field.kind == FieldKind::Category);
        let names: Vec<&str> = categories.map(|field| field.name.as_str()).collect();
        let known: [&[&str]; 5] = [&["gene"], &["genalle"], &["drug"], &["drug", "gene"], &["drug", "genalle"]];
        let owned = |level: &[&str]| level.iter().map(ToString::to_string).collect::<Vec<_>>();
        if ["drug", "gene", "genalle"].iter().all(|name| names.contains(name)) {
            return known.iter().map(|level| owned(level)).collect();
        }
        Self::each_and_all(&names)
    }

    /// Levels of annotations from the site; of these those whose fields the schema has, and where it has none as
    /// [`levels_for`](Self::levels_for).
    pub fn sites_for(schema: &Schema) -> Vec<Vec<String>> {
        let categories = schema.fields.iter().filter(|field| field.kind == FieldKind::Category);
        let names: Vec<&str> = categories.map(|field| field.name.as_str()).collect();
        let levels: [&[&str]; 7] = [
            &["zygosity", "comparison"],
            &["population"],
            &["gene", "zygosity"],
            &["variant_haplotypes", "allele"],
            &["variant_haplotypes", "allele", "comparison"],
            &["drug", "population"],
            &["drug", "gene", "allele"],
        ];
        let there = levels.iter().filter(|level| level.iter().all(|name| names.contains(name)));
        let levels: Vec<Vec<String>> = there.map(|level| level.iter().map(ToString::to_string).collect()).collect();
        if levels.is_empty() { Self::levels_for(schema) } else { levels }
    }

    fn each_and_all(names: &[&str]) -> Vec<Vec<String>> {
        let owned = |level: &[&str]| level.iter().map(ToString::to_string).collect::<Vec<_>>();
        let mut levels: Vec<Vec<String>> = names.iter().map(|name| owned(&[name])).collect();
        if names.len() > 1 {
            levels.push(owned(names));
        }
        levels
    }
}

/// Fitted counts over all targets.
#[derive(Clone, Debug)]
pub struct Counts {
    pub(crate) config: CountsConfig,
    pub(crate) tables: Vec<CountTable>,
}

/// The counts of one target.
#[derive(Clone, Debug)]
pub(crate) struct CountTable {
    pub(crate) classes: Classes,
    pub(crate) prior: Vec<f64>,
    /// By the hash of level and names: weighted rows, then weighted rows of each class.
    pub(crate) cells: HashMap<u64, Vec<f32>>,
}

impl Counts {
    /// Counts the training `rows`.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a strength that is not above 0, [`Error::Data`](crate::Error::Data) for a level with an unknown field.
    pub fn fit(
        config: &CountsConfig,
        examples: &Examples,
        rows: &[usize],
        classes: &[Classes],
        labels: &[Labels],
    ) -> Result<Self> {
        config.check_values()?;
        let mut config = config.clone();
        if config.levels.is_empty() {
            let schema = examples.schema();
            config.levels =
                if config.sites { CountsConfig::sites_for(schema) } else { CountsConfig::levels_for(schema) };
        }
        let keys = keys(&config, examples, rows)?;
        let mut tables = Vec::new();
        let groups = config.siblings.then(|| examples.groups_or_rows());
        for (classes, labels) in classes.iter().zip(labels) {
            let width = classes.len();
            let mut cells: HashMap<u64, Vec<f32>> = HashMap::new();
            let mut truth = vec![0.0; width];
            let alike = groups.as_ref().map(|groups| Siblings::of(groups, rows, labels, width));
            for (row, keys) in rows.iter().zip(&keys).filter(|(row, _)| labels.is_known(**row)) {
                labels.write_row(*row, &mut truth);
                let weight = examples.weight(*row) * alike.as_ref().map_or(1.0, |alike| alike.weight(*row));
                for key in keys.iter().flatten() {
                    let cell = cells.entry(*key).or_insert_with(|| vec![0.0; width + 1]);
                    cell[0] += weight as f32;
                    cell[1..].iter_mut().zip(&truth).for_each(|(count, y)| *count += (weight * y) as f32);
                }
            }
            tables.push(CountTable { classes: classes.clone(), prior: prior(classes, labels, rows), cells });
        }
        Ok(Self { config, tables })
    }

    /// The key of each level of each row; `None` where a field of the level is missing.
    pub(crate) fn keys(&self, examples: &Examples, rows: &[usize]) -> Result<Vec<Vec<Option<u64>>>> {
        keys(&self.config, examples, rows)
    }
}

impl Classifier for Counts {
    fn name(&self) -> &'static str {
        if self.config.sites { "sites" } else { "counts" }
    }

    fn probabilities(&self, examples: &Examples, rows: &[usize]) -> Result<Vec<Predictions>> {
        let keys = keys(&self.config, examples, rows)?;
        let strength = self.config.strength;
        let of_table = |table: &CountTable| {
            let mut values = Vec::with_capacity(rows.len() * table.prior.len());
            for keys in &keys {
                let mut p = table.prior.clone();
                for cell in keys.iter().flatten().filter_map(|key| table.cells.get(key)) {
                    let n = f64::from(cell[0]);
                    p.iter_mut().zip(&cell[1..]).for_each(|(p, count)| {
                        *p = (f64::from(*count) + strength * *p) / (n + strength);
                    });
                }
                values.extend(p);
            }
            Predictions::new(table.classes.kind, table.prior.len(), values)
        };
        Ok(self.tables.iter().map(of_table).collect())
    }
}

/// Sums over the truths of rows.
struct Tally {
    rows: f64,
    squares: f64,
    sums: Vec<f64>,
}

impl Tally {
    fn new(width: usize) -> Self {
        Self { rows: 0.0, squares: 0.0, sums: vec![0.0; width] }
    }

    fn add(&mut self, truth: &[f64]) {
        self.rows += 1.0;
        self.squares += truth.iter().map(|y| y * y).sum::<f64>();
        self.sums.iter_mut().zip(truth).for_each(|(sum, y)| *sum += y);
    }

    /// The squared distances of the truths from their mean.
    fn spread(&self) -> f64 {
        self.squares - self.sums.iter().map(|sum| sum * sum).sum::<f64>() / self.rows
    }
}

/// How much the rows of each group count, of one target.
struct Siblings<'a> {
    groups: &'a [u32],
    /// Rows of each group in which the target is known.
    sizes: HashMap<u32, f64>,
    /// How alike the rows of a group are: 1 where they are the same, 0 where they are like any others.
    alike: f64,
}

impl<'a> Siblings<'a> {
    /// Of the `rows`, by the squared distances of their truths: those within groups, each group counted for its rows but one, to those of any two rows.
    fn of(groups: &'a [u32], rows: &[usize], labels: &Labels, width: usize) -> Self {
        // in their order, so that sums are the same however often they are made
        let mut of_groups: BTreeMap<u32, Tally> = BTreeMap::new();
        let mut all = Tally::new(width);
        let mut truth = vec![0.0; width];
        for row in labels.known(rows) {
            labels.write_row(row, &mut truth);
            of_groups.entry(groups[row]).or_insert_with(|| Tally::new(width)).add(&truth);
            all.add(&truth);
        }
        let within: f64 = of_groups.values().map(Tally::spread).sum();
        let freedom: f64 = of_groups.values().map(|tally| tally.rows - 1.0).sum();
        let total = all.spread() / (all.rows - 1.0);
        let alike = if freedom > 0.0 && total > 0.0 { (1.0 - within / freedom / total).clamp(0.0, 1.0) } else { 0.0 };
        Self { groups, sizes: of_groups.into_iter().map(|(group, tally)| (group, tally.rows)).collect(), alike }
    }

    fn weight(&self, row: usize) -> f64 {
        let size = self.sizes.get(&self.groups[row]).copied().unwrap_or(1.0);
        1.0 / (1.0 + (size - 1.0) * self.alike)
    }
}

/// The number of a level, and of each of its fields the codes of the rows and the hashes of the names.
type Level<'a> = (u64, Vec<(&'a [u32], Vec<u64>)>);

/// The key of each level of each row; `None` where a field of the level is missing.
fn keys(config: &CountsConfig, examples: &Examples, rows: &[usize]) -> Result<Vec<Vec<Option<u64>>>> {
    let table = examples.table();
    let mut levels = Vec::new();
    for (level, fields) in config.levels.iter().enumerate() {
        let mut columns = Vec::new();
        for field in fields {
            let (codes, names) = table.category(field)?;
            columns.push((codes, names.iter().map(|name| hash(name.as_bytes())).collect::<Vec<_>>()));
        }
        levels.push((level as u64, columns));
    }
    let key = |row: usize, (level, columns): &Level<'_>| {
        let mut bytes = level.to_le_bytes().to_vec();
        for (codes, hashes) in columns {
            match hashes.get(codes[row] as usize) {
                Some(hash) => bytes.extend(hash.to_le_bytes()),
                // shorter than the hash of any name
                None if config.missing => bytes.push(0),
                None => return None,
            }
        }
        Some(hash(&bytes))
    };
    Ok(rows.iter().map(|row| levels.iter().map(|level| key(*row, level)).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_group_count_for_as_much_as_they_differ() {
        let rows: Vec<usize> = (0..1200).collect();
        let groups: Vec<u32> = (0..1200).map(|row| row / 4).collect();
        let weight = |class: fn(usize) -> u32| {
            let labels = Labels::Class(rows.iter().map(|row| class(*row)).collect());
            Siblings::of(&groups, &rows, &labels, 2).weight(0)
        };
        assert_eq!(weight(|row| (row / 4 % 2) as u32), 0.25, "four that are the same are one");
        assert_eq!(weight(|row| (row % 2) as u32), 1.0, "those that differ more than others do count for themselves");
        // half of the groups are the same throughout, half are split: 1 - (2 / 3 / 2) / (1 / 2) = 1 / 3
        let half = weight(|row| if row / 4 % 4 < 2 { (row / 4 % 2) as u32 } else { (row % 2) as u32 });
        assert!((half - 0.5).abs() < 0.002, "{half}");
    }

    #[test]
    fn how_common_a_label_is_is_counted_on_the_rows_themselves() {
        let examples = crate::planted::planted(900, 3).unwrap().examples;
        let all: Vec<usize> = (0..900).collect();
        let fit = |target| Classes::fit(&examples, target, &all);
        let classes: Vec<Classes> = examples.schema().targets.iter().map(fit).collect::<Result<_>>().unwrap();
        let labels: Vec<Labels> = classes.iter().map(|own| own.labels(&examples).unwrap()).collect();
        let priors = |rows: &[usize]| {
            let counts = Counts::fit(&CountsConfig::default(), &examples, rows, &classes, &labels).unwrap();
            counts.tables.into_iter().map(|table| table.prior).collect::<Vec<_>>()
        };
        // of a third of the rows, whatever the others say
        let third: Vec<usize> = all.iter().copied().filter(|row| row % 3 == 0).collect();
        for (own, whole) in priors(&third).iter().flatten().zip(priors(&all).iter().flatten()) {
            assert!((own - whole).abs() < 0.1, "{own} of a third, {whole} of all");
        }
    }
}
