#!/usr/bin/env python3
"""The demo's evaluation table, measured over HTTP against a running Tenora.

Every held-out input of every task goes to the base model and to each adapter,
each with the key of a tenant that may use it; an answer counts when it equals
the expected one from the first to the last character. Standard library only.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TASKS = ("ticket-triage", "text-to-sql", "brand-voice")
MAX_TOKENS = 80
TIMEOUT_SECONDS = 120
ATTEMPTS = 6
RETRY_STATUSES = {429, 503}


@dataclass(frozen=True)
class Endpoint:
    """One model behind one tenant's key."""

    url: str
    api_key: str
    model: str

    def answer(self, text: str) -> str:
        """The greedy answer to one user message."""
        body = {
            "model": self.model,
            "messages": [{"role": "user", "content": text}],
            "temperature": 0,
            "max_tokens": MAX_TOKENS,
        }
        reply = request(f"{self.url}/v1/chat/completions", self.api_key, body)
        return reply["choices"][0]["message"]["content"] or ""


def request(url: str, api_key: str, body: dict | None = None) -> dict:
    """One JSON request; waits and tries again while the server says it is busy."""
    headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    for attempt in range(1, ATTEMPTS + 1):
        try:
            sent = urllib.request.Request(url, data=data, headers=headers)
            with urllib.request.urlopen(sent, timeout=TIMEOUT_SECONDS) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            detail = error.read(2000).decode(errors="replace")
            if error.code not in RETRY_STATUSES or attempt == ATTEMPTS:
                raise SystemExit(f"{url} answered {error.code}: {detail}") from error
            time.sleep(retry_seconds(error.headers.get("Retry-After"), attempt))
        except urllib.error.URLError as error:
            raise SystemExit(f"{url} cannot be reached: {error.reason}") from error
    raise AssertionError("unreachable: the last attempt returns or exits")


def retry_seconds(header: str | None, attempt: int) -> float:
    """What the server asks for, else a wait that doubles."""
    try:
        return min(30.0, float(header or ""))
    except ValueError:
        return 0.25 * 2**attempt


def endpoints(credentials: dict) -> dict[str, Endpoint]:
    """The base and each adapter, by row name."""
    url, tenants = credentials["url"].rstrip("/"), credentials["tenants"]
    found = {}
    first_key = tenants[0]["api_key"]
    models = request(f"{url}/v1/models", first_key)["data"]
    base = next((model["id"] for model in models if not model.get("parent")), None)
    if base is None:
        raise SystemExit(f"{url}/v1/models lists no model without a parent, so there is no base row")
    found["base"] = Endpoint(url, first_key, base)
    for task in TASKS:
        owner = next((tenant for tenant in tenants if task in tenant["adapters"]), None)
        if owner is None:
            raise SystemExit(f"no tenant in the credentials has the adapter {task}")
        found[task] = Endpoint(url, owner["api_key"], task)
    return found


def examples(folder: Path, task: str, limit: int | None) -> list[dict]:
    """The first `limit` held-out examples of a task, or all of them."""
    lines = (folder / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:limit]]


def share_right(endpoint: Endpoint, cases: list[dict], concurrency: int) -> float:
    """The share of cases with exactly the expected answer."""
    with ThreadPoolExecutor(concurrency) as pool:
        answers = pool.map(endpoint.answer, [case["input"] for case in cases])
        right = sum(answer == case["expected"] for answer, case in zip(answers, cases))
    return right / len(cases)


def table(results: dict[str, dict[str, float]]) -> str:
    """Rows are models, columns are tasks, in Markdown."""
    lines = ["| model | " + " | ".join(TASKS) + " |", "|---" + "|---:" * len(TASKS) + "|"]
    for row, cells in results.items():
        lines.append(f"| {row} | " + " | ".join(f"{100 * cells[task]:.0f} %" for task in TASKS) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure, print, and compare each adapter on its own task with `--min-own`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--credentials", type=Path, default=Path(".tenora/demo-credentials.json"))
    parser.add_argument("--eval", type=Path, default=Path(__file__).parent / "eval", help="folder of the held-out files")
    parser.add_argument("--limit", type=int, help="examples a task, for a quick run")
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--min-own", type=float, help="fail if an adapter is under this share on its own task")
    options = parser.parse_args()

    credentials = json.loads(options.credentials.read_text(encoding="utf-8"))
    cases = {task: examples(options.eval, task, options.limit) for task in TASKS}
    results: dict[str, dict[str, float]] = {}
    for row, endpoint in endpoints(credentials).items():
        results[row] = {}
        for task in TASKS:
            started = time.monotonic()
            results[row][task] = share_right(endpoint, cases[task], options.concurrency)
            spent = time.monotonic() - started
            print(f"{row} on {task}: {100 * results[row][task]:.0f} % in {spent:.1f} s", file=sys.stderr, flush=True)
    print(table(results))

    low = [task for task in TASKS if options.min_own is not None and results[task][task] < options.min_own]
    for task in low:
        print(f"{task} is under {100 * options.min_own:.0f} % on its own task", file=sys.stderr)
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
