//! How well Gaussian processes find the signal in one sky, without training:
//! `cargo run --release -p cupel-cosmology --example gaussian_process [-- skies|power|chosen [FAMILY...] [0m|13.5m|6m...] [SEED...]]`.
//!
//! Skies of 64^3 values, 350-479 MHz, 20 degrees. `skies`: of each family without a beam, with that of a 13.5 m dish and .02 mK of noise, and with that of
//! a 6 m dish and the same noise; the seeds are 1, 2 and 3 unless given. `power`: P(k) of the seeds 11 to 20. `chosen`: what is printed of each fit.

use std::time::Instant;

use cupel_cosmology::{
    Background, Result, Sky,
    estimators::{GaussianProcess, GaussianProcessConfig, SignalEstimator},
    evaluate,
    power::{Binning, Bins, Estimator, PowerConfig, Volume},
    simulate::{BeamShape, Family, SimulateConfig, Simulation},
};
use cupel_data::{Cube, Stream};

/// Dishes in m, 0 for none, and noise in mK.
const INSTRUMENTS: [(f64, f64); 3] = [(0.0, 0.0), (13.5, 0.02), (6.0, 0.02)];
const FAMILIES: [Family; 4] = [Family::Sck, Family::SpectralIndex, Family::PointSources, Family::SckGsm];

fn simulated(seed: u64, family: Family, (dish_m, noise_mk): (f64, f64)) -> Result<(Sky, Cube<f32>)> {
    let mut config = SimulateConfig { family, seed, ..SimulateConfig::default() };
    if dish_m > 0.0 {
        (config.instrument.beam_dish, config.instrument.beam) = (dish_m, Some(BeamShape::Gaussian));
    }
    config.instrument.noise_mk = (noise_mk > 0.0).then_some(noise_mk);
    let made = Simulation::new(config)?.sky(0)?;
    Ok((made.observation()?, made.signal_beam))
}

fn process(sky: &Sky) -> Result<GaussianProcess> {
    GaussianProcess::new(GaussianProcessConfig::default(), sky.frequencies_mhz()?.to_vec(), sky.unit())
}

fn skies(seeds: &[u64], asked: &[String], fits: bool) -> Result<()> {
    for (instrument, family) in INSTRUMENTS.into_iter().flat_map(|i| FAMILIES.map(|family| (i, family))) {
        let is_asked =
            |name: String, all: &dyn Fn(&str) -> bool| asked.contains(&name) || !asked.iter().any(|word| all(word));
        let family_asked = is_asked(family.to_string(), &|word| word.parse::<Family>().is_ok());
        let dish_asked = is_asked(format!("{}m", instrument.0), &|word| word.ends_with('m'));
        for seed in seeds.iter().filter(|_| family_asked && dish_asked) {
            let (observed, signal) = simulated(*seed, family, instrument)?;
            let process = process(&observed)?;
            let start = Instant::now();
            let estimate = process.estimate(&observed)?;
            let seconds = start.elapsed().as_secs_f64();
            let volume = Volume::of(&observed.geometry()?, [64, 64], &Background::default())?;
            let power = Estimator::new(volume).without_emptied_modes();
            let found =
                evaluate(&signal, estimate.signal.cube(), Some(&estimate.sigma), &power, &PowerConfig::default())?;
            let ratios = || found.k_par.iter().map(|bin| bin.residual_ratio);
            let (worst, bins) = (ratios().fold(0.0, f64::max), ratios().filter(|ratio| *ratio >= 1.0).count());
            let far = process.mismatch(&observed)?;
            println!(
                "dish {:4.1} m, {family:?} seed {seed}: r {:.4}, worst residual/truth {worst:.3} ({bins} bins >= 1); {}; mismatch {:.2}{}, chi^2 {:.3}; {seconds:.1} s",
                instrument.0,
                found.map.r,
                found.uncertainty.map_or(String::new(), |found| found.to_string()),
                far.score,
                if far.refused { " refused" } else { "" },
                far.chi_square,
            );
            if fits {
                let fit = process.fit(&observed)?;
                println!("    {}; {:?}", fit.model, fit.tried);
                for own in &fit.parameters {
                    println!("    {} = {:.4} +- {:.4}", own.name, own.value, own.deviation);
                }
            }
        }
    }
    Ok(())
}

fn power(seeds: &[u64]) -> Result<()> {
    for instrument in &INSTRUMENTS[..2] {
        let binning = Binning::Spherical(Bins::Logarithmic(12));
        let (mut bias, mut within, mut table) = (vec![0.0; 12], vec![0.0; 12], Vec::new());
        for seed in seeds {
            let (observed, signal) = simulated(*seed, Family::Sck, *instrument)?;
            let volume = Volume::of(&observed.geometry()?, [64, 64], &Background::default())?;
            let power = Estimator::new(volume).without_emptied_modes();
            let stream = Stream::new(*seed, "power of the example");
            table = process(&observed)?.power(&observed, &power, &binning, 32, stream)?;
            let truth = power.power(&power.modes(&signal)?, &binning)?;
            for (bin, (found, truth)) in table.iter().zip(&truth).enumerate() {
                bias[bin] += (found.power / truth.power - 1.0) / seeds.len() as f64;
                let held = (found.power - truth.power).abs() <= found.sigma;
                within[bin] += f64::from(u8::from(held)) / seeds.len() as f64;
            }
        }
        println!("dish {:.1} m, {} skies", instrument.0, seeds.len());
        for (bin, found) in table.iter().enumerate() {
            println!(
                "k {:.4} h/Mpc: bias {:+.4}, held by 68 % errors {:.2}, error {:.4}",
                found.k,
                bias[bin],
                within[bin],
                found.sigma / found.power
            );
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let what = arguments.first().map_or("skies", String::as_str);
    let seeds: Vec<u64> = arguments.iter().filter_map(|argument| argument.parse().ok()).collect();
    let or = |others: Vec<u64>| if seeds.is_empty() { others } else { seeds.clone() };
    match what {
        "power" => power(&or((11..=20).collect())),
        what => skies(&or(vec![1, 2, 3]), &arguments, what == "chosen"),
    }
}
