//! [`Vcf`]: the lines of a VCF file (4.0 to 4.5), bare or compressed by gzip or bgzip.
//!
//! Only what genotypes need is read: chromosome, position, identifiers, alleles, filter, `END`, and of samples `GT`, `PS`, `PGT` with `PID`, `DP`,
//! `AD`, `GQ` and what callers have for it, `PL`, `GP`, `GL`, `FT`, `CN`, and what may contradict a call.
//! Lines are streamed and of bounded length, numbers are checked, and every error names its line.

use super::{assembly::chromosome_of, compressed::open_compressed};
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
/// Of reads, more than this with an allele that was not called contradict the call.
const UNCALLED: f64 = 0.2;
/// The same of the mitochondrion, of which a cell has many.
const UNCALLED_MITOCHONDRIAL: f64 = 0.02;
/// How far the expected number of an alternative may be from the called one.
const DOSAGE_OFF: f64 = 0.1;
/// The least score of Illumina's arrays (`IGC`) that is a call.
const LEAST_GENCALL: f64 = 0.15;

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
    /// What the reads, or the expected number of alleles, say against it.
    pub(crate) against: Option<String>,
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

    /// What `INFO` has for a key.
    pub(crate) fn info_value(&self, key: &str) -> Option<&'a str> {
        self.info.split(';').find_map(|entry| entry.strip_prefix(key)?.strip_prefix('='))
    }

    /// Whether samples have a field.
    pub(crate) fn has_field(&self, key: &str) -> bool {
        self.format.split(':').any(|own| own == key)
    }

    /// The columns of the samples.
    pub(crate) fn columns(&self) -> Vec<&'a str> {
        self.samples.split('\t').collect()
    }

    /// What it says of the sample in one of its `columns`, counted from 0.
    pub(crate) fn genotype(&self, columns: &[&str], sample: usize) -> std::result::Result<Genotype, String> {
        let own = columns.get(sample).ok_or_else(|| format!("there is no column of sample {}", sample + 1))?;
        let mut genotype = Genotype::default();
        let (mut physical, mut order, mut no_reads, mut sets) = (None, None, false, None::<&str>);
        let (mut likelihoods, mut evidence) = (Vec::new(), Evidence::default());
        for (key, value) in self.format.split(':').zip(own.split(':')) {
            let given = Some(value).filter(|value| *value != ".");
            // what is no number proves neither reads nor quality
            let number = || given.map(|value| value.parse::<f64>().ok().filter(|value| !value.is_nan()).unwrap_or(0.0));
            match key {
                "GT" => {
                    genotype.alleles = numbers(value, self.alternates.len())?;
                    // since 4.4 each separator speaks for itself
                    genotype.phased = value.contains('|') && !value.contains('/');
                }
                "PS" => genotype.phase_set = given.map(str::to_string),
                "PSL" => sets = given,
                "DP" | "MIN_DP" => genotype.depth = smaller(number(), genotype.depth),
                "GQ" | "RGQ" | "GQX" => genotype.quality = smaller(number(), genotype.quality),
                "HQ" => {
                    let all = given.into_iter().flat_map(|value| value.split(','));
                    let least = all.filter_map(|value| value.parse().ok()).reduce(f64::min);
                    genotype.quality = smaller(least, genotype.quality);
                }
                // the score of arrays, of which less is no call by their maker's own word
                "IGC" if number().is_some_and(|score| score < LEAST_GENCALL) => genotype.quality = Some(0.0),
                "PL" | "GL" | "GP" => likelihoods.extend(given.map(|value| (key, value))),
                "AD" => {
                    no_reads = given.is_some_and(|value| value.split(',').all(|count| count == "0"));
                    evidence.reads = given.or(evidence.reads);
                }
                "RO" => evidence.reference_reads = given,
                "AO" => evidence.other_reads = given,
                "AF" | "VAF" | "FREQ" => evidence.shares = given.or(evidence.shares),
                "DS" => evidence.dosage = given,
                "HDS" => evidence.dosages = given,
                "PID" => physical = given,
                "PGT" => order = given,
                "FT" => genotype.filter = given.map(str::to_string),
                "CN" => genotype.copies = given.and_then(|value| value.parse().ok()),
                _ => {}
            }
        }
        if let (Some(sets), None) = (sets, &genotype.phase_set) {
            let first = sets.split(',').next().unwrap_or_default();
            genotype.phased &= sets.split(',').all(|set| set == first && set != ".");
            genotype.phase_set = Some(first.to_string());
        }
        let called = number_of(&genotype.alleles);
        let scale = |key: &str| likelihoods.iter().find(|own| own.0 == key).map(|own| own.1);
        let likelihood = scale("PL").and_then(|value| by_likelihood(value, 1.0, called));
        let likelihood = likelihood.or(scale("GL").and_then(|value| by_likelihood(value, -10.0, called)));
        let likelihood = likelihood.or(scale("GP").and_then(|value| by_probability(value, called)));
        // likelihoods of which another genotype has the best contradict the call, whatever its quality is said to be
        let against = likelihood.filter(|likelihood| *likelihood < 0.0);
        genotype.quality = against.or(genotype.quality).or(likelihood);
        let share = if chromosome_of(self.chromosome).0 == "MT" { UNCALLED_MITOCHONDRIAL } else { UNCALLED };
        genotype.against = evidence.against(&genotype.alleles, self.alternates.len(), share);
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
        self.format.split(':').any(|key| matches!(key, "PS" | "PSL" | "PID" | "HP" | "PB" | "PI"))
    }

    /// The first field that its samples have twice.
    pub(crate) fn repeated_field(&self) -> Option<&'a str> {
        let keys: Vec<&str> = self.format.split(':').collect();
        keys.iter().enumerate().find_map(|(index, key)| keys[..index].contains(key).then_some(*key))
    }

    /// The share of the reads of the line that have another base than the reference (`DP4`).
    pub(crate) fn other_reads(&self) -> Option<f64> {
        let counts: Vec<f64> =
            self.info_value("DP4")?.split(',').map(str::parse).collect::<std::result::Result<_, _>>().ok()?;
        let total: f64 = counts.iter().sum();
        let [_, _, forward, backward] = counts[..] else { return None };
        (total > 0.0).then(|| (forward + backward) / total)
    }

    /// Whether the file says that nothing was read here.
    pub(crate) fn has_no_reads(&self) -> bool {
        self.info.split(';').any(|entry| entry == "DP=0")
    }
}

/// The smaller of two, where either may not be there.
fn smaller(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.into_iter().chain(b).reduce(f64::min)
}

/// The number of a genotype in the order of `PL`, `GL` and `GP`.
fn number_of(alleles: &[Option<usize>]) -> Option<usize> {
    match alleles[..] {
        [Some(a)] => Some(a),
        [Some(a), Some(b)] => Some(a.max(b).checked_mul(a.max(b) + 1)? / 2 + a.min(b)),
        _ => None,
    }
}

/// How much likelier the genotype `called` is than the best other, or the best than the second where it is not said which is called, on the scale of `GQ`,
/// from values of which the smallest, times `unit`, is best.
fn by_likelihood(text: &str, unit: f64, called: Option<usize>) -> Option<f64> {
    let mut all: Vec<f64> = text
        .split(',')
        .map(|value| value.parse::<f64>().map(|value| value * unit))
        .collect::<std::result::Result<_, _>>()
        .ok()?;
    let own = called.filter(|number| *number < all.len()).map(|number| all.remove(number));
    all.sort_by(f64::total_cmp);
    let difference = match (own, &all[..]) {
        (Some(own), [other, ..]) => other - own,
        (None, [best, second, ..]) => second - best,
        _ => return None,
    };
    Some(difference).filter(|difference| difference.is_finite())
}

/// The same from posterior probabilities; before VCF 4.3 they were on the scale of `GQ`.
fn by_probability(text: &str, called: Option<usize>) -> Option<f64> {
    let all: Vec<f64> = text.split(',').map(str::parse).collect::<std::result::Result<_, _>>().ok()?;
    let total: f64 = all.iter().sum();
    if all.len() < 2 || all.iter().any(|value| !(0.0..=1.0).contains(value)) || (total - 1.0).abs() > 0.05 {
        return by_likelihood(text, 1.0, called);
    }
    let best = all.iter().copied().fold(0.0, f64::max);
    match called.and_then(|number| all.get(number)) {
        Some(own) if *own < best => Some(10.0 * (own / best).max(1e-10).log10()),
        _ => Some(-10.0 * (1.0 - best).max(1e-10).log10()),
    }
}

/// What a sample says of its alleles beside calling them, as it is written.
#[derive(Default)]
struct Evidence<'a> {
    reads: Option<&'a str>,
    reference_reads: Option<&'a str>,
    other_reads: Option<&'a str>,
    shares: Option<&'a str>,
    dosage: Option<&'a str>,
    dosages: Option<&'a str>,
}

impl Evidence<'_> {
    /// How it contradicts the alleles that were called, if it does: one that was not called has more than `most` of the reads, or the expected number of
    /// alternatives is another.
    fn against(&self, called: &[Option<usize>], alternates: usize, most: f64) -> Option<String> {
        if called.is_empty() || called.contains(&None) {
            return None;
        }
        let has = |number: usize| called.contains(&Some(number));
        let numbers = |text: &str| -> Vec<Option<f64>> {
            let number = |value: &str| match value.strip_suffix('%') {
                Some(percent) => percent.parse().ok().map(|percent: f64| percent / 100.0),
                None => value.parse().ok(),
            };
            text.split(',').map(number).collect()
        };
        let ratios = |counts: Vec<Option<f64>>| -> Vec<Option<f64>> {
            let total: f64 = counts.iter().flatten().sum();
            counts.into_iter().map(|count| count.filter(|_| total > 0.0).map(|count| count / total)).collect()
        };
        let counted = self.reads.map(numbers).filter(|counts| counts.len() == alternates + 1);
        let split = self.reference_reads.zip(self.other_reads);
        let split = split.map(|(own, others)| numbers(own).into_iter().chain(numbers(others)).collect::<Vec<_>>());
        let shares = self.shares.map(|text| std::iter::once(None).chain(numbers(text)).collect::<Vec<_>>());
        for shares in [counted.map(ratios), split.map(ratios), shares].into_iter().flatten() {
            for (number, share) in shares.iter().enumerate().filter_map(|(number, share)| Some((number, (*share)?))) {
                // a few reads of the reference beside a mitochondrial variant do not make it another
                if !has(number) && share > if number == 0 { most.max(UNCALLED) } else { most } {
                    let percent = share * 100.0;
                    return Some(format!("{percent:.0} % of its reads have allele {number}, which was not called"));
                }
            }
        }
        let count = |number: usize| called.iter().filter(|own| **own == Some(number)).count() as f64;
        for (index, dosage) in self.dosage.map(numbers).unwrap_or_default().into_iter().enumerate() {
            let near = |expected: f64| dosage.is_none_or(|dosage| (dosage - expected).abs() <= DOSAGE_OFF);
            let own = count(index + 1);
            // one haplotype is counted once or twice
            let as_two = called.len() == 1 && near(2.0 * own);
            if !near(own) && !as_two {
                return Some(format!("DS is {} where it has {own}", dosage.unwrap_or_default()));
            }
        }
        let by_haplotype = self.dosages.map(numbers).filter(|own| alternates == 1 && own.len() == called.len());
        let off = |(dosage, own): (Option<f64>, &Option<usize>)| {
            let expected = if *own == Some(1) { 1.0 } else { 0.0 };
            dosage.is_some_and(|dosage| (dosage - expected).abs() > DOSAGE_OFF)
        };
        let contradicts = by_haplotype.is_some_and(|own| own.into_iter().zip(called).any(off));
        contradicts.then(|| format!("HDS is {}", self.dosages.unwrap_or_default()))
    }
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
