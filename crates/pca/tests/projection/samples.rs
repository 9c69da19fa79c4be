//! Skies to project.

use std::path::{Path, PathBuf};

use cupel_data::{Axes, Axis, AxisKind, Complex, Cube, Element, Stream, open};

/// The published data, or `None` with a line that says so.
pub fn cosmology_data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from).join("cosmology");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: there is no {}; set CUPEL_DATA to the folder that holds cosmology/", folder.display());
    None
}

/// An array of the published data with its axes named.
pub fn published<T: Element>(folder: &Path, file: &str, kinds: &[AxisKind]) -> Cube<T> {
    open(folder.join(file)).unwrap().cube::<T>(None).unwrap().rename(kinds).unwrap()
}

/// `channels` frequencies from 350 MHz, 2 MHz apart.
pub fn band(channels: usize) -> Axis {
    let frequencies = (0..channels).map(|channel| 350.0 + 2.0 * channel as f64).collect();
    Axis::new(AxisKind::Frequency, channels).with_coordinates(frequencies, "MHz").unwrap()
}

/// Four power laws of 2000 and a white signal of 0.2, `[sample, frequency]`: in f64, and as it is stored.
pub fn sky(samples: usize, channels: usize, seed: u64) -> Cube<f32> {
    let stream = Stream::new(seed, "sky of power laws");
    let mut amplitudes = vec![0.0f64; samples * 4];
    stream.child(0).fill_normal_f64(&mut amplitudes);
    let mut signal = vec![0.0f64; samples * channels];
    stream.child(1).fill_normal_f64(&mut signal);
    let laws: Vec<Vec<f64>> = (0..4)
        .map(|law| {
            band(channels).coordinates().unwrap().iter().map(|nu| (nu / 400.0).powf(-2.7 + 0.3 * law as f64)).collect()
        })
        .collect();
    let value = |i: usize| {
        let (sample, channel) = (i / channels, i % channels);
        let law = |law: usize| 2000.0 * (amplitudes[sample * 4 + law] + 0.3) * laws[law][channel];
        ((0..4).map(law).sum::<f64>() + 0.2 * signal[i]) as f32
    };
    let axes = Axes::new(vec![Axis::new(AxisKind::Sample, samples), band(channels)]).unwrap();
    Cube::new((0..samples * channels).map(value).collect(), axes).unwrap()
}

/// Two independent skies as real and imaginary part.
pub fn complex_sky(samples: usize, channels: usize, seed: u64) -> Cube<Complex<f32>> {
    let [re, im] = [seed, seed + 1000].map(|seed| sky(samples, channels, seed));
    let values = re.values().iter().zip(im.values()).map(|(&re, &im)| Complex::new(re, im)).collect();
    Cube::new(values, re.axes().clone()).unwrap()
}

pub fn rms(values: impl IntoIterator<Item = f64>) -> f64 {
    let (sum, count) = values.into_iter().fold((0.0, 0), |(sum, count), v| (sum + v * v, count + 1));
    (sum / f64::from(count)).sqrt()
}

/// Rms of the difference over that of the second.
pub fn difference(got: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(got.len(), expected.len());
    rms(got.iter().zip(expected).map(|(a, b)| a - b)) / rms(expected.iter().copied())
}

pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// Real parts and imaginary parts in turn.
pub fn parts(values: &[Complex<f32>]) -> Vec<f64> {
    values.iter().flat_map(|value| [f64::from(value.re), f64::from(value.im)]).collect()
}
