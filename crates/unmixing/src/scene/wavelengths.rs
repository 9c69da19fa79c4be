//! Where the bands of a scene lie, as far as its files say.

use cupel_data::{Attribute, Class, Dataset, Format};

use super::{
    SceneFiles,
    names::{Names, base},
};
use crate::{Error, Result};

/// Names of variables that hold band centres, in lower case.
const WAVELENGTHS: [&str; 11] = [
    "wavelength",
    "wavelengths",
    "wavelength_nm",
    "lambda",
    "wlen",
    "wl",
    "wave",
    "band_centers",
    "center_wavelengths",
    "bandcenters",
    "wvl",
];
/// Names of variables that hold full widths at half maximum, in lower case.
const WIDTHS: [&str; 6] = ["fwhm", "fwhm_nm", "bandwidth", "bandwidths", "width", "widths"];
/// Names of variables that say which bands are good, in lower case.
const GOOD: [&str; 4] = ["good_wavelengths", "good_bands", "goodbands", "bbl"];

/// Band centres that a file holds.
pub(super) struct Centres {
    pub(super) nanometres: Vec<f64>,
    /// Their full widths at half maximum in nanometres.
    pub(super) widths_nm: Option<Vec<f64>>,
    /// Which of the bands are marked as bad.
    pub(super) bad: Option<Vec<bool>>,
}

/// All lists of band centres, those that the user names before those beside the spectra.
///
/// # Errors
/// Files that cannot be read; a file of wavelengths that holds none.
pub(super) fn centres(dataset: &Dataset, names: &Names<'_>, files: &SceneFiles) -> Result<Vec<Centres>> {
    let mut all = Vec::new();
    if let Some(path) = &files.wavelengths {
        let given = cupel_data::open(path)?;
        let cube = given.cube::<f64>(None)?;
        let values = match *cube.shape().as_slice() {
            // Of a table the first column.
            [_, columns] if columns > 1 => cube.values().iter().step_by(columns).copied().collect(),
            _ => cube.values().to_vec(),
        };
        let [first, last] = [values.first(), values.last()].map(|value| value.copied().unwrap_or(0.0));
        let nanometres = usable(values, None).ok_or_else(|| Error::Wavelengths {
            path: path.clone(),
            problem: "its numbers do not go strictly up or down".into(),
        })?;
        // A column of widths beside them has their unit.
        let scale = (nanometres[nanometres.len() - 1] - nanometres[0]) / (last - first);
        let named = given.column_names().and_then(|names| names.iter().position(|name| is_width(name)));
        let widths_nm = named.map(|column| {
            let columns = cube.shape().last().copied().unwrap_or(1);
            cube.values().iter().skip(column).step_by(columns).map(|width| width * scale).collect()
        });
        all.push(Centres { nanometres, widths_nm, bad: None });
    }
    if let Some(header) = dataset.envi_header().filter(|header| !header.wavelengths_nm.is_empty()) {
        let nanometres = header.wavelengths_nm.clone();
        let widths_nm = Some(header.widths_nm.clone()).filter(|widths| !widths.is_empty());
        all.push(Centres { nanometres, widths_nm, bad: None });
    }
    if dataset.format() == Format::Envi {
        return Ok(all);
    }
    let is_list = |shape: &[usize]| shape.iter().filter(|&&len| len > 1).count() == 1;
    let lists = |known: &'static [&'static str]| {
        let is_known = move |name: &str| known.contains(&base(name).to_lowercase().as_str());
        let variables = names.dataset.variables().iter();
        variables.filter(move |v| matches!(v.class(), Class::Number(_)) && is_known(v.name()) && is_list(v.shape()))
    };
    for variable in lists(&WAVELENGTHS) {
        let unit = dataset.attributes(variable.name())?;
        let unit = unit.iter().find(|(key, _)| key.eq_ignore_ascii_case("units") || key.eq_ignore_ascii_case("unit"));
        let unit = unit.and_then(|(_, value)| Attribute::text(value));
        let values = dataset.cube::<f64>(Some(variable.name()))?.into_values();
        let Some(nanometres) = in_unit(values.clone(), unit.unwrap_or_default()) else { continue };
        let widths = lists(&WIDTHS).find(|v| v.shape().iter().product::<usize>() == nanometres.len());
        let scale = (nanometres[nanometres.len() - 1] - nanometres[0]) / (values[values.len() - 1] - values[0]);
        let widths_nm = match widths {
            // Of wavenumbers a width is none of wavelengths.
            Some(widths) if (nanometres[0] - scale * values[0]).abs() <= 1e-6 * nanometres[0] => {
                let widths = dataset.cube::<f64>(Some(widths.name()))?.into_values();
                Some(widths.into_iter().map(|width| width * scale).collect())
            }
            _ => None,
        };
        let good = lists(&GOOD).find(|v| v.shape().iter().product::<usize>() == nanometres.len());
        let bad = match good {
            Some(good) => Some(dataset.cube::<f64>(Some(good.name()))?.values().iter().map(|&v| v == 0.0).collect()),
            None => None,
        };
        all.push(Centres { nanometres, widths_nm, bad });
    }
    Ok(all)
}

fn is_width(name: &str) -> bool {
    WIDTHS.contains(&name.trim().to_lowercase().as_str())
}

/// Centres in nanometres from numbers in a unit; nothing where the unit is no length, no wavenumber and no frequency.
pub(super) fn in_unit(values: Vec<f64>, unit: &str) -> Option<Vec<f64>> {
    /// Speed of light in nanometres a second.
    const LIGHT_NM: f64 = 299_792_458e9;
    let per = |scale: f64| usable(values.iter().map(|value| scale / value).collect(), Some(1.0));
    match unit.trim().to_lowercase().replace(' ', "").as_str() {
        "" | "unknown" | "none" | "1" => usable(values, None),
        "cm-1" | "cm^-1" | "1/cm" | "wavenumber" | "wavenumbers" => per(1e7),
        "m-1" | "m^-1" | "1/m" => per(1e9),
        "hz" => per(LIGHT_NM),
        "ghz" => per(LIGHT_NM / 1e9),
        "thz" => per(LIGHT_NM / 1e12),
        _ => {
            let scale = nanometres_per(unit)?;
            usable(values, Some(scale))
        }
    }
}

/// Centres in nanometres, where they go strictly up or strictly down; micrometres are told from nanometres by their size where the
/// unit is not known.
pub(super) fn usable(mut values: Vec<f64>, unit: Option<f64>) -> Option<Vec<f64>> {
    let scale = unit.unwrap_or(if values.iter().all(|w| *w < 100.0) { 1000.0 } else { 1.0 });
    values.iter_mut().for_each(|w| *w *= scale);
    let finite = values.iter().all(|w| w.is_finite() && *w > 0.0);
    let goes = |up: bool| values.windows(2).all(|pair| (pair[0] < pair[1]) == up && pair[0] != pair[1]);
    (finite && values.len() > 1 && (goes(true) || goes(false))).then_some(values)
}

/// How many nanometres a unit has; nothing for what is no length.
fn nanometres_per(unit: &str) -> Option<f64> {
    match unit.trim().to_lowercase().trim_end_matches('s') {
        "nanometer" | "nanometre" | "nm" => Some(1.0),
        "micrometer" | "micrometre" | "micron" | "um" | "µm" | "μm" => Some(1e3),
        "meter" | "metre" | "m" => Some(1e9),
        "angstrom" => Some(0.1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn centres_are_nanometres_that_go_one_way() {
        assert_eq!(usable(vec![0.4, 0.5], None), Some(vec![400.0, 500.0]));
        assert_eq!(usable(vec![900.0, 500.0], None), Some(vec![900.0, 500.0]));
        assert_eq!(usable(vec![40.0, 50.0], Some(1.0)), Some(vec![40.0, 50.0]));
        for wrong in [vec![1.0, 1.0], vec![1.0, 3.0, 2.0], vec![1.0, f64::NAN], vec![1.0], vec![]] {
            assert_eq!(usable(wrong, None), None);
        }
        assert_eq!(nanometres_per(" Micrometers "), Some(1e3));
        assert_eq!(nanometres_per("cm-1"), None);
        assert_eq!(in_unit(vec![20_000.0, 10_000.0], "cm-1"), Some(vec![500.0, 1000.0]));
        assert_eq!(in_unit(vec![0.5, 1.0], "um"), Some(vec![500.0, 1000.0]));
        assert_eq!(in_unit(vec![1.0, 2.0], "index"), None);
    }
}
