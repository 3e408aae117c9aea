#!/usr/bin/env bash
# install_venv.sh NAME: a virtual environment build/bench-venvs/NAME with what requirements-NAME.txt pins.
set -euo pipefail
here=$(dirname "$(readlink -f "$0")")
name=$1
target=$here/../../build/bench-venvs/$name
requirements=$here/requirements-$name.txt
if ! cmp -s "$requirements" "$target/installed.txt"; then
  echo "==> installing $name" >&2
  python3 -m venv --clear "$target"
  "$target/bin/pip" install -q --disable-pip-version-check -r "$requirements"
  cp "$requirements" "$target/installed.txt"
fi
