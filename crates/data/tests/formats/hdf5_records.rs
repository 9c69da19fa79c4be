//! Records, pairs of integers and attributes of HDF5 files of h5py, and a file of visibilities.

use super::samples::{assert_contains, bytes, fixture, message, message_of, sample};
use cupel_data::{Array, Attribute, Class, Complex, ElementType, Limits, Values, open, open_with};

const FILES: [&str; 2] = ["records.h5", "records_latest.h5"];

#[test]
fn fields_of_records_are_variables() {
    for name in FILES {
        let file = open(fixture(name)).unwrap();
        let array = |variable: &str| file.array(Some(variable)).unwrap();
        assert_eq!(file.variable("index_map/freq").unwrap().class(), &Class::Struct);
        let centres = Values::F64(vec![500.0, 500.78125, 501.5625, 502.34375]);
        assert_eq!(array("index_map/freq.centre").values(), &centres);
        assert_eq!(array("index_map/freq.width").values(), &Values::F64(vec![0.78125; 4]));

        let input = |field: &str| array(&format!("index_map/input.{field}"));
        assert_eq!(input("id"), sample(ElementType::U16, &[2, 3]));
        assert_eq!(input("on"), sample(ElementType::Bool, &[2, 3]));
        assert_eq!(input("gain"), sample(ElementType::Complex64, &[2, 3]));
        assert_eq!(input("place"), sample(ElementType::F32, &[2, 3, 3]));
        assert_eq!(input("in.a"), sample(ElementType::I32, &[2, 3]));
        assert_eq!(input("in.b"), sample(ElementType::F64, &[2, 3, 2]));
        assert_eq!(input("level").values(), &Values::I32(vec![0, 5, 0, 5, 0, 5]));
        assert_eq!(file.text("index_map/input.name").unwrap(), ["tree", "water", "", "a", "b", "c"]);
        assert_eq!(file.text("index_map/input.label").unwrap(), ["Größe", "", "x", "λ", "y", "z"]);
        for (field, what) in [("to", "references"), ("raw", "opaque bytes")] {
            let variable = file.variable(&format!("index_map/input.{field}")).unwrap();
            assert_eq!(variable.class(), &Class::Other(what.into()));
        }
        assert_eq!(array("single.a"), Array::new(vec![], Values::I32(vec![1])).unwrap());
        assert_eq!(array("single.b"), Array::new(vec![], Values::F64(vec![2.0])).unwrap());
        // A number that does not fill its bytes is refused in a record, too.
        assert_eq!(array("mixed.plain").values(), &Values::I32(vec![7, 256]));
        let uncommon = Class::Other("numbers of an uncommon layout".into());
        assert_eq!(file.variable("mixed.odd").unwrap().class(), &uncommon);
        assert_contains(
            &message(file.array(Some("mixed"))),
            &["is a struct", "name one of its fields: mixed.odd", "mixed.plain [2] i32"],
        );
        assert_contains(&message(file.array(Some("mixed.plane"))), &["did you mean \"mixed.plain\"?"]);
    }
}

#[test]
fn pairs_of_integers_are_complex_numbers() {
    for name in FILES {
        let file = open(fixture(name)).unwrap();
        for (part, element) in [
            ("i1", ElementType::Complex64),
            ("u2", ElementType::Complex64),
            ("f2", ElementType::Complex64),
            ("i4", ElementType::Complex128),
        ] {
            let variable = format!("pairs_{part}");
            assert_eq!(file.variable(&variable).unwrap().class(), &Class::Number(element));
            let expected = (0..12).map(|n| match part {
                "u2" => Complex::new(n as f64, 7.0),
                _ => Complex::new(n as f64 - 2.0, 2.0 - n as f64),
            });
            let expected: Vec<Complex<f64>> = expected.collect();
            let cube = file.cube::<Complex<f64>>(Some(&variable)).unwrap();
            assert_eq!((cube.shape(), cube.values()), (vec![4, 3], &expected[..]), "{variable}");
            for kind in cube.axes().kinds() {
                let tiles = file.tiles::<Complex<f64>>(Some(&variable), kind, 3).unwrap();
                let first = tiles.map(Result::unwrap).next().unwrap();
                assert_eq!(first, cube.select(kind, &[0, 1, 2]).unwrap());
            }
        }
        // f64 would change large ones.
        assert_eq!(file.variable("pairs_i8").unwrap().class(), &Class::Struct);
        assert_eq!(file.array(Some("pairs_i8.r")).unwrap(), sample(ElementType::I64, &[4, 3]));
    }
}

#[test]
fn attributes_are_read() {
    for name in FILES {
        let file = open(fixture(name)).unwrap();
        let about = file.attributes("vis").unwrap();
        assert_eq!(about["units"].text(), Some("K"));
        assert_eq!(about["axis"], Attribute::Texts(["baseline", "freq", "ra"].map(String::from).to_vec()));
        assert_eq!(about["axis"].text(), None);
        assert_eq!(about["matrix"], Attribute::Numbers(sample(ElementType::F32, &[2, 3])));
        assert_eq!(about["big"].number::<i16>(), Some(7));
        assert_eq!(about["big"].numbers::<f64>(), Some(vec![7.0]));
        assert_eq!(about["flagged"], Attribute::Numbers(Array::new(vec![], Values::Bool(vec![true])).unwrap()));
        assert_eq!(about["phase"].number(), Some(Complex::new(1.0_f32, -2.0)));
        assert_eq!(about["phase"].number::<f64>(), None);
        assert_eq!(about["nothing"].numbers::<f32>(), Some(Vec::new()));
        for (name, what) in [("table", "records"), ("target", "references"), ("odd", "numbers of an uncommon layout")] {
            assert_eq!(about[name], Attribute::Other(what.into()));
            assert_eq!((about[name].text(), about[name].number::<f64>()), (None, None));
        }
        assert_eq!(about.len(), 10);
        // Of a group, and more of them than an object keeps with it.
        let many = file.attributes("index_map").unwrap();
        assert_eq!(many.len(), 20);
        assert!((0..20).all(|n| many[&format!("a{n}")].number::<u8>() == Some(n)));
        for root in ["", "/"] {
            let of_file = file.attributes(root).unwrap();
            assert_eq!((of_file["title"].text(), of_file["count"].number::<i64>()), (Some("Größe λ"), Some(3)));
        }
        assert_eq!(file.attributes("/vis").unwrap(), about);
        assert!(file.attributes("index_map/freq").unwrap().is_empty());
        assert!(file.attributes("index_map/freq.centre").unwrap().is_empty());
        assert_contains(&message(file.attributes("viz")), &["no variable \"viz\"", "did you mean \"vis\"?"]);
        assert!(file.attributes("nowhere/vis").is_err() && file.attributes("vis/x").is_err());
    }
    let matlab = open(fixture("version_7_3.mat")).unwrap();
    assert_eq!(matlab.attributes("region.inner.deep").unwrap()["MATLAB_class"].text(), Some("double"));
    let npy = open(fixture("f8.npy")).unwrap();
    assert!(npy.attributes("").unwrap().is_empty() && npy.attributes("f8").unwrap().is_empty());
    assert!(npy.attributes("f4").is_err());
}

#[test]
fn visibilities_are_read_with_flags_and_header() {
    let file = open(fixture("uvh5.h5")).unwrap();
    let classes: Vec<String> = file.variables().iter().map(ToString::to_string).collect();
    for expected in [
        "Data/visdata [6, 8, 2] complex64",
        "Data/flags [6, 8, 2] bool",
        "Data/nsamples [6, 8, 2] f32",
        "Header/flex_spw [] bool",
        "Header/vis_units [] text",
        "Header/antenna_names [3] text",
        "Header/freq_array [8] f64",
        "Header/extra_keywords/obs_id [] i64",
    ] {
        assert!(classes.iter().any(|class| class == expected), "{expected} is not in {classes:?}");
    }
    assert_eq!(file.text("Header/vis_units").unwrap(), ["Jy"]);
    assert_eq!(file.text("Header/antenna_names").unwrap(), ["HH0", "HH1", "HH2"]);
    let flags = file.cube::<u8>(Some("Data/flags")).unwrap();
    for kind in flags.axes().kinds() {
        let tiles = file.tiles::<u8>(Some("Data/flags"), kind, 2).unwrap();
        let firsts: Vec<u8> = tiles.map(|tile| tile.unwrap().values()[0]).collect();
        let len = flags.axis(kind).unwrap().len();
        let expected: Vec<u8> = (0..len).step_by(2).map(|n| flags.select(kind, &[n]).unwrap().values()[0]).collect();
        assert_eq!(firsts, expected);
    }
    assert!(flags.values().contains(&1) && flags.values().contains(&0));
}

#[test]
fn attributes_that_share_their_bytes_are_refused() {
    let file = open(fixture("shared_attributes.h5")).unwrap();
    assert_contains(&message(file.attributes("")), &["words", "claim more bytes than the 38224 of the file"]);
}

#[test]
fn sizes_are_checked_before_anything_is_read() {
    let file = open(fixture("unwritten_records.h5")).unwrap();
    let expected = ["\"Y.b\"", "the decoded size in bytes is 1200000000000", "Limits::decoded_bytes"];
    assert_contains(&message(file.array(Some("Y.b"))), &expected);
    let expected = ["\"words\"", "most of them never written is 2400000000", "Limits::dense_bytes"];
    assert_contains(&message(file.text("words")), &expected);
    assert_contains(&message(open(fixture("long_names.h5"))), &["a name has 5002 bytes", "at most 4096"]);
    let limits = Limits { variables: 8, ..Limits::default() };
    assert_contains(&message(open_with(fixture("records.h5"), limits)), &["the number of variables is 9"]);
}

#[test]
fn records_that_do_not_fit_are_damaged() {
    // The place of a field in its records, behind its name and the fill of that to 8 bytes.
    let mut file = bytes("records.h5");
    let at = file.windows(8).position(|window| window == b"centre\0\0").unwrap() + 8;
    assert_eq!(&file[at..at + 4], [0; 4]);
    file[at] = 9;
    assert_contains(&message_of(&file), &["\"index_map/freq\"", "the description of its type is damaged"]);
}
