//! A SHA-256, such as the one that identifies an adapter version's bytes.

use std::fmt;

use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::{Database, Decode, Encode, Type};

use super::text_form;
use crate::parse_error::ParseError;

/// A SHA-256, written `sha256:<64 hex digits>`: of an adapter over its canonical config and weights, of an upload over its
/// bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Takes the 32 bytes of a finished hash.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads `sha256:` and 64 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let invalid = || ParseError::new("digest", "expected \"sha256:\" and 64 lower-case hex digits");
        let digits = text.strip_prefix("sha256:").ok_or_else(invalid)?;
        if digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(digits, &mut bytes).map_err(|_| invalid())?;
        Ok(Self(bytes))
    }

    /// Reads 64 lower-case hex digits, as `sha256sum` writes them, with or without `sha256:` before them.
    pub fn parse_hex(text: &str) -> Result<Self, ParseError> {
        if text.starts_with("sha256:") { Self::parse(text) } else { Self::parse(&format!("sha256:{text}")) }
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hex digits alone, for file names.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.to_hex())
    }
}

text_form!(Digest);

impl<DB: Database> Type<DB> for Digest
where
    Vec<u8>: Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        <Vec<u8> as Type<DB>>::type_info()
    }

    fn compatible(info: &DB::TypeInfo) -> bool {
        <Vec<u8> as Type<DB>>::compatible(info)
    }
}

impl<'q, DB: Database> Encode<'q, DB> for Digest
where
    Vec<u8>: Encode<'q, DB>,
{
    fn encode_by_ref(&self, buffer: &mut DB::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        self.0.to_vec().encode(buffer)
    }
}

impl<'r, DB: Database> Decode<'r, DB> for Digest
where
    Vec<u8>: Decode<'r, DB>,
{
    fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let bytes = <[u8; 32]>::try_from(Vec::<u8>::decode(value)?);
        bytes.map(Self).map_err(|_| "a digest column does not hold 32 bytes".into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_and_bytes_agree(bytes in any::<[u8; 32]>()) {
            let digest = Digest::from_bytes(bytes);
            prop_assert_eq!(Digest::parse(&digest.to_string()).unwrap(), digest);
            prop_assert_eq!(serde_json::from_str::<Digest>(&serde_json::to_string(&digest).unwrap()).unwrap(), digest);
        }

        #[test]
        fn whatever_parses_is_written_the_same(text in "(sha256:)?[0-9a-fA-F]{62,66}") {
            if let Ok(digest) = Digest::parse(&text) {
                prop_assert_eq!(digest.to_string(), text);
            }
        }
    }

    #[test]
    fn other_algorithms_and_lengths_are_refused() {
        let hex = "ab".repeat(32);
        for text in [
            hex.clone(),
            format!("md5:{hex}"),
            format!("sha256:{hex}0"),
            format!("sha256:{}", hex.to_uppercase()),
        ] {
            assert!(Digest::parse(&text).is_err(), "{text}");
        }
    }
}
