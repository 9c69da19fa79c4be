//! A model of one's own on data of one's own: validation, early stopping, a run folder that resumes, and its report.
//!
//! `cargo run --release -p cupel-example-training -- FOLDER` trains, stops when the validation loss no longer falls, and writes
//! `FOLDER/report.html`. Stop it with Ctrl-C and call it again: it goes on where it stood. Without a folder one in the system's
//! temporary folder is used, and the run is made anew.

use std::{env, path::PathBuf};

use cupel::{prelude::*, report::write_report};

/// Two layers from one number to one number.
#[derive(Module, Debug)]
struct Network {
    hidden: burn::nn::Linear,
    output: burn::nn::Linear,
}

impl Network {
    fn new(width: usize, device: &Device) -> Self {
        let layer = |from, to| burn::nn::LinearConfig::new(from, to).init(device);
        Self { hidden: layer(1, width), output: layer(width, 1) }
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.output.forward(self.hidden.forward(x).tanh())
    }
}

/// Rows of one's own: here a sine, every fourth row held out for validation.
struct Rows {
    train: [Vec<f32>; 2],
    validation: [Vec<f32>; 2],
}

const ROWS: usize = 400;
const BATCH: usize = 50;

impl Rows {
    fn new() -> Self {
        let part = |validates: bool| {
            let rows = (0..ROWS).filter(|row| (row % 4 == 3) == validates);
            let x: Vec<f32> = rows.map(|row| 2.0 * row as f32 / ROWS as f32 - 1.0).collect();
            let y = x.iter().map(|x| (3.0 * x).sin()).collect();
            [x, y]
        };
        Self { train: part(false), validation: part(true) }
    }
}

fn column(values: &[f32], device: &Device) -> Tensor<2> {
    Tensor::<1>::from_floats(values, device).reshape([values.len(), 1])
}

impl Fit for Rows {
    type Model = Network;
    type Batch = [Tensor<2>; 2];

    fn batch(&mut self, ctx: &Context<'_>) -> Result<[Tensor<2>; 2]> {
        // the same rows at the same place of the training, whatever happened before
        let order = Stream::new(7, "order of rows").at(ctx.at.epoch, 0).permutation(self.train[0].len());
        let chosen = order.iter().skip(ctx.at.step as usize * BATCH).take(BATCH);
        let pick =
            |values: &Vec<f32>| column(&chosen.clone().map(|row| values[*row]).collect::<Vec<f32>>(), ctx.device);
        Ok([pick(&self.train[0]), pick(&self.train[1])])
    }

    fn loss(&self, model: &Network, [x, y]: [Tensor<2>; 2], _: &Context<'_>) -> Loss {
        let [rows, _] = x.dims();
        Loss { mean: (model.forward(x) - y).powi_scalar(2).mean(), weight: rows as f64, terms: Vec::new() }
    }

    fn evaluate(&mut self, model: &Network, ctx: &Context<'_>) -> Result<Metrics> {
        let [x, y] = [0, 1].map(|i| column(&self.validation[i], ctx.device));
        let error = (model.forward(x) - y).powi_scalar(2).mean().into_scalar::<f32>();
        Ok(Metrics::from([("validation_loss", f64::from(error))]))
    }

    fn steps_per_epoch(&self) -> u64 {
        self.train[0].len().div_ceil(BATCH) as u64
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let named = env::args_os().nth(1).map(PathBuf::from);
    let how = if named.is_some() { Opening::Resume { strict: false } } else { Opening::Replace };
    let dir = named.unwrap_or_else(|| env::temp_dir().join("cupel-example-training"));

    let stage = StageConfig {
        learning_rate: 0.01,
        epochs: 300,
        early_stopping: Some(EarlyStopping { patience: 30, minimum_delta: 0.0 }),
        ..StageConfig::default()
    };
    let watch = Watch { metric: "validation_loss".into(), goal: Goal::Lowest };
    let config = TrainerConfig { seed: 7, stage, watch, ..TrainerConfig::default() };

    let is = Description::new("sine").settings(&config)?;
    let mut run = match Run::open(&dir, &is, how)? {
        Opened::Finished(summary) => {
            println!("it was finished before: {summary}");
            return Ok(());
        }
        Opened::Run(run) => run,
    };
    let device = device::select("auto")?.device;
    let model = Network::new(16, &device.clone().autodiff());
    let mut trainer = Trainer::new(Rows::new(), model, config, Casting::f32(), &device)?;
    let driven = run.drive(&mut trainer, &Policy::default())?;

    let losses = trainer.history().series("validation_loss");
    let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
    run.finish(&std::collections::BTreeMap::from([("validation_loss", best), ("seconds", driven.seconds)]))?;
    let page = write_report(&dir)?;
    println!("{} after {} epochs: validation loss {best:.5}; {}", driven.reason, losses.len(), page.display());
    if best > 0.01 {
        return Err(format!("a validation loss below 0.01 was expected, not {best}").into());
    }
    Ok(())
}
