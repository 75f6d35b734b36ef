//! Random arrivals, cancels, slow readers and full pools: nothing leaks, nobody starves, nobody's answer changes.

mod fairness;
mod faults;
mod tiers;

mod fake;

use proptest::prelude::*;

use self::fake::{ADAPTERS, Asked, Bench, Outcome, Reader, Setup, answer_of};
use super::*;
use crate::request::{Event, FinishReason};

#[test]
fn an_answer_is_the_runners_tokens_and_ends_with_its_sum() {
    let mut bench = Bench::new(64, 32);
    let asked = Asked { prompt: vec![3, 4, 5], adapter: Some(0), most: 4, ..Asked::default() };
    let mut reader = bench.ask(&asked);
    bench.run_until_idle();
    let (events, tokens) = reader.read();
    assert_eq!(tokens, answer_of(&asked));
    assert!(matches!(events[events.len() - 2], Event::Finished { choice: 0, reason: FinishReason::Length }));
    let Some(Event::Done(usage)) = events.last() else { panic!("{events:?}") };
    assert_eq!((usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens), (3, 4, 0));
}

#[test]
fn decoding_goes_on_while_a_long_prompt_is_prefilled_in_chunks() {
    let mut bench = Bench::new(256, 16);
    let mut short = bench.ask(&Asked { prompt: vec![1, 2], most: 60, ..Asked::default() });
    bench.step();
    let mut long = bench.ask(&Asked { prompt: vec![7; 150], most: 1, ..Asked::default() });
    let mut steps = 0;
    while long.read().1.is_empty() {
        assert_eq!(bench.step(), Progress::Worked);
        assert_eq!(short.read().1.len(), if steps == 0 { 2 } else { 1 }, "one token in every step");
        steps += 1;
    }
    assert_eq!(steps, 10, "150 rows, 15 in each step");
}

#[test]
fn different_adapters_and_none_share_a_step() {
    let mut bench = Bench::new(256, 64);
    for adapter in 0..ADAPTERS {
        let _warm = bench.ask(&Asked { adapter: Some(adapter), ..Asked::default() });
        bench.run_until_idle();
    }
    let readers: Vec<_> = (0..ADAPTERS)
        .map(Some)
        .chain([None])
        .map(|adapter| {
            let asked = Asked { prompt: vec![9, 9], adapter, most: 5, ..Asked::default() };
            (bench.ask(&asked), answer_of(&asked))
        })
        .collect();
    bench.run_until_idle();
    assert_eq!(bench.stepper.stats().largest_mix, ADAPTERS + 1);
    for (mut reader, expected) in readers {
        assert_eq!(reader.read().1, expected);
    }
}

#[test]
fn a_dropped_stream_frees_everything_within_one_step() {
    let mut bench = Bench::new(16, 32);
    let reader = bench.ask(&Asked { prompt: vec![5; 40], adapter: Some(1), most: 50, ..Asked::default() });
    // Its adapter's load takes its time.
    for _ in 0..2_000 {
        bench.step_or_wait();
        if bench.stepper.stats().kv_blocks_free < 16 {
            break;
        }
    }
    assert!(bench.stepper.stats().kv_blocks_free < 16);
    drop(reader);
    assert_eq!(bench.step(), Progress::Idle);
    let stats = bench.stepper.stats();
    assert_eq!((stats.kv_blocks_free, stats.running, stats.waiting), (16, 0, 0));
}

#[test]
fn a_reader_who_sleeps_pauses_its_own_answer_alone() {
    let mut bench = Bench::new(128, 32);
    let mut sleeper = bench.ask(&Asked { prompt: vec![1], most: 400, ..Asked::default() });
    let mut reader = bench.ask(&Asked { prompt: vec![2], most: 200, ..Asked::default() });
    let mut read = 0;
    for _ in 0..300 {
        bench.step();
        read += reader.read().1.len();
    }
    assert_eq!(read, 200);
    assert_eq!(bench.step(), Progress::Waiting, "its channel is full");
    let mut slept = sleeper.read().1;
    assert!(slept.len() < 200, "{}", slept.len());
    while bench.step() == Progress::Worked {
        slept.extend(sleeper.read().1);
    }
    slept.extend(sleeper.read().1);
    assert_eq!(slept, answer_of(&Asked { prompt: vec![1], most: 400, ..Asked::default() }));
}

#[test]
fn a_prompt_is_computed_once_for_its_tenant_and_adapter_alone() {
    let mut bench = Bench::new(256, 64);
    let prompt: Vec<u32> = (1..40).collect();
    let cached = |bench: &mut Bench, tenant, adapter| {
        let mut reader =
            bench.ask(&Asked { prompt: prompt.clone(), tenant, adapter, most: 1, ..Asked::default() });
        bench.run_until_idle();
        let Some(Event::Done(usage)) = reader.read().0.pop() else { panic!("no end") };
        usage.cached_tokens
    };
    assert_eq!(cached(&mut bench, 1, Some(0)), 0);
    assert_eq!(cached(&mut bench, 1, Some(0)), 36);
    assert_eq!(cached(&mut bench, 2, Some(0)), 0, "another tenant");
    assert_eq!(cached(&mut bench, 1, Some(1)), 0, "another adapter");
    assert_eq!(cached(&mut bench, 1, None), 0, "no adapter");
}

#[test]
fn several_answers_share_their_prompt() {
    let mut bench = Bench::new(256, 64);
    let asked = Asked { prompt: (1..40).collect(), most: 3, choices: 4, ..Asked::default() };
    let mut reader = bench.ask(&asked);
    bench.run_until_idle();
    let (events, _) = reader.read();
    let Some(Event::Done(usage)) = events.last() else { panic!("{events:?}") };
    assert_eq!((usage.prompt_tokens, usage.completion_tokens), (39, 12));
    let ended = events.iter().filter(|event| matches!(event, Event::Finished { .. })).count();
    assert_eq!(ended, 4);
    assert!(bench.rows() < 39 + 3 * (39 - 36) + 12 + 1, "{} rows: the prompt once", bench.rows());
}

#[test]
fn a_runner_that_panics_ends_the_step_and_not_the_engine() {
    let mut bench = Bench::new(64, 32);
    let mut victim = bench.ask(&Asked { prompt: vec![fake::FATAL_TOKEN], ..Asked::default() });
    bench.run_until_idle();
    assert!(matches!(victim.error(), Some(EngineError::Fault(_))));
    let fine = Asked { prompt: vec![1], most: 3, ..Asked::default() };
    let mut reader = bench.ask(&fine);
    bench.run_until_idle();
    assert_eq!(reader.read().1, answer_of(&fine));
}

/// One arrival: steps before it, prompt, answer, adapter, fate, tenant, weight.
type Arrival = (usize, usize, u32, usize, u8, u128, u32);

/// What may happen to it, beside an answer.
fn may_fail(asked: &Asked, error: &EngineError) -> bool {
    match (error, asked.adapter) {
        (EngineError::DeadlineExceeded, _) => asked.deadline.is_some(),
        (EngineError::Adapter(refused), Some(fake::BROKEN)) => refused.code == "broken",
        (EngineError::Adapter(refused), Some(fake::NAN)) if asked.trial => {
            [codes::DISABLED, codes::NOT_FINITE].contains(&refused.code)
        }
        (EngineError::Adapter(refused), Some(fake::NAN | fake::PANICS | fake::CHANGED)) => {
            refused.code == codes::DISABLED
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(80))]
    #[test]
    fn whatever_comes_everybody_is_answered_as_if_alone_and_nothing_leaks(
        arrivals in proptest::collection::vec(
            (0usize..6, 1usize..50, 1u32..12, 0usize..18, 0u8..10, 0u128..4, 1u32..4), 1..40,
        ),
        blocks in 18usize..60,
        rows in 3usize..24,
        adapters_in_memory in 1usize..4,
        patience_ms in 0u64..4,
    ) {
        let mut bench = Setup {
            blocks,
            rows,
            adapter_bytes: adapters_in_memory * fake::ADAPTER_BYTES,
            patience: Duration::from_millis(patience_ms),
            ..Setup::default()
        }
        .start();
        let mut kept: Vec<(Reader, Asked)> = Vec::new();
        for (pause, length, most, adapter, fate, tenant, weight) in arrivals as Vec<Arrival> {
            for _ in 0..pause {
                bench.step_or_wait();
            }
            let asked = Asked {
                prompt: (0..length as u32).map(|t| 1 + t % 7).collect(),
                tenant,
                adapter: (adapter < 14 && !(5..10).contains(&adapter)).then_some(adapter),
                most,
                choices: 1 + u32::from(fate == 1),
                weight,
                deadline: (fate == 2).then_some(Duration::from_millis(2)),
                trial: fate == 6,
            };
            kept.push((bench.ask(&asked), asked));
            // Some hang up at once, some after a while, and somebody puts a faulty adapter back.
            match fate {
                3 => drop(kept.pop()),
                4 => drop(kept.swap_remove(0)),
                5 => bench.stepper.enable(&[fake::NAN as u8; 32]),
                _ => {}
            }
        }
        bench.run_until_idle();
        for (mut reader, asked) in kept {
            let (tokens, outcome) = reader.outcome();
            let whole = answer_of(&asked);
            match outcome {
                Outcome::Done if asked.choices == 1 => prop_assert_eq!(tokens, whole),
                Outcome::Done => {}
                Outcome::Failed(error) => {
                    prop_assert!(may_fail(&asked, &error), "{asked:?}: {error}");
                    prop_assert!(asked.choices > 1 || whole.starts_with(&tokens), "{tokens:?} of {whole:?}");
                }
                Outcome::Open => prop_assert!(false, "never ended: {asked:?}"),
            }
        }
        let stats = bench.stepper.stats();
        prop_assert_eq!((stats.running, stats.waiting, stats.kv_blocks_free), (0, 0, blocks));
        prop_assert!(stats.adapters.bytes <= adapters_in_memory * fake::ADAPTER_BYTES);
    }
}
