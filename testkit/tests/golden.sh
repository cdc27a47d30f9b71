#!/usr/bin/env bash
# Replays the golden stories against a node with memory guests, and prints the replayer's last line.
#
#   bash testkit/tests/golden.sh VERSION [STORIES_DIR] [--only THEME]… [--min PERCENT] [-v]
#
# VERSION is 8.4 or 9.2. Without STORIES_DIR the stories in testkit/fixtures are told. `--only` may be
# repeated. With `--min` the exit status is 1 when fewer steps are equal; with `-v` everything the
# replayer says is shown, as when it fails. PROXMOX_CI in the environment names a program that is built already.
set -euo pipefail
export RUST_BACKTRACE=0

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
golden=$root/testkit/fixtures/golden

usage() { sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 64; }

version=${1:-}
case $version in 8.4 | 9.2) shift ;; *) usage ;; esac

stories=$golden/stories
options=()
verbose=
while [ $# -gt 0 ]; do
  case $1 in
    --only | --min) [ $# -ge 2 ] || usage; options+=("$1" "$2"); shift 2 ;;
    -v | --verbose) verbose=1; shift ;;
    -*) usage ;;
    *) stories=$1; shift ;;
  esac
done

binary=${PROXMOX_CI:-${CARGO_TARGET_DIR:-$root/target}/debug/proxmox-ci}
[ -n "${PROXMOX_CI:-}" ] || (cd "$root" && cargo build --quiet --package cli)

work=$(mktemp -d)
node=
finish() {
  if [ -n "$node" ]; then
    kill "$node" 2>/dev/null || true
    wait "$node" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT

"$binary" --quiet node --listen 127.0.0.1:0 --guests memory --version "$version" \
  --ready-file "$work/ready.json" --journal "$work/journal.jsonl" &
node=$!

for _ in $(seq 1200); do
  [ -e "$work/ready.json" ] && break
  kill -0 "$node" 2>/dev/null || { echo "golden.sh: the node ended before it was ready" >&2; exit 2; }
  sleep 0.05
done
[ -e "$work/ready.json" ] || { echo "golden.sh: the node was not ready in 60 s" >&2; exit 2; }

field() { python3 -c 'import json, sys; v = json.load(open(sys.argv[1]))[sys.argv[2]]; print(v[0] if isinstance(v, list) else v)' "$work/ready.json" "$1"; }

status=0
GOLDEN_ROOT_PASSWORD=$(field root_password) GOLDEN_ROOT_TOKEN=$(field root_token) \
  python3 "$golden/replay.py" --url "$(field urls)" --version "$version" --node "$(field node)" \
  --stories "$stories" ${options[@]+"${options[@]}"} >"$work/report.txt" 2>&1 || status=$?

if [ -n "$verbose" ] || [ "$status" -ne 0 ]; then cat "$work/report.txt"; else tail -n 1 "$work/report.txt"; fi
exit "$status"
