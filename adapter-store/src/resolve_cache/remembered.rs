//! What references meant when the database last answered, for the time in which it does not.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ids::{ModelRef, TenantId};
use crate::route::Route;

const MAX_ENTRIES: usize = 10_000;

type Entries = HashMap<(TenantId, ModelRef), (Route, Instant)>;

/// The last answers of this process, believed for `grace`.
pub(crate) struct Remembered {
    entries: Mutex<Entries>,
    grace: Duration,
}

impl Remembered {
    pub(crate) fn new(grace: Duration) -> Self {
        Self { entries: Mutex::default(), grace }
    }

    pub(crate) fn keep(&self, tenant: TenantId, model: &ModelRef, route: &Route) {
        let mut entries = self.entries();
        let key = (tenant, model.clone());
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(&key) {
            entries.clear();
        }
        entries.insert(key, (route.clone(), Instant::now()));
    }

    pub(crate) fn recall(&self, tenant: TenantId, model: &ModelRef) -> Option<Route> {
        let entries = self.entries();
        let (route, kept_at) = entries.get(&(tenant, model.clone()))?;
        (kept_at.elapsed() <= self.grace).then(|| route.clone())
    }

    pub(crate) fn forget(&self, tenant: TenantId) {
        self.entries().retain(|(owner, _), _| *owner != tenant);
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
