#!/usr/bin/env bash
# A Python of its own with packages from PyPI. usage: python.sh DIRECTORY PACKAGE...      What is there already is left
# as it is.
set -euo pipefail
directory=$1
shift
mkdir -p "$directory"
# The tests of a suite run side by side.
exec 9>"$directory/lock"
flock 9
if [ ! -e "$directory/done" ]; then
  python3 -m venv "$directory/venv"
  "$directory/venv/bin/pip" install --quiet --disable-pip-version-check "$@"
  touch "$directory/done"
fi
