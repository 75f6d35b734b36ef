//! Which server answers a request. Pure.
//!
//! Rendezvous hashing (Thaler and Ravishankar, 1998) gives each adapter an order of the servers that changes for it alone
//! when one comes or goes: it stays warm on the first ones. Load is bounded as in "Consistent Hashing with Bounded Loads"
//! (Mirrokni, Thorup and Zadimoghaddam, 2016): a server takes at most 5/4 of the mean, so that a hot adapter spreads to the
//! next servers in its order. A server with few requests counts as free: a batch has room for them.

use sha2::{Digest as _, Sha256};

use crate::names::Digest;

/// Requests that a server takes whatever the others have.
const FREE: usize = 8;

/// A server as the router sees it.
#[derive(Debug, Clone)]
pub(crate) struct Candidate {
    /// Stays the same for as long as the server has its address.
    pub(crate) id: u64,
    /// Whether it may be asked.
    pub(crate) open: bool,
    /// Requests that run or wait there.
    pub(crate) load: usize,
    /// Whether its KV blocks are all but used up.
    pub(crate) full: bool,
}

/// The place of the server that is to answer; `None` = none may be asked.
pub(crate) fn choose(adapter: Option<&Digest>, servers: &[Candidate]) -> Option<usize> {
    let bound = bound(servers);
    let fits = |server: &Candidate| server.load < bound && !server.full;
    let open = || (0..servers.len()).filter(|&at| servers[at].open);
    let by_load = |at: &usize| (servers[*at].full, servers[*at].load, servers[*at].id);
    let Some(adapter) = adapter else { return open().min_by_key(by_load) };
    let warmest = open().filter(|&at| fits(&servers[at]));
    let warmest = warmest.max_by_key(|&at| score(adapter, servers[at].id));
    // All are at their bound when all are full: then the least loaded.
    warmest.or_else(|| open().min_by_key(by_load))
}

/// The load from which on a server gets no more, as long as another has less.
fn bound(servers: &[Candidate]) -> usize {
    let open = servers.iter().filter(|server| server.open);
    let (count, load) = open.fold((0, 0), |(count, load), server| (count + 1, load + server.load));
    let with_this = load + 1;
    // 5/4 of the mean, rounded up.
    FREE.max((5 * with_this).div_ceil(4 * count.max(1)))
}

/// A server's place in an adapter's order: the highest first.
fn score(adapter: &Digest, server: u64) -> u64 {
    number(Sha256::new().chain_update(server.to_le_bytes()).chain_update(adapter))
}

/// What a server is known by.
pub(crate) fn id_of(address: &str) -> u64 {
    number(Sha256::new_with_prefix(address))
}

fn number(hash: Sha256) -> u64 {
    hash.finalize()[..8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet, HashMap};

    use proptest::prelude::*;

    use super::*;

    fn servers(ids: impl IntoIterator<Item = u64>) -> Vec<Candidate> {
        ids.into_iter().map(|id| Candidate { id, open: true, load: 0, full: false }).collect()
    }

    fn adapter(number: u32) -> Digest {
        Sha256::digest(number.to_le_bytes()).into()
    }

    #[test]
    fn adapters_spread_evenly_over_servers() {
        let servers = servers(1..=8);
        let mut count = [0; 8];
        (0..8_000).for_each(|number| count[choose(Some(&adapter(number)), &servers).unwrap()] += 1);
        assert!(count.iter().all(|count| (850..1_150).contains(count)), "{count:?}");
    }

    #[test]
    fn little_moves_when_a_server_comes_or_goes() {
        let home =
            |servers: &[Candidate], number| servers[choose(Some(&adapter(number)), servers).unwrap()].id;
        let (nine, ten) = (servers(1..=9), servers(1..=10));
        let moved: Vec<_> = (0..10_000).filter(|n| home(&nine, *n) != home(&ten, *n)).collect();
        // A tenth is the new one's share, and nothing moves between the old ones.
        assert!((850..1_150).contains(&moved.len()), "{}", moved.len());
        assert!(moved.iter().all(|number| home(&ten, *number) == 10));
    }

    #[test]
    fn a_hot_adapter_spreads_no_further_than_it_must() {
        let mut servers = servers(1..=10);
        let mut used = BTreeSet::new();
        for _ in 0..FREE {
            let at = choose(Some(&adapter(1)), &servers).unwrap();
            servers[at].load += 1;
            used.insert(at);
        }
        assert_eq!(used.len(), 1, "a batch has room for a few");
        for _ in FREE..40 {
            let at = choose(Some(&adapter(1)), &servers).unwrap();
            servers[at].load += 1;
            used.insert(at);
        }
        assert_eq!(used.len(), 5, "8 each");
    }

    #[test]
    fn steady_traffic_does_not_wander() {
        // 30 adapters with three requests each at a time, over and over: each is answered where it was before.
        let mut servers = servers(1..=4);
        let mut homes: HashMap<u32, BTreeSet<u64>> = HashMap::new();
        let mut running: Vec<usize> = Vec::new();
        for turn in 0..20 {
            for number in (0..30).flat_map(|number| [number; 3]) {
                // What ran longest ends when the next comes.
                if running.len() >= 24 {
                    let ended = running.remove(0);
                    servers[ended].load -= 1;
                }
                let at = choose(Some(&adapter(number)), &servers).unwrap();
                servers[at].load += 1;
                running.push(at);
                if turn > 0 {
                    homes.entry(number).or_default().insert(servers[at].id);
                }
            }
        }
        let mean = homes.values().map(BTreeSet::len).sum::<usize>() as f64 / homes.len() as f64;
        assert!(mean < 1.5, "{mean} servers for each adapter");
    }

    #[test]
    fn a_closed_server_is_not_asked_and_a_full_one_last() {
        let mut two = servers([1, 2]);
        let first = choose(Some(&adapter(7)), &two).unwrap();
        two[first].full = true;
        assert_eq!(choose(Some(&adapter(7)), &two), Some(1 - first));
        assert_eq!(choose(None, &two), Some(1 - first));
        two[1 - first].open = false;
        assert_eq!(choose(Some(&adapter(7)), &two), Some(first), "better full than not at all");
        two[first].open = false;
        assert_eq!((choose(Some(&adapter(7)), &two), choose(None, &two)), (None, None));
    }

    proptest! {
        /// Whatever is asked for and whatever ends, no server is given a request while it has 5/4 of the mean (and more than
        /// a few), if another has not.
        #[test]
        fn the_load_is_bounded(
            count in 1..12_u64,
            steps in prop::collection::vec((any::<u8>(), any::<bool>(), any::<u8>()), 1..600),
        ) {
            let mut servers = servers(1..=count);
            for (adapter_number, ends, which) in steps {
                let which = usize::from(which) % servers.len();
                if ends {
                    servers[which].load = servers[which].load.saturating_sub(1);
                    continue;
                }
                let at = choose(Some(&adapter(u32::from(adapter_number % 5))), &servers).unwrap();
                servers[at].load += 1;
                let all: usize = servers.iter().map(|server| server.load).sum();
                let most = FREE.max((5 * all).div_ceil(4 * servers.len()));
                prop_assert!(servers[at].load <= most, "{} of {all} on {count}", servers[at].load);
            }
        }

        /// The order in which servers are listed is no matter.
        #[test]
        fn every_gateway_chooses_alike(number in any::<u32>(), loads in prop::collection::vec(0..40_usize, 2..8)) {
            let mut there: Vec<_> = servers(1..=loads.len() as u64);
            there.iter_mut().zip(&loads).for_each(|(server, load)| server.load = *load);
            let mut back: Vec<_> = there.clone();
            back.reverse();
            let ids: BTreeMap<_, _> = [("there", &there), ("back", &back)]
                .map(|(name, servers)| (name, servers[choose(Some(&adapter(number)), servers).unwrap()].id))
                .into();
            prop_assert_eq!(ids["there"], ids["back"]);
        }
    }
}
