//! A token's claims, each name once, and what an issuer's rules make of them: subject, tenant, scopes. Pure.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use tenora_adapter_store::{ScopeSet, TenantSlug};
use time::OffsetDateTime;

use super::TokenError;

/// Longest subject, in bytes (OpenID Connect Core, 2).
const MAX_SUBJECT_BYTES: usize = 255;

/// A JSON object whose names occur once: two readers could each believe another one of a pair.
#[derive(Debug, Default)]
pub(super) struct UniqueNames(pub(super) Map<String, Value>);

impl<'de> Deserialize<'de> for UniqueNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = UniqueNames;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<UniqueNames, A::Error> {
                let mut map = Map::new();
                while let Some((name, value)) = access.next_entry::<String, Value>()? {
                    if map.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("`{name}` occurs twice")));
                    }
                    map.insert(name, value);
                }
                Ok(UniqueNames(map))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

/// What an issuer's claims mean here.
#[derive(Debug)]
pub(super) struct ClaimRules {
    /// The claim that says who asks.
    pub(super) subject_claim: String,
    /// The claim that says what they may do.
    pub(super) scope_claim: String,
    /// Their names for our scopes; `None` = our own names.
    pub(super) scope_map: Option<BTreeMap<String, ScopeSet>>,
    /// What a token without the scope claim may do.
    pub(super) default_scopes: ScopeSet,
    /// Whom it may speak for.
    pub(super) tenants: TenantRule,
}

/// Whom an issuer may speak for.
#[derive(Debug)]
pub(super) enum TenantRule {
    /// This tenant, whatever a token says.
    One(TenantSlug),
    /// The tenant that the claim names, when it is one of these.
    Claim(String, BTreeSet<TenantSlug>),
    /// The tenant that the claim names.
    AnyByClaim(String),
}

impl ClaimRules {
    pub(super) fn subject(&self, claims: &UniqueNames) -> Result<String, TokenError> {
        let subject = text(claims, &self.subject_claim, "it names no subject, or one that is not text")?;
        let printable = subject.bytes().all(|byte| matches!(byte, b' '..=b'~')) && subject.trim() == subject;
        if subject.is_empty() || subject.len() > MAX_SUBJECT_BYTES || !printable {
            return Err(TokenError::Invalid("its subject is empty, too long or not printable ASCII"));
        }
        Ok(subject.to_owned())
    }

    pub(super) fn tenant(&self, claims: &UniqueNames) -> Result<TenantSlug, TokenError> {
        const NOT_NAMED: &str = "it names no tenant, or one that is not text";
        let named = |claim: &str| {
            TenantSlug::parse(text(claims, claim, NOT_NAMED)?)
                .map_err(|_| TokenError::Invalid("its tenant is not a tenant's name"))
        };
        match &self.tenants {
            TenantRule::One(tenant) => Ok(tenant.clone()),
            TenantRule::AnyByClaim(claim) => named(claim),
            TenantRule::Claim(claim, allowed) => named(claim).and_then(|tenant| {
                let refused = TokenError::Invalid("its issuer may not speak for this tenant");
                if allowed.contains(&tenant) { Ok(tenant) } else { Err(refused) }
            }),
        }
    }

    /// Never more than our own scopes: other names are left out.
    pub(super) fn scopes(&self, claims: &UniqueNames) -> Result<ScopeSet, TokenError> {
        const MALFORMED: TokenError = TokenError::Invalid("its scopes are neither text nor a list of texts");
        let names: Vec<&str> = match claims.0.get(&self.scope_claim) {
            None => return Ok(self.default_scopes),
            Some(Value::String(names)) => names.split_ascii_whitespace().collect(),
            Some(Value::Array(names)) => {
                names.iter().map(Value::as_str).collect::<Option<_>>().ok_or(MALFORMED)?
            }
            Some(_) => return Err(MALFORMED),
        };
        Ok(names.into_iter().flat_map(|name| self.granted(name).iter()).collect())
    }

    fn granted(&self, name: &str) -> ScopeSet {
        match &self.scope_map {
            Some(map) => map.get(name).copied().unwrap_or(ScopeSet::EMPTY),
            None => ScopeSet::parse([name]).unwrap_or(ScopeSet::EMPTY),
        }
    }
}

/// `exp`, which may have a fraction (RFC 7519, 2).
pub(super) fn expires_at(claims: &UniqueNames) -> Result<OffsetDateTime, TokenError> {
    let seconds =
        claims.0.get("exp").and_then(|exp| exp.as_i64().or(exp.as_f64().map(|exp| exp.round() as i64)));
    seconds
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .ok_or(TokenError::Invalid("its `exp` is not a time"))
}

fn text<'a>(claims: &'a UniqueNames, claim: &str, missing: &'static str) -> Result<&'a str, TokenError> {
    claims.0.get(claim).and_then(Value::as_str).ok_or(TokenError::Invalid(missing))
}
