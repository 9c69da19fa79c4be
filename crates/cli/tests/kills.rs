//! SIGKILL at any moment, the write of a checkpoint above all, costs no more than the steps since the last complete set,
//! and the run still ends with the same results.
//!
//! 25 kills by default; `CUPEL_KILLS=200 cargo test --release -p cupel-cli --test kills -- --nocapture` for more.
#![cfg(unix)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use cupel::{
    data::{Array, Values, write_npy},
    prism::{LightsSceneConfig, simulate_lights},
};

const RUN: &str =
    "unmix run scene.mat --method edaa --restarts 120 --seed 4 --threads 1 --checkpoint-every 1 --quiet --out";
const RESULTS: [&str; 4] = ["endmembers.npy", "abundances.npy", "brightness.npy", "reconstruction_error.npy"];

fn cupel(folder: &Path, line: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupel"));
    command.args(line.split_whitespace()).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn finish(child: Child, line: &str) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Name of the checkpoints of [`RUN`].
const EDAA: &str = "edaa-seed-4";

/// A complete set has its manifest in a folder that is named by a number.
fn newest_set(dir: &Path) -> u64 {
    newest_set_of(dir, EDAA)
}

fn newest_set_of(dir: &Path, work: &str) -> u64 {
    let sets = fs::read_dir(dir.join("checkpoints").join(work)).into_iter().flatten().flatten();
    sets.filter(|set| set.path().join("manifest.json").is_file())
        .filter_map(|set| set.file_name().to_str()?.parse().ok())
        .max()
        .unwrap_or(0)
}

fn writes_a_set(dir: &Path) -> bool {
    writes_a_set_of(dir, EDAA)
}

fn writes_a_set_of(dir: &Path, work: &str) -> bool {
    let mut entries = fs::read_dir(dir.join("checkpoints").join(work)).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_string_lossy().starts_with(".partial"))
}

/// Kills the child after `delay`, or at the first write of a set after it where `at_write`; says whether it was in time.
fn kill(mut child: Child, (dir, work): (&Path, &str), delay: Duration, at_write: bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < delay || at_write && !writes_a_set_of(dir, work) {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if !at_write {
            sleep(Duration::from_micros(200));
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    true
}

/// Runs `run` to its end, and again while it is killed `kills` times: the files `results` have the same bits. `work` names the checkpoints.
fn killed_again_and_again(folder: &Path, run: &str, work: &str, results: &[&str], kills: u32) {
    let start = Instant::now();
    let line = format!("{run} whole");
    finish(cupel(folder, &line), &line);
    let whole = start.elapsed();

    let (mut made, mut at_writes, mut runs) = (0, 0, 0u32);
    while made < kills {
        runs += 1;
        assert!(
            runs <= 4 * kills + 4,
            "{made} kills of {kills} in {runs} runs: is {work} the name of its checkpoints?"
        );
        let name = format!("killed-{runs}");
        let dir: PathBuf = folder.join(&name);
        let line = format!("{run} {name} --resume");
        let mut complete = 0;
        for attempt in 0..4 {
            if made == kills {
                break;
            }
            // every other kill waits for a write; all of them at moments spread over the run
            let at_write = made % 2 == 0;
            let share = f64::from((made * 7 + attempt * 3) % 20) / 20.0;
            let in_time = kill(cupel(folder, &line), (&dir, work), whole.mul_f64(share * 0.6), at_write);
            let now = newest_set_of(&dir, work);
            assert!(now >= complete, "a kill took back a complete set: {now} after {complete}");
            complete = now;
            if !in_time {
                break;
            }
            made += 1;
            at_writes += u32::from(at_write);
        }
        finish(cupel(folder, &line), &line);
        for file in results {
            let bytes = |run: &Path| fs::read(run.join(file)).unwrap();
            assert!(bytes(&folder.join("whole")) == bytes(&dir), "{file} differs after kills in {name}");
        }
        fs::remove_dir_all(dir).unwrap();
    }
    println!("{made} kills, {at_writes} of them at the write of a checkpoint, over {runs} runs: all results equal");
    assert!(4 * at_writes >= kills, "too few kills met a write: {at_writes}");
}

fn kills() -> u32 {
    std::env::var("CUPEL_KILLS").ok().map_or(25, |text| text.parse().unwrap())
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_as_if_nothing_had_happened() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let simulate = "unmix simulate --pixels 900 --bands 40 --materials 3 --snr-db 30 --seed 3 --out scene.mat";
    finish(cupel(folder, simulate), simulate);
    killed_again_and_again(folder, RUN, EDAA, &RESULTS, kills());
}

#[test]
fn a_training_on_visibilities_that_is_killed_ends_with_the_same_bits() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let simulate =
        "cosmology simulate --nfreq 8 --nx 8 --skies 6 --visibilities --baselines 4 --times 16 --out skies --quiet";
    finish(cupel(folder, simulate), simulate);
    for (name, of) in [("cosmo", "vis_signal"), ("galaxy", "vis")] {
        fs::create_dir(folder.join(name)).unwrap();
        for sky in 0..6 {
            let from = folder.join(format!("skies/sky_000{sky}/{of}.npy"));
            fs::copy(from, folder.join(name).join(format!("{sky}.npy"))).unwrap();
        }
    }
    let run = "cosmology train --cosmopath cosmo --galpath galaxy --ra-bins 16 --split 2 --n-fg 3 --batch-size 1 --filters 2 --epochs 8 \
               --ra-shift-aug --add-noise --predict-residual --learning-rate 1e-2 --seed 4 --threads 1 --checkpoint-every 1 --quiet --out";
    killed_again_and_again(folder, run, "network-0", &["visibilities.json", "components.npz"], kills());
}

#[test]
fn a_training_of_a_network_on_skies_that_is_killed_ends_with_the_same_bits() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let simulate = "cosmology simulate --nfreq 8 --nx 8 --skies 6 --noise-mk 0.02 --out skies --quiet";
    finish(cupel(folder, simulate), simulate);
    let run = "cosmology train --skies skies --estimator unet --filters 2 --levels 1 --inputs estimate --epochs 6 --seed 4 --threads 1 \
               --checkpoint-every 1 --quiet --out";
    killed_again_and_again(folder, run, "network-0", &["estimator.json", "model.json"], kills().div_ceil(3));
}

#[test]
fn a_reconstruction_that_is_killed_ends_with_the_same_bits() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let disc = |row: usize, column: usize| row.abs_diff(23).pow(2) + column.abs_diff(37).pow(2) < 270;
    let values = (0..64 * 64).map(|place| place as f32 / 8000.0 + f32::from(u8::from(disc(place / 64, place % 64))));
    write_npy(&folder.join("object.npy"), &Array::new(vec![64, 64], Values::F32(values.collect())).unwrap()).unwrap();
    let common = "--object object.npy --n-pixels 128 --detector 64 --aperture-radius 10 --samples 24 --photons 1e5 --seed 4 --threads 1 \
                  --checkpoint-every 1 --quiet --out";
    let run = format!("prism reconstruct {common}");
    killed_again_and_again(folder, &run, "search", &["object.npy", "interval.npy"], kills().div_ceil(3));
}

/// Each solver beside the default one: few kills here, `CUPEL_KILLS_EACH=25` for more.
#[test]
fn every_solver_that_is_killed_ends_with_the_same_bits() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let disc = |row: usize, column: usize| row.abs_diff(13).pow(2) + column.abs_diff(17).pow(2) < 70;
    let values = (0..32 * 32).map(|place| place as f32 / 2000.0 + f32::from(u8::from(disc(place / 32, place % 32))));
    write_npy(&folder.join("object.npy"), &Array::new(vec![32, 32], Values::F32(values.collect())).unwrap()).unwrap();
    let kills = std::env::var("CUPEL_KILLS_EACH").ok().map_or(2, |text| text.parse().unwrap());
    for (solver, work) in [
        ("lbfgs", "search"),
        ("epie --iterations 30 --certificate false", "epie"),
        ("rpie --iterations 30 --certificate false", "rpie"),
        ("raar --iterations 15 --certificate false", "raar"),
        ("decoder --width 8 --steps 3 --init-steps 20", "decoder"),
        ("decoder --rule original --steps 3 --init-steps 20", "decoder"),
    ] {
        let run = format!(
            "prism reconstruct --solver {solver} --object object.npy --n-pixels 64 --aperture-radius 7 --samples 16 --photons 1e5 --seed 4 \
             --threads 1 --checkpoint-every 1 --quiet --out"
        );
        let here = folder.join(solver.replace(' ', ""));
        fs::create_dir(&here).unwrap();
        fs::copy(folder.join("object.npy"), here.join("object.npy")).unwrap();
        println!("{solver}:");
        killed_again_and_again(&here, &run, work, &["object.npy", "amplitude.npy"], kills);
    }
}

/// Arrays of lights are calibrated in several pieces of work.
#[test]
fn calibration_of_lights_that_is_killed_ends_with_the_same_bits() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let scene =
        LightsSceneConfig { lights: 49, size: 128, detector: 32, rotation_deg: 1.5, ..LightsSceneConfig::default() };
    let frames = simulate_lights(&scene, 2).unwrap().exposures.frames;
    let values = (0..49).flat_map(|light| frames.frame(light).unwrap()).collect();
    write_npy(&folder.join("frames.npy"), &Array::new(vec![49, 32, 32], Values::F32(values)).unwrap()).unwrap();
    let instrument = "wavelength = 532e-9\ndata = \"intensity\"\n[objective]\nna = 0.1\npixel-size = 2e-6\nupsampling = 4\n\
                      [array]\npitch = 4e-3\ndistance = 0.09\nglass-thickness = 1e-3\n";
    fs::write(folder.join("microscope.toml"), instrument).unwrap();
    let run = "prism reconstruct frames.npy --instrument microscope.toml --certificate=false --threads 1 --checkpoint-every 1 --quiet --out";
    let results = ["object.npy", "pupil.npy", "positions.csv"];
    killed_again_and_again(folder, run, "pupil", &results, kills().div_ceil(2));
}

#[test]
fn a_full_disk_is_an_error_and_the_old_set_stays() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let simulate = "unmix simulate --pixels 400 --bands 40 --materials 3 --snr-db 30 --seed 3 --out scene.mat";
    finish(cupel(folder, simulate), simulate);
    let binary = env!("CARGO_BIN_EXE_cupel");
    // a file may not grow beyond 64 KiB: early sets fit, later ones do not (SIGXFSZ would end the process, not the write)
    let line = format!("{RUN} small --force");
    let script = format!("ulimit -f 64; trap '' XFSZ; exec {binary} {line}");
    let output = Command::new("bash").args(["-c", &script]).current_dir(folder).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("could not write") && stderr.contains("small/checkpoints"), "{stderr}");
    let complete = newest_set(&folder.join("small"));
    assert!(complete > 0 && !writes_a_set(&folder.join("small")), "set {complete}");
    // with room again the run goes on from there to the results of a run that never failed
    for line in [format!("{RUN} small --resume"), format!("{RUN} whole")] {
        finish(cupel(folder, &line), &line);
    }
    for file in RESULTS {
        assert!(
            fs::read(folder.join("whole").join(file)).unwrap() == fs::read(folder.join("small").join(file)).unwrap()
        );
    }
}

#[test]
fn resuming_what_was_never_started_starts_it_and_resuming_what_is_finished_does_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let simulate = "unmix simulate --pixels 100 --bands 40 --materials 3 --snr-db 30 --seed 3 --out scene.mat";
    finish(cupel(folder, simulate), simulate);
    let run = "unmix run scene.mat --method vca --seed 1 --out run --resume";
    let said = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cupel"));
        let output = command.args(line.split_whitespace()).current_dir(folder).stdin(Stdio::null()).output().unwrap();
        assert!(output.status.success());
        String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned()
    };
    assert!(said(run).contains("starts at the beginning"));
    let finished = fs::metadata(folder.join("run/finished.json")).unwrap().modified().unwrap();
    assert!(said(run).contains("already finished"));
    assert_eq!(fs::metadata(folder.join("run/finished.json")).unwrap().modified().unwrap(), finished);
}

#[test]
fn a_damaged_checkpoint_is_passed_over_or_with_strict_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let simulate = "unmix simulate --pixels 400 --bands 40 --materials 3 --snr-db 30 --seed 3 --out scene.mat";
    finish(cupel(folder, simulate), simulate);
    let line = format!("{RUN} run");
    finish(cupel(folder, &line), &line);
    let results: Vec<Vec<u8>> = RESULTS.iter().map(|file| fs::read(folder.join("run").join(file)).unwrap()).collect();
    fs::remove_file(folder.join("run/finished.json")).unwrap();
    let newest = folder.join(format!("run/checkpoints/edaa-seed-4/{:012}/candidates", newest_set(&folder.join("run"))));
    let mut bytes = fs::read(&newest).unwrap();
    bytes[100] ^= 1;
    fs::write(&newest, bytes).unwrap();
    let resume = |more: &str| cupel(folder, &format!("{line} --resume {more}")).wait_with_output().unwrap();
    let strict = resume("--strict");
    let stderr = String::from_utf8_lossy(&strict.stderr);
    assert!(strict.status.code() == Some(1) && stderr.contains("was changed after it was written"), "{stderr}");
    let lenient = resume("");
    let stderr = String::from_utf8_lossy(&lenient.stderr);
    assert!(lenient.status.success() && stderr.contains("warning:") && stderr.contains("going on from"), "{stderr}");
    for (file, before) in RESULTS.iter().zip(results) {
        assert!(fs::read(folder.join("run").join(file)).unwrap() == before, "{file}");
    }
}

/// A small file system of its own, where the user may mount one.
struct Mounted(PathBuf);

impl Mounted {
    fn new(dir: PathBuf, options: &str) -> Option<Self> {
        fs::create_dir(&dir).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&dir).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_file_system_that_is_full_or_read_only_is_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    let simulate = "unmix simulate --pixels 400 --bands 40 --materials 3 --snr-db 30 --seed 3 --out scene.mat";
    finish(cupel(folder, simulate), simulate);
    let (full, locked) = (folder.join("full"), folder.join("locked"));
    let (Some(_full), Some(_locked)) = (Mounted::new(full.clone(), "size=112k"), Mounted::new(locked, "ro,size=1m"))
    else {
        eprintln!("skipped: only the superuser may mount a file system");
        return;
    };
    let fails = |out: &str, words: &str| {
        let output = cupel(folder, &format!("{RUN} {out}")).wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && stderr.contains(words), "{stderr}");
    };
    fails("full/run", "No space left on device");
    let complete = newest_set(&full.join("run"));
    assert!(complete > 0 && !writes_a_set(&full.join("run")), "set {complete}");
    fails("locked/run", "Read-only file system");
}
