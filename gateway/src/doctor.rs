//! Before a server starts: are its settings right, does what it needs answer, and will it fit? Each finding says what was
//! looked at, how it is, and what would help. Looks, and changes nothing.

use std::{
    fmt, fs,
    net::{SocketAddr, TcpListener},
    path::Path,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};
use tenora_adapter_store::{BlobsUrl, DatabaseUrl, Maintenance};
use tenora_engine::{EngineError, InstructionSet, Plan};
use tokio::time::timeout;

use crate::{
    auth::jwt::Issuers,
    boot,
    config::{Answering, Config, ModelSource, OtlpSettings},
};

/// How long one dependency may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What the process takes beside weights, KV blocks and adapters, roughly.
const OVERHEAD_BYTES: u64 = 512 << 20;
/// Open files below which many clients at the same time are refused by the system.
const FEW_FILES: u64 = 8192;
/// Free disk below which uploads and usage files soon have no room.
const LITTLE_DISK: u64 = 2 << 30;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Good.
    Good,
    /// It works; the words say what would be better.
    Advice,
    /// A server would not start, or not serve.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub subject: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// In words.
    pub words: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.verdict {
            Verdict::Good => "ok  ",
            Verdict::Advice => "note",
            Verdict::Bad => "FIX ",
        };
        write!(f, "{mark}  {:<10}  {}", self.subject, self.words.replace('\n', "\n                  "))
    }
}

fn good(subject: &'static str, words: impl Into<String>) -> Finding {
    Finding { subject, verdict: Verdict::Good, words: words.into() }
}

fn advice(subject: &'static str, words: impl Into<String>) -> Finding {
    Finding { subject, verdict: Verdict::Advice, words: words.into() }
}

fn bad(subject: &'static str, words: impl Into<String>) -> Finding {
    Finding { subject, verdict: Verdict::Bad, words: words.into() }
}

/// Looks at everything that a server with these settings would need, and tells each finding as it is there.
pub async fn examine(config: &Config, mut tell: impl FnMut(Finding)) {
    tell(good("settings", "can be read, and contradict nothing"));
    config.notices.iter().for_each(|notice| tell(advice("settings", notice)));
    tell(tokens(config));
    tell(data_dir(&config.server.data_dir));
    tell(address("address", config.server.listen, "TENORA_LISTEN"));
    if let Some(ops) = config.telemetry.ops_listen {
        tell(address("ops", ops, "TENORA_OPS_LISTEN"));
        if !ops.ip().is_loopback() {
            tell(advice("ops", "asks nobody who they are: keep TENORA_OPS_LISTEN on a private network"));
        }
    }
    tell(storage(config).await);
    if let Some(url) = &config.store.redis_url {
        tell(redis(url).await);
    } else if config.store.database_url.is_some() {
        tell(advice(
            "redis",
            "none: with more than one server, each enforces the limits by itself; set TENORA_REDIS_URL",
        ));
    }
    if let Some(otlp) = &config.telemetry.otlp {
        tell(collector(otlp).await);
    }
    match &config.answering {
        Answering::Shared => model(config).into_iter().for_each(&mut tell),
        Answering::Mistralrs { models } => tell(advice(
            "engine",
            format!(
                "mistral.rs: {models} whole models in memory at most, the base among them (TENORA_MISTRALRS_MODELS)"
            ),
        )),
        Answering::Vllm(vllm) => {
            let base = vllm.model.clone().unwrap_or_else(|| config.engine.model.id());
            for server in &vllm.servers {
                tell(match tenora_fleet::probe(server, vllm.api_key.clone(), &base).await {
                    Ok(()) => good("vllm", format!("{server} answers, and has {base}")),
                    Err(problem) => bad("vllm", format!("{server}: {problem}")),
                });
            }
            tell(adapter_dir(&vllm.folder));
        }
    }
    machine().into_iter().for_each(tell);
}

fn tokens(config: &Config) -> Finding {
    match Issuers::load(&config.jwt) {
        Ok(_) => good("secrets", "are long enough, and the issuers of tokens, if any, can be read"),
        Err(mistakes) => bad("secrets", mistakes.to_string()),
    }
}

/// The folder is there or can be made, takes files, and has room.
fn data_dir(dir: &Path) -> Finding {
    let shown = dir.display();
    let nearest = dir.ancestors().find(|parent| parent.exists()).unwrap_or(Path::new("."));
    let probe = nearest.join(format!(".tenora-doctor-{}", std::process::id()));
    let written = fs::write(&probe, b"ok");
    _ = fs::remove_file(&probe);
    if let Err(error) = written {
        return bad(
            "data",
            format!(
                "{shown} cannot be written: {error}; choose another with TENORA_DATA_DIR, or give this user the right"
            ),
        );
    }
    match rustix::fs::statvfs(nearest) {
        Ok(disk) if disk.f_bavail * disk.f_frsize < LITTLE_DISK => {
            let free = size(disk.f_bavail * disk.f_frsize);
            advice("data", format!("{shown} can be written, and its disk has only {free} left"))
        }
        Ok(disk) => {
            good("data", format!("{shown} can be written; {} free", size(disk.f_bavail * disk.f_frsize)))
        }
        Err(_) => good("data", format!("{shown} can be written")),
    }
}

fn address(subject: &'static str, address: SocketAddr, variable: &str) -> Finding {
    match TcpListener::bind(address) {
        Ok(_) => good(subject, format!("{address} is free")),
        Err(error) => bad(
            subject,
            format!(
                "{address} cannot be taken: {error}; is a server running already? Else choose another with {variable}"
            ),
        ),
    }
}

async fn storage(config: &Config) -> Finding {
    let (database, blobs) = (boot::database(config), boot::blobs(config));
    let place = match &blobs.url {
        BlobsUrl::Local(dir) => dir.display().to_string(),
        BlobsUrl::S3(bucket) => bucket.to_string(),
    };
    let rows = match &database {
        DatabaseUrl::Sqlite(file) if !file.exists() => {
            return good(
                "storage",
                "SQLite and adapters' bytes, made in the data directory at the first start",
            );
        }
        DatabaseUrl::Sqlite(file) => file.display().to_string(),
        DatabaseUrl::Postgres(_) => "Postgres".to_owned(),
    };
    let opened = timeout(PATIENCE * 4, Maintenance::open(&database, blobs)).await;
    let store = match opened {
        Err(_) => {
            return bad(
                "storage",
                format!("{rows} and {place} did not both answer within 20 s; look at the network between"),
            );
        }
        Ok(Err(error)) => return bad("storage", chain(&error)),
        Ok(Ok(store)) => store,
    };
    match store.is_above_row_security().await {
        Ok(false) => good("storage", format!("rows in {rows}, at this program's schema; bytes in {place}")),
        Ok(true) => advice(
            "storage",
            "the database role is a superuser, whom row-level security does not bind: make another with `tenora migrate --app-role NAME` and serve with that",
        ),
        Err(error) => bad("storage", chain(&error)),
    }
}

async fn redis(url: &SecretString) -> Finding {
    let ask = async {
        let client = redis::Client::open(url.expose_secret())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("INFO").query_async::<String>(&mut connection).await
    };
    let info = match timeout(PATIENCE, ask).await {
        Err(_) => {
            return bad(
                "redis",
                "does not answer within 5 s; look at TENORA_REDIS_URL and the network between",
            );
        }
        Ok(Err(error)) => return bad("redis", format!("cannot be used: {error}; look at TENORA_REDIS_URL")),
        Ok(Ok(info)) => info,
    };
    let field = |name: &str| {
        let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.unwrap_or("unknown").trim().to_owned()
    };
    let (version, policy) = (field("redis_version"), field("maxmemory_policy"));
    match (field("redis_mode").as_str(), policy.as_str()) {
        ("cluster", _) => bad(
            "redis",
            "is a cluster, and the keys of one decision must lie together: use a single or a replicated server",
        ),
        (_, "noeviction") => good("redis", format!("answers: version {version}")),
        (_, policy) => advice(
            "redis",
            format!(
                "answers: version {version}; its maxmemory-policy is {policy}, so that counters may be evicted and limits begin anew: set noeviction"
            ),
        ),
    }
}

/// An empty delivery, which a collector takes.
async fn collector(otlp: &OtlpSettings) -> Finding {
    let send = async {
        let url = otlp.endpoint.join("v1/traces").map_err(|error| error.to_string())?;
        let mut request = reqwest::Client::new().post(url).header("content-type", "application/x-protobuf");
        for (name, value) in &otlp.headers {
            request = request.header(name, value.expose_secret());
        }
        let answer = request.body("").send().await.map_err(|error| chain(&error.without_url()))?;
        if answer.status().is_success() { Ok(()) } else { Err(format!("it answers {}", answer.status())) }
    };
    let endpoint = &otlp.endpoint;
    match timeout(PATIENCE, send).await {
        Ok(Ok(())) => good("telemetry", format!("{endpoint} takes traces")),
        Ok(Err(problem)) => advice(
            "telemetry",
            format!("{endpoint} does not take traces: {problem}; serving goes on without"),
        ),
        Err(_) => {
            advice("telemetry", format!("{endpoint} does not answer within 5 s; serving goes on without"))
        }
    }
}

/// Adapters can be written for the servers.
fn adapter_dir(dir: &Path) -> Finding {
    let probe = dir.join(format!(".tenora-doctor-{}", std::process::id()));
    let written = fs::create_dir_all(dir).and_then(|()| fs::write(&probe, b"ok"));
    _ = fs::remove_file(&probe);
    let shown = dir.display();
    match written {
        Ok(()) => {
            good("adapters", format!("{shown} can be written; every vLLM server must see the same folder"))
        }
        Err(error) => bad(
            "adapters",
            format!(
                "{shown} cannot be written: {error}; choose another with TENORA_VLLM_ADAPTER_DIR, or give this user the right"
            ),
        ),
    }
}

fn model(config: &Config) -> Vec<Finding> {
    let settings = &config.engine;
    let folder = match &settings.model {
        ModelSource::Folder(folder) => folder.clone(),
        ModelSource::Hub(id) => {
            let folder = config.server.data_dir.join("models").join(id);
            if !folder.is_dir() {
                let words = format!(
                    "{id} is not here yet: the first start downloads it from {}",
                    settings.hub.endpoint
                );
                return vec![advice("model", words)];
            }
            folder
        }
    };
    let plan = match Plan::of(&boot::engine_config(settings, folder)) {
        Ok(plan) => plan,
        Err(error @ EngineError::BaseModel { .. }) => return vec![bad("model", chain(&error))],
        Err(error) => return vec![bad("model", chain(&error))],
    };
    let Plan { class, parameters, context_length, kv_tokens, .. } = plan;
    let served = format!(
        "{} ({class}, {:.0} million parameters), {context_length} tokens of context; every tensor is there",
        settings.model.id(),
        parameters as f64 / 1e6
    );
    let contexts = kv_tokens / context_length.max(1);
    let pool = format!(
        "the KV pool holds {kv_tokens} tokens: {contexts} whole contexts at the same time{}",
        if contexts < 4 { "; more with TENORA_KV_CACHE_BYTES" } else { "" }
    );
    let verdict = if contexts < 4 { advice("kv pool", pool) } else { good("kv pool", pool) };
    vec![good("model", served), verdict, memory(&plan)]
}

fn memory(plan: &Plan) -> Finding {
    let needed = plan.weight_bytes + plan.kv_bytes as u64 + plan.adapter_bytes as u64 + OVERHEAD_BYTES;
    let sum = format!(
        "base {} + KV {} + adapters {} + about {} = {}",
        size(plan.weight_bytes),
        size(plan.kv_bytes as u64),
        size(plan.adapter_bytes as u64),
        size(OVERHEAD_BYTES),
        size(needed)
    );
    let available = plan.device_bytes.map_or_else(available_memory, |bytes| Some(bytes as u64));
    match available {
        Some(available) if needed > available => bad(
            "memory",
            format!(
                "{sum}, and {} are available: lower TENORA_KV_CACHE_BYTES or TENORA_ADAPTER_MEMORY_BYTES, or set TENORA_QUANTIZE=q8_0",
                size(available)
            ),
        ),
        Some(available) => good("memory", format!("{sum} of {} available", size(available))),
        None => good("memory", sum),
    }
}

/// What the machine has left, or the container may take.
fn available_memory() -> Option<u64> {
    let read = |path: &str| fs::read_to_string(path).ok();
    let meminfo = read("/proc/meminfo")?;
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let machine = line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? << 10;
    let limit = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse::<u64>().ok());
    let used = read("/sys/fs/cgroup/memory.current").and_then(|text| text.trim().parse::<u64>().ok());
    let container = limit.map(|limit| limit.saturating_sub(used.unwrap_or(0)));
    Some(container.map_or(machine, |container| container.min(machine)))
}

fn machine() -> Vec<Finding> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut found = vec![match InstructionSet::Avx2.is_available() {
        true => good("cpu", format!("{cores} cores with AVX2")),
        false => advice("cpu", format!("{cores} cores without AVX2: it answers, far more slowly")),
    }];
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    if let Some(files) = files.filter(|files| *files < FEW_FILES) {
        found.push(advice("files", format!("this user may open {files} files, and each connection is one: raise it with `ulimit -n 65536`")));
    }
    found
}

fn size(bytes: u64) -> String {
    match bytes {
        0..0x10_0000 => format!("{} KiB", bytes >> 10),
        0x10_0000..0x4000_0000 => format!("{} MiB", bytes >> 20),
        _ => format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)),
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |all, cause| format!("{all}: {cause}"))
}
