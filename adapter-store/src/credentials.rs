//! Whom a credential speaks for, remembered while nothing was taken away from anybody: one look-up for each key and epoch.
//!
//! The epoch in the database is read every half second. A new one empties the memory and tells whoever watches, so that a
//! revocation is felt within a second on every server, in running streams too. While the database does not answer, what is
//! remembered goes on working for a stated time, and nothing else does.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use time::OffsetDateTime;
use tokio::sync::watch;

use crate::api_key::AuthenticatedKey;
use crate::database::{Database, Whose};
use crate::error::StoreError;
use crate::ids::{KeyId, TenantId, TenantSlug};
use crate::rows::{self, now};
use crate::tenant::Tenant;

/// Keys, and tenants, that are remembered at most.
const MAX_REMEMBERED: usize = 100_000;

/// A key that was looked up, and its MAC.
pub(crate) struct KnownKey {
    pub(crate) mac: Vec<u8>,
    pub(crate) speaks_for: Arc<AuthenticatedKey>,
}

/// What is remembered of one epoch.
pub(crate) struct Credentials {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    grace: Duration,
}

#[derive(Default)]
struct State {
    /// Raised by whatever empties the memory, so that an answer from before is not kept.
    generation: u64,
    /// The database's, as last read.
    epoch: Option<i64>,
    read_at: Option<Instant>,
    keys: HashMap<KeyId, Arc<KnownKey>>,
    tenants: HashMap<TenantSlug, Arc<Tenant>>,
    used: HashMap<KeyId, (TenantId, OffsetDateTime)>,
}

/// The generation before the database was asked.
#[derive(Clone, Copy)]
pub(crate) struct Asked(u64);

impl Credentials {
    /// An empty memory; `grace` is how long it is believed while the database does not answer.
    pub(crate) fn new(grace: Duration) -> Self {
        Self { state: Mutex::default(), changes: watch::Sender::new(0), grace }
    }

    /// Tells of each change that may have taken powers away.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) fn key(&self, id: KeyId) -> Result<Arc<KnownKey>, Asked> {
        self.find(|state| state.keys.get(&id).cloned())
    }

    pub(crate) fn keep_key(&self, asked: Asked, id: KeyId, known: &Arc<KnownKey>) {
        self.keep(asked, |state| insert(&mut state.keys, id, Arc::clone(known)));
    }

    pub(crate) fn tenant(&self, slug: &TenantSlug) -> Result<Arc<Tenant>, Asked> {
        self.find(|state| state.tenants.get(slug).cloned())
    }

    pub(crate) fn keep_tenant(&self, asked: Asked, tenant: &Arc<Tenant>) {
        self.keep(asked, |state| insert(&mut state.tenants, tenant.slug.clone(), Arc::clone(tenant)));
    }

    /// Notes that a key was used now.
    pub(crate) fn used(&self, key: &AuthenticatedKey) {
        insert(&mut self.state().used, key.key_id, (key.tenant.id, now()));
    }

    /// Forgets everything at once: for changes that this process made itself.
    pub(crate) fn forget(&self) {
        self.clear(&mut self.state());
    }

    /// Reads the epoch; a database that does not answer is noticed by whoever asks it something.
    pub(crate) async fn refresh(&self, database: &Database) {
        if let Ok(epoch) = read_epoch(database).await {
            self.seen(epoch);
        }
    }

    /// Writes down when keys were last used; what cannot be written now is written the next time.
    pub(crate) async fn note_uses(&self, database: &Database) {
        let used = std::mem::take(&mut self.state().used);
        if used.is_empty() {
            return;
        }
        if let Err(error) = note(database, &used).await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the last use of keys is noted later");
            let mut state = self.state();
            for (id, at) in used {
                state.used.entry(id).or_insert(at);
            }
        }
    }

    fn seen(&self, epoch: i64) {
        let mut state = self.state();
        state.read_at = Some(Instant::now());
        if state.epoch.replace(epoch).is_some_and(|before| before != epoch) {
            self.clear(&mut state);
        }
    }

    fn clear(&self, state: &mut State) {
        state.generation += 1;
        state.keys.clear();
        state.tenants.clear();
        self.changes.send_replace(state.generation);
    }

    /// What is remembered, if it may still be believed.
    fn find<T>(&self, look: impl FnOnce(&State) -> Option<T>) -> Result<T, Asked> {
        let state = self.state();
        self.believes(&state).then(|| look(&state)).flatten().ok_or(Asked(state.generation))
    }

    /// Whether what is remembered counts.
    pub(crate) fn are_believed(&self) -> bool {
        self.believes(&self.state())
    }

    fn believes(&self, state: &State) -> bool {
        state.read_at.is_some_and(|read| read.elapsed() <= self.grace)
    }

    fn keep(&self, asked: Asked, keep: impl FnOnce(&mut State)) {
        let mut state = self.state();
        if state.generation == asked.0 {
            keep(&mut state);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A full map starts over rather than look for the least useful.
fn insert<K: Eq + Hash, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() >= MAX_REMEMBERED && !map.contains_key(&key) {
        map.clear();
    }
    map.insert(key, value);
}

async fn read_epoch(database: &Database) -> Result<i64, StoreError> {
    rows::epoch::read(&mut database.read(Whose::Operator).await?).await
}

async fn note(
    database: &Database,
    used: &HashMap<KeyId, (TenantId, OffsetDateTime)>,
) -> Result<(), StoreError> {
    let mut transaction = database.begin(Whose::Operator).await?;
    // In one order everywhere, so that two servers never wait for each other.
    let mut used: Vec<_> = used.iter().collect();
    used.sort_by_key(|(id, _)| **id);
    for (id, (tenant, at)) in used {
        rows::keys::used(&mut transaction, *tenant, *id, *at).await?;
    }
    transaction.commit().await
}
