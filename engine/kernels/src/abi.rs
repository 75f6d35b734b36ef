//! What the host and the kernels agree on; `cuda/abi.h` is the other side of it.
//!
//! Every kernel takes exactly one of these structs by value. Addresses on the device are `u64`, and 0 where something
//! is left out; rows follow each other without gaps unless a field says how far apart they are; strides count numbers,
//! not bytes. `T` is the element type in the kernel's name, of weights, activations, keys and values; sums are `f32`.
//! Rows of `T` begin at multiples of 16 bytes where their width allows it: buffers must be aligned so, and rows whose
//! width or stride is no multiple of 16 bytes are read number by number, more slowly.

pub mod launch;

pub use self::launch::{Element, Launch};

/// Tokens of one KV block. A layer's keys and its values lie in `[blocks][kv_heads][BLOCK_TOKENS][head_dim]` each.
pub const BLOCK_TOKENS: usize = 16;
/// Most query vectors (rows × heads that share a key head) of one [`AttentionTile`].
pub const ATTENTION_TILE_VECTORS: usize = 64;
/// Largest `head_dim`, which is even.
pub const MAX_HEAD_DIM: usize = 256;
/// [`AttentionTile::partial`] of a tile that writes the output itself.
pub const NO_PARTIAL: u32 = u32::MAX;
/// A row's slot when its key and value are not to be stored, such as a row that only fills a captured graph up.
pub const NO_SLOT: u32 = u32::MAX;
/// Most rows of one [`LoraTile`].
pub const LORA_TILE_ROWS: usize = 32;
/// Ranks of one block of a shrink.
pub const LORA_SHRINK_RANKS: usize = 16;
/// Outputs of one block of an expand.
pub const LORA_EXPAND_OUTPUTS: usize = 256;
/// Inputs that one block of a shrink adds up; see [`LoraShrinkParams::splits`].
pub const LORA_SPLIT_INPUTS: usize = 2048;
/// Largest rank of an adapter.
pub const LORA_MAX_RANK: usize = 256;
/// Most linears that share an input: queries, keys and values.
pub const LORA_MAX_MEMBERS: usize = 3;
/// Most candidates that `top_k` returns for a row.
pub const TOP_K_MAX: usize = 64;

/// `gather_rows`: `out[i] = table[index[i]]`, for embeddings and for the rows whose logits are wanted.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct GatherRowsParams {
    /// `[_, width]` of `T`.
    pub table: u64,
    /// `[rows]` of `u32`.
    pub index: u64,
    /// `[rows, width]` of `T`.
    pub out: u64,
    /// Rows of `out`.
    pub rows: u32,
    /// Numbers of a row.
    pub width: u32,
}

/// `rms_norm`: `out[i] = x[index[i]] / sqrt(mean(x²) + epsilon) · weight`, rounded once.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RmsNormParams {
    /// `[_, width]` of `T`.
    pub x: u64,
    /// `[width]` of `T`.
    pub weight: u64,
    /// `[rows, width]` of `T`; may be `x` where `index` is 0.
    pub out: u64,
    /// `[rows]` of `u32`, or 0: row `i` is made of row `i`.
    pub index: u64,
    /// Rows of `out`.
    pub rows: u32,
    /// Numbers of a row.
    pub width: u32,
    /// Added to the mean of squares.
    pub epsilon: f32,
}

/// `add_rms_norm`: `residual[index[i]] += delta[index[i]]`, rounded to `T`, then as [`RmsNormParams`] of that sum.
/// The same bits as an addition followed by `rms_norm`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct AddRmsNormParams {
    /// `[_, width]` of `T`; changed in place.
    pub residual: u64,
    /// `[_, width]` of `T`.
    pub delta: u64,
    /// `[width]` of `T`.
    pub weight: u64,
    /// `[rows, width]` of `T`.
    pub out: u64,
    /// `[rows]` of `u32`, each row at most once, or 0: all rows in order. Rows not named stay as they are.
    pub index: u64,
    /// Rows of `out`.
    pub rows: u32,
    /// Numbers of a row.
    pub width: u32,
    /// Added to the mean of squares.
    pub epsilon: f32,
}

/// `add_bias`: `y[i] += bias`, for projections other than those of [`RopeAndStoreParams`].
#[repr(C)]
#[derive(Clone, Copy)]
pub struct AddBiasParams {
    /// `[rows, y_stride]` of `T`, of which `width` are changed.
    pub y: u64,
    /// `[width]` of `T`.
    pub bias: u64,
    /// Rows.
    pub rows: u32,
    /// Numbers of a row.
    pub width: u32,
    /// From one row to the next.
    pub y_stride: u32,
}

/// `silu_mul`: `out = silu(gate) · up`, rounded once.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SiluMulParams {
    /// `[rows, gate_stride]` of `T`, of which `width` are read.
    pub gate: u64,
    /// `[rows, up_stride]` of `T`, of which `width` are read.
    pub up: u64,
    /// `[rows, out_stride]` of `T`; may be `gate` or `up`.
    pub out: u64,
    /// Rows.
    pub rows: u32,
    /// Numbers of a row.
    pub width: u32,
    /// From one row to the next.
    pub gate_stride: u32,
    /// From one row to the next.
    pub up_stride: u32,
    /// From one row to the next.
    pub out_stride: u32,
}

/// `rope_angles`: cosines and sines of a step's rows, computed once and used by every layer. The kernel has no element
/// type.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RopeAnglesParams {
    /// `[rows]` of `u32`.
    pub positions: u64,
    /// `[half]` of `f32`, inverse frequencies.
    pub frequencies: u64,
    /// `[rows, 2 · half]` of `f32`: a row's cosines, then its sines.
    pub angles: u64,
    /// Rows.
    pub rows: u32,
    /// `head_dim / 2`.
    pub half: u32,
}

/// `rope_and_store`: bias, norm of each head and rotation of queries, in place, and of keys; keys and values go to their
/// slots of the pool. `k` and `v` themselves do not change. Rounded once, after the rotation.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct RopeAndStoreParams {
    /// `[rows, q_stride]` of `T`, of which `heads · head_dim` are changed.
    pub q: u64,
    /// `[rows, k_stride]` of `T`, of which `kv_heads · head_dim` are read. `q`, `k` and `v` may be parts of one buffer.
    pub k: u64,
    /// `[rows, v_stride]` of `T`, of which `kv_heads · head_dim` are read.
    pub v: u64,
    /// `[heads · head_dim]` of `T`, or 0.
    pub q_bias: u64,
    /// `[kv_heads · head_dim]` of `T`, or 0.
    pub k_bias: u64,
    /// `[kv_heads · head_dim]` of `T`, or 0.
    pub v_bias: u64,
    /// `[head_dim]` of `T`, or 0: weights of the queries' RMS norm.
    pub q_norm: u64,
    /// `[head_dim]` of `T`, or 0: weights of the keys' RMS norm.
    pub k_norm: u64,
    /// `[rows, head_dim]` of `f32`, as [`RopeAnglesParams::angles`].
    pub angles: u64,
    /// `[rows]` of `u32`: `block · BLOCK_TOKENS + position % BLOCK_TOKENS`, or [`NO_SLOT`].
    pub slots: u64,
    /// This layer's keys, `[blocks][kv_heads][BLOCK_TOKENS][head_dim]` of `T`.
    pub key_pool: u64,
    /// This layer's values, laid out like its keys.
    pub value_pool: u64,
    /// Rows.
    pub rows: u32,
    /// Query heads.
    pub heads: u32,
    /// Key heads.
    pub kv_heads: u32,
    /// Numbers of a head; even, at most [`MAX_HEAD_DIM`].
    pub head_dim: u32,
    /// From one row of queries to the next.
    pub q_stride: u32,
    /// From one row of keys to the next.
    pub k_stride: u32,
    /// From one row of values to the next.
    pub v_stride: u32,
    /// Added to the mean of squares of a head that is normed.
    pub epsilon: f32,
}

/// Work for [`PagedAttentionParams`]: consecutive rows of one sequence against a range of its keys, made by
/// [`crate::plan::Attention`]. One with no rows is skipped.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttentionTile {
    /// Row of the block tables.
    pub sequence: u32,
    /// First row.
    pub row: u32,
    /// Rows; `rows · heads / kv_heads` is at most [`ATTENTION_TILE_VECTORS`] unless there is one row only.
    pub rows: u32,
    /// Position of the first row in its sequence.
    pub position: u32,
    /// First key that is looked at; a multiple of [`BLOCK_TOKENS`].
    pub key_from: u32,
    /// One beyond the last key that is looked at; at most `position + rows`. Each row looks at no key beyond itself.
    pub key_to: u32,
    /// Where the result goes in the scratch, or [`NO_PARTIAL`]: to the output.
    pub partial: u32,
    /// 0.
    pub reserved: u32,
}

/// `paged_attention`: softmax(scale · q Kᵀ) V of every row over its own past, itself included.
///
/// Decode rows and prefill chunks are tiles of the same launch. Keys that no row of a tile may see are never multiplied:
/// what a slot held before does not matter, NaN included.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PagedAttentionParams {
    /// `[rows, q_stride]` of `T`, rotated; `heads · head_dim` of each are read.
    pub q: u64,
    /// `[rows, out_stride]` of `T`; `heads · head_dim` of each are written.
    pub out: u64,
    /// This layer's keys, `[blocks][kv_heads][BLOCK_TOKENS][head_dim]` of `T`.
    pub key_pool: u64,
    /// This layer's values, laid out like its keys.
    pub value_pool: u64,
    /// `[sequences, max_blocks]` of `u32`; of each only the blocks that hold keys which are looked at are read.
    pub block_tables: u64,
    /// `[tile_count]` of [`AttentionTile`].
    pub tiles: u64,
    /// `[partials, heads, head_dim]` of `f32`, scratch; 0 if no tile is a partial one.
    pub partial_out: u64,
    /// `[partials, heads, 2]` of `f32`, scratch: the largest score in base 2, and the sum of weights relative to it.
    pub partial_stats: u64,
    /// Tiles.
    pub tile_count: u32,
    /// Query heads.
    pub heads: u32,
    /// Key heads; a divisor of `heads`.
    pub kv_heads: u32,
    /// Numbers of a head; even, at most [`MAX_HEAD_DIM`].
    pub head_dim: u32,
    /// From one row of queries to the next.
    pub q_stride: u32,
    /// From one row of the output to the next.
    pub out_stride: u32,
    /// Blocks of a row of the block tables.
    pub max_blocks: u32,
    /// `1 / sqrt(head_dim)`.
    pub scale: f32,
}

/// A row whose keys were divided among several tiles, made by [`crate::plan::Attention`]. One with no count is skipped.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CombineRow {
    /// Row of the output.
    pub row: u32,
    /// Its first partial result.
    pub first: u32,
    /// How many follow each other.
    pub count: u32,
    /// 0.
    pub reserved: u32,
}

/// `attention_combine`: adds partial results up in the order of their keys. To be launched after `paged_attention` when
/// there are such rows.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct AttentionCombineParams {
    /// `[row_count]` of [`CombineRow`].
    pub rows: u64,
    /// As [`PagedAttentionParams::partial_out`].
    pub partial_out: u64,
    /// As [`PagedAttentionParams::partial_stats`].
    pub partial_stats: u64,
    /// `[rows, out_stride]` of `T`.
    pub out: u64,
    /// Rows to combine.
    pub row_count: u32,
    /// Query heads.
    pub heads: u32,
    /// Numbers of a head.
    pub head_dim: u32,
    /// From one row of the output to the next.
    pub out_stride: u32,
}

/// What an adapter adds to one projection of one layer. An adapter's table has one for each place, at
/// `layer · 7 + projection`, projections in the order q, k, v, o, gate, up, down.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct LoraSite {
    /// `[rank, inputs]` of `T`, or 0: the adapter does not target this place.
    pub a: u64,
    /// `[outputs, rank]` of `T`.
    pub b: u64,
    /// At most [`LORA_MAX_RANK`] and at most the launch's `max_rank`.
    pub rank: u32,
    /// `alpha / rank`, or as the adapter's configuration has it.
    pub scale: f32,
}

/// Consecutive rows with one adapter, made by [`crate::plan::lora_tiles`]. One with no rows is skipped.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoraTile {
    /// The adapter's table of [`LoraSite`].
    pub sites: u64,
    /// First row.
    pub row: u32,
    /// Rows, at most [`LORA_TILE_ROWS`].
    pub rows: u32,
}

/// `lora_shrink`: `h = scale · A x` for all rows that have adapters, and all linears that share the input `x`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LoraShrinkParams {
    /// `[rows, x_stride]` of `T`, of which `inputs` are read.
    pub x: u64,
    /// `[splits, h_rows, members, max_rank]` of `f32`, scratch: sums over each [`LORA_SPLIT_INPUTS`] inputs. Only what an
    /// adapter's rank asks for is written.
    pub h: u64,
    /// `[tile_count]` of [`LoraTile`].
    pub tiles: u64,
    /// Tiles.
    pub tile_count: u32,
    /// The first linear's index into a table of sites, `layer · 7 + projection`; the others follow it.
    pub site: u32,
    /// Linears that share the input: 3 for q, k, v; 1 for o; 2 for gate, up; 1 for down.
    pub members: u32,
    /// Numbers of an input row.
    pub inputs: u32,
    /// From one input row to the next.
    pub x_stride: u32,
    /// Rows that `h` has room for.
    pub h_rows: u32,
    /// Largest rank that `h` has room for, at most [`LORA_MAX_RANK`].
    pub max_rank: u32,
    /// [`crate::plan::lora_splits`] of `inputs`.
    pub splits: u32,
}

/// `lora_expand`: `y += B h` for all rows that have adapters, and all linears of a [`LoraShrinkParams`]. The sum over
/// splits is rounded to `T` before the product, and `y` after it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct LoraExpandParams {
    /// As [`LoraShrinkParams::h`].
    pub h: u64,
    /// As [`LoraShrinkParams::tiles`].
    pub tiles: u64,
    /// Each linear's `[rows, y_stride]` of `T`, of which `outputs` are changed; 0 beyond `members`.
    pub y: [u64; LORA_MAX_MEMBERS],
    /// Numbers of each linear's output row.
    pub outputs: [u32; LORA_MAX_MEMBERS],
    /// From one output row to the next.
    pub y_stride: [u32; LORA_MAX_MEMBERS],
    /// As [`LoraShrinkParams::tile_count`].
    pub tile_count: u32,
    /// As [`LoraShrinkParams::site`].
    pub site: u32,
    /// As [`LoraShrinkParams::members`].
    pub members: u32,
    /// As [`LoraShrinkParams::h_rows`].
    pub h_rows: u32,
    /// As [`LoraShrinkParams::max_rank`].
    pub max_rank: u32,
    /// As [`LoraShrinkParams::splits`].
    pub splits: u32,
}

/// What is known of a row of logits without copying it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct RowSummary {
    /// The largest logit's token, the lowest one of equals.
    pub token: u32,
    /// 1 if no logit is NaN or +infinity, else 0; the other fields mean nothing then.
    pub finite: u32,
    /// The largest logit.
    pub max: f32,
    /// `ln Σ exp(logit · inverse temperature)`; the inverse temperature is 1 for `argmax`.
    pub log_sum_exp: f32,
}

/// `argmax`: a greedy step's token for each row; `T` is the logits' type.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct ArgmaxParams {
    /// `[rows, stride]` of `T`, of which `vocab` are read.
    pub logits: u64,
    /// `[rows]` of [`RowSummary`].
    pub summaries: u64,
    /// Rows.
    pub rows: u32,
    /// Numbers of a row.
    pub vocab: u32,
    /// From one row to the next.
    pub stride: u32,
}

/// `top_k`: the `k` largest logits of each row, largest first, lower tokens first among equals; `T` is the logits' type.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct TopKParams {
    /// `[rows, stride]` of `T`, of which `vocab` are read.
    pub logits: u64,
    /// `[rows]` of `f32`, or 0: all are 1. Matters to [`RowSummary::log_sum_exp`] only.
    pub inverse_temperatures: u64,
    /// `[rows, k]` of `u32`.
    pub ids: u64,
    /// `[rows, k]` of `f32`, the logits as they are.
    pub values: u64,
    /// `[rows]` of [`RowSummary`].
    pub summaries: u64,
    /// Rows.
    pub rows: u32,
    /// Numbers of a row, at least `k`.
    pub vocab: u32,
    /// From one row to the next.
    pub stride: u32,
    /// Candidates of a row, at most [`TOP_K_MAX`].
    pub k: u32,
}
