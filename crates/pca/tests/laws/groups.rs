//! Laws of groups of baselines.

use cupel_data::{Axes, Axis, AxisKind, Cube, open};
use cupel_pca::{Covariance, Error, GroupedCovariance, Grouping, Modes, Pca};
use num_complex::Complex;

use super::samples::{assert_close, cleaned, skies, uniform};

#[test]
fn groups_have_as_many_positions_by_rising_size() {
    let grouping = Grouping::by_size(AxisKind::Baseline, &[30.0, 10.0, 20.0, 50.0, 40.0, 10.0], 3).unwrap();
    assert_eq!(grouping.assignment(), [1, 0, 1, 2, 2, 0]);
    assert_eq!(grouping.count(), 3);
    assert!(matches!(Grouping::by_size(AxisKind::Baseline, &[1.0], 2), Err(Error::Groups { .. })));
    assert!(matches!(Grouping::by_size(AxisKind::Baseline, &[1.0, f64::NAN], 1), Err(Error::Groups { .. })));
    for wrong in [vec![], vec![0, 2], vec![1, 1], vec![0, usize::MAX]] {
        assert!(matches!(Grouping::new(AxisKind::Baseline, wrong), Err(Error::Groups { .. })));
    }
}

fn visibilities(baselines: usize, channels: usize, times: usize) -> Cube<Complex<f64>> {
    let draws = uniform(2 * baselines * channels * times, 51);
    let values = draws.chunks(2).map(|pair| Complex::new(pair[0], pair[1])).collect();
    let axes = vec![
        Axis::new(AxisKind::Baseline, baselines),
        Axis::new(AxisKind::Frequency, channels),
        Axis::new(AxisKind::Time, times),
    ];
    Cube::new(values, Axes::new(axes).unwrap()).unwrap()
}

#[test]
fn a_group_has_the_samples_of_its_positions_in_any_chunks() {
    let cube = visibilities(6, 5, 40);
    let axis = cube.axis(AxisKind::Frequency).unwrap();
    let grouping = Grouping::new(AxisKind::Baseline, vec![0, 1, 1, 0, 0, 1]).unwrap();
    let empty = || GroupedCovariance::new(grouping.clone(), &Covariance::hermitian(axis)).unwrap();
    let (mut whole, mut parts, mut times) = (empty(), empty(), empty());
    whole.update(&cube, 0).unwrap();
    for first in [0, 2, 4] {
        parts.update(&cube.select(AxisKind::Baseline, &[first, first + 1]).unwrap(), first).unwrap();
    }
    for first in [0, 20] {
        times.update(&cube.select(AxisKind::Time, &(first..first + 20).collect::<Vec<_>>()).unwrap(), 0).unwrap();
    }
    let chosen = cube.select(AxisKind::Baseline, &[1, 2, 5]).unwrap();
    let expected = Pca::new(Modes::Count(2)).hermitian().fit(&chosen, AxisKind::Frequency).unwrap();
    for grouped in [&whole, &parts, &times] {
        // 120 samples in 5 channels stand for themselves
        let components = grouped.components(Modes::Count(2)).unwrap();
        assert_close(components.groups()[1].eigenvalues(), expected.eigenvalues(), 1e-12, "eigenvalues");
        assert_eq!(grouped.all().unwrap().samples(), 240);
    }
    assert!(matches!(empty().update(&cube, 1), Err(Error::Groups { .. })));
    let along = Grouping::new(AxisKind::Frequency, vec![0; 5]).unwrap();
    assert!(matches!(GroupedCovariance::new(along, &Covariance::new(axis)), Err(Error::Groups { .. })));
}

#[test]
fn a_group_of_few_samples_is_drawn_to_all() {
    let cube = visibilities(4, 6, 3);
    let axis = cube.axis(AxisKind::Frequency).unwrap();
    let grouping = Grouping::new(AxisKind::Baseline, vec![0, 0, 0, 1]).unwrap();
    let mut grouped = GroupedCovariance::new(grouping, &Covariance::hermitian(axis)).unwrap();
    grouped.update(&cube, 0).unwrap();
    let alone = grouped.components_with(Modes::Count(1), |_| 0.0).unwrap();
    let drawn = grouped.components(Modes::Count(1)).unwrap();
    let all = grouped.components_with(Modes::Count(1), |_| 1e12).unwrap();
    let of_all = grouped.all().unwrap().components(Modes::Count(1)).unwrap();
    assert_close(all.groups()[1].eigenvalues(), of_all.eigenvalues(), 1e-9, "eigenvalues");
    // three samples have two directions, those of all have all
    let rank = |values: &[f64]| values.iter().filter(|&&value| value > 1e-12).count();
    assert_eq!(rank(alone.groups()[1].eigenvalues()), 2);
    assert_eq!(rank(drawn.groups()[1].eigenvalues()), 6);
    // nu = 6 (1 - 3 / 24) = 5.25 samples beside 3
    let expected = (3.0 * alone.groups()[1].total_variance() + 5.25 * of_all.total_variance()) / 8.25;
    assert!((drawn.groups()[1].total_variance() / expected - 1.0).abs() < 1e-12);
}

/// Correlation with the signal of what is left.
fn recovered(left: &[Complex<f64>], signal: &[Complex<f64>]) -> f64 {
    let product = |a: &[Complex<f64>], b: &[Complex<f64>]| a.iter().zip(b).map(|(a, b)| (a * b.conj()).re).sum::<f64>();
    product(left, signal) / (product(left, left) * product(signal, signal)).sqrt()
}

#[test]
fn groups_of_simulated_baselines_leave_less_foreground_and_shrinkage_keeps_their_signal() {
    let Some(folder) = skies() else { return };
    let cube = open(folder.join("hera_sim4_vis_bl96_freq60_time40.npy")).unwrap().cube::<Complex<f64>>(None).unwrap();
    let cube = cube.rename(&[AxisKind::Baseline, AxisKind::Frequency, AxisKind::Time]).unwrap();
    let places = open(folder.join("hera_sim4_uvw_m.npy")).unwrap().cube::<f64>(None).unwrap();
    let lengths: Vec<f64> =
        places.values().chunks(3).map(|uvw| uvw.iter().map(|x| x * x).sum::<f64>().sqrt()).collect();
    let axis = cube.axis(AxisKind::Frequency).unwrap();
    let residual = |groups: usize, modes: usize| {
        let grouping = Grouping::by_size(AxisKind::Baseline, &lengths, groups).unwrap();
        let mut grouped = GroupedCovariance::new(grouping, &Covariance::hermitian(axis)).unwrap();
        grouped.update(&cube, 0).unwrap();
        let components = grouped.components_with(Modes::Count(modes), |_| 0.0).unwrap();
        let power: f64 = components
            .groups()
            .iter()
            .map(|group| group.eigenvalues()[modes..].iter().sum::<f64>() * (group.samples() - 1) as f64)
            .sum();
        (power / cube.values().iter().map(Complex::norm_sqr).sum::<f64>()).sqrt()
    };
    // NumPy's numbers: residual amplitude of one basis and of 24 groups
    for (modes, one, many) in [(3, 0.081, 0.055), (7, 0.028, 0.0103), (11, 0.0031, 0.0008)] {
        assert!((residual(1, modes) / one - 1.0).abs() < 0.03, "{modes}: {}", residual(1, modes));
        assert!((residual(24, modes) / many - 1.0).abs() < 0.1, "{modes}: {}", residual(24, modes));
    }
    // a white signal of 1e-4 of the foreground's rms: groups of 160 samples in 60 channels take it along, unless drawn to all
    let rms = (cube.values().iter().map(Complex::norm_sqr).sum::<f64>() / cube.len() as f64).sqrt();
    let mut draws = vec![0.0f64; 2 * cube.len()];
    cupel_data::Stream::new(1, "white signal").fill_normal_f64(&mut draws);
    let scale = 1e-4 * rms / 2f64.sqrt();
    let white: Vec<Complex<f64>> = draws.chunks(2).map(|pair| Complex::new(pair[0], pair[1]) * scale).collect();
    let signal = Cube::new(white, cube.axes().clone()).unwrap();
    let sum = cube.values().iter().zip(signal.values()).map(|(a, b)| a + b).collect();
    let observed = Cube::new(sum, cube.axes().clone()).unwrap();
    let grouping = Grouping::by_size(AxisKind::Baseline, &lengths, 24).unwrap();
    let mut grouped = GroupedCovariance::new(grouping.clone(), &Covariance::hermitian(axis)).unwrap();
    grouped.update(&observed, 0).unwrap();
    let correlation = |components: &cupel_pca::GroupedComponents| {
        let (mut left, mut truth) = (Vec::new(), Vec::new());
        for (group, components) in components.groups().iter().enumerate() {
            let chosen: Vec<usize> = (0..96).filter(|&at| grouping.assignment()[at] == group).collect();
            left.extend(cleaned(components, &observed.select(AxisKind::Baseline, &chosen).unwrap()));
            let part = signal.select(AxisKind::Baseline, &chosen).unwrap().with_last(AxisKind::Frequency).unwrap();
            truth.extend_from_slice(part.values());
        }
        recovered(&left, &truth)
    };
    let alone = correlation(&grouped.components_with(Modes::Count(16), |_| 0.0).unwrap());
    let drawn = correlation(&grouped.components(Modes::Count(16)).unwrap());
    assert!((alone - 0.7635).abs() < 0.015 && drawn > alone + 0.05, "{alone} {drawn}");
}
