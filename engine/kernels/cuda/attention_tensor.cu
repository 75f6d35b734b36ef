// Attention on tensor cores for bf16 heads of 64 and 128, in the manner of FlashAttention-2
// (arXiv:2307.08691).
//
// Keys and values pass through shared memory 64 at a time; values are on their way while scores are computed,
// and the next keys while values are added. In a chunk's tile each warp has 16 of its 64 query vectors and
// sees all keys. A decoding row has at most 16 vectors: its four warps have them all, each sees a quarter of
// the keys, and they meet at the end in a fixed order.
#include "attention.h"
#include "tensor_core.h"

#define TILE_KEYS 64
#define ATTENTION_WARPS (ATTENTION_THREADS / WARP)
// Query vectors of one warp.
#define WARP_VECTORS 16

template <int D> struct TensorTile {
    // A row of keys is read by slices, two rows at a time: they must lie half of the banks apart. A row of
    // values is read as rows of 8x8 matrices, eight at a time: they must lie 16 bytes apart.
    static constexpr u32 KEY_STRIDE = D + 32, VALUE_STRIDE = D + 8;

    bf16 *keys, *values;

    DEVICE TensorTile() {
        keys = reinterpret_cast<bf16 *>(dynamic_shared());
        values = keys + TILE_KEYS * KEY_STRIDE;
    }
};

// Begins to copy 64 keys, or values; zeros for those beyond the end, whose memory may hold anything.
template <int D, u32 STRIDE>
DEVICE void fetch(bf16 *to, u64 pool, const PagedAttentionParams &p, const AttentionTile &tile, u32 key) {
    constexpr u32 PIECES = D / 8;
#pragma unroll
    for (u32 i = threadIdx.x; i < TILE_KEYS * PIECES; i += ATTENTION_THREADS) {
        const u32 j = i / PIECES, piece = i % PIECES * 8;
        const bool real = key + j < tile.key_to;
        const u64 place = real ? pool_place(p, tile.sequence, key + j, blockIdx.y) : 0;
        copy_async(to + j * STRIDE + piece, at<const bf16>(pool) + place + piece, real);
    }
}

// What a warp knows of its 16 vectors; a lane has rows g and g + 8 of them.
template <int D> struct WarpState {
    Slice queries[D / 32][2];
    float outputs[D / 8][4];
    float largest[2], sums[2];
    u32 positions[2];
};

template <int D>
DEVICE void begin(WarpState<D> &state, const PagedAttentionParams &p, const Queries &queries, u32 first) {
    const u32 g = lane_index() / 4, t = lane_index() % 4;
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        const u32 vector = first + g + 8 * half;
        const bool real = vector < queries.count();
        state.positions[half] = queries.position(vector);
        state.largest[half] = -INFINITY;
        state.sums[half] = 0.0f;
#pragma unroll
        for (u32 c = 0; c < D / 32; c++) {
            state.queries[c][half] = Slice{{0, 0, 0, 0}};
            if (real) state.queries[c][half] = load_slice(queries.vector<bf16>(p, vector) + 32 * c + 8 * t);
        }
    }
#pragma unroll
    for (u32 n = 0; n < D / 8; n++)
        for (u32 e = 0; e < 4; e++) state.outputs[n][e] = 0.0f;
}

// Scores of 8 · TILES keys that begin at row `row` of the shared tile, whose first key is `key`; minus
// infinity for those that a vector does not see, if there are such.
template <int D, int TILES>
DEVICE void scores_of(float (&scores)[TILES][4], const WarpState<D> &state, const TensorTile<D> &shared,
                      u32 row, const AttentionTile &tile, u32 key, float scale) {
    // The tile's first row sees the fewest keys.
    const bool all_seen = key + row + 8 * TILES <= least(tile.position + 1, tile.key_to);
    const u32 g = lane_index() / 4, t = lane_index() % 4;
#pragma unroll
    for (u32 n = 0; n < TILES; n++) {
        for (u32 e = 0; e < 4; e++) scores[n][e] = 0.0f;
        const bf16 *keys = shared.keys + (row + 8 * n + g) * TensorTile<D>::KEY_STRIDE + 8 * t;
#pragma unroll
        for (u32 c = 0; c < D / 32; c++)
            mma(scores[n], state.queries[c][0], state.queries[c][1], load_slice(keys + 32 * c));
#pragma unroll
        for (u32 e = 0; e < 4; e++) {
            const u32 j = key + row + 8 * n + 2 * t + e % 2;
            const bool seen = all_seen || (j <= state.positions[e / 2] && j < tile.key_to);
            scores[n][e] = seen ? scores[n][e] * scale : -INFINITY;
        }
    }
}

// Scores become weights; what was added before shrinks to the new base.
template <int D, int TILES> DEVICE void weigh(float (&scores)[TILES][4], WarpState<D> &state) {
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        float largest = state.largest[half];
#pragma unroll
        for (u32 n = 0; n < TILES; n++)
            largest = fmaxf(largest, fmaxf(scores[n][2 * half], scores[n][2 * half + 1]));
        largest = fmaxf(largest, __shfl_xor_sync(ALL_LANES, largest, 1));
        largest = fmaxf(largest, __shfl_xor_sync(ALL_LANES, largest, 2));
        const float base = weight_base(largest);
        const float shrink = exp2f(state.largest[half] - base);
        state.largest[half] = largest;
        float sum = 0.0f;
#pragma unroll
        for (u32 n = 0; n < TILES; n++)
#pragma unroll
            for (u32 e = 2 * half; e < 2 * half + 2; e++) {
                scores[n][e] = exp2f(scores[n][e] - base);
                sum += scores[n][e];
            }
        // Each lane adds its own columns up; the four of a row meet at the end.
        state.sums[half] = state.sums[half] * shrink + sum;
#pragma unroll
        for (u32 n = 0; n < D / 8; n++) {
            state.outputs[n][2 * half] *= shrink;
            state.outputs[n][2 * half + 1] *= shrink;
        }
    }
}

// Adds the weighted values of the keys that `scores_of` took.
template <int D, int TILES>
DEVICE void add_values(const float (&weights)[TILES][4], WarpState<D> &state, const TensorTile<D> &shared,
                       u32 row) {
    const u32 lane = lane_index();
#pragma unroll
    for (u32 n = 0; n < TILES; n += 2) {
        const u32 a[4] = {pack_bf16(weights[n][0], weights[n][1]), pack_bf16(weights[n][2], weights[n][3]),
                          pack_bf16(weights[n + 1][0], weights[n + 1][1]),
                          pack_bf16(weights[n + 1][2], weights[n + 1][3])};
        // Matrices: keys 0-7 and 8-15 of dimensions 0-7, then the same of dimensions 8-15.
        const bf16 *values =
            shared.values + (row + 8 * n + lane % 16) * TensorTile<D>::VALUE_STRIDE + lane / 16 * 8;
#pragma unroll
        for (u32 d = 0; d < D / 8; d += 2) {
            u32 b[4];
            load_transposed(b, values + 8 * d);
            mma(state.outputs[d], a, b[0], b[1]);
            mma(state.outputs[d + 1], a, b[2], b[3]);
        }
    }
}

// All keys of the tile. TILES: 8 if warps divide the vectors and each sees all 64 keys, 2 if they divide the
// keys.
template <int D, int TILES>
DEVICE void over_keys(WarpState<D> &state, const PagedAttentionParams &p, const AttentionTile &tile,
                      bool idle) {
    const TensorTile<D> shared;
    const u32 row = TILES == 8 ? 0 : warp_index() * 8 * TILES;
    fetch<D, TensorTile<D>::KEY_STRIDE>(shared.keys, p.key_pool, p, tile, tile.key_from);
    for (u32 key = tile.key_from; key < tile.key_to; key += TILE_KEYS) {
        wait_for_copies();
        __syncthreads();
        fetch<D, TensorTile<D>::VALUE_STRIDE>(shared.values, p.value_pool, p, tile, key);
        float scores[TILES][4];
        if (!idle) {
            scores_of<D, TILES>(scores, state, shared, row, tile, key, p.scale * LOG2_E);
            weigh<D, TILES>(scores, state);
        }
        wait_for_copies();
        __syncthreads();
        if (key + TILE_KEYS < tile.key_to)
            fetch<D, TensorTile<D>::KEY_STRIDE>(shared.keys, p.key_pool, p, tile, key + TILE_KEYS);
        if (!idle) add_values<D, TILES>(scores, state, shared, row);
    }
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        state.sums[half] += __shfl_xor_sync(ALL_LANES, state.sums[half], 1);
        state.sums[half] += __shfl_xor_sync(ALL_LANES, state.sums[half], 2);
    }
}

template <int D>
DEVICE void write_vectors(const WarpState<D> &state, const PagedAttentionParams &p, const AttentionTile &tile,
                          const Queries &queries, u32 first) {
    const u32 g = lane_index() / 4, t = lane_index() % 4;
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        const u32 vector = first + g + 8 * half;
        if (vector >= queries.count()) continue;
#pragma unroll
        for (u32 n = 0; n < D / 8; n++)
#pragma unroll
            for (u32 e = 0; e < 2; e++)
                write_output<bf16>(p, tile, queries, vector, 8 * n + 2 * t + e,
                                   state.outputs[n][2 * half + e], state.largest[half], state.sums[half]);
    }
}

// The four warps' results for the same vectors, brought to one base and added in the order of the warps.
template <int D>
DEVICE void meet(const WarpState<D> &state, const PagedAttentionParams &p, const AttentionTile &tile,
                 const Queries &queries) {
    // [warps][vectors][2] statistics, then [warps][vectors][D] outputs, where keys and values were.
    float *stats = reinterpret_cast<float *>(dynamic_shared());
    float *outputs = stats + ATTENTION_WARPS * WARP_VECTORS * 2;
    const u32 g = lane_index() / 4, t = lane_index() % 4;
    __syncthreads();
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        const u32 place = warp_index() * WARP_VECTORS + g + 8 * half;
        if (t == 0) {
            stats[place * 2] = state.largest[half];
            stats[place * 2 + 1] = state.sums[half];
        }
#pragma unroll
        for (u32 n = 0; n < D / 8; n++)
#pragma unroll
            for (u32 e = 0; e < 2; e++)
                outputs[place * D + 8 * n + 2 * t + e] = state.outputs[n][2 * half + e];
    }
    __syncthreads();
    for (u32 i = threadIdx.x; i < queries.count() * D; i += ATTENTION_THREADS) {
        const u32 vector = i / D, d = i % D;
        float largest = -INFINITY, sum = 0.0f, output = 0.0f;
        for (u32 warp = 0; warp < ATTENTION_WARPS; warp++)
            largest = fmaxf(largest, stats[(warp * WARP_VECTORS + vector) * 2]);
        for (u32 warp = 0; warp < ATTENTION_WARPS; warp++) {
            const u32 place = warp * WARP_VECTORS + vector;
            const float shrink = exp2f(stats[place * 2] - largest);
            sum += stats[place * 2 + 1] * shrink;
            output += outputs[place * D + d] * shrink;
        }
        write_output<bf16>(p, tile, queries, vector, d, output, largest, sum);
    }
}

template <int D> DEVICE void tensor_attention(const PagedAttentionParams &p) {
    const AttentionTile tile = at<const AttentionTile>(p.tiles)[blockIdx.x];
    if (tile.rows == 0) return;
    const Queries queries = tile_queries(p, tile);
    WarpState<D> state;
    if (tile.rows == 1 && queries.group <= WARP_VECTORS) {
        begin<D>(state, p, queries, 0);
        over_keys<D, 2>(state, p, tile, false);
        meet<D>(state, p, tile, queries);
    } else {
        const u32 first = warp_index() * WARP_VECTORS;
        begin<D>(state, p, queries, first);
        over_keys<D, 8>(state, p, tile, first >= queries.count());
        write_vectors<D>(state, p, tile, queries, first);
    }
}

KERNEL(paged_attention_bf16_d64, PagedAttentionParams, ATTENTION_THREADS) { tensor_attention<64>(p); }
KERNEL(paged_attention_bf16_d128, PagedAttentionParams, ATTENTION_THREADS) { tensor_attention<128>(p); }
