//! The digest of an adapter: SHA-256 over its canonical config, with its length, and then its weights. Pure.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;
use crate::ids::Digest;

/// The canonical form of an `adapter_config.json`: keys sorted at every depth, no white space.
pub(crate) fn canonical(config: &[u8]) -> Result<Vec<u8>, StoreError> {
    let mut value: Value =
        serde_json::from_slice(config).map_err(|error| StoreError::InvalidConfig(error.to_string()))?;
    if !value.is_object() {
        return Err(StoreError::InvalidConfig("it is another JSON value".to_owned()));
    }
    value.sort_all_objects();
    serde_json::to_vec(&value).map_err(StoreError::internal)
}

/// A digest in the making: the config at once, then the weights chunk by chunk.
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn new(canonical_config: &[u8]) -> Self {
        let length = (canonical_config.len() as u64).to_le_bytes();
        Self(Sha256::new().chain_update(length).chain_update(canonical_config))
    }

    pub(crate) fn update(&mut self, weights: &[u8]) {
        self.0.update(weights);
    }

    pub(crate) fn finish(self) -> Digest {
        Digest::from_bytes(self.0.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(config: &[u8], weights: &[u8]) -> Digest {
        let mut hasher = Hasher::new(&canonical(config).unwrap());
        hasher.update(weights);
        hasher.finish()
    }

    #[test]
    fn the_digest_is_what_the_format_says() {
        let config = br#"{"a":[{"x":2,"y":1}],"r":8}"#;
        let by_hand = [&(config.len() as u64).to_le_bytes()[..], config, b"weights"].concat();
        let expected: [u8; 32] = Sha256::digest(by_hand).into();
        assert_eq!(
            digest(b"{ \"r\": 8,\n \"a\": [ {\"y\": 1, \"x\": 2} ] }", b"weights"),
            Digest::from_bytes(expected)
        );
    }

    #[test]
    fn what_is_no_object_is_refused_in_the_clients_words() {
        for (config, words) in [
            (&b"[1]"[..], "another JSON value"),
            (b"{\"r\": 8", "EOF while parsing"),
            (b"\xff", "expected value"),
        ] {
            let error = canonical(config).unwrap_err().to_string();
            assert!(error.starts_with("adapter_config.json: ") && error.contains(words), "{error}");
        }
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
        assert!(matches!(canonical(deep.as_bytes()), Err(StoreError::InvalidConfig(_))));
    }

    proptest! {
        #[test]
        fn chunks_and_key_order_do_not_matter(weights in any::<Vec<u8>>(), cut in any::<prop::sample::Index>()) {
            let (first, second) = weights.split_at(cut.index(weights.len() + 1));
            let mut hasher = Hasher::new(&canonical(br#"{"b":1,"a":2}"#).unwrap());
            hasher.update(first);
            hasher.update(second);
            prop_assert_eq!(hasher.finish(), digest(br#"{"a":2,"b":1}"#, &weights));
        }

        #[test]
        fn config_and_weights_do_not_run_together(weights in any::<Vec<u8>>()) {
            prop_assert_ne!(digest(b"{}", &weights), digest(b"{\"\":0}", &weights));
        }

        #[test]
        fn whatever_comes_is_an_answer(config in any::<Vec<u8>>()) {
            let _ = canonical(&config);
        }
    }
}
