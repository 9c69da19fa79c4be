//! What networks do whatever their weights are.

use burn::{
    module::Module,
    tensor::{DType, Device, Tensor, TensorData},
};
use cupel_cosmology::network::{
    BlockKind, Downsampling, LossKind, NetworkActivation, NetworkConfig, NormKind, Residual, ResidualConfig, SkyFit,
    SkyFitConfig, UNet3dConfig, UNet3dV2Config, Upsampling,
};
use cupel_data::Stream;
use cupel_settings::Settings;
use cupel_train::{Casting, checks::exclusive, device};

use super::checked::sky;

fn cpu() -> Device {
    device::select("cpu").unwrap().device
}

fn normal(shape: [usize; 5], device: &Device) -> Tensor<5> {
    let mut values = vec![0.0f32; shape.iter().product()];
    Stream::new(3, "x").fill_normal(&mut values);
    Tensor::from_data(TensorData::new(values, shape), (device, DType::F32))
}

fn values<const D: usize>(x: Tensor<D>) -> Vec<f64> {
    x.into_data().iter::<f64>().collect()
}

fn small() -> UNet3dV2Config {
    UNet3dV2Config { filters: 4, levels: 2, n_blocks_per_stage: 1, channels: [2, 3], ..UNet3dV2Config::default() }
}

/// Every choice of every setting makes a network that keeps the extents and gives finite numbers, with a gradient for its input.
#[test]
fn every_choice_makes_a_network() {
    let _one = exclusive();
    let device = cpu().autodiff();
    let mut configs = vec![small()];
    configs.extend(BlockKind::ALL.iter().map(|&block| UNet3dV2Config { block, ..small() }));
    configs.extend(NormKind::ALL.iter().map(|&norm| UNet3dV2Config { norm, ..small() }));
    configs.extend(NetworkActivation::ALL.iter().map(|&activation| UNet3dV2Config { activation, ..small() }));
    for &upsample_kind in Upsampling::ALL {
        for &downsample_kind in Downsampling::ALL {
            for strides in ["2,2", "2x1x2,1x2x3"] {
                let mut config = UNet3dV2Config { upsample_kind, downsample_kind, ..small() };
                config.set("strides", strides).unwrap();
                configs.push(config);
            }
        }
    }
    for (name, text) in [
        ("two-conv-head", "false"),
        ("attention-gates", "true"),
        ("use-se", "true"),
        ("factored-convs", "true"),
        ("freq-pos-encoding", "true"),
        ("conv-kernel-size", "3x5x1"),
        ("pad-modes", "zeros,circular,reflect"),
    ] {
        let mut config = small();
        config.set(name, text).unwrap();
        configs.push(config);
    }
    for config in configs {
        config.check_extents([8, 12, 12]).unwrap();
        let x = normal([2, 2, 8, 12, 12], &device).require_grad();
        let y = config.init(&device).unwrap().forward(x.clone());
        assert_eq!(y.dims(), [2, 3, 8, 12, 12], "{config:?}");
        assert!(values(y.clone()).iter().all(|value| value.is_finite()), "{config:?}");
        assert!(x.grad(&(y.clone() * y).sum().backward()).is_some(), "{config:?}");
    }
}

#[test]
fn a_residual_begins_with_the_estimate_to_the_bit() {
    let _one = exclusive();
    let v1 = NetworkConfig::V1(UNet3dConfig { filters: 2, ..UNet3dConfig::default() });
    let v2 = NetworkConfig::V2(UNet3dV2Config { levels: 1, ..small() });
    for (network, variance) in [(v1.clone(), false), (v1, true), (v2.clone(), false), (v2, true)] {
        let config = ResidualConfig { network, inputs: 2, outputs: 1, scale: 0.25, variance, zero_start: true };
        let model = config.init(&cpu()).unwrap();
        let sky = sky(1, [8, 8, 8], 1);
        let found = SkyFit::predict(&model, &sky, &Casting::f32(), &cpu()).unwrap();
        assert!(found.mean.iter().zip(sky.estimate()).all(|(a, b)| a.to_bits() == b.to_bits()));
        // of a variance nothing is known but the scale
        assert_eq!(found.sigma.is_some(), variance);
        assert!(found.sigma.into_iter().flatten().all(|sigma| (sigma - 0.25).abs() < 1e-6));
    }
}

/// The phase of all visibilities together is no information: a complex network gives its result the phase of its input.
#[test]
fn a_complex_network_keeps_a_common_phase() {
    let _one = exclusive();
    let config = UNet3dV2Config { complex: true, channels: [2, 2], ..small() };
    let network = config.init(&cpu()).unwrap();
    let (sin, cos) = 0.7f64.sin_cos();
    let turned = |x: Tensor<5>| {
        let (re, im) = (x.clone().narrow(1, 0, 1), x.narrow(1, 1, 1));
        let real = re.clone().mul_scalar(cos) - im.clone().mul_scalar(sin);
        Tensor::cat(vec![real, re.mul_scalar(sin) + im.mul_scalar(cos)], 1)
    };
    let x = normal([1, 2, 8, 8, 8], &cpu());
    let (a, b) = (values(turned(network.forward(x.clone()))), values(network.forward(turned(x))));
    let largest = a.iter().fold(0.0f64, |largest, a| largest.max(a.abs()));
    assert!(largest > 0.0 && a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-5 * largest.max(1.0)));
}

#[test]
fn features_of_baselines_change_nothing_at_first_and_then_have_a_gradient() {
    let _one = exclusive();
    let device = cpu().autodiff();
    let config = UNet3dV2Config { film_conditioning: true, ..small() };
    let network = config.init(&device).unwrap();
    let x = normal([2, 2, 8, 8, 8], &device);
    let features = |values: f32| Tensor::<3>::full([1, 2, 8], values, &device);
    let one = network.forward_with(x.clone(), features(1.0));
    assert_eq!(values(one.clone()), values(network.forward_with(x, features(-3.0))));
    let gradients = (one.clone() * one).sum().backward();
    let mut without = Vec::new();
    struct Seek<'a>(&'a burn::tensor::Gradients, &'a mut Vec<[usize; 5]>);
    impl burn::module::ModuleVisitor for Seek<'_> {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            if param.val().grad(self.0).is_none_or(|gradient| values(gradient).iter().all(|g| *g == 0.0)) && D == 5 {
                self.1.push(param.lazy_shape().dims());
            }
        }
    }
    network.visit(&mut Seek(&gradients, &mut without));
    assert!(without.is_empty(), "{without:?}");
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let v2 = |config| NetworkConfig::V2(config);
    let of = |network| ResidualConfig { network, inputs: 2, outputs: 1, scale: 1.0, variance: false, zero_start: true };
    let text = |config: &ResidualConfig| config.init(&cpu()).map(|_: Residual| ()).unwrap_err().to_string();
    let film = v2(UNet3dV2Config { film_conditioning: true, ..small() });
    assert!(text(&of(film)).contains("no features to condition on"));
    let complex = v2(UNet3dV2Config { complex: true, ..small() });
    assert!(text(&ResidualConfig { outputs: 2, variance: true, ..of(complex.clone()) }).contains("variance = true"));
    assert!(text(&of(complex)).contains("even numbers: real and imaginary parts"));
    let gates = v2(UNet3dV2Config { complex: true, attention_gates: true, ..small() });
    assert!(text(&ResidualConfig { outputs: 2, ..of(gates) }).contains("attention-gates"));
    assert!(text(&ResidualConfig { scale: f64::NAN, ..of(v2(small())) }).contains("scale = NaN"));

    let model = of(v2(small()));
    let fit = |skies: Vec<_>, model: &ResidualConfig, config| {
        SkyFit::new(skies, Vec::new(), model, config, 1).map(|_| ()).unwrap_err().to_string()
    };
    let plain = SkyFitConfig::default;
    assert!(fit(vec![], &model, plain()).contains("there are none"));
    let odd = fit(vec![sky(1, [8, 8, 6], 1)], &model, plain());
    assert!(odd.contains("axis 2 = 6 values: expected a multiple of 4"), "{odd}");
    assert!(fit(vec![sky(1, [8; 3], 1), sky(1, [8, 8, 12], 1)], &model, plain()).contains("of one shape"));
    assert!(fit(vec![sky(1, [8; 3], 2)], &model, plain()).contains("make the network for these channels"));
    let nll = SkyFitConfig { loss: LossKind::Nll, ..plain() };
    assert!(fit(vec![sky(1, [8; 3], 1)], &model, nll).contains("loss = nll"));
    let patch = SkyFitConfig { patch: Some(16), ..plain() };
    assert!(fit(vec![sky(1, [8; 3], 1)], &model, patch).contains("patch = 16"));
}
