//! Bars of real data and of calibration, one JSON line each.
//!
//!     cargo run --release --example real_data -- blood|scan|lights [SETTING=VALUE ...]
//!
//! `blood` needs the set `prism/fpm_bloodsmear_green.mat` in the folder `CUPEL_DATA`; settings are those of the calibration, and `hold=INNER`
//! chooses an inner split instead of the 22 frames of the bar, for choices.

use std::{path::PathBuf, time::Instant};

use burn::tensor::DType;
use cupel_data::Stream;
use cupel_prism::{
    Calibrated, CalibrationConfig, Exposures, Free, InMemory, Instrument, LedArray, Misfit, Model, Plane, Pose,
    PtychographyConfig, ReconstructionConfig, Search, Units, calibrate, predicted, r_factor, read_exposures,
    reconstruct, simulate_ptychography, spectrum_of, spiral,
};
use cupel_settings::Settings;
use cupel_train::{Casting, Descent, Run, device::select};
use num_complex::Complex;
use serde_json::json;

type Any = Box<dyn std::error::Error>;

/// The frames that data/prism/fpm_check.py holds out (numpy, seed 0).
const HELD_OUT: [usize; 22] =
    [1, 7, 37, 53, 61, 66, 71, 76, 85, 90, 98, 103, 111, 112, 134, 160, 161, 193, 199, 215, 218, 222];

fn main() -> Result<(), Any> {
    let mut arguments = std::env::args().skip(1);
    let what = arguments.next().unwrap_or_else(|| "all".into());
    let settings: Vec<(String, String)> =
        arguments.filter_map(|pair| pair.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned()))).collect();
    match what.as_str() {
        "blood" => blood(&settings),
        "scan" => scan(&settings),
        "lights" => lights(&settings),
        _ => {
            blood(&settings)?;
            scan(&settings)?;
            lights(&settings)
        }
    }
}

fn apply(config: &mut CalibrationConfig, settings: &[(String, String)]) -> Result<(), Any> {
    for (name, value) in settings {
        if !["hold", "seed", "pose", "dx", "defocus", "defocus-error", "quasi-newton"].contains(&name.as_str()) {
            config.set(name, value)?;
        }
    }
    Ok(())
}

fn value(settings: &[(String, String)], wanted: &str) -> Option<f64> {
    settings.iter().find(|(name, _)| name == wanted).and_then(|(_, value)| value.parse().ok())
}

fn blood(settings: &[(String, String)]) -> Result<(), Any> {
    let folder = std::env::var_os("CUPEL_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let path = folder.join("prism/fpm_bloodsmear_green.mat");
    let instrument = Instrument::parse(include_str!("blood_smear.toml"), "blood_smear.toml".as_ref())?;
    let recording = read_exposures(&path, &instrument)?;
    let mut exposures = recording.exposures;
    let pool: Vec<usize> = (0..225).filter(|frame| !HELD_OUT.contains(frame)).collect();
    let (train, held): (Vec<usize>, Vec<usize>) = match value(settings, "hold") {
        None => (pool, HELD_OUT.to_vec()),
        Some(split) => {
            let bright = [2, 3, 4, 5, 6, 8][split as usize % 6];
            let dark: Vec<usize> = pool.iter().copied().filter(|frame| *frame > 24).collect();
            let order = Stream::new(split as u64, "inner split").permutation(dark.len());
            let mut held: Vec<usize> = order[..14].iter().map(|k| dark[*k]).collect();
            held.push(bright);
            (pool.into_iter().filter(|frame| !held.contains(frame)).collect(), held)
        }
    };
    if let Some(iterations) = value(settings, "joint") {
        return joint(&exposures, (&train, &held), iterations as u64, settings);
    }
    let array = recording.array.ok_or("no array")?;
    let mut pose = recording.pose;
    if let Some((_, text)) = settings.iter().find(|(name, _)| name == "pose") {
        let numbers: Vec<f64> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        pose = Pose::of([numbers[0], numbers[1], numbers[2], numbers[3]]);
        exposures.centres = array.centres(pose);
    }
    let mut config = CalibrationConfig::default();
    apply(&mut config, settings)?;
    let start = Instant::now();
    let with = (config.position_step > 0.0).then_some((&array, pose));
    let model = calibrate(&exposures, &train, &config, with)?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({"bar": "blood smear", "held_out_r": r_factor(&exposures, &held, &model)?, "train_r": r_factor(&exposures, &train, &model)?,
               "seconds": seconds, "sweeps": model.curve.len(), "pose": model.pose.map(Pose::parameters)})
    );
    Ok(())
}

/// Object, pupil and, with `shifts=1`, places of the lights by quasi-Newton steps on the amplitudes; `prior=W` weighs total variation.
fn joint(
    exposures: &Exposures,
    (train, held): (&[usize], &[usize]),
    iterations: u64,
    settings: &[(String, String)],
) -> Result<(), Any> {
    let device = select("cpu")?.device;
    let on = (&device, DType::F32);
    let config = ReconstructionConfig { held_out: 0.0, ..ReconstructionConfig::default() };
    let search = Search::new(exposures, &config, 0, on)?;
    let model = Model::new(exposures, search.object())?;
    let bright = search.object().amplitude().into_iter().fold(0.0, f64::max);
    let units = Units { object: bright, pupils: 0.3, shifts: 0.3, flux: 0.1, background: 0.01 * bright * bright };
    let free = |name: &str, usual: f64| value(settings, name).unwrap_or(usual) != 0.0;
    let free = Free { pupils: free("pupils", 1.0), shifts: free("shifts", 0.0), ..Free::OBJECT };
    let prior = value(settings, "prior").unwrap_or(1e-6);
    let start = Instant::now();
    let mut misfit = Misfit::new(exposures, train.to_vec(), model, free, units, prior, on)?;
    let judge = Misfit::new(exposures, held.to_vec(), misfit.model(&misfit.start()), free, units, prior, on)?;
    let mut descent = Descent::new(misfit.start(), 10);
    for iteration in 1..=iterations {
        let over = descent.step(&mut misfit, 1e-9)?;
        if iteration % 10 == 0 || over.is_some() {
            let model = misfit.model(descent.x());
            println!(
                "{}",
                json!({"bar": "blood smear, joint", "iteration": iteration, "held_out_r": judge.r_factor(&model)?,
                       "train_r": misfit.r_factor(&model)?, "seconds": start.elapsed().as_secs_f64()})
            );
        }
        if over.is_some() {
            break;
        }
    }
    Ok(())
}

fn scan(settings: &[(String, String)]) -> Result<(), Any> {
    let seed = value(settings, "seed").unwrap_or(1.0) as u64;
    let config = PtychographyConfig {
        photons: Some(1e5),
        position_error: 2.0,
        defocus_um: value(settings, "defocus").unwrap_or(200.0),
        defocus_error_um: value(settings, "defocus-error").unwrap_or(50.0),
        ..PtychographyConfig::default()
    };
    let scene = simulate_ptychography(&config, seed)?;
    let order = Stream::new(seed, "held out").permutation(200);
    let mut held = order[..10].to_vec();
    held.sort_unstable();
    let train: Vec<usize> = (0..200).filter(|frame| !held.contains(frame)).collect();
    let mut calibration = CalibrationConfig {
        sweeps: 100,
        decay: 0.05,
        held_out: 0.0,
        window_step: 1.0,
        window_from: 3,
        position_step: 1.0,
        position_from: 5,
        ..CalibrationConfig::default()
    };
    apply(&mut calibration, settings)?;
    let start = Instant::now();
    let all: Vec<usize> = (0..200).collect();
    let model = calibrate(&scene.exposures, &all, &calibration, None)?;
    let seconds = start.elapsed().as_secs_f64();
    let errors = |centres: &[[f64; 2]]| {
        let mut mean = [0.0; 2];
        for (own, truth) in centres.iter().zip(&scene.centres) {
            (0..2).for_each(|axis| mean[axis] += (own[axis] - truth[axis]) / 200.0);
        }
        let sum: f64 = centres
            .iter()
            .zip(&scene.centres)
            .map(|(own, truth)| (0..2).map(|axis| (own[axis] - truth[axis] - mean[axis]).powi(2)).sum::<f64>())
            .sum();
        (sum / 400.0).sqrt()
    };
    // Held out: positions are those found with all frames, object and probe come from the others.
    let known = Exposures { centres: model.centres.clone(), ..scene.exposures.clone() };
    let mut fixed = CalibrationConfig { position_step: 0.0, ..calibration.clone() };
    fixed.sweeps = calibration.sweeps.min(100);
    let mut known_probe = known.clone();
    known_probe.optics.pupils = vec![model.window.clone()];
    let without = calibrate(&known_probe, &train, &fixed, None)?;
    // The object by the usual solver, with positions and probe as they were found, from the exposures that are not held out.
    let quasi_newton = |exposures: &Exposures, centres: &[[f64; 2]], window: &Plane| -> Result<f64, Any> {
        if value(settings, "quasi-newton").is_none() {
            return Ok(f64::NAN);
        }
        let pixels = exposures.optics.detector.pow(2);
        let mut values = Vec::with_capacity(pixels * train.len());
        for frame in &train {
            values.extend_from_slice(&exposures.frames.frame(*frame)?);
        }
        let mut part = Exposures {
            centres: train.iter().map(|frame| centres[*frame]).collect(),
            frames: std::sync::Arc::new(InMemory { pixels, values }),
            ..exposures.clone()
        };
        part.optics.pupils = vec![window.clone()];
        let config = ReconstructionConfig { certificate: false, ..ReconstructionConfig::default() };
        let device = select("cpu")?.device;
        let found = reconstruct(&part, &config, seed, (&device, &Casting::f32()), &mut Run::in_memory())?;
        let model = Calibrated {
            plane: found.model.object,
            window: window.clone(),
            centres: centres.to_vec(),
            pose: None,
            curve: vec![],
        };
        Ok(r_factor(&Exposures { centres: centres.to_vec(), ..exposures.clone() }, &held, &model)?)
    };
    let by_search = quasi_newton(&scene.exposures, &model.centres, &model.window)?;
    let truth = Calibrated {
        plane: scene.object.clone(),
        window: scene.probe.clone(),
        centres: scene.centres.clone(),
        pose: None,
        curve: vec![],
    };
    println!(
        "{}",
        json!({"bar": "ptychography", "held_out_r": r_factor(&known, &held, &without)?, "truth_r": r_factor(&scene.exposures, &held, &truth)?,
               "positions_px": errors(&model.centres), "before_px": errors(&scene.exposures.centres), "seconds": seconds,
               "train_r": model.curve.last(), "quasi_newton_r": by_search})
    );
    Ok(())
}

fn lights(settings: &[(String, String)]) -> Result<(), Any> {
    let seed = value(settings, "seed").unwrap_or(1.0) as u64;
    // The object of a simulated scan, in a microscope like that of the blood smear, half as large.
    let scene = simulate_ptychography(&PtychographyConfig { positions: 2000, ..PtychographyConfig::default() }, seed)?;
    let object = scene.object.middle(256, 256)?;
    let places: Vec<[f64; 2]> =
        spiral(121).into_iter().map(|[x, y]| [4e-3 * f64::from(x), 4e-3 * f64::from(y)]).collect();
    let array = LedArray {
        lights: places,
        distance: 0.09,
        glass_thickness: 1e-3,
        glass_index: 1.52,
        wavelength: 532e-9,
        pixel_size: 0.5e-6,
        size: 256,
        mirrored: true,
    };
    let true_pose = Pose { rotation: 2.0_f64.to_radians(), shift: [0.6e-3, -0.8e-3], distance: 0.0 };
    let radius = 0.1 / 532e-9 * 256.0 * 0.5e-6;
    let pupil = Plane::from_fn(55, 55, |row, column| {
        let far = (row as f64 - 27.0).hypot(column as f64 - 27.0);
        Complex::new(if far <= radius { 1.0 } else { 0.0 }, 0.0)
    });
    let optics = cupel_prism::Optics {
        geometry: cupel_prism::Geometry::Spectrum,
        size: [256, 256],
        pupils: vec![pupil.clone()],
        detector: 64,
        pixel_size: Some(0.5e-6),
        wavelength: Some(532e-9),
    };
    let said = Exposures {
        optics,
        centres: array.centres(Pose::default()),
        frames: std::sync::Arc::new(InMemory { pixels: 4096, values: vec![] }),
        noise: cupel_prism::Noise::Unknown,
        good: None,
        known: cupel_prism::Knowledge::default(),
    };
    let truth = Calibrated {
        plane: spectrum_of(&object)?,
        window: pupil,
        centres: array.centres(true_pose),
        pose: None,
        curve: vec![],
    };
    let mut exposures = said;
    let mut frames = predicted(&exposures, &truth)?;
    // Amplitudes of every frame are off by a hundredth of the mean of the brightest.
    let mean = (frames.values[..4096].iter().sum::<f32>() / 4096.0).sqrt();
    let mut noise = vec![0.0; frames.values.len()];
    Stream::new(seed, "noise of lights").fill_normal(&mut noise);
    frames
        .values
        .iter_mut()
        .zip(&noise)
        .for_each(|(value, noise)| *value = (value.sqrt() + 0.01 * mean * noise).max(0.0).powi(2));
    exposures.frames = std::sync::Arc::new(frames);
    let held: Vec<usize> = (3..121).step_by(11).collect();
    let train: Vec<usize> = (0..121).filter(|frame| !held.contains(frame)).collect();
    let mut config = CalibrationConfig {
        sweeps: 40,
        step: 0.7,
        decay: 0.0,
        held_out: 0.0,
        window_step: 0.0,
        position_step: 0.7,
        position_from: 1,
        growth: 25,
        ..Default::default()
    };
    apply(&mut config, settings)?;
    let start = Instant::now();
    let model = calibrate(&exposures, &train, &config, Some((&array, Pose::default())))?;
    let seconds = start.elapsed().as_secs_f64();
    let unmoved = Exposures { centres: truth.centres.clone(), ..exposures.clone() };
    let still = CalibrationConfig { position_step: 0.0, growth: 0, ..config.clone() };
    let reference = calibrate(&unmoved, &train, &still, None)?;
    println!(
        "{}",
        json!({"bar": "lights", "true": true_pose.parameters(), "found": model.pose.map(Pose::parameters), "seconds": seconds,
               "held_out_r": r_factor(&exposures, &held, &model)?, "unmoved_r": r_factor(&unmoved, &held, &reference)?})
    );
    Ok(())
}
