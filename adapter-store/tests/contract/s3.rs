//! The store with its blobs in S3: an adapter's way from the upload to local files, and back out again.

use std::time::Duration;

use tenora_adapter_store::SweepReport;

use crate::moto::Moto;
use crate::world::{ADMIN, World, model, name, push};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_adapter_goes_into_s3_and_comes_back() {
    let Some(moto) = Moto::start(&[]) else { return };
    let world = World::on_s3(&moto).await;
    let acme = world.tenant("acme").await.id;
    let tenant = world.store.tenant(acme);
    let weights = "0123456789abcdef".repeat(1 << 19);
    let version = push(&tenant, "triage", &weights).await;
    assert_eq!(push(&tenant, "triage", &weights).await.number, version.number, "the same again is the same");
    push(&tenant, "other", "small").await;
    // Another server fetches it from there.
    let other = world.replica("cache-2").await.tenant(acme);
    let found = other.resolve(&model("triage@1"), None).await.unwrap();
    let local = other.local_files(&found).await.unwrap();
    assert_eq!(std::fs::read(local.weights_path()).unwrap(), weights.as_bytes());
    assert!(std::fs::read_dir(world.dir.path().join("blobs")).is_err(), "nothing is kept beside");

    let maintenance = world.maintenance_after(Duration::ZERO).await;
    let report = maintenance.verify(|_| {}).await.unwrap();
    assert_eq!((report.versions, report.damaged, report.missing, report.orphans), (2, 0, 0, 0));
    tenant.delete_adapter(&name("triage"), &ADMIN).await.unwrap();
    assert_eq!(maintenance.sweep(false).await.unwrap(), Some(SweepReport::default()), "deleting removes");
    // A crash between the row and its bytes.
    world.sql("DELETE FROM adapter_versions").await;
    assert_eq!(maintenance.verify(|_| {}).await.unwrap().orphans, 1);
    let swept = maintenance.sweep(false).await.unwrap().unwrap();
    assert_eq!((swept.unused, swept.foreign, swept.failed), (1, 0, 0));
    assert_eq!(maintenance.verify(|_| {}).await.unwrap().orphans, 0);
}
