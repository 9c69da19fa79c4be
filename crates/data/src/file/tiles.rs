//! [`Tiles`]: an array in pieces along one axis, so that it may be larger than memory.

use crate::{
    array::Array,
    axes::{Axes, AxisKind},
    cube::Cube,
    element::Element,
    error::{Error, Result},
    file::{guard::guarded, hdf5, meaning::Meaning, raw::Raw},
};
use std::{marker::PhantomData, ops::Range, sync::Arc};

/// Where pieces come from.
#[derive(Debug)]
pub(crate) enum Pieces {
    /// A mapped array.
    Raw(Arc<Raw>),
    /// A data set of which some chunks are decoded.
    Hdf5(Box<hdf5::Pieces>),
    /// An array in memory.
    Whole(Array),
}

impl Pieces {
    /// The positions `range` along one axis, as they are stored.
    pub(crate) fn part(&self, axis: usize, range: Range<usize>) -> Result<Array> {
        match self {
            Self::Raw(raw) => raw.part(axis, range),
            Self::Hdf5(data) => guarded(data.origin(), || data.part(axis, range)),
            Self::Whole(array) => array.part(axis, range),
        }
    }
}

/// What makes a cube of the numbers in a file: their axes, and what they stand for.
#[derive(Clone, Debug)]
pub(crate) struct Dressing {
    pub(crate) axes: Axes,
    pub(crate) meaning: Meaning,
}

impl Dressing {
    /// The measured values of stored numbers under their axes, with missing ones as NaN where `T` has it.
    pub(crate) fn dress<T: Element>(&self, array: Array) -> Result<Cube<T>> {
        let values = if self.meaning.is_plain() {
            let mut values = array.into_cube::<T>()?.into_values();
            self.meaning.mark(&mut values);
            values
        } else {
            self.meaning.measured(array)?
        };
        Cube::new(values, self.axes.clone())
    }

    /// The same for a part along one axis.
    fn part(&self, axis: usize, range: &Range<usize>) -> Result<Self> {
        let mut axes: Vec<_> = self.axes.iter().cloned().collect();
        let is_last = axis + 1 == axes.len();
        axes[axis] = axes[axis].select(&range.clone().collect::<Vec<_>>())?;
        let meaning = if is_last { self.meaning.part(range) } else { self.meaning.clone() };
        Ok(Self { axes: Axes::new(axes)?, meaning })
    }
}

/// The pieces of an array, in order; made by [`Dataset::tiles`](crate::Dataset::tiles).
#[derive(Debug)]
pub struct Tiles<T> {
    pieces: Pieces,
    numbers: PhantomData<T>,
    dressing: Dressing,
    /// The position of the axis along which the pieces are taken.
    axis: usize,
    /// Positions in a piece.
    len: usize,
    /// Positions along the axis.
    total: usize,
    next: usize,
}

impl<T: Element> Tiles<T> {
    pub(crate) fn new(pieces: Pieces, dressing: Dressing, along: AxisKind, len: usize) -> Result<Self> {
        if len == 0 {
            let problem = "a piece has at least one position".into();
            return Err(Error::Setting { name: "len", value: "0".into(), problem });
        }
        let axis = dressing.axes.position(along)?;
        let total = dressing.axes.axis(along)?.len();
        Ok(Self { pieces, numbers: PhantomData, dressing, axis, len, total, next: 0 })
    }

    /// The axes of the whole array.
    pub fn axes(&self) -> &Axes {
        &self.dressing.axes
    }

    /// Goes to the piece of this number, counted from 0, which comes next; a number beyond the last piece ends.
    pub fn seek(&mut self, piece: usize) {
        self.next = piece.saturating_mul(self.len).min(self.total);
    }

    fn piece(&self, range: Range<usize>) -> Result<Cube<T>> {
        let part = self.dressing.part(self.axis, &range)?;
        let array = self.pieces.part(self.axis, range.clone())?;
        part.dress(array).map_err(|error| self.placed(error, range.start))
    }

    /// A value that does not fit is placed in the whole array.
    fn placed(&self, mut error: Error, start: usize) -> Error {
        if let Error::Inexact { index, .. } = &mut error
            && let Some(position) = index.get_mut(self.axis)
        {
            *position += start;
        }
        error
    }
}

impl<T: Element> Iterator for Tiles<T> {
    type Item = Result<Cube<T>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.total {
            return None;
        }
        let end = self.total.min(self.next.saturating_add(self.len));
        let range = self.next..end;
        self.next = end;
        Some(self.piece(range))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.total - self.next).div_ceil(self.len);
        (left, Some(left))
    }
}

impl<T: Element> ExactSizeIterator for Tiles<T> {}
