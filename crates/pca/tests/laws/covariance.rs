//! Laws of the real covariance and of its components.

use cupel_data::{Axes, Axis, AxisKind, Cube};
use cupel_pca::{Covariance, Error, Injection, Modes, Pca, Recovery, Solver};

use super::samples::{assert_close, cleaned, cube, rows, sine, skies, sky, uniform, vectors};

fn of(cube: &Cube<f32>) -> Covariance {
    let mut covariance = Covariance::new(cube.axis(AxisKind::Frequency).unwrap());
    covariance.update(cube).unwrap();
    covariance
}

#[test]
fn the_variance_left_is_the_sum_of_the_other_eigenvalues() {
    let sky = sky(700, 20, 5);
    for count in [0, 1, 2, 7, 19] {
        let components = Pca::new(Modes::Count(count)).fit(&sky, AxisKind::Frequency).unwrap();
        let left: f64 = cleaned(&components, &sky).iter().map(|z| z.norm_sqr()).sum();
        let expected: f64 = components.eigenvalues()[count..].iter().sum::<f64>() * 699.0;
        assert!((left / expected - 1.0).abs() < 1e-9, "{count}: {left} {expected}");
        let again: f64 = components.noise_variance() * (20 - count) as f64 * 699.0;
        assert!((left / again - 1.0).abs() < 1e-9, "{count}: {left} {again}");
    }
}

#[test]
fn no_modes_leave_the_deviations_and_all_modes_leave_nothing() {
    let sky = sky(300, 12, 6);
    let none = Pca::new(Modes::Count(0)).fit(&sky, AxisKind::Frequency).unwrap();
    for (at, left) in cleaned(&none, &sky).iter().enumerate() {
        assert_eq!(left.re, f64::from(sky.values()[at]) - none.mean()[at % 12]);
    }
    let all = Pca::new(Modes::Count(12)).fit(&sky, AxisKind::Frequency).unwrap();
    assert!(cleaned(&all, &sky).iter().all(|left| left.norm() < 1e-9));
    assert_eq!(all.noise_variance(), 0.0);
    assert_eq!(all.eigen_gap(), None);
}

#[test]
fn the_order_of_samples_and_channels_does_not_matter() {
    let sky = sky(400, 10, 7);
    let components = Pca::new(Modes::Count(2)).fit(&sky, AxisKind::Frequency).unwrap();
    let backwards: Vec<usize> = (0..400).rev().collect();
    let turned = sky.select(AxisKind::Sample, &backwards).unwrap();
    let other = Pca::new(Modes::Count(2)).fit(&turned, AxisKind::Frequency).unwrap();
    assert_close(other.eigenvalues(), components.eigenvalues(), 1e-13, "eigenvalues");
    assert!(sine(&vectors(other.basis()), &vectors(components.basis())) < 1e-10);
    let channels: Vec<usize> = (0..10).rev().collect();
    let turned = sky.select(AxisKind::Frequency, &channels).unwrap();
    let other = Pca::new(Modes::Count(2)).fit(&turned, AxisKind::Frequency).unwrap();
    let mut mirrored = vectors(other.basis());
    mirrored.iter_mut().for_each(|vector| vector.reverse());
    assert!(sine(&mirrored, &vectors(components.basis())) < 1e-10);
}

#[test]
fn merged_parts_are_the_whole_and_a_part_taken_out_is_the_rest() {
    let sky = sky(1301, 9, 8);
    let whole = of(&sky);
    let mut merged = Covariance::new(whole.axis());
    for start in (0..1301).step_by(97) {
        merged.merge(&of(&rows(&sky, start..(start + 97).min(1301)))).unwrap();
    }
    assert_eq!(merged.samples(), 1301);
    assert_close(&merged.matrix().unwrap(), &whole.matrix().unwrap(), 1e-12, "merged");
    assert_close(merged.mean(), whole.mean(), 1e-12, "mean");
    let mut left = whole.clone();
    left.remove(&of(&rows(&sky, 300..800))).unwrap();
    let mut rest = of(&rows(&sky, 0..300));
    rest.merge(&of(&rows(&sky, 800..1301))).unwrap();
    assert_eq!(left.samples(), 801);
    assert_close(&left.matrix().unwrap(), &rest.matrix().unwrap(), 1e-12, "left");
    left.remove(&rest).unwrap();
    assert_eq!((left.samples(), left), (0, Covariance::new(whole.axis())));
    assert!(matches!(of(&rows(&sky, 0..5)).remove(&whole), Err(Error::TooFewSamples { needed: 1301, got: 5 })));
}

#[test]
fn a_constant_channel_has_no_part_in_any_mode() {
    let mut values = sky(200, 6, 9).into_values();
    values.iter_mut().skip(3).step_by(6).for_each(|value| *value = 1e6);
    let components = Pca::new(Modes::Count(5)).fit(&cube(values, 200, 6), AxisKind::Frequency).unwrap();
    assert!(components.vectors().unwrap().iter().all(|vector| vector[3].abs() < 1e-12));
    assert_eq!(components.mean()[3], 1e6);
    assert!(components.eigenvalues()[5].abs() < 1e-9);
}

#[test]
fn threads_do_not_change_a_bit() {
    let sky = sky(20_000, 16, 10);
    let fit = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (of(&sky), of(&sky).components(Modes::Count(3)).unwrap()))
    };
    let (one, four) = (fit(1), fit(4));
    assert_eq!(one, four);
}

#[test]
fn a_signal_far_below_a_large_mean_survives() {
    // spread 1e-3 on a mean of 1e4: the sum of squares alone would lose it
    let values = uniform(4000 * 3, 11).iter().map(|draw| 1e4 + draw * 1e-3).collect();
    let mut covariance = Covariance::new(&Axis::new(AxisKind::Frequency, 3));
    covariance.update(&cube::<f64>(values, 4000, 3)).unwrap();
    let matrix = covariance.matrix().unwrap();
    for channel in 0..3 {
        assert!((matrix[4 * channel] / (1e-6 / 12.0) - 1.0).abs() < 0.05, "{matrix:?}");
    }
}

#[test]
fn many_channels_are_decomposed_at_random_and_few_modes_are_those_of_all() {
    let channels = 2100;
    let draws = uniform(40 * channels, 12);
    let mut covariance = Covariance::new(&Axis::new(AxisKind::Frequency, channels));
    // eigenvalues fall by a factor of 4 from mode to mode
    let values: Vec<f64> = (0..40)
        .flat_map(|sample| {
            let row = &draws[sample * channels..(sample + 1) * channels];
            (0..channels)
                .map(move |channel| row[channel] * 0.01 + row[channel % 8] * 2f64.powi(-((channel % 8) as i32)))
        })
        .collect();
    covariance.update(&cube(values, 40, channels)).unwrap();
    let leading = covariance.components(Modes::Count(3)).unwrap();
    assert_eq!(leading.solver(), Solver::Randomized);
    assert!(leading.complement().is_empty());
    // an eigenvector is known by its equation
    let matrix = covariance.matrix().unwrap();
    for (vector, value) in leading.vectors().unwrap().iter().zip(leading.eigenvalues()) {
        let off = matrix
            .chunks(channels)
            .zip(vector)
            .map(|(row, v)| (row.iter().zip(vector).map(|(entry, v)| entry * v).sum::<f64>() - value * v).powi(2));
        assert!(off.sum::<f64>().sqrt() < 1e-6 * value);
    }
    let trace: f64 = (0..channels).map(|channel| matrix[channel * (channels + 1)]).sum();
    assert!((leading.total_variance() / trace - 1.0).abs() < 1e-12);
}

#[test]
fn frequencies_that_a_file_rounded_are_the_same_and_others_are_not() {
    let axis = |of: &dyn Fn(usize) -> f64| {
        Axis::new(AxisKind::Frequency, 3).with_coordinates((0..3).map(of).collect(), "MHz").unwrap()
    };
    let own = axis(&|i| 350.1 + 2.015625 * i as f64);
    let mut covariance = Covariance::new(&own);
    let axes = Axes::new(vec![Axis::new(AxisKind::Sample, 4), own.clone()]).unwrap();
    covariance.update(&Cube::new((0..12).map(|i| (i * i % 7) as f32).collect(), axes).unwrap()).unwrap();
    let components = covariance.components(Modes::Count(1)).unwrap();
    components.check_axis(&axis(&|i| (350.1 + 2.015625 * i as f64) * (1.0 + 2.0 * f64::EPSILON))).unwrap();
    for other in [axis(&|i| 350.1001 + 2.015625 * i as f64), axis(&|i| 350.1 + 2.0156 * i as f64)] {
        assert!(matches!(components.check_axis(&other), Err(Error::OtherAxis { .. })));
    }
}

#[test]
fn data_of_another_axis_are_refused_by_name() {
    let sky = sky(30, 6, 13);
    let components = Pca::new(Modes::Count(2)).fit(&sky, AxisKind::Frequency).unwrap();
    // 6 of both: lengths alone would not tell
    let square = rows(&sky, 0..6).rename(&[AxisKind::Frequency, AxisKind::Sample]).unwrap();
    assert!(components.transform(&square).is_ok());
    let axis = Axis::new(AxisKind::Frequency, 6).with_coordinates((0..6).map(f64::from).collect(), "MHz").unwrap();
    let error = components.check_axis(&axis).unwrap_err().to_string();
    assert!(error.contains("without coordinates") && error.contains("from 0 to 5 MHz"), "{error}");
    for other in [Axis::new(AxisKind::Time, 6), Axis::new(AxisKind::Frequency, 7), Axis::new(AxisKind::Dimension(0), 6)]
    {
        assert!(matches!(components.check_axis(&other), Err(Error::OtherAxis { .. })));
        assert_eq!(components.clone().with_axis(other.clone()).is_ok(), other.len() == 6);
    }
    assert!(matches!(components.check_data("00"), Err(Error::OtherData { .. })));
    assert!(components.with_data_hash(Some("00".into())).check_data("00").is_ok());
}

#[test]
fn injected_mocks_find_the_number_of_modes_that_recovers_the_signal_best() {
    let Some(folder) = skies() else { return };
    let read = |name: &str| {
        let cube = cupel_data::open(folder.join("sim32").join(name)).unwrap().cube::<f32>(None).unwrap();
        cube.rename(&[AxisKind::Frequency, AxisKind::Row, AxisKind::Column]).unwrap()
    };
    let (observed, signal) = (read("obs.npy"), read("signal_beam.npy"));
    // mocks are the signal elsewhere and mirrored in frequency
    let mocks: Vec<Recovery> = (0..3)
        .map(|number| {
            let [rows, columns] = [8 + 3 * number, 11 * (number + 1)];
            let turned = |by: usize| (0..32).map(|at| (at + by) % 32).collect::<Vec<_>>();
            let moved = signal.select(AxisKind::Row, &turned(rows)).unwrap();
            let moved = moved.select(AxisKind::Column, &turned(columns)).unwrap();
            let mirrored = moved.select(AxisKind::Frequency, &(0..32).rev().collect::<Vec<_>>()).unwrap();
            let mut injection = Injection::new(observed.axis(AxisKind::Frequency).unwrap());
            injection.update(&observed, &mirrored).unwrap();
            injection.recovery().unwrap()
        })
        .collect();
    let recovery = Recovery::mean(&mocks).unwrap();
    // NumPy's numbers on the same mocks
    assert_eq!(recovery.modes(), Modes::LeastLoss(4));
    assert!((recovery.transfer()[4] - 0.860).abs() < 0.003 && (recovery.transfer()[0] - 1.0).abs() < 1e-9);
    let pearson = |modes: usize| {
        let components = Pca::new(Modes::Count(modes)).fit(&observed, AxisKind::Frequency).unwrap();
        let left = cleaned(&components, &observed);
        let truth = cleaned(&Pca::new(Modes::Count(0)).fit(&signal, AxisKind::Frequency).unwrap(), &signal);
        let product = |a: &[_], b: &[_]| -> f64 {
            a.iter().zip(b).map(|(a, b): (&num_complex::Complex<f64>, &num_complex::Complex<f64>)| a.re * b.re).sum()
        };
        product(&left, &truth) / (product(&left, &left) * product(&truth, &truth)).sqrt()
    };
    for modes in 2..10 {
        assert!(modes == 4 || pearson(modes) < pearson(4), "{modes}");
    }
    assert!((recovery.correlation()[4] - pearson(4)).abs() < 0.02);
    let zero = signal.map(|_| 0.0f32);
    let mut nothing = Injection::new(observed.axis(AxisKind::Frequency).unwrap());
    nothing.update(&observed, &zero).unwrap();
    assert!(matches!(nothing.recovery(), Err(Error::NoMock)));
}
