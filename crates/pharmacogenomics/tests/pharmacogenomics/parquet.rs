//! Tables in Parquet: the same cells as text has, and errors of files that lie.

use cupel_pharmacogenomics::{
    Error, Examples, Field, FieldKind, Purpose, Schema, Target, column_names, encode_file, encode_rows,
};
use parquet::{
    basic::Compression,
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};
use std::{fs, path::Path, sync::Arc};

const ROWS: usize = 9000;
const NAMES: [&str; 8] = ["drug", "dose", "small", "many", "count", "smoker", "y", "when"];

/// The cells of a row; empty where there is none.
fn row(i: usize) -> [String; 8] {
    let missing = |every: usize, text: String| if i.is_multiple_of(every) { String::new() } else { text };
    [
        missing(7, format!(" Drug_{} ", i % 13)),
        missing(5, format!("{}", i as f64 / 8.0)),
        format!("{}", (i % 9) as f32 / 4.0),
        missing(3, format!("a|b{}", i % 4)),
        missing(11, format!("{}", u32::MAX - i as u32)),
        missing(2, (i.is_multiple_of(3)).to_string()),
        if i.is_multiple_of(2) { "up".into() } else { "down".into() },
        i.to_string(),
    ]
}

fn schema() -> Schema {
    let kind = |name: &str, kind: FieldKind| Field { kind, ..Field::category(name) };
    Schema {
        group: Some("count".into()),
        weight: None,
        time: None,
        fields: vec![
            Field::category("drug"),
            kind("dose", FieldKind::Number),
            kind("small", FieldKind::Number),
            kind("many", FieldKind::Many),
            Field::category("smoker"),
        ],
        targets: vec![Target::classes("y", 1)],
    }
}

fn tsv(path: &Path) {
    let mut text = NAMES.join("\t");
    (0..ROWS).for_each(|i| text += &format!("\n{}", row(i).join("\t")));
    fs::write(path, text + "\n").unwrap();
}

fn parquet(path: &Path, packed: Compression, message: &str) {
    let properties = WriterProperties::builder().set_compression(packed).set_data_page_row_count_limit(700).build();
    let schema = Arc::new(parse_message_type(message).unwrap());
    let file = fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    // groups of unequal length, the last of one row
    for range in [0..5000, 5000..ROWS - 1, ROWS - 1..ROWS] {
        let cells: Vec<[String; 8]> = range.map(row).collect();
        let mut group = writer.next_row_group().unwrap();
        let mut column = 0;
        while let Some(mut open) = group.next_column().unwrap() {
            fn put<T: DataType>(
                open: &mut parquet::file::writer::SerializedColumnWriter<'_>,
                cells: &[&str],
                value: impl Fn(&str) -> T::T,
            ) {
                let levels: Vec<i16> = cells.iter().map(|cell| i16::from(!cell.is_empty())).collect();
                let values: Vec<T::T> = cells.iter().filter(|cell| !cell.is_empty()).map(|cell| value(cell)).collect();
                open.typed::<T>().write_batch(&values, Some(&levels), None).unwrap();
            }
            let own: Vec<&str> = cells.iter().map(|row| row[column].as_str()).collect();
            match NAMES[column] {
                "dose" => put::<DoubleType>(&mut open, &own, |cell| cell.parse().unwrap()),
                "small" => put::<FloatType>(&mut open, &own, |cell| cell.parse().unwrap()),
                "count" => put::<Int32Type>(&mut open, &own, |cell| cell.parse::<u32>().unwrap() as i32),
                "when" => put::<Int64Type>(&mut open, &own, |cell| cell.parse().unwrap()),
                "smoker" => put::<BoolType>(&mut open, &own, |cell| cell.parse().unwrap()),
                _ => put::<ByteArrayType>(&mut open, &own, |text: &str| ByteArray::from(text.as_bytes().to_vec())),
            }
            open.close().unwrap();
            column += 1;
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

const MESSAGE: &str = "message table {
    optional binary drug (UTF8); optional double dose; optional float small; optional binary many (UTF8);
    optional int32 count (UINT_32); optional boolean smoker; optional binary y (UTF8); optional int64 when (TIMESTAMP_MILLIS);
}";

#[test]
fn a_table_says_the_same_as_text_and_as_parquet() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("table.tsv");
    tsv(&text);
    let expected = Examples::read(&text, &schema(), &[], Purpose::Learning).unwrap();
    let encoder = encode_file(&text, &schema(), None, &folder.path().join("text")).unwrap().0;
    for packed in [Compression::UNCOMPRESSED, Compression::SNAPPY, Compression::GZIP(Default::default())] {
        // the name does not say what it is
        let path = folder.path().join("table.txt");
        parquet(&path, packed, MESSAGE);
        assert_eq!(column_names(&path).unwrap(), NAMES);
        let examples = Examples::read(&path, &schema(), &[], Purpose::Learning).unwrap();
        assert_eq!(examples.table(), expected.table(), "{packed:?}");
        let rows = encode_file(&path, &schema(), None, &folder.path().join("parquet")).unwrap().1;
        assert_eq!(rows, ROWS as u64);
        for file in ["drug.npy", "dose.npy", "small.npy", "many.npy", "many.offsets.npy", "smoker.npy"] {
            let bytes = |from: &str| fs::read(folder.path().join(from).join(file)).unwrap();
            assert_eq!(bytes("parquet"), bytes("text"), "{packed:?} {file}");
        }
        let mut ids = [Vec::new(), Vec::new()];
        for (ids, path) in ids.iter_mut().zip([&path, &text]) {
            encode_rows(path, &encoder, |row| ids.extend_from_slice(row)).unwrap();
        }
        assert_eq!(ids[0], ids[1], "{packed:?}");
    }
}

#[test]
fn what_has_no_cell_is_named_where_it_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    parquet(&path, Compression::SNAPPY, MESSAGE);
    let read = |schema: &Schema| Examples::read(&path, schema, &[], Purpose::Learning).unwrap_err().to_string();
    let mut timed = schema();
    timed.time = Some("when".into());
    let error = read(&timed);
    assert!(error.contains("\"when\"") && error.contains("dates, times or decimals"), "{error}");
    let mut number = schema();
    number.fields[0].kind = FieldKind::Number;
    let error = read(&number);
    assert!(error.contains("\"drug\"") && error.contains("row 2") && error.contains("not a finite number"), "{error}");
    let mut misspelt = schema();
    misspelt.fields[0] = Field::category("drugs");
    assert!(read(&misspelt).contains("did you mean \"drug\"?"), "{}", read(&misspelt));
}

#[test]
fn damaged_files_are_errors_and_never_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.parquet");
    parquet(&path, Compression::SNAPPY, MESSAGE);
    let bytes = fs::read(&path).unwrap();
    let footer = bytes.len() - 3000.min(bytes.len());
    let mut refused = 0;
    for i in 0..400 {
        let mut mutant = bytes.clone();
        match i % 4 {
            0 => mutant.truncate(4 + i * (bytes.len() - 4) / 400),
            // the footer holds the sizes and offsets
            1 | 2 => mutant[footer + i * 7919 % (bytes.len() - footer)] ^= 1 << (i % 8),
            _ => mutant[4 + i * 104_729 % (bytes.len() - 4)] ^= 1 << (i % 8),
        }
        fs::write(&path, &mutant).unwrap();
        if let Err(error) = Examples::read(&path, &schema(), &[], Purpose::Learning) {
            refused += 1;
            assert!(matches!(error, Error::Data(_)), "{error}");
        }
    }
    assert!(refused > 150, "{refused} of 400 damaged copies were refused");
}
