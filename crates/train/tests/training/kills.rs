//! A training that is killed again and again ends with the weights of one that was not.
//!
//! The test runs itself as the process to kill. 10 kills by default;
//! `CUPEL_KILLS=200 cargo test --release --workspace --test training kills -- --nocapture` for more.

use super::{cpu, stand_ins::Convolutional};
use cupel_train::{
    Description, Opening, Policy, Run, TrainerConfig,
    checks::{self, Subject},
    export_safetensors,
};
use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

const FOLDER: &str = "CUPEL_TEST_CHILD";

const WEIGHTS: [&str; 2] = ["best/model.safetensors", "last/model.safetensors"];

/// What the child process does: train, from a checkpoint where there is one.
#[test]
#[ignore = "the child process of the test below"]
fn child() {
    let Some(dir) = std::env::var_os(FOLDER) else { return };
    let dir = Path::new(&dir);
    let config: TrainerConfig = Convolutional.config();
    let is = Description::new("test").settings(&config).unwrap();
    // a process that was killed after its last write has nothing left to do
    let Some(mut run) = Run::open(dir, &is, Opening::Resume { strict: true }).unwrap().run() else { return };
    run.set_quiet(true);
    let mut trainer = checks::trainer(&Convolutional, &cpu());
    run.drive(&mut trainer, &Policy { save_every: Some(3), keep: 2 }).unwrap();
    export_safetensors(&dir.join(WEIGHTS[0]), &trainer.best()).unwrap();
    export_safetensors(&dir.join(WEIGHTS[1]), &trainer.model()).unwrap();
    run.finish(&()).unwrap();
}

fn start(dir: &Path) -> Child {
    start_with(dir, 2)
}

fn start_with(dir: &Path, threads: u32) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "kills::child", "--ignored"]).env(FOLDER, dir);
    command.env("RAYON_NUM_THREADS", threads.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn writes_a_set(dir: &Path) -> bool {
    let mut entries = fs::read_dir(dir.join("checkpoints/training")).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_string_lossy().starts_with(".partial"))
}

#[test]
fn a_killed_training_ends_with_the_weights_of_one_that_was_not() {
    let kills: u32 = std::env::var("CUPEL_KILLS").ok().map_or(10, |text| text.parse().unwrap());
    let scratch = tempfile::tempdir().unwrap();
    let whole = scratch.path().join("whole");
    let begin = Instant::now();
    assert!(start(&whole).wait().unwrap().success());
    let length = begin.elapsed();
    let alone = scratch.path().join("one-thread");
    assert!(start_with(&alone, 1).wait().unwrap().success());
    assert!(fs::read(whole.join(WEIGHTS[1])).unwrap() == fs::read(alone.join(WEIGHTS[1])).unwrap(), "threads count");
    let (mut made, mut at_writes, mut runs) = (0, 0, 0);
    while made < kills {
        runs += 1;
        let dir = scratch.path().join(format!("killed-{runs}"));
        for attempt in 0..5 {
            let at_write = (made + attempt) % 2 == 0;
            let delay = length.mul_f64(f64::from((made * 7 + attempt) % 10) / 16.0);
            let (mut process, begin) = (start(&dir), Instant::now());
            let mut over = false;
            while !over && (begin.elapsed() < delay || at_write && !writes_a_set(&dir)) {
                over = process.try_wait().unwrap().is_some();
                sleep(Duration::from_micros(if at_write { 20 } else { 500 }));
            }
            if over || made == kills {
                process.kill().ok();
                process.wait().unwrap();
                break;
            }
            process.kill().unwrap();
            process.wait().unwrap();
            made += 1;
            at_writes += u32::from(at_write);
        }
        assert!(start(&dir).wait().unwrap().success());
        for weights in WEIGHTS {
            assert!(fs::read(whole.join(weights)).unwrap() == fs::read(dir.join(weights)).unwrap(), "{weights} differ");
        }
    }
    println!("{made} kills, {at_writes} at the write of a checkpoint, over {runs} trainings: all weights equal");
}
