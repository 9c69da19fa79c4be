#![no_main]

use flate2::{Compression, write::ZlibEncoder};
use std::io::Write;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    cupel_fuzz::read_everything(bytes);
    let header = [&[b' '; 124][..], b"\x00\x01IM"].concat();
    cupel_fuzz::read_everything(&[&header, bytes].concat());
    // Behind the checksum of a stream, which mutation never hits.
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("a vector");
    let packed = encoder.finish().expect("a vector");
    let tag = [15, packed.len() as u32].map(u32::to_le_bytes).concat();
    cupel_fuzz::read_everything(&[header, tag, packed].concat());
});
