//! Reads every version's bytes and compares them with their digest. Changes nothing, and needs no cache.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;

use crate::blobs::{BlobKey, Blobs, File};
use crate::database::{Database, Whose};
use crate::error::StoreError;
use crate::fingerprint::Hasher;
use crate::ids::{AdapterName, Digest, TenantId, TenantSlug, VersionNumber};
use crate::rows::contents::{self, Content};
use crate::rows::tenants;
use crate::staging::MAX_STORED_CONFIG_BYTES;
use crate::sweep::{Inventory, without_row};
use crate::tenant::{Paging, Tenant, Wanted};

/// Contents that are read at the same time: while one waits for the store, the other is hashed.
const AT_ONCE: usize = 2;
/// Contents, or adapters' bytes, that are known at a time.
const BATCH: u32 = 500;
/// Versions of one content that are named.
const NAMED_VERSIONS: u32 = 1000;

/// What a verification found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Live versions.
    pub versions: u64,
    /// Bytes read: the same content of several versions of a tenant counts once.
    pub bytes: u64,
    /// Versions whose bytes are not what their digest says.
    pub damaged: u64,
    /// Versions without bytes.
    pub missing: u64,
    /// Adapters' bytes without a version; the sweeper removes them when they are older than its grace.
    pub orphans: u64,
}

/// A version that cannot be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What is wrong with its bytes.
    pub problem: ProblemKind,
    /// Whose it is.
    pub tenant: TenantSlug,
    /// The adapter.
    pub adapter: AdapterName,
    /// Which of its versions.
    pub version: VersionNumber,
    /// What its bytes should be.
    pub digest: Digest,
    /// Where they should be within the blob store.
    pub folder: String,
}

/// What is wrong with a version's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// They are not what their digest says.
    Damaged,
    /// They are not there.
    Missing,
}

/// What a verification tells while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VerifyEvent {
    /// How many bytes there are to read.
    Total(u64),
    /// Of these, how many were read just now.
    Read(u64),
    /// A version that cannot be served.
    Found(Problem),
}

/// Reads everything that live versions need; tells on the way.
pub(crate) async fn verify(
    database: &Database,
    blobs: &Blobs,
    tell: &mut (dyn FnMut(VerifyEvent) + Send),
) -> Result<VerifyReport, StoreError> {
    let mut verification = Verification { database, blobs, tell, report: VerifyReport::default() };
    verification.rows().await?;
    verification.orphans().await?;
    Ok(verification.report)
}

struct Verification<'a> {
    database: &'a Database,
    blobs: &'a Blobs,
    tell: &'a mut (dyn FnMut(VerifyEvent) + Send),
    report: VerifyReport,
}

impl Verification<'_> {
    async fn rows(&mut self) -> Result<(), StoreError> {
        let total = contents::total_bytes(&mut self.database.read(Whose::Operator).await?).await?;
        (self.tell)(VerifyEvent::Total(total));
        let mut after = None;
        loop {
            let mut transaction = self.database.read(Whose::Operator).await?;
            let page =
                tenants::list(&mut transaction, &Wanted::default(), &Paging { after, ..Paging::default() })
                    .await?;
            drop(transaction);
            for tenant in &page.items {
                self.tenant(tenant).await?;
            }
            after = page.items.last().map(|tenant| tenant.slug.clone());
            if !page.has_more {
                return Ok(());
            }
        }
    }

    async fn tenant(&mut self, tenant: &Tenant) -> Result<(), StoreError> {
        let (database, blobs) = (self.database, self.blobs);
        let mut after = None;
        loop {
            let mut transaction = database.read(Whose::Tenant(tenant.id)).await?;
            let page = contents::page(&mut transaction, tenant.id, after, BATCH).await?;
            drop(transaction);
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.digest);
            let checks = page.into_iter().map(|content| async move {
                let key = BlobKey { tenant: tenant.id, digest: content.digest };
                check(blobs, &key).await.map(|problem| (content, problem))
            });
            let mut checked = stream::iter(checks).buffer_unordered(AT_ONCE);
            while let Some((content, problem)) = checked.try_next().await? {
                self.note(tenant, content, problem).await?;
            }
        }
    }

    async fn note(
        &mut self,
        tenant: &Tenant,
        content: Content,
        problem: Option<ProblemKind>,
    ) -> Result<(), StoreError> {
        self.report.versions += content.versions;
        self.report.bytes += content.bytes;
        (self.tell)(VerifyEvent::Read(content.bytes));
        let key = BlobKey { tenant: tenant.id, digest: content.digest };
        if problem.is_none() {
            return Ok(());
        }
        // Deleted, or pushed again, while it was read: then a second look finds nothing wrong, or no version to name.
        let Some(problem) = check(self.blobs, &key).await? else { return Ok(()) };
        for (adapter, version) in self.versions(tenant.id, content.digest).await? {
            match problem {
                ProblemKind::Damaged => self.report.damaged += 1,
                ProblemKind::Missing => self.report.missing += 1,
            }
            let (tenant, digest, folder) = (tenant.slug.clone(), content.digest, key.folder());
            (self.tell)(VerifyEvent::Found(Problem { problem, tenant, adapter, version, digest, folder }));
        }
        Ok(())
    }

    async fn versions(
        &self,
        tenant: TenantId,
        digest: Digest,
    ) -> Result<Vec<(AdapterName, VersionNumber)>, StoreError> {
        let mut transaction = self.database.read(Whose::Tenant(tenant)).await?;
        contents::versions(&mut transaction, tenant, digest, NAMED_VERSIONS).await
    }

    async fn orphans(&mut self) -> Result<(), StoreError> {
        let mut inventory = Inventory::of(self.blobs);
        loop {
            let batch = inventory.batch(BATCH as usize).await?;
            if batch.is_empty() {
                return Ok(());
            }
            self.report.orphans += without_row(self.database, &batch).await?.len() as u64;
        }
    }
}

/// What is wrong with the bytes, if anything.
async fn check(blobs: &Blobs, key: &BlobKey) -> Result<Option<ProblemKind>, StoreError> {
    let Some(mut chunks) = blobs.get(key, File::Config).await? else { return Ok(Some(ProblemKind::Missing)) };
    let mut config = Vec::new();
    while let Some(chunk) = chunks.try_next().await? {
        config.extend_from_slice(&chunk);
        if config.len() as u64 > MAX_STORED_CONFIG_BYTES {
            return Ok(Some(ProblemKind::Damaged));
        }
    }
    let Some(mut chunks) = blobs.get(key, File::Weights).await? else {
        return Ok(Some(ProblemKind::Missing));
    };
    let mut hasher = Hasher::new(&config);
    while let Some(chunk) = chunks.try_next().await? {
        hasher.update(&chunk);
    }
    Ok((hasher.finish() != key.digest).then_some(ProblemKind::Damaged))
}
