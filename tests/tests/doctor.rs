//! `tenora doctor` and `tenora health`: what an operator and a container's health check ask.

use std::{
    net::TcpListener,
    process::{Command, Output},
    time::Duration,
};

use tenora_tests::{Settings, binary, repository};

/// Looks, with these settings and no others.
fn doctor(settings: &[(&str, &str)], arguments: &[&str]) -> (bool, String) {
    let data = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(binary());
    command.arg("doctor").args(arguments).env_clear().current_dir(&data).env("TENORA_LISTEN", "127.0.0.1:0");
    words(command.envs(settings.iter().copied()).output().expect("it runs"))
}

fn words(output: Output) -> (bool, String) {
    let all = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.success(), String::from_utf8_lossy(&all).into_owned())
}

/// The marks and subjects of what is not good.
fn marked<'a>(words: &'a str, mark: &str) -> Vec<&'a str> {
    let found = words.lines().filter_map(|line| line.strip_prefix(mark)?.trim().split("  ").next());
    found.collect()
}

#[test]
fn the_demo_is_well_and_looking_at_it_changes_nothing() {
    let demo = repository().join("demo");
    let data = tempfile::tempdir().expect("a folder");
    let folder = data.path().join("data");
    let (well, said) =
        doctor(&[("TENORA_DATA_DIR", &folder.to_string_lossy())], &["--demo", &demo.to_string_lossy()]);
    assert!(well && marked(&said, "FIX").is_empty(), "{said}");
    assert!(said.contains("every tensor is there") && said.contains("available"), "{said}");
    assert!(!folder.exists(), "it made {}", folder.display());
}

#[test]
fn everything_that_would_keep_a_server_from_serving_is_named_at_once() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let base = repository().join("demo/base");
    let secret = "0123456789abcdef0123456789abcdef";
    let (well, said) = doctor(
        &[
            ("TENORA_MODEL", &base.to_string_lossy()),
            ("TENORA_KV_CACHE_BYTES", "900TiB"),
            ("TENORA_LISTEN", &address),
            ("TENORA_DATABASE_URL", "postgres://nobody:hunter2@127.0.0.1:9/none"),
            ("TENORA_REDIS_URL", "redis://127.0.0.1:9"),
            ("TENORA_ADMIN_KEY", secret),
            ("TENORA_PEPPER", secret),
            ("TENORA_OPS_LISTEN", "0.0.0.0:0"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9"),
        ],
        &[],
    );
    assert!(!well, "{said}");
    assert_eq!(marked(&said, "FIX"), ["address", "storage", "redis", "memory"], "{said}");
    assert_eq!(marked(&said, "note"), ["ops", "telemetry"], "{said}");
    assert!(!said.contains("hunter2") && !said.contains(secret), "{said}");
}

#[test]
fn a_model_that_cannot_be_served_is_told_without_loading_it() {
    let empty = tempfile::tempdir().expect("a folder");
    let (well, said) = doctor(&[("TENORA_MODEL", &empty.path().to_string_lossy())], &[]);
    assert!(!well && said.contains("config.json"), "{said}");
    let (well, said) = doctor(&[("TENORA_MODLE", "x")], &[]);
    assert!(!well && said.contains("did you mean TENORA_MODEL?"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_health_check_follows_the_server() {
    let settings = Settings::demo().with("TENORA_OPS_LISTEN", "127.0.0.1:0");
    let mut server = settings.start();
    let address = server.ops_address().to_owned();
    let asked = |more: &[&str]| {
        let mut command = Command::new(binary());
        command.arg("health").args(more).env_clear().env("TENORA_OPS_LISTEN", &address);
        words(command.output().expect("it runs"))
    };
    let (ready, said) = asked(&[]);
    assert!(ready && said.contains(r#""status":"ok""#), "{said}");
    assert!(asked(&["--alive"]).0);
    server.terminate();
    assert!(server.wait(Duration::from_secs(30)).success());
    let (alive, said) = asked(&["--alive"]);
    assert!(!alive && said.contains("nobody answers"), "{said}");
}
