//! [`TableRows`]: the rows of a table, whether it is text or Parquet; which of the two its first bytes say.

use crate::error::Result;
#[cfg(feature = "parquet")]
use crate::parquet_rows::{ParquetRow, ParquetRows};
use cupel_data::{TextRow, TextRows, nearest_name};
use std::{fs::File, io::Read, path::Path};

/// What a Parquet file begins and ends with.
const PARQUET: &[u8] = b"PAR1";

/// A table that is read row by row.
pub(crate) enum TableRows {
    Text(Box<TextRows>),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetRows>),
}

/// One of its rows.
#[derive(Clone, Copy)]
pub(crate) enum TableRow<'a> {
    Text(TextRow<'a>),
    #[cfg(feature = "parquet")]
    Parquet(ParquetRow<'a>),
}

impl TableRows {
    /// Opens a table and reads the names of its columns.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        if !is_parquet(path) {
            return Ok(Self::Text(Box::new(TextRows::open(path)?)));
        }
        #[cfg(feature = "parquet")]
        return Ok(Self::Parquet(Box::new(ParquetRows::open(path)?)));
        #[cfg(not(feature = "parquet"))]
        Err(cupel_data::Error::Unsupported {
            path: path.into(),
            format: "a Parquet table",
            fix: "build cupel with the feature parquet (--features parquet), or write the table as TSV",
        }
        .into())
    }

    /// The names of the columns.
    pub(crate) fn names(&self) -> &[String] {
        match self {
            Self::Text(rows) => rows.names(),
            #[cfg(feature = "parquet")]
            Self::Parquet(rows) => rows.names(),
        }
    }

    /// The position of a column.
    pub(crate) fn position(&self, name: &str) -> Result<usize> {
        let names = self.names();
        let missing = || cupel_data::Error::MissingColumn {
            wanted: name.to_string(),
            suggestion: nearest_name(name, names.iter().map(String::as_str)).map(str::to_string),
            have: names.to_vec(),
        };
        Ok(names.iter().position(|known| known == name).ok_or_else(missing)?)
    }

    /// Says which columns are asked for, before the first row: the cells of others may be empty. A table of text gives them all the same.
    pub(crate) fn choose(&mut self, wanted: impl Fn(usize) -> bool) -> Result<()> {
        match self {
            Self::Text(_) => {
                let _ = wanted;
                Ok(())
            }
            #[cfg(feature = "parquet")]
            Self::Parquet(rows) => rows.choose(wanted),
        }
    }

    /// The next row; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<TableRow<'_>>> {
        match self {
            Self::Text(rows) => Ok(rows.next()?.map(TableRow::Text)),
            #[cfg(feature = "parquet")]
            Self::Parquet(rows) => Ok(rows.next()?.map(TableRow::Parquet)),
        }
    }

    /// Calls `each` with every cell of the columns at `positions`, as its index there and its text, then with nothing at the end of the row, and whether the
    /// cell at `split` says train; what it says is wrong with a cell becomes an error of the table. Gives the number of rows.
    pub(crate) fn each_cell(
        mut self,
        positions: &[usize],
        split: Option<usize>,
        mut each: impl FnMut(Option<(usize, &str)>, bool) -> Result<Option<String>>,
    ) -> Result<u64> {
        // where in the row the columns stand, so that cells are walked once
        let mut of_cell = vec![None; self.names().len()];
        positions.iter().enumerate().for_each(|(column, position)| of_cell[*position] = Some(column));
        self.choose(|position| of_cell[position].is_some() || split == Some(position))?;
        let mut count = 0;
        loop {
            let mut fault = None;
            {
                let Some(row) = self.next()? else { return Ok(count) };
                let trains = split.is_none_or(|split| row.cells().nth(split) == Some("train"));
                for (position, cell) in row.cells().enumerate() {
                    let Some(column) = of_cell[position] else { continue };
                    if let Some(problem) = each(Some((column, cell)), trains)? {
                        fault = Some((position, problem));
                        break;
                    }
                }
                if fault.is_none() {
                    each(None, trains)?;
                }
            }
            if let Some((position, problem)) = fault {
                let fix = "write NA where it is not known, or make the field a category";
                return Err(self.cell_error(position, problem, fix).into());
            }
            count += 1;
        }
    }

    /// An error about a cell of the row that was read last.
    pub(crate) fn cell_error(&self, column: usize, problem: String, fix: &str) -> cupel_data::Error {
        match self {
            Self::Text(rows) => rows.cell_error(column, problem, fix),
            #[cfg(feature = "parquet")]
            Self::Parquet(rows) => rows.cell_error(column, &problem, fix),
        }
    }
}

impl<'a> TableRow<'a> {
    /// The cells, as many as the table has columns.
    pub(crate) fn cells(self) -> impl Iterator<Item = &'a str> {
        #[cfg(not(feature = "parquet"))]
        return match self {
            Self::Text(row) => row.cells(),
        };
        #[cfg(feature = "parquet")]
        match self {
            Self::Text(row) => Cells::Text(row.cells()),
            Self::Parquet(row) => Cells::Parquet(row.cells()),
        }
    }
}

/// The cells of either kind of row.
#[cfg(feature = "parquet")]
enum Cells<T, P> {
    Text(T),
    Parquet(P),
}

#[cfg(feature = "parquet")]
impl<'a, T: Iterator<Item = &'a str>, P: Iterator<Item = &'a str>> Iterator for Cells<T, P> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        match self {
            Self::Text(cells) => cells.next(),
            Self::Parquet(cells) => cells.next(),
        }
    }
}

/// Whether a file begins as Parquet does; one that cannot be read is left to the reader of text to report.
fn is_parquet(path: &Path) -> bool {
    let mut head = [0; PARQUET.len()];
    let regular = std::fs::metadata(path).is_ok_and(|metadata| metadata.is_file());
    regular && File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == PARQUET
}
