#!/usr/bin/env python3
"""Holds mistral.rs in the process to PEFT, on a base model that no engine of ours computes: Gemma, tiny and random.

    tests/compare/other_family.py path/to/tenora

The binary has mistral.rs built in; torch, transformers and peft are installed. Makes a model of two layers with the demo's
tokenizer, and an adapter with rsLoRA and rank patterns; has Tenora serve both, pushes the adapter, and compares the log
probabilities of greedy answers with PEFT's. Not part of `make test`.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, GemmaConfig

from asking import ROOT, get, port, wait

PROMPT, TOKENS = list(range(40, 77)), 12


def make(folder):
    """A base and an adapter below a folder, and what both say to the prompt, with and without the adapter."""
    torch.manual_seed(7)
    config = GemmaConfig(
        vocab_size=2560, hidden_size=96, intermediate_size=160, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=1,
        head_dim=32, max_position_embeddings=512, bos_token_id=1, eos_token_id=2, pad_token_id=0, rope_theta=10000.0,
    )
    model = AutoModelForCausalLM.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.08)
    model.save_pretrained(folder / "gemma")
    # As Gemma's own folders say it; transformers 5 says it in a block of its own.
    written = json.loads((folder / "gemma/config.json").read_text())
    written |= {"rope_theta": 10000.0, "hidden_act": "gelu_pytorch_tanh", "torch_dtype": "float32", "attention_bias": False}
    (folder / "gemma/config.json").write_text(json.dumps(written))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(ROOT / "demo/base" / name, folder / "gemma" / name)
    base = [greedy(model)]
    peft = get_peft_model(model, LoraConfig(
        r=6, lora_alpha=9, use_rslora=True, rank_pattern={"layers.1.mlp.down_proj": 3, "k_proj": 2},
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    )).eval()
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_" in name:
                parameter.normal_(0, 0.1)
    peft.save_pretrained(folder / "adapter")
    return base + [greedy(peft)]


@torch.no_grad()
def greedy(model):
    tokens, told = list(PROMPT), []
    for _ in range(TOKENS):
        logits = model(torch.tensor([tokens])).logits[0, -1].float()
        best = int(logits.argmax())
        told.append(float(torch.log_softmax(logits, 0)[best]))
        tokens.append(best)
    return told


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tenora")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        expected = make(scratch)
        url, admin = f"http://127.0.0.1:{(own := port())}", "an-admin-key-of-this-script-alone-0123456789"
        env = {name: value for name, value in os.environ.items() if not name.startswith("TENORA_")} | {
            "TENORA_LISTEN": f"127.0.0.1:{own}", "TENORA_DATA_DIR": str(scratch / "data"), "TENORA_MODEL": str(scratch / "gemma"),
            "TENORA_ADMIN_KEY": admin, "TENORA_ENGINE": "mistralrs", "TENORA_DEVICE": "cpu",
        }
        server = subprocess.Popen([options.tenora, "serve"], env=env)
        try:
            wait(f"{url}/readyz", server, "tenora")
            get(f"{url}/admin/v1/tenants", admin, {"slug": "one", "name": "One"})
            key = get(f"{url}/admin/v1/tenants/one/keys", admin, {"name": "script"})["key"]
            push = [options.tenora, "adapter", "push", str(scratch / "adapter"), "--name", "tuned"]
            subprocess.run(push, env=env | {"TENORA_API_KEY": key, "TENORA_URL": url}, check=True)
            far = []
            for model, wanted in zip(("gemma", "tuned"), expected):
                body = {"model": model, "prompt": PROMPT, "temperature": 0, "max_tokens": TOKENS, "logprobs": 0}
                told = get(f"{url}/v1/completions", key, body)["choices"][0]["logprobs"]["token_logprobs"]
                assert len(told) == TOKENS, told
                far.append(max(abs(a - b) for a, b in zip(told, wanted)))
            changed = max(abs(a - b) for a, b in zip(*expected))
            print(f"{TOKENS} tokens: the base {far[0]:.6f} from transformers, the adapter {far[1]:.6f} from PEFT; it changes {changed:.2f}")
            if max(far) > 1e-3 or changed < 0.1:
                sys.exit("FAILED")
        finally:
            server.terminate()
            server.wait(60)


main()
