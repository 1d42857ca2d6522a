#!/usr/bin/env bash
# The Python client of Maestro's users against a server in one process: installed once, in a pinned version, into the
# user's cache folder.
#   sdk.sh [arguments of go test]
# In CI a missing Python is an error; elsewhere the run is skipped with one line.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
pins="$root/test/peers/sdk/requirements.txt"

missing() {
  echo "SKIPPED: $1" >&2
  if [ -n "${CI:-}" ]; then exit 1; fi
  exit 0
}
command -v python3 >/dev/null && python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  missing "Python 3.11 or newer with venv is not installed: Maestro's client needs it"

venv="${XDG_CACHE_HOME:-$HOME/.cache}/downbeat/sdk-$(cksum <"$pins" | cut -d' ' -f1)"
if [ ! -e "$venv/.complete" ]; then
  mkdir -p "$(dirname "$venv")"
  python3 -m venv --clear "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$pins" ||
    missing "maestro-sdk cannot be installed: no package index is reached"
  touch "$venv/.complete"
fi
cd "$root"
DOWNBEAT_SDK_PYTHON="$venv/bin/python" go test -count=1 -v "$@" ./test/peers/sdk
