//! The places of the waiting queue: how many requests may wait, and how many of one tenant, so that one alone cannot
//! have all others refused.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{error::EngineError, request::CacheDomain};

/// All places.
#[derive(Clone)]
pub struct Queue(Arc<Places>);

struct Places {
    limit: usize,
    taken: Mutex<HashMap<CacheDomain, usize>>,
}

/// One place, given back when this is dropped.
pub struct QueuePlace {
    places: Arc<Places>,
    tenant: CacheDomain,
}

impl Queue {
    /// So many places.
    pub fn new(limit: usize) -> Self {
        Self(Arc::new(Places { limit, taken: Mutex::default() }))
    }

    /// A place for a tenant's request. A quarter of the places is left to others.
    ///
    /// # Errors
    /// [`EngineError::QueueFull`] for everybody, or for this tenant.
    pub fn enter(&self, tenant: CacheDomain) -> Result<QueuePlace, EngineError> {
        let places = Arc::clone(&self.0);
        let mut taken = places.taken();
        let (all, own) = (taken.values().sum::<usize>(), taken.get(&tenant).copied().unwrap_or(0));
        let own_limit = places.limit - places.limit / 4;
        let full = |limit| Err(EngineError::QueueFull { limit });
        if all >= places.limit {
            return full(places.limit);
        }
        if own >= own_limit {
            return full(own_limit);
        }
        taken.insert(tenant, own + 1);
        drop(taken);
        Ok(QueuePlace { places, tenant })
    }
}

impl Places {
    fn taken(&self) -> MutexGuard<'_, HashMap<CacheDomain, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for QueuePlace {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        match taken.get_mut(&self.tenant) {
            Some(own) if *own > 1 => *own -= 1,
            _ => _ = taken.remove(&self.tenant),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tenant_cannot_take_every_place() {
        let queue = Queue::new(8);
        let enter = |tenant| queue.enter(CacheDomain(tenant));
        let mut greedy: Vec<_> = (0..6).map(|_| enter(1).unwrap()).collect();
        assert!(matches!(enter(1), Err(EngineError::QueueFull { limit: 6 })));
        let _others = [enter(2).unwrap(), enter(3).unwrap()];
        assert!(matches!(enter(2), Err(EngineError::QueueFull { limit: 8 })));
        greedy.pop();
        assert!(enter(2).is_ok());
        drop(greedy);
        assert_eq!(queue.0.taken().len(), 2, "who waits no more is forgotten");
    }
}
