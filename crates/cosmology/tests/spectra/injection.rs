//! Transfer by injection: a known filter is found, and what it took is given back.

use cupel_cosmology::{
    Error,
    power::{Binning, Bins, Estimator, Volume, transfer},
};
use cupel_data::Cube;
use num_complex::Complex;

use super::skies::{cube, gaussian_cube, near, transform, wave_numbers};

fn volume() -> Volume {
    Volume::comoving([16, 16, 16], [100.0; 3]).unwrap()
}

/// Every mode times `gain(k_perp, k_par)`.
fn filtered(sky: &Cube<f32>, gain: impl Fn([f64; 2]) -> f64) -> Cube<f32> {
    let volume = volume();
    let mut modes: Vec<Complex<f64>> = sky.values().iter().map(|value| Complex::from(f64::from(*value))).collect();
    transform(&mut modes, volume.shape(), false);
    modes.iter_mut().zip(wave_numbers(&volume)).for_each(|(mode, k)| *mode *= gain(k));
    transform(&mut modes, volume.shape(), true);
    cube(modes.iter().map(|mode| (mode.re / volume.len() as f64) as f32).collect(), volume.shape())
}

fn mocks(count: u64) -> Vec<Cube<f32>> {
    (0..count).map(|seed| gaussian_cube(&volume(), 50 + seed, |_| 1e4)).collect()
}

#[test]
fn the_transfer_of_a_filter_is_the_filter() {
    let estimator = Estimator::new(volume()).without_emptied_modes();
    let foreground = gaussian_cube(&volume(), 1, |[k_perp, k_par]| 1e6 / (k_perp.hypot(k_par) + 0.01));
    let gain = |k_par: f64| 1.0 - (-(k_par / 0.2).powi(2)).exp();
    let found = transfer(&estimator, &Binning::Parallel(Bins::Fundamental), &foreground, &mocks(4), |sky| {
        Ok::<_, Error>(filtered(sky, |[_, k_par]| gain(k_par)))
    })
    .unwrap();
    assert_eq!(found.mocks, 4);
    for band in &found.bands {
        near(band.transfer, gain(band.k), 1e-4, "transfer");
        assert!(band.scatter < 1e-4 && band.sigma < band.scatter, "{band:?}");
    }
}

#[test]
fn what_a_projection_took_is_given_back_once() {
    // Whole columns of modes are taken, as components take them: T is the share that is left, and so is the power.
    let estimator = Estimator::new(volume()).without_emptied_modes();
    let projection =
        |sky: &Cube<f32>| Ok::<_, Error>(filtered(sky, |[k_perp, _]| if k_perp < 0.22 { 0.0 } else { 1.0 }));
    let binning = Binning::Spherical(Bins::Linear(5));
    let signal = gaussian_cube(&volume(), 7, |[k_perp, k_par]| 1e4 * (k_perp.hypot(k_par) / 0.1).powi(-1));
    let found = transfer(&estimator, &binning, &signal, &mocks(12), projection).unwrap();
    let cleaned = estimator.power(&estimator.modes(&projection(&signal).unwrap()).unwrap(), &binning).unwrap();
    let whole = estimator.power(&estimator.modes(&signal).unwrap(), &binning).unwrap();
    assert!(found.bands[1].transfer < 0.95 && found.bands[1].scatter > 1e-4, "something is lost: {found:?}");
    let corrected = found.correct(&cleaned).unwrap();
    assert!(corrected[0].power.is_nan(), "of the first shell nothing is left to correct: {:?}", corrected[0]);
    for (corrected, whole) in corrected.iter().zip(&whole).skip(1) {
        assert!((corrected.power - whole.power).abs() < 2.5 * corrected.sigma, "{corrected:?} {whole:?}");
        near(corrected.power, whole.power, 0.25, "corrected power");
    }
    let others = estimator.power(&estimator.modes(&signal).unwrap(), &Binning::Spherical(Bins::Linear(4))).unwrap();
    assert!(found.correct(&others).is_err(), "other bins");
}

#[test]
fn the_cleaning_is_fitted_again_with_every_mock() {
    let estimator = Estimator::new(volume()).without_emptied_modes();
    let calls = std::cell::RefCell::new(Vec::new());
    let sky = gaussian_cube(&volume(), 2, |_| 1e6);
    let clean = |sky: &Cube<f32>| {
        calls.borrow_mut().push(sky.values()[17]);
        Ok::<_, Error>(sky.clone())
    };
    let found = transfer(&estimator, &Binning::Spherical(Bins::Linear(3)), &sky, &mocks(3), clean).unwrap();
    assert!(found.bands.iter().all(|band| (band.transfer - 1.0).abs() < 1e-4), "nothing is taken");
    let expected: Vec<f32> = mocks(3).iter().map(|mock| sky.values()[17] + mock.values()[17]).collect();
    assert_eq!(calls.borrow()[1..], expected);
    let one = transfer(&estimator, &Binning::Spherical(Bins::Linear(3)), &sky, &mocks(1), clean).unwrap_err();
    assert!(one.to_string().contains("two mocks at least"), "{one}");
    let other = cube(vec![0.0; 8], [2, 2, 2]);
    let binning = Binning::Spherical(Bins::Linear(3));
    assert!(transfer(&estimator, &binning, &sky, &[other.clone(), other], clean).is_err(), "mocks of another shape");
}
