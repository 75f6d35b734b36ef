//! `tenora server`: the vLLM servers behind a gateway.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{client::AdminKey, table};

const SERVERS: [&str; 3] = ["admin", "v1", "servers"];

/// Look at the vLLM servers behind a gateway, and take one out.
#[derive(Debug, Subcommand)]
pub(super) enum ServerCommand {
    /// List them, and how they are.
    List {
        #[command(flatten)]
        key: AdminKey,
    },
    /// Give a server no more requests of this gateway; what it answers goes on.
    #[command(after_help = "Example:\n  tenora server drain http://gpu-1:8000")]
    Drain {
        /// Its address, as the list has it.
        url: String,
        #[command(flatten)]
        key: AdminKey,
    },
    /// Give a drained server requests again.
    Resume {
        /// Its address, as the list has it.
        url: String,
        #[command(flatten)]
        key: AdminKey,
    },
}

impl ServerCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::List { key } => {
                let answer = key.client()?.get(&SERVERS).await?;
                if key.server.json {
                    return table::json(&answer["data"]);
                }
                let all = answer["data"].as_array().into_iter().flatten();
                table::rows(
                    ["URL", "STATE", "OWN", "RUNNING", "WAITING", "ADAPTERS"],
                    &all.map(row).collect::<Vec<_>>(),
                )
            }
            Self::Drain { url, key } => change(&key, &url, true).await,
            Self::Resume { url, key } => change(&key, &url, false).await,
        }
    }
}

async fn change(key: &AdminKey, url: &str, draining: bool) -> anyhow::Result<()> {
    let server = key.client()?.patch(&SERVERS, &json!({ "url": url, "draining": draining })).await?;
    if key.server.json {
        return table::json(&server);
    }
    table::line(&format!("{url} is {}.", table::text(&server["state"])))
}

fn row(server: &Value) -> [String; 6] {
    ["url", "state", "in_flight", "running", "waiting", "adapters"].map(|name| table::text(&server[name]))
}
