//! [`Evidence`]: the training rows that are nearest to a question, by the names of their groups.
//!
//! Nearness is the sum, over the fields in which both have the same name, of `ln(rows / rows with that name)`: to share a rare
//! allele says more than to share a common zygosity.

use crate::{
    error::Result,
    examples::{Examples, Purpose},
    schema::{FieldKind, Schema},
};
use cupel_data::MISSING;
use serde::Serialize;
use std::{collections::HashMap, path::Path};

/// The training rows with the fields of categories.
#[derive(Clone, Debug)]
pub struct Evidence {
    examples: Examples,
    /// `ln(rows / rows with the name)` by field and code.
    rarity: Vec<Vec<f64>>,
    fields: Vec<String>,
}

/// One group that is near.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Near {
    /// The group, as the table named it; the row's number where it has none.
    pub group: String,
    /// The sum of the rarities of what is shared.
    pub nearness: f64,
    /// The fields in which it agrees.
    pub shared: Vec<String>,
}

impl Evidence {
    /// The evidence of the training `rows`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when a field is missing.
    pub fn of(examples: &Examples, rows: &[usize]) -> Result<Self> {
        let table = examples.table().select(rows)?;
        Self::new(Examples::of_table(examples.schema().clone(), table, "training rows")?)
    }

    fn new(examples: Examples) -> Result<Self> {
        let categories = examples.schema().fields.iter().filter(|field| field.kind == FieldKind::Category);
        let fields: Vec<String> = categories.map(|field| field.name.clone()).collect();
        let mut rarity = Vec::new();
        for field in &fields {
            let (codes, names) = examples.table().category(field)?;
            let mut counts = vec![0.0_f64; names.len()];
            codes.iter().filter(|code| **code != MISSING).for_each(|code| counts[*code as usize] += 1.0);
            rarity.push(counts.iter().map(|count| (codes.len() as f64 / count.max(1.0)).ln()).collect());
        }
        Ok(Self { examples, rarity, fields })
    }

    pub(crate) fn examples(&self) -> &Examples {
        &self.examples
    }

    pub(crate) fn open(path: &Path, schema: &Schema) -> Result<Self> {
        let mut schema = schema.clone();
        // the names of categories and groups are all that was kept
        schema.fields.retain(|field| field.kind == FieldKind::Category);
        Self::new(Examples::read(path, &schema, &[], Purpose::Asking)?)
    }

    pub(crate) fn to_tsv(&self) -> Result<String> {
        let group = self.examples.schema().group.clone().filter(|_| self.examples.groups().is_some());
        let columns: Vec<&String> = group.iter().chain(&self.fields).collect();
        let mut text = columns.iter().map(|name| name.as_str()).collect::<Vec<_>>().join("\t");
        for row in 0..self.examples.len() {
            text.push('\n');
            for (position, column) in columns.iter().enumerate() {
                if position > 0 {
                    text.push('\t');
                }
                text.push_str(self.examples.name(column, row)?.unwrap_or_default());
            }
        }
        text.push('\n');
        Ok(text)
    }

    /// The `count` groups nearest to row `row` of `questions`, nearest first; none that shares nothing.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when the questions lack a field.
    pub fn nearest(&self, questions: &Examples, row: usize, count: usize) -> Result<Vec<Near>> {
        let mut wanted: Vec<Option<u32>> = Vec::new();
        for field in &self.fields {
            let (_, names) = self.examples.table().category(field)?;
            let name = questions.name(field, row)?;
            wanted.push(name.and_then(|name| names.iter().position(|known| known == name)).map(|code| code as u32));
        }
        let columns: Vec<&[u32]> =
            self.fields.iter().map(|field| Ok(self.examples.table().category(field)?.0)).collect::<Result<_>>()?;
        let groups = self.examples.groups_or_rows();
        let mut best: HashMap<u32, (f64, usize)> = HashMap::new();
        for (row, group) in groups.iter().enumerate() {
            let agrees = |(field, wanted): (usize, &Option<u32>)| {
                let code = (*wanted)?;
                (columns[field][row] == code).then(|| self.rarity[field][code as usize])
            };
            let nearness: f64 = wanted.iter().enumerate().filter_map(agrees).sum();
            let entry = best.entry(*group).or_insert((0.0, row));
            if nearness > entry.0 {
                *entry = (nearness, row);
            }
        }
        let mut found: Vec<(u32, f64, usize)> =
            best.into_iter().filter(|(_, (nearness, _))| *nearness > 0.0).map(|(g, (n, r))| (g, n, r)).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.2.cmp(&b.2)));
        found.truncate(count);
        let near = |(group, nearness, row): (u32, f64, usize)| {
            let shares = |(field, wanted): (&String, (&&[u32], &Option<u32>))| {
                (*wanted.1 == Some(wanted.0[row])).then(|| field.clone())
            };
            Near {
                group: self.examples.group_name(group).map_or_else(|| (row + 1).to_string(), str::to_string),
                nearness,
                shared: self.fields.iter().zip(columns.iter().zip(&wanted)).filter_map(shares).collect(),
            }
        };
        Ok(found.into_iter().map(near).collect())
    }
}
