//! A base model's folder is taken exactly as it says, or refused with the file, field or tensor that is at fault.
#![expect(clippy::unwrap_used, reason = "helpers of tests: a fixture that cannot be read is a failed test")]

use std::{
    cell::RefCell,
    fs,
    path::{Path, PathBuf},
};

use safetensors::{Dtype, SafeTensors, serialize_to_file, tensor::TensorView};
use serde_json::{Value, json};
use tempfile::TempDir;
use tenora_engine::{
    config::{DeviceChoice, EngineConfig},
    model::{Architecture, Checkpoint, ModelConfig, Projection, RopeScaling},
    runner::{Runner, reference::ReferenceRunner},
};

fn fixture(model: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(model).join("base")
}

/// A copy of a fixture's base, to be spoilt.
struct Folder(TempDir);

impl Folder {
    fn copy(model: &str) -> Self {
        let folder = TempDir::new().unwrap();
        for file in fs::read_dir(fixture(model)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        Self(folder)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn edit(self, file: &str, change: impl FnOnce(&mut Value)) -> Self {
        let path = self.path().join(file);
        let mut json = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut json);
        fs::write(path, json.to_string()).unwrap();
        self
    }

    fn set(self, field: &str, value: Value) -> Self {
        self.edit("config.json", |config| config[field] = value)
    }

    fn config(&self) -> Result<ModelConfig, String> {
        ModelConfig::read(self.path()).map_err(|e| e.to_string())
    }

    fn open(&self) -> Result<Checkpoint, String> {
        Checkpoint::open(self.path(), &self.config().unwrap()).map_err(|e| e.to_string())
    }

    fn fingerprint(&self) -> String {
        self.open().unwrap().fingerprint(&self.config().unwrap(), &|_| ()).unwrap()
    }

    /// Rewrites `model.safetensors` with other tensors.
    fn rewrite(self, change: impl FnOnce(&mut Vec<(String, Dtype, Vec<usize>, Vec<u8>)>)) -> Self {
        let path = self.path().join("model.safetensors");
        let bytes = fs::read(&path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Vec<_> = file
            .tensors()
            .into_iter()
            .map(|(name, view)| (name, view.dtype(), view.shape().to_vec(), view.data().to_vec()))
            .collect();
        change(&mut tensors);
        let views = tensors.iter().map(|(name, dtype, shape, data)| {
            (name.clone(), TensorView::new(*dtype, shape.clone(), data).unwrap())
        });
        serialize_to_file(views.collect::<Vec<_>>(), None, &path).unwrap();
        self
    }
}

#[track_caller]
fn assert_refused<T>(outcome: Result<T, String>, parts: &[&str]) {
    let message = outcome.err().expect("must be refused");
    for part in parts {
        assert!(message.contains(part), "`{part}` in: {message}");
    }
}

#[test]
fn reads_what_the_families_write() {
    let llama = ModelConfig::read(&fixture("llama")).unwrap();
    assert_eq!((llama.architecture, llama.layers, llama.head_dim), (Architecture::Llama, 3, 8));
    assert_eq!((llama.context_length, &llama.eos_tokens[..]), (256, &[2][..]));
    let scaling = RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_context: 64.0,
    };
    assert_eq!(llama.rope.scaling, scaling);
    assert!(Projection::ALL.iter().all(|&p| !llama.has_bias(p)));

    let qwen2 = ModelConfig::read(&fixture("qwen2")).unwrap();
    let biased: Vec<_> = Projection::ALL.into_iter().filter(|&p| qwen2.has_bias(p)).collect();
    assert_eq!(biased, [Projection::QProj, Projection::KProj, Projection::VProj]);
    assert!(qwen2.tied_embeddings);

    let qwen3 = ModelConfig::read(&fixture("qwen3")).unwrap();
    assert!(qwen3.has_qk_norm());
    assert_eq!(qwen3.projection_dims(Projection::OProj), (64, 32));
}

#[test]
fn older_and_newer_spellings_say_the_same() {
    let newer = Folder::copy("llama").config().unwrap();
    let older = Folder::copy("llama").edit("config.json", |config| {
        let mut rope = config.as_object_mut().unwrap().remove("rope_parameters").unwrap();
        config["rope_theta"] = rope.as_object_mut().unwrap().remove("rope_theta").unwrap();
        config["rope_scaling"] = rope;
    });
    assert_eq!(older.config().unwrap(), newer);
    let oldest = Folder::copy("llama-tied-bf16").edit("config.json", |config| {
        config.as_object_mut().unwrap().remove("rope_parameters");
        config["rope_scaling"] = json!({"type": "linear", "factor": 4.0});
    });
    assert_eq!(oldest.config().unwrap().rope.scaling, RopeScaling::Linear { factor: 4.0 });
}

#[test]
fn generation_config_has_the_last_word_about_the_end() {
    let folder = Folder::copy("llama").set("eos_token_id", json!([2, 7]));
    assert_eq!(folder.config().unwrap().eos_tokens, [2], "generation_config.json says 2");
    fs::remove_file(folder.path().join("generation_config.json")).unwrap();
    assert_eq!(folder.config().unwrap().eos_tokens, [2, 7]);
    assert_refused(folder.set("eos_token_id", json!(160)).config(), &["eos_token_id", "160"]);
}

#[test]
fn a_sliding_window_shortens_the_context() {
    let window = |folder: Folder| folder.config().unwrap().context_length;
    assert_eq!(window(Folder::copy("mistral-sharded").set("sliding_window", json!(100))), 100);
    assert_eq!(window(Folder::copy("mistral-sharded").set("sliding_window", json!(4096))), 256);
    assert_eq!(window(Folder::copy("qwen2").set("sliding_window", json!(100))), 256, "not in use");
    let used = Folder::copy("qwen2").set("sliding_window", json!(100)).set("use_sliding_window", json!(true));
    assert_eq!(window(used), 100);
    let by_layer = Folder::copy("qwen3")
        .set("sliding_window", json!(64))
        .set("layer_types", json!(["full_attention", "sliding_attention"]));
    assert_eq!(window(by_layer), 64);
}

#[test]
fn what_would_be_computed_wrongly_is_refused() {
    for (field, value, parts) in [
        ("architectures", json!(["GemmaForCausalLM"]), &["architectures", "Gemma", "Qwen3ForCausalLM"][..]),
        ("architectures", json!([]), &["architectures"]),
        ("hidden_act", json!("gelu"), &["hidden_act", "gelu", "silu"]),
        ("rope_parameters", json!({"rope_type": "yarn", "factor": 4.0}), &["rope_type", "yarn", "llama3"]),
        ("rope_parameters", json!({"rope_type": "llama3", "factor": 4.0}), &["low_freq_factor", "missing"]),
        (
            "rope_parameters",
            json!({"full_attention": {"rope_theta": 1.0}}),
            &["rope_parameters", "layer type"],
        ),
        ("partial_rotary_factor", json!(0.5), &["partial_rotary_factor"]),
        ("quantization_config", json!({"bits": 4}), &["quantization_config", "bf16"]),
        ("hidden_size", json!("48"), &["hidden_size", "\"48\""]),
        ("hidden_size", json!(null), &["hidden_size", "missing"]),
        ("num_hidden_layers", json!(0), &["num_hidden_layers"]),
        ("num_hidden_layers", json!(4_000_000_000u64), &["num_hidden_layers", "1024"]),
        ("num_key_value_heads", json!(4), &["num_key_value_heads", "6"]),
        ("head_dim", json!(7), &["head_dim", "even"]),
        ("rms_norm_eps", json!(-1), &["rms_norm_eps"]),
        ("tie_word_embeddings", json!("no"), &["tie_word_embeddings"]),
        ("max_position_embeddings", json!(1e9), &["max_position_embeddings"]),
    ] {
        assert_refused(Folder::copy("llama").set(field, value).config(), parts);
    }
    let folder = Folder::copy("llama");
    fs::write(folder.path().join("config.json"), "{").unwrap();
    assert_refused(folder.config(), &["config.json", "not valid JSON"]);
    fs::remove_file(folder.path().join("config.json")).unwrap();
    assert_refused(folder.config(), &["config.json", "cannot be read"]);
}

#[test]
fn other_families_have_sizes_for_engines_that_compute_them() {
    let gemma = Folder::copy("llama")
        .set("architectures", json!(["GemmaForCausalLM"]))
        .set("hidden_act", json!("gelu_pytorch_tanh"));
    assert!(ModelConfig::read(gemma.path()).is_err(), "no runner here computes it");
    let (other, llama) =
        (ModelConfig::read_any(gemma.path()).unwrap(), ModelConfig::read_any(&fixture("llama")).unwrap());
    assert_eq!((other.architecture, llama.architecture), (Architecture::Other, Architecture::Llama));
    for projection in Projection::ALL {
        assert_eq!(other.projection_dims(projection), llama.projection_dims(projection));
    }
    assert_eq!((other.context_length, &other.eos_tokens), (llama.context_length, &llama.eos_tokens));
    let nothing = Folder::copy("llama").set("hidden_size", Value::Null);
    assert_refused(ModelConfig::read_any(nothing.path()).map_err(|e| e.to_string()), &["hidden_size"]);
}

#[test]
fn every_tensor_is_there_and_used() {
    let checkpoint = Folder::copy("llama").open().unwrap();
    assert_eq!(checkpoint.weight_bytes(), checkpoint.parameters() * 4);
    assert!(!checkpoint.is_sixteen_bit());
    assert!(Folder::copy("llama-tied-bf16").open().unwrap().is_sixteen_bit());

    let without = |name: &str| Folder::copy("llama").rewrite(|t| t.retain(|(n, ..)| n != name)).open();
    assert_refused(
        without("model.layers.1.mlp.up_proj.weight"),
        &["1 of", "model.layers.1.mlp.up_proj.weight"],
    );
    assert_refused(without("lm_head.weight"), &["lm_head.weight", "tie_word_embeddings"]);
    let with = |name: &str| {
        let extra = (name.to_owned(), Dtype::F32, vec![1], vec![0; 4]);
        Folder::copy("llama").rewrite(|t| t.push(extra)).open()
    };
    assert_refused(
        with("model.layers.3.mlp.up_proj.weight"),
        &["model.layers.3.mlp.up_proj.weight", "no use"],
    );
    assert_refused(with("model.layers.0.self_attn.q_proj.bias"), &["q_proj.bias", "no use"]);
    assert!(with("model.layers.0.self_attn.rotary_emb.inv_freq").is_ok());
    let bent = Folder::copy("llama").rewrite(|t| {
        let norm = t.iter_mut().find(|(n, ..)| n == "model.norm.weight").unwrap();
        (norm.2, norm.3) = (vec![47], vec![0; 47 * 4]);
    });
    assert_refused(bent.open(), &["model.norm.weight", "[47]", "[48]"]);
    let integers = Folder::copy("llama").rewrite(|t| t[0].1 = Dtype::I32);
    assert_refused(integers.open(), &["I32", "bf16"]);
}

#[test]
fn a_tied_head_may_repeat_the_embedding_and_nothing_else() {
    let with_head = |change: fn(&mut Vec<u8>)| {
        Folder::copy("qwen2").rewrite(|tensors| {
            let (_, dtype, shape, mut data) =
                tensors.iter().find(|(n, ..)| n == "model.embed_tokens.weight").unwrap().clone();
            change(&mut data);
            tensors.push(("lm_head.weight".to_owned(), dtype, shape, data));
        })
    };
    assert_eq!(with_head(|_| ()).fingerprint(), Folder::copy("qwen2").fingerprint());
    assert_refused(with_head(|data| data[0] ^= 1).open(), &["lm_head.weight"]);
}

#[test]
fn shards_are_named_by_an_index_in_the_same_folder() {
    const INDEX: &str = "model.safetensors.index.json";
    let name = |file: &str| {
        Folder::copy("mistral-sharded")
            .edit(INDEX, |index| index["weight_map"]["lm_head.weight"] = json!(file))
    };
    assert!(Folder::copy("mistral-sharded").open().is_ok());
    for outside in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "..", "model.bin", ""] {
        assert_refused(name(outside).open(), &["lm_head.weight", "same folder"]);
    }
    assert_refused(name("gone.safetensors").open(), &["gone.safetensors", "missing"]);

    let folder = Folder::copy("mistral-sharded");
    let (first, second) = ("model-00001-of-00004.safetensors", "model-00002-of-00004.safetensors");
    fs::copy(folder.path().join(first), folder.path().join(second)).unwrap();
    assert_refused(folder.open(), &["two weights files"]);
    let damaged = Folder::copy("llama");
    fs::write(damaged.path().join("model.safetensors"), b"\x80\x02pickle").unwrap();
    assert_refused(damaged.open(), &["damaged"]);
    fs::remove_file(damaged.path().join("model.safetensors")).unwrap();
    assert_refused(damaged.open(), &["model.safetensors", "safe_serialization"]);
}

#[test]
fn the_fingerprint_names_answers() {
    let fingerprint = Folder::copy("llama").fingerprint();
    assert_eq!(fingerprint.len(), 64);
    assert_eq!(Folder::copy("llama").fingerprint(), fingerprint);
    assert_eq!(Folder::copy("llama").set("use_cache", json!(false)).fingerprint(), fingerprint);
    assert_eq!(
        Folder::copy("llama").rewrite(|t| t.reverse()).fingerprint(),
        fingerprint,
        "order in the file"
    );
    let one_bit = Folder::copy("llama").rewrite(|t| t[3].3[0] ^= 1);
    assert_ne!(one_bit.fingerprint(), fingerprint);
    assert_ne!(Folder::copy("llama").set("rms_norm_eps", json!(1e-5)).fingerprint(), fingerprint);
    let mut rope = Folder::copy("llama");
    rope = rope.edit("config.json", |config| config["rope_parameters"]["factor"] = json!(4.0));
    assert_ne!(rope.fingerprint(), fingerprint);
}

#[test]
fn the_runner_reports_what_it_loaded_and_refuses_what_cannot_fit() {
    let load = |change: fn(&mut EngineConfig)| {
        let mut config = EngineConfig::new(fixture("llama"));
        (config.device, config.kv_bytes) = (DeviceChoice::Cpu, Some(1 << 20));
        change(&mut config);
        let progress = RefCell::new(Vec::new());
        let runner = ReferenceRunner::load(&config, &|p| progress.borrow_mut().push(p));
        runner.map(|runner| (runner, progress.into_inner())).map_err(|e| e.to_string())
    };
    let (runner, progress) = load(|_| ()).unwrap();
    assert_eq!(runner.base().weight_bytes, runner.base().parameters * 4);
    assert_eq!(progress.last().unwrap().done, runner.base().weight_bytes);
    assert!(progress.windows(2).all(|w| w[0].done < w[1].done && w[0].total == w[1].total));
    // Keys and values of three layers, 16 tokens, 2 heads of 8, in f32.
    assert_eq!(runner.kv_blocks(), (1 << 20) / (2 * 3 * 16 * 2 * 8 * 4));
    assert_eq!(runner.base().fingerprint, Folder::copy("llama").fingerprint());

    let (shorter, _) = load(|c| c.context_length = Some(100)).unwrap();
    assert_eq!(shorter.base().model.context_length, 100);
    assert_refused(load(|c| c.context_length = Some(257)), &["257", "256"]);
    assert_refused(load(|c| c.kv_bytes = Some(90_000)), &["256 tokens", "98304", "90000"]);
    assert!(load(|c| c.kv_bytes = Some(98_304)).is_ok());
    if !cfg!(feature = "cuda") {
        assert_refused(load(|c| c.device = DeviceChoice::Cuda(0)), &["CUDA", "--features cuda"]);
    }
}
