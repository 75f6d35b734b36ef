//! What may be asked for of a key: names that exist, times to come, and never more than its giver has.

use std::time::Duration;

use tenora_adapter_store::{AdapterName, KeyInfo, LimitOverrides, NewKey, Scope, ScopeSet};
use time::OffsetDateTime;

use crate::{api::tenants::checked_name, auth::Identity, error::ApiError, wire::tenants};

/// Adapters that one key may be restricted to.
const MAX_ADAPTERS: usize = 100;
/// Longest time for which a replaced key goes on working.
const MAX_GRACE_S: u32 = 30 * 24 * 60 * 60;

/// Who gives a key its powers.
pub(super) enum Giver<'a> {
    /// Everything a tenant's key may have is the operator's to give.
    Operator,
    /// A tenant's credential gives what it has itself.
    Tenant(&'a Identity),
}

impl Giver<'_> {
    /// Whether the key has nothing that the giver lacks.
    pub(super) fn may_give(&self, key: &KeyInfo) -> Result<(), ApiError> {
        self.gives(key.scopes, key.adapters.as_deref())
    }

    fn gives(&self, scopes: ScopeSet, adapters: Option<&[AdapterName]>) -> Result<(), ApiError> {
        let Self::Tenant(identity) = self else { return Ok(()) };
        if let Some(beyond) = scopes.iter().find(|scope| !identity.scopes().contains(*scope)) {
            return Err(ApiError::GrantExceeded { what: format!("the scope `{beyond}`") });
        }
        match (identity.adapters(), adapters) {
            (Some(_), None) => Err(ApiError::GrantExceeded { what: "all adapters".to_owned() }),
            (Some(own), Some(wanted)) => match wanted.iter().find(|name| !own.contains(name)) {
                Some(beyond) => Err(ApiError::GrantExceeded { what: format!("the adapter `{beyond}`") }),
                None => Ok(()),
            },
            (None, _) => Ok(()),
        }
    }

    /// The usual scopes, as far as the giver has them.
    fn default_scopes(&self) -> ScopeSet {
        match self {
            Self::Operator => Scope::DEFAULT,
            Self::Tenant(identity) => {
                Scope::DEFAULT.iter().filter(|scope| identity.scopes().contains(*scope)).collect()
            }
        }
    }
}

/// A key to be made, checked.
pub(super) fn new_key(new: tenants::NewKey, giver: &Giver<'_>) -> Result<NewKey, ApiError> {
    let name = checked_name(&new.name)?;
    let scopes = new.scopes.map_or_else(|| Ok(giver.default_scopes()), |scopes| parse_scopes(&scopes))?;
    let adapters = match (new.adapters, giver) {
        (None, Giver::Tenant(identity)) => identity.adapters().map(<[_]>::to_vec),
        (names, _) => names.map(|names| parse_adapters(&names)).transpose()?,
    };
    let limits = new.limits.unwrap_or_default();
    let LimitOverrides { adapters: count, adapter_bytes, adapter_rank, .. } = limits;
    if count.or(adapter_bytes).or(adapter_rank).is_some() {
        let message =
            "A key's `limits` have no `adapters`, `adapter_bytes` or `adapter_rank`: those are its tenant's.";
        return Err(ApiError::invalid("limits", message));
    }
    let expires_at = new.expires_at.map(future).transpose()?;
    giver.gives(scopes, adapters.as_deref())?;
    Ok(NewKey { name, scopes, limits, adapters, expires_at })
}

/// Until when a replaced key goes on working.
pub(super) fn end_of_grace(rotation: &tenants::Rotation) -> Result<OffsetDateTime, ApiError> {
    let grace_s = rotation.grace_s.unwrap_or(0);
    if grace_s > MAX_GRACE_S {
        return Err(ApiError::invalid(
            "grace_s",
            format!("`grace_s` must be at most {MAX_GRACE_S}: 30 days."),
        ));
    }
    Ok(OffsetDateTime::now_utc() + Duration::from_secs(u64::from(grace_s)))
}

fn parse_scopes(scopes: &[String]) -> Result<ScopeSet, ApiError> {
    if scopes.is_empty() {
        return Err(ApiError::invalid("scopes", "`scopes` is empty; leave it out for the usual ones."));
    }
    let parse = |(index, text): (usize, &String)| {
        text.parse::<Scope>().map_err(|error| {
            ApiError::invalid(format!("scopes[{index}]"), format!("{}.", ApiError::echo(&error.to_string())))
        })
    };
    scopes.iter().enumerate().map(parse).collect()
}

fn parse_adapters(names: &[String]) -> Result<Vec<AdapterName>, ApiError> {
    if names.len() > MAX_ADAPTERS {
        return Err(ApiError::invalid("adapters", format!("`adapters` has more than {MAX_ADAPTERS} names.")));
    }
    let parse = |(index, text): (usize, &String)| {
        AdapterName::parse(text).map_err(|error| {
            ApiError::invalid(
                format!("adapters[{index}]"),
                format!("{}.", ApiError::echo(&error.to_string())),
            )
        })
    };
    names.iter().enumerate().map(parse).collect()
}

fn future(unix_s: i64) -> Result<OffsetDateTime, ApiError> {
    OffsetDateTime::from_unix_timestamp(unix_s).ok().filter(|at| *at > OffsetDateTime::now_utc()).ok_or_else(
        || ApiError::invalid("expires_at", "`expires_at` must be a time to come, in Unix seconds."),
    )
}
