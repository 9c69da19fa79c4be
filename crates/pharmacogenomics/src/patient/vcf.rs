//! [`Vcf`]: the lines of a VCF file (4.0 to 4.5), bare or compressed by gzip or bgzip.
//!
//! Only what genotypes need is read: chromosome, position, identifiers, alleles, filter, `END`, and of samples `GT`, `PS`, `PGT` with `PID`, `DP`,
//! `AD`, `GQ`, `PL`, `GP`, `GL`, `FT` and `CN`.
//! Lines are streamed and of bounded length, numbers are checked, and every error names its line.

use super::compressed::open_compressed;
use crate::error::{Error, Result};
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
    bytes: Vec<u8>,
    /// The lines that begin with `##`.
    pub(crate) meta: Vec<String>,
    /// The samples in the order of their columns.
    pub(crate) samples: Vec<String>,
}

/// One line; what samples say is read when it is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Record<'a> {
    /// Of the line in its file, counted from 1.
    pub(crate) line: u64,
    pub(crate) chromosome: &'a str,
    /// Counted from 1.
    pub(crate) start: u64,
    /// The last place that the record speaks of.
    pub(crate) end: u64,
    pub(crate) ids: &'a str,
    pub(crate) reference: &'a str,
    pub(crate) alternates: Vec<&'a str>,
    pub(crate) filter: &'a str,
    pub(crate) info: &'a str,
    format: &'a str,
    samples: &'a str,
}

/// What a line says of a sample.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Genotype {
    /// Of each haplotype the number of its allele, 0 for the reference; `None` where it was not called.
    pub(crate) alleles: Vec<Option<usize>>,
    pub(crate) phased: bool,
    pub(crate) phase_set: Option<String>,
    pub(crate) depth: Option<f64>,
    /// That the genotype is right: `GQ`, else what `PL`, `GP` or `GL` say.
    pub(crate) quality: Option<f64>,
    pub(crate) filter: Option<String>,
    /// Copies of what the line speaks of.
    pub(crate) copies: Option<u32>,
}

impl Vcf {
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = BufReader::new(File::open(path).map_err(cupel_data::Error::io("open", path))?);
        Self::new(Box::new(file), path)
    }

    /// Reads the header of a stream; `path` is what errors call it.
    pub(crate) fn new(mut stream: Box<dyn BufRead>, path: &Path) -> Result<Self> {
        let io = |error| Error::from(cupel_data::Error::io("read", path)(error));
        let compressed = stream.fill_buf().map_err(io)?.starts_with(&COMPRESSED);
        let lines = if compressed { open_compressed(stream) } else { stream };
        let (meta, samples) = (Vec::new(), Vec::new());
        let mut vcf =
            Self { lines, path: path.to_path_buf(), number: 0, line: String::new(), bytes: Vec::new(), meta, samples };
        loop {
            if !vcf.advance()? {
                return Err(vcf.fault("it has no line that begins with #CHROM".into()));
            }
            if vcf.number == 1
                && let Some(rest) = vcf.line.strip_prefix('\u{feff}')
            {
                vcf.line = rest.to_string();
            }
            if vcf.number == 1 && !vcf.line.starts_with("##fileformat=VCF") {
                return Err(vcf.fault("it does not begin with ##fileformat=VCF".into()));
            }
            if let Some(names) = vcf.line.strip_prefix("#CHROM\t") {
                vcf.samples = names.split('\t').skip(FIXED - 1).map(str::to_string).collect();
                let again = |(i, name): (usize, &String)| vcf.samples[..i].contains(name).then(|| name.clone());
                return match vcf.samples.iter().enumerate().find_map(again) {
                    Some(name) => Err(vcf.fault(format!("two columns are of a sample {name:?}"))),
                    None => Ok(vcf),
                };
            }
            if !vcf.line.starts_with("##") {
                return Err(vcf.fault("it is no line of a header".into()));
            }
            vcf.meta.push(vcf.line.clone());
        }
    }

    /// The next record; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<Record<'_>>> {
        loop {
            if !self.advance()? {
                return Ok(None);
            }
            if !self.line.is_empty() {
                break;
            }
        }
        match Record::parse(&self.line, self.number) {
            Ok(record) => Ok(Some(record)),
            Err(problem) => Err(fault(&self.path, self.number, problem)),
        }
    }

    fn advance(&mut self) -> Result<bool> {
        self.line.clear();
        self.bytes.clear();
        let read = (&mut self.lines).take(LONGEST_LINE).read_until(b'\n', &mut self.bytes);
        let read = read.map_err(cupel_data::Error::io("read", &self.path))?;
        self.number += 1;
        if read as u64 == LONGEST_LINE {
            return Err(self.fault("it is longer than any line of a VCF file".into()));
        }
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => self.line.push_str(text.trim_end_matches(['\r', '\n'])),
            // names of programs and people in a header may be in an old encoding; nothing is read from them
            Err(_) if self.bytes.starts_with(b"##") => {
                self.line.push_str(String::from_utf8_lossy(&self.bytes).trim_end_matches(['\r', '\n']));
            }
            Err(_) => return Err(self.fault("it is no text in UTF-8".into())),
        }
        Ok(read > 0)
    }

    fn fault(&self, problem: String) -> Error {
        fault(&self.path, self.number, problem)
    }
}

/// The error of a line that is none of a VCF file.
pub(crate) fn fault(path: &Path, line: u64, problem: String) -> Error {
    let problem = format!("line {line}: {problem}");
    Error::Model {
        path: path.to_path_buf(),
        problem,
        fix: "give a VCF file; bcftools view names what is wrong in a line",
    }
}

impl<'a> Record<'a> {
    fn parse(text: &'a str, line: u64) -> std::result::Result<Self, String> {
        let mut columns = text.splitn(FIXED + 1, '\t');
        let mut next = |name: &str| columns.next().ok_or_else(|| format!("there is no column {name}"));
        let (chromosome, position, ids) = (next("CHROM")?, next("POS")?, next("ID")?);
        let (reference, alternates, _) = (next("REF")?, next("ALT")?, next("QUAL")?);
        let (filter, info, format) = (next("FILTER")?, next("INFO")?, next("FORMAT")?);
        let samples = columns.next().ok_or("there is no column of sample 1")?;
        let start: u64 = position.parse().map_err(|_| format!("{position:?} is no position"))?;
        if reference.is_empty() || !reference.bytes().all(|base| base.is_ascii_alphabetic()) {
            return Err(format!("{reference:?} is no reference"));
        }
        let alternates: Vec<&str> = if alternates == "." { Vec::new() } else { alternates.split(',').collect() };
        let mut end = start.saturating_add(reference.len() as u64 - 1);
        if let Some(block) = info.split(';').find_map(|entry| entry.strip_prefix("END=")) {
            end = end.max(block.parse().map_err(|_| format!("END={block} is no position"))?);
        }
        Ok(Self { line, chromosome, start, end, ids, reference, alternates, filter, info, format, samples })
    }

    /// The columns of the samples.
    pub(crate) fn columns(&self) -> Vec<&'a str> {
        self.samples.split('\t').collect()
    }

    /// What it says of the sample in one of its `columns`, counted from 0.
    pub(crate) fn genotype(&self, columns: &[&str], sample: usize) -> std::result::Result<Genotype, String> {
        let own = columns.get(sample).ok_or_else(|| format!("there is no column of sample {}", sample + 1))?;
        let mut genotype = Genotype::default();
        let (mut likelihood, mut physical, mut order, mut no_reads) = (None, None, None, false);
        for (key, value) in self.format.split(':').zip(own.split(':')) {
            let given = Some(value).filter(|value| *value != ".");
            // what is no number proves neither reads nor quality
            let number = || given.map(|value| value.parse::<f64>().ok().filter(|value| !value.is_nan()).unwrap_or(0.0));
            match key {
                "GT" => {
                    genotype.alleles = numbers(value, self.alternates.len())?;
                    genotype.phased = value.contains('|');
                }
                "PS" => genotype.phase_set = given.map(str::to_string),
                "DP" | "MIN_DP" => genotype.depth = number().or(genotype.depth),
                "GQ" | "RGQ" => genotype.quality = number().or(genotype.quality),
                "PL" => likelihood = given.and_then(|value| by_likelihood(value, 1.0)).or(likelihood),
                "GL" => likelihood = likelihood.or(given.and_then(|value| by_likelihood(value, -10.0))),
                "GP" => likelihood = likelihood.or(given.and_then(by_probability)),
                "AD" => no_reads = given.is_some_and(|value| value.split(',').all(|count| count == "0")),
                "PID" => physical = given,
                "PGT" => order = given,
                "FT" => genotype.filter = given.map(str::to_string),
                "CN" => genotype.copies = given.and_then(|value| value.parse().ok()),
                _ => {}
            }
        }
        genotype.quality = genotype.quality.or(likelihood);
        if no_reads {
            genotype.depth = Some(0.0);
        }
        // GATK's phase of the reads themselves
        if let (Some(set), None) = (physical, &genotype.phase_set) {
            let order = order.map(|order| numbers(order, self.alternates.len())).transpose()?;
            let sorted = |alleles: &[Option<usize>]| {
                let mut sorted = alleles.to_vec();
                sorted.sort_unstable();
                sorted
            };
            if let Some(order) = order.filter(|order| sorted(order) == sorted(&genotype.alleles)) {
                genotype.alleles = order;
                genotype.phased = true;
            }
            genotype.phase_set = Some(set.to_string());
        }
        Ok(genotype)
    }

    /// Whether samples can name sets of places whose haplotypes stand in one order.
    pub(crate) fn has_phase_sets(&self) -> bool {
        self.format.split(':').any(|key| matches!(key, "PS" | "PID" | "HP"))
    }

    /// Whether the file says that nothing was read here.
    pub(crate) fn has_no_reads(&self) -> bool {
        self.info.split(';').any(|entry| entry == "DP=0")
    }
}

/// How much likelier the best genotype is than the second, on the scale of `GQ`, from values of which the smallest, times `unit`, is best.
fn by_likelihood(text: &str, unit: f64) -> Option<f64> {
    let mut all: Vec<f64> = text
        .split(',')
        .map(|value| value.parse::<f64>().map(|value| value * unit))
        .collect::<std::result::Result<_, _>>()
        .ok()?;
    all.sort_by(f64::total_cmp);
    match all[..] {
        [best, second, ..] => Some(second - best).filter(|difference| difference.is_finite()),
        _ => None,
    }
}

/// The same from posterior probabilities; before VCF 4.3 they were on the scale of `GQ`.
fn by_probability(text: &str) -> Option<f64> {
    let all: Vec<f64> = text.split(',').map(str::parse).collect::<std::result::Result<_, _>>().ok()?;
    let total: f64 = all.iter().sum();
    if all.len() < 2 || all.iter().any(|value| !(0.0..=1.0).contains(value)) || (total - 1.0).abs() > 0.05 {
        return by_likelihood(text, 1.0);
    }
    let best = all.iter().copied().fold(0.0, f64::max);
    Some(-10.0 * (1.0 - best).max(1e-10).log10())
}

/// The numbers of alleles, `None` where one was not called.
fn numbers(text: &str, alternates: usize) -> std::result::Result<Vec<Option<usize>>, String> {
    // since 4.4 a separator may stand before the first number too
    let numbers = text.trim_start_matches(['/', '|']).split(['/', '|']);
    let number = |number: &str| match number.parse::<usize>() {
        _ if number == "." => Ok(None),
        Ok(number) if number <= alternates => Ok(Some(number)),
        _ => Err(format!("GT {text:?} names an allele that is not there")),
    };
    numbers.map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> std::result::Result<Record<'_>, String> {
        Record::parse(text, 1)
    }

    fn genotype(text: &str) -> std::result::Result<Genotype, String> {
        let record = record(text)?;
        record.genotype(&record.columns(), 0)
    }

    #[test]
    fn records_say_what_they_hold() {
        let line = "chr1\t10\trs1\tCA\tC,CAA\t.\tPASS\tAC=1;END=30\tDP:GT:PS:GQ\t3:0/1:.:9\t0:2|.:7";
        let record = record(line).unwrap();
        assert_eq!((record.start, record.end, &record.alternates[..]), (10, 30, &["C", "CAA"][..]));
        assert_eq!((record.ids, record.filter), ("rs1", "PASS"));
        let second = record.genotype(&record.columns(), 1).unwrap();
        assert_eq!((second.alleles, second.phased, second.depth), (vec![Some(2), None], true, Some(0.0)));
        assert_eq!((second.phase_set.as_deref(), second.quality), (Some("7"), None));
        let first = record.genotype(&record.columns(), 0).unwrap();
        assert_eq!((first.alleles, first.phased, first.phase_set), (vec![Some(0), Some(1)], false, None));
        assert_eq!(first.quality, Some(9.0));
        assert_eq!(numbers("|0|1", 1), Ok(vec![Some(0), Some(1)]));
        assert_eq!(numbers("./1", 1), Ok(vec![None, Some(1)]));
    }

    #[test]
    fn evidence_is_read_where_gq_is_missing() {
        let of = |format: &str, own: &str| {
            let line = format!("1\t10\t.\tA\tC\t.\tPASS\t.\tGT:{format}\t0/0:{own}");
            genotype(&line).unwrap()
        };
        for (format, own, quality) in [
            ("GQ:PL", "7:0,50,90", Some(7.0)),
            ("GQ:PL", ".:0,50,90", Some(50.0)),
            ("PL", "0,0,0", Some(0.0)),
            ("PL", "0", None),
            ("GP", "0.51,0.49,0", Some(3.1)),
            ("GP", "1,0,0", Some(100.0)),
            ("GP", "0,33,99", Some(33.0)),
            ("GL", "-0.5,-3.5,-9", Some(30.0)),
            ("PL", ".", None),
        ] {
            let got = of(format, own).quality;
            let near = got.zip(quality).is_none_or(|(a, b)| (a - b).abs() < 0.01);
            assert!(near && got.is_some() == quality.is_some(), "{format} {own}: {got:?}");
        }
        assert_eq!(of("AD", "0,0").depth, Some(0.0));
        assert_eq!(of("AD", "9,0").depth, None);
        let phased = genotype("1\t10\t.\tA\tC\t.\tPASS\t.\tGT:PGT:PID\t0/1:1|0:10_A_C").unwrap();
        assert_eq!((phased.alleles, phased.phased), (vec![Some(1), Some(0)], true));
        assert_eq!(phased.phase_set.as_deref(), Some("10_A_C"));
    }

    #[test]
    fn what_is_no_record_is_named() {
        let problem = |line: &str| genotype(line).unwrap_err();
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
        for i in 0..text.len() * 4 {
            let mut bytes = text.as_bytes().to_vec();
            let at = i / 4;
            match i % 4 {
                0 => bytes.truncate(at),
                1 => bytes[at] ^= 0x80,
                2 => bytes[at] = b'\t',
                _ => bytes[at] = b'9',
            }
            // either it reads as some file, or the error says what is wrong
            if let Ok(mut vcf) = Vcf::new(Box::new(std::io::Cursor::new(bytes)), Path::new("damaged.vcf")) {
                while let Ok(Some(record)) = vcf.next() {
                    let _ = record.genotype(&record.columns(), 0);
                }
            }
        }
    }
}
