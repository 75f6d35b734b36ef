//! The schema: asked for, made once, safe to make twice at once.

use secrecy::SecretString;
use tenora_adapter_store::{AdapterStore, DatabaseUrl, StoreError};

use crate::world::{Schema, World, config};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_that_is_not_migrated_says_what_to_do() {
    let Some(schema) = Schema::create().await else { return };
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), schema.database());
    let refused = AdapterStore::open(config.clone()).await.err().unwrap();
    assert!(
        matches!(refused, StoreError::NotMigrated) && refused.to_string().contains("tenora migrate"),
        "{refused}"
    );

    let at_once = [AdapterStore::migrate(&config.database), AdapterStore::migrate(&config.database)];
    for migrated in futures_util::future::join_all(at_once).await {
        migrated.unwrap();
    }
    assert!(AdapterStore::open(config).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_newer_than_the_program_is_fine_and_an_older_one_is_not() {
    let Some(world) = World::postgres().await else { return };
    world.sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', true, '\\x00', 0)").await;
    world.replica("cache-2").await;
    AdapterStore::migrate(&world.config.database).await.unwrap();
    world.sql("DELETE FROM _sqlx_migrations WHERE version = 1").await;
    let refused = AdapterStore::open(config(world.dir.path(), world.config.database.clone())).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn what_cannot_be_opened_is_explained_without_passwords() {
    let dir = tempfile::tempdir().unwrap();
    let url = SecretString::from("postgres://root:hunter2@127.0.0.1:notaport/x");
    let refused = AdapterStore::open(config(dir.path(), DatabaseUrl::Postgres(url))).await.err().unwrap();
    assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused:?}");

    // Nobody listens there: it is away, and that does not take long to say.
    let url = SecretString::from("postgres://root:hunter2@127.0.0.1:1/x");
    let refused = AdapterStore::open(config(dir.path(), DatabaseUrl::Postgres(url))).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused:?}");
    assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused:?}");
}
