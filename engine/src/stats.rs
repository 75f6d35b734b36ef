//! What the engine is doing, in plain numbers; the gateway names the metrics.

use std::collections::BTreeSet;

use crate::request::CacheDomain;

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
    /// Tokens since the start.
    pub tokens: TokenStats,
    /// What happens to adapters.
    pub adapters: AdapterStats,
}

/// What an engine has to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Requests that may wait.
    pub queue_limit: usize,
    /// Bytes for adapters.
    pub adapter_bytes: usize,
    /// Tokens of one KV block.
    pub block_tokens: usize,
    /// Sequences of one step at most.
    pub max_batch_sequences: usize,
}

/// Tokens since the start, counted when they are processed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenStats {
    /// Tokens of prompts, those that were reused included.
    pub prompt: u64,
    /// Tokens of prompts whose keys and values were reused.
    pub cached: u64,
    /// Tokens generated.
    pub generated: u64,
}

/// Adapters that left memory, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Evictions {
    /// Nobody wanted it just then, and another needed room.
    pub idle: u64,
    /// Its tenant had more than its share of the memory.
    pub share: u64,
    /// It proved faulty.
    pub fault: u64,
}

/// Adapters in memory; counts are since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdapterStats {
    /// Digests of the adapters that running sequences use.
    pub running: BTreeSet<[u8; 32]>,
    /// Digests of the adapters that waiting sequences want.
    pub wanted: BTreeSet<[u8; 32]>,
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
    /// Adapters that left memory.
    pub evictions: Evictions,
    /// Adapters whose load had to wait for room.
    pub waits_for_room: u64,
    /// Adapters out of service.
    pub disabled: Vec<DisabledAdapter>,
}

/// An adapter in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resident {
    /// Its digest.
    pub digest: [u8; 32],
    /// The tenant that wanted it last.
    pub owner: CacheDomain,
    /// Bytes it takes.
    pub bytes: usize,
    /// Whether sequences run with it.
    pub in_use: bool,
}

/// An adapter that proved faulty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisabledAdapter {
    /// Its digest.
    pub digest: [u8; 32],
    /// What it did.
    pub reason: String,
}
