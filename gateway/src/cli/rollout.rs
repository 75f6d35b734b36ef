//! `tenora adapter promote|rollback|alias|disable|enable|pushes`: which version answers, and what became of each push.

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{adapter::told, client::TenantKey, table};

/// What can be done with versions and the names that move between them.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Let an alias name one version: all of its requests go there from now on.
    #[command(
        after_help = "Examples:\n  tenora adapter promote ticket-triage 7\n  tenora adapter promote ticket-triage 7 --alias prod --expect 3"
    )]
    Promote {
        /// The adapter's name.
        name: String,
        /// The version's number.
        version: u32,
        #[command(flatten)]
        which: Which,
    },
    /// Move an alias back to what it named before its last move, or at a revision.
    #[command(
        after_help = "Examples:\n  tenora adapter rollback ticket-triage\n  tenora adapter rollback ticket-triage --alias prod --to 2"
    )]
    Rollback {
        /// The adapter's name.
        name: String,
        /// The revision to go back to; see `tenora adapter alias show`.
        #[arg(long, value_name = "REVISION")]
        to: Option<u64>,
        #[command(flatten)]
        which: Which,
    },
    /// Names that move between an adapter's versions.
    #[command(subcommand)]
    Alias(Alias),
    /// Take a version out of service, whatever names it.
    #[command(after_help = "Example:\n  tenora adapter disable ticket-triage@7 --reason 'answers in French'")]
    Disable {
        /// The version, such as ticket-triage@7.
        version: String,
        /// Why; shown to whoever asks for it.
        #[arg(long)]
        reason: Option<String>,
        #[command(flatten)]
        key: TenantKey,
    },
    /// Put a version back into service.
    #[command(after_help = "Example:\n  tenora adapter enable ticket-triage@7")]
    Enable {
        /// The version, such as ticket-triage@7.
        version: String,
        #[command(flatten)]
        key: TenantKey,
    },
    /// What became of each push, newest first; with an id, of that one.
    #[command(after_help = "Examples:\n  tenora adapter pushes\n  tenora adapter pushes push_0192…")]
    Pushes {
        /// The push's id.
        id: Option<String>,
        #[command(flatten)]
        key: TenantKey,
    },
}

/// Which alias, and where it must be.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The alias; the plain name means `latest`.
    #[arg(long, default_value = "latest")]
    alias: String,
    /// The revision that the alias must be at; else nothing is moved.
    #[arg(long, value_name = "REVISION")]
    expect: Option<u64>,
    #[command(flatten)]
    key: TenantKey,
}

/// What can be done with aliases.
#[derive(Debug, Subcommand)]
pub(super) enum Alias {
    /// What the adapter's aliases name now.
    #[command(after_help = "Example:\n  tenora adapter alias list ticket-triage")]
    List {
        /// The adapter's name.
        name: String,
        #[command(flatten)]
        key: TenantKey,
    },
    /// One alias with its history.
    #[command(after_help = "Example:\n  tenora adapter alias show ticket-triage prod")]
    Show {
        /// The adapter's name.
        name: String,
        /// The alias.
        alias: String,
        #[command(flatten)]
        key: TenantKey,
    },
    /// Make an alias or move it: to one version, or shared by several with weights, the newcomer last.
    #[command(
        after_help = "Examples:\n  tenora adapter alias set ticket-triage prod 6\n  tenora adapter alias set ticket-triage prod 6=90 7=10"
    )]
    Set {
        /// The adapter's name.
        name: String,
        /// The alias.
        alias: String,
        /// Versions, each with its weight: 6=90.
        #[arg(required = true, value_name = "VERSION[=WEIGHT]")]
        targets: Vec<String>,
        /// The revision that the alias must be at (0 = it must not exist); else nothing is moved.
        #[arg(long, value_name = "REVISION")]
        expect: Option<u64>,
        #[command(flatten)]
        key: TenantKey,
    },
    /// Remove an alias. Requests for it fail from then on.
    #[command(after_help = "Example:\n  tenora adapter alias delete ticket-triage canary")]
    Delete {
        /// The adapter's name.
        name: String,
        /// The alias.
        alias: String,
        #[command(flatten)]
        key: TenantKey,
    },
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Promote { name, version, which } => {
                let body = json!({ "version": version, "expected_revision": which.expect });
                let path = ["v1", "adapters", &name, "aliases", &which.alias];
                moved(&which.key, which.key.client()?.put(&path, &body).await?)
            }
            Self::Rollback { name, to, which } => {
                let body = json!({ "to_revision": to, "expected_revision": which.expect });
                let path = ["v1", "adapters", &name, "aliases", &which.alias, "rollback"];
                moved(&which.key, which.key.client()?.post(&path, &body).await?)
            }
            Self::Alias(alias) => alias.run().await,
            Self::Disable { version, reason, key } => {
                set_status(&key, &version, json!({ "status": "disabled", "reason": reason })).await
            }
            Self::Enable { version, key } => set_status(&key, &version, json!({ "status": "ready" })).await,
            Self::Pushes { id: Some(id), key } => {
                table::json(&key.client()?.get(&["v1", "pushes", &id]).await?)
            }
            Self::Pushes { id: None, key } => {
                let pushes = key.client()?.all(&["v1", "pushes"]).await?;
                if key.server.json {
                    return table::json(&Value::Array(pushes));
                }
                let rows: Vec<_> = pushes.iter().map(push_row).collect();
                table::rows(["PUSH", "NAME", "STATUS", "RESULT", "SIZE", "CREATED"], &rows)
            }
        }
    }
}

impl Alias {
    async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { name, key } => {
                let aliases = key.client()?.get(&["v1", "adapters", &name, "aliases"]).await?;
                if key.server.json {
                    return table::json(&aliases["data"]);
                }
                let rows: Vec<_> = aliases["data"].as_array().into_iter().flatten().map(alias_row).collect();
                table::rows(["MODEL", "VERSIONS", "REVISION", "MOVED"], &rows)
            }
            Self::Show { name, alias, key } => {
                let alias = key.client()?.get(&["v1", "adapters", &name, "aliases", &alias]).await?;
                if key.server.json {
                    return table::json(&alias);
                }
                let rows: Vec<_> = alias["history"].as_array().into_iter().flatten().map(move_row).collect();
                table::rows(["REVISION", "VERSIONS", "FROM", "UNTIL"], &rows)
            }
            Self::Set { name, alias, targets, expect, key } => {
                let targets = targets.iter().map(|text| share(text)).collect::<anyhow::Result<Vec<_>>>()?;
                let body = json!({ "targets": targets, "expected_revision": expect });
                let path = ["v1", "adapters", &name, "aliases", &alias];
                moved(&key, key.client()?.put(&path, &body).await?)
            }
            Self::Delete { name, alias, key } => {
                let deleted = key.client()?.delete(&["v1", "adapters", &name, "aliases", &alias]).await?;
                told(key.server.json, &deleted, &format!("{name}@{alias} is deleted."))
            }
        }
    }
}

/// `6=90` or `6`.
fn share(text: &str) -> anyhow::Result<Value> {
    let (version, weight) = text.split_once('=').unwrap_or((text, "1"));
    let number = |text: &str| text.parse::<u32>().ok();
    match (number(version), number(weight)) {
        (Some(version), Some(weight)) => Ok(json!({ "version": version, "weight": weight })),
        _ => bail!("`{text}` is not a version with a weight, such as 6=90"),
    }
}

async fn set_status(key: &TenantKey, version: &str, body: Value) -> anyhow::Result<()> {
    let (name, number) = version.split_once('@').context("name the version, such as ticket-triage@7")?;
    let version = key.client()?.patch(&["v1", "adapters", name, "versions", number], &body).await?;
    let words = format!("{} is {}.", table::text(&version["model"]), table::text(&version["status"]));
    told(key.server.json, &version, &words)
}

fn moved(key: &TenantKey, alias: Value) -> anyhow::Result<()> {
    let words = format!(
        "{} names {} (revision {}).",
        table::text(&alias["model"]),
        targets(&alias),
        table::text(&alias["revision"])
    );
    told(key.server.json, &alias, &words)
}

/// `6 (90 %), 7 (10 %)`, or `6`.
fn targets(alias: &Value) -> String {
    let shares: Vec<_> = alias["targets"].as_array().into_iter().flatten().collect();
    let total: u64 = shares.iter().filter_map(|share| share["weight"].as_u64()).sum();
    let words = |share: &&Value| {
        let part = share["weight"].as_u64().unwrap_or(0) as f64 / total.max(1) as f64 * 100.0;
        if shares.len() == 1 {
            table::text(&share["version"])
        } else {
            format!("{} ({part:.0} %)", table::text(&share["version"]))
        }
    };
    shares.iter().map(words).collect::<Vec<_>>().join(", ")
}

fn alias_row(alias: &Value) -> [String; 4] {
    [
        table::text(&alias["model"]),
        targets(alias),
        table::text(&alias["revision"]),
        table::moment(&alias["moved_at"]),
    ]
}

fn move_row(was: &Value) -> [String; 4] {
    let until = if was["ended_at"].is_null() { "now".to_owned() } else { table::moment(&was["ended_at"]) };
    [table::text(&was["revision"]), targets(was), table::moment(&was["moved_at"]), until]
}

fn push_row(push: &Value) -> [String; 6] {
    let result = if push["error"].is_null() { &push["model"] } else { &push["error"]["code"] };
    [
        table::text(&push["id"]),
        table::text(&push["name"]),
        table::text(&push["status"]),
        table::text(result),
        table::bytes(&push["bytes"]),
        table::moment(&push["created_at"]),
    ]
}
