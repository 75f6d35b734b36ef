"""Slot fillers shared by the base corpus and the three tasks.

The base model copies what it has seen as tokens, so every name, city and
product that a task may mention also appears in the base corpus. Random
pseudo-words and digit strings are mixed in, so that copying is learnt as an
operation and not as a list.
"""

from __future__ import annotations

import random

FIRST_NAMES = (
    "Anna Ben Clara David Elena Felix Grace Hugo Irene Jonas Karin Leo Maria Nils Olga Paul "
    "Quinn Rosa Simon Tara Umar Vera Walter Xenia Yusuf Zoe Amir Bella Carlos Diana Emil Fatima "
    "Georg Hanna Ivan Julia Kofi Laura Mateo Nadia Oscar Priya Rahul Sofia Tom Ursula Victor Wendy"
).split()

LAST_NAMES = (
    "Adler Bauer Costa Dubois Evans Fischer Garcia Hansen Ito Jensen Keller Lopez Moreau Novak "
    "Okafor Patel Rossi Silva Tanaka Vogel Weber Young Zhang Brandt"
).split()

CITIES = (
    "Berlin Paris London Madrid Rome Vienna Oslo Dublin Lisbon Prague Warsaw Zurich Hamburg Lyon "
    "Milan Porto Geneva Munich Athens Brussels Helsinki Boston Chicago Denver Toronto Sydney Tokyo "
    "Seoul Cairo Nairobi Lima Delhi"
).split()

PRODUCTS = (
    "desk lamp|office chair|standing desk|laptop|keyboard|monitor|printer|headset|webcam|notebook|"
    "coffee machine|water bottle|backpack|phone case|tablet|router|microphone|projector|scanner|"
    "bookshelf|whiteboard|mouse pad|power cable|speaker|charger|paper shredder|wall clock|"
    "filing cabinet|air purifier|kettle|camera|toner cartridge"
).split("|")

MONTHS = (
    "January February March April May June July August September October November December"
).split()

WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()

COMPANIES = (
    "Acme Globex Initech Northwind Contoso Umbra Brightline Harborview Lumina Redwood Stellar "
    "Vertex Bluepeak Cobalt Evergreen Fairway"
).split()

DEPARTMENTS = "sales support finance marketing design legal logistics research training security".split()

COLOURS = "red blue green black white grey yellow orange purple brown".split()

ADJECTIVES = (
    "new old small large heavy light cheap modern quiet bright simple strong clean broken empty "
    "full early late open ready"
).split()

THINGS = (
    "report meeting invoice contract budget project parcel letter ticket order payment account "
    "delivery schedule plan office team client supplier warehouse truck room desk screen list "
    "offer price message call email file page form box key door table"
).split()

GENERAL = (
    "about above account address afraid after again ahead all already also always and annoyed another "
    "answer any apology ask asking at available back because before below best better between bill both "
    "box busy but buy call cancel cannot care change charge cheap check choice clear close come confirm "
    "contact cost could count customer customers date day days deal delay deliver delivery details "
    "discount done due during each early easy email end enjoy error euros every everything expensive "
    "extra fast feature few file final find first fix free friendly from full gift give glad gladly go "
    "gone good goodbye goods great group had happy have hear help here high highest hold hope hour how "
    "idea important in instead invoice it join just keep kind kindly last late later leave less letter "
    "light limit little locked long longer look lost love low made make many matter may message minute "
    "missing money month more most move much must name need needs negative never neutral new news next "
    "nice normal not note now number of offer office often old on once one online only open order orders "
    "other our out over page paid part patience pay percent perfect person phone place plan please "
    "pleased points positive possible price problem product products promise quality question quick "
    "reach ready really reason receive refund regards remember reminder reply request return right safe "
    "said sale same save say see sell send service share ship shipped shipping shop short should show "
    "simple small soon sorry special start status stay still stock store such suits support sure take "
    "talk team technical tell thank thanks the then there things this ticket time to today together "
    "tomorrow too top total track trust try until up update upset urgent use value version very visit "
    "wait waiting want warm was way we week welcome well when while will wish with work would year you "
    "your category priority sentiment billing city returned cancelled kitchen audio travel lighting "
    "Hello Hi Dear Thank Thanks Sorry Please Best Warmly Kindly Good We Our Your The Order Just "
    "Regards Welcome Sincerely Yours"
).split()

ONSETS = "b c d f g h j k l m n p r s t v w z br cl dr fl gr pl st tr".split()
VOWELS = "a e i o u ai ea io ou".split()
CODAS = ["", "", "n", "r", "s", "l", "x", "m", "t"]


def pick(rng: random.Random, options: list[str] | tuple[str, ...]) -> str:
    """One option, uniformly."""
    return options[rng.randrange(len(options))]


def pseudo_word(rng: random.Random) -> str:
    """A capitalised made-up word of two or three syllables, such as `Brailon`."""
    syllables = rng.choice((2, 2, 3))
    letters = "".join(pick(rng, ONSETS) + pick(rng, VOWELS) for _ in range(syllables))
    return (letters + pick(rng, CODAS)).capitalize()


def first_name(rng: random.Random) -> str:
    """A first name from the list."""
    return pick(rng, FIRST_NAMES)


def any_name(rng: random.Random) -> str:
    """A first name, a full name or a made-up name."""
    draw = rng.random()
    if draw < 0.6:
        return pick(rng, FIRST_NAMES)
    if draw < 0.75:
        return f"{pick(rng, FIRST_NAMES)} {pick(rng, LAST_NAMES)}"
    return pseudo_word(rng)


def any_place(rng: random.Random) -> str:
    """A city, now and then a made-up one."""
    return pick(rng, CITIES) if rng.random() < 0.8 else pseudo_word(rng)


def product(rng: random.Random) -> str:
    """A product in lower case, of one or two words."""
    return pick(rng, PRODUCTS)


def digits(rng: random.Random, low: int, high: int) -> str:
    """A number of `low` to `high` digits that does not begin with zero."""
    length = rng.randint(low, high)
    return str(rng.randint(10 ** (length - 1), 10**length - 1))


def date(rng: random.Random) -> str:
    """A day and a month, such as `12 March`."""
    return f"{rng.randint(1, 28)} {pick(rng, MONTHS)}"


def clock(rng: random.Random) -> str:
    """A full hour, such as `3 pm`."""
    return f"{rng.randint(1, 12)} {pick(rng, ('am', 'pm'))}"


def code(rng: random.Random) -> str:
    """A reference such as `KD-4821`."""
    letters = "".join(chr(65 + rng.randrange(26)) for _ in range(2))
    return f"{letters}-{digits(rng, 3, 4)}"
