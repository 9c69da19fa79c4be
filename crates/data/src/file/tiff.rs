//! TIFF and BigTIFF images: integer and floating-point, any number of bands, strips and tiles, chunky and planar; packed by
//! deflate, LZW or PackBits, or not packed.
//!
//! Adobe, "TIFF 6.0". Each page is a variable `[rows, columns]` or `[rows, columns, bands]` of the numbers that are stored:
//! palettes are not applied; scales and the number for missing values are those of GDAL's tags. The format has no checksums.

mod enmap;
mod items;
mod mask;
mod write;

use self::mask::Mask;
pub(crate) use self::{
    items::{BandItems, Item},
    write::{About, element_of, write, write_rows as write_page},
};
use crate::{
    array::{Array, value_count},
    axes::{Axes, Axis, AxisKind},
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
    io::{self, BufReader, Seek, SeekFrom},
};
use tiff::{
    TiffError,
    decoder::{ChunkType, Decoder, DecodingResult, ifd::Value},
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

/// The bits of a page's kind that say that it shows another page in less detail, and that it is a mask.
const REDUCED: u32 = 1;
const MASK: u32 = 4;

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
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// Its place in the file, counted from 0.
    page: usize,
    pub(crate) meaning: Meaning,
    pub(crate) place: GeoTags,
    /// What is said of its bands.
    pub(crate) bands: BandItems,
    /// For a mask, how it lies in the file.
    pub(crate) mask: Option<Mask>,
}

impl Listed {
    /// The axes of an image whose wavelengths are known.
    pub(crate) fn axes(&self, shape: &[usize]) -> Result<Option<Axes>> {
        let (&[rows, columns, bands], centres) = (shape, &self.bands.wavelengths_nm) else { return Ok(None) };
        if centres.is_empty() {
            return Ok(None);
        }
        let band = Axis::new(AxisKind::Wavelength, bands);
        // The detectors of some instruments overlap.
        let band = band.clone().with_coordinates(centres.clone(), "nm").unwrap_or(band);
        let axes = vec![Axis::new(AxisKind::Row, rows), Axis::new(AxisKind::Column, columns), band];
        Axes::new(axes).map(Some)
    }
}

/// The tags of GeoTIFF 1.1 (OGC 19-008r4): where the pixels lie, and in which coordinates.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GeoTags {
    pub(crate) numbers: Vec<(u16, Vec<f64>)>,
    pub(crate) keys: Vec<u16>,
    pub(crate) text: Option<String>,
}

impl GeoTags {
    pub(crate) const SCALE: u16 = 33550;
    pub(crate) const TIE_POINTS: u16 = 33922;
    pub(crate) const TRANSFORMATION: u16 = 34264;
    pub(crate) const KEYS: u16 = 34735;
    pub(crate) const PARAMETERS: u16 = 34736;
    pub(crate) const TEXT: u16 = 34737;
    /// Rational functions of a camera, as GDAL keeps them.
    pub(crate) const RPC: u16 = 50844;

    /// Whether nothing is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.is_empty() && self.keys.is_empty()
    }

    fn read(reader: &mut Reader<'_>, origin: &Origin) -> Result<Self> {
        let mut find = |tag: u16| reader.find_tag(Tag::from_u16_exhaustive(tag)).map_err(|error| fault(origin, error));
        let mut tags = Self::default();
        for tag in [Self::SCALE, Self::TIE_POINTS, Self::TRANSFORMATION, Self::PARAMETERS, Self::RPC] {
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
        limits.allow("the number of pages", page as u64 + 1, origin)?;
        let kind = reader.find_tag_unsigned::<u32>(Tag::NewSubfileType).map_err(|error| fault(origin, error))?;
        let kind = kind.unwrap_or(0);
        let mask = match page > 0 && kind & (MASK | REDUCED) == MASK {
            true => Mask::of(&mut reader, len, limits, origin)?,
            false => None,
        };
        if let Some(mask) = mask {
            let shape = vec![mask.rows, mask.columns];
            listed.push(Listed { page, mask: Some(mask), ..Listed::default() });
            variables.push(Variable::new(&format!("mask_{}", page + 1), shape, Class::Number(ElementType::Bool)));
            if !reader.more_images() {
                break;
            }
            reader.next_image().map_err(|error| fault(origin, error))?;
            continue;
        }
        let (shape, class) = match Page::of(&mut reader, len, limits, origin)? {
            Ok(page) => (page.shape(), Class::Number(page.element)),
            Err(what) => (Vec::new(), Class::Other(what)),
        };
        if page == 0 || kind & REDUCED == 0 {
            let count = shape.get(2).copied().unwrap_or(1);
            let place = GeoTags::read(&mut reader, origin)?;
            let (meaning, bands) = gdal(&mut reader, count, origin)?;
            let mut own = Listed { page, meaning, place, bands, mask: None };
            enmap::describe(&mut own, count, &origin.path);
            listed.push(own);
            variables.push(Variable::new(&format!("page_{}", page + 1), shape, class));
        }
        if !reader.more_images() {
            break;
        }
        reader.next_image().map_err(|error| fault(origin, error))?;
    }
    let is_one = |is_mask: bool| listed.iter().filter(|listed| listed.mask.is_some() == is_mask).count() == 1;
    for (variable, listed) in variables.iter_mut().zip(&listed) {
        let is_mask = listed.mask.is_some();
        if is_one(is_mask) {
            let name = if is_mask { "mask".to_owned() } else { origin.stem() };
            *variable = Variable::new(&name, variable.shape().to_vec(), variable.class().clone());
        }
    }
    Ok((listed, variables))
}

/// What GDAL writes of a page: the number that stands for a missing value, and its items.
fn gdal(reader: &mut Reader<'_>, bands: usize, origin: &Origin) -> Result<(Meaning, BandItems)> {
    let mut text = |tag: u16| -> Result<Option<String>> {
        match reader.find_tag(Tag::from_u16_exhaustive(tag)).map_err(|error| fault(origin, error))? {
            Some(Value::Ascii(text)) => Ok(Some(text)),
            _ => Ok(None),
        }
    };
    let no_data = text(GDAL_NODATA)?;
    let items = items::parse(&text(GDAL_METADATA)?.unwrap_or_default());
    let missing: Option<f64> = no_data.and_then(|text| text.trim_matches(['\0', ' ']).parse().ok());
    let meaning = Meaning {
        missing: missing.into_iter().collect(),
        gains: items::of_role(&items, "scale", bands, 1.0),
        offsets: items::of_role(&items, "offset", bands, 0.0),
        ..Meaning::default()
    };
    let roles = ["scale", "offset"];
    let items: Vec<Item> = items.into_iter().filter(|item| !roles.contains(&item.role.as_str())).collect();
    Ok((meaning, BandItems::of(&items, bands)))
}

/// The numbers of a variable.
pub(crate) fn read_array(file: &mut File, listed: &Listed, limits: &Limits, origin: &Origin) -> Result<Array> {
    if let Some(mask) = &listed.mask {
        return mask.read(file, origin);
    }
    let len = file.metadata().map_err(Error::io("read", &origin.path))?.len();
    let mut reader = open(file, len, limits, origin)?;
    reader.seek_to_image(listed.page).map_err(|error| fault(origin, error))?;
    let page = Page::of(&mut reader, len, limits, origin)?.map_err(|what| origin.fault(Place::File, what))?;
    let values = page.read(&mut reader, origin)?;
    Array::new(page.shape(), values)
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
        origin.within(Place::File, "the decoded size in bytes", bytes, limits.of_decoded(len))?;
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
