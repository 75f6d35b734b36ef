// The little that the kernels need of a platform: CUDA's own, or its emulation on the host.
#pragma once

#include "abi.h"

#ifdef __CUDACC__

#define DEVICE __device__ __forceinline__

// A kernel and the threads of its blocks.
#define KERNEL(name, Params, threads)                                                                        \
    extern "C" __global__ void __launch_bounds__(threads) name(const Params p)

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

// An address as the host gave it. All of them are of global memory, which has the same addresses as seen by a
// pointer; said so, the compiler need not find out at every read.
template <class T> DEVICE T *at(u64 address) {
#ifdef __CUDACC__
    return static_cast<T *>(__cvta_global_to_generic(address));
#else
    return reinterpret_cast<T *>(address);
#endif
}

DEVICE u32 least(u32 a, u32 b) { return a < b ? a : b; }
