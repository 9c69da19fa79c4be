//! The masks that GDAL and others keep in a file beside an image: pages of one bit, or one byte, a pixel.
//!
//! Adobe, "TIFF 6.0", "Transparency mask": 1 is a pixel of the image, 0 is none. The decoder does not know such pages, so that their
//! strips or tiles are decoded here; of the ways to pack them none, deflate and PackBits are read, in one of which GDAL writes them.

use super::{PACK_BITS_RATIO, Reader, fault};
use crate::{
    array::Array,
    element::Values,
    error::{Place, Result},
    file::{
        inflate::Inflate,
        limits::{Limits, deflate_capacity},
        origin::Origin,
    },
};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};
use tiff::{
    decoder::ChunkType,
    tags::{CompressionMethod, Tag},
};

/// How a mask lies in its file.
#[derive(Debug)]
pub(crate) struct Mask {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// 1 or 8.
    bits: usize,
    method: CompressionMethod,
    is_tiled: bool,
    /// Columns and rows of a strip or tile.
    chunk: [usize; 2],
    /// Where each strip or tile is, and its bytes.
    chunks: Vec<(u64, u64)>,
}

impl Mask {
    /// The current page, if it is a mask that is read.
    pub(super) fn of(reader: &mut Reader<'_>, len: u64, limits: &Limits, origin: &Origin) -> Result<Option<Self>> {
        let failed = |error| fault(origin, error);
        let (columns, rows) = reader.dimensions().map_err(failed)?;
        let (columns, rows) = (columns as usize, rows as usize);
        let mut number = |tag: Tag, otherwise: u16| -> Result<u16> {
            let found = reader.find_tag_unsigned_vec::<u16>(tag).map_err(failed)?;
            Ok(found.and_then(|values| values.first().copied()).unwrap_or(otherwise))
        };
        let (bits, samples) = (usize::from(number(Tag::BitsPerSample, 1)?), number(Tag::SamplesPerPixel, 1)?);
        let method = CompressionMethod::from_u16_exhaustive(number(Tag::Compression, 1)?);
        let order = number(Tag::FillOrder, 1)?;
        let (is_tiled, offsets, counts) = match reader.get_chunk_type() {
            ChunkType::Strip => (false, Tag::StripOffsets, Tag::StripByteCounts),
            ChunkType::Tile => (true, Tag::TileOffsets, Tag::TileByteCounts),
        };
        let mut list =
            |tag: Tag| reader.find_tag_unsigned_vec::<u64>(tag).map(Option::unwrap_or_default).map_err(failed);
        let (offsets, counts) = (list(offsets)?, list(counts)?);
        let (width, height) = reader.chunk_dimensions();
        let chunk = [width as usize, height as usize];
        let ratio: fn(u64) -> u64 = match method {
            CompressionMethod::None => |packed| packed,
            CompressionMethod::Deflate | CompressionMethod::OldDeflate => deflate_capacity,
            CompressionMethod::PackBits => |packed| packed.saturating_mul(PACK_BITS_RATIO),
            _ => return Ok(None),
        };
        if samples != 1 || !matches!(bits, 1 | 8) || order != 1 {
            return Ok(None);
        }
        let damaged = || origin.fault_with(Place::File, "its mask does not fit its image", "the file is damaged");
        if chunk.contains(&0) || offsets.len() != counts.len() {
            return Err(damaged());
        }
        let across = if is_tiled { columns.div_ceil(chunk[0]) } else { 1 };
        let expected = across.checked_mul(rows.div_ceil(chunk[1]));
        let packed =
            counts.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count)).filter(|&packed| packed <= len);
        let pixels = rows.checked_mul(columns).filter(|&pixels| pixels as u64 <= limits.decoded_bytes_for(len));
        let (Some(packed), Some(pixels)) = (packed, pixels) else { return Err(damaged()) };
        if expected != Some(offsets.len()) || (pixels * bits / 8) as u64 > ratio(packed) {
            return Err(damaged());
        }
        let chunks = offsets.into_iter().zip(counts).collect();
        Ok(Some(Self { rows, columns, bits, method, is_tiled, chunk, chunks }))
    }

    /// Whether each pixel is one of the image.
    pub(super) fn read(&self, file: &mut File, origin: &Origin) -> Result<Array> {
        let Self { rows, columns, bits, is_tiled, chunk: [width, height], .. } = *self;
        let width = if is_tiled { width } else { columns };
        let across = columns.div_ceil(width.max(1)).max(1);
        let mut kept = vec![false; rows * columns];
        let row_bytes = (width * bits).div_ceil(8);
        for (number, &(offset, count)) in self.chunks.iter().enumerate() {
            let (left, top) = (number % across * width, number / across * height);
            let lines = height.min(rows - top);
            let bytes = self.unpacked(file, offset, count, lines * row_bytes).map_err(origin.read(Place::File))?;
            for (row, line) in bytes.chunks_exact(row_bytes).enumerate() {
                for column in 0..width.min(columns - left) {
                    let bit =
                        if bits == 8 { line[column] != 0 } else { line[column / 8] & (0x80 >> (column % 8)) != 0 };
                    kept[(top + row) * columns + left + column] = bit;
                }
            }
        }
        Array::new(vec![rows, columns], Values::Bool(kept))
    }

    /// The first `len` bytes of a strip or tile.
    fn unpacked(&self, file: &mut File, offset: u64, count: u64, len: usize) -> io::Result<Vec<u8>> {
        file.seek(SeekFrom::Start(offset)).map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?;
        let mut input = file.take(count);
        let mut bytes = Vec::new();
        match self.method {
            CompressionMethod::None => {
                input.take(len as u64).read_to_end(&mut bytes)?;
            }
            CompressionMethod::PackBits => {
                let mut packed = Vec::new();
                input.read_to_end(&mut packed)?;
                bytes = unpack_bits(&packed, len);
            }
            _ => {
                Inflate::zlib(&mut input).take(len as u64).read_to_end(&mut bytes)?;
            }
        }
        if bytes.len() < len { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
    }
}

/// PackBits ("TIFF 6.0", section 9), up to `len` bytes.
fn unpack_bits(packed: &[u8], len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = packed;
    while let (Some((&head, after)), true) = (rest.split_first(), bytes.len() < len) {
        let count = usize::from(head.cast_signed().unsigned_abs()) + 1;
        rest = match head.cast_signed() {
            -128 => after,
            0.. => {
                let (own, after) = after.split_at(count.min(after.len()));
                bytes.extend_from_slice(own);
                after
            }
            _ => match after.split_first() {
                Some((&byte, after)) => {
                    bytes.resize(bytes.len() + count, byte);
                    after
                }
                None => after,
            },
        };
    }
    bytes.truncate(len);
    bytes
}
