//! Named numbers of a step, and the log of a run that keeps them.
//!
//! A run has the same log in two forms. `metrics.jsonl` has one record a line:
//! `{"work":"edaa","step":12,"elapsed_seconds":3.2,"metrics":{"loss":0.5}}`; a value that is not finite is the text
//! `"NaN"`, `"inf"` or `"-inf"`, which JSON has no number for. `metrics.csv` has one *number* a line,
//! `work,step,elapsed_seconds,metric,value`: names that first appear late in a run then need no new column, and lines
//! once written never change. `tensorboard/` has the numbers of each piece of work for TensorBoard, whose step is the number of
//! advances.

use crate::{Error, Result, tensorboard::EventFile};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    borrow::Cow,
    collections::HashMap,
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

const JSON_LINES: &str = "metrics.jsonl";
const CSV: &str = "metrics.csv";
const CSV_HEADER: &str = "work,step,elapsed_seconds,metric,value\n";

/// Named numbers in the order they were given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metrics(Vec<(Cow<'static, str>, f64)>);

impl Metrics {
    /// No numbers.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a number.
    pub fn push(&mut self, name: impl Into<Cow<'static, str>>, value: f64) {
        self.0.push((name.into(), value));
    }

    /// The number of this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// All names and numbers.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> + Clone {
        self.0.iter().map(|(name, value)| (name.as_ref(), *value))
    }

    /// Whether there is no number.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Metrics {
    /// A list of pairs; JSON has no numbers that are not finite, so they are texts as in the log.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|(name, value)| (name, number(value))))
    }
}

impl<'de> Deserialize<'de> for Metrics {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Number {
            Finite(f64),
            Other(String),
        }
        let pairs = Vec::<(String, Number)>::deserialize(deserializer)?;
        let value = |number| match number {
            Number::Finite(value) => Ok(value),
            Number::Other(text) => text.parse().map_err(serde::de::Error::custom),
        };
        pairs.into_iter().map(|(name, number)| Ok((name, value(number)?))).collect()
    }
}

impl<const N: usize> From<[(&'static str, f64); N]> for Metrics {
    fn from(values: [(&'static str, f64); N]) -> Self {
        values.into_iter().collect()
    }
}

impl<S: Into<Cow<'static, str>>> FromIterator<(S, f64)> for Metrics {
    fn from_iter<I: IntoIterator<Item = (S, f64)>>(values: I) -> Self {
        Self(values.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

/// One line of `metrics.jsonl`.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    #[serde(skip_serializing_if = "Option::is_none")]
    work: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<u64>,
    elapsed_seconds: f64,
    metrics: Map<String, Value>,
}

/// The files of a run's log.
#[derive(Debug)]
pub(crate) struct MetricLog {
    folder: PathBuf,
    json_lines: File,
    csv: File,
    events: HashMap<String, EventFile>,
    /// Time of earlier processes that worked on the run.
    elapsed_before_seconds: f64,
    started: Instant,
}

impl MetricLog {
    /// Opens the log in `folder`, and makes it where there is none.
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let json_lines = append(&folder.join(JSON_LINES))?;
        let mut csv = append(&folder.join(CSV))?;
        let csv_path = folder.join(CSV);
        if csv.metadata().map_err(Error::io("read", &csv_path))?.len() == 0 {
            csv.write_all(CSV_HEADER.as_bytes()).map_err(Error::io("write", &csv_path))?;
        }
        let elapsed_before_seconds = read(&folder.join(JSON_LINES))?
            .lines()
            .rev()
            .find_map(|line| serde_json::from_str::<Record>(line).ok())
            .map_or(0.0, |record| record.elapsed_seconds);
        let folder = folder.to_path_buf();
        let events = HashMap::new();
        Ok(Self { folder, json_lines, csv, events, elapsed_before_seconds, started: Instant::now() })
    }

    /// Working time of the run so far, over all processes.
    pub(crate) fn elapsed_seconds(&self) -> f64 {
        self.elapsed_before_seconds + self.started.elapsed().as_secs_f64()
    }

    /// Appends a record; `at` is the name of the work and the number of its advances.
    pub(crate) fn append<'a>(
        &mut self,
        at: Option<(&str, u64)>,
        values: impl Iterator<Item = (&'a str, f64)> + Clone,
    ) -> Result<()> {
        if values.clone().next().is_none() {
            return Ok(());
        }
        let elapsed_seconds = (self.elapsed_seconds() * 1e3).round() / 1e3;
        let (work, step) = at.map_or(("", String::new()), |(work, step)| (work, step.to_string()));
        let mut lines = String::new();
        for (name, value) in values.clone() {
            let name = quoted(name);
            // `{:?}` is the shortest text that reads back to the same number.
            lines += &format!("{work},{step},{elapsed_seconds},{name},{value:?}\n");
        }
        if let Some((work, step)) = at {
            self.events(work).append(step, values.clone())?;
        }
        let record = Record {
            work: at.map(|(work, _)| work.to_string()),
            step: at.map(|(_, step)| step),
            elapsed_seconds,
            metrics: values.map(|(name, value)| (name.to_string(), number(value))).collect(),
        };
        let mut line = serde_json::to_string(&record).map_err(Error::encoding("encode", "metrics"))?;
        line.push('\n');
        // One write a record, so that a kill tears at most the last line.
        let json_path = self.folder.join(JSON_LINES);
        self.json_lines.write_all(line.as_bytes()).map_err(Error::io("append to", json_path))?;
        let csv_path = self.folder.join(CSV);
        self.csv.write_all(lines.as_bytes()).map_err(Error::io("append to", csv_path))
    }

    fn events(&mut self, work: &str) -> &mut EventFile {
        let folder = &self.folder;
        self.events.entry(work.to_string()).or_insert_with(|| EventFile::new(folder, work))
    }

    /// Takes back what `work` logged after its advance number `step`, because it goes on from there.
    pub(crate) fn rewind(&mut self, work: &str, step: u64) -> Result<()> {
        if self.events(work).exist() {
            self.events(work).restart(step)?;
        }
        let stays = |line: &str| {
            serde_json::from_str::<Record>(line)
                .is_ok_and(|record| record.work.as_deref() != Some(work) || record.step.is_none_or(|at| at <= step))
        };
        let rewound = rewrite(&self.folder.join(JSON_LINES), stays)?;
        let csv_stays = |line: &str| {
            let mut cells = line.split(',');
            cells.next() != Some(work)
                || cells.next().and_then(|cell| cell.parse::<u64>().ok()).is_none_or(|at| at <= step)
        };
        let rewound_csv = rewrite(&self.folder.join(CSV), csv_stays)?;
        if rewound || rewound_csv {
            // The files were replaced: the old handles lead to what is gone.
            self.json_lines = append(&self.folder.join(JSON_LINES))?;
            self.csv = append(&self.folder.join(CSV))?;
        }
        Ok(())
    }
}

/// Opens a file of lines to append to, without the torn last line that a killed process may have left.
fn append(path: &Path) -> Result<File> {
    let file = OpenOptions::new().create(true).append(true).open(path).map_err(Error::io("open", path))?;
    let content = fs::read(path).map_err(Error::io("read", path))?;
    let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    if whole < content.len() {
        file.set_len(whole as u64).map_err(Error::io("repair", path))?;
    }
    Ok(file)
}

fn read(path: &Path) -> Result<String> {
    let bytes = fs::read(path).map_err(Error::io("read", path))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Keeps the lines that `stays` accepts; says whether any had to go.
fn rewrite(path: &Path, stays: impl Fn(&str) -> bool) -> Result<bool> {
    let content = read(path)?;
    let kept: String = content.split_inclusive('\n').filter(|line| stays(line)).collect();
    if kept.len() == content.len() {
        return Ok(false);
    }
    cupel_data::write_atomic(path, |file| {
        file.write_all(kept.as_bytes()).map_err(cupel_data::Error::io("write", path))
    })?;
    Ok(true)
}

fn number(value: f64) -> Value {
    serde_json::Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)
}

/// A CSV cell (RFC 4180).
fn quoted(name: &str) -> Cow<'_, str> {
    if name.contains([',', '"', '\n', '\r']) {
        Cow::Owned(format!("\"{}\"", name.replace('"', "\"\"").replace(['\n', '\r'], " ")))
    } else {
        Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(folder: &Path, work: &str) -> Vec<u64> {
        read(&folder.join(JSON_LINES))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Record>(line).unwrap())
            .filter(|record| record.work.as_deref() == Some(work))
            .filter_map(|record| record.step)
            .collect()
    }

    fn log(folder: &Path, work: &str, steps: std::ops::RangeInclusive<u64>) -> MetricLog {
        let mut log = MetricLog::open(folder).unwrap();
        for step in steps {
            log.append(Some((work, step)), [("loss", 0.5 * step as f64)].into_iter()).unwrap();
        }
        log
    }

    #[test]
    fn both_files_hold_every_number() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log(folder.path(), "edaa", 1..=2);
        log.append(None, [("seconds", 1.5), ("new, late", 2.0)].into_iter()).unwrap();
        let csv = read(&folder.path().join(CSV)).unwrap();
        let cells: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!(cells[0].join(","), CSV_HEADER.trim_end());
        assert_eq!((cells[2][0], cells[2][1], cells[2][3], cells[2][4]), ("edaa", "2", "loss", "1.0"));
        assert_eq!((cells[3][0], cells[3][1], cells[3][3]), ("", "", "seconds"));
        assert!(csv.lines().last().unwrap().contains("\"new, late\",2.0"));
        let json = read(&folder.path().join(JSON_LINES)).unwrap();
        let last: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
        assert_eq!(last["metrics"]["seconds"], 1.5);
        assert!(last.get("work").is_none());
    }

    #[test]
    fn numbers_that_are_not_finite_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = MetricLog::open(folder.path()).unwrap();
        let values = [("a", f64::NAN), ("b", f64::INFINITY), ("c", f64::NEG_INFINITY)];
        log.append(Some(("work", 1)), values.into_iter()).unwrap();
        let json: Value = serde_json::from_str(read(&folder.path().join(JSON_LINES)).unwrap().trim()).unwrap();
        assert_eq!(json["metrics"], serde_json::json!({"a": "NaN", "b": "inf", "c": "-inf"}));
        let csv = read(&folder.path().join(CSV)).unwrap();
        assert!(csv.contains(",a,NaN\n") && csv.contains(",b,inf\n") && csv.contains(",c,-inf\n"));
    }

    #[test]
    fn rewinding_takes_back_the_later_steps_of_this_work_only() {
        let folder = tempfile::tempdir().unwrap();
        let mut log = log(folder.path(), "first", 1..=3);
        log.append(None, [("seconds", 9.0)].into_iter()).unwrap();
        for step in 1..=5 {
            log.append(Some(("second", step)), [("loss", 1.0)].into_iter()).unwrap();
        }
        log.rewind("second", 2).unwrap();
        log.append(Some(("second", 3)), [("loss", 7.0)].into_iter()).unwrap();
        assert_eq!(steps(folder.path(), "first"), [1, 2, 3]);
        assert_eq!(steps(folder.path(), "second"), [1, 2, 3]);
        let csv = read(&folder.path().join(CSV)).unwrap();
        assert_eq!(csv.lines().count(), 1 + 3 + 1 + 3);
        assert!(csv.lines().last().unwrap().ends_with("loss,7.0"));
    }

    #[test]
    fn a_torn_last_line_is_dropped_wherever_it_breaks() {
        let whole = tempfile::tempdir().unwrap();
        drop(log(whole.path(), "work", 1..=3));
        let content = fs::read(whole.path().join(JSON_LINES)).unwrap();
        for cut in 0..content.len() {
            let folder = tempfile::tempdir().unwrap();
            fs::write(folder.path().join(JSON_LINES), &content[..cut]).unwrap();
            let complete = content[..cut].iter().filter(|byte| **byte == b'\n').count() as u64;
            drop(log(folder.path(), "work", complete + 1..=3));
            assert_eq!(steps(folder.path(), "work"), [1, 2, 3], "cut at byte {cut}");
        }
    }

    #[test]
    fn time_goes_on_where_the_last_process_stopped() {
        let folder = tempfile::tempdir().unwrap();
        let line = "{\"elapsed_seconds\":120.5,\"metrics\":{\"loss\":1.0}}\n";
        fs::write(folder.path().join(JSON_LINES), line).unwrap();
        let log = MetricLog::open(folder.path()).unwrap();
        assert!(log.elapsed_seconds() >= 120.5 && log.elapsed_seconds() < 180.0);
    }
}
