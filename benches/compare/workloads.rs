//! What is compared. The names are those in peers.py.

use std::hint::black_box;

use cupel::{
    burn::{
        module::Module,
        tensor::{DType, Device, Tensor, TensorData},
    },
    data::Stream,
    kernels::{
        Activation, ConvSpec, ConvTransposeSpec, Pad, Projection, conv_transpose2d, conv_transpose3d, conv2d, conv3d,
        gram_pairs, mean_fixed, mixture_log_likelihood, nn, project_out, rfft2, ssim, sum_fixed,
    },
    train::device,
};

use crate::v1::{Net, Training};

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
    workload("projection and layout 4 x 48 x 128 x 128, forward", projection_work),
    workload("v1 (1,2,64,64,24), training step", || training_work([1, 2, 64, 64, 24])),
    workload("v1 (1,2,64,64,24), inference", || inference_work([1, 2, 64, 64, 24])),
    Workload {
        name: "v1 (4,2,128,128,48), training step",
        prepare: || training_work([4, 2, 128, 128, 48]),
        large: true,
    },
    Workload { name: "v1 (4,2,128,128,48), inference", prepare: || inference_work([4, 2, 128, 128, 48]), large: true },
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

/// Visibilities `[batch, baseline, time, frequency]`, cleaned along the frequency, as a network takes them.
fn projection_work() -> Work {
    let device = cpu();
    let x = normal("x", [4, 48, 128, 128], &device);
    let (complement, offset) = (normal("complement", [128, 128], &device), normal("offset", [128], &device));
    Box::new(move || {
        let projection = Projection { axis: 3, order: [0, 2, 3, 1], scale: 1e5, noise: None };
        black_box(project_out(x.clone(), complement.clone(), offset.clone(), projection));
    })
}

fn training_work(shape: [usize; 5]) -> Work {
    let device = cpu().autodiff();
    let mut training = Training::new(Net::new(&device), normal("x", shape, &device), normal("y", shape, &device));
    Box::new(move || training.step())
}

fn inference_work(shape: [usize; 5]) -> Work {
    let net = Net::new(&cpu().autodiff()).valid();
    let x = normal("x", shape, &cpu());
    Box::new(move || {
        black_box(net.forward(x.clone()));
    })
}
