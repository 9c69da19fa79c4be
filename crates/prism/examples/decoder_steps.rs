//! What a step of a decoder costs, and whether half precision trains: `cargo run --release -p cupel-prism --example decoder_steps -- [NAME=VALUE ..]`.
//!
//! | name | |
//! |---|---|
//! | `what` | `time`: a step under the original rule, and a forward pass before and after `prepare_for_inference`; `half`: trainings in each precision |
//! | `field` | rows of the field, several as `512,1024`; the object has half as many |
//! | `detector` | rows of a frame; as the field where it is 0 |
//! | `samples` | exposures; 2 |
//! | `steps` | of a measurement, of a training; 10, 100 |
//! | `rates` | learning rates of the trainings |
//! | `precisions` | `bf16,fp16` |

use std::{collections::BTreeMap, error::Error, time::Instant};

use burn::tensor::{Device, Tensor, TensorData};
use cupel_kernels::ssim;
use cupel_prism::{Decoder, DecoderConfig, DecoderKind, Exposures, LossType, Progressive, Rule, training};
use cupel_train::{Advance, Casting, LossScaler, Position, Precision, Trainer, Work, checks, device};

#[path = "../tests/prism_decoder/scene.rs"]
mod scene;

use scene::{Scene, landscape};

#[global_allocator]
static MEMORY: cupel_kernels::Recycling = cupel_kernels::Recycling::new();

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let defaults = [
        ("what", "time"),
        ("field", "1024"),
        ("detector", "0"),
        ("samples", "2"),
        ("steps", "0"),
        ("rates", "1e-4,1e-3,1e-2"),
        ("precisions", "bf16,fp16"),
    ];
    let mut asked: BTreeMap<String, String> = defaults.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').ok_or("arguments are NAME=VALUE")?;
        value.clone_into(asked.get_mut(name).ok_or_else(|| format!("no {name}"))?);
    }
    let device = device::select("cpu")?.device;
    for field in asked["field"].split(',') {
        let field: usize = field.parse()?;
        let detector = match asked["detector"].parse()? {
            0 => field,
            rows => rows,
        };
        let samples = asked["samples"].parse()?;
        let scene = Scene { field, radius: 16.0, samples, roi: 20.0, detector, ..Scene::full() };
        let truth = landscape(field / 2, 0);
        let exposures = scene.of(&truth);
        let steps: u64 = asked["steps"].parse()?;
        if asked["what"] == "time" {
            time(&exposures, if steps == 0 { 10 } else { steps }, &device)?;
        } else {
            let steps = if steps == 0 { 100 } else { steps };
            half(&exposures, &truth, steps, (&asked["rates"], &asked["precisions"]), &device)?;
        }
    }
    Ok(())
}

fn time(exposures: &Exposures, steps: u64, device: &Device) -> Outcome<()> {
    let config = DecoderConfig { rule: Rule::Original, steps, init_steps: steps, ..DecoderConfig::default() };
    let mut trainer = training(exposures, &config, 0, &Casting::f32(), device)?;
    let mut at = Position::default();
    let mut times = Vec::new();
    loop {
        let began = Instant::now();
        let progress = trainer.advance(at)?;
        // the second exposure has both terms; the last step of an epoch evaluates too
        if at.stage == 2 && at.step + 1 < steps {
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        if progress.done.is_some() {
            break;
        }
        at = trainer.next(at);
    }
    let Decoder::Progressive(decoder) = trainer.model() else { return Err("another decoder".into()) };
    let frozen = decoder.prepare_for_inference();
    let (before, after) = (decoder.image(), frozen.image());
    let differ = (before - after).abs().max().into_scalar::<f64>();
    let [before, after] = [milliseconds(&|| decoder.image()), milliseconds(&|| frozen.image())];
    println!(
        r#"{{"field":{},"detector":{},"step_ms_min":{:.1},"step_ms_median":{:.1},"forward_ms":{before:.2},"frozen_ms":{after:.2},"frozen_differs":{differ:.1e},"peak_mb":{:.0}}}"#,
        exposures.optics.size[0],
        exposures.optics.detector,
        times.iter().copied().fold(f64::INFINITY, f64::min),
        median(times),
        peak_mb(),
    );
    Ok(())
}

fn milliseconds(forward: &dyn Fn() -> Tensor<4>) -> f64 {
    let times = (0..15).map(|_| {
        let began = Instant::now();
        let _ = forward().into_data();
        began.elapsed().as_secs_f64() * 1e3
    });
    median(times.collect())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Trainings in f32 and in each precision. Of two that differ by a rounding the images part, so that each is compared with the truth.
fn half(
    exposures: &Exposures,
    truth: &[f64],
    steps: u64,
    (rates, precisions): (&str, &str),
    device: &Device,
) -> Outcome<()> {
    let side = truth.len().isqrt();
    let passes = exposures.centres.len() as u64;
    for rate in rates.split(',') {
        let config = DecoderConfig {
            decoder: Some(DecoderKind::Progressive),
            rule: Rule::Joint,
            loss: Some(LossType::Composite),
            learning_rate: Some(rate.parse()?),
            steps: steps.div_ceil(passes),
            init_steps: 0,
            held_out: 0.0,
            ..DecoderConfig::default()
        };
        let fresh = || training(exposures, &config, 0, &Casting::f32(), device);
        let start = fresh()?.model();
        let reference = trained(fresh()?, truth, device)?;
        for precision in precisions.split(',') {
            let casting = precision
                .parse::<Precision>()?
                .resolve(device, Work { elements: 0, reduced_precision_pays_from: 0 })?;
            let mut trainer = training(exposures, &config, 0, &casting, device)?;
            if casting.needs_scaling() {
                // the usual scale, which grows until it is too large within the training
                trainer = trainer.with_scaler(LossScaler::new(LossScaler::default().factor(), 8));
            }
            let low = trained(trainer, truth, device)?;
            let grew = low.scales.windows(2).any(|pair| pair[1] > pair[0]);
            let backed_off = low.scales.windows(2).any(|pair| pair[1] < pair[0]);
            let moved = checks::weights(&start).iter().zip(&low.weights).all(|(a, b)| a.1 != b.1);
            println!(
                r#"{{"field":{},"object":{side},"rate":{rate},"precision":"{precision}","loss_f32":{:.5},"loss":{:.5},"ratio":{:.3},"ssim_f32":{:.4},"ssim":{:.4},"all_moved":{moved},"scaler_grew":{grew},"scaler_backed_off":{backed_off},"skipped":{},"seconds_f32":{:.1},"seconds":{:.1}}}"#,
                exposures.optics.size[0],
                reference.loss,
                low.loss,
                low.loss / reference.loss,
                reference.similarity,
                low.similarity,
                low.skipped,
                reference.seconds,
                low.seconds,
            );
        }
    }
    Ok(())
}

/// What a training ended with.
struct Ended {
    /// Mean of the last pass.
    loss: f64,
    /// To the truth.
    similarity: f64,
    weights: Vec<(String, TensorData)>,
    /// Scale of the loss at each step.
    scales: Vec<f64>,
    /// Updates left out because a gradient was not finite.
    skipped: u64,
    seconds: f64,
}

fn trained(mut trainer: Trainer<Progressive>, truth: &[f64], device: &Device) -> Outcome<Ended> {
    let (mut at, mut loss, mut scales, began) = (Position::default(), f64::NAN, Vec::new(), Instant::now());
    loop {
        let progress = trainer.advance(at)?;
        if trainer.next(at).epoch != at.epoch || progress.done.is_some() {
            loss = progress.metrics.get("loss").unwrap_or(loss);
        }
        scales.extend(trainer.scaler().map(LossScaler::factor));
        if progress.done.is_some() {
            break;
        }
        at = trainer.next(at);
    }
    let seconds = began.elapsed().as_secs_f64();
    let skipped = trainer.scaler().map_or(0, LossScaler::skipped);
    let side = truth.len().isqrt();
    let object = trainer.fit().object(&trainer.model())?.middle(side, side)?;
    let image = |values: Vec<f32>| Tensor::<4>::from_data(TensorData::new(values, [1, 1, side, side]), device);
    let found = image(object.values().iter().map(|value| value.re as f32).collect());
    let truth = image(truth.iter().map(|value| *value as f32).collect());
    let similarity = ssim(found, truth, 1.0).into_scalar::<f64>();
    Ok(Ended { loss, similarity, weights: checks::weights(&trainer.model()), scales, skipped, seconds })
}

/// The peak of this process's resident memory.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    line.unwrap_or(0.0) / 1024.0
}
