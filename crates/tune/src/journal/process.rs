//! [`Process`]: which process on which machine wrote a file, and whether it is still there.
//!
//! Linux tells without system calls of ours: a process is gone when `/proc` has no entry of its number and start time.
//! Two containers on one machine number their processes apart, so the machine includes the name space of the numbers.
//! Elsewhere nothing is known of a process, and only its silence counts.

use std::{fs, process};

/// A process, as it writes itself down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    machine: String,
    id: u32,
    /// Clock ticks from the start of the machine to that of the process, because numbers are used again.
    started: u64,
}

impl Process {
    pub(super) fn current() -> Self {
        let id = process::id();
        Self { machine: machine(), id, started: stat(id).map_or(0, |(_, started)| started) }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let machine = words.next()?.to_string();
        Some(Self { machine, id: words.next()?.parse().ok()?, started: words.next()?.parse().ok()? })
    }

    /// In words.
    pub(super) fn describe(&self) -> String {
        let machine = if self.machine == machine() { "" } else { " of another machine or container" };
        format!("process {}{machine}", self.id)
    }

    /// Whether the process is certainly gone; `false` if it is there or on another machine.
    pub(super) fn is_gone(&self) -> bool {
        if self.machine != machine() || stat(process::id()).is_none() {
            return false;
        }
        // A zombie has ended, but its parent has not asked yet.
        stat(self.id).is_none_or(|(state, started)| started != self.started || matches!(state, 'Z' | 'X'))
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {}", self.machine, self.id, self.started)
    }
}

/// This start of this machine, and the name space of process numbers; `-` where neither can be asked for.
fn machine() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    let machine: String =
        format!("{}/{}", boot.trim(), space.display()).split_ascii_whitespace().collect::<Vec<_>>().concat();
    if boot.is_empty() { "-".into() } else { machine }
}

/// State and start time of a process (fields 3 and 22 of `/proc/ID/stat`, after the name in brackets).
fn stat(id: u32) -> Option<(char, u64)> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let mut fields = stat[stat.rfind(')')? + 1..].split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_gone_when_it_ended_even_unasked_and_when_its_number_is_used_again() {
        let own = Process::current();
        assert_eq!(Process::parse(&own.to_string()), Some(own.clone()));
        assert!(!own.is_gone());
        assert!(Process { started: own.started + 1, ..own.clone() }.is_gone());
        assert!(!Process { machine: "elsewhere".into(), id: u32::MAX, started: 1 }.is_gone());

        let mut child = process::Command::new("sleep").arg("60").spawn().unwrap();
        let (_, started) = stat(child.id()).unwrap();
        let other = Process { id: child.id(), started, ..own };
        assert!(!other.is_gone());
        child.kill().unwrap();
        while stat(child.id()).is_some_and(|(state, _)| state != 'Z') {
            std::thread::yield_now();
        }
        assert!(other.is_gone());
        child.wait().unwrap();
        assert!(other.is_gone());
    }
}
