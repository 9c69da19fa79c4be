//! FITS: every image and every column of a binary table of a file as a variable, with the scale, the zero and the blanks of its
//! header.
//!
//! FITS standard 4.0. A file is a list of parts, each a header of cards and data, both padded to blocks of 2880 bytes.
//! Numbers are big-endian, and the first axis varies fastest: an image of `NAXIS1 = 5, NAXIS2 = 3` is shown as `[3, 5]`, as
//! astropy does. A column is called `part.column` and is `[rows]` or `[rows, repeat]`. `DATASUM` and `CHECKSUM` are checked
//! where a header has them. Images that are compressed in tables, random groups, tables in ASCII and columns of bits or of
//! varying length are listed and not read.

mod columns;
mod header;
mod part;
mod scaling;
mod wcs;
mod write;

pub use header::{FitsBeam, FitsHeader};
pub(crate) use scaling::Scaling;
pub use wcs::{Celestial, CelestialFrame, Wcs, WcsAxis};
pub(crate) use write::write_fits_array;
pub use write::{FitsCards, write_fits};

use self::{
    header::{BLOCK_BYTES, Cards, add_words},
    part::{Content, Data, Part},
};
use crate::{
    array::Array,
    axes::Axes,
    element::Values,
    error::{Error, Place, Result},
    file::{dataset::Variable, limits::Limits, origin::Origin, raw::Raw},
};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    sync::{Arc, atomic::Ordering},
};

/// The first bytes of every file.
pub(crate) const MAGIC: &[u8] = b"SIMPLE  =";

/// What is in the file.
#[derive(Debug)]
pub(crate) struct Fits {
    /// Of each variable.
    entries: Vec<Entry>,
    /// What is odd about the file and does not stand in the way of reading it.
    pub(crate) warnings: Vec<String>,
}

/// A variable in the file.
#[derive(Debug)]
struct Entry {
    header: FitsHeader,
    content: Content,
    data: Arc<Data>,
}

/// Reads all headers.
pub(crate) fn read_directory(
    file: &mut File,
    len: u64,
    limits: &Limits,
    origin: &Origin,
) -> Result<(Fits, Vec<Variable>)> {
    let mut fits = Fits { entries: Vec::new(), warnings: Vec::new() };
    let mut variables: Vec<Variable> = Vec::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    // Names may be given twice; a dot and a number tell them apart.
    let mut unique = |name: String| {
        let count = names.entry(name.clone()).or_insert(0);
        *count += 1;
        if *count == 1 { name } else { format!("{name}.{count}") }
    };
    let mut reader = BufReader::new(file);
    let mut offset = 0;
    while offset < len {
        reader.seek(SeekFrom::Start(offset)).map_err(Error::io("read", &origin.path))?;
        let header = Arc::new(Cards::read(&mut reader, offset, origin)?);
        let data = offset + header.bytes;
        let part = Part::of(&header, data, offset, origin)?;
        if part.is_stale {
            // Software that edits a card and leaves the sum as it was is more frequent than damage; that of the data is checked.
            fits.warnings.push(format!(
                "{}: byte {offset}: the header does not agree with its checksum (CHECKSUM): it was edited, or is damaged",
                origin.path.display()
            ));
        }
        let end = data.checked_add(part.data.padded_bytes).filter(|&end| end <= len);
        let Some(end) = end else {
            let problem = format!(
                "the data of this part need {} bytes, {} are left in the file",
                part.data.padded_bytes,
                len.saturating_sub(data)
            );
            return Err(origin.fault_with(
                Place::Byte(offset),
                problem,
                "the file is truncated or damaged; copy it again",
            ));
        };
        limits.allow("the number of images and columns", (variables.len() + part.items.len()) as u64, origin)?;
        if !part.items.is_empty() {
            let given = header.text("EXTNAME").filter(|name| !name.is_empty());
            let stem = unique(given.map_or_else(|| origin.stem(), str::to_string));
            let data = Arc::new(part.data);
            for item in part.items {
                let name = match &item.column {
                    Some((_, column)) => unique(format!("{stem}.{column}")),
                    None => stem.clone(),
                };
                variables.push(Variable::new(&name, item.shape, item.class));
                let header = FitsHeader::new(Arc::clone(&header), item.column.map(|(number, _)| number));
                fits.entries.push(Entry { header, content: item.content, data: Arc::clone(&data) });
            }
        }
        offset = end;
    }
    let mut sorted: Vec<&str> = variables.iter().map(Variable::name).collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(origin.fault(Place::Variable(pair[0].into()), "two images or columns have this name"));
    }
    Ok((fits, variables))
}

impl Fits {
    /// What the header says of the variable at `position`.
    pub(crate) fn header(&self, position: usize) -> &FitsHeader {
        &self.entries[position].header
    }

    /// Whether the variable at `position` is an image that is read.
    pub(crate) fn is_image(&self, position: usize) -> bool {
        let Entry { header, content, .. } = &self.entries[position];
        header.column().is_none() && matches!(content, Content::Numbers { .. })
    }

    /// The axes of the image at `position`; nothing for a column.
    pub(crate) fn axes(&self, position: usize) -> Result<Option<Axes>> {
        if !self.is_image(position) {
            return Ok(None);
        }
        let wcs = self.header(position).wcs()?;
        Axes::new(wcs.axes.into_iter().map(|axis| axis.axis).collect()).map(Some)
    }

    /// The numbers at `position`, mapped.
    pub(crate) fn raw(&self, file: &File, position: usize, origin: &Origin) -> Result<Raw> {
        let (layout, scaling) = match &self.entries[position].content {
            Content::Numbers { layout, scaling } => (layout, scaling),
            Content::Text(layout) => (layout, &None),
            Content::Nothing => return Err(origin.fault(Place::File, "this part holds no numbers that are read")),
        };
        let file = file.try_clone().map_err(Error::io("read", &origin.path))?;
        let raw = Raw::new(file, layout.clone(), origin)?;
        Ok(match scaling {
            Some(scaling) => raw.scaled(scaling.clone()),
            None => raw,
        })
    }

    /// The numbers at `position`, with their checksum checked if they have one.
    pub(crate) fn array(&self, file: &mut File, position: usize, origin: &Origin) -> Result<Array> {
        let array = self.raw(file, position, origin)?.array()?;
        let data = &self.entries[position].data;
        let Some(expected) = data.sum.filter(|_| !data.agrees.load(Ordering::Relaxed)) else { return Ok(array) };
        let sum = data_sum(file, data.offset, data.padded_bytes).map_err(origin.read(Place::Byte(data.offset)))?;
        // Zero has two forms.
        if sum != expected && !(sum.wrapping_add(1) <= 1 && expected.wrapping_add(1) <= 1) {
            return Err(origin.fault_with(
                Place::Byte(data.offset),
                format!("the data add up to {sum}, DATASUM is {expected}"),
                "the file is damaged; copy it again",
            ));
        }
        data.agrees.store(true, Ordering::Relaxed);
        Ok(array)
    }

    /// The lines of the column of text at `position`, without the blanks at their ends.
    pub(crate) fn text(&self, file: &mut File, position: usize, origin: &Origin) -> Result<Vec<String>> {
        let array = self.array(file, position, origin)?;
        let (rows, width) = (array.shape()[0], array.shape()[1]);
        let Values::U8(letters) = array.into_values() else { return Ok(Vec::new()) };
        let mut lines = Vec::with_capacity(rows);
        for row in 0..rows {
            // A byte of 0 ends a text before its column does.
            let text = letters[row * width..(row + 1) * width].split(|&letter| letter == 0).next().unwrap_or_default();
            if let Some(letter) = text.iter().find(|letter| !(0x20..0x7f).contains(*letter)) {
                let problem = format!("row {row} of a text holds the byte {letter:#04x}, which is no text");
                return Err(origin.fault(Place::File, problem));
            }
            lines.push(String::from_utf8_lossy(text).trim_end().to_string());
        }
        Ok(lines)
    }
}

/// The sum of the words of the data.
fn data_sum(file: &mut File, offset: u64, bytes: u64) -> std::io::Result<u32> {
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::with_capacity(64 * BLOCK_BYTES, file);
    let mut block = [0; BLOCK_BYTES];
    let mut sum = 0;
    for _ in 0..bytes / BLOCK_BYTES as u64 {
        reader.read_exact(&mut block)?;
        sum = add_words(sum, &block);
    }
    Ok(sum)
}
