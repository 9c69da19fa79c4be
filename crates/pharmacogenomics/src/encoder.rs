//! [`Encoder`]: rows of names and numbers as ids of one embedding table, see [`Vocabulary`].

use crate::{
    error::{Error, Result},
    examples::Examples,
    schema::{FieldKind, Schema},
    vocabulary::{FIRST_ID, MISSING_ID, UNKNOWN_ID, Vocabulary},
};
use cupel_data::{Column, MISSING};
use serde::{Deserialize, Serialize};

/// How one field is encoded.
#[derive(Clone, Debug)]
pub(crate) enum Coding {
    /// With the positions of the back-off fields among the fields, and the first id of each.
    Category {
        vocabulary: Vocabulary,
        back_off: Vec<(usize, u32)>,
        size: u32,
    },
    Many {
        vocabulary: Vocabulary,
    },
    /// Mean and standard deviation over the training rows.
    Number {
        mean: f64,
        deviation: f64,
    },
}

/// What [`Encoder`] learned from the training rows, as it is saved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldRecord {
    /// The known names.
    Category(Vec<String>),
    /// The known names.
    Many(Vec<String>),
    /// Mean and standard deviation.
    Number(f64, f64),
}

/// Turns rows into ids.
#[derive(Clone, Debug)]
pub struct Encoder {
    schema: Schema,
    codings: Vec<Coding>,
}

/// Rows as ids, field by field.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Encoded {
    /// The number of rows.
    pub rows: usize,
    /// Ids of the fields of categories, `field`-major, in the order of the schema; ids count from 0 in every field.
    pub ids: Vec<Vec<u32>>,
    /// What the ids would be if the names were unknown.
    pub fallback: Vec<Vec<u32>>,
    /// Offsets and ids of the fields of lists.
    pub lists: Vec<(Vec<usize>, Vec<u32>)>,
    /// Numbers with mean 0 and deviation 1 over the training rows, 0 where missing, and whether they are there.
    pub numbers: Vec<(Vec<f32>, Vec<bool>)>,
}

impl Encoder {
    /// Learns names, means and deviations from the training `rows` and from no other.
    ///
    /// # Errors
    /// [`Error::Data`] when a column of the schema is missing.
    pub fn fit(examples: &Examples, rows: &[usize]) -> Result<Self> {
        let schema = examples.schema().clone();
        let mut learned = Vec::new();
        for field in &schema.fields {
            learned.push(match examples.table().column(&field.name)? {
                Column::Category { codes, names } => {
                    let codes = rows.iter().map(|row| codes[*row]).filter(|code| *code != MISSING);
                    Learned::Names(counted(codes, names, field.min_count))
                }
                Column::Many { offsets, codes, names } => {
                    let codes = rows.iter().flat_map(|row| &codes[offsets[*row]..offsets[row + 1]]);
                    Learned::Names(counted(codes.copied(), names, field.min_count))
                }
                Column::Number { values, present } => {
                    let mut moments = Moments::default();
                    rows.iter().filter(|row| present[**row]).for_each(|row| moments.push(values[*row]));
                    Learned::Moments(moments)
                }
                _ => return Err(unknown_column(&field.name)),
            });
        }
        Self::assemble(schema, learned)
    }

    pub(crate) fn assemble(schema: Schema, learned: Vec<Learned>) -> Result<Self> {
        let sizes: Vec<usize> =
            learned.iter().map(|one| if let Learned::Names(names) = one { names.len() } else { 0 }).collect();
        let mut codings = Vec::new();
        for (field, learned) in schema.fields.iter().zip(learned) {
            codings.push(match learned {
                Learned::Names(vocabulary) if field.kind == FieldKind::Category => {
                    let mut size = FIRST_ID + vocabulary.len() as u32;
                    let mut back_off = Vec::new();
                    for name in &field.back_off {
                        let Some(other) = schema.fields.iter().position(|other| other.name == *name) else { continue };
                        back_off.push((other, size));
                        size += sizes[other] as u32;
                    }
                    Coding::Category { vocabulary, back_off, size }
                }
                Learned::Names(vocabulary) => Coding::Many { vocabulary },
                Learned::Moments(moments) => Coding::Number { mean: moments.mean, deviation: moments.deviation() },
            });
        }
        Ok(Self { schema, codings })
    }

    /// What was learned, for a file.
    pub fn record(&self) -> Vec<FieldRecord> {
        let names = |vocabulary: &Vocabulary| vocabulary.names().map(str::to_string).collect();
        self.codings
            .iter()
            .map(|coding| match coding {
                Coding::Category { vocabulary, .. } => FieldRecord::Category(names(vocabulary)),
                Coding::Many { vocabulary } => FieldRecord::Many(names(vocabulary)),
                Coding::Number { mean, deviation } => FieldRecord::Number(*mean, *deviation),
            })
            .collect()
    }

    /// The encoder of a record.
    ///
    /// # Errors
    /// [`Error::Shape`] when the record does not go with the schema.
    pub fn of_record(schema: Schema, record: Vec<FieldRecord>) -> Result<Self> {
        if record.len() != schema.fields.len() {
            let (expected, got) = (schema.fields.len().to_string(), record.len().to_string());
            return Err(Error::Shape { what: "fields of an encoder", expected, got });
        }
        let mut learned = Vec::new();
        for (field, record) in schema.fields.iter().zip(record) {
            learned.push(match (field.kind, record) {
                (FieldKind::Category, FieldRecord::Category(names)) | (FieldKind::Many, FieldRecord::Many(names)) => {
                    Learned::Names(Vocabulary::from_names(&names)?)
                }
                (FieldKind::Number, FieldRecord::Number(mean, deviation)) => {
                    Learned::Moments(Moments { count: 1.0, mean, squares: deviation * deviation })
                }
                (kind, _) => {
                    let (expected, got) = (format!("{kind:?} for {}", field.name), "another kind".into());
                    return Err(Error::Shape { what: "the kind of a field", expected, got });
                }
            });
        }
        Self::assemble(schema, learned)
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    pub(crate) fn codings(&self) -> &[Coding] {
        &self.codings
    }

    /// The known names of a field; `None` for a number.
    pub fn vocabulary(&self, field: usize) -> Option<&Vocabulary> {
        match self.codings.get(field)? {
            Coding::Category { vocabulary, .. } | Coding::Many { vocabulary } => Some(vocabulary),
            Coding::Number { .. } => None,
        }
    }

    /// The number of ids of each field of categories, in the order of [`Encoded::ids`].
    pub fn sizes(&self) -> Vec<usize> {
        let size =
            |coding: &Coding| if let Coding::Category { size, .. } = coding { Some(*size as usize) } else { None };
        self.codings.iter().filter_map(size).collect()
    }

    /// Encodes every row.
    ///
    /// # Errors
    /// [`Error::Data`] when a column of the schema is missing.
    pub fn encode(&self, examples: &Examples) -> Result<Encoded> {
        let table = examples.table();
        let rows = examples.len();
        // the position of every category in its vocabulary, MISSING where unknown; None where there is no name
        let mut positions: Vec<Vec<Option<u32>>> = Vec::new();
        for (field, coding) in self.schema.fields.iter().zip(&self.codings) {
            positions.push(match (coding, table.column(&field.name)?) {
                (Coding::Category { vocabulary, .. }, Column::Category { codes, names }) => {
                    let of_name = found(vocabulary, names);
                    codes.iter().map(|code| of_name.get(*code as usize).copied()).collect()
                }
                _ => Vec::new(),
            });
        }
        let mut encoded = Encoded { rows, ..Encoded::default() };
        for (index, (field, coding)) in self.schema.fields.iter().zip(&self.codings).enumerate() {
            match (coding, table.column(&field.name)?) {
                (Coding::Category { back_off, .. }, Column::Category { .. }) => {
                    let fallback: Vec<u32> = (0..rows)
                        .map(|row| fall_back(back_off.iter().map(|(other, first)| (positions[*other][row], *first))))
                        .collect();
                    let id = |row: usize| id_of(positions[index][row], fallback[row]);
                    encoded.ids.push((0..rows).map(id).collect());
                    encoded.fallback.push(fallback);
                }
                (Coding::Many { vocabulary }, Column::Many { offsets, codes, names }) => {
                    let of_name = found(vocabulary, names);
                    let id = |code: &u32| id_of(Some(of_name[*code as usize]), UNKNOWN_ID);
                    encoded.lists.push((offsets.clone(), codes.iter().map(id).collect()));
                }
                (Coding::Number { mean, deviation }, Column::Number { values, present }) => {
                    let scaled = |(value, present): (&f64, &bool)| {
                        if *present { ((value - mean) / deviation) as f32 } else { 0.0 }
                    };
                    encoded.numbers.push((values.iter().zip(present).map(scaled).collect(), present.clone()));
                }
                _ => return Err(unknown_column(&field.name)),
            }
        }
        Ok(encoded)
    }
}

/// The id of a position in a vocabulary: `None` is missing, [`MISSING`] is unknown.
pub(crate) fn id_of(position: Option<u32>, fallback: u32) -> u32 {
    match position {
        None => MISSING_ID,
        Some(MISSING) => fallback,
        Some(position) => FIRST_ID + position,
    }
}

/// The id of an unknown name: that of the first back-off field with a known name.
pub(crate) fn fall_back(others: impl Iterator<Item = (Option<u32>, u32)>) -> u32 {
    for (position, first) in others {
        if let Some(position) = position.filter(|position| *position != MISSING) {
            return first + position;
        }
    }
    UNKNOWN_ID
}

/// What training rows say of a field.
pub(crate) enum Learned {
    Names(Vocabulary),
    Moments(Moments),
}

/// Mean and sum of squared differences from it (Welford 1962).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    pub(crate) fn push(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }

    /// 1 where all values are equal, so that dividing by it is harmless.
    fn deviation(&self) -> f64 {
        let deviation = (self.squares / self.count.max(1.0)).sqrt();
        if deviation > 0.0 { deviation } else { 1.0 }
    }
}

fn counted(codes: impl Iterator<Item = u32>, names: &[String], min_count: usize) -> Vocabulary {
    let mut counts = vec![0; names.len()];
    codes.for_each(|code| counts[code as usize] += 1);
    Vocabulary::of_counts(&names.iter().collect(), &counts, min_count)
}

fn found(vocabulary: &Vocabulary, names: &[String]) -> Vec<u32> {
    names.iter().map(|name| vocabulary.position(name).unwrap_or(MISSING)).collect()
}

fn unknown_column(name: &str) -> Error {
    Error::Shape {
        what: "the kind of a column",
        expected: "what the schema says".into(),
        got: format!("another one for {name:?}"),
    }
}
