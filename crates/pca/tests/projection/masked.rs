//! Masked projection: what lies under a mask has no say.

use cupel_data::{AxisKind, Complex, Cube, Stream};
use cupel_pca::{Error, Modes, Pca, Projector, SpectralFilter};

use super::samples::{complex_sky, cosmology_data, difference, parts, published, rms, sky, wide};

const CHANNELS: usize = 32;

/// 0 for about one value in five and for channel 5, else 1.
fn flags(like: &Cube<f32>, seed: u64) -> Cube<f32> {
    let mut draws = vec![0.0f32; like.len()];
    Stream::new(seed, "flags").fill_uniform(&mut draws);
    let weight = |(i, draw): (usize, f32)| f32::from(u8::from(draw > 0.2 && i % CHANNELS != 5));
    Cube::new(draws.into_iter().enumerate().map(weight).collect(), like.axes().clone()).unwrap()
}

fn under<T: Copy + Send + Sync>(data: &Cube<T>, weights: &Cube<f32>, value: T) -> Cube<T> {
    let filled = data.values().iter().zip(weights.values()).map(|(&v, &w)| if w == 0.0 { value } else { v });
    Cube::new(filled.collect(), data.axes().clone()).unwrap()
}

#[test]
fn what_lies_under_the_mask_changes_no_bit() {
    let sky = sky(600, CHANNELS, 31);
    let weights = flags(&sky, 1);
    let clean = |value: f32| {
        let data = under(&sky, &weights, value);
        let components = Pca::new(Modes::Count(4)).fit_weighted(&data, &weights, AxisKind::Frequency).unwrap();
        Projector::new(&components).apply_masked(&data, &weights).unwrap()
    };
    let expected = clean(0.0);
    assert_eq!(expected.undetermined, 0);
    for value in [f32::NAN, f32::INFINITY, 1e30, -7.0] {
        let got = clean(value);
        let same = got.values.values().iter().zip(expected.values.values()).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "{value} under the mask shows");
    }
    for (value, weight) in expected.values.values().iter().zip(weights.values()) {
        assert_eq!(value.is_nan(), *weight == 0.0);
    }
}

#[test]
fn weights_of_one_are_no_weights() {
    let sky = complex_sky(300, CHANNELS, 32);
    let ones = sky.map(|_| 1.0f32);
    for hermitian in [false, true] {
        let pca = if hermitian { Pca::new(Modes::Count(6)).hermitian() } else { Pca::new(Modes::Count(6)) };
        let components = pca.fit(&sky, AxisKind::Frequency).unwrap();
        for filter in [SpectralFilter::Cut, SpectralFilter::Threshold(0.04), SpectralFilter::Automatic] {
            let projector = Projector::filtered(&components, filter).unwrap();
            let expected = parts(projector.apply(&sky).unwrap().values());
            let got = projector.apply_masked(&sky, &ones).unwrap();
            let got = parts(got.values.values());
            assert!(difference(&got, &expected) < 1e-6, "{hermitian} {filter:?} {}", difference(&got, &expected));
        }
    }
}

/// The amplitudes are the least squares: no other ones leave less where there are data.
#[test]
fn amplitudes_are_those_of_least_squares() {
    let sky = sky(200, CHANNELS, 33);
    let weights = flags(&sky, 2);
    let components = Pca::new(Modes::Count(4)).fit(&sky, AxisKind::Frequency).unwrap();
    let cleaned = Projector::new(&components).apply_masked(&sky, &weights).unwrap();
    let scale = rms(wide(sky.values()));
    for (row, weights) in cleaned.values.values().chunks(CHANNELS).zip(weights.values().chunks(CHANNELS)) {
        for mode in components.vectors().unwrap() {
            let kept = row.iter().zip(weights).zip(mode).filter(|((_, w), _)| **w > 0.0);
            let along: f64 = kept.map(|((&v, _), m)| f64::from(v) * m).sum();
            assert!(along.abs() < 1e-7 * scale, "{along}");
        }
    }
}

#[test]
fn samples_with_too_few_channels_are_left_out_and_counted() {
    let sky = sky(50, CHANNELS, 34);
    let components = Pca::new(Modes::Count(4)).fit(&sky, AxisKind::Frequency).unwrap();
    let few = |i: usize| match i / CHANNELS {
        3 => f32::from(u8::from(i % CHANNELS < 3)),
        4 => 0.0,
        _ => 1.0,
    };
    let weights = Cube::new((0..sky.len()).map(few).collect(), sky.axes().clone()).unwrap();
    let cleaned = Projector::new(&components).apply_masked(&sky, &weights).unwrap();
    assert_eq!(cleaned.undetermined, 2);
    let lost = |i: usize| matches!(i / CHANNELS, 3 | 4);
    assert!(cleaned.values.values().iter().enumerate().all(|(i, v)| v.is_nan() == lost(i)));
    assert!(cleaned.weights.values().iter().enumerate().all(|(i, &w)| (w == 0.0) == lost(i)));
}

#[test]
fn weights_that_are_none_are_refused() {
    let sky = sky(20, CHANNELS, 35);
    let projector = Projector::new(&Pca::new(Modes::Count(2)).fit(&sky, AxisKind::Frequency).unwrap());
    let filled = |value: f32| sky.map(move |_| value);
    assert!(matches!(projector.apply_masked(&sky, &filled(0.0)), Err(Error::AllFlagged)));
    assert!(matches!(projector.apply_masked(&sky, &filled(-1.0)), Err(Error::Weight { sample: 0, channel: 0, .. })));
    assert!(matches!(projector.apply_masked(&sky, &filled(f32::NAN)), Err(Error::Weight { .. })));
    let turned = filled(1.0).permuted(&[AxisKind::Frequency, AxisKind::Sample]).unwrap();
    assert!(matches!(projector.apply_masked(&sky, &turned), Err(Error::WeightShape { .. })));
    let mut values = sky.values().to_vec();
    values[CHANNELS + 1] = f32::NAN;
    let broken = Cube::new(values, sky.axes().clone()).unwrap();
    let error = projector.apply_masked(&broken, &filled(1.0)).unwrap_err();
    assert!(matches!(error, Error::NotFinite { sample: 1, channel: 1, .. }), "{error}");
}

/// Uncalibrated visibilities of HERA with interference at 120-125 MHz: flags keep it out of the fit and of the result.
#[test]
fn real_interference_under_flags_changes_nothing_and_worsens_nothing() {
    let Some(folder) = cosmology_data() else { return };
    let kinds = [AxisKind::Baseline, AxisKind::Frequency, AxisKind::Time, AxisKind::Polarisation];
    let all = published::<Complex<f32>>(&folder, "hera_h1c_real_vis_bl_freq_time_pol.npy", &kinds);
    let one = [AxisKind::Dimension(0)];
    let frequencies = published::<f64>(&folder, "hera_h1c_real_freqs_hz.npy", &one);
    // 110 to 129 MHz, and the two baselines that are no autocorrelations
    let chosen: Vec<usize> = (100..300).collect();
    let data = all.select(AxisKind::Frequency, &chosen).unwrap().select(AxisKind::Baseline, &[1, 2]).unwrap();
    let disturbed = |megahertz: f64| (119.9..125.1).contains(&megahertz);
    let flagged: Vec<bool> = chosen.iter().map(|&channel| disturbed(frequencies.values()[channel] / 1e6)).collect();
    assert!(flagged.iter().any(|&flag| flag) && flagged.iter().any(|&flag| !flag));
    let inner = 36 * 2;
    let weight = |i: usize| f32::from(u8::from(!flagged[i / inner % 200]));
    let weights = Cube::new((0..data.len()).map(weight).collect(), data.axes().clone()).unwrap();
    let modes = Modes::Count(6);
    let masked = |data: &Cube<Complex<f32>>| {
        let components = Pca::new(modes).fit_weighted(data, &weights, AxisKind::Frequency).unwrap();
        Projector::new(&components).apply_masked(data, &weights).unwrap().values
    };
    let cleaned = masked(&data);
    let nonsense = masked(&under(&data, &weights, Complex::new(f32::NAN, 1e30)));
    let rest = |cube: &Cube<Complex<f32>>| -> Vec<f64> {
        let kept = cube.values().iter().zip(weights.values()).filter(|(_, w)| **w > 0.0);
        kept.flat_map(|(v, _)| [f64::from(v.re), f64::from(v.im)]).collect()
    };
    assert_eq!(rest(&cleaned), rest(&nonsense));
    let unmasked = Projector::new(&Pca::new(modes).fit(&data, AxisKind::Frequency).unwrap()).apply(&data).unwrap();
    let [masked, unmasked] = [&cleaned, &unmasked].map(|cube| rms(rest(cube)));
    eprintln!("real HERA: rms on the rest {masked:.4e} masked, {unmasked:.4e} unmasked");
    assert!(masked <= unmasked, "{masked} {unmasked}");
}
