#!/usr/bin/env bash
# Starts the demo, has it do a little of everything, reads its metrics, and holds deploy/ and docs/runbook.md against them.
# What cannot run says SKIPPED; TENORA_TEST_REQUIRE_SERVICES=1 makes it a failure, except for promtool, which is no package
# of Python's. With TENORA_TEST_METRICS, a file with a scrape of a server, it starts none.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh path/to/tenora}")
cd "$(dirname "$0")"
root=$(realpath ../..)
cache="${TENORA_TEST_CACHE:-$HOME/.cache/tenora}"
data=$(mktemp -d)
metrics="${TENORA_TEST_METRICS:-$data/metrics}"
server=""

stop() {
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
    server=""
  fi
}

finish() {
  stop
  rm -rf "$data"
}
trap finish EXIT

skipped() {
  if [ "${TENORA_TEST_REQUIRE_SERVICES:-}" = 1 ]; then
    echo "FAILED: $1, and TENORA_TEST_REQUIRE_SERVICES=1 asks for everything" >&2
    exit 1
  fi
  echo "SKIPPED: $1" >&2
}

# venv NAME PINS: a virtual environment with what is pinned, remade when the pins change.
venv() {
  command -v python3 >/dev/null || return 1
  local venv="$cache/$1" pins="$2"
  if ! cmp -s "$pins" "$venv/installed"; then
    mkdir -p "$cache"
    python3 -m venv --clear "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r "$pins" \
      && cp "$pins" "$venv/installed" || return 1
  fi
}

# Two ports that are free now.
ports() {
  python3 -c 'import socket
both = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in both))'
}

# The same that the health checks of the image and of Compose ask with.
healthy() {
  TENORA_OPS_LISTEN="127.0.0.1:$ops" "$binary" health "$@" >/dev/null 2>&1
}

# The collector that is named is nobody: deliveries are counted all the same.
start_demo() {
  env -u TENORA_DATABASE_URL -u TENORA_REDIS_URL TENORA_LISTEN="127.0.0.1:$api" TENORA_OPS_LISTEN="127.0.0.1:$ops" \
    TENORA_DATA_DIR="$data" TENORA_LOG=warn OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:9 OTEL_METRIC_EXPORT_INTERVAL=1000 \
    "$binary" serve --demo "$root/demo" >"$data/stdout" 2>"$data/stderr" &
  server=$!
  for _ in $(seq 600); do
    [ -s "$data/demo-credentials.json" ] && healthy --alive && healthy && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "FAILED: the demo did not start, or does not answer on the operator's port" >&2
  cat "$data/stderr" >&2
  exit 1
}

if ! venv deploy requirements.txt >&2; then
  skipped "the checks of deploy/: python3 or their packages cannot be had"
  exit 0
fi
python="$cache/deploy/bin/python"

if [ -z "${TENORA_TEST_METRICS:-}" ]; then
  read -r api ops < <(ports)
  # Twice: adapters that a start has tried are in memory, and a wait for one is only seen when it is not.
  start_demo
  stop
  start_demo
  "$python" traffic.py "$binary" "$data/demo-credentials.json" "http://127.0.0.1:$ops/metrics" "$metrics"
  stop
fi

echo "== deploy/ and docs/runbook.md against a server's metrics =="
"$python" check.py --metrics "$metrics"
echo "== The checks find what is broken =="
env -u TENORA_TEST_WRITE TENORA_TEST_METRICS="$metrics" "$python" -m unittest -v test_checks
if command -v promtool >/dev/null; then
  echo "== When alerts fire, and when not =="
  (cd "$root/deploy/prometheus" && promtool check config prometheus.yml)
  promtool test rules alerts.test.yaml
else
  echo "SKIPPED: promtool is not installed, and alerts are not tried on series" >&2
fi
