//! `tenora adapter check`: what a server would say of a folder, without one, and with an exit code for scripts.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::TempDir;
use tenora_tests::{Adapter, binary, repository};

fn folder(adapter: &Adapter) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("adapter_config.json"), adapter.config.to_string()).expect("written");
    fs::write(folder.path().join("adapter_model.safetensors"), &adapter.weights).expect("written");
    folder
}

fn check(dir: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(binary());
    let base = repository().join("demo/base");
    command.args(["adapter", "check"]).arg(dir).arg("--base").arg(base).args(more).env_clear();
    command.output().expect("the binary runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn a_good_folder_is_described() {
    let good = folder(&Adapter::demo("ticket-triage"));
    let checked = check(good.path(), &[]);
    assert!(checked.status.success(), "{}", err(&checked));
    let text = out(&checked);
    for part in [
        "rank",
        "q_proj, k_proj",
        "0-3",
        "56 of F16",
        "NORM",
        "warning (base_model_differs)",
        "checks passed",
    ] {
        let part = if part == "NORM" { "SCALE·|A|·|B|" } else { part };
        assert!(text.contains(part), "`{part}` is not in\n{text}");
    }
    let report = json(&check(good.path(), &["--json"]));
    assert_eq!((&report["accepted"], &report["report"]["rank"]), (&true.into(), &16.into()));
    assert_eq!(report["report"]["norms"].as_array().map(Vec::len), Some(7));
}

#[test]
fn a_bad_folder_is_refused_by_code_place_and_advice() {
    for (adapter, code, place) in [
        (Adapter::demo("text-to-sql").not_a_number(), "adapter_not_finite", "down_proj.lora_A"),
        (Adapter::demo("text-to-sql").config("use_dora", true), "adapter_unsupported_dora", "use_dora"),
        (Adapter::demo("text-to-sql").truncated(), "adapter_truncated", "upload it again"),
    ] {
        let bad = folder(&adapter);
        let refused = check(bad.path(), &[]);
        assert_eq!(refused.status.code(), Some(1));
        let words = err(&refused);
        assert!(words.contains(code) && words.contains(place), "{words}");
        assert_eq!(out(&refused), "");
        let refused = check(bad.path(), &["--json"]);
        assert_eq!(refused.status.code(), Some(1));
        let answer = json(&refused);
        assert_eq!((&answer["accepted"], &answer["error"]["code"]), (&false.into(), &code.into()));
        assert!(answer["error"]["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
}

#[test]
fn what_cannot_be_checked_is_said() {
    let good = folder(&Adapter::demo("brand-voice"));
    let rank = check(good.path(), &["--max-rank", "8"]);
    assert!(err(&rank).contains("adapter_rank_too_high"), "{}", err(&rank));
    let pickle = tempfile::tempdir().expect("a folder");
    fs::write(pickle.path().join("adapter_config.json"), "{}").expect("written");
    fs::write(pickle.path().join("adapter_model.bin"), "PK").expect("written");
    let refused = check(pickle.path(), &[]);
    assert!(!refused.status.success() && err(&refused).contains("safe_serialization"), "{}", err(&refused));
    let nothing = tempfile::tempdir().expect("a folder");
    assert!(err(&check(nothing.path(), &[])).contains("name a folder that PEFT saved"));
    let mut command = Command::new(binary());
    command.args(["adapter", "check"]).arg(good.path()).arg("--base").arg(nothing.path());
    let output = command.output().expect("the binary runs");
    assert!(!output.status.success() && err(&output).contains("config.json"), "{}", err(&output));
}
