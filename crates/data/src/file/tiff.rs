//! TIFF and BigTIFF images: integer and floating-point, any number of bands, strips and tiles, chunky and planar; packed by
//! deflate, LZW or PackBits, or not packed.
//!
//! Adobe, "TIFF 6.0". Each page is a variable `[rows, columns]` or `[rows, columns, bands]` of the numbers that are stored:
//! palettes are not applied; scales and the number for missing values are those of GDAL's tags. The format has no checksums. Written is one page of a plain TIFF, not packed, which every software reads.

use crate::{
    array::{Array, value_count},
    element::{ElementType, Values},
    error::{Error, Place, Result},
    file::{
        dataset::{Class, Variable},
        limits::{Limits, deflate_capacity},
        meaning::Meaning,
        origin::Origin,
    },
};
use std::{
    fs::File,
    io::{self, BufReader, Cursor, Seek, SeekFrom, Write},
    path::Path,
};
use tiff::{
    TiffError,
    decoder::{ChunkType, Decoder, DecodingResult, ifd::Value},
    encoder::{TiffEncoder, colortype},
    tags::{CompressionMethod, PlanarConfiguration, SampleFormat, Tag},
};

/// The first bytes of every file: the byte order and 42, or 43 for BigTIFF.
pub(crate) const MAGIC: [&[u8]; 4] = [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"];

/// The most bytes that the values of one tag may have: the offsets of 2 million tiles.
const TAG_BYTES: usize = 16 << 20;

/// The most bytes of one strip or tile; many times what any software writes.
const CHUNK_BYTES: usize = 1 << 30;

/// What LZW can at most make of one byte: strings of 4094 bytes from codes of 12 bits.
const LZW_RATIO: u64 = 2730;

/// What PackBits can at most make of one byte: 128 bytes from two.
const PACK_BITS_RATIO: u64 = 64;

/// The bit of a page's kind that says that it shows another page in less detail.
const REDUCED: u32 = 1;

/// GDAL's tags: metadata as XML, and the number that stands for missing values.
const GDAL_METADATA: u16 = 42112;
const GDAL_NODATA: u16 = 42113;

type Reader<'a> = Decoder<BufReader<&'a mut File>>;

/// What a page holds.
struct Page {
    rows: usize,
    columns: usize,
    bands: usize,
    element: ElementType,
    planar: bool,
    /// Strips or tiles.
    chunks: usize,
}

/// A page that is a variable.
#[derive(Debug)]
pub(crate) struct Listed {
    /// Its place in the file, counted from 0.
    page: usize,
    pub(crate) meaning: Meaning,
    pub(crate) place: GeoTags,
}

/// The tags of GeoTIFF 1.1 (OGC 19-008r4): where the pixels lie, and in which coordinates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeoTags {
    numbers: Vec<(u16, Vec<f64>)>,
    keys: Vec<u16>,
    text: Option<String>,
}

impl GeoTags {
    const SCALE: u16 = 33550;
    const TIE_POINTS: u16 = 33922;
    const TRANSFORMATION: u16 = 34264;
    const KEYS: u16 = 34735;
    const PARAMETERS: u16 = 34736;
    const TEXT: u16 = 34737;

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.keys.is_empty()
    }

    fn read(reader: &mut Reader<'_>, origin: &Origin) -> Result<Self> {
        let mut find = |tag: u16| reader.find_tag(Tag::from_u16_exhaustive(tag)).map_err(|error| fault(origin, error));
        let mut tags = Self::default();
        for tag in [Self::SCALE, Self::TIE_POINTS, Self::TRANSFORMATION, Self::PARAMETERS] {
            if let Some(value) = find(tag)? {
                tags.numbers.push((tag, value.into_f64_vec().map_err(|error| fault(origin, error))?));
            }
        }
        if let Some(value) = find(Self::KEYS)? {
            tags.keys = value.into_u16_vec().map_err(|error| fault(origin, error))?;
        }
        if let Some(Value::Ascii(text)) = find(Self::TEXT)? {
            tags.text = Some(text);
        }
        Ok(tags)
    }
}

/// Lists the pages but those that show another one in less detail.
pub(crate) fn read_directory(
    file: &mut File,
    len: u64,
    limits: &Limits,
    origin: &Origin,
) -> Result<(Vec<Listed>, Vec<Variable>)> {
    let mut reader = open(file, len, limits, origin)?;
    let (mut listed, mut variables) = (Vec::new(), Vec::new());
    for page in 0.. {
        if page as u64 >= limits.variables {
            return Err(Error::FileLimit {
                path: origin.path.clone(),
                place: Place::File,
                what: "the number of pages",
                size: page as u64 + 1,
                limit: limits.variables,
                name: "Limits::variables",
            });
        }
        let (shape, class) = match Page::of(&mut reader, len, limits, origin)? {
            Ok(page) => (page.shape(), Class::Number(page.element)),
            Err(what) => (Vec::new(), Class::Other(what)),
        };
        let kind = reader.find_tag_unsigned::<u32>(Tag::NewSubfileType).map_err(|error| fault(origin, error))?;
        if page == 0 || kind.is_none_or(|kind| kind & REDUCED == 0) {
            let bands = shape.get(2).copied().unwrap_or(1);
            let place = GeoTags::read(&mut reader, origin)?;
            listed.push(Listed { page, meaning: meaning(&mut reader, bands, origin)?, place });
            variables.push(Variable::new(&format!("page_{}", page + 1), shape, class));
        }
        if !reader.more_images() {
            break;
        }
        reader.next_image().map_err(|error| fault(origin, error))?;
    }
    if let [only] = variables.as_slice() {
        variables = vec![Variable::new(&origin.stem(), only.shape().to_vec(), only.class().clone())];
    }
    Ok((listed, variables))
}

/// What GDAL writes of the numbers of a page: the one that stands for a missing value, and the scale and offset of each band.
fn meaning(reader: &mut Reader<'_>, bands: usize, origin: &Origin) -> Result<Meaning> {
    let mut text = |tag: u16| -> Result<Option<String>> {
        match reader.find_tag(Tag::from_u16_exhaustive(tag)).map_err(|error| fault(origin, error))? {
            Some(Value::Ascii(text)) => Ok(Some(text)),
            _ => Ok(None),
        }
    };
    let no_data = text(GDAL_NODATA)?;
    let metadata = text(GDAL_METADATA)?.unwrap_or_default();
    let of_bands = |role: &str, otherwise: f64| -> Vec<f64> {
        let mut values = vec![otherwise; bands];
        let mut found = false;
        for (sample, value) in gdal_items(&metadata, role) {
            if let (Some(place), Ok(value)) = (values.get_mut(sample), value.trim().parse()) {
                (*place, found) = (value, true);
            }
        }
        if found { values } else { Vec::new() }
    };
    Ok(Meaning {
        missing: no_data.and_then(|text| text.trim_matches(['\0', ' ']).parse().ok()).into_iter().collect(),
        gains: of_bands("scale", 1.0),
        offsets: of_bands("offset", 0.0),
        ..Meaning::default()
    })
}

/// The items of GDAL's metadata that have this role, each with the band that it is of, counted from 0.
///
/// They are written `<Item name="SCALE" sample="0" role="scale">1e-4</Item>`.
fn gdal_items<'a>(metadata: &'a str, role: &str) -> impl Iterator<Item = (usize, &'a str)> {
    let role = format!("role=\"{role}\"");
    metadata.split("<Item ").skip(1).filter_map(move |item| {
        let (attributes, rest) = item.split_once('>')?;
        let sample = attributes.split_once("sample=\"").and_then(|(_, rest)| rest.split_once('"')?.0.parse().ok());
        attributes.contains(&role).then_some((sample?, rest.split_once('<')?.0))
    })
}

/// The numbers of a variable.
pub(crate) fn read_array(file: &mut File, listed: &Listed, limits: &Limits, origin: &Origin) -> Result<Array> {
    let len = file.metadata().map_err(Error::io("read", &origin.path))?.len();
    let mut reader = open(file, len, limits, origin)?;
    reader.seek_to_image(listed.page).map_err(|error| fault(origin, error))?;
    let page = Page::of(&mut reader, len, limits, origin)?.map_err(|what| origin.fault(Place::File, what))?;
    let values = page.read(&mut reader, origin)?;
    Array::new(page.shape(), values)
}

/// Writes an image `[rows, columns]` of any real numbers, or `[rows, columns, 3]` of u8 or u16 as colours, in one page, not packed.
pub(crate) fn write(output: &mut dyn Write, array: &Array, path: &Path) -> Result<()> {
    let cannot = |problem: String, fix: &str| Error::CannotHold {
        path: path.to_path_buf(),
        format: "TIFF",
        problem,
        fix: fix.into(),
    };
    let side = |len: usize| match u32::try_from(len) {
        Ok(side) if side > 0 => Ok(side),
        _ => Err(cannot(format!("an image cannot be {len} pixels wide or high"), "write a smaller part of it")),
    };
    // Offsets in a plain TIFF have 32 bits.
    let bytes = value_count(array.shape()).map(|count| count as u64 * 8);
    if bytes.is_none_or(|bytes| bytes > u64::from(u32::MAX / 2)) {
        return Err(cannot("an image of 2 GiB does not fit".into(), "write it as npy, or a smaller part of it"));
    }
    let mut file = Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).map_err(|error| Error::io("write", path)(io::Error::other(error)))?;
    macro_rules! image {
        ($color:ident, $values:expr) => {
            encoder.write_image::<colortype::$color>(side(array.shape()[1])?, side(array.shape()[0])?, $values)
        };
    }
    let written = match (array.shape(), array.values()) {
        ([_, _], Values::U8(values)) => image!(Gray8, values),
        ([_, _], Values::I8(values)) => image!(GrayI8, values),
        ([_, _], Values::U16(values)) => image!(Gray16, values),
        ([_, _], Values::I16(values)) => image!(GrayI16, values),
        ([_, _], Values::U32(values)) => image!(Gray32, values),
        ([_, _], Values::I32(values)) => image!(GrayI32, values),
        ([_, _], Values::F32(values)) => image!(Gray32Float, values),
        ([_, _], Values::F64(values)) => image!(Gray64Float, values),
        ([_, _, 3], Values::U8(values)) => image!(RGB8, values),
        ([_, _, 3], Values::U16(values)) => image!(RGB16, values),
        (shape, _) => {
            let problem = format!("the array is {shape:?} {}", array.element_type());
            let fix = "write [rows, columns] of integers up to 32 bits, f32 or f64, or [rows, columns, 3] of u8 or u16";
            return Err(cannot(problem, fix));
        }
    };
    written.map_err(|error| Error::io("write", path)(io::Error::other(error)))?;
    output.write_all(&file.into_inner()).map_err(Error::io("write", path))
}

/// Writes maps `[rows, columns]` or `[rows, columns, maps]` as f32 in one page of a GeoTIFF, not packed, with NaN for missing values.
pub(crate) fn write_maps(
    output: &mut dyn Write,
    maps: &Array,
    names: &[String],
    place: &GeoTags,
    path: &Path,
) -> Result<()> {
    let cannot = |problem: String| Error::CannotHold {
        path: path.to_path_buf(),
        format: "TIFF",
        problem,
        fix: "write NPY, or fewer maps".into(),
    };
    let (rows, columns, bands) = match *maps.shape() {
        [rows, columns] => (rows, columns, 1),
        [rows, columns, bands] => (rows, columns, bands),
        ref shape => return Err(cannot(format!("the array is {shape:?}, expected rows, columns and maps"))),
    };
    let values = maps.clone().into_cube::<f32>()?.into_values();
    let bytes = values.len() as u64 * size_of::<f32>() as u64;
    let (Ok(width), Ok(height), Ok(samples)) = (u32::try_from(columns), u32::try_from(rows), u16::try_from(bands))
    else {
        return Err(cannot(format!("{rows} x {columns} pixels of {bands} maps are too many")));
    };
    // Offsets in a plain TIFF have 32 bits.
    if bytes == 0 || bytes > u64::from(u32::MAX / 2) {
        return Err(cannot(format!("{bytes} bytes do not fit")));
    }
    let item = |(sample, name): (usize, &String)| {
        let name = name.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        format!("<Item name=\"DESCRIPTION\" sample=\"{sample}\" role=\"description\">{name}</Item>")
    };
    let metadata: String = names.iter().enumerate().map(item).collect();
    let metadata = format!("<GDALMetadata>{metadata}</GDALMetadata>");
    let mut file = Cursor::new(Vec::new());
    let write = |file: &mut Cursor<Vec<u8>>| -> std::result::Result<(), TiffError> {
        let mut encoder = TiffEncoder::new(file)?;
        let mut page = encoder.image_directory()?;
        let offset = u32::try_from(page.write_data(values.as_slice())?).unwrap_or(u32::MAX);
        page.write_tag(Tag::ImageWidth, width)?;
        page.write_tag(Tag::ImageLength, height)?;
        page.write_tag(Tag::BitsPerSample, vec![32_u16; bands].as_slice())?;
        page.write_tag(Tag::SampleFormat, vec![SampleFormat::IEEEFP.to_u16(); bands].as_slice())?;
        page.write_tag(Tag::Compression, CompressionMethod::None.to_u16())?;
        page.write_tag(Tag::PhotometricInterpretation, 1_u16)?;
        page.write_tag(Tag::PlanarConfiguration, PlanarConfiguration::Chunky.to_u16())?;
        page.write_tag(Tag::SamplesPerPixel, samples)?;
        if bands > 1 {
            page.write_tag(Tag::ExtraSamples, vec![0_u16; bands - 1].as_slice())?;
        }
        page.write_tag(Tag::RowsPerStrip, height)?;
        page.write_tag(Tag::StripOffsets, offset)?;
        page.write_tag(Tag::StripByteCounts, u32::try_from(bytes).unwrap_or(u32::MAX))?;
        for (tag, numbers) in &place.numbers {
            page.write_tag(Tag::from_u16_exhaustive(*tag), numbers.as_slice())?;
        }
        if !place.keys.is_empty() {
            page.write_tag(Tag::from_u16_exhaustive(GeoTags::KEYS), place.keys.as_slice())?;
        }
        if let Some(text) = &place.text {
            page.write_tag(Tag::from_u16_exhaustive(GeoTags::TEXT), text.trim_end_matches('\0'))?;
        }
        page.write_tag(Tag::from_u16_exhaustive(GDAL_METADATA), metadata.as_str())?;
        page.write_tag(Tag::from_u16_exhaustive(GDAL_NODATA), "nan")?;
        page.finish()
    };
    write(&mut file).map_err(|error| Error::io("write", path)(io::Error::other(error)))?;
    output.write_all(&file.into_inner()).map_err(Error::io("write", path))
}

fn open<'a>(file: &'a mut File, len: u64, limits: &Limits, origin: &Origin) -> Result<Reader<'a>> {
    file.seek(SeekFrom::Start(0)).map_err(Error::io("read", &origin.path))?;
    let mut decoder_limits = tiff::decoder::Limits::default();
    let decoded = usize::try_from(limits.decoded_bytes_for(len)).unwrap_or(usize::MAX);
    decoder_limits.decoding_buffer_size = decoded.min(CHUNK_BYTES);
    decoder_limits.intermediate_buffer_size = decoded.min(CHUNK_BYTES);
    decoder_limits.ifd_value_size = TAG_BYTES.min(usize::try_from(len).unwrap_or(usize::MAX));
    let reader = Decoder::new(BufReader::new(file)).map_err(|error| fault(origin, error))?;
    Ok(reader.with_limits(decoder_limits))
}

impl Page {
    /// Reads what the tags say of the current page and refuses what the file cannot hold. The inner error says why a page
    /// is one that is not read.
    fn of(
        reader: &mut Reader<'_>,
        len: u64,
        limits: &Limits,
        origin: &Origin,
    ) -> Result<std::result::Result<Self, String>> {
        let io = |error| fault(origin, error);
        let (columns, rows) = reader.dimensions().map_err(io)?;
        let color = match reader.colortype() {
            Ok(color) => color,
            Err(TiffError::UnsupportedError(error)) => {
                return Ok(Err(format!("an image of a kind not read ({error})")));
            }
            Err(error) => return Err(io(error)),
        };
        let format = reader.find_tag_unsigned_vec::<u16>(Tag::SampleFormat).map_err(io)?;
        let format = format.and_then(|formats| formats.first().copied()).unwrap_or(1);
        let element = match (SampleFormat::from_u16(format), color.bit_depth()) {
            (Some(SampleFormat::Uint | SampleFormat::Void), 8) => ElementType::U8,
            (Some(SampleFormat::Uint | SampleFormat::Void), 16) => ElementType::U16,
            (Some(SampleFormat::Uint | SampleFormat::Void), 32) => ElementType::U32,
            (Some(SampleFormat::Uint | SampleFormat::Void), 64) => ElementType::U64,
            (Some(SampleFormat::Int), 8) => ElementType::I8,
            (Some(SampleFormat::Int), 16) => ElementType::I16,
            (Some(SampleFormat::Int), 32) => ElementType::I32,
            (Some(SampleFormat::Int), 64) => ElementType::I64,
            (Some(SampleFormat::IEEEFP), 16) => ElementType::F16,
            (Some(SampleFormat::IEEEFP), 32) => ElementType::F32,
            (Some(SampleFormat::IEEEFP), 64) => ElementType::F64,
            (_, bits) => return Ok(Err(format!("an image of {bits} bits in the sample format {format}"))),
        };
        let planar = reader.find_tag_unsigned::<u16>(Tag::PlanarConfiguration).map_err(io)?;
        let planar = planar.and_then(PlanarConfiguration::from_u16) == Some(PlanarConfiguration::Planar);
        let bands = usize::from(color.num_samples());

        let method = reader.find_tag_unsigned::<u16>(Tag::Compression).map_err(io)?.unwrap_or(1);
        let method = CompressionMethod::from_u16_exhaustive(method);
        let counts = match reader.get_chunk_type() {
            ChunkType::Strip => Tag::StripByteCounts,
            ChunkType::Tile => Tag::TileByteCounts,
        };
        let counts = reader.find_tag_unsigned_vec::<u64>(counts).map_err(io)?.unwrap_or_default();
        let chunks = counts.len();
        let page = Self { rows: rows as usize, columns: columns as usize, bands, element, planar, chunks };
        let packed = counts.iter().try_fold(0_u64, |sum, &count| sum.checked_add(count));
        // Strips that share their bytes would make a small file as large as it likes.
        let Some(packed) = packed.filter(|&packed| packed <= len) else {
            let problem = format!("its strips or tiles claim more bytes than the {len} of the file");
            return Err(origin.fault_with(Place::File, problem, "the file is truncated or damaged"));
        };
        let capacity = match method {
            CompressionMethod::None => packed,
            CompressionMethod::PackBits => packed.saturating_mul(PACK_BITS_RATIO),
            CompressionMethod::LZW => packed.saturating_mul(LZW_RATIO),
            CompressionMethod::Deflate | CompressionMethod::OldDeflate => deflate_capacity(packed),
            method => return Ok(Err(format!("an image packed by {method:?}; unpack it"))),
        };
        let bytes = value_count(&page.shape()).and_then(|count| count.checked_mul(element.size_bytes()));
        let bytes = bytes.map_or(u64::MAX, |bytes| bytes as u64);
        if bytes > capacity || isize::try_from(bytes).is_err() {
            let problem = format!("{columns} x {rows} pixels of {bands} {element} cannot be in {packed} packed bytes");
            return Err(origin.fault_with(Place::File, problem, "the file is truncated or damaged"));
        }
        let limit = limits.decoded_bytes_for(len);
        if bytes > limit {
            return Err(Error::FileLimit {
                path: origin.path.clone(),
                place: Place::File,
                what: "the decoded size in bytes",
                size: bytes,
                limit,
                name: "Limits::decoded_bytes",
            });
        }
        Ok(Ok(page))
    }

    fn shape(&self) -> Vec<usize> {
        let mut shape = vec![self.rows, self.columns];
        if self.bands > 1 {
            shape.push(self.bands);
        }
        shape
    }

    /// Decodes strip by strip or tile by tile.
    fn read(&self, reader: &mut Reader<'_>, origin: &Origin) -> Result<Values> {
        macro_rules! read {
            ($variant:ident, $zero:expr) => {
                Values::$variant(self.assemble(
                    reader,
                    $zero,
                    |chunk| match chunk {
                        DecodingResult::$variant(values) => Some(values),
                        _ => None,
                    },
                    origin,
                )?)
            };
        }
        Ok(match self.element {
            ElementType::U8 => read!(U8, 0),
            ElementType::U16 => read!(U16, 0),
            ElementType::U32 => read!(U32, 0),
            ElementType::U64 => read!(U64, 0),
            ElementType::I8 => read!(I8, 0),
            ElementType::I16 => read!(I16, 0),
            ElementType::I32 => read!(I32, 0),
            ElementType::I64 => read!(I64, 0),
            ElementType::F16 => read!(F16, half::f16::ZERO),
            ElementType::F32 => read!(F32, 0.0),
            _ => read!(F64, 0.0),
        })
    }

    fn assemble<T: Copy>(
        &self,
        reader: &mut Reader<'_>,
        zero: T,
        unwrap: impl Fn(DecodingResult) -> Option<Vec<T>>,
        origin: &Origin,
    ) -> Result<Vec<T>> {
        let damaged =
            || origin.fault_with(Place::File, "its strips or tiles do not fit the image", "the file is damaged");
        let count = self.rows * self.columns * self.bands;
        if Vec::<T>::new().try_reserve_exact(count).is_err() {
            return Err(origin.fault(Place::File, "there is not enough memory for it"));
        }
        // Zeros cost memory only where they are overwritten.
        let mut values = vec![zero; count];
        let (width, height) = reader.chunk_dimensions();
        let (width, height) = (width as usize, height as usize);
        if width == 0 || height == 0 {
            return Err(damaged());
        }
        let (across, down) = (self.columns.div_ceil(width), self.rows.div_ceil(height));
        let (planes, samples) = if self.planar { (self.bands, 1) } else { (1, self.bands) };
        if across.checked_mul(down).and_then(|chunks| chunks.checked_mul(planes)) != Some(self.chunks) {
            return Err(damaged());
        }
        for plane in 0..planes {
            for chunk in 0..across * down {
                let number = u32::try_from(plane * across * down + chunk).map_err(|_| damaged())?;
                let decoded = unwrap(reader.read_chunk(number).map_err(|error| fault(origin, error))?);
                let decoded = decoded.ok_or_else(damaged)?;
                let (left, top) = (chunk % across * width, chunk / across * height);
                let (columns, rows) = (width.min(self.columns - left), height.min(self.rows - top));
                if decoded.len() != rows * columns * samples {
                    return Err(damaged());
                }
                for (row, line) in decoded.chunks_exact(columns * samples).enumerate() {
                    let start = ((top + row) * self.columns + left) * self.bands;
                    let target = &mut values[start..start + columns * self.bands];
                    if self.planar {
                        let band = target.iter_mut().skip(plane).step_by(self.bands);
                        band.zip(line).for_each(|(to, from)| *to = *from);
                    } else {
                        target.copy_from_slice(line);
                    }
                }
            }
        }
        Ok(values)
    }
}

fn fault(origin: &Origin, error: TiffError) -> Error {
    match error {
        // An offset beyond what a file can have.
        TiffError::IoError(error) if error.kind() == io::ErrorKind::InvalidInput => {
            origin.fault_with(Place::File, "an offset makes no sense", "the file is damaged; copy it again")
        }
        TiffError::IoError(error) => origin.read(Place::File)(error),
        TiffError::LimitsExceeded => origin
            .fault(Place::File, format!("a tag has more than {TAG_BYTES} bytes, or a strip more than {CHUNK_BYTES}")),
        TiffError::UnsupportedError(error) => origin.fault_with(
            Place::File,
            format!("it is of a kind that is not read: {error}"),
            "convert it to a plain TIFF",
        ),
        error => origin.fault_with(Place::File, error.to_string(), "the file is damaged; copy it again"),
    }
}
