//! Contrasts: how much more of each allele a genotype has than the one it is compared with.
//!
//! A genotype is its shares of alleles: `tt` is all t, `ct` half of each, `*1/*3` half of each, `ct+tt` (one or the other) the
//! mean of both. The contrast is the difference of two such, allele by allele, so that swapping genotype and comparison
//! changes its sign and nothing else. A linear model that reads it treats "increased in TT against CC" and "decreased in CC
//! against TT" as the one fact they are, without a copy of the row in which both are swapped.

use cupel_settings::{Range, settings};
use serde::{Deserialize, Serialize};

settings! {
    /// How genotypes are held against what they are compared with.
    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct ContrastConfig in "linear" {
        /// Value of a whole allele more than the comparison has, such as 0.7; 0 for none
        pub value: f64 as "contrasts" = 0.0, in Range::at_least(0.0), "VALUE";
    }
    beside {
        /// The field with the genotype; without such a field, and the next, there are no contrasts.
        pub of: String = "allele".into();
        /// The field with the genotype it is compared with.
        pub to: String = "comparison".into();
        /// The fields that say of which site the alleles are.
        pub by: Vec<String> = vec!["variant_haplotypes".into(), "gene".into()];
        /// The field whose name goes together with each of these.
        pub with: String = "drug".into();
    }
}

/// Alleles with their shares of a genotype, which sum to one; sorted by allele.
pub(crate) type Shares = Vec<(String, f64)>;

/// The shares of the alleles of a normalised genotype, or of the mean of several with `+` between them.
pub(crate) fn shares(text: &str) -> Shares {
    // what stands in brackets after the genotype is what it was taken for
    let text = match text.find('(') {
        Some(at) if at > 0 => text[..at].trim_end(),
        _ => text,
    };
    // the gene before the first star is the same on both sides
    let text = text.find('*').map_or(text, |star| &text[star..]);
    let genotypes: Vec<&str> = text.split('+').map(str::trim).filter(|genotype| !genotype.is_empty()).collect();
    let mut all: Shares = Vec::new();
    for genotype in &genotypes {
        let alleles = alleles(genotype);
        let share = 1.0 / (alleles.len() * genotypes.len()) as f64;
        for allele in alleles {
            match all.iter_mut().find(|(known, _)| *known == allele) {
                Some((_, sum)) => *sum += share,
                None => all.push((allele.to_string(), share)),
            }
        }
    }
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn alleles(genotype: &str) -> Vec<&str> {
    let bases = genotype.bytes().all(|byte| matches!(byte, b'a' | b'c' | b'g' | b't'));
    if genotype.len() == 2 && bases {
        return vec![&genotype[..1], &genotype[1..]];
    }
    genotype.split('/').map(str::trim).filter(|allele| !allele.is_empty()).collect()
}

/// The alleles whose shares differ, with the difference, sorted by allele.
pub(crate) fn differences(own: &Shares, other: &Shares) -> Vec<(String, f64)> {
    let of = |shares: &Shares, allele: &str| shares.iter().find(|(known, _)| known == allele).map_or(0.0, |(_, s)| *s);
    let mut alleles: Vec<&String> = own.iter().chain(other).map(|(allele, _)| allele).collect();
    alleles.sort_unstable();
    alleles.dedup();
    let difference = |allele: &String| (allele.clone(), of(own, allele) - of(other, allele));
    alleles.into_iter().map(difference).filter(|(_, difference)| difference.abs() > f64::EPSILON).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contrast(own: &str, other: &str) -> Vec<(String, f64)> {
        differences(&shares(own), &shares(other))
    }

    #[test]
    fn genotypes_are_their_shares_of_alleles() {
        let expect = |text: &str, expected: &[(&str, f64)]| {
            let expected: Shares = expected.iter().map(|(allele, share)| (allele.to_string(), *share)).collect();
            assert_eq!(shares(text), expected, "{text}");
        };
        expect("tt", &[("t", 1.0)]);
        expect("ct+tt", &[("c", 0.25), ("t", 0.75)]);
        expect("*3", &[("*3", 1.0)]);
        expect("cyp2c9*1/*3", &[("*1", 0.5), ("*3", 0.5)]);
        expect("cyp2c19*1/*1 (assigned as normal metabolizer phenotype)", &[("*1", 1.0)]);
        expect("a/del+del/del", &[("a", 0.25), ("del", 0.75)]);
        expect("(ca)17/(ca)17", &[("(ca)17", 1.0)]);
        expect("", &[]);
    }

    #[test]
    fn swapping_both_sides_changes_the_sign_and_nothing_else() {
        for (own, other) in [("tt", "cc"), ("ct", "cc+ct"), ("*1/*3", "cyp2c9*1/*1"), ("a", "g")] {
            let there = contrast(own, other);
            let back: Vec<(String, f64)> = contrast(other, own).into_iter().map(|(a, d)| (a, -d)).collect();
            assert!(!there.is_empty());
            assert_eq!(there, back);
            assert!(there.iter().map(|(_, d)| d).sum::<f64>().abs() < 1e-12);
        }
        assert!(contrast("ct", "ct").is_empty());
    }
}
