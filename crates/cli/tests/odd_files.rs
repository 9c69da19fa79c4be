//! Scenes in files that nobody chose for this program: other names, other formats and their combinations. Each is read right, with its
//! bands where they are, by `unmix` and by the tools; or refused with a way out.
//!
//! `fixtures/make_scenes.py` writes them with the software that people use.

mod program;

use std::path::{Path, PathBuf};

use cupel::data::{Image, open};
use program::{cupel, json, refused, succeeds};

const ROWS: usize = 8;
const COLUMNS: usize = 11;
const BANDS: usize = 12;
const MATERIALS: usize = 3;

/// Where the bands of a file are.
#[derive(Clone, Copy, PartialEq)]
enum Bands {
    /// From 450 nm in steps of 50 nm.
    Known,
    /// The same from the last to the first.
    Down,
    /// The same, so many nanometres further.
    Further(f64),
    /// Nobody says it.
    Unknown,
}
use Bands::{Down, Further, Known, Unknown};

impl Bands {
    fn nanometres(self) -> Vec<f64> {
        let up = (0..BANDS).map(|band| 450.0 + 50.0 * band as f64);
        match self {
            Known => up.collect(),
            Down => up.rev().collect(),
            Further(by) => up.map(|nm| nm + by).collect(),
            Unknown => Vec::new(),
        }
    }
}

/// What is right for a file: how many pixels have no data, where its bands are, and words that are said.
type Right = (usize, Bands, &'static [&'static str]);

const ENMAP: &str = "ENMAP01-____L2A-DT0000000001_20260101T000000Z_001_V010000_20260102T000000Z-SPECTRAL_IMAGE.TIF";
const BY_BANDS: &[&str] = &["by its 12 wavelengths"];
const BY_NAMES: &[&str] = &["by the names of its dimensions"];

/// Files with what has to be said of them.
const READ: &[(&str, &str, Right)] = &[
    ("envi_bip_bbl.img", "", (12, Known, &["1 band: 4 (600 nm), which the file marks as bad"])),
    ("envi_scale.bil", "", (12, Known, &[])),
    ("envi_gains.dat", "", (12, Unknown, &[])),
    ("envi_wavenumber.img", "", (0, Down, &[])),
    ("envi_zero_ignored.img", "", (1, Unknown, &["row 3, column 4"])),
    ("envi_bad_flagged.img", "", (12, Known, &["144 values are -1", "--ignore-value"])),
    ("nc_packed_columns_first.nc", "", (12, Known, BY_NAMES)),
    ("nc_two_markers.nc", "", (12, Known, BY_NAMES)),
    ("h5_two_cubes.h5", "--variable reflectance", (0, Known, BY_BANDS)),
    ("h5_two_groups.h5", "--variable VNIR/cube", (0, Known, BY_BANDS)),
    ("h5_two_groups.h5", "--variable SWIR/cube", (0, Further(900.0), BY_BANDS)),
    ("h5_named_lists.h5", "--variable VNIR_cube", (0, Known, BY_BANDS)),
    ("h5_named_lists.h5", "--variable SWIR_cube", (0, Further(900.0), BY_BANDS)),
    ("h5_observatory.h5", "", (12, Known, BY_NAMES)),
    ("h5_labels.h5", "", (12, Known, BY_NAMES)),
    (
        "h5_file_attributes.h5",
        "",
        (0, Known, &["on the first axis, by its 12 wavelengths", "1 band: 1 (450 nm), which the file marks as bad"]),
    ),
    ("mat_struct_siblings.mat", "--variable scene.X", (12, Known, &["column by column"])),
    ("mat_matrix_of_rows.mat", "--variable spectra", (0, Known, &["column by column"])),
    ("mat73_struct.mat", "", (0, Known, BY_BANDS)),
    ("npz_bands_first.npz", "", (0, Known, &["on the first axis, by its 12 wavelengths"])),
    ("npz_matrix.npz", "", (0, Known, &["row by row"])),
    ("npy_fortran.npy", "--axes rows,columns,bands", (12, Unknown, &["--axes"])),
    ("npy_big_endian.npy", "", (12, Unknown, &["144 values are -32768"])),
    ("npy_big_endian.npy", "--ignore-value -32768 --axes rows,columns,bands", (12, Unknown, &["left out 12 pixels"])),
    ("csv_decimal_comma.csv", "", (0, Known, &["places by its columns `y` and `x`"])),
    ("csv_decimal_comma_bare.csv", "", (0, Known, &["places by its columns `y` and `x`"])),
    ("csv_id_column.csv", "--rows 8", (0, Known, &["`id`", "row by row"])),
    ("tsv_degrees.tsv", "", (12, Known, &["`lat` and `lon`", "`fid`"])),
    ("csv_columns_of_pixels.csv", "--rows 8", (0, Known, &["spectra as columns", "row by row"])),
    ("tif_scales.tif", "", (12, Known, &[])),
    (ENMAP, "", (12, Known, &[])),
    ("tif_planes.tif", "", (12, Known, &[])),
    ("tif_mask.tif", "", (0, Known, &["mask"])),
    ("tif_pages_of_rows.tif", "--axes rows,columns,bands", (0, Unknown, &["--axes"])),
    ("tif_pages_of_bands.tif", "", (0, Unknown, &["each page a band"])),
    ("fits_blank.fits", "", (12, Known, &["by its CTYPE"])),
    ("fits_bands_fastest.fits", "", (12, Known, &["by its CTYPE"])),
    ("fits_table.fits", "", (0, Known, &["on the last axis, by its 12 wavelengths"])),
    ("fits_silent.fits", "--axes rows,columns,bands", (0, Unknown, &["--axes"])),
];

/// Files that several readings fit, with words of the refusal.
const REFUSED: &[(&str, &str, &[&str])] = &[
    ("h5_two_cubes.h5", "", &["radiance", "reflectance", "Name the variable"]),
    ("h5_two_groups.h5", "", &["VNIR/cube", "Name the variable"]),
    ("fits_silent.fits", "", &["--axes rows,columns,bands"]),
    ("tif_pages_of_rows.tif", "", &["--axes rows,columns,bands"]),
    ("csv_id_column.csv", "", &["--rows"]),
    ("mat_struct_siblings.mat", "", &["scene.X"]),
];

/// Columns with places make an image in `unmix` alone, and pages are images of their own to the tools.
fn is_for_unmix_alone(file: &str) -> bool {
    ["csv_decimal", "tsv_", "tif_pages"].iter().any(|start| file.starts_with(start))
}

fn scenes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scenes")
}

fn numbers(path: &Path, name: Option<&str>) -> Vec<f64> {
    open(path).unwrap().cube::<f64>(name).unwrap().into_values()
}

/// The error of maps in the best order of the materials, and how many pixels are left out.
fn errs(found: &[f64], truth: &[f64]) -> (f64, usize) {
    let pixels = || found.chunks_exact(MATERIALS).zip(truth.chunks_exact(MATERIALS)).filter(|(f, _)| !f[0].is_nan());
    let error = |order: [usize; 3]| {
        let squares: f64 = pixels().flat_map(|(f, t)| (0..3).map(move |k| (f[order[k]] - t[k]).powi(2))).sum();
        (squares / (MATERIALS * pixels().count()) as f64).sqrt()
    };
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    (orders.map(error).into_iter().fold(f64::INFINITY, f64::min), ROWS * COLUMNS - pixels().count())
}

fn are_near(found: &[f64], expected: &[f64]) -> bool {
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 0.01)
}

#[test]
fn every_odd_file_is_read_right() {
    let place = tempfile::tempdir().unwrap();
    let out = place.path();
    let truth = numbers(&scenes().join("true_maps.npy"), None);
    let mut wrong = Vec::new();
    for (number, (file, options, (left_out, bands, words))) in READ.iter().enumerate() {
        let path = scenes().join(file);
        let line =
            format!("unmix run {} {options} --method vca --endmembers 3 --seed 1 --out {number}", path.display());
        let (code, _, stderr) = cupel(out, &line);
        if code != Some(0) {
            wrong.push(format!("{file} {options}: {stderr}"));
            continue;
        }
        let maps = open(out.join(number.to_string()).join("abundances.npy")).unwrap();
        let shape = maps.variables()[0].shape().to_vec();
        if shape != [ROWS, COLUMNS, MATERIALS] {
            wrong.push(format!("{file} {options}: maps {shape:?}: {stderr}"));
            continue;
        }
        let (rmse, without) = errs(maps.cube::<f64>(None).unwrap().values(), &truth);
        if rmse > 0.012 || without != *left_out {
            wrong.push(format!("{file} {options}: RMSE {rmse:.4}, {without} left out for {left_out}: {stderr}"));
        }
        wrong.extend(
            words
                .iter()
                .filter(|word| !stderr.contains(**word))
                .map(|word| format!("{file} {options}: not said: {word:?} in {stderr}")),
        );
        // Three bands by their wavelengths are known, or refused, alike in the run and in the tools.
        let centres = bands.nanometres();
        let range = centres.get(4).map_or([600.0, 700.0], |nm| [nm - 60.0, nm + 60.0]);
        let without = format!("--drop-bands {}-{}nm", range[0], range[1]);
        let (code, _, said) = cupel(out, &format!("{line}_less {without}"));
        let expected = if *bands == Unknown { "wavelengths of this scene are not known" } else { "as asked" };
        if (code == Some(0)) != (*bands != Unknown) || !said.contains(expected) {
            wrong.push(format!("{file} {options}: --drop-bands: {said}"));
        }
        if is_for_unmix_alone(file) {
            continue;
        }
        // A name and axes are told to the tools, sizes and missing values are no matter of theirs.
        let own = options.find("--variable").or(options.find("--axes")).map_or("", |at| &options[at..]);
        let line = format!("data bands {} {own} --drop {}-{}nm --out {number}.npz", path.display(), range[0], range[1]);
        let (code, _, said) = cupel(out, &line);
        if *bands == Unknown {
            if code != Some(1) || !said.contains("are not known") {
                wrong.push(format!("{file} {options}: data bands: {said}"));
            }
            continue;
        }
        let kept: Vec<f64> = centres.iter().copied().filter(|nm| *nm < range[0] || *nm > range[1]).collect();
        if code != Some(0) || !are_near(&numbers(&out.join(format!("{number}.npz")), Some("wavelength")), &kept) {
            wrong.push(format!("{file} {options}: data bands: {said}"));
        }
        if own.is_empty() {
            let told = json(out, &format!("data info {} --json", path.display()))["image"]["wavelengths_nm"].clone();
            let told: Vec<f64> = told.as_array().into_iter().flatten().filter_map(|nm| nm.as_f64()).collect();
            if !are_near(&told, &centres) {
                wrong.push(format!("{file} {options}: data info: {told:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_several_readings_fit_is_refused_with_a_way_out() {
    let place = tempfile::tempdir().unwrap();
    for (file, options, words) in REFUSED {
        let path = scenes().join(file);
        let line = format!("unmix run {} {options} --method vca --endmembers 3 --out run", path.display());
        refused(place.path(), &line, words);
        assert!(!place.path().join("run").exists(), "{file}");
    }
}

#[test]
fn widths_come_with_the_centres() {
    for (file, variable) in [
        ("envi_bip_bbl.img", None),
        ("h5_two_groups.h5", Some("VNIR/cube")),
        ("h5_observatory.h5", None),
        ("h5_labels.h5", None),
        ("mat73_struct.mat", None),
        ("tif_scales.tif", None),
        ("tif_mask.tif", Some("tif_mask")),
        ("fits_table.fits", None),
        (ENMAP, None),
    ] {
        let dataset = open(scenes().join(file)).unwrap();
        let image = Image::open(&dataset, variable, None).unwrap();
        let widths: Vec<f64> = (0..BANDS).map(|band| 11.0 + 0.5 * band as f64).collect();
        assert!(are_near(&image.info().widths_nm, &widths), "{file}: {:?}", image.info().widths_nm);
    }
}

#[test]
fn a_library_of_rows_with_names_meets_a_scene() {
    let place = tempfile::tempdir().unwrap();
    let [scene, library] =
        ["npz_matrix.npz", "csv_named_spectra.csv"].map(|name| scenes().join(name).display().to_string());
    let line = format!("unmix run {scene} --method vca --endmembers 3 --match {library} --json --out run");
    let said = json(place.path(), &line);
    let mut names: Vec<&str> =
        said["matches"].as_array().unwrap().iter().filter_map(|m| m["spectrum"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["grass", "roof", "sand"], "{said}");
}

#[test]
fn the_place_of_a_grid_mapping_is_kept() {
    let place = tempfile::tempdir().unwrap();
    let nc = scenes().join("nc_packed_columns_first.nc").display().to_string();
    succeeds(place.path(), &format!("data convert {nc} copy.img --variable surface_reflectance"));
    let header = std::fs::read_to_string(place.path().join("copy.hdr")).unwrap();
    assert!(
        header.contains("map info = {UTM, 1, 1, 500000, 4000015, 30, 30, 33, North, WGS-84, units=Meters}"),
        "{header}"
    );
    succeeds(place.path(), &format!("unmix run {nc} --method vca --endmembers 3 --out run"));
    let maps = std::fs::read_to_string(place.path().join("run/maps/abundances.hdr")).unwrap();
    assert!(maps.contains("500000, 4000015, 30, 30, 33, North"), "{maps}");
    // Rows that go up are none of ENVI's, and that is said.
    let nc = scenes().join("nc_two_markers.nc").display().to_string();
    let said = succeeds(place.path(), &format!("unmix run {nc} --method vca --endmembers 3 --out degrees"));
    assert!(said.contains("maps are without its place on the map, whose rows go up"), "{said}");
}
