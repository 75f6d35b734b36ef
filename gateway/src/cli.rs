//! The command line: what can be asked for, and what runs then.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{boot, config::Mode};

/// Serve many tenants' LoRA adapters on one resident base model.
#[derive(Debug, Parser)]
#[command(name = "tenora", version, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server. Settings are environment variables: see .env.example.
    Serve(Serve),
    /// Bring the Postgres database in TENORA_DATABASE_URL to this version's schema.
    Migrate,
}

#[derive(Debug, Args)]
struct Serve {
    /// Serve the demo: its own base model, three tenants with an adapter each, on this machine only.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "demo")]
    demo: Option<PathBuf>,
}

impl Cli {
    /// Does what was asked for.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(Serve { demo }) => boot::serve(demo.map_or(Mode::Serve, Mode::Demo)).await,
            Command::Migrate => boot::migrate().await,
        }
    }
}
