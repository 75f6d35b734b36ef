"""The evaluation table without a server: transformers and PEFT, greedy decoding.

It loads the files as shipped, through the tokenizer, chat template and
generation defaults a client of the format would use.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from tasks import TASKS

MAX_NEW_TOKENS = 80
BATCH = 25


def answers(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, inputs: list[str]) -> list[str]:
    """Greedy answers to single user messages."""
    written: list[str] = []
    for start in range(0, len(inputs), BATCH):
        chats = [[{"role": "user", "content": text}] for text in inputs[start : start + BATCH]]
        prompts = tokenizer.apply_chat_template(
            chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
        )
        output = model.generate(**prompts, max_new_tokens=MAX_NEW_TOKENS, do_sample=False)
        written += tokenizer.batch_decode(output[:, prompts["input_ids"].shape[1] :], skip_special_tokens=True)
    return written


def main() -> None:
    """Print the table: base and adapters by tasks, whole-answer exact match."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path, default=Path(".."))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--dtype", choices=("float32", "float16", "bfloat16"), default="float32", help="of the arithmetic")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    tokenizer = AutoTokenizer.from_pretrained(options.demo / "base", padding_side="left")
    held_out = {
        task: [json.loads(line) for line in (options.demo / "eval" / f"{task}.jsonl").read_text().splitlines()]
        for task in TASKS
    }
    print("| model | " + " | ".join(TASKS) + " |")
    print("|---" * (len(TASKS) + 1) + "|")
    for name in ("base", *TASKS):
        model = AutoModelForCausalLM.from_pretrained(options.demo / "base", dtype=getattr(torch, options.dtype))
        if name != "base":
            model = PeftModel.from_pretrained(model, options.demo / "adapters" / name)
        cells = []
        for examples in held_out.values():
            written = answers(model, tokenizer, [example["input"] for example in examples])
            right = sum(text == example["expected"] for text, example in zip(written, examples, strict=True))
            cells.append(f"{100 * right / len(examples):.0f} %")
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
