"""Train one LoRA adapter on the shipped base and write it as PEFT does."""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer

from batches import batches
from chat import PAD, Chat, Message, ask, collate, encode
from corpus import SYSTEM_PROMPTS
from learning import Optimiser, answer_loss, exact_rows, rate
from shipping import load_base, save_adapter
from tasks import TASKS, examples, held_out_set
from words import COMPANIES, pick

SEED = 23
CHECK_SEED = 29
"""The seed of the held-out check; the published evaluation uses another one."""

RANK = 16
ALPHA = 32
MODULES = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BATCH = 32
PEAK_RATE = 3e-3
WARMUP_STEPS = 40
DECAY_FROM = 0.2
CHECK_STEPS = 100
CHECK_EXAMPLES = 200
SYSTEM_SHARE = 0.1


def task_chat(example: tuple[str, str], rng: random.Random) -> Chat:
    """One task example as a chat, now and then behind a system prompt."""
    messages = ask(*example)
    if rng.random() < SYSTEM_SHARE:
        prompt = pick(rng, SYSTEM_PROMPTS).format(company=pick(rng, COMPANIES))
        return [Message("system", prompt), *messages]
    return messages


def main() -> None:
    """Train, log the held-out exact match, and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=sorted(TASKS))
    parser.add_argument("--base", type=Path, default=Path("../base"))
    parser.add_argument("--adapters", type=Path, default=Path("../adapters"))
    parser.add_argument("--steps", type=int, default=700)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)

    tokenizer = Tokenizer.from_file(str(options.base / "tokenizer.json"))
    lora = LoraConfig(
        r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, bias="none", target_modules=MODULES, task_type="CAUSAL_LM"
    )
    model = get_peft_model(load_base(options.base), lora)
    inner = model.get_base_model()
    optimiser = Optimiser(model, PEAK_RATE, PEAK_RATE)

    rng = random.Random(f"{options.task}/{SEED}")
    source = examples(options.task, SEED, held_out=False)
    stream = batches(tokenizer, lambda: task_chat(next(source), rng), rng, BATCH)
    check_rows = [encode(tokenizer, ask(*one)) for one in held_out_set(options.task, CHECK_SEED, CHECK_EXAMPLES)]
    check = collate(check_rows, tokenizer.token_to_id(PAD))
    started, losses = time.monotonic(), []
    for step in range(options.steps):
        loss = answer_loss(inner, *next(stream))
        loss.backward()
        optimiser.step(rate(step, options.steps, WARMUP_STEPS, DECAY_FROM))
        losses.append(loss.item())
        if (step + 1) % CHECK_STEPS == 0 or step + 1 == options.steps:
            exact = exact_rows(inner, *check).float().mean()
            recent = sum(losses[-CHECK_STEPS:]) / len(losses[-CHECK_STEPS:])
            spent = time.monotonic() - started
            print(f"{options.task} step {step + 1}  loss {recent:.4f}  held out {exact:.3f}  {spent:.0f} s", flush=True)
    save_adapter(model, options.adapters / options.task)


if __name__ == "__main__":
    main()
