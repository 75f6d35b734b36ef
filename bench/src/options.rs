//! What can be asked of the benchmark, and the defaults that follow from it.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::{shapes::ShapeName, weights::Storage};

/// Streams without `--streams`, and with `--all`.
const QUICK_STREAMS: [usize; 2] = [1, 16];
const ALL_STREAMS: [usize; 4] = [1, 4, 16, 32];
/// The benchmark of other engines has 48 requests for 16 streams.
const REQUESTS_PER_STREAM: usize = 3;
const LEAST_REQUESTS: usize = 6;
/// Fewer adapters than this cannot outnumber a budget for half of them.
const LEAST_ADAPTERS: usize = 4;

/// Measure a server that this starts itself, through HTTP, on synthetic weights.
#[derive(Debug, Clone, Args, Serialize)]
#[command(
    after_help = "Examples:\n  tenora bench\n  tenora bench --scenarios mix --streams 16 --requests 48 --json out.json\n  \
    tenora bench --all --shape qwen3-0.6b --weights bf16\n\nWhat each number means: bench/README.md."
)]
pub struct Options {
    /// The base model's shape; its weights are random.
    #[arg(long, value_enum, default_value = "smollm2-135m")]
    pub(crate) shape: ShapeName,
    /// How the base model's weights are stored.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) weights: Storage,
    /// How the adapters' weights are stored.
    #[arg(long, value_enum, default_value = "f32")]
    pub(crate) adapter_weights: Storage,
    /// The adapters' ranks, given out in turn.
    #[arg(long, value_delimiter = ',', default_value = "16", value_name = "RANK,…")]
    pub(crate) ranks: Vec<usize>,
    /// What to measure.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "mix,single,cold", value_name = "NAME,…")]
    pub(crate) scenarios: Vec<Scenario>,
    /// Measure everything, at 1, 4, 16 and 32 streams. Takes an hour or so.
    #[arg(long)]
    pub(crate) all: bool,
    /// Requests at the same time; left out: 1,16.
    #[arg(long, value_delimiter = ',', value_name = "N,…")]
    pub(crate) streams: Option<Vec<usize>>,
    /// Requests of one run; left out: three a stream, six at least.
    #[arg(long, value_name = "N")]
    pub(crate) requests: Option<usize>,
    /// Tokens of each prompt.
    #[arg(long, default_value_t = 67, value_name = "N")]
    pub(crate) prompt_tokens: usize,
    /// Tokens generated for each.
    #[arg(long, default_value_t = 48, value_name = "N")]
    pub(crate) output_tokens: usize,
    /// Registered adapters in the scenario zipf1000.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    pub(crate) registered: usize,
    /// Their rank: 1,000 files of rank 16 would be 20 GB, twice.
    #[arg(long, default_value_t = 2, value_name = "RANK")]
    pub(crate) registered_rank: usize,
    /// Minutes of the scenario soak.
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    pub(crate) soak_minutes: f64,
    /// Requests a second in the scenario gateway.
    #[arg(long, value_delimiter = ',', default_value = "100,500,1000", value_name = "N,…")]
    pub(crate) rates: Vec<u32>,
    /// Seconds at each rate.
    #[arg(long, default_value_t = 10.0, value_name = "N")]
    pub(crate) rate_seconds: f64,
    /// Another gateway, asked in turns with this one in the scenario gateway: the same requests, with the same key.
    #[arg(long, value_name = "URL")]
    pub(crate) beside: Option<String>,
    /// Uploads at the same time in the scenario uploads.
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub(crate) uploads: usize,
    /// Size of each, in MiB.
    #[arg(long, default_value_t = 100, value_name = "N")]
    pub(crate) upload_mb: usize,
    /// What the random numbers begin with.
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) seed: u64,
    /// A setting for the server, such as TENORA_DEVICE=cpu. May come more than once.
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) settings: Vec<String>,
    /// Keeps the base models, and the server's data while it runs.
    #[arg(long, default_value = "./.tenora/bench", value_name = "DIR")]
    #[serde(skip)]
    pub(crate) work_dir: PathBuf,
    /// Write every number to this file.
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    pub(crate) json: Option<PathBuf>,
}

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Scenario {
    /// Throughput and latency with no adapter, one, as many as streams, and random ones.
    Mix,
    /// One stream's speed beside what the memory's bandwidth allows.
    Single,
    /// One greedy tenant with ten times the requests of three others.
    Fair,
    /// Time to first token of an adapter that is not in memory.
    Cold,
    /// Twice as many adapters in use as fit into memory.
    Pressure,
    /// Minutes of random traffic, and the server's memory meanwhile.
    Soak,
    /// A thousand registered adapters whose popularity follows Zipf's law.
    Zipf1000,
    /// What the gateway adds to a request's time, at fixed rates. Best with `--shape tiny`; not part of `--all`.
    Gateway,
    /// Many large uploads at the same time while requests run. Not part of `--all`: it writes some gigabytes.
    Uploads,
}

impl Options {
    /// Refuses what cannot be measured.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        let positive = |name: &str, values: &[usize]| {
            ensure!(!values.is_empty() && !values.contains(&0), "{name} must be 1 or more");
            Ok(())
        };
        positive("--ranks", &self.ranks)?;
        positive("--streams", &self.streams())?;
        positive("--requests", &[self.requests.unwrap_or(1)])?;
        positive("--prompt-tokens", &[self.prompt_tokens])?;
        // One token has no time between tokens.
        ensure!(self.output_tokens >= 2, "--output-tokens must be 2 or more");
        ensure!(self.registered >= 32, "--registered must be 32 or more");
        positive("--registered-rank", &[self.registered_rank])?;
        ensure!(self.rates.iter().all(|rate| *rate > 0), "--rates must be 1 or more");
        ensure!(self.rate_seconds > 0.0, "--rate-seconds must be more than 0");
        if let Some(url) = &self.beside {
            let told = url.starts_with("http://") || url.starts_with("https://");
            ensure!(told, "--beside {url}: write a URL, such as http://127.0.0.1:4000");
        }
        positive("--uploads", &[self.uploads, self.upload_mb])?;
        ensure!(self.soak_minutes > 0.0, "--soak-minutes must be more than 0");
        let context = self.shape.shape().context;
        let longest = self.longest_request();
        ensure!(
            longest <= context,
            "two prompts and an output are {longest} tokens, and the model's context has {context}"
        );
        self.settings().map(drop)
    }

    pub(crate) fn streams(&self) -> Vec<usize> {
        match (&self.streams, self.all) {
            (Some(streams), _) => streams.clone(),
            (None, true) => ALL_STREAMS.to_vec(),
            (None, false) => QUICK_STREAMS.to_vec(),
        }
    }

    /// The most streams of any run of `mix`; other scenarios use as many.
    pub(crate) fn most_streams(&self) -> usize {
        self.streams().into_iter().max().unwrap_or(1)
    }

    pub(crate) fn wants(&self, scenario: Scenario) -> bool {
        (self.all && !matches!(scenario, Scenario::Gateway | Scenario::Uploads))
            || self.scenarios.contains(&scenario)
    }

    /// Requests of a run on this many streams.
    pub(crate) fn requests(&self, streams: usize) -> usize {
        self.requests.unwrap_or((REQUESTS_PER_STREAM * streams).max(LEAST_REQUESTS))
    }

    /// Tokens of the longest request of any scenario: `soak` has prompts up to twice as long.
    pub(crate) fn longest_request(&self) -> usize {
        2 * self.prompt_tokens + self.output_tokens
    }

    /// How many adapters are uploaded where every stream has its own.
    pub(crate) fn adapters(&self) -> usize {
        self.most_streams().max(LEAST_ADAPTERS)
    }

    pub(crate) fn rank(&self, adapter: usize) -> usize {
        self.ranks[adapter % self.ranks.len()]
    }

    /// The server's settings by name.
    pub(crate) fn settings(&self) -> anyhow::Result<Vec<(String, String)>> {
        let pair = |text: &String| {
            let (name, value) = text
                .split_once('=')
                .with_context(|| format!("--set {text}: write NAME=VALUE, such as TENORA_DEVICE=cpu"))?;
            Ok((name.to_owned(), value.to_owned()))
        };
        self.settings.iter().map(pair).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        options: Options,
    }

    fn options(arguments: &[&str]) -> Options {
        Command::try_parse_from([&["bench"], arguments].concat()).unwrap().options
    }

    #[test]
    fn the_defaults_are_those_of_the_figures_to_compare_with() {
        let options = options(&[]);
        options.check().unwrap();
        assert_eq!((options.requests(16), options.prompt_tokens, options.output_tokens), (48, 67, 48));
        assert_eq!((options.streams(), options.adapters(), options.rank(15)), (vec![1, 16], 16, 16));
        assert!(options.wants(Scenario::Mix) && !options.wants(Scenario::Soak));
    }

    #[test]
    fn everything_and_mixed_ranks_can_be_asked_for() {
        let options = options(&["--all", "--ranks", "8,16,64", "--set", "TENORA_DEVICE=cpu"]);
        assert_eq!((options.adapters(), options.rank(4)), (32, 16));
        assert!(options.wants(Scenario::Soak));
        assert_eq!(options.settings().unwrap(), [("TENORA_DEVICE".to_owned(), "cpu".to_owned())]);
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        for wrong in [
            ["--streams", "0"],
            ["--ranks", "16,0"],
            ["--output-tokens", "1"],
            ["--set", "DEVICE"],
            ["--beside", "localhost:4000"],
        ] {
            assert!(options(&wrong).check().is_err(), "{wrong:?}");
        }
    }
}
