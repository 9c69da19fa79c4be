//! Splits, and what they give away.

use cupel_data::{Column, Fractions, Table};
use cupel_pharmacogenomics::{Error, Examples, Field, Leakage, Parts, Schema, SplitKind, Target, planted};
use std::collections::BTreeSet;

const SHARES: Fractions = Fractions { train: 0.7, validation: 0.15, test: 0.15 };

fn set(rows: &[usize], of: impl Fn(usize) -> u32) -> BTreeSet<u32> {
    rows.iter().map(|row| of(*row)).collect()
}

#[test]
fn every_row_is_in_one_place_and_no_unit_in_two() {
    let examples = planted(600, 3).unwrap().examples;
    let groups = examples.groups().unwrap().to_vec();
    let code = |field: &str| examples.table().category(field).unwrap().0.to_vec();
    let (drugs, alleles) = (code("drug"), code("genalle"));
    for kind in ["random", "stratified", "group", "pair", "drug", "gene", "time", "stratified-group"] {
        let parsed: SplitKind = kind.parse().unwrap();
        assert_eq!(parsed.to_string(), kind);
        let parts = Parts::make(&examples, &parsed, SHARES, 5).unwrap();
        let mut all =
            [parts.train.clone(), parts.validation.clone(), parts.test.clone(), parts.dropped.clone()].concat();
        all.sort_unstable();
        assert_eq!(all, (0..600).collect::<Vec<_>>(), "{kind}");
        assert!(!parts.train.is_empty() && !parts.test.is_empty(), "{kind}");
        let shared = |of: &dyn Fn(usize) -> u32| {
            let train = set(&parts.train, of);
            set(&parts.test, of).intersection(&train).count() + set(&parts.validation, of).intersection(&train).count()
        };
        let by_group = shared(&|row| groups[row]);
        match kind {
            "random" | "stratified" => assert!(by_group > 0, "{kind}"),
            _ => assert_eq!(by_group, 0, "{kind}"),
        }
        if kind == "pair" {
            assert_eq!(shared(&|row| drugs[row] * 1000 + alleles[row]), 0);
        }
        if kind == "drug" {
            assert_eq!(shared(&|row| drugs[row]), 0);
        }
        let leakage = Leakage::of(&examples, &parts, &[]).unwrap();
        assert_eq!(leakage.leaky, matches!(kind, "random" | "stratified"), "{kind}");
        assert_eq!(leakage.refuse().is_err(), leakage.leaky);
        assert_eq!(Parts::make(&examples, &parsed, SHARES, 5).unwrap(), parts, "{kind} is drawn from the seed alone");
    }
}

#[test]
fn time_goes_forward() {
    let examples = planted(500, 1).unwrap().examples;
    let parts = Parts::make(&examples, &SplitKind::Time, SHARES, 0).unwrap();
    let times = examples.times().unwrap();
    let most = |rows: &[usize]| rows.iter().map(|row| times[*row]).fold(f64::MIN, f64::max);
    let least = |rows: &[usize]| rows.iter().map(|row| times[*row]).fold(f64::MAX, f64::min);
    assert!(most(&parts.train) < least(&parts.validation) && most(&parts.validation) < least(&parts.test));
}

#[test]
fn stratified_parts_have_the_classes_in_equal_shares() {
    let examples = planted(2000, 2).unwrap().examples;
    let classes = examples.table().category("effect_type").unwrap().0;
    for kind in [SplitKind::Stratified, SplitKind::StratifiedGroup] {
        let parts = Parts::make(&examples, &kind, SHARES, 0).unwrap();
        for class in 0..5 {
            let share =
                |rows: &[usize]| rows.iter().filter(|row| classes[**row] == class).count() as f64 / rows.len() as f64;
            assert!((share(&parts.train) - share(&parts.test)).abs() < 0.03, "{kind} {class}");
        }
        assert!((parts.train.len() as f64 - 1400.0).abs() < 20.0, "{}", parts.train.len());
    }
}

#[test]
fn folds_test_every_row_once_and_divide_no_group() {
    let examples = planted(400, 4).unwrap().examples;
    let groups = examples.groups().unwrap();
    let rows: Vec<usize> = (0..300).collect();
    let folds = Parts::folds(&examples, &rows, 5, 7).unwrap();
    let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.validation.clone()).collect();
    tested.sort_unstable();
    assert_eq!(tested, rows);
    for fold in &folds {
        let train = set(&fold.train, |row| groups[row]);
        assert!(set(&fold.validation, |row| groups[row]).is_disjoint(&train));
        assert!(fold.validation.len().abs_diff(60) <= 4, "{}", fold.validation.len());
    }
    assert!(Parts::folds(&examples, &rows, 1, 7).is_err());
}

#[test]
fn folds_are_as_cold_as_the_split() {
    let examples = planted(3000, 4).unwrap().examples;
    let groups = examples.groups().unwrap();
    let codes = |field: &str| examples.table().category(field).unwrap().0;
    for (kind, cold) in
        [("drug", vec!["drug"]), ("gene", vec!["gene"]), ("stratified-group", vec![]), ("random", vec![])]
    {
        let parts = Parts::make(&examples, &kind.parse().unwrap(), SHARES, 2).unwrap();
        assert_eq!(parts.cold_fields(&examples).unwrap(), cold, "{kind}");
        let folds = parts.folds_alike(&examples, &parts.train, 4, 7).unwrap();
        let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.validation.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, parts.train, "{kind}");
        for fold in &folds {
            let shares = |codes: &[u32]| {
                !set(&fold.validation, |row| codes[row]).is_disjoint(&set(&fold.train, |row| codes[row]))
            };
            assert!(cold.iter().all(|field| !shares(codes(field))), "{kind}");
            assert_eq!(shares(groups), kind == "random", "{kind}");
            assert!(fold.train.len() > parts.train.len() / 8, "{kind}: {}", fold.train.len());
            let mut all = [fold.train.clone(), fold.validation.clone(), fold.dropped.clone()].concat();
            all.sort_unstable();
            assert_eq!(all, (0..3000).collect::<Vec<_>>(), "{kind}");
        }
    }
}

#[test]
fn a_leak_is_measured_and_refused() {
    let column = |codes: Vec<u32>, names: &[&str]| Column::Category {
        codes,
        names: names.iter().map(ToString::to_string).collect(),
    };
    let table = Table::new(vec![
        ("drug".into(), column(vec![0, 0, 1, 2], &["a", "b", "c"])),
        ("y".into(), column(vec![0, 1, 0, 1], &["up", "down"])),
        ("group".into(), column(vec![0, 1, 0, 2], &["g0", "g1", "g2"])),
        ("split".into(), column(vec![0, 0, 1, 1], &["train", "test"])),
    ])
    .unwrap();
    let schema = Schema {
        group: Some("group".into()),
        weight: None,
        time: None,
        fields: vec![Field::category("drug")],
        targets: vec![Target::classes("y", 1)],
    };
    let examples = Examples::of_table(schema, table, "test").unwrap();
    let parts = Parts::from_column(&examples, "split").unwrap();
    let leakage = Leakage::of(&examples, &parts, &[]).unwrap();
    let test = leakage.test.clone().unwrap();
    assert_eq!((test.group, test.fields["drug"], test.all_fields), (0.5, 0.0, 0.0));
    assert_eq!(
        leakage.refuse().unwrap_err().to_string(),
        "the split leaks: 50.0 % of the test rows have a row of the same group in train; split by group, or \
         allow leakage to report anyway"
    );
    assert!(matches!(Parts::from_column(&examples, "y"), Err(Error::SplitValue { row: 1, .. })));
    assert!(matches!(parts.part("val"), Err(Error::EmptyPart { part: "val", .. })));
}
