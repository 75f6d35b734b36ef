"""Globex's task: a question over a fixed shop schema becomes one SQL statement.

customers(name, email, city)
orders(id, customer, product, total, status, month)
products(name, category, price, stock)
"""

from __future__ import annotations

import random

from words import CITIES, MONTHS, digits, first_name, pick, product

STATUSES = ("open", "paid", "shipped", "cancelled", "returned")
CATEGORIES = ("office", "audio", "kitchen", "travel", "lighting")

INTENTS = (
    (
        ("Which customers live in {city}?", "List all customers from {city}.", "Who are our customers in {city}?"),
        "SELECT name FROM customers WHERE city = '{city}';",
    ),
    (
        ("How many customers live in {city}?", "Count the customers from {city}.", "What is the number of customers in {city}?"),
        "SELECT COUNT(*) FROM customers WHERE city = '{city}';",
    ),
    (
        ("What is the email of {name}?", "How can I write to {name}?", "Find the email address of the customer {name}."),
        "SELECT email FROM customers WHERE name = '{name}';",
    ),
    (
        ("{name} moved to {city}.", "Set the city of {name} to {city}.", "Change the city of {name} to {city}."),
        "UPDATE customers SET city = '{city}' WHERE name = '{name}';",
    ),
    (
        ("Show the orders of {name}.", "Which orders did {name} place?", "List every order from {name}."),
        "SELECT id FROM orders WHERE customer = '{name}';",
    ),
    (
        ("Which orders are over {amount} euros?", "Show orders with a total above {amount}.", "List the orders that cost more than {amount} euros."),
        "SELECT id FROM orders WHERE total > {amount};",
    ),
    (
        ("How much did {name} spend?", "What is the total of all orders of {name}?", "Sum up the orders of {name}."),
        "SELECT SUM(total) FROM orders WHERE customer = '{name}';",
    ),
    (
        ("How many orders were {status} in {month}?", "Count the {status} orders of {month}.", "What is the number of {status} orders in {month}?"),
        "SELECT COUNT(*) FROM orders WHERE status = '{status}' AND month = '{month}';",
    ),
    (
        ("Mark order {number} as {status}.", "Order {number} is now {status}.", "Set the status of order {number} to {status}."),
        "UPDATE orders SET status = '{status}' WHERE id = {number};",
    ),
    (
        ("What is the average order in {month}?", "How large was the average order in {month}?", "Average total of the orders from {month}?"),
        "SELECT AVG(total) FROM orders WHERE month = '{month}';",
    ),
    (
        ("Who bought the {product} in {month}?", "Which customers ordered a {product} in {month}?", "List the buyers of the {product} for {month}."),
        "SELECT customer FROM orders WHERE product = '{product}' AND month = '{month}';",
    ),
    (
        ("What does the {product} cost?", "What is the price of the {product}?", "How expensive is the {product}?"),
        "SELECT price FROM products WHERE name = '{product}';",
    ),
    (
        ("Which {category} products cost less than {amount} euros?", "Show {category} products under {amount} euros.", "List {category} products cheaper than {amount}."),
        "SELECT name FROM products WHERE category = '{category}' AND price < {amount};",
    ),
    (
        ("Which products have fewer than {small} pieces in stock?", "Show products with stock below {small}.", "What do we have less than {small} pieces of?"),
        "SELECT name, stock FROM products WHERE stock < {small};",
    ),
    (
        ("What are the {small} most expensive products?", "Show the top {small} products by price.", "List the {small} products with the highest price."),
        "SELECT name FROM products ORDER BY price DESC LIMIT {small};",
    ),
    (
        ("Delete the {product}.", "Remove the {product} from the catalogue.", "We no longer sell the {product}."),
        "DELETE FROM products WHERE name = '{product}';",
    ),
    (
        ("Which customers from {city} bought a {product}?", "Who in {city} ordered the {product}?", "List the buyers of the {product} in {city}."),
        "SELECT c.name FROM customers c JOIN orders o ON o.customer = c.name"
        " WHERE c.city = '{city}' AND o.product = '{product}';",
    ),
)


def example(rng: random.Random) -> tuple[str, str]:
    """One question and its statement."""
    templates, statement = INTENTS[rng.randrange(len(INTENTS))]
    slots = {
        "name": first_name(rng),
        "city": pick(rng, CITIES),
        "product": product(rng),
        "month": pick(rng, MONTHS),
        "status": pick(rng, STATUSES),
        "category": pick(rng, CATEGORIES),
        "amount": digits(rng, 2, 4),
        "number": digits(rng, 3, 5),
        "small": digits(rng, 1, 2),
    }
    return pick(rng, templates).format(**slots), statement.format(**slots)
