"""A little of everything that a server counts, then its metrics: traffic.py BINARY CREDENTIALS METRICS-URL FILE."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "demo"
# Metrics that are delivered at intervals appear with the first delivery.
DELIVERY_S = 10


def ask(url, key=None, body=None):
    """The answer's bytes; a refusal is an answer too."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {key}"} if key else {})}
    request = urllib.request.Request(url, json.dumps(body).encode() if body else None, headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()
    except urllib.error.HTTPError as refusal:
        return refusal.read()


def generate(url, tenant):
    chat = {"messages": [{"role": "user", "content": "I was charged twice for my order."}], "max_tokens": 16}
    for model in (tenant["adapters"][0], "base"):
        for more in ({}, {"stream": True}, {"n": 2}):
            ask(f"{url}/v1/chat/completions", tenant["api_key"], {"model": model, **chat, **more})
    ask(f"{url}/v1/chat/completions", "tk_wrong", chat)


def push(binary, url, tenant):
    adapter = DEMO / "adapters" / tenant["adapters"][0]
    environment = {**os.environ, "TENORA_URL": url, "TENORA_API_KEY": tenant["api_key"]}
    command = [binary, "adapter", "push", str(adapter), "--name", "another"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def main():
    binary, credentials, metrics, file = sys.argv[1:]
    demo = json.loads(Path(credentials).read_text(encoding="utf-8"))
    for tenant in demo["tenants"]:
        generate(demo["url"], tenant)
    push(binary, demo["url"], demo["tenants"][0])
    until = time.monotonic() + DELIVERY_S
    while True:
        text = ask(metrics).decode()
        counted = [
            line
            for line in text.splitlines()
            if line.startswith("tenora_telemetry_exports_total") and not line.endswith(" 0")
        ]
        if counted or time.monotonic() > until:
            break
        time.sleep(0.2)
    Path(file).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
