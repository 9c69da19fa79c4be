//! Bands, parts, masks, other bands and stacks of an image, in every format that is written, with all that the format can keep.

use super::samples::{assert_contains, message};
use cupel_data::{Array, EnviHeader, Georeference, Image, Response, Values, open, write_envi_array};
use std::path::Path;

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

/// Whole numbers with a scale, missing values, names, centres, widths and a place on the map.
fn scene(folder: &Path) {
    let pixels = (0..ROWS).flat_map(|row| (0..COLUMNS).map(move |column| (row, column)));
    let values = pixels.flat_map(|(row, column)| (0..BANDS).map(move |band| stored(row, column, band))).collect();
    let header = EnviHeader {
        wavelengths_nm: (0..BANDS).map(centre).collect(),
        widths_nm: vec![12.5; BANDS],
        band_names: (0..BANDS).map(|band| format!("band {band}")).collect(),
        ignore_value: Some(-9999.0),
        gains: vec![0.5; BANDS],
        offsets: vec![1.0; BANDS],
        others: vec![("map info".into(), PLACE.into()), ("default bands".into(), "{5, 3, 2}".into())],
        ..EnviHeader::new(ROWS, COLUMNS, BANDS)
    };
    let array = Array::new(vec![ROWS, COLUMNS, BANDS], Values::I16(values)).unwrap();
    write_envi_array(&folder.join("scene.img"), &header, &array).unwrap();
}

/// Measured values of a file in the order of its pixels, NaN for missing ones, with its size and centres.
fn read(path: &Path) -> (Vec<f64>, [usize; 3], Vec<f64>) {
    let dataset = open(path).unwrap();
    let image = Image::open(&dataset, None, None).unwrap();
    let info = image.info();
    let values = image.rows(0..info.rows).unwrap().into_cube::<f64>().unwrap().into_values();
    let of = |list: &[f64], band: usize, otherwise: f64| match list {
        [] => otherwise,
        &[one] => one,
        all => all[band],
    };
    let measured = |(place, value): (usize, f64)| {
        let band = place % info.bands;
        match info.meaning.missing.contains(&value) {
            true => f64::NAN,
            false => value * of(&info.meaning.gains, band, 1.0) + of(&info.meaning.offsets, band, 0.0),
        }
    };
    (values.into_iter().enumerate().map(measured).collect(), info.shape(), info.wavelengths_nm.clone())
}

/// Measured where the format keeps the scale and the mark of missing values, stored where it does not.
fn expected(keeps: bool, row: usize, column: usize, band: usize) -> f64 {
    let value = f64::from(stored(row, column, band));
    match (value == -9999.0, keeps) {
        (true, true) => f64::NAN,
        (_, true) => 0.5 * value + 1.0,
        (_, false) => value,
    }
}

fn image_of(rows: &[usize], columns: &[usize], bands: &[usize], of: impl Fn(usize, usize, usize) -> f64) -> Vec<f64> {
    let pixels = rows.iter().flat_map(|&row| columns.iter().map(move |&column| (row, column)));
    pixels.flat_map(|(row, column)| bands.iter().map(|&band| of(row, column, band)).collect::<Vec<f64>>()).collect()
}

fn all(len: usize) -> Vec<usize> {
    (0..len).collect()
}

#[track_caller]
fn assert_same(found: &[f64], expected: &[f64], what: &str) {
    let same = |(a, b): (&f64, &f64)| (a.is_nan() && b.is_nan()) || (a - b).abs() < 1e-4;
    assert!(
        found.len() == expected.len() && found.iter().zip(expected).all(same),
        "{what}: {found:?} for {expected:?}"
    );
}

#[test]
fn bands_and_parts_are_the_same_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    scene(folder.path());
    let dataset = open(at("scene.img")).unwrap();
    let image = || Image::open(&dataset, None, None).unwrap();
    let kept = [0, 1, 4, 5];
    for (ending, keeps_bands, keeps_all) in FORMATS {
        let path = at(&format!("bands_{ending}.{ending}"));
        let lost = image().bands(&kept).unwrap().write(&path, false).unwrap();
        assert_eq!(lost.is_none(), keeps_all, "{ending}: {lost:?}");
        let (values, shape, centres) = read(&path);
        assert_eq!(shape, [ROWS, COLUMNS, 4], "{ending}");
        assert_same(
            &values,
            &image_of(&all(ROWS), &all(COLUMNS), &kept, |r, c, b| expected(keeps_all, r, c, b)),
            ending,
        );
        assert_eq!(centres, if keeps_bands { kept.map(centre).to_vec() } else { Vec::new() }, "{ending}");
        assert_contains(&message(image().write(&path, false)), &["exists"]);

        let path = at(&format!("part_{ending}.{ending}"));
        image().crop(1..4, 2..7).unwrap().write(&path, false).unwrap();
        let (values, shape, _) = read(&path);
        assert_eq!(shape, [3, 5, BANDS], "{ending}");
        let wanted = image_of(&[1, 2, 3], &[2, 3, 4, 5, 6], &all(BANDS), |r, c, b| expected(keeps_all, r, c, b));
        assert_same(&values, &wanted, ending);
        if keeps_all {
            let own = open(&path).unwrap().georeference().unwrap();
            let whole = Georeference::Envi(vec![("map info".into(), PLACE.into())]);
            assert!(own.agrees(&whole.moved(1, 2)) && !own.agrees(&whole), "{ending}");
        }
    }
    let header = open(at("bands_img.img")).unwrap().envi_header().unwrap().clone();
    assert!(!header.others.iter().any(|(key, _)| key == "default bands"), "one of the three is gone");
    assert!(image().bands(&[6]).is_err() && image().bands(&[]).is_err() && image().crop(0..6, 0..1).is_err());
}

#[test]
fn masked_pixels_have_no_data_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    scene(folder.path());
    let dataset = open(at("scene.img")).unwrap();
    let is_kept = |row: usize, column: usize| (row, column) != (0, 3) && row != 4;
    let keep: Vec<bool> = (0..ROWS * COLUMNS).map(|place| is_kept(place / COLUMNS, place % COLUMNS)).collect();
    for (ending, _, keeps_all) in FORMATS {
        let path = at(&format!("masked_{ending}.{ending}"));
        Image::open(&dataset, None, None).unwrap().masked(keep.clone()).unwrap().write(&path, false).unwrap();
        let wanted = image_of(&all(ROWS), &all(COLUMNS), &all(BANDS), |r, c, b| {
            let missing = !is_kept(r, c) || stored(r, c, b) == -9999;
            if missing { f64::NAN } else { expected(keeps_all, r, c, b) }
        });
        assert_same(&read(&path).0, &wanted, ending);
    }
    // Whole numbers without a marker get one that no pixel has.
    let bytes = |values: Vec<u8>| {
        let array = Array::new(vec![2, 2, 2], Values::U8(values)).unwrap();
        write_envi_array(&at("bytes.img"), &EnviHeader::new(2, 2, 2), &array).unwrap();
        open(at("bytes.img")).unwrap()
    };
    let keep = vec![true, false, true, true];
    let full = bytes(vec![0, 1, 2, 3, 255, 5, 6, 7]);
    assert_contains(&message(Image::open(&full, None, None).unwrap().masked(keep.clone())), &["every number", "u8"]);
    let free = bytes(vec![0, 1, 2, 3, 4, 5, 6, 7]);
    let image = Image::open(&free, None, None).unwrap().with_missing(&[7.0]).masked(keep).unwrap();
    image.write(&at("out.tif"), false).unwrap();
    let (values, ..) = read(&at("out.tif"));
    assert!(values[2].is_nan() && values[3].is_nan() && values[7].is_nan() && values[6] == 6.0, "{values:?}");
}

#[test]
fn spectra_are_brought_to_other_bands_or_refused_with_both_ranges() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    scene(folder.path());
    let dataset = open(at("scene.img")).unwrap();
    let resampled = |to: Vec<f64>| Image::open(&dataset, None, None).unwrap().resampled(&Response::new(to));
    for (ending, keeps_bands, _) in FORMATS {
        let path = at(&format!("other_{ending}.{ending}"));
        resampled(vec![500.0, 700.0, 900.0]).unwrap().write(&path, false).unwrap();
        let (values, shape, centres) = read(&path);
        assert_eq!(shape, [ROWS, COLUMNS, 3]);
        let wanted = image_of(&all(ROWS), &all(COLUMNS), &[0, 1, 2], |r, c, b| {
            let (low, high) = (expected(true, r, c, 2 * b), expected(true, r, c, 2 * b + 1));
            0.5 * (low + high)
        });
        assert_same(&values, &wanted, ending);
        assert_eq!(centres, if keeps_bands { vec![500.0, 700.0, 900.0] } else { Vec::new() }, "{ending}");
    }
    assert_contains(&message(resampled(vec![500.0, 1500.0])), &["450 to 950 nm", "500 to 1500 nm"]);
    std::fs::write(at("lib.csv"), "wavelength_nm,oak,soil\n450,0,1\n650,0.1,1\n850,0.2,1\n1050,0.3,1\n").unwrap();
    let library = open(at("lib.csv")).unwrap();
    let to = Response::read(&at("scene.img")).unwrap();
    for (path, again) in [(at("lib.img"), at("again.csv")), (at("lib2.csv"), at("again2.img"))] {
        Image::open(&library, None, None).unwrap().resampled(&to).unwrap().write(&path, false).unwrap();
        let written = open(&path).unwrap();
        let image = Image::open(&written, None, None).unwrap();
        let info = image.info();
        assert_eq!(info.spectra_names.as_deref().unwrap(), ["oak", "soil"]);
        assert_eq!((info.shape(), info.wavelengths_nm.len()), ([2, 1, BANDS], BANDS));
        let values = image.rows(0..2).unwrap().into_cube::<f64>().unwrap().into_values();
        assert!((values[1] - 0.05).abs() < 1e-9 && (values[BANDS] - 1.0).abs() < 1e-9, "{values:?}");
        image.write(&again, false).unwrap();
    }
}

#[test]
fn images_of_the_same_pixels_become_one() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    scene(folder.path());
    let dataset = open(at("scene.img")).unwrap();
    let image = || Image::open(&dataset, None, None).unwrap();
    image().bands(&[4, 5]).unwrap().write(&at("high.tif"), false).unwrap();
    let high = open(at("high.tif")).unwrap();
    for (ending, keeps_bands, keeps_all) in FORMATS {
        let path = at(&format!("both_{ending}.{ending}"));
        let parts = vec![image().bands(&[0, 1]).unwrap(), Image::open(&high, None, None).unwrap()];
        Image::stack(parts).unwrap().write(&path, false).unwrap();
        let (values, shape, centres) = read(&path);
        assert_eq!(shape, [ROWS, COLUMNS, 4]);
        let wanted = image_of(&all(ROWS), &all(COLUMNS), &[0, 1, 4, 5], |r, c, b| expected(keeps_all, r, c, b));
        assert_same(&values, &wanted, ending);
        assert_eq!(centres, if keeps_bands { [0, 1, 4, 5].map(centre).to_vec() } else { Vec::new() }, "{ending}");
    }
    // Measured values, where the numbers mean different things.
    let other = image().resampled(&Response::new(vec![500.0, 600.0])).unwrap();
    Image::stack(vec![image().bands(&[0, 1]).unwrap(), other]).unwrap().write(&at("mixed.img"), false).unwrap();
    let (values, ..) = read(&at("mixed.img"));
    assert!((values[0] - 1.0).abs() < 1e-6 && (values[2] - 1.25).abs() < 1e-6, "{values:?}");
    let refused = |parts: Vec<Image<'_>>| message(Image::stack(parts));
    assert_contains(&refused(vec![image(), image().crop(0..4, 0..7).unwrap()]), &["5 x 7 pixels and 4 x 7 pixels"]);
    let moved = vec![image().crop(0..4, 0..6).unwrap(), image().crop(1..5, 0..6).unwrap()];
    assert_contains(&refused(moved), &["different places on the map"]);
}
