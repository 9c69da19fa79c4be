//! Where bands lie, as far as the variables and attributes of a file say, and which axis is which by the names of dimensions.

use crate::{
    axes::AxisKind,
    error::Result,
    file::{Attribute, Class, Dataset, Format, nanometres_per},
};

/// Names of lists of band centres, in lower case.
const WAVELENGTHS: [&str; 13] = [
    "wavelength",
    "wavelengths",
    "wavelength_nm",
    "lambda",
    "wlen",
    "wl",
    "wave",
    "band_centers",
    "band_centres",
    "center_wavelengths",
    "centre_wavelengths",
    "bandcenters",
    "wvl",
];
/// Names of lists of band widths.
const WIDTHS: [&str; 8] =
    ["fwhm", "fwhms", "fwhm_nm", "bandwidth", "bandwidths", "band_width", "band_widths", "widths"];
/// Names of lists that say which bands are good.
const GOOD: [&str; 4] = ["good_wavelengths", "good_bands", "goodbands", "bbl"];
/// From this many nanometres on numbers without a unit are no micrometres.
const MICROMETRES_BELOW: f64 = 100.0;

/// The bands that a file describes.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Centres {
    pub(super) nanometres: Vec<f64>,
    /// One a band, or none.
    pub(super) widths: Vec<f64>,
    pub(super) good: Vec<bool>,
}

/// Spectra of a text table.
pub(super) struct SpectraTable {
    pub(super) names: Vec<String>,
    pub(super) nanometres: Vec<f64>,
    /// Spectrum after spectrum.
    pub(super) values: Vec<f64>,
    pub(super) how: &'static str,
}

/// What a variable is called within its group or structure.
fn base(name: &str) -> &str {
    name.rsplit(['/', '.']).next().unwrap_or(name)
}

/// The letters of a name, in lower case.
fn plain(name: &str) -> String {
    base(name).to_lowercase()
}

/// All lists of band centres of a file, those in the group of `beside` first.
pub(super) fn lists(dataset: &Dataset, beside: &str) -> Result<Vec<Centres>> {
    if dataset.format() == Format::Envi {
        return Ok(Vec::new()); // its header says it
    }
    let group = &beside[..beside.len() - base(beside).len()];
    let is_list = |shape: &[usize]| shape.iter().filter(|&&len| len > 1).count() == 1;
    let find = |known: &[&str]| -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        for variable in dataset.variables() {
            let is_number = matches!(variable.class(), Class::Number(_));
            if is_number && is_list(variable.shape()) && known.contains(&plain(variable.name()).as_str()) {
                found.push(variable.name().to_owned());
            }
        }
        found.sort_by_key(|name| !name.starts_with(group));
        found
    };
    let numbers = |name: &str| -> Result<Vec<f64>> { Ok(dataset.cube::<f64>(Some(name))?.into_values()) };
    let mut all = Vec::new();
    let mut add = |values: Vec<f64>, unit: Option<String>| -> Result<()> {
        let unit = unit.map(|unit| nanometres_per(&unit));
        // A unit that is no length makes the numbers no wavelengths.
        if let Some(None) = unit {
            return Ok(());
        }
        let Some((nanometres, scale)) = nanometres(values, unit.flatten()) else { return Ok(()) };
        let of_bands = |known: &[&str]| -> Result<Vec<f64>> {
            for name in find(known) {
                let values = numbers(&name)?;
                if values.len() == nanometres.len() {
                    return Ok(values);
                }
            }
            Ok(Vec::new())
        };
        let widths: Vec<f64> = of_bands(&WIDTHS)?.into_iter().map(|width| width * scale).collect();
        let widths = if widths.iter().all(|width| *width > 0.0) { widths } else { Vec::new() };
        let good = of_bands(&GOOD)?.into_iter().map(|value| value != 0.0).collect();
        all.push(Centres { nanometres, widths, good });
        Ok(())
    };
    let of_attributes = dataset.attributes(beside)?;
    for (key, value) in &of_attributes {
        if WAVELENGTHS.contains(&plain(key).as_str())
            && let Some(values) = list_of(value)
        {
            let unit = ["wavelength_units", "wavelength_unit", "wavelengths_units"];
            let unit = of_attributes.iter().find(|(key, _)| unit.contains(&key.to_lowercase().as_str()));
            add(values, unit.and_then(|(_, value)| value.text()).map(str::to_owned))?;
        }
    }
    for name in find(&WAVELENGTHS) {
        let attributes = dataset.attributes(&name)?;
        let unit = attributes.iter().find(|(key, _)| ["units", "unit"].contains(&key.to_lowercase().as_str()));
        add(numbers(&name)?, unit.and_then(|(_, value)| value.text()).map(str::to_owned))?;
    }
    Ok(all)
}

/// The numbers of an attribute, which may be words.
fn list_of(attribute: &Attribute) -> Option<Vec<f64>> {
    let values = match attribute {
        Attribute::Texts(texts) => texts
            .iter()
            .flat_map(|text| text.split([',', ' ', '{', '}']))
            .filter(|word| !word.is_empty())
            .map(|word| word.parse().ok())
            .collect::<Option<Vec<f64>>>()?,
        other => other.numbers::<f64>()?,
    };
    (values.len() > 1).then_some(values)
}

/// Numbers in nanometres, with how many a unit has; nothing where they cannot be wavelengths. Of a unit that is not known micrometres are
/// told from nanometres by their size.
pub(super) fn nanometres(values: Vec<f64>, per_unit: Option<f64>) -> Option<(Vec<f64>, f64)> {
    let scale = per_unit.unwrap_or(if values.iter().all(|nm| *nm < MICROMETRES_BELOW) { 1000.0 } else { 1.0 });
    let values: Vec<f64> =
        values.into_iter().map(|value| if scale == 1.0 { value } else { rounded(value * scale) }).collect();
    let fits = values.len() > 1 && values.iter().all(|nm| nm.is_finite() && *nm > 0.0);
    fits.then_some((values, scale))
}

/// 0.4 micrometres are 400 nm and not 400.00000000000006.
fn rounded(value: f64) -> f64 {
    format!("{value:.12e}").parse().unwrap_or(value)
}

/// A text table of spectra: columns beside one of wavelengths, or rows under wavelengths.
pub(super) fn table(dataset: &Dataset) -> Result<Option<SpectraTable>> {
    let (Format::Delimited, Some(headings)) = (dataset.format(), dataset.column_names()) else { return Ok(None) };
    let columns = headings.len();
    let is_axis = |name: &String| AxisKind::called(name) == Some(AxisKind::Wavelength);
    let read = || -> Result<Option<Vec<f64>>> {
        // Words among the numbers make it another table.
        Ok(dataset.cube::<f64>(None).ok().map(|cube| cube.into_values()))
    };
    if let (Some(axis), true) = (headings.iter().position(is_axis), columns > 1) {
        let Some(values) = read()? else { return Ok(None) };
        let column = |column: usize| values.iter().skip(column).step_by(columns).copied();
        let Some((nanometres, _)) = nanometres(column(axis).collect(), unit_in(&headings[axis])) else {
            return Ok(None);
        };
        let others: Vec<usize> = (0..columns).filter(|&other| other != axis).collect();
        return Ok(Some(SpectraTable {
            names: others.iter().map(|&column| headings[column].clone()).collect(),
            values: others.iter().flat_map(|&other| column(other)).collect(),
            nanometres,
            how: "spectra as columns, by its column of wavelengths",
        }));
    }
    let numbers: Option<Vec<f64>> =
        headings.iter().map(|name| name.trim_end_matches("nm").trim().parse().ok()).collect();
    let Some((nanometres, _)) = numbers.and_then(|numbers| nanometres(numbers, None)) else { return Ok(None) };
    let up = nanometres.windows(2).all(|pair| pair[0] < pair[1]);
    let Some(values) = read()?.filter(|_| up) else { return Ok(None) };
    Ok(Some(SpectraTable { names: Vec::new(), nanometres, values, how: "spectra as rows under their wavelengths" }))
}

/// The unit in a heading such as `wavelength (um)` or `wavelength_nm`.
fn unit_in(heading: &str) -> Option<f64> {
    heading.split(|c: char| !c.is_alphanumeric()).filter_map(nanometres_per).next_back()
}

/// The axes of an array of HDF5 by the names of its dimensions.
pub(super) fn dimensions(dataset: &Dataset, name: &str, shape: &[usize]) -> Result<Option<Vec<AxisKind>>> {
    if dataset.format() != Format::Hdf5 {
        return Ok(None);
    }
    let attributes = dataset.attributes(name)?;
    let mut kinds: Vec<Option<AxisKind>> = vec![None; shape.len()];
    let letters = |key: &str| key.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    let labels = attributes.iter().find(|(key, _)| letters(key) == "dimensionlabels");
    if let Some((_, Attribute::Texts(texts))) = labels {
        let names: Vec<&str> = texts.iter().flat_map(|text| text.split(',')).map(str::trim).collect();
        if names.len() == shape.len() {
            kinds.iter_mut().zip(names).for_each(|(kind, name)| *kind = AxisKind::called(name));
        }
    }
    let whole = |attribute: Option<&Attribute>| attribute.and_then(Attribute::numbers::<i64>).unwrap_or_default();
    let numbers = whole(attributes.get("_Netcdf4Coordinates"));
    for variable in dataset.variables().iter().filter(|variable| variable.shape().len() == 1) {
        let Some(kind) = AxisKind::called(base(variable.name())) else { continue };
        let own = whole(dataset.attributes(variable.name())?.get("_Netcdf4Dimid"));
        let axis = match own.as_slice() {
            &[number] if numbers.len() == shape.len() => numbers.iter().position(|&other| other == number),
            // A scale of the only axis that is as long.
            _ => {
                let mut axes = (0..shape.len()).filter(|&axis| shape[axis] == variable.shape()[0]);
                axes.next().filter(|_| axes.next().is_none())
            }
        };
        if let Some(axis) = axis {
            kinds[axis] = kinds[axis].or(Some(kind));
        }
    }
    let found: Option<Vec<AxisKind>> = kinds.into_iter().collect();
    let each_once = |found: &Vec<AxisKind>| {
        [AxisKind::Row, AxisKind::Column, AxisKind::Wavelength].iter().all(|kind| found.contains(kind))
    };
    Ok(found.filter(each_once))
}
