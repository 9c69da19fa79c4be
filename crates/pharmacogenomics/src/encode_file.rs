//! [`encode_file`]: a table as files of ids, in memory that depends on its names and not on its rows.
//!
//! One pass over the text numbers the names as they come and writes these numbers to files of their own, then what the training
//! rows know is sorted and the numbers are turned into ids, so that every cell is read, normalised and looked up once. Each field of
//! categories becomes `<field>.npy` (u32), each number `<field>.npy` (f32, NaN where missing), each list `<field>.npy` with
//! `<field>.offsets.npy` (u64).

use crate::{
    encoder::{Coding, Encoder, Learned, Moments, fall_back, id_of},
    error::Result,
    examples::{is_missing, number},
    id_files::{Column, Scratch, ScratchReader},
    names::Names,
    normalise::normalise,
    recent_cells::{NAMELESS, Recent},
    schema::{Field, FieldKind, Schema},
    table_rows::TableRows,
    vocabulary::{UNKNOWN_ID, Vocabulary},
};
use cupel_data::MISSING;
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
        let Draft { names, counts, moments, values, lengths, .. } = column;
        drafts.push((values.reader()?, lengths.map(Scratch::reader).transpose()?));
        learned.push(match field.kind {
            FieldKind::Number => {
                places.push(Vec::new());
                Learned::Moments(moments)
            }
            _ => {
                let vocabulary = Vocabulary::of_counts(&names, &counts, field.min_count);
                places.push(names.iter().map(|name| vocabulary.position(name).unwrap_or(MISSING)).collect());
                Learned::Names(vocabulary)
            }
        });
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
    let mut learning: Vec<Learning> = schema.fields.iter().map(|_| Learning::default()).collect();
    let mut text = String::new();
    each_cell(path, schema, split_column, |cell, trains| {
        let Some((field, cell)) = cell.filter(|_| trains) else { return Ok(None) };
        let Field { kind, separator, .. } = &schema.fields[field];
        Ok(learning[field].push(cell, *kind, *separator, &mut text).err())
    })?;
    let learned = schema.fields.iter().zip(learning).map(|(field, learning)| match field.kind {
        FieldKind::Number => Learned::Moments(learning.moments),
        _ => Learned::Names(Vocabulary::of_counts(&learning.names, &learning.counts, field.min_count)),
    });
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

/// Calls `each` with the field and the text of every cell, then with nothing at the end of the row, and whether the row trains; what it says is wrong with a
/// cell becomes an error of the table. Gives the number of rows.
fn each_cell(
    path: &Path,
    schema: &Schema,
    split_column: Option<&str>,
    mut each: impl FnMut(Option<(usize, &str)>, bool) -> Result<Option<String>>,
) -> Result<u64> {
    let mut rows = TableRows::open(path)?;
    let mut of_cell = vec![None; rows.names().len()];
    for (field, settings) in schema.fields.iter().enumerate() {
        of_cell[rows.position(&settings.name)?] = Some(field);
    }
    let split = split_column.map(|name| rows.position(name)).transpose()?;
    rows.choose(|position| of_cell[position].is_some() || split == Some(position))?;
    let mut count = 0;
    loop {
        let mut fault = None;
        {
            let Some(row) = rows.next()? else { return Ok(count) };
            let trains = split.is_none_or(|split| row.cells().nth(split) == Some("train"));
            for (position, cell) in row.cells().enumerate() {
                let Some(field) = of_cell[position] else { continue };
                if let Some(problem) = each(Some((field, cell)), trains)? {
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
            return Err(rows.cell_error(position, problem, fix).into());
        }
        count += 1;
    }
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
struct Draft {
    names: Names,
    counts: Vec<u64>,
    moments: Moments,
    recent: Recent,
    text: String,
    values: Scratch,
    lengths: Option<Scratch>,
}

const TOO_MANY: &str = "the column has more than 4 billion different names";

impl Draft {
    fn create(out: &Path, field: &Field) -> Result<Self> {
        let many = field.kind == FieldKind::Many;
        Ok(Self {
            names: Names::default(),
            counts: Vec::new(),
            moments: Moments::default(),
            recent: Recent::default(),
            text: String::new(),
            values: Scratch::create(out.join(format!("{}.draft.part", field.name)))?,
            lengths: many.then(|| Scratch::create(out.join(format!("{}.lengths.part", field.name)))).transpose()?,
        })
    }

    /// Takes a cell; gives what is wrong with it.
    fn push(&mut self, cell: &str, field: &Field, trains: bool) -> Result<Option<String>> {
        let missing = is_missing(cell);
        match field.kind {
            FieldKind::Number => {
                let value = match missing {
                    true => f64::NAN,
                    false => match number(cell) {
                        Ok(value) => value,
                        Err(problem) => return Ok(Some(problem)),
                    },
                };
                if trains && !missing {
                    self.moments.push(value);
                }
                self.values.write(&value.to_le_bytes())?;
            }
            FieldKind::Category => {
                let number = if missing { Some(NAMELESS) } else { self.number(cell, trains) };
                let Some(number) = number else { return Ok(Some(TOO_MANY.into())) };
                self.values.write(&number.to_le_bytes())?;
            }
            FieldKind::Many => {
                let mut length = 0_u32;
                for part in cell.split(field.separator).filter(|_| !missing) {
                    let Some(number) = self.number(part, trains) else { return Ok(Some(TOO_MANY.into())) };
                    if number != NAMELESS {
                        self.values.write(&number.to_le_bytes())?;
                        length += 1;
                    }
                }
                if let Some(lengths) = &mut self.lengths {
                    lengths.write(&length.to_le_bytes())?;
                }
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
                normalise(cell, &mut self.text);
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
}

/// What the training rows say of one field.
#[derive(Default)]
struct Learning {
    names: Names,
    counts: Vec<u64>,
    moments: Moments,
}

impl Learning {
    fn push(
        &mut self,
        cell: &str,
        kind: FieldKind,
        separator: char,
        text: &mut String,
    ) -> std::result::Result<(), String> {
        if is_missing(cell) {
            return Ok(());
        }
        match kind {
            FieldKind::Number => self.moments.push(number(cell)?),
            FieldKind::Category => self.count(cell, text)?,
            FieldKind::Many => cell.split(separator).try_for_each(|part| self.count(part, text))?,
        }
        Ok(())
    }

    fn count(&mut self, cell: &str, text: &mut String) -> std::result::Result<(), String> {
        text.clear();
        normalise(cell, text);
        if text.is_empty() {
            return Ok(());
        }
        let position = self.names.insert(text).ok_or("the column has more than 4 billion different names")? as usize;
        if position == self.counts.len() {
            self.counts.push(0);
        }
        self.counts[position] += 1;
        Ok(())
    }
}
