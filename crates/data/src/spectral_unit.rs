//! [`SpectralUnit`]: what the places of bands are given in. Lengths, wavenumbers, frequencies and energies become nanometres in vacuum here.

/// Speed of light in nanometres a second, and the product of the constant of Planck with it in electronvolts times nanometres; exact (SI 2019).
const LIGHT_NM: f64 = 299_792_458e9;
const PLANCK_LIGHT_EV_NM: f64 = 1_239.841_984_332_002_6;
/// From this many on numbers without a unit are no micrometres, and from this many on no metres.
const MICROMETRES_BELOW: f64 = 100.0;
const METRES_BELOW: f64 = 1e-3;

/// A unit of wavelengths, or of what is in proportion to one over them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SpectralUnit {
    /// So many nanometres.
    Length(f64),
    /// A band at 1 has this wavelength in nanometres, one at 2 half of it.
    Reciprocal(f64),
}
use SpectralUnit::{Length, Reciprocal};

/// What a text says of the unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Said {
    /// Nothing: the size of the numbers has to tell.
    Nothing,
    /// This unit.
    Unit(SpectralUnit),
    /// Something that is none, such as an index.
    Other,
}

impl SpectralUnit {
    /// The unit of this name.
    pub(crate) fn called(name: &str) -> Option<Self> {
        let plain: String = name.to_lowercase().chars().filter(|c| !" ^*_.{}$\\".contains(*c)).collect();
        let plain = plain.replace("⁻¹", "-1").replace('−', "-");
        Some(match plain.trim_end_matches('s') {
            "nanometer" | "nanometre" | "nm" => Length(1.0),
            "micrometer" | "micrometre" | "micron" | "um" | "µm" | "μm" | "mum" => Length(1e3),
            "millimeter" | "millimetre" | "mm" => Length(1e6),
            "centimeter" | "centimetre" | "cm" => Length(1e7),
            "meter" | "metre" | "m" => Length(1e9),
            "angstrom" | "ångström" | "ångstrom" | "å" => Length(0.1),
            "cm-1" | "1/cm" | "/cm" | "wavenumber" | "kayser" | "inversecentimeter" | "reciprocalcentimeter" => {
                Reciprocal(1e7)
            }
            "m-1" | "1/m" | "/m" => Reciprocal(1e9),
            "um-1" | "1/um" | "µm-1" | "1/µm" | "μm-1" | "1/μm" => Reciprocal(1e3),
            "hz" | "hertz" => Reciprocal(LIGHT_NM),
            "khz" => Reciprocal(LIGHT_NM / 1e3),
            "mhz" => Reciprocal(LIGHT_NM / 1e6),
            "ghz" => Reciprocal(LIGHT_NM / 1e9),
            "thz" => Reciprocal(LIGHT_NM / 1e12),
            "ev" => Reciprocal(PLANCK_LIGHT_EV_NM),
            "kev" => Reciprocal(PLANCK_LIGHT_EV_NM / 1e3),
            _ => return None,
        })
    }

    /// By the size of numbers of which no unit is known.
    fn guessed(values: &[f64]) -> Self {
        let below = |bound: f64| values.iter().all(|value| *value < bound);
        match () {
            () if below(METRES_BELOW) => Length(1e9),
            () if below(MICROMETRES_BELOW) => Length(1e3),
            () => Length(1.0),
        }
    }

    fn nanometres(self, value: f64) -> f64 {
        match self {
            // The digits that a change of the unit spoils are cut: 0.4 micrometres are 400 nm and not 400.00000000000006.
            Length(1.0) => value,
            Length(scale) => rounded(value * scale),
            Reciprocal(one) => rounded(one / value),
        }
    }

    /// A full width in nanometres of a band at `value`.
    fn width_nm(self, value: f64, width: f64) -> f64 {
        match self {
            Length(_) => self.nanometres(width),
            Reciprocal(one) if width < 2.0 * value => {
                rounded(one / (value - 0.5 * width) - one / (value + 0.5 * width))
            }
            Reciprocal(_) => f64::NAN,
        }
    }
}

impl Said {
    /// What this text says.
    pub(crate) fn of(text: &str) -> Self {
        let plain = text.trim().to_lowercase();
        match SpectralUnit::called(&plain) {
            Some(unit) => Self::Unit(unit),
            None if ["", "unknown", "none", "1", "-", "n/a"].contains(&plain.as_str()) => Self::Nothing,
            None => Self::Other,
        }
    }

    /// Centres and widths of bands in nanometres; nothing where they can be none. Widths that make no sense, or are not one a band, are none.
    pub(crate) fn bands(self, centres: &[f64], widths: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
        let unit = match self {
            Self::Unit(unit) => unit,
            Self::Nothing => SpectralUnit::guessed(centres),
            Self::Other => return None,
        };
        let nanometres: Vec<f64> = centres.iter().map(|&value| unit.nanometres(value)).collect();
        let fits = |values: &[f64]| values.iter().all(|nm| nm.is_finite() && *nm > 0.0);
        if !fits(&nanometres) {
            return None;
        }
        let widths: Vec<f64> = centres.iter().zip(widths).map(|(&value, &width)| unit.width_nm(value, width)).collect();
        let widths = if widths.len() == nanometres.len() && fits(&widths) { widths } else { Vec::new() };
        Some((nanometres, widths))
    }
}

/// The nearest number of thirteen digits.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.12e}").parse().unwrap_or(value)
}

/// A name without the unit that stands in it, and that unit: `wavelength_nm`, `Wavelength (um)`, `wavenumber, cm-1`.
pub(crate) fn name_and_unit(name: &str) -> (&str, &str) {
    let name = name.trim();
    if let Some((base, rest)) = name.split_once(['(', '[']) {
        return (base.trim(), rest.trim_end_matches([')', ']']).trim());
    }
    let split = |at: usize| {
        let base = name[..at].trim_end_matches([',', ' ', '_', '.', '/', '-', ':']).trim_end();
        let base = base.strip_suffix(" in").or_else(|| base.strip_suffix("_in")).unwrap_or(base);
        (base, name[at..].trim_start())
    };
    // The longest end that is a unit and begins a word.
    let starts = name.char_indices().filter(|(at, _)| *at > 0).map(|(at, _)| at);
    let begins =
        |at: &usize| name[..*at].ends_with([',', ' ', '_', '.', ':']) && SpectralUnit::called(&name[*at..]).is_some();
    starts.into_iter().find(begins).map_or((name, ""), split)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_have_many_names_and_all_become_nanometres() {
        for (unit, value, nm) in [
            ("nm", 650.0, 650.0),
            ("Nanometers", 650.0, 650.0),
            (" Micrometers ", 0.65, 650.0),
            ("µm", 0.65, 650.0),
            ("millimetres", 0.01, 10_000.0),
            ("m", 6.5e-7, 650.0),
            ("Angstroms", 6500.0, 650.0),
            ("cm-1", 20_000.0, 500.0),
            ("1/cm", 20_000.0, 500.0),
            ("cm^{-1}", 20_000.0, 500.0),
            ("Wavenumber", 20_000.0, 500.0),
            ("THz", 299.792_458, 1000.0),
            ("GHz", 299_792.458, 1000.0),
            ("MHz", 299_792_458.0, 1000.0),
            ("eV", 1.239_841_984_332, 1000.0),
            ("", 650.0, 650.0),
            ("unknown", 0.65, 650.0),
            ("", 6.5e-7, 650.0),
        ] {
            let (found, _) = Said::of(unit).bands(&[value], &[]).unwrap();
            assert!((found[0] - nm).abs() < 1e-9, "{value} {unit}: {found:?}");
        }
        for other in ["index", "counts", "W/m2", "percent"] {
            assert_eq!(Said::of(other).bands(&[1.0, 2.0], &[]), None, "{other}");
        }
        for wrong in [[1.0, f64::NAN], [0.0, 1.0], [-1.0, 1.0]] {
            assert_eq!(Said::Nothing.bands(&wrong, &[]), None);
        }
    }

    #[test]
    fn widths_are_those_of_wavelengths() {
        let widths = |unit: &str, centre: f64, width: f64| Said::of(unit).bands(&[centre], &[width]).unwrap().1;
        assert_eq!(widths("um", 0.5, 0.01), [10.0]);
        // From 19 900 to 20 100 cm-1 are 502.5 to 497.5 nm.
        assert!((widths("cm-1", 20_000.0, 200.0)[0] - 5.000_125).abs() < 1e-6);
        assert!(widths("cm-1", 100.0, 200.0).is_empty() && widths("nm", 500.0, -1.0).is_empty());
        assert!(Said::Nothing.bands(&[500.0, 600.0], &[10.0]).unwrap().1.is_empty());
    }

    #[test]
    fn names_end_in_units() {
        for (name, base, unit) in [
            ("wavelength_nm", "wavelength", "nm"),
            ("Wavelength (um)", "Wavelength", "um"),
            ("wavelength [Micrometers]", "wavelength", "Micrometers"),
            ("wavenumber, cm-1", "wavenumber", "cm-1"),
            ("wavelength in nm", "wavelength", "nm"),
            ("wavenumber_1/cm", "wavenumber", "1/cm"),
            ("400.5 nm", "400.5", "nm"),
            ("band_centers", "band_centers", ""),
            ("um", "um", ""),
        ] {
            assert_eq!(name_and_unit(name), (base, unit), "{name}");
        }
    }
}
