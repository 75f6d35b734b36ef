//! Completing an upload: the named parts, in their order, are the declared bytes, and nothing else stays.

use std::collections::{HashMap, HashSet};

use futures_util::TryStreamExt;
use md5::Md5;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::UploadStore;
use crate::error::StoreError;
use crate::fault;
use crate::ids::{Digest, PartId, UploadId};
use crate::rows::audit::Entry;
use crate::rows::{now, upload_parts, uploads};
use crate::upload::{Completion, Upload, UploadPart, UploadState};
use crate::upload_error::UploadError;

/// What the named parts hash to, one after another.
struct Hashed {
    sha256: Digest,
    md5: Option<[u8; 16]>,
}

impl UploadStore {
    /// Makes the named parts, in their order, the upload's bytes; parts that are not named go.
    /// Completing it again with the same parts changes nothing.
    pub async fn complete(&self, id: UploadId, wanted: &Completion) -> Result<Upload, StoreError> {
        let mut transaction = self.read().await?;
        let upload = uploads::find(&mut transaction, self.tenant, id).await?.ok_or(UploadError::NotFound)?;
        let parts = upload_parts::all(&mut transaction, self.tenant, id).await?;
        let done = uploads::part_ids(&mut transaction, self.tenant, id).await?;
        drop(transaction);
        if is_done(&upload, &done, wanted) {
            return same_digest(upload, wanted);
        }
        let upload = upload.pending()?;
        let chosen = choose(&parts, &wanted.part_ids)?;
        let got: u64 = chosen.iter().map(|part| part.bytes).sum();
        if got != upload.bytes {
            return Err(UploadError::WrongSize { declared: upload.bytes, got }.into());
        }
        let hashed = self.hash(id, &chosen, wanted.md5.is_some()).await?;
        prove(&upload, wanted, &hashed)?;
        self.settle_completion(id, wanted, hashed.sha256).await
    }

    /// Reads all bytes once.
    async fn hash(&self, id: UploadId, chosen: &[&UploadPart], md5: bool) -> Result<Hashed, StoreError> {
        let (mut sha256, mut md5) = (Sha256::new(), md5.then(Md5::new));
        for part in chosen {
            let mut bytes = match self.bytes_of(id, part.id).await? {
                Some(bytes) => bytes,
                // Replaced or given up meanwhile, or lost.
                None => {
                    self.show(id).await?.pending()?;
                    return Err(UploadError::PartNotFound(part.id).into());
                }
            };
            while let Some(chunk) = bytes.try_next().await? {
                sha256.update(&chunk);
                if let Some(md5) = &mut md5 {
                    md5.update(&chunk);
                }
            }
        }
        let md5 = md5.map(|md5| md5.finalize().into());
        Ok(Hashed { sha256: Digest::from_bytes(sha256.finalize().into()), md5 })
    }

    /// The proven upload's row, if everything is still as it was when it was proven.
    async fn settle_completion(
        &self,
        id: UploadId,
        wanted: &Completion,
        sha256: Digest,
    ) -> Result<Upload, StoreError> {
        let mut transaction = self.begin().await?;
        let upload = self.lock(&mut transaction, id).await?;
        let done = uploads::part_ids(&mut transaction, self.tenant, id).await?;
        if is_done(&upload, &done, wanted) {
            return same_digest(upload, wanted);
        }
        let mut upload = upload.pending()?;
        let parts = upload_parts::all(&mut transaction, self.tenant, id).await?;
        choose(&parts, &wanted.part_ids)?;
        upload.state = UploadState::Completed;
        upload.sha256 = Some(sha256);
        upload.completed_at = Some(now());
        uploads::complete(&mut transaction, self.tenant, &upload, &wanted.part_ids).await?;
        let named: HashSet<_> = wanted.part_ids.iter().collect();
        let spare: Vec<_> = parts.iter().map(|part| part.id).filter(|part| !named.contains(part)).collect();
        for part in &spare {
            upload_parts::delete(&mut transaction, self.tenant, id, *part).await?;
        }
        let detail = json!({ "bytes": upload.bytes, "sha256": sha256, "parts": wanted.part_ids.len() });
        self.record(&mut transaction, Entry { action: "upload.complete", subject: id.to_string(), detail })
            .await?;
        fault::point("upload.completion");
        transaction.commit().await?;
        fault::point("upload.completed");
        for part in spare {
            if let Err(error) = self.parts.blobs.remove_part(self.key(id), part).await {
                tracing::warn!(%part, error = &error as &dyn std::error::Error, "the bytes of a part that is not needed stay until its upload ends");
            }
        }
        Ok(upload)
    }
}

fn is_done(upload: &Upload, done: &[PartId], wanted: &Completion) -> bool {
    upload.state.status() == UploadState::Completed.status() && done == wanted.part_ids
}

fn same_digest(upload: Upload, wanted: &Completion) -> Result<Upload, StoreError> {
    match (upload.sha256, wanted.sha256) {
        (Some(proven), Some(given)) if proven != given => Err(wrong("sha256", &proven.to_hex())),
        _ => Ok(upload),
    }
}

/// The parts that are named, in the order in which they are named.
fn choose<'a>(parts: &'a [UploadPart], named: &[PartId]) -> Result<Vec<&'a UploadPart>, UploadError> {
    let mut there: HashMap<_, _> = parts.iter().map(|part| (part.id, Some(part))).collect();
    let take = |id: &PartId| match there.get_mut(id) {
        Some(part) => part.take().ok_or(UploadError::PartRepeated(*id)),
        None => Err(UploadError::PartNotFound(*id)),
    };
    named.iter().map(take).collect()
}

/// Whether the bytes are those that were meant, as far as anybody said which ones that are.
fn prove(upload: &Upload, wanted: &Completion, hashed: &Hashed) -> Result<(), StoreError> {
    let meant = [upload.sha256, wanted.sha256];
    if meant.into_iter().flatten().any(|meant| meant != hashed.sha256) {
        return Err(wrong("sha256", &hashed.sha256.to_hex()));
    }
    match (hashed.md5, wanted.md5) {
        (Some(got), Some(meant)) if got != meant => Err(wrong("md5", &hex::encode(got))),
        _ => Ok(()),
    }
}

fn wrong(which: &'static str, got: &str) -> StoreError {
    UploadError::WrongDigest { which, got: got.to_owned() }.into()
}
