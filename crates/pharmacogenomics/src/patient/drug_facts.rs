//! [`DrugFacts`]: what tables say of drugs beside the rules: other names, the guideline that publishes on them, its level of evidence.
//!
//! | file | columns | what it gives |
//! |---|---|---|
//! | `raw/pypgx_cpic-table.csv` | `Gene`, `Drug`, `RxNorm`, `ATC`, `Guideline`, `CPICLevel`, `PMID` | codes as names of drugs; page, level, papers of CPIC's guidelines |
//! | `drug_names.tsv` | `name`, `drug` | brands and synonyms, where somebody has them: the published tables have none |

use crate::{error::Result, normalise::normalise};
use cupel_data::{TextRows, is_missing};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

/// What is said of a drug and a gene.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fact {
    /// The page of CPIC's guideline.
    pub(crate) page: Option<String>,
    /// CPIC's level of evidence, A to D.
    pub(crate) level: Option<String>,
    /// The papers of the guideline, by their PubMed identifiers.
    pub(crate) papers: Vec<String>,
}

/// What is said of drugs.
#[derive(Clone, Debug, Default)]
pub(crate) struct DrugFacts {
    of: HashMap<(String, String), Fact>,
    /// Codes, brands and synonyms with the drugs that they stand for.
    names: BTreeMap<String, BTreeSet<String>>,
}

/// Words of a page's address that are written otherwise.
const WORDS: [(&str, &str); 6] =
    [("cpic", "CPIC"), ("nsaids", "NSAIDs"), ("ssri", "SSRI"), ("ssris", "SSRIs"), ("snri", "SNRI"), ("ifn", "IFN")];

pub(crate) fn normal(name: &str) -> String {
    let mut out = String::new();
    normalise(name, &mut out);
    out
}

impl DrugFacts {
    /// Reads what there is of both files.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for a table that cannot be read or lacks a column.
    pub(crate) fn read(table: &Path, names: &Path) -> Result<Self> {
        let mut own = Self::default();
        if table.is_file() {
            let mut rows = TextRows::open(table)?;
            let (gene, drug) = (rows.position("Gene")?, rows.position("Drug")?);
            let more = ["RxNorm", "ATC", "Guideline", "CPICLevel", "PMID"].map(|name| rows.position(name).ok());
            while let Some(row) = rows.next()? {
                let cells: Vec<&str> = row.cells().collect();
                let [code, atc, page, level, papers] =
                    more.map(|column| column.map(|column| cells[column]).filter(|text| !is_missing(text)));
                let drug = normal(cells[drug]);
                for name in code.into_iter().chain(atc.into_iter().flat_map(|list| list.split(','))) {
                    own.names.entry(normal(name)).or_default().insert(drug.clone());
                }
                let text = |text: Option<&str>| text.map(str::to_string);
                let fact = Fact {
                    page: text(page.filter(|page| page.starts_with("http"))),
                    level: text(level),
                    papers: papers
                        .into_iter()
                        .flat_map(|list| list.split(';'))
                        .map(|id| id.trim().to_string())
                        .collect(),
                };
                own.of.insert((drug, cells[gene].to_string()), fact);
            }
        }
        if names.is_file() {
            let mut rows = TextRows::open(names)?;
            let (name, drug) = (rows.position("name")?, rows.position("drug")?);
            while let Some(row) = rows.next()? {
                let cells: Vec<&str> = row.cells().collect();
                own.names.entry(normal(cells[name])).or_default().insert(normal(cells[drug]));
            }
        }
        Ok(own)
    }

    /// The drugs that a code, brand or synonym stands for.
    pub(crate) fn meant(&self, name: &str) -> impl Iterator<Item = &str> {
        self.names.get(&normal(name)).into_iter().flatten().map(String::as_str)
    }

    /// All codes, brands and synonyms.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// What is said of a drug and the genes of a guideline: that of the first gene with a page.
    pub(crate) fn fact<'a>(&self, drug: &str, mut genes: impl Iterator<Item = &'a String>) -> Option<&Fact> {
        genes.find_map(|gene| self.of.get(&(drug.to_string(), gene.clone())).filter(|fact| fact.page.is_some()))
    }
}

/// The name of a guideline from the address of its page, genes as they are written.
pub(crate) fn name_of_page<'a>(page: &str, genes: impl Iterator<Item = &'a str>) -> Option<String> {
    let last = page.trim_end_matches('/').rsplit('/').next().filter(|last| !last.is_empty())?;
    let mut text = format!(" {} ", last.replace('-', " "));
    for gene in genes {
        text = text.replace(&format!(" {} ", gene.to_lowercase().replace('-', " ")), &format!(" {gene} "));
    }
    for (word, written) in WORDS {
        text = text.replace(&format!(" {word} "), &format!(" {written} "));
    }
    let text = text.trim();
    Some(if text.starts_with("CPIC") { text.to_string() } else { format!("CPIC {text}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_names_its_guideline() {
        let genes = ["HLA-B", "CYP2C9", "CYP2D6"];
        for (page, name) in [
            (
                "https://cpicpgx.org/guidelines/guideline-for-abacavir-and-hla-b/",
                "CPIC guideline for abacavir and HLA-B",
            ),
            (
                "https://cpicpgx.org/guidelines/cpic-guideline-for-nsaids-based-on-cyp2c9-genotype/",
                "CPIC guideline for NSAIDs based on CYP2C9 genotype",
            ),
        ] {
            assert_eq!(name_of_page(page, genes.into_iter()).as_deref(), Some(name));
        }
        assert_eq!(name_of_page("", genes.into_iter()), None);
    }
}
