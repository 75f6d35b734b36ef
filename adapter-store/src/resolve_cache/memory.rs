//! The resolve cache of one process: a bounded map with deadlines.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::{Lookup, TTL, Ticket};
use crate::ids::{ModelRef, TenantId};
use crate::route::Route;

const MAX_ENTRIES: usize = 10_000;

#[derive(Default)]
pub(crate) struct MemoryCache(Mutex<State>);

#[derive(Default)]
struct State {
    /// One epoch for all tenants: changes are rare, and a map of epochs would need its own bound.
    epoch: u64,
    entries: HashMap<(TenantId, ModelRef), (Route, Instant)>,
}

impl MemoryCache {
    pub(super) fn lookup(&self, tenant: TenantId, model: &ModelRef) -> Lookup {
        let state = self.state();
        match state.entries.get(&(tenant, model.clone())) {
            Some((route, deadline)) if Instant::now() < *deadline => Lookup::Hit(route.clone()),
            _ => Lookup::Miss(Ticket(state.epoch)),
        }
    }

    pub(super) fn fill(&self, ticket: Ticket, tenant: TenantId, model: &ModelRef, route: &Route) {
        let mut state = self.state();
        if state.epoch != ticket.0 {
            return;
        }
        if state.entries.len() >= MAX_ENTRIES {
            let now = Instant::now();
            state.entries.retain(|_, (_, deadline)| now < *deadline);
            // Everything is fresh: start over rather than look for the least useful.
            if state.entries.len() >= MAX_ENTRIES {
                state.entries.clear();
            }
        }
        state.entries.insert((tenant, model.clone()), (route.clone(), Instant::now() + TTL));
    }

    pub(super) fn invalidate(&self, tenant: TenantId) {
        let mut state = self.state();
        state.epoch += 1;
        state.entries.retain(|(owner, _), _| *owner != tenant);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
