//! [`atc_levels`]: the classes that drugs belong to.
//!
//! The Anatomical Therapeutic Chemical classification of the WHO puts every drug into five levels, each a longer prefix of its
//! code: `J05AF06` is of `J` (against infections), `J05` (viruses), `J05A` (systemic), `J05AF` (nucleosides) and itself.

use crate::{error::Result, normalise::normalise};
use cupel_data::TextRows;
use std::{collections::BTreeMap, path::Path};

/// Lengths of the prefixes that are the levels of a code.
const LEVELS: [usize; 5] = [1, 3, 4, 5, 7];

/// The levels of the codes of each drug, by its normalised name, of a table with the columns `Drug` and `ATC`, in which
/// several codes have commas between them.
///
/// # Errors
/// [`Error::Data`](crate::Error::Data) when the table cannot be read or lacks a column.
pub fn atc_levels(path: &Path) -> Result<BTreeMap<String, Vec<String>>> {
    let mut rows = TextRows::open(path)?;
    let (drug, codes) = (rows.position("Drug")?, rows.position("ATC")?);
    let mut levels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    while let Some(row) = rows.next()? {
        let cells: Vec<&str> = row.cells().collect();
        let mut name = String::new();
        normalise(cells[drug], &mut name);
        let known = levels.entry(name).or_default();
        for code in cells[codes].split(',').map(str::trim) {
            known.extend(LEVELS.iter().filter_map(|length| code.get(..*length)).map(str::to_string));
        }
        known.sort();
        known.dedup();
    }
    levels.retain(|_, levels| !levels.is_empty());
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_become_their_levels() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("drugs.csv");
        std::fs::write(&path, "Gene,Drug,ATC\nA,Abacavir,\"J05AF06, J05AR02\"\nB,abacavir,J05AF06\nC,nameless,\n")
            .unwrap();
        let levels = atc_levels(&path).unwrap();
        assert_eq!(levels.len(), 1);
        assert_eq!(levels["abacavir"], ["J", "J05", "J05A", "J05AF", "J05AF06", "J05AR", "J05AR02"]);
    }
}
