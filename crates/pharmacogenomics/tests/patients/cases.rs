//! Files that went wrong once, with their right answers.

use super::tables::{cases, grch37, grch38};
use cupel_pharmacogenomics::{Assembly, Patient, PatientConfig, Source};

/// What is right.
#[derive(Clone, Copy)]
enum Right {
    /// The guidelines answer, with these words in a text of CPIC's where it has one, the gene being this, called so.
    Guideline(&'static str, &'static str, &'static str),
    /// Not determined, for want of this gene, with these words in the reason or the missing places.
    Open(&'static str, &'static str),
    /// The gene alone: called so, with this phenotype.
    Call(&'static str, &'static str, &'static str),
    /// An error with these words.
    Refused(&'static str),
}
use Right::{Call, Guideline, Open, Refused};

/// How it is asked.
#[derive(Clone, Copy)]
enum Asked {
    /// Places that are not there are reference.
    Absent,
    /// They are not known.
    Present,
    /// In another assembly than the file's.
    Old,
}
use Asked::{Absent, Old, Present};

const CASES: &[(&str, Asked, &str, Right)] = &[
    ("c19_s1s2_wgs", Absent, "clopidogrel", Guideline("CYP2C19", "*1/*2", "Avoid standard dose")),
    ("c19_s2s2_wgs", Absent, "clopidogrel", Guideline("CYP2C19", "*2/*2", "Avoid")),
    ("c19_s17s17_wgs", Absent, "clopidogrel", Guideline("CYP2C19", "*17/*17", "standard dose")),
    ("c19_nocall", Absent, "clopidogrel", Open("CYP2C19", "rs4244285")),
    ("c19_nocall", Present, "clopidogrel", Open("CYP2C19", "rs4244285")),
    ("c9_nocall", Absent, "warfarin", Open("CYP2C9", "rs1057910")),
    ("c9_nocall", Present, "warfarin", Open("CYP2C9", "rs1057910")),
    ("c9_nocall", Absent, "phenytoin", Open("CYP2C9", "rs1799853")),
    ("dpyd_nocall", Absent, "fluorouracil", Open("DPYD", "rs3918290")),
    ("dpyd_nocall", Present, "fluorouracil", Open("DPYD", "rs3918290")),
    ("c19_halfcall", Absent, "clopidogrel", Open("CYP2C19", "half a call")),
    ("swap_dpyd", Absent, "", Refused("exchanged")),
    ("swap_c9_s3s3", Absent, "", Refused("exchanged")),
    ("swap_tpmt_het", Absent, "", Refused("exchanged")),
    ("del_c19_hom", Absent, "clopidogrel", Guideline("CYP2C19", "*36/*36", "Avoid")),
    ("del_c19_hom", Present, "clopidogrel", Guideline("CYP2C19", "*36/*36", "Avoid")),
    ("del_c19_het", Absent, "clopidogrel", Guideline("CYP2C19", "*38/*36", "Avoid standard dose")),
    ("del_c19_het", Present, "clopidogrel", Open("CYP2C19", "")),
    ("del_dpyd_hom", Absent, "fluorouracil", Open("DPYD", "deletion")),
    ("del_dpyd_hom", Present, "fluorouracil", Open("DPYD", "deletion")),
    ("cnv_tpmt", Absent, "azathioprine", Open("TPMT", "deletion")),
    ("cnv_tpmt", Present, "azathioprine", Open("TPMT", "deletion")),
    ("split_c9_s8s27", Absent, "", Call("CYP2C9", "*8/*27", "Indeterminate")),
    ("split_ugt_s28s37", Absent, "", Call("UGT1A1", "*80+*28/*80+*37", "Poor Metabolizer")),
    ("split_ugt_s28s36", Absent, "", Call("UGT1A1", "*36/*80+*28", "Intermediate Metabolizer")),
    ("c9_s2s25_left", Absent, "", Call("CYP2C9", "*2/*25", "Poor Metabolizer 0.5")),
    ("c9_s25s25_left", Absent, "", Call("CYP2C9", "*25/*25", "Poor Metabolizer 0")),
    ("conflict_c9", Absent, "", Refused("rs1057910")),
    ("dpyd_s2a_s5_s9a", Absent, "fluorouracil", Guideline("DPYD", "Reference/c.1905+1G>A (*2A)", "50%")),
    ("dpyd_s2a_s5_s9a", Absent, "", Call("DPYD", "Reference/c.1905+1G>A (*2A)", "Intermediate Metabolizer 1")),
    ("dpyd_2846_s5hom", Absent, "", Call("DPYD", "Reference/c.2846A>T", "Intermediate Metabolizer 1.5")),
    ("dpyd_2846_s5hom", Absent, "fluorouracil", Guideline("DPYD", "Reference/c.2846A>T", "50%")),
    (
        "dpyd_hapb3_exome",
        Absent,
        "fluorouracil",
        Guideline("DPYD", "Reference/c.1129-5923C>G, c.1236G>A (HapB3)", "50%"),
    ),
    ("dpyd_hapb3_exome", Absent, "", Call("DPYD", "HapB3", "Intermediate Metabolizer 1.5")),
    ("dpyd37_s2a_wgs", Absent, "fluorouracil", Guideline("DPYD", "Reference/c.1905+1G>A (*2A)", "50%")),
    ("g6pd_aminus_male", Absent, "rasburicase", Guideline("G6PD", "A- 202A_376G", "Avoid")),
    ("g6pd_aminus_female", Absent, "rasburicase", Guideline("G6PD", "A- 202A_376G/A- 202A_376G", "Avoid")),
    ("g6pd_aminus_male_mixed", Absent, "rasburicase", Guideline("G6PD", "A- 202A_376G", "Avoid")),
    ("refcall_dp0", Absent, "phenytoin", Open("CYP2C9", "DP 0")),
    ("lowqual_c9", Absent, "phenytoin", Open("CYP2C9", "FILTER is LowQual")),
    ("refseq_c9_s3s3", Absent, "", Call("CYP2C9", "*3/*3", "Poor Metabolizer 0")),
    ("empty", Absent, "", Refused("nothing was read")),
    ("empty", Present, "", Refused("nothing was read")),
    ("sites_only", Absent, "", Refused("no sample")),
    ("sites_only", Present, "", Refused("no sample")),
    ("c9_s3s3_nosay", Old, "", Refused("that is its place in GRCh38")),
    (
        "warfarin_aa_s3s3",
        Absent,
        "acenocoumarol",
        Guideline("VKORC1", "rs9923231 variant (T)/rs9923231 variant (T)", ""),
    ),
    (
        "warfarin_aa_s3s3",
        Present,
        "acenocoumarol",
        Guideline("VKORC1", "rs9923231 variant (T)/rs9923231 variant (T)", ""),
    ),
    ("vkorc1_ag_s1s2", Absent, "warfarin", Guideline("CYP2C9", "*1/*2", "")),
    ("tpmt_s1s3a", Absent, "azathioprine", Open("TPMT", "2 pairs")),
    ("two_samples", Absent, "", Refused("which sample")),
];

/// Whether a case is as it should be; else how it is.
fn check(folder: &std::path::Path, case: &(&str, Asked, &str, Right)) -> Result<(), String> {
    let (name, asked, drug, right) = case;
    let path = folder.join(format!("{name}.vcf"));
    let old = matches!(asked, Old) || name.contains("37_");
    let Some(tables) = (if old { grch37() } else { grch38() }) else { return Ok(()) };
    let assembly = if old { Assembly::GRCh37 } else { Assembly::GRCh38 };
    let config = PatientConfig {
        absent_is_reference: !matches!(asked, Present),
        assembly: Some(assembly),
        ..PatientConfig::default()
    };
    let patient = match (Patient::read(&path, tables, &config), right) {
        (Err(error), Refused(words)) if error.to_string().contains(words) => return Ok(()),
        (Err(error), _) => return Err(format!("refused: {error}")),
        (Ok(_), Refused(words)) => return Err(format!("it should be refused, because {words}")),
        (Ok(patient), _) => patient,
    };
    let call = |gene: &str| patient.genes.iter().find(|call| call.gene == gene).ok_or(format!("no {gene}"));
    let answer = tables.guideline(drug, &patient);
    match right {
        Call(gene, pair, phenotype) => {
            let call = call(gene)?;
            let own = call.phenotype.as_ref().map_or("nothing".into(), |own| match own.activity_score {
                Some(score) => format!("{} {score}", own.name),
                None => own.name.clone(),
            });
            let named = call.diplotypes.len() == 1 && call.diplotypes[0].contains(pair);
            (named && own == *phenotype).then_some(()).ok_or(format!("{:?} {own}", call.diplotypes))
        }
        Guideline(gene, pair, text) => {
            let call = call(gene)?;
            let of_source = |source: &str| answer.recommendations.iter().any(|one| one.source == source);
            let texts = answer.recommendations.iter().filter(|one| one.source == "CPIC" || !of_source("CPIC"));
            let right = answer.answered_by == Source::Guideline
                && call.diplotypes.iter().any(|own| own == pair)
                && texts.clone().any(|one| one.recommendation.contains(text));
            let said = || {
                format!(
                    "{:?} {:?} {:?} {:?}",
                    call.diplotypes,
                    call.unknown_because,
                    answer.answered_by,
                    texts.map(|one| &one.recommendation).collect::<Vec<_>>()
                )
            };
            right.then_some(()).ok_or_else(said)
        }
        Open(gene, words) => {
            let missing = answer.not_determined.iter().flat_map(|own| &own.genes).filter(|own| own.gene == *gene);
            let says = |own: &cupel_pharmacogenomics::MissingGene| {
                own.because.contains(words) || own.missing.iter().any(|place| place.contains(words))
            };
            let right = answer.answered_by == Source::NotDetermined && missing.clone().any(says);
            let by_gene =
                answer.recommendations.iter().all(|one| !one.because.iter().any(|because| because.starts_with(gene)));
            let said =
                || format!("{:?} {:?} {:?}", answer.answered_by, answer.recommendations, missing.collect::<Vec<_>>());
            (right && by_gene).then_some(()).ok_or_else(said)
        }
        Refused(_) => Ok(()),
    }
}

#[test]
fn every_case_is_right() {
    let Some(folder) = cases() else { return };
    if grch38().is_none() {
        return;
    }
    let mut wrong = Vec::new();
    for case in CASES {
        if let Err(how) = check(&folder, case) {
            wrong.push(format!("{}, {}: {how}", case.0, case.2));
        }
    }
    println!("{} of {} cases right", CASES.len() - wrong.len(), CASES.len());
    assert!(wrong.is_empty(), "{} of {} cases wrong:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}
