//! [`Examples`]: the rows of a table as a schema sees them, with one spelling for every name.

use crate::{
    error::Result,
    names::Names,
    normalise::normalise,
    schema::{Field, FieldKind, Schema, TargetKind},
    table_rows::TableRows,
};
use cupel_data::{Column, MISSING, Table, is_missing, nearest_name};
use cupel_settings::Problem;
use std::{collections::HashSet, fs::File, io::Read, path::Path};

/// A name that no table has: names are spelt without such signs.
const HIDDEN: &str = "\u{1}hidden";

/// Rows with their fields, targets, groups, weights and times.
///
/// Names are normalised (see [`normalise`](crate::normalise)) when they are read, those of targets too.
#[derive(Clone, Debug)]
pub struct Examples {
    schema: Schema,
    table: Table,
    groups: Option<Vec<u32>>,
    group_names: Vec<String>,
    weights: Option<Vec<f64>>,
    times: Option<Vec<f64>>,
    absent: Vec<String>,
    source: String,
    hash: String,
}

/// What a table must have beside the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Targets and groups, to fit or to measure.
    Learning,
    /// Nothing: targets, groups and times are taken where they are there, fields that the table lacks are missing in every row.
    Asking,
}

/// A column while it is read.
enum Reader {
    Category { codes: Vec<u32>, names: Names },
    Many { offsets: Vec<usize>, codes: Vec<u32>, names: Names, separator: char },
    Number { values: Vec<f64>, present: Vec<bool> },
}

impl Reader {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Category | Kind::Verbatim => Self::Category { codes: Vec::new(), names: Names::default() },
            Kind::Many(separator) => {
                Self::Many { offsets: vec![0], codes: Vec::new(), names: Names::default(), separator }
            }
            Kind::Number => Self::Number { values: Vec::new(), present: Vec::new() },
        }
    }

    fn finish(self) -> Column {
        let owned = |names: Names| names.iter().map(str::to_string).collect();
        match self {
            Self::Category { codes, names } => Column::Category { codes, names: owned(names) },
            Self::Many { offsets, codes, names, .. } => Column::Many { offsets, codes, names: owned(names) },
            Self::Number { values, present } => Column::Number { values, present },
        }
    }
}

/// How a column is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Category,
    /// As it is written, but for white space at the ends: identifiers of groups, words of splits.
    Verbatim,
    Many(char),
    Number,
}

impl Kind {
    fn of(field: &Field) -> Self {
        match field.kind {
            FieldKind::Category => Self::Category,
            FieldKind::Many => Self::Many(field.separator),
            FieldKind::Number => Self::Number,
        }
    }
}

impl Examples {
    /// Reads a table: TSV, CSV and their kin with a header, or with the feature `parquet` Parquet. The columns `also` are read as they are written, for
    /// splits that stand in the table.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when it cannot be read, when a column of the schema is missing, or when a cell of a number is none.
    pub fn read(path: &Path, schema: &Schema, also: &[&str], purpose: Purpose) -> Result<Self> {
        schema.check()?;
        let rows = TableRows::open(path)?;
        let mut plan: Vec<(usize, String, Kind)> = Vec::new();
        let wanted = wanted(schema, also, purpose);
        for (name, kind, needed) in &wanted {
            if plan.iter().any(|(_, known, _)| known == name) {
                continue; // the time may be the group
            }
            match rows.position(name) {
                Ok(position) => plan.push((position, name.clone(), *kind)),
                Err(_) if !needed => {}
                Err(error) => return Err(error),
            }
        }
        let mut absent: Vec<(String, Kind)> = Vec::new();
        for field in schema.fields.iter().filter(|field| plan.iter().all(|(_, known, _)| *known != field.name)) {
            // a heading that means nothing else is taken for a slip rather than left out
            let others = rows.names().iter().map(String::as_str);
            let others = others.filter(|own| wanted.iter().all(|(known, ..)| known != own));
            if nearest_name(&field.name, others).is_some() {
                rows.position(&field.name)?;
            }
            absent.push((field.name.clone(), Kind::of(field)));
        }
        if absent.len() == schema.fields.len() && !absent.is_empty() {
            rows.position(&schema.fields[0].name)?; // not one is there
        }
        let mut readers: Vec<Reader> = plan.iter().map(|(_, _, kind)| Reader::new(*kind)).collect();
        let positions: Vec<usize> = plan.iter().map(|(position, ..)| *position).collect();
        let mut text = String::new();
        let count = rows.each_cell(&positions, None, |cell, _| {
            Ok(cell.and_then(|(reader, cell)| push(&mut readers[reader], cell, plan[reader].2, &mut text).err()))
        })?;
        let mut columns: Vec<(String, Column)> =
            plan.into_iter().zip(readers).map(|((_, name, _), reader)| (name, reader.finish())).collect();
        for (name, kind) in &absent {
            let mut reader = Reader::new(*kind);
            // nothing is wrong with a cell that is empty
            (0..count).for_each(|_| drop(push(&mut reader, "", *kind, &mut text)));
            columns.push((name.clone(), reader.finish()));
        }
        let mut own = Self::new(schema.clone(), Table::new(columns)?, path.display().to_string(), hash_file(path)?)?;
        own.absent = absent.into_iter().map(|(name, _)| name).collect();
        Ok(own)
    }

    /// Examples of a table in memory, whose names are normalised as those of a file are.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for a field that is missing or of another kind; [`Error::Setting`](crate::Error::Setting) for a weight that is missing or below 0.
    pub fn of_table(schema: Schema, table: Table, source: &str) -> Result<Self> {
        let mut hasher = blake3::Hasher::new();
        for (name, column) in table.iter() {
            hasher.update(name.as_bytes());
            hasher.update(format!("{column:?}").as_bytes());
        }
        let hash = hasher.finalize().to_hex().to_string();
        let kinds = wanted(&schema, &[], Purpose::Learning);
        let spelt = |(name, column): (&str, &Column)| {
            let kind = kinds.iter().find(|(known, ..)| known == name).map(|(_, kind, _)| *kind);
            (name.to_string(), kind.and_then(|kind| respelt(column, kind)).unwrap_or_else(|| column.clone()))
        };
        let table = Table::new(table.iter().map(spelt).collect())?;
        Self::new(schema, table, source.to_string(), hash)
    }

    /// The same rows with more fields.
    pub(crate) fn with_fields(&self, more: Vec<(Field, Column)>) -> Result<Self> {
        let mut schema = self.schema.clone();
        let mut columns: Vec<(String, Column)> =
            self.table.iter().map(|(name, column)| (name.to_string(), column.clone())).collect();
        for (field, column) in more {
            columns.push((field.name.clone(), column));
            schema.fields.push(field);
        }
        let Self { groups, group_names, weights, times, absent, source, hash, .. } = self;
        Ok(Self {
            schema,
            table: Table::new(columns)?,
            groups: groups.clone(),
            group_names: group_names.clone(),
            weights: weights.clone(),
            times: times.clone(),
            absent: absent.clone(),
            source: source.clone(),
            hash: hash.clone(),
        })
    }

    /// Some rows as questions, whose names that are to be hidden (by the field, the row and the code of the name) are replaced by one that no training sees.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when a row is none.
    pub(crate) fn hiding(&self, rows: &[usize], hide: impl Fn(&str, usize, u32) -> bool) -> Result<Self> {
        let table = self.table.select(rows)?;
        let column = |field: &Field| -> Result<(String, Column)> {
            let column = match (table.column(&field.name)?, self.table.column(&field.name)?) {
                (Column::Category { .. }, Column::Category { codes, names }) => {
                    let hidden = names.len() as u32;
                    let code = |row: &usize| match codes[*row] {
                        code if code != MISSING && hide(&field.name, *row, code) => hidden,
                        code => code,
                    };
                    let names = names.iter().cloned().chain([HIDDEN.to_owned()]).collect();
                    Column::Category { codes: rows.iter().map(code).collect(), names }
                }
                (known, _) => known.clone(),
            };
            Ok((field.name.clone(), column))
        };
        let columns = self.schema.fields.iter().map(column).collect::<Result<_>>()?;
        Self::new(self.schema.clone(), Table::new(columns)?, self.source.clone(), self.hash.clone())
    }

    fn new(schema: Schema, table: Table, source: String, hash: String) -> Result<Self> {
        for field in &schema.fields {
            match field.kind {
                FieldKind::Category => drop(table.category(&field.name)?),
                FieldKind::Many => drop(table.many(&field.name)?),
                FieldKind::Number => drop(table.number(&field.name)?),
            }
        }
        let (mut groups, mut group_names) = (None, Vec::new());
        if let Some(name) = schema.group.as_deref().filter(|name| table.column(name).is_ok()) {
            let (codes, names) = table.category(name)?;
            // rows without a group stand alone
            let mut alone = names.len() as u32;
            let mut own = |code: u32| {
                if code != MISSING {
                    return code;
                }
                alone += 1;
                alone - 1
            };
            groups = Some(codes.iter().map(|code| own(*code)).collect());
            group_names = names.to_vec();
        }
        let weights = match schema.weight.as_deref().filter(|name| table.column(name).is_ok()) {
            None => None,
            Some(name) => {
                let (values, present) = table.number(name)?;
                let wrong = |(value, present): (&f64, &bool)| !*present || !value.is_finite() || *value < 0.0;
                if let Some(row) = values.iter().zip(present).position(wrong) {
                    let value = if present[row] { values[row].to_string() } else { "nothing".into() };
                    let got = format!("{value} in row {} of column {name:?}", row + 1);
                    return Err(Problem::value("weight", got, "a finite number of at least 0 in every row").into());
                }
                Some(values.to_vec())
            }
        };
        let times = match schema.time.as_deref().and_then(|name| table.column(name).ok()) {
            Some(Column::Number { values, present }) => {
                let known = |(value, present): (&f64, &bool)| if *present { *value } else { f64::NAN };
                Some(values.iter().zip(present).map(known).collect())
            }
            // an identifier that counts up is a time too
            Some(Column::Category { codes, names }) => {
                let of_name: Vec<f64> = names.iter().map(|name| name.parse().unwrap_or(f64::NAN)).collect();
                Some(codes.iter().map(|code| of_name.get(*code as usize).copied().unwrap_or(f64::NAN)).collect())
            }
            _ => None,
        };
        Ok(Self { schema, table, groups, group_names, weights, times, absent: Vec::new(), source, hash })
    }

    /// What the columns mean.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The columns, with normalised names.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.table.row_count()
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The group of each row; `None` when the schema or the table has none.
    pub fn groups(&self) -> Option<&[u32]> {
        self.groups.as_deref()
    }

    /// The group of each row, every row on its own when there are no groups.
    pub fn groups_or_rows(&self) -> Vec<u32> {
        self.groups.clone().unwrap_or_else(|| (0..self.len() as u32).collect())
    }

    /// The name of a group as the table writes it.
    pub fn group_name(&self, group: u32) -> Option<&str> {
        self.group_names.get(group as usize).map(String::as_str)
    }

    /// The weight of a row.
    pub fn weight(&self, row: usize) -> f64 {
        self.weights.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// Refuses `rows` that all weigh nothing; `part` is what they are.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) when no row of them has a weight above 0.
    pub(crate) fn check_weights(&self, part: &str, rows: &[usize]) -> Result<()> {
        if rows.is_empty() || rows.iter().any(|row| self.weight(*row) > 0.0) {
            return Ok(());
        }
        let got = format!("0 in all {} rows of {part}", rows.len());
        Err(Problem::value("weight", got, "a number above 0 in at least one of them").into())
    }

    /// Fields that the table does not have, so that they are missing in every row.
    pub fn absent(&self) -> &[String] {
        &self.absent
    }

    /// The time of each row, NaN where it is not known; `None` when the schema or the table has none.
    pub fn times(&self) -> Option<&[f64]> {
        self.times.as_deref()
    }

    /// Where the rows come from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// BLAKE3 of the file, or of the columns of a table in memory.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The name that a category has in a row; `None` where it is missing.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when there is no such column of categories.
    pub fn name(&self, column: &str, row: usize) -> Result<Option<&str>> {
        let (codes, names) = self.table.category(column)?;
        Ok(names.get(codes[row] as usize).map(String::as_str))
    }
}

fn wanted(schema: &Schema, also: &[&str], purpose: Purpose) -> Vec<(String, Kind, bool)> {
    let learning = purpose == Purpose::Learning;
    let mut wanted: Vec<(String, Kind, bool)> = Vec::new();
    for field in &schema.fields {
        wanted.push((field.name.clone(), Kind::of(field), learning));
    }
    for target in &schema.targets {
        let kind = match target.kind {
            TargetKind::Class => Kind::Category,
            TargetKind::Labels => Kind::Many(target.separator),
        };
        wanted.push((target.name.clone(), kind, learning));
    }
    wanted.extend(schema.group.iter().map(|name| (name.clone(), Kind::Verbatim, learning)));
    wanted.extend(schema.weight.iter().filter(|_| learning).map(|name| (name.clone(), Kind::Number, learning)));
    wanted.extend(schema.time.iter().map(|name| (name.clone(), Kind::Verbatim, false)));
    wanted.extend(also.iter().map(|name| (name.to_string(), Kind::Verbatim, true)));
    wanted
}

/// Adds a cell; the error says what is wrong with it.
fn push(reader: &mut Reader, cell: &str, kind: Kind, text: &mut String) -> std::result::Result<(), String> {
    let too_many = || "the column has more than 4 billion different names".to_string();
    match reader {
        Reader::Category { codes, names } => {
            if is_missing(cell) {
                codes.push(MISSING);
            } else if kind == Kind::Verbatim {
                codes.push(names.insert(cell).ok_or_else(too_many)?);
            } else {
                text.clear();
                normalise(cell, text);
                // a cell of nothing but separators' white space, such as "_", is as good as empty
                codes.push(if text.is_empty() { MISSING } else { names.insert(text).ok_or_else(too_many)? });
            }
        }
        Reader::Many { offsets, codes, names, separator } => {
            if !is_missing(cell) {
                let first = codes.len();
                for part in cell.split(*separator) {
                    text.clear();
                    if !is_missing(part) {
                        normalise(part, text);
                    }
                    if text.is_empty() {
                        continue;
                    }
                    let code = names.insert(text).ok_or_else(too_many)?;
                    if !codes[first..].contains(&code) {
                        codes.push(code);
                    }
                }
            }
            offsets.push(codes.len());
        }
        Reader::Number { values, present } => {
            let value: Option<f64> = if is_missing(cell) { None } else { Some(number(cell)?) };
            values.push(value.unwrap_or(0.0));
            present.push(value.is_some());
        }
    }
    Ok(())
}

/// A column of names as a file with them would be read; `None` for one that is as it would be.
fn respelt(column: &Column, kind: Kind) -> Option<Column> {
    let (Column::Category { names, .. } | Column::Many { names, .. }) = column else { return None };
    let (mut text, mut known) = (String::new(), HashSet::new());
    let mut as_read = |name: &String| {
        text.clear();
        normalise(name, &mut text);
        text == *name && !is_missing(name) && known.insert(name.clone())
    };
    if names.iter().all(&mut as_read) {
        return None;
    }
    let name = |code: &u32| names.get(*code as usize).map_or("", String::as_str);
    let mut reader = Reader::new(kind);
    // there are no more names than codes, so that no cell is refused
    let mut read = |cell: &str| drop(push(&mut reader, cell, kind, &mut text));
    match (column, kind) {
        (Column::Many { offsets, codes, .. }, Kind::Many(separator)) => offsets.windows(2).for_each(|cell| {
            let cell: Vec<&str> = codes[cell[0]..cell[1]].iter().map(name).collect();
            read(&cell.join(&separator.to_string()));
        }),
        (Column::Category { codes, .. }, Kind::Category) => codes.iter().for_each(|code| read(name(code))),
        _ => return None,
    }
    Some(reader.finish())
}

/// The one cell of a field as a file with it would be read.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn cell(field: &Field, text: &str) -> std::result::Result<Column, String> {
    let kind = Kind::of(field);
    let mut reader = Reader::new(kind);
    push(&mut reader, text.trim(), kind, &mut String::new())?;
    Ok(reader.finish())
}

/// A finite number.
pub(crate) fn number(cell: &str) -> std::result::Result<f64, String> {
    let value: Option<f64> = cell.parse().ok().filter(|value: &f64| value.is_finite());
    value.ok_or_else(|| format!("{cell:?} is not a finite number"))
}

fn hash_file(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path).map_err(cupel_data::Error::io("open", path))?;
    let mut buffer = vec![0; 1 << 18];
    loop {
        let read = file.read(&mut buffer).map_err(cupel_data::Error::io("read", path))?;
        if read == 0 {
            return Ok(hasher.finalize().to_hex().to_string());
        }
        hasher.update(&buffer[..read]);
    }
}

/// The columns of a table, for choosing a schema before it is read.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) when it cannot be read.
pub fn column_names(path: &Path) -> Result<Vec<String>> {
    Ok(TableRows::open(path)?.names().to_vec())
}
