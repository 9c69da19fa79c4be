//! What the tests are about: golden numbers, and objects of our own.

use std::path::{Path, PathBuf};

use cupel_data::{Complex, Stream};
use cupel_prism::{Plane, Telescope, TelescopeConfig};
use serde_json::Value;

/// Golden numbers, made by `make_vectors.py` beside them.
pub fn vectors() -> Option<Value> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from);
    let path = data.join("prism/vectors.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        eprintln!("SKIPPED: there is no {}; set CUPEL_DATA to the folder that holds prism/", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// A picture of scikit-image: values row by row, rows, columns.
pub fn picture(name: &str) -> Option<(Vec<f64>, usize, usize)> {
    let Some(folder) = std::env::var_os("CUPEL_SKIMAGE") else {
        eprintln!("SKIPPED: {name}.png: set CUPEL_SKIMAGE to the folder of scikit-image's pictures");
        return None;
    };
    let array = cupel_data::open(Path::new(&folder).join(name).with_extension("png")).unwrap().array(None).unwrap();
    let (rows, columns) = (array.shape()[0], array.shape()[1]);
    let cupel_data::Values::U8(values) = array.into_values() else { panic!("{name}.png has no bytes") };
    assert_eq!(values.len(), rows * columns, "{name}.png is not grey");
    Some((values.into_iter().map(f64::from).collect(), rows, columns))
}

/// The portable generator of the golden numbers.
pub fn lcg(count: usize, seed: u32) -> Vec<f64> {
    let mut x = seed;
    let next = || {
        x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(x) / 4_294_967_296.0
    };
    std::iter::repeat_with(next).take(count).collect()
}

/// Normal numbers of the same.
pub fn gauss(count: usize, seed: u32) -> Vec<f64> {
    let uniform = lcg(2 * count, seed);
    let normal = |pair: &[f64]| (-2.0 * (1.0 - pair[0]).ln()).sqrt() * (std::f64::consts::TAU * pair[1]).cos();
    uniform.chunks_exact(2).map(normal).collect()
}

/// Complex values without any order.
pub fn noise(rows: usize, columns: usize, seed: u64) -> Plane {
    let mut values = vec![0.0; 2 * rows * columns];
    Stream::new(seed, "test").fill_normal_f64(&mut values);
    Plane::from_fn(rows, columns, |row, column| {
        let place = 2 * (row * columns + column);
        Complex::new(values[place], values[place + 1])
    })
}

/// A real object of 0 to 1: discs, bars and a ramp at random places.
pub fn object(side: usize, seed: u64) -> Plane {
    let mut draw = vec![0.0_f32; 64];
    Stream::new(seed, "object").fill_uniform(&mut draw);
    let s = side as f64;
    Plane::from_fn(side, side, |row, column| {
        let (y, x) = (row as f64 / s, column as f64 / s);
        let mut value = 0.15 + 0.2 * y * f64::from(draw[60]) + 0.1 * x;
        for disc in draw[..48].chunks_exact(4) {
            let [cy, cx, r, level] = [0, 1, 2, 3].map(|k| f64::from(disc[k]));
            if (y - cy).hypot(x - cx) < 0.03 + 0.15 * r * r {
                value = 0.1 + 0.9 * level;
            }
        }
        Complex::new(value.clamp(0.0, 1.0), 0.0)
    })
}

pub fn telescope(n_pixels: usize, radius: f64) -> Telescope {
    Telescope::new(TelescopeConfig { n_pixels, aperture_radius_pixels: radius, ..TelescopeConfig::default() }).unwrap()
}

pub fn energy(plane: &Plane) -> f64 {
    plane.values().iter().map(Complex::norm_sqr).sum()
}

pub fn furthest(a: &Plane, b: &Plane) -> f64 {
    a.values().iter().zip(b.values()).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max)
}
