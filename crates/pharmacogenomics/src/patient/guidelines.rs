//! [`Guidelines`]: what CPIC and DPWG recommend for a drug and the phenotypes of its genes.
//!
//! A guideline is a set of rules of one source for one drug and one kind of patient. It answers when all that its genes can be leads to the same
//! rules; else it says which gene is not determined, and what the possible pairs of alleles would lead to. A rule by genotype goes before one
//! by phenotype. "No Result" is a gene that was not tested ("NUDT15 genotype is not available", as CPIC's texts say); one that was, with an open result, is
//! never that. A recommendation without a gene's result says so, for the result could change it.

use super::{
    calls::{GeneCall, Knowledge, Outcome, UNTESTED},
    definition::DefinitionSource,
    drug_facts::{DrugFacts, name_of_page, normal},
    recommendations::{MissingGene, NotDetermined, PossibleRecommendation, Recommendation},
    rule_values::{Choice, NAMED, Value},
};
use crate::error::Result;
use cupel_data::{TextRows, is_missing};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

/// A rule: which values of which genes it is for.
#[derive(Clone, Debug)]
struct Rule {
    lookup: Vec<(String, String, Value)>,
    recommendation: Recommendation,
}

/// The rules of one source for one drug and one kind of patient.
#[derive(Clone, Debug, Default)]
struct Guideline {
    drug: String,
    rules: Vec<usize>,
    genes: BTreeSet<String>,
    name: String,
    page: Option<String>,
    level: Option<String>,
    papers: Vec<String>,
}

/// The rules of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guidelines {
    rules: Vec<Rule>,
    guidelines: Vec<Guideline>,
    pub(crate) source: Option<DefinitionSource>,
}

/// What a drug's guidelines say.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) recommendations: Vec<Recommendation>,
    pub(crate) not_determined: Vec<NotDetermined>,
    /// The genes that its guidelines ask for.
    pub(crate) genes: BTreeSet<String>,
}

/// Where guidelines stand, by their identifiers.
const LINK: &str = "https://www.clinpgx.org/guidelineAnnotation/";

/// More combinations than this are not looked through.
const MOST_COMBINATIONS: usize = 100_000;

/// The day that begins a version such as 2024-03-25-16-13.
fn date_of(version: &str) -> Option<String> {
    let parts: Vec<&str> = version.split('-').take(3).collect();
    let digits = |text: &str, count: usize| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    match parts[..] {
        [year, month, day] if digits(year, 4) && digits(month, 2) && digits(day, 2) => Some(parts.join("-")),
        _ => None,
    }
}

/// Drugs that the name of a guideline lists.
const DRUGS_NAMED: usize = 3;

/// Gives guidelines their names, and what is known of their publication: CPIC's by its page, others by their drugs and genes.
fn describe(guidelines: &mut [Guideline], rules: &[(Vec<String>, Rule)], facts: &DrugFacts) {
    let mut drugs: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (own, rule) in rules {
        drugs.entry(rule.recommendation.guideline.clone()).or_default().extend(own.iter().cloned());
    }
    for guideline in guidelines {
        let Some((_, rule)) = guideline.rules.first().and_then(|number| rules.get(*number)) else { continue };
        let own = &rule.recommendation;
        let fact = facts.fact(&guideline.drug, guideline.genes.iter()).filter(|_| own.source == "CPIC");
        let genes: Vec<&str> = guideline.genes.iter().map(String::as_str).collect();
        let named =
            fact.and_then(|fact| fact.page.as_deref()).and_then(|page| name_of_page(page, genes.iter().copied()));
        guideline.name = named.unwrap_or_else(|| {
            let all: Vec<&str> = drugs.get(&own.guideline).into_iter().flatten().map(String::as_str).collect();
            let of = match all.len() {
                count if count > DRUGS_NAMED => {
                    format!("{} and {} more", all[..DRUGS_NAMED].join(", "), count - DRUGS_NAMED)
                }
                _ => all.join(", "),
            };
            format!("{} guideline for {of} and {}", own.source, genes.join(", "))
        });
        if let Some(fact) = fact {
            guideline.page.clone_from(&fact.page);
            guideline.level.clone_from(&fact.level);
            guideline.papers.clone_from(&fact.papers);
        }
    }
}

impl Guidelines {
    /// Reads a table with the columns `source`, `guideline_id`, `recommendation_id`, `drugs`, `lookup`, `population`,
    /// `classification`, `implications` and `recommendation`; CPIC's rules come first.
    pub(crate) fn read(path: &Path, facts: &DrugFacts) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(cupel_data::Error::io("read", path))?;
        let mut rows = TextRows::open(path)?;
        let names = [
            "source",
            "guideline_id",
            "recommendation_id",
            "drugs",
            "lookup",
            "population",
            "classification",
            "implications",
            "recommendation",
        ];
        let columns: Vec<usize> =
            names.iter().map(|name| rows.position(name)).collect::<std::result::Result<_, _>>()?;
        let version_column = rows.position("version").ok();
        let changes = ["dosing_information", "alternate_drug", "other_guidance"].map(|name| rows.position(name).ok());
        let mut version = None;
        let mut rules: Vec<(Vec<String>, Rule)> = Vec::new();
        while let Some(row) = rows.next()? {
            let cells: Vec<&str> = row.cells().collect();
            let cell = |which: usize| cells[columns[which]].to_string();
            let some = |which: usize| Some(cell(which)).filter(|text| !is_missing(text));
            version = version.max(version_column.map(|column| cells[column].to_string()));
            let pairs = cell(4);
            let pairs = pairs.split('|').filter_map(|pair| pair.split_once('='));
            let lookup: Vec<(String, String, Value)> =
                pairs.map(|(gene, value)| (gene.into(), value.into(), Value::parse(gene, value))).collect();
            if lookup.is_empty() {
                continue;
            }
            let rule = Rule {
                lookup,
                recommendation: Recommendation {
                    source: cell(0),
                    guideline: cell(1),
                    name: String::new(),
                    id: cell(2),
                    because: Vec::new(),
                    population: some(5).filter(|population| population != "general"),
                    strength: some(6),
                    implications: cell(7),
                    recommendation: cell(8),
                    change: changes.iter().flatten().map(|column| cells[*column] == "1").reduce(|a, b| a || b),
                    not_tested: Vec::new(),
                    version: version_column.map(|column| cells[column].to_string()),
                    date: version_column.and_then(|column| date_of(cells[column])),
                    link: format!("{LINK}{}", cell(1)),
                    page: None,
                    level: None,
                    papers: Vec::new(),
                },
            };
            rules.push((cell(3).split('|').map(normal).collect(), rule));
        }
        rules.sort_by(|a, b| a.1.recommendation.source.cmp(&b.1.recommendation.source)); // CPIC before DPWG; stable
        let mut index: BTreeMap<(String, String, String, Option<String>), usize> = BTreeMap::new();
        let mut guidelines: Vec<Guideline> = Vec::new();
        for (number, (drugs, rule)) in rules.iter().enumerate() {
            let own = &rule.recommendation;
            for drug in drugs {
                let key = (own.source.clone(), own.guideline.clone(), drug.clone(), own.population.clone());
                let at = *index.entry(key).or_insert_with(|| {
                    guidelines.push(Guideline { drug: drug.clone(), ..Guideline::default() });
                    guidelines.len() - 1
                });
                guidelines[at].rules.push(number);
                guidelines[at].genes.extend(rule.lookup.iter().map(|(gene, ..)| gene.clone()));
            }
        }
        describe(&mut guidelines, &rules, facts);
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let source = Some(DefinitionSource::new(&name, version, &bytes));
        Ok(Self { rules: rules.into_iter().map(|(_, rule)| rule).collect(), guidelines, source })
    }

    /// The drugs that have a rule for a gene of which something was said, sorted.
    pub(crate) fn drugs(&self, genes: &[GeneCall]) -> Vec<String> {
        let said = |gene: &String| genes.iter().any(|call| call.gene == *gene && call.tested());
        let asked = self.guidelines.iter().filter(|guideline| guideline.genes.iter().any(said));
        let drugs: BTreeSet<&String> = asked.map(|guideline| &guideline.drug).collect();
        drugs.into_iter().cloned().collect()
    }

    /// Whether a drug, normalised, has a guideline.
    pub(crate) fn knows(&self, drug: &str) -> bool {
        self.guidelines.iter().any(|guideline| guideline.drug == drug)
    }

    /// All drugs.
    pub(crate) fn all_drugs(&self) -> BTreeSet<&str> {
        self.guidelines.iter().map(|guideline| guideline.drug.as_str()).collect()
    }

    /// All genes that rules ask for.
    pub(crate) fn genes(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(|rule| rule.lookup.iter().map(|(gene, ..)| gene.as_str())).collect()
    }

    /// What the guidelines of a drug say of these genes.
    pub(crate) fn answer(&self, drug: &str, genes: &[GeneCall]) -> Said {
        let drug = normal(drug);
        let mut said = Said::default();
        for guideline in self.guidelines.iter().filter(|guideline| guideline.drug == drug) {
            said.genes.extend(guideline.genes.iter().cloned());
            self.ask(guideline, genes, &mut said);
        }
        said
    }

    fn ask(&self, guideline: &Guideline, genes: &[GeneCall], said: &mut Said) {
        let call = |gene: &str| genes.iter().find(|call| call.gene == gene);
        let mut open: Vec<MissingGene> = Vec::new();
        let mut choices: Vec<(&str, Vec<Choice>)> = Vec::new();
        for gene in &guideline.genes {
            let values: Vec<(&str, &Value)> = guideline
                .rules
                .iter()
                .filter_map(|number| self.rules.get(*number))
                .flat_map(|rule| {
                    rule.lookup.iter().filter(|(own, ..)| own == gene).map(|(_, text, value)| (text.as_str(), value))
                })
                .collect();
            let missing = |because: String| {
                let missing = call(gene).map(|call| call.missing.clone()).unwrap_or_default();
                let not_tested = call(gene).is_none_or(|call| !call.tested());
                MissingGene { gene: gene.clone(), because, missing, not_tested }
            };
            match call(gene).map(|call| (&call.knowledge, call)) {
                None | Some((Knowledge::NotTested, _)) => {
                    if values.iter().any(|(_, value)| **value == Value::NoResult) {
                        choices.push((gene, vec![Choice::not_tested(&values)]));
                    } else {
                        let because = call(gene).and_then(|call| call.unknown_because.clone());
                        open.push(missing(because.unwrap_or_else(|| UNTESTED.into())));
                    }
                }
                Some((Knowledge::Open, call)) => {
                    let because = call.unknown_because.clone();
                    open.push(missing(because.unwrap_or_else(|| "its alleles are not known".into())));
                }
                Some((Knowledge::Possible(outcomes), call)) => {
                    let own = Choice::of(gene, outcomes, &values);
                    // alleles of which neither tables nor rules know anything are no result without a rule
                    if call.phenotype.is_none() && own.iter().all(|choice| choice.values.is_empty()) {
                        let because = call.unknown_because.clone();
                        open.push(missing(because.unwrap_or_else(|| "no rule and no table knows this result".into())));
                    } else {
                        choices.push((gene, own));
                    }
                }
            }
        }
        // genes that were all not tested ask for nothing
        let tested = |gene: &str| call(gene).is_some_and(GeneCall::tested);
        if !guideline.genes.iter().any(|gene| tested(gene)) {
            let untested = |gene: &String| MissingGene {
                gene: gene.clone(),
                because: call(gene).and_then(|call| call.unknown_because.clone()).unwrap_or_else(|| UNTESTED.into()),
                missing: Vec::new(),
                not_tested: true,
            };
            let genes = guideline.genes.iter().map(untested).collect();
            said.not_determined.push(self.not_determined(guideline, genes, Vec::new()));
            return;
        }
        let combinations: usize = choices.iter().map(|(_, choices)| choices.len()).product();
        if combinations > MOST_COMBINATIONS {
            choices.clear();
        }
        let mut fired: Vec<(Vec<usize>, Vec<&Choice>)> = Vec::new();
        let mut chosen = vec![0; choices.len()];
        loop {
            let now: Vec<&Choice> =
                choices.iter().zip(&chosen).filter_map(|((_, own), index)| own.get(*index)).collect();
            let holds = |(gene, text, _): &(String, String, Value)| {
                let at = choices.iter().position(|(own, _)| own == gene);
                at.and_then(|at| now.get(at)).is_some_and(|choice| choice.values.contains(text))
            };
            let rules = guideline
                .rules
                .iter()
                .filter(|number| self.rules.get(**number).is_some_and(|rule| rule.lookup.iter().all(holds)));
            fired.push((rules.copied().collect(), now));
            let Some(next) = (0..chosen.len()).rev().find(|at| chosen[*at] + 1 < choices[*at].1.len()) else { break };
            chosen[next] += 1;
            chosen[next + 1..].fill(0);
        }
        let first = fired.first().map(|(rules, _)| rules.clone()).unwrap_or_default();
        let agree = fired.iter().all(|(rules, _)| *rules == first);
        // what was given from outside says nothing to these rules: a model's word would stand in their place
        let outside = |gene: &str| call(gene).filter(|call| call.outside && call.tested());
        if open.is_empty() && agree && first.is_empty() && guideline.genes.iter().any(|gene| outside(gene).is_some()) {
            let silent = |gene: &str| {
                choices
                    .iter()
                    .any(|(own, own_choices)| *own == gene && own_choices.iter().any(|choice| choice.values.is_empty()))
            };
            let all = !guideline.genes.iter().any(|gene| silent(gene));
            for gene in guideline.genes.iter().filter(|gene| all || silent(gene)) {
                let found = call(gene).map(|call| call.diplotypes.join(" or ")).unwrap_or_default();
                let because = match outside(gene) {
                    Some(_) if gene.starts_with("HLA-") => {
                        format!("no rule says what {found} means; give the result of the type that it asks for")
                    }
                    Some(_) => format!("no rule says what {found} means; give an activity score or a phenotype"),
                    None => format!("no rule says what {found} means"),
                };
                open.push(MissingGene { gene: gene.clone(), because, missing: Vec::new(), not_tested: false });
            }
            said.not_determined.push(self.not_determined(guideline, open, Vec::new()));
            return;
        }
        if open.is_empty() && agree {
            for rule in first.iter().filter_map(|number| self.rules.get(*number)) {
                let because = rule.lookup.iter().map(|(gene, value, _)| because(gene, value, call(gene))).collect();
                let without = |(gene, _, value): &(String, String, Value)| {
                    (*value == Value::NoResult && !tested(gene)).then(|| gene.clone())
                };
                said.recommendations.push(Recommendation {
                    because,
                    not_tested: rule.lookup.iter().filter_map(without).collect(),
                    name: guideline.name.clone(),
                    page: guideline.page.clone(),
                    level: guideline.level.clone(),
                    papers: guideline.papers.clone(),
                    ..rule.recommendation.clone()
                });
            }
            return;
        }
        let mut possible: Vec<(Vec<usize>, Vec<PossibleRecommendation>)> = Vec::new();
        if open.is_empty() {
            for (gene, own) in &choices {
                if own.len() > 1 {
                    let call = call(gene);
                    let because = call.and_then(|call| call.unknown_because.clone());
                    let because = because.unwrap_or_else(|| {
                        let pairs = call.map_or(0, |call| call.diplotypes.len());
                        format!("{pairs} pairs of alleles explain its genotypes, and the guideline tells them apart")
                    });
                    let missing = call.map(|call| call.missing.clone()).unwrap_or_default();
                    open.push(MissingGene { gene: (*gene).to_string(), because, missing, not_tested: false });
                }
            }
        }
        if combinations <= MOST_COMBINATIONS && !choices.is_empty() {
            for (rules, now) in fired {
                let of =
                    now.iter().zip(&choices).map(|(choice, (gene, _))| format!("{gene} {}", choice.shown())).collect();
                let text =
                    |number: &usize| self.rules.get(*number).map(|rule| rule.recommendation.recommendation.clone());
                let recommendations = rules.iter().filter_map(text).collect();
                let entry = PossibleRecommendation { of, recommendations };
                match possible.iter_mut().find(|(known, _)| *known == rules) {
                    Some((_, entries)) => entries.push(entry),
                    None => possible.push((rules, vec![entry])),
                }
            }
        }
        let flat = if open.iter().any(|gene| choices.iter().all(|(own, _)| *own != gene.gene)) {
            Vec::new() // a gene without any known pair leaves everything open
        } else {
            possible.into_iter().flat_map(|(_, entries)| entries).collect()
        };
        said.not_determined.push(self.not_determined(guideline, open, flat));
    }

    fn not_determined(
        &self,
        guideline: &Guideline,
        genes: Vec<MissingGene>,
        possible: Vec<PossibleRecommendation>,
    ) -> NotDetermined {
        let own = guideline.rules.first().and_then(|number| self.rules.get(*number)).map(|rule| &rule.recommendation);
        NotDetermined {
            source: own.map(|own| own.source.clone()).unwrap_or_default(),
            guideline: own.map(|own| own.guideline.clone()).unwrap_or_default(),
            name: guideline.name.clone(),
            link: own.map(|own| own.link.clone()).unwrap_or_default(),
            population: own.and_then(|own| own.population.clone()),
            genes,
            possible,
        }
    }

    /// The values of rules that none of these outcomes of a gene has: source, drugs' guideline, gene and value.
    pub(crate) fn never(&self, of: &BTreeMap<String, Vec<Outcome>>) -> BTreeSet<(String, String, String)> {
        let mut never = BTreeSet::new();
        for guideline in &self.guidelines {
            for gene in &guideline.genes {
                let rules = guideline.rules.iter().filter_map(|number| self.rules.get(*number));
                let own = |rule: &Rule| {
                    rule.lookup
                        .iter()
                        .filter(|(own, ..)| own == gene)
                        .map(|(_, text, value)| (text.clone(), value.clone()))
                        .collect::<Vec<_>>()
                };
                let values: Vec<(String, Value)> = rules.clone().flat_map(own).collect();
                let borrowed: Vec<(&str, &Value)> = values.iter().map(|(text, value)| (text.as_str(), value)).collect();
                let mut reached: BTreeSet<String> = Choice::not_tested(&borrowed).values;
                for choice in Choice::of(gene, of.get(gene).map_or(&[][..], Vec::as_slice), &borrowed) {
                    reached.extend(choice.values);
                }
                let source = rules.clone().next().map(|rule| rule.recommendation.source.clone()).unwrap_or_default();
                for (text, _) in values.iter().filter(|(text, _)| !reached.contains(text)) {
                    never.insert((source.clone(), gene.clone(), text.clone()));
                }
            }
        }
        never
    }

    /// How many rules there are.
    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }
}

fn because(gene: &str, value: &str, call: Option<&GeneCall>) -> String {
    match call.filter(|call| call.tested()) {
        Some(call) => {
            let many = call.diplotypes.len() > NAMED;
            let pairs = if many {
                format!("{} or others", call.diplotypes[..NAMED].join(" or "))
            } else {
                call.diplotypes.join(" or ")
            };
            format!("{gene} {pairs} ({value})")
        }
        None => format!("{gene} not tested ({value})"),
    }
}
