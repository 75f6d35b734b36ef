"""Makes the golden fixtures: tiny random base models, PEFT adapters on them, and what PEFT computes with both.

See fixtures/README.md. Fixed seeds; needs torch, transformers, peft and safetensors; writes only below fixtures/.
"""

import json
import shutil
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    Qwen2Config,
    Qwen3Config,
)

FIXTURES = Path(__file__).resolve().parent / "fixtures"
PROMPT_LENGTHS = (37, 5)  # more than two KV blocks of 16, and less than one
GREEDY_TOKENS = 6
ATTENTION = ["q_proj", "k_proj", "v_proj", "o_proj"]
MLP = ["gate_proj", "up_proj", "down_proj"]

COMMON = dict(max_position_embeddings=256, bos_token_id=1, eos_token_id=2, pad_token_id=0)

MODELS = {
    # Three layers, untied; each branch of llama3 rope scaling is met by one of the four frequencies.
    "llama": dict(
        config=LlamaConfig(
            vocab_size=160, hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=6,
            num_key_value_heads=2, tie_word_embeddings=False,
            rope_parameters=dict(rope_type="llama3", rope_theta=10000.0, factor=8.0, low_freq_factor=1.0,
                                 high_freq_factor=4.0, original_max_position_embeddings=64),
            **COMMON),
        adapters={
            "rank4": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
            "rank8": dict(r=8, lora_alpha=16, target_modules="all-linear"),
            "rank16": dict(r=16, lora_alpha=16, target_modules=ATTENTION),
            "rank5": dict(r=5, lora_alpha=7, target_modules=MLP),
            "rslora": dict(r=8, lora_alpha=8, use_rslora=True, target_modules=ATTENTION + MLP),
            "rank-pattern": dict(r=4, lora_alpha=8, target_modules=ATTENTION + MLP,
                                 rank_pattern={"layers.0.self_attn.q_proj": 6, "down_proj": 3}),
            "alpha-pattern": dict(r=4, lora_alpha=8, target_modules=["v_proj", "up_proj"],
                                  alpha_pattern={r"layers\.1\.mlp\.up_proj": 20, "v_proj": 3}),
            "layers": dict(r=4, lora_alpha=8, target_modules=["q_proj", "o_proj", "down_proj"],
                           layers_to_transform=[0, 2], layers_pattern="layers"),
            "regex": dict(r=4, lora_alpha=16, target_modules=r".*layers\.[12]\.self_attn\.(q|k)_proj"),
        },
    ),
    "llama-tied-bf16": dict(
        config=LlamaConfig(
            vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=1, tie_word_embeddings=True, mlp_bias=True, attention_bias=True,
            rope_parameters=dict(rope_type="linear", rope_theta=10000.0, factor=4.0), **COMMON),
        dtype=torch.bfloat16,
        adapters={"rank8": dict(r=8, lora_alpha=16, target_modules="all-linear")},
    ),
    "mistral-sharded": dict(
        config=MistralConfig(
            vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, head_dim=16, sliding_window=None, tie_word_embeddings=False, **COMMON),
        shard="40KB",
        adapters={
            "rank8": dict(r=8, lora_alpha=16, target_modules="all-linear"),
            "rank4": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
        },
    ),
    "qwen2": dict(
        config=Qwen2Config(
            vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, tie_word_embeddings=True, **COMMON),
        adapters={
            "rank8": dict(r=8, lora_alpha=16, target_modules="all-linear"),
            "rank4": dict(r=4, lora_alpha=8, target_modules=["k_proj", "down_proj"]),
        },
    ),
    "qwen3": dict(
        config=Qwen3Config(
            vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, head_dim=16, tie_word_embeddings=False, **COMMON),
        adapters={
            "rank8": dict(r=8, lora_alpha=16, target_modules="all-linear"),
            "rank7-bf16": dict(r=7, lora_alpha=10, target_modules=ATTENTION, dtype=torch.bfloat16),
        },
    ),
    "qwen3-tied-f16": dict(
        config=Qwen3Config(
            vocab_size=128, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1, head_dim=8, tie_word_embeddings=True, **COMMON),
        dtype=torch.float16,
        adapters={"rank8-f16": dict(r=8, lora_alpha=16, target_modules="all-linear", dtype=torch.float16)},
    ),
}


def randomise(model):
    """Weights large enough that every part of the model shows in the logits."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if name.endswith("norm.weight"):
                weight.copy_(1.0 + 0.2 * torch.randn_like(weight))
            elif name.endswith(".bias"):
                weight.normal_(0.0, 0.2)
            else:
                weight.normal_(0.0, 0.15)


def make_base(name, spec):
    folder = FIXTURES / name
    model = AutoModelForCausalLM.from_config(spec["config"], attn_implementation="eager")
    randomise(model)
    model.tie_weights()
    model.to(spec.get("dtype", torch.float32))
    model.save_pretrained(folder / "base", max_shard_size=spec.get("shard", "1GB"))
    return load_base(folder)


def load_base(folder):
    """What the files say, computed in f32."""
    base = folder / "base"
    return AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32, attn_implementation="eager").eval()


def make_adapter(name, folder, adapter, spec):
    options = dict(spec)
    dtype = options.pop("dtype", None)
    model = get_peft_model(load_base(folder), LoraConfig(task_type="CAUSAL_LM", lora_dropout=0.05, **options))
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if "lora_" in key:
                weight.normal_(0.0, 0.15)
    model.peft_config["default"].base_model_name_or_path = f"tenora-fixtures/{name}"
    out = folder / adapter
    model.save_pretrained(out)
    (out / "README.md").unlink(missing_ok=True)
    settle_order(out / "adapter_config.json")
    if dtype is not None:
        weights = out / "adapter_model.safetensors"
        save_file({k: v.to(dtype) for k, v in load_file(weights).items()}, weights, metadata={"format": "pt"})


def settle_order(path):
    """PEFT writes target_modules from a set, in another order every time."""
    config = json.loads(path.read_text())
    if isinstance(config["target_modules"], list):
        config["target_modules"].sort()
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


@torch.no_grad()
def greedy(model, prompt):
    """The greedy continuation, and the logits that chose each of its tokens, `[GREEDY_TOKENS, vocab]`."""
    tokens = list(prompt)
    for _ in range(GREEDY_TOKENS):
        logits = model(torch.tensor([tokens]), use_cache=False).logits[0]
        tokens.append(int(logits[-1].argmax()))
    return tokens[len(prompt):], logits[len(prompt) - 1:].float().contiguous()


@torch.no_grad()
def forced(model, prompt, continuation):
    """The logits at the same places when the continuation is given."""
    tokens = torch.tensor([list(prompt) + continuation[:-1]])
    return model(tokens, use_cache=False).logits[0, len(prompt) - 1:].float().contiguous()


def main():
    for number, (name, spec) in enumerate(MODELS.items()):
        torch.manual_seed(1000 + number)
        folder = FIXTURES / name
        shutil.rmtree(folder, ignore_errors=True)
        base = make_base(name, spec)
        vocab = spec["config"].vocab_size
        prompts = [torch.randint(3, vocab, (n,)).tolist() for n in PROMPT_LENGTHS]
        for adapter, options in spec["adapters"].items():
            make_adapter(name, folder, adapter, options)

        cases, tensors = [], {}
        for adapter in [None, *spec["adapters"]]:
            if adapter is None:
                model, merged = base, None
            else:
                model = PeftModel.from_pretrained(load_base(folder), folder / adapter).eval()
                merged = PeftModel.from_pretrained(load_base(folder), folder / adapter).merge_and_unload().eval()
            for index, prompt in enumerate(prompts):
                key = f"{adapter or 'base'}.{index}"
                tokens, tensors[key] = greedy(model, prompt)
                if merged is not None:
                    tensors[f"{key}.merged"] = forced(merged, prompt, tokens)
                cases.append(dict(adapter=adapter, prompt=index, greedy=tokens, logits=key))
        save_file(tensors, folder / "expected.safetensors")
        text = json.dumps(dict(prompts=prompts, cases=cases), indent=1)
        (folder / "expected.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
