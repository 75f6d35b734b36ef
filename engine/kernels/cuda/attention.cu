// Attention over paged keys and values, for any head size and both element types, and the sum of partial
// results.
//
// Weights are normalised at the end, keys come in ascending order, and the largest score so far is kept
// beside the sum, as in FlashAttention-2 (arXiv:2307.08691). Scores are in base 2. A key that a row may not
// see has the weight 0 and changes no bit of its result, so a row's result does not depend on the rows that
// share its tile.
#include "attention.h"

// Query vectors that are computed together, and keys of a step: one block of the pool.
#define PLAIN_VECTORS 16

struct PlainTile {
    // [PLAIN_VECTORS][head_dim + 1], [BLOCK_TOKENS][head_dim + 1]: one number more, so that a column meets
    // all banks.
    float *queries, *keys;
    // [PLAIN_VECTORS][BLOCK_TOKENS]: scores, then weights.
    float *scores;
    // [PLAIN_VECTORS]: the largest score, the sum of weights, and by what earlier results shrink.
    float *largest, *sums, *shrink;
};

DEVICE PlainTile plain_tile(u32 head_dim) {
    PlainTile tile;
    tile.queries = reinterpret_cast<float *>(dynamic_shared());
    tile.keys = tile.queries + PLAIN_VECTORS * (head_dim + 1);
    tile.scores = tile.keys + BLOCK_TOKENS * (head_dim + 1);
    tile.largest = tile.scores + PLAIN_VECTORS * BLOCK_TOKENS;
    tile.sums = tile.largest + PLAIN_VECTORS;
    tile.shrink = tile.sums + PLAIN_VECTORS;
    return tile;
}

// Scores of `count` vectors from `first` on against `keys` keys from `key` on.
DEVICE void plain_scores(const PlainTile &shared, const Queries &queries, u32 first, u32 count, u32 key,
                         u32 keys, u32 head_dim) {
    for (u32 pair = threadIdx.x; pair < PLAIN_VECTORS * BLOCK_TOKENS; pair += blockDim.x) {
        const u32 v = pair / BLOCK_TOKENS, j = pair % BLOCK_TOKENS;
        float score = -INFINITY;
        if (v < count && j < keys && key + j <= queries.position(first + v)) {
            score = 0.0f;
            for (u32 d = 0; d < head_dim; d++)
                score += shared.queries[v * (head_dim + 1) + d] * shared.keys[j * (head_dim + 1) + d];
        }
        shared.scores[pair] = score;
    }
}

// One thread for each vector: scores become weights.
DEVICE void plain_weights(const PlainTile &shared) {
    if (threadIdx.x >= PLAIN_VECTORS) return;
    const u32 v = threadIdx.x;
    float *scores = shared.scores + v * BLOCK_TOKENS;
    float largest = shared.largest[v];
    for (u32 j = 0; j < BLOCK_TOKENS; j++) largest = fmaxf(largest, scores[j]);
    const float base = weight_base(largest);
    const float shrink = exp2f(shared.largest[v] - base);
    float sum = 0.0f;
    for (u32 j = 0; j < BLOCK_TOKENS; j++) {
        scores[j] = exp2f(scores[j] - base);
        sum += scores[j];
    }
    shared.largest[v] = largest;
    shared.sums[v] = shared.sums[v] * shrink + sum;
    shared.shrink[v] = shrink;
}

// Up to 16 vectors of a tile, from `first` on.
template <class T>
DEVICE void plain_attention(const PagedAttentionParams &p, const AttentionTile &tile, const Queries &queries,
                            u32 first) {
    const PlainTile shared = plain_tile(p.head_dim);
    const u32 head_dim = p.head_dim, stride = head_dim + 1;
    const u32 count = least(PLAIN_VECTORS, queries.count() - first);
    for (u32 i = threadIdx.x; i < count * head_dim; i += blockDim.x) {
        const u32 v = i / head_dim, d = i % head_dim;
        shared.queries[v * stride + d] = to_float(queries.vector<T>(p, first + v)[d]) * (p.scale * LOG2_E);
    }
    if (threadIdx.x < PLAIN_VECTORS) {
        shared.largest[threadIdx.x] = -INFINITY;
        shared.sums[threadIdx.x] = 0.0f;
    }
    // This thread's dimensions, `threadIdx.x` and 128 beyond it.
    float outputs[2][PLAIN_VECTORS] = {};
    for (u32 key = tile.key_from; key < tile.key_to; key += BLOCK_TOKENS) {
        const u32 keys = least(BLOCK_TOKENS, tile.key_to - key);
        const u64 place = pool_place(p, tile.sequence, key, queries.kv_head);
        const T *key_block = at<const T>(p.key_pool) + place,
                *value_block = at<const T>(p.value_pool) + place;
        for (u32 i = threadIdx.x; i < keys * head_dim; i += blockDim.x)
            shared.keys[i / head_dim * stride + i % head_dim] = to_float(key_block[i]);
        __syncthreads();
        plain_scores(shared, queries, first, count, key, keys, head_dim);
        __syncthreads();
        plain_weights(shared);
        __syncthreads();
#pragma unroll
        for (u32 half = 0; half < 2; half++) {
            const u32 d = threadIdx.x + half * ATTENTION_THREADS;
            if (d >= head_dim) continue;
#pragma unroll
            for (u32 v = 0; v < PLAIN_VECTORS; v++) outputs[half][v] *= shared.shrink[v];
            for (u32 j = 0; j < keys; j++) {
                const float value = to_float(value_block[j * head_dim + d]);
#pragma unroll
                for (u32 v = 0; v < PLAIN_VECTORS; v++)
                    outputs[half][v] += shared.scores[v * BLOCK_TOKENS + j] * value;
            }
        }
    }
#pragma unroll
    for (u32 half = 0; half < 2; half++) {
        const u32 d = threadIdx.x + half * ATTENTION_THREADS;
        if (d >= head_dim) continue;
#pragma unroll
        for (u32 v = 0; v < PLAIN_VECTORS; v++)
            if (v < count)
                write_output<T>(p, tile, queries, first + v, d, outputs[half][v], shared.largest[v],
                                shared.sums[v]);
    }
    // Other vectors of the tile use the same shared memory next. Within the loop there is a barrier between the
    // last read of keys, or of weights, and the next ones.
    __syncthreads();
}

template <class T> DEVICE void plain_attention(const PagedAttentionParams &p) {
    const AttentionTile tile = at<const AttentionTile>(p.tiles)[blockIdx.x];
    const Queries queries = tile_queries(p, tile);
    for (u32 first = 0; first < queries.count(); first += PLAIN_VECTORS)
        plain_attention<T>(p, tile, queries, first);
}

// One row and head: partial results are brought to one base and added in the order of their keys.
template <class T> DEVICE void attention_combine(const AttentionCombineParams &p) {
    const CombineRow row = at<const CombineRow>(p.rows)[blockIdx.x];
    if (row.count == 0) return;
    const u64 head = blockIdx.y;
    const float *stats =
        at<const float>(p.partial_stats) + (row.first * static_cast<u64>(p.heads) + head) * 2;
    const float *partials =
        at<const float>(p.partial_out) + (row.first * static_cast<u64>(p.heads) + head) * p.head_dim;
    float largest = -INFINITY;
    for (u64 i = 0; i < row.count; i++) largest = fmaxf(largest, stats[i * p.heads * 2]);
    T *out = at<T>(p.out) + static_cast<u64>(row.row) * p.out_stride + head * p.head_dim;
    for (u32 d = threadIdx.x; d < p.head_dim; d += blockDim.x) {
        float sum = 0.0f, output = 0.0f;
        for (u64 i = 0; i < row.count; i++) {
            const float shrink = exp2f(stats[i * p.heads * 2] - largest);
            sum += stats[i * p.heads * 2 + 1] * shrink;
            output += partials[i * p.heads * p.head_dim + d] * shrink;
        }
        out[d] = from_float<T>(output / sum);
    }
}

KERNEL(paged_attention_f32, PagedAttentionParams, ATTENTION_THREADS) { plain_attention<float>(p); }
KERNEL(paged_attention_bf16, PagedAttentionParams, ATTENTION_THREADS) { plain_attention<bf16>(p); }
KERNEL(attention_combine_f32, AttentionCombineParams, ATTENTION_THREADS) { attention_combine<float>(p); }
KERNEL(attention_combine_bf16, AttentionCombineParams, ATTENTION_THREADS) { attention_combine<bf16>(p); }
