# Shared by what plays a fleet with a control plane: the fleet in git, pushes, runs, and what is looked
# at afterwards. Sourced after stage.sh, not run.

strip_program() { # program: half of a debug build are symbols, which nobody needs in a container
  strip -o "$stage_out/proxmox-ci" "$1"
  proxmox_ci=$stage_out/proxmox-ci
}

json() { # python expression over `it`, the JSON document on standard input
  python3 -c 'import json, sys
value = eval(sys.argv[1], {"it": json.load(sys.stdin)})
print(value if isinstance(value, str) else json.dumps(value))' "$1"
}

# --- the node's tasks -----------------------------------------------------------------------------

tasks() { api "/nodes/$(ready node)/tasks?limit=500&source=all" | json '"\n".join(task["upid"] for task in it["data"])'; }

by_hand() { # UPIDs of what this script did by hand, beside the program
  printf '%s\n' "$1" >>"$stage_out/by-hand.txt"
}

writes_so_far() { # how many requests that may write the node has seen
  python3 -c 'import json, sys
print(sum(json.loads(line)["method"] not in ("GET", "HEAD") for line in open(sys.argv[1])))' "$stage_out/journal.jsonl"
}

# --- the fleet ------------------------------------------------------------------------------------

commit() { # folder, message
  git -C "$1" add -A
  git -C "$1" -c user.name=Operator -c user.email=operator@example.lan commit -q -m "$2"
}

# The example without its service, with this node's network in it, pushed to where its people keep it.
make_fleet() {
  cp -r examples/control-plane "$fleet"
  rm -r "$fleet/containers"
  sed -i -e "s|^subnet = .*|subnet = \"$(ready subnet)\"|" -e "s|^gateway = .*|gateway = \"$(ready gateway)\"|" "$fleet/fleet.toml"
  git init -q --bare -b main "$stage_out/home.git"
  git -C "$fleet" init -q -b main
  git -C "$fleet" remote add origin "file://$stage_out/home.git"
  commit "$fleet" "a fleet with a control plane"
  git -C "$fleet" push -q origin main
  (
    umask 077
    printf 'url = "%s"\nfingerprint = "%s"\ntoken_file = "token.local.txt"\n' "$(ready urls)" "$(ready fingerprint)" >"$fleet/fleet.local.toml"
    cp "$stage_out/token" "$fleet/token.local.txt"
    printf 'FINGERPRINT_KEY=%s\nCANARY=%s\n' "$(random)" "canary-$(random)" >"$fleet/secrets.local.env"
  )
  printf '%s\n' "$fleet/.proxmox-ci/journal.jsonl" "$fleet/.proxmox-ci/bootstrap.jsonl" >"$stage_out/journals.txt"
}

random() { python3 -c 'import secrets; print(secrets.token_hex(16))'; }

bootstrap() {
  local forge=(--forge embedded)
  [ -z "${PROXMOX_CI_GITEA:-}" ] || forge=(--forge gitea --gitea "$PROXMOX_CI_GITEA")
  # What it says, the first password among it, is for the operator alone.
  (umask 077 && "$proxmox_ci" bootstrap --fleet "$fleet" --source "$PWD" "${forge[@]}" "$@" \
    >"$stage_out/bootstrap.txt" 2>"$stage_out/bootstrap.log") || { cat "$stage_out/bootstrap.log" >&2; return 1; }
}

bootstrap_again() {
  writes_so_far >"$stage_out/writes.txt"
  bootstrap --json
}

nothing_changed() {
  [ "$(writes_so_far)" = "$(cat "$stage_out/writes.txt")" ] &&
    [ "$(json 'it["outcome"]' <"$stage_out/bootstrap.txt")" = unchanged ]
}

# --- the Git service ------------------------------------------------------------------------------

service() { # key of forge.local.toml
  python3 -c 'import sys, tomllib
print(tomllib.load(open(sys.argv[1], "rb"))[sys.argv[2]])' "$fleet/forge.local.toml" "$1"
}

# git with this service's certificate and the operator's token; neither is an argument of a process.
with_service() { # command
  local token
  token=$(cat "$fleet/$(service token_file)")
  GIT_SSL_CAINFO="$fleet/forge.local.crt" GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=http.extraHeader \
    GIT_CONFIG_VALUE_0="Authorization: token $token" "$@"
}

forge() { # curl arguments, path last
  (umask 077 && printf 'Authorization: token %s\n' "$(cat "$fleet/$(service token_file)")" >"$stage_out/forge.header")
  curl -sS --fail-with-body --cacert "$fleet/forge.local.crt" -H @"$stage_out/forge.header" "${@:1:$#-1}" "$(service url)/api/v1${*: -1}"
}

tree_there() { # repository: the tree of its main branch, as a clone has it
  local clone=$stage_out/clone-$1.git
  with_service git clone -q --bare --depth 1 -b main "$(service url)/proxmox-ci/$1.git" "$clone" &&
    git -C "$clone" rev-parse 'main^{tree}'
  rm -rf "$clone"
}

trees_equal() { # both are cloned at the same time
  tree_there proxmox-ci >"$stage_out/tree.txt" &
  [ "$(tree_there fleet)" = "$(git -C "$fleet" rev-parse 'HEAD^{tree}')" ] && wait $! &&
    [ "$(cat "$stage_out/tree.txt")" = "$(git rev-parse 'HEAD^{tree}')" ]
}

clone_fleet() {
  with_service git clone -q "$(service url)/$(service repository).git" "$operator"
  cp -r "$fleet"/*.local.* "$operator/"
  echo "$operator/.proxmox-ci/journal.jsonl" >>"$stage_out/journals.txt"
  # From here on `fleet` is what plan and exec of stage.sh look at.
  home=$fleet fleet=$operator
}

push() { # message
  commit "$operator" "$1"
  with_service git -C "$operator" push -q origin HEAD:main
}

# --- runs -----------------------------------------------------------------------------------------

run_of() { # workflow, commit: the newest run
  "$proxmox_ci" runs --json --fleet "$operator" --workflow "$1" |
    json "next((run['run'] for run in it if run['commit'] == '$2'), 0)"
}

wait_for_run() { # [workflow]: follows a new run of the newest commit to its end
  local tries before=${run:-0} workflow=${1:-pipeline.yml}
  for tries in $(seq 600); do
    run=$(run_of "$workflow" "$(git -C "$operator" rev-parse HEAD)")
    [ "$run" -le "$before" ] || break
    sleep 0.1
  done
  [ "$run" -gt "$before" ] || { echo "error: no run was started" >&2; return 1; }
  # That a run failed is the proof's to say; what it printed is shown there.
  "$proxmox_ci" logs "$run" --follow --within 300 --fleet "$operator" >"$stage_out/run-$run.txt" 2>&1 || true
}

run_succeeded() {
  local state
  state=$("$proxmox_ci" runs --json --fleet "$operator" | json "next(run['state'] for run in it if run['run'] == $run)")
  [ "$state" = success ] || { echo "run $run: $state" >&2; tail -n 60 "$stage_out/run-$run.txt" >&2; return 1; }
}

jobs_in_order() { # the three layers, each begun after the one before was over
  forge "/repos/$(service repository)/actions/runs/$run/jobs" | python3 -c 'import json, sys
jobs = {job["name"]: job for job in json.load(sys.stdin)["jobs"]}
names = ["container-init", "container-default", "container-configuration"]
times = [(jobs[name]["started_at"], jobs[name]["completed_at"]) for name in names]
in_order = all(earlier[1] <= later[0] for earlier, later in zip(times, times[1:]))
sys.exit(0 if in_order and len(jobs) == 3 else f"jobs: {jobs}")'
}

# --- the three pushes -----------------------------------------------------------------------------

add_service() {
  mkdir -p "$operator/containers"
  cp -r examples/control-plane/containers/web "$operator/containers/"
  sed -i 's/^DOMAIN = .*/DOMAIN = "demo.lan"/' "$operator/fleet.toml"
}

push_deployed() { run_succeeded && jobs_in_order && http_answers web "Hello from web.demo.lan"; }

inside() { "$proxmox_ci" exec --fleet "$operator" control -- "$@"; }

change_control_plane() {
  inside cat /proc/1/stat | awk '{ print $22 }' >"$stage_out/boot.txt"
  sed -i 's/^MEMORY=.*/MEMORY=896/' "$operator/config.env"
  echo 'Good evening.' >>"$operator/config/templates/motd.erb"
}

self_change_applied() { # in place: the same init runs
  local seen began config
  seen=$(inside cat /etc/motd /proc/1/stat)
  began=$(tail -n 1 <<<"$seen" | awk '{ print $22 }')
  config=$(api "/nodes/$(ready node)/lxc/100/config")
  run_succeeded && [[ $seen == *"Good evening."* ]] && [ "$began" = "$(cat "$stage_out/boot.txt")" ] &&
    [[ $config == *'"memory":896'[,}]* ]] && limit_in_cgroup 896
}

release_another_build() {
  local version sum name release
  cp "$proxmox_ci" "$stage_out/another"
  printf '\n' >>"$stage_out/another"
  version=$("$proxmox_ci" --version) version=${version##* }
  sum=$(sha256sum "$stage_out/another") sum=${sum%% *}
  name=proxmox-ci-${sum:0:12}
  # The release is there: bootstrap made it for the build that it installed.
  release=$(forge "/repos/proxmox-ci/proxmox-ci/releases/tags/v$version" | json 'it["id"]')
  forge -F "attachment=@$stage_out/another" "/repos/proxmox-ci/proxmox-ci/releases/$release/assets?name=$name" >/dev/null
  printf '\n[program]\nversion = "%s"\nsha256 = "%s"\n' "$version" "$sum" >>"$operator/fleet.toml"
  echo "$sum" >"$stage_out/pinned.txt"
}

wait_for_program() { # one look from inside, over a way in that stays open
  # shellcheck disable=SC2016  # the shell of the control plane expands these
  inside sh -c 'for _ in $(seq 1200); do
    ! grep -s "\"verdict\"" /var/lib/proxmox-ci/upkeep/last.json || exit 0
    sleep 0.1
  done
  echo "error: nothing was heard of the new program" >&2
  journalctl -u proxmox-ci-upkeep --no-pager -n 50 >&2
  exit 1' >"$stage_out/verdict.txt"
}

self_program_replaced() { # both units run the pinned file, and the old one lies beside it
  local pinned running units=2
  pinned=$(cat "$stage_out/pinned.txt")
  # Gitea is a program of its own.
  [ -z "${PROXMOX_CI_GITEA:-}" ] || units=1
  # What two units run is one file: its sum is made once.
  # shellcheck disable=SC2016  # the shell of the control plane expands these
  running=$(inside sh -c 'cd /usr/local/bin
    for unit in forge runner; do
      pid=$(systemctl show -p MainPID --value "proxmox-ci-$unit.service")
      [ "$(stat -Lc %d:%i "/proc/$pid/exe")" = "$(stat -c %d:%i proxmox-ci)" ] && echo "$unit runs it"
    done
    sha256sum proxmox-ci proxmox-ci.previous') || return
  run_succeeded && [ "$(grep -c ' runs it$' <<<"$running")" = "$units" ] && [[ $running == *"$pinned  proxmox-ci"$'\n'* ]] &&
    [[ $running == *"$(sha256sum <"$proxmox_ci" | cut -d' ' -f1)  proxmox-ci.previous"* ]] &&
    [[ $(cat "$stage_out/verdict.txt") == *'"installed"'* ]] && forge /version >/dev/null
}

# --- afterwards -----------------------------------------------------------------------------------

drift() {
  forge -H 'Content-Type: application/json' -d '{"ref": "main"}' "/repos/$(service repository)/actions/workflows/drift.yml/dispatches" >/dev/null
  wait_for_run drift.yml
}

runner_id() { forge "/admin/actions/runners" | json 'it["runners"][0]["id"]'; }

runner_takes_jobs() { # true or false
  forge -X PATCH -H 'Content-Type: application/json' -d "{\"disabled\": $([ "$1" = true ] && echo false || echo true)}" "/admin/actions/runners/$(runner_id)" >/dev/null
}

# A run that nobody has taken yet waits over a restart of the whole container.
order_pending_run() {
  runner_takes_jobs false
  forge -H 'Content-Type: application/json' -d '{"ref": "main"}' "/repos/$(service repository)/actions/workflows/drift.yml/dispatches" >/dev/null
}

restart_control_plane() { # until its Git service answers
  local tries task
  task=$(api -X POST "/nodes/$(ready node)/lxc/100/status/reboot" | json 'it["data"]')
  wait_for_task "$task"
  by_hand "$task"
  for tries in $(seq 600); do
    forge /version >/dev/null 2>&1 && break
    sleep 0.1
  done
}

wait_for_pending_run() {
  runner_takes_jobs true
  wait_for_run drift.yml
}

doctor() {
  "$proxmox_ci" doctor --fleet "$operator" >"$stage_out/doctor.txt" && ! grep -E '^(FAILED|warning)' "$stage_out/doctor.txt" ||
    { cat "$stage_out/doctor.txt" >&2; return 1; }
}

take_journal() { # what the jobs did, as the control plane journalled it
  inside cat /var/lib/proxmox-ci/runner/fleet/journal.jsonl >"$stage_out/jobs.jsonl"
  echo "$stage_out/jobs.jsonl" >>"$stage_out/journals.txt"
}

# Every writing task of the node stands in a run journal whose run names repository and commit.
commit_of_each_task_known() {
  tasks >"$stage_out/tasks.txt"
  python3 - "$stage_out" <<'PYTHON'
import json, pathlib, sys

out = pathlib.Path(sys.argv[1])
known = {}
for journal in map(pathlib.Path, (out / "journals.txt").read_text().split()):
    runs = {}
    for line in journal.read_text().splitlines() if journal.exists() else []:
        record = json.loads(line)
        if record["event"] == "begin":
            runs[record["run"]] = record.get("repository") and record.get("commit")
        elif record["event"] == "task":
            known[record["upid"]] = runs.get(record["run"])
by_hand = set((out / "by-hand.txt").read_text().split())
tasks = set((out / "tasks.txt").read_text().split()) - by_hand
unknown = sorted(task for task in tasks if not known.get(task))
(out / "commits.json").write_text(json.dumps({task: known.get(task) for task in sorted(tasks)}, indent=2) + "\n")
sys.exit(0 if tasks and not unknown else "no commit is known of " + " ".join(unknown or ["any task"]))
PYTHON
}

say_how_to_reach_control_plane() {
  trap - EXIT
  cat <<TEXT

everything is still running:
  $(service url)     certificate $home/forge.local.crt
  $proxmox_ci runs --fleet $operator
  $proxmox_ci doctor --fleet $operator
  $proxmox_ci exec --fleet $operator control -- journalctl -f
  kill -TERM $node_pid     # stops the node and takes everything away
TEXT
}
