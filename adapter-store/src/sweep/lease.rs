//! A lease in the database: taken, kept while the work goes on, given back. A dead holder's ends after two minutes.

use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::database::{Database, Whose};
use crate::error::StoreError;
use crate::rows::{leases, now};

/// How long a lease holds without being kept: longer than one step of the work can take.
const VALID: Duration = Duration::from_secs(120);
/// How old a lease is kept again.
const KEEP_AFTER: Duration = Duration::from_secs(20);

pub(crate) struct Lease {
    database: Database,
    name: &'static str,
    holder: Uuid,
    kept: Instant,
}

impl Lease {
    /// The lease, or `None` when another holds it.
    pub(crate) async fn take(database: &Database, name: &'static str) -> Result<Option<Self>, StoreError> {
        let lease = Self { database: database.clone(), name, holder: Uuid::now_v7(), kept: Instant::now() };
        Ok(lease.extend().await?.then_some(lease))
    }

    /// Holds it longer; an error when it ended meanwhile and another has it.
    pub(crate) async fn keep(&mut self) -> Result<(), StoreError> {
        if self.kept.elapsed() < KEEP_AFTER {
            return Ok(());
        }
        if !self.extend().await? {
            return Err(StoreError::unavailable("the lease", "another server has taken over"));
        }
        self.kept = Instant::now();
        Ok(())
    }

    /// Lets the next one have it at once; when that fails, it ends by itself.
    pub(crate) async fn release(self) {
        let released = async {
            let mut transaction = self.database.begin(Whose::Operator).await?;
            leases::release(&mut transaction, self.name, self.holder).await?;
            transaction.commit().await
        };
        if let Err(error) = released.await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                lease = self.name,
                "a lease is left to end by itself"
            );
        }
    }

    async fn extend(&self) -> Result<bool, StoreError> {
        let now = now();
        let times = (now.unix_timestamp(), (now + VALID).unix_timestamp());
        let mut transaction = self.database.begin(Whose::Operator).await?;
        let held = leases::take(&mut transaction, self.name, self.holder, times).await?;
        transaction.commit().await?;
        Ok(held)
    }
}
