//! One step's work as the runner sees it: flattened rows, their block tables, and runs of rows with one adapter.
//! Knows no tenants, requests or sampling.

use std::{ops::Range, sync::Arc};

use crate::kv_pool::BlockId;

/// The rows of one step: decode rows and prefill chunks side by side, sorted by adapter.
pub struct Batch<A> {
    /// Token ids, `[rows]`.
    pub tokens: Vec<u32>,
    /// Position of each row in its own sequence, `[rows]`.
    pub positions: Vec<u32>,
    /// Whose rows these are, in row order, without gaps.
    pub sequences: Vec<BatchSequence>,
    /// Which adapter each run of rows has, in row order, without gaps; each adapter once, rows without one first.
    pub segments: Vec<Segment<A>>,
}

/// One sequence's consecutive rows.
pub struct BatchSequence {
    /// Its rows in [`Batch::tokens`]; consecutive positions.
    pub rows: Range<usize>,
    /// KV blocks from position 0 on: position `p` is at `blocks[p / block_tokens]`, row `p % block_tokens`.
    /// Blocks are already allocated for every row of this step.
    pub blocks: Vec<BlockId>,
    /// Whether the logits of its last row are wanted (a prefill chunk before the last needs none).
    pub wants_logits: bool,
}

/// A run of rows with one adapter, or with none.
pub struct Segment<A> {
    /// Rows in [`Batch::tokens`].
    pub rows: Range<usize>,
    /// The resident adapter, pinned while the batch lives.
    pub adapter: Option<Arc<A>>,
}

impl<A> Batch<A> {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.tokens.len()
    }

    /// How many logits rows the runner owes: one for each sequence that wants them, in sequence order.
    pub fn logits_rows(&self) -> usize {
        self.sequences.iter().filter(|s| s.wants_logits).count()
    }
}
