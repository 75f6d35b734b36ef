#!/usr/bin/env bash
# The dashboard in a browser, against a real server with the demo model. Each test file starts a server of its own, on a free port
# with a data folder of its own. What cannot run says SKIPPED; TENORA_TEST_REQUIRE_SERVICES=1 makes it a failure.
set -euo pipefail
TENORA_TEST_BINARY=$(realpath "${1:?usage: run.sh path/to/tenora [test file ...]}")
export TENORA_TEST_BINARY
shift
cd "$(dirname "$0")"

skipped() {
  if [ "${TENORA_TEST_REQUIRE_SERVICES:-}" = 1 ]; then
    echo "FAILED: $1, and TENORA_TEST_REQUIRE_SERVICES=1 asks for everything" >&2
    exit 1
  fi
  echo "SKIPPED: $1" >&2
  exit 0
}

packages() {
  cmp -s package-lock.json node_modules/.installed && return
  npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed
}

command -v node >/dev/null || skipped "the dashboard's tests: node is not installed"
command -v npm >/dev/null || skipped "the dashboard's tests: npm is not installed"
CHROMIUM="${CHROMIUM:-$(command -v chromium || command -v chromium-browser || true)}"
[ -n "$CHROMIUM" ] || skipped "the dashboard's tests: chromium is not installed"
export CHROMIUM
packages >&2 || skipped "the dashboard's tests: playwright-core and axe-core cannot be had"

echo "== the page's rules that need no browser =="
(cd ../../dashboard && { [ -d node_modules ] || npm ci --silent --no-audit --no-fund; } && npm test --silent)
echo "== the page in a browser =="
node --test --test-concurrency=2 "$@"
echo "The dashboard's tests passed."
