//! What untrained decoders find: `cargo run --release -p cupel-prism --example decoders -- [NAME=VALUE ...]`.
//!
//! One JSON line a run. Names are those of the settings of a decoder, and
//!
//! | name | |
//! |---|---|
//! | `object` | `landscape` (of the seed), or an NPY of amplitudes from 0 to 1 |
//! | `side` | rows of the landscape; 64 |
//! | `regime` | `A` 48 exposures without noise, `B` 14 that cover a fifth, `C` as A with 1e5 photons and 1 electron, or several, as `A,B,C` |
//! | `detector` | rows of a frame; 64 |
//! | `seeds` | how many seeds, from 0 |
//! | `object-seed` | of the landscape |
//! | `out` | folder for the images, as NPY |

use std::{collections::BTreeMap, error::Error, path::Path, time::Instant};

use cupel_data::{Array, Values, open, write_npy};
use cupel_kernels::ssim;
use cupel_prism::{DecoderConfig, decode};
use cupel_settings::Settings;
use cupel_train::{Casting, Run, device};

use burn::tensor::{Device, Tensor, TensorData};

#[path = "../tests/prism_decoder/scene.rs"]
mod scene;

use scene::{Scene, landscape};

#[global_allocator]
static MEMORY: cupel_kernels::Recycling = cupel_kernels::Recycling::new();

fn main() -> Result<(), Box<dyn Error>> {
    let mut config = DecoderConfig::default();
    let defaults = [
        ("object", "landscape"),
        ("side", "64"),
        ("regime", "A"),
        ("detector", "64"),
        ("seeds", "1"),
        ("object-seed", "0"),
        ("out", ""),
    ];
    let mut own: BTreeMap<String, String> = defaults.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').ok_or("arguments are NAME=VALUE")?;
        match own.get_mut(name) {
            Some(known) => value.clone_into(known),
            None => config.set(name, value)?,
        }
    }
    let number = |name: &str| own[name].parse::<u64>();
    let amplitude = match own["object"].as_str() {
        "landscape" => landscape(number("side")? as usize, number("object-seed")?),
        path => amplitudes(Path::new(path))?,
    };
    let side = amplitude.len().isqrt();
    let device = device::select("cpu")?.device;
    for regime in own["regime"].split(',') {
        for seed in 0..number("seeds")? {
            let scene = Scene { detector: number("detector")? as usize, seed, ..Scene::full() };
            let scene = match regime {
                "A" => scene,
                "B" => Scene { samples: 14, roi: 26.0, ..scene },
                "C" => Scene { photons: 1e5, read: 1.0, ..scene },
                other => return Err(format!("regime {other}: A, B or C").into()),
            };
            let exposures = scene.of(&amplitude);
            let mut run = Run::in_memory();
            run.set_quiet(true);
            let began = Instant::now();
            let decoded = decode(&exposures, &config, seed, &Casting::f32(), &device, &mut run)?;
            let seconds = began.elapsed().as_secs_f64();
            let found: Vec<f64> = decoded.object.middle(side, side)?.values().iter().map(|value| value.re).collect();
            let mse = found.iter().zip(&amplitude).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / found.len() as f64;
            let best = decoded.curve.iter().filter_map(|point| point.held_out_r).fold(f64::INFINITY, f64::min);
            println!(
                r#"{{"regime":"{regime}","decoder":"{}","rule":"{}","loss":"{}","seed":{seed},"ssim":{:.4},"psnr_db":{:.2},"held_out_r":{},"updates":{},"seconds":{seconds:.2}}}"#,
                config.kind(),
                config.rule,
                config.loss_type(),
                similarity(&found, &amplitude, side, &device),
                -10.0 * mse.log10(),
                if best.is_finite() { format!("{best:.4}") } else { "null".into() },
                decoded.updates,
            );
            if !own["out"].is_empty() {
                let values: Vec<f32> = found.iter().map(|value| *value as f32).collect();
                write_npy(
                    &Path::new(&own["out"]).join(format!("{regime}-{seed}.npy")),
                    &Array::new(vec![side, side], Values::F32(values))?,
                )?;
            }
        }
    }
    Ok(())
}

fn amplitudes(path: &Path) -> Result<Vec<f64>, Box<dyn Error>> {
    let array = open(path)?.array(None)?;
    Ok(match array.values() {
        Values::F32(values) => values.iter().map(|value| f64::from(*value)).collect(),
        Values::F64(values) => values.clone(),
        _ => return Err("amplitudes are f32 or f64".into()),
    })
}

fn similarity(x: &[f64], y: &[f64], side: usize, device: &Device) -> f64 {
    let image = |values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        Tensor::<4>::from_data(TensorData::new(values, [1, 1, side, side]), device)
    };
    ssim(image(x), image(y), 1.0).into_scalar()
}
