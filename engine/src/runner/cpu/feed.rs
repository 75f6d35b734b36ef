//! What will be read soon, by this task or a later one: asked for line by line between the steps of a chain, so that memory
//! works while the multipliers do, and an adapter is in a cache when its turn comes. Changes no result.

use std::ops::Range;

use super::floats::LINE_BYTES;

/// Steps of a chain in which one piece is asked for.
pub(super) const STEPS: usize = 64;
/// Most bytes of a piece: a line a step.
const PIECE_BYTES: usize = STEPS * LINE_BYTES;

/// Some lines of memory, to be asked for and not to be read.
#[derive(Clone, Copy, Default)]
pub(super) struct Piece {
    address: usize,
    bytes: usize,
}

impl Piece {
    /// The pieces of a stretch of addresses.
    pub(super) fn of(addresses: Range<usize>) -> impl Iterator<Item = Self> {
        let Range { start, end } = addresses;
        let piece = move |address| Self { address, bytes: PIECE_BYTES.min(end - address) };
        (start..end).step_by(PIECE_BYTES).map(piece)
    }
}

/// Pieces in the order in which they are asked for.
pub(super) struct Feed<'a>(std::slice::Iter<'a, Piece>);

impl<'a> Feed<'a> {
    pub(super) fn new(pieces: &'a [Piece]) -> Self {
        Self(pieces.iter())
    }

    /// Nothing to ask for.
    pub(super) fn none() -> Self {
        Self::new(&[])
    }

    /// Where to ask first, and how much further at each of the next steps; `idle` when nothing is left.
    #[inline(always)]
    pub(super) fn next(&mut self, steps: usize, idle: *const u8) -> (*const u8, usize) {
        match self.0.next() {
            Some(piece) => (std::ptr::without_provenance(piece.address), piece.bytes.div_ceil(steps)),
            None => (idle, 0),
        }
    }
}
