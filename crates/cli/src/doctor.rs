//! `cupel doctor`: what this binary can compute on, and whether it does.

use std::{env::consts, fmt, fs, thread};

use anyhow::Result;
use clap::Args;
use serde::Serialize;

use crate::{Ending, options::Options, output::Output};

/// Say what this binary was built with, what this machine has, and which devices pass a real probe
#[derive(Args)]
pub struct Arguments {
    #[command(flatten)]
    options: Options,
}

impl Arguments {
    /// Probes and prints.
    pub fn run(self) -> Result<Ending> {
        self.options.apply()?;
        Output::new(&self.options).result(&Machine::here())?;
        Ok(Ending::Done)
    }
}

/// The machine, as far as the operating system tells without asking for rights.
#[derive(Serialize)]
struct Machine {
    version: &'static str,
    system: String,
    processor: Option<String>,
    threads: usize,
    memory_bytes: Option<u64>,
    free_memory_bytes: Option<u64>,
}

impl Machine {
    fn here() -> Self {
        // Linux tells all of this in two files; elsewhere the lines are left out.
        let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            system: format!("{} {}", consts::OS, consts::ARCH),
            processor: field(&processors, "model name").map(str::to_owned),
            threads: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: kibibytes(&memory, "MemTotal"),
            free_memory_bytes: kibibytes(&memory, "MemAvailable"),
        }
    }
}

/// The value of the first line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    field(text, name)?
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()?
        .checked_mul(1024)
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "cupel      {}", self.version)?;
        writeln!(f, "system     {}", self.system)?;
        if let Some(processor) = &self.processor {
            writeln!(f, "processor  {processor}")?;
        }
        writeln!(f, "threads    {}", self.threads)?;
        if let (Some(all), Some(free)) = (self.memory_bytes, self.free_memory_bytes) {
            writeln!(
                f,
                "memory     {:.1} GiB, {:.1} GiB free",
                gibibytes(all),
                gibibytes(free)
            )?;
        }
        Ok(())
    }
}

fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_linux_are_read() {
        let memory = "MemTotal:       24594528 kB\nMemFree:  1 kB\n";
        assert_eq!(kibibytes(memory, "MemTotal"), Some(24_594_528 * 1024));
        assert_eq!(kibibytes(memory, "MemAvailable"), None);
        assert_eq!(kibibytes("MemTotal: many kB", "MemTotal"), None);
        assert_eq!(
            field("processor\t: 0\nmodel name\t: A: B\n", "model name"),
            Some("A: B")
        );
    }
}
