//! Resumable uploads through HTTP: from parts to an answering adapter, and whatever can go wrong on the way.

use std::{path::Path, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use tenora_tests::{Adapter, Client, Reply, Settings, chat};
use tokio::{io::AsyncWriteExt, net::TcpStream};

const QUESTION: &str = "List all customers from Delhi.";

fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

fn id(reply: &Reply) -> String {
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.body["id"].as_str().expect("an id").to_owned()
}

async fn begin(client: &Client, bytes: usize) -> String {
    let body = json!({"filename": "adapter_model.safetensors", "bytes": bytes, "purpose": "adapter", "mime_type": "x/y"});
    id(&client.post("/v1/uploads", &body).await)
}

async fn send(client: &Client, upload: &str, number: Option<usize>, bytes: &[u8]) -> Reply {
    let mut form = Form::new().part("data", Part::bytes(bytes.to_vec()).file_name("upload"));
    if let Some(number) = number {
        form = form.text("part_number", number.to_string());
    }
    let path = format!("/v1/uploads/{upload}/parts");
    Reply::to(client.request(Method::POST, &path).multipart(form)).await
}

async fn complete(client: &Client, upload: &str, parts: &[String]) -> Reply {
    client.post(&format!("/v1/uploads/{upload}/complete"), &json!({"part_ids": parts})).await
}

/// Uploads bytes in parts of a third and a bit.
async fn whole(client: &Client, bytes: &[u8]) -> String {
    let upload = begin(client, bytes.len()).await;
    let mut parts = Vec::new();
    for chunk in bytes.chunks(bytes.len() / 3 + 1) {
        parts.push(id(&send(client, &upload, None, chunk).await));
    }
    assert_eq!(complete(client, &upload, &parts).await.status, 200);
    upload
}

async fn create(client: &Client, name: &str, config: &Value, upload: &str) -> Reply {
    client.post("/v1/adapters", &json!({"name": name, "config": config, "weights_upload_id": upload})).await
}

#[tokio::test]
async fn parts_become_an_adapter_that_answers() {
    let settings = Settings::demo();
    let server = settings.start();
    let (acme, globex) = (server.tenant(&settings, "acme"), server.tenant(&settings, "globex"));
    let expected = globex.text(&chat("text-to-sql", QUESTION)).await;
    let adapter = Adapter::demo("text-to-sql");
    let before = files(&settings.data().join("blobs"));

    let upload = begin(&acme, adapter.weights.len()).await;
    let shown = acme.get(&format!("/v1/uploads/{upload}")).await.body;
    assert_eq!(
        (&shown["object"], &shown["status"], &shown["file"]),
        (&"upload".into(), &"pending".into(), &Value::Null)
    );
    assert_eq!(
        shown["expires_at"].as_i64().expect("a time") - shown["created_at"].as_i64().expect("a time"),
        86_400
    );
    let chunks: Vec<_> = adapter.weights.chunks(100_000).enumerate().rev().collect();
    let sent = stream::iter(&chunks).map(|(at, chunk)| send(&acme, &upload, Some(at + 1), chunk));
    let replies: Vec<Reply> = sent.buffer_unordered(4).collect().await;
    assert!(replies.iter().all(|reply| reply.status == 200 && reply.body["object"] == "upload.part"));
    // As a client that has forgotten everything but the upload's id.
    let listed = acme.get(&format!("/v1/uploads/{upload}/parts?limit=100")).await.body;
    let mut parts = listed["data"].as_array().expect("a list").clone();
    parts.sort_by_key(|part| part["part_number"].as_u64());
    let ids: Vec<_> = parts.iter().map(|part| part["id"].as_str().expect("an id").to_owned()).collect();
    assert_eq!(ids.len(), 7);
    let completed = complete(&acme, &upload, &ids).await.body;
    assert_eq!((&completed["status"], &completed["file"]["object"]), (&"completed".into(), &"file".into()));
    assert_eq!(completed["file"]["id"], upload.replace("upload_", "file-"));
    assert_eq!(completed["file"]["bytes"], adapter.weights.len());

    let file = completed["file"]["id"].as_str().expect("an id");
    let made = create(&acme, "sql", &adapter.config, file).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(acme.text(&chat("sql", QUESTION)).await, expected);
    let one_shot = acme.upload("sql", &adapter).await.body;
    assert_eq!(
        (&one_shot["version"], &one_shot["digest"]),
        (&1.into(), &made.body["digest"]),
        "the same content"
    );
    assert_eq!(files(&settings.data().join("blobs")), before + 2, "the version's two files");
    create(&acme, "again", &adapter.config, &upload).await.expect_error(409, "upload_used");
    let listed = acme.get("/v1/uploads?status=completed").await.body;
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["used"]), (&upload.into(), &true.into()));
}

#[tokio::test]
async fn a_refused_config_is_corrected_without_sending_the_weights_again() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let adapter = Adapter::demo("text-to-sql");
    let upload = whole(&acme, &adapter.weights).await;
    for (config, status, code) in [
        (adapter.clone().config("use_dora", true).config, 400, "adapter_unsupported_dora"),
        (json!([]), 400, "adapter_config_invalid_json"),
        (json!({"x": "y".repeat(70_000)}), 413, "payload_too_large"),
    ] {
        create(&acme, "sql", &config, &upload).await.expect_error(status, code);
    }
    // What JSON merely hides from most readers is not hidden from the check.
    let twice = adapter.config.to_string().replacen('{', "{\"use_dora\": true, ", 1);
    let body = format!(r#"{{"name":"sql","config":{twice},"weights_upload_id":"{upload}"}}"#);
    let request =
        acme.request(Method::POST, "/v1/adapters").header("content-type", "application/json").body(body);
    assert_eq!(Reply::to(request).await.status, 400);
    for (body, param) in [
        (json!({"name": "../x", "config": {}, "weights_upload_id": upload}), "name"),
        (json!({"name": "sql", "config": {}, "weights_upload_id": "../x"}), "weights_upload_id"),
        (json!({"name": "sql", "weights_upload_id": upload}), "config"),
        (json!({"name": "sql", "config": {}, "weights_upload_id": upload, "url": "http://x"}), "url"),
    ] {
        let refused = acme.post("/v1/adapters", &body).await;
        refused.expect_error(400, "invalid_value");
        assert_eq!(refused.body["error"]["param"], param);
    }
    assert_eq!(files(&settings.data().join("staging")), 2, "only the locks are left");
    assert_eq!(create(&acme, "sql", &adapter.config, &upload).await.status, 201);
}

#[tokio::test]
async fn what_cannot_be_begun_is_refused_by_its_field() {
    let settings = Settings::demo().with("TENORA_MAX_ADAPTER_BYTES", "1MiB");
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let wrong = [
        (json!({"filename": "x"}), 400, "bytes"),
        (json!({"filename": "x", "bytes": 0}), 400, "bytes"),
        (json!({"filename": "x", "bytes": -1}), 400, "bytes"),
        (json!({"filename": "", "bytes": 1}), 400, "filename"),
        (json!({"filename": "a\nb", "bytes": 1}), 400, "filename"),
        (json!({"filename": "x", "bytes": 1, "purpose": "y".repeat(300)}), 400, "purpose"),
        (json!({"filename": "x", "bytes": 1, "sha256": "abc"}), 400, "sha256"),
        (
            json!({"filename": "x", "bytes": 1, "expires_after": {"anchor": "created_at", "seconds": 1}}),
            400,
            "expires_after.seconds",
        ),
        (
            json!({"filename": "x", "bytes": 1, "expires_after": {"anchor": "now", "seconds": 3600}}),
            400,
            "expires_after.anchor",
        ),
        (json!({"filename": "x", "bytes": 2 << 20}), 413, "bytes"),
    ];
    for (body, status, param) in wrong {
        let reply = acme.post("/v1/uploads", &body).await;
        assert_eq!(
            (reply.status, &reply.body["error"]["param"]),
            (status, &param.into()),
            "{body}: {}",
            reply.body
        );
    }
    acme.get("/v1/uploads?status=done").await.expect_error(400, "invalid_value");
    let upload = begin(&acme, 6).await;
    let path = format!("/v1/uploads/{upload}");
    for (what, form) in [
        ("no data", Form::new().text("part_number", "1")),
        ("number 0", Form::new().text("part_number", "0").text("data", "abc")),
        ("number 10001", Form::new().text("data", "abc").text("part_number", "10001")),
        ("no number", Form::new().text("data", "abc").text("part_number", "one")),
        ("twice", Form::new().text("data", "abc").text("data", "def")),
        ("unknown", Form::new().text("data", "abc").text("path", "/etc/passwd")),
    ] {
        let reply = Reply::to(acme.request(Method::POST, &format!("{path}/parts")).multipart(form)).await;
        assert_eq!((reply.status, reply.code()), (400, "invalid_value"), "{what}: {}", reply.body);
    }
    acme.post(&format!("{path}/parts"), &json!({})).await.expect_error(415, "unsupported_media_type");
    assert_eq!(acme.get(&format!("{path}/parts")).await.body["data"], json!([]));
}

#[tokio::test]
async fn what_is_wrong_with_an_upload_is_said_and_leaves_nothing() {
    let settings = Settings::demo();
    let server = settings.start();
    let (acme, globex) = (server.tenant(&settings, "acme"), server.tenant(&settings, "globex"));
    let before = (files(&settings.data().join("blobs")), files(&settings.data().join("staging")));
    let upload = begin(&acme, 6).await;
    let path = format!("/v1/uploads/{upload}");
    send(&acme, &upload, None, b"").await.expect_error(400, "part_empty");
    send(&acme, &upload, None, b"abcdefg").await.expect_error(413, "part_too_large");
    let (abc, def) =
        (id(&send(&acme, &upload, Some(1), b"abc").await), id(&send(&acme, &upload, None, b"def").await));
    assert_eq!(id(&send(&acme, &upload, Some(1), b"abc").await), abc, "a retry is the same part");
    complete(&acme, &upload, &["x".to_owned()]).await.expect_error(400, "invalid_value");
    complete(&acme, &upload, std::slice::from_ref(&abc)).await.expect_error(400, "upload_size_mismatch");
    complete(&acme, &upload, &[abc.clone(), abc.clone()]).await.expect_error(400, "part_repeated");
    let digest = |field: &str, value: &str| {
        let mut body = json!({"part_ids": [abc, def]});
        body[field] = value.into();
        body
    };
    for (field, value) in [("md5", "0".repeat(32)), ("sha256", "0".repeat(64))] {
        let reply = acme.post(&format!("{path}/complete"), &digest(field, &value)).await;
        reply.expect_error(400, "digest_mismatch");
        assert_eq!(reply.body["error"]["param"], field);
    }
    create(&acme, "sql", &json!({}), &upload).await.expect_error(409, "upload_not_completed");

    let foreign = begin(&globex, 3).await;
    complete(&globex, &foreign, std::slice::from_ref(&abc)).await.expect_error(400, "part_not_found");
    for (method, path) in [
        (Method::GET, path.clone()),
        (Method::GET, format!("{path}/parts")),
        (Method::POST, format!("{path}/cancel")),
    ] {
        Reply::to(globex.request(method, &path)).await.expect_error(404, "upload_not_found");
    }
    send(&globex, &upload, None, b"abc").await.expect_error(404, "upload_not_found");
    complete(&globex, &upload, &[abc.clone(), def.clone()]).await.expect_error(404, "upload_not_found");
    create(&globex, "sql", &json!({}), &upload).await.expect_error(404, "upload_not_found");
    acme.get("/v1/uploads/..%2F..%2Fetc").await.expect_error(404, "upload_not_found");

    // The MD5 of `abcdef`, as `md5sum` says.
    let md5 = digest("md5", "e80b5017098950fc58aad83c8c14978e");
    assert_eq!(acme.post(&format!("{path}/complete"), &md5).await.status, 200);
    assert_eq!(complete(&acme, &upload, &[abc.clone(), def.clone()]).await.status, 200, "the same again");
    complete(&acme, &upload, &[def, abc]).await.expect_error(409, "upload_not_pending");
    send(&acme, &upload, None, b"x").await.expect_error(409, "upload_not_pending");
    create(&acme, "sql", &json!({}), &upload).await.expect_error(400, "adapter_config_missing_field");
    assert_eq!(acme.post(&format!("{path}/cancel"), &json!({})).await.body["status"], "cancelled");
    create(&acme, "sql", &json!({}), &upload).await.expect_error(409, "upload_not_completed");
    globex.post(&format!("/v1/uploads/{foreign}/cancel"), &json!({})).await;
    let after = (files(&settings.data().join("blobs")), files(&settings.data().join("staging")));
    assert_eq!(after, before, "nothing is left");
}

#[tokio::test]
async fn a_tenant_reserves_no_more_than_it_may() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let held =
        acme.get("/v1/adapters").await.body["data"][0]["versions"][0]["bytes"].as_u64().expect("bytes");
    let limit = json!({"limits": {"adapter_bytes": held + 1000}});
    assert_eq!(server.admin(&settings).patch("/admin/v1/tenants/acme", &limit).await.status, 200);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let body = json!({"filename": "x", "bytes": 600});
    let (one, two) = tokio::join!(acme.post("/v1/uploads", &body), acme.post("/v1/uploads", &body));
    let (won, lost) = if one.status == 200 { (one, two) } else { (two, one) };
    lost.expect_error(403, "quota_exceeded");
    acme.post(&format!("/v1/uploads/{}/cancel", id(&won)), &json!({})).await;
    let mut open = Vec::new();
    for _ in 0..16 {
        open.push(begin(&acme, 1).await);
    }
    let many = acme.post("/v1/uploads", &json!({"filename": "x", "bytes": 1})).await;
    many.expect_error(409, "too_many_uploads");
    assert_eq!(many.headers["x-should-retry"], "false");
}

#[tokio::test]
async fn a_client_that_hangs_up_in_a_part_leaves_nothing() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let upload = begin(&acme, 1 << 20).await;
    let staging = settings.data().join("staging");
    let before = files(&staging);
    let key = settings.credentials()["tenants"][0]["api_key"].as_str().expect("a key").to_owned();
    let head = format!(
        "POST /v1/uploads/{upload}/parts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Length: 900000\r\n\
         Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; name=\"data\"; \
         filename=\"data\"\r\n\r\n"
    );
    let mut connection =
        TcpStream::connect(server.url.trim_start_matches("http://")).await.expect("it listens");
    connection.write_all(head.as_bytes()).await.expect("sent");
    connection.write_all(&[7; 300_000]).await.expect("sent");
    wait_for(|| files(&staging) > before, "the part is being received").await;
    drop(connection);
    wait_for(|| files(&staging) == before, "nothing of it is left").await;
    let parts = acme.get(&format!("/v1/uploads/{upload}/parts")).await.body;
    assert_eq!(parts["data"], json!([]));
    assert_eq!(send(&acme, &upload, Some(1), &[7; 1000]).await.status, 200, "the upload goes on");
}

async fn wait_for(mut holds: impl FnMut() -> bool, what: &str) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(holds(), "{what}: not within ten seconds");
}

/// What the server's memory may grow by while 300 MB come in parts, four at a time: two chunks of 8 MiB for each of four parts
/// on their way to the blob store, and room for the allocator.
const MOST_GROWTH: u64 = 128 << 20;

#[tokio::test]
async fn memory_stays_flat_while_300_megabytes_come_in_parts() {
    const PART_BYTES: usize = 15_000_000;
    const PARTS: usize = 20;
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    acme.text(&chat("ticket-triage", "My app crashes.")).await;
    let upload = begin(&acme, PARTS * PART_BYTES).await;
    let before = server.resident_bytes();
    let content = vec![7; PART_BYTES];
    let mut most = before;
    let sent = stream::iter(1..=PARTS).map(|number| {
        let (acme, upload, content) = (&acme, &upload, &content);
        async move { Ok::<_, ()>(id(&send(acme, upload, Some(number), content).await)) }
    });
    let parts: Vec<String> = sent
        .buffered(4)
        .inspect_ok(|_| most = most.max(server.resident_bytes()))
        .try_collect()
        .await
        .expect("every part arrives");
    assert_eq!(complete(&acme, &upload, &parts).await.status, 200);
    create(&acme, "zeroes", &json!({}), &upload).await.expect_error(400, "adapter_config_missing_field");
    most = most.max(server.resident_bytes());
    assert!(most - before < MOST_GROWTH, "{} bytes more", most - before);
}
