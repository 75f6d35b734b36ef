//! Every kernel, run by the emulation on the host, against the same computed plainly in f64.

#[path = "kernels/abi.rs"]
mod abi;
#[path = "kernels/attention.rs"]
mod attention;
#[path = "kernels/faults.rs"]
mod faults;
#[path = "kernels/logits.rs"]
mod logits;
#[path = "kernels/lora.rs"]
mod lora;
#[path = "kernels/plan.rs"]
mod plan;
#[path = "kernels/rope.rs"]
mod rope;
#[path = "kernels/rows.rs"]
mod rows;
#[path = "kernels/support.rs"]
mod support;
