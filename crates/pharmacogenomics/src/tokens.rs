//! [`Tokens`]: a row as a sparse list of what it says, for linear models.
//!
//! A name speaks as a whole, through its parts (`cyp2c19*1,cyp2c19*2` names two alleles of one gene), through the beginning
//! and end of its letters (drugs of one class are named alike: -pril, -statin), and together with the name of another
//! field. A name that training never saw still has parts and stems, which is what a cold start can stand on: parts and stems
//! of one name alone say what the name says and are left out, and in a second copy of the training rows some names are
//! taken for unknown, so that the others learn to speak for them.
//!
//! A direction is relative to the genotype that is compared with: "increased in TT against CC" and "decreased in CC against TT"
//! are one fact. So a row also says how much more of each allele its genotype has than the other, a number that changes
//! its sign when the two are swapped; see [`contrast`](crate::contrast).

use crate::{
    contrast::{Shares, differences, shares},
    error::Result,
    examples::Examples,
    names::hash,
    schema::{FieldKind, Schema},
    sparse::Sparse,
    token_config::TokenConfig,
};
use cupel_data::{Column, MISSING, Stream};
use std::collections::HashMap;

/// Letters of beginnings and ends.
const STEM_LETTERS: std::ops::RangeInclusive<usize> = 3..=6;
/// What stands between the parts of a name.
const BREAKS: [char; 10] = [' ', ',', '/', '+', '*', ':', '(', ')', '-', '|'];

/// What tokens are about, so that equal texts of two fields differ.
#[derive(Clone, Copy)]
enum About {
    Whole,
    Absent,
    Part,
    Begin,
    End,
    Number,
    Known,
    Unknown,
    Contrast,
    Attribute,
}

/// The columns of the tokens that training saw.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    config: TokenConfig,
    schema: Schema,
    columns: HashMap<u64, u32>,
    /// Names whose whole has no column are unknown; while the columns are being found, none is.
    fitted: bool,
}

/// Which names of which rows are taken for unknown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Masks {
    pub(crate) share: f64,
    pub(crate) stream: Stream,
}

impl Masks {
    fn hides(&self, row: usize, field: usize, fields: usize) -> bool {
        let draw = self.stream.u64((row * fields + field) as u64);
        (draw as f64) < self.share * u64::MAX as f64
    }
}

/// A key with its value.
type Token = (u64, f32);

/// What each code of a column says, and what to cross it by.
struct Said {
    tokens: Vec<Vec<Token>>,
    /// What it says when the name itself is unknown.
    rest: Vec<Vec<Token>>,
    wholes: Vec<u64>,
    absent: u64,
    unknown: u64,
    /// No name is read; what it says stands for it in crosses.
    nameless: bool,
}

/// The alleles of the codes of the two columns of a contrast, and the positions of the fields it is told by.
struct Contrasts<'a> {
    own: (&'a [u32], Vec<Shares>),
    other: (&'a [u32], Vec<Shares>),
    by: Vec<usize>,
    with: Option<usize>,
}

impl Tokens {
    /// Gives a column to every token of the training `rows`, and of their copy under `masks`, that is frequent enough.
    pub(crate) fn fit(config: &TokenConfig, examples: &Examples, rows: &[usize], masks: Option<Masks>) -> Result<Self> {
        let (config, schema) = (config.clone(), examples.schema().clone());
        let mut tokens = Self { config, schema, columns: HashMap::new(), fitted: false };
        let shared = tokens.shared(examples, rows)?;
        let min_count = tokens.config.min_count;
        let mut kept: Vec<u64> = Vec::new();
        for masks in std::iter::once(None).chain(masks.map(Some)) {
            let mut counts: HashMap<u64, (u32, bool)> = HashMap::new();
            tokens.each_row(examples, rows, masks, |row| {
                for (key, value) in row {
                    counts.entry(*key).or_insert((0, *value < 1.0)).0 += 1;
                }
            })?;
            let frequent = |(_, (count, optional)): &(&u64, &(u32, bool))| !*optional || *count >= min_count;
            kept.extend(counts.iter().filter(frequent).map(|(key, _)| *key));
        }
        kept.retain(|key| shared.get(key).is_none_or(|names| *names > 1));
        kept.sort_unstable(); // the order of a hash map is nobody's
        kept.dedup();
        tokens.columns = kept.into_iter().zip(0..).collect();
        tokens.fitted = true;
        Ok(tokens)
    }

    /// How many names of the training rows have each part and stem.
    fn shared(&self, examples: &Examples, rows: &[usize]) -> Result<HashMap<u64, u32>> {
        let said = self.said(examples)?;
        let mut names_with: HashMap<u64, u32> = HashMap::new();
        for (field, said) in self.schema.fields.iter().zip(&said) {
            let Some(said) = said else { continue };
            let mut seen = vec![false; said.tokens.len()];
            match examples.table().column(&field.name)? {
                Column::Category { codes, .. } => {
                    rows.iter()
                        .map(|row| codes[*row])
                        .filter(|code| *code != MISSING)
                        .for_each(|c| seen[c as usize] = true);
                }
                Column::Many { offsets, codes, .. } => {
                    let own = rows.iter().flat_map(|row| &codes[offsets[*row]..offsets[row + 1]]);
                    own.for_each(|code| seen[*code as usize] = true);
                }
                _ => {}
            }
            for (rest, _) in said.rest.iter().zip(seen).filter(|(_, seen)| *seen) {
                rest.iter().filter(|(key, _)| *key != said.unknown).for_each(|(key, _)| {
                    *names_with.entry(*key).or_default() += 1;
                });
            }
        }
        Ok(names_with)
    }

    /// Tokens with the keys of their columns in order.
    pub(crate) fn of_keys(config: TokenConfig, schema: Schema, keys: &[u64]) -> Self {
        Self { config, schema, columns: keys.iter().copied().zip(0..).collect(), fitted: true }
    }

    pub(crate) fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The keys in the order of their columns.
    pub(crate) fn keys(&self) -> Vec<u64> {
        let mut keys = vec![0; self.len()];
        self.columns.iter().for_each(|(key, column)| keys[*column as usize] = *key);
        keys
    }

    /// The tokens of `rows`, of which some names may be taken for unknown, that have a column.
    pub(crate) fn sparse(&self, examples: &Examples, rows: &[usize], masks: Option<Masks>) -> Result<Sparse> {
        let mut sparse = Sparse { starts: vec![0], ..Sparse::default() };
        self.each_row(examples, rows, masks, |row| {
            for (key, value) in row {
                if let Some(column) = self.columns.get(key) {
                    sparse.columns.push(*column);
                    sparse.values.push(*value);
                }
            }
            sparse.starts.push(sparse.columns.len());
        })?;
        Ok(sparse)
    }

    /// The crosses of two fields of `rows` that have a column, for the strength of pairs.
    pub(crate) fn crosses(&self, examples: &Examples, rows: &[usize], pair: [usize; 2]) -> Result<Vec<Option<u32>>> {
        let said = self.said(examples)?;
        let table = examples.table();
        let mut wholes = Vec::new();
        for field in pair {
            let (codes, _) = table.category(&self.schema.fields[field].name)?;
            let said = said[field].as_ref();
            let whole =
                |code: &u32| said.map_or(0, |said| said.wholes.get(*code as usize).copied().unwrap_or(said.absent));
            wholes.push(codes.iter().map(whole).collect::<Vec<_>>());
        }
        let column = |row: &usize| self.columns.get(&crossed(wholes[0][*row], wholes[1][*row])).copied();
        Ok(rows.iter().map(column).collect())
    }

    fn said(&self, examples: &Examples) -> Result<Vec<Option<Said>>> {
        let table = examples.table();
        let mut all = Vec::new();
        for (index, field) in self.schema.fields.iter().enumerate() {
            let names = match table.column(&field.name)? {
                Column::Category { names, .. } | Column::Many { names, .. } => names,
                _ => {
                    all.push(None);
                    continue;
                }
            };
            let stems = self.config.stems > 0.0 && self.config.stem_fields.contains(&field.name);
            let unknown = key(index, About::Unknown, "");
            let mut said = Said {
                tokens: Vec::with_capacity(names.len()),
                rest: Vec::with_capacity(names.len()),
                wholes: Vec::with_capacity(names.len()),
                absent: key(index, About::Absent, ""),
                unknown,
                nameless: self.config.nameless.contains(&field.name),
            };
            for name in names {
                let whole = key(index, About::Whole, name);
                let mut own = self.of_name(index, name, stems);
                let mut rest = own.clone();
                rest[0] = (unknown, 1.0);
                let known =
                    !said.nameless && (!self.fitted || self.config.unknown <= 0.0 || self.columns.contains_key(&whole));
                if !known {
                    own.clone_from(&rest);
                }
                said.tokens.push(own);
                said.rest.push(rest);
                said.wholes.push(if known { whole } else { unknown });
            }
            all.push(Some(said));
        }
        Ok(all)
    }

    /// What contrasts need, where the table has the columns.
    fn contrasts<'a>(&self, examples: &'a Examples) -> Result<Option<Contrasts<'a>>> {
        let config = &self.config.contrast;
        let category = |name: &String| {
            self.schema.fields.iter().position(|field| field.name == *name && field.kind == FieldKind::Category)
        };
        if config.value <= 0.0 || category(&config.of).is_none() || category(&config.to).is_none() {
            return Ok(None);
        }
        let column = |name: &str| -> Result<(&'a [u32], Vec<Shares>)> {
            let (codes, names) = examples.table().category(name)?;
            Ok((codes, names.iter().map(|name| shares(name)).collect()))
        };
        Ok(Some(Contrasts {
            own: column(&config.of)?,
            other: column(&config.to)?,
            by: config.by.iter().filter_map(category).collect(),
            with: category(&config.with),
        }))
    }

    fn each_row(
        &self,
        examples: &Examples,
        rows: &[usize],
        masks: Option<Masks>,
        mut each: impl FnMut(&[Token]),
    ) -> Result<()> {
        let table = examples.table();
        let said = self.said(examples)?;
        let contrasts = self.contrasts(examples)?;
        let columns: Vec<&Column> =
            self.schema.fields.iter().map(|field| table.column(&field.name)).collect::<std::result::Result<_, _>>()?;
        let mut tokens: Vec<Token> = Vec::new();
        // the name of each field of categories, or what stands for it, by the position of the field
        let mut wholes: Vec<(usize, u64)> = Vec::new();
        for row in rows {
            tokens.clear();
            wholes.clear();
            for (index, (column, said)) in columns.iter().zip(&said).enumerate() {
                match (column, said) {
                    (Column::Category { codes, .. }, Some(said)) => {
                        let code = codes[*row];
                        if code == MISSING {
                            tokens.push((said.absent, 1.0));
                            wholes.push((index, said.absent));
                        } else if masks.is_some_and(|masks| masks.hides(*row, index, columns.len())) {
                            tokens.extend_from_slice(&said.rest[code as usize]);
                            wholes.push((index, said.unknown));
                        } else {
                            tokens.extend_from_slice(&said.tokens[code as usize]);
                            wholes.push((index, said.wholes[code as usize]));
                            if said.nameless {
                                // the first is that the name is unknown
                                wholes.extend(said.rest[code as usize][1..].iter().map(|(key, _)| (index, *key)));
                            }
                        }
                    }
                    (Column::Many { offsets, codes, .. }, Some(said)) => {
                        let codes = &codes[offsets[*row]..offsets[row + 1]];
                        codes.iter().for_each(|code| tokens.extend_from_slice(&said.tokens[*code as usize]));
                        if codes.is_empty() {
                            tokens.push((said.absent, 1.0));
                        }
                    }
                    (Column::Number { values, present }, _) => {
                        // numbers stay as they are; a schema with numbers of very different sizes scales them itself
                        if present[*row] {
                            tokens.push((key(index, About::Number, ""), values[*row] as f32));
                            tokens.push((key(index, About::Known, ""), 1.0));
                        } else {
                            tokens.push((key(index, About::Absent, ""), 1.0));
                        }
                    }
                    _ => {}
                }
            }
            if self.config.crosses > 0.0 {
                for (i, (field, a)) in wholes.iter().enumerate() {
                    let others = wholes[i + 1..].iter().filter(|(other, _)| other != field);
                    tokens.extend(others.map(|(_, b)| (crossed(*a, *b), self.config.crosses as f32)));
                }
            }
            if let Some(contrasts) = &contrasts {
                contrasts.push(*row, &wholes, self.config.contrast.value, &mut tokens);
            }
            each(&tokens);
        }
        Ok(())
    }

    fn of_name(&self, field: usize, name: &str, stems: bool) -> Vec<Token> {
        let mut tokens = vec![(key(field, About::Whole, name), 1.0)];
        let mut push = |key: u64, value: f64| {
            if !tokens.iter().any(|(known, _)| *known == key) {
                tokens.push((key, value as f32));
            }
        };
        if self.config.parts > 0.0 {
            parts(name).into_iter().for_each(|part| push(key(field, About::Part, part), self.config.parts));
        }
        if stems {
            for stem in stems_of(name) {
                push(key(field, stem.0, stem.1), self.config.stems);
            }
        }
        if self.config.stem_fields.contains(&self.schema.fields[field].name) {
            for attribute in self.config.attributes.get(name).into_iter().flatten() {
                push(key(field, About::Attribute, attribute), self.config.attribute_value);
            }
        }
        tokens
    }
}

/// The parts of a name; the name itself where it has one part, so that a name alone and the same name among others have
/// something in common.
pub(crate) fn parts(name: &str) -> Vec<&str> {
    let parts: Vec<&str> = name.split(BREAKS).filter(|part| !part.is_empty()).collect();
    if parts.len() > 1 { parts } else { vec![name] }
}

/// Beginnings and ends of the words of a name.
fn stems_of(name: &str) -> Vec<(About, &str)> {
    let mut stems = Vec::new();
    for word in name.split(' ') {
        let ends: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
        for letters in STEM_LETTERS.filter(|letters| *letters < ends.len()) {
            stems.push((About::Begin, &word[..ends[letters]]));
            stems.push((About::End, &word[ends[ends.len() - 1 - letters]..]));
        }
    }
    stems
}

/// The same as text: `pra-` and `-tin`.
pub(crate) fn stems(name: &str) -> Vec<String> {
    let shown = |(about, text): (About, &str)| match about {
        About::Begin => format!("{text}-"),
        _ => format!("-{text}"),
    };
    stems_of(name).into_iter().map(shown).collect()
}

impl Contrasts<'_> {
    /// How much more of each allele the genotype of a row has, by the fields that say of which site, and by these with the
    /// field that says of which drug.
    fn push(&self, row: usize, wholes: &[(usize, u64)], value: f64, tokens: &mut Vec<Token>) {
        let of = |(codes, shares): &(&[u32], Vec<Shares>)| shares.get(codes[row] as usize).cloned();
        let (Some(own), Some(other)) = (of(&self.own), of(&self.other)) else { return };
        let whole = |field: usize| wholes.iter().find(|(index, _)| *index == field).map(|(_, whole)| *whole);
        for (allele, difference) in differences(&own, &other) {
            let allele = key(usize::MAX, About::Contrast, &allele);
            for by in self.by.iter().filter_map(|field| whole(*field)) {
                let site = crossed(by, allele);
                tokens.push((site, (value * difference) as f32));
                if let Some(with) = self.with.and_then(whole) {
                    tokens.push((crossed(with, site), (value * difference) as f32));
                }
            }
        }
    }
}

fn key(field: usize, about: About, text: &str) -> u64 {
    hash(format!("{field}\u{1}{}\u{1}{text}", about as u8).as_bytes())
}

fn crossed(a: u64, b: u64) -> u64 {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&a.to_le_bytes());
    bytes[8..].copy_from_slice(&b.to_le_bytes());
    hash(&bytes)
}
