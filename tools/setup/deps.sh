#!/usr/bin/env bash
# Installs the Debian or Ubuntu packages that are missing, after saying which and why.
#
#   deps.sh [build] [run] [test]     without a group: all of them
set -euo pipefail

say() { printf 'deps: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# group, package, the program that makes it superfluous (or - : the package itself counts), why
table() {
    cat <<'END'
build gcc            gcc         C compiler, for FFmpeg and cgo
build g++            g++         C++ compiler, that FFmpeg's configure asks for
build libc6-dev      -           C headers
build make           make        builds FFmpeg
build pkg-config     pkg-config  finds the libraries
build nasm           nasm        assembler of FFmpeg's fast paths
build clang          clang       compiles FFmpeg's CUDA kernels, without a CUDA toolkit
build xz-utils       xz          unpacks the sources
build git            git         version stamp
build curl           curl        downloads the sources where the distribution has none
build ca-certificates -          trust for https downloads
build libx264-dev    -           H.264 on the CPU
build libx265-dev    -           HEVC on the CPU
build libsvtav1enc-dev -         AV1 on the CPU
build libdav1d-dev   -           reads AV1
build libopus-dev    -           Opus
build libzvbi-dev    -           teletext
build libsrt-openssl-dev -       SRT sources
build libssl-dev     -           https and rtmps sources
build libzimg-dev    -           colour conversion
build libfreetype-dev -          text in the picture
build libharfbuzz-dev -          text in the picture
build zlib1g-dev     -           compressed headers
build nodejs         node        builds the page
build npm            npm         fetches the page's player
run   redis-server   redis-server keeps the job store of `gala up` across restarts
test  redis-server   redis-server the job store's tests
test  ffmpeg         ffmpeg      an independent reader of what the farm wrote
test  mediainfo      mediainfo   another independent reader
test  chromium       chromium    plays the ladders in a real browser
test  gstreamer1.0-tools gst-launch-1.0 GStreamer, a third independent reader
test  gstreamer1.0-plugins-base - its decodebin
test  gstreamer1.0-plugins-good - reads MP4 and HTTP
test  gstreamer1.0-plugins-bad - reads HLS and DASH
test  gstreamer1.0-libav -      decodes for it
test  nginx-light    nginx       an origin of somebody else's, that takes PUT
test  iproute2       ip          test hosts in network namespaces
test  procps         ps          finds left-over processes
test  shellcheck     shellcheck  lints the scripts
END
}

[ $# -gt 0 ] || set -- build run test
for group; do
    case $group in build | run | test) ;; *) die "unknown group '$group' (build, run, test)" ;; esac
done

command -v go >/dev/null || die "Go is missing: install 1.26 or later, see https://go.dev/doc/install"

declare -A why=()
while read -r group package program reason; do
    case " $* " in *" $group "*) ;; *) continue ;; esac
    [ "$program" = - ] || ! command -v "$program" >/dev/null || continue
    # Debian's chromium has these names elsewhere.
    [ "$package" != chromium ] || ! command -v chromium-browser google-chrome >/dev/null || continue
    why[$package]=$reason
done < <(table)

# One question to dpkg for all: this runs before every build.
if [ ${#why[@]} -gt 0 ] && command -v dpkg-query >/dev/null; then
    while read -r package status; do
        [ "$status" != installed ] || unset "why[$package]"
    done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${!why[@]}" 2>/dev/null)
fi
[ ${#why[@]} -gt 0 ] || exit 0

mapfile -t missing < <(printf '%s\n' "${!why[@]}" | sort)
say "missing:"
for package in "${missing[@]}"; do printf '  %-20s %s\n' "$package" "${why[$package]}" >&2; done
command -v apt-get >/dev/null ||
    die "this is neither Debian nor Ubuntu: install the counterparts of these packages by hand and run make again"

root=()
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "not root and no sudo here. As root: apt-get install ${missing[*]}"
    root=(sudo)
    say "installing them with sudo"
fi
apt() { "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@"; }

# The farm starts Redis itself, on its own socket, and tests start nginx: installing the packages must not put one on
# port 6379 and the other on port 80.
policy=/usr/sbin/policy-rc.d
services=()
for service in redis-server nginx-light; do [ -z "${why[$service]:-}" ] || services+=("${service%-light}"); done
if [ ${#services[@]} -gt 0 ] && [ ! -e $policy ]; then
    printf '#!/bin/sh\nexit 101\n' | "${root[@]}" tee $policy >/dev/null
    "${root[@]}" chmod 755 $policy
    trap '"${root[@]}" rm -f $policy' EXIT
fi

install() { apt install -y --no-install-recommends "${missing[@]}" >/dev/null; }
if ! install 2>/dev/null; then
    say "refreshing the package lists"
    apt update
    install || die "apt-get could not install: ${missing[*]}"
fi
if [ ${#services[@]} -gt 0 ] && [ -d /run/systemd/system ]; then
    "${root[@]}" systemctl --quiet disable "${services[@]}" || true
fi
say "installed"
