//! Whole groups dealt into parts and folds, so that each has its share of every class.

use crate::{
    error::Result,
    examples::Examples,
    splits::{Parts, classes, distinct},
};
use cupel_data::{MISSING, Stream};
use cupel_settings::Problem;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Folds that share no code of `apart`: whole codes of the coarsest of these are dealt, and of the rows that train those are dropped that share another
/// with the held-out ones. Without any, rows are dealt.
pub(crate) fn folds_by(
    examples: &Examples,
    apart: &[&[u32]],
    rows: &[usize],
    folds: usize,
    seed: u64,
) -> Result<Vec<Parts>> {
    if folds < 2 {
        return Err(Problem::value("folds", folds, "at least 2").into());
    }
    let stream = Stream::new(seed, "pharmacogenomic folds");
    let shares = vec![1.0 / folds as f64; folds];
    let each: Vec<u32> = (0..examples.len() as u32).collect();
    let units = apart.iter().copied().min_by_key(|codes| distinct(codes, rows)).unwrap_or(&each);
    let dealt = deal_rows(examples, units, rows, &shares, stream)?;
    let inside: HashSet<usize> = rows.iter().copied().collect();
    let outside: Vec<usize> = (0..examples.len()).filter(|row| !inside.contains(row)).collect();
    let fold = |k: usize| {
        let held_out = &dealt[k];
        let of_held_out = |codes: &&[u32]| held_out.iter().map(|row| codes[*row]).collect::<HashSet<u32>>();
        let taken: Vec<HashSet<u32>> = apart.iter().map(of_held_out).collect();
        let shares_one = |row: &usize| {
            let shared =
                |(codes, taken): (&&[u32], &HashSet<u32>)| codes[*row] != MISSING && taken.contains(&codes[*row]);
            apart.iter().zip(&taken).any(shared)
        };
        let others = dealt.iter().enumerate().filter(|(i, _)| *i != k).flat_map(|(_, rows)| rows.iter().copied());
        let (mut dropped, mut train): (Vec<usize>, Vec<usize>) = others.partition(shares_one);
        train.sort_unstable();
        dropped.extend(&outside);
        dropped.sort_unstable();
        Parts { train, validation: held_out.clone(), test: Vec::new(), dropped }
    };
    Ok((0..folds).map(fold).collect())
}

pub(crate) fn deal(examples: &Examples, shares: &[f64], stream: Stream) -> Result<Vec<Vec<usize>>> {
    let rows: Vec<usize> = (0..examples.len()).collect();
    deal_rows(examples, &examples.groups_or_rows(), &rows, shares, stream)
}

/// Whole groups into parts: from the largest group to the smallest, those of one size in random order, each to the part
/// whose missing rows of the group's classes are the most.
fn deal_rows(
    examples: &Examples,
    groups: &[u32],
    rows: &[usize],
    shares: &[f64],
    stream: Stream,
) -> Result<Vec<Vec<usize>>> {
    let classes = classes(examples)?;
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    let mut totals: BTreeMap<u32, f64> = BTreeMap::new();
    for row in rows {
        members.entry(groups[*row]).or_default().push(*row);
        *totals.entry(classes[*row]).or_default() += 1.0;
    }
    let members: Vec<Vec<usize>> = members.into_values().collect();
    if members.len() < shares.len() {
        let expected = format!("at least {}, one for each part", shares.len());
        return Err(Problem::value("split", format!("{} groups", members.len()), expected).into());
    }
    let mut order = stream.permutation(members.len());
    order.sort_by_key(|group| std::cmp::Reverse(members[*group].len()));
    let wanted = |class: u32, part: usize| totals.get(&class).copied().unwrap_or(0.0) * shares[part];
    let mut have: Vec<HashMap<u32, f64>> = vec![HashMap::new(); shares.len()];
    let mut parts: Vec<Vec<usize>> = vec![Vec::new(); shares.len()];
    for group in order {
        // how much rarer than wanted the classes of the group are in each part; rare classes weigh as much as common ones
        let lack = |part: usize| -> f64 {
            let of_row = |row: &usize| {
                let class = classes[*row];
                let wanted = wanted(class, part).max(f64::MIN_POSITIVE);
                (wanted - have[part].get(&class).copied().unwrap_or(0.0)) / wanted
            };
            if shares[part] == 0.0 { f64::NEG_INFINITY } else { members[group].iter().map(of_row).sum() }
        };
        let mut best = (f64::NEG_INFINITY, 0);
        for part in 0..shares.len() {
            let lack = lack(part);
            if lack > best.0 {
                best = (lack, part);
            }
        }
        for row in &members[group] {
            *have[best.1].entry(classes[*row]).or_default() += 1.0;
        }
        parts[best.1].extend(&members[group]);
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    Ok(parts)
}
