//! How far a device's logits depend on what else is in a batch: libraries of products choose the order of their sums by the
//! size of the whole. A number that is measured, because no tolerance fits all devices and types.

use std::iter;

use super::Runner;
use crate::{
    batch::{Batch, BatchSequence, Segment},
    error::EngineError,
    kv_pool::BlockId,
    logits::{NextLogits, Wanted},
};

/// The least that is told: by so much the contract suite lets f32 differ.
pub const LEAST_NOISE: f32 = 1e-4;
/// Tokens of the prompt.
const PROMPT_TOKENS: usize = 32;

/// The largest difference between a prompt's logits when it is run alone and beside one, three, seven others and so on.
pub(super) fn measure<R: Runner>(
    runner: &mut R,
    (rows, sequences): (usize, usize),
) -> Result<f32, EngineError> {
    let model = &runner.base().model;
    let tokens = PROMPT_TOKENS.min(rows).min(model.context_length);
    let blocks = tokens.div_ceil(runner.block_tokens());
    let most = sequences.min(rows / tokens).min(runner.kv_blocks() / blocks);
    let vocab_size = model.vocab_size;
    let counts = iter::successors(Some(1), |count| Some(2 * count)).take_while(|count| *count <= most);
    let (mut alone, mut noise): (Option<Vec<f32>>, f32) = (None, LEAST_NOISE);
    for count in counts {
        let prompts = prompts(count, (tokens, blocks), vocab_size);
        let Some(NextLogits::Row(row)) = runner.run(&prompts)?.into_iter().next() else { continue };
        let alone = alone.get_or_insert_with(|| row.to_vec());
        let far = alone.iter().zip(row).map(|(alone, beside)| (*alone - *beside).abs());
        noise = far.fold(noise, f32::max);
    }
    Ok(noise)
}

/// Prompts of different tokens, the first of which is always the same.
fn prompts<A>(count: usize, (tokens, blocks): (usize, usize), vocab_size: usize) -> Batch<A> {
    let rows = count * tokens;
    let sequence = |index: usize| BatchSequence {
        rows: index * tokens..(index + 1) * tokens,
        blocks: (index * blocks..(index + 1) * blocks).map(|block| BlockId(block as u32)).collect(),
        wanted: Wanted::Row,
    };
    Batch {
        tokens: (0..rows).map(|row| (row * 31 % vocab_size) as u32).collect(),
        positions: (0..rows).map(|row| (row % tokens) as u32).collect(),
        sequences: (0..count).map(sequence).collect(),
        segments: vec![Segment { rows: 0..rows, adapter: None }],
    }
}
