#!/usr/bin/env bash
# apisix-client, for the suite of that name. usage: install.sh DIRECTORY      What is there already is left as it is.
set -euo pipefail
mkdir -p "$1"
exec 9>"$1/lock"
flock 9
if [ ! -e "$1/done" ]; then
  python3 -m venv "$1/venv"
  "$1/venv/bin/pip" install --quiet --disable-pip-version-check apisix-client
  touch "$1/done"
fi
