// Kernels that go over rows number by number: gathering, norms, biases and the gate.
#include "numbers.h"

// Numbers of a row that one block takes.
#define ROW_CHUNK 2048
#define ROW_THREADS 256

// Calls `body` for each pack of this block's chunk of a row.
template <u32 N, class Body> DEVICE void over_chunk(u32 width, Body body) {
    const u32 first = blockIdx.y * ROW_CHUNK, end = least(first + ROW_CHUNK, width);
    for (u32 i = first + threadIdx.x * N; i < end; i += blockDim.x * N) body(i);
}

template <class T, u32 N> DEVICE void gather_rows(const GatherRowsParams &p) {
    const u64 row = blockIdx.x, from = at<const u32>(p.index)[row];
    const T *source = at<const T>(p.table) + from * p.width;
    T *out = at<T>(p.out) + row * p.width;
    over_chunk<N>(p.width, [&](u32 i) { store<T, N>(out + i, load<T, N>(source + i)); });
}

template <class T> DEVICE void gather_rows(const GatherRowsParams &p) {
    if (p.width % PACK<T> == 0)
        gather_rows<T, PACK<T>>(p);
    else
        gather_rows<T, 1>(p);
}

// Numbers are read twice, the second time from a near cache, so that rows may have any width.
template <class T, u32 N>
DEVICE void rms_norm(const T *x, const T *weight, T *out, u32 width, float epsilon) {
    float squares = 0.0f;
    for (u32 i = threadIdx.x * N; i < width; i += blockDim.x * N) {
        const Pack<T, N> pack = load<T, N>(x + i);
#pragma unroll
        for (u32 j = 0; j < N; j++) squares += to_float(pack.numbers[j]) * to_float(pack.numbers[j]);
    }
    const float scale = 1.0f / sqrtf(block_sum(squares) / static_cast<float>(width) + epsilon);
    for (u32 i = threadIdx.x * N; i < width; i += blockDim.x * N) {
        Pack<T, N> pack = load<T, N>(x + i);
        const Pack<T, N> weights = load<T, N>(weight + i);
#pragma unroll
        for (u32 j = 0; j < N; j++)
            pack.numbers[j] = from_float<T>(to_float(pack.numbers[j]) * scale * to_float(weights.numbers[j]));
        store<T, N>(out + i, pack);
    }
}

template <class T> DEVICE void rms_norm(const RmsNormParams &p) {
    const u64 row = blockIdx.x, from = p.index ? at<const u32>(p.index)[row] : row;
    const T *x = at<const T>(p.x) + from * p.width;
    T *out = at<T>(p.out) + row * p.width;
    if (p.width % PACK<T> == 0)
        rms_norm<T, PACK<T>>(x, at<const T>(p.weight), out, p.width, p.epsilon);
    else
        rms_norm<T, 1>(x, at<const T>(p.weight), out, p.width, p.epsilon);
}

template <class T, u32 N> DEVICE void add_rms_norm(const AddRmsNormParams &p) {
    const u64 row = blockIdx.x, from = p.index ? at<const u32>(p.index)[row] : row;
    T *residual = at<T>(p.residual) + from * p.width;
    const T *delta = at<const T>(p.delta) + from * p.width;
    // A thread reads in the norm what it wrote here itself, so no barrier is needed between them.
    for (u32 i = threadIdx.x * N; i < p.width; i += blockDim.x * N) {
        Pack<T, N> sum = load<T, N>(residual + i);
        const Pack<T, N> more = load<T, N>(delta + i);
#pragma unroll
        for (u32 j = 0; j < N; j++)
            sum.numbers[j] = from_float<T>(to_float(sum.numbers[j]) + to_float(more.numbers[j]));
        store<T, N>(residual + i, sum);
    }
    rms_norm<T, N>(residual, at<const T>(p.weight), at<T>(p.out) + row * p.width, p.width, p.epsilon);
}

template <class T> DEVICE void add_rms_norm(const AddRmsNormParams &p) {
    if (p.width % PACK<T> == 0)
        add_rms_norm<T, PACK<T>>(p);
    else
        add_rms_norm<T, 1>(p);
}

template <class T, u32 N> DEVICE void add_bias(const AddBiasParams &p) {
    T *y = at<T>(p.y) + static_cast<u64>(blockIdx.x) * p.y_stride;
    over_chunk<N>(p.width, [&](u32 i) {
        Pack<T, N> sum = load<T, N>(y + i);
        const Pack<T, N> bias = load<T, N>(at<const T>(p.bias) + i);
        for (u32 j = 0; j < N; j++)
            sum.numbers[j] = from_float<T>(to_float(sum.numbers[j]) + to_float(bias.numbers[j]));
        store<T, N>(y + i, sum);
    });
}

template <class T> DEVICE void add_bias(const AddBiasParams &p) {
    if (p.width % PACK<T> == 0 && in_packs<T>(p.y, p.y_stride))
        add_bias<T, PACK<T>>(p);
    else
        add_bias<T, 1>(p);
}

template <class T, u32 N> DEVICE void silu_mul(const SiluMulParams &p) {
    const u64 row = blockIdx.x;
    const T *gate = at<const T>(p.gate) + row * p.gate_stride;
    const T *up = at<const T>(p.up) + row * p.up_stride;
    T *out = at<T>(p.out) + row * p.out_stride;
    over_chunk<N>(p.width, [&](u32 i) {
        Pack<T, N> gates = load<T, N>(gate + i);
        const Pack<T, N> ups = load<T, N>(up + i);
#pragma unroll
        for (u32 j = 0; j < N; j++) {
            const float x = to_float(gates.numbers[j]);
            gates.numbers[j] = from_float<T>(x / (1.0f + expf(-x)) * to_float(ups.numbers[j]));
        }
        store<T, N>(out + i, gates);
    });
}

template <class T> DEVICE void silu_mul(const SiluMulParams &p) {
    const bool aligned = in_packs<T>(p.gate, p.gate_stride) && in_packs<T>(p.up, p.up_stride) &&
                         in_packs<T>(p.out, p.out_stride);
    if (p.width % PACK<T> == 0 && aligned)
        silu_mul<T, PACK<T>>(p);
    else
        silu_mul<T, 1>(p);
}

KERNEL(gather_rows_f32, GatherRowsParams, ROW_THREADS) { gather_rows<float>(p); }
KERNEL(gather_rows_bf16, GatherRowsParams, ROW_THREADS) { gather_rows<bf16>(p); }
KERNEL(rms_norm_f32, RmsNormParams, ROW_THREADS) { rms_norm<float>(p); }
KERNEL(rms_norm_bf16, RmsNormParams, ROW_THREADS) { rms_norm<bf16>(p); }
KERNEL(add_rms_norm_f32, AddRmsNormParams, ROW_THREADS) { add_rms_norm<float>(p); }
KERNEL(add_rms_norm_bf16, AddRmsNormParams, ROW_THREADS) { add_rms_norm<bf16>(p); }
KERNEL(add_bias_f32, AddBiasParams, ROW_THREADS) { add_bias<float>(p); }
KERNEL(add_bias_bf16, AddBiasParams, ROW_THREADS) { add_bias<bf16>(p); }
KERNEL(silu_mul_f32, SiluMulParams, ROW_THREADS) { silu_mul<float>(p); }
KERNEL(silu_mul_bf16, SiluMulParams, ROW_THREADS) { silu_mul<bf16>(p); }
