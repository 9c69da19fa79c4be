//! [`OutsideCall`]: results of genes that another program or a laboratory gives, in `PharmCAT`'s format of outside calls.
//!
//! One line for each gene, tabs between: gene, diplotype or allele, phenotype or other result, activity score; a heading and lines that begin with
//! `#` are left out. `#sample NAME` says whose the lines below it are. A gene that is given is not read from the VCF file; a call that contradicts
//! itself is no call.

use super::{
    calls::Outcome,
    copies::{Activity, Unscored, activity_of, cyp2d6, without_suballele},
    hla::{self, HlaType},
    phenotypes::{Phenotype, Phenotypes, without_gene},
};
use crate::error::{Error, Result};
use cupel_data::nearest_name;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// What was given of one gene.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct OutsideCall {
    pub(crate) gene: String,
    diplotype: Option<String>,
    /// Several where the gene has several results, as HLA has.
    results: Vec<String>,
    score: Option<String>,
}

/// What a file gives: by the sample that it names, `None` where it names none.
pub(crate) type BySample = BTreeMap<Option<String>, Vec<OutsideCall>>;

/// What a call means.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Meaning {
    /// That the gene was not tested.
    NotTested,
    /// Nothing, because it contradicts itself; how.
    Contradiction(String),
    /// This.
    Is(Outcome),
}

/// The gene that is scored by its copies, of which the tables have no pairs.
const CYP2D6: &str = "CYP2D6";
/// What stands for "not tested".
const NOT_TESTED: [&str; 3] = ["no result", "not tested", "no call"];

/// What stands for a score that a gene has not.
const NO_SCORE: &str = "n/a";
/// What names the sample of the lines below.
const SAMPLE: &str = "#sample";
/// Reads a file of outside calls; `genes` are those that rules or definitions know.
///
/// # Errors
/// [`Error::Data`] when the file cannot be read, [`Error::Model`] for a line that is no call, a gene that nothing knows or one that is repeated.
pub(crate) fn read(path: &Path, genes: &BTreeSet<String>) -> Result<BySample> {
    let bytes = fs::read(path).map_err(cupel_data::Error::io("read", path))?;
    parse(&String::from_utf8_lossy(&bytes), genes).map_err(|problem| Error::Model {
        path: path.to_path_buf(),
        problem,
        fix: "write GENE, DIPLOTYPE, PHENOTYPE, ACTIVITY with tabs between, one gene a line; some may be empty",
    })
}

/// Whether every line of a file belongs to a sample that the file names.
///
/// # Errors
/// [`Error::Data`] when the file cannot be read.
pub(crate) fn names_samples(path: &Path) -> Result<bool> {
    let bytes = fs::read(path).map_err(cupel_data::Error::io("read", path))?;
    let text = String::from_utf8_lossy(&bytes);
    let mut lines = text.trim_start_matches('\u{feff}').lines().filter(|line| sample(line).is_some() || is_call(line));
    Ok(lines.next().is_none_or(|line| sample(line).is_some()))
}

fn is_call(line: &str) -> bool {
    !line.trim().is_empty() && !line.starts_with('#') && !is_heading(line)
}

fn is_heading(line: &str) -> bool {
    line.split('\t').next().is_some_and(|cell| cell.trim().eq_ignore_ascii_case("gene"))
}

/// The sample that a line names.
fn sample(line: &str) -> Option<&str> {
    let rest = line.trim().strip_prefix(SAMPLE)?;
    let name = rest.strip_prefix(['\t', ' ', '=', ':'])?.trim();
    (!name.is_empty()).then_some(name)
}

fn parse(text: &str, genes: &BTreeSet<String>) -> std::result::Result<BySample, String> {
    let mut all = BySample::new();
    let mut whose: Option<String> = None;
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let (number, line) = (index + 1, line.trim_end_matches('\r'));
        if let Some(name) = sample(line) {
            whose = Some(name.to_string());
            continue;
        }
        if !is_call(line) {
            continue;
        }
        let calls = all.entry(whose.clone()).or_default();
        let cells: Vec<&str> = line.split('\t').map(str::trim).collect();
        let cell = |index: usize| cells.get(index).filter(|text| !text.is_empty()).map(|text| (*text).to_string());
        let Some(written) = cell(0) else { return Err(format!("line {number}: there is no gene")) };
        let Some(gene) = genes.iter().find(|gene| gene.eq_ignore_ascii_case(&written)).cloned() else {
            let near = nearest_name(&written, genes.iter().map(String::as_str));
            let near = near.map(|near| format!(", did you mean {near}?")).unwrap_or_default();
            return Err(format!("line {number}: no rule and no definition knows the gene {written:?}{near}"));
        };
        let (mut diplotype, mut result, score) = (cell(1), cell(2), cell(3));
        if diplotype.is_none() && result.is_none() && score.is_none() {
            return Err(format!("line {number}: nothing is said of {gene}"));
        }
        let fault = |problem: String| format!("line {number}: {gene}: {problem}");
        if gene.starts_with("HLA-") {
            diplotype = diplotype.map(|text| types(&gene, &text)).transpose().map_err(fault)?;
            result = result.map(|text| result_of_type(&gene, &text)).transpose().map_err(fault)?;
        }
        let score = score.map(|text| score_of(&text)).transpose().map_err(fault)?;
        match calls.iter_mut().find(|call| call.gene == gene) {
            // a laboratory gives each HLA allele that it looked for
            Some(known) if gene.starts_with("HLA-") && diplotype.is_none() && score.is_none() => {
                known.results.extend(result)
            }
            Some(_) => return Err(format!("line {number}: {gene} is given twice")),
            None => calls.push(OutsideCall { gene, diplotype, results: result.into_iter().collect(), score }),
        }
    }
    Ok(all)
}

fn is_untested(text: &str) -> bool {
    NOT_TESTED.contains(&text.to_ascii_lowercase().as_str())
}

/// One or two types of an HLA gene as rules write them.
fn types(gene: &str, text: &str) -> std::result::Result<String, String> {
    if is_untested(text) {
        return Ok(text.to_string());
    }
    let own: Option<Vec<String>> =
        text.split('/').map(|name| HlaType::parse(gene, name).map(|own| own.name())).collect();
    match own.filter(|own| own.len() <= 2) {
        Some(own) => Ok(own.join("/")),
        None => Err(format!("{text:?} is not {}", hla::EXPECTED)),
    }
}

/// A result of an HLA gene as rules write it.
fn result_of_type(gene: &str, text: &str) -> std::result::Result<String, String> {
    if let Some((own, positive)) = hla::result(gene, text) {
        return Ok(format!("{} {}", own.name(), if positive { "positive" } else { "negative" }));
    }
    // a rule's own word for two types at once: "1511 and 1502"
    let four = |word: &str| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    if is_untested(text) || text.contains(" and ") && text.split(" and ").all(four) {
        return Ok(text.to_string());
    }
    Err(format!("{text:?} is no result such as \"*57:01 positive\" or \"*57:01 negative\""))
}

/// A score as rules write it: "2.0", "≥3.0" or "n/a".
fn score_of(text: &str) -> std::result::Result<String, String> {
    if is_untested(text) || text.eq_ignore_ascii_case(NO_SCORE) {
        return Ok(text.to_ascii_lowercase());
    }
    let (sign, number) = match text.strip_prefix('≥').or_else(|| text.strip_prefix(">=")) {
        Some(number) => ("≥", number.trim()),
        None => ("", text),
    };
    match number.parse::<f64>() {
        Ok(score) if score.is_finite() && score >= 0.0 => Ok(format!("{sign}{:?}", score + 0.0)),
        _ => Err(format!("{text:?} is no activity score; give a number from 0 such as 1.5, ≥3.0, or {NO_SCORE}")),
    }
}

/// What metabolizers are called, as CPIC does; "extensive" is its old word for normal.
const METABOLIZERS: [(&str, &str, &str); 6] = [
    ("ultrarapid", "UM", "Ultrarapid Metabolizer"),
    ("rapid", "RM", "Rapid Metabolizer"),
    ("normal", "NM", "Normal Metabolizer"),
    ("extensive", "EM", "Normal Metabolizer"),
    ("intermediate", "IM", "Intermediate Metabolizer"),
    ("poor", "PM", "Poor Metabolizer"),
];

/// A phenotype in the standard words: "likely cyp2c19 poor metaboliser" is "Likely Poor Metabolizer".
fn standard(gene: &str, text: &str) -> String {
    let text = without_gene(gene, text);
    if let Some((.., name)) = METABOLIZERS.iter().find(|(_, short, _)| short.eq_ignore_ascii_case(text)) {
        return (*name).to_string();
    }
    let lower = text.to_lowercase().replace("ultra-rapid", "ultrarapid").replace("ultra rapid", "ultrarapid");
    let words = lower.split(|letter: char| !letter.is_alphanumeric());
    if !lower.contains("metaboli") {
        return text.to_string();
    }
    let named = METABOLIZERS.iter().filter(|(word, ..)| words.clone().any(|own| own == *word));
    let named: BTreeSet<&str> = named.map(|(.., name)| *name).collect();
    let modifier = ["likely", "possible"].into_iter().find(|modifier| words.clone().any(|own| own == *modifier));
    match (named.len(), named.first(), modifier) {
        (1, Some(name), Some("likely")) => format!("Likely {name}"),
        (1, Some(name), Some(_)) => format!("Possible {name}"),
        (1, Some(name), None) => (*name).to_string(),
        _ => text.to_string(),
    }
}

/// Alleles by the names that tables know: without the gene before them, sub-alleles as their allele; HLA types have one name already.
fn plain_allele(gene: &str, text: &str) -> String {
    let text = text.trim();
    let text = match text.get(..gene.len()).filter(|start| start.eq_ignore_ascii_case(gene)) {
        Some(_) => text.get(gene.len()..).unwrap_or_default().trim_start(),
        None => text,
    };
    let units = text.split('+').map(|unit| without_suballele(unit.trim()));
    if text.starts_with('[') { text.to_string() } else { units.collect::<Vec<_>>().join("+") }
}

impl OutsideCall {
    /// What it means; warnings say which of its alleles are not known.
    pub(crate) fn meaning(&self, phenotypes: &Phenotypes, warnings: &mut Vec<String>) -> Meaning {
        let given = || self.diplotype.iter().chain(&self.results).chain(&self.score);
        if given().all(|text| is_untested(text)) {
            return Meaning::NotTested;
        }
        let results: Vec<String> = self.results.iter().map(|result| standard(&self.gene, result)).collect();
        let alleles: Vec<String> =
            self.diplotype.iter().flat_map(|pair| pair.split('/')).map(|name| plain_allele(&self.gene, name)).collect();
        if let Some(how) = self.opposite(&results, &alleles) {
            return Meaning::Contradiction(how);
        }
        let known = match &alleles[..] {
            // one name is no pair of the same
            [a] => phenotypes.of_one(&self.gene, a).cloned(),
            [a, b] => phenotypes.of(&self.gene, a, Some(b)).cloned(),
            _ => None,
        };
        let mut more = None;
        let expected = known.or_else(|| {
            let (phenotype, word) = self.summed(&alleles, phenotypes, warnings)?;
            more = word;
            Some(phenotype)
        });
        let at_least = self.score.as_deref().is_some_and(|text| text.starts_with('≥'));
        let score = self.score.as_deref().and_then(|text| text.trim_start_matches('≥').parse::<f64>().ok());
        let phenotype = match (score, results.first(), expected.clone()) {
            (Some(score), result, expected) => {
                let named = self.names_of(phenotypes, score).into_iter().next();
                let name = result.cloned().or(named).or(expected.map(|known| known.name));
                Some(Phenotype {
                    name: name.unwrap_or_else(|| format!("activity score {score}")),
                    activity_score: Some(score),
                })
            }
            (None, Some(result), _) => {
                let agrees = expected.as_ref().filter(|own| own.name.eq_ignore_ascii_case(result));
                let own = agrees.and_then(|own| own.activity_score);
                Some(Phenotype { name: result.clone(), activity_score: own.or(self.only_score(phenotypes, result)) })
            }
            (None, None, Some(expected)) => {
                let score = expected.activity_score.or_else(|| self.only_score(phenotypes, &expected.name));
                Some(Phenotype { name: expected.name.clone(), activity_score: score })
            }
            (None, None, None) => None,
        };
        let exact = score.filter(|_| !at_least);
        let least = score.filter(|_| at_least);
        let how = self.disagreement(phenotypes, expected.as_ref(), results.first(), exact);
        if let Some(how) = how.or_else(|| self.too_low(phenotypes, expected.as_ref(), results.first(), least?)) {
            return Meaning::Contradiction(how);
        }
        if alleles.len() == 1 && phenotype.is_none() && !self.gene.starts_with("HLA-") {
            warnings.push(format!(
                "one of two alleles is named ({}); both are, with a slash between, in a diplotype",
                alleles[0]
            ));
        }
        let more = more.filter(|_| results.is_empty() && self.score.is_none());
        let words: Vec<String> = results.iter().chain(&self.score).cloned().chain(more).collect();
        let shown = self.diplotype.clone().or_else(|| (!words.is_empty()).then(|| words.join(", ")));
        Meaning::Is(Outcome {
            diplotype: shown.unwrap_or_default(),
            activities: alleles.iter().filter_map(|allele| phenotypes.activity(&self.gene, allele)).collect(),
            alleles,
            phenotype,
            words,
        })
    }

    /// Two results of HLA of which one is the other's opposite.
    fn opposite(&self, results: &[String], alleles: &[String]) -> Option<String> {
        let known: Vec<(HlaType, bool)> = results.iter().filter_map(|result| hla::result(&self.gene, result)).collect();
        for (index, (own, positive)) in known.iter().enumerate() {
            let word = |positive: bool| if positive { "positive" } else { "negative" };
            let other = format!("{} {}", own.name(), word(!positive));
            let twice = known[..index].iter().any(|(name, other)| name == own && other != positive);
            if twice || hla::proves(&self.gene, alleles, &other) {
                return Some(format!("they say that {} is positive and that it is negative", own.name()));
            }
        }
        None
    }

    /// How a diplotype, a phenotype and a score that were given do not go together, if they do not.
    fn disagreement(
        &self,
        phenotypes: &Phenotypes,
        expected: Option<&Phenotype>,
        result: Option<&String>,
        score: Option<f64>,
    ) -> Option<String> {
        let pair = self.diplotype.as_deref().unwrap_or_default();
        // a rule's own word, such as "Phenotyping", is no phenotype that could contradict a score
        let is_phenotype = |name: &str| {
            let of_tables = phenotypes.all(&self.gene).any(|(_, known)| known.name.eq_ignore_ascii_case(name));
            of_tables || name == "Indeterminate" || METABOLIZERS.iter().any(|(.., known)| *known == name)
        };
        let result = result.filter(|result| is_phenotype(result));
        if let (Some(expected), Some(result)) = (expected, result)
            && !expected.name.eq_ignore_ascii_case(result)
        {
            return Some(format!("{pair} is {} in the tables, and they say {result}", expected.name));
        }
        let score = score?;
        if let Some(known) = expected.and_then(|expected| expected.activity_score)
            && known.to_bits() != score.to_bits()
        {
            return Some(format!("{pair} has the activity score {known} in the tables, and they say {score}"));
        }
        let names = self.names_of(phenotypes, score);
        let said = result.or(expected.map(|expected| &expected.name))?;
        let fits = names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(said));
        (!fits).then(|| format!("an activity score of {score} is {}, and they say {said}", names.join(" or ")))
    }

    /// How a diplotype or phenotype cannot have a score of `least` or more, if it cannot.
    fn too_low(
        &self,
        phenotypes: &Phenotypes,
        expected: Option<&Phenotype>,
        result: Option<&String>,
        least: f64,
    ) -> Option<String> {
        if let Some(known) = expected.and_then(|expected| expected.activity_score).filter(|known| *known < least) {
            let pair = self.diplotype.as_deref().unwrap_or_default();
            return Some(format!("{pair} has the activity score {known} in the tables, and they say ≥{least}"));
        }
        let said = result.or(expected.map(|expected| &expected.name))?;
        let names: BTreeSet<&str> = match self.gene == CYP2D6 {
            true => cyp2d6(Activity::AtLeast(least)).into_iter().collect(),
            false => {
                let reach = |own: &Phenotype| own.activity_score.is_some_and(|score| score >= least);
                phenotypes.all(&self.gene).filter(|(_, own)| reach(own)).map(|(_, own)| own.name.as_str()).collect()
            }
        };
        let fits = names.is_empty() || names.iter().any(|name| name.eq_ignore_ascii_case(said));
        (!fits).then(|| {
            let names: Vec<&str> = names.into_iter().collect();
            format!("an activity score of ≥{least} is {}, and they say {said}", names.join(" or "))
        })
    }

    /// The phenotypes that have a score.
    fn names_of(&self, phenotypes: &Phenotypes, score: f64) -> Vec<String> {
        if self.gene == CYP2D6 {
            return cyp2d6(Activity::Exactly(score)).map(str::to_string).into_iter().collect();
        }
        phenotypes.of_score(&self.gene, score)
    }

    /// The only score that a phenotype has.
    fn only_score(&self, phenotypes: &Phenotypes, name: &str) -> Option<f64> {
        if self.gene == CYP2D6 {
            return cyp2d6(Activity::Exactly(0.0)).filter(|poor| poor.eq_ignore_ascii_case(name)).map(|_| 0.0);
        }
        let named = phenotypes.all(&self.gene).filter(|(_, known)| known.name.eq_ignore_ascii_case(name));
        let scores: BTreeSet<Option<u64>> = named.map(|(_, known)| known.activity_score.map(f64::to_bits)).collect();
        if scores.len() == 1 { scores.first().copied().flatten().map(f64::from_bits) } else { None }
    }
}

impl OutsideCall {
    /// A call as one of its columns says it, for questions that are no file.
    pub(crate) fn new(gene: &str, [diplotype, result, score]: [Option<&str>; 3]) -> Self {
        let own = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_string);
        Self {
            gene: gene.to_string(),
            diplotype: own(diplotype),
            results: own(result).into_iter().collect(),
            score: own(score),
        }
    }

    /// The phenotype by the sum of the activities of the copies, and the score in words where it is "at least"; warnings say what has none.
    fn summed(
        &self,
        alleles: &[String],
        phenotypes: &Phenotypes,
        warnings: &mut Vec<String>,
    ) -> Option<(Phenotype, Option<String>)> {
        if alleles.len() != 2 || self.gene != CYP2D6 || !phenotypes.is_scored(&self.gene) {
            return None;
        }
        let known = phenotypes.alleles(&self.gene);
        let of = |name: &str| known.contains(name).then(|| phenotypes.activity(&self.gene, name));
        let activity = match activity_of(alleles, of) {
            Ok(activity) => activity,
            // what an allele of unknown function does with another is not determined
            Err(Unscored::NoActivity(_)) => {
                return Some((Phenotype { name: "Indeterminate".into(), activity_score: None }, None));
            }
            Err(Unscored::Copies(unit)) => {
                warnings.push(format!("{unit} does not say how many copies there are: write x2, x3 or x≥3"));
                return None;
            }
            Err(Unscored::NoAllele(name)) => {
                let near = nearest_name(&name, known.iter().copied()).map(|near| format!(", did you mean {near}?"));
                warnings.push(format!("the tables know no allele {name}{}", near.unwrap_or_default()));
                return None;
            }
        };
        let exact = matches!(activity, Activity::Exactly(_));
        let name = cyp2d6(activity)?.to_string();
        let phenotype = Phenotype { name, activity_score: exact.then(|| activity.least()) };
        Some((phenotype, (!exact).then(|| activity.shown())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_calls_of_genes() {
        let genes: BTreeSet<String> = ["CYP2D6", "CYP2C9", "HLA-B", "MT-RNR1"].map(String::from).into();
        let text = "# a comment\nCYP2D6\t*1/*3\nCYP2C9\t\t\t2.0\nHLA-B\t\t*57:01 positive\nHLA-B\t\t*15:02 negative\nMT-RNR1\t1555A>G\n";
        let calls = parse(text, &genes).unwrap().remove(&None).unwrap();
        assert_eq!(calls.len(), 4);
        assert_eq!((calls[0].diplotype.as_deref(), calls[1].score.as_deref()), (Some("*1/*3"), Some("2.0")));
        assert_eq!(calls[2].results, ["*57:01 positive", "*15:02 negative"]);
        for (text, words) in [
            ("CYP2D7\t*1", "did you mean CYP2D6?"),
            ("CYP2D6", "nothing is said"),
            ("\t*1", "no gene"),
            ("CYP2D6\t*1/*1\nCYP2D6\t*1/*2", "twice"),
            ("HLA-B\t*57:XX/*08:01", "such as *57:01"),
            ("HLA-B\t\t*5701 positive", "*57:01 positive"),
            ("CYP2D6\t\t\t0,5", "no activity score"),
            ("CYP2D6\t\t\t-1", "no activity score"),
            ("CYP2D6\t\t\tNaN", "no activity score"),
            ("CYP2D6\t\t\thigh", "no activity score"),
        ] {
            assert!(parse(text, &genes).unwrap_err().contains(words), "{text}");
        }
    }

    #[test]
    fn spellings_of_one_call_are_read_alike() {
        let genes: BTreeSet<String> = ["CYP2D6", "HLA-B"].map(String::from).into();
        let one = |text: &str| parse(text, &genes).unwrap().into_values().next().unwrap().remove(0);
        for text in [
            "\u{feff}CYP2D6\t*4/*4",
            "cyp2d6\t*4/*4\r\n",
            "Gene\tDiplotype\nCYP2D6\t*4/*4",
            "#sample P1\nCYP2D6\t*4/*4",
        ] {
            let call = one(text);
            assert_eq!((call.gene.as_str(), call.diplotype.as_deref()), ("CYP2D6", Some("*4/*4")), "{text}");
        }
        for text in [">=3.0", "≥3.0", "≥3", ">= 3.00"] {
            assert_eq!(one(&format!("CYP2D6\t\t\t{text}")).score.as_deref(), Some("≥3.0"), "{text}");
        }
        let by = parse("# no name\n#sample P1\nCYP2D6\t*1/*1\n#sample: P2\nCYP2D6\t*4/*4", &genes).unwrap();
        assert_eq!(by.keys().flatten().collect::<Vec<_>>(), ["P1", "P2"]);
    }

    #[test]
    fn results_are_in_the_standard_words() {
        let call = |result: &str| OutsideCall {
            gene: "CYP2D6".into(),
            results: vec![result.into()],
            ..OutsideCall::default()
        };
        let name = |result: &str| match call(result).meaning(&Phenotypes::default(), &mut Vec::new()) {
            Meaning::Is(outcome) => outcome.phenotype.map(|own| own.name),
            _ => None,
        };
        assert_eq!(name("PM").as_deref(), Some("Poor Metabolizer"));
        assert_eq!(name("CYP2D6 Ultrarapid Metaboliser").as_deref(), Some("Ultrarapid Metabolizer"));
        for (text, expected) in [
            ("likely cyp2d6 poor metaboliser", "Likely Poor Metabolizer"),
            ("CYP2D6 Ultrarapid Metabolizers (UM)", "Ultrarapid Metabolizer"),
            ("Possible Intermediate Metabolizer", "Possible Intermediate Metabolizer"),
            ("extensive metaboliser", "Normal Metabolizer"),
            ("ultra-rapid metabolizer", "Ultrarapid Metabolizer"),
            ("Normal Function", "Normal Function"),
            // two words are not one
            ("normal to intermediate metabolizer", "normal to intermediate metabolizer"),
        ] {
            assert_eq!(name(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(name("No Result"), None);
    }

    #[test]
    fn alleles_are_named_as_the_tables_do() {
        for (gene, text, expected) in [
            ("CYP2C9", "CYP2C9*3", "*3"),
            ("CYP2D6", " *4.024", "*4"),
            ("CYP2D6", "*68+*4.001", "*68+*4"),
            ("HLA-B", "*57:01:01N", "*57:01:01N"),
            ("CYP2C9", "[*6 + *8]", "[*6 + *8]"),
            ("MT-RNR1", "1555A>G", "1555A>G"),
            ("DPYD", "c.1905+1G>A (*2A)", "c.1905+1G>A (*2A)"),
        ] {
            assert_eq!(plain_allele(gene, text), expected);
        }
    }
}
