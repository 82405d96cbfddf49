#!/usr/bin/env bash
# AWS's own runtime clients and callers, for the suite `clients`: awslambdaric, boto3 and the AWS command line by
# pip, aws-lambda-ric by npm, which builds native code.
# usage: install.sh DIRECTORY      What is there already is left as it is.
set -euo pipefail
directory=$1
mkdir -p "$directory"

if [ ! -e "$directory/python.done" ]; then
  python3 -m venv "$directory/venv"
  "$directory/venv/bin/pip" install --quiet --disable-pip-version-check awslambdaric boto3 awscli
  touch "$directory/python.done"
fi

if [ ! -e "$directory/node.done" ]; then
  (cd "$directory" && npm install --silent --no-audit --no-fund --prefix "$directory" aws-lambda-ric)
  touch "$directory/node.done"
fi
