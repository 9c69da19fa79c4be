//! Files and outside calls that must not end in a recommendation that they contradict: families of inputs of one kind, made here.

use super::tables::grch38;
use cupel_pharmacogenomics::{GeneCall, Patient, PatientConfig, Source, Tables};
use std::{fs, io::Cursor, path::Path};

const CONTIGS: &str = "##contig=<ID=chr1,length=248956422>\n##contig=<ID=chr10,length=133797422>\n";
/// CYP2C9 *1/*1 for the guideline of a drug of CYP2C19 alone.
const RS4244285: &str = "chr10 94781859 rs4244285 G A . PASS .";
const RS12769205: &str = "chr10 94775367 rs12769205 A G . PASS .";
const RS3758581: &str = "chr10 94842866 rs3758581 A G . PASS . GT 1/1";
const RS3918290: &str = "chr1 97450058 rs3918290 C T . PASS .";
const RS67376798: &str = "chr1 97082391 rs67376798 T A . PASS .";

/// A VCF file with these lines, whose columns stand apart by blanks.
fn file(contigs: &str, samples: &str, lines: &[&str]) -> String {
    let body: String = lines.iter().map(|line| line.split(' ').collect::<Vec<_>>().join("\t") + "\n").collect();
    let samples = samples.replace(' ', "\t");
    format!("##fileformat=VCFv4.2\n{contigs}#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t{samples}\n{body}")
}

fn read(tables: &Tables, text: impl Into<Vec<u8>>, config: &PatientConfig) -> Result<Vec<Patient>, String> {
    let stream = Box::new(Cursor::new(text.into()));
    Patient::from_stream(stream, Path::new("made.vcf"), tables, config).map_err(|error| error.to_string())
}

fn absent() -> PatientConfig {
    PatientConfig { absent_is_reference: true, ..PatientConfig::default() }
}

/// The patient of these lines, where places that are not there are reference.
fn patient(tables: &Tables, lines: &[&str]) -> Patient {
    read(tables, file(CONTIGS, "P1", lines), &absent()).unwrap_or_else(|error| panic!("{lines:?}: {error}")).remove(0)
}

fn call<'a>(patient: &'a Patient, gene: &str) -> &'a GeneCall {
    patient.genes.iter().find(|call| call.gene == gene).unwrap()
}

/// The patient with these outside calls.
fn with_calls(tables: &Tables, samples: &str, line: &str, calls: &str) -> Result<Vec<Patient>, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("calls.tsv");
    fs::write(&path, calls).unwrap();
    let config = PatientConfig { calls: Some(path.to_string_lossy().into_owned()), ..PatientConfig::default() };
    read(tables, file(CONTIGS, samples, &[line]), &config)
}

/// What the guidelines say of a drug: their words, or nothing where they are not determined, and why.
fn said(tables: &Tables, patient: &Patient, drug: &str) -> (Vec<String>, String) {
    let answer = tables.guideline(drug, patient);
    let genes = answer.not_determined.iter().flat_map(|own| &own.genes);
    let because: Vec<String> = genes.map(|gene| format!("{}: {}", gene.gene, gene.because)).collect();
    (answer.recommendations.iter().map(|one| one.recommendation.clone()).collect(), because.join("; "))
}

/// Whether a text of abacavir's guidelines advises against it.
fn avoids(text: &str) -> bool {
    text.contains("not recommended") || text.contains("contra-indicated")
}

fn one_call(tables: &Tables, calls: &str) -> Result<Patient, String> {
    with_calls(tables, "P1", &format!("{RS3918290} GT 0/0"), calls).map(|mut patients| patients.remove(0))
}

#[test]
fn types_of_hla_are_read_however_they_are_written() {
    let Some(tables) = grch38() else { return };
    let abacavir = |calls: &str| one_call(tables, calls).map(|patient| said(tables, &patient, "abacavir"));
    // (one type that is asked for, another) in every spelling
    for front in ["HLA-B*", "B*", "*", "", "hla-b*"] {
        for rest in ["", ":01", ":01:01"] {
            let pair = |a: &str, b: &str| format!("HLA-B\t{front}{a}{rest}/{front}{b}{rest}\n");
            for (a, b) in [("57:01", "08:01"), ("58:01", "57:01"), ("57:01", "57:01")] {
                let (words, _) = abacavir(&pair(a, b)).unwrap();
                assert!(words.iter().all(|text| avoids(text)) && !words.is_empty(), "{front}{a}/{b}: {words:?}");
            }
            let (words, _) = abacavir(&pair("58:01", "08:01")).unwrap();
            assert!(words.iter().all(|text| !avoids(text)) && !words.is_empty(), "{front}: {words:?}");
        }
        let positive = abacavir(&format!("HLA-B\t\t{front}57:01 Positive\n")).unwrap().0;
        assert!(positive.iter().any(|text| avoids(text)), "{front}: {positive:?}");
        let alone = abacavir(&format!("HLA-B\t{front}57:01\n")).unwrap().0;
        assert!(alone.iter().any(|text| avoids(text)), "{front}: {alone:?}");
    }
    for open in ["*08:01", "*57/*08:01", "*57:01N/*08:01"] {
        let (words, because) = abacavir(&format!("HLA-B\t{open}\n")).unwrap();
        assert!(words.is_empty() && because.contains("HLA-B"), "{open}: {words:?} {because}");
    }
    for wrong in
        ["*57:XX/*08:01", "*5701/*0801", "A*57:01/A*08:01", "*57:01/*08:01 or *58:01/*08:01", "*57:01/*58:01/*08:01"]
    {
        let error = abacavir(&format!("HLA-B\t{wrong}\n")).unwrap_err();
        assert!(error.contains("a type such as *57:01"), "{wrong}: {error}");
    }
    assert!(abacavir("HLA-B\t\tpositive\n").unwrap_err().contains("no result such as"));
    let (words, _) =
        one_call(tables, "HLA-A\tA*31:01/A*02:01\n").map(|own| said(tables, &own, "carbamazepine")).unwrap();
    let (negative, _) =
        one_call(tables, "HLA-A\tA*01:01/A*02:01\n").map(|own| said(tables, &own, "carbamazepine")).unwrap();
    assert_ne!(words, negative);
}

#[test]
fn outside_calls_that_contradict_each_other_or_the_file_determine_nothing() {
    let Some(tables) = grch38() else { return };
    for (calls, gene, drug) in [
        ("CYP2C19\t*2/*2\tNormal Metabolizer\n", "CYP2C19", "clopidogrel"),
        ("CYP2C19\t*1/*1\tPoor Metabolizer\n", "CYP2C19", "clopidogrel"),
        ("CYP2D6\t*4/*4\tPoor Metabolizer\t2.0\n", "CYP2D6", "codeine"),
        ("CYP2D6\t\tPoor Metabolizer\t2.0\n", "CYP2D6", "codeine"),
        ("CYP2D6\t\tIndeterminate\t2.0\n", "CYP2D6", "codeine"),
        ("CYP2D6\t*4/*4\t\t≥3.0\n", "CYP2D6", "codeine"),
        ("CYP2D6\t\tPoor Metabolizer\t≥3.0\n", "CYP2D6", "codeine"),
        ("CYP2D6\t*1/*1\tNormal Metabolizer\t>=3.0\n", "CYP2D6", "codeine"),
        ("CYP2C9\t*3/*3\t\t2.0\n", "CYP2C9", "phenytoin"),
        ("CYP2C9\t\tPoor Metabolizer\t2.0\n", "CYP2C9", "phenytoin"),
        ("HLA-B\t\t*57:01 positive\nHLA-B\t\t*57:01 negative\n", "HLA-B", "abacavir"),
        ("HLA-B\t*57:01/*08:01\t*57:01 negative\n", "HLA-B", "abacavir"),
        ("HLA-B\t*58:01/*08:01\t*57:01 positive\n", "HLA-B", "abacavir"),
    ] {
        let patient = one_call(tables, calls).unwrap();
        let (words, because) = said(tables, &patient, drug);
        assert!(
            words.is_empty() && because.contains(&format!("{gene}: the outside calls contradict")),
            "{calls}: {words:?} {because}"
        );
    }
    // a file that shows *2/*2, with places that were read
    let dir = tempfile::tempdir().unwrap();
    let [two, partner] = [RS4244285, RS12769205].map(|line| format!("{line} GT 1/1"));
    for (calls, agrees) in [("*1/*1", false), ("*1/*2", false), ("*17/*17", false), ("*2/*2", true)] {
        let path = dir.path().join("calls.tsv");
        fs::write(&path, format!("CYP2C19\t{calls}\n")).unwrap();
        for absent_is_reference in [false, true] {
            let calls = Some(path.to_string_lossy().into_owned());
            let config = PatientConfig { calls, absent_is_reference, ..PatientConfig::default() };
            let patient = read(tables, file(CONTIGS, "P1", &[&two, &partner, RS3758581]), &config).unwrap().remove(0);
            let own = call(&patient, "CYP2C19");
            assert_eq!(own.phenotype.is_some(), agrees, "{:?} {:?}", own.diplotypes, own.unknown_because);
        }
    }
}

#[test]
fn one_allele_of_a_pair_is_no_pair() {
    let Some(tables) = grch38() else { return };
    for (calls, gene, drug) in [
        ("CYP2C19\t*1\n", "CYP2C19", "clopidogrel"),
        ("CYP2C19\t*2\n", "CYP2C19", "clopidogrel"),
        ("TPMT\t*3A\n", "TPMT", "thioguanine"),
        ("DPYD\tReference\n", "DPYD", "fluorouracil"),
        ("CYP2C9\t*1\n", "CYP2C9", "phenytoin"),
    ] {
        let patient = one_call(tables, calls).unwrap();
        let (words, because) = said(tables, &patient, drug);
        assert!(words.is_empty() && call(&patient, gene).phenotype.is_none(), "{calls}: {words:?} {because}");
    }
}

#[test]
fn outside_calls_beside_what_a_file_shows_of_copies_determine_nothing() {
    let Some(tables) = grch38() else { return };
    let dir = tempfile::tempdir().unwrap();
    for (line, calls, gene, stands) in [
        ("chr22 42126000 . N <DEL> . PASS END=42132000 GT 1/1", "CYP2D6\t*1/*1", "CYP2D6", false),
        ("chr22 42126000 . N <DEL> . PASS END=42132000 GT 1/1", "CYP2D6\t*5/*5", "CYP2D6", true),
        ("chr1 97100000 . N <DEL> . PASS END=97900000 GT 1/1", "DPYD\tReference/Reference", "DPYD", false),
        ("chr10 1000 . N <DEL> . PASS END=2000 GT 1/1", "DPYD\tReference/Reference", "DPYD", true),
    ] {
        let path = dir.path().join("calls.tsv");
        fs::write(&path, format!("{calls}\n")).unwrap();
        let given = Some(path.to_string_lossy().into_owned());
        let config = PatientConfig { calls: given, absent_is_reference: true, ..PatientConfig::default() };
        let patient = read(tables, file(CONTIGS, "P1", &[line, RS3758581]), &config).unwrap().remove(0);
        let own = call(&patient, gene);
        assert_eq!(own.phenotype.is_some(), stands, "{line} {calls}: {:?}", own.unknown_because);
    }
}

#[test]
fn outside_calls_without_a_rule_ask_for_more() {
    let Some(tables) = grch38() else { return };
    for (calls, drug, words) in [
        ("CYP2D6\t*1xN/*2\n", "codeine", "activity score or a phenotype"),
        ("CYP2D6\t\tPoor\n", "codeine", "activity score or a phenotype"),
        ("CYP2D6\t\tNormal Metabolizer\n", "codeine", "activity score or a phenotype"),
        ("CYP2D6\t*1/*4 or *4/*4\n", "codeine", "activity score or a phenotype"),
        ("HLA-B\t\t*15:02 negative\n", "abacavir", "give the result of the type"),
    ] {
        let patient = one_call(tables, calls).unwrap();
        let answer = tables.guideline(drug, &patient);
        let (said, because) = said(tables, &patient, drug);
        assert!(answer.answered_by == Source::NotDetermined && said.is_empty(), "{calls}: {said:?}");
        assert!(because.contains(words), "{calls}: {because}");
    }
    let codeine = |calls: &str| said(tables, &one_call(tables, calls).unwrap(), "codeine").0;
    let zero = codeine("CYP2D6\t\t\t0.0\n");
    assert!(!zero.is_empty());
    for same in
        ["CYP2D6\t\tPM\n", "CYP2D6\t\tpoor metabolizer\n", "CYP2D6\t*4/*4\tPoor Metabolizer\t0\n", "cyp2d6\t\t\t0\r\n"]
    {
        assert_eq!(codeine(same), zero, "{same}");
    }
    assert_eq!(codeine("CYP2D6\t\t\t>=3.0\n"), codeine("CYP2D6\t\t\t≥3.0\n"));
    assert!(!codeine("CYP2D6\t\t\t>=3.0\n").is_empty());
    for wrong in ["0,5", "-1", "high", "inf", "NaN"] {
        assert!(
            one_call(tables, &format!("CYP2D6\t\t\t{wrong}\n")).unwrap_err().contains("no activity score"),
            "{wrong}"
        );
    }
}

#[test]
fn outside_calls_are_of_the_sample_that_they_name() {
    let Some(tables) = grch38() else { return };
    let line = format!("{RS3918290} GT 0/0 0/0");
    let two = |calls: &str| with_calls(tables, "P1 P2", &line, calls);
    assert!(two("CYP2D6\t\t\t0.0\n").unwrap_err().contains("whose calls"));
    let patients = two("#sample P2\nCYP2D6\t\t\t0.0\n").unwrap();
    let outside: Vec<bool> = patients.iter().map(|own| own.genes.iter().any(|call| call.outside)).collect();
    assert_eq!(outside, [false, true]);
    assert!(patients[0].warnings[0].contains("P2"), "{:?}", patients[0].warnings);
}

#[test]
fn what_touches_an_insertion_or_deletion_is_not_the_reference() {
    let Some(tables) = grch38() else { return };
    let normal = format!("{RS3918290} GT 0/0");
    // (gene, what stands beside, position, REF, alternatives) at the deletion of DPYD *7, the deletion of CYP2C9 *6, an insertion of UGT1A1
    for (gene, position, texts) in [
        (
            "DPYD",
            "chr1 97740410",
            &["GATGA T", "GATGA CATG", "GATGA GAT", "GATGA GA", "GATGA GAAAA", "G D", "G I", "G -", "GAT G", "G GCC"][..],
        ),
        ("DPYD", "chr1 97740411", &["ATGA -", "ATGA D", "A ."]),
        ("DPYD", "chr1 97740408", &["NNGATGANN N", "NNGATG N"]),
        ("DPYD", "chr1 97450065", &["T I", "T D"]),
        ("CYP2C9", "chr10 94949281", &["GA T", "GA CT", "G D"]),
        ("CYP2C9", "chr10 94949280", &["NGAN N"]),
    ] {
        for text in texts {
            let (reference, alternate) = text.split_once(' ').unwrap();
            let place = position.split_once(' ').unwrap();
            for genotype in ["1/1", "0/1", "./."] {
                let genotype = if alternate == "." { "./." } else { genotype };
                let line = format!("{} {} . {reference} {alternate} . PASS . GT {genotype}", place.0, place.1);
                let patient = patient(tables, &[&line, &normal, RS3758581]);
                let own = call(&patient, gene);
                assert!(own.phenotype.is_none(), "{line}: {:?} {:?}", own.diplotypes, own.phenotype);
            }
        }
    }
    // what is defined is called, however it is written
    for text in ["97740410 . GATGA G", "97740409 . NGATGA NG", "97740410 . GATGAN GN"] {
        let line = format!("chr1 {text} . PASS . GT 1/1");
        let patient = patient(tables, &[&line, &normal]);
        let score = call(&patient, "DPYD").phenotype.as_ref().and_then(|own| own.activity_score);
        assert_eq!(score, Some(0.0), "{text}: {:?}", call(&patient, "DPYD").unknown_because);
    }
}

#[test]
fn a_place_that_was_not_read_leaves_its_allele_possible() {
    let Some(tables) = grch38() else { return };
    for own in [
        "GT ./.",
        "GT:GQ 1/1:3",
        "GT:GQ 0/0:3",
        "GT:DP 0/0:0",
        "GT:AD 0/0:0,0",
        "GT:PL 0/0:0,0,0",
        "GT:GP 0/0:0.51,0.49,0",
        "GT ./1",
        "GT 0",
        "GT 1",
    ] {
        for line in [RS4244285, RS12769205] {
            let line = format!("{line} {own}");
            let patient = patient(tables, &[&line, RS3758581]);
            let (words, because) = said(tables, &patient, "clopidogrel");
            assert!(words.is_empty() && because.contains("CYP2C19"), "{line}: {words:?}");
        }
    }
    for filter in ["LowQual", "q10"] {
        let line = format!("{} GT 0/1", RS4244285.replace("PASS", filter));
        assert!(call(&patient(tables, &[&line, RS3758581]), "CYP2C19").phenotype.is_none());
    }
    let line = "chr10 94781859 . G A,<NON_REF> . PASS . GT:GQ 0/2:99";
    assert!(call(&patient(tables, &[line, RS3758581]), "CYP2C19").phenotype.is_none());
    let line = format!("{} GT 0/0", RS4244285.replace(" .", " DP=0").replacen(" DP=0", " .", 1));
    assert!(line.ends_with("PASS DP=0 GT 0/0"));
    assert!(call(&patient(tables, &[&line, RS3758581]), "CYP2C19").phenotype.is_none());
    // of SLCO1B1 *15 the variant that is *37 alone, as good as the reference, casts no doubt on the other; that of *5 does
    let slco1b1 = |line: &str| call(&patient(tables, &[line]), "SLCO1B1").phenotype.clone().map(|own| own.name);
    assert_eq!(slco1b1("chr12 21176804 rs2306283 A G . PASS . GT ./.").as_deref(), Some("Normal Function"));
    assert_eq!(slco1b1("chr12 21178615 rs4149056 T C . PASS . GT ./."), None);
    // an allele of which one of two variants was seen: what is possible is listed
    let line = format!("{RS4244285} GT 0/1");
    let patient = patient(tables, &[&line, RS3758581]);
    let own = call(&patient, "CYP2C19");
    assert!(own.diplotypes.iter().any(|pair| pair == "*1/*2"), "{:?} {:?}", own.diplotypes, own.unknown_because);
}

#[test]
fn one_haplotype_is_no_genotype_of_two() {
    let Some(tables) = grch38() else { return };
    for genotype in ["0", "1"] {
        let lines = [RS4244285, RS12769205].map(|line| format!("{line} GT {genotype}"));
        let third = RS3758581.replace("1/1", "1");
        let patient = patient(tables, &[&lines[0], &lines[1], &third]);
        let own = call(&patient, "CYP2C19");
        assert!(own.phenotype.is_none(), "{genotype}: {:?}", own.diplotypes);
        assert!(own.diplotypes.iter().all(|pair| pair.contains('/')), "{:?}", own.diplotypes);
        let line = format!("{RS3918290} GT {genotype}");
        let dpyd = self::patient(tables, &[&line]);
        assert!(call(&dpyd, "DPYD").phenotype.is_none(), "{:?}", call(&dpyd, "DPYD").diplotypes);
    }
    let male =
        patient(tables, &["chrX 154536002 rs1050828 C T . PASS . GT 1", "chrX 154535277 rs1050829 T C . PASS . GT 1"]);
    assert_eq!(call(&male, "G6PD").diplotypes, ["A- 202A_376G"]);
}

#[test]
fn phase_is_of_sets_where_a_line_has_one() {
    let Some(tables) = grch38() else { return };
    let score = |first: &str, second: &str| {
        let lines = [format!("{RS3918290} {first}"), format!("{RS67376798} {second}")];
        let patient = patient(tables, &[&lines[0], &lines[1]]);
        call(&patient, "DPYD").phenotype.as_ref().and_then(|own| own.activity_score)
    };
    // on one copy: c.1905+1G>A decides; on two: both count
    let (one, two) = (Some(1.0), Some(0.5));
    for (first, second, right) in [
        ("GT 0|1", "GT 0|1", one),
        ("GT 0|1", "GT 1|0", two),
        ("GT:PS 0|1:5", "GT:PS 0|1:5", one),
        ("GT:PS 0|1:5", "GT:PS 0|1:6", two),
        ("GT:PS 0|1:.", "GT:PS 0|1:6", two),
        ("GT 0|1", "GT:PS 0|1:6", two),
        ("GT:PGT:PID 0|1:0|1:a", "GT:PGT:PID 0|1:0|1:b", two),
        ("GT:PGT:PID 0|1:0|1:a", "GT:PGT:PID 0|1:0|1:a", one),
        ("GT:PGT:PID 0/1:0|1:a", "GT:PGT:PID 0/1:0|1:a", one),
        ("GT:PGT:PID 0/1:0|1:a", "GT:PGT:PID 0/1:1|0:a", two),
        ("GT:HP 0|1:5-1,5-2", "GT 0|1", two),
    ] {
        assert_eq!(score(first, second), right, "{first}, {second}");
    }
}

#[test]
fn a_chromosome_without_a_line_was_not_read() {
    let Some(tables) = grch38() else { return };
    let patient = patient(tables, &[&format!("{RS3918290} GT 0/0")]);
    assert!(call(&patient, "DPYD").phenotype.is_some());
    assert!(
        call(&patient, "DPYD").assumed > 10 && call(&patient, "DPYD").missing.iter().all(|own| own.contains("assumed"))
    );
    let others = patient.genes.iter().filter(|own| !["DPYD", "CYP2D6"].contains(&own.gene.as_str()));
    for own in others.filter(|own| own.phenotype.is_some()) {
        assert!(own.definition.is_some() && own.assumed > 0, "{}", own.gene);
        let on_one = ["CACNA1S", "GSTM1", "F5", "MTHFR", "CYP4A11", "PTGS2", "CYP2J2", "CYP4B1", "FMO"];
        assert!(
            on_one.iter().any(|gene| own.gene.starts_with(gene)),
            "{} was called without a line of its chromosome",
            own.gene
        );
    }
    for gene in ["CYP2C19", "TPMT", "VKORC1", "G6PD"] {
        assert!(call(&patient, gene).phenotype.is_none(), "{gene}");
    }
}

#[test]
fn chromosomes_of_other_or_of_two_assemblies_are_refused() {
    let Some(tables) = grch38() else { return };
    let lines = [format!("{RS4244285} GT 0/0")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    for (contigs, words) in [
        ("##reference=chm13v2.0 lifted GRCh38\n##contig=<ID=chr10,length=134758134>\n", "134758134"),
        ("##contig=<ID=10,length=135534747>\n##contig=<ID=1,length=248956422>\n", "one assembly"),
        ("##contig=<ID=NC_000010.11,length=135534747>\n", "one assembly"),
        ("##contig=<ID=chr1,length=248387328>\n##contig=<ID=chr10,length=133797422>\n", "248387328"),
    ] {
        let error = read(tables, file(contigs, "P1", &lines), &absent()).unwrap_err();
        assert!(error.contains(words), "{contigs}: {error}");
    }
    for contigs in [
        CONTIGS,
        "##contig=<ID=chr10>\n##reference=GRCh38\n",
        "##contig=<ID=chr10,length=133797422>\n##contig=<ID=chr10_alt,length=5>\n",
    ] {
        assert!(read(tables, file(contigs, "P1", &lines), &absent()).is_ok(), "{contigs}");
    }
}

#[test]
fn deletions_without_an_end_and_breaks_leave_genes_open() {
    let Some(tables) = grch38() else { return };
    let normal = format!("{RS3918290} GT 0/1");
    for (line, open) in [
        ("chr1 97450050 . C <DEL> . PASS . GT 0/0", false),
        ("chr1 97450050 . C <DEL> . PASS . GT 0/1", true),
        ("chr1 97450050 . C <DUP> . PASS . GT ./.", true),
        ("chr1 97000000 . C <DEL> . PASS . GT 0/1", true),
        ("chr1 98600000 . C <DEL> . PASS . GT 0/1", false),
        ("chr1 97450000 . C C[chr2:5[ . PASS . GT 0/1", true),
        ("chr1 97450000 . C ]chr2:5]C . PASS . GT ./.", true),
        ("chr1 97450000 . C C[chr2:5[ . PASS . GT 0/0", false),
        ("chr1 90000000 . C C[chr2:5[ . PASS . GT 0/1", false),
    ] {
        let own = patient(tables, &[line, &normal]);
        let dpyd = call(&own, "DPYD");
        assert_eq!(dpyd.phenotype.is_none(), open, "{line}: {:?}", dpyd.unknown_because);
        let because = dpyd.unknown_because.as_deref().unwrap_or_default();
        assert!(!open || because.contains("END") || because.contains("rearrangement"), "{line}: {because}");
    }
}

#[test]
fn marks_and_encodings_of_headers_do_no_harm() {
    let Some(tables) = grch38() else { return };
    let text = file(CONTIGS, "P1", &[&format!("{RS4244285} GT 0/0")]);
    assert!(read(tables, format!("\u{feff}{text}"), &absent()).is_ok());
    let mut latin: Vec<u8> = b"##fileformat=VCFv4.2\n##source=M\xfcller\n".to_vec();
    latin.extend(text.split_once('\n').unwrap().1.as_bytes());
    assert!(read(tables, latin, &absent()).is_ok());
    let mut record = text.into_bytes();
    record.extend(b"chr10\t5\t.\tA\tC\t.\t.\t\xfc\tGT\t0/1\n");
    assert!(read(tables, record, &absent()).unwrap_err().contains("UTF-8"));
}
