//! Calibration finds what a simulation hid.

use std::sync::Arc;

use burn::tensor::Device;
use cupel_prism::{
    Calibrated, Calibration, Exposures, Geometry, LightsConfig, LightsSceneConfig, Plane, Pose, PtychographyConfig,
    Reconstruction, ReconstructionConfig, ScanFree, Solver, Sought, calibrate_lights, calibrate_scan, predicted,
    r_factor, reconstruct, simulate_lights, simulate_ptychography, spectrum_of, zernike,
};
use cupel_train::{Casting, Run};
use num_complex::Complex;

/// Rms along an axis after a common shift.
fn apart(found: &[[f64; 2]], truth: &[[f64; 2]]) -> f64 {
    let off: Vec<[f64; 2]> = found.iter().zip(truth).map(|(a, b)| [a[0] - b[0], a[1] - b[1]]).collect();
    let count = off.len() as f64;
    let mean = [0, 1].map(|axis| off.iter().map(|off| off[axis]).sum::<f64>() / count);
    let sum: f64 = off.iter().map(|off| (off[0] - mean[0]).powi(2) + (off[1] - mean[1]).powi(2)).sum();
    (sum / (2.0 * count)).sqrt()
}

#[test]
fn positions_and_the_probe_of_a_scan_are_found_where_they_are_wrong() {
    let wrong = PtychographyConfig {
        detector: 32,
        positions: 80,
        step: 2.5,
        aperture_radius: 5.0,
        defocus_um: 70.0,
        photons: Some(1e5),
        position_error: 1.0,
        defocus_error_um: 20.0,
        ..PtychographyConfig::default()
    };
    let scene = simulate_ptychography(&wrong, 11).unwrap();
    let all: Vec<usize> = (0..80).collect();
    let truth = Calibrated::known(scene.object.clone(), scene.probe.clone(), scene.centres.clone());
    let free = ScanFree { positions: true, probe: true };
    let found = calibrate_scan(&scene.exposures, &all, free).unwrap();
    let (after, before) = (apart(&found.centres, &scene.centres), apart(&scene.exposures.centres, &scene.centres));
    assert!(after < 0.3 * before, "{after} {before}");
    let r = |model| r_factor(&scene.exposures, &all, model).unwrap();
    assert!(r(&found) < 1.1 * r(&truth), "{} {}", r(&found), r(&truth));
    // what a user calls does the same, and tells
    let config = ReconstructionConfig { certificate: false, restarts: 0, ..ReconstructionConfig::default() };
    let on = (&Device::flex(), &Casting::f32());
    let whole = reconstruct(&scene.exposures, &config, 1, on, &mut Run::in_memory()).unwrap();
    let tiers = whole.calibration.unwrap();
    assert_eq!((tiers.taken.names(), tiers.tried.len()), (vec!["positions", "probe"], 3));
    assert!(tiers.tried[2].held_out_r < 0.8 * tiers.tried[0].held_out_r, "{tiers:?}");
    let moved: Vec<[f64; 2]> =
        (0..80).map(|k| [0, 1].map(|axis| scene.exposures.centres[k][axis] + whole.model.shifts[k][axis])).collect();
    assert_eq!(moved.len(), found.centres.len());
    assert!(apart(&moved, &found.centres) < 1e-9);
    // positions of other exposures than those of a probe or of lights are refused, not passed over
    let mut others = scene.exposures.clone();
    others.optics.geometry = Geometry::Spectrum;
    for calibration in [Calibration::Positions, Calibration::Brightness] {
        let config = ReconstructionConfig { calibration, ..config.clone() };
        for exposures in [&others, &scene.exposures] {
            if calibration == Calibration::Positions && exposures.optics.geometry == Geometry::Object {
                continue;
            }
            let problem = reconstruct(exposures, &config, 1, on, &mut Run::in_memory()).unwrap_err().to_string();
            assert!(problem.contains("calibration"), "{problem}");
        }
    }
}

#[test]
fn the_truth_of_a_scan_explains_it() {
    let config = PtychographyConfig {
        detector: 32,
        positions: 60,
        step: 2.5,
        aperture_radius: 5.0,
        defocus_um: 75.0,
        position_error: 1.0,
        ..PtychographyConfig::default()
    };
    let scene = simulate_ptychography(&config, 7).unwrap();
    let truth = Calibrated::known(scene.object.clone(), scene.probe.clone(), scene.centres);
    assert!(r_factor(&scene.exposures, &(0..60).collect::<Vec<_>>(), &truth).unwrap() < 1e-4);
}

/// A small array of lights.
fn small() -> LightsSceneConfig {
    LightsSceneConfig { lights: 81, size: 192, detector: 48, ..LightsSceneConfig::default() }
}

fn train_and_held(exposures: &Exposures) -> (Vec<usize>, Vec<usize>) {
    let count = exposures.centres.len();
    let held: Vec<usize> = (3..count).step_by(11).collect();
    ((0..count).filter(|frame| !held.contains(frame)).collect(), held)
}

#[test]
fn an_aberrated_pupil_is_found_and_more_sweeps_do_no_harm() {
    // without noise, on whole places of the spectrum
    let near = LightsSceneConfig { size: 128, detector: 32, pitch_mm: 3.0, na: 0.0956, ..small() };
    let scene = simulate_lights(&near, 5).unwrap();
    let mut exposures = scene.exposures;
    let said = exposures.optics.pupils[0].clone();
    let open = said.values().iter().filter(|value| value.norm_sqr() > 0.0).count() as f64;
    let (middle, radius) = ((said.rows() / 2) as f64, (open / std::f64::consts::PI).sqrt());
    let window = Plane::from_fn(said.rows(), said.columns(), |row, column| {
        let [y, x] = [row, column].map(|at| (at as f64 - middle) / radius);
        let phase = 0.6 * zernike(4, y, x) + 0.3 * zernike(6, y, x);
        said.values()[row * said.columns() + column] * Complex::from_polar(1.0 - 0.2 * (y * y + x * x), phase)
    });
    let truth = Calibrated::known(spectrum_of(&scene.object).unwrap(), window, exposures.centres.clone());
    exposures.frames = Arc::new(predicted(&exposures, &truth).unwrap());
    let (train, held) = train_and_held(&exposures);
    let left = |probe: bool, sweeps: usize| {
        let sought = Sought { probe, ..Sought::default() };
        let config = LightsConfig { sweeps, ..LightsConfig::default() };
        let found = calibrate_lights(&exposures, &train, 0.1, sought, &config).unwrap();
        r_factor(&exposures, &held, &found).unwrap()
    };
    let (stated, calibrated, longer) = (left(false, 20), left(true, 20), left(true, 80));
    assert!(calibrated < 0.6 * stated, "{calibrated} {stated}");
    assert!(longer < 1.05 * calibrated, "{longer} {calibrated}");
}

/// How the command sees the exposures of a scene, and R of those it does not see.
fn seen(exposures: &Exposures, calibration: Calibration) -> (Reconstruction, f64) {
    let device = Device::flex();
    let test_exposures = train_and_held(exposures).1;
    let config =
        ReconstructionConfig { test_exposures, certificate: false, calibration, ..ReconstructionConfig::default() };
    let (rest, aside) = config.put_aside(exposures).unwrap();
    let found = reconstruct(&rest, &config, 1, (&device, &Casting::f32()), &mut Run::in_memory()).unwrap();
    let left = found.foretold(&aside.unwrap(), &device).unwrap();
    (found, left)
}

/// Rotation and shift within a tenth.
fn is_found(found: &Reconstruction, hidden: Pose) {
    let tiers = found.calibration.as_ref().unwrap();
    assert!(tiers.taken.positions, "{tiers:?}");
    let pose = tiers.lights.unwrap().pose;
    for (found, hidden) in pose.parameters().into_iter().zip(hidden.parameters()).take(3) {
        assert!((found / hidden - 1.0).abs() < 0.1, "{tiers:?} {hidden:?}");
    }
}

#[test]
fn a_turned_and_moved_array_of_lights_is_found() {
    // without noise, on whole places of the spectrum
    let scene =
        simulate_ptychography(&PtychographyConfig { positions: 2000, ..PtychographyConfig::default() }, 3).unwrap();
    let object = scene.object.middle(256, 256).unwrap();
    let said = simulate_lights(&LightsSceneConfig::default(), 3).unwrap().exposures;
    let array = said.lights.as_ref().unwrap().array.clone();
    let hidden = Pose { rotation: -0.03, shift: [-0.7e-3, 0.5e-3], distance: 0.0 };
    let frames = |pose: Pose| {
        let plane = spectrum_of(&object).unwrap();
        let truth = Calibrated::known(plane, said.optics.pupils[0].clone(), array.centres(pose));
        Exposures { frames: Arc::new(predicted(&said, &truth).unwrap()), ..said.clone() }
    };
    let (found, left) = seen(&frames(hidden), Calibration::Auto);
    is_found(&found, hidden);
    let (_, stated) = seen(&frames(hidden), Calibration::None);
    assert!(left < 0.3 * stated, "{left} {stated}");
}

#[test]
fn what_is_wrong_with_an_array_of_lights_is_found_and_told() {
    let wrong = LightsSceneConfig {
        rotation_deg: -1.7,
        shift_mm: vec![-0.7, 0.5],
        defocus_um: 15.0,
        brightness_error: 0.1,
        ..LightsSceneConfig::default()
    };
    let scene = simulate_lights(&wrong, 3).unwrap();
    let (found, left) = seen(&scene.exposures, Calibration::Auto);
    assert_eq!(found.solver, Solver::Epie);
    is_found(&found, scene.pose);
    // where nothing is wrong but the brightness
    let uneven = LightsSceneConfig { brightness_error: 0.1, ..LightsSceneConfig::default() };
    let (_, unmoved) = seen(&simulate_lights(&uneven, 3).unwrap().exposures, Calibration::None);
    assert!(left < 1.1 * unmoved, "{left} {unmoved}");
    let tiers = found.calibration.as_ref().unwrap();
    assert!(tiers.taken.probe, "{tiers:?}");
    assert!(tiers.words().contains("turned by -1."), "{}", tiers.words());
}

#[test]
fn an_array_of_lights_that_is_as_it_is_said_to_be_is_not_made_worse() {
    let scene = simulate_lights(&small(), 3).unwrap();
    let (_, calibrated) = seen(&scene.exposures, Calibration::Auto);
    let (_, plain) = seen(&scene.exposures, Calibration::None);
    assert!(calibrated < 1.03 * plain, "{calibrated} {plain}");
}

#[test]
fn exposures_that_are_put_aside_are_there() {
    let scene = simulate_lights(&small(), 1).unwrap();
    for (test_exposures, words) in [(vec![81], "below 81"), ((0..81).collect(), "not all")] {
        let config = ReconstructionConfig { test_exposures, ..ReconstructionConfig::default() };
        let problem = config.put_aside(&scene.exposures).unwrap_err().to_string();
        assert!(problem.contains("test-exposures") && problem.contains(words), "{problem}");
    }
}
