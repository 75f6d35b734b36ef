//! What the tests forge with: keys of every kind, tokens of any shape, issuers from a file of their own.

use std::{path::Path, sync::LazyLock, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
        RsaPublicKeyComponents,
    },
};
use rustls_pki_types::{PrivatePkcs8KeyDer, pem::PemObject};
use serde_json::{Value, json};
use tempfile::TempDir;
use time::OffsetDateTime;

use super::super::{Issuers, TokenError, VerifiedToken, issuers_file, key_feed::Timing};

pub(super) const ISSUER: &str = "https://login.example";
pub(super) const AUDIENCE: &str = "tenora";
pub(super) const SECRET: &[u8] = b"a secret of at least thirty-two bytes";
pub(super) const RSA_PUBLIC_PEM: &[u8] = include_bytes!("../testdata/rsa-public.pem");

/// Everything in a second: nothing in a test depends on more than its order.
pub(super) const QUICK: Timing = Timing {
    min_age: Duration::from_millis(100),
    max_age: Duration::from_secs(600),
    default_age: Duration::from_secs(600),
    refetch_interval: Duration::from_millis(400),
    first_retry: Duration::from_millis(50),
    stale_if_error: Duration::from_secs(600),
    request_timeout: Duration::from_millis(1500),
    file_poll: Duration::from_millis(50),
};

/// A private key.
pub(super) enum Signer {
    Hmac(Vec<u8>),
    Rsa(Box<RsaKeyPair>),
    P256(Box<EcdsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl Signer {
    /// The one RSA key that is kept for tests.
    pub(super) fn rsa() -> Self {
        let der = PrivatePkcs8KeyDer::from_pem_slice(include_bytes!("../testdata/rsa-private.pem"));
        let der = der.expect("PEM");
        Self::Rsa(Box::new(RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("a key")))
    }

    pub(super) fn p256() -> Self {
        let random = SystemRandom::new();
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.as_ref(), &random);
        Self::P256(Box::new(key.expect("a key")))
    }

    pub(super) fn ed25519() -> Self {
        let der = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).expect("a key");
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(der.as_ref()).expect("a key"))
    }

    pub(super) fn hmac(secret: &[u8]) -> Self {
        Self::Hmac(secret.to_vec())
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Self::Hmac(_) => "HS256",
            Self::Rsa(_) => "RS256",
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        }
    }

    pub(super) fn signature(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Hmac(secret) => {
                hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message).as_ref().to_vec()
            }
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("signed");
                signature
            }
            Self::P256(key) => key.sign(&random, message).expect("signed").as_ref().to_vec(),
            Self::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }

    /// A token of exactly these texts, true to its signature alone.
    pub(super) fn sign_text(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", base64(header), base64(claims));
        format!("{message}.{}", base64(self.signature(message.as_bytes())))
    }

    /// A token with this header and these claims.
    pub(super) fn sign_with(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A token as an issuer writes it.
    pub(super) fn sign(&self, claims: &Value) -> String {
        self.sign_with(&json!({ "alg": self.algorithm(), "typ": "JWT" }), claims)
    }

    /// The same, naming its key.
    pub(super) fn sign_as(&self, id: &str, claims: &Value) -> String {
        self.sign_with(&json!({ "alg": self.algorithm(), "kid": id }), claims)
    }

    /// The public key as a JWK.
    pub(super) fn jwk(&self, id: &str) -> Value {
        let mut jwk = match self {
            Self::Hmac(secret) => json!({ "kty": "oct", "k": base64(secret) }),
            Self::Rsa(key) => {
                let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({ "kty": "RSA", "n": base64(n), "e": base64(e) })
            }
            Self::P256(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y) })
            }
            Self::Ed25519(key) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(key.public_key().as_ref()) })
            }
        };
        jwk["kid"] = id.into();
        jwk["use"] = "sig".into();
        jwk["alg"] = self.algorithm().into();
        jwk
    }
}

pub(super) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn now() -> i64 {
    OffsetDateTime::now_utc().unix_timestamp()
}

/// Claims with which nothing is wrong.
pub(super) fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": AUDIENCE, "exp": now() + 600, "iat": now(), "sub": "user-1", "scope": "chat models:read",
    })
}

/// The same, with one claim changed; `null` takes it away.
pub(super) fn claims_with(name: &str, value: Value) -> Value {
    let mut claims = claims();
    match value {
        Value::Null => _ = claims.as_object_mut().expect("an object").shift_remove(name),
        value => claims[name] = value,
    }
    claims
}

/// Issuers whose file and keys live in a folder of their own.
pub(super) struct Fixture {
    pub(super) folder: TempDir,
    pub(super) issuers: Issuers,
}

impl Fixture {
    /// One issuer with this in place of where its keys are, for the tenant `acme`.
    pub(super) fn of(changes: Value) -> Self {
        Self::with_files(&[], vec![issuer(changes)], QUICK)
    }

    pub(super) fn with_files(files: &[(&str, &[u8])], list: Vec<Value>, timing: Timing) -> Self {
        let folder = folder(files, &Value::Array(list).to_string());
        let settings = read(folder.path()).expect("a valid file");
        Self { issuers: Issuers::start(settings, timing).expect("started"), folder }
    }

    pub(super) async fn verify(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        self.issuers.verify(token).await
    }

    /// Fails unless the token is refused with a reason that says this.
    pub(super) async fn refuses(&self, token: &str, because: &str) {
        let refused = self.verify(token).await.expect_err(token);
        let TokenError::Invalid(reason) = refused else { panic!("{refused:?} for {token}") };
        assert!(reason.contains(because), "refused, but because {reason:?}");
    }
}

/// The fixture's keys: one of each kind, in a folder.
pub(super) fn folder(files: &[(&str, &[u8])], list: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("written");
    write("issuers.json", list.as_bytes());
    write("secret", &[SECRET, b"\n"].concat());
    write("rsa.pem", RSA_PUBLIC_PEM);
    files.iter().for_each(|(name, bytes)| write(name, bytes));
    folder
}

pub(super) fn read(folder: &Path) -> Result<Vec<issuers_file::IssuerSettings>, Vec<String>> {
    issuers_file::read(&folder.join("issuers.json"))
}

/// An issuer of the file: HS256 by a secret, unless the changes say otherwise (`null` takes a field away).
pub(super) fn issuer(changes: Value) -> Value {
    let mut issuer = json!({
        "issuer": ISSUER, "audience": AUDIENCE, "algorithms": ["HS256"], "secret_file": "secret", "tenants": ["acme"],
    });
    let Value::Object(changes) = changes else { panic!("{changes}") };
    for (name, value) in changes {
        match value {
            Value::Null => _ = issuer.as_object_mut().expect("an object").shift_remove(&name),
            value => issuer[name] = value,
        }
    }
    issuer
}

/// What makes an issuer of HS256 one of these algorithms by its RSA public key.
pub(super) fn rsa_by_pem() -> Value {
    json!({ "algorithms": ["RS256"], "secret_file": null, "public_key_file": "rsa.pem" })
}

/// What makes it one of a file of keys.
pub(super) fn by_jwks(algorithms: &[&str]) -> Value {
    json!({ "algorithms": algorithms, "secret_file": null, "jwks_file": "jwks.json" })
}

pub(super) fn jwks(keys: &[Value]) -> String {
    json!({ "keys": keys }).to_string()
}

/// The RSA key, read once.
pub(super) static RSA: LazyLock<Signer> = LazyLock::new(Signer::rsa);
