//! Mutated adapters against the upload's checks: no panic, no memory or time without bound, and whatever is accepted is
//! accepted again with the same, consistent report. A short run belongs to the tests; `make fuzz FUZZ_S=600` goes on for
//! that many seconds, from a seed of its own, which it prints.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a fixture that cannot be read is a failed test")]

mod corpus;
mod mutate;

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use rand::{RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;
use tenora_engine::{
    AdapterRejection, AdapterReport,
    lora::{self, codes},
    model::{ModelConfig, Projection},
};

use self::{
    corpus::{Sample, corpus},
    mutate::mutate,
};

const MAX_RANK: usize = 32;
/// For one check of a few kilobytes. Generous: the machine may be busy with other things.
const LONGEST: Duration = Duration::from_secs(5);
/// What all checks together may add to the process, in kilobytes: a header has 4 MiB at most, and its JSON a few times that.
const MOST_GROWTH_KB: u64 = 128 << 10;
const SHORT: Duration = Duration::from_millis(1500);
const SHORT_EXECUTIONS: u64 = 4_000;

/// What a run met.
#[derive(Debug, Default)]
struct Tally {
    executions: u64,
    accepted: u64,
    refused: BTreeMap<&'static str, u64>,
    longest: Duration,
}

/// Checks mutants until the time or their number is over.
fn run(seed: u64, time: Duration, most: u64) -> Tally {
    let samples = corpus();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("adapter_model.safetensors");
    let mut tally = Tally::default();
    let (begun, before) = (Instant::now(), peak_kb());
    while tally.executions < most && begun.elapsed() < time {
        // Each mutant follows from its own number, so that one can be made again alone.
        let number = seed.wrapping_add(tally.executions);
        execute(number, &samples, &file, &mut tally);
    }
    let grown = peak_kb().saturating_sub(before);
    assert!(grown < MOST_GROWTH_KB, "seed {seed}: {grown} kB more after {} executions", tally.executions);
    tally
}

fn execute(number: u64, samples: &[Sample], file: &Path, tally: &mut Tally) {
    let mut rng = ChaCha8Rng::seed_from_u64(number);
    let sample = &samples[rng.next_u64() as usize % samples.len()];
    let mutant = mutate(sample, samples, &mut rng);
    fs::write(file, &mutant.weights).unwrap();
    let begun = Instant::now();
    let outcome = lora::check(&mutant.config, file, &sample.model, MAX_RANK);
    let took = begun.elapsed();
    assert!(took < LONGEST, "mutant {number}: {took:?}");
    tally.executions += 1;
    tally.longest = tally.longest.max(took);
    match outcome {
        Ok(report) => {
            tally.accepted += 1;
            assert_consistent(&report, mutant.weights.len(), &sample.model, number);
            let again = lora::check(&mutant.config, file, &sample.model, MAX_RANK);
            assert_eq!(again, Ok(report), "mutant {number}");
        }
        Err(rejection) => {
            assert_explained(&rejection, number);
            *tally.refused.entry(rejection.code).or_default() += 1;
        }
    }
}

/// What a report says of itself, of its file and of the base fits together.
fn assert_consistent(report: &AdapterReport, bytes: usize, model: &ModelConfig, number: u64) {
    let AdapterReport { rank, ranks, scales, modules, layers, tensors, parameters, norms, .. } = report;
    let ascending = |numbers: &[usize]| numbers.is_sorted_by(|a, b| a < b);
    assert_eq!(report.bytes, bytes as u64, "mutant {number}: {report:?}");
    assert!(ascending(ranks) && ascending(layers), "mutant {number}: {report:?}");
    assert!(ranks.last() == Some(rank) && *rank <= MAX_RANK && ranks[0] > 0, "mutant {number}: {report:?}");
    assert!(layers.last().is_some_and(|last| *last < model.layers), "mutant {number}: {report:?}");
    assert!(scales.iter().all(|s| s.is_finite() && *s > 0.0), "mutant {number}: {report:?}");
    assert!(tensors % 2 == 0 && *tensors <= 2 * modules.len() * layers.len(), "mutant {number}: {report:?}");
    assert!(*parameters * 2 <= report.bytes && *parameters > 0, "mutant {number}: {report:?}");
    let known = |module: &&str| Projection::ALL.iter().any(|projection| projection.name() == *module);
    assert!(modules.iter().all(known), "mutant {number}: {report:?}");
    assert!(norms.iter().map(|norm| &norm.module).eq(modules), "mutant {number}: {report:?}");
    let numbers = norms.iter().flat_map(|own| [own.largest_a, own.largest_b, own.norm]);
    assert!(numbers.clone().all(f64::is_finite) && numbers.sum::<f64>() > 0.0, "mutant {number}: {report:?}");
}

/// A refusal has a code of the checks, and words that can be shown.
fn assert_explained(rejection: &AdapterRejection, number: u64) {
    let AdapterRejection { code, param, message } = rejection;
    let known = codes::CHECKS.iter().any(|(_, codes)| codes.contains(code));
    assert!(known, "mutant {number}: {rejection:?}");
    let shown = |text: &str| text.len() < 2000 && !text.chars().any(char::is_control);
    assert!(!message.is_empty() && shown(message), "mutant {number}: {rejection:?}");
    assert!(param.as_deref().is_none_or(shown), "mutant {number}: {rejection:?}");
}

/// The most memory that the process had at a time.
fn peak_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

#[test]
fn a_short_run_finds_nothing() {
    let tally = run(0x7e20_4a00, SHORT, SHORT_EXECUTIONS);
    // A machine that is busy with other things gets less far.
    assert!(tally.executions > 50, "{tally:?}");
    assert!(tally.accepted > 0 && tally.refused.len() > 10, "mutants are all alike: {tally:?}");
}

#[test]
#[ignore = "takes as long as it is told: `make fuzz FUZZ_S=60`"]
#[expect(clippy::disallowed_methods, reason = "a run by hand is told its length; no server reads this")]
fn a_long_run_finds_nothing() {
    let seconds = std::env::var("FUZZ_S").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let seed = rand::random();
    eprintln!("seed {seed}, for {seconds} s");
    let tally = run(seed, Duration::from_secs(seconds), u64::MAX);
    eprintln!("{tally:#?}");
    assert!(tally.accepted > 0 && tally.refused.len() > 20, "mutants are all alike");
}
