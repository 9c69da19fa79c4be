//! [`interval`]: how far a measure could have come out otherwise, had other groups been tested.
//!
//! Rows of one annotation resemble each other, so that groups are drawn with replacement, not rows (Davison and Hinkley
//! 1997, chapter 3.8).

use crate::quantile;
use cupel_data::Stream;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;

/// The middle 95 % of the resampled values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interval {
    /// 2.5 % lie below.
    pub low: f64,
    /// 2.5 % lie above.
    pub high: f64,
}

/// Intervals of the numbers that `measure` gives of a list of rows, from `draws` resamples of the groups of `rows`;
/// `groups[row]` is the group of a row. A number that is `None` in some resample has no interval there.
///
/// Depends on `seed` and not on the number of threads.
pub fn interval(
    rows: &[usize],
    groups: &[u32],
    draws: usize,
    seed: u64,
    measure: impl Fn(&[usize]) -> Vec<Option<f64>> + Sync,
) -> Vec<Option<Interval>> {
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for row in rows {
        members.entry(groups[*row]).or_default().push(*row);
    }
    let members: Vec<Vec<usize>> = members.into_values().collect();
    let stream = Stream::new(seed, "bootstrap by group");
    let values: Vec<Vec<Option<f64>>> = (0..draws)
        .into_par_iter()
        .map(|draw| {
            let mut rng = stream.child(draw as u64).rng();
            let chosen = (0..members.len()).map(|_| rng.below(members.len() as u64) as usize);
            let resampled: Vec<usize> = chosen.flat_map(|group| members[group].iter().copied()).collect();
            measure(&resampled)
        })
        .collect();
    let count = values.first().map_or(0, Vec::len);
    (0..count)
        .map(|which| {
            let drawn: Vec<f64> = values.iter().filter_map(|draw| draw[which]).collect();
            (drawn.len() == draws).then(|| Interval { low: quantile(&drawn, 0.025), high: quantile(&drawn, 0.975) })
        })
        .collect()
}
