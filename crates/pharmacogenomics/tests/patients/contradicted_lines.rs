//! Lines of VCF files that say more than their genotype, and contradict it or say no bases at all: what they must never be read as.

use super::tables::grch38;
use cupel_pharmacogenomics::{Patient, PatientConfig};
use std::{io::Cursor, path::Path};

const COLUMNS: &str = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP1\n";
const CHROMOSOMES: [(&str, u64); 7] = [
    ("chr1", 248_956_422),
    ("chr2", 242_193_529),
    ("chr6", 170_805_979),
    ("chr10", 133_797_422),
    ("chr13", 114_364_328),
    ("chrX", 156_040_895),
    ("chrM", 16_569),
];
/// DPYD's *2A, and a call of the reference there.
const SITE: &str = "chr1 97450058 rs3918290 C T . PASS";
const PLAIN: &str = "chr1 97450058 rs3918290 C T . PASS . GT 0/0";
const SECOND: &str = "chr1 97082391 rs67376798 T A . PASS";

/// The phenotype of a gene in a file with these lines, whose columns stand apart by blanks, or what was wrong with it.
fn phenotype(gene: &str, lines: &[String], absent_is_reference: bool) -> Result<Option<String>, String> {
    let contigs: String = CHROMOSOMES.map(|(name, length)| format!("##contig=<ID={name},length={length}>\n")).concat();
    let body: String = lines.iter().map(|line| line.replace(' ', "\t") + "\n").collect();
    let text = format!("##fileformat=VCFv4.4\n{contigs}{COLUMNS}{body}");
    read(gene, text, PatientConfig { absent_is_reference, ..PatientConfig::default() })
}

fn read(gene: &str, text: String, config: PatientConfig) -> Result<Option<String>, String> {
    let stream = Box::new(Cursor::new(text.into_bytes()));
    let patients = Patient::from_stream(stream, Path::new("made.vcf"), grch38().unwrap(), &config);
    let patient = patients.map_err(|error| error.to_string())?.remove(0);
    let call = patient.genes.into_iter().find(|call| call.gene == gene);
    Ok(call.and_then(|call| call.phenotype).map(|phenotype| phenotype.name))
}

/// Fails with the rows whose gene is determined, where it must not be, or is not as it must be.
fn check(rows: &[(&str, &str, Option<&str>)], before: &[&str], absent_is_reference: bool) {
    let mut failed = Vec::new();
    for (gene, lines, expected) in rows {
        let lines: Vec<String> = before.iter().copied().chain(lines.split('\n')).map(str::to_string).collect();
        let got = phenotype(gene, &lines, absent_is_reference);
        let right = match (&got, expected) {
            (Ok(got), expected) => got.as_deref() == *expected,
            // nothing was read, or it was refused
            (Err(_), None) => true,
            (Err(_), Some(_)) => false,
        };
        if !right {
            failed.push(format!("{gene}, {lines:?}: {expected:?} expected, {got:?}"));
        }
    }
    assert!(failed.is_empty(), "{} of {}:\n{}", failed.len(), rows.len(), failed.join("\n"));
}

#[test]
fn lines_without_bases_say_no_reference() {
    if grch38().is_none() {
        return;
    }
    let lines = [
        "chr1 97000000 . N <CPX> . PASS END=98000000;SVTYPE=CPX GT 0/0",
        "chr1 97070000 . N <INS> . PASS END=97990000;SVTYPE=INS GT 0/0",
        "chr1 97070000 . N <CTX> . PASS END=97990000 GT 0/0",
        "chr1 97070000 . N <STR7> . PASS END=97990000 GT 0/0",
        "chr1 97070000 . N <ROH> . PASS END=97990000 GT 0/0",
        "chr1 97000000 . N <DEL> . PASS END=98000000 GT 0/0",
        "chr1 10001 . N . 60 PASS SVTYPE=CNV;END=248000000 GT:RC:BC:CN 0/0:100:900:2",
        "chr1 97000000 . N . 60 PASS SVTYPE=CNV;END=98000000 GT:CN 0/0:1",
    ];
    let rows: Vec<(&str, &str, Option<&str>)> = lines.iter().map(|line| ("DPYD", *line, None)).collect();
    // a line of another gene, without which nothing would be read at all
    check(&rows, &["chr10 94781859 rs4244285 G A . PASS . GT 0/0"], false);
    let block = "chr1 97000000 . N <NON_REF> . PASS END=98000000 GT:GQ 0/0:60";
    check(&[("DPYD", block, Some("Normal Metabolizer"))], &[], false);
}

#[test]
fn what_touches_a_gene_and_is_not_said_in_bases_leaves_it_open() {
    if grch38().is_none() {
        return;
    }
    let of_dpyd = [
        "chr1 97740410 . G <DEL> . PASS END=97740414 GT 1/1",
        "chr1 97600000 . N <DEL> . PASS END=97670000 GT 1/1",
        "chr1 97600000 . N <DUP> . PASS END=97670000 GT 0/1",
        "chr1 97600000 . N <INV> . PASS END=97670000 GT 0/1",
        "chr1 97740500 . N <DEL> . PASS END=97883300;CIEND=-500,500;IMPRECISE GT 0/1",
        "chr1 96900000 . N <DEL> . PASS END=97050000;CIEND=-50000,50000;IMPRECISE GT 0/1",
        "chr1 97600000 . N N. . PASS SVTYPE=BND GT 0/1",
        "chr1 97600000 . N .NACGT . PASS SVTYPE=BND GT 1/1",
        "chr1 97000000 . N N[chr1:98500000[ . PASS SVTYPE=BND GT 0/1",
        "chr1 97600000 . N <CPX> . PASS END=97670000;SVTYPE=CPX GT 0/1",
        "chr1 97600000 . N <TRA> . PASS CHR2=chr5;END=100000 GT 0/1",
        "chr1 97600000 . N <BND> . PASS SVTYPE=BND;CHR2=chr5;END=97600001 GT 1/1",
        "chr1 97449000 . N <DEL>,<DEL> . PASS SVLEN=-10,-60000 GT 0/2",
        "chr1 97449000 . N <DEL>,<DUP> . PASS SVLEN=10,600000 GT 1/2",
        "chr1 97000000 . N <DEL> . q10 END=98000000 GT:CN 0/1:2",
        "chr1 97000000 . N . . PASS SVTYPE=CNV;END=98000000 GT:CN 0/0:1",
    ];
    let rows: Vec<(&str, &str, Option<&str>)> = of_dpyd.iter().map(|line| ("DPYD", *line, None)).collect();
    check(&rows, &[PLAIN], true);
    let normal = Some("Normal Metabolizer");
    let elsewhere = [
        "chr1 99000000 . N <DEL> . PASS END=99670000 GT 1/1",
        "chr1 96000000 . N <INS> . PASS SVLEN=300 GT 0/1",
        "chr1 97600000 . N <DEL> . PASS END=97670000 GT 0/0",
        "chr1 97600000 . N <CPX> . PASS END=97670000 GT 0/0",
        "chr1 97000000 . N <DEL>,<DUP> . . END=98000000 GT:CN 0:2",
        "chr1 97000000 . N . . PASS SVTYPE=CNV;END=98000000 GT:CN ./.:2",
    ];
    let rows: Vec<(&str, &str, Option<&str>)> = elsewhere.iter().map(|line| ("DPYD", *line, normal)).collect();
    check(&rows, &[PLAIN], true);
    check(
        &[
            ("CYP2C9", "chr10 94949281 . G <DEL> . PASS END=94949282;SVLEN=-1 GT 1/1", None),
            ("CYP2C19", "chr10 94790000 . N <DEL> . PASS END=94842000;SVTYPE=DEL GT 1/1", None),
            ("CYP2C19", "chr10 94781900 . N <INS:ME:ALU> . PASS SVLEN=280 GT 1/1", None),
            ("CYP2C19", "chr10 94700000 . N <DEL> . PASS END=94900000 GT:CN 0/1:0", None),
            ("CYP2C19", "chr10 94700000 . N <DEL> . PASS END=94900000 GT:CN 1/1:1", None),
            ("CYP2C19", "chr10 94700000 . N <DEL>,<DUP> . . END=94900000 GT:CN 1:2", None),
            ("CYP2C19", "chr10 94700000 . N <DEL>,<DUP> . . END=94900000 GT:CN 1:0", Some("Poor Metabolizer")),
            (
                "UGT1A1",
                "chr2 233760498 rs4148323 G A . PASS . GT 0/0\nchr2 233760233 . C <CNV:TR> . PASS SVLEN=14 GT 1/1",
                None,
            ),
            (
                "UGT1A1",
                "chr2 233760498 rs4148323 G A . PASS . GT 0/0\nchr2 233760233 . C <DUP> . PASS END=233760235 GT 1/1",
                None,
            ),
            (
                "NUDT15",
                "chr13 48045719 rs116855232 C T . PASS . GT 0/0\nchr13 48037782 . A <DUP> . PASS END=48037788 GT 1/1",
                None,
            ),
            (
                "TPMT",
                "chr6 18130687 rs1142345 T C . PASS . GT 0/0\nchr6 18134000 . N <DEL> . PASS END=18138900 GT 0/1",
                None,
            ),
        ],
        &["chr10 94842866 rs3758581 A G . PASS . GT 1/1"],
        true,
    );
}

#[test]
fn evidence_against_a_call_leaves_it_unread() {
    if grch38().is_none() {
        return;
    }
    let (normal, one) = (Some("Normal Metabolizer"), Some("Intermediate Metabolizer"));
    let rows: Vec<(String, Option<&str>)> = [
        (". GT:PL 0/0:90,0,90", None),
        (". GT:GQ:PL 0/0:99:90,0,90", None),
        (". GT:PL 0/1:90,60,0", None),
        (". GT:GL 0/0:-9,0,-9", None),
        (". GT:GP 0/0:0.01,0.99,0", None),
        (". GT:DS 0|0:0.48", None),
        (". GT:DS:HDS 0|0:0.9:0.45,0.45", None),
        (". GT:HDS 0|1:0.9,0.1", None),
        (". GT:AD:DP:GQ 0/0:2,38:40:99", None),
        (". GT:DP:RO:AO 0/0:30:0:30", None),
        (". GT:VAF 0/0:0.48", None),
        (". GT:FREQ 0/0:48%", None),
        ("DP=40;DP4=0,0,20,20 GT 0/0", None),
        (". GT:GQX:DP 0/0:2:9", None),
        (". GT:HQ 0/0:2,50", None),
        (". GT:MIN_DP:DP 0/0:0:20", None),
        (". GT:DP:MIN_DP 0/0:20:0", None),
        (". GT:GQ:GQ 0/0:3:99", None),
        (". GT:GT 1/1:0/0", None),
        (". GT:IGC 0/0:0.05", None),
        // what agrees is read
        (". GT:PL 0/0:0,60,90", normal),
        (". GT:PL 0/1:90,0,90", one),
        (". GT:GL 0/1:-9,0,-9", one),
        (". GT:GP 0/1:0.001,0.999,0", one),
        (". GT:DS:HDS 0|1:1.02:0.01,1", one),
        (". GT:AD 0/1:18,20", one),
        (". GT:AD 0/0:40,1", normal),
        (". GT:RO:AO 0/1:12,15", one),
        (". GT:VAF 0/1:0.48", one),
        ("DP4=20,20,1,0 GT 0/0", normal),
        ("DP4=10,10,9,9 GT 0/1", one),
        (". GT:GQX:HQ:IGC 0/0:60:50,50:0.8", normal),
    ]
    .map(|(rest, is)| (format!("{SITE} {rest}"), is))
    .into();
    let rows: Vec<(&str, &str, Option<&str>)> = rows.iter().map(|(line, is)| ("DPYD", line.as_str(), *is)).collect();
    check(&rows, &[], true);
    let mitochondrial = ("MT-RNR1", "chrM 1555 . A G . PASS . GT:AD:AF 0:600,400:0.40", None);
    check(&[mitochondrial], &[], true);
}

#[test]
fn the_line_of_the_place_itself_speaks() {
    if grch38().is_none() {
        return;
    }
    let around = "chr1 97450050 . N <NON_REF> . PASS END=97450070 GT:GQ 0/0:60";
    let normal = Some("Normal Metabolizer");
    check(
        &[
            ("DPYD", "chr1 97450058 . C <NON_REF> . PASS END=97450059 GT:GQ 0/0:0", None),
            ("DPYD", "chr1 97450058 . C . . PASS . GT ./.", None),
            ("DPYD", "chr1 97450058 . C . . PASS . GT 0/0", normal),
        ],
        &[around],
        true,
    );
    // of a block that was not read no more than the place of the other line, for it leaves its other places unread
    let unread = "chr1 97450057 . N <NON_REF> . PASS END=97450058 GT:GQ 0/0:0";
    check(&[("DPYD", "chr1 97450058 . C . . PASS . GT 0/0", normal)], &[unread], true);
}

#[test]
fn orders_of_other_sets_are_none() {
    if grch38().is_none() {
        return;
    }
    // both variants on one haplotype are one allele without function beside one of the reference, on two they are two
    for (fields, first, second) in
        [("GT:PSL", "0|1:a,a", "0|1:b,b"), ("GT:PB:PI", "0|1:x:1", "0|1:y:2"), ("GT", "/0|1", "/0|1")]
    {
        let of = |a: &str, b: &str| {
            phenotype("DPYD", &[format!("{SITE} . {fields} {a}"), format!("{SECOND} . {fields} {b}")], true)
        };
        let unphased = phenotype("DPYD", &[format!("{SITE} . GT 0/1"), format!("{SECOND} . GT 0/1")], true);
        assert_eq!(of(first, second), unphased, "{fields}");
    }
}

#[test]
fn the_assembly_is_what_the_header_names_as_its_reference() {
    if grch38().is_none() {
        return;
    }
    let line = format!("{SITE} . GT 1/1\n").replace(' ', "\t");
    let of = |header: &str, assembly: Option<cupel_pharmacogenomics::Assembly>| {
        let text = format!("##fileformat=VCFv4.2\n##contig=<ID=chr1>\n{header}\n{COLUMNS}{line}");
        read("DPYD", text, PatientConfig { assembly, ..PatientConfig::default() })
    };
    for header in [
        "##bcftools_viewCommand=view a.vcf; commit 9a4b37f2",
        "##CrossMap=hg19ToHg38.over.chain.gz",
        "##GATKCommandLine=<ID=HC,CommandLine=\"--dbsnp dbsnp138.b37.vcf\">",
        "##reference=file:///b37.hg38.fa",
        "##reference=hg19ToHg38.fa",
        "##reference=9a4b37f2.fa",
    ] {
        assert!(of(header, None).unwrap_err().contains("assembly"), "{header}");
        let said = of(header, Some(cupel_pharmacogenomics::Assembly::GRCh38));
        assert_eq!(said, Ok(Some("Poor Metabolizer".into())), "{header}");
    }
    for header in ["##reference=file:///GRCh38.p13.fa", "##contig=<ID=chr10,assembly=hg38>", "##assembly=GRCh38"] {
        assert_eq!(of(header, None), Ok(Some("Poor Metabolizer".into())), "{header}");
    }
}
