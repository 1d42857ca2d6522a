#!/usr/bin/env bash
# The AWS adapters on servers that nobody here wrote: the conformance suites of the Table, Queue, Blob and Bus ports against
# DynamoDB Local and ElasticMQ (Java, fetched by Maven) and MiniStack (Python), each started here on loopback.
#   adapters.sh [arguments of go test]
# It ends everything that it started, however it ends itself. A tool that is not there, or a server that cannot be
# fetched, is an error in CI; elsewhere what needs it is skipped, with a line that says so.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/../../infra/scripts/lib.sh"
state="$(mktemp -d "${TMPDIR:-/tmp}/downbeat-peers.XXXXXX")"
results=()
failed=0

stop() {
  local file pid
  for file in "$state"/*.pid; do
    [ -e "$file" ] || continue
    pid="$(cat "$file")"
    kill "$pid" 2>/dev/null || continue
    for _ in $(seq 50); do
      kill -0 "$pid" 2>/dev/null || continue 2
      sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
  done
}
trap 'stop; rm -rf "$state"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# A script that is killed runs no trap: somebody else sees that it is gone and ends what is left.
(
  trap '' INT TERM HUP
  while kill -0 $$ 2>/dev/null; do sleep 1; done
  stop
  rm -rf "$state"
) >/dev/null 2>&1 </dev/null &

# skip WHAT WHY: one line, and a failure in CI.
skip() {
  echo "SKIPPED: $1: $2" >&2
  results+=("SKIPPED  $1: $2")
  if [ -n "${CI:-}" ]; then failed=1; fi
}

# lack TOOL...: the first of the tools that is not installed; false if all are.
lack() {
  local tool
  for tool; do
    command -v "$tool" >/dev/null || { echo "$tool is not installed"; return; }
  done
  return 1
}

# no_java TOOL...: why the Java servers cannot run here; false if they can.
no_java() {
  lack java "$@" && return
  local version
  version="$(java -XshowSettings:properties -version 2>&1 | sed -n 's/.*java\.specification\.version = //p')"
  [ "${version%%.*}" -lt 17 ] || return 1
  echo "Java $version is older than 17"
}

# free: a port of the loopback that nobody listens on. Linux gives the ports from 32768 on to clients.
free() {
  local port
  while :; do
    port=$((21000 + RANDOM % 11000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
  done
}

# start NAME COMMAND...: runs the command, in which @PORT@ stands for the port, in the background until it listens, and sets
# $port. Somebody may take the port first: then another one is tried.
start() {
  local name="$1" try pid
  shift
  for try in 1 2 3; do
    port="$(free)"
    (exec "${@//@PORT@/$port}") >"$state/$name.log" 2>&1 </dev/null &
    pid=$!
    disown "$pid"
    echo "$pid" >"$state/$name.pid"
    for _ in $(seq 900); do # Java needs a minute where the machine is busy
      kill -0 "$pid" 2>/dev/null || break
      if grep -qis 'address already in use' "$state/$name.log"; then break; fi
      if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
        echo "$name listens on 127.0.0.1:$port"
        return
      fi
      sleep 0.2
    done
    kill -9 "$pid" 2>/dev/null || true
    rm -f "$state/$name.pid"
    echo "$name did not start (try $try); its log:" >&2
    tail -20 "$state/$name.log" >&2
  done
  results+=("FAILED   $name did not start")
  failed=1
  return 1
}

# jars NAME: fetches what the pom in folder NAME depends on, once for each pom, and sets $lib.
jars() {
  local pom="$here/$1/pom.xml" work
  lib="$cache/$1-$(cksum <"$pom" | cut -d' ' -f1)"
  [ ! -e "$lib/.complete" ] || return 0
  work="$state/fetch-$1"
  mkdir -p "$work"
  cp "$pom" "$work"
  (cd "$work" && mvn -q -B dependency:copy-dependencies -DoutputDirectory="$work/lib" -DincludeScope=runtime) >"$work/log" 2>&1 || {
    tail -5 "$work/log" >&2
    return 1
  }
  mkdir -p "$cache"
  rm -rf "$lib"
  touch "$work/lib/.complete"
  mv "$work/lib" "$lib"
}

# check PEER PACKAGE VARIABLE=VALUE...: the tests of an adapter with the environment that names its endpoint.
check() {
  local peer="$1" package="$2" log passed
  shift 2
  log="$state/$(basename "$package")-on-${peer%% *}.log"
  if env -u AWS_PROFILE -u AWS_SESSION_TOKEN -u AWS_ENDPOINT_URL -u DOWNBEAT_TEST_AWS AWS_EC2_METADATA_DISABLED=true \
    DOWNBEAT_TEST_REQUIRE=1 "$@" go test -count=1 -timeout 10m -v "${arguments[@]}" "./$package" >"$log" 2>&1; then
    passed="$(grep -c -- '--- PASS' "$log" || true)"
    results+=("PASSED   $package on $peer: $passed tests")
  else
    failed=1
    results+=("FAILED   $package on $peer")
    grep -v -e '^=== ' -e '--- PASS' "$log" | tail -60 >&2
  fi
  echo "${results[-1]}"
}

arguments=("$@")
cd "$root"
adapter=functions/adapter

dynamodb="DynamoDB Local 3.3.1"
if why="$(no_java javac mvn)"; then
  skip "$adapter/dynamotable on $dynamodb" "$why"
elif ! jars dynamodb; then
  skip "$adapter/dynamotable on $dynamodb" "it cannot be fetched"
else
  javac -cp "$lib/*" -d "$state" "$here/dynamodb/Loopback.java"
  if start dynamodb java -Xmx256m -XX:+UseSerialGC -Djava.library.path="$lib" -cp "$state:$lib/*" \
    Loopback -inMemory -sharedDb -disableTelemetry -port @PORT@; then
    check "$dynamodb" "$adapter/dynamotable" AWS_ENDPOINT_URL_DYNAMODB="http://127.0.0.1:$port"
  fi
  stop
fi

elasticmq="ElasticMQ 1.7.1"
if why="$(no_java mvn)"; then
  skip "$adapter/sqsqueue on $elasticmq" "$why"
elif ! jars elasticmq; then
  skip "$adapter/sqsqueue on $elasticmq" "it cannot be fetched"
else
  # Its configuration reads the port from the properties.
  cat >"$state/elasticmq.conf" <<'CONF'
include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = ${downbeat.port}, context-path = "" }
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = ${downbeat.port}, sqs-limits = strict }
rest-stats { enabled = false }
CONF
  if start elasticmq java -Xmx256m -XX:+UseSerialGC -Dconfig.file="$state/elasticmq.conf" -Ddownbeat.port=@PORT@ \
    -cp "$lib/*" org.elasticmq.server.Main; then
    check "$elasticmq" "$adapter/sqsqueue" AWS_ENDPOINT_URL_SQS="http://127.0.0.1:$port"
  fi
  stop
fi

ministack="MiniStack 1.5.33"
if why="$(lack python3)"; then
  skip "the adapters on $ministack" "$why"
elif ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
  skip "the adapters on $ministack" "Python is older than 3.10 or has no venv"
elif ! bash -euo pipefail -c '. "$1"; need_venv' - infra/scripts/lib.sh; then # a condition would turn -e off in it
  skip "the adapters on $ministack" "it cannot be fetched"
else
  need_venv
  if start ministack env PATH="$venv/bin:$PATH" BIND_HOST=127.0.0.1 GATEWAY_PORT=@PORT@ LAMBDA_EXECUTOR=local \
    AWS_ENDPOINT_URL=http://127.0.0.1:@PORT@ AWS_EC2_METADATA_DISABLED=true "$venv/bin/ministack"; then
    for name in sqsqueue s3blob eventbridgebus snsbus; do
      check "$ministack" "$adapter/$name" AWS_ENDPOINT_URL="http://127.0.0.1:$port"
    done
    arguments+=(-skip 'TestUnits|TestConformance/units') # its units are not those of the service
    check "$ministack" "$adapter/dynamotable" AWS_ENDPOINT_URL="http://127.0.0.1:$port"
  fi
  stop
fi

echo
printf '%s\n' "${results[@]}"
exit "$failed"
