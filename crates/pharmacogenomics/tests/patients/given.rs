//! Results that are told, without a file: what guidelines say with them, and what they do not.

use super::tables::{folder, grch37, grch38};
use cupel_pharmacogenomics::{
    Assembly, DrugAnswer, GivenGene, Group, Patient, PatientAnswers, PatientConfig, Source, Tables,
};
use std::{fs, io::Cursor, path::Path};

fn given(gene: &str, diplotype: &str, phenotype: &str, activity: &str) -> GivenGene {
    let own = |text: &str| (!text.is_empty()).then(|| text.to_string());
    GivenGene { gene: gene.into(), diplotype: own(diplotype), phenotype: own(phenotype), activity: own(activity) }
}

fn told(tables: &Tables, drug: &str, genes: &[GivenGene]) -> DrugAnswer {
    tables.guideline(drug, &tables.patient_of(genes, None).unwrap())
}

fn texts(answer: &DrugAnswer, source: &str) -> Vec<String> {
    let own = answer.recommendations.iter().filter(|one| one.source == source);
    own.map(|one| one.recommendation.clone()).collect()
}

#[test]
fn a_guideline_answers_what_is_told_and_names_what_is_not() {
    let Some(tables) = grch38() else { return };
    let poor = told(tables, "clopidogrel", &[given("CYP2C19", "*2/*2", "", "")]);
    assert_eq!((poor.answered_by, poor.group()), (Source::Guideline, Group::Change));
    assert!(texts(&poor, "CPIC").iter().all(|text| text.contains("Avoid")), "{poor:?}");
    // the same by its phenotype, in any spelling
    let word = told(tables, "clopidogrel", &[given("cyp2c19", "", "CYP2C19 poor metaboliser", "")]);
    assert_eq!(texts(&word, "CPIC"), texts(&poor, "CPIC"));
    // one of two genes: the other is named
    let half = told(tables, "warfarin", &[given("VKORC1", "rs9923231 reference (C)/rs9923231 variant (T)", "", "")]);
    let open: Vec<&str> =
        half.not_determined.iter().flat_map(|own| &own.genes).map(|gene| gene.gene.as_str()).collect();
    assert!(open.is_empty() || open.contains(&"CYP2C9"), "{half:?}");
    let error = tables.patient_of(&[given("CYP2C9X", "*1/*1", "", "")], None).unwrap_err().to_string();
    assert!(error.contains("did you mean CYP2C9?"), "{error}");
    let twice = [given("CYP2C9", "*1/*1", "", ""), given("CYP2C9", "*1/*2", "", "")];
    assert!(tables.patient_of(&twice, None).unwrap_err().to_string().contains("once"));
    // an allele that nobody knows decides nothing
    let unknown = told(tables, "phenytoin", &[given("CYP2C9", "*1/*999", "", "")]);
    assert!(texts(&unknown, "CPIC").is_empty() && unknown.answered_by != Source::Guideline, "{unknown:?}");
}

#[test]
fn copies_of_cyp2d6_are_scored_by_the_tables() {
    let Some(tables) = grch38() else { return };
    for (pair, phenotype, score) in [
        ("*1/*1", "Normal Metabolizer", Some(2.0)),
        ("*4/*4", "Poor Metabolizer", Some(0.0)),
        ("CYP2D6*4.024/CYP2D6*10", "Intermediate Metabolizer", Some(0.25)),
        ("*1/*2x2", "Ultrarapid Metabolizer", Some(3.0)),
        ("*68+*4/*41", "Intermediate Metabolizer", Some(0.5)),
        ("*1x≥3/*1", "Ultrarapid Metabolizer", None),
        ("*1/*22", "Indeterminate", None),
    ] {
        let patient = tables.patient_of(&[given("CYP2D6", pair, "", "")], None).unwrap();
        let call = patient.genes[0].phenotype.as_ref().unwrap();
        assert_eq!((call.name.as_str(), call.activity_score), (phenotype, score), "{pair}");
    }
    for pair in ["*1xN/*1", "*1/*4711", "*1"] {
        let patient = tables.patient_of(&[given("CYP2D6", pair, "", "")], None).unwrap();
        let call = &patient.genes[0];
        assert!(call.phenotype.is_none() && call.unknown_because.is_some(), "{pair}: {call:?}");
        assert!(told(tables, "codeine", &[given("CYP2D6", pair, "", "")]).recommendations.is_empty(), "{pair}");
    }
    let poor = told(tables, "codeine", &[given("CYP2D6", "*4/*5", "", "")]);
    assert!(texts(&poor, "CPIC").iter().any(|text| text.contains("Avoid codeine")), "{poor:?}");
    // three copies or more are the guideline's own word, and what a score of that size is told
    let most = told(tables, "codeine", &[given("CYP2D6", "*1x≥3/*1", "", "")]);
    assert_eq!(texts(&most, "CPIC"), texts(&told(tables, "codeine", &[given("CYP2D6", "", "", "≥4.0")]), "CPIC"));
    assert!(!texts(&most, "CPIC").is_empty(), "{most:?}");
}

/// The bounds between phenotypes of `CYP2D6` are not in the tables of phenotypes; rules by score say where what it does changes.
#[test]
fn phenotypes_of_cyp2d6_change_with_the_score_where_rules_by_score_do() {
    let (Some(tables), Some(folder)) = (grch38(), folder()) else { return };
    let text = fs::read_to_string(folder.join("guideline_recommendations.tsv")).unwrap();
    let mut rows = text.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = rows.next().unwrap();
    let [source, drugs, lookup, implications] =
        ["source", "drugs", "lookup", "implications"].map(|name| header.iter().position(|own| *own == name).unwrap());
    let mut judged = 0;
    for row in rows.filter(|row| row[source] == "CPIC" && matches!(row[drugs], "codeine" | "tramadol")) {
        let Some(score) = row[lookup].strip_prefix("CYP2D6=") else { continue };
        let expected = match row[implications].split_once(": ").map_or("", |(_, text)| text) {
            text if text.starts_with("Greatly reduced") => "Poor Metabolizer",
            text if text.starts_with("Reduced") => "Intermediate Metabolizer",
            text if text.starts_with("Expected") => "Normal Metabolizer",
            text if text.starts_with("Increased") => "Ultrarapid Metabolizer",
            _ => continue,
        };
        let patient = tables.patient_of(&[given("CYP2D6", "", "", score)], None).unwrap();
        let name = patient.genes[0].phenotype.as_ref().map(|phenotype| phenotype.name.as_str());
        assert_eq!(name, Some(expected), "a score of {score} for {}", row[drugs]);
        judged += 1;
    }
    assert!(judged >= 40, "{judged} rules by score");
}

/// Two of DPWG's rules have one score, and the tables tell them apart only where an allele works.
#[test]
fn a_score_with_two_rules_has_both_where_the_tables_do_not_tell_them_apart() {
    let Some(tables) = grch38() else { return };
    let said = |pair: &str, score: &str| told(tables, "fluorouracil", &[given("DPYD", pair, "", score)]);
    let one = said("Reference/c.1905+1G>A (*2A)", "");
    assert!(texts(&one, "DPWG").iter().any(|text| text.starts_with("Start with 50%")), "{one:?}");
    for (pair, score) in [("c.2846A>T/c.2846A>T", ""), ("", "1.0")] {
        let two = said(pair, score);
        assert!(texts(&two, "DPWG").is_empty(), "{pair} {score}: {two:?}");
        let open = two.not_determined.iter().find(|own| own.source == "DPWG").unwrap();
        let all: Vec<&String> = open.possible.iter().flat_map(|own| &own.recommendations).collect();
        assert!(all.iter().any(|text| text.starts_with("Start with 50%")), "{open:?}");
        assert!(all.iter().any(|text| text.contains("based on the genotype only")), "{open:?}");
        // CPIC has one rule for it, which the other guideline does not hide
        assert!(two.answered_by == Source::Guideline && !texts(&two, "CPIC").is_empty(), "{two:?}");
        assert_eq!(two.group(), Group::Change);
    }
    // half a point has one rule
    let half = said("c.2846A>T/c.1905+1G>A (*2A)", "");
    assert!(texts(&half, "DPWG").iter().all(|text| text.contains("based on the genotype only")), "{half:?}");
    assert!(!texts(&half, "DPWG").is_empty());
}

/// A recommendation without a gene that the guideline asks for says so, and is never "no change".
#[test]
fn the_word_of_a_guideline_without_a_gene_says_which() {
    let Some(tables) = grch38() else { return };
    let normal = told(tables, "azathioprine", &[given("TPMT", "*1/*1", "", "")]);
    let cpic: Vec<_> = normal.recommendations.iter().filter(|one| one.source == "CPIC").collect();
    assert!(!cpic.is_empty() && cpic.iter().all(|one| one.not_tested == ["NUDT15"]), "{normal:?}");
    assert_ne!(normal.group(), Group::NoChange, "NUDT15 could ask for less");
    assert!(normal.to_string().contains("without NUDT15, which was not tested"), "{normal}");
    let both = told(tables, "azathioprine", &[given("TPMT", "*1/*1", "", ""), given("NUDT15", "*1/*1", "", "")]);
    assert!(both.recommendations.iter().all(|one| one.not_tested.is_empty()) && both.not_determined.is_empty());
}

/// A file that shows a change in a gene whose copies it cannot show is no file without a word on it: "No Result" is not the gene's.
#[test]
fn a_gene_that_was_seen_to_differ_is_not_untested() {
    let Some(tables) = grch38() else { return };
    let file = |genotype: &str| {
        format!(
            "##fileformat=VCFv4.2\n##contig=<ID=chr22,length=50818468>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP1\n\
             chr22\t42128945\trs3892097\tC\tT\t.\tPASS\t.\tGT\t{genotype}\n"
        )
    };
    let read = |genotype: &str| {
        let stream = Box::new(Cursor::new(file(genotype)));
        let dir = tempfile::tempdir().unwrap();
        let calls = dir.path().join("calls.tsv");
        fs::write(&calls, "CYP2C19\t*1/*1\n").unwrap();
        let config = PatientConfig { calls: Some(calls.to_string_lossy().into_owned()), ..PatientConfig::default() };
        let patient = Patient::from_stream(stream, Path::new("one.vcf"), tables, &config).unwrap().remove(0);
        tables.guideline("amitriptyline", &patient)
    };
    let poor = read("1/1");
    assert!(texts(&poor, "CPIC").is_empty(), "{poor:?}");
    assert!(
        poor.not_determined.iter().flat_map(|own| &own.genes).any(|gene| gene.gene == "CYP2D6" && !gene.not_tested)
    );
    // reference bases say nothing of copies either, and nothing against the rule for one that was not tested
    let silent = read("0/0");
    assert!(silent.recommendations.iter().all(|one| one.not_tested == ["CYP2D6"]), "{silent:?}");
}

#[test]
fn guidelines_have_names_days_and_pages_and_drugs_other_names() {
    let Some(tables) = grch38() else { return };
    let answer = told(tables, "clopidogrel", &[given("CYP2C19", "*2/*2", "", "")]);
    for one in &answer.recommendations {
        assert!(one.name.contains("guideline") && one.date.as_deref() == Some("2024-03-25"), "{one:?}");
        assert!(one.link.starts_with("https://www.clinpgx.org/"));
        if one.source == "CPIC" {
            assert!(
                one.page.as_deref().is_some_and(|page| page.starts_with("https://cpicpgx.org/guidelines/")),
                "{one:?}"
            );
            assert_eq!((one.level.as_deref(), one.papers.is_empty()), (Some("A"), false));
        }
    }
    // the codes of the tables are names of drugs, where they are of one drug
    for (code, drug) in [("B01AC04", "clopidogrel"), ("32968", "clopidogrel"), ("N03AF01", "carbamazepine")] {
        let by_code = told(tables, code, &[given("CYP2C19", "*2/*2", "", "")]);
        assert_eq!(by_code.taken_for.as_deref(), Some(drug), "{code}");
    }
    let near = told(tables, "clopidogrell", &[given("CYP2C19", "*2/*2", "", "")]);
    assert_eq!((near.answered_by, near.did_you_mean.as_deref()), (Source::Nobody, Some("clopidogrel")));
}

/// Brands and synonyms that a user adds, and frequencies of alleles.
#[test]
fn brands_and_frequencies_are_read_from_tables_of_ones_own() {
    let Some(folder) = folder() else { return };
    let dir = tempfile::tempdir().unwrap();
    let own = dir.path();
    for name in ["pharmcat", "raw", "diplotype_phenotype.tsv", "guideline_recommendations.tsv"] {
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.join(name), own.join(name)).unwrap();
    }
    if !own.join("raw").exists() {
        return;
    }
    fs::write(own.join("drug_names.tsv"), "name\tdrug\nPlavix\tclopidogrel\n").unwrap();
    let frequencies = "gene\tallele\tpopulation\tfrequency\nTPMT\t*1\tEuropean\t0.9\nTPMT\t*3A\tEuropean\t0.035\nTPMT\t*3B\tEuropean\t0.0005\nTPMT\t*3C\tEuropean\t0.005\n";
    fs::write(own.join("allele_frequencies.tsv"), frequencies).unwrap();
    let tables = Tables::open(own, Assembly::GRCh38).unwrap();
    let answer = told(&tables, "PLAVIX", &[given("CYP2C19", "*2/*2", "", "")]);
    assert_eq!((answer.taken_for.as_deref(), answer.answered_by), (Some("clopidogrel"), Source::Guideline));

    let config = |population: &str| PatientConfig {
        absent_is_reference: true,
        population: (!population.is_empty()).then(|| population.to_string()),
        ..PatientConfig::default()
    };
    let file = folder.join("../../cases/pgx/tpmt_s1s3a.vcf");
    if !file.is_file() {
        return;
    }
    let call = |config: &PatientConfig| {
        let patient = Patient::read(&file, &tables, config).unwrap();
        patient.genes.into_iter().find(|call| call.gene == "TPMT").unwrap()
    };
    let (plain, weighed) = (call(&config("")), call(&config("European")));
    assert!(plain.odds.is_empty() && weighed.phenotype == plain.phenotype && weighed.diplotypes == plain.diplotypes);
    assert!(weighed.odds[0].diplotype.contains("*3A") && weighed.odds[0].share > 0.999, "{:?}", weighed.odds);
    let error = Patient::read(&file, &tables, &config("Europaen")).unwrap_err().to_string();
    assert!(error.contains("did you mean European?"), "{error}");
}

/// The mitochondrion of hg19 has other numbers: it is never read, nor taken for reference.
#[test]
fn another_mitochondrion_is_not_read() {
    let (Some(old), Some(new)) = (grch37(), grch38()) else { return };
    let text = |contig: &str, chromosome: &str| {
        format!(
            "##fileformat=VCFv4.2\n##contig=<ID=10,length={chromosome}>\n{contig}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP1\n\
             10\t94942290\t.\tC\tT\t.\tPASS\t.\tGT\t0/0\nMT\t1555\t.\tA\tG\t.\tPASS\t.\tGT\t1\n"
        )
        .replace("94942290", if chromosome == "135534747" { "96702047" } else { "94942290" })
    };
    let call = |tables: &Tables, contig: &str, length: &str, absent: bool| {
        let config = PatientConfig { absent_is_reference: absent, ..PatientConfig::default() };
        let stream = Box::new(Cursor::new(text(contig, length)));
        let patient = Patient::from_stream(stream, Path::new("m.vcf"), tables, &config).unwrap().remove(0);
        let call = patient.genes.iter().find(|call| call.gene == "MT-RNR1").unwrap().clone();
        (call.diplotypes.join(" "), patient.warnings.join(" "))
    };
    let right = "##contig=<ID=MT,length=16569>\n";
    for (tables, length) in [(old, "135534747"), (new, "133797422")] {
        let (pairs, warnings) = call(tables, right, length, false);
        assert!(pairs.contains("m.1555A>G") && warnings.is_empty(), "{length}: {pairs} {warnings}");
        for absent in [false, true] {
            for contig in ["##contig=<ID=MT,length=16571>\n", "##contig=<ID=NC_001807.4>\n"] {
                let (pairs, warnings) = call(tables, contig, length, absent);
                assert!(pairs.is_empty() && warnings.contains("hg19"), "{length} {contig}: {pairs} {warnings}");
            }
        }
    }
    // GRCh37 has both, and a file that does not say which is not read; GRCh38 has one
    assert!(call(old, "", "135534747", true).0.is_empty());
    assert!(call(new, "", "133797422", false).0.contains("m.1555A>G"));
}

/// The keys that PharmCAT's phenotype.json has, of a gene and of a pair.
const REPORT: [&str; 20] = [
    "alleleDefinitionSource",
    "alleleDefinitionVersion",
    "callSource",
    "chr",
    "effectivelyPhased",
    "geneSymbol",
    "hasUndocumentedVariations",
    "matcherComponentHaplotypes",
    "matcherHomozygousComponentHaplotypes",
    "messages",
    "phased",
    "phenotypeVersion",
    "recommendationDiplotypes",
    "relatedDrugs",
    "sourceDiplotypes",
    "treatUndocumentedVariationsAsReference",
    "uncalledHaplotypes",
    "variants",
    "variantsOfInterest",
    "geneSymbol",
];
const PAIR: [&str; 17] = [
    "activityScore",
    "allele1",
    "allele2",
    "combination",
    "diplotypeKey",
    "gene",
    "inferred",
    "inferredSourceDiplotypes",
    "label",
    "lookupKey",
    "matchScore",
    "outsideActivityScore",
    "outsideActivityScoreMismatch",
    "outsidePhenotype",
    "outsidePhenotypeMismatch",
    "phenotypes",
    "variant",
];

#[test]
fn genes_are_written_in_the_structure_of_pharmcat() {
    let (Some(tables), Some(cases)) = (grch38(), super::tables::cases()) else { return };
    let config = PatientConfig { absent_is_reference: true, ..PatientConfig::default() };
    let mut reports = 0;
    for name in ["c19_s1s2_wgs", "dpyd_s2a_s5_s9a", "tpmt_s1s3a", "g6pd_aminus_male", "c9_nocall", "warfarin_aa_s3s3"] {
        let patient = Patient::read(&cases.join(format!("{name}.vcf")), tables, &config).unwrap();
        let written = serde_json::to_value(tables.phenotype_json(&patient, "x.vcf")).unwrap();
        assert_eq!(written["matcherMetadata"]["inputFilename"], "x.vcf");
        let genes = written["geneReports"].as_object().unwrap();
        assert!(genes.contains_key("CYP2D6") && genes["CYP2D6"]["callSource"] == "NONE");
        for (gene, report) in genes {
            reports += 1;
            let own = report.as_object().unwrap();
            assert!(REPORT.iter().all(|key| own.contains_key(*key)) && own.len() == 19, "{gene}: {:?}", own.keys());
            for pair in report["sourceDiplotypes"].as_array().unwrap() {
                let keys: Vec<&String> = pair.as_object().unwrap().keys().collect();
                assert_eq!(keys, PAIR, "{gene}");
            }
            // what is open is never one pair with a phenotype
            let call = patient.genes.iter().find(|call| call.gene == *gene);
            let told: std::collections::BTreeSet<String> = report["sourceDiplotypes"]
                .as_array()
                .unwrap()
                .iter()
                .map(|pair| pair["phenotypes"].to_string())
                .collect();
            match call.and_then(|call| call.phenotype.as_ref()) {
                Some(phenotype) => assert_eq!(told, [format!("[\"{}\"]", phenotype.name)].into(), "{name} {gene}"),
                None => assert!(told.len() > 1 || told.iter().all(|own| own == "[]"), "{name} {gene}: {told:?}"),
            }
        }
    }
    assert!(reports > 100, "{reports}");
    let dpyd = Patient::read(&cases.join("dpyd_s2a_s5_s9a.vcf"), tables, &config).unwrap();
    let written = serde_json::to_value(tables.phenotype_json(&dpyd, "x.vcf")).unwrap();
    let pair = &written["geneReports"]["DPYD"]["sourceDiplotypes"][0];
    assert_eq!((&pair["activityScore"], &pair["lookupKey"][0]), (&"1.0".into(), &"1.0".into()));
    assert_eq!(pair["allele2"]["activityValue"], "0.0");
    assert_eq!(pair["allele1"]["reference"], true);
}

#[test]
fn answers_are_lines_of_a_table() {
    let (Some(tables), Some(cases)) = (grch38(), super::tables::cases()) else { return };
    let config = PatientConfig { absent_is_reference: true, ..PatientConfig::default() };
    let patient = Patient::read(&cases.join("c19_s1s2_wgs.vcf"), tables, &config).unwrap();
    let said: PatientAnswers = tables.guideline_answers(&[], patient);
    let text = said.to_table('\t');
    let rows =
        said.answers.iter().map(|one| (one.recommendations.len() + one.not_determined.len()).max(1)).sum::<usize>();
    assert_eq!(text.lines().count(), 1 + rows);
    assert!(text.lines().all(|line| line.matches('\t').count() == 15), "{text}");
    assert!(text.contains("clopidogrel\tguideline\tchange\tCPIC"));
}
