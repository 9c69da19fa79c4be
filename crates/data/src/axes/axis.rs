//! One axis: what it means, where its positions lie, in which unit.

use crate::{
    error::{Error, Result},
    spectral_unit::name_and_unit,
};
use std::{fmt, str::FromStr, sync::Arc};

/// What an axis means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AxisKind {
    /// Radio frequency channels.
    Frequency,
    /// Spectral bands of an optical instrument.
    Wavelength,
    /// Pairs of antennas.
    Baseline,
    /// Times of an observation.
    Time,
    /// Products of the feeds of two antennas, such as XX and YY, or Stokes parameters.
    Polarisation,
    /// Sky coordinate towards the east.
    RightAscension,
    /// Sky coordinate towards the north.
    Declination,
    /// Image rows, from the top.
    Row,
    /// Image columns, from the left.
    Column,
    /// Independent examples: pixels, patches, rows of a table.
    Sample,
    /// Single measurements with one illumination or aperture each.
    Exposure,
    /// Pure materials of an unmixing.
    Endmember,
    /// Components of a decomposition.
    Mode,
    /// The axis at this position of an array whose axes nobody named.
    Dimension(u8),
}

/// Names as they appear in messages and configurations; [`AxisKind::Dimension`] is written `dimension 2`.
const NAMES: [(AxisKind, &str); 13] = [
    (AxisKind::Frequency, "frequency"),
    (AxisKind::Wavelength, "wavelength"),
    (AxisKind::Baseline, "baseline"),
    (AxisKind::Time, "time"),
    (AxisKind::Polarisation, "polarisation"),
    (AxisKind::RightAscension, "right-ascension"),
    (AxisKind::Declination, "declination"),
    (AxisKind::Row, "row"),
    (AxisKind::Column, "column"),
    (AxisKind::Sample, "sample"),
    (AxisKind::Exposure, "exposure"),
    (AxisKind::Endmember, "endmember"),
    (AxisKind::Mode, "mode"),
];

/// What the axes of an image are called in the conventions of NetCDF, HDF5, FITS and observatories, in lower case and letters only.
const CALLED: [(AxisKind, &[&str]); 3] = [
    (
        AxisKind::Row,
        &[
            "y",
            "row",
            "rows",
            "line",
            "lines",
            "lat",
            "latitude",
            "northing",
            "downtrack",
            "alongtrack",
            "scanline",
            "nrows",
            "nlines",
        ],
    ),
    (
        AxisKind::Column,
        &[
            "x",
            "col",
            "cols",
            "column",
            "columns",
            "sample",
            "samples",
            "lon",
            "longitude",
            "easting",
            "crosstrack",
            "acrosstrack",
            "pixel",
            "ncols",
        ],
    ),
    (
        AxisKind::Wavelength,
        &[
            "band",
            "bands",
            "wavelength",
            "wavelengths",
            "wavelengthnm",
            "wavelengthum",
            "wave",
            "lambda",
            "wl",
            "wavenumber",
            "wavenumbers",
            "channel",
            "channels",
            "spectral",
            "nbands",
            "z",
        ],
    ),
];

impl AxisKind {
    /// The axis of an image that this name stands for, in the conventions of NetCDF, HDF5, FITS and observatories.
    pub fn called(name: &str) -> Option<Self> {
        let of = |name: &str| {
            let plain: String =
                name.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect();
            CALLED.into_iter().find(|(_, names)| names.contains(&plain.as_str())).map(|(kind, _)| kind)
        };
        // A unit may stand in it: `x (m)`.
        of(name).or_else(|| of(name_and_unit(name).0))
    }
}

impl fmt::Display for AxisKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dimension(position) => f.pad(&format!("dimension {position}")),
            named => f.pad(NAMES.iter().find(|(kind, _)| kind == named).map_or("axis", |(_, name)| name)),
        }
    }
}

impl FromStr for AxisKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if let Some(position) = name.strip_prefix("dimension ").and_then(|text| text.parse().ok()) {
            return Ok(Self::Dimension(position));
        }
        NAMES.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind).ok_or_else(|| Error::UnknownAxis {
            name: name.to_string(),
            known: NAMES.map(|(_, known)| known).join(", "),
        })
    }
}

/// One axis: its kind and length and, where they are known, the coordinates of its positions with their unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    kind: AxisKind,
    len: usize,
    coordinates: Option<Arc<[f64]>>,
    unit: Option<&'static str>,
}

impl Axis {
    /// An axis of which only kind and length are known.
    pub fn new(kind: AxisKind, len: usize) -> Self {
        Self { kind, len, coordinates: None, unit: None }
    }

    /// The same axis with the coordinates of its positions, in `unit` (`"nm"`, `"MHz"`, `"deg"`; `""` for plain numbers).
    ///
    /// # Errors
    /// [`Error::CoordinateCount`] unless there is one coordinate per position, [`Error::Coordinate`] unless all are
    /// finite and they go strictly up or strictly down.
    pub fn with_coordinates(self, coordinates: Vec<f64>, unit: &'static str) -> Result<Self> {
        let Self { kind, len, .. } = self;
        if coordinates.len() != len {
            return Err(Error::CoordinateCount { kind, len, got: coordinates.len() });
        }
        let wrong = |index: usize, problem| Error::Coordinate { kind, index, value: coordinates[index], unit, problem };
        if let Some(index) = coordinates.iter().position(|value| !value.is_finite()) {
            return Err(wrong(index, "is not a finite number"));
        }
        let descending = len > 1 && coordinates[1] < coordinates[0];
        for (index, pair) in coordinates.windows(2).enumerate() {
            if pair[0] == pair[1] {
                return Err(wrong(index + 1, "repeats the one before it; coordinates must differ"));
            }
            if (pair[1] < pair[0]) != descending {
                return Err(wrong(index + 1, "turns back; sort the axis so that coordinates only go up or only down"));
            }
        }
        Ok(Self { coordinates: Some(coordinates.into()), unit: Some(unit), ..self })
    }

    /// What the axis means.
    pub fn kind(&self) -> AxisKind {
        self.kind
    }

    /// The number of positions.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no position.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The coordinate of each position, strictly monotonic, in [`unit`](Self::unit).
    pub fn coordinates(&self) -> Option<&[f64]> {
        self.coordinates.as_deref()
    }

    /// The coordinates, which must be there and in this unit.
    ///
    /// # Errors
    /// [`Error::Unit`] when the axis has no coordinates or they are in another unit.
    pub fn coordinates_in(&self, unit: &'static str) -> Result<&[f64]> {
        match &self.coordinates {
            Some(coordinates) if self.unit == Some(unit) => Ok(coordinates),
            _ => Err(Error::Unit { kind: self.kind, expected: unit, got: self.unit }),
        }
    }

    /// The unit of the coordinates; `None` where there are no coordinates.
    pub fn unit(&self) -> Option<&'static str> {
        self.unit
    }

    /// The same positions under another meaning.
    pub fn renamed(self, kind: AxisKind) -> Self {
        Self { kind, ..self }
    }

    /// The axis of the positions `indices` of this one.
    ///
    /// # Errors
    /// [`Error::Index`] for a position that does not exist; [`Error::Coordinate`] when the axis has coordinates and
    /// the chosen order would make them turn back.
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        if let Some(&index) = indices.iter().find(|&&index| index >= self.len) {
            return Err(Error::Index { doing: "selecting along an axis", index, len: self.len });
        }
        let selected = Self::new(self.kind, indices.len());
        match (&self.coordinates, self.unit) {
            (Some(all), Some(unit)) => selected.with_coordinates(indices.iter().map(|&i| all[i]).collect(), unit),
            _ => Ok(selected),
        }
    }

    /// A hash of kind, length, unit and the bits of every coordinate: equal for two axes exactly when what was
    /// fitted along one may be applied along the other.
    pub fn fingerprint(&self) -> [u8; 32] {
        let mut hash = blake3::Hasher::new();
        hash.update(self.kind.to_string().as_bytes());
        hash.update(&[0]);
        hash.update(&(self.len as u64).to_le_bytes());
        if let (Some(coordinates), Some(unit)) = (&self.coordinates, self.unit) {
            hash.update(&(unit.len() as u64).to_le_bytes());
            hash.update(unit.as_bytes());
            for value in coordinates.iter() {
                // Adding zero turns -0.0 into 0.0: the same place must give the same hash.
                hash.update(&(value + 0.0).to_bits().to_le_bytes());
            }
        }
        *hash.finalize().as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bands(coordinates: &[f64]) -> Result<Axis> {
        Axis::new(AxisKind::Wavelength, coordinates.len()).with_coordinates(coordinates.to_vec(), "nm")
    }

    #[test]
    fn coordinates_must_be_finite_and_monotonic_and_as_many_as_positions() {
        assert!(bands(&[1.0, 2.0, 3.0]).is_ok());
        assert!(bands(&[3.0, 2.0, -1.0]).is_ok());
        assert!(bands(&[]).is_ok() && bands(&[5.0]).is_ok());
        assert!(matches!(bands(&[1.0, 1.0]), Err(Error::Coordinate { index: 1, .. })));
        assert!(matches!(bands(&[1.0, 2.0, 1.5]), Err(Error::Coordinate { index: 2, .. })));
        assert!(matches!(bands(&[1.0, f64::NAN, 3.0]), Err(Error::Coordinate { index: 1, .. })));
        assert!(matches!(bands(&[f64::INFINITY]), Err(Error::Coordinate { index: 0, .. })));
        let short = Axis::new(AxisKind::Row, 3).with_coordinates(vec![1.0], "m").unwrap_err();
        assert_eq!(short.to_string(), "the row axis has length 3 but 1 coordinates were given; give one per position");
    }

    #[test]
    fn coordinates_are_given_out_in_their_own_unit_only() {
        let axis = bands(&[400.0, 500.0]).unwrap();
        assert_eq!(axis.coordinates_in("nm").unwrap(), [400.0, 500.0]);
        assert_eq!(axis.coordinates_in("um").unwrap_err().to_string(), "the wavelength axis is in nm, expected um");
        let bare = Axis::new(AxisKind::Row, 2);
        assert_eq!(
            bare.coordinates_in("deg").unwrap_err().to_string(),
            "the row axis is in no known unit, expected deg"
        );
    }

    #[test]
    fn fingerprints_tell_axes_apart_that_have_one_length() {
        let base = bands(&[1.0, 2.0]).unwrap();
        let same = bands(&[1.0, 2.0]).unwrap();
        assert_eq!(base.fingerprint(), same.fingerprint());
        let moved = bands(&[1.0, 2.0 + f64::EPSILON * 2.0]).unwrap();
        let unit = Axis::new(AxisKind::Wavelength, 2).with_coordinates(vec![1.0, 2.0], "um").unwrap();
        let bare = Axis::new(AxisKind::Wavelength, 2);
        let other = base.clone().renamed(AxisKind::Frequency);
        let all = [&base, &moved, &unit, &bare, &other].map(Axis::fingerprint);
        for (i, a) in all.iter().enumerate() {
            assert!(all[..i].iter().all(|b| b != a), "fingerprint {i} collides");
        }
        assert_eq!(bands(&[0.0, 1.0]).unwrap().fingerprint(), bands(&[-0.0, 1.0]).unwrap().fingerprint());
    }

    #[test]
    fn names_go_there_and_back() {
        for (kind, name) in NAMES {
            assert_eq!((kind.to_string().as_str(), name.parse::<AxisKind>().unwrap()), (name, kind));
        }
        assert_eq!("dimension 7".parse::<AxisKind>().unwrap(), AxisKind::Dimension(7));
        assert!("spectrum".parse::<AxisKind>().unwrap_err().to_string().contains("wavelength"));
    }
}
