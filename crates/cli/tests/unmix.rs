//! `cupel unmix` from the outside: a scene in, a run folder out; refusals; stopping and going on.

mod program;

use std::{
    fs,
    path::Path,
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use cupel::data::{Array, EnviHeader, Values, open, write_envi_array, write_mat, write_npy};
use program::{command, cupel, json};

fn scene(folder: &Path, pixels: usize) {
    let line =
        format!("unmix simulate --pixels {pixels} --bands 40 --materials 3 --snr-db 30 --seed 3 --out scene.mat");
    assert_eq!(cupel(folder, &line).0, Some(0));
}

#[test]
fn a_simulated_scene_is_unmixed_measured_and_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, 900);
    let run = json(folder, "unmix run scene.mat --seed 1 --out run --json --quiet");
    assert_eq!(
        (run["method"].as_str(), run["endmembers"].as_u64(), run["seed"].as_u64()),
        (Some("auto"), Some(3), Some(1))
    );
    assert!(run["mean_sad_rad"].as_f64().unwrap() < 0.05, "{run}");
    assert_eq!(run["sad_rad"].as_array().unwrap().len(), 3);
    assert!(run["coverage_90"].is_null() && run["steps"].as_u64().unwrap() > 50);
    for key in ["native", "fcls", "unit_max", "rescaled"] {
        assert!(run["abundance_rmse"][key].as_f64().unwrap() < 0.2, "{run}");
    }
    for file in [
        "report.html",
        "metrics.json",
        "config.toml",
        "environment.json",
        "finished.json",
        "result.mat",
        "figures/abundances.png",
        "figures/endmembers.svg",
        "figures/brightness.png",
        "figures/reconstruction_error.png",
        "figures/abundance_errors.png",
        "figures/preview.png",
        "figures/preview_pixels.png",
        "figures/dominant.png",
        "tables/measures.tex",
        "tables/purest_pixels.csv",
        "bands.json",
        "tables/candidates.csv",
    ] {
        assert!(folder.join("run").join(file).is_file(), "{file}");
    }
    let maps = open(folder.join("run/abundances.npy")).unwrap();
    assert_eq!(maps.variables()[0].shape(), [30, 30, 3]);

    let evaluated = json(folder, "unmix evaluate run --json");
    assert!((evaluated["mean_sad_rad"].as_f64().unwrap() - run["mean_sad_rad"].as_f64().unwrap()).abs() < 1e-9);
    let own = evaluated["abundance_rmse"]["overall"].as_f64().unwrap();
    assert!((own - run["abundance_rmse"]["native"].as_f64().unwrap()).abs() < 1e-9);
    let files =
        "unmix evaluate --endmembers run/endmembers.npy --abundances run/abundances.npy --truth scene.mat --json";
    assert_eq!(json(folder, files), evaluated);
}

#[test]
fn several_runs_and_methods_give_means_and_spreads() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, 400);
    let run = json(folder, "unmix run scene.mat --method vca --runs 3 --seed 5 --json --quiet --out run");
    let each: Vec<f64> = run["runs"].as_array().unwrap().iter().map(|r| r["mean_sad_rad"].as_f64().unwrap()).collect();
    assert_eq!(each.len(), 3);
    assert!((run["mean_sad_rad"].as_f64().unwrap() - each.iter().sum::<f64>() / 3.0).abs() < 1e-12);
    let seeds: Vec<u64> = run["runs"].as_array().unwrap().iter().map(|r| r["seed"].as_u64().unwrap()).collect();
    assert_eq!(seeds, [5, 6, 7]);

    let line =
        "unmix compare scene.mat --methods edaa,vca,nfindr,spa --restarts 2 --runs 2 --json --quiet --out compared";
    let rows = json(folder, line);
    let names: Vec<&str> = rows["rows"].as_array().unwrap().iter().map(|r| r["method"].as_str().unwrap()).collect();
    assert_eq!(names, ["edaa", "vca", "nfindr", "spa"]);
    for row in rows["rows"].as_array().unwrap() {
        assert_eq!(row["runs"], 2);
        for spread in [&row["mean_sad_rad"], &row["abundance_rmse"]["unit_max"], &row["seconds"]] {
            assert!(spread["mean"].is_f64() && spread["sd"].is_f64(), "{row}");
        }
    }
    let compared = folder.join("compared");
    assert!(compared.join("report.html").is_file() && compared.join("tables/comparison.tex").is_file());
    for figure in ["angles", "abundance_errors", "reconstruction"] {
        let drawn = fs::read_to_string(compared.join(format!("figures/{figure}.svg"))).unwrap();
        assert!(names.iter().all(|name| drawn.contains(&format!(">{name}<"))), "{figure}");
    }
    let runs = fs::read_to_string(compared.join("tables/runs.csv")).unwrap();
    assert_eq!(runs.lines().count(), 1 + 4 * 2, "{runs}");
}

#[test]
fn runs_of_some_bands_and_pixels_are_evaluated_against_truths_of_all_or_of_these() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, 900);
    let line = "unmix run scene.mat --method vca --seed 1 --drop-bands 3-6,20 --roi 2-30,4-28 --out run --json --quiet";
    let run = json(folder, line);
    let measured = json(folder, "unmix evaluate run --json");
    let same = |measured: &serde_json::Value| {
        let close =
            |a: &serde_json::Value, b: &serde_json::Value| (a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-9;
        assert!(close(&measured["mean_sad_rad"], &run["mean_sad_rad"]), "{measured} {run}");
        assert!(close(&measured["abundance_rmse"]["overall"], &run["abundance_rmse"]["native"]), "{measured} {run}");
    };
    same(&measured);
    // The true spectra of these bands alone, with the maps of the whole image.
    let truth = open(folder.join("scene.mat")).unwrap();
    let spectra = truth.cube::<f64>(Some("GT")).unwrap();
    let kept: Vec<usize> = (0..40).filter(|band| !(2..6).contains(band) && *band != 19).collect();
    let side = spectra.shape().iter().position(|&len| len == 40).unwrap();
    let at = |k: usize, band: usize| spectra.values()[if side == 1 { k * 40 + band } else { band * 3 + k }];
    let few = (0..3).flat_map(|k| kept.iter().map(move |&band| (k, band))).map(|(k, band)| at(k, band)).collect();
    write_npy(&folder.join("few.npy"), &Array::new(vec![3, 35], Values::F64(few)).unwrap()).unwrap();
    let maps = truth.array(Some("S_GT")).unwrap();
    write_npy(&folder.join("maps.npy"), &maps).unwrap();
    same(&json(folder, "unmix evaluate run --truth few.npy maps.npy --json"));
    // Of other bands it is refused, with both counts; and so is a file that has nothing of a truth.
    let other = Array::new(vec![3, 39], Values::F64(vec![0.5; 117])).unwrap();
    write_npy(&folder.join("other.npy"), &other).unwrap();
    let (code, _, stderr) = cupel(folder, "unmix evaluate run --truth other.npy");
    assert!(code == Some(1) && stderr.contains("35 bands"), "{stderr}");
    let (code, _, stderr) = cupel(folder, "unmix evaluate run --truth few.npy run/brightness.npy");
    assert!(code == Some(1) && stderr.contains("nothing in it is taken as truth"), "{stderr}");
    // Fewer endmembers are compared with the nearest materials.
    json(folder, "unmix run scene.mat --method vca --endmembers 2 --out two --json --quiet");
    assert_eq!(json(folder, "unmix evaluate two --json")["sad_rad"].as_array().unwrap().len(), 2);
}

#[test]
fn names_that_stand_twice_or_are_of_another_alphabet_name_every_map() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, 400);
    let truth = open(folder.join("scene.mat")).unwrap();
    let spectra = truth.cube::<f64>(Some("GT")).unwrap();
    let side = spectra.shape().iter().position(|&len| len == 40).unwrap();
    let at = |k: usize, band: usize| spectra.values()[if side == 1 { k * 40 + band } else { band * 3 + k }];
    let lines: Vec<String> = (0..40).map(|band| format!("{},{},{}", at(0, band), at(1, band), at(2, band))).collect();
    fs::write(folder.join("far.csv"), format!("\u{6728},\u{6c34},\u{571f}\n{}\n", lines.join("\n"))).unwrap();
    let header = EnviHeader { spectra_names: Some(vec!["grass".into(); 3]), ..EnviHeader::new(1, 1, 1) };
    let values = (0..3).flat_map(|k| (0..40).map(move |band| (k, band))).map(|(k, band)| at(k, band)).collect();
    let library = Array::new(vec![3, 40, 1], Values::F64(values)).unwrap();
    write_envi_array(&folder.join("twice.sli"), &header, &library).unwrap();
    for (name, file) in [("twice", "twice.sli"), ("far", "far.csv")] {
        json(folder, &format!("unmix run scene.mat --method vca --truth {file} --out {name} --json --quiet"));
        let maps = fs::read_dir(folder.join(name).join("figures")).unwrap().flatten();
        let maps = maps.filter(|file| {
            let name = file.file_name().to_string_lossy().into_owned();
            name.starts_with("abundance_") && !name.starts_with("abundance_errors")
        });
        assert_eq!(maps.count(), 3, "{name}");
    }
}

#[test]
fn networks_and_sparse_regression_have_the_outputs_of_the_other_methods() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, 400);
    for method in ["linear-ae", "cnnaeu", "misicnet", "deeptrans", "sunsal"] {
        let steps = if method == "sunsal" { "" } else { "--steps 40" };
        let line = format!(
            "unmix run scene.mat --method {method} {steps} --abundance own --seed 1 --out {method} --json --quiet"
        );
        let run = json(folder, &line);
        assert_eq!((run["method"].as_str(), run["endmembers"].as_u64()), (Some(method), Some(3)));
        assert!(run["mean_sad_rad"].as_f64().unwrap() < 1.0 && run["steps"].as_u64().unwrap() > 0, "{run}");
        for file in ["report.html", "finished.json", "result.mat", "metrics.csv", "figures/abundances.png"] {
            assert!(folder.join(method).join(file).is_file(), "{method}: {file}");
        }
        assert!(!folder.join(method).join("tables/candidates.csv").exists(), "{method}");
        let evaluated = json(folder, &format!("unmix evaluate {method} --json"));
        let own = evaluated["abundance_rmse"]["overall"].as_f64().unwrap();
        assert!((own - run["abundance_rmse"]["native"].as_f64().unwrap()).abs() < 1e-9, "{method}");
    }
    let library = "unmix run scene.mat --method sunsal --library sunsal/endmembers.npy --out library --json --quiet";
    assert!(json(folder, library)["mean_sad_rad"].as_f64().unwrap() < 0.2);
    let refused = |line: &str, expected: &str| {
        let (code, _, stderr) = cupel(folder, line);
        assert!(code != Some(0) && stderr.contains(expected), "{line}: {stderr}");
    };
    refused("unmix run scene.mat --method vca --abundance own", "abundance = own with the method vca");
    refused("unmix run scene.mat --method vca --library scene.mat", "only the method sunsal takes one");
    refused(
        "unmix run scene.mat --method sunsal --library sunsal/brightness.npy",
        "the library does not fit the scene",
    );
    refused("unmix run scene.mat --method vca --precision bf16", "--precision");
    assert!(!folder.join("runs").exists());
}

#[test]
fn the_mixture_model_has_intervals_and_every_inference_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, 400);
    let auto = json(folder, "unmix run scene.mat --seed 1 --out auto --json --quiet");
    for (name, options, files) in [
        (
            "laplace",
            "",
            &["interval_lower", "interval_upper", "posterior_mean", "posterior_deviation", "endmember_errors"][..],
        ),
        ("svi", "--inference svi --steps 100 --save-samples --predictive-samples 20", &["abundance_samples"]),
        (
            "small",
            "--inference svi --steps 100 --batch-pixels 50 --noise band --pixel-fraction 0.5",
            &["interval_lower"],
        ),
        ("amortised", "--inference svi --steps 50 --guide amortised --lr 0.003", &["interval_upper"]),
        ("low-rank", "--inference svi --steps 50 --guide low-rank --noise low-rank", &["interval_upper"]),
        ("full", "--inference svi --steps 50 --guide full-globals --noise full", &["interval_upper"]),
        ("nuts", "--inference nuts --predictive-samples 5", &["endmember_errors"]),
        ("brief", "--compat brief --steps 50", &["posterior_mean"]),
    ] {
        let line = format!(
            "unmix run scene.mat --method pmm --abundance posterior {options} --seed 1 --out {name} --json --quiet"
        );
        let run = json(folder, &line);
        let [angle, coverage] = ["mean_sad_rad", "coverage_90"].map(|key| run[key].as_f64().unwrap());
        assert!(name == "brief" || angle <= auto["mean_sad_rad"].as_f64().unwrap() + 0.02, "{name}: {run}");
        assert!((0.0..=1.0).contains(&coverage) && (name != "laplace" || coverage > 0.8), "{name}: {run}");
        for file in files {
            assert!(folder.join(name).join(format!("{file}.npy")).is_file(), "{name}: {file}");
        }
        assert!(folder.join(name).join("figures/intervals.png").is_file(), "{name}");
    }
    let samples = open(folder.join("svi/abundance_samples.npy")).unwrap();
    assert_eq!(samples.variables()[0].shape(), [20, 20, 20, 3]);
    for (line, expected) in [
        ("--method pmm --guide amortised", "only variational inference knows it"),
        ("--method auto --inference svi", "belongs to the method pmm"),
        ("--method pmm --pixel-fraction 0", "at most 1"),
    ] {
        let (code, _, stderr) = cupel(folder, &format!("unmix run scene.mat {line} --out refused"));
        assert!(code != Some(0) && stderr.contains(expected), "{line}: {stderr}");
        assert!(!folder.join("refused").exists(), "{line}");
    }
}

#[test]
fn the_proving_ground_has_two_halves_and_the_same_answers_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, 900);
    let line =
        "unmix prove --methods spa,vca --families linear,hapke --spectra scene.npz --number false --quiet --json";
    assert_eq!(cupel(folder, "data convert scene.mat scene.npz").0, Some(0));
    let (code, _, said) = cupel(folder, &format!("{line} --out refused"));
    assert!(code == Some(1) && said.contains("a scene with wavelengths") && !folder.join("refused").exists(), "{said}");
    let line = line.replace("--spectra scene.npz ", "");
    let whole = json(folder, &format!("{line} --out whole"));
    let fits = whole["fits"].as_array().unwrap();
    assert_eq!(fits.len(), 2 * 12 * 2);
    let standing = |proof: &serde_json::Value, half: &str| -> Vec<(String, f64)> {
        let all = proof["standings"].as_array().unwrap().iter();
        let of_spa = all.filter(|s| s["half"] == half && s["method"] == "spa");
        of_spa.map(|s| (s["family"].to_string(), s["sad_rad"].as_f64().unwrap())).collect()
    };
    for half in ["choosing", "reporting"] {
        let alone = json(folder, &format!("{line} --half {half} --out {half} --threads 1"));
        assert_eq!(standing(&alone, half), standing(&whole, half), "{half}");
        assert_eq!(standing(&alone, half).len(), 3);
        assert!(alone["fits"].as_array().unwrap().iter().all(|fit| fit["half"] == half));
    }
    assert!(folder.join("whole/tables/reporting.csv").is_file() && folder.join("whole/report.html").is_file());
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, 400);
    for threads in [1, 3] {
        let line = format!("unmix run scene.mat --seed 2 --threads {threads} --out t{threads} --quiet --json");
        json(folder, &line);
    }
    for file in ["endmembers.npy", "abundances.npy", "brightness.npy"] {
        assert_eq!(
            fs::read(folder.join("t1").join(file)).unwrap(),
            fs::read(folder.join("t3").join(file)).unwrap(),
            "{file}"
        );
    }
}

#[test]
fn bad_input_gets_one_clear_message_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, 100);
    let matrix = |name: &str, variable: &str, change: &dyn Fn(&mut Vec<f64>)| {
        let mut values: Vec<f64> = (0..12 * 16).map(|i| 1.0 + (i % 7) as f64).collect();
        change(&mut values);
        let array = Array::new(vec![12, 16], Values::F64(values)).unwrap();
        write_mat(&folder.join(name), &[(variable, &array)]).unwrap();
    };
    matrix("nan.mat", "Y", &|v| v.fill(f64::NAN));
    matrix("dark.mat", "Y", &|v| v.fill(0.0));
    matrix("unnamed.mat", "foo", &|_| ());
    fs::write(folder.join("text.mat"), "this is no scene").unwrap();
    let other = Array::new(vec![3, 41], Values::F64(vec![0.5; 123])).unwrap();
    write_npy(&folder.join("other.npy"), &other).unwrap();
    for (line, words) in [
        ("unmix run missing.mat", &["missing.mat", "no such file"][..]),
        ("unmix run .", &["folder"]),
        ("unmix run text.mat", &["text.mat"]),
        ("unmix run unnamed.mat", &["foo [12, 16]", "Name the variable"]),
        ("unmix run unnamed.mat --variable fo", &["fo", "foo"]),
        ("unmix run nan.mat --endmembers 2", &["nan.mat", "none of the 16 pixels has data"]),
        ("unmix run dark.mat --endmembers 2", &["dark.mat", "none of the 16 pixels has data"]),
        ("unmix run scene.mat --endmembers 41", &["41 endmembers asked for", "1 to 40"]),
        ("unmix run scene.mat --truth other.npy", &["other.npy", "no endmembers of 40 bands"]),
        ("unmix run scene.mat --device cuda:7", &["cuda"]),
        ("unmix evaluate nowhere", &["nowhere"]),
        ("unmix simulate --out here.xyz", &[".mat"]),
    ] {
        let (code, stdout, stderr) = cupel(
            folder,
            &format!("{line} {}", if line.contains("--out") || line.contains("evaluate") { "" } else { "--out bad" }),
        );
        assert_eq!((code, stdout.as_str()), (Some(1), ""), "{line}: {stderr}");
        assert_eq!(stderr.matches("error:").count(), 1, "{line}: {stderr}");
        words.iter().for_each(|word| assert!(stderr.contains(word), "{line}: {word:?} is not in: {stderr}"));
        assert!(!folder.join("bad").exists(), "{line} left something behind");
    }
    for (line, words) in [
        ("unmix run scene.mat --endmembers 0", "a whole number from 1 to 10000, or auto"),
        ("unmix run scene.mat --rows 0", "a whole number of at least 1"),
        ("unmix run scene.mat --method pmm --lr inf", "a number above 0"),
        ("unmix run scene.mat --method pmm --pixel-fraction NaN", "a number above 0, at most 1"),
        ("unmix run scene.mat --restarts 3", "only edaa restarts as often as it is told"),
        ("unmix run scene.mat --method sunsal --steps 3", "only networks and variational inference make steps"),
        ("unmix compare scene.mat --methods vca,spa --restarts 3", "only edaa restarts"),
        ("unmix simulate --out bad.mat --bands 999999999999", "at most 1000000"),
        ("unmix simulate --out bad.mat --pixels 0", "a whole number of at least 1"),
        ("unmix simulate --out bad.mat --snr-db=-inf", "a number of at least -100"),
    ] {
        let out = if line.contains("--out") { "" } else { "--out bad" };
        let (code, stdout, stderr) = cupel(folder, &format!("{line} {out}"));
        assert!(code == Some(2) && stdout.is_empty() && stderr.contains(words), "{line}: {stderr}");
        assert!(!folder.join("bad").exists() && !folder.join("bad.mat").exists(), "{line} left something behind");
    }
    let line = "unmix simulate --out bad.mat --pixels 99999999999 --bands 1000000";
    let (code, _, stderr) = cupel(folder, line);
    assert!(code == Some(1) && stderr.contains("GiB"), "{stderr}");
    let (code, _, stderr) = cupel(folder, "unmix run scene.mat --method vca --out run --quiet");
    assert_eq!(code, Some(0), "{stderr}");
    let (code, _, stderr) = cupel(folder, "unmix run scene.mat --method vca --out run --quiet");
    assert!(code == Some(1) && stderr.contains("--force"), "{stderr}");
    assert_eq!(cupel(folder, "unmix run scene.mat --method vca --out run --quiet --force").0, Some(0));
    assert_eq!(cupel(folder, "unmix run scene.mat --dry-run --out planned").0, Some(0));
    assert!(!folder.join("planned").exists());
}

#[cfg(unix)]
#[test]
fn a_stopped_run_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, 10_000);
    json(folder, "unmix run scene.mat --seed 4 --out whole --quiet --json");

    let mut child =
        command(folder, "unmix run scene.mat --seed 4 --out parts --checkpoint-every 1 --quiet").spawn().unwrap();
    let started = Instant::now();
    let saved =
        || fs::read_dir(folder.join("parts/checkpoints/auto-seed-4")).is_ok_and(|mut sets| sets.next().is_some());
    while !saved() && started.elapsed() < Duration::from_secs(60) {
        sleep(Duration::from_millis(5));
    }
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130), "stopped by the signal after saving");
    assert!(!folder.join("parts/finished.json").exists() && !folder.join("parts/endmembers.npy").exists());

    json(folder, "unmix run scene.mat --seed 4 --out parts --resume --quiet --json");
    for file in ["endmembers.npy", "abundances.npy", "brightness.npy", "reconstruction_error.npy"] {
        let bytes = |run: &str| fs::read(folder.join(run).join(file)).unwrap();
        assert_eq!(bytes("whole"), bytes("parts"), "{file}");
    }
}

#[test]
fn scenes_in_hdf5_and_matlab_7_3_are_unmixed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/tests/fixtures");
    for name in ["scene.h5", "scene_7_3.mat"] {
        fs::copy(fixtures.join(name), folder.join(name)).unwrap();
        // MATLAB has its pixels column by column, which a plain HDF5 file does not say of itself.
        let line =
            format!("unmix run {name} --pixel-order column --method nfindr --seed 1 --quiet --json --out {name}-run");
        let run = json(folder, &line);
        assert_eq!(run["endmembers"], 3);
        assert!(run["mean_sad_rad"].as_f64().unwrap() < 1e-3, "{name}: {run}");
        assert!(run["abundance_rmse"]["fcls"].as_f64().unwrap() < 1e-3, "{name}: {run}");
        let listing = json(folder, &format!("data info {name} --json"));
        assert!(["HDF5", "MATLAB 7.3"].contains(&listing["format"].as_str().unwrap()), "{listing}");
    }
    let maps = |run: &str| open(folder.join(run).join("abundances.npy")).unwrap().array(None).unwrap();
    assert_eq!(maps("scene.h5-run"), maps("scene_7_3.mat-run"));
    assert_eq!(cupel(folder, "data convert scene_7_3.mat Y.npy --variable Y").0, Some(0));
    assert_eq!(open(folder.join("Y.npy")).unwrap().variables()[0].shape(), [20, 36]);
}

#[cfg(unix)]
#[test]
fn a_stopped_run_of_a_large_scene_goes_on_to_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    json(folder, "unmix simulate --pixels 176400 --bands 200 --materials 3 --seed 1 --out large.img --json");
    let run = "unmix run large.img --truth large.endmembers.npy --method vca --checkpoint-every 1";
    let printed = json(folder, &format!("{run} --out whole --quiet --json"));
    assert!(printed["mean_sad_rad"].as_f64().unwrap() < 0.2, "{printed}");

    // Once in each pass, by a signal that it can answer; and once by one that it cannot.
    for (work, signal, code) in
        [("survey", "-INT", Some(130)), ("abundances", "-TERM", Some(143)), ("abundances", "-KILL", None)]
    {
        let resume = if folder.join("parts").exists() { "--resume" } else { "" };
        let mut child = command(folder, &format!("{run} --out parts --quiet {resume}")).spawn().unwrap();
        let started = Instant::now();
        let sets = || {
            let sets = fs::read_dir(folder.join("parts/checkpoints").join(work)).into_iter().flatten().flatten();
            sets.filter_map(|set| set.file_name().to_str()?.parse::<u64>().ok()).max().unwrap_or(0)
        };
        let before = sets();
        while sets() <= before && started.elapsed() < Duration::from_secs(60) {
            sleep(Duration::from_millis(2));
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), code, "{work} {signal}");
        assert!(!folder.join("parts/finished.json").exists() && !folder.join("parts/abundances.hdr").exists());
    }
    json(folder, &format!("{run} --out parts --resume --quiet --json"));
    for name in ["endmembers.npy", "abundances.img", "brightness.img", "reconstruction_error.img", "abundances.hdr"] {
        let bytes = |run: &str| fs::read(folder.join(run).join(name)).unwrap();
        assert!(bytes("whole") == bytes("parts"), "{name}");
    }
    let again = json(folder, &format!("{run} --out parts --resume --quiet --json"));
    assert_eq!(again["reconstruction_rmse"], printed["reconstruction_rmse"]);
    let (code, _, stderr) = cupel(folder, &format!("{run} --runs 2 --out two"));
    assert!(code == Some(1) && stderr.contains("1 for a scene larger than memory"), "{stderr}");
}

#[test]
fn an_envi_scene_has_the_size_its_header_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    json(folder, "unmix simulate --pixels 1200 --bands 30 --format envi --seed 1 --out big.img --json");
    assert_eq!(fs::metadata(folder.join("big.img")).unwrap().len(), 1200 * 30 * 2);
    let header = fs::read_to_string(folder.join("big.hdr")).unwrap();
    assert!(
        header.contains("samples = 40") && header.contains("lines = 30") && header.contains("bands = 30"),
        "{header}"
    );
}
