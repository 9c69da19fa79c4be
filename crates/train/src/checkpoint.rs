//! Checkpoints: complete sets of files that appear at once or not at all.
//!
//! A set is written into a folder whose name starts with `.partial`, every file is flushed to the disk, the manifest
//! comes last, and one rename makes the set visible. A process killed at any moment therefore leaves either the new set
//! or the old ones, never a mixture; what it left unfinished is removed by the next one.

use crate::{Error, Result, SetReader, SetWriter, Stamp, set::sync_folder};
use std::{
    fs, io,
    path::{Path, PathBuf},
};

const PARTIAL: &str = ".partial";

/// A complete set.
#[derive(Debug)]
pub struct Checkpoint {
    dir: PathBuf,
    set: SetReader,
    warnings: Vec<String>,
}

impl Checkpoint {
    /// Writes a set into `root`, named by its [`Position::update`](crate::Position::update), and replaces a set of the
    /// same name.
    ///
    /// # Errors
    /// What `fill` returns, or [`Error::Io`]; older sets are then untouched and nothing new is visible.
    pub fn write(root: &Path, stamp: Stamp, fill: impl FnOnce(&mut SetWriter) -> Result<()>) -> Result<Self> {
        fs::create_dir_all(root).map_err(Error::io("create", root))?;
        remove_partial(root)?;
        let name = format!("{:012}", stamp.at.update);
        let partial = root.join(format!("{PARTIAL}-{name}"));
        let mut set = SetWriter::create(partial.clone())?;
        let complete = match fill(&mut set).and_then(|()| set.seal(stamp)) {
            Ok(complete) => complete,
            Err(error) => {
                // The first error counts; what cannot be removed now is removed by the next write.
                let _ = fs::remove_dir_all(partial);
                return Err(error);
            }
        };
        let dir = root.join(name);
        if dir.exists() {
            // Only a set that `newest` passed over as damaged is written again, so that a kill here loses nothing.
            hide(&dir)?;
        }
        fs::rename(&complete, &dir).map_err(Error::io("rename into place", &dir))?;
        sync_folder(root)?;
        remove_partial(root)?;
        Self::open(&dir)
    }

    /// The newest set in `root` whose files are all intact, after removing what a killed process left unfinished.
    ///
    /// Damaged newer sets are passed over and named in [`warnings`](Self::warnings).
    ///
    /// # Errors
    /// [`Error::Damaged`] where `strict` and the newest set is damaged, [`Error::AllDamaged`] where there are sets and
    /// none is intact, [`Error::Io`] where the folder cannot be read.
    pub fn newest(root: &Path, strict: bool) -> Result<Option<Self>> {
        if !root.exists() {
            return Ok(None);
        }
        remove_partial(root)?;
        let sets = sets(root)?;
        let mut warnings = Vec::new();
        for dir in sets.iter().rev() {
            match Self::open(dir).and_then(|found| found.set.verify().map(|()| found)) {
                Ok(found) => return Ok(Some(Self { warnings, ..found })),
                Err(error) if strict => return Err(error),
                Err(error) => warnings.push(error.to_string()),
            }
        }
        match warnings.into_iter().next() {
            None => Ok(None),
            Some(newest) => Err(Error::AllDamaged { root: root.to_path_buf(), count: sets.len(), newest }),
        }
    }

    /// Removes all but the newest `keep` sets of `root`.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be read or changed.
    pub fn prune(root: &Path, keep: usize) -> Result<()> {
        let sets = sets(root)?;
        for dir in &sets[..sets.len().saturating_sub(keep)] {
            hide(dir)?;
        }
        remove_partial(root)
    }

    /// The folder of the set.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the set says about itself.
    pub fn stamp(&self) -> &Stamp {
        self.set.stamp()
    }

    /// The entries.
    pub fn reader(&self) -> &SetReader {
        &self.set
    }

    /// Newer sets that were damaged, with what is wrong with each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn open(dir: &Path) -> Result<Self> {
        let set = SetReader::open(dir)?;
        Ok(Self { dir: dir.to_path_buf(), set, warnings: Vec::new() })
    }
}

/// The folders of the visible sets, oldest first.
fn sets(root: &Path) -> Result<Vec<PathBuf>> {
    let mut sets: Vec<(u64, PathBuf)> =
        entries(root)?.into_iter().filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path))).collect();
    sets.sort();
    Ok(sets.into_iter().map(|(_, path)| path).collect())
}

/// Takes a set out of sight by one rename, so that a kill while its files go leaves no half a set.
fn hide(dir: &Path) -> Result<()> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    let hidden = dir.with_file_name(format!("{PARTIAL}-old-{name}"));
    fs::rename(dir, &hidden).map_err(Error::io("remove", dir))
}

pub(crate) fn remove_partial(root: &Path) -> Result<()> {
    for path in entries(root)? {
        let partial = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(PARTIAL);
        if path.file_name().is_some_and(partial) {
            match fs::remove_dir_all(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(Error::Io { action: "remove", path, source });
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// The paths in a folder.
pub(crate) fn entries(root: &Path) -> Result<Vec<PathBuf>> {
    fs::read_dir(root)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(Error::io("list", root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;

    const NAMES: [&str; 3] = ["weights.bin", "moments.bin", "state.json"];

    fn write(root: &Path, update: u64) -> Result<Checkpoint> {
        let at = Position { update, ..Position::default() };
        let stamp = Stamp { at, fingerprint: "ab".into(), done: None, seconds: 0.0 };
        Checkpoint::write(root, stamp, |set| {
            set.bytes("weights.bin", &update.to_le_bytes().repeat(9))?;
            set.bytes("moments.bin", &[])?;
            set.json("state.json", &update)
        })
    }

    fn newest(root: &Path) -> Checkpoint {
        let found = Checkpoint::newest(root, false).unwrap().unwrap();
        assert_eq!(found.reader().json::<u64>("state.json").unwrap(), found.stamp().at.update);
        found
    }

    fn visible(root: &Path) -> Vec<String> {
        let name = |path: PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        let mut names: Vec<_> = entries(root).unwrap().into_iter().map(name).collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_set_counts_and_older_ones_go() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("checkpoints");
        assert!(Checkpoint::newest(&root, true).unwrap().is_none());
        for update in [1, 9, 10, 1_000_000_000_000] {
            write(&root, update).unwrap();
            assert_eq!(newest(&root).stamp().at.update, update);
        }
        Checkpoint::prune(&root, 2).unwrap();
        assert_eq!(visible(&root), ["000000000010", "1000000000000"]);
    }

    #[test]
    fn damage_of_any_file_falls_back_to_the_set_before() {
        for name in NAMES.into_iter().chain(["manifest.json"]) {
            for damage in ["remove", "empty", "truncate", "flip", "grow"] {
                let folder = tempfile::tempdir().unwrap();
                write(folder.path(), 1).unwrap();
                let path = write(folder.path(), 2).unwrap().dir().join(name);
                let mut content = fs::read(&path).unwrap();
                let whole = content.clone();
                match damage {
                    "empty" => content.clear(),
                    "truncate" => content.truncate(content.len() / 2),
                    "flip" => content.iter_mut().take(1).for_each(|byte| *byte ^= 0x10),
                    _ => content.push(b'}'),
                }
                if damage == "remove" {
                    fs::remove_file(&path).unwrap();
                } else if content == whole {
                    continue; // An empty entry has nothing to truncate or flip.
                } else {
                    fs::write(&path, content).unwrap();
                }
                let found = newest(folder.path());
                assert_eq!(found.stamp().at.update, 1, "{damage} {name}");
                assert_eq!(found.warnings().len(), 1, "{damage} {name}");
                assert!(found.warnings()[0].contains("000000000002"), "{:?}", found.warnings());
                let strict = Checkpoint::newest(folder.path(), true);
                assert!(matches!(strict, Err(Error::Damaged { .. })), "{damage} {name}");
            }
        }
    }

    #[test]
    fn a_kill_at_any_write_leaves_the_set_before() {
        // What a killed writer leaves: the first files of a set, the last of them cut, not yet renamed.
        let folder = tempfile::tempdir().unwrap();
        let sample = write(&folder.path().join("sample"), 2).unwrap();
        let order: Vec<_> = NAMES.into_iter().chain(["manifest.json"]).collect();
        for files in 0..=order.len() {
            for cut in [0, 1, usize::MAX] {
                let root = folder.path().join(format!("{files}-{cut}"));
                write(&root, 1).unwrap();
                let partial = root.join(".partial-000000000002");
                fs::create_dir(&partial).unwrap();
                for (index, name) in order[..files].iter().enumerate() {
                    let mut content = fs::read(sample.dir().join(name)).unwrap();
                    content.truncate(if index + 1 == files { cut } else { usize::MAX });
                    fs::write(partial.join(name), content).unwrap();
                }
                assert_eq!(newest(&root).stamp().at.update, 1);
                assert_eq!(visible(&root), ["000000000001"], "leftovers are removed");
                write(&root, 2).unwrap();
                assert_eq!(newest(&root).stamp().at.update, 2);
            }
        }
    }

    #[test]
    fn a_failing_writer_leaves_nothing_new() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 1).unwrap();
        let at = Position { update: 2, ..Position::default() };
        let stamp = Stamp { at, fingerprint: "ab".into(), done: None, seconds: 0.0 };
        let result = Checkpoint::write(folder.path(), stamp, |set| {
            set.bytes("weights.bin", &[0; 1000])?;
            Err(Error::work(io::Error::from(io::ErrorKind::StorageFull)))
        });
        assert!(matches!(result, Err(Error::Work(_))));
        assert_eq!(visible(folder.path()), ["000000000001"]);
        assert_eq!(newest(folder.path()).stamp().at.update, 1);
    }

    #[test]
    fn a_damaged_set_of_the_same_position_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), 1).unwrap();
        let damaged = write(folder.path(), 2).unwrap();
        fs::write(damaged.dir().join("state.json"), "3").unwrap();
        assert_eq!(newest(folder.path()).stamp().at.update, 1);
        write(folder.path(), 2).unwrap();
        assert_eq!(newest(folder.path()).stamp().at.update, 2);
        assert_eq!(visible(folder.path()), ["000000000001", "000000000002"]);
    }

    #[test]
    fn no_intact_set_is_an_error_and_not_a_fresh_start() {
        let folder = tempfile::tempdir().unwrap();
        for update in 1..=2 {
            fs::remove_file(write(folder.path(), update).unwrap().dir().join("state.json")).unwrap();
        }
        let text = Checkpoint::newest(folder.path(), false).unwrap_err().to_string();
        assert!(text.contains("none of the 2 checkpoints is intact"), "{text}");
        assert!(text.contains("`state.json` cannot be read"), "{text}");
    }

    #[cfg(unix)]
    #[test]
    fn a_read_only_folder_is_an_error() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o555)).unwrap();
        if fs::write(folder.path().join("probe"), "").is_ok() {
            return; // Permissions do not bind the superuser.
        }
        assert!(matches!(write(folder.path(), 1), Err(Error::Io { .. })));
    }
}
