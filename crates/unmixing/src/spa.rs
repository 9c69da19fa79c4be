//! Successive projection algorithm: the longest spectrum, then the longest of what is left orthogonal to it.
//!
//! M. C. U. Araujo et al., Chemometrics and Intelligent Laboratory Systems 57, 65 (2001); robustness proved by
//! N. Gillis, S. A. Vavasis, IEEE TPAMI 36(4), 698 (2014), arXiv 1208.1237. It is deterministic.

use crate::{Pixels, Result, vca::check_count};

/// Extracts the pixels of `count` endmembers.
///
/// # Errors
/// [`crate::Error::EndmemberCount`] for a count of zero or more than bands or pixels.
pub fn spa(pixels: &Pixels, count: usize) -> Result<Vec<usize>> {
    check_count(pixels, count)?;
    let mut rest: Vec<f64> = pixels.values().iter().map(|&v| f64::from(v)).collect();
    Ok(choose(&mut rest, pixels.bands(), count))
}

/// The same on rows of `rank` coordinates, which are used up.
pub(crate) fn choose(rest: &mut [f64], rank: usize, count: usize) -> Vec<usize> {
    remaining(rest, rank, count).into_iter().map(|(row, _)| row).collect()
}

/// The same with the length that was left of each row that is chosen.
pub(crate) fn remaining(rest: &mut [f64], rank: usize, count: usize) -> Vec<(usize, f64)> {
    let mut chosen = Vec::with_capacity(count);
    for _ in 0..count {
        let square = |row: &[f64]| row.iter().map(|v| v * v).sum::<f64>();
        let longest =
            rest.chunks_exact(rank).map(square).enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(n, _)| n);
        let row = &rest[longest * rank..(longest + 1) * rank];
        let length = square(row).sqrt();
        let direction: Vec<f64> = row.iter().map(|v| v / length.max(f64::MIN_POSITIVE)).collect();
        for row in rest.chunks_exact_mut(rank) {
            let along: f64 = row.iter().zip(&direction).map(|(v, d)| v * d).sum();
            row.iter_mut().zip(&direction).for_each(|(v, d)| *v -= along * d);
        }
        chosen.push((longest, length));
    }
    chosen
}
