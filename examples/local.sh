#!/usr/bin/env bash
# Container definitions tried in Docker, without a node: first run, edit, second run, nothing left.
# What they answer is compared with what the same definitions answer in containers of a node, which
# `layers.sh --all` left in target/layers/answers.
#
#     bash examples/local.sh
#
# It starts a Docker daemon of its own, with its own folder, socket and bridge, and stops it. The base
# of every image is a container template: nothing is fetched. PROXMOX_CI=FILE names the program.
set -euo pipefail
cd "$(dirname "$0")/.."
source examples/stage.sh

out=$PWD/target/local docker_pid=
proxmox_ci=${PROXMOX_CI:-$PWD/target/debug/proxmox-ci}
template=$PWD/target/template/debian-12-slim.tar.zst

# --- a daemon of our own --------------------------------------------------------------------------

start_docker() {
  # Its socket has to have a short path, and its bridge a short name.
  docker_home=$(mktemp -d /tmp/pci-docker.XXXXXX)
  docker_bridge=pcid$((RANDOM % 9000 + 1000))
  docker_subnet=172.29.$((RANDOM % 250 + 1))
  export DOCKER_HOST=unix://$docker_home/docker.sock
  ip link add "$docker_bridge" type bridge
  ip addr add "$docker_subnet.1/24" dev "$docker_bridge"
  ip link set "$docker_bridge" up
  # Neither forwarding nor firewall of this machine are touched: what is tried needs no network, and
  # published ports go through the daemon's own proxy.
  dockerd -H "$DOCKER_HOST" --data-root "$out/docker" --exec-root "$docker_home/exec" \
    --pidfile "$docker_home/pid" --bridge "$docker_bridge" \
    --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false \
    >"$out/dockerd.log" 2>&1 &
  docker_pid=$!
  local tries
  for tries in $(seq 600); do
    curl -sf --unix-socket "$docker_home/docker.sock" http://docker/_ping >/dev/null && return 0
    kill -0 "$docker_pid" 2>/dev/null || break
    sleep 0.1
  done
  tail -20 "$out/dockerd.log" >&2
  echo "error: the Docker daemon did not come up" >&2
  return 1
}

stop_docker() {
  [ -n "$docker_pid" ] || return 0
  kill -TERM "$docker_pid" 2>/dev/null || true
  local tries
  for tries in $(seq 200); do
    kill -0 "$docker_pid" 2>/dev/null || break
    sleep 0.1
  done
  kill -KILL "$docker_pid" 2>/dev/null || true
  wait "$docker_pid" 2>/dev/null || true
  docker_pid=
  ip link del "$docker_bridge" 2>/dev/null || true
  rm -rf "$docker_home" "$out/docker"
}

docker_api() { curl -sS --fail-with-body --unix-socket "$docker_home/docker.sock" "http://docker$1"; }

docker_is_empty() { # containers, images and volumes alike
  [ "$(docker_api '/containers/json?all=1')" = '[]' ] &&
    [ "$(docker_api '/images/json?all=1')" = '[]' ] &&
    [[ $(docker_api /volumes) == *'"Volumes":null'* || $(docker_api /volumes) == *'"Volumes":[]'* ]]
}

leave_docker() {
  local status=$?
  stop_docker
  [ "$status" -eq 0 ] || echo "stopped with exit $status; what was seen is in $out" >&2
}

# --- what is tried --------------------------------------------------------------------------------

try() { # container: one run; its report becomes $out/CONTAINER.json
  "$proxmox_ci" local "$1" --keep --json --base-template "$template" --fleet "$fleet" >"$out/$1.json"
}

of_report() { # container, python expression over `r`
  python3 -c 'import json, sys
print(eval(sys.argv[2], {"r": json.load(open(sys.argv[1]))}))' "$out/$1.json" "$2"
}

page() { # container, path
  curl -fsS --max-time 10 "http://127.0.0.1:$(of_report "$1" 'r["ports"][0]["host"]')${2:-/}"
}

expect() { # words, command
  local words=$1
  shift
  if "$@"; then echo "   $words"; else echo "error: not so: $words" >&2; exit 1; fi
}

has() { [[ $1 == *"$2"* ]]; } # text, part

# The service is the same as in a container of a node: status, headers, body.
same_as_on_a_node() { # container
  local port
  port=$(of_report "$1" 'r["ports"][0]["host"]')
  answer "http://127.0.0.1:$port/" >"$out/$1.txt"
  diff "$out/../layers/answers/$1.txt" "$out/$1.txt"
}

# A run of db that is sent a signal as soon as it has said something; its exit code.
stopped() { # signal, words, option …
  local signal=$1 words=$2 pid status=0 tries
  shift 2
  "$proxmox_ci" local db --base-template "$template" --fleet "$fleet" "$@" >"$out/stopped.log" 2>&1 &
  pid=$!
  for tries in $(seq 1200); do
    grep -q -e "$words" "$out/stopped.log" && break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  kill "-$signal" "$pid"
  wait "$pid" || status=$?
  echo "$status"
}

of_db() { docker_api "/$1/json?all=1&filters=%7B%22label%22:%5B%22proxmox-ci.container=db%22%5D%7D"; }

# What goes wrong leaves nothing behind, or is gone on with.
misfortunes() {
  echo "== a port that somebody else has"
  python3 -m http.server --bind 127.0.0.1 --directory "$out/fleet/local" 0 >"$out/port.txt" 2>&1 &
  local other=$! port tries
  for tries in $(seq 100); do grep -q port "$out/port.txt" && break; sleep 0.1; done
  port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$out/port.txt")
  "$proxmox_ci" local web --keep --port "$port:80" --base-template "$template" --fleet "$fleet" \
    2>"$out/port.log" && { echo "error: it took the port of another" >&2; exit 1; }
  kill "$other"
  expect "it is named" has "$(cat "$out/port.log")" "the port $port of this machine is in use"
  expect "what stands stays" has "$(page web)" "Good evening"

  echo "== stopped in the middle of a build"
  printf '\nRUN echo a-step\nRUN echo a-slow-step && sleep 120\n' >>"$fleet/local/Dockerfile"
  local signal
  for signal in INT TERM; do
    expect "SIG$signal ends it" test "$(stopped "$signal" '| a-slow-step')" = 130
    expect "nothing of it is left" test "$(of_db containers)$(of_db images)" = '[][]'
  done
  cp examples/fleet/local/Dockerfile "$fleet/local/Dockerfile"

  echo "== killed when the container was made"
  expect "it is dead" test "$(stopped KILL 'create  done' --keep)" = 137
}

# In an image without systemd the base layer runs all the same.
without_systemd() {
  echo "== db without systemd"
  echo 'RUN rm /sbin/init' >>"$fleet/local/Dockerfile"
  "$proxmox_ci" local db --json --layer container-default --base-template "$template" --fleet "$fleet" >"$out/bare.json"
  cp examples/fleet/local/Dockerfile "$fleet/local/Dockerfile"
  expect "systemd does not run in it" has "$(cat "$out/bare.json")" '"systemd": false'
}

main() {
  [ -e target/layers/answers/web.txt ] && [ -e target/layers/answers/db.txt ] ||
    PROXMOX_CI=$proxmox_ci bash examples/layers.sh --all
  rm -rf "$out"
  mkdir -p "$out"
  bash examples/template.sh "$template"
  trap leave_docker EXIT
  start_docker
  fleet=$out/fleet
  cp -r examples/fleet "$fleet"

  echo "== web, for the first time"
  try web
  expect "systemd runs in it" test "$(of_report web 'r["systemd"]')" = True
  expect "HTTP 200, the page of the definition" has "$(page web)" "Hello from web.example.lan"
  expect "the same as on a node" same_as_on_a_node web
  echo "   took $(of_report web 'r["seconds"]') s"

  echo "== an edit"
  sed -i 's/Hello/Good evening/' "$fleet/containers/web/files/index.html"
  try web
  expect "the page changed" has "$(page web)" "Good evening"
  expect "only the service layer ran" test "$(of_report web \
    '[s["name"] for s in r["steps"] if s["outcome"] == "done"]')" = "['provision script', 'health']"
  again=$(of_report web 'r["seconds"]')
  echo "   took $again s"
  # Five seconds are the goal on an idle machine; here it fails only far above them.
  expect "it was quick" test "${again%.*}" -lt 15

  misfortunes
  echo "== db, which Ansible configures"
  try db
  expect "the same as on a node" same_as_on_a_node db

  without_systemd
  echo "== taken away"
  "$proxmox_ci" local web --remove --fleet "$fleet"
  "$proxmox_ci" local db --remove --fleet "$fleet"
  expect "Docker holds nothing" docker_is_empty
  expect "the fleet neither" test ! -e "$fleet/.proxmox-ci"
  stop_docker
}

main
