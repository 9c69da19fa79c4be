//! The place of an array of NetCDF by the CF conventions: its coordinates and its grid mapping.
//!
//! Eaton et al., "NetCDF Climate and Forecast (CF) Metadata Conventions" 1.10, chapters 4 and 5 and appendix F: `grid_mapping` of the array
//! names a variable whose attributes say the projection, by its parameters or as text (`crs_wkt`; `spatial_ref` of GDAL); coordinates are those
//! of the middles of pixels.

use super::{
    Georeference,
    grid::{DATUMS, Datum, Grid, System, epsg_of_text},
};
use crate::{
    axes::AxisKind,
    error::Result,
    file::{Attribute, Dataset, Format},
};
use std::collections::BTreeMap;

/// Coordinates are in even steps where none is further from its place than this share of a step; those in degrees may be in f32.
const EVEN: f64 = 0.02;
/// How near the parameters of a projection have to be.
const NEAR: f64 = 1e-6;

type Attributes = BTreeMap<String, Attribute>;

/// Why there is no place, where the file has one.
pub(crate) type Unplaced = String;

impl Dataset {
    /// Where the pixels of the array of this name lie, as far as an ENVI header, the tags of a TIFF file or the coordinates and the grid mapping
    /// of NetCDF say; or what of that cannot be kept.
    ///
    /// # Errors
    /// Attributes and coordinates that cannot be read.
    pub fn place_of(&self, name: &str) -> Result<std::result::Result<Option<Georeference>, String>> {
        if self.format() == Format::Hdf5 {
            return of_cf(self, name);
        }
        let position = self.variables().iter().position(|variable| variable.name() == name);
        Ok(Ok(position.and_then(|position| self.georeference_of(position))))
    }
}

/// The place by the conventions; nothing where the array says none.
fn of_cf(dataset: &Dataset, name: &str) -> Result<std::result::Result<Option<Georeference>, Unplaced>> {
    let attributes = dataset.attributes(name)?;
    let group = &name[..name.rfind('/').map_or(0, |at| at + 1)];
    let mapping = attributes.get("grid_mapping").and_then(Attribute::text).and_then(|text| {
        let first = text.split([' ', ':']).next()?;
        let found = |name: &str| dataset.variable(name).is_ok().then(|| name.to_owned());
        found(&format!("{group}{first}")).or_else(|| found(first))
    });
    let said = mapping.map(|mapping| dataset.attributes(&mapping)).transpose()?;
    let shape = dataset.variable(name)?.shape().to_vec();
    let mut axes = Vec::new();
    for kind in [AxisKind::Column, AxisKind::Row] {
        axes.push(coordinates(dataset, group, &shape, kind)?);
    }
    let system = said.as_ref().map(system);
    let degrees = axes.iter().flatten().all(|axis| axis.degrees) && axes.iter().flatten().count() == 2;
    if system.is_none() && !degrees {
        return Ok(Ok(None));
    }
    let unplaced = |what: &str| Ok(Err(format!("its place on the map, {what}")));
    let [Some(x), Some(y)] = axes.as_slice() else {
        return unplaced("of which the file has no coordinates of rows and columns");
    };
    let (Some(x), Some(y)) = (x.steps(), y.steps()) else {
        return unplaced("whose coordinates are not in even steps");
    };
    let system = match system {
        Some(Some(system)) => system,
        Some(None) => return unplaced("whose projection is neither UTM nor degrees"),
        None => System { epsg: None, text: None, degrees: true },
    };
    let transform = [x.0 - 0.5 * x.1, x.1, 0.0, y.0 - 0.5 * y.1, 0.0, y.1];
    let (keys, lost) = Grid { transform, system }.to_envi();
    match (keys.is_empty(), lost.first()) {
        (true, Some(_)) => unplaced("whose rows go up"),
        _ => Ok(Ok(Some(Georeference::Envi(keys)))),
    }
}

/// Coordinates along an axis of an image.
struct Coordinates {
    values: Vec<f64>,
    degrees: bool,
}

impl Coordinates {
    /// The first one and the step.
    fn steps(&self) -> Option<(f64, f64)> {
        let (first, last) = (*self.values.first()?, *self.values.last()?);
        let step = (last - first) / (self.values.len() as f64 - 1.0);
        let is_even = |(n, value): (usize, &f64)| (value - first - n as f64 * step).abs() <= EVEN * step.abs();
        (step.is_finite() && step != 0.0 && self.values.iter().enumerate().all(is_even)).then_some((first, step))
    }
}

/// The coordinates of the array's columns or rows: a variable of that name, in its group or the file, as long as one of its axes.
fn coordinates(dataset: &Dataset, group: &str, shape: &[usize], kind: AxisKind) -> Result<Option<Coordinates>> {
    let base = |name: &str| name.rsplit('/').next().map(str::to_owned).unwrap_or_default();
    let fits = |name: &str, own: &[usize]| {
        own.len() == 1 && own[0] > 1 && shape.contains(&own[0]) && AxisKind::called(&base(name)) == Some(kind)
    };
    let mut variables: Vec<&str> =
        dataset.variables().iter().filter(|v| fits(v.name(), v.shape())).map(|v| v.name()).collect();
    variables.sort_by_key(|name| !name.starts_with(group));
    let mut plain = None;
    for name in variables {
        let attributes = dataset.attributes(name)?;
        let text = |key: &str| attributes.get(key).and_then(Attribute::text).unwrap_or_default().to_lowercase();
        let (units, standard) = (text("units"), text("standard_name"));
        let degrees = units.starts_with("degree") && (standard.ends_with("itude") || units.contains('_'));
        if degrees
            || standard.starts_with("projection_")
            || ["m", "meter", "metre", "meters", "metres"].contains(&units.as_str())
        {
            return Ok(Some(Coordinates { values: dataset.stored::<f64>(Some(name))?.into_values(), degrees }));
        }
        plain = plain.or(Some(name));
    }
    let values = plain.map(|name| dataset.stored::<f64>(Some(name))).transpose();
    // Of coordinates that are no numbers nothing is known.
    Ok(values.ok().flatten().map(|values| Coordinates { values: values.into_values(), degrees: false }))
}

/// The coordinate system that the attributes of a grid mapping say: degrees, or a zone of UTM.
fn system(said: &Attributes) -> Option<System> {
    let text = |key: &str| said.get(key).and_then(Attribute::text);
    let number = |key: &str| said.get(key).and_then(Attribute::number::<f64>);
    let name = text("grid_mapping_name").unwrap_or_default();
    let given = ["crs_wkt", "spatial_ref"].into_iter().find_map(|key| epsg_of_text(text(key)?));
    if let Some(epsg) = given {
        let degrees = name == "latitude_longitude" || DATUMS.iter().any(|datum| datum.geographic == epsg);
        return Some(System { epsg: Some(epsg), text: None, degrees });
    }
    let near = |key: &str, wanted: f64| {
        number(key).is_some_and(|value| (value - wanted).abs() <= NEAR * wanted.abs().max(1.0))
    };
    let named = ["horizontal_datum_name", "geographic_crs_name", "reference_ellipsoid_name"];
    let datum: Option<&Datum> = named
        .into_iter()
        .find_map(|key| DATUMS.iter().find(|datum| text(key).is_some_and(|text| datum.is_called(text))))
        .or_else(|| {
            let is_wgs = near("semi_major_axis", 6_378_137.0) && near("inverse_flattening", 298.257_223_563);
            is_wgs.then(|| &DATUMS[0])
        });
    match name {
        "latitude_longitude" => Some(System { epsg: datum.map(|datum| datum.geographic), text: None, degrees: true }),
        "transverse_mercator" => {
            let north = near("false_northing", 0.0) || !said.contains_key("false_northing");
            let zone = (number("longitude_of_central_meridian")? + 183.0) / 6.0;
            let is_utm = near("scale_factor_at_central_meridian", 0.9996)
                && near("false_easting", 500_000.0)
                && near("latitude_of_projection_origin", 0.0)
                && (north || near("false_northing", 1e7))
                && zone.fract() == 0.0
                && (1.0..=60.0).contains(&zone);
            let epsg = datum?.epsg(zone as u16, north).filter(|_| is_utm)?;
            Some(System { epsg: Some(epsg), text: None, degrees: false })
        }
        _ => None,
    }
}
