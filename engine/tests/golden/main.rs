//! What PEFT and transformers compute, every runner computes: logits within 1e-4 in f32, and the same greedy tokens, for
//! every family and every kind of adapter, alone and mixed in one batch. The cpu runner, moreover, computes the same bits
//! in any batch, in any chunks, on any number of threads and with any instruction set.
//!
//! The cuda runner is here on a GPU that the host plays; built with the feature `cuda`, and with `TENORA_TEST_CUDA=1`, on the
//! first GPU, too.
#![expect(unsafe_code, reason = "a GPU that the host plays has memory at addresses")]
#![expect(clippy::unwrap_used, reason = "helpers of tests: a fixture that cannot be read is a failed test")]

mod driver;
#[path = "../support/emulated.rs"]
mod emulated;
#[path = "../support/files.rs"]
mod files;
mod fixture;
mod gpu;
mod merged;

use driver::{Driver, Kind, Precision, Row};
use fixture::{Case, Fixture, MODELS, formats};
use tenora_engine::InstructionSet::{Avx2, Portable};

/// Models whose widths are whole groups of Q8_0.
const QUANTIZABLE: [&str; 4] = ["llama-tied-bf16", "mistral-sharded", "qwen2", "qwen3"];

/// Every runner that PEFT judges.
const KINDS: &[Kind] = &[
    Kind::Reference,
    Kind::Cpu(Avx2, 2),
    Kind::Cpu(Portable, 1),
    Kind::Emulated(Precision::F32),
    #[cfg(feature = "cuda")]
    Kind::Cuda(Precision::F32),
];

/// Largest absolute difference of a logit.
const TOLERANCE: f32 = 1e-4;
/// A logit changed by this much was changed by the adapter, not by rounding.
const FAR: f32 = 1000.0 * TOLERANCE;

/// Those that this machine can run; Portable runs everywhere.
fn kinds() -> impl Iterator<Item = Kind> {
    KINDS.iter().copied().filter(is_here)
}

fn is_here(kind: &Kind) -> bool {
    match kind {
        Kind::Cpu(Avx2, _) | Kind::Quantized(Avx2, _) => Avx2.is_available(),
        #[cfg(feature = "cuda")]
        Kind::Cuda(_) => std::env::var_os("TENORA_TEST_CUDA").is_some(),
        _ => true,
    }
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|v| v.is_finite()));
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

fn argmax(logits: &[f32]) -> u32 {
    let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b]));
    best.expect("logits are not empty") as u32
}

/// How far the likeliest token is ahead of the second.
fn margin(logits: &[f32]) -> f32 {
    let mut sorted = logits.to_vec();
    sorted.sort_by(f32::total_cmp);
    sorted[sorted.len() - 1] - sorted[sorted.len() - 2]
}

/// Compares one row of logits with PEFT's, PEFT's after merging, and the token they choose.
fn assert_golden(case: &Case, step: usize, logits: &[f32], what: &str) {
    let expected = &case.logits[step];
    let far = distance(logits, expected);
    assert!(far <= TOLERANCE, "{what}, {case}, token {step}: {far:e} from PEFT");
    if let Some(merged) = &case.merged {
        let far = distance(logits, &merged[step]);
        assert!(far <= TOLERANCE, "{what}, {case}, token {step}: {far:e} from PEFT's merged weights");
    }
    if margin(expected) > TOLERANCE {
        assert_eq!(argmax(logits), case.greedy[step], "{what}, {case}: greedy token {step}");
    }
}

/// Prefills in chunks, then decodes the expected tokens one by one; the logits that chose each.
fn solo(driver: &mut Driver, fixture: &Fixture, case: &Case, chunk: usize) -> Vec<Vec<f32>> {
    let mut row = driver.row(fixture, case);
    let prompt = &fixture.prompts[case.prompt];
    let mut logits = Vec::new();
    let chunks: Vec<_> = prompt.chunks(chunk).collect();
    for (index, tokens) in chunks.iter().enumerate() {
        let wanted = index + 1 == chunks.len();
        let answer = driver.step(&mut [(&mut row, tokens.to_vec(), wanted)]);
        assert_eq!(answer.len(), usize::from(wanted));
        logits.extend(answer);
    }
    for &token in &case.greedy[..case.greedy.len() - 1] {
        logits.extend(driver.step(&mut [(&mut row, vec![token], true)]));
    }
    driver.release(row);
    logits
}

#[test]
fn whole_prompt_then_step_by_step() {
    for model in MODELS {
        let fixture = Fixture::read(model);
        for kind in kinds() {
            let mut driver = Driver::load(model, kind);
            for case in &fixture.cases {
                let logits = solo(&mut driver, &fixture, case, usize::MAX);
                assert_eq!(logits.len(), case.logits.len());
                for (step, logits) in logits.iter().enumerate() {
                    assert_golden(case, step, logits, &format!("{kind}, {model}, whole prompt"));
                }
            }
        }
    }
}

#[test]
fn prompts_in_chunks() {
    for model in MODELS {
        let fixture = Fixture::read(model);
        for kind in kinds() {
            let mut driver = Driver::load(model, kind);
            for case in &fixture.cases {
                for chunk in [1, 7, 16] {
                    for (step, logits) in solo(&mut driver, &fixture, case, chunk).iter().enumerate() {
                        assert_golden(case, step, logits, &format!("{kind}, {model}, chunks of {chunk}"));
                    }
                }
            }
        }
    }
}

#[test]
fn adapters_matter() {
    for model in MODELS {
        let fixture = Fixture::read(model);
        for kind in kinds() {
            let mut driver = Driver::load(model, kind);
            for case in fixture.cases.iter().filter(|case| case.adapter.is_some()) {
                let base = fixture.case(None, case.prompt);
                let (with, without) =
                    (solo(&mut driver, &fixture, case, 16), solo(&mut driver, &fixture, base, 16));
                let moved = distance(&with[0], &without[0]);
                assert!(moved > FAR, "{kind}, {model}, {case}: moved the logits by only {moved:e}");
            }
        }
    }
}

/// Every case of a fixture in one batch: prefill in chunks that end at different times, decoding beside prefill.
fn mixed(driver: &mut Driver, fixture: &Fixture) -> Vec<Vec<Vec<f32>>> {
    let mut rows: Vec<Row> = fixture.cases.iter().map(|case| driver.row(fixture, case)).collect();
    let mut mixed: Vec<Vec<Vec<f32>>> = vec![Vec::new(); rows.len()];
    let mut largest_mix = 0;
    loop {
        let mut work = Vec::new();
        let mut wanted = Vec::new();
        for (index, row) in rows.iter_mut().enumerate() {
            let case = &fixture.cases[index];
            let prompt = &fixture.prompts[case.prompt];
            let decoded = mixed[index].len();
            if decoded == case.greedy.len() {
                continue;
            }
            let chunk = 5 + index % 11;
            let (tokens, wants) = match prompt.get(row.position()..).filter(|rest| !rest.is_empty()) {
                Some(rest) => (rest[..rest.len().min(chunk)].to_vec(), rest.len() <= chunk),
                None => (vec![case.greedy[decoded - 1]], true),
            };
            work.push((row, tokens, wants));
            wanted.extend(wants.then_some(index));
        }
        if work.is_empty() {
            break;
        }
        largest_mix = largest_mix.max(work.len());
        // The driver sorts rows by adapter and hands the logits back in the order of `work`.
        for (index, logits) in wanted.into_iter().zip(driver.step(&mut work)) {
            mixed[index].push(logits);
        }
    }
    assert_eq!(largest_mix, fixture.cases.len());
    rows.into_iter().for_each(|row| driver.release(row));
    mixed
}

#[test]
fn a_mixed_batch_equals_solo_runs_and_peft() {
    let fixture = Fixture::read("llama");
    let adapters = fixture.cases.iter().filter(|c| c.prompt == 0 && c.adapter.is_some()).count();
    assert!(adapters >= 8, "{adapters} different adapters");
    for kind in kinds() {
        let mut driver = Driver::load("llama", kind);
        let mixed = mixed(&mut driver, &fixture);
        for (case, mixed) in fixture.cases.iter().zip(&mixed) {
            assert_eq!(mixed.len(), case.greedy.len());
            let alone = solo(&mut driver, &fixture, case, usize::MAX);
            for (step, logits) in mixed.iter().enumerate() {
                assert_golden(case, step, logits, &format!("{kind}, mixed batch"));
                let far = distance(logits, &alone[step]);
                assert!(far <= TOLERANCE, "{kind}, {case}, token {step}: {far:e} from its solo run");
            }
        }
    }
}

/// Bits, not tolerances: quantised or not, the cpu runner's answer has one value.
#[test]
fn the_cpu_runner_computes_the_same_bits_however_it_is_driven() {
    type Run = Vec<Vec<Vec<f32>>>;
    let bits = |run: &Run| run.iter().flatten().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
    for model in MODELS {
        let fixture = Fixture::read(model);
        let families: [&[Kind]; 2] = [
            &[Kind::Cpu(Portable, 1), Kind::Cpu(Portable, 3), Kind::Cpu(Avx2, 1), Kind::Cpu(Avx2, 2)],
            &[Kind::Quantized(Portable, 1), Kind::Quantized(Avx2, 2)],
        ];
        for kinds in &families[..if QUANTIZABLE.contains(&model) { 2 } else { 1 }] {
            let mut expected: Option<Vec<u32>> = None;
            for kind in kinds.iter().copied().filter(is_here) {
                let mut driver = Driver::load(model, kind);
                let mut check = |run: Run, how: &str| {
                    let found = bits(&run);
                    let expected = expected.get_or_insert_with(|| found.clone());
                    assert!(found == *expected, "{kind}, {model}, {how}: other bits than the first run");
                };
                for chunk in [usize::MAX, 1, 7] {
                    let alone = fixture.cases.iter().map(|case| solo(&mut driver, &fixture, case, chunk));
                    check(alone.collect(), &format!("alone, chunks of {chunk}"));
                }
                check(mixed(&mut driver, &fixture), "mixed");
            }
        }
    }
}

/// Q8_0 keeps eight bits of every weight, so the tiny random models' logits, some units wide, move by a few hundredths.
#[test]
fn a_quantised_base_stays_near() {
    const NEAR: f32 = 0.2;
    for model in QUANTIZABLE {
        let fixture = Fixture::read(model);
        let kind = Kind::Quantized(Portable, 2);
        let mut driver = Driver::load(model, kind);
        for case in &fixture.cases {
            for (step, logits) in solo(&mut driver, &fixture, case, 16).iter().enumerate() {
                let far = distance(logits, &case.logits[step]);
                assert!(far <= NEAR, "{model}, {case}, token {step}: {far:e} from f32");
                assert!(far > TOLERANCE, "{model}, {case}: nothing was quantised");
            }
        }
    }
}

/// However an adapter's tensors are called and its config is written, what PEFT computed with its numbers comes out: to the
/// bit what the golden adapter gives, where a runner promises bits.
#[test]
fn every_writers_format_gives_pefts_logits() {
    let mut formats_seen = 0;
    for model in MODELS {
        let fixture = Fixture::read(model);
        let formats = formats(model);
        formats_seen += formats.len();
        for kind in kinds().filter(|_| !formats.is_empty()) {
            let mut driver = Driver::load(model, kind);
            for format in &formats {
                for golden in fixture.cases.iter().filter(|c| c.adapter.as_ref() == Some(&format.golden)) {
                    let case = Case { adapter: Some(format.adapter.clone()), ..golden.clone() };
                    let found = solo(&mut driver, &fixture, &case, 16);
                    for (step, logits) in found.iter().enumerate() {
                        assert_golden(&case, step, logits, &format!("{kind}, {model}"));
                    }
                    if matches!(kind, Kind::Cpu(..)) {
                        assert_eq!(found, solo(&mut driver, &fixture, golden, 16), "{kind}, {model}, {case}");
                    }
                }
            }
        }
    }
    assert!(formats_seen >= 12, "{formats_seen} formats");
}

/// Two sequences with the same adapter share a segment; a sequence never sees another's keys.
#[test]
fn sequences_do_not_see_each_other() {
    let fixture = Fixture::read("qwen3");
    for kind in kinds() {
        let mut driver = Driver::load("qwen3", kind);
        let cases = [fixture.case(Some("rank8"), 0), fixture.case(Some("rank8"), 1)];
        let mut rows = cases.map(|case| driver.row(&fixture, case));
        let prompts = cases.iter().map(|case| fixture.prompts[case.prompt].clone());
        let mut work: Vec<_> =
            rows.iter_mut().zip(prompts).map(|(row, prompt)| (row, prompt, true)).collect();
        for (case, logits) in cases.iter().zip(driver.step(&mut work)) {
            assert_golden(case, 0, &logits, &format!("{kind}, shared segment"));
        }
    }
}
