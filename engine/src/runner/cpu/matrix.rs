//! Row-major matrices of one step, and a view through which tasks of one parallel region write to places of their own.

use std::{marker::PhantomData, ops::Range};

use super::floats::{Aligned, whole_panels};

/// Rows of equal width, each on a cache line, allocated once.
pub(super) struct Matrix {
    numbers: Aligned<f32>,
    stride: usize,
}

impl Matrix {
    /// A matrix of zeros; rows are widened to whole panels.
    pub(super) fn new(rows: usize, width: usize) -> Self {
        let stride = whole_panels(width);
        Self { numbers: Aligned::filled(0.0, rows * stride), stride }
    }

    /// The whole of it.
    pub(super) fn view(&mut self) -> View<'_> {
        View {
            start: self.numbers.as_mut_ptr(),
            len: self.numbers.len(),
            stride: self.stride,
            first: 0,
            life: PhantomData,
        }
    }

    /// The numbers of the first rows, and the distance of two rows.
    pub(super) fn rows_mut(&mut self, rows: usize) -> (&mut [f32], usize) {
        (&mut self.numbers[..rows * self.stride], self.stride)
    }
}

/// A matrix, or some of its columns, that several threads read and write within one parallel region.
///
/// The borrow checker cannot see that tasks keep to their own places, so getting a place is unsafe and says why it is
/// nobody else's.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    start: *mut f32,
    len: usize,
    stride: usize,
    first: usize,
    life: PhantomData<&'a mut [f32]>,
}

// SAFETY: a view gives no access without an unsafe call, whose promise is that no other thread has the same place.
unsafe impl Send for View<'_> {}
// SAFETY: as above.
unsafe impl Sync for View<'_> {}

impl<'a> View<'a> {
    /// The columns from this one on.
    pub(super) fn columns(self, first: usize) -> Self {
        Self { first: self.first + first, ..self }
    }

    /// Numbers from one row to the next.
    pub(super) fn stride(self) -> usize {
        self.stride
    }

    /// Part of a row, to read.
    ///
    /// # Safety
    /// No thread writes there meanwhile.
    #[inline(always)]
    pub(super) unsafe fn row(self, row: usize, width: usize) -> &'a [f32] {
        // SAFETY: `place` is within the matrix, and the caller promises the rest.
        unsafe { std::slice::from_raw_parts(self.place(row..row + 1, width), width) }
    }

    /// Part of a row, to write.
    ///
    /// # Safety
    /// No other thread reads or writes there meanwhile, and this one has no other reference to it.
    #[inline(always)]
    pub(super) unsafe fn row_mut(self, row: usize, width: usize) -> &'a mut [f32] {
        // SAFETY: `place` is within the matrix, and the caller promises the rest.
        unsafe { std::slice::from_raw_parts_mut(self.place(row..row + 1, width), width) }
    }

    /// A whole row, to write.
    ///
    /// # Safety
    /// As for [`View::row_mut`].
    #[inline(always)]
    pub(super) unsafe fn whole_row_mut(self, row: usize) -> &'a mut [f32] {
        // SAFETY: the same promise.
        unsafe { self.row_mut(row, self.stride - self.first) }
    }

    /// Where a block of rows begins; checked to lie within the matrix. Row `i` of it is `i · stride` further.
    #[inline(always)]
    pub(super) fn place(self, rows: Range<usize>, width: usize) -> *mut f32 {
        let start = rows.start * self.stride + self.first;
        let end = if rows.is_empty() { start } else { (rows.end - 1) * self.stride + self.first + width };
        assert!(
            end <= self.len && start <= end && self.first + width <= self.stride,
            "a place outside the matrix"
        );
        self.start.wrapping_add(start)
    }
}
