# shellcheck shell=bash
# Sourced: what the Go tool needs to compile and test against Gala's own FFmpeg.  . tools/setup/env.sh
GALA_FFMPEG=$("$(dirname -- "${BASH_SOURCE[0]}")/ffmpeg.sh" --prefix)
export GALA_FFMPEG # tests and benchmarks run bin/ffmpeg of the same build from here
export PKG_CONFIG_PATH=$GALA_FFMPEG/lib/pkgconfig
export CGO_ENABLED=1
# NVML's own header marks calls as deprecated that its Go binding wraps: two hundred lines that nobody can act on.
export CGO_CFLAGS="-g -O2 -Wno-deprecated-declarations"
# libnvidia-ml is opened at run time: its symbols must not be looked up when a program starts, as Ubuntu's linker
# has it by default.
export CGO_LDFLAGS="-g -O2 -Wl,-z,lazy"
