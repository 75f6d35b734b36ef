//! Removes from the blob store what nobody needs: bytes without a version, and what interrupted uploads left behind.
//!
//! Never bytes with a row or about to get one: what looks unused is looked at once more under its tenant's lock, which every
//! commit holds while it asks whether its bytes are still there. The grace spares uploads in progress the way back.

mod inventory;
mod lease;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Weak;
use std::time::Duration;

use rand::Rng;
use serde::Serialize;

pub(crate) use self::inventory::{Inventory, without_row};
use self::lease::Lease;
use crate::blobs::{BlobKey, Blobs, remove_leftovers};
use crate::config::{BlobsSettings, BlobsUrl};
use crate::database::{Database, Whose};
use crate::error::StoreError;
use crate::ids::{Digest, TenantId};
use crate::parts::Parts;
use crate::rows::{now, tenants, versions};

const LEASE: &str = "sweep blobs";
/// When the first sweep begins, after the start.
const FIRST_AFTER: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_secs(15 * 60);
/// Adapters' bytes that are compared with the rows at a time.
const BATCH: usize = 500;
/// Removals that may fail before the sweep gives up; the next one begins anew.
const MAX_FAILURES: u64 = 8;

/// What a sweep found; unless it was a dry run, the unused and the leftovers are gone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SweepReport {
    /// Adapters' bytes that no version has, older than the grace.
    pub unused: u64,
    /// Their size.
    pub unused_bytes: u64,
    /// Files that uploads into a local directory left half-written, older than the grace.
    pub leftovers: u64,
    /// Their size.
    pub leftover_bytes: u64,
    /// Objects that are nothing of this store, and stay.
    pub foreign: u64,
    /// Unused bytes that could not be removed.
    pub failed: u64,
}

/// What sweeps: rows, blobs and the grace, without a cache.
#[derive(Clone)]
pub(crate) struct Sweeper {
    database: Database,
    blobs: Blobs,
    /// The blobs' folder, when they are in one.
    dir: Option<PathBuf>,
    grace: Duration,
    dry_run: bool,
}

impl Sweeper {
    pub(crate) fn new(database: &Database, blobs: &Blobs, settings: &BlobsSettings, dry_run: bool) -> Self {
        let dir = match &settings.url {
            BlobsUrl::Local(dir) => Some(dir.clone()),
            BlobsUrl::S3(_) => None,
        };
        Self { database: database.clone(), blobs: blobs.clone(), dir, grace: settings.sweep_grace, dry_run }
    }

    /// Sweeps, unless another server does; a dry run is in nobody's way.
    pub(crate) async fn run(&self) -> Result<Option<SweepReport>, StoreError> {
        if self.dry_run {
            return self.everything(None).await.map(Some);
        }
        let Some(mut lease) = Lease::take(&self.database, LEASE).await? else { return Ok(None) };
        let swept = self.everything(Some(&mut lease)).await;
        lease.release().await;
        swept.map(Some)
    }

    /// All that is swept under the one lease, one after another.
    async fn everything(&self, lease: Option<&mut Lease>) -> Result<SweepReport, StoreError> {
        let mut report = SweepReport::default();
        self.unused_bytes(lease, &mut report).await?;
        self.leftovers(&mut report).await?;
        Ok(report)
    }

    async fn unused_bytes(
        &self,
        mut lease: Option<&mut Lease>,
        report: &mut SweepReport,
    ) -> Result<(), StoreError> {
        let mut inventory = Inventory::of(&self.blobs);
        let young = now() - self.grace;
        loop {
            let mut batch = inventory.batch(BATCH).await?;
            if batch.is_empty() {
                report.foreign = inventory.foreign();
                return Ok(());
            }
            batch.retain(|bytes| bytes.newest <= young);
            for unused in without_row(&self.database, &batch).await? {
                if let Some(lease) = lease.as_deref_mut() {
                    lease.keep().await?;
                }
                match self.remove(&unused.key).await {
                    Ok(true) => {
                        report.unused += 1;
                        report.unused_bytes += unused.bytes;
                    }
                    Ok(false) => {}
                    Err(error) if report.failed >= MAX_FAILURES => return Err(error),
                    Err(error) => {
                        report.failed += 1;
                        let digest = unused.key.digest;
                        tracing::warn!(%digest, error = &error as &dyn std::error::Error, "unused bytes cannot be removed");
                    }
                }
            }
            if let Some(lease) = lease.as_deref_mut() {
                lease.keep().await?;
            }
        }
    }

    /// Whether the bytes are, or would be, gone.
    async fn remove(&self, key: &BlobKey) -> Result<bool, StoreError> {
        if self.dry_run { Ok(true) } else { remove_unused(&self.database, &self.blobs, key).await }
    }

    /// Of a bucket's own leftovers (parts of uploads never ended) its life-cycle rule takes care: nothing lists them to us.
    async fn leftovers(&self, report: &mut SweepReport) -> Result<(), StoreError> {
        let Some(dir) = self.dir.clone() else { return Ok(()) };
        let (grace, dry_run) = (self.grace, self.dry_run);
        let walk = move || remove_leftovers(&dir, grace, dry_run);
        let found = tokio::task::spawn_blocking(walk).await.map_err(StoreError::internal)?;
        let found = found.map_err(StoreError::disk)?;
        report.leftovers = found.files;
        report.leftover_bytes = found.bytes;
        Ok(())
    }
}

/// Removes an adapter's bytes unless a live version has them, with commits held off meanwhile; whether it did.
pub(crate) async fn remove_unused(
    database: &Database,
    blobs: &Blobs,
    key: &BlobKey,
) -> Result<bool, StoreError> {
    let mut transaction = database.begin(Whose::Tenant(key.tenant)).await?;
    match tenants::lock(&mut transaction, key.tenant).await {
        // For a tenant that is gone nothing is committed any more.
        Ok(()) | Err(StoreError::TenantNotFound) => {}
        Err(error) => return Err(error),
    }
    if versions::uses_digest(&mut transaction, key.tenant, key.digest).await? {
        return Ok(false);
    }
    blobs.remove(key).await?;
    Ok(true)
}

/// Takes away what deleted versions leave behind: cached answers, and bytes that no live version has.
pub(crate) async fn purge(parts: &Parts, tenant: TenantId, digests: BTreeSet<Digest>) {
    parts.announce(tenant).await;
    for digest in digests {
        let key = BlobKey { tenant, digest };
        let removed = match remove_unused(&parts.database, &parts.blobs, &key).await {
            Ok(true) => parts.local.forget(&key),
            unneeded => unneeded.map(drop),
        };
        // The version is gone whatever happens here; bytes that stay are only waste, until they are swept.
        if let Err(error) = removed {
            tracing::warn!(%digest, error = &error as &dyn std::error::Error, "bytes of a deleted version stay behind");
        }
    }
}

/// Sweeps now and then, until the store is dropped.
pub(crate) async fn sweep_regularly(parts: Weak<Parts>, sweeper: Sweeper) {
    let mut wait = FIRST_AFTER;
    loop {
        // Servers that were started together should not ask together.
        let pause = wait.mul_f64(rand::rng().random_range(0.8..1.2));
        tokio::time::sleep(pause).await;
        if parts.strong_count() == 0 {
            return;
        }
        match sweeper.run().await {
            Ok(Some(report))
                if report != (SweepReport { foreign: report.foreign, ..SweepReport::default() }) =>
            {
                tracing::info!(?report, "The blob store was swept");
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the blob store could not be swept");
            }
        }
        wait = INTERVAL;
    }
}
