// What sampling needs of a row of logits: the largest ones, and the logarithm of the sum of exponentials.
#include "numbers.h"

#define LOGITS_THREADS 512
#define LARGEST_FINITE 3.402823466e38f

// A logit and its token as one number: larger logits first, lower tokens first among equals. No logit has 0.
DEVICE u64 key_of(float logit, u32 token) {
    if (isnan(logit)) return 0;
    // Makes minus zero zero.
    const u32 bits = __float_as_uint(logit + 0.0f);
    const u32 ordered = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return static_cast<u64>(ordered) << 32 | ~token;
}

DEVICE u32 token_of(u64 key) { return ~static_cast<u32>(key); }

DEVICE float logit_of(u64 key) {
    const u32 ordered = static_cast<u32>(key >> 32);
    return __uint_as_float(ordered & 0x80000000u ? ordered & 0x7fffffffu : ~ordered);
}

DEVICE u64 larger(u64 a, u64 b) { return a > b ? a : b; }

// A row of logits, or less of it.
template <class T> struct LogitsRow {
    const T *logits;
    u32 vocab;
    bool packed;

    DEVICE LogitsRow(u64 address, u32 stride, u32 vocab)
        : logits(at<const T>(address) + static_cast<u64>(blockIdx.x) * stride), vocab(vocab),
          packed(in_packs<T>(address, stride) && vocab % PACK<T> == 0) {}

    // Calls `body(logit, token)` for this thread's logits.
    template <class Body> DEVICE void each(Body body) const {
        if (packed) {
            for (u32 i = threadIdx.x * PACK<T>; i < vocab; i += LOGITS_THREADS * PACK<T>) {
                const Pack<T, PACK<T>> pack = load<T, PACK<T>>(logits + i);
#pragma unroll
                for (u32 j = 0; j < PACK<T>; j++) body(to_float(pack.numbers[j]), i + j);
            }
        } else {
            for (u32 i = threadIdx.x; i < vocab; i += LOGITS_THREADS) body(to_float(logits[i]), i);
        }
    }
};

// The largest of a block's keys.
DEVICE u64 block_largest(u64 key) {
    SHARED(u64, keys, LOGITS_THREADS / WARP);
    for (int step = WARP / 2; step > 0; step /= 2) key = larger(key, __shfl_xor_sync(ALL_LANES, key, step));
    if (lane_index() == 0) keys[warp_index()] = key;
    __syncthreads();
    for (u32 warp = 0; warp < LOGITS_THREADS / WARP; warp++) key = larger(key, keys[warp]);
    __syncthreads();
    return key;
}

// The largest key of this thread's logits; adds to `odd` for each that is NaN or +infinity.
template <class T> DEVICE u64 thread_largest(const LogitsRow<T> &row, float &odd) {
    u64 best = 0;
    row.each([&](float logit, u32 token) {
        best = larger(best, key_of(logit, token));
        if (!(logit <= LARGEST_FINITE)) odd += 1.0f;
    });
    return best;
}

DEVICE RowSummary summary_of(u64 best, float odd, float sum, float inverse_temperature) {
    const float largest = logit_of(best);
    return RowSummary{token_of(best), odd == 0.0f, largest, largest * inverse_temperature + logf(sum)};
}

template <class T> DEVICE void argmax(const ArgmaxParams &p) {
    const LogitsRow<T> row(p.logits, p.stride, p.vocab);
    float odd = 0.0f;
    const u64 best = block_largest(thread_largest(row, odd));
    const float largest = logit_of(best);
    float sum = 0.0f;
    row.each([&](float logit, u32) { sum += expf(logit - largest); });
    sum = block_sum(sum);
    odd = block_sum(odd);
    if (threadIdx.x == 0) at<RowSummary>(p.summaries)[blockIdx.x] = summary_of(best, odd, sum, 1.0f);
}

// Sorts one key of each thread, largest first (bitonic; Batcher 1968).
DEVICE void sort(u64 *keys) {
    for (u32 size = 2; size <= LOGITS_THREADS; size *= 2)
        for (u32 step = size / 2; step > 0; step /= 2) {
            __syncthreads();
            const u32 i = threadIdx.x, other = i ^ step;
            const u64 a = keys[i], b = keys[other];
            const bool descending = (i & size) == 0;
            __syncthreads();
            // Both threads of a pair know both keys, and each keeps its own.
            keys[i] = (i < other) == descending ? larger(a, b) : (a < b ? a : b);
        }
    __syncthreads();
}

// The k-th largest of the threads' largest keys is a bound that at least k keys reach, and hardly more than k
// do. Only if more than a block can sort reach it, such as when all logits are equal, the row is searched k
// times.
template <class T> DEVICE void top_k(const TopKParams &p) {
    SHARED(u64, keys, LOGITS_THREADS);
    SHARED(u32, found, 1);
    const LogitsRow<T> row(p.logits, p.stride, p.vocab);
    float odd = 0.0f;
    keys[threadIdx.x] = thread_largest(row, odd);
    if (threadIdx.x == 0) *found = 0;
    sort(keys);
    const u64 best = keys[0], bound = larger(keys[p.k - 1], 1);
    __syncthreads();
    keys[threadIdx.x] = 0;
    __syncthreads();

    const float inverse_temperature =
        p.inverse_temperatures ? at<const float>(p.inverse_temperatures)[blockIdx.x] : 1.0f;
    const float largest = logit_of(best);
    float sum = 0.0f;
    row.each([&](float logit, u32 token) {
        sum += expf((logit - largest) * inverse_temperature);
        const u64 key = key_of(logit, token);
        if (key < bound) return;
        // Places are given in any order; sorting makes it one.
        const u32 place = atomicAdd(found, 1u);
        if (place < LOGITS_THREADS) keys[place] = key;
    });
    sum = block_sum(sum);
    odd = block_sum(odd);
    if (*found <= LOGITS_THREADS) {
        sort(keys);
    } else {
        u64 last = ~0ull;
        for (u32 i = 0; i < p.k; i++) {
            u64 next = 0;
            row.each([&](float logit, u32 token) {
                const u64 key = key_of(logit, token);
                if (key < last) next = larger(next, key);
            });
            last = block_largest(next);
            if (threadIdx.x == 0) keys[i] = last;
        }
        __syncthreads();
    }
    if (threadIdx.x < p.k) {
        const u64 place = static_cast<u64>(blockIdx.x) * p.k + threadIdx.x;
        at<u32>(p.ids)[place] = token_of(keys[threadIdx.x]);
        at<float>(p.values)[place] = logit_of(keys[threadIdx.x]);
    }
    if (threadIdx.x == 0)
        at<RowSummary>(p.summaries)[blockIdx.x] = summary_of(best, odd, sum, inverse_temperature);
}

KERNEL(argmax_f32, ArgmaxParams, LOGITS_THREADS) { argmax<float>(p); }
KERNEL(argmax_bf16, ArgmaxParams, LOGITS_THREADS) { argmax<bf16>(p); }
KERNEL(top_k_f32, TopKParams, LOGITS_THREADS) { top_k<float>(p); }
KERNEL(top_k_bf16, TopKParams, LOGITS_THREADS) { top_k<bf16>(p); }
