//! What adapters and tenants are called outside this process: names that say nothing of them.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice};
use sha2::Sha256;
use tenora_engine::CacheDomain;

/// How every name begins that is ours.
pub(crate) const PREFIX: &str = "tenora-";

/// The digest of an adapter's files.
pub(crate) type Digest = [u8; 32];

/// An adapter's name on every server.
pub(crate) fn of(digest: &Digest) -> String {
    format!("{PREFIX}{}", hex::encode(digest))
}

/// The adapter of this name; `None` = it is not ours.
pub(crate) fn parse(name: &str) -> Option<Digest> {
    let mut digest = Digest::default();
    hex::decode_to_slice(name.strip_prefix(PREFIX)?, &mut digest).ok()?;
    Some(digest)
}

/// Salts of prefix caches.
pub(crate) struct Salts(SecretSlice<u8>);

impl Salts {
    pub(crate) fn new(key: SecretSlice<u8>) -> Self {
        Self(key)
    }

    /// A tenant's: 256 bits that nobody can guess from the tenant.
    pub(crate) fn of(&self, domain: CacheDomain) -> String {
        // Any length is a key to HMAC.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.0.expose_secret()) else {
            return String::new();
        };
        mac.update(b"tenora kv");
        mac.update(&domain.0.to_le_bytes());
        hex::encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_not_ours() {
        let digest = std::array::from_fn(|at| at as u8);
        assert_eq!(parse(&of(&digest)), Some(digest));
        for other in ["tenora-", "tenora-00", "base", &of(&digest)[1..], &format!("{}0", of(&digest))] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn salts_differ_by_tenant_and_by_key() {
        let salts = |key: &str| Salts::new(SecretSlice::from(key.as_bytes().to_vec()));
        let (one, two) = (salts("a").of(CacheDomain(1)), salts("a").of(CacheDomain(2)));
        assert_eq!((one.len(), &one), (64, &salts("a").of(CacheDomain(1))));
        assert_ne!(one, two);
        assert_ne!(one, salts("b").of(CacheDomain(1)));
    }
}
