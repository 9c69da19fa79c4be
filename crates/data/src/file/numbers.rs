//! Numbers as bytes of either order.

use crate::element::{ElementType, Values};
use half::f16;
use num_complex::Complex;
use std::io::{self, Read, Write};

/// Which byte of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    /// The least significant one.
    Little,
    /// The most significant one.
    Big,
}

impl ByteOrder {
    /// The number of four bytes.
    pub(crate) fn u32(self, bytes: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(bytes),
            Self::Big => u32::from_be_bytes(bytes),
        }
    }
}

/// Bytes read or written at a time; a multiple of the size of every type, and many times the 32 KiB that an inflating
/// reader keeps from one read to the next.
const CHUNK_BYTES: usize = 256 << 10;

/// Reads `count` numbers.
///
/// The caller has checked that so many can be there; a size that memory does not have is an error all the same.
pub(crate) fn read_values(
    reader: &mut dyn Read,
    element: ElementType,
    count: usize,
    order: ByteOrder,
) -> io::Result<Values> {
    macro_rules! read {
        ($variant:ident, $number:ty) => {
            Values::$variant(match order {
                ByteOrder::Little => read_vector(reader, count, <$number>::from_le_bytes)?,
                ByteOrder::Big => read_vector(reader, count, <$number>::from_be_bytes)?,
            })
        };
    }
    Ok(match element {
        ElementType::U8 => read!(U8, u8),
        ElementType::I8 => read!(I8, i8),
        ElementType::U16 => read!(U16, u16),
        ElementType::I16 => read!(I16, i16),
        ElementType::U32 => read!(U32, u32),
        ElementType::I32 => read!(I32, i32),
        ElementType::U64 => read!(U64, u64),
        ElementType::I64 => read!(I64, i64),
        ElementType::F16 => read!(F16, f16),
        ElementType::F32 => read!(F32, f32),
        ElementType::F64 => read!(F64, f64),
        // As NumPy and MATLAB: everything but 0 is true.
        ElementType::Bool => Values::Bool(read_vector(reader, count, |[byte]| byte != 0)?),
        ElementType::Complex64 => Values::Complex64(match order {
            ByteOrder::Little => read_vector(reader, count, pair::<_, 8, _>(f32::from_le_bytes))?,
            ByteOrder::Big => read_vector(reader, count, pair::<_, 8, _>(f32::from_be_bytes))?,
        }),
        ElementType::Complex128 => Values::Complex128(match order {
            ByteOrder::Little => read_vector(reader, count, pair::<_, 16, _>(f64::from_le_bytes))?,
            ByteOrder::Big => read_vector(reader, count, pair::<_, 16, _>(f64::from_be_bytes))?,
        }),
    })
}

/// Writes numbers, least significant byte first.
pub(crate) fn write_values(writer: &mut dyn Write, values: &Values) -> io::Result<()> {
    match values {
        Values::U8(values) => writer.write_all(values),
        Values::I8(values) => write_vector(writer, values, i8::to_le_bytes),
        Values::U16(values) => write_vector(writer, values, u16::to_le_bytes),
        Values::I16(values) => write_vector(writer, values, i16::to_le_bytes),
        Values::U32(values) => write_vector(writer, values, u32::to_le_bytes),
        Values::I32(values) => write_vector(writer, values, i32::to_le_bytes),
        Values::U64(values) => write_vector(writer, values, u64::to_le_bytes),
        Values::I64(values) => write_vector(writer, values, i64::to_le_bytes),
        Values::F16(values) => write_vector(writer, values, f16::to_le_bytes),
        Values::F32(values) => write_vector(writer, values, f32::to_le_bytes),
        Values::F64(values) => write_vector(writer, values, f64::to_le_bytes),
        Values::Bool(values) => write_vector(writer, values, |value| [u8::from(value)]),
        Values::Complex64(values) => {
            write_vector(writer, values, |value| joined::<8, _>([value.re, value.im].map(f32::to_le_bytes)))
        }
        Values::Complex128(values) => {
            write_vector(writer, values, |value| joined::<16, _>([value.re, value.im].map(f64::to_le_bytes)))
        }
    }
}

fn read_vector<T, const N: usize>(
    reader: &mut dyn Read,
    count: usize,
    number: impl Fn([u8; N]) -> T,
) -> io::Result<Vec<T>> {
    let mut values = Vec::new();
    values.try_reserve_exact(count).map_err(|_| io::ErrorKind::OutOfMemory)?;
    let mut chunk = vec![0; count.min(CHUNK_BYTES / N) * N];
    while values.len() < count {
        let wanted = (count - values.len()).min(CHUNK_BYTES / N);
        let chunk = &mut chunk[..wanted * N];
        reader.read_exact(chunk)?;
        let (numbers, _) = chunk.as_chunks::<N>();
        values.extend(numbers.iter().map(|&bytes| number(bytes)));
    }
    Ok(values)
}

fn write_vector<T: Copy, const N: usize>(
    writer: &mut dyn Write,
    values: &[T],
    bytes: impl Fn(T) -> [u8; N],
) -> io::Result<()> {
    let mut chunk = Vec::with_capacity(CHUNK_BYTES);
    for values in values.chunks(CHUNK_BYTES / N) {
        chunk.clear();
        chunk.extend(values.iter().flat_map(|&value| bytes(value)));
        writer.write_all(&chunk)?;
    }
    Ok(())
}

/// The bytes of both parts.
fn joined<const N: usize, const M: usize>(parts: [[u8; M]; 2]) -> [u8; N] {
    const { assert!(N == 2 * M) }
    std::array::from_fn(|i| parts[i / M][i % M])
}

/// The complex number whose real part lies before its imaginary one.
fn pair<T, const N: usize, const M: usize>(part: impl Fn([u8; M]) -> T) -> impl Fn([u8; N]) -> Complex<T> {
    const { assert!(N == 2 * M) }
    move |bytes| {
        let half = |start: usize| part(std::array::from_fn(|i| bytes[start + i]));
        Complex::new(half(0), half(M))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_are_read() {
        let bytes = [0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0];
        let read = |element, count, order| read_values(&mut &bytes[..], element, count, order).unwrap();
        assert_eq!(read(ElementType::F32, 2, ByteOrder::Big), Values::F32(vec![1.0, -2.5]));
        assert_eq!(read(ElementType::Complex64, 1, ByteOrder::Big), Values::Complex64(vec![Complex::new(1.0, -2.5)]));
        assert_eq!(read(ElementType::U16, 1, ByteOrder::Little), Values::U16(vec![0x803f]));
        assert_eq!(read(ElementType::Bool, 3, ByteOrder::Little), Values::Bool(vec![true, true, false]));
    }

    #[test]
    fn more_than_one_chunk_goes_through_and_early_ends_are_errors() {
        let values = Values::F64((0..70_001).map(f64::from).collect());
        let mut bytes = Vec::new();
        write_values(&mut bytes, &values).unwrap();
        assert_eq!(bytes.len(), 70_001 * 8);
        let read = |bytes: &[u8]| read_values(&mut &*bytes, ElementType::F64, 70_001, ByteOrder::Little);
        assert_eq!(read(&bytes).unwrap(), values);
        assert_eq!(read(&bytes[1..]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        let huge = read_values(&mut &bytes[..], ElementType::F64, usize::MAX / 8, ByteOrder::Little);
        assert_eq!(huge.unwrap_err().kind(), io::ErrorKind::OutOfMemory);
    }
}
