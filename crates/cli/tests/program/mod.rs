//! Calls of the binary, for the tests that meet it from the outside.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;

/// A call of `cupel` in a folder, not yet made.
pub fn command(folder: &Path, line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cupel"));
    command.args(line.split_whitespace()).current_dir(folder).stdin(Stdio::null());
    command
}

/// Exit code, standard output and standard error.
pub fn cupel(folder: &Path, line: &str) -> (Option<i32>, String, String) {
    let output = command(folder, line).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// What it printed, on both outputs.
pub fn succeeds(folder: &Path, line: &str) -> String {
    let (code, stdout, stderr) = cupel(folder, line);
    assert_eq!(code, Some(0), "{line}: {stderr}");
    stdout + &stderr
}

/// The result as JSON, which the line asks for.
pub fn json(folder: &Path, line: &str) -> Value {
    let (code, stdout, stderr) = cupel(folder, line);
    assert_eq!(code, Some(0), "{line}: {stderr}");
    serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{line}: {error} in {stdout}"))
}

/// One message with all these words, and nothing on standard output.
pub fn refused(folder: &Path, line: &str, words: &[&str]) {
    let (code, stdout, stderr) = cupel(folder, line);
    assert!(matches!(code, Some(1 | 2)) && stdout.is_empty(), "{line}: {code:?} {stderr}");
    assert_eq!(stderr.matches("error:").count(), 1, "{line}: {stderr}");
    for word in words {
        assert!(stderr.contains(word), "{line}: {word:?} is not in {stderr}");
    }
}
