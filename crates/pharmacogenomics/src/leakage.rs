//! [`Leakage`]: how much of a held-out part training has already seen.

use crate::{
    error::{Error, Result},
    examples::Examples,
    schema::FieldKind,
    splits::{Parts, pairs},
};
use cupel_data::{Column, MISSING};
use serde::Serialize;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
};

/// What the held-out parts share with training.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Leakage {
    /// Rows of train, val, test and of no part.
    pub rows: [usize; 4],
    /// The validation part; `None` without rows.
    pub val: Option<Shared>,
    /// The test part; `None` without rows.
    pub test: Option<Shared>,
    /// Share of the test rows whose group is in the validation part: no leak of the answers, but thresholds and settings were
    /// chosen on such rows.
    pub test_in_val: f64,
    /// The column of the groups; without one, rows that agree in every field count as one group.
    pub unit: String,
    /// Fields of which no held-out value may be known in training, as the caller asked.
    pub cold: Vec<String>,
    /// Whether the split must not be reported on.
    pub leaky: bool,
    /// Rows that are a training row again, in every field and target, part by part: a row of the part, counted from 1 below the header, and the first
    /// training row that it copies; of train the rows that copy an earlier one.
    pub copies: BTreeMap<&'static str, Vec<[usize; 2]>>,
    /// Rows of the held-out parts with a class or label that training never saw, target by target.
    pub unseen: BTreeMap<&'static str, BTreeMap<String, usize>>,
}

/// Shares of the rows of one held-out part, between 0 and 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shared {
    /// A row of the same group is in train.
    pub group: f64,
    /// The same drug and allele are together in train; `None` where the table has no such columns.
    pub pair: Option<f64>,
    /// A row with the same fields is in train.
    pub all_fields: f64,
    /// The value of the field is in train.
    pub fields: BTreeMap<String, f64>,
}

impl Leakage {
    /// Measures a split. Values of the fields `cold` must not be shared either.
    ///
    /// # Errors
    /// [`Error::Data`] for a cold field that is none.
    pub fn of(examples: &Examples, parts: &Parts, cold: &[String]) -> Result<Self> {
        let whole = whole_rows(examples)?;
        let (unit, groups) = match (&examples.schema().group, examples.groups()) {
            (Some(name), Some(groups)) => (name.clone(), groups.to_vec()),
            _ => ("all fields".into(), whole.clone()),
        };
        let pairs = pairs(examples).ok();
        for field in cold {
            examples.table().category(field)?;
        }
        let part = |rows: &[usize], before: &[&[usize]]| -> Result<Option<Shared>> {
            if rows.is_empty() {
                return Ok(None);
            }
            let mut fields = BTreeMap::new();
            let names = examples.schema().fields.iter().filter(|field| field.kind == FieldKind::Category);
            for name in names.map(|field| &field.name).chain(cold) {
                fields.insert(name.clone(), share(examples.table().category(name)?.0, rows, before, true));
            }
            Ok(Some(Shared {
                group: share(&groups, rows, before, false),
                pair: pairs.as_ref().map(|pairs| share(pairs, rows, before, false)),
                all_fields: share(&whole, rows, before, false),
                fields,
            }))
        };
        let val = part(&parts.validation, &[&parts.train])?;
        let test = part(&parts.test, &[&parts.train])?;
        let test_in_val =
            if parts.test.is_empty() { 0.0 } else { share(&groups, &parts.test, &[&parts.validation], false) };
        let leaks = |shared: &Option<Shared>| {
            shared.as_ref().is_some_and(|shared| {
                shared.group > 0.0
                    || cold.iter().any(|field| shared.fields.get(field).is_some_and(|share| *share > 0.0))
            })
        };
        let leaky = leaks(&val) || leaks(&test);
        let rows = [parts.train.len(), parts.validation.len(), parts.test.len(), parts.dropped.len()];
        let (copies, unseen) = (copies(examples, parts)?, unseen(examples, parts)?);
        Ok(Self { rows, val, test, test_in_val, unit, cold: cold.to_vec(), leaky, copies, unseen })
    }

    /// Refuses a leaky split.
    ///
    /// # Errors
    /// [`Error::LeakySplit`] with the part and the share.
    pub fn refuse(&self) -> Result<()> {
        if !self.leaky {
            return Ok(());
        }
        let mut worst = ("test", 0.0, self.unit.clone());
        for (part, shared) in [("val", &self.val), ("test", &self.test)] {
            let Some(shared) = shared else { continue };
            let of_cold = self.cold.iter().filter_map(|field| Some((field.clone(), *shared.fields.get(field)?)));
            for (unit, share) in of_cold.chain([(self.unit.clone(), shared.group)]) {
                if share > worst.1 {
                    worst = (part, share, unit);
                }
            }
        }
        Err(Error::LeakySplit { part: worst.0, share: 100.0 * worst.1, unit: worst.2 })
    }
}

impl fmt::Display for Leakage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [train, val, test, dropped] = self.rows;
        writeln!(f, "{train} train, {val} val, {test} test, {dropped} in no part")?;
        for (part, shared) in [("val", &self.val), ("test", &self.test)] {
            let Some(Shared { group, pair, all_fields, fields }) = shared else { continue };
            writeln!(f, "share of the {part} rows that train knows by")?;
            writeln!(f, "  {:<24}{group:.3}", self.unit)?;
            if let Some(pair) = pair {
                writeln!(f, "  {:<24}{pair:.3}", "drug and allele")?;
            }
            writeln!(f, "  {:<24}{all_fields:.3}", "all fields together")?;
            for (field, share) in fields {
                writeln!(f, "  {field:<24}{share:.3}")?;
            }
        }
        if self.test_in_val > 0.0 {
            let share = 100.0 * self.test_in_val;
            writeln!(f, "{share:.1} % of the test rows have a row of the same {} in val", self.unit)?;
        }
        for (part, copies) in self.copies.iter().filter(|(_, copies)| !copies.is_empty()) {
            let named = copies.iter().take(NAMED).map(|[row, first]| format!("{row} of {first}"));
            let (named, more) = (named.collect::<Vec<_>>().join(", "), copies.len().saturating_sub(NAMED));
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            writeln!(f, "{} rows of {part} are exact copies of training rows: {named}{more}", copies.len())?;
        }
        for (part, targets) in &self.unseen {
            for (target, count) in targets.iter().filter(|(_, count)| **count > 0) {
                writeln!(f, "{count} rows of {part} have a class of {target} that training never saw")?;
            }
        }
        writeln!(f, "{}", if self.leaky { "this split leaks" } else { "no leak" })
    }
}

/// Copies that are named in words.
const NAMED: usize = 10;

/// The names of a row in one column, as one text.
fn cell_of(column: &Column, row: usize) -> String {
    match column {
        Column::Category { codes, .. } => codes[row].to_string(),
        Column::Number { values, present } => format!("{} {}", present[row], values[row].to_bits()),
        Column::Many { offsets, codes, .. } => {
            let mut own: Vec<u32> = codes[offsets[row]..offsets[row + 1]].to_vec();
            own.sort_unstable();
            format!("{own:?}")
        }
        _ => String::new(),
    }
}

/// The rows of each part that are a training row again.
fn copies(examples: &Examples, parts: &Parts) -> Result<BTreeMap<&'static str, Vec<[usize; 2]>>> {
    let schema = examples.schema();
    let names = schema.fields.iter().map(|field| &field.name).chain(schema.targets.iter().map(|target| &target.name));
    let columns: Vec<&Column> =
        names.map(|name| examples.table().column(name)).collect::<std::result::Result<_, _>>()?;
    let key = |row: usize| -> Vec<String> { columns.iter().map(|column| cell_of(column, row)).collect() };
    let mut first: HashMap<Vec<String>, usize> = HashMap::new();
    let mut found = BTreeMap::new();
    for (part, rows) in parts.parts() {
        let mut own = Vec::new();
        for row in rows {
            let key = key(*row);
            match first.get(&key) {
                Some(known) => own.push([row + 1, known + 1]),
                None if part == "train" => drop(first.insert(key, *row)),
                None => {}
            }
        }
        found.insert(part, own);
    }
    Ok(found)
}

/// The rows of the held-out parts with a class or label that no training row has.
fn unseen(examples: &Examples, parts: &Parts) -> Result<BTreeMap<&'static str, BTreeMap<String, usize>>> {
    let mut found: BTreeMap<&'static str, BTreeMap<String, usize>> = BTreeMap::new();
    for target in &examples.schema().targets {
        let column = examples.table().column(&target.name)?;
        let codes = |row: usize| -> &[u32] {
            match column {
                Column::Category { codes, .. } => std::slice::from_ref(&codes[row]),
                Column::Many { offsets, codes, .. } => &codes[offsets[row]..offsets[row + 1]],
                _ => &[],
            }
        };
        let seen: HashSet<u32> = parts.train.iter().flat_map(|row| codes(*row)).copied().collect();
        for (part, rows) in parts.parts().into_iter().filter(|(part, _)| *part != "train") {
            let new = |code: &u32| *code != MISSING && !seen.contains(code);
            let count = rows.iter().filter(|row| codes(**row).iter().any(new)).count();
            found.entry(part).or_default().insert(target.name.clone(), count);
        }
    }
    Ok(found)
}

/// The share of `rows` whose code some row of `before` has; missing codes are never shared where `optional`.
fn share(codes: &[u32], rows: &[usize], before: &[&[usize]], optional: bool) -> f64 {
    let seen: HashSet<u32> = before.iter().flat_map(|rows| rows.iter().map(|row| codes[*row])).collect();
    let shared = rows.iter().filter(|row| seen.contains(&codes[**row]) && !(optional && codes[**row] == MISSING));
    shared.count() as f64 / rows.len() as f64
}

/// Rows that agree in every field of categories have one number.
fn whole_rows(examples: &Examples) -> Result<Vec<u32>> {
    let fields = examples.schema().fields.iter().filter(|field| field.kind == FieldKind::Category);
    let columns: Vec<&[u32]> =
        fields.map(|field| Ok(examples.table().category(&field.name)?.0)).collect::<Result<_>>()?;
    let mut seen = std::collections::HashMap::new();
    Ok((0..examples.len())
        .map(|row| {
            let key: Vec<u32> = columns.iter().map(|codes| codes[row]).collect();
            let next = seen.len() as u32;
            *seen.entry(key).or_insert(next)
        })
        .collect())
}
