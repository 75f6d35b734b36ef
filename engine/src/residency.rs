//! Which adapters are in memory: loaded on threads of their own, kept within one budget of bytes. Identity is the
//! digest; an adapter in use is pinned by whoever holds it. One that proves faulty is out of service until the process
//! restarts or an operator puts it back.
//!
//! *Who goes*: what nobody wants in this step, the least recently wanted first; before it, what belongs to tenants above
//! their share. *Share*: while several tenants want adapters, each one's part of the budget by weight. A tenant above it
//! waits behind those who are not, and its adapters make room for theirs, also those that its waiting requests want; but
//! what was loaded for a request stays until something has begun with it, or loads could undo each other for ever. Alone,
//! a tenant may fill everything.
//!
//! *Bounded wait*: a request that has waited for room for `PATIENCE` goes before all others, no other load begins, and
//! adapters are named that will make room for it. Requests that came later may not begin with those, so they are free
//! once what runs with them, or came earlier, has ended.

mod room;
mod thread;

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroU32,
    sync::{Arc, mpsc},
    time::{Duration, Instant},
};

pub(crate) use self::room::too_large;
use crate::{
    error::AdapterRejection,
    lora::codes,
    request::{AdapterFiles, CacheDomain},
    runner::{AdapterLoader, ResidentAdapter},
    stats::{AdapterStats, DisabledAdapter, Resident},
};

pub(crate) type Digest = [u8; 32];

/// Loads at the same time; each reads, hashes and converts one file.
const CONCURRENT_LOADS: usize = 2;
/// How long a request waits for room before others are held back for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// The resident adapters.
pub(crate) struct Residency<A> {
    entries: HashMap<Digest, Entry<A>>,
    /// What was wanted and is not there.
    missing: HashMap<Digest, Missing>,
    disabled: BTreeMap<Digest, String>,
    held_back: Option<HeldBack>,
    budget: usize,
    patience: Duration,
    /// Steps so far: what was wanted in the current one is not evicted for another.
    tick: u64,
    loader: Arc<dyn AdapterLoader<Adapter = A>>,
    wake: Arc<dyn Fn() + Send + Sync>,
    outcomes: (mpsc::Sender<Outcome<A>>, mpsc::Receiver<Outcome<A>>),
    counts: AdapterStats,
}

struct Entry<A> {
    /// `None` while it loads.
    adapter: Option<Arc<A>>,
    bytes: usize,
    /// How long its load took, once it has ended.
    load_time: Duration,
    wanted: u64,
    /// The tenant that wanted it last.
    owner: Client,
    /// Nothing has begun with it yet.
    fresh: bool,
}

/// An adapter that is not there, and who waits for it longest.
struct Missing {
    waiter: Waiter,
    wanted: u64,
    /// Once the files were looked at.
    bytes: Option<usize>,
    /// Since when there was no room for it.
    no_room_since: Option<Instant>,
}

/// A tenant, and its weight.
#[derive(Debug, Clone, Copy)]
struct Client {
    tenant: CacheDomain,
    weight: NonZeroU32,
}

/// A request that wants an adapter. Numbers grow with arrival.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiter {
    pub(crate) request: u64,
    pub(crate) tenant: CacheDomain,
    pub(crate) weight: NonZeroU32,
}

/// Adapters that requests after this one may not begin with.
struct HeldBack {
    after: u64,
    digests: Vec<Digest>,
}

/// What became of a load.
struct Outcome<A> {
    digest: Digest,
    adapter: Result<A, thread::Failure>,
    took: Duration,
}

impl<A: ResidentAdapter> Residency<A> {
    /// An empty residency; `wake` is called from a loader's thread when an outcome waits.
    pub(crate) fn new(
        budget: usize,
        loader: Arc<dyn AdapterLoader<Adapter = A>>,
        wake: Arc<dyn Fn() + Send + Sync>,
    ) -> Self {
        Self {
            entries: HashMap::new(),
            missing: HashMap::new(),
            disabled: BTreeMap::new(),
            held_back: None,
            budget,
            patience: PATIENCE,
            tick: 0,
            loader,
            wake,
            outcomes: mpsc::channel(),
            counts: AdapterStats::default(),
        }
    }

    #[cfg(test)]
    pub(crate) fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Begins a step.
    pub(crate) fn begin_step(&mut self) {
        self.tick += 1;
    }

    /// Notes whether a request that arrives finds its adapter; true when it does.
    pub(crate) fn arrived(&mut self, digest: &Digest) -> bool {
        let hit = self.entries.get(digest).is_some_and(|entry| entry.adapter.is_some());
        *(if hit { &mut self.counts.hits } else { &mut self.counts.misses }) += 1;
        hit
    }

    /// Says, once in each step, that a request needs an adapter; true when it is there.
    ///
    /// # Errors
    /// The adapter is out of service.
    pub(crate) fn want(&mut self, digest: &Digest, waiter: Waiter) -> Result<bool, AdapterRejection> {
        if let Some(reason) = self.disabled.get(digest) {
            return Err(disabled(reason));
        }
        if let Some(entry) = self.entries.get_mut(digest) {
            if !is_held_back(self.held_back.as_ref(), digest, waiter.request) {
                entry.wanted = self.tick;
                entry.owner = Client { tenant: waiter.tenant, weight: waiter.weight };
            }
            return Ok(entry.adapter.is_some());
        }
        let missing = self.missing.entry(*digest);
        let missing = missing.or_insert(Missing { waiter, wanted: 0, bytes: None, no_room_since: None });
        if missing.wanted < self.tick || waiter.request < missing.waiter.request {
            missing.waiter = waiter;
        }
        missing.wanted = self.tick;
        Ok(false)
    }

    /// The adapter, when it is there and this request may begin with it.
    pub(crate) fn get(&self, digest: &Digest, request: u64) -> Option<&Arc<A>> {
        let entry = self.entries.get(digest)?;
        entry.adapter.as_ref().filter(|_| !is_held_back(self.held_back.as_ref(), digest, request))
    }

    /// The adapter, for a request that begins with it.
    pub(crate) fn take(&mut self, digest: &Digest, request: u64) -> Option<Arc<A>> {
        let adapter = self.get(digest, request).cloned()?;
        self.entries.entry(*digest).and_modify(|entry| entry.fresh = false);
        Some(adapter)
    }

    /// How long an adapter's load took.
    pub(crate) fn load_time(&self, digest: &Digest) -> Duration {
        self.entries.get(digest).map_or(Duration::ZERO, |entry| entry.load_time)
    }

    /// Begins the loads that are due and have room; `files` tells a request's. Returns what cannot be loaded at all.
    pub(crate) fn start_loads<'a>(
        &mut self,
        files: impl Fn(u64) -> Option<&'a AdapterFiles>,
    ) -> Vec<(Digest, AdapterRejection)> {
        self.missing.retain(|_, missing| missing.wanted == self.tick);
        if self.missing.is_empty() {
            self.held_back = None;
            return Vec::new();
        }
        let mut failed = Vec::new();
        for digest in self.by_urgency() {
            if self.loading() >= CONCURRENT_LOADS {
                break;
            }
            let Some(files) = files(self.missing[&digest].waiter.request) else { continue };
            match self.try_load(files) {
                Ok(true) => {}
                // Nobody loads ahead of one that has waited too long.
                Ok(false) if self.is_starving(&digest) => break,
                Ok(false) => {}
                Err(rejection) => {
                    self.missing.remove(&digest);
                    self.counts.load_failures += 1;
                    failed.push((digest, rejection));
                }
            }
        }
        let still_waits = |held: &HeldBack| self.missing.values().any(|m| m.waiter.request == held.after);
        if self.held_back.as_ref().is_some_and(|held| !still_waits(held)) {
            self.held_back = None;
        }
        failed
    }

    /// Takes the outcomes of loads that ended; returns those that failed.
    pub(crate) fn settle(&mut self) -> Vec<(Digest, AdapterRejection)> {
        let mut failed = Vec::new();
        while let Ok(Outcome { digest, adapter, took }) = self.outcomes.1.try_recv() {
            match (adapter, self.entries.get_mut(&digest)) {
                (Ok(adapter), Some(entry)) => {
                    self.counts.loads += 1;
                    entry.bytes = adapter.bytes();
                    entry.load_time = took;
                    entry.adapter = Some(Arc::new(adapter));
                }
                (Ok(_), None) => {}
                (Err(failure), _) => {
                    self.counts.load_failures += 1;
                    self.entries.remove(&digest);
                    let rejection = match failure {
                        thread::Failure::Refused(refused) if refused.code == codes::DIGEST_MISMATCH => {
                            self.disable(digest, "its files are not those that were uploaded")
                        }
                        thread::Failure::Refused(refused) => refused,
                        thread::Failure::Panicked => {
                            self.disable(digest, "loading it failed by a fault of the server")
                        }
                    };
                    failed.push((digest, rejection));
                }
            }
        }
        failed
    }

    /// Takes an adapter out of service, and tells what its requests are to be told.
    pub(crate) fn disable(&mut self, digest: Digest, reason: &str) -> AdapterRejection {
        tracing::error!(digest = hex::encode(digest), reason, "An adapter is out of service");
        if self.entries.remove(&digest).is_some_and(|entry| entry.adapter.is_some()) {
            self.counts.evictions.fault += 1;
        }
        self.missing.remove(&digest);
        disabled(self.disabled.entry(digest).or_insert_with(|| reason.to_owned()))
    }

    /// Puts an adapter back into service.
    pub(crate) fn enable(&mut self, digest: &Digest) {
        self.disabled.remove(digest);
    }

    /// What is in memory, and what happened.
    pub(crate) fn stats(&self) -> AdapterStats {
        AdapterStats {
            resident: self.entries.len(),
            loading: self.loading(),
            bytes: self.entries.values().map(|entry| entry.bytes).sum(),
            waiting: self.missing.len(),
            disabled: self
                .disabled
                .iter()
                .map(|(digest, reason)| DisabledAdapter { digest: *digest, reason: reason.clone() })
                .collect(),
            ..self.counts.clone()
        }
    }

    /// The adapters that are there, the last wanted first.
    pub(crate) fn residents(&self) -> Vec<Resident> {
        let there = self.entries.iter().filter_map(|(digest, entry)| {
            let in_use = Arc::strong_count(entry.adapter.as_ref()?) > 1;
            let (owner, bytes) = (entry.owner.tenant, entry.bytes);
            Some((entry.wanted, Resident { digest: *digest, owner, bytes, in_use }))
        });
        let mut there: Vec<_> = there.collect();
        there.sort_by_key(|(wanted, resident)| (std::cmp::Reverse(*wanted), resident.digest));
        there.into_iter().map(|(_, resident)| resident).collect()
    }

    /// Within the budget, and no more loads than may be.
    pub(crate) fn check_integrity(&self) -> Result<(), String> {
        let bytes: usize = self.entries.values().map(|entry| entry.bytes).sum();
        if bytes > self.budget || self.loading() > CONCURRENT_LOADS {
            return Err(format!("{bytes} bytes of {}, {} loads", self.budget, self.loading()));
        }
        match self.entries.keys().find(|digest| self.disabled.contains_key(*digest)) {
            Some(digest) => Err(format!("{} is out of service and resident", hex::encode(digest))),
            None => Ok(()),
        }
    }

    /// Loads that run, or whose outcome was not taken yet.
    pub(crate) fn loading(&self) -> usize {
        self.entries.values().filter(|entry| entry.adapter.is_none()).count()
    }

    fn is_starving(&self, digest: &Digest) -> bool {
        let since = self.missing.get(digest).and_then(|missing| missing.no_room_since);
        since.is_some_and(|since| since.elapsed() >= self.patience)
    }

    /// Loads an adapter if there is room, or can be made.
    fn try_load(&mut self, files: &AdapterFiles) -> Result<bool, AdapterRejection> {
        let digest = files.digest;
        let bytes = match self.missing[&digest].bytes {
            Some(bytes) => bytes,
            None => self.bytes_of(files)?,
        };
        let waiter = self.missing[&digest].waiter;
        if !self.make_room(waiter, bytes) {
            let starves = self.is_starving(&digest);
            if let Some(missing) = self.missing.get_mut(&digest) {
                missing.bytes = Some(bytes);
                if missing.no_room_since.is_none() {
                    missing.no_room_since = Some(Instant::now());
                    self.counts.waits_for_room += 1;
                }
            }
            if starves {
                self.hold_back(waiter, bytes);
            }
            return Ok(false);
        }
        thread::load(files.clone(), &self.loader, self.outcomes.0.clone(), Arc::clone(&self.wake))?;
        self.missing.remove(&digest);
        let owner = Client { tenant: waiter.tenant, weight: waiter.weight };
        let (wanted, load_time) = (self.tick, Duration::ZERO);
        self.entries.insert(digest, Entry { adapter: None, bytes, load_time, wanted, owner, fresh: true });
        Ok(true)
    }
}

fn is_held_back(held_back: Option<&HeldBack>, digest: &Digest, request: u64) -> bool {
    held_back.is_some_and(|held| request > held.after && held.digests.contains(digest))
}

fn disabled(reason: &str) -> AdapterRejection {
    let message = format!(
        "this adapter version is out of service here: {reason}; upload it again as a new version, or ask the operator"
    );
    AdapterRejection::whole(codes::DISABLED, message)
}

#[cfg(test)]
mod tests;
