//! Laws of weighted and masked moments.

use cupel_data::{AxisKind, Cube};
use cupel_pca::{Covariance, Error, Modes, Pca};

use super::samples::{assert_close, cube, rows, sky, uniform};

const CHANNELS: usize = 8;

fn weights(samples: usize, seed: u64) -> Cube<f32> {
    let values = uniform(samples * CHANNELS, seed).iter().map(|draw| (draw + 0.3).max(0.0) as f32).collect();
    cube(values, samples, CHANNELS)
}

fn of(values: &Cube<f32>, weights: &Cube<f32>) -> Covariance {
    let mut covariance = Covariance::new(values.axis(AxisKind::Frequency).unwrap());
    covariance.update_weighted(values, weights).unwrap();
    covariance
}

#[test]
fn weights_of_one_change_no_bit() {
    let sky = sky(1500, CHANNELS, 21);
    let ones = cube(vec![1.0f32; 1500 * CHANNELS], 1500, CHANNELS);
    let mut plain = Covariance::new(sky.axis(AxisKind::Frequency).unwrap());
    plain.update(&sky).unwrap();
    assert_eq!(of(&sky, &ones), plain);
    // and beside a block with other weights they count the same
    let mut some = vec![1.0f32; 1500 * CHANNELS];
    some[..CHANNELS].fill(0.0);
    let without_first = of(&sky, &cube(some, 1500, CHANNELS));
    let mut rest = Covariance::new(sky.axis(AxisKind::Frequency).unwrap());
    rest.update(&rows(&sky, 1..1500)).unwrap();
    assert_eq!(without_first.samples(), 1499);
    assert_close(&without_first.matrix().unwrap(), &rest.matrix().unwrap(), 1e-13, "matrix");
}

#[test]
fn what_lies_under_a_mask_changes_nothing() {
    let sky = sky(900, CHANNELS, 22);
    let weights = weights(900, 23);
    let expected = of(&sky, &weights);
    for hidden in [f32::NAN, f32::INFINITY, f32::MAX, -1e30] {
        let values = sky.values().iter().zip(weights.values());
        let values = values.map(|(&value, &weight)| if weight == 0.0 { hidden } else { value }).collect();
        assert_eq!(of(&cube(values, 900, CHANNELS), &weights), expected, "{hidden}");
    }
    let mut broken = sky.values().to_vec();
    let at = weights.values().iter().position(|&weight| weight > 0.0).unwrap();
    broken[at] = f32::NAN;
    let error = Covariance::new(sky.axis(AxisKind::Frequency).unwrap())
        .update_weighted(&cube(broken, 900, CHANNELS), &weights)
        .unwrap_err();
    assert!(matches!(error, Error::NotFinite { .. }), "{error}");
}

#[test]
fn weighted_parts_merge_to_the_definition_and_come_apart_again() {
    let (sky, weights) = (sky(1100, CHANNELS, 24), weights(1100, 25));
    let whole = of(&sky, &weights);
    let mut merged = Covariance::new(whole.axis());
    for start in (0..1100).step_by(130) {
        let range = start..(start + 130).min(1100);
        merged.merge(&of(&rows(&sky, range.clone()), &rows(&weights, range))).unwrap();
    }
    // by its definition, about the weighted mean of each channel
    let value = |sample: usize, channel: usize| f64::from(sky.values()[sample * CHANNELS + channel]);
    let weight = |sample: usize, channel: usize| f64::from(weights.values()[sample * CHANNELS + channel]);
    let mean: Vec<f64> = (0..CHANNELS)
        .map(|c| {
            (0..1100).map(|s| weight(s, c) * value(s, c)).sum::<f64>() / (0..1100).map(|s| weight(s, c)).sum::<f64>()
        })
        .collect();
    let samples = (0..1100).filter(|&s| (0..CHANNELS).any(|c| weight(s, c) > 0.0)).count() as f64;
    let entry = |a: usize, b: usize| {
        let pair = |s: usize| weight(s, a) * weight(s, b);
        let sum: f64 = (0..1100).map(|s| pair(s) * (value(s, a) - mean[a]) * (value(s, b) - mean[b])).sum();
        sum / (0..1100).map(pair).sum::<f64>() * samples / (samples - 1.0)
    };
    let expected: Vec<f64> = (0..CHANNELS * CHANNELS).map(|at| entry(at / CHANNELS, at % CHANNELS)).collect();
    assert_close(whole.mean(), &mean, 1e-12, "mean");
    assert_close(&whole.matrix().unwrap(), &expected, 1e-12, "whole");
    assert_close(&merged.matrix().unwrap(), &expected, 1e-12, "merged");
    merged.remove(&of(&rows(&sky, 0..400), &rows(&weights, 0..400))).unwrap();
    let rest = of(&rows(&sky, 400..1100), &rows(&weights, 400..1100));
    assert_eq!(merged.samples(), rest.samples());
    assert_close(&merged.matrix().unwrap(), &rest.matrix().unwrap(), 1e-11, "left");
}

#[test]
fn a_channel_that_is_missing_has_no_part_and_all_flagged_is_refused() {
    let sky = sky(400, CHANNELS, 26);
    let mut flags = vec![1.0f32; 400 * CHANNELS];
    flags.iter_mut().skip(2).step_by(CHANNELS).for_each(|flag| *flag = 0.0);
    let pca = Pca::new(Modes::Count(3));
    let components = pca.fit_weighted(&sky, &cube(flags, 400, CHANNELS), AxisKind::Frequency).unwrap();
    assert!(components.vectors().unwrap().iter().all(|vector| vector[2].abs() < 1e-14));
    let rest = sky.select(AxisKind::Frequency, &[0, 1, 3, 4, 5, 6, 7]).unwrap();
    let expected = pca.fit(&rest, AxisKind::Frequency).unwrap();
    assert_close(components.variances(), expected.variances(), 1e-12, "variances");
    let nothing = cube(vec![0.0f32; 400 * CHANNELS], 400, CHANNELS);
    let error = pca.fit_weighted(&sky, &nothing, AxisKind::Frequency).unwrap_err();
    assert!(matches!(error, Error::TooFewSamples { needed: 2, got: 0 }), "{error}");
}

#[test]
fn weights_that_are_none_are_refused() {
    let sky = sky(20, CHANNELS, 27);
    let mut covariance = Covariance::new(sky.axis(AxisKind::Frequency).unwrap());
    for wrong in [-1.0, f32::NAN, f32::INFINITY] {
        let mut values = vec![1.0f32; 20 * CHANNELS];
        values[CHANNELS + 3] = wrong;
        let error = covariance.update_weighted(&sky, &cube(values, 20, CHANNELS)).unwrap_err();
        assert!(matches!(error, Error::Weight { sample: 1, channel: 3, .. }), "{error}");
    }
    let error = covariance.update_weighted(&sky, &cube(vec![1.0; 19 * CHANNELS], 19, CHANNELS)).unwrap_err();
    assert!(matches!(error, Error::WeightShape { .. }), "{error}");
    assert_eq!(covariance.samples(), 0);
}
