//! Names, ids and digests: parsed once, with private fields, so that a value of the type is a valid one.

mod digest;
mod key_id;
mod model_ref;
mod names;
mod push_id;
mod upload_id;

pub use digest::Digest;
pub use key_id::KeyId;
pub use model_ref::{ModelRef, Selector, VersionNumber};
pub use names::{AdapterName, AliasName, DisplayName, Reason, RoleName, ShortText, TenantId, TenantSlug};
pub use push_id::PushId;
pub use upload_id::{PartId, UploadId};

/// What every id written as text has in common: `Display`, `FromStr`, and serde as that text.
macro_rules! text_form {
    ($type:ty) => {
        impl std::str::FromStr for $type {
            type Err = crate::parse_error::ParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text)
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
use text_form;
