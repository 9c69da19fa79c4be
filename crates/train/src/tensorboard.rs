//! Event files that TensorBoard reads.
//!
//! The format is a sequence of records, each a length and a protocol-buffer message with masked CRC-32C sums (TensorFlow,
//! `core/lib/io/record_writer.h`, `core/util/event.proto`). A process writes a file of its own; one that resumes says from
//! which step on the events of earlier files no longer count.

use crate::{Error, Result};
use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// The folder within a run.
const FOLDER: &str = "tensorboard";

/// The events of one piece of work; the file is made with the first of them.
#[derive(Debug)]
pub(crate) struct EventFile {
    folder: PathBuf,
    file: Option<(PathBuf, File)>,
}

impl EventFile {
    /// TensorBoard shows each folder as a run of its own.
    pub(crate) fn new(run: &Path, work: &str) -> Self {
        Self { folder: run.join(FOLDER).join(work), file: None }
    }

    /// Whether an earlier process wrote events.
    pub(crate) fn exist(&self) -> bool {
        self.folder.is_dir()
    }

    /// Says that events after `step` are taken back.
    pub(crate) fn restart(&mut self, step: u64) -> Result<()> {
        let mut log = Message::default();
        log.varint(1, 1); // SessionLog.status = START
        let mut event = Message::event(now(), step.saturating_add(1));
        event.message(7, &log);
        self.write(&event)
    }

    /// Appends numbers of one step.
    pub(crate) fn append<'a>(&mut self, step: u64, values: impl Iterator<Item = (&'a str, f64)>) -> Result<()> {
        let mut summary = Message::default();
        for (tag, number) in values {
            let mut value = Message::default();
            value.bytes(1, tag.as_bytes());
            value.float(2, number as f32);
            summary.message(1, &value);
        }
        let mut event = Message::event(now(), step);
        event.message(5, &summary);
        self.write(&event)
    }

    fn write(&mut self, event: &Message) -> Result<()> {
        if self.file.is_none() {
            self.file = Some(self.create()?);
        }
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        file.write_all(&event.record()).map_err(Error::io("append to", path.as_path()))
    }

    fn create(&self) -> Result<(PathBuf, File)> {
        fs::create_dir_all(&self.folder).map_err(Error::io("create the folder", &self.folder))?;
        let time = now();
        let mut number = 0;
        loop {
            let name = format!("events.out.tfevents.{:010}.cupel.{}.{number}", time as u64, std::process::id());
            let path = self.folder.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    let mut version = Message::event(time, 0);
                    version.bytes(3, b"brain.Event:2");
                    file.write_all(&version.record()).map_err(Error::io("write", path.as_path()))?;
                    return Ok((path, file));
                }
                Err(source) if source.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
                Err(source) => return Err(Error::Io { action: "create", path, source }),
            }
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// A protocol-buffer message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn event(wall_time: f64, step: u64) -> Self {
        let mut event = Self::default();
        event.key(1, 1);
        event.0.extend(wall_time.to_le_bytes());
        event.varint(2, step);
        event
    }

    fn key(&mut self, field: u8, wire_type: u8) {
        self.0.push(field << 3 | wire_type);
    }

    fn raw_varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn varint(&mut self, field: u8, value: u64) {
        self.key(field, 0);
        self.raw_varint(value);
    }

    fn float(&mut self, field: u8, value: f32) {
        self.key(field, 5);
        self.0.extend(value.to_le_bytes());
    }

    fn bytes(&mut self, field: u8, content: &[u8]) {
        self.key(field, 2);
        self.raw_varint(content.len() as u64);
        self.0.extend(content);
    }

    fn message(&mut self, field: u8, message: &Self) {
        self.bytes(field, &message.0);
    }

    fn record(&self) -> Vec<u8> {
        let length = (self.0.len() as u64).to_le_bytes();
        let mut record = length.to_vec();
        record.extend(masked_sum(&length).to_le_bytes());
        record.extend(&self.0);
        record.extend(masked_sum(&self.0).to_le_bytes());
        record
    }
}

/// A sum over data that hold sums themselves is masked, so that they do not cancel.
fn masked_sum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_begins_with_its_length_and_the_masked_sum_of_that() {
        // the sum was computed bit by bit from the polynomial of CRC-32C; TensorBoard itself reads the files in CI
        let mut version = Message::event(0.0, 0);
        version.0.truncate(9); // without the step, which may be left out
        version.bytes(3, b"brain.Event:2");
        let record = version.record();
        assert_eq!(&record[..8], 24u64.to_le_bytes());
        assert_eq!(&record[8..12], 0x224b_7fa3_u32.to_le_bytes());
    }

    #[test]
    fn varints_have_seven_bits_a_byte() {
        let mut message = Message::default();
        message.varint(2, 300);
        assert_eq!(message.0, [0x10, 0xac, 0x02]);
    }

    #[test]
    fn two_files_of_one_second_do_not_meet() {
        let folder = tempfile::tempdir().unwrap();
        for step in 0..3 {
            EventFile::new(folder.path(), "work").append(step, [("loss", 0.5)].into_iter()).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path().join(FOLDER).join("work")).unwrap().count(), 3);
    }
}
