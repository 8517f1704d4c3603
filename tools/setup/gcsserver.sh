#!/usr/bin/env bash
# Builds the server of Google's objects that the end-to-end tests read from, or does nothing when it is there.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

if [ ! -x build/fake-gcs-server ] || [ tools/gcsserver/go.mod -nt build/fake-gcs-server ]; then
    echo "gcsserver: building fake-gcs-server" >&2
    CGO_ENABLED=0 go build -C tools/gcsserver -o ../../build/fake-gcs-server github.com/fsouza/fake-gcs-server
fi
