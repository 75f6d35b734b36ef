//! A `tenora` process: started with settings and a data folder of its own, asked to stop, killed when dropped.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{client::Client, tree::repository};

/// How long a start may take: the machine may be busy with other things.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// The binary beside this test's own: `make test` builds it first.
pub fn binary() -> PathBuf {
    let own = std::env::current_exe().expect("a running test has a path");
    let release = own.ancestors().nth(2).expect("tests lie in target/release/deps");
    let binary = release.join("tenora");
    assert!(
        binary.exists(),
        "{} is not built; run `cargo build --release -p tenora-gateway`",
        binary.display()
    );
    binary
}

/// What a server is started with. Its data folder lives as long as this.
pub struct Settings {
    data: TempDir,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Settings {
    /// The demo, on a free port.
    pub fn demo() -> Self {
        let demo = repository().join("demo");
        Self::new(&["serve", "--demo", &demo.to_string_lossy()])
    }

    /// The demo's base model without the demo's tenants.
    pub fn base() -> Self {
        Self::on_base(&["serve"])
    }

    /// Any command, with the demo's base model.
    pub fn on_base(arguments: &[&str]) -> Self {
        let base = repository().join("demo/base");
        Self::new(arguments).with("TENORA_MODEL", &base.to_string_lossy())
    }

    fn new(arguments: &[&str]) -> Self {
        Self {
            data: tempfile::tempdir().expect("a folder"),
            arguments: arguments.iter().map(|argument| (*argument).to_owned()).collect(),
            variables: vec![("TENORA_LISTEN".to_owned(), "127.0.0.1:0".to_owned())],
        }
    }

    /// Sets a variable; the last value counts.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// The demo's credentials, as a newcomer's script reads them.
    pub fn credentials(&self) -> Value {
        let text = fs::read_to_string(self.data().join("demo-credentials.json")).expect("the demo writes it");
        serde_json::from_str(&text).expect("it is JSON")
    }

    /// Runs the binary until it ends; for starts that must fail. Returns its status and what it wrote to stderr.
    pub fn fail(&self) -> (ExitStatus, String) {
        let output = self.command().output().expect("the binary runs");
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Starts a server and waits until it answers.
    pub fn start(&self) -> Server {
        let log = self.data().join("stderr");
        let mut command = self.command();
        command.stdout(Stdio::piped()).stderr(File::create(&log).expect("a file"));
        let mut child = command.spawn().expect("the binary runs");
        let stdout = child.stdout.take().expect("it is piped");
        let (lines, read) = mpsc::channel();
        // Reads on after the welcome, so that the server never waits for a full pipe.
        std::thread::spawn(move || {
            BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| _ = lines.send(line));
        });
        let mut server = Server { child, url: String::new(), welcome: Vec::new(), lines: read };
        let started = server.read_welcome();
        assert!(started, "the server did not start:\n{}", fs::read_to_string(&log).unwrap_or_default());
        server
    }

    fn command(&self) -> Command {
        let mut command = Command::new(binary());
        command.args(&self.arguments).env_clear().current_dir(self.data());
        command.env("TENORA_DATA_DIR", self.data()).env("TENORA_LOG", "warn");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A running server.
pub struct Server {
    child: Child,
    /// Where it answers.
    pub url: String,
    /// What it printed when it was ready.
    pub welcome: Vec<String>,
    lines: mpsc::Receiver<String>,
}

impl Server {
    /// Reads what it prints until it says where it answers.
    fn read_welcome(&mut self) -> bool {
        let started = Instant::now();
        while let Ok(line) = self.lines.recv_timeout(START_TIMEOUT.saturating_sub(started.elapsed())) {
            let url = line.split_once(" at http://").map(|(_, address)| format!("http://{}", address.trim()));
            self.welcome.push(line);
            if let Some(url) = url {
                std::thread::sleep(Duration::from_millis(100));
                self.welcome.extend(self.lines.try_iter());
                self.url = url;
                return true;
            }
        }
        false
    }

    /// A client of the operator's address, where there is one.
    pub fn ops(&self) -> Client {
        Client::new(&format!("http://{}", self.ops_address()), None)
    }

    /// The operator's address, where there is one.
    pub fn ops_address(&self) -> &str {
        let told = self.welcome.iter().find_map(|line| line.trim().strip_prefix("metrics"));
        let url = told.expect("TENORA_OPS_LISTEN is set").trim();
        url.trim_start_matches("http://").trim_end_matches("/metrics")
    }

    /// What Prometheus would read now.
    pub async fn metrics(&self) -> String {
        let answer = self.ops().request(reqwest::Method::GET, "/metrics").send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer.text().await.expect("a text")
    }

    /// Kills the process as `kill -9` does, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// A client with this key, or with none.
    pub fn client(&self, key: Option<&str>) -> Client {
        Client::new(&self.url, key)
    }

    /// A demo tenant's client.
    pub fn tenant(&self, settings: &Settings, slug: &str) -> Client {
        let credentials = settings.credentials();
        let tenants = credentials["tenants"].as_array().expect("a list");
        let tenant = tenants.iter().find(|tenant| tenant["slug"] == slug).expect("a demo tenant");
        self.client(tenant["api_key"].as_str())
    }

    /// The operator's client.
    pub fn admin(&self, settings: &Settings) -> Client {
        self.client(settings.credentials()["admin_key"].as_str())
    }

    /// Resident memory, in bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("Linux");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a process has memory");
        let kilobytes = line.trim().trim_end_matches("kB").trim().parse::<u64>().expect("a number");
        kilobytes << 10
    }

    /// Asks the process to stop, as a service manager does.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
        assert!(sent.success(), "the process is gone already");
    }

    /// Waits for the end; fails when it takes longer.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("it is our child") {
                return status;
            }
            assert!(started.elapsed() < limit, "the server still runs after {limit:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
