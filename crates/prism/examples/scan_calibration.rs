//! How near calibration comes to the truth of simulated scans: `scan_calibration [FIRST-SEED] [SEEDS] [DEFOCUS-UM] [DEFOCUS-ERROR-UM]`.
//!
//! Positions are off by 2 pixels, the probe by its defocus, 1e5 photons a frame; of 200 frames ten are held out, of which only the positions are
//! found. Errors of positions are after a common shift, then also after a common scale, then after any linear map.

use std::time::Instant;

use cupel_prism::{
    Calibrated, PtychographyConfig, Result, ScanFree, calibrate_scan, locate, r_factor, simulate_ptychography,
};
use serde_json::json;

fn main() -> Result<()> {
    let given: Vec<f64> = std::env::args().skip(1).filter_map(|value| value.parse().ok()).collect();
    let at = |place: usize, usual: f64| given.get(place).copied().unwrap_or(usual);
    let first = at(0, 1.0) as u64;
    for seed in first..first + at(1, 1.0) as u64 {
        let config = PtychographyConfig {
            photons: Some(1e5),
            position_error: 2.0,
            defocus_um: at(2, 200.0),
            defocus_error_um: at(3, 50.0),
            ..PtychographyConfig::default()
        };
        let scene = simulate_ptychography(&config, seed)?;
        let held: Vec<usize> = (7..200).step_by(20).collect();
        let train: Vec<usize> = (0..200).filter(|frame| !held.contains(frame)).collect();
        let truth = Calibrated::known(scene.object.clone(), scene.probe.clone(), scene.centres.clone());
        let start = Instant::now();
        let free = ScanFree { positions: true, probe: true };
        let found = locate(&scene.exposures, &held, &calibrate_scan(&scene.exposures, &train, free)?)?;
        let seconds = start.elapsed().as_secs_f64();
        let (r, of_truth) = (r_factor(&scene.exposures, &held, &found)?, r_factor(&scene.exposures, &held, &truth)?);
        println!(
            "{}",
            json!({"seed": seed, "held_out_r": r, "truth_r": of_truth, "ratio": r / of_truth, "seconds": seconds,
                   "before_px": errors(&scene.exposures.centres, &scene.centres),
                   "positions_px": errors(&found.centres, &scene.centres), "curve": found.curve.iter().step_by(40).collect::<Vec<_>>()})
        );
    }
    Ok(())
}

/// Rms along each axis after a common shift, shift and scale, and a linear map.
fn errors(found: &[[f64; 2]], truth: &[[f64; 2]]) -> [f64; 3] {
    let count = found.len() as f64;
    let centred = |points: &[[f64; 2]]| -> Vec<[f64; 2]> {
        let mean = [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / count);
        points.iter().map(|point| [point[0] - mean[0], point[1] - mean[1]]).collect()
    };
    let truth = centred(truth);
    let off: Vec<[f64; 2]> = centred(found).iter().zip(&truth).map(|(a, b)| [a[0] - b[0], a[1] - b[1]]).collect();
    let sum = |of: &dyn Fn(usize) -> f64| (0..truth.len()).map(of).sum::<f64>();
    let rms = |off: &[[f64; 2]]| (off.iter().flatten().map(|e| e * e).sum::<f64>() / (2.0 * count)).sqrt();
    let size = sum(&|k| truth[k][0].powi(2) + truth[k][1].powi(2));
    let scale = sum(&|k| off[k][0] * truth[k][0] + off[k][1] * truth[k][1]) / size;
    let scaled: Vec<[f64; 2]> =
        off.iter().zip(&truth).map(|(e, c)| [e[0] - scale * c[0], e[1] - scale * c[1]]).collect();
    let [yy, xx, xy] = [(0, 0), (1, 1), (0, 1)].map(|(a, b)| sum(&|k| truth[k][a] * truth[k][b]));
    let det = yy * xx - xy * xy;
    let linear: Vec<[f64; 2]> = {
        let maps = [0, 1].map(|axis| {
            let [y, x] = [0, 1].map(|other| sum(&|k| off[k][axis] * truth[k][other]));
            [(xx * y - xy * x) / det, (yy * x - xy * y) / det]
        });
        off.iter()
            .zip(&truth)
            .map(|(e, c)| [0, 1].map(|axis| e[axis] - maps[axis][0] * c[0] - maps[axis][1] * c[1]))
            .collect()
    };
    [rms(&off), rms(&scaled), rms(&linear)]
}
