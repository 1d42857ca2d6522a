# Shared by the scripts of this folder and test/peers/stack.sh: where tools come from. Sourced, not run.
#
# Node runs the CDK, Python runs MiniStack and cfn-lint. What they need is installed once, in pinned versions, into the
# user's cache folder; after that everything works offline.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
cache="${XDG_CACHE_HOME:-$HOME/.cache}/downbeat"
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION=18,20 JSII_SILENCE_WARNING_UNTESTED_NODE_VERSION=1
export CDK_DISABLE_CLI_TELEMETRY=true NODE_NO_WARNINGS=1

# missing TOOL WHY: one clear line. In CI a missing tool is a failure; elsewhere the caller skips what needs it.
missing() {
  echo "SKIPPED: $1 is not installed: $2" >&2
  if [ -n "${CI:-}" ]; then exit 1; fi
  exit 0
}

need_node() {
  command -v node >/dev/null && command -v npm >/dev/null || missing "Node.js (20 or newer, with npm)" "the CDK runs on it"
}

need_python() {
  command -v python3 >/dev/null && python3 -c 'import venv, ensurepip' 2>/dev/null ||
    missing "Python 3.10 or newer (with venv)" "MiniStack and cfn-lint run on it"
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' || missing "Python 3.10 or newer" "MiniStack and cfn-lint run on it"
}

# The CDK CLI, as pinned by package-lock.json.
need_cdk() {
  need_node
  if ! cmp -s "$root/infra/package-lock.json" "$root/infra/node_modules/.installed"; then
    (cd "$root/infra" && try npm ci --silent --no-audit --no-fund)
    cp "$root/infra/package-lock.json" "$root/infra/node_modules/.installed"
  fi
}

cdk() { (cd "$root/infra" && ./node_modules/.bin/cdk "$@"); }

# The Python tools, as pinned by test/peers/requirements.txt: sets $venv.
need_venv() {
  need_python
  local pins="$root/test/peers/requirements.txt"
  venv="$cache/python-$(cksum <"$pins" | cut -d' ' -f1)"
  if [ ! -e "$venv/.complete" ]; then
    mkdir -p "$cache"
    python3 -m venv --clear "$venv"
    try "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$pins"
    touch "$venv/.complete"
  fi
}

# This machine's architecture, in the words of Lambda.
machine() {
  case "$(uname -m)" in
  aarch64 | arm64) echo arm64 ;;
  *) echo x86_64 ;;
  esac
}

# free_port: a port of loopback that nobody uses.
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# try COMMAND...: up to three times, since registries are on the network.
try() {
  local n
  for n in 1 2 3; do
    if "$@"; then return; fi
    echo "try $n of 3: $* did not work" >&2
    sleep $((n * 5))
  done
  return 1
}
