//! What can go wrong with a vLLM server.

use std::time::Duration;

/// What goes wrong; nothing, to begin with.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Loads are refused in these words, as vLLM does: by a 500.
    pub refuse_loads: Option<String>,
    /// The next loads fail (500).
    pub fail_loads: bool,
    /// Loads take so long.
    pub slow_loads: Option<Duration>,
    /// Adapters are taken, listed, and not used: what vLLM does when it knows none of the names in the file.
    pub serve_the_base: bool,
    /// Adapters are forgotten right after they were loaded, and not found.
    pub forget: bool,
    /// Generations are answered with this status.
    pub status: Option<u16>,
    /// Generations break off after so many chunks.
    pub break_after: Option<usize>,
    /// Nothing is answered at all: the connection stays open.
    pub hang: bool,
    /// Time between two chunks.
    pub pause: Duration,
    /// The last chunk is missing: no usage, no `[DONE]`.
    pub no_end: bool,
    /// Part of the KV blocks that it says are in use.
    pub kv_used: f64,
}
