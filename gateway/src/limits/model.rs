//! Random interleavings of reservations, settlements and time, against a model that keeps every request and adds up.

use proptest::prelude::*;
use uuid::Uuid;

use super::{
    contract::rig::{LONGEST, Rig},
    *,
};

const SUBJECTS: usize = 3;

#[derive(Debug, Clone)]
enum Step {
    /// Of these subjects (a bit each), so many tokens.
    Reserve {
        subjects: u8,
        tokens: u64,
    },
    /// The open one at this place ends, with so many percent of its estimate.
    Settle {
        which: usize,
        percent: u64,
    },
    Drop {
        which: usize,
    },
    /// Milliseconds.
    Advance(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1_u8..8, 0_u64..60).prop_map(|(subjects, tokens)| Step::Reserve { subjects, tokens }),
        2 => (any::<usize>(), 0_u64..=100).prop_map(|(which, percent)| Step::Settle { which, percent }),
        1 => any::<usize>().prop_map(|which| Step::Drop { which }),
        2 => prop_oneof![0_u64..3000, 0_u64..30_000, 55_000_u64..65_000].prop_map(Step::Advance),
    ]
}

fn limits() -> impl Strategy<Value = Limits> {
    let some = |range: std::ops::Range<u64>| proptest::option::weighted(0.7, range);
    (some(0..6), some(0..150), some(0..4), some(0..500)).prop_map(|(requests, tokens, places, month)| {
        Limits {
            requests_per_minute: requests,
            tokens_per_minute: tokens,
            concurrent_requests: places,
            monthly_tokens: month,
        }
    })
}

/// A request that was let through.
struct Entry {
    subjects: Vec<usize>,
    began_ms: u64,
    free_ms: u64,
    tokens: u64,
    held: Option<Reservation>,
}

#[derive(Default)]
struct Model {
    entries: Vec<Entry>,
}

/// Used by a subject: requests, tokens, places, the month's tokens.
type Used = [u64; 4];

impl Model {
    fn of(&self, subject: usize) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.subjects.contains(&subject))
    }

    fn used(&self, subject: usize, now_ms: u64) -> Used {
        let counts = |entry: &&Entry| entry.began_ms / 1000 + 60 >= now_ms / 1000;
        let runs = |entry: &&Entry| entry.held.is_some() && entry.free_ms > now_ms;
        [
            self.of(subject).filter(counts).count() as u64,
            self.of(subject).filter(counts).map(|entry| entry.tokens).sum(),
            self.of(subject).filter(runs).count() as u64,
            self.of(subject).map(|entry| entry.tokens).sum(),
        ]
    }

    fn admits(&self, subjects: &[Subject], chosen: &[usize], tokens: u64, now_ms: u64) -> bool {
        chosen.iter().all(|&index| {
            let used = self.used(index, now_ms);
            let within = |limit: Option<u64>, total: u64| limit.is_none_or(|limit| total <= limit);
            let limits = &subjects[index].limits;
            within(limits.requests_per_minute, used[0] + 1)
                && within(limits.tokens_per_minute, used[1] + tokens)
                && within(limits.concurrent_requests, used[2] + 1)
                && within(limits.monthly_tokens, used[3] + tokens)
        })
    }

    /// The promise itself: whichever 60 seconds end with a request.
    fn check_windows(&self, subjects: &[Subject]) {
        for (index, subject) in subjects.iter().enumerate() {
            for last in self.of(index) {
                let within: Vec<&Entry> = self
                    .of(index)
                    .filter(|entry| {
                        entry.began_ms <= last.began_ms && last.began_ms - entry.began_ms < 60_000
                    })
                    .collect();
                let tokens: u64 = within.iter().map(|entry| entry.tokens).sum();
                assert!(subject.limits.requests_per_minute.is_none_or(|limit| within.len() as u64 <= limit));
                assert!(subject.limits.tokens_per_minute.is_none_or(|limit| tokens <= limit));
            }
        }
    }

    fn open(&mut self, which: usize) -> Option<&mut Entry> {
        let open = self.entries.iter_mut().filter(|entry| entry.held.is_some());
        let mut open: Vec<_> = open.collect();
        let count = open.len();
        (count > 0).then(|| open.swap_remove(which % count))
    }
}

/// A subject that has no limit of a kind is not charged of it in the limiter; the model does not look there either.
async fn compare(rig: &Rig, model: &Model, subjects: &[Subject]) {
    for (index, subject) in subjects.iter().enumerate() {
        let used = model.used(index, rig.now_ms());
        let standing = rig.limiter.standing(subject).await;
        let limits = &subject.limits;
        for (meter, limit, used) in [
            (standing.requests, limits.requests_per_minute, used[0]),
            (standing.tokens, limits.tokens_per_minute, used[1]),
            (standing.concurrent_requests, limits.concurrent_requests, used[2]),
            (standing.monthly_tokens, limits.monthly_tokens, used[3]),
        ] {
            let left = meter.map(|meter| (meter.limit, meter.remaining));
            assert_eq!(left, limit.map(|limit| (limit, limit.saturating_sub(used))), "{limits:?}");
        }
    }
}

async fn run(rig: &Rig, limits: &[Limits], steps: &[Step]) {
    let kind = SubjectKind::Tenant;
    let subjects: Vec<Subject> =
        limits.iter().map(|limits| Subject { id: Uuid::new_v4(), kind, limits: *limits }).collect();
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Reserve { subjects: bits, tokens } => {
                let chosen: Vec<usize> = (0..SUBJECTS).filter(|index| bits & (1 << index) != 0).collect();
                let asked: Vec<Subject> = chosen.iter().map(|&index| subjects[index]).collect();
                let expected = model.admits(&subjects, &chosen, *tokens, rig.now_ms());
                let held = rig.reserve(&asked, *tokens).await;
                assert_eq!(held.is_ok(), expected, "{step:?}: {:?}", held.err());
                if let Ok(held) = held {
                    let began_ms = rig.now_ms();
                    let free_ms = began_ms + LONGEST.as_millis() as u64;
                    let entry =
                        Entry { subjects: chosen, began_ms, free_ms, tokens: *tokens, held: Some(held) };
                    model.entries.push(entry);
                }
            }
            Step::Settle { which, percent } => {
                if let Some(entry) = model.open(*which) {
                    entry.tokens = entry.tokens * percent / 100;
                    rig.settle(entry.held.take().expect("open"), entry.tokens).await;
                }
            }
            Step::Drop { which } => {
                if let Some(entry) = model.open(*which) {
                    entry.tokens = 0;
                    rig.drop(entry.held.take().expect("open")).await;
                }
            }
            Step::Advance(ms) => rig.advance(*ms),
        }
        compare(rig, &model, &subjects).await;
    }
    model.check_windows(&subjects);
}

fn block_on(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(test);
}

proptest! {
    #[test]
    fn in_memory(
        limits in proptest::collection::vec(limits(), SUBJECTS),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        block_on(async { run(&Rig::memory(), &limits, &steps).await });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn in_redis(
        limits in proptest::collection::vec(limits(), SUBJECTS),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        block_on(async {
            if let Some(rig) = Rig::redis().await {
                run(&rig, &limits, &steps).await;
                assert_eq!(rig.limiter.stats(), LimiterStats::default());
                rig.close().await;
            }
        });
    }
}
