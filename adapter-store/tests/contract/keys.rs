//! Keys: shown once, recognised while they live, worthless to whoever reads the database.

use secrecy::ExposeSecret;
use tenora_adapter_store::{
    AdapterStore, Cap, CreatedKey, LimitOverrides, NewKey, Scope, ScopeSet, StoreConfig, StoreError,
    TenantChange, TenantStatus,
};
use time::{Duration, OffsetDateTime};

use crate::world::{World, name, new_key, slug_of};

on_both_databases!(
    a_key_speaks_for_its_tenant_with_its_scopes,
    what_is_not_the_key_is_nobody,
    a_key_ends_when_it_expires_or_is_revoked,
    a_key_is_revoked_through_its_own_tenant_only,
    keys_are_listed_newest_first_without_secrets,
    another_pepper_knows_no_key,
    a_revocation_is_felt_by_other_servers_within_a_second,
    a_rotated_key_goes_on_for_its_grace_and_no_longer,
    a_suspended_tenant_is_known_as_such_and_a_deleted_one_is_nobody,
    a_key_keeps_its_limits_and_its_adapters,
    when_a_key_was_last_used_is_noted,
);

async fn key(world: &World, slug: &str, scopes: ScopeSet, expires_at: Option<OffsetDateTime>) -> CreatedKey {
    world.keys(slug).await.create(NewKey { expires_at, ..new_key(scopes) }).await.unwrap()
}

async fn knows(store: &AdapterStore, key: &CreatedKey) -> bool {
    store.authenticate(key.key.expose_secret()).await.unwrap().is_some()
}

async fn a_key_speaks_for_its_tenant_with_its_scopes(world: &World) {
    let (acme, _) = (world.tenant("acme").await, world.tenant("globex").await);
    let scopes = ScopeSet::parse(["chat", "usage:read"]).unwrap();
    let created = key(world, "acme", scopes, None).await;
    let known = world.store.authenticate(created.key.expose_secret()).await.unwrap().unwrap();
    assert_eq!((known.key_id, known.scopes, &known.tenant), (created.info.id, scopes, &acme));

    let refused = world.operator().keys(&slug_of("nobody")).await;
    assert!(matches!(refused, Err(StoreError::TenantNotFound)));
}

async fn what_is_not_the_key_is_nobody(world: &World) {
    world.tenant("acme").await;
    let (one, two) =
        (key(world, "acme", Scope::DEFAULT, None).await, key(world, "acme", Scope::DEFAULT, None).await);
    let (one, two) = (one.key.expose_secret(), two.key.expose_secret());
    let (id, secret) = one.split_once('.').unwrap();
    let (other_id, other_secret) = two.split_once('.').unwrap();
    let unknown = format!("tk_{}.{secret}", "0".repeat(32));
    for wrong in [
        &format!("{id}.{other_secret}"),
        &format!("{other_id}.{secret}"),
        &unknown,
        &one.to_uppercase(),
        &format!("{one} "),
        &one[..one.len() - 1],
        id,
        "",
        "tk_.",
        "Bearer x",
        "tk_' OR 1=1 --.x",
    ] {
        assert_eq!(world.store.authenticate(wrong).await.unwrap(), None, "{wrong:?}");
    }
    assert!(world.store.authenticate(one).await.unwrap().is_some());
}

async fn a_key_ends_when_it_expires_or_is_revoked(world: &World) {
    world.tenant("acme").await;
    let now = OffsetDateTime::now_utc();
    let over = key(world, "acme", Scope::DEFAULT, Some(now - Duration::seconds(1))).await;
    let good = key(world, "acme", Scope::DEFAULT, Some(now + Duration::hours(1))).await;
    let ever = key(world, "acme", Scope::DEFAULT, None).await;
    assert!(!knows(&world.store, &over).await);
    assert!(knows(&world.store, &good).await && knows(&world.store, &ever).await);

    let keys = world.keys("acme").await;
    keys.revoke(good.info.id).await.unwrap();
    assert!(!knows(&world.store, &good).await);
    assert!(knows(&world.store, &ever).await);
    let revoked_at = keys.list().await.unwrap()[1].revoked_at;
    keys.revoke(good.info.id).await.unwrap();
    let listed = keys.list().await.unwrap();
    assert_eq!((listed[1].id, listed[1].revoked_at), (good.info.id, revoked_at));
    assert!(revoked_at.is_some());
}

async fn a_key_is_revoked_through_its_own_tenant_only(world: &World) {
    world.tenant("acme").await;
    world.tenant("globex").await;
    let created = key(world, "acme", Scope::DEFAULT, None).await;
    let foreign = world.keys("globex").await.revoke(created.info.id).await;
    assert!(matches!(foreign, Err(StoreError::KeyNotFound)));
    assert!(knows(&world.store, &created).await);
    assert!(world.keys("globex").await.list().await.unwrap().is_empty());
}

async fn keys_are_listed_newest_first_without_secrets(world: &World) {
    world.tenant("acme").await;
    let (first, second) =
        (key(world, "acme", Scope::DEFAULT, None).await, key(world, "acme", ScopeSet::EMPTY, None).await);
    let listed = world.keys("acme").await.list().await.unwrap();
    assert_eq!(listed, [second.info, first.info.clone()]);

    let secret = first.key.expose_secret().split_once('.').unwrap().1.to_owned();
    assert!(!format!("{listed:?}{first:?}").contains(&secret));
    let raw_secret = hex::decode(&secret).unwrap();
    for file in crate::world::files(world.dir.path()) {
        let bytes = std::fs::read(world.dir.path().join(file)).unwrap();
        assert!(!bytes.windows(raw_secret.len()).any(|window| window == raw_secret));
        assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
}

async fn another_pepper_knows_no_key(world: &World) {
    world.tenant("acme").await;
    let created = key(world, "acme", Scope::DEFAULT, None).await;
    let config = StoreConfig {
        pepper: "another pepper".into(),
        cache_dir: world.dir.path().join("c2"),
        ..world.config.clone()
    };
    let other = AdapterStore::open(config).await.unwrap();
    assert!(!knows(&other, &created).await);
}

async fn a_revocation_is_felt_by_other_servers_within_a_second(world: &World) {
    world.tenant("acme").await;
    let created = key(world, "acme", Scope::DEFAULT, None).await;
    let other = world.replica("c2").await;
    let mut changes = other.credential_changes();
    // Long enough for the other server to have read the epoch and to answer from memory.
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert!(knows(&other, &created).await && knows(&other, &created).await);

    world.keys("acme").await.revoke(created.info.id).await.unwrap();
    // Twice a second it looks; the other second is for a busy machine.
    let told = tokio::time::timeout(std::time::Duration::from_secs(2), changes.changed()).await;
    assert!(told.is_ok(), "not told in time");
    assert!(!knows(&other, &created).await);
    assert!(other.key_stands(created.info.id).await.unwrap().is_none());
}

async fn a_rotated_key_goes_on_for_its_grace_and_no_longer(world: &World) {
    world.tenant("acme").await;
    let now = OffsetDateTime::now_utc();
    let old = key(world, "acme", Scope::DEFAULT, Some(now + Duration::hours(1))).await;
    let keys = world.keys("acme").await;
    let new = keys.rotate(old.info.id, now + Duration::milliseconds(400)).await.unwrap();
    assert_ne!(new.info.id, old.info.id);
    assert_eq!((new.info.scopes, new.info.expires_at), (old.info.scopes, old.info.expires_at));
    assert!(knows(&world.store, &old).await && knows(&world.store, &new).await);
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(!knows(&world.store, &old).await && knows(&world.store, &new).await);
    let again = keys.rotate(old.info.id, now + Duration::hours(2)).await;
    assert!(matches!(again, Err(StoreError::KeyNotFound)), "an ended key is not brought back");

    // A grace never lets a key live longer than it would have.
    keys.rotate(new.info.id, now + Duration::hours(9)).await.unwrap();
    assert_eq!(keys.show(new.info.id).await.unwrap().expires_at, new.info.expires_at);
}

async fn a_suspended_tenant_is_known_as_such_and_a_deleted_one_is_nobody(world: &World) {
    world.tenant("acme").await;
    let created = key(world, "acme", Scope::DEFAULT, None).await;
    let suspend = |suspended| TenantChange { suspended: Some(suspended), ..TenantChange::default() };
    for (suspended, status) in [(true, TenantStatus::Suspended), (false, TenantStatus::Active)] {
        world.operator().update_tenant(&slug_of("acme"), suspend(suspended)).await.unwrap();
        let known = world.store.authenticate(created.key.expose_secret()).await.unwrap().unwrap();
        assert_eq!(known.tenant.status, status);
        let tenant = world.store.tenant_by_slug(&slug_of("acme")).await.unwrap().unwrap();
        assert_eq!(tenant.status, status);
    }
    world.operator().delete_tenant(&slug_of("acme")).await.unwrap();
    assert!(!knows(&world.store, &created).await);
    assert!(world.store.tenant_by_slug(&slug_of("acme")).await.unwrap().is_none());
    let again = world.operator().update_tenant(&slug_of("acme"), suspend(false)).await;
    assert!(matches!(again, Err(StoreError::TenantNotFound)));
}

async fn a_key_keeps_its_limits_and_its_adapters(world: &World) {
    world.tenant("acme").await;
    let limits = LimitOverrides { requests_per_minute: Some(Cap::At(3)), ..LimitOverrides::default() };
    let new = NewKey { limits, adapters: Some(vec![name("triage")]), ..new_key(Scope::DEFAULT) };
    let created = world.keys("acme").await.create(new).await.unwrap();
    let known = world.store.authenticate(created.key.expose_secret()).await.unwrap().unwrap();
    assert_eq!((known.limits, known.adapters.as_deref()), (limits, Some(&[name("triage")][..])));
    let rotated = world.keys("acme").await.rotate(created.info.id, OffsetDateTime::now_utc()).await.unwrap();
    assert_eq!((rotated.info.limits, rotated.info.adapters), (limits, Some(vec![name("triage")])));
}

async fn when_a_key_was_last_used_is_noted(world: &World) {
    world.tenant("acme").await;
    let created = key(world, "acme", Scope::DEFAULT, None).await;
    let keys = world.keys("acme").await;
    assert_eq!(keys.show(created.info.id).await.unwrap().last_used_at, None);
    let before = OffsetDateTime::now_utc();
    assert!(knows(&world.store, &created).await);
    world.store.flush().await;
    let noted = keys.show(created.info.id).await.unwrap().last_used_at.unwrap();
    assert!((before - Duration::seconds(1)..=OffsetDateTime::now_utc()).contains(&noted));
}
