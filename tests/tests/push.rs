//! `tenora adapter push` over connections that break: what has arrived is not sent again.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::json;
use tenora_tests::{BreakingWire, Settings, binary, chat, repository};

const PART_BYTES: u64 = 64 << 10;
const QUESTION: &str = "List all customers from Delhi.";
/// Requests around the parts' bytes.
const OVERHEAD: u64 = 64 << 10;

/// A folder as PEFT saves it: a demo adapter's.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for file in ["adapter_config.json", "adapter_model.safetensors"] {
        let from = repository().join("demo/adapters/text-to-sql").join(file);
        fs::copy(from, folder.path().join(file)).expect("copied");
    }
    folder
}

fn push(url: &str, key: &str, folder: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(["adapter", "push"]).arg(folder).args(["--name", "sql", "--part-size", "64KiB"]).args(more);
    command.env_clear().env("TENORA_URL", url).env("TENORA_API_KEY", key);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn words(output: &Output) -> String {
    [&output.stdout[..], &output.stderr[..]].concat().iter().map(|byte| char::from(*byte)).collect()
}

async fn ended(child: Child) -> Output {
    let wait = tokio::task::spawn_blocking(|| child.wait_with_output().expect("it ends"));
    tokio::time::timeout(Duration::from_secs(120), wait).await.expect("in time").expect("no panic")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_that_broke_off_sends_only_what_is_missing() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let key = settings.credentials()["tenants"][0]["api_key"].as_str().expect("a key").to_owned();
    let folder = folder();
    let total = fs::metadata(folder.path().join("adapter_model.safetensors")).expect("there").len();
    let wire = BreakingWire::to(&server.url, 6 * PART_BYTES).await;

    let child = push(&wire.url, &key, folder.path(), &[]).spawn().expect("it runs");
    wire.breaks().await;
    // It tries again until somebody gives up.
    tokio::time::sleep(Duration::from_millis(700)).await;
    let interrupted =
        Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill runs");
    assert!(interrupted.success(), "it has not ended by itself");
    let output = ended(child).await;
    assert!(!output.status.success() && words(&output).contains("push again"), "{}", words(&output));

    let pending = acme.get("/v1/uploads?status=pending").await.body;
    let upload = pending["data"][0]["id"].as_str().expect("it is still there").to_owned();
    let parts = acme.get(&format!("/v1/uploads/{upload}/parts?limit=100")).await.body;
    let there = parts["data"].as_array().expect("a list").len() as u64;
    assert!((1..=6).contains(&there), "{parts}");

    wire.mend();
    let output = ended(push(&wire.url, &key, folder.path(), &[]).spawn().expect("it runs")).await;
    assert!(output.status.success(), "{}", words(&output));
    let told = format!("Resuming: {there} of {} parts", total.div_ceil(PART_BYTES));
    assert!(
        words(&output).contains(&told) && words(&output).contains("sql@1 is routable"),
        "{}",
        words(&output)
    );
    let sent = wire.carried();
    assert!(
        sent < total - there * PART_BYTES + OVERHEAD,
        "{sent} bytes of {total}, {there} parts were there"
    );
    assert!(sent > total - there * PART_BYTES, "{sent}");
    let globex = server.tenant(&settings, "globex");
    assert_eq!(acme.text(&chat("sql", QUESTION)).await, globex.text(&chat("text-to-sql", QUESTION)).await);
    assert_eq!(acme.get("/v1/uploads?status=pending").await.body["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_push_outlives_a_short_outage() {
    let settings = Settings::demo();
    let server = settings.start();
    let key = settings.credentials()["tenants"][0]["api_key"].as_str().expect("a key").to_owned();
    let folder = folder();
    let wire = BreakingWire::to(&server.url, 5 * PART_BYTES).await;
    let child = push(&wire.url, &key, folder.path(), &["--json"]).spawn().expect("it runs");
    wire.breaks().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    wire.mend();
    let output = ended(child).await;
    assert!(output.status.success(), "{}", words(&output));
    let version: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON and nothing else");
    assert_eq!(version["model"], "sql@1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrected_config_is_pushed_without_its_weights() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let key = settings.credentials()["tenants"][0]["api_key"].as_str().expect("a key").to_owned();
    let folder = folder();
    let config = folder.path().join("adapter_config.json");
    let good = fs::read_to_string(&config).expect("there");
    let wire = BreakingWire::to(&server.url, u64::MAX).await;
    let run = async |more: &[&str]| {
        ended(push(&wire.url, &key, folder.path(), more).spawn().expect("it runs")).await
    };

    fs::write(&config, "{").expect("written");
    let output = run(&[]).await;
    assert!(words(&output).contains("not valid JSON; nothing was sent"), "{}", words(&output));
    let mut bad: serde_json::Value = serde_json::from_str(&good).expect("JSON");
    bad["use_dora"] = true.into();
    fs::write(&config, bad.to_string()).expect("written");
    let output = run(&[]).await;
    assert!(!output.status.success(), "{}", words(&output));
    assert!(
        words(&output).contains("sends nothing") && words(&output).contains("adapter_unsupported_dora"),
        "{}",
        words(&output)
    );

    fs::write(&config, &good).expect("written");
    wire.mend();
    let output = run(&[]).await;
    assert!(
        output.status.success() && words(&output).contains("on the server already"),
        "{}",
        words(&output)
    );
    assert!(wire.carried() < PART_BYTES, "{}", wire.carried());
    // Asked to, it sends everything; and parts that were cut in another way are given up.
    let output = run(&["--no-resume"]).await;
    assert!(output.status.success() && words(&output).contains("sql@1"), "{}", words(&output));
    let sha256 = acme.get("/v1/uploads").await.body["data"][0]["sha256"].clone();
    let bytes = fs::metadata(folder.path().join("adapter_model.safetensors")).expect("there").len();
    let begun = json!({"filename": "x", "bytes": bytes, "sha256": sha256});
    let other = acme.post("/v1/uploads", &begun).await.body["id"].as_str().expect("an id").to_owned();
    let form = reqwest::multipart::Form::new().text("data", "other").text("part_number", "1");
    let path = format!("/v1/uploads/{other}/parts");
    let part = acme.request(reqwest::Method::POST, &path).multipart(form);
    assert_eq!(tenora_tests::Reply::to(part).await.status, 200);
    let output = run(&[]).await;
    assert!(output.status.success() && words(&output).contains("given up"), "{}", words(&output));
    assert_eq!(acme.get(&format!("/v1/uploads/{other}")).await.body["status"], "cancelled");
}
