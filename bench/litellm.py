#!/usr/bin/env python3
"""What LiteLLM's proxy adds to a request, beside what Tenora adds: same machine, same minutes, same client, same load.

    litellm.py path/to/tenora path/to/litellm [bench options …]

Starts the proxy, two workers, in front of an engine that answers at once, and then the benchmark's scenario `gateway` with the
proxy beside Tenora (`tenora bench --scenarios gateway --beside`); options go to that, such as `--rates 20,1000` or
`--set TENORA_REDIS_URL=redis://127.0.0.1`. Where Tenora has Redis, the proxy has limits of the key in it; where Tenora has traces
(`--set OTEL_EXPORTER_OTLP_ENDPOINT=…`), so has the proxy, which needs opentelemetry-sdk and opentelemetry-exporter-otlp-proto-http
beside it. It never has a database: the driver that it needs is downloaded when it starts. Needs nothing but Python's own library.
"""

import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

# Any key may do anything, within limits that are counted and never reached.
AUTH = """from litellm.proxy._types import UserAPIKeyAuth

async def check(request, api_key):
    many = 1 << 40
    return UserAPIKeyAuth(api_key=api_key, rpm_limit=many, tpm_limit=many, max_parallel_requests=many)
"""
ANSWER = {
    "id": "cmpl-0", "object": "text_completion", "created": 1, "model": "it",
    "choices": [{"index": 0, "text": " one", "finish_reason": "length", "logprobs": None}],
    "usage": {"prompt_tokens": 4, "completion_tokens": 1, "total_tokens": 5},
}


def engine(started, tenora):
    """Starts an engine that answers at once; returns its URL."""
    process = subprocess.Popen([tenora, "bare"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    started.append(process)
    process.stdin.write(json.dumps({"headers": [["content-type", "application/json"]], "body": json.dumps(ANSWER)}))
    process.stdin.close()
    return process.stdout.readline().split()[-1]


def proxy(started, binary, upstream, scratch, settings):
    """Starts LiteLLM's proxy in front of an engine, with what Tenora has; returns its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    route = {"model": "text-completion-openai/it", "api_base": f"{upstream}/v1", "api_key": "none"}
    general, itself, env = {"master_key": "sk-of-the-operator", "custom_auth": "auth.check"}, {"telemetry": False}, {}
    if redis := settings.get("TENORA_REDIS_URL"):
        # For its counters. With no kind of call to remember, no answer is.
        itself |= {"cache": True, "cache_params": {"type": "redis", "url": redis, "supported_call_types": []}}
    if collector := settings.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        itself["callbacks"] = ["otel"]
        env = {"OTEL_EXPORTER": "otlp_http", "OTEL_ENDPOINT": f"{collector}/v1/traces"}
    (scratch / "auth.py").write_text(AUTH)
    config = scratch / "litellm.yaml"
    models = [{"model_name": "*", "litellm_params": route}]
    config.write_text(json.dumps({"model_list": models, "general_settings": general, "litellm_settings": itself}))
    command = [binary, "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "2"]
    # In a group of its own, because its workers are other processes.
    started.append(subprocess.Popen(command, env=os.environ | env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True))
    for _ in range(600):
        if started[-1].poll() is not None:
            sys.exit(f"{binary} ended with {started[-1].returncode}")
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
            connection.request("GET", "/health/liveliness")
            if connection.getresponse().status == 200:
                return f"http://127.0.0.1:{port}"
        except OSError:
            pass
        time.sleep(0.2)
    sys.exit(f"{binary} did not start")


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    tenora, litellm, *options = sys.argv[1:]
    settings = dict(value.split("=", 1) for flag, value in zip(options, options[1:]) if flag == "--set")
    if not shutil.which(litellm) or subprocess.run([litellm, "--version"], stderr=subprocess.DEVNULL).returncode != 0:
        sys.exit(f"{litellm} is not LiteLLM's command: name the one that `pip install 'litellm[proxy]'` brings")
    # Whoever ends this ends what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    started = []
    with tempfile.TemporaryDirectory() as scratch:
        try:
            beside = proxy(started, litellm, engine(started, tenora), pathlib.Path(scratch), settings)
            command = [tenora, "bench", "--shape", "tiny", "--set", "TENORA_THREADS=1", "--scenarios", "gateway", "--beside", beside, *options]
            sys.exit(subprocess.run(command).returncode)
        finally:
            for process in reversed(started):
                # One that has ended is no group any more.
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGTERM) if process.args[0] == litellm else process.terminate()
                    process.wait(20)


main()
