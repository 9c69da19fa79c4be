//! [`TextRows`]: a delimited table row by row, in memory that does not grow with the table.

use crate::{
    error::{Error, Place, Result},
    file::{
        delimited,
        origin::Origin,
        records::{Fault, Record, Records},
    },
    nearest::nearest_name,
};
use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

/// Bytes from which the delimiter is chosen.
const HEAD_BYTES: u64 = 64 << 10;
/// Bytes read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// Reads a table of text with a header, one row after the other.
///
/// The delimiter is found as [`open`](crate::open) finds it; line ends and errors are the same too, and so are quotes, but
/// for text with tabs: there a quote is a character like any other, as that format has it, unless the cell both begins and
/// ends with one.
///
/// # Example
/// ```
/// # fn main() -> cupel_data::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("drugs.tsv");
/// std::fs::write(&path, "drug\tgene\nwarfarin\tVKORC1\naspirin\t\n").unwrap();
/// let mut rows = cupel_data::TextRows::open(&path)?;
/// assert_eq!(rows.names(), ["drug", "gene"]);
/// let mut genes = 0;
/// while let Some(row) = rows.next()? {
///     genes += usize::from(row.cells().nth(1) != Some(""));
/// }
/// assert_eq!(genes, 1);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TextRows {
    records: Records<BufReader<File>>,
    record: Record,
    names: Vec<String>,
    tabs: bool,
    origin: Origin,
}

/// One row of [`TextRows`].
#[derive(Clone, Copy, Debug)]
pub struct TextRow<'a> {
    record: &'a Record,
    /// Quotes were left in the cells.
    quoted: bool,
}

impl<'a> TextRow<'a> {
    /// The cells without the white space around them, as many as the header has names.
    pub fn cells(self) -> impl Iterator<Item = &'a str> {
        let quoted = self.quoted;
        self.record.iter().map(move |cell| if quoted { unquoted(cell) } else { cell })
    }

    /// The line in the file, counted from 1.
    pub fn line(self) -> u64 {
        self.record.line()
    }
}

impl TextRows {
    /// Opens a table and reads its header.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::NotAFile`]; [`Error::Unrecognised`] when the content is no table of text, [`Error::Format`]
    /// when its header is faulty or missing.
    pub fn open(path: &Path) -> Result<Self> {
        let read = |error| Error::io("read", path)(error);
        let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
        if !metadata.is_file() {
            let what = if metadata.is_dir() { "a folder" } else { "a device or a pipe" };
            return Err(Error::NotAFile { path: path.into(), what });
        }
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let mut head = Vec::new();
        (&mut file).take(HEAD_BYTES).read_to_end(&mut head).map_err(read)?;
        let unrecognised = |found: &str| Error::Unrecognised { path: path.into(), found: found.into() };
        if !delimited::is_text(&head) {
            return Err(unrecognised("it is no text"));
        }
        let whole = (head.len() as u64) < HEAD_BYTES;
        let delimiter = delimited::sniff(&head, whole).map_err(unrecognised)?;
        file.seek(SeekFrom::Start(delimited::mark_length(&head))).map_err(read)?;
        let origin = Origin::new(path, "CSV/TSV");
        let mut records = Records::new(BufReader::with_capacity(BUFFER_BYTES, file), delimiter);
        let tabs = delimiter == b'\t';
        if tabs {
            records = records.without_quotes();
        }
        let mut record = Record::default();
        if !next(&mut records, &mut record, &origin)? {
            return Err(unrecognised("it holds no row"));
        }
        let names = delimited::header(&record, &origin)?;
        let names = if tabs { names.iter().map(|name| unquoted(name).to_string()).collect() } else { names };
        Ok(Self { records, record, names, tabs, origin })
    }

    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The position of a column.
    ///
    /// # Errors
    /// [`Error::MissingColumn`] with the name that was probably meant.
    pub fn position(&self, name: &str) -> Result<usize> {
        self.names.iter().position(|known| known == name).ok_or_else(|| Error::MissingColumn {
            wanted: name.to_string(),
            suggestion: nearest_name(name, self.names.iter().map(String::as_str)).map(str::to_string),
            have: self.names.clone(),
        })
    }

    /// The next row; `None` after the last.
    ///
    /// # Errors
    /// [`Error::Format`] for a row with more or fewer cells than the header and for broken text, [`Error::Io`].
    #[expect(clippy::should_implement_trait, reason = "a row borrows the reader, which an iterator cannot say")]
    pub fn next(&mut self) -> Result<Option<TextRow<'_>>> {
        if !next(&mut self.records, &mut self.record, &self.origin)? {
            return Ok(None);
        }
        let (got, expected) = (self.record.len(), self.names.len());
        if got != expected {
            let problem = format!("the row has {got} fields, the header has {expected}");
            let fix = "give every line equally many fields and quote fields with the delimiter in them";
            return Err(self.origin.fault_with(self.record.place(got.min(expected)), problem, fix));
        }
        Ok(Some(TextRow { record: &self.record, quoted: self.tabs }))
    }

    /// An error about a cell of the row that was read last.
    pub fn cell_error(&self, column: usize, problem: impl Into<String>, fix: impl Into<String>) -> Error {
        let place = if self.record.len() == 0 { Place::File } else { self.record.place(column) };
        self.origin.fault_with(place, problem, fix)
    }
}

/// A cell without the quotes that enclose it; a doubled quote inside stays doubled.
fn unquoted(cell: &str) -> &str {
    match cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')) {
        Some(inside) => inside,
        None => cell,
    }
}

fn next(records: &mut Records<BufReader<File>>, record: &mut Record, origin: &Origin) -> Result<bool> {
    records.next(record).map_err(|fault| match fault {
        Fault::Io(error) => Error::io("read", &origin.path)(error),
        Fault::Text { place, problem } => origin.fault_with(place, problem, "save the text as UTF-8 CSV"),
    })
}
