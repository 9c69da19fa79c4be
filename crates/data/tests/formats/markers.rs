//! What the numbers of a file mean: missing values, scales, overviews, cells and old layouts, over every format that can say it.

use super::samples::{assert_contains, bytes, fixture, message, read_all};
use cupel_data::{
    Array, AxisKind, Dataset, EnviHeader, Georeference, Values, open, write_csv, write_envi_array, write_mat,
    write_npy, write_npz,
};
use std::path::Path;

/// The stored numbers of the fixtures, NaN where they are missing.
fn expected(value: impl Fn(usize) -> f64) -> Vec<f64> {
    (0..24).map(|n| if n == 5 || n == 17 { f64::NAN } else { value(n) }).collect()
}

#[track_caller]
fn assert_numbers(found: &[f64], expected: &[f64], what: &str) {
    let same = |(a, b): (&f64, &f64)| (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-6;
    assert!(found.len() == expected.len() && found.iter().zip(expected).all(same), "{what}: {found:?}");
}

/// The same array in a format, with the marker that this format has for missing values.
fn marked(folder: &Path, format: &str) -> Dataset {
    let path = folder.join(format!("scene.{format}"));
    let stored: Vec<f64> = (0..24).map(f64::from).collect();
    let with = |missing: f64| -> Vec<f64> {
        stored.iter().map(|&v| if v == 5.0 || v == 17.0 { missing } else { v }).collect()
    };
    let array = |values: Vec<f64>| Array::new(vec![2, 3, 4], Values::F64(values)).unwrap();
    match format {
        "img" => {
            let header = EnviHeader { ignore_value: Some(-9999.0), ..EnviHeader::new(2, 3, 4) };
            write_envi_array(&path, &header, &array(with(-9999.0))).unwrap();
        }
        "npy" => write_npy(&path, &array(with(f64::NAN))).unwrap(),
        "npz" => write_npz(&path, &[("Y", &array(with(f64::NAN)))]).unwrap(),
        "mat" => write_mat(&path, &[("Y", &array(with(f64::NAN)))]).unwrap(),
        "csv" => {
            let matrix = Array::new(vec![6, 4], Values::F64(with(f64::NAN))).unwrap();
            write_csv(&path, &[], &matrix).unwrap();
        }
        other => panic!("{other}"),
    }
    open(&path).unwrap()
}

#[test]
fn missing_values_are_nan_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["img", "npy", "npz", "mat", "csv"] {
        let found = marked(folder.path(), format).cube::<f64>(None).unwrap();
        assert_numbers(found.values(), &expected(|n| n as f64), format);
    }
    let file = open(fixture("markers.h5")).unwrap();
    for name in ["cf", "old_cf", "observatory", "nodata", "text", "range"] {
        assert_numbers(file.cube::<f64>(Some(name)).unwrap().values(), &expected(|n| n as f64), name);
        let tiles = file.tiles::<f32>(Some(name), AxisKind::Dimension(0), 1).unwrap();
        let found: Vec<f64> = tiles.flat_map(|tile| tile.unwrap().into_values()).map(f64::from).collect();
        assert_numbers(&found, &expected(|n| n as f64), name);
    }
    let tiff = open(fixture("marked.tif")).unwrap();
    assert_numbers(tiff.cube::<f64>(None).unwrap().values(), &expected(|n| n as f64), "marked.tif");
    assert_eq!(tiff.meaning(None).unwrap().missing, [-32768.0]);
}

#[test]
fn a_user_can_name_missing_values_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    for format in ["img", "npy", "npz", "mat", "csv"] {
        let file = marked(folder.path(), format).with_missing(&[7.0]);
        let found = file.cube::<f32>(None).unwrap();
        assert!(found.values()[7].is_nan() && found.values()[5].is_nan() && found.values()[8] == 8.0, "{format}");
    }
    let file = open(fixture("markers.h5")).unwrap().with_missing(&[7.0]);
    assert!(file.cube::<f32>(Some("packed")).unwrap().values()[7].is_nan(), "stored numbers are named");
}

#[test]
fn scales_are_obeyed_unless_stored_numbers_are_wanted() {
    let file = open(fixture("markers.h5")).unwrap();
    let measured = file.cube::<f64>(Some("packed")).unwrap();
    assert_numbers(measured.values(), &expected(|n| 0.5 * n as f64 - 1.0), "packed");
    let stored = file.stored::<f64>(Some("packed")).unwrap();
    assert_numbers(stored.values(), &expected(|n| n as f64), "stored");
    assert_eq!(file.array(Some("packed")).unwrap().values().len(), 24);

    let tiff = open(fixture("scaled.tif")).unwrap();
    let by_band = |n: usize| n as f64 * 0.5 * (n % 4 + 1) as f64 - (n % 4) as f64;
    assert_numbers(tiff.cube::<f64>(None).unwrap().values(), &expected(by_band), "scaled.tif");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scene.img");
    let stored = Array::new(vec![2, 3, 4], Values::I16((0..24).collect())).unwrap();
    let header = EnviHeader {
        reflectance_scale: 100.0,
        gains: vec![1.0, 2.0, 3.0, 4.0],
        offsets: vec![0.0, 10.0, 0.0, 0.0],
        ..EnviHeader::new(2, 3, 4)
    };
    write_envi_array(&path, &header, &stored).unwrap();
    let file = open(&path).unwrap();
    let value = |n: usize| (n as f64 * (n % 4 + 1) as f64 + if n % 4 == 1 { 10.0 } else { 0.0 }) / 100.0;
    let all: Vec<f64> = (0..24).map(value).collect();
    assert_numbers(file.cube::<f64>(None).unwrap().values(), &all, "ENVI");
    let bands = file.tiles::<f64>(None, AxisKind::Wavelength, 2).unwrap();
    let second = bands.map(|tile| tile.unwrap()).nth(1).unwrap();
    assert_numbers(&second.values()[..2], &[value(2), value(3)], "bands of a tile");
    let rows = file.stored_tiles::<f64>(None, AxisKind::Row, 1).unwrap();
    let stored: Vec<f64> = rows.flat_map(|tile| tile.unwrap().into_values()).collect();
    assert_numbers(&stored, &(0..24).map(f64::from).collect::<Vec<_>>(), "stored tiles");
}

#[test]
fn maps_keep_the_place_of_their_image() {
    let folder = tempfile::tempdir().unwrap();
    let maps = Array::new(vec![2, 3, 2], Values::F32((0..12).map(|v| v as f32).collect())).unwrap();
    let names = ["tree & soil".to_owned(), "water".to_owned()];
    let place = vec![("map info".to_owned(), "{UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84}".to_owned())];
    let written = Georeference::Envi(place.clone()).write_maps(&folder.path().join("maps"), &maps, &names).unwrap();
    let read = open(&written).unwrap();
    assert_eq!(read.georeference(), Some(Georeference::Envi(place)));
    assert_eq!(read.cube::<f32>(None).unwrap().values(), maps.clone().into_cube::<f32>().unwrap().values());
    assert_eq!(open(fixture("marked.tif")).unwrap().georeference(), None);
}

#[test]
fn overviews_are_no_variables() {
    let file = open(fixture("overview.tif")).unwrap();
    let names: Vec<&str> = file.variables().iter().map(|v| v.name()).collect();
    assert_eq!(names, ["overview"]);
    assert_eq!(file.cube::<f32>(None).unwrap().shape(), [2, 3, 4]);
}

#[test]
fn cells_of_numbers_have_names() {
    let file = open(fixture("cells.mat")).unwrap();
    let names: Vec<&str> = file.variables().iter().map(|v| v.name()).collect();
    assert_eq!(names, ["data", "data{1}", "data{3}"]);
    let second = file.cube::<f64>(Some("data{3}")).unwrap();
    assert_eq!((second.shape(), second.values()[0]), (vec![3, 4], 12.0));
    assert_contains(&message(file.array(Some("data"))), &["name one of its cells", "data{3}"]);
}

#[test]
fn matlab_4_is_read_in_both_orders_and_refused_where_it_is_cut() {
    let file = open(fixture("old.mat")).unwrap();
    assert_eq!(file.cube::<f64>(Some("A")).unwrap().values()[..5], [0.0, 1.0, 2.0, 3.0, 4.0]);
    let complex = file.cube::<cupel_data::Complex<f64>>(Some("B")).unwrap();
    assert_eq!((complex.values()[1].re, complex.values()[1].im), (0.0, 13.0));
    assert_eq!(file.text("s").unwrap(), ["tree", "soil"]);
    let one = open(fixture("version_4.mat")).unwrap();
    assert_eq!(one.cube::<f64>(None).unwrap().values(), [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0]);

    let little = bytes("version_4.mat");
    let mut big = little.clone();
    big[..20].as_chunks_mut::<4>().0.iter_mut().for_each(|number| number.reverse());
    big[..4].copy_from_slice(&1000_u32.to_be_bytes());
    let numbers = 20 + usize::from(little[16]);
    big[numbers..].as_chunks_mut::<8>().0.iter_mut().for_each(|number| number.reverse());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big.mat");
    std::fs::write(&path, &big).unwrap();
    assert_eq!(open(&path).unwrap().cube::<f64>(None).unwrap().values()[5], 3.0);
    std::fs::write(&path, &little[..little.len() - 3]).unwrap();
    assert_contains(&message(read_all(&path)), &["more than the", "copy it again"]);
}

#[test]
fn texts_of_numbers_have_commas_comments_and_runs_of_spaces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("numbers.txt");
    let numbers = |text: &str| {
        std::fs::write(&path, text).unwrap();
        open(&path).unwrap().cube::<f64>(None).map(|cube| (cube.shape(), cube.into_values()))
    };
    let same = Some((vec![2, 2], vec![0.5, 1.25, -3.0, 4e-2]));
    for text in [
        "0.5,1.25\n-3,4e-2\n",
        "0,5;1,25\n-3;4e-2\n",
        "0,5\t1,25\n-3,0\t4e-2\n",
        "; made by hand\n; 2 x 2\n0.5  1.25\n  -3   4e-2  \n",
        "# a comment of many words, with commas\n0.5 1.25\n-3 4e-2\n",
        "% MATLAB\n\n0.5;1.25\n-3;4e-2\n",
        "\u{feff}# mark\n0.5,1.25\n-3,4e-2\n",
    ] {
        assert_eq!(numbers(text).ok(), same, "{text:?}");
    }
    std::fs::write(&path, "#a,b\n0.5,1.25\n-3,4e-2\n").unwrap();
    let file = open(&path).unwrap();
    assert_eq!(file.column_names().map(<[String]>::to_vec), Some(vec!["#a".to_owned(), "b".to_owned()]));
    std::fs::write(&path, "400;500,5\n0,5;1,25\n").unwrap();
    assert_eq!(open(&path).unwrap().cube::<f64>(None).unwrap().values(), [400.0, 500.5, 0.5, 1.25]);
    // A comma that is no decimal one stays a delimiter.
    std::fs::write(&path, "a,b\n1,2;3\n4,5;6\n").unwrap();
    assert!(open(&path).unwrap().cube::<f64>(None).is_err());
    std::fs::write(&path, "# one\n# two\n1 2\n3 x\n").unwrap();
    assert_contains(&message(open(&path).unwrap().cube::<f64>(None)), &["line 4"]);
}
