//! [`Assembly`]: the coordinates of a file, and the names and lengths of chromosomes that tell which they are.
//!
//! Names are UCSC's (`chr10`), Ensembl's (`10`), RefSeq's (`NC_000010.11`) and GenBank's (`CM000672.2`); the version of an accession
//! belongs to one assembly. Lengths are those of the primary assemblies GRCh37 and GRCh38 (Genome Reference Consortium).

use cupel_settings::choices;

choices! {
    /// The coordinates that positions are counted in.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Assembly {
        /// hg19
        GRCh37 = "GRCh37" | "hg19",
        /// hg38
        GRCh38 = "GRCh38" | "hg38",
    }
}

/// Of each chromosome its name, its length in GRCh37 and GRCh38, and the version of its RefSeq accession in GRCh37; that of GRCh38 is the
/// next.
const CHROMOSOMES: [(&str, u64, u64, u32); 24] = [
    ("1", 249_250_621, 248_956_422, 10),
    ("2", 243_199_373, 242_193_529, 11),
    ("3", 198_022_430, 198_295_559, 11),
    ("4", 191_154_276, 190_214_555, 11),
    ("5", 180_915_260, 181_538_259, 9),
    ("6", 171_115_067, 170_805_979, 11),
    ("7", 159_138_663, 159_345_973, 13),
    ("8", 146_364_022, 145_138_636, 10),
    ("9", 141_213_431, 138_394_717, 11),
    ("10", 135_534_747, 133_797_422, 10),
    ("11", 135_006_516, 135_086_622, 9),
    ("12", 133_851_895, 133_275_309, 11),
    ("13", 115_169_878, 114_364_328, 10),
    ("14", 107_349_540, 107_043_718, 8),
    ("15", 102_531_392, 101_991_189, 9),
    ("16", 90_354_753, 90_338_345, 9),
    ("17", 81_195_210, 83_257_441, 10),
    ("18", 78_077_248, 80_373_285, 9),
    ("19", 59_128_983, 58_617_616, 9),
    ("20", 63_025_520, 64_444_167, 10),
    ("21", 48_129_895, 46_709_983, 8),
    ("22", 51_304_566, 50_818_468, 10),
    ("X", 155_270_560, 156_040_895, 10),
    ("Y", 59_373_566, 57_227_415, 9),
];
/// GenBank's accession of chromosome 1; the others follow it, and version 1 is GRCh37, version 2 GRCh38.
const FIRST_GENBANK: usize = 663;

impl Assembly {
    /// The other one.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::GRCh37 => Self::GRCh38,
            Self::GRCh38 => Self::GRCh37,
        }
    }

    /// The lengths of a chromosome in GRCh37 and GRCh38, where it is one of those that are known.
    pub(crate) fn lengths(chromosome: &str) -> Option<[u64; 2]> {
        CHROMOSOMES.iter().find(|known| known.0 == chromosome).map(|(_, old, new, _)| [*old, *new])
    }

    /// The assembly in which a chromosome has this length.
    pub(crate) fn of_length(chromosome: &str, length: u64) -> Option<Self> {
        let [old, new] = Self::lengths(chromosome)?;
        if length == old { Some(Self::GRCh37) } else { (length == new).then_some(Self::GRCh38) }
    }
}

/// A chromosome by one name, without "chr" and the mitochondrion as `MT`, and the assembly that an accession belongs to.
pub(crate) fn chromosome_of(name: &str) -> (String, Option<Assembly>) {
    if let Some((number, version)) = accession(name, "NC_") {
        if number == 12_920 {
            return ("MT".into(), None);
        }
        if let Some((known, _, _, old)) = number.checked_sub(1).and_then(|index| CHROMOSOMES.get(index)) {
            let assembly = match version.checked_sub(*old) {
                Some(0) => Some(Assembly::GRCh37),
                Some(1) => Some(Assembly::GRCh38),
                _ => None,
            };
            return ((*known).to_string(), assembly);
        }
    }
    if let Some((number, version)) = accession(name, "CM")
        && let Some((known, ..)) = number.checked_sub(FIRST_GENBANK).and_then(|index| CHROMOSOMES.get(index))
    {
        let assembly = match version {
            1 => Some(Assembly::GRCh37),
            2 => Some(Assembly::GRCh38),
            _ => None,
        };
        return ((*known).to_string(), assembly);
    }
    let bare = match name.get(..3) {
        Some(start) if start.eq_ignore_ascii_case("chr") => &name[3..],
        _ => name,
    };
    (if matches!(bare, "M" | "m" | "J01415.2") { "MT".into() } else { bare.to_ascii_uppercase() }, None)
}

/// Number and version of an accession.
fn accession(name: &str, letters: &str) -> Option<(usize, u32)> {
    let (number, version) = name.strip_prefix(letters)?.split_once('.')?;
    Some((number.parse().ok()?, version.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chromosome_has_one_name() {
        for name in ["10", "chr10", "Chr10", "NC_000010.11", "NC_000010.10", "CM000672.2", "CM000672.1"] {
            assert_eq!(chromosome_of(name).0, "10", "{name}");
        }
        assert_eq!(chromosome_of("NC_000010.11").1, Some(Assembly::GRCh38));
        assert_eq!(chromosome_of("CM000672.1").1, Some(Assembly::GRCh37));
        assert_eq!(chromosome_of("NC_000023.10"), ("X".into(), Some(Assembly::GRCh37)));
        assert_eq!(chromosome_of("CM000686.2"), ("Y".into(), Some(Assembly::GRCh38)));
        assert_eq!((chromosome_of("chrM").0, chromosome_of("NC_012920.1").0), ("MT".into(), "MT".into()));
        assert_eq!(chromosome_of("chrUn_KI270742v1"), ("UN_KI270742V1".into(), None));
        assert_eq!(chromosome_of(""), (String::new(), None));
    }

    #[test]
    fn a_length_belongs_to_one_assembly() {
        for (name, old, new, _) in CHROMOSOMES {
            assert_ne!(old, new);
            assert_eq!(Assembly::of_length(name, old), Some(Assembly::GRCh37));
            assert_eq!(Assembly::of_length(name, new), Some(Assembly::GRCh38));
        }
        assert_eq!(Assembly::of_length("10", 1), None);
    }
}
