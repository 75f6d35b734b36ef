"""Makes the format fixtures: adapters of the golden fixtures as other writers lay them out.

The numbers are those of a golden adapter, moved bit by bit, so what PEFT computed with it (expected.safetensors) is what
must come out here too. Only names of tensors and the config differ, after what each writer's source does. See
fixtures/README.md. Needs Python alone; draws nothing; writes only below fixtures/.
"""

import json
import re
import shutil
import struct
from pathlib import Path

FIXTURES = Path(__file__).resolve().parent / "fixtures"

# PEFT 0.3, before patterns, DoRA and versions.
EARLY_PEFT = dict(
    base_model_name_or_path="huggyllama/llama-7b", bias="none", enable_lora=None, fan_in_fan_out=False,
    inference_mode=True, lora_alpha=8.0, lora_dropout=0.05, merge_weights=False, modules_to_save=None,
    peft_type="LORA", r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM",
)

# What unsloth_zoo's get_peft_regex writes for attention alone, restricted to q_proj and v_proj, in 2025 and in 2026.
UNSLOTH_2025 = (
    r"(?:.*?(?:language|text).*?(?:self_attn|attention|attn).*?(?:q_proj|v_proj).*?)"
    r"|(?:\bmodel\.layers\.[\d]{1,}\.(?:self_attn|attention|attn)\.(?:(?:q_proj|v_proj)))"
)
UNSLOTH_2026 = (
    r"(?:.*?(?:language|text).*?(?:self_attn|attention|attn|mixer).*?\.(?:q_proj|v_proj))"
    r"|(?:\bmodel\.layers\.[\d]{1,}(?!.*\.experts\.\d)\..*?(?:self_attn|attention|attn|mixer).*?\.(?:(?:q_proj|v_proj)))"
)
UNSLOTH_MAPPING = dict(base_model_class="LlamaForCausalLM", parent_library="transformers.models.llama.modeling_llama",
                       unsloth_fixed=True)


def set_fields(**fields):
    return lambda config: config | fields


def only(*names, **fields):
    return lambda config: {name: config[name] for name in names} | fields


def named(adapter):
    """The adapter's name stands before `weight`, as in a model's own state dict."""
    return lambda name: name.replace(".weight", f".{adapter}.weight")


def fsdp(name):
    """FSDP around each layer and each LoRA matrix, with activation checkpointing in between."""
    name = re.sub(r"(layers\.\d+)\.", r"\1._fsdp_wrapped_module._checkpoint_wrapped_module.", name)
    name = re.sub(r"(lora_[AB])\.", r"\1.default._fsdp_wrapped_module.", name)
    return "_fsdp_wrapped_module." + name.replace(".default._fsdp_wrapped_module.", "._fsdp_wrapped_module.default.")


# folder: (golden adapter, what becomes of each name, what becomes of the config)
FORMATS = {
    "llama/format-peft-early": ("rank4", lambda n: n, lambda _: EARLY_PEFT),
    "llama/format-peft-named": ("rank4", named("customer_7"), set_fields()),
    "llama/format-peft-default-targets": ("rank4", lambda n: n, set_fields(target_modules=None)),
    "llama/format-peft-eva": (
        "rank4", lambda n: n,
        set_fields(init_lora_weights="eva", eva_config=dict(rho=1.0, tau=0.99, use_label_mask=True,
                                                            label_mask_value=-100, whiten=False,
                                                            adjust_scaling_factors=True))),
    "llama/format-unsloth": (
        "rank4", lambda n: n,
        set_fields(auto_mapping=UNSLOTH_MAPPING, base_model_name_or_path="unsloth/llama-3-8b-bnb-4bit",
                   lora_dropout=0, peft_version="0.18.0", loftq_config={})),
    "llama/format-unsloth-regex-2025": (
        "rank4", lambda n: n, set_fields(auto_mapping=UNSLOTH_MAPPING, target_modules=UNSLOTH_2025, task_type=None)),
    "llama/format-unsloth-regex-2026": (
        "rank4", lambda n: n, set_fields(auto_mapping=UNSLOTH_MAPPING, target_modules=UNSLOTH_2026, task_type=None)),
    "llama/format-axolotl-compiled": (
        "rank4", lambda n: "_orig_mod." + n, set_fields(layers_pattern=None, target_parameters=[], exclude_modules=None)),
    "llama/format-trl-fsdp": ("rank4", fsdp, set_fields(task_type="CAUSAL_LM")),
    "llama/format-trl-ddp": ("rank4", lambda n: "module." + named("default")(n), set_fields(task_type=None)),
    "llama/format-no-prefix": ("rank4", lambda n: n.removeprefix("base_model.model."), set_fields()),
    "qwen3-tied-f16/format-llama-factory": (
        "rank8-f16", lambda n: n,
        set_fields(base_model_name_or_path="/models/qwen3", lora_dropout=0.0, peft_version="0.18.1")),
    "qwen3/format-torchtune": (
        "rank7-bf16", lambda n: n,
        only("r", "lora_alpha", "target_modules", "peft_type", base_model_name_or_path="Qwen/Qwen3-0.6B")),
}


def read(path):
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    metadata = header.pop("__metadata__", None)
    tensors = {name: (info, data[8 + length:][slice(*info["data_offsets"])]) for name, info in header.items()}
    return metadata, tensors


def write(path, metadata, tensors):
    """As the safetensors library does: a header padded to eight bytes, then the tensors in its order."""
    header, at = {"__metadata__": metadata} if metadata else {}, 0
    for name, (info, data) in tensors.items():
        header[name] = info | {"data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, data in tensors.values()))


def main():
    listed = []
    for folder, (golden, rename, reconfigure) in FORMATS.items():
        model, name = folder.split("/")
        source, out = FIXTURES / model / golden, FIXTURES / folder
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        metadata, tensors = read(source / "adapter_model.safetensors")
        write(out / "adapter_model.safetensors", metadata, {rename(key): value for key, value in tensors.items()})
        config = reconfigure(json.loads((source / "adapter_config.json").read_text()))
        (out / "adapter_config.json").write_text(json.dumps(config, indent=2) + "\n")
        listed.append(dict(model=model, adapter=name, golden=golden))
    (FIXTURES / "formats.json").write_text(json.dumps(listed, indent=1) + "\n")


if __name__ == "__main__":
    main()
