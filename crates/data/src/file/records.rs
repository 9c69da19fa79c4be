//! [`Records`]: delimited text, record by record, with the exact line of every field (RFC 4180).
//!
//! Lines end in LF, CRLF or CR; blank lines are skipped. A field that begins with `"` ends at the next single `"`, may
//! hold delimiters and line ends, and `""` stands for one `"` in it; a `"` later in a field stands for itself. What other
//! readers pass in silence is an error here: a quote that is never closed (the rest of the file would be one cell), text
//! after a closing quote, bytes of 0, and text that is not UTF-8.

use crate::error::Place;
use std::io::{self, BufRead};

/// The longest record taken: a million columns of 64 characters.
const RECORD_BYTES: usize = 64 << 20;

/// Why there is no next record.
#[derive(Debug)]
pub(crate) enum Fault {
    Io(io::Error),
    Text { place: Place, problem: String },
}

/// The fields of one record.
#[derive(Debug, Default)]
pub(crate) struct Record {
    text: String,
    /// Where each field ends in `text`.
    ends: Vec<usize>,
    /// The line each field begins on.
    lines: Vec<u64>,
}

impl Record {
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    /// The line of the record.
    pub(crate) fn line(&self) -> u64 {
        self.lines.first().copied().unwrap_or(0)
    }

    /// The place of a field, the first one being 0; one beyond the last is the end of the record.
    pub(crate) fn place(&self, field: usize) -> Place {
        Place::Field { line: self.lines.get(field).or(self.lines.last()).copied().unwrap_or(0), field: field + 1 }
    }

    /// The fields without the white space around them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|field| {
            let start = if field == 0 { 0 } else { self.ends[field - 1] };
            self.text[start..self.ends[field]].trim()
        })
    }
}

/// Reads records.
#[derive(Debug)]
pub(crate) struct Records<R> {
    input: R,
    delimiter: u8,
    line: u64,
    /// The last byte was the CR of what may be a CRLF.
    after_return: bool,
    /// A quote at the beginning of a field is a quote.
    quotes: bool,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    FieldStart,
    Plain,
    Quoted,
    /// After a quote in a quoted field: its end, or the first half of `""`.
    Quote,
}

impl<R: BufRead> Records<R> {
    /// Records of what `input` yields from here on, which must be the beginning of a line, the first.
    pub(crate) fn new(input: R, delimiter: u8) -> Self {
        Self { input, delimiter, line: 1, after_return: false, quotes: true, bytes: Vec::new() }
    }

    /// The same, where what was read before ends with the line before this one.
    pub(crate) fn on_line(self, line: u64) -> Self {
        Self { line, ..self }
    }

    /// The same, with `"` a character like any other.
    pub(crate) fn without_quotes(self) -> Self {
        Self { quotes: false, ..self }
    }

    /// Reads the next record into `record`; `false` at the end.
    pub(crate) fn next(&mut self, record: &mut Record) -> Result<bool, Fault> {
        record.text.clear();
        record.ends.clear();
        record.lines.clear();
        // The text goes back and forth to keep its memory.
        self.bytes = std::mem::take(&mut record.text).into_bytes();
        let mut state = State::FieldStart;
        let mut any_quote = false;
        record.lines.push(self.line);
        let at_end = 'records: loop {
            let chunk = match self.input.fill_buf() {
                Ok([]) => break true,
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::Io(error)),
            };
            let mut used = 0;
            for &byte in chunk {
                used += 1;
                if std::mem::take(&mut self.after_return) && byte == b'\n' {
                    continue;
                }
                if byte == 0 {
                    return fault(record.place(record.ends.len()), "a byte of 0, this is not text");
                }
                let ends_line = matches!(byte, b'\n' | b'\r');
                match state {
                    State::Quoted if byte == b'"' => state = State::Quote,
                    State::Quoted => {
                        self.bytes.push(byte);
                        self.line += u64::from(byte == b'\n');
                    }
                    State::Quote if byte == b'"' => {
                        self.bytes.push(byte);
                        state = State::Quoted;
                    }
                    // Spaces are one delimiter however many there are, and none before the first field.
                    State::FieldStart if byte == b' ' && self.delimiter == b' ' => {}
                    _ if byte == self.delimiter => {
                        record.ends.push(self.bytes.len());
                        record.lines.push(self.line);
                        state = State::FieldStart;
                    }
                    _ if ends_line => {
                        self.line += 1;
                        self.after_return = byte == b'\r';
                        let blank = record.ends.is_empty() && self.bytes.is_empty() && !any_quote;
                        if blank {
                            record.lines[0] = self.line;
                        } else {
                            self.input.consume(used);
                            break 'records false;
                        }
                    }
                    State::Quote => {
                        return fault(record.place(record.ends.len()), "text after a closing quote");
                    }
                    State::FieldStart if byte == b'"' && self.quotes => {
                        any_quote = true;
                        state = State::Quoted;
                    }
                    State::FieldStart | State::Plain => {
                        self.bytes.push(byte);
                        state = State::Plain;
                    }
                }
            }
            self.input.consume(used);
            if self.bytes.len() > RECORD_BYTES || record.ends.len() > RECORD_BYTES / 8 {
                return fault(record.place(0), &format!("the record is longer than {RECORD_BYTES} bytes"));
            }
        };
        if at_end && state == State::Quoted {
            return fault(record.place(record.ends.len()), "a quote that is never closed");
        }
        if at_end && record.ends.is_empty() && self.bytes.is_empty() && !any_quote {
            record.lines.clear();
            return Ok(false);
        }
        if self.delimiter == b' ' && state == State::FieldStart && !record.ends.is_empty() {
            record.lines.pop(); // spaces at the end of a line are no field
        } else {
            record.ends.push(self.bytes.len());
        }
        match String::from_utf8(std::mem::take(&mut self.bytes)) {
            Ok(text) => record.text = text,
            Err(error) => {
                let valid = error.utf8_error().valid_up_to();
                let field = record.ends.partition_point(|&end| end <= valid);
                return fault(record.place(field), "the text is not UTF-8");
            }
        }
        // A character cannot lie in two fields: the delimiter between them is ASCII and was no part of it. But the
        // halves of a broken one can meet when it is taken out.
        if let Some(field) = record.ends.iter().position(|&end| !record.text.is_char_boundary(end)) {
            return fault(record.place(field), "the text is not UTF-8");
        }
        Ok(true)
    }
}

fn fault<T>(place: Place, problem: &str) -> Result<T, Fault> {
    Err(Fault::Text { place, problem: problem.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines and fields, or place and problem of a fault.
    type Outcome = Result<Vec<(u64, Vec<String>)>, (String, String)>;

    fn read(text: &[u8]) -> Outcome {
        // A tiny buffer, so that every state is met at the end of a chunk.
        let input = io::BufReader::with_capacity(1, text);
        let mut records = Records::new(input, b',');
        let (mut record, mut all) = (Record::default(), Vec::new());
        loop {
            match records.next(&mut record) {
                Ok(true) => all.push((record.line(), record.iter().map(str::to_string).collect())),
                Ok(false) => return Ok(all),
                Err(Fault::Io(error)) => panic!("{error}"),
                Err(Fault::Text { place, problem }) => return Err((place.to_string(), problem)),
            }
        }
    }

    fn expect(text: &str, expected: &[(u64, &[&str])]) {
        let expected: Vec<(u64, Vec<String>)> =
            expected.iter().map(|(line, fields)| (*line, fields.iter().map(ToString::to_string).collect())).collect();
        assert_eq!(read(text.as_bytes()), Ok(expected), "{text:?}");
    }

    #[test]
    fn fields_quotes_and_line_ends() {
        expect("a,b\nc,d\n", &[(1, &["a", "b"]), (2, &["c", "d"])]);
        expect("a,b\r\nc,d", &[(1, &["a", "b"]), (2, &["c", "d"])]);
        expect("a\rb\r\r\nc", &[(1, &["a"]), (2, &["b"]), (4, &["c"])]);
        expect("\n\r\n a , b \n\nc,\n", &[(3, &["a", "b"]), (5, &["c", ""])]);
        expect("\"a,\"\"b\"\"\r\nc\",d\ne,f", &[(1, &["a,\"b\"\r\nc", "d"]), (3, &["e", "f"])]);
        expect("\"\"\n5\" disk,x\n", &[(1, &[""]), (2, &["5\" disk", "x"])]);
        expect("", &[]);
        expect("\n\n", &[]);
        expect(",\n", &[(1, &["", ""])]);
    }

    #[test]
    fn faults_have_line_and_field() {
        let place = |line, field| Place::Field { line, field }.to_string();
        for (text, line, field, problem) in [
            (&b"a,b\nc,\"d\ne\n"[..], 2, 2, "a quote that is never closed"),
            (b"a\r\n\r\n\"b\"c", 3, 1, "text after a closing quote"),
            (b"a,b\nc,\xe9\n", 2, 2, "the text is not UTF-8"),
            (b"a\xc3,\xa9b\n", 1, 1, "the text is not UTF-8"),
            (b"a,\0\n", 1, 2, "a byte of 0, this is not text"),
        ] {
            assert_eq!(read(text), Err((place(line, field), problem.to_string())));
        }
    }
}
