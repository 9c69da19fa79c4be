//! Objects: images from files, and generated families with edges, textures and structures of all sizes.

use std::path::Path;

use cupel_data::Stream;
use rand::RngExt;

/// Families of generated objects.
pub const KINDS: [&str; 5] = ["clouds", "discs", "star", "craters", "bars"];

/// The amplitude of a generated object, `side * side` values from 0 to 1.
pub fn object(kind: &str, seed: u64, side: usize) -> Vec<f64> {
    let stream = Stream::new(seed, kind);
    let mut rng = stream.child(0).rng();
    let mut uniform = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
    let at = |place: usize| [(place / side) as f64, (place % side) as f64];
    let mut image = vec![0.0; side * side];
    match kind {
        // waves whose amplitude falls with their frequency
        "clouds" => {
            let power = uniform(1.2, 2.2);
            for _ in 0..400 {
                let (frequency, angle, phase) = (
                    uniform(0.0, 1.0).powi(2) * 0.5,
                    uniform(0.0, std::f64::consts::TAU),
                    uniform(0.0, std::f64::consts::TAU),
                );
                let height = (frequency + 1.0 / side as f64).powf(0.5 - power);
                for (place, value) in image.iter_mut().enumerate() {
                    let [y, x] = at(place);
                    *value += height
                        * (std::f64::consts::TAU * frequency * (y * angle.sin() + x * angle.cos()) + phase).cos();
                }
            }
        }
        "discs" => {
            for _ in 0..25 {
                let (centre, radius, height) =
                    ([uniform(0.0, side as f64), uniform(0.0, side as f64)], uniform(1.5, 9.0), uniform(0.0, 1.0));
                for (place, value) in image.iter_mut().enumerate() {
                    let [y, x] = at(place);
                    // an edge of one place
                    let inside = (radius - (y - centre[0]).hypot(x - centre[1]) + 0.5).clamp(0.0, 1.0);
                    *value += inside * (height - *value);
                }
            }
        }
        "star" => {
            let (spokes, middle) = (uniform(6.0, 14.0).floor(), [uniform(24.0, 40.0), uniform(24.0, 40.0)]);
            for (place, value) in image.iter_mut().enumerate() {
                let [y, x] = at(place);
                let distance = (y - middle[0]).hypot(x - middle[1]);
                *value =
                    (0.5 + distance / spokes * (spokes * (y - middle[0]).atan2(x - middle[1])).sin()).clamp(0.0, 1.0);
            }
        }
        "craters" => {
            for _ in 0..40 {
                let (centre, radius, height) =
                    ([uniform(0.0, side as f64), uniform(0.0, side as f64)], uniform(1.0, 8.0), uniform(0.05, 0.3));
                for (place, value) in image.iter_mut().enumerate() {
                    let [y, x] = [at(place)[0] - centre[0], at(place)[1] - centre[1]];
                    *value += height * (-(y * y + x * x) / (radius * radius)).exp() * x / radius;
                }
            }
            let mut grain = vec![0.0; side * side];
            stream.child(1).fill_normal_f64(&mut grain);
            image.iter_mut().zip(grain).for_each(|(value, grain)| *value += 0.01 * grain);
        }
        _ => {
            for _ in 0..12 {
                let [top, left] = [0, 1].map(|_| uniform(0.0, (side - 14) as f64) as usize);
                let (width, height, across) = (uniform(2.0, 7.0) as usize, uniform(0.3, 1.0), uniform(0.0, 1.0) < 0.5);
                for (row, column) in (0..14 * 14).map(|place| (place / 14, place % 14)) {
                    let along = if across { row } else { column };
                    image[(top + row) * side + left + column] = if along / width % 2 == 1 { height } else { 0.0 };
                }
            }
        }
    }
    amplitude(&image)
}

/// An intensity image from an NPY file, resized to `side * side` as PyTorch does it (bilinear with antialiasing); its amplitude from 0 to 1.
pub fn of_image(path: &Path, side: usize) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let opened = cupel_data::open(path)?;
    let cube = opened.cube::<f32>(None)?;
    let shape: Vec<usize> = cube.shape().to_vec();
    let [rows, columns] =
        <[usize; 2]>::try_from(shape).map_err(|shape| format!("an image has two axes, this has {shape:?}"))?;
    let values: Vec<f64> = cube.values().iter().map(|value| f64::from(*value)).collect();
    // rows, then columns, each by the weights of a triangle as wide as the ratio of sizes
    let across: Vec<f64> = values.chunks_exact(columns).flat_map(|row| resized(row, side)).collect();
    let turned: Vec<f64> = (0..side * rows).map(|place| across[place % rows * side + place / rows]).collect();
    let along: Vec<f64> = turned.chunks_exact(rows).flat_map(|column| resized(column, side)).collect();
    let image: Vec<f64> = (0..side * side).map(|place| along[place % side * side + place / side]).collect();
    Ok(amplitude(&image))
}

fn resized(values: &[f64], to: usize) -> Vec<f64> {
    let ratio = values.len() as f64 / to as f64;
    let reach = ratio.max(1.0);
    (0..to)
        .map(|place| {
            let middle = (place as f64 + 0.5) * ratio;
            let weights = values.iter().enumerate().map(|(from, value)| {
                let weight = (1.0 - ((from as f64 + 0.5 - middle) / reach).abs()).max(0.0);
                (weight * value, weight)
            });
            let (sum, weight) = weights.fold((0.0, 0.0), |(sum, all), (value, weight)| (sum + value, all + weight));
            sum / weight
        })
        .collect()
}

/// Scaled to 0..1, and its root.
fn amplitude(image: &[f64]) -> Vec<f64> {
    let low = image.iter().copied().fold(f64::INFINITY, f64::min);
    let high = image.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    image.iter().map(|value| ((value - low) / (high - low)).sqrt()).collect()
}
