//! Tables from text cells: types, missing values, errors that name file, line and column, selection.

use cupel_data::{Column, ColumnKind, Error, MISSING, Result, Span, Split, Stream, Table, TableBuilder};
use std::path::Path;

fn span(line: u64) -> Span {
    Span { file: Path::new("drugs.csv").into(), line }
}

fn table(names: &[&str], rows: &[&[&str]], prepare: impl FnOnce(&mut TableBuilder) -> Result<()>) -> Result<Table> {
    let mut builder = TableBuilder::new(names.iter().copied())?;
    prepare(&mut builder)?;
    for (line, row) in (2..).zip(rows) {
        builder.push(span(line), row)?;
    }
    builder.finish()
}

fn single(cells: &[&str]) -> Result<Column> {
    let rows: Vec<[&str; 1]> = cells.iter().map(|&cell| [cell]).collect();
    let rows: Vec<&[&str]> = rows.iter().map(|row| &row[..]).collect();
    table(&["x"], &rows, |_| Ok(())).map(|table| table.column("x").unwrap().clone())
}

#[test]
fn numbers_and_missing_cells_are_recognised() {
    let column =
        single(&["1", " -2.5e3 ", "", "NA", "NaN", "nan", ".5", "+7", "0", "0.25", "9007199254740992"]).unwrap();
    let Column::Number { values, present } = column else { panic!("{column:?}") };
    assert_eq!(values, [1.0, -2500.0, 0.0, 0.0, 0.0, 0.0, 0.5, 7.0, 0.0, 0.25, 9_007_199_254_740_992.0]);
    assert_eq!(present, [true, true, false, false, false, false, true, true, true, true, true]);
    assert!(matches!(single(&["", "NA"]).unwrap(), Column::Number { present, .. } if present == [false, false]));
}

#[test]
fn anything_else_is_a_category_with_sorted_names() {
    let column = single(&["b", "a", "", "1", " b ", "Na"]).unwrap();
    let expected = ["1", "Na", "a", "b"].map(String::from).to_vec();
    assert_eq!(column, Column::Category { codes: vec![3, 2, MISSING, 0, 3, 1], names: expected });
}

#[test]
fn identifiers_are_not_taken_for_numbers() {
    for cells in [["007", "12"], ["9007199254740993", "1"], ["123456789012345678901234567890", "1"]] {
        assert!(matches!(single(&cells).unwrap(), Column::Category { .. }), "{cells:?}");
    }
}

#[test]
fn a_number_that_is_not_finite_is_an_error_with_its_place() {
    for cell in ["inf", "-Infinity", "1e999"] {
        let error = single(&["1", cell]).unwrap_err().to_string();
        let expected = format!(
            "drugs.csv:3, column \"x\": {cell:?} is not a finite number; leave it empty or write NA where it is not known"
        );
        assert_eq!(error, expected);
    }
    let forced = table(&["x"], &[&["1"], &["much"]], |builder| builder.kind("x", ColumnKind::Number).map(|_| ()));
    assert!(matches!(forced, Err(Error::Cell { span, .. }) if span.line == 3));
}

#[test]
fn lists_are_split_and_a_forced_kind_wins() {
    let table = table(&["genes", "id"], &[&["B; A", "1"], &["", "2"], &["NA", "3"], &["A;;C;A", "4"]], |builder| {
        builder.kind("genes", ColumnKind::Many(';'))?.kind("id", ColumnKind::Category)?;
        Ok(())
    })
    .unwrap();
    let (offsets, codes, names) = table.many("genes").unwrap();
    assert_eq!((offsets, codes), (&[0, 2, 2, 2, 5][..], &[1, 0, 0, 2, 0][..]));
    assert_eq!(names, ["A", "B", "C"]);
    assert_eq!(table.category("id").unwrap().1, ["1", "2", "3", "4"]);
}

#[test]
fn ragged_rows_and_repeated_names_are_refused() {
    assert_eq!(
        table(&["a", "b"], &[&["1", "2"], &["3"]], |_| Ok(())).unwrap_err().to_string(),
        "drugs.csv:3: expected 2 cells, got 1; quote cells that contain the separator"
    );
    assert!(matches!(TableBuilder::new(["a", "b", "a"]), Err(Error::DuplicateColumn { name }) if name == "a"));
}

#[test]
fn a_missing_column_is_named_with_what_was_meant() {
    let table = table(&["drug", "dose"], &[&["a", "1"]], |_| Ok(())).unwrap();
    assert_eq!(
        table.column("drgu").unwrap_err().to_string(),
        "there is no column \"drgu\", did you mean \"drug\"?; the columns are [\"drug\", \"dose\"]"
    );
    assert!(matches!(table.column("weight"), Err(Error::MissingColumn { suggestion: None, .. })));
    assert_eq!(table.category("dose").unwrap_err().to_string(), "column \"dose\" holds numbers, expected categories");
}

#[test]
fn selected_rows_keep_values_codes_and_places() {
    let table = table(
        &["drug", "dose", "genes"],
        &[&["a", "1", "X"], &["b", "", "X;Y"], &["c", "3", ""], &["a", "4", "Z"]],
        |builder| builder.kind("genes", ColumnKind::Many(';')).map(|_| ()),
    )
    .unwrap();
    let chosen = table.select(&[3, 1, 1]).unwrap();
    assert_eq!(chosen.row_count(), 3);
    assert_eq!(chosen.category("drug").unwrap().0, [0, 1, 1]);
    assert_eq!(chosen.category("drug").unwrap().1, ["a", "b", "c"]);
    assert_eq!(chosen.number("dose").unwrap(), (&[4.0, 0.0, 0.0][..], &[true, false, false][..]));
    assert_eq!(chosen.many("genes").unwrap().0, [0, 1, 3, 5]);
    assert_eq!(chosen.many("genes").unwrap().1, [2, 0, 1, 0, 1]);
    assert_eq!(chosen.span(0), Some(&span(5)));
    assert!(matches!(table.select(&[4]), Err(Error::Index { index: 4, len: 4, .. })));
    assert_eq!(table.select(&[]).unwrap().row_count(), 0);
}

#[test]
fn codes_of_a_category_are_groups_of_a_split() {
    let rows: Vec<[String; 1]> = (0..40).map(|row| [format!("drug {}", row % 10)]).collect();
    let mut builder = TableBuilder::new(["drug"]).unwrap();
    for (line, row) in (2..).zip(&rows) {
        builder.push(span(line), row).unwrap();
    }
    let table = builder.finish().unwrap();
    let (groups, _) = table.category("drug").unwrap();
    for split in Split::k_fold(groups, 5, Stream::new(3, "table test")).unwrap() {
        split.check_leakage(groups).unwrap();
        assert_eq!(split.test.len(), 8);
        assert_eq!(table.select(&split.test).unwrap().row_count(), 8);
    }
}

#[test]
fn columns_that_contradict_themselves_are_refused() {
    let names = || vec!["a".to_string()];
    let wrong = [
        Column::Category { codes: vec![0, 1], names: names() },
        Column::Number { values: vec![1.0, f64::NAN], present: vec![true, true] },
        Column::Number { values: vec![1.0, 2.0], present: vec![true] },
        Column::Many { offsets: vec![0, 2, 1], codes: vec![0], names: names() },
        Column::Many { offsets: vec![], codes: vec![], names: names() },
        Column::Many { offsets: vec![0, 1], codes: vec![MISSING], names: names() },
    ];
    for column in wrong {
        let result = Table::new(vec![("x".into(), column.clone())]);
        assert!(matches!(result, Err(Error::ColumnType { .. })), "{column:?}");
    }
    let fine = Column::Category { codes: vec![0, MISSING], names: names() };
    let short = Column::Number { values: vec![1.0], present: vec![true] };
    assert!(Table::new(vec![("x".into(), fine.clone())]).is_ok());
    let uneven = Table::new(vec![("x".into(), fine.clone()), ("y".into(), short)]);
    assert!(matches!(uneven, Err(Error::Count { expected: 2, got: 1, .. })));
    let twice = Table::new(vec![("x".into(), fine.clone()), ("x".into(), fine)]);
    assert!(matches!(twice, Err(Error::DuplicateColumn { .. })));
}
