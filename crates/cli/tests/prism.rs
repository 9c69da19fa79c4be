//! `cupel prism` from the outside: from an object to exposures and back, with what the result is worth, and what is refused.

mod program;

use std::{fs, path::Path};

use cupel::{
    data::{Array, Values, open, write_npy, write_npz, write_png},
    prism::{LightsScene, LightsSceneConfig, simulate_lights},
};
use program::{cupel, json, succeeds};

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
        "figures/progress.gif",
        "tables/prior.csv",
    ] {
        assert!(folder.join("run").join(file).is_file(), "{file}");
    }
    let page = fs::read_to_string(folder.join("run/report.html")).unwrap();
    assert!(page.contains("data:image/gif;base64,") && page.contains("after steps 1, 2, 3, 4, 6, 8, 12,"));
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

/// A stack of 6 frames of 16 x 16 with a table of positions in pixels beside it.
fn stack(folder: &Path, name: &str, value: impl Fn(usize, usize) -> f32, table: &str) {
    let values = (0..6 * 256).map(|place| value(place / 256, place % 256)).collect();
    write_npy(&folder.join(format!("{name}.npy")), &Array::new(vec![6, 16, 16], Values::F32(values)).unwrap()).unwrap();
    fs::write(folder.join(format!("{name}.csv")), table).unwrap();
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
    let change = |name: &str, variable: &str, change: &dyn Fn(Array) -> Array| {
        let dataset = open(folder.join("seen.npz")).unwrap();
        let arrays: Vec<(String, Array)> = dataset
            .variables()
            .iter()
            .map(|own| (own.name().to_owned(), dataset.array(Some(own.name())).unwrap()))
            .map(|(own, array)| if own == variable { (own, change(array)) } else { (own, array) })
            .collect();
        let arrays: Vec<(&str, &Array)> = arrays.iter().map(|(name, array)| (name.as_str(), array)).collect();
        write_npz(&folder.join(name), &arrays).unwrap();
    };
    change("fewer.npz", "scan", &|_| Array::new(vec![31, 2], Values::F64(vec![0.0; 62])).unwrap());
    change("outside.npz", "scan", &|_| Array::new(vec![32, 2], Values::F64(vec![300.0; 64])).unwrap());
    let pixel = |value: f32| {
        move |array: Array| {
            let (shape, Values::F32(mut values)) = (array.shape().to_vec(), array.into_values()) else {
                panic!("frames in f32")
            };
            values[2 * 64 * 64 + 64 + 3] = value;
            Array::new(shape, Values::F32(values)).unwrap()
        }
    };
    change("nan.npz", "data", &pixel(f32::NAN));
    change("negative.npz", "data", &pixel(-0.5));
    change("dark.npz", "data", &|array| {
        let shape = array.shape().to_vec();
        Array::new(shape.clone(), Values::F32(vec![0.0; shape.iter().product()])).unwrap()
    });
    let pattern = |_: usize, pixel: usize| (1 + (pixel / 16).abs_diff(8) + (pixel % 16).abs_diff(8)) as f32;
    let places = |unit: &str, step: f64, count: usize| {
        let rows: Vec<String> =
            (0..count).map(|k| format!("{},{}", step * (k / 3) as f64, step * (k % 3) as f64)).collect();
        format!("row_{unit},column_{unit}\n{}\n", rows.join("\n"))
    };
    stack(folder, "short", pattern, &places("px", 4.0, 5));
    stack(folder, "metres", pattern, &places("m", 4e-6, 6));
    stack(folder, "small", pattern, &places("px", 4e-6, 6));
    stack(folder, "large", pattern, &places("px", 4e6, 6));
    stack(folder, "apart", pattern, &places("px", 400.0, 6));
    stack(folder, "below", |frame, pixel| if (frame, pixel) == (4, 35) { -3.0 } else { 1.0 }, &places("px", 4.0, 6));
    stack(
        folder,
        "number",
        |frame, pixel| if (frame, pixel) == (1, 0) { f32::NAN } else { 1.0 },
        &places("px", 4.0, 6),
    );
    stack(folder, "night", |_, _| 0.0, &places("px", 4.0, 6));
    for (name, text) in [
        ("probe.toml", ""),
        ("lights.toml", "[objective]\nna = 0.1\npixel-size = 1e-6\n[array]\npitch = 4e-3\ndistance = 0.09\n"),
        ("pixels.toml", "wavelength = 5e-7\n[objective]\nna = 0.1\n[array]\npitch = 4e-3\ndistance = 0.09\n"),
        ("misspelt.toml", "wavelenght = 5e-7\n"),
        ("inside.toml", "[array]\npich = 4e-3\n"),
        ("nought.toml", "wavelength = 0\n"),
        ("key.yaml", "telescope:\n  radus: 7\n"),
        ("radius.yaml", "telescope:\n  radius: 0\n"),
    ] {
        fs::write(folder.join(name), text).unwrap();
    }
    let before = fs::read_dir(folder).unwrap().count();
    let simulated = "prism reconstruct --object object.png --n-pixels 64";
    let decoder = format!("{simulated} --solver decoder --loss");
    // what, where, what is expected and how to mend it
    for (line, words) in [
        // the object
        (
            "prism reconstruct --object flat.npy --n-pixels 64".to_owned(),
            &["flat.npy", "1 everywhere", "darker and brighter"][..],
        ),
        (
            "prism reconstruct --object hole.npy --n-pixels 64".into(),
            &["hole.npy", "row 0, column 1", "NaN", "mend or crop"],
        ),
        (
            "prism reconstruct --object object.png --n-pixels 16 --aperture-radius 3".into(),
            &["object", "32 x 32", "16"],
        ),
        (format!("{simulated} --crop 40"), &["object.png", "32 x 32", "crop = 40"]),
        (format!("{simulated} --object-size 1"), &["object-size", "at least 2"]),
        (
            "prism plan --object object.png --n-pixels 16 --aperture-radius 3".into(),
            &["size of the object", "32", "16"],
        ),
        // the instrument
        (format!("{simulated} --aperture-radius 0"), &["--aperture-radius", "'0'", "a number above 0"]),
        (format!("{simulated} --sample-diameter 0"), &["sample-diameter = 0", "a number above 0"]),
        (format!("{simulated} --aperture-radius NaN"), &["--aperture-radius", "NaN", "a number above 0"]),
        (format!("{simulated} --aperture-radius 40"), &["aperture-radius", "40", "at most 31"]),
        (format!("{simulated} --aperture-radius 7 --detector 28"), &["detector", "28", "29 to 64", "2 W - 1"]),
        (format!("{simulated} --roi-radius 90"), &["roi-radius = 90", "at most 22"]),
        (format!("{simulated} --samples 0"), &["--samples", "at least 1"]),
        (format!("{simulated} --photons 0"), &["--photons", "a number above 0"]),
        (format!("{simulated} --wavelength 0"), &["--wavelength", "a number above 0"]),
        (
            format!("{simulated} --config key.yaml"),
            &["key.yaml, line 2", "telescope.radus", "did you mean `telescope.radius`?"],
        ),
        (format!("{simulated} --config radius.yaml"), &["radius.yaml, line 2", "telescope.radius", "a number above 0"]),
        ("prism observe object.png --n-pixels 64 --aperture-radius 0 --out new.npz".into(), &["--aperture-radius"]),
        ("prism plan --n-pixels 64 --aperture-radius 0".into(), &["--aperture-radius", "a number above 0"]),
        // the losses
        (
            format!("{decoder} composite --loss-weights l1=0.5,ssim=0.6"),
            &["--loss-weights", "sum to 1, not to 1.1", "l1=0.7,ssim=0.3"],
        ),
        (format!("{decoder} ms-ssim"), &["176", "64"]),
        // exposures of our own
        ("prism reconstruct fewer.npz".into(), &["fewer.npz: scan", "[31, 2]", "[32, 2]", "each of the 32 frames"]),
        (
            "prism reconstruct outside.npz".into(),
            &["outside.npz: scan, position 0", "300", "at most 25.5 places", "another unit"],
        ),
        (
            "prism reconstruct nan.npz".into(),
            &["nan.npz: data, frame 2, row 1, column 3", "NaN", "finite intensity", "good"],
        ),
        (
            "prism reconstruct negative.npz".into(),
            &["negative.npz: data, frame 2, row 1, column 3", "-0.5", "at least 0"],
        ),
        (
            "prism reconstruct dark.npz".into(),
            &["dark.npz: data", "32 frames that are all dark", "dark taken off twice"],
        ),
        ("prism reconstruct nowhere.npz".into(), &["nowhere.npz", "no such file"]),
        // measured ones
        (
            "prism reconstruct short.npy --instrument probe.toml".into(),
            &["short.npy", "6 frames and 5 positions", "one position for each frame"],
        ),
        (
            "prism reconstruct metres.npy --instrument probe.toml".into(),
            &[
                "metres.npy",
                "positions are in metres",
                "wavelength, probe.distance, detector.pixel-size missing",
                "instrument file",
            ],
        ),
        (
            "prism reconstruct small.npy --instrument probe.toml".into(),
            &["small.npy", "within 0.000 pixels", "another unit", "probe.unit"],
        ),
        ("prism reconstruct large.npy --instrument probe.toml".into(), &["large.npy", "another unit", "probe.unit"]),
        ("prism reconstruct apart.npy --instrument probe.toml".into(), &["apart.npy", "400.0 pixels", "another unit"]),
        (
            "prism reconstruct below.npy --instrument probe.toml".into(),
            &["below.npy", "frame 4 has -3 at row 2, column 3", "bad-pixels"],
        ),
        (
            "prism reconstruct number.npy --instrument probe.toml".into(),
            &["number.npy", "frame 1 has NaN at row 0, column 0"],
        ),
        (
            "prism reconstruct night.npy --instrument probe.toml".into(),
            &["night.npy", "all 6 frames are dark", "no light"],
        ),
        ("prism reconstruct short.npy --instrument lights.toml".into(), &["wavelength", "instrument file"]),
        ("prism reconstruct short.npy --instrument pixels.toml".into(), &["pixel-size", "instrument file"]),
        (
            "prism reconstruct short.npy --instrument misspelt.toml".into(),
            &["misspelt.toml", "wavelenght", "did you mean `wavelength`?"],
        ),
        (
            "prism reconstruct short.npy --instrument inside.toml".into(),
            &["inside.toml", "pich", "did you mean `pitch`?"],
        ),
        ("prism reconstruct short.npy --instrument nought.toml".into(), &["wavelength = 0", "above 0"]),
        // the rest
        ("prism observe object.png --n-pixels 64 --out seen.txt".into(), &["seen.txt", ".npz"]),
        ("prism evaluate object.png --truth flat.npy".into(), &["32 x 32", "8 x 8", "crop one of them"]),
    ] {
        let line = if line.contains("prism reconstruct") { format!("{line} --out new") } else { line };
        let (code, stdout, stderr) = cupel(folder, &line);
        assert!(code == Some(1) && stdout.is_empty(), "{line}: {code:?} {stderr}");
        assert_eq!(stderr.matches("error:").count(), 1, "{line}: {stderr}");
        words.iter().for_each(|word| assert!(stderr.contains(word), "{line}: {word:?} is not in {stderr}"));
        assert_eq!(fs::read_dir(folder).unwrap().count(), before, "{line}: something was written");
    }
}

#[test]
fn a_plan_is_of_the_object_that_is_made_of_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    object(folder);
    let plan = |words: &str| json(folder, &format!("prism plan {SCAN} --photons 1e3 --json {words}"));
    assert_eq!(plan("--object object.png"), plan("--object-size 32"));
    assert_eq!(plan("--object object.png --object-size 20"), plan("--object-size 20"));
    assert_eq!(plan("--object object.png --crop 24 --invert"), plan("--object-size 24"));
    assert_ne!(plan("--object-size 24"), plan("--object-size 32"));
    let (code, _, stderr) = cupel(folder, &format!("prism plan {SCAN} --invert"));
    assert!(code == Some(2) && stderr.contains("--invert: only --object has it"), "{stderr}");
}

#[test]
fn apertures_move_and_centres_follow_from_frames_in_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    object(folder);
    for scan in ["--line-length 4 --line-angle 30", "--pattern adaptive"] {
        let all = format!("{SCAN} {scan} --photons 1e5");
        let plan = json(folder, &format!("prism plan --object object.png {all} --json"));
        assert_eq!(plan["exposures"], 32);
        let [one, two] = ["one", "two"].map(|name| format!("{name}-{}", scan.len()));
        let found = json(
            folder,
            &format!("prism reconstruct --object object.png {all} --certificate=false --out {one} --json"),
        );
        assert!(
            found["ssim"].as_f64().unwrap() > 0.9 && found["chi2_per_dof"].as_f64().unwrap() < 1.2,
            "{scan}: {found}"
        );
        // in two steps the same to the bit
        succeeds(folder, &format!("prism observe object.png {all} --out {two}.npz"));
        let again = json(folder, &format!("prism reconstruct {two}.npz --certificate=false --out {two} --json"));
        assert_eq!(again["ssim"], found["ssim"], "{scan}");
        let centres = open(folder.join(format!("{two}.npz"))).unwrap().array(Some("scan")).unwrap();
        assert_eq!(centres.shape(), [32, 2]);
    }
    for (line, code, words) in [
        (format!("prism plan {SCAN} --pattern adaptive"), 1, "an object or an instrument to look at"),
        (format!("prism plan {SCAN} --line-angle 30"), 2, "give line-length"),
        (format!("prism observe object.png {SCAN} --pattern adaptive --line-length 3 --out no.npz"), 2, "stands still"),
        (
            format!("prism observe object.png {SCAN} --line-length 60 --out no.npz"),
            1,
            "line-length = 60: expected at most 50",
        ),
    ] {
        let (ended, _, stderr) = cupel(folder, &line);
        assert!(ended == Some(code) && stderr.contains(words), "{line}: {ended:?} {stderr}");
    }
}

#[test]
fn settings_files_of_the_original_are_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    object(folder);
    fs::copy(folder.join("object.png"), folder.join("moon.png")).unwrap();
    // that of the page
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/configs/prism.yaml");
    let line = format!("prism reconstruct --config {} --certificate=false --out page --json", own.display());
    let (code, stdout, stderr) = cupel(folder, &line);
    assert_eq!(code, Some(0), "{stderr}");
    let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert!(
        found["exposures"] == 48 && found["solver"] == "lbfgs" && found["ssim"].as_f64().unwrap() > 0.95,
        "{found}"
    );
    assert!(stderr.contains("training.n_epochs (--steps of --solver decoder)"), "{stderr}");
    // and one with every section and key of the original
    let all = "image:\n  image_size: 64\n  obj_size: 32\n  crop: null\n  invert: false\n  input: object.png\n\
        telescope:\n  n_samples: 20\n  sample_diameter: 14\n  sample_shape: circle\n  sample_length: 0\n  roi_diameter: 40\n  \
        roi_shape: circle\n  sample_sort: center\n  n_angs: 4\n  pattern_fn: PATTERN\n  snr: 40\n  blur: false\n  \
        propagator_method: null\n  samples_r_cutoff: null\n  line_angle: null\n\
        model:\n  use_bn: true\n  output_activation: sigmoid\n  use_leaky: true\n  middle_activation: sigmoid\n  complex_data: false\n\
        network:\n  use_amp: true\n\
        training:\n  n_epochs: 30\n  max_epochs: 2\n  n_epochs_init: 5\n  max_epochs_init: 2\n  initialization_target: circle\n  \
        loss_type: l1\n  lr: 0.001\n  loss_threshold: 0.001\n  new_weight: 1.0\n  f_weight: 0.0001\n\
        physics:\n  wavelength: 550.0e-9\n  dxf: 0.01\n  obj_diameter: 3138000.0\n  obj_distance: 628300000000.0\n  obj_name: europa\n\
        point_source:\n  is_point_source: false\n  diameter: 3\nmopie:\n  lr_obj: 1.0\n  n_epochs: 100\nlog_dir: RUN\nsave_data: true\n";
    for (pattern, angles) in [("builtin:fermat", "telescope.n_angs (--angles of --pattern star)"), ("builtin:star", "")]
    {
        let run = pattern.replace(':', "-");
        fs::write(folder.join("all.yaml"), all.replace("PATTERN", pattern).replace("RUN", &run)).unwrap();
        let (code, stdout, stderr) = cupel(folder, "prism reconstruct --config all.yaml --certificate=false --json");
        assert_eq!(code, Some(0), "{pattern}: {stderr}");
        let found: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        assert!(found["exposures"] == 20 && found["run_dir"] == run.as_str(), "{found}");
        for words in [angles, "have no counterpart here", "point_source.diameter", "mopie.lr_obj", "save_data"] {
            assert!(stderr.contains(words), "{pattern}: {words} is not in {stderr}");
        }
        assert_eq!(stderr.contains("n_angs"), !angles.is_empty(), "{pattern}: {stderr}");
    }
}

/// Frames of a simulated array of lights, with the file of its instrument as it is said to be.
fn lights(folder: &Path, scene: &LightsSceneConfig, seed: u64) -> LightsScene {
    let made = simulate_lights(scene, seed).unwrap();
    let frames: Vec<f32> = (0..scene.lights).flat_map(|light| made.exposures.frames.frame(light).unwrap()).collect();
    let shape = vec![scene.lights, scene.detector, scene.detector];
    write_npy(&folder.join("frames.npy"), &Array::new(shape, Values::F32(frames)).unwrap()).unwrap();
    let instrument = format!(
        "wavelength = 532e-9\ndata = \"intensity\"\n[objective]\nna = {}\npixel-size = {}\nupsampling = {}\n[array]\npitch = {}\n\
         distance = {}\nglass-thickness = 1e-3\n",
        scene.na,
        0.5e-6 * (scene.size / scene.detector) as f64,
        scene.size / scene.detector,
        1e-3 * scene.pitch_mm,
        1e-3 * scene.distance_mm,
    );
    fs::write(folder.join("microscope.toml"), instrument).unwrap();
    made
}

#[test]
fn an_array_of_lights_is_calibrated_by_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let small = LightsSceneConfig { lights: 81, size: 192, detector: 48, ..LightsSceneConfig::default() };
    let wrong = LightsSceneConfig { rotation_deg: 2.0, shift_mm: vec![0.6, -0.8], ..small.clone() };
    let run = |scene: &LightsSceneConfig, words: &str| {
        let made = lights(folder, scene, 1);
        let line = format!(
            "prism reconstruct frames.npy --instrument microscope.toml --certificate=false --test-exposures 3,14,25,36,47,58,69 --json --force \
             --out run {words}"
        );
        (made, json(folder, &line))
    };
    let (made, found) = run(&wrong, "");
    assert_eq!(found["solver"], "epie");
    let calibration = &found["calibration"];
    let taken: Vec<&str> = calibration["taken"].as_array().unwrap().iter().filter_map(|name| name.as_str()).collect();
    assert!(taken.contains(&"positions"), "{calibration}");
    let number = |name: &str| calibration["pose"][name].as_f64().unwrap();
    let pairs = [
        (number("rotation_deg"), made.pose.rotation.to_degrees()),
        (number("x_mm"), 1e3 * made.pose.shift[0]),
        (number("y_mm"), 1e3 * made.pose.shift[1]),
    ];
    for (found, truth) in pairs {
        assert!((found / truth - 1.0).abs() < 0.1, "{pairs:?}");
    }
    let report = fs::read_to_string(folder.join("run/report.html")).unwrap();
    assert!(report.contains("the array of lights is turned by") && report.contains("put aside"));
    // as well as where nothing was wrong, and far better than unlooked for
    let (_, unmoved) = run(&small, "");
    let (_, stated) = run(&wrong, "--calibration none");
    let r = |found: &serde_json::Value| found["test_r"].as_f64().unwrap();
    assert!(r(&found) < 1.05 * r(&unmoved), "{} {}", r(&found), r(&unmoved));
    assert!(r(&stated) > 1.3 * r(&found), "{} {}", r(&stated), r(&found));
}
