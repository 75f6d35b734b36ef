//! What the engine is doing, in plain numbers; the gateway names the metrics.

use std::time::Duration;

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
    /// Sequences whose blocks were taken from them, to be computed again later.
    pub preemptions: u64,
    /// Requests that ended at their deadlines.
    pub late: u64,
    /// What happens to adapters.
    pub adapters: AdapterStats,
}

/// Adapters in memory; counts are since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdapterStats {
    /// Adapters in memory or on their way.
    pub resident: usize,
    /// Bytes they take.
    pub bytes: usize,
    /// Those of them that are on their way.
    pub loading: usize,
    /// Adapters that requests wait for and whose load has not begun.
    pub waiting: usize,
    /// Requests that came while their adapter was in memory.
    pub hits: u64,
    /// Requests that came while it was not.
    pub misses: u64,
    /// Loads that succeeded.
    pub loads: u64,
    /// Loads that failed.
    pub load_failures: u64,
    /// Time that loads took, over all of them.
    pub load_time: Duration,
    /// Adapters that made room for others.
    pub evictions: u64,
    /// Adapters whose load had to wait for room.
    pub waits_for_room: u64,
    /// Adapters out of service.
    pub disabled: Vec<DisabledAdapter>,
}

/// An adapter that proved faulty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisabledAdapter {
    /// Its digest.
    pub digest: [u8; 32],
    /// What it did.
    pub reason: String,
}
