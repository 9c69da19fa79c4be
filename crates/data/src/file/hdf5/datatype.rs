//! What the type of a data set or of an attribute means: numbers, texts, records, references, or something that is not read.
//!
//! The decoder names a type but leaves out how the bits of a number lie in its bytes, so that the description in the file is gone
//! through beside what it says: HDF5 File Format Specification 3.0, IV.A.2.d.

use super::order;
use crate::{element::ElementType, file::numbers::ByteOrder};
use hdf5_reader::{
    CompoundField, Datatype, EnumMember, ReferenceType, StringPadding, StringSize, VarLenKind,
    error::{Error, Result},
};
use std::ops::Range;

/// What a data set holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Number {
        element: ElementType,
        /// The type of the parts of complex numbers that are stored as pairs of narrower ones, which `element` holds exactly.
        parts: Option<ElementType>,
        order: ByteOrder,
    },
    Text(Texts),
    /// Named values in each element.
    Record(Vec<Field>),
    /// References to other objects of the file.
    Reference,
    /// Something that is not read, with what it is.
    Other(String),
}

/// How texts lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Texts {
    /// In so many bytes each.
    Fixed(usize, StringPadding),
    /// Elsewhere, each as long as it is.
    Variable(StringPadding),
}

/// A named value of records.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: Value,
    /// Its bytes in those of the record.
    pub(super) range: Range<usize>,
}

/// One value of a type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Value {
    pub(super) kind: Kind,
    /// The axes that it has by itself.
    pub(super) shape: Vec<usize>,
    /// Its bytes.
    size: usize,
}

/// What a value of `datatype` is, whose description in the file is `message`.
pub(super) fn value(datatype: &Datatype, mut message: &[u8]) -> Result<Value> {
    of(datatype, &mut message).ok_or_else(|| Error::InvalidData("the description of its type is damaged".into()))
}

/// Goes to the end of one description; nothing where that does not fit `datatype`.
fn of(datatype: &Datatype, message: &mut &[u8]) -> Option<Value> {
    let start = *message;
    let [class, flags, _, _, size @ ..] = *message.split_off(..8)?.first_chunk::<8>()?;
    let (version, size) = (class >> 4, u32::from_le_bytes(size));
    let mut shape = Vec::new();
    let number = |element: Option<ElementType>, byte_order, otherwise: String| match element {
        // The decoder takes every number for one that fills its bytes, and every floating-point one for one of IEEE 754.
        Some(_) if !is_plain(start) => other("numbers of an uncommon layout"),
        Some(element) => Kind::Number { element, parts: None, order: order(byte_order) },
        None => Kind::Other(otherwise),
    };
    let kind = match datatype {
        Datatype::FixedPoint { size, signed, byte_order } => {
            message.split_off(..4)?;
            number(integer(*size, *signed), *byte_order, format!("integers of {size} bytes"))
        }
        Datatype::Bitfield { size, byte_order } => {
            message.split_off(..4)?;
            number(integer(*size, false), *byte_order, format!("bits in {size} bytes"))
        }
        Datatype::FloatingPoint { size, byte_order } => {
            message.split_off(..12)?;
            number(float(*size), *byte_order, format!("floating-point numbers of {size} bytes"))
        }
        Datatype::Enum { members, base } => {
            let base = of(base, message)?;
            for _ in members {
                skip_name(version, message)?;
            }
            message.split_off(..members.len().checked_mul(size as usize)?)?;
            match base.kind {
                Kind::Number { element: ElementType::I8 | ElementType::U8, parts, order } if is_truth(members) => {
                    Kind::Number { element: ElementType::Bool, parts, order }
                }
                kind => kind,
            }
        }
        Datatype::Compound { fields, .. } => {
            let fields = fields.iter().map(|field| member(field, version, size, message));
            let fields = fields.collect::<Option<Vec<_>>>()?;
            complex(size as usize, &fields).unwrap_or(Kind::Record(fields))
        }
        Datatype::Array { base, dims } => {
            message.split_off(..1)?;
            let axes = dims.len().checked_mul(4)?;
            // The older versions have reserved bytes, and the order of the axes, which nothing uses.
            message.split_off(..if version < 3 { 3 + 2 * axes } else { axes })?;
            let lengths = dims.iter().map(|&len| usize::try_from(len).ok()).collect::<Option<Vec<_>>>()?;
            match of(base, message)? {
                Value { kind: kind @ Kind::Number { .. }, shape: inner, .. } if inner.is_empty() => {
                    shape = lengths;
                    kind
                }
                _ => other("arrays in each element"),
            }
        }
        Datatype::String { size: StringSize::Fixed(size), padding, .. } => {
            Kind::Text(Texts::Fixed((*size).max(1) as usize, *padding))
        }
        Datatype::String { padding, .. } => Kind::Text(Texts::Variable(*padding)),
        Datatype::VarLen { base, kind, padding, .. } => {
            of(base, message)?;
            match kind {
                VarLenKind::String if base.is_vlen_string_base() => Kind::Text(Texts::Variable(*padding)),
                _ => other("lists of different lengths"),
            }
        }
        Datatype::Reference { ref_type: ReferenceType::Object, size: 8 } => Kind::Reference,
        Datatype::Reference { .. } => other("references"),
        Datatype::Opaque { .. } => {
            // Times have their number of bits, other bytes a tag.
            let times = class & 0x0f == 2;
            message.split_off(..if times { 2 } else { usize::from(flags).next_multiple_of(8) })?;
            other("opaque bytes")
        }
    };
    Some(Value { kind, shape, size: size as usize })
}

/// A field of records of `size` bytes.
fn member(field: &CompoundField, version: u8, size: u32, message: &mut &[u8]) -> Option<Field> {
    skip_name(version, message)?;
    // Its place in the record, in as many bytes as the size needs; in the first version with a shape that nothing uses.
    let place = match (version, size) {
        (1, _) => 32,
        (0 | 2, _) => 4,
        (_, size) => (4 - size.leading_zeros() / 8).max(1) as usize,
    };
    message.split_off(..place)?;
    let value = of(&field.datatype, message)?;
    let start = field.byte_offset as usize;
    let range = start..start.checked_add(value.size)?;
    (range.end <= size as usize).then(|| Field { name: field.name.clone(), value, range })
}

/// Names end in a zero and in the older versions fill eights of bytes.
fn skip_name(version: u8, message: &mut &[u8]) -> Option<()> {
    let len = message.iter().position(|&byte| byte == 0)? + 1;
    message.split_off(..if version < 3 { len.next_multiple_of(8) } else { len }).map(drop)
}

fn other(what: &str) -> Kind {
    Kind::Other(what.to_string())
}

fn integer(size: u8, signed: bool) -> Option<ElementType> {
    Some(match (size, signed) {
        (1, false) => ElementType::U8,
        (1, true) => ElementType::I8,
        (2, false) => ElementType::U16,
        (2, true) => ElementType::I16,
        (4, false) => ElementType::U32,
        (4, true) => ElementType::I32,
        (8, false) => ElementType::U64,
        (8, true) => ElementType::I64,
        _ => return None,
    })
}

fn float(size: u8) -> Option<ElementType> {
    Some(match size {
        2 => ElementType::F16,
        4 => ElementType::F32,
        8 => ElementType::F64,
        _ => return None,
    })
}

/// Booleans as h5py and NetCDF write them.
fn is_truth(members: &[EnumMember]) -> bool {
    let is = |member: &EnumMember, name: &str, value: u8| {
        member.name.eq_ignore_ascii_case(name) && member.value.as_slice() == [value]
    };
    matches!(members, [no, yes] if is(no, "FALSE", 0) && is(yes, "TRUE", 1))
}

/// Complex numbers as h5py (`r`, `i`) and MATLAB (`real`, `imag`) write them, of any numbers that f32 or f64 holds exactly: the
/// raw data of correlators are pairs of integers.
fn complex(size: usize, fields: &[Field]) -> Option<Kind> {
    let [real, imaginary] = fields else { return None };
    let named = matches!((real.name.as_str(), imaginary.name.as_str()), ("r", "i") | ("real", "imag"));
    if !named || real.value != imaginary.value || !real.value.shape.is_empty() {
        return None;
    }
    let Kind::Number { element: part, parts: None, order } = real.value.kind else { return None };
    if real.range.start != 0 || imaginary.range.start != part.size_bytes() || imaginary.range.end != size {
        return None;
    }
    let (element, parts) = match part {
        ElementType::F32 => (ElementType::Complex64, None),
        ElementType::F64 => (ElementType::Complex128, None),
        ElementType::I8 | ElementType::U8 | ElementType::I16 | ElementType::U16 | ElementType::F16 => {
            (ElementType::Complex64, Some(part))
        }
        ElementType::I32 | ElementType::U32 => (ElementType::Complex128, Some(part)),
        _ => return None,
    };
    Some(Kind::Number { element, parts, order })
}

/// Whether the message of a type of number describes one that fills its bytes, and is laid out as IEEE 754 has it where it is a
/// floating-point one; true for everything else.
fn is_plain(message: &[u8]) -> bool {
    let [head, flags, sign, _, s0, s1, s2, s3, rest @ ..] = message else { return false };
    let size = u32::from_le_bytes([*s0, *s1, *s2, *s3]);
    let bits = |bytes: &[u8]| {
        let [o0, o1, p0, p1, ..] = bytes else { return false };
        u16::from_le_bytes([*o0, *o1]) == 0 && u32::from(u16::from_le_bytes([*p0, *p1])) == size.saturating_mul(8)
    };
    match (head & 0x0f, rest) {
        (0 | 4, rest) => bits(rest),
        (1, [_, _, _, _, exponent_at, exponent_bits, mantissa_at, mantissa_bits, b0, b1, b2, b3, ..]) => {
            let bias = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
            let layout = (*sign, *exponent_at, *exponent_bits, *mantissa_at, *mantissa_bits, bias);
            let expected = match size {
                2 => (15, 10, 5, 0, 10, 15),
                4 => (31, 23, 8, 0, 23, 127),
                8 => (63, 52, 11, 0, 52, 1023),
                _ => return false,
            };
            // The byte order is little or big, not that of VAX, and the first bit of the mantissa is implied.
            bits(rest) && layout == expected && flags & 0x40 == 0 && flags >> 4 & 3 == 2
        }
        (1, _) => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_common_layouts_are_plain() {
        let double = [0x11, 0x20, 63, 0, 8, 0, 0, 0, 0, 0, 64, 0, 52, 11, 0, 52, 0xff, 3, 0, 0];
        assert!(is_plain(&double));
        let with = |at: usize, value: u8| {
            let mut message = double;
            message[at] = value;
            is_plain(&message)
        };
        assert!(with(1, 0x21), "the other byte order");
        for (at, value) in [(1, 0x61), (1, 0x10), (2, 31), (8, 1), (10, 63), (12, 51), (13, 10), (15, 51), (16, 0)] {
            assert!(!with(at, value), "{at} {value}");
        }
        assert!(is_plain(&[0x10, 0x08, 0, 0, 2, 0, 0, 0, 0, 0, 16, 0]));
        assert!(!is_plain(&[0x10, 0x08, 0, 0, 2, 0, 0, 0, 0, 0, 12, 0]), "12 bits in two bytes");
        assert!(!is_plain(&[0x10]) && !is_plain(&double[..18]));
    }
}
