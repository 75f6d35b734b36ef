//! `tenora health`: the question that a container's health check asks.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use anyhow::{Context, bail};
use clap::Args;

use super::table;

const TIMEOUT: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
pub(super) struct Command {
    /// The operator's address of the server, on this machine.
    #[arg(long, env = "TENORA_OPS_LISTEN", value_name = "ADDRESS")]
    ops: SocketAddr,
    /// Ask whether the process lives, rather than whether it can serve.
    #[arg(long)]
    alive: bool,
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        let mut address = self.ops;
        if address.ip().is_unspecified() {
            address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
        }
        let path = if self.alive { "healthz" } else { "readyz" };
        let client = reqwest::Client::builder().timeout(TIMEOUT).no_proxy().build()?;
        let answer = client.get(format!("http://{address}/{path}")).send().await;
        let answer = answer.with_context(|| format!("nobody answers on {address}"))?;
        let status = answer.status();
        table::line(&answer.text().await?)?;
        if !status.is_success() {
            bail!("the server answers {status}");
        }
        Ok(())
    }
}
