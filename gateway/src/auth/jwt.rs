//! Tokens of other issuers (JWT, RFC 7519) as tenants' credentials: whom a token speaks for, when everything about it is
//! right.
//!
//! A token is believed by what the operator's file says of its issuer: algorithms, keys, audience, tenants. Nothing in
//! its header says where keys are (`jku`, `x5u`, `jwk` and `x5c` are not looked at), and nothing in it makes an operator.
//! The walk is *read → issuer → key → claims → rules* ([`Issuers::verify`]).

mod claims;
mod fields;
mod issuers_file;
mod key_feed;
mod key_set;
mod provider;
mod public_key;
mod source;

use std::{collections::BTreeMap, sync::Arc};

use jsonwebtoken::{
    Algorithm, Header, Validation, dangerous::insecure_decode_claims, decode, decode_header,
    errors::ErrorKind,
};
use serde::Deserialize;
use tenora_adapter_store::{ScopeSet, TenantSlug};
use thiserror::Error;
use time::OffsetDateTime;

use self::{
    claims::{ClaimRules, UniqueNames, expires_at},
    issuers_file::{IssuerSettings, KeysFrom},
    key_feed::{KeyFeed, NoKey, Timing},
    key_set::{KeySet, VerifyingKey},
    source::Source,
};
use crate::config::{JWT_ISSUERS_FILE, JwtSettings, Mistakes};

/// Longest token that is looked at, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8 << 10;

/// Whom a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedToken {
    /// Who issued it: the issuer's name in the operator's file.
    pub issuer: Arc<str>,
    /// The tenant, which may not exist here.
    pub tenant: TenantSlug,
    /// Who asks, in the issuer's words: 1 to 255 printable ASCII characters. Unique within its issuer only.
    pub subject: String,
    /// What it may do.
    pub scopes: ScopeSet,
    /// When it ends, without the leeway for clocks.
    pub expires_at: OffsetDateTime,
}

/// Why a token is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// It is wrong; the reason is for the log alone.
    #[error("the token is refused: {0}")]
    Invalid(&'static str),
    /// Nobody can say: the issuer's keys cannot be fetched.
    #[error("the keys of the issuer {issuer} cannot be fetched")]
    Unavailable {
        /// Its name in the operator's file.
        issuer: Arc<str>,
    },
}

/// Whether a credential is meant as a JWT: three parts, and not a key of ours. Says nothing about its worth.
pub fn looks_like_jwt(credential: &str) -> bool {
    !credential.starts_with("tk_") && credential.bytes().filter(|byte| *byte == b'.').count() == 2
}

/// The issuers whose tokens are believed; by default there are none. Cheap to clone; the keys behind it are shared and kept up to date.
#[derive(Clone, Default)]
pub struct Issuers(Arc<BTreeMap<String, Issuer>>);

struct Issuer {
    name: Arc<str>,
    /// How a token of each allowed algorithm is checked.
    validations: Vec<(Algorithm, Validation)>,
    keys: Keys,
    rules: ClaimRules,
}

enum Keys {
    Fixed(KeySet),
    Fed(KeyFeed),
}

impl Issuers {
    /// Reads the operator's file, if there is one, and begins to fetch keys, within a Tokio runtime. A URL that does not answer is a line
    /// in the log, every mistake in the file or in a key beside it an error.
    pub fn load(settings: &JwtSettings) -> Result<Self, Mistakes> {
        let Some(path) = &settings.issuers_file else { return Ok(Self::default()) };
        let named = |mistake: String| format!("{}: {mistake}", JWT_ISSUERS_FILE.name);
        let refused = |mistakes: Vec<String>| Mistakes(mistakes.into_iter().map(named).collect());
        let settings = issuers_file::read(path).map_err(refused)?;
        Self::start(settings, Timing::DEFAULT).map_err(|problem| refused(vec![problem]))
    }

    fn start(settings: Vec<IssuerSettings>, timing: Timing) -> Result<Self, String> {
        provider::install();
        let issuers = settings.into_iter().map(|one| Ok((one.name.clone(), Issuer::start(one, timing)?)));
        Ok(Self(Arc::new(issuers.collect::<Result<_, String>>()?)))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whom this token speaks for. Waits only where it names a key that its issuer may have added just now.
    pub async fn verify(&self, token: &str) -> Result<VerifiedToken, TokenError> {
        let draft = Draft::read(token)?;
        let issuer =
            self.0.get(&draft.issuer).ok_or(TokenError::Invalid("its issuer is not one of those known"))?;
        let validation = issuer.validation(draft.header.alg)?;
        let key = issuer.key(&draft.header).await?;
        let claims =
            decode::<UniqueNames>(token, &key.key, validation).map_err(|error| refusal(error.kind()))?;
        issuer.verified(&claims.claims)
    }
}

impl Issuer {
    fn start(settings: IssuerSettings, timing: Timing) -> Result<Self, String> {
        let IssuerSettings { name, audience, algorithms, keys, rules, leeway_s } = settings;
        let validation = |algorithm: &Algorithm| {
            let mut validation = Validation::new(*algorithm);
            validation.set_required_spec_claims(&["exp", "iss", "aud"]);
            validation.set_issuer(&[&name]);
            validation.set_audience(&audience);
            validation.validate_nbf = true;
            validation.leeway = leeway_s;
            (*algorithm, validation)
        };
        let validations = algorithms.iter().map(validation).collect();
        let keys = match keys {
            KeysFrom::Fixed(keys) => Keys::Fixed(keys),
            KeysFrom::File(path, known) => {
                let source = Source::file(path, algorithms);
                Keys::Fed(KeyFeed::start(name.clone(), source, timing, Some(known)))
            }
            KeysFrom::Url(url) => {
                let source = Source::url(url, algorithms, &timing)?;
                Keys::Fed(KeyFeed::start(name.clone(), source, timing, None))
            }
        };
        Ok(Self { name: name.into(), validations, keys, rules })
    }

    fn validation(&self, algorithm: Algorithm) -> Result<&Validation, TokenError> {
        let allowed = self.validations.iter().find(|(allowed, _)| *allowed == algorithm);
        allowed
            .map(|(_, validation)| validation)
            .ok_or(TokenError::Invalid("its algorithm is not one of its issuer's"))
    }

    async fn key(&self, header: &Header) -> Result<Arc<VerifyingKey>, TokenError> {
        let id = header.kid.as_deref();
        let found = match &self.keys {
            Keys::Fixed(keys) => keys.find(id, header.alg).ok_or(NoKey::Unknown),
            Keys::Fed(feed) => feed.find(id, header.alg).await,
        };
        found.map_err(|missing| match missing {
            NoKey::Unknown => TokenError::Invalid("its issuer has no such key"),
            NoKey::Unavailable => TokenError::Unavailable { issuer: self.name.clone() },
        })
    }

    fn verified(&self, claims: &UniqueNames) -> Result<VerifiedToken, TokenError> {
        Ok(VerifiedToken {
            issuer: self.name.clone(),
            tenant: self.rules.tenant(claims)?,
            subject: self.rules.subject(claims)?,
            scopes: self.rules.scopes(claims)?,
            expires_at: expires_at(claims)?,
        })
    }
}

/// What a token says of itself before anything is proven: good for choosing a key, and for nothing else.
struct Draft {
    header: Header,
    issuer: String,
}

impl Draft {
    fn read(token: &str) -> Result<Self, TokenError> {
        #[derive(Deserialize)]
        struct Unproven {
            iss: String,
        }

        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Invalid("it is too long"));
        }
        let header = decode_header(token)
            .map_err(|_| TokenError::Invalid("its header is malformed, or its algorithm is none of ours"))?;
        // `crit` names extensions that one must understand (RFC 7515, 4.1.11), and none is understood here.
        if header.crit.is_some() || header.zip.is_some() || header.enc.is_some() {
            return Err(TokenError::Invalid("its header asks for an extension"));
        }
        if !header.typ.as_deref().is_none_or(is_access_token) {
            return Err(TokenError::Invalid("its type is not that of an access token"));
        }
        let Unproven { iss: issuer } = insecure_decode_claims(token)
            .map_err(|_| TokenError::Invalid("its claims are malformed, or `iss` is not one text"))?;
        Ok(Self { header, issuer })
    }
}

/// `JWT`, or `at+jwt` of RFC 9068: an issuer's tokens for other purposes (RFC 8725, 3.11) are not for us.
fn is_access_token(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}

fn refusal(kind: &ErrorKind) -> TokenError {
    TokenError::Invalid(match kind {
        ErrorKind::InvalidSignature => "its signature is not that of the key",
        ErrorKind::ExpiredSignature => "it has expired",
        ErrorKind::ImmatureSignature => "it is not valid yet",
        ErrorKind::InvalidAudience => "it is for another audience",
        ErrorKind::InvalidIssuer => "it is from another issuer",
        ErrorKind::MissingRequiredClaim(_) => "it lacks `exp`, `iss` or `aud`, or one of them is malformed",
        ErrorKind::InvalidAlgorithm => "its algorithm is not that of the key",
        _ => "it is malformed, or a claim occurs twice",
    })
}

#[cfg(test)]
mod tests;
