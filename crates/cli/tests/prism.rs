//! `cupel prism` from the outside: from an object to exposures and back, with what the result is worth, and what is refused.

mod program;

use std::{fs, path::Path};

use cupel::data::{Array, Values, open, write_npy, write_npz, write_png};
use program::{json, refused, succeeds};

/// A scene of discs of different brightness on a slope, 32 x 32 pixels.
fn object(folder: &Path) {
    let discs = [(9, 8, 30, 90), (20, 21, 60, 140), (24, 8, 16, 200), (8, 23, 9, 60)];
    let value = |row: usize, column: usize| {
        let on = |&&(r, c, size, _): &&(usize, usize, usize, usize)| {
            row.abs_diff(r).pow(2) + column.abs_diff(c).pow(2) < size
        };
        let bright: usize = discs.iter().filter(on).map(|disc| disc.3).sum();
        (row + bright).min(255) as u8
    };
    let values = (0..32 * 32).map(|place| value(place / 32, place % 32)).collect();
    write_png(&folder.join("object.png"), &Array::new(vec![32, 32], Values::U8(values)).unwrap()).unwrap();
}

const SCAN: &str = "--n-pixels 64 --aperture-radius 7 --samples 32";

#[test]
fn an_object_comes_back_from_its_exposures_with_all_that_is_known_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    object(folder);
    let found = json(
        folder,
        &format!("prism reconstruct --object object.png {SCAN} --photons 1e5 --read-noise 1 --out run --json"),
    );
    let number = |name: &str| found[name].as_f64().unwrap_or_else(|| panic!("{name}: {found}"));
    assert!(number("ssim") > 0.97 && number("psnr_db") > 38.0, "{found}");
    assert!((0.9..1.1).contains(&number("chi2_per_dof")), "{found}");
    assert!(number("held_out_r") < 0.15 && number("prior_weight") > 0.0 && number("coverage") > 0.3, "{found}");
    assert_eq!((found["solver"].as_str(), found["run_dir"].as_str()), (Some("lbfgs"), Some("run")));
    for name in ["hits", "misses", "hit_rate", "cache_size", "bytes", "evictions"] {
        assert!(found["cache"][name].is_number(), "{name}: {found}");
    }
    assert!(found["cache"]["misses"] == 32 && found["cache"]["hit_rate"].as_f64().unwrap() > 0.5, "{found}");
    let log = fs::read_to_string(folder.join("run/metrics.csv")).unwrap();
    assert!(log.contains(",Cache/HitRate,") && log.contains(",Cache/Size,32"), "no cache in the log");
    for file in [
        "report.html",
        "metrics.json",
        "object.npy",
        "amplitude.npy",
        "amplitude.tif",
        "phase.npy",
        "pupil.npy",
        "positions.csv",
        "coverage.npy",
        "interval.npy",
        "curve.csv",
        "figures/amplitude.png",
        "figures/coverage.png",
        "tables/prior.csv",
    ] {
        assert!(folder.join("run").join(file).is_file(), "{file}");
    }
    assert_eq!(open(folder.join("run/amplitude.tif")).unwrap().array(None).unwrap().shape(), [32, 32]);

    // the same in two steps is the same to the bit, and the file tells the truth
    succeeds(folder, &format!("prism observe object.png {SCAN} --photons 1e5 --read-noise 1 --out seen.npz"));
    let again = json(folder, "prism reconstruct seen.npz --out again --json");
    assert_eq!(again["ssim"], found["ssim"]);
    let bits = |run: &str| fs::read(folder.join(run).join("object.npy")).unwrap();
    assert!(bits("run") == bits("again"), "the way by a file gives another object");
    let truth = open(folder.join("seen.npz")).unwrap().array(Some("truth")).unwrap();
    write_npy(&folder.join("truth.npy"), &truth).unwrap();
    let measured = json(folder, "prism evaluate run --truth truth.npy --json");
    assert!((measured["ssim"].as_f64().unwrap() - number("ssim")).abs() < 1e-6, "{measured}");
}

#[test]
fn without_noise_little_is_left_to_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    object(folder);
    let found = json(folder, &format!("prism reconstruct --object object.png {SCAN} --out run --json"));
    assert!(found["ssim"].as_f64().unwrap() > 0.99 && found["chi2_per_dof"].is_null(), "{found}");
}

#[test]
fn what_cannot_be_is_refused_with_one_message_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    object(folder);
    succeeds(folder, &format!("prism observe object.png {SCAN} --out seen.npz"));
    let flat = Array::new(vec![8, 8], Values::F32(vec![1.0; 64])).unwrap();
    write_npy(&folder.join("flat.npy"), &flat).unwrap();
    let hole = Array::new(vec![2, 2], Values::F32(vec![1.0, f32::NAN, 0.0, 1.0])).unwrap();
    write_npy(&folder.join("hole.npy"), &hole).unwrap();
    let change = |name: &str, variable: &str, values: Array| {
        let dataset = open(folder.join("seen.npz")).unwrap();
        let arrays: Vec<(String, Array)> = dataset
            .variables()
            .iter()
            .map(|own| (own.name().to_owned(), dataset.array(Some(own.name())).unwrap()))
            .map(|(own, array)| if own == variable { (own, values.clone()) } else { (own, array) })
            .collect();
        let arrays: Vec<(&str, &Array)> = arrays.iter().map(|(name, array)| (name.as_str(), array)).collect();
        write_npz(&folder.join(name), &arrays).unwrap();
    };
    change("fewer.npz", "scan", Array::new(vec![31, 2], Values::F64(vec![0.0; 62])).unwrap());
    let frames = open(folder.join("seen.npz")).unwrap().array(Some("data")).unwrap();
    let (shape, Values::F32(mut values)) = (frames.shape().to_vec(), frames.into_values()) else {
        panic!("frames in f32")
    };
    values[100] = f32::NAN;
    change("nan.npz", "data", Array::new(shape, Values::F32(values)).unwrap());
    let before = fs::read_dir(folder).unwrap().count();
    for (line, words) in [
        ("prism reconstruct --object flat.npy --n-pixels 64", "everywhere"),
        ("prism reconstruct --object hole.npy --n-pixels 64", "row 0, column 1"),
        ("prism reconstruct --object object.png --n-pixels 16", "16"),
        ("prism reconstruct --object object.png --n-pixels 64 --aperture-radius 40", "aperture-radius"),
        ("prism reconstruct --object object.png --n-pixels 64 --detector 9", "detector"),
        ("prism reconstruct --object object.png --n-pixels 64 --roi-radius 90", "roi"),
        ("prism reconstruct --object object.png --crop 40 --n-pixels 64", "crop = 40"),
        ("prism reconstruct --object object.png --n-pixels 64 --solver decoder --loss ms-ssim", "176"),
        ("prism reconstruct fewer.npz", "scan"),
        ("prism reconstruct nan.npz", "frame 0"),
        ("prism reconstruct nowhere.npz", "no such file"),
        ("prism observe object.png --n-pixels 64 --out seen.txt", ".npz"),
        ("prism evaluate object.png --truth flat.npy", "crop one of them"),
    ] {
        refused(folder, line, &[words]);
        assert_eq!(fs::read_dir(folder).unwrap().count(), before, "{line}: something was written");
    }
}
