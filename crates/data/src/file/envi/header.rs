//! The text header of an ENVI image: `key = value` lines, where a value in braces may span lines.

use crate::{
    element::ElementType,
    error::{Place, Result},
    file::origin::Origin,
    spectral_unit::Said,
};
use std::{collections::HashMap, fmt, fmt::Write as _, str::FromStr};

/// The longest header taken. Names, wavelengths and statistics of a thousand bands are some 100 kB.
pub(crate) const HEADER_BYTES: u64 = 4 << 20;

/// What some editors write before the text.
pub(crate) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The numbers of ENVI's `data type`.
const TYPES: [(u32, ElementType); 11] = [
    (1, ElementType::U8),
    (2, ElementType::I16),
    (3, ElementType::I32),
    (4, ElementType::F32),
    (5, ElementType::F64),
    (6, ElementType::Complex64),
    (9, ElementType::Complex128),
    (12, ElementType::U16),
    (13, ElementType::U32),
    (14, ElementType::I64),
    (15, ElementType::U64),
];

/// The keys that have a field of [`EnviHeader`] or none that matters, in lower case.
const KNOWN: [&str; 22] = [
    "samples",
    "lines",
    "bands",
    "data type",
    "interleave",
    "byte order",
    "header offset",
    "file type",
    "file compression",
    "wavelength",
    "wavelength units",
    "fwhm",
    "bbl",
    "data ignore value",
    "data gain values",
    "data offset values",
    "reflectance scale factor",
    "band names",
    "spectra names",
    "description",
    "major frame offsets",
    "minor frame offsets",
];

/// The key, and the value of an image like any other.
const FILE_TYPE: &str = "file type";
const STANDARD: &str = "ENVI Standard";

/// Whether a key says how the numbers lie, which every file says for itself.
pub(crate) fn is_layout(key: &str) -> bool {
    let own =
        ["samples", "lines", "bands", "data type", "interleave", "byte order", "header offset", "file compression"];
    own.contains(&key.to_lowercase().as_str())
}

/// The keys that say where on the Earth an image lies.
const PLACE: [&str; 8] = [
    "map info",
    "coordinate system string",
    "projection info",
    "geo points",
    "rpc info",
    "pixel size",
    "x start",
    "y start",
];

/// The order in which the numbers of an ENVI image lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interleave {
    /// Band sequential: one image after the other.
    Bsq,
    /// Band interleaved by line: the rows of all bands, then the next row.
    Bil,
    /// Band interleaved by pixel: the bands of a pixel together.
    Bip,
}

impl Interleave {
    /// The name in headers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bsq => "bsq",
            Self::Bil => "bil",
            Self::Bip => "bip",
        }
    }

    /// Where the axes row, column and band (0, 1 and 2) lie in the file, the slowest first.
    pub(crate) fn axes(self) -> [usize; 3] {
        match self {
            Self::Bsq => [2, 0, 1],
            Self::Bil => [0, 2, 1],
            Self::Bip => [0, 1, 2],
        }
    }
}

impl fmt::Display for Interleave {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Interleave {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        let known = [Self::Bsq, Self::Bil, Self::Bip].into_iter().find(|known| known.name().eq_ignore_ascii_case(name));
        known.ok_or_else(|| format!("the interleave {name:?} is none of bsq, bil and bip"))
    }
}

/// What the header of an ENVI image says.
#[derive(Clone, Debug, PartialEq)]
pub struct EnviHeader {
    /// Image rows ("lines").
    pub rows: usize,
    /// Image columns ("samples").
    pub columns: usize,
    /// Bands.
    pub bands: usize,
    /// The type of the numbers ("data type").
    pub element: ElementType,
    /// The order of the numbers.
    pub interleave: Interleave,
    /// Whether the most significant byte of a number comes first ("byte order = 1").
    pub big_endian: bool,
    /// Bytes before the first number.
    pub header_offset: u64,
    /// Band centres in nanometres, one a band, or none. Lengths, wavenumbers and frequencies become nanometres; where a header does not say
    /// the unit, numbers below 100 are taken as micrometres; what is none of these, such as an index, stands in `others`.
    pub wavelengths_nm: Vec<f64>,
    /// Band widths (full width at half maximum) in nanometres, one a band, or none.
    pub widths_nm: Vec<f64>,
    /// Which bands are usable ("bbl", the bad band list), one a band, or none where all are.
    pub good_bands: Vec<bool>,
    /// The number that stands for "nothing was measured here" ("data ignore value").
    pub ignore_value: Option<f64>,
    /// Numbers in the file are this times the reflectance.
    pub reflectance_scale: f64,
    /// What the numbers of each band are multiplied by ("data gain values"), one a band, or none.
    pub gains: Vec<f64>,
    /// What is added to the products ("data offset values"), one a band, or none.
    pub offsets: Vec<f64>,
    /// Names of the bands, one a band, or none.
    pub band_names: Vec<String>,
    /// Names of the spectra of a spectral library, in which each row is a spectrum and each column a wavelength.
    pub spectra_names: Option<Vec<String>>,
    /// One line on what the image is.
    pub description: String,
    /// Everything else that the header says, as it stands: keys with their values, which have braces where they had them.
    pub others: Vec<(String, String)>,
}

impl EnviHeader {
    /// An image of this size: unsigned 16-bit numbers with the bands of a pixel together, and nothing else known.
    pub fn new(rows: usize, columns: usize, bands: usize) -> Self {
        Self {
            rows,
            columns,
            bands,
            element: ElementType::U16,
            interleave: Interleave::Bip,
            big_endian: false,
            header_offset: 0,
            wavelengths_nm: Vec::new(),
            widths_nm: Vec::new(),
            good_bands: Vec::new(),
            ignore_value: None,
            reflectance_scale: 1.0,
            gains: Vec::new(),
            offsets: Vec::new(),
            band_names: Vec::new(),
            spectra_names: None,
            description: String::new(),
            others: Vec::new(),
        }
    }

    /// Where on the Earth the image lies, for another image of the same pixels: of [`EnviHeader::others`] map and coordinates.
    pub fn place(&self) -> Vec<(String, String)> {
        let is_place = |key: &str| PLACE.contains(&key.to_lowercase().as_str());
        self.others.iter().filter(|(key, _)| is_place(key)).cloned().collect()
    }

    /// The number of wavelengths: the bands, or the columns of a spectral library.
    pub(crate) fn spectral_len(&self) -> usize {
        if self.spectra_names.is_some() { self.columns } else { self.bands }
    }

    /// The header as text.
    pub(crate) fn text(&self) -> String {
        let code = TYPES.iter().find(|(_, element)| *element == self.element).map_or(0, |(code, _)| *code);
        let own = self.others.iter().find(|(key, _)| key == FILE_TYPE).map(|(_, value)| value.as_str());
        let file_type = if self.spectra_names.is_some() { "ENVI Spectral Library" } else { own.unwrap_or(STANDARD) };
        let mut text = format!(
            "ENVI\ndescription = {{{}}}\nsamples = {}\nlines = {}\nbands = {}\nheader offset = {}\nfile type = {file_type}\n\
             data type = {code}\ninterleave = {}\nbyte order = {}\nreflectance scale factor = {}\n",
            plain(&self.description),
            self.columns,
            self.rows,
            self.bands,
            self.header_offset,
            self.interleave,
            u8::from(self.big_endian),
            self.reflectance_scale
        );
        let mut list = |key: &str, values: Vec<String>| {
            if !values.is_empty() {
                // writing into a string cannot fail
                let _ = writeln!(text, "{key} = {{{}}}", values.join(", "));
            }
        };
        let numbers = |values: &[f64]| values.iter().map(f64::to_string).collect::<Vec<_>>();
        let names = |names: &[String]| names.iter().map(|name| plain(name).replace(',', " ")).collect::<Vec<_>>();
        list("wavelength", numbers(&self.wavelengths_nm));
        list("fwhm", numbers(&self.widths_nm));
        list("data gain values", numbers(&self.gains));
        list("data offset values", numbers(&self.offsets));
        list("bbl", self.good_bands.iter().map(|&good| u8::from(good).to_string()).collect());
        list("band names", names(&self.band_names));
        list("spectra names", names(self.spectra_names.as_deref().unwrap_or_default()));
        if !(self.wavelengths_nm.is_empty() && self.widths_nm.is_empty()) {
            text.push_str("wavelength units = Nanometers\n");
        }
        if let Some(value) = self.ignore_value {
            let _ = writeln!(text, "data ignore value = {value}");
        }
        for (key, value) in self.others.iter().filter(|(key, _)| key != FILE_TYPE) {
            let _ = writeln!(text, "{} = {value}", plain(key).replace('=', " "));
        }
        text
    }
}

/// Braces and line ends would end the value.
fn plain(text: &str) -> String {
    text.replace(['{', '}', '\n', '\r'], " ")
}

/// Reads a header, which is known to be short.
pub(crate) fn parse(bytes: &[u8], origin: &Origin) -> Result<EnviHeader> {
    let text = String::from_utf8_lossy(bytes);
    let fields = fields(text.trim_start_matches(BYTE_ORDER_MARK), origin)?;
    let fault = |key: &str, problem: String| {
        let place = fields.get(key).map_or(Place::File, |field| Place::Line(field.line));
        origin.fault(place, problem)
    };
    let text = |key: &str| fields.get(key).map(|field| field.value.as_str());
    let number = |key: &str| -> Result<Option<u64>> {
        let parse = |value: &str| {
            value.parse().map_err(|_| fault(key, format!("{key:?} is {}, expected a whole number", quoted(value))))
        };
        text(key).map(parse).transpose()
    };
    let length = |key: &str| -> Result<usize> {
        let value = number(key)?.ok_or_else(|| {
            origin.fault_with(Place::File, format!("the header does not say {key:?}"), "add the line to the header")
        })?;
        let value = usize::try_from(value).ok().filter(|&value| value > 0);
        value.ok_or_else(|| fault(key, format!("{key:?} is {}, expected at least 1", text(key).unwrap_or_default())))
    };
    let real = |key: &str| -> Result<Option<f64>> {
        let parse = |value: &str| {
            value.parse().map_err(|_| fault(key, format!("{key:?} is {}, expected a number", quoted(value))))
        };
        text(key).map(parse).transpose()
    };

    for key in ["major frame offsets", "minor frame offsets"] {
        if text(key).is_some_and(|value| value.split(',').any(|offset| offset.trim().parse() != Ok(0.0))) {
            let problem = format!("there are bytes between the frames of the image ({key:?}), which are not read");
            let fix = "write the image without them, as with `gdal_translate -of ENVI`";
            return Err(origin.fault_with(fields.get(key).map_or(Place::File, |f| Place::Line(f.line)), problem, fix));
        }
    }
    if number("file compression")?.is_some_and(|compression| compression != 0) {
        return Err(origin.fault_with(
            Place::File,
            "the image is compressed",
            "unpack it, and say `file compression = 0`",
        ));
    }
    let code =
        number("data type")?.ok_or_else(|| origin.fault(Place::File, "the header does not say \"data type\""))?;
    let element = TYPES.iter().find(|(known, _)| u64::from(*known) == code).map(|(_, element)| *element);
    let element = element.ok_or_else(|| {
        let known: Vec<String> = TYPES.iter().map(|(code, element)| format!("{code} ({element})")).collect();
        fault("data type", format!("the data type {code} is unknown; those read are {}", known.join(", ")))
    })?;
    let big_endian = match number("byte order")? {
        None | Some(0) => false,
        Some(1) => true,
        Some(order) => return Err(fault("byte order", format!("the byte order {order} is neither 0 nor 1"))),
    };
    let interleave = text("interleave").unwrap_or("bsq").parse().map_err(|problem| fault("interleave", problem))?;
    let is_library = text(FILE_TYPE).is_some_and(|kind| kind.to_ascii_lowercase().contains("spectral library"));
    let (rows, columns) = (length("lines")?, length("samples")?);
    let mut header = EnviHeader {
        element,
        interleave,
        big_endian,
        header_offset: number("header offset")?.unwrap_or(0),
        ignore_value: real("data ignore value")?,
        reflectance_scale: real("reflectance scale factor")?.filter(|scale| *scale != 0.0).unwrap_or(1.0),
        spectra_names: is_library.then(Vec::new),
        description: text("description").unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" "),
        others: others(&fields),
        ..EnviHeader::new(rows, columns, number("bands")?.map_or(Ok(1), |_| length("bands"))?)
    };
    if is_library && header.bands != 1 {
        return Err(fault("bands", format!("a spectral library has 1 band, this one says {}", header.bands)));
    }

    let bands = header.spectral_len();
    let list = |key: &str, expected: usize| -> Result<Vec<&str>> {
        let values: Vec<&str> = text(key).into_iter().flat_map(|value| value.split(',')).map(str::trim).collect();
        // "{}" says as much as no line at all, and a comma may follow the last value.
        let values = match values.split_last() {
            Some((&"", rest)) => rest.to_vec(),
            _ => values,
        };
        if values.is_empty() || values.len() == expected {
            return Ok(values);
        }
        Err(fault(key, format!("{key:?} has {} values, expected {expected}", values.len())))
    };
    let reals = |key: &str| -> Result<Vec<f64>> {
        let parse = |value: &str| {
            value.parse().map_err(|_| fault(key, format!("{key:?} has {}, expected a number", quoted(value))))
        };
        list(key, bands)?.into_iter().map(parse).collect()
    };
    let (centres, widths) = (reals("wavelength")?, reals("fwhm")?);
    if let Some(found) = Said::of(text("wavelength units").unwrap_or_default()).bands(&centres, &widths) {
        (header.wavelengths_nm, header.widths_nm) = found;
    }
    (header.gains, header.offsets) = (reals("data gain values")?, reals("data offset values")?);
    header.good_bands = reals("bbl")?.into_iter().map(|value| value != 0.0).collect();
    let names = |key: &str, expected: usize| -> Result<Vec<String>> {
        // Names may hold commas, which nothing tells from those between them: such names are of no use, but no fault.
        Ok(list(key, expected).unwrap_or_default().into_iter().map(str::to_string).collect())
    };
    header.band_names = names("band names", header.bands)?;
    if is_library {
        header.spectra_names = Some(names("spectra names", header.rows)?);
    }
    // What its field cannot hold is kept as it stands.
    let has_centres = !header.wavelengths_nm.is_empty();
    let standard = |kind: &str| kind.eq_ignore_ascii_case(STANDARD) || is_library;
    for (key, is_held) in [
        (FILE_TYPE, text(FILE_TYPE).is_none_or(standard)),
        ("wavelength", has_centres),
        ("wavelength units", has_centres),
        ("fwhm", !header.widths_nm.is_empty()),
        ("band names", !header.band_names.is_empty()),
        ("spectra names", header.spectra_names.as_ref().is_some_and(|names| !names.is_empty())),
    ] {
        if let Some(field) = fields.get(key).filter(|field| !is_held && !field.value.is_empty()) {
            header.others.push((key.to_owned(), field.as_written()));
        }
    }
    Ok(header)
}

/// A value with the line on which it begins, counted from 1.
struct Field {
    /// The key as it stands.
    key: String,
    value: String,
    /// Whether the value stood in braces.
    braced: bool,
    line: u64,
}

impl Field {
    /// The value with the braces that it had.
    fn as_written(&self) -> String {
        if self.braced { format!("{{{}}}", self.value) } else { self.value.clone() }
    }
}

/// What has no field of its own, in the order of the file.
fn others(fields: &HashMap<String, Field>) -> Vec<(String, String)> {
    let mut others: Vec<_> = fields.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str())).collect();
    others.sort_by_key(|(_, field)| field.line);
    others.into_iter().map(|(_, field)| (field.key.clone(), field.as_written())).collect()
}

/// Splits a header into its values by their names in lower case.
fn fields(text: &str, origin: &Origin) -> Result<HashMap<String, Field>> {
    let mut lines = text.lines().zip(1..);
    if !lines.next().is_some_and(|(first, _)| first.trim_end().starts_with("ENVI")) {
        return Err(origin.fault(Place::Line(1), "the first line is not ENVI"));
    }
    let mut fields = HashMap::new();
    while let Some((start, line)) = lines.next() {
        if start.trim().is_empty() || start.trim_start().starts_with(';') {
            continue;
        }
        let Some((key, value)) = start.split_once('=') else {
            return Err(origin.fault(Place::Line(line), format!("expected `key = value`, found {}", quoted(start))));
        };
        let shown = key.split_whitespace().collect::<Vec<_>>().join(" ");
        let key = shown.to_lowercase();
        let mut value = value.trim().to_string();
        let braced = value.starts_with('{');
        if let Some(inside) = value.strip_prefix('{') {
            let mut inside = inside.to_string();
            while !inside.trim_end().ends_with('}') {
                let Some((more, _)) = lines.next() else {
                    return Err(origin.fault(Place::Line(line), format!("the brace of {key:?} is never closed")));
                };
                inside.push('\n');
                inside.push_str(more);
            }
            value = inside.trim_end().trim_end_matches('}').trim().to_string();
        }
        if fields.insert(key.clone(), Field { key: shown, value, braced, line }).is_some() {
            return Err(origin.fault_with(Place::Line(line), format!("{key:?} is there twice"), "delete one of them"));
        }
    }
    Ok(fields)
}

/// A value for a message: not longer than a line.
fn quoted(value: &str) -> String {
    format!("{:?}", value.chars().take(40).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Result<EnviHeader> {
        parse(text.as_bytes(), &Origin::new(Path::new("scene.hdr"), "ENVI"))
    }

    const SIZE: &str = "ENVI\nsamples = 3\nlines = 2\nbands = 2\ndata type = 12\n";

    #[test]
    fn what_is_written_is_read() {
        let header = EnviHeader {
            element: ElementType::F32,
            interleave: Interleave::Bil,
            big_endian: true,
            header_offset: 17,
            wavelengths_nm: vec![400.5, 1e3 / 3.0],
            widths_nm: vec![10.0, 9.5],
            good_bands: vec![true, false],
            ignore_value: Some(-9999.5),
            reflectance_scale: 1e4,
            band_names: vec!["blue".into(), "red".into()],
            description: "a scene".into(),
            gains: vec![0.5, 2.0],
            offsets: vec![0.0, -1.0],
            others: vec![
                ("map info".into(), "{UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84}".into()),
                ("Sensor Type".into(), "unknown".into()),
            ],
            ..EnviHeader::new(4, 3, 2)
        };
        assert_eq!(header.place().len(), 1);
        assert_eq!(read(&header.text()).unwrap(), header);
        let library = EnviHeader {
            spectra_names: Some(vec!["tree".into(), "water".into()]),
            wavelengths_nm: vec![401.0, 402.0, 403.0],
            ..EnviHeader::new(2, 3, 1)
        };
        assert_eq!(read(&library.text()).unwrap(), library);
        let braces = EnviHeader { description: "a {b}\nc".into(), ..EnviHeader::new(1, 1, 1) };
        assert_eq!(read(&braces.text()).unwrap().description, "a b c");
    }

    #[test]
    fn values_span_lines_keys_ignore_case_and_comments_are_left_out() {
        let header = read(&format!(
            "{SIZE}; a comment\r\nDescription = {{\n  made of\n two lines}}\nWavelength  Units = Micrometers\n\
             wavelength = {{\n 0.4,\n 0.7 }}\nbbl={{1,0,}}\nINTERLEAVE = BSQ\nmap info = {{UTM, 1, 1}}\n"
        ))
        .unwrap();
        assert_eq!(header.description, "made of two lines");
        assert_eq!(header.wavelengths_nm, [400.0, 700.0]);
        assert_eq!(header.good_bands, [true, false]);
        assert_eq!(header.interleave, Interleave::Bsq);
        assert_eq!(header.others, [("map info".to_owned(), "{UTM, 1, 1}".to_owned())]);
        assert_eq!(read(&format!("\u{feff}{SIZE}")).unwrap(), read(SIZE).unwrap());
    }

    #[test]
    fn units_are_told_or_guessed_and_what_is_no_length_is_left_out() {
        for (lines, expected) in [
            ("wavelength = {450, 550.5}\n", vec![450.0, 550.5]),
            ("wavelength = {0.45, 2.4}\n", vec![450.0, 2400.0]),
            ("wavelength = {45, 55}\nwavelength units = nm\n", vec![45.0, 55.0]),
            ("wavelength = {4500, 5500}\nwavelength units = Angstroms\n", vec![450.0, 550.0]),
            ("wavelength = {20000, 10000}\nwavelength units = Wavenumber\n", vec![500.0, 1000.0]),
            ("wavelength = {1, 2}\nwavelength units = Index\n", vec![]),
        ] {
            assert_eq!(read(&format!("{SIZE}{lines}")).unwrap().wavelengths_nm, expected, "{lines}");
        }
    }

    #[test]
    fn every_lie_is_placed() {
        for (more, parts) in [
            ("samples = 4\n", ["line 6", "\"samples\" is there twice"]),
            ("byte order = 2\n", ["line 6", "neither 0 nor 1"]),
            ("interleave = bqs\n", ["line 6", "none of bsq, bil and bip"]),
            ("wavelength = {1, 2, 3}\n", ["line 6", "has 3 values, expected 2"]),
            ("wavelength = {1, x}\n", ["line 6", "has \"x\", expected a number"]),
            ("wavelength = {1,\n2", ["line 6", "never closed"]),
            ("some text\n", ["line 6", "expected `key = value`"]),
            ("header offset = -1\n", ["line 6", "expected a whole number"]),
            ("file compression = 1\n", ["compressed", "unpack it"]),
            ("Major Frame Offsets = {16, 8}\n", ["line 6", "bytes between the frames"]),
            ("minor frame offsets = {0, 4}\n", ["line 6", "bytes between the frames"]),
            ("data ignore value = none\n", ["line 6", "expected a number"]),
        ] {
            let message = read(&format!("{SIZE}{more}")).unwrap_err().to_string();
            parts.iter().for_each(|part| assert!(message.contains(part), "{message}"));
        }
        for (from, to, part) in [
            ("lines = 2\n", "", "does not say \"lines\""),
            ("lines = 2", "lines = 0", "expected at least 1"),
            ("lines = 2", "lines = 36893488147419103232", "expected a whole number"),
            ("data type = 12", "data type = 7", "the data type 7 is unknown"),
            ("data type = 12\n", "", "does not say \"data type\""),
            ("ENVI", "envy", "the first line is not ENVI"),
        ] {
            let message = read(&SIZE.replace(from, to)).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }
}
