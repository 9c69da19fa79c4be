//! From text to ids.

use cupel_data::MISSING;
use cupel_pharmacogenomics::{
    Classes, Encoder, Error, Examples, Field, FieldKind, MISSING_ID, OTHER, Purpose, Schema, Target, UNKNOWN_ID,
    encode_file, encode_rows, fit_file, question,
};
use std::{fs, path::PathBuf};

const TABLE: &str = "drug\tallele\tgene\tparts\tdose\ty\tgroup\tpart\n\
    Warfarin\tCYP2C9 *3\tCYP2C9\tA|b\t2.5\tup\t1\ttrain\n\
    warfarin \t*2\tCYP2C9\t\tNA\tup\t1\ttrain\n\
    Aspirin\t\tPTGS1\ta| B |a\t3.5\tdown\t2\ttrain\n\
    ibuprofen\tcyp2c9*3\tCYP2C9\tc\t1\tsideways\t3\ttest\n\
    \"quoted\tx\" y\tcyp2c9\t\t4\tdown\t4\ttest\n";

fn schema() -> Schema {
    let mut allele = Field::category("allele");
    allele.back_off = vec!["gene".into()];
    Schema {
        group: Some("group".into()),
        weight: None,
        time: None,
        fields: vec![
            Field::category("drug"),
            allele,
            Field::category("gene"),
            Field { kind: FieldKind::Many, ..Field::category("parts") },
            Field { kind: FieldKind::Number, ..Field::category("dose") },
        ],
        targets: vec![Target::classes("y", 1)],
    }
}

fn written(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.tsv");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn read() -> Examples {
    let (_folder, path) = written(TABLE);
    Examples::read(&path, &schema(), &["part"], Purpose::Learning).unwrap()
}

#[test]
fn names_have_one_spelling_and_missing_is_not_unknown() {
    let examples = read();
    let name = |field, row| examples.name(field, row).unwrap();
    assert_eq!((name("drug", 0), name("drug", 1)), (Some("warfarin"), Some("warfarin")));
    assert_eq!((name("allele", 0), name("allele", 3)), (Some("cyp2c9*3"), Some("cyp2c9*3")));
    assert_eq!(name("allele", 2), None);
    // text with tabs has no quotes, so that one at the beginning of a cell does not swallow the rest
    assert_eq!(name("drug", 4), Some("\"quoted"));

    let train = [0, 1, 2];
    let encoder = Encoder::fit(&examples, &train).unwrap();
    let encoded = encoder.encode(&examples).unwrap();
    // drugs sorted: aspirin 2, warfarin 3
    assert_eq!(encoded.ids[0], [3, 3, 2, UNKNOWN_ID, UNKNOWN_ID]);
    // alleles sorted: *2 is 2, cyp2c9*3 is 3; then the genes cyp2c9 and ptgs1 for alleles that are unknown
    assert_eq!(encoder.sizes(), [4, 6, 4]);
    assert_eq!(encoded.ids[1], [3, 2, MISSING_ID, 3, 4]);
    assert_eq!(encoded.fallback[1], [4, 4, 5, 4, 4]);
    assert_eq!(encoded.lists[0], (vec![0, 2, 2, 4, 5, 5], vec![2, 3, 2, 3, UNKNOWN_ID]));
    let (values, present) = &encoded.numbers[0];
    assert_eq!(present, &[true, false, true, true, true]);
    // mean 3 and deviation 1/2 of the two training numbers
    assert_eq!(values, &[-1.0, 0.0, 1.0, -4.0, 2.0]);
}

#[test]
fn names_come_from_training_rows_alone() {
    let examples = read();
    let encoder = Encoder::fit(&examples, &[0, 1, 2]).unwrap();
    let drugs: Vec<&str> = encoder.vocabulary(0).unwrap().names().collect();
    assert_eq!(drugs, ["aspirin", "warfarin"]);
    assert_eq!(encoder.vocabulary(0).unwrap().suggestion("warfrin"), Some("warfarin"));
    assert_eq!(encoder.vocabulary(0).unwrap().suggestion("metformin"), None);
    let other = Encoder::of_record(schema(), encoder.record()).unwrap();
    assert_eq!(other.encode(&examples).unwrap(), encoder.encode(&examples).unwrap());
}

#[test]
fn streaming_gives_the_same_ids_and_the_same_names() {
    let (folder, path) = written(TABLE);
    let examples = Examples::read(&path, &schema(), &[], Purpose::Learning).unwrap();
    let out = folder.path().join("ids");
    let (streamed, rows) = encode_file(&path, &schema(), Some("part"), &out).unwrap();
    assert_eq!(rows, 5);
    let encoder = Encoder::fit(&examples, &[0, 1, 2]).unwrap();
    assert_eq!(streamed.record(), encoder.record());
    let encoded = encoder.encode(&examples).unwrap();
    let column = |name: &str| {
        let array = cupel_data::open(out.join(name)).unwrap();
        array.cube::<f64>(None).unwrap().values().to_vec()
    };
    for (field, name) in ["drug", "allele", "gene"].iter().enumerate() {
        let expected: Vec<f64> = encoded.ids[field].iter().map(|id| f64::from(*id)).collect();
        assert_eq!(column(&format!("{name}.npy")), expected, "{name}");
    }
    assert_eq!(column("parts.npy"), [2.0, 3.0, 2.0, 3.0, 2.0, 0.0]);
    assert_eq!(column("parts.offsets.npy"), [0.0, 2.0, 2.0, 5.0, 6.0, 6.0]);
    assert!(column("dose.npy")[1].is_nan());
    let mut collected = Vec::new();
    encode_rows(&path, &fit_file(&path, &schema(), Some("part")).unwrap(), |ids| collected.push(ids.to_vec())).unwrap();
    assert_eq!(collected[3], [UNKNOWN_ID, 3, 2]);
}

#[test]
fn rare_classes_are_merged_by_a_rule_that_is_recorded() {
    let examples = read();
    let train = [0, 1, 2];
    let classes = Classes::fit(&examples, &Target::classes("y", 2), &train).unwrap();
    assert_eq!(classes.names, ["up", OTHER]);
    assert_eq!((classes.counts.as_slice(), classes.merged.get("down")), (&[2, 1][..], Some(&1)));
    let labels = classes.labels(&examples).unwrap();
    // a class that training never saw counts as rare
    assert_eq!((0..5).map(|row| labels.class(row)).collect::<Vec<_>>(), [Some(0), Some(0), Some(1), Some(1), Some(1)]);
    // without a merged class it is missing, and no unknown class is made up for it
    let classes = Classes::fit(&examples, &Target::classes("y", 1), &train).unwrap();
    assert_eq!(classes.names, ["down", "up"]);
    let labels = classes.labels(&examples).unwrap();
    assert_eq!((labels.class(3), labels.is_known(3), labels.known(&[2, 3, 4])), (None, false, vec![2, 4]));
    let error = Classes::fit(&examples, &Target::classes("y", 1), &[0, 1]).unwrap_err();
    assert!(error.to_string().contains("target \"y\" has 1 class in the training rows"), "{error}");
}

#[test]
fn what_is_wrong_with_a_table_is_named() {
    let (_folder, path) = written("drug\tallele\tgene\tparts\tdose\ty\tgroup\nx\ty\tz\t\tmuch\tup\t1\n");
    let error = Examples::read(&path, &schema(), &[], Purpose::Learning).unwrap_err().to_string();
    assert!(error.contains("\"much\" is not a finite number") && error.contains("line 2"), "{error}");
    let (_folder, path) = written("drugs\tallele\tgene\tparts\tdose\ty\tgroup\nx\ty\tz\t\t1\tup\t1\n");
    let error = Examples::read(&path, &schema(), &[], Purpose::Learning).unwrap_err().to_string();
    assert!(error.contains("\"drug\"") && error.contains("drugs"), "{error}");
    let (_folder, path) = written("drug\tallele\nx\n");
    assert!(Examples::read(&path, &schema(), &[], Purpose::Learning).is_err());
}

#[test]
fn a_question_knows_the_fields_it_was_not_given() {
    let asked = question(&schema(), &[("drug".into(), " Warfarin".into()), ("parts".into(), "b|A".into())]).unwrap();
    assert_eq!(asked.name("drug", 0).unwrap(), Some("warfarin"));
    assert_eq!(asked.table().category("gene").unwrap().0, [MISSING]);
    // in the order in which they stand there, as in a table
    assert_eq!(asked.table().many("parts").unwrap().2, ["b", "a"]);
    let error = question(&schema(), &[("durg".into(), "x".into())]).unwrap_err();
    assert!(matches!(&error, Error::UnknownField { suggestion: Some(name), .. } if name == "drug"), "{error}");
}

#[cfg(not(feature = "parquet"))]
#[test]
fn parquet_is_recognised_and_the_feature_named() {
    let (_folder, path) = written("PAR1 and what not");
    let error = Examples::read(&path, &schema(), &[], Purpose::Learning).unwrap_err().to_string();
    assert!(error.contains("a Parquet table") && error.contains("--features parquet"), "{error}");
    assert!(encode_file(&path, &schema(), None, &path.with_extension("out")).is_err());
}
