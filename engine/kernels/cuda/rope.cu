// Rotary position embedding (arXiv:2104.09864) in the half-split form of Hugging Face checkpoints, and the
// way of keys and values into the pool.
#include "numbers.h"

#define ROPE_THREADS 128
#define ANGLE_THREADS 256
// Pairs of numbers that a lane has of a head of at most 256.
#define LANE_PAIRS 4

KERNEL(rope_angles, RopeAnglesParams, ANGLE_THREADS) {
    const u32 index = blockIdx.x * blockDim.x + threadIdx.x;
    if (index >= p.rows * p.half) return;
    const u32 row = index / p.half, i = index % p.half;
    const float angle =
        static_cast<float>(at<const u32>(p.positions)[row]) * at<const float>(p.frequencies)[i];
    float *angles = at<float>(p.angles) + static_cast<u64>(row) * 2 * p.half;
    sincosf(angle, &angles[p.half + i], &angles[i]);
}

// A head as a lane sees it: numbers i and i + half for i = lane, lane + 32, ...
struct Head {
    float left[LANE_PAIRS], right[LANE_PAIRS];
};

// Calls `body(slot, i)` for each pair of this lane.
template <class Body> DEVICE void over_pairs(u32 half, Body body) {
#pragma unroll
    for (u32 slot = 0; slot < LANE_PAIRS; slot++) {
        const u32 i = lane_index() + slot * WARP;
        if (i < half) body(slot, i);
    }
}

template <class T> DEVICE Head read_head(const T *from, const T *bias, u32 half) {
    Head head = {};
    over_pairs(half, [&](u32 slot, u32 i) {
        head.left[slot] = to_float(from[i]) + (bias ? to_float(bias[i]) : 0.0f);
        head.right[slot] = to_float(from[i + half]) + (bias ? to_float(bias[i + half]) : 0.0f);
    });
    return head;
}

template <class T> DEVICE void write_head(T *to, const Head &head, u32 half) {
    over_pairs(half, [&](u32 slot, u32 i) {
        to[i] = from_float<T>(head.left[slot]);
        to[i + half] = from_float<T>(head.right[slot]);
    });
}

template <class T> DEVICE void norm_head(Head &head, const T *weight, u32 half, float epsilon) {
    float squares = 0.0f;
    for (u32 slot = 0; slot < LANE_PAIRS; slot++)
        squares += head.left[slot] * head.left[slot] + head.right[slot] * head.right[slot];
    const float scale = 1.0f / sqrtf(warp_sum(squares) / static_cast<float>(2 * half) + epsilon);
    over_pairs(half, [&](u32 slot, u32 i) {
        head.left[slot] *= scale * to_float(weight[i]);
        head.right[slot] *= scale * to_float(weight[i + half]);
    });
}

DEVICE void rotate(Head &head, const float *angles, u32 half) {
    over_pairs(half, [&](u32 slot, u32 i) {
        const float a = head.left[slot], b = head.right[slot], cos = angles[i], sin = angles[half + i];
        head.left[slot] = a * cos - b * sin;
        head.right[slot] = b * cos + a * sin;
    });
}

// A warp for each head of a row: queries first, then keys, then values.
template <class T> DEVICE void rope_and_store(const RopeAndStoreParams &p) {
    const u64 row = blockIdx.x;
    u32 head_index = blockIdx.y * (ROPE_THREADS / WARP) + warp_index();
    if (head_index >= p.heads + 2 * p.kv_heads) return;
    const u32 half = p.head_dim / 2;
    const float *angles = at<const float>(p.angles) + row * p.head_dim;

    if (head_index < p.heads) {
        const u32 column = head_index * p.head_dim;
        T *q = at<T>(p.q) + row * p.q_stride + column;
        Head head = read_head<T>(q, p.q_bias ? at<const T>(p.q_bias) + column : nullptr, half);
        if (p.q_norm) norm_head(head, at<const T>(p.q_norm), half, p.epsilon);
        rotate(head, angles, half);
        write_head(q, head, half);
        return;
    }
    const u32 slot = at<const u32>(p.slots)[row];
    if (slot == NO_SLOT) return;
    head_index -= p.heads;
    const bool is_value = head_index >= p.kv_heads;
    if (is_value) head_index -= p.kv_heads;
    const u32 column = head_index * p.head_dim;
    const u64 block = slot / BLOCK_TOKENS, token = slot % BLOCK_TOKENS;
    const u64 place = ((block * p.kv_heads + head_index) * BLOCK_TOKENS + token) * p.head_dim;
    if (is_value) {
        const T *v = at<const T>(p.v) + row * p.v_stride + column;
        const Head head = read_head<T>(v, p.v_bias ? at<const T>(p.v_bias) + column : nullptr, half);
        write_head(at<T>(p.value_pool) + place, head, half);
    } else {
        const T *k = at<const T>(p.k) + row * p.k_stride + column;
        Head head = read_head<T>(k, p.k_bias ? at<const T>(p.k_bias) + column : nullptr, half);
        if (p.k_norm) norm_head(head, at<const T>(p.k_norm), half, p.epsilon);
        rotate(head, angles, half);
        write_head(at<T>(p.key_pool) + place, head, half);
    }
}

KERNEL(rope_and_store_f32, RopeAndStoreParams, ROPE_THREADS) { rope_and_store<float>(p); }
KERNEL(rope_and_store_bf16, RopeAndStoreParams, ROPE_THREADS) { rope_and_store<bf16>(p); }
