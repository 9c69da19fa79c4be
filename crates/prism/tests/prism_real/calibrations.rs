//! Calibration finds what a simulation hid.

use std::sync::Arc;

use burn::tensor::Device;
use cupel_prism::{
    Calibrated, Calibration, CalibrationConfig, Exposures, Geometry, InMemory, Knowledge, LedArray, Noise, Optics,
    Plane, Pose, PtychographyConfig, ReconstructionConfig, ScanFree, calibrate, calibrate_scan, predicted, r_factor,
    reconstruct, simulate_ptychography, spectrum_of, spiral, zernike,
};
use cupel_train::{Casting, Run};
use num_complex::Complex;

#[test]
fn the_truth_of_a_scan_explains_it_and_calibration_brings_positions_nearer() {
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
    let truth = Calibrated {
        plane: scene.object.clone(),
        window: scene.probe.clone(),
        centres: scene.centres.clone(),
        pose: None,
        curve: vec![],
    };
    let all: Vec<usize> = (0..60).collect();
    assert!(r_factor(&scene.exposures, &all, &truth).unwrap() < 1e-4);
    let settings = CalibrationConfig {
        sweeps: 200,
        decay: 0.0,
        held_out: 0.0,
        window_step: 0.0,
        position_step: 4.0,
        position_from: 5,
        ..CalibrationConfig::default()
    };
    let found = calibrate(&scene.exposures, &all, &settings, None).unwrap();
    let spread = |centres: &[[f64; 2]]| {
        let differ: Vec<[f64; 2]> =
            centres.iter().zip(&scene.centres).map(|(a, b)| [a[0] - b[0], a[1] - b[1]]).collect();
        let mean = [0, 1].map(|axis| differ.iter().map(|d| d[axis]).sum::<f64>() / 60.0);
        differ.iter().map(|d| (d[0] - mean[0]).powi(2) + (d[1] - mean[1]).powi(2)).sum::<f64>() / 120.0
    };
    let (after, before) = (spread(&found.centres).sqrt(), spread(&scene.exposures.centres).sqrt());
    assert!(after < 0.5 * before, "{after} {before}");
    assert!(found.curve[199] < found.curve[4], "{} {}", found.curve[199], found.curve[4]);
    // The same again gives the same bits.
    assert_eq!(calibrate(&scene.exposures, &all, &settings, None).unwrap().plane, found.plane);
}

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
    let truth = Calibrated {
        plane: scene.object.clone(),
        window: scene.probe.clone(),
        centres: scene.centres.clone(),
        pose: None,
        curve: vec![],
    };
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
    assert_eq!((tiers.taken, tiers.tried.len()), (Calibration::Probe, 3));
    assert!(tiers.tried[2].held_out_r < 0.8 * tiers.tried[0].held_out_r, "{tiers:?}");
    let moved: Vec<[f64; 2]> =
        (0..80).map(|k| [0, 1].map(|axis| scene.exposures.centres[k][axis] + whole.model.shifts[k][axis])).collect();
    assert_eq!(moved.len(), found.centres.len());
    assert!(apart(&moved, &found.centres) < 1e-9);
    // positions of other exposures than those of a probe are refused, not passed over
    let mut lights = scene.exposures.clone();
    lights.optics.geometry = Geometry::Spectrum;
    let config = ReconstructionConfig { calibration: Calibration::Positions, ..config };
    let problem = reconstruct(&lights, &config, 1, on, &mut Run::in_memory()).unwrap_err().to_string();
    assert!(problem.contains("calibration"), "{problem}");
}

#[test]
fn a_turned_and_moved_array_of_lights_is_found() {
    let scene =
        simulate_ptychography(&PtychographyConfig { positions: 2000, ..PtychographyConfig::default() }, 3).unwrap();
    let object = scene.object.middle(256, 256).unwrap();
    let lights = spiral(121).into_iter().map(|[x, y]| [4e-3 * f64::from(x), 4e-3 * f64::from(y)]).collect();
    let array = LedArray {
        lights,
        distance: 0.09,
        glass_thickness: 1e-3,
        glass_index: 1.52,
        wavelength: 532e-9,
        pixel_size: 0.5e-6,
        size: 256,
        mirrored: true,
    };
    let hidden = Pose { rotation: -0.03, shift: [-0.7e-3, 0.5e-3], distance: 0.0 };
    let radius = 0.1 / 532e-9 * 256.0 * 0.5e-6;
    let pupil = Plane::from_fn(55, 55, |row, column| {
        let far = (row as f64 - 27.0).hypot(column as f64 - 27.0);
        if far <= radius { 1.0.into() } else { 0.0.into() }
    });
    let mut exposures = Exposures {
        optics: Optics {
            geometry: Geometry::Spectrum,
            size: [256, 256],
            pupils: vec![pupil.clone()],
            detector: 64,
            pixel_size: Some(0.5e-6),
            wavelength: Some(532e-9),
        },
        centres: array.centres(Pose::default()),
        frames: Arc::new(InMemory { pixels: 4096, values: vec![] }),
        noise: Noise::Unknown,
        good: None,
        known: Knowledge::default(),
    };
    let truth = Calibrated {
        plane: spectrum_of(&object).unwrap(),
        window: pupil,
        centres: array.centres(hidden),
        pose: None,
        curve: vec![],
    };
    exposures.frames = Arc::new(predicted(&exposures, &truth).unwrap());
    let settings = CalibrationConfig {
        sweeps: 30,
        decay: 0.0,
        held_out: 0.0,
        step: 0.7,
        window_step: 0.0,
        position_step: 0.7,
        position_from: 1,
        growth: 20,
        ..CalibrationConfig::default()
    };
    let all: Vec<usize> = (0..121).collect();
    let found = calibrate(&exposures, &all, &settings, Some((&array, Pose::default()))).unwrap().pose.unwrap();
    assert!((found.rotation / hidden.rotation - 1.0).abs() < 0.1, "{found:?}");
    for axis in 0..2 {
        assert!((found.shift[axis] / hidden.shift[axis] - 1.0).abs() < 0.1, "{found:?}");
    }
}

#[test]
fn an_aberrated_pupil_is_found_and_more_sweeps_do_no_harm() {
    let scene =
        simulate_ptychography(&PtychographyConfig { positions: 1000, ..PtychographyConfig::default() }, 5).unwrap();
    let object = scene.object.middle(128, 128).unwrap();
    let radius = 11.5;
    let pupil = |defocus: f64, absorption: f64| {
        Plane::from_fn(25, 25, |row, column| {
            let [y, x] = [row, column].map(|at| (at as f64 - 12.0) / radius);
            let far = y * y + x * x;
            let phase = defocus * zernike(4, y, x) + 0.3 * zernike(6, y, x);
            if far <= 1.0 { Complex::from_polar(1.0 - absorption * far, phase * (defocus / 0.6)) } else { 0.0.into() }
        })
    };
    let centres: Vec<[f64; 2]> =
        spiral(81).into_iter().map(|[x, y]| [4.0 * f64::from(y), 4.0 * f64::from(x)]).collect();
    let mut exposures = Exposures {
        optics: Optics {
            geometry: Geometry::Spectrum,
            size: [128, 128],
            pupils: vec![pupil(0.0, 0.0)],
            detector: 32,
            pixel_size: Some(0.5e-6),
            wavelength: Some(532e-9),
        },
        centres: centres.clone(),
        frames: Arc::new(InMemory { pixels: 1024, values: vec![] }),
        noise: Noise::Unknown,
        good: None,
        known: Knowledge::default(),
    };
    let truth = Calibrated {
        plane: spectrum_of(&object).unwrap(),
        window: pupil(0.6, 0.2),
        centres,
        pose: None,
        curve: vec![],
    };
    exposures.frames = Arc::new(predicted(&exposures, &truth).unwrap());
    let held: Vec<usize> = vec![2, 7, 17, 30, 44, 58, 70];
    let train: Vec<usize> = (0..81).filter(|frame| !held.contains(frame)).collect();
    let found = |settings: CalibrationConfig| calibrate(&exposures, &train, &settings, None).unwrap();
    let left = |found: &Calibrated| r_factor(&exposures, &held, found).unwrap();
    let stated = left(&found(CalibrationConfig { window_step: 0.0, sweeps: 20, ..CalibrationConfig::default() }));
    let calibrated = left(&found(CalibrationConfig { sweeps: 20, ..CalibrationConfig::default() }));
    let longer = left(&found(CalibrationConfig { sweeps: 80, ..CalibrationConfig::default() }));
    assert!(calibrated < 0.6 * stated, "{calibrated} {stated}");
    assert!(longer < 1.05 * calibrated, "{longer} {calibrated}");
}
