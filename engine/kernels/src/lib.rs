//! CUDA kernels of the engine: what they take ([`abi`]), how a step's rows are divided among them ([`plan`]), and their
//! compiled form. Knows no driver, no tensors and no models; whoever launches them brings those.

pub mod abi;
pub mod plan;
