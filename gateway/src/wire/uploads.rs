//! `/v1/uploads`: files sent in parts, in the shapes of OpenAI's Uploads, with what resuming needs beside them.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::list::Listed;

/// A new upload.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUpload {
    /// What the file is called; nothing depends on it.
    pub filename: String,
    /// What all parts will have together.
    #[schema(minimum = 1)]
    pub bytes: u64,
    /// What the file is for; nothing depends on it. `adapter` when left out.
    pub purpose: Option<String>,
    /// What the file is; nothing depends on it. `application/octet-stream` when left out.
    pub mime_type: Option<String>,
    /// What all bytes hash to, if it is known: 64 hex digits. Proven when the upload is completed, and a way to find it again.
    pub sha256: Option<String>,
    /// How long the upload, and the file that it becomes, is kept; 24 hours when left out.
    pub expires_after: Option<ExpiresAfter>,
}

/// How long something is kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpiresAfter {
    /// Counted from when: `created_at`.
    pub anchor: String,
    /// From 3600, an hour, to 2592000, 30 days.
    #[schema(minimum = 3600, maximum = 2_592_000)]
    pub seconds: u64,
}

/// An upload.
#[derive(Debug, Serialize, ToSchema)]
pub struct Upload {
    /// Its id: `upload_…`.
    pub id: String,
    /// Always `upload`.
    pub object: &'static str,
    /// What all parts have together, as it was declared.
    pub bytes: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds after which it, and its file, is gone.
    pub expires_at: i64,
    /// What the file is called.
    pub filename: String,
    /// What the file is for.
    pub purpose: String,
    /// `pending`, `completed`, `cancelled` or `expired`.
    pub status: &'static str,
    /// What it became; null until it is completed.
    #[schema(required)]
    pub file: Option<File>,
    /// What the file is.
    pub mime_type: String,
    /// What all bytes hash to: as it was declared, and proven once the upload is completed.
    #[schema(required)]
    pub sha256: Option<String>,
    /// Unix seconds; null until it is completed.
    #[schema(required)]
    pub completed_at: Option<i64>,
    /// Whether an adapter version was made of it: its own bytes are gone then.
    pub used: bool,
    /// The id of the key that began it; null if a token did.
    #[schema(required)]
    pub created_by: Option<String>,
}

/// What a completed upload became.
#[derive(Debug, Serialize, ToSchema)]
pub struct File {
    /// Its id, `file-…`: another name of its upload.
    pub id: String,
    /// Always `file`.
    pub object: &'static str,
    /// Its size.
    pub bytes: u64,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds after which it is gone.
    pub expires_at: i64,
    /// What it is called.
    pub filename: String,
    /// What it is for.
    pub purpose: String,
    /// Always `processed`.
    pub status: &'static str,
}

/// A part of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub struct UploadPart {
    /// Its id, `part_…`: what completing the upload names it by.
    pub id: String,
    /// Always `upload.part`.
    pub object: &'static str,
    /// Unix seconds.
    pub created_at: i64,
    /// The upload.
    pub upload_id: String,
    /// The number that it was sent with.
    #[schema(required)]
    pub part_number: Option<u32>,
    /// Its size.
    pub bytes: u64,
    /// What its bytes hash to: 64 hex digits.
    pub sha256: String,
}

/// The fields of a part, in any order.
#[derive(Debug, ToSchema)]
pub struct PartUpload {
    /// Its bytes, at most 64 MiB.
    #[schema(format = Binary)]
    pub data: String,
    /// From 1 to 10000. The same bytes under the same number are one part, other bytes take its place: a part that is sent with
    /// a number may be sent again when its answer was lost.
    #[schema(minimum = 1, maximum = 10000)]
    pub part_number: Option<u32>,
}

/// How an upload is completed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UploadCompletion {
    /// Every part, in the order of the file's bytes. Parts that are not named are dropped.
    pub part_ids: Vec<String>,
    /// What all bytes hash to: 32 hex digits.
    pub md5: Option<String>,
    /// What all bytes hash to: 64 hex digits.
    pub sha256: Option<String>,
}

/// Which uploads: newest first.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UploadParams {
    /// `pending`, `completed`, `cancelled` or `expired`; all when left out.
    pub status: Option<String>,
    /// Continue after this id: the last page's `last_id`.
    pub after: Option<String>,
    /// How many, from 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
}

impl Listed for Upload {
    fn list_id(&self) -> String {
        self.id.clone()
    }
}

impl Listed for UploadPart {
    fn list_id(&self) -> String {
        self.id.clone()
    }
}
