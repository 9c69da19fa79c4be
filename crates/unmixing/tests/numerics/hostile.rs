//! Scenes that nobody means to unmix: a typed error or a finite result, never a panic, never a hang.

use std::{sync::mpsc, thread, time::Duration};

use cupel_data::Stream;
use cupel_unmixing::{
    Abundances, Convention, Endmembers, Error, Method, Pixels, Unmixed, Unmixing, UnmixingConfig, hfc, hysime, nfindr,
    spa, vca,
};
use cupel_unmixing::{Moments, Noise};

use super::samples::{brightened, rough_endmembers, uniform, with_pure_pixels};

/// Longer than any of these scenes takes, even unoptimised on a busy machine.
const DEADLINE: Duration = Duration::from_secs(240);

/// Runs `work` on a thread of its own, so that a hang becomes a failure.
fn in_time<T: Send + 'static>(what: String, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(work()));
    match receiver.recv_timeout(DEADLINE) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what}: no answer in {DEADLINE:?}"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{what}: panicked"),
    }
}

fn unmix(what: &str, pixels: &Pixels, method: Method, endmembers: usize) -> cupel_unmixing::Result<Unmixed> {
    let config = UnmixingConfig { method, restarts: 2, seed: 1, ..UnmixingConfig::new(endmembers) };
    let (pixels, what) = (pixels.clone(), format!("{what}, {}, {endmembers} endmembers", method.name()));
    in_time(what, move || Unmixing::new(config).fit_pixels(&pixels))
}

/// Every number of a result is one, and every constraint holds.
fn assert_sound(what: &str, unmixed: &Unmixed, pixels: &Pixels) {
    assert!(unmixed.endmembers.values().iter().all(|v| v.is_finite()), "{what}: endmembers");
    for (convention, abundances) in &unmixed.abundances {
        assert_eq!(abundances.count(), pixels.count());
        let sound = |row: &[f64]| {
            let sum: f64 = row.iter().sum();
            row.iter().all(|a| a.is_finite() && *a >= 0.0)
                && (*convention == Convention::Nnls || (sum - 1.0).abs() < 1e-9)
        };
        for row in abundances.rows() {
            assert!(sound(row), "{what}: {} {row:?}", convention.name());
        }
    }
    assert!(unmixed.brightness.iter().chain(&unmixed.errors).all(|v| v.is_finite()), "{what}: brightness and errors");
    for evidence in &unmixed.evidence {
        let numbers = [evidence.held_out_distance, evidence.entropy, evidence.collinearity, evidence.instability_rad];
        assert!(numbers.iter().chain([&evidence.score]).all(|v| v.is_finite()), "{what}: {evidence:?}");
    }
}

/// A finite result from every method.
fn works(what: &str, pixels: &Pixels, endmembers: usize) {
    for method in Method::EXTRACTORS {
        let what = format!("{what}, {}, {endmembers} endmembers", method.name());
        match unmix(&what, pixels, method, endmembers) {
            Ok(unmixed) => assert_sound(&what, &unmixed, pixels),
            Err(error) => panic!("{what}: {error}"),
        }
    }
}

/// A finite result or an error that says something.
fn does_no_harm(what: &str, pixels: &Pixels, endmembers: usize) {
    for method in Method::EXTRACTORS {
        match unmix(what, pixels, method, endmembers) {
            Ok(unmixed) => assert_sound(&format!("{what}, {}", method.name()), &unmixed, pixels),
            Err(error) => eprintln!("{what}, {}, {endmembers} endmembers: {error}", method.name()),
        }
    }
}

fn noise(pixels: usize, bands: usize, seed: u64) -> Pixels {
    let values = uniform(Stream::new(seed, "hostile"), pixels * bands).into_iter().map(|u| (0.1 + u) as f32);
    Pixels::new(values.collect::<Vec<_>>().into(), bands).unwrap()
}

#[test]
fn impossible_numbers_of_endmembers_are_refused_with_what_is_possible() {
    let pixels = noise(40, 6, 1);
    for asked in [0, 7, 41, usize::MAX] {
        for method in Method::EXTRACTORS {
            let error = unmix("too many", &pixels, method, asked).unwrap_err();
            let Error::EndmemberCount { asked: got, bands: 6, .. } = error else { panic!("{error}") };
            assert_eq!(got, asked);
        }
        let stream = Stream::new(1, "hostile");
        assert!(matches!(vca(&pixels, asked, stream), Err(Error::EndmemberCount { .. })));
        assert!(matches!(nfindr(&pixels, asked, 2, stream), Err(Error::EndmemberCount { .. })));
        assert!(matches!(spa(&pixels, asked), Err(Error::EndmemberCount { .. })));
    }
    let few = noise(3, 20, 2);
    for method in Method::EXTRACTORS {
        assert!(matches!(unmix("few pixels", &few, method, 4), Err(Error::EndmemberCount { .. })));
    }
    let without = UnmixingConfig { restarts: 0, ..UnmixingConfig::new(2) };
    assert!(Unmixing::new(without).fit_pixels(&pixels).unwrap_err().to_string().contains("restarts = 0: expected"));
}

#[test]
fn one_endmember_is_possible() {
    for (pixels, bands) in [(50, 8), (50, 1), (2, 8)] {
        let scene = noise(pixels, bands, 3);
        works("one endmember", &scene, 1);
        let stream = Stream::new(1, "hostile");
        assert_eq!(vca(&scene, 1, stream).unwrap().count(), 1);
        assert_eq!(nfindr(&scene, 1, 2, stream).unwrap().len(), 1);
    }
}

#[test]
fn as_many_endmembers_as_bands_are_possible() {
    works("two bands", &noise(60, 2, 4), 2);
    works("five bands", &noise(60, 5, 5), 5);
}

#[test]
fn constant_scenes_and_scenes_with_fewer_materials_than_asked_for_do_no_harm() {
    let one = Pixels::new([0.2f32, 0.5, 0.9, 0.4].repeat(64).into(), 4).unwrap();
    let two: Vec<f32> = (0..80).flat_map(|n| if n % 2 == 0 { [0.1f32, 0.9, 0.3] } else { [0.8, 0.2, 0.5] }).collect();
    let two = Pixels::new(two.into(), 3).unwrap();
    let ones = Pixels::new(vec![1.0f32; 60].into(), 6).unwrap();
    for endmembers in 1..=3 {
        does_no_harm("constant scene", &one, endmembers);
        does_no_harm("scene of ones", &ones, endmembers);
        does_no_harm("two spectra", &two, endmembers);
    }
}

#[test]
fn few_pixels_do_no_harm() {
    for (pixels, bands, endmembers) in [(1, 5, 1), (2, 30, 2), (5, 40, 3), (12, 80, 4)] {
        does_no_harm("few pixels", &noise(pixels, bands, 6), endmembers);
    }
    works("fewer pixels than bands", &noise(30, 90, 7), 3);
}

#[test]
fn negative_values_do_no_harm() {
    let scene = noise(200, 12, 8);
    let shifted: Vec<f32> = scene.values().iter().map(|v| v - 0.6).collect();
    does_no_harm("half negative", &Pixels::new(shifted.into(), 12).unwrap(), 3);
    let negative: Vec<f32> = scene.values().iter().map(|v| -v).collect();
    does_no_harm("all negative", &Pixels::new(negative.into(), 12).unwrap(), 3);
}

#[test]
fn extreme_scales_do_no_harm() {
    let scene = with_pure_pixels(3, 20, 300, Stream::new(9, "hostile")).pixels;
    for scale in [1e-20, 1e-12, 1e12, 1e18] {
        works(&format!("scale {scale}"), &brightened(&scene, |_| scale), 3);
    }
    for scale in [1e-37, 1e-30, 1e20, 1e37] {
        does_no_harm(&format!("scale {scale}"), &brightened(&scene, |_| scale), 3);
    }
    // pixels of one scene twelve orders of magnitude apart
    works("uneven scene", &brightened(&scene, |n| 10f64.powi(n as i32 % 13 - 6)), 3);
}

#[test]
fn equal_and_dark_endmembers_still_have_abundances() {
    let pixels = noise(50, 10, 10);
    let rough = rough_endmembers(2, 10, Stream::new(11, "hostile"));
    let (first, second) = (rough.spectrum(0), rough.spectrum(1));
    let twins = [first, first, second].concat();
    let nearly: Vec<f64> = [first, second].concat().into_iter().chain(first.iter().map(|v| v * (1.0 + 1e-9))).collect();
    let dark = [first, &[0.0; 10], second].concat();
    let minus: Vec<f64> = [first, second].concat().into_iter().chain(first.iter().map(|v| -v)).collect();
    for (name, values) in [("twins", twins), ("near twins", nearly), ("dark", dark), ("opposite", minus)] {
        let endmembers = Endmembers::new(values, 10).unwrap();
        for convention in Convention::OF_ENDMEMBERS {
            let solved = Abundances::solve(&pixels, &endmembers, convention).unwrap();
            for row in solved.rows() {
                assert!(row.iter().all(|a| a.is_finite() && *a >= 0.0), "{name}, {}: {row:?}", convention.name());
                let sum: f64 = row.iter().sum();
                assert!(convention == Convention::Nnls || (sum - 1.0).abs() < 1e-9, "{name}, {}", convention.name());
            }
        }
        // a second copy of a material does not make the fit worse
        let fit = |e: &Endmembers| {
            let solved = Abundances::solve(&pixels, e, Convention::Fcls).unwrap();
            cupel_unmixing::overall(&cupel_unmixing::reconstruction_errors(&pixels, e, &solved).unwrap())
        };
        assert!(fit(&endmembers) <= fit(&rough) * (1.0 + 1e-9), "{name}: {} {}", fit(&endmembers), fit(&rough));
    }
    let narrow = rough_endmembers(2, 9, Stream::new(12, "hostile"));
    for convention in Convention::OF_ENDMEMBERS {
        assert!(matches!(Abundances::solve(&pixels, &narrow, convention), Err(Error::Shape { .. })));
    }
}

#[test]
fn noise_and_its_counts_are_finite_for_any_scene() {
    let constant = Pixels::new(vec![0.5f32; 40].into(), 4).unwrap();
    let wide = noise(5, 60, 13);
    let huge = brightened(&noise(100, 8, 14), |_| 1e18);
    let tiny = brightened(&noise(100, 8, 14), |_| 1e-20);
    for (name, pixels) in
        [("constant", constant), ("wide", wide), ("huge", huge), ("tiny", tiny), ("one", noise(1, 1, 15))]
    {
        let moments = Moments::of(&pixels).unwrap();
        let noise = Noise::from_moments(&moments, pixels.count());
        assert!(noise.variances.iter().all(|v| v.is_finite() && *v >= 0.0), "{name}: {:?}", noise.variances);
        for count in [hysime(&moments, &noise).unwrap(), hfc(&moments, &noise, pixels.count(), 1e-3).unwrap()] {
            assert!(count <= pixels.bands(), "{name}: {count}");
        }
    }
}
