//! Text out of gzip or bgzip, which is there as a whole or is an error.
//!
//! bgzip (the SAM specification, section 4.1) is gzip in blocks, whose last is empty: a file that was cut between two blocks is good gzip, and lacks
//! lines that nothing tells of. A place that such a file does not mention is no reference.

use flate2::read::MultiGzDecoder;
use std::{
    io::{self, BufRead, BufReader, Read},
    sync::{Arc, Mutex, PoisonError},
};

/// The empty block that bgzip ends with.
const END: [u8; 28] =
    [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, b'B', b'C', 2, 0, 0x1b, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
/// Where the first block says that it is one of bgzip's, and how.
const MARK: (usize, [u8; 2]) = (12, [b'B', b'C']);
/// That a block has more fields than gzip asks for.
const EXTRA: (usize, u8) = (3, 4);

/// The last bytes that were read.
#[derive(Debug, Default)]
struct Last(Vec<u8>);

impl Last {
    fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&bytes[bytes.len().saturating_sub(END.len())..]);
        self.0.drain(..self.0.len().saturating_sub(END.len()));
    }
}

/// Hands bytes on, and keeps the last.
struct Watched {
    inner: Box<dyn BufRead>,
    last: Arc<Mutex<Last>>,
}

impl Watched {
    fn note(&self, bytes: &[u8]) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).add(bytes);
    }
}

impl Read for Watched {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(out)?;
        self.note(&out[..count]);
        Ok(count)
    }
}

/// Text of bgzip, which ends with an error where the last block is missing.
struct Whole<R> {
    text: R,
    last: Arc<Mutex<Last>>,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.text.read(out)?;
        let ends = || self.last.lock().unwrap_or_else(PoisonError::into_inner).0 == END;
        if count == 0 && !out.is_empty() && !ends() {
            let problem = "it was cut: the block that bgzip ends with is missing; copy or compress the file again";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, problem));
        }
        Ok(count)
    }
}

/// The text of a compressed stream.
pub(crate) fn open_compressed(mut stream: Box<dyn BufRead>) -> Box<dyn BufRead> {
    let of_bgzip = stream.fill_buf().is_ok_and(|first| {
        first.get(EXTRA.0).is_some_and(|flags| flags & EXTRA.1 != 0) && first.get(MARK.0..MARK.0 + 2) == Some(&MARK.1)
    });
    let last = Arc::new(Mutex::new(Last::default()));
    let watched = BufReader::new(Watched { inner: stream, last: last.clone() });
    let text = MultiGzDecoder::new(watched);
    if of_bgzip { Box::new(BufReader::new(Whole { text, last })) } else { Box::new(BufReader::new(text)) }
}
