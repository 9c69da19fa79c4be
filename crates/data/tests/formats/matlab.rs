//! MATLAB files as SciPy and MATLAB write them.

use super::samples::{assert_contains, bytes, fixture, message, message_of, sample};
use cupel_data::{Array, Class, Complex, Dataset, ElementType, Format, Values, open};

fn files() -> [Dataset; 2] {
    ["plain.mat", "compressed.mat"].map(|name| open(fixture(name)).unwrap())
}

#[test]
fn every_class_is_listed() {
    for dataset in files() {
        assert_eq!(dataset.format(), Format::Matlab);
        let listed: Vec<String> = dataset.variables().iter().map(ToString::to_string).collect();
        let expected = [
            "xu1 [2, 3] u8",
            "xi1 [2, 3] i8",
            "xu2 [2, 3] u16",
            "xi2 [2, 3] i16",
            "xu4 [2, 3] u32",
            "xi4 [2, 3] i32",
            "xu8 [2, 3] u64",
            "xi8 [2, 3] i64",
            "xf4 [2, 3] f32",
            "xf8 [2, 3] f64",
            "logical [2, 3] bool",
            "z64 [2, 3] complex64",
            "z128 [2, 3] complex128",
            "volume [2, 3, 4] f64",
            "empty [0, 4] f64",
            "number [1, 1] f64",
            "word [1, 5] text",
            "lines [3, 5] text",
            "accents [1, 7] text",
            "sparse [2, 3] sparse f64",
            "zsparse [2, 2] sparse complex128",
            "names [2, 1] cell",
            "mixed [1, 2] cell",
            "mixed{2} [1, 1] f64",
            "region [1, 1] struct",
            "region.start [1, 2] i32",
            "region.inner [1, 1] struct",
            "region.inner.deep [2, 2] f64",
            "region.inner.label [1, 1] text",
            "several [1, 2] struct",
        ];
        assert_eq!(listed, expected);
    }
}

#[test]
fn every_numeric_class_is_read_in_row_major_order() {
    use ElementType::*;
    let names = [
        ("xu1", U8),
        ("xi1", I8),
        ("xu2", U16),
        ("xi2", I16),
        ("xu4", U32),
        ("xi4", I32),
        ("xu8", U64),
        ("xi8", I64),
        ("xf4", F32),
        ("xf8", F64),
        ("logical", Bool),
        ("z64", Complex64),
        ("z128", Complex128),
    ];
    for dataset in files() {
        for (name, element) in names {
            assert_eq!(dataset.array(Some(name)).unwrap(), sample(element, &[2, 3]), "{name}");
        }
        assert_eq!(dataset.array(Some("volume")).unwrap(), sample(F64, &[2, 3, 4]));
        assert_eq!(dataset.array(Some("empty")).unwrap().shape(), [0, 4]);
        assert_eq!(dataset.array(Some("number")).unwrap().values(), &Values::F64(vec![42.5]));
    }
}

#[test]
fn sparse_matrices_are_read_with_their_zeros() {
    for dataset in files() {
        let expected = Array::new(vec![2, 3], Values::F64(vec![0.0, 1.5, 0.0, 2.0, 0.0, 0.0])).unwrap();
        assert_eq!(dataset.array(Some("sparse")).unwrap(), expected);
        let expected = Values::Complex128(
            [[0.0, 0.0], [0.0, 1.5], [2.0, 0.0], [0.0, 0.0]].map(|[re, im]| Complex::new(re, im)).into(),
        );
        assert_eq!(dataset.array(Some("zsparse")).unwrap().values(), &expected);
    }
    let limits = cupel_data::Limits { dense_bytes: 47, ..Default::default() };
    let dataset = cupel_data::open_with(fixture("plain.mat"), limits).unwrap();
    assert_contains(
        &message(dataset.array(Some("sparse"))),
        &["\"sparse\"", "with all zeros is 48, more than the limit of 47 (Limits::dense_bytes)"],
    );
}

#[test]
fn text_cells_and_structs_are_read_where_they_can_be() {
    for dataset in files() {
        assert_eq!(dataset.text("word").unwrap(), ["water"]);
        assert_eq!(dataset.text("lines").unwrap(), ["tree", "water", "dirt"]);
        assert_eq!(dataset.text("accents").unwrap(), ["Größe λ"]);
        assert_eq!(dataset.text("names").unwrap(), ["tree", "water"]);
        assert_eq!(dataset.text("region.inner.label").unwrap(), ["x"]);
        assert_eq!(dataset.array(Some("region.start")).unwrap(), sample(ElementType::I32, &[1, 2]));
        assert_eq!(dataset.array(Some("region.inner.deep")).unwrap(), sample(ElementType::F64, &[2, 2]));
        assert_contains(&message(dataset.text("mixed")), &["a cell array, expected text", "not all its cells"]);
        assert_contains(&message(dataset.array(Some("word"))), &["is text, expected an array of numbers"]);
        assert_contains(
            &message(dataset.array(Some("region"))),
            &["is a struct", "name one of its fields: region.start [1, 2] i32"],
        );
        assert_contains(&message(dataset.array(Some("several"))), &["only the fields of single structs"]);
    }
}

#[test]
fn the_other_byte_order_and_numbers_in_smaller_types_are_read() {
    let dataset = open(fixture("big_endian_small.mat")).unwrap();
    let numbers = (0..6).map(f64::from).collect::<Vec<_>>();
    for name in ["Y", "bytes"] {
        assert_eq!(dataset.variable(name).unwrap().class(), &Class::Number(ElementType::F64));
        assert_eq!(dataset.array(Some(name)).unwrap().values(), &Values::F64(numbers.clone()));
    }
    assert_eq!(dataset.array(Some("exact")).unwrap(), sample(ElementType::F64, &[2, 3]));
}

#[test]
fn other_versions_are_named() {
    let mut file = bytes("plain.mat");
    file[125] = 2;
    assert_contains(&message_of(&file), &["not a valid MATLAB 7.3 file", "the part in HDF5", "missing"]);
    file[125] = 3;
    assert_contains(&message_of(&file), &["byte 124: version 0x0300 is unknown"]);
    file[126..128].copy_from_slice(b"??");
    assert_contains(&message_of(&file), &["mark of the byte order"]);
}

#[test]
fn structs_nested_without_end_are_refused() {
    let mut inner = Vec::new();
    for depth in 0..40 {
        let field = element(14, &inner);
        let mut body = element(6, &[2, 0, 0, 0, 0, 0, 0, 0]);
        body.extend(element(5, &[1, 0, 0, 0, 1, 0, 0, 0]));
        body.extend(element(1, if depth == 39 { b"s" } else { b"" }));
        body.extend([5, 0, 4, 0, 8, 0, 0, 0]);
        body.extend(element(1, b"f\0\0\0\0\0\0\0"));
        body.extend(field);
        inner = body;
    }
    let mut file = bytes("plain.mat")[..128].to_vec();
    file.extend(element(14, &inner));
    assert_contains(&message_of(&file), &["\"s\"", "depth of structs in structs is 17", "Limits::nesting"]);
}

/// An element with its tag, padded.
fn element(kind: u32, bytes: &[u8]) -> Vec<u8> {
    let mut element = kind.to_le_bytes().to_vec();
    element.extend((bytes.len() as u32).to_le_bytes());
    element.extend(bytes);
    element.resize(element.len().next_multiple_of(8), 0);
    element
}
