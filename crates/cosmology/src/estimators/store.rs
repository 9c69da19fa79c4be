//! A linear estimator as one `.npz`: `filter`, `posterior`, `signal` and `rest` on [ring, channel, channel], `frequencies_mhz`,
//! `multipole_edges`, and `cupel`, the bytes of a JSON text with the rest.

use std::path::Path;

use cupel_data::{Array, Dataset, Values, open, write_npz};
use faer::Mat;
use serde::{Deserialize, Serialize};

use super::{
    LinearEstimator, Margin, Multipoles,
    calibrate::PowerRatio,
    cells::Cells,
    detection::WithoutSignal,
    linear::Ring,
    matrix::{matrix, row_major},
    mismatch::Limits,
};
use crate::{Error, Result};

/// The version that is written, and the only one that is read.
const VERSION: u32 = 2;
/// The member that holds the header.
const HEADER: &str = "cupel";

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    name: String,
    unit: String,
    margins: Vec<Margin>,
    limits: Option<Limits>,
    without_signal: Option<WithoutSignal>,
    power: Vec<PowerRatio>,
    chosen: Vec<String>,
}

impl LinearEstimator {
    /// Writes it to a `.npz`.
    ///
    /// # Errors
    /// What writing reports.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let header = Header {
            version: VERSION,
            name: self.name.clone(),
            unit: self.unit.to_string(),
            margins: self.margins.clone(),
            limits: self.limits.clone(),
            without_signal: self.without_signal,
            power: self.power.clone(),
            chosen: self.chosen.clone(),
        };
        let text = serde_json::to_vec(&header).map_err(|error| wrong(path, format!("cannot be written: {error}")))?;
        let channels = self.frequencies_mhz.len();
        let line = |values: &[f64]| Array::new(vec![values.len()], Values::F64(values.to_vec()));
        let rings = |of: &dyn Fn(&Ring) -> &Mat<f64>| {
            let values = self.rings.iter().flat_map(|ring| row_major(of(ring))).collect();
            Array::new(vec![self.rings.len(), channels, channels], Values::F64(values))
        };
        let arrays = [
            (HEADER, Array::new(vec![text.len()], Values::U8(text))?),
            ("frequencies_mhz", line(&self.frequencies_mhz)?),
            ("multipole_edges", line(self.multipoles.edges())?),
            ("filter", rings(&|ring| &ring.filter)?),
            ("posterior", rings(&|ring| &ring.posterior)?),
            ("signal", rings(&|ring| &ring.signal)?),
            ("rest", rings(&|ring| &ring.rest)?),
        ];
        let arrays: Vec<(&str, &Array)> = arrays.iter().map(|(name, array)| (*name, array)).collect();
        Ok(write_npz(path, &arrays)?)
    }

    /// Reads one from a `.npz`.
    ///
    /// # Errors
    /// [`Error::Stored`] for another version, arrays that are missing, of another shape or not finite; what reading reports.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let dataset = open(path)?;
        let text = dataset.cube::<u8>(Some(HEADER))?;
        // what another version wrote need not have the fields of this one
        let value: serde_json::Value = serde_json::from_slice(text.values())
            .map_err(|error| wrong(path, format!("`{HEADER}` is no JSON text: {error}")))?;
        if value["version"] != VERSION {
            return Err(wrong(path, format!("version {}, this program reads {VERSION}", value["version"])));
        }
        let header: Header =
            serde_json::from_value(value).map_err(|error| wrong(path, format!("`{HEADER}` is damaged: {error}")))?;
        let unit = header.unit.parse()?;
        let frequencies_mhz = numbers(&dataset, path, "frequencies_mhz", None)?;
        let multipoles = Multipoles::new(numbers(&dataset, path, "multipole_edges", None)?)?;
        let (channels, rings) = (frequencies_mhz.len(), multipoles.len());
        let stack = |name: &str| numbers(&dataset, path, name, Some(&[rings, channels, channels]));
        let (filter, posterior, signal, rest) =
            (stack("filter")?, stack("posterior")?, stack("signal")?, stack("rest")?);
        let size = channels * channels;
        let of = |values: &[f64], ring: usize| matrix(&values[ring * size..(ring + 1) * size], channels);
        let ring = |ring: usize| Ring {
            filter: of(&filter, ring),
            posterior: of(&posterior, ring),
            signal: of(&signal, ring),
            rest: of(&rest, ring),
        };
        let cells = Cells::new(rings, channels).len();
        let known = |len: usize| len == 0 || len == cells;
        if !known(header.power.len()) || !known(header.limits.as_ref().map_or(0, |limits| limits.cells.len())) {
            return Err(wrong(
                path,
                format!("what was calibrated has not the {cells} cells of its rings and channels"),
            ));
        }
        let rings = (0..rings).map(ring).collect();
        let Header { name, margins, limits, without_signal, power, chosen, .. } = header;
        let read = Self::of_rings(name, frequencies_mhz, unit, multipoles, rings);
        Ok(Self { margins, limits, without_signal, power, chosen, ..read })
    }
}

fn wrong(path: &Path, problem: String) -> Error {
    Error::Stored { path: path.into(), problem }
}

/// The finite numbers of an array, of this shape where it is known.
fn numbers(dataset: &Dataset, path: &Path, name: &str, shape: Option<&[usize]>) -> Result<Vec<f64>> {
    let cube = dataset.cube::<f64>(Some(name))?;
    if let Some(shape) = shape.filter(|shape| *shape != cube.shape()) {
        return Err(wrong(path, format!("`{name}` has shape {:?}, expected {shape:?}", cube.shape())));
    }
    match cube.values().iter().position(|value| !value.is_finite()) {
        Some(at) => Err(wrong(path, format!("value {at} of `{name}` is not finite"))),
        None => Ok(cube.into_values()),
    }
}
