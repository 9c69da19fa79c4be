//! [`Journal`]: an append-only file of JSON lines that is the whole truth about its studies.
//!
//! It is the format of Optuna's `JournalStorage` with a `JournalFileBackend` (Optuna 3 to 5), and workers of both may
//! use one file at once. A reader takes whole lines only. A writer holds the [`lock::Lock`], reads what is new, decides,
//! appends its lines in one write and forces them to the disk; so what it decided upon is still true when its lines
//! are there. Half a line at the end was left by a writer that died; nobody has taken it, and the next writer of this
//! library cuts it off.

mod clock;
mod json;
mod lock;
mod operation;
mod process;
mod replay;
mod workers;

pub(crate) use json::{as_number, number};
pub(crate) use operation::{Operation, Template, from_attribute, to_attribute};
pub(crate) use replay::Replay;
pub(crate) use workers::Workers;

use crate::{Error, Result};
use lock::Lock;
use std::{
    fs::{File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    time::Duration,
};

/// What is wrong with a line, for [`Error::Journal`].
type Problem = String;

/// A journal that this process reads and writes as one worker.
#[derive(Debug)]
pub(crate) struct Journal {
    reader: Reader,
    lock: Lock,
    workers: Workers,
}

impl Journal {
    /// Opens the journal, or creates it, and joins its workers.
    pub(crate) fn open(path: &Path, interval: Duration, grace: Duration) -> Result<Self> {
        cupel_data::announce_write(path);
        OpenOptions::new().create(true).append(true).open(path).map_err(Error::io("open", path))?;
        let workers = Workers::join(path, interval, grace)?;
        let lock = Lock::new(path, &Workers::folder(path));
        let mut journal = Self { reader: Reader::new(path), lock, workers };
        journal.sync()?;
        Ok(journal)
    }

    /// The state as far as it has been read.
    pub(crate) fn state(&self) -> &Replay {
        &self.reader.state
    }

    /// This worker and its view of the others.
    pub(crate) fn workers(&self) -> &Workers {
        &self.workers
    }

    /// Reads what is new.
    pub(crate) fn sync(&mut self) -> Result<()> {
        self.reader.sync()
    }

    /// Lets `decide` see the newest state, appends the operations it returns while nobody else can write, and applies
    /// them here; then the rest of what it returned.
    pub(crate) fn transact<T>(
        &mut self,
        decide: impl FnOnce(&Replay, &Workers) -> Result<(Vec<Operation>, T)>,
    ) -> Result<T> {
        let held = self.lock.take()?;
        self.reader.sync()?;
        let (operations, result) = decide(&self.reader.state, &self.workers)?;
        if operations.is_empty() {
            return Ok(result);
        }
        let lines: String = operations.iter().map(|operation| operation.line(self.workers.own()) + "\n").collect();
        if !held.is_ours() {
            return Err(Error::LockLost { lock: self.lock.path().into() });
        }
        self.append(lines.as_bytes())?;
        drop(held);
        self.reader.sync()?;
        Ok(result)
    }

    fn append(&self, bytes: &[u8]) -> Result<()> {
        let path = &self.reader.path;
        let mut file = OpenOptions::new().append(true).read(true).open(path).map_err(Error::io("open", path))?;
        let length = file.metadata().map_err(Error::io("read", path))?.len();
        if length > self.reader.offset {
            if self.reader.offset == 0 {
                // Nothing shows that it is a journal, so nothing of it is cut off.
                let problem = "no whole line, so nothing shows that the file is a journal".to_string();
                return Err(Error::Journal { path: path.clone(), line: 1, problem });
            }
            // Under the lock and after reading all whole lines, what is left over is half a line.
            file.set_len(self.reader.offset).map_err(Error::io("cut half a line off", path))?;
        }
        file.write_all(bytes).and_then(|()| file.sync_data()).map_err(|error| {
            // What a full disk took stays if others may have read it, which is whole lines; each leaves a study that can go on.
            let taken = file.metadata().map_or(0, |data| data.len().saturating_sub(self.reader.offset) as usize);
            let whole =
                bytes[..taken.min(bytes.len())].iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
            let _ = file.set_len(self.reader.offset + whole as u64);
            Error::io("write", path)(error)
        })
    }
}

/// Reads the journal once, without joining its workers.
pub(crate) fn read(path: &Path) -> Result<Replay> {
    let mut reader = Reader::new(path);
    reader.sync()?;
    Ok(reader.state)
}

/// The state of the file up to an offset.
#[derive(Debug)]
struct Reader {
    path: PathBuf,
    offset: u64,
    lines: u64,
    state: Replay,
}

impl Reader {
    fn new(path: &Path) -> Self {
        Self { path: path.into(), offset: 0, lines: 0, state: Replay::default() }
    }

    fn sync(&mut self) -> Result<()> {
        let path = &self.path;
        let mut file = File::open(path).map_err(Error::io("open", path))?;
        let found = file.metadata().map_err(Error::io("read", path))?.len();
        if found < self.offset {
            return Err(Error::JournalShrank { path: path.clone(), read: self.offset, found });
        }
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(self.offset))
            .and_then(|_| file.take(found - self.offset).read_to_end(&mut bytes))
            .map_err(Error::io("read", path))?;
        let mut rest = bytes.as_slice();
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let line = std::str::from_utf8(&rest[..end]).map_err(|_| "no UTF-8".to_string());
            line.and_then(|line| self.state.apply(line)).map_err(|problem| Error::Journal {
                path: self.path.clone(),
                line: self.lines + 1,
                problem,
            })?;
            self.lines += 1;
            self.offset += end as u64 + 1;
            rest = &rest[end + 1..];
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Objective;
    use std::fs;

    const SECOND: Duration = Duration::from_secs(1);

    fn create(name: &str) -> Vec<Operation> {
        vec![Operation::create_study(name, &[Objective::minimize("value")])]
    }

    #[test]
    fn half_a_line_is_not_read_and_cut_off_by_the_next_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path, SECOND, SECOND).unwrap();
        journal.transact(|_, _| Ok((create("one"), ()))).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{{\"op_code\":0,\"study_na")).unwrap();
        assert_eq!(read(&path).unwrap().studies().count(), 1);
        journal.transact(|_, _| Ok((create("two"), ()))).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(&whole) && !text.contains("study_na\n") && text.lines().count() == 2, "{text}");
        assert_eq!(read(&path).unwrap().studies().count(), 2);
        fs::write(&path, whole).unwrap();
        assert!(journal.sync().unwrap_err().to_string().contains("shrank"));
    }

    #[test]
    fn a_file_that_is_no_journal_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.json");
        for content in ["{\"layers\":3}", "{\"layers\":3}\n", "weights"] {
            fs::write(&path, content).unwrap();
            let open = Journal::open(&path, SECOND, SECOND);
            let text = open.and_then(|mut journal| journal.transact(|_, _| Ok((create("one"), ()))));
            assert!(text.unwrap_err().to_string().contains("model.json, line 1"));
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_damaged_line_is_named_by_number() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path, SECOND, SECOND).unwrap();
        journal.transact(|_, _| Ok((create("one"), ()))).unwrap();
        let whole = fs::read(&path).unwrap();
        for damage in [&b"\xff\xfe\n"[..], b"{\n", b"\n", b"{\"op_code\":11,\"worker_id\":\"x\"}\n"] {
            fs::write(&path, [&whole, damage].concat()).unwrap();
            let text = read(&path).unwrap_err().to_string();
            assert!(text.contains("line 2"), "{text}");
        }
    }

    /// No line that was cut or changed anywhere makes the reader panic.
    #[test]
    fn damaged_copies_never_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path, SECOND, SECOND).unwrap();
        let setting = crate::Setting {
            distribution: crate::Distribution::Categorical { choices: vec!["a".into(), 2.into()] },
            internal: 1.0,
        };
        let mut all = create("one");
        all.extend([
            Operation::create_trial(0),
            Operation::parameter(0, "x", &setting),
            Operation::intermediate(0, 3, f64::NAN),
            Operation::state(0, crate::State::Complete, Some(&[0.5])),
        ]);
        journal.transact(|_, _| Ok((all, ()))).unwrap();
        let whole = fs::read(&path).unwrap();
        let damages = cupel_data::Stream::new(1, "damage");
        let mut refused = 0;
        for i in 0..600 {
            let mut bytes = whole.clone();
            let at = (damages.u64(2 * i) % bytes.len() as u64) as usize;
            match i % 3 {
                0 => bytes[at] = damages.u64(2 * i + 1) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at),
            }
            fs::write(&path, bytes).unwrap();
            refused += usize::from(read(&path).is_err());
        }
        assert!(refused > 100, "{refused}");
    }
}
