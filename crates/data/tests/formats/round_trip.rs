//! What is written is read back, by this crate and by the software the formats come from.

use super::samples::{assert_contains, message, sample};
use cupel_data::{
    Array, Complex, Cube, ElementType, Values, convert, open, write_csv, write_mat, write_npy, write_npz, write_png,
    write_tiff,
};
use half::f16;
use proptest::{collection::vec, prelude::*};
use std::process::Command;

const TYPES: [ElementType; 14] = [
    ElementType::U8,
    ElementType::I8,
    ElementType::U16,
    ElementType::I16,
    ElementType::U32,
    ElementType::I32,
    ElementType::U64,
    ElementType::I64,
    ElementType::F16,
    ElementType::F32,
    ElementType::F64,
    ElementType::Bool,
    ElementType::Complex64,
    ElementType::Complex128,
];

/// An array of any type; NaN is left out, because it is unequal to itself.
fn arrays(shape: impl Strategy<Value = Vec<usize>>) -> impl Strategy<Value = Array> {
    (shape, 0..TYPES.len(), vec(any::<u64>(), 1..40)).prop_map(|(shape, kind, bits)| {
        let count: usize = shape.iter().product();
        let bits = (0..count).map(|n| bits[n % bits.len()].rotate_left(n as u32));
        let float = |bits: u64| {
            let value = f64::from_bits(bits);
            if value.is_nan() { f64::INFINITY } else { value }
        };
        let values = match TYPES[kind] {
            ElementType::U8 => Values::U8(bits.map(|bits| bits as u8).collect()),
            ElementType::I8 => Values::I8(bits.map(|bits| bits as i8).collect()),
            ElementType::U16 => Values::U16(bits.map(|bits| bits as u16).collect()),
            ElementType::I16 => Values::I16(bits.map(|bits| bits as i16).collect()),
            ElementType::U32 => Values::U32(bits.map(|bits| bits as u32).collect()),
            ElementType::I32 => Values::I32(bits.map(|bits| bits as i32).collect()),
            ElementType::U64 => Values::U64(bits.collect()),
            ElementType::I64 => Values::I64(bits.map(|bits| bits as i64).collect()),
            ElementType::F16 => Values::F16(bits.map(|bits| f16::from_f64(float(bits))).collect()),
            ElementType::F32 => Values::F32(bits.map(|bits| float(bits) as f32).collect()),
            ElementType::F64 => Values::F64(bits.map(float).collect()),
            ElementType::Bool => Values::Bool(bits.map(|bits| bits & 1 == 1).collect()),
            ElementType::Complex64 => {
                Values::Complex64(bits.map(|bits| Complex::new(float(bits) as f32, bits as f32)).collect())
            }
            _ => Values::Complex128(bits.map(|bits| Complex::new(float(bits), bits as f64)).collect()),
        };
        Array::new(shape, values).unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn npy_and_npz(first in arrays(vec(0_usize..6, 0..5)), second in arrays(vec(1_usize..40, 0..3))) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_npy(&path, &first).unwrap();
        prop_assert_eq!(&open(&path).unwrap().array(None).unwrap(), &first);
        write_npz(&path, &[("first", &first), ("b/second", &second)]).unwrap();
        let dataset = open(&path).unwrap();
        prop_assert_eq!(dataset.variables().len(), 2);
        prop_assert_eq!(&dataset.array(Some("first")).unwrap(), &first);
        prop_assert_eq!(&dataset.array(Some("b/second")).unwrap(), &second);
    }

    #[test]
    fn matlab(first in arrays(vec(0_usize..6, 0..5)), second in arrays(vec(1_usize..40, 2..3))) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_mat(&path, &[("Y", &first), ("a_long_name_of_a_variable", &second)]).unwrap();
        let dataset = open(&path).unwrap();
        for (name, array) in [("Y", first), ("a_long_name_of_a_variable", second)] {
            let mut shape = array.shape().to_vec();
            while shape.len() < 2 {
                shape.insert(0, 1);
            }
            let values = match array.into_values() {
                Values::F16(values) => Values::F32(values.iter().map(|value| value.to_f32()).collect()),
                values => values,
            };
            prop_assert_eq!(dataset.array(Some(name)).unwrap(), Array::new(shape, values).unwrap());
        }
    }

    #[test]
    fn png(rows in 1_usize..20, columns in 1_usize..20, bits in vec(any::<u16>(), 1..50)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let samples = |count: usize| (0..count).map(|n| bits[n % bits.len()].wrapping_add(n as u16));
        let bytes = |count| Values::U8(samples(count).map(|sample| sample as u8).collect());
        for image in [
            Array::new(vec![rows, columns], bytes(rows * columns)).unwrap(),
            Array::new(vec![rows, columns], Values::U16(samples(rows * columns).collect())).unwrap(),
            Array::new(vec![rows, columns, 3], bytes(rows * columns * 3)).unwrap(),
        ] {
            write_png(&path, &image).unwrap();
            prop_assert_eq!(&open(&path).unwrap().array(None).unwrap(), &image);
        }
    }

    #[test]
    fn tiff(rows in 1_usize..20, columns in 1_usize..20, element in 0_usize..8, bits in vec(any::<u64>(), 1..50)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let count = rows * columns;
        let samples = |count: usize| (0..count).map(|n| bits[n % bits.len()].wrapping_add(n as u64));
        let grey = match element {
            0 => Values::U8(samples(count).map(|sample| sample as u8).collect()),
            1 => Values::I8(samples(count).map(|sample| sample as i8).collect()),
            2 => Values::U16(samples(count).map(|sample| sample as u16).collect()),
            3 => Values::I16(samples(count).map(|sample| sample as i16).collect()),
            4 => Values::U32(samples(count).map(|sample| sample as u32).collect()),
            5 => Values::I32(samples(count).map(|sample| sample as i32).collect()),
            6 => Values::F32(samples(count).map(|sample| (sample as i64) as f32 * 1e-9).collect()),
            _ => Values::F64(samples(count).map(|sample| (sample as i64) as f64 * 1e-9).collect()),
        };
        for image in [
            Array::new(vec![rows, columns], grey).unwrap(),
            Array::new(vec![rows, columns, 3], Values::U16(samples(count * 3).map(|sample| sample as u16).collect())).unwrap(),
            Array::new(vec![rows, columns, 5], Values::I64(samples(count * 5).map(|sample| sample as i64).collect())).unwrap(),
        ] {
            write_tiff(&path, &image).unwrap();
            prop_assert_eq!(&open(&path).unwrap().array(None).unwrap(), &image);
        }
    }

    #[test]
    fn csv(array in arrays(vec(1_usize..9, 2..3)), named in any::<bool>(), tabs in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(if tabs { "file.tsv" } else { "file.csv" });
        let names: Vec<String> = (0..array.shape()[1]).map(|column| format!("a, \"{column}\"\nb")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let result = write_csv(&path, if named { &names } else { &[] }, &array);
        if matches!(array.element_type(), ElementType::Complex64 | ElementType::Complex128) {
            prop_assert!(result.is_err() && !path.exists());
            return Ok(());
        }
        result.unwrap();
        let dataset = open(&path).unwrap();
        let cube: Cube<f64> = dataset.cube(None).unwrap();
        let expected: Cube<f64> = match array.values() {
            // Texts of a narrow float name the nearest f64 of that text, which is the same number again when narrowed.
            Values::F32(values) => {
                let narrowed: Vec<f32> = cube.values().iter().map(|&value| value as f32).collect();
                prop_assert_eq!(&narrowed, values);
                cube.clone()
            }
            Values::F16(values) => {
                let narrowed: Vec<f16> = cube.values().iter().map(|&value| f16::from_f64(value)).collect();
                prop_assert_eq!(&narrowed, values);
                cube.clone()
            }
            _ => array.clone().into_cube().unwrap(),
        };
        prop_assert_eq!(cube, expected);
        // Numbers of a table are finite.
        if named && dataset.cube::<f64>(None).unwrap().check_finite().is_ok() {
            let table = dataset.table().unwrap();
            prop_assert_eq!(table.names()[0].as_str(), names[0]);
        }
    }
}

#[test]
fn nan_keeps_its_bits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    let bits = [0x7ff8_0000_0000_0001_u64, 0xfff8_0000_0000_0000];
    let array = Array::new(vec![1, 2], Values::F64(bits.map(f64::from_bits).to_vec())).unwrap();
    let check = || {
        let cube: Cube<f64> = open(&path).unwrap().cube(None).unwrap();
        assert_eq!(cube.values().iter().map(|value| value.to_bits()).collect::<Vec<_>>(), bits);
    };
    write_npy(&path, &array).unwrap();
    check();
    write_npz(&path, &[("a", &array)]).unwrap();
    check();
    write_mat(&path, &[("a", &array)]).unwrap();
    check();
}

#[test]
fn equal_arrays_give_equal_files() {
    let folder = tempfile::tempdir().unwrap();
    let array = sample(ElementType::F64, &[7, 5]);
    let files: Vec<Vec<u8>> = (0..2)
        .flat_map(|_| {
            let (npz, mat) = (folder.path().join("a.npz"), folder.path().join("a.mat"));
            write_npz(&npz, &[("a", &array)]).unwrap();
            write_mat(&mat, &[("a", &array)]).unwrap();
            [npz, mat].map(|path| std::fs::read(path).unwrap())
        })
        .collect();
    assert_eq!(files[..2], files[2..]);
}

#[test]
fn what_a_format_cannot_hold_is_said_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let array = sample(ElementType::F64, &[2, 3]);
    let float_image = message(write_png(&at("a.png"), &array));
    assert_contains(&float_image, &["as PNG: the array is [2, 3] f64", "scale other numbers first"]);
    for name in ["", "1a", "a-b", "größe", &"a".repeat(64)] {
        assert_contains(&message(write_mat(&at("a.mat"), &[(name, &array)])), &["no name of a variable"]);
    }
    let twice = [("a", &array), ("a", &array)];
    assert_contains(&message(write_mat(&at("a.mat"), &twice)), &["two arrays are both called \"a\""]);
    assert_contains(&message(write_npz(&at("a.npz"), &twice)), &["two arrays are both called \"a\""]);
    assert_contains(&message(write_npz(&at("a.npz"), &[("../a", &array)])), &["\"../a\" is no name"]);
    let volume = sample(ElementType::F64, &[2, 3, 4]);
    let four = sample(ElementType::F64, &[2, 1, 3, 4]);
    assert_contains(&message(write_tiff(&at("a.tif"), &four)), &["as TIFF: the array is [2, 1, 3, 4] f64", "bands]"]);
    let complex = sample(ElementType::Complex64, &[2, 3]);
    assert_contains(&message(write_tiff(&at("a.tif"), &complex)), &["as TIFF: its numbers are complex64"]);
    assert_contains(&message(write_csv(&at("a.csv"), &[], &volume)), &["[2, 3, 4]", "rows and columns"]);
    assert_contains(&message(write_csv(&at("a.csv"), &["x"], &array)), &["expected 3 names, got 1"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn conversion_takes_all_arrays_where_the_target_can_hold_them() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let input = super::samples::fixture("compressed.mat");
    convert(&input, &at("a.npz"), None, false).unwrap();
    let (source, target) = (open(&input).unwrap(), open(at("a.npz")).unwrap());
    assert_eq!(target.variables().len(), 21);
    for variable in target.variables() {
        let name = Some(variable.name());
        assert_eq!(target.array(name).unwrap(), source.array(name).unwrap());
    }
    convert(&at("a.npz"), &at("b.mat"), None, false).unwrap();
    assert!(open(at("b.mat")).unwrap().variable("region_inner_deep").is_ok());
    convert(&input, &at("a.csv"), Some("xi4"), false).unwrap();
    assert_eq!(std::fs::read_to_string(at("a.csv")).unwrap(), "-2,-1,0\n1,2,3\n");
    convert(&at("a.csv"), &at("a.npy"), None, false).unwrap();
    assert_eq!(open(at("a.npy")).unwrap().array(None).unwrap(), sample(ElementType::F64, &[2, 3]));
    convert(&input, &at("a.png"), Some("xu1"), false).unwrap();
    assert_eq!(open(at("a.png")).unwrap().array(None).unwrap(), sample(ElementType::U8, &[2, 3]));
}

/// NumPy and SciPy read the files, where they are installed.
#[test]
fn numpy_and_scipy_read_what_is_written() {
    let found = Command::new("python3").args(["-c", "import numpy, scipy.io"]).output();
    if !found.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no python3 with NumPy and SciPy");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let named: Vec<(String, Array)> = TYPES
        .iter()
        .map(|&element| (format!("v_{element}"), sample(element, &[2, 3, 4])))
        .chain([
            ("row".to_string(), sample(ElementType::F32, &[5])),
            ("none".to_string(), sample(ElementType::U8, &[0, 3])),
        ])
        .collect();
    let arrays: Vec<(&str, &Array)> = named.iter().map(|(name, array)| (name.as_str(), array)).collect();
    write_mat(&at("a.mat"), &arrays).unwrap();
    write_npz(&at("a.npz"), &arrays).unwrap();
    write_npy(&at("a.npy"), &named[0].1).unwrap();
    let script = r#"
import numpy as np, scipy.io
mat, npz = scipy.io.loadmat("a.mat"), np.load("a.npz")
kinds = dict(u8="u1", i8="i1", u16="u2", i16="i2", u32="u4", i32="i4", u64="u8", i64="i8",
             f16="f2", f32="f4", f64="f8", bool="?", complex64="c8", complex128="c16")
n = np.arange(24)
for name, kind in kinds.items():
    dtype = np.dtype(kind)
    numbers = {"b": n % 3 == 0, "u": n, "c": (n - 2) + 1j * (n / 2)}.get(dtype.kind, n - 2)
    expected = numbers.astype(dtype).reshape(2, 3, 4)
    loaded = npz["v_" + name]
    assert loaded.dtype == dtype and loaded.shape == (2, 3, 4) and (loaded == expected).all(), name
    loaded = mat["v_" + name]
    matlab = {"f16": np.dtype("f4"), "bool": np.dtype("u1")}.get(name, dtype)
    assert loaded.dtype == matlab and loaded.shape == (2, 3, 4) and (loaded == expected).all(), name
assert mat["row"].shape == (1, 5) and npz["row"].shape == (5,) and mat["none"].shape == (0, 3)
assert (np.load("a.npy") == np.arange(24).reshape(2, 3, 4)).all()
"#;
    let output = Command::new("python3").args(["-c", script]).current_dir(folder.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
