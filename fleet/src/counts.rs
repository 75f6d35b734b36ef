//! What an engine that is not ours counts about its requests and adapters.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tenora_engine::{AdapterStats, Evictions, Progress, Stats, TokenStats};

use crate::shelf::Shelved;

/// Since the start.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) hits: AtomicU64,
    pub(crate) misses: AtomicU64,
    pub(crate) loads: AtomicU64,
    pub(crate) load_failures: AtomicU64,
    pub(crate) unloads: AtomicU64,
    prompt_tokens: AtomicU64,
    cached_tokens: AtomicU64,
    generated_tokens: AtomicU64,
}

impl Counts {
    /// What a request cost.
    pub(crate) fn add(&self, progress: &Progress) {
        let [prompt, cached, generated] = progress.tokens();
        for (count, tokens) in [
            (&self.prompt_tokens, prompt),
            (&self.cached_tokens, cached),
            (&self.generated_tokens, generated),
        ] {
            count.fetch_add(tokens.into(), Relaxed);
        }
    }

    /// What was counted, and how adapters are.
    pub(crate) fn stats(&self, shelved: impl Iterator<Item = Shelved>) -> Stats {
        let told = |count: &AtomicU64| count.load(Relaxed);
        let mut adapters = AdapterStats {
            hits: told(&self.hits),
            misses: told(&self.misses),
            loads: told(&self.loads),
            load_failures: told(&self.load_failures),
            evictions: Evictions { idle: told(&self.unloads), ..Evictions::default() },
            ..AdapterStats::default()
        };
        for shelved in shelved {
            adapters.resident += 1;
            adapters.bytes += shelved.bytes as usize;
            adapters.loading += usize::from(!shelved.ready);
            if shelved.in_use {
                adapters.running.insert(shelved.digest);
            }
        }
        let tokens = TokenStats {
            prompt: told(&self.prompt_tokens),
            cached: told(&self.cached_tokens),
            generated: told(&self.generated_tokens),
        };
        Stats { tokens, adapters, ..Stats::default() }
    }
}
