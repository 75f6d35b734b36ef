//! Uploads are judged: good adapters are described, bad ones refused with their own code and the field or tensor at fault,
//! hostile bytes never panic, and the loader refuses whatever the check refuses.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a fixture that cannot be read is a failed test")]

mod adapter;
mod bad;
mod coverage;

use std::{fs, path::PathBuf, sync::Arc};

use adapter::{Adapter, Files, fixtures};
use proptest::prelude::*;
use serde_json::json;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tenora_engine::{
    EngineError, check_adapter_offline,
    config::{DeviceChoice, EngineConfig},
    error::AdapterRejection,
    lora::{self, AdapterReport, codes},
    model::ModelConfig,
    request::AdapterFiles,
    runner::{Runner, reference::ReferenceRunner},
};

const MAX_RANK: usize = 32;

/// A folder to write adapters into, and the base they are checked against.
struct Bench {
    folder: TempDir,
    model: ModelConfig,
}

impl Bench {
    fn new(base: &str) -> Self {
        let model = ModelConfig::read(&fixtures().join(base).join("base")).unwrap();
        Self { folder: TempDir::new().unwrap(), model }
    }

    fn weights(&self) -> PathBuf {
        self.folder.path().join("adapter_model.safetensors")
    }

    fn check(&self, files: &Files) -> Result<AdapterReport, AdapterRejection> {
        fs::write(self.weights(), &files.weights).unwrap();
        lora::check(&files.config, &self.weights(), &self.model, MAX_RANK)
    }

    /// Files for the loader, with the digest that was promised.
    fn stored(&self, files: &Files, digest: [u8; 32]) -> AdapterFiles {
        let config = self.folder.path().join("adapter_config.json");
        fs::write(&config, &files.config).unwrap();
        fs::write(self.weights(), &files.weights).unwrap();
        AdapterFiles { digest, config, weights: self.weights(), pin: Arc::new(()) }
    }
}

fn digest(files: &Files) -> [u8; 32] {
    let length = (files.config.len() as u64).to_le_bytes();
    Sha256::new()
        .chain_update(length)
        .chain_update(&files.config)
        .chain_update(&files.weights)
        .finalize()
        .into()
}

fn runner() -> ReferenceRunner {
    let mut config = EngineConfig::new(fixtures().join("llama/base"));
    config.device = DeviceChoice::Cpu;
    config.kv_bytes = Some(8 << 20);
    config.max_rank = MAX_RANK;
    ReferenceRunner::load(&config, &|_| ()).unwrap()
}

#[test]
fn every_fixture_adapter_is_accepted_and_described() {
    for base in fs::read_dir(fixtures()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir()) {
        let model = ModelConfig::read(&base.join("base")).unwrap();
        let folders = fs::read_dir(&base).unwrap().map(|e| e.unwrap().path());
        let adapters: Vec<_> = folders.filter(|p| p.join("adapter_config.json").exists()).collect();
        assert!(!adapters.is_empty(), "{}", base.display());
        for adapter in adapters {
            let config = fs::read(adapter.join("adapter_config.json")).unwrap();
            let weights = adapter.join("adapter_model.safetensors");
            let report = lora::check(&config, &weights, &model, 256).unwrap();
            assert_eq!(report.bytes, fs::metadata(&weights).unwrap().len());
            assert_eq!(report.tensors % 2, 0);
        }
    }
}

#[test]
fn reports_say_what_an_adapter_is() {
    let bench = Bench::new("llama");
    let report = |name: &str| bench.check(&Adapter::good(&format!("llama/{name}")).files()).unwrap();

    let patterned = report("rank-pattern");
    assert_eq!((patterned.rank, &patterned.ranks[..]), (6, &[3, 4, 6][..]));
    assert_eq!(patterned.scales, [8.0 / 6.0, 2.0, 8.0 / 3.0]);
    assert_eq!(report("rslora").scales, [8.0 / 8.0f64.sqrt()]);
    assert_eq!(report("alpha-pattern").scales, [3.0 / 4.0, 2.0, 5.0]);
    let layers = report("layers");
    assert_eq!(
        (&layers.layers[..], &layers.modules[..]),
        (&[0, 2][..], &["q_proj", "o_proj", "down_proj"][..])
    );
    assert_eq!(report("regex").layers, [1, 2]);

    let rank4 = serde_json::to_value(report("rank4")).unwrap();
    // Three layers of A `[4, 48]` and B `[48, 4]` for q, A `[4, 48]` and B `[16, 4]` for v.
    assert_eq!(rank4["parameters"], 3 * (4 * 48 + 48 * 4 + 4 * 48 + 16 * 4));
    assert_eq!(
        (&rank4["dtype"], &rank4["tensors"], &rank4["alpha"]),
        (&json!("F32"), &json!(12), &json!(8.0))
    );
}

#[test]
fn other_spellings_of_a_good_adapter_are_accepted() {
    let bench = Bench::new("llama");
    let accept = |what: &str, base: &str, change: fn(&mut Adapter)| {
        let mut adapter = Adapter::good(base);
        change(&mut adapter);
        bench.check(&adapter.files()).unwrap_or_else(|e| panic!("{what}: {e}"));
    };
    accept("names with the adapter's name", "llama/rank4", |a| a.rename(".weight", ".default.weight"));
    accept("all-linear as written by hand", "llama/rank8", |a| a.set("target_modules", json!("all-linear")));
    accept("an expression for a list", "llama/rank4", |a| a.set("target_modules", json!(r".*\.(q|v)_proj")));
    accept("full module names", "llama/rank4", |a| {
        let names = (0..3).flat_map(|i| ["q", "v"].map(|p| format!("model.layers.{i}.self_attn.{p}_proj")));
        a.set("target_modules", json!(names.collect::<Vec<_>>()));
    });
    accept("an expression with lazy groups and word bounds", "llama/rank8", |a| {
        let blocks = r"(?:self_attn|attention|attn|mlp|feed_forward|ffn|dense)";
        let linears = r"(?:q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)";
        let layers = format!(r"(?:\bmodel\.layers\.[\d]{{1,}}\.{blocks}\.(?:{linears}))");
        a.set(
            "target_modules",
            json!(format!(r"(?:.*?(?:language|text).*?{blocks}.*?{linears}.*?)|{layers}")),
        );
    });
    accept("the few fields of an early PEFT", "llama/rank4", |a| {
        a.config = json!({
            "base_model_name_or_path": "llama", "bias": "none", "enable_lora": null, "fan_in_fan_out": false,
            "inference_mode": true, "lora_alpha": 8, "lora_dropout": 0.05, "merge_weights": false,
            "modules_to_save": null, "peft_type": "LORA", "r": 4, "target_modules": ["q_proj", "v_proj"],
            "task_type": "CAUSAL_LM"
        });
    });
    accept("exclusion", "llama/rank4", |a| {
        a.set("target_modules", json!(["q_proj", "k_proj", "v_proj", "o_proj"]));
        a.set("exclude_modules", json!(".*(k|o)_proj"));
    });
    accept("no task type, with PEFT's auto mapping", "llama/rank4", |a| {
        a.set("task_type", json!(null));
        a.set("auto_mapping", json!({"base_model_class": "LlamaForCausalLM"}));
    });
    accept("an adapter's name of its own", "llama/rank4", |a| a.rename(".weight", ".customer-7.weight"));
    accept("no prefix", "llama/rank4", |a| a.rename("base_model.model.", ""));
    accept("settings of initialisers that it did not begin with", "llama/rank4", |a| {
        a.set("loftq_config", json!({"loftq_bits": 4}));
        a.set("corda_config", json!({"corda_method": "kpm"}));
        a.set("lora_ga_config", json!({"direction": "ArB2r"}));
    });
    accept("minor components", "llama/rank4", |a| a.set("init_lora_weights", json!("mica")));
    accept("PEFT's own targets", "llama/rank4", |a| {
        a.config.as_object_mut().unwrap().remove("target_modules");
    });
    accept("a gaussian start", "llama/rank4", |a| a.set("init_lora_weights", json!("gaussian")));
    accept("an unknown option that is off", "llama/rank4", |a| a.set("option_of_next_year", json!(false)));
    accept("overlapping patterns that agree", "llama/rank4", |a| {
        a.set("alpha_pattern", json!({"q_proj": 4, "self_attn.q_proj": 4}));
    });
    accept("tensors in another order", "llama/rank4", |a| a.tensors.reverse());
    accept("a zero B beside others", "llama/rank4", |a| a.tensor("lora_B").bytes.fill(0));
    accept("the highest rank allowed", "llama/rank4", |a| {
        a.set("r", json!(MAX_RANK));
        for tensor in &mut a.tensors {
            let shape: Vec<_> = tensor.shape.iter().map(|&n| if n == 4 { MAX_RANK } else { n }).collect();
            tensor.reshape(&shape);
        }
    });
}

#[test]
fn every_bad_adapter_is_refused_by_name() {
    let bench = Bench::new("llama");
    let all = bad::all();
    assert!(all.len() >= 110, "{}", all.len());
    for bad in &all {
        let rejection = match bench.check(&bad.files) {
            Ok(report) => panic!("{} ({:?}): accepted as {report:?}", bad.name, bad.code),
            Err(rejection) => rejection,
        };
        let AdapterRejection { code, param, message } = &rejection;
        assert_eq!(*code, bad.code, "{}: {rejection:?}", bad.name);
        match (param, bad.param) {
            (None, None) => {}
            (Some(param), Some(part)) => assert!(param.contains(part), "{}: {rejection:?}", bad.name),
            _ => panic!("{}: expected {:?} in {rejection:?}", bad.name, bad.param),
        }
        assert!(message.len() > 20 && message.len() < 600, "{}: {message}", bad.name);
        assert!(!message.contains(&*bench.folder.path().to_string_lossy()), "{}: {message}", bad.name);
    }
}

#[test]
fn a_report_names_the_checks_and_measures_every_projection() {
    let bench = Bench::new("llama");
    let mut adapter = Adapter::good("llama/rank4");
    let one = |a: &mut Adapter, part: &str, value: f32| {
        a.tensor(part).bytes.fill(0);
        a.tensor(part).set(1, 2, value);
    };
    for layer in 0..3 {
        one(&mut adapter, &format!("layers.{layer}.self_attn.v_proj.lora_A"), 3.0 + layer as f32);
        one(&mut adapter, &format!("layers.{layer}.self_attn.v_proj.lora_B"), -0.5);
    }
    let report = bench.check(&adapter.files()).unwrap();
    let before_memory: Vec<_> =
        codes::CHECKS.iter().map(|(name, _)| *name).take_while(|n| *n != "memory").collect();
    assert_eq!(report.checks, before_memory);
    assert_eq!(report.norms.iter().map(|norm| norm.module).collect::<Vec<_>>(), ["q_proj", "v_proj"]);
    let v_proj = &report.norms[1];
    // lora_alpha 8 over rank 4, times 5 (the largest of 3, 4 and 5), times one half.
    assert_eq!((v_proj.largest_a, v_proj.largest_b, v_proj.norm), (5.0, 0.5, 2.0 * 5.0 * 0.5));
    assert_eq!(report.base_model.as_deref(), Some("tenora-fixtures/llama"));
    assert_eq!(report.warnings, []);
}

#[test]
fn what_is_odd_but_served_is_a_warning() {
    let bench = Bench::new("llama");
    let warned = |what: &str, code: &str, part: &str, change: fn(&mut Adapter)| {
        let mut adapter = Adapter::good("llama/rank4");
        change(&mut adapter);
        let warnings = bench.check(&adapter.files()).unwrap().warnings;
        let [warning] = warnings.as_slice() else { panic!("{what}: {warnings:?}") };
        assert_eq!(warning.code, code, "{what}");
        assert!(warning.message.contains(part), "{what}: {warning:?}");
    };
    warned("a zero B", "modules_without_effect", "1 of 6 modules (model.layers.1.self_attn.v_proj)", |a| {
        a.tensor("layers.1.self_attn.v_proj.lora_B").bytes.fill(0);
    });
    warned("many zeros", "modules_without_effect", "5 of 6 modules", |a| {
        let all = a.tensors.iter_mut().filter(|t| t.name.contains("lora_A"));
        all.skip(1).for_each(|t| t.bytes.fill(0));
    });
    warned("a large scale", "large_scale", "50.0", |a| a.set("lora_alpha", json!(200)));
    warned("large numbers", "large_norm", "`q_proj`", |a| {
        a.tensor("layers.2.self_attn.q_proj.lora_A").set(0, 0, 300.0);
    });
}

#[test]
fn offline_the_base_is_a_folder_and_its_name_a_hint() {
    let base = fixtures().join("llama/base");
    let folder = fixtures().join("llama/rank4");
    let config = fs::read(folder.join("adapter_config.json")).unwrap();
    let weights = folder.join("adapter_model.safetensors");
    let report = check_adapter_offline(&base, &config, &weights, MAX_RANK).unwrap();
    let [warning] = report.warnings.as_slice() else { panic!("{:?}", report.warnings) };
    assert_eq!(warning.code, "base_model_differs");
    assert!(
        warning.message.contains("tenora-fixtures/llama") && warning.message.contains("`base`"),
        "{warning:?}"
    );
    // Of the base only its configuration is there, under the name that the adapter knows.
    let named = TempDir::new().unwrap();
    let base = named.path().join("llama");
    fs::create_dir(&base).unwrap();
    fs::copy(fixtures().join("llama/base/config.json"), base.join("config.json")).unwrap();
    assert_eq!(check_adapter_offline(&base, &config, &weights, MAX_RANK).unwrap().warnings, []);
    let refused = check_adapter_offline(&base, &config, &weights, 3);
    assert!(
        matches!(&refused, Err(EngineError::Adapter(why)) if why.code == codes::RANK_TOO_HIGH),
        "{refused:?}"
    );
    let elsewhere = check_adapter_offline(named.path(), &config, &weights, MAX_RANK);
    assert!(matches!(elsewhere, Err(EngineError::BaseModel { .. })), "{elsewhere:?}");
}

#[test]
fn a_bad_number_is_named_with_its_row() {
    let bench = Bench::new("llama");
    let mut adapter = Adapter::good("llama/rank4");
    adapter.tensor("layers.1.self_attn.v_proj.lora_B").set(11, 2, f32::NAN);
    let rejection = bench.check(&adapter.files()).unwrap_err();
    assert!(rejection.message.contains("layers.1.self_attn.v_proj.lora_B"), "{rejection}");
    assert!(rejection.message.contains("row 11"), "{rejection}");
}

#[test]
fn an_adapter_of_another_base_is_refused() {
    for (base, adapter, code) in [
        ("qwen2", "llama/rank4", codes::LAYER_OUT_OF_RANGE),
        ("llama", "qwen2/rank4", codes::TARGETS_DISAGREE),
        ("qwen3", "mistral-sharded/rank8", "accepted"),
        ("qwen2", "mistral-sharded/rank8", codes::WRONG_SHAPE),
    ] {
        let outcome = Bench::new(base).check(&Adapter::good(adapter).files());
        assert_eq!(outcome.map_or_else(|e| e.code, |_| "accepted"), code, "{adapter} on {base}");
    }
}

#[test]
fn the_loader_refuses_what_the_check_refuses() {
    let bench = Bench::new("llama");
    let loader = runner().loader();
    for bad in bad::all() {
        let files = bench.stored(&bad.files, digest(&bad.files));
        let code = loader.load(&files).err().map(|rejection| rejection.code);
        // The loader stops reading an oversized config, so it cannot know its digest.
        let expected = if bad.code == codes::CONFIG_TOO_LARGE { codes::DIGEST_MISMATCH } else { bad.code };
        assert_eq!(code, Some(expected), "{}", bad.name);
    }
}

#[test]
fn the_loader_keeps_nothing_but_the_promised_bytes() {
    let bench = Bench::new("llama");
    let loader = runner().loader();
    let good = Adapter::good("llama/rank4").files();
    assert!(loader.load(&bench.stored(&good, digest(&good))).is_ok());

    let refused = |files: &Files, why: &str| {
        let code = loader.load(&bench.stored(files, digest(&good))).err().map(|rejection| rejection.code);
        assert_eq!(code, Some(codes::DIGEST_MISMATCH), "{why}");
    };
    let mut other = good.clone();
    let last = other.weights.len() - 4;
    other.weights[last] ^= 1;
    refused(&other, "one bit of one number, which is still a fine adapter");
    let mut other = good.clone();
    other.weights.truncate(last);
    refused(&other, "a truncated file is our damage, not the owner's mistake");
    let mut other = good.clone();
    other.config.push(b' ');
    refused(&other, "a space in the config");

    let mut gone = bench.stored(&good, digest(&good));
    gone.weights = bench.folder.path().join("not-there");
    let rejection = loader.load(&gone).err().unwrap();
    assert_eq!(rejection.code, codes::UNREADABLE);
    assert!(!rejection.message.contains("not-there"), "{rejection}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Whatever happens to the bytes, the answer is a report or a refusal.
    #[test]
    fn damaged_files_never_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8, any::<bool>()), 0..12),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        in_config in prop::bool::weighted(0.3),
    ) {
        let bench = Bench::new("llama");
        let mut files = Adapter::good("llama/regex").files();
        let header = 8 + u64::from_le_bytes(files.weights[..8].try_into().unwrap()) as usize;
        let bytes = if in_config { &mut files.config } else { &mut files.weights };
        for (index, bit, in_header) in flips {
            // Most of the file is numbers; half of the damage goes to the header.
            let range = if in_header && !in_config { header } else { bytes.len() };
            bytes[index.index(range)] ^= 1 << bit;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Err(rejection) = bench.check(&files) {
            prop_assert!(rejection.code.starts_with("adapter_"));
            prop_assert!(rejection.message.len() < 2000);
        }
    }

    /// A header of any text is answered too.
    #[test]
    fn any_header_is_answered(text in "[{}\\[\\]\":,a-z0-9_. -]{0,200}", length in prop::option::of(any::<u64>())) {
        let bench = Bench::new("llama");
        let mut files = Adapter::good("llama/regex").files_with_header(&text);
        if let Some(length) = length {
            files.weights[..8].copy_from_slice(&length.to_le_bytes());
        }
        prop_assert!(bench.check(&files).is_err());
    }
}
