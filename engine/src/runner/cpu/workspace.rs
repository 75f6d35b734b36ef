//! Where a step's numbers lie between its regions: allocated once, for the largest step.

use super::matrix::{Matrix, View};
use crate::model::ModelConfig;

/// The matrices of a step, `[rows, width]` each.
pub(super) struct Workspace {
    hidden: Matrix,
    normed: Matrix,
    queries: Matrix,
    keys: Matrix,
    values: Matrix,
    attended: Matrix,
    gate: Matrix,
    up: Matrix,
    shrunk: [Matrix; 3],
    angles: Matrix,
    last: Matrix,
    logits: Matrix,
    /// `[threads, scratch]`.
    scratch: Matrix,
}

/// Largest sizes of a step.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) rows: usize,
    pub(super) sequences: usize,
    pub(super) max_rank: usize,
    pub(super) threads: usize,
    /// Numbers of scratch space for each thread.
    pub(super) scratch: usize,
}

/// All of them at once, for the tasks of a step.
#[derive(Clone, Copy)]
pub(super) struct Views<'a> {
    /// The residual stream.
    pub(super) hidden: View<'a>,
    /// What a block reads of it.
    pub(super) normed: View<'a>,
    pub(super) queries: View<'a>,
    pub(super) keys: View<'a>,
    pub(super) values: View<'a>,
    pub(super) attended: View<'a>,
    pub(super) gate: View<'a>,
    pub(super) up: View<'a>,
    /// `s · A x`, for each projection of a group that shares its input.
    pub(super) shrunk: [View<'a>; 3],
    /// `head_dim / 2` cosines and as many sines.
    pub(super) angles: View<'a>,
    /// The rows whose logits are wanted.
    pub(super) last: View<'a>,
    pub(super) logits: View<'a>,
    pub(super) scratch: View<'a>,
}

impl Workspace {
    pub(super) fn new(model: &ModelConfig, sizes: Sizes) -> Self {
        let Sizes { rows, sequences, max_rank, threads, scratch } = sizes;
        let matrix = |width| Matrix::new(rows, width);
        let (queries, keys) = (model.heads * model.head_dim, model.kv_heads * model.head_dim);
        Self {
            hidden: matrix(model.hidden_size),
            normed: matrix(model.hidden_size),
            queries: matrix(queries),
            keys: matrix(keys),
            values: matrix(keys),
            attended: matrix(queries),
            gate: matrix(model.intermediate_size),
            up: matrix(model.intermediate_size),
            shrunk: std::array::from_fn(|_| matrix(max_rank)),
            angles: matrix(model.head_dim),
            last: Matrix::new(sequences, model.hidden_size),
            logits: Matrix::new(sequences, model.vocab_size),
            scratch: Matrix::new(threads, scratch),
        }
    }

    pub(super) fn views(&mut self) -> Views<'_> {
        Views {
            hidden: self.hidden.view(),
            normed: self.normed.view(),
            queries: self.queries.view(),
            keys: self.keys.view(),
            values: self.values.view(),
            attended: self.attended.view(),
            gate: self.gate.view(),
            up: self.up.view(),
            shrunk: self.shrunk.each_mut().map(Matrix::view),
            angles: self.angles.view(),
            last: self.last.view(),
            logits: self.logits.view(),
            scratch: self.scratch.view(),
        }
    }

    /// The logits of this many sequences, and the distance of two rows.
    pub(super) fn logits(&mut self, sequences: usize) -> (&mut [f32], usize) {
        self.logits.rows_mut(sequences)
    }
}
