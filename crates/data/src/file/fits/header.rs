//! The header of a part of a FITS file: cards of 80 bytes, in blocks of 36.

use crate::{
    error::{Place, Result},
    file::origin::Origin,
};
use std::io::{self, Read};

/// The length that everything in a FITS file is a multiple of.
pub(super) const BLOCK_BYTES: usize = 2880;

/// Bytes of a card.
const CARD_BYTES: usize = 80;

/// The most blocks of one header: 36 000 cards, where headers with a long history have some thousands.
const BLOCKS: usize = 1000;

/// The cards of a header.
#[derive(Debug)]
pub(super) struct Header {
    /// Keyword, value and offset in the file.
    cards: Vec<(String, Value, u64)>,
    /// Its length with padding.
    pub(super) bytes: u64,
    /// The sum of its words for the checksum.
    pub(super) sum: u32,
}

/// The value of a card.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Logical(bool),
    /// A number as it is written; which type it has depends on the keyword.
    Number(String),
    /// Nothing, or something that is none of the above.
    Other,
}

impl Header {
    /// Reads the header that begins at `offset`, where `reader` stands.
    pub(super) fn read(reader: &mut dyn Read, offset: u64, origin: &Origin) -> Result<Self> {
        let mut header = Self { cards: Vec::new(), bytes: 0, sum: 0 };
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
                    header.cards.push((keyword.to_string(), value_of(value), at));
                }
            }
            header.bytes += BLOCK_BYTES as u64;
        }
        Err(origin.fault(Place::Byte(offset), format!("the header has no END card within {BLOCKS} blocks")))
    }

    fn find(&self, keyword: &str) -> Option<(&Value, Place)> {
        let card = self.cards.iter().find(|(known, ..)| known == keyword);
        card.map(|(_, value, at)| (value, Place::Byte(*at)))
    }

    /// A text without the blanks at its end.
    pub(super) fn text(&self, keyword: &str) -> Option<&str> {
        match self.find(keyword) {
            Some((Value::Text(text), _)) => Some(text.trim_end()),
            _ => None,
        }
    }

    /// Whether a keyword is there and true.
    pub(super) fn is(&self, keyword: &str) -> bool {
        matches!(self.find(keyword), Some((Value::Logical(true), _)))
    }

    /// A whole number, if the keyword is there.
    pub(super) fn integer(&self, keyword: &str, origin: &Origin) -> Result<Option<i64>> {
        self.number(keyword, "a whole number", |text| text.parse().ok(), origin)
    }

    /// A real number, if the keyword is there.
    pub(super) fn real(&self, keyword: &str, origin: &Origin) -> Result<Option<f64>> {
        let parse = |text: &str| text.replace(['D', 'd'], "E").parse().ok().filter(|value: &f64| value.is_finite());
        self.number(keyword, "a number", parse, origin)
    }

    fn number<T>(
        &self,
        keyword: &str,
        expected: &str,
        parse: impl Fn(&str) -> Option<T>,
        origin: &Origin,
    ) -> Result<Option<T>> {
        let Some((value, place)) = self.find(keyword) else { return Ok(None) };
        let parsed = match value {
            Value::Number(text) => parse(text),
            _ => None,
        };
        match parsed {
            Some(number) => Ok(Some(number)),
            None => Err(origin.fault(place, format!("{keyword} is {value:?}, expected {expected}"))),
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
