//! Sparse matrices in compressed columns, as both formats of MATLAB have them, with their zeros.

use crate::{
    array::{Array, value_count},
    element::{ElementType, Values},
    error::{Place, Result},
    file::{limits::Limits, origin::Origin},
};
use num_complex::Complex;

/// A matrix of which the file holds the entries that are not zero, column by column.
pub(crate) struct Columns {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// The row of each entry.
    pub(crate) row_of: Vec<u64>,
    /// Of each column its first entry, and the number of entries.
    pub(crate) starts: Vec<u64>,
    pub(crate) real: Vec<f64>,
    /// As many, or none.
    pub(crate) imaginary: Vec<f64>,
}

impl Columns {
    /// The matrix with its zeros: booleans, f64 or complex numbers.
    pub(crate) fn dense(&self, element: ElementType, limits: &Limits, origin: &Origin, place: &Place) -> Result<Array> {
        let Self { rows, columns, row_of, starts, real, imaginary } = self;
        let fault = |problem: &str| origin.fault(place.clone(), problem);
        let present = row_of.len().min(real.len()) as u64;
        let whole = starts.len() == columns + 1
            && starts.first() == Some(&0)
            && starts.is_sorted()
            && starts.last() <= Some(&present)
            && (imaginary.is_empty() || imaginary.len() == real.len());
        if !whole || row_of.iter().any(|&row| row >= *rows as u64) {
            return Err(fault("the rows or columns of a sparse matrix do not fit its shape"));
        }
        let shape = vec![*rows, *columns];
        let bytes = value_count(&shape).and_then(|count| Some((count, count.checked_mul(element.size_bytes())?)));
        let Some((count, dense_bytes)) = bytes else {
            return Err(fault(&format!("shape {shape:?} is more than this machine can address")));
        };
        origin.within(place.clone(), "the size in bytes with all zeros", dense_bytes as u64, limits.of_dense())?;
        // Offset in the dense matrix and position in the lists, entry by entry.
        let entries = || {
            starts.windows(2).enumerate().flat_map(|(column, ends)| {
                // All are below the length of a vector.
                let entries = ends[0] as usize..ends[1] as usize;
                entries.map(move |entry| (row_of[entry] as usize * columns + column, entry))
            })
        };
        let memory = || fault("there is not enough memory for all its zeros");
        let values = match element {
            ElementType::Bool => {
                let mut dense = zeros(count, false).ok_or_else(memory)?;
                entries().for_each(|(offset, entry)| dense[offset] = real[entry] != 0.0);
                Values::Bool(dense)
            }
            ElementType::Complex128 => {
                let mut dense = zeros(count, Complex::default()).ok_or_else(memory)?;
                let part = |entry: usize| imaginary.get(entry).copied().unwrap_or(0.0);
                entries().for_each(|(offset, entry)| dense[offset] = Complex::new(real[entry], part(entry)));
                Values::Complex128(dense)
            }
            _ => {
                let mut dense = zeros(count, 0.0).ok_or_else(memory)?;
                entries().for_each(|(offset, entry)| dense[offset] = real[entry]);
                Values::F64(dense)
            }
        };
        Array::new(shape, values)
    }
}

fn zeros<T: Clone>(count: usize, zero: T) -> Option<Vec<T>> {
    Vec::<T>::new().try_reserve_exact(count).ok()?;
    Some(vec![zero; count])
}
