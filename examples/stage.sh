# Shared by layers.sh and demo.sh: steps with their times, proofs, the node and the look at the host.
# Sourced, not run.

now() { date +%s.%N; }

begin() { # folder, guests
  stage_out=$PWD/$1 stage_guests=$2
  rm -rf "$stage_out"
  mkdir -p "$stage_out"
  trap leave EXIT
}

step() { # kind, name, command
  local kind=$1 name=$2 first
  shift 2
  printf '== %s: %s\n' "$kind" "$name"
  first=$(now)
  "$@"
  printf '%s\t%s\t%s\t%s\n' "$name" "$kind" "$first" "$(now)" >>"$stage_out/steps.tsv"
}

prove() { # name, command: true when it succeeds
  local name=$1 value=false
  shift
  "$@" && value=true
  printf '   %s: %s\n' "$name" "$value"
  printf '%s\t%s\n' "$name" "$value" >>"$stage_out/proofs.tsv"
}

without_guest() { # name: memory guests have nothing inside to look at
  [ "$stage_guests" = memory ] || return 1
  echo "$1" >>"$stage_out/skipped.tsv"
}

finish() {
  trap - EXIT
  python3 examples/report.py "$stage_out" "$stage_guests"
}

# Whatever happens, the node that was started is stopped, by its process id.
leave() {
  local status=$?
  [ -z "${node_pid:-}" ] || stop_node || true
  [ "$status" -eq 0 ] || echo "stopped with exit $status; what was seen is in $stage_out" >&2
}

# --- the node -------------------------------------------------------------------------------------

start_node() {
  "$proxmox_ci" node --listen 127.0.0.1:0 --guests "$stage_guests" --version 8.4 \
    --data "$stage_out/node" --journal "$stage_out/journal.jsonl" --ready-file "$stage_out/ready.json" \
    2>"$stage_out/node.log" &
  node_pid=$!
  local tries=0
  until [ -s "$stage_out/ready.json" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 600 ] || ! kill -0 "$node_pid" 2>/dev/null; then
      cat "$stage_out/node.log" >&2
      echo "error: the node did not come up" >&2
      return 1
    fi
    sleep 0.1
  done
  read_ready
  (umask 077 && ready root_token >"$stage_out/token" && printf 'Authorization: PVEAPIToken=%s\n' "$(ready root_token)" >"$stage_out/token.header")
}

stop_node() {
  kill -TERM "$node_pid"
  wait "$node_pid" || true
  unset node_pid
}

ready() { printf '%s\n' "${node[$1]}"; } # field of the ready file; of a list its first element

read_ready() {
  declare -gA node
  local name value
  while IFS=$'\t' read -r name value; do node[$name]=$value; done < <(python3 -c 'import json, sys
for name, value in json.load(open(sys.argv[1])).items():
    print(name, value[0] if isinstance(value, list) else value, sep="\t")' "$stage_out/ready.json")
}

api() { # curl arguments, path last; the token comes from a file, never from the command line
  curl -sS --fail-with-body --cacert "$(ready ca_file)" -H @"$stage_out/token.header" "${@:1:$#-1}" "$(ready urls)/api2/json${*: -1}"
}

upload() { # file
  local task
  task=$(api -F content=vztmpl -F "filename=@$1" "/nodes/$(ready node)/storage/$(ready storage)/upload")
  task=${task#*'"data":"'}
  wait_for_task "${task%%'"'*}"
}

wait_for_task() { # UPID
  local tries state
  for tries in $(seq 600); do
    state=$(api "/nodes/$(ready node)/tasks/$1/status")
    case $state in *'"exitstatus":"OK"'*) return 0 ;; *'"exitstatus"'*) echo "$state" >&2; return 1 ;; esac
    sleep 0.1
  done
  echo "error: the task $1 did not end" >&2
  return 1
}

# --- the fleet ------------------------------------------------------------------------------------

place_fleet() { # containers that stay; the copy gets the node's network and how to reach the node
  local name
  cp -r examples/fleet "$stage_out/fleet"
  for name in "$stage_out"/fleet/containers/*; do
    [[ " $* " == *" ${name##*/} "* ]] || rm -r "$name"
  done
  # Memory guests live in no network.
  [ "$stage_guests" = memory ] || sed -i -e "s|^subnet = .*|subnet = \"$(ready subnet)\"|" -e "s|^gateway = .*|gateway = \"$(ready gateway)\"|" "$fleet/fleet.toml"
  (umask 077 && printf 'url = "%s"\nca_file = "%s"\ntoken_file = "%s"\n' \
    "$(ready urls)" "$(ready ca_file)" "$stage_out/token" >"$fleet/fleet.local.toml")
  echo "$fleet/.proxmox-ci/journal.jsonl" >"$stage_out/journals.txt"
}

plan() { "$proxmox_ci" plan --fleet "$fleet" "$@"; }

apply() {
  local outside=()
  [ "$stage_guests" = memory ] && outside=(--outside-only)
  "$proxmox_ci" apply --fleet "$fleet" --yes "${outside[@]}"
}

address() { # container: its address, as the fleet resolves it
  "$proxmox_ci" config --json --fleet "$fleet" --explain "$1" |
    python3 -c 'import json, sys
rows = json.load(sys.stdin)["values"]
print(next(row["value"] for row in rows if row["key"] == "IP").split("/")[0])'
}

in_journal() { # python condition over a record of the exchange journal
  python3 -c 'import json, sys
sys.exit(not any(eval(sys.argv[2], {"r": json.loads(line)}) for line in open(sys.argv[1])))' "$stage_out/journal.jsonl" "$1"
}

created_through_api() {
  in_journal 'r["method"] == "POST" and r["path"].endswith("/lxc") and r["status"] == 200'
}

# No provisioner of container-configuration before the gate of container-default was seen to hold.
layers_in_order() {
  without_guest layers_in_order && return 0
  python3 - "$fleet/.proxmox-ci/journal.jsonl" <<'PYTHON'
import json, sys

order = {}
for line in open(sys.argv[1]):
    record = json.loads(line)
    name = record.get("container")
    if record["event"] == "gate":
        order.setdefault(name, []).append("gate " + record["layer"])
    elif record["event"] == "intend":
        order.setdefault(name, []).append(record["layer"])
for name, seen in order.items():
    if "container-configuration" in seen:
        gate = seen.index("gate container-default") if "gate container-default" in seen else len(seen)
        if gate > seen.index("container-configuration") or "container-default" not in seen[:gate]:
            sys.exit(f"{name}: {seen}")
sys.exit(0 if order else "nothing was journalled")
PYTHON
}

# Nobody was begun before those it comes after had passed their last gate.
dependencies_in_order() {
  without_guest dependencies_in_order && return 0
  plan --json >"$stage_out/plan.json"
  python3 - "$stage_out/plan.json" "$fleet/.proxmox-ci/journal.jsonl" <<'PYTHON'
import json, sys

plan, journal = json.load(open(sys.argv[1])), [json.loads(line) for line in open(sys.argv[2])]
begun, stood = {}, {}
for number, record in enumerate(journal):
    if record["event"] == "intend":
        begun.setdefault(record["container"], number)
    elif record["event"] == "gate" and record["layer"] == "container-configuration":
        stood.setdefault(record["container"], number)
pairs = [(before, it["name"]) for it in plan["containers"] for before in it["after"]]
for before, name in pairs:
    if not stood.get(before, len(journal)) < begun.get(name, -1):
        sys.exit(f"{name} was begun before {before} stood")
sys.exit(0 if pairs else "nobody comes after anybody")
PYTHON
}

http_answers() { # container, text, [port]
  local page
  page=$(curl -fsS --max-time 10 "http://$(address "$1"):${3:-80}/") && [[ $page == *"$2"* ]]
}

# Status, the headers that are not of the moment, body: what a service answers, wherever it runs.
answer() { # URL
  curl -sSi --max-time 10 "$1" | tr -d '\r' | sed -E '/^(Date|Last-Modified):/d'
}

keep_answers() { # containers: for those who compare
  without_guest answers_kept && return 0
  local name port
  mkdir -p "$stage_out/answers"
  for name in "$@"; do
    case $name in web) port=80 ;; db) port=8000 ;; *) port=8080 ;; esac
    answer "http://$(address "$name"):$port/" >"$stage_out/answers/$name.txt"
  done
}

answers() { # containers: each answers on its own address, `app` with what `db` keeps
  without_guest http_answers && return 0
  local name
  for name in "$@"; do
    case $name in
      web) http_answers web "Hello" ;;
      db) http_answers db "" 8000 ;;
      app) http_answers app "forty-two" 8080 ;;
    esac || return
  done
}

# The plan names exactly these changes, as KEY:class. What memory guests leave out does not count.
plan_names() {
  plan --json | python3 -c 'import json, sys
guests, expected = sys.argv[1], sorted(sys.argv[2:])
seen = sorted(change["key"] + ":" + change["class"]
              for container in json.load(sys.stdin)["containers"] for change in container["changes"])
if guests == "memory":
    seen, expected = ([name for name in names if not name.endswith(":layer")] for names in (seen, expected))
sys.exit(0 if seen == expected else "the plan names " + (" ".join(seen) or "nothing"))' "$stage_guests" "$@"
}

plan_is_empty() { plan_names; }

limit_in_cgroup() { # MiB: some guest of this node has exactly this limit
  local limits
  limits=$(find /sys/fs/cgroup -path '*lxc.payload*' \( -name memory.limit_in_bytes -o -name memory.max \) \
    -exec cat {} + 2>/dev/null || true)
  [[ $'\n'$limits$'\n' == *$'\n'$(($1 * 1024 * 1024))$'\n'* ]]
}

# --- the host, before and after ------------------------------------------------------------------
# None of these may be there at all; that is a state too.
host_state() {
  {
    echo "# bridges"; ip -o link show type bridge | awk -F': ' '{print $2}' | sort
    echo "# nft tables"; nft list tables | sort
    echo "# subordinate ids"; cat /etc/subuid /etc/subgid
    echo "# forwarding"; cat /proc/sys/net/ipv4/ip_forward
    echo "# containers"; lxc-ls -1 | sort
    echo "# cgroups"; find /sys/fs/cgroup -maxdepth 3 -type d -name '*lxc*' | sort
    echo "# processes"; ps -eo stat=,args= | awk '$1 !~ /^Z/ {$1 = ""; print substr($0, 2)}' | grep -E '^\[?(lxc|[^ ]*proxmox-ci|ansible|ssh )' | sort
  } 2>/dev/null || true
}

remember_host() { host_state >"$stage_out/host-before.txt"; }

# What is there now and was not before; what others took away meanwhile is theirs.
nothing_left() {
  host_state >"$stage_out/host-after.txt"
  local left
  left=$(comm -13 <(sort -u "$stage_out/host-before.txt") <(sort -u "$stage_out/host-after.txt"))
  [ -z "$left" ] || { printf 'left behind:\n%s\n' "$left" >&2; return 1; }
}

edit_seen() { # container, MiB, text
  without_guest edit_seen_in_guest && return 0
  limit_in_cgroup "$2" && http_answers "$1" "$3"
}

drift_healed() {
  local config
  config=$(api "/nodes/$(ready node)/lxc/101/config")
  plan_is_empty && [[ $config == *'"cores":1'[,}]* ]]
}

say_how_to_reach() {
  trap - EXIT
  cat <<TEXT

everything is still running:
  $proxmox_ci status --fleet $fleet
  $proxmox_ci exec --fleet $fleet web -- hostname
  http://$(address web)/
  kill -TERM $node_pid     # stops the node and takes everything away
TEXT
}
