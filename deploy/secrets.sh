#!/usr/bin/env bash
# Writes the secrets of deploy/compose.yaml to deploy/.env, which only its owner can read: once, and never over those that are there.
# HEADRACE_KEY is the key of an operator, for the command line and `headrace.Client`.
#
#   deploy/secrets.sh [FILE]
set -euo pipefail

file=${1:-$(cd "$(dirname "$0")" && pwd)/.env}
umask 077
set -o noclobber # an existing file is not written over

secret() { openssl rand -hex 32; }
sha256() { printf %s "$1" | openssl dgst -sha256 -r | cut -d ' ' -f 1; }

operator=$(secret)
prometheus=$(secret)
cat > "$file" <<ENV
HEADRACE_KEY=$operator
HEADRACE_PROMETHEUS_KEY=$prometheus
HEADRACE_KEYS=ops admin $(sha256 "$operator");prometheus predict $(sha256 "$prometheus")
HEADRACE_GROUP_SECRET=$(secret)
HEADRACE_SNAPSHOT_KEY=$(secret)
GRAFANA_PASSWORD=$(secret)
ENV
echo "Wrote $file. Do not commit it. Grafana's user is admin, its password GRAFANA_PASSWORD."
