"""Generic classification, answered in words: mood, urgency, topic, yes or no."""

from __future__ import annotations

import random

from chat import Chat, ask
from words import COMPANIES, THINGS, WEEKDAYS, any_name, any_place, digits, pick, product

MOODS = {
    "happy": (
        "The {item} is wonderful.", "I love the new {thing}.", "{name} did a great job.", "Thank you, it works perfectly.",
        "What a lovely {thing}.", "We are very happy with {firm}.", "The best {item} so far.", "Our visit to {place} was great.",
    ),
    "unhappy": (
        "The {item} is terrible.", "I am annoyed by the {thing}.", "{name} was rude to us.", "I am very disappointed.",
        "What a bad {thing}.", "We are tired of {firm}.", "The worst {item} so far.", "Our trip to {place} was awful.",
    ),
    "calm": (
        "The {item} is on the table.", "The {thing} is from {place}.", "{name} works for {firm}.", "We have {number} rooms.",
        "Here is the {thing}.", "{name} comes on {day}.", "The {item} has number {number}.", "We meet in {place}.",
    ),
}

SPEEDS = {
    "now": (
        "We need the {thing} at once.", "It is an emergency, {name}!", "Come within the hour.", "Nobody can work in {place}.",
        "Stop the {thing} immediately.",
    ),
    "soon": (
        "We need the {thing} today.", "The deadline for the {item} is tomorrow.", "People wait for the {thing}.",
        "It is important for {firm}.", "Send it before the end of the day.",
    ),
    "later": (
        "{day} is fine for the {thing}.", "Do it this week, {name}.", "Get back to us in the next days.",
        "The {item} may come on {day}.", "Let us know the next steps.",
    ),
    "any time": (
        "There is no rush with the {thing}.", "{name}, take all the time you need.", "The {item} can wait.",
        "It is a small thing.", "Some day, when you have a moment.",
    ),
}

TOPICS = {
    "money": (
        "The invoice for the {item} is too high.", "The bank charged {number} euros.", "{name} paid the bill.",
        "{firm} asks for a refund.", "The price of the {thing} is {number} euros.",
    ),
    "transport": (
        "The courier brings the {item} to {place}.", "The parcel to {place} is late.", "The truck left {place} on {day}.",
        "{name} tracks the delivery.", "The box of {firm} arrived damaged.",
    ),
    "access": (
        "{name} forgot the password.", "The login of {name} is locked.", "Please invite {name} as a user.",
        "The reset code never came.", "{firm} changed its email address.",
    ),
    "machines": (
        "The server of {firm} crashed.", "The {item} does not start.", "The page shows error {number}.",
        "The update failed on {day}.", "The app is slow in {place}.",
    ),
    "ideas": (
        "{name} wishes for a dark screen.", "It would help to have one more language.", "Could the {item} come in blue?",
        "{firm} would like a calendar.", "Please add a search to the {thing} page.",
    ),
}

KINDS = (
    (("How does it sound?", "Happy, unhappy or calm?", "What is the mood?"), MOODS, "It sounds {}."),
    (("When is it needed?", "How fast must it be?"), SPEEDS, "It is needed {}."),
    (("What is it about?", "Which topic is it?"), TOPICS, "It is about {}."),
)


def chat(rng: random.Random) -> Chat:
    """One classification chat, at times over two sentences with two questions."""
    draws = []
    for questions, classes, answer in rng.sample(KINDS, rng.choice((1, 1, 2, 3))):
        label = pick(rng, tuple(classes))
        draws.append((pick(rng, questions), _sentence(rng, classes[label]), answer.format(label)))
    sentences = [sentence for _, sentence, _ in draws]
    rng.shuffle(sentences)
    asked = draws[: rng.randint(1, len(draws))]
    text = " ".join([*sentences, *(question for question, _, _ in asked)])
    return ask(text, " ".join(answer for _, _, answer in asked))


def _sentence(rng: random.Random, templates: tuple[str, ...]) -> str:
    return pick(rng, templates).format(
        item=product(rng),
        thing=pick(rng, THINGS),
        name=any_name(rng),
        firm=pick(rng, COMPANIES),
        place=any_place(rng),
        day=pick(rng, WEEKDAYS),
        number=digits(rng, 1, 4),
    )
