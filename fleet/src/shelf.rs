//! The adapters of one server: which are there, which are on their way, and which goes when another needs its place.
//! Knows no server: it is handed a way to load and a way to unload.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tenora_engine::{CacheDomain, EngineError};
use tokio::sync::Notify;

use crate::names::Digest;

/// How long to wait before looking again whether there is room; a place that becomes free is told at once.
const LOOK: Duration = Duration::from_millis(500);

/// The places of one server.
pub(crate) struct Shelf {
    limit: usize,
    /// How long a load that failed is not tried again.
    rest: Duration,
    places: Mutex<Places>,
    changed: Notify,
}

#[derive(Default)]
struct Places {
    slots: HashMap<Digest, Slot>,
    /// Loads that failed just now.
    failed: HashMap<Digest, (Instant, EngineError)>,
    /// Ours by their names, and not by this process: others use them, or what is left of an earlier one.
    foreign: HashSet<Digest>,
    /// Rises when the server has lost everything: leases and loads from before are of no account.
    era: u64,
}

struct Slot {
    state: State,
    in_use: usize,
    last_used: Instant,
    owner: CacheDomain,
    bytes: u64,
}

#[derive(Clone, PartialEq, Eq)]
enum State {
    Loading,
    Ready,
    Leaving,
}

/// What is to be done before an adapter can be used.
enum Step {
    Use(Lease),
    Refuse(EngineError),
    Load { era: u64 },
    Unload { era: u64, digest: Digest },
    Wait,
}

/// How adapters come and go on a server.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// Loads one in place of whatever has its name.
    fn load(&self) -> impl Future<Output = Result<(), EngineError>> + Send;

    /// Takes one away.
    fn unload(&self, digest: &Digest) -> impl Future<Output = Result<(), EngineError>> + Send;
}

/// An adapter that stays where it is for as long as this is held.
pub(crate) struct Lease {
    shelf: Arc<Shelf>,
    digest: Digest,
    era: u64,
    was_there: bool,
}

impl Lease {
    /// Whether the adapter was there when it was asked for.
    pub(crate) fn was_there(&self) -> bool {
        self.was_there
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut places = self.shelf.places();
        if places.era == self.era
            && let Some(slot) = places.slots.get_mut(&self.digest)
        {
            slot.in_use = slot.in_use.saturating_sub(1);
        }
        drop(places);
        self.shelf.changed.notify_waiters();
    }
}

/// An adapter of the shelf, for those who look.
pub(crate) struct Shelved {
    pub(crate) digest: Digest,
    pub(crate) owner: CacheDomain,
    pub(crate) bytes: u64,
    pub(crate) in_use: bool,
    pub(crate) ready: bool,
    pub(crate) last_used: Instant,
}

impl Shelf {
    pub(crate) fn new(limit: usize, rest: Duration) -> Arc<Self> {
        Arc::new(Self { limit, rest, places: Mutex::default(), changed: Notify::new() })
    }

    /// Has the adapter there, and keeps it for as long as the lease lives. Waits while all others are in use. The load goes
    /// on when this is dropped: others may wait for it, and the next request will.
    ///
    /// # Errors
    /// Those of loading, also for a while after a load that failed. An unload that fails is tried again.
    pub(crate) async fn acquire<C: Carrier>(
        self: &Arc<Self>,
        (digest, owner, bytes): (Digest, CacheDomain, u64),
        carrier: Arc<C>,
    ) -> Result<Lease, EngineError> {
        let mut was_there = true;
        loop {
            let changed = self.changed.notified();
            match self.step((digest, owner, bytes), was_there) {
                Step::Use(lease) => return Ok(lease),
                Step::Refuse(error) => return Err(error),
                Step::Wait => _ = tokio::time::timeout(LOOK, changed).await,
                Step::Load { era } => {
                    let (shelf, carrier) = (Arc::clone(self), Arc::clone(&carrier));
                    let loading = tokio::spawn(async move {
                        let loaded = carrier.load().await;
                        shelf.loaded(era, &digest, loaded)
                    });
                    let loaded = loading.await.map_err(|error| EngineError::Fault(error.to_string()))??;
                    if let Some(lease) = loaded {
                        return Ok(lease);
                    }
                }
                Step::Unload { era, digest: other } => {
                    let (shelf, carrier) = (Arc::clone(self), Arc::clone(&carrier));
                    let unloading = tokio::spawn(async move {
                        let gone = carrier.unload(&other).await;
                        shelf.unloaded(era, &other, gone.is_ok());
                        gone
                    });
                    let gone = unloading.await.map_err(|error| EngineError::Fault(error.to_string()))?;
                    if let Err(error) = gone {
                        tracing::warn!(%error, "An adapter could not be unloaded");
                        tokio::time::sleep(LOOK).await;
                    }
                }
            }
            was_there = false;
        }
    }

    fn step(self: &Arc<Self>, (digest, owner, bytes): (Digest, CacheDomain, u64), was_there: bool) -> Step {
        let mut places = self.places();
        let (now, era) = (Instant::now(), places.era);
        if let Some(slot) = places.slots.get_mut(&digest) {
            if slot.state != State::Ready {
                return Step::Wait;
            }
            slot.in_use += 1;
            (slot.last_used, slot.owner) = (now, owner);
            return Step::Use(Lease { shelf: Arc::clone(self), digest, era, was_there });
        }
        places.failed.retain(|_, (at, _)| at.elapsed() < self.rest);
        if let Some((_, error)) = places.failed.get(&digest) {
            return Step::Refuse(error.clone());
        }
        if places.taken_beside(&digest) < self.limit {
            let slot = Slot { state: State::Loading, in_use: 0, last_used: now, owner, bytes };
            places.foreign.remove(&digest);
            places.slots.insert(digest, slot);
            return Step::Load { era };
        }
        match places.idle(&digest) {
            Some(digest) => Step::Unload { era, digest },
            None => Step::Wait,
        }
    }

    /// Whoever had it loaded has it: nobody may take it away before its first use. `None` = it is of no account any more.
    fn loaded(
        self: &Arc<Self>,
        era: u64,
        digest: &Digest,
        loaded: Result<(), EngineError>,
    ) -> Result<Option<Lease>, EngineError> {
        let mut places = self.places();
        let mut lease = None;
        if places.era == era {
            match (places.slots.get_mut(digest), &loaded) {
                (Some(slot), Ok(())) => {
                    (slot.state, slot.in_use) = (State::Ready, slot.in_use + 1);
                    lease = Some(Lease { shelf: Arc::clone(self), digest: *digest, era, was_there: false });
                }
                (_, Err(error)) => {
                    places.slots.remove(digest);
                    places.failed.insert(*digest, (Instant::now(), error.clone()));
                }
                (None, Ok(())) => {}
            }
        }
        drop(places);
        self.changed.notify_waiters();
        loaded.map(|()| lease)
    }

    fn unloaded(&self, era: u64, digest: &Digest, well: bool) {
        let mut places = self.places();
        if places.era == era {
            places.slots.remove(digest);
            // It may be there or not, and may never have been ours: whoever wants it has it loaded anew.
            if !well {
                places.foreign.insert(*digest);
            }
        }
        drop(places);
        self.changed.notify_waiters();
    }

    /// The server does not know the adapter.
    pub(crate) fn forget(&self, digest: &Digest) {
        let mut places = self.places();
        if places.slots.get(digest).is_some_and(|slot| slot.state == State::Ready) {
            places.slots.remove(digest);
        }
        drop(places);
        self.changed.notify_waiters();
    }

    /// The server has begun anew: nothing of it is there any more, and what is there is not ours.
    pub(crate) fn forget_all(&self) {
        let mut places = self.places();
        places.era += 1;
        places.slots.clear();
        places.foreign.clear();
        places.failed.clear();
        drop(places);
        self.changed.notify_waiters();
    }

    /// What the server says that it has, and what was known to be there when it was asked. An adapter that is missing has to
    /// be loaded again.
    pub(crate) fn compare(&self, known: &HashSet<Digest>, there: &HashSet<Digest>) {
        let mut places = self.places();
        let lost = |digest: &Digest| known.contains(digest) && !there.contains(digest);
        places.slots.retain(|digest, slot| slot.state != State::Ready || !lost(digest));
        let foreign = there.iter().filter(|digest| !places.slots.contains_key(*digest)).copied().collect();
        places.foreign = foreign;
        drop(places);
        self.changed.notify_waiters();
    }

    /// All that are there or on their way.
    pub(crate) fn look(&self) -> Vec<Shelved> {
        let shelved = |(digest, slot): (&Digest, &Slot)| Shelved {
            digest: *digest,
            owner: slot.owner,
            bytes: slot.bytes,
            in_use: slot.in_use > 0,
            ready: slot.state == State::Ready,
            last_used: slot.last_used,
        };
        self.places().slots.iter().map(shelved).collect()
    }

    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Places {
    fn taken_beside(&self, digest: &Digest) -> usize {
        self.slots.len() + self.foreign.iter().filter(|other| *other != digest).count()
    }

    /// Marks the one that goes: what nobody uses and nobody has used for the longest time, then one of others.
    fn idle(&mut self, but: &Digest) -> Option<Digest> {
        let idle = self.slots.iter_mut().filter(|(_, slot)| slot.state == State::Ready && slot.in_use == 0);
        if let Some((digest, slot)) = idle.min_by_key(|(_, slot)| slot.last_used) {
            slot.state = State::Leaving;
            return Some(*digest);
        }
        let other = self.foreign.iter().find(|digest| *digest != but).copied()?;
        self.foreign.remove(&other);
        let slot = Slot {
            state: State::Leaving,
            in_use: 0,
            last_used: Instant::now(),
            owner: CacheDomain(0),
            bytes: 0,
        };
        self.slots.insert(other, slot);
        Some(other)
    }
}

#[cfg(test)]
mod tests;
