//! Data of the tests.

use std::path::{Path, PathBuf};

use cupel_data::{Axes, Axis, AxisKind, Cube};
use cupel_pca::{Basis, Components};
use num_complex::Complex;

/// splitmix64 from `seed`, in [-0.5, 0.5), as in `oracle.py`.
pub fn uniform(count: usize, seed: u64) -> Vec<f64> {
    let mut state = seed;
    let mut draw = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    };
    (0..count).map(|_| draw()).collect()
}

/// Two smooth foregrounds far above noise, as in `oracle.py`.
pub fn sky(samples: usize, channels: usize, seed: u64) -> Cube<f32> {
    let draws = uniform(samples * (channels + 2), seed);
    let scale: Vec<f64> = (0..channels).map(|channel| 1.0 + channel as f64 / channels as f64).collect();
    let mut values = Vec::with_capacity(samples * channels);
    for row in draws.chunks(channels + 2) {
        for (scale, noise) in scale.iter().zip(&row[2..]) {
            let smooth = 1e3 * row[0] * scale.powf(-2.6) + 50.0 * row[1] * scale.powf(-2.1) + 300.0;
            values.push((smooth + noise) as f32);
        }
    }
    cube(values, samples, channels)
}

pub fn cube<T>(values: Vec<T>, samples: usize, channels: usize) -> Cube<T> {
    let axes = vec![Axis::new(AxisKind::Sample, samples), Axis::new(AxisKind::Frequency, channels)];
    Cube::new(values, Axes::new(axes).unwrap()).unwrap()
}

pub fn complex_sky(samples: usize, channels: usize, seeds: [u64; 2]) -> Cube<Complex<f32>> {
    let [re, im] = seeds.map(|seed| sky(samples, channels, seed));
    let values = re.values().iter().zip(im.values()).map(|(&re, &im)| Complex::new(re, im)).collect();
    cube(values, samples, channels)
}

/// The rows `range` of a cube of samples.
pub fn rows<T: Copy + Send + Sync>(cube: &Cube<T>, range: std::ops::Range<usize>) -> Cube<T> {
    cube.select(AxisKind::Sample, &range.collect::<Vec<_>>()).unwrap()
}

pub fn assert_near(got: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (at, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert!((got - expected).abs() <= tolerance, "{what} {at}: {got} is not {expected} within {tolerance}");
    }
}

pub fn assert_close(got: &[f64], expected: &[f64], relative: f64, what: &str) {
    let scale = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    assert_near(got, expected, relative * scale, what);
}

/// The kept vectors of a basis as complex numbers.
pub fn vectors(basis: &Basis) -> Vec<Vec<Complex<f64>>> {
    match basis {
        Basis::Real(vectors) => vectors.iter().map(|v| v.iter().map(|&v| Complex::from(v)).collect()).collect(),
        Basis::Hermitian(vectors) => vectors.clone(),
    }
}

/// Sine of the largest angle between the spaces that two lists of orthonormal vectors span: the largest length of a vector of
/// one that is not in the other, over all directions the vectors give.
pub fn sine(a: &[Vec<Complex<f64>>], b: &[Vec<Complex<f64>>]) -> f64 {
    let outside = |v: &Vec<Complex<f64>>| {
        let mut rest = v.clone();
        for u in b {
            let along: Complex<f64> = u.iter().zip(v).map(|(u, v)| u.conj() * v).sum();
            rest.iter_mut().zip(u).for_each(|(rest, u)| *rest -= along * u);
        }
        rest.iter().map(Complex::norm_sqr).sum::<f64>()
    };
    a.iter().map(outside).sum::<f64>().sqrt()
}

/// What is left of complex or real samples without the mean and the components, in f64.
pub fn cleaned<T: cupel_pca::Number>(components: &Components, cube: &Cube<T>) -> Vec<Complex<f64>> {
    let rows = cube.with_last(components.axis().kind()).unwrap();
    let vectors = vectors(components.basis());
    let mean: Vec<Complex<f64>> = match T::COMPLEX {
        true => components.complex_mean(),
        false => components.mean().iter().map(|&mean| Complex::from(mean)).collect(),
    };
    let mut left = Vec::new();
    for row in rows.values().chunks(components.channels()) {
        let parts = row.iter().map(|value| Complex::new(value.parts()[0], value.parts()[1]));
        let deviations: Vec<Complex<f64>> = parts.zip(&mean).map(|(value, mean)| value - mean).collect();
        let mut rest = deviations.clone();
        for v in &vectors {
            let along: Complex<f64> = v.iter().zip(&deviations).map(|(v, d)| v.conj() * d).sum();
            rest.iter_mut().zip(v).for_each(|(rest, v)| *rest -= along * v);
        }
        left.extend(rest);
    }
    left
}

/// The folder of skies, where it is at hand.
pub fn skies() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from).join("cosmology");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: there are no skies in {}; set CUPEL_DATA to the folder that holds cosmology/",
        folder.display()
    );
    None
}
