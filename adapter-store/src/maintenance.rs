//! What an operator does with the rows and blobs themselves, beside running servers: no cache, so nobody's lock is in the way.

use crate::blobs::Blobs;
use crate::config::{BlobsSettings, DatabaseUrl};
use crate::database::Database;
use crate::error::StoreError;
use crate::sweep::{SweepReport, Sweeper};
use crate::verify::{VerifyEvent, VerifyReport, verify};

/// The rows and the blobs, without a server's cache.
pub struct Maintenance {
    database: Database,
    blobs: Blobs,
    settings: BlobsSettings,
}

impl Maintenance {
    /// Opens both; servers may be running.
    pub async fn open(database: &DatabaseUrl, blobs: BlobsSettings) -> Result<Self, StoreError> {
        let database = Database::open(database).await?;
        Ok(Self { database, blobs: Blobs::open(&blobs).await?, settings: blobs })
    }

    /// Whether the database role is one that row-level security does not bind; never with SQLite.
    pub async fn is_above_row_security(&self) -> Result<bool, StoreError> {
        self.database.is_above_row_security().await
    }

    /// Reads every version's bytes and compares them with their digest; tells on the way.
    pub async fn verify(&self, mut tell: impl FnMut(VerifyEvent) + Send) -> Result<VerifyReport, StoreError> {
        verify(&self.database, &self.blobs, &mut tell).await
    }

    /// Removes, or only counts, bytes without a version and leftovers of uploads; `None` when a server is at it already.
    pub async fn sweep(&self, dry_run: bool) -> Result<Option<SweepReport>, StoreError> {
        Sweeper::new(&self.database, &self.blobs, &self.settings, dry_run).run().await
    }
}
