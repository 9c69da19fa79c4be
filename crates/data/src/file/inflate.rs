//! [`Inflate`]: a reader of deflated data that never takes a stream that stops early for one that ended.
//!
//! The reader of `flate2` returns "no more bytes" for a stream whose end, with its checksum, is cut off. Here that is an
//! error, and [`Inflate::finish`] proves that the end of the stream was reached, checked and followed by nothing.

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{self, Read};

/// Compressed bytes read at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Inflates what `input` yields.
pub(crate) struct Inflate<R> {
    input: R,
    chunk: Box<[u8]>,
    start: usize,
    end: usize,
    state: Decompress,
    ended: bool,
}

impl<R: Read> Inflate<R> {
    /// A stream with the header and the Adler-32 checksum of zlib (RFC 1950).
    pub(crate) fn zlib(input: R) -> Self {
        Self::new(input, true)
    }

    /// A bare stream (RFC 1951).
    pub(crate) fn raw(input: R) -> Self {
        Self::new(input, false)
    }

    fn new(input: R, zlib_header: bool) -> Self {
        Self {
            input,
            chunk: vec![0; CHUNK_BYTES].into(),
            start: 0,
            end: 0,
            state: Decompress::new(zlib_header),
            ended: false,
        }
    }

    /// Passes when the stream has no more bytes to give, its checksum is right and no compressed bytes are left over.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if self.read(&mut [0])? > 0 {
            return Err(damaged("there are more bytes than declared"));
        }
        if self.start < self.end || self.input.read(&mut [0])? > 0 {
            return Err(damaged("bytes follow the end of the compressed data"));
        }
        Ok(())
    }
}

impl<R: Read> Read for Inflate<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while !self.ended {
            if self.start == self.end {
                self.start = 0;
                self.end = self.input.read(&mut self.chunk)?;
            }
            let exhausted = self.start == self.end;
            let (taken, given) = (self.state.total_in(), self.state.total_out());
            let status = self
                .state
                .decompress(&self.chunk[self.start..self.end], out, FlushDecompress::None)
                .map_err(|_| damaged("the compressed data are damaged"))?;
            // Both differences are lengths of slices.
            self.start += (self.state.total_in() - taken) as usize;
            let read = (self.state.total_out() - given) as usize;
            self.ended = status == Status::StreamEnd;
            if read > 0 {
                return Ok(read);
            }
            if exhausted && !self.ended {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

fn damaged(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::ZlibEncoder};
    use std::io::Write;

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn unpacked(packed: &[u8], len: usize) -> io::Result<Vec<u8>> {
        let mut inflate = Inflate::zlib(packed);
        let mut bytes = vec![0; len];
        inflate.read_exact(&mut bytes)?;
        inflate.finish()?;
        Ok(bytes)
    }

    #[test]
    fn a_whole_stream_is_read_and_any_cut_of_it_is_an_error() {
        let bytes: Vec<u8> = (0..70_000_u32).map(|i| (i.wrapping_mul(i) >> 7) as u8).collect();
        let packed = packed(&bytes);
        assert_eq!(unpacked(&packed, bytes.len()).unwrap(), bytes);
        // The last four bytes are the checksum: all data are there without them.
        for cut in (1..=8).chain([packed.len() / 2, packed.len()]) {
            assert!(unpacked(&packed[..packed.len() - cut], bytes.len()).is_err(), "{cut} bytes cut off");
        }
    }

    #[test]
    fn a_wrong_checksum_and_wrong_lengths_are_errors() {
        let mut packed = packed(b"some text, some text");
        assert!(unpacked(&packed, 19).is_err());
        assert!(unpacked(&packed, 21).is_err());
        packed.push(0);
        assert!(unpacked(&packed, 20).is_err());
        packed.pop();
        assert!(unpacked(&packed, 20).is_ok());
        let last = packed.len() - 1;
        packed[last] ^= 1;
        assert!(unpacked(&packed, 20).is_err());
    }
}
