//! What names one push of an adapter.

use std::fmt;

use uuid::Uuid;

use super::text_form;
use crate::parse_error::ParseError;

const PREFIX: &str = "push_";

/// Names one push: `push_` and 32 lower-case hex digits. Ids sort by the time they were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct PushId(Uuid);

impl PushId {
    pub(crate) fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads the one spelling.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let digits = text.strip_prefix(PREFIX).unwrap_or_default();
        let valid = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let parsed = valid.then(|| Uuid::try_parse(digits).ok()).flatten();
        parsed
            .map(Self)
            .ok_or_else(|| ParseError::new("push id", "expected push_ and 32 lower-case hex digits"))
    }
}

impl fmt::Display for PushId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0.as_simple())
    }
}

text_form!(PushId);
