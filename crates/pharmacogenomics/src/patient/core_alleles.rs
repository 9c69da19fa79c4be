//! Definitions of alleles by their core variants, as `PyPGx`'s table has them: an allele is carried where at least its core is there.

use super::{
    assembly::Assembly,
    definition::{DefinitionSource, Gene, MOST_TEXTS, NamedAllele, Place, Texts, chromosome_name},
    pharmcat::Lift,
};
use crate::error::{Error, Result};
use cupel_data::{TextRows, is_missing};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// A change as the table writes it, `10-94942290-C-T`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Variant {
    chromosome: String,
    position: u64,
    reference: String,
    alternate: String,
}

impl Variant {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (chromosome, position) = (parts.next()?, parts.next()?.parse().ok()?);
        let (reference, alternate) = (parts.next()?, parts.next()?);
        let bases = |text: &str| !text.is_empty() && text.bytes().all(|base| base.is_ascii_alphabetic());
        let whole = parts.next().is_none() && bases(reference) && bases(alternate) && position > 0;
        whole.then(|| Self {
            chromosome: chromosome_name(chromosome),
            position,
            reference: reference.to_ascii_uppercase(),
            alternate: alternate.to_ascii_uppercase(),
        })
    }
}

/// What a row of the table says.
struct Row {
    name: String,
    function: String,
    activity: Option<f64>,
    structural: bool,
    /// In GRCh37 and GRCh38.
    core: [Vec<Variant>; 2],
}

/// The table of core variants.
pub(crate) struct CoreTable {
    rows: BTreeMap<String, Vec<Row>>,
    source: DefinitionSource,
}

impl CoreTable {
    /// Reads a table with the columns `Gene`, `StarAllele`, `SV`, `GRCh37Core` and `GRCh38Core`, `Function` and `ActivityScore` where they are
    /// there.
    ///
    /// # Errors
    /// [`Error::Data`] for a table that cannot be read or lacks a column, [`Error::Model`] for a cell that is no list of variants.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = fs::read(path).map_err(cupel_data::Error::io("read", path))?;
        let mut table = TextRows::open(path)?;
        let columns = ["Gene", "StarAllele", "SV", "GRCh37Core", "GRCh38Core"].map(|name| table.position(name));
        let [gene, star, structural, old, new] = columns;
        let (gene, star, structural, old, new) = (gene?, star?, structural?, old?, new?);
        let function = table.position("Function").ok();
        let activity = table.position("ActivityScore").ok();
        let mut rows: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        while let Some(row) = table.next()? {
            let cells: Vec<&str> = row.cells().collect();
            let list = |column: usize| -> Result<Vec<Variant>> {
                if is_missing(cells[column]) {
                    return Ok(Vec::new());
                }
                let variants: Option<Vec<Variant>> = cells[column].split(',').map(Variant::parse).collect();
                variants.ok_or_else(|| {
                    let (line, cell, name) = (row.line(), cells[column], cells[star]);
                    let problem = format!("line {line}: {cell:?} of {name} is no list of variants");
                    let fix = "write CHROMOSOME-POSITION-REF-ALT with commas between";
                    Error::Model { path: path.to_path_buf(), problem, fix }
                })
            };
            rows.entry(cells[gene].to_string()).or_default().push(Row {
                name: cells[star].to_string(),
                function: function.map(|column| cells[column].to_string()).unwrap_or_default(),
                activity: activity.and_then(|column| cells[column].parse().ok()).filter(|own: &f64| own.is_finite()),
                structural: cells[structural].eq_ignore_ascii_case("true"),
                core: [list(old)?, list(new)?],
            });
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Self { rows, source: DefinitionSource::new(&name, None, &bytes) })
    }

    /// How the genes lie in GRCh37, where all their variants lie one distance from GRCh38.
    pub(crate) fn lifts(&self) -> BTreeMap<String, Lift> {
        let mut lifts = BTreeMap::new();
        for (gene, rows) in &self.rows {
            let paired = rows.iter().filter(|row| row.core[0].len() == row.core[1].len());
            let pairs: Vec<(&Variant, &Variant)> =
                paired.flat_map(|row| row.core[0].iter().zip(&row.core[1])).collect();
            let shifts: BTreeSet<i64> =
                pairs.iter().map(|(old, new)| old.position.cast_signed() - new.position.cast_signed()).collect();
            let (Some(shift), 1) = (shifts.first(), shifts.len()) else { continue };
            // an allele whose core is empty in one assembly and one base in the other: the references differ there
            let mut references = BTreeMap::new();
            for row in rows {
                match (&row.core[0][..], &row.core[1][..]) {
                    ([old], []) => {
                        if let Some(position) = old.position.checked_add_signed(-shift) {
                            references.insert(position, old.reference.clone());
                        }
                    }
                    ([], [new]) => {
                        references.insert(new.position, new.alternate.clone());
                    }
                    _ => {}
                }
            }
            lifts.insert(gene.clone(), Lift { shift: *shift, references });
        }
        lifts
    }

    /// Alleles of a gene that no small variant shows, and those of them that are deletions without function.
    pub(crate) fn structural(&self, gene: &str) -> (Vec<String>, Vec<String>) {
        let rows = || self.rows.get(gene).into_iter().flatten().filter(|row| row.structural);
        let without = rows().filter(|row| row.function.eq_ignore_ascii_case("no function"));
        (rows().map(|row| row.name.clone()).collect(), without.map(|row| row.name.clone()).collect())
    }

    /// What the table says of the alleles of each gene: function and activity.
    pub(crate) fn functions(&self) -> impl Iterator<Item = (&str, &str, &str, Option<f64>)> {
        self.rows.iter().flat_map(|(gene, rows)| {
            rows.iter().map(move |row| (gene.as_str(), row.name.as_str(), row.function.as_str(), row.activity))
        })
    }

    /// The genes of the table, in an assembly.
    pub(crate) fn genes(&self, assembly: Assembly) -> Vec<Gene> {
        self.rows.iter().map(|(name, rows)| self.gene(name, rows, assembly)).collect()
    }

    fn gene(&self, name: &str, rows: &[Row], assembly: Assembly) -> Gene {
        let core = |row: &Row| -> Vec<Variant> { row.core[usize::from(assembly == Assembly::GRCh38)].clone() };
        let mut gene =
            Gene { name: name.to_string(), core: true, source: Some(self.source.clone()), ..Gene::default() };
        let (structural, deletions) = self.structural(name);
        gene.not_looked_for = structural;
        gene.deletions = deletions;
        let small: Vec<&Row> = rows.iter().filter(|row| !row.structural).collect();
        let (with, without): (Vec<&Row>, Vec<&Row>) = small.into_iter().partition(|row| !core(row).is_empty());
        // one allele without variants is the reference sequence; of several it is the one that is called so
        let reference = match &without[..] {
            [only] => Some(only.name.clone()),
            several => {
                let named = |row: &&&Row| row.name == "*1" || row.name.to_lowercase().contains("reference");
                several.iter().find(named).map(|row| row.name.clone())
            }
        };
        let others = without.iter().filter(|row| Some(&row.name) != reference.as_ref());
        gene.not_looked_for.extend(others.map(|row| row.name.clone()));
        let mut texts: BTreeMap<(u64, String), Vec<String>> = BTreeMap::new();
        for variant in with.iter().flat_map(|row| core(row)) {
            gene.chromosome.clone_from(&variant.chromosome);
            let known = texts.entry((variant.position, variant.reference)).or_default();
            if !known.contains(&variant.alternate) {
                known.push(variant.alternate);
            }
        }
        let index: BTreeMap<(u64, String), usize> =
            texts.keys().cloned().enumerate().map(|(i, key)| (key, i)).collect();
        for ((position, reference), alternates) in texts {
            let alleles = std::iter::once(reference).chain(alternates).collect();
            gene.places.push(Place::new(position, alleles, 0, None));
        }
        let allele = |name: &str, core: &[Variant]| {
            let mut accepts: Vec<Texts> = vec![1; gene.places.len()];
            let mut defined = vec![false; gene.places.len()];
            for variant in core {
                let Some(place) = index.get(&(variant.position, variant.reference.clone())) else { continue };
                let number = gene.places[*place].alleles.iter().position(|text| *text == variant.alternate);
                // more texts than a set holds: the allele is never carried, rather than taken for another
                accepts[*place] = number.filter(|number| *number < MOST_TEXTS).map_or(0, |number| 1 << number);
                defined[*place] = true;
            }
            NamedAllele { name: name.to_string(), accepts, defined, known_as: None, reference: core.is_empty() }
        };
        let alleles: Vec<NamedAllele> = reference
            .iter()
            .map(|name| allele(name, &[]))
            .chain(with.iter().map(|row| allele(&row.name, &core(row))))
            .collect();
        gene.alleles = alleles;
        gene
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variant_is_read_as_it_is_written() {
        let parsed = Variant::parse("chr10-5-c-t").map(|v| (v.chromosome, v.position, v.reference, v.alternate));
        assert_eq!(parsed, Some(("10".into(), 5, "C".into(), "T".into())));
        for text in ["10-x-C-T", "10-5-C", "10-5-C-T-A", "10-0-C-T", "10-5--T"] {
            assert_eq!(Variant::parse(text), None, "{text}");
        }
    }
}
