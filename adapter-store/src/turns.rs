//! Turns: how many parts of uploads are received for one tenant, and stored by the process, at the same time. Waiting for one
//! costs a connection, and neither memory nor disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::error::StoreError;
use crate::ids::TenantId;
use crate::upload_error::UploadError;

/// Parts of one tenant that are received at the same time; each takes up to 64 MiB of local disk meanwhile.
const RECEIVED: usize = 16;
/// How long a part waits for its turn to be received.
const PATIENCE: Duration = Duration::from_secs(30);
/// Parts that are on their way to the blob store at the same time; each holds some megabytes in memory.
const STORED: usize = 4;

/// Who is having a turn.
pub(crate) struct Turns {
    receiving: Mutex<HashMap<TenantId, Weak<Semaphore>>>,
    storing: Semaphore,
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self { receiving: Mutex::default(), storing: Semaphore::new(STORED) }
    }

    /// Waits a while for the tenant's turn to send a part.
    pub(crate) async fn receive(&self, tenant: TenantId) -> Result<OwnedSemaphorePermit, StoreError> {
        match tokio::time::timeout(PATIENCE, self.of(tenant).acquire_owned()).await {
            Ok(turn) => turn.map_err(StoreError::internal),
            Err(_) => Err(UploadError::Busy { limit: RECEIVED }.into()),
        }
    }

    /// Waits for the turn to store a part.
    pub(crate) async fn store(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        self.storing.acquire().await.map_err(StoreError::internal)
    }

    /// The tenant's turns, as long as anybody has or awaits one.
    fn of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut receiving = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turns) = receiving.get(&tenant).and_then(Weak::upgrade) {
            return turns;
        }
        receiving.retain(|_, turns| turns.strong_count() > 0);
        let turns = Arc::new(Semaphore::new(RECEIVED));
        receiving.insert(tenant, Arc::downgrade(&turns));
        turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn tenants_have_turns_of_their_own_and_nothing_is_kept_of_those_who_are_done() {
        let turns = Turns::new();
        let (acme, globex) = (TenantId::generate(), TenantId::generate());
        let mut held = Vec::new();
        for _ in 0..RECEIVED {
            held.push(turns.receive(acme).await.unwrap());
        }
        let waiting = turns.receive(acme);
        tokio::pin!(waiting);
        assert!(tokio::time::timeout(Duration::from_millis(20), &mut waiting).await.is_err());
        drop(turns.receive(globex).await.unwrap());
        held.pop();
        held.push(waiting.await.unwrap());
        drop(held);
        drop(turns.receive(globex).await.unwrap());
        assert_eq!(turns.receiving.lock().unwrap().len(), 1);
    }
}
