#!/usr/bin/env python3
"""What LiteLLM's proxy adds to a request, beside what Tenora adds, on one machine at one time.

    litellm.py path/to/tenora path/to/litellm MODEL-FOLDER

MODEL-FOLDER is a small base model; `tenora bench --shape tiny --work-dir DIR` makes one below DIR. One stream of completions of one
token, over a connection that stays open, asked of Tenora directly and through the proxy, in turns. Tenora counts a key, four
limits and a usage row with each; the proxy has neither database nor Redis. Needs nothing but Python's own library.
"""

import http.client
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

REQUESTS = 400
WARM_UP = 60
TURNS = 3
ADMIN = "an-operators-key-for-benchmarks-0123456789"


def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def call(url, key, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json", "authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def patch(url, key, body):
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json", "authorization": f"Bearer {key}"}, method="PATCH")
    urllib.request.urlopen(request, timeout=60).read()


def wait(address, process, path):
    for _ in range(600):
        if process.poll() is not None:
            sys.exit(f"{process.args[0]} ended with {process.returncode}")
        try:
            connection = http.client.HTTPConnection(*address, timeout=2)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit(f"{process.args[0]} did not start")


def ask(address, key, model, count):
    """Milliseconds of each request, and those of them that Tenora says its engine took."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    body = json.dumps({"model": model, "prompt": "one two three", "max_tokens": 1, "temperature": 0})
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    whole, engine = [], []
    for _ in range(count):
        began = time.perf_counter()
        connection.request("POST", "/v1/completions", body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            sys.exit(f"{answer.status} of {address}")
        whole.append(1e3 * (time.perf_counter() - began))
        timing = answer.getheader("server-timing") or ""
        engine.append(sum(float(part.split("dur=")[1]) for part in timing.split(",") if "dur=" in part))
    return whole, engine


def at(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    tenora, litellm, model = sys.argv[1:]
    base = pathlib.Path(model).resolve()
    started = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        try:
            direct, through = ("127.0.0.1", port()), ("127.0.0.1", port())
            env = {name: value for name, value in os.environ.items() if not name.startswith("TENORA_")}
            env |= {"TENORA_MODEL": str(base), "TENORA_LISTEN": f"{direct[0]}:{direct[1]}", "TENORA_DATA_DIR": str(scratch / "data"),
                    "TENORA_ADMIN_KEY": ADMIN, "TENORA_LOG": "warn"}
            started.append(subprocess.Popen([tenora, "serve"], env=env, stdout=subprocess.DEVNULL))
            wait(direct, started[-1], "/readyz")
            url = f"http://{direct[0]}:{direct[1]}"
            call(f"{url}/admin/v1/tenants", ADMIN, {"slug": "bench"})
            many = {name: 1_000_000_000 for name in ("requests_per_minute", "tokens_per_minute", "concurrent_requests", "monthly_tokens")}
            patch(f"{url}/admin/v1/tenants/bench", ADMIN, {"limits": many})
            key = call(f"{url}/admin/v1/tenants/bench/keys", ADMIN, {"name": "bench"})["key"]
            config = scratch / "litellm.yaml"
            config.write_text(json.dumps({
                "model_list": [{"model_name": "it", "litellm_params": {"model": f"text-completion-openai/{base.name}", "api_base": f"{url}/v1", "api_key": key}}],
                "general_settings": {"master_key": "sk-bench"},
                "litellm_settings": {"telemetry": False},
            }))
            started.append(subprocess.Popen([litellm, "--config", str(config), "--host", through[0], "--port", str(through[1]), "--num_workers", "2"],
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))
            wait(through, started[-1], "/health/liveliness")
            version = subprocess.run([pathlib.Path(litellm).with_name("python"), "-c", "import importlib.metadata as m; print(m.version('litellm'))"],
                                     capture_output=True, text=True).stdout.strip()
            ask(direct, key, base.name, WARM_UP)
            ask(through, "sk-bench", "it", WARM_UP)
            print(f"LiteLLM {version}, two workers; {REQUESTS} requests a turn, one stream\n")
            print("| | p50 | p99 | less the engine, p50 |\n|---|--:|--:|--:|")
            added, more = [], []
            for _ in range(TURNS):
                whole, engine = ask(direct, key, base.name, REQUESTS)
                own = [all_of - part for all_of, part in zip(whole, engine)]
                print(f"| Tenora | {at(whole, 0.5):.2f} ms | {at(whole, 0.99):.2f} ms | {at(own, 0.5):.2f} ms |")
                proxied, _ = ask(through, "sk-bench", "it", REQUESTS)
                print(f"| LiteLLM before it | {at(proxied, 0.5):.2f} ms | {at(proxied, 0.99):.2f} ms | |")
                added.append(at(own, 0.5))
                more.append(at(proxied, 0.5) - at(whole, 0.5))
            tenora_adds, litellm_adds = sorted(added)[TURNS // 2], sorted(more)[TURNS // 2]
            print(f"\nadded, p50: Tenora {tenora_adds:.2f} ms, LiteLLM {litellm_adds:.2f} ms: {litellm_adds / tenora_adds:.0f} times")
        finally:
            for process in reversed(started):
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM) if process is not started[0] else process.terminate()
                    process.wait(20)


main()
