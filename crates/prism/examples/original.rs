//! The original's rule, step by step: `cargo run --release -p cupel-prism --example original -- [NAME=VALUE ..]`.
//!
//! | name | |
//! |---|---|
//! | `object` | `landscape`, or an NPY of intensities, whose scaled root is the amplitude |
//! | `object-seed` | of the landscape |
//! | `field`, `samples`, `radius` | of the scene; 128, 48, 10; the object has half the field's rows |
//! | `detector` | rows of a frame; as the field where it is 0 |
//! | `seeds` | `FIRST..END`; each begins with weights of its own |
//! | `start` | folder with `s0/start.npz`, `s1/start.npz`, ..: weights of a peer, `p00`, `p01`, .. in the order of the layers |
//! | `losses` | folder for the loss of every step, `losses-0.npy`, .. |
//! | others | settings of a decoder |

use std::{collections::BTreeMap, error::Error, path::Path, time::Instant};

use burn::{
    module::{Module, ModuleMapper, Param},
    tensor::{Device, Tensor, TensorData},
};
use cupel_data::{Array, Dataset, Values, open, write_npy};
use cupel_kernels::ssim;
use cupel_prism::{Decoder, DecoderConfig, DeepDecoderConfig, Exposures, Rule, training};
use cupel_settings::Settings;
use cupel_train::{Advance, Casting, Optimizer, Position, StageConfig, Trainer, TrainerConfig, device};

#[path = "../tests/prism_decoder/scene.rs"]
mod scene;

use scene::{Scene, landscape};

#[global_allocator]
static MEMORY: cupel_kernels::Recycling = cupel_kernels::Recycling::new();

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome<()> {
    let mut config = DecoderConfig { rule: Rule::Original, ..DecoderConfig::default() };
    let defaults = [
        ("object", "landscape"),
        ("object-seed", "0"),
        ("field", "128"),
        ("samples", "48"),
        ("radius", "10"),
        ("detector", "0"),
        ("seeds", "0..1"),
        ("start", ""),
        ("losses", ""),
    ];
    let mut own: BTreeMap<String, String> = defaults.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    for argument in std::env::args().skip(1) {
        let (name, value) = argument.split_once('=').ok_or("arguments are NAME=VALUE")?;
        match own.get_mut(name) {
            Some(known) => value.clone_into(known),
            None => config.set(name, value)?,
        }
    }
    let number = |name: &str| own[name].parse::<usize>();
    let field = number("field")?;
    let amplitude = match own["object"].as_str() {
        "landscape" => landscape(field / 2, number("object-seed")? as u64),
        path => amplitudes(Path::new(path))?,
    };
    let detector = if number("detector")? == 0 { field } else { number("detector")? };
    let scene = Scene { field, samples: number("samples")?, radius: own["radius"].parse()?, detector, ..Scene::full() };
    let exposures = scene.of(&amplitude);
    let (first, end) = own["seeds"].split_once("..").ok_or("seeds are FIRST..END")?;
    let device = device::select("cpu")?.device;
    let mut all = Vec::new();
    for seed in first.parse::<u64>()?..end.parse::<u64>()? {
        let began = Instant::now();
        let start = if own["start"].is_empty() {
            None
        } else {
            Some(Path::new(&own["start"]).join(format!("s{seed}/start.npz")))
        };
        let (found, losses) = rayon::scope(|_| run(&exposures, &config, seed, start.as_deref(), &device))?;
        let seconds = began.elapsed().as_secs_f64();
        let side = amplitude.len().isqrt();
        let mse = found.iter().zip(&amplitude).map(|(a, b)| (a - b) * (a - b)).sum::<f64>() / found.len() as f64;
        let numbers = [similarity(&found, &amplitude, side, &device), -10.0 * mse.log10()];
        println!(
            r#"{{"seed":{seed},"ssim":{:.4},"psnr_db":{:.2},"seconds":{seconds:.2},"ms_per_step":{:.2}}}"#,
            numbers[0],
            numbers[1],
            1e3 * seconds / losses.len() as f64,
        );
        all.push(numbers);
        if !own["losses"].is_empty() {
            let array = Array::new(vec![losses.len()], Values::F64(losses))?;
            write_npy(&Path::new(&own["losses"]).join(format!("losses-{seed}.npy")), &array)?;
        }
    }
    let of = |which: usize| {
        let count = all.len() as f64;
        let mean = all.iter().map(|numbers| numbers[which]).sum::<f64>() / count;
        let variance = all.iter().map(|numbers| (numbers[which] - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, (variance / count).sqrt())
    };
    let ((ssim, ssim_error), (psnr, psnr_error)) = (of(0), of(1));
    println!(
        r#"{{"seeds":{},"ssim":{ssim:.4},"standard_error":{ssim_error:.4},"psnr_db":{psnr:.2},"standard_error_db":{psnr_error:.2}}}"#,
        all.len()
    );
    Ok(())
}

/// The object within its support, and the loss of every step.
fn run(
    exposures: &Exposures,
    config: &DecoderConfig,
    seed: u64,
    start: Option<&Path>,
    device: &Device,
) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let fit = training(exposures, config, seed, &Casting::f32(), device)?.into_fit();
    let network = DeepDecoderConfig::new(exposures.known.support.unwrap_or(exposures.optics.size));
    let mut model = Decoder::new(config.kind(), exposures.optics.size[0], network, &device.clone().autodiff());
    if let Some(path) = start {
        model = model.map(&mut Given { from: open(path)?, index: 0 });
    }
    let stage = StageConfig {
        optimizer: Optimizer::AdamW { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0 },
        learning_rate: config.learning_rate.unwrap_or(1e-3),
        epochs: config.init_steps / cupel_train::Fit::steps_per_epoch(&fit),
        ..StageConfig::default()
    };
    let log_every = if start.is_some() { 1 } else { 10 };
    let how = TrainerConfig { name: "decoder".into(), seed, stage, log_every, ..TrainerConfig::default() };
    let mut trainer = Trainer::new(fit, model, how, Casting::f32(), device)?;
    let (mut at, mut losses) = (Position::default(), Vec::new());
    loop {
        let progress = trainer.advance(at)?;
        let last = progress.metrics.get("update_loss").or_else(|| progress.metrics.get("loss"));
        losses.push(last.unwrap_or(f64::NAN));
        if progress.done.is_some() {
            break;
        }
        at = trainer.next(at);
    }
    let [rows, columns] = exposures.known.support.unwrap_or(exposures.optics.size);
    let object = trainer.fit().object(&trainer.model())?.middle(rows, columns)?;
    Ok((object.values().iter().map(|value| value.re).collect(), losses))
}

/// Parameters of a file, in the order of the layers.
struct Given {
    from: Dataset,
    index: usize,
}

impl ModuleMapper for Given {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let name = format!("p{:02}", self.index);
        self.index += 1;
        let array = self.from.array(Some(&name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let Values::F32(values) = array.into_values() else { panic!("{name} is not f32") };
        param.map(|old| Tensor::from_data(TensorData::new(values, old.dims()), &old.device()).require_grad())
    }
}

fn amplitudes(path: &Path) -> Outcome<Vec<f64>> {
    let array = open(path)?.array(None)?;
    let Values::F32(values) = array.values() else { return Err("intensities are f32".into()) };
    let (low, high) = values.iter().fold((f32::MAX, f32::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    Ok(values.iter().map(|value| f64::from((value - low) / (high - low)).sqrt()).collect())
}

fn similarity(x: &[f64], y: &[f64], side: usize, device: &Device) -> f64 {
    let image = |values: &[f64]| {
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        Tensor::<4>::from_data(TensorData::new(values, [1, 1, side, side]), device)
    };
    ssim(image(x), image(y), 1.0).into_scalar()
}
