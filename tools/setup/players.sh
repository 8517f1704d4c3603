#!/usr/bin/env bash
# Installs the players that the end-to-end tests take from npm, or does nothing when they are there.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../e2e/browser/players"

if [ ! -d node_modules ] || [ -n "$(find package.json package-lock.json -newer node_modules)" ]; then
    echo "players: fetching dash.js and shaka" >&2
    npm ci --silent --no-audit --no-fund --ignore-scripts
    touch node_modules
fi
