//! [`GeneCall`]: which two alleles of a gene explain what was read, and what they make of its product.
//!
//! All pairs that explain it are kept. A phenotype is given only when they agree in it, so that a place that was not read takes nothing for granted:
//! where it could make a difference the gene is not determined, and the call says which places are missing.

use super::{
    Sex,
    call_set::{CallSet, CopyChange},
    definition::{DefinitionSource, Gene, Place, Texts},
    frequencies::{Frequencies, PairOdds},
    lowest_activity,
    matching::{Evidence, Pair, explaining},
    outside_calls::{Meaning, OutsideCall},
    phenotypes::{Phenotype, Phenotypes},
    reading::{Reading, Seen},
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
    /// What was read at its places.
    #[serde(skip)]
    pub(crate) variants: Vec<Variant>,
}

/// What was read at a place, in letters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variant {
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
            variants: Vec::new(),
        }
    }

    /// A gene of which nothing was said.
    pub(crate) fn untested(gene: &str) -> Self {
        Self { unknown_because: Some("it was not tested".into()), ..Self::empty(gene) }
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
    /// the outside call says, unless that names alleles that no small variant shows.
    pub(crate) fn beside(self, read: &Self) -> Self {
        let (Knowledge::Possible(given), Knowledge::Possible(possible)) = (&self.knowledge, &read.knowledge) else {
            return self;
        };
        let name = |outcome: &Outcome| outcome.phenotype.as_ref().map(|own| own.name.to_lowercase());
        let hidden = |outcome: &Outcome| outcome.alleles.iter().any(|own| read.not_looked_for.contains(own));
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
        let changes: Vec<&CopyChange> =
            set.copies.iter().filter(|change| gene.places.iter().any(|place| inside(gene, place, change))).collect();
        let mentioned = (0..gene.places.len()).any(|place| own(place).is_some()) || !changes.is_empty();
        call.not_read = call.places;
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

/// What was read of a gene, made ready for matching.
struct Read<'a> {
    evidence: Vec<Evidence<'a>>,
    /// Places that were taken for reference because the file does not mention them.
    assumed: BTreeSet<usize>,
    /// One haplotype, or one that is not deleted.
    haploid: bool,
    /// How many haplotypes a deletion takes the gene away from.
    deleted: usize,
    warnings: Vec<String>,
}

fn inside(gene: &Gene, place: &Place, change: &CopyChange) -> bool {
    change.chromosome == gene.chromosome && change.start <= place.position && place.position <= change.end
}

fn mask(seen: &Seen) -> Texts {
    match seen {
        Seen::Text(number) => 1 << number,
        Seen::Other(_) => 0,
        Seen::Unknown => Texts::MAX,
    }
}

impl<'a> Read<'a> {
    /// What was read of a gene; why nothing follows from it, where that is so.
    fn of(given: &Given<'a>, changes: &[&CopyChange]) -> std::result::Result<Self, String> {
        let (gene, set) = (given.gene, given.set);
        let mut read =
            Self { evidence: Vec::new(), assumed: BTreeSet::new(), haploid: false, deleted: 0, warnings: Vec::new() };
        let own = |place: usize| set.readings.get(&(given.number, place));
        let readings = || (0..gene.places.len()).filter_map(own).filter(|reading| reading.says_something());
        for (index, place) in gene.places.iter().enumerate() {
            let other = own(index).and_then(|reading| {
                reading.haplotypes.iter().find_map(|seen| if let Seen::Other(text) = seen { Some(text) } else { None })
            });
            if let Some(text) = other {
                return Err(format!("no allele is known with {text} at {}", place.position));
            }
        }
        let single = readings().any(|reading| reading.haplotypes.len() == 1);
        let several = readings().any(|reading| reading.haplotypes.len() > 2);
        let one_copy = gene.on_mitochondrion() || gene.on_x() && (given.sex == Some(Sex::Male) || single);
        if several {
            return Err("its genotypes have more than two haplotypes".into());
        }
        if gene.on_x() && single && given.sex == Some(Sex::Female) {
            return Err("its genotypes have one haplotype, which a woman's have not".into());
        }
        read.haploid = one_copy;
        let one = |reading: &Reading, place: &Place| -> std::result::Result<Texts, String> {
            match &reading.haplotypes[..] {
                [a, b] if a != b && *a != Seen::Unknown && *b != Seen::Unknown => {
                    Err(format!("two alleles at {}, where there is one copy", place.position))
                }
                several => Ok(several.iter().map(mask).fold(Texts::MAX, |all, one| all & one)),
            }
        };
        let lost = match changes {
            [] => None,
            _ => Some(deletion(gene, changes)?),
        };
        read.deleted = lost.map_or(0, |(_, _, haplotypes)| haplotypes);
        if read.deleted > 1 {
            return Ok(read);
        }
        let doubtful = read.doubtful(given);
        for (index, place) in gene.places.iter().enumerate() {
            let gone = lost.is_some_and(|(start, end, _)| start <= place.position && place.position <= end);
            let (masks, phase) = match own(index) {
                Some(reading) if !reading.says_something() => continue,
                Some(reading) if read.haploid || gone => (vec![one(reading, place)?], None),
                // beside a deletion it is not known which haplotype remains
                Some(reading) if read.deleted > 0 => {
                    let open = if reading.haplotypes.len() == 1 { Texts::MAX } else { 0 };
                    (vec![reading.haplotypes.iter().map(mask).fold(open, |all, one| all | one)], None)
                }
                // one haplotype is no genotype of a gene that is there twice: the other was not read
                Some(reading) if reading.haplotypes.len() == 1 => {
                    (reading.haplotypes.iter().map(mask).chain([Texts::MAX]).collect(), None)
                }
                Some(reading) => (reading.haplotypes.iter().map(mask).collect(), reading.phase.as_deref()),
                None if given.reference && !doubtful.contains(&index) => {
                    read.assumed.insert(index);
                    let ploidy = if read.haploid || read.deleted > 0 { 1 } else { 2 };
                    (Reading::of_reference(place.assembly_allele, ploidy).haplotypes.iter().map(mask).collect(), None)
                }
                None => continue,
            };
            read.evidence.push(Evidence { place: index, masks, phase });
        }
        Ok(read)
    }

    /// The places that are not taken for reference, although the file does not mention them: beside them the file mentions a place of the same
    /// allele, but did not read it, and nothing that was read excludes the allele.
    fn doubtful(&self, given: &Given<'_>) -> BTreeSet<usize> {
        let gene = given.gene;
        let own = |place: usize| given.set.readings.get(&(given.number, place));
        let mut places = BTreeSet::new();
        for allele in &gene.alleles {
            let differs = |place: usize| {
                let reference = gene.places.get(place).map_or(0, |place| 1 << place.assembly_allele);
                allele.defined.get(place) == Some(&true)
                    && allele.accepts.get(place).is_some_and(|texts| texts & reference == 0)
            };
            let accepts = |place: usize| allele.accepts.get(place).copied().unwrap_or(0);
            let of: Vec<usize> = (0..gene.places.len()).filter(|place| differs(*place)).collect();
            let mentioned = || of.iter().filter_map(|place| Some((*place, own(*place)?)));
            let open = |reading: &Reading| !reading.is_complete() || !self.haploid && reading.haplotypes.len() == 1;
            let unread = mentioned().any(|(_, reading)| open(reading));
            let possible = mentioned().all(|(place, reading)| {
                open(reading) || reading.haplotypes.iter().any(|seen| mask(seen) & accepts(place) != 0)
            });
            if unread && possible {
                places.extend(of.iter().filter(|place| own(**place).is_none()));
            }
        }
        places
    }

    /// The same without places that were taken for reference although an allele was seen that has something else there.
    fn without_partners(&self, given: &Given<'_>) -> Option<Self> {
        let gene = given.gene;
        let reference = |place: usize| gene.places.get(place).map_or(0, |place| 1 << place.assembly_allele);
        let seen = |place: usize, texts: Texts| {
            let of = self.evidence.iter().find(|one| one.place == place && !self.assumed.contains(&place));
            of.is_some_and(|one| one.masks.iter().any(|mask| *mask != Texts::MAX && mask & texts != 0))
        };
        let mut dropped = BTreeSet::new();
        for allele in &gene.alleles {
            let own = || allele.accepts.iter().enumerate().filter(|(place, texts)| *texts & reference(*place) == 0);
            if own().any(|(place, texts)| seen(place, *texts)) {
                dropped.extend(own().map(|(place, _)| place).filter(|place| self.assumed.contains(place)));
            }
        }
        (!dropped.is_empty()).then(|| Self {
            evidence: self.evidence.iter().filter(|one| !dropped.contains(&one.place)).cloned().collect(),
            assumed: self.assumed.difference(&dropped).copied().collect(),
            haploid: self.haploid,
            deleted: self.deleted,
            warnings: self.warnings.clone(),
        })
    }

    /// The pairs of alleles that explain it, with what they mean.
    fn outcomes(&self, given: &Given<'_>) -> Vec<Outcome> {
        let (gene, phenotypes) = (given.gene, given.phenotypes);
        let one = self.haploid;
        if self.deleted > 0 {
            let without: Vec<&str> = gene.deletions.iter().map(String::as_str).collect();
            if self.deleted > 1 {
                let pairs = without.iter().enumerate().flat_map(|(i, a)| without[i..].iter().map(move |b| (*a, *b)));
                return pairs.map(|(a, b)| outcome(gene, phenotypes, a, Some(b))).collect();
            }
            let remaining = explaining(gene, &self.evidence, true);
            let alleles = remaining.iter().filter_map(|pair| gene.alleles.get(pair.first));
            return alleles
                .flat_map(|allele| {
                    without.iter().map(|gone| outcome(gene, phenotypes, allele.phenotype_name(), Some(gone)))
                })
                .collect();
        }
        if lowest_activity::GENES.contains(&gene.name.as_str()) && !one {
            let activity = |allele: &str| phenotypes.activity(&gene.name, allele);
            let pairs = lowest_activity::possible(gene, &self.evidence, &self.assumed, activity);
            if !pairs.is_empty() && self.evidence.iter().all(|one| one.masks.len() == 2) {
                let name = |number: usize| gene.alleles.get(number).map_or("", |allele| allele.name.as_str());
                return pairs.iter().map(|(a, b)| outcome(gene, phenotypes, name(*a), Some(name(*b)))).collect();
            }
        }
        let pairs = explaining(gene, &self.evidence, one);
        pairs
            .iter()
            .filter_map(|Pair { first, second }| {
                let a = gene.alleles.get(*first)?;
                let b = second.and_then(|second| gene.alleles.get(second));
                Some(outcome(gene, phenotypes, a.phenotype_name(), b.map(|b| b.phenotype_name())))
            })
            .collect()
    }
}

/// The stretch that a deletion takes from a gene, and from how many haplotypes.
///
/// # Errors
/// Why nothing follows, where that is so.
fn deletion(gene: &Gene, changes: &[&CopyChange]) -> std::result::Result<(u64, u64, usize), String> {
    let [change, others @ ..] = changes else { return Err("no change of copies".into()) };
    let place = format!("{}:{}-{}", change.chromosome, change.start, change.end);
    if let Some(why) = changes.iter().find_map(|change| change.open.clone()) {
        return Err(why);
    }
    if !others.is_empty() {
        return Err(format!("{} deletions or duplications lie in it, the first at {place}", changes.len()));
    }
    let gone = change.haplotypes.iter().filter(|copies| **copies == Some(0)).count();
    let known = change.haplotypes.iter().all(|copies| matches!(copies, Some(0 | 1)));
    if !known || gone == 0 || change.haplotypes.len() > 2 {
        return Err(format!("it has more copies than two, or it is not known how many, at {place}"));
    }
    let lost = gene.places.iter().filter(|place| inside(gene, place, change)).count();
    if gene.deletions.is_empty() || 2 * lost < gene.places.len() {
        let of = gene.places.len();
        return Err(format!(
            "a deletion ({place}) takes {lost} of its {of} places away, and what that does is not known"
        ));
    }
    Ok((change.start, change.end, gone))
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

/// Alleles of the possible pairs that some other possible pair has not, and whose places were not all read.
fn not_told_apart(gene: &Gene, read: &Read<'_>, outcomes: &[Outcome]) -> Vec<String> {
    let open = |place: usize| match read.evidence.iter().find(|one| one.place == place) {
        None => true,
        Some(one) => one.masks.contains(&Texts::MAX),
    };
    let named = |name: &str| outcomes.iter().any(|outcome| outcome.alleles.iter().any(|allele| allele == name));
    gene.alleles
        .iter()
        .filter(|allele| !allele.reference && named(allele.phenotype_name()))
        .filter(|allele| allele.defined.iter().enumerate().any(|(place, defined)| *defined && open(place)))
        .map(|allele| allele.name.clone())
        .collect()
}

/// What the haplotypes have together where no pair of alleles explains them and the order of all is known.
fn combination(gene: &Gene, read: &Read<'_>) -> Option<String> {
    let heterozygous = read.evidence.iter().filter(|one| one.masks.len() == 2 && one.masks[0] != one.masks[1]);
    let phases: BTreeSet<Option<&str>> = heterozygous.clone().map(|one| one.phase).collect();
    if read.evidence.is_empty() || !(heterozygous.count() <= 1 || phases.len() == 1 && !phases.contains(&None)) {
        return None;
    }
    let ploidy = read.evidence.iter().map(|one| one.masks.len()).max()?;
    let haplotype = |index: usize| -> String {
        let of = |place: usize| {
            read.evidence
                .iter()
                .find(|one| one.place == place)
                .and_then(|one| one.masks.get(index).or(one.masks.first()))
        };
        let carried = |allele: &&super::definition::NamedAllele| {
            let places = allele.accepts.iter().zip(&allele.defined).enumerate();
            !allele.reference
                && places
                    .filter(|(_, (_, defined))| **defined)
                    .all(|(place, (texts, _))| of(place).is_some_and(|mask| mask & texts != 0))
        };
        let names: Vec<&str> = gene.alleles.iter().filter(carried).map(|allele| allele.name.as_str()).collect();
        match &names[..] {
            [] => "part of an allele".into(),
            [one] => format!("{one} and more"),
            several => format!("[{}]", several.join(" + ")),
        }
    };
    let names: Vec<String> = (0..ploidy).map(haplotype).collect();
    Some(format!("its haplotypes have variants of several alleles: {}", names.join(" / ")))
}

/// What was read at the places of a gene.
fn variants(gene: &Gene, set: &CallSet, number: usize) -> Vec<Variant> {
    let mut found = Vec::new();
    for (index, place) in gene.places.iter().enumerate() {
        let Some(reading) = set.readings.get(&(number, index)) else { continue };
        let text = |seen: &Seen| match seen {
            Seen::Text(number) => place.alleles.get(*number).cloned(),
            Seen::Other(text) => Some(text.clone()),
            Seen::Unknown => None,
        };
        found.push(Variant {
            chromosome: gene.chromosome.clone(),
            position: place.position,
            rs: place.rs.clone(),
            haplotypes: reading.haplotypes.iter().map(text).collect(),
            phase: reading.phase.clone(),
            reference: place.alleles.get(place.assembly_allele).cloned().unwrap_or_default(),
        });
    }
    found
}

/// The only place of a gene with its two letters, sorted.
fn letters(gene: &Gene, set: &CallSet, number: usize) -> Option<(String, String)> {
    let [place] = &gene.places[..] else { return None };
    if place.alleles.len() != 2 || !place.is_single() {
        return None;
    }
    let reading = set.readings.get(&(number, 0)).filter(|reading| reading.is_complete())?;
    let text = |seen: &Seen| match seen {
        Seen::Text(number) => place.alleles.get(*number).map(String::as_str),
        _ => None,
    };
    let mut letters: Vec<&str> = reading.haplotypes.iter().map(text).collect::<Option<_>>()?;
    letters.sort_unstable();
    Some((format!("{}:{}", gene.chromosome, place.position), letters.concat()))
}
