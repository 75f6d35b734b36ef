//! The tasks of linears with adapters. `y = W x` is a chain over inputs; an adapter makes the chains of its rows longer,
//! `+ B (s · A x)` over ascending rank, after its rows were shrunk to `s · A x` in the region before. Ranks stay as they
//! are, and rows without an adapter, or projections that it leaves alone, cost nothing.

use std::ops::Range;

use super::{
    CpuAdapter,
    adapter::Delta,
    feed::{Feed, Piece},
    floats::{PANEL, with_floats},
    kernels::{Rows, RowsMut, Start, chain, dots, gated},
    lanes::{Kernel, Lanes},
    linear::{Linear, panel_ref},
    matrix::View,
};
use crate::{batch::Segment, model::Projection};

/// Panels of one task.
pub(super) const UNIT_PANELS: usize = 2;
/// Ranks of one shrink task.
pub(super) const UNIT_RANKS: usize = 8;

/// Most pieces of memory that one task asks for while it computes; what is left is waited for when it is read.
const MOST_PIECES: usize = 128;

/// A projection of the group that shares its input.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) linear: &'a Linear,
    /// Which one, and of which layer, for its adapters; the output layer has none.
    pub(super) place: Option<(usize, Projection)>,
    /// `s · A x` of its rows.
    pub(super) shrunk: View<'a>,
    pub(super) y: View<'a>,
    /// Whether the outputs are added to what is there.
    pub(super) accumulate: bool,
}

impl Member<'_> {
    /// Tasks of this member.
    pub(super) fn units(&self) -> usize {
        self.linear.panels().div_ceil(UNIT_PANELS)
    }

    /// What a segment's adapter adds to it.
    pub(super) fn delta<'s>(&self, segment: &'s Segment<CpuAdapter>) -> Option<&'s Delta> {
        let (layer, projection) = self.place?;
        segment.adapter.as_ref()?.delta(layer, projection)
    }

    /// The panels of one task.
    pub(super) fn unit(&self, unit: usize) -> Range<usize> {
        unit * UNIT_PANELS..((unit + 1) * UNIT_PANELS).min(self.linear.panels())
    }

    /// Some panels, for all rows: base, then adapters. While the base is computed, `B` of the adapters is asked for, and
    /// what `coming` names.
    ///
    /// # Safety
    /// Nobody writes to `x` or to the shrunk rows meanwhile, and nobody else touches these columns of `y`.
    #[inline(always)]
    unsafe fn project<L: Lanes>(
        &self,
        panels: Range<usize>,
        (x, rows): (View<'_>, usize),
        (segments, coming): (&[Segment<CpuAdapter>], &[Piece]),
        scratch: &mut [f32],
    ) {
        let width = panels.len() * PANEL;
        let input = Rows { start: x.place(0..rows, self.linear.inputs), stride: x.stride() };
        let start = self.y.columns(panels.start * PANEL).place(0..rows, width);
        let y = RowsMut { start, stride: self.y.stride() };
        let mut pieces = [Piece::default(); MOST_PIECES];
        let own = segments.iter().filter_map(|segment| self.delta(segment)).flat_map(|delta| {
            let stride = delta.rank * PANEL;
            Piece::of(delta.b.addresses(panels.start * stride..panels.end * stride))
        });
        let wanted = pieces.iter_mut().zip(own.chain(coming.iter().copied()));
        let count = wanted.map(|(place, piece)| *place = piece).count();
        let mut feed = Feed::new(&pieces[..count]);
        // SAFETY: `place` has seen that the rows are there, and the caller promises the rest.
        unsafe {
            self.linear.apply::<L>(panels.clone(), (input, rows), (y, self.accumulate), (&mut feed, scratch))
        };
        for segment in segments {
            let Some(delta) = self.delta(segment) else { continue };
            let start = self.shrunk.place(segment.rows.clone(), delta.rank);
            let shrunk = (Rows { start, stride: self.shrunk.stride() }, segment.rows.len());
            let y = y.down(segment.rows.start);
            with_floats!(&delta.b, numbers => {
                let (w, count) = panel_ref(numbers, delta.rank, panels.clone());
                // SAFETY: as above, for the segment's rows.
                unsafe { chain::<L, _>(shrunk, (w, count), y, Start::Output, &mut Feed::none()) };
            });
        }
    }
}

/// Some panels of one projection.
pub(super) struct Project<'a> {
    pub(super) member: Member<'a>,
    pub(super) unit: usize,
    pub(super) x: View<'a>,
    pub(super) rows: usize,
    pub(super) segments: &'a [Segment<CpuAdapter>],
    /// What is asked for meanwhile, because a later region reads it.
    pub(super) coming: &'a [Piece],
    pub(super) scratch: &'a mut [f32],
}

impl Kernel for Project<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let panels = self.member.unit(self.unit);
        // SAFETY: inputs were written in regions before, and these columns are this task's.
        unsafe {
            self.member.project::<L>(panels, (self.x, self.rows), (self.segments, self.coming), self.scratch)
        };
    }
}

/// Some panels of the gate and the same of the way up; leaves `silu(gate) · up` where the gate was.
pub(super) struct Gate<'a> {
    pub(super) gate: Member<'a>,
    pub(super) up: Member<'a>,
    pub(super) unit: usize,
    pub(super) x: View<'a>,
    pub(super) rows: usize,
    pub(super) segments: &'a [Segment<CpuAdapter>],
    /// What is asked for meanwhile, because a later region reads it.
    pub(super) coming: &'a [Piece],
    pub(super) scratch: &'a mut [f32],
}

impl Kernel for Gate<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let panels = self.gate.unit(self.unit);
        let (first, second) = self.coming.split_at(self.coming.len() / 2);
        for (member, coming) in [(self.gate, first), (self.up, second)] {
            let input = (self.x, self.rows);
            // SAFETY: inputs were written in regions before, and these columns are this task's.
            unsafe { member.project::<L>(panels.clone(), input, (self.segments, coming), self.scratch) };
        }
        let (column, width) = (panels.start * PANEL, panels.len() * PANEL);
        for row in 0..self.rows {
            // SAFETY: as above.
            let (gate, up) = unsafe {
                (self.gate.y.columns(column).row_mut(row, width), self.up.y.columns(column).row(row, width))
            };
            gated::<L>(gate, up);
        }
    }
}

/// `s · A x` of one segment under one projection, for a few ranks.
pub(super) struct Shrink<'a> {
    pub(super) segment: &'a Segment<CpuAdapter>,
    pub(super) member: Member<'a>,
    pub(super) unit: usize,
    pub(super) x: View<'a>,
}

impl Kernel for Shrink<'_> {
    #[inline(always)]
    fn run<L: Lanes>(self) {
        let Some(delta) = self.member.delta(self.segment) else { return };
        let ranks = self.unit * UNIT_RANKS..((self.unit + 1) * UNIT_RANKS).min(delta.rank);
        if ranks.is_empty() {
            return;
        }
        let (rows, inputs) = (self.segment.rows.clone(), self.member.linear.inputs);
        let x = Rows { start: self.x.place(rows.clone(), inputs), stride: self.x.stride() };
        let start = self.member.shrunk.columns(ranks.start).place(rows.clone(), ranks.len());
        let y = RowsMut { start, stride: self.member.shrunk.stride() };
        with_floats!(&delta.a, numbers => {
            let a = numbers[ranks.start * inputs..ranks.end * inputs].as_ptr();
            // SAFETY: the slices above have the sizes asked for; these rows and ranks are this task's.
            unsafe { dots::<L, _>((x, rows.len()), (a, ranks.len()), inputs, y, delta.scale) };
        });
    }
}
