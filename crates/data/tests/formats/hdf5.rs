//! HDF5 files of h5py, and MATLAB 7.3 files, which are HDF5 too.

use super::samples::{assert_contains, bytes, fixture, message, message_of, read_all, sample};
use cupel_data::{Array, AxisKind, Class, Complex, ElementType, Format, Limits, Values, convert, open, open_with};

const KINDS: [(&str, ElementType); 14] = [
    ("xu1", ElementType::U8),
    ("xi1", ElementType::I8),
    ("xu2", ElementType::U16),
    ("xi2", ElementType::I16),
    ("xu4", ElementType::U32),
    ("xi4", ElementType::I32),
    ("xu8", ElementType::U64),
    ("xi8", ElementType::I64),
    ("xf2", ElementType::F16),
    ("xf4", ElementType::F32),
    ("xf8", ElementType::F64),
    ("xb1", ElementType::Bool),
    ("xc8", ElementType::Complex64),
    ("xc16", ElementType::Complex128),
];

#[test]
fn every_type_is_read_in_old_and_new_files() {
    for name in ["plain.h5", "latest.h5"] {
        let file = open(fixture(name)).unwrap();
        assert_eq!(file.format(), Format::Hdf5);
        for (variable, element) in KINDS {
            assert_eq!(file.variable(variable).unwrap().class(), &Class::Number(element));
            assert_eq!(file.array(Some(variable)).unwrap(), sample(element, &[2, 3]), "{name} {variable}");
        }
        for (variable, element) in
            [("big_i2", ElementType::I16), ("big_f8", ElementType::F64), ("big_c8", ElementType::Complex64)]
        {
            assert_eq!(file.array(Some(variable)).unwrap(), sample(element, &[2, 3, 4]), "{name} {variable}");
        }
        assert_eq!(file.array(Some("scalar")).unwrap().values(), &Values::F64(vec![42.5]));
        assert!(file.array(Some("scalar")).unwrap().shape().is_empty());
        assert_eq!(file.array(Some("none")).unwrap().shape(), [0]);
        assert_eq!(file.array(Some("zero_length")).unwrap().shape(), [3, 0, 2]);
        assert_eq!(file.array(Some("levels")).unwrap().values(), &Values::I32(vec![0, 5]));
        assert_eq!(file.array(Some("triples")).unwrap(), sample(ElementType::F32, &[2, 3]));
        assert_eq!(file.text("words").unwrap(), ["tree", "Größe λ"]);
        assert_eq!(file.text("fixed").unwrap(), ["tree", "water"]);
        // Two links lead to the same numbers; the one that leads nowhere is none.
        for path in ["group/inner/deep", "soft"] {
            assert_eq!(file.array(Some(path)).unwrap(), sample(ElementType::F64, &[2, 2]));
        }
        assert!(file.variable("dangling").is_err() && file.variable("group").is_err());
        for (variable, what) in
            [("twelve_bits", "numbers of an uncommon layout"), ("bf16", "numbers of an uncommon layout")]
        {
            assert_eq!(file.variable(variable).unwrap().class(), &Class::Other(what.into()));
            assert_contains(&message(file.array(Some(variable))), &[variable, what, "expected an array of numbers"]);
        }
        assert_contains(
            &message(file.array(Some("records"))),
            &["is a struct", "records.a [1] i32, records.b [1] f64"],
        );
        assert_contains(&message(file.text("xf4")), &["expected text", "read it as an array"]);
    }
}

#[test]
fn chunks_filters_and_fill_values_are_undone() {
    let file = open(fixture("chunked.h5")).unwrap();
    assert_eq!(file.array(Some("Y")).unwrap(), sample(ElementType::F32, &[13, 11]));
    assert_eq!(file.array(Some("sums")).unwrap(), sample(ElementType::U16, &[13, 11]));
    assert_eq!(file.array(Some("grown")).unwrap(), sample(ElementType::I32, &[5, 3]));
    assert_eq!(file.array(Some("scaled")).unwrap(), sample(ElementType::I32, &[6, 4]));
    let filled: Vec<i16> = (0..24).map(|n| if n < 4 { 1 } else { 7 }).collect();
    assert_eq!(file.array(Some("filled")).unwrap().values(), &Values::I16(filled));
    assert_eq!(open(fixture("checked.h5")).unwrap().array(None).unwrap(), sample(ElementType::F32, &[13, 11]));
}

#[test]
fn pieces_are_those_of_the_whole() {
    let pieces = |file: &str, variable: &str| {
        let file = open(fixture(file)).unwrap();
        let whole = file.cube::<f64>(Some(variable)).unwrap();
        for axis in whole.axes().kinds() {
            let mut start = 0;
            for piece in file.tiles::<f64>(Some(variable), axis, 3).unwrap() {
                let piece = piece.unwrap();
                let end = start + piece.axis(axis).unwrap().len();
                let expected = whole.select(axis, &(start..end).collect::<Vec<_>>()).unwrap();
                assert_eq!(piece, expected, "{variable} {axis:?} {start}");
                start = end;
            }
            assert_eq!(start, whole.axis(axis).unwrap().len());
        }
    };
    for variable in ["Y", "sums", "filled", "grown", "scaled"] {
        pieces("chunked.h5", variable);
    }
    pieces("plain.h5", "big_f8");
    pieces("plain.h5", "xb1");
    pieces("plain.h5", "xf2");
    pieces("plain.h5", "triples");
    pieces("version_7_3.mat", "volume");
    pieces("version_7_3.mat", "logical");
}

#[test]
fn what_leads_out_of_the_file_is_not_followed() {
    let error = message(open(fixture("elsewhere.h5")));
    assert_contains(&error, &["not a valid HDF5 file", "a link into the file \"plain.h5\"", "not followed"]);
    let outside = message(open(fixture("outside.h5")).unwrap().array(Some("Y")));
    assert_contains(&outside, &["\"Y\"", "/etc/hostname", "copy the data into the file"]);
}

#[test]
fn what_is_not_known_is_named() {
    let message = message(open(fixture("virtual.h5")));
    assert_contains(&message, &["'virtual'", "unsupported layout class 3", "remove it from a copy of the file"]);
}

#[test]
fn groups_of_several_names_are_read_once() {
    let file = open(fixture("diamonds.h5")).unwrap();
    let names: Vec<&str> = file.variables().iter().map(|variable| variable.name()).collect();
    // 3^12 paths lead to it.
    assert_eq!(names.len(), 1, "{names:?}");
    assert_eq!(file.array(None).unwrap(), sample(ElementType::F32, &[2, 3]));
}

#[test]
fn texts_that_share_their_bytes_are_refused() {
    assert_contains(
        &message(open(fixture("shared.h5")).unwrap().text("words")),
        &["\"words\"", "claim more bytes than"],
    );
    assert_eq!(open(fixture("shared.h5")).unwrap().text("one").unwrap()[0].len(), 30_000);
}

#[test]
fn groups_in_themselves_are_refused() {
    assert_contains(&message(open(fixture("loop.h5"))), &["variable \"inner/outer\"", "the group contains itself"]);
    let limits = Limits { nesting: 1, ..Limits::default() };
    let deep = message(open_with(fixture("plain.h5"), limits));
    assert_contains(&deep, &["\"group/inner\"", "the depth of groups in groups is 2", "Limits::nesting"]);
}

#[test]
fn filters_that_are_not_read_are_named() {
    let message = message(open(fixture("lzf.h5")).unwrap().array(Some("Y")));
    assert_contains(&message, &["variable \"Y\"", "filter id 32000", "h5repack -f GZIP=4"]);
}

#[test]
fn damage_to_checked_chunks_is_found() {
    let mut file = bytes("chunked.h5");
    // The numbers 60 and 61 of `sums`, next to each other in a chunk.
    let at = file.windows(4).position(|window| window == [60, 0, 61, 0]).unwrap();
    file[at] ^= 1;
    assert_contains(&message_of(&file), &["\"sums\"", "damaged"]);
}

#[test]
fn a_file_that_is_cut_says_how_long_it_should_be() {
    for name in ["plain.h5", "latest.h5", "version_7_3.mat"] {
        let whole = bytes(name);
        let cut = message_of(&whole[..whole.len() - 7]);
        assert_contains(&cut, &[&format!("expected {} bytes, the file has {}", whole.len(), whole.len() - 7)]);
    }
    assert_contains(&message_of(&bytes("version_7_3.mat")[..300]), &["MATLAB 7.3", "the part in HDF5", "missing"]);
}

#[test]
fn limits_can_be_raised() {
    let limits = Limits { decoded_bytes: 100, ..Limits::default() };
    // 16 times the size of the file is always allowed.
    assert!(open_with(fixture("chunked.h5"), limits).unwrap().array(Some("Y")).is_ok());
    let limits = Limits { variables: 5, ..Limits::default() };
    assert_contains(
        &message(open_with(fixture("plain.h5"), limits)),
        &["the number of variables", "Limits::variables"],
    );
    let limits = Limits { decoded_bytes: 4 << 30, dense_bytes: 4 << 30, ..Limits::default() };
    assert!(open_with(fixture("unwritten.h5"), limits).is_ok());
}

#[test]
fn matlab_7_3_is_listed_as_matlab_5_is() {
    let file = open(fixture("version_7_3.mat")).unwrap();
    assert_eq!(file.format(), Format::Matlab73);
    let listed: Vec<String> = file.variables().iter().map(ToString::to_string).collect();
    for expected in [
        "volume [2, 3, 4] f64",
        "logical [2, 3] bool",
        "z64 [2, 3] complex64",
        "z128 [2, 3] complex128",
        "empty [0, 4] f64",
        "no_text [0, 0] text",
        "word [1, 5] text",
        "lines [3, 5] text",
        "names [3, 1] cell",
        "mixed [1, 2] cell",
        "region [1, 1] struct",
        "region.start [1, 2] i32",
        "region.inner [1, 1] struct",
        "region.inner.deep [2, 2] f64",
        "region.inner.label [1, 1] text",
        "several [1, 2] struct",
        "sparse [2, 3] sparse f64",
        "zsparse [2, 3] sparse complex128",
        "lsparse [2, 3] sparse bool",
        "zeros [2, 3] sparse f64",
        "handle [1, 1] an object",
    ] {
        assert!(listed.iter().any(|variable| variable == expected), "{expected} is not among {listed:?}");
    }
    assert!(listed.iter().all(|variable| !variable.contains('#') && !variable.starts_with("several.")));
}

#[test]
fn matlab_7_3_is_shown_as_matlab_shows_it() {
    let file = open(fixture("version_7_3.mat")).unwrap();
    let mut numbers = 0;
    for (variable, element) in KINDS {
        if file.variable(variable).is_ok() {
            assert_eq!(file.array(Some(variable)).unwrap(), sample(element, &[2, 3]), "{variable}");
            numbers += 1;
        }
    }
    assert_eq!(numbers, 10);
    assert_eq!(file.array(Some("volume")).unwrap(), sample(ElementType::F64, &[2, 3, 4]));
    assert_eq!(file.array(Some("logical")).unwrap(), sample(ElementType::Bool, &[2, 3]));
    assert_eq!(file.array(Some("z64")).unwrap(), sample(ElementType::Complex64, &[2, 3]));
    assert_eq!(file.array(Some("z128")).unwrap(), sample(ElementType::Complex128, &[2, 3]));
    assert_eq!(file.array(Some("empty")).unwrap().shape(), [0, 4]);
    assert_eq!(file.array(Some("region.start")).unwrap(), sample(ElementType::I32, &[1, 2]));
    assert_eq!(file.array(Some("region.inner.deep")).unwrap(), sample(ElementType::F64, &[2, 2]));
    let matrix = |values| Array::new(vec![2, 3], values).unwrap();
    assert_eq!(file.array(Some("sparse")).unwrap(), matrix(Values::F64(vec![0.0, 1.5, 0.0, 2.0, 0.0, 0.0])));
    assert_eq!(file.array(Some("zeros")).unwrap(), matrix(Values::F64(vec![0.0; 6])));
    let logical = vec![false, true, false, true, false, false];
    assert_eq!(file.array(Some("lsparse")).unwrap(), matrix(Values::Bool(logical)));
    let Values::Complex128(complex) = file.array(Some("zsparse")).unwrap().into_values() else { panic!("the type") };
    assert_eq!((complex[1], complex[3], complex[0]), (Complex::new(0.0, 1.5), Complex::from(2.0), Complex::default()));
    assert_contains(&message(file.array(Some("region"))), &["is a struct", "name one of its fields: region.start"]);
    assert_contains(&message(file.array(Some("several"))), &["only the fields of single structs"]);
}

#[test]
fn texts_of_matlab_7_3_are_read() {
    let file = open(fixture("version_7_3.mat")).unwrap();
    assert_eq!(file.text("word").unwrap(), ["water"]);
    assert_eq!(file.text("no_text").unwrap(), [""]);
    assert_eq!(file.text("accents").unwrap(), ["Größe λ"]);
    assert_eq!(file.text("lines").unwrap(), ["tree", "water", "dirt"]);
    assert_eq!(file.text("names").unwrap(), ["tree", "water", ""]);
    assert_eq!(file.text("region.inner.label").unwrap(), ["x"]);
    assert_contains(&message(file.text("mixed")), &["not all its cells are text"]);
}

#[test]
fn files_that_others_write_for_matlab_are_read() {
    let file = open(fixture("storage_7_3.mat")).unwrap();
    assert_eq!(file.format(), Format::Matlab73);
    assert_eq!(file.array(Some("Y")).unwrap(), sample(ElementType::F64, &[4, 6]));
    assert_eq!(file.array(Some("u2")).unwrap(), sample(ElementType::U16, &[2, 3]));
    assert_eq!(file.array(Some("truth")).unwrap(), sample(ElementType::Bool, &[2, 3]));
    assert_eq!(file.array(Some("z128")).unwrap(), sample(ElementType::Complex128, &[2, 3]));
    assert_eq!(file.array(Some("volume")).unwrap(), sample(ElementType::F32, &[2, 3, 4]));
    assert_eq!(file.array(Some("empty")).unwrap().shape(), [0, 4]);
    assert_eq!(file.array(Some("region.inner.deep")).unwrap(), sample(ElementType::F64, &[2, 2]));
    assert_eq!(file.text("word").unwrap(), ["water"]);
    assert_eq!(file.text("names").unwrap(), ["tree", "water"]);
}

#[test]
fn files_are_converted() {
    let folder = tempfile::tempdir().unwrap();
    let npy = folder.path().join("volume.npy");
    convert(&fixture("version_7_3.mat"), &npy, Some("volume"), false).unwrap();
    assert_eq!(open(npy).unwrap().array(None).unwrap(), sample(ElementType::F64, &[2, 3, 4]));
    let mat = folder.path().join("all.mat");
    convert(&fixture("storage_7_3.mat"), &mat, None, false).unwrap();
    let (old, new) = (open(&mat).unwrap(), open(fixture("storage_7_3.mat")).unwrap());
    assert_eq!(old.array(Some("Y")).unwrap(), new.array(Some("Y")).unwrap());
    // The arrays, and neither texts nor structs.
    assert_eq!(old.variables().len(), read_all(&fixture("storage_7_3.mat")).unwrap().len());
    let tiles = new.tiles::<f32>(Some("Y"), AxisKind::Dimension(0), 1).unwrap();
    assert_eq!(tiles.map(|tile| tile.unwrap().len()).sum::<usize>(), 24);
}
