//! The part of ZIP that archives of arrays use: stored and deflated members, ZIP64, checksums always checked.
//!
//! PKWARE, "APPNOTE.TXT - .ZIP File Format Specification", version 6.3. The central directory is the truth; a local
//! header must agree with its name, and members may neither overlap nor share bytes.

use crate::{
    error::{Error, Place, Result},
    file::{
        inflate::Inflate,
        limits::{Limits, deflate_capacity},
        origin::Origin,
    },
};
use std::{
    collections::HashSet,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Take, Write},
    path::Path,
};

/// The first bytes of an archive with members, and of one without.
pub(crate) const MAGIC: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Bytes of the fixed part of the records.
const END_BYTES: u64 = 22;
const END64_BYTES: u64 = 56;
const LOCATOR_BYTES: u64 = 20;
const CENTRAL_BYTES: u64 = 46;
const LOCAL_BYTES: u64 = 30;

/// The longest member name taken.
const NAME_BYTES: usize = 1024;

/// A file in the archive.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) name: String,
    /// Bytes when inflated.
    pub(crate) size: u64,
    packed: u64,
    deflated: bool,
    checksum: u32,
    /// Where the local header begins, and where the next thing does.
    offset: u64,
    end: u64,
}

/// The members of an archive.
pub(crate) fn read_directory(file: &mut File, len: u64, limits: &Limits, origin: &Origin) -> Result<Vec<Member>> {
    let directory = find_directory(file, len, origin)?;
    let fault = |problem: String| origin.fault(Place::Byte(directory.offset), problem);
    limits.allow("the number of members", directory.members, origin)?;
    if directory.members > directory.size / CENTRAL_BYTES {
        return Err(fault(format!("the directory claims {} members in {} bytes", directory.members, directory.size)));
    }
    file.seek(SeekFrom::Start(directory.offset)).map_err(Error::io("read", &origin.path))?;
    let mut reader = BufReader::new(file.take(directory.size));
    let mut members = Vec::new();
    let mut names = HashSet::new();
    for number in 0..directory.members {
        let member = read_central(&mut reader, number, limits, len, origin)?;
        if !names.insert(member.name.clone()) {
            return Err(origin.fault_with(
                Place::Variable(member.name),
                "two members have this name",
                "write every array once",
            ));
        }
        members.push(member);
    }
    if reader.read(&mut [0]).map_err(Error::io("read", &origin.path))? > 0 {
        return Err(fault("the directory has more bytes than its members need".into()));
    }
    let mut by_offset: Vec<usize> = (0..members.len()).collect();
    by_offset.sort_by_key(|&member| members[member].offset);
    for (position, &member) in by_offset.iter().enumerate() {
        let end = by_offset.get(position + 1).map_or(directory.offset, |&next| members[next].offset);
        let Member { offset, packed, name, .. } = &members[member];
        let needed =
            [LOCAL_BYTES, name.len() as u64, *packed].iter().try_fold(*offset, |end, part| end.checked_add(*part));
        if needed.is_none_or(|needed| needed > end) {
            return Err(origin.fault(
                Place::Variable(name.clone()),
                format!("the member of {packed} bytes at byte {offset} overlaps what begins at byte {end}"),
            ));
        }
        members[member].end = end;
    }
    Ok(members)
}

/// A reader of the inflated bytes of `member`; only [`MemberReader::finish`] tells that they are right.
pub(crate) fn open_member<'a>(file: &'a mut File, member: &Member, origin: &Origin) -> Result<MemberReader<'a>> {
    let place = || Place::Variable(member.name.clone());
    file.seek(SeekFrom::Start(member.offset)).map_err(Error::io("read", &origin.path))?;
    let mut record = Record(vec![0; LOCAL_BYTES as usize]);
    file.read_exact(&mut record.0).map_err(origin.read(place()))?;
    let name_bytes = u64::from(record.u16(26));
    let extra_bytes = u64::from(record.u16(28));
    let mut name = vec![0; usize::from(record.u16(26))];
    file.read_exact(&mut name).map_err(origin.read(place()))?;
    if !record.0.starts_with(MAGIC[0]) || name != member.name.as_bytes() {
        return Err(origin.fault(place(), "the member is not where the directory says"));
    }
    // All parts are sizes of 16 bits or were checked to lie in the file.
    let data = member.offset + LOCAL_BYTES + name_bytes + extra_bytes;
    if data > member.end || member.packed > member.end - data {
        return Err(origin.fault(place(), format!("the member claims {} bytes that are not its own", member.packed)));
    }
    file.seek(SeekFrom::Start(data)).map_err(Error::io("read", &origin.path))?;
    let input = file.take(member.packed);
    Ok(MemberReader {
        input: if member.deflated {
            Input::Deflated(Inflate::raw(input))
        } else {
            Input::Stored(BufReader::new(input))
        },
        remaining: member.size,
        expected: member.checksum,
        checksum: crc32fast::Hasher::new(),
    })
}

/// Reads no more than the declared size and sums up what it reads.
pub(crate) struct MemberReader<'a> {
    input: Input<'a>,
    remaining: u64,
    expected: u32,
    checksum: crc32fast::Hasher,
}

enum Input<'a> {
    Stored(BufReader<Take<&'a mut File>>),
    Deflated(Inflate<Take<&'a mut File>>),
}

impl MemberReader<'_> {
    /// Passes when everything was read, there is no more, and the checksum is the one of the directory.
    pub(crate) fn finish(self) -> io::Result<()> {
        let wrong = |problem| Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        if self.remaining > 0 {
            return wrong("there are bytes after the array");
        }
        if let Input::Deflated(inflate) = self.input {
            inflate.finish()?;
        }
        if self.checksum.finalize() != self.expected {
            return wrong("the checksum (CRC-32) is wrong");
        }
        Ok(())
    }
}

impl Read for MemberReader<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.remaining).map_or(out.len(), |left| left.min(out.len()));
        let out = &mut out[..wanted];
        let read = match &mut self.input {
            Input::Stored(input) => input.read(out)?,
            Input::Deflated(input) => input.read(out)?,
        };
        self.checksum.update(&out[..read]);
        self.remaining -= read as u64;
        Ok(read)
    }
}

/// Where the directory is.
struct Directory {
    offset: u64,
    size: u64,
    members: u64,
}

fn find_directory(file: &mut File, len: u64, origin: &Origin) -> Result<Directory> {
    let mut read_at = |offset: u64, bytes: u64| -> Result<Record> {
        let mut record = vec![0; usize::try_from(bytes).unwrap_or(0)];
        file.seek(SeekFrom::Start(offset))
            .and_then(|_| file.read_exact(&mut record))
            .map_err(origin.read(Place::Byte(offset)))?;
        Ok(Record(record))
    };
    let fault = |offset, problem: &str| origin.fault(Place::Byte(offset), problem);
    // The end record is the last thing but for a comment of at most 65 535 bytes.
    let tail_bytes = len.min(END_BYTES + u64::from(u16::MAX));
    let tail = read_at(len - tail_bytes, tail_bytes)?;
    let last = tail.0.len().checked_sub(END_BYTES as usize);
    let position = last.and_then(|last| {
        (0..=last).rev().find(|&position| {
            tail.0[position..].starts_with(MAGIC[1])
                && position + END_BYTES as usize + usize::from(tail.u16(position + 20)) == tail.0.len()
        })
    });
    let Some(position) = position else {
        return Err(origin.fault_with(
            Place::File,
            "the directory at its end is missing",
            "the file is truncated; copy it again",
        ));
    };
    let end_offset = len - tail_bytes + position as u64;
    let end = Record(tail.0[position..].to_vec());
    if end.u16(4) != 0 || end.u16(6) != 0 || end.u16(8) != end.u16(10) {
        return Err(fault(end_offset, "archives in several parts are not read"));
    }
    let mut directory = Directory { offset: end.u32(16).into(), size: end.u32(12).into(), members: end.u16(10).into() };
    let mut directory_end = end_offset;
    let saturated = end.u16(10) == u16::MAX || end.u32(12) == u32::MAX || end.u32(16) == u32::MAX;
    let locator = match end_offset.checked_sub(LOCATOR_BYTES) {
        Some(offset) if saturated => Some((offset, read_at(offset, LOCATOR_BYTES)?)),
        _ => None,
    };
    if let Some((locator_offset, locator)) = locator
        && locator.0.starts_with(b"PK\x06\x07")
    {
        directory_end = locator.u64(8);
        if directory_end.checked_add(END64_BYTES).is_none_or(|end| end > locator_offset) {
            return Err(fault(locator_offset, "the ZIP64 directory is not where it should be"));
        }
        let end64 = read_at(directory_end, END64_BYTES)?;
        if !end64.0.starts_with(b"PK\x06\x06") || end64.u32(16) != 0 || end64.u64(24) != end64.u64(32) {
            return Err(fault(directory_end, "the ZIP64 end record is damaged"));
        }
        directory = Directory { offset: end64.u64(48), size: end64.u64(40), members: end64.u64(32) };
    }
    if directory.offset.checked_add(directory.size) != Some(directory_end) {
        return Err(fault(end_offset, "the directory does not end where the end record begins"));
    }
    Ok(directory)
}

fn read_central(reader: &mut dyn Read, number: u64, limits: &Limits, file_len: u64, origin: &Origin) -> Result<Member> {
    let numbered = || Place::Variable(format!("member {}", number + 1));
    let mut record = Record(vec![0; CENTRAL_BYTES as usize]);
    let read_error = |error| origin.read(numbered())(error);
    reader.read_exact(&mut record.0).map_err(read_error)?;
    if !record.0.starts_with(b"PK\x01\x02") {
        return Err(origin.fault(numbered(), "its entry in the directory is damaged"));
    }
    let mut read = |bytes: u16| {
        let mut field = vec![0; usize::from(bytes)];
        reader.read_exact(&mut field).map(|()| field)
    };
    let name = read(record.u16(28)).map_err(read_error)?;
    let extra = Record(read(record.u16(30)).map_err(read_error)?);
    read(record.u16(32)).map_err(read_error)?;

    let name = String::from_utf8(name).ok().filter(|name| is_plain(name)).ok_or_else(|| {
        origin.fault_with(
            numbered(),
            "its name is not a plain relative path",
            "names with `..`, a leading `/`, `\\`, control characters or more than 1024 bytes are refused",
        )
    })?;
    let place = || Place::Variable(name.clone());
    let mut member = Member {
        size: record.u32(24).into(),
        packed: record.u32(20).into(),
        deflated: record.u16(10) == 8,
        checksum: record.u32(16),
        offset: record.u32(42).into(),
        end: 0,
        name: name.clone(),
    };
    widen(&mut member, &record, &extra).ok_or_else(|| origin.fault(place(), "its ZIP64 sizes are damaged"))?;
    if record.u16(8) & 1 != 0 {
        return Err(origin.fault_with(place(), "the member is encrypted", "write it without a password"));
    }
    match record.u16(10) {
        0 if member.size != member.packed => {
            let problem = format!("a stored member of {} bytes claims {} bytes", member.packed, member.size);
            Err(origin.fault(place(), problem))
        }
        8 if member.size > deflate_capacity(member.packed) => {
            let problem = format!("{} bytes cannot inflate to the {} bytes claimed", member.packed, member.size);
            Err(origin.fault(place(), problem))
        }
        8 => {
            let limit = limits.of_decoded(file_len);
            origin.within(place(), "the inflated size in bytes", member.size, limit).map(|()| member)
        }
        0 => Ok(member),
        method => Err(origin.fault_with(
            place(),
            format!("compression method {method} is not read"),
            "write it stored or deflated",
        )),
    }
}

/// Replaces the sizes that 32 bits cannot hold by those of the ZIP64 extra field.
fn widen(member: &mut Member, record: &Record, extra: &Record) -> Option<()> {
    let wide = |offset| record.u32(offset) == u32::MAX;
    if !(wide(24) || wide(20) || wide(42)) {
        return Some(());
    }
    let mut position = 0;
    loop {
        let (kind, len) = (extra.try_u16(position)?, usize::from(extra.try_u16(position + 2)?));
        position += 4;
        if kind != 1 {
            position += len;
            continue;
        }
        let field = Record(extra.0.get(position..position + len)?.to_vec());
        let mut numbers = field.0.as_chunks::<8>().0.iter().map(|bytes| u64::from_le_bytes(*bytes));
        if wide(24) {
            member.size = numbers.next()?;
        }
        if wide(20) {
            member.packed = numbers.next()?;
        }
        if wide(42) {
            member.offset = numbers.next()?;
        }
        return Some(());
    }
}

/// Whether a name stays inside a folder it would be unpacked in; nothing is ever unpacked, but such names mean harm.
pub(crate) fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= NAME_BYTES
        && !name.starts_with('/')
        && !name.contains('\\')
        && !name.chars().any(char::is_control)
        && name.split('/').all(|part| part != "..")
}

/// Bytes with little-endian numbers in them.
struct Record(Vec<u8>);

impl Record {
    fn bytes<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.0.get(offset..offset.checked_add(N)?)?.try_into().ok()
    }

    fn try_u16(&self, offset: usize) -> Option<u16> {
        self.bytes(offset).map(u16::from_le_bytes)
    }

    /// Numbers at places that the length of the record covers.
    fn u16(&self, offset: usize) -> u16 {
        self.try_u16(offset).unwrap_or(0)
    }

    fn u32(&self, offset: usize) -> u32 {
        self.bytes(offset).map_or(0, u32::from_le_bytes)
    }

    fn u64(&self, offset: usize) -> u64 {
        self.bytes(offset).map_or(0, u64::from_le_bytes)
    }
}

/// Writes an archive member by member; times are the epoch of ZIP, so that equal arrays give equal files.
pub(crate) struct Writer<'a> {
    output: &'a mut dyn Write,
    path: &'a Path,
    offset: u64,
    directory: Vec<u8>,
    members: u64,
}

/// The version that reads ZIP64, 4.5.
const VERSION: u16 = 45;

/// 1980-01-01 as MS-DOS date.
const DATE: u16 = 0x21;

impl<'a> Writer<'a> {
    pub(crate) fn new(output: &'a mut dyn Write, path: &'a Path) -> Self {
        Self { output, path, offset: 0, directory: Vec::new(), members: 0 }
    }

    /// Adds a deflated member with what `fill` writes.
    pub(crate) fn add(&mut self, name: &str, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        let mut sum = Summing {
            inner: flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default()),
            checksum: crc32fast::Hasher::new(),
            size: 0,
        };
        fill(&mut sum)?;
        let failed = |error| Error::io("write", self.path)(error);
        let packed = sum.inner.finish().map_err(failed)?;
        let name_len = u16::try_from(name.len()).map_err(|_| failed(io::ErrorKind::InvalidFilename.into()))?;

        // Always with 64-bit sizes, as NumPy writes them: one way for small and large.
        let mut shared = Vec::new();
        shared.extend(VERSION.to_le_bytes());
        shared.extend([0, 8]); // UTF-8 names
        shared.extend(8_u16.to_le_bytes());
        shared.extend(0_u16.to_le_bytes());
        shared.extend(DATE.to_le_bytes());
        shared.extend(sum.checksum.finalize().to_le_bytes());
        shared.extend([0xff; 8]);
        shared.extend(name_len.to_le_bytes());
        let mut sizes = [sum.size.to_le_bytes(), (packed.len() as u64).to_le_bytes()].concat();

        let mut local = MAGIC[0].to_vec();
        local.extend(&shared);
        local.extend(20_u16.to_le_bytes());
        local.extend(name.as_bytes());
        local.extend([1, 0, 16, 0]);
        local.extend(&sizes);
        for part in [&local, &packed] {
            self.output.write_all(part).map_err(failed)?;
        }

        sizes.extend(self.offset.to_le_bytes());
        self.directory.extend(b"PK\x01\x02");
        self.directory.extend(VERSION.to_le_bytes());
        self.directory.extend(&shared);
        self.directory.extend(28_u16.to_le_bytes());
        self.directory.extend([0; 10]); // comment, part, attributes
        self.directory.extend([0xff; 4]);
        self.directory.extend(name.as_bytes());
        self.directory.extend([1, 0, 24, 0]);
        self.directory.extend(&sizes);
        self.offset += (local.len() + packed.len()) as u64;
        self.members += 1;
        Ok(())
    }

    /// Writes the directory.
    pub(crate) fn finish(self) -> Result<()> {
        let end64_offset = self.offset + self.directory.len() as u64;
        let mut end = self.directory.clone();
        end.extend(b"PK\x06\x06");
        end.extend((END64_BYTES - 12).to_le_bytes());
        end.extend([VERSION.to_le_bytes(), VERSION.to_le_bytes()].concat());
        end.extend([0; 8]);
        end.extend([self.members.to_le_bytes(), self.members.to_le_bytes()].concat());
        end.extend((self.directory.len() as u64).to_le_bytes());
        end.extend(self.offset.to_le_bytes());
        end.extend(b"PK\x06\x07\0\0\0\0");
        end.extend(end64_offset.to_le_bytes());
        end.extend(1_u32.to_le_bytes());
        end.extend(MAGIC[1]);
        end.extend([0; 4]);
        end.extend([0xff; 12]);
        end.extend([0; 2]);
        self.output.write_all(&end).map_err(Error::io("write", self.path))
    }
}

/// Counts and sums up what goes through.
struct Summing<W> {
    inner: W,
    checksum: crc32fast::Hasher,
    size: u64,
}

impl<W: Write> Write for Summing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.checksum.update(&bytes[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
