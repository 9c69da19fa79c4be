//! [`Source`]: numbered rows that can be made into batches, and [`Subset`]: some of them.

use crate::{
    error::{Error, Result},
    stream::Stream,
};
use std::sync::Arc;

/// Rows that a [`Loader`](crate::Loader) turns into batches, on several threads at once.
pub trait Source: Send + Sync {
    /// A batch.
    type Item: Send + 'static;

    /// The number of rows.
    fn len(&self) -> usize;

    /// Whether there are no rows.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batch of `rows`, each below [`len`](Self::len).
    ///
    /// It must be a function of `rows` and `stream` alone: every random choice (noise, augmentation, masking) is drawn
    /// from `stream`, which differs from step to step. Use `stream.child(i)` for the i-th row of the batch.
    ///
    /// # Errors
    /// Whatever keeps the batch from being made; [`Error::Source`] wraps errors of other crates.
    fn load(&self, rows: &[usize], stream: Stream) -> Result<Self::Item>;
}

/// The rows of a source that belong to one part of a split.
#[derive(Debug)]
pub struct Subset<S> {
    source: Arc<S>,
    rows: Vec<usize>,
}

impl<S: Source> Subset<S> {
    /// The given rows of `source`, in that order.
    ///
    /// # Errors
    /// [`Error::Index`] when a row does not exist.
    pub fn new(source: Arc<S>, rows: Vec<usize>) -> Result<Self> {
        let len = source.len();
        match rows.iter().find(|&&row| row >= len) {
            Some(&index) => Err(Error::Index { doing: "taking some rows of a source", index, len }),
            None => Ok(Self { source, rows }),
        }
    }
}

impl<S: Source> Source for Subset<S> {
    type Item = S::Item;

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn load(&self, rows: &[usize], stream: Stream) -> Result<Self::Item> {
        let rows: Vec<usize> = rows.iter().map(|&row| self.rows[row]).collect();
        self.source.load(&rows, stream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Tens;
    impl Source for Tens {
        type Item = Vec<usize>;
        fn len(&self) -> usize {
            5
        }
        fn load(&self, rows: &[usize], _: Stream) -> Result<Vec<usize>> {
            Ok(rows.iter().map(|row| row * 10).collect())
        }
    }

    #[test]
    fn a_subset_numbers_its_rows_anew() {
        let subset = Subset::new(Arc::new(Tens), vec![4, 1, 3]).unwrap();
        assert_eq!(subset.len(), 3);
        assert_eq!(subset.load(&[2, 0], Stream::new(0, "test")).unwrap(), [30, 40]);
        assert!(matches!(Subset::new(Arc::new(Tens), vec![0, 5]), Err(Error::Index { index: 5, len: 5, .. })));
    }
}
