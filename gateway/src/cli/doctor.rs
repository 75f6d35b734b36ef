//! `tenora doctor`: what a start would find, without starting.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::table;
use crate::{
    config::{Config, Mode},
    doctor::{self, Verdict},
};

#[derive(Debug, Args)]
pub(super) struct Command {
    /// Look at what `tenora serve --demo` would find.
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = "demo")]
    demo: Option<PathBuf>,
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let config = Config::from_env(&self.demo.map_or(Mode::Serve, Mode::Demo))?;
        let mut worst = Verdict::Good;
        let mut printed = Ok(());
        doctor::examine(&config, |finding| {
            worst = worst.max(finding.verdict);
            if printed.is_ok() {
                printed = table::line(&finding.to_string());
            }
        })
        .await;
        printed?;
        match worst {
            Verdict::Bad => bail!("what is marked FIX would keep a server from serving"),
            Verdict::Advice => table::line("\nA server can start; the notes say what would be better."),
            Verdict::Good => table::line("\nEverything is well."),
        }
    }
}
