//! [`Map`]: the bytes of a file that may be larger than memory; the only module of this crate with `unsafe` in it.
//!
//! The system reads the pages of a mapped file when they are touched and drops them when memory is short, so that a scene
//! costs no memory of its own. What makes the map sound here:
//! * It is private and read-only: nothing writes to the file through it, and none of its bytes are ever executed.
//! * No reference into it leaves this module. [`Map::copy`] copies bytes to the caller, and any bits are valid bytes.
//! * A file that becomes shorter makes the system kill a process that touches a page beyond the new end. The length of the
//!   file is therefore asked for again before a tile is copied ([`Map::check`]), and a file that shrank is an error. What is left is the moment
//!   between the question and the copy: a file must not be cut while it is read, and the documentation of
//!   [`Dataset`](crate::Dataset) says so. A file that is overwritten in place gives old or new bytes, nothing worse; one that
//!   is replaced by renaming, as everything here writes, leaves the map as it was.
#![allow(unsafe_code)]

use memmap2::{Mmap, MmapOptions};
use std::{fs::File, io};

/// A mapped file.
#[derive(Debug)]
pub(crate) struct Map {
    /// Nothing for an empty file, which systems do not map.
    bytes: Option<Mmap>,
    file: File,
}

impl Map {
    /// Maps a regular file, whole.
    pub(crate) fn new(file: File) -> io::Result<Self> {
        let len = file.metadata()?.len();
        if len == 0 {
            return Ok(Self { bytes: None, file });
        }
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::OutOfMemory)?;
        // SAFETY: the map is private, its length is that of the file, and the module documentation says how the bytes are
        // kept from being referred to elsewhere and from being touched beyond the end of the file.
        let bytes = unsafe { MmapOptions::new().len(len).map_copy_read_only(&file)? };
        Ok(Self { bytes: Some(bytes), file })
    }

    /// The bytes there were when the file was mapped.
    pub(crate) fn len(&self) -> usize {
        self.bytes.as_ref().map_or(0, |bytes| bytes.len())
    }

    /// Fails when the file is shorter than when it was mapped.
    pub(crate) fn check(&self) -> io::Result<()> {
        if self.file.metadata()?.len() < self.len() as u64 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Copies the bytes from `offset` on; an error where the file did not have them. [`Map::check`] comes first.
    pub(crate) fn copy(&self, offset: usize, out: &mut [u8]) -> io::Result<()> {
        let end = offset.checked_add(out.len());
        let source = end.and_then(|end| self.bytes.as_deref().unwrap_or_default().get(offset..end));
        out.copy_from_slice(source.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_copied_and_none_beyond_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        std::fs::write(&path, (0..=255).collect::<Vec<u8>>()).unwrap();
        let map = Map::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(map.len(), 256);
        let mut out = [0; 3];
        map.copy(253, &mut out).unwrap();
        assert_eq!(out, [253, 254, 255]);
        for offset in [254, 256, usize::MAX] {
            assert_eq!(map.copy(offset, &mut out).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        }
    }

    #[test]
    fn a_file_that_shrank_is_an_error_and_no_signal() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        std::fs::write(&path, vec![7; 100_000]).unwrap();
        let map = Map::new(File::open(&path).unwrap()).unwrap();
        File::options().write(true).open(&path).unwrap().set_len(10).unwrap();
        assert_eq!(map.check().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn an_empty_file_has_no_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        File::create(&path).unwrap();
        let map = Map::new(File::open(&path).unwrap()).unwrap();
        assert_eq!(map.len(), 0);
        map.copy(0, &mut []).unwrap();
        assert!(map.copy(0, &mut [0]).is_err());
    }
}
