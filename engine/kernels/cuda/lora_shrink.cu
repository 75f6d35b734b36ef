// `h = scale · A x`. A block has the rows of a tile, 16 ranks of one linear, and up to 2048 inputs.
#include "lora.h"
#include "tensor_core.h"

// Columns of D that a warp has: rows of the tile, 8 at a time.
#define SHRINK_COLUMNS (LORA_TILE_ROWS / 8)

// This block's part of the work.
struct ShrinkPart {
    LoraTile tile;
    LoraSite site;
    u32 member, split, first_rank, from, to;

    DEVICE bool is_empty() const { return first_rank >= site.rank; }
};

DEVICE ShrinkPart shrink_part(const LoraShrinkParams &p) {
    ShrinkPart part;
    part.tile = at<const LoraTile>(p.tiles)[blockIdx.x];
    part.first_rank = blockIdx.y * LORA_SHRINK_RANKS;
    part.member = blockIdx.z % p.members;
    part.split = blockIdx.z / p.members;
    part.site = site_of(part.tile, p.site + part.member);
    part.from = part.split * LORA_SPLIT_INPUTS;
    part.to = least(part.from + LORA_SPLIT_INPUTS, p.inputs);
    return part;
}

// A warp sums over its 32-wide slices of the inputs: D[rank, row] += A[rank, k] x[row, k], for 8 · COLUMNS
// rows.
template <bool WHOLE, u32 COLUMNS>
DEVICE void shrink_sums(float (&sums)[SHRINK_COLUMNS][4], const LoraShrinkParams &p, const ShrinkPart &part) {
    const u32 g = lane_index() / 4, t = lane_index() % 4;
    const u32 low = part.first_rank + g, high = low + 8;
    const bf16 *a_low = at<const bf16>(part.site.a) + static_cast<u64>(low) * p.inputs + 8 * t;
    const bf16 *a_high = a_low + static_cast<u64>(8) * p.inputs;
    const bf16 *x = at<const bf16>(p.x) + static_cast<u64>(part.tile.row + g) * p.x_stride + 8 * t;
#pragma unroll(COLUMNS == 1 ? 4 : 1)
    for (u32 k = part.from + warp_index() * 32; k < part.to; k += LORA_WARPS * 32) {
        const u32 count = k + 8 * t < part.to ? part.to - k - 8 * t : 0;
        const Slice lows = load_slice<WHOLE>(a_low + k, low < part.site.rank ? count : 0);
        const Slice highs = load_slice<WHOLE>(a_high + k, high < part.site.rank ? count : 0);
#pragma unroll
        for (u32 n = 0; n < COLUMNS; n++) {
            const bf16 *row = x + static_cast<u64>(8 * n) * p.x_stride + k;
            mma(sums[n], lows, highs, load_slice<WHOLE>(row, 8 * n + g < part.tile.rows ? count : 0));
        }
    }
}

DEVICE void shrink_sums(float (&sums)[SHRINK_COLUMNS][4], const LoraShrinkParams &p, const ShrinkPart &part) {
    const bool whole = in_packs<bf16>(part.site.a, p.inputs) && in_packs<bf16>(p.x, p.x_stride);
    if (!whole)
        shrink_sums<false, SHRINK_COLUMNS>(sums, p, part);
    else if (part.tile.rows <= 8)
        shrink_sums<true, 1>(sums, p, part);
    else
        shrink_sums<true, SHRINK_COLUMNS>(sums, p, part);
}

KERNEL(lora_shrink_bf16, LoraShrinkParams, LORA_THREADS) {
    const ShrinkPart part = shrink_part(p);
    if (part.is_empty()) return;
    float sums[SHRINK_COLUMNS][4] = {};
    shrink_sums(sums, p, part);

    // One column more, so that a warp's ranks meet different banks.
    constexpr u32 STRIDE = LORA_TILE_ROWS + 1;
    SHARED(float, shared, LORA_WARPS * LORA_SHRINK_RANKS * STRIDE);
    const u32 g = lane_index() / 4, t = lane_index() % 4;
#pragma unroll
    for (u32 n = 0; n < SHRINK_COLUMNS; n++)
#pragma unroll
        for (u32 e = 0; e < 4; e++) {
            const u32 rank = g + e / 2 * 8, row = 8 * n + 2 * t + e % 2;
            shared[(warp_index() * LORA_SHRINK_RANKS + rank) * STRIDE + row] = sums[n][e];
        }
    __syncthreads();
    for (u32 i = threadIdx.x; i < part.tile.rows * LORA_SHRINK_RANKS; i += LORA_THREADS) {
        const u32 row = i / LORA_SHRINK_RANKS, rank = i % LORA_SHRINK_RANKS;
        if (part.first_rank + rank >= part.site.rank) continue;
        float sum = 0.0f;
        for (u32 warp = 0; warp < LORA_WARPS; warp++)
            sum += shared[(warp * LORA_SHRINK_RANKS + rank) * STRIDE + row];
        h_row(p, part.split, part.tile.row + row, part.member)[part.first_rank + rank] =
            part.site.scale * sum;
    }
}

// Rows that a warp of the plain form has at once.
#define PLAIN_ROWS 4

// Each warp has two of the ranks, and its lanes divide the inputs.
KERNEL(lora_shrink_f32, LoraShrinkParams, LORA_THREADS) {
    const ShrinkPart part = shrink_part(p);
    if (part.is_empty()) return;
    for (u32 rank = part.first_rank + warp_index();
         rank < least(part.first_rank + LORA_SHRINK_RANKS, part.site.rank); rank += LORA_WARPS) {
        const float *a = at<const float>(part.site.a) + static_cast<u64>(rank) * p.inputs;
        for (u32 first = 0; first < part.tile.rows; first += PLAIN_ROWS) {
            const float *x = at<const float>(p.x) + static_cast<u64>(part.tile.row + first) * p.x_stride;
            float sums[PLAIN_ROWS] = {};
            for (u32 k = part.from + lane_index(); k < part.to; k += WARP) {
                const float weight = a[k];
#pragma unroll
                for (u32 i = 0; i < PLAIN_ROWS; i++)
                    if (first + i < part.tile.rows)
                        sums[i] += weight * x[static_cast<u64>(i) * p.x_stride + k];
            }
#pragma unroll
            for (u32 i = 0; i < PLAIN_ROWS; i++) {
                const float sum = warp_sum(sums[i]);
                if (lane_index() == 0 && first + i < part.tile.rows)
                    h_row(p, part.split, part.tile.row + first + i, part.member)[rank] =
                        part.site.scale * sum;
            }
        }
    }
}
