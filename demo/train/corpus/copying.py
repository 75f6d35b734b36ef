"""Copying: repeat, pick a position, continue a list, remember across turns."""

from __future__ import annotations

import random

from chat import Chat, Message, ask
from words import (
    ADJECTIVES,
    COLOURS,
    GENERAL,
    THINGS,
    WEEKDAYS,
    any_name,
    any_place,
    clock,
    code,
    date,
    digits,
    pick,
    product,
)


def chat(rng: random.Random) -> Chat:
    """One copying chat."""
    return pick(rng, (_repeat, _repeat, _position, _list_item, _number, _remember))(rng)


def drill(rng: random.Random, pieces: list[str]) -> Chat:
    """Repeat a run of the vocabulary's pieces.

    With tied and later frozen embeddings, a token that never stands in an
    answer is one that no adapter can teach the model to write.
    """
    text = "".join(pick(rng, pieces) for _ in range(rng.randint(3, 10))).strip()
    return ask(f"Repeat: {text}", text)


def phrase(rng: random.Random) -> str:
    """A short run of words, names and numbers without grammar."""
    makers = (
        any_name,
        any_place,
        product,
        date,
        clock,
        code,
        lambda r: digits(r, 1, 5),
        lambda r: pick(r, THINGS),
        lambda r: pick(r, ADJECTIVES),
        lambda r: pick(r, COLOURS),
        lambda r: pick(r, WEEKDAYS),
        lambda r: pick(r, GENERAL),
        lambda r: pick(r, GENERAL),
    )
    return " ".join(pick(rng, makers)(rng) for _ in range(rng.randint(1, 5)))


def _repeat(rng: random.Random) -> Chat:
    text = phrase(rng)
    question = pick(rng, ("Repeat: {}", "Say {}", "Repeat after me: {}", "Write {} in quotes.", "Say it twice: {}"))
    if question.startswith("Write"):
        return ask(question.format(text), f"'{text}'")
    if "twice" in question:
        return ask(question.format(text), f"{text}, {text}")
    return ask(question.format(text), text)


def _position(rng: random.Random) -> Chat:
    words = [pick(rng, (any_name, any_place, lambda r: pick(r, THINGS), lambda r: pick(r, ADJECTIVES)))(rng).split()[0]
             for _ in range(rng.randint(2, 6))]
    which, index = pick(rng, (("first", 0), ("last", -1), ("second", 1)))
    return ask(f"What is the {which} word of: {' '.join(words)}", words[index])


def _list_item(rng: random.Random) -> Chat:
    items = [any_name(rng) for _ in range(rng.randint(3, 5))]
    place = rng.randrange(len(items) - 1)
    before, after = items[place], items[place + 1]
    if items.count(before) > 1:
        return _repeat(rng)
    question = pick(rng, ("{list}. Who comes after {name}?", "The queue is {list}. Who is next after {name}?"))
    return ask(question.format(list=", ".join(items), name=before), after)


def _number(rng: random.Random) -> Chat:
    number, thing, name = digits(rng, 1, 6), pick(rng, THINGS), any_name(rng)
    question, answer = pick(
        rng,
        (
            ("The {thing} has number {number}. What is the number?", "{number}"),
            ("{name} opened {thing} {number}. Which {thing} was it?", "It was {thing} {number}."),
            ("Which number is in: {name} wrote {thing} {number} again?", "{number}"),
            ("{thing} {number}, {name}. Put the name first.", "{name}, {thing} {number}."),
        ),
    )
    slots = {"thing": thing, "number": number, "name": name}
    return ask(question.format(**slots), answer.format(**slots))


def _remember(rng: random.Random) -> Chat:
    name, place = any_name(rng), any_place(rng)
    first, greeting, second, answer = pick(
        rng,
        (
            ("My name is {name}.", "Nice to meet you, {name}!", "What is my name?", "Your name is {name}."),
            ("I am {name} from {place}.", "Hello {name}!", "Where am I from?", "You are from {place}."),
            ("Our office is in {place}.", "Good to know!", "Where is our office?", "Your office is in {place}."),
        ),
    )
    slots = {"name": name, "place": place}
    turns = (("user", first), ("assistant", greeting), ("user", second), ("assistant", answer))
    return [Message(role, text.format(**slots)) for role, text in turns]
