#!/usr/bin/env bash
# Starts a forge, tells it the golden stories of Gitea 1.26 in both codecs or in one, stops it, and
# prints the replayer's last line for each.
#
#   bash testkit/tests/golden-gitea.sh [STORIES_DIR] [--codec json|proto] [--only THEME]...
#     [--jobs N] [--min PERCENT] [-v]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
replayer="$root/testkit/fixtures/golden/gitea/replay.py"

arguments=()
if [[ $# -gt 0 && $1 != -* ]]; then
    arguments+=(--stories "$1")
    shift
fi
codecs=(json proto)
if [[ ${1:-} == --codec ]]; then
    codecs=("$2")
    shift 2
fi
arguments+=("$@")

binary=${PROXMOX_CI:-$root/target/debug/proxmox-ci}
if [[ -z ${PROXMOX_CI:-} ]]; then
    log=$(cargo build --quiet --manifest-path "$root/Cargo.toml" -p cli 2>&1) || { echo "$log" >&2; exit 2; }
fi

work=$(mktemp -d)
forge=
finish() {
    if [[ -n $forge ]]; then
        kill "$forge" 2>/dev/null || true
        wait "$forge" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

"$binary" --quiet forge --listen 127.0.0.1:0 --data "$work/data" --version 1.26 \
    --root-user root1 --root-email root1@forge.internal \
    ${GOLDEN_JOURNAL:+--journal "$GOLDEN_JOURNAL"} --ready-file "$work/ready" &
forge=$!
for _ in $(seq 1200); do
    [[ -s $work/ready ]] && break
    kill -0 "$forge" 2>/dev/null || { echo "golden-gitea.sh: the forge did not start" >&2; exit 2; }
    sleep 0.05
done
[[ -s $work/ready ]] || { echo "golden-gitea.sh: the forge was not ready within 60 s" >&2; exit 2; }

field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/ready" "$1"; }
GOLDEN_ROOT_PASSWORD=$(field root_password)
GOLDEN_ROOT_TOKEN=$(field root_token)
GOLDEN_RUNNER_TOKEN=$(field runner_token)
export GOLDEN_ROOT_PASSWORD GOLDEN_ROOT_TOKEN GOLDEN_RUNNER_TOKEN

status=0
for codec in "${codecs[@]}"; do
    python3 "$replayer" --url "$(field url)" --version 1.26 --root-user "$(field root_user)" \
        --codec "$codec" "${arguments[@]}" >"$work/$codec" 2>&1 || status=$?
    [[ -n ${GOLDEN_VERBOSE:-} || $status -ne 0 ]] && sed '$d' "$work/$codec"
    echo "$codec: $(tail -n 1 "$work/$codec")"
done
exit "$status"
