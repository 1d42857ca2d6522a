#!/usr/bin/env bash
# Builds the six functions into dist/<name>/bootstrap, as Lambda's provided.al2023 runtime wants them.
#   build.sh [arm64|x86_64]      default: arm64
# VERSION is what the functions say in their logs that they are.
set -euo pipefail
cd "$(dirname "$0")/../.."
case "${1:-arm64}" in
arm64) arch=arm64 ;;
x86_64) arch=amd64 ;;
*) echo "build.sh: architecture $1 is neither arm64 nor x86_64" >&2; exit 2 ;;
esac
functions=(api trigger advance execute complete sweep)
# One call for all, so that what they share is compiled and looked at once; the names are made afterwards.
mkdir -p dist
rm -rf dist/.built
CGO_ENABLED=0 GOOS=linux GOARCH=$arch go build -tags lambda.norpc -trimpath \
  -ldflags "-s -w${VERSION:+ -X github.com/downbeat/downbeat/functions/internal/wire.version=$VERSION}" -o dist/.built/ "${functions[@]/#/./functions/}"
for name in "${functions[@]}"; do
  mkdir -p "dist/$name"
  mv "dist/.built/$name" "dist/$name/bootstrap"
done
rmdir dist/.built
echo "dist: six functions for ${1:-arm64}"
