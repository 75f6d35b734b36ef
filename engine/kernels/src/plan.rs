//! Divides a step's rows among blocks of the attention and adapter kernels. Plain arithmetic on the host, once a step;
//! every layer uses the same tables.
//!
//! Where a sequence is cut depends on its own rows and length alone, so its results do not depend on its neighbours.

use std::ops::Range;

use crate::abi::{
    ATTENTION_TILE_VECTORS, AttentionTile, CombineRow, LORA_SPLIT_INPUTS, LORA_TILE_ROWS, LoraTile,
    NO_PARTIAL,
};

/// Keys that one tile of a decoding row looks at; a longer past is divided.
pub const SPLIT_TOKENS: usize = 256;

/// One sequence's rows of a step.
#[derive(Clone, Debug)]
pub struct SequenceRows {
    /// Its rows in the batch.
    pub rows: Range<usize>,
    /// Position of the first of them.
    pub position: usize,
}

/// Work for `paged_attention` and `attention_combine`.
#[derive(Debug, Default)]
pub struct Attention {
    /// Tiles, in row order; sequence `i` is row `i` of the block tables.
    pub tiles: Vec<AttentionTile>,
    /// Rows to combine, in row order; none if no row's past is divided.
    pub combined: Vec<CombineRow>,
    /// Partial results, all of them used by `combined`.
    pub partials: usize,
}

impl Attention {
    /// Tiles for the sequences of a step; `group` query heads share a key head.
    ///
    /// Single rows are divided by their keys (as in Flash-Decoding, <https://pytorch.org/blog/flash-decoding>), longer
    /// chunks by their rows.
    pub fn new(sequences: impl IntoIterator<Item = SequenceRows>, group: usize) -> Self {
        let mut plan = Self::default();
        for (index, sequence) in sequences.into_iter().enumerate() {
            if sequence.rows.len() == 1 {
                plan.decode(index, &sequence);
            } else {
                plan.prefill(index, &sequence, group);
            }
        }
        plan
    }

    fn decode(&mut self, index: usize, sequence: &SequenceRows) {
        let context = sequence.position + 1;
        let count = context.div_ceil(SPLIT_TOKENS);
        let row = sequence.rows.start as u32;
        for split in 0..count {
            let partial = if count == 1 { NO_PARTIAL } else { (self.partials + split) as u32 };
            self.tiles.push(AttentionTile {
                sequence: index as u32,
                row,
                rows: 1,
                position: sequence.position as u32,
                key_from: (split * SPLIT_TOKENS) as u32,
                key_to: context.min((split + 1) * SPLIT_TOKENS) as u32,
                partial,
                reserved: 0,
            });
        }
        if count > 1 {
            let first = self.partials as u32;
            self.combined.push(CombineRow { row, first, count: count as u32, reserved: 0 });
            self.partials += count;
        }
    }

    fn prefill(&mut self, index: usize, sequence: &SequenceRows, group: usize) {
        let tile_rows = (ATTENTION_TILE_VECTORS / group).max(1);
        for start in sequence.rows.clone().step_by(tile_rows) {
            let rows = tile_rows.min(sequence.rows.end - start);
            let position = sequence.position + start - sequence.rows.start;
            self.tiles.push(AttentionTile {
                sequence: index as u32,
                row: start as u32,
                rows: rows as u32,
                position: position as u32,
                key_from: 0,
                key_to: (position + rows) as u32,
                partial: NO_PARTIAL,
                reserved: 0,
            });
        }
    }
}

/// Numbers of the attention scratch: of the partial outputs, and of their statistics.
pub fn attention_scratch(partials: usize, heads: usize, head_dim: usize) -> [usize; 2] {
    [partials * heads * head_dim, partials * heads * 2]
}

/// Tiles for runs of rows with one adapter each, `(rows, address of its table of sites)`. Rows without an adapter (their
/// address is 0) are in no tile, and cost nothing.
pub fn lora_tiles(segments: impl IntoIterator<Item = (Range<usize>, u64)>) -> Vec<LoraTile> {
    let mut tiles = Vec::new();
    for (rows, sites) in segments.into_iter().filter(|(_, sites)| *sites != 0) {
        for start in rows.clone().step_by(LORA_TILE_ROWS) {
            let rows = LORA_TILE_ROWS.min(rows.end - start) as u32;
            tiles.push(LoraTile { sites, row: start as u32, rows });
        }
    }
    tiles
}

/// Most tiles that [`lora_tiles`] makes of this many rows with at most so many adapters. A captured graph is launched with
/// that many; tiles left over have no rows.
pub fn lora_tiles_bound(rows: usize, adapters: usize) -> usize {
    rows.min(rows / LORA_TILE_ROWS + adapters)
}

/// How many blocks share the inputs of one sum; depends on the width alone, so that sums do not depend on the batch.
pub fn lora_splits(inputs: usize) -> usize {
    inputs.div_ceil(LORA_SPLIT_INPUTS)
}

/// Numbers of the scratch between shrink and expand.
pub fn lora_scratch(rows: usize, members: usize, max_rank: usize, inputs: usize) -> usize {
    lora_splits(inputs) * rows * members * max_rank
}
