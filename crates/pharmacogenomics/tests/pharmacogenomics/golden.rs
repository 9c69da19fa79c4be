//! Measures and a logistic regression against scikit-learn; `golden.py` made the numbers.

use cupel_data::{Column, Table};
use cupel_pharmacogenomics::{
    Classes, Classifier, Examples, Field, Linear, LinearConfig, Schema, Target,
    metrics::{ClassScore, LabelScore, auroc, average_precision},
};
use cupel_statistics::interval;
use serde_json::Value;

/// Sums of a few hundred f64.
const CLOSE: f64 = 1e-10;

fn golden() -> Value {
    serde_json::from_str(include_str!("../golden.json")).unwrap()
}

fn rows(value: &Value) -> Vec<Vec<f64>> {
    value.as_array().unwrap().iter().map(numbers).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn close(name: &str, got: f64, expected: &Value) {
    let expected = expected.as_f64().unwrap();
    assert!((got - expected).abs() < CLOSE, "{name}: {got}, scikit-learn says {expected}");
}

fn largest(p: &[f64]) -> usize {
    (0..p.len()).rev().max_by(|a, b| p[*a].total_cmp(&p[*b])).unwrap()
}

#[test]
fn measures_of_classes_are_those_of_scikit_learn() {
    for case in golden()["classes"].as_array().unwrap() {
        let p = rows(&case["p"]);
        let mut score = ClassScore::new(p[0].len());
        for (p, y) in p.iter().zip(numbers(&case["y"])) {
            score.push(p, largest(p), y as usize);
        }
        let measures = score.measures().unwrap();
        let shown = serde_json::to_value(&measures).unwrap();
        for name in [
            "log_loss",
            "weighted_f1",
            "macro_f1",
            "micro_f1",
            "accuracy",
            "balanced_accuracy",
            "auroc",
            "auprc",
            "brier",
            "ece",
        ] {
            close(&format!("{} {name}", case["name"]), shown[name].as_f64().unwrap(), &case[name]);
        }
        for (class, expected) in measures.per_class.iter().zip(case["precision"].as_array().unwrap()) {
            close("precision", class.precision, expected);
        }
    }
}

#[test]
fn measures_of_labels_are_those_of_scikit_learn() {
    for case in golden()["labels"].as_array().unwrap() {
        let p = rows(&case["p"]);
        let mut score = LabelScore::new(p[0].len());
        for (p, y) in p.iter().zip(rows(&case["y"])) {
            let decisions: Vec<bool> = p.iter().map(|p| *p >= 0.5).collect();
            score.push(p, &decisions, &y.iter().map(|y| *y > 0.0).collect::<Vec<_>>());
        }
        let shown = serde_json::to_value(score.measures().unwrap()).unwrap();
        for name in [
            "log_loss",
            "micro_f1",
            "macro_f1",
            "weighted_f1",
            "samples_f1",
            "hamming_accuracy",
            "subset_accuracy",
            "auroc",
            "auprc",
            "ece",
        ] {
            close(&format!("{} {name}", case["name"]), shown[name].as_f64().unwrap(), &case[name]);
        }
    }
}

#[test]
fn degenerate_inputs_have_no_measure_instead_of_a_wrong_one() {
    assert!(ClassScore::new(3).measures().is_none());
    assert!(LabelScore::new(3).measures().is_none());
    assert_eq!(auroc(&[], &[]), None);
    assert_eq!(auroc(&[0.3, 0.3], &[true, true]), None);
    assert_eq!(auroc(&[0.3, 0.3, 0.3], &[true, false, true]), Some(0.5));
    assert_eq!(average_precision(&[0.3], &[false]), None);
    // one class only: its order means nothing, the rest does
    let mut score = ClassScore::new(2);
    score.push(&[0.9, 0.1], 0, 0);
    let measures = score.measures().unwrap();
    assert_eq!((measures.auroc, measures.accuracy, measures.macro_f1), (None, 1.0, 1.0));
    // a probability of 0 for the truth is clipped, not infinite
    let mut score = ClassScore::new(2);
    score.push(&[1.0, 0.0], 0, 1);
    assert!((score.measures().unwrap().log_loss - 12.0 * 10.0_f64.ln()).abs() < 1e-9);
}

#[test]
#[should_panic(expected = "a row of 3 probabilities for 2 classes")]
fn a_row_of_another_width_is_a_fault_of_the_program() {
    ClassScore::new(2).push(&[0.2, 0.3, 0.5], 0, 0);
}

#[test]
fn intervals_resample_groups_and_not_rows() {
    // 20 groups of 50 equal rows: resampling rows would make the interval 7 times too narrow
    let groups: Vec<u32> = (0..1000).map(|row| row / 50).collect();
    let value = |row: &usize| f64::from(u8::from((row / 50).is_multiple_of(2)));
    let rows: Vec<usize> = (0..1000).collect();
    let mean = |rows: &[usize]| vec![Some(rows.iter().map(value).sum::<f64>() / rows.len() as f64), None];
    let found = interval(&rows, &groups, 400, 1, mean);
    let wide = found[0].unwrap();
    let expected = 1.96 * (0.25_f64 / 20.0).sqrt();
    assert!(((wide.high - wide.low) / 2.0 - expected).abs() < 0.05, "{wide:?}");
    assert_eq!(found[1], None);
    assert_eq!(interval(&rows, &groups, 400, 1, mean)[0], found[0]);
}

#[test]
fn the_regression_is_that_of_scikit_learn() {
    let golden = golden();
    let case = &golden["regression"];
    let x: Vec<Vec<String>> = serde_json::from_value(case["x"].clone()).unwrap();
    let column = |which: usize| {
        let names: Vec<String> = (0..6).map(|i| i.to_string()).collect();
        Column::Category { codes: x.iter().map(|row| row[which].parse().unwrap()).collect(), names }
    };
    let y = numbers(&case["y"]).into_iter().map(|y| y as u32).collect();
    let y = Column::Category { codes: y, names: ["a", "b", "c"].map(String::from).to_vec() };
    let table = Table::new(vec![("one".into(), column(0)), ("two".into(), column(1)), ("y".into(), y)]).unwrap();
    let schema = Schema {
        group: None,
        weight: None,
        time: None,
        fields: vec![Field::category("one"), Field::category("two")],
        targets: vec![Target::classes("y", 1)],
    };
    let examples = Examples::of_table(schema, table, "golden").unwrap();
    let rows: Vec<usize> = (0..examples.len()).collect();
    let classes = vec![Classes::fit(&examples, &examples.schema().targets[0], &rows).unwrap()];
    let labels = vec![classes[0].labels(&examples).unwrap()];
    let mut config = LinearConfig::default();
    (config.tokens.parts, config.tokens.stems, config.tokens.crosses) = (0.0, 0.0, 0.0);
    config.inverse_penalty = 1.0;
    let model = Linear::fit(&config, &examples, &rows, &classes, &labels, 0).unwrap();
    let said = model.probabilities(&examples, &rows).unwrap();
    let mut worst = 0.0_f64;
    for (said, expected) in said[0].iter().zip(self::rows(&case["p"])) {
        said.iter().zip(expected).for_each(|(a, b)| worst = worst.max((a - b).abs()));
    }
    // the search ends when the loss changes by less than 1e-5 of itself
    assert!(worst < 2e-3, "{worst}");
}
