//! The issuers' file: JSON into checked settings with the keys that are on disk. Every mistake is named at once.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use jsonwebtoken::Algorithm;
use reqwest::Url;
use secrecy::{SecretSlice, zeroize::Zeroizing};
use serde_json::Value;
use tenora_adapter_store::{ScopeSet, TenantSlug};

use super::{
    claims::{ClaimRules, TenantRule},
    fields::Fields,
    key_set::{ALGORITHMS, KeySet, VerifyingKey},
};

const MAX_ISSUERS: usize = 64;
const MAX_FILE_BYTES: u64 = 1 << 20;
const MAX_KEY_FILE_BYTES: u64 = 16 << 10;
/// Largest JWK set, from a file or a URL, in bytes.
pub(super) const MAX_JWKS_BYTES: usize = 256 << 10;
const DEFAULT_LEEWAY_S: u64 = 30;
const MAX_LEEWAY_S: u64 = 300;
/// The fields of which one says where the keys are.
const KEY_FIELDS: [&str; 4] = ["jwks_url", "jwks_file", "public_key_file", "secret_file"];

/// One issuer, checked.
#[derive(Debug)]
pub(super) struct IssuerSettings {
    /// What `iss` must be.
    pub(super) name: String,
    /// What `aud` must hold one of.
    pub(super) audience: Vec<String>,
    /// What `alg` may be.
    pub(super) algorithms: Vec<Algorithm>,
    /// Where its keys are.
    pub(super) keys: KeysFrom,
    /// What its claims mean.
    pub(super) rules: ClaimRules,
    /// How far the clocks may be apart, in seconds.
    pub(super) leeway_s: u64,
}

/// Where an issuer's keys are.
#[derive(Debug)]
pub(super) enum KeysFrom {
    /// A JWK set at this URL.
    Url(Url),
    /// A JWK set in this file, and what it held at the start.
    File(PathBuf, KeySet),
    /// The one key that was read at the start.
    Fixed(KeySet),
}

/// Reads the file. Paths in it are relative to its folder.
pub(super) fn read(path: &Path) -> Result<Vec<IssuerSettings>, Vec<String>> {
    let text = read_file(path, MAX_FILE_BYTES).map_err(|problem| vec![problem])?;
    let list = Fields::list(&text).map_err(|problem| vec![format!("{} {problem}", path.display())])?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut mistakes = Vec::new();
    if list.len() > MAX_ISSUERS {
        return Err(vec![format!("{} lists more than {MAX_ISSUERS} issuers", path.display())]);
    }
    let mut issuers = Vec::new();
    let mut names = BTreeSet::new();
    for (index, value) in list.into_iter().enumerate() {
        let mut fields = Fields::of(value, format!("issuers[{index}]"), &mut mistakes);
        let issuer = issuer(&mut fields, folder);
        if let Some(twice) = issuer.as_ref().filter(|issuer| !names.insert(issuer.name.clone())) {
            fields.mistake("issuer", format!("`{}` is listed twice", twice.name));
        }
        fields.finish();
        issuers.extend(issuer);
    }
    if mistakes.is_empty() { Ok(issuers) } else { Err(mistakes) }
}

/// Every field is read before the first missing one ends it.
fn issuer(fields: &mut Fields<'_>, folder: &Path) -> Option<IssuerSettings> {
    let name = name(fields, "issuer");
    let audience = audience(fields);
    let algorithms = algorithms(fields);
    let keys = keys(fields, folder, algorithms.as_deref());
    let rules = rules(fields);
    let leeway_s = fields.optional("leeway_s").unwrap_or(DEFAULT_LEEWAY_S);
    if leeway_s > MAX_LEEWAY_S {
        fields.mistake("leeway_s", format!("must be at most {MAX_LEEWAY_S} seconds"));
    }
    Some(IssuerSettings {
        name: name?,
        audience: audience?,
        algorithms: algorithms?,
        keys: keys?,
        rules: rules?,
        leeway_s,
    })
}

fn name(fields: &mut Fields<'_>, field: &str) -> Option<String> {
    let text: String = fields.required(field)?;
    if !is_name(&text) {
        fields.mistake(field, "must be 1 to 512 characters without control characters");
    }
    Some(text)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 512 && !text.chars().any(char::is_control)
}

fn audience(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    let audience = match fields.peek("audience") {
        Some(Value::Array(_)) => fields.required::<Vec<String>>("audience")?,
        _ => vec![fields.required::<String>("audience")?],
    };
    if audience.is_empty() || !audience.iter().all(|text| is_name(text)) {
        fields.mistake("audience", "must be a name of this server, or a list of them that is not empty");
    }
    Some(audience)
}

fn algorithms(fields: &mut Fields<'_>) -> Option<Vec<Algorithm>> {
    let known = ALGORITHMS.map(|algorithm| format!("{algorithm:?}")).join(", ");
    let names: Vec<String> = fields.required("algorithms")?;
    if names.is_empty() {
        fields.mistake("algorithms", format!("must not be empty; choose of {known}"));
    }
    let mut algorithms = Vec::new();
    for name in names {
        match name.parse().ok().filter(|algorithm| ALGORITHMS.contains(algorithm)) {
            Some(algorithm) => algorithms.push(algorithm),
            None => fields.mistake("algorithms", format!("`{name}` is not one of {known}")),
        }
    }
    if algorithms.contains(&Algorithm::HS256) && algorithms.iter().any(|other| *other != Algorithm::HS256) {
        fields.mistake("algorithms", "HS256 cannot be mixed with others: a public key would be its secret");
    }
    (!algorithms.is_empty()).then_some(algorithms)
}

/// Exactly one source, and one that fits the algorithms.
fn keys(fields: &mut Fields<'_>, folder: &Path, algorithms: Option<&[Algorithm]>) -> Option<KeysFrom> {
    let given = KEY_FIELDS.map(|field| Some((field, fields.optional::<String>(field)?)));
    let mut given = given.into_iter().flatten();
    let (Some((field, place)), None) = (given.next(), given.next()) else {
        fields.mistake("keys", format!("give exactly one of {}", KEY_FIELDS.join(", ")));
        return None;
    };
    let algorithms = algorithms?;
    let path = folder.join(&place);
    let symmetric = algorithms.contains(&Algorithm::HS256);
    let keys: Result<_, String> = match field {
        "secret_file" if !symmetric => Err("is for HS256, which `algorithms` does not list".into()),
        "secret_file" => secret(&path).map(|key| KeysFrom::Fixed(key.into())),
        _ if symmetric => Err("is for public keys; HS256 needs `secret_file`".into()),
        "jwks_url" => jwks_url(&place).map(KeysFrom::Url),
        "jwks_file" => jwks_file(&path, algorithms).map(|keys| KeysFrom::File(path, keys)),
        _ => public_key(&path, algorithms).map(|key| KeysFrom::Fixed(key.into())),
    };
    keys.map_err(|problem| fields.mistake(field, problem)).ok()
}

/// A URL is asked for keys over TLS, or on this machine.
fn jwks_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL: {error}"))?;
    let allowed = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !allowed {
        return Err("must begin with https:// (http:// only for this machine itself)".into());
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("must have no user, password or fragment".into());
    }
    Ok(url)
}

/// Whether a URL leads to this machine, without asking any name server.
pub(super) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

fn jwks_file(path: &Path, algorithms: &[Algorithm]) -> Result<KeySet, String> {
    let mut ignored = Vec::new();
    let keys = KeySet::from_jwks(&read_file(path, MAX_JWKS_BYTES as u64)?, algorithms, &mut ignored)?;
    match ignored.first() {
        Some(reason) if keys.len() == 0 => Err(format!("holds no key that can be used: {reason}")),
        None if keys.len() == 0 => Err("holds no key".into()),
        _ => Ok(keys),
    }
}

fn public_key(path: &Path, algorithms: &[Algorithm]) -> Result<VerifyingKey, String> {
    let key = VerifyingKey::from_pem(&read_file(path, MAX_KEY_FILE_BYTES)?)?;
    if algorithms.iter().any(|algorithm| *algorithm != key.algorithm) {
        return Err(format!("holds a key of {:?}; `algorithms` must be just that", key.algorithm));
    }
    Ok(key)
}

/// The line break that editors and `openssl rand` leave at the end is not part of a secret.
fn secret(path: &Path) -> Result<VerifyingKey, String> {
    let bytes = Zeroizing::new(read_file(path, MAX_KEY_FILE_BYTES)?);
    let secret = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let secret = secret.strip_suffix(b"\r").unwrap_or(secret);
    VerifyingKey::from_secret(&SecretSlice::from(secret.to_vec()))
}

fn rules(fields: &mut Fields<'_>) -> Option<ClaimRules> {
    let subject_claim = fields.optional("subject_claim").unwrap_or_else(|| "sub".to_owned());
    let scope_claim = fields.optional("scope_claim").unwrap_or_else(|| "scope".to_owned());
    for (field, claim) in [("subject_claim", &subject_claim), ("scope_claim", &scope_claim)] {
        if !is_name(claim) {
            fields.mistake(field, "must be the name of a claim");
        }
    }
    let scope_map = fields.optional::<BTreeMap<String, ScopeSet>>("scope_map");
    let default_scopes = fields.optional("default_scopes").unwrap_or(ScopeSet::EMPTY);
    let tenants = tenants(fields)?;
    Some(ClaimRules { subject_claim, scope_claim, scope_map, default_scopes, tenants })
}

fn tenants(fields: &mut Fields<'_>) -> Option<TenantRule> {
    const BY_CLAIM: &str = "write {\"claim\": …, \"allowed\": […]}, so that each token names its tenant";
    if !matches!(fields.peek("tenants"), Some(Value::Object(_))) {
        let list: Vec<TenantSlug> = fields.required("tenants")?;
        let mut list = list.into_iter();
        return match (list.next(), list.next()) {
            (Some(only), None) => Some(TenantRule::One(only)),
            (None, _) => {
                fields.mistake("tenants", "must not be empty");
                None
            }
            (Some(_), Some(_)) => {
                fields.mistake("tenants", format!("a list holds one tenant; for several {BY_CLAIM}"));
                None
            }
        };
    }
    let mut nested = fields.nested("tenants")?;
    let claim = name(&mut nested, "claim");
    let any = nested.optional("any").unwrap_or(false);
    let allowed = nested.optional::<BTreeSet<TenantSlug>>("allowed");
    let rule = match (any, allowed) {
        (true, None) => claim.map(TenantRule::AnyByClaim),
        (false, Some(allowed)) if !allowed.is_empty() => claim.map(|claim| TenantRule::Claim(claim, allowed)),
        _ => {
            nested.mistake("allowed", "give a list of tenants that is not empty, or \"any\": true");
            None
        }
    };
    nested.finish();
    rule
}

/// A file of bounded length.
fn read_file(path: &Path, max_bytes: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot read {}: {error}", path.display());
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(max_bytes + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > max_bytes {
        return Err(format!("{} is larger than {max_bytes} bytes", path.display()));
    }
    Ok(bytes)
}
