//! Writing TIFF: one page of any real numbers and any number of bands, not packed, strip by strip, so that an image may exceed memory.
//!
//! Adobe, "TIFF 6.0"; from 4 GB on BigTIFF. The directory comes before the numbers, since all of it is known beforehand.

use super::{GDAL_METADATA, GDAL_NODATA, GeoTags, items};
use crate::{
    array::Array,
    element::{ElementType, Values, map_values},
    error::{Error, Result},
    file::{
        meaning::Meaning,
        numbers::write_values,
        tiff::items::{BandItems, Item},
    },
};
use std::{io::Write, ops::Range, path::Path};
use tiff::tags::Tag;

/// Bytes of a strip, or one row where that has more.
const STRIP_BYTES: usize = 1 << 20;
/// From so many bytes on offsets have 64 bits; less than 2^32 by what is not numbers.
const BIG_FROM: u64 = 4_000_000_000;
/// The most bands: the tag has 16 bits.
const MOST_BANDS: usize = 65_535;

/// What a page says beside its numbers.
#[derive(Clone, Debug, Default)]
pub(crate) struct About {
    pub(crate) place: GeoTags,
    pub(crate) bands: BandItems,
    pub(crate) meaning: Meaning,
}

/// The type that numbers of this type have in the file; none for those that it cannot hold.
pub(crate) fn element_of(element: ElementType) -> Option<ElementType> {
    match element {
        ElementType::Bool => Some(ElementType::U8),
        ElementType::F16 => Some(ElementType::F32),
        ElementType::Complex64 | ElementType::Complex128 => None,
        other => Some(other),
    }
}

/// The values of a tag.
enum Field {
    Short(Vec<u16>),
    /// 32 bits, or 64 in BigTIFF.
    Long(Vec<u64>),
    Double(Vec<f64>),
    Ascii(String),
}

impl Field {
    /// The number of its type, how many values there are, and their bytes.
    fn encoded(&self, big: bool) -> (u16, u64, Vec<u8>) {
        match self {
            Self::Short(values) => (3, values.len() as u64, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Self::Long(values) if big => {
                (16, values.len() as u64, values.iter().flat_map(|v| v.to_le_bytes()).collect())
            }
            Self::Long(values) => {
                let bytes = values.iter().flat_map(|&v| u32::try_from(v).unwrap_or(u32::MAX).to_le_bytes()).collect();
                (4, values.len() as u64, bytes)
            }
            Self::Double(values) => (12, values.len() as u64, values.iter().flat_map(|v| v.to_le_bytes()).collect()),
            Self::Ascii(text) => {
                let bytes: Vec<u8> = text.bytes().filter(|&byte| byte != 0).chain([0]).collect();
                (2, bytes.len() as u64, bytes)
            }
        }
    }
}

/// An image of `shape` (rows, columns, bands) whose rows come from `fill`, as arrays of that many rows and the type `element`.
pub(crate) fn write_rows(
    output: &mut dyn Write,
    shape: [usize; 3],
    element: ElementType,
    about: &About,
    path: &Path,
    mut fill: impl FnMut(Range<usize>) -> Result<Array>,
) -> Result<()> {
    let cannot = |problem: String, fix: &str| Error::CannotHold {
        path: path.to_path_buf(),
        format: "TIFF",
        problem,
        fix: fix.into(),
    };
    let [rows, columns, bands] = shape;
    let Some(element) = element_of(element) else {
        return Err(cannot(
            format!("its numbers are {element}"),
            "write NPY, or real and imaginary part by themselves",
        ));
    };
    let side = |len: usize| match u32::try_from(len) {
        Ok(side) if side > 0 => Ok(u64::from(side)),
        _ => Err(cannot(format!("an image cannot be {len} pixels wide or high"), "write a smaller part of it")),
    };
    let (width, height) = (side(columns)?, side(rows)?);
    if bands == 0 || bands > MOST_BANDS {
        return Err(cannot(format!("an image cannot have {bands} bands"), "write NPY, or fewer bands"));
    }
    let row_bytes = columns.checked_mul(bands).and_then(|count| count.checked_mul(element.size_bytes()));
    let bytes = row_bytes.and_then(|bytes| bytes.checked_mul(rows));
    let (Some(row_bytes), Some(bytes)) = (row_bytes, bytes.map(|bytes| bytes as u64)) else {
        return Err(cannot(format!("shape {shape:?} is too large"), "write a smaller part of it"));
    };
    let big = bytes > BIG_FROM;
    let strip_rows = (STRIP_BYTES / row_bytes).clamp(1, rows);
    let starts: Vec<usize> = (0..rows).step_by(strip_rows).collect();
    let counts: Vec<u64> = starts.iter().map(|&row| (strip_rows.min(rows - row) * row_bytes) as u64).collect();
    let format = match element {
        ElementType::I8 | ElementType::I16 | ElementType::I32 | ElementType::I64 => 2,
        ElementType::F32 | ElementType::F64 => 3,
        _ => 1,
    };
    let is_colour = bands == 3
        && matches!(element, ElementType::U8 | ElementType::U16)
        && about.bands.wavelengths_nm.is_empty()
        && about.bands.names.is_empty();
    let bits = (8 * element.size_bytes()) as u16;
    let mut fields: Vec<(u16, Field)> = vec![
        (Tag::ImageWidth.to_u16(), Field::Long(vec![width])),
        (Tag::ImageLength.to_u16(), Field::Long(vec![height])),
        (Tag::BitsPerSample.to_u16(), Field::Short(vec![bits; bands])),
        (Tag::Compression.to_u16(), Field::Short(vec![1])),
        (Tag::PhotometricInterpretation.to_u16(), Field::Short(vec![if is_colour { 2 } else { 1 }])),
        (Tag::StripOffsets.to_u16(), Field::Long(vec![0; starts.len()])),
        (Tag::SamplesPerPixel.to_u16(), Field::Short(vec![bands as u16])),
        (Tag::RowsPerStrip.to_u16(), Field::Long(vec![strip_rows as u64])),
        (Tag::StripByteCounts.to_u16(), Field::Long(counts.clone())),
        (Tag::PlanarConfiguration.to_u16(), Field::Short(vec![1])),
    ];
    if bands > 1 && !is_colour {
        fields.push((Tag::ExtraSamples.to_u16(), Field::Short(vec![0; bands - 1])));
    }
    fields.push((Tag::SampleFormat.to_u16(), Field::Short(vec![format; bands])));
    for (tag, numbers) in &about.place.numbers {
        fields.push((*tag, Field::Double(numbers.clone())));
    }
    if !about.place.keys.is_empty() {
        fields.push((GeoTags::KEYS, Field::Short(about.place.keys.clone())));
    }
    if let Some(text) = &about.place.text {
        fields.push((GeoTags::TEXT, Field::Ascii(text.clone())));
    }
    let items = [about.bands.items(), scales(&about.meaning, bands)].concat();
    if !items.is_empty() {
        fields.push((GDAL_METADATA, Field::Ascii(items::text(&items))));
    }
    if let Some(missing) = about.meaning.missing.first() {
        fields.push((GDAL_NODATA, Field::Ascii(if missing.is_nan() { "nan".into() } else { missing.to_string() })));
    }
    fields.sort_by_key(|(tag, _)| *tag);

    let size = directory(&mut fields, big, &[]).len() as u64;
    let offset = |strip: usize| size + (strip * strip_rows * row_bytes) as u64;
    let offsets: Vec<u64> = (0..starts.len()).map(offset).collect();
    output.write_all(&directory(&mut fields, big, &offsets)).map_err(Error::io("write", path))?;
    for start in starts {
        let strip = fill(start..(start + strip_rows).min(rows))?;
        write_values(output, &stored(strip.into_values())).map_err(Error::io("write", path))?;
    }
    Ok(())
}

/// The numbers in a type that the file can hold.
pub(crate) fn stored(values: Values) -> Values {
    match values {
        Values::Bool(values) => Values::U8(values.into_iter().map(u8::from).collect()),
        Values::F16(values) => Values::F32(values.into_iter().map(f32::from).collect()),
        values => values,
    }
}

/// The items that say what stored numbers stand for.
fn scales(meaning: &Meaning, bands: usize) -> Vec<Item> {
    if meaning.is_unscaled() {
        return Vec::new();
    }
    let of = |values: &[f64], band: usize, otherwise: f64| match values {
        [] => otherwise,
        &[one] => one,
        each => each.get(band).copied().unwrap_or(otherwise),
    };
    let band = |band: usize| {
        [("OFFSET", "offset", of(&meaning.offsets, band, 0.0)), ("SCALE", "scale", of(&meaning.gains, band, 1.0))]
            .map(|(name, role, value)| Item::of_band(name, band, role, "", value.to_string()))
    };
    (0..bands).flat_map(band).collect()
}

/// Everything before the numbers: the head of the file and its directory, with these offsets of the strips.
fn directory(fields: &mut [(u16, Field)], big: bool, offsets: &[u64]) -> Vec<u8> {
    if let Some((_, Field::Long(all))) = fields.iter_mut().find(|(tag, _)| *tag == Tag::StripOffsets.to_u16()) {
        all.iter_mut().zip(offsets).for_each(|(place, offset)| *place = *offset);
    }
    let (head, entry, inline): (&[u8], usize, usize) = match big {
        true => (b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0", 20, 8),
        false => (b"II*\0\x08\0\0\0", 12, 4),
    };
    let ends = if big { 16 } else { 6 };
    let mut bytes = head.to_vec();
    match big {
        true => bytes.extend((fields.len() as u64).to_le_bytes()),
        false => bytes.extend((fields.len() as u16).to_le_bytes()),
    }
    let mut beyond = Vec::new();
    let start = head.len() + ends + entry * fields.len();
    for (tag, field) in fields.iter() {
        let (kind, count, mut values) = field.encoded(big);
        bytes.extend(tag.to_le_bytes());
        bytes.extend(kind.to_le_bytes());
        let offset = (start + beyond.len()) as u64;
        let place = if values.len() <= inline {
            values.resize(inline, 0);
            values
        } else {
            beyond.extend(values);
            // Values begin at even places.
            beyond.resize(beyond.len().next_multiple_of(8), 0);
            offset.to_le_bytes()[..inline].to_vec()
        };
        bytes.extend(&count.to_le_bytes()[..inline]);
        bytes.extend(place);
    }
    bytes.resize(start, 0);
    bytes.extend(beyond);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// Writes an image `[rows, columns]` or `[rows, columns, bands]` that is in memory.
pub(crate) fn write(output: &mut dyn Write, array: &Array, about: &About, path: &Path) -> Result<()> {
    let shape = match *array.shape() {
        [rows, columns] => [rows, columns, 1],
        [rows, columns, bands] => [rows, columns, bands],
        ref shape => {
            return Err(Error::CannotHold {
                path: path.to_path_buf(),
                format: "TIFF",
                problem: format!("the array is {shape:?} {}", array.element_type()),
                fix: "write [rows, columns] or [rows, columns, bands], or NPY".into(),
            });
        }
    };
    let width = shape[1] * shape[2];
    write_rows(output, shape, array.element_type(), about, path, |rows| {
        let range = rows.start * width..rows.end * width;
        let values = map_values!(array.values(), values => values[range].to_vec());
        Array::new(vec![rows.len(), shape[1], shape[2]], values)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{open, write_atomic};

    #[test]
    fn many_strips_and_64_bit_offsets_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.tif");
        let image = Array::new(vec![700, 300, 3], Values::F32((0..630_000).map(|n| n as f32).collect())).unwrap();
        write_atomic(&path, |output| write(output, &image, &About::default(), &path)).unwrap();
        assert_eq!(open(&path).unwrap().array(None).unwrap(), image);

        let mut fields = vec![
            (Tag::ImageWidth.to_u16(), Field::Long(vec![2])),
            (Tag::ImageLength.to_u16(), Field::Long(vec![1])),
            (Tag::BitsPerSample.to_u16(), Field::Short(vec![8])),
            (Tag::PhotometricInterpretation.to_u16(), Field::Short(vec![1])),
            (Tag::StripOffsets.to_u16(), Field::Long(vec![0])),
            (Tag::StripByteCounts.to_u16(), Field::Long(vec![2])),
        ];
        let size = directory(&mut fields, true, &[]).len() as u64;
        let mut bytes = directory(&mut fields, true, &[size]);
        bytes.extend([3, 4]);
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(open(&path).unwrap().array(None).unwrap().values(), &Values::U8(vec![3, 4]));
    }
}
