//! [`Tokens`]: a row as a sparse list of what it says, for linear models.
//!
//! A name speaks as a whole, through its parts (`cyp2c19*1,cyp2c19*2` names two alleles of one gene), through the beginning
//! and end of its letters (drugs of one class are named alike: -pril, -statin), and together with the name of another
//! field. A name that training never saw still has parts and stems, which is what a cold start can stand on.

use crate::{error::Result, examples::Examples, names::hash, schema::Schema};
use cupel_data::{Column, MISSING};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// What makes tokens, and how strongly each kind speaks: the value of its column, whose square divides the penalty.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenConfig {
    /// Value of the parts of a name; 0 leaves them out.
    pub parts: f64,
    /// Value of the stems of the names of [`stem_fields`](Self::stem_fields); 0 leaves them out.
    pub stems: f64,
    /// Fields whose names have stems.
    pub stem_fields: Vec<String>,
    /// Value of two names together; 0 leaves them out.
    pub crosses: f64,
    /// Parts, stems and crosses in fewer training rows than this are left out.
    pub min_count: u32,
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self { parts: 0.5, stems: 0.3, stem_fields: vec!["drug".into()], crosses: 0.5, min_count: 2 }
    }
}

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
}

/// The columns of the tokens that training saw.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    config: TokenConfig,
    schema: Schema,
    columns: HashMap<u64, u32>,
}

/// Rows as compressed sparse rows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sparse {
    pub(crate) starts: Vec<usize>,
    pub(crate) columns: Vec<u32>,
    pub(crate) values: Vec<f32>,
}

impl Sparse {
    pub(crate) fn rows(&self) -> usize {
        self.starts.len() - 1
    }

    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (usize, f64)> {
        let range = self.starts[row]..self.starts[row + 1];
        let values = self.values[range.clone()].iter().map(|value| f64::from(*value));
        self.columns[range].iter().map(|column| *column as usize).zip(values)
    }

    /// The same numbers column by column: for each column, rows and values.
    pub(crate) fn transposed(&self, columns: usize) -> Self {
        let mut starts = vec![0; columns + 1];
        self.columns.iter().for_each(|column| starts[*column as usize + 1] += 1);
        for column in 0..columns {
            starts[column + 1] += starts[column];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; self.columns.len()];
        let mut values = vec![0.0; self.columns.len()];
        for row in 0..self.rows() {
            for at in self.starts[row]..self.starts[row + 1] {
                let place = &mut next[self.columns[at] as usize];
                rows[*place] = row as u32;
                values[*place] = self.values[at];
                *place += 1;
            }
        }
        Self { starts, columns: rows, values }
    }
}

/// A key with its value.
type Token = (u64, f32);

/// What each code of a column says, and what to cross it by.
struct Said {
    tokens: Vec<Vec<Token>>,
    wholes: Vec<u64>,
    absent: u64,
}

impl Tokens {
    /// Gives a column to every token of the training `rows` that is frequent enough.
    pub(crate) fn fit(config: &TokenConfig, examples: &Examples, rows: &[usize]) -> Result<Self> {
        let mut tokens = Self { config: config.clone(), schema: examples.schema().clone(), columns: HashMap::new() };
        let mut counts: HashMap<u64, (u32, bool)> = HashMap::new();
        tokens.each_row(examples, rows, |row| {
            for (key, value) in row {
                let optional = *value < 1.0;
                counts.entry(*key).or_insert((0, optional)).0 += 1;
            }
        })?;
        let frequent = |(_, (count, optional)): &(&u64, &(u32, bool))| !*optional || *count >= config.min_count;
        let mut kept: Vec<u64> = counts.iter().filter(frequent).map(|(key, _)| *key).collect();
        kept.sort_unstable(); // the order of a hash map is nobody's
        tokens.columns = kept.into_iter().zip(0..).collect();
        Ok(tokens)
    }

    /// Tokens with the keys of their columns in order.
    pub(crate) fn of_keys(config: TokenConfig, schema: Schema, keys: &[u64]) -> Self {
        Self { config, schema, columns: keys.iter().copied().zip(0..).collect() }
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

    /// The tokens of `rows` that have a column.
    pub(crate) fn sparse(&self, examples: &Examples, rows: &[usize]) -> Result<Sparse> {
        let mut sparse = Sparse { starts: vec![0], ..Sparse::default() };
        self.each_row(examples, rows, |row| {
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
            all.push(Some(Said {
                tokens: names.iter().map(|name| self.of_name(index, name, stems)).collect(),
                wholes: names.iter().map(|name| key(index, About::Whole, name)).collect(),
                absent: key(index, About::Absent, ""),
            }));
        }
        Ok(all)
    }

    fn each_row(&self, examples: &Examples, rows: &[usize], mut each: impl FnMut(&[Token])) -> Result<()> {
        let table = examples.table();
        let said = self.said(examples)?;
        let columns: Vec<&Column> =
            self.schema.fields.iter().map(|field| table.column(&field.name)).collect::<std::result::Result<_, _>>()?;
        let mut tokens: Vec<Token> = Vec::new();
        let mut wholes: Vec<u64> = Vec::new();
        for row in rows {
            tokens.clear();
            wholes.clear();
            for (index, (column, said)) in columns.iter().zip(&said).enumerate() {
                match (column, said) {
                    (Column::Category { codes, .. }, Some(said)) => {
                        let code = codes[*row];
                        if code == MISSING {
                            tokens.push((said.absent, 1.0));
                            wholes.push(said.absent);
                        } else {
                            tokens.extend_from_slice(&said.tokens[code as usize]);
                            wholes.push(said.wholes[code as usize]);
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
                for (i, a) in wholes.iter().enumerate() {
                    tokens.extend(wholes[i + 1..].iter().map(|b| (crossed(*a, *b), self.config.crosses as f32)));
                }
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
        let parts: Vec<&str> = name.split(BREAKS).filter(|part| !part.is_empty()).collect();
        if self.config.parts > 0.0 && parts.len() > 1 {
            parts.iter().for_each(|part| push(key(field, About::Part, part), self.config.parts));
        } else if self.config.parts > 0.0 {
            // so that a name alone and the same name among others have something in common
            push(key(field, About::Part, name), self.config.parts);
        }
        if stems {
            for word in name.split(' ') {
                let ends: Vec<usize> = word.char_indices().map(|(at, _)| at).chain([word.len()]).collect();
                for letters in STEM_LETTERS.filter(|letters| *letters < ends.len()) {
                    push(key(field, About::Begin, &word[..ends[letters]]), self.config.stems);
                    push(key(field, About::End, &word[ends[ends.len() - 1 - letters]..]), self.config.stems);
                }
            }
        }
        tokens
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
