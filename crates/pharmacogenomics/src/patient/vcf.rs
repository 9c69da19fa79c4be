//! [`Vcf`]: the lines of a VCF file (4.0 to 4.5), bare or compressed by gzip or bgzip.
//!
//! Only what genotypes need is read: chromosome, position, alleles, `END`, and `GT` and `PS` of one sample. Lines are streamed and
//! of bounded length, numbers are checked, and every error names its line.

use crate::error::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

/// A longer line is no line of a VCF file: ten million samples take less.
const LONGEST_LINE: u64 = 256 << 20;
/// What a compressed file begins with.
const COMPRESSED: [u8; 2] = [0x1f, 0x8b];
/// Columns before those of the samples.
const FIXED: usize = 9;

/// A file that is being read.
pub(crate) struct Vcf {
    lines: Box<dyn BufRead>,
    path: PathBuf,
    number: u64,
    line: String,
    /// The lines that begin with `##`.
    pub(crate) meta: Vec<String>,
    /// The samples in the order of their columns.
    pub(crate) samples: Vec<String>,
}

/// One record with the genotype of one sample.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    pub(crate) chromosome: &'a str,
    /// Counted from 1.
    pub(crate) start: u64,
    /// The last place that the record speaks of.
    pub(crate) end: u64,
    pub(crate) reference: &'a str,
    pub(crate) alternates: Vec<&'a str>,
    /// The number of the allele of each haplotype, 0 for the reference; `None` where one is not known.
    pub(crate) genotype: Option<Vec<usize>>,
    pub(crate) phased: bool,
    pub(crate) phase_set: Option<&'a str>,
}

impl Vcf {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let io = |error| Error::from(cupel_data::Error::io("read", path)(error));
        let mut file = BufReader::new(File::open(path).map_err(cupel_data::Error::io("open", path))?);
        let compressed = file.fill_buf().map_err(io)?.starts_with(&COMPRESSED);
        let lines: Box<dyn BufRead> =
            if compressed { Box::new(BufReader::new(MultiGzDecoder::new(file))) } else { Box::new(file) };
        let (meta, samples) = (Vec::new(), Vec::new());
        let mut vcf = Self { lines, path: path.to_path_buf(), number: 0, line: String::new(), meta, samples };
        loop {
            if !vcf.advance()? {
                return Err(vcf.fault("it has no line that begins with #CHROM".into()));
            }
            if vcf.number == 1 && !vcf.line.starts_with("##fileformat=VCF") {
                return Err(vcf.fault("it does not begin with ##fileformat=VCF".into()));
            }
            if let Some(names) = vcf.line.strip_prefix("#CHROM\t") {
                vcf.samples = names.split('\t').skip(FIXED - 1).map(str::to_string).collect();
                return Ok(vcf);
            }
            if !vcf.line.starts_with("##") {
                return Err(vcf.fault("it is no line of a header".into()));
            }
            vcf.meta.push(vcf.line.clone());
        }
    }

    /// The next record, with the genotype in the column of `sample`; `None` after the last.
    pub(crate) fn next(&mut self, sample: usize) -> Result<Option<Record<'_>>> {
        loop {
            if !self.advance()? {
                return Ok(None);
            }
            if !self.line.is_empty() {
                break;
            }
        }
        match record(&self.line, sample) {
            Ok(record) => Ok(Some(record)),
            Err(problem) => Err(fault(&self.path, self.number, problem)),
        }
    }

    fn advance(&mut self) -> Result<bool> {
        self.line.clear();
        let read = (&mut self.lines).take(LONGEST_LINE).read_line(&mut self.line);
        let read = read.map_err(cupel_data::Error::io("read", &self.path))?;
        self.number += 1;
        if read as u64 == LONGEST_LINE {
            return Err(self.fault("it is longer than any line of a VCF file".into()));
        }
        let text = self.line.trim_end_matches(['\r', '\n']).len();
        self.line.truncate(text);
        Ok(read > 0)
    }

    fn fault(&self, problem: String) -> Error {
        fault(&self.path, self.number, problem)
    }
}

fn fault(path: &Path, line: u64, problem: String) -> Error {
    let problem = format!("line {line}: {problem}");
    Error::Model { path: path.to_path_buf(), problem, fix: "it is damaged or no VCF file" }
}

fn record(line: &str, sample: usize) -> std::result::Result<Record<'_>, String> {
    let mut columns = line.split('\t');
    let mut next = |name: &str| columns.next().ok_or_else(|| format!("there is no column {name}"));
    let (chromosome, position, _) = (next("CHROM")?, next("POS")?, next("ID")?);
    let (reference, alternates, _) = (next("REF")?, next("ALT")?, next("QUAL")?);
    let (_, info, format) = (next("FILTER")?, next("INFO")?, next("FORMAT")?);
    let own = columns.nth(sample).ok_or_else(|| format!("there is no column of sample {}", sample + 1))?;
    let start: u64 = position.parse().map_err(|_| format!("{position:?} is no position"))?;
    if reference.is_empty() || !reference.bytes().all(|base| base.is_ascii_alphabetic()) {
        return Err(format!("{reference:?} is no reference"));
    }
    let alternates: Vec<&str> = if alternates == "." { Vec::new() } else { alternates.split(',').collect() };
    let mut end = start.saturating_add(reference.len() as u64 - 1);
    if let Some(block) = info.split(';').find_map(|entry| entry.strip_prefix("END=")) {
        end = end.max(block.parse().map_err(|_| format!("END={block} is no position"))?);
    }
    let field = |name: &str| {
        let place = format.split(':').position(|key| key == name)?;
        own.split(':').nth(place).filter(|value| *value != ".")
    };
    let genotype = match field("GT") {
        None => None,
        Some(text) => numbers(text, alternates.len())?,
    };
    let phased = field("GT").is_some_and(|text| text.contains('|'));
    Ok(Record { chromosome, start, end, reference, alternates, genotype, phased, phase_set: field("PS") })
}

/// The numbers of alleles; `None` where one is not known.
fn numbers(text: &str, alternates: usize) -> std::result::Result<Option<Vec<usize>>, String> {
    // since 4.4 a separator may stand before the first number too
    let mut numbers = Vec::new();
    for number in text.trim_start_matches(['/', '|']).split(['/', '|']) {
        if number == "." {
            return Ok(None);
        }
        match number.parse::<usize>() {
            Ok(number) if number <= alternates => numbers.push(number),
            _ => return Err(format!("GT {text:?} names an allele that is not there")),
        }
    }
    Ok(Some(numbers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_say_what_they_hold() {
        let line = "chr1\t10\trs1\tCA\tC,CAA\t.\tPASS\tAC=1;END=30\tDP:GT:PS\t3:0/1:.\t9:2|1:7";
        let second = record(line, 1).unwrap();
        assert_eq!((second.start, second.end, &second.alternates[..]), (10, 30, &["C", "CAA"][..]));
        assert_eq!((second.genotype, second.phased, second.phase_set), (Some(vec![2, 1]), true, Some("7")));
        let first = record(line, 0).unwrap();
        assert_eq!((first.genotype, first.phased, first.phase_set), (Some(vec![0, 1]), false, None));
        assert_eq!(numbers("./1", 1), Ok(None));
        assert_eq!(numbers("|0|1", 1), Ok(Some(vec![0, 1])));
    }

    #[test]
    fn what_is_no_record_is_named() {
        let problem = |line: &str| record(line, 0).unwrap_err();
        assert!(problem("chr1\t10\t.").contains("no column REF"));
        assert!(problem("chr1\tx\t.\tA\tC\t.\t.\t.\tGT\t0/1").contains("no position"));
        assert!(problem("chr1\t1\t.\tA\tC\t.\t.\t.\tGT\t0/2").contains("not there"));
        assert!(problem("chr1\t1\t.\tA\tC\t.\t.\tEND=-4\tGT\t0/1").contains("END=-4"));
        assert!(problem("chr1\t1\t.\t\tC\t.\t.\t.\tGT\t0/1").contains("no reference"));
        assert!(problem("chr1\t1\t.\tA\tC\t.\t.\t.\tGT").contains("sample 1"));
    }

    #[test]
    fn damaged_files_are_refused_and_never_a_fault() {
        let text = "##fileformat=VCFv4.3\n##contig=<ID=1,length=249250621>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS\n\
                    1\t5\t.\tA\tC\t.\tPASS\tEND=9\tGT:PS\t0|1:3\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("damaged.vcf");
        for i in 0..text.len() * 4 {
            let mut bytes = text.as_bytes().to_vec();
            let at = i / 4;
            match i % 4 {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 0x80,
                2 => bytes[at] = b'\t',
                _ => bytes[at] = b'9',
            }
            std::fs::write(&path, bytes).unwrap();
            // either it reads as some file, or the error says what is wrong
            if let Ok(mut vcf) = Vcf::open(&path) {
                while let Ok(Some(_)) = vcf.next(0) {}
            }
        }
    }
}
