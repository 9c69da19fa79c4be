//! A table as bytes: a mark, the sizes, the records and the ages, all little endian.

use super::{Age, RowTable, RowTableConfig, State};
use std::{
    io::{self, Read, Write},
    sync::Mutex,
};

const MARK: &[u8; 16] = b"cupel row table1";
/// Mark, rows, width, updates and the sum of decays.
const HEADER: usize = 16 + 8 + 8 + 4 + 8;
/// Update and sum of decays.
const AGE: usize = 4 + 8;
/// Values that are converted at a time.
const CHUNK: usize = 1 << 14;

/// Why bytes are no table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RowTableError {
    /// Reading or writing failed.
    #[error("cannot {doing} a table of rows")]
    Io {
        /// "read" or "write".
        doing: &'static str,
        /// What the system says.
        source: io::Error,
    },
    /// The bytes are something else.
    #[error("no table of rows: it begins with {got:?}; save it with RowTable::save")]
    NotATable {
        /// The first bytes.
        got: Vec<u8>,
    },
    /// The table is another one.
    #[error("a table of {got_rows} rows of {got_width}, expected {rows} of {width}; was it saved with other settings?")]
    OtherSize {
        /// Rows in the bytes.
        got_rows: u64,
        /// Their width.
        got_width: u64,
        /// Rows of the table that is loaded into.
        rows: usize,
        /// Their width.
        width: usize,
    },
}

impl RowTable {
    /// Writes rows, moments and ages.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn save(&self, mut to: impl Write) -> Result<(), RowTableError> {
        let failed = |source| RowTableError::Io { doing: "write", source };
        let state = self.state();
        let mut bytes = Vec::with_capacity(HEADER.max(4 * CHUNK));
        bytes.extend_from_slice(MARK);
        bytes.extend_from_slice(&(state.ages.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(self.width as u64).to_le_bytes());
        bytes.extend_from_slice(&state.updates.to_le_bytes());
        bytes.extend_from_slice(&state.log_decay.to_le_bytes());
        to.write_all(&bytes).map_err(failed)?;
        for values in state.records.chunks(CHUNK) {
            bytes.clear();
            values.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
            to.write_all(&bytes).map_err(failed)?;
        }
        for ages in state.ages.chunks(CHUNK) {
            bytes.clear();
            for age in ages {
                bytes.extend_from_slice(&age.update.to_le_bytes());
                bytes.extend_from_slice(&age.log_decay.to_le_bytes());
            }
            to.write_all(&bytes).map_err(failed)?;
        }
        to.flush().map_err(failed)
    }

    /// Takes over rows, moments and ages that [`save`](Self::save) wrote; pending gradients are forgotten. The settings stay.
    ///
    /// # Errors
    /// Those of the reader, bytes that are no table or end early, and a table of another size. The table is then as it was.
    pub fn load(&self, mut from: impl Read) -> Result<(), RowTableError> {
        let failed = |source| RowTableError::Io { doing: "read", source };
        let mut header = [0; HEADER];
        from.read_exact(&mut header).map_err(failed)?;
        if &header[..16] != MARK {
            return Err(RowTableError::NotATable { got: header[..16].to_vec() });
        }
        let (got_rows, got_width) = (u64::from_le_bytes(part(&header, 16)), u64::from_le_bytes(part(&header, 24)));
        let (rows, width) = (self.rows(), self.width);
        // The size is known before anything is allocated.
        if got_rows != rows as u64 || got_width != width as u64 {
            return Err(RowTableError::OtherSize { got_rows, got_width, rows, width });
        }
        let updates = u32::from_le_bytes(part(&header, 32));
        let log_decay = f64::from_le_bytes(part(&header, 36));
        let mut records = vec![0.0; 3 * rows * width];
        let mut bytes = vec![0; CHUNK * AGE];
        for values in records.chunks_mut(CHUNK) {
            let bytes = &mut bytes[..4 * values.len()];
            from.read_exact(bytes).map_err(failed)?;
            for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(4)) {
                *value = f32::from_le_bytes(part(bytes, 0));
            }
        }
        let mut ages = vec![Age::default(); rows];
        for ages in ages.chunks_mut(CHUNK) {
            let bytes = &mut bytes[..AGE * ages.len()];
            from.read_exact(bytes).map_err(failed)?;
            for (age, bytes) in ages.iter_mut().zip(bytes.chunks_exact(AGE)) {
                // A row cannot have been touched after the last update.
                let update = u32::from_le_bytes(part(bytes, 0)).min(updates);
                *age = Age { update, log_decay: f64::from_le_bytes(part(bytes, 4)) };
            }
        }
        *self.state() = State { records, ages, updates, log_decay, pending: Vec::new() };
        Ok(())
    }
}

impl Clone for RowTable {
    /// Rows, moments and ages, without pending gradients.
    fn clone(&self) -> Self {
        let state = self.state();
        let State { records, ages, updates, log_decay, .. } = &*state;
        let (records, ages) = (records.clone(), ages.clone());
        let state = State { records, ages, updates: *updates, log_decay: *log_decay, pending: Vec::new() };
        let config: RowTableConfig = self.config;
        Self { width: self.width, config, state: Mutex::new(state) }
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    std::array::from_fn(|i| bytes[at + i])
}
