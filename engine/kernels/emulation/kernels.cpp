// The kernels as the host's compiler sees them.
#include "../cuda/kernels.cu"

#include <cstddef>

void emulation::link_kernels() {}

// Sizes and offsets, in the order that `tests/abi.rs` asks for them.
#define FIELD(Struct, field) offsetof(Struct, field)

extern "C" size_t tenora_abi_layout(const size_t **numbers) {
    static const size_t layout[] = {
        sizeof(GatherRowsParams),
        FIELD(GatherRowsParams, out),
        FIELD(GatherRowsParams, width),
        sizeof(RmsNormParams),
        FIELD(RmsNormParams, index),
        FIELD(RmsNormParams, epsilon),
        sizeof(AddRmsNormParams),
        FIELD(AddRmsNormParams, index),
        FIELD(AddRmsNormParams, epsilon),
        sizeof(AddBiasParams),
        FIELD(AddBiasParams, bias),
        FIELD(AddBiasParams, y_stride),
        sizeof(SiluMulParams),
        FIELD(SiluMulParams, out),
        FIELD(SiluMulParams, out_stride),
        sizeof(RopeAnglesParams),
        FIELD(RopeAnglesParams, angles),
        FIELD(RopeAnglesParams, half),
        sizeof(RopeAndStoreParams),
        FIELD(RopeAndStoreParams, value_pool),
        FIELD(RopeAndStoreParams, epsilon),
        sizeof(AttentionTile),
        FIELD(AttentionTile, position),
        FIELD(AttentionTile, partial),
        sizeof(PagedAttentionParams),
        FIELD(PagedAttentionParams, partial_stats),
        FIELD(PagedAttentionParams, scale),
        sizeof(CombineRow),
        FIELD(CombineRow, first),
        FIELD(CombineRow, count),
        sizeof(AttentionCombineParams),
        FIELD(AttentionCombineParams, out),
        FIELD(AttentionCombineParams, out_stride),
        sizeof(LoraSite),
        FIELD(LoraSite, rank),
        FIELD(LoraSite, scale),
        sizeof(LoraTile),
        FIELD(LoraTile, row),
        FIELD(LoraTile, rows),
        sizeof(LoraShrinkParams),
        FIELD(LoraShrinkParams, tiles),
        FIELD(LoraShrinkParams, splits),
        sizeof(LoraExpandParams),
        FIELD(LoraExpandParams, y_stride),
        FIELD(LoraExpandParams, splits),
        sizeof(RowSummary),
        FIELD(RowSummary, finite),
        FIELD(RowSummary, log_sum_exp),
        sizeof(ArgmaxParams),
        FIELD(ArgmaxParams, summaries),
        FIELD(ArgmaxParams, stride),
        sizeof(TopKParams),
        FIELD(TopKParams, summaries),
        FIELD(TopKParams, k),
        BLOCK_TOKENS,
        ATTENTION_TILE_VECTORS,
        NO_PARTIAL,
        NO_SLOT,
        LORA_TILE_ROWS,
        LORA_SHRINK_RANKS,
        LORA_EXPAND_OUTPUTS,
        LORA_SPLIT_INPUTS,
        LORA_MAX_RANK,
        LORA_MAX_MEMBERS,
        TOP_K_MAX,
        0,
    };
    *numbers = layout;
    return sizeof(layout) / sizeof(layout[0]);
}
