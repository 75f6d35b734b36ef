//! Fetches are shared, room is made by age, and what is in use stays.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use object_store::memory::InMemory;
use tempfile::TempDir;

use super::*;
use crate::blobs::faults::Faults;

const CONFIG: &[u8] = b"{}";
const WEIGHTS_BYTES: usize = 98;
/// Of every adapter here, config and weights.
const ADAPTER_BYTES: u64 = 100;

struct World {
    dir: TempDir,
    objects: Arc<Faults>,
    blobs: Blobs,
    tenant: TenantId,
}

impl World {
    fn new() -> Self {
        let objects = Faults::around(Arc::new(InMemory::new()));
        objects.slow_down(Duration::from_millis(50));
        let blobs = Blobs::over(objects.clone());
        Self { dir: tempfile::tempdir().unwrap(), objects, blobs, tenant: TenantId::generate() }
    }

    fn cache(&self, adapters: u64) -> LocalCache {
        LocalCache::open(&self.dir.path().join("cache"), adapters * ADAPTER_BYTES).unwrap()
    }

    async fn stored(&self, content: u8) -> BlobKey {
        let weights = [content; WEIGHTS_BYTES];
        let mut hasher = Hasher::new(CONFIG);
        hasher.update(&weights);
        let key = BlobKey { tenant: self.tenant, digest: hasher.finish() };
        let file = self.dir.path().join("weights");
        fs::write(&file, weights).unwrap();
        self.blobs.put(&key, Bytes::from_static(CONFIG), &file).await.unwrap();
        key
    }

    async fn get(&self, cache: &LocalCache, key: BlobKey) -> LocalAdapter {
        cache.get(&self.blobs, key, ADAPTER_BYTES).await.unwrap().unwrap()
    }

    fn gets(&self) -> usize {
        self.objects.gets()
    }
}

/// Bytes and adapters that the cache counts.
fn usage(cache: &LocalCache) -> (u64, usize) {
    let slots = cache.slots();
    (slots.bytes, slots.by_key.len())
}

#[tokio::test]
async fn many_callers_share_one_fetch() {
    let (world, other) = (World::new(), TenantId::generate());
    let (cache, key) = (world.cache(10), world.stored(1).await);
    let found = join_all((0..32).map(|_| world.get(&cache, key))).await;
    assert!(found.iter().all(|local| fs::read(local.weights_path()).unwrap() == [1; WEIGHTS_BYTES]));
    assert_eq!(world.gets(), 2, "one for each file");
    world.get(&cache, key).await;
    assert_eq!(world.gets(), 0);
    // What one tenant has fetched is not there for another.
    let foreign = cache.get(&world.blobs, BlobKey { tenant: other, ..key }, ADAPTER_BYTES).await.unwrap();
    assert!(foreign.is_none());
}

#[tokio::test]
async fn a_caller_that_gives_up_leaves_the_fetch_to_the_next() {
    let world = World::new();
    let (cache, key) = (world.cache(1), world.stored(1).await);
    let hurried = tokio::time::timeout(Duration::from_millis(10), world.get(&cache, key));
    let (hurried, patient) = tokio::join!(hurried, world.get(&cache, key));
    assert!(hurried.is_err());
    assert_eq!(fs::read(patient.weights_path()).unwrap(), [1; WEIGHTS_BYTES]);
    assert_eq!(fs::read_dir(cache.incoming()).unwrap().count(), 0);
}

#[tokio::test]
async fn the_least_recently_used_makes_room() {
    let world = World::new();
    let cache = world.cache(2);
    let keys = [world.stored(1).await, world.stored(2).await, world.stored(3).await];
    for at in [0, 1, 0, 2] {
        world.get(&cache, keys[at]).await;
    }
    world.gets();
    world.get(&cache, keys[0]).await;
    world.get(&cache, keys[2]).await;
    assert_eq!(world.gets(), 0, "both are there");
    assert!(!cache.folder(&keys[1]).exists());
    assert_eq!(cache.slots().bytes, 2 * ADAPTER_BYTES);
}

#[tokio::test]
async fn what_is_in_use_is_never_removed() {
    let world = World::new();
    let cache = world.cache(2);
    let keys = [world.stored(1).await, world.stored(2).await, world.stored(3).await];
    let (one, two) = (world.get(&cache, keys[0]).await, world.get(&cache, keys[1]).await);
    let full = cache.get(&world.blobs, keys[2], ADAPTER_BYTES).await;
    assert!(matches!(full, Err(StoreError::CacheFull { budget }) if budget == 2 * ADAPTER_BYTES));
    cache.forget(&keys[0]).unwrap();
    assert!(one.weights_path().exists());
    let clone = one.clone();
    drop(one);
    assert!(cache.get(&world.blobs, keys[2], ADAPTER_BYTES).await.is_err(), "a clone pins as well");
    drop(clone);
    world.get(&cache, keys[2]).await;
    assert!(two.weights_path().exists());
    assert!(!cache.folder(&keys[0]).exists());
}

#[tokio::test]
async fn failures_give_their_room_back() {
    let world = World::new();
    let cache = world.cache(1);
    let lost = BlobKey { tenant: world.tenant, digest: Digest::from_bytes([9; 32]) };
    for _ in 0..3 {
        let missing = join_all((0..8).map(|_| cache.get(&world.blobs, lost, ADAPTER_BYTES))).await;
        assert!(missing.iter().all(|found| matches!(found, Ok(None))));
    }
    assert_eq!(usage(&cache), (0, 0));
    let key = world.stored(1).await;
    world.get(&cache, key).await;
}

#[tokio::test]
async fn a_smaller_budget_after_a_restart_is_kept() {
    let world = World::new();
    let cache = world.cache(3);
    for content in 1..=3 {
        let key = world.stored(content).await;
        world.get(&cache, key).await;
    }
    drop(cache);
    let cache = world.cache(1);
    assert_eq!(usage(&cache), (ADAPTER_BYTES, 1));
    let folders = fs::read_dir(cache.dir.join(world.tenant.to_string())).unwrap();
    assert_eq!(folders.count(), 1);
}

#[tokio::test]
async fn what_a_killed_process_was_fetching_is_removed() {
    let world = World::new();
    let left = world.dir.path().join("cache").join(INCOMING).join("0123");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join(File::Weights.name()), "half").unwrap();
    let cache = world.cache(1);
    assert!(!left.exists());
    assert_eq!(usage(&cache), (0, 0));
}
