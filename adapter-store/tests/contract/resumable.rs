//! Resumable uploads: parts in any order and twice, proven as a whole, bounded, and gone when they end.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use md5::Md5;
use sha2::{Digest as _, Sha256};
use tenora_adapter_store::*;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::world::{ADMIN, World, checked, files, model, name, new_key, push};

on_both_databases!(
    named_parts_in_their_order_are_the_upload,
    a_number_is_one_part_however_often_it_is_sent,
    parts_sent_at_once_are_all_there,
    what_does_not_fit_is_refused,
    only_proven_bytes_are_completed,
    completing_again_changes_nothing,
    another_tenants_upload_does_not_exist,
    an_upload_that_was_given_up_leaves_nothing,
    bytes_are_reserved_before_they_come,
    a_tenant_has_few_uploads_at_a_time,
    an_upload_whose_time_is_over_leaves_nothing,
    a_version_is_made_of_an_upload_and_its_bytes_go,
    uploads_are_listed_newest_first_by_status,
);

const CONFIG: &[u8] = br#"{ "r": 8, "peft_type": "LORA" }"#;
const NO_LIMITS: LimitOverrides = LimitOverrides {
    requests_per_minute: None,
    tokens_per_minute: None,
    concurrent_requests: None,
    monthly_tokens: None,
    adapters: None,
    adapter_bytes: None,
    adapter_rank: None,
};

fn new(bytes: u64) -> NewUpload {
    let text = |text| ShortText::parse(text).unwrap();
    NewUpload {
        filename: text("../../etc/passwd"),
        purpose: text("adapter"),
        mime_type: text("application/octet-stream"),
        bytes,
        sha256: None,
        lifetime: None,
    }
}

async fn uploads(world: &World, slug: &str) -> (TenantStore, UploadStore) {
    let tenant = world.store.tenant(world.tenant(slug).await.id);
    let uploads = tenant.uploads(ADMIN);
    (tenant, uploads)
}

async fn begin(uploads: &UploadStore, bytes: u64) -> UploadId {
    uploads.create(new(bytes), &NO_LIMITS).await.unwrap().id
}

async fn send(
    uploads: &UploadStore,
    id: UploadId,
    number: Option<u32>,
    content: &[u8],
) -> Result<UploadPart, StoreError> {
    let mut part = uploads.begin_part(id).await?;
    for chunk in content.chunks(3) {
        part.write(chunk).await?;
    }
    part.finish(number).await
}

fn of(parts: &[&UploadPart]) -> Completion {
    Completion { part_ids: parts.iter().map(|part| part.id).collect(), md5: None, sha256: None }
}

fn sha256(content: &[u8]) -> Digest {
    Digest::parse_hex(&hex::encode(Sha256::digest(content))).unwrap()
}

fn problem<T: std::fmt::Debug>(refused: Result<T, StoreError>) -> UploadError {
    match refused {
        Err(StoreError::Upload(problem)) => problem,
        other => panic!("{other:?}"),
    }
}

/// Objects and scratch files that are there now.
fn left(world: &World) -> (usize, usize) {
    // Each process that uses the staging folder has a lock in it, and the folder has one.
    (files(&world.blobs_dir()).len(), files(&world.config.staging_dir).len() - 2)
}

async fn named_parts_in_their_order_are_the_upload(world: &World) {
    let (tenant, uploads) = uploads(world, "acme").await;
    let id = begin(&uploads, 11).await;
    let world_part = send(&uploads, id, None, b"world").await.unwrap();
    let hello = send(&uploads, id, None, b"hello ").await.unwrap();
    send(&uploads, id, None, b"nobody").await.unwrap();
    assert_eq!((hello.bytes, hello.sha256, hello.number), (6, sha256(b"hello "), None));
    let listed = uploads.list_parts(id, &Paging::first()).await.unwrap();
    assert_eq!(listed.items[..2], [world_part.clone(), hello.clone()]);
    assert_eq!(left(world), (3, 0));
    for file in files(&world.blobs_dir()) {
        assert!(file.contains("/uploads/") && !file.contains("passwd"), "{file}");
    }

    let completed = uploads.complete(id, &of(&[&hello, &world_part])).await.unwrap();
    assert_eq!((completed.state, completed.sha256), (UploadState::Completed, Some(sha256(b"hello world"))));
    assert_eq!(uploads.show(id).await.unwrap(), completed);
    assert_eq!(left(world), (2, 0), "what was not named is gone");
    let staged = tenant.stage_upload(id, Bytes::from_static(CONFIG)).await.unwrap();
    assert_eq!(std::fs::read(staged.weights_path()).unwrap(), b"hello world");
    assert_eq!(std::fs::read(staged.config_path()).unwrap(), CONFIG);
    let mut staging = tenant.stage().await.unwrap();
    staging.write_config(Bytes::from_static(CONFIG)).await.unwrap();
    staging.write_weights(Bytes::from_static(b"hello world")).await.unwrap();
    assert_eq!(staging.finish().await.unwrap().digest(), staged.digest(), "as in one request");
}

async fn a_number_is_one_part_however_often_it_is_sent(world: &World) {
    let (_, uploads) = uploads(world, "acme").await;
    let id = begin(&uploads, 6).await;
    let first = send(&uploads, id, Some(1), b"abc").await.unwrap();
    assert_eq!(send(&uploads, id, Some(1), b"abc").await.unwrap(), first);
    let both = join_all([send(&uploads, id, Some(2), b"def"), send(&uploads, id, Some(2), b"def")]).await;
    let [Ok(one), Ok(two)] = &both[..] else { panic!("{both:?}") };
    assert_eq!(one, two);
    assert_eq!(left(world), (2, 0));
    let other = send(&uploads, id, Some(1), b"xyz").await.unwrap();
    assert_ne!(other.id, first.id);
    assert_eq!(left(world), (2, 0));
    let missing = problem(uploads.complete(id, &of(&[&first, one])).await);
    assert_eq!(missing, UploadError::PartNotFound(first.id));
    uploads.complete(id, &of(&[&other, one])).await.unwrap();
}

async fn parts_sent_at_once_are_all_there(world: &World) {
    let (_, uploads) = uploads(world, "acme").await;
    let content: Vec<u8> = (0..40_000_u32).map(|n| (n % 251) as u8).collect();
    let id = begin(&uploads, content.len() as u64).await;
    let chunks: Vec<_> = content.chunks(1_000).enumerate().rev().collect();
    let sent = chunks.iter().map(|(at, chunk)| send(&uploads, id, u32::try_from(at + 1).ok(), chunk));
    let mut parts: Vec<_> = join_all(sent).await.into_iter().map(Result::unwrap).collect();
    parts.sort_by_key(|part| part.number);
    let wanted = Completion {
        part_ids: parts.iter().map(|part| part.id).collect(),
        md5: Some(Md5::digest(&content).into()),
        sha256: Some(sha256(&content)),
    };
    assert_eq!(uploads.complete(id, &wanted).await.unwrap().sha256, wanted.sha256);
    assert_eq!(left(world), (40, 0));
}

async fn what_does_not_fit_is_refused(world: &World) {
    let (_, uploads) = uploads(world, "acme").await;
    let limit = world.config.max_adapter_bytes;
    let refused = uploads.create(new(limit + 1), &NO_LIMITS).await.unwrap_err();
    assert!(matches!(refused, StoreError::TooLarge { limit: stated, .. } if stated == limit), "{refused}");

    let id = begin(&uploads, 6).await;
    assert_eq!(problem(send(&uploads, id, None, b"").await), UploadError::EmptyPart);
    let large = problem(send(&uploads, id, None, b"abcdefg").await);
    assert_eq!(large, UploadError::PartTooLarge { limit: 6 });
    let (abc, def) =
        (send(&uploads, id, None, b"abc").await.unwrap(), send(&uploads, id, None, b"def").await);
    // What is sent again without a number is another part, and there is room for everything twice.
    send(&uploads, id, None, b"abcdef").await.unwrap();
    let full = problem(send(&uploads, id, None, b"x").await);
    assert_eq!(full, UploadError::Full { what: "bytes", limit: 12 });
    assert_eq!(left(world), (3, 0), "what was refused left nothing");

    let def = def.unwrap();
    for wrong in [of(&[]), of(&[&abc]), of(&[&def])] {
        let got = if wrong.part_ids.is_empty() { 0 } else { 3 };
        assert_eq!(problem(uploads.complete(id, &wrong).await), UploadError::WrongSize { declared: 6, got });
    }
    assert_eq!(problem(uploads.complete(id, &of(&[&abc, &abc])).await), UploadError::PartRepeated(abc.id));
    let unknown = PartId::parse(&format!("part_{}", "0".repeat(32))).unwrap();
    let wrong = Completion { part_ids: vec![abc.id, unknown], md5: None, sha256: None };
    assert_eq!(problem(uploads.complete(id, &wrong).await), UploadError::PartNotFound(unknown));
    uploads.complete(id, &of(&[&abc, &def])).await.unwrap();
    assert_eq!(
        problem(send(&uploads, id, None, b"x").await),
        UploadError::NotPending { status: "completed" }
    );
}

async fn only_proven_bytes_are_completed(world: &World) {
    let (tenant, uploads) = uploads(world, "acme").await;
    let declared = NewUpload { sha256: Some(sha256(b"abcdef")), ..new(6) };
    let id = uploads.create(declared, &NO_LIMITS).await.unwrap().id;
    let (abc, def) =
        (send(&uploads, id, None, b"abc").await.unwrap(), send(&uploads, id, None, b"def").await);
    let def = def.unwrap();
    let turned = problem(uploads.complete(id, &of(&[&def, &abc])).await);
    let got = hex::encode(Sha256::digest(b"defabc"));
    assert_eq!(turned, UploadError::WrongDigest { which: "sha256", got });
    let right = of(&[&abc, &def]);
    let other = Completion { sha256: Some(sha256(b"other")), ..right.clone() };
    assert!(matches!(
        problem(uploads.complete(id, &other).await),
        UploadError::WrongDigest { which: "sha256", .. }
    ));
    let other = Completion { md5: Some([7; 16]), ..right.clone() };
    let md5 = hex::encode(Md5::digest(b"abcdef"));
    assert_eq!(
        problem(uploads.complete(id, &other).await),
        UploadError::WrongDigest { which: "md5", got: md5 }
    );
    assert_eq!(uploads.show(id).await.unwrap().state, UploadState::Pending);
    let not_yet = problem(tenant.stage_upload(id, Bytes::from_static(CONFIG)).await);
    assert_eq!(not_yet, UploadError::NotCompleted { status: "pending" });
    uploads.complete(id, &right).await.unwrap();

    // Damaged since, they are no version's.
    for file in files(&world.blobs_dir()) {
        std::fs::write(world.blobs_dir().join(file), b"ABC").unwrap();
    }
    let damaged = tenant.stage_upload(id, Bytes::from_static(CONFIG)).await;
    assert!(matches!(damaged, Err(StoreError::Corrupt { .. })), "{damaged:?}");
    for file in files(&world.blobs_dir()) {
        std::fs::remove_file(world.blobs_dir().join(file)).unwrap();
    }
    let lost = tenant.stage_upload(id, Bytes::from_static(CONFIG)).await;
    assert!(matches!(lost, Err(StoreError::Corrupt { .. })), "{lost:?}");
    drop((damaged, lost));
    assert_eq!(left(world).1, 0);
}

async fn completing_again_changes_nothing(world: &World) {
    let (_, uploads) = uploads(world, "acme").await;
    let id = begin(&uploads, 6).await;
    let (abc, def) =
        (send(&uploads, id, None, b"abc").await.unwrap(), send(&uploads, id, None, b"def").await);
    let def = def.unwrap();
    let right = of(&[&abc, &def]);
    let at_once = join_all([uploads.complete(id, &right), uploads.complete(id, &right)]).await;
    let [Ok(one), Ok(two)] = &at_once[..] else { panic!("{at_once:?}") };
    assert_eq!(one, two);
    assert_eq!(&uploads.complete(id, &right).await.unwrap(), one);
    let completions = world.sql("SELECT action FROM audit_log WHERE action = 'upload.complete'").await;
    assert_eq!(completions.len(), 1);
    let turned = problem(uploads.complete(id, &of(&[&def, &abc])).await);
    assert_eq!(turned, UploadError::NotPending { status: "completed" });
    let other = Completion { sha256: Some(sha256(b"other")), ..right.clone() };
    assert!(matches!(problem(uploads.complete(id, &other).await), UploadError::WrongDigest { .. }));
    uploads.consume(id).await;
    assert_eq!(uploads.complete(id, &right).await.unwrap().state, UploadState::Used);
}

async fn another_tenants_upload_does_not_exist(world: &World) {
    let (_, uploads_of_acme) = uploads(world, "acme").await;
    let (globex, foreign) = uploads(world, "globex").await;
    let id = begin(&uploads_of_acme, 3).await;
    let part = send(&uploads_of_acme, id, Some(1), b"abc").await.unwrap();
    let own = begin(&foreign, 3).await;
    assert_eq!(problem(foreign.show(id).await), UploadError::NotFound);
    assert_eq!(problem(foreign.list_parts(id, &Paging::first()).await), UploadError::NotFound);
    assert_eq!(problem(send(&foreign, id, Some(1), b"abc").await), UploadError::NotFound);
    assert_eq!(problem(foreign.complete(id, &of(&[&part])).await), UploadError::NotFound);
    assert_eq!(problem(foreign.complete(own, &of(&[&part])).await), UploadError::PartNotFound(part.id));
    assert_eq!(problem(foreign.cancel(id).await), UploadError::NotFound);
    uploads_of_acme.complete(id, &of(&[&part])).await.unwrap();
    assert_eq!(problem(globex.stage_upload(id, Bytes::from_static(CONFIG)).await), UploadError::NotFound);
    foreign.consume(id).await;
    assert_eq!(uploads_of_acme.show(id).await.unwrap().state, UploadState::Completed);
    assert_eq!(foreign.list(None, &Paging::first()).await.unwrap().items.len(), 1);
}

async fn an_upload_that_was_given_up_leaves_nothing(world: &World) {
    let (tenant, uploads) = uploads(world, "acme").await;
    let id = begin(&uploads, 6).await;
    let part = send(&uploads, id, Some(1), b"abc").await.unwrap();
    // What a server that died before it wrote the row left.
    let stray = world.blobs_dir().join(&files(&world.blobs_dir())[0]).with_file_name("0".repeat(32));
    std::fs::write(stray, b"def").unwrap();
    let mut half = uploads.begin_part(id).await.unwrap();
    half.write(b"de").await.unwrap();
    assert_eq!(left(world), (2, 1));

    let cancelled = uploads.cancel(id).await.unwrap();
    assert_eq!(cancelled.state, UploadState::Cancelled);
    assert_eq!(uploads.cancel(id).await.unwrap(), cancelled);
    let over = UploadError::NotPending { status: "cancelled" };
    half.write(b"f").await.unwrap();
    assert_eq!(problem(half.finish(Some(2)).await), over);
    assert_eq!(problem(send(&uploads, id, None, b"def").await), over);
    assert_eq!(problem(uploads.complete(id, &of(&[&part])).await), over);
    let staged = problem(tenant.stage_upload(id, Bytes::from_static(CONFIG)).await);
    assert_eq!(staged, UploadError::NotCompleted { status: "cancelled" });
    assert_eq!(left(world), (0, 0));
    assert!(uploads.list_parts(id, &Paging::first()).await.unwrap().items.is_empty());

    // A completed one that is not wanted any more, too.
    let id = begin(&uploads, 3).await;
    let part = send(&uploads, id, None, b"abc").await.unwrap();
    uploads.complete(id, &of(&[&part])).await.unwrap();
    uploads.cancel(id).await.unwrap();
    assert_eq!(left(world), (0, 0));
}

async fn bytes_are_reserved_before_they_come(world: &World) {
    let (tenant, uploads) = uploads(world, "acme").await;
    let limits = LimitOverrides { adapter_bytes: Some(Cap::At(1_000)), ..NO_LIMITS };
    let pushed = push(&tenant, "triage", "weights").await;
    let at_once = join_all([uploads.create(new(600), &limits), uploads.create(new(600), &limits)]).await;
    let begun: Vec<_> = at_once.iter().filter_map(|begun| begun.as_ref().ok()).collect();
    let refused: Vec<_> = at_once.iter().filter_map(|begun| begun.as_ref().err()).collect();
    assert_eq!((begun.len(), refused.len()), (1, 1), "{at_once:?}");
    assert!(matches!(refused[0], StoreError::OverQuota { limit: 1_000, .. }), "{refused:?}");
    let rest = 400 - pushed.bytes;
    assert!(uploads.create(new(rest + 1), &limits).await.is_err());
    uploads.create(new(rest), &limits).await.unwrap();
    assert!(uploads.create(new(1), &limits).await.is_err());
    uploads.cancel(begun[0].id).await.unwrap();
    uploads.create(new(600), &limits).await.unwrap();
}

async fn a_tenant_has_few_uploads_at_a_time(world: &World) {
    let (_, uploads) = uploads(world, "acme").await;
    let mut begun = Vec::new();
    for _ in 0..MAX_OPEN_UPLOADS {
        begun.push(begin(&uploads, 1).await);
    }
    let many = UploadError::TooMany { limit: MAX_OPEN_UPLOADS };
    assert_eq!(problem(uploads.create(new(1), &NO_LIMITS).await), many);
    // A completed one has bytes as well, until it is used.
    let part = send(&uploads, begun[0], None, b"x").await.unwrap();
    uploads.complete(begun[0], &of(&[&part])).await.unwrap();
    assert_eq!(problem(uploads.create(new(1), &NO_LIMITS).await), many);
    uploads.consume(begun[0]).await;
    begin(&uploads, 1).await;
    assert_eq!(problem(uploads.create(new(1), &NO_LIMITS).await), many);
}

/// Lets every upload's time have been over at this moment.
async fn end_at(world: &World, at: OffsetDateTime) {
    let at = at.format(&Rfc3339).unwrap();
    world.sql(&format!("UPDATE uploads SET expires_at = '{at}'")).await;
}

async fn an_upload_whose_time_is_over_leaves_nothing(world: &World) {
    let (tenant, uploads) = uploads(world, "acme").await;
    let week = Duration::from_secs(7 * 24 * 60 * 60);
    let long = NewUpload { lifetime: Some(week), ..new(3) };
    let long = uploads.create(long, &NO_LIMITS).await.unwrap();
    assert_eq!(long.expires_at - long.created_at, week);
    let pending = begin(&uploads, 3).await;
    let part = send(&uploads, pending, Some(1), b"abc").await.unwrap();
    let completed = begin(&uploads, 3).await;
    let whole = send(&uploads, completed, Some(1), b"abc").await.unwrap();
    uploads.complete(completed, &of(&[&whole])).await.unwrap();
    world.store.expire_uploads().await.unwrap();
    assert_eq!(left(world).0, 2, "their time is not over");

    let now = OffsetDateTime::now_utc();
    end_at(world, now - Duration::from_secs(5)).await;
    // At once, whether or not anybody has looked yet.
    assert_eq!(uploads.show(pending).await.unwrap().state, UploadState::Expired);
    assert_eq!(problem(send(&uploads, pending, None, b"abc").await), UploadError::Expired);
    assert_eq!(problem(uploads.complete(pending, &of(&[&part])).await), UploadError::Expired);
    assert_eq!(problem(uploads.cancel(pending).await), UploadError::Expired);
    assert_eq!(
        problem(tenant.stage_upload(completed, Bytes::from_static(CONFIG)).await),
        UploadError::Expired
    );
    let two = world.replica("cache-2").await;
    let (one, two) = tokio::join!(world.store.expire_uploads(), two.expire_uploads());
    one.and(two).unwrap();
    assert_eq!(left(world).0, 0);
    assert_eq!(world.sql("SELECT 'a part' FROM upload_parts").await.len(), 0);
    assert_eq!(world.sql("SELECT action FROM audit_log WHERE action = 'upload.expire'").await.len(), 3);
    assert_eq!(uploads.show(completed).await.unwrap().state, UploadState::Expired);

    end_at(world, now - week - Duration::from_secs(5)).await;
    world.store.expire_uploads().await.unwrap();
    assert_eq!(problem(uploads.show(completed).await), UploadError::NotFound);
    assert_eq!(world.sql("SELECT state FROM uploads").await.len(), 0);
}

async fn a_version_is_made_of_an_upload_and_its_bytes_go(world: &World) {
    let (tenant, uploads) = uploads(world, "acme").await;
    let id = begin(&uploads, 7).await;
    let part = send(&uploads, id, None, b"weights").await.unwrap();
    uploads.complete(id, &of(&[&part])).await.unwrap();
    let by_file = UploadId::parse_either(&id.file_id()).unwrap();
    // As often as it takes: a refused config sends nothing again.
    assert!(matches!(
        tenant.stage_upload(by_file, Bytes::from_static(b"[]")).await,
        Err(StoreError::InvalidConfig(_))
    ));
    drop(tenant.stage_upload(by_file, Bytes::from_static(CONFIG)).await.unwrap());
    let staged = tenant.stage_upload(by_file, Bytes::from_static(CONFIG)).await.unwrap();
    let version = tenant.commit(&name("triage"), &staged, checked("base-1"), &ADMIN).await.unwrap();
    drop(staged);
    uploads.consume(id).await;
    assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap(), version.version);
    assert_eq!(left(world), (2, 0), "the version's two files");
    assert_eq!(uploads.show(id).await.unwrap().state, UploadState::Used);
    assert_eq!(problem(tenant.stage_upload(id, Bytes::from_static(CONFIG)).await), UploadError::Used);
    assert_eq!(problem(uploads.cancel(id).await), UploadError::NotPending { status: "completed" });
    uploads.consume(id).await;
    assert_eq!(uploads.show(id).await.unwrap().state, UploadState::Used);
}

async fn uploads_are_listed_newest_first_by_status(world: &World) {
    let (tenant, _) = uploads(world, "acme").await;
    let key = world.keys("acme").await.create(new_key(Scope::DEFAULT)).await.unwrap().info.id;
    let uploads = tenant.uploads(Actor { kind: ActorKind::Key(key), ip: None });
    let mut begun = Vec::new();
    for _ in 0..5 {
        begun.push(begin(&uploads, 1).await);
    }
    let part = send(&uploads, begun[1], None, b"x").await.unwrap();
    uploads.complete(begun[1], &of(&[&part])).await.unwrap();
    let part = send(&uploads, begun[2], None, b"x").await.unwrap();
    uploads.complete(begun[2], &of(&[&part])).await.unwrap();
    uploads.consume(begun[2]).await;
    uploads.cancel(begun[3]).await.unwrap();
    let listed = async |status, after| {
        let page = uploads.list(status, &Paging { after, limit: 2 }).await.unwrap();
        assert!(page.items.iter().all(|upload| upload.created_by == Some(key)));
        (page.items.iter().map(|upload| upload.id).collect::<Vec<_>>(), page.has_more)
    };
    assert_eq!(listed(None, None).await, (vec![begun[4], begun[3]], true));
    assert_eq!(listed(None, Some(begun[3])).await, (vec![begun[2], begun[1]], true));
    assert_eq!(listed(None, Some(begun[1])).await, (vec![begun[0]], false));
    assert_eq!(listed(Some(UploadStatus::Pending), None).await, (vec![begun[4], begun[0]], false));
    assert_eq!(listed(Some(UploadStatus::Completed), None).await, (vec![begun[2], begun[1]], false));
    assert_eq!(listed(Some(UploadStatus::Cancelled), None).await, (vec![begun[3]], false));
    end_at(world, OffsetDateTime::now_utc() - Duration::from_secs(5)).await;
    assert_eq!(listed(Some(UploadStatus::Expired), None).await, (vec![begun[4], begun[1]], true));
    assert_eq!(listed(Some(UploadStatus::Pending), None).await, (vec![], false));
}
