# shellcheck shell=bash
# Sourced: what the Go tool needs to compile and test against Gala's own FFmpeg.  . tools/setup/env.sh
GALA_FFMPEG=$("$(dirname -- "${BASH_SOURCE[0]}")/ffmpeg.sh" --prefix)
export GALA_FFMPEG # tests and benchmarks run bin/ffmpeg of the same build from here
export CGO_ENABLED=1
export PKG_CONFIG_PATH=$GALA_FFMPEG/lib/pkgconfig
