#!/usr/bin/env python3
"""Decoding by transformers and PEFT, each row of a batch with an adapter of its own, on the model and adapters that
`engine/benches/gpu.rs` made: what the same steps take without kernels for mixed adapters. Prints a table in Markdown.

    bench/peft_batches.py FOLDER [--streams 1,4,16,32,64] [--device cuda]

FOLDER is that of a shape, such as .tenora/bench/gpu-llama-3.2-1b; torch, transformers and peft are installed.
"""

import argparse
import json
import pathlib
import statistics
import time

import torch
from peft import PeftModel
from transformers import DynamicCache, LlamaConfig, LlamaForCausalLM

# As in engine/benches/gpu.rs.
RANKS = [8, 16, 32, 64]
PAST = 512
LEAST_STEPS, PATIENCE = 5, 0.4
WARM_UP = 3


def synchronise(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@torch.inference_mode()
def step(model, streams, device, **adapters):
    """The median time of a decoding step behind PAST tokens of each stream, in seconds."""
    tokens = torch.arange(streams * PAST, device=device).view(streams, PAST) * 31 % model.config.vocab_size
    cache = DynamicCache(config=model.config)
    model(input_ids=tokens, past_key_values=cache, logits_to_keep=1, **adapters)
    times, begun = [], time.perf_counter()
    while len(times) < WARM_UP + LEAST_STEPS or time.perf_counter() - begun < PATIENCE:
        synchronise(device)
        step_begun = time.perf_counter()
        model(input_ids=tokens[:, :1], past_key_values=cache, **adapters)
        synchronise(device)
        times.append(time.perf_counter() - step_begun)
        cache.crop(-1)
    return statistics.median(times[WARM_UP:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--streams", default="1,4,16,32,64")
    parser.add_argument("--device", default="cuda")
    arguments = parser.parse_args()
    device = torch.device(arguments.device)
    streams = [int(count) for count in arguments.streams.split(",")]

    config = LlamaConfig(**json.loads((arguments.folder / "config.json").read_text()))
    model = LlamaForCausalLM.from_pretrained(arguments.folder, config=config, dtype=torch.bfloat16)
    model = model.to(device).eval()
    base = {count: step(model, count, device) for count in streams}

    names = [f"a{number}" for number in range(max(streams))]
    for number, name in enumerate(names):
        folder = arguments.folder / f"adapter-of-7-rank{RANKS[number % len(RANKS)]}"
        if number == 0:
            model = PeftModel.from_pretrained(model, folder, adapter_name=name)
        else:
            model.load_adapter(folder, adapter_name=name)
    model = model.eval()

    print(f"\nPEFT, decoding behind {PAST} tokens; ranks {RANKS} in turn.\n")
    print("| streams | mix | ms a step | tokens/s | of base only |\n|--:|---|--:|--:|--:|")
    for count in streams:
        mixes = {"identical": [names[0]] * count, "distinct": names[:count]}
        taken = {mix: step(model, count, device, adapter_names=own) for mix, own in mixes.items()}
        for mix, seconds in {"base only": base[count], **taken}.items():
            speed, of_base = count / seconds, base[count] / seconds
            print(f"| {count} | {mix} | {seconds * 1e3:.2f} | {speed:.0f} | {of_base:.2f} |", flush=True)


if __name__ == "__main__":
    main()
