#!/usr/bin/env bash
# Synthesises the stack into infra/cdk.out and checks the template with cfn-lint. cdk-nag runs within the synthesis.
#   synth.sh [CONFIG]            default: infra/downbeat.json when there is one, else the defaults
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/lib.sh"
need_node
config="${1:-}"
[ -n "$config" ] || [ ! -e "$root/infra/downbeat.json" ] || config="$root/infra/downbeat.json"
[ -x "$root/dist/sweep/bootstrap" ] || "$here/build.sh"
(cd "$root/infra" && go build -o ../bin/infra .)
(cd "$root/infra" && ../bin/infra -dist ../dist -out cdk.out ${config:+-config "$config"})
need_venv
(cd "$root/infra" && "$venv/bin/cfn-lint" cdk.out/Downbeat.template.json)
echo "infra/cdk.out/Downbeat.template.json: synthesised, clean in cdk-nag and cfn-lint"
