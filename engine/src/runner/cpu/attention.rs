//! Keys and values in blocks of 16 tokens, and attention over them where they lie.
//!
//! A block's keys are a panel, `[head_dim][16 tokens]`, so scores are chains of `q` over it; its values are panels too,
//! `[head_dim / 16][16 tokens][16]`, so outputs are chains of weights over tokens, block after block from position 0.

use super::{
    feed::Feed,
    floats::{Aligned, PANEL, whole_panels},
    kernels::{PanelRef, Rows, RowsMut, Start, chain, rms_norm, softmax_weights},
    lanes::{Kernel, Lanes},
    matrix::View,
};
use crate::{batch::BatchSequence, kv_pool::BlockId, model::ModelConfig};

/// Tokens per KV block: the outputs of one panel.
pub(super) const BLOCK_TOKENS: usize = PANEL;

/// Most query vectors (rows × heads that share a key head) that are computed together.
const QUERY_TILE: usize = 12;

/// Widths of one model's attention.
#[derive(Clone, Copy)]
pub(super) struct Heads {
    pub(super) kv_heads: usize,
    /// Query heads that share a key head.
    pub(super) group: usize,
    pub(super) head_dim: usize,
}

impl Heads {
    pub(super) fn of(model: &ModelConfig) -> Self {
        Self { kv_heads: model.kv_heads, group: model.heads / model.kv_heads, head_dim: model.head_dim }
    }

    /// Numbers of one key head's keys in a block.
    fn key_numbers(self) -> usize {
        self.head_dim * BLOCK_TOKENS
    }

    /// Numbers of one key head's values in a block.
    fn value_numbers(self) -> usize {
        whole_panels(self.head_dim) * BLOCK_TOKENS
    }

    fn head_numbers(self) -> usize {
        self.key_numbers() + self.value_numbers()
    }

    /// Bytes of a block over all layers.
    pub(super) fn block_bytes(self, layers: usize) -> usize {
        layers * self.kv_heads * self.head_numbers() * size_of::<f32>()
    }

    /// Rows that are computed together.
    fn tile_rows(self) -> usize {
        (QUERY_TILE / self.group).max(1)
    }

    /// Numbers of scratch space that a task needs: queries, scores and outputs of a tile.
    pub(super) fn scratch(self, context: usize) -> usize {
        let vectors = self.tile_rows() * self.group;
        vectors * (self.head_dim + context.next_multiple_of(BLOCK_TOKENS) + whole_panels(self.head_dim))
            + self.head_dim
    }
}

/// Keys and values of every layer.
pub(super) struct KvMemory {
    /// `[layers][blocks][kv_heads][keys, values]`.
    numbers: Aligned<f32>,
    heads: Heads,
    blocks: usize,
}

impl KvMemory {
    pub(super) fn new(heads: Heads, layers: usize, blocks: usize) -> Self {
        let numbers = layers * blocks * heads.kv_heads * heads.head_numbers();
        Self { numbers: Aligned::filled(0.0, numbers), heads, blocks }
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// One layer, for tasks that each write to the blocks of one sequence and one key head.
    pub(super) fn layer(&mut self, layer: usize) -> KvLayer {
        let numbers = self.blocks * self.heads.kv_heads * self.heads.head_numbers();
        let start = self.numbers[layer * numbers..(layer + 1) * numbers].as_mut_ptr();
        KvLayer { start, heads: self.heads, blocks: self.blocks }
    }
}

/// Keys and values of one layer.
#[derive(Clone, Copy)]
pub(super) struct KvLayer {
    start: *mut f32,
    heads: Heads,
    blocks: usize,
}

// SAFETY: see `KvMemory::layer`: a block that is written has one holder, and a key head one task.
unsafe impl Send for KvLayer {}
// SAFETY: as above.
unsafe impl Sync for KvLayer {}

impl KvLayer {
    fn keys(self, block: BlockId, head: usize) -> *mut f32 {
        let block = block.0 as usize;
        assert!(block < self.blocks && head < self.heads.kv_heads, "a block outside the pool");
        self.start.wrapping_add((block * self.heads.kv_heads + head) * self.heads.head_numbers())
    }

    fn values(self, block: BlockId, head: usize) -> *mut f32 {
        self.keys(block, head).wrapping_add(self.heads.key_numbers())
    }
}

/// How a head is turned before it is compared: normalised where the family does, then rotated by its position.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) query_norm: Option<&'a [f32]>,
    pub(super) key_norm: Option<&'a [f32]>,
    pub(super) epsilon: f32,
    /// `[rows, head_dim / 2]` cosines, then as many sines.
    pub(super) angles: View<'a>,
}

impl Turn<'_> {
    /// Rotary position embedding (arXiv:2104.09864) in the half-split form of Hugging Face checkpoints.
    #[inline(always)]
    fn turn<L: Lanes>(self, head: &[f32], norm: Option<&[f32]>, row: usize, out: &mut [f32]) {
        match norm {
            Some(weight) => rms_norm::<L>(head, weight, self.epsilon, out),
            None => out.copy_from_slice(head),
        }
        let half = head.len() / 2;
        // SAFETY: angles are written before the first layer only.
        let (cos, sin) = unsafe { self.angles.row(row, 2 * half) }.split_at(half);
        let (left, right) = out.split_at_mut(half);
        for i in 0..half {
            let (a, b) = (left[i], right[i]);
            left[i] = a.mul_add(cos[i], -(b * sin[i]));
            right[i] = b.mul_add(cos[i], a * sin[i]);
        }
    }
}

/// One task: the rows of one sequence under one key head. Stores their keys and values, then attends.
pub(super) struct Attend<'a> {
    pub(super) kv: KvLayer,
    pub(super) heads: Heads,
    pub(super) sequence: &'a BatchSequence,
    /// Position of the sequence's first row.
    pub(super) start: usize,
    pub(super) head: usize,
    pub(super) turn: Turn<'a>,
    pub(super) queries: View<'a>,
    pub(super) keys: View<'a>,
    pub(super) values: View<'a>,
    pub(super) out: View<'a>,
    pub(super) scratch: &'a mut [f32],
}

impl Kernel for Attend<'_> {
    #[inline(always)]
    fn run<L: Lanes>(mut self) {
        for row in self.sequence.rows.clone() {
            self.store::<L>(row);
        }
        let rows = self.sequence.rows.clone();
        for first in rows.clone().step_by(self.heads.tile_rows()) {
            self.attend::<L>(first..(first + self.heads.tile_rows()).min(rows.end));
        }
    }
}

impl Attend<'_> {
    fn position(&self, row: usize) -> usize {
        self.start + row - self.sequence.rows.start
    }

    /// Writes a row's key and value into its block. A block is emptied when its first token comes: what an earlier
    /// holder left behind, NaN perhaps, meets no later chain.
    #[inline(always)]
    fn store<L: Lanes>(&mut self, row: usize) {
        let head_dim = self.heads.head_dim;
        let (block, slot) = (self.position(row) / BLOCK_TOKENS, self.position(row) % BLOCK_TOKENS);
        let block = self.sequence.blocks[block];
        let (keys, values) = (self.kv.keys(block, self.head), self.kv.values(block, self.head));
        // SAFETY: the sequence alone holds a block that it writes to, and this task alone has its key head.
        let (keys, values) = unsafe {
            (
                std::slice::from_raw_parts_mut(keys, self.heads.key_numbers()),
                std::slice::from_raw_parts_mut(values, self.heads.value_numbers()),
            )
        };
        if slot == 0 {
            keys.fill(0.0);
            values.fill(0.0);
        }
        let column = self.head * head_dim;
        // SAFETY: projections were written in the region before.
        let (key, value) = unsafe {
            (self.keys.columns(column).row(row, head_dim), self.values.columns(column).row(row, head_dim))
        };
        let turned = &mut self.scratch[..head_dim];
        self.turn.turn::<L>(key, self.turn.key_norm, row, turned);
        for (number, place) in turned.iter().zip(keys[slot..].iter_mut().step_by(BLOCK_TOKENS)) {
            *place = *number;
        }
        for (dims, panel) in value.chunks(PANEL).zip(values.chunks_exact_mut(PANEL * BLOCK_TOKENS)) {
            panel[slot * PANEL..][..dims.len()].copy_from_slice(dims);
        }
    }

    /// A few rows, all heads that share this key head: scores, weights, weighted values.
    #[inline(always)]
    fn attend<L: Lanes>(&mut self, rows: std::ops::Range<usize>) {
        let Heads { group, head_dim, .. } = self.heads;
        let vectors = rows.len() * group;
        let context = self.position(rows.end - 1) + 1;
        let blocks = &self.sequence.blocks[..context.div_ceil(BLOCK_TOKENS)];
        let (score_stride, out_stride) = (blocks.len() * BLOCK_TOKENS, whole_panels(head_dim));
        let (queries, rest) = self.scratch.split_at_mut(vectors * head_dim);
        let (scores, rest) = rest.split_at_mut(vectors * score_stride);
        let outputs = &mut rest[..vectors * out_stride];

        let scale = 1.0 / (head_dim as f32).sqrt();
        for (index, query) in queries.chunks_exact_mut(head_dim).enumerate() {
            let (row, head) = (rows.start + index / group, self.head * group + index % group);
            // SAFETY: projections were written in the region before.
            let from = unsafe { self.queries.columns(head * head_dim).row(row, head_dim) };
            self.turn.turn::<L>(from, self.turn.query_norm, row, query);
            query.iter_mut().for_each(|number| *number *= scale);
        }
        let query_rows = Rows { start: queries.as_ptr(), stride: head_dim };
        for (index, block) in blocks.iter().enumerate() {
            let w =
                PanelRef { start: self.kv.keys(*block, self.head).cast_const(), stride: 0, depth: head_dim };
            let y = RowsMut { start: scores[index * BLOCK_TOKENS..].as_mut_ptr(), stride: score_stride };
            // SAFETY: queries, block and scores have the sizes asked for, and are this task's.
            unsafe { chain::<L, f32>((query_rows, vectors), (w, 1), y, Start::Zero, &mut Feed::none()) };
        }
        let mut shares = [0.0; MAX_VECTORS];
        for (index, scores) in scores.chunks_exact_mut(score_stride).enumerate() {
            // A row sees itself and what came before.
            let seen = self.start + rows.start + index / group - self.sequence.rows.start + 1;
            shares[index] = softmax_weights::<L>(&mut scores[..seen]);
            scores[seen..].fill(0.0);
        }
        let panels = out_stride / PANEL;
        for (index, block) in blocks.iter().enumerate() {
            let x = Rows { start: scores[index * BLOCK_TOKENS..].as_ptr(), stride: score_stride };
            let start = self.kv.values(*block, self.head).cast_const();
            let w = PanelRef { start, stride: PANEL * BLOCK_TOKENS, depth: BLOCK_TOKENS };
            let y = RowsMut { start: outputs.as_mut_ptr(), stride: out_stride };
            let begin = if index == 0 { Start::Zero } else { Start::Output };
            // SAFETY: weights, block and outputs have the sizes asked for, and are this task's.
            unsafe { chain::<L, f32>((x, vectors), (w, panels), y, begin, &mut Feed::none()) };
        }
        for (index, output) in outputs.chunks_exact(out_stride).enumerate() {
            let (row, head) = (rows.start + index / group, self.head * group + index % group);
            // SAFETY: this row's part of this head is this task's.
            let out = unsafe { self.out.columns(head * head_dim).row_mut(row, head_dim) };
            out.iter_mut().zip(output).for_each(|(out, number)| *out = number * shares[index]);
        }
    }
}

/// Most query vectors of a tile; a model with more query heads for one key head is refused at load.
pub(super) const MAX_VECTORS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::InstructionSet,
        logits::Wanted,
        runner::cpu::{lanes::Instructions, matrix::Matrix},
    };

    /// An earlier holder's NaN must not reach whoever gets its block next, not even multiplied by zero.
    #[test]
    fn what_a_block_held_before_does_not_matter() {
        let heads = Heads { kv_heads: 1, group: 2, head_dim: 4 };
        let matrix = |columns: usize, seed: usize| {
            let mut matrix = Matrix::new(20, columns);
            let (numbers, _) = matrix.rows_mut(20);
            numbers.iter_mut().enumerate().for_each(|(i, n)| *n = ((i * 7 + seed) % 11) as f32 / 11.0);
            matrix
        };
        let answer = |left_behind: f32| {
            let mut kv = KvMemory::new(heads, 1, 3);
            kv.numbers.fill(left_behind);
            let (mut queries, mut keys, mut values) = (matrix(8, 1), matrix(4, 2), matrix(4, 3));
            let (mut angles, mut out) = (matrix(4, 4), Matrix::new(20, 8));
            let sequence =
                BatchSequence { rows: 0..20, blocks: vec![BlockId(2), BlockId(0)], wanted: Wanted::Row };
            let turn = Turn { query_norm: None, key_norm: None, epsilon: 0.0, angles: angles.view() };
            Instructions::choose(Some(InstructionSet::Portable)).unwrap().run(Attend {
                kv: kv.layer(0),
                heads,
                sequence: &sequence,
                start: 0,
                head: 0,
                turn,
                queries: queries.view(),
                keys: keys.view(),
                values: values.view(),
                out: out.view(),
                scratch: &mut vec![0.0; heads.scratch(20)],
            });
            out.rows_mut(20).0.to_vec()
        };
        let clean = answer(0.0);
        assert!(clean.iter().any(|number| *number != 0.0));
        assert_eq!(answer(f32::NAN), clean);
    }
}
