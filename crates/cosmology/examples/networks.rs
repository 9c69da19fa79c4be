//! What networks add to a linear filter: `cargo run --release -p cupel-cosmology --example networks -- [NAME=VALUE ...]`.
//!
//! Trains on simulated skies (seeds from 1001) and reports on the seeds of `tests`, beside the linear estimator. Names are those of the settings of a
//! simulation and of a network training, and
//!
//! | name | |
//! |---|---|
//! | `training`, `validation`, `calibration` | numbers of skies |
//! | `base` | `filter`, or a number of components with gain |
//! | `folds` | `true`: networks learn from bases that have not seen the sky |
//! | `seeds` | seeds of the training, one after the other |
//! | `tests` | seeds of the skies that are reported on |
//! | `out` | folder of the run: it goes on where it was stopped |
//! | `precision` | as in `--precision` |

use std::{collections::BTreeMap, error::Error, time::Instant};

use cupel_cosmology::{
    Background, CleanMethod, Sky, clean,
    estimators::{LinearEstimator, Method, Pair, SignalEstimator, Training},
    evaluate,
    network::{NetworkTrainConfig, NetworkTraining, SkyCounts},
    power::{Estimator, PowerConfig, Volume},
    simulate::{SimulateConfig, Simulation},
};
use cupel_data::Cube;
use cupel_pca::Modes;
use cupel_settings::Settings;
use cupel_train::{Description, Opening, Precision, Run, Work, device};
use rayon::prelude::*;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Most components of the sky itself that are tried.
const DEEPEST: usize = 16;
/// Skies that a fold leaves out.
const FOLDS: usize = 5;

struct Asked {
    simulate: SimulateConfig,
    network: NetworkTrainConfig,
    own: BTreeMap<String, String>,
}

impl Asked {
    fn parse(arguments: &[String]) -> Outcome<Self> {
        let defaults = [
            ("training", "60"),
            ("validation", "6"),
            ("calibration", "8"),
            ("base", "filter"),
            ("folds", "false"),
            ("seeds", "0"),
            ("tests", "1,2,3"),
            ("out", ""),
            ("precision", "f32"),
        ];
        let own = defaults.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let mut asked = Self { simulate: SimulateConfig::default(), network: NetworkTrainConfig::default(), own };
        for argument in arguments {
            let (name, value) = argument.split_once('=').ok_or_else(|| format!("{argument}: expected NAME=VALUE"))?;
            if let Some(own) = asked.own.get_mut(name) {
                value.clone_into(own);
            } else if asked.network.set(name, value).is_err() {
                asked.simulate.set(name, value)?;
            }
        }
        Ok(asked)
    }

    fn number(&self, name: &str) -> Outcome<usize> {
        Ok(self.own[name].parse()?)
    }

    fn list(&self, name: &str) -> Outcome<Vec<u64>> {
        Ok(self.own[name].split(',').map(str::parse).collect::<Result<_, _>>()?)
    }

    fn pair(&self, seed: u64) -> cupel_cosmology::Result<Pair> {
        let made = Simulation::new(SimulateConfig { seed, ..self.simulate.clone() })?.sky(0)?;
        Ok(Pair { observed: made.observation()?, signal: made.signal_beam })
    }
}

/// User and system time of this process in seconds.
fn processor_seconds() -> f64 {
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<f64>().ok()).sum::<f64>() / TICKS
}

fn report(name: &str, truth: &Cube<f32>, found: &dyn SignalEstimator, sky: &Sky, power: &Estimator) -> Outcome<f64> {
    let estimate = found.estimate(sky)?;
    let evaluated = evaluate(truth, estimate.signal.cube(), Some(&estimate.sigma), power, &PowerConfig::default())?;
    let worst = evaluated.k_par.iter().map(|bin| bin.residual_ratio).fold(0.0, f64::max);
    print!(
        "  {name:<8} r {:.4} nmse {:.4} worst residual/truth in k_par {worst:.3}",
        evaluated.map.r, evaluated.map.nmse
    );
    println!("{}", evaluated.uncertainty.map_or(String::new(), |found| format!("; {found}")));
    Ok(evaluated.map.r)
}

fn learned(asked: &Asked, pairs: &[Pair], numbers: &[usize]) -> Outcome<LinearEstimator> {
    let pair = |number: usize| Ok(pairs[numbers[number]].clone());
    let method = match asked.own["base"].as_str() {
        "filter" => Method::Filter,
        modes => Method::ComponentsWithGain(modes.parse()?),
    };
    Ok(Training::gather(numbers.len(), &pair)?.fit(method, &pair)?)
}

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = Asked::parse(&arguments)?;
    let counts = SkyCounts {
        training: asked.number("training")?,
        validation: asked.number("validation")?,
        calibration: asked.number("calibration")?,
    };
    let start = Instant::now();
    let all = counts.training + counts.validation + counts.calibration;
    let pairs = (0..all).into_par_iter().map(|i| asked.pair(1001 + i as u64)).collect::<Result<Vec<_>, _>>()?;
    println!("{all} skies simulated in {:.1} s", start.elapsed().as_secs_f64());
    let numbers: Vec<usize> = (0..counts.training).collect();
    let base = learned(&asked, &pairs, &numbers)?;
    let folds = match asked.own["folds"].as_str() {
        "true" => (0..FOLDS)
            .map(|fold| {
                let others: Vec<usize> = numbers.iter().copied().filter(|number| number % FOLDS != fold).collect();
                learned(&asked, &pairs, &others)
            })
            .collect::<Outcome<Vec<_>>>()?,
        _ => Vec::new(),
    };
    println!("{} {:?} at {:.1} s", base.name(), base.chosen(), start.elapsed().as_secs_f64());
    let device = device::select("cpu")?.device;
    let precision: Precision = asked.own["precision"].parse()?;
    let casting = precision.resolve(&device, Work { elements: 0, reduced_precision_pays_from: 0 })?;
    let pair = |number: usize| Ok(pairs[number].clone());
    let tests = asked.list("tests")?;
    let mut found = Vec::new();
    for seed in asked.list("seeds")? {
        let training = NetworkTraining::new(asked.network.clone(), base.clone(), counts, &pair, seed, &device)?
            .with_casting(casting.clone())
            .with_folds(folds.clone());
        let (begun, processor) = (Instant::now(), processor_seconds());
        let mut run = match asked.own["out"].as_str() {
            "" => Run::in_memory(),
            out => {
                let settings: BTreeMap<&str, &str> = arguments.iter().filter_map(|text| text.split_once('=')).collect();
                let is = Description::new("networks").settings(&settings)?;
                let folder = std::path::Path::new(out).join(seed.to_string());
                Run::open(&folder, &is, Opening::Resume { strict: false })?.run().ok_or("the run is finished")?
            }
        };
        let trained = training.run(&mut run)?;
        println!(
            "seed {seed}: {} parameters, {} updates, {:.1} min, {:.1} min of processor\n{trained}",
            trained.parameters,
            trained.updates,
            begun.elapsed().as_secs_f64() / 60.0,
            (processor_seconds() - processor) / 60.0
        );
        if let Some(folder) = run.dir() {
            trained.estimator.save(folder.join("estimator"))?;
        }
        for test in &tests {
            let Pair { observed, signal } = asked.pair(*test)?;
            let shape = signal.shape();
            let volume = Volume::of(&observed.geometry()?, [shape[1], shape[2]], &Background::default())?;
            let power = Estimator::new(volume).without_emptied_modes();
            println!(" sky {test}");
            let components = |modes: usize| -> Outcome<f64> {
                let cleaned = clean(&observed, CleanMethod::Pca, Modes::Count(modes))?;
                Ok(evaluate(&signal, cleaned.sky.cube(), None, &power, &PowerConfig::default())?.map.r)
            };
            let best = (1..=DEEPEST.min(shape[0] - 1)).map(components).collect::<Outcome<Vec<f64>>>()?;
            let best = best.into_iter().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default();
            println!("  best components of the sky itself, by the truth: r {:.4} with {} of them", best.1, best.0 + 1);
            let linear = report(base.name(), &signal, &base, &observed, &power)?;
            found.push([linear, report("unet", &signal, &trained.estimator, &observed, &power)?]);
        }
    }
    let count = found.len() as f64;
    let mean = |of: &dyn Fn(&[f64; 2]) -> f64| found.iter().map(of).sum::<f64>() / count;
    let gain = mean(&|[linear, network]| network - linear);
    let sd = (mean(&|[linear, network]| (network - linear - gain).powi(2)) * count / (count - 1.0)).sqrt();
    println!(
        "r {:.4} and {:.4}, gain {gain:+.4}, sd {sd:.4} of {count} seeds times skies",
        mean(&|r| r[0]),
        mean(&|r| r[1])
    );
    Ok(())
}
