#!/usr/bin/env bash
# Builds the FFmpeg that Gala links: pinned to 9.0.x, trimmed to ffmpeg.configure, static, in a per-user cache.
#
#   ffmpeg.sh            build it if it is not there; the prefix is the last line on stdout
#   ffmpeg.sh --prefix   print the prefix and build nothing
#
# GALA_CACHE      where builds are kept (default ~/.cache/gala)
# FFMPEG_LICENSE  gpl (default) or lgpl: the latter has no x264 and x265
set -euo pipefail

readonly series=9.0 pinned=9.0.2 headers=12.1.14.0
readonly recipe=1 # raise it when this script builds differently from the same configure line
license=${FFMPEG_LICENSE:-gpl}
cache=${GALA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/gala}
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)

say() { printf 'ffmpeg: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

case $license in gpl | lgpl) ;; *) die "FFMPEG_LICENSE is '$license'; it can be gpl or lgpl" ;; esac

# The external libraries by the names that pkg-config knows them by, and the Debian packages that hold them.
libs=(openssl srt zimg opus zvbi-0.2 SvtAv1Enc dav1d freetype2 harfbuzz zlib)
packages=(libssl-dev libsrt-openssl-dev libzimg-dev libopus-dev libzvbi-dev libsvtav1enc-dev libdav1d-dev libfreetype-dev
    libharfbuzz-dev zlib1g-dev)
if [ "$license" = gpl ]; then
    libs+=(x264 x265)
    packages+=(libx264-dev libx265-dev)
fi

# --- What to build -------------------------------------------------------------------------------------------------

# OpenSSL 3 is Apache-2.0, which the (L)GPL allows from version 3 on.
flags=(--enable-version3 --disable-everything --disable-autodetect --disable-doc --disable-ffplay --disable-debug
    --enable-static --disable-shared --enable-pic)
wanted=() # components as config_components.h names them, to check afterwards
[ "$license" = lgpl ] || flags+=(--enable-gpl)
while read -r kind names; do
    case $kind in
    '' | '#'*) continue ;;
    gpl-*) [ "$license" = gpl ] || continue ;;
    esac
    kind=${kind#gpl-}
    kind=${kind%:}
    for name in $names; do
        if [ "$kind" = library ]; then
            flags+=("--enable-$name")
        else
            flags+=("--enable-$kind=$name")
            wanted+=("${name}_$kind")
        fi
    done
done <"$here/ffmpeg.configure"

# FFmpeg itself is static, the codec libraries are the distribution's shared ones. So their versions belong to the key:
# after an upgrade of Debian the old archive would not link any more.
key=$({
    echo "recipe $recipe $license nv-codec-headers $headers $(uname -m)"
    echo "${flags[@]}"
    for lib in "${libs[@]}"; do echo "$lib"; done
    pkg-config --modversion "${libs[@]}" 2>/dev/null || echo "libraries missing"
} | sha256sum | cut -c1-12)

# A build counts from the moment it has its final name. Any release of the series does.
built() {
    local dir
    for dir in "$cache/ffmpeg/$series".*-"$key"; do
        if [ -f "$dir/lib/libavcodec.a" ]; then
            echo "$dir"
            return
        fi
    done
    return 1
}

if [ "${1:-}" = --prefix ]; then
    built || echo "$cache/ffmpeg/$pinned-$key"
    exit
fi
[ $# = 0 ] || die "usage: ffmpeg.sh [--prefix]"
if built; then exit; fi

# --- What it takes -------------------------------------------------------------------------------------------------

missing=()
for tool in make gcc g++ nasm clang pkg-config tar xz flock sha256sum; do
    command -v "$tool" >/dev/null || missing+=("$tool")
done
for i in "${!libs[@]}"; do
    pkg-config --exists "${libs[i]}" 2>/dev/null || missing+=("${packages[i]:-${libs[i]}}")
done
[ ${#missing[@]} = 0 ] || die "missing: ${missing[*]} - 'make deps' installs them"
old() { pkg-config --exists "$1 >= $2" || die "$1 is $(pkg-config --modversion "$1"), FFmpeg $series needs $2: the distribution is too old (Debian 12 and Ubuntu 22.04 are new enough)"; }
old SvtAv1Enc 0.9.0
old dav1d 1.0.0
old zimg 2.7.0
old srt 1.3.0

mkdir -p "$cache/ffmpeg" "$cache/src"
exec 9>"$cache/ffmpeg/.lock"
if ! flock -n 9; then
    say "another build is under way, waiting for it"
    flock 9
    if built; then exit; fi
fi

rm -rf "$cache"/ffmpeg/.build.* # of a build that was killed: the lock says that none is running
work=$(mktemp -d "$cache/ffmpeg/.build.XXXXXX")
log=$cache/ffmpeg/build-$key.log
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# --- Where it comes from -------------------------------------------------------------------------------------------

# The checksum decides, not the place: whatever was downloaded is taken when ffmpeg.sources lists it.
listed() { # name file -> version
    local sum
    sum=$(sha256sum "$2" | cut -d' ' -f1)
    awk -v name="$1" -v sum="$sum" '$1 == name && $3 == sum {print $2; found = 1} END {exit !found}' "$here/ffmpeg.sources"
}

# The suites in development of the mirror that this Debian uses already, read with lists of our own: the machine's own
# package lists and sources stay as they are.
debian_source() { # name version-prefix target-directory
    local id=none mirror suite version apt state=$work/apt
    # shellcheck source=/dev/null
    id=$(. /etc/os-release 2>/dev/null && echo "${ID:-}")
    [ "$id" = debian ] && command -v apt-get >/dev/null || return 1
    # shellcheck disable=SC2016 # apt expands it
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
        awk '/\/debian\/?$/ {print; exit}')
    [ -n "$mirror" ] || return 1
    mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/parts" "$3"
    # A mirror that was frozen for reproducible builds is fine: what it serves is signed, and old on purpose.
    apt=(-qq -o Acquire::Check-Valid-Until=false -o Dir::Etc::SourceList="$state/sources" -o Dir::Etc::SourceParts="$state/parts"
        -o Dir::State::Lists="$state/lists" -o Dir::Cache="$state/cache" -o APT::Sandbox::User="$(id -un)"
        -o Acquire::Languages=none -o Debug::NoLocking=1)
    for suite in sid testing; do
        echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$state/sources"
        if [ ! -e "$state/$suite" ]; then
            apt-get "${apt[@]}" update >>"$log" 2>&1 || continue
            touch "$state/$suite"
        fi
        version=$(apt-cache "${apt[@]}" showsrc --only-source "$1" 2>>"$log" |
            sed -n "s/^Version: \(\([0-9]*:\)\?$2.*\)/\1/p" | head -1)
        [ -n "$version" ] || continue
        (cd "$3" && apt-get "${apt[@]}" source --download-only --tar-only "$1=$version") >>"$log" 2>&1 && return
    done
    return 1
}

download() { # url file
    if command -v curl >/dev/null; then
        curl -fsSL --retry 2 --connect-timeout 10 -o "$2" "$1" >>"$log" 2>&1
    elif command -v wget >/dev/null; then
        wget -q --tries=2 --timeout=10 -O "$2" "$1" >>"$log" 2>&1
    else
        say "curl or wget is needed to download $1"
        return 1
    fi
}

fetch_ffmpeg() { # sets tarball and version
    say "fetching the source of FFmpeg $series"
    for tarball in "$cache"/src/ffmpeg-"$series".*.tar.xz; do # of an earlier build
        if [ -f "$tarball" ] && version=$(listed ffmpeg "$tarball"); then return; fi
    done
    if debian_source ffmpeg "$series" "$work/debian"; then
        for tarball in "$work"/debian/ffmpeg_*.orig.tar.xz; do
            # What apt fetched is signed by Debian's archive key, be it listed here or not.
            version=$(listed ffmpeg "$tarball") || version=$(basename "$tarball" .orig.tar.xz | cut -d_ -f2)
            keep
            return
        done
    fi
    say "not to be had from Debian, trying ffmpeg.org" # which keeps all releases: the pinned one is there
    tarball=$work/ffmpeg-$pinned.tar.xz
    if download "https://ffmpeg.org/releases/ffmpeg-$pinned.tar.xz" "$tarball"; then
        if version=$(listed ffmpeg "$tarball"); then
            keep
            return
        fi
        say "its checksum is not listed in ffmpeg.sources: not used"
    fi
    die "no source of FFmpeg $series was to be had (log: $log). Put ffmpeg-$pinned.tar.xz into $cache/src and run again"
}
keep() { mv "$tarball" "$cache/src/ffmpeg-$version.tar.xz" && tarball=$cache/src/ffmpeg-$version.tar.xz; }

fetch_headers() { # puts nv-codec-headers into $work/headers
    local kept=$cache/src/nv-codec-headers-$headers.tar.xz commit
    say "fetching nv-codec-headers $headers"
    if [ ! -f "$kept" ] && debian_source nv-codec-headers "$headers" "$work/debian"; then
        mv "$work/debian/nv-codec-headers_$headers.orig.tar.xz" "$kept"
    fi
    if [ -f "$kept" ]; then
        listed nv-codec-headers "$kept" >/dev/null || die "$kept has a checksum that ffmpeg.sources does not list; remove it"
        mkdir -p "$work/headers" && tar -xf "$kept" -C "$work/headers" --strip-components=1
        return
    fi
    # Upstream publishes a tag: its commit id is as good as a checksum.
    command -v git >/dev/null || die "git is needed to fetch nv-codec-headers"
    git clone -q --depth 1 --branch "n$headers" https://github.com/FFmpeg/nv-codec-headers "$work/headers" 2>>"$log" ||
        die "nv-codec-headers $headers was not to be had (log: $log)"
    commit=$(awk '$1 == "nv-codec-headers" {print $4}' "$here/ffmpeg.sources")
    [ "$(git -C "$work/headers" rev-parse HEAD)" = "$commit" ] || die "nv-codec-headers: tag n$headers is not commit $commit"
}

# --- Build ---------------------------------------------------------------------------------------------------------

# Shows how far make is without scrolling: on a terminal one line that is rewritten, else a line every 200 files. (awk
# would be shorter, but Debian's reads its input in blocks.)
progress() { # total
    local step=200 end='\n' n=0 line
    [ ! -t 2 ] || { step=5 end='\r'; }
    while IFS= read -r line; do
        printf '%s\n' "$line" >&3
        if [[ $line =~ ^[A-Z0-9]+$'\t' ]] && ((++n % step == 0)); then
            printf "ffmpeg: %d of about %d files$end" "$n" "$1" >&2
        fi
    done 3>>"$log"
    [ ! -t 2 ] || echo >&2
}

: >"$log"
fetch_ffmpeg
fetch_headers
prefix=$cache/ffmpeg/$version-$key
say "building FFmpeg $version ($license) into $prefix - some minutes, once"

make -C "$work/headers" -s PREFIX="$prefix" DESTDIR="$work/stage" install >>"$log" 2>&1
# configure must find the headers in the staging directory, where their .pc file does not point yet.
mkdir -p "$work/pc" "$work/src"
sed "s|^prefix=.*|prefix=$work/stage$prefix|" "$work/stage$prefix/lib/pkgconfig/ffnvcodec.pc" >"$work/pc/ffnvcodec.pc"
tar -xf "$tarball" -C "$work/src" --strip-components=1
cd "$work/src"
PKG_CONFIG_PATH="$work/pc${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}" ./configure --prefix="$prefix" "${flags[@]}" >>"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    die "configure did not like this machine (log: $log; details: $cache/ffmpeg/config-$key.log)$(cp ffbuild/config.log "$cache/ffmpeg/config-$key.log")"
}
# configure only warns about a component whose needs are not met; here that is an error.
for component in "${wanted[@]}"; do
    grep -qx "#define CONFIG_${component^^} 1" config_components.h || missing+=("$component")
done
[ ${#missing[@]} = 0 ] || die "configure left out: ${missing[*]} (log: $log)"

make -j"$(nproc)" 2>&1 | progress 1490 || {
    tail -n 15 "$log" >&2
    die "make stopped (log: $log)"
}
make install DESTDIR="$work/stage" >>"$log" 2>&1
rm -rf "$work/stage$prefix/share"
strip "$work/stage$prefix/bin/ffmpeg" "$work/stage$prefix/bin/ffprobe"
mv -T "$work/stage$prefix" "$prefix"
say "done: $prefix"
echo "$prefix"
