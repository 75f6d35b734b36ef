//! The command line as people use it: what it prints, and what it says when something is missing.

use std::process::{Command, Output};

use tenora_tests::{Server, Settings, binary};

/// Runs a command against the server, with these keys in the environment.
fn run(server: &Server, keys: &[(&str, &str)], line: &str) -> Output {
    let mut command = Command::new(binary());
    command.args(line.split_whitespace()).env_clear().env("TENORA_URL", &server.url);
    command.envs(keys.iter().copied()).output().expect("it runs")
}

#[track_caller]
fn told(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn refused(output: &Output) -> String {
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The id within a key as it was printed: `tk_<id>.<secret>`.
fn id(printed: &str) -> String {
    let key = printed.lines().next().expect("a key");
    key.trim_start_matches("tk_").split('.').next().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_looks_after_its_own_keys_and_the_operator_after_any() {
    let settings = Settings::demo();
    let server = settings.start();
    let credentials = settings.credentials();
    let own = [("TENORA_API_KEY", credentials["tenants"][0]["api_key"].as_str().expect("a key"))];
    let operator = [("TENORA_ADMIN_KEY", credentials["admin_key"].as_str().expect("a key"))];
    let both = [own[0], operator[0]];
    let slug = credentials["tenants"][0]["slug"].as_str().expect("a slug");

    for (keys, whose, name) in [(&own[..], "", "laptop"), (&operator, slug, "ci"), (&both, "", "both")] {
        let made = told(&run(&server, keys, &format!("key create {whose} --name {name} --scope chat")));
        assert!(made.contains("It may: chat."), "{made}");
        let client = server.client(made.lines().next());
        let me = client.get("/v1/me").await.body;
        assert_eq!((&me["tenant"], me["key_id"].as_str()), (&slug.into(), Some(id(&made).as_str())));

        let old = id(&made);
        let rotated = told(&run(&server, keys, &format!("key rotate {whose} {old} --grace-s 60")));
        let new = id(&rotated);
        assert_ne!(new, old);
        assert_eq!(client.get("/v1/me").await.status, 200, "within its grace");
        told(&run(&server, keys, &format!("key revoke {whose} {new}")));
        server.client(rotated.lines().next()).get("/v1/me").await.expect_error(401, "invalid_api_key");

        let listed = told(&run(&server, keys, &format!("key list {whose}")));
        let line = listed.lines().find(|line| line.starts_with(&new)).expect("it is listed");
        assert!(line.contains(name) && line.contains("revoked"), "{listed}");
        assert!(!listed.contains("tk_"), "no list shows a key");
        let json = told(&run(&server, keys, &format!("key list {whose} --json")));
        let json: Vec<serde_json::Value> = serde_json::from_str(&json).expect("JSON");
        assert_eq!(json.len(), listed.lines().count() - 1);
    }

    let error = refused(&run(&server, &own, &format!("key list {slug}")));
    assert!(error.contains("--admin-key"), "{error}");
    let error = refused(&run(&server, &operator, "key list"));
    assert!(error.contains("--api-key") && error.contains("name the tenant"), "{error}");
    let beyond = told(&run(&server, &own, "key create --name narrow --scope keys:write"));
    let narrow = [("TENORA_API_KEY", beyond.lines().next().expect("a key"))];
    let error = refused(&run(&server, &narrow, "key create --name wide --scope adapters:write"));
    assert!(error.contains("grant_exceeded"), "{error}");
}
