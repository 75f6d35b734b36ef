//! The public half of an API key.

use std::fmt;

use uuid::Uuid;

use super::text_form;
use crate::parse_error::ParseError;

/// Names a key without opening anything: 32 lower-case hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct KeyId(Uuid);

impl KeyId {
    /// A new id; ids sort by the time they were made.
    pub(crate) fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads 32 lower-case hex digits and nothing else, so that one key has one spelling.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let valid = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let parsed = valid.then(|| Uuid::try_parse(text).ok()).flatten();
        parsed.map(Self).ok_or_else(|| ParseError::new("key id", "expected 32 lower-case hex digits"))
    }

    /// The id's 128 bits, to bind something to the key.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_simple().fmt(f)
    }
}

text_form!(KeyId);
