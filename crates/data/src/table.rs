//! [`Table`]: rows with typed, named columns.

mod builder;
mod missing;

pub use builder::{ColumnKind, TableBuilder};
pub use missing::is_missing;

use crate::{
    error::{Error, Result},
    nearest::nearest_name,
};
use std::{collections::BTreeSet, fmt, path::Path, sync::Arc};

/// The code of a missing category.
pub const MISSING: u32 = u32::MAX;

/// The values of one column.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Column {
    /// One of several names per row.
    Category {
        /// The position in `names`, or [`MISSING`].
        codes: Vec<u32>,
        /// The names, sorted and different when a [`TableBuilder`] made them.
        names: Vec<String>,
    },
    /// One number per row.
    Number {
        /// The numbers, finite where present and 0 where not.
        values: Vec<f64>,
        /// Whether the number is known.
        present: Vec<bool>,
    },
    /// Any number of names per row.
    Many {
        /// The names of row `i` are `codes[offsets[i]..offsets[i + 1]]`; one more offset than rows.
        offsets: Vec<usize>,
        /// Positions in `names`.
        codes: Vec<u32>,
        /// The names, sorted and different when a [`TableBuilder`] made them.
        names: Vec<String>,
    },
}

impl Column {
    /// The number of rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Category { codes, .. } => codes.len(),
            Self::Number { values, .. } => values.len(),
            Self::Many { offsets, .. } => offsets.len().saturating_sub(1),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the column holds, in the words of messages.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Category { .. } => "categories",
            Self::Number { .. } => "numbers",
            Self::Many { .. } => "lists of categories",
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Category { codes, names } => {
                Self::Category { codes: rows.iter().map(|&row| codes[row]).collect(), names: names.clone() }
            }
            Self::Number { values, present } => Self::Number {
                values: rows.iter().map(|&row| values[row]).collect(),
                present: rows.iter().map(|&row| present[row]).collect(),
            },
            Self::Many { offsets, codes, names } => {
                let mut chosen = Vec::new();
                let mut chosen_offsets = vec![0];
                for &row in rows {
                    chosen.extend_from_slice(&codes[offsets[row]..offsets[row + 1]]);
                    chosen_offsets.push(chosen.len());
                }
                Self::Many { offsets: chosen_offsets, codes: chosen, names: names.clone() }
            }
        }
    }

    /// What is inconsistent in a column that was put together by hand.
    fn fault(&self) -> Option<&'static str> {
        let beyond = |codes: &[u32], names: &[String]| codes.iter().any(|&code| code as usize >= names.len());
        match self {
            Self::Category { codes, names } => {
                let known: Vec<u32> = codes.iter().copied().filter(|&code| code != MISSING).collect();
                beyond(&known, names).then_some("categories whose codes all have a name")
            }
            Self::Number { values, present } if values.len() != present.len() => {
                Some("numbers with one mark each whether they are present")
            }
            Self::Number { values, present } => {
                let finite = values.iter().zip(present).all(|(value, &present)| !present || value.is_finite());
                (!finite).then_some("numbers that are finite where present")
            }
            Self::Many { offsets, codes, names } => {
                let whole = offsets.first() == Some(&0) && offsets.last() == Some(&codes.len()) && offsets.is_sorted();
                (!whole || beyond(codes, names))
                    .then_some("lists whose offsets go from 0 up to the number of codes, all with a name")
            }
        }
    }
}

/// Where a row comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// The file.
    pub file: Arc<Path>,
    /// The line in it, counted from 1.
    pub line: u64,
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// Columns of equal length with different names.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    names: Vec<String>,
    columns: Vec<Column>,
    spans: Vec<Span>,
    rows: usize,
}

impl Table {
    /// A table of columns that are already typed.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`]; [`Error::Count`] when the columns differ in length; [`Error::ColumnType`] when a
    /// column contradicts itself.
    pub fn new(columns: Vec<(String, Column)>) -> Result<Self> {
        let rows = columns.first().map_or(0, |(_, column)| column.len());
        let (names, columns): (Vec<String>, Vec<Column>) = columns.into_iter().unzip();
        check_names(&names)?;
        for (name, column) in names.iter().zip(&columns) {
            if let Some(expected) = column.fault() {
                let got = "values that contradict each other";
                return Err(Error::ColumnType { name: name.clone(), expected, got });
            }
            if column.len() != rows {
                let doing = "putting columns together to a table";
                return Err(Error::Count { doing, what: "rows in every column", expected: rows, got: column.len() });
            }
        }
        Ok(Self { names, columns, spans: Vec::new(), rows })
    }

    /// The number of rows.
    pub fn row_count(&self) -> usize {
        self.rows
    }

    /// The names of the columns, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The columns with their names, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.names.iter().map(String::as_str).zip(&self.columns)
    }

    /// The column of this name.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] with the name that was probably meant.
    pub fn column(&self, name: &str) -> Result<&Column> {
        match self.names.iter().position(|known| known == name) {
            Some(position) => Ok(&self.columns[position]),
            None => Err(missing_column(name, &self.names)),
        }
    }

    /// The codes and names of a column of categories.
    ///
    /// # Errors
    /// [`Error::MissingColumn`], or [`Error::ColumnType`] when the column holds something else.
    pub fn category(&self, name: &str) -> Result<(&[u32], &[String])> {
        match self.column(name)? {
            Column::Category { codes, names } => Ok((codes, names)),
            other => Err(other_kind(name, "categories", other)),
        }
    }

    /// The values of a column of numbers, and which of them are present.
    ///
    /// # Errors
    /// [`Error::MissingColumn`], or [`Error::ColumnType`] when the column holds something else.
    pub fn number(&self, name: &str) -> Result<(&[f64], &[bool])> {
        match self.column(name)? {
            Column::Number { values, present } => Ok((values, present)),
            other => Err(other_kind(name, "numbers", other)),
        }
    }

    /// The offsets, codes and names of a column of lists.
    ///
    /// # Errors
    /// [`Error::MissingColumn`], or [`Error::ColumnType`] when the column holds something else.
    pub fn many(&self, name: &str) -> Result<(&[usize], &[u32], &[String])> {
        match self.column(name)? {
            Column::Many { offsets, codes, names } => Ok((offsets, codes, names)),
            other => Err(other_kind(name, "lists of categories", other)),
        }
    }

    /// Where a row was read; `None` for a table that was not read from a file.
    pub fn span(&self, row: usize) -> Option<&Span> {
        self.spans.get(row)
    }

    /// The table of the given rows, in that order; a row may be taken twice. Codes keep their meaning: the names of a
    /// category stay, even those that no row has any more.
    ///
    /// # Errors
    /// [`Error::Index`] for a row that does not exist.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        if let Some(&index) = rows.iter().find(|&&row| row >= self.rows) {
            return Err(Error::Index { doing: "selecting rows of a table", index, len: self.rows });
        }
        let spans =
            if self.spans.is_empty() { Vec::new() } else { rows.iter().map(|&row| self.spans[row].clone()).collect() };
        let columns = self.columns.iter().map(|column| column.select(rows)).collect();
        Ok(Self { names: self.names.clone(), columns, spans, rows: rows.len() })
    }
}

fn check_names(names: &[String]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(name) => Err(Error::DuplicateColumn { name: name.clone() }),
        None => Ok(()),
    }
}

fn other_kind(name: &str, expected: &'static str, got: &Column) -> Error {
    Error::ColumnType { name: name.to_string(), expected, got: got.kind_name() }
}

fn missing_column(wanted: &str, names: &[String]) -> Error {
    Error::MissingColumn {
        wanted: wanted.to_string(),
        suggestion: nearest_name(wanted, names.iter().map(String::as_str)).map(str::to_string),
        have: names.to_vec(),
    }
}
