#!/usr/bin/env bash
# MiniStack, an emulator of AWS on this machine, and the stack on it. No Docker, no account.
#   ministack.sh start [PORT]                start MiniStack (default port 4566); it stays until stopped
#   ministack.sh deploy [CONFIG [OUTPUTS]]   deploy the stack on it with the CDK CLI (default: infra/local.json)
#   ministack.sh stop
#   ministack.sh run COMMAND...              run a command with the environment that AWS clients need here
# State is in .downbeat/ministack (STATE names another folder); nothing in MiniStack outlives it.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/lib.sh"
state="${STATE:-$root/.downbeat/ministack}"

# The CDK CLI caches account ids by access key, so MiniStack has a key of its own.
client_env() {
  [ -e "$state/port" ] || { echo "ministack.sh: MiniStack is not running; start it with: $0 start" >&2; exit 1; }
  export AWS_ENDPOINT_URL="http://127.0.0.1:$(cat "$state/port")"
  export AWS_ACCESS_KEY_ID=ministack AWS_SECRET_ACCESS_KEY=ministack AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  export AWS_EC2_METADATA_DISABLED=true CDK_DEFAULT_ACCOUNT=000000000000 CDK_DEFAULT_REGION=us-east-1
}

running() { [ -e "$state/pid" ] && kill -0 "$(cat "$state/pid")" 2>/dev/null; }

start() {
  local port="${1:-4566}"
  if running; then
    echo "MiniStack is running at http://127.0.0.1:$(cat "$state/port")"
    return
  fi
  need_venv
  mkdir -p "$state"
  (
    # Functions and emulator share this machine: no credentials of its user reach them.
    unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    export PATH="$venv/bin:$PATH" BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" LAMBDA_EXECUTOR=local \
      AWS_ENDPOINT_URL="http://127.0.0.1:$port" AWS_EC2_METADATA_DISABLED=true AWS_REGION=us-east-1
    cd "$state"
    exec "$venv/bin/ministack"
  ) >"$state/log" 2>&1 </dev/null &
  echo $! >"$state/pid"
  echo "$port" >"$state/port"
  for _ in $(seq 100); do
    if curl -fsS -o /dev/null "http://127.0.0.1:$port/_ministack/health" 2>/dev/null; then
      echo "MiniStack is running at http://127.0.0.1:$port (log: $state/log)"
      return
    fi
    running || break
    sleep 0.2
  done
  echo "ministack.sh: MiniStack did not start; its log:" >&2
  tail -20 "$state/log" >&2
  stop
  exit 1
}

stop() {
  if running; then
    kill "$(cat "$state/pid")"
    for _ in $(seq 50); do
      running || break
      sleep 0.1
    done
    if running; then kill -9 "$(cat "$state/pid")"; fi
  fi
  rm -f "$state/pid" "$state/port"
}

deploy() {
  local config="${1:-$root/infra/local.json}" outputs="${2:-$state/outputs.json}"
  need_cdk
  client_env
  [ "${BUILT:-}" = 1 ] || "$here/build.sh" "$(machine)"
  (cd "$root/infra" && go build -o ../bin/infra .)
  # Buckets that the configuration listens to exist before the stack, as they would on AWS.
  local bucket
  for bucket in $(sed -n 's/.*"bucket": *"\([^"]*\)".*/\1/p' "$config" | sort -u); do
    curl -fsS -o /dev/null -X PUT "$AWS_ENDPOINT_URL/$bucket"
    curl -fsS -o /dev/null -X PUT "$AWS_ENDPOINT_URL/$bucket?notification" --data \
      '<NotificationConfiguration><EventBridgeConfiguration/></NotificationConfiguration>'
  done
  if [ ! -e "$state/bootstrapped" ] || [ "$(cat "$state/bootstrapped")" != "$(cat "$state/pid")" ]; then
    cdk bootstrap --ci --app ../bin/infra "aws://000000000000/us-east-1" >"$state/bootstrap.log" 2>&1 || { cat "$state/bootstrap.log" >&2; exit 1; }
    cp "$state/pid" "$state/bootstrapped"
  fi
  cdk deploy --ci --app ../bin/infra --output "$state/cdk.out" -c config="$config" -c architecture="$(machine)" \
    --method=direct --require-approval never --outputs-file "$outputs"
  local id
  id="$(sed -n 's/.*"ApiId": *"\([^"]*\)".*/\1/p' "$outputs")"
  echo
  echo "REST API: http://$id.execute-api.localhost:$(cat "$state/port")/api/v3"
  echo "      or: $AWS_ENDPOINT_URL/_aws/execute-api/$id/\$default/api/v3"
}

case "${1:-}" in
start | stop | deploy)
  command="$1"
  shift
  "$command" "$@"
  ;;
run)
  shift
  client_env
  exec "$@"
  ;;
*)
  sed -n '2,7s/^# //p' "$0" >&2
  exit 2
  ;;
esac
