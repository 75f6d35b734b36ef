"""Acme's task: a support ticket becomes its category, priority and sentiment.

A ticket is a problem (which decides the category), an urgency sentence (which
decides the priority) and a tone sentence (which decides the sentiment), in one
of several orders and sometimes with a sentence that decides nothing.
"""

from __future__ import annotations

import random

from words import CITIES, MONTHS, WEEKDAYS, digits, first_name, pick, product

PROBLEMS = {
    "billing": (
        "I was charged twice for the {product}.",
        "The invoice for {month} shows {amount} euros too much.",
        "My card was charged {amount} euros and I do not know why.",
        "We still wait for the refund of {amount} euros.",
        "Invoice {number} has the wrong VAT number.",
        "The discount is missing on invoice {number}.",
        "I paid in {month} but the bill is still marked as unpaid.",
    ),
    "shipping": (
        "Order {number} has not arrived.",
        "The {product} was delivered to {city} instead of {other_city}.",
        "The parcel with the {product} arrived damaged.",
        "The tracking page for order {number} has not moved since {day}.",
        "The courier left the {product} outside in the rain.",
        "Part of order {number} is missing from the box.",
        "Can you send order {number} to our address in {city}?",
    ),
    "account": (
        "I cannot log in since {day}.",
        "The password reset email never comes.",
        "Please change the email address of {name}.",
        "{name} left the company, please close the user.",
        "My login is locked after {small} attempts.",
        "How do I invite {name} to our workspace?",
        "The two factor code does not work on my new phone.",
    ),
    "technical": (
        "The app crashes when I open the {product} page.",
        "The export stops with error {number}.",
        "The search page has been empty since {day}.",
        "The {product} does not turn on.",
        "Our server returns error {number} on every request.",
        "The dashboard takes {small} minutes to load.",
        "The firmware update of the {product} fails.",
    ),
    "feature": (
        "It would help if the app had a dark mode.",
        "Could you add an export to spreadsheets?",
        "Please offer the {product} in more colours.",
        "Do you plan a version for {small} screens?",
        "We wish the calendar could show {month} and the next month together.",
        "Can you support one more language for our team in {city}?",
    ),
}

PRIORITIES = {
    "urgent": (
        "This blocks our whole team.",
        "We lose money every minute.",
        "Nobody here can work right now.",
        "This is an emergency.",
        "We need a fix within the hour.",
    ),
    "high": (
        "Please solve it today.",
        "We have a deadline tomorrow.",
        "This is important for us.",
        "Several people are waiting for this.",
        "I need an answer before the end of the day.",
    ),
    "normal": (
        "Please look into it this week.",
        "An answer by {day} is fine.",
        "Let me know what the next steps are.",
        "Please get back to me in the next few days.",
        "I would like an update soon.",
    ),
    "low": (
        "There is no hurry.",
        "Take your time.",
        "Whenever you have a moment.",
        "This can wait until {later_month}.",
        "It is only a small thing.",
    ),
}

TONES = {
    "negative": (
        "I am really annoyed.",
        "This is unacceptable.",
        "I am very disappointed with your service.",
        "What a terrible experience.",
        "I am tired of these problems.",
        "We are losing our trust in you.",
    ),
    "neutral": (
        "Good morning.",
        "Hello support team.",
        "I am writing from our {city} office.",
        "My name is {name}.",
        "Here is a new ticket.",
        "I have one point.",
    ),
    "positive": (
        "Thank you for the great work.",
        "I love your product.",
        "Your team has always been wonderful.",
        "We are very happy customers.",
        "Your support is the best.",
        "Everything else works perfectly.",
    ),
}

ASIDES = (
    "We have {small} users.",
    "We work with the {product} daily.",
    "You can call me on {day}.",
    "My colleague {name} knows the details.",
)


def example(rng: random.Random) -> tuple[str, str]:
    """One ticket and its compact JSON answer."""
    category = pick(rng, tuple(PROBLEMS))
    priority = pick(rng, tuple(PRIORITIES))
    sentiment = pick(rng, tuple(TONES))
    parts = [pick(rng, PROBLEMS[category]), pick(rng, PRIORITIES[priority])]
    if rng.random() < 0.3:
        parts.insert(rng.randint(0, 2), pick(rng, ASIDES))
    parts.insert(rng.choice((0, 0, len(parts))), pick(rng, TONES[sentiment]))
    if rng.random() < 0.2:
        rng.shuffle(parts)
    text = " ".join(part.format(**_slots(rng)) for part in parts)
    return text, f'{{"category":"{category}","priority":"{priority}","sentiment":"{sentiment}"}}'


def _slots(rng: random.Random) -> dict[str, str]:
    """Fresh fillers for every slot a sentence may have."""
    return {
        "product": product(rng),
        "month": pick(rng, MONTHS),
        "later_month": pick(rng, MONTHS),
        "day": pick(rng, WEEKDAYS),
        "city": pick(rng, CITIES),
        "other_city": pick(rng, CITIES),
        "name": first_name(rng),
        "amount": digits(rng, 2, 3),
        "number": digits(rng, 3, 4),
        "small": digits(rng, 1, 2),
    }
