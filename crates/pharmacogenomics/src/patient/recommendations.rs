//! What guidelines say: [`Recommendation`] where they answer, [`NotDetermined`] where a gene is open.

use serde::Serialize;

/// One recommendation that applies.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recommendation {
    /// CPIC or DPWG.
    pub source: String,
    /// The identifier of the guideline.
    pub guideline: String,
    /// Its name.
    pub name: String,
    /// The identifier of the recommendation.
    pub id: String,
    /// The gene and what was found of it, gene by gene.
    pub because: Vec<String>,
    /// Patients whom it is for, where it is not for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub population: Option<String>,
    /// How strong it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<String>,
    /// What it says follows from the genotype.
    pub implications: String,
    /// What it says to do.
    pub recommendation: String,
    /// Whether it changes the dose or the drug, or asks for other care; `None` where the table does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change: Option<bool>,
    /// Genes that it asks for and that were not tested: it is what the guideline says without them, and their results could change it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_tested: Vec<String>,
    /// The version of the guideline's text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The day of that version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Where it stands.
    pub link: String,
    /// Where its authors publish it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
    /// CPIC's level of evidence for the drug and the gene.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// The papers that it rests on, by their PubMed identifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub papers: Vec<String>,
}

/// A guideline that does not answer, because a gene is not determined.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NotDetermined {
    /// CPIC or DPWG.
    pub source: String,
    /// The identifier of the guideline.
    pub guideline: String,
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub link: String,
    /// Patients whom it is for, where it is not for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub population: Option<String>,
    /// The genes that are not determined, each with the reason.
    pub genes: Vec<MissingGene>,
    /// What the pairs of alleles that remain possible would lead to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub possible: Vec<PossibleRecommendation>,
}

/// A gene that a guideline asks for and that is not determined.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MissingGene {
    /// The gene.
    pub gene: String,
    /// Why it is not.
    pub because: String,
    /// The places that were not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
    /// Whether nothing was said of it at all.
    pub not_tested: bool,
}

/// A recommendation that would apply to some of the pairs that are possible.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PossibleRecommendation {
    /// Of each gene the pairs of alleles, or the phenotype where there are many.
    pub of: Vec<String>,
    /// What would apply; nothing where no rule does.
    pub recommendations: Vec<String>,
}
