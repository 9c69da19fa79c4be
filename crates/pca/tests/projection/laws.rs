//! Identities of the projection, and what it refuses.

use cupel_data::{Axes, Axis, AxisKind, Complex, Cube};
use cupel_pca::{Covariance, Error, GroupedCovariance, Grouping, Modes, Number, Pca, Projector, SpectralFilter};

use super::samples::{band, complex_sky, difference, parts, rms, sky, wide};

const CHANNELS: usize = 24;

/// What a sum of small eigenvalues in f64 is sure of.
fn rounding(eigenvalues: &[f64]) -> f64 {
    f64::EPSILON * eigenvalues[0] * eigenvalues.len() as f64
}

/// In f64, so that the laws are not hidden by rounding to f32.
fn exact(cube: &Cube<f32>) -> Cube<f64> {
    cube.map(|&value| f64::from(value))
}

#[test]
fn twice_is_once_and_nothing_is_left_along_the_modes() {
    let sky = exact(&sky(500, CHANNELS, 1));
    let components = Pca::new(Modes::Count(4)).fit(&sky, AxisKind::Frequency).unwrap();
    let once = Projector::new(&components).apply(&sky).unwrap();
    let scale = rms(sky.values().iter().copied());
    // of a sample without its mean, the projector takes the mean again: compare on centred components
    let twice = Projector::new(&Pca::new(Modes::Count(4)).fit(&sky, AxisKind::Frequency).unwrap());
    let centred = Cube::new(
        once.values().chunks(CHANNELS).flat_map(|row| row.iter().zip(components.mean()).map(|(v, m)| v + m)).collect(),
        once.axes().clone(),
    )
    .unwrap();
    for (a, b) in twice.apply(&centred).unwrap().values().iter().zip(once.values()) {
        assert!((a - b).abs() < 1e-12 * scale, "{a} {b}");
    }
    for row in once.values().chunks(CHANNELS) {
        for mode in components.vectors().unwrap() {
            let along: f64 = row.iter().zip(mode).map(|(v, m)| v * m).sum();
            assert!(along.abs() < 1e-12 * scale * CHANNELS as f64, "{along}");
        }
    }
}

#[test]
fn what_is_left_has_no_mean_and_the_variance_of_the_other_modes() {
    let sky = exact(&sky(700, CHANNELS, 2));
    let components = Pca::new(Modes::Count(4)).fit(&sky, AxisKind::Frequency).unwrap();
    let left = Projector::new(&components).apply(&sky).unwrap();
    let variance: f64 = left.values().iter().map(|v| v * v).sum::<f64>() / 699.0;
    let expected: f64 = components.eigenvalues()[4..].iter().sum();
    let sure = rounding(components.eigenvalues());
    assert!((variance - expected).abs() < sure, "{variance} {expected}, sure to {sure}");
    for channel in 0..CHANNELS {
        let mean: f64 = left.values().iter().skip(channel).step_by(CHANNELS).sum::<f64>() / 700.0;
        assert!(mean.abs() < 1e-9, "{mean}");
    }
}

#[test]
fn no_mode_takes_the_mean_and_all_modes_take_everything() {
    let sky = exact(&sky(300, CHANNELS, 3));
    let components = Pca::new(Modes::Count(0)).fit(&sky, AxisKind::Frequency).unwrap();
    let left = Projector::new(&components).apply(&sky).unwrap();
    for (row, original) in left.values().chunks(CHANNELS).zip(sky.values().chunks(CHANNELS)) {
        for ((left, value), mean) in row.iter().zip(original).zip(components.mean()) {
            assert!((left - (value - mean)).abs() < 1e-12 * value.abs().max(1.0));
        }
    }
    let nothing = Projector::leading(&components, CHANNELS).unwrap().apply(&sky).unwrap();
    let scale = rms(sky.values().iter().copied());
    assert!(nothing.values().iter().all(|left| left.abs() < 1e-11 * scale));
    let error = Projector::leading(&components, CHANNELS + 1).unwrap_err();
    assert!(matches!(error, Error::ComponentCount { asked: 25, channels: 24 }), "{error}");
}

#[test]
fn complex_data_obey_the_same_laws_under_both_bases() {
    let sky = complex_sky(400, CHANNELS, 4).map(|v| Complex::new(f64::from(v.re), f64::from(v.im)));
    for hermitian in [false, true] {
        let pca = Pca::new(Modes::Count(5));
        let pca = if hermitian { pca.hermitian() } else { pca };
        let components = pca.fit(&sky, AxisKind::Frequency).unwrap();
        let left = Projector::new(&components).apply(&sky).unwrap();
        // real and imaginary parts are samples of their own where the basis is real
        let degrees = if hermitian { 399.0 } else { 799.0 };
        let variance = left.values().iter().map(Complex::norm_sqr).sum::<f64>() / degrees;
        let expected: f64 = components.eigenvalues()[5..].iter().sum();
        let sure = rounding(components.eigenvalues());
        assert!((variance - expected).abs() < sure, "{hermitian}: {variance} {expected}, sure to {sure}");
    }
}

#[test]
fn a_complex_basis_of_real_data_is_the_real_basis() {
    let real = sky(400, CHANNELS, 5);
    let complex = real.map(|&value| Complex::new(value, 0.0));
    let expected = {
        let components = Pca::new(Modes::Count(4)).fit(&real, AxisKind::Frequency).unwrap();
        Projector::new(&components).apply(&real).unwrap()
    };
    let components = Pca::new(Modes::Count(4)).hermitian().fit(&complex, AxisKind::Frequency).unwrap();
    let projector = Projector::new(&components);
    let got = projector.apply(&complex).unwrap();
    let re: Vec<f64> = got.values().iter().map(|v| v.re.into()).collect();
    assert!(difference(&re, &wide(expected.values())) < 1e-5);
    assert!(got.values().iter().all(|v| v.im.abs() < 1e-6));
    assert_eq!(projector.modes(), 4);
    assert!(matches!(projector.apply(&real), Err(Error::NeedsComplex)));
}

#[test]
fn any_order_of_axes_gives_the_same_values() {
    let flat = sky(12 * 30, CHANNELS, 6);
    let axes = Axes::new(vec![Axis::new(AxisKind::Row, 12), Axis::new(AxisKind::Column, 30), band(CHANNELS)]).unwrap();
    let cube = Cube::new(flat.values().to_vec(), axes).unwrap();
    let projector = Projector::new(&Pca::new(Modes::Count(4)).fit(&cube, AxisKind::Frequency).unwrap());
    let expected = projector.apply(&cube).unwrap();
    for kinds in
        [[AxisKind::Frequency, AxisKind::Row, AxisKind::Column], [AxisKind::Column, AxisKind::Frequency, AxisKind::Row]]
    {
        let got = projector.apply(&cube.permuted(&kinds).unwrap()).unwrap();
        assert_eq!(got.axes().kinds(), kinds);
        assert_eq!(got.permuted(&expected.axes().kinds()).unwrap(), expected);
    }
}

/// Two axes of 128 hid for months that the modes were taken along right ascension, and a reshape to rows of 128 hid
/// that voxels were scrambled.
#[test]
fn axes_of_equal_length_are_not_mistaken_for_one_another() {
    let length = 16;
    let axes = |kinds: [AxisKind; 3]| Axes::new(kinds.map(|kind| Axis::new(kind, length)).to_vec()).unwrap();
    let values = sky(length * length, length, 7).into_values();
    let cube = Cube::new(values, axes([AxisKind::Baseline, AxisKind::RightAscension, AxisKind::Frequency])).unwrap();
    let projector = Projector::new(&Pca::new(Modes::Count(4)).fit(&cube, AxisKind::Frequency).unwrap());
    let expected = projector.apply(&cube).unwrap();
    // permuted once more, the axis is still found by its name
    let turned = cube.permuted(&[AxisKind::RightAscension, AxisKind::Frequency, AxisKind::Baseline]).unwrap();
    let got = projector.apply(&turned).unwrap().permuted(&expected.axes().kinds()).unwrap();
    assert_eq!(got, expected);
    // without the axis there is nothing to project along
    let misnamed = cube.clone().rename(&[AxisKind::Baseline, AxisKind::RightAscension, AxisKind::Time]).unwrap();
    assert!(matches!(projector.apply(&misnamed), Err(Error::Data(cupel_data::Error::MissingAxis { .. }))));
    // other frequencies of the same number are another axis, and the message names both
    let other = Axis::new(AxisKind::Frequency, length);
    let other = other.with_coordinates((0..length).map(|i| 100.0 + i as f64).collect(), "MHz").unwrap();
    let message = projector.apply(&cube.clone().with_axis(other).unwrap()).unwrap_err().to_string();
    assert!(message.contains("from 100 to 115 MHz") && message.contains("without coordinates"), "{message}");
    let short = cube.select(AxisKind::Frequency, &(0..8).collect::<Vec<_>>()).unwrap();
    let message = projector.apply(&short).unwrap_err().to_string();
    assert!(message.contains("16 channels") && message.contains("8 channels"), "{message}");
}

#[test]
fn a_value_that_is_not_finite_is_named() {
    let mut values = sky(40, CHANNELS, 8).into_values();
    let good = Cube::new(values.clone(), sky(40, CHANNELS, 8).axes().clone()).unwrap();
    let projector = Projector::new(&Pca::new(Modes::Count(2)).fit(&good, AxisKind::Frequency).unwrap());
    values[3 * CHANNELS + 7] = f32::NAN;
    let error = projector.apply(&Cube::new(values, good.axes().clone()).unwrap()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { sample: 3, channel: 7, .. }), "{error}");
}

/// A projector of groups is the projector of each group on its positions, wherever the group axis stands.
#[test]
fn groups_are_cleaned_each_by_its_own() {
    let (baselines, times) = (6, 80);
    let values = parts_of(complex_sky(baselines * times, CHANNELS, 9));
    let axes = vec![Axis::new(AxisKind::Baseline, baselines), Axis::new(AxisKind::Time, times), band(CHANNELS)];
    let data = Cube::new(values, Axes::new(axes).unwrap()).unwrap();
    let data = data.permuted(&[AxisKind::Time, AxisKind::Frequency, AxisKind::Baseline]).unwrap();
    let grouping = Grouping::by_size(AxisKind::Baseline, &[3.0, 1.0, 9.0, 8.0, 2.0, 7.0], 2).unwrap();
    let mut covariance = GroupedCovariance::new(grouping.clone(), &Covariance::new(&band(CHANNELS))).unwrap();
    covariance.update(&data, 0).unwrap();
    let components = covariance.components(Modes::Count(4)).unwrap();
    let got = Projector::grouped(&components, SpectralFilter::Cut).unwrap().apply(&data).unwrap();
    assert_eq!(got.axes(), data.axes());
    for (group, of_group) in components.groups().iter().enumerate() {
        let chosen: Vec<usize> = (0..baselines).filter(|&i| grouping.assignment()[i] == group).collect();
        let expected = Projector::new(of_group).apply(&data.select(AxisKind::Baseline, &chosen).unwrap()).unwrap();
        assert_eq!(got.select(AxisKind::Baseline, &chosen).unwrap().values(), expected.values());
    }
    let fewer = data.select(AxisKind::Baseline, &[0, 1]).unwrap();
    let error = Projector::grouped(&components, SpectralFilter::Cut).unwrap().apply(&fewer).unwrap_err();
    assert_eq!(error.to_string(), "grouping along the baseline axis: 6 positions have a group, the data have 2");
}

fn parts_of<T: Number>(cube: Cube<T>) -> Vec<T> {
    cube.into_values()
}

#[test]
fn the_floor_is_that_of_storage_in_f32_and_warns() {
    let bright = sky(900, CHANNELS, 10);
    let components = Pca::new(Modes::Count(4)).fit(&bright, AxisKind::Frequency).unwrap();
    let projector = Projector::new(&components);
    let ratio = rms(wide(bright.values())) / rms(wide(projector.apply(&bright).unwrap().values()));
    let expected = f64::from(f32::EPSILON) * ratio;
    assert!((projector.floor() / expected - 1.0).abs() < 0.02, "{} {expected}", projector.floor());
    assert!((projector.floor() / components.quantisation_floor() - 1.0).abs() < 0.02);
    assert!(projector.warning().is_none(), "{:?}", projector.warning());
    // a signal a hundred times fainter is eaten by the rounding
    let faint = complex_sky(900, CHANNELS, 10).map(|v| v * 100.0);
    let flat: Vec<f64> = parts(faint.values());
    assert!(rms(flat) > 1e4);
    let all = Projector::leading(&components, CHANNELS).unwrap();
    assert!(all.floor().is_infinite() && all.warning().is_some());
}
