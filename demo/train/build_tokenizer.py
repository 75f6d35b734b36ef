"""Train the byte-level BPE vocabulary and write the tokenizer's two files.

Digits are tokens of their own, so that copying a number is copying a sequence.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

import corpus
from chat import CHAT_TEMPLATE, IM_END, IM_START, PAD
from tasks import TASKS, examples

VOCABULARY = 2560
CORPUS_CHATS = 60_000
TASK_EXAMPLES = 8_000
CONTEXT_TOKENS = 512
SEED = 11


def texts() -> Iterator[str]:
    """The words of the base corpus and of every task's training side."""
    rng = random.Random(f"vocabulary/{SEED}")
    for _ in range(CORPUS_CHATS):
        for message in corpus.example(rng):
            yield message.content
    for task in TASKS:
        for text, expected in islice(examples(task, SEED, held_out=False), TASK_EXAMPLES):
            yield text
            yield expected
    yield from ["system", "user", "assistant"] * 1000


def train() -> Tokenizer:
    """A byte-level BPE tokenizer with the ChatML specials."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[AddedToken(text, special=True, normalized=False) for text in (PAD, IM_START, IM_END)],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(), trainer)
    return tokenizer


def write_config(folder: Path) -> None:
    """`tokenizer_config.json` beside `tokenizer.json`."""
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": CONTEXT_TOKENS,
        "clean_up_tokenization_spaces": False,
        "add_bos_token": False,
        "bos_token": None,
        "eos_token": IM_END,
        "pad_token": PAD,
        "unk_token": None,
        "added_tokens_decoder": {
            str(index): {
                "content": text,
                "lstrip": False,
                "normalized": False,
                "rstrip": False,
                "single_word": False,
                "special": True,
            }
            for index, text in enumerate((PAD, IM_START, IM_END))
        },
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def main() -> None:
    """Write both files into the base model's folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=Path("../base"))
    base: Path = parser.parse_args().base
    base.mkdir(parents=True, exist_ok=True)
    tokenizer = train()
    tokenizer.save(str(base / "tokenizer.json"))
    write_config(base)
    print(f"vocabulary of {tokenizer.get_vocab_size()} tokens in {base}")


if __name__ == "__main__":
    main()
