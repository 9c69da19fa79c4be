//! Numbers of numpy, SciPy and scikit-learn; `golden.py` made them.

use cupel_statistics::{
    Reliability, Spread,
    conformal::{class_thresholds, label_thresholds, quantile_margin, residual_margin, scaled_margin},
    interval, quantile,
};
use serde_json::Value;

/// Sums of a few hundred f64.
const CLOSE: f64 = 1e-12;

fn cases(name: &str) -> Vec<Value> {
    let golden: Value = serde_json::from_str(include_str!("golden.json")).unwrap();
    golden[name].as_array().cloned().unwrap_or_else(|| vec![golden[name].clone()])
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn close(what: &str, got: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap_or(f64::INFINITY);
    let scale = if expected.is_finite() { expected.abs().max(1.0) } else { 1.0 };
    assert!(got == expected || (got - expected).abs() <= CLOSE * scale, "{what}: {got} instead of {expected}");
}

#[test]
fn spreads_and_quantiles_are_those_of_numpy() {
    for case in cases("spread") {
        let spread = Spread::of(&numbers(&case["values"])).unwrap();
        close("mean", spread.mean, &case["mean"]);
        close("sd", spread.sd, &case["sd"]);
    }
    for case in cases("quantiles") {
        for (share, expected) in numbers(&case["shares"]).into_iter().zip(case["quantiles"].as_array().unwrap()) {
            close("quantile", quantile(&numbers(&case["values"]), share), expected);
        }
    }
}

#[test]
fn the_bootstrap_nears_the_interval_of_all_resamples() {
    let case = &cases("bootstrap")[0];
    let (values, within) = (numbers(&case["values"]), numbers(&case["within"]));
    let groups: Vec<u32> = numbers(&case["groups"]).into_iter().map(|group| group as u32).collect();
    let rows: Vec<usize> = (0..values.len()).collect();
    let mean = |rows: &[usize]| vec![Some(rows.iter().map(|row| values[*row]).sum::<f64>() / rows.len() as f64)];
    let found = interval(&rows, &groups, 20_000, 1, mean)[0].unwrap();
    // of 20 000 draws the share below a quantile scatters by .0011: the ends lie within one percent of the resamples
    assert!(within[0] < found.low && found.low < within[1], "{found:?} {case}");
    assert!(within[2] < found.high && found.high < within[3], "{found:?} {case}");
}

#[test]
fn reliability_is_that_of_scikit_learn() {
    for case in cases("reliability") {
        let mut reliability = Reliability::default();
        for (p, hit) in numbers(&case["p"]).into_iter().zip(case["hit"].as_array().unwrap()) {
            reliability.push(p, hit.as_bool().unwrap());
        }
        let bins = reliability.bins();
        assert_eq!(bins.len(), case["said"].as_array().unwrap().len());
        for (i, bin) in bins.iter().enumerate() {
            close("said", bin.said, &case["said"][i]);
            close("true share", bin.true_share, &case["true_share"][i]);
            assert_eq!(bin.rows, case["rows"][i].as_u64().unwrap());
        }
        close("error", reliability.error().unwrap(), &case["error"]);
        close("adaptive error", reliability.adaptive_error().unwrap(), &case["adaptive_error"]);
    }
}

#[test]
fn margins_are_the_finite_sample_quantiles_of_numpy() {
    for case in cases("real") {
        let [truth, said, scale, low, high] =
            ["truth", "said", "scale", "low", "high"].map(|name| numbers(&case[name]));
        let coverage = case["coverage"].as_f64().unwrap();
        close("residual", residual_margin(&said, &truth, coverage), &case["residual"]);
        close("scaled", scaled_margin(&said, &scale, &truth, coverage), &case["scaled"]);
        close("quantile", quantile_margin(&low, &high, &truth, coverage), &case["quantile"]);
    }
}

#[test]
fn thresholds_of_classes_and_labels_are_those_of_their_definition() {
    for case in cases("thresholds") {
        let of = if case["kind"] == "classes" { class_thresholds } else { label_thresholds };
        let (belief, coverage) = (case["belief"].as_f64().unwrap(), case["coverage"].as_f64().unwrap());
        let width = case["width"].as_u64().unwrap() as usize;
        let found = of(&numbers(&case["p"]), &numbers(&case["y"]), &numbers(&case["w"]), width, belief, coverage);
        assert_eq!(found, numbers(&case["thresholds"]), "{} {belief} {coverage}", case["kind"]);
    }
}
