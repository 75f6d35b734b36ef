//! The keys of one issuer, each tied to the one algorithm that it may check, and the JSON that they come in (RFC 7517).
//! What cannot be used safely is left out with a reason. Pure.

use std::{ops::RangeInclusive, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, DecodingKeyKind};
use secrecy::{ExposeSecret, SecretSlice};
use serde::Deserialize;
use serde_json::Value;

use super::public_key::PublicKey;

/// The algorithms that an issuer may be given.
pub(super) const ALGORITHMS: [Algorithm; 4] =
    [Algorithm::HS256, Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

/// Most keys of one issuer.
const MAX_KEYS: usize = 64;
/// Longest `kid` that is kept, in bytes.
const MAX_KEY_ID_BYTES: usize = 256;
const RSA_BITS: RangeInclusive<usize> = 2048..=8192;
/// Largest RSA exponent, in bytes.
const MAX_RSA_EXPONENT_BYTES: usize = 4;
/// Shortest secret of HS256, in bytes: as long as its hash (RFC 7518, 3.2).
pub(super) const MIN_SECRET_BYTES: usize = 32;

/// A key that may check signatures of one algorithm.
#[derive(Debug)]
pub(super) struct VerifyingKey {
    id: Option<String>,
    pub(super) algorithm: Algorithm,
    pub(super) key: DecodingKey,
}

impl VerifyingKey {
    /// The secret of HS256.
    pub(super) fn from_secret(secret: &SecretSlice<u8>) -> Result<Self, String> {
        let secret = secret.expose_secret();
        if secret.len() < MIN_SECRET_BYTES {
            return Err(format!(
                "is shorter than {MIN_SECRET_BYTES} bytes; `openssl rand -hex 32` makes a good one"
            ));
        }
        Ok(Self { id: None, algorithm: Algorithm::HS256, key: DecodingKey::from_secret(secret) })
    }

    /// A public key.
    pub(super) fn from_pem(pem: &[u8]) -> Result<Self, String> {
        match PublicKey::from_pem(pem)? {
            PublicKey::Rsa { n, e } => rsa(&n, &e).map_err(str::to_owned),
            PublicKey::P256(point) => {
                Ok(Self { id: None, algorithm: Algorithm::ES256, key: DecodingKey::from_ec_der(&point) })
            }
            PublicKey::Ed25519(key) => {
                Ok(Self { id: None, algorithm: Algorithm::EdDSA, key: DecodingKey::from_ed_der(&key) })
            }
        }
    }
}

/// The keys of one issuer.
#[derive(Debug, Default)]
pub(super) struct KeySet(Vec<Arc<VerifyingKey>>);

impl From<VerifyingKey> for KeySet {
    fn from(key: VerifyingKey) -> Self {
        Self(vec![Arc::new(key)])
    }
}

impl KeySet {
    /// Reads a JWK set for the algorithms that the issuer may use; `ignored` takes the reasons for what is left out.
    pub(super) fn from_jwks(
        bytes: &[u8],
        accepted: &[Algorithm],
        ignored: &mut Vec<&'static str>,
    ) -> Result<Self, String> {
        let set: JwkSet =
            serde_json::from_slice(bytes).map_err(|error| format!("is not a JWK set: {error}"))?;
        if set.keys.len() > MAX_KEYS {
            return Err(format!("holds more than {MAX_KEYS} keys"));
        }
        let mut keys: Vec<Arc<VerifyingKey>> = Vec::new();
        let same =
            |a: &VerifyingKey, b: &VerifyingKey| a.id.is_some() && a.id == b.id && a.algorithm == b.algorithm;
        for value in set.keys {
            let read = serde_json::from_value::<Jwk>(value).map_err(|_| "it is malformed");
            match read.and_then(|jwk| jwk.verifying_key(accepted)) {
                Ok(key) if keys.iter().any(|own| same(own, &key)) => {
                    ignored.push("another key has its `kid`")
                }
                Ok(key) => keys.push(Arc::new(key)),
                Err(reason) => ignored.push(reason),
            }
        }
        Ok(Self(keys))
    }

    /// The key that a token's header means: the one of this id; or the only one there is for the algorithm, when either
    /// side gives no id.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<Arc<VerifyingKey>> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == algorithm);
        if let Some(named) = fitting.clone().find(|key| id.is_some() && key.id.as_deref() == id) {
            return Some(named.clone());
        }
        match (fitting.next(), fitting.next()) {
            (Some(only), None) if only.id.is_none() || id.is_none() => Some(only.clone()),
            _ => None,
        }
    }

    /// How many keys there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Value>,
}

/// The members of a JWK that matter here; others, such as certificates, are not looked at.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    fn verifying_key(self, accepted: &[Algorithm]) -> Result<VerifyingKey, &'static str> {
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig")
            || self.key_ops.as_ref().is_some_and(|operations| !operations.iter().any(|own| own == "verify"))
        {
            return Err("it is not for signatures");
        }
        if self.kid.as_ref().is_some_and(|id| id.len() > MAX_KEY_ID_BYTES) {
            return Err("its `kid` is too long");
        }
        let key = self.key()?;
        if !accepted.contains(&key.algorithm) {
            return Err("its algorithm is not one of this issuer's");
        }
        if self.alg.is_some_and(|own| own.parse() != Ok(key.algorithm)) {
            return Err("its `alg` is not what its type is used for");
        }
        Ok(VerifyingKey { id: self.kid, ..key })
    }

    /// The key by its type: a symmetric one is never taken from a public place.
    fn key(&self) -> Result<VerifyingKey, &'static str> {
        const MALFORMED: &str = "its numbers are malformed";
        let of = |algorithm, key| VerifyingKey { id: None, algorithm, key };
        match (self.kty.as_str(), self.crv.as_deref(), &self.n, &self.e, &self.x, &self.y) {
            ("RSA", _, Some(n), Some(e), _, _) => {
                let key = DecodingKey::from_rsa_components(n, e).map_err(|_| MALFORMED)?;
                match key.kind() {
                    DecodingKeyKind::RsaModulusExponent { n, e } => rsa(n, e),
                    DecodingKeyKind::SecretOrDer(_) => Err(MALFORMED),
                }
            }
            ("EC", Some("P-256"), _, _, Some(x), Some(y)) if x.len() == 43 && y.len() == 43 => {
                let key = DecodingKey::from_ec_components(x, y).map_err(|_| MALFORMED)?;
                Ok(of(Algorithm::ES256, key))
            }
            ("OKP", Some("Ed25519"), _, _, Some(x), _) if x.len() == 43 => {
                let key = DecodingKey::from_ed_components(x).map_err(|_| MALFORMED)?;
                Ok(of(Algorithm::EdDSA, key))
            }
            ("RSA" | "EC" | "OKP", ..) => Err("its curve is not served, or a number is missing"),
            _ => Err("its type is not RSA, EC or OKP"),
        }
    }
}

fn rsa(n: &[u8], e: &[u8]) -> Result<VerifyingKey, &'static str> {
    let (n, e) = (without_zeros(n), without_zeros(e));
    let bits = n.first().map_or(0, |first| n.len() * 8 - first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err("an RSA key must have 2048 to 8192 bits");
    }
    let odd = e.last().is_some_and(|last| last % 2 == 1);
    if !odd || e == [1] || e.len() > MAX_RSA_EXPONENT_BYTES {
        return Err("its RSA exponent is not a usual one");
    }
    Ok(VerifyingKey {
        id: None,
        algorithm: Algorithm::RS256,
        key: DecodingKey::from_rsa_raw_components(n, e),
    })
}

fn without_zeros(number: &[u8]) -> &[u8] {
    &number[number.iter().take_while(|byte| **byte == 0).count()..]
}
