//! Every rule can fire: from a VCF file, or from an outside call where no VCF file shows what it asks for.

use super::tables::{folder, grch38};
use cupel_pharmacogenomics::{Patient, PatientConfig};
use rayon::prelude::*;
use std::{collections::BTreeSet, fs, io::Cursor, path::Path};

/// A file in which one place of no drug's gene was read.
const FILE: &str = "##fileformat=VCFv4.2\n##contig=<ID=chr10,length=133797422>\n\
    #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP1\nchr19\t15879621\trs2108622\tC\tT\t.\tPASS\t.\tGT\t0/0\n";

struct Rule {
    id: String,
    drug: String,
    lookup: Vec<(String, String)>,
}

fn rules() -> Option<Vec<Rule>> {
    let text = fs::read_to_string(folder()?.join("guideline_recommendations.tsv")).unwrap();
    let rule = |line: &str| {
        let cells: Vec<&str> = line.split('\t').collect();
        let pairs = cells[5].split('|').map(|pair| pair.split_once('=').unwrap());
        let lookup = pairs.map(|(gene, value)| (gene.to_string(), value.to_string())).collect();
        Rule { id: cells[2].into(), drug: cells[3].split('|').next().unwrap().into(), lookup }
    };
    Some(text.lines().skip(1).map(rule).collect())
}

/// The line of outside calls that gives a value.
fn line(gene: &str, value: &str) -> Option<String> {
    if value == "No Result" {
        return None;
    }
    if let Some(inside) = value.strip_prefix('{') {
        let mut alleles = Vec::new();
        for entry in inside.trim_end_matches('}').split(',') {
            let (name, count) = entry.rsplit_once(':').unwrap();
            let count: f64 = count.trim().parse().unwrap();
            alleles.extend(vec![name.trim().trim_matches('\''); count as usize]);
        }
        return Some(format!("{gene}\t{}", alleles.join("/")));
    }
    match value {
        // one allele works, which the tables tell from two that half work by their activities
        "1.0 (Intermediate Metabolizer)" => Some(format!("{gene}\tReference/c.1905+1G>A (*2A)")),
        "1.0 (Phenotyping)" => Some(format!("{gene}\t\tPhenotyping\t1.0")),
        "0.5 (Phenotyping)" => Some(format!("{gene}\tc.2846A>T/c.1905+1G>A (*2A)")),
        _ => {
            let number = value.split(" (").next().unwrap();
            let score = number.trim_start_matches('≥').parse::<f64>().is_ok();
            Some(if score { format!("{gene}\t\t\t{number}") } else { format!("{gene}\t\t{value}") })
        }
    }
}

#[test]
fn every_rule_fires() {
    let (Some(tables), Some(rules)) = (grch38(), rules()) else { return };
    let dir = tempfile::tempdir().unwrap();
    let silent: Vec<String> = rules
        .par_iter()
        .enumerate()
        .filter_map(|(number, rule)| {
            let lines: Vec<String> = rule.lookup.iter().filter_map(|(gene, value)| line(gene, value)).collect();
            let path = dir.path().join(format!("{number}.tsv"));
            fs::write(&path, lines.join("\n")).unwrap();
            let calls = Some(path.to_string_lossy().into_owned());
            let config = PatientConfig { calls, ..PatientConfig::default() };
            let stream = Box::new(Cursor::new(FILE));
            let patient = Patient::from_stream(stream, Path::new("one.vcf"), tables, &config).unwrap().remove(0);
            let answer = tables.guideline(&rule.drug, &patient);
            let fired = answer.recommendations.iter().any(|one| one.id == rule.id);
            (!fired).then(|| format!("{} {} {:?}", rule.id, rule.drug, rule.lookup))
        })
        .collect();
    let untested: Vec<&String> = silent.iter().filter(|text| !text.contains("No Result")).collect();
    println!("{} of {} rules fire", rules.len() - silent.len(), rules.len());
    assert!(untested.is_empty(), "{} do not: {:#?}", untested.len(), &untested[..untested.len().min(20)]);
    // one rule of which nothing was tested asks for nothing
    let nothing = |text: &&String| {
        rules.iter().any(|rule| text.starts_with(&rule.id) && rule.lookup.iter().all(|(_, value)| value == "No Result"))
    };
    assert!(silent.iter().all(|text| nothing(&text)), "{silent:#?}");
}

#[test]
fn what_no_file_of_variants_shows_is_listed_with_its_reason() {
    let (Some(tables), Some(rules)) = (grch38(), rules()) else { return };
    assert_eq!(tables.rules(), rules.len());
    let silent = tables.silent_rules();
    let of = |words: &str| -> BTreeSet<&str> {
        silent.iter().filter(|rule| rule.because.contains(words)).map(|rule| rule.gene.as_str()).collect()
    };
    assert_eq!(of("no definition"), ["HLA-A", "HLA-B"].into());
    assert_eq!(of("copies"), ["CYP2D6"].into());
    let others: Vec<_> = silent.iter().filter(|rule| rule.because.contains("no pair")).collect();
    for rule in &others {
        println!("{} {} {}: {}", rule.source, rule.gene, rule.value, rule.because);
    }
    assert!(others.len() < 12, "{others:#?}");
}
