//! Laws of complex data: one real basis for both parts, or a Hermitian one.

use cupel_data::AxisKind;
use cupel_pca::{Basis, Covariance, Error, Modes, Pca};
use num_complex::Complex;

use super::samples::{assert_close, cleaned, complex_sky, cube, rows, sine, sky, uniform, vectors};

#[test]
fn without_imaginary_parts_a_hermitian_fit_is_the_real_one() {
    let real = sky(500, 10, 31);
    let complex = real.map(|&value| Complex::new(value, 0.0));
    let expected = Pca::new(Modes::Count(3)).fit(&real, AxisKind::Frequency).unwrap();
    for got in [
        Pca::new(Modes::Count(3)).hermitian().fit(&complex, AxisKind::Frequency).unwrap(),
        Pca::new(Modes::Count(3)).hermitian().fit(&real, AxisKind::Frequency).unwrap(),
    ] {
        assert_close(got.eigenvalues(), expected.eigenvalues(), 1e-13, "eigenvalues");
        assert!(got.complex_mean().iter().zip(expected.mean()).all(|(got, &mean)| *got == Complex::new(mean, 0.0)));
        assert!(sine(&vectors(got.basis()), &vectors(expected.basis())) < 1e-9);
        // the gauge makes them the same vectors, not only the same space
        let Basis::Hermitian(got) = got.basis() else { panic!("a real basis") };
        let (got, expected) = (&got[0], &expected.vectors().unwrap()[0]);
        assert!(got.iter().zip(expected).all(|(got, expected)| (got - expected).norm() < 1e-12));
    }
}

#[test]
fn a_real_basis_of_complex_data_is_that_of_both_parts_one_after_the_other() {
    let complex = complex_sky(300, 9, [32, 33]);
    let mut parts: Vec<f32> = complex.values().iter().map(|value| value.re).collect();
    parts.extend(complex.values().iter().map(|value| value.im));
    let stacked = Pca::new(Modes::Count(2)).fit(&cube(parts, 600, 9), AxisKind::Frequency).unwrap();
    let got = Pca::new(Modes::Count(2)).fit(&complex, AxisKind::Frequency).unwrap();
    assert_eq!(got.samples(), 600);
    assert_close(got.mean(), stacked.mean(), 1e-13, "mean");
    assert_close(got.eigenvalues(), stacked.eigenvalues(), 1e-13, "eigenvalues");
    assert!(sine(&vectors(got.basis()), &vectors(stacked.basis())) < 1e-9);
}

#[test]
fn a_hermitian_covariance_is_that_of_its_definition_and_merges() {
    let sky = complex_sky(700, 6, [34, 35]);
    let mut whole = Covariance::hermitian(sky.axis(AxisKind::Frequency).unwrap());
    whole.update(&sky).unwrap();
    let value = |s: usize, c: usize| {
        let value = sky.values()[s * 6 + c];
        Complex::new(f64::from(value.re), f64::from(value.im))
    };
    let mean: Vec<Complex<f64>> = (0..6).map(|c| (0..700).map(|s| value(s, c)).sum::<Complex<f64>>() / 700.0).collect();
    let matrix = whole.complex_matrix().unwrap();
    let mut merged = Covariance::hermitian(whole.axis());
    for range in [0..1, 1..300, 300..700] {
        let mut part = Covariance::hermitian(whole.axis());
        part.update(&rows(&sky, range)).unwrap();
        merged.merge(&part).unwrap();
    }
    let (again, scale) = (merged.complex_matrix().unwrap(), matrix[0].norm());
    for (at, (got, again)) in matrix.iter().zip(&again).enumerate() {
        let (i, j) = (at / 6, at % 6);
        let sum: Complex<f64> = (0..700).map(|s| (value(s, i) - mean[i]) * (value(s, j) - mean[j]).conj()).sum();
        assert!((got - sum / 699.0).norm() < 1e-12 * scale && (again - got).norm() < 1e-12 * scale);
    }
    assert!(matches!(merged.merge(&Covariance::new(whole.axis())), Err(Error::OtherForm { .. })));
    // weights of complex values are those of both parts
    let ones = sky.map(|_| 1.0f32);
    let mut weighted = Covariance::hermitian(whole.axis());
    weighted.update_weighted(&sky, &ones).unwrap();
    assert_eq!(weighted, whole);
}

#[test]
fn a_common_phase_of_all_samples_turns_nothing_that_matters() {
    let sky = complex_sky(400, 8, [36, 37]);
    let turned = sky.map(|value| value * Complex::new(0.6, 0.8));
    let pca = Pca::new(Modes::Count(2)).hermitian();
    let (one, other) = (pca.fit(&sky, AxisKind::Frequency).unwrap(), pca.fit(&turned, AxisKind::Frequency).unwrap());
    assert_close(other.eigenvalues(), one.eigenvalues(), 1e-6, "eigenvalues");
    assert!(sine(&vectors(other.basis()), &vectors(one.basis())) < 1e-4);
    for vector in vectors(one.basis()) {
        let pivot =
            vector.iter().fold(Complex::new(0.0, 0.0), |pivot, &v| if v.norm() > pivot.norm() { v } else { pivot });
        assert!(pivot.re > 0.0 && pivot.im.abs() < 1e-15);
    }
}

#[test]
fn fewer_complex_samples_than_channels_have_the_same_modes_by_either_way() {
    let few = complex_sky(7, 12, [38, 39]);
    let thin = Pca::new(Modes::Count(2)).hermitian().fit(&few, AxisKind::Frequency).unwrap();
    let mut covariance = Covariance::hermitian(thin.axis());
    covariance.update(&few).unwrap();
    let other = covariance.components(Modes::Count(2)).unwrap();
    assert_ne!(thin.solver(), other.solver());
    assert_close(thin.variances(), other.variances(), 1e-10, "variances");
    assert!(sine(&vectors(thin.basis()), &vectors(other.basis())) < 1e-6);
    let left: f64 = cleaned(&thin, &few).iter().map(Complex::norm_sqr).sum();
    assert!((left / (thin.eigenvalues()[2..].iter().sum::<f64>() * 6.0) - 1.0).abs() < 1e-9);
}

#[test]
fn real_data_do_not_go_under_a_complex_basis() {
    let sky = complex_sky(60, 5, [40, 41]);
    let components = Pca::new(Modes::Count(1)).hermitian().fit(&sky, AxisKind::Frequency).unwrap();
    let real = cube::<f32>(uniform(300, 42).iter().map(|&v| v as f32).collect(), 60, 5);
    assert!(matches!(components.transform(&real), Err(Error::NeedsComplex)));
    let restored = components.inverse_transform(&components.transform(&sky).unwrap()).unwrap();
    let off: f32 = restored.values().iter().zip(sky.values()).map(|(a, b)| (a - b).norm()).fold(0.0, f32::max);
    assert!(off < 100.0, "{off}");
}
