#!/usr/bin/env bash
# Runs the commands of README.md and docs/*.md against a demo for each document, with the official OpenAI clients. What
# cannot run says SKIPPED; TENORA_TEST_REQUIRE_SERVICES=1 makes it a failure.
set -euo pipefail
binary=$(realpath "${1:?usage: run.sh path/to/tenora}")
shift
cd "$(dirname "$0")"
clients=$(realpath ../clients)
cache="${TENORA_TEST_CACHE:-$HOME/.cache/tenora}"
options=()

skipped() {
  if [ "${TENORA_TEST_REQUIRE_SERVICES:-}" = 1 ]; then
    echo "FAILED: $1, and TENORA_TEST_REQUIRE_SERVICES=1 asks for everything" >&2
    exit 1
  fi
  echo "SKIPPED: $1" >&2
}

# A virtual environment with what is pinned, remade when the pins change.
venv() {
  local venv="$cache/docs"
  if ! cmp -s requirements.txt "$venv/installed"; then
    mkdir -p "$cache"
    python3 -m venv --clear "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check -r requirements.txt \
      && cp requirements.txt "$venv/installed" || return 1
  fi
}

js_client() {
  command -v npm >/dev/null || return 1
  [ -d "$clients/js/node_modules/openai" ] && cmp -s "$clients/js/package-lock.json" "$clients/js/node_modules/.installed" && return
  (cd "$clients/js" && npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed)
}

for tool in python3 jq curl; do
  command -v "$tool" >/dev/null || { skipped "the documents' commands: $tool is not installed"; exit 0; }
done
python=python3
if venv >&2; then
  python="$cache/docs/bin/python"
  options+=(--python "$python")
else
  skipped "the documents' Python: the packages in requirements.txt cannot be had"
fi
if js_client >&2; then
  options+=(--node-modules "$clients/js/node_modules")
else
  skipped "the documents' JavaScript: npm or its package openai cannot be had"
fi

echo "== what checks documents finds what is broken =="
"$python" -m unittest -q test_run
"$python" run.py "$binary" "${options[@]}" "$@"
