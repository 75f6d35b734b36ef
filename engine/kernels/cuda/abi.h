// What the host and the kernels agree on. `src/abi.rs` mirrors every struct, and says what each field means;
// a test compares sizes and offsets. Addresses are 64-bit numbers on both sides; strides count numbers, not
// bytes.
#pragma once

typedef unsigned long long u64;
typedef unsigned int u32;

// Tokens of one KV block.
#define BLOCK_TOKENS 16
// Most query vectors (rows x heads that share a key head) of one attention tile.
#define ATTENTION_TILE_VECTORS 64
// A tile's `partial` when it writes the output itself.
#define NO_PARTIAL 0xffffffffu
// A row's slot when its key and value are not to be stored.
#define NO_SLOT 0xffffffffu
// Most rows of one adapter tile.
#define LORA_TILE_ROWS 32
// Ranks of one block of a shrink, and outputs of one block of an expand.
#define LORA_SHRINK_RANKS 16
#define LORA_EXPAND_OUTPUTS 256
// Inputs that one block of a shrink adds up.
#define LORA_SPLIT_INPUTS 2048
// Largest rank, and most linears that share an input.
#define LORA_MAX_RANK 256
#define LORA_MAX_MEMBERS 3
// Most candidates that `top_k` returns for a row.
#define TOP_K_MAX 64

struct GatherRowsParams {
    u64 table, index, out;
    u32 rows, width;
};

struct RmsNormParams {
    u64 x, weight, out, index;
    u32 rows, width;
    float epsilon;
};

struct AddRmsNormParams {
    u64 residual, delta, weight, out, index;
    u32 rows, width;
    float epsilon;
};

struct AddBiasParams {
    u64 y, bias;
    u32 rows, width, y_stride;
};

struct SiluMulParams {
    u64 gate, up, out;
    u32 rows, width, gate_stride, up_stride, out_stride;
};

struct RopeAnglesParams {
    u64 positions, frequencies, angles;
    u32 rows, half;
};

struct RopeAndStoreParams {
    u64 q, k, v;
    u64 q_bias, k_bias, v_bias;
    u64 q_norm, k_norm;
    u64 angles, slots;
    u64 key_pool, value_pool;
    u32 rows, heads, kv_heads, head_dim;
    u32 q_stride, k_stride, v_stride;
    float epsilon;
};

struct AttentionTile {
    u32 sequence, row, rows, position;
    u32 key_from, key_to, partial, reserved;
};

struct PagedAttentionParams {
    u64 q, out;
    u64 key_pool, value_pool;
    u64 block_tables, tiles;
    u64 partial_out, partial_stats;
    u32 tile_count, heads, kv_heads, head_dim;
    u32 q_stride, out_stride, max_blocks;
    float scale;
};

struct CombineRow {
    u32 row, first, count, reserved;
};

struct AttentionCombineParams {
    u64 rows, partial_out, partial_stats, out;
    u32 row_count, heads, head_dim, out_stride;
};

struct LoraSite {
    u64 a, b;
    u32 rank;
    float scale;
};

struct LoraTile {
    u64 sites;
    u32 row, rows;
};

struct LoraShrinkParams {
    u64 x, h, tiles;
    u32 tile_count, site, members, inputs;
    u32 x_stride, h_rows, max_rank, splits;
};

struct LoraExpandParams {
    u64 h, tiles;
    u64 y[LORA_MAX_MEMBERS];
    u32 outputs[LORA_MAX_MEMBERS], y_stride[LORA_MAX_MEMBERS];
    u32 tile_count, site, members;
    u32 h_rows, max_rank, splits;
};

struct RowSummary {
    u32 token, finite;
    float max, log_sum_exp;
};

struct ArgmaxParams {
    u64 logits, summaries;
    u32 rows, vocab, stride;
};

struct TopKParams {
    u64 logits, inverse_temperatures;
    u64 ids, values, summaries;
    u32 rows, vocab, stride, k;
};
