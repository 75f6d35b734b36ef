#!/usr/bin/env bash
# Starts the demo on a free port with a data folder of its own, lets the official OpenAI clients, the demo's evaluation and
# Schemathesis loose on it, and stops it. What cannot run says SKIPPED; TENORA_TEST_REQUIRE_SERVICES=1 makes it a failure.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh path/to/tenora}")
cd "$(dirname "$0")"
root=$(realpath ../..)
cache="${TENORA_TEST_CACHE:-$HOME/.cache/tenora}"
data=$(mktemp -d)
server=""

finish() {
  if [ -n "$server" ]; then
    kill -TERM "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
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

start_demo() {
  env -u TENORA_DATABASE_URL -u TENORA_REDIS_URL TENORA_LISTEN=127.0.0.1:0 TENORA_DATA_DIR="$data" TENORA_LOG=warn \
    "$binary" serve --demo "$root/demo" >"$data/stdout" 2>"$data/stderr" &
  server=$!
  for _ in $(seq 600); do
    [ -s "$data/demo-credentials.json" ] && return
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "FAILED: the demo did not start" >&2
  cat "$data/stderr" >&2
  exit 1
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

js_client() {
  command -v npm >/dev/null || return 1
  [ -d js/node_modules/openai ] && cmp -s js/package-lock.json js/node_modules/.installed && return
  (cd js && npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed)
}

# A field of the demo's credentials, such as ['url'].
credential() {
  python3 -c "import json, sys; print(json.load(open(sys.argv[1]))$1)" "$TENORA_TEST_CREDENTIALS"
}

# schemathesis KEY FILTER PATHS: asks the operations whose path matches, or does not, with this key.
schemathesis() {
  TENORA_TEST_KEY="$1" "$cache/schemathesis/bin/schemathesis" --config-file schemathesis/schemathesis.toml \
    run "$(credential "['url']")/openapi.json" "--$2-path-regex" "$3"
}

start_demo
export TENORA_TEST_CREDENTIALS="$data/demo-credentials.json"

if venv python-client python/requirements.txt >&2; then
  echo "== openai, Python =="
  "$cache/python-client/bin/python" -m unittest discover -s python -v
else
  skipped "the Python client: python3 or its package openai cannot be had"
fi

if js_client >&2; then
  echo "== openai, JavaScript =="
  (cd js && node --test)
else
  skipped "the JavaScript client: npm or its package openai cannot be had"
fi

if command -v python3 >/dev/null; then
  echo "== demo evaluation, 5 inputs a cell =="
  python3 "$root/demo/evaluate.py" --credentials "$TENORA_TEST_CREDENTIALS" --limit 5 --min-own 0.6
else
  skipped "the demo evaluation: python3 is not installed"
fi
# Last: it makes, changes and deletes what it finds.
if venv schemathesis schemathesis/requirements.txt >&2; then
  echo "== Schemathesis, with a tenant's key and with the operator's =="
  schemathesis "$(credential "['tenants'][0]['api_key']")" exclude '^/admin/|/live$'
  schemathesis "$(credential "['admin_key']")" include '^/admin/v1/(tenants|audit|usage)'
else
  skipped "Schemathesis: python3 or the package cannot be had"
fi
echo "Client suites passed."
