#!/usr/bin/env bash
# schemathesis, for the suite `openapi`. usage: install.sh DIRECTORY      What is there already is left as it is.
set -euo pipefail
mkdir -p "$1"
# The suite's tests run side by side.
exec 9>"$1/lock"
flock 9
if [ ! -e "$1/done" ]; then
  python3 -m venv "$1/venv"
  "$1/venv/bin/pip" install --quiet --disable-pip-version-check schemathesis
  touch "$1/done"
fi
