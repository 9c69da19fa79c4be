//! [`is_missing`]: the words that stand for "not known", one list for every reader of tables.

/// Whether a cell says that nothing is known, white space around it aside.
///
/// These are the words of R, of pandas and of ARFF: `NA`, `N/A`, `NaN`, `None`, `null`, `<NA>`, `#N/A`, `?`, a single dot, and nothing at all. `Na`, which may be
/// sodium, and `none`, which may be a finding, are names; the others are missing in any case.
///
/// # Example
/// ```
/// use cupel_data::is_missing;
/// assert!(["", " NA ", "n/a", "None", "?"].iter().all(|cell| is_missing(cell)));
/// assert!(!["Na", "none", "-", "0"].iter().any(|cell| is_missing(cell)));
/// ```
pub fn is_missing(cell: &str) -> bool {
    /// Letters of the longest of them.
    const LONGEST: usize = 4;
    let cell = cell.trim();
    if cell.len() > LONGEST {
        return false;
    }
    matches!(cell, "" | "NA" | "None" | "?" | ".")
        || ["n/a", "nan", "-nan", "null", "<na>", "#na", "#n/a"].iter().any(|word| word.eq_ignore_ascii_case(cell))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_missing_and_names_are_not() {
        for cell in [
            "", " ", "\t", "NA", "N/A", "n/a", "NaN", "nan", "-NaN", "None", " None ", "NULL", "null", "<NA>", "#N/A",
            "?", ".",
        ] {
            assert!(is_missing(cell), "{cell:?}");
        }
        for cell in ["Na", "na", "none", "NONE", "-", "0", "..", "??", "no", "nano", "NA12878", "unknown"] {
            assert!(!is_missing(cell), "{cell:?}");
        }
    }
}
