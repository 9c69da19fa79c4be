//! [`Classes`]: what a target can be, decided on training rows only, and [`Labels`]: what it is, row by row.

use crate::{
    error::{Error, Result},
    examples::Examples,
    schema::{Target, TargetKind},
};
use cupel_data::MISSING;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the class that rare ones are merged into.
pub const OTHER: &str = "other (merged)";

/// The classes or labels of one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Classes {
    /// The column.
    pub target: String,
    /// Classes, of which one is true, or labels, of which any number may be.
    pub kind: TargetKind,
    /// Their names in the order of the probabilities: sorted, the merged class last.
    pub names: Vec<String>,
    /// Training rows of each.
    pub counts: Vec<u64>,
    /// Classes that were merged for having fewer training rows than [`min_class`](Self::min_class), with their rows. Of a
    /// target of labels these are left out.
    pub merged: BTreeMap<String, u64>,
    /// The rule of merging.
    pub min_class: usize,
    /// Of labels: an empty cell says that there is none.
    #[serde(default)]
    pub empty_is_none: bool,
}

/// What a target is in each row.
#[derive(Clone, Debug, PartialEq)]
pub enum Labels {
    /// The class of each row; [`MISSING`] where it is not known or was never seen in training.
    Class(Vec<u32>),
    /// Row after row, whether each label is there; `None` rows are missing.
    Labels {
        /// `rows x labels`.
        values: Vec<bool>,
        /// Whether the target is known in a row.
        known: Vec<bool>,
    },
}

impl Classes {
    /// Counts the classes in the training `rows` and merges the rare ones.
    ///
    /// # Errors
    /// [`Error::DegenerateTarget`] with fewer than two classes or no label, [`Error::Data`] when the column is missing.
    pub fn fit(examples: &Examples, target: &Target, rows: &[usize]) -> Result<Self> {
        let table = examples.table();
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        match target.kind {
            TargetKind::Class => {
                let (codes, names) = table.category(&target.name)?;
                for code in rows.iter().map(|row| codes[*row]).filter(|code| *code != MISSING) {
                    *counts.entry(names[code as usize].as_str()).or_default() += 1;
                }
            }
            TargetKind::Labels => {
                let (offsets, codes, names) = table.many(&target.name)?;
                for code in rows.iter().flat_map(|row| &codes[offsets[*row]..offsets[row + 1]]) {
                    *counts.entry(names[*code as usize].as_str()).or_default() += 1;
                }
            }
        }
        let (kept, rare): (Vec<_>, Vec<_>) =
            counts.into_iter().partition(|(_, count)| *count >= target.min_class as u64);
        let mut names: Vec<String> = kept.iter().map(|(name, _)| name.to_string()).collect();
        let mut counts: Vec<u64> = kept.iter().map(|(_, count)| *count).collect();
        let merged: BTreeMap<String, u64> = rare.into_iter().map(|(name, count)| (name.to_string(), count)).collect();
        if target.kind == TargetKind::Class && !merged.is_empty() {
            names.push(OTHER.into());
            counts.push(merged.values().sum());
        }
        let needed = if target.kind == TargetKind::Class { 2 } else { 1 };
        if names.len() < needed {
            let what = if target.kind == TargetKind::Class { "class" } else { "label" };
            let classes = format!("{} {what}{}", names.len(), if names.len() == 1 { "" } else { "es" });
            return Err(Error::DegenerateTarget { target: target.name.clone(), classes });
        }
        let Target { name, kind, min_class, empty_is_none, .. } = target.clone();
        Ok(Self { target: name, kind, names, counts, merged, min_class, empty_is_none })
    }

    /// The number of classes or labels.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether there are none, which [`fit`](Self::fit) refuses.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The target of every row. A class that training never saw is the merged one where there is one, else missing; a
    /// label that training never saw is left out.
    ///
    /// # Errors
    /// [`Error::Data`] when the column is missing.
    pub fn labels(&self, examples: &Examples) -> Result<Labels> {
        let table = examples.table();
        let place = |name: &String| self.names.iter().position(|known| known == name).map(|place| place as u32);
        match self.kind {
            TargetKind::Class => {
                let other = (!self.merged.is_empty()).then(|| self.len() as u32 - 1);
                let (codes, names) = table.category(&self.target)?;
                let of_name: Vec<u32> = names.iter().map(|name| place(name).or(other).unwrap_or(MISSING)).collect();
                Ok(Labels::Class(
                    codes.iter().map(|code| of_name.get(*code as usize).copied().unwrap_or(MISSING)).collect(),
                ))
            }
            TargetKind::Labels => {
                let (offsets, codes, names) = table.many(&self.target)?;
                let of_name: Vec<Option<u32>> = names.iter().map(place).collect();
                let mut values = vec![false; examples.len() * self.len()];
                let mut known = Vec::with_capacity(examples.len());
                for (row, range) in offsets.windows(2).enumerate() {
                    known.push(self.empty_is_none || range[1] > range[0]);
                    for label in codes[range[0]..range[1]].iter().filter_map(|code| of_name[*code as usize]) {
                        values[row * self.len() + label as usize] = true;
                    }
                }
                Ok(Labels::Labels { values, known })
            }
        }
    }
}

impl Labels {
    /// Whether the target is known in a row.
    pub fn is_known(&self, row: usize) -> bool {
        match self {
            Self::Class(classes) => classes[row] != MISSING,
            Self::Labels { known, .. } => known[row],
        }
    }

    /// Whether a row has a class, or at least one of the labels.
    pub fn has_any(&self, row: usize) -> bool {
        match self {
            Self::Class(_) => self.is_known(row),
            Self::Labels { values, known } => {
                let width = values.len() / known.len().max(1);
                values[row * width..(row + 1) * width].contains(&true)
            }
        }
    }

    /// Those of `rows` in which the target is known.
    pub fn known(&self, rows: &[usize]) -> Vec<usize> {
        rows.iter().copied().filter(|row| self.is_known(*row)).collect()
    }

    /// The class of a row; `None` where it is missing or the target is no class.
    pub fn class(&self, row: usize) -> Option<usize> {
        match self {
            Self::Class(classes) if classes[row] != MISSING => Some(classes[row] as usize),
            _ => None,
        }
    }

    /// 1 for what is true of a row and 0 for the rest, one number per class or label.
    pub fn write_row(&self, row: usize, out: &mut [f64]) {
        out.fill(0.0);
        match self {
            Self::Class(classes) => {
                if let Some(out) = out.get_mut(classes[row] as usize) {
                    *out = 1.0;
                }
            }
            Self::Labels { values, .. } => {
                let width = out.len();
                for (out, value) in out.iter_mut().zip(&values[row * width..]) {
                    *out = f64::from(u8::from(*value));
                }
            }
        }
    }
}
