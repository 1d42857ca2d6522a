#!/usr/bin/env bash
# Builds the six functions into dist/<name>/bootstrap, as Lambda's provided.al2023 runtime wants them.
#   build.sh [arm64|x86_64]      default: arm64
set -euo pipefail
cd "$(dirname "$0")/../.."
case "${1:-arm64}" in
arm64) arch=arm64 ;;
x86_64) arch=amd64 ;;
*) echo "build.sh: architecture $1 is neither arm64 nor x86_64" >&2; exit 2 ;;
esac
for name in api trigger advance execute complete sweep; do
  CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -tags lambda.norpc -trimpath -ldflags "-s -w" \
    -o "dist/$name/bootstrap" "./functions/$name"
done
echo "dist: six functions for ${1:-arm64}"
