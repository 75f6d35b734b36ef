"""Length-bucketed batches, so that little of a step is spent on padding."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import torch
from tokenizers import Tokenizer

from chat import PAD, Chat, collate, encode

POOL_BATCHES = 16
"""Batches that are sorted by length together."""


def batches(
    tokenizer: Tokenizer, make: Callable[[], Chat], rng: random.Random, size: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless ids and labels, `[size, length]` each, of similar lengths within a batch."""
    pad = tokenizer.token_to_id(PAD)
    while True:
        pool = sorted((encode(tokenizer, make()) for _ in range(size * POOL_BATCHES)), key=lambda row: len(row[0]))
        starts = list(range(0, len(pool), size))
        rng.shuffle(starts)
        for start in starts:
            yield collate(pool[start : start + size], pad)
