//! [`Usable`]: which pixels of an image have data.

use std::sync::Arc;

/// The pixels of an image that can be unmixed, in its order: row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usable {
    rows: usize,
    columns: usize,
    /// Where they are; nothing where all are.
    places: Option<Arc<[usize]>>,
}

impl Usable {
    /// All pixels of an image.
    pub fn all(rows: usize, columns: usize) -> Self {
        Self { rows, columns, places: None }
    }

    /// The pixels at `places`, which go up.
    pub(crate) fn of(rows: usize, columns: usize, places: Vec<usize>) -> Self {
        let places = (places.len() < rows * columns).then(|| places.into());
        Self { rows, columns, places }
    }

    /// Rows of the image.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the image.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.places.as_ref().map_or(self.rows * self.columns, |places| places.len())
    }

    /// How many pixels are left out.
    pub fn left_out(&self) -> usize {
        self.rows * self.columns - self.count()
    }

    /// Where they are.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        let listed = self.places.as_deref().unwrap_or_default().iter().copied();
        listed.chain(0..if self.places.is_some() { 0 } else { self.rows * self.columns })
    }

    /// Values of the usable pixels, `width` each, as those of all pixels; the others get `missing`.
    pub(crate) fn scattered<T: Copy>(&self, values: &[T], width: usize, missing: T) -> Vec<T> {
        let Some(places) = &self.places else { return values.to_vec() };
        let mut all = vec![missing; self.rows * self.columns * width];
        for (&place, own) in places.iter().zip(values.chunks_exact(width)) {
            all[place * width..(place + 1) * width].copy_from_slice(own);
        }
        all
    }

    /// Values of all pixels, `width` each, as those of the usable ones.
    pub(crate) fn gathered<T: Copy>(&self, values: &[T], width: usize) -> Vec<T> {
        let Some(places) = &self.places else { return values.to_vec() };
        places.iter().flat_map(|&place| &values[place * width..(place + 1) * width]).copied().collect()
    }

    /// The smallest part of the image that holds them all: its first row and column, and the same pixels in it.
    pub(crate) fn cropped(&self) -> (usize, usize, Self) {
        let Some(places) = &self.places else { return (0, 0, self.clone()) };
        let bounds = |of: &dyn Fn(usize) -> usize| {
            let values = || places.iter().map(|&place| of(place));
            (values().min().unwrap_or(0), values().max().unwrap_or(0))
        };
        let (top, bottom) = bounds(&|place| place / self.columns);
        let (left, right) = bounds(&|place| place % self.columns);
        let columns = right + 1 - left;
        let moved = |&place: &usize| (place / self.columns - top) * columns + place % self.columns - left;
        (top, left, Self::of(bottom + 1 - top, columns, places.iter().map(moved).collect()))
    }

    /// For each pixel of the image the number of the usable one that is nearest to it, in steps along rows and columns; of equally
    /// near ones the one that is reached first from above or from the left.
    pub(crate) fn nearest(&self) -> Vec<usize> {
        let mut nearest = vec![usize::MAX; self.rows * self.columns];
        let mut front: Vec<usize> = self.places().collect();
        front.iter().enumerate().for_each(|(number, &place)| nearest[place] = number);
        while !front.is_empty() {
            let mut next = Vec::new();
            for place in front {
                let (row, column) = (place / self.columns, place % self.columns);
                let neighbours = [
                    (row + 1 < self.rows).then_some(place + self.columns),
                    (column + 1 < self.columns).then_some(place + 1),
                    (row > 0).then(|| place - self.columns),
                    (column > 0).then(|| place - 1),
                ];
                for neighbour in neighbours.into_iter().flatten() {
                    if nearest[neighbour] == usize::MAX {
                        nearest[neighbour] = nearest[place];
                        next.push(neighbour);
                    }
                }
            }
            front = next;
        }
        nearest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_to_their_pixels_and_back() {
        let usable = Usable::of(3, 4, vec![5, 6, 10]);
        assert_eq!((usable.count(), usable.left_out()), (3, 9));
        let all = usable.scattered(&[1, 2, 3, 4, 5, 6], 2, 0);
        assert_eq!(all[10..14], [1, 2, 3, 4]);
        assert_eq!(usable.gathered(&all, 2), [1, 2, 3, 4, 5, 6]);
        let (top, left, part) = usable.cropped();
        assert_eq!((top, left, part.rows(), part.columns()), (1, 1, 2, 2));
        assert_eq!(part.places().collect::<Vec<_>>(), [0, 1, 3]);
        assert_eq!(part.nearest(), [0, 1, 0, 2]);
        let whole = Usable::of(2, 2, vec![0, 1, 2, 3]);
        assert_eq!(whole, Usable::all(2, 2));
        assert_eq!(whole.places().collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(whole.nearest(), [0, 1, 2, 3]);
    }
}
