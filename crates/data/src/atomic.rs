//! [`write_atomic`]: a file is replaced as a whole or not at all.
//!
//! The content goes to a temporary file beside the target (a rename works only within one file system), is forced to
//! the disk, and takes the target's name in one step; then the folder is forced to the disk, because the new name lives
//! there. A crash at any moment leaves the old file or the new one, and at worst a temporary file to delete.

use crate::error::{Error, Result};
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

type Note = dyn Fn(&Path) + Send + Sync;

/// Who wants to know of files that are written, with the folder of each.
static WATCHERS: Mutex<Vec<(u64, PathBuf, Arc<Note>)>> = Mutex::new(Vec::new());

fn watchers() -> MutexGuard<'static, Vec<(u64, PathBuf, Arc<Note>)>> {
    WATCHERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Tells of the files that are written below a folder, until it is dropped; see [`watch_writes`].
#[derive(Debug)]
pub struct Watching(u64);

impl Drop for Watching {
    fn drop(&mut self) {
        watchers().retain(|(id, ..)| *id != self.0);
    }
}

/// Calls `note` with every file below the existing `folder`, as a path within it, before this process writes it.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be found.
pub fn watch_writes(folder: &Path, note: impl Fn(&Path) + Send + Sync + 'static) -> Result<Watching> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let folder = fs::canonicalize(folder).map_err(Error::io("find", folder))?;
    let id = COUNT.fetch_add(1, Ordering::Relaxed);
    watchers().push((id, folder, Arc::new(note)));
    Ok(Watching(id))
}

/// Tells those who watch that `path` is about to be written; [`write_atomic`] does so itself.
pub fn announce_write(path: &Path) {
    let watchers = watchers().clone();
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let (false, Ok(parent), Some(name)) = (watchers.is_empty(), fs::canonicalize(parent), path.file_name()) {
        let path = parent.join(name);
        let within = watchers.iter().filter_map(|(_, folder, note)| Some((path.strip_prefix(folder).ok()?, note)));
        within.for_each(|(path, note)| note(path));
    }
}

/// Creates or replaces the file `path` with what `write` writes.
///
/// The mode of a file that is replaced is kept. A target that is a symbolic link is written through: the file it points
/// to is replaced and the link stays.
///
/// # Errors
/// [`Error::NotAFile`] for a device or a pipe, [`Error::Io`] for a folder or when the system refuses, and every error
/// of `write`; the target is then as it was and the temporary file is gone.
///
/// # Example
/// ```
/// use std::io::Write;
/// # fn main() -> cupel_data::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("numbers.txt");
/// cupel_data::write_atomic(&path, |file| {
///     file.write_all(b"1 2 3\n").map_err(cupel_data::Error::io("write", &path))
/// })?;
/// assert_eq!(std::fs::read(&path).unwrap(), b"1 2 3\n");
/// # Ok(())
/// # }
/// ```
pub fn write_atomic(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    // `metadata` follows links, so a link to a folder is refused too.
    let existing = fs::metadata(path).ok();
    if path.file_name().is_none() || existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Err(Error::io("write", path)(io::ErrorKind::IsADirectory.into()));
    }
    if existing.as_ref().is_some_and(|existing| !existing.is_file()) {
        // A rename would put a file in the place of the device itself.
        return Err(Error::NotAFile { path: path.into(), what: "a device or a pipe" });
    }
    let target =
        if existing.is_some() { fs::canonicalize(path).map_err(Error::io("find", path))? } else { path.into() };
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };

    announce_write(&target);
    let (temporary, file) = Temporary::beside(&target, folder)?;
    let mut buffered = BufWriter::new(file);
    write(&mut buffered)?;
    let file = buffered.into_inner().map_err(|error| Error::io("write", path)(error.into_error()))?;
    if let Some(existing) = existing {
        file.set_permissions(existing.permissions()).map_err(Error::io("keep the mode of", path))?;
    }
    file.sync_all().map_err(Error::io("write", path))?;
    drop(file);
    temporary.rename(&target).map_err(Error::io("replace", path))?;
    sync_folder(folder).map_err(Error::io("write the folder of", path))
}

/// A file that is deleted when dropped, unless it was renamed.
struct Temporary(Option<PathBuf>);

impl Temporary {
    /// A new, empty file in `folder` under a name that nobody uses.
    fn beside(target: &Path, folder: &Path) -> Result<(Self, File)> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        loop {
            let mut name = OsString::from(".");
            name.push(target.file_name().unwrap_or_default());
            name.push(format!(".{}-{}.tmp", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
            let path = folder.join(name);
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((Self(Some(path)), file)),
                // Left behind by a process that had this number before, or used by one on another machine.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io("create a file beside", target)(error)),
            }
        }
    }

    fn rename(mut self, target: &Path) -> io::Result<()> {
        match &self.0 {
            Some(path) => fs::rename(path, target)?,
            None => return Ok(()),
        }
        self.0 = None;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            // Nothing can be done about a failure here, and the one that led here is being reported.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some network file systems do not synchronise folders; there the rename itself is durable.
        Err(error) if matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// Folders cannot be opened as files elsewhere.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content<'a>(path: &'a Path, bytes: &'a [u8]) -> impl FnOnce(&mut dyn Write) -> Result<()> + 'a {
        move |file| file.write_all(bytes).map_err(Error::io("write", path))
    }

    fn names(folder: &Path) -> Vec<OsString> {
        let mut names: Vec<OsString> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_created_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        for bytes in [&b"first"[..], b"second, longer", b""] {
            write_atomic(&path, content(&path, bytes)).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes);
        }
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn writes_below_a_folder_are_told_while_somebody_watches() {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("run");
        fs::create_dir_all(folder.join("figures")).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let note = Arc::clone(&told);
        let watching = watch_writes(&folder, move |path| note.lock().unwrap().push(path.to_path_buf())).unwrap();
        for path in ["run/a.csv", "run/figures/../figures/b.svg", "beside.csv"].map(|path| outside.path().join(path)) {
            write_atomic(&path, content(&path, b"1")).unwrap();
        }
        drop(watching);
        write_atomic(&folder.join("c"), content(&folder, b"1")).unwrap();
        assert_eq!(*told.lock().unwrap(), [PathBuf::from("a.csv"), PathBuf::from("figures/b.svg")]);
    }

    #[test]
    fn a_failing_writer_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        let fail = |file: &mut dyn Write| {
            content(&path, &[7; 100_000])(file)?;
            Err(Error::io("write", &path)(io::ErrorKind::StorageFull.into()))
        };
        assert!(write_atomic(&path, fail).unwrap_err().to_string().contains("the disk is full"));
        assert!(names(folder.path()).is_empty());
        write_atomic(&path, content(&path, b"old")).unwrap();
        assert!(write_atomic(&path, fail).is_err());
        let panicked = std::panic::catch_unwind(|| write_atomic(&path, |_| panic!("in the middle")));
        assert!(panicked.is_err());
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[test]
    fn folders_are_refused_and_missing_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_path_buf(), folder.path().join(".."), PathBuf::from("/"), PathBuf::new()] {
            let error = write_atomic(&path, content(&path, b"x")).unwrap_err().to_string();
            assert!(error.contains("it is a folder, a file is needed"), "{error}");
        }
        let path = folder.path().join("missing").join("a.bin");
        assert!(write_atomic(&path, content(&path, b"x")).unwrap_err().to_string().contains("there is no such"));
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn many_writers_of_one_file_leave_one_whole_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        std::thread::scope(|scope| {
            for writer in 0..8_u8 {
                let path = &path;
                scope.spawn(move || (0..20).for_each(|_| write_atomic(path, content(path, &[writer; 5000])).unwrap()));
            }
        });
        let bytes = fs::read(&path).unwrap();
        assert!(bytes.len() == 5000 && bytes.iter().all(|&byte| byte == bytes[0]));
        assert_eq!(names(folder.path()), ["a.bin"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_written_through_modes_kept_and_devices_left_alone() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, b"old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        symlink("real", &link).unwrap();
        write_atomic(&link, content(&link, b"new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&real).unwrap(), b"new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
        let device = write_atomic(Path::new("/dev/null"), content(&link, b"x")).unwrap_err().to_string();
        assert!(device.starts_with("/dev/null is a device or a pipe"), "{device}");
        let into = folder.path().join("into");
        symlink(folder.path(), &into).unwrap();
        assert!(write_atomic(&into, content(&into, b"x")).is_err());
    }
}
