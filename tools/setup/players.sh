#!/usr/bin/env bash
# Installs the players that the end-to-end tests take from npm, or does nothing when they are there.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../../e2e/browser/players"

# npm writes this file last: without it an installation was interrupted.
installed=node_modules/.package-lock.json
if [ ! -f "$installed" ] || [ -n "$(find package.json package-lock.json -newer "$installed")" ]; then
    echo "players: fetching dash.js and shaka" >&2
    npm ci --silent --no-audit --no-fund --ignore-scripts
    touch "$installed"
fi
