//! [`GeneCall`]: which two alleles of a gene explain what was read, and what they make of its product.
//!
//! All pairs that explain it are kept. A phenotype is given only when they agree in it, so that a place that was not read takes nothing for granted:
//! where it could make a difference the gene is not determined, and the call says which places are missing.

use super::{
    Sex,
    call_set::CallSet,
    copy_changes::CopyChange,
    definition::{DefinitionSource, Gene},
    frequencies::{Frequencies, PairOdds},
    gene_reading::{Read, combination, letters, not_told_apart, variants},
    outside_calls::{Meaning, OutsideCall},
    phenotypes::{Phenotype, Phenotypes},
    reading::Seen,
};
use serde::Serialize;
use std::collections::BTreeSet;

/// What is known of one gene.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GeneCall {
    /// The gene.
    pub gene: String,
    /// The pairs of alleles that explain the genotypes, best first; one allele where there is one haplotype.
    pub diplotypes: Vec<String>,
    /// What the pairs agree in; `None` where they do not, or where the tables do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phenotype: Option<Phenotype>,
    /// Places that define alleles and were not read.
    pub not_read: usize,
    /// Places among them that the file does not mention and that were taken for reference.
    pub assumed: usize,
    /// Places that define alleles.
    pub places: usize,
    /// The places that were not read, with the reason where the file mentions them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Alleles that cannot be told from others because their places were not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_told_apart: Vec<String>,
    /// Alleles that small variants do not show.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_looked_for: Vec<String>,
    /// Why there is no phenotype.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_because: Option<String>,
    /// What should be known before the call is used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The file and version that define the alleles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<DefinitionSource>,
    /// How likely the pairs are in the population that was asked for: information, which decides nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub odds: Vec<PairOdds>,
    /// Whether it was given from outside, and not read here.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// The genotype in letters, where one place makes the gene's only alleles.
    #[serde(skip)]
    pub(crate) letters: Option<(String, String)>,
    #[serde(skip)]
    pub(crate) knowledge: Knowledge,
    /// What was seen in the gene that leaves it open, where it is not that places were not read.
    #[serde(skip)]
    pub(crate) seen: Option<String>,
    /// What was read at its places.
    #[serde(skip)]
    pub(crate) variants: Vec<Variant>,
}

/// What was read at a place, in letters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variant {
    /// Among those of its gene.
    pub(crate) place: usize,
    pub(crate) chromosome: String,
    pub(crate) position: u64,
    pub(crate) rs: Option<String>,
    /// What stands on each haplotype; `None` where that was not read.
    pub(crate) haplotypes: Vec<Option<String>>,
    pub(crate) phase: Option<String>,
    pub(crate) reference: String,
}

/// How much is known of a gene.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Knowledge {
    /// Nothing was said of it.
    NotTested,
    /// Something was, but no pair of alleles follows.
    Open,
    /// One of these.
    Possible(Vec<Outcome>),
}

/// What one of the possible pairs of alleles means.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// As it is written.
    pub(crate) diplotype: String,
    /// The alleles by the names that rules know.
    pub(crate) alleles: Vec<String>,
    pub(crate) phenotype: Option<Phenotype>,
    /// The activities of the alleles, where they are known.
    pub(crate) activities: Vec<f64>,
    /// Results in words, as laboratories give them.
    pub(crate) words: Vec<String>,
}

/// Genes whose common alleles are deletions, duplications and hybrids: small variants alone would call them wrong.
const COPY_NUMBER: [&str; 7] = ["CYP2D6", "CYP2A6", "GSTM1", "GSTT1", "UGT2B15", "UGT2B17", "SULT1A1"];

/// Whether small variants alone would call a gene wrong.
pub(crate) fn is_copy_number(gene: &str) -> bool {
    COPY_NUMBER.contains(&gene)
}

/// Why a gene is not known of which nothing was said.
pub(crate) const UNTESTED: &str = "it was not tested";

/// Pairs that are named where many explain the genotypes.
const NAMED: usize = 20;

/// Why a gene is not known of which nothing was read.
const NOTHING_READ: &str = "none of its places was read";

/// What a gene is called with.
pub(crate) struct Given<'a> {
    pub(crate) number: usize,
    pub(crate) gene: &'a Gene,
    pub(crate) set: &'a CallSet,
    pub(crate) phenotypes: &'a Phenotypes,
    /// Whether a place that the file does not mention is reference.
    pub(crate) reference: bool,
    pub(crate) sex: Option<Sex>,
    pub(crate) population: Option<(&'a Frequencies, &'a str)>,
}

impl GeneCall {
    fn empty(gene: &str) -> Self {
        Self {
            gene: gene.to_string(),
            diplotypes: Vec::new(),
            phenotype: None,
            not_read: 0,
            assumed: 0,
            places: 0,
            missing: Vec::new(),
            not_told_apart: Vec::new(),
            not_looked_for: Vec::new(),
            unknown_because: None,
            warnings: Vec::new(),
            definition: None,
            odds: Vec::new(),
            outside: false,
            letters: None,
            knowledge: Knowledge::NotTested,
            seen: None,
            variants: Vec::new(),
        }
    }

    /// Takes what was given from outside.
    pub(crate) fn given(call: &OutsideCall, phenotypes: &Phenotypes) -> Self {
        let mut own = Self { outside: true, ..Self::empty(&call.gene) };
        let outcome = match call.meaning(phenotypes, &mut own.warnings) {
            Meaning::NotTested => {
                own.unknown_because = Some("it was not tested, as the outside calls say".into());
                return own;
            }
            Meaning::Contradiction(how) => return own.contradicted(&how),
            Meaning::Is(outcome) => outcome,
        };
        own.diplotypes.push(outcome.diplotype.clone());
        own.phenotype.clone_from(&outcome.phenotype);
        if own.phenotype.is_none() && outcome.words.is_empty() && !own.gene.starts_with("HLA-") {
            let because = format!(
                "the tables do not say what {} means; give an activity score or a phenotype",
                outcome.diplotype
            );
            own.unknown_because = Some(because);
            own.knowledge = Knowledge::Open;
            return own;
        }
        own.knowledge = Knowledge::Possible(vec![outcome]);
        own
    }

    /// The same gene, of which nothing follows because what was given contradicts itself or what was read.
    fn contradicted(mut self, how: &str) -> Self {
        self.unknown_because = Some(format!("the outside calls contradict each other or the file: {how}"));
        self.phenotype = None;
        self.knowledge = Knowledge::Open;
        self
    }

    /// What was given from outside beside what was read of the gene: not determined where no pair of alleles that the file leaves possible does what
    /// the outside call says, or the file shows what leaves the gene open, unless the call names alleles that no small variant shows.
    pub(crate) fn beside(self, read: &Self) -> Self {
        let hidden = |outcome: &Outcome| {
            let copies =
                |allele: &String| is_copy_number(&read.gene) && (allele == "*5" || allele.contains(['x', '×']));
            outcome.alleles.iter().any(|own| read.not_looked_for.contains(own) || copies(own))
        };
        if let (Knowledge::Possible(given), Knowledge::Open, Some(seen)) =
            (&self.knowledge, &read.knowledge, &read.seen)
            && let Some(said) = given.first().filter(|said| !said.alleles.is_empty() && !hidden(said))
        {
            let how = format!("they say {}, the file shows {seen}", said.diplotype);
            return self.contradicted(&how);
        }
        let (Knowledge::Possible(given), Knowledge::Possible(possible)) = (&self.knowledge, &read.knowledge) else {
            return self;
        };
        let name = |outcome: &Outcome| outcome.phenotype.as_ref().map(|own| own.name.to_lowercase());
        let Some(said) = given.first().filter(|given| !hidden(given)) else { return self };
        let own = name(said);
        if own.is_none() || possible.iter().any(|other| name(other).is_none() || name(other) == own) {
            return self;
        }
        let found: BTreeSet<String> = possible.iter().filter_map(name).collect();
        let found: Vec<String> = found.into_iter().collect();
        let pairs: Vec<&str> = possible.iter().take(3).map(|pair| pair.diplotype.as_str()).collect();
        let how = format!("they say {}, the file shows {} ({})", said.diplotype, pairs.join(" or "), found.join(", "));
        self.contradicted(&how)
    }

    /// Calls a gene from what was read.
    pub(crate) fn of(given: &Given<'_>) -> Self {
        let (gene, set) = (given.gene, given.set);
        let mut call = Self::empty(&gene.name);
        call.places = gene.places.len();
        call.not_looked_for.clone_from(&gene.not_looked_for);
        call.definition.clone_from(&gene.source);
        let own = |place: usize| set.readings.get(&(given.number, place));
        let changes: Vec<&CopyChange> = set.copies.iter().filter(|change| change.touches(gene)).collect();
        let mentioned = (0..gene.places.len()).any(|place| own(place).is_some()) || !changes.is_empty();
        call.not_read = call.places;
        call.seen = (!changes.is_empty()).then(|| "a change of its copies or a break of its chromosome".into());
        if !mentioned && !given.reference {
            call.unknown_because = Some(NOTHING_READ.into());
        }
        if is_copy_number(&gene.name) {
            let because = "its alleles differ in copies of the gene, which a VCF file of small variants does not show";
            call.unknown_because = Some(because.into());
            // a file that shows a change in it is no file without a word on it
            let changed = |place: &usize| {
                let reference = gene.places.get(*place).map_or(0, |place| place.assembly_allele);
                let other = |seen: &Seen| *seen != Seen::Text(reference) && *seen != Seen::Unknown;
                own(*place).is_some_and(|reading| reading.haplotypes.iter().any(other))
            };
            if !changes.is_empty() || (0..gene.places.len()).any(|place| changed(&place)) {
                call.knowledge = Knowledge::Open;
            }
            return call;
        }
        if call.unknown_because.is_some() {
            return call;
        }
        let two_copies = !gene.on_mitochondrion() && !gene.on_x();
        let unpaired = |place: usize| {
            two_copies && changes.is_empty() && own(place).is_some_and(|reading| reading.haplotypes.len() == 1)
        };
        for (index, place) in gene.places.iter().enumerate() {
            let name = place.name(&gene.chromosome);
            match own(index) {
                Some(reading) if reading.is_complete() && unpaired(index) => {
                    call.missing.push(format!("{name}: one of two copies was called"))
                }
                Some(reading) if reading.is_complete() => {}
                Some(reading) => {
                    call.missing.push(format!("{name}: {}", reading.unread.as_deref().unwrap_or("half a call")))
                }
                None if given.reference => {
                    call.missing.push(format!("{name}: not in the file, assumed to be reference"));
                    call.assumed += 1;
                }
                None => call.missing.push(name),
            }
        }
        call.not_read = call.missing.len();
        call.variants = variants(gene, set, given.number);
        call.knowledge = Knowledge::Open;
        let read = match Read::of(given, &changes) {
            Ok(read) => read,
            Err(because) => {
                call.unknown_because = Some(because);
                return call;
            }
        };
        if read.evidence.is_empty() && read.deleted == 0 {
            call.unknown_because = Some(NOTHING_READ.into());
            return call;
        }
        let mut outcomes = read.outcomes(given);
        let mut partners = false;
        if outcomes.is_empty()
            && let Some(fewer) = read.without_partners(given)
        {
            outcomes = fewer.outcomes(given);
            partners = true;
        }
        if outcomes.is_empty() {
            call.unknown_because = Some("no pair of known alleles explains its genotypes".into());
            call.seen = Some("genotypes that no pair of known alleles explains".into());
            if let Some(seen) = combination(gene, &read) {
                call.warnings.push(seen);
            }
            return call;
        }
        call.letters = letters(gene, set, given.number);
        call.not_told_apart = not_told_apart(gene, &read, &outcomes);
        call.diplotypes = outcomes.iter().take(NAMED).map(|outcome| outcome.diplotype.clone()).collect();
        if let Some((frequencies, population)) = given.population {
            call.odds = frequencies.odds(population, &gene.name, &outcomes);
        }
        let agree = outcomes.windows(2).all(|two| two[0].phenotype == two[1].phenotype);
        match (outcomes.first().and_then(|outcome| outcome.phenotype.as_ref()), agree) {
            (Some(phenotype), true) => call.phenotype = Some(phenotype.clone()),
            (_, false) => {
                call.unknown_because = Some(format!(
                    "{} pairs of alleles explain its genotypes and differ in what they do; {} of {} places were not read",
                    outcomes.len(),
                    call.not_read,
                    call.places
                ));
            }
            (None, true) => call.unknown_because = Some("the tables do not say what its alleles do together".into()),
        }
        call.warnings.extend(read.warnings);
        if partners {
            call.warnings
                .push("a variant was seen without others of its allele, which the file does not mention".into());
        }
        call.knowledge = Knowledge::Possible(outcomes);
        call
    }

    /// Whether anything was said of the gene.
    pub(crate) fn tested(&self) -> bool {
        self.knowledge != Knowledge::NotTested
    }
}

/// What a pair of alleles means, by the names that phenotypes know them by.
pub(crate) fn outcome(gene: &Gene, phenotypes: &Phenotypes, a: &str, b: Option<&str>) -> Outcome {
    let alleles: Vec<String> = std::iter::once(a).chain(b).map(str::to_string).collect();
    let activity = |allele: &String| phenotypes.activity(&gene.name, allele);
    Outcome {
        diplotype: alleles.join("/"),
        phenotype: phenotypes.of(&gene.name, a, b).cloned(),
        activities: alleles.iter().filter_map(activity).collect(),
        alleles,
        words: Vec::new(),
    }
}
