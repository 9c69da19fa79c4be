//! [`encode_file`]: a table as files of ids, in memory that depends on its names and not on its rows.
//!
//! Two passes over the text: the first learns the names of the training rows, the second writes their ids. Each field of
//! categories becomes `<field>.npy` (u32), each number `<field>.npy` (f32, NaN where missing), each list `<field>.npy` with
//! `<field>.offsets.npy` (u64).

use crate::{
    encoder::{Coding, Encoder, Learned, Moments, fall_back, id_of},
    error::{Error, Result},
    examples::{is_missing, number},
    names::Names,
    normalise::normalise,
    schema::{FieldKind, Schema},
    vocabulary::{UNKNOWN_ID, Vocabulary},
};
use cupel_data::{MISSING, TextRows};
use std::{
    fs::{self, File},
    io::{BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Length of the header of an NPY file here: room for 20 digits of rows, a multiple of 64 as the format asks.
const HEADER_BYTES: usize = 128;

/// Encodes the table at `path` into the folder `out`; vocabularies come from the rows whose cell in `split_column` is
/// `train`, or from all rows without one. Gives the encoder and the number of rows.
///
/// # Errors
/// [`Error::Data`] when the table cannot be read or the files cannot be written.
pub fn encode_file(path: &Path, schema: &Schema, split_column: Option<&str>, out: &Path) -> Result<(Encoder, u64)> {
    let encoder = fit_file(path, schema, split_column)?;
    fs::create_dir_all(out).map_err(cupel_data::Error::io("create the folder", out))?;
    let rows = write_ids(path, &encoder, out)?;
    Ok((encoder, rows))
}

/// Learns an [`Encoder`] from a table in one pass, without keeping its rows.
///
/// # Errors
/// [`Error::Data`] when the table cannot be read.
pub fn fit_file(path: &Path, schema: &Schema, split_column: Option<&str>) -> Result<Encoder> {
    schema.check()?;
    let mut rows = TextRows::open(path)?;
    let of_cell = field_of_cell(&rows, schema)?;
    let split = split_column.map(|name| rows.position(name)).transpose()?;
    let mut learning: Vec<Learning> = schema.fields.iter().map(|_| Learning::default()).collect();
    let mut text = String::new();
    loop {
        let fault = {
            let Some(row) = rows.next()? else { break };
            if split.is_some_and(|split| row.cells().nth(split) != Some("train")) {
                continue;
            }
            row.cells().enumerate().find_map(|(position, cell)| {
                let field = of_cell[position]?;
                let settings = &schema.fields[field];
                learning[field].push(cell, settings.kind, settings.separator, &mut text).err().map(|p| (position, p))
            })
        };
        if let Some((position, problem)) = fault {
            return Err(cell_error(&rows, position, problem));
        }
    }
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
/// [`Error::Data`] when the table cannot be read.
pub fn encode_rows(path: &Path, encoder: &Encoder, mut row: impl FnMut(&[u32])) -> Result<u64> {
    let mut ids = Vec::new();
    walk(path, encoder, |cells| {
        ids.clear();
        ids.extend(cells.ids.iter().flatten());
        row(&ids);
        Ok(())
    })
}

/// What a row holds, field by field of the schema.
struct Cells {
    ids: Vec<Option<u32>>,
    lists: Vec<Vec<u32>>,
    numbers: Vec<f32>,
}

fn walk(path: &Path, encoder: &Encoder, mut each: impl FnMut(&Cells) -> Result<()>) -> Result<u64> {
    let schema = encoder.schema();
    let mut rows = TextRows::open(path)?;
    let of_cell = field_of_cell(&rows, schema)?;
    let fields = schema.fields.len();
    let mut cells = Cells { ids: vec![None; fields], lists: vec![Vec::new(); fields], numbers: vec![f32::NAN; fields] };
    let mut positions: Vec<Option<u32>> = vec![None; fields];
    let (mut text, mut count) = (String::new(), 0);
    loop {
        let fault = {
            let Some(row) = rows.next()? else { break };
            let mut fault = None;
            for (position, cell) in row.cells().enumerate() {
                let Some(field) = of_cell[position] else { continue };
                match &encoder.codings()[field] {
                    Coding::Category { vocabulary, .. } => {
                        text.clear();
                        if !is_missing(cell) {
                            normalise(cell, &mut text);
                        }
                        let known = || vocabulary.position(&text).unwrap_or(MISSING);
                        positions[field] = if text.is_empty() { None } else { Some(known()) };
                    }
                    Coding::Many { vocabulary } => {
                        let list = &mut cells.lists[field];
                        list.clear();
                        for part in cell.split(schema.fields[field].separator).filter(|_| !is_missing(cell)) {
                            text.clear();
                            normalise(part, &mut text);
                            if !text.is_empty() {
                                list.push(id_of(Some(vocabulary.position(&text).unwrap_or(MISSING)), UNKNOWN_ID));
                            }
                        }
                    }
                    Coding::Number { .. } if is_missing(cell) => cells.numbers[field] = f32::NAN,
                    Coding::Number { mean, deviation } => match number(cell) {
                        Ok(value) => cells.numbers[field] = ((value - mean) / deviation) as f32,
                        Err(problem) => fault = Some((position, problem)),
                    },
                }
            }
            fault
        };
        if let Some((position, problem)) = fault {
            return Err(cell_error(&rows, position, problem));
        }
        for (field, coding) in encoder.codings().iter().enumerate() {
            if let Coding::Category { back_off, .. } = coding {
                let fallback = fall_back(back_off.iter().map(|(other, first)| (positions[*other], *first)));
                cells.ids[field] = Some(id_of(positions[field], fallback));
            }
        }
        count += 1;
        each(&cells)?;
    }
    Ok(count)
}

fn write_ids(path: &Path, encoder: &Encoder, out: &Path) -> Result<u64> {
    let schema = encoder.schema();
    let mut files = Vec::new();
    for field in &schema.fields {
        let file = Column::create(&out.join(format!("{}.npy", field.name)))?;
        let many = field.kind == FieldKind::Many;
        let offsets = many.then(|| Column::create(&out.join(format!("{}.offsets.npy", field.name)))).transpose()?;
        files.push((file, offsets));
    }
    let mut totals = vec![0_u64; files.len()];
    for (_, offsets) in &mut files {
        offsets.iter_mut().try_for_each(|offsets| offsets.write(&0_u64.to_le_bytes()))?;
    }
    let rows = walk(path, encoder, |cells| {
        for (field, (file, offsets)) in files.iter_mut().enumerate() {
            match (schema.fields[field].kind, cells.ids[field]) {
                (FieldKind::Category, Some(id)) => file.write(&id.to_le_bytes())?,
                (FieldKind::Number, _) => file.write(&cells.numbers[field].to_le_bytes())?,
                _ => {
                    cells.lists[field].iter().try_for_each(|id| file.write(&id.to_le_bytes()))?;
                    totals[field] += cells.lists[field].len() as u64;
                    offsets.iter_mut().try_for_each(|offsets| offsets.write(&totals[field].to_le_bytes()))?;
                }
            }
        }
        Ok(())
    })?;
    for (field, (file, offsets)) in files.into_iter().enumerate() {
        match schema.fields[field].kind {
            FieldKind::Category => file.finish("<u4", rows)?,
            FieldKind::Number => file.finish("<f4", rows)?,
            FieldKind::Many => file.finish("<u4", totals[field])?,
        }
        if let Some(offsets) = offsets {
            offsets.finish("<u8", rows + 1)?;
        }
    }
    Ok(rows)
}

/// An NPY file whose length is known at the end; it stands under a temporary name until then.
struct Column {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
}

impl Column {
    fn create(path: &Path) -> Result<Self> {
        let temporary = path.with_extension("npy.part");
        let file = File::create(&temporary).map_err(cupel_data::Error::io("create", &temporary))?;
        let mut column = Self { path: path.to_path_buf(), temporary, file: BufWriter::with_capacity(1 << 16, file) };
        column.write(&[b' '; HEADER_BYTES])?;
        Ok(column)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.file.write_all(bytes).map_err(cupel_data::Error::io("write", &self.temporary))?)
    }

    fn finish(mut self, dtype: &str, len: u64) -> Result<()> {
        let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({len},), }}");
        let mut header = vec![b' '; HEADER_BYTES];
        header[..10].copy_from_slice(b"\x93NUMPY\x01\x00\x76\x00");
        header[10..10 + text.len()].copy_from_slice(text.as_bytes());
        header[HEADER_BYTES - 1] = b'\n';
        let error = |error| cupel_data::Error::io("write", &self.temporary)(error);
        self.file.flush().map_err(error)?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0)).map_err(error)?;
        file.write_all(&header).map_err(error)?;
        file.sync_all().map_err(error)?;
        Ok(fs::rename(&self.temporary, &self.path).map_err(cupel_data::Error::io("replace", &self.path))?)
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

/// The field of the schema that each cell of a row belongs to.
fn field_of_cell(rows: &TextRows, schema: &Schema) -> Result<Vec<Option<usize>>> {
    let mut of_cell = vec![None; rows.names().len()];
    for (field, settings) in schema.fields.iter().enumerate() {
        of_cell[rows.position(&settings.name)?] = Some(field);
    }
    Ok(of_cell)
}

fn cell_error(rows: &TextRows, position: usize, problem: String) -> Error {
    rows.cell_error(position, problem, "write NA where it is not known, or make the field a category").into()
}
