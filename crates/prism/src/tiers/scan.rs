//! Tiers of a scan of a probe.
//!
//! Of the exposures held out it is only found where they lie, which are two numbers for thousands of pixels.

use super::{BETTER, Calibration, Tier, Tiers, moved};
use crate::{
    Exposures, Noise, ReconstructionConfig, Result, ScanFree, Sought,
    calibration::{Calibrated, calibrate_scan, locate, r_factor},
    held_out::held_out,
};

/// Fewer exposures do not tell where each of them lies.
const FEWEST: usize = 16;
/// Frames up to so many bytes are calibrated without being asked: all of them are held in memory.
const MOST_BYTES: usize = 1 << 30;

/// The exposures with positions and probe as they were found, where any were looked for.
pub(super) fn known(
    exposures: &Exposures,
    config: &ReconstructionConfig,
    seed: u64,
) -> Result<Option<(Exposures, Tiers)>> {
    let count = exposures.centres.len();
    let bytes = count.saturating_mul(4 * exposures.optics.detector.pow(2));
    let most = MOST_BYTES.min(exposures.frames.memory());
    let by_itself = config.calibration == Calibration::Auto;
    if by_itself && (count < FEWEST || bytes > most || exposures.noise == Noise::None) {
        return Ok(None);
    }
    let all: Vec<usize> = (0..count).collect();
    let held = held_out(exposures, config.held_out, seed);
    let fitted: Vec<usize> = all.iter().copied().filter(|frame| !held.contains(frame)).collect();
    let (mut tried, mut taken) = (Vec::new(), config.calibration.sought());
    if by_itself {
        if held.is_empty() {
            return Ok(None); // nothing would tell
        }
        taken = Sought::default();
        for calibration in [Calibration::None, Calibration::Positions, Calibration::Probe] {
            let sought = calibration.sought();
            let model = calibrate_scan(exposures, &fitted, free(sought))?;
            let model = if sought.positions { locate(exposures, &held, &model)? } else { model };
            let held_out_r = r_factor(exposures, &held, &model)?;
            let least = tried.iter().map(|tier: &Tier| tier.held_out_r).fold(f64::INFINITY, f64::min);
            if held_out_r < (1.0 - BETTER) * least {
                taken = sought;
            }
            tried.push(Tier { sought, held_out_r });
        }
    }
    if taken == Sought::default() {
        return Ok(Some((exposures.clone(), Tiers { taken, tried, moved_px: 0.0, lights: None })));
    }
    let Calibrated { window, centres, .. } = calibrate_scan(exposures, &all, free(taken))?;
    let moved_px = moved(&exposures.centres, &centres);
    let mut found = Exposures { centres, ..exposures.clone() };
    if taken.probe {
        found.optics.pupils = vec![window];
    }
    Ok(Some((found, Tiers { taken, tried, moved_px, lights: None })))
}

fn free(sought: Sought) -> ScanFree {
    ScanFree { positions: sought.positions, probe: sought.probe }
}
