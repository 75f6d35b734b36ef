#!/usr/bin/env python3
"""Holds mistral.rs in the process to the shared engine: the demo's tenants, greedy, must get the same answers.

    tests/compare/mistralrs.py path/to/tenora

The binary has mistral.rs built in: `cargo build --release --features mistralrs`. First one tenant with one adapter, whose model is
the only one in memory; then all three tenants at once, base and three adapters as four models. Needs nothing but Python's own
library. Not part of `make test`: the build takes long.
"""

import argparse
import pathlib
import sys
import tempfile
import time

from asking import QUESTIONS, Demo, differences, get, same_log_probabilities


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tenora")
    options = parser.parse_args()
    started = []

    def demo(scratch, name, **variables):
        began = time.time()
        demo = Demo(options.tenora, pathlib.Path(scratch) / name, variables)
        started.append(demo.process)
        print(f"{name}: there after {time.time() - began:.1f} s", flush=True)
        return demo

    with tempfile.TemporaryDirectory() as scratch:
        try:
            shared = demo(scratch, "shared")
            one = demo(scratch, "one-model", TENORA_ENGINE="mistralrs", TENORA_MISTRALRS_MODELS="1")
            own = next(tenant for tenant in one.tenants if tenant["slug"] == "acme")
            same = 0
            for question in QUESTIONS["ticket-triage"]:
                began = time.time()
                told, answer = one.ask(own, "ticket-triage", question)
                there = next(tenant for tenant in shared.tenants if tenant["slug"] == "acme")
                expected, other = shared.ask(there, "ticket-triage", question)
                same += told == expected and answer["usage"]["total_tokens"] == other["usage"]["total_tokens"]
                print(f"  {told!r} after {time.time() - began:.2f} s, {answer['usage']['completion_tokens']} tokens")
            print(f"one adapter, merged: {same} of 3 answers and their costs are the same")
            _, tokens, far = same_log_probabilities(one, shared, QUESTIONS["ticket-triage"][0])

            four = demo(scratch, "four-models", TENORA_ENGINE="mistralrs", TENORA_MISTRALRS_MODELS="4")
            began = time.time()
            told = four.all_at_once()
            took = time.time() - began
            expected = shared.all_at_once()
            all_same = differences(told, expected, "mistralrs")
            print(f"all at once: {all_same} of {len(expected)} answers are the same; mistral.rs took {took:.1f} s for them, loads included")
            metrics = get(four.url + "/readyz")
            print(f"ready: {metrics}")
            left = list((pathlib.Path(scratch) / "four-models" / "merged").iterdir())
            if same != 3 or not tokens or far > 0.001 or all_same != len(expected) or left:
                sys.exit(f"FAILED {left}")
            print("The same answers.")
        finally:
            for process in started:
                process.terminate()
            for process in started:
                process.wait(60)


main()
