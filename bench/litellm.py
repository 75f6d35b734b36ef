#!/usr/bin/env python3
"""What LiteLLM's proxy adds to a request, beside what Tenora adds, on one machine at one time.

    litellm.py path/to/tenora path/to/litellm MODEL-FOLDER [NAME=VALUE …]

MODEL-FOLDER is a small base model; `tenora bench --shape tiny --work-dir DIR` makes one below DIR. NAME=VALUE are settings of
Tenora's, such as TENORA_REDIS_URL=redis://127.0.0.1. One stream of completions of one token, over a connection that stays
open, in turns: of an engine that answers at once, asked directly (`tenora bare`, with an answer of Tenora's); of Tenora; and of
the proxy in front of that engine. What each adds is what a request to it takes longer than one to the engine that answers at
once; of Tenora's, what it says that its own engine took is taken off before. Tenora counts a key, four limits and a usage row
with each request; the proxy has neither database nor Redis. Needs nothing but Python's own library.
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


def question(key, model):
    body = json.dumps({"model": model, "prompt": "one two three", "max_tokens": 1, "temperature": 0})
    return "POST", "/v1/completions", body, {"content-type": "application/json", "authorization": f"Bearer {key}"}


def example(address, key, model):
    """An answer of Tenora's, as `tenora bare` takes it."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    connection.request(*question(key, model))
    answer = connection.getresponse()
    return json.dumps({"headers": answer.getheaders(), "body": answer.read().decode()})


def bare(started, tenora, answer):
    """Starts an engine that answers at once; returns its address."""
    process = subprocess.Popen([tenora, "bare"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started.append(process)
    process.stdin.write(answer)
    process.stdin.close()
    host, number = process.stdout.readline().strip().rsplit("/", 1)[1].split(":")
    return host, int(number)


def ask(address, key, model, count):
    """Milliseconds of each request, and those of them that its engine took, by what the answer says."""
    connection = http.client.HTTPConnection(*address, timeout=60)
    request = question(key, model)
    whole, engine = [], []
    for _ in range(count):
        began = time.perf_counter()
        connection.request(*request)
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


def tenora_beside(started, binary, base, scratch, settings):
    """Starts Tenora with a tenant; returns its address and the tenant's key."""
    address = ("127.0.0.1", port())
    env = {name: value for name, value in os.environ.items() if not name.startswith("TENORA_")}
    env |= {"TENORA_MODEL": str(base), "TENORA_LISTEN": f"{address[0]}:{address[1]}", "TENORA_DATA_DIR": str(scratch / "data"),
            "TENORA_ADMIN_KEY": ADMIN, "TENORA_LOG": "warn"} | settings
    started.append(subprocess.Popen([binary, "serve"], env=env, stdout=subprocess.DEVNULL))
    wait(address, started[-1], "/readyz")
    url, slug = f"http://{address[0]}:{address[1]}", f"bench-{os.getpid()}"
    call(f"{url}/admin/v1/tenants", ADMIN, {"slug": slug})
    many = {name: 1_000_000_000 for name in ("requests_per_minute", "tokens_per_minute", "concurrent_requests", "monthly_tokens")}
    patch(f"{url}/admin/v1/tenants/{slug}", ADMIN, {"limits": many})
    return address, call(f"{url}/admin/v1/tenants/{slug}/keys", ADMIN, {"name": "bench"})["key"]


def litellm_before(started, binary, upstream, model, scratch):
    """Starts LiteLLM's proxy in front of an engine; returns its address."""
    address, config = ("127.0.0.1", port()), scratch / "litellm.yaml"
    parameters = {"model": f"text-completion-openai/{model}", "api_base": f"http://{upstream[0]}:{upstream[1]}/v1", "api_key": "none"}
    config.write_text(json.dumps({
        "model_list": [{"model_name": "it", "litellm_params": parameters}],
        "general_settings": {"master_key": "sk-bench"},
        "litellm_settings": {"telemetry": False},
    }))
    started.append(subprocess.Popen([binary, "--config", str(config), "--host", address[0], "--port", str(address[1]), "--num_workers", "2"],
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))
    wait(address, started[-1], "/health/liveliness")
    return address


def compare(floor, tenora, proxy):
    """Asks the three in turns; each is an address, a key and a model's name."""
    for one in (floor, tenora, proxy):
        ask(*one, WARM_UP)
    print("| | p50 | p99 | less its engine, p50 | p99 | added, p50 | p99 |\n|---|--:|--:|--:|--:|--:|--:|")
    added = {"Tenora": [], "LiteLLM": []}
    for _ in range(TURNS):
        least, _ = ask(*floor, REQUESTS)
        print(f"| the engine that answers at once | {at(least, 0.5):.2f} ms | {at(least, 0.99):.2f} ms | | | | |")
        for name, one in (("Tenora", tenora), ("LiteLLM", proxy)):
            whole, engine = ask(*one, REQUESTS)
            # The proxy's engine takes no time, whatever the answer that it repeats says.
            own = [all_of - part for all_of, part in zip(whole, engine)] if name == "Tenora" else whole
            more = [at(own, share) - at(least, share) for share in (0.5, 0.99)]
            added[name].append(more)
            numbers = (at(whole, 0.5), at(whole, 0.99), at(own, 0.5), at(own, 0.99), *more)
            print(f"| {name} | " + " | ".join(f"{number:.2f} ms" for number in numbers) + " |")
    middle = {name: [sorted(each)[TURNS // 2] for each in zip(*turns)] for name, turns in added.items()}
    for index, share in enumerate(("p50", "p99")):
        tenora_adds, litellm_adds = middle["Tenora"][index], middle["LiteLLM"][index]
        print(f"\nadded, {share}: Tenora {tenora_adds:.3f} ms, LiteLLM {litellm_adds:.2f} ms: {litellm_adds / tenora_adds:.0f} times")


def main():
    if len(sys.argv) < 4 or not all("=" in setting for setting in sys.argv[4:]):
        sys.exit(__doc__)
    tenora, litellm, model = sys.argv[1:4]
    settings = dict(setting.split("=", 1) for setting in sys.argv[4:])
    base = pathlib.Path(model).resolve()
    started = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        try:
            direct, key = tenora_beside(started, tenora, base, scratch, settings)
            engine = bare(started, tenora, example(direct, key, base.name))
            through = litellm_before(started, litellm, engine, base.name, scratch)
            version = subprocess.run([pathlib.Path(litellm).with_name("python"), "-c", "import importlib.metadata as m; print(m.version('litellm'))"],
                                     capture_output=True, text=True).stdout.strip()
            print(f"LiteLLM {version}, two workers; {REQUESTS} requests a turn, one stream; load {os.getloadavg()[0]:.1f}\n")
            compare((engine, key, base.name), (direct, key, base.name), (through, "sk-bench", "it"))
        finally:
            for process in reversed(started):
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM) if process.args[0] == litellm else process.terminate()
                    process.wait(20)


main()
