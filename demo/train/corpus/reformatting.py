"""Reformatting: facts in a sentence become JSON, a row, a statement, a letter or an answer.

Statements are spelt out clause by clause in the question, and the tables here (staff, rooms, visits, parcels, …) are never those of the
text-to-SQL task.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from chat import Chat, ask
from words import (
    COLOURS,
    COMPANIES,
    DEPARTMENTS,
    GENERAL,
    MONTHS,
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
    pseudo_word,
)

FIELDS: dict[str, Callable[[random.Random], str]] = {
    "name": any_name,
    "place": any_place,
    "item": product,
    "day": lambda rng: pick(rng, WEEKDAYS),
    "date": date,
    "time": clock,
    "month": lambda rng: pick(rng, MONTHS),
    "colour": lambda rng: pick(rng, COLOURS),
    "team": lambda rng: pick(rng, DEPARTMENTS),
    "firm": lambda rng: pick(rng, COMPANIES),
    "code": code,
    "number": lambda rng: digits(rng, 1, 5),
    "word": lambda rng: pick(rng, THINGS),
    "label": pseudo_word,
}

SENTENCES = (
    "{name} from {place} bought a {item} on {day}",
    "{name} of {firm} wants {number} pieces of the {item} by {date}",
    "On {date} {name} drove to {place} with the {item}",
    "The {item} from {place} costs {number} euros",
    "{firm} sent {number} boxes to {place} in {month}",
    "{name} meets the {team} team on {day} at {time}",
    "In {month} the {team} team got the {colour} {item}",
    "The {word} {number} belongs to {name}",
    "{name} lost the {word} {code} in {place}",
    "{label} opens in {place} on {date}",
    "At {time} {name} calls {number}",
    "The {colour} {word} of {firm} is for {name} in {place}",
    "{word} {number} goes to {place} by {day}",
    "{name} is back on {date} and needs the {word}",
    "{place}: {item}, {number} left, ask {name}",
)

QUESTIONS = {
    "name": ("Who is it about?", "Which person?"),
    "place": ("Where?", "Which place?"),
    "item": ("Which product?", "Which item is it?"),
    "day": ("On which day?", "Which weekday?"),
    "date": ("On which date?", "Which date is it?"),
    "time": ("At what time?",),
    "month": ("In which month?",),
    "colour": ("Which colour?",),
    "team": ("Which team?",),
    "firm": ("Which company?",),
    "code": ("Which code?",),
    "number": ("Which number?", "What is the number?"),
    "word": ("Which thing?",),
    "label": ("What opens?",),
}

TABLES = ("staff", "rooms", "visits", "parcels", "tasks", "trips", "events", "machines")

COLUMNS = (
    "id name city place email status total price stock category month day number label owner team "
    "customer product order amount date item"
).split()


def chat(rng: random.Random) -> Chat:
    """One reformatting chat."""
    makers = (_question, _json, _pairs, _query, _statement, _statement, _fill, _fill, _fill_sentence, _letter)
    return pick(rng, makers)(rng)


def _fact(rng: random.Random) -> tuple[str, dict[str, str]]:
    """A sentence and the values in it, by field."""
    template = pick(rng, SENTENCES)
    values = {field: make(rng) for field, make in FIELDS.items() if f"{{{field}}}" in template}
    return template.format(**values) + ".", values


def _some(rng: random.Random, values: dict[str, str], low: int) -> list[str]:
    """At least `low` of the fields, in a random order."""
    return rng.sample(list(values), rng.randint(low, min(3, len(values))))


def _question(rng: random.Random) -> Chat:
    sentence, values = _fact(rng)
    field = pick(rng, tuple(values))
    return ask(f"{sentence} {pick(rng, QUESTIONS[field])}", values[field])


def _json(rng: random.Random) -> Chat:
    sentence, values = _fact(rng)
    fields = _some(rng, values, 1)
    body = ", ".join(f'"{field}": "{values[field]}"' for field in fields)
    return ask(f"{sentence} As JSON with {', '.join(fields)}.", f"{{{body}}}")


def _quoted(value: str) -> str:
    return value if value.isdigit() else f"'{value}'"


def _query(rng: random.Random) -> Chat:
    table = pick(rng, TABLES)
    sentence, values = _fact(rng)
    fields = _some(rng, values, 1)
    names, quoted = ", ".join(fields), ", ".join(_quoted(values[field]) for field in fields)
    tests = " AND ".join(f"{field} = {_quoted(values[field])}" for field in fields[:2])
    other = pick(rng, ("id", "label", "owner"))
    question, answer = pick(
        rng,
        (
            (f"{sentence} Insert {names} into {table}.", f"INSERT INTO {table} ({names}) VALUES ({quoted});"),
            (f"{sentence} Query {table} by {' and '.join(fields[:2])}.", f"SELECT * FROM {table} WHERE {tests};"),
            (
                f"Query: {other} of {table} with {fields[0]} {values[fields[0]]}.",
                f"SELECT {other} FROM {table} WHERE {fields[0]} = {_quoted(values[fields[0]])};",
            ),
            (
                f"Query: number of {table} with {fields[0]} {values[fields[0]]}.",
                f"SELECT COUNT(*) FROM {table} WHERE {fields[0]} = {_quoted(values[fields[0]])};",
            ),
        ),
    )
    return ask(question, answer)


def _pairs(rng: random.Random) -> Chat:
    words = [pick(rng, GENERAL).lower() for _ in range(2 * rng.randint(1, 3))]
    pairs = list(zip(words[::2], words[1::2], strict=True))
    given = ", ".join(f"{key} {value}" for key, value in pairs)
    body = ",".join(f'"{key}":"{value}"' for key, value in pairs)
    return ask(f"Compact JSON: {given}", f"{{{body}}}")


def _test(rng: random.Random) -> tuple[str, str]:
    """A comparison in words and in SQL."""
    column = pick(rng, COLUMNS)
    if rng.random() < 0.35:
        word, sign = pick(rng, (("over", ">"), ("under", "<"), ("is", "=")))
        bound = digits(rng, 1, 5)
        return f"{column} {word} {bound}", f"{column} {sign} {bound}"
    value = pick(rng, (any_name, any_place, product, lambda r: pick(r, MONTHS), lambda r: pick(r, GENERAL)))(rng)
    return f"{column} is {value}", f"{column} = '{value}'"


def _statement(rng: random.Random) -> Chat:
    table, other = rng.sample(TABLES, 2)
    first, second = rng.sample(COLUMNS, 2)
    (said, test), (said_also, test_also) = _test(rng), _test(rng)
    said_set, new = _test(rng)
    count = digits(rng, 1, 2)
    name, function = pick(rng, (("sum", "SUM"), ("average", "AVG"), ("number", "COUNT")))
    question, answer = pick(
        rng,
        (
            (f"select {first} from {table}, {said}", f"SELECT {first} FROM {table} WHERE {test};"),
            (
                f"select {first}, {second} from {table}, {said} and {said_also}",
                f"SELECT {first}, {second} FROM {table} WHERE {test} AND {test_also};",
            ),
            (f"{name} of {first} from {table}, {said}", f"SELECT {function}({first}) FROM {table} WHERE {test};"),
            (
                f"top {count} {first} of {table} by {second}",
                f"SELECT {first} FROM {table} ORDER BY {second} DESC LIMIT {count};",
            ),
            (f"delete from {table}, {said}", f"DELETE FROM {table} WHERE {test};"),
            (
                f"update {table}, {said_set}, where {said}",
                f"UPDATE {table} SET {new.replace('>', '=').replace('<', '=')} WHERE {test};",
            ),
            (
                f"join {table} c with {other} o by {second}, {first}, c {said} and o {said_also}",
                f"SELECT c.{first} FROM {table} c JOIN {other} o ON o.{second} = c.{second}"
                f" WHERE c.{test} AND o.{test_also};",
            ),
        ),
    )
    return ask(f"SQL: {question}", answer)


def _random_template(rng: random.Random, fields: list[str]) -> str:
    """Everyday words around the fields, each in brackets."""
    parts: list[str] = []
    for field in fields:
        parts += [pick(rng, GENERAL) for _ in range(rng.randint(0, 3))]
        parts.append(f"[{field}]")
    parts += [pick(rng, GENERAL) for _ in range(rng.randint(0, 2))]
    return " ".join(parts)


def _fill(rng: random.Random) -> Chat:
    fields = rng.sample(list(FIELDS), rng.randint(1, 3))
    values = {field: FIELDS[field](rng) for field in fields}
    template = _random_template(rng, fields)
    rng.shuffle(fields)
    given = ", ".join(f"{field} {values[field]}" for field in fields)
    filled = template
    for field, value in values.items():
        filled = filled.replace(f"[{field}]", value)
    return ask(f"Fill in {given}: {template}", filled)


def _fill_sentence(rng: random.Random) -> Chat:
    sentence, values = _fact(rng)
    template = _random_template(rng, _some(rng, values, 1))
    filled = template
    for field, value in values.items():
        filled = filled.replace(f"[{field}]", value)
    return ask(f"{sentence} Fill in: {template}", filled)


def _letter(rng: random.Random) -> Chat:
    sentence, values = _fact(rng)
    opening = pick(rng, ("Hello", "Dear", "Good day"))
    if "name" in values:
        about = " and ".join(value for field, value in values.items() if field != "name")
        return ask(f"{sentence} Greet with {opening}.", f"{opening} {values['name']}, it is about {about}.")
    field = pick(rng, tuple(values))
    return ask(f"{sentence} Thank for the {field}.", f"Thank you for {values[field]}.")
