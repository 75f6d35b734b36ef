//! What holds when two processes do things at once.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use tenora_adapter_store::{AdapterStore, StoreError, TenantId};

use crate::world::{ADMIN, World, model, name, push};

on_both_databases!(
    commits_at_once_get_different_numbers,
    the_same_content_at_once_is_one_version,
    a_live_version_always_has_its_bytes,
);

async fn two_processes(world: &World) -> [AdapterStore; 2] {
    [world.store.clone(), world.replica("cache-2").await]
}

fn spawn_pushes(
    stores: &[AdapterStore; 2],
    tenant: TenantId,
    contents: Vec<String>,
) -> Vec<tokio::task::JoinHandle<u32>> {
    let push_one = |(at, content): (usize, String)| {
        let tenant = stores[at % 2].tenant(tenant);
        tokio::spawn(async move { push(&tenant, "triage", &content).await.number.get() })
    };
    contents.into_iter().enumerate().map(push_one).collect()
}

async fn commits_at_once_get_different_numbers(world: &World) {
    let tenant = world.tenant("acme").await.id;
    let stores = two_processes(world).await;
    let pushes = spawn_pushes(&stores, tenant, (0..12).map(|n| format!("content {n}")).collect());
    let numbers: BTreeSet<u32> = join_all(pushes).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(numbers, (1..=12).collect());
}

async fn the_same_content_at_once_is_one_version(world: &World) {
    let tenant = world.tenant("acme").await.id;
    let stores = two_processes(world).await;
    let pushes = spawn_pushes(&stores, tenant, vec!["same".to_owned(); 12]);
    let numbers: BTreeSet<u32> = join_all(pushes).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(numbers, BTreeSet::from([1]));
    let changes = world.sql("SELECT action FROM audit_log WHERE action LIKE 'adapter%' ORDER BY id").await;
    assert_eq!(changes, ["adapter_version.create", "adapter_alias.move"]);
}

async fn a_live_version_always_has_its_bytes(world: &World) {
    let tenant = world.tenant("acme").await.id;
    let [one, two] = two_processes(world).await;
    let pusher = one.tenant(tenant);
    let deleter = two.tenant(tenant);
    let pushing = tokio::spawn(async move {
        for _ in 0..15 {
            push(&pusher, "triage", "same").await;
        }
    });
    while !pushing.is_finished() {
        match deleter.delete_adapter(&name("triage"), &ADMIN).await {
            Ok(()) | Err(StoreError::AdapterNotFound) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
    pushing.await.unwrap();
    // Whichever came last: a live version has bytes, and without one there are none.
    let tenant = world.store.tenant(tenant);
    push(&tenant, "triage", "same").await;
    let version = tenant.resolve(&model("triage"), None).await.unwrap();
    assert_eq!(tenant.local_files(&version).await.unwrap().digest(), version.digest);
}
