#!/usr/bin/env bash
# Builds the page's vendored files and the three binaries into build/, or does nothing when they are current: a second
# `make run` must not wait for the Go tool.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
. tools/setup/env.sh

web=scheduler/dashboard
if [ ! -d $web/web/vendor ] || [ -n "$(find $web/package.json $web/package-lock.json -newer $web/web/vendor)" ]; then
    echo "build: fetching the page's player" >&2
    (cd $web && npm ci --silent --no-audit --no-fund && npm run --silent build)
    touch $web/web/vendor
fi
[ "${1:-}" != --web ] || exit 0

# What a binary is made of, besides its files: a new commit or FFmpeg makes a new stamp.
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
version=${VERSION:-$(git describe --tags --match 'v[0-9]*' 2>/dev/null || echo dev)}
stamp="$version $commit $GALA_FFMPEG $(go env GOVERSION GOARCH | tr '\n' ' ')"

current() {
    local binary
    for binary in gala gala-agent gala-worker; do [ -x build/$binary ] || return 1; done
    [ "$(cat build/.stamp 2>/dev/null)" = "$stamp" ] || return 1
    # Directories count as well: their time changes when a file goes away.
    [ -z "$(find . \( -name .git -o -name build -o -name node_modules -o -name docs \) -prune -o \
        -newer build/.stamp ! -name '*_test.go' ! -name '*.md' ! -path . -print -quit)" ]
}
if current; then exit; fi

echo "build: gala, gala-agent, gala-worker ($version, $commit)" >&2
mkdir -p build
echo "$stamp" >build/.stamp.new # its time is that of the start: a file saved meanwhile is built the next time
pkg=github.com/galafarm/gala/internal/version
ldflags="-X $pkg.Version=$version -X $pkg.Commit=$commit"
CGO_ENABLED=0 go build -buildvcs=false -ldflags "$ldflags" -o build/gala ./cmd/gala
go build -buildvcs=false -ldflags "$ldflags" -o build/gala-agent ./cmd/gala-agent
go build -buildvcs=false -ldflags "$ldflags" -o build/gala-worker ./cmd/gala-worker
mv build/.stamp.new build/.stamp
