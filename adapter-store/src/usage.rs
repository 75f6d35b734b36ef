//! What was used, as plain values: one event per request.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::ids::{AdapterName, KeyId, TenantId, VersionNumber};

/// One request and what it really used. Written as JSON, it is also a line of the gateway's write-ahead files:
/// a new field needs a default, so that the lines of an older program still read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageEvent {
    /// The request's own id: recording an event again changes nothing.
    pub id: Uuid,
    /// Whose request it was.
    pub tenant: TenantId,
    /// What it was asked with.
    pub credential: Credential,
    /// The adapter version that answered; `None` = the base model.
    pub adapter: Option<(AdapterName, VersionNumber)>,
    /// How it ended.
    pub outcome: Outcome,
    /// When it was let through.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// Tokens of the prompt.
    pub input_tokens: u32,
    /// The part of `input_tokens` that was reused and not computed.
    pub cached_tokens: u32,
    /// Tokens generated, over all choices.
    pub output_tokens: u32,
    /// From its start to the first token; `None` = no token came.
    pub ttft_ms: Option<u32>,
    /// From its start to its end.
    pub duration_ms: u32,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The answer is complete.
    Finished,
    /// It ended with an error.
    Failed,
    /// The client hung up.
    Cancelled,
    /// The server ended it half-way: its time was over, or the server stopped.
    CutOff,
}

impl Outcome {
    /// Whether the client got no whole answer, and it was not its own doing.
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::CutOff)
    }

    /// As rows and metrics have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::CutOff => "cut_off",
        }
    }
}

/// What a request was asked with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// An API key.
    Key(KeyId),
    /// A token that speaks for somebody.
    Subject(Subject),
}

/// Whom a token speaks for, made fit for a row: at most 255 characters, none of them a control character.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Subject(String);

impl Subject {
    /// The most characters that are kept.
    pub const MAX_CHARS: usize = 255;

    /// A claim's text, shortened where it is too long; never refused, because usage must be counted.
    pub fn of(claim: &str) -> Self {
        let fit = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        Self(claim.chars().take(Self::MAX_CHARS).map(fit).collect())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Subject {
    fn from(text: String) -> Self {
        Self::of(&text)
    }
}

impl From<Subject> for String {
    fn from(subject: Subject) -> Self {
        subject.0
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose tokens of a month are summed, to rebuild a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spender {
    /// The whole tenant.
    Tenant(TenantId),
    /// One of the tenant's keys.
    Key(TenantId, KeyId),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_claim_is_a_subject_that_reads_back(claim in any::<String>()) {
            let subject = Subject::of(&claim);
            prop_assert!(subject.as_str().chars().count() <= Subject::MAX_CHARS);
            prop_assert!(!subject.as_str().contains(char::is_control));
            let json = serde_json::to_string(&subject).unwrap();
            prop_assert_eq!(serde_json::from_str::<Subject>(&json).unwrap(), subject);
        }
    }
}
