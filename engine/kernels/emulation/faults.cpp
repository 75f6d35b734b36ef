// Kernels that do what none should, so that tests can see the emulation notice it.
#include "../cuda/tensor_core.h"

void emulation::link_faults() {}

struct FaultParams {
    u64 out;
};

// Half of the threads wait at another barrier than the others.
KERNEL(fault_two_barriers, FaultParams, 64) {
    if (threadIdx.x < 32)
        __syncthreads();
    else
        __syncthreads(), (void)p;
    __syncthreads();
}

// One lane does not come to its warp's sum.
KERNEL(fault_absent_lane, FaultParams, 32) {
    if (threadIdx.x != 7) at<float>(p.out)[threadIdx.x] = warp_sum(1.0f);
}

KERNEL(fault_beyond_shared, FaultParams, 32) {
    SHARED(u32, numbers, 32);
    numbers[threadIdx.x + 1] = threadIdx.x;
    (void)p;
}

KERNEL(fault_much_shared, FaultParams, 32) {
    SHARED(u32, numbers, 13000);
    numbers[threadIdx.x] = threadIdx.x;
    (void)p;
}

// Reads what its neighbour writes, without a barrier: NaN.
KERNEL(fault_missing_barrier, FaultParams, 32) {
    SHARED(float, numbers, 32);
    numbers[threadIdx.x] = 1.0f;
    at<float>(p.out)[threadIdx.x] = numbers[(threadIdx.x + 1) % 32];
}

// Reads a copy before it waits for it: NaN.
KERNEL(fault_early_read, FaultParams, 32) {
    SHARED(bf16, numbers, 32 * 8);
    copy_async(numbers + 8 * threadIdx.x, nullptr, false);
    at<float>(p.out)[threadIdx.x] = to_float(numbers[8 * threadIdx.x]);
    wait_for_copies();
}
