//! Golden tensors of PyTorch, and real visibilities with interference.

use std::path::Path;

use cupel_data::{Axis, AxisKind, Cube, Element, open};
use cupel_pca::{Components, Covariance, Modes, Pca, Projector};
use num_complex::Complex;

use super::samples::{assert_close, cleaned, cube, sine, skies, vectors};

/// The tolerance of golden tensors.
const GOLDEN: f64 = 1e-5;

fn read<T: Element>(folder: &Path, name: &str) -> Cube<T> {
    open(folder.join(name)).unwrap().cube(None).unwrap()
}

/// The columns of a matrix.
fn columns<T: Copy>(matrix: &Cube<T>) -> Vec<Vec<T>> {
    let width = matrix.shape()[1];
    (0..width).map(|column| matrix.values().iter().skip(column).step_by(width).copied().collect()).collect()
}

/// Modes of the golden visibilities that double precision determines: the fourth has 1e-14 of the variance of the first, less than the
/// rounding of the covariance, and is another one in NumPy too.
const DETERMINED: usize = 3;

fn visibilities(folder: &Path) -> Cube<Complex<f32>> {
    let kinds = [AxisKind::Sample, AxisKind::Baseline, AxisKind::Frequency, AxisKind::RightAscension];
    read::<Complex<f32>>(folder, "golden/vis_x.npy").rename(&kinds).unwrap()
}

#[test]
fn the_real_basis_of_visibilities_is_golden() {
    let Some(folder) = skies() else { return };
    let x = visibilities(&folder);
    let expected = columns(&read::<f64>(&folder, "golden/pca_V.npy"))[..DETERMINED].to_vec();
    let components = Pca::new(Modes::Count(DETERMINED)).fit(&x, AxisKind::Frequency).unwrap();
    assert_close(components.mean(), read::<f64>(&folder, "golden/pca_mean.npy").values(), GOLDEN, "mean");
    assert_close(components.eigenvalues(), read::<f64>(&folder, "golden/pca_eig.npy").values(), GOLDEN, "eigenvalues");
    let mut covariance = Covariance::new(x.axis(AxisKind::Frequency).unwrap());
    covariance.update(&x).unwrap();
    assert_close(
        &covariance.matrix().unwrap(),
        read::<f64>(&folder, "golden/pca_cov.npy").values(),
        GOLDEN,
        "covariance",
    );
    let expected: Vec<Vec<Complex<f64>>> =
        expected.iter().map(|vector| vector.iter().map(|&v| Complex::from(v)).collect()).collect();
    assert!(sine(&vectors(components.basis()), &expected) < GOLDEN);
    for (got, expected) in vectors(components.basis()).iter().zip(&expected) {
        assert!(got.iter().zip(expected).all(|(got, expected)| (got - expected).norm() < GOLDEN));
    }
}

#[test]
fn the_hermitian_basis_of_visibilities_is_golden() {
    let Some(folder) = skies() else { return };
    let x = visibilities(&folder);
    let expected = columns(&read::<Complex<f64>>(&folder, "golden/cpca_V.npy"));
    let components = Pca::new(Modes::Count(DETERMINED)).hermitian().fit(&x, AxisKind::Frequency).unwrap();
    assert_close(components.eigenvalues(), read::<f64>(&folder, "golden/cpca_eig.npy").values(), GOLDEN, "eigenvalues");
    let near = |got: &[Complex<f64>], expected: &[Complex<f64>], what: &str| {
        let scale = expected.iter().map(|z| z.norm()).fold(0.0, f64::max);
        assert_eq!(got.len(), expected.len());
        assert!(got.iter().zip(expected).all(|(a, b)| (a - b).norm() < GOLDEN * scale), "{what}");
    };
    near(&components.complex_mean(), read(&folder, "golden/cpca_mean.npy").values(), "mean");
    let mut covariance = Covariance::hermitian(x.axis(AxisKind::Frequency).unwrap());
    covariance.update(&x).unwrap();
    near(&covariance.complex_matrix().unwrap(), read(&folder, "golden/cpca_cov.npy").values(), "covariance");
    for (got, expected) in vectors(components.basis()).iter().zip(&expected) {
        near(got, expected, "vector");
    }
    // rows by (sample, right ascension, baseline) there; cleaned by one mode more, which leaves what the data hold in f32
    let order = [AxisKind::Sample, AxisKind::RightAscension, AxisKind::Baseline, AxisKind::Frequency];
    let left = cleaned(&components, &x.permuted(&order).unwrap());
    let golden = read::<Complex<f64>>(&folder, "golden/cpca_clean.npy");
    let fourth = &expected[DETERMINED];
    let without: Vec<Complex<f64>> = left
        .chunks(fourth.len())
        .flat_map(|row| {
            let along: Complex<f64> = row.iter().zip(fourth).map(|(d, v)| d * v.conj()).sum();
            row.iter().zip(fourth).map(move |(d, v)| d - along * v).collect::<Vec<_>>()
        })
        .collect();
    // the third mode is determined to 1e-7, and what is left is 1e-7 of the data: NumPy differs by 3e-5 of it
    let off = without.iter().zip(golden.values()).map(|(a, b)| (a - b).norm()).fold(0.0, f64::max);
    let largest = golden.values().iter().map(|value| value.norm()).fold(0.0, f64::max);
    assert!(off < 3e-4 * largest, "cleaned: {off} of {largest}");
}

#[test]
fn the_basis_of_a_simulated_sky_is_golden() {
    let Some(folder) = skies() else { return };
    let kinds = [AxisKind::Frequency, AxisKind::Row, AxisKind::Column];
    let observed = read::<f32>(&folder, "sim32/obs.npy").rename(&kinds).unwrap();
    let components = Pca::new(Modes::Count(4)).fit(&observed, AxisKind::Frequency).unwrap();
    let file = open(folder.join("sim32/pca_nfg4.npz")).unwrap();
    let array = |name: &str| file.cube::<f64>(Some(name)).unwrap();
    assert_eq!(components.samples(), 1024);
    assert_close(components.mean(), array("mean").values(), GOLDEN, "mean");
    // the numbers of pca_fit.json, each by itself
    let expected = array("eigenvalues");
    assert_eq!(expected.values()[3].to_string()[..7], "0.14003788"[..7]);
    for (got, expected) in components.eigenvalues().iter().zip(expected.values()) {
        assert!((got / expected - 1.0).abs() < GOLDEN, "{got} {expected}");
    }
    let vectors = columns(&array("components"));
    for (got, expected) in components.vectors().unwrap().iter().zip(&vectors) {
        assert_close(got, expected, GOLDEN, "component");
    }
    // NumPy's counts on these eigenvalues; the signal is not white, so that some of it is above the edge
    for (rule, count) in [(Modes::EigenGap, 4), (Modes::MarchenkoPastur, 8)] {
        let chosen = Pca::new(rule).fit(&observed, AxisKind::Frequency).unwrap();
        assert_eq!((chosen.count(), chosen.rule()), (count, rule.to_string().as_str()));
    }
}

#[test]
fn flagged_interference_of_a_real_telescope_does_not_enter_the_basis() {
    let Some(folder) = skies() else { return };
    let kinds = [AxisKind::Baseline, AxisKind::Frequency, AxisKind::Time, AxisKind::Polarisation];
    let vis = read::<Complex<f32>>(&folder, "hera_h1c_real_vis_bl_freq_time_pol.npy").rename(&kinds).unwrap();
    let frequencies: Vec<f64> =
        read::<f64>(&folder, "hera_h1c_real_freqs_hz.npy").values().iter().map(|hz| hz * 1e-6).collect();
    // both baselines of two antennas, 100 channels with the satellites at 137 MHz and a broadcast among them
    let first = frequencies.iter().position(|&mhz| mhz > 132.0).unwrap();
    let channels: Vec<usize> = (first..first + 100).collect();
    let vis = vis.select(AxisKind::Baseline, &[1, 2]).unwrap().select(AxisKind::Frequency, &channels).unwrap();
    let vis = vis.with_last(AxisKind::Frequency).unwrap();
    // more than 8 times the median absolute step to the channels beside it
    let steps: Vec<f64> = vis
        .values()
        .chunks(100)
        .flat_map(|row| {
            (0..100usize).map(|c| {
                let beside = row[c.saturating_sub(1)] + row[(c + 1).min(99)];
                f64::from((row[c] - beside * 0.5).norm())
            })
        })
        .collect();
    let mut sorted = steps.clone();
    sorted.sort_by(f64::total_cmp);
    let limit = 8.0 * sorted[sorted.len() / 2];
    let weights: Vec<f32> = steps.iter().map(|&step| f32::from(u8::from(step < limit))).collect();
    let flagged = weights.iter().filter(|&&weight| weight == 0.0).count();
    assert!(flagged > 20 && flagged < weights.len() / 4, "{flagged} of {}", weights.len());
    let samples = vis.len() / 100;
    let vis = cube(vis.into_values(), samples, 100);
    let weights = cube(weights, samples, 100);
    // what either basis leaves of the rest, with amplitudes from the rest alone
    let left = |components: &Components| {
        let cleaned = Projector::new(components).apply_masked(&vis, &weights).unwrap();
        let kept = cleaned.values.values().iter().zip(cleaned.weights.values()).filter(|(_, weight)| **weight > 0.0);
        let (sum, count) =
            kept.fold((0.0, 0), |(sum, count), (value, _)| (sum + f64::from(value.norm_sqr()), count + 1));
        (sum / f64::from(count)).sqrt()
    };
    for modes in [3, 7, 11] {
        let pca = Pca::new(Modes::Count(modes)).hermitian();
        let masked = left(&pca.fit_weighted(&vis, &weights, AxisKind::Frequency).unwrap());
        let unmasked = left(&pca.fit(&vis, AxisKind::Frequency).unwrap());
        assert!(masked <= unmasked, "{modes} modes: {masked} under a mask, {unmasked} without");
    }
    let pca = Pca::new(Modes::Count(7)).hermitian();
    let masked = pca.fit_weighted(&vis, &weights, AxisKind::Frequency).unwrap();
    let hidden = vis.values().iter().zip(weights.values());
    let nothing = Complex::new(f32::NAN, f32::NAN);
    let hidden = hidden.map(|(&value, &weight)| if weight == 0.0 { nothing } else { value }).collect();
    let hidden = cube(hidden, samples, 100);
    assert_eq!(pca.fit_weighted(&hidden, &weights, AxisKind::Frequency).unwrap(), masked);
    assert_eq!(masked.axis(), &Axis::new(AxisKind::Frequency, 100));
}
