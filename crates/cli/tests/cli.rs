//! The binary as a user or a script meets it: exit codes, what is printed where, and what it says when it refuses.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use cupel::data::{Array, Values, open, write_npz};
use serde_json::{Value, json};

/// What came out of one call.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn cupel_in<S: AsRef<std::ffi::OsStr>>(folder: &Path, arguments: &[S]) -> Ended {
    let output = Command::new(env!("CARGO_BIN_EXE_cupel"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn cupel(arguments: &[&str]) -> Ended {
    cupel_in(Path::new("."), arguments)
}

/// One clear message, nothing on standard output, exit code 1.
fn refuses(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.matches("error:").count(), 1, "{}", ended.stderr);
    for word in words {
        assert!(ended.stderr.contains(word), "{word:?} is not in: {}", ended.stderr);
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let help = cupel(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (Some(0), ""));
    assert!(help.stdout.contains("doctor"), "{}", help.stdout);

    let version = cupel(&["--version"]);
    assert_eq!(version.stdout, format!("cupel {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_ends_with_2_and_a_suggestion() {
    for (arguments, suggestion) in [
        (&["docter"][..], "'doctor'"),
        (&["demo", "--sede", "1"], "'--seed'"),
        (&["demo", "--seed", "many"], "invalid value 'many' for '--seed"),
        (&["demo", "--threads", "0"], "invalid value '0' for '--threads"),
        (&["unmix", "run", "a.mat", "--precision", "f8"], "possible values: auto, f32, bf16, fp16"),
        (&["demo", "--force", "--resume"], "cannot be used with"),
        (&["report"], "<RUN>..."),
        (&["data", "info"], "<FILE>"),
        (&["data", "convert", "a.npy"], "<TARGET>"),
        (&[], "Usage: cupel <COMMAND>"),
    ] {
        let ended = cupel(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{arguments:?}");
        assert!(ended.stderr.contains(suggestion), "{arguments:?}: {}", ended.stderr);
    }
}

#[test]
fn doctor_finds_a_device_that_works() {
    let ended = cupel(&["doctor", "--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let report: Value = serde_json::from_str(&ended.stdout).expect("one JSON object and nothing else");
    assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
    assert!(report["chosen"]["name"].is_string(), "{report}");
    let devices = report["devices"].as_array().expect("a list of devices");
    assert!(devices.iter().any(|device| device["works"] == true), "{report}");

    let words = cupel(&["doctor", "--device", "cpu"]);
    assert_eq!(words.code, Some(0));
    assert!(words.stdout.contains("chosen"), "{}", words.stdout);
}

#[test]
fn a_device_that_is_not_there_is_an_error_and_never_replaced() {
    let ended = cupel(&["doctor", "--device", "abacus"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.starts_with("error: unknown device `abacus`"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("chosen"), "{}", ended.stdout);
}

#[test]
fn settings_come_from_a_file_in_three_notations() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("a.toml", "json = true\ndevice = \"cpu\"\n"),
        ("a.json", "{\"json\": true, \"device\": \"cpu\"}"),
        ("a.yaml", "json: true\ndevice: cpu\n"),
        ("settings", "json = true\ndevice = \"cpu\"\n"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        let ended = cupel_in(folder.path(), &["doctor", "--config", name]);
        assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
        assert!(ended.stdout.starts_with("{\"version\""), "{name}: {}", ended.stdout);
        // The flag wins.
        let ended = cupel_in(folder.path(), &["doctor", "--config", name, "--device=abacus"]);
        assert!(ended.stderr.contains("abacus"), "{name}: {}", ended.stderr);
    }
}

#[test]
fn a_misspelt_setting_is_named_with_file_line_and_the_nearest_key() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("run.toml"), "# mine\njson = true\nsede = 1\n").unwrap();
    let ended = cupel_in(folder.path(), &["demo", "--config=run.toml"]);
    refuses(&ended, &["run.toml, line 3: unknown setting `sede`; did you mean `seed`?"]);
}

#[test]
fn a_settings_file_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    fs::create_dir(here.join("folder")).unwrap();
    fs::write(here.join("broken.toml"), "seed = \n").unwrap();
    fs::write(here.join("bytes.toml"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(here.join("large.toml"), vec![b'#'; 2 << 20]).unwrap();
    refuses(&cupel_in(here, &["doctor", "--config", "none.toml"]), &["none.toml", "No such file"]);
    refuses(&cupel_in(here, &["doctor", "--config", "folder"]), &["folder", "this is a folder"]);
    refuses(&cupel_in(here, &["doctor", "--config", "broken.toml"]), &["broken.toml", "line 1"]);
    refuses(&cupel_in(here, &["doctor", "--config", "bytes.toml"]), &["bytes.toml", "not text"]);
    refuses(&cupel_in(here, &["doctor", "--config", "large.toml"]), &["is this a data file?"]);
    #[cfg(target_os = "linux")]
    refuses(&cupel_in(here, &["doctor", "--config", "/dev/zero"]), &["not an ordinary file"]);
}

#[test]
fn help_is_there_even_where_the_settings_are_broken() {
    let ended = cupel(&["doctor", "--config", "none.toml", "--help"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stdout.contains("--print-config"), "{}", ended.stdout);
}

/// A folder with `scene.npz`: six pixels of two bands, and a mask.
fn scene() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let spectra = vec![0.0, 0.5, f32::NAN, 1.0, -2.0, 0.25, 4.0, 0.0, 0.0, 0.0, f32::INFINITY, 1.5];
    let spectra = Array::new(vec![6, 2], Values::F32(spectra)).unwrap();
    let mask = Array::new(vec![6], Values::U8(vec![1, 1, 0, 1, 1, 0])).unwrap();
    write_npz(&folder.path().join("scene.npz"), &[("Y", &spectra), ("mask", &mask)]).unwrap();
    folder
}

#[test]
fn data_info_lists_what_is_in_a_file() {
    let folder = scene();
    let ended = cupel_in(folder.path(), &["data", "info", "scene.npz", "--json"]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
    let listing: Value = serde_json::from_str(&ended.stdout).unwrap();
    let range = json!({"minimum": -2.0, "maximum": 4.0, "not_finite": 2});
    assert_eq!(listing["variables"][0]["name"], "Y");
    assert_eq!(listing["variables"][0]["shape"], json!([6, 2]));
    assert_eq!(listing["variables"][0]["range"], range);
    assert_eq!(listing["variables"][1]["name"], "mask");

    let words = cupel_in(folder.path(), &["data", "info", "scene.npz"]).stdout;
    assert!(words.contains("6 x 2"), "{words}");
    assert!(words.contains("-2 to 4 and 2 that are not finite"), "{words}");
}

#[test]
fn data_convert_keeps_numbers_and_never_replaces_unasked() {
    let folder = scene();
    let here = folder.path();
    let several = cupel_in(here, &["data", "convert", "scene.npz", "mask.npy"]);
    refuses(&several, &["scene.npz", "Y", "mask"]);
    let misspelt = cupel_in(here, &["data", "convert", "scene.npz", "mask.npy", "--variable", "mask_"]);
    refuses(&misspelt, &["mask_", "did you mean"]);
    assert!(!here.join("mask.npy").exists());

    let arguments = ["data", "convert", "scene.npz", "mask.npy", "--variable", "mask"];
    let dry = cupel_in(here, &[&arguments[..], &["--dry-run"]].concat());
    assert_eq!((dry.code, dry.stdout.as_str()), (Some(0), "would write mask.npy\n"));
    assert!(!here.join("mask.npy").exists());

    let done = cupel_in(here, &[&arguments[..], &["--json"]].concat());
    assert_eq!((done.code, done.stdout.as_str()), (Some(0), "{\"written\":\"mask.npy\"}\n"));
    let mask = open(here.join("mask.npy")).unwrap().array(None).unwrap();
    assert_eq!(*mask.values(), Values::U8(vec![1, 1, 0, 1, 1, 0]));

    refuses(&cupel_in(here, &arguments), &["mask.npy", "--force"]);
    assert_eq!(cupel_in(here, &[&arguments[..], &["--force"]].concat()).code, Some(0));
    refuses(&cupel_in(here, &["data", "convert", "scene.npz", "scene.xyz"]), &["scene.xyz", ".npy, .npz"]);
}

#[test]
fn data_refuses_what_is_no_data_with_one_clear_message() {
    let folder = scene();
    let here = folder.path();
    let mut damaged = fs::read(here.join("scene.npz")).unwrap();
    let middle = damaged.len() / 8;
    damaged[middle] ^= 0x10;
    fs::write(here.join("damaged.npz"), damaged).unwrap();
    fs::write(here.join("empty.mat"), "").unwrap();
    fs::create_dir(here.join("folder")).unwrap();
    for file in ["none.mat", "folder", "empty.mat", "damaged.npz"] {
        refuses(&cupel_in(here, &["data", "info", file]), &[file]);
        refuses(&cupel_in(here, &["data", "convert", file, "out.mat"]), &[file]);
        assert!(!here.join("out.mat").exists(), "{file}: nothing is half-written");
    }
}

#[test]
fn report_wants_folders_of_runs() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    refuses(&cupel_in(here, &["report", "nowhere"]), &["nowhere", "not the folder of a run"]);
    fs::create_dir(here.join("empty")).unwrap();
    refuses(&cupel_in(here, &["report", "empty"]), &["empty"]);
    assert_eq!(fs::read_dir(here.join("empty")).unwrap().count(), 0, "nothing is half-written");
}

#[test]
fn report_writes_the_page_of_a_run_and_compares_runs() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    for (run, rmse) in [("a", "0.25"), ("b", "0.5")] {
        fs::create_dir(here.join(run)).unwrap();
        fs::write(here.join(run).join("config.toml"), "seed = 1\n").unwrap();
        fs::write(here.join(run).join("environment.json"), "{}").unwrap();
        fs::write(here.join(run).join("metrics.json"), format!("{{\"rmse\": {rmse}}}")).unwrap();
    }
    let one = cupel_in(here, &["report", "a", "--json"]);
    assert_eq!((one.code, one.stderr.as_str()), (Some(0), ""));
    let printed: Value = serde_json::from_str(&one.stdout).unwrap();
    let page = fs::read_to_string(here.join(printed["report"].as_str().unwrap())).unwrap();
    assert!(page.contains("0.25"));

    let dry = cupel_in(here, &["report", "a", "b", "--dry-run"]);
    assert_eq!((dry.code, dry.stdout.as_str()), (Some(0), "would write comparison.html\n"));
    assert!(!here.join("comparison.html").exists());

    assert_eq!(cupel_in(here, &["report", "a", "b"]).code, Some(0));
    let page = fs::read_to_string(here.join("comparison.html")).unwrap();
    assert!(page.contains("0.25") && page.contains("0.5"));

    refuses(&cupel_in(here, &["report", "a", "b"]), &["comparison.html exists", "--force"]);
    assert_eq!(cupel_in(here, &["report", "a", "b", "--force"]).code, Some(0));
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_gone_is_no_failure() {
    // The pipe is closed before the first byte is written.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    for arguments in [&["doctor", "--json"][..], &["doctor"], &["--help"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_cupel"))
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(writer.try_clone().unwrap())
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "{arguments:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_closed_standard_error_is_no_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = Command::new(env!("CARGO_BIN_EXE_cupel"))
        .args(["doctor", "--device", "abacus"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(writer)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_a_failure() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_cupel"))
        .args(["doctor", "--json"])
        .stdin(Stdio::null())
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"));
}
