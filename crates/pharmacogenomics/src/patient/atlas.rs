//! [`Atlas`]: where the places of all genes lie, for finding what a line of a file speaks of.

use super::{
    assembly::Assembly,
    definition::{Gene, Place},
    sequence::KnownBases,
};
use std::collections::{BTreeMap, HashMap};

/// A place by the numbers of its gene and of itself.
pub(crate) type PlaceId = (usize, usize);

/// Where a place with an rs number lies.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) chromosome: String,
    pub(crate) position: u64,
    pub(crate) end: u64,
    pub(crate) single: bool,
    /// Its position in the other assembly, where that is known.
    pub(crate) elsewhere: Option<u64>,
}

/// The places of all genes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Atlas {
    /// By chromosome and position, the places where one base stands for another.
    single: HashMap<String, BTreeMap<u64, Vec<PlaceId>>>,
    /// Those where texts of several lengths stand.
    lengths: HashMap<String, BTreeMap<u64, Vec<PlaceId>>>,
    /// Of each chromosome the first and last place.
    spans: HashMap<String, (u64, u64)>,
    sites: HashMap<String, Vec<Site>>,
    pub(crate) known: KnownBases,
}

/// How far from its place a change of length may be written.
pub(crate) const REACH: u64 = 100;

impl Atlas {
    /// Of genes whose changes are as far left as they go; `shifts` are the distances of genes from the other assembly.
    pub(crate) fn new(genes: &[Gene], known: KnownBases, shifts: impl Fn(&Gene) -> Option<i64>) -> Self {
        let mut atlas = Self { known, ..Self::default() };
        for (number, gene) in genes.iter().enumerate() {
            for (index, place) in gene.places.iter().enumerate() {
                let of = if place.is_single() { &mut atlas.single } else { &mut atlas.lengths };
                let chromosome = of.entry(gene.chromosome.clone()).or_default();
                chromosome.entry(place.position).or_default().push((number, index));
                let span = atlas.spans.entry(gene.chromosome.clone()).or_insert((place.position, place.end()));
                *span = (span.0.min(place.position), span.1.max(place.end()));
                if let Some(rs) = &place.rs {
                    let elsewhere = shifts(gene).and_then(|shift| place.position.checked_add_signed(shift));
                    atlas.sites.entry(rs.clone()).or_default().push(Site {
                        chromosome: gene.chromosome.clone(),
                        position: place.position,
                        end: place.end(),
                        single: place.is_single(),
                        elsewhere,
                    });
                }
            }
        }
        atlas
    }

    /// Whether a stretch is near a place.
    pub(crate) fn near(&self, chromosome: &str, start: u64, end: u64) -> bool {
        self.spans
            .get(chromosome)
            .is_some_and(|(first, last)| start <= last.saturating_add(REACH) && end.saturating_add(REACH) >= *first)
    }

    /// The places of single bases in a stretch.
    pub(crate) fn singles(&self, chromosome: &str, start: u64, end: u64) -> Vec<PlaceId> {
        within(&self.single, chromosome, start, end)
    }

    /// The places of changes of length that begin in a stretch.
    pub(crate) fn lengths(&self, chromosome: &str, start: u64, end: u64) -> Vec<PlaceId> {
        within(&self.lengths, chromosome, start, end)
    }

    /// Why an rs number cannot stand where a file has it, if it cannot.
    pub(crate) fn misplaced(&self, id: &str, chromosome: &str, start: u64, end: u64, own: Assembly) -> Option<String> {
        let sites = self.sites.get(id)?;
        let fits = |site: &Site| {
            let reach = if site.single { 0 } else { REACH };
            site.chromosome == chromosome
                && start <= site.end.saturating_add(reach)
                && end.saturating_add(reach) >= site.position
        };
        if sites.iter().any(fits) {
            return None;
        }
        let site = sites.first()?;
        let mut text =
            format!("{id} stands at {chromosome}:{start}, in {own} it is at {}:{}", site.chromosome, site.position);
        if sites.iter().any(|site| site.elsewhere == Some(start)) {
            text.push_str(&format!("; that is its place in {}", own.other()));
        }
        Some(text)
    }
}

fn within(of: &HashMap<String, BTreeMap<u64, Vec<PlaceId>>>, chromosome: &str, start: u64, end: u64) -> Vec<PlaceId> {
    let Some(places) = of.get(chromosome).filter(|_| start <= end) else { return Vec::new() };
    places.range(start..=end).flat_map(|(_, places)| places.iter().copied()).collect()
}

/// The place of an id.
pub(crate) fn place_of(genes: &[Gene], id: PlaceId) -> Option<(&Gene, &Place)> {
    let gene = genes.get(id.0)?;
    Some((gene, gene.places.get(id.1)?))
}
