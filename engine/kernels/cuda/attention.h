// What both forms of attention share: which query vectors a tile has, where keys lie, and where results go.
#pragma once

#include "numbers.h"

#define ATTENTION_THREADS 128
#define LOG2_E 1.4426950408889634f

// A tile's query vectors under one key head: row after row, and in each row the heads that share the key
// head.
struct Queries {
    u32 row, rows, first_position, group, kv_head;

    DEVICE u32 count() const { return rows * group; }
    DEVICE u32 position(u32 vector) const { return first_position + vector / group; }
    DEVICE u64 row_of(u32 vector) const { return row + vector / group; }
    DEVICE u32 head_of(u32 vector) const { return kv_head * group + vector % group; }

    template <class T> DEVICE const T *vector(const PagedAttentionParams &p, u32 vector) const {
        return at<const T>(p.q) + row_of(vector) * p.q_stride + head_of(vector) * p.head_dim;
    }
};

DEVICE Queries tile_queries(const PagedAttentionParams &p, const AttentionTile &tile) {
    return Queries{tile.row, tile.rows, tile.position, p.heads / p.kv_heads, blockIdx.y};
}

// Where the head of a key, or of its value, lies in the layer's pool.
DEVICE u64 pool_place(const PagedAttentionParams &p, u32 sequence, u32 key, u32 kv_head) {
    const u32 *blocks = at<const u32>(p.block_tables) + static_cast<u64>(sequence) * p.max_blocks;
    const u64 block = blocks[key / BLOCK_TOKENS];
    return ((block * p.kv_heads + kv_head) * BLOCK_TOKENS + key % BLOCK_TOKENS) * p.head_dim;
}

// What scores are compared with: the largest of them, or anything finite while all are minus infinity.
DEVICE float weight_base(float largest) { return largest == -INFINITY ? 0.0f : largest; }

// One number of a vector's weighted values: to the output, or with its statistics to the scratch.
template <class T>
DEVICE void write_output(const PagedAttentionParams &p, const AttentionTile &tile, const Queries &queries,
                         u32 vector, u32 d, float output, float largest, float sum) {
    const u64 head = queries.head_of(vector);
    if (tile.partial == NO_PARTIAL) {
        T *out = at<T>(p.out) + queries.row_of(vector) * p.out_stride + head * p.head_dim;
        out[d] = from_float<T>(output / sum);
        return;
    }
    const u64 place = static_cast<u64>(tile.partial) * p.heads + head;
    at<float>(p.partial_out)[place * p.head_dim + d] = output;
    if (d == 0) {
        at<float>(p.partial_stats)[place * 2] = largest;
        at<float>(p.partial_stats)[place * 2 + 1] = sum;
    }
}
