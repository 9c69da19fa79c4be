//! Complex numbers as cubes and tiles, of every format that has them.

use super::samples::{assert_contains, fixture, message, sample};
use cupel_data::{
    Array, AxisKind, Complex, Cube, ElementType, EnviHeader, Values, open, write_envi_array, write_mat, write_npy,
    write_npz,
};
use std::path::Path;

const VARIABLE: Option<&str> = Some("Y");

/// The numbers of the file as cubes of both widths and as tiles along every axis are those of `expected`.
fn check(path: &Path, name: Option<&str>, expected: &Array) {
    let file = open(path).unwrap();
    let wide: Cube<Complex<f64>> = file.cube(name).unwrap();
    let narrow: Cube<Complex<f32>> = file.cube(name).unwrap();
    assert_eq!(wide.values(), expected.clone().into_cube::<Complex<f64>>().unwrap().values(), "{path:?}");
    assert_eq!(narrow.shape(), expected.shape());
    for (narrow, wide) in narrow.values().iter().zip(wide.values()) {
        assert_eq!((narrow.re, narrow.im), (wide.re as f32, wide.im as f32));
    }
    for kind in narrow.axes().kinds() {
        let mut positions = 0;
        for tile in file.tiles::<Complex<f32>>(name, kind, 2).unwrap() {
            let tile = tile.unwrap();
            let len = tile.axis(kind).unwrap().len();
            let range: Vec<usize> = (positions..positions + len).collect();
            assert_eq!(tile, narrow.select(kind, &range).unwrap(), "{path:?} {kind} {positions}");
            positions += len;
        }
        assert_eq!(positions, narrow.axis(kind).unwrap().len());
    }
}

#[test]
fn what_is_written_is_read_as_cubes_and_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for element in [ElementType::Complex64, ElementType::Complex128, ElementType::F32, ElementType::I16] {
        let array = sample(element, &[5, 4, 3]);
        write_npy(&at("a.npy"), &array).unwrap();
        check(&at("a.npy"), None, &array);
        write_npz(&at("a.npz"), &[("Y", &array)]).unwrap();
        check(&at("a.npz"), VARIABLE, &array);
        write_mat(&at("a.mat"), &[("Y", &array)]).unwrap();
        check(&at("a.mat"), VARIABLE, &array);
        write_envi_array(&at("a.img"), &EnviHeader::new(5, 4, 3), &array).unwrap();
        check(&at("a.img"), None, &array);
    }
}

#[test]
fn cubes_are_written_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    let cube: Cube<Complex<f32>> = sample(ElementType::Complex64, &[2, 3]).into_cube().unwrap();
    write_npy(&path, &Array::from(&cube)).unwrap();
    let read = open(&path).unwrap();
    assert_eq!(read.array(None).unwrap().element_type(), ElementType::Complex64);
    assert_eq!(read.cube::<Complex<f32>>(None).unwrap(), cube);
}

#[test]
fn other_software_is_read() {
    for (file, variable, element, shape) in [
        ("plain.h5", "xc8", ElementType::Complex64, vec![2, 3]),
        ("latest.h5", "xc16", ElementType::Complex128, vec![2, 3]),
        ("plain.h5", "big_c8", ElementType::Complex64, vec![2, 3, 4]),
        ("records.h5", "vis", ElementType::Complex64, vec![3, 4, 5]),
        ("version_7_3.mat", "z64", ElementType::Complex64, vec![2, 3]),
        ("version_7_3.mat", "z128", ElementType::Complex128, vec![2, 3]),
        ("compressed.mat", "z64", ElementType::Complex64, vec![2, 3]),
        ("plain.h5", "xf4", ElementType::F32, vec![2, 3]),
        ("plain.h5", "xi8", ElementType::I64, vec![2, 3]),
        ("plain.h5", "xb1", ElementType::Bool, vec![2, 3]),
    ] {
        check(&fixture(file), Some(variable), &sample(element, &shape));
    }
}

#[test]
fn complex_numbers_are_not_taken_for_real_ones() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.npy");
    // Not even where the imaginary part is 0.
    let array = Array::new(vec![1, 2], Values::Complex64(vec![Complex::new(1.0, 0.0); 2])).unwrap();
    write_npy(&path, &array).unwrap();
    let expected = ["at [0, 0] cannot be held by f32", "read the array as complex64"];
    assert_contains(&message(open(&path).unwrap().cube::<f32>(None)), &expected);
    let tile = open(&path).unwrap().tiles::<f32>(None, AxisKind::Dimension(1), 1).unwrap().nth(1).unwrap();
    assert_contains(&message(tile), &["at [0, 1] cannot be held by f32"]);
    let wide = Array::new(vec![1], Values::Complex128(vec![Complex::new(0.0, 1e300)])).unwrap();
    write_npy(&path, &wide).unwrap();
    assert_contains(&message(open(&path).unwrap().cube::<Complex<f32>>(None)), &["cannot be held by complex64"]);
}
