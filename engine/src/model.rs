//! The base model on disk: what its folder says it is, and the tensors it must have. Computes nothing: runners do.

mod shard;

mod checkpoint;
mod tensors;

mod config;
mod rope;

mod projection;

mod fields;

pub use checkpoint::Checkpoint;
pub use config::{Architecture, ModelConfig};
pub use projection::Projection;
pub use rope::{Rope, RopeScaling};
pub(crate) use shard::Shard;
pub use tensors::ExpectedTensor;
