//! The default solver where the truth is known: regimes A (48 exposures without noise), B (14 of them) and C (A with photons and read-out noise).
//!
//!     cargo run --release --example regimes -- IMAGE.npy [SEEDS [REGIME [KIND]]]
//!
//! IMAGE is an intensity image, or `objects` for generated ones; SEEDS a number of seeds or a range as `4..8`
//!
//! One JSON line each. The image is resized to 64 x 64 as the peer does it, scaled to 0..1, and its root is the amplitude.

use std::{f64::consts::PI, path::Path, sync::Arc, time::Instant};

use burn::tensor::{Device, Tensor, TensorData};
use cupel_data::Stream;
use cupel_prism::{Exposures, Geometry, InMemory, Knowledge, Noise, Optics, Plane, ReconstructionConfig, reconstruct};
use cupel_train::{Casting, Run};
use num_complex::Complex;
use rand_distr::{Distribution, Poisson};
use rustfft::FftPlanner;

const N: usize = 128;
const M: usize = 64;
const RADIUS: isize = 10;

#[path = "regimes/objects.rs"]
mod objects;

type Anyhow<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Anyhow<()> {
    let mut arguments = std::env::args().skip(1);
    let image = arguments.next().ok_or("say an image, or `objects`")?;
    let seeds = arguments.next().unwrap_or_else(|| "3".to_owned());
    let (first, end) = seeds.split_once("..").unwrap_or(("0", seeds.as_str()));
    let seeds = first.parse::<u64>()?..end.parse()?;
    let [only, kind] = [arguments.next(), arguments.next()];
    let kinds = objects::KINDS.into_iter().filter(|own| kind.as_deref().is_none_or(|kind| kind == *own));
    let named: Vec<(String, Vec<f64>)> = if image == "objects" {
        let all = seeds.clone().flat_map(|seed| kinds.clone().map(move |kind| (kind, seed)));
        all.map(|(kind, seed)| (format!("{kind} {seed}"), objects::object(kind, seed, M))).collect()
    } else {
        vec![(image.clone(), objects::of_image(Path::new(&image), M)?)]
    };
    let regimes = [("A", 48, None, false), ("B", 14, Some(26.0), false), ("C", 48, None, true)];
    for (name, amplitude) in &named {
        for (regime, count, roi, noisy) in
            regimes.into_iter().filter(|r| only.as_deref().is_none_or(|only| only == r.0))
        {
            let repeats = if noisy && image != "objects" { seeds.clone() } else { 0..1 };
            for seed in repeats {
                let exposures = observe(amplitude, &fermat(count, roi), noisy.then_some(1e5), seed);
                report(name, regime, seed, amplitude, &exposures)?;
            }
        }
    }
    Ok(())
}

fn report(name: &str, regime: &str, seed: u64, truth: &[f64], exposures: &Exposures) -> Anyhow<()> {
    let device = Device::flex();
    let began = Instant::now();
    let config = ReconstructionConfig::default();
    let found = reconstruct(exposures, &config, seed, (&device, &Casting::f32()), &mut Run::in_memory())?;
    let seconds = began.elapsed().as_secs_f64();
    let middle = found.model.object.middle(M, M)?;
    let amplitude: Vec<f64> = middle.values().iter().map(|value| value.re).collect();
    let square = amplitude.iter().zip(truth).map(|(a, t)| (a - t).powi(2)).sum::<f64>() / truth.len() as f64;
    let image = |values: &[f64]| {
        Tensor::<1>::from_data(TensorData::new(values.to_vec(), [M * M]), &device).reshape([1, 1, M, M])
    };
    let ssim: f64 = cupel_kernels::ssim(image(&amplitude), image(truth), 1.0).mean().into_scalar();
    let certificate = &found.certificate;
    let held = certificate.interval.as_ref().map(|interval| {
        let top = N / 2 - M / 2;
        let half = |place: usize| interval[(top + place / M) * N + top + place % M];
        let mut widths: Vec<f64> = (0..M * M)
            .map(|place| (amplitude[place] - truth[place]).abs() / half(place).max(f64::MIN_POSITIVE))
            .collect();
        widths.sort_by(f64::total_cmp);
        // the share inside, and by how much wider intervals would hold 90 %
        [widths.iter().filter(|width| **width <= 1.0).count() as f64 / (M * M) as f64, widths[M * M * 9 / 10]]
    });
    println!(
        "{}",
        serde_json::json!({
            "object": name, "regime": regime, "seed": seed, "ssim": ssim, "psnr_db": -10.0 * square.log10(), "seconds": seconds,
            "held_out_r": certificate.held_out_r, "r": certificate.r, "chi2_per_dof": certificate.chi2_per_dof, "interval_holds": held.map(|held| held[0]), "interval_factor": held.map(|held| held[1]),
            "frc_px": certificate.correlation.as_ref().map(|frc| frc.resolution_px(cupel_prism::metrics::Threshold::Seventh)), "coverage": certificate.coverage,
            "prior_weight": found.prior_weight, "steps": found.curve.len(), "starts": found.starts, "tried": found.tried,
        })
    );
    Ok(())
}

/// Row and column of each centre, as the peer has them.
fn fermat(count: usize, roi: Option<f64>) -> Vec<[f64; 2]> {
    let roi = roi.unwrap_or(N as f64 / 2.0 - RADIUS as f64 - 1.0);
    (0..count)
        .map(|k| {
            let (radius, angle) = (roi * (k as f64 / (count - 1) as f64).sqrt(), k as f64 * PI * (3.0 - 5f64.sqrt()));
            [(radius * angle.sin()).round(), (radius * angle.cos()).round()]
        })
        .collect()
}

/// What the apertures show of `amplitude`, with `photons` at the brightest pixel and one electron of read-out noise.
fn observe(amplitude: &[f64], centres: &[[f64; 2]], photons: Option<f64>, seed: u64) -> Exposures {
    let side = 2 * RADIUS as usize + 1;
    let pupil = Plane::from_fn(side, side, |row, column| {
        let [y, x] = [row as isize - RADIUS, column as isize - RADIUS];
        Complex::new(f64::from(u8::from(y * y + x * x <= RADIUS * RADIUS)), 0.0)
    });
    let mut planner = FftPlanner::<f64>::new();
    let (forward, inverse) = (planner.plan_fft_forward(N), planner.plan_fft_inverse(N));
    let both = |values: &mut Vec<Complex<f64>>, plan: &dyn rustfft::Fft<f64>| {
        for _ in 0..2 {
            plan.process(values);
            *values = (0..N * N).map(|place| values[place % N * N + place / N]).collect();
        }
    };
    let mut spectrum = vec![Complex::new(0.0, 0.0); N * N];
    let top = N / 2 - M / 2;
    for (place, value) in amplitude.iter().enumerate() {
        spectrum[(top + place / M) * N + top + place % M].re = *value;
    }
    both(&mut spectrum, &*forward);
    let mut frames = Vec::with_capacity(centres.len() * N * N);
    for centre in centres {
        let mut window = vec![Complex::new(0.0, 0.0); N * N];
        for (place, value) in pupil.values().iter().enumerate() {
            let offset = [(place / side) as isize - RADIUS, (place % side) as isize - RADIUS];
            let at = [0, 1].map(|axis| (offset[axis] + centre[axis] as isize).rem_euclid(N as isize) as usize);
            let to = [0, 1].map(|axis| offset[axis].rem_euclid(N as isize) as usize);
            window[to[0] * N + to[1]] = spectrum[at[0] * N + at[1]] * value / (N * N) as f64;
        }
        both(&mut window, &*inverse);
        frames.extend(window.iter().map(Complex::norm_sqr));
    }
    let mut noise = Noise::None;
    if let Some(brightest) = photons {
        let photons = brightest / frames.iter().copied().fold(0.0, f64::max);
        noise = Noise::Counts { photons, read: 1.0 };
        for (index, frame) in frames.chunks_mut(N * N).enumerate() {
            let stream = Stream::new(seed, "noise of the regimes").child(index as u64);
            let (mut rng, mut read) = (stream.child(0).rng(), vec![0.0; N * N]);
            stream.child(1).fill_normal_f64(&mut read);
            for (value, read) in frame.iter_mut().zip(read) {
                let count = Poisson::new((photons * *value).max(1e-12)).map_or(0.0, |law| law.sample(&mut rng));
                *value = (count + read) / photons;
            }
        }
    }
    let values = frames.into_iter().map(|value| value as f32).collect();
    Exposures {
        optics: Optics {
            geometry: Geometry::Spectrum,
            size: [N, N],
            pupils: vec![pupil],
            detector: N,
            pixel_size: None,
            wavelength: None,
        },
        centres: centres.to_vec(),
        frames: Arc::new(InMemory { pixels: N * N, values }),
        noise,
        good: None,
        known: Knowledge { support: Some([M, M]), real: true, bounds: Some([0.0, 1.0]) },
        lights: None,
    }
}
