//! Which assembly a VCF file says it is in, and whether its mitochondrion is the definitions'.

use super::{
    assembly::{Assembly, chromosome_of},
    vcf::Vcf,
};
use crate::error::Result;
use cupel_settings::Problem;

/// The assembly that a file says it is in, by the lengths and accessions of its chromosomes or by name.
///
/// # Errors
/// [`Error::Setting`] where a chromosome has a length that it has in neither assembly, or where some have those of one and some of the other.
pub(crate) fn assembly_of(vcf: &Vcf) -> Result<Option<Assembly>> {
    let mut said: Option<(Assembly, String)> = None;
    for line in vcf.meta.iter().filter_map(|line| line.strip_prefix("##contig=<")) {
        let entry = |key: &str| line.trim_end_matches('>').split(',').find_map(|entry| entry.trim().strip_prefix(key));
        let Some((name, own)) = entry("ID=").map(chromosome_of) else { continue };
        let length = entry("length=").and_then(|text| text.parse().ok());
        let by_length = length.and_then(|length| Assembly::of_length(&name, length));
        if let (Some(length), Some([old, new]), None) = (length, Assembly::lengths(&name), by_length) {
            let got = format!("chromosome {name} of {length} bases");
            let expected = format!("GRCh37 ({old} bases) or GRCh38 ({new}); lift the file over to one of them");
            return Err(Problem::value("assembly", got, expected).into());
        }
        for own in by_length.into_iter().chain(own) {
            match &said {
                Some((known, first)) if *known != own => {
                    let got = format!("chromosome {first} of {known} and chromosome {name} of {own}");
                    return Err(Problem::value("assembly", got, "a file in one assembly").into());
                }
                Some(_) => {}
                None => said = Some((own, name.clone())),
            }
        }
    }
    if let Some((assembly, _)) = said {
        return Ok(Some(assembly));
    }
    Ok(named(&vcf.meta))
}

/// The assembly that the header names as its reference, in whole words: what commands and versions say is no word on it, and neither is a file that was
/// lifted from one to another.
fn named(meta: &[String]) -> Option<Assembly> {
    let reference = |line: &&String| line.starts_with("##reference=") || line.starts_with("##assembly=");
    let of_contig = |line: &str| -> Option<String> {
        let entries = line.strip_prefix("##contig=<")?.trim_end_matches('>').split(',');
        entries.map(str::trim).find_map(|entry| entry.strip_prefix("assembly=")).map(str::to_lowercase)
    };
    let texts = meta.iter().filter(reference).map(|line| line.to_lowercase());
    let mut found = None;
    for text in texts.chain(meta.iter().filter_map(|line| of_contig(line))) {
        for word in text.split(|letter: char| !letter.is_alphanumeric()) {
            let own = match word {
                "grch37" | "hg19" | "b37" | "hs37d5" => Assembly::GRCh37,
                "grch38" | "hg38" => Assembly::GRCh38,
                lifted if lifted.contains("tohg") || lifted.contains("togrch") => return None,
                _ => continue,
            };
            if found.is_some_and(|known| known != own) {
                return None;
            }
            found = Some(own);
        }
    }
    found
}

/// Bases of the mitochondrion that all definitions count on (rCRS, NC_012920), and of the one of UCSC's hg19 (NC_001807), where the same place has another number.
pub(super) const MITOCHONDRIA: [u64; 2] = [16_569, 16_571];

/// Why the mitochondrion of a file is not read, where that is so: it is hg19's, or in GRCh37 the file does not say which it is.
pub(super) fn other_mitochondrion(vcf: &Vcf, assembly: Assembly) -> Option<&'static str> {
    let mut known = false;
    for line in vcf.meta.iter().filter_map(|line| line.strip_prefix("##contig=<")) {
        let entry = |key: &str| line.trim_end_matches('>').split(',').find_map(|entry| entry.trim().strip_prefix(key));
        let Some(id) = entry("ID=") else { continue };
        let length: Option<u64> = entry("length=").and_then(|text| text.parse().ok());
        let is_old = id.starts_with("NC_001807") || chromosome_of(id).0 == "MT" && length == Some(MITOCHONDRIA[1]);
        if is_old {
            return Some(
                "the mitochondrion is that of hg19 (NC_001807), whose places have other numbers: it is not read",
            );
        }
        known |= id.starts_with("NC_012920") || chromosome_of(id).0 == "MT" && length == Some(MITOCHONDRIA[0]);
    }
    let open = assembly == Assembly::GRCh37 && !known;
    open.then_some(
        "files in GRCh37 have one of two mitochondria, and this one does not say which (length of its contig): it is not read",
    )
}
