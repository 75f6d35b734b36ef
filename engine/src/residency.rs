//! Which adapters are in memory: loaded on threads of their own, kept within one budget of bytes, the least recently
//! wanted going first. Identity is the digest; an adapter in use is pinned by whoever holds it.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
};

use crate::{
    error::AdapterRejection,
    lora::codes,
    request::AdapterFiles,
    runner::{AdapterLoader, ResidentAdapter},
};

type Digest = [u8; 32];

/// Loads at the same time; each reads, hashes and converts one file.
const CONCURRENT_LOADS: usize = 2;

/// The resident adapters.
pub(crate) struct Residency<A> {
    entries: HashMap<Digest, Entry<A>>,
    budget: usize,
    /// Steps so far: what was wanted in the current one is not evicted for another.
    tick: u64,
    loader: Arc<dyn AdapterLoader<Adapter = A>>,
    wake: Arc<dyn Fn() + Send + Sync>,
    outcomes: (mpsc::Sender<Outcome<A>>, mpsc::Receiver<Outcome<A>>),
}

struct Entry<A> {
    /// `None` while it loads.
    adapter: Option<Arc<A>>,
    bytes: usize,
    wanted: u64,
}

/// What became of a load.
pub(crate) struct Outcome<A> {
    digest: Digest,
    adapter: Result<A, AdapterRejection>,
}

impl<A: ResidentAdapter> Residency<A> {
    /// An empty residency; `wake` is called from a loader's thread when an outcome waits.
    pub(crate) fn new(
        budget: usize,
        loader: Arc<dyn AdapterLoader<Adapter = A>>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self { entries: HashMap::new(), budget, tick: 0, loader, wake, outcomes: mpsc::channel() }
    }

    /// Begins a step.
    pub(crate) fn begin_step(&mut self) {
        self.tick += 1;
    }

    /// The adapter when it is there; else its load begins as soon as there is room for it.
    pub(crate) fn want(&mut self, files: &AdapterFiles) -> Result<Option<Arc<A>>, AdapterRejection> {
        if let Some(entry) = self.entries.get_mut(&files.digest) {
            entry.wanted = self.tick;
            return Ok(entry.adapter.clone());
        }
        let loading = self.entries.values().filter(|entry| entry.adapter.is_none()).count();
        if loading < CONCURRENT_LOADS {
            let bytes = self.bytes_of(files)?;
            if self.make_room(bytes) {
                self.load(files.clone(), bytes)?;
            }
        }
        Ok(None)
    }

    /// Takes the outcomes of loads that ended; returns those that failed.
    pub(crate) fn settle(&mut self) -> Vec<(Digest, AdapterRejection)> {
        let mut failed = Vec::new();
        while let Ok(Outcome { digest, adapter }) = self.outcomes.1.try_recv() {
            match (adapter, self.entries.get_mut(&digest)) {
                (Ok(adapter), Some(entry)) => {
                    entry.bytes = adapter.bytes();
                    entry.adapter = Some(Arc::new(adapter));
                }
                (Ok(_), None) => {}
                (Err(rejection), _) => {
                    self.entries.remove(&digest);
                    failed.push((digest, rejection));
                }
            }
        }
        failed
    }

    /// Adapters in memory or on their way, and the bytes they take.
    pub(crate) fn taken(&self) -> (usize, usize) {
        (self.entries.len(), self.entries.values().map(|entry| entry.bytes).sum())
    }

    fn bytes_of(&self, files: &AdapterFiles) -> Result<usize, AdapterRejection> {
        let file = std::fs::metadata(&files.weights)
            .map_err(|error| crate::lora::read::unreadable("adapter_model.safetensors", &error))?;
        let bytes = self.loader.resident_bytes(file.len());
        match bytes <= self.budget {
            true => Ok(bytes),
            false => Err(too_large(bytes, self.budget)),
        }
    }

    /// Evicts until this many bytes fit; `false`, and nothing evicted in vain, when they cannot.
    fn make_room(&mut self, bytes: usize) -> bool {
        let evictable = |entry: &Entry<A>| {
            entry.wanted < self.tick
                && entry.adapter.as_ref().is_some_and(|adapter| Arc::strong_count(adapter) == 1)
        };
        let (_, taken) = self.taken();
        let mut excess = (taken + bytes).saturating_sub(self.budget);
        let mut candidates: Vec<(u64, usize, Digest)> = self
            .entries
            .iter()
            .filter(|(_, entry)| evictable(entry))
            .map(|(digest, entry)| (entry.wanted, entry.bytes, *digest))
            .collect();
        if candidates.iter().map(|(_, bytes, _)| bytes).sum::<usize>() < excess {
            return false;
        }
        candidates.sort_unstable();
        for (_, bytes, digest) in candidates {
            if excess == 0 {
                break;
            }
            self.entries.remove(&digest);
            excess = excess.saturating_sub(bytes);
        }
        true
    }

    /// Loads on a thread of its own, which a panic cannot leave without an outcome.
    fn load(&mut self, files: AdapterFiles, bytes: usize) -> Result<(), AdapterRejection> {
        let digest = files.digest;
        let (loader, outcomes, wake) =
            (Arc::clone(&self.loader), self.outcomes.0.clone(), Arc::clone(&self.wake));
        let work = move || {
            let loaded = catch_unwind(AssertUnwindSafe(|| loader.load(&files)));
            let adapter = loaded.unwrap_or_else(|_| Err(not_loaded()));
            // The engine may have ended meanwhile: then nobody waits for this.
            _ = outcomes.send(Outcome { digest, adapter });
            wake();
        };
        thread::Builder::new().name("tenora-load".to_owned()).spawn(work).map_err(|error| {
            tracing::error!(%error, "No thread could be started to load an adapter");
            not_loaded()
        })?;
        self.entries.insert(digest, Entry { adapter: None, bytes, wanted: self.tick });
        Ok(())
    }
}

/// An adapter that no eviction could make room for.
pub(crate) fn too_large(bytes: usize, budget: usize) -> AdapterRejection {
    let message = format!(
        "the adapter takes up to {bytes} bytes in memory, and this server gives adapters {budget} in all; train a lower \
         rank or fewer modules, or ask the operator for more"
    );
    AdapterRejection::whole(codes::TOO_LARGE_FOR_MEMORY, message)
}

fn not_loaded() -> AdapterRejection {
    AdapterRejection::whole(codes::NOT_LOADED, "the adapter could not be loaded; try again")
}
