//! How arrays of lights are calibrated, one JSON line each.
//!
//!     cargo run --release --example lights -- blood [SETTING=VALUE ...] [hold=INNER] [sought=pupil|all]
//!     cargo run --release --example lights -- family FIRST COUNT [SETTING=VALUE ...]
//!     cargo run --release --example lights -- joint [hold=INNER] [joint=ITERATIONS] [prior=W] [shifts=1]
//!
//! `blood` needs the set `prism/fpm_bloodsmear_green.mat` in the folder `CUPEL_DATA`; settings are those of the sweeps, and `hold=INNER` chooses an inner
//! split instead of the 22 frames of the bar, for choices. `family` goes through simulated arrays that are turned, moved, out of focus, uneven
//! and not dark, by the default command; beside each stands the same with all as it was.

use std::{path::PathBuf, time::Instant};

use burn::tensor::DType;
use cupel_data::Stream;
use cupel_prism::{
    Exposures, Free, Instrument, LightsConfig, LightsSceneConfig, Misfit, Model, ReconstructionConfig, Search, Sought,
    Units, calibrate_lights, r_factor, read_exposures, reconstruct, simulate_lights,
};
use cupel_settings::Settings;
use cupel_train::{Casting, Descent, Run, device::select};
use serde_json::json;

type Any = Box<dyn std::error::Error>;

/// The frames that data/prism/fpm_check.py holds out (numpy, seed 0).
const HELD_OUT: [usize; 22] =
    [1, 7, 37, 53, 61, 66, 71, 76, 85, 90, 98, 103, 111, 112, 134, 160, 161, 193, 199, 215, 218, 222];

fn main() -> Result<(), Any> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let settings: Vec<(String, String)> = arguments
        .iter()
        .filter_map(|pair| pair.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())))
        .collect();
    let number = |place: usize| arguments.get(place).and_then(|text| text.parse().ok());
    match arguments.first().map(String::as_str) {
        Some("blood") => blood(&settings),
        Some("family") => {
            let first = number(1).unwrap_or(0);
            (first..first + number(2).unwrap_or(1)).try_for_each(|seed| family(seed, &settings))
        }
        Some("joint") => joint(&settings),
        _ => Err("name blood, family or joint".into()),
    }
}

fn value<'a>(settings: &'a [(String, String)], wanted: &str) -> Option<&'a str> {
    settings.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

/// The blood smear, the frames that are fitted and those that judge.
fn smear(settings: &[(String, String)]) -> Result<(Exposures, Vec<usize>, Vec<usize>), Any> {
    let folder = std::env::var_os("CUPEL_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let path = folder.join("prism/fpm_bloodsmear_green.mat");
    let instrument = Instrument::parse(include_str!("blood_smear.toml"), "blood_smear.toml".as_ref())?;
    let exposures = read_exposures(&path, &instrument)?.exposures;
    let pool: Vec<usize> = (0..225).filter(|frame| !HELD_OUT.contains(frame)).collect();
    let Some(split) = value(settings, "hold") else { return Ok((exposures, pool, HELD_OUT.to_vec())) };
    let split: usize = split.parse()?;
    let bright = [2, 3, 4, 5, 6, 8][split % 6];
    let dark: Vec<usize> = pool.iter().copied().filter(|frame| *frame > 24).collect();
    let order = Stream::new(split as u64, "inner split").permutation(dark.len());
    let mut held: Vec<usize> = order[..14].iter().map(|k| dark[*k]).collect();
    held.push(bright);
    Ok((exposures, pool.into_iter().filter(|frame| !held.contains(frame)).collect(), held))
}

fn blood(settings: &[(String, String)]) -> Result<(), Any> {
    let (exposures, train, held) = smear(settings)?;
    let mut config = LightsConfig::default();
    for (name, value) in settings.iter().filter(|(name, _)| !["hold", "sought"].contains(&name.as_str())) {
        config.set(name, value)?;
    }
    let all = value(settings, "sought") == Some("all");
    let sought = Sought { positions: all, probe: true, brightness: all };
    let start = Instant::now();
    let model = calibrate_lights(&exposures, &train, 0.1, sought, &config)?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{}",
        json!({"blood smear": sought, "held_out_r": r_factor(&exposures, &held, &model)?,
               "train_r": r_factor(&exposures, &train, &model)?, "seconds": seconds, "sweeps": model.curve.len(),
               "pose": model.pose.map(cupel_prism::Pose::parameters)})
    );
    Ok(())
}

/// One array of the family, and the same where nothing is wrong.
fn family(seed: u64, settings: &[(String, String)]) -> Result<(), Any> {
    let mut draws = [0.0; 6];
    Stream::new(seed, "family of arrays").fill_normal_f64(&mut draws);
    let [rotation, x, y, farther, defocus, uneven] = draws;
    let wrong = LightsSceneConfig {
        rotation_deg: 2.0 * rotation,
        shift_mm: vec![0.7 * x, 0.7 * y],
        farther_mm: if seed % 4 == 1 { farther } else { 0.0 },
        defocus_um: if seed % 2 == 1 { 10.0 * defocus } else { 0.0 },
        brightness_error: if seed % 3 == 1 { 0.1 * uneven.abs() } else { 0.0 },
        background: if seed % 3 == 1 { 2e-3 } else { 0.0 },
        ..LightsSceneConfig::default()
    };
    let (mut wrong, mut right) = (wrong, LightsSceneConfig::default());
    for (name, value) in settings {
        wrong.set(name, value)?;
        right.set(name, value)?;
    }
    let config = ReconstructionConfig { certificate: false, ..ReconstructionConfig::default() };
    let device = select("cpu")?.device;
    let test: Vec<usize> = (3..wrong.lights).step_by(11).collect();
    let config = ReconstructionConfig { test_exposures: test, ..config };
    let found = |scene: &LightsSceneConfig| -> Result<_, Any> {
        let scene = simulate_lights(scene, seed)?;
        let (rest, aside) = config.put_aside(&scene.exposures)?;
        let found = reconstruct(&rest, &config, seed, (&device, &Casting::f32()), &mut Run::in_memory())?;
        let test_r = aside.map(|aside| found.foretold(&aside, &device)).transpose()?;
        Ok((scene.pose, found, test_r))
    };
    let (pose, own, test_r) = found(&wrong)?;
    let (_, unmoved, unmoved_r) = found(&right)?;
    println!(
        "{}",
        json!({"seed": seed, "true": pose.parameters(), "defocus_um": wrong.defocus_um, "uneven": wrong.brightness_error,
               "found": own.calibration, "test_r": test_r, "unmoved_r": unmoved_r, "unmoved": unmoved.calibration.map(|own| own.taken),
               "seconds": own.seconds})
    );
    Ok(())
}

/// Object, pupil and, with `shifts=1`, places of the lights by quasi-Newton steps on the amplitudes; `prior=W` weighs total variation.
fn joint(settings: &[(String, String)]) -> Result<(), Any> {
    let (exposures, train, held) = smear(settings)?;
    let exposures = &exposures;
    let number = |name: &str, usual: f64| value(settings, name).and_then(|text| text.parse().ok()).unwrap_or(usual);
    let device = select("cpu")?.device;
    let on = (&device, DType::F32);
    let config = ReconstructionConfig { held_out: 0.0, ..ReconstructionConfig::default() };
    let search = Search::new(exposures, &config, 0, on)?;
    let model = Model::new(exposures, search.object())?;
    let bright = search.object().amplitude().into_iter().fold(0.0, f64::max);
    let units = Units { object: bright, pupils: 0.3, shifts: 0.3, flux: 0.1, background: 0.01 * bright * bright };
    let free = Free { pupils: number("pupils", 1.0) != 0.0, shifts: number("shifts", 0.0) != 0.0, ..Free::OBJECT };
    let start = Instant::now();
    let mut misfit = Misfit::new(exposures, train, model, free, units, number("prior", 1e-6), on)?;
    let judge = Misfit::new(exposures, held, misfit.model(&misfit.start()), free, units, 0.0, on)?;
    let mut descent = Descent::new(misfit.start(), 10);
    for iteration in 1..=number("joint", 40.0) as u64 {
        let over = descent.step(&mut misfit, 1e-9)?;
        if iteration % 10 == 0 || over.is_some() {
            let model = misfit.model(descent.x());
            println!(
                "{}",
                json!({"iteration": iteration, "held_out_r": judge.r_factor(&model)?, "train_r": misfit.r_factor(&model)?,
                       "seconds": start.elapsed().as_secs_f64()})
            );
        }
        if over.is_some() {
            break;
        }
    }
    Ok(())
}
