#!/usr/bin/env bash
# Starts the one-machine farm, gives it a job and prints the address of the page. Ctrl-C stops the farm.
#
#   INPUT   a file (queued as VOD) or an address; default: the live test card
#   LADDER  default mini        LISTEN, GRPC  where the farm listens       DATA  its directory
#   TWIN    GPUs of the driver twin, such as l4:2
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

listen=${LISTEN:-127.0.0.1:8080}
grpc=${GRPC:-127.0.0.1:8081}
ladder=${LADDER:-mini}
input=${INPUT:-}
log=build/up.log

die() { printf 'run: %s\n' "$*" >&2; exit 1; }

# --- Which job -----------------------------------------------------------------------------------------------------

# The id follows from the input: a second run finds the job of the first, also after the farm was restarted.
id_of() { printf 'demo-%s' "$(printf '%s\0' "$@" | sha256sum | cut -c1-8)"; }
case $input in
'') kind=live id=demo input=testcard: ;;
http://*.m3u8* | https://*.m3u8* | http://*.mpd* | https://*.mpd*) kind=live id=$(id_of "$input") ;;
http://* | https://*) kind=vod id=$(id_of "$input") ;;
*://* | testcard:*) kind=live id=$(id_of "$input") ;;
*)
    kind=vod
    [ -e "$input" ] || die "INPUT: there is no file '$input'"
    if [ ! -f "$input" ] || [ ! -r "$input" ]; then die "INPUT: '$input' is not a readable file"; fi
    input=$(realpath -- "$input")
    id=$(id_of "$input" "$(stat -c '%s %Y' -- "$input")")
    ;;
esac

# --- The farm ------------------------------------------------------------------------------------------------------

for address in "$listen" "$grpc"; do
    if (exec 3<>"/dev/tcp/${address%:*}/${address##*:}") 2>/dev/null; then
        die "something listens on $address already - another \`make run\`? Stop it, or choose other ports: make run LISTEN=127.0.0.1:9080 GRPC=127.0.0.1:9081"
    fi
done

ready=$(mktemp -d)/ready
# In a process group of its own: Ctrl-C reaches this script only, and the farm is asked to stop exactly once.
set -m
build/gala up --listen "$listen" --grpc "$grpc" --ready-file "$ready" ${DATA:+--data "$DATA"} ${TWIN:+--twin "$TWIN"} >"$log" 2>&1 </dev/null &
farm=$!
set +m
stop() {
    trap '' INT TERM HUP
    kill -TERM "$farm" 2>/dev/null && echo "run: stopping the farm" >&2
    wait "$farm" 2>/dev/null || true
    rm -rf "${ready%/ready}"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

for ((tries = 0; ; tries++)); do
    [ ! -e "$ready" ] || break
    kill -0 "$farm" 2>/dev/null || { tail -n 15 "$log" >&2; die "the farm did not start (all of it: $log)"; }
    [ $tries -lt 600 ] || die "the farm was not ready within 30 s (see $log)"
    sleep 0.05
done

# --- The job -------------------------------------------------------------------------------------------------------

submit() {
    case $kind in
    live) build/gala live submit --farm "$grpc" --id "$1" --input "$input" --ladder "$ladder" ;;
    vod) build/gala vod queue --farm "$grpc" --id "$1" --ladder "$ladder" -- "$input" ;;
    esac
}
# A job of an earlier run that ended: it would be taken as submitted already, and nothing would play.
ended() {
    local state
    state=$(build/gala "$kind" show --farm "$grpc" -o json "$1" 2>/dev/null | grep -io '"state": *"[a-z_]*"') || return 1
    state=${state%%$'\n'*} # the job's own; those of its events follow
    case ${state,,} in
    *done\") [ $kind = live ] ;;
    *failed\" | *cancelled\") ;;
    *) return 1 ;;
    esac
}
# The same job again is no error. One of this name with other settings is: then it gets a name of its own.
if ended "$id" || ! answer=$(submit "$id" 2>&1); then
    id=$id-$(date +%H%M%S)
    answer=$(submit "$id" 2>&1) || { printf '%s\n' "$answer" >&2; die "the farm did not take the job"; }
fi

# Live demos of earlier runs came back with the farm: they would take the time that this one needs.
build/gala live ls --farm "$grpc" | awk -v own="$id" '$1 ~ /^demo(-|$)/ && $1 != own && $2 !~ /^(done|failed|cancelled)$/ {print $1}' |
    while read -r other; do
        echo "run: $other of an earlier run ends" >&2
        build/gala live stop --farm "$grpc" "$other" >/dev/null
    done

printf '\n    http://%s/?job=%s\n\n    Ctrl-C stops the farm; its log is %s\n\n' "$listen" "$id" "$log"
wait "$farm" || { tail -n 15 "$log" >&2; die "the farm stopped by itself (all of it: $log)"; }
