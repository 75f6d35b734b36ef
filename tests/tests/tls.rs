//! Postgres and Redis over TLS: certificates of an authority that the system believes are accepted, others are not.

use std::{
    fs,
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;
use tenora_tests::{ADMIN_KEY, Production, Settings, required};

/// A Redis that speaks nothing but TLS; it ends with the value.
struct Redis {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Redis {
    /// Makes an authority and a certificate of its own, and starts it. `None` after saying that the test is skipped.
    fn start() -> Option<Self> {
        for program in ["redis-server", "openssl"] {
            let there = Command::new(program).arg("--version").output().is_ok();
            required(there, &format!("{program} is not installed")).then_some(())?;
        }
        let folder = tempfile::tempdir().expect("a folder");
        certificates(folder.path());
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
        let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        let process = Command::new("redis-server")
            .args(["--port", "0", "--tls-port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--tls-cert-file", &file("cert.pem"), "--tls-key-file", &file("key.pem")])
            .args(["--tls-ca-cert-file", &file("ca.pem"), "--tls-auth-clients", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("it was there just now");
        Some(Self { process, port, folder })
    }

    fn url(&self) -> String {
        format!("rediss://localhost:{}", self.port)
    }

    fn authority(&self) -> String {
        self.folder.path().join("ca.pem").to_string_lossy().into_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        _ = self.process.kill();
        _ = self.process.wait();
    }
}

/// `ca.pem`, and `cert.pem` with `key.pem` for localhost.
fn certificates(folder: &Path) {
    let openssl = |line: &str| {
        let made =
            Command::new("openssl").args(line.split(' ')).current_dir(folder).output().expect("it runs");
        assert!(made.status.success(), "openssl {line}: {}", String::from_utf8_lossy(&made.stderr));
    };
    fs::write(folder.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n").expect("written");
    openssl(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca-key.pem -out ca.pem -days 2 -subj /CN=Tests",
    );
    openssl(
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj /CN=localhost",
    );
    openssl(
        "x509 -req -in request.pem -CA ca.pem -CAkey ca-key.pem -CAcreateserial -out cert.pem -days 2 -extfile names",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_believed_with_a_certificate_of_an_authority_that_the_system_believes() {
    let Some(redis) = Redis::start() else { return };
    let settings =
        Settings::base().with("TENORA_REDIS_URL", &redis.url()).with("SSL_CERT_FILE", &redis.authority());
    let server = settings.start();
    let client = server.client(None);
    let started = Instant::now();
    while client.get("/readyz").await.body["checks"]["redis"] != "ok" {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", client.get("/readyz").await.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(client.get("/readyz").await.body["status"], "ok");
    drop(server);

    let strange = Settings::base().with("TENORA_REDIS_URL", &redis.url()).start();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ready = strange.client(None).get("/readyz").await;
    assert_eq!(ready.body["checks"]["redis"], "unreachable", "nobody vouches for it: {}", ready.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_spoken_to_over_tls_and_proven_where_that_is_asked_for() {
    let Some(production) = Production::make().await else { return };
    if !required(production.has_tls().await, "the Postgres of the tests has no TLS (ssl = on)") {
        return;
    }
    let over = |mode: &str| {
        let url = format!("{}&sslmode={mode}", production.database());
        production.settings(&["serve"]).with("TENORA_DATABASE_URL", &url)
    };
    let server = over("require").start();
    let tenants = server.client(Some(ADMIN_KEY));
    assert_eq!(tenants.post("/admin/v1/tenants", &json!({"slug": "acme", "name": "Acme"})).await.status, 201);
    drop(server);
    let (status, said) = over("verify-full").fail();
    assert!(!status.success() && said.contains("certificate"), "{said}");
}
