//! DPYD by its variants: the activity score is that of the two variants of lowest activity.
//!
//! As CPIC has it (Amstutz et al., Clin. Pharmacol. Ther. 103, 210, 2018) and `PharmCAT` documents it ("Gene Definition Exceptions"): different variants
//! that lower the activity are taken to be on different copies, unless the file says that they are on one; variants of normal function count as
//! reference. HapB3 is known by its intronic variant; where that was not read its exonic neighbour stands for it.

use super::{
    definition::{Gene, Texts},
    matching::Evidence,
};
use std::collections::BTreeSet;

/// Genes that are judged so.
pub(crate) const GENES: [&str; 1] = ["DPYD"];

/// A pair of alleles by their numbers.
pub(crate) type AllelePair = (usize, usize);

/// How often a variant is there: at least and at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Copies {
    least: usize,
    most: usize,
}

/// An allele that lowers the activity.
#[derive(Clone, Debug)]
struct Lowering<'a> {
    allele: usize,
    activity: f64,
    copies: Copies,
    /// The haplotypes that have it, in a phase set.
    on: Option<(&'a str, [bool; 2])>,
}

/// The pairs of alleles of lowest activity that are possible; the first is that of what was read. `assumed` are places that were taken for reference, because
/// the file does not mention them.
pub(crate) fn possible(
    gene: &Gene,
    evidence: &[Evidence<'_>],
    assumed: &BTreeSet<usize>,
    activity: impl Fn(&str) -> Option<f64>,
) -> Vec<AllelePair> {
    let Some(reference) = gene.alleles.iter().position(|allele| allele.reference) else { return Vec::new() };
    let full = gene.alleles.get(reference).and_then(|allele| activity(&allele.name)).unwrap_or(1.0);
    let at = |place: usize| evidence.iter().find(|one| one.place == place);
    let copies = |place: usize, texts: Texts| match at(place) {
        None => Copies { least: 0, most: 2 },
        Some(one) => Copies {
            least: one.masks.iter().filter(|mask| **mask & !texts == 0).count(),
            most: one.masks.iter().filter(|mask| **mask & texts != 0).count(),
        },
    };
    let variants = |allele: usize| -> Vec<(usize, Texts)> {
        let (Some(own), Some(reference)) = (gene.alleles.get(allele), gene.alleles.get(reference)) else {
            return Vec::new();
        };
        let places = own.accepts.iter().zip(&reference.accepts).enumerate();
        places.filter(|(_, (own, reference))| own != reference).map(|(place, (own, _))| (place, *own)).collect()
    };
    let mut lowering: Vec<Lowering<'_>> = Vec::new();
    for (number, allele) in gene.alleles.iter().enumerate() {
        let Some(activity) = activity(&allele.name) else { continue };
        if number == reference || activity >= full {
            continue;
        }
        let own = variants(number);
        match &own[..] {
            [(place, texts)] => {
                // one whose variant is also part of a longer allele is counted with that
                let part = (0..gene.alleles.len()).any(|other| {
                    let longer = variants(other);
                    longer.len() > 1 && longer.contains(&(*place, *texts))
                });
                if !part {
                    lowering.push(Lowering {
                        allele: number,
                        activity,
                        copies: copies(*place, *texts),
                        on: on(at(*place), *texts),
                    });
                }
            }
            several => {
                // the variant that is an allele by itself decides; the others stand for it where it was not read
                let alone =
                    |pair: &(usize, Texts)| (0..gene.alleles.len()).find(|other| variants(other.to_owned()) == [*pair]);
                let Some((cause, single)) = several.iter().find_map(|pair| Some((*pair, alone(pair)?))) else {
                    continue;
                };
                let proxies: Vec<(usize, Texts)> = several.iter().filter(|pair| **pair != cause).copied().collect();
                let by_proxy = proxies.iter().map(|(place, texts)| copies(*place, *texts).least).min().unwrap_or(0);
                let cause_read = at(cause.0).filter(|_| !(assumed.contains(&cause.0) && by_proxy > 0));
                match cause_read {
                    Some(one) => {
                        let found = copies(cause.0, cause.1);
                        let whole = Copies { least: found.least.min(by_proxy), most: found.most.min(by_proxy) };
                        let rest = Copies { least: found.least - whole.least, most: found.most - whole.most };
                        let on = on(Some(one), cause.1);
                        lowering.push(Lowering { allele: number, activity, copies: whole, on });
                        lowering.push(Lowering { allele: single, activity, copies: rest, on });
                    }
                    None => {
                        let most = if assumed.contains(&cause.0) { by_proxy } else { 2 };
                        let on = proxies.first().and_then(|(place, texts)| on(at(*place), *texts));
                        lowering.push(Lowering {
                            allele: number,
                            activity,
                            copies: Copies { least: by_proxy, most },
                            on,
                        });
                    }
                }
            }
        }
    }
    let of = |allele: Option<&Lowering<'_>>| allele.map_or((full, reference), |own| (own.activity, own.allele));
    let lower = |a: (f64, usize), b: (f64, usize)| if b.0 < a.0 { b } else { a };
    // where all that is on one of two copies has its place in one phase set, each copy has its own lowest
    let single = || lowering.iter().filter(|own| own.copies.least == 1);
    let sets: BTreeSet<Option<&str>> = single().map(|own| own.on.map(|(set, _)| set)).collect();
    let phased = sets.len() == 1 && !sets.contains(&None) && single().count() > 1;
    let base: [(f64, usize); 2] = if phased {
        let mut strands = [of(None); 2];
        for own in lowering.iter().filter(|own| own.copies.least > 0) {
            let has = if own.copies.least > 1 { [true; 2] } else { own.on.map_or([true; 2], |(_, has)| has) };
            for (strand, has) in strands.iter_mut().zip(has) {
                if has {
                    *strand = lower(*strand, of(Some(own)));
                }
            }
        }
        strands
    } else {
        let certain = lowering.iter().flat_map(|own| std::iter::repeat_n(own, own.copies.least));
        let mut certain: Vec<(f64, usize)> = certain.map(|own| of(Some(own))).collect();
        certain.sort_by(|a, b| a.0.total_cmp(&b.0));
        [certain.first().copied().unwrap_or(of(None)), certain.get(1).copied().unwrap_or(of(None))]
    };
    // what was not read may be there on one copy, or on both
    let extra = |own: &&Lowering<'_>| own.copies.most > own.copies.least;
    let mut extras: Vec<Option<(f64, usize, usize)>> = vec![None];
    for own in lowering.iter().filter(extra) {
        let more = own.copies.most - own.copies.least;
        extras.push(Some((own.activity, own.allele, more)));
    }
    let mut outcomes: Vec<[(f64, usize); 2]> = vec![base];
    for (index, first) in extras.iter().enumerate() {
        for second in &extras[index..] {
            if first.is_some() && first == second && first.is_some_and(|one| one.2 < 2) {
                continue;
            }
            for swapped in [false, true] {
                let (x, y) = if swapped { (second, first) } else { (first, second) };
                let with = |base: (f64, usize), extra: &Option<(f64, usize, usize)>| {
                    extra.map_or(base, |(activity, allele, _)| lower(base, (activity, allele)))
                };
                let mut outcome = if phased {
                    [with(base[0], x), with(base[1], y)]
                } else {
                    let mut all = vec![base[0], base[1]];
                    all.extend([x, y].into_iter().flatten().map(|(activity, allele, _)| (*activity, *allele)));
                    all.sort_by(|a, b| a.0.total_cmp(&b.0));
                    [all[0], all[1]]
                };
                outcome.sort_by(|a, b| b.0.total_cmp(&a.0));
                outcomes.push(outcome);
            }
        }
    }
    // one pair of each two activities is enough
    let mut seen = BTreeSet::new();
    let key = |outcome: &[(f64, usize); 2]| {
        let mut bits = outcome.map(|(activity, _)| activity.to_bits());
        bits.sort_unstable();
        bits
    };
    outcomes.retain(|outcome| seen.insert(key(outcome)));
    outcomes
        .into_iter()
        .map(|mut pair| {
            pair.sort_by(|a, b| b.0.total_cmp(&a.0));
            (pair[0].1, pair[1].1)
        })
        .collect()
}

fn on<'a>(one: Option<&Evidence<'a>>, texts: Texts) -> Option<(&'a str, [bool; 2])> {
    let one = one?;
    let [x, y] = one.masks[..] else { return None };
    Some((one.phase?, [x & texts != 0, y & texts != 0]))
}
