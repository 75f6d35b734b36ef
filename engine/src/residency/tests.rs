//! Who makes room for whom, adapter by adapter.

use std::path::PathBuf;

use super::*;

const BYTES: usize = 100;

struct Plain;

impl ResidentAdapter for Plain {
    fn bytes(&self) -> usize {
        BYTES
    }
}

struct PlainLoader;

impl AdapterLoader for PlainLoader {
    type Adapter = Plain;

    fn load(&self, _: &AdapterFiles) -> Result<Plain, AdapterRejection> {
        Ok(Plain)
    }

    fn resident_bytes(&self, _: u64) -> usize {
        BYTES
    }
}

/// A residency, and requests by number: tenant and adapter.
struct Bench {
    residency: Residency<Plain>,
    file: tempfile::NamedTempFile,
    requests: Vec<(u64, u128, u8)>,
}

impl Bench {
    fn new(adapters: usize, patience: Duration) -> Self {
        let residency = Residency::new(adapters * BYTES, Arc::new(PlainLoader), Arc::new(|| ()));
        let file = tempfile::NamedTempFile::new().unwrap();
        Self { residency: residency.with_patience(patience), file, requests: Vec::new() }
    }

    /// Steps until no load is under way or could begin any more.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.residency.begin_step();
            assert!(self.residency.settle().is_empty());
            for &(request, tenant, adapter) in &self.requests {
                let waiter = Waiter { request, tenant: CacheDomain(tenant), weight: NonZeroU32::MIN };
                self.residency.want(&[adapter; 32], waiter).unwrap();
            }
            let weights: PathBuf = self.file.path().to_owned();
            let files = |request: u64| AdapterFiles {
                digest: [self.requests.iter().find(|wanted| wanted.0 == request).unwrap().2; 32],
                config: weights.clone(),
                weights: weights.clone(),
                pin: Arc::new(()),
            };
            let all: HashMap<u64, AdapterFiles> =
                self.requests.iter().map(|wanted| (wanted.0, files(wanted.0))).collect();
            let failed = self.residency.start_loads(|request| all.get(&request));
            assert!(failed.is_empty());
            self.residency.check_integrity().unwrap();
            if self.residency.loading() == 0 {
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        panic!("a load does not end");
    }

    fn resident(&self) -> Vec<u8> {
        let mut resident: Vec<u8> = self.residency.entries.keys().map(|digest| digest[0]).collect();
        resident.sort_unstable();
        resident
    }
}

#[test]
fn the_least_recently_wanted_goes_first_and_what_is_wanted_stays() {
    let mut bench = Bench::new(2, PATIENCE);
    for adapter in [1, 2, 1, 3] {
        bench.requests = vec![(u64::from(adapter), 1, adapter)];
        bench.settle();
    }
    assert_eq!(bench.resident(), [1, 3]);
    bench.requests = vec![(1, 1, 1), (3, 1, 3), (4, 1, 4)];
    bench.settle();
    assert_eq!(bench.resident(), [1, 3]);
    assert_eq!(bench.residency.stats().waits_for_room, 1);
}

#[test]
fn a_tenant_above_its_share_makes_room_for_one_within_it_and_not_the_other_way_round() {
    let mut bench = Bench::new(4, PATIENCE);
    bench.requests = (0..6).map(|n| (n, 1, n as u8)).collect();
    bench.settle();
    assert_eq!(bench.resident().len(), 4, "alone it fills everything");
    // What was loaded stays until something has begun with it, whoever else waits.
    bench.requests.extend((10..13).map(|n| (n, 2, n as u8)));
    bench.settle();
    assert_eq!(bench.resident(), [0, 1, 2, 3]);
    for adapter in 0..4 {
        assert!(bench.residency.take(&[adapter; 32], u64::from(adapter)).is_some());
    }
    // Then adapters that waiting requests of the first tenant want give way, up to the second's half.
    bench.settle();
    bench.settle();
    let second = bench.resident().into_iter().filter(|adapter| *adapter >= 10).count();
    assert_eq!((second, bench.resident().len()), (2, 4));
    for _ in 0..10 {
        bench.settle();
    }
    assert_eq!(
        bench.residency.stats().evictions,
        crate::stats::Evictions { idle: 0, share: 2, fault: 0 },
        "and then it stays so"
    );
    bench.requests.retain(|(_, tenant, _)| *tenant == 2);
    bench.settle();
    bench.settle();
    let second = bench.resident().into_iter().filter(|adapter| *adapter >= 10).count();
    assert_eq!(second, 3, "alone again, it may have more than half");
}

#[test]
fn one_that_waits_too_long_has_later_requests_held_back_until_there_is_room() {
    let mut bench = Bench::new(2, Duration::ZERO);
    bench.requests = vec![(0, 1, 0), (1, 1, 1)];
    bench.settle();
    let pins: Vec<_> = [0, 1].map(|n| bench.residency.get(&[n; 32], 1).cloned()).into();
    assert!(pins.iter().all(Option::is_some));
    bench.requests.extend([(5, 1, 7), (6, 1, 0), (7, 1, 1)]);
    bench.settle();
    bench.settle();
    let may_begin = |bench: &Bench, adapter, request| bench.residency.get(&[adapter; 32], request).is_some();
    let held: Vec<u8> = [0, 1].into_iter().filter(|adapter| !may_begin(&bench, *adapter, 6)).collect();
    assert_eq!(held.len(), 1, "as few as are needed");
    assert!(may_begin(&bench, held[0], 4), "who came before may begin");
    assert!(may_begin(&bench, 1 - held[0], 6), "with other adapters one may begin");
    // Those that ran before end; the later ones go on wanting theirs.
    drop(pins);
    bench.requests.retain(|(request, ..)| *request >= 5);
    bench.settle();
    assert!(may_begin(&bench, 7, 5), "{:?}", bench.resident());
}

/// What a device says that has no memory left.
struct RefusingLoader;

impl AdapterLoader for RefusingLoader {
    type Adapter = Plain;

    fn load(&self, _: &AdapterFiles) -> Result<Plain, AdapterRejection> {
        Err(AdapterRejection::whole(codes::NOT_LOADED, "the device is full; try again"))
    }

    fn resident_bytes(&self, _: u64) -> usize {
        BYTES
    }
}

#[test]
fn a_load_that_the_device_refuses_is_no_fault_of_the_adapter() {
    let mut residency = Residency::new(BYTES, Arc::new(RefusingLoader), Arc::new(|| ()));
    let file = tempfile::NamedTempFile::new().unwrap();
    let (config, weights) = (file.path().to_owned(), file.path().to_owned());
    let files = AdapterFiles { digest: [7; 32], config, weights, pin: Arc::new(()) };
    for attempt in 1..=2 {
        residency.begin_step();
        let waiter = Waiter { request: attempt, tenant: CacheDomain(1), weight: NonZeroU32::MIN };
        assert_eq!(residency.want(&files.digest, waiter), Ok(false), "it may be tried again");
        assert!(residency.start_loads(|_| Some(&files)).is_empty());
        let failed = std::iter::repeat_with(|| {
            std::thread::sleep(Duration::from_millis(1));
            residency.settle()
        })
        .find(|failed| !failed.is_empty());
        let (_, rejection) = &failed.unwrap()[0];
        assert_eq!(rejection.code, codes::NOT_LOADED);
        let stats = residency.stats();
        assert_eq!((stats.load_failures, stats.resident, stats.disabled.len()), (attempt, 0, 0));
    }
}
