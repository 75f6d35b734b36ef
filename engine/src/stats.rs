//! What the engine is doing, in plain numbers; the gateway names the metrics.

/// A snapshot between two steps.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Steps that ran a batch.
    pub steps: u64,
    /// Sequences that hold KV blocks.
    pub running: usize,
    /// Sequences that wait for their first blocks, or for new ones.
    pub waiting: usize,
    /// Most different adapters (with the base, if it was there) that one batch has mixed.
    pub largest_mix: usize,
    /// Blocks in the KV pool.
    pub kv_blocks: usize,
    /// Blocks that nobody holds; those with known content among them.
    pub kv_blocks_free: usize,
    /// Adapters in memory or on their way.
    pub adapters: usize,
    /// Bytes they take.
    pub adapter_bytes: usize,
}
