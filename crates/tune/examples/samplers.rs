//! Best values of the samplers on three functions; `docs/samplers.py` prints the same for Optuna.
//!
//! `cargo run --release -p cupel-tune --example samplers [SEEDS [TRIALS]]`, 20 and 80 without.

use cupel_tune::{Objective, Outcome, Parameter, Result, Sampler, Space, Study, StudyConfig, Tpe, Trial};
use std::{env, path::Path};

/// The six-dimensional function of Hartmann (Dixon and Szegő 1978, "Towards global optimisation 2"); least value -3.32237.
fn hartmann6(trial: &Trial) -> Result<f64> {
    const ALPHA: [f64; 4] = [1.0, 1.2, 3.0, 3.2];
    const A: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const P: [[f64; 6]; 4] = [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ];
    let mut sum = 0.0;
    for ((alpha, a), p) in ALPHA.iter().zip(A).zip(P) {
        let mut exponent = 0.0;
        for i in 0..6 {
            exponent += a[i] * (trial.float(&format!("x{i}"))? - p[i]).powi(2);
        }
        sum -= alpha * (-exponent).exp();
    }
    Ok(sum)
}

/// A bowl in a number, the logarithm of a rate and a width on a grid, whose place and bottom depend on a choice;
/// least value 0 at 1.3, 10^-2.5, 352 and "a".
fn mixed(trial: &Trial) -> Result<f64> {
    let (place, bottom) = match trial.text("kind")?.as_str() {
        "a" => (1.3, 0.0),
        "b" => (-2.0, 0.05),
        "c" => (3.0, 0.2),
        _ => (0.0, 0.4),
    };
    let x = (trial.float("x")? - place) / 4.0;
    let rate = (trial.float("rate")?.log10() + 2.5) / 2.0;
    let width = (trial.float("width")? - 352.0) / 256.0;
    Ok(bottom + x * x + rate * rate + width * width)
}

/// Two optimisers with a parameter each; least value 0 at "sgd", momentum 0.9, 10^-3 and 256.
fn conditional(trial: &Trial) -> Result<f64> {
    let own = match trial.text("optimiser")?.as_str() {
        "sgd" => (trial.float("momentum")? - 0.9).abs(),
        _ => 0.05 + 0.1 * (trial.int("beta")? as f64).log10(),
    };
    Ok(own + (trial.float("rate")?.log10() + 3.0).powi(2) + (trial.float("width")? / 512.0 - 0.5).powi(2))
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let seeds: u64 = arguments.next().map_or(Ok(20), |seeds| seeds.parse())?;
    let trials: usize = arguments.next().map_or(Ok(80), |trials| trials.parse())?;
    let folder = env::temp_dir().join(format!("cupel-samplers-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;

    let cube = Space::new((0..6).map(|i| Parameter::float(format!("x{i}"), 0.0, 1.0)))?;
    let kinds = Space::new([
        Parameter::float("x", -5.0, 5.0),
        Parameter::float("rate", 1e-5, 1.0).log(),
        Parameter::int("width", 32, 512).step(32.0),
        Parameter::categorical("kind", ["a", "b", "c", "d"]),
    ])?;
    let optimisers = Space::new([
        Parameter::float("rate", 1e-5, 1e-1).log(),
        Parameter::int("width", 32, 512).step(32.0),
        Parameter::categorical("optimiser", ["sgd", "adam"]),
        Parameter::float("momentum", 0.0, 0.99).when("optimiser", ["sgd"]),
        Parameter::int("beta", 1, 100).log().when("optimiser", ["adam"]),
    ])?;
    let samplers = [
        ("random", Sampler::Random),
        ("sobol", Sampler::Sobol),
        ("tpe", Sampler::Tpe(Tpe::univariate())),
        ("multivariate tpe", Sampler::Tpe(Tpe::default())),
    ];
    println!("median of the best of {trials} trials over {seeds} seeds");
    println!("| sampler | Hartmann 6 | mixed | conditional |\n|---|---|---|---|");
    for (name, sampler) in samplers {
        let run = |space: &Space, function: fn(&Trial) -> Result<f64>| -> Result<f64> {
            let mut bests = Vec::new();
            for seed in 0..seeds {
                bests.push(best(&folder, &sampler, seed, space, trials, function)?);
            }
            Ok(median(bests))
        };
        let bests = [run(&cube, hartmann6)?, run(&kinds, mixed)?, run(&optimisers, conditional)?];
        println!("| {name} | {:.4} | {:.4} | {:.4} |", bests[0], bests[1], bests[2]);
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

fn best(
    folder: &Path,
    sampler: &Sampler,
    seed: u64,
    space: &Space,
    trials: usize,
    function: fn(&Trial) -> Result<f64>,
) -> Result<f64> {
    let journal = folder.join("journal");
    let _ = std::fs::remove_file(&journal);
    let config =
        StudyConfig { sampler: sampler.clone(), seed, ..StudyConfig::new("s", [Objective::minimize("value")]) };
    let study = Study::open(&journal, config)?;
    study.optimize(space, trials, |trial| -> cupel_tune::Result<_> { Ok(Outcome::from(function(trial)?)) })?;
    Ok(study.best()?.values.map_or(f64::NAN, |values| values[0]))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    if n % 2 == 1 { values[n / 2] } else { 0.5 * (values[n / 2 - 1] + values[n / 2]) }
}
