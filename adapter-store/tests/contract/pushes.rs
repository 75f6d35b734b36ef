//! Pushes are on record from beginning to end, with the version they became or the reason why not, and never hang.

use std::time::Duration;

use serde_json::json;
use tenora_adapter_store::{Checked, Ending, Paging, Push, PushState, Refusal, StoreError, TenantStore};

use crate::world::{ADMIN, World, checked, name, stage};

on_both_databases!(
    a_push_ends_with_its_version_in_one_step,
    a_refused_push_keeps_its_reason_and_report,
    pushes_are_listed_newest_first_to_their_tenant_alone,
    a_push_whose_server_died_is_ended,
);

async fn begun(tenant: &TenantStore, content: &str) -> Push {
    tenant.pushes().begin(&name("triage"), &stage(tenant, content).await).await.unwrap()
}

async fn a_push_ends_with_its_version_in_one_step(world: &World) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    let staged = stage(&tenant, "one").await;
    let push = tenant.pushes().begin(&name("triage"), &staged).await.unwrap();
    assert_eq!(tenant.pushes().show(push.id).await.unwrap(), push);
    assert_eq!(
        (push.state, push.digest, push.bytes),
        (PushState::Validating, staged.digest(), staged.bytes())
    );
    let checked = Checked { push: Some(push.id), ..checked("base-1") };
    let record = tenant.commit(&name("triage"), &staged, checked, &ADMIN).await.unwrap();
    let after = tenant.pushes().show(push.id).await.unwrap();
    assert_eq!((after.state, after.version), (PushState::Ready, Some(record.version.number)));
    assert_eq!(after.report, Some(record.report));
    assert!(after.finished_at.is_some() && after.refusal.is_none());
    // Ended is ended.
    let late = Ending {
        worth_another_try: true,
        refusal: Refusal { code: "late".into(), param: None, message: "late".into() },
        report: None,
    };
    tenant.pushes().end(push.id, &late).await.unwrap();
    assert_eq!(tenant.pushes().show(push.id).await.unwrap(), after);
}

async fn a_refused_push_keeps_its_reason_and_report(world: &World) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    for (worth_another_try, state) in [(false, PushState::Rejected), (true, PushState::Failed)] {
        let push = begun(&tenant, "one").await;
        let refusal = Refusal {
            code: "adapter_wrong_shape".into(),
            param: Some("lora_A".into()),
            message: "no".into(),
        };
        let ending =
            Ending { worth_another_try, refusal: refusal.clone(), report: Some(json!({ "rank": 8 })) };
        tenant.pushes().end(push.id, &ending).await.unwrap();
        let after = tenant.pushes().show(push.id).await.unwrap();
        assert_eq!((after.state, after.refusal, after.version), (state, Some(refusal), None));
        assert_eq!(after.report, Some(json!({ "rank": 8 })));
    }
}

async fn pushes_are_listed_newest_first_to_their_tenant_alone(world: &World) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    let other = world.store.tenant(world.tenant("globex").await.id);
    let mut ids = Vec::new();
    for content in ["one", "two", "three"] {
        ids.push(begun(&tenant, content).await.id);
    }
    ids.reverse();
    let page = tenant.pushes().list(&Paging { after: None, limit: 2 }).await.unwrap();
    assert_eq!(
        (page.items.iter().map(|push| push.id).collect::<Vec<_>>(), page.has_more),
        (ids[..2].to_vec(), true)
    );
    let page = tenant.pushes().list(&Paging { after: Some(ids[1]), limit: 2 }).await.unwrap();
    assert_eq!((page.items[0].id, page.items.len(), page.has_more), (ids[2], 1, false));
    assert!(other.pushes().list(&Paging::first()).await.unwrap().items.is_empty());
    assert!(matches!(other.pushes().show(ids[0]).await, Err(StoreError::PushNotFound)));
}

async fn a_push_whose_server_died_is_ended(world: &World) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    let (dead, alive) = (begun(&tenant, "one").await, begun(&tenant, "two").await);
    world.sql("UPDATE pushes SET touched_at = '2020-01-01T00:00:00Z' RETURNING adapter").await;
    tenant.pushes().touch(alive.id).await.unwrap();
    world.store.end_abandoned_pushes(Duration::from_secs(60)).await.unwrap();
    let after = tenant.pushes().show(dead.id).await.unwrap();
    assert_eq!((after.state, after.refusal.unwrap().code.as_str()), (PushState::Failed, "server_stopped"));
    assert_eq!(tenant.pushes().show(alive.id).await.unwrap().state, PushState::Validating);
}
