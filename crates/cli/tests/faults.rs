//! What once went wrong between a command, its settings and its folder, a test for each kind.

mod program;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use program::{command, refused, succeeds};
use serde_json::Value;

fn scene(folder: &Path, name: &str, seed: u32) {
    succeeds(
        folder,
        &format!("unmix simulate --pixels 144 --bands 30 --materials 3 --seed {seed} --out {name} --quiet"),
    );
}

fn bits(run: &Path) -> Vec<Vec<u8>> {
    ["endmembers.npy", "abundances.npy"].map(|file| fs::read(run.join(file)).unwrap()).to_vec()
}

#[test]
fn a_run_folder_belongs_to_one_run() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, "scene.mat", 3);
    succeeds(folder, "pgx train --demo-data --models majority --cross-fit 0 --out mix --quiet");
    let model = fs::read(folder.join("mix/config.toml")).unwrap();
    refused(folder, "unmix run scene.mat --out mix --resume", &["pgx train", "unmix run"]);
    assert_eq!(fs::read(folder.join("mix/config.toml")).unwrap(), model);

    let line = "unmix run scene.mat --method vca --seed 1 --out rs";
    succeeds(folder, line);
    let before = bits(&folder.join("rs"));
    refused(folder, "unmix run scene.mat --method spa --seed 1 --out rs --resume", &["method", "vca", "spa"]);
    refused(folder, "unmix run scene.mat --method vca --seed 2 --out rs --resume", &["seed", "1 -> 2"]);
    refused(folder, line, &["--resume", "--force", "--out"]);
    // other spellings, another number of threads and another place are the same run
    fs::rename(folder.join("rs"), folder.join("moved")).unwrap();
    let said = succeeds(folder, "unmix run ./scene.mat --method vca --seed 1 --threads 1 --out ./moved/ --resume");
    assert!(said.contains("already finished"), "{said}");
    // other data under the same name are another run
    scene(folder, "scene.mat --force", 4);
    refused(folder, "unmix run scene.mat --method vca --seed 1 --out moved --resume", &["scene.mat"]);
    assert_eq!(bits(&folder.join("moved")), before);
}

#[test]
fn more_is_a_continuation() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, "scene.mat", 3);
    succeeds(folder, "unmix run scene.mat --method vca --runs 1 --out one");
    let more = succeeds(folder, "unmix run scene.mat --method vca --runs 3 --out one --resume --json --quiet");
    assert_eq!(serde_json::from_str::<Value>(&more).unwrap()["runs"].as_array().unwrap().len(), 3);
    refused(folder, "unmix run scene.mat --method vca --runs 2 --out one --resume", &["runs", "3 -> 2"]);
}

#[test]
fn settings_out_of_range_end_before_any_work() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, "scene.mat", 3);
    let network = "pgx train --demo-data --models network --cross-fit 0 --out out";
    for (line, words) in [
        ("unmix run scene.mat --rows 0 --out out", "--rows"),
        ("unmix run scene.mat --threads 1000000 --out out", "at most 1024"),
        ("unmix run scene.mat --method pmm --pixel-fraction NaN --out out", "--pixel-fraction"),
        ("unmix run scene.mat --method pmm --inference svi --lr inf --out out", "--lr"),
        ("unmix run scene.mat --method vca --restarts 5 --out out", "--restarts"),
        ("unmix run scene.mat --method vca --steps 5 --out out", "--steps"),
        ("unmix run scene.mat --endmembers 100000 --out out", "endmembers"),
        ("unmix simulate --bands 999999999999 --out out.mat", "bands"),
        ("unmix simulate --bands 999999999999 --format envi --out out.img", "bands"),
        ("unmix simulate --pixels 99999999999999 --out out.mat", "pixels"),
        ("unmix simulate --snr-db NaN --out out.mat", "--snr-db"),
        ("pgx train --demo-data --models counts --epochs 7 --out out", "--epochs"),
        ("pgx train --demo-data --models counts --gamma 3 --out out", "--gamma"),
        ("pgx train --demo-data --models linear --inverse-penalty=-inf --out out", "--inverse-penalty"),
        ("pgx train --demo-data --coverage NaN --out out", "--coverage"),
        ("pgx train --demo-data --models none --out out", "models"),
        (&format!("{network} --embedding 1000000000"), "--embedding"),
        (&format!("{network} --hidden 1000000000"), "--hidden"),
        (&format!("{network} --loss focal --gamma=inf"), "--gamma"),
        (&format!("{network} --learning-rate nan"), "--learning-rate"),
        (&format!("{network} --batch 0"), "--batch"),
    ] {
        let start = Instant::now();
        refused(folder, line, &[words]);
        assert!(start.elapsed() < Duration::from_secs(10), "{line}: {:?}", start.elapsed());
        let left: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left, ["scene.mat"], "{line}");
    }
}

#[test]
fn a_negative_number_is_a_number_and_no_flag() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeeds(folder, "unmix simulate --pixels 16 --bands 10 --snr-db -5 --out noisy.mat");
    refused(folder, "pgx train --demo-data --strength -1 --out out", &["--strength", "expected a number"]);
}

#[test]
fn the_settings_of_a_run_replay_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, "scene.mat", 3);
    succeeds(folder, "unmix run scene.mat --method nfindr --abundance fcls --seed 9 --out first");
    succeeds(folder, "unmix run --config first/config.toml --out second");
    assert_eq!(bits(&folder.join("first")), bits(&folder.join("second")));
    // sections as in the files that people have, and a key in a section that it does not belong to
    fs::write(folder.join("old.yaml"), "network:\n  use_amp: false\nunmixing:\n  method: spa\n").unwrap();
    succeeds(folder, "unmix run scene.mat --config old.yaml --out third");
    assert!(fs::read_to_string(folder.join("third/config.toml")).unwrap().contains("method = \"spa\""));
    fs::write(folder.join("wrong.yaml"), "seed: 1\nmixture:\n  methd: spa\n").unwrap();
    refused(folder, "unmix run scene.mat --config wrong.yaml", &["line 3", "mixture.methd", "did you mean `method`"]);
    refused(folder, "unmix compare --config first/config.toml", &["unmix compare", "line 1"]);
}

#[cfg(unix)]
#[test]
fn a_first_signal_is_answered_at_once_wherever_it_comes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    succeeds(folder, "unmix simulate --pixels 10000 --bands 100 --materials 6 --seed 3 --out large.mat --quiet");
    for (line, after) in [
        ("unmix run large.mat --endmembers auto --out search", 1200),
        ("unmix run large.mat --method cnnaeu --out network", 2000),
        ("pgx tune --demo-data --models linear --trials 50 --out study", 3000),
        ("pgx train --demo-data --models network --epochs 50 --cross-fit 0 --out model", 3000),
    ] {
        let mut child = command(folder, line).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(after));
        assert!(child.try_wait().unwrap().is_none(), "{line} ended too early for a signal");
        let sent = Instant::now();
        assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let acknowledged = |words: &str| words.contains("stopping");
        // progress is redrawn in place, so that carriage returns end lines too
        let mut answered = None;
        let mut all = String::new();
        for part in stderr.split(b'\n') {
            let text = String::from_utf8_lossy(&part.unwrap()).into_owned();
            if acknowledged(&text) {
                answered.get_or_insert(sent.elapsed());
            }
            all += &text;
        }
        assert_eq!(child.wait().unwrap().code(), Some(130), "{line}: {all}");
        let answered = answered.unwrap_or_else(|| panic!("{line}: no answer in {all}"));
        assert!(answered < Duration::from_millis(200), "{line}: {answered:?}");
        println!("{line}: answered after {answered:?}, ended after {:?}", sent.elapsed());
    }
}

#[cfg(unix)]
#[test]
fn paths_need_not_be_text() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    scene(folder, "scene.mat", 3);
    let (input, out) = (OsStr::from_bytes(b"sc\xffne.mat"), OsStr::from_bytes(b"r\xfen"));
    fs::rename(folder.join("scene.mat"), folder.join(input)).unwrap();
    let mut run = command(folder, "unmix run --method vca --quiet");
    let output = run.arg(input).arg("--out").arg(out).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(folder.join(out).join("report.html").is_file());
}
