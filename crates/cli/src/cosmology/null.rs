//! `cupel cosmology null`: tests that must find nothing.

use std::{
    fmt,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Result, bail};
use clap::Args;
use cupel::{
    cosmology::{
        Sky, TrainingSkies,
        estimators::{Detection, Difference, half_difference},
        model::Model,
        read_sky,
    },
    data::{Cube, Stream},
    report::{LineChart, Report, Table},
    settings::choices,
};
use serde::Serialize;

use super::{by_model, input::Input};
use crate::{
    Command, Session, choice,
    shared::{Device, Out, Output, Shared, Threads},
};

choices! {
    /// Null tests.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum NullTest {
        /// Each sky is without a signal, and none may be detected; of --skies the signal is taken off first
        NoSignal = "no-signal",
        /// Two halves of the data: half of their difference may hold noise only
        HalfDifference = "half-difference" | "halves",
        /// The same of even and odd times
        EvenOdd = "even-odd",
        /// The same of all pairs of nights
        Nights = "nights",
    }
}

/// Look for a signal, or for foregrounds, where there must be none
#[derive(Args)]
pub struct Arguments {
    /// Skies: one or more without a signal, two halves of the data, or several nights
    #[arg(value_name = "FILE", conflicts_with = "skies")]
    files: Vec<PathBuf>,

    /// Folder of skies of which the signal is known, as for `cosmology train`
    #[arg(long, value_name = "DIR")]
    skies: Option<PathBuf>,

    /// A model of `cosmology train`
    #[arg(long, value_name = "DIR")]
    model: Option<PathBuf>,

    /// The test
    #[arg(long, value_name = "TEST", default_value_t = NullTest::NoSignal, value_parser = choice::<NullTest>())]
    test: NullTest,

    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

/// What is tested.
#[derive(Serialize)]
pub struct Plan {
    test: String,
    runs: usize,
    #[serde(skip)]
    model: Option<Model>,
    #[serde(skip)]
    what: What,
}

enum What {
    Skies(Vec<(String, Sky)>),
    Known(Box<TrainingSkies>),
}

/// One test.
#[derive(Serialize)]
pub struct RunOfTest {
    name: String,
    /// Standard deviations of a signal, or of the largest bin of a difference.
    sigmas: f64,
    detected: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detection: Option<Detection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<Difference>,
}

/// What was found.
#[derive(Serialize)]
pub struct Outcome {
    test: String,
    detections: usize,
    passed: bool,
    runs: Vec<RunOfTest>,
    seconds: f64,
}

/// The share of runs in which two standard deviations may be found.
const ALLOWED: f64 = 0.05;

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Outcome;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).device(&self.device).threads(&self.threads).out(&self.out)
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        session.out().map_or(Ok(()), |out| session.may_write(out))?;
        let model = match &self.model {
            Some(folder) => Some(Model::load(folder, &session.device()?.device)?),
            None => None,
        };
        let of_pairs = self.test != NullTest::NoSignal;
        let name = self.test.to_string();
        if !of_pairs && model.is_none() {
            bail!("whether there is a signal is said by a model; give one with --model");
        }
        if let Some(folder) = &self.skies {
            if of_pairs {
                bail!("--test {name} takes files, two observations of one sky or more; --skies is for no-signal");
            }
            let known = TrainingSkies::find(folder, self.input.config())?;
            return Ok(Plan { test: name, runs: known.len(), model, what: What::Known(Box::new(known)) });
        }
        let least = if of_pairs { 2 } else { 1 };
        if self.files.len() < least {
            bail!("--test {name} needs {least} files or more; {} are given", self.files.len());
        }
        if self.files.len() > 2 && matches!(self.test, NullTest::HalfDifference | NullTest::EvenOdd) {
            bail!("--test {name} takes two files, {} are given; --test nights takes several", self.files.len());
        }
        let read = |path: &PathBuf| -> Result<(String, Sky)> {
            let sky = match &model {
                Some(model) => by_model::read(&self.input, path, model, session)?,
                None => read_sky(path, &self.input.config())?,
            };
            Ok((path.display().to_string(), sky))
        };
        let skies = self.files.iter().map(read).collect::<Result<Vec<_>>>()?;
        let runs = if of_pairs { skies.len() * (skies.len() - 1) / 2 } else { skies.len() };
        Ok(Plan { test: name, runs, model, what: What::Skies(skies) })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Outcome> {
        let start = Instant::now();
        let mut runs = Vec::new();
        match (&plan.what, &plan.model) {
            (What::Known(known), Some(model)) => {
                for number in 0..known.len() {
                    let pair = known.pair(number)?;
                    let rest =
                        pair.observed.cube().values().iter().zip(pair.signal.values()).map(|(x, s)| x - s).collect();
                    let rest = Cube::new(rest, pair.signal.axes().clone())?;
                    let sky = pair.observed.with_cube(rest, pair.observed.weights().cloned())?;
                    runs.push(no_signal(known.name(number), &sky, model)?);
                }
            }
            (What::Skies(skies), Some(model)) if self.test == NullTest::NoSignal => {
                for (name, sky) in skies {
                    runs.push(no_signal(name.clone(), sky, model)?);
                }
            }
            (What::Skies(skies), model) => {
                for (i, (first, one)) in skies.iter().enumerate() {
                    for (second, other) in &skies[i + 1..] {
                        let stream = Stream::new(0, "difference").child(runs.len() as u64);
                        runs.push(difference(format!("{first} - {second}"), [one, other], model.as_ref(), stream)?);
                    }
                }
            }
            (What::Known(_), None) => bail!("whether there is a signal is said by a model; give one with --model"),
        }
        let detections = runs.iter().filter(|run| run.detected).count();
        let passed = detections as f64 <= (ALLOWED * runs.len() as f64).floor();
        let outcome = Outcome { test: plan.test, detections, passed, runs, seconds: start.elapsed().as_secs_f64() };
        if let Some(out) = session.out() {
            report(&outcome, out)?;
        }
        Ok(outcome)
    }

    fn verdict(outcome: &Outcome) -> Result<()> {
        if outcome.passed {
            return Ok(());
        }
        bail!(
            "the null test {} failed: {} of {} runs show something where there must be nothing",
            outcome.test,
            outcome.detections,
            outcome.runs.len()
        );
    }
}

fn no_signal(name: String, sky: &Sky, model: &Model) -> Result<RunOfTest> {
    let detection = model.estimator().detect(sky)?;
    let Detection { sigmas, detected, .. } = detection;
    Ok(RunOfTest { name, sigmas, detected, detection: Some(detection), difference: None })
}

/// Half of the difference: whether its channels are independent, and with a model whether it finds a signal in it.
fn difference(name: String, [one, other]: [&Sky; 2], model: Option<&Model>, stream: Stream) -> Result<RunOfTest> {
    let found = Difference::of(one, other, stream)?;
    let detection = match model {
        Some(model) => Some(model.estimator().detect(&half_difference(one, other)?)?),
        None => None,
    };
    let signal = detection.is_some_and(|detection| detection.detected);
    Ok(RunOfTest {
        name,
        sigmas: found.largest,
        detected: found.detected || signal,
        detection,
        difference: Some(found),
    })
}

fn report(outcome: &Outcome, out: &Path) -> Result<()> {
    let mut report = Report::new(out, "Null tests");
    report.summary(format!("The test {} on {} runs.", outcome.test, outcome.runs.len()));
    report.finding(format!("{} runs show something above two standard deviations.", outcome.detections));
    report.numbers(outcome)?;
    let mut table = Table::new().text_column("run").number_column("standard deviations", "", 2).text_column("detected");
    for run in &outcome.runs {
        table.push([run.name.as_str().into(), run.sigmas.into(), if run.detected { "yes" } else { "no" }.into()])?;
    }
    report.table("runs", "What each run shows.", table);
    let sigmas: Vec<f64> = outcome.runs.iter().map(|run| run.sigmas).collect();
    let numbers: Vec<f64> = (1..=sigmas.len()).map(|i| i as f64).collect();
    report.figure("runs", "What each run shows, in standard deviations; two are the limit of a signal.", move || {
        LineChart::new("Null tests", "run", "standard deviations").line("", &numbers, &sigmas).figure()
    });
    report.save()?;
    Ok(())
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the test {} would be made {} times", self.test, self.runs)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for run in &self.runs {
            write!(f, "{}: {:.2} standard deviations", run.name, run.sigmas)?;
            if let Some(difference) = &run.difference {
                write!(f, " in the largest of {} bins, p = {:.3}", difference.bins.len(), difference.probability)?;
                if let Some(detection) = &run.detection {
                    write!(f, "; {:.2} of a signal", detection.sigmas)?;
                }
            }
            writeln!(f, "{}", if run.detected { ": DETECTED" } else { "" })?;
        }
        write!(f, "{}: {} of {} runs show something", self.test, self.detections, self.runs.len())
    }
}
