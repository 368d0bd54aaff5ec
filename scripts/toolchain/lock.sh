#!/bin/sh
# Writes both locks again: every file's hash for every platform, and no address to fetch it from.
# Usage: scripts/toolchain/lock.sh [--upgrade]   (needs uv and npm)
set -eu
cd "$(dirname "$0")/../.."
uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --custom-compile-command "make lock" "$@" requirements.in --output-file requirements.txt
npm install --package-lock-only --ignore-scripts
