//! Where the numbers of a data set lie by a layout message of version 1 or 2, as HDF5 before 1.6.3 and old versions of MATLAB write it.
//!
//! HDF5 File Format Specification 3.0, IV.A.1.a and IV.A.2.i: five reserved bytes follow the class in both versions. The decoder of the
//! rest of the file takes three in version 2, so that such data sets are found here: those whose numbers lie in one piece.

use hdf5_reader::{Hdf5File, Storage};

/// The numbers of the messages that are looked at.
const LAYOUT: u16 = 0x0008;
const CONTINUATION: u16 = 0x0010;
/// More blocks of a header than any writer makes.
const BLOCKS: usize = 64;

/// The bytes of the data set whose object header lies at `address`, if they lie in one piece under such a message.
pub(super) fn contiguous_bytes(file: &Hdf5File, address: u64, len: usize) -> Option<Vec<u8>> {
    let superblock = file.superblock();
    if (superblock.offset_size, superblock.length_size) != (8, 8) {
        return None;
    }
    let storage = file.storage();
    let prefix = storage.read_range(address, 16).ok()?;
    if prefix[0] != 1 {
        return None;
    }
    let mut blocks = vec![(address + 16, u64::from(u32::from_le_bytes(prefix[8..12].try_into().ok()?)))];
    let mut looked_at = 0;
    while let Some((start, size)) = blocks.pop() {
        looked_at += 1;
        if looked_at > BLOCKS {
            return None;
        }
        let block =
            storage.read_range(start, usize::try_from(size).ok().filter(|&size| size <= super::HEADER_BYTES)?).ok()?;
        let mut rest: &[u8] = &block;
        while let Some((head, after)) = rest.split_first_chunk::<8>() {
            let (kind, size) = (u16::from_le_bytes([head[0], head[1]]), u16::from_le_bytes([head[2], head[3]]));
            let (message, after) = after.split_at_checked(size.into())?;
            match kind {
                LAYOUT => return bytes_at(storage, message, len),
                CONTINUATION => {
                    let number = |at: usize| Some(u64::from_le_bytes(message.get(at..at + 8)?.try_into().ok()?));
                    blocks.push((number(0)?, number(8)?));
                }
                _ => {}
            }
            rest = after;
        }
    }
    None
}

/// The bytes that a layout message points at.
fn bytes_at(storage: &dyn Storage, message: &[u8], len: usize) -> Option<Vec<u8>> {
    let &[1 | 2, _, 1, ..] = message else { return None };
    let address = u64::from_le_bytes(message.get(8..16)?.try_into().ok()?);
    let within = address.checked_add(len as u64).is_some_and(|end| end <= storage.len());
    if !within {
        return None;
    }
    storage.read_range(address, len).ok().map(|bytes| bytes.to_vec())
}
