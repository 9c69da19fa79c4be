//! Comparison with a truth: what must not matter, and the extremes.

use cupel_data::Stream;
use cupel_unmixing::{
    Abundances, Agreement, Endmembers, Error, dirichlet, overall, reconstruction_errors, spectral_angle,
};

use super::samples::{rough_endmembers, uniform, with_pure_pixels};

fn abundances(pixels: usize, endmembers: usize, seed: u64) -> Abundances {
    dirichlet(pixels, endmembers, 0.7, Stream::new(seed, "metrics")).unwrap()
}

#[test]
fn a_truth_agrees_with_itself_in_any_order_and_at_any_scale() {
    let truth = rough_endmembers(5, 40, Stream::new(1, "metrics"));
    let maps = abundances(200, 5, 2);
    let order = [3, 1, 4, 0, 2];
    let estimate = truth.scaled(&[2.0, 0.1, 7.0, 1.0, 1e-8]).reordered(&order);
    let agreement = Agreement::of(&estimate, &truth).unwrap();
    // arccos near 1 turns rounding of 1e-16 into 1e-8
    assert!(agreement.sad_rad.iter().all(|sad| *sad < 1e-7), "{agreement:?}");
    for (k, &place) in agreement.order.iter().enumerate() {
        assert_eq!(order[place], k);
    }
    let errors = agreement.abundance_errors(&maps.reordered(&order), &maps).unwrap();
    assert_eq!(errors.overall, 0.0);
    assert!(errors.per_endmember.iter().all(|e| *e == 0.0));
}

#[test]
fn the_order_of_the_estimate_does_not_matter() {
    let stream = Stream::new(3, "metrics");
    let truth = rough_endmembers(4, 30, stream.child(0));
    let noise = uniform(stream.child(1), 4 * 30);
    let near: Vec<f64> = truth.values().iter().zip(noise).map(|(t, u)| t + 0.2 * u).collect();
    let estimate = Endmembers::new(near, 30).unwrap();
    let (maps, true_maps) = (abundances(100, 4, 4), abundances(100, 4, 5));
    let expected = Agreement::of(&estimate, &truth).unwrap();
    let expected_errors = expected.abundance_errors(&maps, &true_maps).unwrap();
    for seed in 0..10 {
        let order = Stream::new(seed, "order").permutation(4);
        let turned = Agreement::of(&estimate.reordered(&order), &truth).unwrap();
        assert_eq!(turned.sad_rad, expected.sad_rad);
        assert_eq!(turned.mean_sad_rad, expected.mean_sad_rad);
        assert_eq!(turned.abundance_errors(&maps.reordered(&order), &true_maps).unwrap(), expected_errors);
    }
}

#[test]
fn one_permutation_serves_spectra_and_maps() {
    // the spectra match straight, the maps match crossed: crossed maps must count as wrong
    let truth = Endmembers::new(vec![1.0, 0.0, 0.0, 1.0], 2).unwrap();
    let maps = Abundances::new(vec![1.0, 0.0, 0.0, 1.0, 0.8, 0.2], 2).unwrap();
    let agreement = Agreement::of(&truth, &truth).unwrap();
    let crossed = agreement.abundance_errors(&maps.reordered(&[1, 0]), &maps).unwrap();
    let expected = ((1.0 + 1.0 + 0.36) / 3.0f64).sqrt();
    assert!((crossed.overall - expected).abs() < 1e-12, "{crossed:?}");
}

#[test]
fn parallel_spectra_are_at_no_angle_and_opposite_ones_at_pi() {
    let mut largest: f64 = 0.0;
    for seed in 0..2000 {
        let spectrum = uniform(Stream::new(seed, "parallel"), 7);
        for scale in [1.0, 3.0, 1e-9, 1e12] {
            let scaled: Vec<f64> = spectrum.iter().map(|v| v * scale).collect();
            largest = largest.max(spectral_angle(&spectrum, &scaled));
            let opposite: Vec<f64> = scaled.iter().map(|v| -v).collect();
            assert!((spectral_angle(&spectrum, &opposite) - std::f64::consts::PI).abs() < 1e-7);
        }
    }
    assert!(largest < 1e-7, "never NaN, which this comparison would fail: {largest}");
    assert_eq!(spectral_angle(&[1.0, 0.0], &[0.0, 2.0]), std::f64::consts::FRAC_PI_2);
    assert_eq!(spectral_angle(&[0.0, 0.0], &[0.0, 2.0]), std::f64::consts::FRAC_PI_2);
    assert!((spectral_angle(&[1.0, 1.0], &[0.0, 1.0]) - std::f64::consts::FRAC_PI_4).abs() < 1e-15);
}

#[test]
fn the_overall_error_is_the_root_mean_square_of_the_endmembers_and_not_below_their_mean() {
    for seed in 0..20 {
        let (maps, truth) = (abundances(50, 4, seed), abundances(50, 4, 100 + seed));
        let identity = Agreement { order: vec![0, 1, 2, 3], sad_rad: vec![0.0; 4], mean_sad_rad: 0.0 };
        let errors = identity.abundance_errors(&maps, &truth).unwrap();
        let square = errors.per_endmember.iter().map(|e| e * e).sum::<f64>() / 4.0;
        assert!((errors.overall - square.sqrt()).abs() < 1e-12);
        assert!((errors.overall - overall(&errors.per_endmember)).abs() < 1e-12);
        assert!(errors.overall >= errors.per_endmember.iter().sum::<f64>() / 4.0 - 1e-12);
    }
}

#[test]
fn an_estimate_with_more_endmembers_is_compared_by_the_best_of_them() {
    let found = rough_endmembers(5, 25, Stream::new(6, "metrics"));
    let truth = found.reordered(&[4, 1]);
    let agreement = Agreement::of(&found, &truth).unwrap();
    assert_eq!(agreement.order, [4, 1]);
    assert!(matches!(Agreement::of(&truth, &found), Err(Error::Shape { .. })));
    let narrow = rough_endmembers(2, 24, Stream::new(7, "metrics"));
    assert!(matches!(Agreement::of(&narrow, &truth), Err(Error::Shape { .. })));
    let (maps, fewer) = (abundances(10, 5, 8), abundances(9, 2, 9));
    assert!(matches!(agreement.abundance_errors(&maps, &fewer), Err(Error::Shape { .. })));
}

#[test]
fn reconstruction_errors_are_those_of_the_definition() {
    let scene = with_pure_pixels(3, 20, 100, Stream::new(8, "metrics"));
    let exact = reconstruction_errors(&scene.pixels, &scene.endmembers, &scene.abundances).unwrap();
    assert!(overall(&exact) < 1e-7, "rounding to f32 only: {}", overall(&exact));
    let double = scene.endmembers.scaled(&[2.0; 3]);
    let errors = reconstruction_errors(&scene.pixels, &double, &scene.abundances).unwrap();
    for (error, spectrum) in errors.iter().zip(scene.pixels.spectra()) {
        let power: f64 = spectrum.iter().map(|&v| f64::from(v).powi(2)).sum();
        assert!((error - (power / 20.0).sqrt()).abs() < 1e-6);
    }
}
