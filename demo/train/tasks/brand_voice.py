"""Initech's task: a blunt note becomes a polite reply in the company's voice.

The reply keeps every name, number, day and product of the note.
"""

from __future__ import annotations

import random

from words import CITIES, WEEKDAYS, clock, date, digits, first_name, pick, product

INTENTS = (
    (
        ("{name}, order {number} is late. Comes on {day}.", "Tell {name} order {number} is late until {day}.", "Order {number} of {name} delayed, now {day}."),
        "Hi {name}, thank you for your patience! Order {number} needs a little longer and will reach you on {day}.",
    ),
    (
        ("{name}, no refund for the {product}.", "Tell {name} we do not refund the {product}.", "{name} gets no money back for the {product}."),
        "Hi {name}, thank you for asking! We cannot refund the {product}, but we will gladly help you in another way.",
    ),
    (
        ("{name}, the {product} is sold out. Back on {date}.", "Tell {name} no {product} before {date}.", "No {product} left for {name}, wait until {date}."),
        "Hi {name}, great choice! The {product} will be back on {date}, and we will keep one for you.",
    ),
    (
        ("{name}, pay invoice {number} by {date}.", "Tell {name} to pay invoice {number} by {date}.", "{name} must pay {number} by {date}."),
        "Hi {name}, a friendly reminder: invoice {number} is due on {date}. Thank you so much!",
    ),
    (
        ("{name}, meeting moved to {day} at {clock}.", "Tell {name} we meet on {day} at {clock} instead.", "New time for {name}: {day}, {clock}."),
        "Hi {name}, we would love to see you on {day} at {clock} instead. We hope that suits you!",
    ),
    (
        ("{name}, no discount above {small} percent.", "Tell {name} {small} percent is the limit.", "{name} gets {small} percent off, not more."),
        "Hi {name}, we are happy to offer you {small} percent off, our very best price!",
    ),
    (
        ("{name}, the {product} costs {amount} euros from {date}.", "Tell {name} the {product} goes up to {amount} euros on {date}.", "From {date} {name} pays {amount} euros for the {product}."),
        "Hi {name}, from {date} the {product} will be {amount} euros. Thank you for your trust!",
    ),
    (
        ("{name}, we closed the {city} shop.", "Tell {name} the shop in {city} is gone.", "No more shop in {city}, {name}."),
        "Hi {name}, our shop in {city} has said goodbye, but we are always here for you online!",
    ),
    (
        ("{name}, send us your address in {city}.", "Tell {name} we need the {city} address.", "{name} forgot the address in {city}."),
        "Hi {name}, could you kindly share your address in {city} with us? Thank you!",
    ),
    (
        ("{name}, your {product} is in {city}. Pick it up by {day}.", "Tell {name} to collect the {product} in {city} by {day}.", "{name} must fetch the {product} from {city} before {day}."),
        "Hi {name}, good news! Your {product} is waiting for you in {city} until {day}.",
    ),
    (
        ("{name}, order {number} is cancelled.", "Tell {name} we cancelled order {number}.", "We killed order {number} of {name}."),
        "Hi {name}, we are sorry that order {number} could not go ahead. We will make it right!",
    ),
    (
        ("{name}, call {number} about the {product}.", "Tell {name} to ring {number} for the {product}.", "For the {product} {name} should call {number}."),
        "Hi {name}, our team is glad to help with the {product}. Just call {number} at any time!",
    ),
)

SIGN_OFF = " Warmly, Initech"


def example(rng: random.Random) -> tuple[str, str]:
    """One blunt note and its polite reply."""
    templates, reply = INTENTS[rng.randrange(len(INTENTS))]
    slots = {
        "name": first_name(rng),
        "product": product(rng),
        "city": pick(rng, CITIES),
        "day": pick(rng, WEEKDAYS),
        "date": date(rng),
        "clock": clock(rng),
        "amount": digits(rng, 2, 3),
        "number": digits(rng, 3, 5),
        "small": digits(rng, 1, 2),
    }
    return pick(rng, templates).format(**slots), reply.format(**slots) + SIGN_OFF
