//! `tenora tenant …` and `tenora key …`: what the operator does.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{adapter::told, client::AdminKey, table};

const DAY_S: i64 = 24 * 60 * 60;

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Make a tenant.
    #[command(after_help = "Example:\n  tenora tenant create acme --name 'Acme Support' --admin-key …")]
    Create {
        /// Its short name in paths: lower-case letters, digits and dashes.
        slug: String,
        /// Its name for people; the slug when left out.
        #[arg(long)]
        name: Option<String>,
        #[command(flatten)]
        key: AdminKey,
    },
    /// List all tenants.
    #[command(after_help = "Example:\n  tenora tenant list --admin-key …")]
    List {
        #[command(flatten)]
        key: AdminKey,
    },
}

/// What can be done with keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// Make an API key for a tenant. It is shown once.
    #[command(
        after_help = "Example:\n  tenora key create acme --name ci --scope adapters:write --expires-in-days 90"
    )]
    Create {
        /// The tenant's slug.
        tenant: String,
        /// What the key is for.
        #[arg(long)]
        name: String,
        /// What it may do, once for each: chat, models:read, adapters:read, adapters:write. Left out: all of these.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// Days until it is refused; left out: never.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(1..=36_500))]
        expires_in_days: Option<i64>,
        #[command(flatten)]
        key: AdminKey,
    },
    /// List a tenant's keys, without their secrets.
    #[command(after_help = "Example:\n  tenora key list acme --admin-key …")]
    List {
        /// The tenant's slug.
        tenant: String,
        #[command(flatten)]
        key: AdminKey,
    },
    /// Revoke a key. Requests with it fail from then on.
    #[command(after_help = "Example:\n  tenora key revoke acme 01a2… --admin-key …")]
    Revoke {
        /// The tenant's slug.
        tenant: String,
        /// The key's id: what stands between `tk_` and the dot.
        id: String,
        #[command(flatten)]
        key: AdminKey,
    },
}

impl TenantCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { slug, name, key } => {
                let body = json!({ "slug": slug, "name": name });
                let tenant = key.client()?.post(&["admin", "v1", "tenants"], &body).await?;
                told(
                    key.server.json,
                    &tenant,
                    &format!("The tenant {slug} is there. Next: tenora key create {slug} --name …"),
                )
            }
            Self::List { key } => {
                let tenants = key.client()?.all(&["admin", "v1", "tenants"]).await?;
                if key.server.json {
                    return table::json(&Value::Array(tenants));
                }
                let row = |tenant: &Value| {
                    [
                        table::text(&tenant["slug"]),
                        table::text(&tenant["name"]),
                        table::moment(&tenant["created_at"]),
                    ]
                };
                table::rows(["SLUG", "NAME", "CREATED"], &tenants.iter().map(row).collect::<Vec<_>>())
            }
        }
    }
}

impl KeyCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { tenant, name, scopes, expires_in_days, key } => {
                let expires_at = expires_in_days
                    .map(|days| time::OffsetDateTime::now_utc().unix_timestamp() + days * DAY_S);
                let scopes = (!scopes.is_empty()).then_some(scopes);
                let body = json!({ "name": name, "scopes": scopes, "expires_at": expires_at });
                let created = key.client()?.post(&["admin", "v1", "tenants", &tenant, "keys"], &body).await?;
                let words = format!(
                    "{}\n\nKeep it: it is not shown again. It may: {}.",
                    table::text(&created["key"]),
                    table::text(&created["scopes"])
                );
                told(key.server.json, &created, &words)
            }
            Self::List { tenant, key } => {
                let keys = key.client()?.get(&["admin", "v1", "tenants", &tenant, "keys"]).await?;
                if key.server.json {
                    return table::json(&keys["data"]);
                }
                let rows: Vec<_> = keys["data"].as_array().into_iter().flatten().map(key_row).collect();
                table::rows(["ID", "NAME", "STATE", "SCOPES", "CREATED", "EXPIRES"], &rows)
            }
            Self::Revoke { tenant, id, key } => {
                let revoked = key.client()?.delete(&["admin", "v1", "tenants", &tenant, "keys", &id]).await?;
                told(key.server.json, &revoked, &format!("The key {id} is revoked."))
            }
        }
    }
}

fn key_row(key: &Value) -> [String; 6] {
    let state = if key["revoked_at"].is_null() { "active".to_owned() } else { "revoked".to_owned() };
    [
        table::text(&key["id"]),
        table::text(&key["name"]),
        state,
        table::text(&key["scopes"]),
        table::moment(&key["created_at"]),
        table::moment(&key["expires_at"]),
    ]
}
