//! The columns of a binary table: `TFORMn = rT` says that each row has `r` numbers of the type `T`, one column after the other.
//!
//! FITS standard 4.0, section 7.3. `TTYPEn` is the name of a column, `TUNITn` its unit; `TSCALn`, `TZEROn` and `TNULLn` are what
//! `BSCALE`, `BZERO` and `BLANK` are for images. `TDIMn` is not looked at: what it shapes is shown as one axis.

use super::{
    header::Cards,
    part::{Content, Item},
    scaling::Scaling,
};
use crate::{
    element::ElementType,
    error::{Place, Result},
    file::{dataset::Class, numbers::ByteOrder, origin::Origin, raw::Layout},
};

/// The most columns of a table, by the standard.
const COLUMNS: i64 = 999;

/// A column by its `TFORMn`.
#[derive(Debug, PartialEq)]
struct Form {
    repeat: usize,
    letter: char,
}

impl Form {
    /// Of a text such as `E`, `1024E` or `20A`; what follows the letter matters only to what is not read.
    fn of(text: &str) -> Option<Self> {
        let digits = text.len() - text.trim_start_matches(|letter: char| letter.is_ascii_digit()).len();
        let repeat = if digits == 0 { 1 } else { text[..digits].parse().ok()? };
        let letter = text[digits..].chars().next()?;
        "LXBIJKAEDCMPQ".contains(letter).then_some(Self { repeat, letter })
    }

    /// The type of its numbers; nothing for bits, and for what points to numbers elsewhere.
    fn element(&self) -> Option<ElementType> {
        Some(match self.letter {
            'L' | 'B' | 'A' => ElementType::U8,
            'I' => ElementType::I16,
            'J' => ElementType::I32,
            'K' => ElementType::I64,
            'E' => ElementType::F32,
            'D' => ElementType::F64,
            'C' => ElementType::Complex64,
            'M' => ElementType::Complex128,
            _ => return None,
        })
    }

    /// Its bytes in a row.
    fn bytes(&self) -> Option<usize> {
        match (self.letter, self.element()) {
            (_, Some(element)) => self.repeat.checked_mul(element.size_bytes()),
            ('X', _) => Some(self.repeat.div_ceil(8)),
            ('P', _) => self.repeat.checked_mul(8),
            _ => self.repeat.checked_mul(16),
        }
    }
}

/// Lists the columns of a table whose header begins at `offset` and whose data begin at `data`.
pub(super) fn read(
    header: &Cards,
    (stored, shape): (ElementType, &[usize]),
    data: u64,
    offset: u64,
    origin: &Origin,
) -> Result<Vec<Item>> {
    let fault = |problem: String| origin.fault(Place::Byte(offset), problem);
    let (ElementType::U8, &[row_bytes, rows]) = (stored, shape) else {
        return Err(fault("a table has BITPIX 8 and two axes, and this one does not".into()));
    };
    let count = header.integer("TFIELDS")?.ok_or_else(|| fault("the header has no TFIELDS".into()))?;
    if !(0..=COLUMNS).contains(&count) {
        return Err(fault(format!("TFIELDS is {count}, 0 to {COLUMNS} are taken")));
    }
    let mut items = Vec::new();
    let mut start = 0_usize;
    for number in 1..=count as usize {
        let keyword = format!("TFORM{number}");
        let text = header.text(&keyword).ok_or_else(|| fault(format!("the header has no {keyword}")))?;
        let form = Form::of(text.trim());
        let form = form.ok_or_else(|| fault(format!("{keyword} is {text:?}, which is no format of a column")))?;
        let end = form.bytes().and_then(|bytes| start.checked_add(bytes)).filter(|&end| end <= row_bytes);
        let Some(end) = end else {
            return Err(fault(format!("column {number} of {text:?} does not fit into the {row_bytes} bytes of a row")));
        };
        let item = item(header, &form, number, (rows, row_bytes), data + start as u64)?;
        let name = header.text(&format!("TTYPE{number}")).map(str::trim).filter(|name| !name.is_empty());
        let name = name.map_or_else(|| format!("col{number}"), str::to_string);
        items.push(Item { column: Some((number, name)), ..item });
        start = end;
    }
    if start != row_bytes {
        return Err(fault(format!("the columns have {start} bytes a row, NAXIS1 is {row_bytes}")));
    }
    Ok(items)
}

fn item(header: &Cards, form: &Form, number: usize, rows: (usize, usize), offset: u64) -> Result<Item> {
    let (rows, row_bytes) = rows;
    let Some(element) = form.element() else {
        let what = if form.letter == 'X' { "a column of bits" } else { "a column of varying length" };
        return Ok(Item::unread(what));
    };
    let shape = if form.repeat == 1 && form.letter != 'A' { vec![rows] } else { vec![rows, form.repeat] };
    let axes = (0..shape.len()).collect();
    let layout = Layout { offset, element, order: ByteOrder::Big, shape, axes, row_bytes: Some(row_bytes) };
    let scale = header.real(&format!("TSCAL{number}"))?.unwrap_or(1.0);
    let zero = header.real(&format!("TZERO{number}"))?.unwrap_or(0.0);
    let scaling = match form.letter {
        'A' => {
            let (shape, content) = (vec![rows], Content::Text(layout));
            return Ok(Item { column: None, shape, class: Class::Text, content });
        }
        'L' => Some(Scaling::Logical),
        'C' | 'M' if (scale, zero) != (1.0, 0.0) => return Ok(Item::unread("a scaled column of complex numbers")),
        'C' | 'M' => None,
        _ => Scaling::of(element, scale, zero, header.integer(&format!("TNULL{number}"))?),
    };
    Ok(Item::numbers(layout, scaling))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_of_columns() {
        let bytes = |text| Form::of(text).map(|form| (form.repeat, form.letter, form.bytes()));
        assert_eq!(bytes("E"), Some((1, 'E', Some(4))));
        assert_eq!(bytes("1024D"), Some((1024, 'D', Some(8192))));
        assert_eq!(bytes("0M"), Some((0, 'M', Some(0))));
        assert_eq!(bytes("11X"), Some((11, 'X', Some(2))));
        assert_eq!(bytes("1PE(7)"), Some((1, 'P', Some(8))));
        assert_eq!(bytes("QD"), Some((1, 'Q', Some(16))));
        assert_eq!(bytes("9223372036854775807M"), Some((usize::MAX >> 1, 'M', None)));
        for wrong in ["", "-3E", "3", "3Z", "e", "99999999999999999999E", " E"] {
            assert_eq!(Form::of(wrong), None, "{wrong:?}");
        }
    }
}
