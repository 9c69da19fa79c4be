//! JPEG photographs: grey or colour, 8 bits, baseline or progressive.
//!
//! ITU-T T.81. What is read is what the camera wrote, which is not what it saw: the compression has changed the values. The
//! format has no checksums.

use crate::{
    array::Array,
    element::{ElementType, Values},
    error::{Error, Place, Result},
    file::{limits::Limits, origin::Origin},
};
use std::{
    fs::File,
    io::{BufReader, Seek, SeekFrom},
};
use zune_core::{colorspace::ColorSpace, options::DecoderOptions};
use zune_jpeg::{JpegDecoder, errors::DecodeErrors};

/// The first bytes of every file.
pub(crate) const MAGIC: &[u8] = b"\xff\xd8\xff";

/// The most pixels that one byte can hold: a block of 64 pixels takes at least the bit of its mean.
const PIXELS_PER_BYTE: u64 = 512;

/// The longest side that the format has.
const SIDE: usize = u16::MAX as usize;

/// The most passes of a progressive image; what software writes has about ten, and each costs the time of a decoding.
const SCANS: usize = 64;

type Reader<'a> = JpegDecoder<BufReader<&'a mut File>>;

/// The shape and type of the image.
pub(crate) fn read_header(file: &mut File, limits: &Limits, origin: &Origin) -> Result<(Vec<usize>, ElementType)> {
    let (_, shape) = open(file, limits, origin)?;
    Ok((shape, ElementType::U8))
}

/// The image.
pub(crate) fn read_array(file: &mut File, limits: &Limits, origin: &Origin) -> Result<Array> {
    let (mut reader, shape) = open(file, limits, origin)?;
    let pixels = reader.decode().map_err(|error| fault(origin, error))?;
    Array::new(shape, Values::U8(pixels))
}

fn open<'a>(file: &'a mut File, limits: &Limits, origin: &Origin) -> Result<(Reader<'a>, Vec<usize>)> {
    let read = |error| Error::io("read", &origin.path)(error);
    let len = file.seek(SeekFrom::End(0)).map_err(read)?;
    file.seek(SeekFrom::Start(0)).map_err(read)?;
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(SIDE)
        .set_max_height(SIDE)
        .jpeg_set_max_scans(SCANS);
    let mut reader = JpegDecoder::new_with_options(BufReader::new(file), options);
    reader.decode_headers().map_err(|error| fault(origin, error))?;
    let Some((columns, rows)) = reader.dimensions() else {
        return Err(origin.fault(Place::File, "the header says no size"));
    };
    let grey = reader.input_colorspace() == Some(ColorSpace::Luma);
    let (color, channels) = if grey { (ColorSpace::Luma, 1) } else { (ColorSpace::RGB, 3) };
    reader.set_options(options.jpeg_set_out_colorspace(color));
    // Sides have 16 bits each.
    let pixels = rows as u64 * columns as u64;
    if pixels > len.saturating_mul(PIXELS_PER_BYTE) {
        let problem = format!("{columns} x {rows} pixels cannot be in a file of {len} bytes");
        return Err(origin.fault_with(Place::File, problem, "the file is truncated or damaged"));
    }
    origin.within(Place::File, "the decoded size in bytes", pixels * channels, limits.of_decoded(len))?;
    let shape = if grey { vec![rows, columns] } else { vec![rows, columns, 3] };
    Ok((reader, shape))
}

fn fault(origin: &Origin, error: DecodeErrors) -> Error {
    let problem = match error {
        DecodeErrors::ExhaustedData => "the data end early".to_string(),
        DecodeErrors::Unsupported(scheme) => {
            let problem = format!("it is of a kind that is not read: {scheme:?}");
            return origin.fault_with(Place::File, problem, "convert it to PNG");
        }
        // Some messages span lines.
        error => error.to_string().split_whitespace().collect::<Vec<_>>().join(" "),
    };
    origin.fault_with(Place::File, problem, "the file is truncated or damaged; copy it again")
}
