//! CSV, TSV and their kin.

use super::samples::{assert_contains, message};
use cupel_data::{Class, Dataset, Error, Format, Values, open};

/// The file stays open after its folder is gone; only its path is not there any more.
fn open_text(text: impl AsRef<[u8]>) -> Result<Dataset, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.txt");
    std::fs::write(&path, text).unwrap();
    open(&path)
}

fn numbers(text: &str) -> (Vec<usize>, Vec<f64>) {
    let array = open_text(text).unwrap().array(None).unwrap();
    match array.values() {
        Values::F64(values) => (array.shape().to_vec(), values.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn numbers_are_read_with_every_delimiter_with_and_without_header() {
    for delimiter in [",", "\t", ";", "|", " "] {
        let line = |cells: [&str; 3]| cells.join(delimiter);
        let rows = [line(["1", "2.5", "-3e-2"]), line(["4", "5", "6"])].join("\n");
        let expected = (vec![2, 3], vec![1.0, 2.5, -0.03, 4.0, 5.0, 6.0]);
        assert_eq!(numbers(&rows), expected, "{delimiter:?}");
        assert_eq!(numbers(&format!("{}\n{rows}\n", line(["a", "b", "c"]))), expected);
        assert_eq!(numbers(&format!("\u{feff}{}\r\n\r\n", rows.replace('\n', "\r\n"))), expected);
    }
    assert_eq!(numbers("1\n2\n"), (vec![2, 1], vec![1.0, 2.0]));
    assert_eq!(numbers("wavelength\n450.5\n"), (vec![1, 1], vec![450.5]));
    assert_eq!(numbers("a,b\n"), (vec![0, 2], vec![]));
    assert_eq!(numbers("\"1\",\" 2 \"\n"), (vec![1, 2], vec![1.0, 2.0]));
}

#[test]
fn missing_and_infinite_cells_are_mapped_as_documented() {
    let (shape, values) = numbers("a,b,c,d,e,f\n,NA,NaN,inf,-Infinity,nan\n");
    assert_eq!(shape, [1, 6]);
    assert!([0, 1, 2, 5].iter().all(|&cell: &usize| values[cell].is_nan()));
    assert_eq!(values[3..5], [f64::INFINITY, f64::NEG_INFINITY]);
}

#[test]
fn tables_have_typed_columns_and_lines() {
    let dataset = open_text(
        "\u{feff}drug;dose;\"a \"\"note\"\"\"\r\nwarfarin;2.5;\"two\r\nlines; one cell\"\r\naspirin;NA;x\r\n",
    );
    let dataset = dataset.unwrap();
    assert_eq!(dataset.format(), Format::Delimited);
    assert_eq!(dataset.variables()[0].class(), &Class::Table);
    assert_eq!(dataset.variables()[0].shape(), [2, 3]);
    let table = dataset.table().unwrap();
    assert_eq!(table.names(), ["drug", "dose", "a \"note\""]);
    assert_eq!(table.number("dose").unwrap(), (&[2.5, 0.0][..], &[true, false][..]));
    assert_eq!(table.category("a \"note\"").unwrap().1, ["two\r\nlines; one cell", "x"]);
    assert_eq!(table.span(1).unwrap().line, 4);
    assert_contains(
        &message(dataset.array(None)),
        &["line 2, field 1: \"warfarin\" is not a number", "read the file as a table"],
    );
    assert_contains(
        &message(open_text("1,2\n3,4\n").unwrap().table()),
        &["line 1, field 1: there is no header row", "add a first line"],
    );
}

#[test]
fn faults_are_placed_by_line_and_field() {
    for (text, parts) in [
        (&b"a,b\r\n\r\n1,2\r\n3\r\n"[..], &["line 4, field 2", "1 fields, the first one has 2"][..]),
        (b"a,b\n1,2\n3,4,5\n", &["line 3, field 3", "3 fields, the first one has 2"]),
        (b"a,b\n\"x\ny\",2\n3,4,5\n", &["line 4, field 3"]),
        (b"a,b\n1,\xff\n", &["line 2, field 2", "not UTF-8"]),
        (b"a,b,a\n1,2,3\n", &["line 1, field 3", "two columns are both called \"a\"", "rename"]),
        (b"a,,c\n1,2,3\n", &["line 1, field 2", "no name"]),
        (b"a,b\n1,\"2\n3,4\n5,6\n", &["line 2, field 2", "a quote that is never closed"]),
        (b"a,b\n1,\"2\"3\n", &["line 2, field 2", "text after a closing quote"]),
    ] {
        assert_contains(&message(open_text(text)), &["not a valid CSV/TSV file"]);
        assert_contains(&message(open_text(text)), parts);
    }
    // Beyond what is looked at to recognise the file.
    let mut long = b"a,b\n".to_vec();
    long.extend(b"1,2\n".repeat(20_000));
    let with = |end: &[u8]| message(open_text([&long[..], end].concat()));
    assert_contains(&with(b"1,2,3\n"), &["line 20002, field 3"]);
    assert_contains(&with(b"1,\0\n"), &["line 20002, field 2", "a byte of 0"]);
}
