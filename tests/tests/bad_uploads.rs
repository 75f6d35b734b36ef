//! Every bad adapter of the engine's suite (`engine/tests/adapter_check/bad.rs`) is sent to a server: each is refused with its
//! own code and stays on record with it, and nothing else of it is left.
#![expect(
    clippy::unwrap_used,
    reason = "the engine's makers of bad adapters: one that cannot be made is a failed test"
)]

#[path = "../../engine/tests/adapter_check/adapter.rs"]
mod adapter;
#[path = "../../engine/tests/adapter_check/bad.rs"]
mod bad;

use std::{fs, path::Path};

use bad::Bad;
use futures_util::{StreamExt, stream};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Map, Value, json};
use sqlx::{Connection, SqliteConnection};
use tenora_engine::lora::codes;
use tenora_tests::{ADMIN_KEY, Client, Reply, Server, Settings};

/// The base model of the engine's fixtures, with a tokenizer of words, which a server needs.
fn base(folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for file in fs::read_dir(adapter::fixtures().join("llama/base")).expect("the fixture is there") {
        let file = file.expect("a file");
        fs::copy(file.path(), folder.join(file.file_name())).expect("it can be copied");
    }
    let vocabulary: Map<String, Value> = (0..160u32).map(|id| (format!("w{id}"), id.into())).collect();
    let tokenizer = json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": { "type": "WhitespaceSplit" },
        "post_processor": null,
        "decoder": null,
        "model": { "type": "WordLevel", "vocab": vocabulary, "unk_token": "w0" },
    });
    fs::write(folder.join("tokenizer.json"), tokenizer.to_string()).expect("it can be written");
}

async fn tenant(server: &Server) -> Client {
    let admin = server.client(Some(ADMIN_KEY));
    assert_eq!(admin.post("/admin/v1/tenants", &json!({"slug": "acme"})).await.status, 201);
    let made = admin.post("/admin/v1/tenants/acme/keys", &json!({"name": "test"})).await;
    server.client(made.body["key"].as_str())
}

async fn push(client: &Client, name: &str, config: Vec<u8>, weights: Vec<u8>) -> Reply {
    let part = |bytes: Vec<u8>, file: &'static str| Part::bytes(bytes).file_name(file);
    let form = Form::new()
        .text("name", name.to_owned())
        .part("adapter_config.json", part(config, "adapter_config.json"))
        .part("adapter_model.safetensors", part(weights, "adapter_model.safetensors"));
    Reply::to(client.request(Method::POST, "/v1/adapters").multipart(form)).await
}

/// What is refused on its way in has the code of that, and no push.
fn expected(bad: &Bad) -> (&'static str, bool) {
    match (bad.code, bad.files.weights.is_empty()) {
        (codes::CONFIG_TOO_LARGE, _) => ("payload_too_large", false),
        (_, true) => ("invalid_value", false),
        // Too deep even to be read.
        _ if bad.name == "config is nested deeply" => (codes::CONFIG_INVALID_JSON, false),
        (codes::CONFIG_INVALID_JSON, _) => (codes::CONFIG_INVALID_JSON, false),
        (code, _) => (code, true),
    }
}

fn files(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

/// Files of blobs, staging and cache, and rows that would be an adapter's.
async fn left(settings: &Settings) -> (Vec<usize>, Vec<i64>) {
    let folders = ["blobs", "staging", "cache"].map(|folder| files(&settings.data().join(folder)));
    let url = format!("sqlite://{}", settings.data().join("tenora.db").display());
    let mut database = SqliteConnection::connect(&url).await.expect("the database is there");
    let mut rows = Vec::new();
    for count in [
        "SELECT COUNT(*) FROM adapters",
        "SELECT COUNT(*) FROM adapter_versions",
        "SELECT COUNT(*) FROM adapter_aliases",
        "SELECT COUNT(*) FROM pushes WHERE state <> 'rejected'",
    ] {
        rows.push(sqlx::query_scalar(count).fetch_one(&mut database).await.expect("a number"));
    }
    (folders.to_vec(), rows)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_bad_adapter_is_refused_by_name_and_leaves_nothing() {
    let settings = Settings::base().with("TENORA_ADMIN_KEY", ADMIN_KEY).with("TENORA_MAX_RANK", "32");
    let folder = settings.data().join("base");
    base(&folder);
    let settings = settings.with("TENORA_MODEL", &folder.to_string_lossy());
    let server = settings.start();
    let acme = tenant(&server).await;
    let before = left(&settings).await;

    let all = bad::all();
    assert!(all.len() >= 60, "{} bad adapters", all.len());
    let sent = stream::iter(all).map(|bad| {
        let acme = &acme;
        async move {
            let (code, has_push) = expected(&bad);
            let reply = push(acme, "bad", bad.files.config, bad.files.weights).await;
            assert_eq!(reply.code(), code, "{}: {}", bad.name, reply.body);
            assert!((400..500).contains(&reply.status) && !reply.message().is_empty(), "{}", bad.name);
            if let Some(param) = bad.param.filter(|_| has_push) {
                let told = reply.body["error"]["param"].as_str().unwrap_or_default();
                assert!(told.contains(param), "{}: {}", bad.name, reply.body);
            }
            let pushed = reply.body["error"]["push"].as_str();
            assert_eq!(pushed.is_some(), has_push, "{}: {}", bad.name, reply.body);
            if let Some(id) = pushed {
                let record = acme.get(&format!("/v1/pushes/{id}")).await.body;
                assert_eq!((&record["status"], &record["error"]["code"]), (&"rejected".into(), &code.into()));
            }
        }
    });
    sent.buffer_unordered(8).collect::<Vec<()>>().await;

    assert_eq!(left(&settings).await, before);
    acme.get("/v1/adapters/bad").await.expect_error(404, "model_not_found");
    let good = adapter::Adapter::good("llama/rank4").files();
    let pushed = push(&acme, "good", good.config, good.weights).await;
    assert_eq!(pushed.status, 201, "a good one is accepted as before: {}", pushed.body);
    assert!(pushed.body["report"]["canary"]["effect"].as_f64().is_some_and(|effect| effect > 0.0));
    let body = json!({"model": "good", "prompt": "w1 w2 w3", "max_tokens": 2});
    assert_eq!(acme.post("/v1/completions", &body).await.status, 200);
}
