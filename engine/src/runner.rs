//! The engine's one seam: a runner turns a batch into logits. What it runs on, and how weights and keys lie in memory,
//! is its own business; scheduling, sampling and tenants are not.

pub mod reference;

use std::sync::Arc;

use crate::{
    batch::Batch,
    error::{AdapterRejection, EngineError},
    request::AdapterFiles,
};

/// Turns batches into logits, one at a time, on the engine's thread.
///
/// Contract (held by every implementation): a row's logits depend only on its own sequence and adapter; a batch of
/// mixed adapters equals its sequences run one by one, within the implementation's stated tolerance.
pub trait Runner: Send + 'static {
    /// An adapter in the form this runner computes with.
    type Adapter: ResidentAdapter;

    /// Runs one step: writes keys and values of every row into its blocks and returns one row of `vocab_size` logits
    /// for each sequence that wants them, in order.
    ///
    /// # Errors
    /// [`EngineError::Fault`]: the device failed; no row of this batch may be trusted.
    fn run(&mut self, batch: &Batch<Self::Adapter>) -> Result<Vec<Vec<f32>>, EngineError>;

    /// How adapters are brought in, callable from loader threads while [`Runner::run`] is at work.
    fn loader(&self) -> AdapterLoader<Self::Adapter>;

    /// The most bytes that an adapter whose weights file has `file_bytes` takes while resident.
    fn adapter_bytes(file_bytes: u64) -> usize;

    /// Blocks in the KV pool.
    fn kv_blocks(&self) -> usize;

    /// Tokens per KV block.
    fn block_tokens(&self) -> usize;
}

/// An adapter that a runner holds ready.
pub trait ResidentAdapter: Send + Sync + 'static {
    /// Bytes it takes while resident.
    fn bytes(&self) -> usize;
}

/// Reads, re-hashes, checks and converts one adapter's files.
pub type AdapterLoader<A> = Arc<dyn Fn(&AdapterFiles) -> Result<A, AdapterRejection> + Send + Sync>;
