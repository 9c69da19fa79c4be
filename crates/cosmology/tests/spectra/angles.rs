//! Angular power on a flat patch.

use std::f64::consts::{LN_2, TAU};

use cupel_cosmology::power::{Angular, Band, Bins, Volume};
use cupel_data::AxisKind;

use super::skies::{KINDS, cube, gaussian, near, variance, wave_numbers, white};

const SHAPE: [usize; 3] = [6, 64, 64];
const SIDE_DEG: [f64; 2] = [10.0, 10.0];

/// Channels of angular power `C_l`, each of its own draw.
fn skies(seed: u64, power: impl Fn(f64) -> f64) -> Vec<f32> {
    let side_rad = SIDE_DEG[0].to_radians();
    let channel = Volume::comoving([1, 64, 64], [1.0, side_rad, side_rad]).unwrap();
    (0..SHAPE[0] as u64)
        .flat_map(|index| gaussian(&channel, seed * 100 + index, |[multipole, _]| power(multipole)))
        .map(|value| value as f32)
        .collect()
}

#[test]
fn the_angular_power_of_all_multipoles_is_the_variance() {
    let values = skies(1, |multipole| (1.0 + multipole).powi(-2));
    let angular = Angular::new(&cube(values.clone(), SHAPE), SIDE_DEG, None, None, &Bins::Fundamental).unwrap();
    let solid_angle = SIDE_DEG[0].to_radians() * SIDE_DEG[1].to_radians();
    for (bands, plane) in angular.channels.iter().zip(values.chunks(64 * 64)) {
        let mean = plane.iter().map(|value| f64::from(*value)).sum::<f64>() / 4096.0;
        let centred: Vec<f64> = plane.iter().map(|value| f64::from(*value) - mean).collect();
        let sum: f64 = bands.iter().filter(|b| b.modes > 0).map(|band| band.power * band.modes as f64).sum();
        near(sum / solid_angle, variance(&centred), 1e-10, "variance");
        near(bands[0].k, 36.0 * (1.0 + 2.0_f64.sqrt()) / 2.0, 1e-9, "the lowest multipole is 2 pi / theta");
    }
}

#[test]
fn an_injected_angular_power_is_found_through_a_beam() {
    let power = |multipole: f64| 1e-3 * (multipole / 500.0).powf(-1.5);
    let (beam_deg, seeds) = (0.3_f64, 10);
    let width = beam_deg.to_radians() / (8.0 * LN_2).sqrt();
    let edges: Vec<f64> = (0..6).map(|i| 150.0 + 150.0 * f64::from(i)).collect();
    // the mean of the modes of each bin
    let side_rad = SIDE_DEG[0].to_radians();
    let channel = Volume::comoving([1, 64, 64], [1.0, side_rad, side_rad]).unwrap();
    let expected = |bin: usize| {
        let all = wave_numbers(&channel).into_iter().map(|[multipole, _]| multipole);
        let own: Vec<f64> = all.filter(|l| *l >= edges[bin] && *l < edges[bin + 1]).map(power).collect();
        own.iter().sum::<f64>() / own.len() as f64
    };
    let expected: Vec<f64> = (0..5).map(expected).collect();
    let mut mean = [0.0; 5];
    let (mut covered, mut all) = (0, 0);
    for seed in 0..seeds {
        let seen = |l: f64| power(l) * (-l * (l + 1.0) * width * width).exp();
        let sky = cube(skies(10 + seed, seen), SHAPE);
        let beams = [beam_deg; SHAPE[0]];
        let angular = Angular::new(&sky, SIDE_DEG, None, Some(&beams), &Bins::Edges(edges.clone())).unwrap();
        for (index, band) in angular.mean().iter().enumerate() {
            mean[index] += band.power / expected[index] / seeds as f64;
        }
        for bands in &angular.channels {
            let covers = |(band, expected): (&Band, &f64)| (band.power - expected).abs() < band.sigma;
            covered += bands.iter().zip(&expected).filter(|pair| covers(*pair)).count();
            all += bands.len();
        }
    }
    for ratio in mean {
        near(ratio, 1.0, 0.03, "power over the multipole of its bin");
    }
    assert!((covered as f64 / all as f64 - 0.68).abs() < 0.08, "{covered} of {all}");
}

#[test]
fn masks_keep_the_level_and_lost_channels_have_no_power() {
    let values: Vec<f32> = white(SHAPE, 5).iter().map(|value| *value as f32).collect();
    let pixel = (SIDE_DEG[0].to_radians() / 64.0).powi(2);
    let weights: Vec<f32> =
        (0..values.len()).map(|cell| if cell / 4096 == 2 || cell % 64 < 20 { 0.0 } else { 1.0 }).collect();
    let sky = cube(values, SHAPE);
    let mask = cube(weights, SHAPE).permuted(&[KINDS[2], KINDS[0], KINDS[1]]).unwrap();
    let angular = Angular::new(&sky, SIDE_DEG, Some(&mask), None, &Bins::Linear(4)).unwrap();
    assert!(angular.channels[2].iter().all(|band| band.power.is_nan() && band.sigma.is_nan()));
    for band in angular.mean() {
        assert!((band.power - pixel).abs() < 3.0 * band.sigma && band.power.is_finite(), "{band:?} {pixel}");
    }
    near(Angular::variance_per_logarithm(&angular.mean()[1]), angular.mean()[1].k.powi(2) * pixel / TAU, 0.1, "D_l");
    assert!(Angular::new(&sky, [10.0, 0.0], None, None, &Bins::Linear(4)).is_err());
    assert!(Angular::new(&sky, SIDE_DEG, None, Some(&[0.1]), &Bins::Linear(4)).is_err());
    let unnamed = sky.rename(&[AxisKind::Sample, KINDS[1], KINDS[2]]).unwrap();
    assert!(Angular::new(&unnamed, SIDE_DEG, None, None, &Bins::Linear(4)).is_err());
}
