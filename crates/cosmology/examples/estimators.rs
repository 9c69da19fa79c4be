//! How well linear estimators find the signal: `cargo run --release -p cupel-cosmology --example estimators [-- beam] [SKIES]`.
//!
//! Skies of the family `sck` of 64^3 values, 350-479 MHz, 20 degrees. Training seeds from 1001, the number of components is chosen on the seeds 2001 to
//! 2003, tests are the seeds 1, 2, 3 and, for power, 11 to 20. With `beam`: a Gaussian beam of a 13.5 m dish, and .02 mK of noise.

use std::time::Instant;

use cupel_cosmology::{
    Background, CleanMethod, Result, clean,
    estimators::{LinearEstimator, Method, Pair, SignalEstimator, Training},
    evaluate,
    power::{Binning, Bins, Estimator, PowerConfig, Volume},
    simulate::{BeamShape, Family, SimulateConfig, Simulation},
};
use cupel_data::{Cube, Stream};

fn simulated(seed: u64, family: Family, beam: bool) -> Result<Pair> {
    let mut config = SimulateConfig { family, seed, ..SimulateConfig::default() };
    if beam {
        (config.instrument.beam_dish, config.instrument.beam) = (13.5, Some(BeamShape::Gaussian));
        config.instrument.noise_mk = Some(0.02);
    }
    let made = Simulation::new(config)?.sky(0)?;
    Ok(Pair { observed: made.observation()?, signal: made.signal_beam })
}

fn report(
    name: &str,
    truth: &Cube<f32>,
    estimate: &Cube<f32>,
    sigma: Option<&Cube<f32>>,
    power: &Estimator,
) -> Result<f64> {
    let found = evaluate(truth, estimate, sigma, power, &PowerConfig::default())?;
    let ratios = || found.k_par.iter().map(|bin| bin.residual_ratio);
    let (worst, bins) = (ratios().fold(0.0, f64::max), ratios().filter(|ratio| *ratio >= 1.0).count());
    print!(
        "{name:<16} r {:.4} nmse {:.4} worst residual/truth in k_par {worst:.3}, {bins} bins >= 1",
        found.map.r, found.map.nmse
    );
    println!("{}", found.uncertainty.map_or(String::new(), |found| format!("; {found}")));
    Ok(found.map.r)
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let beam = arguments.iter().any(|argument| argument == "beam");
    let skies: usize = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(100);
    let start = Instant::now();
    let pairs = (0..skies).map(|i| simulated(1001 + i as u64, Family::Sck, beam)).collect::<Result<Vec<_>>>()?;
    println!("{skies} skies simulated in {:.1} s", start.elapsed().as_secs_f64());
    let pair = |number: usize| Ok(pairs[number].clone());
    let geometry = pairs[0].observed.geometry()?;
    let power = Estimator::new(Volume::of(&geometry, [64, 64], &Background::default())?).without_emptied_modes();

    let (mut modes, mut most) = (2, 0.0);
    for count in 2..=8 {
        let mut r = 0.0;
        for seed in 2001..=2003 {
            let Pair { observed, signal } = simulated(seed, Family::Sck, beam)?;
            let cleaned = clean(&observed, CleanMethod::Pca, cupel_pca::Modes::Count(count))?;
            r += evaluate(&signal, cleaned.sky.cube(), None, &power, &PowerConfig::default())?.map.r;
        }
        if r > most {
            (modes, most) = (count, r);
        }
    }
    println!("{modes} components by validation, r {:.4}", most / 3.0);

    let start = Instant::now();
    let training = Training::gather(skies, &pair)?;
    println!("gathered in {:.1} s", start.elapsed().as_secs_f64());
    let mut estimators: Vec<LinearEstimator> = Vec::new();
    for method in [Method::Filter, Method::Components(modes), Method::ComponentsWithGain(modes)] {
        let start = Instant::now();
        let estimator = training.fit(method, &pair)?;
        let (name, chosen, margins) = (estimator.name(), estimator.chosen(), estimator.margins());
        println!("{name} fitted in {:.1} s, {chosen:?}, {margins:?}", start.elapsed().as_secs_f64());
        estimators.push(estimator);
    }
    for (seed, family) in [
        (1, Family::Sck),
        (2, Family::Sck),
        (3, Family::Sck),
        (1, Family::SpectralIndex),
        (1, Family::PointSources),
        (1, Family::SckGsm),
    ] {
        let Pair { observed, signal } = simulated(seed, family, beam)?;
        println!("family {family:?} seed {seed}");
        let cleaned = clean(&observed, CleanMethod::Pca, cupel_pca::Modes::Count(modes))?;
        report("pca of the sky", &signal, cleaned.sky.cube(), None, &power)?;
        for estimator in &estimators {
            let start = Instant::now();
            let estimate = estimator.estimate(&observed)?;
            let seconds = start.elapsed().as_secs_f64();
            let far = estimator.mismatch(&observed)?;
            report(estimator.name(), &signal, estimate.signal.cube(), Some(&estimate.sigma), &power)?;
            println!(
                "    {seconds:.2} s; mismatch score {:.2}, refused {}, chi^2 {:.3}",
                far.score, far.refused, far.chi_square
            );
        }
    }
    let binning = Binning::Spherical(Bins::Logarithmic(12));
    let (mut bias, mut within, mut count) = (vec![0.0; 12], vec![0.0; 12], 0.0);
    for seed in 11..=20 {
        let Pair { observed, signal } = simulated(seed, Family::Sck, beam)?;
        let found = estimators[0].power(&observed, &power, &binning, 20, Stream::new(seed, "power of the example"))?;
        let truth = power.power(&power.modes(&signal)?, &binning)?;
        for (bin, (found, truth)) in found.iter().zip(&truth).enumerate() {
            bias[bin] += found.power / truth.power - 1.0;
            within[bin] += f64::from(u8::from((found.power - truth.power).abs() <= found.sigma));
        }
        count += 1.0;
        if seed == 20 {
            for (bin, found) in found.iter().enumerate() {
                println!(
                    "k {:.4} h/Mpc: bias {:+.4}, held by 68 % errors {:.2}, error {:.4}",
                    found.k,
                    bias[bin] / count,
                    within[bin] / count,
                    found.sigma / found.power
                );
            }
        }
    }
    Ok(())
}
