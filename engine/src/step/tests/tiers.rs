//! Adapters in memory: one load each, turns when there are more than fit, nobody passed over for ever, shares.

use super::{
    fake::{self, ADAPTER_BYTES, ADAPTERS, Asked, Bench, Outcome, Reader, Setup, answer_of},
    *,
};

/// A request of a tenant with an adapter, different from all others.
fn asked(tenant: u128, adapter: usize, number: usize) -> Asked {
    let prompt = vec![1 + number as u32 % 90, 1 + (number as u32 / 90) % 90];
    Asked { prompt, tenant, adapter: Some(adapter), most: 6, ..Asked::default() }
}

#[test]
fn more_adapters_than_memory_take_turns() {
    let mut bench = Bench::with_adapter_bytes(256, 64, 2 * fake::ADAPTER_BYTES);
    let readers: Vec<_> = (0..3 * ADAPTERS)
        .map(|index| {
            let adapter = Some(index % ADAPTERS);
            let asked = Asked { prompt: vec![index as u32 + 1], adapter, most: 6, ..Asked::default() };
            (bench.ask(&asked), answer_of(&asked))
        })
        .collect();
    bench.run_until_idle();
    assert!(bench.stepper.stats().adapters.bytes <= 2 * fake::ADAPTER_BYTES);
    for (mut reader, expected) in readers {
        assert_eq!(reader.read().1, expected);
    }
}

#[test]
fn an_adapter_is_loaded_once_for_all_who_wait_and_found_by_who_comes_later() {
    let mut bench = Bench::new(256, 64);
    let waiting: Vec<_> = (0..10).map(|number| bench.ask(&asked(1, 0, number))).collect();
    bench.run_until_idle();
    let _later = bench.ask(&asked(1, 0, 11));
    bench.run_until_idle();
    drop(waiting);
    let adapters = bench.stepper.stats().adapters;
    assert_eq!((bench.loads(0), adapters.loads, adapters.misses, adapters.hits), (1, 1, 10, 1));
    assert_eq!(
        (adapters.evictions, adapters.waits_for_room, adapters.waiting),
        (crate::stats::Evictions::default(), 0, 0)
    );
}

/// One step, which does not count while a load's thread is still at work: the fake's steps take no time.
fn step_beside_loads(bench: &mut Bench) -> usize {
    bench.step();
    let loading = bench.stepper.stats().adapters.loading > 0;
    if loading {
        std::thread::sleep(Duration::from_millis(1));
    }
    usize::from(!loading)
}

/// Two tenants keep the only two adapters that fit busy without a pause, while a third one wants another. Returns
/// after how many steps it had its answer.
fn steps_until_the_third_is_answered(patience: Duration) -> Option<usize> {
    let setup = Setup { blocks: 400, adapter_bytes: 2 * ADAPTER_BYTES, patience, ..Setup::default() };
    let mut bench = setup.start();
    let mut busy: [Vec<Reader>; 2] = [Vec::new(), Vec::new()];
    let mut third = None;
    let mut step = 0;
    while step < 3000 {
        for (adapter, readers) in busy.iter_mut().enumerate() {
            readers.retain_mut(|reader| matches!(reader.outcome().1, Outcome::Open));
            while readers.len() < 3 {
                let number = 10 * step + readers.len();
                readers.push(bench.ask(&asked(1, adapter, number)));
            }
        }
        step += step_beside_loads(&mut bench);
        if step >= 200 && third.is_none() {
            third = Some(bench.ask(&asked(1, 2, 7)));
        }
        if let Some(third) = &mut third
            && matches!(third.outcome().1, Outcome::Done)
        {
            return Some(step - 200);
        }
    }
    None
}

#[test]
fn nobody_is_passed_over_for_ever_because_his_adapter_is_not_there() {
    assert_eq!(steps_until_the_third_is_answered(Duration::from_secs(3600)), None, "else this shows nothing");
    let steps = steps_until_the_third_is_answered(Duration::ZERO);
    assert!(steps.is_some_and(|steps| steps < 200), "{steps:?}");
}

#[test]
fn one_with_many_adapters_leaves_others_their_share_of_memory() {
    let setup = Setup { blocks: 400, sequences: 2, adapter_bytes: 4 * ADAPTER_BYTES, ..Setup::default() };
    let mut bench = setup.start();
    let many: Vec<Reader> = (0..60).map(|number| bench.ask(&asked(1, 20 + number % 15, number))).collect();
    let mut steps = 0;
    while steps < 40 {
        steps += step_beside_loads(&mut bench);
    }
    assert_eq!(bench.stepper.stats().adapters.bytes, 4 * ADAPTER_BYTES, "alone it fills everything");
    let mut others = vec![bench.ask(&asked(2, 0, 1)), bench.ask(&asked(2, 1, 2))];
    let mut steps = 0;
    while !others.is_empty() {
        steps += step_beside_loads(&mut bench);
        others.retain_mut(|reader| !matches!(reader.outcome().1, Outcome::Done));
        assert!(steps < 60, "the other one waits behind {:?}", bench.stepper.stats());
    }
    let waiting = bench.stepper.stats().waiting;
    assert!(waiting > 10, "{waiting} wait: the other one had its share before the first was through");
    drop(many);
}
