//! Reading skies and visibilities: one door for each, [`read_sky`] and [`read_visibilities`], that recognise a file by its content.
//!
//! What a file does not say has to be said in [`ReadConfig`], and is never guessed: its unit, its frequencies, which axis is which. What it
//! does say is not said again: a unit that contradicts the file is refused.

mod array;
mod frequencies;
mod image;
mod maps;
mod patch;
mod records;
mod simulated;
mod uvh5;
mod weights;

pub use frequencies::Frequencies;
pub use patch::{Interpolation, Patch};

use std::path::{Path, PathBuf};

use cupel_data::{Axis, AxisKind, Celestial, Class, Complex, Cube, Dataset, FitsBeam, Format, open};
use cupel_settings::{Problem, Range, Settings, settings};
use serde::{Deserialize, Serialize};

use crate::{Error, Result, Sky, Unit, Visibilities, sky::frequency_axis};

settings! {
    /// How a file is read: what it does not say of itself.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct ReadConfig in "input" {
        /// Name of the array, in a file with several
        pub variable: Option<String> = None, "NAME";
        /// Unit of the values, where the file names none: K, mK, Jy, Jy/beam, MJy/sr, count
        pub unit: Option<Unit> = None, "UNIT";
        /// Frequencies of the channels in MHz, where the file has none: a list, LOW:HIGH:CHANNELS between two edges, or a file of them
        pub frequencies: Option<Frequencies> = None, "MHZ";
        /// Names of the axes in their order, where the file does not name them: frequency,row,column or baseline,frequency,time
        pub axes: Vec<String> = Vec::new(), "AXES";
        /// Sides of the patch of sky in degrees, along rows and columns or one for both, where the file does not say
        pub side_deg: Vec<f64> = Vec::new(), in Range::above(0.0), "DEG";
        /// Full width of the beam at half maximum in degrees, where the file does not say
        pub beam_deg: Option<f64> = None, in Range::above(0.0), "DEG";
        /// Longitude and latitude in degrees of the middle of the patch that is cut out of a HEALPix map
        pub patch_centre: Vec<f64> = Vec::new(), in Range::at_least(-360.0).at_most(360.0), "LON,LAT";
        /// Side in degrees of that patch
        pub patch_side: f64 = 20.0, in Range::above(0.0).at_most(120.0), "DEG";
        /// Pixels along its side
        pub patch_pixels: usize = 64, in Range::at_least(1.0).at_most(16384.0), "N";
        /// How pixels of the patch are taken from the map
        pub patch_interpolation: Interpolation = Interpolation::Bilinear;
        /// How a HEALPix map is numbered where the file does not say, ring or nested
        pub healpix: Option<String> = None, "ORDERING";
    }
    beside {
        /// A file with a weight for each value; 0 leaves it out.
        pub weights: Option<PathBuf> = None;
        /// A file with a flag for each value; nonzero leaves it out.
        pub flags: Option<PathBuf> = None;
        /// How many bins in right ascension of visibilities are taken, from the first; all of them unless given.
        pub ra_bins: Option<usize> = None;
    }
}

/// Reads a sky: a FITS cube, a HEALPix map with a column per frequency, or an array of NPY, NPZ, HDF5 and the other formats of
/// [`cupel_data::open`].
///
/// # Errors
/// [`Error::Sky`] where the file lacks what a sky needs and nobody says it; those of [`Sky::new`]; those of [`cupel_data::open`] and of
/// reading, as for a truncated file.
///
/// # Example
/// ```no_run
/// use cupel_cosmology::{ReadConfig, Unit, read_sky};
/// let config = ReadConfig { unit: Some(Unit::Millikelvin), side_deg: vec![20.0], ..ReadConfig::default() };
/// let sky = read_sky("sky_0000/obs.npy", &config)?;
/// println!("{} channels in {}", sky.frequencies_mhz()?.len(), sky.unit());
/// # Ok::<(), cupel_cosmology::Error>(())
/// ```
pub fn read_sky(path: impl AsRef<Path>, config: &ReadConfig) -> Result<Sky> {
    let path = path.as_ref();
    config.check_values()?;
    let file = open(path)?;
    let raw = if maps::recognises(&file, config) {
        maps::read(&[file], config)?
    } else if file.format() == Format::Fits {
        image::read(&file, config)?
    } else {
        array::read_sky(&file, config)?
    };
    raw.sky(config)
}

/// Reads HEALPix maps, one file for each frequency, in the order of [`ReadConfig::frequencies`].
///
/// # Errors
/// As [`read_sky`].
pub fn read_maps(paths: &[impl AsRef<Path>], config: &ReadConfig) -> Result<Sky> {
    config.check_values()?;
    let files = paths.iter().map(open).collect::<cupel_data::Result<Vec<_>>>()?;
    maps::read(&files, config)?.sky(config)
}

/// Reads visibilities: UVH5, HDF5 with `/vis` `[baseline, frequency, right ascension]` and `/index_map`, or an array of NPY, NPZ and the other
/// formats of [`cupel_data::open`].
///
/// # Errors
/// As [`read_sky`], with [`Visibilities::new`].
pub fn read_visibilities(path: impl AsRef<Path>, config: &ReadConfig) -> Result<Visibilities> {
    let path = path.as_ref();
    config.check_values()?;
    let raw = raw_visibilities(path, config)?;
    let raw = raw.with_frequencies(config)?;
    let unit = raw.unit(config)?;
    in_file(path, Visibilities::new(raw.values, unit, raw.weights, raw.baselines_m))
}

/// Reads an array of which neither unit nor frequencies need be known, for comparison with another one like it: `[frequency, row, column]`
/// unless [`ReadConfig::axes`] say otherwise.
///
/// # Errors
/// As [`read_sky`], for what is read; [`cupel_data::Error::NonFinite`] for values that are not finite.
pub fn read_plain(path: impl AsRef<Path>, config: &ReadConfig) -> Result<Cube<f32>> {
    let path = path.as_ref();
    let cube = array::read_sky(&open(path)?, config)?.values;
    in_file(path, cube.check_finite().map_err(Into::into))?;
    Ok(cube)
}

/// Whether a file holds visibilities rather than a sky: complex numbers, or the marks of HDF5 that hold them.
///
/// # Errors
/// Those of [`cupel_data::open`].
pub fn holds_visibilities(path: impl AsRef<Path>, config: &ReadConfig) -> Result<bool> {
    use cupel_data::ElementType::{Complex64, Complex128};
    let file = open(path)?;
    if uvh5::recognises(&file) || records::recognises(&file, config) {
        return Ok(true);
    }
    let is_complex = |class: &Class| matches!(class, Class::Number(Complex64 | Complex128));
    Ok(match &config.variable {
        Some(name) => is_complex(file.variable(name)?.class()),
        None => file.variables().iter().any(|variable| is_complex(variable.class())),
    })
}

/// Visibilities of which frequencies and unit need not be known.
pub(crate) fn raw_visibilities(path: &Path, config: &ReadConfig) -> Result<Raw<Complex<f32>>> {
    let file = open(path)?;
    if uvh5::recognises(&file) {
        uvh5::read(&file, config)
    } else if records::recognises(&file, config) {
        records::read(&file, config)
    } else {
        array::read_visibilities(&file, config)
    }
}

/// What a file gave, before it is known to be enough.
pub(crate) struct Raw<T> {
    pub(crate) path: PathBuf,
    /// Under its axes; frequencies may have no coordinates yet.
    pub(crate) values: Cube<T>,
    /// The unit as the file writes it.
    pub(crate) written_unit: Option<String>,
    pub(crate) weights: Option<Cube<f32>>,
    pub(crate) baselines_m: Vec<[f64; 3]>,
    pub(crate) celestial: Option<Celestial>,
    /// Sides along rows and columns where they are known without a place.
    pub(crate) side_deg: Option<[f64; 2]>,
    pub(crate) beams: Vec<FitsBeam>,
}

impl<T: Copy> Raw<T> {
    pub(crate) fn new(path: &Path, values: Cube<T>) -> Self {
        Self {
            path: path.into(),
            values,
            written_unit: None,
            weights: None,
            baselines_m: Vec::new(),
            celestial: None,
            side_deg: None,
            beams: Vec::new(),
        }
    }

    fn fault(&self, problem: impl Into<String>, fix: impl Into<String>) -> Error {
        fault(&self.path, problem, fix)
    }

    /// The unit that the file names, or the one that was given.
    pub(crate) fn unit(&self, config: &ReadConfig) -> Result<Unit> {
        self.known_unit(config)?
            .ok_or_else(|| self.fault("the file names no unit", "give it with --unit (K, mK, Jy, Jy/beam, ...)"))
    }

    /// The same where it may be that nobody names one.
    pub(crate) fn known_unit(&self, config: &ReadConfig) -> Result<Option<Unit>> {
        let written = self.written_unit.as_deref().map(str::trim).filter(|unit| !unit.is_empty());
        let Some(written) = written else { return Ok(config.unit) };
        let own: Unit = match (written.parse(), config.unit) {
            (Ok(own), _) => own,
            // what is written means nothing here, and somebody knows what it is
            (Err(_), Some(given)) => return Ok(Some(given)),
            (Err(error), None) => return in_file(&self.path, Err(error)),
        };
        match config.unit {
            Some(given) if given != own => Err(self.fault(
                format!("the file is in {own}, --unit says {given}"),
                "leave --unit out; values are converted, not relabelled",
            )),
            _ => Ok(Some(own)),
        }
    }

    /// The same with coordinates on the frequency axis.
    pub(crate) fn with_frequencies(mut self, config: &ReadConfig) -> Result<Self> {
        let axis = self.values.axis(AxisKind::Frequency)?;
        if axis.coordinates().is_some() {
            if config.frequencies.is_some() {
                return Err(self.fault("the file has frequencies of its own", "leave --frequencies out"));
            }
            return Ok(self);
        }
        let channels = axis.len();
        let Some(given) = &config.frequencies else {
            let fix = "give them with --frequencies: a list in MHz, LOW:HIGH:CHANNELS, or a file";
            return Err(self.fault("there are no frequencies in the file", fix));
        };
        let frequencies_mhz = given.in_mhz()?;
        if frequencies_mhz.len() != channels {
            let problem = format!("{} frequencies are given, the file has {channels} channels", frequencies_mhz.len());
            return Err(self.fault(problem, "give one frequency per channel"));
        }
        let axis = in_file(&self.path, frequency_axis(frequencies_mhz))?;
        self.values = self.values.with_axis(axis)?;
        Ok(self)
    }
}

impl Raw<f32> {
    fn sky(self, config: &ReadConfig) -> Result<Sky> {
        let raw = self.with_frequencies(config)?;
        let unit = raw.unit(config)?;
        let Self { path, values, weights, celestial, side_deg, beams, .. } = raw;
        let mut sky = in_file(&path, Sky::new(values, unit, weights))?;
        let given = sides(config)?;
        if given.is_some() && (celestial.is_some() || side_deg.is_some()) {
            return Err(fault(&path, "it is known how large the patch is", "leave --side-deg out"));
        }
        if let Some(sides) = given.or(side_deg) {
            sky = sky.with_sides(sides)?;
        }
        if let Some(celestial) = celestial {
            sky = sky.with_celestial(celestial);
        }
        let beams = match (beams.is_empty(), config.beam_deg) {
            (false, Some(_)) => return Err(fault(&path, "the file says its beam", "leave --beam-deg out")),
            (true, Some(width)) => vec![FitsBeam { major_deg: width, minor_deg: width, angle_deg: 0.0 }],
            (_, None) => beams,
        };
        in_file(&path, sky.with_beams(beams))
    }
}

fn sides(config: &ReadConfig) -> Result<Option<[f64; 2]>> {
    match config.side_deg[..] {
        [] => Ok(None),
        [side] => Ok(Some([side; 2])),
        [row, column] => Ok(Some([row, column])),
        _ => Err(Problem::value(
            "side-deg",
            format!("{:?}", config.side_deg),
            "one angle, or two along rows and columns",
        )
        .into()),
    }
}

/// The axes that were named, or the default ones.
pub(crate) fn named_axes(config: &ReadConfig, defaults: &[AxisKind]) -> Result<Vec<AxisKind>> {
    if config.axes.is_empty() {
        return Ok(defaults.to_vec());
    }
    Ok(config.axes.iter().map(|name| name.parse()).collect::<cupel_data::Result<_>>()?)
}

/// An axis with coordinates where they are usable, and without where not.
pub(crate) fn axis_with(axis: Axis, coordinates: Option<Vec<f64>>, unit: &'static str) -> Axis {
    match coordinates {
        Some(coordinates) => axis.clone().with_coordinates(coordinates, unit).unwrap_or(axis),
        None => axis,
    }
}

/// The names of what is in a file that is a variable.
pub(crate) fn has(file: &Dataset, name: &str) -> bool {
    file.variables().iter().any(|variable| variable.name() == name)
}

pub(crate) fn fault(path: &Path, problem: impl Into<String>, fix: impl Into<String>) -> Error {
    Error::Sky { path: path.into(), problem: problem.into(), fix: fix.into() }
}

/// A result with the file that an error belongs to.
pub(crate) fn in_file<T>(path: &Path, result: Result<T>) -> Result<T> {
    result.map_err(|source| match source {
        Error::Sky { .. } | Error::File { .. } => source,
        // these name their file
        Error::Data(cupel_data::Error::Format { .. } | cupel_data::Error::Io { .. }) => source,
        source => Error::File { path: path.into(), problem: Box::new(source) },
    })
}
