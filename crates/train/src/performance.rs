//! [`PerformanceMonitor`]: where the time of a training goes.
//!
//! A device may still compute when a call returns. The monitor therefore waits for it at both edges of every phase, which
//! makes the numbers right and the training a little slower: it is off unless asked for.

use crate::{Error, Result, folder::save_json};
use burn::tensor::Device;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    fs,
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Spans that a trace holds at most; a longer training is traced from its start.
const MOST_SPANS: usize = 200_000;
/// Rows of [`PerformanceMonitor::log_summary`].
const SHOWN_PHASES: usize = 10;

/// Takes the time of phases, which may lie within each other; its clones take it together.
///
/// Phases belong to the thread that drives the work; what others do within a phase counts as that phase.
#[derive(Clone, Debug)]
pub struct PerformanceMonitor {
    active: Option<Arc<Active>>,
}

#[derive(Debug)]
struct Active {
    device: Device,
    started: Instant,
    record: Mutex<Record>,
}

impl Active {
    /// Since the first process began.
    fn seconds(&self) -> f64 {
        self.record().sums.seconds + self.started.elapsed().as_secs_f64()
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct Record {
    sums: Sums,
    /// Time of the phases within each phase that is open.
    open: Vec<Duration>,
    spans: Vec<Span>,
}

/// What outlives a process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sums {
    phases: Vec<Phase>,
    samples: f64,
    /// Time of earlier processes.
    seconds: f64,
}

/// The time of one phase.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: Cow<'static, str>,
    /// How often it ran.
    pub calls: u64,
    /// Time in it, in seconds.
    pub total_seconds: f64,
    /// Time in it and in no phase within it, in seconds.
    pub own_seconds: f64,
}

#[derive(Debug)]
struct Span {
    name: &'static str,
    start: Duration,
    length: Duration,
}

impl PerformanceMonitor {
    /// A monitor that only calls through.
    pub fn off() -> Self {
        Self { active: None }
    }

    /// A monitor that waits for `device` at the edges of phases.
    pub fn new(device: &Device) -> Self {
        let record = Mutex::default();
        Self { active: Some(Arc::new(Active { device: device.clone(), started: Instant::now(), record })) }
    }

    /// Whether it takes times.
    pub fn is_on(&self) -> bool {
        self.active.is_some()
    }

    /// Runs `work` as the phase `name`.
    pub fn phase<T>(&self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let Some(active) = &self.active else {
            return work();
        };
        // A device that fails says so where its result is read.
        let _ = active.device.sync();
        let start = active.started.elapsed();
        active.record().open.push(Duration::ZERO);
        let result = work();
        let _ = active.device.sync();
        let length = active.started.elapsed() - start;
        let mut record = active.record();
        let within = record.open.pop().unwrap_or_default();
        if let Some(outer) = record.open.last_mut() {
            *outer += length;
        }
        record.add(name, length, within);
        if record.spans.len() < MOST_SPANS {
            record.spans.push(Span { name, start, length });
        }
        result
    }

    /// Counts samples, for their rate.
    pub fn count_samples(&self, samples: f64) {
        if let Some(active) = &self.active {
            active.record().sums.samples += samples;
        }
    }

    /// The phases in the order of their own time, longest first.
    pub fn phases(&self) -> Vec<Phase> {
        let mut phases = self.active.as_ref().map_or_else(Vec::new, |active| active.record().sums.phases.clone());
        phases.sort_by(|a, b| b.own_seconds.total_cmp(&a.own_seconds));
        phases
    }

    /// Samples per second since the monitor was made, and over the earlier processes of its run; `None` where it is off.
    pub fn samples_per_second(&self) -> Option<f64> {
        let active = self.active.as_ref()?;
        let seconds = active.seconds();
        Some(active.record().sums.samples / seconds)
    }

    /// Adds the sums that earlier processes left at `path`; those of a killed one are lost.
    pub(crate) fn take_up(&self, path: &Path) {
        let earlier = fs::read(path).ok().and_then(|bytes| serde_json::from_slice::<Sums>(&bytes).ok());
        if let (Some(active), Some(earlier)) = (&self.active, earlier) {
            active.record().sums = earlier;
        }
    }

    /// Leaves the sums at `path`.
    pub(crate) fn leave(&self, path: &Path) -> Result<()> {
        let Some(active) = &self.active else { return Ok(()) };
        let seconds = active.seconds();
        save_json(path, &Sums { seconds, ..active.record().sums.clone() })
    }

    /// A table of the costliest phases, samples per second and memory.
    pub fn log_summary(&self) -> String {
        let Some(active) = &self.active else {
            return "no times were taken\n".into();
        };
        let elapsed = active.seconds();
        let phases = self.phases();
        let shown = &phases[..phases.len().min(SHOWN_PHASES)];
        let width = shown.iter().map(|phase| phase.name.len()).max().unwrap_or(0).max("phase".len());
        let mut text = format!("{:<width$} {:>8} {:>10} {:>10} {:>7}\n", "phase", "calls", "total s", "own s", "own %");
        for phase in shown {
            let share = 100.0 * phase.own_seconds / elapsed;
            let Phase { name, calls, total_seconds, own_seconds } = phase;
            text += &format!("{name:<width$} {calls:>8} {total_seconds:>10.3} {own_seconds:>10.3} {share:>7.1}\n");
        }
        if let Some(rate) = self.samples_per_second().filter(|rate| *rate > 0.0) {
            text += &format!("{rate:.1} samples/s\n");
        }
        for (name, bytes) in memory(&active.device) {
            text += &format!("{name} {:.1} MiB\n", bytes as f64 / f64::from(1 << 20));
        }
        for (gpu, percent) in gpu_utilisation().into_iter().enumerate() {
            text += &format!("GPU {gpu} busy {percent} % of the last second\n");
        }
        text
    }

    /// Writes the phases as a trace that `chrome://tracing` and Perfetto open.
    ///
    /// # Errors
    /// [`Error::Io`] where the file cannot be written.
    pub fn write_chrome_trace(&self, path: &Path) -> Result<()> {
        #[derive(Serialize)]
        struct Event<'a> {
            name: &'a str,
            ph: &'a str,
            ts: f64,
            dur: f64,
            pid: u32,
            tid: u32,
        }
        let record = self.active.as_ref().map(|active| active.record());
        let spans = record.as_ref().map_or(&[][..], |record| &record.spans);
        let microseconds = |time: Duration| time.as_secs_f64() * 1e6;
        let events: Vec<Event> = spans
            .iter()
            .map(|span| Event {
                name: span.name,
                ph: "X",
                ts: microseconds(span.start),
                dur: microseconds(span.length),
                pid: std::process::id(),
                tid: 1,
            })
            .collect();
        let content = serde_json::to_vec(&events).map_err(Error::encoding("encode", "the trace"))?;
        Ok(cupel_data::write_atomic(path, |file| {
            file.write_all(&content).map_err(cupel_data::Error::io("write", path))
        })?)
    }
}

impl Record {
    fn add(&mut self, name: &'static str, length: Duration, within: Duration) {
        let phases = &mut self.sums.phases;
        let at = phases.iter().position(|phase| phase.name == name).unwrap_or_else(|| {
            phases.push(Phase { name: name.into(), calls: 0, total_seconds: 0.0, own_seconds: 0.0 });
            phases.len() - 1
        });
        let phase = &mut phases[at];
        phase.calls += 1;
        phase.total_seconds += length.as_secs_f64();
        phase.own_seconds += length.saturating_sub(within).as_secs_f64();
    }
}

/// Memory of this process and of the device in bytes, as far as they tell.
pub fn memory(device: &Device) -> Vec<(&'static str, u64)> {
    let mut found = Vec::new();
    for (name, line) in [("host memory", "VmRSS:"), ("host memory, peak", "VmHWM:")] {
        found.extend(status_bytes(line).map(|bytes| (name, bytes)));
    }
    if let Some(usage) = device.memory_pool_usage() {
        found.push(("device memory in use", usage.bytes_in_use));
        found.push(("device memory reserved", usage.bytes_reserved));
    }
    found
}

/// How busy each NVIDIA GPU is in per cent, by its driver; empty without one.
#[cfg(feature = "cuda")]
fn gpu_utilisation() -> Vec<u32> {
    let Ok(nvml) = nvml_wrapper::Nvml::init() else { return Vec::new() };
    let busy = |index| Some(nvml.device_by_index(index).ok()?.utilization_rates().ok()?.gpu);
    (0..nvml.device_count().unwrap_or(0)).filter_map(busy).collect()
}

#[cfg(not(feature = "cuda"))]
fn gpu_utilisation() -> Vec<u32> {
    Vec::new()
}

/// A line of `/proc/self/status`, where there is one.
fn status_bytes(line: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|text| text.strip_prefix(line))?.trim().strip_suffix(" kB")?.trim();
    kibibytes.parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, thread::sleep};

    fn monitor() -> PerformanceMonitor {
        let monitor = PerformanceMonitor::new(&Device::flex());
        for _ in 0..2 {
            monitor.phase("step", || {
                sleep(Duration::from_millis(5));
                monitor.phase("forward", || sleep(Duration::from_millis(10)));
            });
            monitor.count_samples(8.0);
        }
        monitor
    }

    #[test]
    fn phases_within_phases_are_told_apart() {
        // by name: on a busy machine either may have taken longer
        let phases: BTreeMap<_, _> = monitor().phases().into_iter().map(|phase| (phase.name.clone(), phase)).collect();
        let called: Vec<_> = phases.values().map(|phase| (&*phase.name, phase.calls)).collect();
        assert_eq!(called, [("forward", 2), ("step", 2)]);
        let (forward, step) = (&phases["forward"], &phases["step"]);
        assert!(forward.own_seconds >= 0.02 && step.own_seconds >= 0.01);
        assert!(step.total_seconds >= forward.total_seconds + step.own_seconds - 1e-9);
    }

    #[test]
    fn the_summary_and_the_trace_hold_every_phase() {
        let folder = tempfile::tempdir().unwrap();
        let monitor = monitor();
        let text = monitor.log_summary();
        assert!(text.contains("forward") && text.contains("samples/s"), "{text}");
        let path = folder.path().join("trace.json");
        monitor.write_chrome_trace(&path).unwrap();
        let events: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        assert_eq!(events.len(), 4);
        assert!(events.iter().all(|e| e["ph"] == "X" && e["dur"].as_f64().unwrap() > 0.0));
    }

    #[test]
    fn the_sums_are_those_of_all_processes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sums.json");
        let (first, second) = (monitor(), monitor());
        first.leave(&path).unwrap();
        let alone = second.samples_per_second().unwrap();
        second.take_up(&path);
        second.phase("step", || ());
        let calls: BTreeMap<_, _> =
            second.phases().into_iter().map(|phase| (phase.name.clone(), phase.calls)).collect();
        assert_eq!(calls, BTreeMap::from([("forward".into(), 2), ("step".into(), 3)]));
        assert!(second.log_summary().contains("samples/s") && second.samples_per_second().unwrap() < alone);
    }

    #[test]
    fn off_is_off() {
        let monitor = PerformanceMonitor::off();
        assert_eq!(monitor.phase("forward", || 7), 7);
        assert!(monitor.phases().is_empty() && monitor.samples_per_second().is_none());
    }
}
