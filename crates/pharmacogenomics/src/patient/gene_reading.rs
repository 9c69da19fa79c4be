//! [`Read`]: what was read of a gene, made ready for matching, and the pairs of alleles that explain it.
//!
//! Here it is decided what a place proves: how many haplotypes there are, what a deletion takes away, which places may be taken for reference, and what
//! was seen without the rest of its allele.

use super::{
    Sex,
    call_set::CallSet,
    calls::{Given, Outcome, Variant, outcome},
    copy_changes::CopyChange,
    definition::{Gene, NamedAllele, Place, Texts},
    lowest_activity,
    matching::{Evidence, Pair, explaining},
    reading::{Reading, Seen},
};
use std::collections::BTreeSet;

/// What was read of a gene, made ready for matching.
pub(super) struct Read<'a> {
    pub(super) evidence: Vec<Evidence<'a>>,
    /// Places that were taken for reference because the file does not mention them.
    pub(super) assumed: BTreeSet<usize>,
    /// One haplotype, or one that is not deleted.
    pub(super) haploid: bool,
    /// How many haplotypes a deletion takes the gene away from.
    pub(super) deleted: usize,
    pub(super) warnings: Vec<String>,
}

pub(super) fn inside(gene: &Gene, place: &Place, change: &CopyChange) -> bool {
    change.chromosome == gene.chromosome && change.start <= place.position && place.position <= change.end
}

pub(super) fn mask(seen: &Seen) -> Texts {
    match seen {
        Seen::Text(number) => 1 << number,
        Seen::Other(_) => 0,
        Seen::Unknown => Texts::MAX,
    }
}

impl<'a> Read<'a> {
    /// What was read of a gene; why nothing follows from it, where that is so.
    pub(super) fn of(given: &Given<'a>, changes: &[&CopyChange]) -> std::result::Result<Self, String> {
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
    /// allele, but did not read it, and nothing that was read excludes the allele. A place whose change alone is an allele of the reference's function
    /// casts no doubt: what the allele with both does comes from the others (`SLCO1B1` *15 from *5, not from *37).
    pub(super) fn doubtful(&self, given: &Given<'_>) -> BTreeSet<usize> {
        let gene = given.gene;
        let own = |place: usize| given.set.readings.get(&(given.number, place));
        let mut places = BTreeSet::new();
        let differs_of = |allele: &NamedAllele, place: usize| {
            let reference = gene.places.get(place).map_or(0, |place| 1 << place.assembly_allele);
            allele.defined.get(place) == Some(&true)
                && allele.accepts.get(place).is_some_and(|texts| texts & reference == 0)
        };
        let function = |allele: &NamedAllele| given.phenotypes.function(&gene.name, allele.phenotype_name());
        let usual = gene.alleles.iter().find(|allele| allele.reference).and_then(function);
        let harmless = |place: usize| {
            let alone = |own: &&NamedAllele| (0..gene.places.len()).all(|at| differs_of(own, at) == (at == place));
            usual.is_some() && gene.alleles.iter().filter(alone).any(|own| function(own) == usual)
        };
        for allele in &gene.alleles {
            let differs = |place: usize| differs_of(allele, place);
            let accepts = |place: usize| allele.accepts.get(place).copied().unwrap_or(0);
            let of: Vec<usize> = (0..gene.places.len()).filter(|place| differs(*place)).collect();
            let mentioned = || of.iter().filter_map(|place| Some((*place, own(*place)?)));
            let open = |reading: &Reading| !reading.is_complete() || !self.haploid && reading.haplotypes.len() == 1;
            let unread = mentioned().any(|(place, reading)| open(reading) && !harmless(place));
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
    pub(super) fn without_partners(&self, given: &Given<'_>) -> Option<Self> {
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
    pub(super) fn outcomes(&self, given: &Given<'_>) -> Vec<Outcome> {
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
pub(super) fn deletion(gene: &Gene, changes: &[&CopyChange]) -> std::result::Result<(u64, u64, usize), String> {
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

/// Alleles of the possible pairs that some other possible pair has not, and whose places were not all read.
pub(super) fn not_told_apart(gene: &Gene, read: &Read<'_>, outcomes: &[Outcome]) -> Vec<String> {
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
pub(super) fn combination(gene: &Gene, read: &Read<'_>) -> Option<String> {
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
pub(super) fn variants(gene: &Gene, set: &CallSet, number: usize) -> Vec<Variant> {
    let mut found = Vec::new();
    for (index, place) in gene.places.iter().enumerate() {
        let Some(reading) = set.readings.get(&(number, index)) else { continue };
        let text = |seen: &Seen| match seen {
            Seen::Text(number) => place.alleles.get(*number).cloned(),
            Seen::Other(text) => Some(text.clone()),
            Seen::Unknown => None,
        };
        found.push(Variant {
            place: index,
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
pub(super) fn letters(gene: &Gene, set: &CallSet, number: usize) -> Option<(String, String)> {
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
