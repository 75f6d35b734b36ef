// Tensor cores and the copies that feed them.
//
// Fragments of `mma.m16n8k16`, for lane 4g + t (PTX ISA, "Matrix Fragments for mma.m16n8k16"):
//   a[0], a[1], a[2], a[3]: rows g, g+8, g, g+8 of A; columns 2t, 2t+1 in the first two, 2t+8, 2t+9 in the
//   others b[0], b[1]: column g of B; rows 2t, 2t+1 and 2t+8, 2t+9 d[0], d[1], d[2], d[3]: rows g, g, g+8,
//   g+8 of D; columns 2t, 2t+1, 2t, 2t+1
//
// A sum does not care in which order its terms come, so where rows of A and columns of B both lie
// contiguously in memory, lane 4g + t reads 8 numbers at once, 8t to 8t+7 of 32, and takes them for columns
// 2t, 2t+1, 2t+8, 2t+9 of two steps: one read of 16 bytes and no detour through shared memory. `Slice` is
// such a read.
#pragma once

#include "numbers.h"

// 8 numbers of a row: what a lane holds of 32 columns.
struct Slice {
    u32 words[4];
};

DEVICE Slice load_slice(const bf16 *from) {
    const uint4 raw = *reinterpret_cast<const uint4 *>(from);
    return Slice{{raw.x, raw.y, raw.z, raw.w}};
}

// The first `count` of 8 numbers, zeros after them. WHOLE: `count` is 0 or at least 8, and they may be read
// at once; loops exist for both, since one that decides at every read waits at every read.
template <bool WHOLE> DEVICE Slice load_slice(const bf16 *from, u32 count) {
    Slice slice = {{0, 0, 0, 0}};
    if constexpr (WHOLE) {
        if (count > 0) slice = load_slice(from);
    } else {
#pragma unroll
        for (u32 i = 0; i < 8; i++)
            if (i < count) slice.words[i / 2] |= static_cast<u32>(from[i].bits) << 16 * (i % 2);
    }
    return slice;
}

// D += A B for one step of 16.
DEVICE void mma(float (&d)[4], const u32 (&a)[4], u32 b0, u32 b1) {
#ifdef __CUDACC__
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
                 "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
    emulation::mma(d, a, b0, b1);
#endif
}

// D += A B for 32 columns of A: `low` holds rows g, `high` rows g+8.
DEVICE void mma(float (&d)[4], const Slice &low, const Slice &high, const Slice &b) {
#pragma unroll
    for (int step = 0; step < 2; step++) {
        const u32 a[4] = {low.words[2 * step], high.words[2 * step], low.words[2 * step + 1],
                          high.words[2 * step + 1]};
        mma(d, a, b.words[2 * step], b.words[2 * step + 1]);
    }
}

// Four 8x8 matrices, each transposed: lane l names the address of row l % 8 of matrix l / 8, and gets rows
// 2t, 2t+1 of column g of each.
DEVICE void load_transposed(u32 (&out)[4], const bf16 *row) {
#ifdef __CUDACC__
    const u32 address = static_cast<u32>(__cvta_generic_to_shared(row));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(out[0]), "=r"(out[1]), "=r"(out[2]), "=r"(out[3])
                 : "r"(address)
                 : "memory");
#else
    emulation::load_transposed(out, row);
#endif
}

// Begins to copy 16 bytes to shared memory, zeros if not `real`; `from` must be readable only if `real`.
DEVICE void copy_async(bf16 *to, const bf16 *from, bool real) {
#ifdef __CUDACC__
    const u32 address = static_cast<u32>(__cvta_generic_to_shared(to));
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(from), "r"(real ? 16 : 0)
                 : "memory");
#else
    emulation::copy_async(to, from, real);
#endif
}

// Waits for all copies that this thread began.
DEVICE void wait_for_copies() {
#ifdef __CUDACC__
    asm volatile("cp.async.commit_group;\n"
                 "cp.async.wait_group 0;" ::
                     : "memory");
#else
    emulation::wait_for_copies();
#endif
}
