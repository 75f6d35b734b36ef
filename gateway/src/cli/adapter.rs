//! `tenora adapter …`: a tenant's adapters.

use std::io::IsTerminal;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{client::TenantKey, push::Push, rollout, table};

/// What can be done with adapters.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Upload a folder that PEFT saved, as the next version of an adapter.
    ///
    /// Weights above 32 MiB are sent in parts, several at a time. After a broken connection, or Ctrl-C, the same command sends
    /// what is missing.
    #[command(after_help = "Example:\n  tenora adapter push ./my-lora --name ticket-triage --api-key tk_…")]
    Push(Push),
    /// Check a folder as an upload of it would be checked, without a server. Fails when it would be refused.
    #[command(after_help = "Example:\n  tenora adapter check ./my-lora --base /models/Qwen3-0.6B")]
    Check(super::check::Command),
    /// List the tenant's adapters.
    #[command(after_help = "Example:\n  tenora adapter list --api-key tk_…")]
    List {
        #[command(flatten)]
        key: TenantKey,
    },
    /// Show one adapter with its versions.
    #[command(after_help = "Example:\n  tenora adapter show ticket-triage --api-key tk_…")]
    Show {
        /// The adapter's name.
        name: String,
        #[command(flatten)]
        key: TenantKey,
    },
    #[command(flatten)]
    Rollout(rollout::Command),
    /// Delete an adapter with all its versions, or one version that no alias names. Requests for it fail from then on. On a
    /// terminal it asks first.
    #[command(
        after_help = "Examples:\n  tenora adapter delete ticket-triage --yes\n  tenora adapter delete ticket-triage@7"
    )]
    Delete {
        /// The adapter's name, or one version of it, such as ticket-triage@7.
        name: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        key: TenantKey,
    },
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Push(push) => {
                let version = push.run().await?;
                let words = format!(
                    "{} is routable ({}, {}).",
                    table::text(&version["model"]),
                    table::bytes(&version["bytes"]),
                    table::text(&version["digest"])
                );
                told(push.key.server.json, &version, &words)
            }
            Self::Check(check) => check.run(),
            Self::List { key } => {
                let adapters = key.client()?.all(&["v1", "adapters"]).await?;
                if key.server.json {
                    return table::json(&Value::Array(adapters));
                }
                let rows: Vec<_> = adapters.iter().map(row).collect();
                table::rows(["NAME", "LATEST", "VERSIONS", "RANK", "SIZE", "CREATED"], &rows)
            }
            Self::Show { name, key } => {
                let adapter = key.client()?.get(&["v1", "adapters", &name]).await?;
                if key.server.json {
                    return table::json(&adapter);
                }
                let versions = adapter["versions"].as_array().cloned().unwrap_or_default();
                let rows: Vec<_> = versions.iter().map(version_row).collect();
                table::rows(["MODEL", "ROUTABLE", "RANK", "MODULES", "SIZE", "DIGEST", "CREATED"], &rows)
            }
            Self::Rollout(command) => command.run().await,
            Self::Delete { name, yes, key } => {
                if !yes && !agreed(&name)? {
                    return table::line("Nothing was deleted.");
                }
                let client = key.client()?;
                let deleted = match name.split_once('@') {
                    Some((adapter, version)) => {
                        client.delete(&["v1", "adapters", adapter, "versions", version]).await?
                    }
                    None => client.delete(&["v1", "adapters", &name]).await?,
                };
                told(key.server.json, &deleted, &format!("{name} is deleted."))
            }
        }
    }
}

/// Asks the person at the terminal; where there is none, the command is the agreement.
fn agreed(name: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Ok(true);
    }
    let all = if name.contains('@') { "" } else { " with all its versions and aliases" };
    table::line(&format!("Delete {name}{all}? It cannot be undone. Type yes to go on:"))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// One line, or the JSON.
pub(super) fn told(as_json: bool, value: &Value, words: &str) -> anyhow::Result<()> {
    if as_json { table::json(value) } else { table::line(words) }
}

fn row(adapter: &Value) -> [String; 6] {
    let newest = &adapter["versions"][0];
    [
        table::text(&adapter["name"]),
        table::text(&adapter["latest"]),
        adapter["versions"].as_array().map_or(0, Vec::len).to_string(),
        table::text(&newest["report"]["rank"]),
        table::bytes(&newest["bytes"]),
        table::moment(&adapter["created_at"]),
    ]
}

fn version_row(version: &Value) -> [String; 7] {
    let routable = match (version["routable"] == json!(true), version["status"] == json!("disabled")) {
        (true, _) => "yes",
        (false, true) => "no: disabled",
        (false, false) => "no: made for another base model",
    };
    [
        table::text(&version["model"]),
        routable.to_owned(),
        table::text(&version["report"]["rank"]),
        table::text(&version["report"]["modules"]),
        table::bytes(&version["bytes"]),
        table::text(&version["digest"]),
        table::moment(&version["created_at"]),
    ]
}
