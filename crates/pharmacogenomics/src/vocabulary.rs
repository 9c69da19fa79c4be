//! [`Vocabulary`]: the names of one field that training saw, and the ids a model knows them by.
//!
//! | id | meaning |
//! |---|---|
//! | 0 | unknown: a name that training did not see |
//! | 1 | missing: no name at all |
//! | 2 .. 2 + n | the n names, sorted |
//! | from 2 + n | unknown, but the back-off field has a known name: one id for each of these, field by field |
//!
//! Unknown and missing are trained ids like any other: in training a share of the names is replaced by what they would
//! be if they were unknown.

use crate::{
    error::{Error, Result},
    names::Names,
};
use cupel_data::nearest_name;

/// The id of a name that training did not see.
pub const UNKNOWN_ID: u32 = 0;
/// The id of a cell without a name.
pub const MISSING_ID: u32 = 1;
/// The id of the first name.
pub const FIRST_ID: u32 = 2;

/// The known names of a field, sorted.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    names: Names,
}

impl Vocabulary {
    /// The names that occur at least `min_count` times; `counts` go with the names.
    pub(crate) fn of_counts(names: &Names, counts: &[u64], min_count: usize) -> Self {
        let order = names.sorted();
        let known = order.iter().filter(|position| counts[**position as usize] >= (min_count as u64).max(1));
        Self { names: known.map(|position| names.get(*position as usize)).collect() }
    }

    /// A vocabulary from its saved names.
    ///
    /// # Errors
    /// [`Error::Shape`] when they are not sorted or not different.
    pub fn from_names(names: &[String]) -> Result<Self> {
        match names.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => Err(Error::Shape {
                what: "the names of a vocabulary",
                expected: "sorted and different names".into(),
                got: format!("{:?} before {:?}", pair[0], pair[1]),
            }),
            None => Ok(Self { names: names.iter().collect() }),
        }
    }

    /// The number of names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether training saw no name.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The position of a normalised name, counted from 0; `None` when it is unknown.
    pub fn position(&self, name: &str) -> Option<u32> {
        self.names.find(name)
    }

    /// The names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter()
    }

    /// The name that someone who wrote an unknown one probably meant.
    pub fn suggestion(&self, name: &str) -> Option<&str> {
        nearest_name(name, self.names.iter())
    }
}
