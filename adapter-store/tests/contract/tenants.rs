//! Tenants: made once per slug, listed in pages.

use tenora_adapter_store::{Order, Paging, StoreError, Wanted};

use crate::world::{World, display, slug_of};

on_both_databases!(
    a_slug_belongs_to_one_tenant,
    pages_walk_over_all_tenants_once,
    tenants_are_found_by_a_piece_of_their_names_in_any_order,
    health_and_names
);

async fn a_slug_belongs_to_one_tenant(world: &World) {
    let operator = world.operator();
    let acme = operator.create_tenant(&slug_of("acme"), &display("Acme Support")).await.unwrap();
    assert_eq!(operator.tenant_by_slug(&slug_of("acme")).await.unwrap(), acme);

    let again = operator.create_tenant(&slug_of("acme"), &display("Other")).await;
    assert!(matches!(again, Err(StoreError::SlugTaken(slug)) if slug.as_str() == "acme"));
    assert_eq!(operator.tenant_by_slug(&slug_of("acme")).await.unwrap().name.as_str(), "Acme Support");
    assert!(matches!(operator.tenant_by_slug(&slug_of("acm")).await, Err(StoreError::TenantNotFound)));
}

async fn pages_walk_over_all_tenants_once(world: &World) {
    let slugs = ["a-b", "a0", "ab", "b", "z9"];
    for slug in ["b", "a0", "z9", "ab", "a-b"] {
        world.tenant(slug).await;
    }
    let mut paging = Paging { after: None, limit: 2 };
    let mut seen = Vec::new();
    loop {
        let page = world.operator().list_tenants(&Wanted::default(), &paging).await.unwrap();
        seen.extend(page.items.iter().map(|tenant| tenant.slug.to_string()));
        paging.after = page.items.last().map(|tenant| tenant.slug.clone());
        assert!(page.items.len() <= 2);
        if !page.has_more {
            break;
        }
    }
    assert_eq!(seen, slugs);
    assert!(!world.operator().list_tenants(&Wanted::default(), &Paging::first()).await.unwrap().has_more);
}

async fn tenants_are_found_by_a_piece_of_their_names_in_any_order(world: &World) {
    let operator = world.operator();
    for (slug, name) in
        [("zeta", "Bäcker 100%"), ("acme", "Acme Support"), ("beta-x", "Zim_mer"), ("mid", "ACME Labs")]
    {
        operator.create_tenant(&slug_of(slug), &display(name)).await.unwrap();
    }
    let list = async |contains: &str, order: Order| {
        let wanted = Wanted { contains: contains.to_owned(), order };
        let (mut paging, mut seen) = (Paging { after: None, limit: 1 }, Vec::new());
        loop {
            let page = operator.list_tenants(&wanted, &paging).await.unwrap();
            seen.extend(page.items.iter().map(|tenant| tenant.slug.to_string()));
            paging.after = page.items.last().map(|tenant| tenant.slug.clone());
            if !page.has_more {
                return seen;
            }
        }
    };
    use Order::{CreatedAt, CreatedAtDown, Name, NameDown};
    assert_eq!(list("", Name).await, ["acme", "beta-x", "mid", "zeta"]);
    assert_eq!(list("", NameDown).await, ["zeta", "mid", "beta-x", "acme"]);
    assert_eq!(list("", CreatedAt).await, ["zeta", "acme", "beta-x", "mid"]);
    assert_eq!(list("", CreatedAtDown).await, ["mid", "beta-x", "acme", "zeta"]);
    assert_eq!(list("aCmE", Name).await, ["acme", "mid"]);
    assert_eq!(list("acme", CreatedAtDown).await, ["mid", "acme"]);
    // What means something to the database is text here.
    assert_eq!(list("0%", Name).await, ["zeta"]);
    assert_eq!(list("_", Name).await, ["beta-x"]);
    assert_eq!(list("\\", Name).await, [""; 0]);
    assert_eq!(list("' OR 1=1 --", Name).await, [""; 0]);
}

async fn health_and_names(world: &World) {
    let health = world.store.health().await;
    assert_eq!((health.database, health.redis), (true, None));
    // Text from outside is data, whatever it looks like.
    let odd = display("Robert'); DROP TABLE tenants;-- \u{1F600} $1 ?");
    world.operator().create_tenant(&slug_of("odd"), &odd).await.unwrap();
    assert_eq!(world.operator().tenant_by_slug(&slug_of("odd")).await.unwrap().name, odd);
}
