#!/usr/bin/env bash
# Installs Pratique from this checkout into an environment of its own, every package checked against its hash, and puts
# 'pratique' on the job's PATH. With GATE_DETONATE=true also what the sandbox takes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
home=${RUNNER_TEMP:-/tmp}/pratique

python3 -m venv "$home"
"$home/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$root/requirements/run.lock"
printf '#!/bin/sh\nPYTHONPATH="%s/src" exec "%s/bin/python" -m pratique "$@"\n' "$root" "$home" > "$home/bin/pratique"
chmod +x "$home/bin/pratique"

if [ "${GATE_DETONATE:-false}" = true ]; then
  sudo apt-get update -qq
  sudo apt-get install -y -qq --no-install-recommends clang llvm libbpf-dev make runc iproute2 iptables >/dev/null
  command -v bpftool >/dev/null || sudo apt-get install -y -qq --no-install-recommends bpftool >/dev/null
  make -C "$root/bpf" PYTHON="$home/bin/python"
fi

echo "$home/bin" >> "$GITHUB_PATH"
echo "PRATIQUE_STATE_DIR=$home/state" >> "$GITHUB_ENV"
if [ "${GATE_UPDATE:-false}" = true ]; then
  PRATIQUE_STATE_DIR="$home/state" "$home/bin/pratique" db update
fi
