//! [`Instrument`]: what a file of exposures does not say of the instrument that took them.
//!
//! ```toml
//! wavelength = 532e-9            # metres
//! data = "amplitude"             # or "intensity"; found where it is left out
//! geometry = "led-array"         # or "ptychography"; found where it is left out
//!
//! [objective]
//! na = 0.1
//! pixel-size = 1.845e-6          # metres between pixels of a frame, in the plane of the object
//! upsampling = 4                 # pixels of the object for one of a frame
//!
//! [array]
//! pitch = 4e-3
//! distance = 90.88e-3
//! ```

use std::{fs, path::Path};

use cupel_settings::{Problem, Range, Settings, choices, settings};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{Error, Result};

/// The most bytes of an instrument file: many times what it needs.
const MOST_BYTES: u64 = 1 << 20;

choices! {
    /// What the numbers of a file are.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum DataKind {
        /// Found by which of the two the frames agree on
        Found = "found",
        /// Intensities
        Intensity = "intensity",
        /// Their square roots
        Amplitude = "amplitude",
    }
}

choices! {
    /// Which instrument took the exposures.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum InstrumentKind {
        /// Found by what is in the file
        Found = "found",
        /// A microscope under an array of lights
        LedArray = "led-array" | "fourier-ptychography",
        /// A probe that is moved over the object
        Ptychography = "ptychography",
    }
}

choices! {
    /// In which order the lights of an array shine.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum LightOrder {
        /// On a square spiral from the middle: one step to +x, one to +y, two to -x, two to -y
        Spiral = "spiral",
        /// Row by row
        Raster = "raster",
        /// As a file of positions says
        File = "file",
    }
}

choices! {
    /// The unit of positions.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum PositionUnit {
        /// Found by the names of the columns or by how large they are
        Found = "found",
        /// Metres
        Metres = "metres" | "m",
        /// Pixels of the object
        Pixels = "pixels" | "px",
    }
}

choices! {
    /// Where the frequency nought of diffraction patterns lies in a file.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum ZeroPlace {
        /// Found by where the light is
        Found = "found",
        /// In the middle
        Middle = "middle",
        /// In the first corner
        Corner = "corner",
    }
}

settings! {
    /// The microscope.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct Objective in "objective" {
        /// Numerical aperture
        pub na: Option<f64> = None, in Range::above(0.0).at_most(1.7), "NA";
        /// Metres between pixels of a frame in the plane of the object, or of the detector where a magnification is given
        pub pixel_size: Option<f64> = None, in Range::above(0.0).at_most(1.0), "M";
        /// Of the detector over the object; pixel-size is that of the detector then
        pub magnification: Option<f64> = None, in Range::above(0.0), "FACTOR";
        /// Pixels of the object along a side for one of a frame; as many as the frequencies need unless given
        pub upsampling: Option<usize> = None, in Range::at_least(1.0).at_most(64.0), "FACTOR";
        /// Metres that the object is out of focus; that of the file unless given
        pub defocus: Option<f64> = None, in Range::at_least(-1e-2).at_most(1e-2), "M";
    }
}

settings! {
    /// The array of lights.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct ArrayConfig in "array" {
        /// Metres from one light to the next
        pub pitch: Option<f64> = None, in Range::above(0.0).at_most(1.0), "M";
        /// Metres from the array to the object
        pub distance: Option<f64> = None, in Range::above(0.0).at_most(100.0), "M";
        /// Rows of lights that shine; a square unless given
        pub rows: Option<usize> = None, in Range::at_least(1.0).at_most(4096.0), "N";
        /// Columns of lights that shine
        pub columns: Option<usize> = None, in Range::at_least(1.0).at_most(4096.0), "N";
        /// The order in which they shine
        pub order: LightOrder = LightOrder::Spiral;
        /// Metres of glass between array and object
        pub glass_thickness: f64 = 0.0, in Range::at_least(0.0).at_most(1.0), "M";
        /// Its index of refraction
        pub glass_index: f64 = 1.52, in Range::at_least(1.0).at_most(4.0), "INDEX";
        /// Metres along x and y from the middle of the image to the first light, or to the middle of the array; that of the file unless given
        pub offset: Vec<f64> = Vec::new(), in Range::at_least(-1.0).at_most(1.0), "X,Y";
        /// Degrees that the array is turned from x towards y; that of the file unless given
        pub rotation: Option<f64> = None, in Range::at_least(-360.0).at_most(360.0), "DEG";
        /// A light at positive x shows negative frequencies; the other choice gives the mirrored and conjugated object
        pub mirrored: bool = true;
    }
}

settings! {
    /// The probe of ptychography, and how it is moved.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct ProbeConfig in "probe" {
        /// Metres from the object to the detector; that of the file unless given
        pub distance: Option<f64> = None, in Range::above(0.0).at_most(1e4), "M";
        /// Metres between pixels of the object, where it does not follow from the distance
        pub pixel_size: Option<f64> = None, in Range::above(0.0).at_most(1.0), "M";
        /// Metres across the probe, where the file has none; found from the frames unless given
        pub diameter: Option<f64> = None, in Range::above(0.0).at_most(1.0), "M";
        /// Metres from the focus of the probe to the object
        pub defocus: f64 = 0.0, in Range::at_least(-10.0).at_most(10.0), "M";
        /// Unit of the positions
        pub unit: PositionUnit = PositionUnit::Found;
        /// Rows of the positions run the other way
        pub flip_rows: bool = false;
        /// Columns of the positions run the other way
        pub flip_columns: bool = false;
        /// The first of two positions is the column
        pub swap: bool = false;
    }
}

settings! {
    /// The detector.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct DetectorConfig in "detector" {
        /// Metres between its pixels; that of the file unless given
        pub pixel_size: Option<f64> = None, in Range::above(0.0).at_most(1.0), "M";
        /// Value without light, taken off each pixel
        pub dark: f64 = 0.0, in Range::at_least(0.0), "COUNTS";
        /// Value at which a pixel is saturated
        pub saturation: Option<f64> = None, in Range::above(0.0), "COUNTS";
        /// Photons of one count; with it noise is that of photons
        pub gain: Option<f64> = None, in Range::above(0.0), "PHOTONS";
        /// Standard deviation of the read-out in electrons
        pub read_noise: f64 = 0.0, in Range::at_least(0.0), "ELECTRONS";
        /// Where the frequency nought of a diffraction pattern lies
        pub zero: ZeroPlace = ZeroPlace::Found;
    }
    beside {
        /// A file with the dark frame, taken off each frame.
        pub dark_frame: Option<std::path::PathBuf> = None;
        /// A file with a value above nought for each pixel that is bad.
        pub bad_pixels: Option<std::path::PathBuf> = None;
    }
    needs {
        ["read-noise"] |own| own.gain.is_some() => "read-out noise in electrons has no meaning without the gain";
    }
}

/// An instrument; what it leaves open is taken from the file of exposures, or found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Instrument {
    /// Metres.
    pub wavelength: Option<f64>,
    /// Its kind.
    pub geometry: InstrumentKind,
    /// What the numbers of the file are.
    pub data: DataKind,
    /// Name of the array of frames in a file with several.
    pub frames: Option<String>,
    /// A table of positions, where the file of frames has none.
    pub positions: Option<std::path::PathBuf>,
    /// The microscope.
    pub objective: Objective,
    /// The array of lights.
    pub array: ArrayConfig,
    /// The probe.
    pub probe: ProbeConfig,
    /// The detector.
    pub detector: DetectorConfig,
}

/// Keys that stand in no section.
const KEYS: [&str; 5] = ["wavelength", "geometry", "data", "frames", "positions"];
/// The sections.
const SECTIONS: [&str; 4] = ["objective", "array", "probe", "detector"];

impl Instrument {
    /// Reads an instrument file; paths in it are those beside it.
    ///
    /// # Errors
    /// [`Error::Instrument`] for text that is no TOML and keys that are none, with the nearest; [`Error::Setting`] for values out of range.
    pub fn read(path: &Path) -> Result<Self> {
        let io = |source| Error::Data(cupel_data::Error::Io { action: "read", path: path.into(), source });
        if fs::metadata(path).map_err(io)?.len() > MOST_BYTES {
            return Err(broken(path, "it is larger than 1 MiB", "an instrument file is a short TOML text"));
        }
        let text = fs::read(path).map_err(io)?;
        let text = String::from_utf8(text).map_err(|_| broken(path, "it is no text", "write it as UTF-8"))?;
        let mut instrument = Self::parse(&text, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let beside =
            [&mut instrument.positions, &mut instrument.detector.dark_frame, &mut instrument.detector.bad_pixels];
        for own in beside.into_iter().flatten() {
            *own = folder.join(&*own);
        }
        Ok(instrument)
    }

    /// The instrument of a text; `path` is for messages.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| {
            broken(path, error.to_string().trim().to_owned(), "mend the TOML there")
        })?;
        let mut own = Self::default();
        for (key, value) in &table {
            let wanted = key.replace('_', "-");
            match (wanted.as_str(), value) {
                ("objective", Value::Table(section)) => fill(&mut own.objective, section, "objective", path)?,
                ("array", Value::Table(section)) => fill(&mut own.array, section, "array", path)?,
                ("probe", Value::Table(section)) => fill(&mut own.probe, section, "probe", path)?,
                ("detector", Value::Table(section)) => {
                    let mut section = section.clone();
                    for (name, place) in
                        [("dark-frame", &mut own.detector.dark_frame), ("bad-pixels", &mut own.detector.bad_pixels)]
                    {
                        let underscored = name.replace('-', "_");
                        if let Some(value) = section.remove(name).or_else(|| section.remove(&underscored)) {
                            *place = Some(text_of(&value, name, path)?.into());
                        }
                    }
                    fill(&mut own.detector, &section, "detector", path)?;
                }
                (section, _) if SECTIONS.contains(&section) => {
                    let fix = format!("write it as a section, [{section}]");
                    return Err(broken(path, format!("{section} is not a section"), fix));
                }
                ("wavelength", value) => {
                    let text = text_of(value, key, path)?;
                    let metres: f64 = text.parse().unwrap_or(f64::NAN);
                    if !(metres > 0.0 && metres < 1.0) {
                        let expected = "metres, above 0 and below 1, such as 532e-9";
                        return Err(Problem::value("wavelength", text, expected).into());
                    }
                    own.wavelength = Some(metres);
                }
                ("geometry", value) => own.geometry = choice(value, key, path)?,
                ("data", value) => own.data = choice(value, key, path)?,
                ("frames", value) => own.frames = Some(text_of(value, key, path)?),
                ("positions", value) => own.positions = Some(text_of(value, key, path)?.into()),
                _ => {
                    let known: Vec<&str> = KEYS.into_iter().chain(SECTIONS).collect();
                    return Err(unknown(path, key, "", &known));
                }
            }
        }
        own.check()?;
        Ok(own)
    }

    /// # Errors
    /// [`Error::Setting`], the first setting that cannot be or has no effect.
    pub fn check(&self) -> Result<()> {
        self.objective.check()?;
        self.array.check()?;
        self.probe.check()?;
        self.detector.check()?;
        if !matches!(self.array.offset.len(), 0 | 2) {
            let got = format!("{:?}", self.array.offset);
            return Err(Problem::value("offset", got, "two numbers, x and y").into());
        }
        if self.array.order == LightOrder::File && self.positions.is_none() {
            return Err(Problem::value("order", "file", "`positions`, the file with the places of the lights").into());
        }
        Ok(())
    }
}

/// Sets each setting of a section.
fn fill(settings: &mut impl Settings, section: &Table, name: &str, path: &Path) -> Result<()> {
    for (key, value) in section {
        let text = text_of(value, key, path)?;
        settings.set(key, &text).map_err(|problem| match problem {
            Problem::Unknown { known, .. } => {
                let known: Vec<&str> = known.iter().map(String::as_str).collect();
                unknown(path, key, name, &known)
            }
            other => Error::Setting(other),
        })?;
    }
    Ok(())
}

fn choice<T: std::str::FromStr<Err = Problem>>(value: &Value, key: &str, path: &Path) -> Result<T> {
    let text = text_of(value, key, path)?;
    text.parse().map_err(|problem| match problem {
        Problem::Value { got, expected, .. } => Error::Setting(Problem::value(key, got, expected)),
        other => Error::Setting(other),
    })
}

/// A value as the text that settings are parsed from.
fn text_of(value: &Value, key: &str, path: &Path) -> Result<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Integer(number) => Ok(number.to_string()),
        Value::Float(number) => Ok(number.to_string()),
        Value::Boolean(switch) => Ok(switch.to_string()),
        Value::Array(values) => {
            let texts: Result<Vec<_>> = values.iter().map(|value| text_of(value, key, path)).collect();
            Ok(texts?.join(","))
        }
        Value::Table(_) => Err(unknown(path, key, "", &KEYS.into_iter().chain(SECTIONS).collect::<Vec<_>>())),
        Value::Datetime(_) => Err(broken(path, format!("{key} is a date"), "give a number or a text")),
    }
}

fn unknown(path: &Path, key: &str, section: &str, known: &[&str]) -> Error {
    let place = if section.is_empty() { "there is no key".to_owned() } else { format!("[{section}] has no key") };
    let nearest = cupel_data::nearest_name(&key.replace('_', "-"), known.iter().copied());
    let fix = match nearest {
        Some(nearest) => format!("did you mean `{nearest}`? there are {}", known.join(", ")),
        None => format!("there are {}", known.join(", ")),
    };
    broken(path, format!("{place} `{key}`"), fix)
}

fn broken(path: &Path, problem: impl Into<String>, fix: impl Into<String>) -> Error {
    Error::Instrument { path: path.into(), problem: problem.into(), fix: fix.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Instrument> {
        Instrument::parse(text, Path::new("it.toml"))
    }

    #[test]
    fn sections_and_keys_are_read_with_dashes_or_underscores() {
        let own = parse(
            "wavelength = 5.32e-7\ndata = \"amplitude\"\n[objective]\nna = 0.1\npixel_size = 1e-6\n[array]\noffset = [0, 3.5e-4]\norder = \"raster\"\n",
        )
        .unwrap();
        assert_eq!(own.wavelength, Some(532e-9));
        assert_eq!(own.data, DataKind::Amplitude);
        assert_eq!((own.objective.na, own.objective.pixel_size), (Some(0.1), Some(1e-6)));
        assert_eq!((own.array.offset.as_slice(), own.array.order), (&[0.0, 3.5e-4][..], LightOrder::Raster));
    }

    #[test]
    fn misspelt_keys_are_named_with_the_nearest() {
        for (text, wanted) in [
            ("wavelenght = 5e-7", "did you mean `wavelength`?"),
            ("[objektive]\nna = 0.1", "did you mean `objective`?"),
            ("[array]\npitsch = 4e-3", "did you mean `pitch`?"),
            ("[probe]\nflip_row = true", "did you mean `flip-rows`?"),
            ("[detector]\nsaturaton = 3", "did you mean `saturation`?"),
        ] {
            let message = parse(text).unwrap_err().to_string();
            assert!(message.contains(wanted) && message.contains("it.toml"), "{text}: {message}");
        }
    }

    #[test]
    fn values_that_cannot_be_are_refused() {
        for text in [
            "wavelength = 532",
            "wavelength = -1",
            "objective = 3",
            "[array]\noffset = [1]",
            "[array]\norder = \"file\"",
            "[array]\norder = \"spirale\"",
            "[array]\nglass-index = 0.5",
            "[detector]\nread-noise = 2",
            "data = \"phase\"",
            "[objective",
            "wavelength = 1979-05-27",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
