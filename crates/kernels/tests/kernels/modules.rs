//! Modules on own operations.

use crate::checks::{close, cpu, normal, own_kernels_stay, panics, tensor, values, without_own_kernels};
use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{DType, Device, FloatDType, Gradients, Tensor},
};
use cupel_data::Stream;
use cupel_kernels::{Activation, ConvSpec, ConvTransposeSpec, Pad, nn, reference};
use std::sync::{Mutex, PoisonError};

/// Fresh parameters come from the backend's generator, which belongs to the process.
static GENERATOR: Mutex<()> = Mutex::new(());

/// A network of every kind of block: down, and up again by a transposed convolution, with a connection across.
#[derive(Module, Debug)]
struct Net {
    first: nn::ConvBlock3d,
    down: nn::ConvBlock3d,
    up: nn::ConvTransposeBlock3d,
    last: nn::Conv3d,
}

fn net(norm: nn::NormConfig, device: &Device) -> Net {
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    device.seed(3);
    let circular = ConvSpec::same([3; 3], [Pad::Circular, Pad::Reflect, Pad::Replicate]);
    let block = |channels, spec| nn::ConvBlock3dConfig {
        conv: nn::Conv3dConfig::new(channels, [3; 3]).with_spec(spec),
        norm,
        activation: Activation::SmoothLeaky,
    };
    let up = nn::ConvTransposeBlock3dConfig {
        conv: nn::ConvTranspose3dConfig::new([6, 4], [3; 3]).with_spec(ConvTransposeSpec {
            stride: [2; 3],
            padding: [[1; 2]; 3],
            output_padding: [1; 3],
            ..ConvTransposeSpec::default()
        }),
        norm,
        activation: Activation::Silu,
    };
    Net {
        first: block([2, 4], circular).init(device),
        down: block([4, 6], ConvSpec { stride: [2; 3], ..circular }).init(device),
        up: up.init(device),
        last: nn::Conv3dConfig::new([8, 2], [3; 3]).with_spec(circular).init(device),
    }
}

impl Net {
    fn forward(&self, x: Tensor<5>) -> Tensor<5> {
        let a = self.first.forward(x);
        let b = self.down.forward(a.clone());
        self.last.forward(Tensor::cat(vec![self.up.forward(b), a], 1))
    }
}

fn input(device: &Device, dtype: DType) -> Tensor<5> {
    tensor(&normal(Stream::new(0, "input"), 2 * 2 * 6 * 8 * 4), device, dtype).reshape([2, 2, 6, 8, 4])
}

struct Collect<'a>(&'a Gradients, Vec<Vec<f64>>);

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        if parameter.val().is_require_grad() {
            let gradient = parameter.val().grad(self.0);
            self.1.push(gradient.map_or_else(Vec::new, |gradient| values(&gradient)));
        }
    }
}

/// Output and gradients of all parameters.
fn step(net: &Net, x: Tensor<5>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let y = net.forward(x);
    let weights = tensor(&normal(Stream::new(0, "weights"), 2 * 2 * 6 * 8 * 4), &y.device(), y.dtype());
    let gradients = (y.clone() * weights.reshape(y.dims())).sum().backward();
    let mut collect = Collect(&gradients, Vec::new());
    net.visit(&mut collect);
    (values(&y), collect.1)
}

const NORMS: [nn::NormConfig; 5] = [
    nn::NormConfig::None,
    nn::NormConfig::Batch,
    nn::NormConfig::Group(2),
    nn::NormConfig::Instance,
    nn::NormConfig::Layer,
];

#[test]
fn a_network_is_the_same_with_and_without_own_kernels() {
    for norm in NORMS {
        let device = cpu().autodiff();
        let net = net(norm, &device);
        let run = || step(&net, input(&device, DType::F32));
        let (own, gradients) = {
            let _on = own_kernels_stay();
            run()
        };
        let (expected, expected_gradients) = without_own_kernels(run);
        close(&format!("{norm:?}"), &own, &expected, 2e-5);
        let scale = expected_gradients.iter().flatten().fold(0.0, |scale: f64, g| scale.max(g.abs()));
        for (i, (own, expected)) in gradients.iter().zip(&expected_gradients).enumerate() {
            // The bias before a normalisation by channel has gradient 0: what is left is rounding.
            assert!(!own.is_empty(), "{norm:?}: parameter {i} has no gradient");
            for (own, expected) in own.iter().zip(expected) {
                assert!((own - expected).abs() <= 2e-5 * scale, "{norm:?}: parameter {i}: {own} against {expected}");
            }
        }
    }
}

#[test]
fn in_use_the_running_moments_are_merged_into_the_convolution() {
    let _on = own_kernels_stay();
    let device = cpu().autodiff();
    let net = net(nn::NormConfig::Batch, &device);
    for _ in 0..3 {
        net.forward(input(&device, DType::F32));
    }
    let net = net.valid();
    let x = input(&cpu(), DType::F32);
    let apart = |conv: Tensor<5>, norm: &Option<nn::Norm>, kind| norm.as_ref().unwrap().forward(conv, kind);
    let a = apart(net.first.conv.forward(x.clone()), &net.first.norm, Activation::SmoothLeaky);
    let b = apart(net.down.conv.forward(a.clone()), &net.down.norm, Activation::SmoothLeaky);
    let c = apart(net.up.conv.forward(b), &net.up.norm, Activation::Silu);
    let y = net.last.forward(Tensor::cat(vec![c, a], 1));
    close("merged", &values(&net.forward(x)), &values(&y), 1e-5);
}

#[test]
fn running_moments_follow_the_batches() {
    let _on = own_kernels_stay();
    let device = cpu().autodiff();
    let norm = nn::BatchNormConfig { momentum: 0.25, ..nn::BatchNormConfig::new(2) }.init(&device);
    let x = Tensor::<3>::from_floats([[[1.0, 3.0], [0.0, 0.0]], [[5.0, 7.0], [2.0, 2.0]]], &device);
    norm.forward(x.clone(), Activation::Identity);
    // Means 4 and 1; variances 5 and 1, times 4 / 3 without bias.
    close("mean", &values(&norm.running_mean.value_sync()), &[1.0, 0.25], 1e-6);
    let variance = [0.75 + 0.25 * 20.0 / 3.0, 0.75 + 0.25 * 4.0 / 3.0];
    close("variance", &values(&norm.running_variance.value_sync()), &variance, 1e-6);
    let frozen = norm.freeze();
    let before = values(&frozen.running_mean.value_sync());
    frozen.forward(x, Activation::Identity);
    assert_eq!(values(&frozen.running_mean.value_sync()), before);
}

#[test]
fn low_precision_comes_back_as_it_went_in() {
    let _on = own_kernels_stay();
    let net = net(nn::NormConfig::Group(2), &cpu());
    let expected = values(&net.forward(input(&cpu(), DType::F32)));
    struct Cast(FloatDType);
    impl burn::module::ModuleMapper for Cast {
        fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let dtype = self.0;
            parameter.map(|tensor| tensor.cast(dtype))
        }
    }
    for (dtype, low, tolerance) in [(FloatDType::F16, DType::F16, 5e-3), (FloatDType::BF16, DType::BF16, 4e-2)] {
        let y = net.clone().map(&mut Cast(dtype)).forward(input(&cpu(), low));
        assert_eq!(y.dtype(), low);
        close("low precision", &values(&y), &expected, tolerance);
    }
}

#[test]
fn groups_are_as_many_as_divide_the_channels() {
    let groups = |most, channels| match nn::NormConfig::Group(most).init(channels, &cpu()) {
        Some(nn::Norm::Group(norm)) => format!("{norm:?}"),
        _ => String::new(),
    };
    assert!(groups(8, 24).contains("groups: 8"), "{}", groups(8, 24));
    assert!(groups(8, 12).contains("groups: 6"));
    assert!(groups(8, 7).contains("groups: 7"));
    assert!(nn::NormConfig::None.init(4, &cpu()).is_none());
}

#[test]
fn parameters_begin_within_the_fan_in() {
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let conv =
        nn::Conv2dConfig::new([8, 12], [3, 3]).with_spec(ConvSpec { groups: 4, ..ConvSpec::default() }).init(&cpu());
    assert_eq!(conv.weight.dims(), [12, 2, 3, 3]);
    let transposed = nn::ConvTranspose2dConfig::new([8, 12], [4, 4])
        .with_spec(ConvTransposeSpec { groups: 4, ..ConvTransposeSpec::default() })
        .with_bias(false)
        .init(&cpu());
    assert_eq!(transposed.weight.dims(), [8, 3, 4, 4]);
    assert!(transposed.bias.is_none());
    for (weights, fan_in) in [(values(&conv.weight.val()), 18.0f64), (values(&transposed.weight.val()), 48.0)] {
        let largest = weights.iter().fold(0.0, |largest: f64, weight| largest.max(weight.abs()));
        let bound = 1.0 / fan_in.sqrt();
        assert!(largest <= bound && largest > 0.9 * bound, "{largest} of {bound}");
    }
    panics("3 groups do not divide 8 and 12 channels", || {
        let spec = ConvSpec { groups: 3, ..ConvSpec::default() };
        nn::Conv2dConfig::new([8, 12], [3, 3]).with_spec(spec).init(&cpu())
    });
}

#[test]
fn grouped_transposed_convolutions_merge_scales_too() {
    let _on = own_kernels_stay();
    let _alone = GENERATOR.lock().unwrap_or_else(PoisonError::into_inner);
    let block = nn::ConvTransposeBlock2dConfig {
        conv: nn::ConvTranspose2dConfig::new([4, 6], [4, 4]).with_spec(ConvTransposeSpec {
            stride: [2; 2],
            padding: [[1; 2]; 2],
            groups: 2,
            ..ConvTransposeSpec::default()
        }),
        norm: nn::NormConfig::Batch,
        activation: Activation::Relu,
    };
    let device = cpu().autodiff();
    let block = block.init(&device);
    let x = tensor(&normal(Stream::new(5, "x"), 2 * 4 * 5 * 6), &device, DType::F32).reshape([2, 4, 5, 6]);
    block.forward(x.clone());
    let (block, x) = (block.valid(), x.inner());
    let apart = block.norm.as_ref().unwrap().forward(block.conv.forward(x.clone()), Activation::Relu);
    close("merged", &values(&block.forward(x)), &values(&apart), 1e-5);
}

#[test]
fn the_snake_wriggles() {
    let _on = own_kernels_stay();
    let snake = nn::SnakeConfig { frequency: 2.0, ..nn::SnakeConfig::new(3) }.init(&cpu());
    let numbers = normal(Stream::new(6, "snake"), 3 * 7);
    let x = tensor(&numbers, &cpu(), DType::F32).reshape([1, 3, 7]);
    let expected: Vec<f64> = numbers.iter().map(|x| x + (2.0 * x).sin().powi(2) / 2.0).collect();
    close("snake", &values(&snake.forward(x)), &expected, 1e-6);
    let x = tensor(&numbers, &cpu(), DType::F32);
    assert_eq!(values(&reference::activate(x.clone(), Activation::Identity)), values(&x));
}
