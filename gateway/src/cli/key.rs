//! `tenora key …`: API keys, of any tenant's by the operator, or of a tenant's own by one of them.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{adapter::told, client::EitherKey, table};

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make an API key. It is shown once, and may never do more than the key that makes it.
    #[command(after_help = "Examples:\n  tenora key create --name laptop --scope chat --api-key tk_…\n  \
                      tenora key create acme --name ci --scope adapters:write --expires-in-days 90 --admin-key …")]
    Create {
        /// The tenant's slug, for the operator; left out: the tenant of the API key.
        tenant: Option<String>,
        /// What the key is for.
        #[arg(long)]
        name: String,
        /// What it may do, once for each: chat, models:read, adapters:read, adapters:write, usage:read, keys:write. Left
        /// out: the first four.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// An adapter that it may use, once for each; left out: all.
        #[arg(long = "adapter", value_name = "NAME")]
        adapters: Vec<String>,
        /// Days until it is refused; left out: never.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(1..=36_500))]
        expires_in_days: Option<i64>,
        #[command(flatten)]
        key: EitherKey,
    },
    /// List a tenant's keys, without their secrets.
    #[command(
        after_help = "Examples:\n  tenora key list --api-key tk_…\n  tenora key list acme --admin-key …"
    )]
    List {
        /// The tenant's slug, for the operator; left out: the tenant of the API key.
        tenant: Option<String>,
        #[command(flatten)]
        key: EitherKey,
    },
    /// Replace a key by a new one that may do the same. It is shown once.
    #[command(
        allow_missing_positional = true,
        after_help = "Examples:\n  tenora key rotate 01a2… --grace-s 3600 --api-key tk_…\n  \
                      tenora key rotate acme 01a2… --grace-s 3600 --admin-key …"
    )]
    Rotate {
        /// The tenant's slug, for the operator; left out: the tenant of the API key.
        tenant: Option<String>,
        /// The key's id: what stands between `tk_` and the dot.
        id: String,
        /// For how many seconds the old key goes on working.
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        grace_s: u32,
        #[command(flatten)]
        key: EitherKey,
    },
    /// Revoke a key. Requests with it fail from then on, and its running answers end.
    #[command(
        allow_missing_positional = true,
        after_help = "Examples:\n  tenora key revoke 01a2… --api-key tk_…\n  \
                      tenora key revoke acme 01a2… --admin-key …"
    )]
    Revoke {
        /// The tenant's slug, for the operator; left out: the tenant of the API key.
        tenant: Option<String>,
        /// The key's id: what stands between `tk_` and the dot.
        id: String,
        #[command(flatten)]
        key: EitherKey,
    },
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { tenant, name, scopes, adapters, expires_in_days, key } => {
                let end =
                    |days| (time::OffsetDateTime::now_utc() + time::Duration::days(days)).unix_timestamp();
                let some = |names: Vec<String>| (!names.is_empty()).then_some(names);
                let body = json!({
                    "name": name, "scopes": some(scopes), "adapters": some(adapters),
                    "expires_at": expires_in_days.map(end),
                });
                let tenant = tenant.as_deref();
                shown_once(&key, &key.client(tenant)?.post(&path(tenant, &[]), &body).await?)
            }
            Self::List { tenant, key } => {
                let tenant = tenant.as_deref();
                let keys = key.client(tenant)?.get(&path(tenant, &[])).await?;
                if key.server.json {
                    return table::json(&keys["data"]);
                }
                let rows: Vec<_> = keys["data"].as_array().into_iter().flatten().map(row).collect();
                table::rows(["ID", "NAME", "STATE", "SCOPES", "CREATED", "LAST USED", "EXPIRES"], &rows)
            }
            Self::Rotate { tenant, id, grace_s, key } => {
                let tenant = tenant.as_deref();
                let body = json!({ "grace_s": grace_s });
                shown_once(&key, &key.client(tenant)?.post(&path(tenant, &[&id, "rotate"]), &body).await?)
            }
            Self::Revoke { tenant, id, key } => {
                let tenant = tenant.as_deref();
                let revoked = key.client(tenant)?.delete(&path(tenant, &[&id])).await?;
                told(key.server.json, &revoked, &format!("The key {id} is revoked."))
            }
        }
    }
}

/// Where the tenant's keys are, as the operator sees them, or one's own.
fn path<'a>(tenant: Option<&'a str>, rest: &[&'a str]) -> Vec<&'a str> {
    let mut path = match tenant {
        Some(slug) => vec!["admin", "v1", "tenants", slug, "keys"],
        None => vec!["v1", "keys"],
    };
    path.extend_from_slice(rest);
    path
}

fn shown_once(key: &EitherKey, created: &Value) -> anyhow::Result<()> {
    let words = format!(
        "{}\n\nKeep it: it is not shown again. It may: {}.",
        table::text(&created["key"]),
        table::text(&created["scopes"])
    );
    told(key.server.json, created, &words)
}

fn row(key: &Value) -> [String; 7] {
    let state = if key["revoked_at"].is_null() { "active".to_owned() } else { "revoked".to_owned() };
    [
        table::text(&key["id"]),
        table::text(&key["name"]),
        state,
        table::text(&key["scopes"]),
        table::moment(&key["created_at"]),
        table::moment(&key["last_used_at"]),
        table::moment(&key["expires_at"]),
    ]
}
