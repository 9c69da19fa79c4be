//! Scenes as people have them: each file of a folder of cases is read right or refused with a way out; never a wrong map.
//!
//! The cases lie in `unmixing` of the folder `CUPEL_CASES`, or of `shared/cases` beside the workspace; without them the test of the
//! cases says that it skips. The kinds behind them are made here, for every format that can carry them.

mod program;

use std::path::{Path, PathBuf};

use cupel::data::open;
use program::cupel;
use serde_json::Value;

const ROWS: usize = 12;
const COLUMNS: usize = 17;
const MATERIALS: usize = 3;

/// What is right for a case.
enum Right {
    /// Maps of the whole image with so many pixels left out, and words that are printed.
    Maps(usize, &'static [&'static str]),
    /// A refusal with these words.
    Refused(&'static [&'static str]),
}
use Right::{Maps, Refused};

/// Files with more options, and what is right.
const CASES: &[(&str, &str, Right)] = &[
    ("e31_ignore/scene.img", "", Maps(50, &["left out 50 pixels without data"])),
    ("e32_ignore_f/scene.img", "", Maps(50, &["left out 50 pixels without data"])),
    ("e33_9999_unmarked/scene.img", "", Maps(50, &["1500 values are -9999", "--ignore-value"])),
    ("e33_9999_unmarked/scene.img", "--ignore-value -9999", Maps(50, &["left out 50 pixels without data"])),
    ("e34_nan_border/scene.img", "", Maps(50, &["left out 50 pixels without data"])),
    ("i5_one_nan_pixel/scene.img", "", Maps(1, &["left out 1 pixel without data"])),
    ("i1_band_nodata/scene.img", "", Maps(0, &["2 bands: 13", "have no data"])),
    ("i3_ignore0_one_value/scene.img", "", Maps(1, &["left out 1 pixel without data"])),
    ("e36_bom/scene.img", "", Maps(0, &[])),
    ("e45_tiff_magic_first/scene.img", "", Maps(0, &[])),
    ("e49_esri_hdr/scene.bil", "", Refused(&["scene.hdr", "no ENVI header", "gdal_translate"])),
    ("e56_frame_offsets_real/scene.bil", "", Refused(&["major frame offsets", "gdal_translate"])),
    ("t07_enmap_nodata.tif", "", Maps(36, &["2 bands", "left out 36 pixels"])),
    ("t03_pages.tif", "", Maps(0, &["each page a band"])),
    ("t15_overview.tif", "", Maps(0, &[])),
    ("h01_emit.nc", "", Maps(24, &["3 bands", "marks as bad", "left out 24 pixels"])),
    ("h03_cf_packed.nc", "", Maps(0, &["12 rows, 17 columns, 30 bands", "dimensions"])),
    ("h11_lzf_beside.h5", "", Maps(0, &[])),
    ("h12_layout_v2.h5", "--rows 12", Maps(0, &["row by row"])),
    ("m01_v4.mat", "", Maps(0, &["column by column"])),
    ("m05_v73_struct.mat", "", Maps(0, &[])),
    ("m07_cell.mat", "", Maps(0, &[])),
    ("m09_hysupp.mat", "", Maps(0, &["row by row"])),
    ("n05_py.npz", "", Maps(0, &["row by row"])),
    ("m11_bands_first.mat", "", Refused(&["--axes bands,rows,columns"])),
    ("m11_bands_first.mat", "--axes bands,rows,columns", Maps(0, &["--axes"])),
    ("n07_bands_first.npy", "", Refused(&["--axes bands,rows,columns"])),
    ("n07_bands_first.npy", "--axes bands,rows,columns", Maps(0, &["--axes"])),
    ("m16_A_KHW.mat", "", Maps(0, &[])),
    ("m26_int16_neg.mat", "", Maps(0, &[])),
    ("m27_dead_column.mat", "", Maps(12, &["the whole of column 6"])),
    ("m33_saturated_pixel.mat", "", Maps(1, &["65535", "saturated"])),
    ("c01_pixels.csv", "", Maps(0, &["places by its columns"])),
    ("c02_semicolon.csv", "--rows 12", Maps(0, &["row by row"])),
    ("c04_envi_ascii.txt", "--rows 12", Maps(0, &["row by row"])),
    ("f05_stale_checksum.fits", "", Maps(0, &["checksum"])),
];

/// The largest error of abundances; larger where a pixel is spoilt or all values are shifted, which no reading mends.
fn tolerance(file: &str) -> f64 {
    if file.starts_with("e45") || file.starts_with("m26") { 0.025 } else { 0.012 }
}

fn cases() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/cases");
    let folder = std::env::var_os("CUPEL_CASES").map_or(beside, PathBuf::from).join("unmixing");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: no cases; set CUPEL_CASES to a folder with `unmixing` in it");
    None
}

/// The true maps of all cases, pixel after pixel, from one of them that says their order.
fn true_maps(folder: &Path) -> Vec<f64> {
    let given = open(folder.join("n05_py.npz")).unwrap().cube::<f64>(Some("A")).unwrap();
    let pixels = ROWS * COLUMNS;
    (0..pixels).flat_map(|n| (0..MATERIALS).map(move |k| (n, k))).map(|(n, k)| given.values()[k * pixels + n]).collect()
}

/// The error of maps against the true ones, in the best order of the materials, and how many pixels were left out.
fn errs(found: &[f64], truth: &[f64]) -> (f64, usize) {
    let left_out = found.chunks_exact(MATERIALS).filter(|shares| shares.iter().any(|share| share.is_nan())).count();
    let error = |order: [usize; 3]| {
        let pixels = found.chunks_exact(MATERIALS).zip(truth.chunks_exact(MATERIALS)).filter(|(f, _)| !f[0].is_nan());
        let squares: Vec<f64> =
            pixels.flat_map(|(f, t)| (0..MATERIALS).map(move |k| (f[order[k]] - t[k]).powi(2))).collect();
        (squares.iter().sum::<f64>() / squares.len() as f64).sqrt()
    };
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    (orders.map(error).into_iter().fold(f64::INFINITY, f64::min), left_out)
}

#[test]
fn every_case_is_read_right_or_refused_with_a_way_out() {
    let Some(folder) = cases() else { return };
    let truth = true_maps(&folder);
    let out = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (number, (file, more, right)) in CASES.iter().enumerate() {
        let run = out.path().join(number.to_string());
        let line = format!(
            "unmix run {} --method vca --endmembers 3 --json {more} --out {number}",
            folder.join(file).display()
        );
        let (code, stdout, stderr) = cupel(out.path(), &line);
        match right {
            Maps(expected, words) => {
                if code != Some(0) {
                    wrong.push(format!("{file} {more}: {stderr}"));
                    continue;
                }
                let maps = open(run.join("abundances.npy")).unwrap();
                if maps.variables()[0].shape() != [ROWS, COLUMNS, MATERIALS] {
                    wrong.push(format!("{file} {more}: maps {:?}", maps.variables()[0].shape()));
                    continue;
                }
                let (rmse, left_out) = errs(maps.cube::<f64>(None).unwrap().values(), &truth);
                let reconstruction =
                    serde_json::from_str::<Value>(&stdout).unwrap()["reconstruction_rmse"].as_f64().unwrap();
                if rmse > tolerance(file) || reconstruction > 0.013 || left_out != *expected {
                    wrong.push(format!("{file} {more}: RMSE {rmse:.4}, reconstruction {reconstruction:.4}, {left_out} left out for {expected}"));
                }
                for word in words.iter().filter(|word| !stderr.contains(**word)) {
                    wrong.push(format!("{file} {more}: not said: {word:?} in {stderr}"));
                }
            }
            Refused(words) => {
                if code != Some(1) || run.exists() {
                    wrong.push(format!("{file} {more}: exit code {code:?}, folder made: {}", run.exists()));
                }
                for word in words.iter().filter(|word| !stderr.contains(**word)) {
                    wrong.push(format!("{file} {more}: not said: {word:?} in {stderr}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

/// Libraries and truths meet a scene by wavelength or not at all.
#[test]
fn spectra_meet_a_scene_by_wavelength() {
    let Some(folder) = cases() else { return };
    let out = tempfile::tempdir().unwrap();
    let scene = folder.join("n05_py.npz");
    let run = |truth: &str, name: &str| {
        let truth = folder.join(truth);
        let line = format!(
            "unmix run {} --method vca --endmembers 3 --json --out {name} --truth {}",
            scene.display(),
            truth.display()
        );
        cupel(out.path(), &line)
    };
    let (code, _, stderr) = run("vnir.sli", "vnir");
    assert!(code == Some(1) && stderr.contains("400 to 1000 nm") && stderr.contains("2500 nm"), "{stderr}");
    assert!(!out.path().join("vnir").exists());
    for (library, count) in [("fine.sli", 200), ("lib.csv", 30)] {
        let line = format!(
            "unmix run {} --method sunsal --library {} --endmembers 3 --json --out {count}",
            scene.display(),
            folder.join(library).display()
        );
        let (code, stdout, stderr) = cupel(out.path(), &line);
        assert_eq!(code, Some(0), "{library}: {stderr}");
        let sad = serde_json::from_str::<Value>(&stdout).unwrap()["mean_sad_rad"].as_f64().unwrap();
        assert!(sad < 0.02, "{library}: mean SAD {sad}");
    }
    let line = format!(
        "unmix run {} --method vca --endmembers 3 --no-truth --match {} --json --out named",
        scene.display(),
        folder.join("fine.sli").display()
    );
    let (code, stdout, stderr) = cupel(out.path(), &line);
    assert_eq!(code, Some(0), "{stderr}");
    let matches = serde_json::from_str::<Value>(&stdout).unwrap()["matches"].clone();
    let mut names: Vec<String> =
        matches.as_array().unwrap().iter().map(|m| m["spectrum"].as_str().unwrap().into()).collect();
    names.sort();
    assert_eq!(names, ["grass", "soil", "water"]);
    assert!(matches.as_array().unwrap().iter().all(|m| m["sad_rad"].as_f64().unwrap() < 0.02), "{matches}");
}
