//! `tenora bench` on its smallest shape: every scenario runs, and its numbers are possible ones.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use tenora_tests::binary;

const PROMPT_TOKENS: u64 = 67;
const OUTPUT_TOKENS: u64 = 6;
const REQUESTS: u64 = 8;

/// Runs the benchmark; returns its tables and its document.
fn bench(scenarios: &str, more: &[&str]) -> (String, Value) {
    let work = tempfile::tempdir().expect("a folder");
    let json = work.path().join("out.json");
    let output = Command::new(binary())
        .args(["bench", "--shape", "tiny", "--streams", "1,4", "--ranks", "2,4", "--registered", "40"])
        .args(["--requests", &REQUESTS.to_string(), "--output-tokens", &OUTPUT_TOKENS.to_string()])
        .args(["--soak-minutes", "0.04", "--scenarios", scenarios])
        .args(more)
        .arg("--work-dir")
        .arg(work.path())
        .arg("--json")
        .arg(&json)
        .env_clear()
        .output()
        .expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!work.path().join("server").exists(), "the server's data is gone with it");
    let document = std::fs::read_to_string(&json).expect("it was asked for");
    let tables = String::from_utf8(output.stdout).expect("text");
    (tables, serde_json::from_str(&document).expect("JSON"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// A number that was measured, and is no nonsense.
fn positive(value: &Value) -> f64 {
    let number = value.as_f64().unwrap_or(f64::NAN);
    assert!(number.is_finite() && number > 0.0, "{value}");
    number
}

/// What every run must satisfy.
fn check_run(run: &Value, requests: u64) {
    assert_eq!(run["requests"], requests, "{run}");
    assert_eq!(run["failed"], 0, "{run}");
    assert_eq!(run["prompt_tokens"], requests * PROMPT_TOKENS, "{run}");
    assert_eq!(run["output_tokens"], requests * OUTPUT_TOKENS, "{run}");
    assert_eq!(run["cached_tokens"], 0, "no prompt comes twice: {run}");
    let speed = positive(&run["output_tokens_per_s"]);
    let counted = (requests * OUTPUT_TOKENS) as f64 / positive(&run["seconds"]);
    assert!((speed - counted).abs() < 1e-6 * counted, "{run}");
    for times in [&run["ttft_ms"], &run["inter_token_ms"]] {
        let (p50, p99, max) = (positive(&times["p50"]), positive(&times["p99"]), positive(&times["max"]));
        assert!(p50 <= p99 && p99 <= max, "{run}");
    }
    let longest = positive(&run["ttft_ms"]["max"]).max(positive(&run["inter_token_ms"]["max"]));
    assert_eq!(positive(&run["longest_silence_ms"]), longest, "{run}");
}

#[test]
fn mixes_are_measured_beside_the_base_alone() {
    let (tables, document) = bench("mix,single", &[]);
    for word in ["base only", "identical", "distinct", "uniform", "skewed", "One stream alone"] {
        assert!(tables.contains(word), "{word} is not in:\n{tables}");
    }
    let machine = &document["machine"];
    assert!(positive(&machine["read_bytes_per_s"]) > 1e8 && positive(&machine["cores"]) >= 1.0, "{machine}");
    assert_eq!(document["options"]["ranks"], serde_json::json!([2, 4]));
    let runs = list(&document["scenarios"]["mix"]["runs"]);
    assert_eq!(runs.len(), 4 + 7, "four at one stream, seven at four");
    for run in runs {
        check_run(run, REQUESTS);
        positive(&run["ratio_to_base_only"]);
    }
    let base: Vec<f64> = runs
        .iter()
        .filter(|run| run["mix"] == "base-only" && run["streams"] == 4)
        .map(|run| positive(&run["ratio_to_base_only"]))
        .collect();
    assert_eq!(base.iter().filter(|ratio| **ratio == 1.0).count(), 1, "the median is one of the three");
    for run in list(&document["scenarios"]["single"]["runs"]) {
        check_run(&run["measured"], REQUESTS);
        positive(&run["ratio_to_floor"]);
    }
}

#[test]
fn adapters_outside_memory_are_measured() {
    let (_, document) = bench("cold,pressure,zipf1000", &[]);
    let scenarios = &document["scenarios"];
    let tiers: Vec<(&str, u64)> = list(&scenarios["cold"]["tiers"])
        .iter()
        .map(|tier| {
            positive(&tier["ttft_ms"]["p50"]);
            (tier["tier"].as_str().expect("a name"), tier["samples"].as_u64().expect("a count"))
        })
        .collect();
    let counted =
        [("base_only", REQUESTS), ("resident", REQUESTS), ("local_file", REQUESTS), ("blob_store", 4)];
    assert_eq!(tiers, counted);
    let pressure = list(&scenarios["pressure"]["runs"]);
    assert_eq!(pressure.len(), 4);
    for run in pressure {
        check_run(&run["measured"], REQUESTS);
        positive(&run["ttft_p50_ratio_to_all_resident"]);
    }
    let zipf = &scenarios["zipf1000"];
    assert_eq!(zipf["registered"], 40);
    list(&zipf["runs"]).iter().for_each(|run| check_run(&run["measured"], 2 * REQUESTS));
    positive(&zipf["ratio_to_sixteen"]);
}

#[test]
fn fairness_and_memory_are_measured() {
    let (_, document) = bench("fair,soak", &[]);
    let fair = &document["scenarios"]["fair"];
    let index = positive(&fair["jain"]);
    assert!((0.25..=1.0 + 1e-9).contains(&index), "{index}");
    assert_eq!(list(&fair["alone"]["tokens_per_s"]).len(), 3);
    assert_eq!(list(&fair["beside_greedy"]["tokens_per_s"]).len(), 4);
    for outcome in [&fair["alone"], &fair["beside_greedy"]] {
        assert_eq!(outcome["failed"], 0);
        let sum: f64 = list(&outcome["tokens_per_s"]).iter().map(positive).sum();
        // No normal tenant can have had more than all its answers within the window.
        assert!(
            sum * positive(&outcome["window_s"])
                <= (3 * REQUESTS + 10 * REQUESTS) as f64 * OUTPUT_TOKENS as f64
        );
    }
    let soak = &document["scenarios"]["soak"];
    assert_eq!(soak["failed"], 0);
    assert!(positive(&soak["requests"]) >= 1.0 && positive(&soak["resident_bytes"]["most"]) > 1e6, "{soak}");
}

#[test]
fn what_cannot_be_measured_is_said_at_once() {
    let output =
        Command::new(binary()).args(["bench", "--streams", "0"]).env_clear().output().expect("it runs");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--streams must be 1 or more"));
}

/// A server that answers at once, ended with this.
struct Bare(Child);

impl Bare {
    fn start() -> (Self, String) {
        let mut child = Command::new(binary())
            .arg("bare")
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let answer = br#"{"headers":[["content-type","application/json"]],"body":"{}"}"#;
        child.stdin.take().expect("piped").write_all(answer).expect("it reads");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("it writes");
        let url = line.split_whitespace().last().expect("where it listens").to_owned();
        (Self(child), url)
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

#[test]
fn what_the_gateway_adds_is_told_with_another_beside_it() {
    let (_bare, url) = Bare::start();
    let runs = |rate: &str, beside: &str| {
        let options = ["--rates", rate, "--rate-seconds", "1", "--beside", beside];
        let (tables, document) = bench("gateway", &options);
        assert!(tables.contains("\ntenora ") && tables.contains("\nbeside "), "{tables}");
        let runs = list(&document["scenarios"]["gateway"]["runs"]).to_vec();
        <[Value; 2]>::try_from(runs).expect("one rate of two")
    };
    let [tenora, beside] = runs("100", &url);
    assert_eq!((&tenora["of"], &beside["of"]), (&"tenora".into(), &"beside".into()));
    for run in [&tenora, &beside] {
        assert_eq!(run["failed"], 0, "{run}");
        assert!(positive(&run["whole_ms"]["p50"]) <= positive(&run["whole_ms"]["p99"]), "{run}");
        assert_eq!(list(&run["added_ms_by_turn"]).len(), 5, "{run}");
    }
    for share in ["p50", "p99"] {
        let of = |run: &Value, name: &str| run[name][share].as_f64().expect("a number");
        for run in [&tenora, &beside] {
            let added = of(run, "less_engine_ms") - of(run, "floor_ms");
            assert!((of(run, "added_ms") - added).abs() < 1e-9, "{run}");
        }
        positive(&tenora["engine_ms"][share]);
        assert_eq!(of(&beside, "engine_ms"), 0.0, "it tells of no engine: {beside}");
        assert_eq!(of(&beside, "less_engine_ms"), of(&beside, "whole_ms"), "{beside}");
    }

    // What another does not answer is told, and is not our failure. One request a turn is the least.
    let [tenora, beside] = runs("1", "http://127.0.0.1:1");
    assert_eq!((&tenora["failed"], &beside["failed"]), (&0.into(), &5.into()));
}
