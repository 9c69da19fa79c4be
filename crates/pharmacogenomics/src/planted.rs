//! [`planted`]: a simulated table whose answers come from a known model, so that a fit can be measured against the truth.
//!
//! Four fields of independent names. Of their six pairs three carry signal: the logit of a class is the sum, over these
//! pairs, of a dot product of random vectors of the two names. Nothing in it is real.

use crate::{
    error::Result,
    examples::Examples,
    schema::{Field, Schema, Target},
};
use cupel_data::{Column, Stream, Table};

/// The fields of the table.
pub const PLANTED_FIELDS: [&str; 4] = ["drug", "genalle", "gene", "allele"];
/// The pairs of fields that carry signal.
pub const PLANTED_PAIRS: [[usize; 2]; 3] = [[0, 1], [0, 2], [1, 3]];

/// Different names of each field.
const NAMES: usize = 6;
/// Components of the vectors whose dot products make the logits.
const RANK: usize = 4;
/// Standard deviation of the logit of one pair.
const STRENGTH: f64 = 1.1;
/// Rows of one group.
const GROUP_ROWS: usize = 2;
/// Kinds of effect, directions and outcomes.
const COUNTS: [usize; 3] = [5, 2, 3];

/// The simulated examples with the logits they were drawn from.
#[derive(Clone, Debug)]
pub struct Planted {
    /// The table with its schema: targets `effect_type`, `effect_direction` and `phenotype_outcome`, group
    /// `annotation_id`.
    pub examples: Examples,
    /// Row-major logits of each target, in the order of the schema's targets, classes in the order of their names.
    pub logits: [Vec<f64>; 3],
}

/// The table that stands in for a file, always the same.
///
/// # Errors
/// As [`planted`].
pub fn demo() -> Result<Examples> {
    /// Its size and seed.
    const DEMO: (usize, u64) = (30_000, 0);
    Ok(planted(DEMO.0, DEMO.1)?.examples)
}

/// Draws a table of `rows` rows.
///
/// # Errors
/// None that a caller can cause; the columns are checked as any others are.
pub fn planted(rows: usize, seed: u64) -> Result<Planted> {
    let stream = Stream::new(seed, "planted table");
    let width: usize = COUNTS.iter().sum();
    // one vector per pair, side, name and output
    let mut vectors = vec![0.0_f64; PLANTED_PAIRS.len() * 2 * NAMES * width * RANK];
    stream.child(0).fill_normal_f64(&mut vectors);
    let vector = |pair: usize, side: usize, name: usize, output: usize| {
        let start = (((pair * 2 + side) * NAMES + name) * width + output) * RANK;
        &vectors[start..start + RANK]
    };
    let mut names = stream.child(1).rng();
    let codes: Vec<Vec<u32>> =
        PLANTED_FIELDS.iter().map(|_| (0..rows).map(|_| names.below(NAMES as u64) as u32).collect()).collect();
    let mut uniform = vec![0.0_f32; rows * width];
    stream.child(2).fill_uniform(&mut uniform);

    let mut logits = COUNTS.map(|count| Vec::with_capacity(rows * count));
    let (mut kinds, mut directions) = (Vec::new(), Vec::new());
    let (mut offsets, mut outcomes) = (vec![0], Vec::new());
    for row in 0..rows {
        let of_output = |output: usize| -> f64 {
            let of_pair = |(pair, [a, b]): (usize, &[usize; 2])| {
                let (left, right) = (codes[*a][row] as usize, codes[*b][row] as usize);
                let (left, right) = (vector(pair, 0, left, output), vector(pair, 1, right, output));
                left.iter().zip(right).map(|(x, y)| x * y).sum::<f64>() * STRENGTH / (RANK as f64).sqrt()
            };
            PLANTED_PAIRS.iter().enumerate().map(of_pair).sum()
        };
        let all: Vec<f64> = (0..width).map(of_output).collect();
        // strictly between 0 and 1
        let draw = |output: usize| (f64::from(uniform[row * width + output]) + 2e-8).min(1.0 - 2e-8);
        // the largest logit with Gumbel noise is a draw of the softmax
        let choose = |outputs: std::ops::Range<usize>| {
            let noisy = outputs.map(|output| all[output] - (-draw(output).ln()).ln());
            let best = noisy.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(class, _)| class);
            best as u32
        };
        kinds.push(choose(0..COUNTS[0]));
        directions.push(choose(COUNTS[0]..COUNTS[0] + COUNTS[1]));
        let first = COUNTS[0] + COUNTS[1];
        for label in 0..COUNTS[2] {
            let chance = 1.0 / (1.0 + (-all[first + label]).exp());
            if draw(first + label) < chance {
                outcomes.push(label as u32);
            }
        }
        offsets.push(outcomes.len());
        let mut start = 0;
        for (logits, count) in logits.iter_mut().zip(COUNTS) {
            logits.extend_from_slice(&all[start..start + count]);
            start += count;
        }
    }
    let named = |stem: &str, count: usize| (1..=count).map(|i| format!("{stem}{i:02}")).collect::<Vec<_>>();
    let mut columns: Vec<(String, Column)> = PLANTED_FIELDS
        .iter()
        .zip(codes)
        .map(|(field, codes)| (field.to_string(), Column::Category { codes, names: named(field, NAMES) }))
        .collect();
    columns.push(("effect_type".into(), Column::Category { codes: kinds, names: named("effect", COUNTS[0]) }));
    let directions_named = vec!["decreased".to_string(), "increased".to_string()];
    columns.push(("effect_direction".into(), Column::Category { codes: directions, names: directions_named }));
    let outcome = Column::Many { offsets, codes: outcomes, names: named("outcome", COUNTS[2]) };
    columns.push(("phenotype_outcome".into(), outcome));
    let group = |row: usize| (row / GROUP_ROWS) as u32;
    let groups = rows.div_ceil(GROUP_ROWS);
    let group = Column::Category {
        codes: (0..rows).map(group).collect(),
        names: (1..=groups).map(|i| i.to_string()).collect(),
    };
    columns.push(("annotation_id".into(), group));
    let schema = Schema {
        group: Some("annotation_id".into()),
        weight: None,
        time: Some("annotation_id".into()),
        fields: PLANTED_FIELDS.iter().map(|name| Field::category(*name)).collect(),
        targets: vec![
            Target::classes("effect_type", 1),
            Target::classes("effect_direction", 1),
            Target { empty_is_none: true, ..Target::labels("phenotype_outcome") },
        ],
    };
    let examples = Examples::of_table(schema, Table::new(columns)?, "planted table")?;
    Ok(Planted { examples, logits })
}
