#!/usr/bin/env bash
# A bootstrap on real containers, killed while the container is made and while it is filled, then run
# again: the same end as if nobody had disturbed it, and one of everything.
#
#     bash selfhost/tests/killed-on-lxc.sh
#
# It needs root and the LXC tools. PROXMOX_CI=FILE in the environment names a program that is built
# already. What was seen is in target/killed/.
set -euo pipefail
cd "$(dirname "$0")/../.."
source examples/stage.sh
source examples/control.sh

if [ "$(id -u)" -ne 0 ]; then
  echo "error: real containers need root" >&2
  exit 77
fi

descendants() { # process
  local child
  for child in $(ps -o pid= --ppid "$1"); do
    echo "$child"
    descendants "$child"
  done
}

# Starts a bootstrap and kills it, with all that it started on this machine, once a line stands in a
# journal: what that line announces is being done.
kill_at() { # journal, pattern
  local journal=$fleet/.proxmox-ci/$1 pid tries
  bootstrap &
  pid=$!
  for tries in $(seq 1200); do
    ! grep -q "$2" "$journal" 2>/dev/null || break
    kill -0 "$pid" 2>/dev/null || { echo "error: it ended before it could be killed at $2" >&2; return 1; }
    sleep 0.05
  done
  # Those that it started first: an orphan has no parent to be found by.
  # shellcheck disable=SC2046  # every process is a word
  kill -KILL $(descendants "$pid") "$pid" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  ! grep -q '"event":"end"' "$fleet/.proxmox-ci/bootstrap.jsonl" || { echo "error: it was done before it was killed" >&2; return 1; }
}

count() { json 'it["total_count"] if isinstance(it, dict) else len(it)'; }

one_of_everything() {
  local guests creates runs
  guests=$(api "/nodes/$(ready node)/lxc" | json 'len(it["data"])')
  creates=$(python3 -c 'import json, sys
lines = map(json.loads, open(sys.argv[1]))
print(sum(r["method"] == "POST" and r["path"].endswith("/lxc") and r["status"] == 200 for r in lines))' "$stage_out/journal.jsonl")
  runs=$(forge /repos/proxmox-ci/fleet/actions/runs | count)
  local seen="$guests $creates $(forge /admin/orgs | count) $(forge /orgs/proxmox-ci/repos | count) $(forge /admin/actions/runners | count) $(forge /admin/users | count) $runs"
  echo "   guests, creates, organisations, repositories, runners, users, runs: $seen"
  [ "$seen" = "1 1 1 2 1 1 0" ]
}

begin target/killed lxc
fleet=$PWD/target/killed/fleet
bash .ci/install
[ -n "${PROXMOX_CI:-}" ] || cargo build --quiet --locked -p cli
small=target/template/debian-12-slim.tar.zst large=target/template/debian-12-control.tar.zst
bash examples/template.sh "$small"
bash examples/template.sh "$large" --control "$small"
strip_program "${PROXMOX_CI:-target/debug/proxmox-ci}"
remember_host
start_node
upload "$large"
make_fleet

step kill "while the container is made" kill_at journal.jsonl '"event":"task".*"action":"create"'
step kill "while a repository is pushed" kill_at bootstrap.jsonl '"event":"intend".*"step":"push proxmox-ci"'
step bootstrap "to its end" bootstrap
prove one_of_everything one_of_everything
step bootstrap "a second time" bootstrap_again
prove second_bootstrap_changes_nothing nothing_changed
step undo "control plane" bootstrap --undo --yes
step stop "node" stop_node
prove nothing_left nothing_left

trap - EXIT
! grep -q 'false$' "$stage_out/proofs.tsv" || { echo "error: something does not hold" >&2; exit 1; }
awk -F'\t' '{ printf "%6.1f s  %s: %s\n", $4 - $3, $2, $1 }' "$stage_out/steps.tsv"
