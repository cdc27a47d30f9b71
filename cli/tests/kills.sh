#!/usr/bin/env bash
# Kills `apply` with SIGKILL at three points on real containers, and applies again: the end is that of
# a container that nobody disturbed. `bash cli/tests/kills.sh`, as root, with LXC; about half a minute.
#
# PROXMOX_CI=FILE in the environment names a program that is built already.
set -euo pipefail
cd "$(dirname "$0")/../.."
source examples/stage.sh

begin target/kills lxc
fleet=$PWD/target/kills/fleet
template=target/template/debian-12-slim.tar.zst
bash .ci/install
proxmox_ci=${PROXMOX_CI:-$PWD/target/debug/proxmox-ci}
[ -n "${PROXMOX_CI:-}" ] || cargo build --quiet --locked -p cli
bash examples/template.sh "$template"

remember_host
start_node
step upload template upload "$template"

# --- two containers that differ in name, number and address alone ------------------------------------
write() { mkdir -p "$(dirname "$fleet/$1")" && cat >"$fleet/$1"; } # path

write fleet.toml <<TOML
id = "kills-0123456789abcdef"
[defaults]
storage = "local"
template = "local:vztmpl/${template##*/}"
memory = 256
rootfs = 2
[network]
subnet = "$(ready subnet)"
gateway = "$(ready gateway)"
TOML
write default/default.yml <<'YAML'
- hosts: all
  gather_facts: false
  tasks:
    - raw: "sleep 1 && echo base >/etc/base"
      changed_when: true
YAML
for number in 111 112; do
  name=calm
  [ "$number" = 111 ] || name=shaken
  printf 'ID=%s\nMOUNT=local:1:/data\nHEALTH=unit:ssh\n' "$number" | write "containers/$name/config.env"
  printf '#!/bin/sh\nset -eu\necho begun >>/data/log\nsleep 4\necho done >/data/state\n' | write "containers/$name/apply.sh"
  chmod +x "$fleet/containers/$name/apply.sh"
done
(umask 077 && printf 'url = "%s"\nca_file = "%s"\ntoken_file = "%s"\n' \
  "$(ready urls)" "$(ready ca_file)" "$stage_out/token" >"$fleet/fleet.local.toml")
journal=$fleet/.proxmox-ci/journal.jsonl
echo "$journal" >"$stage_out/journals.txt"

# --- killing ---------------------------------------------------------------------------------------
journalled() { # event, action: it stands in the journal of the run that works now
  local lines
  lines=$(tail -n +"$from" "$journal" 2>/dev/null || true)
  [[ $lines == *'"event":"'"$1"'"'*'"action":"'"$2"'"'* ]]
}

kill_at() { # event, action, seconds to wait after it
  local pid tries=0
  from=$(($(wc -l <"$journal") + 1))
  "$proxmox_ci" apply --fleet "$fleet" --yes --quiet shaken >"$stage_out/killed.log" 2>&1 &
  pid=$!
  until journalled "$1" "$2"; do
    tries=$((tries + 1))
    if [ $tries -gt 6000 ] || ! kill -0 "$pid" 2>/dev/null; then
      cat "$stage_out/killed.log" >&2
      echo "error: apply ended before $1 $2" >&2
      return 1
    fi
    sleep 0.01
  done
  sleep "$3"
  kill -KILL "$pid"
  wait "$pid" 2>/dev/null && return 1
  return 0
}

# --- looking ---------------------------------------------------------------------------------------
guest_state() { # container, number: what stands there, without what no two containers share
  api "/nodes/$(ready node)/lxc/$2/config" | python3 -c 'import json, re, sys
name, number = sys.argv[1:]
config = json.load(sys.stdin)["data"]
for key in ("digest", "net0"):
    config.pop(key, None)
# The marker holds the key of this guest alone, and the fingerprints of its own values.
config["description"] = re.sub("\"host_key\":\"[^\"]*\"", "", config["description"])
config["description"] = re.sub("[0-9a-f]{8,}", "…", config["description"])
text = json.dumps(config, sort_keys=True)
print(text.replace(name, "NAME").replace(number, "NUMBER"))' "$1" "$2"
  api "/nodes/$(ready node)/storage/local/content?vmid=$2" | python3 -c 'import json, sys
rows = json.load(sys.stdin)["data"]
print(sorted((row["volid"].replace(sys.argv[1], "NUMBER"), row["size"]) for row in rows))' "$2"
  "$proxmox_ci" exec --fleet "$fleet" "$1" -- sh -c 'cat /etc/base /data/state; tail -n 1 /data/log; systemctl is-active ssh'
}

same_end() {
  guest_state calm 111 >"$stage_out/calm.txt"
  guest_state shaken 112 >"$stage_out/shaken.txt"
  diff "$stage_out/calm.txt" "$stage_out/shaken.txt"
}

volumes() { api "/nodes/$(ready node)/storage/local/content?content=rootdir" | grep -o '"volid"' | wc -l; }
no_second_guest() { # by the journal of what the node was asked
  python3 -c 'import json, sys
made = [r for r in map(json.loads, open(sys.argv[1])) if r["method"] == "POST" and r["path"].endswith("/lxc")]
numbers = sorted(str(r["form"]["vmid"]) for r in made if r["status"] == 200)
sys.exit(0 if numbers == ["111", "112"] else f"made: {numbers}")' "$stage_out/journal.jsonl"
}
no_orphaned_volume() { [ "$(volumes)" = 4 ]; }
nothing_to_do() { "$proxmox_ci" plan --fleet "$fleet" --detailed-exitcode >/dev/null; }

step apply "calm, undisturbed" "$proxmox_ci" apply --fleet "$fleet" --yes --quiet calm
step apply "killed while the container is made" kill_at task create 0.2
step apply "killed while Ansible works" kill_at intend "provision default" 0.8
step apply "killed while the script works" kill_at intend "provision script" 0.5
step apply "shaken, to its end" "$proxmox_ci" apply --fleet "$fleet" --yes --quiet shaken
prove same_end same_end
prove no_second_guest no_second_guest
prove no_orphaned_volume no_orphaned_volume
prove nothing_to_do nothing_to_do

step destroy "both" "$proxmox_ci" destroy --fleet "$fleet" --yes --quiet shaken calm
prove all_volumes_gone test "$(volumes)" = 0
step stop node stop_node
prove nothing_left nothing_left
finish
