//! An S3 server for tests: moto, from a virtual environment of its own, on a free port, ended with the test.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A bucket that is there.
pub(crate) const BUCKET: &str = "adapters";

const SCRIPT: &str = include_str!("moto.py");
const PINS: &str = include_str!("moto.txt");

/// A running server; it ends when its standard input does, so also when the tests are killed.
pub(crate) struct Moto {
    pub(crate) endpoint: String,
    process: Child,
}

impl Moto {
    /// Starts one with these variables; `None` after saying that the test is skipped.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Option<Self> {
        let python = match environment() {
            Ok(python) => python,
            Err(problem) => return skipped(&problem),
        };
        let mut process = Command::new(python)
            .args(["-c", SCRIPT, BUCKET])
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the interpreter was there just now");
        let mut endpoint = String::new();
        let output = process.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut endpoint).expect("it says where it answers");
        assert!(endpoint.starts_with("http://"), "moto did not start: {endpoint:?}");
        Some(Self { endpoint: endpoint.trim_end().to_owned(), process })
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment alone")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn skipped(problem: &str) -> Option<Moto> {
    assert!(
        variable("TENORA_TEST_REQUIRE_SERVICES").as_deref() != Some("1"),
        "{problem}, and TENORA_TEST_REQUIRE_SERVICES=1 asks for every service"
    );
    let test = std::thread::current();
    _ = writeln!(std::io::stderr(), "SKIPPED: {} needs moto: {problem}", test.name().unwrap_or("a test"));
    None
}

/// The interpreter of a virtual environment with the pinned packages, remade when the pins change.
fn environment() -> Result<PathBuf, String> {
    let cache = match variable("TENORA_TEST_CACHE") {
        Some(cache) => PathBuf::from(cache),
        None => Path::new(&variable("HOME").ok_or("HOME is not set")?).join(".cache/tenora"),
    };
    fs::create_dir_all(&cache).map_err(|error| format!("{} cannot be made: {error}", cache.display()))?;
    let (folder, python) = (cache.join("moto"), cache.join("moto/bin/python"));
    // Other test processes wait here until the first of them is done.
    let lock = File::create(cache.join("moto.lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;
    let installed = folder.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|pins| pins == PINS) {
        return Ok(python);
    }
    let pins = cache.join("moto.txt");
    fs::write(&pins, PINS).map_err(|error| error.to_string())?;
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    run(Command::new(&python)
        .args(["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r"])
        .arg(&pins))?;
    fs::write(&installed, PINS).map_err(|error| error.to_string())?;
    Ok(python)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?} cannot run: {error}"))?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(format!("{command:?} failed: {}", told.trim())) }
}
