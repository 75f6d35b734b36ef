"""Small talk and general business questions, so that the base is a believable assistant."""

from __future__ import annotations

import random

from chat import Chat, Message, ask
from words import any_name, pick

SMALL_TALK = (
    (("Hello", "Hi", "Hi there", "Hello!", "Hey", "Good morning", "Good day"), "Hello! How can I help you today?"),
    (("How are you?", "How are you today?", "How is it going?"), "I am doing well, thank you. How can I help you?"),
    (("Who are you?", "What are you?", "Tell me about yourself."), "I am a small demo model that answers short business questions."),
    (("What can you do?", "How can you help me?", "What do you know?"), "I can repeat and reformat short texts and answer simple business questions."),
    (("Thank you", "Thanks", "Thanks a lot!", "Thank you very much."), "You are welcome!"),
    (("Bye", "Goodbye", "See you", "Good night"), "Goodbye, and have a nice day!"),
    (("Are you a human?", "Are you a robot?", "Are you a person?"), "No, I am a small language model."),
    (("Are you clever?", "How big are you?", "Are you a large model?"), "I am a very small model, so please keep it simple."),
    (("What is your name?", "Do you have a name?"), "I am the Tenora demo model."),
    (("What is Tenora?", "Tell me about Tenora."), "Tenora is a server that runs many adapters on one base model."),
    (("Tell me a joke.", "Make me laugh."), "Why did the invoice blush? Because it was overdue."),
    (("Can you help me?", "I need help.", "Help me please."), "Of course! What do you need?"),
    (("Good evening",), "Good evening! How can I help you?"),
    (("Sorry", "I am sorry."), "No problem at all."),
    (("Yes", "Okay", "Fine"), "Great! What else can I do for you?"),
    (("No", "No, thanks"), "All right. Let me know if you need anything."),
)

TERMS = {
    "an invoice": "a document that asks a customer to pay for goods or services",
    "a contract": "an agreement between two or more parties",
    "a budget": "a plan for how money will be spent",
    "a deadline": "the time by which work must be finished",
    "a customer": "a person or company that buys goods or services",
    "a supplier": "a company that sells goods to other companies",
    "a refund": "money that is given back to a customer",
    "a discount": "a reduction of the usual price",
    "a meeting": "a time when people come together to talk",
    "a report": "a text that explains results or facts",
    "a warehouse": "a building where goods are stored",
    "a brand": "the name and image by which people know a company",
    "a profit": "the money that is left after all costs are paid",
    "a loss": "what remains when costs are higher than income",
    "revenue": "all the money that a company earns from sales",
    "a tax": "money that people and companies pay to the state",
    "a salary": "the money that a worker gets every month",
    "a manager": "a person who leads a team",
    "a team": "a group of people who work together",
    "a market": "all the people who may buy a product",
    "a database": "an ordered store of data on a computer",
    "a table": "a set of rows and columns of data",
    "a password": "a secret word that opens an account",
    "a server": "a computer that answers requests of other computers",
    "a backup": "a copy of data that is kept safe",
    "an email": "a message that is sent from computer to computer",
    "a ticket": "a note about a problem that someone should solve",
    "a receipt": "a paper that proves that something was paid",
    "a delivery": "the act of bringing goods to a customer",
    "stock": "the goods that a company has ready to sell",
    "a forecast": "a guess about the future that is based on data",
    "a strategy": "a plan to reach a large goal",
    "a goal": "something that a person or team wants to reach",
    "a lease": "a contract to use a thing for a monthly price",
    "a loan": "money that must be paid back later",
    "interest": "the price of borrowed money",
    "a partner": "a person or company that works with you",
    "an adapter": "a small set of weights that teaches a model a new task",
    "a language model": "a program that predicts the next word of a text",
    "a tenant": "a customer who shares a system with other customers",
}

ADVICE = (
    (("How do I write a good email?", "Tips for a good email?"), "Keep it short, be polite and say clearly what you need."),
    (("How do I run a good meeting?", "Tips for a good meeting?"), "Share a plan, start on time and write down who does what."),
    (("How can we save money?", "How do we cut costs?"), "Compare suppliers, cancel what you do not use and plan ahead."),
    (("How do I please a customer?", "How do I keep customers happy?"), "Listen well, answer fast and keep your promises."),
    (("How do I plan a project?", "Tips for a new project?"), "Set a goal, split the work into steps and check the progress each week."),
    (("How do I ask for a raise?",), "Show your results, name a fair number and stay calm."),
    (("How do I handle a complaint?", "What do I do with a complaint?"), "Listen, say sorry, solve the problem and follow up."),
    (("How do I hire well?",), "Describe the job clearly and ask every person the same questions."),
    (("How do I sell more?", "How can we grow?"), "Know your customers, solve a real problem and ask for feedback."),
    (("How do I stay safe online?",), "Use long passwords, make backups and do not open strange files."),
    (("How do I start a company?",), "Find a problem worth solving, talk to customers and start small."),
    (("How do I say no?",), "Be polite, be clear and offer another way."),
)

CALENDAR = (
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    (
        "January", "February", "March", "April", "May", "June", "July",
        "August", "September", "October", "November", "December",
    ),
)

CAPITALS = {
    "Germany": "Berlin", "France": "Paris", "England": "London", "Spain": "Madrid", "Italy": "Rome",
    "Austria": "Vienna", "Norway": "Oslo", "Ireland": "Dublin", "Portugal": "Lisbon", "Poland": "Warsaw",
    "Greece": "Athens", "Belgium": "Brussels", "Finland": "Helsinki", "Japan": "Tokyo", "Egypt": "Cairo",
}


def chat(rng: random.Random) -> Chat:
    """One chat of small talk or general knowledge."""
    return pick(rng, (_small_talk, _small_talk, _term, _term, _advice, _calendar, _capital, _two_turns))(rng)


def _small_talk(rng: random.Random) -> Chat:
    questions, answer = pick(rng, SMALL_TALK)
    question = pick(rng, questions)
    if rng.random() < 0.2:
        question = question.lower()
    return ask(question, answer)


def _term(rng: random.Random) -> Chat:
    term = pick(rng, tuple(TERMS))
    question = pick(rng, ("What is {}?", "Explain what {} is.", "What does {} mean?", "Can you explain {}?"))
    if "mean" in question:
        question = question.replace("{}", "'{}'")
        return ask(question.format(term.split(" ", 1)[-1]), _definition(term))
    return ask(question.format(term), _definition(term))


def _definition(term: str) -> str:
    return f"{term[0].upper()}{term[1:]} is {TERMS[term]}."


def _advice(rng: random.Random) -> Chat:
    questions, answer = pick(rng, ADVICE)
    return ask(pick(rng, questions), answer)


def _calendar(rng: random.Random) -> Chat:
    cycle = pick(rng, CALENDAR)
    place = rng.randrange(len(cycle))
    step, word = pick(rng, ((1, "after"), (-1, "before")))
    other = cycle[(place + step) % len(cycle)]
    return ask(f"What comes {word} {cycle[place]}?", f"{other} comes {word} {cycle[place]}.")


def _capital(rng: random.Random) -> Chat:
    country = pick(rng, tuple(CAPITALS))
    if rng.random() < 0.7:
        return ask(f"What is the capital of {country}?", f"The capital of {country} is {CAPITALS[country]}.")
    return ask(f"Which country is {CAPITALS[country]} in?", f"{CAPITALS[country]} is in {country}.")


def _two_turns(rng: random.Random) -> Chat:
    name = any_name(rng)
    hello = [Message("user", f"Hello, I am {name}."), Message("assistant", f"Hello {name}! How can I help you today?")]
    return hello + pick(rng, (_term, _advice, _small_talk))(rng)
