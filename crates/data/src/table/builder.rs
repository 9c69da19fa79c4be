//! [`TableBuilder`]: from text cells to typed columns.

use super::{Column, MISSING, Span, Table, check_names, is_missing, missing_column};
use crate::error::{Error, Result};
use std::collections::{BTreeSet, HashMap};

/// The largest integer up to which every integer is an f64: 2^53.
const EXACT_INTEGER: u64 = 1 << 53;

/// What to make of the cells of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ColumnKind {
    /// One name per cell.
    Category,
    /// One number per cell.
    Number,
    /// Names with this character between them; an empty or missing cell is an empty list.
    Many(char),
}

/// Collects rows of text and turns them into a [`Table`].
///
/// White space around cells is dropped. Cells that say so are missing ([`is_missing`]). A column whose kind was not
/// given holds numbers when every other cell is one, else categories. Cells that look like identifiers are not taken
/// for numbers: integers with leading zeros (`007`) and those beyond 2^53, which an f64 would change.
///
/// # Example
/// ```
/// use cupel_data::{ColumnKind, Span, TableBuilder};
/// use std::path::Path;
/// # fn main() -> cupel_data::Result<()> {
/// let mut builder = TableBuilder::new(["drug", "dose_mg", "genes"])?;
/// builder.kind("genes", ColumnKind::Many(';'))?;
/// for (line, cells) in [(2, ["warfarin", "2.5", "CYP2C9;VKORC1"]), (3, ["aspirin", "NA", ""])] {
///     builder.push(Span { file: Path::new("doses.csv").into(), line }, &cells)?;
/// }
/// let table = builder.finish()?;
/// assert_eq!(table.category("drug")?.0, [1, 0]);
/// assert_eq!(table.number("dose_mg")?, (&[2.5, 0.0][..], &[true, false][..]));
/// assert_eq!(table.many("genes")?.0, [0, 2, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TableBuilder {
    names: Vec<String>,
    kinds: Vec<Option<ColumnKind>>,
    cells: Vec<Cells>,
    spans: Vec<Span>,
}

impl TableBuilder {
    /// A table with these columns and no rows yet.
    ///
    /// # Errors
    /// [`Error::DuplicateColumn`] when a name occurs twice.
    pub fn new<S: Into<String>>(names: impl IntoIterator<Item = S>) -> Result<Self> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        check_names(&names)?;
        Ok(Self {
            kinds: vec![None; names.len()],
            cells: vec![Cells::default(); names.len()],
            names,
            spans: Vec::new(),
        })
    }

    /// Decides the kind of a column instead of finding it from its cells.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] with the name that was probably meant.
    pub fn kind(&mut self, name: &str, kind: ColumnKind) -> Result<&mut Self> {
        let Some(position) = self.names.iter().position(|known| known == name) else {
            return Err(missing_column(name, &self.names));
        };
        self.kinds[position] = Some(kind);
        Ok(self)
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`Error::Row`] unless there is one cell per column.
    pub fn push<S: AsRef<str>>(&mut self, span: Span, cells: &[S]) -> Result<()> {
        if cells.len() != self.names.len() {
            return Err(Error::Row { span, expected: self.names.len(), got: cells.len() });
        }
        for (column, cell) in self.cells.iter_mut().zip(cells) {
            column.push(cell.as_ref().trim());
        }
        self.spans.push(span);
        Ok(())
    }

    /// The table of the rows so far.
    ///
    /// # Errors
    /// [`Error::Cell`] for a cell that is no finite number in a column of numbers, [`Error::TooLarge`] for more than
    /// 2^32 - 1 different names in one column.
    pub fn finish(self) -> Result<Table> {
        let Self { names, kinds, cells, spans } = self;
        let mut columns = Vec::with_capacity(names.len());
        for ((name, kind), cells) in names.iter().zip(kinds).zip(cells) {
            columns.push(match kind.unwrap_or_else(|| cells.inferred()) {
                ColumnKind::Category => cells.categories()?,
                ColumnKind::Number => cells.numbers(name, &spans)?,
                ColumnKind::Many(separator) => cells.lists(separator)?,
            });
        }
        Ok(Table { names, columns, rows: spans.len(), spans })
    }
}

/// The trimmed cells of one column, end to end: a `String` each would take several times the memory.
#[derive(Clone, Debug, Default)]
struct Cells {
    text: String,
    ends: Vec<usize>,
}

impl Cells {
    fn push(&mut self, cell: &str) {
        self.text.push_str(cell);
        self.ends.push(self.text.len());
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }

    fn inferred(&self) -> ColumnKind {
        let numbers = self
            .iter()
            .filter(|cell| !is_missing(cell))
            .all(|cell| cell.parse::<f64>().is_ok() && !is_identifier(cell));
        if numbers { ColumnKind::Number } else { ColumnKind::Category }
    }

    fn numbers(&self, name: &str, spans: &[Span]) -> Result<Column> {
        let (mut values, mut present) = (Vec::with_capacity(self.ends.len()), Vec::with_capacity(self.ends.len()));
        for (cell, span) in self.iter().zip(spans) {
            let missing = is_missing(cell);
            let value = if missing { Some(0.0) } else { cell.parse::<f64>().ok().filter(|value| value.is_finite()) };
            let Some(value) = value else {
                let problem =
                    format!("{cell:?} is not a finite number; leave it empty or write NA where it is not known");
                return Err(Error::Cell { span: span.clone(), column: name.to_string(), problem });
            };
            values.push(value);
            present.push(!missing);
        }
        Ok(Column::Number { values, present })
    }

    fn categories(&self) -> Result<Column> {
        let known = Vocabulary::new(self.iter().filter(|cell| !is_missing(cell)))?;
        let codes = self.iter().map(|cell| known.codes.get(cell).copied().unwrap_or(MISSING)).collect();
        Ok(Column::Category { codes, names: known.names() })
    }

    fn lists(&self, separator: char) -> Result<Column> {
        let items = |cell| str::split(cell, separator).map(str::trim).filter(|item| !is_missing(item));
        let known = Vocabulary::new(self.iter().flat_map(items))?;
        let (mut offsets, mut codes) = (vec![0], Vec::new());
        for cell in self.iter() {
            codes.extend(items(cell).filter_map(|item| known.codes.get(item)));
            offsets.push(codes.len());
        }
        Ok(Column::Many { offsets, codes, names: known.names() })
    }
}

/// Different names in sorted order, so that codes do not depend on the order of the rows.
struct Vocabulary<'a> {
    names: BTreeSet<&'a str>,
    codes: HashMap<&'a str, u32>,
}

impl<'a> Vocabulary<'a> {
    fn new(items: impl Iterator<Item = &'a str>) -> Result<Self> {
        let names: BTreeSet<&str> = items.collect();
        if names.len() >= MISSING as usize {
            return Err(Error::TooLarge {
                doing: "numbering the names of a column",
                size: format!("{} names", names.len()),
                limit: format!("{} names", MISSING - 1),
            });
        }
        let codes = names.iter().zip(0..).map(|(&name, code)| (name, code)).collect();
        Ok(Self { names, codes })
    }

    fn names(&self) -> Vec<String> {
        self.names.iter().map(ToString::to_string).collect()
    }
}

/// Whether a cell of digits would not be the same after a way through f64.
fn is_identifier(cell: &str) -> bool {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    integer
        && ((digits.len() > 1 && digits.starts_with('0'))
            || digits.parse::<u64>().map_or(true, |value| value > EXACT_INTEGER))
}
