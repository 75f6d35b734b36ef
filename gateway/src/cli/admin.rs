//! `tenora tenant …`, `tenora usage` and `tenora audit`: what the operator does.

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{adapter::told, client::AdminKey, table};

const DAY_S: i64 = 24 * 60 * 60;
const TENANTS: [&str; 3] = ["admin", "v1", "tenants"];

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
    /// Refuse everything that a tenant asks for, and keep all it has.
    Suspend {
        /// The tenant's slug.
        slug: String,
        #[command(flatten)]
        key: AdminKey,
    },
    /// Let a suspended tenant in again.
    Resume {
        /// The tenant's slug.
        slug: String,
        #[command(flatten)]
        key: AdminKey,
    },
    /// Set a tenant's limits; what is not named follows the server's defaults.
    #[command(
        after_help = "Example:\n  tenora tenant limit acme --requests-per-minute 600 --monthly-tokens unlimited"
    )]
    Limit {
        /// The tenant's slug.
        slug: String,
        #[command(flatten)]
        limits: LimitArgs,
        #[command(flatten)]
        key: AdminKey,
    },
    /// Show the limits of tenants that have none of their own.
    Defaults {
        #[command(flatten)]
        key: AdminKey,
    },
    /// Delete a tenant with its keys, its adapters and their bytes. Usage and audit rows stay.
    Delete {
        /// The tenant's slug.
        slug: String,
        /// Really: nothing of this can be undone.
        #[arg(long, required = true)]
        yes: bool,
        #[command(flatten)]
        key: AdminKey,
    },
}

/// Limits: a number, or `unlimited`.
#[derive(Debug, Args)]
pub(super) struct LimitArgs {
    /// Generations in any minute.
    #[arg(long, value_name = "N")]
    requests_per_minute: Option<String>,
    /// Prompt and output tokens in any minute.
    #[arg(long, value_name = "N")]
    tokens_per_minute: Option<String>,
    /// Generations at the same time.
    #[arg(long, value_name = "N")]
    concurrent_requests: Option<String>,
    /// Prompt and output tokens in a calendar month, UTC.
    #[arg(long, value_name = "N")]
    monthly_tokens: Option<String>,
    /// Live adapters.
    #[arg(long, value_name = "N")]
    adapters: Option<String>,
    /// Bytes of all live adapter versions.
    #[arg(long, value_name = "N")]
    adapter_bytes: Option<String>,
    /// Largest rank of an adapter.
    #[arg(long, value_name = "N")]
    adapter_rank: Option<String>,
}

impl TenantCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Create { slug, name, key } => {
                let body = json!({ "slug": slug, "name": name });
                let tenant = key.client()?.post(&TENANTS, &body).await?;
                told(
                    key.server.json,
                    &tenant,
                    &format!("The tenant {slug} is there. Next: tenora key create {slug} --name …"),
                )
            }
            Self::List { key } => {
                let tenants = key.client()?.all(&TENANTS).await?;
                if key.server.json {
                    return table::json(&Value::Array(tenants));
                }
                let rows: Vec<_> = tenants.iter().map(tenant_row).collect();
                table::rows(["SLUG", "NAME", "STATUS", "LIMITS", "CREATED"], &rows)
            }
            Self::Suspend { slug, key } => {
                change(&key, &slug, json!({ "status": "suspended" }), "is suspended").await
            }
            Self::Resume { slug, key } => {
                change(&key, &slug, json!({ "status": "active" }), "is active").await
            }
            Self::Limit { slug, limits, key } => {
                let limits = limits.body();
                if limits.as_object().is_none_or(Map::is_empty) {
                    bail!(
                        "name the limits that {slug} is to have, such as --requests-per-minute 600: all others follow the server's defaults"
                    );
                }
                change(&key, &slug, json!({ "limits": limits }), "has these limits").await
            }
            Self::Defaults { key } => {
                let defaults = key.client()?.get(&["admin", "v1", "limits"]).await?;
                if key.server.json {
                    return table::json(&defaults);
                }
                let most = |most: &Value| if most.is_null() { "unlimited".into() } else { table::text(most) };
                let limits = defaults["limits"].as_object().into_iter().flatten();
                let rows: Vec<_> =
                    limits.map(|(name, limit)| [name.replace('_', " "), most(limit)]).collect();
                table::rows(["LIMIT", "DEFAULT"], &rows)
            }
            Self::Delete { slug, key, .. } => {
                let deleted = key.client()?.delete(&["admin", "v1", "tenants", &slug]).await?;
                told(key.server.json, &deleted, &format!("The tenant {slug} is deleted."))
            }
        }
    }
}

async fn change(key: &AdminKey, slug: &str, body: Value, now: &str) -> anyhow::Result<()> {
    let tenant = key.client()?.patch(&["admin", "v1", "tenants", slug], &body).await?;
    let limits = table::pairs(&tenant["limits"]);
    let which =
        if body["limits"].is_null() || limits.is_empty() { String::new() } else { format!(": {limits}") };
    told(key.server.json, &tenant, &format!("The tenant {slug} {now}{which}."))
}

impl LimitArgs {
    fn body(self) -> Value {
        let named = [
            ("requests_per_minute", self.requests_per_minute),
            ("tokens_per_minute", self.tokens_per_minute),
            ("concurrent_requests", self.concurrent_requests),
            ("monthly_tokens", self.monthly_tokens),
            ("adapters", self.adapters),
            ("adapter_bytes", self.adapter_bytes),
            ("adapter_rank", self.adapter_rank),
        ];
        // What is no number is the server's to judge.
        let value = |text: String| text.parse::<u64>().map_or(Value::String(text), Value::from);
        let given = named.into_iter().filter_map(|(name, text)| Some((name.to_owned(), value(text?))));
        Value::Object(given.collect::<Map<_, _>>())
    }
}

/// What was used.
#[derive(Debug, Args)]
pub(super) struct UsageCommand {
    /// Days to look back.
    #[arg(long, default_value_t = 30, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(1..=366))]
    days: i64,
    /// Of this tenant only.
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    #[command(flatten)]
    key: AdminKey,
}

impl UsageCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let start = time::OffsetDateTime::now_utc().unix_timestamp() - self.days * DAY_S;
        let start = start.to_string();
        let mut query =
            vec![("start_time", start.as_str()), ("group_by", "project_id,model"), ("limit", "31")];
        query.extend(self.tenant.as_deref().map(|tenant| ("project_ids", tenant)));
        let buckets = self.key.client()?.pages(&["admin", "v1", "usage"], &query).await?;
        if self.key.server.json {
            return table::json(&Value::Array(buckets));
        }
        let mut rows = Vec::new();
        for bucket in &buckets {
            for used in bucket["results"].as_array().into_iter().flatten() {
                let number = |name: &str| table::text(&used[name]);
                rows.push([
                    table::moment(&bucket["start_time"]).chars().take(10).collect(),
                    number("project_id"),
                    number("model"),
                    number("num_model_requests"),
                    number("num_failed_requests"),
                    number("input_tokens"),
                    number("output_tokens"),
                ]);
            }
        }
        table::rows(["DAY", "TENANT", "MODEL", "REQUESTS", "FAILED", "INPUT", "OUTPUT"], &rows)
    }
}

/// Who changed what, newest first.
#[derive(Debug, Args)]
pub(super) struct AuditCommand {
    /// Of this tenant only.
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// Of this type only, such as key.revoke.
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// How many, at most 100.
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u32,
    #[command(flatten)]
    key: AdminKey,
}

impl AuditCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let limit = self.limit.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(self.tenant.as_deref().map(|tenant| ("tenant", tenant)));
        query.extend(self.kind.as_deref().map(|kind| ("type", kind)));
        let log = self.key.client()?.query(&["admin", "v1", "audit"], &query).await?;
        if self.key.server.json {
            return table::json(&log["data"]);
        }
        let row = |event: &Value| {
            let actor = &event["actor"];
            let who = [&actor["type"], &actor["key_id"], &actor["subject"]].map(table::text);
            [
                table::moment(&event["effective_at"]),
                table::text(&event["tenant"]),
                table::text(&event["type"]),
                table::text(&event["subject"]),
                who.join(" ").trim().to_owned(),
                table::text(&actor["ip_address"]),
            ]
        };
        let rows: Vec<_> = log["data"].as_array().into_iter().flatten().map(row).collect();
        table::rows(["WHEN", "TENANT", "TYPE", "SUBJECT", "ACTOR", "FROM"], &rows)
    }
}

fn tenant_row(tenant: &Value) -> [String; 5] {
    [
        table::text(&tenant["slug"]),
        table::text(&tenant["name"]),
        table::text(&tenant["status"]),
        table::pairs(&tenant["limits"]),
        table::moment(&tenant["created_at"]),
    ]
}
