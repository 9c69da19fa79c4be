//! Files of kinds that people have and no case of ours was: what each may be read as, and what it must never be.

use super::tables::grch38;
use cupel_pharmacogenomics::{Patient, PatientConfig};
use std::{
    io::{Cursor, Write},
    path::Path,
};

const HEADER: &str =
    "##fileformat=VCFv4.2\n##contig=<ID=chr1,length=248956422>\n##contig=<ID=chr10,length=133797422>\n";
const COLUMNS: &str = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP1\n";

/// What a file is.
#[derive(Clone, Copy, Debug)]
enum Is {
    /// An error with these words.
    Refused(&'static str),
    /// DPYD has this phenotype.
    Dpyd(&'static str),
    /// DPYD, or another gene, has none.
    Open(&'static str),
}
use Is::{Dpyd, Open, Refused};

const NORMAL: Is = Dpyd("Normal Metabolizer");
const ONE: Is = Dpyd("Intermediate Metabolizer");
const TWO: Is = Dpyd("Poor Metabolizer");
const DPYD: Is = Open("DPYD");

fn read(text: impl Into<Vec<u8>>, absent_is_reference: bool) -> Result<Vec<Patient>, String> {
    let config = PatientConfig { absent_is_reference, ..PatientConfig::default() };
    let stream = Box::new(Cursor::new(text.into()));
    Patient::from_stream(stream, Path::new("made.vcf"), grch38().unwrap(), &config).map_err(|error| error.to_string())
}

/// What is wrong with the reading of a file, if anything is.
fn wrong(read: Result<Vec<Patient>, String>, is: Is) -> Option<String> {
    let phenotype = |patients: &[Patient], gene: &str| {
        let call = patients[0].genes.iter().find(|call| call.gene == gene)?;
        call.phenotype.as_ref().map(|phenotype| phenotype.name.clone())
    };
    match (read, is) {
        (Err(error), Refused(words)) if error.contains(words) => None,
        (Err(error), _) => Some(format!("refused: {error}")),
        (Ok(patients), Refused(_)) => Some(format!("read as {:?}", phenotype(&patients, "DPYD"))),
        (Ok(patients), Dpyd(name)) => phenotype(&patients, "DPYD").filter(|own| own == name).is_none().then(|| {
            let call = patients[0].genes.iter().find(|call| call.gene == "DPYD").unwrap();
            format!("read as {:?}, {:?}", phenotype(&patients, "DPYD"), call.unknown_because)
        }),
        (Ok(patients), Open(gene)) => phenotype(&patients, gene).map(|name| format!("read as {name}")),
    }
}

/// The columns of rs3918290 (DPYD c.1905+1G>A) before those that a row gives.
const SITE: &str = "chr1 97450058 rs3918290 C T";
const PLAIN: &str = "chr1 97450058 rs3918290 C T . PASS . GT 0/0";

#[test]
fn lines_of_every_kind_are_read_or_named() {
    if grch38().is_none() {
        return;
    }
    // lines, whose columns stand apart by blanks, in a file in which places without a line are reference
    let rows: &[(&str, Is, &[&str])] = &[
        ("the genotype is not the first of the fields", TWO, &["{} . PASS . DP:GT 30:1/1"]),
        ("fewer fields than FORMAT has", TWO, &["{} . PASS . GT:DP:GQ 1/1"]),
        ("no field for the genotype", DPYD, &["{} . PASS . DP 30"]),
        ("nothing at all", DPYD, &["{} . PASS . . ."]),
        ("one point for two haplotypes", DPYD, &["{} . PASS . GT ."]),
        ("three haplotypes", DPYD, &["{} . PASS . GT 0/1/1"]),
        ("an order without a set", ONE, &["{} . PASS . GT:PS 1|0:."]),
        ("the second haplotype first", ONE, &["{} . PASS . GT 1/0"]),
        ("half a call in order", DPYD, &["{} . PASS . GT .|1"]),
        ("a blank in the genotype", Refused("line 5"), &["chr1\t97450058\t.\tC\tT\t.\tPASS\t.\tGT\t 0/1"]),
        ("an allele that is not there", Refused("not there"), &["{} . PASS . GT 0/2"]),
        ("the place lies in another deletion", DPYD, &["chr1 97450058 . C T,* . PASS . GT 1/2"]),
        ("nothing but another deletion", DPYD, &["chr1 97450058 . C * . PASS . GT 0/1"]),
        ("a deletion beside the variant", DPYD, &["chr1 97450057 . ACG ATG,A . PASS . GT 1/2"]),
        ("two bases, of which the second changes", TWO, &["chr1 97450057 . AC AT . PASS . GT 1/1"]),
        ("two bases, of which the first changes", TWO, &["chr1 97450058 . CG TG . PASS . GT 1/1"]),
        ("small letters", TWO, &["chr1 97450058 rs3918290 c t . PASS . GT 1/1"]),
        ("a letter for two bases as REF", Refused("REF at 1:97450058 is Y"), &["chr1 97450058 . Y T . PASS . GT 1/1"]),
        ("N as REF", TWO, &["chr1 97450058 . N T . PASS . GT 1/1"]),
        ("a letter for two bases as ALT", DPYD, &["chr1 97450058 . C Y . PASS . GT 0/1"]),
        ("a deletion as VCF 4.0 writes it", DPYD, &["chr1 97450058 . C D3 . PASS . GT 0/1"]),
        ("an insertion without its bases", DPYD, &["chr1 97450058 . C <INS> . PASS . GT 0/1"]),
        ("an inversion of the gene", DPYD, &[PLAIN, "chr1 97400000 . N <INV> . PASS END=97500000 GT 0/1"]),
        ("a tandem duplication", DPYD, &[PLAIN, "chr1 97400000 . N <DUP:TANDEM> . PASS END=97500000 GT 0/1"]),
        ("a mobile element", DPYD, &["chr1 97450058 . C <INS:ME:ALU> . PASS SVLEN=300 GT 0/1"]),
        ("one alternative twice", TWO, &["chr1 97450058 . C T,T . PASS . GT 1/2"]),
        ("one line twice", ONE, &["{} . PASS . GT 0/1", "{} . PASS . GT 0/1"]),
        ("one place twice, differently", Refused("lines 5 and 6"), &["{} . PASS . GT 0/1", "{} . PASS . GT 1/1"]),
        (
            "one place by two names",
            Refused("lines 5 and 6"),
            &["{} . PASS . GT 0/1", "1 97450058 . C T . PASS . GT 1/1"],
        ),
        ("lines out of order", ONE, &["chr10 94781859 rs4244285 G A . PASS . GT 0/0", "{} . PASS . GT 0/1"]),
        ("a quality beyond numbers", TWO, &["chr1 97450058 rs3918290 C T 1e999 PASS . GT 1/1"]),
        ("a genotype quality that is none", DPYD, &["{} . PASS . GT:GQ 0/0:nan"]),
        ("a genotype quality in words", DPYD, &["{} . PASS . GT:GQ 0/0:high"]),
        ("a depth that is none", DPYD, &["{} . PASS . GT:DP 0/0:nan"]),
        ("a depth below nothing", DPYD, &["{} . PASS . GT:DP 0/0:-1"]),
        ("a genotype quality without end", NORMAL, &["{} . PASS . GT:GQ 0/0:inf"]),
        ("two filters", DPYD, &["{} . q10;s50 . GT 0/0"]),
        ("an end before the beginning", ONE, &["{} . PASS END=5 GT 0/1"]),
        ("several names", ONE, &["chr1 97450058 rs3918290;rs199469527;COSM1 C T . PASS . GT 0/1"]),
        ("a name that no table has", ONE, &["chr1 97450058 rs9999999999 C T . PASS . GT 0/1"]),
        ("the name of another place", Refused("rs16947"), &["chr1 97450058 rs16947 C T . PASS . GT 0/1"]),
        ("a place of GRCh37", Refused("rs3918290"), &["chr1 97915614 rs3918290 C T . PASS . GT 0/1"]),
        ("a chromosome of GRCh37", Refused("NC_000001.10"), &["NC_000001.10 97450058 . C T . PASS . GT 0/1"]),
        ("a chromosome by its accession", ONE, &["NC_000001.11 97450058 . C T . PASS . GT 0/1"]),
        ("an alternative assembly", Open("TPMT"), &[PLAIN, "chr6_GL000250v2_alt 18130687 . T C . PASS . GT 1/1"]),
        ("a decoy", Open("TPMT"), &[PLAIN, "chrUn_KN707606v1_decoy 18130687 . T C . PASS . GT 1/1"]),
        ("a block of other bases", NORMAL, &["chr1 97450050 . A <*> . PASS END=97450060 GT:GQ:MIN_DP 0/0:50:30"]),
        ("a block that nobody read", DPYD, &["chr1 97450050 . A <*> . PASS END=97450060 GT:GQ:MIN_DP 0/0:0:0"]),
        (
            "a block of low quality over the variant's line",
            ONE,
            &["chr1 97450050 . A <NON_REF> . PASS END=97450060 GT:GQ 0/0:3", "{} . PASS . GT 0/1"],
        ),
        ("a column too many", Refused("2 columns of samples"), &["chr1\t97450058\t.\tC\tT\t.\tPASS\t.\tGT\t1/1\t"]),
        ("a column too few", Refused("sample 1"), &["chr1\t97450058\t.\tC\tT\t.\tPASS\t.\tGT"]),
        ("blanks for tabs", Refused("no column"), &["chr1  97450058  .  C  T  .  PASS  .  GT  1/1"]),
        ("a position in words", Refused("no position"), &["chr1 9.7e7 . C T . PASS . GT 1/1"]),
    ];
    let mut failed = Vec::new();
    for (name, is, lines) in rows {
        let line = |line: &&str| match line.contains('\t') || line.contains("  ") {
            true => line.to_string(),
            false => line.replace("{}", SITE).replace(' ', "\t"),
        };
        let body = lines.iter().map(line).collect::<Vec<_>>().join("\n");
        if let Some(why) = wrong(read(format!("{HEADER}{COLUMNS}{body}\n"), true), *is) {
            failed.push(format!("{name}: {is:?} expected, {why}"));
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

#[test]
fn files_of_every_kind_are_read_or_named() {
    if grch38().is_none() {
        return;
    }
    let line = format!("{SITE} . PASS . GT 0/1\n").replace(' ', "\t");
    let text = format!("{HEADER}{COLUMNS}{line}");
    let utf16 = |text: &str| -> Vec<u8> {
        std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    let samples = |names: &str| text.replace("\tP1\n", &format!("\t{names}\n")).replace("0/1\n", "0/1\t1/1\n");
    let gzip = |text: &str| -> Vec<u8> {
        let mut coder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        coder.write_all(text.as_bytes()).unwrap();
        coder.finish().unwrap()
    };
    let (first, second) = text.split_at(text.len() - line.len());
    let blocks: Vec<u8> = bgzip(first).into_iter().chain(bgzip(second)).chain(bgzip("")).collect();
    let cut = |by: usize| blocks[..blocks.len() - by].to_vec();
    let rows: Vec<(&str, Is, Vec<u8>)> = vec![
        ("lines that end as in Windows", ONE, text.replace('\n', "\r\n").into()),
        ("lines that end as on old machines", Refused("#CHROM"), text.replace('\n', "\r").into()),
        ("a mark of the order of bytes", ONE, format!("\u{feff}{text}").into()),
        ("two bytes for each letter", Refused("UTF-8"), utf16(&text)),
        ("no end of the last line", ONE, text.trim_end().into()),
        ("the last line is cut", DPYD, text.trim_end().trim_end_matches("/1").into()),
        ("empty lines at the end", ONE, format!("{text}\n\n").into()),
        ("two samples of one name", Refused("\"P1\""), samples("P1\tP1").into()),
        ("two samples", ONE, samples("P1\tP2").into()),
        (
            "a column of a sample that the header does not name",
            Refused("2 columns"),
            text.replace("0/1\n", "0/1\t1/1\n").into(),
        ),
        ("a sample that the lines do not have", Refused("1 columns"), text.replace("\tP1\n", "\tP1\tP2\n").into()),
        ("gzip", ONE, gzip(&text)),
        ("two members of gzip", ONE, gzip(first).into_iter().chain(gzip(second)).collect()),
        ("gzip that was cut", Refused("read"), gzip(&text)[..60].to_vec()),
        ("bgzip", ONE, blocks.clone()),
        ("bgzip without its last block", Refused("was cut"), cut(bgzip("").len())),
        ("bgzip cut between two blocks", Refused("was cut"), bgzip(first)),
        ("bgzip cut in a block", Refused("read"), cut(bgzip("").len() + 5)),
    ];
    let mut failed = Vec::new();
    for (name, is, bytes) in &rows {
        // a file that was cut must not be read as one whose other places are reference
        if let Some(why) = wrong(read(bytes.clone(), true), *is) {
            failed.push(format!("{name}: {is:?} expected, {why}"));
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

/// A block of bgzip: gzip with the block's size less one in a field of its own.
fn bgzip(text: &str) -> Vec<u8> {
    let mut coder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    coder.write_all(text.as_bytes()).unwrap();
    let body = coder.finish().unwrap();
    let mut sum = flate2::Crc::new();
    sum.update(text.as_bytes());
    let size = (18 + body.len() + 8 - 1) as u16;
    let mut block = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, 6, 0, b'B', b'C', 2, 0];
    block.extend(size.to_le_bytes());
    block.extend(body);
    block.extend(sum.sum().to_le_bytes());
    block.extend((text.len() as u32).to_le_bytes());
    block
}
