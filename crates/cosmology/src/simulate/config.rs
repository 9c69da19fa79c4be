//! What to simulate: the sky, the instrument that sees it, and the visibilities that an interferometer would measure.

use std::path::PathBuf;

use cupel_settings::{Problem, Range, Settings, choices, settings};
use serde::{Deserialize, Serialize};

use super::{beam::BeamShape, hydrogen::Hydrogen, signal::Statistics};
use crate::Result;

/// Most values of a sky, and of visibilities: a dozen arrays of f64 as large are held at once.
const MOST_VALUES: usize = 1 << 30;

choices! {
    /// Families of foregrounds. What was trained on skies of one should be tested with skies of another.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Family {
        /// Four Gaussian foregrounds of Santos, Cooray & Knox 2005
        Sck = "sck",
        /// The same on a patch of the Global Sky Model, or on its stand-in
        SckGsm = "sck-gsm" | "gsm",
        /// Synchrotron emission whose spectral index differs from place to place
        SpectralIndex = "spectral-index",
        /// Radio galaxies one by one
        PointSources = "point-sources",
    }
}

choices! {
    /// Units of visibilities.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum VisibilityUnit {
        /// Brightness temperature in K, averaged over the primary beam
        Kelvin = "K" | "kelvin",
        /// Flux density in Jy
        Jansky = "Jy" | "jansky",
    }
}

settings! {
    /// The skies to simulate.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    pub struct SimulateConfig in "simulation" {
        /// Number of skies; a sky does not depend on how many there are
        pub skies: u64 = 1, in Range::at_least(1.0).at_most(1e6), "N";
        /// Family of foregrounds
        pub family: Family = Family::Sck;
        /// Statistics of the signal
        pub signal: Statistics = Statistics::Gaussian;
        /// Model of the brightness and the bias of hydrogen
        pub hydrogen: Hydrogen = Hydrogen::Crighton;
        /// Number of channels
        pub nfreq: usize = 64, in Range::at_least(2.0).at_most(4096.0), "N";
        /// Number of pixels on each side of the map
        pub nx: usize = 64, in Range::at_least(4.0).at_most(4096.0), "N";
        /// Lower end of the band in MHz
        pub freq_min_mhz: f64 = 350.0, in Range::at_least(10.0).below(1420.0), "MHZ";
        /// Upper end of the band in MHz
        pub freq_max_mhz: f64 = 479.0, in Range::above(10.0).below(1420.0), "MHZ";
        /// Side of the map in degrees
        pub side_deg: f64 = 20.0, in Range::above(0.0).at_most(60.0), "DEG";
        /// Add the mean sky, 180 K (nu / 180 MHz)^-2.6
        pub mean_sky: bool = false;
        /// Rms of the spectral index from place to place
        pub index_scatter: f64 = 0.1, in Range::at_least(0.0).at_most(1.0);
        /// Width (FWHM) in degrees over which the spectral index is smooth
        pub index_smoothing_deg: f64 = 3.0, in Range::above(0.0).at_most(60.0), "DEG";
        /// Faintest radio galaxies in Jy at 1.4 GHz
        pub source_min_jy: f64 = 1e-3, in Range::at_least(1e-5).at_most(10.0), "JY";
        /// Brightest radio galaxies in Jy at 1.4 GHz; brighter ones are taken off by catalogues
        pub source_max_jy: f64 = 0.1, in Range::above(1e-5).at_most(10.0), "JY";
        /// Rms of the curvature of the spectra of radio galaxies, in powers of the frequency per e-fold of frequency
        pub source_curvature: f64 = 0.0, in Range::at_least(0.0).at_most(2.0);
        /// Least distance in degrees of the patch of the Global Sky Model from the Galactic plane
        pub gsm_latitude_deg: f64 = 30.0, in Range::at_least(0.0).below(90.0), "DEG";
    }
    parts {
        /// What sees them.
        pub instrument: InstrumentConfig;
        /// What an interferometer would measure.
        pub visibility: VisibilityConfig;
    }
    beside {
        /// Seed of all random draws.
        pub seed: u64 = 0;
        /// Folder with the two files of the Global Sky Model 2016.
        pub gsm: Option<PathBuf> = None;
    }
    needs {
        ["mean-sky"] |own| matches!(own.family, Family::Sck | Family::PointSources)
            => "the other families have a mean sky of their own";
        ["index-scatter", "index-smoothing-deg"] |own| own.family == Family::SpectralIndex
            => "it belongs to the family spectral-index";
        ["source-min-jy", "source-max-jy", "source-curvature"] |own| own.family == Family::PointSources
            => "it belongs to the family point-sources";
        ["gsm-latitude-deg"] |own| own.family == Family::SckGsm => "it belongs to the family sck-gsm";
    }
}

settings! {
    /// The instrument.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    pub struct InstrumentConfig in "instrument" {
        /// Diameter of the dish in m, whose beam smooths the map; 0 for no beam
        pub beam_dish: f64 = 0.0, in Range::at_least(0.0).at_most(1e4), "M";
        /// Shape of the beam; gaussian unless given
        pub beam: Option<BeamShape> = None;
        /// Relative ripple of the width of a cosine beam over frequency
        pub beam_ripple: f64 = 0.01, in Range::at_least(0.0).below(0.5);
        /// Scatter of the ripple from sky to sky, which then has any phase: of the logarithms of its strength and of its period
        pub beam_scatter: f64 = 0.0, in Range::at_least(0.0).at_most(1.0);
        /// Rms of the noise in each pixel and channel in mK; from hours unless given
        pub noise_mk: Option<f64> = None, in Range::at_least(0.0), "MK";
        /// Hours of observation, from which noise follows by the radiometer equation; 0 for no noise
        pub hours: f64 = 0.0, in Range::at_least(0.0), "H";
        /// Number of dishes that observe
        pub dishes: usize = 64, in Range::at_least(1.0).at_most(1e6), "N";
        /// Temperature of the receivers in K
        pub receiver_k: f64 = 20.0, in Range::at_least(0.0), "K";
        /// Rms of the smooth ripple that calibration leaves in the gain over frequency
        pub bandpass: f64 = 0.0, in Range::at_least(0.0).at_most(0.2);
        /// Share of polarised emission that leaks into intensity; 0.005 to 0.01 for real dishes
        pub leakage: f64 = 0.0, in Range::SHARE;
        /// Rms of the Faraday depth of polarised emission in rad/m^2
        pub faraday_depth: f64 = 3.0, in Range::at_least(0.0).at_most(1e4), "RAD/M2";
        /// Share of channels and times with radio-frequency interference
        pub rfi: f64 = 0.0, in Range::at_least(0.0).at_most(0.9);
        /// Mean strength of the interference in mK
        pub rfi_mk: f64 = 1e5, in Range::above(0.0), "MK";
        /// Share of times without data; rows of a map are times
        pub gaps: f64 = 0.0, in Range::at_least(0.0).at_most(0.9);
    }
    needs {
        ["beam"] |own| own.beam_dish > 0.0 => "a beam needs the diameter of its dish (beam-dish)";
        ["beam-ripple", "beam-scatter"] |own| own.beam == Some(BeamShape::Cosine) => "only the cosine beam ripples";
        ["hours", "dishes", "receiver-k"] |own| own.noise_mk.is_none() => "the noise is given by noise-mk";
        ["dishes", "receiver-k"] |own| own.hours > 0.0 => "noise by the radiometer equation needs hours";
        ["faraday-depth"] |own| own.leakage > 0.0 => "nothing leaks from polarisation";
        ["rfi-mk"] |own| own.rfi > 0.0 => "there is no interference";
    }
}

settings! {
    /// Visibilities.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
    pub struct VisibilityConfig in "visibilities" {
        /// Write the visibilities of an interferometer, too
        pub visibilities: bool = false;
        /// Number of baselines: the shortest different ones of a square grid of dishes
        pub baselines: usize = 48, in Range::at_least(1.0).at_most(1e5), "N";
        /// Spacing of the grid in m
        pub spacing_m: f64 = 7.0, in Range::above(0.0).at_most(1e5), "M";
        /// Number of times while the map drifts once through the beam; a multiple of nx
        pub times: usize = 1024, in Range::at_least(4.0).at_most(1e6), "N";
        /// Unit of the visibilities
        pub vis_unit: VisibilityUnit = VisibilityUnit::Kelvin;
        /// Rms of the complex noise of each visibility in that unit
        pub vis_noise: f64 = 0.0, in Range::at_least(0.0);
    }
    needs {
        ["baselines", "spacing-m", "times", "vis-unit", "vis-noise"] |own| own.visibilities
            => "no visibilities are asked for (visibilities)";
    }
}

/// What no setting can tell by itself.
pub(super) fn check_whole(config: &SimulateConfig) -> Result<()> {
    config.check()?;
    let problem =
        |name: &str, got: &dyn ToString, expected: String| Err(Problem::value(name, got.to_string(), expected).into());
    if config.freq_max_mhz <= config.freq_min_mhz {
        let expected = format!("more than freq-min-mhz, {}", config.freq_min_mhz);
        return problem("freq-max-mhz", &config.freq_max_mhz, expected);
    }
    if config.source_max_jy <= config.source_min_jy {
        return problem(
            "source-max-jy",
            &config.source_max_jy,
            format!("more than source-min-jy, {}", config.source_min_jy),
        );
    }
    if config.nfreq * config.nx * config.nx > MOST_VALUES {
        return problem("nx", &config.nx, format!("at most {MOST_VALUES} values, nfreq x nx x nx"));
    }
    if config.gsm.is_some() && config.family != Family::SckGsm {
        return Err(Problem::Unused { name: "gsm".into(), because: "it belongs to the family sck-gsm".into() }.into());
    }
    if config.visibility.visibilities { check_visibilities(config) } else { Ok(()) }
}

/// Whether there can be visibilities of these maps.
pub(super) fn check_visibilities(config: &SimulateConfig) -> Result<()> {
    let VisibilityConfig { baselines, times, .. } = config.visibility;
    if !times.is_multiple_of(config.nx) {
        return Err(Problem::value("times", times, format!("a multiple of nx, {}", config.nx)).into());
    }
    let values = baselines.checked_mul(times).and_then(|n| n.checked_mul(config.nfreq));
    if values.is_none_or(|values| values > MOST_VALUES) {
        let expected = format!("at most {MOST_VALUES} visibilities, baselines x nfreq x times");
        return Err(Problem::value("times", times, expected).into());
    }
    Ok(())
}
