//! What the type of a data set means: numbers, text, references, or something that is not read.

use super::order;
use crate::{element::ElementType, file::numbers::ByteOrder};
use hdf5_reader::{CompoundField, Dataset, Datatype, EnumMember, ReferenceType, VarLenKind, error::Result};

/// What a data set holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Number {
        element: ElementType,
        order: ByteOrder,
    },
    Text,
    /// References to other objects of the file.
    Reference,
    /// Something that is not read, with what it is.
    Other(String),
}

/// What `dataset` holds, and the axes that each of its elements has by itself.
pub(super) fn kind(dataset: &Dataset) -> Result<(Kind, Vec<usize>)> {
    let kind = of(dataset.dtype());
    // The decoder takes every number for one that fills its bytes, and every floating-point one for one of IEEE 754.
    if matches!(kind, Kind::Number { .. }) && !is_plain(&dataset.raw_datatype()?) {
        return Ok((Kind::Other("numbers of an uncommon layout".into()), Vec::new()));
    }
    if let (Datatype::Array { base, dims }, Kind::Other(_)) = (dataset.dtype(), &kind) {
        let lengths = dims.iter().map(|&len| usize::try_from(len).ok()).collect::<Option<Vec<_>>>();
        if let (inner @ Kind::Number { .. }, Some(lengths)) = (of(base), lengths) {
            return Ok((inner, lengths));
        }
    }
    Ok((kind, Vec::new()))
}

fn of(datatype: &Datatype) -> Kind {
    let other = |what: &str| Kind::Other(what.to_string());
    match datatype {
        Datatype::FixedPoint { size, signed, byte_order } => match integer(*size, *signed) {
            Some(element) => Kind::Number { element, order: order(*byte_order) },
            None => Kind::Other(format!("integers of {size} bytes")),
        },
        Datatype::Bitfield { size, byte_order } => match integer(*size, false) {
            Some(element) => Kind::Number { element, order: order(*byte_order) },
            None => Kind::Other(format!("bits in {size} bytes")),
        },
        Datatype::FloatingPoint { size, byte_order } => match float(*size) {
            Some(element) => Kind::Number { element, order: order(*byte_order) },
            None => Kind::Other(format!("floating-point numbers of {size} bytes")),
        },
        Datatype::Enum { base, members } => match (of(base), is_truth(members)) {
            (Kind::Number { element: ElementType::I8 | ElementType::U8, order }, true) => {
                Kind::Number { element: ElementType::Bool, order }
            }
            (kind, _) => kind,
        },
        Datatype::Compound { size, fields } => complex(*size, fields).unwrap_or_else(|| other("records")),
        Datatype::String { .. } => Kind::Text,
        Datatype::VarLen { base, kind: VarLenKind::String, .. } if base.is_vlen_string_base() => Kind::Text,
        Datatype::VarLen { .. } => other("lists of different lengths"),
        Datatype::Reference { ref_type: ReferenceType::Object, size: 8 } => Kind::Reference,
        Datatype::Reference { .. } => other("references"),
        Datatype::Array { .. } => other("arrays in each element"),
        Datatype::Opaque { .. } => other("opaque bytes"),
    }
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

/// Complex numbers as h5py (`r`, `i`) and MATLAB (`real`, `imag`) write them.
fn complex(size: u32, fields: &[CompoundField]) -> Option<Kind> {
    let [real, imaginary] = fields else { return None };
    let named = matches!((real.name.as_str(), imaginary.name.as_str()), ("r", "i") | ("real", "imag"));
    let half = size / 2;
    if !named || real.datatype != imaginary.datatype || real.byte_offset != 0 || imaginary.byte_offset != half {
        return None;
    }
    let Datatype::FloatingPoint { size: float_size, byte_order } = real.datatype else { return None };
    let element = match (float_size, size) {
        (4, 8) => ElementType::Complex64,
        (8, 16) => ElementType::Complex128,
        _ => return None,
    };
    Some(Kind::Number { element, order: order(byte_order) })
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
