//! What a step of a decoder costs, and whether half precision trains: `cargo run --release -p cupel-prism --example decoder_steps -- [NAME=VALUE ..]`.
//!
//! | name | |
//! |---|---|
//! | `what` | `time`: a step under the original rule, and a forward pass before and after `prepare_for_inference`; `half`: trainings in each precision |
//! | `field` | rows of the field, several as `512,1024`; the object has half as many |
//! | `detector` | rows of a frame; as the field where it is 0 |
//! | `steps` | of a measurement, of a training; 10, 100 |
//! | `rates` | learning rates of the trainings |
//! | `precisions` | `bf16,fp16` |

use std::{collections::BTreeMap, error::Error, time::Instant};

use burn::tensor::{Device, Tensor};
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
        let scene = Scene { field, radius: 16.0, samples: 2, roi: 20.0, detector, ..Scene::full() };
        let exposures = scene.of(&landscape(field / 2, 0));
        let steps: u64 = asked["steps"].parse()?;
        if asked["what"] == "time" {
            time(&exposures, if steps == 0 { 10 } else { steps }, &device)?;
        } else {
            half(&exposures, if steps == 0 { 100 } else { steps }, (&asked["rates"], &asked["precisions"]), &device)?;
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

fn half(exposures: &Exposures, steps: u64, (rates, precisions): (&str, &str), device: &Device) -> Outcome<()> {
    let side = exposures.optics.size[0] / 2;
    for rate in rates.split(',') {
        let config = DecoderConfig {
            decoder: Some(DecoderKind::Progressive),
            rule: Rule::Joint,
            loss: Some(LossType::Composite),
            learning_rate: Some(rate.parse()?),
            steps: steps.div_ceil(2),
            init_steps: 0,
            held_out: 0.0,
            ..DecoderConfig::default()
        };
        let trained =
            |casting: Casting, scaler: Option<LossScaler>| -> Outcome<(Trainer<Progressive>, f64, Vec<f64>)> {
                let mut trainer = training(exposures, &config, 0, &casting, device)?;
                if let Some(scaler) = scaler {
                    trainer = trainer.with_scaler(scaler);
                }
                let (mut at, mut loss, mut scales) = (Position::default(), f64::NAN, Vec::new());
                loop {
                    let progress = trainer.advance(at)?;
                    loss = progress.metrics.get("loss").unwrap_or(loss);
                    scales.extend(trainer.scaler().map(LossScaler::factor));
                    if progress.done.is_some() {
                        break;
                    }
                    at = trainer.next(at);
                }
                Ok((trainer, loss, scales))
            };
        let (reference, f32_loss, _) = trained(Casting::f32(), None)?;
        let image = |trainer: &Trainer<Progressive>| trainer.model().image();
        let start = training(exposures, &config, 0, &Casting::f32(), device)?.model();
        for precision in precisions.split(',') {
            let casting = precision
                .parse::<Precision>()?
                .resolve(device, Work { elements: 0, reduced_precision_pays_from: 0 })?;
            // a scale that is too large at first and grows soon after
            let scaler = casting.needs_scaling().then(|| LossScaler::new(16_777_216.0, 20));
            let (trainer, loss, scales) = trained(casting, scaler)?;
            let grew = scales.windows(2).any(|pair| pair[1] > pair[0]);
            let backed_off = scales.windows(2).any(|pair| pair[1] < pair[0]);
            let moved = checks::weights(&start).iter().zip(checks::weights(&trainer.model())).all(|(a, b)| a.1 != b.1);
            let similar = ssim(image(&reference), image(&trainer), 1.0).into_scalar::<f64>();
            println!(
                r#"{{"field":{},"object":{side},"rate":{rate},"precision":"{precision}","loss_f32":{f32_loss:.5},"loss":{loss:.5},"ratio":{:.3},"ssim_to_f32":{similar:.4},"all_moved":{moved},"scaler_grew":{grew},"scaler_backed_off":{backed_off}}}"#,
                2 * side,
                loss / f32_loss,
            );
        }
    }
    Ok(())
}

/// The peak of this process's resident memory.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    line.unwrap_or(0.0) / 1024.0
}
