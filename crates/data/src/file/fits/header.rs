//! The header of a part of a FITS file: cards of 80 bytes, in blocks of 36.

use super::{
    wcs::{self, Wcs},
    write::FitsCards,
};
use crate::{
    error::{Error, Place, Result},
    file::origin::Origin,
};
use std::{
    collections::HashMap,
    io::{self, Read},
    sync::Arc,
};

/// The length that everything in a FITS file is a multiple of.
pub(super) const BLOCK_BYTES: usize = 2880;

/// Bytes of a card.
pub(super) const CARD_BYTES: usize = 80;

/// The most blocks of one header: 36 000 cards, where headers with a long history have some thousands.
const BLOCKS: usize = 1000;

/// What the header of a FITS file says of an image, or of a column of a table; see
/// [`Dataset::fits_header`](crate::Dataset::fits_header).
#[derive(Clone, Debug)]
pub struct FitsHeader {
    cards: Arc<Cards>,
    /// The number of the column, counted from 1.
    column: Option<usize>,
}

/// The beam of a telescope that an image was made with, as `BMAJ`, `BMIN` and `BPA` say it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FitsBeam {
    /// Full width at half maximum along the longer axis, in degrees.
    pub major_deg: f64,
    /// The same along the shorter one.
    pub minor_deg: f64,
    /// The direction of the longer axis, from north through east, in degrees.
    pub angle_deg: f64,
}

impl FitsHeader {
    pub(super) fn new(cards: Arc<Cards>, column: Option<usize>) -> Self {
        Self { cards, column }
    }

    /// A text without the blanks at its end; nothing where the keyword is missing or is no text.
    pub fn text(&self, keyword: &str) -> Option<&str> {
        self.cards.text(keyword)
    }

    /// Whether a keyword is true; nothing where it is missing or neither true nor false.
    pub fn logical(&self, keyword: &str) -> Option<bool> {
        self.cards.logical(keyword)
    }

    /// A whole number, if the keyword is there.
    ///
    /// # Errors
    /// [`Error::Format`](crate::Error::Format) with the place of the card when its value is none.
    pub fn integer(&self, keyword: &str) -> Result<Option<i64>> {
        self.cards.integer(keyword)
    }

    /// A real number, if the keyword is there.
    ///
    /// # Errors
    /// [`Error::Format`](crate::Error::Format) with the place of the card when its value is none, or not finite.
    pub fn real(&self, keyword: &str) -> Result<Option<f64>> {
        self.cards.real(keyword)
    }

    /// The number of the column in its table, counted from 1; nothing for an image.
    pub fn column(&self) -> Option<usize> {
        self.column
    }

    /// The unit of the numbers, as it is written: `BUNIT` of an image, `TUNITn` of a column.
    pub fn unit(&self) -> Option<&str> {
        let text = match self.column {
            Some(column) => self.text(&format!("TUNIT{column}")),
            None => self.text("BUNIT"),
        };
        text.map(str::trim).filter(|unit| !unit.is_empty())
    }

    /// The beam, where `BMAJ` and `BMIN` are given.
    ///
    /// # Errors
    /// [`Error::Format`](crate::Error::Format) for widths that are not numbers above 0.
    pub fn beam(&self) -> Result<Option<FitsBeam>> {
        let (Some(major_deg), Some(minor_deg)) = (self.real("BMAJ")?, self.real("BMIN")?) else { return Ok(None) };
        for (keyword, width) in [("BMAJ", major_deg), ("BMIN", minor_deg)] {
            if width <= 0.0 {
                return Err(self.cards.fault(keyword, format!("a beam of {width} degrees"), "mend the header"));
            }
        }
        Ok(Some(FitsBeam { major_deg, minor_deg, angle_deg: self.real("BPA")?.unwrap_or(0.0) }))
    }

    /// The world coordinates of the axes of an image; without axes for a column.
    ///
    /// # Errors
    /// [`Error::Format`](crate::Error::Format) when the header contradicts itself: steps of 0, units that are none of the
    /// coordinate, two axes with one meaning.
    pub fn wcs(&self) -> Result<Wcs> {
        if self.column.is_some() { Ok(Wcs::default()) } else { wcs::read(&self.cards) }
    }

    /// What [`write_fits`](crate::write_fits) writes of all this beside the axes.
    ///
    /// # Errors
    /// Those of [`beam`](Self::beam) and [`wcs`](Self::wcs).
    pub fn cards(&self) -> Result<FitsCards> {
        let beam = if self.column.is_some() { None } else { self.beam()? };
        Ok(FitsCards { unit: self.unit().map(str::to_string), celestial: self.wcs()?.celestial, beam })
    }
}

/// The cards of a header.
#[derive(Debug)]
pub(super) struct Cards {
    origin: Origin,
    /// Value and offset in the file of each keyword; of a repeated one, the first.
    values: HashMap<String, (Value, u64)>,
    /// Its length with padding.
    pub(super) bytes: u64,
    /// The sum of its words for the checksum.
    pub(super) sum: u32,
}

/// The value of a card.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Text(String),
    Logical(bool),
    /// A number as it is written; which type it has depends on the keyword.
    Number(String),
    /// Nothing, or something that is none of the above.
    Other,
}

impl Cards {
    /// Reads the header that begins at `offset`, where `reader` stands.
    pub(super) fn read(reader: &mut dyn Read, offset: u64, origin: &Origin) -> Result<Self> {
        let mut header = Self { origin: origin.clone(), values: HashMap::new(), bytes: 0, sum: 0 };
        let mut block = [0; BLOCK_BYTES];
        for _ in 0..BLOCKS {
            let place = Place::Byte(offset + header.bytes);
            reader.read_exact(&mut block).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    let problem = "the header ends before its END card";
                    origin.fault_with(place, problem, "the file is truncated or damaged; copy it again")
                }
                _ => origin.read(place)(error),
            })?;
            header.sum = add_words(header.sum, &block);
            let (cards, _) = block.as_chunks::<CARD_BYTES>();
            for (number, card) in cards.iter().enumerate() {
                let at = offset + header.bytes + (number * CARD_BYTES) as u64;
                if let Some(byte) = card.iter().find(|byte| !(0x20..0x7f).contains(*byte)) {
                    return Err(
                        origin.fault(Place::Byte(at), format!("a card holds the byte {byte:#04x}, which is no text"))
                    );
                }
                let card: String = card.iter().map(|&byte| char::from(byte)).collect();
                let keyword = card[..8].trim_end();
                if keyword == "END" {
                    header.bytes += BLOCK_BYTES as u64;
                    return Ok(header);
                }
                if let Some(value) = card[8..].strip_prefix("= ") {
                    header.values.entry(keyword.to_string()).or_insert_with(|| (value_of(value), at));
                }
            }
            header.bytes += BLOCK_BYTES as u64;
        }
        Err(origin.fault(Place::Byte(offset), format!("the header has no END card within {BLOCKS} blocks")))
    }

    fn find(&self, keyword: &str) -> Option<(&Value, Place)> {
        self.values.get(keyword).map(|(value, at)| (value, Place::Byte(*at)))
    }

    /// Whether there is a card.
    pub(super) fn has(&self, keyword: &str) -> bool {
        self.values.contains_key(keyword)
    }

    /// The keywords, in no order.
    pub(super) fn keywords(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// An error in a card, or in the file where there is no such card.
    pub(super) fn fault(&self, keyword: &str, problem: String, fix: &str) -> Error {
        let place = self.find(keyword).map_or(Place::File, |(_, place)| place);
        self.origin.fault_with(place, problem, fix)
    }

    /// A text without the blanks at its end.
    pub(super) fn text(&self, keyword: &str) -> Option<&str> {
        match self.find(keyword) {
            Some((Value::Text(text), _)) => Some(text.trim_end()),
            _ => None,
        }
    }

    fn logical(&self, keyword: &str) -> Option<bool> {
        match self.find(keyword) {
            Some((&Value::Logical(value), _)) => Some(value),
            _ => None,
        }
    }

    /// Whether a keyword is there and true.
    pub(super) fn is(&self, keyword: &str) -> bool {
        self.logical(keyword) == Some(true)
    }

    /// A whole number, if the keyword is there.
    pub(super) fn integer(&self, keyword: &str) -> Result<Option<i64>> {
        self.number(keyword, "a whole number", |text| text.parse().ok())
    }

    /// A real number, if the keyword is there.
    pub(super) fn real(&self, keyword: &str) -> Result<Option<f64>> {
        let parse = |text: &str| text.replace(['D', 'd'], "E").parse().ok().filter(|value: &f64| value.is_finite());
        self.number(keyword, "a number", parse)
    }

    fn number<T>(&self, keyword: &str, expected: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Option<T>> {
        let Some((value, place)) = self.find(keyword) else { return Ok(None) };
        let parsed = match value {
            Value::Number(text) => parse(text),
            _ => None,
        };
        match parsed {
            Some(number) => Ok(Some(number)),
            None => Err(self.origin.fault(place, format!("{keyword} is {value:?}, expected {expected}"))),
        }
    }
}

/// The value in what follows `= `: a text in quotes, a letter or a number, and perhaps a comment after a slash.
fn value_of(field: &str) -> Value {
    let field = field.trim_start();
    if let Some(quoted) = field.strip_prefix('\'') {
        let mut text = String::new();
        let mut letters = quoted.chars().peekable();
        while let Some(letter) = letters.next() {
            if letter != '\'' {
                text.push(letter);
            } else if letters.next_if_eq(&'\'').is_some() {
                text.push('\'');
            } else {
                return Value::Text(text);
            }
        }
        return Value::Other;
    }
    match field.split('/').next().unwrap_or_default().trim() {
        "T" => Value::Logical(true),
        "F" => Value::Logical(false),
        number if number.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) => {
            Value::Number(number.strip_prefix('+').unwrap_or(number).to_string())
        }
        _ => Value::Other,
    }
}

/// Adds words of 32 bits, carrying what overflows back in at the low end (FITS standard 4.0, appendix J).
pub(super) fn add_words(sum: u32, bytes: &[u8]) -> u32 {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().fold(sum, |sum, &word| {
        let (sum, carry) = sum.overflowing_add(u32::from_be_bytes(word));
        // After an overflow the sum is at most 2^32 - 2.
        sum + u32::from(carry)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_every_kind_are_read() {
        assert_eq!(value_of("'it''s here' / a comment"), Value::Text("it's here".into()));
        assert_eq!(value_of("                   T / yes"), Value::Logical(true));
        assert_eq!(value_of("  -12 / minus"), Value::Number("-12".into()));
        assert_eq!(value_of("+1.5E3"), Value::Number("1.5E3".into()));
        assert_eq!(value_of("'never closed"), Value::Other);
        assert_eq!(value_of("   / nothing"), Value::Other);
    }

    #[test]
    fn sums_carry_around() {
        assert_eq!(add_words(0xffff_ffff, &[0, 0, 0, 1]), 1);
        assert_eq!(add_words(0, &[0x80, 0, 0, 0, 0x80, 0, 0, 1]), 2);
    }
}
