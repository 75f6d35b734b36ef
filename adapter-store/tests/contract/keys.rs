//! Keys: shown once, recognised while they live, worthless to whoever reads the database.

use secrecy::ExposeSecret;
use tenora_adapter_store::{AdapterStore, CreatedKey, NewKey, Scope, ScopeSet, StoreConfig, StoreError};
use time::{Duration, OffsetDateTime};

use crate::world::{World, display, slug_of};

on_both_databases!(
    a_key_speaks_for_its_tenant_with_its_scopes,
    what_is_not_the_key_is_nobody,
    a_key_ends_when_it_expires_or_is_revoked,
    a_key_is_revoked_through_its_own_tenant_only,
    keys_are_listed_newest_first_without_secrets,
    another_pepper_knows_no_key,
);

async fn key(world: &World, slug: &str, scopes: ScopeSet, expires_at: Option<OffsetDateTime>) -> CreatedKey {
    let new = NewKey { name: display("ci"), scopes, expires_at };
    world.operator().create_key(&slug_of(slug), new).await.unwrap()
}

async fn knows(store: &AdapterStore, key: &CreatedKey) -> bool {
    store.authenticate(key.key.expose_secret()).await.unwrap().is_some()
}

async fn a_key_speaks_for_its_tenant_with_its_scopes(world: &World) {
    let (acme, _) = (world.tenant("acme").await, world.tenant("globex").await);
    let scopes = ScopeSet::parse(["chat", "usage:read"]).unwrap();
    let created = key(world, "acme", scopes, None).await;
    let known = world.store.authenticate(created.key.expose_secret()).await.unwrap().unwrap();
    assert_eq!((known.key_id, known.scopes, &known.tenant), (created.id, scopes, &acme));

    let nobody = NewKey { name: display("ci"), scopes, expires_at: None };
    let refused = world.operator().create_key(&slug_of("nobody"), nobody).await;
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

    world.operator().revoke_key(&slug_of("acme"), good.id).await.unwrap();
    assert!(!knows(&world.store, &good).await);
    assert!(knows(&world.store, &ever).await);
    let revoked_at = world.operator().list_keys(&slug_of("acme")).await.unwrap()[1].revoked_at;
    world.operator().revoke_key(&slug_of("acme"), good.id).await.unwrap();
    let listed = world.operator().list_keys(&slug_of("acme")).await.unwrap();
    assert_eq!((listed[1].id, listed[1].revoked_at), (good.id, revoked_at));
    assert!(revoked_at.is_some());
}

async fn a_key_is_revoked_through_its_own_tenant_only(world: &World) {
    world.tenant("acme").await;
    world.tenant("globex").await;
    let created = key(world, "acme", Scope::DEFAULT, None).await;
    let foreign = world.operator().revoke_key(&slug_of("globex"), created.id).await;
    assert!(matches!(foreign, Err(StoreError::KeyNotFound)));
    assert!(knows(&world.store, &created).await);
    assert!(world.operator().list_keys(&slug_of("globex")).await.unwrap().is_empty());
}

async fn keys_are_listed_newest_first_without_secrets(world: &World) {
    world.tenant("acme").await;
    let (first, second) =
        (key(world, "acme", Scope::DEFAULT, None).await, key(world, "acme", ScopeSet::EMPTY, None).await);
    let listed = world.operator().list_keys(&slug_of("acme")).await.unwrap();
    assert_eq!(listed.iter().map(|key| key.id).collect::<Vec<_>>(), [second.id, first.id]);
    assert_eq!((listed[1].scopes, listed[1].created_at), (first.scopes, first.created_at));

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
