"""The three adapter tasks: pure functions from a random source to (input, expected)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from itertools import islice

from tasks import brand_voice, text_to_sql, ticket_triage

Example = tuple[str, str]

TASKS: dict[str, Callable[[random.Random], Example]] = {
    "ticket-triage": ticket_triage.example,
    "text-to-sql": text_to_sql.example,
    "brand-voice": brand_voice.example,
}

HELD_OUT_SHARE = 10
"""One input in this many is held out."""


def is_held_out(text: str) -> bool:
    """Whether an input belongs to the held-out side; a property of its text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % HELD_OUT_SHARE == 0


def examples(task: str, seed: int, held_out: bool) -> Iterator[Example]:
    """An endless stream of one side of a task."""
    rng = random.Random(f"{task}/{seed}")
    while True:
        example = TASKS[task](rng)
        if is_held_out(example[0]) == held_out:
            yield example


def held_out_set(task: str, seed: int, count: int) -> list[Example]:
    """`count` held-out examples with distinct inputs."""
    seen: dict[str, str] = {}
    stream = examples(task, seed, held_out=True)
    while len(seen) < count:
        for text, expected in islice(stream, count - len(seen)):
            seen.setdefault(text, expected)
    return list(seen.items())
