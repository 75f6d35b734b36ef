//! Every code has a test that produces it: `bad.rs` has the adapter for most, and the rest are named here with their tests.
//! The numbers are those of the list of upload checks that the design started from.

use std::{collections::HashSet, fs, path::PathBuf};

use tenora_engine::lora::codes;

use crate::bad;

/// Checks 8 to 25 of the list, and the checks of ours that make them.
const LIST: [(u8, &str, &[&str]); 18] = [
    (8, "foreign files are recognised by their first bytes", &["container"]),
    (9, "the header has a limit, before memory is taken for it", &["container"]),
    (10, "header and tensors are the whole file", &["layout"]),
    (11, "no key stands twice in the header", &["header"]),
    (12, "offsets follow each other", &["layout"]),
    (13, "tensors, names and metadata have limits", &["header", "tensors"]),
    (14, "matrices of 16- or 32-bit floats, none empty", &["tensors", "shapes"]),
    (15, "the config has limits of size and depth, and no key twice", &["config_json"]),
    (16, "LoRA, for causal language modelling", &["config_options"]),
    (17, "no option goes unheeded", &["config_options"]),
    (18, "rank, alpha and scale are sane", &["config_fields", "shapes"]),
    (19, "targets are names, or an expression of linear time", &["config_fields"]),
    (20, "the base's name is a hint, its shapes are the proof", &["shapes"]),
    (21, "every tensor is half of a pair on a module of the base", &["names"]),
    (22, "shapes are those of the base and of the config's rank", &["shapes"]),
    (23, "the tensors say what is targeted, and the config agrees", &["targets"]),
    (24, "it fits into the memory for adapters", &["memory"]),
    (25, "numbers are finite, bounded, and of some effect", &["values", "effect"]),
];

/// Codes that need more than two files, with the test that produces each.
const ELSEWHERE: [(&str, &str, &str); 6] = [
    (codes::UNREADABLE, "tests/adapter_check/main.rs", "the_loader_keeps_nothing_but_the_promised_bytes"),
    (
        codes::DIGEST_MISMATCH,
        "tests/adapter_check/main.rs",
        "the_loader_keeps_nothing_but_the_promised_bytes",
    ),
    (codes::DISABLED, "tests/serving.rs", "what_cannot_be_served_is_refused_by_its_name"),
    (
        codes::TOO_LARGE_FOR_MEMORY,
        "tests/canary.rs",
        "what_no_room_could_be_made_for_is_refused_by_the_check",
    ),
    (
        codes::NOT_LOADED,
        "src/residency/tests.rs",
        "a_load_that_the_device_refuses_is_no_fault_of_the_adapter",
    ),
    (
        codes::ENGINE_REFUSED,
        "../fleet/tests/engines/faults.rs",
        "loads_that_are_refused_or_fail_or_hang_are_told_or_done_elsewhere",
    ),
];

/// The codes as the source has them: the constant's name and its value.
fn all_codes() -> Vec<(String, String)> {
    let source = include_str!("../../src/lora/codes.rs");
    let code = |line: &str| {
        let (name, value) = line.strip_prefix("pub const ")?.split_once(": &str = \"")?;
        Some((name.to_owned(), value.strip_suffix("\";")?.to_owned()))
    };
    source.lines().filter_map(code).collect()
}

#[test]
fn every_code_belongs_to_one_check() {
    let checks = codes::CHECKS.iter().flat_map(|(_, codes)| codes.iter()).chain(&codes::IN_USE);
    let mut checked: Vec<_> = checks.copied().collect();
    checked.sort_unstable();
    let mut all: Vec<_> = all_codes().into_iter().map(|(_, value)| value).collect();
    assert!(all.len() > 50, "{} codes", all.len());
    all.sort_unstable();
    assert_eq!(checked, all);
}

#[test]
fn every_code_has_a_test_that_produces_it() {
    let produced: HashSet<&str> = bad::all().iter().map(|bad| bad.code).collect();
    for (name, value) in all_codes() {
        if produced.contains(value.as_str()) {
            continue;
        }
        let (_, file, test) = ELSEWHERE
            .iter()
            .find(|(code, ..)| *code == value)
            .unwrap_or_else(|| panic!("no test produces `{value}`: add a bad adapter"));
        let source = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let body = source.split(&format!("fn {test}(")).nth(1);
        let body = body.unwrap_or_else(|| panic!("{file} has no test `{test}`"));
        let body = body.split("\n}\n").next().unwrap_or_default();
        assert!(body.contains(&format!("codes::{name}")), "`{test}` does not ask for codes::{name}");
    }
}

#[test]
fn every_check_of_the_list_is_made() {
    let made: HashSet<&str> = codes::CHECKS.iter().map(|(name, _)| *name).collect();
    let mut listed = HashSet::new();
    for (index, (number, what, checks)) in LIST.iter().enumerate() {
        assert_eq!(usize::from(*number), index + 8);
        assert!(!checks.is_empty() && checks.iter().all(|check| made.contains(check)), "{number}: {what}");
        listed.extend(*checks);
    }
    assert_eq!(listed, made);
}
