//! Local files through the store: verified, also after a restart and after damage.

use std::fs;

use tenora_adapter_store::{AdapterStore, StoreConfig, StoreError, TenantStore, Version};

use crate::world::{World, files, push};

async fn pushed(world: &World, content: &str) -> (TenantStore, Version) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    let version = push(&tenant, "triage", content).await;
    (tenant, version)
}

#[tokio::test]
async fn files_are_what_was_pushed() {
    let world = World::sqlite().await;
    let (tenant, version) = pushed(&world, "the weights").await;
    let local = tenant.local_files(&version).await.unwrap();
    assert_eq!(fs::read(local.weights_path()).unwrap(), b"the weights");
    assert_eq!(fs::read(local.config_path()).unwrap(), br#"{"peft_type":"LORA","r":8}"#);
    assert_eq!(local.digest(), version.digest);
    let bytes =
        fs::metadata(local.weights_path()).unwrap().len() + fs::metadata(local.config_path()).unwrap().len();
    assert_eq!(bytes, version.bytes);
}

#[tokio::test]
async fn damaged_bytes_are_named_and_leave_nothing_behind() {
    let world = World::sqlite().await;
    let (tenant, version) = pushed(&world, "the weights").await;
    for file in files(&world.blobs_dir()) {
        let path = world.blobs_dir().join(file);
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[1] ^= 1;
        fs::write(&path, &bad).unwrap();
        let damaged = tenant.local_files(&version).await.unwrap_err();
        assert!(matches!(damaged, StoreError::Corrupt { digest } if digest == version.digest), "{damaged}");
        assert_eq!(files(&world.config.cache_dir), ["lock"]);
        fs::write(&path, &good).unwrap();
    }
    // Mended, it works again; lost, it is said so, and is not "unknown".
    drop(tenant.local_files(&version).await.unwrap());
    let second = world.replica("cache-2").await;
    fs::remove_dir_all(world.blobs_dir()).unwrap();
    let lost =
        second.tenant(world.operator().tenant_by_slug(&crate::world::slug_of("acme")).await.unwrap().id);
    assert!(matches!(lost.local_files(&version).await, Err(StoreError::Corrupt { .. })));
}

#[tokio::test]
async fn after_a_restart_cached_files_are_verified_before_their_first_use() {
    let world = World::sqlite().await;
    let (tenant, version) = pushed(&world, "the weights").await;
    let paths = [tenant.local_files(&version).await.unwrap().weights_path().to_owned()];
    let acme = world.operator().tenant_by_slug(&crate::world::slug_of("acme")).await.unwrap().id;
    let World { config, store, dir, .. } = world;
    drop((tenant, store));

    // Good files need no blobs …
    fs::rename(dir.path().join("blobs"), dir.path().join("away")).unwrap();
    let store = AdapterStore::open(config.clone()).await.unwrap();
    assert!(store.tenant(acme).local_files(&version).await.is_ok());
    drop(store);
    // … damaged ones are fetched again.
    fs::remove_dir_all(dir.path().join("blobs")).unwrap();
    fs::rename(dir.path().join("away"), dir.path().join("blobs")).unwrap();
    fs::write(&paths[0], "THE WEIGHTS").unwrap();
    let store = AdapterStore::open(config.clone()).await.unwrap();
    let local = store.tenant(acme).local_files(&version).await.unwrap();
    assert_eq!(fs::read(local.weights_path()).unwrap(), b"the weights");
}

#[tokio::test]
async fn a_cache_folder_has_one_owner() {
    let world = World::sqlite().await;
    let second = AdapterStore::open(world.config.clone()).await;
    assert!(
        matches!(second, Err(StoreError::Setup(words)) if words.contains("belongs to another running server"))
    );
    let config = StoreConfig { cache_dir: world.dir.path().join("own"), ..world.config.clone() };
    assert!(AdapterStore::open(config).await.is_ok());
}
