// `y += B h`. A block has the rows of a tile and 256 outputs of one linear; every output has one thread that
// changes it.
#include "lora.h"
#include "tensor_core.h"

// Groups of 16 rows of a tile, and groups of 8 outputs of a warp's 32.
#define EXPAND_ROW_GROUPS (LORA_TILE_ROWS / 16)
#define EXPAND_OUTPUT_GROUPS 4

// This block's part of the work.
struct ExpandPart {
    LoraTile tile;
    LoraSite site;
    u32 member, first_output, outputs;
    u64 y;
    u32 y_stride;

    DEVICE bool is_empty() const { return site.rank == 0 || first_output >= outputs; }
};

DEVICE ExpandPart expand_part(const LoraExpandParams &p) {
    ExpandPart part;
    part.tile = at<const LoraTile>(p.tiles)[blockIdx.x];
    part.member = blockIdx.z;
    part.site = site_of(part.tile, p.site + part.member);
    part.first_output = blockIdx.y * LORA_EXPAND_OUTPUTS;
    part.outputs = of_member(p.outputs, part.member);
    part.y = of_member(p.y, part.member);
    part.y_stride = of_member(p.y_stride, part.member);
    return part;
}

// A number of `h`, its splits added up in order.
DEVICE float h_number(const LoraExpandParams &p, const ExpandPart &part, u32 row, u32 rank) {
    float sum = 0.0f;
    for (u32 split = 0; split < p.splits; split++)
        sum += h_row(p, split, part.tile.row + row, part.member)[rank];
    return sum;
}

// A lane's 8 outputs of a row change.
DEVICE void add_to(bf16 *y, const float (&more)[8], u32 count, bool whole) {
    if (whole && count >= 8) {
        Pack<bf16, 8> sum = load<bf16, 8>(y);
#pragma unroll
        for (u32 i = 0; i < 8; i++) sum.numbers[i] = from_float<bf16>(to_float(sum.numbers[i]) + more[i]);
        store<bf16, 8>(y, sum);
        return;
    }
#pragma unroll
    for (u32 i = 0; i < 8; i++)
        if (i < count) y[i] = from_float<bf16>(to_float(y[i]) + more[i]);
}

// 32 columns of B for a warp's 32 outputs. A lane's columns 2t, 2t+1 of the four groups are made to be 8
// outputs side by side: column c of group n is output 8 · (c / 2) + 2n + c % 2.
template <bool WHOLE>
DEVICE void load_outputs(Slice (&b)[EXPAND_OUTPUT_GROUPS], const ExpandPart &part, u32 first, u32 k) {
    const u32 g = lane_index() / 4, rank = part.site.rank;
#pragma unroll
    for (u32 n = 0; n < EXPAND_OUTPUT_GROUPS; n++) {
        const u32 output = first + g / 2 * 8 + 2 * n + g % 2;
        const u32 count = output < part.outputs && k < rank ? rank - k : 0;
        b[n] = load_slice<WHOLE>(at<const bf16>(part.site.b) + static_cast<u64>(output) * rank + k, count);
    }
}

// Half of the banks from one row of `h` to the next, as slices want it.
#define H_STRIDE (LORA_MAX_RANK + 32)

// B is on its way while `h` is brought to shared memory, and its next columns while these are used.
template <bool WHOLE> DEVICE void expand(const LoraExpandParams &p, const ExpandPart &part, bf16 *h) {
    const u32 rank = part.site.rank, columns = (rank + 31) / 32 * 32;
    const u32 g = lane_index() / 4, t = lane_index() % 4;
    const u32 first = part.first_output + warp_index() * 32;
    Slice b[EXPAND_OUTPUT_GROUPS];
    load_outputs<WHOLE>(b, part, first, 8 * t);
    // Rows beyond the tile's are left as they are: they reach only rows of sums that nobody reads.
    for (u32 i = threadIdx.x; i < part.tile.rows * columns; i += LORA_THREADS) {
        const u32 row = i / columns, r = i % columns;
        h[row * H_STRIDE + r] = from_float<bf16>(r < rank ? h_number(p, part, row, r) : 0.0f);
    }
    __syncthreads();

    float sums[EXPAND_ROW_GROUPS][EXPAND_OUTPUT_GROUPS][4] = {};
    for (u32 k = 8 * t; k < columns; k += 32) {
        Slice next[EXPAND_OUTPUT_GROUPS];
        load_outputs<WHOLE>(next, part, first, k + 32);
#pragma unroll
        for (u32 m = 0; m < EXPAND_ROW_GROUPS; m++) {
            if (16 * m >= part.tile.rows) break;
            const Slice low = load_slice(&h[(16 * m + g) * H_STRIDE + k]);
            const Slice high = load_slice(&h[(16 * m + g + 8) * H_STRIDE + k]);
#pragma unroll
            for (u32 n = 0; n < EXPAND_OUTPUT_GROUPS; n++) mma(sums[m][n], low, high, b[n]);
        }
#pragma unroll
        for (u32 n = 0; n < EXPAND_OUTPUT_GROUPS; n++) b[n] = next[n];
    }
    const u32 output = first + 8 * t, count = output < part.outputs ? part.outputs - output : 0;
    const bool whole_y = in_packs<bf16>(part.y, part.y_stride);
#pragma unroll
    for (u32 m = 0; m < EXPAND_ROW_GROUPS; m++)
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            const u32 row = 16 * m + g + 8 * half;
            if (row >= part.tile.rows) continue;
            float more[8];
#pragma unroll
            for (u32 i = 0; i < 8; i++) more[i] = sums[m][i / 2][2 * half + i % 2];
            bf16 *y = at<bf16>(part.y) + static_cast<u64>(part.tile.row + row) * part.y_stride + output;
            add_to(y, more, count, whole_y);
        }
}

KERNEL(lora_expand_bf16, LoraExpandParams, LORA_THREADS) {
    const ExpandPart part = expand_part(p);
    if (part.is_empty()) return;
    SHARED(bf16, h, LORA_TILE_ROWS * H_STRIDE);
    if (in_packs<bf16>(part.site.b, part.site.rank))
        expand<true>(p, part, h);
    else
        expand<false>(p, part, h);
}

// Rows that a thread of the plain form has at once.
#define PLAIN_EXPAND_ROWS 8

// A thread for each output.
KERNEL(lora_expand_f32, LoraExpandParams, LORA_THREADS) {
    const ExpandPart part = expand_part(p);
    if (part.is_empty()) return;
    const u32 rank = part.site.rank;
    SHARED(float, h, LORA_TILE_ROWS *LORA_MAX_RANK);
    for (u32 i = threadIdx.x; i < part.tile.rows * rank; i += LORA_THREADS)
        h[i] = h_number(p, part, i / rank, i % rank);
    __syncthreads();
    const u32 output = part.first_output + threadIdx.x;
    if (output >= part.outputs) return;
    const float *weights = at<const float>(part.site.b) + static_cast<u64>(output) * rank;
    for (u32 first = 0; first < part.tile.rows; first += PLAIN_EXPAND_ROWS) {
        float sums[PLAIN_EXPAND_ROWS] = {};
        for (u32 r = 0; r < rank; r++) {
            const float weight = weights[r];
#pragma unroll
            for (u32 i = 0; i < PLAIN_EXPAND_ROWS; i++)
                if (first + i < part.tile.rows) sums[i] += weight * h[(first + i) * rank + r];
        }
        for (u32 i = 0; i < PLAIN_EXPAND_ROWS && first + i < part.tile.rows; i++)
            at<float>(part.y)[static_cast<u64>(part.tile.row + first + i) * part.y_stride + output] +=
                sums[i];
    }
}
