//! `tenora adapter …`: a tenant's adapters.

use std::{
    io::IsTerminal,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Subcommand;
use futures_util::TryStreamExt;
use reqwest::{
    Body, Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tokio_util::io::ReaderStream;

use super::{
    client::{Client, TenantKey},
    table,
};
use crate::progress;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// What can be done with adapters.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Upload a folder that PEFT saved, as the next version of an adapter.
    #[command(after_help = "Example:\n  tenora adapter push ./my-lora --name ticket-triage --api-key tk_…")]
    Push {
        /// The folder with adapter_config.json and adapter_model.safetensors.
        dir: PathBuf,
        /// The adapter's name: what to send as `model`.
        #[arg(long)]
        name: String,
        #[command(flatten)]
        key: TenantKey,
    },
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
    /// Delete an adapter with all its versions. Requests for it fail from then on. On a terminal it asks first.
    #[command(after_help = "Example:\n  tenora adapter delete ticket-triage --yes --api-key tk_…")]
    Delete {
        /// The adapter's name.
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
            Self::Push { dir, name, key } => {
                let version = push(&key.client()?, &dir, name).await?;
                let words = format!(
                    "{} is routable ({}, {}).",
                    table::text(&version["model"]),
                    table::bytes(&version["bytes"]),
                    table::text(&version["digest"])
                );
                told(key.server.json, &version, &words)
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
            Self::Delete { name, yes, key } => {
                if !yes && !agreed(&name)? {
                    return table::line("Nothing was deleted.");
                }
                let deleted = key.client()?.delete(&["v1", "adapters", &name]).await?;
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
    table::line(&format!("Delete {name} with all its versions? It cannot be undone. Type yes to go on:"))?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// One line, or the JSON.
pub(super) fn told(as_json: bool, value: &Value, words: &str) -> anyhow::Result<()> {
    if as_json { table::json(value) } else { table::line(words) }
}

/// Streams both files; the bar counts what has left.
async fn push(client: &Client, dir: &Path, name: String) -> anyhow::Result<Value> {
    let read =
        |file: &str| format!("cannot read {}; name a folder that PEFT saved", dir.join(file).display());
    let config = tokio::fs::read(dir.join(CONFIG)).await.with_context(|| read(CONFIG))?;
    let weights = tokio::fs::File::open(dir.join(WEIGHTS)).await.with_context(|| read(WEIGHTS))?;
    let length = weights.metadata().await?.len();
    let bar = progress::bytes("Uploading");
    bar.set_length(length);
    let sent = bar.clone();
    let stream = ReaderStream::new(weights).inspect_ok(move |chunk| sent.inc(chunk.len() as u64));
    let form = Form::new()
        .text("name", name)
        .part(CONFIG, Part::bytes(config).file_name(CONFIG))
        .part(WEIGHTS, Part::stream_with_length(Body::wrap_stream(stream), length).file_name(WEIGHTS));
    let answer = client.send(client.request(Method::POST, &["v1", "adapters"])?.multipart(form)).await;
    bar.finish_and_clear();
    answer
}

fn row(adapter: &Value) -> [String; 6] {
    let newest = &adapter["versions"][0];
    [
        table::text(&adapter["name"]),
        table::text(&newest["model"]),
        adapter["versions"].as_array().map_or(0, Vec::len).to_string(),
        table::text(&newest["report"]["rank"]),
        table::bytes(&newest["bytes"]),
        table::moment(&adapter["created_at"]),
    ]
}

fn version_row(version: &Value) -> [String; 7] {
    let routable = if version["routable"] == json!(true) { "yes" } else { "no: made for another base model" };
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
