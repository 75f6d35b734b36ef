// What CUDA gives to a kernel, on the host. The threads of a block are fibers of one thread of the host. A
// warp's lanes take turns until all wait at a barrier, then the next warp goes on: each is as far ahead of
// the others as barriers let it, so a missing barrier shows as a wrong result, every time. Of four blocks in
// a row, each runs its warps in another order. Shared memory begins as NaN and has guards around it; copies
// to it that are begun arrive when they are waited for, not before.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

using std::isnan;

#define __device__
#define __forceinline__ inline
#define DEVICE inline

struct alignas(16) uint4 {
    u32 x, y, z, w;
};

struct Index3 {
    u32 x, y, z;
};

struct bf16;

namespace emulation {

// Where this host thread is in a launch.
struct Place {
    Index3 thread, block, block_dim, grid_dim;
};
extern thread_local Place place;

// A block's array; the same one for every thread that comes by `key`.
void *shared_array(const void *key, size_t bytes);
unsigned char *dynamic_shared();

void sync_block(const char *file, int line);

// Waits for all lanes of the warp; the last to come calls `compute` with what each lane brought.
void warp_collective(void *mine, void (*compute)(void *const *lanes), const char *name);

u32 round_bf16(float x);
void mma(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1);
void load_transposed(u32 (&out)[4], const bf16 *row);
void copy_async(void *to, const void *from, bool real);
void wait_for_copies();

template <class T> struct Exchange {
    T value;
    int mask;
    T result;
};

template <class T> T shuffle_xor(u32 lanes, T value, int mask) {
    (void)lanes;
    Exchange<T> mine = {value, mask, value};
    warp_collective(
        &mine,
        [](void *const *lanes) {
            for (int i = 0; i < 32; i++) {
                Exchange<T> *lane = static_cast<Exchange<T> *>(lanes[i]);
                lane->result = static_cast<Exchange<T> *>(lanes[i ^ lane->mask])->value;
            }
        },
        "__shfl_xor_sync");
    return mine.result;
}

// Do nothing; whoever calls them has the kernels linked, which register themselves.
void link_kernels();
void link_faults();

// A kernel that can be launched by its name.
struct Registration {
    Registration(const char *name, size_t params_bytes, u32 threads, void (*run)(const void *params));
};

} // namespace emulation

#define threadIdx (emulation::place.thread)
#define blockIdx (emulation::place.block)
#define blockDim (emulation::place.block_dim)
#define gridDim (emulation::place.grid_dim)

#define __syncthreads() emulation::sync_block(__FILE__, __LINE__)
#define __shfl_xor_sync(lanes, value, mask) emulation::shuffle_xor(lanes, value, mask)

#define SHARED(type, name, count)                                                                            \
    static const char name##_key = 0;                                                                        \
    type *const name = static_cast<type *>(emulation::shared_array(&name##_key, sizeof(type) * (count)))

#define KERNEL(name, Params, threads)                                                                        \
    static void name(const Params p);                                                                        \
    static const emulation::Registration name##_registration(                                                \
        #name, sizeof(Params), threads,                                                                      \
        [](const void *params) { name(*static_cast<const Params *>(params)); });                             \
    static void name(const Params p)

inline unsigned char *dynamic_shared() { return emulation::dynamic_shared(); }

inline float __uint_as_float(u32 bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

inline u32 __float_as_uint(float x) {
    u32 bits;
    memcpy(&bits, &x, 4);
    return bits;
}

// Threads of a block never run at the same time.
inline u32 atomicAdd(u32 *to, u32 more) {
    const u32 before = *to;
    *to += more;
    return before;
}
