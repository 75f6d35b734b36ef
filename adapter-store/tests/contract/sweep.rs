//! The sweeper: what nobody needs goes, what somebody needs or may soon need stays, and one server at a time is at it.

use std::fs;
use std::time::Duration;

use tenora_adapter_store::{StoreError, SweepReport, TenantId};
use uuid::Uuid;

use crate::world::{ADMIN, World, checked, files, model, name, push, stage};

on_both_databases!(
    what_nobody_needs_goes_when_it_is_old_enough,
    what_a_tenant_that_is_gone_left_goes_as_well,
    one_server_at_a_time_sweeps,
    a_version_in_the_making_keeps_its_bytes,
);

const OLD: Duration = Duration::from_secs(61);

/// A tenant's id as it would be made, without a row.
fn nobody() -> TenantId {
    TenantId::parse(&Uuid::now_v7().to_string()).unwrap()
}

/// Writes a file below the blobs' folder.
fn write(world: &World, path: &str) -> String {
    let file = world.blobs_dir().join(path);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, "1234").unwrap();
    path.to_owned()
}

async fn what_nobody_needs_goes_when_it_is_old_enough(world: &World) {
    let acme = world.tenant("acme").await.id;
    let tenant = world.store.tenant(acme);
    let version = push(&tenant, "triage", "one").await;
    let needed = files(&world.blobs_dir());
    let digest = |byte: &str| byte.repeat(32);
    let whole = [
        write(world, &format!("{acme}/{}/adapter_config.json", digest("ab"))),
        write(world, &format!("{acme}/{}/adapter_model.safetensors", digest("ab"))),
    ];
    let half = write(world, &format!("{acme}/{}/adapter_model.safetensors", digest("cd")));
    let unfinished = write(world, &format!("{acme}/{}/adapter_model.safetensors#1", digest("ef")));
    let stays = [
        write(world, "README"),
        write(world, &format!("{acme}/uploads/1/part")),
        write(world, &format!("{acme}/notes/about/this")),
    ];
    let maintenance = world.maintenance().await;
    let nothing = SweepReport { foreign: 2, ..SweepReport::default() };
    assert_eq!(maintenance.sweep(false).await.unwrap(), Some(nothing), "all of it is young");

    world.age_blobs(OLD);
    let young = write(world, &format!("{acme}/{}/adapter_config.json", digest("01")));
    // A single young object shows that somebody is at it.
    let touched = write(world, &format!("{acme}/{}/adapter_config.json", digest("cd")));
    let found = SweepReport { unused: 1, unused_bytes: 8, leftovers: 1, leftover_bytes: 4, ..nothing };
    assert_eq!(maintenance.sweep(true).await.unwrap(), Some(found));
    assert!(whole.iter().chain([&unfinished]).all(|path| world.blobs_dir().join(path).exists()));
    assert_eq!(maintenance.sweep(false).await.unwrap(), Some(found));
    let mut left = [&needed[..], &[half, young, touched], &stays].concat();
    left.sort();
    assert_eq!(files(&world.blobs_dir()), left);
    assert_eq!(maintenance.sweep(false).await.unwrap(), Some(nothing));
    assert!(tenant.local_files(&version).await.is_ok());
}

async fn what_a_tenant_that_is_gone_left_goes_as_well(world: &World) {
    let acme = world.tenant("acme").await;
    push(&world.store.tenant(acme.id), "triage", "one").await;
    let kept = files(&world.blobs_dir());
    world.operator().delete_tenant(&acme.slug).await.unwrap();
    assert!(files(&world.blobs_dir()).is_empty(), "deleting takes them away already");
    // What it could not take away, the sweeper does.
    kept.iter().for_each(|path| _ = write(world, path));
    write(world, &format!("{}/{}/adapter_config.json", nobody(), "ab".repeat(32)));
    world.age_blobs(OLD);
    let swept = world.maintenance().await.sweep(false).await.unwrap().unwrap();
    assert_eq!((swept.unused, swept.unused_bytes, swept.failed), (2, 12, 0));
    assert!(files(&world.blobs_dir()).is_empty());
}

async fn one_server_at_a_time_sweeps(world: &World) {
    let lease = async |ends_at: &str| {
        let holder = match &world.config.database {
            tenora_adapter_store::DatabaseUrl::Sqlite(_) => "zeroblob(16)".to_owned(),
            tenora_adapter_store::DatabaseUrl::Postgres(_) => format!("'{}'", Uuid::nil()),
        };
        world.sql("DELETE FROM leases").await;
        let insert = "INSERT INTO leases (name, holder, ends_at) VALUES ('sweep blobs'";
        world.sql(&format!("{insert}, {holder}, {ends_at})")).await;
    };
    let maintenance = world.maintenance().await;
    lease("9999999999").await;
    assert_eq!(maintenance.sweep(false).await.unwrap(), None, "another server has the lease");
    assert!(maintenance.sweep(true).await.unwrap().is_some(), "a dry run needs none");
    lease("1").await;
    assert!(maintenance.sweep(false).await.unwrap().is_some(), "a dead server's lease has ended");
    assert!(world.sql("SELECT name FROM leases").await.is_empty(), "it is given back");
    // Two at once: one of them, or one after the other.
    let other = world.maintenance().await;
    let (one, two) = tokio::join!(maintenance.sweep(false), other.sweep(false));
    assert!(one.unwrap().is_some() | two.unwrap().is_some());
}

async fn a_version_in_the_making_keeps_its_bytes(world: &World) {
    let acme = world.tenant("acme").await.id;
    let pusher = world.replica("cache-2").await.tenant(acme);
    let pushing = tokio::spawn(async move {
        for _ in 0..12 {
            // Bytes that are taken away as often as they are put are no fault, and come with the next push.
            let staged = stage(&pusher, "same").await;
            match pusher.commit(&name("triage"), &staged, checked("base-1"), &ADMIN).await {
                Ok(_) | Err(StoreError::Unavailable { what: "the blob store", .. }) => {}
                Err(error) => panic!("{error:?}"),
            }
            match pusher.delete_adapter(&name("triage"), &ADMIN).await {
                Ok(()) | Err(StoreError::AdapterNotFound) => {}
                Err(error) => panic!("{error:?}"),
            }
        }
    });
    // No grace at all: whatever has no row is taken away at once, also under a push that just put it there.
    let maintenance = world.maintenance_after(Duration::ZERO).await;
    while !pushing.is_finished() {
        maintenance.sweep(false).await.unwrap();
    }
    pushing.await.unwrap();
    let tenant = world.store.tenant(acme);
    push(&tenant, "triage", "same").await;
    maintenance.sweep(false).await.unwrap();
    let version = tenant.resolve(&model("triage"), None).await.unwrap();
    assert_eq!(tenant.local_files(&version).await.unwrap().digest(), version.digest);
}
