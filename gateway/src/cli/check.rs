//! `tenora adapter check`: an upload's checks without a server, before any byte is sent.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};
use tenora_engine::{AdapterRejection, AdapterReport, EngineError, check_adapter_offline};

use super::table;

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// What lies in a folder in place of the weights, and what would bring them there.
const INSTEAD: [(&str, &str); 3] = [
    ("adapter_model.bin", "save it again with `model.save_pretrained(folder, safe_serialization=True)`"),
    ("model.safetensors", "that is a whole model: take the folder from before the adapter was merged"),
    ("adapters.safetensors", "that is MLX's format: convert it to PEFT's"),
];

/// What to check, and against what.
#[derive(Debug, Args)]
pub(super) struct Command {
    /// The folder with adapter_config.json and adapter_model.safetensors.
    dir: PathBuf,
    /// The base model's folder. Only its configuration is read: the weights need not be there.
    #[arg(long, value_name = "FOLDER")]
    base: PathBuf,
    /// Highest rank that the server takes: its TENORA_MAX_RANK.
    #[arg(long, value_name = "RANK", default_value_t = 256)]
    max_rank: usize,
    /// Print the report, or the refusal, as JSON.
    #[arg(long)]
    json: bool,
}

impl Command {
    /// Prints the report of an adapter that a server would take; of another, what is wrong with it, and fails.
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { dir, base, max_rank, json } = self;
        let config = dir.join(CONFIG);
        let config = std::fs::read(&config)
            .with_context(|| format!("cannot read {}; name a folder that PEFT saved", config.display()))?;
        let weights = weights(&dir)?;
        match check_adapter_offline(&base, &config, &weights, max_rank) {
            Ok(report) if json => table::json(&json!({ "accepted": true, "report": report })),
            Ok(report) => show(&report),
            Err(EngineError::Adapter(refused)) => {
                if json {
                    let AdapterRejection { code, param, message } = &refused;
                    let error = json!({ "code": code, "param": param, "message": message });
                    table::json(&json!({ "accepted": false, "error": error }))?;
                }
                let at = refused.param.as_ref().map_or_else(String::new, |param| format!(", at `{param}`"));
                bail!("the adapter is refused ({}{at}): {}", refused.code, refused.message)
            }
            Err(other) => Err(other.into()),
        }
    }
}

/// The weights file, or what the folder has instead.
fn weights(dir: &Path) -> anyhow::Result<PathBuf> {
    let weights = dir.join(WEIGHTS);
    if weights.exists() {
        return Ok(weights);
    }
    match INSTEAD.iter().find(|(file, _)| dir.join(file).exists()) {
        Some((file, fix)) => bail!("{} has {file} and no {WEIGHTS}: {fix}", dir.display()),
        None => bail!("{} has no {WEIGHTS}; name a folder that PEFT saved", dir.display()),
    }
}

fn show(report: &AdapterReport) -> anyhow::Result<()> {
    let list = |value: Value| table::text(&value).replace(',', ", ");
    let row = |field: &str, value: String| [field.to_owned(), value];
    let mut rows = vec![
        row("rank", list(json!(report.ranks))),
        row(
            "alpha",
            format!("{}{}", report.alpha, if report.rank_stabilised { " (rank-stabilised)" } else { "" }),
        ),
        row("scale", list(json!(report.scales))),
        row("modules", list(json!(report.modules))),
        row("layers", ranges(&report.layers)),
        row("tensors", format!("{} of {}", report.tensors, report.dtype)),
        row("numbers", report.parameters.to_string()),
        row("size", table::bytes(&json!(report.bytes))),
    ];
    rows.extend(report.base_model.iter().map(|name| row("trained on", name.clone())));
    table::rows(["FIELD", "VALUE"], &rows)?;
    let norms = report.norms.iter().map(|own| {
        let number = |value: f64| match value {
            0.0 | 1e-3.. => format!("{value:.3}"),
            small => format!("{small:.1e}"),
        };
        [own.module.to_owned(), number(own.largest_a), number(own.largest_b), number(own.norm)]
    });
    table::line("")?;
    table::rows(["MODULE", "LARGEST A", "LARGEST B", "SCALE·|A|·|B|"], &norms.collect::<Vec<_>>())?;
    table::line("")?;
    for warning in &report.warnings {
        table::line(&format!("warning ({}): {}", warning.code, warning.message))?;
    }
    table::line(&format!("A server with this base would take it: {} checks passed.", report.checks.len()))
}

/// Ascending numbers, such as `0-5, 7`.
fn ranges(numbers: &[usize]) -> String {
    let runs = numbers.chunk_by(|a, b| a + 1 == *b).map(|run| match run {
        [one] => one.to_string(),
        [first, .., last] => format!("{first}-{last}"),
        [] => String::new(),
    });
    runs.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_a_range() {
        assert_eq!(ranges(&[0, 1, 2, 3, 5, 7, 8]), "0-3, 5, 7-8");
        assert_eq!(ranges(&[4]), "4");
    }
}
