//! The checks that every model of the workspace passes, on every device of the build: both networks, and each option of the second.

use burn::tensor::Device;
use cupel_cosmology::network::{
    LossKind, NetworkConfig, PreparedSky, Residual, ResidualConfig, SkyFit, SkyFitConfig, UNet3dConfig, UNet3dV2Config,
};
use cupel_data::Stream;
use cupel_settings::Settings;
use cupel_train::{
    Optimizer, StageConfig, TrainerConfig,
    checks::{self, Subject},
    device,
};

/// A sky of `extents` with two channels to read: the truth follows from both, place by place and from neighbours, and the estimate from one.
pub fn sky(number: u64, extents: [usize; 3], outputs: usize) -> PreparedSky {
    sky_in(1.0, number, extents, outputs)
}

/// The same with estimate and truth in another unit.
fn sky_in(unit: f32, number: u64, extents: [usize; 3], outputs: usize) -> PreparedSky {
    let [a, b, c] = extents;
    let volume = a * b * c;
    let mut inputs = vec![0.0f32; 2 * volume];
    Stream::new(number, "sky").fill_normal(&mut inputs);
    let (first, second) = inputs.split_at(volume);
    let target: Vec<f32> = (0..outputs * volume)
        .map(|i| {
            let (i, sign) = (i % volume, if i < volume { 1.0 } else { -0.5 });
            let beside = if i % c == c - 1 { i + 1 - c } else { i + 1 };
            unit * sign * (first[i] + 0.5 * (second[i] - second[beside]).tanh() + 0.3)
        })
        .collect();
    let share = |i: usize| if i < volume { 0.7 } else { -0.35 };
    let estimate = (0..outputs * volume).map(|i| unit * share(i) * first[i % volume]).collect();
    PreparedSky::new(extents, inputs, estimate, target).unwrap()
}

/// A network as a subject of the list of checks.
struct Checked {
    name: &'static str,
    model: ResidualConfig,
    fit: SkyFitConfig,
    extents: [usize; 3],
    /// A likelihood has a zero of its own: with this unit it stays well above it.
    unit: f32,
    overfit_share: f64,
}

impl Subject for Checked {
    type Fit = SkyFit;

    fn name(&self) -> &str {
        self.name
    }

    fn model(&self, device: &Device) -> Residual {
        self.model.init(device).unwrap()
    }

    fn fit(&self) -> SkyFit {
        let skies = |from: u64, count: u64| {
            (from..from + count).map(|n| sky_in(self.unit, n, self.extents, self.model.outputs)).collect()
        };
        SkyFit::new(skies(0, 3), skies(10, 1), &self.model, self.fit.clone(), 1).unwrap()
    }

    fn config(&self) -> TrainerConfig {
        let stage = StageConfig {
            optimizer: Optimizer::default(),
            learning_rate: 3e-3,
            epochs: 1000,
            accumulation: 2,
            weight_average: Some(0.9),
            ..StageConfig::default()
        };
        TrainerConfig { log_every: 3, seed: 5, stage, ..TrainerConfig::default() }
    }

    fn overfit_share(&self) -> f64 {
        self.overfit_share
    }
}

fn passes(name: &'static str, model: ResidualConfig, fit: SkyFitConfig, extents: [usize; 3]) {
    let (unit, overfit_share) = if model.variance { (4.0, 0.85) } else { (1.0, 0.6) };
    let subject = Checked { name, model, fit, extents, unit, overfit_share };
    for kind in device::compiled() {
        match device::select(kind) {
            Err(error) => eprintln!("skipped: {error}"),
            Ok(selected) => {
                let scratch = tempfile::tempdir().unwrap();
                checks::all(&subject, &selected.device, scratch.path());
            }
        }
    }
}

fn residual(network: NetworkConfig) -> ResidualConfig {
    ResidualConfig { network, inputs: 2, outputs: 1, scale: 0.5, variance: false, zero_start: false }
}

fn v2(settings: &[(&str, &str)]) -> UNet3dV2Config {
    let mut config = UNet3dV2Config { filters: 4, levels: 1, n_blocks_per_stage: 1, ..UNet3dV2Config::default() };
    for (name, text) in settings {
        config.set(name, text).unwrap();
    }
    config
}

fn by(loss: LossKind) -> SkyFitConfig {
    SkyFitConfig { loss, patches_per_batch: 2, ..SkyFitConfig::default() }
}

#[test]
fn the_first_network_passes_every_check() {
    let config = UNet3dConfig { filters: 2, ..UNet3dConfig::default() };
    passes("v1", residual(NetworkConfig::V1(config)), by(LossKind::LogCosh), [8, 8, 4]);
}

#[test]
fn the_second_network_passes_every_check() {
    passes("v2", residual(NetworkConfig::V2(v2(&[]))), by(LossKind::Mse), [4, 4, 4]);
}

#[test]
fn a_network_with_a_variance_that_starts_at_the_estimate_passes_every_check() {
    let model = ResidualConfig { scale: 2.0, variance: true, zero_start: true, ..residual(NetworkConfig::V2(v2(&[]))) };
    passes("nll", model, SkyFitConfig { patch: Some(4), ..by(LossKind::Nll) }, [4, 6, 4]);
}

#[test]
fn strides_gates_and_factors_pass_every_check() {
    let settings = [
        ("block", "conv"),
        ("norm", "instance"),
        ("activation", "snake"),
        ("downsample_kind", "stride"),
        ("upsample_kind", "transpose"),
        ("attention_gates", "true"),
        ("use_se", "true"),
        ("factored_convs", "true"),
        ("freq_pos_encoding", "true"),
        ("freq_axis", "2"),
    ];
    passes("gates", residual(NetworkConfig::V2(v2(&settings))), by(LossKind::Mse), [4, 4, 4]);
}

#[test]
fn shuffled_pixels_and_the_loss_of_delays_pass_every_check() {
    let settings = [
        ("activation", "smooth_leaky"),
        ("norm", "batch"),
        ("downsample_kind", "avgpool"),
        ("upsample_kind", "pixel_shuffle"),
        ("strides", "2x2x1"),
        ("two_conv_head", "false"),
    ];
    let fit = SkyFitConfig { lambda_delay: 0.02, delay_noise: Some(0.5), ..by(LossKind::LogCosh) };
    passes("shuffled", residual(NetworkConfig::V2(v2(&settings))), fit, [4, 4, 4]);
}

#[test]
fn a_complex_network_passes_every_check() {
    let model =
        ResidualConfig { outputs: 2, ..residual(NetworkConfig::V2(v2(&[("complex", "true"), ("filters", "4")]))) };
    passes("complex", model, by(LossKind::Mse), [4, 4, 4]);
}
