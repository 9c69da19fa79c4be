//! ZIP archives that may lie about their members.

use flate2::{Compression, write::DeflateEncoder};
use std::io::Write;

/// A member and what is said about it.
#[derive(Clone)]
pub struct Member {
    pub name: String,
    pub method: u16,
    /// Bytes as they lie in the archive.
    pub packed: Vec<u8>,
    /// The size and checksum claimed of the inflated bytes.
    pub size: u64,
    pub checksum: u32,
    /// Bits of the general-purpose flag.
    pub flags: u16,
}

impl Member {
    /// A truthful member.
    pub fn deflated(name: &str, bytes: &[u8]) -> Self {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        Self { method: 8, packed: encoder.finish().unwrap(), ..Self::stored(name, bytes) }
    }

    pub fn stored(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.into(),
            method: 0,
            packed: bytes.to_vec(),
            size: bytes.len() as u64,
            checksum: crc32fast::hash(bytes),
            flags: 0,
        }
    }
}

/// An archive of the members, one after the other.
pub fn archive(members: &[Member]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for member in members {
        let offset = bytes.len() as u32;
        let wide = member.size > u64::from(u32::MAX);
        let mut shared = [45, member.flags, member.method, 0, 0x21].map(u16::to_le_bytes).concat();
        shared.extend(member.checksum.to_le_bytes());
        shared.extend((member.packed.len() as u32).to_le_bytes());
        shared.extend(if wide { u32::MAX } else { member.size as u32 }.to_le_bytes());
        shared.extend((member.name.len() as u16).to_le_bytes());
        let mut extra = Vec::new();
        if wide {
            extra.extend([1, 0, 8, 0]);
            extra.extend(member.size.to_le_bytes());
        }
        shared.extend((extra.len() as u16).to_le_bytes());
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&shared);
        bytes.extend(member.name.as_bytes());
        bytes.extend(&extra);
        bytes.extend(&member.packed);
        directory.extend(b"PK\x01\x02\x2d\0");
        directory.extend(&shared);
        directory.extend([0; 10]);
        directory.extend(offset.to_le_bytes());
        directory.extend(member.name.as_bytes());
        directory.extend(&extra);
    }
    let count = (members.len() as u16).to_le_bytes();
    let offset = bytes.len() as u32;
    bytes.extend(&directory);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend([count, count].concat());
    bytes.extend((directory.len() as u32).to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}
