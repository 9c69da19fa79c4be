//! Tables that went wrong once, with what is right, and families of their kind.

use cupel_pharmacogenomics::{
    Error, Examples, Field, FieldKind, Leakage, ModelKind, Purpose, Schema, SplitConfig, Target, TrainConfig, Training,
    fit_file, question,
};
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn cases() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from);
    let path = data.join("../cases/pgx");
    if !path.is_dir() {
        eprintln!("SKIPPED: there is no {}; set CUPEL_DATA to the folder of data beside cases/", path.display());
        return None;
    }
    Some(path)
}

fn part() -> SplitConfig {
    SplitConfig { split_column: Some("part".into()), ..SplitConfig::default() }
}

/// Reads and splits a table under the schema of a file beside it.
fn read(folder: &Path, table: &str, schema: &str) -> Result<Examples, Error> {
    let schema = Schema::open(&folder.join(schema))?;
    let examples = part().read(Some(&folder.join(table)), &schema, &[])?;
    part().parts(&examples)?;
    Ok(examples)
}

fn names(examples: &Examples, column: &str) -> BTreeSet<String> {
    examples.table().category(column).unwrap().1.iter().cloned().collect()
}

fn refused(result: Result<Examples, Error>, words: &[&str]) {
    let error = result.expect_err("it should be refused").to_string();
    assert!(words.iter().all(|word| error.contains(word)), "{error}");
}

#[test]
fn tables_that_went_wrong_are_right() {
    let Some(folder) = cases() else { return };
    let greek = read(&folder, "greek.tsv", "s.toml").unwrap();
    let drugs = names(&greek, "drug");
    let own: Vec<&str> = drugs.iter().map(String::as_str).filter(|name| !name.starts_with("drug")).collect();
    assert_eq!(own, ["caféine", "fluorouracil", "interferon alfa-2a", "β-carotene", "μ-agonist"]);
    assert_eq!(drugs.len(), 20);
    // what encodes large files spells them the same
    let schema = Schema::open(&folder.join("s.toml")).unwrap();
    assert_eq!(fit_file(&folder.join("greek.tsv"), &schema, None).unwrap().vocabulary(0).unwrap().len(), 20);

    let words = read(&folder, "na_words.tsv", "s.toml").unwrap();
    assert_eq!(names(&words, "allele"), ["a", "c", "g", "t"].map(String::from).into());
    assert_eq!(names(&words, "effect_direction"), ["decreased", "increased"].map(String::from).into());

    refused(read(&folder, "weight_nan.tsv", "weight.toml"), &["weight", "in row", "\"w\""]);
    refused(read(&folder, "weight_zero.tsv", "weight.toml"), &["weight", "0 in all", "train"]);

    let asked = |file: &str| Examples::read(&folder.join(file), &schema, &[], Purpose::Asking);
    let some = asked("missing_field_predict.tsv").unwrap();
    assert_eq!((some.absent(), some.len()), (&["allele".to_string(), "genalle".into()][..], 20));
    assert!(
        (0..20).all(|row| some.name("allele", row).unwrap().is_none() && some.name("drug", row).unwrap().is_some())
    );
    refused(asked("swapped_case_predict.tsv"), &["drug", "did you mean", "Drug"]);
    // the columns that learning needs are never left out
    refused(Examples::read(&folder.join("missing_field_predict.tsv"), &schema, &[], Purpose::Learning), &["allele"]);
}

/// A class that the validation part has and training has not leaves every number finite.
#[test]
fn a_class_that_training_never_saw_is_no_fault() {
    let Some(folder) = cases() else { return };
    let examples = read(&folder, "val_unseen_class.tsv", "s.toml").unwrap();
    let parts = part().parts(&examples).unwrap();
    let leakage = Leakage::of(&examples, &parts, &[]).unwrap();
    assert!(leakage.unseen["val"]["effect_type"] > 0, "{leakage}");
    assert!(
        leakage.to_string().contains("rows of val have a class of effect_type that training never saw"),
        "{leakage}"
    );
    let config = TrainConfig::of([ModelKind::Majority, ModelKind::Counts]);
    let device = burn::tensor::Device::flex();
    let training = Training::new(&config, &examples, &parts, "part", &device).unwrap();
    let trained = training.run(&mut cupel_train::Run::in_memory()).unwrap();
    let answers = trained.model.answer(&examples, &parts.validation).unwrap();
    let known = |name: &String| name != "metabolism of";
    for answer in &answers {
        let said = &answer.targets["effect_type"];
        assert!(said.probabilities.iter().all(|(name, p)| known(name) && p.is_finite()), "{said:?}");
    }
}

fn schema(weight: bool) -> Schema {
    Schema {
        group: None,
        weight: weight.then(|| "w".into()),
        time: None,
        fields: vec![Field::category("drug"), Field { kind: FieldKind::Many, ..Field::category("genes") }],
        targets: vec![Target::classes("effect", 1)],
    }
}

fn written(text: &str, weight: bool, purpose: Purpose) -> Result<Examples, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.tsv");
    fs::write(&path, text).unwrap();
    Examples::read(&path, &schema(weight), &[], purpose)
}

#[test]
fn every_word_for_nothing_is_nothing_in_every_kind_of_column() {
    for word in ["", "NA", "N/A", "n/a", "NaN", "nan", "None", "NULL", "null", "<NA>", "#N/A", "?", ".", " NA "] {
        let text = format!("drug\tgenes\teffect\n{word}\ta|{word}|b\t{word}\nx\t{word}\tup\n");
        let examples = written(&text, false, Purpose::Learning).unwrap();
        assert_eq!((names(&examples, "drug").len(), names(&examples, "effect").len()), (1, 1), "{word:?}");
        let (offsets, _, genes) = examples.table().many("genes").unwrap();
        assert_eq!((offsets, genes), (&[0, 2, 2][..], &["a".to_string(), "b".into()][..]), "{word:?}");
        // a question by hand is read by the same rule
        let asked = question(&schema(false), &[("drug".into(), word.into())]).unwrap();
        assert!(asked.name("drug", 0).unwrap().is_none(), "{word:?}");
    }
    for name in ["Na", "none", "-", "0", "unknown"] {
        let text = format!("drug\tgenes\teffect\n{name}\t\tup\n");
        assert_eq!(names(&written(&text, false, Purpose::Learning).unwrap(), "drug").len(), 1, "{name:?}");
    }
}

#[test]
fn weights_are_numbers_or_an_error_with_the_row() {
    for word in ["NaN", "", "NA", "-1", "-0.001", "inf", "-inf", "1e999", "x"] {
        let text = format!("drug\tgenes\teffect\tw\na\t\tup\t1\nb\t\tdown\t{word}\n");
        let error = written(&text, true, Purpose::Learning).unwrap_err().to_string();
        assert!(error.contains('w') && (error.contains("row 2") || error.contains("line 3")), "{word:?}: {error}");
        // nobody weighs questions
        assert!(written(&text, true, Purpose::Asking).is_ok(), "{word:?}");
    }
    let text = "drug\tgenes\teffect\tw\na\t\tup\t0\nb\t\tdown\t2.5\n";
    assert_eq!(written(text, true, Purpose::Learning).unwrap().weight(1), 2.5);
}

#[test]
fn a_field_is_there_once_or_missing_and_a_slip_is_named() {
    let asked = |head: &str| written(&format!("{head}\na\tb\n"), false, Purpose::Asking);
    assert_eq!(asked("drug\tsomething").unwrap().absent(), ["genes"]);
    for (head, word) in [("Drug\tgenes", "Drug"), ("drgu\tgenes", "drgu"), ("drug\tGenes", "Genes"), ("x\ty", "drug")] {
        refused(asked(head), &[word]);
    }
    refused(asked("drug\tdrug"), &["both called"]);
    let twice = question(&schema(false), &[("drug".into(), "a".into()), ("drug".into(), "b".into())]);
    refused(twice, &["drug twice", "\"a\"", "\"b\""]);
}

#[test]
fn copies_of_training_rows_and_classes_that_training_never_saw_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.tsv");
    let rows = [
        ("a", "x|y", "up", "train"),
        ("b", "x", "down", "train"),
        ("A ", "y|x", "up", "train"), // the first again
        ("b", "x", "down", "test"),   // the second again
        ("b", "x", "up", "test"),     // another effect is no copy
        ("c", "x", "sideways", "test"),
        ("a", "x|y", "up", "val"),
    ];
    let row = |(drug, genes, effect, part): &(&str, &str, &str, &str)| format!("{drug}\t{genes}\t{effect}\t{part}\n");
    fs::write(&path, "drug\tgenes\teffect\tpart\n".to_string() + &rows.iter().map(row).collect::<String>()).unwrap();
    let examples = Examples::read(&path, &schema(false), &["part"], Purpose::Learning).unwrap();
    let parts = part().parts(&examples).unwrap();
    let leakage = Leakage::of(&examples, &parts, &[]).unwrap();
    assert_eq!(leakage.copies["train"], [[3, 1]]);
    assert_eq!(leakage.copies["val"], [[7, 1]]);
    assert_eq!(leakage.copies["test"], [[4, 2]]);
    assert_eq!((leakage.unseen["test"]["effect"], leakage.unseen["val"]["effect"]), (1, 0));
    let text = leakage.to_string();
    assert!(text.contains("1 rows of test are exact copies of training rows: 4 of 2"), "{text}");
    assert!(text.contains("1 rows of test have a class of effect that training never saw"), "{text}");
}
