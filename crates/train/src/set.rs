//! The files of one checkpoint: written with their hashes, read only where the hashes still fit.
//!
//! A set is a folder of entries and a `manifest.json` with the size and BLAKE3 hash of each entry, sealed by a hash over
//! the manifest itself. The manifest is written last: a set without one does not exist.

use crate::{Error, Position, Result};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

const MANIFEST: &str = "manifest.json";
const FORMAT: u32 = 1;
/// Far above the manifest of any real set; a longer file is not read into memory.
const LARGEST_MANIFEST_BYTES: u64 = 16 << 20;

/// What a set says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stamp {
    /// Where the work stood.
    pub at: Position,
    /// Configuration and input of the work, see [`Advance::fingerprint`](crate::Advance::fingerprint).
    pub fingerprint: String,
    /// Why nothing was left to do, where that was so.
    pub done: Option<String>,
    /// Time taken so far, in seconds; sets of before this was kept have none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seconds: f64,
}

/// So that the seal of a set without times still fits.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    bytes: u64,
    blake3: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: u32,
    stamp: Stamp,
    entries: Vec<Entry>,
    /// Hash over all other fields, so that a flipped bit in the position is found too.
    seal: String,
}

/// Writes the entries of a set.
#[derive(Debug)]
pub struct SetWriter {
    dir: PathBuf,
    entries: Vec<Entry>,
}

impl SetWriter {
    /// Starts a set in the new folder `dir`.
    pub(crate) fn create(dir: PathBuf) -> Result<Self> {
        fs::create_dir(&dir).map_err(Error::io("create", &dir))?;
        Ok(Self { dir, entries: Vec::new() })
    }

    /// Writes an entry of bytes.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that is taken or no plain file name, [`Error::Io`] where the file cannot be written.
    pub fn bytes(&mut self, name: &str, content: &[u8]) -> Result<()> {
        check_entry_name(name)?;
        let taken = |entry: &Entry| entry.name.eq_ignore_ascii_case(name);
        if name.eq_ignore_ascii_case(MANIFEST) || self.entries.iter().any(taken) {
            let name = name.to_string();
            return Err(Error::Name { what: WHAT, name, problem: "the name is taken" });
        }
        let path = self.dir.join(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        file.and_then(|file| store(file, content)).map_err(Error::io("write", path))?;
        self.entries.push(Entry {
            name: name.to_string(),
            bytes: content.len() as u64,
            blake3: blake3::hash(content).to_hex().to_string(),
        });
        Ok(())
    }

    /// Writes an entry as JSON; numbers that are finite read back to the same bits.
    ///
    /// # Errors
    /// [`Error::Encoding`] where the value has no JSON form, and those of [`bytes`](Self::bytes).
    pub fn json(&mut self, name: &str, value: &impl Serialize) -> Result<()> {
        let content = serde_json::to_vec(value).map_err(Error::encoding("encode", format!("the entry `{name}`")))?;
        self.bytes(name, &content)
    }

    /// Ends the set with its manifest; afterwards everything is on the disk.
    pub(crate) fn seal(self, stamp: Stamp) -> Result<PathBuf> {
        let seal = seal(&stamp, &self.entries)?;
        let manifest = Manifest { format: FORMAT, stamp, entries: self.entries, seal };
        let content = serde_json::to_vec_pretty(&manifest).map_err(Error::encoding("encode", "the manifest"))?;
        let path = self.dir.join(MANIFEST);
        File::create(&path).and_then(|file| store(file, &content)).map_err(Error::io("write", path))?;
        sync_folder(&self.dir)?;
        Ok(self.dir)
    }
}

/// Reads the entries of a complete set.
#[derive(Debug)]
pub struct SetReader {
    dir: PathBuf,
    stamp: Stamp,
    entries: Vec<Entry>,
}

impl SetReader {
    /// Opens a set and checks the manifest, but not yet the entries.
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let damaged = |problem| Error::Damaged { dir: dir.to_path_buf(), problem };
        let path = dir.join(MANIFEST);
        let size = fs::metadata(&path).map_err(|source| damaged(format!("{MANIFEST} cannot be read: {source}")))?.len();
        if size > LARGEST_MANIFEST_BYTES {
            return Err(damaged(format!("{MANIFEST} is no manifest, it has {size} bytes")));
        }
        let content = fs::read(&path).map_err(Error::io("read", &path))?;
        let manifest: Manifest = serde_json::from_slice(&content)
            .map_err(|source| damaged(format!("{MANIFEST} cannot be read: {source}")))?;
        if manifest.format != FORMAT {
            let format = manifest.format;
            return Err(damaged(format!("format {format}, this version reads {FORMAT}")));
        }
        if manifest.seal != seal(&manifest.stamp, &manifest.entries)? {
            return Err(damaged(format!("{MANIFEST} was changed after it was written")));
        }
        // The names lead to files: even a sealed manifest may come from somebody else.
        for entry in &manifest.entries {
            check_entry_name(&entry.name)?;
        }
        Ok(Self { dir: dir.to_path_buf(), stamp: manifest.stamp, entries: manifest.entries })
    }

    /// Reads every entry against its hash.
    pub(crate) fn verify(&self) -> Result<()> {
        self.names().try_for_each(|name| self.bytes(name).map(drop))
    }

    /// What the set says about itself.
    pub fn stamp(&self) -> &Stamp {
        &self.stamp
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The names of the entries in the order they were written.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }

    /// Reads an entry.
    ///
    /// # Errors
    /// [`Error::MissingEntry`] where there is none of that name, [`Error::Damaged`] where it is not what was written.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        let Some(entry) = self.entries.iter().find(|entry| entry.name == name) else {
            return Err(Error::MissingEntry {
                dir: self.dir.clone(),
                name: name.to_string(),
                have: self.names().collect::<Vec<_>>().join(", "),
            });
        };
        let damaged = |problem| Error::Damaged { dir: self.dir.clone(), problem };
        let unreadable = |source: io::Error| damaged(format!("`{name}` cannot be read: {source}"));
        let path = self.dir.join(name);
        let size = fs::metadata(&path).map_err(unreadable)?.len();
        if size != entry.bytes {
            let expected = entry.bytes;
            return Err(damaged(format!("`{name}` has {size} bytes, expected {expected}")));
        }
        let content = fs::read(&path).map_err(unreadable)?;
        if blake3::hash(&content).to_hex().as_str() != entry.blake3 {
            return Err(damaged(format!("`{name}` was changed after it was written")));
        }
        Ok(content)
    }

    /// Reads an entry that was written as JSON.
    ///
    /// # Errors
    /// [`Error::Encoding`] where it does not have the form of a `T`, and those of [`bytes`](Self::bytes).
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T> {
        serde_json::from_slice(&self.bytes(name)?)
            .map_err(Error::encoding("decode", format!("the entry `{name}` of {}", self.dir.display())))
    }
}

const WHAT: &str = "an entry of a checkpoint";

fn check_entry_name(name: &str) -> Result<()> {
    check_name(WHAT, name)
}

/// Accepts what is a plain file name on every system.
pub(crate) fn check_name(what: &'static str, name: &str) -> Result<()> {
    let problem = if name.is_empty() {
        "it is empty"
    } else if name.len() > 100 {
        "it is too long"
    } else if name.starts_with('.') {
        "it starts with `.`"
    } else if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        "it has other characters"
    } else {
        return Ok(());
    };
    Err(Error::Name { what, name: name.to_string(), problem })
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(dir: &Path) -> Result<()> {
    // Only Unix opens folders as files; elsewhere the file system journals renames itself.
    if cfg!(unix) {
        File::open(dir).and_then(|file| file.sync_all()).map_err(Error::io("sync", dir))?;
    }
    Ok(())
}

fn store(mut file: File, content: &[u8]) -> io::Result<()> {
    file.write_all(content)?;
    file.sync_all()
}

fn seal(stamp: &Stamp, entries: &[Entry]) -> Result<String> {
    let content = serde_json::to_vec(&(FORMAT, stamp, entries)).map_err(Error::encoding("encode", "the manifest"))?;
    Ok(blake3::hash(&content).to_hex().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp() -> Stamp {
        Stamp { at: Position::default(), fingerprint: "00ff".into(), done: None, seconds: 0.0 }
    }

    fn written(dir: &Path) -> SetReader {
        let mut set = SetWriter::create(dir.join("set")).unwrap();
        set.bytes("weights.bin", &[1, 2, 3, 250]).unwrap();
        set.json("state.json", &(0.1_f64, -0.0_f64, 5e-324_f64, u64::MAX)).unwrap();
        SetReader::open(&set.seal(stamp()).unwrap()).unwrap()
    }

    #[test]
    fn entries_read_back_to_the_same_bits() {
        let folder = tempfile::tempdir().unwrap();
        let set = written(folder.path());
        set.verify().unwrap();
        assert_eq!(set.bytes("weights.bin").unwrap(), [1, 2, 3, 250]);
        let (tenth, zero, tiny, large): (f64, f64, f64, u64) = set.json("state.json").unwrap();
        assert_eq!(tenth.to_bits(), 0.1_f64.to_bits());
        assert_eq!(zero.to_bits(), (-0.0_f64).to_bits());
        assert_eq!((tiny.to_bits(), large), (1, u64::MAX));
        assert_eq!(set.stamp(), &stamp());
    }

    #[test]
    fn json_keeps_every_bit_of_finite_numbers() {
        let stream = cupel_data::Stream::new(1, "bit patterns");
        let doubles: Vec<f64> =
            (0..20_000).map(|index| f64::from_bits(stream.u64(index))).filter(|value| value.is_finite()).collect();
        let singles: Vec<f32> = (20_000..40_000)
            .map(|index| f32::from_bits(stream.u64(index) as u32))
            .filter(|value| value.is_finite())
            .collect();
        let folder = tempfile::tempdir().unwrap();
        let mut set = SetWriter::create(folder.path().join("set")).unwrap();
        set.json("doubles", &doubles).unwrap();
        set.json("singles", &singles).unwrap();
        let set = SetReader::open(&set.seal(stamp()).unwrap()).unwrap();
        let read: Vec<f64> = set.json("doubles").unwrap();
        assert!(read.iter().zip(&doubles).all(|(read, was)| read.to_bits() == was.to_bits()));
        let read: Vec<f32> = set.json("singles").unwrap();
        assert!(read.iter().zip(&singles).all(|(read, was)| read.to_bits() == was.to_bits()));
    }

    #[test]
    fn a_missing_entry_is_named_with_those_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let text = written(folder.path()).bytes("moments.bin").unwrap_err().to_string();
        assert!(text.contains("no entry `moments.bin` (it has: weights.bin, state.json)"), "{text}");
    }

    #[test]
    fn names_that_lead_elsewhere_or_are_taken_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut set = SetWriter::create(folder.path().join("set")).unwrap();
        set.bytes("state", b"").unwrap();
        for name in ["", "..", "../state", "a/b", "C:\\a", ".hidden", "STATE", "Manifest.json", "é"] {
            assert!(matches!(set.bytes(name, b""), Err(Error::Name { .. })), "{name}");
        }
    }

    #[test]
    fn a_manifest_that_leads_elsewhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("set");
        fs::create_dir(&dir).unwrap();
        let entries = vec![Entry { name: "../secret".into(), bytes: 0, blake3: String::new() }];
        let seal = seal(&stamp(), &entries).unwrap();
        let manifest = Manifest { format: FORMAT, stamp: stamp(), entries, seal };
        fs::write(dir.join(MANIFEST), serde_json::to_vec(&manifest).unwrap()).unwrap();
        assert!(matches!(SetReader::open(&dir), Err(Error::Name { .. })));
    }

    #[test]
    fn every_flipped_bit_of_the_manifest_is_found_or_harmless() {
        let folder = tempfile::tempdir().unwrap();
        written(folder.path());
        let path = folder.path().join("set").join(MANIFEST);
        let content = fs::read(&path).unwrap();
        let mut found = 0;
        for index in 0..content.len() {
            let mut changed = content.clone();
            changed[index] ^= 1 << (index % 8);
            fs::write(&path, &changed).unwrap();
            match SetReader::open(path.parent().unwrap()) {
                Err(_) => found += 1,
                // White space between fields carries nothing.
                Ok(set) => {
                    assert!(content[index].is_ascii_whitespace(), "byte {index}");
                    assert_eq!(set.stamp(), &stamp());
                    set.verify().unwrap();
                }
            }
        }
        assert!(found > content.len() / 2);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_an_error() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        assert_eq!(store(full, b"state").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
