//! The process dies at every step of a push, of a resumable upload and of an alias's move (`adapter-store/src/fault.rs`): after the next start there
//! is the old state or the new one, and the same push again succeeds.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tenora_tests::{Adapter, Client, Settings, binary, chat};

const CRASH_AT: &str = "TENORA_TEST_CRASH_AT";
const QUESTION: &str = "I was charged twice for my order.";

/// Lets `act` meet the point at which the process dies.
async fn crash(
    settings: Settings,
    point: &str,
    act: impl AsyncFnOnce(&Client) -> reqwest::Result<()>,
) -> Settings {
    let settings = settings.with(CRASH_AT, point);
    let mut server = settings.start();
    let acme = server.tenant(&settings, "acme");
    act(&acme).await.expect_err("the process died under it");
    assert!(!server.wait(Duration::from_secs(10)).success(), "{point}");
    settings.with(CRASH_AT, "")
}

/// The adapter's versions, and the one that its plain name means, which must answer.
async fn state(acme: &Client, model: &str) -> (Vec<Value>, Value) {
    let adapter = acme.get("/v1/adapters/helper").await.body;
    let versions = adapter["versions"].as_array().expect("versions");
    let mut body = chat(model, QUESTION);
    body["max_tokens"] = 1.into();
    let reply = acme.chat(&body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    (versions.iter().map(|version| version["version"].clone()).collect(), reply.body["model"].clone())
}

#[tokio::test]
async fn a_push_is_whole_or_nothing() {
    let content = |number: u8| Adapter::demo("ticket-triage").variant(number);
    let mut settings = Settings::demo();
    let server = settings.start();
    assert_eq!(server.tenant(&settings, "acme").upload("helper", &content(1)).await.status, 201);
    drop(server);
    let points = [
        ("push.staged", false),
        ("push.begun", false),
        ("push.checked", false),
        ("push.half-bytes", false),
        ("push.bytes", false),
        ("push.row", false),
        ("push.committed", true),
    ];
    for ((point, is_there), number) in points.into_iter().zip(2u8..) {
        settings = crash(settings, point, async |acme| {
            acme.upload_request("helper", &content(number)).send().await?.bytes().await.map(drop)
        })
        .await;
        let server = settings.start();
        let acme = server.tenant(&settings, "acme");
        let newest = if is_there { number } else { number - 1 };
        let expected: Vec<Value> = (1..=newest).rev().map(Value::from).collect();
        assert_eq!(state(&acme, "helper").await, (expected, format!("helper@{newest}").into()), "{point}");
        let again = acme.upload("helper", &content(number)).await;
        assert_eq!((again.status, &again.body["version"]), (201, &number.into()), "{point}: {}", again.body);
        assert_eq!(state(&acme, "helper").await.1, format!("helper@{number}"), "{point}");
    }
    // What a crash leaves of a push that nobody repeats is swept away, and nothing else.
    settings = crash(settings, "push.bytes", async |acme| {
        acme.upload_request("helper", &content(99)).send().await?.bytes().await.map(drop)
    })
    .await;
    let verified = store(&settings, &["verify", "--json"]);
    assert_eq!(
        (&verified["damaged"], &verified["missing"], &verified["orphans"]),
        (&0.into(), &0.into(), &1.into())
    );
    let server = settings.start();
    let blobs = settings.data().join("blobs");
    age(&blobs);
    assert_eq!(store(&settings, &["sweep", "--json"])["swept"]["unused"], 1);
    let verified = store(&settings, &["verify", "--json"]);
    assert_eq!((&verified["missing"], &verified["orphans"]), (&0.into(), &0.into()));
    assert_eq!(state(&server.tenant(&settings, "acme"), "helper").await.1, "helper@8");
}

/// What `tenora store …` says of a server's data.
fn store(settings: &Settings, arguments: &[&str]) -> Value {
    let output = Command::new(binary())
        .arg("store")
        .args(arguments)
        .env_clear()
        .env("TENORA_DATA_DIR", settings.data())
        .output()
        .expect("the binary runs");
    serde_json::from_slice(&output.stdout).expect("it says JSON")
}

/// Makes every blob older than the sweeper's grace.
fn age(folder: &Path) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            age(&path);
        } else {
            let file = fs::File::options().write(true).open(path).expect("writable");
            file.set_modified(SystemTime::now() - Duration::from_secs(7_200)).expect("its time can be set");
        }
    }
}

/// Sends one part under its number.
async fn send_part(acme: &Client, upload: &str, bytes: &[u8]) -> reqwest::Result<reqwest::Response> {
    let part = Part::bytes(bytes.to_vec()).file_name("part");
    let form = Form::new().text("part_number", "1").part("data", part);
    acme.request(Method::POST, &format!("/v1/uploads/{upload}/parts")).multipart(form).send().await
}

async fn complete(acme: &Client, upload: &str) -> reqwest::Result<reqwest::Response> {
    let parts = acme.get(&format!("/v1/uploads/{upload}/parts")).await.body;
    let body = json!({"part_ids": [parts["data"][0]["id"]]});
    acme.request(Method::POST, &format!("/v1/uploads/{upload}/complete")).json(&body).send().await
}

#[tokio::test]
async fn a_resumable_upload_goes_on_where_it_was() {
    let adapter = Adapter::demo("ticket-triage");
    let mut settings = Settings::demo();
    let server = settings.start();
    let body = json!({"filename": "adapter_model.safetensors", "bytes": adapter.weights.len()});
    let begun = server.tenant(&settings, "acme").post("/v1/uploads", &body).await.body;
    let upload = begun["id"].as_str().expect("an id").to_owned();
    drop(server);
    for (point, arrived) in [("upload.part-received", 0), ("upload.part-bytes", 0), ("upload.part-row", 1)] {
        settings = crash(settings, point, async |acme| {
            send_part(acme, &upload, &adapter.weights).await?.bytes().await.map(drop)
        })
        .await;
        let server = settings.start();
        let parts = server.tenant(&settings, "acme").get(&format!("/v1/uploads/{upload}/parts")).await.body;
        assert_eq!(parts["data"].as_array().map(Vec::len), Some(arrived), "{point}: {parts}");
    }
    for (point, status) in [("upload.completion", "pending"), ("upload.completed", "completed")] {
        settings =
            crash(settings, point, async |acme| complete(acme, &upload).await?.bytes().await.map(drop)).await;
        let server = settings.start();
        let shown = server.tenant(&settings, "acme").get(&format!("/v1/uploads/{upload}")).await.body;
        assert_eq!(shown["status"], status, "{point}: {shown}");
    }
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    assert_eq!(complete(&acme, &upload).await.expect("an answer").status(), 200, "again is no error");
    let body = json!({"name": "helper", "config": adapter.config, "weights_upload_id": upload});
    let made = acme.post("/v1/adapters", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(state(&acme, "helper").await.1, "helper@1");
    let left = fs::read_dir(settings.data().join("blobs")).expect("a folder").flatten();
    let left: Vec<_> =
        left.flat_map(|tenant| fs::read_dir(tenant.path().join("uploads"))).flatten().collect();
    let files = left.iter().flatten().flat_map(|upload| fs::read_dir(upload.path())).flatten().count();
    assert_eq!(files, 0, "also what the crashes left of its parts is gone");
}

#[tokio::test]
async fn an_alias_has_moved_or_has_not() {
    let mut settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    for number in [1, 2] {
        acme.upload("helper", &Adapter::demo("ticket-triage").variant(number)).await;
    }
    drop(server);
    for (point, back) in [("alias.row", "helper@2"), ("alias.committed", "helper@1")] {
        settings = crash(settings, point, async |acme| {
            let path = "/v1/adapters/helper/aliases/latest";
            let moved = acme.request(Method::PUT, path).json(&json!({"version": 1})).send().await?;
            moved.bytes().await.map(drop)
        })
        .await;
        let server = settings.start();
        let acme = server.tenant(&settings, "acme");
        assert_eq!(state(&acme, "helper").await.1, back, "{point}");
    }
}
