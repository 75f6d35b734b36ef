//! Pushes: each try to make a version of an adapter, with what was found, also when it was refused. Plain values.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ids::{AdapterName, Digest, PushId, VersionNumber};

/// One try to make a version.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// Names it.
    pub id: PushId,
    /// The adapter's name within its tenant.
    pub adapter: AdapterName,
    /// How far it is.
    pub state: PushState,
    /// What was pushed.
    pub digest: Digest,
    /// Bytes of config and weights together.
    pub bytes: u64,
    /// The version that it became, when it is ready.
    pub version: Option<VersionNumber>,
    /// What the checks found, as far as they came; opaque to the store.
    pub report: Option<serde_json::Value>,
    /// Why it did not become a version, when it did not.
    pub refusal: Option<Refusal>,
    /// When its bytes were there.
    pub created_at: OffsetDateTime,
    /// When it became ready, or did not.
    pub finished_at: Option<OffsetDateTime>,
}

/// How far a push is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushState {
    /// Its bytes are here and are being checked.
    Validating,
    /// It is a version.
    Ready,
    /// The checks refused it, or a limit did.
    Rejected,
    /// The server could not finish; pushing again may help.
    Failed,
}

impl PushState {
    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validating => "validating",
            Self::Ready => "ready",
            Self::Rejected => "rejected",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Validating, Self::Ready, Self::Rejected, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// Why a push did not become a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Stable, for programs.
    pub code: String,
    /// The field or tensor at fault, when there is one.
    pub param: Option<String>,
    /// For people.
    pub message: String,
}

/// How a push that made no version ended.
#[derive(Debug, Clone)]
pub struct Ending {
    /// Whether trying the same again can help: it failed, and was not rejected.
    pub worth_another_try: bool,
    /// Why.
    pub refusal: Refusal,
    /// What the checks found, as far as they came.
    pub report: Option<serde_json::Value>,
}
