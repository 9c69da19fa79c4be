//! `cupel cosmology train`, `clean --model`, `evaluate` and `null` from the outside: a model from its skies to its null tests, and refusals.

mod program;

use std::{fs, path::Path};

use cupel::data::{Array, Values, open, write_npy};
use program::{cupel, json, refused, succeeds};

/// Skies for training and for tests, and the model `model`.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let skies = "cosmology simulate --nfreq 16 --nx 16 --beam-dish 13.5 --beam gaussian --noise-mk 0.02 --quiet";
    succeeds(folder.path(), &format!("{skies} --skies 30 --seed 1001 --out skies"));
    succeeds(folder.path(), &format!("{skies} --skies 6 --seed 1 --out tests"));
    succeeds(folder.path(), "cosmology train --skies skies --out model --quiet");
    folder
}

fn entries(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_model_is_trained_cleans_says_how_sure_it_is_and_finds_nothing_where_nothing_is() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let skies = "cosmology simulate --nfreq 16 --nx 16 --beam-dish 13.5 --beam gaussian --noise-mk 0.02 --quiet";
    succeeds(folder, &format!("{skies} --skies 30 --seed 1001 --out skies"));
    succeeds(folder, &format!("{skies} --skies 6 --seed 1 --out tests"));
    let model = json(folder, "cosmology train --skies skies --out model --json");
    assert_eq!((model["method"].as_str(), model["run_dir"].as_str()), (Some("filter"), Some("model")));
    let r = |name: &str| model["validation"][name]["r"].as_f64().unwrap();
    assert!(
        r("filter") > r("pca") && model["validation"]["filter"]["residual_ratio"].as_f64().unwrap() < 1.0,
        "{model}"
    );
    for file in ["report.html", "model.json", "estimator.npz", "figures/scales.svg", "tables/validation.csv"] {
        assert!(folder.join("model").join(file).is_file(), "{file}");
    }

    // unit and size lie beside a simulated sky
    let cleaned = json(folder, "cosmology clean tests/sky_0000/obs.npy --model model --out clean --json");
    assert!(cleaned["mismatch"].as_f64().unwrap() < 1.0 && cleaned["refused"] == false, "{cleaned}");
    assert!(cleaned["detection"]["sigmas"].as_f64().unwrap() > 3.0 && cleaned["out"] == "clean", "{cleaned}");
    let evaluated = json(
        folder,
        "cosmology evaluate --truth tests/sky_0000/signal_beam.npy --estimate clean/signal.npy --sigma clean/sigma.npy \
         --posterior clean/power.json --json",
    );
    assert!(evaluated["r"].as_f64().unwrap() > 0.6 && evaluated["k_unit"] == "h/Mpc", "{evaluated}");
    for levels in ["coverage", "power_coverage"] {
        let of = |level: &str| evaluated[levels][level].as_f64().unwrap();
        assert!(of("50") <= of("68") && of("68") <= of("90") && of("90") <= of("95"), "{evaluated}");
    }
    let held = evaluated["coverage"]["68"].as_f64().unwrap();
    assert!((0.5..0.85).contains(&held), "{held}");

    // a FITS cube keeps its unit, and a file that says nothing is read as the skies of the training, with a word
    succeeds(folder, "cosmology clean tests/sky_0000/obs.npy --modes 0 --out sky.fits");
    succeeds(folder, "cosmology clean sky.fits --side-deg 20 --model model --out fits --quiet");
    let fits = open(folder.join("fits/signal.fits")).unwrap().cube::<f32>(None).unwrap();
    let plain = open(folder.join("clean/signal.npy")).unwrap().cube::<f32>(None).unwrap();
    let off = fits.values().iter().zip(plain.values()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off < 1e-3, "{off}");
    fs::copy(folder.join("tests/sky_0000/obs.npy"), folder.join("plain.npy")).unwrap();
    let line = "cosmology clean plain.npy --freqs tests/sky_0000/freqs_mhz.npy --model model --out plain";
    let (code, _, stderr) = cupel(folder, line);
    assert!(code == Some(0) && stderr.contains("read as mK") && stderr.contains("20 by 20 degrees"), "{stderr}");
    assert_eq!(fs::read(folder.join("plain/signal.npy")).unwrap(), fs::read(folder.join("clean/signal.npy")).unwrap());

    let null = json(folder, "cosmology null --skies tests --model model --out null --json");
    assert_eq!((null["detections"].as_u64(), null["passed"].as_bool()), (Some(0), Some(true)), "{null}");
    assert!(folder.join("null/report.html").is_file());
}

#[test]
fn halves_of_one_sky_differ_by_noise_and_two_skies_by_more() {
    let folder = trained();
    let folder = folder.path();
    // the same sky with other noise
    let parts: Vec<Vec<f32>> = ["fg", "signal_beam", "noise"]
        .iter()
        .map(|name| open(folder.join(format!("tests/sky_0000/{name}.npy"))).unwrap().cube(None).unwrap().into_values())
        .collect();
    let other: Vec<f32> = open(folder.join("tests/sky_0001/noise.npy")).unwrap().cube(None).unwrap().into_values();
    for (name, noise) in [("one.npy", &parts[2]), ("two.npy", &other)] {
        let sky = (0..other.len()).map(|i| parts[0][i] + parts[1][i] + noise[i]).collect();
        write_npy(&folder.join(name), &Array::new(vec![16, 16, 16], Values::F32(sky)).unwrap()).unwrap();
    }
    let given = "--unit mK --side-deg 20 --freqs tests/sky_0000/freqs_mhz.npy";
    for test in ["half-difference", "even-odd", "nights"] {
        let same = json(folder, &format!("cosmology null one.npy two.npy --test {test} {given} --model model --json"));
        assert_eq!((same["detections"].as_u64(), same["runs"].as_array().unwrap().len()), (Some(0), 1), "{same}");
    }
    let line = "cosmology null tests/sky_0000/obs.npy tests/sky_0001/obs.npy tests/sky_0002/obs.npy --test nights";
    let (code, stdout, stderr) = cupel(folder, line);
    assert!(code == Some(1) && stdout.contains("DETECTED") && stderr.contains("3 of 3 runs"), "{stdout}{stderr}");
}

#[test]
fn what_a_model_cannot_be_trained_on_or_given_is_refused_and_nothing_is_written() {
    let folder = trained();
    let folder = folder.path();
    fs::create_dir(folder.join("empty")).unwrap();
    fs::create_dir_all(folder.join("half/sky_0000")).unwrap();
    fs::copy(folder.join("skies/sky_0000/obs.npy"), folder.join("half/sky_0000/obs.npy")).unwrap();
    succeeds(folder, "cosmology simulate --nfreq 16 --nx 16 --skies 4 --seed 5 --out few --quiet");
    succeeds(folder, "cosmology simulate --nfreq 12 --nx 16 --skies 1 --seed 5 --out channels --quiet");
    let before = entries(folder);
    let unlike = "cosmology clean few/sky_0000/obs.npy --model model --out o";
    for (line, words) in [
        ("cosmology train --skies skies --validation skies --out o", &["the same values as", "trained on"][..]),
        ("cosmology train --skies empty --out o", &["empty", "obs.npy"]),
        ("cosmology train --skies half --out o", &["half/sky_0000", "signal_beam.npy"]),
        ("cosmology train --skies few --validation tests --out o", &["4 skies are too few", "5 at least"]),
        ("cosmology train --skies missing --out o", &["missing"]),
        ("cosmology train --skies skies --filters 8 --out o", &["--filters", "filter"]),
        ("cosmology train --skies skies --modes 3 --out o", &["--modes", "components"]),
        ("cosmology train --skies skies --validation tests --validation-fraction 0.2 --out o", &["--validation"]),
        ("cosmology clean tests/sky_0000/obs.npy --model empty --out o", &["empty", "model.json"]),
        ("cosmology clean channels/sky_0000/obs.npy --model model --out o", &["12", "16"]),
        (unlike, &["few/sky_0000/obs.npy", "unlike", "--force"]),
        ("cosmology null tests/sky_0000/obs.npy", &["--model"]),
        ("cosmology null tests/sky_0000/obs.npy --test halves", &["2 files"]),
        ("cosmology null --skies tests --model model --test nights", &["--skies", "no-signal"]),
        (
            "cosmology evaluate --truth tests/sky_0000/signal_beam.npy --estimate tests/sky_0000/obs.npy --posterior model/model.json",
            &["model.json", "power"],
        ),
    ] {
        refused(folder, line, words);
        assert_eq!(entries(folder), before, "{line}");
    }
    let forced = json(folder, &format!("{unlike} --force --json"));
    assert_eq!(forced["refused"], true, "{forced}");
}
