//! Every attack by its name: tokens that an attacker, or another party with keys of its own, would send.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{MAX_TOKEN_BYTES, VerifiedToken, looks_like_jwt, provider},
    kit::*,
};

/// Each kind of key with an issuer that trusts it.
fn every_kind() -> Vec<(Signer, Fixture)> {
    let asymmetric = [Signer::rsa(), Signer::p256(), Signer::ed25519()].map(|signer| {
        let set = jwks(&[signer.jwk("k1")]);
        let list = vec![issuer(by_jwks(&[signer.algorithm()]))];
        let fixture = Fixture::with_files(&[("jwks.json", set.as_bytes())], list, QUICK);
        (signer, fixture)
    });
    let symmetric = (Signer::hmac(SECRET), Fixture::of(json!({})));
    asymmetric.into_iter().chain([symmetric]).collect()
}

#[tokio::test]
async fn a_right_token_of_each_algorithm_is_believed() {
    for (signer, fixture) in every_kind() {
        for token in [signer.sign(&claims()), signer.sign_as("k1", &claims())] {
            let VerifiedToken { issuer, tenant, subject, scopes, expires_at } =
                fixture.verify(&token).await.expect("right");
            assert_eq!((&*issuer, tenant.as_str(), subject.as_str()), (ISSUER, "acme", "user-1"));
            assert_eq!(scopes.to_string(), "chat models:read");
            assert!((595..=600).contains(&(expires_at.unix_timestamp() - now())));
        }
    }
}

#[tokio::test]
async fn alg_none_is_refused() {
    for (signer, fixture) in every_kind() {
        for none in ["none", "None", "NONE", "nOnE", ""] {
            let header = base64(json!({ "alg": none, "typ": "JWT" }).to_string());
            let unsigned = format!("{header}.{}.", base64(claims().to_string()));
            fixture.refuses(&unsigned, "header").await;
        }
        let signed = signer.sign(&claims());
        let bare = signed.rsplit_once('.').expect("three parts").0;
        fixture.refuses(&format!("{bare}."), "").await;
    }
}

#[tokio::test]
async fn an_rsa_public_key_is_not_the_secret_of_an_hmac() {
    let fixture = Fixture::of(rsa_by_pem());
    fixture.verify(&RSA.sign(&claims())).await.expect("the key itself is right");
    let jwk = RSA.jwk("k1");
    let stripped = RSA_PUBLIC_PEM.strip_suffix(b"\n").expect("a line break");
    for secret in [RSA_PUBLIC_PEM, stripped, jwk["n"].as_str().expect("text").as_bytes(), b""] {
        fixture.refuses(&Signer::hmac(secret).sign(&claims()), "algorithm").await;
    }
}

#[test]
fn a_key_checks_no_other_family_even_if_it_were_asked_to() {
    provider::install();
    let token = Signer::hmac(RSA_PUBLIC_PEM).sign(&claims());
    let key = jsonwebtoken::DecodingKey::from_rsa_der(RSA_PUBLIC_PEM);
    let mut careless = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    careless.set_audience(&[AUDIENCE]);
    assert!(jsonwebtoken::decode::<Value>(&token, &key, &careless).is_err());
}

#[tokio::test]
async fn an_algorithm_that_the_issuer_does_not_list_is_refused() {
    let p256 = Signer::p256();
    let set = jwks(&[RSA.jwk("k1"), p256.jwk("k2")]);
    let list = vec![issuer(by_jwks(&["RS256"]))];
    let fixture = Fixture::with_files(&[("jwks.json", set.as_bytes())], list, QUICK);
    fixture.refuses(&p256.sign_as("k2", &claims()), "algorithm").await;
    for other in ["RS384", "RS512", "PS256", "HS512", "ES384", "RS257"] {
        let token = RSA.sign_with(&json!({ "alg": other, "kid": "k1" }), &claims());
        fixture.refuses(&token, "algorithm").await;
    }
}

#[tokio::test]
async fn a_wrong_or_unknown_kid_is_refused() {
    let (first, second) = (Signer::p256(), Signer::p256());
    let set = jwks(&[first.jwk("k1"), second.jwk("k2")]);
    let list = vec![issuer(by_jwks(&["ES256"]))];
    let fixture = Fixture::with_files(&[("jwks.json", set.as_bytes())], list, QUICK);
    fixture.verify(&second.sign_as("k2", &claims())).await.expect("right");
    fixture.refuses(&first.sign_as("k2", &claims()), "signature").await;
    fixture.refuses(&first.sign_as("k3", &claims()), "no such key").await;
    fixture.refuses(&first.sign_as("../../dev/null", &claims()), "no such key").await;
    fixture.refuses(&first.sign_as("", &claims()), "no such key").await;
    fixture.refuses(&first.sign(&claims()), "no such key").await;
    let odd = first.sign_with(&json!({ "alg": "ES256", "kid": ["k1"] }), &claims());
    fixture.refuses(&odd, "header").await;
}

#[tokio::test]
async fn keys_that_a_header_brings_are_not_looked_at() {
    let (own, attacker) = (Signer::p256(), Signer::p256());
    let set = jwks(&[own.jwk("k1")]);
    let list = vec![issuer(by_jwks(&["ES256"]))];
    let fixture = Fixture::with_files(&[("jwks.json", set.as_bytes())], list, QUICK);
    let trap = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    trap.set_nonblocking(true).expect("set");
    let url = format!("http://{}/keys", trap.local_addr().expect("bound"));
    let brought = [
        json!({ "jwk": attacker.jwk("k1") }),
        json!({ "jku": url }),
        json!({ "x5u": url }),
        json!({ "x5c": ["MIIB"], "x5t": "abc" }),
    ];
    for brought in brought {
        let mut header = json!({ "alg": "ES256", "kid": "k1" });
        header.as_object_mut().expect("an object").extend(brought.as_object().expect("an object").clone());
        fixture.refuses(&attacker.sign_with(&header, &claims()), "signature").await;
        fixture.verify(&own.sign_with(&header, &claims())).await.expect("ignored, not refused");
    }
    assert!(trap.accept().is_err(), "nobody has followed the header");
}

#[tokio::test]
async fn a_changed_token_is_refused() {
    for (signer, fixture) in every_kind() {
        let token = signer.sign(&claims());
        let parts: Vec<&str> = token.split('.').collect();
        let other = signer.sign(&claims_with("sub", "user-2".into()));
        let payload = other.split('.').nth(1).expect("claims");
        fixture.refuses(&[parts[0], payload, parts[2]].join("."), "signature").await;
        let header = base64(json!({ "alg": signer.algorithm() }).to_string());
        fixture.refuses(&[&header, parts[1], parts[2]].join("."), "signature").await;
        let zeros = base64(vec![0; signer.signature(b"").len()]);
        fixture.refuses(&[parts[0], parts[1], &zeros].join("."), "signature").await;
        fixture.refuses(&[parts[0], parts[1], ""].join("."), "signature").await;
        fixture.refuses(&format!("{token}="), "").await;
        fixture.refuses(&format!("{token}."), "").await;
        fixture.refuses(&token[..token.len() - 1], "").await;
    }
}

#[tokio::test]
async fn another_issuers_key_does_not_speak_for_this_one() {
    let other = "https://other.example";
    let changes = json!({ "issuer": other, "secret_file": "other", "tenants": ["globex"] });
    let list = vec![issuer(json!({})), issuer(changes)];
    let secret = b"the other issuer's secret, also long";
    let fixture = Fixture::with_files(&[("other", secret)], list, QUICK);
    let theirs = Signer::hmac(secret);
    let verified = fixture.verify(&theirs.sign(&claims_with("iss", other.into()))).await.expect("right");
    assert_eq!(verified.tenant.as_str(), "globex");
    fixture.refuses(&theirs.sign(&claims()), "signature").await;
    fixture.refuses(&theirs.sign(&claims_with("iss", "https://nobody.example".into())), "known").await;
    for near in ["https://login.example/", "https://LOGIN.example", " https://login.example"] {
        fixture.refuses(&Signer::hmac(SECRET).sign(&claims_with("iss", near.into())), "known").await;
    }
}

#[tokio::test]
async fn an_expired_token_is_refused_and_clocks_may_be_apart() {
    let (fixture, signer) = (Fixture::of(json!({ "leeway_s": 20 })), Signer::hmac(SECRET));
    fixture.verify(&signer.sign(&claims_with("exp", json!(now() - 10)))).await.expect("within the leeway");
    fixture.refuses(&signer.sign(&claims_with("exp", json!(now() - 22))), "expired").await;
    let strict = Fixture::of(json!({ "leeway_s": 0 }));
    strict.refuses(&signer.sign(&claims_with("exp", json!(now() - 2))), "expired").await;
}

#[tokio::test]
async fn a_token_from_the_future_is_refused_and_clocks_may_be_apart() {
    let (fixture, signer) = (Fixture::of(json!({ "leeway_s": 20 })), Signer::hmac(SECRET));
    fixture.verify(&signer.sign(&claims_with("nbf", json!(now() + 10)))).await.expect("within the leeway");
    fixture.refuses(&signer.sign(&claims_with("nbf", json!(now() + 40))), "not valid yet").await;
    for odd in [json!("soon"), json!(-1), json!([0]), json!(true)] {
        fixture.refuses(&signer.sign(&claims_with("nbf", odd)), "").await;
    }
}

#[tokio::test]
async fn exp_iss_and_aud_are_required_and_must_be_what_they_should() {
    let (fixture, signer) = (Fixture::of(json!({})), Signer::hmac(SECRET));
    for (claim, because) in [("exp", "lacks"), ("iss", "iss"), ("aud", "lacks")] {
        fixture.refuses(&signer.sign(&claims_with(claim, Value::Null)), because).await;
        let mut nothing = claims();
        nothing[claim] = Value::Null;
        for odd in [Value::Null, json!({}), json!(true), json!([[]])] {
            nothing[claim] = odd;
            fixture.refuses(&signer.sign(&nothing), "").await;
        }
    }
    for odd in [json!("9999999999"), json!(-1), json!(1e300), json!(253_402_300_800_i64)] {
        fixture.refuses(&signer.sign(&claims_with("exp", odd)), "").await;
    }
    fixture.refuses(&signer.sign(&claims_with("iss", json!([ISSUER]))), "iss").await;
}

#[tokio::test]
async fn a_wrong_audience_is_refused_as_text_and_in_a_list() {
    let (fixture, signer) = (Fixture::of(json!({ "audience": ["tenora", "llm"] })), Signer::hmac(SECRET));
    for right in [json!("llm"), json!(["other", "tenora"])] {
        fixture.verify(&signer.sign(&claims_with("aud", right))).await.expect("one is enough");
    }
    for wrong in
        [json!("other"), json!(["other"]), json!([]), json!(""), json!("tenora llm"), json!("Tenora")]
    {
        fixture.refuses(&signer.sign(&claims_with("aud", wrong)), "audience").await;
    }
    fixture.refuses(&signer.sign(&claims_with("aud", json!(["tenora", 1]))), "lacks").await;
}

#[tokio::test]
async fn an_oversized_token_is_refused_before_it_is_read() {
    let (fixture, signer) = (Fixture::of(json!({})), Signer::hmac(SECRET));
    let long = signer.sign(&claims_with("filler", "x".repeat(MAX_TOKEN_BYTES).into()));
    fixture.refuses(&long, "too long").await;
    fixture.verify(&signer.sign(&claims_with("filler", "x".repeat(5000).into()))).await.expect("fits");
}

#[tokio::test]
async fn a_claim_or_header_field_that_occurs_twice_is_refused() {
    let (fixture, signer) = (Fixture::of(json!({ "tenants": by_claim(&["acme"]) })), Signer::hmac(SECRET));
    let header = r#"{"alg":"HS256"}"#;
    let text = claims_with("tenant", "acme".into()).to_string();
    fixture.verify(&signer.sign_text(header, &text)).await.expect("right");
    for twice in [r#""tenant":"globex""#, r#""sub":"root""#, r#""exp":9999999999"#, r#""scope":"chat""#] {
        for text in [text.replacen('{', &format!("{{{twice},"), 1), text.replace('}', &format!(",{twice}}}"))]
        {
            fixture.refuses(&signer.sign_text(header, &text), "twice").await;
        }
    }
    let two_issuers = text.replacen('{', r#"{"iss":"https://other.example","#, 1);
    fixture.refuses(&signer.sign_text(header, &two_issuers), "iss").await;
    for header in [r#"{"alg":"none","alg":"HS256"}"#, r#"{"alg":"HS256","alg":"none"}"#] {
        fixture.refuses(&signer.sign_text(header, &text), "header").await;
    }
}

#[tokio::test]
async fn a_header_that_asks_for_more_is_refused() {
    let (fixture, signer) = (Fixture::of(json!({})), Signer::hmac(SECRET));
    for more in [
        json!({ "crit": ["exp"] }),
        json!({ "crit": [] }),
        json!({ "zip": "DEF" }),
        json!({ "enc": "A128GCM" }),
    ] {
        let mut header = json!({ "alg": "HS256" });
        header.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        fixture.refuses(&signer.sign_with(&header, &claims()), "extension").await;
    }
    let critical = json!({ "alg": "HS256", "b64": false, "crit": ["b64"] });
    fixture.refuses(&signer.sign_with(&critical, &claims()), "extension").await;
}

#[tokio::test]
async fn a_token_for_another_purpose_is_refused() {
    let (fixture, signer) = (Fixture::of(json!({})), Signer::hmac(SECRET));
    let of = |typ: &str| signer.sign_with(&json!({ "alg": "HS256", "typ": typ }), &claims());
    for right in ["JWT", "jwt", "at+jwt", "application/at+jwt", "application/JWT"] {
        fixture.verify(&of(right)).await.expect(right);
    }
    for wrong in ["logout+jwt", "dpop+jwt", "secevent+jwt", "JWE", "", "application/json"] {
        fixture.refuses(&of(wrong), "access token").await;
    }
}

#[tokio::test]
async fn what_is_no_token_is_refused() {
    let fixture = Fixture::of(json!({}));
    let header = base64(r#"{"alg":"HS256"}"#);
    let deep = "[".repeat(3000);
    for claims in ["", "[]", "null", "\"text\"", "{", "{\"iss\":", &deep, "\u{0}"] {
        let token = Signer::hmac(SECRET).sign_text(r#"{"alg":"HS256"}"#, claims);
        fixture.refuses(&token, "claims").await;
    }
    for token in ["", ".", "..", "...", "a.b.c", "tk_1.secret", &header, &format!("{header}.."), "é.é.é"] {
        fixture.refuses(token, "").await;
    }
    assert!(Fixture::with_files(&[], Vec::new(), QUICK).issuers.is_empty(), "an empty list is nobody");
}

#[test]
fn a_jwt_is_told_from_a_key() {
    assert!(looks_like_jwt(&Signer::hmac(SECRET).sign(&claims())));
    assert!(looks_like_jwt("a.b."), "refused as what it is");
    for other in ["tk_0190a.deadbeef", "tk_a.b.c", "secret", "a.b", "a.b.c.d.e", ""] {
        assert!(!looks_like_jwt(other), "{other}");
    }
}

/// Not a promise: what checking costs, to judge whether a cache of checked tokens would be worth its risks.
#[tokio::test]
#[ignore = "a measurement"]
async fn what_a_check_costs() {
    for (signer, fixture) in every_kind() {
        let token = signer.sign_as("k1", &claims());
        fixture.verify(&token).await.expect("right");
        let begun = std::time::Instant::now();
        for _ in 0..2000 {
            fixture.verify(&token).await.expect("right");
        }
        println!("{}: {:?}", signer.algorithm(), begun.elapsed() / 2000);
    }
}

pub(super) fn by_claim(allowed: &[&str]) -> Value {
    json!({ "claim": "tenant", "allowed": allowed })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_is_a_panic_or_a_tenant(text in "\\PC{0,200}", header in "\\PC{0,80}", claims in "\\PC{0,200}") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let fixture = Fixture::of(json!({}));
            let unsigned = format!("{}.{}.{}", base64(&header), base64(&claims), base64(&text));
            let signed = Signer::hmac(SECRET).sign_text(&header, &claims);
            for token in [text, unsigned, signed] {
                prop_assert!(fixture.verify(&token).await.is_err());
                _ = looks_like_jwt(&token);
            }
            Ok(())
        })?;
    }

    #[test]
    fn one_changed_character_is_never_believed(place in any::<prop::sample::Index>(), other in "[A-Za-z0-9_.=-]") {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let fixture = Fixture::of(json!({}));
            let token = Signer::hmac(SECRET).sign(&claims());
            let place = place.index(token.len());
            let changed = format!("{}{other}{}", &token[..place], &token[place + 1..]);
            prop_assert!(changed == token || fixture.verify(&changed).await.is_err(), "{changed}");
            Ok(())
        })?;
    }
}
