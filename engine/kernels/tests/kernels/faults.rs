//! The emulation notices what a device would hang or go astray on.

use tenora_kernels::{
    abi::{GatherRowsParams, Launch, launch},
    emulation,
};

use crate::support::memory;

#[derive(Clone, Copy)]
#[repr(C)]
struct FaultParams {
    out: u64,
}

fn run(name: &'static str, threads: u32) -> (Result<(), String>, Vec<f32>) {
    let out = memory(&[0f32; 64]);
    let launch = Launch { name, grid: [1, 1, 1], block: [threads, 1, 1], shared_bytes: 0 };
    // SAFETY: the kernels write at most 64 numbers.
    let result = unsafe { emulation::launch(&launch, &FaultParams { out: out.address() }) };
    (result, out.to_vec())
}

fn message(name: &'static str, threads: u32) -> String {
    run(name, threads).0.expect_err("a fault")
}

#[test]
fn threads_at_different_barriers_are_noticed() {
    assert!(message("fault_two_barriers", 64).contains("wait at different barriers"));
}

#[test]
fn an_absent_lane_is_noticed() {
    assert!(message("fault_absent_lane", 32).contains("31 of warp 0 in __shfl_xor_sync"));
}

#[test]
fn writes_beyond_shared_memory_are_noticed() {
    assert!(message("fault_beyond_shared", 32).contains("beyond the end of shared memory"));
    assert!(message("fault_much_shared", 32).contains("more than 48 KiB"));
}

#[test]
fn what_was_not_waited_for_is_not_there() {
    for name in ["fault_missing_barrier", "fault_early_read"] {
        let (result, out) = run(name, 32);
        result.unwrap();
        assert!(out[..31].iter().all(|number| number.is_nan()), "{name}");
    }
}

#[test]
fn launches_that_a_device_refuses_are_refused() {
    assert!(message("no_such_kernel", 32).contains("no such kernel"));
    assert!(message("rms_norm_f32", 256).contains("parameters of another size"));
    assert!(message("fault_absent_lane", 64).contains("blocks of another shape"));
}

#[test]
fn a_launch_without_rows_is_no_launch() {
    let params = GatherRowsParams { table: 0, index: 0, out: 0, rows: 0, width: 64 };
    let launch = launch::gather_rows(&params, tenora_kernels::abi::Element::F32);
    assert!(launch.is_empty());
    // SAFETY: nothing is read.
    unsafe { emulation::launch(&launch, &params) }.unwrap();
}
