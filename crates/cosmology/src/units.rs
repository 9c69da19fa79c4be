//! [`Unit`]: what the numbers of a sky are measured in, and [`Conversion`] between units.
//!
//! Brightness temperature and intensity by the law of Rayleigh and Jeans, `I = 2 nu^2 k T / c^2` (Condon & Ransom, "Essential Radio
//! Astronomy" (2016), equation 2.33), which is how radio astronomers define temperature at any frequency. A flux per beam is an intensity
//! times the solid angle of the beam, `pi FWHM_major FWHM_minor / (4 ln 2)` of a Gaussian one; a flux density is one times the solid angle
//! over which it was gathered: that of a pixel in a map, that of the primary beam in visibilities.

use std::{f64::consts::PI, fmt, str::FromStr};

use cupel_settings::{Kind, Value};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Boltzmann's constant in J/K, exact (SI 2019).
const BOLTZMANN_J_K: f64 = 1.380_649e-23;
/// Speed of light in m/s, exact.
const SPEED_OF_LIGHT_M_S: f64 = 299_792_458.0;
/// W/m^2/Hz in a jansky.
const JANSKY_W_M2_HZ: f64 = 1e-26;

/// What a number of a sky is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum Unit {
    /// Brightness temperature in K.
    Kelvin,
    /// Brightness temperature in mK.
    Millikelvin,
    /// Brightness temperature in uK.
    Microkelvin,
    /// Flux density in Jy.
    Jansky,
    /// Flux density in mJy.
    Millijansky,
    /// Flux density per beam in Jy.
    JanskyPerBeam,
    /// Flux density per beam in mJy.
    MillijanskyPerBeam,
    /// Intensity in Jy/sr.
    JanskyPerSteradian,
    /// Intensity in MJy/sr.
    MegajanskyPerSteradian,
    /// Intensity in W/m^2/Hz/sr.
    WattPerSquareMetreHertzSteradian,
    /// What a correlator counts, before any calibration.
    Counts,
}

/// What kind of quantity a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quantity {
    /// In K.
    Temperature,
    /// In Jy.
    FluxDensity,
    /// In Jy/beam.
    FluxPerBeam,
    /// In Jy/sr.
    Intensity,
    /// In nothing that is known.
    Counts,
}

/// The units with their name as FITS 4.0 writes it, other spellings in lower case, quantity and size.
const UNITS: [(Unit, &str, &[&str], Quantity, f64); 11] = [
    (Unit::Kelvin, "K", &["kelvin", "kelvins", "k_rj"], Quantity::Temperature, 1.0),
    (Unit::Millikelvin, "mK", &["millikelvin", "millikelvins", "mk_rj"], Quantity::Temperature, 1e-3),
    (Unit::Microkelvin, "uK", &["microkelvin", "microkelvins", "\u{b5}k", "\u{3bc}k"], Quantity::Temperature, 1e-6),
    (Unit::Jansky, "Jy", &["jansky", "janskys", "janskies"], Quantity::FluxDensity, 1.0),
    (Unit::Millijansky, "mJy", &["millijansky", "millijanskys"], Quantity::FluxDensity, 1e-3),
    (Unit::JanskyPerBeam, "Jy/beam", &["jyperbeam", "janskyperbeam", "jansky/beam"], Quantity::FluxPerBeam, 1.0),
    (Unit::MillijanskyPerBeam, "mJy/beam", &["mjyperbeam", "millijanskyperbeam"], Quantity::FluxPerBeam, 1e-3),
    (Unit::JanskyPerSteradian, "Jy/sr", &["janskypersteradian"], Quantity::Intensity, 1.0),
    (Unit::MegajanskyPerSteradian, "MJy/sr", &["megajanskypersteradian"], Quantity::Intensity, 1e6),
    (Unit::WattPerSquareMetreHertzSteradian, "W/m2/Hz/sr", &[], Quantity::Intensity, 1.0 / JANSKY_W_M2_HZ),
    (Unit::Counts, "count", &["counts", "adu", "uncalibrated", "uncalib", "correlator"], Quantity::Counts, 1.0),
];

impl Unit {
    /// All units, in the order in which messages name them.
    pub const ALL: [Self; UNITS.len()] = {
        let mut all = [Self::Kelvin; UNITS.len()];
        let mut i = 0;
        while i < UNITS.len() {
            all[i] = UNITS[i].0;
            i += 1;
        }
        all
    };

    /// The name, as FITS 4.0 spells units: `mK`, `Jy/beam`.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    fn row(self) -> &'static (Self, &'static str, &'static [&'static str], Quantity, f64) {
        // every unit has its row, which a test checks
        UNITS.iter().find(|row| row.0 == self).unwrap_or(&UNITS[0])
    }

    /// The names of all units.
    pub(crate) fn known() -> String {
        UNITS.map(|row| row.1).join(", ")
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Names in any of the ways in which files spell them: `JY/BEAM`, `Jy beam-1`, `Jy.beam^-1`, `jansky`.
///
/// A capital tells milli from mega (`mJy`, `MJy`), so the exact spelling is tried before the one without regard to case; where all is
/// capitals (`MJY/BEAM`) and both could be meant, the unit is refused.
impl FromStr for Unit {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = || Error::UnknownUnit { unit: text.trim().to_owned(), known: Self::known() };
        let plain = normalised(text);
        if let Some(row) = UNITS.iter().find(|row| row.1 == plain) {
            return Ok(row.0);
        }
        let folded = plain.to_lowercase();
        let ambiguous = folded.starts_with("mjy") || folded.starts_with("mk");
        if ambiguous && !plain.starts_with('m') && !plain.starts_with("MJy") {
            return Err(refuse());
        }
        // what is left differs in the case of later letters only: `mJy/Beam`, and `MJy/SR`, where mega is what is written
        let same_start = |name: &str| !ambiguous || name.starts_with(&plain[..1]);
        UNITS
            .iter()
            .find(|(_, name, spellings, ..)| {
                same_start(name) && (name.to_lowercase() == folded || spellings.contains(&folded.as_str()))
            })
            .map(|row| row.0)
            .ok_or_else(refuse)
    }
}

/// A spelling with `/` for every sign of division and without blanks.
fn normalised(text: &str) -> String {
    let mut text: String = text.trim().trim_matches(['\'', '"', '[', ']']).trim().to_owned();
    for (from, to) in [("**-", "-"), ("^-", "-"), ("^", ""), ("**", "")] {
        text = text.replace(from, to);
    }
    for word in ["beam", "Beam", "BEAM", "sr", "SR", "Hz", "HZ", "hz", "m"] {
        // `Jy beam-1` and `Jy.beam-1`
        for (divisor, power) in [("-1", ""), ("-2", "2")] {
            for space in [" ", ".", "*"] {
                text = text.replace(&format!("{space}{word}{divisor}"), &format!("/{word}{power}"));
            }
        }
    }
    text.split_whitespace().collect::<String>()
}

impl TryFrom<String> for Unit {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Unit> for String {
    fn from(unit: Unit) -> Self {
        unit.name().to_owned()
    }
}

impl Value for Unit {
    fn kind() -> Kind {
        Kind::Text
    }

    fn parse(text: &str) -> std::result::Result<Self, String> {
        text.parse().map_err(|_: Error| format!("one of {}", Self::known()))
    }

    fn show(&self) -> Option<String> {
        Some(self.name().to_owned())
    }
}

/// Solid angle in sr of a Gaussian beam with these full widths at half maximum in degrees: `pi a b / (4 ln 2)`.
pub fn beam_solid_angle_sr(major_deg: f64, minor_deg: f64) -> f64 {
    PI * major_deg.to_radians() * minor_deg.to_radians() / (4.0 * std::f64::consts::LN_2)
}

/// Intensity in Jy/sr of a brightness temperature of 1 K at a frequency: `2 nu^2 k / c^2`.
pub fn jansky_per_steradian_kelvin(frequency_mhz: f64) -> f64 {
    let frequency_hz = frequency_mhz * 1e6;
    2.0 * frequency_hz * frequency_hz * BOLTZMANN_J_K / (SPEED_OF_LIGHT_M_S * SPEED_OF_LIGHT_M_S) / JANSKY_W_M2_HZ
}

/// What has to be known of one channel to convert its numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Conversion {
    /// Frequency in MHz; between temperatures and anything else.
    pub frequency_mhz: Option<f64>,
    /// Solid angle of the beam in sr; from and to fluxes per beam.
    pub beam_sr: Option<f64>,
    /// Solid angle in sr over which a flux density was gathered (a pixel, a primary beam); from and to flux densities.
    pub gathered_sr: Option<f64>,
}

impl Conversion {
    /// What a number in `from` is multiplied with to be one in `to`.
    ///
    /// # Errors
    /// [`Error::Convert`] when frequency or solid angle would have to be known, or for counts, which no constant turns into anything.
    pub fn factor(&self, from: Unit, to: Unit) -> Result<f64> {
        let (quantity, wanted) = (from.row().3, to.row().3);
        if from == to || quantity == wanted {
            return Ok(from.row().4 / to.row().4);
        }
        let refuse = |missing| Error::Convert { from, to, missing };
        // through Jy/sr
        let intensity = |quantity| match quantity {
            Quantity::Intensity => Ok(1.0),
            Quantity::Temperature => {
                let frequency_mhz =
                    positive(self.frequency_mhz).ok_or_else(|| refuse("the frequency of the channel"))?;
                Ok(jansky_per_steradian_kelvin(frequency_mhz))
            }
            Quantity::FluxPerBeam => {
                Ok(1.0 / positive(self.beam_sr).ok_or_else(|| refuse("the beam (BMAJ and BMIN, or its width)"))?)
            }
            Quantity::FluxDensity => {
                let gathered = positive(self.gathered_sr);
                Ok(1.0 / gathered.ok_or_else(|| refuse("the solid angle that each number stands for"))?)
            }
            Quantity::Counts => Err(refuse("a calibration: counts have no unit")),
        };
        Ok(from.row().4 * intensity(quantity)? / intensity(wanted)? / to.row().4)
    }
}

fn positive(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && *value > 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Conversion = Conversion { frequency_mhz: Some(150.0), beam_sr: Some(3e-4), gathered_sr: Some(2e-5) };

    #[test]
    fn every_spelling_is_understood_and_no_other() {
        for (spelling, unit) in [
            ("K", Unit::Kelvin),
            (" kelvin ", Unit::Kelvin),
            ("mK", Unit::Millikelvin),
            ("uK", Unit::Microkelvin),
            ("\u{b5}K", Unit::Microkelvin),
            ("Jy", Unit::Jansky),
            ("JY", Unit::Jansky),
            ("jansky", Unit::Jansky),
            ("mJy", Unit::Millijansky),
            ("Jy/beam", Unit::JanskyPerBeam),
            ("JY/BEAM", Unit::JanskyPerBeam),
            ("Jy beam-1", Unit::JanskyPerBeam),
            ("Jy.beam^-1", Unit::JanskyPerBeam),
            ("Jy beam**-1", Unit::JanskyPerBeam),
            ("'Jy / beam'", Unit::JanskyPerBeam),
            ("mJy/beam", Unit::MillijanskyPerBeam),
            ("Jy/sr", Unit::JanskyPerSteradian),
            ("MJy/sr", Unit::MegajanskyPerSteradian),
            ("MJy sr-1", Unit::MegajanskyPerSteradian),
            ("MJy/SR", Unit::MegajanskyPerSteradian),
            ("W/m2/Hz/sr", Unit::WattPerSquareMetreHertzSteradian),
            ("W m-2 Hz-1 sr-1", Unit::WattPerSquareMetreHertzSteradian),
            ("counts", Unit::Counts),
            ("uncalib", Unit::Counts),
        ] {
            assert_eq!(spelling.parse::<Unit>().unwrap(), unit, "{spelling}");
        }
        // MK is mega in the standard; MJY could be either
        for wrong in ["", "K2", "furlong", "MK", "MJY", "MJY/BEAM", "mJy/sr", "Jy/", "beam", "C"] {
            assert!(
                matches!(wrong.parse::<Unit>(), Err(Error::UnknownUnit { .. })),
                "{wrong:?} is {:?}",
                wrong.parse::<Unit>()
            );
        }
        assert_eq!(
            "Kelvins/m".parse::<Unit>().unwrap_err().to_string(),
            "the unit \"Kelvins/m\" is not known; the units are K, mK, uK, Jy, mJy, Jy/beam, mJy/beam, Jy/sr, MJy/sr, W/m2/Hz/sr, count"
        );
    }

    #[test]
    fn names_are_read_back() {
        for unit in Unit::ALL {
            assert_eq!(unit.name().parse::<Unit>().unwrap(), unit);
            assert_eq!(unit.row().0, unit);
        }
    }

    #[test]
    fn a_jansky_per_beam_is_the_textbook_temperature() {
        // T = 1.222e6 K x (S / Jy) / ((nu / GHz)^2 (a / arcsec) (b / arcsec)), the NRAO's rule of thumb to four digits
        let beam_sr = beam_solid_angle_sr(20.0 / 3600.0, 30.0 / 3600.0);
        let known = Conversion { frequency_mhz: Some(1400.0), beam_sr: Some(beam_sr), gathered_sr: None };
        let factor = known.factor(Unit::JanskyPerBeam, Unit::Kelvin).unwrap();
        assert!((factor / (1.222e6 / (1.4 * 1.4 * 20.0 * 30.0)) - 1.0).abs() < 1e-3, "{factor}");
        // spec 5.1: T_RJ = I x 1e-20 / (2 nu^2 k / c^2), I in MJy/sr
        let factor = known.factor(Unit::MegajanskyPerSteradian, Unit::Kelvin).unwrap();
        let nu = 1.4e9;
        let expected = 1e-20 / (2.0 * nu * nu * BOLTZMANN_J_K / (SPEED_OF_LIGHT_M_S * SPEED_OF_LIGHT_M_S));
        assert!((factor / expected - 1.0).abs() < 1e-14);
    }

    #[test]
    fn there_and_back_is_the_identity_and_detours_change_nothing() {
        let convertible = Unit::ALL.iter().filter(|unit| **unit != Unit::Counts);
        for &a in convertible.clone() {
            for &b in convertible.clone() {
                let there = KNOWN.factor(a, b).unwrap();
                assert!((there * KNOWN.factor(b, a).unwrap() - 1.0).abs() < 1e-14, "{a} {b}");
                for &c in convertible.clone() {
                    let detour = KNOWN.factor(a, c).unwrap() * KNOWN.factor(c, b).unwrap();
                    assert!((detour / there - 1.0).abs() < 1e-14, "{a} {c} {b}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_is_named() {
        let nothing = Conversion::default();
        assert_eq!(nothing.factor(Unit::Kelvin, Unit::Millikelvin).unwrap(), 1e3);
        assert_eq!(
            nothing.factor(Unit::JanskyPerBeam, Unit::Millikelvin).unwrap_err().to_string(),
            "Jy/beam to mK needs the beam (BMAJ and BMIN, or its width), which is not known here"
        );
        let error = Conversion { beam_sr: Some(1.0), ..nothing }.factor(Unit::JanskyPerBeam, Unit::Kelvin).unwrap_err();
        assert!(error.to_string().contains("needs the frequency of the channel"), "{error}");
        let error = KNOWN.factor(Unit::Counts, Unit::Kelvin).unwrap_err();
        assert!(error.to_string().contains("a calibration"), "{error}");
        assert!(
            Conversion { beam_sr: Some(0.0), ..KNOWN }.factor(Unit::JanskyPerBeam, Unit::JanskyPerSteradian).is_err()
        );
    }
}
