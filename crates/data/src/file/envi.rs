//! ENVI images and spectral libraries: raw numbers beside a text header.
//!
//! Format: NV5 Geospatial, "ENVI Header Files". Either file may be opened, and the other is found beside it: `scene.hdr` or
//! `scene.img.hdr` for `scene.img`, and for a header the file without `.hdr` or with one of [`ENDINGS`] in its place. The
//! numbers are mapped and not read until they are asked for; whatever the interleave, an image is shown as
//! `[rows, columns, bands]`.

mod header;
mod write;

pub(crate) use header::is_layout as is_envi_layout;
pub use header::{EnviHeader, Interleave};
pub(crate) use write::{interleave_of, stored as envi_stored, write_envi_rows};
pub use write::{write_envi, write_envi_array, write_envi_header};

use crate::{
    array::{Array, value_count},
    axes::{Axes, Axis, AxisKind},
    element::{ElementType, Values},
    error::{Error, Place, Result},
    file::{
        dataset::{Class, Variable},
        meaning::Meaning,
        numbers::ByteOrder,
        origin::Origin,
        raw::{Layout, Raw},
    },
};
use std::{
    ffi::OsString,
    fs::{self, File},
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

/// The first bytes of every header.
const MAGIC: &[u8] = b"ENVI";

/// The endings that the numbers of a header may have; nothing stands for the name without an ending.
pub(crate) const ENDINGS: [&str; 10] = ["img", "dat", "raw", "bsq", "bil", "bip", "sli", "lib", "bin", ""];

/// What is in an image.
#[derive(Debug)]
pub(crate) struct Envi {
    pub(crate) header: EnviHeader,
    pub(crate) raw: Arc<Raw>,
    /// What the variables after the image are.
    others: Vec<Other>,
}

/// A list of the header, as a variable.
#[derive(Clone, Debug)]
enum Other {
    Numbers(Values),
    Names(Vec<String>),
}

/// Reads the header and maps the numbers.
pub(crate) fn open(header_path: &Path, data_path: &Path, origin: &Origin) -> Result<(Envi, Vec<Variable>)> {
    let of_header = Origin::new(header_path, origin.format);
    let header = header::parse(&header_bytes(header_path, &of_header)?, &of_header)?;
    let of_data = Origin::new(data_path, origin.format);
    let file = File::open(data_path).map_err(Error::io("open", data_path))?;
    let EnviHeader { rows, columns, bands, .. } = header;
    let (shape, axes) = match header.spectra_names {
        // One band: all interleaves are the same.
        Some(_) => (vec![rows, columns], vec![0, 1]),
        None => (vec![rows, columns, bands], header.interleave.axes().to_vec()),
    };
    let layout = Layout {
        offset: header.header_offset,
        element: header.element,
        order: if header.big_endian { ByteOrder::Big } else { ByteOrder::Little },
        shape: shape.clone(),
        axes,
        row_bytes: None,
    };
    let len = file.metadata().map_err(Error::io("read", data_path))?.len();
    check_length(&layout, columns.saturating_mul(bands), len, &of_data)?;
    let raw = Arc::new(Raw::new(file, layout, &of_data)?);

    let mut variables = vec![Variable::new(&origin.stem(), shape, Class::Number(header.element))];
    let mut others = Vec::new();
    let mut numbers = |name: &str, values: Values| {
        if !values.is_empty() {
            variables.push(Variable::new(name, vec![values.len()], Class::Number(values.element_type())));
            others.push(Other::Numbers(values));
        }
    };
    numbers("wavelength", Values::F64(header.wavelengths_nm.clone()));
    numbers("fwhm", Values::F64(header.widths_nm.clone()));
    numbers("bbl", Values::Bool(header.good_bands.clone()));
    for (name, names) in
        [("band_names", &header.band_names), ("names", header.spectra_names.as_ref().unwrap_or(&Vec::new()))]
    {
        if !names.is_empty() {
            variables.push(Variable::new(name, vec![names.len()], Class::Text));
            others.push(Other::Names(names.clone()));
        }
    }
    Ok((Envi { header, raw, others }, variables))
}

/// More bytes than the header asks for are taken as padding where they are less than one line, else something is wrong.
fn check_length(layout: &Layout, line: usize, len: u64, origin: &Origin) -> Result<()> {
    // What cannot be addressed or is too short is refused where the file is mapped.
    let Some(end) = layout.end().filter(|&end| end < len) else { return Ok(()) };
    let line_bytes = line.saturating_mul(layout.element.size_bytes()) as u64;
    if len - end < line_bytes {
        return Ok(());
    }
    let problem = format!("the header asks for {end} bytes and there are {len}");
    Err(origin.fault_with(Place::File, problem, "correct samples, lines, bands, data type or header offset"))
}

fn header_bytes(path: &Path, origin: &Origin) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::io("open", path))?;
    file.take(header::HEADER_BYTES + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > header::HEADER_BYTES {
        let problem = format!("the header has more than {} bytes", header::HEADER_BYTES);
        return Err(origin.fault_with(Place::File, problem, "is this a header, or the image itself?"));
    }
    Ok(bytes)
}

/// The numbers that belong to a header: of the files beside it that could be meant, the first.
pub(crate) fn data_beside(header: &Path, origin: &Origin) -> Result<PathBuf> {
    let mut candidates = Vec::new();
    if header.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("hdr")) {
        let whole = header.with_extension("");
        // scene.img.hdr
        candidates.push(whole.clone());
        for ending in ENDINGS.iter().filter(|ending| !ending.is_empty()) {
            candidates.push(with_suffix(&whole, ending));
            candidates.push(with_suffix(&whole, &ending.to_uppercase()));
        }
    }
    let found = candidates.iter().find(|candidate| fs::metadata(candidate).is_ok_and(|found| found.is_file()));
    found.cloned().ok_or_else(|| {
        let stem = header.file_stem().unwrap_or_default().to_string_lossy();
        let problem = format!("the numbers of this header are missing: there is no file {stem} beside it");
        let fix = format!("put them beside it as {stem} or {stem}.img, and call the header {stem}.hdr");
        origin.fault_with(Place::File, problem, fix)
    })
}

/// The header beside numbers, if there is one that begins like a header.
pub(crate) fn header_beside(data: &Path) -> Option<PathBuf> {
    headers_beside(data).find(|candidate| File::open(candidate).is_ok_and(begins_a_header))
}

/// The same, if the numbers are as many as it says, to the byte, under a name that such numbers have: then they may begin with anything,
/// the first bytes of another format among it.
pub(crate) fn exact_header_beside(data: &Path, len: u64) -> Option<PathBuf> {
    let ending = data.extension().unwrap_or_default().to_ascii_lowercase();
    let header_path = ENDINGS.iter().any(|known| *known == ending).then(|| header_beside(data))??;
    let origin = Origin::new(&header_path, "ENVI");
    let header = header::parse(&header_bytes(&header_path, &origin).ok()?, &origin).ok()?;
    let count = value_count(&[header.rows, header.columns, header.bands])? as u64;
    let bytes = count.checked_mul(header.element.size_bytes() as u64)?;
    (header.header_offset.checked_add(bytes) == Some(len)).then_some(header_path)
}

/// A file beside numbers that has the name of their header and does not begin like one.
pub(crate) fn other_header_beside(data: &Path) -> Option<PathBuf> {
    headers_beside(data).next()
}

/// Files that could be the header of numbers.
fn headers_beside(data: &Path) -> impl Iterator<Item = PathBuf> + use<'_> {
    let candidates =
        ["hdr", "HDR"].into_iter().flat_map(|ending| [with_suffix(data, ending), data.with_extension(ending)]);
    candidates.filter(move |candidate| candidate != data && fs::metadata(candidate).is_ok_and(|found| found.is_file()))
}

/// Whether a file begins like a header, maybe behind a byte order mark.
fn begins_a_header(mut file: File) -> bool {
    let mut start = Vec::new();
    (&mut file).take(8).read_to_end(&mut start).is_ok() && is_header(&start)
}

/// Whether these are the first bytes of a header.
pub(crate) fn is_header(start: &[u8]) -> bool {
    let mut mark = [0; 4];
    let mark = header::BYTE_ORDER_MARK.encode_utf8(&mut mark).as_bytes();
    start.strip_prefix(mark).unwrap_or(start).starts_with(MAGIC)
}

/// The other file of an ENVI image: the numbers of a header, the header of numbers; `None` where there is none.
pub fn envi_partner(path: &Path) -> Option<PathBuf> {
    data_beside(path, &Origin::new(path, "ENVI")).ok().or_else(|| header_beside(path))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".");
    name.push(suffix);
    name.into()
}

impl Envi {
    /// The axes of the image, with the wavelengths where they go strictly up or down.
    pub(crate) fn axes(&self) -> Result<Axes> {
        let header = &self.header;
        let band = Axis::new(AxisKind::Wavelength, header.spectral_len());
        let band = match band.clone().with_coordinates(header.wavelengths_nm.clone(), "nm") {
            Ok(band) => band,
            // The detectors of some instruments overlap.
            Err(_) => band,
        };
        match header.spectra_names {
            Some(_) => Axes::new(vec![Axis::new(AxisKind::Sample, header.rows), band]),
            None => Axes::new(vec![
                Axis::new(AxisKind::Row, header.rows),
                Axis::new(AxisKind::Column, header.columns),
                band,
            ]),
        }
    }

    /// The array of the variable at `position`.
    pub(crate) fn array(&self, position: usize) -> Result<Array> {
        match position.checked_sub(1).map(|other| &self.others[other]) {
            None => self.raw.array(),
            Some(Other::Numbers(values)) => Array::new(vec![values.len()], values.clone()),
            Some(Other::Names(_)) => Array::new(vec![0], Values::U8(Vec::new())),
        }
    }

    /// The names of the variable at `position`, if they are names.
    pub(crate) fn text(&self, position: usize) -> Option<Vec<String>> {
        match position.checked_sub(1).map(|other| &self.others[other]) {
            Some(Other::Names(names)) => Some(names.clone()),
            _ => None,
        }
    }

    /// What the numbers of the image stand for.
    pub(crate) fn meaning(&self) -> Meaning {
        let header = &self.header;
        if matches!(header.element, ElementType::Complex64 | ElementType::Complex128) {
            return Meaning::default();
        }
        let scale = header.reflectance_scale;
        let gains = match header.gains.as_slice() {
            [] if scale == 1.0 => Vec::new(),
            [] => vec![scale.recip()],
            gains => gains.iter().map(|gain| gain / scale).collect(),
        };
        let offsets = header.offsets.iter().map(|offset| offset / scale).collect();
        Meaning { missing: header.ignore_value.into_iter().collect(), gains, offsets, ..Meaning::default() }
    }
}
