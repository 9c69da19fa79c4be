//! [`Gene`]: the named alleles of a gene, the places that tell them apart, and what stands at each place.

use super::{
    assembly::chromosome_of,
    sequence::{Edit, KnownBases},
};
use serde::Serialize;
use std::sync::OnceLock;

/// Where definitions come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DefinitionSource {
    /// The file.
    pub file: String,
    /// The version that it states, where it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The beginning of the BLAKE3 hash of its bytes.
    pub hash: String,
}

impl DefinitionSource {
    /// Of a file with these bytes.
    pub(crate) fn new(file: &str, version: Option<String>, bytes: &[u8]) -> Self {
        let hash = blake3::hash(bytes).to_hex();
        Self { file: file.to_string(), version, hash: hash.get(..16).unwrap_or_default().to_string() }
    }
}

/// A place with the texts that can stand there.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Of the first base of the texts; counted from 1.
    pub(crate) position: u64,
    /// What stands in the definitions' reference, and the other texts that are known.
    pub(crate) alleles: Vec<String>,
    /// The change that makes each text of what stands in the assembly's reference; `None` for that text itself.
    pub(crate) edits: Vec<Option<Edit>>,
    /// The text that stands in the assembly's reference.
    pub(crate) assembly_allele: usize,
    pub(crate) rs: Option<String>,
}

impl Place {
    /// A place of texts whose first stands in the reference.
    pub(crate) fn new(position: u64, alleles: Vec<String>, assembly_allele: usize, rs: Option<String>) -> Self {
        let own = alleles.get(assembly_allele).cloned().unwrap_or_default();
        let edits = alleles.iter().enumerate();
        let edits = edits.map(|(i, text)| (i != assembly_allele).then(|| Edit::new(position, &own, text))).collect();
        Self { position, alleles, edits, assembly_allele, rs }
    }

    /// Whether one base stands for another here, and nothing else can.
    pub(crate) fn is_single(&self) -> bool {
        self.alleles.iter().all(|text| text.len() == 1)
    }

    /// The bases that its changes of length can be written at, wherever in a repeat: the first, and the one after the last.
    pub(crate) fn stretch(&self, base: impl Fn(u64) -> Option<u8>) -> (u64, u64) {
        let known = self.edits.iter().flatten().map(|edit| edit.stretch(&base));
        known.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))).unwrap_or((self.position, self.end() + 1))
    }

    /// The last base of the text in the reference.
    pub(crate) fn end(&self) -> u64 {
        self.position + (self.alleles.get(self.assembly_allele).map_or(1, String::len) as u64).max(1) - 1
    }

    /// How a person finds it.
    pub(crate) fn name(&self, chromosome: &str) -> String {
        match &self.rs {
            Some(rs) => format!("{rs} ({chromosome}:{})", self.position),
            None => format!("{chromosome}:{}", self.position),
        }
    }
}

/// A set of the texts of a place, one bit each.
pub(crate) type Texts = u64;
/// More texts than this are at no place.
pub(crate) const MOST_TEXTS: usize = 64;

/// A named allele.
#[derive(Clone, Debug)]
pub(crate) struct NamedAllele {
    pub(crate) name: String,
    /// At each place the texts that it can have.
    pub(crate) accepts: Vec<Texts>,
    /// Whether the definition says what stands at a place, or leaves it to the reference.
    pub(crate) defined: Vec<bool>,
    /// The name that phenotypes know it by.
    pub(crate) known_as: Option<String>,
    pub(crate) reference: bool,
}

impl NamedAllele {
    /// The name in tables of phenotypes.
    pub(crate) fn phenotype_name(&self) -> &str {
        self.known_as.as_deref().unwrap_or(&self.name)
    }
}

/// A gene with its alleles.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gene {
    pub(crate) name: String,
    /// By one name, see [`chromosome_of`].
    pub(crate) chromosome: String,
    pub(crate) places: Vec<Place>,
    /// The reference first.
    pub(crate) alleles: Vec<NamedAllele>,
    /// Alleles that no small variant shows: deletions, duplications, hybrids, and those that the table does not define.
    pub(crate) not_looked_for: Vec<String>,
    /// Those of them that are deletions without function.
    pub(crate) deletions: Vec<String>,
    /// Whether an allele is carried wherever its core is, whatever else is there.
    pub(crate) core: bool,
    /// Of each place the alleles that its definition names there, found when they are first asked for.
    pub(crate) named_at: OnceLock<Vec<Vec<usize>>>,
    pub(crate) source: Option<DefinitionSource>,
}

impl Gene {
    /// Whether it is on the X chromosome, of which a man has one.
    pub(crate) fn on_x(&self) -> bool {
        self.chromosome == "X"
    }

    /// Whether it is on the mitochondrion, which has one haplotype.
    pub(crate) fn on_mitochondrion(&self) -> bool {
        self.chromosome == "MT"
    }

    /// The alleles, other than the reference, whose definition says what stands at a place.
    pub(crate) fn defining(&self, place: usize) -> impl Iterator<Item = &NamedAllele> {
        let found = self.named_at.get_or_init(|| {
            let defined = |place: usize| {
                let own =
                    |(_, allele): &(usize, &NamedAllele)| !allele.reference && allele.defined.get(place) == Some(&true);
                self.alleles.iter().enumerate().filter(own).map(|(number, _)| number).collect()
            };
            (0..self.places.len()).map(defined).collect()
        });
        found.get(place).into_iter().flatten().filter_map(|number| self.alleles.get(*number))
    }

    /// Adds the bases of the reference at its places.
    pub(crate) fn add_bases(&self, known: &mut KnownBases) {
        for place in &self.places {
            if let Some(text) = place.alleles.get(place.assembly_allele) {
                known.add(&self.chromosome, place.position, text.as_bytes());
            }
        }
    }

    /// Moves the changes of length as far left as the bases before them are known.
    pub(crate) fn left_align(&mut self, known: &KnownBases) {
        for place in &mut self.places {
            for edit in place.edits.iter_mut().flatten() {
                *edit = edit.left_aligned(|position| known.base(&self.chromosome, position));
            }
        }
    }
}

/// A chromosome by one name.
pub(crate) fn chromosome_name(name: &str) -> String {
    chromosome_of(name).0
}
