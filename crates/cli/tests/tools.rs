//! The tools for images: what is wanted of an image, in every format that is written, with all that the format can keep.

mod program;

use std::{fs, path::Path};

use cupel::data::{
    Array, EnviHeader, Georeference, Image, Values, open, write_csv, write_envi_array, write_npy, write_npz,
};
use program::{json, refused, succeeds};

const ROWS: usize = 5;
const COLUMNS: usize = 7;
const BANDS: usize = 6;
const PLACE: &str = "{UTM, 1, 1, 500000, 4000000, 30, 30, 33, North, WGS-84, units=Meters}";
/// Formats that hold an image, whether they keep what is known of its bands, and whether they keep all the rest.
const FORMATS: [(&str, bool, bool); 8] = [
    ("img", true, true),
    ("bil", true, true),
    ("bsq", true, true),
    ("tif", true, true),
    ("npz", true, false),
    ("mat", true, false),
    ("npy", false, false),
    ("fits", false, false),
];

fn stored(row: usize, column: usize, band: usize) -> i16 {
    if (row, column) == (1, 2) { -9999 } else { (100 * row + 10 * column + band) as i16 }
}

fn centre(band: usize) -> f64 {
    450.0 + 100.0 * band as f64
}

/// `scene.img`: whole numbers with a scale, missing values, names, centres, widths, bad bands, a place on the map and keys of its own.
fn scene(folder: &Path) {
    let pixels = (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| (row, column)));
    let values = pixels.flat_map(|(row, column)| (0..BANDS).map(move |band| stored(row, column, band))).collect();
    let header = EnviHeader {
        wavelengths_nm: (0..BANDS).map(centre).collect(),
        widths_nm: vec![12.5; BANDS],
        good_bands: (0..BANDS).map(|band| band != 3).collect(),
        band_names: (0..BANDS).map(|band| format!("band {band}")).collect(),
        ignore_value: Some(-9999.0),
        gains: vec![0.5; BANDS],
        offsets: vec![1.0; BANDS],
        others: vec![
            ("map info".into(), PLACE.into()),
            ("sensor type".into(), "Unknown".into()),
            ("default bands".into(), "{5, 3, 2}".into()),
        ],
        ..EnviHeader::new(ROWS, COLUMNS, BANDS)
    };
    let array = Array::new(vec![ROWS, COLUMNS, BANDS], Values::I16(values)).unwrap();
    write_envi_array(&folder.join("scene.img"), &header, &array).unwrap();
}

/// Measured values of a file, rows by rows, with its centres; NaN for missing ones.
fn read(path: &Path) -> (Vec<f64>, Vec<usize>, Vec<f64>) {
    let dataset = open(path).unwrap();
    let image = Image::open(&dataset, None, None).unwrap();
    let info = image.info();
    let part = image.rows(0..info.rows).unwrap();
    let values = part.into_cube::<f64>().unwrap().into_values();
    let of =
        |list: &[f64], band: usize, otherwise: f64| list.get(band % list.len().max(1)).copied().unwrap_or(otherwise);
    let measured = |(place, value): (usize, f64)| {
        let band = place % info.bands;
        if info.meaning.missing.contains(&value) {
            return f64::NAN;
        }
        value * of(&info.meaning.gains, band, 1.0) + of(&info.meaning.offsets, band, 0.0)
    };
    let values = values.into_iter().enumerate().map(measured).collect();
    (values, vec![info.rows, info.columns, info.bands], info.wavelengths_nm.clone())
}

/// Measured where the format keeps the scale, stored where it does not.
fn expected(keeps_scale: bool, row: usize, column: usize, band: usize) -> f64 {
    let value = f64::from(stored(row, column, band));
    match (value == -9999.0, keeps_scale) {
        (true, true) => f64::NAN,
        (_, true) => 0.5 * value + 1.0,
        (_, false) => value,
    }
}

#[track_caller]
fn assert_same(found: &[f64], expected: &[f64], what: &str) {
    let same = |(a, b): (&f64, &f64)| (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-4;
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(same),
        "{what}: {found:?} for {expected:?}"
    );
}

/// `rows x columns x bands` values.
fn image_of(rows: &[usize], columns: &[usize], bands: &[usize], of: impl Fn(usize, usize, usize) -> f64) -> Vec<f64> {
    let mut values = Vec::new();
    for &row in rows {
        for &column in columns {
            values.extend(bands.iter().map(|&band| of(row, column, band)));
        }
    }
    values
}

#[test]
fn bands_and_parts_are_the_same_in_every_format() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    scene(folder);
    for (ending, keeps_bands, keeps_all) in FORMATS {
        let said = succeeds(folder, &format!("data bands scene.img --drop 640-760nm --out bands_{ending}.{ending}"));
        assert!(said.contains("5 rows, 7 columns, 4 bands"), "{said}");
        assert_eq!(said.contains("does not keep"), !keeps_all, "{ending}: {said}");
        let (values, shape, centres) = read(&folder.join(format!("bands_{ending}.{ending}")));
        assert_eq!(shape, [ROWS, COLUMNS, 4], "{ending}");
        let (rows, columns): (Vec<usize>, Vec<usize>) = ((0..ROWS).collect(), (0..COLUMNS).collect());
        let kept = [0, 1, 4, 5];
        assert_same(&values, &image_of(&rows, &columns, &kept, |r, c, b| expected(keeps_all, r, c, b)), ending);
        let wanted: Vec<f64> = kept.iter().map(|&band| centre(band)).collect();
        assert_eq!(centres, if keeps_bands { wanted } else { Vec::new() }, "{ending}");

        let said = succeeds(folder, &format!("data crop scene.img --roi 2-4,3-7 --out part_{ending}.{ending}"));
        assert!(said.contains("rows 2 to 4 and columns 3 to 7"), "{said}");
        let (values, shape, _) = read(&folder.join(format!("part_{ending}.{ending}")));
        assert_eq!(shape, [3, 5, BANDS]);
        let all: Vec<usize> = (0..BANDS).collect();
        let wanted = image_of(&[1, 2, 3], &[2, 3, 4, 5, 6], &all, |r, c, b| expected(keeps_all, r, c, b));
        assert_same(&values, &wanted, ending);
        if keeps_all {
            let own = open(folder.join(format!("part_{ending}.{ending}"))).unwrap().georeference().unwrap();
            let whole = Georeference::Envi(vec![("map info".into(), PLACE.into())]);
            assert!(own.agrees(&whole.moved(1, 2)) && !own.agrees(&whole), "{ending}");
        }
    }
    let dataset = open(folder.join("bands_tif.tif")).unwrap();
    let info = Image::open(&dataset, None, None).unwrap().info().clone();
    assert_eq!((info.band_names[2].as_str(), info.widths_nm[0]), ("band 4", 12.5));
    assert_eq!(info.good_bands, [true; 4]);
    assert!(info.others.contains(&("sensor type".into(), "Unknown".into())), "{:?}", info.others);
    let header = open(folder.join("bands_img.img")).unwrap().envi_header().unwrap().clone();
    assert!(!header.others.iter().any(|(key, _)| key == "default bands"), "band 3 of the three is gone");
    let header = open(folder.join("part_img.img")).unwrap().envi_header().unwrap().clone();
    assert!(header.others.contains(&("default bands".into(), "{5, 3, 2}".into())));
}

#[test]
fn masked_pixels_have_no_data_in_every_format() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    scene(folder);
    let keep = |row: usize, column: usize| (row, column) != (0, 3) && row != 4;
    let mask = (0..ROWS * COLUMNS).map(|place| u8::from(keep(place / COLUMNS, place % COLUMNS))).collect();
    write_npy(&folder.join("mask.npy"), &Array::new(vec![ROWS, COLUMNS], Values::U8(mask)).unwrap()).unwrap();
    let all = |len: usize| (0..len).collect::<Vec<usize>>();
    for (ending, _, keeps_all) in FORMATS {
        let said = succeeds(folder, &format!("data mask scene.img --mask mask.npy --out masked_{ending}.{ending}"));
        assert!(said.contains("8 of 35 pixels without data: row 1 column 4, row 5 column 1"), "{said}");
        let (values, ..) = read(&folder.join(format!("masked_{ending}.{ending}")));
        let wanted = image_of(&all(ROWS), &all(COLUMNS), &all(BANDS), |r, c, b| {
            let missing = !keep(r, c) || stored(r, c, b) == -9999;
            if missing { f64::NAN } else { expected(keeps_all, r, c, b) }
        });
        assert_same(&values, &wanted, ending);
    }
    // Whole numbers without a marker get one that no pixel has.
    let numbers = Array::new(vec![2, 2, 2], Values::U8(vec![0, 1, 2, 3, 255, 5, 6, 7])).unwrap();
    write_envi_array(&folder.join("bytes.img"), &EnviHeader::new(2, 2, 2), &numbers).unwrap();
    write_npy(&folder.join("small.npy"), &Array::new(vec![2, 2], Values::U8(vec![1, 0, 1, 1])).unwrap()).unwrap();
    refused(folder, "data mask bytes.img --mask small.npy --out out.img", &["every number", "ignore-value"]);
    let numbers = Array::new(vec![2, 2, 2], Values::U8(vec![0, 1, 2, 3, 4, 5, 6, 7])).unwrap();
    write_envi_array(&folder.join("bytes.img"), &EnviHeader::new(2, 2, 2), &numbers).unwrap();
    succeeds(folder, "data mask bytes.img --mask small.npy --out out.img");
    assert_eq!(open(folder.join("out.img")).unwrap().envi_header().unwrap().ignore_value, Some(255.0));
    succeeds(folder, "data mask bytes.img --mask small.npy --invert --ignore-value 7 --out out.tif");
    let (values, ..) = read(&folder.join("out.tif"));
    assert!(values[..2].iter().all(|v| v.is_nan()) && values[2..4] == [2.0, 3.0] && values[7].is_nan(), "{values:?}");
}

#[test]
fn spectra_are_brought_to_other_bands_or_refused_with_both_ranges() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    scene(folder);
    for (ending, keeps_bands, _) in FORMATS {
        succeeds(folder, &format!("data resample scene.img --to 500,700,900 --out finer_{ending}.{ending}"));
        let (values, shape, centres) = read(&folder.join(format!("finer_{ending}.{ending}")));
        assert_eq!(shape, [ROWS, COLUMNS, 3]);
        let all = |len: usize| (0..len).collect::<Vec<usize>>();
        let wanted = image_of(&all(ROWS), &all(COLUMNS), &[0, 1, 2], |r, c, b| {
            // A line between two bands is halfway.
            let (low, high) = (expected(true, r, c, 2 * b), expected(true, r, c, 2 * b + 1));
            if stored(r, c, 0) == -9999 { f64::NAN } else { 0.5 * (low + high) }
        });
        assert_same(&values, &wanted, ending);
        assert_eq!(centres, if keeps_bands { vec![500.0, 700.0, 900.0] } else { Vec::new() }, "{ending}");
    }
    refused(folder, "data resample scene.img --to 500,1500 --out x.img", &["450 to 950 nm", "500 to 1500 nm"]);
    assert!(!folder.join("x.img").exists());
    write_npy(&folder.join("bare.npy"), &Array::new(vec![2, 2, 3], Values::F32(vec![0.0; 12])).unwrap()).unwrap();
    refused(folder, "data resample bare.npy --to 500,600 --out x.img", &["not known"]);
    refused(folder, "data resample scene.img --to bare.npy --out x.img", &["no wavelengths"]);

    // A library, by the bands of a scene.
    let values = (0..4).flat_map(|row| [450.0 + 200.0 * f64::from(row), 0.1 * f64::from(row), 1.0]).collect();
    let table = Array::new(vec![4, 3], Values::F64(values)).unwrap();
    write_csv(&folder.join("lib.csv"), &["wavelength_nm", "oak", "soil"], &table).unwrap();
    succeeds(folder, "data resample lib.csv --to scene.img --out lib.sli.img");
    let dataset = open(folder.join("lib.sli.img")).unwrap();
    assert_eq!(dataset.text("names").unwrap(), ["oak", "soil"]);
    let (values, shape, centres) = read(&folder.join("lib.sli.img"));
    assert_eq!((shape, centres.len()), (vec![2, 1, BANDS], BANDS));
    assert!((values[1] - 0.05).abs() < 1e-9 && (values[BANDS] - 1.0).abs() < 1e-9, "{values:?}");
    succeeds(folder, "data resample lib.csv --to scene.img --out back.csv");
    assert_eq!(open(folder.join("back.csv")).unwrap().column_names().unwrap(), ["wavelength_nm", "oak", "soil"]);
}

#[test]
fn images_of_the_same_pixels_become_one() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    scene(folder);
    succeeds(folder, "data bands scene.img --keep 1-2 --out low.img");
    succeeds(folder, "data bands scene.img --keep 5-6 --out high.tif");
    for (ending, keeps_bands, keeps_all) in FORMATS {
        succeeds(folder, &format!("data stack low.img high.tif --out both_{ending}.{ending}"));
        let (values, shape, centres) = read(&folder.join(format!("both_{ending}.{ending}")));
        assert_eq!(shape, [ROWS, COLUMNS, 4]);
        let all = |len: usize| (0..len).collect::<Vec<usize>>();
        let wanted = image_of(&all(ROWS), &all(COLUMNS), &[0, 1, 4, 5], |r, c, b| expected(keeps_all, r, c, b));
        assert_same(&values, &wanted, ending);
        assert_eq!(centres, if keeps_bands { vec![450.0, 550.0, 850.0, 950.0] } else { Vec::new() }, "{ending}");
    }
    succeeds(folder, "data stack high.tif low.img --out turned.img");
    succeeds(folder, "data bands turned.img --sort --out sorted.img");
    assert_eq!(read(&folder.join("sorted.img")).2, [450.0, 550.0, 850.0, 950.0]);
    // Measured values, where the numbers mean different things.
    succeeds(folder, "data resample scene.img --to 500,600 --out other.img");
    succeeds(folder, "data stack low.img other.img --out mixed.img");
    let (values, ..) = read(&folder.join("mixed.img"));
    assert!((values[0] - 1.0).abs() < 1e-6 && (values[2] - expected(true, 0, 0, 0) - 0.25).abs() < 1e-6, "{values:?}");
    succeeds(folder, "data crop scene.img --roi 1-4,1-7 --out part.img");
    refused(folder, "data stack scene.img part.img --out x.img", &["5 x 7 pixels and 4 x 7 pixels"]);
    succeeds(folder, "data crop scene.img --roi 1-4,1-6 --out one.img");
    succeeds(folder, "data crop scene.img --roi 2-5,1-6 --out two.img");
    refused(folder, "data stack one.img two.img --out x.img", &["different places on the map"]);
}

#[test]
fn what_is_wrong_is_said_once_and_nothing_is_written() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    scene(folder);
    for (line, words) in [
        ("data bands scene.img --out x.img", &["--drop", "--keep"][..]),
        ("data bands scene.img --drop 7-9 --out x.img", &["no band is there, of the 6 from 450 to 950 nm"]),
        ("data bands scene.img --drop 1-6 --out x.img", &["no band is left"]),
        ("data bands scene.img --drop 1 --out x.xyz", &["its ending"]),
        ("data bands scene.img --drop 1", &["--out"]),
        ("data bands scene.img --drop 1 --out scene.img", &["exists", "--force"]),
        ("data bands gone.img --drop 1 --out x.img", &["gone.img"]),
        ("data crop scene.img --roi 1-6,1-7 --out x.img", &["row 6", "5 rows and 7 columns"]),
        ("data mask scene.img --out x.img", &["--mask", "--ignore-value"]),
        ("data mask scene.img --mask scene.img --out x.img", &["--mask scene.img", "[5, 7]"]),
        ("data stack scene.img --out x.img", &["2"]),
    ] {
        refused(folder, line, words);
        assert!(!folder.join("x.img").exists() && !folder.join("x.hdr").exists(), "{line}");
    }
    let said = succeeds(folder, "data bands scene.img --drop 1 --out x.img --dry-run");
    assert!(said.contains("would write x.img: 5 rows, 7 columns, 5 bands"), "{said}");
    assert!(!folder.join("x.img").exists());
    let said = json(folder, "data bands scene.img --drop 1 --out x.npy --json");
    assert_eq!((said["bands"].as_u64(), said["written"].as_str()), (Some(5), Some("x.npy")));
    assert!(said["lost"].as_str().unwrap().contains("its wavelengths"), "{said}");
}

#[test]
fn info_says_how_images_and_libraries_are_read() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    scene(folder);
    let said = succeeds(folder, "data info scene.img");
    assert!(said.contains("read as 5 rows, 7 columns, 6 bands (by its header); bands from 450 to 950 nm"), "{said}");
    assert!(said.contains("1 marked as bad") && said.contains("place on the map"), "{said}");
    let table = Array::new(vec![2, 3], Values::F64(vec![450.0, 0.1, 0.2, 550.0, 0.3, 0.4])).unwrap();
    write_csv(&folder.join("lib.csv"), &["wavelength", "oak", "soil"], &table).unwrap();
    let said = succeeds(folder, "data info lib.csv");
    assert!(said.contains("2 spectra, 2 bands") && said.contains("oak, soil"), "{said}");
    let spectra = Array::new(vec![2, 3], Values::F32(vec![0.5; 6])).unwrap();
    let centres = Array::new(vec![3], Values::F64(vec![0.45, 0.55, 0.65])).unwrap();
    write_npz(&folder.join("lib.npz"), &[("spectra", &spectra), ("wavelength", &centres)]).unwrap();
    let said = json(folder, "data info lib.npz --json");
    assert!(said["image"].is_null(), "two arrays could be meant: {said}");
    fs::remove_file(folder.join("lib.npz")).unwrap();
}
