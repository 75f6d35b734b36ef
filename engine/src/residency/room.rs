//! Room in the budget: whose turn it is, who makes way, and for whom others are held back.

use std::{collections::HashMap, sync::Arc};

use super::{Client, Digest, Entry, HeldBack, Residency, Waiter};
use crate::{
    error::AdapterRejection,
    lora::{codes, read},
    request::{AdapterFiles, CacheDomain},
    runner::ResidentAdapter,
    stats::Evictions,
};

/// The tenants that want adapters in this step, and the bytes that each one's take.
struct Shares {
    bytes: HashMap<CacheDomain, usize>,
    weights: HashMap<CacheDomain, u32>,
    budget: usize,
}

impl Shares {
    /// Whether a tenant with this many bytes more is above its part of the budget. Nobody is while alone.
    fn is_above(&self, client: Client, more: usize) -> bool {
        let bytes = self.bytes.get(&client.tenant).copied().unwrap_or(0) + more;
        let all: u64 = self.weights.values().map(|weight| u64::from(*weight)).sum();
        let all = if self.weights.contains_key(&client.tenant) {
            all
        } else {
            all + u64::from(client.weight.get())
        };
        bytes as u128 * u128::from(all) > self.budget as u128 * u128::from(client.weight.get())
    }
}

impl<A: ResidentAdapter> Residency<A> {
    /// The missing adapters: those that have waited too long for room, then those of tenants within their shares, then
    /// the others; by arrival.
    pub(super) fn by_urgency(&self) -> Vec<Digest> {
        let shares = self.shares();
        let mut order: Vec<_> = self
            .missing
            .iter()
            .map(|(digest, missing)| {
                let above = shares.is_above(missing.waiter.into(), missing.bytes.unwrap_or(0));
                (!self.is_starving(digest), above, missing.waiter.request, *digest)
            })
            .map(|(patient, above, request, digest)| ((patient, patient && above, request), digest))
            .collect();
        order.sort_unstable();
        order.into_iter().map(|(_, digest)| digest).collect()
    }

    /// The most bytes an adapter takes; looks at its file.
    pub(super) fn bytes_of(&self, files: &AdapterFiles) -> Result<usize, AdapterRejection> {
        let file = std::fs::metadata(&files.weights)
            .map_err(|error| read::unreadable("adapter_model.safetensors", &error))?;
        let bytes = self.loader.resident_bytes(file.len());
        match bytes <= self.budget {
            true => Ok(bytes),
            false => Err(too_large(bytes, self.budget)),
        }
    }

    /// Evicts until this many bytes fit; `false`, and nothing evicted in vain, when they cannot.
    pub(super) fn make_room(&mut self, waiter: Waiter, bytes: usize) -> bool {
        let mut excess = self.excess(bytes);
        if excess == 0 {
            return true;
        }
        let shares = self.shares();
        let within = !shares.is_above(waiter.into(), bytes);
        let mut candidates: Vec<((bool, bool, u64), usize, Digest)> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.is_idle())
            .map(|(digest, entry)| {
                let above = shares.is_above(entry.owner, 0);
                ((entry.wanted == self.tick, !above, entry.wanted), entry.bytes, *digest)
            })
            // What is wanted now stays, unless it was of use, its tenant has more than its share and the newcomer has not.
            .filter(|((wanted, not_above, _), _, digest)| {
                let foreign = self.entries[digest].owner.tenant != waiter.tenant;
                !wanted || (within && foreign && !not_above && !self.entries[digest].fresh)
            })
            .collect();
        if candidates.iter().map(|(_, bytes, _)| bytes).sum::<usize>() < excess {
            return false;
        }
        candidates.sort_unstable();
        for ((wanted, ..), bytes, digest) in candidates {
            if excess == 0 {
                break;
            }
            self.entries.remove(&digest);
            let Evictions { idle, share, .. } = &mut self.counts.evictions;
            *(if wanted { share } else { idle }) += 1;
            excess = excess.saturating_sub(bytes);
        }
        true
    }

    /// Names the adapters that are to make room for a request that has waited too long: those that are free first, then
    /// those of tenants above their shares, then those with the fewest holders.
    pub(super) fn hold_back(&mut self, waiter: Waiter, bytes: usize) {
        if self.held_back.as_ref().is_some_and(|held| held.after == waiter.request) {
            return;
        }
        let shares = self.shares();
        let mut order: Vec<_> = self
            .entries
            .iter()
            .map(|(digest, entry)| {
                let holders = entry.adapter.as_ref().map_or(usize::MAX, Arc::strong_count);
                let key = (!entry.is_idle(), !shares.is_above(entry.owner, 0), holders, entry.wanted);
                (key, entry.bytes, *digest)
            })
            .collect();
        order.sort_unstable();
        let mut excess = self.excess(bytes);
        let needed = order.into_iter().take_while(|(_, bytes, _)| {
            let take = excess > 0;
            excess = excess.saturating_sub(*bytes);
            take
        });
        let digests = needed.map(|(_, _, digest)| digest).collect();
        self.held_back = Some(HeldBack { after: waiter.request, digests });
    }

    fn excess(&self, bytes: usize) -> usize {
        let taken: usize = self.entries.values().map(|entry| entry.bytes).sum();
        (taken + bytes).saturating_sub(self.budget)
    }

    fn shares(&self) -> Shares {
        let mut shares = Shares { bytes: HashMap::new(), weights: HashMap::new(), budget: self.budget };
        for entry in self.entries.values() {
            *shares.bytes.entry(entry.owner.tenant).or_default() += entry.bytes;
            if entry.wanted == self.tick {
                shares.weights.insert(entry.owner.tenant, entry.owner.weight.get());
            }
        }
        for missing in self.missing.values() {
            shares.weights.insert(missing.waiter.tenant, missing.waiter.weight.get());
        }
        shares
    }
}

impl<A> Entry<A> {
    fn is_idle(&self) -> bool {
        self.adapter.as_ref().is_some_and(|adapter| Arc::strong_count(adapter) == 1)
    }
}

impl From<Waiter> for Client {
    fn from(waiter: Waiter) -> Self {
        Self { tenant: waiter.tenant, weight: waiter.weight }
    }
}

/// An adapter that no eviction could make room for.
pub(crate) fn too_large(bytes: usize, budget: usize) -> AdapterRejection {
    let message = format!(
        "the adapter takes up to {bytes} bytes in memory, and this server gives adapters {budget} in all; train a lower \
         rank or fewer modules, or ask the operator for more"
    );
    AdapterRejection::whole(codes::TOO_LARGE_FOR_MEMORY, message)
}
