//! The issuers' file: what is wrong with it is told all at once, and nothing that is wrong is started with.

use serde_json::{Value, json};

use super::kit::*;

fn mistakes(files: &[(&str, &[u8])], list: &str) -> Vec<String> {
    let folder = folder(files, list);
    read(folder.path()).map(|settings| settings.len()).expect_err("mistakes")
}

/// What is wrong with one issuer of these changes.
fn wrong(changes: Value) -> Vec<String> {
    let small = include_bytes!("../testdata/rsa-1024-public.pem").as_slice();
    let p384 = include_bytes!("../testdata/p384-public.pem").as_slice();
    let oct = jwks(&[Signer::hmac(SECRET).jwk("k1")]);
    let files: [(&str, &[u8]); 6] = [
        ("short", b"too short\n"),
        ("small.pem", small),
        ("p384.pem", p384),
        ("empty.json", br#"{"keys":[]}"#),
        ("oct.json", oct.as_bytes()),
        ("long.json", &[b' '; (256 << 10) + 1]),
    ];
    mistakes(&files, &json!([issuer(changes)]).to_string())
}

#[track_caller]
fn says(changes: Value, told: &[&str]) {
    let mistakes = wrong(changes);
    assert_eq!(mistakes.len(), told.len(), "{mistakes:#?}");
    for (mistake, told) in mistakes.iter().zip(told) {
        assert!(mistake.contains(told), "{mistake:?} does not say {told:?}");
    }
}

#[test]
fn every_mistake_is_named_at_once() {
    let list = json!([
        { "isuer": "x", "audience": [], "algorithms": ["HS256", "RS256", "none"], "tenants": ["ACME"], "leeway_s": 301 },
        issuer(json!({ "jwks_url": "https://login.example/keys", "scope_map": { "a": ["root"] } })),
    ]);
    let folder = folder(&[], &list.to_string());
    let told = read(folder.path()).map(|settings| settings.len()).expect_err("mistakes");
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn keys_come_from_exactly_one_place_that_fits_the_algorithms() {
    says(json!({ "secret_file": null }), &["exactly one of"]);
    says(json!({ "public_key_file": "rsa.pem" }), &["exactly one of"]);
    says(json!({ "algorithms": ["HS256", "RS256"] }), &["cannot be mixed"]);
    says(json!({ "algorithms": ["RS256"] }), &["is for HS256"]);
    says(json!({ "secret_file": null, "public_key_file": "rsa.pem" }), &["HS256 needs `secret_file`"]);
    says(json!({ "secret_file": null, "jwks_url": "https://login.example" }), &["HS256 needs `secret_file`"]);
    for algorithms in [json!(["ES256"]), json!(["RS256", "ES256"])] {
        says(
            json!({ "secret_file": null, "public_key_file": "rsa.pem", "algorithms": algorithms }),
            &["a key of RS256"],
        );
    }
    for algorithm in ["none", "HS384", "PS256", "rs256", ""] {
        says(json!({ "algorithms": [algorithm] }), &["is not one of HS256, RS256, ES256, EdDSA"]);
    }
}

#[test]
fn a_weak_or_foreign_key_is_refused() {
    let pem = |file: &str, algorithm: &str| json!({ "secret_file": null, "public_key_file": file, "algorithms": [algorithm] });
    says(json!({ "secret_file": "short" }), &["shorter than 32 bytes"]);
    says(json!({ "secret_file": "absent" }), &["cannot read"]);
    says(pem("small.pem", "RS256"), &["2048 to 8192 bits"]);
    says(pem("p384.pem", "ES256"), &["not a public key of RSA, P-256 or Ed25519"]);
    says(pem("secret", "RS256"), &["BEGIN PUBLIC KEY"]);
    let file = |file: &str| json!({ "secret_file": null, "jwks_file": file, "algorithms": ["ES256"] });
    says(file("empty.json"), &["holds no key"]);
    says(file("oct.json"), &["not RSA, EC or OKP"]);
    says(file("secret"), &["not a JWK set"]);
    says(file("long.json"), &["larger than"]);
}

#[test]
fn a_url_is_asked_over_tls_or_on_this_machine() {
    let url = |url: &str| json!({ "secret_file": null, "algorithms": ["RS256"], "jwks_url": url });
    for plain in
        ["http://login.example/keys", "ftp://login.example", "file:///etc/passwd", "http://10.0.0.1/"]
    {
        says(url(plain), &["https://"]);
    }
    says(url("http://localhost.evil.example/"), &["https://"]);
    says(url("https://user:password@login.example/"), &["no user"]);
    says(url("keys.json"), &["not a URL"]);
    let local = [
        "http://127.0.0.1:1/keys",
        "http://[::1]:1/",
        "http://localhost:1/",
        "https://login.example/keys?v=1",
    ];
    for right in local {
        let folder = folder(&[], &json!([issuer(url(right))]).to_string());
        assert_eq!(read(folder.path()).expect(right).len(), 1);
    }
}

#[test]
fn tenants_are_named_and_never_guessed() {
    says(json!({ "tenants": null }), &["tenants: is missing"]);
    says(json!({ "tenants": [] }), &["must not be empty"]);
    says(json!({ "tenants": ["acme", "globex"] }), &["for several write"]);
    says(json!({ "tenants": "acme" }), &["invalid type"]);
    for odd in [
        json!({ "claim": "t" }),
        json!({ "claim": "t", "allowed": [] }),
        json!({ "claim": "t", "any": false }),
        json!({ "claim": "t", "any": true, "allowed": ["acme"] }),
    ] {
        says(json!({ "tenants": odd }), &["or \"any\": true"]);
    }
    says(json!({ "tenants": { "allowed": ["acme"] } }), &["tenants.claim: is missing"]);
    says(json!({ "tenants": { "claim": "t", "any": true, "also": 1 } }), &["tenants.also: no such field"]);
}

#[test]
fn an_issuer_or_a_field_twice_is_a_mistake() {
    let twice = mistakes(&[], &json!([issuer(json!({})), issuer(json!({}))]).to_string());
    assert_eq!(twice, ["issuers[1].issuer: `https://login.example` is listed twice"]);
    let field = issuer(json!({})).to_string().replacen('{', r#"{"tenants":["globex"],"#, 1);
    let told = mistakes(&[], &format!("[{field}]"));
    assert!(told[0].contains("`tenants` occurs twice"), "{told:?}");
    for text in ["", "{}", "[1]", "null"] {
        assert!(mistakes(&[], text)[0].contains("not a JSON list of issuers"), "{text}");
    }
}

#[test]
fn the_documents_example_is_a_valid_file() {
    let document = include_str!("../../../../../docs/jwt.md");
    let example = document.split("```json").nth(1).and_then(|rest| rest.split("```").next());
    let folder = folder(&[], example.expect("an example"));
    std::fs::create_dir(folder.path().join("keys")).expect("made");
    let key = include_bytes!("../testdata/ed25519-public.pem");
    std::fs::write(folder.path().join("keys/initech.pem"), key).expect("written");
    assert_eq!(read(folder.path()).expect("valid").len(), 2);
}
