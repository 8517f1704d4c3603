#!/usr/bin/env bash
# Builds the S3 server that the end-to-end tests write to, or does nothing when it is there.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

if [ ! -x build/versitygw ] || [ tools/s3server/go.mod -nt build/versitygw ]; then
    echo "s3server: building versitygw" >&2
    CGO_ENABLED=0 go build -C tools/s3server -o ../../build/versitygw github.com/versity/versitygw/cmd/versitygw
fi
