//! Records what is known while compiling and cannot be asked later: compiler, target and the version of Burn.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(rustc).arg("--version").output().ok();
    let version = version.and_then(|output| String::from_utf8(output.stdout).ok());
    tell("CUPEL_RUSTC", version.as_deref().map(str::trim));
    tell("CUPEL_TARGET", env::var("TARGET").ok().as_deref());
    let lock = lock_file();
    if let Some(path) = &lock {
        println!("cargo::rerun-if-changed={}", path.display());
    }
    let lock = lock.and_then(|path| fs::read_to_string(path).ok());
    tell("CUPEL_BURN", lock.as_deref().and_then(|lock| version_of("burn", lock)));
}

fn tell(name: &str, value: Option<&str>) {
    println!("cargo::rustc-env={name}={}", value.unwrap_or("unknown"));
}

/// The lock file of the build: above the target folder, or above this package.
fn lock_file() -> Option<PathBuf> {
    ["OUT_DIR", "CARGO_MANIFEST_DIR"]
        .iter()
        .filter_map(env::var_os)
        .flat_map(|dir| Path::new(&dir).ancestors().map(Path::to_path_buf).collect::<Vec<_>>())
        .map(|dir| dir.join("Cargo.lock"))
        .find(|path| path.is_file())
}

fn version_of<'a>(name: &str, lock: &'a str) -> Option<&'a str> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{name}\""));
    lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')
}
