#!/usr/bin/env bash
# WebSocket and HTTP/2 for Python, for the suite `websocket`. usage: install.sh DIRECTORY      What is there already is
# left as it is.
set -euo pipefail
mkdir -p "$1"
# The suite's tests run side by side.
exec 9>"$1/lock"
flock 9
if [ ! -e "$1/done" ]; then
  python3 -m venv "$1/venv"
  "$1/venv/bin/pip" install --quiet --disable-pip-version-check websockets h2
  touch "$1/done"
fi
