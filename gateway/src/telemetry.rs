//! Logs: text on a terminal, JSON otherwise. Secrets and prompts are never given to it.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogFormat, LogSettings};

/// Starts logging to standard error, once for the process.
pub fn init(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.filter)?;
    let text = match settings.format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let registry = tracing_subscriber::registry().with(filter);
    if text {
        registry
            .with(fmt::layer().with_writer(stderr).with_target(false).with_ansi(stderr().is_terminal()))
            .try_init()?;
    } else {
        let json = fmt::layer().json().with_writer(stderr).with_current_span(true).with_span_list(false);
        registry.with(json).try_init()?;
    }
    Ok(())
}
