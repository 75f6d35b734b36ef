#!/usr/bin/env python3
"""Tokens per second of the demo, with one and with three adapters, at 1 to 16 streams. Method: README.md beside this."""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QUESTION = "I was charged twice for my order. Please look into it today, my name is Emil."
STREAMS = (1, 2, 4, 8, 16)
TOKENS = 64
RUNS = 3
START_SECONDS = 120


@contextmanager
def demo(binary: str):
    """A running demo's credentials."""
    with tempfile.TemporaryDirectory() as data:
        settings = {"TENORA_LISTEN": "127.0.0.1:0", "TENORA_DATA_DIR": data, "TENORA_LOG": "warn"}
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TENORA_")}
        command = [binary, "serve", "--demo", str(ROOT / "demo")]
        server = subprocess.Popen(command, env=clean | settings, stdout=subprocess.DEVNULL)
        try:
            yield credentials(Path(data) / "demo-credentials.json", server)
        finally:
            server.terminate()
            server.wait(60)


def credentials(file: Path, server: subprocess.Popen) -> dict:
    """What the demo writes when it is ready."""
    for _ in range(10 * START_SECONDS):
        if file.exists():
            return json.loads(file.read_text(encoding="utf-8"))
        if server.poll() is not None:
            break
        time.sleep(0.1)
    raise SystemExit("the demo did not start")


def stream(url: str, tenant: dict) -> tuple[int, float]:
    """One streamed answer: its tokens, and the seconds to its first text."""
    body = {
        "model": tenant["adapters"][0],
        "messages": [{"role": "user", "content": QUESTION}],
        "temperature": 0,
        "max_tokens": TOKENS,
        "ignore_eos": True,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    headers = {"Authorization": f"Bearer {tenant['api_key']}", "Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/v1/chat/completions", json.dumps(body).encode(), headers)
    started, first, tokens = time.monotonic(), None, 0
    with urllib.request.urlopen(request, timeout=300) as answer:
        for line in answer:
            if not line.startswith(b"data: {"):
                continue
            event = json.loads(line[6:])
            if first is None and event["choices"] and event["choices"][0]["delta"].get("content"):
                first = time.monotonic() - started
            if event.get("usage"):
                tokens = event["usage"]["completion_tokens"]
    assert tokens == TOKENS, f"{tokens} tokens instead of {TOKENS}"
    return tokens, first if first is not None else float("nan")


def run(url: str, tenants: list[dict], count: int) -> tuple[float, list[float]]:
    """`count` streams at once: tokens per second, and every time to first text."""
    with ThreadPoolExecutor(count) as pool:
        started = time.monotonic()
        jobs = [pool.submit(stream, url, tenants[index % len(tenants)]) for index in range(count)]
        results = [job.result() for job in jobs]
        spent = time.monotonic() - started
    return sum(tokens for tokens, _ in results) / spent, [first for _, first in results]


def row(url: str, tenants: list[dict], count: int) -> str:
    """One line of the table."""
    runs = sorted(run(url, tenants, count) for _ in range(RUNS))
    speed, firsts = runs[RUNS // 2]
    firsts = sorted(1000 * first for first in firsts)
    late = firsts[min(len(firsts) - 1, int(0.95 * len(firsts)))]
    return (
        f"| {len(tenants)} | {count} | {speed:.0f} | {runs[0][0]:.0f}–{runs[-1][0]:.0f} "
        f"| {statistics.median(firsts):.0f} | {late:.0f} |"
    )


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", default=str(ROOT / "target/release/tenora"))
    with demo(parser.parse_args().binary) as made:
        url, tenants = made["url"], made["tenants"]
        for tenant in tenants:
            stream(url, tenant)
        print("| adapters | streams | tokens/s | of runs | first text, median ms | p95 ms |")
        print("|---:|---:|---:|---:|---:|---:|")
        for mixed in (tenants[:1], tenants):
            for count in STREAMS:
                print(row(url, mixed, count), flush=True)
        print(f"\n{os.cpu_count()} cores; load average before the end: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
