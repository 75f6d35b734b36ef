"""Writing models in the dtype they are shipped in, in the Hugging Face layout."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import torch
from peft import PeftModel
from transformers import GenerationConfig, LlamaForCausalLM

SHIPPED_DTYPE = torch.float16
BASE_NAME = "tenora/demo-base"


def save_base(model: LlamaForCausalLM, folder: Path) -> None:
    """The base's weights, configuration and generation defaults.

    `rope_theta` is written beside `rope_parameters`: readers of either
    generation of the format find it.
    """
    rounded = copy.deepcopy(model).to(SHIPPED_DTYPE)
    rounded.generation_config = GenerationConfig(
        eos_token_id=model.config.eos_token_id, pad_token_id=model.config.pad_token_id
    )
    rounded.save_pretrained(folder)
    path = folder / "config.json"
    config = json.loads(path.read_text())
    config["rope_theta"] = config["rope_parameters"]["rope_theta"]
    config["torch_dtype"] = config["dtype"]
    path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")


def load_base(folder: Path) -> LlamaForCausalLM:
    """The shipped base, its rounded weights widened to f32 for training and evaluation."""
    return LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32)


def save_adapter(model: PeftModel, folder: Path) -> None:
    """The adapter's two files as PEFT writes them, and nothing else."""
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(SHIPPED_DTYPE)
    model.peft_config["default"].base_model_name_or_path = BASE_NAME
    model.peft_config["default"].target_modules = sorted(model.peft_config["default"].target_modules)
    model.save_pretrained(folder, save_embedding_layers=False)
    (folder / "README.md").unlink(missing_ok=True)
