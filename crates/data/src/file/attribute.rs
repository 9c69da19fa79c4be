//! [`Attribute`]: what a file says beside an array, such as its unit.

use crate::{array::Array, element::Element};

/// The value of an attribute; [`Dataset::attributes`](crate::Dataset::attributes) reads them.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Attribute {
    /// Numbers; a single one has no axes.
    Numbers(Array),
    /// Texts, row by row; a single one is a list of one.
    Texts(Vec<String>),
    /// Something that is not read, with what it is.
    Other(String),
}

impl Attribute {
    /// The text; nothing for several and for anything else.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Texts(texts) if texts.len() == 1 => texts.first().map(String::as_str),
            _ => None,
        }
    }

    /// The numbers, row by row; nothing for anything else, and where one does not fit into `T` by the rules of [`Element`].
    pub fn numbers<T: Element>(&self) -> Option<Vec<T>> {
        match self {
            Self::Numbers(array) => array.values().clone().convert().ok(),
            _ => None,
        }
    }

    /// The number; nothing for several and for anything else, and where it does not fit into `T`.
    pub fn number<T: Element>(&self) -> Option<T> {
        match self.numbers()?.as_slice() {
            &[number] => Some(number),
            _ => None,
        }
    }
}
