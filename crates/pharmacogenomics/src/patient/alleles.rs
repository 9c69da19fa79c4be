//! [`Gene`]: the named alleles of a gene and the small variants that each is known by.

use crate::error::{Error, Result};
use cupel_data::TextRows;
use cupel_settings::choices;
use std::{collections::BTreeMap, path::Path};

choices! {
    /// The coordinates that positions are counted in.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Assembly {
        /// hg19
        GRCh37 = "GRCh37" | "hg19",
        /// hg38
        GRCh38 = "GRCh38" | "hg38",
    }
}

impl Assembly {
    /// The column of the table of alleles with the variants in these coordinates.
    fn column(self) -> &'static str {
        match self {
            Self::GRCh37 => "GRCh37Core",
            Self::GRCh38 => "GRCh38Core",
        }
    }
}

/// A change of bases at a place, as short as it can be written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Variant {
    /// Without "chr".
    pub(crate) chromosome: String,
    /// Counted from 1.
    pub(crate) position: u64,
    pub(crate) reference: String,
    pub(crate) alternate: String,
}

impl Variant {
    /// Without the bases that both texts end or begin with, but for one: two spellings of one change become equal, as far as
    /// that goes without the reference sequence.
    pub(crate) fn new(chromosome: &str, mut position: u64, reference: &str, alternate: &str) -> Self {
        let (mut a, mut b) = (reference.as_bytes(), alternate.as_bytes());
        while let ([front @ .., x], [other @ .., y]) = (a, b)
            && x == y
            && !front.is_empty()
            && !other.is_empty()
        {
            (a, b) = (front, other);
        }
        while let ([x, rest @ ..], [y, other @ ..]) = (a, b)
            && x == y
            && !rest.is_empty()
            && !other.is_empty()
        {
            (a, b, position) = (rest, other, position + 1);
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_ascii_uppercase();
        Self { chromosome: chromosome_name(chromosome), position, reference: text(a), alternate: text(b) }
    }

    /// `10-94942290-C-T`
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('-');
        let (chromosome, position) = (parts.next()?, parts.next()?.parse().ok()?);
        let (reference, alternate) = (parts.next()?, parts.next()?);
        let bases = |text: &str| !text.is_empty() && text.bytes().all(|base| base.is_ascii_alphabetic());
        (parts.next().is_none() && bases(reference) && bases(alternate))
            .then(|| Self::new(chromosome, position, reference, alternate))
    }
}

/// A chromosome by one name: without "chr", the mitochondrion as `MT`.
pub(crate) fn chromosome_name(name: &str) -> String {
    let name = name.strip_prefix("chr").unwrap_or(name);
    if name == "M" { "MT".into() } else { name.to_string() }
}

/// A named allele.
#[derive(Clone, Debug)]
pub(crate) struct Allele {
    pub(crate) name: String,
    /// The variants that make it, sorted; none for the one that is the reference sequence.
    pub(crate) core: Vec<Variant>,
}

/// A gene with its alleles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gene {
    pub(crate) alleles: Vec<Allele>,
    /// Alleles that no small variant shows: deletions, duplications, hybrids, and those that the table does not define.
    pub(crate) not_looked_for: Vec<String>,
}

impl Gene {
    /// The variants of all alleles, sorted.
    pub(crate) fn variants(&self) -> Vec<Variant> {
        let mut all: Vec<Variant> = self.alleles.iter().flat_map(|allele| allele.core.iter().cloned()).collect();
        all.sort();
        all.dedup();
        all
    }
}

/// What the table says where it says nothing.
pub(crate) fn is_nothing(cell: &str) -> bool {
    matches!(cell, "" | "N/A" | "NA" | "n/a" | "None")
}

/// Reads the genes of a table with the columns `Gene`, `StarAllele`, `SV` and one of variants for each assembly.
pub(crate) fn read(path: &Path, assembly: Assembly) -> Result<BTreeMap<String, Gene>> {
    let mut rows = TextRows::open(path)?;
    let columns = ["Gene", "StarAllele", "SV", assembly.column()].map(|name| rows.position(name));
    let [gene, star, structural, core] = columns;
    let (gene, star, structural, core) = (gene?, star?, structural?, core?);
    let mut genes: BTreeMap<String, Gene> = BTreeMap::new();
    let mut without: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let cells: Vec<&str> = row.cells().collect();
        let (name, gene_name) = (cells[star].to_string(), cells[gene].to_string());
        let entry = genes.entry(gene_name.clone()).or_default();
        if cells[structural].eq_ignore_ascii_case("true") {
            entry.not_looked_for.push(name);
        } else if is_nothing(cells[core]) {
            without.entry(gene_name).or_default().push(name);
        } else {
            let variants: Option<Vec<Variant>> = cells[core].split(',').map(Variant::parse).collect();
            let Some(mut core) = variants else {
                let problem = format!("line {}: {:?} of {name} is no list of variants", row.line(), cells[core]);
                let fix = "write CHROMOSOME-POSITION-REF-ALT with commas between";
                return Err(Error::Model { path: path.to_path_buf(), problem, fix });
            };
            core.sort();
            core.dedup();
            entry.alleles.push(Allele { name, core });
        }
    }
    // one allele without variants is the reference sequence; of several it is the one that is called so
    for (gene, names) in without {
        let Some(entry) = genes.get_mut(&gene) else { continue };
        let reference = match &names[..] {
            [only] => Some(only.clone()),
            several => several.iter().find(|name| *name == "*1" || name.to_lowercase().contains("reference")).cloned(),
        };
        entry.not_looked_for.extend(names.iter().filter(|name| Some(*name) != reference.as_ref()).cloned());
        entry.alleles.extend(reference.map(|name| Allele { name, core: Vec::new() }));
    }
    Ok(genes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_change_are_equal() {
        let expected = Variant::new("10", 5, "C", "T");
        assert_eq!(Variant::new("chr10", 4, "ACG", "ATG"), expected);
        assert_eq!(Variant::parse("10-5-c-t"), Some(expected));
        // a deletion keeps the base before it
        assert_eq!(Variant::new("1", 7, "TGA", "TA"), Variant::new("1", 7, "TG", "T"));
        assert_eq!(Variant::parse("10-x-C-T"), None);
        assert_eq!(chromosome_name("chrM"), "MT");
    }
}
