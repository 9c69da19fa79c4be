//! [`SceneFiles`]: the files of a scene, and what a user says of them that they do not say themselves.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use cupel_data::{AxisKind, BandCentres, Dataset, Response};
use cupel_settings::choices;

use crate::{Error, Result};

choices! {
    /// How the pixels of a matrix of spectra lie in the image.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum PixelOrder {
        /// Row by row, as NumPy and most languages have it
        Row = "row",
        /// Column by column, as MATLAB has it
        Column = "column",
    }
}

/// Files of a scene, and how they are read where they do not say it themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SceneFiles {
    /// The scene itself.
    pub file: PathBuf,
    /// The truth, where it is not in the scene's file: one file, or one with endmembers and one with abundances.
    pub truth: Vec<PathBuf>,
    /// Leaves the truth in the scene's file aside.
    pub no_truth: bool,
    /// The variable that holds the spectra, where the layout is not a known one.
    pub variable: Option<String>,
    /// Number of image rows, where the file does not tell and the image is not square.
    pub rows: Option<usize>,
    /// The axes of a cube in the order of the file.
    pub axes: Option<AxisOrder>,
    /// How the pixels of a matrix lie in the image.
    pub pixel_order: Option<PixelOrder>,
    /// Band centres, where the scene's file has none.
    pub wavelengths: Option<PathBuf>,
    /// Takes numbers as they are stored, without the scales that the file gives.
    pub raw: bool,
    /// Bands that are left out.
    pub drop_bands: Vec<BandRange>,
    /// Numbers that stand for missing values, beside those that the file names.
    pub ignore_values: Vec<f64>,
    /// A map of rows and columns: pixels where it is 0 or NaN are left out.
    pub mask: Option<PathBuf>,
    /// The part of the image that is used.
    pub roi: Option<Roi>,
}

impl SceneFiles {
    /// A file that says everything itself.
    pub fn of(file: &Path) -> Self {
        Self { file: file.to_path_buf(), ..Self::default() }
    }
}

impl SceneFiles {
    /// All lists of band centres of the array `name` of a file, those that the user names first.
    ///
    /// # Errors
    /// Files that cannot be read; a file of wavelengths that holds none, or some that turn back.
    pub(super) fn centres(&self, dataset: &Dataset, name: &str) -> Result<Vec<BandCentres>> {
        let mut all = Vec::new();
        if let Some(path) = &self.wavelengths {
            let Response { nanometres, widths: widths_nm, .. } = Response::read(path)?;
            let goes = |up: bool| nanometres.windows(2).all(|pair| pair[0] != pair[1] && (pair[0] < pair[1]) == up);
            if nanometres.len() < 2 || !(goes(true) || goes(false)) {
                let problem = "its numbers do not go strictly up or down".into();
                return Err(Error::Wavelengths { path: path.clone(), problem });
            }
            all.push(BandCentres { nanometres, widths_nm });
        }
        all.extend(dataset.band_centres(name)?);
        Ok(all)
    }
}

/// The axes of a cube in the order of the file: rows, columns and bands, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AxisOrder(pub(super) [AxisKind; 3]);

impl AxisOrder {
    /// Which axis is which, in the order of the file.
    pub fn kinds(self) -> [AxisKind; 3] {
        self.0
    }
}

impl FromStr for AxisOrder {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let kinds: Vec<AxisKind> = text.split(',').filter_map(|name| AxisKind::called(name.trim())).collect();
        let expected = || {
            format!("{text:?}: expected rows, columns and bands in their order in the file, as in bands,rows,columns")
        };
        let kinds: [AxisKind; 3] = kinds.try_into().map_err(|_| expected())?;
        let each_once = [AxisKind::Row, AxisKind::Column, AxisKind::Wavelength].iter().all(|kind| kinds.contains(kind));
        if each_once { Ok(Self(kinds)) } else { Err(expected()) }
    }
}

/// Bands, by their numbers counted from 1 or by their centres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum BandRange {
    /// From one to another, both among them.
    Numbers(usize, usize),
    /// Centres in nanometres, both ends among them.
    Nanometres(f64, f64),
}

impl FromStr for BandRange {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let expected = || format!("{text:?}: expected bands as in 3, 104-113, 1350-1420nm or 1.35-1.42um");
        let plain = text.trim().to_lowercase();
        let (plain, scale) = match (plain.strip_suffix("nm"), plain.strip_suffix("um")) {
            (Some(range), _) => (range.trim(), Some(1.0)),
            (_, Some(range)) => (range.trim(), Some(1000.0)),
            _ => (plain.as_str(), None),
        };
        let (first, last) = plain.split_once('-').unwrap_or((plain, plain));
        match scale {
            Some(scale) => {
                let end = |text: &str| text.trim().parse::<f64>().ok().filter(|nm| nm.is_finite()).map(|nm| nm * scale);
                let (first, last) = end(first).zip(end(last)).ok_or_else(expected)?;
                if first <= last { Ok(Self::Nanometres(first, last)) } else { Err(expected()) }
            }
            None => {
                let end = |text: &str| text.trim().parse::<usize>().ok().filter(|&band| band > 0);
                let (first, last) = end(first).zip(end(last)).ok_or_else(expected)?;
                if first <= last { Ok(Self::Numbers(first, last)) } else { Err(expected()) }
            }
        }
    }
}

impl fmt::Display for BandRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers(first, last) => write!(f, "{first}-{last}"),
            Self::Nanometres(first, last) => write!(f, "{first}-{last}nm"),
        }
    }
}

impl BandRange {
    /// Whether the band `number`, counted from 0, with this centre is among them; without a centre, none by centre is.
    pub fn holds(&self, number: usize, nanometres: Option<f64>) -> bool {
        match *self {
            Self::Numbers(first, last) => (first..=last).contains(&(number + 1)),
            Self::Nanometres(first, last) => nanometres.is_some_and(|nm| (first..=last).contains(&nm)),
        }
    }
}

/// A part of an image: rows and columns counted from 1, both ends among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roi {
    /// First and last row.
    pub rows: [usize; 2],
    /// First and last column.
    pub columns: [usize; 2],
}

impl FromStr for Roi {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let expected = || format!("{text:?}: expected rows and columns counted from 1, as in 10-50,20-80");
        let range = |text: &str| -> Option<[usize; 2]> {
            let (first, last) = text.split_once('-')?;
            let [first, last] = [first, last].map(|end| end.trim().parse().ok().filter(|&end: &usize| end > 0));
            Some([first?, last?]).filter(|[first, last]| first <= last)
        };
        let (rows, columns) = text.split_once(',').ok_or_else(expected)?;
        let (rows, columns) = range(rows).zip(range(columns)).ok_or_else(expected)?;
        Ok(Self { rows, columns })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_says_is_read_or_refused_with_an_example() {
        use AxisKind::{Column, Row, Wavelength};
        assert_eq!("bands,rows,columns".parse(), Ok(AxisOrder([Wavelength, Row, Column])));
        assert_eq!("y, x, band".parse(), Ok(AxisOrder([Row, Column, Wavelength])));
        for wrong in ["bands,rows", "rows,rows,bands", "bands,rows,columns,x", "a,b,c", ""] {
            assert!(wrong.parse::<AxisOrder>().unwrap_err().contains("bands,rows,columns"), "{wrong}");
        }
        assert_eq!("104-113".parse(), Ok(BandRange::Numbers(104, 113)));
        assert_eq!(" 3 ".parse(), Ok(BandRange::Numbers(3, 3)));
        assert_eq!("1350-1420 nm".parse(), Ok(BandRange::Nanometres(1350.0, 1420.0)));
        assert_eq!("1.5-2um".parse(), Ok(BandRange::Nanometres(1500.0, 2000.0)));
        for wrong in ["0", "5-3", "a-b", "1420-1350nm", "-3", "1-2-3", "nm"] {
            assert!(wrong.parse::<BandRange>().is_err(), "{wrong}");
        }
        assert_eq!("10-50,20-80".parse(), Ok(Roi { rows: [10, 50], columns: [20, 80] }));
        for wrong in ["10-50", "0-5,1-2", "5-1,1-2", "1-2,3"] {
            assert!(wrong.parse::<Roi>().is_err(), "{wrong}");
        }
    }
}
