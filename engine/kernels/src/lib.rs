//! CUDA kernels of the engine: what they take ([`abi`]), how a step's rows are divided among them ([`plan`]), and their
//! compiled form. Knows no driver, no tensors and no models; whoever launches them brings those.

#[cfg(feature = "emulation")]
pub mod emulation;
pub mod plan;

pub mod abi;

/// All kernels of [`abi::launch::KERNELS`]: binary code for sm_80, sm_90 and sm_100, and portable code for later devices.
#[cfg(feature = "cuda")]
pub const FATBIN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));
