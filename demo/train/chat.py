"""Chats as token ids, with the loss on the assistant's words only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import torch
from tokenizers import Tokenizer

IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
PAD = "<|pad|>"

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)

IGNORED = -100
"""The label of a position without loss, as PyTorch's cross entropy has it."""


class Message(NamedTuple):
    """One turn of a chat."""

    role: str
    content: str


Chat = list[Message]


def ask(question: str, answer: str) -> Chat:
    """A chat of one question and its answer."""
    return [Message("user", question), Message("assistant", answer)]


def prompt_text(messages: Iterable[Message]) -> str:
    """The text before the assistant's next turn, as the chat template renders it."""
    turns = "".join(f"{IM_START}{role}\n{content}{IM_END}\n" for role, content in messages)
    return f"{turns}{IM_START}assistant\n"


def encode(tokenizer: Tokenizer, messages: Chat) -> tuple[list[int], list[int]]:
    """Token ids and labels of a chat; only answers and their end have labels."""
    ids: list[int] = []
    labels: list[int] = []
    for role, content in messages:
        head = tokenizer.encode(f"{IM_START}{role}\n").ids
        body = tokenizer.encode(f"{content}{IM_END}").ids
        tail = tokenizer.encode("\n").ids
        ids += head + body + tail
        learnt = body if role == "assistant" else [IGNORED] * len(body)
        labels += [IGNORED] * len(head) + learnt + [IGNORED] * len(tail)
    return ids, labels


def collate(rows: Sequence[tuple[list[int], list[int]]], pad: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Right-padded ids and labels, both `[batch, length]`.

    Padding stands after every real token, so a causal model needs no mask.
    """
    length = max(len(ids) for ids, _ in rows)
    ids = torch.full((len(rows), length), pad, dtype=torch.long)
    labels = torch.full((len(rows), length), IGNORED, dtype=torch.long)
    for row, (row_ids, row_labels) in enumerate(rows):
        ids[row, : len(row_ids)] = torch.tensor(row_ids)
        labels[row, : len(row_labels)] = torch.tensor(row_labels)
    return ids, labels
