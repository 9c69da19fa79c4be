//! Small tables of genes, and files of patients.

use std::{fs, path::Path};

/// Two genes: one with alleles of one place each, one with an allele of two places, and the rules for a drug.
pub fn tables(folder: &Path) {
    let write = |name: &str, text: &str| {
        fs::create_dir_all(folder.join("tables/raw")).unwrap();
        fs::write(folder.join("tables").join(name), text.replace(' ', "\t").replace('~', " ")).unwrap();
    };
    write(
        "raw/pypgx_allele-table.csv",
        "Gene,StarAllele,GRCh37Core,GRCh38Core,SV\ngene01,*1,N/A,N/A,FALSE\ngene01,*2,1-100-C-T,1-200-C-T,FALSE\n\
         gene01,*3,1-110-A-G,1-210-A-G,FALSE\ngene01,*4,N/A,N/A,TRUE\ngene02,*1,N/A,N/A,FALSE\n\
         gene02,*2,2-50-G-A,2-60-G-A,FALSE\ngene02,*3,\"2-50-G-A,2-55-T-C\",\"2-60-G-A,2-65-T-C\",FALSE\n\
         gene02,*5,2-55-T-C,2-65-T-C,FALSE\n",
    );
    write(
        "diplotype_phenotype.tsv",
        "gene hap1 hap2 phenotype activity_score\ngene01 *1 *1 Normal~Metabolizer 2.0\n\
         gene01 *1 *2 Intermediate~Metabolizer 1.0\ngene01 *2 *3 Poor~Metabolizer 0.0\n\
         gene02 *1 *1 Normal~Metabolizer \ngene02 *1 *3 Intermediate~Metabolizer \ngene02 *2 *5 Poor~Metabolizer \n",
    );
    write(
        "guideline_recommendations.tsv",
        "source guideline_id recommendation_id drugs lookup population classification implications recommendation\n\
         DPWG P1 R1 drug01 gene01=0.0  N/A none avoid~it\n\
         CPIC P2 R2 drug01 gene01=Poor~Metabolizer general Strong much avoid~drug01\n\
         CPIC P3 R3 drug02 gene01=≥1.5 general Strong none usual~dose\n\
         CPIC P4 R4 drug03 gene01=Poor~Metabolizer|gene02=No~Result general Optional some half~dose\n",
    );
}

/// Genotypes of one sample, fields of `records` apart by spaces.
pub fn vcf(folder: &Path, name: &str, records: &[&str]) {
    let head = "##fileformat=VCFv4.3\n##contig=<ID=chr1,length=248956422>\n\
                ##FORMAT=<ID=GT,Number=1,Type=String,Description=\"Genotype\">\n\
                ##FORMAT=<ID=PS,Number=1,Type=Integer,Description=\"Phase set\">\n\
                ##INFO=<ID=END,Number=1,Type=Integer,Description=\"End\">\n\
                #CHROM POS ID REF ALT QUAL FILTER INFO FORMAT S1\n";
    let text = format!("{head}{}\n", records.join("\n"));
    let tabbed: String = text
        .lines()
        .map(|line| if line.starts_with("##") { format!("{line}\n") } else { format!("{}\n", line.replace(' ', "\t")) })
        .collect();
    fs::write(folder.join(name), tabbed).unwrap();
}
