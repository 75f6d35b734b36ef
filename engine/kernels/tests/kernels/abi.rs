//! Structs have the same layout on both sides, and constants the same value.

use std::mem::offset_of;

use tenora_kernels::{abi, emulation};

macro_rules! layout {
    ($($name:ident: $first:ident, $last:ident;)*) => {
        [$([size_of::<abi::$name>(), offset_of!(abi::$name, $first), offset_of!(abi::$name, $last)]),*]
    };
}

#[test]
fn both_sides_agree() {
    let structs = layout! {
        GatherRowsParams: out, width;
        RmsNormParams: index, epsilon;
        AddRmsNormParams: index, epsilon;
        AddBiasParams: bias, y_stride;
        SiluMulParams: out, out_stride;
        RopeAnglesParams: angles, half;
        RopeAndStoreParams: value_pool, epsilon;
        AttentionTile: position, partial;
        PagedAttentionParams: partial_stats, scale;
        CombineRow: first, count;
        AttentionCombineParams: out, out_stride;
        LoraSite: rank, scale;
        LoraTile: row, rows;
        LoraShrinkParams: tiles, splits;
        LoraExpandParams: y_stride, splits;
        RowSummary: finite, log_sum_exp;
        ArgmaxParams: summaries, stride;
        TopKParams: summaries, k;
    };
    let constants = [
        [abi::BLOCK_TOKENS, abi::ATTENTION_TILE_VECTORS, abi::NO_PARTIAL as usize],
        [abi::NO_SLOT as usize, abi::LORA_TILE_ROWS, abi::LORA_SHRINK_RANKS],
        [abi::LORA_EXPAND_OUTPUTS, abi::LORA_SPLIT_INPUTS, abi::LORA_MAX_RANK],
        [abi::LORA_MAX_MEMBERS, abi::TOP_K_MAX, 0],
    ];
    let ours: Vec<[usize; 3]> = structs.into_iter().chain(constants).collect();
    assert_eq!(emulation::abi_layout(), ours.as_flattened());
}
