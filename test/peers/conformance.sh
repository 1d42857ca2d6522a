#!/usr/bin/env bash
# The recorded scenarios against the deployed stack: MiniStack, the stack of infra/local.json on it, and every scenario
# that passes in one process. Those that wait for the outcome of steps take minutes.
#   conformance.sh [arguments of play]       such as --only engine/dag
# It ends everything that it started. In CI a missing tool is an error; elsewhere the run is skipped with one line.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/../../infra/scripts/lib.sh"
need_node
need_python

export STATE="$root/.downbeat/peers-conformance"
ministack="$root/infra/scripts/ministack.sh"
rm -rf "$STATE"
mkdir -p "$STATE"
trap '"$ministack" stop' EXIT
"$ministack" start "$(free_port)"
if ! "$ministack" deploy >"$STATE/deploy.log" 2>&1; then
  cat "$STATE/deploy.log" >&2
  exit 1
fi
cd "$root"
go run ./test/conformance/cmd/play --base "$("$ministack" api)" --skip-pending --jobs 4 --patience 4 "$@"
