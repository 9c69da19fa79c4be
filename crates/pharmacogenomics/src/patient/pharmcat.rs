//! Definitions of alleles in `PharmCAT`'s JSON (Sangkuhl et al., Clin. Pharmacol. Ther. 107, 203, 2020), as its files `GENE_translation.json` are.
//!
//! Each allele says what stands at some places; where it says nothing the reference allele's text stands there, and a letter of IUPAC's code
//! stands for several bases. Positions are GRCh38's. In GRCh37 a gene lies a fixed distance away, which the table of core variants gives.

use super::{
    assembly::Assembly,
    definition::{DefinitionSource, Gene, MOST_TEXTS, NamedAllele, Place, Texts, chromosome_name},
    sequence::KnownBases,
};
use crate::error::{Error, Result};
use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::Path};

/// What files of definitions end in.
pub(crate) const ENDING: &str = "_translation.json";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    gene: String,
    chromosome: String,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    genome_build: Option<String>,
    variants: Vec<FileVariant>,
    named_alleles: Vec<FileAllele>,
    #[serde(default)]
    suballeles_map: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileVariant {
    position: u64,
    #[serde(default)]
    rsid: Option<String>,
    #[serde(default)]
    chromosome_hgvs_name: Option<String>,
    #[serde(rename = "ref")]
    reference: String,
    alts: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileAllele {
    name: String,
    alleles: Vec<Option<String>>,
    #[serde(default)]
    reference: bool,
    #[serde(default)]
    structural_variant: bool,
}

/// How a gene lies in GRCh37: the distance from GRCh38, and the places at which another text is the reference.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lift {
    /// What is added to a position of GRCh38.
    pub(crate) shift: i64,
    /// The reference of GRCh37 at positions of GRCh38 where it is another.
    pub(crate) references: BTreeMap<u64, String>,
}

/// Reads one gene in an assembly; `None` in GRCh37 where it is not known how the gene lies there. What its names say of the reference goes to `known`.
///
/// # Errors
/// [`Error::Data`] when the file cannot be read, [`Error::Model`] when it is no definition of alleles or contradicts itself.
pub(crate) fn read(
    path: &Path,
    assembly: Assembly,
    lifts: &BTreeMap<String, Lift>,
    known: &mut KnownBases,
) -> Result<Option<Gene>> {
    let bytes = fs::read(path).map_err(cupel_data::Error::io("read", path))?;
    let fault = |problem: String| Error::Model {
        path: path.to_path_buf(),
        problem,
        fix: "give PharmCAT's definition of a gene (GENE_translation.json), or one in its form",
    };
    let file: File = serde_json::from_slice(&bytes).map_err(|error| fault(format!("it is no definition: {error}")))?;
    if let Some(build) = file.genome_build.as_deref().filter(|build| !build.starts_with("GRCh38")) {
        return Err(fault(format!("its positions are {build}'s, GRCh38 is read")));
    }
    let none = Lift::default();
    let lift = match (assembly, lifts.get(&file.gene)) {
        (Assembly::GRCh38, _) => &none,
        (Assembly::GRCh37, Some(lift)) => lift,
        (Assembly::GRCh37, None) => return Ok(None),
    };
    let chromosome = chromosome_name(&file.chromosome);
    let mut places = Vec::with_capacity(file.variants.len());
    for variant in &file.variants {
        let texts = || std::iter::once(&variant.reference).chain(&variant.alts);
        let bases =
            |text: &String| !text.is_empty() && text.bytes().all(|base| matches!(base, b'A' | b'C' | b'G' | b'T'));
        if !texts().all(bases) || variant.alts.is_empty() || variant.alts.len() >= MOST_TEXTS {
            return Err(fault(format!("the texts at {} are no bases", variant.position)));
        }
        let alleles: Vec<String> = texts().cloned().collect();
        let other = lift.references.get(&variant.position);
        let own = other.and_then(|other| alleles.iter().position(|text| text == other)).unwrap_or(0);
        let position = variant.position.checked_add_signed(lift.shift);
        let Some(position) = position.filter(|position| *position > 0) else {
            return Err(fault(format!("position {} cannot be", variant.position)));
        };
        let place = Place::new(position, alleles, own, variant.rsid.clone().filter(|rs| !rs.is_empty()));
        if let Some(name) = variant.chromosome_hgvs_name.as_deref().filter(|_| !place.is_single() && own == 0) {
            let edits: Vec<_> = place.edits.iter().flatten().cloned().collect();
            known.add_repeat(&chromosome, name, &edits, lift.shift);
        }
        places.push(place);
    }
    let mut gene = Gene { name: file.gene, chromosome, places, ..Gene::default() };
    let reference = file.named_alleles.iter().find(|allele| allele.reference).or(file.named_alleles.first());
    let Some(reference) = reference else { return Err(fault("it has no alleles".into())) };
    let of_reference: Vec<Texts> = accepts(reference, &gene.places, None).map_err(&fault)?;
    for allele in &file.named_alleles {
        if allele.structural_variant {
            gene.not_looked_for.push(allele.name.clone());
            continue;
        }
        gene.alleles.push(NamedAllele {
            name: allele.name.clone(),
            accepts: accepts(allele, &gene.places, Some(&of_reference)).map_err(&fault)?,
            defined: allele.alleles.iter().map(Option::is_some).collect(),
            known_as: file.suballeles_map.get(&allele.name).cloned(),
            reference: allele.name == reference.name,
        });
    }
    gene.alleles.sort_by_key(|allele| !allele.reference); // stable: else as the file has them
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    gene.source = Some(DefinitionSource::new(&name, file.version, &bytes));
    Ok(Some(gene))
}

/// The texts that an allele can have at each place.
fn accepts(
    allele: &FileAllele,
    places: &[Place],
    reference: Option<&[Texts]>,
) -> std::result::Result<Vec<Texts>, String> {
    if allele.alleles.len() != places.len() {
        let (got, expected) = (allele.alleles.len(), places.len());
        return Err(format!("{} says what stands at {got} places, there are {expected}", allele.name));
    }
    let mut all = Vec::with_capacity(places.len());
    for (index, (text, place)) in allele.alleles.iter().zip(places).enumerate() {
        let one = |text: &str| place.alleles.iter().position(|known| known == text).map(|number| 1 << number);
        let texts: Texts = match text {
            None => reference.and_then(|reference| reference.get(index)).copied().unwrap_or(1),
            Some(text) => match (one(text), iupac(text)) {
                (Some(texts), _) => texts,
                (None, Some(bases)) => bases.iter().filter_map(|base| one(base)).sum(),
                (None, None) => 0,
            },
        };
        if texts == 0 {
            return Err(format!(
                "{} has {text:?} at {}, which can be {}",
                allele.name,
                place.position,
                place.alleles.join(", ")
            ));
        }
        all.push(texts);
    }
    Ok(all)
}

/// The bases that a letter stands for.
fn iupac(letter: &str) -> Option<&'static [&'static str]> {
    Some(match letter {
        "R" => &["A", "G"],
        "Y" => &["C", "T"],
        "S" => &["C", "G"],
        "W" => &["A", "T"],
        "K" => &["G", "T"],
        "M" => &["A", "C"],
        "B" => &["C", "G", "T"],
        "D" => &["A", "G", "T"],
        "H" => &["A", "C", "T"],
        "V" => &["A", "C", "G"],
        "N" => &["A", "C", "G", "T"],
        _ => return None,
    })
}
