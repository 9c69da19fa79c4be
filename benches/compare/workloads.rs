//! What is compared. The names are those in peers.py.

use std::hint::black_box;

use cupel::{
    burn::tensor::{DType, Device, Tensor, TensorData},
    cosmology::{
        ObservationFiles, Observations, ObservationsConfig, Preprocess, PreprocessConfig,
        network::{LossKind, Network, ObservationFit, ObservationLossConfig},
    },
    data::{Array, Complex, Source, Stream, Values, write_npy},
    kernels::{
        Activation, ConvSpec, ConvTransposeSpec, Direction, Likelihood, LowRank, Measured, Noise, Pad, Projection,
        SubApertures, conv_transpose2d, conv_transpose3d, conv2d, conv3d, gram_pairs, mean_fixed,
        mixture_log_likelihood, nn, project_low_rank, project_out, rfft2, ssim, sub_aperture_likelihood, sum_fixed,
        upsample3d,
    },
    pca::{Covariance, Modes, PcaLayer, Projector},
    prism,
    train::{Advance, Casting, Position, Trainer, TrainerConfig, device},
};

use rayon::prelude::*;

use crate::networks::{Training, v1, v2, valid};

/// One call of a workload.
pub type Work = Box<dyn FnMut()>;

/// A workload with all that it needs.
pub struct Workload {
    pub name: &'static str,
    pub prepare: fn() -> Work,
    /// Takes seconds, so that a test leaves it out.
    pub large: bool,
}

const fn workload(name: &'static str, prepare: fn() -> Work) -> Workload {
    Workload { name, prepare, large: false }
}

pub const WORKLOADS: &[Workload] = &[
    workload("conv3d 32ch 64^3 k3, forward", || conv3d_work([32, 32], [64; 3], false)),
    workload("conv3d 32ch 64^3 k3, forward+backward", || conv3d_work([32, 32], [64; 3], true)),
    workload("conv3d 32ch 32^3 k3, forward+backward", || conv3d_work([32, 32], [32; 3], true)),
    workload("conv2d 64ch 256^2 k3, forward", || conv2d_work(false)),
    workload("conv2d 64ch 256^2 k3, forward+backward", || conv2d_work(true)),
    workload("conv_transpose2d 64->32 64^2 k4 s2, forward", || conv_transpose2d_work(false)),
    workload("conv_transpose2d 64->32 64^2 k4 s2, forward+backward", || conv_transpose2d_work(true)),
    workload("conv_transpose3d 32->16 16^3 k2 s2, forward+backward", conv_transpose3d_work),
    workload("block conv3d+norm+activation 16ch 128x128x48 circular, forward+backward", block_work),
    workload("rfft2 1024^2, forward", || rfft2_work(false)),
    workload("rfft2 1024^2, forward+backward", || rfft2_work(true)),
    workload("sum+mean 8.4M", sum_work),
    workload("ssim 5 x 1024^2, forward+backward", ssim_work),
    workload("gram pairs 512 x 25 fields x 16, forward+backward", gram_work),
    workload("mixture likelihood 9025 x 156 bands x 4, forward+backward", mixture_work),
    workload("window likelihood 48 x 21^2 on 128^2, forward+backward", windows_work),
    workload("projection and layout 4 x 48 x 128 x 128, forward", projection_work),
    workload("copy 49152 x 128", copy_work),
    workload("pca apply 49152 x 128, 7 modes", low_rank_work),
    workload("preprocess visibilities 1 x 48 x 128 x 512, noise, 7 modes", preprocess_work),
    Workload { name: "load and preprocess 2 x 48 x 128 x 1024, 7 modes", prepare: batch_work, large: true },
    Workload { name: "load, preprocess and step 1 x 48 x 128 x 512, v1", prepare: files_training_work, large: true },
    workload("v1 (1,2,64,64,24), training step", || training_work(v1, [1, 2, 64, 64, 24])),
    workload("v1 (1,2,64,64,24), inference", || inference_work(v1, [1, 2, 64, 64, 24])),
    Workload {
        name: "v1 (4,2,128,128,48), training step",
        prepare: || training_work(v1, [4, 2, 128, 128, 48]),
        large: true,
    },
    Workload {
        name: "v1 (4,2,128,128,48), inference",
        prepare: || inference_work(v1, [4, 2, 128, 128, 48]),
        large: true,
    },
    Workload {
        name: "v2 (1,2,64,64,48), training step",
        prepare: || training_work(v2, [1, 2, 64, 64, 48]),
        large: true,
    },
    Workload { name: "v2 (1,2,64,64,48), inference", prepare: || inference_work(v2, [1, 2, 64, 64, 48]), large: true },
    Workload { name: "prism step 1024/512 composite", prepare: prism_work, large: true },
    workload("upsample3d 32ch 32x32x12 by 2, forward+backward", upsample_work),
];

fn cpu() -> Device {
    device::select("cpu").expect("there is a CPU").device
}

fn normal<const D: usize>(name: &'static str, shape: [usize; D], device: &Device) -> Tensor<D> {
    let mut values = vec![0.0f32; shape.iter().product()];
    Stream::new(0, name).fill_normal(&mut values);
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
}

/// A function of input, weight and bias, forwards or there and back with ones as the gradient of the result.
fn layer<const D: usize>(
    x: [usize; D],
    w: [usize; D],
    channels: usize,
    backward: bool,
    f: impl Fn(Tensor<D>, Tensor<D>, Option<Tensor<1>>) -> Tensor<D> + 'static,
) -> Work {
    let device = if backward { cpu().autodiff() } else { cpu() };
    let (x, w, b) = (normal("x", x, &device), normal("w", w, &device), normal("b", [channels], &device));
    if !backward {
        return Box::new(move || {
            black_box(f(x.clone(), w.clone(), Some(b.clone())));
        });
    }
    let (x, w, b) = (x.require_grad(), w.require_grad(), b.require_grad());
    Box::new(move || {
        let gradients = f(x.clone(), w.clone(), Some(b.clone())).backward();
        black_box((x.grad(&gradients), w.grad(&gradients), b.grad(&gradients)));
    })
}

fn conv3d_work([ci, co]: [usize; 2], extents: [usize; 3], backward: bool) -> Work {
    let [d, h, w] = extents;
    let spec = ConvSpec::same([3; 3], [Pad::Zero; 3]);
    layer([1, ci, d, h, w], [co, ci, 3, 3, 3], co, backward, move |x, w, b| conv3d(x, w, b, spec))
}

fn conv2d_work(backward: bool) -> Work {
    let spec = ConvSpec::same([3; 2], [Pad::Zero; 2]);
    layer([1, 64, 256, 256], [64, 64, 3, 3], 64, backward, move |x, w, b| conv2d(x, w, b, spec))
}

fn conv_transpose2d_work(backward: bool) -> Work {
    let spec = ConvTransposeSpec { stride: [2; 2], padding: [[1; 2]; 2], ..ConvTransposeSpec::default() };
    layer([1, 64, 64, 64], [64, 32, 4, 4], 32, backward, move |x, w, b| conv_transpose2d(x, w, b, spec))
}

fn conv_transpose3d_work() -> Work {
    let spec = ConvTransposeSpec { stride: [2; 3], ..ConvTransposeSpec::default() };
    layer([1, 32, 16, 16, 16], [32, 16, 2, 2, 2], 16, true, move |x, w, b| conv_transpose3d(x, w, b, spec))
}

fn block_work() -> Work {
    let device = cpu().autodiff();
    let conv = nn::Conv3dConfig::new([16, 16], [3; 3]).with_spec(ConvSpec::same([3; 3], [Pad::Circular; 3]));
    let config = nn::ConvBlock3dConfig { conv, norm: nn::NormConfig::Batch, activation: Activation::SmoothLeaky };
    let block = config.init(&device);
    let x = normal("x", [1, 16, 128, 128, 48], &device).require_grad();
    Box::new(move || {
        let gradients = block.forward(x.clone()).backward();
        black_box((x.grad(&gradients), block.conv.weight.grad(&gradients)));
    })
}

fn rfft2_work(backward: bool) -> Work {
    let device = if backward { cpu().autodiff() } else { cpu() };
    let x = normal("x", [1024, 1024], &device);
    if !backward {
        return Box::new(move || {
            black_box(rfft2(x.clone()));
        });
    }
    let x = x.require_grad();
    Box::new(move || {
        let (re, im) = rfft2(x.clone());
        let power = re.clone() * re + im.clone() * im;
        black_box(x.grad(&power.sum().backward()));
    })
}

fn sum_work() -> Work {
    let x = normal("x", [8, 1024, 1024], &cpu());
    Box::new(move || {
        black_box(sum_fixed(x.clone()).into_scalar::<f32>() + mean_fixed(x.clone()).into_scalar::<f32>());
    })
}

fn ssim_work() -> Work {
    let device = cpu().autodiff();
    let [x, y] = ["x", "y"].map(|name| normal(name, [5, 1, 1024, 1024], &device));
    let x = x.require_grad();
    Box::new(move || {
        black_box(x.grad(&ssim(x.clone(), y.clone(), 1.0).sum().backward()));
    })
}

fn gram_work() -> Work {
    let x = normal("x", [512, 25, 16], &cpu().autodiff()).require_grad();
    Box::new(move || {
        black_box(x.grad(&gram_pairs(x.clone()).backward()));
    })
}

fn mixture_work() -> Work {
    const PIXELS: usize = 9025;
    let device = cpu().autodiff();
    let observations = normal("observations", [PIXELS, 156], &device);
    let logits = normal("logits", [PIXELS, 4], &device).require_grad();
    let endmembers = normal("endmembers", [4, 156], &device).require_grad();
    let brightness = normal("brightness", [PIXELS], &device).require_grad();
    let log_noise = normal("log noise", [156], &device).require_grad();
    Box::new(move || {
        let likelihood = mixture_log_likelihood(
            observations.clone(),
            logits.clone(),
            endmembers.clone(),
            Some(brightness.clone()),
            log_noise.clone(),
        );
        let gradients = likelihood.backward();
        black_box((logits.grad(&gradients), endmembers.grad(&gradients)));
        black_box((brightness.grad(&gradients), log_noise.grad(&gradients)));
    })
}

/// Amplitudes behind 48 windows of a spectrum of 128 x 128, compared with those measured.
fn windows_work() -> Work {
    let device = cpu().autodiff();
    let [re, im] = ["re", "im"].map(|name| normal(name, [128, 128], &device).require_grad());
    let pupil = Tensor::<3>::ones([1, 21, 21], &device);
    let centres = (0..48).map(|i| [(i * 37) % 107 - 53, (i * 71) % 107 - 53]).collect();
    let apertures = SubApertures { centres, detector: 128, scale: 128.0, transform: Direction::Inverse };
    let measured = Measured { data: normal("data", [48, 128, 128], &device).square(), weight: None, modes: 1 };
    Box::new(move || {
        let likelihood = sub_aperture_likelihood(
            (re.clone(), im.clone()),
            (pupil.clone(), pupil.zeros_like()),
            &measured,
            Tensor::ones([48], &device),
            Tensor::zeros([48], &device),
            &apertures,
            Likelihood::Amplitude { epsilon: 1e-8 },
        );
        let gradients = likelihood.sum().backward();
        black_box((re.grad(&gradients), im.grad(&gradients)));
    })
}

/// Visibilities `[batch, baseline, time, frequency]`, cleaned along the frequency, as a network takes them.
fn projection_work() -> Work {
    let device = cpu();
    let x = normal("x", [4, 48, 128, 128], &device);
    let (complement, offset) = (normal("complement", [128, 128], &device), normal("offset", [128], &device));
    Box::new(move || {
        let projection = Projection { order: [0, 2, 3, 1], scale: 1e5, ..Projection::along(3) };
        black_box(project_out(x.clone(), complement.clone(), offset.clone(), projection));
    })
}

/// Orthonormal modes over 128 channels: cosines.
fn modes(count: usize) -> LowRank {
    let angle = |m: usize, k: usize| std::f64::consts::PI * (m + 1) as f64 * (k as f64 + 0.5) / 128.0;
    let modes = (0..count).map(|m| (0..128).map(|k| 0.125 * angle(m, k).cos()).collect());
    LowRank::real(&modes.collect::<Vec<_>>(), &[0.1; 128])
}

fn low_rank_work() -> Work {
    let (x, modes) = (normal("x", [49_152, 128], &cpu()), modes(7));
    Box::new(move || {
        black_box(project_low_rank(x.clone(), &modes, Projection::along(1)));
    })
}

/// Visibilities `[batch, baseline, frequency, chunk, right ascension, part]` with noise, cleaned, and the signal in them, both scaled and in the order
/// `[batch, chunk, part, right ascension, frequency, baseline]`.
fn preprocess_work() -> Work {
    let shape = [1, 48, 128, 4, 128, 2];
    let (x, y) = (normal("x", shape, &cpu()), normal("y", shape, &cpu()));
    let (modes, none) = (modes(7), LowRank::none(128));
    let noise = Some(Noise { amplitude: 1e-7, key: [1, 2], counter: [3, 4] });
    let how = Projection { order: [0, 3, 5, 4, 2, 1], scale: 1e5, noise, ..Projection::along(2) };
    Box::new(move || {
        black_box(project_low_rank(x.clone(), &modes, how));
        black_box(project_low_rank(y.clone(), &none, Projection { noise: None, ..how }));
    })
}

/// A folder that goes with the work.
struct Folder(std::path::PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Observations of 48 baselines and 128 channels in files, `count` signals and as many foregrounds, and the folder that they lie in.
fn observations(count: usize, config: &ObservationsConfig) -> (Folder, Observations) {
    let folder = Folder(std::env::temp_dir().join(format!("cupel-compare-{}", std::process::id())));
    let paths = |kind: &str| -> Vec<_> { (0..count).map(|i| folder.0.join(format!("{kind}{i}.npy"))).collect() };
    let files = ObservationFiles { cosmologies: paths("y"), foregrounds: paths("g") };
    std::fs::create_dir_all(&folder.0).expect("a temporary folder");
    for (number, path) in files.cosmologies.iter().chain(&files.foregrounds).enumerate() {
        let mut values = vec![0.0f32; 2 * 48 * 128 * config.ra_bins];
        Stream::new(number as u64, "batch").fill_normal(&mut values);
        let pairs = values.as_chunks().0.iter().map(|&[re, im]| Complex::new(re, im)).collect();
        let array =
            Array::new(vec![48, 128, config.ra_bins], Values::Complex64(pairs)).expect("the shape of the values");
        write_npy(path, &array).expect("room for the files");
    }
    let observations = Observations::training(files, config).expect("files of one instrument");
    (folder, observations)
}

/// Noise, and seven components that were computed before.
fn preprocess(observations: &Observations) -> Preprocess {
    let mut fit = Covariance::new(observations.frequencies().expect("channels"));
    fit.update(&observations.load(&[0], Stream::new(0, "fit")).expect("a batch").x).expect("values");
    let components = fit.components(Modes::Count(7)).expect("components");
    let layer = PcaLayer::new(&Projector::new(&components), &cpu()).expect("a layer");
    Preprocess::new(layer, Some(1e-7), PreprocessConfig::default()).expect("settings")
}

/// Two observations from files, made ready.
fn batch_work() -> Work {
    let config = ObservationsConfig { validation_fraction: 0.0, ..ObservationsConfig::default() };
    let (folder, observations) = observations(2, &config);
    let ready = preprocess(&observations);
    let mut step = 0;
    Box::new(move || {
        let _kept = &folder;
        step += 1;
        let batch = observations.load(&[0, 1], Stream::new(step, "batch")).expect("a batch");
        let [x, y] = [batch.x, batch.y].map(|cube| cube.to_field::<5>(&cpu()).expect("five axes").into_parts().0);
        black_box(ready.chunks(x, Some(y), Stream::new(step, "noise")).expect("a batch"));
    })
}

/// A step of the training that `cupel cosmology train` makes on files: an observation of 512 bins in right ascension is loaded while the one before is
/// trained on, made ready, and divided into four chunks for the first network.
fn files_training_work() -> Work {
    let config = ObservationsConfig {
        validation_fraction: 0.0,
        ra_bins: 512,
        split: 4,
        batch_size: 1,
        ..ObservationsConfig::default()
    };
    let (folder, observations) = observations(4, &config);
    let ready = preprocess(&observations);
    let validation = Observations::validation(observations.files().clone(), &config).expect("the same files");
    let losses = ObservationLossConfig { loss: LossKind::LogMse, lambda_delay: 0.0, delay_noise: None };
    let fit = ObservationFit::new(observations, validation.into(), 0, ready, losses, &config, String::new());
    let net = v1(&cpu().autodiff());
    let trainer = Trainer::new(fit.expect("settings"), net, TrainerConfig::default(), Casting::f32(), &cpu());
    let (mut trainer, mut at) = (trainer.expect("defaults"), Position::default());
    Box::new(move || {
        let _kept = &folder;
        trainer.advance(at).expect("finite numbers");
        at = trainer.next(at);
    })
}

/// What memory alone takes of the projection: the same values to another place.
fn copy_work() -> Work {
    let mut values = vec![0.0f32; 49_152 * 128];
    Stream::new(0, "x").fill_normal(&mut values);
    let mut copy = vec![0.0f32; values.len()];
    Box::new(move || {
        let chunks = copy.par_chunks_mut(1 << 16).zip(values.par_chunks(1 << 16));
        chunks.for_each(|(copy, values)| copy.copy_from_slice(values));
        black_box(&mut copy);
    })
}

fn training_work(net: fn(&Device) -> Network, shape: [usize; 5]) -> Work {
    let device = cpu();
    let (x, y) = (normal("x", shape, &device.clone().autodiff()), normal("y", shape, &device.clone().autodiff()));
    let mut training = Training::new(net(&device.clone().autodiff()), x, y, &device);
    Box::new(move || training.step())
}

fn inference_work(net: fn(&Device) -> Network, shape: [usize; 5]) -> Work {
    let net = valid(&net(&cpu().autodiff()));
    let x = normal("x", shape, &cpu());
    Box::new(move || {
        black_box(net.forward(x.clone()));
    })
}

fn upsample_work() -> Work {
    let x = normal("x", [1, 32, 32, 32, 12], &cpu().autodiff()).require_grad();
    Box::new(move || {
        black_box(x.grad(&upsample3d(x.clone(), [2; 3]).backward()));
    })
}

/// A step of the progressive decoder under the original rule: an object of 512 in a field of 1024, radius 16, frames of 128 pixels, which is
/// what their band needs. One of thirty begins an exposure with a new optimiser, as in a training.
fn prism_work() -> Work {
    const EXPOSURES: usize = 200;
    let (window, detector) = (33usize, 128usize);
    let inside = |at: usize| (at / window).abs_diff(16).pow(2) + (at % window).abs_diff(16).pow(2) <= 256;
    let pupil = (0..window * window).map(|at| Complex::new(f64::from(u8::from(inside(at))), 0.0)).collect();
    let mut values = vec![0.0f32; EXPOSURES * detector * detector];
    Stream::new(0, "frames").fill_uniform(&mut values);
    let exposures = prism::Exposures {
        optics: prism::Optics {
            geometry: prism::Geometry::Spectrum,
            size: [1024; 2],
            pupils: vec![prism::Plane::new(window, window, pupil).expect("a square window")],
            detector,
            pixel_size: None,
            wavelength: None,
        },
        centres: (0..EXPOSURES).map(|k| [(k % 15 * 20) as f64 - 140.0, (k / 15 * 20) as f64 - 140.0]).collect(),
        frames: std::sync::Arc::new(prism::InMemory { pixels: detector * detector, values }),
        noise: prism::Noise::None,
        good: None,
        known: prism::Knowledge { support: Some([512; 2]), real: true, bounds: Some([0.0, 1.0]) },
        lights: None,
    };
    let config = prism::DecoderConfig { rule: prism::Rule::Original, init_steps: 0, ..prism::DecoderConfig::default() };
    let mut trainer = prism::training(&exposures, &config, 0, &Casting::f32(), &cpu()).expect("a training");
    let mut at = Position::default();
    let mut step = move || {
        trainer.advance(at).expect("a step");
        at = trainer.next(at);
    };
    // the second exposure has both terms
    (0..=config.steps).for_each(|_| step());
    Box::new(step)
}
