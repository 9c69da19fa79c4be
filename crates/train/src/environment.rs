//! What a run was made with: versions, machine, device, seed and command.

use crate::{Casting, Computing, Selected};
use serde::Serialize;
use serde_json::Value;
use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

/// The content of `environment.json`.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Environment {
    /// Version of this library.
    pub cupel: &'static str,
    /// Version of Burn.
    pub burn: &'static str,
    /// The compiler.
    pub rustc: &'static str,
    /// What it compiled for.
    pub target: &'static str,
    /// Backends in this build.
    pub backends: Vec<&'static str>,
    /// Operating system and, where it tells, the version of its kernel.
    pub operating_system: String,
    /// Model of the processor, where the system tells.
    pub cpu: Option<String>,
    /// Threads that compute on the CPU.
    pub threads: usize,
    /// The device.
    pub device: Option<String>,
    /// Why this device.
    pub device_reason: Option<String>,
    /// What networks compute with.
    pub precision: Option<String>,
    /// Why that.
    pub precision_reason: Option<String>,
    /// Seed of all random streams.
    pub seed: Option<u64>,
    /// How the program was called.
    pub command_line: Vec<String>,
    /// The process.
    pub process: u32,
    /// When it started, in UTC.
    pub started: String,
    /// Settings that differ from those of the start before.
    pub config_changes: Vec<String>,
    /// The environments of earlier starts, oldest first.
    pub earlier: Vec<Value>,
}

impl Environment {
    /// What can be known without the caller.
    pub(crate) fn collect() -> Self {
        Self {
            cupel: env!("CARGO_PKG_VERSION"),
            burn: env!("CUPEL_BURN"),
            rustc: env!("CUPEL_RUSTC"),
            target: env!("CUPEL_TARGET"),
            backends: crate::device::compiled().collect(),
            operating_system: operating_system(),
            cpu: cpu(),
            threads: rayon::current_num_threads(),
            device: None,
            device_reason: None,
            precision: None,
            precision_reason: None,
            seed: None,
            command_line: std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect(),
            process: std::process::id(),
            started: utc(SystemTime::now()),
            config_changes: Vec::new(),
            earlier: Vec::new(),
        }
    }

    /// Adds what the caller chose.
    pub(crate) fn describe(&mut self, device: &Selected, casting: &Casting, seed: u64) {
        self.device = Some(device.name.clone());
        self.device_reason = Some(device.reason.clone());
        self.precision = Some(casting.name().to_string());
        self.precision_reason = Some(casting.reason().to_string());
        self.seed = Some(seed);
    }

    /// Adds what the work says, where the caller said nothing.
    pub(crate) fn note(&mut self, computing: Computing) {
        let Computing { device, precision, seed } = computing;
        (self.device, self.precision, self.seed) = (Some(device), Some(precision), Some(seed));
    }

    /// Puts the start described by `before`, and those it remembers, into the past of this one.
    pub(crate) fn follow(&mut self, mut before: Value) {
        let older = before.as_object_mut().and_then(|fields| fields.remove("earlier"));
        if let Some(Value::Array(older)) = older {
            self.earlier.extend(older);
        }
        self.earlier.push(before);
    }
}

fn operating_system() -> String {
    let name = std::env::consts::OS;
    match fs::read_to_string("/proc/sys/kernel/osrelease") {
        Ok(release) => format!("{name} {}", release.trim()),
        Err(_) => name.to_string(),
    }
}

fn cpu() -> Option<String> {
    let content = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = content.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// A time as `2026-11-21T09:30:00Z`.
///
/// Days become a date as in Howard Hinnant, *chrono-compatible low-level date algorithms* (2013), `civil_from_days`.
pub(crate) fn utc(time: SystemTime) -> String {
    // A clock before 1970 is wrong in any case.
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    // Years start in March, so that the leap day is the last of a year; an era has 400 of them.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_since_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_since_march + 2) / 5 + 1;
    let month = if months_since_march < 10 { months_since_march + 3 } else { months_since_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn dates_are_right_around_leap_days_and_centuries() {
        // Seconds from `date -u -d ... +%s`.
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn earlier_starts_are_kept_in_order() {
        let mut third = Environment::collect();
        third.follow(json!({"seed": 2, "earlier": [{"seed": 1}]}));
        assert_eq!(third.earlier, [json!({"seed": 1}), json!({"seed": 2})]);
    }

    #[test]
    fn versions_are_known() {
        let environment = Environment::collect();
        assert!(environment.rustc.starts_with("rustc 1."), "{}", environment.rustc);
        assert!(environment.burn.starts_with("0."), "{}", environment.burn);
        assert!(environment.threads > 0 && !environment.command_line.is_empty());
    }
}
