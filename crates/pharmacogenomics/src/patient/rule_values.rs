//! What a rule asks of a gene, and which of the things that a gene can be are what it asks for.
//!
//! A rule by genotype goes before one by score, and that before one by phenotype. DPWG has two rules for some scores, told apart by a word:
//! `1.0 (Intermediate Metabolizer)` and `1.0 (Phenotyping)`. The tables say which phenotype a score is, and nothing of the other word: a score with a normal
//! allele has the rule of its phenotype, two alleles that both lower the activity may have either, and where one rule alone has the score it is that.

use super::{calls::Outcome, hla, phenotypes::without_gene};
use std::collections::{BTreeMap, BTreeSet};

/// How well a value says what was found; smaller is better.
pub(super) type Rank = (u8, u64);

/// The phenotype, or the score under its phenotype.
pub(super) const BY_PHENOTYPE: Rank = (2, 0);

/// The score under another word.
pub(super) const OTHER_WORD: Rank = (4, 0);

/// Pairs that are named for one possible recommendation.
pub(super) const NAMED: usize = 4;

/// What a rule asks of a gene.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// That it was not tested.
    NoResult,
    /// These alleles, as often.
    Genotype(BTreeMap<String, usize>),
    /// A score with a word: "1.0 (Phenotyping)".
    Scored(f64, String),
    /// At least this score.
    AtLeast(f64),
    /// A word: a phenotype, a score, a result.
    Word(String),
}

impl Value {
    pub(super) fn parse(gene: &str, text: &str) -> Self {
        if text.eq_ignore_ascii_case("No Result") {
            return Self::NoResult;
        }
        if let Some(inside) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            let pair = |entry: &str| {
                let (name, count) = entry.rsplit_once(':')?;
                Some((name.trim().trim_matches('\'').to_string(), count.trim().parse::<f64>().ok()? as usize))
            };
            if let Some(alleles) = inside.split(',').map(pair).collect() {
                return Self::Genotype(alleles);
            }
        }
        if let Some(least) = text.strip_prefix('≥').and_then(|text| text.parse().ok()) {
            return Self::AtLeast(least);
        }
        match text.split_once(" (") {
            Some((number, word)) if number.parse::<f64>().is_ok() => {
                Self::Scored(number.parse().unwrap_or(f64::NAN), word.trim_end_matches(')').to_string())
            }
            _ => Self::Word(without_gene(gene, text).to_string()),
        }
    }

    /// How well it says an outcome; `None` where it does not.
    pub(super) fn rank(&self, (gene, text): (&str, &str), outcome: &Outcome) -> Option<Rank> {
        let score = outcome.phenotype.as_ref().and_then(|phenotype| phenotype.activity_score);
        let name = outcome.phenotype.as_ref().map(|phenotype| phenotype.name.as_str());
        let named = |word: &str| name.is_some_and(|name| name.eq_ignore_ascii_case(word));
        let said = |word: &str| outcome.words.iter().any(|own| own.eq_ignore_ascii_case(word));
        match self {
            Self::NoResult => None,
            Self::Genotype(alleles) => {
                let mut own: BTreeMap<String, usize> = BTreeMap::new();
                outcome.alleles.iter().for_each(|allele| *own.entry(allele.clone()).or_default() += 1);
                (own == *alleles && !own.is_empty()).then_some((0, 0))
            }
            Self::Scored(number, word) if score == Some(*number) => match (said(word), named(word)) {
                (true, _) => Some((1, 0)),
                (false, true) => Some(BY_PHENOTYPE),
                (false, false) => Some(OTHER_WORD),
            },
            Self::Scored(..) => None,
            Self::AtLeast(least) => {
                if said(text) {
                    return Some((2, 0));
                }
                // of several the highest says most
                let open = !outcome.words.iter().any(|word| word.starts_with('≥'));
                (open && score.is_some_and(|score| score >= *least)).then(|| (3, u64::MAX - least.to_bits()))
            }
            Self::Word(word) => {
                let number = word.parse::<f64>().ok();
                let scored =
                    number.is_some() && number == score && !outcome.words.iter().any(|word| word.starts_with('≥'));
                let without = word.eq_ignore_ascii_case("n/a") && score.is_none() && named("Indeterminate");
                (named(word) || said(word) || scored || without || hla::proves(gene, &outcome.alleles, word))
                    .then_some((2, 0))
            }
        }
    }
}

/// The values of a guideline that say one thing a gene can be.
#[derive(Clone, Debug)]
pub(super) struct Choice {
    pub(super) values: BTreeSet<String>,
    pub(super) pairs: Vec<String>,
    pub(super) phenotypes: BTreeSet<String>,
}

impl Choice {
    pub(super) fn not_tested(values: &[(&str, &Value)]) -> Self {
        let own = values.iter().filter(|(_, value)| **value == Value::NoResult).map(|(text, _)| (*text).to_string());
        Self { values: own.collect(), pairs: vec!["not tested".into()], phenotypes: BTreeSet::new() }
    }

    pub(super) fn of(gene: &str, outcomes: &[Outcome], values: &[(&str, &Value)]) -> Vec<Self> {
        let mut choices: Vec<Self> = Vec::new();
        for outcome in outcomes {
            let ranked: Vec<(Rank, &str)> =
                values.iter().filter_map(|(text, value)| Some((value.rank((gene, text), outcome)?, *text))).collect();
            let best = ranked.iter().map(|(rank, _)| *rank).min();
            let of_rank = |wanted: Option<Rank>| -> BTreeSet<String> {
                let own = ranked.iter().filter(|(rank, _)| Some(*rank) == wanted);
                own.map(|(_, text)| (*text).to_string()).collect()
            };
            Self::add(&mut choices, of_rank(best), outcome);
            // the tables do not say which of two rules a score has whose alleles both lower the activity, or are not known
            let other = of_rank(Some(OTHER_WORD));
            let normal = outcome.activities.iter().any(|activity| *activity >= 1.0);
            if best == Some(BY_PHENOTYPE) && !other.is_empty() && !normal {
                Self::add(&mut choices, other, outcome);
            }
        }
        choices
    }

    pub(super) fn add(choices: &mut Vec<Self>, values: BTreeSet<String>, outcome: &Outcome) {
        let at = match choices.iter().position(|choice| choice.values == values) {
            Some(at) => at,
            None => {
                choices.push(Self { values, pairs: Vec::new(), phenotypes: BTreeSet::new() });
                choices.len() - 1
            }
        };
        let Some(choice) = choices.get_mut(at) else { return };
        choice.pairs.push(outcome.diplotype.clone());
        choice.phenotypes.extend(outcome.phenotype.iter().map(|phenotype| phenotype.name.clone()));
    }

    pub(super) fn shown(&self) -> String {
        let names: Vec<&str> = self.phenotypes.iter().map(String::as_str).collect();
        let pairs = match self.pairs.len() {
            count if count > NAMED => format!("{} and {} more", self.pairs[..NAMED].join(", "), count - NAMED),
            _ => self.pairs.join(", "),
        };
        if names.is_empty() { pairs } else { format!("{pairs} ({})", names.join(", ")) }
    }
}
