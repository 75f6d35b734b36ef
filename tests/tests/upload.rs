//! Uploads: what is refused and leaves nothing behind, and a new adapter that disturbs nobody.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::join_all;
use serde_json::json;
use tenora_tests::{Adapter, Settings, chat};

/// No running stream may be silent for longer while an adapter is uploaded. Generous: the machine may be busy.
const LONGEST_GAP: Duration = Duration::from_secs(5);

fn files(folder: &Path) -> usize {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { files(&entry.path()) } else { 1 }).sum()
}

#[tokio::test]
async fn a_bad_adapter_is_refused_by_name_and_leaves_nothing() {
    let settings = Settings::demo().with("TENORA_MAX_ADAPTER_BYTES", "1MiB");
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let good = || Adapter::demo("text-to-sql");
    let with_weights = |weights: Vec<u8>| Adapter { weights, ..good() };
    let before = (files(&settings.data().join("blobs")), files(&settings.data().join("staging")));
    let zip = [b"PK\x03\x04".as_slice(), &[0; 64]].concat();
    let cases = [
        ("truncated", good().truncated(), 400, "adapter_truncated"),
        ("empty", with_weights(Vec::new()), 400, "invalid_value"),
        (
            "pickle",
            with_weights(b"\x80\x02}q\x00(X\x06\x00\x00\x00weight".to_vec()),
            400,
            "adapter_not_safetensors",
        ),
        ("zip", with_weights(zip), 400, "adapter_not_safetensors"),
        ("not a number", good().not_a_number(), 400, "adapter_not_finite"),
        ("turned", good().turned(), 400, "adapter_wrong_shape"),
        ("wrong rank", good().config("r", 8), 400, "adapter_rank_mismatch"),
        ("no rank", good().config("r", 0), 400, "adapter_invalid_rank"),
        ("DoRA", good().config("use_dora", true), 400, "adapter_unsupported_dora"),
        (
            "modules_to_save",
            good().config("modules_to_save", json!(["lm_head"])),
            400,
            "adapter_unsupported_modules_to_save",
        ),
        ("unknown module", good().config("target_modules", json!(["c_attn"])), 400, "adapter_unknown_module"),
        ("prefix tuning", good().config("peft_type", "PREFIX_TUNING"), 400, "adapter_unsupported_peft_type"),
        ("oversized", with_weights(vec![0; 2 << 20]), 413, "payload_too_large"),
    ];
    for (what, adapter, status, code) in cases {
        let reply = acme.upload("refused", &adapter).await;
        assert_eq!((reply.status, reply.code()), (status, code), "{what}: {}", reply.body);
        assert!(!reply.message().is_empty());
        acme.get("/v1/adapters/refused").await.expect_error(404, "model_not_found");
    }
    let after = (files(&settings.data().join("blobs")), files(&settings.data().join("staging")));
    assert_eq!(after, before, "a refused upload leaves nothing");
    let bad_name = acme.upload("../../etc", &good()).await;
    bad_name.expect_error(400, "invalid_value");
    assert!(!acme.text(&chat("ticket-triage", "My app crashes.")).await.is_empty(), "others go on");
    assert_eq!(acme.upload("accepted", &good()).await.status, 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_adapter_disturbs_none_of_sixteen_streams() {
    let settings = Settings::demo();
    let server = settings.start();
    let tasks = [
        ("acme", "ticket-triage", "I was charged twice for my order."),
        ("globex", "text-to-sql", "List all customers from Delhi."),
        ("initech", "brand-voice", "Zoe gets 30 percent off, not more."),
    ];
    let mut solo = Vec::new();
    for (tenant, adapter, question) in tasks {
        let client = server.tenant(&settings, tenant);
        let body = chat(adapter, question);
        solo.push((client.text(&body).await, client, body));
    }
    let uploaded = Arc::new(AtomicBool::new(false));
    let streams = (0..16).map(|index| {
        let (expected, client, body) = solo[index % solo.len()].clone();
        let uploaded = Arc::clone(&uploaded);
        tokio::spawn(async move {
            let mut rounds = 0;
            while !uploaded.load(Ordering::Relaxed) || rounds == 0 {
                let mut stream = client.stream("/v1/chat/completions", &body).await;
                assert_eq!(stream.text().await, expected, "a stream changed");
                assert!(stream.longest_gap < LONGEST_GAP, "a stream stalled for {:?}", stream.longest_gap);
                rounds += 1;
            }
            rounds
        })
    });
    let streams: Vec<_> = streams.collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let acme = server.tenant(&settings, "acme");
    let reply = acme.upload("sql-too", &Adapter::demo("text-to-sql")).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let answer = acme.text(&chat("sql-too", tasks[1].2)).await;
    uploaded.store(true, Ordering::Relaxed);
    for rounds in join_all(streams).await {
        assert!(rounds.expect("no stream failed") > 0);
    }
    assert_eq!(answer, solo[1].0, "the new adapter answers at once, like its twin");
}

#[tokio::test]
async fn memory_grows_by_adapters_and_not_by_bases() {
    const ADAPTERS: u8 = 12;
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let adapter = Adapter::demo("ticket-triage");
    let bytes = u64::try_from(adapter.weights.len()).expect("small");
    // What is touched for the first time (buffers, KV blocks, threads' stacks) is not an adapter's.
    for number in 1..=4 {
        assert_eq!(
            acme.upload(&format!("warm-{number}"), &adapter.clone().variant(number)).await.status,
            201
        );
        acme.text(&chat(&format!("warm-{number}"), "My app crashes.")).await;
    }
    let before = server.resident_bytes();
    for number in 1..=ADAPTERS {
        let name = format!("more-{number}");
        let reply = acme.upload(&name, &adapter.clone().variant(100 + number)).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        acme.text(&chat(&name, "My app crashes.")).await;
    }
    let grown = server.resident_bytes().saturating_sub(before) / u64::from(ADAPTERS);
    let base = std::fs::metadata(tenora_tests::repository().join("demo/base/model.safetensors"))
        .expect("there")
        .len();
    assert!(grown < 4 * bytes, "{grown} bytes for each adapter of {bytes}");
    assert!(grown < base / 2, "{grown} bytes for each adapter on a base of {base}");
}
