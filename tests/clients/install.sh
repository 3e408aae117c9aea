#!/usr/bin/env bash
# Installs the official SDKs that the tests drive, once, under build/clients: the versions of the lock files.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
target=$here/../../build/clients
mkdir -p "$target"

if ! cmp -s "$here/python/requirements.txt" "$target/requirements.txt"; then
  echo "==> installing the OpenAI SDK for Python" >&2
  python3 -m venv --clear "$target/venv"
  "$target/venv/bin/pip" install -q --disable-pip-version-check -r "$here/python/requirements.txt"
  cp "$here/python/requirements.txt" "$target/requirements.txt"
fi
if ! cmp -s "$here/node/package-lock.json" "$target/package-lock.json"; then
  echo "==> installing the OpenAI SDK for Node, and Node 22" >&2
  (cd "$here/node" && npm ci --silent --no-audit --no-fund)
  cp "$here/node/package-lock.json" "$target/package-lock.json"
fi
