//! [`Elements`]: tagged pieces of a MATLAB file, from the file itself or from a zlib stream in it.

use crate::{
    element::{ElementType, Values},
    error::{Error, Place, Result},
    file::{
        inflate::Inflate,
        limits::{Limits, deflate_capacity},
        numbers::{ByteOrder, read_values},
        origin::Origin,
    },
};
use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Take},
};

/// The kinds of elements.
pub(super) const INT8: u32 = 1;
pub(super) const UINT8: u32 = 2;
pub(super) const UINT16: u32 = 4;
pub(super) const INT32: u32 = 5;
pub(super) const UINT32: u32 = 6;
pub(super) const MATRIX: u32 = 14;
pub(super) const COMPRESSED: u32 = 15;
pub(super) const UTF8: u32 = 16;
pub(super) const UTF16: u32 = 17;
pub(super) const UTF32: u32 = 18;

/// What follows, and how many bytes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    pub(super) kind: u32,
    pub(super) size: u64,
    /// Unused bytes after it.
    padding: u64,
}

/// A reader of the pieces of one top-level element, which is a matrix or a zlib stream with a matrix in it.
///
/// Every declared size is checked against what is left of the element, and the size of the element against the bytes of
/// the file.
pub(super) struct Elements<'a> {
    input: Input<'a>,
    order: ByteOrder,
    /// Bytes of the matrix read so far, and all it has.
    position: u64,
    end: u64,
    /// Where the next element begins in the file.
    next_offset: u64,
    /// For messages: where the element is, or the variable as soon as its name is known.
    pub(super) place: Place,
    pub(super) origin: &'a Origin,
}

enum Input<'a> {
    Plain(BufReader<&'a mut File>),
    Packed(Inflate<Take<&'a mut File>>),
}

impl<'a> Elements<'a> {
    /// The element at `offset`, with its matrix to be read next.
    pub(super) fn open(
        file: &'a mut File,
        offset: u64,
        file_len: u64,
        order: ByteOrder,
        limits: &Limits,
        origin: &'a Origin,
    ) -> Result<Self> {
        let place = Place::Byte(offset);
        let mut tag = [0; 8];
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut tag))
            .map_err(origin.read(place.clone()))?;
        let number = |start: usize| order.u32([tag[start], tag[start + 1], tag[start + 2], tag[start + 3]]);
        let (kind, size) = (number(0), u64::from(number(4)));
        // The eight bytes of the tag were there.
        let present = file_len.saturating_sub(offset + 8);
        if kind != MATRIX && kind != COMPRESSED {
            let problem = format!("there is an element of type {kind} where a matrix must begin");
            return Err(origin.fault(place, problem));
        }
        if size > present {
            let problem = format!("the element claims {size} bytes, the file has {present} more");
            return Err(origin.fault_with(place, problem, "the file is truncated; copy it again"));
        }
        let mut elements = Self {
            input: if kind == MATRIX {
                Input::Plain(BufReader::new(file))
            } else {
                Input::Packed(Inflate::zlib(file.take(size)))
            },
            order,
            position: 0,
            end: size,
            next_offset: offset + 8 + size,
            place,
            origin,
        };
        if kind == COMPRESSED {
            elements.read_stream_tag(size, limits.decoded_bytes_for(file_len))?;
        }
        Ok(elements)
    }

    /// Reads the tag of the matrix in a stream of `packed` bytes.
    fn read_stream_tag(&mut self, packed: u64, limit: u64) -> Result<()> {
        self.end = 8;
        let (kind, size) = (self.u32()?, u64::from(self.u32()?));
        if kind != MATRIX {
            return Err(self.fault("what is compressed is not a matrix"));
        }
        if size > deflate_capacity(packed) {
            return Err(self.fault(&format!("{packed} bytes cannot inflate to the {size} bytes claimed")));
        }
        self.origin.within(self.place.clone(), "the inflated size in bytes", size, (limit, "Limits::decoded_bytes"))?;
        (self.position, self.end) = (0, size);
        Ok(())
    }

    /// Where the next element begins in the file.
    pub(super) fn next_offset(&self) -> u64 {
        self.next_offset
    }

    /// Bytes of the matrix that are not read yet.
    pub(super) fn remaining(&self) -> u64 {
        self.end - self.position
    }

    /// How far the reader is in the matrix.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Passes when the element holds nothing but its matrix and, in a stream, its checksum is right.
    pub(super) fn finish(mut self) -> Result<()> {
        self.skip_to(self.end)?;
        match self.input {
            Input::Plain(_) => Ok(()),
            Input::Packed(inflate) => inflate.finish().map_err(self.origin.read(self.place)),
        }
    }

    /// The next tag; its bytes are known to be there.
    pub(super) fn tag(&mut self) -> Result<Tag> {
        let first = self.u32()?;
        // A size in the upper half marks the small form, with up to 4 bytes of data in the second half of the tag.
        let tag = match first >> 16 {
            0 => {
                let size = u64::from(self.u32()?);
                let padding = size.next_multiple_of(8) - size;
                Tag { kind: first, size, padding: padding.min(self.remaining().saturating_sub(size)) }
            }
            size @ 1..=4 => Tag { kind: first & 0xffff, size: size.into(), padding: u64::from(4 - size) },
            size => return Err(self.fault(&format!("a small element claims {size} bytes, 4 are the most"))),
        };
        if tag.size + tag.padding > self.remaining() {
            let (size, remaining) = (tag.size, self.remaining());
            return Err(self.fault(&format!("a part claims {size} bytes, the matrix has {remaining} more")));
        }
        Ok(tag)
    }

    /// The bytes after a tag, at most `limit` of them.
    pub(super) fn bytes(&mut self, tag: Tag, limit: u64) -> Result<Vec<u8>> {
        if tag.size > limit {
            let size = tag.size;
            return Err(self.fault(&format!("a name of {size} bytes, at most {limit} are taken")));
        }
        // The tag was checked against what is left of the matrix.
        let mut bytes = vec![0; usize::try_from(tag.size).unwrap_or(0)];
        self.fill(&mut bytes)?;
        self.skip_to(self.position + tag.padding)?;
        Ok(bytes)
    }

    /// The numbers after a tag, all of them or exactly `count`.
    pub(super) fn numbers(&mut self, tag: Tag, count: Option<usize>) -> Result<Values> {
        let element = match tag.kind {
            INT8 => ElementType::I8,
            UINT8 | UTF8 => ElementType::U8,
            3 => ElementType::I16,
            UINT16 | UTF16 => ElementType::U16,
            INT32 => ElementType::I32,
            UINT32 | UTF32 => ElementType::U32,
            7 => ElementType::F32,
            9 => ElementType::F64,
            12 => ElementType::I64,
            13 => ElementType::U64,
            kind => return Err(self.fault(&format!("numbers of the unknown type {kind}"))),
        };
        let width = element.size_bytes() as u64;
        let present = usize::try_from(tag.size / width).unwrap_or(usize::MAX);
        if !tag.size.is_multiple_of(width) || count.is_some_and(|count| count != present) {
            let expected = count.map_or(String::new(), |count| format!(", expected {count} numbers"));
            let size = tag.size;
            return Err(self.fault(&format!("there are {size} bytes of {element}{expected}")));
        }
        let order = self.order;
        let values = read_values(self, element, present, order).map_err(self.failed())?;
        self.skip_to(self.position + tag.padding)?;
        Ok(values)
    }

    /// Goes on at `position`, which nothing before may have passed.
    pub(super) fn skip_to(&mut self, position: u64) -> Result<()> {
        let Some(bytes) = position.checked_sub(self.position) else {
            return Err(self.fault("a part reaches beyond the end of the matrix it is in"));
        };
        if bytes > self.remaining() {
            return Err(self.fault("the matrix ends early"));
        }
        match &mut self.input {
            Input::Plain(input) => input.seek_relative(i64::try_from(bytes).unwrap_or(i64::MAX)),
            Input::Packed(input) => match io::copy(&mut input.take(bytes), &mut io::sink()) {
                Ok(skipped) if skipped < bytes => Err(io::ErrorKind::UnexpectedEof.into()),
                other => other.map(|_| ()),
            },
        }
        .map_err(self.failed())?;
        self.position = position;
        Ok(())
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        let mut bytes = [0; 4];
        self.fill(&mut bytes)?;
        Ok(self.order.u32(bytes))
    }

    /// The content is not what the format promises.
    pub(super) fn fault(&self, problem: &str) -> Error {
        self.origin.fault(self.place.clone(), problem)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.read_exact(bytes).map_err(self.failed())
    }

    fn failed(&self) -> impl FnOnce(io::Error) -> Error + use<> {
        let (origin, place) = (self.origin.clone(), self.place.clone());
        move |error| origin.read(place)(error)
    }
}

impl Read for Elements<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.remaining()).map_or(out.len(), |left| left.min(out.len()));
        let out = &mut out[..wanted];
        let read = match &mut self.input {
            Input::Plain(input) => input.read(out)?,
            Input::Packed(input) => input.read(out)?,
        };
        self.position += read as u64;
        Ok(read)
    }
}
