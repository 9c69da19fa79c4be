//! [`ParquetRows`]: a Parquet table row by row, as the cells that the same table has as text.
//!
//! Row groups are decoded a few thousand rows at a time, and only the columns that are asked for, so that memory does not grow with
//! the table. Text is taken as it is, integers, floats and truth values as they are written, a null is an empty cell.
//! The decoder is the crate parquet's and runs behind a guard that makes a panic an error of the file.

use crate::error::Result;
use cupel_data::{Error, Place};
use parquet::{
    basic::{Compression, ConvertedType, LogicalType, Type},
    column::reader::{ColumnReader, ColumnReaderImpl},
    data_type::DataType,
    file::{reader::FileReader, serialized_reader::SerializedFileReader},
    schema::types::ColumnDescriptor,
};
use std::{
    fmt::Write as _,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

/// Rows that are decoded at once.
const BATCH_ROWS: usize = 4096;
const DAMAGED: &str = "the file is truncated or damaged; copy it again";

/// Reads a Parquet table, one row after the other.
pub(crate) struct ParquetRows {
    path: PathBuf,
    reader: SerializedFileReader<File>,
    names: Vec<String>,
    /// The columns that are decoded.
    columns: Vec<Decoded>,
    /// Of each column of the file its place among these.
    of_cell: Vec<Option<usize>>,
    /// Row groups that were begun.
    groups: usize,
    /// Rows of the last of them that were not decoded yet.
    left: usize,
    batch: usize,
    /// The row of the batch that was given last, counted from 1.
    at: usize,
    /// Rows given.
    rows: u64,
}

/// A column with the cells of some rows.
struct Decoded {
    position: usize,
    /// The level at which a value is there; 0 where it always is.
    there: i16,
    unsigned: bool,
    reader: Option<ColumnReader>,
    text: String,
    ends: Vec<usize>,
}

/// One row of [`ParquetRows`].
#[derive(Clone, Copy)]
pub(crate) struct ParquetRow<'a> {
    rows: &'a ParquetRows,
}

impl<'a> ParquetRow<'a> {
    /// The cells; those of columns that were not asked for are empty.
    pub(crate) fn cells(self) -> impl Iterator<Item = &'a str> {
        let rows = self.rows;
        let cell = |column: &Option<usize>| column.map_or("", |column| rows.columns[column].cell(rows.at - 1));
        rows.of_cell.iter().map(cell)
    }
}

impl ParquetRows {
    /// Opens a table and reads its footer; every column that can be is asked for.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let opened = guarded(|| SerializedFileReader::new(file).map_err(|error| error.to_string()));
        let reader = opened.map_err(|problem| fault(path, Place::File, &problem, DAMAGED))?;
        let schema = reader.metadata().file_metadata().schema_descr();
        let names: Vec<String> = schema.columns().iter().map(|column| column.path().string()).collect();
        if let Some(name) = (1..names.len()).find(|i| names[..*i].contains(&names[*i])).map(|i| &names[i]) {
            let problem = format!("two columns are named {name:?}");
            return Err(fault(path, Place::File, &problem, "give every column a name of its own").into());
        }
        let of_cell = vec![None; names.len()];
        let (columns, path) = (Vec::new(), path.to_path_buf());
        Ok(Self { path, reader, names, columns, of_cell, groups: 0, left: 0, batch: 0, at: 0, rows: 0 })
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Says which columns are asked for.
    pub(crate) fn choose(&mut self, wanted: impl Fn(usize) -> bool) -> Result<()> {
        let metadata = self.reader.metadata();
        let descriptors = metadata.file_metadata().schema_descr();
        self.columns.clear();
        self.of_cell.fill(None);
        for position in (0..self.names.len()).filter(|position| wanted(*position)) {
            let place = || Place::Variable(self.names[position].clone());
            let descriptor = descriptors.column(position);
            if let Some(kind) = unread(&descriptor) {
                let fix = "write the column as text, integers, floats or truth values";
                return Err(fault(&self.path, place(), &format!("it holds {kind}"), fix).into());
            }
            for group in metadata.row_groups() {
                let packed = group.columns().get(position).map(|chunk| chunk.compression());
                if !matches!(packed, Some(Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_))) {
                    let problem = match packed {
                        Some(packed) => format!("it is packed by {packed}"),
                        None => "a row group lacks it".into(),
                    };
                    let fix = "write the table with snappy or gzip, or unpacked";
                    return Err(fault(&self.path, place(), &problem, fix).into());
                }
            }
            self.of_cell[position] = Some(self.columns.len());
            self.columns.push(Decoded {
                position,
                there: descriptor.max_def_level(),
                unsigned: is_unsigned(&descriptor),
                reader: None,
                text: String::new(),
                ends: Vec::new(),
            });
        }
        Ok(())
    }

    /// The next row; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<ParquetRow<'_>>> {
        if self.at == self.batch && !self.decode()? {
            return Ok(None);
        }
        self.at += 1;
        self.rows += 1;
        Ok(Some(ParquetRow { rows: self }))
    }

    /// An error about a cell of the row that was given last.
    pub(crate) fn cell_error(&self, column: usize, problem: &str, fix: &str) -> Error {
        let place = Place::Variable(self.names.get(column).cloned().unwrap_or_default());
        fault(&self.path, place, &format!("row {}: {problem}", self.rows), fix)
    }

    /// Decodes the next rows; whether there are any.
    fn decode(&mut self) -> Result<bool> {
        while self.left == 0 {
            if self.groups == self.reader.num_row_groups() {
                return Ok(false);
            }
            let opened = guarded(|| self.open_group());
            opened.map_err(|problem| fault(&self.path, Place::File, &problem, DAMAGED))?;
        }
        let rows = self.left.min(BATCH_ROWS);
        for column in &mut self.columns {
            let decoded = guarded(|| column.decode(rows));
            decoded.map_err(|problem| {
                let place = Place::Variable(self.names[column.position].clone());
                fault(&self.path, place, &format!("row group {}: {problem}", self.groups), DAMAGED)
            })?;
        }
        self.left -= rows;
        (self.batch, self.at) = (rows, 0);
        Ok(true)
    }

    fn open_group(&mut self) -> std::result::Result<(), String> {
        let group = self.reader.get_row_group(self.groups).map_err(|error| error.to_string())?;
        let rows = group.metadata().num_rows();
        self.left = usize::try_from(rows).map_err(|_| format!("a row group of {rows} rows"))?;
        for column in &mut self.columns {
            column.reader = Some(group.get_column_reader(column.position).map_err(|error| error.to_string())?);
        }
        self.groups += 1;
        Ok(())
    }
}

impl Decoded {
    fn cell(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.text[start..self.ends[row]]
    }

    /// Decodes the next `rows` cells; says what is wrong with them.
    fn decode(&mut self, rows: usize) -> std::result::Result<(), String> {
        let Self { there, unsigned, reader, text, ends, .. } = self;
        let (there, unsigned) = (*there, *unsigned);
        text.clear();
        ends.clear();
        // writing to a string cannot fail
        match reader {
            Some(ColumnReader::BoolColumnReader(reader)) => take(reader, rows, there, text, ends, |value, text| {
                let _ = write!(text, "{value}");
                Ok(())
            }),
            Some(ColumnReader::Int32ColumnReader(reader)) => take(reader, rows, there, text, ends, |value, text| {
                let _ = if unsigned { write!(text, "{}", *value as u32) } else { write!(text, "{value}") };
                Ok(())
            }),
            Some(ColumnReader::Int64ColumnReader(reader)) => take(reader, rows, there, text, ends, |value, text| {
                let _ = if unsigned { write!(text, "{}", *value as u64) } else { write!(text, "{value}") };
                Ok(())
            }),
            Some(ColumnReader::FloatColumnReader(reader)) => take(reader, rows, there, text, ends, |value, text| {
                let _ = write!(text, "{value}");
                Ok(())
            }),
            Some(ColumnReader::DoubleColumnReader(reader)) => take(reader, rows, there, text, ends, |value, text| {
                let _ = write!(text, "{value}");
                Ok(())
            }),
            Some(ColumnReader::ByteArrayColumnReader(reader)) => {
                take(reader, rows, there, text, ends, |value, text| {
                    let value = std::str::from_utf8(value.data()).map_err(|_| "text that is no UTF-8".to_string())?;
                    text.push_str(value.trim());
                    Ok(())
                })
            }
            _ => Err("its type is not that of the schema".into()),
        }
    }
}

/// The cells of the next `rows` rows of a column.
fn take<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    rows: usize,
    there: i16,
    text: &mut String,
    ends: &mut Vec<usize>,
    mut write: impl FnMut(&T::T, &mut String) -> std::result::Result<(), String>,
) -> std::result::Result<(), String> {
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    while ends.len() < rows {
        levels.clear();
        values.clear();
        let (read, _, _) = reader
            .read_records(rows - ends.len(), Some(&mut levels), None, &mut values)
            .map_err(|error| error.to_string())?;
        if read == 0 {
            return Err(format!("the column ends {} rows before its group does", rows - ends.len()));
        }
        let mut values = values.iter();
        for row in 0..read {
            // without levels every value is there
            if levels.get(row).is_none_or(|level| *level == there) {
                write(values.next().ok_or("there are fewer values than the levels say")?, text)?;
            }
            ends.push(text.len());
        }
    }
    Ok(())
}

/// What a column holds, where that is nothing that has a cell.
fn unread(column: &ColumnDescriptor) -> Option<&'static str> {
    if column.max_rep_level() > 0 {
        return Some("lists or tables of their own");
    }
    let (logical, converted) = (column.logical_type_ref(), column.converted_type());
    let numbers = matches!(logical, None | Some(LogicalType::Integer(_) | LogicalType::Unknown))
        && !matches!(
            converted,
            ConvertedType::DECIMAL
                | ConvertedType::DATE
                | ConvertedType::TIME_MILLIS
                | ConvertedType::TIME_MICROS
                | ConvertedType::TIMESTAMP_MILLIS
                | ConvertedType::TIMESTAMP_MICROS
        );
    let text =
        matches!(
            logical,
            None | Some(LogicalType::String | LogicalType::Enum | LogicalType::Json | LogicalType::Unknown)
        ) && matches!(converted, ConvertedType::NONE | ConvertedType::UTF8 | ConvertedType::ENUM | ConvertedType::JSON);
    match column.physical_type() {
        Type::BOOLEAN | Type::FLOAT | Type::DOUBLE => None,
        Type::INT32 | Type::INT64 if numbers => None,
        Type::BYTE_ARRAY if text => None,
        Type::INT32 | Type::INT64 | Type::INT96 => Some("dates, times or decimals"),
        Type::BYTE_ARRAY | Type::FIXED_LEN_BYTE_ARRAY => Some("bytes that are no text"),
    }
}

fn is_unsigned(column: &ColumnDescriptor) -> bool {
    let logical = matches!(column.logical_type_ref(), Some(LogicalType::Integer(kind)) if !kind.is_signed);
    let converted = matches!(
        column.converted_type(),
        ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32 | ConvertedType::UINT_64
    );
    logical || converted
}

fn fault(path: &Path, place: Place, problem: &str, fix: &str) -> Error {
    Error::Format { path: path.to_path_buf(), format: "Parquet", place, problem: problem.into(), fix: fix.into() }
}

/// Runs the decoder and makes a panic in it a problem of the file.
fn guarded<T>(decode: impl FnOnce() -> std::result::Result<T, String>) -> std::result::Result<T, String> {
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err("its sizes and offsets make no sense to the decoder".into()))
}
