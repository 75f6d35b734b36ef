//! The command line: what can be asked for, and what runs then. `serve`, `migrate`, `doctor` and `store` are the server; everything
//! else is a client of its HTTP API, `bench` of a server that it starts itself; `adapter check` needs none.

mod adapter;
mod admin;
mod check;
mod client;
mod doctor;
mod health;
mod key;
mod me;
mod push;
mod rollout;
mod servers;
mod store;
mod table;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use tenora_adapter_store::RoleName;

use crate::{boot, config::Mode};

/// Serve many tenants' LoRA adapters on one resident base model.
#[derive(Debug, Parser)]
#[command(
    name = "tenora",
    version,
    arg_required_else_help = true,
    after_help = "Begin with `tenora serve --demo`: it prints a key for everything else."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server. Settings are environment variables: see .env.example.
    #[command(
        after_help = "Examples:\n  tenora serve --demo\n  TENORA_MODEL=/models/Qwen3-0.6B tenora serve"
    )]
    Serve(Serve),
    /// Bring the Postgres database in TENORA_DATABASE_URL to this version's schema.
    #[command(after_help = "Example:\n  tenora migrate --app-role tenora_app")]
    Migrate {
        /// A role of the Postgres server that servers will use: it gets the rights they need, and row-level security holds
        /// it to the tenant that it works for. Neither the owner of the tables nor a superuser.
        #[arg(long, value_name = "ROLE")]
        app_role: Option<RoleName>,
    },
    /// Check settings, dependencies and capacity before a start, and say what to do. Changes nothing.
    #[command(
        after_help = "Ends with 1 when something must be fixed.\n\nExamples:\n  tenora doctor --demo\n  TENORA_MODEL=/models/Qwen3-0.6B tenora doctor"
    )]
    Doctor(doctor::Command),
    /// Ask a server on this machine whether it can serve; for the health checks of containers.
    #[command(
        after_help = "Ends with 1 when it cannot.\n\nExample:\n  tenora health --ops 127.0.0.1:9090 --alive"
    )]
    Health(health::Command),
    /// Look after what is stored: compare every adapter's bytes with their digest, remove what nothing needs. Works beside
    /// running servers, with their settings.
    #[command(subcommand)]
    Store(store::Command),
    /// Measure a server that this starts itself, on synthetic weights of a named shape.
    Bench(Box<tenora_bench::Options>),
    /// Answer every request at once with the answer on standard input: what `bench` compares a server with.
    #[command(hide = true)]
    Bare,
    /// Upload, list, show and delete a tenant's adapters.
    #[command(subcommand)]
    Adapter(adapter::Command),
    /// Show whom an API key speaks for, what it may do, and what is left of its limits.
    Me(me::Command),
    /// Make, list, suspend, limit and delete tenants. Needs the admin key.
    #[command(subcommand)]
    Tenant(admin::TenantCommand),
    /// Look at the vLLM servers behind a gateway, and take one out. Needs the admin key.
    #[command(subcommand)]
    Server(servers::ServerCommand),
    /// Make, list, rotate and revoke API keys: a named tenant's with the admin key, one's own with a key that has keys:write.
    #[command(subcommand)]
    Key(key::Command),
    /// Show what tenants used, by day and model. Needs the admin key, or the viewer's.
    Usage(admin::UsageCommand),
    /// Show who changed what. Needs the admin key, or the viewer's.
    Audit(admin::AuditCommand),
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
            Command::Migrate { app_role } => boot::migrate(app_role).await,
            Command::Doctor(command) => command.run().await,
            Command::Health(command) => command.run().await,
            Command::Store(command) => command.run().await,
            // Its servers are processes of this same binary.
            Command::Bench(options) => tenora_bench::run(*options, std::env::current_exe()?).await,
            Command::Bare => tenora_bench::serve_bare().await,
            Command::Adapter(command) => command.run().await,
            Command::Me(command) => command.run().await,
            Command::Tenant(command) => command.run().await,
            Command::Key(command) => command.run().await,
            Command::Usage(command) => command.run().await,
            Command::Server(command) => command.run().await,
            Command::Audit(command) => command.run().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_commands_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_key_on_the_command_line_is_not_shown_by_debug() {
        let arguments = ["tenora", "adapter", "list", "--api-key", "tk_secret"];
        let cli = Cli::try_parse_from(arguments).expect("valid");
        assert!(!format!("{cli:?}").contains("tk_secret"));
    }
}
