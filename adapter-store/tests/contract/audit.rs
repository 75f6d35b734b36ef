//! A change and its audit row are one transaction.

use tenora_adapter_store::{Actor, ActorKind, AuditQuery, Paging, Scope, StoreError, TenantChange};

use crate::world::{ADMIN, World, checked, display, model, name, new_key, push, slug_of, stage};

on_both_databases!(
    every_change_is_recorded_once,
    without_its_audit_row_no_change_happens,
    the_log_is_read_newest_first_and_by_tenant_and_action,
);

async fn every_change_is_recorded_once(world: &World) {
    let acme = world.tenant("acme").await;
    let keys = world.keys("acme").await;
    let key = keys.create(new_key(Scope::DEFAULT)).await.unwrap().info;
    let tenant = world.store.tenant(acme.id);
    let actor = Actor { kind: ActorKind::Key(key.id), ip: Some("2001:db8::1".parse().unwrap()) };
    for content in ["one", "one", "two"] {
        let staged = stage(&tenant, content).await;
        tenant.commit(&name("triage"), &staged, checked("base-1"), &actor).await.unwrap();
    }
    tenant.delete_adapter(&name("triage"), &Actor::SYSTEM).await.unwrap();
    for _ in 0..2 {
        keys.revoke(key.id).await.unwrap();
    }

    let rows = world.sql("SELECT actor || ' ' || action || ' ' || subject FROM audit_log ORDER BY id").await;
    let expected = [
        "admin tenant.create acme".to_owned(),
        format!("admin key.create {}", key.id),
        "key adapter_version.create triage@1".to_owned(),
        "key adapter_alias.move triage@latest".to_owned(),
        "key adapter_version.create triage@2".to_owned(),
        "key adapter_alias.move triage@latest".to_owned(),
        "system adapter.delete triage".to_owned(),
        format!("admin key.revoke {}", key.id),
    ];
    assert_eq!(rows, expected);
    let ips = world.sql("SELECT actor_ip FROM audit_log WHERE actor_key IS NOT NULL").await;
    assert_eq!(ips, ["2001:db8::1"; 4]);
    let details =
        world.sql("SELECT CAST(detail AS text) FROM audit_log WHERE action = 'adapter_version.create'").await;
    assert!(details.iter().all(|detail| detail.contains("sha256:")), "{details:?}");
}

async fn without_its_audit_row_no_change_happens(world: &World) {
    let acme = world.tenant("acme").await;
    let tenant = world.store.tenant(acme.id);
    let version = push(&tenant, "triage", "one").await;
    let keys = world.keys("acme").await;
    let key = keys.create(new_key(Scope::DEFAULT)).await.unwrap().info;
    world.sql("ALTER TABLE audit_log RENAME TO audit_log_away").await;

    let staged = stage(&tenant, "two").await;
    let pushed = tenant.commit(&name("triage"), &staged, checked("base-1"), &ADMIN).await;
    assert!(matches!(pushed, Err(StoreError::Internal(_))), "{pushed:?}");
    assert!(tenant.delete_adapter(&name("triage"), &ADMIN).await.is_err());
    assert!(world.operator().create_tenant(&slug_of("globex"), &display("Globex")).await.is_err());
    assert!(keys.create(new_key(Scope::DEFAULT)).await.is_err());
    assert!(keys.rotate(key.id, time::OffsetDateTime::now_utc()).await.is_err());
    assert!(keys.revoke(key.id).await.is_err());
    assert!(world.operator().delete_tenant(&slug_of("acme")).await.is_err());

    world.sql("ALTER TABLE audit_log_away RENAME TO audit_log").await;
    assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap(), version);
    assert!(matches!(
        world.operator().tenant_by_slug(&slug_of("globex")).await,
        Err(StoreError::TenantNotFound)
    ));
    let listed = keys.list().await.unwrap();
    assert_eq!((listed.len(), listed[0].revoked_at), (1, None));
    assert_eq!(push(&tenant, "triage", "two").await.number.get(), 2, "the failed commit took no number");
}

async fn the_log_is_read_newest_first_and_by_tenant_and_action(world: &World) {
    let (acme, _) = (world.tenant("acme").await, world.tenant("globex").await);
    push(&world.store.tenant(acme.id), "triage", "one").await;
    let change = TenantChange { name: Some(display("Acme 2")), ..TenantChange::default() };
    world.operator().update_tenant(&slug_of("acme"), change.clone()).await.unwrap();
    // The same again changes nothing and is not recorded.
    world.operator().update_tenant(&slug_of("acme"), change).await.unwrap();

    let read = async |tenant: Option<&str>, query: AuditQuery| {
        let slug = tenant.map(slug_of);
        let page = world.operator().audit(slug.as_ref(), &query).await.unwrap();
        let words =
            |record: &tenora_adapter_store::AuditRecord| format!("{} {}", record.tenant, record.action);
        (page.items.iter().map(words).collect::<Vec<_>>(), page)
    };
    let (all, page) = read(None, AuditQuery::default()).await;
    assert_eq!(
        all,
        [
            "acme tenant.update",
            "acme adapter_alias.move",
            "acme adapter_version.create",
            "globex tenant.create",
            "acme tenant.create"
        ]
    );
    let update = &page.items[0];
    assert_eq!(
        (&update.detail["before"]["name"], &update.detail["after"]["name"]),
        (&"acme".into(), &"Acme 2".into())
    );

    let (own, _) = read(Some("globex"), AuditQuery::default()).await;
    assert_eq!(own, ["globex tenant.create"]);
    let action = AuditQuery { action: Some("tenant.create".to_owned()), ..AuditQuery::default() };
    assert_eq!(read(None, action).await.0, ["globex tenant.create", "acme tenant.create"]);
    let until = AuditQuery { until: Some(page.items[2].created_at), ..AuditQuery::default() };
    assert_eq!(read(None, until).await.0, ["globex tenant.create", "acme tenant.create"]);

    let first = AuditQuery { paging: Paging { after: None, limit: 4 }, ..AuditQuery::default() };
    let (words, page) = read(None, first).await;
    assert!(page.has_more && words.len() == 4);
    let after = page.items.last().map(|record| record.id);
    let rest = AuditQuery { paging: Paging { after, limit: 4 }, ..AuditQuery::default() };
    assert_eq!(read(None, rest).await.0, ["acme tenant.create"]);
}
