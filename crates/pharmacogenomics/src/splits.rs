//! [`Parts`]: which rows train, which choose settings, and which are reported on.
//!
//! | kind | what no two parts share |
//! |---|---|
//! | `random` | rows only: rows of one annotation stand on both sides, which flatters every number |
//! | `stratified` | rows only, with the classes of the first target in equal shares |
//! | `group` | groups (annotations) |
//! | `pair` | drug and allele together |
//! | `drug`, `variant`, `gene`, or any field | the value of that field: cold start |
//! | `time` | time: the test is later than the validation, which is later than the training |
//! | `stratified-group` | groups, with the classes in near-equal shares |
//!
//! Whatever the kind, but for the first two, a training row whose group has rows in a held-out part is dropped: one
//! annotation of two drugs must not be learned from in one and asked for in the other.

use crate::{
    dealing::{deal, folds_by},
    error::{Error, Result},
    examples::Examples,
    schema::{FieldKind, TargetKind},
    split_config::SplitKind,
};
use cupel_data::{Fractions, MISSING, Split, Stream};
use cupel_settings::Problem;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The rows of the parts, ascending in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// To fit on.
    pub train: Vec<usize>,
    /// To choose settings, thresholds and calibration on.
    pub validation: Vec<usize>,
    /// To report on.
    pub test: Vec<usize>,
    /// Rows in no part.
    pub dropped: Vec<usize>,
}

/// Names of which fewer validation rows than this share one with training are a cold start.
const COLD_SHARE: f64 = 0.05;

impl Parts {
    /// The names of the parts.
    pub const NAMES: [&str; 3] = ["train", "val", "test"];

    /// The parts that a column of the table names: `train`, `val` (or `validation`, `valid`), `test`; `drop` and empty
    /// cells are in none.
    ///
    /// # Errors
    /// [`Error::SplitValue`] for another word, [`Error::EmptyPart`] when nothing is left to train on, [`Error::Data`] when
    /// the column was not read.
    pub fn from_column(examples: &Examples, column: &str) -> Result<Self> {
        let (codes, names) = examples.table().category(column)?;
        let mut parts = Self { train: vec![], validation: vec![], test: vec![], dropped: vec![] };
        for (row, code) in codes.iter().enumerate() {
            let word = if *code == MISSING { "" } else { names[*code as usize].as_str() };
            match word {
                "train" => parts.train.push(row),
                "val" | "valid" | "validation" => parts.validation.push(row),
                "test" => parts.test.push(row),
                "" | "drop" => parts.dropped.push(row),
                _ => {
                    let (column, value) = (column.to_string(), word.to_string());
                    return Err(Error::SplitValue { column, value, row: row + 1 });
                }
            }
        }
        match parts.train.len() {
            0 => Err(Error::EmptyPart { part: "train", rows: 0, needed: 1, why: "to fit anything" }),
            _ => Ok(parts),
        }
    }

    /// Splits the rows.
    ///
    /// # Errors
    /// [`Error::Data`] for fractions that are none, fewer units than parts, or a field that is not there;
    /// [`Error::Setting`] for a split by time without times.
    pub fn make(examples: &Examples, kind: &SplitKind, fractions: Fractions, seed: u64) -> Result<Self> {
        let stream = Stream::new(seed, "pharmacogenomic split");
        let rows = examples.len();
        let split = match kind {
            SplitKind::Random => return Ok(Self::of(Split::random(rows, fractions, stream)?, rows)),
            SplitKind::Stratified => return Self::stratified(examples, fractions, stream),
            SplitKind::Group => Split::by_group(&examples.groups_or_rows(), fractions, stream)?,
            SplitKind::Pair => Split::by_group(&pairs(examples)?, fractions, stream)?,
            SplitKind::Cold(field) => Split::by_group(&values(examples, field)?, fractions, stream)?,
            SplitKind::Time => by_time(examples, fractions)?,
            SplitKind::StratifiedGroup => {
                let shares = [fractions.train, fractions.validation, fractions.test];
                // refuses shares that are none, as the other kinds do
                Split::random(rows.max(3), fractions, stream)?;
                let [train, validation, test] = <[Vec<usize>; 3]>::try_from(deal(examples, &shares, stream)?)
                    .unwrap_or_else(|_| unreachable!("as many parts as shares"));
                Split { train, validation, test }
            }
        };
        Ok(Self::of(split, rows).without_leaks(examples))
    }

    /// `folds` splits of `rows`, in each of which another fold is the validation part: whole groups, classes in near-equal
    /// shares.
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than 2 folds.
    pub fn folds(examples: &Examples, rows: &[usize], folds: usize, seed: u64) -> Result<Vec<Self>> {
        folds_by(examples, &[&examples.groups_or_rows()], rows, folds, seed)
    }

    /// `folds` splits of `rows` that are as this one is: a fold knows no group of the others where the validation part knows none of training,
    /// and no drug (or other name) where the validation part is a cold start for it.
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than 2 folds, [`Error::Data`] when a field is missing.
    pub fn folds_alike(&self, examples: &Examples, rows: &[usize], folds: usize, seed: u64) -> Result<Vec<Self>> {
        let groups = examples.groups_or_rows();
        let cold = self.cold_fields(examples)?;
        let mut apart: Vec<&[u32]> = Vec::new();
        if cold_share(&groups, self).is_none_or(|share| share < COLD_SHARE) {
            apart.push(&groups);
        }
        for field in &cold {
            let (codes, _) = examples.table().category(field)?;
            // of fewer names than folds none can be held out of each
            if distinct(codes, rows) >= folds {
                apart.push(codes);
            }
        }
        folds_by(examples, &apart, rows, folds, seed)
    }

    /// The fields of whose names the validation part shares hardly any with training.
    ///
    /// # Errors
    /// [`Error::Data`] when a field is missing.
    pub fn cold_fields(&self, examples: &Examples) -> Result<Vec<String>> {
        let mut cold = Vec::new();
        for field in examples.schema().fields.iter().filter(|field| field.kind == FieldKind::Category) {
            let (codes, _) = examples.table().category(&field.name)?;
            if cold_share(codes, self).is_some_and(|share| share < COLD_SHARE) {
                cold.push(field.name.clone());
            }
        }
        Ok(cold)
    }

    /// The parts with their names.
    pub fn parts(&self) -> [(&'static str, &[usize]); 3] {
        let [train, validation, test] = Self::NAMES;
        [(train, &self.train), (validation, &self.validation), (test, &self.test)]
    }

    /// The rows of a part: `train`, `val` or `test`.
    ///
    /// # Errors
    /// [`Error::Setting`] for another name, [`Error::EmptyPart`] for a part without rows.
    pub fn part(&self, name: &str) -> Result<&[usize]> {
        let Some((name, rows)) = self.parts().into_iter().find(|(known, _)| *known == name) else {
            return Err(Problem::value("part", name, format!("one of {}", Self::NAMES.join(", "))).into());
        };
        match rows.len() {
            0 => Err(Error::EmptyPart { part: name, rows: 0, needed: 1, why: "to report on" }),
            _ => Ok(rows),
        }
    }

    fn of(split: Split, rows: usize) -> Self {
        let mut used = vec![false; rows];
        for (_, part) in split.parts() {
            part.iter().for_each(|row| used[*row] = true);
        }
        let dropped = (0..rows).filter(|row| !used[*row]).collect();
        Self { train: split.train, validation: split.validation, test: split.test, dropped }
    }

    fn stratified(examples: &Examples, fractions: Fractions, stream: Stream) -> Result<Self> {
        let mut whole = Split { train: vec![], validation: vec![], test: vec![] };
        for (class, rows) in strata(examples)?.into_iter().enumerate() {
            // fewer rows than parts: they train
            if rows.len() < 3 {
                whole.train.extend(rows);
                continue;
            }
            let split = Split::random(rows.len(), fractions, stream.child(class as u64))?;
            let back = |part: &[usize]| part.iter().map(|row| rows[*row]).collect::<Vec<_>>();
            whole.train.extend(back(&split.train));
            whole.validation.extend(back(&split.validation));
            whole.test.extend(back(&split.test));
        }
        for part in [&mut whole.train, &mut whole.validation, &mut whole.test] {
            part.sort_unstable();
        }
        Ok(Self::of(whole, examples.len()))
    }

    /// Without the rows of earlier parts whose group reaches a later one.
    fn without_leaks(mut self, examples: &Examples) -> Self {
        let Some(groups) = examples.groups() else { return self };
        let groups_of = |rows: &[usize]| -> HashSet<u32> { rows.iter().map(|row| groups[*row]).collect() };
        let test = groups_of(&self.test);
        let (leaking, validation) = self.validation.iter().partition(|row| test.contains(&groups[**row]));
        self.validation = validation;
        self.dropped.extend::<Vec<usize>>(leaking);
        let held_out: HashSet<u32> = test.union(&groups_of(&self.validation)).copied().collect();
        let (leaking, train) = self.train.iter().partition(|row| held_out.contains(&groups[**row]));
        self.train = train;
        self.dropped.extend::<Vec<usize>>(leaking);
        self.dropped.sort_unstable();
        self
    }
}

/// The value of a field as a group; rows where it is missing are one group.
fn values(examples: &Examples, field: &str) -> Result<Vec<u32>> {
    let (codes, _) = examples.table().category(field)?;
    Ok(codes.to_vec())
}

/// Drug and allele together as a group.
pub(crate) fn pairs(examples: &Examples) -> Result<Vec<u32>> {
    let (drugs, _) = examples.table().category("drug")?;
    let (alleles, _) = examples.table().category("genalle").or_else(|_| examples.table().category("allele"))?;
    let mut seen: HashMap<(u32, u32), u32> = HashMap::new();
    Ok(drugs
        .iter()
        .zip(alleles)
        .map(|(drug, allele)| {
            let next = seen.len() as u32;
            *seen.entry((*drug, *allele)).or_insert(next)
        })
        .collect())
}

/// The parts in the order of time; rows of one time stay together, rows without a time are dropped.
fn by_time(examples: &Examples, fractions: Fractions) -> Result<Split> {
    let Some(times) = examples.times() else {
        return Err(Problem::value("split", "time", "a schema whose time names a column of numbers").into());
    };
    let mut order: Vec<usize> = (0..times.len()).filter(|row| times[*row].is_finite()).collect();
    order.sort_by(|a, b| times[*a].total_cmp(&times[*b]));
    // refuses shares that are none, as the other kinds do
    Split::random(order.len().max(3), fractions, Stream::new(0, "check of fractions"))?;
    let cut = |share: f64| {
        let mut at = (share * order.len() as f64).round() as usize;
        while at > 0 && at < order.len() && times[order[at]] == times[order[at - 1]] {
            at += 1;
        }
        at.min(order.len())
    };
    let (first, second) = (cut(fractions.train), cut(fractions.train + fractions.validation));
    let sorted = |rows: &[usize]| {
        let mut rows = rows.to_vec();
        rows.sort_unstable();
        rows
    };
    Ok(Split {
        train: sorted(&order[..first]),
        validation: sorted(&order[first..second]),
        test: sorted(&order[second..]),
    })
}

/// The rows of each class of the first target of classes, one stratum where there is none.
fn strata(examples: &Examples) -> Result<Vec<Vec<usize>>> {
    let mut strata: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, class) in classes(examples)?.into_iter().enumerate() {
        strata.entry(class).or_default().push(row);
    }
    Ok(strata.into_values().collect())
}

pub(crate) fn classes(examples: &Examples) -> Result<Vec<u32>> {
    match examples.schema().targets.iter().find(|target| target.kind == TargetKind::Class) {
        Some(target) => Ok(examples.table().category(&target.name)?.0.to_vec()),
        None => Ok(vec![0; examples.len()]),
    }
}

/// The share of the validation rows whose code some training row has, of those that have one; `None` where most have none.
fn cold_share(codes: &[u32], parts: &Parts) -> Option<f64> {
    let known: HashSet<u32> = parts.train.iter().map(|row| codes[*row]).collect();
    let named: Vec<u32> = parts.validation.iter().map(|row| codes[*row]).filter(|code| *code != MISSING).collect();
    let shared = named.iter().filter(|code| known.contains(code)).count();
    (2 * named.len() > parts.validation.len()).then(|| shared as f64 / named.len() as f64)
}

pub(crate) fn distinct(codes: &[u32], rows: &[usize]) -> usize {
    rows.iter().map(|row| codes[*row]).collect::<HashSet<u32>>().len()
}
