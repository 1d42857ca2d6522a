#!/usr/bin/env bash
# Makes the release artefacts for people without the CDK: dist/release/downbeat.template.json and one zip a function.
#   release.sh [arm64|x86_64] [CONFIG]
# VERSION names it; default: what git describes.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
. "$here/lib.sh"
need_node
need_venv
arch="${1:-arm64}"
VERSION="${VERSION:-$(git -C "$root" describe --tags --always --dirty)}" "$here/build.sh" "$arch"
out="$root/dist/release"
rm -rf "$out"
mkdir -p "$out"
(cd "$root/infra" && go build -o ../bin/infra .)
(cd "$root/infra" && ../bin/infra -portable -architecture "$arch" -out "$out/assembly" ${2:+-config "$2"})
mv "$out/assembly/Downbeat.template.json" "$out/downbeat.template.json"
rm -rf "$out/assembly"
"$venv/bin/cfn-lint" --config-file "$root/infra/.cfnlintrc.yaml" "$out/downbeat.template.json"
for name in api trigger advance execute complete sweep; do
  # Fixed times, so that the same commit makes the same zip files.
  "$venv/bin/python" - "$root/dist/$name/bootstrap" "$out/$name.zip" <<'PY'
import sys, zipfile
info = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
info.external_attr = 0o100755 << 16
info.compress_type = zipfile.ZIP_DEFLATED
with zipfile.ZipFile(sys.argv[2], "w") as z, open(sys.argv[1], "rb") as f:
    z.writestr(info, f.read())
PY
done
ls -l "$out"
