//! A `tenora` process of its own: the same binary, settings and a data folder of the benchmark's, killed when dropped.
//! A process and not a thread, so that its memory can be measured, a client never shares its allocator or runtime, and
//! each server begins with fresh settings, which are read from the environment.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, anyhow};

use crate::{bare::Answer, client::Client};

/// How long a start may take, in which the base model is read.
const START_TIMEOUT: Duration = Duration::from_secs(600);
/// Good for this server's life on loopback.
const ADMIN_KEY: &str = "the-admin-key-of-a-benchmark-on-loopback";

/// What a server is started with.
pub(crate) struct Launch {
    /// The `tenora` binary.
    pub(crate) binary: PathBuf,
    /// The base model's folder.
    pub(crate) model: PathBuf,
    /// Environment variables; the last of a name counts.
    pub(crate) settings: Vec<(String, String)>,
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    data: PathBuf,
    /// The operator's client.
    pub(crate) operator: Client,
}

impl Server {
    /// Starts one with an empty data folder and waits until it answers. Blocks.
    pub(crate) fn start(launch: &Launch, data: &Path) -> anyhow::Result<Self> {
        if data.exists() {
            fs::remove_dir_all(data)?;
        }
        fs::create_dir_all(data)?;
        let log = data.join("stderr");
        let mut command = Command::new(&launch.binary);
        command.arg("serve").env_clear();
        command
            .env("TENORA_LISTEN", "127.0.0.1:0")
            .env("TENORA_LOG", "warn")
            .env("TENORA_LOG_FORMAT", "text");
        command
            .env("TENORA_ADMIN_KEY", ADMIN_KEY)
            .env("TENORA_DATA_DIR", data)
            .env("TENORA_MODEL", &launch.model);
        command.envs(launch.settings.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
        let mut child =
            command.spawn().with_context(|| format!("cannot start {}", launch.binary.display()))?;
        let url = welcome(&mut child);
        // From here on the process is killed whatever fails.
        let mut server = Self { child, data: data.to_owned(), operator: Client::new("", ADMIN_KEY)? };
        let words = || fs::read_to_string(&log).unwrap_or_default();
        let url = url.ok_or_else(|| anyhow!("the server did not start:\n{}", words()))?;
        server.operator = Client::new(&url, ADMIN_KEY)?;
        Ok(server)
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory of the process, in bytes.
    pub(crate) fn resident_bytes(&self) -> u64 {
        crate::machine::resident_bytes(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already; its data is of no use to anybody.
        _ = self.child.kill();
        _ = self.child.wait();
        _ = fs::remove_dir_all(&self.data);
    }
}

/// A process that answers every request at once, killed when dropped.
pub(crate) struct Bare {
    child: Child,
    pub(crate) url: String,
}

impl Bare {
    /// Starts one that gives this answer, and waits until it listens. Blocks.
    pub(crate) fn start(binary: &Path, answer: &Answer) -> anyhow::Result<Self> {
        let mut command = Command::new(binary);
        command.arg("bare").env_clear().stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        // From here on the process is killed whatever fails.
        let mut bare = Self { child, url: String::new() };
        // Dropped when it is written, so that the other end knows that this was all.
        let mut stdin = bare.child.stdin.take().context("the bare server has no input")?;
        stdin.write_all(&serde_json::to_vec(answer)?)?;
        drop(stdin);
        bare.url = welcome(&mut bare.child).context("the bare server did not start")?;
        Ok(bare)
    }

    /// The process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Where the server says that it answers; `None` when it ended, or took too long.
fn welcome(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (lines, read) = mpsc::channel();
    // Reads on after the welcome, so that the server never waits for a full pipe.
    thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| _ = lines.send(line));
    });
    let started = Instant::now();
    while let Ok(line) = read.recv_timeout(START_TIMEOUT.saturating_sub(started.elapsed())) {
        if let Some((_, address)) = line.split_once(" at http://") {
            return Some(format!("http://{}", address.trim()));
        }
    }
    None
}
