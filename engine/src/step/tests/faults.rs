//! Faults stay small: one adapter's, one request's, never the engine's.

use super::{
    fake::{self, Asked, Bench, Outcome, Reader, answer_of},
    *,
};

fn with_adapter(adapter: usize) -> Asked {
    Asked { prompt: vec![1, 2, 3], adapter: Some(adapter), most: 8, ..Asked::default() }
}

fn code(reader: &mut Reader) -> &'static str {
    match reader.error() {
        Some(EngineError::Adapter(refused)) => refused.code,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_adapter_whose_logits_are_no_numbers_goes_out_of_service_and_nobody_elses_tokens_change() {
    let mut bench = Bench::new(128, 32);
    let others: Vec<_> = [Some(0), Some(1), None]
        .map(|adapter| Asked { adapter, ..with_adapter(0) })
        .into_iter()
        .map(|asked| (bench.ask(&asked), asked))
        .collect();
    bench.step_or_wait();
    let mut present = [bench.ask(&with_adapter(fake::NAN)), bench.ask(&with_adapter(fake::NAN))];
    bench.run_until_idle();
    for reader in &mut present {
        assert_eq!(code(reader), codes::DISABLED);
    }
    for (mut reader, asked) in others {
        assert_eq!(reader.read().1, answer_of(&asked));
    }
    let mut later = bench.ask(&with_adapter(fake::NAN));
    assert_eq!(bench.step(), Progress::Idle, "refused within one step, without a load");
    assert_eq!(code(&mut later), codes::DISABLED);
    assert_eq!(bench.loads(fake::NAN), 1);
    let stats = bench.stepper.stats();
    assert_eq!(stats.adapters.disabled.len(), 1);
    assert!(stats.adapters.disabled[0].reason.contains("NaN"), "{:?}", stats.adapters.disabled);
    assert_eq!(stats.kv_blocks_free, stats.kv_blocks);
    bench.stepper.enable(&[fake::NAN as u8; 32]);
    assert!(bench.stepper.stats().adapters.disabled.is_empty());
    let mut again = bench.ask(&with_adapter(fake::NAN));
    bench.run_until_idle();
    assert_eq!((code(&mut again), bench.loads(fake::NAN)), (codes::DISABLED, 2));
}

#[test]
fn whoever_tries_an_adapter_is_told_what_it_does_and_it_keeps_no_memory() {
    let mut bench = Bench::new(128, 32);
    let mut trial = bench.ask(&Asked { trial: true, ..with_adapter(fake::NAN) });
    let mut beside = bench.ask(&with_adapter(fake::NAN));
    let fine = with_adapter(0);
    let mut reader = bench.ask(&fine);
    bench.run_until_idle();
    assert_eq!(code(&mut trial), codes::NOT_FINITE);
    assert_eq!(code(&mut beside), codes::DISABLED);
    assert_eq!(reader.read().1, answer_of(&fine));
    let adapters = bench.stepper.stats().adapters;
    assert_eq!((adapters.resident, adapters.bytes, adapters.disabled.len()), (1, fake::ADAPTER_BYTES, 1));
    let mut again = bench.ask(&Asked { trial: true, ..with_adapter(fake::NAN) });
    bench.run_until_idle();
    assert_eq!(code(&mut again), codes::DISABLED);
}

#[test]
fn the_base_models_logits_that_are_no_numbers_end_their_own_request_alone() {
    let mut bench = Bench::new(64, 32);
    let mut victim = bench.ask(&Asked { prompt: vec![fake::NAN_TOKEN], most: 3, ..Asked::default() });
    let fine = with_adapter(0);
    let mut reader = bench.ask(&fine);
    bench.run_until_idle();
    assert!(matches!(victim.error(), Some(EngineError::NotFinite { position: 1 })));
    assert_eq!(reader.read().1, answer_of(&fine));
    assert!(bench.stepper.stats().adapters.disabled.is_empty());
}

#[test]
fn a_load_that_fails_ends_its_own_requests_alone() {
    let mut bench = Bench::new(64, 32);
    let mut ask = |adapter| bench.ask(&with_adapter(adapter));
    let (mut broken, mut panics, mut changed) = (ask(fake::BROKEN), ask(fake::PANICS), ask(fake::CHANGED));
    let mut reader = ask(0);
    bench.run_until_idle();
    assert_eq!(code(&mut broken), "broken");
    assert_eq!(code(&mut panics), codes::DISABLED);
    assert_eq!(code(&mut changed), codes::DISABLED);
    assert_eq!(reader.read().1, answer_of(&with_adapter(0)));
    let adapters = bench.stepper.stats().adapters;
    assert_eq!((adapters.load_failures, adapters.loads, adapters.resident), (3, 1, 1));
    assert_eq!(adapters.disabled.len(), 2, "what may be better next time is not out of service");
}

#[test]
fn a_deadline_ends_whatever_is_unfinished_and_frees_it_within_one_step() {
    let mut bench = Bench::new(64, 32);
    let late =
        |adapter| Asked { most: 300, deadline: Some(Duration::from_millis(30)), ..with_adapter(adapter) };
    let mut running = bench.ask(&Asked { adapter: None, ..late(0) });
    bench.step();
    let mut waiting: Vec<Reader> = (0..9).map(|_| bench.ask(&late(1))).collect();
    bench.step_or_wait();
    let fine = with_adapter(0);
    let mut reader = bench.ask(&fine);
    std::thread::sleep(Duration::from_millis(35));
    bench.step();
    for late in waiting.iter_mut().chain([&mut running]) {
        assert!(matches!(late.outcome().1, Outcome::Failed(EngineError::DeadlineExceeded)));
    }
    let stats = bench.stepper.stats();
    assert_eq!((stats.late, stats.waiting + stats.running), (10, 1));
    bench.run_until_idle();
    assert_eq!(reader.read().1, answer_of(&fine));
    assert_eq!(bench.stepper.stats().kv_blocks_free, 64);
}
