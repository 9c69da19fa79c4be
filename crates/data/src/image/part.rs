//! Bands and parts of an image.

use super::Image;
use crate::{
    array::Array,
    element::map_values,
    error::{Error, Result},
};
use std::ops::Range;

impl<'a> Image<'a> {
    /// The image of these bands, counted from 0, in this order.
    ///
    /// # Errors
    /// [`Error::Index`] for a band that does not exist; [`Error::Count`] for none.
    pub fn bands(self, bands: &[usize]) -> Result<Self> {
        let all = self.info.bands;
        if let Some(&index) = bands.iter().find(|&&band| band >= all) {
            return Err(Error::Index { doing: "choosing bands", index, len: all });
        }
        if bands.is_empty() {
            return Err(Error::Count { doing: "choosing bands", what: "bands", expected: all, got: 0 });
        }
        let info = self.info.with_bands(bands);
        let (bands, rows) = (bands.to_vec(), self.rows);
        let chosen = move |range: Range<usize>| {
            let part = rows(range)?;
            let shape = [part.shape()[0], part.shape()[1], bands.len()];
            let values = map_values!(part.into_values(), values => {
                let spectra = values.chunks_exact(all);
                spectra.flat_map(|spectrum| bands.iter().map(|&band| spectrum[band])).collect()
            });
            Array::new(shape.to_vec(), values)
        };
        Ok(Self { info, rows: Box::new(chosen) })
    }

    /// The part of these rows and columns, counted from 0; its place moves with it.
    ///
    /// # Errors
    /// [`Error::Index`] for rows or columns that do not exist.
    pub fn crop(self, rows: Range<usize>, columns: Range<usize>) -> Result<Self> {
        for (range, len, doing) in
            [(&rows, self.info.rows, "choosing rows"), (&columns, self.info.columns, "choosing columns")]
        {
            if range.end > len || range.is_empty() {
                return Err(Error::Index { doing, index: range.end.saturating_sub(1), len });
            }
        }
        let mut info = self.info;
        info.place = info.place.map(|place| place.moved(rows.start, columns.start));
        if let Some(names) = info.spectra_names.as_mut().filter(|names| !names.is_empty()) {
            *names = names[rows.clone()].to_vec();
        }
        let (bands, all) = (info.bands, info.columns);
        (info.rows, info.columns) = (rows.len(), columns.len());
        let own = self.rows;
        let part = move |range: Range<usize>| {
            let whole = own(range.start + rows.start..range.end + rows.start)?;
            let count = whole.shape()[0];
            let wanted = columns.start * bands..columns.end * bands;
            let values = map_values!(whole.into_values(), values => {
                values.chunks_exact(all * bands).flat_map(|line| line[wanted.clone()].iter().copied()).collect()
            });
            Array::new(vec![count, columns.len(), bands], values)
        };
        Ok(Self { info, rows: Box::new(part) })
    }
}
