//! What lists that say something of bands are called: their centres, their widths, which of them are good.

use crate::spectral_unit::name_and_unit;

/// Names of lists of band centres, in small letters without separators and units, and what their unit is where nothing says so.
const CENTRES: [(&str, &str); 36] = [
    ("wavelength", ""),
    ("wavelengths", ""),
    ("lambda", ""),
    ("lambdas", ""),
    ("wavelen", ""),
    ("wlen", ""),
    ("wl", ""),
    ("wls", ""),
    ("wave", ""),
    ("waves", ""),
    ("wvl", ""),
    ("wvls", ""),
    ("bandcenter", ""),
    ("bandcenters", ""),
    ("bandcentre", ""),
    ("bandcentres", ""),
    ("bandwavelengths", ""),
    ("centers", ""),
    ("centres", ""),
    ("centerwavelength", ""),
    ("centerwavelengths", ""),
    ("centrewavelength", ""),
    ("centrewavelengths", ""),
    ("centralwavelength", ""),
    ("centralwavelengths", ""),
    ("wavelengthcenter", ""),
    ("wavelengthcenters", ""),
    ("wavelengthcentre", ""),
    ("wavelengthcentres", ""),
    ("wavenumber", "cm-1"),
    ("wavenumbers", "cm-1"),
    // Of these the unit has to be said: they may be those of anything.
    ("frequency", UNSAID),
    ("frequencies", UNSAID),
    ("freq", UNSAID),
    ("energy", UNSAID),
    ("energies", UNSAID),
];
const UNSAID: &str = "unsaid";
/// Names of lists of full widths at half maximum.
pub(super) const WIDTHS: [&str; 8] =
    ["fwhm", "fwhms", "bandwidth", "bandwidths", "width", "widths", "wavelengthfwhm", "spectralwidth"];
/// Names of lists that say which bands are good.
pub(super) const GOOD: [&str; 6] = ["goodwavelengths", "goodbands", "goodband", "bbl", "goodbandlist", "usebands"];
/// Names that the CF conventions have for what band centres are.
pub(super) const STANDARD: [&str; 5] = [
    "radiation_wavelength",
    "sensor_band_central_radiation_wavelength",
    "radiation_frequency",
    "sensor_band_central_radiation_frequency",
    "sensor_band_central_radiation_wavenumber",
];

/// What a variable is called within its group or structure.
pub(super) fn base(name: &str) -> &str {
    name.rsplit(['/', '.']).next().unwrap_or(name)
}

/// The group or structure that a variable is in, with its separator.
pub(super) fn group(name: &str) -> &str {
    &name[..name.len() - base(name).len()]
}

/// The letters of a name, in lower case.
pub(super) fn letters(name: &str) -> String {
    name.chars().filter(|c| c.is_alphabetic()).flat_map(char::to_lowercase).collect()
}

/// The unit that a name of band centres brings with it, or the one of its kind; nothing for other names.
pub(super) fn centres_called(name: &str) -> Option<&str> {
    let (plain, unit) = name_and_unit(name);
    let plain = letters(plain);
    match plain.strip_suffix("nm").and_then(usual_unit) {
        Some(_) => Some("nm"),
        None => usual_unit(&plain).map(|usual| if unit.is_empty() { usual } else { unit }),
    }
}

fn usual_unit(plain: &str) -> Option<&'static str> {
    CENTRES.iter().find(|(known, _)| *known == plain).map(|(_, unit)| *unit)
}

/// Whether a name without its unit is one of these.
pub(super) fn is_one_of(names: &[&str], name: &str) -> bool {
    names.contains(&letters(name_and_unit(name).0).as_str())
}

/// Where the words of a name that hold `wavelength` and others are those of an array: `swir_wavelengths` belongs to `SWIR_cube`.
pub(super) fn belongs(name: &str, beside: &str) -> bool {
    let words: Vec<String> = name_and_unit(name).0.split(|c: char| !c.is_alphanumeric()).map(letters).collect();
    let (centres, others): (Vec<&String>, Vec<&String>) = words
        .iter()
        .filter(|word| !word.is_empty())
        .partition(|word| usual_unit(word).is_some_and(|unit| unit != UNSAID));
    let beside = beside.to_lowercase();
    centres.len() == 1 && !others.is_empty() && others.iter().all(|word| beside.contains(word.as_str()))
}

/// The unit at the end of a name.
pub(super) fn in_name(name: &str) -> Option<String> {
    Some(name_and_unit(name).1).filter(|unit| !unit.is_empty()).map(str::to_owned)
}

/// Whether a column of a table holds the widths of bands.
pub(super) fn is_width(heading: &str) -> bool {
    is_one_of(&WIDTHS, heading)
}

/// Whether a column of a table holds marks of good bands.
pub(super) fn is_good(heading: &str) -> bool {
    is_one_of(&GOOD, heading)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_lists_have_units_in_them() {
        for (name, unit) in [
            ("wavelength", Some("")),
            ("Wavelength_nm", Some("nm")),
            ("wavelengthnm", Some("nm")),
            ("Band_Centers", Some("")),
            ("wavenumbers", Some("cm-1")),
            ("wavenumber_1/m", Some("1/m")),
            ("frequency", Some(UNSAID)),
            ("frequency (THz)", Some("THz")),
            ("soil", None),
        ] {
            assert_eq!(centres_called(name), unit, "{name}");
        }
        assert_eq!(crate::spectral_unit::Said::of(UNSAID), crate::spectral_unit::Said::Other);
        assert!(belongs("swir_wavelengths", "cubes/SWIR_Cube") && !belongs("vnir_wavelength", "SWIR_Cube"));
        assert!(is_width("FWHM (nm)") && is_good("Good_Wavelengths"));
    }
}
