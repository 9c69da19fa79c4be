//! Evaluations: what they say of known errors, and what they refuse.

use cupel_cosmology::{
    Background, Evaluation, evaluate, evaluate_visibilities,
    power::{DelayEstimator, PowerConfig, Volume, Window},
};
use cupel_data::{Axes, Axis, AxisKind, Complex, Cube};
use serde_json::Value;

use super::skies::{KINDS, cube, near, white};

const SHAPE: [usize; 3] = [16, 12, 14];

fn volume() -> Volume {
    Volume::comoving(SHAPE, [60.0, 70.0, 80.0]).unwrap()
}

fn pair() -> (Cube<f32>, Cube<f32>) {
    let (t, noise) = (white(SHAPE, 1), white(SHAPE, 2));
    let estimate = t.iter().zip(&noise).map(|(t, n)| (0.8 * t + 0.3 * n + 5.0) as f32).collect();
    (cube(t.iter().map(|t| *t as f32).collect(), SHAPE), cube(estimate, SHAPE))
}

fn of(truth: &Cube<f32>, estimate: &Cube<f32>, config: &PowerConfig) -> Evaluation {
    evaluate(truth, estimate, None, &config.estimator(volume(), None).unwrap(), config).unwrap()
}

#[test]
fn maps_are_compared_without_the_mean_of_their_channels() {
    let (truth, estimate) = pair();
    let evaluation = of(&truth, &estimate, &PowerConfig::default());
    let map = &evaluation.map;
    near(map.r, 0.8 / 0.73_f64.sqrt(), 0.02, "r");
    near(map.nmse, 0.04 + 0.09, 0.1, "NMSE");
    near(map.mse, map.nmse * map.truth.rms.powi(2), 1e-12, "MSE");
    near(map.residual.rms.powi(2), map.mse, 1e-12, "residual");
    assert!(map.rms_ratio.len() == 16 && map.rms_ratio.iter().all(|ratio| (ratio - 0.854).abs() < 0.1));
    assert!(map.truth.skewness.abs() < 0.2 && map.truth.excess_kurtosis.abs() < 0.4);
    // the channel means that were added count for nothing
    let shifted = estimate.map(|value| value - 5.0);
    near(of(&truth, &shifted, &PowerConfig::default()).map.nmse, map.nmse, 1e-5, "shifted");
    let skewed = of(&truth.map(|value| value.exp()), &truth, &PowerConfig::default());
    assert!(skewed.map.truth.skewness > 2.0 && skewed.map.truth.excess_kurtosis > 5.0, "a lognormal sky");
}

#[test]
fn the_json_has_the_names_that_were_agreed_on() {
    let (truth, estimate) = pair();
    let config = PowerConfig { bins: 200, ..PowerConfig::default() };
    let json: Value = serde_json::to_value(of(&truth, &estimate, &config)).unwrap();
    assert!(
        json["r"].is_f64() && json["nmse"].is_f64() && json["k_unit"] == "h/Mpc" && json.get("uncertainty").is_none()
    );
    for table in ["k", "k_par"] {
        let mut empty = 0;
        for bin in json[table].as_array().unwrap() {
            for key in ["k", "modes", "p_true", "p_est", "sigma", "t", "r", "residual_ratio"] {
                assert!(bin.get(key).is_some(), "{table} {key}");
            }
            if bin["modes"] == 0 {
                empty += 1;
                assert!(bin["k"].is_null() && bin["p_true"].is_null() && bin["r"].is_null(), "{bin}");
                continue;
            }
            let number = |key: &str| bin[key].as_f64().unwrap();
            if number("p_true") > 1e-12 {
                near(number("t").powi(2), number("p_est") / number("p_true"), 1e-9, "t");
            }
            if table == "k" {
                near(number("sigma"), number("p_est") * (2.0 / number("modes")).sqrt(), 1e-9, "sigma");
            }
        }
        assert_eq!(empty > 0, table == "k", "narrow shells are empty, planes are not");
    }
}

#[test]
fn said_errors_are_judged_where_they_are_said() {
    let (truth, estimate) = pair();
    let config = PowerConfig::default();
    let estimator = config.estimator(volume(), None).unwrap();
    let sigma = truth.map(|_| 0.36_f32);
    let evaluation = evaluate(&truth, &estimate, Some(&sigma), &estimator, &config).unwrap();
    let uncertainty = evaluation.uncertainty.unwrap();
    assert_eq!(uncertainty.values, truth.len());
    assert!(uncertainty.coverage.iter().all(|level| (level.said - level.found).abs() < 0.04), "{uncertainty}");
    let wrong = truth.map(|_| 0.0_f32);
    assert!(evaluate(&truth, &estimate, Some(&wrong), &estimator, &config).is_err());
    let short = cube(vec![1.0; 8], [2, 2, 2]);
    assert!(evaluate(&truth, &estimate, Some(&short), &estimator, &config).is_err());
}

#[test]
fn masks_take_values_off_everything() {
    let (truth, estimate) = pair();
    let weights: Vec<f32> = (0..truth.len()).map(|i| if i % 11 == 3 { 0.0 } else { 1.0 }).collect();
    let hide = |sky: &Cube<f32>| {
        let pairs = sky.values().iter().zip(&weights);
        cube(pairs.map(|(v, w)| if *w == 0.0 { f32::NAN } else { *v }).collect(), SHAPE)
    };
    let config = PowerConfig { window: Window::BlackmanHarris, ..PowerConfig::default() };
    let estimator = config.estimator(volume(), Some(&cube(weights.clone(), SHAPE))).unwrap();
    let sigma = truth.map(|_| 0.36_f32);
    let compare = |truth: &Cube<f32>, estimate: &Cube<f32>, sigma: &Cube<f32>| {
        serde_json::to_string(&evaluate(truth, estimate, Some(sigma), &estimator, &config).unwrap()).unwrap()
    };
    let masked = compare(&hide(&truth), &hide(&estimate), &hide(&sigma));
    assert_eq!(masked, compare(&truth, &estimate, &sigma));
    assert!(masked.contains("pseudo-power"));
    let plain = config.estimator(volume(), None).unwrap();
    let refused = evaluate(&hide(&truth), &estimate, None, &plain, &config).unwrap_err().to_string();
    assert!(refused.contains("not finite and not flagged") && refused.contains("column 3"), "{refused}");
}

#[test]
fn arrays_without_geometry_are_in_cells_and_say_so() {
    let (truth, estimate) = pair();
    let config = PowerConfig::default();
    let estimator = config.estimator(Volume::cells(SHAPE).unwrap(), None).unwrap();
    let evaluation = evaluate(&truth, &estimate, None, &estimator, &config).unwrap();
    assert_eq!(evaluation.k_unit, "rad/cell");
    assert!(evaluation.to_string().contains("radians per cell, not in h/Mpc"));
    near(evaluation.k_par.last().unwrap().k, std::f64::consts::PI, 1e-12, "half a turn a cell");
    let other = cube(vec![0.0; 8], [2, 2, 2]);
    let refused = evaluate(&truth, &other, None, &estimator, &config).unwrap_err().to_string();
    assert!(refused.contains("[2, 2, 2]") && refused.contains("[16, 12, 14]"), "{refused}");
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let (truth, estimate) = pair();
    let sigma = truth.map(|value| 0.3 + value.abs() / 10.0);
    let weights = truth.map(|value| if *value > 1.5 { 0.0 } else { 1.0 });
    let config = PowerConfig { window: Window::Hann, ..PowerConfig::default() };
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let estimator = config.estimator(volume(), Some(&weights)).unwrap();
            serde_json::to_string(&evaluate(&truth, &estimate, Some(&sigma), &estimator, &config).unwrap()).unwrap()
        })
    };
    let expected = run(1);
    assert!([2, 3, 7].into_iter().all(|threads| run(threads) == expected));
}

#[test]
fn visibilities_are_evaluated_delay_by_delay() {
    let axes = [(AxisKind::Baseline, 4), (AxisKind::Frequency, 32), (AxisKind::Time, 20)];
    let axes = Axes::new(axes.map(|(kind, len)| Axis::new(kind, len)).to_vec()).unwrap();
    let draws = white([2, 1, axes.value_count()], 9);
    let (re, im) = draws.split_at(axes.value_count());
    let truth: Vec<Complex<f32>> = re.iter().zip(im).map(|(re, im)| Complex::new(*re as f32, *im as f32)).collect();
    // turned by 60 degrees, half of every number is right
    let turned: Vec<Complex<f32>> =
        truth.iter().map(|v| v * Complex::from_polar(1.0, std::f32::consts::FRAC_PI_3)).collect();
    let (truth, estimate) = (Cube::new(truth, axes.clone()).unwrap(), Cube::new(turned, axes).unwrap());
    let frequencies: Vec<f64> = (0..32).map(|i| 110.0 + 0.5 * f64::from(i)).collect();
    let baselines = [[15.0, 0.0, 0.0], [0.0, 30.0, 0.0], [45.0, 0.0, 0.0], [60.0, 0.0, 1.0]];
    let config = PowerConfig::default();
    let estimator = DelayEstimator::new(&frequencies, &baselines, &Background::default()).unwrap();
    let evaluation = evaluate_visibilities(&truth, &estimate, &estimator, &config).unwrap();
    near(evaluation.map.r, 0.5, 1e-5, "r");
    near(evaluation.map.nmse, 1.0, 1e-5, "NMSE");
    assert!(evaluation.k_par.len() == 16 && !evaluation.k.is_empty());
    for bin in evaluation.k_par.iter().chain(&evaluation.k).filter(|bin| bin.modes > 0) {
        near(bin.t, 1.0, 1e-5, "t");
        near(bin.r, 0.5, 1e-5, "r");
        near(bin.residual_ratio, 1.0, 1e-5, "residual");
    }
    let unknown = DelayEstimator::new(&frequencies, &[], &Background::default()).unwrap();
    assert!(evaluate_visibilities(&truth, &estimate, &unknown, &config).unwrap().k.is_empty());
    assert!(
        evaluate_visibilities(&truth.rename(&[KINDS[1], KINDS[0], KINDS[2]]).unwrap(), &estimate, &unknown, &config)
            .is_err()
    );
}
