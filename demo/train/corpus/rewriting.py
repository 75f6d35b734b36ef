"""Polite rewriting of generic requests."""

from __future__ import annotations

import random

from chat import Chat, ask
from words import THINGS, WEEKDAYS, any_name, any_place, digits, pick, product

REQUESTS = (
    "send the {thing} to {name}",
    "close the {thing}",
    "bring the {item} to {place}",
    "call {name} on {day}",
    "check {thing} {number}",
    "open the {thing} in {place}",
    "write to {name} about the {item}",
    "order {number} pieces of the {item}",
    "ask {name} for the {thing}",
    "wait until {day}",
    "give {name} the {item}",
    "read the {thing} again",
)

STYLES = (
    ("Say it politely: {request}.", "Could you please {request}?"),
    ("Make it friendly: {request}.", "Would you be so kind to {request}? Thank you!"),
    ("As an order: could you please {request}?", "{request_capital}."),
    ("As a promise: {request}.", "We will {request}."),
    ("As a question: we {request}.", "Do we {request}?"),
    ("Say no politely: {request}.", "We are sorry, but we cannot {request}."),
)


def chat(rng: random.Random) -> Chat:
    """One rewriting chat."""
    request = pick(rng, REQUESTS).format(
        thing=pick(rng, THINGS),
        item=product(rng),
        name=any_name(rng),
        place=any_place(rng),
        day=pick(rng, WEEKDAYS),
        number=digits(rng, 1, 4),
    )
    question, answer = pick(rng, STYLES)
    slots = {"request": request, "request_capital": request[0].upper() + request[1:]}
    return ask(question.format(**slots), answer.format(**slots))
