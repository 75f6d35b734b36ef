//! A base model from a stand-in of the model hub: fetched once, complete or not at all, and never asked for again.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicUsize, Ordering},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::header, web};
use tenora_gateway::{
    config::{Config, Mode},
    hub,
};

const ID: &str = "somebody/tiny-llama";
const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

static REQUESTS: AtomicUsize = AtomicUsize::new(0);

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../engine/tests/fixtures/llama/base")
}

async fn listing() -> HttpResponse {
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    let names =
        ["config.json", "generation_config.json", "model.safetensors", "modeling.py", "pytorch_model.bin"];
    let siblings: Vec<_> = names.iter().map(|name| serde_json::json!({ "rfilename": name })).collect();
    HttpResponse::Ok().json(serde_json::json!({ "siblings": siblings, "sha": COMMIT }))
}

/// A file, or the part of it that is asked for, with the headers that the hub's clients read.
async fn file(path: web::Path<String>, request: HttpRequest) -> HttpResponse {
    REQUESTS.fetch_add(1, Ordering::Relaxed);
    let Ok(bytes) = std::fs::read(fixture().join(path.as_str())) else {
        return HttpResponse::NotFound().finish();
    };
    let range = request.headers().get(header::RANGE).and_then(|range| range.to_str().ok());
    let (first, last) = range
        .and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
        .map_or((0, bytes.len() - 1), |(first, last)| {
            (first.parse().unwrap_or(0), last.parse().unwrap_or(usize::MAX).min(bytes.len() - 1))
        });
    HttpResponse::PartialContent()
        .insert_header(("x-repo-commit", COMMIT))
        .insert_header((header::ETAG, format!("\"{}-{}\"", path, bytes.len())))
        .insert_header((header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", bytes.len())))
        .body(bytes[first..=last].to_vec())
}

fn settings(url: &str, id: &str) -> Config {
    let vars =
        [("TENORA_MODEL", id), ("HF_ENDPOINT", url)].map(|(name, value)| (name.to_owned(), value.to_owned()));
    Config::from_vars(vars, &Mode::Serve).expect("valid settings")
}

#[actix_web::test]
async fn a_model_is_fetched_once_with_its_data_files_alone() {
    let server = HttpServer::new(|| {
        App::new()
            .route(&format!("/api/models/{ID}/revision/main"), web::get().to(listing))
            .route(&format!("/{ID}/resolve/main/{{file}}"), web::get().to(file))
    })
    .workers(1)
    .bind(("127.0.0.1", 0))
    .expect("a free port");
    let url = format!("http://{}", server.addrs()[0]);
    actix_web::rt::spawn(server.run());
    let data = tempfile::tempdir().expect("a folder");

    let missing = hub::folder(&settings(&url, "somebody/unknown").engine, data.path()).await;
    let words = format!("{:#}", missing.expect_err("unknown"));
    assert!(words.contains("TENORA_MODEL=somebody/unknown") && words.contains(&url), "{words}");

    let folder = hub::folder(&settings(&url, ID).engine, data.path()).await.expect("fetched");
    let mut names: Vec<String> = std::fs::read_dir(&folder)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["config.json", "generation_config.json", "model.safetensors"]);
    for name in names {
        assert_eq!(
            std::fs::read(folder.join(&name)).ok(),
            std::fs::read(fixture().join(&name)).ok(),
            "{name}"
        );
    }

    let before = REQUESTS.load(Ordering::Relaxed);
    let again = hub::folder(&settings(&url, ID).engine, data.path()).await.expect("there");
    assert_eq!((again, REQUESTS.load(Ordering::Relaxed)), (folder, before), "no network the second time");
}
