//! Keys that come from elsewhere: cached, rotated, taken away, and what happens while they cannot be had.

use std::time::{Duration, Instant};

use futures_util::{FutureExt, future::join_all};
use serde_json::{Value, json};

use super::{
    super::{TokenError, key_feed::Timing},
    jwks_server::{Answer, JwksServer},
    kit::*,
};

fn by_url(server: &JwksServer, timing: Timing) -> Fixture {
    let changes = json!({ "algorithms": ["ES256", "EdDSA"], "secret_file": null, "jwks_url": server.url });
    Fixture::with_files(&[], vec![issuer(changes)], timing)
}

fn set(keys: &[(&Signer, &str)]) -> String {
    jwks(&keys.iter().map(|(signer, id)| signer.jwk(id)).collect::<Vec<Value>>())
}

/// Waits for what must come to be, a loaded machine allowed for.
async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn unavailable() -> TokenError {
    TokenError::Unavailable { issuer: ISSUER.into() }
}

#[tokio::test]
async fn keys_are_fetched_once_and_the_first_token_waits_for_them() {
    let key = Signer::p256();
    let server = JwksServer::start(Answer::Slowly(set(&[(&key, "k1")]), Duration::from_millis(100))).await;
    let fixture = by_url(&server, QUICK);
    for _ in 0..20 {
        fixture.verify(&key.sign_as("k1", &claims())).await.expect("right");
    }
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn a_new_key_is_found_when_a_token_names_it() {
    let (old, new) = (Signer::p256(), Signer::ed25519());
    let server = JwksServer::start(Answer::Set(set(&[(&old, "k1")]), "")).await;
    let fixture = by_url(&server, QUICK);
    fixture.verify(&old.sign_as("k1", &claims())).await.expect("right");
    server.now_answers(Answer::Set(set(&[(&old, "k1"), (&new, "k2")]), ""));
    let token = new.sign_as("k2", &claims());
    eventually("the new key is known", async || fixture.verify(&token).await.is_ok()).await;
    fixture.verify(&old.sign_as("k1", &claims())).await.expect("both");
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn a_removed_key_stops_at_the_next_refresh() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let server = JwksServer::start(Answer::Set(set(&[(&old, "k1")]), "cache-control: max-age=0\r\n")).await;
    let fixture = by_url(&server, QUICK);
    let token = old.sign_as("k1", &claims());
    fixture.verify(&token).await.expect("right");
    server.now_answers(Answer::Set(set(&[(&new, "k2")]), ""));
    eventually("the old key is gone", async || fixture.verify(&token).await.is_err()).await;
    fixture.refuses(&token, "no such key").await;
    fixture.verify(&new.sign_as("k2", &claims())).await.expect("the new one");
}

#[tokio::test]
async fn invented_kids_cause_one_fetch_in_an_interval_and_delay_nobody_else() {
    let key = Signer::p256();
    let server = JwksServer::start(Answer::Set(set(&[(&key, "k1")]), "")).await;
    let timing = Timing { refetch_interval: Duration::from_secs(3600), ..QUICK };
    let fixture = by_url(&server, timing);
    fixture.verify(&key.sign_as("k1", &claims())).await.expect("right");
    server.now_answers(Answer::Stall);
    let tokens: Vec<String> = (0..200).map(|n| key.sign_as(&format!("invented-{n}"), &claims())).collect();
    let refused = join_all(tokens.iter().map(|token| fixture.verify(token))).await;
    assert!(refused.iter().all(|one| matches!(one, Err(TokenError::Invalid(_)))));
    assert_eq!(server.asked(), 1, "the interval has just begun");
}

#[tokio::test]
async fn those_who_name_a_new_key_at_once_share_one_fetch() {
    let (old, new) = (Signer::p256(), Signer::p256());
    let server = JwksServer::start(Answer::Set(set(&[(&old, "k1")]), "")).await;
    let timing = Timing { refetch_interval: Duration::from_millis(1), ..QUICK };
    let fixture = by_url(&server, timing);
    fixture.verify(&old.sign_as("k1", &claims())).await.expect("right");
    tokio::time::sleep(Duration::from_millis(20)).await;
    let both = set(&[(&old, "k1"), (&new, "k2")]);
    server.now_answers(Answer::Slowly(both, Duration::from_millis(300)));
    let (token, known) = (new.sign_as("k2", &claims()), old.sign_as("k1", &claims()));
    let waiting = join_all((0..50).map(|_| fixture.verify(&token)));
    let meanwhile = async {
        eventually("the fetch is under way", async || server.asked() == 2).await;
        fixture.verify(&known).now_or_never().expect("a known key waits for nobody").expect("right");
    };
    let (verified, ()) = tokio::join!(waiting, meanwhile);
    assert!(verified.iter().all(Result::is_ok), "{verified:?}");
    assert_eq!(server.asked(), 2);
}

#[tokio::test]
async fn without_any_keys_the_answer_is_that_nobody_knows() {
    let key = Signer::p256();
    let token = key.sign_as("k1", &claims());
    let huge = format!("{{\"keys\":[]{}}}", " ".repeat(256 << 10));
    let failures = [
        Answer::Fail("503 Service Unavailable"),
        Answer::Fail("302 Found\r\nlocation: http://127.0.0.1:1/keys"),
        Answer::Set("<html>login</html>".into(), ""),
        Answer::Set(jwks(&vec![key.jwk("k1"); 65]), ""),
        Answer::Set(huge, ""),
        Answer::Endless,
        Answer::Stall,
    ];
    for (index, failure) in failures.into_iter().enumerate() {
        let server = JwksServer::start(failure).await;
        let fixture = by_url(&server, Timing { request_timeout: Duration::from_millis(400), ..QUICK });
        let refused = fixture.verify(&token).await;
        assert_eq!(refused, Err(unavailable()), "failure {index}");
        server.now_answers(Answer::Set(set(&[(&key, "k1")]), ""));
        eventually("it recovers by itself", async || fixture.verify(&token).await.is_ok()).await;
    }
}

#[tokio::test]
async fn a_url_that_nobody_answers_is_no_reason_not_to_start() {
    let changes =
        json!({ "algorithms": ["ES256"], "secret_file": null, "jwks_url": "http://127.0.0.1:1/keys" });
    let fixture = Fixture::of(changes);
    assert_eq!(fixture.verify(&Signer::p256().sign(&claims())).await, Err(unavailable()));
}

#[tokio::test]
async fn cached_keys_outlive_an_outage_for_a_stated_time() {
    let key = Signer::p256();
    let short = "cache-control: max-age=0\r\n";
    let server = JwksServer::start(Answer::Set(set(&[(&key, "k1")]), short)).await;
    let timing = Timing { stale_if_error: Duration::from_secs(4), ..QUICK };
    let fixture = by_url(&server, timing);
    let token = key.sign_as("k1", &claims());
    fixture.verify(&token).await.expect("right");
    let asked = server.asked();
    server.now_answers(Answer::Fail("500 Internal Server Error"));
    eventually("it is asked in vain", async || server.asked() > asked + 1).await;
    fixture.verify(&token).await.expect("stale, and good");
    let unknown = fixture.verify(&key.sign_as("k2", &claims())).await;
    assert_eq!(unknown, Err(unavailable()), "it may be a new key: nobody knows");
    eventually("the time is over", async || fixture.verify(&token).await == Err(unavailable())).await;
}

#[tokio::test]
async fn keys_that_cannot_be_used_safely_are_left_out() {
    let key = Signer::p256();
    let with = |name: &str, value: Value| {
        let mut jwk = key.jwk("k1");
        jwk[name] = value;
        jwk
    };
    let unusable = [
        with("use", "enc".into()),
        with("alg", "RS256".into()),
        with("alg", "ES384".into()),
        with("crv", "P-384".into()),
        with("kty", "RSA".into()),
        with("x", "AAAA".into()),
        with("y", "!".repeat(43).into()),
        with("kid", 7.into()),
        with("key_ops", json!(["sign"])),
        Signer::hmac(SECRET).jwk("k1"),
        Signer::rsa().jwk("k1"),
        json!("k1"),
    ];
    for jwk in unusable {
        let other = Signer::ed25519();
        let server = JwksServer::start(Answer::Set(jwks(&[jwk.clone(), other.jwk("k2")]), "")).await;
        let fixture = by_url(&server, QUICK);
        fixture.verify(&other.sign_as("k2", &claims())).await.expect("the others are used");
        let refused = fixture.verify(&key.sign_as("k1", &claims())).await;
        assert!(matches!(refused, Err(TokenError::Invalid(_))), "{jwk}: {refused:?}");
    }
}

#[tokio::test]
async fn a_changed_file_of_keys_is_read_again() {
    let (old, new) = (Signer::p256(), Signer::ed25519());
    let list = vec![issuer(by_jwks(&["ES256", "EdDSA"]))];
    let first = set(&[(&old, "k1")]);
    let fixture = Fixture::with_files(&[("jwks.json", first.as_bytes())], list, QUICK);
    let (before, after) = (old.sign_as("k1", &claims()), new.sign_as("k2", &claims()));
    fixture.verify(&before).await.expect("right");
    let path = fixture.folder.path().join("jwks.json");
    std::fs::write(&path, "half a fi").expect("written");
    tokio::time::sleep(Duration::from_millis(200)).await;
    fixture.verify(&before).await.expect("a broken file takes nothing away");
    std::fs::write(&path, set(&[(&new, "k2")])).expect("written");
    eventually("the new key is known", async || fixture.verify(&after).await.is_ok()).await;
    fixture.refuses(&before, "no such key").await;
}
