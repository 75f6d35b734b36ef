#!/usr/bin/env python3
"""Holds a real vLLM behind Tenora to the shared engine: the demo's three tenants at once, greedy, must get the same answers.

    compare.py path/to/tenora path/to/vllm [--keep-log]

`vllm` is the command of an installed vLLM (0.32 on a CPU was used; bench/README.md says how it is installed). The script starts
it with the demo's base model, two Tenora demos (one on vLLM, one on its own engine), asks both the same, and ends all three.
Needs nothing but Python's own library. Not part of `make test`: vLLM is large.
"""

import argparse
import concurrent.futures
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
QUESTIONS = {
    "ticket-triage": ["The printer in Leeds is broken again.", "I was charged twice for my order.", "My password does not work."],
    "text-to-sql": ["How many orders did Anna Weber place in March?", "List all customers in Leeds.", "What is the total of all orders?"],
    "brand-voice": ["Your order is late.", "The meeting is at noon.", "We do not sell that."],
}


def port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def get(url, key=None, body=None, patience=600):
    request = urllib.request.Request(url, data=None if body is None else json.dumps(body).encode())
    request.add_header("content-type", "application/json")
    if key:
        request.add_header("authorization", f"Bearer {key}")
    with urllib.request.urlopen(request, timeout=patience) as answer:
        return json.load(answer) if "json" in answer.headers.get("content-type", "") else answer.read()


def wait(url, process, what, patience=900):
    end = time.time() + patience
    while time.time() < end:
        if process.poll() is not None:
            sys.exit(f"{what} ended with {process.returncode}")
        try:
            return get(url, patience=5)
        except OSError:
            time.sleep(0.5)
    sys.exit(f"{what} did not start")


class Demo:
    def __init__(self, tenora, folder, variables):
        self.data = folder
        self.url = f"http://127.0.0.1:{(own := port())}"
        env = {name: value for name, value in os.environ.items() if not name.startswith("TENORA_")}
        env |= {"TENORA_LISTEN": f"127.0.0.1:{own}", "TENORA_DATA_DIR": str(folder), "TENORA_LOG": "info"} | variables
        self.process = subprocess.Popen([tenora, "serve", "--demo", str(ROOT / "demo")], env=env, stdout=subprocess.DEVNULL)
        wait(f"{self.url}/readyz", self.process, "tenora")
        written = folder / "demo-credentials.json"
        while not written.exists():
            time.sleep(0.2)
        time.sleep(1)
        self.tenants = json.loads(written.read_text())["tenants"]
        self.admin = json.loads(written.read_text())["admin_key"]

    def ask(self, tenant, model, question, **more):
        body = {"model": model, "temperature": 0, "max_tokens": 48, "messages": [{"role": "user", "content": question}]} | more
        answer = get(f"{self.url}/v1/chat/completions", tenant["api_key"], body)
        return answer["choices"][0]["message"]["content"], answer

    def all_at_once(self):
        """Every tenant's adapters and the base, all questions, at the same time."""
        jobs = {}
        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            for tenant in self.tenants:
                models = get(f"{self.url}/v1/models", tenant["api_key"])["data"]
                for model in sorted(one["id"] for one in models):
                    for questions in QUESTIONS.values() if model not in QUESTIONS else [QUESTIONS[model]]:
                        for question in questions:
                            job = pool.submit(self.ask, tenant, model, question)
                            jobs[tenant["slug"], model, question] = job
            return {case: job.result()[0] for case, job in jobs.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tenora")
    parser.add_argument("vllm")
    parser.add_argument("--log", help="where vLLM's log goes")
    options = parser.parse_args()
    started = []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        log = open(options.log or scratch / "vllm.log", "wb")
        try:
            vllm_url = f"http://127.0.0.1:{(own := port())}"
            command = [
                options.vllm, "serve", str(ROOT / "demo/base"), "--served-model-name", "demo-base", "--dtype", "float32",
                "--enable-lora", "--max-loras", "4", "--max-cpu-loras", "8", "--max-lora-rank", "16",
                "--enable-prompt-tokens-details", "--host", "127.0.0.1", "--port", str(own),
                "--max-model-len", "512", "--max-num-seqs", "16",
            ]
            env = os.environ | {
                "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1", "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1",
            }
            print("starting vLLM, which takes a minute or two", flush=True)
            began = time.time()
            vllm = subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
            started.append(vllm)
            wait(f"{vllm_url}/v1/models", vllm, "vLLM")
            print(f"vLLM {get(f'{vllm_url}/version')['version']} is there after {time.time() - began:.0f} s", flush=True)
            (scratch / "shared").mkdir()
            behind = Demo(options.tenora, scratch / "behind", {
                "TENORA_ENGINE": "vllm", "TENORA_VLLM_SERVERS": vllm_url, "TENORA_VLLM_MODEL": "demo-base",
                "TENORA_VLLM_ADAPTER_DIR": str(scratch / "shared"), "TENORA_VLLM_ADAPTERS": "4",
            })
            started.append(behind.process)
            alone = Demo(options.tenora, scratch / "alone", {})
            started.append(alone.process)
            began = time.time()
            told = behind.all_at_once()
            took = time.time() - began
            expected = alone.all_at_once()
            same = sum(told[case] == expected[case] for case in expected)
            for case in expected:
                if told[case] != expected[case]:
                    print(f"DIFFERENT {case}\n  shared {expected[case]!r}\n  vllm   {told[case]!r}")
            print(f"{same} of {len(expected)} answers are the same; vLLM took {took:.1f} s for all of them at once")

            tenant = next(tenant for tenant in behind.tenants if tenant["slug"] == "acme")
            _, answer = behind.ask(tenant, "ticket-triage", QUESTIONS["ticket-triage"][0], logprobs=True, top_logprobs=3)
            _, other = alone.ask(next(t for t in alone.tenants if t["slug"] == "acme"), "ticket-triage",
                                 QUESTIONS["ticket-triage"][0], logprobs=True, top_logprobs=3)
            pairs = list(zip(answer["choices"][0]["logprobs"]["content"], other["choices"][0]["logprobs"]["content"]))
            far = max(abs(a["logprob"] - b["logprob"]) for a, b in pairs)
            tokens = all(a["token"] == b["token"] for a, b in pairs)
            print(f"log probabilities: {len(pairs)} tokens, the same: {tokens}, at most {far:.5f} apart")
            print(f"usage: {answer['usage']}")
            stopped, _ = behind.ask(tenant, "ticket-triage", QUESTIONS["ticket-triage"][0], stop=[answer["choices"][0]["message"]["content"][4:7]])
            print(f"stop: {stopped!r}")
            names = [one["id"] for one in get(f"{vllm_url}/v1/models")["data"]]
            print(f"vLLM's own list: {names}")
            servers = get(f"{behind.url}/admin/v1/servers", behind.admin)["data"]
            print(f"servers: {servers}")
            leaks = [name for name in names if re.search("triage|sql|voice|acme", name)]
            if same != len(expected) or not tokens or far > 0.01 or leaks:
                sys.exit("FAILED")
            print("The same answers.")
        finally:
            for process in reversed(started):
                if process is started[0]:
                    os.killpg(process.pid, signal.SIGTERM)
                else:
                    process.terminate()
            for process in started:
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()


main()
