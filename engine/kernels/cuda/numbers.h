// Numbers of both element types, and how they are read: 16 bytes at a time where rows allow it.
#pragma once

#include "platform.h"

// The upper half of an f32.
struct bf16 {
    unsigned short bits;
};

DEVICE float to_float(float x) { return x; }
DEVICE float to_float(bf16 x) { return __uint_as_float(static_cast<u32>(x.bits) << 16); }

// Two numbers rounded to nearest even, the first in the lower half.
DEVICE u32 pack_bf16(float low, float high) {
#ifdef __CUDACC__
    u32 packed;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(packed) : "f"(high), "f"(low));
    return packed;
#else
    return emulation::round_bf16(low) | emulation::round_bf16(high) << 16;
#endif
}

template <class T> DEVICE T from_float(float x);
template <> DEVICE float from_float<float>(float x) { return x; }
template <> DEVICE bf16 from_float<bf16>(float x) {
    return bf16{static_cast<unsigned short>(pack_bf16(x, 0.0f))};
}

// `N` numbers that lie side by side.
template <class T, int N> struct Pack {
    T numbers[N];
};

// As many numbers as one read of 16 bytes brings.
template <class T> constexpr u32 PACK = 16 / sizeof(T);

template <class T, int N> DEVICE Pack<T, N> load(const T *from) {
    Pack<T, N> pack;
    if constexpr (sizeof(pack) == 16) {
        const uint4 raw = *reinterpret_cast<const uint4 *>(from);
        __builtin_memcpy(&pack, &raw, 16);
    } else {
        for (int i = 0; i < N; i++) pack.numbers[i] = from[i];
    }
    return pack;
}

template <class T, int N> DEVICE void store(T *to, const Pack<T, N> &pack) {
    if constexpr (sizeof(pack) == 16) {
        uint4 raw;
        __builtin_memcpy(&raw, &pack, 16);
        *reinterpret_cast<uint4 *>(to) = raw;
    } else {
        for (int i = 0; i < N; i++) to[i] = pack.numbers[i];
    }
}

// Whether rows that begin at multiples of `stride` numbers can be read 16 bytes at a time.
template <class T> DEVICE bool in_packs(u64 address, u32 stride) {
    return address % 16 == 0 && stride % PACK<T> == 0;
}

// The sum over a warp, in the same order on all lanes.
DEVICE float warp_sum(float x) {
    for (int step = WARP / 2; step > 0; step /= 2) x += __shfl_xor_sync(ALL_LANES, x, step);
    return x;
}

// The sum over a block of at most 1024 threads, in a fixed order.
DEVICE float block_sum(float x) {
    SHARED(float, sums, WARP);
    x = warp_sum(x);
    if (lane_index() == 0) sums[warp_index()] = x;
    __syncthreads();
    float total = 0.0f;
    for (u32 warp = 0; warp < blockDim.x / WARP; warp++) total += sums[warp];
    // Whoever calls twice must not overwrite what others still read.
    __syncthreads();
    return total;
}
