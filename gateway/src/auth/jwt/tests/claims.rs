//! What claims come to mean: tenants, subjects and scopes, and never more than the issuer was given.

use serde_json::{Value, json};

use super::{attacks::by_claim, kit::*};

fn signed(name: &str, value: Value) -> String {
    Signer::hmac(SECRET).sign(&claims_with(name, value))
}

#[tokio::test]
async fn a_tenant_that_the_issuer_may_not_speak_for_is_refused() {
    let fixture = Fixture::of(json!({ "tenants": by_claim(&["acme", "globex"]) }));
    let verified = fixture.verify(&signed("tenant", "globex".into())).await.expect("allowed");
    assert_eq!(verified.tenant.as_str(), "globex");
    fixture.refuses(&signed("tenant", "initech".into()), "may not speak").await;
    fixture.refuses(&signed("tenant", Value::Null), "names no tenant").await;
    for odd in [json!(["acme"]), json!({ "acme": true }), json!(1), json!(true)] {
        fixture.refuses(&signed("tenant", odd), "names no tenant").await;
    }
    for odd in ["", "ACME", "acme ", "acme\u{0}", "../acme", "acme,globex", &"a".repeat(64)] {
        fixture.refuses(&signed("tenant", odd.into()), "not a tenant's name").await;
    }
}

#[tokio::test]
async fn an_issuer_of_one_tenant_is_not_asked_which() {
    let fixture = Fixture::of(json!({}));
    let verified = fixture.verify(&signed("tenant", "globex".into())).await.expect("right");
    assert_eq!(verified.tenant.as_str(), "acme", "the file decides, not the token");
}

#[tokio::test]
async fn an_issuer_of_all_tenants_names_one_in_each_token() {
    let fixture = Fixture::of(json!({ "tenants": { "claim": "https://example/org", "any": true } }));
    let verified = fixture.verify(&signed("https://example/org", "initech".into())).await.expect("any");
    assert_eq!(verified.tenant.as_str(), "initech");
    fixture.refuses(&signed("tenant", "initech".into()), "names no tenant").await;
}

#[tokio::test]
async fn a_subject_is_short_printable_and_not_empty() {
    let fixture = Fixture::of(json!({}));
    for right in ["a", "auth0|5f7c", "user@example.com", "First Last", &"x".repeat(255)] {
        let verified = fixture.verify(&signed("sub", right.into())).await.expect(right);
        assert_eq!(verified.subject, right);
    }
    for wrong in ["", " ", " a", "a\n", "a\u{0}b", "\u{7f}", "näme", "a\u{202e}b", &"x".repeat(256)] {
        fixture.refuses(&signed("sub", wrong.into()), "subject").await;
    }
    for odd in [Value::Null, json!(7), json!(["a"]), json!({})] {
        fixture.refuses(&signed("sub", odd), "").await;
    }
}

#[tokio::test]
async fn the_subject_may_be_another_claim() {
    let fixture = Fixture::of(json!({ "subject_claim": "email" }));
    let verified = fixture.verify(&signed("email", "a@example.com".into())).await.expect("right");
    assert_eq!(verified.subject, "a@example.com");
    fixture.refuses(&Signer::hmac(SECRET).sign(&claims()), "subject").await;
}

async fn scopes(fixture: &Fixture, claim: &str, value: Value) -> String {
    fixture.verify(&signed(claim, value)).await.expect("right").scopes.to_string()
}

#[tokio::test]
async fn a_token_never_holds_a_scope_that_is_not_ours() {
    let fixture = Fixture::of(json!({}));
    assert_eq!(scopes(&fixture, "scope", "chat admin root * openid CHAT".into()).await, "chat");
    assert_eq!(
        scopes(&fixture, "scope", json!(["adapters:write", "admin", "chat chat"])).await,
        "adapters:write"
    );
    assert_eq!(scopes(&fixture, "scope", Value::Null).await, "", "no claim, no default, nothing");
    assert_eq!(scopes(&fixture, "scope", "".into()).await, "");
    for odd in [json!(1), json!({ "chat": true }), json!(["chat", 1]), json!([["chat"]])] {
        fixture.refuses(&signed("scope", odd), "scopes").await;
    }
}

#[tokio::test]
async fn a_token_has_no_claim_that_makes_an_operator() {
    let fixture = Fixture::of(json!({}));
    for claim in ["role", "roles", "admin", "is_admin", "groups"] {
        let verified = fixture.verify(&signed(claim, "admin".into())).await.expect("right");
        assert_eq!(verified.scopes.to_string(), "chat models:read");
    }
}

#[tokio::test]
async fn scopes_may_have_other_names_at_their_issuer() {
    let fixture = Fixture::of(json!({
        "scope_claim": "scp",
        "scope_map": { "llm.use": ["chat", "models:read"], "llm.train": ["adapters:write"] },
        "default_scopes": ["models:read"],
    }));
    assert_eq!(scopes(&fixture, "scp", "llm.use".into()).await, "chat models:read");
    assert_eq!(
        scopes(&fixture, "scp", json!(["llm.train", "chat", "other"])).await,
        "adapters:write",
        "mapped alone"
    );
    assert_eq!(
        scopes(&fixture, "scp", json!([])).await,
        "",
        "a claim that grants nothing is not a missing one"
    );
    assert_eq!(scopes(&fixture, "other", json!("llm.use")).await, "models:read");
}
