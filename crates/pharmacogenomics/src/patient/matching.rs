//! Which pairs of named alleles explain what was read of a gene.
//!
//! Every pair is held against every place that was read, on the haplotypes that phase puts it on; a place that was not read excludes nothing. As
//! `PharmCAT` documents it ("Named Allele Matcher 101" and "201"), what an allele leaves open is the reference allele's, an allele scores the
//! places that it defines, and pairs stand in the order of their scores. `PharmCAT` keeps the best; here all are kept.

use super::definition::{Gene, NamedAllele, Texts};
use std::collections::BTreeMap;

/// What was read at a place: of each haplotype the texts that it can have.
#[derive(Clone, Debug)]
pub(crate) struct Evidence<'a> {
    pub(crate) place: usize,
    pub(crate) masks: Vec<Texts>,
    pub(crate) phase: Option<&'a str>,
}

/// A pair of alleles by their numbers; one where there is one haplotype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    pub(crate) first: usize,
    pub(crate) second: Option<usize>,
}

/// The pairs that explain the evidence, best score first.
pub(crate) fn explaining(gene: &Gene, evidence: &[Evidence<'_>], haploid: bool) -> Vec<Pair> {
    let exact = |allele: &NamedAllele, place: usize| allele.accepts.get(place).copied().unwrap_or(0);
    let mut pairs = fitting(gene, evidence, haploid, exact);
    if pairs.is_empty() && gene.core {
        // more than the core may be there, but one allele must have all that is
        let core = |allele: &NamedAllele, place: usize| {
            if allele.defined.get(place) == Some(&true) { exact(allele, place) } else { Texts::MAX }
        };
        let all = fitting(gene, evidence, haploid, core);
        let within = |a: usize, b: usize| match (gene.alleles.get(a), gene.alleles.get(b)) {
            (Some(a), Some(b)) => a.defined.iter().zip(&b.defined).all(|(a, b)| *b || !*a),
            _ => false,
        };
        let inside = |a: &Pair, b: &Pair| match (a.second, b.second) {
            (Some(x), Some(y)) => within(a.first, b.first) && within(x, y) || within(a.first, y) && within(x, b.first),
            _ => within(a.first, b.first),
        };
        let largest = |pair: &&Pair| all.iter().all(|other| other == *pair || inside(other, pair));
        pairs = all.iter().filter(largest).copied().collect();
    }
    let score = |pair: &Pair| -> usize {
        let of = |number: usize| {
            gene.alleles
                .get(number)
                .map_or(0, |allele| evidence.iter().filter(|one| allele.defined.get(one.place) == Some(&true)).count())
        };
        of(pair.first) + pair.second.map_or(0, of)
    };
    pairs.sort_by_key(|pair| std::cmp::Reverse(score(pair)));
    pairs
}

fn fitting(
    gene: &Gene,
    evidence: &[Evidence<'_>],
    haploid: bool,
    accepts: impl Fn(&NamedAllele, usize) -> Texts,
) -> Vec<Pair> {
    let possible = |allele: &NamedAllele| {
        evidence.iter().all(|one| {
            let texts = accepts(allele, one.place);
            one.masks.iter().any(|mask| mask & texts != 0)
        })
    };
    let candidates: Vec<(usize, Vec<Texts>)> = gene
        .alleles
        .iter()
        .enumerate()
        .filter(|(_, allele)| possible(allele))
        .map(|(number, allele)| (number, evidence.iter().map(|one| accepts(allele, one.place)).collect()))
        .collect();
    let mut pairs = Vec::new();
    for (index, (first, a)) in candidates.iter().enumerate() {
        if haploid {
            let fits = evidence.iter().zip(a).all(|(one, texts)| one.masks.iter().all(|mask| mask & texts != 0));
            if fits {
                pairs.push(Pair { first: *first, second: None });
            }
            continue;
        }
        for (second, b) in &candidates[index..] {
            if fits(evidence, a, b) {
                pairs.push(Pair { first: *first, second: Some(*second) });
            }
        }
    }
    pairs
}

/// Whether two alleles stand on the haplotypes as they were read.
fn fits(evidence: &[Evidence<'_>], a: &[Texts], b: &[Texts]) -> bool {
    // by phase set, whether the pair fits with its first allele on the first haplotype, and the other way round
    let mut sets: BTreeMap<&str, [bool; 2]> = BTreeMap::new();
    for ((one, a), b) in evidence.iter().zip(a).zip(b) {
        let [x, y] = one.masks[..] else { return false };
        let ways = [x & a != 0 && y & b != 0, x & b != 0 && y & a != 0];
        if ways == [false; 2] {
            return false;
        }
        if let Some(set) = one.phase {
            let fit = sets.entry(set).or_insert([true; 2]);
            fit[0] &= ways[0];
            fit[1] &= ways[1];
            if *fit == [false; 2] {
                return false;
            }
        }
    }
    true
}
