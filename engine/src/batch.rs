//! One step's work as the runner sees it: flattened rows, their block tables, and runs of rows with one adapter.
//! Knows no tenants, requests or sampling.

use std::{ops::Range, sync::Arc};

use crate::{error::EngineError, kv_pool::BlockId, logits::Wanted, model::ModelConfig};

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
    /// What of the logits of its last row is wanted.
    pub wanted: Wanted,
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

    /// The rows whose logits are wanted: the last of each sequence that wants any, in sequence order.
    pub fn wanted_rows(&self) -> impl Iterator<Item = usize> {
        self.sequences.iter().filter(|s| s.wanted != Wanted::Nothing).map(|s| s.rows.end - 1)
    }

    /// Whether a runner may trust its indices to this batch: its shape, tokens, positions and blocks.
    ///
    /// # Errors
    /// [`EngineError::Fault`] says what is malformed.
    pub fn check(
        &self,
        model: &ModelConfig,
        (pool_blocks, block_tokens): (usize, usize),
    ) -> Result<(), EngineError> {
        let rows = self.rows();
        let broken = |what: &str| Err(EngineError::Fault(format!("malformed batch: {what}")));
        if rows == 0 || self.positions.len() != rows {
            return broken("no rows, or not one position for each");
        }
        if self.tokens.iter().any(|&t| t as usize >= model.vocab_size) {
            return broken("a token outside the vocabulary");
        }
        if self.positions.iter().any(|&p| p as usize >= model.context_length) {
            return broken("a position outside the context");
        }
        if !tile(self.sequences.iter().map(|s| &s.rows), rows)
            || !tile(self.segments.iter().map(|s| &s.rows), rows)
        {
            return broken("sequences or segments leave gaps");
        }
        for sequence in &self.sequences {
            let positions = &self.positions[sequence.rows.clone()];
            let consecutive = positions.windows(2).all(|pair| pair[1] == pair[0] + 1);
            let context = positions.last().map_or(0, |&last| last as usize + 1);
            if !consecutive || sequence.blocks.len() * block_tokens < context {
                return broken("a sequence's positions are not consecutive, or its blocks do not hold them");
            }
            if matches!(sequence.wanted, Wanted::Top(count) if !(1..=Wanted::MOST_TOP).contains(&count)) {
                return broken("none, or too many, of the largest logits are wanted");
            }
            if sequence.blocks.iter().any(|block| block.0 as usize >= pool_blocks) {
                return broken("a block outside the pool");
            }
        }
        Ok(())
    }
}

/// Whether ranges follow each other from 0 to `rows`, none of them empty.
fn tile<'a>(ranges: impl Iterator<Item = &'a Range<usize>>, rows: usize) -> bool {
    let mut next = 0;
    for range in ranges {
        if range.start != next || range.end <= range.start {
            return false;
        }
        next = range.end;
    }
    next == rows
}
