#!/usr/bin/env bash
# Builds the driver twin into build/twin: stand-ins for NVIDIA's driver libraries, for tests on machines without a GPU.
# They hold libx264 and libx265, so they are under the GPL; nothing installs or ships them.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
. tools/setup/env.sh

readonly from=agent/gpu/twin/driver to=build/twin
say() { printf 'twin: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The headers are those that our FFmpeg was built with: both read the same structs.
[ -f "$GALA_FFMPEG/include/ffnvcodec/nvEncodeAPI.h" ] || die "FFmpeg is not built yet: 'make deps' builds it"
pkg-config --exists x264 x265 || die "missing: libx264-dev libx265-dev - 'make deps' installs them"

current() {
    [ -f $to/.stamp ] && [ "$(cat $to/.stamp)" = "$GALA_FFMPEG" ] &&
        [ -z "$(find $from "${BASH_SOURCE[0]}" -newer $to/.stamp -print -quit)" ]
}
if current; then exit; fi

say "building into $to"
rm -rf $to
mkdir -p $to
# NVML's header comes with its Go binding.
go mod download github.com/NVIDIA/go-nvml
nvml=$(go list -m -f '{{.Dir}}' github.com/NVIDIA/go-nvml)/pkg/nvml
readonly flags=(-std=gnu11 -O3 -g -fPIC -fvisibility=hidden -fno-math-errno -Wall -Wextra -Werror "-I$GALA_FFMPEG/include" "-I$nvml")
# Programs unload the libraries between two uses, and load them again: what they hold has to stay.
readonly link=(-shared "-Wl,-z,nodelete" "-Wl,-z,defs" "-Wl,--as-needed")

library() { # name libraries... -- sources...
    local name=$1 libs=()
    shift
    while [ "$1" != -- ]; do
        libs+=("$1")
        shift
    done
    shift
    gcc "${flags[@]}" "${link[@]}" -Wl,-soname,"$name" -o "$to/$name" "$@" "${libs[@]}"
}
shared=("$from/state.c" "$from/config.c")
library libcuda.so.1 -lm -lpthread -- $from/cuda*.c $from/scale.c "${shared[@]}"
library libnvidia-encode.so.1 $to/libcuda.so.1 -lx264 -lx265 -lpthread -- $from/nvenc*.c $from/h264.c $from/hevc.c "${shared[@]}"
library libnvcuvid.so.1 -- $from/nvcuvid.c
library libnvidia-ml.so.1 -lpthread -- $from/nvml*.c "${shared[@]}"
echo "$GALA_FFMPEG" >$to/.stamp
