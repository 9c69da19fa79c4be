//! `cupel doctor`: what this binary can compute on, and whether it does.

use std::{cell::Cell, env::consts, fmt, fs, thread};

use anyhow::Result;
use clap::Args;
use cupel::train::{self, device};
use serde::Serialize;

use crate::{
    Command, Session,
    shared::{Output, Shared},
};

/// Say what this machine has, which compiled devices pass a real probe, and which one --device means
#[derive(Args)]
pub struct Arguments {
    /// The device that has to work: auto, cpu, or a compiled device such as cuda:0 or wgpu:1
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    device: String,

    #[command(flatten)]
    output: Output,
}

impl Command for Arguments {
    type Plan = Report;
    type Outcome = Report;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output)
    }

    /// Probes every device, and fails where the one asked for does not work.
    fn plan(&self, _: &Session) -> Result<Report> {
        let devices = device::doctor().into_iter().map(Device::from).collect();
        let chosen = device::select(&self.device).map(|chosen| Chosen { name: chosen.name, reason: chosen.reason });
        let (chosen, problem) = chosen.map_or_else(|problem| (None, Some(problem)), |chosen| (Some(chosen), None));
        Ok(Report { machine: Machine::here(), devices, chosen, problem: Cell::new(problem) })
    }

    fn work(self, report: Report, _: &mut Session) -> Result<Report> {
        Ok(report)
    }

    fn verdict(report: &Report) -> Result<()> {
        report.problem.take().map_or(Ok(()), |problem| Err(problem.into()))
    }
}

/// What `doctor` prints.
#[derive(Serialize)]
pub struct Report {
    #[serde(flatten)]
    machine: Machine,
    devices: Vec<Device>,
    chosen: Option<Chosen>,
    /// Why none could be chosen.
    #[serde(skip)]
    problem: Cell<Option<train::Error>>,
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

#[derive(Serialize)]
struct Device {
    name: String,
    works: bool,
    why_not: Option<String>,
    dtypes: Vec<&'static str>,
}

#[derive(Serialize)]
struct Chosen {
    name: String,
    reason: String,
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
            memory_bytes: bytes(&memory, "MemTotal"),
            free_memory_bytes: bytes(&memory, "MemAvailable"),
        }
    }
}

impl From<device::DeviceReport> for Device {
    fn from(report: device::DeviceReport) -> Self {
        Self { name: report.name, works: report.works, why_not: report.why_not, dtypes: report.dtypes }
    }
}

/// The value of the first line `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}

/// A line of /proc/meminfo in bytes.
pub fn bytes(text: &str, name: &str) -> Option<u64> {
    let kibibytes: u64 = field(text, name)?.strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let machine = &self.machine;
        writeln!(f, "cupel      {}", machine.version)?;
        writeln!(f, "system     {}", machine.system)?;
        if let Some(processor) = &machine.processor {
            writeln!(f, "processor  {processor}")?;
        }
        writeln!(f, "threads    {}", machine.threads)?;
        if let (Some(all), Some(free)) = (machine.memory_bytes, machine.free_memory_bytes) {
            let (all, free) = (gibibytes(all), gibibytes(free));
            writeln!(f, "memory     {all:.1} GiB, {free:.1} GiB free")?;
        }
        for device in &self.devices {
            let verdict = match &device.why_not {
                None => format!("works with {}", device.dtypes.join(", ")),
                Some(reason) => format!("does not work: {reason}"),
            };
            writeln!(f, "device     {}: {verdict}", device.name)?;
        }
        if let Some(Chosen { name, reason }) = &self.chosen {
            writeln!(f, "chosen     {name} ({reason})")?;
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
        assert_eq!(bytes(memory, "MemTotal"), Some(24_594_528 * 1024));
        assert_eq!(bytes(memory, "MemAvailable"), None);
        assert_eq!(bytes("MemTotal: many kB", "MemTotal"), None);
        let processors = "processor\t: 0\nmodel name\t: A: B\n";
        assert_eq!(field(processors, "model name"), Some("A: B"));
    }
}
