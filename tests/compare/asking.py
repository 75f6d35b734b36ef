"""Tenora's demo started on some engine, and asked: what the scripts that compare engines have in common."""

import concurrent.futures
import json
import os
import pathlib
import socket
import subprocess
import sys
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


def differences(told, expected, name):
    """Prints what is not the same; how many answers are."""
    for case in expected:
        if told[case] != expected[case]:
            print(f"DIFFERENT {case}\n  shared {expected[case]!r}\n  {name} {told[case]!r}")
    return sum(told[case] == expected[case] for case in expected)


def same_log_probabilities(one, other, question, tenant="acme", model="ticket-triage"):
    """Of one answer by two demos: the tokens, whether they are the same, how far apart their log probabilities are at most."""
    def tokens(demo):
        asker = next(asker for asker in demo.tenants if asker["slug"] == tenant)
        _, answer = demo.ask(asker, model, question, logprobs=True, top_logprobs=3)
        return answer["choices"][0]["logprobs"]["content"], answer

    (here, answer), (there, _) = tokens(one), tokens(other)
    # vLLM tells of the token that ends the answer, too.
    same = len(here) - len(there) in (0, 1) and all(a["token"] == b["token"] for a, b in zip(here, there))
    far = max(abs(a["logprob"] - b["logprob"]) for a, b in zip(here, there))
    print(f"log probabilities: {len(there)} tokens, the same: {same}, at most {far:.6f} apart")
    return answer, same, far
