//! Resumable uploads as the rest of the program sees them: plain values and their limits.

use std::time::Duration;

use time::OffsetDateTime;

use crate::error::StoreError;
use crate::ids::{Digest, KeyId, PartId, ShortText, UploadId};
use crate::upload_error::UploadError;

/// The most bytes that one part may have.
pub const MAX_PART_BYTES: u64 = 64 << 20;
/// The most parts that one upload may have; also the highest number that a part may bear.
pub const MAX_PARTS: u32 = 10_000;
/// The most uploads with bytes that a tenant may have at a time: pending ones, and completed ones that are not used yet.
pub const MAX_OPEN_UPLOADS: u64 = 16;
/// How long an upload lives when nothing else is asked for.
pub const UPLOAD_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Bytes that parts may have beyond the declared ones, for those that are sent again without a number.
const SPARE_BYTES: u64 = 4 * MAX_PART_BYTES;

/// An upload to be begun.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// What its sender calls the file; never a part of a path.
    pub filename: ShortText,
    /// What it is for; nothing depends on it.
    pub purpose: ShortText,
    /// What its sender says that it is; nothing depends on it.
    pub mime_type: ShortText,
    /// What all its parts will have together.
    pub bytes: u64,
    /// What all its bytes will hash to, if that is known already.
    pub sha256: Option<Digest>,
    /// How long it lives; [`UPLOAD_LIFETIME`] when nothing is said.
    pub lifetime: Option<Duration>,
}

/// A resumable upload.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Sorts by the time it was begun.
    pub id: UploadId,
    /// What its sender calls the file.
    pub filename: ShortText,
    /// What it is for.
    pub purpose: ShortText,
    /// What its sender says that it is.
    pub mime_type: ShortText,
    /// What all its parts have together.
    pub bytes: u64,
    /// The SHA-256 of all its bytes: as declared, if it was, and proven once it is completed.
    pub sha256: Option<Digest>,
    /// How far it is.
    pub state: UploadState,
    /// The key that began it; `None` = a token, or the server itself.
    pub created_by: Option<KeyId>,
    /// When it was begun.
    pub created_at: OffsetDateTime,
    /// When its bytes go, unless they are used by then.
    pub expires_at: OffsetDateTime,
    /// When it was completed.
    pub completed_at: Option<OffsetDateTime>,
}

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadState {
    /// It takes parts.
    Pending,
    /// Its bytes are whole, and wait to be used.
    Completed,
    /// A version was made of it; its own bytes are gone.
    Used,
    /// It was given up; its bytes are gone.
    Cancelled,
    /// Its time was over; its bytes are gone.
    Expired,
}

impl UploadState {
    /// Every state.
    const ALL: [Self; 5] = [Self::Pending, Self::Completed, Self::Used, Self::Cancelled, Self::Expired];

    /// The state's own name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Used => "used",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }

    /// The state of this name.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// The state in the words of OpenAI's API, where what was used is still completed.
    pub fn status(self) -> UploadStatus {
        match self {
            Self::Pending => UploadStatus::Pending,
            Self::Completed | Self::Used => UploadStatus::Completed,
            Self::Cancelled => UploadStatus::Cancelled,
            Self::Expired => UploadStatus::Expired,
        }
    }

    /// Whether it has bytes.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Completed)
    }
}

/// How far an upload is, in the words of OpenAI's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UploadStatus {
    /// It takes parts.
    Pending,
    /// Its bytes are, or were, whole.
    Completed,
    /// It was given up.
    Cancelled,
    /// Its time was over.
    Expired,
}

impl UploadStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Completed, Self::Cancelled, Self::Expired];

    /// The status's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
        }
    }
}

impl Upload {
    /// What its parts may have together: everything once, and room for parts that are sent again.
    pub(crate) fn room(&self) -> u64 {
        self.bytes + self.bytes.min(SPARE_BYTES)
    }

    /// The upload, if it takes parts.
    pub(crate) fn pending(self) -> Result<Self, StoreError> {
        let status = self.state.status().as_str();
        match self.state {
            UploadState::Pending => Ok(self),
            UploadState::Expired => Err(UploadError::Expired.into()),
            _ => Err(UploadError::NotPending { status }.into()),
        }
    }

    /// The upload, if its bytes are whole and there.
    pub(crate) fn completed(self) -> Result<Self, StoreError> {
        let status = self.state.status().as_str();
        match self.state {
            UploadState::Completed => Ok(self),
            UploadState::Used => Err(UploadError::Used.into()),
            UploadState::Expired => Err(UploadError::Expired.into()),
            _ => Err(UploadError::NotCompleted { status }.into()),
        }
    }
}

/// A part of an upload.
#[derive(Debug, Clone, PartialEq)]
pub struct UploadPart {
    /// What completing the upload names it by.
    pub id: PartId,
    /// Its sender's own count, from 1: what is sent again under a number is the same part, or takes its place.
    pub number: Option<u32>,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Digest,
    /// When it had arrived.
    pub created_at: OffsetDateTime,
}

/// What an upload is completed with.
#[derive(Debug, Clone)]
pub struct Completion {
    /// The parts, in the order of their bytes.
    pub part_ids: Vec<PartId>,
    /// What all bytes hash to.
    pub md5: Option<[u8; 16]>,
    /// What all bytes hash to.
    pub sha256: Option<Digest>,
}
