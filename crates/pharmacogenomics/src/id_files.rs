//! The files of an encoding: NPY files whose length is known at the end, and drafts that are read back once.

use crate::error::Result;
use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Length of the header of an NPY file here: room for 20 digits of rows, a multiple of 64 as the format asks.
const HEADER_BYTES: usize = 128;

/// Bytes of a file buffer.
const BUFFER_BYTES: usize = 1 << 16;

/// A file that is read back once and does not stay.
pub(crate) struct Scratch {
    file: BufWriter<File>,
    path: Remove,
}

/// Removes the file when it is dropped.
struct Remove(PathBuf);

impl Drop for Remove {
    fn drop(&mut self) {
        // it may be gone, and a file too many harms nobody
        let _ = fs::remove_file(&self.0);
    }
}

pub(crate) struct ScratchReader {
    file: BufReader<File>,
    path: Remove,
}

impl Scratch {
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path);
        let file = file.map_err(cupel_data::Error::io("create", &path))?;
        Ok(Self { file: BufWriter::with_capacity(BUFFER_BYTES, file), path: Remove(path) })
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.file.write_all(bytes).map_err(cupel_data::Error::io("write", &self.path.0))?)
    }

    pub(crate) fn reader(self) -> Result<ScratchReader> {
        let Self { file, path } = self;
        let error = |error| cupel_data::Error::io("write", &path.0)(error);
        let mut file = file.into_inner().map_err(|failed| error(failed.into_error()))?;
        file.seek(SeekFrom::Start(0)).map_err(error)?;
        Ok(ScratchReader { file: BufReader::with_capacity(BUFFER_BYTES, file), path })
    }
}

impl ScratchReader {
    pub(crate) fn take<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes).map_err(cupel_data::Error::io("read", &self.path.0))?;
        Ok(bytes)
    }
}

/// An NPY file whose length is known at the end; it stands under a temporary name until then.
pub(crate) struct Column {
    path: PathBuf,
    temporary: PathBuf,
    file: BufWriter<File>,
}

impl Column {
    pub(crate) fn create(path: &Path) -> Result<Self> {
        let temporary = path.with_extension("npy.part");
        let file = File::create(&temporary).map_err(cupel_data::Error::io("create", &temporary))?;
        let mut column = Self { path: path.to_path_buf(), temporary, file: BufWriter::with_capacity(1 << 16, file) };
        column.write(&[b' '; HEADER_BYTES])?;
        Ok(column)
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.file.write_all(bytes).map_err(cupel_data::Error::io("write", &self.temporary))?)
    }

    pub(crate) fn finish(mut self, dtype: &str, len: u64) -> Result<()> {
        let text = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({len},), }}");
        let mut header = vec![b' '; HEADER_BYTES];
        header[..10].copy_from_slice(b"\x93NUMPY\x01\x00\x76\x00");
        header[10..10 + text.len()].copy_from_slice(text.as_bytes());
        header[HEADER_BYTES - 1] = b'\n';
        let error = |error| cupel_data::Error::io("write", &self.temporary)(error);
        self.file.flush().map_err(error)?;
        let file = self.file.get_mut();
        file.seek(SeekFrom::Start(0)).map_err(error)?;
        file.write_all(&header).map_err(error)?;
        file.sync_all().map_err(error)?;
        Ok(fs::rename(&self.temporary, &self.path).map_err(cupel_data::Error::io("replace", &self.path))?)
    }
}
