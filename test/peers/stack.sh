#!/usr/bin/env bash
# The whole stack on an independent peer: MiniStack with TLS and IAM enforced, the stack deployed by the CDK CLI, the six
# built functions run by it, and the tests of test/peers/stack against its HTTP API, queues, bucket and bus.
#   stack.sh [arguments of go test]
# It ends everything that it started. In CI a missing tool is an error; elsewhere the run is skipped with one line.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/../../infra/scripts/lib.sh"
need_node
need_python
command -v openssl >/dev/null || missing "openssl" "the emulator speaks TLS with a certificate that it makes"

export STATE="$root/.downbeat/peers-stack"
ministack="$root/infra/scripts/ministack.sh"
rm -rf "$STATE"
mkdir -p "$STATE"
trap '"$ministack" stop' EXIT
SECURE=1 "$ministack" start "$(free_port)"
if ! VERSION=first "$ministack" deploy "$here/stack.json" >"$STATE/deploy.log" 2>&1; then
  cat "$STATE/deploy.log" >&2
  exit 1
fi
echo "deployed; running the tests"
cd "$root"
if ! DOWNBEAT_PEERS_OUTPUTS="$STATE/outputs.json" DOWNBEAT_PEERS_PID="$(cat "$STATE/pid")" DOWNBEAT_PEERS_LOG="$STATE/log" \
  DOWNBEAT_PEERS_REPLACE="VERSION=second '$ministack' deploy '$here/stack.json'" \
  "$ministack" run go test -count=1 -timeout 20m "$@" ./test/peers/stack; then
  echo "stack.sh: the emulator's log is in $STATE/log; its last errors:" >&2
  grep -a -E '"level":"(ERROR|WARN)"|FunctionError|Traceback|errorMessage' "$STATE/log" | tail -40 >&2 || true
  exit 1
fi
