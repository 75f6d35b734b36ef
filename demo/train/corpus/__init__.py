"""The base model's corpus: synthetic business English chats, made on the fly.

Most of it is copying and reformatting, which is what a small model needs
before adapters can teach it formats; the rest is breadth. None of it has the
target format of the three adapter tasks.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from chat import Chat, Message
from corpus import copying, reformatting, rewriting, sorting, talk
from words import COMPANIES, pick

MIXTURE: tuple[tuple[float, Callable[[random.Random], Chat]], ...] = (
    (0.20, copying.chat),
    (0.46, reformatting.chat),
    (0.12, sorting.chat),
    (0.07, rewriting.chat),
    (0.15, talk.chat),
)

SYSTEM_PROMPTS = (
    "You are a helpful assistant.",
    "You are a helpful assistant for {company}.",
    "You work for {company}. Answer briefly.",
    "Be polite and short.",
)

SYSTEM_SHARE = 0.12


def example(rng: random.Random) -> Chat:
    """One chat of the mixture, sometimes opened by a system prompt."""
    shares = [share for share, _ in MIXTURE]
    make = rng.choices([make for _, make in MIXTURE], weights=shares)[0]
    messages = make(rng)
    if rng.random() < SYSTEM_SHARE:
        prompt = pick(rng, SYSTEM_PROMPTS).format(company=pick(rng, COMPANIES))
        messages = [Message("system", prompt), *messages]
    return messages
