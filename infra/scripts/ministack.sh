#!/usr/bin/env bash
# MiniStack, an emulator of AWS on this machine, and the stack on it. No Docker, no account.
#   ministack.sh start [PORT]                start MiniStack (default port 4566); it stays until stopped
#   ministack.sh deploy [CONFIG]             deploy the stack on it with the CDK CLI (default: infra/local.json)
#   ministack.sh stop
#   ministack.sh api                         print the base URL of the deployed REST API
#   ministack.sh put FILE BUCKET KEY         put an object into a bucket
#   ministack.sh event SOURCE TYPE DETAIL    put an event on the default bus; DETAIL is JSON
#   ministack.sh run COMMAND...              run a command with the environment that AWS clients need here
# SECURE=1 with start: MiniStack speaks TLS and enforces IAM, so functions may do only what their roles allow and only
# signed requests are answered. The stack's resources refuse what is not TLS, hence both together.
# State is in .downbeat/ministack (STATE names another folder); nothing in MiniStack outlives it.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/lib.sh"
state="${STATE:-$root/.downbeat/ministack}"

# An account's number is the key of its root user here. The CDK CLI caches account ids by access key, so it is one that
# no real account has.
client_env() {
  [ -e "$state/url" ] || { echo "ministack.sh: MiniStack is not running; start it with: $0 start" >&2; exit 1; }
  export AWS_ENDPOINT_URL="$(cat "$state/url")"
  if [ -e "$state/tls.crt" ]; then
    export AWS_CA_BUNDLE="$state/tls.crt" NODE_EXTRA_CA_CERTS="$state/tls.crt" SSL_CERT_FILE="$state/tls.crt"
  fi
  export AWS_ACCESS_KEY_ID=000000000000 AWS_SECRET_ACCESS_KEY=ministack AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
  export AWS_EC2_METADATA_DISABLED=true CDK_DEFAULT_ACCOUNT=000000000000 CDK_DEFAULT_REGION=us-east-1
}

running() { [ -e "$state/pid" ] && kill -0 "$(cat "$state/pid")" 2>/dev/null; }

start() {
  local port="${1:-4566}" url
  if running; then
    echo "MiniStack is running at $(cat "$state/url")"
    return
  fi
  need_venv
  mkdir -p "$state"
  rm -f "$state/tls.crt" "$state/tls.key"
  url="http://127.0.0.1:$port"
  if [ -n "${SECURE:-}" ]; then
    command -v openssl >/dev/null || missing "openssl" "SECURE=1 makes a certificate with it"
    url="https://127.0.0.1:$port"
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$state/tls.key" -out "$state/tls.crt" -days 30 \
      -subj /CN=localhost -addext "subjectAltName=DNS:localhost,DNS:*.execute-api.localhost,IP:127.0.0.1" 2>/dev/null
    chmod 600 "$state/tls.key"
  fi
  (
    # Functions and emulator share this machine: no credentials of its user reach them.
    unset AWS_PROFILE AWS_SESSION_TOKEN AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
    if [ -n "${SECURE:-}" ]; then
      export AUTH=true USE_SSL=1 MINISTACK_SSL_CERT="$state/tls.crt" MINISTACK_SSL_KEY="$state/tls.key"
      export AWS_CA_BUNDLE="$state/tls.crt" SSL_CERT_FILE="$state/tls.crt"
    fi
    export PATH="$venv/bin:$PATH" BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" LAMBDA_EXECUTOR=local \
      AWS_ENDPOINT_URL="$url" AWS_EC2_METADATA_DISABLED=true AWS_REGION=us-east-1
    cd "$state"
    exec "$venv/bin/ministack"
  ) >"$state/log" 2>&1 </dev/null &
  echo $! >"$state/pid"
  echo "$url" >"$state/url"
  for _ in $(seq 100); do
    if curl -fsSk -o /dev/null "$url/_ministack/health" 2>/dev/null; then
      echo "MiniStack is running at $url (log: $state/log)"
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
  rm -f "$state/pid" "$state/url" "$state/bootstrapped"
}

deploy() {
  local config="${1:-$root/infra/local.json}" outputs="$state/outputs.json"
  need_cdk
  client_env
  [ "${BUILT:-}" = 1 ] || "$here/build.sh" "$(machine)"
  (cd "$root/infra" && go build -o ../bin/infra .)
  # Buckets that the configuration listens to exist before the stack, as they would on AWS.
  need_venv
  "$venv/bin/python" - "$config" <<'PY'
import boto3, json, sys
s3 = boto3.client("s3")
for name in sorted({s["bucket"] for s in json.load(open(sys.argv[1])).get("starts", []) if "bucket" in s}):
    s3.create_bucket(Bucket=name)
    s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})
PY
  if ! cmp -s "$state/bootstrapped" "$state/pid"; then
    cdk bootstrap --ci --app ../bin/infra "aws://000000000000/us-east-1" >"$state/bootstrap.log" 2>&1 || { cat "$state/bootstrap.log" >&2; exit 1; }
    cp "$state/pid" "$state/bootstrapped"
  fi
  cdk deploy --ci --app ../bin/infra --output "$state/cdk.out" -c config="$config" -c architecture="$(machine)" \
    --method=direct --require-approval never --outputs-file "$outputs"
  # On AWS sqs:SendMessage allows batches too; MiniStack asks for sqs:SendMessageBatch, an action that AWS does not have.
  # Here, and not in the stack, whoever has the one gets the other.
  "$venv/bin/python" - <<'PY'
import boto3, json
iam = boto3.client("iam")
for page in iam.get_paginator("list_roles").paginate():
    for role in page["Roles"]:
        name, queues = role["RoleName"], []
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
            statements = iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]["Statement"]
            for s in statements if isinstance(statements, list) else [statements]:
                if s["Effect"] == "Allow" and "sqs:SendMessage" in s["Action"]:
                    queues += s["Resource"] if isinstance(s["Resource"], list) else [s["Resource"]]
        if queues:
            iam.put_role_policy(RoleName=name, PolicyName="emulator-batches", PolicyDocument=json.dumps({
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessageBatch", "Resource": queues}],
            }))
PY
  echo
  echo "REST API: $(api)/api/v3"
}

# Not the host name <id>.execute-api.localhost that MiniStack knows too: not every resolver finds names below localhost.
api() {
  client_env
  echo "$AWS_ENDPOINT_URL/_aws/execute-api/$(sed -n 's/.*"ApiId": *"\([^"]*\)".*/\1/p' "$state/outputs.json")/\$default"
}

put() {
  client_env
  need_venv
  "$venv/bin/python" -c 'import boto3, sys; boto3.client("s3").upload_file(*sys.argv[1:])' "$@"
}

event() {
  client_env
  need_venv
  "$venv/bin/python" - "$@" <<'PY'
import boto3, sys
entry = dict(zip(("Source", "DetailType", "Detail"), sys.argv[1:], strict=True))
answer = boto3.client("events").put_events(Entries=[entry])["Entries"][0]
print("event " + answer["EventId"] if "EventId" in answer else sys.exit(f"refused: {answer}"))
PY
}

case "${1:-}" in
start | stop | deploy | api | put | event)
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
  sed -n '2,12s/^# //p' "$0" >&2
  exit 2
  ;;
esac
