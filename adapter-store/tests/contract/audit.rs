//! A change and its audit row are one transaction.

use tenora_adapter_store::{Actor, ActorKind, NewKey, Scope, StoreError};

use crate::world::{ADMIN, World, checked, display, model, name, push, slug_of, stage};

on_both_databases!(every_change_is_recorded_once, without_its_audit_row_no_change_happens);

async fn every_change_is_recorded_once(world: &World) {
    let acme = world.tenant("acme").await;
    let new = NewKey { name: display("ci"), scopes: Scope::DEFAULT, expires_at: None };
    let key = world.operator().create_key(&slug_of("acme"), new).await.unwrap();
    let tenant = world.store.tenant(acme.id);
    let actor = Actor { kind: ActorKind::Key(key.id), ip: Some("2001:db8::1".parse().unwrap()) };
    for content in ["one", "one", "two"] {
        let staged = stage(&tenant, content).await;
        tenant.commit(&name("triage"), staged, checked("base-1"), &actor).await.unwrap();
    }
    tenant.delete_adapter(&name("triage"), &Actor::SYSTEM).await.unwrap();
    for _ in 0..2 {
        world.operator().revoke_key(&slug_of("acme"), key.id).await.unwrap();
    }

    let rows = world.sql("SELECT actor || ' ' || action || ' ' || subject FROM audit_log ORDER BY id").await;
    let expected = [
        "admin tenant.create acme".to_owned(),
        format!("admin key.create {}", key.id),
        "key adapter_version.create triage@1".to_owned(),
        "key adapter_version.create triage@2".to_owned(),
        "system adapter.delete triage".to_owned(),
        format!("admin key.revoke {}", key.id),
    ];
    assert_eq!(rows, expected);
    let ips = world.sql("SELECT actor_ip FROM audit_log WHERE actor_key IS NOT NULL").await;
    assert_eq!(ips, ["2001:db8::1", "2001:db8::1"]);
    let details =
        world.sql("SELECT CAST(detail AS text) FROM audit_log WHERE action = 'adapter_version.create'").await;
    assert!(details.iter().all(|detail| detail.contains("sha256:")), "{details:?}");
}

async fn without_its_audit_row_no_change_happens(world: &World) {
    let acme = world.tenant("acme").await;
    let tenant = world.store.tenant(acme.id);
    let version = push(&tenant, "triage", "one").await;
    let new = NewKey { name: display("ci"), scopes: Scope::DEFAULT, expires_at: None };
    let key = world.operator().create_key(&slug_of("acme"), new.clone()).await.unwrap();
    world.sql("ALTER TABLE audit_log RENAME TO audit_log_away").await;

    let staged = stage(&tenant, "two").await;
    let pushed = tenant.commit(&name("triage"), staged, checked("base-1"), &ADMIN).await;
    assert!(matches!(pushed, Err(StoreError::Internal(_))), "{pushed:?}");
    assert!(tenant.delete_adapter(&name("triage"), &ADMIN).await.is_err());
    assert!(world.operator().create_tenant(&slug_of("globex"), &display("Globex")).await.is_err());
    assert!(world.operator().create_key(&slug_of("acme"), new).await.is_err());
    assert!(world.operator().revoke_key(&slug_of("acme"), key.id).await.is_err());

    world.sql("ALTER TABLE audit_log_away RENAME TO audit_log").await;
    assert_eq!(tenant.resolve(&model("triage")).await.unwrap(), version);
    assert!(matches!(
        world.operator().tenant_by_slug(&slug_of("globex")).await,
        Err(StoreError::TenantNotFound)
    ));
    let keys = world.operator().list_keys(&slug_of("acme")).await.unwrap();
    assert_eq!((keys.len(), keys[0].revoked_at), (1, None));
    assert_eq!(push(&tenant, "triage", "two").await.number.get(), 2, "the failed commit took no number");
}
