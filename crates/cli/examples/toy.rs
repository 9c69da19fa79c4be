//! A science as small as it can be, with everything that a command of cupel has: a line through noisy points, found by gradients.
//!
//!     cargo run --release -p cupel-cli --example toy -- fit --points 200 --noise 0.1 --out line
//!
//! CONTRIBUTING.md goes through it step by step. `tests/flags.rs` proves every shared flag on it, as on the commands of `cupel`.

use std::{fmt, process::ExitCode};

use anyhow::Result;
use clap::{Args, Subcommand};
use cupel::{
    prelude::{Context, Fit, Loss, Module, Param, Policy, StageConfig, Stream, Tensor, Trainer, TrainerConfig, burn},
    report::{LineChart, Report},
    settings::{Range, Settings, settings},
    train::Work,
};
use cupel_cli::{
    Call, Command, Commands, Flags, Session,
    shared::{Computation, Shared},
};
use serde::Serialize;

settings! {
    /// The points, and how the line is found.
    #[derive(Clone, Copy, Debug, PartialEq, Serialize)]
    pub struct LineConfig in "line" {
        /// Number of points
        pub points: usize = 50, in Range::at_least(2.0).at_most(1e6), "N";
        /// Standard deviation of the noise
        pub noise: f64 = 0.1, in Range::at_least(0.0), "SD";
        /// Most epochs
        pub epochs: u64 = 100, in Range::at_least(1.0).at_most(1e9), "N";
        /// Learning rate
        pub learning_rate: f64 = 0.05, in Range::above(0.0), "RATE";
    }
}

/// `y = slope x + offset`.
#[derive(Module, Debug)]
struct Line {
    slope: Param<Tensor<1>>,
    offset: Param<Tensor<1>>,
}

/// Points of `y = 2 x - 1` with noise.
struct Points {
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Points {
    fn draw(config: &LineConfig, seed: u64) -> Self {
        let x: Vec<f32> = (0..config.points).map(|i| i as f32 / config.points as f32).collect();
        let mut noise = vec![0.0f32; config.points];
        Stream::new(seed, "points of the line").fill_normal(&mut noise);
        let y = x.iter().zip(noise).map(|(x, noise)| 2.0 * x - 1.0 + config.noise as f32 * noise).collect();
        Self { x, y }
    }
}

impl Fit for Points {
    type Model = Line;
    type Batch = [Tensor<1>; 2];

    fn batch(&mut self, ctx: &Context<'_>) -> cupel::train::Result<[Tensor<1>; 2]> {
        Ok([&self.x, &self.y].map(|values| Tensor::from_floats(values.as_slice(), ctx.device)))
    }

    fn loss(&self, line: &Line, [x, y]: [Tensor<1>; 2], ctx: &Context<'_>) -> Loss {
        let said = ctx.casting.low(x) * line.slope.val() + line.offset.val();
        let error = said.cast(burn::tensor::FloatDType::F32) - y;
        Loss { mean: error.powi_scalar(2).mean(), weight: self.x.len() as f64, terms: vec![] }
    }

    fn steps_per_epoch(&self) -> u64 {
        1
    }
}

/// Find a line through noisy points
#[derive(Args)]
struct FitLine {
    #[command(flatten)]
    line: Flags<LineConfig>,
    #[command(flatten)]
    computation: Computation,
}

/// The points of a plan, the slope and the offset of a result.
#[derive(Serialize)]
struct Found {
    points: usize,
    line: Option<[f64; 2]>,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            None => write!(f, "a line would be laid through {} points", self.points),
            Some([slope, offset]) => write!(f, "y = {slope:.3} x + {offset:.3}, through {} points", self.points),
        }
    }
}

impl Command for FitLine {
    type Plan = Found;
    type Outcome = Found;
    const GROWING: &'static [&'static str] = &["epochs"];

    fn shared(&self) -> Shared<'_> {
        self.computation.shared()
    }

    fn plan(&self, _: &Session) -> Result<Found> {
        self.line.settings.check()?;
        Ok(Found { points: self.line.settings.points, line: None })
    }

    fn work(self, plan: Found, session: &mut Session) -> Result<Found> {
        let (config, seed) = (self.line.settings, session.seed());
        let casting = session.casting(Work { elements: config.points, reduced_precision_pays_from: 1 << 20 })?;
        let device = session.device()?.device.clone();
        let stage =
            StageConfig { learning_rate: config.learning_rate, epochs: config.epochs, ..StageConfig::default() };
        let training = TrainerConfig { seed, stage, ..TrainerConfig::default() };
        let start = || Param::from_tensor(Tensor::zeros([1], &device.clone().autodiff()));
        let line = Line { slope: start(), offset: start() };
        let mut trainer = Trainer::new(Points::draw(&config, seed), line, training, casting, &device)?;
        session.run().drive(&mut trainer, &Policy::default())?;
        let best = trainer.best();
        let [slope, offset] = [best.slope, best.offset].map(|number| f64::from(number.val().into_scalar::<f32>()));
        let found = Found { line: Some([slope, offset]), ..plan };

        let mut report = Report::new(session.dir()?, "A line through points");
        report.finding(found.to_string());
        report.numbers(&found)?;
        let Points { x, y } = trainer.fit();
        let [x, y] = [x, y].map(|values| values.iter().map(|v| f64::from(*v)).collect::<Vec<f64>>());
        let line: Vec<f64> = x.iter().map(|x| slope * x + offset).collect();
        report.figure("line", "The points and the line.", move || {
            LineChart::new("Line", "x", "y").line("points", &x, &y).line("line", &x, &line).figure()
        });
        report.save()?;
        Ok(found)
    }
}

#[derive(Subcommand)]
enum Toy {
    Fit(Box<FitLine>),
}

impl Commands for Toy {
    fn run(self, call: Call<'_>) -> Result<()> {
        let Self::Fit(command) = self;
        call.run(*command)
    }
}

fn main() -> ExitCode {
    cupel_cli::start::<Toy>(clap::Command::new("toy").about("A line through points"))
}
