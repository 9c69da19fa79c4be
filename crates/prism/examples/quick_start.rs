//! The quick start of the original, in our spelling: a telescope that measures, a decoder that learns from one measurement after the other, and the
//! image of the trained decoder.
//!
//! `cargo run --release --example quick_start` (a field of 128, about a minute). It shows the names; `cupel prism reconstruct` finds the same
//! object better and in a second.

use burn::{
    optim::{AdamConfig, GradientsParams},
    tensor::{Device, Tensor},
};
use cupel_prism::{
    Grid, Image, LossAgg, LossType, LossWeights, MeasurementSystem, Plane, ProgressiveDecoderConfig, SamplingConfig,
    Telescope, TelescopeConfig,
};

/// What came of it.
#[derive(Debug)]
pub struct Trained {
    /// Loss of the first and of the last step with the first aperture.
    pub losses: [f32; 2],
    /// The image of the trained decoder, and the same once its norms are folded into its convolutions.
    pub images: [Tensor<4>; 2],
    /// Share of measurements that were known already.
    pub hit_rate: f64,
}

/// Trains in a field of `n` pixels, `steps` for each of `samples` apertures.
///
/// # Errors
/// Settings that cannot be.
pub fn train(n: usize, samples: usize, steps: usize, device: &Device) -> Result<Trained, Box<dyn std::error::Error>> {
    // 1. a grid keeps its coordinates until it is brought to another device
    let grid = Grid::new(n, n, 10e-6, 520e-9)?.to(device);
    assert_eq!(grid.x().dims(), [1, n]);

    // 2. the instrument; what it measured is kept
    let config = TelescopeConfig { n_pixels: n, aperture_radius_pixels: 10.0, snr: Some(40.0), ..Default::default() };
    let telescope = Telescope::new(config)?;
    let mut measurement_system = MeasurementSystem::new(telescope, n / 2)?;
    let image = Image::new(Plane::from_fn(n / 2, n / 2, |row, column| {
        let disc = (row as f64 - n as f64 / 4.0).hypot(column as f64 - n as f64 / 4.0) < n as f64 / 8.0;
        (0.1 + 0.3 * row as f64 / n as f64 + 0.6 * f64::from(u8::from(disc))).into()
    }));

    // 3. the loss
    let loss_weights = LossWeights { l1: 0.7, ssim: 0.3, ..LossWeights::NONE };
    let criterion = LossAgg { loss_weights, ..LossAgg::new(LossType::Composite) };

    // 4. the decoder: half precision where the device has it and the field is large enough
    let config = ProgressiveDecoderConfig { use_amp: true, ..ProgressiveDecoderConfig::new(n, n / 2) };
    let mut model = config.init(&device.clone().autodiff());
    let mut optimizer = AdamConfig::new().init();

    let sampling = SamplingConfig { samples: Some(samples), ..SamplingConfig::default() };
    let sample_centers = sampling.centres(n, 10.0, 0)?;
    let mut losses = Vec::new();
    for center in sample_centers {
        for _ in 0..steps {
            // measured once, known afterwards
            let measurement = measurement_system.measure(&image, None, &[center])?;
            let output = model.forward(); // generative: no input
            let [_, _, rows, columns] = output.dims();
            let loss = criterion.forward(output.reshape([rows, columns]), &measurement)?;
            losses.push(loss.clone().into_scalar::<f32>());
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(1e-3, model, gradients);
        }
        measurement_system.add_mask(&[center])?;
    }

    let stats = measurement_system.get_cache_stats();
    println!("cache hit rate: {:.1} %, {} entries", 100.0 * stats.hit_rate, stats.cache_size);
    measurement_system.clear_cache();

    // 5. after training: norms are folded into convolutions, and nothing is differentiated
    let images = [model.generate_fp32(), model.prepare_for_inference().forward()];
    let ends = [losses.first(), losses.get(steps - 1)].map(|loss| loss.copied().unwrap_or(f32::NAN));
    Ok(Trained { losses: ends, images, hit_rate: stats.hit_rate })
}

#[allow(dead_code, reason = "tests run `train` alone")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let trained = train(128, 12, 20, &cupel_train::device::select("auto")?.device)?;
    println!("loss: {:.4} at first, {:.4} at last", trained.losses[0], trained.losses[1]);
    Ok(())
}
