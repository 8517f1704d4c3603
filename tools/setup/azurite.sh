#!/usr/bin/env bash
# Installs the server of Azure's blobs that the end-to-end tests write to, or does nothing when it is there.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../azurite"

# npm writes this file last: without it an installation was interrupted.
installed=node_modules/.package-lock.json
if [ ! -f "$installed" ] || [ -n "$(find package.json package-lock.json -newer "$installed")" ]; then
    echo "azurite: fetching Microsoft's emulator" >&2
    npm ci --silent --no-audit --no-fund --ignore-scripts
    touch "$installed"
fi
