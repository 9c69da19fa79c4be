//! [`GivenGene`]: results of genes that somebody tells, without a VCF file, and what guidelines say with them.

use super::{Patient, Tables, calls::GeneCall, outside_calls, outside_calls::OutsideCall};
use crate::{error::Result, table_rows::TableRows};
use cupel_data::{is_missing, nearest_name};
use cupel_settings::Problem;
use std::{collections::BTreeMap, path::Path};

/// What is told of one gene.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GivenGene {
    /// The gene.
    pub gene: String,
    /// Its alleles, such as `*1/*3`.
    pub diplotype: Option<String>,
    /// Its phenotype or another result, such as `Poor Metabolizer` or `*57:01 positive`.
    pub phenotype: Option<String>,
    /// Its activity score, such as `1.0` or `≥4.0`.
    pub activity: Option<String>,
}

impl GivenGene {
    /// Fields of a question that say what a gene is, beside those of a model.
    pub const FIELDS: [&str; 3] = ["diplotype", "phenotype", "activity"];
    /// All fields of a question that are read here.
    const READ: [&str; 6] = ["drug", "gene", "genalle", "diplotype", "phenotype", "activity"];

    /// What a question tells of its gene; `None` where it tells nothing. A diplotype may stand as a model's `genalle` does: `CYP2C9*1/*3`.
    pub fn of_question(fields: &BTreeMap<String, String>) -> Option<Self> {
        let field = |name: &str| fields.get(name).map(|text| text.trim()).filter(|text| !is_missing(text));
        let gene = field("gene")?;
        let whole = field("genalle").and_then(|text| {
            let start = text.get(..gene.len()).filter(|start| start.eq_ignore_ascii_case(gene))?;
            text.get(start.len()..).map(str::trim).filter(|rest| rest.contains('/'))
        });
        let own = Self {
            gene: gene.to_string(),
            diplotype: field("diplotype").or(whole).map(str::to_string),
            phenotype: field("phenotype").map(str::to_string),
            activity: field("activity").map(str::to_string),
        };
        (own.diplotype.is_some() || own.phenotype.is_some() || own.activity.is_some()).then_some(own)
    }

    /// The fields of every row of a table, as they are written, that [`of_question`](Self::of_question) reads.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) when the table cannot be read.
    pub fn questions(path: &Path) -> Result<Vec<BTreeMap<String, String>>> {
        let rows = TableRows::open(path)?;
        let there: Vec<(usize, &str)> = Self::READ
            .iter()
            .filter_map(|name| Some((rows.names().iter().position(|own| own == name)?, *name)))
            .collect();
        let positions: Vec<usize> = there.iter().map(|(position, _)| *position).collect();
        let (mut all, mut own) = (Vec::new(), BTreeMap::new());
        rows.each_cell(&positions, None, |cell, _| {
            match cell {
                Some((column, text)) => drop(own.insert(there[column].1.to_string(), text.to_string())),
                None => all.push(std::mem::take(&mut own)),
            }
            Ok(None)
        })?;
        Ok(all)
    }
}

impl Tables {
    /// A patient of whom these results are known and nothing else; `calls` is a file of outside calls of further genes.
    ///
    /// # Errors
    /// [`Error::Setting`](crate::Error::Setting) for a gene that no rule and no definition knows, or that is given twice; as the file of outside calls.
    pub fn patient_of(&self, given: &[GivenGene], calls: Option<&Path>) -> Result<Patient> {
        let known = self.gene_names();
        let mut genes: Vec<GeneCall> = match calls {
            Some(path) => {
                {
                    // of a question nobody says whose it is
                    let calls = outside_calls::read(path, &known)?.remove(&None).unwrap_or_default();
                    calls.iter().map(|call| GeneCall::given(call, &self.phenotypes)).collect()
                }
            }
            None => Vec::new(),
        };
        for one in given {
            let found = known.iter().find(|name| name.eq_ignore_ascii_case(&one.gene));
            let Some(gene) = found else {
                let near = nearest_name(&one.gene, known.iter().map(String::as_str));
                let near = near.map(|near| format!(", did you mean {near}?")).unwrap_or_default();
                return Err(
                    Problem::value("gene", &one.gene, format!("a gene that rules or definitions know{near}")).into()
                );
            };
            if genes.iter().any(|call| call.gene == *gene) {
                return Err(Problem::value("gene", gene, "each gene once").into());
            }
            let columns = [&one.diplotype, &one.phenotype, &one.activity].map(|text| text.as_deref());
            genes.push(GeneCall::given(&OutsideCall::new(gene, columns), &self.phenotypes));
        }
        genes.sort_by(|a, b| a.gene.cmp(&b.gene));
        Ok(Patient { sample: "question".into(), assembly: self.assembly, genes, warnings: Vec::new() })
    }
}
