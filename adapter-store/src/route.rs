//! How one request finds its version through a reference. Pure.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::adapter::Version;
use crate::ids::{ModelRef, TenantId};

/// What a reference means now: the versions that share its requests, by their weights; never empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Route(Vec<(Version, u32)>);

impl Route {
    /// All requests to one version.
    pub(crate) fn only(version: Version) -> Self {
        Self(vec![(version, 1)])
    }

    /// `None` without versions.
    pub(crate) fn shared(versions: Vec<(Version, u32)>) -> Option<Self> {
        (!versions.is_empty()).then_some(Self(versions))
    }

    /// The version at a point of the circle of requests, on which each has an arc of its weight.
    pub(crate) fn pick(mut self, point: u64) -> Option<Version> {
        let total: u64 = self.0.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut at = ((u128::from(point) * u128::from(total)) >> 64) as u64;
        let chosen = self.0.iter().position(|(_, weight)| match at.checked_sub(u64::from(*weight)) {
            Some(rest) => {
                at = rest;
                false
            }
            None => true,
        })?;
        Some(self.0.swap_remove(chosen).0)
    }
}

/// Where a request is on that circle: requests with one key are at one point, those without a key anywhere.
pub(crate) fn point(tenant: TenantId, model: &ModelRef, key: Option<&str>) -> u64 {
    let Some(key) = key else { return rand::random() };
    let hash = Sha256::new()
        .chain_update(tenant.as_uuid().as_bytes())
        .chain_update(model.to_string().as_bytes())
        .chain_update([0])
        .chain_update(key.as_bytes())
        .finalize();
    hash.iter().take(8).fold(0, |point, byte| point << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use time::OffsetDateTime;

    use super::*;
    use crate::ids::{AdapterName, Digest};

    fn version(number: i64) -> Version {
        Version {
            adapter: AdapterName::parse("triage").unwrap(),
            number: number.try_into().unwrap(),
            digest: Digest::from_bytes([number as u8; 32]),
            bytes: 1,
            base_fingerprint: "base".to_owned(),
            disabled: None,
            created_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn route(weights: &[u32]) -> Route {
        let versions = weights.iter().zip(1..).map(|(weight, number)| (version(number), *weight)).collect();
        Route::shared(versions).unwrap()
    }

    fn picked(weights: &[u32], point: u64) -> u32 {
        route(weights).pick(point).unwrap().number.get()
    }

    proptest! {
        #[test]
        fn every_point_has_a_version(weights in prop::collection::vec(1u32..=1_000, 1..=8), point: u64) {
            let number = picked(&weights, point) as usize;
            prop_assert!((1..=weights.len()).contains(&number));
        }

        #[test]
        fn a_key_that_is_on_the_newcomer_stays_there_while_its_share_grows(point: u64, share in 1u32..50, more in 1u32..50) {
            if picked(&[100 - share, share], point) == 2 {
                prop_assert_eq!(picked(&[100 - share - more, share + more], point), 2);
            }
        }
    }

    #[test]
    fn shares_are_what_the_weights_say() {
        let (tenant, model) = (TenantId::generate(), ModelRef::parse("triage@prod").unwrap());
        let on_second = (0..10_000)
            .filter(|key| picked(&[9, 1], point(tenant, &model, Some(&format!("user-{key}")))) == 2)
            .count();
        assert!((850..1_150).contains(&on_second), "{on_second} of 10,000 keys");
        let ends = [0, u64::MAX].map(|point| picked(&[9, 1], point));
        assert_eq!(ends, [1, 2]);
    }

    #[test]
    fn a_key_has_one_point_for_one_tenant_and_alias() {
        let (acme, globex) = (TenantId::generate(), TenantId::generate());
        let (prod, beta) = (ModelRef::parse("a@prod").unwrap(), ModelRef::parse("a@beta").unwrap());
        let mine = point(acme, &prod, Some("user-1"));
        assert_eq!(mine, point(acme, &prod, Some("user-1")));
        let others = [point(globex, &prod, Some("user-1")), point(acme, &beta, Some("user-1"))];
        assert!(!others.contains(&mine) && point(acme, &prod, None) != point(acme, &prod, None));
    }
}
