//! An estimate and its truth from files, for comparison without the scene.

use std::path::{Path, PathBuf};

use cupel_data::{Axis, AxisKind, Dataset, Variable};
use serde::{Deserialize, Serialize};

use super::{
    PixelOrder, Truth, Usable,
    library::Bands,
    names::{Names, TRUE_ABUNDANCES, TRUE_ENDMEMBERS, base, only_array},
    truth::Target,
};
use crate::{Error, Result};

/// Which bands of a scene's file a run used, so that a truth of all bands can be compared with its endmembers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunBands {
    /// How many the file has.
    of_file: usize,
    /// Those that were used, counted from 1.
    used: Vec<usize>,
    /// Their centres.
    wavelengths_nm: Option<Vec<f64>>,
    /// Their full widths at half maximum.
    widths_nm: Option<Vec<f64>>,
}

impl RunBands {
    /// Name of the file in the folder of a run.
    pub const FILE: &'static str = "bands.json";

    pub(crate) fn of(bands: &Bands) -> Self {
        Self {
            of_file: bands.all,
            used: bands.kept.iter().map(|band| band + 1).collect(),
            wavelengths_nm: bands.axis.coordinates_in("nm").ok().map(<[f64]>::to_vec),
            widths_nm: bands.widths_nm.clone(),
        }
    }

    fn bands(&self) -> Result<Bands> {
        let axis = Axis::new(AxisKind::Wavelength, self.used.len());
        let axis = match &self.wavelengths_nm {
            Some(centres) => axis.with_coordinates(centres.clone(), "nm")?,
            None => axis,
        };
        let kept = self.used.iter().map(|band| band.saturating_sub(1)).collect();
        Ok(Bands { axis, widths_nm: self.widths_nm.clone(), kept, all: self.of_file })
    }
}

/// An estimate and its truth; of more true endmembers than were estimated those that are nearest.
///
/// The image size is that of any three-dimensional abundance maps among them; without such, pixels are compared in
/// the order of the files, that of matrices of pixels being `order` where it is given. Pixels that the maps of the estimate leave out are left
/// out of the truth. `bands` says which bands of its scene's file the estimate has.
///
/// # Errors
/// Files without endmembers, or an estimate and a truth of different sizes.
pub fn open_estimate(
    estimate: &[PathBuf],
    truth: &[PathBuf],
    bands: Option<&RunBands>,
    order: Option<PixelOrder>,
) -> Result<(Truth, Truth)> {
    let datasets = estimate.iter().chain(truth).map(cupel_data::open).collect::<cupel_data::Result<Vec<_>>>()?;
    let arrays = |names: &'static [&str], rank: usize| {
        datasets
            .iter()
            .flat_map(move |d| {
                let one = only_array(d).is_some();
                d.variables().iter().filter(move |v| one || names.contains(&base(v.name()))).map(Variable::shape)
            })
            .filter(move |shape| shape.len() == rank)
    };
    let anywhere = estimate.first().or(truth.first()).map_or(Path::new("endmembers"), PathBuf::as_path);
    let longest = arrays(&TRUE_ENDMEMBERS, 2).next().and_then(|shape| shape.iter().max().copied());
    let no_endmembers =
        || Error::Truth { path: anywhere.to_path_buf(), problem: "no endmembers (a matrix of spectra)".into() };
    let bands = match bands {
        Some(bands) => bands.bands()?,
        None => Bands::all(&Axis::new(AxisKind::Wavelength, longest.ok_or_else(no_endmembers)?)),
    };
    let len = bands.kept.len();
    let image = arrays(&TRUE_ABUNDANCES, 3).next().map(|shape| (shape[0], shape[1]));
    let flat = || arrays(&TRUE_ABUNDANCES, 2).filter(|s| !s.contains(&len)).flat_map(|s| s.iter().max()).max().copied();
    let (rows, columns) = image.or_else(|| Some((flat()?, 1))).unwrap_or((1, 1));
    let usable = usable_in_maps(&datasets[..estimate.len()], rows, columns)?;
    let target = Target { usable, bands, order };
    let (estimate, _) = Truth::read(estimate, &target)?;
    let (truth, _) = Truth::read(truth, &target)?;
    let truth = truth.nearest(&estimate.endmembers)?;
    Ok((estimate, truth))
}

/// The pixels that the abundance maps of an estimate have: NaN stands for those that were left out.
fn usable_in_maps(datasets: &[Dataset], rows: usize, columns: usize) -> Result<Usable> {
    for dataset in datasets {
        let named = Names::of(dataset).find(&TRUE_ABUNDANCES).map(|v| Some(v.name()));
        let Some(name) = named.or_else(|| only_array(dataset)) else { continue };
        let Ok(cube) = dataset.cube::<f64>(name) else { continue };
        if let [r, c, count] = *cube.shape().as_slice()
            && (r, c) == (rows, columns)
        {
            let maps = cube.values().chunks_exact(count.max(1)).enumerate();
            let places = maps.filter(|(_, shares)| shares.iter().all(|share| !share.is_nan())).map(|(place, _)| place);
            return Ok(Usable::of(rows, columns, places.collect()));
        }
    }
    Ok(Usable::all(rows, columns))
}
