//! Verification: every version is read, and what is damaged, missing or nobody's is told.

use std::fs;

use tenora_adapter_store::{Problem, ProblemKind, VerifyEvent, VerifyReport, Version};

use crate::world::{World, files, push};

on_both_databases!(what_is_wrong_is_found_and_named, every_content_is_read_once);

/// What a verification said.
async fn verified(world: &World) -> (VerifyReport, Vec<Problem>, u64) {
    let (mut problems, mut total, mut read) = (Vec::new(), 0, 0);
    let tell = |event| match event {
        VerifyEvent::Total(bytes) => total = bytes,
        VerifyEvent::Read(bytes) => read += bytes,
        VerifyEvent::Found(problem) => problems.push(problem),
    };
    let report = world.maintenance().await.verify(tell).await.unwrap();
    assert_eq!((total, read), (report.bytes, report.bytes), "progress ends at the whole");
    (report, problems, total)
}

async fn what_is_wrong_is_found_and_named(world: &World) {
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let mut versions = Vec::new();
    for (tenant, adapter, content) in [
        (&acme, "sound", "sound"),
        (&acme, "flipped", "flipped"),
        (&acme, "twin", "flipped"),
        (&acme, "short", "short"),
        (&globex, "sound", "flipped"),
        (&globex, "config", "config"),
        (&globex, "weights", "weights"),
    ] {
        versions.push((tenant, push(&world.store.tenant(tenant.id), adapter, content).await));
    }
    let (report, problems, _) = verified(world).await;
    assert_eq!((report.versions, report.damaged, report.missing, report.orphans), (7, 0, 0, 0));
    assert!(problems.is_empty());

    let path = |at: usize, file: &str| {
        let (tenant, version) = &versions[at];
        world.blobs_dir().join(format!("{}/{}/{file}", tenant.id, version.digest.to_hex()))
    };
    let mut flipped = fs::read(path(1, "adapter_model.safetensors")).unwrap();
    flipped[3] ^= 1;
    fs::write(path(1, "adapter_model.safetensors"), flipped).unwrap();
    fs::write(path(3, "adapter_model.safetensors"), "shor").unwrap();
    fs::remove_file(path(5, "adapter_config.json")).unwrap();
    fs::remove_file(path(6, "adapter_model.safetensors")).unwrap();
    let orphan = world.blobs_dir().join(format!("{}/{}", globex.id, "ab".repeat(32)));
    fs::create_dir_all(&orphan).unwrap();
    fs::write(orphan.join("adapter_config.json"), "{}").unwrap();

    let before = files(&world.blobs_dir());
    let (report, mut problems, _) = verified(world).await;
    assert_eq!((report.versions, report.damaged, report.missing, report.orphans), (7, 3, 2, 1));
    problems.sort_by(|one, two| (&one.tenant, &one.adapter).cmp(&(&two.tenant, &two.adapter)));
    let expected = [
        (1, ProblemKind::Damaged),
        (3, ProblemKind::Damaged),
        (2, ProblemKind::Damaged),
        (5, ProblemKind::Missing),
        (6, ProblemKind::Missing),
    ];
    let named = |(at, problem): (usize, ProblemKind)| {
        let (tenant, Version { adapter, number, digest, .. }) = &versions[at];
        let folder = format!("{}/{}", tenant.id, digest.to_hex());
        let (adapter, version) = (adapter.clone(), *number);
        Problem { problem, tenant: tenant.slug.clone(), adapter, version, digest: *digest, folder }
    };
    assert_eq!(problems, expected.map(named));
    assert_eq!(files(&world.blobs_dir()), before, "it changes nothing");
}

async fn every_content_is_read_once(world: &World) {
    let acme = world.store.tenant(world.tenant("acme").await.id);
    let same = push(&acme, "one", "same").await;
    push(&acme, "two", "same").await;
    let other = push(&acme, "one", "another").await;
    let (report, _, total) = verified(world).await;
    assert_eq!((report.versions, total), (3, same.bytes + other.bytes));
}
