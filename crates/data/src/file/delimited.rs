//! Delimited text: CSV, TSV and their kin, as an array of numbers or a typed table.
//!
//! The delimiter is the one of comma, tab, semicolon, bar and space that cuts most of the first lines into equally many
//! fields. The first record is a header when it has a cell that is neither a number nor missing. Cells are missing (NaN in
//! an array) when empty, `NA`, `NaN` or `nan`; `inf`, `-inf` and `infinity` are infinite. Numbers are written with a decimal
//! point, or throughout with a decimal comma where the delimiter is another. A byte-order mark is skipped, and so are the lines before
//! the first record that begin with `;`, `#` or `%` and do not have as many fields. Several spaces are one delimiter. Every record must
//! have as many fields as the first.

use crate::{
    array::Array,
    element::{ElementType, Values, with_values},
    error::{Error, Result},
    file::{
        dataset::Class,
        open::HEAD_BYTES,
        origin::Origin,
        records::{Fault, Record, Records},
    },
    table::{Span, Table, TableBuilder, is_missing},
};
use std::{
    collections::HashSet,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
    sync::Arc,
};

/// Tried in this order; the first of equally good ones is taken.
const DELIMITERS: [u8; 5] = *b",\t;| ";

/// The byte-order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What lines of comments begin with.
const COMMENTS: [u8; 3] = *b";#%";

/// What a first pass over the text found.
#[derive(Debug)]
pub(crate) struct Layout {
    delimiter: u8,
    /// Bytes before the first record: a byte-order mark, comments.
    start: u64,
    /// Whether numbers have a decimal comma.
    comma: bool,
    header: Option<Vec<String>>,
    rows: usize,
    columns: usize,
    /// The first cell below the header that is neither a number nor missing.
    text: Option<(crate::Place, String)>,
}

/// Bytes of the byte-order mark at the beginning of a file.
pub(crate) fn mark_length(head: &[u8]) -> u64 {
    if head.starts_with(MARK) { MARK.len() as u64 } else { 0 }
}

/// Whether the beginning of a file is text at all.
pub(crate) fn is_text(head: &[u8]) -> bool {
    let is_control = |byte: &u8| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c);
    !head.iter().any(|byte| is_control(byte) || *byte == 0x7f)
}

/// The delimiter of a table by its first lines, or why they are no table.
pub(crate) fn sniff(head: &[u8], whole: bool) -> std::result::Result<u8, &'static str> {
    let head = head.strip_prefix(MARK).unwrap_or(head);
    let head = &head[comments_length(head)..];
    let start = head.trim_ascii_start();
    match start.first() {
        None => return Err("it holds nothing but white space"),
        Some(b'{' | b'[') => return Err("it looks like JSON"),
        Some(b'<') => return Err("it looks like XML or HTML"),
        Some(_) => {}
    }
    let lines = if whole { head } else { whole_lines(head) };
    if let Some(delimiter) = best_delimiter(lines, field_counts) {
        // A comma may as well be the decimal one: of numbers that others cut.
        let with_comma = |&other: &u8| delimiter == b',' && other != b',' && is_numbers(lines, other);
        return Ok(DELIMITERS.iter().copied().find(with_comma).unwrap_or(delimiter));
    }
    if is_number_column(lines) {
        return Ok(DELIMITERS[0]);
    }
    // No delimiter makes sense of the first record; the fault in it is reported when the file is read through.
    let by_line = |lines: &[u8], delimiter| {
        let is_delimiter = |byte: &&u8| **byte == delimiter;
        let lines = lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        lines.map(|line| 1 + line.iter().filter(is_delimiter).count()).collect()
    };
    let readable = DELIMITERS.iter().any(|&delimiter| !field_counts(lines, delimiter).is_empty());
    match best_delimiter(lines, by_line) {
        Some(delimiter) if !readable => Ok(delimiter),
        _ => Err("no delimiter cuts its lines into equally many fields"),
    }
}

/// The lines of a part of a text but for the last, which may be cut; a part of one line has to do as it is.
fn whole_lines(head: &[u8]) -> &[u8] {
    head.iter().rposition(|&byte| byte == b'\n').map_or(head, |last| &head[..last])
}

/// The delimiter by which most records have as many fields as the first one.
fn best_delimiter(lines: &[u8], counts: impl Fn(&[u8], u8) -> Vec<usize>) -> Option<u8> {
    let mut best: Option<(f64, u8)> = None;
    for delimiter in DELIMITERS {
        let counts = counts(lines, delimiter);
        let first = counts.first().copied().unwrap_or(0);
        let equal = counts.iter().filter(|&&count| count == first).count();
        let share = equal as f64 / counts.len().max(1) as f64;
        // Sentences are full of spaces, and commas are not rare in them either.
        let needed = if delimiter == b' ' { 1.0 } else { 0.5 };
        if first >= 2 && share >= needed && best.is_none_or(|(best, _)| share > best) {
            best = Some((share, delimiter));
        }
    }
    best.map(|(_, delimiter)| delimiter)
}

/// Bytes of the comments at the beginning of a text: lines that begin like one, unless the last of them has as many fields as the line
/// that follows and is its header.
fn comments_length(head: &[u8]) -> usize {
    let (mut end, mut last) = (0, 0);
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        let begin = line.trim_ascii_start().first();
        if begin.is_some_and(|byte| COMMENTS.contains(byte)) {
            last = end;
        } else if begin.is_some() {
            let is_header = end > 0
                && DELIMITERS.iter().any(|&delimiter| {
                    let count = |line: &[u8]| field_counts(line, delimiter).first().copied().unwrap_or(0);
                    // A comment whose first sign is the delimiter has a field more than it says.
                    let comment = head[last..end].trim_ascii();
                    count(line) > 1 && count(comment) == count(line) && comment.first() != Some(&delimiter)
                });
            return if is_header { last } else { end };
        }
        end += line.len();
    }
    0
}

/// Whether all records have equally many fields, at least two, and all are numbers, some of them with a decimal comma.
fn is_numbers(lines: &[u8], delimiter: u8) -> bool {
    let mut records = Records::new(lines, delimiter);
    let (mut record, mut columns, mut count, mut commas) = (Record::default(), 0, 0, false);
    while let Ok(true) = records.next(&mut record) {
        // Headings may be numbers, too, but not all of them.
        let is_header = count == 0 && !record.iter().all(|cell| number(cell, true).is_some());
        let fits = record.len() >= 2 && (count == 0 || record.len() == columns);
        if !fits || !(is_header || record.iter().all(|cell| number(cell, true).is_some())) {
            return false;
        }
        commas |= record.iter().any(|cell| cell.contains(','));
        (columns, count) = (record.len(), count + 1);
    }
    commas && count > 0
}

/// Reads the text through: counts, names, and whether it is all numbers.
pub(crate) fn scan(file: &mut File, delimiter: u8, origin: &Origin) -> Result<Layout> {
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0)).map_err(Error::io("read", &origin.path))?;
    Read::take(&mut *file, HEAD_BYTES).read_to_end(&mut head).map_err(Error::io("read", &origin.path))?;
    let mark = mark_length(&head) as usize;
    let start = (mark + comments_length(&head[mark..])) as u64;
    let comma = delimiter != b',' && is_numbers(whole_lines(&head[start as usize..]), delimiter);
    let mut layout = Layout { delimiter, start, comma, header: None, rows: 0, columns: 0, text: None };
    let mut records = records(file, &layout, origin)?;
    let mut record = Record::default();
    let is_number = |cell: &str| number(cell, comma).is_some();
    while next(&mut records, &mut record, origin)? {
        if layout.columns == 0 {
            layout.columns = record.len();
            if !record.iter().all(is_number) {
                layout.header = Some(header(&record, origin)?);
                continue;
            }
        }
        if record.len() != layout.columns {
            let problem = format!("the record has {} fields, the first one has {}", record.len(), layout.columns);
            let fix = "give every line equally many fields and quote fields with the delimiter in them";
            return Err(origin.fault_with(record.place(record.len().min(layout.columns)), problem, fix));
        }
        if layout.text.is_none()
            && let Some((field, cell)) = record.iter().enumerate().find(|(_, cell)| !is_number(cell))
        {
            layout.text = Some((record.place(field), cell.to_string()));
        }
        layout.rows += 1;
    }
    Ok(layout)
}

impl Layout {
    /// Rows and columns.
    pub(crate) fn shape(&self) -> Vec<usize> {
        vec![self.rows, self.columns]
    }

    /// The names in the header row.
    pub(crate) fn header(&self) -> Option<&[String]> {
        self.header.as_deref()
    }

    pub(crate) fn class(&self) -> Class {
        match self.text {
            Some(_) => Class::Table,
            None => Class::Number(ElementType::F64),
        }
    }

    /// Why the table is not an array.
    pub(crate) fn first_text(&self, origin: &Origin) -> Error {
        let (place, cell) = self.text.clone().unwrap_or((crate::Place::File, String::new()));
        origin.fault_with(
            place,
            format!("{cell:?} is not a number"),
            "read the file as a table, or write NA where a number is not known",
        )
    }

    /// The numbers below the header.
    pub(crate) fn read_array(&self, file: &mut File, origin: &Origin) -> Result<Array> {
        let mut records = records(file, self, origin)?;
        let mut record = Record::default();
        if self.header.is_some() {
            next(&mut records, &mut record, origin)?;
        }
        let mut values = Vec::new();
        while next(&mut records, &mut record, origin)? {
            for (field, cell) in record.iter().enumerate() {
                values.push(
                    number(cell, self.comma)
                        .ok_or_else(|| origin.fault(record.place(field), format!("{cell:?} is not a number")))?,
                );
            }
        }
        Array::new(self.shape(), Values::F64(values))
    }

    /// The typed columns.
    pub(crate) fn read_table(&self, file: &mut File, origin: &Origin) -> Result<Table> {
        let Some(header) = &self.header else {
            return Err(origin.fault_with(
                crate::Place::Field { line: 1, field: 1 },
                "there is no header row, the first record is all numbers",
                "add a first line with the names of the columns, or read the file as an array",
            ));
        };
        let mut builder = TableBuilder::new(header.iter().cloned())?;
        let path: Arc<Path> = origin.path.as_path().into();
        let mut records = records(file, self, origin)?;
        let mut record = Record::default();
        next(&mut records, &mut record, origin)?;
        while next(&mut records, &mut record, origin)? {
            let span = Span { file: Arc::clone(&path), line: record.line() };
            let pointed = |cell: &str| match number(cell, self.comma) {
                Some(_) if self.comma => cell.replacen(',', ".", 1),
                _ => cell.to_owned(),
            };
            let cells: Vec<String> = record.iter().map(pointed).collect();
            builder.push(span, &cells.iter().map(String::as_str).collect::<Vec<_>>())?;
        }
        builder.finish()
    }
}

/// Writes a table of numbers, under `names` where there are any; numbers read back equal.
pub(crate) fn write(output: &mut dyn Write, array: &Array, names: &[&str], delimiter: u8, path: &Path) -> Result<()> {
    let cannot = |problem: String, fix: &str| Error::CannotHold {
        path: path.to_path_buf(),
        format: "CSV/TSV",
        problem,
        fix: fix.into(),
    };
    let columns = match array.shape() {
        [_] => 1,
        &[_, columns] if columns > 0 => columns,
        shape => {
            let problem = format!("the array is {shape:?}, a table has rows and columns");
            return Err(cannot(problem, "write NPY, or slice the array"));
        }
    };
    if !names.is_empty() {
        if names.len() != columns {
            return Err(Error::Count {
                doing: "naming the columns of a table",
                what: "names",
                expected: columns,
                got: names.len(),
            });
        }
        if names.iter().all(|name| number(name, false).is_some()) {
            return Err(cannot("all names of columns look like numbers".into(), "give names with letters"));
        }
        let line: Vec<String> = names.iter().map(|name| quoted(name, delimiter)).collect();
        write_line(output, &line, delimiter, path)?;
    }
    let cells: Vec<String> = match array.values() {
        Values::Complex64(_) | Values::Complex128(_) => {
            return Err(cannot("it has no complex numbers".into(), "write NPY, or the parts one by one"));
        }
        Values::Bool(values) => values.iter().map(|&value| u8::from(value).to_string()).collect(),
        // `Debug` of a float is the shortest text that reads back equal, with an exponent where that is shorter.
        values => with_values!(values, values => values.iter().map(|value| format!("{value:?}")).collect()),
    };
    cells.chunks(columns).try_for_each(|line| write_line(output, line, delimiter, path))
}

fn write_line(output: &mut dyn Write, cells: &[String], delimiter: u8, path: &Path) -> Result<()> {
    let delimiter = char::from(delimiter).to_string();
    writeln!(output, "{}", cells.join(&delimiter)).map_err(Error::io("write", path))
}

fn quoted(name: &str, delimiter: u8) -> String {
    if name.contains(['"', '\n', '\r', char::from(delimiter)]) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_string()
    }
}

/// Records from the first one on; lines are counted from the beginning of the file.
fn records<'a>(file: &'a mut File, layout: &Layout, origin: &Origin) -> Result<Records<BufReader<&'a mut File>>> {
    let read = |error| Error::io("read", &origin.path)(error);
    file.seek(SeekFrom::Start(0)).map_err(read)?;
    let mut before = Vec::new();
    Read::take(&mut *file, layout.start).read_to_end(&mut before).map_err(read)?;
    let lines = before.iter().filter(|&&byte| byte == b'\n').count() as u64;
    Ok(Records::new(BufReader::with_capacity(64 << 10, file), layout.delimiter).on_line(lines + 1))
}

fn next<R: std::io::BufRead>(records: &mut Records<R>, record: &mut Record, origin: &Origin) -> Result<bool> {
    records.next(record).map_err(|fault| match fault {
        Fault::Io(error) => Error::io("read", &origin.path)(error),
        Fault::Text { place, problem } => origin.fault_with(place, problem, "save the text as UTF-8 CSV"),
    })
}

pub(crate) fn header(record: &Record, origin: &Origin) -> Result<Vec<String>> {
    let mut seen = HashSet::new();
    for (field, name) in record.iter().enumerate() {
        let (problem, fix) = if name.is_empty() {
            ("the column has no name".to_string(), "name it in the header row")
        } else if !seen.insert(name) {
            (format!("two columns are both called {name:?}"), "rename one")
        } else {
            continue;
        };
        return Err(origin.fault_with(record.place(field), problem, fix));
    }
    Ok(record.iter().map(str::to_string).collect())
}

/// A cell as a number, with a decimal comma or a point; NaN where it is missing.
fn number(cell: &str, comma: bool) -> Option<f64> {
    match cell {
        cell if is_missing(cell) => Some(f64::NAN),
        cell if comma && !cell.contains('.') => cell.replacen(',', ".", 1).parse().ok(),
        cell => cell.parse().ok(),
    }
}

/// The number of fields of each record up to the first fault.
fn field_counts(lines: &[u8], delimiter: u8) -> Vec<usize> {
    let mut records = Records::new(lines, delimiter);
    let (mut record, mut counts) = (Record::default(), Vec::new());
    while let Ok(true) = records.next(&mut record) {
        counts.push(record.len());
    }
    counts
}

/// Whether the records are one number each, but for the first, which may be a name.
fn is_number_column(lines: &[u8]) -> bool {
    let mut records = Records::new(lines, DELIMITERS[0]);
    let (mut record, mut position, mut any_number) = (Record::default(), 0, false);
    while let Ok(true) = records.next(&mut record) {
        let is_number = record.len() == 1 && record.iter().all(|cell| number(cell, false).is_some());
        if !is_number && (position > 0 || record.len() != 1) {
            return false;
        }
        any_number |= is_number;
        position += 1;
    }
    any_number
}
