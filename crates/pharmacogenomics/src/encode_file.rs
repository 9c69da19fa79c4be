//! [`encode_file`]: a table as files of ids, in memory that depends on its names and not on its rows.
//!
//! One pass over the text numbers the names as they come and writes these numbers to files of their own, then what the training
//! rows know is sorted and the numbers are turned into ids, so that every cell is read, normalised and looked up once. Each field of
//! categories becomes `<field>.npy` (u32), each number `<field>.npy` (f32, NaN where missing), each list `<field>.npy` with
//! `<field>.offsets.npy` (u64).

use crate::{
    encoder::{Coding, Encoder, Learned, Moments, fall_back, id_of},
    error::Result,
    examples::number,
    id_files::{Column, Scratch, ScratchReader},
    names::Names,
    normalise::normalise,
    recent_cells::{NAMELESS, Recent},
    schema::{Field, FieldKind, Schema},
    table_rows::TableRows,
    vocabulary::{UNKNOWN_ID, Vocabulary},
};
use cupel_data::{MISSING, is_missing};
use std::{fs, path::Path};

/// Encodes the table at `path` into the folder `out`; vocabularies come from the rows whose cell in `split_column` is
/// `train`, or from all rows without one. Gives the encoder and the number of rows.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) when the table cannot be read or the files cannot be written.
pub fn encode_file(path: &Path, schema: &Schema, split_column: Option<&str>, out: &Path) -> Result<(Encoder, u64)> {
    schema.check()?;
    fs::create_dir_all(out).map_err(cupel_data::Error::io("create the folder", out))?;
    let mut columns: Vec<Draft> = schema.fields.iter().map(|field| Draft::create(out, field)).collect::<Result<_>>()?;
    let rows = each_cell(path, schema, split_column, |cell, trains| match cell {
        Some((field, cell)) => columns[field].push(cell, &schema.fields[field], trains),
        None => Ok(None),
    })?;
    let mut learned = Vec::new();
    // of each field the position in the vocabulary of each number, MISSING where training does not know the name
    let mut places: Vec<Vec<u32>> = Vec::new();
    let mut drafts = Vec::new();
    for (field, column) in schema.fields.iter().zip(columns) {
        let own = column.learned(field);
        places.push(match &own {
            Learned::Moments(_) => Vec::new(),
            Learned::Names(names) => column.names.iter().map(|name| names.position(name).unwrap_or(MISSING)).collect(),
        });
        learned.push(own);
        let reader = |file: Option<Scratch>| file.map(Scratch::reader).transpose();
        drafts.extend(reader(column.values)?.zip(Some(reader(column.lengths)?)));
    }
    let encoder = Encoder::assemble(schema.clone(), learned)?;
    write_ids(&encoder, &places, &mut drafts, rows, out)?;
    Ok((encoder, rows))
}

/// Learns an [`Encoder`] from a table in one pass, without keeping its rows.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) when the table cannot be read.
pub fn fit_file(path: &Path, schema: &Schema, split_column: Option<&str>) -> Result<Encoder> {
    schema.check()?;
    let mut columns: Vec<Draft> = schema.fields.iter().map(|_| Draft::default()).collect();
    each_cell(path, schema, split_column, |cell, trains| match cell {
        Some((field, cell)) if trains => columns[field].push(cell, &schema.fields[field], trains),
        _ => Ok(None),
    })?;
    let learned = schema.fields.iter().zip(&columns).map(|(field, column)| column.learned(field));
    Encoder::assemble(schema.clone(), learned.collect())
}

/// Calls `row` with the ids of every row of the table at `path`, in the order of the schema's fields of categories; gives
/// the number of rows.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) when the table cannot be read.
pub fn encode_rows(path: &Path, encoder: &Encoder, mut row: impl FnMut(&[u32])) -> Result<u64> {
    let mut positions: Vec<Option<u32>> = vec![None; encoder.codings().len()];
    let (mut text, mut ids) = (String::new(), Vec::new());
    each_cell(path, encoder.schema(), None, |cell, _| {
        let Some((field, cell)) = cell else {
            ids.clear();
            for (field, coding) in encoder.codings().iter().enumerate() {
                if let Coding::Category { back_off, .. } = coding {
                    let fallback = fall_back(back_off.iter().map(|(other, first)| (positions[*other], *first)));
                    ids.push(id_of(positions[field], fallback));
                }
            }
            row(&ids);
            return Ok(None);
        };
        match &encoder.codings()[field] {
            Coding::Category { vocabulary, .. } => {
                text.clear();
                if !is_missing(cell) {
                    normalise(cell, &mut text);
                }
                let known = || vocabulary.position(&text).unwrap_or(MISSING);
                positions[field] = if text.is_empty() { None } else { Some(known()) };
            }
            Coding::Number { .. } if !is_missing(cell) => return Ok(number(cell).err()),
            _ => {}
        }
        Ok(None)
    })
}

/// Calls `each` with the field and the text of every cell of a field, as [`TableRows::each_cell`] does, and whether the row trains.
fn each_cell(
    path: &Path,
    schema: &Schema,
    split_column: Option<&str>,
    each: impl FnMut(Option<(usize, &str)>, bool) -> Result<Option<String>>,
) -> Result<u64> {
    let rows = TableRows::open(path)?;
    let of_fields = schema.fields.iter().map(|field| rows.position(&field.name)).collect::<Result<Vec<usize>>>()?;
    let split = split_column.map(|name| rows.position(name)).transpose()?;
    rows.each_cell(&of_fields, split, each)
}

/// Rows that are turned into ids at once.
const BLOCK_ROWS: usize = 4096;

type Reading = (ScratchReader, Option<ScratchReader>);

fn write_ids(encoder: &Encoder, places: &[Vec<u32>], drafts: &mut [Reading], rows: u64, out: &Path) -> Result<()> {
    let fields = &encoder.schema().fields;
    let mut files = Vec::new();
    for field in fields {
        let file = Column::create(&out.join(format!("{}.npy", field.name)))?;
        let many = field.kind == FieldKind::Many;
        let offsets = many.then(|| Column::create(&out.join(format!("{}.offsets.npy", field.name)))).transpose()?;
        files.push((file, offsets));
    }
    let mut totals = vec![0_u64; files.len()];
    for (_, offsets) in &mut files {
        offsets.iter_mut().try_for_each(|offsets| offsets.write(&0_u64.to_le_bytes()))?;
    }
    let place = |field: usize, number: u32| places[field].get(number as usize).copied();
    let mut positions: Vec<Vec<Option<u32>>> = vec![Vec::new(); fields.len()];
    let mut done = 0;
    while done < rows {
        let block = (rows - done).min(BLOCK_ROWS as u64) as usize;
        for (field, (values, lengths)) in drafts.iter_mut().enumerate() {
            let (file, offsets) = &mut files[field];
            match &encoder.codings()[field] {
                Coding::Category { .. } => {
                    positions[field].clear();
                    for _ in 0..block {
                        positions[field].push(place(field, u32::from_le_bytes(values.take()?)));
                    }
                }
                Coding::Number { mean, deviation } => {
                    for _ in 0..block {
                        let value = (f64::from_le_bytes(values.take()?) - mean) / deviation;
                        file.write(&(value as f32).to_le_bytes())?;
                    }
                }
                Coding::Many { .. } => {
                    for _ in 0..block {
                        let length = match lengths {
                            Some(lengths) => u32::from_le_bytes(lengths.take()?),
                            None => 0,
                        };
                        for _ in 0..length {
                            let position = place(field, u32::from_le_bytes(values.take()?)).unwrap_or(MISSING);
                            file.write(&id_of(Some(position), UNKNOWN_ID).to_le_bytes())?;
                        }
                        totals[field] += u64::from(length);
                        offsets.iter_mut().try_for_each(|o| o.write(&totals[field].to_le_bytes()))?;
                    }
                }
            }
        }
        for (field, coding) in encoder.codings().iter().enumerate() {
            let Coding::Category { back_off, .. } = coding else { continue };
            for (row, &position) in positions[field][..block].iter().enumerate() {
                let fallback = fall_back(back_off.iter().map(|(other, first)| (positions[*other][row], *first)));
                files[field].0.write(&id_of(position, fallback).to_le_bytes())?;
            }
        }
        done += block as u64;
    }
    for (field, (file, offsets)) in files.into_iter().enumerate() {
        match fields[field].kind {
            FieldKind::Category => file.finish("<u4", rows)?,
            FieldKind::Number => file.finish("<f4", rows)?,
            FieldKind::Many => file.finish("<u4", totals[field])?,
        }
        if let Some(offsets) = offsets {
            offsets.finish("<u8", rows + 1)?;
        }
    }
    Ok(())
}

/// A column while its names are being numbered.
#[derive(Default)]
struct Draft {
    names: Names,
    counts: Vec<u64>,
    moments: Moments,
    recent: Recent,
    text: String,
    /// Where the numbers go, and of lists their lengths; nowhere where only the names are wanted.
    values: Option<Scratch>,
    lengths: Option<Scratch>,
}

const TOO_MANY: &str = "the column has more than 4 billion different names";

impl Draft {
    fn create(out: &Path, field: &Field) -> Result<Self> {
        let file = |what: &str| Scratch::create(out.join(format!("{}.{what}.part", field.name)));
        let many = field.kind == FieldKind::Many;
        let lengths = many.then(|| file("lengths")).transpose()?;
        Ok(Self { values: Some(file("draft")?), lengths, ..Self::default() })
    }

    /// Takes a cell; gives what is wrong with it.
    fn push(&mut self, cell: &str, field: &Field, trains: bool) -> Result<Option<String>> {
        let missing = is_missing(cell);
        match field.kind {
            FieldKind::Number => {
                let value = match if missing { Ok(f64::NAN) } else { number(cell) } {
                    Ok(value) => value,
                    Err(problem) => return Ok(Some(problem)),
                };
                if trains && !missing {
                    self.moments.push(value);
                }
                keep(&mut self.values, &value.to_le_bytes())?;
            }
            FieldKind::Category => {
                let number = if missing { Some(NAMELESS) } else { self.number(cell, trains) };
                let Some(number) = number else { return Ok(Some(TOO_MANY.into())) };
                keep(&mut self.values, &number.to_le_bytes())?;
            }
            FieldKind::Many => {
                let mut length = 0_u32;
                for part in cell.split(field.separator).filter(|_| !missing) {
                    let Some(number) = self.number(part, trains) else { return Ok(Some(TOO_MANY.into())) };
                    if number != NAMELESS {
                        keep(&mut self.values, &number.to_le_bytes())?;
                        length += 1;
                    }
                }
                keep(&mut self.lengths, &length.to_le_bytes())?;
            }
        }
        Ok(None)
    }

    /// The number of a name, [`NAMELESS`] where nothing is left of it; `None` when there are too many names.
    fn number(&mut self, cell: &str, trains: bool) -> Option<u32> {
        let slot = self.recent.slot(cell);
        let number = match self.recent.find(slot, cell) {
            Some(number) => number,
            None => {
                self.text.clear();
                if !is_missing(cell) {
                    normalise(cell, &mut self.text);
                }
                let number = if self.text.is_empty() { NAMELESS } else { self.names.insert(&self.text)? };
                self.recent.keep(slot, cell, number);
                number
            }
        };
        if number != NAMELESS {
            if number as usize >= self.counts.len() {
                self.counts.resize(number as usize + 1, 0);
            }
            self.counts[number as usize] += u64::from(trains);
        }
        Some(number)
    }

    /// What the training rows say of the field.
    fn learned(&self, field: &Field) -> Learned {
        match field.kind {
            FieldKind::Number => Learned::Moments(self.moments),
            _ => Learned::Names(Vocabulary::of_counts(&self.names, &self.counts, field.min_count)),
        }
    }
}

fn keep(file: &mut Option<Scratch>, bytes: &[u8]) -> Result<()> {
    file.as_mut().map_or(Ok(()), |file| file.write(bytes))
}
