//! The table of variant annotations, where it is at hand.

use burn::tensor::Device;
use cupel_pharmacogenomics::{
    Classifier, Examples, FieldSet, Leakage, ModelKind, Parts, Predictor, Purpose, Schema, TrainConfig,
};
use std::path::PathBuf;

fn device() -> Device {
    Device::flex()
}

fn table() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from);
    let path = data.join("pharmacogenomics/pairs.tsv");
    if !path.is_file() {
        eprintln!("SKIPPED: there is no {}; set CUPEL_DATA to the folder that holds pharmacogenomics/", path.display());
        return None;
    }
    Some(path)
}

fn read(path: &std::path::Path, column: &str) -> (Examples, Parts) {
    let schema = Schema::annotations(&FieldSet::Extended);
    let examples = Examples::read(path, &schema, &[column], Purpose::Learning).unwrap();
    let parts = Parts::from_column(&examples, column).unwrap();
    (examples, parts)
}

#[test]
fn the_published_splits_are_as_their_authors_say() {
    let Some(path) = table() else { return };
    for (column, rows, leaky) in [
        ("split_random", [19093, 2380, 2520, 0], true),
        ("split_annotation", [18992, 2502, 2499, 0], false),
        ("split_pair", [16548, 2594, 2363, 2488], false),
        ("split_drug", [17350, 2672, 1749, 2222], false),
    ] {
        let (examples, parts) = read(&path, column);
        let leakage = Leakage::of(&examples, &parts, &[]).unwrap();
        assert_eq!(leakage.rows, rows, "{column}");
        assert_eq!(leakage.leaky, leaky, "{column}: {leakage:?}");
        if column == "split_drug" {
            // spelled as they are, no drug of the test is in train; under one spelling a few are
            let share = leakage.test.as_ref().unwrap().fields["drug"];
            assert!(share > 0.0 && share < 0.05, "{share}");
            assert!(Leakage::of(&examples, &parts, &["drug".into()]).unwrap().refuse().is_err());
        }
        if column == "split_random" {
            // the share that the table's authors measured
            assert!((leakage.test.unwrap().group - 0.571).abs() < 0.01);
        }
    }
}

#[test]
fn counts_repeat_the_published_baseline() {
    let Some(path) = table() else { return };
    let (examples, parts) = read(&path, "split_annotation");
    let mut config = TrainConfig::of([ModelKind::Majority, ModelKind::Counts]);
    config.ensemble.cross_fit = 0;
    let predictor = Predictor::train(&config, &examples, &parts, &device()).unwrap();
    assert_eq!(predictor.classes()[0].len(), 25);
    // log-loss on the validation part of pharmacogenomics_baselines.py's models, computed with it on that part
    for (member, expected) in predictor.members().iter().zip([2.3718, 1.6874]) {
        let said = member.probabilities(&examples, &parts.validation).unwrap();
        let labels = predictor.classes()[0].labels(&examples).unwrap();
        let loss = said[0].log_loss(&labels, &parts.validation).unwrap();
        assert!((loss - expected).abs() < 0.02, "{}: {loss}", member.name());
    }
}
