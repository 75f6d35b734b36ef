#!/usr/bin/env python3
"""Holds a real vLLM behind Tenora to the shared engine: the demo's three tenants at once, greedy, must get the same answers.

    tests/compare/vllm.py path/to/tenora path/to/vllm [--log FILE]

`vllm` is the command of an installed vLLM (0.32 on a CPU was used; bench/README.md says how it is installed). The script starts
it with the demo's base model, two Tenora demos (one on vLLM, one on its own engine), asks both the same, and ends all three.
Needs nothing but Python's own library. Not part of `make test`: vLLM is large.
"""

import argparse
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

from asking import QUESTIONS, ROOT, Demo, differences, get, port, same_log_probabilities, wait

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
            same = differences(told, expected, "vllm")
            print(f"{same} of {len(expected)} answers are the same; vLLM took {took:.1f} s for all of them at once")

            question = QUESTIONS["ticket-triage"][0]
            answer, tokens, far = same_log_probabilities(behind, alone, question)
            print(f"usage: {answer['usage']}")
            tenant = next(tenant for tenant in behind.tenants if tenant["slug"] == "acme")
            stopped, _ = behind.ask(tenant, "ticket-triage", question, stop=[answer["choices"][0]["message"]["content"][4:7]])
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
