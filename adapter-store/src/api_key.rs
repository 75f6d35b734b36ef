//! API keys: how one is made, written and recognised. `tk_<id>.<secret>`; only a MAC of the secret is ever stored.

use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use secrecy::{ExposeSecret, SecretSlice, SecretString, zeroize::Zeroizing};
use sha2::Sha256;
use time::OffsetDateTime;

use crate::error::StoreError;
use crate::ids::{AdapterName, DisplayName, KeyId};
use crate::limits::LimitOverrides;
use crate::scope::ScopeSet;
use crate::tenant::Tenant;

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// What people call it.
    pub name: DisplayName,
    /// What it may do.
    pub scopes: ScopeSet,
    /// What it may use at most, beside its tenant's limits.
    pub limits: LimitOverrides,
    /// The adapters that it may use; `None` = all of its tenant's.
    pub adapters: Option<Vec<AdapterName>>,
    /// When it stops working; `None` = never.
    pub expires_at: Option<OffsetDateTime>,
}

impl NewKey {
    /// A key for all adapters, for ever, with its tenant's limits.
    pub fn new(name: DisplayName, scopes: ScopeSet) -> Self {
        Self { name, scopes, limits: LimitOverrides::default(), adapters: None, expires_at: None }
    }
}

/// A key that was just made: the only time its text is seen.
#[derive(Debug)]
pub struct CreatedKey {
    /// `tk_<id>.<secret>`, to be shown once.
    pub key: SecretString,
    /// What may be told of it later.
    pub info: KeyInfo,
}

/// The most keys that a list shows.
pub const SHOWN_KEYS: u32 = 1_000;

/// What may be told of a key later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Names the key.
    pub id: KeyId,
    /// What people call it.
    pub name: DisplayName,
    /// What it may do.
    pub scopes: ScopeSet,
    /// What it may use at most, beside its tenant's limits.
    pub limits: LimitOverrides,
    /// The adapters that it may use; `None` = all of its tenant's.
    pub adapters: Option<Vec<AdapterName>>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it stops working; `None` = never.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was revoked; `None` = it was not.
    pub revoked_at: Option<OffsetDateTime>,
    /// When it was last used, up to half a minute late; `None` = never.
    pub last_used_at: Option<OffsetDateTime>,
}

/// Whom a presented key speaks for: the start of every tenant's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatedKey {
    /// Names the key.
    pub key_id: KeyId,
    /// Its tenant.
    pub tenant: Tenant,
    /// What it may do.
    pub scopes: ScopeSet,
    /// What it may use at most, beside its tenant's limits.
    pub limits: LimitOverrides,
    /// The adapters that it may use; `None` = all of its tenant's.
    pub adapters: Option<Vec<AdapterName>>,
    /// When it stops working; `None` = never.
    pub expires_at: Option<OffsetDateTime>,
}

const SECRET_BYTES: usize = 32;

/// A key in the clear, taken apart. It neither prints nor serialises its secret.
pub(crate) struct PlainKey {
    pub(crate) id: KeyId,
    secret: SecretSlice<u8>,
}

impl PlainKey {
    pub(crate) fn generate() -> Self {
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        rand::rng().fill_bytes(secret.as_mut_slice());
        Self { id: KeyId::generate(), secret: secret.to_vec().into() }
    }

    /// Reads `tk_<id>.<secret>`; anything else is no key, and no reason is given.
    pub(crate) fn parse(presented: &str) -> Option<Self> {
        let (id, digits) = presented.strip_prefix("tk_")?.split_once('.')?;
        if digits.len() != 2 * SECRET_BYTES || digits.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        Some(Self { id: KeyId::parse(id).ok()?, secret: hex::decode(digits).ok()?.into() })
    }

    pub(crate) fn to_text(&self) -> SecretString {
        let digits = Zeroizing::new(hex::encode(self.secret.expose_secret()));
        format!("tk_{}.{}", self.id, *digits).into()
    }
}

/// Makes and checks MACs under a secret derived from the pepper, one per purpose.
#[derive(Clone)]
pub(crate) struct Pepper(Hmac<Sha256>);

impl Pepper {
    pub(crate) fn derive(pepper: &SecretString, purpose: &str) -> Result<Self, StoreError> {
        let mut root = Hmac::<Sha256>::new_from_slice(pepper.expose_secret().as_bytes())
            .map_err(StoreError::internal)?;
        root.update(purpose.as_bytes());
        let derived = root.finalize().into_bytes();
        Ok(Self(Hmac::new_from_slice(&derived).map_err(StoreError::internal)?))
    }

    /// A MAC over parts, each with its length, so that no two lists of parts look alike.
    pub(crate) fn sign(&self, parts: &[&[u8]]) -> [u8; 32] {
        self.over(parts).finalize().into_bytes().into()
    }

    /// Compares in constant time.
    pub(crate) fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> bool {
        self.over(parts).verify_slice(mac).is_ok()
    }

    pub(crate) fn sign_key(&self, key: &PlainKey) -> [u8; 32] {
        self.sign(&[key.id.as_bytes(), key.secret.expose_secret()])
    }

    pub(crate) fn verify_key(&self, key: &PlainKey, mac: &[u8]) -> bool {
        self.verify(&[key.id.as_bytes(), key.secret.expose_secret()], mac)
    }

    fn over(&self, parts: &[&[u8]]) -> Hmac<Sha256> {
        parts.iter().fold(self.0.clone(), |mac, part| {
            mac.chain_update((part.len() as u64).to_le_bytes()).chain_update(part)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pepper(text: &str) -> Pepper {
        Pepper::derive(&text.to_owned().into(), "test").unwrap()
    }

    #[test]
    fn a_key_is_recognised_only_whole_and_only_under_its_pepper() {
        let (key, other) = (PlainKey::generate(), PlainKey::generate());
        let mac = pepper("a").sign_key(&key);
        let read = PlainKey::parse(key.to_text().expose_secret()).unwrap();
        assert!(pepper("a").verify_key(&read, &mac));
        assert!(!pepper("b").verify_key(&read, &mac));
        assert!(!pepper("a").verify_key(&other, &mac));
        assert!(!pepper("a").verify_key(&PlainKey { id: other.id, secret: key.secret.clone() }, &mac));
        assert!(!pepper("a").verify_key(&read, &mac[..16]));
    }

    #[test]
    fn a_created_key_does_not_print_its_secret() {
        let key = PlainKey::generate();
        let secret = hex::encode(key.secret.expose_secret());
        let info = KeyInfo {
            id: key.id,
            name: DisplayName::parse("ci").unwrap(),
            scopes: ScopeSet::EMPTY,
            limits: LimitOverrides::default(),
            adapters: None,
            created_at: OffsetDateTime::UNIX_EPOCH,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
        };
        let created = CreatedKey { key: key.to_text(), info };
        assert!(!format!("{created:?}").contains(&secret));
    }

    proptest! {
        #[test]
        fn whatever_parses_is_written_the_same(text in "tk_[0-9a-f]{32}\\.[0-9a-fA-F]{63,65}|(tk_)?[0-9a-f.]{0,100}|\\PC*") {
            if let Some(key) = PlainKey::parse(&text) {
                let written = key.to_text();
                prop_assert_eq!(written.expose_secret(), text.as_str());
            }
        }

        #[test]
        fn every_well_formed_key_parses(id in "[0-9a-f]{32}", secret in "[0-9a-f]{64}") {
            let text = format!("tk_{id}.{secret}");
            prop_assert!(PlainKey::parse(&text).is_some());
        }

        #[test]
        fn parts_do_not_run_together(a in any::<Vec<u8>>(), b in any::<Vec<u8>>()) {
            let joined = [a.as_slice(), b.as_slice()].concat();
            prop_assert!(!pepper("a").verify(&[&joined], &pepper("a").sign(&[&a, &b])));
        }
    }
}
