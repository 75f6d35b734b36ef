//! What every blob store promises: a local directory, memory, and S3 as moto speaks it, through a wire that can be cut.

use std::time::Instant;

use futures_util::TryStreamExt;
use object_store::memory::InMemory;
use object_store::prefix::PrefixStore;
use tempfile::TempDir;
use uuid::Uuid;

use super::faults::Faults;
use super::*;
use crate::config::{S3Access, S3Credentials};
use crate::fingerprint::Hasher;
use crate::local_cache::LocalCache;

#[path = "../../tests/contract/moto.rs"]
mod moto;
#[path = "../../tests/contract/proxy.rs"]
mod proxy;

use moto::{BUCKET, Moto};
use proxy::{Proxy, Wire};

const CONFIG: &[u8] = br#"{"r":8}"#;

/// A blob store of a test's own, and what can be done to it.
struct World {
    dir: TempDir,
    /// As the product uses it.
    blobs: Blobs,
    /// What stands between it and its bytes.
    faults: Arc<Faults>,
    tenant: TenantId,
    _moto: Option<Moto>,
}

impl World {
    fn over(dir: TempDir, store: Arc<dyn ObjectStore>, moto: Option<Moto>) -> Self {
        let faults = Faults::around(store);
        let blobs = Blobs(faults.clone());
        Self { dir, blobs, faults, tenant: TenantId::generate(), _moto: moto }
    }

    async fn local() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let place = settings(BlobsUrl::Local(dir.path().join("blobs")), S3Access::default());
        let store = Blobs::open(&place).await.unwrap().0;
        Some(Self::over(dir, store, None))
    }

    async fn memory() -> Option<Self> {
        Some(Self::over(tempfile::tempdir().unwrap(), Arc::new(InMemory::new()), None))
    }

    async fn s3() -> Option<Self> {
        let moto = Moto::start(&[])?;
        let store = s3_at(&moto.endpoint).await.0;
        Some(Self::over(tempfile::tempdir().unwrap(), store, Some(moto)))
    }

    /// A file of weights, and the key of an adapter that has it.
    fn adapter(&self, weights: &[u8]) -> (BlobKey, std::path::PathBuf) {
        let mut hasher = Hasher::new(CONFIG);
        hasher.update(weights);
        let key = BlobKey { tenant: self.tenant, digest: hasher.finish() };
        let file = self.dir.path().join(key.digest.to_hex());
        std::fs::write(&file, weights).unwrap();
        (key, file)
    }

    async fn put(&self, key: &BlobKey, weights: &Path) -> Result<(), StoreError> {
        self.blobs.put(key, Bytes::from_static(CONFIG), weights).await
    }

    async fn stored(&self, weights: &[u8]) -> BlobKey {
        let (key, file) = self.adapter(weights);
        self.put(&key, &file).await.unwrap();
        key
    }

    /// Writes an object behind the product's back.
    async fn write(&self, object: &str, bytes: &[u8]) {
        self.faults.put(&object.into(), bytes.to_vec().into()).await.unwrap();
    }
}

fn settings(url: BlobsUrl, s3: S3Access) -> BlobsSettings {
    BlobsSettings { url, s3, sweep_grace: Duration::from_secs(60) }
}

/// Any key opens moto.
async fn s3_at(endpoint: &str) -> Blobs {
    open(&format!("s3://{BUCKET}/tests/{}", Uuid::now_v7().simple()), endpoint).await.unwrap()
}

async fn open(url: &str, endpoint: &str) -> Result<Blobs, StoreError> {
    let credentials =
        S3Credentials::Key { id: "test".to_owned(), secret: "test".into(), session_token: None };
    let access = S3Access { endpoint: Some(endpoint.to_owned()), credentials, ..S3Access::default() };
    Blobs::open(&settings(BlobsUrl::parse(url).unwrap(), access)).await
}

fn is_away<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Unavailable { what: "the blob store", .. }))
}

async fn read(blobs: &Blobs, key: &BlobKey, file: File) -> Option<Vec<u8>> {
    let chunks: Vec<Bytes> = blobs.get(key, file).await.unwrap()?.try_collect().await.unwrap();
    Some(chunks.concat())
}

async fn listed(blobs: &Blobs) -> Vec<Listed> {
    blobs.list().try_collect().await.unwrap()
}

/// Runs each function, which takes a `World`, as one test on each blob store.
macro_rules! on_every_store {
    ($($test:ident),+ $(,)?) => {
        on_every_store!(@ local $($test)+);
        on_every_store!(@ memory $($test)+);
        on_every_store!(@ s3 $($test)+);
    };
    (@ $store:ident $($test:ident)+) => {
        mod $store {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                if let Some(world) = super::World::$store().await {
                    super::$test(&world).await;
                }
            })+
        }
    };
}

on_every_store!(
    what_is_put_is_there_until_it_is_removed,
    half_an_adapter_is_none_and_the_next_put_makes_it_whole,
    a_large_file_goes_in_parts_of_which_few_are_in_memory,
    what_lies_there_is_listed_by_whose_it_is,
    damaged_bytes_are_found_by_their_digest,
    any_operation_may_fail_and_nothing_is_beyond_repair,
    a_slow_store_is_waited_for,
);

async fn what_is_put_is_there_until_it_is_removed(world: &World) {
    let (key, file) = world.adapter(b"weights");
    assert!(!world.blobs.holds(&key).await.unwrap());
    assert!(world.blobs.get(&key, File::Weights).await.unwrap().is_none());
    world.put(&key, &file).await.unwrap();
    assert!(world.blobs.holds(&key).await.unwrap());
    assert_eq!(read(&world.blobs, &key, File::Config).await.unwrap(), CONFIG);
    assert_eq!(read(&world.blobs, &key, File::Weights).await.unwrap(), b"weights");
    // Nobody else's, and nothing else.
    let foreign = BlobKey { tenant: TenantId::generate(), ..key };
    assert!(!world.blobs.holds(&foreign).await.unwrap());

    // Again changes nothing, not even when the file is another by now.
    std::fs::write(&file, "other").unwrap();
    world.put(&key, &file).await.unwrap();
    assert_eq!(read(&world.blobs, &key, File::Weights).await.unwrap(), b"weights");

    world.blobs.remove(&key).await.unwrap();
    assert!(!world.blobs.holds(&key).await.unwrap() && listed(&world.blobs).await.is_empty());
    world.blobs.remove(&key).await.unwrap();
}

async fn half_an_adapter_is_none_and_the_next_put_makes_it_whole(world: &World) {
    for file in [File::Config, File::Weights] {
        let (key, weights) = world.adapter(file.name().as_bytes());
        world.write(&format!("{}/{}", key.folder(), file.name()), b"half").await;
        assert!(!world.blobs.holds(&key).await.unwrap());
        world.put(&key, &weights).await.unwrap();
        assert_eq!(read(&world.blobs, &key, File::Config).await.unwrap(), CONFIG);
        assert_eq!(read(&world.blobs, &key, File::Weights).await.unwrap(), file.name().as_bytes());
    }
}

async fn a_large_file_goes_in_parts_of_which_few_are_in_memory(world: &World) {
    let weights: Vec<u8> = (0..20_u32 << 20).map(|n| (n % 251) as u8).collect();
    world.faults.slow_down(Duration::from_millis(50));
    let key = world.stored(&weights).await;
    let (parts, most) = world.faults.parts();
    assert_eq!(parts, 3);
    assert!(most <= PARTS_IN_FLIGHT * PART_BYTES, "{most} bytes at a time");
    assert!(read(&world.blobs, &key, File::Weights).await.unwrap() == weights);
    // Exactly whole parts, and none.
    for bytes in [PART_BYTES, 2 * PART_BYTES, 0] {
        let key = world.stored(&weights[..bytes]).await;
        assert!(read(&world.blobs, &key, File::Weights).await.unwrap() == weights[..bytes], "{bytes}");
    }
}

async fn what_lies_there_is_listed_by_whose_it_is(world: &World) {
    let (one, two) = (world.stored(b"one").await, world.stored(b"two").await);
    let tenant = world.tenant;
    let upload = format!("{tenant}/uploads/1/part");
    world.write(&upload, b"part").await;
    let foreign = [
        "notes.txt".to_owned(),
        "a/b/c".to_owned(),
        format!("{tenant}/adapter_config.json"),
        format!("{}/adapter_model.bin", one.folder()),
        format!("{}/deeper/adapter_config.json", one.folder()),
        format!("{}/{}/adapter_config.json", tenant.as_uuid().simple(), one.digest.to_hex()),
        format!("{tenant}/{}/adapter_config.json", "AB".repeat(32)),
    ];
    for object in &foreign {
        world.write(object, b"mine").await;
    }
    let listed = listed(&world.blobs).await;
    let of = |place: Place| listed.iter().filter(|object| object.place == place).collect::<Vec<_>>();
    for key in [one, two] {
        let objects = of(Place::Adapter(key));
        assert_eq!(objects.iter().map(|object| object.bytes).sum::<u64>(), CONFIG.len() as u64 + 3);
        let at: Vec<usize> =
            (0..listed.len()).filter(|at| listed[*at].place == Place::Adapter(key)).collect();
        let foreign_between = (at[0]..at[1]).filter(|at| listed[*at].place == Place::Adapter(two)).count();
        assert!(key == two || foreign_between == 0, "an adapter's objects come one after another");
        let age = OffsetDateTime::now_utc() - objects[0].modified;
        assert!(age.abs() < Duration::from_secs(60), "written {age} ago");
    }
    assert_eq!(of(Place::Upload).len(), 1);
    assert_eq!(of(Place::Foreign).len(), foreign.len());
}

async fn damaged_bytes_are_found_by_their_digest(world: &World) {
    let key = world.stored(b"weights").await;
    let cache = LocalCache::open(&world.dir.path().join("cache"), 1 << 20).unwrap();
    for (file, damaged, whole) in [
        (File::Weights, &b"wEights"[..], &b"weights"[..]),
        (File::Weights, b"weight", b"weights"),
        (File::Weights, b"", b"weights"),
        (File::Config, br#"{"r":9}"#, CONFIG),
    ] {
        let object = format!("{}/{}", key.folder(), file.name());
        world.write(&object, damaged).await;
        let found = cache.get(&world.blobs, key, 100).await;
        assert!(matches!(found, Err(StoreError::Corrupt { digest }) if digest == key.digest), "{damaged:?}");
        world.write(&object, whole).await;
    }
    assert!(cache.get(&world.blobs, key, 100).await.unwrap().is_some());
}

async fn any_operation_may_fail_and_nothing_is_beyond_repair(world: &World) {
    let weights = vec![7; PART_BYTES + 1];
    for after in 0.. {
        let (key, file) = world.adapter(&[&weights[..], &[after as u8]].concat());
        world.faults.fail_after(after);
        let put = world.put(&key, &file).await;
        world.faults.mend();
        if put.is_ok() {
            // Every operation of a put has failed once: two heads, begin, two parts, complete, and the config.
            assert!(after >= 6, "{after} operations");
            break;
        }
        assert!(is_away(&put), "{after}: {put:?}");
        assert!(!world.blobs.holds(&key).await.unwrap(), "{after}: half a put is not there");
        world.put(&key, &file).await.unwrap();
        assert!(read(&world.blobs, &key, File::Weights).await.unwrap().ends_with(&[7, after as u8]));

        world.faults.fail_after(after % 2);
        assert!(is_away(&world.blobs.remove(&key).await), "{after}");
        world.faults.mend();
        world.blobs.remove(&key).await.unwrap();
    }
    let key = world.stored(b"weights").await;
    world.faults.fail_after(0);
    assert!(is_away(&world.blobs.holds(&key).await) && is_away(&world.blobs.get(&key, File::Config).await));
    assert!(is_away(&world.blobs.list().try_collect::<Vec<_>>().await));
}

async fn a_slow_store_is_waited_for(world: &World) {
    world.faults.slow_down(Duration::from_millis(300));
    let key = world.stored(b"weights").await;
    assert_eq!(read(&world.blobs, &key, File::Weights).await.unwrap(), b"weights");
    assert_eq!(listed(&world.blobs).await.len(), 2);
}

/// A store whose every operation takes for ever.
#[tokio::test(start_paused = true)]
async fn what_hangs_is_unavailable_in_bounded_time() {
    let world = World::memory().await.unwrap();
    let key = world.stored(b"weights").await;
    let (large, file) = world.adapter(&vec![1; 2 * PART_BYTES]);
    world.faults.slow_down(Duration::from_secs(1 << 30));
    let bound = PART_TIMEOUT + ANSWER_TIMEOUT;
    let within = async |what: &str, away: bool, started: tokio::time::Instant| {
        assert!(away, "{what} did not fail");
        assert!(started.elapsed() <= bound, "{what} took {:?}", started.elapsed());
    };
    let started = tokio::time::Instant::now();
    within("holds", is_away(&world.blobs.holds(&key).await), started).await;
    let started = tokio::time::Instant::now();
    within("get", is_away(&world.blobs.get(&key, File::Config).await), started).await;
    let started = tokio::time::Instant::now();
    within("remove", is_away(&world.blobs.remove(&key).await), started).await;
    let started = tokio::time::Instant::now();
    within("list", is_away(&world.blobs.list().try_collect::<Vec<_>>().await), started).await;
    let started = tokio::time::Instant::now();
    within("put", is_away(&world.put(&large, &file).await), started).await;
    // Also when it begins to hang in the middle.
    let object = large.object(File::Weights);
    world.faults.mend();
    let mut upload = Upload::begin(&world.blobs.0, &object).await.unwrap();
    world.faults.slow_down(Duration::from_secs(1 << 30));
    let started = tokio::time::Instant::now();
    let written = async {
        for _ in 0..=PARTS_IN_FLIGHT {
            upload.write(vec![1; PART_BYTES]).await?;
        }
        upload.finish().await
    };
    within("a part", is_away(&written.await), started).await;
    world.faults.mend();
    world.put(&large, &file).await.unwrap();
}

/// The wire to S3: cut, stalled, cut in the middle of a file, and well again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broken_wire_to_s3_is_an_outage_and_leaves_nothing_beyond_repair() {
    let Some(moto) = Moto::start(&[]) else { return };
    let proxy = Proxy::to(moto.endpoint.trim_start_matches("http://")).await;
    let dir = tempfile::tempdir().unwrap();
    let blobs = s3_at(&format!("http://{}", proxy.address)).await;
    let world = World::over(dir, blobs.0, Some(moto));
    let key = world.stored(b"weights").await;
    let weights = vec![5; 3 * PART_BYTES];
    for wire in [Wire::Cut, Wire::Stalled] {
        proxy.set(wire);
        let started = Instant::now();
        assert!(is_away(&world.blobs.holds(&key).await), "{wire:?}");
        assert!(is_away(&world.blobs.get(&key, File::Weights).await), "{wire:?}");
        assert!(
            started.elapsed() < 2 * ANSWER_TIMEOUT + Duration::from_secs(5),
            "{wire:?}: {:?}",
            started.elapsed()
        );
        proxy.set(Wire::Open);
        assert!(world.blobs.holds(&key).await.unwrap(), "{wire:?} is over");

        let (large, file) = world.adapter(&[&weights[..], &[wire as u8]].concat());
        let break_it = async {
            tokio::time::sleep(Duration::from_millis(30)).await;
            proxy.set(wire);
        };
        let started = Instant::now();
        let (put, ()) = tokio::join!(world.put(&large, &file), break_it);
        assert!(is_away(&put), "{wire:?}: {put:?}");
        assert!(started.elapsed() < PART_TIMEOUT + 2 * ANSWER_TIMEOUT, "{wire:?}: {:?}", started.elapsed());
        proxy.set(Wire::Open);
        assert!(!world.blobs.holds(&large).await.unwrap(), "{wire:?}");
        world.put(&large, &file).await.unwrap();
        assert_eq!(read(&world.blobs, &large, File::Weights).await.unwrap().len(), weights.len() + 1);
    }
    // What stalls in the middle of a download ends as well.
    let large = world.stored(&weights).await;
    let mut chunks = world.blobs.get(&large, File::Weights).await.unwrap().unwrap();
    chunks.try_next().await.unwrap().unwrap();
    proxy.set(Wire::Stalled);
    let started = Instant::now();
    let rest: Result<Vec<_>, _> = chunks.try_collect().await;
    assert!(is_away(&rest) && started.elapsed() < STALL_TIMEOUT + Duration::from_secs(5));
}

/// Two stores in one bucket see nothing of each other.
#[tokio::test]
async fn a_prefix_is_a_store_of_its_own() {
    let memory: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let [one, two] = ["one", "two"].map(|prefix| Blobs(Arc::new(PrefixStore::new(memory.clone(), prefix))));
    let world = World::memory().await.unwrap();
    let (key, file) = world.adapter(b"weights");
    one.put(&key, Bytes::from_static(CONFIG), &file).await.unwrap();
    assert_eq!((listed(&one).await.len(), listed(&two).await.len()), (2, 0));
    assert!(!two.holds(&key).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_cannot_be_used_is_told_at_the_start() {
    let told = async |url: &str, endpoint: &str| match open(url, endpoint).await {
        Err(StoreError::Setup(words)) => words,
        other => panic!("{:?}", other.err()),
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let words = told(&format!("file://{}", file.display()), "http://unused").await;
    assert!(words.contains("cannot be used"), "{words}");
    // Nobody listens there.
    let started = Instant::now();
    let words = told("s3://adapters", "http://127.0.0.1:1").await;
    assert!(
        words.contains("http://127.0.0.1:1 cannot be asked") && words.contains("AWS_ENDPOINT_URL"),
        "{words}"
    );
    assert!(words.contains("refused"), "the cause is told: {words}");
    assert!(started.elapsed() <= ANSWER_TIMEOUT + Duration::from_secs(2));

    let Some(moto) = Moto::start(&[]) else { return };
    let words = told("s3://nowhere", &moto.endpoint).await;
    assert!(words.contains("has no bucket nowhere; make it, or name another in TENORA_BLOBS_URL"), "{words}");
    let proxy = Proxy::to(moto.endpoint.trim_start_matches("http://")).await;
    proxy.set(Wire::Stalled);
    let started = Instant::now();
    let words = told(&format!("s3://{BUCKET}"), &format!("http://{}", proxy.address)).await;
    assert!(words.contains("cannot be asked for the bucket"), "{words}");
    assert!(started.elapsed() <= ANSWER_TIMEOUT + Duration::from_secs(2), "{:?}", started.elapsed());

    // After its bucket was made, it lets nobody in whom it does not know.
    let closed = Moto::start(&[("INITIAL_NO_AUTH_ACTION_COUNT", "1")]).unwrap();
    let words = told(&format!("s3://{BUCKET}"), &closed.endpoint).await;
    assert!(words.contains("denies access") && words.contains("s3:ListBucket"), "{words}");
}
