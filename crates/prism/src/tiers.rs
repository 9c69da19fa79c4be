//! [`Tiers`]: how much of an instrument is looked for beside the object, decided by exposures held out.
//!
//! First all is taken as it is said to be, then positions are looked for, then also the aberrations of the probe. Each tier is fitted without some of
//! the exposures; of those it is then only told where they lie, which are two numbers for thousands of pixels. A tier has to foretell them better than
//! the one before, or it stays with that one. No truth is looked at.

use cupel_settings::{Problem, choices};
use serde::Serialize;

use crate::{
    Error, Exposures, Geometry, Noise, ReconstructionConfig, Result, ScanFree,
    calibration::{Calibrated, calibrate_scan, locate, r_factor},
    search::held_out,
};

choices! {
    /// What of the instrument is looked for beside the object.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Calibration {
        /// Of scans of a probe what foretells exposures held out best; nothing of others
        Auto = "auto",
        /// Nothing: all is as it is said to be
        None = "none",
        /// The positions of a probe
        Positions = "positions",
        /// The positions and the aberrations of a probe
        Probe = "probe",
    }
}

/// A tier, and how it foretells the exposures that it was fitted without.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Tier {
    /// What was looked for.
    pub calibration: Calibration,
    /// R-factor of the exposures held out.
    pub held_out_r: f64,
}

/// What was looked for beside the object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tiers {
    /// What was found and taken.
    pub taken: Calibration,
    /// All tiers that were tried; none where the settings chose.
    pub tried: Vec<Tier>,
    /// Root of the mean squared move of positions along an axis, in pixels of the object.
    pub moved_px: f64,
}

/// Fewer exposures do not tell where each of them lies.
const FEWEST: usize = 16;
/// Frames up to so many bytes are calibrated without being asked: all of them are held in memory.
const MOST_BYTES: usize = 1 << 30;
/// Of its R-factor, how much better a tier has to be than the one before.
const BETTER: f64 = 0.005;

/// The exposures with positions and probe as they were found, where any were looked for.
///
/// # Errors
/// [`Error::Setting`] for positions that are asked of exposures that are no scan of a probe.
pub(crate) fn calibrated(
    exposures: &Exposures,
    config: &ReconstructionConfig,
    seed: u64,
) -> Result<Option<(Exposures, Tiers)>> {
    let optics = &exposures.optics;
    let scan = optics.geometry == Geometry::Object
        && optics.pupils.len() == 1
        && optics.window() == [optics.detector; 2]
        && exposures.known.support.is_none()
        && !exposures.known.real;
    let bytes = exposures.centres.len().saturating_mul(4 * optics.detector * optics.detector);
    match config.calibration {
        Calibration::None => return Ok(None),
        Calibration::Auto
            if !scan || exposures.centres.len() < FEWEST || bytes > MOST_BYTES || exposures.noise == Noise::None =>
        {
            return Ok(None);
        }
        Calibration::Positions | Calibration::Probe if !scan => {
            return Err(Error::Setting(Problem::value(
                "calibration",
                config.calibration,
                "none, as only a scan of one probe over a complex object, as large as its detector, has positions to find",
            )));
        }
        _ => {}
    }
    let all: Vec<usize> = (0..exposures.centres.len()).collect();
    let held = held_out(exposures, config.held_out, seed);
    let fitted: Vec<usize> = all.iter().copied().filter(|frame| !held.contains(frame)).collect();
    let (mut tried, mut taken) = (Vec::new(), config.calibration);
    if taken == Calibration::Auto {
        if held.is_empty() {
            return Ok(None); // nothing would tell
        }
        taken = Calibration::None;
        for calibration in [Calibration::None, Calibration::Positions, Calibration::Probe] {
            let model = calibrate_scan(exposures, &fitted, free(calibration))?;
            let model = if calibration == Calibration::None { model } else { locate(exposures, &held, &model)? };
            let held_out_r = r_factor(exposures, &held, &model)?;
            let least = tried.iter().map(|tier: &Tier| tier.held_out_r).fold(f64::INFINITY, f64::min);
            if held_out_r < (1.0 - BETTER) * least {
                taken = calibration;
            }
            tried.push(Tier { calibration, held_out_r });
        }
    }
    if taken == Calibration::None {
        return Ok(Some((exposures.clone(), Tiers { taken, tried, moved_px: 0.0 })));
    }
    let Calibrated { window, centres, .. } = calibrate_scan(exposures, &all, free(taken))?;
    let moves = centres.iter().zip(&exposures.centres).flat_map(|(to, from)| [to[0] - from[0], to[1] - from[1]]);
    let moved_px = (moves.map(|by| by * by).sum::<f64>() / (2 * all.len()) as f64).sqrt();
    let mut found = Exposures { centres, ..exposures.clone() };
    if taken == Calibration::Probe {
        found.optics.pupils = vec![window];
    }
    Ok(Some((found, Tiers { taken, tried, moved_px })))
}

fn free(calibration: Calibration) -> ScanFree {
    ScanFree { positions: calibration != Calibration::None, probe: calibration == Calibration::Probe }
}

impl Tiers {
    /// In a sentence, for reports.
    pub fn words(&self) -> String {
        let what = match self.taken {
            Calibration::Probe => {
                format!(
                    "positions, moved by {:.2} pixels rms, and the aberrations of the probe were found",
                    self.moved_px
                )
            }
            Calibration::Positions => {
                format!(
                    "positions, moved by {:.2} pixels rms, were found, the probe is as it was said to be",
                    self.moved_px
                )
            }
            Calibration::None | Calibration::Auto => "positions and probe are as they were said to be".to_owned(),
        };
        if self.tried.is_empty() {
            return what;
        }
        let of = |tier: &Tier| {
            let name = match tier.calibration {
                Calibration::Probe => "positions and probe",
                Calibration::Positions => "positions",
                Calibration::None | Calibration::Auto => "nothing",
            };
            format!("{name} {:.4}", tier.held_out_r)
        };
        let tried: Vec<String> = self.tried.iter().map(of).collect();
        format!("{what}; R-factor of exposures held out, by what was looked for: {}", tried.join(", "))
    }
}
