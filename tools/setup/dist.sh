#!/usr/bin/env bash
# Packs the three binaries for hosts of the same distribution: build/gala-VERSION-linux-ARCH[-lgpl].tar.gz
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

version=$(git describe --tags --always --match 'v[0-9]*')
suffix=''
[ "${FFMPEG_LICENSE:-gpl}" = gpl ] || suffix=-lgpl
name=gala-$version-linux-$(go env GOARCH)$suffix
dir=build/dist/$name
rm -rf "$dir"
mkdir -p "$dir"
cp build/gala build/gala-agent build/gala-worker README.md LICENSE "$dir"
strip "$dir/gala-worker" "$dir/gala-agent"
# The libraries that a host of the farm needs beside a driver: the worker's codecs come from the distribution.
ldd "$dir/gala-worker" | awk '$3 ~ /^\// {print $1}' | sort >"$dir/gala-worker.libraries"
tar -C build/dist -czf "build/$name.tar.gz" --owner=0 --group=0 "$name"
echo "build/$name.tar.gz"
