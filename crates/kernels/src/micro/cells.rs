//! An array that tasks fill side by side, each its own places, wherever those lie.

use std::{marker::PhantomData, ops::Range};

/// Rows and columns of a block that are moved at once.
const SIDE: usize = 4;
/// Values of a line of the cache.
const LINE: usize = 16;

/// The places of an array, not yet filled.
pub(super) struct Cells<'a> {
    first: *mut f32,
    length: usize,
    array: PhantomData<&'a mut [f32]>,
}

// SAFETY: what writes promises that no two tasks write the same place, and nothing reads.
unsafe impl Sync for Cells<'_> {}

/// An array of `length` places after `fill`.
///
/// # Safety
/// `fill` writes every place, and no two of its tasks write the same one.
pub(super) unsafe fn filled(length: usize, fill: impl FnOnce(&Cells)) -> Vec<f32> {
    let mut array = Vec::with_capacity(length);
    fill(&Cells { first: array.as_mut_ptr(), length, array: PhantomData });
    // SAFETY: the caller's promise.
    unsafe { array.set_len(length) };
    array
}

/// Columns of a square as rows. As a loop over its values it is moved one by one.
#[inline(always)]
fn transposed(square: [[f32; SIDE]; SIDE]) -> [[f32; SIDE]; SIDE] {
    #[cfg(target_arch = "x86_64")]
    {
        use std::{
            arch::x86_64::{__m128, _MM_TRANSPOSE4_PS},
            mem::transmute,
        };
        // SAFETY: every processor of this kind has the instructions; a row and a vector are the same four values.
        unsafe {
            let [mut a, mut b, mut c, mut d] = transmute::<[[f32; SIDE]; SIDE], [__m128; SIDE]>(square);
            _MM_TRANSPOSE4_PS(&mut a, &mut b, &mut c, &mut d);
            transmute([a, b, c, d])
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::array::from_fn(|column| square.map(|row| row[column]))
}

/// Asks for `count` values from `first` on, that they are near when they are needed: memory that is walked in small tiles is fetched late
/// else, as the processor itself looks no further than a page. Places outside of the array do not matter.
#[inline(always)]
pub(super) fn prefetch(array: &[f32], first: usize, count: usize) {
    prefetch_from(array.as_ptr(), first, count);
}

#[inline(always)]
fn prefetch_from(array: *const f32, first: usize, count: usize) {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    for line in 0..=count.div_ceil(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint that reads nothing and never fails, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(array.wrapping_add(first + line * LINE).cast()) };
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    let _ = (array, first, count);
}

impl Cells<'_> {
    /// Asks for `count` places from `place` on, which will be written.
    #[inline(always)]
    pub(super) fn prefetch(&self, place: usize, count: usize) {
        prefetch_from(self.first, place, count);
    }

    #[inline(always)]
    fn at(&self, place: usize, count: usize) -> *mut f32 {
        assert!(place <= self.length && count <= self.length - place, "a place outside of the array");
        // SAFETY: within the array.
        unsafe { self.first.add(place) }
    }

    /// Writes `values` from `place` on.
    #[inline(always)]
    pub(super) fn write(&self, place: usize, values: &[f32]) {
        // SAFETY: `at` checks the extent, and the values lie elsewhere: nobody else can see the array.
        unsafe { self.at(place, values.len()).copy_from_nonoverlapping(values.as_ptr(), values.len()) };
    }

    /// Writes `what` becomes of each of `values` from `place` on.
    #[inline(always)]
    pub(super) fn write_each(&self, place: usize, values: &[f64], what: impl Fn(f64) -> f32) {
        let target = self.at(place, values.len());
        for (i, value) in values.iter().enumerate() {
            // SAFETY: `at` checks the extent.
            unsafe { target.add(i).write(what(*value)) };
        }
    }

    /// Writes columns of `values`, `[row][stride]`: the value of row `rows.start + r` in a column goes to `place + columns[column] + r`.
    #[inline(always)]
    pub(super) fn write_columns(
        &self,
        place: usize,
        values: &[f32],
        stride: usize,
        rows: Range<usize>,
        columns: &[usize],
    ) {
        let Some(last) = rows.end.checked_sub(1).filter(|_| !rows.is_empty()) else { return };
        assert!(last * stride + columns.len() <= values.len(), "rows of values are missing");
        let (whole, rest) = columns.as_chunks::<SIDE>();
        let value = |row: usize, column: usize| values[row * stride + column];
        for (block, places) in whole.iter().enumerate() {
            let mut targets = [self.first; SIDE];
            for (target, column) in targets.iter_mut().zip(places) {
                *target = self.at(place + column, rows.len());
            }
            let mut row = rows.start;
            while row + SIDE <= rows.end {
                let mut square = [[0.0f32; SIDE]; SIDE];
                // SAFETY: the last row holds all columns, and each target has room for all rows.
                unsafe {
                    for (r, line) in square.iter_mut().enumerate() {
                        let source = values.as_ptr().add((row + r) * stride + block * SIDE);
                        *line = source.cast::<[f32; SIDE]>().read_unaligned();
                    }
                    for (target, column) in targets.iter().zip(transposed(square)) {
                        target.add(row - rows.start).cast::<[f32; SIDE]>().write_unaligned(column);
                    }
                }
                row += SIDE;
            }
            for row in row..rows.end {
                for (c, target) in targets.iter().enumerate() {
                    // SAFETY: each target has room for all rows.
                    unsafe { target.add(row - rows.start).write(value(row, block * SIDE + c)) };
                }
            }
        }
        for (c, column) in rest.iter().enumerate() {
            let target = self.at(place + column, rows.len());
            for row in rows.clone() {
                // SAFETY: the target has room for all rows.
                unsafe { target.add(row - rows.start).write(value(row, whole.len() * SIDE + c)) };
            }
        }
    }
}
