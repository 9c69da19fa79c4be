//! NPY and NPZ as NumPy writes them.

use super::samples::{assert_contains, bytes, fixture, message, message_of, sample};
use cupel_data::{Class, ElementType, Error, Format, Values, open};

const KINDS: [(&str, ElementType); 14] = [
    ("u1", ElementType::U8),
    ("i1", ElementType::I8),
    ("u2", ElementType::U16),
    ("i2", ElementType::I16),
    ("u4", ElementType::U32),
    ("i4", ElementType::I32),
    ("u8", ElementType::U64),
    ("i8", ElementType::I64),
    ("f2", ElementType::F16),
    ("f4", ElementType::F32),
    ("f8", ElementType::F64),
    ("b1", ElementType::Bool),
    ("c8", ElementType::Complex64),
    ("c16", ElementType::Complex128),
];

#[test]
fn every_type_is_read_in_both_byte_orders() {
    for (kind, element) in KINDS {
        for name in [format!("{kind}.npy"), format!("big_{kind}.npy")] {
            if !fixture(&name).exists() {
                assert!(name.starts_with("big_"));
                continue;
            }
            let dataset = open(fixture(&name)).unwrap();
            assert_eq!(dataset.format(), Format::Npy);
            assert_eq!(dataset.variables()[0].class(), &Class::Number(element));
            assert_eq!(dataset.array(None).unwrap(), sample(element, &[2, 3]), "{name}");
        }
    }
}

#[test]
fn orders_versions_and_odd_shapes_are_read() {
    let read = |name: &str| open(fixture(name)).unwrap().array(None).unwrap();
    assert_eq!(read("fortran.npy"), sample(ElementType::F64, &[2, 3, 4]));
    for name in ["version_2.npy", "version_3.npy"] {
        assert_eq!(read(name), sample(ElementType::I32, &[2, 3]));
    }
    let scalar = read("scalar.npy");
    assert_eq!((scalar.shape(), scalar.values()), (&[][..], &Values::F64(vec![42.5])));
    assert_eq!(read("zero_length.npy").shape(), [3, 0, 2]);
}

#[test]
fn what_is_not_numbers_is_refused_with_its_name() {
    assert_contains(
        &message(open(fixture("object.npy"))),
        &["arrays of Python objects (pickle)", "refused", "astype(float)"],
    );
    assert_contains(&message(open(fixture("records.npy"))), &["arrays of records (a structured dtype) are refused"]);
    assert_contains(&message(open(fixture("text.npy"))), &["arrays of text, dtype \"<U5\", are refused"]);
}

#[test]
fn archives_are_read_stored_and_deflated() {
    for name in ["stored.npz", "deflated.npz"] {
        let dataset = open(fixture(name)).unwrap();
        assert_eq!(dataset.format(), Format::Npz);
        let listed: Vec<String> = dataset.variables().iter().map(ToString::to_string).collect();
        assert_eq!(listed, ["Y [4, 6] f32", "labels [5] u16", "mask [3, 4] bool", "scale [] f64"]);
        assert_eq!(dataset.array(Some("Y")).unwrap(), sample(ElementType::F32, &[4, 6]));
        assert_eq!(dataset.array(Some("labels")).unwrap(), sample(ElementType::U16, &[5]));
        assert_eq!(dataset.array(Some("mask")).unwrap(), sample(ElementType::Bool, &[3, 4]));
        assert_eq!(dataset.array(Some("scale")).unwrap().values(), &Values::F64(vec![0.5]));
    }
}

#[test]
fn names_are_needed_suggested_and_listed() {
    let dataset = open(fixture("stored.npz")).unwrap();
    assert_contains(
        &message(dataset.array(None)),
        &["holds 4 arrays, name the one to read: Y [4, 6] f32, labels [5] u16, mask"],
    );
    assert_contains(
        &message(dataset.array(Some("lables"))),
        &["no variable \"lables\"", "did you mean \"labels\"?", "Y [4, 6] f32"],
    );
    assert_contains(&message(dataset.text("Y")), &["variable \"Y\"", "an array of numbers, expected text"]);
    assert_contains(&message(dataset.table()), &["expected a table", "CSV"]);
    assert!(matches!(open(fixture("empty.npz")).unwrap().array(None), Err(Error::NoArray { .. })));
}

#[test]
fn an_object_member_does_not_hide_the_others() {
    let dataset = open(fixture("with_object.npz")).unwrap();
    // The only array that can be read needs no name.
    assert_eq!(dataset.array(None).unwrap(), sample(ElementType::F32, &[4, 6]));
    assert_contains(&message(dataset.array(Some("names"))), &["Python objects (pickle)"]);
}

#[test]
fn cubes_hold_the_wanted_type_or_say_why_not() {
    let dataset = open(fixture("i2.npy")).unwrap();
    assert_eq!(dataset.cube::<f32>(None).unwrap().values(), [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(dataset.cube::<i64>(None).unwrap().shape(), [2, 3]);
    assert_contains(&message(dataset.cube::<u8>(None)), &["the value -2 at [0, 0] cannot be held by u8", "i16"]);
    let complex = open(fixture("c8.npy")).unwrap();
    assert_contains(&message(complex.cube::<f64>(None)), &["Complex { re: -2.0, im: 0.0 } at [0, 0]", "complex64"]);
}

#[test]
fn headers_that_are_no_headers_say_where() {
    let with_header = |header: &str| {
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend([0; 64]);
        message_of(&bytes)
    };
    for (header, problem) in [
        ("", "an early end at its byte 0"),
        ("{'descr': '<f8', 'fortran_order': False}", "no key \"shape\""),
        ("{'descr': '<f8', 'fortran_order': 1, 'shape': (8,)}", "neither True nor False"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': 8}", "not a tuple"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (-8,)}", "a negative number at its byte 51"),
        ("{'descr': '<q9', 'fortran_order': False, 'shape': (8,)}", "dtype \"<q9\" is unknown"),
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (8,), 'x': 1}", "unknown key \"x\""),
        ("{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (8,)}", "key \"descr\" twice"),
        ("{'descr': '<f16', 'fortran_order': False, 'shape': (4,)}", "extended-precision numbers"),
    ] {
        assert_contains(&with_header(header), &["not a valid NPY file", problem]);
    }
    let mut version = bytes("f8.npy");
    version[6] = 9;
    assert_contains(&message_of(&version), &["version 9.0 is unknown"]);
}
