//! FITS images: every image of a file as a variable, with the scale, the zero and the blanks of its header.
//!
//! FITS standard 4.0. A file is a list of parts, each a header of cards and data, both padded to blocks of 2880 bytes.
//! Numbers are big-endian, and the first axis varies fastest: an image of `NAXIS1 = 5, NAXIS2 = 3` is shown as `[3, 5]`, as
//! astropy does. `DATASUM` and `CHECKSUM` are checked where a header has them. Images that are compressed in tables, random
//! groups, and tables are listed and not read.

mod header;
mod scaling;

pub(crate) use scaling::Scaling;

use self::header::{BLOCK_BYTES, Header, add_words};
use crate::{
    array::Array,
    element::ElementType,
    error::{Error, Place, Result},
    file::{
        dataset::{Class, Variable},
        limits::Limits,
        numbers::ByteOrder,
        origin::Origin,
        raw::{Layout, Raw},
    },
};
use std::{
    collections::HashMap,
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
};

/// The first bytes of every file.
pub(crate) const MAGIC: &[u8] = b"SIMPLE  =";

/// The most axes of an image; the format allows 999, nothing here can use more than these.
const AXES: i64 = 64;

/// Where the images are.
#[derive(Debug)]
pub(crate) struct Fits {
    /// Of each variable, unless it is not read.
    images: Vec<Option<Image>>,
}

/// An image in the file.
#[derive(Debug)]
struct Image {
    layout: Layout,
    scaling: Option<Scaling>,
    /// The bytes of the numbers with their padding.
    padded_bytes: u64,
    /// What the words of the data must add up to.
    data_sum: Option<u32>,
}

/// Reads all headers.
pub(crate) fn read_directory(
    file: &mut File,
    len: u64,
    limits: &Limits,
    origin: &Origin,
) -> Result<(Fits, Vec<Variable>)> {
    let mut fits = Fits { images: Vec::new() };
    let mut variables: Vec<Variable> = Vec::new();
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut reader = BufReader::new(file);
    let mut offset = 0;
    while offset < len {
        reader.seek(SeekFrom::Start(offset)).map_err(Error::io("read", &origin.path))?;
        let header = Header::read(&mut reader, offset, origin)?;
        let data = offset + header.bytes;
        let part = Part::of(&header, data, offset, origin)?;
        let end = data.checked_add(part.padded_bytes).filter(|&end| end <= len);
        let Some(end) = end else {
            let problem = format!(
                "the data of this part need {} bytes, {} are left in the file",
                part.padded_bytes,
                len.saturating_sub(data)
            );
            return Err(origin.fault_with(
                Place::Byte(offset),
                problem,
                "the file is truncated or damaged; copy it again",
            ));
        };
        if let Some((class, image)) = part.content {
            if variables.len() as u64 >= limits.variables {
                return Err(Error::FileLimit {
                    path: origin.path.clone(),
                    place: Place::Byte(offset),
                    what: "the number of images",
                    size: variables.len() as u64 + 1,
                    limit: limits.variables,
                    name: "Limits::variables",
                });
            }
            let stem =
                header.text("EXTNAME").filter(|name| !name.is_empty()).map_or_else(|| origin.stem(), str::to_string);
            let count = names.entry(stem.clone()).or_insert(0);
            *count += 1;
            // Parts may share a name; a dot and a number tell them apart.
            let name = if *count == 1 { stem } else { format!("{stem}.{count}") };
            let shape = image.as_ref().map_or_else(Vec::new, |image| image.layout.shape.clone());
            variables.push(Variable::new(&name, shape, class));
            fits.images.push(image);
        }
        offset = end;
    }
    let mut sorted: Vec<&str> = variables.iter().map(Variable::name).collect();
    sorted.sort_unstable();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(origin.fault(Place::Variable(pair[0].into()), "two images have this name"));
    }
    Ok((fits, variables))
}

/// What one header describes.
struct Part {
    padded_bytes: u64,
    /// Nothing for a part without data.
    content: Option<(Class, Option<Image>)>,
}

impl Part {
    fn of(header: &Header, data: u64, offset: u64, origin: &Origin) -> Result<Self> {
        let fault = |problem: String| origin.fault(Place::Byte(offset), problem);
        let integer = |keyword: &str| header.integer(keyword, origin);
        let required = |keyword: &str| integer(keyword)?.ok_or_else(|| fault(format!("the header has no {keyword}")));
        let extension = header.text("XTENSION");
        if offset == 0 && !header.is("SIMPLE") {
            return Err(fault("SIMPLE is not T".into()));
        }
        if offset > 0 && extension.is_none() {
            return Err(origin.fault_with(
                Place::Byte(offset),
                "what follows the data is no extension",
                "the file is damaged, or something was added to it",
            ));
        }
        let stored = match required("BITPIX")? {
            8 => ElementType::U8,
            16 => ElementType::I16,
            32 => ElementType::I32,
            64 => ElementType::I64,
            -32 => ElementType::F32,
            -64 => ElementType::F64,
            other => return Err(fault(format!("BITPIX is {other}, which is no type of number"))),
        };
        let axes = required("NAXIS")?;
        if !(0..=AXES).contains(&axes) {
            return Err(fault(format!("NAXIS is {axes}, 0 to {AXES} are taken")));
        }
        let mut shape = Vec::new();
        for axis in 1..=axes {
            let length = required(&format!("NAXIS{axis}"))?;
            shape.push(usize::try_from(length).map_err(|_| fault(format!("NAXIS{axis} is {length}")))?);
        }
        let groups = shape.first() == Some(&0) && header.is("GROUPS");
        let others = |keyword: &str, default: i64| -> Result<u64> {
            let value = integer(keyword)?.unwrap_or(default);
            u64::try_from(value).map_err(|_| fault(format!("{keyword} is {value}")))
        };
        let (parameters, group_count) = (others("PCOUNT", 0)?, others("GCOUNT", 1)?);
        let lengths = if groups { &shape[1..] } else { &shape[..] };
        let numbers = if shape.is_empty() {
            Some(0)
        } else {
            lengths.iter().try_fold(1_u64, |product, &length| product.checked_mul(length as u64))
        };
        let bytes = numbers
            .and_then(|numbers| numbers.checked_add(parameters)?.checked_mul(group_count))
            .and_then(|numbers| numbers.checked_mul(stored.size_bytes() as u64))
            .and_then(|bytes| bytes.checked_next_multiple_of(BLOCK_BYTES as u64).map(|padded| (bytes, padded)));
        let Some((bytes, padded_bytes)) = bytes else {
            return Err(fault(format!("axes of {shape:?} are more than this machine can address")));
        };

        let data_sum = match header.text("DATASUM") {
            Some(text) => text.trim().parse().ok(),
            None => None,
        };
        if let (Some(sum), Some(_)) = (data_sum, header.text("CHECKSUM")) {
            // All words of a part add up to zero, which is written with all bits set.
            let total = add_words(header.sum, &u32::to_be_bytes(sum));
            if total != u32::MAX && total != 0 {
                return Err(origin.fault_with(
                    Place::Byte(offset),
                    "the header does not agree with its checksum",
                    "the file is damaged; copy it again",
                ));
            }
        }
        let other = |what: &str| Some((Class::Other(what.into()), None));
        let content = match extension {
            _ if bytes == 0 => None,
            _ if groups => other("random groups"),
            None | Some("IMAGE") => {
                shape.reverse();
                let image = Self::image(header, stored, shape, data, padded_bytes, data_sum, origin)?;
                Some((Class::Number(image.element()), Some(image)))
            }
            Some("BINTABLE") if header.is("ZIMAGE") => other("a compressed image; unpack it with funpack"),
            Some("BINTABLE" | "TABLE") => other("a table"),
            Some(kind) => other(&format!("an extension of the kind {kind}")),
        };
        Ok(Self { padded_bytes, content })
    }

    fn image(
        header: &Header,
        stored: ElementType,
        shape: Vec<usize>,
        data: u64,
        padded_bytes: u64,
        data_sum: Option<u32>,
        origin: &Origin,
    ) -> Result<Image> {
        let scale = header.real("BSCALE", origin)?.unwrap_or(1.0);
        let zero = header.real("BZERO", origin)?.unwrap_or(0.0);
        let blank = header.integer("BLANK", origin)?;
        let axes = (0..shape.len()).collect();
        let layout = Layout { offset: data, element: stored, order: ByteOrder::Big, shape, axes };
        Ok(Image { layout, scaling: Scaling::of(stored, scale, zero, blank), padded_bytes, data_sum })
    }
}

impl Image {
    fn element(&self) -> ElementType {
        let stored = self.layout.element;
        self.scaling.as_ref().map_or(stored, |scaling| scaling.element(stored))
    }
}

impl Fits {
    /// The image at `position`, mapped.
    pub(crate) fn raw(&self, file: &File, position: usize, origin: &Origin) -> Result<Raw> {
        let Some(image) = &self.images[position] else {
            return Err(origin.fault(Place::File, "this part is not an image"));
        };
        let file = file.try_clone().map_err(Error::io("read", &origin.path))?;
        let raw = Raw::new(file, image.layout.clone(), origin)?;
        Ok(match &image.scaling {
            Some(scaling) => raw.scaled(scaling.clone()),
            None => raw,
        })
    }

    /// The image at `position`, with its checksum checked if it has one.
    pub(crate) fn array(&self, file: &mut File, position: usize, origin: &Origin) -> Result<Array> {
        let array = self.raw(file, position, origin)?.array()?;
        if let Some(Image { data_sum: Some(expected), layout, padded_bytes, .. }) = &self.images[position] {
            let sum = data_sum(file, layout.offset, *padded_bytes).map_err(origin.read(Place::Byte(layout.offset)))?;
            // Zero has two forms.
            if sum != *expected && !(sum.wrapping_add(1) <= 1 && expected.wrapping_add(1) <= 1) {
                return Err(origin.fault_with(
                    Place::Byte(layout.offset),
                    format!("the data add up to {sum}, DATASUM is {expected}"),
                    "the file is damaged; copy it again",
                ));
            }
        }
        Ok(array)
    }
}

/// The sum of the words of the data.
fn data_sum(file: &mut File, offset: u64, bytes: u64) -> std::io::Result<u32> {
    file.seek(SeekFrom::Start(offset))?;
    let mut reader = BufReader::with_capacity(64 * BLOCK_BYTES, file);
    let mut block = [0; BLOCK_BYTES];
    let mut sum = 0;
    for _ in 0..bytes / BLOCK_BYTES as u64 {
        reader.read_exact(&mut block)?;
        sum = add_words(sum, &block);
    }
    Ok(sum)
}
