#!/usr/bin/env bash
# Starts a forge and a runner, carries out the golden runs of the real pair, stops both and prints
# the checker's last line.
#
#     bash selfhost/tests/golden-runs.sh [CASES_DIR] [--only THEME]... [-v]
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
checker="$root/testkit/fixtures/golden/runs/check.py"

arguments=()
if [[ $# -gt 0 && $1 != -* ]]; then
    arguments+=(--cases "$1")
    shift
else
    arguments+=(--cases "$root/testkit/fixtures/golden/runs/cases")
fi
arguments+=("$@")

binary=${PROXMOX_CI:-$root/target/debug/proxmox-ci}
if [[ -z ${PROXMOX_CI:-} ]]; then
    log=$(cargo build --quiet --manifest-path "$root/Cargo.toml" -p cli 2>&1) || { echo "$log" >&2; exit 2; }
fi

work=$(mktemp -d)
started=()
finish() {
    # The runner first: it tells the forge that it goes.
    for ((at = ${#started[@]} - 1; at >= 0; at--)); do
        kill "${started[at]}" 2>/dev/null || true
        wait "${started[at]}" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT

"$binary" --quiet forge --listen 127.0.0.1:0 --data "$work/data" --version 1.26 \
    --root-user root1 --root-email root1@forge.internal --ready-file "$work/ready" &
started+=($!)
for _ in $(seq 600); do
    [[ -s $work/ready ]] && break
    kill -0 "${started[0]}" 2>/dev/null || { echo "the forge did not start" >&2; exit 2; }
    sleep 0.1
done
[[ -s $work/ready ]] || { echo "the forge was not ready within 60 s" >&2; exit 2; }
ready() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/ready" "$1"; }

(umask 077 && ready runner_token >"$work/token")
"$binary" --quiet runner register --url "$(ready url)" --token-file "$work/token" \
    --name gold-runner --labels debian --dir "$work/runner"
GOLD_DAEMON=inherited "$binary" --quiet runner run --capacity 4 --dir "$work/runner" &
started+=($!)

status=0
GOLDEN_ROOT_TOKEN=$(ready root_token) python3 "$checker" --url "$(ready url)" --root-user root1 \
    --label debian "${arguments[@]}" >"$work/out" || status=$?
[[ $status -eq 0 ]] || arguments+=(-v)
case " ${arguments[*]} " in *" -v "*) cat "$work/out" ;; *) tail -n 1 "$work/out" ;; esac
exit "$status"
