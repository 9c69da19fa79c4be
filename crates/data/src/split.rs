//! Splits of rows into training, validation and test parts that keep every group on one side.
//!
//! Rows of one group (a patient, a drug, the tiles of one scene) resemble each other; with some of them in training,
//! a test measures memory instead of skill. Rows that are all independent are groups of one: [`Split::random`].

use crate::{
    error::{Error, Result},
    stream::Stream,
};
use std::collections::{BTreeMap, HashMap};

/// The shares of the rows that go to training, validation and test; they sum to one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fractions {
    /// To fit on, above 0.
    pub train: f64,
    /// To choose settings and stop early on; may be 0.
    pub validation: f64,
    /// To report on; may be 0.
    pub test: f64,
}

/// Row numbers of the three parts, ascending in each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// To fit on.
    pub train: Vec<usize>,
    /// To choose settings and stop early on.
    pub validation: Vec<usize>,
    /// To report on.
    pub test: Vec<usize>,
}

/// How many leaking groups an error names.
const NAMED_LEAKS: usize = 5;

impl Split {
    /// Whole groups into the parts, so that the parts come as near to `fractions` of the rows as groups allow.
    ///
    /// `groups[row]` is the group of a row. The groups are taken from the largest to the smallest, those of one size in
    /// random order, and each goes to the part that lacks most rows; where there are as many groups as parts with a
    /// fraction above 0, none of these stays empty.
    ///
    /// # Errors
    /// [`Error::Setting`] when the fractions are no shares of one, [`Error::Count`] when there are fewer groups than
    /// parts.
    ///
    /// # Example
    /// ```
    /// use cupel_data::{Fractions, Split, Stream};
    /// # fn main() -> cupel_data::Result<()> {
    /// let patients = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4];
    /// let fractions = Fractions { train: 0.6, validation: 0.2, test: 0.2 };
    /// let split = Split::by_group(&patients, fractions, Stream::new(0, "split"))?;
    /// split.check_leakage(&patients)?;
    /// assert_eq!((split.train.len(), split.validation.len(), split.test.len()), (6, 2, 2));
    /// # Ok(())
    /// # }
    /// ```
    pub fn by_group(groups: &[u32], fractions: Fractions, stream: Stream) -> Result<Self> {
        let Fractions { train, validation, test } = fractions;
        let shares = [train, validation, test];
        let sum: f64 = shares.iter().sum();
        if !(shares.iter().all(|share| *share >= 0.0) && train > 0.0 && (sum - 1.0).abs() < 1e-6) {
            return Err(Error::Setting {
                name: "fractions",
                value: format!("{train} + {validation} + {test}"),
                problem: "they must be 0 or more, with some to train on, and sum to 1".into(),
            });
        }
        let used: Vec<usize> = (0..shares.len()).filter(|&part| shares[part] > 0.0).collect();
        let weights: Vec<f64> = used.iter().map(|&part| shares[part]).collect();
        let mut parts = [const { Vec::new() }; 3];
        for (part, rows) in used.into_iter().zip(deal(groups, &weights, stream)?) {
            parts[part] = rows;
        }
        let [train, validation, test] = parts;
        Ok(Self { train, validation, test })
    }

    /// Single rows into the parts, for rows that are independent of each other.
    ///
    /// # Errors
    /// As [`by_group`](Self::by_group), and [`Error::TooLarge`] for more than 2^32 rows.
    pub fn random(rows: usize, fractions: Fractions, stream: Stream) -> Result<Self> {
        Self::by_group(&singletons(rows)?, fractions, stream)
    }

    /// `folds` splits without a validation part, in each of which another fold is the test part; every row is tested
    /// once and no group is divided. The folds are as equal in rows as the groups allow.
    ///
    /// # Errors
    /// [`Error::Setting`] for fewer than 2 folds, [`Error::Count`] when there are fewer groups than folds.
    pub fn k_fold(groups: &[u32], folds: usize, stream: Stream) -> Result<Vec<Self>> {
        if folds < 2 {
            return Err(Error::Setting {
                name: "folds",
                value: folds.to_string(),
                problem: "at least 2 are needed, one to train on and one to test".into(),
            });
        }
        let tests = deal(groups, &vec![1.0 / folds as f64; folds], stream)?;
        let split = |test: Vec<usize>| {
            let mut tested = vec![false; groups.len()];
            test.iter().for_each(|&row| tested[row] = true);
            let train = (0..groups.len()).filter(|&row| !tested[row]).collect();
            Self { train, validation: Vec::new(), test }
        };
        Ok(tests.into_iter().map(split).collect())
    }

    /// The parts with their names.
    pub fn parts(&self) -> [(&'static str, &[usize]); 3] {
        [("train", &self.train), ("validation", &self.validation), ("test", &self.test)]
    }

    /// Passes when no group has rows in two parts, and no row is in two; for splits that come from a file as well.
    ///
    /// # Errors
    /// [`Error::Leak`] naming the first leaking groups and their parts, [`Error::Index`] for a row without a group.
    pub fn check_leakage(&self, groups: &[u32]) -> Result<()> {
        let mut owner: HashMap<u32, &'static str> = HashMap::new();
        let mut leaking: BTreeMap<u32, (&'static str, &'static str)> = BTreeMap::new();
        for (name, rows) in self.parts() {
            for &row in rows {
                let group = *groups.get(row).ok_or(Error::Index {
                    doing: "checking a split for leaks",
                    index: row,
                    len: groups.len(),
                })?;
                let first = *owner.entry(group).or_insert(name);
                if first != name {
                    leaking.entry(group).or_insert((first, name));
                }
            }
        }
        if leaking.is_empty() {
            return Ok(());
        }
        let first = leaking.iter().take(NAMED_LEAKS).map(|(&group, &(a, b))| (group, a, b)).collect();
        Err(Error::Leak { count: leaking.len(), first })
    }
}

fn singletons(rows: usize) -> Result<Vec<u32>> {
    let too_large = |_| Error::TooLarge {
        doing: "splitting rows at random",
        size: format!("{rows} rows"),
        limit: format!("{} rows; split by group instead", u32::MAX),
    };
    u32::try_from(rows).map(|rows| (0..rows).collect()).map_err(too_large)
}

/// Deals whole groups to parts of these positive weights, which sum to one; each part gets at least one group.
fn deal(groups: &[u32], weights: &[f64], stream: Stream) -> Result<Vec<Vec<usize>>> {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (row, &group) in groups.iter().enumerate() {
        members.entry(group).or_default().push(row);
    }
    if members.len() < weights.len() {
        return Err(Error::Count {
            doing: "splitting by group, one group per part at least",
            what: "groups or more",
            expected: weights.len(),
            got: members.len(),
        });
    }
    let members: Vec<Vec<usize>> = members.into_values().collect();
    let mut order = stream.permutation(members.len());
    order.sort_by_key(|&group| std::cmp::Reverse(members[group].len()));

    let wanted: Vec<f64> = weights.iter().map(|weight| weight * groups.len() as f64).collect();
    let mut parts = vec![Vec::new(); weights.len()];
    let mut empty = parts.len();
    for (dealt, &group) in order.iter().enumerate() {
        // The last groups are kept for parts that have none yet.
        let only_empty = order.len() - dealt <= empty;
        let lack = |part: usize| wanted[part] - parts[part].len() as f64;
        let candidates = (0..parts.len()).filter(|&part| !only_empty || parts[part].is_empty());
        let Some(part) = candidates.max_by(|&a, &b| lack(a).total_cmp(&lack(b)).then(b.cmp(&a))) else {
            break;
        };
        empty -= usize::from(parts[part].is_empty());
        parts[part].extend_from_slice(&members[group]);
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn stream(seed: u64) -> Stream {
        Stream::new(seed, "split test")
    }

    fn sorted_rows(split: &Split) -> Vec<usize> {
        let mut rows: Vec<usize> = split.parts().into_iter().flat_map(|(_, rows)| rows.to_vec()).collect();
        rows.sort_unstable();
        rows
    }

    fn group_count(groups: &[u32]) -> usize {
        groups.iter().collect::<BTreeSet<_>>().len()
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_part_and_every_group_too(
            groups in prop::collection::vec(0_u32..30, 1..300),
            cut in (0.05_f64..0.9, 0.05_f64..0.9),
            seed in any::<u64>(),
        ) {
            let (a, b) = (cut.0.min(cut.1), cut.0.max(cut.1));
            let fractions = Fractions { train: a, validation: b - a, test: 1.0 - b };
            let parts = if b > a { 3 } else { 2 };
            let result = Split::by_group(&groups, fractions, stream(seed));
            if group_count(&groups) < parts {
                prop_assert!(matches!(result, Err(Error::Count { .. })), "{:?}", result);
            } else {
                let split = result.unwrap();
                prop_assert!(sorted_rows(&split).into_iter().eq(0..groups.len()));
                split.check_leakage(&groups).unwrap();
                prop_assert!(!split.train.is_empty() && !split.test.is_empty());
                prop_assert!(split.parts().iter().all(|(_, rows)| rows.is_sorted()));
                prop_assert_eq!(&split, &Split::by_group(&groups, fractions, stream(seed)).unwrap());
            }
        }

        #[test]
        fn folds_test_every_row_once(
            groups in prop::collection::vec(0_u32..40, 1..300),
            folds in 2_usize..8,
            seed in any::<u64>(),
        ) {
            let result = Split::k_fold(&groups, folds, stream(seed));
            if group_count(&groups) < folds {
                prop_assert!(matches!(result, Err(Error::Count { .. })), "{:?}", result);
            } else {
                let splits = result.unwrap();
                let mut tested: Vec<usize> = splits.iter().flat_map(|split| split.test.clone()).collect();
                tested.sort_unstable();
                prop_assert!(tested.into_iter().eq(0..groups.len()));
                for split in &splits {
                    prop_assert!(sorted_rows(split).into_iter().eq(0..groups.len()));
                    split.check_leakage(&groups).unwrap();
                    prop_assert!(!split.test.is_empty() && !split.train.is_empty());
                }
            }
        }
    }

    #[test]
    fn parts_come_as_near_to_the_fractions_as_groups_allow() {
        let groups: Vec<u32> = (0..1000).map(|row| row / 4).collect();
        let fractions = Fractions { train: 0.7, validation: 0.2, test: 0.1 };
        let split = Split::by_group(&groups, fractions, stream(1)).unwrap();
        for ((name, rows), wanted) in split.parts().into_iter().zip([700, 200, 100]) {
            assert!(rows.len().abs_diff(wanted) <= 4, "{name}: {} of {wanted}", rows.len());
        }
        let all = Split::random(1000, Fractions { train: 0.75, validation: 0.0, test: 0.25 }, stream(1)).unwrap();
        assert_eq!((all.train.len(), all.validation.len(), all.test.len()), (750, 0, 250));
    }

    #[test]
    fn which_groups_are_tested_depends_on_the_seed_and_covers_all() {
        let fractions = Fractions { train: 0.8, validation: 0.0, test: 0.2 };
        let test = |seed| Split::random(20, fractions, stream(seed)).unwrap().test;
        assert_ne!(test(1), test(2));
        let seen: BTreeSet<usize> = (0..60).flat_map(test).collect();
        assert_eq!(seen.len(), 20);
    }

    #[test]
    fn leaks_are_named() {
        let groups = [4, 4, 5, 6, 6, 6];
        let split = Split { train: vec![0, 2, 3], validation: vec![4], test: vec![1, 5] };
        assert_eq!(
            split.check_leakage(&groups).unwrap_err().to_string(),
            "2 groups stand in more than one part of the split \
             (first: group 4 in train and test, group 6 in train and validation); split by group"
        );
        let beyond = Split { train: vec![6], validation: vec![], test: vec![] };
        assert!(matches!(beyond.check_leakage(&groups), Err(Error::Index { index: 6, len: 6, .. })));
    }

    #[test]
    fn impossible_settings_are_refused() {
        let split = |train, validation, test| Split::random(9, Fractions { train, validation, test }, stream(0));
        for result in [split(0.5, 0.1, 0.1), split(0.0, 0.5, 0.5), split(1.2, -0.2, 0.0), split(f64::NAN, 0.5, 0.5)] {
            assert!(matches!(result, Err(Error::Setting { name: "fractions", .. })), "{result:?}");
        }
        assert!(matches!(Split::k_fold(&[0, 1, 2], 1, stream(0)), Err(Error::Setting { name: "folds", .. })));
        assert_eq!(
            Split::k_fold(&[7, 7, 8], 3, stream(0)).unwrap_err().to_string(),
            "splitting by group, one group per part at least: expected 3 groups or more, got 2"
        );
    }
}
