// The little that the kernels need of a platform: CUDA's own, or its emulation on the host.
#pragma once

#include "abi.h"

#ifdef __CUDACC__

#define DEVICE __device__ __forceinline__

// A kernel and the threads of its blocks.
#define KERNEL(name, Params, threads) extern "C" __global__ void __launch_bounds__(threads) name(const Params p)

// A block's array of fixed size.
#define SHARED(type, name, count) __shared__ __align__(16) type name[count]

// A block's memory whose size the launch states.
DEVICE unsigned char *dynamic_shared() {
    extern __shared__ __align__(16) unsigned char dynamic_shared_memory[];
    return dynamic_shared_memory;
}

#else

#include "../emulation/emulation.h"

#endif

#define WARP 32
#define ALL_LANES 0xffffffffu

DEVICE u32 lane_index() { return threadIdx.x % WARP; }
DEVICE u32 warp_index() { return threadIdx.x / WARP; }

// An address as the host gave it; the compiler cannot know that all of them are global memory.
template <class T> DEVICE T *at(u64 address) {
    T *const pointer = reinterpret_cast<T *>(address);
#ifdef __CUDACC__
    __builtin_assume(__isGlobal(pointer));
#endif
    return pointer;
}

DEVICE u32 least(u32 a, u32 b) { return a < b ? a : b; }
