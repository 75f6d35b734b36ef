//! Aliases move by compare-and-set and back again, share requests, and never name what is not there; versions go out of
//! service and away one by one.

use std::collections::BTreeMap;

use tenora_adapter_store::{
    Alias, AliasName, AliasStore, AuditQuery, Checked, Paging, Reason, Rollback, Share, StoreError, Targets,
    TenantStore, VersionNumber,
};

use crate::world::{ADMIN, World, checked, files, model, name, push, stage};

on_both_databases!(
    a_push_moves_latest_unless_told_not_to,
    a_move_compares_and_sets,
    of_many_movers_at_once_one_wins,
    an_alias_goes_back,
    versions_share_an_alias,
    an_alias_names_what_is_there_and_in_service,
    a_disabled_version_says_why,
    a_version_goes_alone,
    aliases_end_with_their_adapter,
    another_tenants_aliases_do_not_exist,
    every_move_is_audited,
);

const BACK: Rollback = Rollback { to_revision: None, expected: None };

fn alias(text: &str) -> AliasName {
    AliasName::parse(text).unwrap()
}

fn number(number: u32) -> VersionNumber {
    VersionNumber::try_from(i64::from(number)).unwrap()
}

fn only(version: u32) -> Targets {
    Targets::only(number(version))
}

fn shared(shares: &[(u32, u32)]) -> Targets {
    let share = |&(version, weight): &(u32, u32)| Share { version: number(version), weight };
    Targets::try_from(shares.iter().map(share).collect::<Vec<_>>()).unwrap()
}

/// A tenant with an adapter `triage` of so many versions.
async fn with_versions(world: &World, versions: u32) -> (TenantStore, AliasStore) {
    let tenant = world.store.tenant(world.tenant("acme").await.id);
    for version in 1..=versions {
        push(&tenant, "triage", &format!("content {version}")).await;
    }
    let aliases = tenant.aliases(ADMIN);
    (tenant, aliases)
}

async fn resolved(tenant: &TenantStore, reference: &str) -> u32 {
    tenant.resolve(&model(reference), None).await.unwrap().number.get()
}

fn state(alias: &Alias) -> (String, u64, Targets) {
    (alias.name.to_string(), alias.revision, alias.targets.clone())
}

async fn a_push_moves_latest_unless_told_not_to(world: &World) {
    let (tenant, aliases) = with_versions(world, 2).await;
    let quietly = Checked { moves_latest: false, ..checked("base-1") };
    let staged = stage(&tenant, "content 3").await;
    let third = tenant.commit(&name("triage"), &staged, quietly.clone(), &ADMIN).await.unwrap();
    assert_eq!(third.version.number, number(3));
    assert_eq!((resolved(&tenant, "triage").await, resolved(&tenant, "triage@3").await), (2, 3));
    assert_eq!(resolved(&tenant, "triage@latest").await, 2);
    let listed = aliases.list(&name("triage")).await.unwrap();
    assert_eq!(listed.iter().map(state).collect::<Vec<_>>(), [("latest".into(), 2, only(2))]);
    // The first version has no choice.
    let staged = stage(&tenant, "first").await;
    tenant.commit(&name("fresh"), &staged, quietly, &ADMIN).await.unwrap();
    assert_eq!(resolved(&tenant, "fresh").await, 1);
    assert_eq!(tenant.adapter(&name("triage")).await.unwrap().aliases, listed);
}

async fn a_move_compares_and_sets(world: &World) {
    let (tenant, aliases) = with_versions(world, 2).await;
    let (triage, prod) = (name("triage"), alias("prod"));
    assert!(matches!(tenant.resolve(&model("triage@prod"), None).await, Err(StoreError::AdapterNotFound)));
    let made = aliases.put(&triage, &prod, only(1), Some(0)).await.unwrap();
    assert_eq!((made.revision, resolved(&tenant, "triage@prod").await), (1, 1));
    let again = aliases.put(&triage, &prod, only(2), Some(0)).await;
    assert!(matches!(again, Err(StoreError::AliasMoved { revision: 1 })), "{again:?}");
    assert_eq!(resolved(&tenant, "triage@prod").await, 1, "a refused move moves nothing");
    let moved = aliases.put(&triage, &prod, only(2), Some(1)).await.unwrap();
    assert_eq!((moved.revision, resolved(&tenant, "triage@prod").await), (2, 2));
    let blindly = aliases.put(&triage, &prod, only(1), None).await.unwrap();
    assert_eq!((blindly.revision, resolved(&tenant, "triage@prod").await), (3, 1));
    let stale = aliases.put(&triage, &alias("other"), only(1), Some(4)).await;
    assert!(matches!(stale, Err(StoreError::AliasMoved { revision: 0 })), "{stale:?}");
    aliases.remove(&triage, &prod, None).await.unwrap();
    assert!(matches!(tenant.resolve(&model("triage@prod"), None).await, Err(StoreError::AdapterNotFound)));
    assert!(matches!(aliases.history(&triage, &prod).await, Err(StoreError::AliasNotFound(_))));
    assert_eq!(aliases.put(&triage, &prod, only(2), Some(0)).await.unwrap().revision, 4, "revisions go on");
}

async fn of_many_movers_at_once_one_wins(world: &World) {
    let (_tenant, aliases) = with_versions(world, 2).await;
    let (triage, prod) = (name("triage"), alias("prod"));
    for revision in 0..4 {
        let moves =
            (0..8).map(|_| aliases.put(&triage, &prod, only(1 + revision % 2), Some(revision.into())));
        let outcomes = futures_util::future::join_all(moves).await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let lost =
            |outcome: &Result<Alias, StoreError>| matches!(outcome, Err(StoreError::AliasMoved { .. }));
        assert_eq!((won, outcomes.iter().filter(|outcome| lost(outcome)).count()), (1, 7));
    }
    let history = aliases.history(&triage, &prod).await.unwrap();
    assert_eq!(history.iter().map(|was| was.revision).collect::<Vec<_>>(), [4, 3, 2, 1]);
    assert!(history.windows(2).all(|pair| pair[1].ended_at == Some(pair[0].moved_at)));
}

async fn an_alias_goes_back(world: &World) {
    let (tenant, aliases) = with_versions(world, 3).await;
    let (triage, latest, prod) = (name("triage"), alias("latest"), alias("prod"));
    assert!(matches!(aliases.roll_back(&triage, &prod, BACK).await, Err(StoreError::AliasNotFound(_))));
    assert_eq!(aliases.roll_back(&triage, &latest, BACK).await.unwrap().targets, only(2));
    assert_eq!(resolved(&tenant, "triage").await, 2);
    assert_eq!(aliases.roll_back(&triage, &latest, BACK).await.unwrap().targets, only(3), "and forth");
    let first = Rollback { to_revision: Some(1), expected: Some(5) };
    assert_eq!(aliases.roll_back(&triage, &latest, first).await.unwrap().revision, 6);
    assert_eq!(resolved(&tenant, "triage").await, 1);
    let stale = aliases.roll_back(&triage, &latest, first).await;
    assert!(matches!(stale, Err(StoreError::AliasMoved { revision: 6 })), "{stale:?}");
    aliases.put(&triage, &prod, only(1), None).await.unwrap();
    for to_revision in [None, Some(0), Some(9), Some(u64::MAX)] {
        let nowhere = aliases.roll_back(&triage, &prod, Rollback { to_revision, expected: None }).await;
        assert!(matches!(nowhere, Err(StoreError::InvalidTargets(_))), "{nowhere:?}");
    }
}

async fn versions_share_an_alias(world: &World) {
    let (tenant, aliases) = with_versions(world, 2).await;
    let (triage, prod) = (name("triage"), alias("prod"));
    aliases.put(&triage, &prod, shared(&[(1, 90), (2, 10)]), None).await.unwrap();
    let ask = async |key: Option<String>| {
        tenant.resolve(&model("triage@prod"), key.as_deref()).await.unwrap().number.get()
    };
    let mut seen = BTreeMap::new();
    for user in 0..200 {
        let version = ask(Some(format!("user-{user}"))).await;
        assert_eq!(ask(Some(format!("user-{user}"))).await, version, "one user, one version");
        seen.entry(version).or_insert_with(Vec::new).push(user);
    }
    assert!((5..40).contains(&seen[&2].len()), "{} of 200", seen[&2].len());
    let mut without = BTreeMap::new();
    for _ in 0..400 {
        *without.entry(ask(None).await).or_insert(0) += 1;
    }
    assert!((10..90).contains(&without[&2]), "{without:?}");
    // Who is on the newcomer stays there while its share grows.
    aliases.put(&triage, &prod, shared(&[(1, 50), (2, 50)]), None).await.unwrap();
    for user in &seen[&2] {
        assert_eq!(ask(Some(format!("user-{user}"))).await, 2);
    }
    let latest = aliases.put(&triage, &alias("latest"), shared(&[(1, 1), (2, 1)]), None).await;
    assert!(matches!(latest, Err(StoreError::InvalidTargets(_))), "the plain name means one version");
}

async fn an_alias_names_what_is_there_and_in_service(world: &World) {
    let (tenant, aliases) = with_versions(world, 3).await;
    let (triage, prod) = (name("triage"), alias("prod"));
    let absent = aliases.put(&triage, &prod, only(4), None).await;
    assert!(matches!(absent, Err(StoreError::NoSuchVersion(n)) if n == number(4)), "{absent:?}");
    let versions = tenant.versions(ADMIN);
    versions.disable(&triage, number(1), Some(Reason::parse("leaks").unwrap())).await.unwrap();
    let disabled = aliases.put(&triage, &prod, shared(&[(2, 1), (1, 1)]), None).await;
    assert!(matches!(disabled, Err(StoreError::VersionDisabled(n)) if n == number(1)), "{disabled:?}");
    aliases.put(&triage, &prod, only(2), None).await.unwrap();
    aliases.put(&triage, &prod, only(3), None).await.unwrap();
    versions.delete(&triage, number(2)).await.unwrap();
    let gone = aliases.roll_back(&triage, &prod, BACK).await;
    assert!(matches!(gone, Err(StoreError::NoSuchVersion(n)) if n == number(2)), "{gone:?}");
    assert!(matches!(
        aliases.put(&name("nothing"), &prod, only(1), None).await,
        Err(StoreError::AdapterNotFound)
    ));
    for at in 0..30 {
        aliases.put(&triage, &alias(&format!("a{at}")), only(3), None).await.unwrap();
    }
    let many = aliases.put(&triage, &alias("one-more"), only(3), None).await;
    assert!(matches!(many, Err(StoreError::OverQuota { limit: 32, .. })), "{many:?}");
    let latest = aliases.remove(&triage, &alias("latest"), None).await;
    assert!(matches!(latest, Err(StoreError::InvalidTargets(_))), "{latest:?}");
}

async fn a_disabled_version_says_why(world: &World) {
    let (tenant, _aliases) = with_versions(world, 2).await;
    let (triage, versions) = (name("triage"), tenant.versions(ADMIN));
    assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap().disabled, None);
    let reason = Reason::parse("answers in French").unwrap();
    let record = versions.disable(&triage, number(2), Some(reason.clone())).await.unwrap();
    assert_eq!(record.version.disabled.as_ref(), Some(&reason));
    // By its number and by what names it; at once, although it was in the cache.
    for reference in ["triage", "triage@2"] {
        assert_eq!(tenant.resolve(&model(reference), None).await.unwrap().disabled.as_ref(), Some(&reason));
    }
    assert_eq!(tenant.resolve(&model("triage@1"), None).await.unwrap().disabled, None);
    versions.disable(&triage, number(2), None).await.unwrap();
    assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap().disabled, None);
    let absent = versions.disable(&triage, number(3), Some(reason)).await;
    assert!(matches!(absent, Err(StoreError::AdapterNotFound)), "{absent:?}");
}

async fn a_version_goes_alone(world: &World) {
    let (tenant, aliases) = with_versions(world, 3).await;
    let (triage, versions) = (name("triage"), tenant.versions(ADMIN));
    aliases.put(&triage, &alias("prod"), shared(&[(1, 1), (3, 1)]), None).await.unwrap();
    match versions.delete(&triage, number(3)).await {
        Err(StoreError::VersionInUse(naming)) => assert_eq!(naming, [alias("latest"), alias("prod")]),
        other => panic!("{other:?}"),
    }
    let before = files(&world.dir.path().join("blobs")).len();
    versions.delete(&triage, number(2)).await.unwrap();
    assert_eq!(files(&world.dir.path().join("blobs")).len(), before - 2, "its bytes are gone");
    assert!(matches!(tenant.resolve(&model("triage@2"), None).await, Err(StoreError::AdapterNotFound)));
    assert!(matches!(versions.show(&triage, number(2)).await, Err(StoreError::AdapterNotFound)));
    assert!(matches!(versions.delete(&triage, number(2)).await, Err(StoreError::AdapterNotFound)));
    let paging = |after| Paging { after, limit: 1 };
    let first = versions.list(&triage, &paging(None)).await.unwrap();
    let second = versions.list(&triage, &paging(Some(number(3)))).await.unwrap();
    assert_eq!((first.items[0].version.number, first.has_more), (number(3), true));
    assert_eq!((second.items[0].version.number, second.has_more), (number(1), false));
    assert_eq!(push(&tenant, "triage", "content 2").await.number, number(4), "its number is not given again");
}

async fn aliases_end_with_their_adapter(world: &World) {
    let (tenant, aliases) = with_versions(world, 1).await;
    let (triage, prod) = (name("triage"), alias("prod"));
    aliases.put(&triage, &prod, only(1), None).await.unwrap();
    tenant.delete_adapter(&triage, &ADMIN).await.unwrap();
    assert!(matches!(aliases.list(&triage).await, Err(StoreError::AdapterNotFound)));
    assert!(matches!(aliases.history(&triage, &prod).await, Err(StoreError::AdapterNotFound)));
    assert!(matches!(aliases.roll_back(&triage, &prod, BACK).await, Err(StoreError::AdapterNotFound)));
    push(&tenant, "triage", "again").await;
    let listed = aliases.list(&triage).await.unwrap();
    assert_eq!(listed.iter().map(state).collect::<Vec<_>>(), [("latest".into(), 2, only(2))]);
    assert!(matches!(tenant.resolve(&model("triage@prod"), None).await, Err(StoreError::AdapterNotFound)));
}

async fn another_tenants_aliases_do_not_exist(world: &World) {
    let (_acme, _) = with_versions(world, 2).await;
    let globex = world.store.tenant(world.tenant("globex").await.id);
    let (triage, prod, aliases) = (name("triage"), alias("prod"), globex.aliases(ADMIN));
    let unknown =
        |outcome: Result<(), StoreError>| assert!(matches!(outcome, Err(StoreError::AdapterNotFound)));
    unknown(aliases.list(&triage).await.map(drop));
    unknown(aliases.history(&triage, &alias("latest")).await.map(drop));
    unknown(aliases.put(&triage, &prod, only(1), None).await.map(drop));
    unknown(aliases.roll_back(&triage, &alias("latest"), BACK).await.map(drop));
    unknown(aliases.remove(&triage, &prod, None).await);
    let versions = globex.versions(ADMIN);
    unknown(versions.list(&triage, &Paging::first()).await.map(drop));
    unknown(versions.show(&triage, number(1)).await.map(drop));
    unknown(versions.disable(&triage, number(1), None).await.map(drop));
    unknown(versions.delete(&triage, number(1)).await);
}

async fn every_move_is_audited(world: &World) {
    let (tenant, aliases) = with_versions(world, 2).await;
    let (triage, prod, versions) = (name("triage"), alias("prod"), tenant.versions(ADMIN));
    aliases.put(&triage, &prod, only(2), None).await.unwrap();
    aliases.put(&triage, &prod, only(1), None).await.unwrap();
    aliases.roll_back(&triage, &prod, BACK).await.unwrap();
    aliases.put(&triage, &prod, only(1), Some(1)).await.unwrap_err();
    aliases.remove(&triage, &prod, None).await.unwrap();
    versions.disable(&triage, number(1), Some(Reason::parse("old").unwrap())).await.unwrap();
    versions.disable(&triage, number(1), None).await.unwrap();
    versions.delete(&triage, number(1)).await.unwrap();
    let log = world.operator().audit(None, &AuditQuery::default()).await.unwrap().items;
    let mut actions: Vec<_> = log.iter().map(|row| (row.action.as_str(), row.subject.as_str())).collect();
    actions.reverse();
    let expected = [
        ("tenant.create", "acme"),
        ("adapter_version.create", "triage@1"),
        ("adapter_alias.move", "triage@latest"),
        ("adapter_version.create", "triage@2"),
        ("adapter_alias.move", "triage@latest"),
        ("adapter_alias.move", "triage@prod"),
        ("adapter_alias.move", "triage@prod"),
        ("adapter_alias.rollback", "triage@prod"),
        ("adapter_alias.delete", "triage@prod"),
        ("adapter_version.disable", "triage@1"),
        ("adapter_version.enable", "triage@1"),
        ("adapter_version.delete", "triage@1"),
    ];
    assert_eq!(actions, expected);
    let rollback = &log[4].detail;
    assert_eq!(
        (&rollback["before"]["targets"][0]["version"], &rollback["after"]["targets"][0]["version"]),
        (&1.into(), &2.into())
    );
}
