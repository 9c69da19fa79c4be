//! PNG images: grey, colour, alpha, palette, interlaced; 8 and 16 bits, smaller depths scaled up to 8.
//!
//! All checksums are checked, those of ancillary chunks too: transparency is one of them. Of an animation the still image
//! is read.

use crate::{
    array::Array,
    element::{ElementType, Values},
    error::{Error, Place, Result},
    file::{
        limits::{Limits, deflate_capacity},
        origin::Origin,
    },
};
use png::{BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, Transformations};
use std::{
    fs::File,
    io::{BufReader, Seek, SeekFrom, Write},
    path::Path,
};

/// The first bytes of every file.
pub(crate) const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What the decoder may use besides the image: rows, palette, profiles and comments.
const DECODER_BYTES: usize = 64 << 20;

type Reader<'a> = png::Reader<BufReader<&'a mut File>>;

/// The shape and type of the image.
pub(crate) fn read_header(file: &mut File, limits: &Limits, origin: &Origin) -> Result<(Vec<usize>, ElementType)> {
    let reader = open(file, limits, origin)?;
    Ok((shape(&reader), element(&reader)))
}

/// The image.
pub(crate) fn read_array(file: &mut File, limits: &Limits, origin: &Origin) -> Result<Array> {
    let mut reader = open(file, limits, origin)?;
    let (shape, element) = (shape(&reader), element(&reader));
    // Checked against the bytes of the file when it was opened.
    let len = reader.output_buffer_size().unwrap_or(0);
    if Vec::<u8>::new().try_reserve_exact(len).is_err() {
        return Err(origin.fault(Place::File, "there is not enough memory for it"));
    }
    // Zeroed by the system page by page, so an image that ends early costs only what it has.
    let mut bytes = vec![0; len];
    let frame = reader.next_frame(&mut bytes).map_err(|error| fault(origin, error))?;
    if [frame.height as usize, frame.width as usize] != shape[..2] {
        return Err(origin.fault(Place::File, "the first frame of the animation is only a part of the image"));
    }
    reader.finish().map_err(|error| fault(origin, error))?;
    let values = match element {
        ElementType::U16 => {
            let (samples, _) = bytes.as_chunks::<2>();
            Values::U16(samples.iter().map(|&sample| u16::from_be_bytes(sample)).collect())
        }
        _ => Values::U8(bytes),
    };
    Array::new(shape, values)
}

/// Writes a grey image `[rows, columns]` of 8 or 16 bits or a colour image `[rows, columns, 3]` of 8 bits.
pub(crate) fn write(output: &mut dyn Write, array: &Array, path: &Path) -> Result<()> {
    let cannot = |problem: String| Error::CannotHold {
        path: path.to_path_buf(),
        format: "PNG",
        problem,
        fix: "write grey [rows, columns] as u8 or u16, or colour [rows, columns, 3] as u8; scale other numbers first"
            .into(),
    };
    let (color, depth) = match (array.shape(), array.element_type()) {
        ([_, _], ElementType::U8) => (ColorType::Grayscale, BitDepth::Eight),
        ([_, _], ElementType::U16) => (ColorType::Grayscale, BitDepth::Sixteen),
        ([_, _, 3], ElementType::U8) => (ColorType::Rgb, BitDepth::Eight),
        (shape, element) => return Err(cannot(format!("the array is {shape:?} {element}"))),
    };
    let side = |len: usize| match u32::try_from(len) {
        Ok(side) if (1..=i32::MAX as u32).contains(&side) => Ok(side),
        _ => Err(cannot(format!("an image cannot be {len} pixels wide or high"))),
    };
    let mut encoder = png::Encoder::new(output, side(array.shape()[1])?, side(array.shape()[0])?);
    encoder.set_color(color);
    encoder.set_depth(depth);
    let bytes = match array.values() {
        Values::U16(samples) => samples.iter().flat_map(|sample| sample.to_be_bytes()).collect(),
        Values::U8(samples) => samples.clone(),
        _ => Vec::new(),
    };
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&bytes)?;
        writer.finish()
    });
    written.map_err(|error| Error::io("write", path)(error.into()))
}

/// Reads the header and refuses images that their file cannot hold.
fn open<'a>(file: &'a mut File, limits: &Limits, origin: &Origin) -> Result<Reader<'a>> {
    let read = |error| Error::io("read", &origin.path)(error);
    let len = file.seek(SeekFrom::End(0)).map_err(read)?;
    file.seek(SeekFrom::Start(0)).map_err(read)?;
    let mut options = DecodeOptions::default();
    options.set_ignore_checksums(false);
    options.set_skip_ancillary_crc_failures(false);
    let mut decoder = Decoder::new_with_options(BufReader::new(file), options);
    decoder.set_limits(png::Limits { bytes: DECODER_BYTES });
    // Palettes become colours and small depths 8 bits.
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let header = decoder.read_header_info().map_err(|error| fault(origin, error))?;
    let (rows, columns) = (u64::from(header.height), u64::from(header.width));
    // As it lies in the file, at least one bit per pixel.
    let packed = u64::from(header.bits_per_pixel() as u32)
        .checked_mul(columns)
        .and_then(|bits| bits.div_ceil(8).checked_mul(rows));
    if packed.is_none_or(|packed| packed > deflate_capacity(len)) {
        let problem = format!("{columns} x {rows} pixels cannot be in a file of {len} bytes");
        return Err(origin.fault_with(Place::File, problem, "the file is truncated or damaged"));
    }
    let reader = decoder.read_info().map_err(|error| fault(origin, error))?;
    let decoded = reader.output_buffer_size().map_or(u64::MAX, |bytes| bytes as u64);
    origin.within(Place::File, "the decoded size in bytes", decoded, limits.of_decoded(len))?;
    Ok(reader)
}

fn shape(reader: &Reader<'_>) -> Vec<usize> {
    let (columns, rows) = reader.info().size();
    let mut shape = vec![rows as usize, columns as usize];
    let channels = reader.output_color_type().0.samples();
    if channels > 1 {
        shape.push(channels);
    }
    shape
}

fn element(reader: &Reader<'_>) -> ElementType {
    match reader.output_color_type().1 {
        BitDepth::Sixteen => ElementType::U16,
        _ => ElementType::U8,
    }
}

fn fault(origin: &Origin, error: DecodingError) -> Error {
    match error {
        DecodingError::IoError(error) => origin.read(Place::File)(error),
        DecodingError::LimitsExceeded => {
            origin.fault(Place::File, format!("its rows or its palette need more than {DECODER_BYTES} bytes"))
        }
        error => origin.fault_with(Place::File, error.to_string(), "the file is damaged; copy it again"),
    }
}
