//! [`Neighbours`]: the classes of the training rows that are most like the row asked for.
//!
//! Two rows are as near as the names that they share are rare: `s = sum over shared names of ln(rows / rows with the name)`, and a
//! training row speaks with the weight `exp(sharpness s)`, which is a product of inverse frequencies to a power
//! (a kernel estimate, Nadaraya 1964, doi:10.1137/1109020). `p = (sum w y + strength prior) / (sum w + strength)`: the prior counts for
//! `strength` rows that share nothing, each of which would weigh 1. Only the nearest rows speak. Fields of one site say much the
//! same, so that the best power is far below 1.

use crate::{
    classifier::Classifier,
    error::Result,
    examples::Examples,
    names::hash,
    predictions::{Predictions, prior},
    schema::{FieldKind, Schema},
    targets::{Classes, Labels},
};
use cupel_data::MISSING;
use cupel_settings::{Range, Settings as _, settings};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

settings! {
    /// Settings of [`Neighbours`].
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct NeighboursConfig in "neighbours" {
        /// How much more the nearer rows weigh, of neighbours
        pub sharpness: f64 = 0.15, in Range::above(0.0), "POWER";
        /// Rows without likeness that the prior counts for, of neighbours
        pub strength: f64 as "belief" = 4.0, in Range::above(0.0), "ROWS";
        /// Most rows that speak, of neighbours
        pub rows: usize as "nearest" = 200, in Range::at_least(1.0), "ROWS";
    }
}

/// The training rows by their names.
#[derive(Clone, Debug)]
pub struct Neighbours {
    pub(crate) config: NeighboursConfig,
    pub(crate) schema: Schema,
    /// `row x field`: the hash of field and name, 0 where there is none.
    pub(crate) keys: Vec<u64>,
    pub(crate) targets: Vec<NeighbourTarget>,
    /// By key its rarity and the rows that have it; made from the keys.
    postings: HashMap<u64, (f64, Vec<u32>)>,
}

/// What the training rows answer for one target.
#[derive(Clone, Debug)]
pub(crate) struct NeighbourTarget {
    pub(crate) classes: Classes,
    pub(crate) prior: Vec<f64>,
    /// `row x class`, times the weight of the row; nought where the target is not known.
    pub(crate) truths: Vec<f32>,
    /// The weight of each row, nought where the target is not known.
    pub(crate) weights: Vec<f32>,
}

impl Neighbours {
    /// Keeps the training `rows`.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for settings that are none, [`Error::Data`](crate::Error::Data) when a field is missing.
    pub fn fit(
        config: &NeighboursConfig,
        examples: &Examples,
        rows: &[usize],
        classes: &[Classes],
        labels: &[Labels],
    ) -> Result<Self> {
        config.check_values()?;
        let mut targets = Vec::new();
        for (classes, labels) in classes.iter().zip(labels) {
            let width = classes.len();
            let (mut truths, mut weights) = (vec![0.0_f32; rows.len() * width], vec![0.0_f32; rows.len()]);
            let mut truth = vec![0.0; width];
            for (i, row) in rows.iter().enumerate().filter(|(_, row)| labels.is_known(**row)) {
                labels.write_row(*row, &mut truth);
                weights[i] = examples.weight(*row) as f32;
                let out = &mut truths[i * width..(i + 1) * width];
                out.iter_mut().zip(&truth).for_each(|(out, y)| *out = *y as f32 * weights[i]);
            }
            let prior = prior(classes, labels, rows);
            targets.push(NeighbourTarget { classes: classes.clone(), prior, truths, weights });
        }
        let keys = keys(examples.schema(), examples, rows)?;
        Ok(Self::new(config.clone(), examples.schema().clone(), keys, targets))
    }

    pub(crate) fn new(config: NeighboursConfig, schema: Schema, keys: Vec<u64>, targets: Vec<NeighbourTarget>) -> Self {
        let fields = fields(&schema).count().max(1);
        let rows = keys.len() / fields;
        let mut postings: HashMap<u64, (f64, Vec<u32>)> = HashMap::new();
        for (row, own) in keys.chunks_exact(fields).enumerate() {
            for key in own.iter().filter(|key| **key != 0) {
                postings.entry(*key).or_default().1.push(row as u32);
            }
        }
        for (rarity, own) in postings.values_mut() {
            let share = own.len() as f64 / rows.max(1) as f64;
            *rarity = -share.ln();
        }
        Self { config, schema, keys, targets, postings }
    }

    /// The nearest training rows with their weights.
    fn nearest(&self, keys: &[u64], fields: usize) -> Vec<(u32, f64)> {
        let mut nearness = vec![0.0_f64; self.keys.len() / fields];
        for (rarity, rows) in keys.iter().filter_map(|key| self.postings.get(key)) {
            rows.iter().for_each(|row| nearness[*row as usize] += rarity);
        }
        let mut near: Vec<(u32, f64)> =
            (0..).zip(nearness).filter(|(_, nearness)| *nearness > 0.0).collect::<Vec<(u32, f64)>>();
        let by_nearness = |a: &(u32, f64), b: &(u32, f64)| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0));
        if near.len() > self.config.rows {
            near.select_nth_unstable_by(self.config.rows, by_nearness);
            near.truncate(self.config.rows);
        }
        near.sort_unstable_by_key(|(row, _)| *row);
        near.iter_mut().for_each(|(_, nearness)| *nearness = (self.config.sharpness * *nearness).exp());
        near
    }
}

impl Classifier for Neighbours {
    fn name(&self) -> &'static str {
        "neighbours"
    }

    fn probabilities(&self, examples: &Examples, rows: &[usize]) -> Result<Vec<Predictions>> {
        let fields = fields(&self.schema).count().max(1);
        let asked = keys(&self.schema, examples, rows)?;
        let near: Vec<Vec<(u32, f64)>> = asked.par_chunks(fields).map(|keys| self.nearest(keys, fields)).collect();
        let of_target = |target: &NeighbourTarget| {
            let width = target.prior.len();
            let mut values = Vec::with_capacity(rows.len() * width);
            for near in &near {
                let believed = self.config.strength;
                let mut p: Vec<f64> = target.prior.iter().map(|prior| believed * prior).collect();
                let mut total = believed;
                for (row, weight) in near {
                    let row = *row as usize;
                    total += weight * f64::from(target.weights[row]);
                    let truth = &target.truths[row * width..(row + 1) * width];
                    p.iter_mut().zip(truth).for_each(|(p, y)| *p += weight * f64::from(*y));
                }
                values.extend(p.into_iter().map(|p| p / total));
            }
            Predictions::new(target.classes.kind, width, values)
        };
        Ok(self.targets.iter().map(of_target).collect())
    }
}

/// The fields that rows are alike in.
fn fields(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields.iter().filter(|field| field.kind == FieldKind::Category).map(|field| field.name.as_str())
}

/// `row x field`: the hash of field and name, 0 where there is none.
fn keys(schema: &Schema, examples: &Examples, rows: &[usize]) -> Result<Vec<u64>> {
    let mut columns = Vec::new();
    for (index, field) in fields(schema).enumerate() {
        let (codes, names) = examples.table().category(field)?;
        let key = |name: &String| hash(format!("{index}\u{1}{name}").as_bytes()).max(1);
        columns.push((codes, names.iter().map(key).collect::<Vec<u64>>()));
    }
    let key = |row: usize, (codes, keys): &(&[u32], Vec<u64>)| match codes[row] {
        MISSING => 0,
        code => keys[code as usize],
    };
    Ok(rows.iter().flat_map(|row| columns.iter().map(|column| key(*row, column)).collect::<Vec<_>>()).collect())
}
