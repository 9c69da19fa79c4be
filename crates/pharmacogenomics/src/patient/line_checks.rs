//! Lines that cannot be of the assembly that they are read in: another REF, rs numbers at other places, REF and ALT exchanged.

use super::{
    alternatives::is_bases,
    assembly::Assembly,
    atlas::{Atlas, place_of},
    definition::Gene,
    vcf::Record,
};
use crate::error::{Error, Result};
use std::path::Path;

/// Longest REF that is held against the reference.
pub(super) const LONGEST_CHECKED: usize = 10_000;

pub(super) fn check_ids(
    record: &Record<'_>,
    chromosome: &str,
    atlas: &Atlas,
    assembly: Assembly,
    path: &Path,
) -> Result<()> {
    if record.ids == "." {
        return Ok(());
    }
    let (start, end) = (record.start, record.end);
    let misplaced = record.ids.split(';').find_map(|id| atlas.misplaced(id, chromosome, start, end, assembly));
    match misplaced {
        None => Ok(()),
        Some(problem) => Err(Error::Model {
            path: path.to_path_buf(),
            problem: format!("line {}: {problem}", record.line),
            fix: "give the assembly that the file is in with --assembly",
        }),
    }
}

pub(super) fn check_reference(
    record: &Record<'_>,
    chromosome: &str,
    atlas: &Atlas,
    assembly: Assembly,
    path: &Path,
) -> Result<()> {
    let Some(known) = atlas.known.chromosome(chromosome) else { return Ok(()) };
    for (position, got) in (record.start..).zip(record.reference.bytes().take(LONGEST_CHECKED)) {
        let (Some(expected), got) = (known.get(&position), got.to_ascii_uppercase()) else { continue };
        if *expected == got || got == b'N' {
            continue;
        }
        let offset = (position - record.start) as usize;
        let bases: Vec<u8> = record
            .alternates
            .iter()
            .filter(|alternate| is_bases(alternate) && alternate.len() == record.reference.len())
            .filter_map(|alternate| alternate.as_bytes().get(offset).map(u8::to_ascii_uppercase))
            .collect();
        let complement = |base: u8| match base {
            b'A' => b'T',
            b'T' => b'A',
            b'C' => b'G',
            b'G' => b'C',
            other => other,
        };
        let why = match (bases.contains(expected), complement(got) == *expected) {
            (true, true) => "REF and ALT are exchanged, or the bases are those of the other strand",
            (true, false) => "REF and ALT are exchanged",
            (false, true) => "the bases are those of the other strand, or the file is in another assembly",
            (false, false) => "the file is in another assembly, or damaged",
        };
        let (got, expected, line) = (char::from(got), char::from(*expected), record.line);
        return Err(Error::Model {
            path: path.to_path_buf(),
            problem: format!(
                "line {line}: REF at {chromosome}:{position} is {got}, {assembly} has {expected} there: {why}"
            ),
            fix: "give a file whose REF is the assembly's (bcftools norm --check-ref finds the lines)",
        });
    }
    Ok(())
}

/// Refuses a line with all texts of a place of changes of length, but another one as REF: the bases after the first do not show that.
pub(super) fn check_texts(
    record: &Record<'_>,
    chromosome: &str,
    genes: &[Gene],
    atlas: &Atlas,
    path: &Path,
) -> Result<()> {
    for id in atlas.lengths(chromosome, record.start, record.start) {
        let Some((_, place)) = place_of(genes, id) else { continue };
        let own = place.alleles.get(place.assembly_allele).map_or("", String::as_str);
        let texts = || std::iter::once(&record.reference).chain(&record.alternates);
        let all = texts().count() == place.alleles.len();
        if all && record.reference != own && texts().all(|text| place.alleles.iter().any(|known| known == text)) {
            return Err(Error::Model {
                path: path.to_path_buf(),
                problem: format!(
                    "line {}: REF at {} is {}, it should be {own}: REF and ALT are exchanged",
                    record.line,
                    place.name(chromosome),
                    record.reference
                ),
                fix: "give a file whose REF is the assembly's (bcftools norm --check-ref finds the lines)",
            });
        }
    }
    Ok(())
}
