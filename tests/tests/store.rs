//! `tenora store`: an operator verifies and sweeps what is stored, beside a running server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use serde_json::Value;
use tenora_tests::{Adapter, Bucket, Server, Settings, binary};

/// What a command ended with, and what it wrote.
struct Told {
    code: Option<i32>,
    out: String,
    error: String,
}

/// Runs `tenora store …` on a server's data, with more settings.
fn store(settings: &Settings, arguments: &[&str], more: &[(&str, &str)]) -> Told {
    let output = Command::new(binary())
        .arg("store")
        .args(arguments)
        .env_clear()
        .env("TENORA_DATA_DIR", settings.data())
        .envs(more.iter().copied())
        .output()
        .expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Told { code: output.status.code(), out: text(&output.stdout), error: text(&output.stderr) }
}

fn json(told: &Told) -> Value {
    let read = serde_json::from_str(&told.out);
    assert!(read.is_ok(), "{}{}", told.out, told.error);
    read.unwrap_or_default()
}

/// The folders of adapters' bytes.
fn blobs(dir: &Path) -> Vec<PathBuf> {
    let inner =
        |dir: &Path| fs::read_dir(dir).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let mut found: Vec<_> = inner(dir).flat_map(|tenant| inner(&tenant).collect::<Vec<_>>()).collect();
    found.sort();
    found
}

fn age(folder: &Path, seconds: u64) {
    for file in fs::read_dir(folder).expect("a folder") {
        let file = fs::File::options().write(true).open(file.expect("a file").path()).expect("writable");
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).expect("its time can be set");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damage_is_found_and_what_nobody_needs_is_swept() {
    let settings = Settings::demo();
    let server = settings.start();
    let all = store(&settings, &["verify"], &[]);
    assert_eq!(all.code, Some(0), "{}", all.error);
    assert!(
        all.out.starts_with("Versions 3 (") && all.out.contains("damaged 0, missing 0, orphans 0"),
        "{}",
        all.out
    );

    let folders = blobs(&settings.data().join("blobs"));
    let [damaged, missing, _] = &folders[..] else { panic!("{folders:?}") };
    let weights = damaged.join("adapter_model.safetensors");
    let mut bytes = fs::read(&weights).expect("weights");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&weights, &bytes).expect("writable");
    fs::rename(missing.join("adapter_model.safetensors"), settings.data().join("away")).expect("moved");
    let orphan = missing.parent().expect("a tenant's").join("ab".repeat(32));
    fs::create_dir(&orphan).expect("made");
    fs::write(orphan.join("adapter_config.json"), "{}").expect("written");

    let told = store(&settings, &["verify"], &[]);
    assert_eq!(told.code, Some(1));
    assert!(told.out.contains("damaged 1, missing 1, orphans 1"), "{}", told.out);
    assert!(
        told.error.contains("1 damaged: restore") && told.error.contains("1 missing: "),
        "{}",
        told.error
    );
    let machine = store(&settings, &["verify", "--json"], &[]);
    assert_eq!(machine.code, Some(1));
    let machine = json(&machine);
    let problem = |kind: &str| {
        let problems = machine["problems"].as_array().expect("a list");
        problems.iter().find(|problem| problem["problem"] == kind).expect(kind).clone()
    };
    for (kind, folder) in [("damaged", damaged), ("missing", missing)] {
        let problem = problem(kind);
        let digest = folder.file_name().expect("a name").to_string_lossy().into_owned();
        assert_eq!(problem["digest"], format!("sha256:{digest}"));
        let (tenant, adapter) = (&problem["tenant"], &problem["adapter"]);
        let line =
            format!("{kind}  {}  {}@1", tenant.as_str().expect("a slug"), adapter.as_str().expect("a name"));
        assert!(told.out.contains(&line), "{line} is not in {}", told.out);
    }
    assert_eq!((&machine["versions"], &machine["orphans"]), (&3.into(), &1.into()));

    // Put back and mended, all is well.
    bytes[middle] ^= 1;
    fs::write(&weights, &bytes).expect("writable");
    fs::rename(settings.data().join("away"), missing.join("adapter_model.safetensors")).expect("moved");
    // The orphan is young: it stays, until it is older than the grace.
    let grace = [("TENORA_SWEEP_GRACE_S", "60")];
    assert_eq!(json(&store(&settings, &["sweep", "--json"], &grace))["swept"]["unused"], 0);
    age(&orphan, 61);
    let dry = store(&settings, &["sweep", "--dry-run"], &grace);
    assert!(
        dry.out.starts_with("Would be removed: adapters' bytes without a version 1 ("),
        "{}{}",
        dry.out,
        dry.error
    );
    assert!(orphan.exists());
    let swept = store(&settings, &["sweep"], &grace);
    assert!(
        swept.out.starts_with("Removed: adapters' bytes without a version 1 ("),
        "{}{}",
        swept.out,
        swept.error
    );
    assert!(!orphan.exists());
    let all = store(&settings, &["verify"], &[]);
    assert_eq!((all.code, all.out.contains("orphans 0")), (Some(0), true), "{}{}", all.out, all.error);
    drop(server);
}

async fn tenant_key(server: &Server, settings: &Settings) -> String {
    let key = fs::read_to_string(settings.data().join("admin-key")).expect("made at first start");
    let admin = server.client(Some(key.trim()));
    assert_eq!(admin.post("/admin/v1/tenants", &serde_json::json!({"slug": "acme"})).await.status, 201);
    let made = admin.post("/admin/v1/tenants/acme/keys", &serde_json::json!({"name": "k"})).await;
    made.body["key"].as_str().expect("a key").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_keeps_its_adapters_in_s3() {
    let Some(bucket) = Bucket::make() else { return };
    let variables = bucket.variables();
    let settings =
        variables.iter().fold(Settings::base(), |settings, (name, value)| settings.with(name, value));
    let server = settings.start();
    let key = tenant_key(&server, &settings).await;
    let client = server.client(Some(&key));
    let pushed = client.upload("triage", &Adapter::demo("ticket-triage")).await;
    assert_eq!(pushed.status, 201, "{}", pushed.body);
    let question = serde_json::json!({"model": "triage", "prompt": "Hello", "max_tokens": 3});
    assert_eq!(client.post("/v1/completions", &question).await.status, 200);
    assert!(!settings.data().join("blobs").exists(), "nothing is kept beside");
    let more: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let told = store(&settings, &["verify"], &more);
    assert_eq!(told.code, Some(0), "{}", told.error);
    assert!(told.out.starts_with("Versions 1 ("), "{}", told.out);

    // A wrong place stops the start with what to do, and no secret.
    drop(server);
    let wrong = settings.with("TENORA_BLOBS_URL", "s3://nowhere");
    let (status, told) = wrong.fail();
    assert!(!status.success() && told.contains("has no bucket nowhere; make it"), "{told}");
    assert!(!told.contains("never shown"), "{told}");
}
