//! How well linear estimators find the signal: `cargo run --release -p cupel-cosmology --example estimators [-- ARGUMENTS]`.
//!
//! Skies of the family `sck` of 64^3 values, 350-479 MHz, 20 degrees. Arguments, in any order:
//!
//! - `beam`: a Gaussian beam of a 13.5 m dish and .02 mK of noise; else neither
//! - `skies=100`, `first=1001`: number and first seed of the training skies
//! - `r`, `power`, `families`: the tables that are wanted; all unless one is named
//! - `from=51`: the first seed of ten skies of each family
//!
//! The number of components is chosen on the seeds 2001 to 2003. Reported are the seeds 1, 2, 3, for power 11 to 40.

use std::time::Instant;

use cupel_cosmology::{
    Background, CleanMethod, Coverage, Result, clean,
    estimators::{LinearEstimator, Method, Pair, SignalEstimator, Training},
    evaluate,
    power::{Binning, Bins, Estimator, PowerConfig, Volume},
    simulate::{BeamShape, Family, SimulateConfig, Simulation},
};
use cupel_data::{Cube, Stream};

/// Diameters of dishes in m.
const DISH: f64 = 13.5;
const SMALL_DISH: f64 = 6.0;
/// Noise of a pixel where there is a dish.
const NOISE_MK: f64 = 0.02;

fn simulated(seed: u64, family: Family, dish: f64) -> Result<Pair> {
    seen_by(seed, family, dish, NOISE_MK)
}

fn seen_by(seed: u64, family: Family, dish: f64, noise_mk: f64) -> Result<Pair> {
    let mut config = SimulateConfig { family, seed, ..SimulateConfig::default() };
    if dish > 0.0 {
        (config.instrument.beam_dish, config.instrument.beam) = (dish, Some(BeamShape::Gaussian));
        config.instrument.noise_mk = Some(noise_mk);
    }
    let made = Simulation::new(config)?.sky(0)?;
    Ok(Pair { observed: made.observation()?, signal: made.signal_beam })
}

/// What is found of one sky.
struct Found {
    r: f64,
    nmse: f64,
    /// Largest residual over truth in a bin of `k_par`.
    worst: f64,
    /// Share of values in intervals of 68 %.
    held: f64,
}

fn found(truth: &Cube<f32>, estimate: &Cube<f32>, sigma: Option<&Cube<f32>>, power: &Estimator) -> Result<Found> {
    let found = evaluate(truth, estimate, sigma, power, &PowerConfig::default())?;
    let of_68 = |coverage: &Coverage| (coverage.said == 0.68).then_some(coverage.found);
    let held = found.uncertainty.and_then(|errors| errors.coverage.iter().find_map(of_68)).unwrap_or(f64::NAN);
    let worst = found.k_par.iter().map(|bin| bin.residual_ratio).fold(0.0, f64::max);
    Ok(Found { r: found.map.r, nmse: found.map.nmse, worst, held })
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let given = |name: &str| arguments.iter().any(|argument| argument == name);
    let number = |name: &str, default: u64| {
        let value = arguments.iter().find_map(|argument| argument.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
        value.unwrap_or(default)
    };
    let tables = ["r", "power", "families"];
    let wanted = |table: &str| given(table) || !tables.iter().any(|table| given(table));
    let (dish, skies, first) =
        (if given("beam") { DISH } else { 0.0 }, number("skies", 100) as usize, number("first", 1001));
    let start = Instant::now();
    let pairs = (0..skies).map(|i| simulated(first + i as u64, Family::Sck, dish)).collect::<Result<Vec<_>>>()?;
    println!("{skies} skies simulated in {:.1} s", start.elapsed().as_secs_f64());
    let pair = |number: usize| Ok(pairs[number].clone());
    let volume = Volume::of(&pairs[0].observed.geometry()?, [64, 64], &Background::default())?;
    let power = Estimator::new(volume).without_emptied_modes();
    let modes = components(dish, &power)?;

    let start = Instant::now();
    let training = Training::gather(skies, &pair)?;
    println!("gathered in {:.1} s", start.elapsed().as_secs_f64());
    let mut estimators: Vec<LinearEstimator> = Vec::new();
    let methods = [Method::Filter, Method::ComponentsWithGain(modes), Method::Components(modes)];
    let methods = if wanted("families") || wanted("r") { &methods[..] } else { &methods[..1] };
    for method in methods {
        let start = Instant::now();
        let estimator = training.fit(*method, &pair)?;
        println!("{} fitted in {:.1} s: {:?}", estimator.name(), start.elapsed().as_secs_f64(), estimator.chosen());
        println!("    {:?}", estimator.margins());
        estimators.push(estimator);
    }
    if wanted("r") {
        for seed in [1, 2, 3] {
            let Pair { observed, signal } = simulated(seed, Family::Sck, dish)?;
            for estimator in &estimators {
                let estimate = estimator.estimate(&observed)?;
                let Found { r, nmse, worst, held } =
                    found(&signal, estimate.signal.cube(), Some(&estimate.sigma), &power)?;
                let name = estimator.name();
                println!("seed {seed} {name:<14} r {r:.4} nmse {nmse:.4} worst k_par {worst:.3} held {held:.3}");
            }
        }
    }
    if wanted("power") {
        power_table(&estimators[0], &power, dish)?;
    }
    if wanted("families") {
        families(&estimators, &power, modes, dish, number("from", 51))?;
    }
    Ok(())
}

/// The best number of components of skies of their own.
fn components(dish: f64, power: &Estimator) -> Result<usize> {
    let mut best = (0.0, 2);
    for count in 2..=8 {
        let mut r = 0.0;
        for seed in 2001..=2003 {
            let Pair { observed, signal } = simulated(seed, Family::Sck, dish)?;
            let cleaned = clean(&observed, CleanMethod::Pca, cupel_pca::Modes::Count(count))?;
            r += found(&signal, cleaned.sky.cube(), None, power)?.r / 3.0;
        }
        if r > best.0 {
            best = (r, count);
        }
    }
    println!("{} components by validation, r {:.4}", best.1, best.0);
    Ok(best.1)
}

/// Bias of P(k), and how often its errors hold.
fn power_table(estimator: &LinearEstimator, power: &Estimator, dish: f64) -> Result<()> {
    const BINS: usize = 12;
    let binning = Binning::Spherical(Bins::Logarithmic(BINS));
    let mut lines = vec![[0.0; 6]; BINS];
    let seeds = 11..=40;
    let count = seeds.clone().count() as f64;
    for seed in seeds {
        let Pair { observed, signal } = simulated(seed, Family::Sck, dish)?;
        let bands = estimator.power(&observed, power, &binning, 40, Stream::new(seed, "power of the example"))?;
        let truth = power.power(&power.modes(&signal)?, &binning)?;
        for (line, (band, truth)) in lines.iter_mut().zip(bands.iter().zip(&truth)) {
            let off = band.power - truth.power;
            let inside = f64::from(u8::from(off.abs() <= 0.994_458 * band.sigma));
            let of_sky = [band.k, off, truth.power, inside, band.sigma, (off / band.sigma).powi(2)];
            line.iter_mut().zip(of_sky).for_each(|(sum, value)| *sum += value / count);
        }
    }
    let (mut held, mut bins) = (0.0, 0.0);
    for [k, off, truth, inside, sigma, square] in lines {
        println!(
            "k {k:.4} h/Mpc: bias {:+.4}, held by 68 % errors {inside:.2}, error {:.4}, rms of z {:.2}",
            off / truth,
            sigma / truth,
            square.sqrt()
        );
        if k > 0.02 {
            (held, bins) = (held + inside, bins + 1.0);
        }
    }
    println!("k > .02 h/Mpc: 68 % errors hold {:.3} in the mean", held / bins);
    Ok(())
}

/// Every linear estimator on skies of other families, and on unseen ones of its own.
fn families(estimators: &[LinearEstimator], power: &Estimator, modes: usize, dish: f64, from: u64) -> Result<()> {
    let mut skies = vec![
        ("sck", Family::Sck, dish, NOISE_MK, 50),
        ("spectral-index", Family::SpectralIndex, dish, NOISE_MK, 10),
        ("point-sources", Family::PointSources, dish, NOISE_MK, 10),
        ("sck-gsm", Family::SckGsm, dish, NOISE_MK, 10),
        ("sck, 6 m", Family::Sck, SMALL_DISH, NOISE_MK, 10),
        ("sck, noise twice", Family::Sck, dish, 2.0 * NOISE_MK, 10),
    ];
    if dish == 0.0 {
        skies.truncate(4);
    }
    println!("family, estimator: r, 68 % intervals hold (least, mean, most), refused, score (mean, most)");
    for (name, family, dish, noise_mk, count) in skies {
        let mut lines = vec![[0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]; estimators.len()];
        let mut of_sky = 0.0;
        for seed in from..from + count {
            let Pair { observed, signal } = seen_by(seed, family, dish, noise_mk)?;
            let cleaned = clean(&observed, CleanMethod::Pca, cupel_pca::Modes::Count(modes))?;
            of_sky += found(&signal, cleaned.sky.cube(), None, power)?.r / count as f64;
            for (estimator, line) in estimators.iter().zip(&mut lines) {
                let estimate = estimator.estimate(&observed)?;
                let far = estimator.mismatch(&observed)?;
                let Found { r, held, .. } = found(&signal, estimate.signal.cube(), Some(&estimate.sigma), power)?;
                let [sum_r, sum_held, least, most, refused, score, largest] = line;
                (*sum_r, *sum_held) = (*sum_r + r / count as f64, *sum_held + held / count as f64);
                (*least, *most) = (least.min(held), most.max(held));
                *refused += f64::from(u8::from(far.refused));
                (*score, *largest) = (*score + far.score / count as f64, largest.max(far.score));
            }
        }
        println!("{name}\n    pca of the sky  {of_sky:.3}");
        for (estimator, [r, held, least, most, refused, score, largest]) in estimators.iter().zip(lines) {
            println!(
                "    {:<15} {r:.3}  {least:.3} {held:.3} {most:.3}  {refused} of {count}  {score:.2} {largest:.2}",
                estimator.name()
            );
        }
    }
    Ok(())
}
