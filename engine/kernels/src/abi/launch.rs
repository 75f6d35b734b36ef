//! A launch's shape, for each kernel, from what the kernel is given.

use super::{
    ATTENTION_TILE_VECTORS, AddBiasParams, AddRmsNormParams, ArgmaxParams, AttentionCombineParams,
    GatherRowsParams, LORA_EXPAND_OUTPUTS, LORA_SHRINK_RANKS, LoraExpandParams, LoraShrinkParams,
    PagedAttentionParams, RmsNormParams, RopeAndStoreParams, RopeAnglesParams, SiluMulParams, TopKParams,
};

/// Name, grid and block of a launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Launch {
    /// The kernel's symbol; one of [`KERNELS`].
    pub name: &'static str,
    /// Blocks.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Dynamic shared memory; never above the 48 KiB that a kernel may use without asking.
    pub shared_bytes: u32,
}

impl Launch {
    /// Whether there is nothing to do: a driver refuses a grid without blocks.
    pub fn is_empty(&self) -> bool {
        self.grid.contains(&0)
    }
}

/// What weights, activations, keys and values are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// 32 bits; for small models and for comparison.
    F32,
    /// Upper half of an `f32`.
    Bf16,
}

impl Element {
    /// Bytes of one number.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }

    fn pick(self, f32: &'static str, bf16: &'static str) -> &'static str {
        match self {
            Self::F32 => f32,
            Self::Bf16 => bf16,
        }
    }
}

/// All kernels, so that a module's functions can be looked up once.
pub const KERNELS: [&str; 27] = [
    "gather_rows_f32",
    "gather_rows_bf16",
    "rms_norm_f32",
    "rms_norm_bf16",
    "add_rms_norm_f32",
    "add_rms_norm_bf16",
    "add_bias_f32",
    "add_bias_bf16",
    "silu_mul_f32",
    "silu_mul_bf16",
    "rope_angles",
    "rope_and_store_f32",
    "rope_and_store_bf16",
    "paged_attention_f32",
    "paged_attention_bf16",
    "paged_attention_bf16_d64",
    "paged_attention_bf16_d128",
    "attention_combine_f32",
    "attention_combine_bf16",
    "lora_shrink_f32",
    "lora_shrink_bf16",
    "lora_expand_f32",
    "lora_expand_bf16",
    "argmax_f32",
    "argmax_bf16",
    "top_k_f32",
    "top_k_bf16",
];

/// Threads of a block that works on a row.
const ROW_THREADS: u32 = 256;
/// Numbers of a row that one block of an element-wise kernel takes.
const CHUNK: u32 = 2048;
/// Heads of one block of `rope_and_store`, one warp each.
const ROPE_HEADS: u32 = 4;
/// Threads of a block of an attention kernel.
const ATTENTION_THREADS: u32 = 128;
/// Threads of a block of an adapter kernel.
const LORA_THREADS: u32 = 256;
/// Threads of a block that looks through a row of logits.
const LOGITS_THREADS: u32 = 512;

fn shape(name: &'static str, grid: [u32; 3], threads: u32) -> Launch {
    Launch { name, grid, block: [threads, 1, 1], shared_bytes: 0 }
}

/// For `gather_rows`.
pub fn gather_rows(p: &GatherRowsParams, element: Element) -> Launch {
    let name = element.pick("gather_rows_f32", "gather_rows_bf16");
    shape(name, [p.rows, p.width.div_ceil(CHUNK), 1], ROW_THREADS)
}

/// For `rms_norm`.
pub fn rms_norm(p: &RmsNormParams, element: Element) -> Launch {
    shape(element.pick("rms_norm_f32", "rms_norm_bf16"), [p.rows, 1, 1], ROW_THREADS)
}

/// For `add_rms_norm`.
pub fn add_rms_norm(p: &AddRmsNormParams, element: Element) -> Launch {
    shape(element.pick("add_rms_norm_f32", "add_rms_norm_bf16"), [p.rows, 1, 1], ROW_THREADS)
}

/// For `add_bias`.
pub fn add_bias(p: &AddBiasParams, element: Element) -> Launch {
    let name = element.pick("add_bias_f32", "add_bias_bf16");
    shape(name, [p.rows, p.width.div_ceil(CHUNK), 1], ROW_THREADS)
}

/// For `silu_mul`.
pub fn silu_mul(p: &SiluMulParams, element: Element) -> Launch {
    let name = element.pick("silu_mul_f32", "silu_mul_bf16");
    shape(name, [p.rows, p.width.div_ceil(CHUNK), 1], ROW_THREADS)
}

/// For `rope_angles`.
pub fn rope_angles(p: &RopeAnglesParams) -> Launch {
    shape("rope_angles", [(p.rows * p.half).div_ceil(ROW_THREADS), 1, 1], ROW_THREADS)
}

/// For `rope_and_store`.
pub fn rope_and_store(p: &RopeAndStoreParams, element: Element) -> Launch {
    let heads = p.heads + 2 * p.kv_heads;
    let name = element.pick("rope_and_store_f32", "rope_and_store_bf16");
    shape(name, [p.rows, heads.div_ceil(ROPE_HEADS), 1], 32 * ROPE_HEADS)
}

/// For `paged_attention`: tensor cores for heads of 64 and 128, plain sums for others and for `f32`.
pub fn paged_attention(p: &PagedAttentionParams, element: Element) -> Launch {
    // One row's heads under a key head must fit a tile of tensor cores.
    let fits = p.heads / p.kv_heads <= ATTENTION_TILE_VECTORS as u32;
    let (name, shared_bytes) = match (element, p.head_dim) {
        (Element::Bf16, 64) if fits => ("paged_attention_bf16_d64", tensor_tile_bytes(64)),
        (Element::Bf16, 128) if fits => ("paged_attention_bf16_d128", tensor_tile_bytes(128)),
        (Element::Bf16, head_dim) => ("paged_attention_bf16", plain_tile_bytes(head_dim)),
        (Element::F32, head_dim) => ("paged_attention_f32", plain_tile_bytes(head_dim)),
    };
    let grid = [p.tile_count, p.kv_heads, 1];
    Launch { name, grid, block: [ATTENTION_THREADS, 1, 1], shared_bytes }
}

/// 64 keys and 64 values, each row lengthened so that a warp's reads meet different banks.
fn tensor_tile_bytes(head_dim: u32) -> u32 {
    64 * (head_dim + 32 + head_dim + 8) * 2
}

/// 16 queries, 16 keys, their scores, and three numbers for each query.
fn plain_tile_bytes(head_dim: u32) -> u32 {
    4 * (2 * 16 * (head_dim + 1) + 16 * 16 + 3 * 16)
}

/// For `attention_combine`.
pub fn attention_combine(p: &AttentionCombineParams, element: Element) -> Launch {
    let name = element.pick("attention_combine_f32", "attention_combine_bf16");
    shape(name, [p.row_count, p.heads, 1], ATTENTION_THREADS)
}

/// For `lora_shrink`. The shape depends on tiles and widths, never on which or how many adapters there are.
pub fn lora_shrink(p: &LoraShrinkParams, element: Element) -> Launch {
    let name = element.pick("lora_shrink_f32", "lora_shrink_bf16");
    let units = p.max_rank.div_ceil(LORA_SHRINK_RANKS as u32);
    shape(name, [p.tile_count, units, p.members * p.splits], LORA_THREADS)
}

/// For `lora_expand`. The shape depends on tiles and widths, never on which or how many adapters there are.
pub fn lora_expand(p: &LoraExpandParams, element: Element) -> Launch {
    let name = element.pick("lora_expand_f32", "lora_expand_bf16");
    let widest = p.outputs[..p.members as usize].iter().copied().max().unwrap_or(0);
    shape(name, [p.tile_count, widest.div_ceil(LORA_EXPAND_OUTPUTS as u32), p.members], LORA_THREADS)
}

/// For `argmax`.
pub fn argmax(p: &ArgmaxParams, element: Element) -> Launch {
    shape(element.pick("argmax_f32", "argmax_bf16"), [p.rows, 1, 1], LOGITS_THREADS)
}

/// For `top_k`.
pub fn top_k(p: &TopKParams, element: Element) -> Launch {
    shape(element.pick("top_k_f32", "top_k_bf16"), [p.rows, 1, 1], LOGITS_THREADS)
}
