//! Staging: hashed on the way, limited, and gone when dropped.

use bytes::Bytes;
use tenora_adapter_store::{AdapterStore, MAX_CONFIG_BYTES, StoreError, TenantStore};

use crate::world::{World, files};

const CONFIG: &[u8] = br#"{ "r": 8, "a": {"z": 1, "b": 2} }"#;

async fn tenant(world: &World) -> TenantStore {
    world.store.tenant(world.tenant("acme").await.id)
}

#[tokio::test]
async fn order_and_chunks_do_not_change_the_digest() {
    let world = World::sqlite().await;
    let tenant = tenant(&world).await;
    let weights: Bytes = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>().into();
    let mut digests = Vec::new();
    for (config_first, chunk_bytes) in [(true, 1_000), (false, 700_001), (true, usize::MAX)] {
        let mut staging = tenant.stage().await.unwrap();
        if config_first {
            staging.write_config(Bytes::from_static(CONFIG)).await.unwrap();
        }
        for chunk in weights.chunks(chunk_bytes.min(weights.len())) {
            staging.write_weights(weights.slice_ref(chunk)).await.unwrap();
        }
        if !config_first {
            staging.write_config(Bytes::from_static(CONFIG)).await.unwrap();
        }
        let staged = staging.finish().await.unwrap();
        assert_eq!(std::fs::read(staged.config_path()).unwrap(), CONFIG);
        assert_eq!(std::fs::read(staged.weights_path()).unwrap(), weights);
        assert_eq!(staged.bytes(), (weights.len() + r#"{"a":{"b":2,"z":1},"r":8}"#.len()) as u64);
        digests.push(staged.digest());
    }
    assert_eq!(digests, [digests[0]; 3]);
}

#[tokio::test]
async fn a_config_that_is_replaced_counts_as_the_last_one() {
    let world = World::sqlite().await;
    let tenant = tenant(&world).await;
    let mut staging = tenant.stage().await.unwrap();
    staging.write_config(Bytes::from_static(b"{}")).await.unwrap();
    staging.write_weights(Bytes::from_static(b"weights")).await.unwrap();
    staging.write_config(Bytes::from_static(CONFIG)).await.unwrap();
    let replaced = staging.finish().await.unwrap();
    let mut staging = tenant.stage().await.unwrap();
    staging.write_config(Bytes::from_static(CONFIG)).await.unwrap();
    staging.write_weights(Bytes::from_static(b"weights")).await.unwrap();
    assert_eq!(replaced.digest(), staging.finish().await.unwrap().digest());
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_its_limit() {
    let world = World::sqlite().await;
    let tenant = tenant(&world).await;
    let mut staging = tenant.stage().await.unwrap();
    let limit = staging.max_bytes();
    assert_eq!(limit, world.config.max_adapter_bytes);
    let config = Bytes::from(vec![b' '; MAX_CONFIG_BYTES as usize + 1]);
    let refused = staging.write_config(config).await.unwrap_err();
    assert_eq!(refused.to_string(), "adapter_config.json is larger than 65536 bytes");

    staging.write_config(Bytes::from_static(CONFIG)).await.unwrap();
    staging.write_weights(vec![0; limit as usize].into()).await.unwrap();
    let refused = staging.write_weights(Bytes::from_static(b"x")).await.unwrap_err();
    assert!(matches!(refused, StoreError::TooLarge { limit: stated, .. } if stated == limit), "{refused}");
    drop(staging);
    assert_eq!(files(&world.config.staging_dir).len(), 2, "only the locks are left");
}

#[tokio::test]
async fn half_an_upload_is_none() {
    let world = World::sqlite().await;
    let tenant = tenant(&world).await;
    let mut staging = tenant.stage().await.unwrap();
    for config in [&b"[]"[..], b"", b"{\"r\":", b"\x80\x02pickle"] {
        let refused = staging.write_config(Bytes::from_static(config)).await;
        assert!(matches!(refused, Err(StoreError::InvalidConfig(_))), "{config:?}");
    }
    staging.write_weights(Bytes::from_static(b"weights")).await.unwrap();
    let refused = staging.finish().await.unwrap_err();
    assert!(matches!(refused, StoreError::MissingFile("adapter_config.json")), "{refused}");

    let mut staging = tenant.stage().await.unwrap();
    staging.write_config(Bytes::from_static(CONFIG)).await.unwrap();
    let refused = staging.finish().await.unwrap_err();
    assert!(matches!(refused, StoreError::MissingFile("adapter_model.safetensors")), "{refused}");
    assert_eq!(files(&world.config.staging_dir).len(), 2, "only the locks are left");
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed_and_a_living_ones_upload_is_not() {
    let world = World::sqlite().await;
    let tenant = tenant(&world).await;
    let mut staging = tenant.stage().await.unwrap();
    staging.write_config(Bytes::from_static(CONFIG)).await.unwrap();
    staging.write_weights(Bytes::from_static(b"weights")).await.unwrap();
    let left = world.config.staging_dir.join("0123/upload");
    std::fs::create_dir_all(&left).unwrap();
    std::fs::write(left.join("adapter_model.safetensors"), "half").unwrap();

    let second: AdapterStore = world.replica("cache-2").await;
    assert!(!left.exists());
    let staged = staging.finish().await.unwrap();
    assert_eq!(std::fs::read(staged.weights_path()).unwrap(), b"weights");
    // The upload outlives the store it came from.
    drop((tenant, second));
    assert!(staged.weights_path().exists());
}
