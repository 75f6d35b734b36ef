//! Versions and deletes, paging, and the wall between tenants.

use tenora_adapter_store::{Cap, Checked, LimitOverrides, Order, Paging, StoreError, Wanted};

use crate::world::{ADMIN, World, checked, files, model, name, push, stage};

on_both_databases!(
    names_and_numbers_mean_their_versions,
    the_same_content_is_the_same_version,
    numbers_go_on_after_deletion,
    another_tenants_adapter_does_not_exist,
    pages_walk_over_all_adapters_once,
    adapters_are_found_by_a_piece_of_their_names_in_any_order,
    bytes_live_as_long_as_a_version_needs_them,
    a_tenant_has_no_more_adapters_and_bytes_than_it_may,
);

async fn names_and_numbers_mean_their_versions(world: &World) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    let (one, two) = (push(&tenant, "triage", "one").await, push(&tenant, "triage", "two").await);
    assert_eq!((one.number.get(), two.number.get()), (1, 2));
    // Twice: from the database, then from the cache.
    for _ in 0..2 {
        assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap(), two);
        assert_eq!(tenant.resolve(&model("triage@1"), None).await.unwrap(), one);
        assert_eq!(tenant.resolve(&model("triage@2"), None).await.unwrap(), two);
    }
    assert_eq!(world.store.cache_stats().hits, 3);
    for unknown in ["triage@3", "triag", "triage2"] {
        assert!(
            matches!(tenant.resolve(&model(unknown), None).await, Err(StoreError::AdapterNotFound)),
            "{unknown}"
        );
    }
    // A new version is what the name means at once.
    let three = push(&tenant, "triage", "three").await;
    assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap(), three);

    let shown = tenant.adapter(&name("triage")).await.unwrap();
    let versions: Vec<_> = shown.versions.iter().map(|record| record.version.clone()).collect();
    assert_eq!((shown.created_at, versions), (one.created_at, vec![three, two, one]));
    assert_eq!(shown.versions[0].report, checked("").report);
}

async fn the_same_content_is_the_same_version(world: &World) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    let one = push(&tenant, "triage", "one").await;
    push(&tenant, "triage", "two").await;
    assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap().number.get(), 2);
    // Pushed again it is what the plain name means again, under the number that it has.
    assert_eq!(push(&tenant, "triage", "one").await, one);
    assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap().number.get(), 1);
    // Under another name it is a version of its own; checked against another base, too.
    assert_eq!(push(&tenant, "router", "one").await.number.get(), 1);
    let staged = stage(&tenant, "one").await;
    let rebased = tenant.commit(&name("triage"), &staged, checked("base-2"), &ADMIN).await.unwrap().version;
    assert_eq!((rebased.number.get(), rebased.digest), (3, one.digest));
}

async fn numbers_go_on_after_deletion(world: &World) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    let one = push(&tenant, "triage", "one").await;
    push(&tenant, "triage", "two").await;
    tenant.resolve(&model("triage"), None).await.unwrap();
    tenant.delete_adapter(&name("triage"), &ADMIN).await.unwrap();

    for gone in ["triage", "triage@1", "triage@2"] {
        assert!(
            matches!(tenant.resolve(&model(gone), None).await, Err(StoreError::AdapterNotFound)),
            "{gone}"
        );
    }
    assert!(matches!(tenant.adapter(&name("triage")).await, Err(StoreError::AdapterNotFound)));
    assert!(matches!(tenant.local_files(&one).await, Err(StoreError::AdapterNotFound)));
    assert!(matches!(tenant.delete_adapter(&name("triage"), &ADMIN).await, Err(StoreError::AdapterNotFound)));
    assert!(tenant.list_adapters(&Wanted::default(), &Paging::first()).await.unwrap().items.is_empty());

    let again = push(&tenant, "triage", "one").await;
    assert_eq!(again.number.get(), 3);
    let shown = tenant.adapter(&name("triage")).await.unwrap();
    assert_eq!((shown.created_at, shown.versions.len()), (again.created_at, 1));
    assert!(matches!(tenant.resolve(&model("triage@1"), None).await, Err(StoreError::AdapterNotFound)));
}

async fn another_tenants_adapter_does_not_exist(world: &World) {
    let acme = world.store.tenant(world.tenant("acme").await.id);
    let globex = world.store.tenant(world.tenant("globex").await.id);
    let version = push(&acme, "triage", "one").await;
    acme.resolve(&model("triage"), None).await.unwrap();

    for reference in ["triage", "triage@1"] {
        assert!(matches!(globex.resolve(&model(reference), None).await, Err(StoreError::AdapterNotFound)));
    }
    assert!(matches!(globex.adapter(&name("triage")).await, Err(StoreError::AdapterNotFound)));
    assert!(matches!(globex.delete_adapter(&name("triage"), &ADMIN).await, Err(StoreError::AdapterNotFound)));
    assert!(matches!(globex.local_files(&version).await, Err(StoreError::AdapterNotFound)));
    assert!(globex.list_adapters(&Wanted::default(), &Paging::first()).await.unwrap().items.is_empty());

    // The same name and bytes: a version, a blob and a life of its own.
    let own = push(&globex, "triage", "one").await;
    assert_eq!((own.number.get(), own.digest), (1, version.digest));
    globex.delete_adapter(&name("triage"), &ADMIN).await.unwrap();
    assert_eq!(acme.resolve(&model("triage"), None).await.unwrap(), version);
    assert!(acme.local_files(&version).await.is_ok());
}

async fn adapters_are_found_by_a_piece_of_their_names_in_any_order(world: &World) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    for adapter in ["triage", "sql_1", "sql-2", "a"] {
        push(&tenant, adapter, adapter).await;
    }
    push(&tenant, "sql_1", "second").await;
    let list = async |contains: &str, order: Order| {
        let wanted = Wanted { contains: contains.to_owned(), order };
        let (mut paging, mut seen) = (Paging { after: None, limit: 2 }, Vec::new());
        loop {
            let page = tenant.list_adapters(&wanted, &paging).await.unwrap();
            for adapter in &page.items {
                assert_eq!(adapter.versions.len(), if adapter.name.as_str() == "sql_1" { 2 } else { 1 });
                assert_eq!(adapter.aliases.len(), 1);
                seen.push(adapter.name.to_string());
            }
            paging.after = page.items.last().map(|adapter| adapter.name.clone());
            if !page.has_more {
                return seen;
            }
        }
    };
    use Order::{CreatedAt, CreatedAtDown, Name, NameDown};
    assert_eq!(list("", Name).await, ["a", "sql-2", "sql_1", "triage"]);
    assert_eq!(list("", NameDown).await, ["triage", "sql_1", "sql-2", "a"]);
    assert_eq!(list("", CreatedAt).await, ["triage", "sql_1", "sql-2", "a"]);
    assert_eq!(list("", CreatedAtDown).await, ["a", "sql-2", "sql_1", "triage"]);
    assert_eq!(list("SQL", CreatedAtDown).await, ["sql-2", "sql_1"]);
    assert_eq!(list("_", Name).await, ["sql_1"]);
    assert_eq!(list("%", Name).await, [""; 0]);
}

async fn pages_walk_over_all_adapters_once(world: &World) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    let other = world.store.tenant(world.tenant("globex").await.id);
    let names = ["a", "a-b", "a.b", "a0", "a_b", "ab", "b"];
    for adapter in names.iter().rev() {
        push(&tenant, adapter, adapter).await;
        push(&other, adapter, "other").await;
    }
    push(&tenant, "a0", "second").await;
    push(&tenant, "c", "deleted").await;
    tenant.delete_adapter(&name("c"), &ADMIN).await.unwrap();

    for limit in [1, 2, 3, 7, 100] {
        let mut paging = Paging { after: None, limit };
        let mut seen = Vec::new();
        loop {
            let page = tenant.list_adapters(&Wanted::default(), &paging).await.unwrap();
            paging.after = page.items.last().map(|adapter| adapter.name.clone());
            seen.extend(page.items);
            if !page.has_more {
                break;
            }
        }
        assert_eq!(
            seen.iter().map(|adapter| adapter.name.as_str()).collect::<Vec<_>>(),
            names,
            "limit {limit}"
        );
        let numbers = |at: usize| {
            seen[at].versions.iter().map(|record| record.version.number.get()).collect::<Vec<_>>()
        };
        assert_eq!((numbers(3), numbers(4)), (vec![2, 1], vec![1]));
    }
}

async fn bytes_live_as_long_as_a_version_needs_them(world: &World) {
    let acme = world.tenant("acme").await.id;
    let tenant = world.store.tenant(acme);
    let version = push(&tenant, "one", "shared").await;
    push(&tenant, "two", "shared").await;
    let folder = format!("{acme}/{}", version.digest.to_hex());
    let both = [format!("{folder}/adapter_config.json"), format!("{folder}/adapter_model.safetensors")];
    assert_eq!(files(&world.blobs_dir()), both);
    let stored = std::fs::read_to_string(world.blobs_dir().join(&both[0])).unwrap();
    assert_eq!(stored, r#"{"peft_type":"LORA","r":8}"#);
    drop(tenant.local_files(&version).await.unwrap());

    tenant.delete_adapter(&name("one"), &ADMIN).await.unwrap();
    assert_eq!(files(&world.blobs_dir()), both);
    tenant.delete_adapter(&name("two"), &ADMIN).await.unwrap();
    assert!(files(&world.blobs_dir()).is_empty());
    assert_eq!(files(&world.config.cache_dir), ["lock"]);
    assert_eq!(files(&world.config.staging_dir).len(), 2, "only the locks are left: every upload cleaned up");
}

async fn a_tenant_has_no_more_adapters_and_bytes_than_it_may(world: &World) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    let commit = async |adapter: &str, content: &str, limits: LimitOverrides| {
        let staged = stage(&tenant, content).await;
        tenant.commit(&name(adapter), &staged, Checked { limits, ..checked("base-1") }, &ADMIN).await
    };
    let two = LimitOverrides { adapters: Some(Cap::At(2)), ..LimitOverrides::default() };
    commit("a", "one", two).await.unwrap();
    let held = commit("b", "two", two).await.unwrap().version.bytes;
    let third = commit("c", "three", two).await;
    assert!(matches!(third, Err(StoreError::OverQuota { what: "adapters", limit: 2 })), "{third:?}");
    // A new version of an adapter that is there is no adapter more, and what is there already is nothing more.
    commit("a", "four", two).await.unwrap();
    let none = LimitOverrides { adapter_bytes: Some(Cap::At(0)), ..two };
    commit("a", "four", none).await.unwrap();
    let bytes = commit("a", "five", LimitOverrides { adapter_bytes: Some(Cap::At(3 * held)), ..two }).await;
    assert!(matches!(bytes, Err(StoreError::OverQuota { what: "bytes of adapters", .. })), "{bytes:?}");
    tenant.delete_adapter(&name("b"), &ADMIN).await.unwrap();
    commit("c", "three", two).await.unwrap();
    assert_eq!(files(&world.config.staging_dir).len(), 2, "only the locks are left: a refusal cleans up");
}
