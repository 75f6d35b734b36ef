//! Keys and values in blocks, and attention over them, one sequence at a time.

use std::ops::Range;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

use super::{BLOCK_TOKENS, ReferenceAdapter};
use crate::{
    batch::{Batch, BatchSequence},
    model::ModelConfig,
};

/// Keys and values of every layer, `[blocks * BLOCK_TOKENS, kv_heads * head_dim]` each, written in place.
pub(super) struct KvPool {
    layers: Vec<(Tensor, Tensor)>,
    blocks: usize,
    kv_heads: usize,
    head_dim: usize,
    device: Device,
}

impl KvPool {
    pub(super) fn new(model: &ModelConfig, blocks: usize, dtype: DType, device: &Device) -> Result<Self> {
        let (kv_heads, head_dim) = (model.kv_heads, model.head_dim);
        let side = || Tensor::zeros((blocks * BLOCK_TOKENS, kv_heads * head_dim), dtype, device);
        let layers = (0..model.layers).map(|_| Ok((side()?, side()?))).collect::<Result<_>>()?;
        Ok(Self { layers, blocks, kv_heads, head_dim, device: device.clone() })
    }

    /// Bytes of one block over all layers.
    pub(super) fn block_bytes(model: &ModelConfig, dtype: DType) -> usize {
        2 * model.layers * BLOCK_TOKENS * model.kv_heads * model.head_dim * dtype.size_in_bytes()
    }

    pub(super) fn blocks(&self) -> usize {
        self.blocks
    }

    /// Attention of one layer: stores this step's keys and values `[rows, kv_heads * head_dim]`, then lets the queries
    /// `[rows, heads * head_dim]` of each sequence look at all of its own past.
    pub(super) fn attend(&self, layer: usize, plan: &StepPlan, qkv: [&Tensor; 3]) -> Result<Tensor> {
        let [queries, keys, values] = qkv;
        let (stored_keys, stored_values) = &self.layers[layer];
        for write in plan.sequences.iter().flat_map(|s| &s.writes) {
            stored_keys.slice_set(&keys.narrow(0, write.from, write.len)?, 0, write.to)?;
            stored_values.slice_set(&values.narrow(0, write.from, write.len)?, 0, write.to)?;
        }
        let attend_one = |s: &SequencePlan| {
            let queries = queries.narrow(0, s.rows.start, s.rows.len())?;
            let keys = stored_keys.index_select(&s.past, 0)?;
            let values = stored_values.index_select(&s.past, 0)?;
            self.attend_one([&queries, &keys, &values], s.mask.as_ref())
        };
        let outputs = plan.sequences.iter().map(attend_one).collect::<Result<Vec<_>>>()?;
        Tensor::cat(&outputs, 0)
    }

    /// Query heads that share a key head form one matrix, so keys and values are never repeated.
    fn attend_one(&self, qkv: [&Tensor; 3], mask: Option<&Tensor>) -> Result<Tensor> {
        let [queries, keys, values] = qkv;
        let (rows, context) = (queries.dim(0)?, keys.dim(0)?);
        let (kv_heads, head_dim) = (self.kv_heads, self.head_dim);
        let group = queries.dim(1)? / (kv_heads * head_dim);
        let queries = queries
            .reshape((rows, kv_heads, group, head_dim))?
            .permute((1, 2, 0, 3))?
            .reshape((kv_heads, group * rows, head_dim))?;
        let keys = keys.reshape((context, kv_heads, head_dim))?.permute((1, 2, 0))?.contiguous()?;
        let values = values.reshape((context, kv_heads, head_dim))?.transpose(0, 1)?.contiguous()?;
        let scores = (queries.matmul(&keys)? * (head_dim as f64).powf(-0.5))?
            .to_dtype(DType::F32)?
            .reshape((kv_heads * group, rows, context))?;
        let scores = match mask {
            Some(mask) => scores.broadcast_add(mask)?,
            None => scores,
        };
        softmax_last_dim(&scores)?
            .to_dtype(values.dtype())?
            .reshape((kv_heads, group * rows, context))?
            .matmul(&values)?
            .reshape((kv_heads, group, rows, head_dim))?
            .permute((2, 0, 1, 3))?
            .reshape((rows, kv_heads * group * head_dim))
    }
}

/// Where one step's keys and values go, and what each sequence may look at; the same for every layer.
pub(super) struct StepPlan {
    sequences: Vec<SequencePlan>,
}

struct SequencePlan {
    rows: Range<usize>,
    writes: Vec<Write>,
    /// Rows of the pool that hold positions 0, 1, … of the sequence, this step's included, `[context]`.
    past: Tensor,
    /// 0 where a row may look and -inf where not, `[rows, context]`; `None` for a single row, which sees everything.
    mask: Option<Tensor>,
}

/// Consecutive batch rows that are also consecutive in one block.
struct Write {
    from: usize,
    to: usize,
    len: usize,
}

impl StepPlan {
    pub(super) fn new(batch: &Batch<ReferenceAdapter>, kv: &KvPool) -> Result<Self> {
        let plan =
            |s: &BatchSequence| SequencePlan::new(s, batch.positions[s.rows.start] as usize, &kv.device);
        Ok(Self { sequences: batch.sequences.iter().map(plan).collect::<Result<_>>()? })
    }
}

impl SequencePlan {
    fn new(sequence: &BatchSequence, start: usize, device: &Device) -> Result<Self> {
        let rows = sequence.rows.clone();
        let context = start + rows.len();
        let slot = |position: usize| {
            sequence.blocks[position / BLOCK_TOKENS].0 as usize * BLOCK_TOKENS + position % BLOCK_TOKENS
        };
        let mut writes = Vec::new();
        let mut position = start;
        while position < context {
            let len = (BLOCK_TOKENS - position % BLOCK_TOKENS).min(context - position);
            writes.push(Write { from: rows.start + position - start, to: slot(position), len });
            position += len;
        }
        let past: Vec<u32> = (0..context).map(|p| slot(p) as u32).collect();
        let past = Tensor::from_vec(past, context, device)?;
        Ok(Self { mask: causal_mask(start, rows.len(), device)?, rows, writes, past })
    }
}

/// A chunk's rows see everything before the chunk, and each other up to themselves.
fn causal_mask(start: usize, rows: usize, device: &Device) -> Result<Option<Tensor>> {
    if rows == 1 {
        return Ok(None);
    }
    let context = start + rows;
    let allowed = |row: usize, past: usize| if past <= start + row { 0.0 } else { f32::NEG_INFINITY };
    let mask: Vec<f32> = (0..rows).flat_map(|row| (0..context).map(move |past| allowed(row, past))).collect();
    Tensor::from_vec(mask, (rows, context), device).map(Some)
}
